"""Neighbourhood models: products bought by the same customers, customers who buy the same products."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix, diags

from customerlab.analysis.recommend.models.base import DIGITS, dense, keep_largest
from customerlab.analysis.recommend.split import Split

WEIGHTINGS = ("cosine", "TF-IDF", "BM25")
K1, B = 1.2, 0.75  # of BM25


def weighted(history: csr_matrix, weighting: str) -> csr_matrix:
    """What a purchase says of the product, by one of three weightings; products are documents, customers their words.

    Given the transpose, customers are documents and products their words. With n orders of a product by a customer, D
    products that anybody bought, d(u) of them by a customer u, and L(i) the orders of a product i:

    - `cosine`: 1, a purchase is yes or no;
    - `TF-IDF`: √n · log(1 + D / d(u)) (Salton and Buckley 1988): who buys everything says little;
    - `BM25`: log(1 + D / d(u)) · n (k1 + 1) / (n + k1 (1 − b + b · L(i) / mean L)) (Robertson and Zaragoza 2009).

    A ValueError says that there is no such weighting.

    Examples
    --------
    >>> weighted(csr_matrix([[4.0, 0.0], [1.0, 1.0]]), "TF-IDF").toarray().round(3).tolist()
    [[2.197, 0.0], [0.693, 0.693]]
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"there is no weighting {weighting!r}; expected one of {', '.join(WEIGHTINGS)}")
    counts = csr_matrix(history, dtype=float, copy=True)
    if weighting == "cosine":
        return (counts > 0).astype(float)
    bought = np.diff(counts.indptr)
    # a split has columns for products of the future too, whose number no model can know
    sold = len(np.unique(counts.indices))
    idf = np.repeat(np.log1p(sold / np.maximum(bought, 1)), bought)
    if weighting == "TF-IDF":
        counts.data = np.sqrt(counts.data) * idf
        return counts
    length = np.asarray(counts.sum(axis=0)).ravel()
    long = (length / max(length.sum() / max(np.count_nonzero(length), 1), 1e-12))[counts.indices]
    counts.data = idf * counts.data * (K1 + 1) / (counts.data + K1 * (1 - B + B * long))
    return counts


def _unit(matrix: csr_matrix, axis: int) -> csr_matrix:
    """Columns (axis 0) or rows (axis 1) of length one; what is empty stays empty."""
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=axis)).ravel())
    scale = diags(1 / np.maximum(norms, 1e-12))
    return (matrix @ scale if axis == 0 else scale @ matrix).tocsr()


def _to_others(similar: csr_matrix, own: np.ndarray | None = None) -> csr_matrix:
    """Similarities without those of a row to itself, which is in the column `own`.

    They are rounded, so that equal ones are equal whatever the order of the sums behind them.
    """
    own = np.arange(similar.shape[0]) if own is None else own
    similar.data = similar.data.round(DIGITS)
    similar.data[similar.indices == np.repeat(own, np.diff(similar.indptr))] = 0.0
    return similar


def _named(kind: str, weighting: str) -> str:
    return kind if weighting == "cosine" else f"{kind} ({weighting})"


@dataclass(eq=False)
class ItemNeighbours:
    """Products whose buyers are most like the buyers of what the customer has bought.

    The score of a product is the sum of its similarities to the customer's products, of which each product
    keeps the `neighbours` nearest (Sarwar, Karypis, Konstan and Riedl 2001). A similarity is the cosine of the weighted
    purchases of two products, see `weighted`; of the customer, a purchase counts as yes or no.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "milk"]), ("bob", 8, ["tea"]), ("cid", 8, ["jam"])])
    >>> dict(zip(split.products, ItemNeighbours().fit(split).scores(np.array([1]))[0].round(3).tolist()))
    {'tea': 0.0, 'jam': 0.0, 'milk': 0.707}
    """

    neighbours: int = 50  # how many similar products each product keeps
    weighting: str = "cosine"  # or TF-IDF, BM25

    def __post_init__(self) -> None:
        self.name = _named("item neighbours", self.weighting)

    def fit(self, split: Split) -> Self:
        """Compute the similarities."""
        self.history_ = (split.history > 0).astype(float)
        unit = _unit(weighted(split.history, self.weighting), axis=0)
        self.similar_ = keep_largest(_to_others(unit.T.tocsr() @ unit), self.neighbours)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Sums of similarities to the customer's products."""
        return dense(self.history_[rows] @ self.similar_)


@dataclass(eq=False)
class UserNeighbours:
    """Products that the customers with the most similar purchases bought.

    The score of a product is Σ s(u, v) over the `neighbours` customers v nearest to u who bought it, s being the cosine
    of two customers' purchases (Herlocker, Konstan, Borchers and Riedl 1999, for purchases instead of stars), weighed
    as in `weighted` with customers as documents: what everybody buys says little. A customer is not their own
    neighbour; equal similarities go by the customer's id. Who shares no product with anybody scores all products zero.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "milk"]), ("bob", 8, ["tea"]), ("cid", 8, ["jam"])])
    >>> dict(zip(split.products, UserNeighbours().fit(split).scores(np.array([1]))[0].round(3).tolist()))
    {'tea': 0.707, 'jam': 0.0, 'milk': 0.707}
    """

    neighbours: int = 100
    weighting: str = "cosine"  # or TF-IDF, BM25

    def __post_init__(self) -> None:
        self.name = _named("user neighbours", self.weighting)

    def fit(self, split: Split) -> Self:
        """Weigh the purchases."""
        self.history_ = (split.history > 0).astype(float)
        self.unit_ = _unit(weighted(split.history.T.tocsr(), self.weighting).T.tocsr(), axis=1)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Sums of similarities to the buyers among the nearest customers."""
        similar = _to_others((self.unit_[rows] @ self.unit_.T).tocsr(), rows)
        return dense(keep_largest(similar, self.neighbours) @ self.history_)
