"""One cut in time for everybody: what came before is known, what came after is to be found."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.explore import matching
from customerlab.analysis.rfm import day_after


@dataclass(frozen=True)
class Orders:
    """The orders of the history, one by one, for models that ask when and with what a product was bought.

    An order is a customer's: where two customers share an order's id, each has one of their own. Its time is that of
    its first line. Orders are sorted by customer, within a customer from the oldest to the latest, ties by the order's
    id, so that the last rows of a customer are the last orders.

    Attributes
    ----------
    customer : array of int of shape (orders,)
        The row of the customer.
    days : array of float of shape (orders,)
        Days from the order to the cut, above zero.
    amount : array of float of shape (orders,)
        The money of the order's lines.
    products : sparse matrix of shape (orders, products)
        One where the order has the product. Summed over a customer's orders it is the customer's history.
    """

    customer: np.ndarray
    days: np.ndarray
    amount: np.ndarray
    products: csr_matrix


@dataclass(frozen=True)
class Split:
    """A log cut in time, as matrices of customers by products.

    Products are numbered by falling popularity in the weeks before the cut (customers who bought them, then buyers of
    all time, ties by id), so that the order of columns is the tie-break of every model.

    Attributes
    ----------
    cut : Timestamp
        Orders before it are the history, orders from it on the future.
    customers, products : Index
        The rows, all customers of the history, and the columns, all products.
    history : sparse matrix of shape (customers, products)
        In how many orders before the cut a customer bought a product.
    recent_buyers : array of shape (products,)
        How many customers bought the product in the weeks before the cut.
    future : sparse matrix of the shape of the history
        One where a customer bought a product from the cut on. Products without a history are in it: no model can know
        them, and they count as not found.
    warm : array of int
        The customers (rows) with a history who bought in the future: those that are evaluated.
    accounting : DataFrame
        `what`, `customers`, `products`, `pairs`: who was there and who was dropped, at every step.
    orders : Orders
        The orders that the history counts.
    """

    cut: pd.Timestamp
    customers: pd.Index
    products: pd.Index
    history: csr_matrix
    recent_buyers: np.ndarray
    future: csr_matrix
    warm: np.ndarray
    accounting: pd.DataFrame
    orders: Orders


def split_by_time(transactions: ir.Table, holdout_days: int, *, popularity_days: int = 28, pattern: str = "") -> Split:
    """Cut a log at midnight, `holdout_days` before the day after its last order.

    Parameters
    ----------
    transactions : ibis Table
        Canonical.
    holdout_days : int
        The length of the future.
    popularity_days : int
        The length of the weeks before the cut in which popularity is counted.
    pattern : str
        A regular expression; products whose id does not match it (postage, fees) are left out. Empty for all.

    Raises
    ------
    ValueError
        If nobody bought on both sides of the cut.
    """
    split = _cut(transactions, day_after(transactions) - pd.Timedelta(days=holdout_days), popularity_days, pattern)
    if len(split.warm) == 0:
        raise ValueError(
            f"nobody bought both before and after {split.cut:%Y-%m-%d}; expected at least one customer, "
            f"choose another holdout_days than {holdout_days}"
            + (f", or mend product_pattern = {pattern!r}" if pattern else "")
        )
    return split


def whole_log(transactions: ir.Table, *, popularity_days: int = 28, pattern: str = "") -> Split:
    """The whole log as history, with nothing after it: what the recommendations of today are made from.

    Parameters
    ----------
    transactions, popularity_days, pattern
        As in `split_by_time`.
    """
    return _cut(transactions, day_after(transactions), popularity_days, pattern)


def split_of(orders: list[tuple[str, float, list[str]]]) -> Split:
    """A split of a few orders written by hand, for examples and tests: whom, how long before the cut, what.

    Parameters
    ----------
    orders : list of (customer, days, products)
        Days before the cut, below zero for an order of the future. Every product costs 1.

    Examples
    --------
    >>> split = split_of([("ann", 9, ["tea"]), ("ann", 2, ["tea", "milk"]), ("bob", 5, ["milk"]), ("bob", -1, ["tea"])])
    >>> split.customers.tolist(), split.products.tolist(), split.history.toarray().tolist(), split.warm.tolist()
    (['ann', 'bob'], ['milk', 'tea'], [[1.0, 2.0], [1.0, 0.0]], [1])
    """
    cut = pd.Timestamp("2024-01-01")
    lines = [
        (customer, f"{number:06d}", cut - pd.Timedelta(days=days), product)
        for number, (customer, days, products) in enumerate(orders)
        for product in products
    ]
    frame = pd.DataFrame(lines, columns=["customer_id", "order_id", "ordered_at", "product_id"])
    table = ibis.memtable(frame.astype({"ordered_at": "datetime64[us]"}))
    return _cut(table.mutate(amount=ibis.literal(1).cast("decimal(18, 4)")), cut, 28, "")


def _cut(transactions: ir.Table, cut: pd.Timestamp, popularity_days: int, pattern: str) -> Split:
    t = matching(transactions, pattern)
    past = t.ordered_at < cut.to_pydatetime()
    recent = past & (t.ordered_at >= (cut - pd.Timedelta(days=popularity_days)).to_pydatetime())
    pairs = (
        t.group_by("customer_id", "product_id")
        .aggregate(
            before=t.order_id.nunique(where=past),
            recent=t.order_id.nunique(where=recent),
            after=t.order_id.nunique(where=~past),
        )
        .order_by("customer_id", "product_id")
        .to_pandas()
    )
    known, new = pairs[pairs["before"] > 0], pairs[pairs["after"] > 0]
    buyers = (pairs[["recent", "before"]] > 0).groupby(pairs["product_id"]).sum().reset_index()
    buyers = buyers.sort_values(["recent", "before", "product_id"], ascending=[False, False, True])
    products = pd.Index(buyers["product_id"], name="product_id")
    customers = pd.Index(known["customer_id"].unique(), name="customer_id")
    warm = new[new["customer_id"].isin(customers)]
    history, future = (
        csr_matrix(
            (
                values.astype(float),
                (customers.get_indexer(part["customer_id"]), products.get_indexer(part["product_id"])),
            ),
            shape=(len(customers), len(products)),
        )
        for part, values in ((known, known["before"].to_numpy()), (warm, np.ones(len(warm))))
    )
    accounting = pd.DataFrame(
        [
            _counts("history, before the cut", known),
            _counts("future, from the cut on", new),
            _counts("dropped: customers without a history", new[~new["customer_id"].isin(customers)]),
            _counts("evaluated", warm),
            _counts(
                "of these not to be found: products without a history",
                warm[~warm["product_id"].isin(known["product_id"])],
            ),
        ]
    )
    rows = np.unique(customers.get_indexer(warm["customer_id"]))
    orders = _orders(t.filter(past), cut, customers, products)
    return Split(cut, customers, products, history, buyers["recent"].to_numpy(), future, rows, accounting, orders)


def _orders(past: ir.Table, cut: pd.Timestamp, customers: pd.Index, products: pd.Index) -> Orders:
    """The orders of the history: one query for the orders, one for what is in them."""
    key = ["customer_id", "order_id"]
    table = (
        past.group_by(key)
        .aggregate(at=past.ordered_at.min(), amount=past.amount.sum().cast("float64"))
        .order_by("customer_id", "at", "order_id")
        .to_pandas()
    )
    lines = past.select(*key, "product_id").distinct().to_pandas()
    order = pd.MultiIndex.from_frame(table[key]).get_indexer(pd.MultiIndex.from_frame(lines[key]))
    column = products.get_indexer(lines["product_id"])
    return Orders(
        customers.get_indexer(table["customer_id"]),
        ((cut - table["at"]) / pd.Timedelta(days=1)).to_numpy(),
        table["amount"].to_numpy(),
        csr_matrix((np.ones(len(lines)), (order, column)), shape=(len(table), len(products))),
    )


def _counts(what: str, pairs: pd.DataFrame) -> dict[str, object]:
    return {
        "what": what, "customers": pairs["customer_id"].nunique(), "products": pairs["product_id"].nunique(), "pairs": len(pairs),
    }  # fmt: skip
