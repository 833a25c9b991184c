"""What described customers ordered: before a day and after it, their first order, and categories that they bought."""

import ibis
import pandas as pd

from customerlab.analysis.orders import Snapshot, fetched, later


def before_and_after(shop: Snapshot, days: int) -> pd.DataFrame:
    """What customers had done by a day, and what they did in the `days` to the shop's day.

    Returns
    -------
    DataFrame
        Indexed by `customer_id`, of those who had ordered by then: `recency`, `frequency`, `tenure` and `monetary` (net
        of returns) on that day; `orders`, `revenue` (net) and `came_back` afterwards. Empty where nobody had ordered.

    Examples
    --------
    >>> import ibis
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-31", "2024-01-05"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> before_and_after(Snapshot(log, pd.Timestamp("2024-02-01")), 20)[["monetary", "revenue"]].values.tolist()
    [[5.0, 7.0], [9.0, 0.0]]
    """
    begin = shop.day - pd.Timedelta(days=days)
    columns = ["recency", "frequency", "tenure", "monetary", "orders", "revenue", "came_back"]
    try:
        then = shop.at(begin).customers(net=shop.returns is not None)
    except ValueError:  # no order before that day
        nobody = pd.DataFrame(columns=columns, index=pd.Index([], name="customer_id", dtype="str"), dtype="float64")
        return nobody.astype({"came_back": bool})
    after = later(shop.transactions, then["customer_id"], begin, shop.day, returns=shop.returns)
    joined = then.join(after.drop(columns="customer_id")).rename(columns={"money": "revenue"})
    return joined.set_index("customer_id")[columns]


def first_orders(shop: Snapshot) -> pd.DataFrame:
    """The first order of each customer: its day, and features of it that a model may use of a new customer.

    Returns
    -------
    DataFrame
        Sorted by `customer_id`, its index: `first_order` (day), `first_revenue` (gross), `first_lines` (order lines)
        and `first_weekday` (a category). Several orders that begin at one time count together.
    """
    lines = shop.known
    orders = lines.group_by("customer_id", "order_id").aggregate(
        begun=lines.ordered_at.min(), amount=lines.amount.sum(), lines=lines.count()
    )
    orders = orders.mutate(first=orders.begun.min().over(ibis.window(group_by="customer_id")))
    own = orders.filter(orders.begun == orders.first)
    summed = own.group_by("customer_id").aggregate(
        first_order=own.begun.min(), first_revenue=own.amount.sum().cast("float64"), first_lines=own.lines.sum()
    )
    table = fetched(summed).sort_values("customer_id").set_index("customer_id")
    table["first_order"] = pd.to_datetime(table["first_order"])
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    table["first_weekday"] = pd.Categorical(table["first_order"].dt.day_name(), days)
    table["first_order"] = table["first_order"].dt.normalize()
    table["first_lines"] = table["first_lines"].astype("float64")
    return table


def bought(shop: Snapshot) -> pd.DataFrame | None:
    """The categories that each customer bought from; None where products have no categories.

    Returns
    -------
    DataFrame or None
        `customer_id` and `category`, each pair once, sorted.
    """
    products = shop.products
    if products is None or "category" not in products.columns or "product_id" not in shop.transactions.columns:
        return None
    lines = shop.known.inner_join(products.filter(~products.category.isnull()), "product_id")
    pairs = fetched(lines.select("customer_id", "category").distinct())
    return pairs.sort_values(["customer_id", "category"], ignore_index=True)


def last_orders(shop: Snapshot) -> pd.DataFrame:
    """Recency, frequency, revenue (net of returns) and average order value by `customer_id`."""
    table = shop.customers(net=shop.returns is not None).set_index("customer_id")
    value = (table["monetary"] / table["frequency"]).rename("average order value")
    return table[["recency", "frequency"]].join(table["monetary"].rename("revenue")).join(value)
