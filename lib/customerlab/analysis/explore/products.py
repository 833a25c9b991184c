"""Products: the best sellers and the long tail."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.explore.trading import exact_sum, largest_share


def by_product(transactions: ir.Table, returns: ir.Table | None = None) -> ir.Table:
    """One row per product sold: `revenue` (net), `gross`, `pieces` (sold less returned), `orders`, `customers`.

    Orders and customers are those of the lines that no return annuls. An expression.
    """
    t, log, lines = transactions, sales.net(transactions, returns), sales.kept(transactions, returns)
    sold = t.group_by("product_id").aggregate(gross=t.amount.sum())
    money = log.group_by("product_id").aggregate(revenue=log.amount.sum(), pieces=exact_sum(log.quantity))
    buyers = lines.group_by("product_id").aggregate(
        orders=lines.order_id.nunique(), customers=lines.customer_id.nunique()
    )
    table = sold.inner_join(money, "product_id").left_join(buyers, "product_id").drop("product_id_right")
    return table.mutate(orders=table.orders.fill_null(0), customers=table.customers.fill_null(0))


def top_products(
    transactions: ir.Table, products: ir.Table | None, n: int = 10, *, returns: ir.Table | None = None
) -> pd.DataFrame:
    """The products with the most net revenue, ties broken by id; without returns net revenue is gross revenue.

    Returns
    -------
    DataFrame
        `product_id`, `description` (the id if none is known), `revenue` (net), `share` of the net revenue of all
        products sold (missing if that is not above zero), `gross`, `pieces`, `orders`, `customers`, as in `by_product`,
        and `largest_customer` (the largest customer's share of the product's revenue, as in `largest_share`).
    """
    every = by_product(transactions, returns)
    table = every.order_by([ibis.desc("revenue"), ibis.asc("product_id")]).limit(n).to_pandas()
    table[["revenue", "gross"]] = table[["revenue", "gross"]].astype(float)
    total = float(every.revenue.sum().execute() or 0)
    table["share"] = table["revenue"] / (total if total > 0 else float("nan"))
    table["description"] = described(table["product_id"], products)
    log = sales.net(transactions, returns)
    log = log.filter(log.product_id.isin(table["product_id"].tolist())) if len(table) else log.limit(0)
    table["largest_customer"] = table["product_id"].map(largest_share(log, "customer_id", "product_id"))
    columns = ["product_id", "description", "revenue", "share", "gross", "pieces", "orders", "customers"]
    return table[[*columns, "largest_customer"]]


def described(ids: pd.Series, products: ir.Table | None) -> pd.Series:
    """Descriptions of a few products; the id if there is none."""
    if products is None:
        return ids
    names = products.filter(products.product_id.isin(ids.tolist())).to_pandas()
    return ids.map(names.set_index("product_id")["description"]).fillna(ids)


def long_tail(transactions: ir.Table, returns: ir.Table | None = None) -> pd.DataFrame:
    """Products sold by rank of net revenue, with their cumulative share.

    Returns
    -------
    DataFrame
        `rank` (from 1), `product_id`, `revenue` (net, falling; ties by id) and `share` (cumulative; missing if total
        revenue is not above zero). If returns of the last products exceed their sales, shares pass 1 before them.
    """
    every = by_product(transactions, returns)
    table = every.select("product_id", revenue=every.revenue.cast("float64")).to_pandas()
    table = table.sort_values(["revenue", "product_id"], ascending=[False, True], ignore_index=True)
    total = table["revenue"].sum()
    table["share"] = table["revenue"].cumsum() / (total if total > 0 else float("nan"))
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def products_for(tail: pd.DataFrame) -> pd.DataFrame:
    """The number of products, best first as in `long_tail`, that bring 50, 80 and 95% of revenue.

    Returns
    -------
    DataFrame
        `share`, `products` and `of_all` (their share of all products); empty if revenue is not above zero.

    Examples
    --------
    >>> products_for(pd.DataFrame({"share": [0.6, 0.9, 1.0]}))["products"].tolist()
    [1, 2, 3]
    """
    if tail["share"].isna().any():
        return pd.DataFrame({"share": [], "products": [], "of_all": []})
    shares = (0.5, 0.8, 0.95)
    # a hair less, so that a sum of floats just below a share has reached it
    reached = [int((tail["share"] >= share - 1e-9).to_numpy().argmax()) + 1 for share in shares]
    return pd.DataFrame({"share": shares, "products": reached, "of_all": [n / len(tail) for n in reached]})
