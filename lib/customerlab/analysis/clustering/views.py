"""Two pictures of many dimensions. They are views of the customers and never evidence for clusters."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

NEIGHBOURS = 15
EPOCHS, BATCHES = 200, 10
OTHERS = 5  # random points that push, for each neighbour that pulls
A, B = 1.5769434603, 0.8950608779  # 1 / (1 + A d^2B) is near one up to a distance of 0.1, and then falls like exp(-d)
FEWEST = 4  # points, below which neighbourhoods say nothing


@dataclass(frozen=True)
class Views:
    """The same customers by two methods.

    Attributes
    ----------
    rows : array of int of shape (shown,)
        Which of the points are shown, rising.
    pca : array of shape (shown, 2)
        The first two principal components of all points.
    explained : array of shape (2,)
        The share of the variance that each component holds.
    loadings : array of shape (features, 2)
        What each feature adds to each component; columns of length one, whose largest entry is positive.
    umap : array of shape (shown, 2), or None
        Its distances, sizes and directions mean nothing; near neighbours are mostly near. None for fewer than four
        points.
    """

    rows: np.ndarray
    pca: np.ndarray
    explained: np.ndarray
    loadings: np.ndarray
    umap: np.ndarray | None


def views(points: np.ndarray, seed: int, *, most: int = 2000) -> Views:
    """Look at points by principal components and by UMAP (McInnes, Healy and Melville 2018).

    Both show the same points: all, or a random sample; the components are those of all points. UMAP begins with the
    principal components, so that what its picture keeps of the whole is not left to chance (Kobak and Linderman 2021).

    Parameters
    ----------
    points : array of shape (customers, features)
        Transformed and scaled, ordered by customer.
    seed : int
        Of the sample and of UMAP; the same seed gives the same pictures.
    most : int
        Points that are shown.

    Returns
    -------
    Views
        With one feature, or none that varies, the second component (or both) is zero.

    Raises
    ------
    ValueError
        For no points, and for missing or infinite values.

    Examples
    --------
    >>> found = views(np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]]), seed=7)
    >>> found.explained.round(3).tolist(), found.loadings[:, 0].round(3).tolist(), found.umap
    ([1.0, 0.0], [0.447, 0.894], None)
    """
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(f"the points have shape {points.shape}; expected some, in rows, without missing values")
    rows = np.arange(len(points))
    if len(points) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(points), most, replace=False))
    with threadpool_limits(1):  # sums in another order differ in the last digits
        pca, explained, loadings = _principal(points)
        umap = _umap(points[rows], pca[rows], seed) if len(rows) >= FEWEST else None
    return Views(rows, pca[rows], explained, loadings, umap)


def _principal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, shares of variance and loadings of the first two components."""
    centred = points - points.mean(axis=0)
    variances, vectors = np.linalg.eigh(centred.T @ centred)
    loadings = np.zeros((points.shape[1], 2))
    kept = min(2, points.shape[1])
    loadings[:, :kept] = vectors[:, ::-1][:, :kept]
    largest = np.abs(loadings).argmax(axis=0)
    loadings *= np.where(loadings[largest, [0, 1]] < 0, -1, 1)
    explained = np.zeros(2)
    if variances.sum() > 0:
        explained[:kept] = np.clip(variances[::-1][:kept] / variances.sum(), 0, 1)
    return centred @ loadings, explained, loadings


def _umap(points: np.ndarray, pca: np.ndarray, seed: int) -> np.ndarray:
    """Coordinates by UMAP, begun with the principal components, with the settings of its authors' program.

    The layout is theirs, but for the order of steps: neighbours pull and others push in batches, and not one by one,
    which arrays can do without being compiled first.
    """
    rng, number = np.random.default_rng(seed), len(points)
    placed = pca / max(float(pca.std()), 1e-12) + 1e-4 * rng.standard_normal(pca.shape)
    placed = 10 * (placed - placed.min(axis=0)) / np.ptp(placed, axis=0)
    graph = _neighbourhoods(points).tocoo()
    strength = graph.data / graph.data.max()
    for epoch in range(EPOCHS):
        pace = 1 - epoch / EPOCHS
        due = rng.permutation(np.flatnonzero(rng.random(len(strength)) < strength))
        for batch in np.array_split(due, BATCHES):
            one, two = graph.row[batch], graph.col[batch]
            pull = pace * _pull(placed[one] - placed[two])
            others = rng.integers(0, number, (OTHERS, len(batch)))
            push = pace * _push(placed[one] - placed[others]).sum(axis=0)
            for axis in (0, 1):
                placed[:, axis] += np.bincount(one, (push + pull)[:, axis], number)
                placed[:, axis] -= np.bincount(two, pull[:, axis], number)
    return placed


def _neighbourhoods(points: np.ndarray) -> csr_array:
    """How surely two points are neighbours: the nearest of each surely, all together as much as log2 of their count."""
    neighbours = min(NEIGHBOURS, len(points) - 1)
    distances, places = cKDTree(points).query(points, k=neighbours)
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1, keepdims=True)
    beyond = np.maximum(distances - np.where(np.isfinite(nearest), nearest, 0), 0)
    low, high = np.zeros((len(points), 1)), np.full((len(points), 1), 1e3 * max(distances.max(), 1e-12))
    for _ in range(64):  # bisection
        width = (low + high) / 2
        wide = np.exp(-beyond[:, 1:] / width).sum(axis=1, keepdims=True) > np.log2(neighbours)
        low, high = np.where(wide, low, width), np.where(wide, width, high)
    width = np.maximum((low + high) / 2, 1e-3 * max(distances.mean(), 1e-12))
    sure = np.where(places == np.arange(len(points))[:, None], 0.0, np.exp(-beyond / width))
    starts = np.arange(0, sure.size + 1, neighbours)
    one = csr_array((sure.ravel(), places.ravel(), starts), shape=(len(points), len(points)))
    return one + one.T - one * one.T


def _pull(away: np.ndarray) -> np.ndarray:
    """The step of a point towards a neighbour."""
    squared = np.maximum((away**2).sum(axis=-1, keepdims=True), 1e-12)
    return np.clip(-2 * A * B * squared ** (B - 1) / (A * squared**B + 1) * away, -4, 4)


def _push(away: np.ndarray) -> np.ndarray:
    """The step of a point away from another one."""
    squared = (away**2).sum(axis=-1, keepdims=True)
    return np.clip(2 * B / ((0.001 + squared) * (A * squared**B + 1)) * away, -4, 4)
