"""Were the arms alike before the treatment?"""

from collections.abc import Sequence

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import arms_of
from customerlab.analysis.experiment.contrasts import Value, contrast
from customerlab.analysis.experiment.stats import moments, number_of, spoken
from customerlab.analysis.inference import holm
from customerlab.data.tables import COVARIATE

SAMPLE_RATIO_ALPHA = 0.001  # a sound test fails this check once in a thousand times
MOST = 20  # values of a label that are compared, the most frequent ones


def covariates_of(experiment: ir.Table) -> list[str]:
    """The columns of covariates, in the order of the table."""
    return [name for name in experiment.columns if name.startswith(COVARIATE)]


def balance(experiment: ir.Table, control: str, covariates: Sequence[str] | None = None) -> pd.DataFrame:
    """Were the arms alike before the treatment?

    Covariates whose values are all numbers are compared by their means, others by the share of each value. One that is
    missing for some units is compared too: by its absence, and over the units that have it.

    Parameters
    ----------
    experiment : ibis Table
    control : str
    covariates : sequence of str, optional
        Columns; all covariates by default.

    Returns
    -------
    DataFrame
        One row a covariate (or value of it) and arm: `covariate`, `value`, `variant`, `control_mean`, `variant_mean`,
        `smd` (the standardised mean difference: by the root of the mean of the two variances; Austin 2009), `pvalue`
        (Welch), `pvalue_holm` (over all rows), `sound`. The usual limit for the difference, 0.1, is for observational
        data; in a randomised test its size by chance depends on the number of units, and the p-value tells.
    """
    rows = []
    for name in covariates_of(experiment) if covariates is None else covariates:
        column, number = experiment[name], number_of(experiment, name)
        counts = (
            experiment.aggregate(values=column.count(), numbers=number.count(), units=experiment.count())
            .to_pandas()
            .iloc[0]
        )
        if counts["values"] < counts["units"]:
            rows += _apart(experiment, control, name, {"(missing)": column.isnull().cast("float64")})
        known = experiment.filter(~column.isnull())
        if counts["values"] and counts["values"] == counts["numbers"]:
            rows += _apart(known, control, name, {"": number_of(known, name)})
        elif counts["values"]:
            values = known.group_by(name).aggregate(n=known.count()).order_by(name).to_pandas()
            common = values.sort_values(["n", name], ascending=[False, True]).head(MOST)[name]
            rows += _apart(known, control, name, {str(v): (known[name] == v).cast("float64") for v in sorted(common)})
    table = pd.DataFrame(
        rows, columns=["covariate", "value", "variant", "control_mean", "variant_mean", "smd", "pvalue"]
    )
    table["pvalue_holm"] = holm(table["pvalue"].dropna()).reindex(table.index)
    return table.assign(sound=~(table["pvalue_holm"] < SAMPLE_RATIO_ALPHA))


def _apart(table: ir.Table, control: str, name: str, columns: dict[str, ir.NumericValue]) -> list[dict[str, object]]:
    found = moments(table, columns)
    if found.count.min() < 2 or control not in set(found.groups["variant"]) or len(found.count) < 2:
        return []
    arms = arms_of(found, control)
    place = {arm: number for number, arm in enumerate(found.groups["variant"])}
    rows: list[dict[str, object]] = []
    for number, value in enumerate(columns):
        for arm in [one for one in arms if one != control]:
            both = contrast(arms[arm], arms[control], Value(number))
            variances = found.covariance[[place[arm], place[control]], number, number]
            spread = float(np.sqrt(variances.mean()))
            rows.append(
                {
                    "covariate": spoken(name), "value": value, "variant": arm, "control_mean": float(both.control),
                    "variant_mean": float(both.treatment), "smd": float(both.effect) / spread if spread > 0 else 0.0,
                    "pvalue": float(both.pvalue),
                }
            )  # fmt: skip
    return rows
