"""A segmentation that can be saved and that assigns customers of later days.

It is made of plain arrays, numbers and texts, which `customerlab.codec` keeps, and assigns the same after loading.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.features import customer_features
from customerlab.analysis.clustering.models import NOISE, Model
from customerlab.analysis.clustering.space import Space
from customerlab.analysis.described import Described
from customerlab.analysis.orders import Shop

NO_CLUSTER = "noise"
STEPS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A clustering with all that is needed to assign new customers.

    Attributes
    ----------
    method : str
        What found the clusters, in words.
    space : Space
        How features become points.
    model : Model
        Nearest, Mixture or Density, or another dataclass of arrays and numbers.
    order : array of int of shape (labels,)
        The cluster's number, from 1, for each label of the model; -1 for one that no fitted customer had.
    names : tuple of str
        Of clusters 1, 2, …
    centres : array of shape (clusters, features)
        Mean point of each cluster's fitted customers.
    distances : array of shape (clusters, 101)
        Quantiles 0, 0.01, … 1 of their distances to it.
    ranges : array of shape (2, features)
        Lowest and highest value of each feature among fitted customers, in its own unit.
    net : bool
        Whether monetary features are net of returns, for later customers, too.
    """

    method: str
    space: Space
    model: Model
    order: np.ndarray
    names: tuple[str, ...]
    centres: np.ndarray
    distances: np.ndarray
    ranges: np.ndarray
    net: bool

    def assign(self, customers: pd.DataFrame) -> pd.DataFrame:
        """Assign each customer to a cluster, with the distance from the customers that it was fitted on.

        Returns
        -------
        DataFrame
            One row per customer, in the same order: `customer_id`; `cluster`, -1 for noise; `name`; `strength`, the
            probability of membership where the model has one; `distance` to the cluster's centre; `farther_than`, the
            share of the cluster's fitted customers who are nearer to it, to a percent, 1 being farther than all (both
            missing for noise); `outside`, the features with values that no fitted customer had.

        Raises
        ------
        ValueError
            Where a feature is lacking or has no value.
        """
        points = self.space.points(customers)
        numbers = _renumbered(self.model.predict(points), self.order)
        known = numbers > 0
        distance, farther = np.full(len(points), np.nan), np.full(len(points), np.nan)
        distance[known] = _lengths(points[known] - self.centres[numbers[known] - 1])
        for number in np.unique(numbers[known]):
            own = numbers == number
            farther[own] = _share_below(distance[own], self.distances[number - 1])
        table = pd.DataFrame({"customer_id": customers["customer_id"].to_numpy(), "cluster": numbers})
        table["name"] = np.array([*self.names, NO_CLUSTER], dtype=object)[np.where(known, numbers - 1, -1)]
        if hasattr(self.model, "strength"):
            table["strength"] = np.where(known, self.model.strength(points), 0.0)
        table["distance"], table["farther_than"] = distance, farther
        return table.assign(outside=self._outside(customers)).astype({"name": "str", "outside": "str"})

    def _outside(self, customers: pd.DataFrame) -> np.ndarray:
        """Names of features beyond the fitted range, joined by commas."""
        said = np.full(len(customers), "", dtype=object)
        for name, low, high in zip(self.space.names, *self.ranges, strict=True):
            values = customers[name].to_numpy(dtype=float)
            beyond = (values < low) | (values > high)
            said[beyond] += np.where(said[beyond] == "", name, ", " + name)
        return said


def segmentation(
    method: str,
    space: Space,
    model: Model,
    customers: pd.DataFrame,
    labels: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    net: bool = False,
) -> Segmentation:
    """Make a fitted model into a segmentation that can be saved.

    Parameters
    ----------
    customers : DataFrame
        Those that it was fitted on: `customer_id` and the features of the space.
    labels : array of int of shape (customers,)
        Their clusters, numbered from 1; noise -1. They have to be the groups that the model gives, else ValueError.
    names : sequence of str, optional
        Of the clusters by number, one each; ``cluster 1``, … by default.

    Examples
    --------
    >>> from customerlab.analysis.clustering.models import Nearest
    >>> from customerlab.analysis.clustering.space import fit_space
    >>> customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "frequency": [1, 2, 9]})
    >>> space = fit_space(customers, ["frequency"], transform="none", scaling="min-max")
    >>> model = Nearest(np.array([[0.1], [1.0]]), np.array([0, 1]))
    >>> kept = segmentation("K-Means", space, model, customers, np.array([2, 2, 1]), ["frequent", "rare"])
    >>> new = pd.DataFrame({"customer_id": ["d"], "frequency": [11]})
    >>> next(kept.assign(new).itertuples(index=False, name=None))
    ('d', 1, 'frequent', 0.25, 1.0, 'frequency')
    """
    place = np.argsort(customers["customer_id"].to_numpy(), kind="stable")
    table, numbers = customers.iloc[place], np.asarray(labels)[place]
    count = max(int(numbers.max(initial=0)), 0)
    if set(numbers) - {NOISE} != set(range(1, count + 1)):
        raise ValueError(
            f"clusters {', '.join(map(str, np.unique(numbers)))}; expected 1, 2, … without a gap, and -1 for noise"
        )
    points = space.points(table)
    found = model.predict(points)
    order = np.full(max(int(found.max(initial=0)), 0) + 1, NOISE)
    order[found[found != NOISE]] = numbers[found != NOISE]
    if not np.array_equal(_renumbered(found, order), numbers) or len(set(order) - {NOISE}) < (order != NOISE).sum():
        raise ValueError(f"{method} does not give the customers the groups that the labels say")
    names = tuple(names) if names is not None else tuple(f"cluster {number}" for number in range(1, count + 1))
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} clusters; expected one each")
    groups = [points[numbers == number] for number in range(1, count + 1)]
    centres = np.array([group.mean(axis=0) for group in groups]).reshape(count, points.shape[1])
    away = [np.quantile(_lengths(group - centre), STEPS) for group, centre in zip(groups, centres, strict=True)]
    raw = table[list(space.names)].to_numpy(dtype=float)
    ranges = np.array([raw.min(axis=0), raw.max(axis=0)])
    distances = np.array(away).reshape(count, len(STEPS))
    return Segmentation(method, space, model, order, names, centres, distances, ranges, net)


def clusters_on(segmentation: Segmentation, shop: Shop | Described) -> pd.DataFrame:
    """The clusters of all customers as of a day, by the segmentation of this or another day.

    Its features have to be those of `customer_features`, which says what is raised. One row per customer who had
    ordered by then, sorted by `customer_id`; as `Segmentation.assign` returns it.
    """
    return segmentation.assign(customer_features(shop, names=segmentation.space.names, net=segmentation.net))


def _renumbered(found: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Numbers for labels of a model; a label that no fitted customer had is noise."""
    known = (found >= 0) & (found < len(order))
    return np.where(known, order[np.where(known, found, 0)], NOISE).astype("int64")


def _lengths(away: np.ndarray) -> np.ndarray:
    return np.sqrt((away**2).sum(axis=1))


def _share_below(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The share of a distribution below each value; mirrored, since of equal quantiles the first counts."""
    below = -np.interp(-values, -quantiles[::-1], -STEPS[::-1])
    return np.where(values > quantiles[-1], 1.0, below)
