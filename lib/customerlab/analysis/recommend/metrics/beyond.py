"""What lists are like beyond what they find: new, varied, surprising, popular, true to taste. One value a customer."""

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.stats import rankdata

from customerlab.analysis.recommend.metrics.lists import Lists, pick, ratio, unit

HEAD = 0.8  # the share of purchases that makes up the head of the catalogue
SMOOTHING = 0.01  # of the taste in the list's categories, so that the divergence stays finite (Steck 2018)


def novelty(lists: Lists, definition: str = "discovery") -> np.ndarray:
    """The mean self-information of a list in bits, -log2 p (Zhou et al. 2010).

    Parameters
    ----------
    lists : Lists
        With the history, or buyers and population.
    definition : {"discovery", "choice", "complement"}
        p is the share of customers who bought the product; the share of the product in all pairs of customer and
        product bought (the two models of Castells, Vargas and Wang 2011); or instead of the logarithm 1 - p with
        customers (expected popularity complement, Vargas and Castells 2011).

    Returns
    -------
    array of shape (customers,)
        Between 0 and log2 of the customers, or of the pairs: a product that nobody has bought counts as bought by one.
        NaN for an empty list.

    Examples
    --------
    >>> lists = Lists.of([[0], [1]], [[0], [0]], products=2, history=[[0], [0, 1]])
    >>> novelty(lists).tolist()
    [0.0, 1.0]
    """
    buyers = np.maximum(lists.need("buyers"), 1)
    options = {
        "discovery": lambda: -np.log2(buyers / lists.need("population")),
        "choice": lambda: -np.log2(buyers / max(lists.need("buyers").sum(), 1)),
        "complement": lambda: 1 - lists.need("buyers") / lists.need("population"),
    }
    return lists.mean(pick(definition, options)[lists.ranked] + 0.0)


def diversity(lists: Lists) -> np.ndarray:
    """Intra-list diversity: the mean of 1 - cosine over all pairs of a list (Smyth and McClave 2001).

    Computed without pairs: Σ over pairs of cosines = (|Σ unit vectors|² - Σ |unit vectors|²) / 2.

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1 where no feature is negative. A product without features is unlike any other. NaN for fewer
        than two products.

    Examples
    --------
    >>> lists = Lists.of([[0, 1, 2]], [[0]], products=3, vectors=csr_matrix([[1, 0], [2, 0], [0, 1]]))
    >>> diversity(lists).round(4).tolist()
    [0.6667]
    """
    vectors = unit(lists.need("vectors"))
    total = lists.incidence @ vectors
    own = lists.incidence @ np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    square = np.asarray(total.multiply(total).sum(axis=1)).ravel()
    alike = ratio(square - own, lists.length * (lists.length - 1))
    return np.where(np.isnan(alike), np.nan, np.clip(1 - alike, 0, 2))


def serendipity(lists: Lists, definition: str = "unexpected") -> np.ndarray:
    """Hits that could not be expected, divided by k.

    Parameters
    ----------
    lists : Lists
    definition : {"unexpected", "rank", "distance"}
        A hit counts 1 unless the product is among the k most bought (Ge, Delgado-Battenfeld and Jannach 2010, with
        popularity as the primitive model; all that tie with the k-th are expected); max(0, p - q) with
        p = (n + 1 - r) / n of its rank r on the list and q the same of its rank by buyers, equal products the higher
        one, 0 without a buyer (Murakami, Mori and Orihara 2008, as in RecTools); 1 - its mean cosine to the products
        of the customer's history (Zhang, Ó Séaghdha, Quercia and Jambor 2012), without a history 1; it needs vectors.

    Returns
    -------
    array of shape (customers,)
        Between 0 and precision; NaN for a customer who bought nothing.

    Examples
    --------
    >>> lists = Lists.of([[0, 1]], [[0, 1]], products=3, buyers=np.array([9, 1, 5]), population=10)
    >>> serendipity(lists).tolist()
    [0.5]
    """
    weight = pick(
        definition,
        {
            "unexpected": lambda: _unexpected(lists)[lists.ranked],
            "rank": lambda: _above_popularity(lists),
            "distance": lambda: 1 - _alike_history(lists),
        },
    )
    total = np.where(lists.hits, weight, 0.0).sum(axis=1)
    return np.where(lists.bought > 0, total / lists.k, np.nan)


def popularity(lists: Lists, definition: str = "lift") -> np.ndarray:
    """How much a list leans on products that many buy.

    Parameters
    ----------
    lists : Lists
    definition : {"lift", "mean", "tail"}
        The mean share of customers who bought the listed products, relative to the same mean of the customer's
        history, minus 1 (Abdollahpouri, Mansoury, Burke and Mobasher 2019); that mean itself (Yin, Cui, Li, Yao and
        Chen 2012); the share of the list outside the head, which is the most bought products that make up 80 % of the
        pairs of customer and product (Abdollahpouri, Burke and Mobasher 2017; equal products are on one side).

    Returns
    -------
    array of shape (customers,)
        NaN for an empty list, and of "lift" for a customer without a history.

    Examples
    --------
    >>> lists = Lists.of([[0, 1], [0, 1]], [[0], [0]], products=2, history=[[0], [0, 1]])
    >>> popularity(lists).tolist(), popularity(lists, "mean").tolist()
    ([-0.25, 0.0], [0.75, 0.75])
    """
    options = {
        "lift": lambda: ratio(_mean_popularity(lists), _own_popularity(lists)) - 1,
        "mean": lambda: _mean_popularity(lists),
        "tail": lambda: lists.mean(_tail(lists)[lists.ranked]),
    }
    return pick(definition, options)


def popularity_gap(lists: Lists) -> float:
    """The mean popularity of all lists relative to that of all histories, minus 1 (Abdollahpouri et al. 2019).

    Examples
    --------
    >>> popularity_gap(Lists.of([[0, 1], [0, 1]], [[0], [0]], products=2, history=[[0], [0, 1]])).__round__(4)
    -0.1429
    """
    listed, own = _mean_popularity(lists), _own_popularity(lists)
    both = ~np.isnan(listed) & ~np.isnan(own)
    return float(ratio(listed[both].sum(), own[both].sum()) - 1)


def miscalibration(lists: Lists, definition: str = "KL") -> np.ndarray:
    """How far a list's categories are from the customer's taste; 0 is calibrated (Steck 2018).

    p(g) is the share of category g in the history, each product weighted by its value there, q(g) that in the list.

    Parameters
    ----------
    lists : Lists
        With history and categories.
    definition : {"KL", "KL by rank", "Hellinger"}
        Σ p ln(p / q̃) with q̃ = 0.99 q + 0.01 p; the same with listed products weighted 1 / log2(r + 1);
        the distance √(Σ (√p - √q)² / 2).

    Returns
    -------
    array of shape (customers,)
        Between 0 and ln 100, of Hellinger's 1. NaN without a history or a list that has categories.

    Examples
    --------
    >>> categories = csr_matrix([[1, 0], [1, 0], [0, 1]])
    >>> lists = Lists.of([[0, 2], [0, 1]], [[0], [0]], products=3, history=[[1, 2], [1, 2]], categories=categories)
    >>> miscalibration(lists).round(4).tolist()
    [0.0, 1.9585]
    """
    parts = lists.need("categories").toarray()
    parts = np.nan_to_num(ratio(parts, parts.sum(axis=1, keepdims=True)))
    ranked = lists.incidence.copy()
    if definition == "KL by rank":
        ranked.data = np.broadcast_to(1 / np.log2(np.arange(2, lists.k + 2)), lists.shown.shape)[lists.shown]
    taste, shown = (matrix @ parts for matrix in (lists.need("history"), ranked))
    p, q = (ratio(own, own.sum(axis=1, keepdims=True)) for own in (taste, shown))
    smooth = (1 - SMOOTHING) * q + SMOOTHING * p
    options = {
        "KL": lambda: (p * np.log(np.where(p > 0, ratio(p, smooth), 1))).sum(axis=1),
        "Hellinger": lambda: np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1) / 2),
    }
    values = pick(definition, options | {"KL by rank": options["KL"]})
    return np.where(np.isnan(p).any(axis=1) | np.isnan(q).any(axis=1), np.nan, np.maximum(values, 0))


def _unexpected(lists: Lists) -> np.ndarray:
    buyers = lists.need("buyers")
    least = np.sort(buyers)[::-1][min(lists.k, len(buyers)) - 1]
    return (buyers < max(least, 1)).astype(float)


def _above_popularity(lists: Lists) -> np.ndarray:
    n, buyers = lists.products, lists.need("buyers")
    anybody = np.where(buyers > 0, (n + 1 - rankdata(-buyers, method="min")) / n, 0)
    return np.maximum((n - np.arange(lists.k)) / n - anybody[lists.ranked], 0)


def _alike_history(lists: Lists) -> np.ndarray:
    vectors, past = unit(lists.need("vectors")), lists.need("history").sign()
    taste = csr_matrix(diags(1 / np.maximum(np.diff(past.indptr), 1)) @ past @ vectors)
    rows, columns = np.nonzero(lists.hits)
    alike = np.zeros(lists.ranked.shape)
    alike[rows, columns] = np.asarray(vectors[lists.ranked[rows, columns]].multiply(taste[rows]).sum(axis=1)).ravel()
    return alike


def _mean_popularity(lists: Lists) -> np.ndarray:
    return lists.mean((lists.need("buyers") / lists.need("population"))[lists.ranked])


def _own_popularity(lists: Lists) -> np.ndarray:
    past = lists.need("history").sign()
    return ratio(past @ (lists.need("buyers") / lists.need("population")), np.diff(past.indptr))


def _tail(lists: Lists) -> np.ndarray:
    buyers = lists.need("buyers")
    falling = np.sort(buyers)[::-1]
    reached = np.searchsorted(falling.cumsum(), HEAD * buyers.sum())
    return (buyers < falling[min(reached, len(falling) - 1)]).astype(float)
