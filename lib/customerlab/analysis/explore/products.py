"""Products: which bring the money, how long the tail is."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.explore.trading import exact_sum, totals


def matching(transactions: ir.Table, pattern: str) -> ir.Table:
    """The lines whose product id matches a regular expression, to leave out postage and fees; all where it is empty."""
    return transactions.filter(transactions.product_id.re_search(pattern)) if pattern else transactions


def top_products(transactions: ir.Table, products: ir.Table | None, n: int = 10) -> pd.DataFrame:
    """The products that bring the most money.

    Parameters
    ----------
    transactions : ibis Table
    products : ibis Table or None
        For the descriptions; without it, or where it lacks a product, the id stands for it.
    n : int
        How many; ties are broken by the product's id.

    Returns
    -------
    DataFrame
        `product_id`, `description`, `revenue`, `share` of the revenue of all these transactions (empty where that
        is not above zero), `pieces`, `orders`, `customers`.
    """
    t = transactions
    counted = (
        t.group_by("product_id")
        .aggregate(
            revenue=t.amount.sum(),
            pieces=exact_sum(t.quantity),
            orders=t.order_id.nunique(),
            customers=t.customer_id.nunique(),
        )
        .order_by([ibis.desc("revenue"), ibis.asc("product_id")])
        .limit(n)
        .to_pandas()
    )
    counted["revenue"] = counted["revenue"].astype(float)
    total = totals(t)["revenue"]
    counted["share"] = counted["revenue"] / (total if total > 0 else float("nan"))
    counted["description"] = described(counted["product_id"], products)
    return counted[["product_id", "description", "revenue", "share", "pieces", "orders", "customers"]]


def described(ids: pd.Series, products: ir.Table | None) -> pd.Series:
    """Descriptions of a few products; the id stands for one that has none."""
    if products is None:
        return ids
    names = products.filter(products.product_id.isin(ids.tolist())).to_pandas()
    return ids.map(names.set_index("product_id")["description"]).fillna(ids)


def long_tail(transactions: ir.Table) -> pd.DataFrame:
    """All products by rank of their revenue, and what share of all the first of them bring.

    Returns
    -------
    DataFrame
        `rank` (from 1), `product_id`, `revenue` (falling; ties by id) and `share`, that of the products up to this
        rank; empty where the log's revenue is not above zero.
    """
    t = transactions
    table = t.group_by("product_id").aggregate(revenue=t.amount.sum().cast("float64")).to_pandas()
    table = table.sort_values(["revenue", "product_id"], ascending=[False, True], ignore_index=True)
    total = table["revenue"].sum()
    table["share"] = table["revenue"].cumsum() / (total if total > 0 else float("nan"))
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def products_for(tail: pd.DataFrame, shares: tuple[float, ...] = (0.5, 0.8, 0.95)) -> pd.DataFrame:
    """How many products, the best first, bring such a share of the revenue?

    Parameters
    ----------
    tail : DataFrame
        As `long_tail` returns it.
    shares : tuple of float

    Returns
    -------
    DataFrame
        `share`, `products` and `of_all` (their share of all products); no row where the revenue is not above zero.

    Examples
    --------
    >>> products_for(pd.DataFrame({"share": [0.6, 0.9, 1.0]}))["products"].tolist()
    [1, 2, 3]
    """
    if tail["share"].isna().any():
        return pd.DataFrame({"share": [], "products": [], "of_all": []})
    # a hair less, so that a sum of floats just below a share has reached it
    reached = [int((tail["share"] >= share - 1e-9).to_numpy().argmax()) + 1 for share in shares]
    return pd.DataFrame({"share": shares, "products": reached, "of_all": [n / len(tail) for n in reached]})
