"""What a fitted Surprise model predicts, for many pairs at once.

Surprise predicts one pair a call, in Python: a list from the whole catalogue would take hours. Here the same formulas
are evaluated on arrays of the fitted parameters; tests hold them to Surprise's own `predict`.
"""

from collections.abc import Callable

import numpy as np
from surprise import (
    NMF,
    SVD,
    AlgoBase,
    BaselineOnly,
    CoClustering,
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
    SlopeOne,
    SVDpp,
)


def estimate(model: AlgoBase, user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Predictions of a fitted model for pairs, not clipped to the scale.

    `user` and `item` are inner ids of the training set; for unknown ones, -1, what Surprise falls back to is predicted.
    """
    value = np.full(len(user), float(model.trainset.global_mean))
    known = (user >= 0) & (item >= 0)
    u, i = user[known], item[known]
    if isinstance(model, (BaselineOnly, SVD, SVDpp, KNNBaseline)):  # an unknown one has no bias
        value += np.where(user >= 0, np.asarray(model.bu)[user], 0) + np.where(item >= 0, np.asarray(model.bi)[item], 0)
    rule = RULES.get(type(model))
    if rule is not None:
        value[known] = rule(model, u, i, value[known])
    return value


def _factors(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    return base + np.einsum("nf,nf->n", model.pu[u], model.qi[i])


def _implicit_factors(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    whole = np.array(model.pu)
    for one in np.unique(u):
        rated = [item for item, _ in model.trainset.ur[one]]
        whole[one] += np.asarray(model.yj)[rated].sum(axis=0) / np.sqrt(len(rated))
    return base + np.einsum("nf,nf->n", whole[u], np.asarray(model.qi)[i])


def _clusters(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    of_user, of_item = model.cltr_u[u], model.cltr_i[i]
    own = model.user_mean[u] - model.avg_cltr_u[of_user] + model.item_mean[i] - model.avg_cltr_i[of_item]
    return model.avg_cocltr[of_user, of_item] + own


def _slopes(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    value = np.asarray(model.user_mean)[u]
    for pairs in _groups(u):
        rated = [item for item, _ in model.trainset.ur[u[pairs[0]]]]
        square = np.ix_(i[pairs], rated)
        together = model.freq[square] > 0
        count = together.sum(axis=1)
        value[pairs] += np.where(together, model.dev[square], 0).sum(axis=1) / np.maximum(count, 1)
    return value


def _basic(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    mean, some = _nearest(model, u, i, lambda raters, ratings, item: ratings)
    return np.where(some, mean, base)


def _centred(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    return model.means[u] + _nearest(model, u, i, lambda raters, ratings, item: ratings - model.means[raters])[0]


def _standardised(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    spread = np.where(model.sigmas > 0, model.sigmas, 1)  # zero where all ratings of all customers are equal
    mean, _ = _nearest(model, u, i, lambda raters, ratings, item: (ratings - model.means[raters]) / spread[raters])
    return model.means[u] + mean * model.sigmas[u]


def _above_baseline(model: AlgoBase, u: np.ndarray, i: np.ndarray, base: np.ndarray) -> np.ndarray:
    mean = float(model.trainset.global_mean)
    above, _ = _nearest(model, u, i, lambda raters, ratings, item: ratings - mean - model.bu[raters] - model.bi[item])
    return base + above


def _nearest(
    model: AlgoBase, u: np.ndarray, i: np.ndarray, measured: Callable[[np.ndarray, np.ndarray, int], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the product's k raters who are most like the customer, weighted by likeness; 0 without any."""
    mean, some = np.zeros(len(u)), np.zeros(len(u), dtype=bool)
    for pairs in _groups(i):
        item = int(i[pairs[0]])
        raters, ratings = (np.array(part) for part in zip(*model.trainset.ir[item], strict=True))
        likeness = model.sim[np.ix_(u[pairs], raters)]
        # of raters who are equally alike Surprise takes those that come first in the training set
        places = np.argsort(-likeness, axis=1, kind="stable")[:, : model.k]
        weight = np.maximum(np.take_along_axis(likeness, places, 1), 0)
        whole = weight.sum(axis=1)
        some[pairs] = whole > 0
        mean[pairs] = (weight * measured(raters, ratings, item)[places]).sum(axis=1) / np.where(whole > 0, whole, 1)
    return mean, some


def _groups(ids: np.ndarray) -> list[np.ndarray]:
    """The places of each id."""
    order = np.argsort(ids, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(ids[order])) + 1) if len(ids) else []


RULES: dict[type, Callable[[AlgoBase, np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    SVD: _factors,
    SVDpp: _implicit_factors,
    NMF: lambda model, u, i, base: _factors(model, u, i, np.zeros(len(u))),
    CoClustering: _clusters,
    SlopeOne: _slopes,
    KNNBasic: _basic,
    KNNWithMeans: _centred,
    KNNWithZScore: _standardised,
    KNNBaseline: _above_baseline,
}
