"""Power and minimum detectable effects of all metrics, from the control's own units, and A/A simulations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.carriers import carried, fewness
from customerlab.analysis.experiment.compare import Metric, measured
from customerlab.analysis.experiment.design import Baseline, baseline, detectable, run_length, sample_size
from customerlab.analysis.experiment.gatekeeping import levels
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.simulation import simulate_tests
from customerlab.analysis.experiment.stats import NONE

MOST_UNITS = 20_000  # of the control that are simulated with
MOST_LIFT, LEAST_LIFT = 1.0, 0.01  # that are planted


def arrivals(experiment: Units) -> pd.Series:
    """New units a day, from the first day to the last, by when they joined (`Measured.joined`).

    Zero where nobody came; empty where the table has no times, or an arm has none, as a control that got no mail.
    """
    units = Measured.of(experiment)
    if not units.joined:
        return pd.Series(dtype="int64")
    counted = units.cells([(units.joined, "variant")])[0].drop(NONE, errors="ignore").sum(axis=1).rename("units")
    days = counted.set_axis(pd.to_datetime(counted.index).astype("datetime64[us]")).sort_index()
    return days.reindex(pd.date_range(days.index.min(), days.index.max(), unit="us"), fill_value=0)


def reach(
    experiment: Units,
    metrics: Sequence[Metric],
    control: str,
    primary: Metric,
    *,
    wanted_lift: float,
    per_day: Sequence[float] = (),
    alpha: float = 0.05,
    power: float = 0.8,
) -> pd.DataFrame:
    """The minimum detectable effect of each metric, and the units that a wanted effect (a share of the mean) needs.

    Columns: `metric`, `level` (of one comparison: its part of `alpha`, two-sided, of the whole test;
    `gatekeeping.levels`), `control_mean`, `detectable` (the minimum detectable effect at this power),
    `detectable_share` (of the control's value), `units_needed` (of all arms, for the wanted effect) and `days_needed`
    (where `per_day`, new units a day, is given). NaN where a metric is zero or does not vary in the control, or no
    number of units is enough.
    """
    units = Measured.of(experiment)
    sizes, found = units.sizes, measured(units, metrics)
    found = found.only((found.groups["variant"] == control).to_numpy())
    options: dict[str, Any] = {"arms": len(sizes), "control_share": sizes[control] / sizes.sum(), "power": power}
    level_of = levels(metrics, primary, len(sizes), alpha)
    rows = []
    for metric in metrics:
        base, level = baseline(found, metric), level_of[metric.name]
        options["alpha"] = level * (len(sizes) - 1)  # which is divided by the arms again
        varies = 0 < base.deviation < np.inf
        least = detectable(base, float(sizes.sum()), **options) if varies else np.nan
        needed = _needed(base, wanted_lift, options) if varies else np.nan
        share = least / base.mean if base.mean > 0 else np.nan
        days = run_length(needed, per_day) if len(per_day) and np.isfinite(needed) else np.nan
        rows.append([metric.name, level, base.mean, least, share, needed, days])
    columns = ["metric", "level", "control_mean", "detectable", "detectable_share", "units_needed", "days_needed"]
    return pd.DataFrame(rows, columns=columns)


def _needed(base: Baseline, lift: float, options: dict[str, Any]) -> float:
    if not base.mean > 0 or (base.proportion and base.mean * (1 + lift) > 1):
        return np.nan
    try:
        return float(sample_size(base, lift * base.mean, **options)["total"])
    except ValueError:  # no number of units is enough
        return np.nan


def simulations(
    experiment: Units,
    metrics: Sequence[Metric],
    control: str,
    seed: int,
    *,
    level: Mapping[str, float],
    lift: Mapping[str, float],
    runs: int = 1000,
) -> pd.DataFrame:
    """Simulated error rates of each metric's test at this split: false positives, and coverage of a planted effect.

    Both arms are drawn from the control's units, in the sizes of the control and of the smallest other arm
    (`simulate_tests`); a control of more than 20,000 units is sampled. `level` and `lift` are by metric: the level at
    which it is decided, and the planted effect, as a share of the control's value, clipped to 1% to 100%; 10% where it
    is missing.

    Columns: `metric`, `units` (of the smallest arm), `level`, `positives` (the share of runs without an effect with p
    below the level) with its 99% interval, `low` and `high`, `lift`, `coverage` (the share of runs with that effect
    whose interval of 1 - level holds it), `coverage_low`, `coverage_high`, and `verdict` (`Simulation.verdict`). NaN
    where the arms would have too few outcomes, which the verdict says.
    """
    test = Measured.of(experiment)
    arms = (int(test.sizes.drop(control).min()), int(test.sizes[control]))
    columns = list(dict.fromkeys(column for metric in metrics for column in metric.columns))
    carrying = carried(test, metrics).set_index(["variant", "metric"])["outcomes"].loc[control].to_dict()
    units = test.values(columns)
    units = units[units["variant"] == control].reset_index(drop=True)
    if len(units) > MOST_UNITS:
        units = units.sample(MOST_UNITS, random_state=seed)
    rows: list[dict[str, object]] = []
    for metric in metrics:
        planted = float(np.clip(np.nan_to_num(lift.get(metric.name, np.nan), nan=0.1), LEAST_LIFT, MOST_LIFT))
        row: dict[str, object] = {"metric": metric.name, "units": arms[0], "level": level[metric.name], "lift": planted}
        outcomes = [carrying[metric.name] * size / arms[1] for size in arms]
        few = fewness(outcomes, arms, metric.name, proportion=metric.proportion)
        if few:
            rows.append(row | {"verdict": few})
            continue
        one = simulate_tests(units, metric, seed, sizes=arms, lift=planted, runs=runs, alpha=level[metric.name])
        rows.append(row | vars(one) | {"positives": one.rate, "verdict": one.verdict})
    names = ["positives", "low", "high", "lift", "coverage", "coverage_low", "coverage_high", "verdict"]
    return pd.DataFrame(rows).reindex(columns=["metric", "units", "level", *names])


def powered(
    found: pd.DataFrame, primary: str, *, power: float, wanted_lift: float, significant: int, arms: int
) -> list[str]:
    """A sentence on the minimum detectable effect of the primary metric, where it exceeds the wanted one.

    Nothing is said where all `arms` (but the control) are significant; where none is, `missed` has the effect, and this
    says what the wanted one needs. `found` is as `reach` returns it.
    """
    row = found.set_index("metric").loc[primary]
    if significant >= arms or not row["detectable_share"] > wanted_lift:
        return []
    days = f" ({row['days_needed']:,.0f} days at the pace of this test)" if row["days_needed"] > 0 else ""
    said = f"The minimum detectable effect on {primary} is {row['detectable_share']:.0%} at {power:.0%} power."
    needs = f"Detecting {100 * wanted_lift:+g}% of {primary} at {power:.0%} power needs {row['units_needed']:,.0f} units in all arms{days}."
    return [said] * bool(significant) + [needs] * bool(row["units_needed"] > 0)


def missed(found: pd.DataFrame, primary: str, power: float) -> str:
    """What an inconclusive test may have missed, a sentence; empty where that is not known."""
    share = float(found.loc[found["metric"] == primary, "detectable_share"].iloc[0])
    if not share > 0:
        return ""
    return f"Effects below {share:.0%} can be missed (the minimum detectable effect at {power:.0%} power)."


def doubtful(simulated: pd.DataFrame) -> list[str]:
    """Sentences for the metrics whose simulated error rates (`simulations`) exceed the nominal ones."""
    said = []
    for row in simulated.to_dict("records"):
        if row["verdict"] == "too many false positives":
            said.append(
                f"A/A simulation: the false-positive rate of Welch's t-test on {row['metric']} is {row['positives']:.1%}, not "
                f"{row['level']:.2%}. Intervals are too short; verdicts also need the exact randomisation test."
            )
        if row["verdict"] == "intervals too short":
            said.append(
                f"Simulation: intervals of {row['metric']} cover a planted effect of {row['lift']:+.0%} in {row['coverage']:.1%} of "
                f"runs, not {1 - row['level']:.1%}: they are too short for such a skewed outcome."
            )
    return said
