"""Hierarchical clustering for millions of customers: micro-clusters first, then a tree over them.

A tree over n customers needs all n² distances. Customers who are alike are therefore merged first, and the tree is
grown over at most some thousand of such micro-clusters, each with the weight of its customers. Where the customers
are that few, or differ in that few ways, the tree is the one of all customers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from customerlab.analysis.clustering.models import Nearest

MOST = 2_000
"""Micro-clusters of a tree, at most."""

PASSES = 2  # of K-Means after the halving: scatter is then a few per cent above that of K-Means run to its end
Linkage = Literal["ward", "average"]


@dataclass(frozen=True)
class Micro:
    """Customers merged with those next to them.

    Attributes
    ----------
    centres : array of shape (micro-clusters, features)
    sizes : array of int of shape (micro-clusters,)
    members : array of int of shape (customers,)
        The micro-cluster of each customer: that with the nearest centre.
    """

    centres: np.ndarray
    sizes: np.ndarray
    members: np.ndarray


def distinct(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different points in rising order, how often each occurs, and the place among them of every point.

    Like `numpy.unique` along the first axis, but several times faster.
    """
    if points.ndim != 2 or not points.size:
        raise ValueError(f"points of shape {points.shape}; expected at least one customer and one feature")
    if not np.isfinite(points).all():
        raise ValueError(f"{(~np.isfinite(points).all(axis=1)).sum()} points are not finite; expected numbers")
    order = np.lexsort(points.T[::-1])
    ordered = points[order]
    first = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    places = np.empty(len(points), dtype="int64")
    places[order] = np.cumsum(first) - 1
    return ordered[first], np.bincount(places), places


def micro_clusters(points: np.ndarray, most: int = MOST) -> Micro:
    """Merge customers who are alike into at most `most` micro-clusters.

    Equal points always stay together. Where no more than `most` points are different, each is a micro-cluster and
    nothing is lost. Otherwise the space is halved again and again where the scatter is largest (Su and Dy 2007), and
    some passes of K-Means follow. Nothing of this is random or depends on the order of the points. Points that are not
    finite, and none at all, raise ValueError.

    Examples
    --------
    >>> micro = micro_clusters(np.array([[0.0], [9.0], [0.0], [1.0]]), most=2)
    >>> micro.centres.round(2).tolist(), micro.sizes.tolist(), micro.members.tolist()
    ([[0.33], [9.0]], [3, 1], [0, 1, 0, 0])
    """
    if most < 1:
        raise ValueError(f"{most} micro-clusters; expected at least 1")
    different, counts, places = distinct(points)
    if len(different) <= most:
        return Micro(different, counts, places)
    centres = _halved(different, counts, most)
    for _ in range(PASSES):
        nearest = cKDTree(centres).query(different, workers=-1)[1]
        centres = _means(different, counts, nearest, len(centres))[0]
    nearest = cKDTree(centres).query(different, workers=-1)[1]
    sizes = np.bincount(nearest, counts, len(centres)).astype("int64")
    kept = sizes > 0
    # a centre that lost all points is no point's nearest, so without it all others stay where they are
    return Micro(centres[kept], sizes[kept], (np.cumsum(kept) - 1)[nearest][places])


def _means(points: np.ndarray, counts: np.ndarray, cells: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and weight of each non-empty cell."""
    weight = np.bincount(cells, counts, number)
    sums = np.column_stack([np.bincount(cells, counts * values, number) for values in points.T])
    kept = weight > 0
    return sums[kept] / weight[kept, None], weight[kept]


def _halved(points: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    """Centres of cells: in every round the half of them with the largest scatter is cut at its mean.

    A cell is cut across the feature with the most scatter, so that no part is empty.
    """
    cells, number = np.zeros(len(points), dtype="int64"), 1
    while True:
        means, _ = _means(points, counts, cells, number)
        if number == most:
            return means
        pairs = zip(points.T, means.T, strict=True)
        scatter = np.column_stack([np.bincount(cells, counts * (x - mean[cells]) ** 2, number) for x, mean in pairs])
        total, across = scatter.sum(axis=1), scatter.argmax(axis=1)
        chosen = np.argsort(-total, kind="stable")[: min(max(number // 2, 1), most - number)]
        chosen = chosen[total[chosen] > 0]
        new = np.full(number, -1)
        new[chosen] = number + np.arange(len(chosen))
        feature = across[cells]
        beyond = points[np.arange(len(points)), feature] > means[cells, feature]
        cells = np.where(beyond & (new[cells] >= 0), new[cells], cells)
        number += len(chosen)


def merge_tree(micro: Micro, linkage: Linkage = "ward") -> np.ndarray:
    """The tree of merges over micro-clusters, each counted as its customers.

    A nearest-neighbour chain (Murtagh 1983) with the distances of Lance and Williams (1967): the tree and the heights
    are those that all customers would give, were each at the centre of its micro-cluster. `ward` merges the pair that
    adds the least variance (Ward 1963), `average` the pair with the smallest mean distance between customers (Sokal and
    Michener 1958).

    Returns
    -------
    array of shape (micro-clusters - 1, 4)
        As `scipy.cluster.hierarchy.linkage` gives it: the two clusters merged, the height, the micro-clusters in it.

    Examples
    --------
    >>> micro = micro_clusters(np.array([[0.0], [1.0], [5.0]]))
    >>> merge_tree(micro, "average").tolist()
    [[0.0, 1.0, 1.0, 2.0], [2.0, 3.0, 4.5, 3.0]]
    """
    if linkage not in ("ward", "average"):
        raise ValueError(f"no linkage {linkage!r}; expected 'ward' or 'average'")
    number = len(micro.centres)
    sizes = micro.sizes.astype(float)
    away = np.zeros((number, number))
    for values in micro.centres.T:  # squares of differences: without the loss of digits of the product formula
        away += np.subtract.outer(values, values) ** 2
    if linkage == "ward":
        away *= 2 * np.multiply.outer(sizes, sizes) / np.add.outer(sizes, sizes)
    else:
        np.sqrt(away, out=away)
    np.fill_diagonal(away, np.inf)
    merges = _chained(away, sizes, linkage)
    if linkage == "ward":
        merges[:, 2] = np.sqrt(merges[:, 2])
    return _numbered(merges[np.argsort(merges[:, 2], kind="stable")], number)


def _chained(away: np.ndarray, sizes: np.ndarray, linkage: Linkage) -> np.ndarray:
    """Merges in the order of the chain: two members that stand for their clusters, and the height. Overwrites both."""
    merges = np.empty((len(sizes) - 1, 3))
    chain: list[int] = []
    for step in range(len(merges)):
        if not chain:
            chain.append(int(np.argmax(sizes > 0)))
        while True:
            last = chain[-1]
            near = int(away[last].argmin())
            # among equally near ones the one before in the chain, or the chain would run in circles
            if len(chain) > 1 and away[last, chain[-2]] <= away[last, near]:
                break
            chain.append(near)
        one, two = chain.pop(), chain.pop()
        merges[step] = one, two, away[one, two]
        a, b, gap = sizes[one], sizes[two], away[one, two]
        if linkage == "ward":
            joint = ((sizes + a) * away[one] + (sizes + b) * away[two] - sizes * gap) / (sizes + a + b)
        else:
            joint = (a * away[one] + b * away[two]) / (a + b)
        joint[two] = np.inf
        away[one], away[:, one] = np.inf, np.inf
        away[two], away[:, two] = joint, joint
        sizes[one], sizes[two] = 0, a + b
    return merges


def _numbered(merges: np.ndarray, number: int) -> np.ndarray:
    """Merges of members as scipy writes them: of leaves, and of clusters numbered after them in order of merging."""
    tree = np.empty((len(merges), 4))
    owner, leaves = list(range(2 * number - 1)), [1] * number

    def root(place: int) -> int:
        while owner[place] != place:
            owner[place] = owner[owner[place]]
            place = owner[place]
        return place

    for step, (one, two, height) in enumerate(merges.tolist()):
        low, high = sorted((root(int(one)), root(int(two))))
        leaves.append(leaves[low] + leaves[high])
        tree[step] = low, high, height, leaves[-1]
        owner[low] = owner[high] = number + step
    return tree


def cut(tree: np.ndarray, clusters: int) -> np.ndarray:
    """Cut a tree into exactly so many clusters, also where several merges have the same height.

    The cluster of each micro-cluster is given, from 0 in the order of the micro-clusters.
    """
    return _groups(tree, clusters)[: len(tree) + 1]


def top(tree: np.ndarray, leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """The last merges of a tree as a tree of their own, to be drawn, and its leaf for each micro-cluster."""
    groups, number = _groups(tree, leaves), len(tree) + 1
    small = tree[number - leaves :].copy()
    children = small[:, :2].astype("int64")
    begin = 2 * number - leaves  # the first merge of the smaller tree
    small[:, :2] = np.sort(np.where(children < begin, groups[children], children - begin + leaves), axis=1)
    inside = [1] * leaves
    for step, (one, two) in enumerate(small[:, :2].astype("int64").tolist()):
        inside.append(inside[one] + inside[two])
        small[step, 3] = inside[-1]
    return small, groups[:number]


def _groups(tree: np.ndarray, clusters: int) -> np.ndarray:
    """The cluster of every leaf and of every merge within one; merges of clusters have numbers beyond."""
    number = len(tree) + 1
    if not 1 <= clusters <= number:
        found = f"{clusters} clusters of {number:,} different customers or micro-clusters"
        raise ValueError(f"{found}; expected 1 to {number:,}")
    done = number - clusters
    parents = np.repeat(number + np.arange(done), 2)
    children = tree[:done, :2].astype("int64").ravel()
    nodes = 2 * number - 1
    graph = coo_array((np.ones(len(parents)), (parents, children)), shape=(nodes, nodes))
    return pd.factorize(connected_components(graph, directed=False)[1])[0].astype("int64")


def grow_tree(points: np.ndarray, linkage: Linkage = "ward", *, most: int = MOST) -> tuple[Micro, np.ndarray]:
    """Micro-clusters, at most so many, and the tree over them, to be cut into several numbers of clusters."""
    micro = micro_clusters(points, most)
    return micro, merge_tree(micro, linkage)


def model(micro: Micro, tree: np.ndarray, clusters: int) -> Nearest:
    """A tree cut into clusters: new customers go where the nearest micro-cluster belongs."""
    return Nearest(micro.centres, cut(tree, clusters))
