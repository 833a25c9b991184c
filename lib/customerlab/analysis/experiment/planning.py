"""What a test could find at all, and what the next one needs: tables over all metrics, from the control's own units."""

from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.design import Baseline, baseline, detectable, run_length, sample_size
from customerlab.analysis.experiment.rehearsal import rehearse
from customerlab.analysis.experiment.stats import moments
from customerlab.analysis.experiment.units import joined_at

MOST_UNITS = 20_000  # of the control that are rehearsed with
FEWEST = 20  # in the smaller arm of a rehearsal


def arrivals(experiment: ir.Table) -> pd.Series:
    """New units a day, from the first day to the last, by when they joined (`units.joined_at`).

    Returns
    -------
    Series
        Whole numbers by day, zero where nobody came. Empty where the table has no times, or an arm has none: mails that
        the control did not get have no time there.
    """
    joined = joined_at(experiment)
    if joined is None:
        return pd.Series(dtype="int64")
    timed = experiment.filter(~joined.isnull()).select(day=joined.date())
    counted = timed.group_by("day").aggregate(units=timed.count()).to_pandas()
    days = counted.set_index(pd.to_datetime(counted["day"]).astype("datetime64[us]"))["units"].sort_index()
    return days.reindex(pd.date_range(days.index.min(), days.index.max(), unit="us"), fill_value=0)


def reach(
    experiment: ir.Table,
    metrics: Sequence[Metric],
    control: str,
    *,
    wanted_lift: float,
    per_day: Sequence[float] = (),
    alpha: float = 0.05,
    power: float = 0.8,
) -> pd.DataFrame:
    """What a test of this size can find in each metric, and what a wanted effect would take.

    Parameters
    ----------
    experiment : ibis Table
    metrics : sequence of Metric
    control : str
        The arm whose units say what the metrics are like without the treatment.
    wanted_lift : float
        As a share of the control's value.
    per_day : sequence of float
        New units a day, for the run length; none by default.
    alpha : float
        Of the test, two-sided, divided by all comparisons of arms and metrics: the level of Holm's first step.
    power : float

    Returns
    -------
    DataFrame
        `metric`, `control_mean`, `detectable` (the smallest effect that is found with this power), `detectable_share`
        (of the control's value), `units_needed` (of all arms, for the wanted effect) and `days_needed`. NaN where a
        metric is zero or does not vary in the control, or no number of units is enough.
    """
    sizes = experiment.group_by("variant").aggregate(units=experiment.count()).to_pandas().set_index("variant")["units"]
    columns = list(dict.fromkeys(column for metric in metrics for column in metric.columns))
    found = moments(experiment.filter(experiment.variant == control), columns)
    options: dict[str, Any] = {
        "arms": len(sizes), "control_share": sizes[control] / sizes.sum(), "power": power, "alpha": alpha / len(metrics),
    }  # fmt: skip
    rows = []
    for metric in metrics:
        base = baseline(found, metric)
        varies = 0 < base.deviation < np.inf
        least = detectable(base, float(sizes.sum()), **options) if varies else np.nan
        needed = _needed(base, wanted_lift, options) if varies else np.nan
        rows.append(
            {
                "metric": metric.name, "control_mean": base.mean, "detectable": least,
                "detectable_share": least / base.mean if base.mean > 0 else np.nan, "units_needed": needed,
                "days_needed": run_length(needed, per_day) if len(per_day) and np.isfinite(needed) else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _needed(base: Baseline, lift: float, options: dict[str, Any]) -> float:
    if not base.mean > 0 or (base.proportion and base.mean * (1 + lift) > 1):
        return np.nan
    try:
        return float(sample_size(base, lift * base.mean, **options)["total"])
    except ValueError:  # no number of units is enough
        return np.nan


def rehearsals(
    experiment: ir.Table, metrics: Sequence[Metric], control: str, seed: int, *, runs: int = 1000, alpha: float = 0.05
) -> pd.DataFrame:
    """How often each metric's test cries out when nothing happens: the control divided at random, again and again.

    The parts have the proportion of the smallest arm to the control. Of a large control 20,000 units are drawn.

    Parameters
    ----------
    experiment : ibis Table
    metrics : sequence of Metric
    control : str
    seed : int
    runs : int
    alpha : float

    Returns
    -------
    DataFrame
        `metric`, `units`, `positives` (the share of runs with p below alpha) with its 99 % interval, `low` and `high`,
        and `verdict`: "as promised", "too often" or "less often". NaN where a part would have fewer than twenty units.
    """
    sizes = experiment.group_by("variant").aggregate(units=experiment.count()).to_pandas().set_index("variant")["units"]
    share = float((sizes.drop(control) / (sizes.drop(control) + sizes[control])).min())
    columns = list(dict.fromkeys(column for metric in metrics for column in metric.columns))
    units = experiment.filter(experiment.variant == control).select("unit_id", *columns).to_pandas()
    units = units.sort_values("unit_id", ignore_index=True)
    if len(units) > MOST_UNITS:
        units = units.sample(MOST_UNITS, random_state=seed)
    rows: list[dict[str, object]] = []
    for metric in metrics:
        row: dict[str, object] = {"metric": metric.name, "units": len(units)}
        if len(units) * min(share, 1 - share) < FEWEST:
            rows.append(row | {"positives": np.nan, "low": np.nan, "high": np.nan, "verdict": "too few units to tell"})
            continue
        one = rehearse(units, metric, seed, share=share, runs=runs, alpha=alpha)
        verdict = "as promised" if one.sound else "too often" if one.low > alpha else "less often"
        rows.append(row | {"positives": one.rate, "low": one.low, "high": one.high, "verdict": verdict})
    return pd.DataFrame(rows)
