"""Planning a test: sample size, minimum detectable effect, power and duration.

Power is that of the tests used in the analysis: Student's t for means and ratios, the score test for proportions.
Several arms share the level (Bonferroni).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize, stats

from customerlab.analysis.experiment.compare import Metric, values_of
from customerlab.analysis.experiment.contrasts import Alternative, Arm
from customerlab.analysis.experiment.stats import Moments

MOST_UNITS = 10**12
FAR, MANY = 8, 10_000


@dataclass(frozen=True)
class Baseline:
    """Mean and standard deviation of a metric without the treatment.

    Attributes
    ----------
    mean : float
        The mean, ratio or proportion.
    deviation : float
        The standard deviation of a unit: of a ratio, that of its linear part (delta method); after a covariate, what it
        leaves. A proportion has none of its own.
    """

    mean: float
    deviation: float
    proportion: bool = False


def baseline(found: Moments, metric: Metric) -> Baseline:
    """The baseline of a metric from the units of the past, all groups together; with a covariate, what that leaves.

    Examples
    --------
    >>> import ibis
    >>> from customerlab.analysis.experiment.stats import moments
    >>> past = ibis.memtable({"variant": ["-"] * 3, "outcome_spend": [0.0, 2.0, 4.0]})
    >>> baseline(moments(past, ["outcome_spend"]), Metric("spend", "outcome_spend"))
    Baseline(mean=2.0, deviation=2.0, proportion=False)
    """
    whole = replace(found, groups=found.groups.assign(all="all")).merged(["all"])
    own, covariate = values_of(whole.names, metric)
    arm = Arm(whole.mean[0], whole.covariance[0], np.asarray(float(whole.count[0] - 1)))  # errors of one unit
    value, slope = own.of(arm)
    variance = slope @ arm.error @ slope
    if covariate:
        _, by = covariate.of(arm)
        spread, shared = by @ arm.error @ by, slope @ arm.error @ by
        variance -= shared**2 / spread if spread > 0 else 0
    return Baseline(float(value), float(np.sqrt(variance)), metric.proportion)


def power_of(
    base: Baseline,
    effect: float,
    units: Sequence[float],
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> float:
    """The power to detect an effect (treatment minus control, in units of the metric) at the level of this comparison.

    `units` are those of the control and of the treatment.

    Examples
    --------
    >>> round(power_of(Baseline(0, 1), 1.0, (20, 20)), 4)  # R's power.t.test(n = 20, delta = 1)
    0.869
    """
    control, treatment = (float(one) for one in units)
    tail = alpha / 2 if alternative == "two-sided" else alpha
    toward = -effect if alternative == "less" else effect
    if base.proportion:
        p, q = base.mean, base.mean + effect
        if not 0 <= q <= 1:
            return float("nan")
        pooled = (control * p + treatment * q) / (control + treatment)
        critical = stats.norm.isf(tail) * np.sqrt(pooled * (1 - pooled) * (1 / control + 1 / treatment))
        error = np.sqrt(p * (1 - p) / control + q * (1 - q) / treatment)
        other = stats.norm.cdf((-critical - toward) / error) if alternative == "two-sided" else 0
        return float(stats.norm.sf((critical - toward) / error) + other)
    error = base.deviation * np.sqrt(1 / control + 1 / treatment)
    df = (1 / control + 1 / treatment) ** 2 / (1 / control**2 / (control - 1) + 1 / treatment**2 / (treatment - 1))
    critical, away = stats.t.isf(tail, df), toward / error
    law = stats.norm(away) if df > MANY else stats.nct(df, away)
    # far away the other tail is nothing, its digits are lost, and it can be NaN before
    other = np.nan_to_num(law.cdf(-critical)) if alternative == "two-sided" and abs(away) < FAR else 0
    return float(law.sf(critical) + other)


def sample_size(
    base: Baseline,
    effect: float,
    *,
    arms: int = 2,
    control_share: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> pd.Series:
    """The fewest units that detect an effect with the wanted power: `control`, `each_treatment`, `total`.

    Parameters
    ----------
    effect : float
        In units of the metric; a relative one is `share * base.mean`. ValueError if it is zero, goes the wrong way, or
        no number of units would find it.
    arms : int
        With the control. The level is divided by the comparisons with it.
    control_share : float, optional
        Of all units; the other arms share the rest equally. All arms equal by default; with k treatments the control is
        used best with 1 / (1 + √k) (Dunnett 1955).
    alpha : float
        Over all arms.
    alternative : {"two-sided", "greater", "less"}

    Examples
    --------
    >>> sample_size(Baseline(0.10, 0, proportion=True), 0.05).to_dict()
    {'control': 686, 'each_treatment': 686, 'total': 1372}
    """
    wrong = effect == 0 or (alternative == "greater" and effect < 0) or (alternative == "less" and effect > 0)
    if wrong or arms < 2 or not 0 < power < 1 or not 0 < alpha < 1:
        asked = f"effect {effect}, {arms} arms, power {power}, alpha {alpha}, {alternative}"
        raise ValueError(f"{asked}: no test finds that")
    share = 1 / arms if control_share is None else control_share
    each = (1 - share) / (arms - 1)

    def enough(treatment: int) -> bool:
        sizes = (np.ceil(treatment * share / each), treatment)
        return power_of(base, effect, sizes, alpha=alpha / (arms - 1), alternative=alternative) >= power

    most = 2
    while not enough(most):
        most *= 2
        if most > MOST_UNITS:
            raise ValueError(f"no number of units finds an effect of {effect} on {base}")
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    control = int(np.ceil(most * share / each))
    return pd.Series({"control": control, "each_treatment": most, "total": control + (arms - 1) * most})


def detectable(
    base: Baseline,
    units: float,
    *,
    arms: int = 2,
    control_share: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> float:
    """The minimum detectable effect of so many units at the wanted power, without its sign.

    In units of the metric; NaN where a proportion cannot change by so much. The units are those of all arms together,
    and the options those of `sample_size`.
    """
    share = 1 / arms if control_share is None else control_share
    sizes = (units * share, units * (1 - share) / (arms - 1))
    if min(sizes) < 2:
        raise ValueError(f"{units:g} units in {arms} arms; expected at least two in each")
    sign = -1 if alternative == "less" else 1

    def lacking(effect: float) -> float:
        return power_of(base, sign * effect, sizes, alpha=alpha / (arms - 1), alternative=alternative) - power

    most = (1 - base.mean if sign > 0 else base.mean) if base.proportion else 100 * base.deviation
    least = 1e-9 * (most or 1)
    if not most or lacking(most) < 0:
        return float("nan")
    return float(optimize.brentq(lacking, least, most, rtol=1e-10))


def run_length(units: float, per_day: float | Sequence[float]) -> int:
    """Days until so many units have joined, in whole weeks, so that every weekday counts the same.

    `per_day` are new units per day: one number, or those of the first days, of which the last week is repeated.

    Examples
    --------
    >>> run_length(7_000, 1_000), run_length(10_000, 1_000)
    (7, 14)
    """
    days = np.atleast_1d(np.asarray(per_day, dtype=float))
    if (days < 0).any() or not days[-7:].sum() > 0:
        raise ValueError(f"{per_day} new units a day; expected some on one of the last days")
    total, week = days.cumsum(), days[-7:]
    if units > total[-1]:
        weeks = int((units - total[-1]) // week.sum()) + 1
        total = np.concatenate([days, np.tile(week, weeks)]).cumsum()
    needed = int(np.searchsorted(total, units - 1e-9)) + 1
    return int(np.ceil(needed / 7) * 7)
