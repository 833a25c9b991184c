"""What scores say beyond the list: how much depends on the order of equal scores, and the area under the curve."""

import numpy as np
from scipy.stats import rankdata

from customerlab.analysis.recommend.metrics.lists import Lists, pick, ratio


def resolved(lists: Lists, way: str = "ties averaged") -> np.ndarray:
    """The hits at ranks 1 … k when products of equal score are ordered in one way or another.

    Parameters
    ----------
    lists : Lists
        With scores.
    way : {"ties averaged", "ties lucky", "ties unlucky"}
        The expectation over all orders of equal scores, which at a rank is the bought share of those that tie there
        (McSherry and Najork 2008); the bought ones first; the bought ones last.

    Returns
    -------
    array of shape (customers, k)
        Between 0 and 1; 0 where fewer than k products are allowed.

    Examples
    --------
    >>> lists = Lists.of([[0, 1]], [[2]], products=3, scores=np.array([[1.0, 1.0, 1.0]]))
    >>> resolved(lists).round(2).tolist(), resolved(lists, "ties lucky").tolist()
    ([[0.33, 0.33]], [[1.0, 0.0]])
    """
    masked = np.where(lists.candidates, lists.need("scores"), -np.inf)
    bought = (lists.relevant.toarray() > 0) & lists.candidates
    second = pick(way, {"ties averaged": lambda: 0, "ties lucky": lambda: -1, "ties unlucky": lambda: 1})
    order = np.lexsort((second * bought, -masked), axis=1)
    hits = np.take_along_axis(bought, order, axis=1).astype(float)
    if not second and hits.size:
        ordered = np.take_along_axis(masked, order, axis=1)
        begins = np.concatenate([np.ones((len(hits), 1), dtype=bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
        group = begins.ravel().cumsum() - 1
        hits = (np.bincount(group, hits.ravel()) / np.bincount(group))[group].reshape(hits.shape)
    hits = hits[:, : lists.k]
    return np.pad(hits, ((0, 0), (0, lists.k - hits.shape[1])))


def auc(lists: Lists, definition: str = "scores") -> np.ndarray:
    """The chance that a product that was bought is ranked above one that was not (Hanley and McNeil 1982).

    Parameters
    ----------
    lists : Lists
    definition : {"scores", "list"}
        By scores, over all allowed products; equal scores count one half. A bought product that was not allowed counts
        as ranked below all; other products that were not allowed are left out. By the list alone, what is not on it is
        taken to follow in random order (Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009, as cut by
        implicit): Σ over misses on the list of the hits above + (hits + R) / 2 for each product off the list that was
        not bought, divided by the pairs.

    Returns
    -------
    array of shape (customers,)
        Between 0 and 1; constant scores give one half. NaN for a customer who bought nothing, or everything.

    Examples
    --------
    >>> scores = np.array([[4.0, 3.0, 2.0, 2.0]])
    >>> lists = Lists.of([[0, 1]], [[0, 3]], products=4, scores=scores)
    >>> auc(lists).tolist(), auc(lists, "list").tolist()
    ([0.625], [0.625])
    """
    return pick(definition, {"scores": lambda: _by_scores(lists), "list": lambda: _by_list(lists)})


def _by_scores(lists: Lists) -> np.ndarray:
    allowed = lists.candidates
    bought = lists.relevant.toarray() > 0
    ranks = rankdata(np.where(allowed, lists.need("scores"), -np.inf), axis=1)
    rising = np.where(bought & allowed, ranks, 0).sum(axis=1)
    positives = (bought & allowed).sum(axis=1)
    below = positives * (~allowed).sum(axis=1) + positives * (positives + 1) / 2
    return ratio(rising - below, lists.bought * (allowed & ~bought).sum(axis=1))


def _by_list(lists: Lists) -> np.ndarray:
    misses = lists.shown & ~lists.hits
    within = (lists.hits.cumsum(axis=1) * misses).sum(axis=1)
    others = lists.products - lists.bought
    beyond = (lists.found + lists.bought) / 2 * (others - misses.sum(axis=1))
    return ratio(within + beyond, lists.bought * others)
