"""Next-basket models: a customer's orders weighted by their age, and those of similar customers."""

from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from customerlab.analysis.recommend.models.base import DIGITS, from_last, largest, weighted_orders
from customerlab.analysis.recommend.split import Split


@dataclass(eq=False)
class UPCF:
    """UP-CF: popularity within a customer's last orders, averaged over similar customers.

    Faggioli, Polato and Aiolli (2020), "Recency aware collaborative filtering for next basket recommendation". With the
    user-wise popularity uwp(u, i), the share of the last min(r, orders of u) orders of u that have i, the score is
    Σ_v s(u, v)^q · uwp(v, i) over all customers, u included, where s is the asymmetric cosine of the sets of products
    that they ever bought: s(u, v) = |u ∩ v| / (|u|^a · |v|^(1 − a)).

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea"]), ("bob", 8, ["tea", "milk"]), ("bob", 7, ["milk"])])
    >>> dict(zip(split.products, UPCF(2, 0.5, 2).fit(split).scores(np.array([0]))[0].tolist()))
    {'tea': 1.25, 'milk': 0.5}
    """

    name = "UP-CF"
    recency: int = 25  # r, how many orders count; 0 for all
    asymmetry: float = 0.5  # a, between 0 and 1; the plain cosine at 0.5
    locality: float = 5.0  # q; the higher, the more the nearest decide

    def fit(self, split: Split) -> Self:
        """Compute the user-wise popularity."""
        behind, count = from_last(split.orders, len(split.customers))
        window = np.minimum(self.recency or count, count)
        self.popular_ = weighted_orders(split, np.where(behind < window, 1.0 / window, 0.0)).T.tocsr()
        self.owned_ = (split.history > 0).astype(float)
        self.sizes_ = np.maximum(np.asarray(self.owned_.sum(axis=1)).ravel(), 1.0)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """User-wise popularity, weighed by similarity."""
        similar = (self.owned_[rows] @ self.owned_.T).toarray()
        similar /= self.sizes_[rows, None] ** self.asymmetry * self.sizes_ ** (1 - self.asymmetry)
        # nearly all are a little alike, so that these are no sparse numbers; summed in the order of customers
        return (self.popular_ @ (similar**self.locality).T).T.round(DIGITS)


@dataclass(eq=False)
class TIFUKNN:
    """TIFU-KNN: temporal item frequency of the customer, and of the nearest customers.

    Hu, He, Gao and Zhang (2020), "Modeling personalized item frequency information for next-basket recommendation".
    Orders are put into groups counted from the latest, so that the oldest may be smaller. An order counts
    within_decay^(later orders in its group), averaged over its group; a group counts group_decay^(later groups),
    averaged over the groups. With f(u) the sums and N(u) the nearest customers by Euclidean distance, the score is
    own_share · f(u) + (1 − own_share) · mean of f(v) over v in N(u).

    `group_size` is of orders, however many groups that makes, as in the paper. The authors' program (TIFUKNN.py in
    github.com/HaojiHu/TIFUKNN) and Cornac's `n_groups` make so many groups of nearly equal size instead, and let
    within_decay run on over all orders: a value that was tuned there means something else here.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea"]), ("ann", 8, ["milk"]), ("bob", 7, ["milk"])])
    >>> model = TIFUKNN(1, within_decay=0.5, group_decay=1, own_share=0.5, group_size=2)
    >>> dict(zip(split.products, model.fit(split).scores(np.array([0]))[0].tolist()))
    {'milk': 0.75, 'tea': 0.125}
    """

    name = "TIFU-KNN"
    neighbours: int = 300  # nearest customers, at most all others; equal distances by the id
    _: KW_ONLY
    within_decay: float = 0.9  # above 0, at most 1, as is the next
    group_decay: float = 0.7
    own_share: float = 0.7  # between 0 and 1
    group_size: int = 7

    def fit(self, split: Split) -> Self:
        """Compute every customer's vector."""
        behind, count = from_last(split.orders, len(split.customers))
        group, place = np.divmod(behind, self.group_size)
        groups = -(-count // self.group_size)
        members = np.where(group == groups - 1, count - (groups - 1) * self.group_size, self.group_size)
        weights = self.within_decay**place / members * self.group_decay**group / groups
        self.vectors_ = weighted_orders(split, weights)
        self.squares_ = np.asarray(self.vectors_.multiply(self.vectors_).sum(axis=1)).ravel()
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The customer's vector mixed with the mean of the nearest ones."""
        own = self.vectors_[rows]
        distances = self.squares_ - 2 * (own @ self.vectors_.T).toarray()  # and the customer's own square, a constant
        distances[np.arange(len(rows)), rows] = np.inf
        most = min(self.neighbours, max(self.vectors_.shape[0] - 1, 0))
        chosen = csr_matrix(largest(-distances.round(DIGITS), most) / max(most, 1))
        mixed = self.own_share * own + (1 - self.own_share) * (chosen @ self.vectors_)
        return mixed.toarray().round(DIGITS)
