"""Repeats and discoveries, money, and what the lists of all customers show of the catalogue."""

import numpy as np

from customerlab.analysis.recommend.metrics.lists import Lists, pick, ratio


def repeat_share(lists: Lists) -> np.ndarray:
    """The share of a list that the customer had bought before (Li, Jullien, Ariannezhad and de Rijke 2023).

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1; 0 without a history, NaN for an empty list.

    Examples
    --------
    >>> repeat_share(Lists.of([[0, 1]], [[0]], products=3, history=[[0, 2]])).tolist()
    [0.5]
    """
    return lists.mean(lists.owned)


def recall_of_repeats(lists: Lists) -> np.ndarray:
    """Recall among what the customer bought again: one list for all, judged on repeats (Li et al. 2023).

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1; NaN for a customer who bought nothing again.

    Examples
    --------
    >>> recall_of_repeats(Lists.of([[0, 1]], [[0, 1, 2]], products=4, history=[[0, 2]])).tolist()
    [0.5]
    """
    again = lists.relevant.sign().multiply(lists.need("history").sign()).sum(axis=1)
    return ratio((lists.hits & lists.owned).sum(axis=1), np.asarray(again).ravel())


def recall_of_discoveries(lists: Lists) -> np.ndarray:
    """Recall among what the customer bought for the first time (Li et al. 2023).

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1; NaN for a customer who bought nothing new.

    Examples
    --------
    >>> recall_of_discoveries(Lists.of([[0, 1]], [[0, 1, 3]], products=4, history=[[0, 2]])).tolist()
    [0.5]
    """
    again = lists.relevant.sign().multiply(lists.need("history").sign()).sum(axis=1)
    return ratio((lists.hits & ~lists.owned).sum(axis=1), lists.bought - np.asarray(again).ravel())


def revenue(lists: Lists, definition: str = "spent") -> np.ndarray:
    """What customers spent in the future on the products of their lists.

    It is what lists would have been right about, not what they would have earned: that, only an experiment shows.

    Parameters
    ----------
    lists : Lists
        With money.
    definition : {"spent", "share"}
        In the currency of the log; as a share of all that the customer spent.

    Returns
    -------
    array of shape (customers,)
        Of "share" NaN for a customer who spent nothing, or got back more than was spent.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> revenue(Lists.of([[0, 1]], [[0, 2]], products=3, money=csr_matrix([[2.5, 0.0, 7.5]]))).tolist()
    [2.5]
    """
    spent = lists.at(lists.need("money")).sum(axis=1)
    return pick(definition, {"spent": lambda: spent, "share": lambda: ratio(spent, _all_money(lists))})


def revenue_share(lists: Lists) -> float:
    """What all customers spent on the products of their lists, as a share of all that they spent.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> revenue_share(Lists.of([[0, 1]], [[0, 2]], products=3, money=csr_matrix([[2.5, 0.0, 7.5]])))
    0.25
    """
    return float(ratio(revenue(lists).sum(), _all_money(lists).sum()))


def catalogue_coverage(lists: Lists, definition: str = "listed") -> float:
    """How much of the catalogue the lists of all customers show.

    Parameters
    ----------
    lists : Lists
    definition : {"listed", "effective"}
        The share of products on at least one list (Herlocker, Konstan, Terveen and Riedl 2004; Ge et al. 2010); exp of
        Shannon's entropy of the exposure, divided by the products: the share that, shown evenly, would be as varied
        (Jost 2006).

    Returns
    -------
    float
        Between 0 and 1; 0 where nothing is listed.

    Examples
    --------
    >>> catalogue_coverage(Lists.of([[0, 1], [0, 2]], [[0], [0]], products=4))
    0.75
    """
    shown = exposure(lists)
    p = shown[shown > 0] / max(shown.sum(), 1)
    options = {
        "listed": lambda: (shown > 0).mean(),
        "effective": lambda: np.exp(-(p * np.log(p)).sum()) / lists.products if len(p) else 0.0,
    }
    return float(pick(definition, options))


def user_coverage(lists: Lists, definition: str = "some") -> float:
    """The share of customers for whom there is a list (Herlocker et al. 2004).

    Parameters
    ----------
    lists : Lists
    definition : {"some", "full"}
        With at least one product; with k products.

    Examples
    --------
    >>> lists = Lists.of([[0, 1], [0], []], [[0], [0], [0]], products=4)
    >>> round(user_coverage(lists), 4), round(user_coverage(lists, "full"), 4)
    (0.6667, 0.3333)
    """
    least = pick(definition, {"some": lambda: 1, "full": lambda: lists.k})
    return float((lists.length >= least).mean()) if len(lists.length) else np.nan


def gini(lists: Lists, definition: str = "all") -> float:
    """How unevenly products are shown; 0 is evenly, 1 all places to one product.

    Σ (2 j - n - 1) p(j) / (n - 1) over the n products by rising exposure p (Shani and Gunawardana 2011).

    Parameters
    ----------
    lists : Lists
    definition : {"all", "by n", "complement", "listed"}
        That; divided by n, which does not reach 1; 1 minus it, by which more is better; over the products that are
        listed alone, which does not see those that never are.

    Returns
    -------
    float
        Between 0 and 1; 0 for one product, NaN where nothing is listed.

    Examples
    --------
    >>> gini(Lists.of([[0], [0]], [[0], [0]], products=4)), gini(Lists.of([[0], [1]], [[0], [0]], products=2))
    (1.0, 0.0)
    """
    shown = np.sort(exposure(lists))
    if not shown.sum():
        return np.nan
    options = {
        "all": lambda: _uneven(shown, len(shown) - 1),
        "by n": lambda: _uneven(shown, len(shown)),
        "complement": lambda: 1 - _uneven(shown, len(shown) - 1),
        "listed": lambda: _uneven(shown[shown > 0], (shown > 0).sum() - 1),
    }
    return float(pick(definition, options))


def exposure(lists: Lists) -> np.ndarray:
    """On how many lists each product is.

    Examples
    --------
    >>> exposure(Lists.of([[0, 1], [0]], [[0], [0]], products=3)).tolist()
    [2, 1, 0]
    """
    return np.bincount(lists.ranked[lists.shown], minlength=lists.products)


def _uneven(rising: np.ndarray, scale: int) -> float:
    n = len(rising)
    return float(((2 * np.arange(1, n + 1) - n - 1) * rising).sum() / rising.sum() / max(scale, 1))


def _all_money(lists: Lists) -> np.ndarray:
    return np.asarray(lists.need("money").sum(axis=1)).ravel()
