"""Shared by the recommenders: the interface, ranking, and sums over the orders of a customer."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.sparse import csr_matrix, vstack

from customerlab.analysis.recommend.split import Orders, Split

CELLS = 2_000_000  # numbers of a dense part of a matrix, which memory that has been used before has room for
BATCH, SCORES = 512, 8_000_000  # customers, and customers times products, ranked at once, which bounds memory
DIGITS = 10
"""Decimals of a score: sums in another order differ in the sixteenth, and equal scores must stay equal."""


class Model(Protocol):
    """The interface of a model."""

    name: str

    def fit(self, split: Split) -> Self:
        """Learn from the history."""

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Scores of all products for some customers, an array of shape (rows, products); higher is better."""


def top(scores: np.ndarray, allowed: np.ndarray, k: int) -> np.ndarray:
    """The k best allowed columns of each row, best first, ties by the order of columns; -1 where fewer are allowed.

    `scores` and `allowed` have the shape (rows, products), the lists (rows, k).

    Examples
    --------
    >>> top(np.array([[1.0, 3.0, 3.0]]), np.array([[True, True, True]]), 2).tolist()
    [[1, 2]]
    """
    masked = np.where(allowed, scores, -np.inf)
    row, column = np.nonzero(largest(masked, k))
    order = np.lexsort((column, -masked[row, column], row))
    lists = np.full((len(scores), k), -1)
    lists[row, np.arange(len(row)) - np.searchsorted(row, row)] = column[order]
    return lists


def largest(values: np.ndarray, most: int) -> np.ndarray:
    """Which are the largest values of each row, ties by the order of columns; what is minus infinity is none of them.

    Rows are not sorted: they are long, and few of their values are wanted.

    Examples
    --------
    >>> largest(np.array([[0.5, 0.7, 0.5], [0.0, -np.inf, 0.1]]), 2).tolist()
    [[True, True, False], [True, False, True]]
    """
    if most >= values.shape[1]:
        return values > -np.inf
    least = np.partition(values, -most, axis=1)[:, -most, None] if most else np.full((len(values), 1), np.inf)
    chosen = values >= np.maximum(least, np.finfo(float).min)
    tied = np.flatnonzero(chosen.sum(axis=1) > most)  # more reach the last place than there is room for
    if len(tied):
        above, level = values[tied] > least[tied], values[tied] == least[tied]
        room = most - above.sum(axis=1, keepdims=True)
        chosen[tied] = above | (level & (level.cumsum(axis=1, dtype="int32") <= room))
    return chosen


def batches(rows: np.ndarray, width: int) -> list[np.ndarray]:
    """Customers in batches small enough to be scored at once; at least one."""
    size = max(1, min(BATCH, SCORES // max(width, 1)))
    return [rows[begin : begin + size] for begin in range(0, max(len(rows), 1), size)]


def dense(matrix: csr_matrix) -> np.ndarray:
    """A sparse matrix as rounded scores."""
    return matrix.toarray().round(DIGITS)


def keep_largest(similar: csr_matrix, most: int) -> csr_matrix:
    """Keep the largest values of each row, none of which is below zero, ties by the order of columns."""
    size = max(1, CELLS // max(similar.shape[1], 1))
    parts = []
    for begin in range(0, max(similar.shape[0], 1), size):
        part = similar[begin : begin + size].toarray()
        parts.append(csr_matrix(np.where(largest(part, most), part, 0.0)))
    return vstack(parts, format="csr")


def from_last(orders: Orders, customers: int) -> tuple[np.ndarray, np.ndarray]:
    """For every order, how many later ones its customer has, and how many orders in all.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea"]), ("ann", 3, ["tea"]), ("bob", 5, ["tea"])])
    >>> [part.tolist() for part in from_last(split.orders, 2)]
    [[1, 0, 0], [2, 2, 1]]
    """
    counts = np.bincount(orders.customer, minlength=customers)
    ends = counts.cumsum()
    return ends[orders.customer] - 1 - np.arange(len(orders.customer)), counts[orders.customer]


def weighted_orders(split: Split, weights: np.ndarray) -> csr_matrix:
    """The sum of the weights of a customer's orders that have a product, of the shape of the history."""
    orders = split.orders
    count = len(orders.customer)
    summing = csr_matrix((weights, (orders.customer, np.arange(count))), shape=(len(split.customers), count))
    summed = (summing @ orders.products).tocsr()
    summed.sort_indices()
    return summed


@dataclass(frozen=True)
class Pairs:
    """Every customer and product of the history that belong together, as arrays sorted by both."""

    row: np.ndarray
    column: np.ndarray
    count: np.ndarray  # orders of the customer that have the product
    first: np.ndarray  # days from the first of them to the split date
    last: np.ndarray  # and from the last
    after_first: np.ndarray  # orders of the customer after the first of them
    after_last: np.ndarray  # and after the last


def pairs_of(split: Split) -> Pairs:
    """When each customer bought each product first and last, and how often.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> pairs = pairs_of(split_of([("ann", 9, ["tea"]), ("ann", 3, ["tea"]), ("bob", 5, ["tea"])]))
    >>> pairs.count.tolist(), pairs.first.tolist(), pairs.last.tolist()
    ([2.0, 1.0], [9.0, 5.0], [3.0, 5.0])
    """
    lines = split.orders.products.tocoo()
    row = split.orders.customer[lines.row]
    order = np.lexsort((lines.row, lines.col, row))  # from the oldest order of a pair to its latest
    row, column, of = row[order], lines.col[order], lines.row[order]
    days, after = split.orders.days[of], from_last(split.orders, len(split.customers))[0][of]
    begins = np.flatnonzero(np.r_[True, (np.diff(row) != 0) | (np.diff(column) != 0)][: len(row)])
    ends = np.r_[begins[1:], len(row)] - 1 if len(begins) else begins
    count = (ends - begins + 1).astype(float)
    return Pairs(row[begins], column[begins], count, days[begins], days[ends], after[begins], after[ends])
