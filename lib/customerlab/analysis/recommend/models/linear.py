"""Linear models over all products: EASE^R predicts each from all others, PureSVD compresses."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, lapack
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from customerlab.analysis.recommend.models.base import DIGITS
from customerlab.analysis.recommend.split import Split

BLOCK = 512  # columns that are mirrored at once, which fit a processor's memory


@dataclass(eq=False)
class EASE:
    """EASE^R: each product predicted from all others by ridge regression, in closed form.

    Steck (2019), "Embarrassingly shallow autoencoders for sparse data". With X the customers by products (yes or no)
    and P = (XᵀX + λ I)⁻¹, the weights are B = −P / diag(P) by column, zero on the diagonal, and the scores X B. What
    the customer bought is scored from the other products; a product that nobody bought is predicted zero.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "milk"]), ("bob", 8, ["tea"]), ("cid", 8, ["jam"])])
    >>> dict(zip(split.products, EASE(1).fit(split).scores(np.array([1]))[0].round(3).tolist()))
    {'tea': 0.0, 'jam': 0.0, 'milk': 0.333}
    """

    name = "EASE"
    penalty: float = 200.0  # λ, above zero

    def __post_init__(self) -> None:
        if not self.penalty > 0:
            raise ValueError(f"the penalty of EASE is {self.penalty}; expected a number above zero")

    def fit(self, split: Split) -> Self:
        """Invert the products' matrix."""
        self.owned_ = (split.history > 0).astype(float)
        # products of the future are the last columns; nothing predicts them, and they predict nothing
        sold = self.owned_[:, : self.owned_.indices.max(initial=0) + 1]
        gram = (sold.T @ sold).toarray().T  # as LAPACK has its columns
        gram[np.diag_indices_from(gram)] += self.penalty
        with threadpool_limits(1):  # rounding hides most of what other sums leave, one thread all of it
            factor, lower = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
            inverse, failed = lapack.dpotri(factor, lower=lower, overwrite_c=True)
        if failed:
            raise LinAlgError(f"dpotri ended {failed}")
        weights = inverse.T  # of which the upper triangle is filled
        for begin in range(0, len(weights), BLOCK):
            part = slice(begin, begin + BLOCK)
            weights[begin + BLOCK :, part] = weights[part, begin + BLOCK :].T
            weights[part, part] = np.triu(weights[part, part]) + np.triu(weights[part, part], 1).T
        weights /= -np.diag(weights)
        np.fill_diagonal(weights, 0.0)
        self.weights_ = np.zeros((self.owned_.shape[1],) * 2) if len(weights) < self.owned_.shape[1] else weights
        weights.round(DIGITS, out=self.weights_[: len(weights), : len(weights)])
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Predictions from the customer's products."""
        return (self.owned_[rows] @ self.weights_).round(DIGITS)


@dataclass(eq=False)
class PureSVD:
    """PureSVD: a low-rank approximation of the customers by products matrix.

    Cremonesi, Koren and Turrin (2010), "Performance of recommender algorithms on top-N recommendation tasks". With V
    the first `factors` right singular vectors of X (yes or no), the scores are X V Vᵀ; X itself where there are no
    more. Where the last direction that is wanted and the next are equally strong, none of the equal ones is taken, so
    that equal products get equal scores.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "milk"]), ("bob", 8, ["tea"]), ("cid", 8, ["jam"])])
    >>> dict(zip(split.products, PureSVD(1).fit(split).scores(np.array([1]))[0].round(3).tolist()))
    {'tea': 0.724, 'jam': 0.0, 'milk': 0.447}
    """

    name = "PureSVD"
    factors: int = 50

    def fit(self, split: Split) -> Self:
        """Find the directions."""
        self.owned_ = (split.history > 0).astype(float)
        # products of the future have columns too; without them the numbers are the same to the last digit
        sold = np.unique(self.owned_.indices)
        with threadpool_limits(1):
            strengths, of_sold = _strongest(self.owned_[:, sold], self.factors + 1)
        directions = np.zeros((len(strengths), self.owned_.shape[1]))
        directions[:, sold] = of_sold
        wanted = strengths > max(strengths.max(initial=0.0), 1.0) * 1e-9
        if len(strengths) > self.factors:
            wanted &= strengths > strengths[self.factors] * (1 + 1e-9)
        self.directions_ = directions[wanted].T
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The customer's products, compressed and read back."""
        with threadpool_limits(1):
            return ((self.owned_[rows] @ self.directions_) @ self.directions_.T).round(DIGITS)


def _strongest(matrix: csr_matrix, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest singular values, falling, and the right singular vectors as rows; all where `most` are not there."""
    if most >= min(matrix.shape) or min(matrix.shape) <= 200:
        _, strengths, directions = np.linalg.svd(matrix.toarray(), full_matrices=False)
        return strengths[:most], directions[:most]
    # begun at a fixed vector and iterated to the last digit, so that the start is not seen in the result
    start = np.random.default_rng(0).standard_normal(min(matrix.shape))
    _, strengths, directions = svds(matrix, most, v0=start, tol=0)
    order = np.argsort(-strengths)
    return strengths[order], directions[order]
