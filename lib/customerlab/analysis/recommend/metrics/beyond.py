"""Beyond-accuracy metrics: novelty, diversity, serendipity, popularity, calibration. One value per customer.

- **Novelty** is the mean self-information of a list in bits (Zhou et al. 2010); a product that nobody bought counts as
  bought by one. "choice" takes the share of all pairs of customer and product (Castells, Vargas and Wang 2011),
  "complement" the expected popularity complement (Vargas and Castells 2011). NaN for an empty list.
- **Diversity** within a list (Smyth and McClave 2001): a product without features is unlike any other; NaN for fewer
  than two products.
- **Serendipity** counts hits, divided by k: those not among the k most bought, all that tie with the k-th being
  expected (Ge, Delgado-Battenfeld and Jannach 2010); max(0, p - q) with p = (n + 1 - r) / n of the rank r on the list
  and q of its rank by buyers, equal products the higher one (Murakami, Mori and Orihara 2008, as in RecTools); or 1 -
  the mean cosine to the products of the history (Zhang, Ó Séaghdha, Quercia and Jambor 2012), without one 1.
- **Popularity** relative to the customer's history, minus 1 (Abdollahpouri, Mansoury, Burke and Mobasher 2019), by
  itself (Yin, Cui, Li, Yao and Chen 2012), or the share outside the head, the most bought products that make up 80% of
  the pairs, equal ones on one side (Abdollahpouri, Burke and Mobasher 2017).
- **Miscalibration** (Steck 2018) compares the shares p of categories in the history with q on the list, q̃ = 0.99 q +
  0.01 p: between 0, calibrated, and ln 100, of Hellinger's distance 1.
"""

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.stats import rankdata

from customerlab.analysis.recommend.metrics.lists import Definition, Lists, ratio, unit

HEAD = 0.8  # the share of purchases that makes up the head of the catalogue
SMOOTHING = 0.01  # of the taste in the list's categories, so that the divergence stays finite (Steck 2018)


def _information(lists: Lists, whole: int) -> np.ndarray:
    return lists.mean(-np.log2(np.maximum(lists.need("buyers"), 1) / whole)[lists.ranked] + 0.0)


def _popularity(lists: Lists) -> np.ndarray:
    """The share of customers who bought each product."""
    return lists.need("buyers") / lists.need("population")


def _diversity(lists: Lists) -> np.ndarray:
    """Without pairs: Σ over pairs of cosines = (|Σ unit vectors|² - Σ |unit vectors|²) / 2."""
    vectors = unit(lists.need("vectors"))
    total = lists.incidence @ vectors
    own = lists.incidence @ np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    square = np.asarray(total.multiply(total).sum(axis=1)).ravel()
    alike = ratio(square - own, lists.length * (lists.length - 1))
    return np.where(np.isnan(alike), np.nan, np.clip(1 - alike, 0, 2))


def _serendipity(lists: Lists, weight: np.ndarray) -> np.ndarray:
    total = np.where(lists.hits, weight, 0.0).sum(axis=1)
    return np.where(lists.bought > 0, total / lists.k, np.nan)


def _unexpected(lists: Lists) -> np.ndarray:
    buyers = lists.need("buyers")
    least = np.sort(buyers)[::-1][min(lists.k, len(buyers)) - 1]
    return (buyers < max(least, 1)).astype(float)[lists.ranked]


def _above_popularity(lists: Lists) -> np.ndarray:
    n, buyers = lists.products, lists.need("buyers")
    anybody = np.where(buyers > 0, (n + 1 - rankdata(-buyers, method="min")) / n, 0)
    return np.maximum((n - np.arange(lists.k)) / n - anybody[lists.ranked], 0)


def _unlike_history(lists: Lists) -> np.ndarray:
    vectors, past = unit(lists.need("vectors")), lists.need("history").sign()
    taste = csr_matrix(diags(1 / np.maximum(np.diff(past.indptr), 1)) @ past @ vectors)
    rows, columns = np.nonzero(lists.hits)
    alike = np.zeros(lists.ranked.shape)
    alike[rows, columns] = np.asarray(vectors[lists.ranked[rows, columns]].multiply(taste[rows]).sum(axis=1)).ravel()
    return 1 - alike


def _mean_popularity(lists: Lists) -> np.ndarray:
    return lists.mean(_popularity(lists)[lists.ranked])


def _own_popularity(lists: Lists) -> np.ndarray:
    past = lists.need("history").sign()
    return ratio(past @ _popularity(lists), np.diff(past.indptr))


def _tail(lists: Lists) -> np.ndarray:
    buyers = lists.need("buyers")
    falling = np.sort(buyers)[::-1]
    reached = np.searchsorted(falling.cumsum(), HEAD * buyers.sum())
    return lists.mean((buyers < falling[min(reached, len(falling) - 1)]).astype(float)[lists.ranked])


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


def _miscalibration(lists: Lists, definition: str) -> np.ndarray:
    parts = lists.need("categories").toarray()
    parts = np.nan_to_num(ratio(parts, parts.sum(axis=1, keepdims=True)))
    ranked = lists.incidence.copy()
    if definition == "KL by rank":
        ranked.data = np.broadcast_to(1 / np.log2(np.arange(2, lists.k + 2)), lists.shown.shape)[lists.shown]
    taste, shown = (matrix @ parts for matrix in (lists.need("history"), ranked))
    p, q = (ratio(own, own.sum(axis=1, keepdims=True)) for own in (taste, shown))
    if definition == "Hellinger":
        values = np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1) / 2)
    else:
        values = (p * np.log(np.where(p > 0, ratio(p, (1 - SMOOTHING) * q + SMOOTHING * p), 1))).sum(axis=1)
    return np.where(np.isnan(p).any(axis=1) | np.isnan(q).any(axis=1), np.nan, np.maximum(values, 0))


H, B, V, C = ("history",), ("buyers",), ("vectors",), ("categories",)
DEFINITIONS = (
    Definition("novelty", "discovery", "-log2(buyers / customers)", "Zhou et al. 2010; RecTools",
               lambda own: _information(own, own.need("population")), B),
    Definition("novelty", "choice", "-log2(buyers / Σ buyers)", "Castells et al. 2011; Microsoft Recommenders",
               lambda own: _information(own, max(own.need("buyers").sum(), 1)), B),
    Definition("novelty", "complement", "1 - buyers / customers", "Vargas and Castells 2011 (EPC)",
               lambda own: own.mean((1 - _popularity(own))[own.ranked] + 0.0), B),
    Definition("diversity", "cosine", "1 - mean cosine of pairs", "Smyth and McClave 2001", _diversity, V),
    Definition("serendipity", "unexpected", "hits outside the k most bought / k", "Ge et al. 2010",
               lambda own: _serendipity(own, _unexpected(own)), B),
    Definition("serendipity", "rank", "Σ hit max(0, p - q) / k", "Murakami et al. 2008; RecTools",
               lambda own: _serendipity(own, _above_popularity(own)), B),
    Definition("serendipity", "distance", "Σ hit (1 - cosine to history) / k", "Zhang et al. 2012",
               lambda own: _serendipity(own, _unlike_history(own)), H + V),
    Definition("popularity", "lift", "mean share of buyers / that of the history - 1",
               "Abdollahpouri et al. 2019, by customer",
               lambda own: ratio(_mean_popularity(own), _own_popularity(own)) - 1, H + B),
    Definition("popularity", "mean", "mean share of buyers", "Yin et al. 2012", _mean_popularity, B),
    Definition("popularity", "tail", "share outside the head of 80%", "Abdollahpouri et al. 2017", _tail, B),
    Definition("popularity", "gap", "of the means over customers", "Abdollahpouri et al. 2019", popularity_gap, H + B),
    Definition("miscalibration", "KL", "Σ p ln(p / q̃)", "Steck 2018", lambda own: _miscalibration(own, "KL"), H + C),
    Definition("miscalibration", "KL by rank", "the same, ranks discounted", "Steck 2018",
               lambda own: _miscalibration(own, "KL by rank"), H + C),
    Definition("miscalibration", "Hellinger", "√(Σ (√p - √q)² / 2)", "Steck 2018",
               lambda own: _miscalibration(own, "Hellinger"), H + C),
)  # fmt: skip
