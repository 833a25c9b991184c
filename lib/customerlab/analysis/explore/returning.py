"""Customers over time: new and returning customers, and retention of monthly cohorts."""

from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.disclosure import hidden, suppressed
from customerlab.analysis.explore.periods import calendar, first_of, number_of
from customerlab.analysis.explore.trading import span_of


def active_months(transactions: ir.Table, every: str = "month") -> ir.Table:
    """One row per customer and month with an order: `month`, `first` (the customer's first month), `revenue`.

    Months are numbers, as from `number_of`. An expression.
    """
    t = transactions
    active = t.group_by("customer_id", month=number_of(t.ordered_at, every)).aggregate(revenue=t.amount.sum())
    return active.mutate(first=active.month.min().over(ibis.window(group_by="customer_id")))


def new_and_returning(transactions: ir.Table, every: str = "month") -> pd.DataFrame:
    """New and returning customers, and their revenue, by month, or by another unit of time as in `by_month`.

    A customer is new in the month of the first order in the log. If the log begins after the shop opened, many existing
    customers look new in its first months.

    Returns
    -------
    DataFrame
        `month`, `new`, `returning` (customers), `new_revenue`, `returning_revenue`, `days` and `partial`, as in
        `by_month`; months without an order are included.
    """
    active = active_months(transactions, every)
    groups = active.group_by("month", new=active.month == active["first"])
    counted = groups.aggregate(customers=active.count(), revenue=active.revenue.sum().cast("float64")).to_pandas()
    months = calendar(*span_of(transactions), every)
    counted["kind"] = np.where(counted["new"], "new", "returning")
    counted["month"] = first_of(counted["month"], every)
    table = pd.DataFrame(index=months.index)
    for measure, ending in (("customers", ""), ("revenue", "_revenue")):
        wide = counted.pivot(index="month", columns="kind", values=measure).reindex(months.index)
        for kind in ("new", "returning"):
            table[kind + ending] = wide[kind].fillna(0) if kind in wide else 0
    return table.astype({"new": "int64", "returning": "int64"}).join(months).reset_index()


def suppress_small(table: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """The table of `new_and_returning` without numbers of small groups; the total of new customers may be known."""
    few = {"new": hidden(table["new"], smallest), "returning": table["returning"].between(1, smallest - 1).to_numpy()}
    gone = {f"{kind}{ending}": rows for kind, rows in few.items() for ending in ("", "_revenue")}
    return table.assign(**{name: np.where(rows, np.nan, table[name]) for name, rows in gone.items()})


@dataclass(frozen=True)
class Cohorts:
    """Monthly cohorts: customers by the month of their first order, and their activity afterwards.

    In all grids, cells after the end of the log are missing; months without an order are zero.

    Attributes
    ----------
    sizes : DataFrame
        `cohort` (month), `customers`, `revenue` (of that month).
    customers, revenue : DataFrame
        One row per cohort, one column per number of months since the first order: the share of its customers who
        ordered, and its revenue as a share of its first month's revenue (missing if that is not above zero).
    partial : DataFrame of bool
        True for cells in incomplete calendar months.
    average : DataFrame
        `months` since the first order, `cohorts`, `customers` and `revenue` (shares, of all cohorts together). Without
        incomplete months, without the first cohort, which includes existing customers, and for revenue without cohorts
        whose first month is incomplete.
    money : float
        The total revenue of all cells.
    every : str
        The unit of time, if it is not the month.
    """

    sizes: pd.DataFrame
    customers: pd.DataFrame
    revenue: pd.DataFrame
    partial: pd.DataFrame
    average: pd.DataFrame
    money: float
    every: str = "month"

    def __repr__(self) -> str:
        return f"Cohorts({len(self.sizes)} cohorts, {self.sizes['customers'].sum():,} customers)"

    def shown(self, smallest: int) -> "Cohorts":
        """The same without numbers of small groups: cohorts that are `disclosure.hidden`, and small cells."""
        people = self.sizes["customers"].to_numpy()
        counts = self.customers.mul(people, axis=0).round()
        few = hidden(people, smallest)[:, None] | (counts < smallest) & (self.customers > 0)
        sizes, customers, revenue = suppressed(self.sizes, smallest), self.customers.mask(few), self.revenue.mask(few)
        return replace(self, sizes=sizes, customers=customers, revenue=revenue)

    def latest(self, most: int = 30) -> "Cohorts":
        """The same with at most so many cohorts, the latest, and so many columns, as a figure has room for."""
        cut = {name: getattr(self, name).iloc[-most:, :most] for name in ("customers", "revenue", "partial")}
        return replace(self, sizes=self.sizes[-most:].reset_index(drop=True), **cut)


def cohorts(transactions: ir.Table, every: str = "month") -> Cohorts:
    """Monthly cohorts and their retention of customers and of revenue; a month without new customers has no cohort.

    `every` is another unit of time, as in `by_month`.
    """
    active = active_months(transactions, every)
    groups = active.group_by("first", age=active.month - active["first"])
    counted = groups.aggregate(customers=active.count(), revenue=active.revenue.sum().cast("float64")).to_pandas()
    months = calendar(*span_of(transactions), every)
    grids = {}
    for measure in ("customers", "revenue"):
        grid = counted.pivot(index="first", columns="age", values=measure).sort_index()
        grids[measure] = grid.reindex(columns=range(len(months))).rename_axis(columns="months")
    place = months.index.get_indexer(first_of(grids["customers"].index, every))
    then = place[:, None] + np.arange(len(months))[None, :]
    reached = then < len(months)
    index = pd.Index(months.index[place], name="cohort")
    shape = {"index": index, "columns": grids["customers"].columns}
    partial = pd.DataFrame(reached & months["partial"].to_numpy()[np.where(reached, then, 0)], **shape)
    seen = {k: pd.DataFrame(np.where(reached, g.fillna(0).to_numpy(), np.nan), **shape) for k, g in grids.items()}
    base = {k: grid[0] for k, grid in seen.items()}
    sizes = pd.DataFrame({"customers": base["customers"].astype("int64"), "revenue": base["revenue"]}).reset_index()
    return Cohorts(
        sizes=sizes,
        customers=seen["customers"].div(base["customers"], axis=0),
        revenue=seen["revenue"].div(base["revenue"].where(base["revenue"] > 0), axis=0),
        partial=partial,
        average=_average(seen, partial),
        money=float(np.nansum(seen["revenue"].to_numpy())),
        every=every,
    )


def _average(seen: dict[str, pd.DataFrame], partial: pd.DataFrame) -> pd.DataFrame:
    """Retention of all cohorts but the first together, by month, over the cohorts that have reached it."""
    counts = seen["customers"].notna() & ~partial
    counts.iloc[:1] = False
    table = pd.DataFrame({"cohorts": counts.sum()})
    for measure, grid in seen.items():
        used = counts if measure == "customers" else counts.mul(~partial[0], axis=0)
        base = used.mul(grid[0], axis=0).sum()
        table[measure] = grid.where(used).sum() / base.where(base > 0)
    return table[table["cohorts"] > 0].reset_index()
