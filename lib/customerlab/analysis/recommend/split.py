"""Temporal split: one date for everybody, with purchases before it known and purchases after it to be predicted."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.orders import day_after, matching
from customerlab.analysis.recommend.log import CENTS, DAY, NEVER, Log, log_of

FUTURE, COLD = (
    "bought in the window",
    "excluded: no history (cold start)",
)  # rows of an accounting


@dataclass(frozen=True)
class Orders:
    """The orders of the history, one by one, for models that ask when and with what a product was bought.

    An order is a customer's: where two customers share an order's id, each has one of their own. Its time is that of
    its first line. Orders of which a line is left are sorted by customer, from the oldest to the latest, ties by the
    id.
    """

    customer: np.ndarray  # the row of the customer
    days: np.ndarray  # from the order to the split date, above zero
    amount: np.ndarray  # the money of the order's lines
    products: csr_matrix  # orders by products, one where the order has it; its sums by customer are the history


@dataclass(frozen=True)
class Split:
    """A log split at a date, as matrices of customers by products.

    Products are numbered by falling popularity in the weeks before the split date (customers who bought them, then
    buyers of all time, ties by id), so that the order of columns is the tie-break of every model.

    A line that a return had annulled by the split date is no purchase of the history, nor is any line of a product that
    the customer had returned in full; a line of the future is none where a return annulled it by the future's end.

    Attributes
    ----------
    date : Timestamp
        Orders before it are the history, orders from it on the future. An order with lines on both sides is on both.
    customers, products : Index
        The rows, all customers of the history, and the columns, all products. Customers who returned everything have no
        row.
    history : sparse matrix of shape (customers, products)
        In how many orders before the split date a customer bought a product.
    recent_buyers : array of shape (products,)
        How many customers bought the product in the weeks before the split date.
    future : sparse matrix of the shape of the history
        One where a customer bought a product from the split date on. Products without a history are in it: no model can
        know them, and they count as not found.
    spent : sparse matrix of the shape of the history
        The money that the customer spent on the product from the split date on, of lines that were kept.
    sent_back : sparse matrix of the shape of the history
        One where the customer had returned in full, by the split date, what they bought of the product: it is on no
        list.
    warm : array of int
        The customers (rows) with a history who bought in the future: those that are evaluated.
    accounting : DataFrame
        `what`, `customers`, `products`, `pairs`: kept and excluded at every step.
    orders : Orders
        The orders that the history counts.
    log : Log
        All that was known on the split date: what an earlier split is made from.
    holdout_days, popularity_days : int
        The length of the future, and of the weeks before the split date.
    """

    date: pd.Timestamp
    customers: pd.Index
    products: pd.Index
    history: csr_matrix
    recent_buyers: np.ndarray
    future: csr_matrix
    spent: csr_matrix
    warm: np.ndarray
    accounting: pd.DataFrame
    sent_back: csr_matrix
    orders: Orders
    log: Log
    holdout_days: int
    popularity_days: int

    def earlier(self, days: int, holdout_days: int | None = None) -> "Split":
        """The split of some days ago, made from the history alone, for training and tuning.

        It is `split_by_time` of the log as it was when the earlier future ended, and cannot see what came after. The
        earlier future is as long as this split's by default, or `days` where it has none; a ValueError says that it
        would not end by this split's date.

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
                f"the split date moves back by {days} days, and the earlier future lasts {length}; expected at least 1 day and "
                "no more than the split date moves, or it would reach into what is to be predicted"
            )
        known = self.log.known((days - length) * DAY, days * DAY)
        return _divide(known, self.date - pd.Timedelta(days=days), length, self.popularity_days)

    def barred(self, *, only_new: bool = False) -> csr_matrix:
        """Above zero where a product may not be on a customer's list: it was returned or, if asked, is owned."""
        return (self.sent_back + self.history).tocsr() if only_new else self.sent_back

    def divided(self, log: Log, past: np.ndarray, date: pd.Timestamp, holdout_days: int) -> "Split":
        """Another split of lines of this log: `past` says which of them are the history, the others the future."""
        return _divide(log, date, holdout_days, self.popularity_days, past)

    def folds(self, n: int) -> list["Split"]:
        """Rolling origins: windows of the length of this split's future, the oldest first and this split, the test,
        last.

        The others are made by `earlier` and do not overlap. There are n, or as many as the log has: it ends at the
        first window that nobody bought both before and in.

        Examples
        --------
        >>> split = split_of([("ann", days, ["tea"]) for days in (90, 50, 20, -1)])
        >>> [f"{fold.date:%Y-%m-%d}" for fold in split.folds(3)]
        ['2023-11-06', '2023-12-04', '2024-01-01']
        """
        folds = [self]
        while len(folds) < n and len((fold := self.earlier(len(folds) * self.holdout_days)).warm):
            folds.insert(0, fold)
        return folds


def split_by_time(
    transactions: ir.Table,
    holdout_days: int,
    *,
    popularity_days: int = 28,
    pattern: str = "",
    returns: ir.Table | None = None,
) -> Split:
    """Split a log at midnight, `holdout_days` before the day after its last order.

    Parameters
    ----------
    transactions, returns : ibis Table
        Canonical. Without returns every line counts.
    holdout_days : int
        The length of the future. A ValueError says that no customer bought both before and after the split date.
    popularity_days : int
        The length of the weeks before the split date in which popularity is counted.
    pattern : str
        A regular expression; products whose id does not match it (postage, fees) are left out. Empty for all.
    """
    date = day_after(transactions) - pd.Timedelta(days=holdout_days)
    split = _divide(log_of(matching(transactions, pattern), returns, date), date, holdout_days, popularity_days)
    if len(split.warm) == 0:
        raise ValueError(
            f"nobody bought both before and after {split.date:%Y-%m-%d}; expected at least one customer, "
            f"choose another holdout_days than {holdout_days}"
            + (f", or fix product_pattern = {pattern!r}" if pattern else "")
        )
    return split


def whole_log(
    transactions: ir.Table, *, popularity_days: int = 28, pattern: str = "", returns: ir.Table | None = None
) -> Split:
    """The whole log as history, without a future: the training data for the recommendations of today.

    Parameters are as in `split_by_time`; a return after the last order is known, too.
    """
    date = day_after(transactions)
    return _divide(log_of(matching(transactions, pattern), returns, date, whole=True), date, 0, popularity_days)


def split_of(
    orders: list[tuple[str, float, list[str]]], returned: list[tuple[str, float, list[str]]] | None = None
) -> Split:
    """A split of a few orders written by hand, for examples and tests: customer, days before the split date, products.

    Days are below zero for an order of the 28 days after the split date, and every product costs 1. Of what was
    returned, one piece of each product came back.

    Examples
    --------
    >>> split = split_of([("ann", 9, ["tea"]), ("ann", 2, ["tea", "milk"]), ("bob", 5, ["milk"]), ("bob", -1, ["tea"])])
    >>> split.customers.tolist(), split.products.tolist(), split.history.toarray().tolist(), split.warm.tolist()
    (['ann', 'bob'], ['milk', 'tea'], [[1.0, 2.0], [1.0, 0.0]], [1])
    """
    date = pd.Timestamp("2024-01-01")

    def table_of(written: list[tuple[str, float, list[str]]], quantity: float) -> ir.Table:
        lines = [
            (customer, f"{number:06d}", date - pd.Timedelta(days=days), product)
            for number, (customer, days, products) in enumerate(written)
            for product in products
        ]
        frame = pd.DataFrame(lines, columns=["customer_id", "order_id", "ordered_at", "product_id"])
        table = ibis.memtable(frame.astype({"ordered_at": "datetime64[us]"}))
        one = ibis.literal(quantity)
        return table.mutate(quantity=one, unit_price=ibis.literal(1.0), amount=one.cast("decimal(18, 4)"))

    back = None if returned is None else table_of(returned, -1.0)
    return _divide(log_of(table_of(orders, 1.0), back, date), date, 28, 28)


def _divide(
    log: Log, date: pd.Timestamp, holdout_days: int, popularity_days: int, past: np.ndarray | None = None
) -> Split:
    """The split of a log; its past are the lines before the split date, or those that are said to be."""
    past = log.before > 0 if past is None else past
    shape, everybody = (len(log.customer), len(log.products)), len(log.customers)
    of_customer = csr_matrix((np.ones(shape[0]), (log.customer, np.arange(shape[0]))), (everybody, shape[0]))

    def marks(chosen: np.ndarray) -> csr_matrix:
        """One where an order has a product, on however many lines."""
        ones = csr_matrix((np.ones(chosen.sum()), (log.order[chosen], log.product[chosen])), shape)
        ones.data[:] = 1.0
        return ones

    own, later = past & (log.returned <= 0) & ~log.refused(), ~past & (log.returned == NEVER)
    by_order = marks(own)
    before = of_customer @ by_order
    recent = of_customer @ marks(own & (log.before <= popularity_days * DAY))
    after = (of_customer @ marks(later)).sign()
    at = (log.customer[log.order[later]], log.product[later])
    spent = csr_matrix((log.amount[later].astype(float), at), after.shape) / CENTS
    known = before.getnnz(axis=1) > 0
    counts = {"recent": recent.getnnz(axis=0), "before": before.getnnz(axis=0), "product_id": log.products}
    buyers = pd.DataFrame(counts)[before.getnnz(axis=0) + after.getnnz(axis=0) > 0]
    buyers = buyers.sort_values(["recent", "before", "product_id"], ascending=[False, False, True])
    columns = buyers.index.to_numpy()
    history, future, money, sent_back = (
        _sorted(matrix[known][:, columns]) for matrix in (before, after, spent, log.sent_back())
    )
    bought = [(of_customer @ marks(part)).sign() for part in (past, ~past)]
    rows = [
        ("history before the split date", before),
        ("pairs not counted above: returned by the split date", (bought[0] - before.sign()).tocsr()),
        (FUTURE, after),
        ("pairs not counted above: returned in the window", (bought[1] - after).tocsr()),
        (COLD, after[~known]),
        ("evaluated", future),
        ("of these cold-start items", future[:, (buyers["before"] == 0).to_numpy()]),
    ]
    accounting = [
        counted(*row)
        for row in rows
        if row[1].nnz or not row[0].endswith(("returned by the split date", "returned in the window"))
    ]
    first = np.full(shape[0], NEVER)
    np.maximum.at(first, log.order[past], log.before[past])
    ordered = by_order.getnnz(axis=1) > 0
    money_of = np.bincount(log.order[own], weights=log.amount[own], minlength=shape[0]) / CENTS
    orders = Orders(
        (known.cumsum() - 1)[log.customer[ordered]],
        first[ordered] / DAY,
        money_of[ordered],
        _sorted(by_order[ordered][:, columns]),
    )
    return Split(
        date, log.customers[known], log.products[columns], history, buyers["recent"].to_numpy(), future, money,
        np.flatnonzero(future.getnnz(axis=1)), pd.DataFrame(accounting), sent_back, orders,
        log.some(past).known(0, 0), holdout_days, popularity_days,
    )  # fmt: skip


def _sorted(matrix: csr_matrix) -> csr_matrix:
    matrix = csr_matrix(matrix)
    matrix.sort_indices()
    return matrix


def counted(what: str, bought: csr_matrix) -> dict[str, object]:
    """A row of an accounting of pairs of a customer and a product."""
    customers, products = (int((bought.getnnz(axis=axis) > 0).sum()) for axis in (1, 0))
    return {"what": what, "customers": customers, "products": products, "pairs": bought.nnz}
