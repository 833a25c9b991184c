"""From a test to all customers: ramp-up with guardrails, and a long-term hold-out that tells what launches add up to.

A ramp-up shows the new version to more and more customers. Shares differ by step, and so do customers and seasons: the
effect is estimated within each step and combined, or the steps themselves would make an effect (Crook, Frasca, Kohavi
and Longbotham 2009). After it nobody is left to compare with but a hold-out, who get no launch for a long time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.contrasts import Arm, Value, contrast
from customerlab.analysis.experiment.design import Baseline, power_of
from customerlab.analysis.experiment.sequential import confidence_sequence
from customerlab.analysis.inference import LEVEL, enough, too_few
from customerlab.formats import interval, p_value, percent, short

SCHEDULE = (0.01, 0.05, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Rollout:
    """What to do after the steps so far.

    Attributes
    ----------
    decision : {"forward", "stay", "back", "complete"}
    share : float
        Of customers who get the new version from now on.
    reasons : tuple of str
    table : DataFrame
        One row per step and metric: `share`, `metric`, `effect`, `low`, `high` (of all steps so far), `verdict`.
    """

    decision: Literal["forward", "stay", "back", "complete"]
    share: float
    reasons: tuple[str, ...]
    table: pd.DataFrame


def ramp(
    checks: pd.DataFrame,
    margins: Mapping[str, float],
    *,
    planned_units: float,
    schedule: Sequence[float] = SCHEDULE,
    confidence: float = LEVEL,
) -> Rollout:
    """Decide on the next step of a ramp-up by its guardrails.

    A guardrail's effect is that of all steps so far, weighted by the inverse of their variances, with a confidence
    sequence: steps may be read as often as wanted and last as long as they do. It shows harm where the whole interval
    is below minus its margin. A version without harm is rolled back by chance with a probability of at most
    1 - `confidence` over all steps and guardrails (Bonferroni).

    Parameters
    ----------
    checks : DataFrame
        One row per step and guardrail, of the customers who joined in that step alone: `share` (of the schedule),
        `metric`, `effect` (new less old version; above zero is better, so turn the sign of a metric that should be
        low), `error` (its standard error), `units` (customers of both arms).
    margins : mapping of str to float
        By guardrail, the loss that is tolerated, zero or more, in units of the metric.
    planned_units : float
        Customers planned for each step. It is fixed before the ramp-up; the intervals are narrowest near it.

    Returns
    -------
    Rollout
        "back" at the first step that shows harm, whatever came after it; "stay" where an arm of the latest step has too
        few customers, or nothing varied; else "forward", and "complete" where the next share is 1. A guardrail whose
        interval holds minus its margin is "inconclusive": no reason to go back, but named.

    Raises
    ------
    ValueError
        For steps that are not the first of the schedule, a step that lacks a guardrail or has it twice, a margin below
        zero, no guardrail, and a share of 1, where there is no control.

    Examples
    --------
    >>> rows = [(0.01, "orders", -0.01, 0.05, 4000), (0.05, "orders", -0.30, 0.04, 4000)]
    >>> checks = pd.DataFrame(rows, columns=["share", "metric", "effect", "error", "units"])
    >>> found = ramp(checks, {"orders": 0.02}, planned_units=4000)
    >>> found.decision, found.share, found.reasons
    ('back', 0.0, ('orders at 5%: effect -0.187 (95% CI -0.302 to -0.072), a loss of more than 0.02',))
    """
    steps = _steps(checks, margins, schedule)
    level = 1 - (1 - confidence) / len(margins)
    wanted = planned_units * sum(share * (1 - share) for share in schedule)
    parts = [_guardrail(steps[steps["metric"] == metric], margins[metric], wanted, level) for metric in margins]
    table = pd.concat(parts).sort_values(["share", "metric"], ignore_index=True)
    return _decided(table, margins, list(schedule), level)


def _steps(checks: pd.DataFrame, margins: Mapping[str, float], schedule: Sequence[float]) -> pd.DataFrame:
    """The checks of all guardrails in the order of the schedule, or what is wrong with them."""
    if not margins or min(margins.values()) < 0:
        raise ValueError("A ramp-up needs guardrails, each with a tolerated loss of zero or more.")
    steps = checks[checks["metric"].isin(list(margins))].sort_values(["share", "metric"], ignore_index=True)
    shares = sorted(steps["share"].unique())
    if not shares or shares != list(schedule[: len(shares)]):
        raise ValueError(f"steps at {shares}; expected the first ones of {list(schedule)}")
    if shares[-1] >= 1:
        raise ValueError("With all customers there is no control: compare them with a hold-out.")
    for share, step in steps.groupby("share"):
        if sorted(step["metric"]) != sorted(margins):
            raise ValueError(f"The step {percent(float(share))} does not have each guardrail once.")  # type: ignore[arg-type]
    return steps


def _guardrail(steps: pd.DataFrame, margin: float, wanted: float, level: float) -> pd.DataFrame:
    """The effect of all steps so far with its confidence sequence, step by step, and what it shows."""
    errors = steps["error"].where(steps["error"] > 0).to_numpy(dtype=float)
    weight = np.nan_to_num(errors**-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = (weight * steps["effect"]).cumsum().to_numpy() / weight.cumsum()
        error = weight.cumsum() ** -0.5
    error = np.where(np.isfinite(error), error, np.nan)
    share = steps["share"].to_numpy()
    so_far = (steps["units"].to_numpy() * share * (1 - share)).cumsum() / wanted
    low, high, _ = confidence_sequence(effect, error, np.maximum(so_far, 1e-9), confidence=level)
    verdict = np.select([high < -margin, low > -margin], ["harm", "no harm"], "inconclusive")
    few = [not enough(number) for number in steps["units"] * np.minimum(share, 1 - share)]
    verdict = np.where(few | np.isnan(errors), "too few to tell", verdict)
    return steps[["share", "metric"]].assign(effect=effect, low=low, high=high, verdict=verdict)


def _decided(table: pd.DataFrame, margins: Mapping[str, float], schedule: list[float], level: float) -> Rollout:
    """The decision by the verdicts of all steps."""
    harm = table[table["verdict"] == "harm"]
    if len(harm):
        rows = harm[harm["share"] == harm["share"].min()]
        said = tuple(f"{_told(row, level)}, a loss of more than {margins[row.metric]:.3g}" for row in rows.itertuples())
        return Rollout("back", 0.0, said, table)
    last = table[table["share"] == table["share"].max()]
    here = float(last["share"].iloc[0])
    if len(few := last[last["verdict"] == "too few to tell"]):
        said = tuple(f"{row.metric} at {percent(here)}: too few to tell" for row in few.itertuples())
        return Rollout("stay", here, said, table)
    named = last[last["verdict"] == "inconclusive"]
    said = tuple(f"{_told(row, level)}, inconclusive" for row in named.itertuples())
    following = schedule[schedule.index(here) + 1] if here != schedule[-1] else here
    return Rollout("complete" if following == 1 else "forward", following, said, table)


def _told(row: object, level: float) -> str:
    """A guardrail's effect with its interval."""
    share, metric, effect, low, high = (getattr(row, name) for name in ("share", "metric", "effect", "low", "high"))
    return f"{metric} at {percent(share)}: effect {effect:.3g} ({interval(low, high, '{:.3g}', level)})"


def holdout_size(
    base: Baseline, effect: float, customers: int, *, power: float = 0.8, alpha: float = 0.05
) -> pd.Series:
    """The smallest hold-out with which the effect of all launches together would be found.

    Parameters
    ----------
    base : Baseline
        Of the metric over the whole time that the hold-out lasts.
    effect : float
        All launches together, in units of the metric. ValueError if half of the customers would not find it.
    customers : int
        Of the shop: who is not held out gets the launches.

    Returns
    -------
    Series
        `holdout`, `launched` (customers) and `share` (of the hold-out).

    Examples
    --------
    >>> holdout_size(Baseline(50, 80), 4, 100_000).to_dict()
    {'holdout': 3247.0, 'launched': 96753.0, 'share': 0.03247}
    """

    def finds(held: int) -> bool:
        return power_of(base, effect, (held, customers - held), alpha=alpha) >= power

    least, most = 1, customers // 2
    if most < 2 or not finds(most):
        raise ValueError(f"An effect of {effect:g} is not found even with half of {customers:,} customers held out.")
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if finds(middle) else (middle, most)
    return pd.Series({"holdout": most, "launched": customers - most, "share": most / customers}, dtype=float)


@dataclass(frozen=True)
class Lasting:
    """What launches added up to, against a hold-out.

    Attributes
    ----------
    weekly : DataFrame
        `week`, `effect` (launched less held out, per customer), `low`, `high`, `p`, each of that week alone.
    total, trend : Series
        `effect`, `low`, `high`, `p`: of all weeks together, and the change of the effect from week to week.
    findings : tuple of str
    """

    weekly: pd.DataFrame
    total: pd.Series
    trend: pd.Series
    findings: tuple[str, ...]


def against_holdout(spend: pd.DataFrame, groups: pd.DataFrame, *, confidence: float = LEVEL) -> Lasting:
    """The cumulative effect of all launches against the hold-out, and whether it lasts.

    Customers are the units: the effect of each week, their total and their trend are means of a linear function of a
    customer's weeks (the trend: the slope by least squares), compared by Welch's t (1947), so that weeks of one
    customer may be correlated. A falling trend of a positive effect is a novelty effect.

    Parameters
    ----------
    spend : DataFrame
        `customer_id`, `week` (whole weeks since launch), `value`; several rows of a customer and week are added.
    groups : DataFrame
        All customers: `customer_id`, `held_out` (bool). Who has no row in a week has zero.

    Returns
    -------
    Lasting
        Numbers are missing where a group has fewer than `LEAST` customers with a value; the trend is with one week.

    Raises
    ------
    ValueError
        For a customer in no group, or in two.

    Examples
    --------
    >>> groups = pd.DataFrame({"customer_id": range(80), "held_out": [False, True] * 40})
    >>> spend = groups.merge(pd.DataFrame({"week": [1, 2, 3]}), how="cross")
    >>> effect = (6 + spend["customer_id"] % 7) / spend["week"] * ~spend["held_out"]
    >>> spend["value"] = 10 + spend["customer_id"] % 5 + effect
    >>> for finding in against_holdout(spend, groups).findings:
    ...     print(finding)
    Launches so far: 16.4 per customer (95% CI 14.1 to 18.7), p < 0.001.
    The effect falls: -2.98 a week, p < 0.001.
    """
    held, weeks, values = _by_customer(spend, groups)
    centred = weeks - weeks.mean() if len(weeks) else weeks
    slope = centred / (centred**2).sum() if len(weeks) > 1 else np.full(len(weeks), np.nan)
    active = [int((values[one] != 0).any(axis=1).sum()) for one in (held, ~held)]
    whole = values @ np.column_stack([np.eye(len(weeks)), np.ones(len(weeks)), np.nan_to_num(slope)])
    table = pd.DataFrame(np.nan, index=range(whole.shape[1]), columns=["effect", "low", "high", "p"])
    if enough(*active):
        found = contrast(_arm(whole[~held]), _arm(whole[held]), Value(0), confidence=confidence)
        table = pd.DataFrame({"effect": found.effect, "low": found.low, "high": found.high, "p": found.pvalue})
    weekly = table.iloc[:-2].assign(week=weeks.astype(int))[["week", "effect", "low", "high", "p"]]
    total, trend = table.iloc[-2], table.iloc[-1] if len(weeks) > 1 else table.iloc[-1] * np.nan
    return Lasting(weekly, total.rename("total"), trend.rename("trend"), _findings(total, trend, active, confidence))


def _by_customer(spend: pd.DataFrame, groups: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each customer is held out, the weeks, and values by customer and week."""
    groups = groups.sort_values("customer_id")
    ids = pd.Index(groups["customer_id"])
    if ids.has_duplicates or not spend["customer_id"].isin(ids).all():
        raise ValueError("A customer is in no group or in two; expected each one to be held out or not.")
    spend = spend.sort_values(["customer_id", "week", "value"])
    weeks = np.sort(spend["week"].unique())
    values = np.zeros((len(ids), len(weeks)))
    np.add.at(values, (ids.get_indexer(spend["customer_id"]), np.searchsorted(weeks, spend["week"])), spend["value"])
    return groups["held_out"].to_numpy(dtype=bool), weeks.astype(float), values


def _arm(values: np.ndarray) -> Arm:
    """The means of columns, each as an arm of its own."""
    error = values.var(axis=0, ddof=1) / len(values)
    return Arm(values.mean(axis=0)[:, None], error[:, None, None], np.full(values.shape[1], len(values) - 1))


def _findings(total: pd.Series, trend: pd.Series, active: list[int], confidence: float) -> tuple[str, ...]:
    """What is said of a hold-out."""
    if np.isnan(total["p"]):
        few = too_few(min(active), "customers with a value in a group")
        return (f"The effect of launches so far: {few if not enough(*active) else 'no value varies'}.",)
    ends = interval(total["low"], total["high"], "{:.3g}", confidence)
    first = f"Launches so far: {short(total['effect'])} per customer ({ends}), {p_value(total['p'])}."
    if np.isnan(trend["p"]):
        return (first,)
    way = "falls" if trend["effect"] < 0 else "rises"
    sure = f"The effect {way}: {short(trend['effect'])} a week, {p_value(trend['p'])}."
    return (first, sure if trend["p"] < 1 - confidence else f"No trend by week is shown ({p_value(trend['p'])}).")
