"""All arms, all metrics: one table of effects, from one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.contrasts import Arm, Contrast, Value, contrast
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.stats import Moments
from customerlab.analysis.experiment.units import SIZE
from customerlab.analysis.inference import benjamini_hochberg, holm
from customerlab.errors import DataError


@dataclass(frozen=True)
class Metric:
    """What is compared between arms. Columns are names of the table, such as `outcome_spend`.

    Attributes
    ----------
    above : str
        The column whose mean is compared.
    below : str, optional
        With it, the ratio of the two means, such as money per order; not the mean of ratios.
    covariate : str, optional
        Known before the assignment: the effect is adjusted for its mean (CUPED).
    proportion : bool
        Whether `above` is one or zero for every unit: compared by score tests, and not adjusted.
    allowed_loss : float
        For a guardrail: the largest acceptable relative loss. The test is one-sided (non-inferiority).
    less_is_better : bool
        Whether a lower value is better, as of complaints.
    """

    name: str
    above: str
    below: str | None = None
    covariate: str | None = None
    proportion: bool = False
    allowed_loss: float = 0.0
    less_is_better: bool = False

    def __post_init__(self) -> None:
        if self.proportion and (self.below or self.covariate):
            no = "is a proportion, which has no ratio and no covariate here; leave proportion out"
            raise ValueError(f"{self.name} {no}")
        if not 0 <= self.allowed_loss < 1:
            raise ValueError(f"{self.name} may lose {self.allowed_loss}; expected a share between 0 and 1")

    @property
    def ratio(self) -> bool:
        """Whether it is a ratio of two outcomes, not a mean over units."""
        return self.below not in (None, SIZE)

    @property
    def counted(self) -> str:
        """The outcome that is counted for the least number of outcomes: the denominator of a ratio."""
        return self.below if self.ratio and self.below else self.above

    @property
    def columns(self) -> list[str]:
        """The columns that it needs."""
        return [name for name in (self.above, self.below, self.covariate) if name]


def compare_arms(
    experiment: Units,
    metrics: Sequence[Metric],
    control: str,
    *,
    confidence: float = 0.95,
    each_other: bool = False,
    stratum: str = "",
) -> pd.DataFrame:
    """The effects of all arms on all metrics, from one query.

    Where the planned split changes (`Measured.strata`) they are those within its periods, averaged with the same
    weights in every arm; proportions are then compared as means.

    Parameters
    ----------
    experiment : ibis Table or Measured
        One row per unit, with `variant`; checked by `soundness` before.
    each_other : bool
        Compare also the other arms with each other, the later in the alphabet with the earlier.
    stratum : str, optional
        A column known before the assignment by which the arms are made alike (post-stratification; Miratrix, Sekhon and
        Yu 2013): strata get the shares that they have over all arms, taken as fixed. Proportions are then means.

    Returns
    -------
    DataFrame
        One row per metric and pair of arms: `metric`, `variant`, `against`, `against_mean`, `variant_mean`, `effect`
        with `error` (its standard error), `effect_low` and `effect_high`, `relative` with `relative_low` and
        `relative_high`, `pvalue`, `kept` (the share of variance that a covariate leaves), `allowed_loss` and
        `less_is_better` of the metric, and, adjusted over all rows, `pvalue_holm` (family-wise error rate; Holm 1979)
        and `pvalue_bh` (false-discovery rate; Benjamini and Hochberg 1995).

    Raises
    ------
    ValueError, DataError
        If an arm is missing or has one unit; if a value is missing or infinite.
    """
    found = measured(experiment, metrics, stratum)
    arms = arms_of(found, control)
    order = [control, *sorted(set(arms) - {control})]
    pairs = list(combinations(order, 2)) if each_other else [(control, other) for other in order[1:]]
    rows = []
    for metric in metrics:
        options: dict[str, Any] = {"confidence": confidence}
        if metric.allowed_loss:
            options["alternative"] = "less" if metric.less_is_better else "greater"
            options["relative_margin"] = metric.allowed_loss if metric.less_is_better else -metric.allowed_loss
        for against, variant in pairs:
            both = (
                _proportions(found, metric, variant, against, options)
                if metric.proportion and not (stratum or found.level)
                else contrast(arms[variant], arms[against], *values_of(found.names, metric), **options)
            )  # fmt: skip
            row = {"metric": metric.name, "variant": variant, "against": against} | _row(both)
            rows.append(row | {"allowed_loss": metric.allowed_loss, "less_is_better": metric.less_is_better})
    return with_adjusted(pd.DataFrame(rows))


def measured(experiment: Units, metrics: Sequence[Metric], by: str = "") -> Moments:
    """The moments that effects on some metrics need, by arm and the labels of another column, if one is given."""
    every = list(dict.fromkeys(column for metric in metrics for column in metric.columns))
    return Measured.of(experiment).moments(every, by, together=[metric.columns for metric in metrics])


def totals(experiment: Units, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Numerator and denominator of each metric by arm, such as units that converted and all units.

    Columns: `variant`, `metric`, `value` (their quotient, NaN over zero), `numerator`, `denominator`.

    Examples
    --------
    >>> import ibis
    >>> units = ibis.memtable({"variant": ["a", "a", "b"], "outcome_spend": [1.0, 2.0, 4.0]})
    >>> totals(units, [Metric("spend", "outcome_spend")]).values.tolist()
    [['a', 'spend', 1.5, 3.0, 2], ['b', 'spend', 4.0, 4.0, 1]]
    """
    found, parts = measured(experiment, metrics), []
    for metric in metrics:
        above, below = (
            found.count * found.mean[:, found.names.index(one)] if one else found.count
            for one in (metric.above, metric.below)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.where(below != 0, above / below, np.nan)
        part = {"variant": found.groups["variant"], "metric": metric.name, "value": value, "numerator": above}
        parts.append(pd.DataFrame(part | {"denominator": below}))
    return pd.concat(parts, ignore_index=True)


def with_adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `pvalue_holm` and `pvalue_bh`, adjusted over its rows that have a `pvalue`."""
    return table.assign(pvalue_holm=holm(table["pvalue"]), pvalue_bh=benjamini_hochberg(table["pvalue"]))


def arms_of(found: Moments, control: str) -> dict[str, Arm]:
    """The arms by name: means and their errors, over strata where there are any.

    ValueError if the control is missing, there is no other arm, an arm has one unit, or none or one in a stratum.
    """
    names = found.groups["variant"].unique().tolist()
    if control not in names or len(names) < 2:
        raise ValueError(
            f"control = {control!r}; the arms are {', '.join(map(repr, names))}; expected two arms or more, one the control"
        )
    strata = [name for name in found.groups.columns if name != "variant"]
    stratum = found.groups.groupby(strata).ngroup().to_numpy() if strata else np.zeros(len(found.groups), int)
    weights = np.bincount(stratum, weights=found.count) / found.count.sum()
    arms = {}
    for name in names:
        rows = np.flatnonzero(found.groups["variant"] == name)
        if found.count[rows].min() < 2 or len(rows) < len(weights):
            where = " in every stratum" if strata else ""
            raise ValueError(f"the arm {name!r} has one unit or none; expected at least two{where}")
        weight = weights[stratum[rows]]
        parts = (weight**2 / found.count[rows])[:, None, None] * found.covariance[rows]
        df = np.asarray(found.count[rows].sum() - len(rows), dtype=float)
        arms[name] = Arm(np.einsum("s,sc->c", weight, found.mean[rows]), parts.sum(axis=0), df)
    return arms


def values_of(columns: Sequence[str], metric: Metric) -> tuple[Value, Value | None]:
    """The metric and its covariate, by the places of their columns among those that were measured."""
    place = {name: number for number, name in enumerate(columns)}
    value = Value(place[metric.above], place[metric.below] if metric.below else None)
    return value, Value(place[metric.covariate]) if metric.covariate else None


def _proportions(found: Moments, metric: Metric, variant: str, against: str, options: Mapping[str, Any]) -> Contrast:
    column = found.names.index(metric.above)
    numbers = []
    for name in (variant, against):
        row = int(np.flatnonzero(found.groups["variant"] == name)[0])
        units, mean = int(found.count[row]), float(found.mean[row, column])
        binary = mean * (1 - mean) * units / (units - 1)  # the variance of zeros and ones alone
        if not np.isclose(found.covariance[row, column, column], binary, rtol=1e-6, atol=1e-12):
            raise DataError(
                f"{metric.name} is no proportion", expected="0 or 1 for every unit", do="leave proportion out"
            )
        numbers += [np.asarray(round(mean * units)), np.asarray(units)]
    return proportions(*numbers, **options)


def _row(one: Contrast) -> dict[str, float]:
    other = {"control": "against_mean", "treatment": "variant_mean", "low": "effect_low", "high": "effect_high"}
    return {other.get(name, name): float(value) for name, value in vars(one).items()}
