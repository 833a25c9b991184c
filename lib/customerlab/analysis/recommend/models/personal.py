"""Models of the customer's own purchases alone; ties, and so all other products, are ranked by popularity."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from customerlab.analysis.recommend.models.base import dense, pairs_of, weighted_orders
from customerlab.analysis.recommend.split import Split


class PersonalFrequency:
    """The products that the customer has ordered most often; ties, and so all others, by popularity.

    The baseline to beat in retail: people buy again what they buy.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 90, ["tea"]), ("ann", 80, ["tea", "milk"]), ("bob", 2, ["milk"])])
    >>> dict(zip(split.products, PersonalFrequency().fit(split).scores(np.array([0]))[0].tolist()))
    {'milk': 1.0, 'tea': 2.0}
    """

    name = "personal frequency"

    def fit(self, split: Split) -> Self:
        """Keep the history."""
        self.history_ = split.history
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The customer's own number of orders of each product."""
        return self.history_[rows].toarray()


@dataclass(eq=False)
class DecayedFrequency:
    """The products that the customer has ordered most often, with older orders weighted less.

    The score of a product is Σ 2^(−days / half_life) over the customer's orders that have it: after `half_life` days an
    order counts half.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 60, ["tea"]), ("ann", 30, ["tea", "milk"])])
    >>> dict(zip(split.products, DecayedFrequency(30).fit(split).scores(np.array([0]))[0].tolist()))
    {'milk': 0.5, 'tea': 0.75}
    """

    name = "personal frequency, decayed"
    half_life: float = 180.0

    def fit(self, split: Split) -> Self:
        """Sum the weights of each customer's orders."""
        self.sums_ = weighted_orders(split, 0.5 ** (split.orders.days / self.half_life))
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The customer's own decayed number of orders of each product."""
        return dense(self.sums_[rows])


@dataclass(eq=False)
class RepurchaseInterval:
    """The products that the customer is most likely to buy again soon, by the intervals between earlier purchases.

    After the modified Poisson-Gamma model of Bhagat, Muralidharan, Lobzhanidze and Vishwanath (2018), "Buy It Again".
    Of a product bought k times, the last time t days ago, at a mean interval of m days (at least one), the rate is

        λ = (k + α) / (t + 2 |m − t| + β)   where k > 1 and t < 2 m, else   λ = (k + α) / (t + β),

    so that a product rests just after it was bought, is due at its interval, and fades after it. The score is
    r · (1 − exp(−λ · horizon)), r being the share of the product's buyers who bought it more than once, drawn towards
    that of all buyers as if `prior` more were there; 0 for what the customer never bought. The prior is the shop's:
    β = α / (purchases per day of all pairs since their first), where the paper fits α and β for every product.

    Examples
    --------
    Ann buys tea every thirty days and milk every ten; both were bought ten days ago.

    >>> from customerlab.analysis.recommend.split import split_of
    >>> orders = [("ann", days, ["tea"]) for days in (100, 70, 40)] + [("ann", days, ["milk"]) for days in (30, 20)]
    >>> split = split_of([*orders, ("ann", 10, ["milk", "tea"])])
    >>> scores = RepurchaseInterval().fit(split).scores(np.array([0]))[0]
    >>> bool(scores[split.products.get_loc("milk")] > scores[split.products.get_loc("tea")])
    True
    """

    name = "repurchase interval"
    alpha: float = 1.0  # α, how many purchases the prior is worth
    prior: float = 20.0  # how many buyers the share of all is worth
    horizon: float = 28.0  # days

    def fit(self, split: Split) -> Self:
        """Estimate the rate of every pair of a customer and a product."""
        pairs, shape = pairs_of(split), split.history.shape
        again = pairs.count > 1
        interval = np.where(again, np.maximum((pairs.first - pairs.last) / np.maximum(pairs.count - 1, 1), 1.0), 0.0)
        beta = self.alpha * pairs.first.sum() / max(pairs.count.sum(), 1.0)
        resting = again & (pairs.last < 2 * interval)
        off = np.where(resting, 2 * np.abs(interval - pairs.last), 0.0)
        rate = (pairs.count + self.alpha) / (pairs.last + off + beta)
        buyers = np.bincount(pairs.column, minlength=shape[1])
        repeated = np.bincount(pairs.column, weights=again, minlength=shape[1])
        overall = repeated.sum() / max(buyers.sum(), 1)
        share = (repeated + self.prior * overall) / np.maximum(buyers + self.prior, 1)
        # nobody ever bought anything twice: the rates alone decide
        share = share if overall > 0 else np.ones(shape[1])
        chance = share[pairs.column] * -np.expm1(-rate * self.horizon)
        self.chances_ = csr_matrix((chance, (pairs.row, pairs.column)), shape=shape)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The chance that the customer buys the product again within the horizon."""
        return dense(self.chances_[rows])
