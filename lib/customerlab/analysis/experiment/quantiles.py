"""Quantiles of two arms compared by the bootstrap, without resampling the units.

A quantile that sits on a mass point, such as the price of the cheapest product, moves only when the share of units
below it passes the quantile's: its effect is then that of a share, in other units. Such quantiles are not compared.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric, with_adjusted
from customerlab.analysis.experiment.contrasts import Contrast, check_options
from customerlab.analysis.experiment.decision import spelled
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.inference import enough, too_few


def quantiles(
    treatment: np.ndarray,
    control: np.ndarray,
    share: float,
    seed: int,
    *,
    confidence: float = 0.95,
    draws: int = 10_000,
) -> Contrast:
    """Compare a quantile of two arms, given by their values: the value with rank ⌈share · n⌉.

    In a resample of n units the quantile is one of the values, and its rank is binomial, so ranks are drawn, not units
    (Schultzberg and Ankargren 2022). Interval and p-value are of the same draws: p is twice the smaller share of them
    on either side of zero, counting those at zero, and the interval leaves out as many as p < α asks for. ValueError if
    the share is not between 0 and 1, or an arm has no value.

    Examples
    --------
    >>> found = quantiles(np.arange(100) + 30.0, np.arange(100.0), 0.5, seed=1)
    >>> float(found.effect), bool(found.low < 30 < found.high), bool(found.pvalue < 0.01)
    (30.0, True, True)
    """
    check_options(confidence, "two-sided")
    if not 0 < share < 1 or not len(treatment) or not len(control):
        asked = f"a quantile of {share} of {len(treatment)} and {len(control)} units"
        raise ValueError(f"{asked}; expected a share between 0 and 1")
    rng = np.random.default_rng(seed)
    arms = [np.sort(np.asarray(part, dtype=float)) for part in (control, treatment)]
    drawn, own = [np.empty(0)] * 2, [0.0] * 2
    # in an order of the values, so that swapped arms get the same draws
    for place in sorted((0, 1), key=lambda place: (len(arms[place]), arms[place].tobytes())):
        values = arms[place]
        rank = rng.binomial(len(values), share, draws)
        drawn[place] = values[np.minimum(rank, len(values) - 1)]
        own[place] = float(values[max(int(np.ceil(share * len(values))) - 1, 0)])
    (c_drawn, t_drawn), (c, t) = drawn, own
    apart = np.sort(t_drawn - c_drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.sort(np.where(c_drawn > 0, t_drawn / c_drawn - 1, np.nan))
    below, above = np.mean(apart <= 0), np.mean(apart >= 0)
    pvalue = min(1.0, 2 * min(below, above))
    # the first value that is not among the share of draws in the tail, and its mirror image
    place = max(int(np.ceil(round((1 - confidence) / 2 * draws, 9))), 1) - 1
    known = c > 0 and not np.isnan(ratio).any()
    share_of = (t / c - 1, ratio[place], ratio[-1 - place]) if known else (np.nan,) * 3
    numbers = (c, t, t - c, apart.std(), apart[place], apart[-1 - place], *share_of, pvalue, 1.0)
    return Contrast(*(np.asarray(number, dtype=float) for number in numbers))


def quantile_effects(
    experiment: Units, metric: Metric, control: str, shares: Sequence[float], seed: int, *, confidence: float = 0.95
) -> pd.DataFrame:
    """How all arms move the quantiles (`shares`) of a metric, a mean; its values leave the engine.

    One row per quantile and arm: `quantile`, `variant`, `against`, `against_value`, `variant_value`, `effect`,
    `effect_low`, `effect_high`, `pvalue`, `pvalue_holm` and `pvalue_bh` over all rows that are compared, and `why_not`:
    empty, or the reason (`why_not`) for which an effect is missing.
    """
    if metric.proportion or metric.below:
        raise ValueError(f"{metric.name} is a proportion or a ratio; expected a mean, whose units have quantiles")
    table = Measured.of(experiment).values([metric.above])
    values = {str(arm): part[metric.above].to_numpy(dtype=float) for arm, part in table.groupby("variant")}
    rows = []
    for share in shares:
        for arm in [one for one in sorted(values) if one != control]:
            one = quantiles(values[arm], values[control], share, seed, confidence=confidence)
            reason = why_not(values[arm], values[control], share)
            numbers = np.array([one.control, one.treatment, one.effect, one.low, one.high, one.pvalue])
            numbers[2:] = np.nan if reason else numbers[2:]
            rows.append([share, arm, control, *numbers.tolist(), reason])
    names = ["against_value", "variant_value", "effect", "effect_low", "effect_high", "pvalue", "why_not"]
    return with_adjusted(pd.DataFrame(rows, columns=["quantile", "variant", "against", *names]))


def why_not(treatment: np.ndarray, control: np.ndarray, share: float) -> str:
    """Why a quantile is not compared: too few units beyond it, a control's value of zero, or a mass point.

    A mass point is a value that more units of an arm have than the rank of the quantile is uncertain by: its standard
    error √(n q (1 - q)).

    Examples
    --------
    >>> spend = np.concatenate([np.zeros(900), np.full(60, 29.99), np.linspace(30, 90, 40)])
    >>> why_not(spend, spend, 0.9), why_not(spend, spend, 0.95), why_not(spend, spend, 0.97)
    ('the control has zero there', '60 units have exactly 29.99', '')
    """
    arms = [np.sort(np.asarray(part, dtype=float)) for part in (control, treatment)]
    beyond = int(min(min(share, 1 - share) * len(values) for values in arms))
    if not enough(beyond):
        return too_few(beyond, "units beyond it")
    at = [float(values[int(np.ceil(share * len(values))) - 1]) for values in arms]
    if at[0] == 0:
        return "the control has zero there"
    for values, value in zip(arms, at, strict=True):
        same = int(np.searchsorted(values, value, "right") - np.searchsorted(values, value))
        if same > np.sqrt(len(values) * share * (1 - share)):
            return f"{same:,} units have exactly {value:,.4g}"
    return ""


def of_quantiles(moved: pd.DataFrame, metric: str, control: str, confidence: float, currency: str = "") -> list[str]:
    """Sentences for the quantiles that differ significantly from the control's.

    `moved` is as `quantile_effects` returns it, and may be empty; `currency` is that of the metric, where it is money.
    """
    if moved.empty:
        return []
    said, unit = [], f" {currency}".rstrip()
    for row in moved[moved["pvalue_holm"] < 1 - confidence].to_dict("records"):
        effect, low, high = spelled(row["effect"], row["effect_low"], row["effect_high"])
        said.append(
            f"{row['variant']}: the {row['quantile']:.1%} quantile of {metric} is {row['variant_value']:,.2f}{unit}, {effect}{unit} "
            f"against {control} ({100 * confidence:g}% CI {low} to {high}; significant, Holm-adjusted)."
        )
    return said
