"""Null models: simulated customers without clusters that are otherwise like those given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.preprocessing import PowerTransformer

from customerlab.analysis.clustering.space import Space

SHAPES = ("normal", "uniform")
INDEPENDENT = "independent"  # a third, where columns are made of attributes
REPEATED = 5  # a feature whose values occur so often on average has steps, in simulations, too
FEW = 10  # customers at an edge that are too few to draw others like them
ORDERED = (
    ("recency", "tenure"),
    ("days_per_order", "tenure"),
    ("basket_value", "monetary"),
    ("basket_products", "breadth"),
    ("categories", "breadth"),
)
"""Pairs of features: the first never exceeds the second and often equals it, as for all customers with one order."""


@dataclass(frozen=True)
class Ceiling:
    """A feature that never exceeds another. Many customers lie on this edge and none beyond it.

    Attributes
    ----------
    low, high : int
        Columns of the points.
    places, heights : array of shape (values,)
        Values in the column `high`, rising, and the largest possible value in the column `low` for each.
    """

    low: int
    high: int
    places: np.ndarray
    heights: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        """The largest possible value of each point in the column `low`; extrapolated in a straight line."""
        own = points[:, self.high]
        if len(self.places) == 1:
            return np.full(len(points), self.heights[0])
        after = np.clip(np.searchsorted(self.places, own), 1, len(self.places) - 1)
        share = (own - self.places[after - 1]) / (self.places[after] - self.places[after - 1])
        return self.heights[after - 1] + share * (self.heights[after] - self.heights[after - 1])


def ceilings(space: Space, customers: pd.DataFrame) -> tuple[Ceiling, ...]:
    """One for each pair of `ORDERED` in the space that holds for every customer; features are in their own units."""
    found = []
    points = space.points(customers)
    for low, high in ORDERED:
        if {low, high} <= set(space.names) and (customers[low] <= customers[high]).all():
            column, other = space.names.index(low), space.names.index(high)
            height = space.points(customers.assign(**{low: customers[high]}))[:, column]
            places, first = np.unique(points[:, other], return_index=True)
            found.append(Ceiling(column, other, places, height[first]))
    return tuple(found)


def clouds(
    points: np.ndarray, shape: str, number: int, rng: np.random.Generator, ceilings: Sequence[Ceiling] = (),
    blocks: Sequence[Sequence[int]] = (),
) -> Iterator[np.ndarray]:  # fmt: skip
    """Simulate points without clusters of the same extent, correlations, skew, steps and edges as those given.

    Parameters
    ----------
    points : array of shape (customers, features)
    shape : {"normal", "uniform", "independent"}
        Normal: the most likely Gaussian after each feature was made symmetric (Yeo and Johnson 2000), and back.
        Uniform: an even box along the principal axes, with the points' variances. Independent: the values that there
        are, each block of columns in another order: groups that one attribute makes alone are no clusters.
    number : int
        Of simulations.
    ceilings : sequence of Ceiling
        Customers on an edge, such as all with one order, are drawn separately, as many as there are, and stay on it;
        none is drawn beyond it.
    blocks : sequence of sequences of int
        The columns of each attribute, for ``independent``.

    Yields
    ------
    array
        As many points. A feature with few different values, such as a number of orders, takes no others: steps are no
        clusters.
    """
    if shape == INDEPENDENT:
        for _ in range(number):
            mixed = points.copy()
            for block in blocks:
                mixed[:, block] = points[rng.permutation(len(points))][:, block]
            yield mixed
        return
    free = points.copy()
    for ceiling in ceilings:  # how far below, which is zero on the edge
        free[:, ceiling.low] = np.maximum(ceiling.at(points) - points[:, ceiling.low], 0)
    on = free[:, [ceiling.low for ceiling in ceilings]] <= 1e-9
    _, kind = np.unique(on, axis=0, return_inverse=True)
    members = [np.flatnonzero(kind.ravel() == one) for one in range(kind.max() + 1)]
    drawers = [(who, _drawn(free[who], shape, number, rng)) for who in members if len(who) >= FEW or len(members) == 1]
    for _ in range(number):
        drawn = free.copy()
        for who, drawer in drawers:
            drawn[who] = next(drawer)
        for ceiling in ceilings:
            drawn[:, ceiling.low] = ceiling.at(drawn) - np.maximum(drawn[:, ceiling.low], 0)
        yield _stepped(drawn, points)


def _drawn(points: np.ndarray, shape: str, number: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Simulations of customers on one edge, or on none; features that do not vary stay as they are."""
    varies = np.ptp(points, axis=0) > 0
    live = points[:, varies]
    straight = PowerTransformer().fit(live) if varies.any() and shape == "normal" else None
    reach = 3 * live.std(axis=0)  # a bounded transform has no way back from beyond its bounds
    for _ in range(number):
        drawn = points.copy()
        if straight is not None:
            low, high = (
                straight.transform(edge[None]) for edge in (live.min(axis=0) - reach, live.max(axis=0) + reach)
            )
            normal = _like(straight.transform(live), rng.standard_normal(live.shape))
            drawn[:, varies] = straight.inverse_transform(np.clip(normal, low, high))
        elif varies.any():
            drawn[:, varies] = _like(live, rng.uniform(-np.sqrt(3), np.sqrt(3), live.shape))
        yield _stepped(drawn, points)


def _stepped(drawn: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Drawn points moved to the nearest values that there are, in the features with few different ones."""
    for column, own in zip(drawn.T, points.T, strict=True):
        steps = np.unique(own)
        if len(steps) * REPEATED <= len(points):
            column[:] = steps[np.searchsorted((steps[1:] + steps[:-1]) / 2, column)]
    return drawn


def _like(points: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """Independent draws of variance one, given the means and covariances of points."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False)))
    return points.mean(axis=0) + (standard * np.sqrt(np.maximum(variances, 0))) @ axes.T
