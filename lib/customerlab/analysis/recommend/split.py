"""One cut in time for everybody: what came before is known, what came after is to be found."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.explore import matching
from customerlab.analysis.rfm import day_after

DAY = 86_400_000_000  # microseconds
CENTS = 10_000  # parts of the currency in which money is counted, the four decimals of `amount`


@dataclass(frozen=True)
class Lines:
    """The lines of the orders, as whole numbers; what an earlier cut is made from. Sorted by order.

    Attributes
    ----------
    order, product : array of int
        Row in the orders, column in the products.
    before : array of int
        Microseconds from the line to the cut, above zero.
    amount : array of int
        Money in ten-thousandths.
    """

    order: np.ndarray
    product: np.ndarray
    before: np.ndarray
    amount: np.ndarray


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
    lines : Lines
        What the orders consist of.
    """

    customer: np.ndarray
    days: np.ndarray
    amount: np.ndarray
    products: csr_matrix
    lines: Lines


@dataclass(frozen=True)
class Split:
    """A log cut in time, as matrices of customers by products.

    Products are numbered by falling popularity in the weeks before the cut (customers who bought them, then buyers of
    all time, ties by id), so that the order of columns is the tie-break of every model.

    Attributes
    ----------
    cut : Timestamp
        Orders before it are the history, orders from it on the future. An order with lines on both sides is on both.
    customers, products : Index
        The rows, all customers of the history, and the columns, all products.
    history : sparse matrix of shape (customers, products)
        In how many orders before the cut a customer bought a product.
    recent_buyers : array of shape (products,)
        How many customers bought the product in the weeks before the cut.
    future : sparse matrix of the shape of the history
        One where a customer bought a product from the cut on. Products without a history are in it: no model can know
        them, and they count as not found.
    spent : sparse matrix of the shape of the history
        The money that the customer spent on the product from the cut on.
    warm : array of int
        The customers (rows) with a history who bought in the future: those that are evaluated.
    accounting : DataFrame
        `what`, `customers`, `products`, `pairs`: who was there and who was dropped, at every step.
    orders : Orders
        The orders that the history counts.
    holdout_days, popularity_days : int
        The length of the future, and of the weeks before the cut.
    """

    cut: pd.Timestamp
    customers: pd.Index
    products: pd.Index
    history: csr_matrix
    recent_buyers: np.ndarray
    future: csr_matrix
    spent: csr_matrix
    warm: np.ndarray
    accounting: pd.DataFrame
    orders: Orders
    holdout_days: int
    popularity_days: int

    def earlier(self, days: int, holdout_days: int | None = None) -> "Split":
        """The split of some days ago, made from the history alone: what a model may be trained or tuned on.

        It is `split_by_time` of the log as it was when the earlier future ended, and cannot see what came after.

        Parameters
        ----------
        days : int
            How far the cut moves back.
        holdout_days : int, optional
            The length of the earlier future. That of this split by default, or `days` where it has no future.

        Raises
        ------
        ValueError
            If the earlier future would not end by this split's cut.

        Examples
        --------
        >>> split = split_of([("ann", 9, ["tea"]), ("bob", 8, ["milk"]), ("ann", 2, ["milk"]), ("bob", -1, ["tea"])])
        >>> earlier = split.earlier(7, 7)
        >>> earlier.history.toarray().tolist(), earlier.future.toarray().tolist(), earlier.products.tolist()
        ([[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]], ['milk', 'tea'])
        """
        length = (self.holdout_days or days) if holdout_days is None else holdout_days
        if not 0 < length <= days:
            raise ValueError(
                f"the cut moves back by {days} days, and the earlier future lasts {length}; expected at least 1 day and "
                "no more than the cut moves, or it would reach into what is to be foretold"
            )
        lines = self.orders.lines
        seen = lines.before > (days - length) * DAY
        known = Lines(lines.order[seen], lines.product[seen], lines.before[seen] - days * DAY, lines.amount[seen])
        cut = self.cut - pd.Timedelta(days=days)
        return self.divided(known, known.before > 0, cut, length)

    def divided(self, lines: Lines, past: np.ndarray, cut: pd.Timestamp, holdout_days: int) -> "Split":
        """Another split of lines of these orders: `past` says which of them are the history, the others the future."""
        named = (self.orders.customer, self.customers, self.products)
        return _divide(lines, past, *named, cut, holdout_days, self.popularity_days)

    def folds(self, n: int) -> list["Split"]:
        """Rolling origins: windows of the length of this split's future, the oldest first and this split last.

        The windows do not overlap. All but the last are made by `earlier`, for tuning, and to see how results change
        with the month; the last is the test. There are n, or as many as the log has: it ends at the first window that
        nobody bought both before and in.

        Examples
        --------
        >>> split = split_of([("ann", days, ["tea"]) for days in (90, 50, 20, -1)])
        >>> [f"{fold.cut:%Y-%m-%d}" for fold in split.folds(3)]
        ['2023-11-06', '2023-12-04', '2024-01-01']
        """
        folds = [self]
        while len(folds) < n and len((fold := self.earlier(len(folds) * self.holdout_days)).warm):
            folds.insert(0, fold)
        return folds


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
    cut = day_after(transactions) - pd.Timedelta(days=holdout_days)
    split = _cut(matching(transactions, pattern), cut, holdout_days, popularity_days)
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
    return _cut(matching(transactions, pattern), day_after(transactions), 0, popularity_days)


def split_of(orders: list[tuple[str, float, list[str]]]) -> Split:
    """A split of a few orders written by hand, for examples and tests: whom, how long before the cut, what.

    Parameters
    ----------
    orders : list of (customer, days, products)
        Days before the cut, below zero for an order of the 28 days after it. Every product costs 1.

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
    return _cut(table.mutate(amount=ibis.literal(1).cast("decimal(18, 4)")), cut, 28, 28)


def _cut(t: ir.Table, cut: pd.Timestamp, holdout_days: int, popularity_days: int) -> Split:
    table = (
        t.group_by("customer_id", "order_id", "product_id", "ordered_at")
        .aggregate(amount=t.amount.sum().cast("float64"))
        .to_pandas()
    )
    customer, customers = pd.factorize(table["customer_id"], sort=True)
    product, products = pd.factorize(table["product_id"], sort=True)
    before = ((cut - table["ordered_at"]) // pd.Timedelta(microseconds=1)).to_numpy()
    # orders of a customer by the time of their first line, then by id
    named, _ = pd.factorize(table["order_id"], sort=True)
    order = customer.astype("int64") * len(table) + named
    _, of_line = np.unique(order, return_inverse=True)
    first = np.full(of_line.max(initial=-1) + 1, np.iinfo("int64").min)
    np.maximum.at(first, of_line, before)
    by_time = np.lexsort((before, product, order, -first[of_line], customer))
    begins = np.diff(order[by_time], prepend=-1) != 0
    lines = Lines(
        begins.cumsum() - 1,
        product[by_time],
        before[by_time],
        np.rint(table["amount"].to_numpy()[by_time] * CENTS).astype("int64"),
    )
    return _divide(
        lines,
        lines.before > 0,
        customer[by_time][begins],
        pd.Index(customers, name="customer_id"),
        pd.Index(products, name="product_id"),
        cut,
        holdout_days,
        popularity_days,
    )


def _divide(
    lines: Lines, past: np.ndarray, customer: np.ndarray, customers: pd.Index, products: pd.Index, cut: pd.Timestamp,
    holdout_days: int, popularity_days: int,
) -> Split:  # fmt: skip
    """The split of which some lines are the history and the others the future."""
    shape, everybody = (len(customer), len(products)), len(customers)
    of_customer = csr_matrix((np.ones(len(customer)), (customer, np.arange(len(customer)))), (everybody, len(customer)))

    def marked(chosen: np.ndarray) -> csr_matrix:
        """One where an order has a product, on however many lines."""
        ones = csr_matrix((np.ones(chosen.sum()), (lines.order[chosen], lines.product[chosen])), shape)
        ones.data[:] = 1.0
        return ones

    by_order = marked(past)
    before = of_customer @ by_order
    recent = of_customer @ marked(past & (lines.before <= popularity_days * DAY))
    after = (of_customer @ marked(~past)).sign()
    at = (customer[lines.order[~past]], lines.product[~past])
    spent = csr_matrix((lines.amount[~past].astype(float), at), after.shape) / CENTS
    known = before.getnnz(axis=1) > 0
    buyers = pd.DataFrame(
        {"recent": recent.getnnz(axis=0), "before": before.getnnz(axis=0), "product_id": products}
    )[before.getnnz(axis=0) + after.getnnz(axis=0) > 0]  # fmt: skip
    buyers = buyers.sort_values(["recent", "before", "product_id"], ascending=[False, False, True])
    columns = buyers.index.to_numpy()
    history, future, money = (_sorted(matrix[known][:, columns]) for matrix in (before, after, spent))
    accounting = pd.DataFrame(
        [
            _counts("history, before the cut", before),
            _counts("future, from the cut on", after),
            _counts("dropped: customers without a history", after[~known]),
            _counts("evaluated", future),
            _counts(
                "of these not to be found: products without a history", future[:, (buyers["before"] == 0).to_numpy()]
            ),
        ]
    )
    place = np.full(len(products), -1)
    place[columns] = np.arange(len(columns))
    ordered = np.bincount(lines.order[past], minlength=len(customer)) > 0
    kept = Lines(
        (ordered.cumsum() - 1)[lines.order[past]], place[lines.product[past]], lines.before[past], lines.amount[past]
    )
    first = np.zeros(ordered.sum(), dtype="int64")
    np.maximum.at(first, kept.order, kept.before)
    orders = Orders(
        (known.cumsum() - 1)[customer[ordered]],
        first / DAY,
        np.bincount(kept.order, weights=kept.amount, minlength=len(first)) / CENTS,
        _sorted(by_order[ordered][:, columns]),
        kept,
    )
    return Split(
        cut, customers[known], products[columns], history, buyers["recent"].to_numpy(), future, money,
        np.flatnonzero(future.getnnz(axis=1)), accounting, orders, holdout_days, popularity_days,
    )  # fmt: skip


def _sorted(matrix: csr_matrix) -> csr_matrix:
    matrix = csr_matrix(matrix)
    matrix.sort_indices()
    return matrix


def _counts(what: str, bought: csr_matrix) -> dict[str, object]:
    customers, products = (int((bought.getnnz(axis=axis) > 0).sum()) for axis in (1, 0))
    return {"what": what, "customers": customers, "products": products, "pairs": bought.nnz}
