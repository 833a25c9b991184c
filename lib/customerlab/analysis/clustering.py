"""Families of clustering on equal terms: the same features, sizes, validity indices and stability side by side."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import DBSCAN, KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

NOISE = -1
SILHOUETTE_SAMPLE = 10_000  # above this many points the silhouette, which is quadratic, is taken over a sample


@dataclass(frozen=True)
class Space:
    """Customers as points.

    Attributes
    ----------
    ids : Series
        The customers, in the order of the points.
    points : array of shape (customers, features)
        Logarithms, centred and scaled to unit variance.
    names : tuple of str
    scaler : StandardScaler
        Fitted; with `log1p` before it, it places a new customer in the same space.
    """

    ids: pd.Series
    points: np.ndarray
    names: tuple[str, ...]
    scaler: StandardScaler


def space(customers: pd.DataFrame, names: list[str]) -> Space:
    """Turn skewed, positive features into points: `log1p`, then zero mean and unit variance.

    Without the logarithm a handful of large customers decides every distance. A feature that is the same for all
    customers stays zero.

    Parameters
    ----------
    customers : DataFrame
        With `customer_id` and the features; rows are sorted by it, so that their order cannot change a result.
    names : list of str
        Features, none below zero.
    """
    table = customers.sort_values("customer_id", ignore_index=True)
    raw = table[names].to_numpy(dtype=float)
    if np.isnan(raw).any() or (raw < 0).any():
        raise ValueError(f"the features {', '.join(names)} must be known for every customer and not below zero")
    scaler = StandardScaler().fit(np.log1p(raw))
    return Space(table["customer_id"], scaler.transform(np.log1p(raw)), tuple(names), scaler)


def sample(customers: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """At most `most` customers, chosen at random but not by the order of rows."""
    table = customers.sort_values("customer_id", ignore_index=True)
    if len(table) <= most:
        return table
    chosen = np.random.default_rng(seed).choice(len(table), most, replace=False)
    return table.iloc[np.sort(chosen)].reset_index(drop=True)


def by_size(labels: np.ndarray) -> np.ndarray:
    """Number the clusters from 0 by falling size, ties by their first point; noise stays -1.

    Examples
    --------
    >>> by_size(np.array([7, 3, 3, -1])).tolist()
    [1, 0, 0, -1]
    """
    found = pd.Series(labels[labels != NOISE])
    order = found.groupby(found, sort=False).size().sort_values(ascending=False, kind="stable").index
    return pd.Series(labels).map({**{old: new for new, old in enumerate(order)}, NOISE: NOISE}).to_numpy(dtype="int64")


def kmeans(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """K-Means labels, by falling size; the best of ten starts."""
    _check_clusters(points, clusters)
    return by_size(KMeans(clusters, n_init=10, random_state=seed).fit_predict(points))


def ward_tree(points: np.ndarray) -> np.ndarray:
    """The linkage matrix of Ward's hierarchical clustering, which merges the pair that adds the least variance."""
    return linkage(points, method="ward")


def ward(tree: np.ndarray, clusters: int) -> np.ndarray:
    """Labels of Ward's clustering cut into clusters, by falling size."""
    return by_size(fcluster(tree, clusters, criterion="maxclust"))


def neighbour_distances(points: np.ndarray, neighbours: int) -> np.ndarray:
    """Every point's distance to its k-th nearest neighbour (itself the first, as DBSCAN counts), rising."""
    neighbours = min(neighbours, len(points))
    distances, _ = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors(points)
    return np.sort(distances[:, -1])


def knee(values: np.ndarray) -> float:
    """The value at the knee of a rising curve: the point farthest below the line from its first to its last.

    Examples
    --------
    >>> knee(np.array([0.0, 0.1, 0.2, 0.3, 5.0]))
    0.3
    """
    if len(values) < 3 or values[-1] == values[0]:
        return float(values[-1])
    x = np.linspace(0, 1, len(values))
    y = (values - values[0]) / (values[-1] - values[0])
    return float(values[np.argmax(x - y)])


def dbscan(points: np.ndarray, eps: float, neighbours: int) -> np.ndarray:
    """DBSCAN labels, by falling size, noise -1."""
    return by_size(DBSCAN(eps=max(eps, 1e-9), min_samples=neighbours).fit_predict(points))


def _check_clusters(points: np.ndarray, clusters: int) -> None:
    different = len(np.unique(points, axis=0))
    if not 1 <= clusters <= different:
        raise ValueError(f"{clusters} clusters from {different} different customers; expected at most {different}")


def validity(points: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, float]:
    """Three internal indices over the points that are not noise, with sizes and coverage beside them.

    Returns
    -------
    dict
        `clusters`, `smallest` (share of all points in the smallest cluster), `noise` (share), `silhouette` (-1 to 1,
        higher is better), `davies_bouldin` (lower is better), `calinski_harabasz` (higher is better). The indices are
        not defined (NaN) with fewer than two clusters or with one point a cluster.
    """
    covered = labels != NOISE
    inside, kept = points[covered], labels[covered]
    sizes = np.bincount(kept) if len(kept) else np.array([], dtype=int)
    result = {
        "clusters": len(sizes),
        "smallest": float(sizes.min() / len(labels)) if len(sizes) else np.nan,
        "noise": float(1 - covered.mean()),
        "silhouette": np.nan,
        "davies_bouldin": np.nan,
        "calinski_harabasz": np.nan,
    }
    if 2 <= len(sizes) < len(kept):
        size = SILHOUETTE_SAMPLE if len(kept) > SILHOUETTE_SAMPLE else None
        result["silhouette"] = float(silhouette_score(inside, kept, sample_size=size, random_state=seed))
        result["davies_bouldin"] = float(davies_bouldin_score(inside, kept))
        result["calinski_harabasz"] = float(calinski_harabasz_score(inside, kept))
    return result


def stability(points: np.ndarray, clusters: int, seed: int, resamples: int = 10) -> float:
    """How far K-Means finds the same groups again in bootstrap samples.

    Each resample is clustered, all points are assigned to its nearest centre, and the assignment is compared with
    that of all points by the adjusted Rand index (Hubert and Arabie 1985): 1 for the same groups, 0 for chance.

    Returns
    -------
    float
        The mean over the resamples.
    """
    _check_clusters(points, clusters)
    rng = np.random.default_rng(seed)
    whole = KMeans(clusters, n_init=10, random_state=seed).fit(points).labels_
    found = []
    for _ in range(resamples):
        drawn = points[rng.integers(0, len(points), len(points))]
        possible = min(clusters, len(np.unique(drawn, axis=0)))
        again = KMeans(possible, n_init=3, random_state=seed).fit(drawn)
        found.append(adjusted_rand_score(whole, again.predict(points)))
    return float(np.mean(found))


def by_clusters(points: np.ndarray, choices: range, seed: int) -> pd.DataFrame:
    """K-Means for several numbers of clusters: validity, sizes and stability.

    Returns
    -------
    DataFrame
        One row a number of clusters: those of `validity` and `stability` (bootstrap adjusted Rand index).
    """
    possible = [k for k in choices if k <= len(np.unique(points, axis=0))]
    rows = [
        validity(points, kmeans(points, k, seed), seed) | {"stability": stability(points, k, seed)} for k in possible
    ]
    return pd.DataFrame(rows).drop(columns="noise")


def compare(points: np.ndarray, labels: dict[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Several clusterings of the same points side by side.

    Parameters
    ----------
    points : array of shape (customers, features)
    labels : dict of str to array
        Name of the method to its labels.

    Returns
    -------
    DataFrame
        One row a method: `method` and the columns of `validity`.
    """
    return pd.DataFrame([{"method": name, **validity(points, found, seed)} for name, found in labels.items()])


def agreement(labels: dict[str, np.ndarray]) -> pd.DataFrame:
    """Adjusted Rand index between every two clusterings; noise counts as a group of its own."""
    names = list(labels)
    grid = [[adjusted_rand_score(labels[a], labels[b]) for b in names] for a in names]
    return pd.DataFrame(grid, index=pd.Index(names, name="method"), columns=names)


def profile(customers: pd.DataFrame, labels: np.ndarray, names: list[str]) -> pd.DataFrame:
    """The clusters in the features' own units.

    Parameters
    ----------
    customers : DataFrame
        Sorted by `customer_id`, like the points.
    labels : array
    names : list of str
        Features, of which the medians are given.

    Returns
    -------
    DataFrame
        `cluster`, `customers`, `share`, and the median of each feature; noise, where there is any, is cluster -1.
    """
    grouped = customers.groupby(pd.Series(labels, index=customers.index, name="cluster"))
    table = grouped[names].median()
    table.insert(0, "customers", grouped.size())
    table.insert(1, "share", table["customers"] / len(customers))
    return table.reset_index()
