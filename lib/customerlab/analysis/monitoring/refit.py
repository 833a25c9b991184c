"""A refit of K-Means clusters that pays for movement, so that customers do not change cluster without a reason.

Evolutionary clustering (Chakrabarti, Kumar and Tomkins 2006): the clusters of a day should fit its customers, and
should be near those of the day before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.hierarchy import distinct
from customerlab.analysis.clustering.models import Nearest
from customerlab.analysis.clustering.scoring import Segmentation, segmentation

MOST = 300  # passes over the customers, as scikit-learn's K-Means has it


@dataclass(frozen=True)
class Refit:
    """Refitted centres and what they cost.

    Attributes
    ----------
    centres : array of shape (clusters, features)
        In the order of the old ones.
    inertia : float
        Within-cluster sum of squares: squared distances of customers from the nearest centre.
    moved : float
        Share of customers who are in another cluster than by the old centres.
    """

    centres: np.ndarray
    inertia: float
    moved: float


def smoothed_refit(points: np.ndarray, centres: np.ndarray, *, weight: float) -> Refit:
    """Refit K-Means from old centres, each pulled to its old place.

    It lowers the sum of squares plus the `weight` times n / k times the squared movement of each of the k centres.
    A centre is then the mean of its customers and of so many customers at its old place. Customers go to the nearest
    centre; both steps alternate until no one changes cluster, at most 300 times. A centre without a customer stays at
    its old place.

    Parameters
    ----------
    points : array of shape (customers, features)
    centres : array of shape (clusters, features)
        The old ones, in the same space.
    weight : float
        0 is Lloyd's K-Means (1982) from the old centres. With 1 the old place counts as many customers as a cluster has
        on average; a large weight keeps the old centres.

    Raises
    ------
    ValueError
        If the weight is negative or not finite, or if there are no points, or points or centres of another shape or
        with values that are not finite.

    Examples
    --------
    >>> points, old = np.array([[0.0], [2.0], [9.0], [11.0]]), np.array([[0.0], [8.0]])
    >>> [smoothed_refit(points, old, weight=weight).centres.ravel().tolist() for weight in (0, 1, 3)]
    [[1.0, 10.0], [0.5, 9.0], [0.25, 8.5]]
    """
    old = np.asarray(centres, dtype=float)
    if not 0 <= weight < np.inf:
        raise ValueError(f"a weight of {weight}; expected a number from 0")
    if (
        old.ndim != 2
        or not old.size
        or points.ndim != 2
        or points.shape[1] != old.shape[1]
        or not np.isfinite(old).all()
    ):
        raise ValueError(
            f"centres of shape {old.shape} for points of shape {points.shape}; expected finite ones of one space"
        )
    different, counts, _ = distinct(points)
    pull = weight * len(points) / len(old)
    begin = found = _cells(old, different)
    fitted = old
    for _ in range(MOST):
        sizes = np.bincount(found, counts, len(old))
        sums = np.column_stack([np.bincount(found, counts * values, len(old)) for values in different.T])
        heavy = (sizes + pull)[:, None]
        fitted = np.divide(sums + pull * old, heavy, out=old.copy(), where=heavy > 0)
        before, found = found, _cells(fitted, different)
        if np.array_equal(before, found):
            break
    inertia = float(counts @ ((different - fitted[found]) ** 2).sum(axis=1))
    return Refit(fitted, inertia, float(counts @ (found != begin)) / len(points))


def trade_off(
    points: np.ndarray, centres: np.ndarray, weights: Sequence[float] = (0, 0.1, 0.3, 1, 3, 10)
) -> pd.DataFrame:
    """What refits of several weights cost in fit, and how many customers they move.

    Points and centres, and what raises, are as in `smoothed_refit`.

    Returns
    -------
    DataFrame
        One row per weight: `weight`; `inertia` over that of the free refit, which has the weight 0, missing where that
        is zero; `moved`, the share of customers who change cluster.

    Examples
    --------
    >>> trade_off(np.array([[0.0], [2.0], [9.0], [11.0]]), np.array([[0.0], [8.0]]), [0, 1]).values.tolist()
    [[0.0, 1.0, 0.0], [1.0, 1.625, 0.0]]
    """
    free = smoothed_refit(points, centres, weight=0).inertia
    found = [smoothed_refit(points, centres, weight=weight) for weight in weights]
    rows = [
        (float(weight), refit.inertia / (free or np.nan), refit.moved)
        for weight, refit in zip(weights, found, strict=True)
    ]
    return pd.DataFrame(rows, columns=["weight", "inertia", "moved"])


def old_centres(old: Segmentation) -> np.ndarray:
    """The centres by which a segmentation assigns customers, in the order of its clusters.

    Raises ValueError where it does not assign by one centre per cluster, as K-Means and Bisecting K-Means do.
    """
    model = old.model
    if isinstance(model, Nearest) and np.isinf(model.radius):
        numbers = old.order[model.labels]
        if sorted(numbers.tolist()) == list(range(1, len(old.names) + 1)):
            return model.references[np.argsort(numbers)]
    raise ValueError(f"{old.method} does not assign customers by one centre per cluster; expected K-Means")


def centred(old: Segmentation) -> bool:
    """Whether a segmentation assigns customers by one centre per cluster."""
    try:
        old_centres(old)
    except ValueError:
        return False
    return True


def refitted(old: Segmentation, customers: pd.DataFrame, *, weight: float) -> Segmentation:
    """A segmentation refitted on the customers of a later day, with the same features, scaling, numbers and names.

    Parameters
    ----------
    old : Segmentation
        By K-Means or Bisecting K-Means.
    customers : DataFrame
        `customer_id` and the features of its space.
    weight : float
        As in `smoothed_refit`.

    Returns
    -------
    Segmentation
        It can be saved, and assigns customers, as the old one does.

    Raises
    ------
    ValueError
        As in `smoothed_refit` and `old_centres`, and where a cluster has no customer any more.
    """
    points = old.space.points(customers)
    model = Nearest(smoothed_refit(points, old_centres(old), weight=weight).centres, np.arange(len(old.names)))
    labels = model.predict(points) + 1
    empty = sorted(set(range(1, len(old.names) + 1)) - set(labels.tolist()))
    if empty:
        raise ValueError(f"the cluster {old.names[empty[0] - 1]!r} has no customer any more; fit a new segmentation")
    return segmentation(old.method, old.space, model, customers, labels, old.names, net=old.net)


def _cells(centres: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The nearest centre of each point, by the rule of a segmentation."""
    return Nearest(centres, np.arange(len(centres))).predict(points)
