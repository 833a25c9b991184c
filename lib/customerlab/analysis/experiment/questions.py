"""The options of a test, from its table and from short texts: metrics, guardrails, segments, the planned split."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.stats import number_of, spoken
from customerlab.analysis.experiment.units import SIZE
from customerlab.analysis.inference import LEAST, enough
from customerlab.data.tables import COVARIATE, OUTCOME
from customerlab.errors import ParameterError

BANDS = 4  # of about equally many units, for a covariate of many numbers
MOST_ARMS = 6  # that figures, sequences and models are made of
MOST_NUMBERS, MOST_LABELS = 6, 12  # different values of a covariate that are segments as they are


def named_numbers(texts: Sequence[str], what: str) -> dict[str, float]:
    """Names with numbers, such as the weights of arms; `what` is how an error names them.

    ParameterError if a text has another form, a number is not above zero, or a name is there twice.

    Examples
    --------
    >>> named_numbers(["control: 9", "new: 1"], "planned_split")
    {'control': 9.0, 'new': 1.0}
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = (part.strip() for part in text.rpartition(":"))
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not name or not 0 < value < float("inf") or name in found:
            form = "NAME: NUMBER, the number above zero, each name once, such as 'control: 9'"
            raise ParameterError(f"{text!r} in {what}", expected=form)
        found[name] = value
    return found


def metrics_of(experiment: Units, ratios: Sequence[str] = (), less_is_better: Sequence[str] = ()) -> list[Metric]:
    """Every outcome, in the order of the table, then the ratios of two of them.

    An outcome that is zero or one for every unit is a proportion. In a table by what was assigned (`by_assigned`) each
    is a ratio, of its sum to the units. Ratios are those of the means; those of `ratios_left_out` are left out.
    ParameterError if a ratio has another form, or a name of `less_is_better` is no metric's.

    Examples
    --------
    >>> units = ibis.memtable({"variant": ["a", "b"], "outcome_visit": [0.0, 1.0], "outcome_spend": [0.0, 9.5]})
    >>> [(metric.name, metric.proportion) for metric in metrics_of(units, ["spend / visit", "spend / order"])]
    [('visit', True), ('spend', False)]
    """
    units = Measured.of(experiment)
    size, facts = SIZE if SIZE in units.table.columns else None, units.facts(OUTCOME)
    metrics = [
        Metric(spoken(name), name, size, proportion=size is None and not facts[name]["other"].sum())
        for name in units.columns(OUTCOME)
    ]
    lacking = ratios_left_out(units, ratios)
    for text in [one for one in ratios if one not in lacking]:
        above, below = _parts(text)
        metrics.append(Metric(f"{above} / {below}", OUTCOME + above, OUTCOME + below))
    falling = [chosen(metrics, name, "less_is_better") for name in less_is_better]
    return [replace(metric, less_is_better=metric in falling) for metric in metrics]


def ratios_left_out(experiment: Units, ratios: Sequence[str]) -> dict[str, str]:
    """Why some ratios, such as "spend / conversion", are left out: the reason, a clause, by the ratio.

    The delta method assumes that the denominator is nearly normal. With few units in it the standard error is far too
    small: with two converters per arm, a third of tests without an effect would have a p-value below .05.
    """
    units, why = Measured.of(experiment), {}
    for text in ratios:
        above, below = _parts(text)
        if not {OUTCOME + above, OUTCOME + below} <= set(units.columns(OUTCOME)):
            why[text] = "the test lacks one of its outcomes"
            continue
        if units.summed:
            why[text] = "totals do not say how the two outcomes vary together"
            continue
        fewest = units.facts(OUTCOME)[OUTCOME + below]["some"].min()
        if not enough(fewest):
            why[text] = f"only {fewest:,.0f} units of an arm have any {below}, at least {LEAST} are needed"
    return why


def _parts(ratio: str) -> tuple[str, str]:
    above, _, below = (part.strip() for part in ratio.partition(" / "))
    if not (above and below):
        raise ParameterError(f"{ratio!r} is no ratio", expected="two outcomes, such as 'spend / conversion'")
    return above, below


def chosen(metrics: Sequence[Metric], name: str, what: str) -> Metric:
    """The metric of a name; ParameterError if there is none."""
    by_name = {metric.name: metric for metric in metrics}
    if name not in by_name:
        raise ParameterError(f"{what}: {name!r}", expected=f"one of {', '.join(by_name)}")
    return by_name[name]


def leading(effects: pd.DataFrame, metric: str) -> list[str]:
    """The arms for figures and models: all in which the metric varies, at most the six with the smallest p-values."""
    rows = effects[(effects["metric"] == metric) & (effects["error"] > 0)]
    return sorted(rows.sort_values(["pvalue", "variant"]).head(MOST_ARMS)["variant"])


def guarded(metrics: Sequence[Metric], allowed: Mapping[str, float]) -> list[Metric]:
    """The guardrail metrics, with their acceptable relative loss; ParameterError for a share of one or more."""
    if allowed and max(allowed.values()) >= 1:
        most = max(allowed.values())
        raise ParameterError(f"a guardrail of {most:g}", expected="a share below 1, such as 'visit: 0.02'")
    return [replace(chosen(metrics, name, "guardrails"), allowed_loss=share) for name, share in allowed.items()]


def numeric_covariates(experiment: Units) -> list[str]:
    """The covariates that are a finite number for every unit."""
    return [name for name, facts in Measured.of(experiment).facts(COVARIATE).items() if not facts["wrong"].sum()]


def segments_of(experiment: Units, wanted: Sequence[str] = ()) -> tuple[Measured, list[str]]:
    """The units with their segments, from covariates; and the names of the segments.

    Each has a column named like its covariate: its values, or, of more than six numbers, four bands of about equally
    many units, each with its upper end. ParameterError if there is no such covariate.

    Parameters
    ----------
    wanted : sequence of str
        Covariates by their names. By default all but those of more than twelve labels. One that is the same for every
        unit is left out.
    """
    units = Measured.of(experiment)
    names = [spoken(name) for name in units.columns(COVARIATE)]
    if unknown := [name for name in wanted if name not in names]:
        there = f"covariates of the test: {', '.join(names) or 'it has none'}"
        raise ParameterError(f"segment_by: {unknown[0]!r}", expected=there)
    found: dict[str, ir.Value] = {}
    banded: dict[str, str] = {}
    order: list[str] = []
    for name in wanted or names:
        counts = units.facts(COVARIATE)[COVARIATE + name].sum()
        values = int(units.by_value["values"][COVARIATE + name])
        words = counts["known"] > counts["numbers"]
        if values + (counts["known"] < units.sizes.sum()) < 2:
            continue
        label = name if name not in units.table.columns else f"{name} (covariate)"
        column = units.table[COVARIATE + name]
        if not words and values > MOST_NUMBERS:
            banded[label] = COVARIATE + name
        elif not words and not counts["broken"]:
            found[label] = number_of(units.table, column).cast("int64").cast("string")
        elif values <= MOST_LABELS or wanted:
            found[label] = column.cast("string")
        order += [label] if label in found or label in banded else []
    found |= _bands(units.table, banded)
    return units.with_columns({label: found[label] for label in order}), order


def _bands(table: ir.Table, columns: Mapping[str, str]) -> dict[str, ir.StringValue]:
    """Each column in bands of about equally many units, from one query."""
    if not columns:
        return {}
    shares = [place / BANDS for place in range(1, BANDS)]
    numbers = {label: number_of(table, column) for label, column in columns.items()}
    every = [number.quantile(share) for number in numbers.values() for share in shares]
    row = (
        table.aggregate(**{f"q{place}": quantile for place, quantile in enumerate(every)})
        .to_pandas()
        .iloc[0]
        .to_numpy(dtype=float)
        .reshape(len(columns), -1)
    )
    return {label: _band(number, ends) for (label, number), ends in zip(numbers.items(), row, strict=True)}


def _band(number: ir.NumericValue, ends: np.ndarray) -> ir.StringValue:
    cuts = sorted({float(f"{value:.4g}") for value in ends})
    labels = [f"1) up to {cuts[0]:,g}"]
    labels += [f"{place}) above {low:,g}, up to {high:,g}" for place, (low, high) in enumerate(pairwise(cuts), 2)]
    last = f"{len(cuts) + 1}) above {cuts[-1]:,g}"
    steps = [(number <= cut, label) for cut, label in zip(cuts, labels, strict=True)]
    return ibis.cases((number.isnull(), ibis.null("string")), *steps, else_=last)
