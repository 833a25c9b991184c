"""What campaigns need of past orders: orders, lines of frequent products, their prices, and categories bought."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.orders import Snapshot, before, fetched

MOST = 300  # products whose pairs are tested


def placed(shop: Snapshot) -> pd.DataFrame:
    """Orders before the shop's day, as placed: `customer_id`, `order_id`, `ordered_at`, `amount`, sorted.

    Examples
    --------
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann"], "order_id": ["1", "1"], "amount": [5.0, 7.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-01"]),
    ... })
    >>> placed(Snapshot(log, pd.Timestamp("2024-02-01")))[["order_id", "amount"]].values.tolist()
    [['1', 12.0]]
    """
    lines = shop.known
    orders = lines.group_by("customer_id", "order_id").aggregate(
        ordered_at=lines.ordered_at.min(), amount=lines.amount.sum().cast("float64")
    )
    return fetched(orders).sort_values(["customer_id", "ordered_at", "order_id"], ignore_index=True)


def _kept(shop: Snapshot) -> ir.Table:
    """The order lines that no return annuls."""
    return sales.kept(shop.known, None if shop.returns is None else before(shop.returns, shop.day))


def frequent_lines(shop: Snapshot) -> pd.DataFrame | None:
    """Lines of the products in the most orders (`MOST`), as `associations` takes them; None without product ids.

    Products are chosen by their own orders alone, so that tests of their pairs need no more adjusting. Returned lines
    are left out. The season is month and size of the order, because large orders have more of everything.

    Returns
    -------
    DataFrame
        `customer_id`, `order_id`, `product_id` and `season`, each line once, sorted.
    """
    if "product_id" not in shop.transactions.columns:
        return None
    lines = _kept(shop).group_by("customer_id", "order_id", "product_id").aggregate(at=lambda t: t.ordered_at.min())
    of_order = ibis.window(group_by=["customer_id", "order_id"])
    lines = lines.mutate(at=lines["at"].min().over(of_order), size=lines.count().over(of_order))
    counted = lines.group_by("product_id").aggregate(orders=lines.count())
    best = counted.order_by(counted.orders.desc(), counted.product_id.asc()).limit(MOST)
    found = fetched(lines.semi_join(best, "product_id"))
    month = pd.to_datetime(found["at"]).dt.strftime("%Y-%m")
    size = pd.cut(found["size"], [0, 2, 5, 10, float("inf")], labels=["1-2", "3-5", "6-10", "11+"])
    found["season"] = month + " " + size.astype("str")
    columns = ["customer_id", "order_id", "product_id", "season"]
    return found[columns].sort_values(columns, ignore_index=True)


def prices(shop: Snapshot, margin: float) -> pd.DataFrame:
    """Mean price of each product, and the margin of a unit: `product_id`, `price`, `margin`, sorted."""
    lines = shop.known
    money = lines.group_by("product_id").aggregate(
        amount=lines.amount.sum().cast("float64"), units=lines.quantity.sum()
    )
    table = fetched(money).sort_values("product_id", ignore_index=True)
    price = table["amount"] / table["units"].where(table["units"] > 0)
    return table[["product_id"]].assign(price=price, margin=price * margin)


def category_lines(shop: Snapshot) -> pd.DataFrame | None:
    """The categories of each order: `customer_id`, `at`, `category`, sorted; None where products have none."""
    products = shop.products
    if products is None or "category" not in products.columns or "product_id" not in shop.transactions.columns:
        return None
    lines = _kept(shop).inner_join(products.filter(~products.category.isnull()), "product_id")
    found = fetched(lines.group_by("customer_id", "order_id", "category").aggregate(at=lambda t: t.ordered_at.min()))
    columns = ["customer_id", "at", "category"]
    return found[columns].sort_values(columns, ignore_index=True)


def product_names(shop: Snapshot) -> pd.Series:
    """Description and id of each product, by id; empty where there are no names."""
    if shop.products is None:
        return pd.Series(dtype="str")
    table = fetched(shop.products.select("product_id", "description")).dropna().set_index("product_id").sort_index()
    return table["description"].astype("str") + " (" + table.index + ")"
