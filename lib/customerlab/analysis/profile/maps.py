"""A self-organising map (Kohonen 1982): customers on a grid, so that units beside one another are alike."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from customerlab.analysis.profile.gower import Values

ROUNDS = 30  # of batch training, in which the neighbourhood shrinks
LAST = 0.5  # its radius in the last round, in units of the grid: a neighbour then weighs 0.14


@dataclass(frozen=True)
class OrganisedMap:
    """A fitted map.

    Attributes
    ----------
    codebook : array of shape (units, features)
        What each unit stands for.
    places : array of shape (units, 2)
        Where it is on the hexagonal grid, across and down: neighbours are at the distance 1.
    """

    codebook: Values
    places: Values

    def units(self, points: Values) -> np.ndarray:
        """The unit of each point: that with the nearest codebook vector."""
        return cKDTree(self.codebook).query(points)[1]

    def errors(self, points: Values) -> tuple[float, float]:
        """The quantization and the topographic error of points.

        The first is the mean distance to the own unit; the second the share of points whose nearest and second nearest
        units are not neighbours (Kiviluoto 1996), zero on a map of one unit.
        """
        if len(self.codebook) == 1:
            return float(np.linalg.norm(points - self.codebook, axis=1).mean()), 0.0
        distance, two = cKDTree(self.codebook).query(points, k=2)
        apart = np.linalg.norm(self.places[two[:, 0]] - self.places[two[:, 1]], axis=1)
        return float(distance[:, 0].mean()), float((apart > 1.01).mean())

    def table(self, points: Values) -> pd.DataFrame:
        """By unit: `x`, `y`, the number of `customers` and the `distance` of the U-matrix.

        The latter is the mean distance of the codebook vector to those of the unit's neighbours (Ultsch and Siemon
        1990): ridges of large values divide regions of units that are alike.
        """
        beside = np.abs(np.linalg.norm(self.places[:, None] - self.places, axis=2) - 1) < 0.01
        apart = np.linalg.norm(self.codebook[:, None] - self.codebook, axis=2)
        sizes = np.bincount(self.units(points), minlength=len(self.codebook))
        distance = (apart * beside).sum(axis=1) / np.maximum(beside.sum(axis=1), 1)
        x, y = self.places.T
        return pd.DataFrame({"x": x, "y": y, "customers": sizes, "distance": distance}).rename_axis("unit")


def fit_map(points: Values, rows: int, columns: int) -> OrganisedMap:
    """Train a hexagonal map in batches (Kohonen 1995): nothing is random, and the order of points does not matter.

    The units start evenly on the plane of the first two principal components, two standard deviations to each side of
    the mean, the first along the longer side. In each of 30 rounds every unit becomes the mean of all points, weighted
    by a Gaussian of the distance on the grid between the points' units and itself, whose radius shrinks geometrically
    from half the longer side to 0.5.

    Parameters
    ----------
    points : array of shape (customers, features)
        Comparable features, such as standardised numbers or coordinates of a factor analysis.
    rows, columns : int
        Of the grid, at least 1.

    Raises
    ------
    ValueError
        Without points, with numbers that are not finite, or without units.

    Examples
    --------
    >>> line = np.arange(12.0)[:, None]
    >>> fitted = fit_map(line, 1, 4)
    >>> fitted.units(line).tolist()
    [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    """
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError("A map needs customers with finite numbers.")
    if min(rows, columns) < 1:
        raise ValueError(f"A map of {rows} × {columns} units; expected at least one unit.")
    points = points[np.lexsort(points.T[::-1])]  # sums do not depend on the order of customers
    down, across = (grid.ravel() for grid in np.mgrid[:rows, :columns])
    places = np.column_stack([across + 0.5 * (down % 2), down * np.sqrt(0.75)])
    apart = ((places[:, None] - places) ** 2).sum(axis=2)
    with threadpool_limits(1):
        codebook = _plane(points, places)
        for radius in np.geomspace(max(rows, columns, 2 * LAST) / 2, LAST, ROUNDS):
            units, near = cKDTree(codebook).query(points)[1], np.exp(-apart / (2 * radius**2))
            sizes = near @ np.bincount(units, minlength=len(places))
            sums = np.column_stack([np.bincount(units, own, len(places)) for own in points.T])
            some = sizes > 1e-12  # far from every point a unit stays where it is
            codebook = np.where(some[:, None], near @ sums / np.where(some, sizes, 1)[:, None], codebook)
    return OrganisedMap(codebook, places)


def _plane(points: Values, places: Values) -> Values:
    """Units evenly on the plane of the first two principal components."""
    middle = points.mean(axis=0)
    spread, axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False, ddof=0)))
    spread, axes = np.maximum(spread[::-1][:2], 0), axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).round(9).argmax(axis=0), np.arange(axes.shape[1])])
    sides = np.ptp(places, axis=0)
    even = (places - places.min(axis=0)) / np.where(sides > 0, sides, 1) * 4 - 2 * (sides > 0)
    if sides[1] > sides[0]:
        even = even[:, ::-1]
    return middle + (even[:, : len(spread)] * np.sqrt(spread)) @ axes.T
