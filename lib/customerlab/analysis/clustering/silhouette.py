"""The silhouette (Rousseeuw 1987): of many clusterings at once, exact, or over a sample with an error that is true."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances

from customerlab.analysis.clustering.models import NOISE

EXACT = 5_000  # up to so many points every one has its silhouette
SAMPLED = 1_000  # points that have it otherwise
CELLS = 10_000_000  # distances that are held in memory at a time


def _values(sums: np.ndarray, sizes: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Silhouettes of points, from their summed distances to each cluster and the clusters that they are in."""
    rows = np.arange(len(own))
    inner = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outer = means.min(axis=1)
    wider = np.maximum(inner, outer)
    values = np.divide(outer - inner, wider, out=np.zeros_like(inner), where=wider > 0)
    return np.where(sizes[own] > 1, values, 0.0)


def _each(
    points: np.ndarray, labels: Mapping[str, np.ndarray], seed: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each clustering with a silhouette: its name, the labels of the customers drawn, and their silhouettes."""
    asked = np.arange(len(points))
    if len(points) > EXACT:
        asked = np.sort(np.random.default_rng(seed).choice(len(points), SAMPLED, replace=False))
    codes = {name: np.unique(own[own != NOISE], return_inverse=True)[1] for name, own in labels.items()}
    sound = [name for name, own in codes.items() if len(own) and 2 <= own.max() + 1 < len(own)]
    members = []
    for name in sound:
        inside = labels[name] != NOISE
        block = np.zeros((len(points), codes[name].max() + 1))
        block[inside] = np.eye(block.shape[1])[codes[name]]
        members.append(block)
    if not sound:
        return
    together, step = np.concatenate(members, axis=1), max(1, CELLS // len(points))
    sums = [pairwise_distances(points[asked[i : i + step]], points) @ together for i in range(0, len(asked), step)]
    parts = np.split(np.concatenate(sums), np.cumsum([block.shape[1] for block in members])[:-1], axis=1)
    for name, block, part in zip(sound, members, parts, strict=True):
        own = labels[name][asked]
        inside = own != NOISE
        yield name, own[inside], _values(part[inside], block.sum(axis=0), block[asked[inside]].argmax(axis=1))


def mean_silhouettes(points: np.ndarray, labels: Mapping[str, np.ndarray], seed: int) -> pd.DataFrame:
    """The mean silhouette of several clusterings of the same points over those that are not noise, -1.

    Of more than 5,000 points a thousand are drawn, and each is compared with all points. So its silhouette is exact,
    and the error of the mean is that of any mean over a sample.

    Returns
    -------
    DataFrame
        By clustering: `silhouette` and `silhouette_error`, its standard error as an estimate for customers like these.
        Not defined (NaN) with fewer than two clusters or with one point per cluster.
    """
    table = pd.DataFrame(np.nan, index=pd.Index(labels), columns=["silhouette", "silhouette_error"])
    for name, _, values in _each(points, labels, seed):
        if len(values) > 1:
            table.loc[name] = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
    return table


def silhouettes(points: np.ndarray, labels: np.ndarray, seed: int) -> pd.DataFrame:
    """The silhouette of each customer in a cluster, of a random thousand where there are more than 5,000.

    Returns
    -------
    DataFrame
        `cluster` and `silhouette`, from -1 (closer to another cluster) to 1; no row where it is not defined.

    Examples
    --------
    >>> silhouettes(np.array([[0.0], [1.0], [9.0], [5.0]]), np.array([1, 1, 2, -1]), 7).round(2).values.tolist()
    [[1.0, 0.89], [1.0, 0.88], [2.0, 0.0]]
    """
    for _, own, values in _each(points, {"": np.asarray(labels)}, seed):
        return pd.DataFrame({"cluster": own, "silhouette": values})
    return pd.DataFrame({"cluster": np.array([], dtype=int), "silhouette": np.array([], dtype=float)})
