"""Sales by country, channel or product category: the largest parts, and rows that complete the sums."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.disclosure import hidden
from customerlab.analysis.explore.trading import largest_share

NONE = "(none)"


def by_part(
    transactions: ir.Table, column: str, n: int = 10, *, returns: ir.Table | None = None, smallest: int = 1
) -> pd.DataFrame:
    """Sales by the values of a column, such as ``country``.

    Parameters
    ----------
    n : int
        The number of values with the most revenue that have their own row; ties are broken by name. The others share
        the row ``(3 others)``, and empty values the row ``(none)``, so that revenue adds up to that of the log.
    returns : ibis Table, optional
        With the same column. Without it net revenue is gross revenue.
    smallest : int
        Values of fewer customers have no row of their own, nor do others that would reveal them (`disclosure.hidden`).

    Returns
    -------
    DataFrame
        `part`, `revenue` (gross), `share` (of gross revenue; missing if that is not above zero), `orders`, `customers`,
        `value_per_order` (gross), `net` (net revenue) and `largest_customer` (the largest customer's share of net
        revenue, as in `largest_share`). Orders and customers in several parts count in each.
    """
    t = transactions.mutate(part=transactions[column].cast("string"))
    ranked = t.group_by("part").aggregate(revenue=t.amount.sum(), customers=t.customer_id.nunique())
    every = ranked.order_by([ibis.desc("revenue"), ibis.asc("part")]).to_pandas()
    few, empty = hidden(every["customers"], smallest), every["part"].isna()
    named = every["part"][~few & ~empty].head(n).tolist()
    apart = bool((empty & ~few).any())
    rest = f"({len(every) - len(named) - apart} others)"
    t, log = (
        _with_place(table, column, named, rest, apart) for table in (transactions, sales.net(transactions, returns))
    )
    sums = {"revenue": t.amount.sum(), "orders": t.order_id.nunique(), "customers": t.customer_id.nunique()}
    table = t.group_by("kind", "part").aggregate(**sums).to_pandas()
    table = table.sort_values(["kind", "revenue", "part"], ascending=[True, False, True], ignore_index=True)
    table["revenue"] = table["revenue"].astype(float)
    total = table["revenue"].sum()
    table["share"] = table["revenue"] / (total if total > 0 else float("nan"))
    table["value_per_order"] = table["revenue"] / table["orders"]
    log = log.mutate(place=log.kind.cast("string").concat(log.part))
    place = table["kind"].astype(str) + table["part"]
    net = log.group_by("place").aggregate(net=log.amount.sum().cast("float64")).to_pandas().set_index("place")["net"]
    table["net"], table["largest_customer"] = place.map(net), place.map(largest_share(log, "customer_id", "place"))
    columns = ["part", "revenue", "share", "orders", "customers", "value_per_order", "net", "largest_customer"]
    return table[columns]


def _with_place(table: ir.Table, column: str, named: list[str], rest: str, apart: bool) -> ir.Table:
    """The rows with their `part`, and a `kind` that separates a value "(none)" from empty values.

    Empty values belong to the others unless they are `apart`.
    """
    table = table.mutate(part=table[column].cast("string"))
    inside = table.part.isin(named) if named else ibis.literal(False)
    kind = ibis.cases((table.part.isnull(), 2 if apart else 1), (inside, 0), else_=1)
    table = table.mutate(kind=kind)
    return table.mutate(part=ibis.cases((table.kind == 0, table.part), (table.kind == 1, rest), else_=NONE))


def by_category(
    transactions: ir.Table,
    products: ir.Table | None,
    n: int = 10,
    *,
    returns: ir.Table | None = None,
    smallest: int = 1,
) -> pd.DataFrame | None:
    """Sales by product category, as `by_part`; None if no product has a category, or the orders name none.

    Products without a row in the table of products count under ``(none)``.
    """
    if products is None or "category" not in products.columns or "product_id" not in transactions.columns:
        return None
    known = products.filter(~products.category.isnull()).select("product_id", "category")
    if not known.count().execute():
        return None
    sold, back = (
        table if table is None else table.left_join(known, "product_id").drop("product_id_right")
        for table in (transactions, returns)
    )  # fmt: skip
    return by_part(sold, "category", n, returns=back, smallest=smallest)
