"""Sequential monitoring: intervals and bounds that stay valid when results are looked at before the end.

Five looks at a 95% interval, stopping at the first that excludes zero, find an effect in 14% of tests without one. Two
remedies: confidence sequences, valid at any time, whatever the plan; and group-sequential bounds, which spend the level
over looks up to a planned end, and are narrower there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, stats

from customerlab.analysis.experiment.compare import Metric, arms_of, values_of
from customerlab.analysis.experiment.contrasts import contrast
from customerlab.analysis.experiment.decision import spelled
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.stats import NONE, Moments
from customerlab.wording import Led

NODES = 400  # of Gauss and Legendre's rule: bounds are exact to six digits
FEWEST = 20  # units of an arm before its first look: an error from fewer is hardly known
LEAST = 1e-300  # what a very early look spends at least, so that its bound is finite
Spending = Literal["obrien-fleming", "pocock"]


def confidence_sequence(
    effect: np.ndarray, error: np.ndarray, share: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intervals that all hold at once, and p-values that may be read at any time.

    The normal mixture of Robbins (1970) in the form of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), for
    means of many units: with the standard error s, the half-width is s √((1 + 1/m) (ln(1 + m) - 2 ln α)), where
    m = t (ln(1 - 2 ln α) - 2 ln α) grows with the units so far as a share t of those planned. By the standard error it
    is narrowest about t = 1, and it holds beyond.

    Parameters
    ----------
    effect, error, share : array
        Estimates and standard errors, look by look, of all units so far; and these by the units planned, above zero.

    Returns
    -------
    (array, array, array)
        Low, high, and the p-value of that look; the smallest so far is valid too. p < α exactly when zero is outside.

    Examples
    --------
    >>> low, high, p = confidence_sequence(np.array([3.0]), np.array([1.0]), np.array([1.0]))
    >>> [float(x[0].round(3)) for x in (low, high, p)]
    [-0.035, 6.035, 0.055]
    """
    share = np.asarray(share, dtype=float)
    if not (share > 0).all():
        raise ValueError("a share of the planned units is not above zero; expected units so far by units planned")
    level = -2 * np.log(1 - confidence)
    mixture = share * (level + np.log1p(level))
    error = np.where(np.asarray(error) > 0, error, np.nan)
    reach = error * np.sqrt((1 + 1 / mixture) * (np.log1p(mixture) + level))
    log_p = np.log1p(mixture) / 2 - (effect / error) ** 2 / (2 * (1 + 1 / mixture))
    return effect - reach, effect + reach, np.exp(np.minimum(log_p, 0))


def spent(share: np.ndarray, alpha: float, spending: Spending) -> np.ndarray:
    """How much of the level may be used up to a share (0 to 1) of the information (Lan and DeMets 1983).

    O'Brien and Fleming's way spends 2 - 2 Φ(z(1 - α/4) / √t) on each side, hardly anything at first; Pocock's
    α ln(1 + (e - 1) t), as much at each look.

    Examples
    --------
    >>> spent(np.array([0.5, 1.0]), 0.05, "obrien-fleming").round(4).tolist()
    [0.0031, 0.05]
    """
    if spending == "obrien-fleming":
        return 4 * stats.norm.sf(stats.norm.isf(alpha / 4) / np.sqrt(share))
    if spending == "pocock":
        return alpha * np.log1p((np.e - 1) * np.asarray(share))
    raise ValueError(f"spending = {spending!r}; expected 'obrien-fleming' or 'pocock'")


def bounds(
    looks: Sequence[float] | np.ndarray, *, alpha: float = 0.05, spending: Spending = "obrien-fleming"
) -> pd.DataFrame:
    """By how many standard errors an effect has to be off zero at each look, two-sided.

    Columns: `look`, `share`, `bound`, `spent` (so far), `level` (of the look: what a fixed test would have at this
    bound).

    Parameters
    ----------
    looks : sequence of float
        The information at each, as a share of that of the planned end: units so far by units planned. Rising, above
        zero; the last need not be 1. Looks need be neither equally far apart nor known before: only the planned end.
    alpha : float
        Over all looks.
    spending : {"obrien-fleming", "pocock"}

    Examples
    --------
    >>> bounds([0.2, 0.4, 0.6, 0.8, 1.0])["bound"].round(3).tolist()
    [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    share = np.asarray(looks, dtype=float)
    if not len(share) or share[0] <= 0 or share[-1] > 1 or (np.diff(share) <= 0).any():
        raise ValueError(f"looks at {list(looks)}; expected rising shares above 0, at most 1")
    total = spent(share, alpha, spending)
    used = np.maximum(np.diff(total, prepend=0.0), LEAST)
    found = [float(stats.norm.isf(used[0] / 2))]
    nodes, weights = _rule()
    # the path so far, as a Brownian motion at the shares, where it has not left the bounds
    reach = found[0] * np.sqrt(share[0])
    at, density = nodes * reach, stats.norm.pdf(nodes * reach, scale=np.sqrt(share[0])) * weights * reach
    for look in range(1, len(share)):
        step, scale = np.sqrt(share[look] - share[look - 1]), np.sqrt(share[look])
        options = (at, density, step, scale, used[look])
        found.append(float(optimize.brentq(_left, 0, 40, args=options, xtol=1e-10)))
        new = nodes * found[-1] * scale
        moved = stats.norm.pdf((new[:, None] - at[None, :]) / step) / step
        at, density = new, (moved @ density) * weights * found[-1] * scale
    table = pd.DataFrame({"look": np.arange(1, len(share) + 1), "share": share, "bound": found, "spent": total})
    return table.assign(level=2 * stats.norm.sf(found))


@cache
def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Where Gauss and Legendre's rule looks and with what weights, which takes longer to work out than bounds do."""
    return np.polynomial.legendre.leggauss(NODES)


def _left(bound: float, at: np.ndarray, density: np.ndarray, step: float, scale: float, wanted: float) -> float:
    """How much more than wanted of the paths that were within the bounds leaves them in a step."""
    edge = bound * scale
    return float(density @ (stats.norm.sf((edge - at) / step) + stats.norm.cdf((-edge - at) / step)) - wanted)


def by_day(experiment: Units, columns: Sequence[str]) -> Moments:
    """What `over_time` is computed from: moments by arm and `day` on which units joined, in one query.

    Units without a time are left out; ValueError if an arm has none at all.
    """
    units = Measured.of(experiment)
    if not units.joined:
        raise ValueError("an arm has no times; expected assigned_at or exposed_at for units of every arm")
    found = units.moments(columns, units.joined, together=[columns])
    found = found.only((found.groups[units.joined] != NONE).to_numpy())
    days = pd.to_datetime(found.groups[units.joined]).astype("datetime64[us]")
    return replace(found, groups=found.groups[["variant"]].assign(day=days))


def over_time(
    found: Moments,
    metric: Metric,
    variant: str,
    control: str,
    *,
    planned_units: float,
    confidence: float = 0.95,
    spending: Spending = "obrien-fleming",
) -> pd.DataFrame:
    """The effect of all units so far, day by day, with three intervals.

    `found` is by `variant` and `day`, of all arms (`by_day`); `planned_units` are those of the two arms at the planned
    end.

    Columns: `day`, `units`, `effect`, `error`, and `low`, `high` of three kinds: `fixed_` (true for one look alone),
    `always_` (the confidence sequence), `group_` (the group-sequential one; NaN after the planned end). Days on which
    an arm has fewer than twenty units, or nothing has varied yet, are left out, and there may be none.
    """
    if missing := [arm for arm in (variant, control) if arm not in set(found.groups["variant"])]:
        there = ", ".join(found.groups["variant"].unique())
        raise ValueError(f"there is no arm {missing[0]!r}; expected some of {there}")
    pair = found.groups["variant"].isin([variant, control]).to_numpy()
    rows = []
    for day in sorted(found.groups.loc[pair, "day"].unique()):
        kept = pair & (found.groups["day"] <= day).to_numpy()
        whole = found.only(kept).merged(["variant"])
        if len(whole.count) < 2 or whole.count.min() < FEWEST:
            continue
        arms = arms_of(whole, control)
        one = contrast(arms[variant], arms[control], *values_of(whole.names, metric), confidence=confidence)
        if one.error > 0:
            ends = {"effect": one.effect, "error": one.error, "fixed_low": one.low, "fixed_high": one.high}
            rows.append(
                {"day": day, "units": int(whole.count.sum())} | {name: float(end) for name, end in ends.items()}
            )
    table = pd.DataFrame(rows, columns=["day", "units", "effect", "error", "fixed_low", "fixed_high"])
    effect, error = table["effect"].to_numpy(), table["error"].to_numpy()
    share = (table["units"] / planned_units).to_numpy()
    table["always_low"], table["always_high"], _ = confidence_sequence(effect, error, share, confidence=confidence)
    planned = share <= 1
    bound = np.full(len(table), np.nan)
    if planned.any():
        bound[planned] = bounds(share[planned], alpha=1 - confidence, spending=spending)["bound"]
    return table.assign(group_low=effect - bound * error, group_high=effect + bound * error)


def first_outside(daily: Mapping[str, pd.DataFrame], metric: str) -> list[str]:
    """Sentences that say when the effect of each arm was first significant by its confidence sequence."""
    said, never = [], []
    for arm, table in daily.items():
        outside = table.loc[(table["always_low"] > 0) | (table["always_high"] < 0), "day"]
        day = f"{outside.iloc[0]:%Y-%m-%d}" if len(outside) else ""
        effect = f"Sequential monitoring: the effect of {arm} on {metric} was first significant on {day}"
        said += [f"{effect} (confidence sequence)."] if day else []
        never += [] if day else [arm]
    none = f"Sequential monitoring: on no day was the effect on {metric} significant for {', '.join(never)} (confidence sequence)."
    return [*said, none] if never else said


def interim(
    daily: Mapping[str, pd.DataFrame], metric: Metric, came: int, planned_units: int, unit: str = ""
) -> list[str]:
    """What may be said of a test before its planned end: no more than the group-sequential bounds allow.

    `unit` follows the effect.
    """
    rest = f": {came:,} of {planned_units:,} planned units have joined. No arm is recommended before its end."
    said: list[str] = [Led("The test is not finished", rest)]
    for arm, table in daily.items():
        effect, low, high = table.iloc[-1][["effect", "group_low", "group_high"]]
        clear = low > 0 or high < 0
        value, *ends = spelled(effect, low, high, points=metric.proportion)
        said.append(
            f"{arm}: the effect on {metric.name} so far is {value}{unit} (group-sequential CI {ends[0]} to {ends[1]}), "
            + ("significant: the test may be stopped." if clear else "inconclusive.")
        )
    return said if daily else [*said, "Too few days or units for an interim result."]
