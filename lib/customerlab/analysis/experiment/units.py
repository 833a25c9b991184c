"""The units of a test: when they joined it, and the assigned units where rows are finer."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.experiment.measured import TIMES, Measured, Units
from customerlab.analysis.experiment.stats import number_of
from customerlab.data.tables import COVARIATE, OUTCOME
from customerlab.errors import DataError

SIZE = "size"  # of what was assigned: how many units it has
SET_ASIDE = 0.01  # of what was assigned that may be in several arms: set aside, and no reason to stop


def first_day(experiment: ir.Table) -> pd.Timestamp | None:
    """The day on which the first unit was assigned, or exposed; None where no unit has a time."""
    names = [name for name in TIMES if name in experiment.columns]
    if not names:
        return None
    row = experiment.aggregate(**{name: experiment[name].min() for name in names}).to_pandas().iloc[0].dropna()
    return min(pd.Timestamp(value).normalize() for value in row) if len(row) else None


def in_one_arm(experiment: Units) -> tuple[ir.Table, int, int]:
    """The table without the units that were assigned to several arms, where these are a small share.

    The effect on a unit in two arms is undefined. A few, such as customers with two accounts, cannot change a result;
    many are a fault of the assignment, which excluding them would hide. They are excluded if they are at most
    `SET_ASIDE` of all assigned units (`assigned_id`, or else `unit_id`). The numbers are those of excluded and of all
    assigned units.

    Examples
    --------
    >>> table = ibis.memtable({"unit_id": [f"{i}" for i in range(200)] + ["7"], "variant": ["a", "b"] * 100 + ["a"]})
    >>> kept, aside, assigned = in_one_arm(table)
    >>> kept.count().execute(), aside, assigned
    (199, 1, 200)
    """
    units = Measured.of(experiment)
    experiment = units.table
    name = "assigned_id" if "assigned_id" in experiment.columns else "unit_id"
    aside, assigned = (int(units.by_value[what][name]) for what in ("mixed", "values"))
    if not 0 < aside <= SET_ASIDE * assigned:
        return experiment, 0, assigned
    by_id = experiment.group_by(name).aggregate(arms=experiment.variant.nunique())
    several = by_id.filter(by_id.arms > 1)
    return experiment.anti_join(several.select(name), name), aside, assigned


def by_assigned(experiment: ir.Table) -> ir.Table:
    """One row per assigned unit (`assigned_id`), where rows are finer, such as visits of customers.

    Standard errors have to count assigned units: two visits of one customer are not independent. A mean over rows is
    then the ratio of two sums over assigned units, of the outcome and of `size`, whose error by the delta method is the
    cluster-robust one.

    Returns
    -------
    ibis Table
        Canonical, with `size` (units). `unit_id` is what was assigned; one that is in two arms has a row in each.
        Outcomes are summed; missing where one is. Covariates that are numbers are means, others the label that all
        units share; missing where one is, or where they differ. Times are the first ones.

    Raises
    ------
    DataError
        If a unit of one `assigned_id` has two rows, as where session numbers begin anew with every customer.

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
    counts = {"rows": experiment.count(), "arms": experiment.variant.nunique()}
    by_unit = experiment.group_by("assigned_id", "unit_id").aggregate(**counts)
    twice = by_unit.filter(by_unit.rows > 1).order_by("unit_id", "assigned_id").limit(1).to_pandas()
    if len(twice):
        name, rows, arms = twice.iloc[0][["unit_id", "rows", "arms"]]
        raise DataError(
            f"the unit {name!r} has {rows} rows in {arms} arm{'s' if arms > 1 else ''}", where="table experiment",
            expected="one row per unit, each with its assigned_id",
            do="list `exact_repeat` under `clean:` where the rows are alike, or write `unit_id: {row_number: true}` where each "
            "is a unit; a unit in two arms is a fault of the assignment, which no choice of a row fixes",
        )  # fmt: skip
    facts = Measured(experiment).facts(COVARIATE)
    columns: dict[str, ir.Scalar] = {SIZE: experiment.count().cast("float64")}
    for name in experiment.columns:
        column = experiment[name]
        whole = column.count() == experiment.count()
        if name.startswith(OUTCOME):
            columns[name] = ibis.cases((whole, column.cast("float64").sum()))
        elif name in TIMES:
            columns[name] = column.min()
        elif name in facts and facts[name]["known"].sum() > facts[name]["numbers"].sum():
            columns[name] = ibis.cases((whole & (column.min() == column.max()), column.min()))
        elif name in facts:
            columns[name] = ibis.cases((whole, number_of(experiment, name).mean().cast("string")))
    return experiment.group_by(unit_id=experiment.assigned_id, variant=experiment.variant).aggregate(**columns)
