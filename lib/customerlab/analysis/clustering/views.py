"""Two-dimensional projections of customers. They illustrate clusters and are no evidence for them."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

NEIGHBOURS = 15
EPOCHS = 200
FEWEST = 4  # points, below which neighbourhoods say nothing


@dataclass(frozen=True)
class Views:
    """The same customers by two methods.

    Attributes
    ----------
    rows : array of int of shape (shown,)
        Which of the points are shown, rising.
    pca, umap : array of shape (shown, 2)
        The first two principal components of all points, and UMAP, of which distances, sizes and directions mean
        nothing and near neighbours are mostly near; None for fewer than four points.
    explained : array of shape (2,)
        The share of the variance that each component holds.
    loadings : array of shape (features, 2)
        What each feature adds to each component; columns of length one, whose largest entry is positive.
    """

    rows: np.ndarray
    pca: np.ndarray
    explained: np.ndarray
    loadings: np.ndarray
    umap: np.ndarray | None


def views(points: np.ndarray, seed: int, *, most: int = 2000) -> Views:
    """Project points by principal components and by UMAP (McInnes, Healy and Melville 2018).

    Both show the same points: all, or a random sample of `most`; the components are those of all points. UMAP begins
    with the principal components, so that what its picture keeps of the whole is not left to chance (Kobak and
    Linderman 2021). With one feature, or none that varies, the second component (or both) is zero. The same seed gives
    the same pictures. Raises ValueError for no points, and for missing or infinite values.

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
    """Coordinates by UMAP, begun with the principal components."""
    with warnings.catch_warnings():
        # of Tensorflow, which is not needed, and of new points, which are not placed
        warnings.simplefilter("ignore")
        import umap  # here, because it takes seconds

        # with neighbours given, umap neither asks Python for every pair of points nor compiles a search of its own
        neighbours = min(NEIGHBOURS, len(points) - 1)
        distances, places = cKDTree(points).query(points, k=neighbours)
        spread = max(float(pca.std()), 1e-12)
        begin = pca / spread + 1e-4 * np.random.default_rng(seed).standard_normal(pca.shape)
        reducer = umap.UMAP(
            n_neighbors=neighbours,
            n_epochs=EPOCHS,
            init=begin,
            precomputed_knn=(places, distances),
            random_state=seed,
            n_jobs=1,
        )
        return np.asarray(reducer.fit_transform(points), dtype=float)
