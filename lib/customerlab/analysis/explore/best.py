"""Profile of the top decile of customers by revenue."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.explore.distributions import with_returned
from customerlab.analysis.explore.trading import products_of, span_of

MEDIANS = {
    "revenue": "net revenue",
    "orders": "orders",
    "value_per_order": "average order value",
    "products": "different products",
    "span": "days from first to last order",
    "since_first": "days since the first order",
    "recency": "days since the last order",
}


@dataclass(frozen=True)
class TopDecile:
    """The top decile of customers by net revenue, compared with the others.

    Attributes
    ----------
    threshold : float
        The 90% quantile of net revenue per customer. Customers at or above it are in, so that ties are never split and
        can make the group larger than a tenth.
    top, rest : int
        Number of customers in the top decile, and of others.
    share : float
        Share of net revenue of the top decile.
    times_orders, times_value : float
        Mean orders per customer, and net revenue per order, of the top decile as a multiple of the others. Their
        product is the multiple of net revenue per customer; missing if the others have no revenue.
    table : DataFrame
        `measure`, `kind` (median, mean, share of customers or share of gross revenue), `top`, `rest` and `ratio`
        (missing if the others have zero).
    """

    threshold: float
    top: int
    rest: int
    share: float
    times_orders: float
    times_value: float
    table: pd.DataFrame

    def __repr__(self) -> str:
        return f"TopDecile({self.top:,} of {self.top + self.rest:,} customers, {self.share:.0%} of the revenue)"


def top_decile(transactions: ir.Table, returns: ir.Table | None = None) -> TopDecile | None:
    """Compare the top decile of customers by net revenue with the others: a description, not a cause.

    Days are counted to the day after the last order, as in `orders.Snapshot`. With returns, revenue is net of them and
    the returned share of gross revenue is added; without, net revenue is gross. None if there is no top decile: a
    single customer, customers with equal revenue, or no revenue.
    """
    customers, main = _profiles(transactions, returns, span_of(transactions)[1])
    money = customers.aggregate(q=customers.revenue.quantile(0.9), low=customers.revenue.min()).to_pandas().iloc[0]
    # engines interpolate to different last bits, and money has four decimals
    threshold = round(float(money["q"]), 6)
    if not (threshold > 0 and money["low"] < threshold):
        return None
    side = customers.mutate(top=customers.revenue >= threshold)
    sums = {"n": side.count(), "money": side.exact.sum().cast("float64"), "total_orders": side.orders.sum()}
    sums |= {"returned": side.returned.sum().cast("float64"), "main": side.main.sum()}
    medians = {name: label for name, label in MEDIANS.items() if name in side.columns}
    sums |= {name: side[name].cast("float64").quantile(0.5) for name in medians}
    found = side.group_by("top").aggregate(**sums).to_pandas().set_index("top").reindex([True, False])
    orders, value = found["total_orders"] / found["n"], found["money"] / found["total_orders"]
    rows = [(label, "median", *found[name]) for name, label in medians.items()]
    rows += [("orders per customer", "mean", *orders), ("net revenue per order", "mean", *value)]
    if main is not None:
        rows.append((f"orders from {main}", "share of customers", *(found["main"] / found["n"])))
    if returns is not None:
        gross = found["money"] + found["returned"]
        rows.append(("returns", "share of gross revenue", *(found["returned"] / gross.where(gross > 0))))
    table = pd.DataFrame(rows, columns=["measure", "kind", "top", "rest"])
    table["ratio"] = table["top"] / table["rest"].where(table["rest"] > 0)
    return TopDecile(
        threshold=threshold,
        top=int(found.loc[True, "n"]),
        rest=int(found.loc[False, "n"]),
        share=float(found.loc[True, "money"] / found["money"].sum()) if found["money"].sum() > 0 else float("nan"),
        times_orders=float(orders[True] / orders[False]),
        times_value=float(value[True] / value[False]) if value[False] > 0 else float("nan"),
        table=table,
    )


def _profiles(transactions: ir.Table, returns: ir.Table | None, last: pd.Timestamp) -> tuple[ir.Table, str | None]:
    """One row per customer, an expression; and the country with the most revenue, if countries are known."""
    t, main = transactions, None
    if "country" in t.columns:
        ranked = t.filter(~t.country.isnull()).group_by("country").aggregate(revenue=t.amount.sum())
        first = ranked.order_by([ibis.desc("revenue"), ibis.asc("country")]).limit(1).to_pandas()
        main = str(first["country"].iloc[0]) if len(first) else None
    there = (t.country == main).fill_null(False).cast("int64").max() if main is not None else ibis.literal(0)
    each = t.group_by("customer_id").aggregate(
        gross=t.amount.sum(),
        orders=t.order_id.nunique(),
        **products_of(t),
        begin=t.ordered_at.min().date(),
        end=t.ordered_at.max().date(),
        main=there,
    )
    each = with_returned(each, returns)
    each = each.mutate(exact=each.gross - each.returned)
    day = last.normalize() + pd.Timedelta(days=1)
    today = ibis.date(day.year, day.month, day.day)
    money = each.exact.cast("float64")
    return each.mutate(
        revenue=money,
        value_per_order=money / each.orders.cast("float64"),
        span=each.end.delta(each.begin, unit="day"),
        since_first=today.delta(each.begin, unit="day"),
        recency=today.delta(each.end, unit="day"),
    ), main
