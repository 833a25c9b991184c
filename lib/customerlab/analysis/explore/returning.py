"""Customers over time: new against returning, the time to the next order, monthly cohorts and what stays of them."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.explore.trading import calendar_months, first_of, month_number, totals
from customerlab.analysis.inference import enough, kaplan_meier, too_few


def active_months(transactions: ir.Table) -> ir.Table:
    """One row a customer and month with an order: `month`, `first` (the customer's first month), `revenue`.

    Months are numbers, as `month_number` gives them. Still an expression.
    """
    t = transactions
    active = t.group_by("customer_id", month=month_number(t.ordered_at)).aggregate(revenue=t.amount.sum())
    return active.mutate(first=active.month.min().over(ibis.window(group_by="customer_id")))


def new_and_returning(transactions: ir.Table) -> pd.DataFrame:
    """Customers and money by month, from customers who are new and from those who have ordered before.

    A customer is new in the month of the first order in the log. A log that begins within a shop's life does not show
    earlier orders, so that in its first months many old customers look new.

    Returns
    -------
    DataFrame
        `month`, `new`, `returning` (customers), `new_revenue`, `returning_revenue`, `days` and `partial`, as in
        `by_month`; months without an order are included.
    """
    active = active_months(transactions)
    counted = (
        active.group_by("month", new=active.month == active["first"])
        .aggregate(customers=active.count(), revenue=active.revenue.sum().cast("float64"))
        .to_pandas()
    )
    span = totals(transactions)
    months = calendar_months(span["first"], span["last"])
    counted["kind"] = np.where(counted["new"], "new", "returning")
    counted["month"] = first_of(counted["month"])
    table = pd.DataFrame(index=months.index)
    for measure, ending in (("customers", ""), ("revenue", "_revenue")):
        wide = counted.pivot(index="month", columns="kind", values=measure).reindex(months.index)
        for kind in ("new", "returning"):
            table[kind + ending] = wide[kind].fillna(0) if kind in wide else 0
    return table.astype({"new": "int64", "returning": "int64"}).join(months).reset_index()


def waits(transactions: ir.Table) -> ir.Table:
    """How long each order day waited for the next one of its customer: one row a customer and order day.

    Several orders on one day are one occasion, so that a wait that ended took at least one day; an order is on the day
    of its first line.

    Returns
    -------
    ibis Table
        `customer_id`, `first` (whether it is the customer's first order day in the log), `days` to the next order day,
        or to the last day of the log, and `ended` (whether there was a next one). Still an expression.
    """
    t = transactions
    orders = t.group_by("customer_id", "order_id").aggregate(at=t.ordered_at.min())
    occasions = orders.select("customer_id", day=orders["at"].date()).distinct()
    last = totals(t)["last"]
    of_customer = ibis.window(group_by="customer_id", order_by=occasions.day)
    found = occasions.mutate(next=occasions.day.lead().over(of_customer), place=ibis.row_number().over(of_customer))
    until = found.next.fill_null(ibis.date(last.year, last.month, last.day))
    return found.select(
        "customer_id", first=found.place == 0, days=until.delta(found.day, unit="day"), ended=~found.next.isnull()
    )


def gaps(transactions: ir.Table) -> ir.Table:
    """The days between the order days of a customer: `customer_id` and `days`, of the `waits` that ended.

    Only gaps that end within the log are seen, so that long ones are missing more often than short ones:
    `repurchase` corrects for that. Still an expression.
    """
    found = waits(transactions)
    return found.filter(found.ended).select("customer_id", "days")


@dataclass(frozen=True)
class Repurchase:
    """The share of customers who order again by so many days, corrected for the end of the log.

    Attributes
    ----------
    after_first, after_any : DataFrame
        As `inference.kaplan_meier` returns it, of the customers' first order days and of all order days.
    rates : DataFrame
        One row for each of the days asked for: `days`; `after_first` with its interval `low` to `high`; `after_any`;
        and `observed`, the share of the gaps that ended within the log. Empty where the log does not follow enough
        order days for so long, or too few were followed by another.
    customers, order_days, gaps : int
        How many there are of each.
    """

    after_first: pd.DataFrame
    after_any: pd.DataFrame
    rates: pd.DataFrame
    customers: int
    order_days: int
    gaps: int

    def __repr__(self) -> str:
        return f"Repurchase({self.customers:,} customers, {self.order_days:,} order days, {self.gaps:,} gaps)"


def repurchase(transactions: ir.Table, days: tuple[int, ...] = (30, 60, 90, 180)) -> Repurchase:
    """How many order again, and when? Repurchase rates by Kaplan and Meier (1958).

    Who ordered shortly before the end of the log had little time to order again: such order days count as followed
    until the last day of the log. The interval is of first orders only, one a customer: order days of one customer are
    not independent.

    Parameters
    ----------
    transactions : ibis Table
    days : tuple of int
    """
    found = waits(transactions)
    counted = found.group_by("first", "days", "ended").aggregate(n=found.count()).to_pandas()
    counted = counted.sort_values(["first", "days", "ended"], ignore_index=True)
    each = counted.loc[counted.index.repeat(counted["n"])]
    first, ended = each[each["first"]], each[each["ended"]]
    after_first, after_any = (kaplan_meier(part["days"], part["ended"]) for part in (first, each))
    rows = []
    for day in days:
        share, low, high = _by(day, after_first, first)
        observed = (ended["days"] <= day).mean() if enough(len(ended)) else np.nan
        rows.append((day, share, low, high, _by(day, after_any, each)[0], observed))
    rates = pd.DataFrame(rows, columns=["days", "after_first", "low", "high", "after_any", "observed"])
    return Repurchase(after_first, after_any, rates, len(first), len(each), len(ended))


def _by(day: int, table: pd.DataFrame, followed: pd.DataFrame) -> tuple[float, float, float]:
    """The share that have ordered again by a day, and its interval; empty where too few are followed for so long."""
    steps = table[table["days"] <= day]
    if not enough(steps["ended"].sum(), (followed["days"] >= day).sum()):
        return np.nan, np.nan, np.nan
    return tuple(steps[["share", "low", "high"]].iloc[-1])


def rates_in_words(found: Repurchase) -> str:
    """The repurchase rates as a finding says them, or that there are too few to tell.

    Examples
    --------
    >>> rates = pd.DataFrame({"days": [30], "after_first": [0.2], "low": [0.17], "high": [0.24], "after_any": [np.nan]})
    >>> rates_in_words(Repurchase(None, None, rates, customers=400, order_days=700, gaps=19))
    '20% (17% to 24%) within 30 days of a first order; after any order day too few to tell (19 repeat order days)'
    """
    few = too_few(found.gaps, "repeat order days")
    first = [
        f"{row.after_first:.0%} ({row.low:.0%} to {row.high:.0%}) within {row.days}"
        for row in found.rates.dropna(subset="after_first").itertuples()
    ]
    every = [f"{row.after_any:.0%} within {row.days}" for row in found.rates.dropna(subset="after_any").itertuples()]
    after_first = f"{', '.join(first)} days of a first order" if first else f"after a first order {few}"
    after_any = f"{', '.join(every)} days of any order day" if every else f"after any order day {few}"
    return f"{after_first}; {after_any}"


@dataclass(frozen=True)
class Cohorts:
    """Customers by the month of their first order, and what they did in the months after.

    Attributes
    ----------
    sizes : DataFrame
        `cohort` (month), `customers`, `revenue` (of that month).
    customers : DataFrame
        One row a cohort, one column for each number of months since: the share of its customers who ordered then.
    revenue : DataFrame
        The same for money: what the cohort spent then, as a share of what it spent in its first month; empty where that
        is not above zero.
    partial : DataFrame of bool
        True where the calendar month of the cell is one that the log covers only in part.
    average : DataFrame
        `months` since the first order, `cohorts`, `customers` and `revenue` (shares, of the cohorts taken together).
        Cells of partial months do not count, nor does the first cohort, which holds older customers, nor, for money, a
        cohort whose first month is partial.
    money : float
        What all cells add up to.

    In all grids, cells that the log has not reached are empty; months that it has reached without an order are zero.
    """

    sizes: pd.DataFrame
    customers: pd.DataFrame
    revenue: pd.DataFrame
    partial: pd.DataFrame
    average: pd.DataFrame
    money: float

    def __repr__(self) -> str:
        return f"Cohorts({len(self.sizes)} cohorts, {self.sizes['customers'].sum():,} customers)"


def cohorts(transactions: ir.Table) -> Cohorts:
    """Monthly cohorts and their retention, in customers and in money.

    A month without a new customer has no cohort.
    """
    active = active_months(transactions)
    counted = (
        active.group_by("first", age=active.month - active["first"])
        .aggregate(customers=active.count(), revenue=active.revenue.sum().cast("float64"))
        .to_pandas()
    )
    span = totals(transactions)
    months = calendar_months(span["first"], span["last"])
    grids = {}
    for measure in ("customers", "revenue"):
        grid = counted.pivot(index="first", columns="age", values=measure).sort_index()
        grids[measure] = grid.reindex(columns=range(len(months))).rename_axis(columns="months")
    place = months.index.get_indexer(first_of(grids["customers"].index))
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
    )


def _average(seen: dict[str, pd.DataFrame], partial: pd.DataFrame) -> pd.DataFrame:
    """Retention of all cohorts but the first taken together, month for month over those that have reached it."""
    counts = seen["customers"].notna() & ~partial
    counts.iloc[:1] = False
    table = pd.DataFrame({"cohorts": counts.sum()})
    for measure, grid in seen.items():
        used = counts if measure == "customers" else counts.mul(~partial[0], axis=0)
        base = used.mul(grid[0], axis=0).sum()
        table[measure] = grid.where(used).sum() / base.where(base > 0)
    return table[table["cohorts"] > 0].reset_index()
