"""All arms, all metrics: one table of effects, from one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.experiment.contrasts import Alternative, Arm, Contrast, Value, contrast
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.stats import Moments, by_cluster, moments, spoken
from customerlab.analysis.inference import holm
from customerlab.errors import DataError


@dataclass(frozen=True)
class Metric:
    """What is compared between arms. Columns are names of the table, such as `outcome_spend`.

    Attributes
    ----------
    name : str
    above : str
        The column whose mean is compared.
    below : str, optional
        With it, the ratio of the two means, such as money per order; not the mean of ratios.
    covariate, covariate_below : str, optional
        Known before the assignment: the effect is adjusted for it (CUPED), by a mean or by a ratio of means.
    proportion : bool
        Whether `above` is one or zero for every unit: compared by score tests, and not adjusted.
    allowed_fall : float
        For a guardrail: the share by which the metric may fall. The test is one-sided, of an effect below that.
    """

    name: str
    above: str
    below: str | None = None
    covariate: str | None = None
    covariate_below: str | None = None
    proportion: bool = False
    allowed_fall: float = 0.0

    def __post_init__(self) -> None:
        if self.proportion and (self.below or self.covariate):
            raise ValueError(
                f"{self.name} is a proportion, which has no ratio and no covariate here; leave proportion out"
            )
        if self.covariate_below and not self.covariate:
            raise ValueError(f"{self.name} has a covariate_below without a covariate")
        if not 0 <= self.allowed_fall < 1:
            raise ValueError(f"{self.name} may fall by {self.allowed_fall}; expected a share between 0 and 1")

    @property
    def columns(self) -> list[str]:
        """The columns that it needs."""
        return [name for name in (self.above, self.below, self.covariate, self.covariate_below) if name]


def compare_arms(
    experiment: ir.Table,
    metrics: Sequence[Metric],
    control: str,
    *,
    confidence: float = 0.95,
    alternative: Alternative = "two-sided",
    each_other: bool = False,
    strata: Sequence[str] = (),
    cluster: str | None = None,
) -> pd.DataFrame:
    """The effects of all arms on all metrics.

    Parameters
    ----------
    experiment : ibis Table
        One row a unit, with `variant`; checked by `soundness` before.
    metrics : sequence of Metric
    control : str
        The arm that the others are compared with.
    confidence : float
        Of each interval.
    alternative : {"two-sided", "greater", "less"}
        Of all metrics but guardrails.
    each_other : bool
        Compare also the other arms with each other, the later in the alphabet with the earlier.
    strata : sequence of str
        Columns known before the assignment by which the arms are made alike (post-stratification; Miratrix, Sekhon and
        Yu 2013): strata get the shares that they have over all arms, taken as fixed. Proportions are then means.
    cluster : str, optional
        What was assigned, where units are finer: errors count clusters. Means become ratios of sums by cluster.

    Returns
    -------
    DataFrame
        One row a metric and pair of arms: `metric`, `variant`, `against`, `against_mean`, `variant_mean`, `effect`
        with `error` (its standard error), `effect_low` and `effect_high`, `relative` with `relative_low` and
        `relative_high`, `pvalue`, `kept` (the share of variance that a covariate leaves), `allowed_fall`, and, adjusted
        over all rows, `pvalue_holm` (the chance of any false finding; Holm 1979) and `pvalue_bh` (the share of false
        findings; Benjamini and Hochberg 1995).

    Raises
    ------
    ValueError
        If the control or another arm is missing, an arm has one unit, or an option does not fit a metric.
    DataError
        If a value is missing or infinite.
    """
    every = list(dict.fromkeys(column for metric in metrics for column in metric.columns))
    if cluster is not None:
        if any(metric.proportion for metric in metrics) or strata:
            raise ValueError("with clusters, proportions are means and strata are not known; leave both out")
        experiment, every = by_cluster(experiment, cluster, every), [*every, "size"]
    together = [[*metric.columns, *(["size"] if cluster else [])] for metric in metrics]
    found = moments(experiment, every, ["variant", *strata], together=together)
    arms = arms_of(found, control)
    order = [control, *sorted(set(arms) - {control})]
    pairs = list(combinations(order, 2)) if each_other else [(control, other) for other in order[1:]]
    rows = []
    for metric in metrics:
        options: dict[str, Any] = {
            "confidence": confidence,
            "alternative": "greater" if metric.allowed_fall else alternative,
            "relative_margin": -metric.allowed_fall,
        }
        values = values_of(found, metric, cluster is not None)
        for against, variant in pairs:
            if metric.proportion and not strata:
                one = _proportions(found, metric, variant, against, options)
            else:
                one = contrast(arms[variant], arms[against], *values, **options)
            rows.append({"metric": metric.name, "variant": variant, "against": against, **_row(one)})
            rows[-1]["allowed_fall"] = metric.allowed_fall
    table = pd.DataFrame(rows)
    known = table["pvalue"].dropna()
    table["pvalue_holm"] = holm(known).reindex(table.index)
    table["pvalue_bh"] = benjamini_hochberg(known).reindex(table.index)
    return table


def adjusted(
    experiment: ir.Table,
    metrics: Sequence[Metric],
    control: str,
    covariates: Sequence[str],
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The effects adjusted for what was known before (CUPED), by the covariate that narrows a metric's intervals most.

    Proportions are compared by their means. The covariate is chosen on the same units, which among a few covariates and
    many units makes the intervals hardly narrower than they should be.

    Parameters
    ----------
    experiment : ibis Table
    metrics : sequence of Metric
    control : str
    covariates : sequence of str
        Columns, one at least, that are a number for every unit.
    confidence : float

    Returns
    -------
    DataFrame
        As `compare_arms` returns it, with `covariate`, and `narrower`: by what share the interval is, 1 - √kept.
    """
    tried = [
        replace(metric, name=f"{place} {number}", covariate=column, proportion=False, allowed_fall=0.0)
        for place, metric in enumerate(metrics)
        for number, column in enumerate(covariates)
    ]
    every = compare_arms(experiment, tried, control, confidence=confidence)
    every[["place", "number"]] = every["metric"].str.split(" ", expand=True).astype(int)
    left = every.groupby(["place", "number"])["kept"].mean().fillna(1.0)
    best = set(left.groupby("place").idxmin())
    table = every[[pair in best for pair in zip(every["place"], every["number"], strict=True)]].reset_index(drop=True)
    table["metric"] = [metrics[place].name for place in table["place"]]
    table["covariate"] = [spoken(covariates[number]) for number in table["number"]]
    known = table["pvalue"].dropna()
    table["pvalue_holm"] = holm(known).reindex(table.index)
    table["pvalue_bh"] = benjamini_hochberg(known).reindex(table.index)
    return table.drop(columns=["place", "number"]).assign(narrower=1 - np.sqrt(table["kept"]))


def arms_of(found: Moments, control: str) -> dict[str, Arm]:
    """The arms by name: means and their errors, over strata where there are any.

    Raises
    ------
    ValueError
        If the control is missing, there is no other arm, an arm has one unit, or none or one in a stratum.
    """
    names = found.groups["variant"].unique().tolist()
    if control not in names or len(names) < 2:
        raise ValueError(
            f"control = {control!r}; the arms are {', '.join(map(repr, names))}; expected two arms or more, one the control"
        )
    strata = [name for name in found.groups.columns if name != "variant"]
    stratum = (
        pd.factorize(pd.MultiIndex.from_frame(found.groups[strata]), sort=True)[0]
        if strata
        else np.zeros(len(found.groups), int)
    )
    weights = np.bincount(stratum, weights=found.count) / found.count.sum()
    arms = {}
    for name in names:
        rows = np.flatnonzero(found.groups["variant"] == name)
        if found.count[rows].min() < 2 or len(rows) < len(weights):
            where = " in every stratum" if strata else ""
            raise ValueError(f"the arm {name!r} has one unit or none; expected at least two{where}")
        weight = weights[stratum[rows]]
        parts = (weight**2 / found.count[rows])[:, None, None] * found.covariance[rows]
        arms[name] = Arm(
            np.einsum("s,sc->c", weight, found.mean[rows]),
            parts.sum(axis=0),
            np.asarray(found.count[rows].sum() - len(rows), dtype=float),
        )
    return arms


def benjamini_hochberg(p: pd.Series) -> pd.Series:
    """P-values adjusted by Benjamini and Hochberg (1995): of those below a level, at most that share is expected false.

    Examples
    --------
    >>> benjamini_hochberg(pd.Series([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    falling = p.sort_values(ascending=False, kind="stable")
    adjusted = (falling * len(p) / np.arange(len(p), 0, -1)).cummin().clip(upper=1)
    return adjusted.reindex(p.index)


def values_of(found: Moments, metric: Metric, clustered: bool = False) -> tuple[Value, Value | None]:
    """The metric and its covariate, by the places of their columns."""
    place = {name: number for number, name in enumerate(found.names)}
    size = place["size"] if clustered else None
    value = Value(place[metric.above], place[metric.below] if metric.below else size)
    if metric.covariate is None:
        return value, None
    return value, Value(place[metric.covariate], place[metric.covariate_below] if metric.covariate_below else size)


def _proportions(found: Moments, metric: Metric, variant: str, against: str, options: Mapping[str, Any]) -> Contrast:
    column = found.names.index(metric.above)
    numbers = []
    for name in (variant, against):
        row = int(np.flatnonzero(found.groups["variant"] == name)[0])
        units, mean = int(found.count[row]), float(found.mean[row, column])
        # of zeros and ones alone the variance is p (1 - p) n / (n - 1)
        if not np.isclose(
            found.covariance[row, column, column], mean * (1 - mean) * units / (units - 1), rtol=1e-6, atol=1e-12
        ):
            raise DataError(
                f"{metric.name} is no proportion", expected="0 or 1 for every unit", do="leave proportion out"
            )
        numbers += [np.asarray(round(mean * units)), np.asarray(units)]
    return proportions(*numbers, **options)


def _row(one: Contrast) -> dict[str, float]:
    columns = {
        "against_mean": one.control, "variant_mean": one.treatment, "effect": one.effect, "error": one.error, "effect_low": one.low,
        "effect_high": one.high, "relative": one.relative, "relative_low": one.relative_low,
        "relative_high": one.relative_high, "pvalue": one.pvalue, "kept": one.kept,
    }  # fmt: skip
    return {name: float(value) for name, value in columns.items()}
