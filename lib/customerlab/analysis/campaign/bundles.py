"""Bundles: products that are bought in one order more often than expected, and which of them pay at a discount."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import chdtrc, comb
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import LEAST, LEVEL, benjamini_hochberg, holm

Values = NDArray[np.float64]
AT_ONCE = 200_000  # pairs of orders that are compared at once, which bounds the memory


@dataclass(frozen=True)
class Associations:
    """Pairs and triples of products in the same orders.

    Attributes
    ----------
    pairs : DataFrame
        One row per candidate pair, those of the smallest p-value first: `product_id`, `other_id`, `orders` and
        `other_orders` (with the one and with the other), `both` (orders with both), `customers` (effective number of
        those who placed them, both² / Σ d² for d orders of a customer; Kish 1965),
        `expected` (orders with both, were the two independent within each season), `support` (share of all orders),
        `confidence` (share of the orders with the first that have the second), `confidence_back` (the reverse), `lift`
        (`both` / `expected`) with `low` and `high`, its 95% interval, missing for fewer than `inference.LEAST`
        customers; `mh` and `mh_p`; `p`, `p_adjusted` (Holm) and `q` (Benjamini–Yekutieli).
    triples : DataFrame
        One row per triple that was tested: the three products, `both` (orders with all three), `support`, `lift` (the
        least of the three partitions), `p` and `p_adjusted`.
    orders, customers, products : int
        Orders and customers in the log, and products that are candidates.
    level : float
        Of the adjusted p-values.
    """

    pairs: pd.DataFrame
    triples: pd.DataFrame
    orders: int
    customers: int
    products: int
    level: float

    @property
    def significant(self) -> pd.DataFrame:
        """The pairs that are bought together more often than expected, at the level over all candidates."""
        return self.pairs[self.pairs["p_adjusted"] <= self.level]


@dataclass(frozen=True)
class _Log:
    """Orders, sorted by customer, with the candidate products that they have, and codes of customers and seasons."""

    bought: csr_array
    customer: NDArray[np.int64]
    season: NDArray[np.int64]
    names: pd.Index

    @property
    def customers(self) -> int:
        return int(self.customer.max(initial=-1)) + 1

    def summed(self, season: int | None = None) -> csr_array:
        """The matrix that sums orders, or those of a season, by customer."""
        of = np.flatnonzero(self.season == season) if season is not None else np.arange(len(self.season))
        return csr_array((np.ones(len(of)), (self.customer[of], of)), (self.customers, len(self.season)))

    def counts(self, bought: csr_array) -> tuple[Values, Values]:
        """The orders of each season, of shape (seasons,), and the share of them with each column."""
        n = np.bincount(self.season).astype(float)
        at = (self.season, np.arange(len(self.season)))
        by_season = csr_array((np.ones(len(self.season)), at), (len(n), len(self.season)))
        return n, (by_season @ bought).toarray() / n[:, None]


def associations(
    lines: pd.DataFrame, *, season: str | None = None, most_size: int = 2, least_orders: int = 20, level: float = 0.05
) -> Associations:
    """Products that are bought in one order more often than expected within the season, tested over all candidates.

    Candidates are all pairs of products in at least `least_orders` orders each, also those never bought together:
    p-values adjusted over selected pairs alone promise nothing (Webb 2007, Machine Learning 68). With n orders in a
    season, n1 and n2 of them with the one and the other, `expected` is Σ n1 n2 / n; without a season `lift` is that of
    Brin et al. (1997, SIGMOD). `mh` is the statistic of Mantel and Haenszel (1959) without correction, (both −
    expected)² / Σ n1 (n − n1) n2 (n − n2) / (n² (n − 1)), χ² with one degree of freedom if orders were independent.

    They are not: a customer's tastes persist, so that `mh_p` is too small. `p` is of the same score with the customer
    as the unit: (both − expected) / √Σ u², where u is the sum over a customer's orders of (x1 − n1/n)(x2 − n2/n), and
    x is 1 with the product, else 0 (Liang and Zeger 1986). It is one-sided, for a bundle needs more orders than
    expected, and 1 where there are no more. Each customer of a rare pair adds to u² what it adds to the score, so that
    `p` is conservative for pairs of few customers. The variance of log lift is that of Σ_customers (d / both −
    f / expected), where d are a customer's orders with both and f = d − u, times G / (G − 1) for G customers.

    `p_adjusted` (Holm) decides, as a bundle is made of each pair that is named; `q` is for long lists, and by Benjamini
    and Yekutieli (2001), because pairs share products and depend on each other in ways not known. Triples are tested if
    their three pairs are significant and at least `least_orders` orders have all three: each product against the pair
    of the others, and the largest of the three p-values counts (productive itemsets; Webb 2010, ACM TKDD 4(1)). It is
    adjusted over all triples of candidates (Bonferroni). What large orders have in common is associated too: a season
    made of month and size of the order takes that out. So are products of which each is bought by the same customers.

    Parameters
    ----------
    lines : DataFrame
        Order lines: `customer_id`, `order_id`, `product_id`, and the season. An order of several customers or seasons
        belongs to the first of them. Products bought twice in an order count once.
    season : str, optional
        The column of the season, such as month or quarter; any partition of orders will do.
    most_size : int
        2 for pairs, 3 for triples as well.
    least_orders : int
        Of a candidate product, and of a triple.
    level : float
        Of adjusted p-values; above 0, at most 1, which takes all pairs as significant.

    Returns
    -------
    Associations
        With empty tables where fewer than two products are in enough orders.

    Raises
    ------
    ValueError
        For columns that are lacking, missing values in them, and parameters out of range.

    Examples
    --------
    >>> orders = [("tea", "milk")] * 30 + [("tea",), ("milk",)] * 10 + [("rice",)] * 50
    >>> rows = [(f"c{n}", n, item) for n, items in enumerate(orders) for item in items]
    >>> found = associations(pd.DataFrame(rows, columns=["customer_id", "order_id", "product_id"]))
    >>> found.significant[["product_id", "other_id", "both", "expected", "lift", "low"]].round(2).values.tolist()
    [['milk', 'tea', 30, 16.0, 1.88, 1.53]]
    """
    if most_size not in (2, 3) or least_orders < 1 or not 0 < level <= 1:
        raise ValueError("most_size is 2 or 3, least_orders at least 1, and level above 0 and at most 1.")
    log = _read(lines, season, least_orders)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        pairs, first, second = _pairs(log)
        chosen = (pairs["p_adjusted"].to_numpy() <= level) & (most_size == 3)
        triples = _triples(log, first[chosen], second[chosen], least_orders)
    return Associations(pairs, triples, len(log.customer), log.customers, len(log.names), level)


def _read(lines: pd.DataFrame, season: str | None, least: int) -> _Log:
    """Lines as a matrix of orders and candidate products."""
    keys = ["customer_id", *([] if season is None else [season])]
    lacking = [name for name in [*keys, "order_id", "product_id"] if name not in lines]
    if lacking:
        raise ValueError(f"The lines lack {', '.join(map(repr, lacking))}.")
    rows = lines[[*keys, "order_id", "product_id"]]
    if rows.isna().any(axis=None):
        raise ValueError("Lines have no customer, order, product or season in places; leave these lines out first.")
    owned = rows.sort_values(["order_id", *keys]).drop_duplicates("order_id")
    owned = owned.sort_values(["customer_id", "order_id"], ignore_index=True)
    place = pd.Index(owned["order_id"]).get_indexer(rows["order_id"])
    codes, names = pd.factorize(rows["product_id"], sort=True)
    bought = csr_array((np.ones(len(rows)), (place, codes)), (len(owned), len(names)))
    bought.sum_duplicates()
    bought.data[:] = 1
    kept = np.flatnonzero(bought.sum(axis=0) >= least)
    seasons = np.zeros(len(owned), dtype=int) if season is None else pd.factorize(owned[season], sort=True)[0]
    customer = pd.factorize(owned["customer_id"], sort=True)[0]
    return _Log(bought[:, kept], customer, seasons, pd.Index(names)[kept])


def _pairs(log: _Log) -> tuple[pd.DataFrame, NDArray, NDArray]:
    """All candidate pairs, and the codes of their products."""
    first, second = np.triu_indices(len(log.names), 1)
    at = (first, second)
    n, p = log.counts(log.bought)
    dd, du, uu = (found[at] for found in _moments(log, p))
    expected = ((p * n[:, None]).T @ p)[at]
    both = (log.bought.T @ log.bought).toarray()[at].round().astype(int)
    orders = log.bought.sum(axis=0).round().astype(int)
    spread = (p * (1 - p)).T @ (p * (1 - p) * (n**2 / np.maximum(n - 1, 1))[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):  # pairs never together, and products in all orders
        mh = np.where(spread[at] > 1e-12, (both - expected) ** 2 / spread[at], np.nan)
        weight = 1 / both - 1 / expected  # d / both − f / expected = weight · d + u / expected
        variance = np.maximum(weight**2 * dd + 2 * weight / expected * du + uu / expected**2, 0)
        half = norm.ppf((1 + LEVEL) / 2) * np.sqrt(variance * log.customers / max(log.customers - 1, 1))
        customers = np.where(both > 0, both**2 / dd, 0)
        lift = np.where(expected > 0, both / expected, np.nan)
    half = np.where(customers >= LEAST, half, np.nan)
    ahead = _tail(both, expected, uu, log.customers)
    table = pd.DataFrame({
        "product_id": log.names[first], "other_id": log.names[second], "orders": orders[first],
        "other_orders": orders[second], "both": both, "customers": customers, "expected": expected,
        "support": both / max(len(log.customer), 1), "confidence": both / orders[first],
        "confidence_back": both / orders[second], "lift": lift, "low": lift * np.exp(-half),
        "high": lift * np.exp(half), "mh": mh, "mh_p": chdtrc(1, mh), "p": ahead, "p_adjusted": holm(pd.Series(ahead)),
        "q": _benjamini_yekutieli(pd.Series(ahead)),
    })  # fmt: skip
    rank = np.lexsort((second, first, -lift, ahead))
    return table.iloc[rank].reset_index(drop=True), first[rank], second[rank]


def _tail(both: Values, expected: Values, squares: Values, customers: int) -> Values:
    """The one-sided p-value of the score with the variance by customer; 1 where orders are no more than expected."""
    score = both - expected
    ahead = score > 1e-9 * (both + expected)  # below it is rounding
    least = np.where(ahead, score, 1) ** 2 / max(customers, 1)  # by Cauchy and Schwarz; rounding may leave less
    return np.where(ahead, norm.sf(score / np.sqrt(np.maximum(squares, least))), 1.0)


def _benjamini_yekutieli(p: pd.Series) -> pd.Series:
    """P-values adjusted by Benjamini and Yekutieli (2001), whatever the dependence."""
    return (benjamini_hochberg(p) * (1 / np.arange(1, len(p) + 1)).sum()).clip(upper=1) if len(p) else p


def _moments(log: _Log, p: Values) -> tuple[Values, Values, Values]:
    """For all pairs Σ d², Σ d u and Σ u² over customers, with d orders with both, and u what they add to the score.

    With r = x − p, Σ_customers (Σ_orders r1 r2)² is a sum over pairs of orders of a customer, of (r1 r1') (r2 r2'): so
    it is a product of matrices, of which all but p p', one row per pair of seasons, is sparse.
    """
    size, seasons = len(log.names), len(p)
    number = np.bincount(log.customer)[log.customer]
    begin = np.searchsorted(log.customer, log.customer)
    means = (p[:, None] * p).reshape(seasons**2, size)
    dd, du, uu = np.zeros((3, size, size))
    for block in np.split(np.arange(len(number)), np.flatnonzero(np.diff(np.cumsum(number) // AT_ONCE)) + 1):
        m = number[block]
        one = np.repeat(block, m)
        other = np.arange(len(one)) + np.repeat(begin[block] - np.cumsum(m) + m, m)
        x, y, s, t = log.bought[one], log.bought[other], log.season[one], log.season[other]
        both = x * y
        half = both - _weighted(x, p, t)
        rest = half - _weighted(y, p, s)
        of = csr_array((np.ones(len(one)), (s * seasons + t, np.arange(len(one)))), (seasons**2, len(one)))
        mixed = means.T @ (of @ rest + of.sum(axis=1)[:, None] * means / 2)
        dd += (both.T @ both).toarray()
        du += (half.T @ half).toarray()
        uu += (rest.T @ rest).toarray() + mixed + mixed.T
    return dd, du, uu


def _weighted(bought: csr_array, weights: Values, season: NDArray[np.int64]) -> csr_array:
    """A matrix of orders and columns, times the weight of each column in the season of the order."""
    entries = bought.tocoo()
    row, column = entries.coords
    return csr_array((entries.data * weights[season[row], column], (row, column)), bought.shape)


def _triples(log: _Log, first: NDArray, second: NDArray, least: int) -> pd.DataFrame:
    """Triples of which each pair is one of these, and that are in enough orders, with their test."""
    x, size = log.bought.tocsc(), len(log.names)
    near = csr_array((np.ones(len(first)), (first, second)), (size, size)).toarray() > 0
    met = ((x[:, first] * x[:, second]).T @ x).tocoo()
    of, third = met.coords
    kept = (met.data >= least) & near[first[of], third] & near[second[of], third]
    i, j, k = first[of[kept]], second[of[kept]], third[kept]
    blocks = np.array_split(np.arange(len(i)), len(i) // 1000 + 1)  # which bounds the memory
    p, lift = np.concatenate([_productive(log, x, i[of], j[of], k[of]) for of in blocks], axis=1)
    both = met.data[kept].round().astype(int)
    table = pd.DataFrame({
        "product_id": log.names[i], "other_id": log.names[j], "third_id": log.names[k], "both": both,
        "support": both / max(len(log.customer), 1), "lift": lift, "p": p,
        "p_adjusted": np.minimum(p * comb(size, 3), 1),
    })  # fmt: skip
    return table.iloc[np.lexsort((k, j, i, -lift, p))].reset_index(drop=True)


def _productive(log: _Log, x: csr_array, i: NDArray, j: NDArray, k: NDArray) -> Values:
    """For each triple the largest p-value, and the least lift, of a product against the pair of the others."""
    parts = [_against(log, x[:, one] * x[:, two], x[:, three]) for one, two, three in ((i, j, k), (i, k, j), (j, k, i))]
    return np.array([np.max([p for p, _ in parts], axis=0), np.min([lift for _, lift in parts], axis=0)])


def _against(log: _Log, one: csr_array, other: csr_array) -> tuple[Values, Values]:
    """For each column of one matrix with that of another: the p-value of the score by customer, and the lift."""
    (n, p), (_, q) = log.counts(one), log.counts(other)
    m = np.array([log.summed(s).sum(axis=1) for s in range(len(n))]).reshape(len(n), log.customers)
    together, sums = (one * other).tocsr(), log.summed()
    expected = (p * q * n[:, None]).sum(axis=0)
    alone = sums @ (together - _weighted(one, q, log.season) - _weighted(other, p, log.season))
    # of the u = alone + Σ_seasons m p q of a customer the second part is never zero, so squares are multiplied out
    squares = (alone * alone).sum(axis=0) + 2 * ((alone.T @ m.T).T * p * q).sum(axis=0)
    squares += (p * q * ((m @ m.T) @ (p * q))).sum(axis=0)
    both = together.sum(axis=0)
    return _tail(both, expected, squares, log.customers), both / expected


def choose_bundles(
    pairs: pd.DataFrame, margins: pd.DataFrame, *, discount: float, taken: float, cannibalised: float = 1.0
) -> pd.DataFrame:
    """Expected margin of offering each pair at a discount, less what is given to orders that have both anyway.

    With n1 and n2 orders with the one and the other, n12 with both, prices p and margins m per unit, and
    D = discount · (p1 + p2), over a period like that of the log:

        gain = (n1 − n12)(m2 − D) + (n2 − n12)(m1 − D),    cost = cannibalised · n12 · D,
        expected margin = taken · gain − cost.

    It is assumed, and not estimated from the log, that in a share `taken` of the orders with only one of the two the
    other is added because of the offer, one unit of each, and that no other order changes. Confidence is no estimate of
    this share: it is of orders that have both without an offer. A hold-out can tell it. `break_even` is the share from
    which the bundle pays.

    Parameters
    ----------
    pairs : DataFrame
        Of `associations`, best the significant ones: `product_id`, `other_id`, `orders`, `other_orders`, `both`.
    margins : DataFrame
        One row per product: `product_id`, `price` and `margin` (per unit, before the discount), in the shop's currency.
    discount : float
        Share of the price of both together; from 0, below 1.
    taken : float
        From 0 to 1.
    cannibalised : float
        Share of the orders with both anyway that get the discount, from 0 to 1.

    Returns
    -------
    DataFrame
        One row per pair, by falling expected margin: `product_id`, `other_id`, `both`, `cost`, `gain`, `break_even`
        (missing where no share up to 1 pays), `expected_margin` and `pays` (whether it is above zero; there may be
        none). Pairs with a product without price or margin come last, with missing values.

    Raises
    ------
    ValueError
        For shares out of range, columns that are lacking, and a product with several rows of margins.

    Examples
    --------
    >>> counts = {"orders": [100], "other_orders": [60], "both": [20]}
    >>> money = pd.DataFrame({"product_id": ["a", "b"], "price": [10.0, 20.0], "margin": [4.0, 9.0]})
    >>> pairs = pd.DataFrame({"product_id": ["a"], "other_id": ["b"]} | counts)
    >>> chosen = choose_bundles(pairs, money, discount=0.1, taken=0.2)
    >>> chosen[["cost", "gain", "break_even", "expected_margin"]].round(3).values.tolist(), chosen["pays"].tolist()
    ([[60.0, 520.0, 0.115, 44.0]], [True])
    """
    lacking = [name for name in ("product_id", "price", "margin") if name not in margins]
    lacking += [name for name in ("product_id", "other_id", "orders", "other_orders", "both") if name not in pairs]
    if lacking:
        raise ValueError(f"The tables lack {', '.join(map(repr, lacking))}.")
    if not 0 <= discount < 1 or not 0 <= taken <= 1 or not 0 <= cannibalised <= 1:
        raise ValueError("discount is from 0 and below 1; taken and cannibalised are from 0 to 1.")
    money = margins.set_index("product_id")[["price", "margin"]].astype(float)
    if not money.index.is_unique:
        raise ValueError("The margins have several rows for a product.")
    one, other = (money.reindex(pairs[name]).reset_index(drop=True) for name in ("product_id", "other_id"))
    table = pairs[["product_id", "other_id", "both"]].reset_index(drop=True)
    off = discount * (one["price"] + other["price"])
    alone, other_alone = (pairs[name].reset_index(drop=True) - table["both"] for name in ("orders", "other_orders"))
    table["cost"] = cannibalised * table["both"] * off
    table["gain"] = alone * (other["margin"] - off) + other_alone * (one["margin"] - off)
    share = table["cost"] / table["gain"].where(table["gain"] > 0)
    table["break_even"] = share.where(share <= 1)
    table["expected_margin"] = taken * table["gain"] - table["cost"]
    table["pays"] = table["expected_margin"] > 0
    by = ["expected_margin", "product_id", "other_id"]
    return table.sort_values(by, ascending=[False, True, True], ignore_index=True)
