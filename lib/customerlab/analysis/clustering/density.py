"""Clusters as dense places with sparser ones between them: DBSCAN with its radius read off a curve, and HDBSCAN.

Both leave customers in sparse places as noise. HDBSCAN is that of the package `hdbscan`, which can also say how
strongly a customer belongs to a cluster, and place customers whom it was not fitted on. It is imported where it is
needed, because that takes seconds.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from customerlab.analysis.clustering.hierarchy import distinct
from customerlab.analysis.clustering.models import NOISE, Nearest

FITTED = 25_000
"""Customers whom HDBSCAN is fitted on, at most: its time grows faster than their number and with every feature."""

COMPARED = 2_000
"""Different points that density-based validity is computed over, at most; of other samples it differs by about 0.05."""

SQUARED = "sqeuclidean"  # distances of density-based validity, as its authors' program has them
BATCH = 100_000  # customers placed at a time, which bounds the memory for their neighbours


def neighbour_distances(points: np.ndarray, neighbours: int) -> np.ndarray:
    """Every customer's distance to the k-th nearest, rising; each is the first of its own neighbours, as in DBSCAN.

    With fewer customers than neighbours it is that to the farthest.
    """
    different, counts, places = distinct(points)
    return np.sort(_reach(different, counts, min(neighbours, len(points)))[places])


def _reach(different: np.ndarray, counts: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance from each different point to the k-th nearest customer, several of whom may be at one point."""
    if neighbours < 1:
        raise ValueError(f"{neighbours} neighbours; expected at least 1")
    if neighbours > counts.sum():
        return np.full(len(different), np.inf)
    asked = np.arange(1, min(neighbours, len(different)) + 1)
    distances, places = cKDTree(different).query(different, k=asked, workers=-1)
    enough = counts[places].cumsum(axis=1) >= neighbours
    return distances[np.arange(len(different)), enough.argmax(axis=1)]


def knee(values: np.ndarray) -> float:
    """The value at the knee of a rising curve: where it is farthest below the line from its first to its last value.

    That is the largest of the knees of Satopää et al. (2011), without the smoothing and the threshold that serve to
    find several. The last value where all are equal or there are fewer than three.

    Examples
    --------
    >>> knee(np.array([0.0, 0.1, 0.2, 0.3, 5.0]))
    0.3
    """
    if not len(values):
        raise ValueError("no values; expected at least one")
    if len(values) < 3 or values[-1] == values[0]:
        return float(values[-1])
    return float(values[np.argmax(below_chord(values))])


def below_chord(values: np.ndarray) -> np.ndarray:
    """How far each of evenly spaced, rising values is below the line from the first to the last, which has height 1."""
    return np.linspace(0, 1, len(values)) - (values - values[0]) / (values[-1] - values[0])


def dbscan(points: np.ndarray, eps: float, neighbours: int) -> Nearest:
    """DBSCAN (Ester et al. 1996): customers with enough others within a radius, and their neighbours.

    A customer with at least `neighbours` customers within `eps`, itself one of them, is a core; cores within `eps` of
    each other are in one cluster. Other customers within `eps` of a core join the nearest one; in the paper they
    join the cluster found first, so that the order of rows matters. The rest is noise. Memory grows with
    the customers and not with the pairs of neighbours. An `eps` of 0 makes clusters of equal points. The references of
    the model are the cores, each place once; without any core all customers are noise.

    Examples
    --------
    >>> fitted = dbscan(np.array([[0.0], [0.5], [1.0], [9.0]]), eps=0.6, neighbours=2)
    >>> fitted.predict(np.array([[1.2], [9.0]])).tolist()
    [0, -1]
    """
    if not 0 <= eps < np.inf:
        raise ValueError(f"a radius of {eps}; expected a number from 0 on")
    different, counts, _ = distinct(points)
    cores = different[_reach(different, counts, neighbours) <= eps]
    if not len(cores):
        return Nearest(different[:1], np.array([NOISE]), eps)
    return Nearest(cores, _linked(cores, eps), eps)


def _linked(points: np.ndarray, eps: float) -> np.ndarray:
    """Number, from 0 in order of the points, of the groups that steps of at most `eps` connect.

    Two groups differ in some bit of their numbers. So for every bit the groups that have it look for the nearest point
    of those that have not; when none is near enough for any bit, all groups are complete. The largest group has
    number 0 and never looks.
    """
    bound = np.nextafter(eps, np.inf)  # the tree excludes the bound itself
    near = np.arange(1, min(8, len(points)) + 1)
    distances, places = cKDTree(points).query(points, k=near, distance_upper_bound=bound, workers=-1)
    one, nth = np.nonzero(np.isfinite(distances))
    groups = _joined(np.arange(len(points)), one, places[one, nth])
    while True:
        found = [_across(points, groups, bit, bound) for bit in range(int(groups.max()).bit_length())]
        one, two = (np.concatenate([pair[side] for pair in found] or [np.empty(0, int)]) for side in (0, 1))
        if not len(one):
            break
        groups = _joined(groups, groups[one], groups[two])
    return np.unique(np.unique(groups, return_index=True)[1][groups], return_inverse=True)[1]


def _across(points: np.ndarray, groups: np.ndarray, bit: int, bound: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of points nearer than the bound, the first in a group with the bit, the second in one without."""
    has = (groups >> bit) & 1 == 1
    asking, others = np.flatnonzero(has), np.flatnonzero(~has)
    distances, places = cKDTree(points[others]).query(points[asking], distance_upper_bound=bound, workers=-1)
    near = np.isfinite(distances)
    return asking[near], others[places[near]]


def _joined(groups: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Each point's group after pairs of groups were joined, numbered by falling size, ties by the first point."""
    number = int(groups.max()) + 1
    graph = coo_array((np.ones(len(one), dtype=bool), (one, two)), shape=(number, number))
    joined = connected_components(graph, directed=False)[1][groups]
    _, first, joined, sizes = np.unique(joined, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype="int64")
    rank[np.lexsort([first, -sizes])] = np.arange(len(sizes))
    return rank[joined]


@dataclass(frozen=True, eq=False)
class Density:
    """HDBSCAN (Campello et al. 2013) of the package `hdbscan` (McInnes et al. 2017).

    It is made of what it is fitted on, and is fitted when first asked: nothing of it is random, so that a stored one
    gives the same labels again.

    Attributes
    ----------
    points : array of shape (customers, features)
        Those that it is fitted on.
    min_cluster_size : int
        A denser place with fewer customers is no cluster.
    min_samples : int
        Neighbours that make a place dense: more of them, more noise. At most half the customers are used.
    """

    points: np.ndarray
    min_cluster_size: int
    min_samples: int

    def __post_init__(self) -> None:
        if self.min_cluster_size < 2 or self.min_samples < 1:
            asked = f"clusters of at least {self.min_cluster_size} customers by {self.min_samples} neighbours"
            raise ValueError(f"{asked}; expected at least 2 customers and 1 neighbour")

    @cached_property
    def _fitted(self) -> tuple[Any, cKDTree, np.ndarray, np.ndarray]:
        """The fitted object of the package, and label and strength of each different point."""
        different, counts, _ = distinct(self.points)
        labels, strengths, fit = np.full(len(different), NOISE), np.zeros(len(different)), None
        if len(self.points) > 1:
            from hdbscan import HDBSCAN

            samples = max(1, min(self.min_samples, len(self.points) // 2))
            fit = HDBSCAN(
                min_cluster_size=self.min_cluster_size,
                min_samples=samples,
                approx_min_span_tree=False,
                core_dist_n_jobs=1,
            ).fit(np.repeat(different, counts, axis=0))
            # among equal points, which the package can tear apart where distances are tied, the first one counts
            first = np.cumsum(counts) - counts
            labels, strengths = fit.labels_[first].astype("int64"), fit.probabilities_[first]
        return fit, cKDTree(different), labels, strengths

    def _placed(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _, tree, known, strong = self._fitted
        distance, place = tree.query(points, workers=-1)
        labels, strengths = known[place], strong[place]
        new = np.flatnonzero(distance > 0)
        if (known == NOISE).all():
            labels[new], strengths[new] = NOISE, 0
        if (known == NOISE).all() or not len(new):
            return labels, strengths
        from hdbscan import approximate_predict

        for begin in range(0, len(new), BATCH):
            some = new[begin : begin + BATCH]
            labels[some], strengths[some] = approximate_predict(self._prepared, points[some])
        return labels, strengths

    @cached_property
    def _prepared(self) -> Any:
        """The fitted object of the package with what it needs to place new points."""
        fit = self._fitted[0]
        fit.generate_prediction_data()
        return fit

    def predict(self, points: np.ndarray) -> np.ndarray:
        """Label of each point: that of the fit for a point that it was fitted on, otherwise where it would fall."""
        return self._placed(points)[0]

    def strength(self, points: np.ndarray) -> np.ndarray:
        """How near the densest part of its cluster each point is: 1 there, 0 for noise."""
        return self._placed(points)[1]


def hdbscan(
    points: np.ndarray, min_cluster_size: int, min_samples: int = 10, seed: int = 0, *, most: int = FITTED
) -> Density:
    """HDBSCAN of customers, above `most` of them of a random sample; the others are placed like new ones.

    In a sample `min_cluster_size`, which is of all customers, is as many fewer as the sample is smaller.
    """
    different, counts, _ = distinct(points)
    ordered = np.repeat(different, counts, axis=0)
    if len(points) <= most:
        return Density(ordered, min_cluster_size, min_samples)
    chosen = np.sort(np.random.default_rng(seed).choice(len(ordered), most, replace=False))
    smallest = max(2, round(min_cluster_size * most / len(points)))
    return Density(ordered[chosen], smallest, min_samples)


def dbcv(
    points: np.ndarray, labels: np.ndarray, seed: int = 0, *, most: int = COMPARED, as_given: bool = False
) -> float:
    """Density-based validity (Moulavi et al. 2014): are the sparsest places in clusters denser than those between them?

    From -1 to 1, higher is better; NaN with fewer than two clusters. This is the published form: distances are squared,
    as in the authors' program, which the paper's formulas do not show. The index takes its sparsest places from a
    minimum spanning tree of each cluster, of which there are many, because most of its distances are tied by
    definition: programs differ by the tree that the order of rows brings (for one labelling of 300 points from 0.82 to
    0.91). The authors' program grows the tree from the first row and leaves every point with the one that reached it
    first. Here the densest point is the first, whatever the order of customers; the values that the authors' program
    gives for its six data sets are met within 0.001.

    Equal points would be infinitely dense, so a cluster's validity comes from its different ones; it counts by the
    cluster's share of all customers, noise among them. A cluster of a single different point counts as noise, as in the
    authors' program.

    Parameters
    ----------
    points : array of shape (customers, features)
    most : int
        With more different points a random sample of so many is compared.
    as_given : bool
        Take the trees that scipy finds for the rows in their order, on which the result then depends. Values that were
        published of the Python program by Siqueira are of this kind.

    Examples
    --------
    >>> line = np.r_[np.linspace(0, 1, 20), np.linspace(9, 10, 20)][:, None]
    >>> round(dbcv(line, np.repeat([0, 1], 20)), 3), round(dbcv(line, np.tile([0, 1], 20)), 3)
    (1.0, -0.999)
    """
    rows, _, places = distinct(np.column_stack([points, labels]))
    if as_given:
        rows = rows[pd.unique(places)]
    if len(rows) > most:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))]
    rows = rows[rows[:, -1] != NOISE]
    found, place, counts = np.unique(rows[:, -1], return_inverse=True, return_counts=True)
    found, rows = found[counts > 1], rows[(counts > 1)[place]]
    if len(found) < 2:
        return np.nan
    parts = [_inside(rows[rows[:, -1] == label, :-1], as_given=as_given) for label in found]
    inner, cores = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    owner = np.repeat(np.arange(len(found)), [len(part[0]) for part in parts])
    away = _reachability(cdist(inner, inner, SQUARED), cores)
    away[owner[:, None] == owner] = np.inf
    apart = np.full(len(found), np.inf)
    np.minimum.at(apart, owner, away.min(axis=1))
    sparse = np.array([part[2] for part in parts])
    larger = np.maximum(apart, sparse)
    each = np.divide(apart - sparse, larger, out=np.zeros_like(larger), where=larger > 0)
    return float((labels[:, None] == found).mean(axis=0) @ each)


def _reachability(away: np.ndarray, cores: np.ndarray) -> np.ndarray:
    return np.maximum(away, np.maximum.outer(cores, cores))


def _inside(points: np.ndarray, *, as_given: bool) -> tuple[np.ndarray, np.ndarray, float]:
    """The inner points of a cluster's spanning tree, their core distances, and the longest step between two of them."""
    away = cdist(points, points, SQUARED)
    np.fill_diagonal(away, np.inf)
    nearest = away.min(axis=1)  # taken out of the powers, which would overflow
    dense = ((nearest[:, None] / away) ** points.shape[1]).sum(axis=1) / (len(points) - 1)
    cores = nearest * dense ** (-1 / points.shape[1])
    if as_given:
        tree = minimum_spanning_tree(_reachability(away, cores)).tocoo()
        one, two, steps = tree.row, tree.col, tree.data
    else:
        order = np.argsort(cores, kind="stable")
        points, cores = points[order], cores[order]
        one, two, steps = _spanning_tree(_reachability(away[np.ix_(order, order)], cores))
    inner = np.bincount(np.r_[one, two]) > 1
    within = inner[one] & inner[two]
    if not inner.any():  # two points: both ends of the only step
        inner[:] = True
    return points[inner], cores[inner], float(steps[within].max() if within.any() else steps.max())


def _spanning_tree(reach: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The minimum spanning tree (Prim 1957) from the first row on, ties to the row before: both ends, and reach."""
    number = len(reach)
    best, parent = np.full(number, np.inf), np.zeros(number, dtype="int64")
    outside, last = np.ones(number, dtype=bool), 0
    added = np.empty(number - 1, dtype="int64")
    for step in range(number - 1):
        outside[last] = False
        nearer = outside & (reach[last] < best)
        best[nearer], parent[nearer] = reach[last, nearer], last
        last = int(np.argmin(np.where(outside, best, np.inf)))
        added[step] = last
    return parent[added], added, best[added]
