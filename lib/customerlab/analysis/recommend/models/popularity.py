"""Random and popularity baselines, the same for all customers or for all of a segment."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.recommend.models.base import DIGITS, weighted_orders
from customerlab.analysis.recommend.split import Split


@dataclass(eq=False)
class Random:
    """Products at random: the accuracy of lists without any information.

    A score is the hash of the seed, the customer's id and the product's id, uniform in [0, 1). A customer's list
    therefore depends neither on who else is there nor on how many customers are ranked at once.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 3, ["tea", "milk"]), ("bob", 2, ["tea"])])
    >>> scores = Random(seed=7).fit(split).scores(np.array([0, 1]))
    >>> bool((0 <= scores).all() and (scores < 1).all()), len(np.unique(scores))
    (True, 4)
    """

    name = "random"
    seed: int = 7

    def fit(self, split: Split) -> Self:
        """Hash the ids."""
        self.customers_, self.products_ = (
            pd.util.hash_array(index.to_numpy(dtype=object)) for index in (split.customers, split.products)
        )
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Hashes of customer and product as fractions."""
        seeded = _mix(self.customers_[rows] ^ _mix(np.array([self.seed], dtype=np.uint64)))
        return (_mix(seeded[:, None] ^ self.products_[None, :]) >> np.uint64(11)) / 2.0**53


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input changes half of the output."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class _SameForAll:
    """A model whose scores are those of the products alone."""

    products_: np.ndarray

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The products' scores, for every customer."""
        return np.broadcast_to(self.products_, (len(rows), len(self.products_)))


class Popularity(_SameForAll):
    """The products that most customers bought in the weeks before the split date, the same for everybody.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 90, ["tea"]), ("bob", 80, ["tea"]), ("ann", 2, ["milk"])])
    >>> dict(zip(split.products, Popularity().fit(split).scores(np.array([0]))[0].tolist()))
    {'milk': 1.0, 'tea': 0.0}
    """

    name = "popularity"

    def fit(self, split: Split) -> Self:
        """Take the number of recent buyers of each product."""
        self.products_ = split.recent_buyers.astype(float)
        return self


class AllTimePopularity(_SameForAll):
    """The products that most customers ever bought, the same for everybody.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 90, ["tea"]), ("bob", 80, ["tea"]), ("ann", 2, ["milk"])])
    >>> dict(zip(split.products, AllTimePopularity().fit(split).scores(np.array([0]))[0].tolist()))
    {'milk': 1.0, 'tea': 2.0}
    """

    name = "popularity of all time"

    def fit(self, split: Split) -> Self:
        """Count the buyers of each product."""
        self.products_ = np.asarray((split.history > 0).sum(axis=0), dtype=float).ravel()
        return self


@dataclass(eq=False)
class DecayedPopularity(_SameForAll):
    """The products of most orders, with older orders weighted less; the same for everybody.

    The score of a product is Σ 2^(−days / half_life) over the orders that have it.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 28, ["tea"]), ("bob", 14, ["tea"]), ("ann", 14, ["milk"])])
    >>> dict(zip(split.products, DecayedPopularity(14).fit(split).scores(np.array([0]))[0].tolist()))
    {'tea': 0.75, 'milk': 0.5}
    """

    name = "popularity, decayed"
    half_life: float = 14.0

    def fit(self, split: Split) -> Self:
        """Sum the weights of the orders."""
        self.products_ = (0.5 ** (split.orders.days / self.half_life) @ split.orders.products).round(DIGITS)
        return self


@dataclass(eq=False)
class SegmentPopularity:
    """The products that most customers of the same segment bought in the weeks before the split date.

    Segments are those of recency, frequency and monetary value, each divided at its median over the customers: eight
    at most, equal values always in the same half. Small segments know little, so that the share of buyers is drawn
    towards that among all customers, as if `prior` more were in the segment who buy like all:

        score = (buyers in the segment + prior · buyers / customers) / (customers in the segment + prior).

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 2, ["tea"]), ("ann", 1, ["tea"]), ("bob", 20, ["milk"]), ("cid", 20, ["milk"])])
    >>> SegmentPopularity(prior=0).fit(split).scores(np.array([0, 1, 2])).tolist()
    [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
    """

    name = "popularity in the segment"
    days: float = 28.0  # the length of the weeks
    prior: float = 50.0

    def fit(self, split: Split) -> Self:
        """Form the segments and count their buyers."""
        orders, customers = split.orders, len(split.customers)
        last = np.full(customers, np.inf)
        np.minimum.at(last, orders.customer, orders.days)
        frequency = np.bincount(orders.customer, minlength=customers)
        monetary = np.bincount(orders.customer, weights=orders.amount, minlength=customers).round(4)
        self.segment_ = np.zeros(customers, dtype=int)
        for bit, values in enumerate((last, frequency, monetary) if customers else ()):
            self.segment_ += (values > np.median(values)).astype(int) << bit
        recent = orders.days <= self.days
        bought = (weighted_orders(split, recent.astype(float)) > 0).astype(float)
        members = csr_matrix((np.ones(customers), (self.segment_, np.arange(customers))), shape=(8, customers))
        of_all = np.asarray(bought.sum(axis=0)).ravel() / max(customers, 1)
        sizes = np.asarray(members.sum(axis=1))
        shares = ((members @ bought).toarray() + self.prior * of_all) / np.maximum(sizes + self.prior, 1)
        self.shares_ = shares.round(DIGITS)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The shares of buyers in the customer's segment."""
        return self.shares_[self.segment_[rows]]
