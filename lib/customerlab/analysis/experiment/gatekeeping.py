"""Parallel gatekeeping: the primary metric is tested first, the other metrics behind it.

The m₁ comparisons of the primary metric are tested at alpha / m₁ each. Every one that is statistically significant
passes its alpha / m₁ on, and the m₂ comparisons of the other metrics share what was passed (Dmitrienko, Offen and
Westfall 2003, with Bonferroni in both families). The chance of any false finding in both families stays below alpha,
however metrics and arms are correlated: if t primary effects are nil, one of them is found with at most t · alpha / m₁,
and without them at most (m₁ - t) · alpha / m₁ can be passed on.

Bonferroni's levels are fixed before a p-value is seen, so each test has an interval of its level, which leaves out zero
exactly where the test finds an effect, and those of a family hold together; Holm's steps find a little more, but have
no such intervals. A mean or a ratio has to pass the randomisation test at its level too, which holds at any skew.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.carriers import carried, fewness
from customerlab.analysis.experiment.compare import Metric, compare_arms
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.randomisation import randomised

ENDS = ["effect_low", "effect_high", "relative_low", "relative_high"]
SIMULTANEOUS = [f"simultaneous_{end.removeprefix('effect_')}" for end in ENDS]


def gatekeep(pvalues: pd.Series, primary: pd.Series) -> pd.Series:
    """P-values adjusted by the procedure: a comparison is found where its own is below alpha.

    A missing p-value, where nothing can be tested, counts all the same.

    Examples
    --------
    >>> p = pd.Series([0.01, 0.2, 0.004, 0.03])  # two arms on the primary metric, then on another one
    >>> gatekeep(p, pd.Series([True, True, False, False])).round(3).tolist()
    [0.02, 0.4, 0.02, 0.12]
    """
    first, behind = int(primary.sum()), int((~primary).sum())
    adjusted = (pvalues * first).clip(upper=1)
    # the k smallest primary p-values open the gate for a share k / first of the level
    gates = np.sort(adjusted[primary].dropna())
    ways = [np.maximum(gate, pvalues * behind * first / (place + 1)) for place, gate in enumerate(gates)]
    through = pd.concat(ways, axis=1).min(axis=1) if ways else pd.Series(1.0, index=pvalues.index)
    return adjusted.where(primary, through.clip(upper=1)).where(pvalues.notna())


def levels(metrics: Sequence[Metric], primary: Metric, arms: int, alpha: float) -> dict[str, float]:
    """The level of each comparison with the control, by metric, when the gate is open; the control is one of the arms.

    Examples
    --------
    >>> visit, spend = Metric("visit", "outcome_visit"), Metric("spend", "outcome_spend")
    >>> levels([visit, spend], spend, 3, 0.05)
    {'visit': 0.025, 'spend': 0.025}
    """
    each, behind = alpha / (arms - 1), max(len(metrics) - 1, 1)
    return {metric.name: each if metric.name == primary.name else each / behind for metric in metrics}


def gatekept(
    experiment: Units,
    effects: pd.DataFrame,
    metrics: Sequence[Metric],
    primary: Metric,
    seed: int,
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The effects with the verdicts of the procedure, and intervals that hold together.

    Parameters
    ----------
    experiment, metrics, confidence
        As they were given to `compare_arms`, without strata.
    effects : DataFrame
        What it returned, two-sided.
    primary : Metric
        The one that decides, named before the test.

    Returns
    -------
    DataFrame
        `effects` with `primary` (bool), `family` (comparisons that are tested together), `few` (what is said where
        there are too few outcomes to test; else empty), `randomised` (the p-value of the randomisation test, of a mean
        or ratio of units whose own is below its level; else missing), `pvalue_adjusted` (`gatekeep`; missing where
        `few`), and
        `simultaneous_low` and `simultaneous_high`, intervals that are simultaneous over the family (Bonferroni), and
        `simultaneous_relative_low` and `_high`, those of the relative effect. They exclude zero exactly where
        `pvalue_adjusted` is below the level, but for a family whose gate is shut, what has too few outcomes, and what
        the randomisation test does not find.
    """
    units, alpha, control = Measured.of(experiment), 1 - confidence, effects["against"].iloc[0]
    first = effects["metric"] == primary.name
    table = effects.assign(primary=first, family=np.where(first, first.sum(), (~first).sum()))
    table["few"] = _few(units, effects, metrics)
    level = alpha / table["family"]
    asked = (table["few"] == "") & (table["pvalue"] < level) & (not units.summed)
    table["randomised"] = _randomised(units, table.assign(level=level)[asked], metrics, seed).reindex(table.index)
    refused = table["randomised"] >= level
    known = table["pvalue"].where(~refused, table[["pvalue", "randomised"]].max(axis=1)).where(table["few"] == "")
    table["pvalue_adjusted"] = gatekeep(known, first)
    found = int((table.loc[first, "pvalue_adjusted"] < alpha).sum())
    table[SIMULTANEOUS] = np.nan
    for rows, share in ((first, 1.0), (~first, (found or first.sum()) / first.sum())):
        own = [metric for metric in metrics if metric.name in set(table.loc[rows, "metric"])]
        if own:
            wider = compare_arms(units, own, control, confidence=1 - alpha * share / rows.sum())
            table.loc[rows, SIMULTANEOUS] = wider[ENDS].to_numpy()
    return table


def _randomised(experiment: Measured, rows: pd.DataFrame, metrics: Sequence[Metric], seed: int) -> pd.Series:
    means = {metric.name: metric for metric in metrics if not metric.proportion}
    found = {
        place: randomised(experiment, means[row["metric"]], row["variant"], row["against"], seed, level=row["level"])
        for place, row in rows.to_dict("index").items()
        if row["metric"] in means
    }
    return pd.Series(found, dtype=float)


def _few(units: Measured, effects: pd.DataFrame, metrics: Sequence[Metric]) -> list[str]:
    counted = carried(units, metrics).set_index(["metric", "variant"])[["outcomes", "units"]]
    proportions = {metric.name: metric.proportion for metric in metrics}
    said = []
    for row in effects.to_dict("records"):
        pair = counted.loc[[(row["metric"], row["variant"]), (row["metric"], row["against"])]]
        numbers = pair["outcomes"].tolist(), pair["units"].tolist()
        proportion = proportions[row["metric"]]
        least = "" if proportion or not units.summed else " at least, by its sums of squares,"
        said.append(fewness(*numbers, row["metric"] + least, proportion=proportion))
    return said
