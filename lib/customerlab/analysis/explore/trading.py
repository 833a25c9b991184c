"""Trading over time: size of the log, months, weekdays and hours, seasons."""

import calendar
from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.explore.periods import calendar as periods_of, first_of, number_of
from customerlab.analysis.inference import influence

WEEKDAYS = tuple(calendar.day_name)  # Monday first


def products_of(t: ir.Table) -> dict[str, ir.IntegerScalar]:
    """The number of different products, where a log names any."""
    return {"products": t.product_id.nunique()} if "product_id" in t.columns else {}


def totals(transactions: ir.Table) -> pd.Series:
    """The size of a log: `lines`, `orders`, `customers`, `products` where it names any, `revenue`, `first`, `last`."""
    t = transactions
    row = t.aggregate(
        lines=t.count(),
        orders=t.order_id.nunique(),
        customers=t.customer_id.nunique(),
        **products_of(t),
        revenue=t.amount.sum().cast("float64"),
        first=t.ordered_at.min(),
        last=t.ordered_at.max(),
    ).to_pandas()
    return row.iloc[0]


def span_of(table: ir.Table) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The times of the first and the last order."""
    found = table.aggregate(first=table.ordered_at.min(), last=table.ordered_at.max()).to_pandas().iloc[0]
    return found["first"], found["last"]


def missing_values(report: Mapping[str, Any]) -> pd.DataFrame:
    """Missing values by column, from the report of a table (`Run.source`).

    Returns
    -------
    DataFrame
        `column`, `missing` (of the rows read) with its `share`, `missing_kept` (of the rows that cleaning kept) with
        its `share_kept`; the columns with most missing values first.

    Examples
    --------
    >>> steps = [{"rows_left": 10}, {"rows_left": 8}]
    >>> counts = [{"column": "order_id", "of_read": 0, "of_kept": 0}, {"column": "country", "of_read": 3, "of_kept": 2}]
    >>> missing_values({"row_accounting": steps, "missing": counts}).values.tolist()
    [['country', 3, 0.3, 2, 0.25], ['order_id', 0, 0.0, 0, 0.0]]
    """
    read, kept = (max(1, report["row_accounting"][place]["rows_left"]) for place in (0, -1))
    rows = [
        (row["column"], row["of_read"], row["of_read"] / read, row["of_kept"], row["of_kept"] / kept)
        for row in report["missing"]
    ]
    table = pd.DataFrame(rows, columns=["column", "missing", "share", "missing_kept", "share_kept"])
    return table.sort_values("missing", ascending=False, kind="stable", ignore_index=True)


def repeats(transactions: ir.Table) -> pd.Series:
    """Lines that repeat another line in every column: entered twice, or pieces entered one by one.

    `lines` (without the first of each) and their `money`.
    """
    t = transactions
    each = t.group_by(t.columns).aggregate(lines=t.count() - 1)
    each = each.filter(each.lines > 0)
    money = (each.amount * each.lines.cast("decimal(18, 0)")).sum().cast("float64")
    return each.aggregate(lines=each.lines.sum(), money=money).to_pandas().astype(float).fillna(0).iloc[0]


def largest_share(log: ir.Table, unit: str, by: str | None = None) -> pd.Series:
    """The share of revenue of the largest customer, order or product.

    As `inference.largest_share`, computed in the engine. If the share is large, the sum depends on one unit.

    Parameters
    ----------
    log : ibis Table
        Of sales, or of sales and returns as `sales.net` makes it.
    unit, by : str
        Columns: the unit, such as ``customer_id``, and the group of each line; by default one group, ``all``.

    Returns
    -------
    Series
        By group, as a share of the sum of the units' absolute amounts; missing if that is zero.

    Examples
    --------
    >>> rows = {"customer_id": ["a", "b", "b"], "country": ["UK", "UK", "EIRE"], "amount": [1.0, 3.0, 2.0]}
    >>> largest_share(ibis.memtable(rows), "customer_id", "country").to_dict()
    {'EIRE': 1.0, 'UK': 0.75}
    """
    log = log.filter(~log[unit].isnull())  # a return may name no product
    log = log.mutate(group=ibis.literal("all") if by is None else log[by])
    each = log.group_by("group", unit).aggregate(size=log.amount.sum())
    each = each.mutate(size=each["size"].abs())
    most, total = (sums.cast("float64") for sums in (each["size"].max(), each["size"].sum()))
    found = each.group_by("group").aggregate(most=most, total=total)
    table = found.to_pandas().set_index("group").sort_index()
    return (table["most"] / table["total"].where(table["total"] > 0)).rename(None).rename_axis(by)


def with_notes(table: pd.DataFrame) -> pd.DataFrame:
    """A table with a `note` by `inference.influence` in place of `largest_customer`."""
    notes = [influence(share, "customer") for share in table["largest_customer"]]
    return table.drop(columns="largest_customer").assign(note=notes)


def exact_sum(quantity: ir.NumericValue) -> ir.FloatingValue:
    """The sum of quantities to four decimals, the same for any order of rows, also for weights."""
    return quantity.cast("decimal(18, 4)").sum().cast("float64")


def by_month(transactions: ir.Table, returns: ir.Table | None = None, every: str = "month") -> pd.DataFrame:
    """Trading by calendar month, months without an order included; without returns net revenue is gross revenue.

    `every` is another unit of time where the log is too short or too long for months (`fitting`); columns are the same.

    Returns
    -------
    DataFrame
        `month` (its first day), `revenue` (gross), `orders`, `customers`, `days` (days of the month in the log),
        `partial` (whether the month is incomplete: the log begins or ends within it), `net` (net revenue: a return that
        annuls a line counts in the month of that line, others in their own month, or in the first or last month of
        sales if theirs is outside) and `largest_customer` (the largest customer's share of net revenue, as in
        `largest_share`).
    """
    t = transactions
    money, orders, customers = t.amount.sum().cast("float64"), t.order_id.nunique(), t.customer_id.nunique()
    groups = t.group_by(month=number_of(t.ordered_at, every))
    counted = groups.aggregate(revenue=money, orders=orders, customers=customers).to_pandas()
    months = periods_of(*span_of(t), every)
    ends = counted["month"].min(), counted["month"].max()
    counted.index = first_of(counted.pop("month"), every)
    table = counted.reindex(months.index, fill_value=0).join(months)
    log = sales.net(t, returns)
    log = log.mutate(month=number_of(log.ordered_at, every).clip(*map(int, ends)))
    net = log.group_by("month").aggregate(net=log.amount.sum().cast("float64"))
    largest = largest_share(log, "customer_id", "month").rename("largest_customer").reset_index()
    for found in (net.to_pandas(), largest):
        found.index = first_of(found.pop("month"), every)
        table = table.join(found)
    return table.fillna({"net": 0.0}).reset_index()


def by_weekday_hour(transactions: ir.Table) -> dict[str, pd.DataFrame]:
    """Orders and revenue by weekday and hour.

    `orders` and `revenue`, each with seven rows, Monday first, and 24 columns, hour 0 to 23; zero without sales.
    """
    t = transactions
    groups = t.group_by(weekday=t.ordered_at.day_of_week.index(), hour=t.ordered_at.hour())
    counted = groups.aggregate(orders=t.order_id.nunique(), revenue=t.amount.sum().cast("float64")).to_pandas()
    grids = {}
    for measure in ("orders", "revenue"):
        grid = counted.pivot(index="weekday", columns="hour", values=measure)
        grid = grid.reindex(index=range(7), columns=range(24)).fillna(0)
        grid.index = pd.Index(WEEKDAYS, name="weekday")
        grids[measure] = grid.rename_axis(columns="hour")
    return grids


def by_weekday(transactions: ir.Table) -> pd.DataFrame:
    """Average daily revenue by weekday.

    Returns
    -------
    DataFrame
        Seven rows, Monday first: `weekday`, `orders`, `revenue`, `days` (of the log, days without orders included),
        `revenue_per_day`, and `index` (relative to the mean of all days). Missing if the log has no such weekday; the
        index also if revenue is not above zero.
    """
    grids, (first, last) = by_weekday_hour(transactions), span_of(transactions)
    dates = pd.date_range(first.normalize(), last.normalize())
    table = pd.DataFrame({measure: grid.sum(axis=1) for measure, grid in grids.items()})
    table["days"] = [int((dates.day_of_week == number).sum()) for number in range(7)]
    table["revenue_per_day"] = table["revenue"] / table["days"].where(table["days"] > 0)
    mean = table["revenue"].sum() / len(dates)
    table["index"] = table["revenue_per_day"] / (mean if mean > 0 else np.nan)
    return table.reset_index()


def seasons(months: pd.DataFrame) -> pd.DataFrame:
    """Average daily revenue of each complete month of `by_month`, so that short months are comparable.

    With less than two years of data, trend and seasonality are confounded.

    Returns
    -------
    DataFrame
        `month`, `year`, `number` (1 is January), `revenue_per_day`, `index` (relative to the mean day of all complete
        months; missing if that is not above zero) and `years` (number of years with this calendar month). Incomplete
        months are excluded.

    Examples
    --------
    >>> days = {"days": [31, 28], "partial": [False, False]}
    >>> month = pd.to_datetime(["2023-01-01", "2023-02-01"])
    >>> seasons(pd.DataFrame({"month": month, "revenue": [310.0, 280.0], **days}))["index"].tolist()
    [1.0, 1.0]
    """
    whole = months[~months["partial"]]
    mean = whole["revenue"].sum() / whole["days"].sum() if len(whole) else np.nan
    table = pd.DataFrame(
        {
            "month": whole["month"],
            "year": whole["month"].dt.year,
            "number": whole["month"].dt.month,
            "revenue_per_day": whole["revenue"] / whole["days"],
        }
    ).reset_index(drop=True)
    table["index"] = table["revenue_per_day"] / (mean if mean > 0 else np.nan)
    table["years"] = table.groupby("number")["year"].transform("nunique")
    return table


def highest(values: pd.Series) -> str:
    """The names of all that share the highest value; more than three are counted.

    Examples
    --------
    >>> highest(pd.Series({"Monday": 5.0, "Tuesday": 5.0, "Friday": 1.0})), highest(pd.Series(0.0, index=list("abcd")))
    ('Monday and Tuesday', '4 tied')
    """
    known = values.dropna()
    if known.empty:
        return "none"
    names = [str(name) for name in known.index[np.isclose(known, known.max(), rtol=1e-9, atol=0)]]
    return f"{len(names)} tied" if len(names) > 3 else " and ".join(names)
