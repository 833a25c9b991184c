"""A shop by country, by channel or by category of product: the largest parts, and rows that make the sums complete."""

import ibis
import ibis.expr.types as ir
import pandas as pd

NONE = "(none)"


def by_part(transactions: ir.Table, column: str, n: int = 10) -> pd.DataFrame:
    """Trading by the values of a column.

    Parameters
    ----------
    transactions : ibis Table
    column : str
        A text column, such as ``country``.
    n : int
        So many values with the most revenue have a row of their own; ties are broken by name. The others share one
        row, ``(3 others)``, and empty values another, ``(none)``, so that revenue adds up to that of the log.

    Returns
    -------
    DataFrame
        `part`, `revenue`, `share` (empty where the log's revenue is not above zero), `orders`, `customers` and
        `value_per_order`. An order or a customer that is in several parts counts in each.
    """
    t = transactions.mutate(part=transactions[column].cast("string"))
    ranked = t.filter(~t.part.isnull()).group_by("part").aggregate(revenue=t.amount.sum())
    ranked = ranked.order_by([ibis.desc("revenue"), ibis.asc("part")])
    named, parts = ranked.limit(n).to_pandas()["part"].tolist(), int(ranked.count().execute())
    rest = f"({parts - len(named)} others)"
    # a number beside the name keeps a value that reads "(none)" apart from the empty ones
    kind = ibis.cases((t.part.isnull(), 2), (t.part.isin(named), 0), else_=1) if named else ibis.literal(2)
    t = t.mutate(kind=kind)
    t = t.mutate(part=ibis.cases((t.kind == 0, t.part), (t.kind == 1, rest), else_=NONE))
    table = (
        t.group_by("kind", "part")
        .aggregate(revenue=t.amount.sum(), orders=t.order_id.nunique(), customers=t.customer_id.nunique())
        .to_pandas()
        .sort_values(["kind", "revenue", "part"], ascending=[True, False, True], ignore_index=True)
    )
    table["revenue"] = table["revenue"].astype(float)
    total = table["revenue"].sum()
    table["share"] = table["revenue"] / (total if total > 0 else float("nan"))
    table["value_per_order"] = table["revenue"] / table["orders"]
    return table[["part", "revenue", "share", "orders", "customers", "value_per_order"]]


def by_category(transactions: ir.Table, products: ir.Table | None, n: int = 10) -> pd.DataFrame | None:
    """Trading by category of product, as `by_part`; None where no product has a category.

    A product that the table of products lacks counts under ``(none)``.
    """
    if products is None or "category" not in products.columns:
        return None
    known = products.filter(~products.category.isnull()).select("product_id", "category")
    if not known.count().execute():
        return None
    return by_part(transactions.left_join(known, "product_id").drop("product_id_right"), "category", n)
