"""Three recommenders behind one small interface: `fit(split)`, then `scores(rows)`.

The columns of a split are products by falling popularity. Where scores tie, the more popular product comes first,
in every model. Models read the split's history, never its future.
"""

from typing import Protocol, Self

import numpy as np
from scipy.sparse import csr_matrix, diags

from customerlab.analysis.recommend.split import Split


class Model(Protocol):
    """What an evaluated model has."""

    name: str

    def fit(self, split: Split) -> Self:
        """Learn from the history."""

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Scores of all products for some customers, an array of shape (rows, products); higher is better."""


class Popularity:
    """The products that most customers bought in the weeks before the cut, the same for everybody."""

    name = "popularity"

    def fit(self, split: Split) -> Self:
        """Take the number of recent buyers of each product."""
        self.buyers_ = split.recent_buyers.astype(float)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The number of buyers, for every customer."""
        return np.broadcast_to(self.buyers_, (len(rows), len(self.buyers_)))


class PersonalFrequency:
    """The products that the customer has ordered most often; ties, and so all others, by popularity.

    The baseline to beat in retail: people buy again what they buy.
    """

    name = "personal frequency"

    def fit(self, split: Split) -> Self:
        """Keep the history."""
        self.history_ = split.history
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The customer's own number of orders of each product."""
        return self.history_[rows].toarray()


class ItemNeighbours:
    """Products whose buyers are most like the buyers of what the customer has bought.

    The score of a product is the sum of its cosine similarities to the customer's products, of which each product
    keeps the `neighbours` nearest (Sarwar, Karypis, Konstan and Riedl 2001). Purchases count as yes or no.

    Parameters
    ----------
    neighbours : int
        How many similar products each product keeps.
    """

    name = "item neighbours"

    def __init__(self, neighbours: int = 50) -> None:
        self.neighbours = neighbours

    def fit(self, split: Split) -> Self:
        """Compute the similarities."""
        self.history_ = (split.history > 0).astype(float)
        norms = np.sqrt(np.asarray(self.history_.sum(axis=0)).ravel())
        unit = self.history_ @ diags(1 / np.maximum(norms, 1e-12))
        similar = (unit.T @ unit).toarray()
        np.fill_diagonal(similar, 0.0)
        # ten decimals, so that equal similarities are equal whatever the order of the sums behind them
        self.similar_ = _keep_largest(similar.round(10), self.neighbours)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Sums of similarities to the customer's products."""
        return (self.history_[rows] @ self.similar_).toarray().round(10)


def _keep_largest(similar: np.ndarray, most: int) -> csr_matrix:
    """Keep the largest values of each row, ties by the order of columns."""
    places = np.argsort(-similar, axis=1, kind="stable")[:, :most]
    rows = np.repeat(np.arange(len(similar)), places.shape[1])
    kept = csr_matrix((np.take_along_axis(similar, places, 1).ravel(), (rows, places.ravel())), shape=similar.shape)
    kept.eliminate_zeros()
    return kept


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
