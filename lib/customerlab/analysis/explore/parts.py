"""A shop by country, by channel or by category of product: the largest parts, and rows that make the sums complete."""

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
    """Trading by the values of a column, such as ``country``.

    Parameters
    ----------
    n : int
        So many values with the most revenue have a row of their own; ties are broken by name. The others share one
        row, ``(3 others)``, and empty values another, ``(none)``, so that revenue adds up to that of the log.
    returns : ibis Table, optional
        Without it net revenue is gross revenue. They have the column, too.
    smallest : int
        Values of fewer customers have no row of their own, nor do the next ones where one of these would otherwise be
        known (`disclosure.hidden`).

    Returns
    -------
    DataFrame
        `part`, `revenue` (gross), `share` (of it; empty where the log's is not above zero), `orders`, `customers`,
        `value_per_order` (gross), `net` (revenue less returns) and `largest_customer` (the share of the net revenue
        that one customer makes, as in `largest_share`). An order or a customer that is in several parts counts in each.
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
    """The rows with the `part` that they are shown under, and a `kind` that keeps a value that reads "(none)" apart.

    Empty values are among the others where they are not to be `apart`.
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
    """Trading by category of product, as `by_part`; None where no product has a category.

    A product that the table of products lacks counts under ``(none)``.
    """
    if products is None or "category" not in products.columns:
        return None
    known = products.filter(~products.category.isnull()).select("product_id", "category")
    if not known.count().execute():
        return None
    sold, back = (
        table if table is None else table.left_join(known, "product_id").drop("product_id_right")
        for table in (transactions, returns)
    )  # fmt: skip
    return by_part(sold, "category", n, returns=back, smallest=smallest)
