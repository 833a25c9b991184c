"""How well lists find what was bought. One value a customer; NaN for a customer who bought nothing.

R is how many products a customer bought, k how many a list may have, hit(r) whether the product at rank r was bought.
A list shorter than k has no hits at the ranks that are missing. Each function has the definitions that the field uses
under the same name; the first is the default.
"""

import numpy as np

from customerlab.analysis.recommend.metrics.lists import Lists, pick, ratio


def precision(lists: Lists, definition: str = "k") -> np.ndarray:
    """The share of a list that was bought.

    Parameters
    ----------
    lists : Lists
    definition : {"k", "shown", "reachable"}
        Hits divided by k, so that a short list pays for what it leaves out; by the products on the list (0 for an
        empty one); by min(k, R), so that 1 can be reached.

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1.

    Examples
    --------
    >>> lists = Lists.of([[2, 0, 1]], [[0, 2, 3]], products=5)
    >>> precision(lists).round(4).tolist()
    [0.6667]
    """
    whole = {
        "k": lambda: np.full(len(lists.found), lists.k),
        "shown": lambda: np.maximum(lists.length, 1),
        "reachable": lambda: np.minimum(lists.bought, lists.k),
    }
    return _evaluated(lists, ratio(lists.found, pick(definition, whole)))


def recall(lists: Lists, definition: str = "bought") -> np.ndarray:
    """The share of what was bought that is on the list.

    Parameters
    ----------
    lists : Lists
    definition : {"bought", "reachable"}
        Hits divided by R; by min(k, R) (Liang, Krishnan, Hoffman and Jebara 2018).

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1.

    Examples
    --------
    >>> lists = Lists.of([[2, 0]], [[0, 2, 3]], products=5)
    >>> recall(lists).round(4).tolist(), recall(lists, "reachable").tolist()
    ([0.6667], [1.0])
    """
    options = {
        "bought": lambda: ratio(lists.found, lists.bought),
        "reachable": lambda: ratio(lists.found, np.minimum(lists.bought, lists.k)),
    }
    return pick(definition, options)


def f1(lists: Lists) -> np.ndarray:
    """The harmonic mean of precision and recall, 2 · hits / (k + R) (van Rijsbergen 1979).

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1. The harmonic mean of the two means over customers is another number (Opitz and Burst 2019).

    Examples
    --------
    >>> f1(Lists.of([[2, 0, 1]], [[0, 2, 3]], products=5)).round(4).tolist()
    [0.6667]
    """
    return _evaluated(lists, 2 * lists.found / (lists.k + lists.bought))


def hit_rate(lists: Lists) -> np.ndarray:
    """1 with at least one hit, else 0 (Deshpande and Karypis 2004).

    Examples
    --------
    >>> hit_rate(Lists.of([[2, 0], [1, 0]], [[2], [3]], products=5)).tolist()
    [1.0, 0.0]
    """
    return _evaluated(lists, (lists.found > 0).astype(float))


def reciprocal_rank(lists: Lists, definition: str = "first") -> np.ndarray:
    """One by the rank of the first hit (Voorhees 1999); its mean over customers is MRR.

    Parameters
    ----------
    lists : Lists
    definition : {"first", "every"}
        1 / r of the first hit, 0 without one; the sum of 1 / r over all hits, which Deshpande and Karypis (2004) call
        average reciprocal hit rank and which exceeds 1.

    Examples
    --------
    >>> lists = Lists.of([[1, 0, 2]], [[0, 2]], products=5)
    >>> reciprocal_rank(lists).tolist(), reciprocal_rank(lists, "every").round(4).tolist()
    ([0.5], [0.8333])
    """
    every = lists.hits / np.arange(1, lists.k + 1)
    values = pick(definition, {"first": lambda: every.max(axis=1), "every": lambda: every.sum(axis=1)})
    return _evaluated(lists, values)


def average_precision(lists: Lists, definition: str = "reachable") -> np.ndarray:
    """Precision at the ranks of the hits, summed and divided; its mean over customers is MAP.

    Σ hit(r) · hits up to r / r (Buckley and Voorhees 2000), divided by what the definition says.

    Parameters
    ----------
    lists : Lists
    definition : {"reachable", "bought", "k", "found", "precisions"}
        By min(k, R), so that 1 can be reached; by R; by k; by the hits of the list (0 without one), which makes one hit
        at the top as good as ten; or, another metric of this name, the mean of precision at 1 … k.

    Examples
    --------
    >>> lists = Lists.of([[2, 1, 0]], [[0, 2, 3, 4]], products=6)
    >>> [average_precision(lists, d).round(4).item() for d in ("reachable", "bought", "found", "precisions")]
    [0.5556, 0.4167, 0.8333, 0.7222]
    """
    up_to = lists.hits.cumsum(axis=1) / np.arange(1, lists.k + 1)
    total = (up_to * lists.hits).sum(axis=1)
    options = {
        "reachable": lambda: ratio(total, np.minimum(lists.bought, lists.k)),
        "bought": lambda: ratio(total, lists.bought),
        "k": lambda: total / lists.k,
        "found": lambda: total / np.maximum(lists.found, 1),
        "precisions": lambda: up_to.mean(axis=1),
    }
    return _evaluated(lists, pick(definition, options))


def ndcg(lists: Lists, definition: str = "reachable") -> np.ndarray:
    """Hits discounted by their rank, relative to an ideal list.

    DCG = Σ hit(r) / log2(r + 1) (Burges et al. 2005); the base of the logarithm cancels. Divided by the DCG of an ideal
    list (Järvelin and Kekäläinen 2002).

    Parameters
    ----------
    lists : Lists
    definition : {"reachable", "k", "bought", "found", "2002"}
        The ideal has min(k, R) hits; k hits, also for a customer who bought fewer; R hits, also beyond k; the list's
        own hits moved to the top, which does not see what the list misses. "2002" is the discount of that paper,
        1 / max(1, log2 r), which counts ranks 1 and 2 alike.

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1.

    Examples
    --------
    >>> lists = Lists.of([[2, 1, 0]], [[0, 2]], products=6)
    >>> [ndcg(lists, d).round(4).item() for d in ("reachable", "k", "found", "2002")]
    [0.9197, 0.7039, 0.9197, 0.8155]
    """
    discount = 1 / np.log2(np.arange(2, max(lists.k, lists.products) + 2))
    older = 1 / np.maximum(np.log2(np.arange(1, lists.k + 1)), 1)
    reachable = np.minimum(lists.bought, lists.k)

    def gain(hits: np.ndarray, weights: np.ndarray = discount) -> np.ndarray:
        return (hits * weights[: lists.k]).sum(axis=1)

    def ideal(number: np.ndarray, weights: np.ndarray = discount) -> np.ndarray:
        return np.concatenate([[0.0], weights.cumsum()])[number]

    options = {
        "reachable": lambda: ratio(gain(lists.hits), ideal(reachable)),
        "k": lambda: gain(lists.hits) / discount[: lists.k].sum(),
        "bought": lambda: ratio(gain(lists.hits), ideal(lists.bought)),
        "found": lambda: np.nan_to_num(ratio(gain(lists.hits), ideal(lists.found))),
        "2002": lambda: ratio(gain(lists.hits, older), ideal(reachable, older)),
    }
    return _evaluated(lists, pick(definition, options))


def r_precision(lists: Lists, definition: str = "reachable") -> np.ndarray:
    """The share of hits among the first R ranks, at most k of them (Buckley and Voorhees 2000).

    Parameters
    ----------
    lists : Lists
    definition : {"reachable", "bought"}
        Hits within the first min(k, R) ranks divided by min(k, R); by R, which for R > k cannot reach 1.

    Examples
    --------
    >>> lists = Lists.of([[2, 1, 0]], [[0, 2]], products=6)
    >>> r_precision(lists).tolist()
    [0.5]
    """
    reachable = np.minimum(lists.bought, lists.k)
    early = (lists.hits & (np.arange(lists.k) < reachable[:, None])).sum(axis=1)
    whole = {"reachable": lambda: reachable, "bought": lambda: lists.bought}
    return ratio(early, pick(definition, whole))


def _evaluated(lists: Lists, values: np.ndarray) -> np.ndarray:
    """Values, NaN for customers who bought nothing."""
    return np.where(lists.bought > 0, values, np.nan)
