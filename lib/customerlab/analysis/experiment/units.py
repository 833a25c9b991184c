"""The units of a test: when they joined it, and what was assigned where they are finer."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.experiment.stats import number_of
from customerlab.data.tables import COVARIATE, OUTCOME
from customerlab.errors import DataError

SIZE = "size"  # of what was assigned: how many units it has


def joined_at(experiment: ir.Table) -> ir.TimestampColumn | None:
    """When units joined the test: `assigned_at`, or else `exposed_at`; None where an arm has neither.

    Who is sent nothing may have no time of exposure, and then days of the arms cannot be compared.
    """
    for name in ("assigned_at", "exposed_at"):
        if name in experiment.columns:
            times = experiment.group_by("variant").aggregate(times=experiment[name].count()).to_pandas()["times"]
            if (times > 0).all():
                return experiment[name]
    return None


def first_day(experiment: ir.Table) -> pd.Timestamp | None:
    """The day on which the first unit was assigned, or exposed; None where no unit has a time."""
    names = [name for name in ("assigned_at", "exposed_at") if name in experiment.columns]
    if not names:
        return None
    row = experiment.aggregate(**{name: experiment[name].min() for name in names}).to_pandas().iloc[0].dropna()
    return min(pd.Timestamp(value).normalize() for value in row) if len(row) else None


def by_assigned(experiment: ir.Table) -> ir.Table:
    """One row for each thing that was assigned, where units are finer, such as visits of customers.

    Errors have to count what was assigned: two visits of one customer are no two draws. A mean over units is then the
    ratio of two sums over what was assigned, the outcome's and `size`'s, whose error by the delta method is the
    cluster-robust one.

    Parameters
    ----------
    experiment : ibis Table
        Canonical. Without `assigned_id`, units are what was assigned, and the table is returned as it is.

    Returns
    -------
    ibis Table
        Canonical, with `size` (units). `unit_id` is what was assigned; one that is in two arms has a row in each.
        Outcomes are summed; missing where one is. Covariates that are numbers are means, others the label that all
        units share; missing where one is, or where they differ. Times are the first ones.

    Raises
    ------
    DataError
        If a unit has two rows, which would count it twice.

    Examples
    --------
    >>> visits = ibis.memtable({
    ...     "unit_id": ["1", "2", "3"], "assigned_id": ["ann", "ann", "bob"], "variant": ["a", "a", "b"],
    ...     "outcome_spend": [5.0, 0.0, 2.0], "covariate_age": ["30", "30", "41"],
    ... })
    >>> by_assigned(visits).order_by("unit_id").to_pandas().to_dict("records")[0]
    {'unit_id': 'ann', 'variant': 'a', 'size': 2.0, 'outcome_spend': 5.0, 'covariate_age': '30.0'}
    """
    if "assigned_id" not in experiment.columns:
        return experiment
    by_unit = experiment.group_by("unit_id").aggregate(rows=experiment.count(), arms=experiment.variant.nunique())
    twice = by_unit.filter(by_unit.rows > 1).order_by("unit_id").limit(1).to_pandas()
    if len(twice):
        name, rows, arms = twice.iloc[0][["unit_id", "rows", "arms"]]
        raise DataError(
            f"the unit {name!r} has {rows} rows in {arms} arm{'s' if arms > 1 else ''}", where="table experiment",
            expected="one row a unit, each with its assigned_id",
            do="remove rows that are the same; a unit in two arms is a fault of the assignment, which no choice of a row mends",
        )  # fmt: skip
    covariates = [name for name in experiment.columns if name.startswith(COVARIATE)]
    words = {
        f"words{place}": (~experiment[name].isnull() & number_of(experiment, name).isnull()).sum()
        for place, name in enumerate(covariates)
    }
    worded = experiment.aggregate(**words).to_pandas().fillna(0).iloc[0].to_numpy() > 0 if words else []
    columns: dict[str, ir.Scalar] = {SIZE: experiment.count().cast("float64")}
    for name in experiment.columns:
        column = experiment[name]
        whole = column.count() == experiment.count()
        if name.startswith(OUTCOME):
            columns[name] = ibis.cases((whole, column.cast("float64").sum()))
        elif name in ("assigned_at", "exposed_at"):
            columns[name] = column.min()
    for name, word in zip(covariates, worded, strict=True):
        column, number = experiment[name], number_of(experiment, name)
        whole = column.count() == experiment.count()
        value = column.min() if word else number.mean().cast("string")
        columns[name] = ibis.cases((whole & (column.min() == column.max()) if word else whole, value))
    return experiment.group_by(unit_id=experiment.assigned_id, variant=experiment.variant).aggregate(**columns)
