"""What the recommenders share: the interface, the ranking, and sums over the orders of a customer."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.sparse import csr_matrix

from customerlab.analysis.recommend.split import Orders, Split

DIGITS = 10
"""Decimals of a score: sums in another order differ in the sixteenth, and equal scores must stay equal."""


class Model(Protocol):
    """What an evaluated model has."""

    name: str

    def fit(self, split: Split) -> Self:
        """Learn from the history."""

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Scores of all products for some customers, an array of shape (rows, products); higher is better."""


def top(scores: np.ndarray, allowed: np.ndarray, k: int) -> np.ndarray:
    """The k best allowed columns of each row, best first, ties by the order of columns.

    Parameters
    ----------
    scores : array of shape (rows, products)
    allowed : boolean array of the same shape
    k : int

    Returns
    -------
    array of int of shape (rows, k)
        Columns; -1 where fewer than k are allowed.

    Examples
    --------
    >>> top(np.array([[1.0, 3.0, 3.0]]), np.array([[True, True, True]]), 2).tolist()
    [[1, 2]]
    """
    masked = np.where(allowed, scores, -np.inf)
    order = np.argsort(-masked, axis=1, kind="stable")[:, :k]
    chosen = np.where(np.take_along_axis(allowed, order, 1), order, -1)
    if chosen.shape[1] < k:
        chosen = np.pad(chosen, ((0, 0), (0, k - chosen.shape[1])), constant_values=-1)
    return chosen


def dense(matrix: csr_matrix) -> np.ndarray:
    """A sparse matrix as rounded scores."""
    return matrix.toarray().round(DIGITS)


def keep_largest(similar: np.ndarray, most: int) -> csr_matrix:
    """Keep the largest values of each row, ties by the order of columns; what is zero is not kept.

    Examples
    --------
    >>> keep_largest(np.array([[0.5, 0.7, 0.5], [0.0, 0.0, 0.1]]), 2).toarray().tolist()
    [[0.5, 0.7, 0.0], [0.0, 0.0, 0.1]]
    """
    places = np.argsort(-similar, axis=1, kind="stable")[:, :most]
    rows = np.repeat(np.arange(len(similar)), places.shape[1])
    kept = csr_matrix((np.take_along_axis(similar, places, 1).ravel(), (rows, places.ravel())), shape=similar.shape)
    kept.eliminate_zeros()
    return kept


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
    """Every customer and product of the history that belong together, sorted by both.

    Attributes
    ----------
    row, column : array of int
    count : array of float
        Orders of the customer that have the product.
    first, last : array of float
        Days from the first and the last of them to the cut.
    after_first, after_last : array of int
        Orders of the customer after the first and after the last of them.
    """

    row: np.ndarray
    column: np.ndarray
    count: np.ndarray
    first: np.ndarray
    last: np.ndarray
    after_first: np.ndarray
    after_last: np.ndarray


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
