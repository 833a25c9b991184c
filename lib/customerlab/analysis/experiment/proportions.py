"""Two proportions compared by score tests, which are valid for rare conversions and for none at all.

The Wald variance p(1 - p)/n of an arm without a conversion is zero, and its interval far too narrow. A score test uses
the variance at the most likely proportions under the hypothesis, and its interval holds the hypotheses that it does not
reject: for the difference Mee (1984), for the ratio Koopman (1984). At no effect both are the pooled z test, which is
Pearson's χ²; so p < α exactly when zero is outside of either.
"""

import numpy as np
from scipy import stats

from customerlab.analysis.experiment.contrasts import Alternative, Contrast, check_options, pvalue_of

RARE = 1e-5
STEPS = 60  # halvings: the ends are exact to the last digits


def proportions(
    treatment: np.ndarray,
    treatment_units: np.ndarray,
    control: np.ndarray,
    control_units: np.ndarray,
    *,
    confidence: float = 0.95,
    alternative: Alternative = "two-sided",
    relative_margin: float = 0.0,
) -> Contrast:
    """Compare the conversions of two arms: integers, or arrays of them.

    The options are those of `contrast`. The relative effect is NaN where the control has no conversion. With none in
    both arms p is 1. ValueError if an arm has more conversions than units.

    Examples
    --------
    >>> found = proportions(np.array(56), np.array(70), np.array(48), np.array(80))  # Newcombe (1998), table II (a)
    >>> float(found.low.round(4)), float(found.high.round(4))
    (0.0533, 0.3377)
    """
    check_options(confidence, alternative)
    x, n, y, m = (np.asarray(one, dtype=float) for one in (treatment, treatment_units, control, control_units))
    if ((x > n) | (y > m) | (x < 0) | (y < 0) | (n < 1) | (m < 1)).any():
        raise ValueError("a proportion is not between none and all of the units; expected counts")
    level = stats.norm.ppf((1 + confidence) / 2 if alternative == "two-sided" else confidence)
    t, c = x / n, y / m
    low, high = _ends(lambda at: _difference(at, x, n, y, m), -1.0, 1.0, t - c, level)
    ratio = np.where(y > 0, t / np.where(y > 0, c, 1), np.nan)
    # ratios from nothing to infinity as shares of the way, so that halving finds either end
    with np.errstate(invalid="ignore", divide="ignore"):
        ends = _ends(lambda at: _ratio(at / (1 - at), x, n, y, m), 0.0, 1.0, ratio / (1 + ratio), level)
        relative_low, relative_high = (np.where(y > 0, end / (1 - end) - 1, np.nan) for end in ends)
    if alternative == "greater":
        high, relative_high = np.full_like(high, np.inf), np.where(y > 0, np.inf, np.nan)
    if alternative == "less":
        low, relative_low = np.full_like(low, -np.inf), np.where(y > 0, -np.inf, np.nan)
    statistic = _ratio(np.full_like(t, 1 + relative_margin), x, n, y, m)
    pvalue = pvalue_of(statistic, stats.norm, alternative)
    error = np.sqrt(t * (1 - t) / n + c * (1 - c) / m)
    return Contrast(c, t, t - c, error, low, high, ratio - 1, relative_low, relative_high, pvalue, np.ones_like(t))


def _ends(statistic, least: float, most: float, middle: np.ndarray, level: float):  # type: ignore[no-untyped-def]
    """Where a falling statistic passes the level, on both sides of the value at which it is zero."""
    middle = np.where(np.isnan(middle), (least + most) / 2, middle)
    ends = []
    for outer, sign in ((least, 1), (most, -1)):
        inside, outside = np.array(middle, dtype=float), np.full_like(middle, outer)
        for _ in range(STEPS):
            at = (inside + outside) / 2
            kept = sign * statistic(at) <= level
            inside, outside = np.where(kept, at, inside), np.where(kept, outside, at)
        ends.append(inside)
    return ends


def _difference(at: np.ndarray, x: np.ndarray, n: np.ndarray, y: np.ndarray, m: np.ndarray) -> np.ndarray:
    """The score statistic of "p - q = at", at the likeliest p and q: a root of a cubic (Farrington and Manning 1990).

    Its closed form subtracts numbers near 1, which proportions of a few in a million do not survive: there the root is
    that of Poisson counts, which is near, and two of Newton's steps.
    """
    p, q, theta = x / n, y / m, m / n
    a = 1 + theta
    b = -(1 + theta + p + theta * q + at * (theta + 2))
    c = at**2 + at * (2 * p + theta + 1) + p + theta * q
    d = -p * at * (1 + at)
    v = b**3 / (27 * a**3) - b * c / (6 * a**2) + d / (2 * a)
    u = np.where(v >= 0, 1, -1) * np.sqrt(np.maximum(b**2 / (9 * a**2) - c / (3 * a), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        angle = np.where(u == 0, 1, np.clip(v / u**3, -1, 1))
    first = 2 * u * np.cos((np.pi + np.arccos(angle)) / 3) - b / (3 * a)
    least, most = np.maximum(0, at), np.minimum(1, 1 + at)
    half = (at + (x + y) / (n + m)) / 2
    counted = half + np.sqrt(np.maximum(half**2 - x * at / (n + m), 0))
    first = np.where((np.abs(at) < RARE) & (p < RARE) & (q < RARE), counted, first)
    for _ in range(2):
        value, slope = ((a * first + b) * first + c) * first + d, (3 * a * first + 2 * b) * first + c
        first = first - np.divide(value, slope, out=np.zeros_like(first), where=slope != 0)
        first = np.clip(first, least, most)
    second = np.clip(first - at, 0, 1)
    return _standardised(p - q - at, first * (1 - first) / n + second * (1 - second) / m)


def _ratio(at: np.ndarray, x: np.ndarray, n: np.ndarray, y: np.ndarray, m: np.ndarray) -> np.ndarray:
    """The score statistic of "p = at · q"; the likeliest p and q in closed form (Miettinen and Nurminen 1985)."""
    a, b, c = (n + m) * at, -(n * at + x + m + y * at), x + y
    with np.errstate(invalid="ignore", divide="ignore"):
        second = np.where(a > 0, 2 * c / (-b + np.sqrt(np.maximum(b**2 - 4 * a * c, 0))), y / m)
    second = np.clip(second, 0, np.minimum(1, np.where(at > 0, 1 / np.where(at > 0, at, 1), 1)))
    first = at * second
    variance = first * (1 - first) / n + at**2 * second * (1 - second) / m
    return _standardised(x / n - at * y / m, variance)


def _standardised(apart: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Zero where nothing is apart, infinite where what is apart cannot be."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = apart / np.sqrt(np.maximum(variance, 0))
    return np.where(np.abs(apart) < 1e-15, 0, value)
