"""A random walk from a customer over products and their buyers to other products."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix, diags

from customerlab.analysis.recommend.models.base import DIGITS, dense, keep_largest
from customerlab.analysis.recommend.split import Split


@dataclass(eq=False)
class RP3beta:
    """RP3β: the end of a random walk of three steps from the customer, with popular products discounted.

    Paudel, Christoffel, Newell and Bernstein (2017), "Updatable, accurate, diverse, and scalable recommendations for
    interactive applications". With p(i|u) = 1 / |products of u| and p(u|i) = 1 / |buyers of i|, each to the power of
    `alpha`, the score of a product j is Σ_i p(i|u) · Σ_v p(v|i) · p(j|v) / |buyers of j|^beta, scaled so that the
    likeliest step between two products is 1. A walk may come back: products that the customer bought have a score, too.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "milk"]), ("bob", 8, ["tea"]), ("cid", 8, ["jam"])])
    >>> dict(zip(split.products, RP3beta(beta=0).fit(split).scores(np.array([1]))[0].tolist()))
    {'tea': 0.75, 'jam': 0.0, 'milk': 0.25}
    """

    name = "RP3beta"
    alpha: float = 1.0
    beta: float = 0.6  # 0 for the plain walk; the higher, the less popular the products
    neighbours: int = 200  # how many products each product leads to, the likeliest

    def fit(self, split: Split) -> Self:
        """Compute the steps from product to product."""
        owned = (split.history > 0).astype(float)
        products = np.maximum(np.asarray(owned.sum(axis=1)).ravel(), 1.0)
        buyers = np.maximum(np.asarray(owned.sum(axis=0)).ravel(), 1.0)
        self.from_customer_: csr_matrix = (diags(products**-self.alpha) @ owned).tocsr()
        to_customer = (diags(buyers**-self.alpha) @ owned.T).tocsr()
        steps = (to_customer @ self.from_customer_).tocsr()
        steps.data *= (buyers**-self.beta)[steps.indices]
        steps.data = (steps.data / max(steps.data.max(initial=0.0), 1e-300)).round(DIGITS)
        self.steps_ = keep_largest(steps, self.neighbours)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Where the walks end."""
        return dense(self.from_customer_[rows] @ self.steps_)
