"""Two arms compared: difference, relative effect, intervals and p-value that never contradict each other.

Every method reduces an arm to a value, the variance of its error and its degrees of freedom; one rule then applies.
The p-value of "no effect" and the interval of the difference come from the same Student's t (Welch 1947), so p < α
exactly when zero is outside. The interval of the relative effect is the set of shares r for which "treatment =
(1 + r) · control" is not rejected by the same t (Fieller 1954); at r = 0 that is the test of the difference. Intervals
on a logarithmic scale, or by the plain delta method, can exclude zero where that of the difference includes it.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True)
class Arm:
    """Means of an arm's columns, and the covariance of their errors. Any leading axes run side by side.

    Attributes
    ----------
    mean : array of shape (…, columns)
    error : array of shape (…, columns, columns)
        The covariance matrix of the means: that of the units by their number.
    df : array of shape (…,)
        Degrees of freedom of the errors.
    """

    mean: np.ndarray
    error: np.ndarray
    df: np.ndarray


@dataclass(frozen=True)
class Contrast:
    """A treatment against a control; all attributes are arrays.

    Attributes
    ----------
    control, treatment
        The arms' values; with a covariate, at the covariate's mean over both arms.
    effect, error, low, high
        Treatment minus control, its standard error, and its interval, infinite on the side that a one-sided alternative
        leaves open.
    relative, relative_low, relative_high
        The same as a share of the control's value; NaN where that is not above zero (the interval: not significantly,
        at this confidence). The interval is NaN, too, where an arm does not vary.
    pvalue
        Of no effect, or of an effect at the margin. NaN, like the interval, where nothing varies, and where a share of
        the control's value is the margin and that is not above zero.
    kept
        The share of the effect's variance that a covariate leaves; 1 without one.
    """

    control: np.ndarray
    treatment: np.ndarray
    effect: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    relative: np.ndarray
    relative_low: np.ndarray
    relative_high: np.ndarray
    pvalue: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class Value:
    """A mean or a ratio of two means, by the places of its columns; `below` is None for a mean."""

    above: int
    below: int | None = None

    def of(self, arm: Arm) -> tuple[np.ndarray, np.ndarray]:
        """The value, and its gradient by the means (delta method), of shape (…, columns)."""
        gradient = np.zeros(arm.mean.shape)
        if self.below is None:
            gradient[..., self.above] = 1
            return arm.mean[..., self.above], gradient
        with np.errstate(invalid="ignore", divide="ignore"):
            whole = np.where(arm.mean[..., self.below] == 0, np.nan, arm.mean[..., self.below])
            value = arm.mean[..., self.above] / whole
            gradient[..., self.above] = 1 / whole
            gradient[..., self.below] -= value / whole
        return value, gradient


def contrast(
    treatment: Arm,
    control: Arm,
    value: Value,
    covariate: Value | None = None,
    *,
    confidence: float = 0.95,
    alternative: Alternative = "two-sided",
    relative_margin: float = 0.0,
) -> Contrast:
    """Compare two arms by a mean or a ratio of means.

    Parameters
    ----------
    covariate : Value, optional
        Known before the assignment. The effect is adjusted for its difference between the arms, with the slope of least
        variance (CUPED; Deng, Xu, Kohavi and Walker 2013): the share ρ² of the variance goes, ρ being the correlation.
    alternative : {"two-sided", "greater", "less"}
        Of the effect; another one, or a confidence beyond 0 and 1, is a ValueError.
    relative_margin : float
        The effect that is tested against, as a share of the control's value. For a guardrail that may fall by 2%:
        `alternative="greater"`, `relative_margin=-0.02`.

    Examples
    --------
    >>> arm = lambda mean, deviation, n: Arm(np.array([mean]), np.array([[deviation**2 / n]]), np.array(n - 1))
    >>> found = contrast(arm(10.5, 3, 400), arm(10.0, 3, 400), Value(0))
    >>> [float(x.round(3)) for x in (found.effect, found.low, found.high, found.pvalue, found.relative_low)]
    [0.5, 0.084, 0.916, 0.019, 0.008]
    """
    check_options(confidence, alternative)
    (t, slope_t), (c, slope_c) = value.of(treatment), value.of(control)
    var_t, var_c = _form(slope_t, treatment.error, slope_t), _form(slope_c, control.error, slope_c)
    before, common = var_t + var_c, np.zeros(np.shape(var_t))
    if covariate is not None:
        t, c, var_t, var_c, common = _adjusted(treatment, control, covariate, (t, slope_t, var_t), (c, slope_c, var_c))
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.where(before > 0, (var_t + var_c) / before, np.nan)
        df = (var_t + var_c) ** 2 / (var_t**2 / treatment.df + var_c**2 / control.df)
    effect = t - c
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.where(var_t + var_c > 0, var_t + var_c, np.nan))
        critical = stats.t.ppf((1 + confidence) / 2 if alternative == "two-sided" else confidence, df)
        low = effect - critical * error if alternative != "less" else np.where(np.isnan(error), np.nan, -np.inf)
        high = effect + critical * error if alternative != "greater" else np.where(np.isnan(error), np.nan, np.inf)
        share = 1 + relative_margin
        spread = np.sqrt(np.where(np.isnan(error), np.nan, var_t + share**2 * var_c + relative_margin**2 * common))
        pvalue = pvalue_of((t - share * c) / spread, stats.t(df), alternative)
        pvalue = np.where((relative_margin != 0) & ~(c > 0), np.nan, pvalue)
        relative = np.where(c > 0, effect / c, np.nan)
    ends = _fieller((t, var_t), (c, var_c), common, critical, alternative)
    return Contrast(c, t, effect, error, low, high, relative, *ends, pvalue, np.broadcast_to(kept, np.shape(effect)))


def _adjusted(
    treatment: Arm, control: Arm, covariate: Value, of_t: tuple[np.ndarray, ...], of_c: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
    """Values at the covariate's mean over both arms, their variances, and the variance of that mean's part."""
    (t, slope_t, var_t), (c, slope_c, var_c) = of_t, of_c
    (x_t, by_t), (x_c, by_c) = covariate.of(treatment), covariate.of(control)
    spread_t, spread_c = _form(by_t, treatment.error, by_t), _form(by_c, control.error, by_c)
    with_t, with_c = _form(slope_t, treatment.error, by_t), _form(slope_c, control.error, by_c)
    whole = spread_t + spread_c
    with np.errstate(invalid="ignore", divide="ignore"):
        theta = np.where(whole > 0, (with_t + with_c) / whole, 0)  # a covariate that does not vary adjusts nothing
    weight = treatment.df / (treatment.df + control.df)
    middle = weight * x_t + (1 - weight) * x_c
    common = theta**2 * (weight**2 * spread_t + (1 - weight) ** 2 * spread_c)
    return (
        t - theta * (x_t - middle),
        c - theta * (x_c - middle),
        np.maximum(var_t - 2 * theta * with_t + theta**2 * spread_t, 0),
        np.maximum(var_c - 2 * theta * with_c + theta**2 * spread_c, 0),
        common,
    )


def _fieller(
    of_t: tuple[np.ndarray, ...],
    of_c: tuple[np.ndarray, ...],
    common: np.ndarray,
    critical: np.ndarray,
    alternative: str,
) -> tuple[np.ndarray, np.ndarray]:
    """The shares r for which t - (1 + r) c is within the critical number of its errors.

    With r itself as unknown: (d - r c)² = k² (v + 2 r var_c + r² (var_c + common)), d and v of the difference.
    """
    (t, var_t), (c, var_c) = of_t, of_c
    with np.errstate(invalid="ignore", divide="ignore"):
        k = critical**2
        a = c**2 - k * (var_c + common)
        b = (t - c) * c + k * var_c
        inner = b**2 - a * ((t - c) ** 2 - k * (var_t + var_c))
        sure = (a > 0) & (c > 0) & (inner >= 0) & (var_t > 0) & (var_c > 0)
        root = np.sqrt(np.where(sure, inner, np.nan))
        low, high = (b - root) / a, (b + root) / a
    if alternative == "greater":
        high = np.where(sure, np.inf, np.nan)
    if alternative == "less":
        low = np.where(sure, -np.inf, np.nan)
    return low, high


def pvalue_of(statistic: np.ndarray, law: Any, alternative: Alternative) -> np.ndarray:
    """The p-value of a statistic that has a symmetric distribution (frozen) under the null hypothesis."""
    if alternative == "two-sided":
        return 2 * law.sf(np.abs(statistic))
    return law.sf(statistic if alternative == "greater" else -statistic)


def _form(one: np.ndarray, matrix: np.ndarray, other: np.ndarray) -> np.ndarray:
    """one' · matrix · other."""
    return np.einsum("...i,...ij,...j->...", one, matrix, other)


def check_options(confidence: float, alternative: str) -> None:
    """Refuse invalid options."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence = {confidence}; expected a number between 0 and 1")
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative = {alternative!r}; expected 'two-sided', 'greater' or 'less'")
