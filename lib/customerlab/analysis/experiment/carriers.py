"""How many units have an outcome, and how much of it a single one makes: whether there is enough to conclude."""

from collections.abc import Sequence

import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.inference import enough, influence, too_few
from customerlab.data.tables import OUTCOME


def carried(experiment: Units, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Units with an outcome, and the largest one's share, by metric and arm.

    Columns: `metric`, `variant`, `units`, `outcomes` (units whose value is not zero; of a ratio of outcomes, those with
    anything below the line) and `largest`, the share of the arm's sum of absolute values that one unit makes; NaN where
    all are zero.

    Examples
    --------
    >>> import ibis
    >>> units = ibis.memtable({"variant": ["a", "a", "a", "b"], "outcome_spend": [0.0, 6.0, -2.0, 0.0]})
    >>> carried(units, [Metric("spend", "outcome_spend")])[["units", "outcomes", "largest"]].values.tolist()
    [[3.0, 2.0, 0.75], [1.0, 0.0, nan]]
    """
    units = Measured.of(experiment)
    parts = []
    for metric in metrics:
        own = units.facts(OUTCOME)[metric.above]
        part = pd.DataFrame({"metric": metric.name, "variant": own.index, "units": units.sizes.to_numpy()})
        part["outcomes"] = units.facts(OUTCOME)[metric.counted]["some"].astype("int64").to_numpy()
        parts.append(part.assign(largest=(own["most"] / own["whole"].where(own["whole"] > 0)).to_numpy()))
    return pd.concat(parts, ignore_index=True)


def fewness(outcomes: Sequence[float], units: Sequence[float], what: str, *, proportion: bool = False) -> str:
    """What replaces a comparison of arms without `enough` outcomes; empty where there are enough.

    The smallest arm has to have enough outcomes under no effect, at the rate of all arms together: a treatment that
    prevents all of many outcomes is still tested. Of a proportion, both the units with the outcome and those without
    have to be enough. `outcomes` and `units` are those of each arm.

    Examples
    --------
    >>> fewness([3, 9], [500, 500], "spend"), fewness([0, 400], [900, 900], "spend")
    ('too few to tell (12 units with spend in these arms)', '')
    """
    some, whole = sum(outcomes), sum(units)
    word, number = ("without", whole - some) if proportion and whole - some < some else ("with", some)
    if whole and enough(number * min(units) / whole):
        return ""
    return too_few(number, f"unit{'s' * (number != 1)} {word} {what} in these arms")


def influential(found: pd.DataFrame, metrics: Sequence[Metric]) -> list[str]:
    """Sentences for the means (of `carried`) of which one unit makes a tenth or more; proportions are left out."""
    said = []
    for name in [metric.name for metric in metrics if not (metric.proportion or metric.ratio)]:
        rows = found[(found["metric"] == name) & (found["outcomes"] > 0)].to_dict("records")
        flagged = [f"in {row['variant']} {words}" for row in rows if (words := influence(row["largest"], "unit"))]
        said += [f"{name} depends on single units: {'; '.join(flagged)}."] if flagged else []
    return said
