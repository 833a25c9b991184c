"""Stability of clusters over bootstrap samples and over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from customerlab.analysis.clustering.methods import FIXED, METHODS, Method, fit_all, method_of
from customerlab.analysis.clustering.models import NOISE, Model

MOST = 1_000  # points a resample: what is unstable with so many is no pattern that a shop could use


def jaccard(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The largest Jaccard similarity of each cluster with any cluster of another clustering (Hennig 2007).

    Both clusterings are of the same points, from 0; noise, -1, is a cluster of neither. One number for each cluster of
    `labels`: customers in both, divided by customers in either, for the most similar of the other clusters; 0 where
    there is none. NaN for a number that no point has, such as a component of a mixture that is nowhere the most
    probable.

    Examples
    --------
    >>> jaccard(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, -1])).round(2).tolist()
    [0.67, 0.33]
    """
    k, m = labels.max(initial=NOISE) + 1, others.max(initial=NOISE) + 1
    sizes, other_sizes = (np.bincount(x[x != NOISE], minlength=n) for x, n in ((labels, k), (others, m)))
    if k == 0 or m == 0:
        return np.where(sizes > 0, 0.0, np.nan)
    both = (labels != NOISE) & (others != NOISE)
    shared = np.bincount(labels[both] * m + others[both], minlength=k * m).reshape(k, m)
    best = (shared / np.maximum(sizes[:, None] + other_sizes - shared, 1)).max(axis=1)
    return np.where(sizes > 0, best, np.nan)


def stability(
    points: np.ndarray,
    labels: Mapping[str, np.ndarray],
    numbers: Sequence[int],
    seed: int,
    *,
    resamples: int = 15,
    methods: Mapping[str, Method] = METHODS,
) -> pd.DataFrame:
    """Bootstrap stability of each candidate and of each of its clusters.

    Every method is fitted to a sample of customers drawn with replacement, at most a thousand, and assigns all
    customers. The result is compared with the candidate's own clusters, from 0: as a whole by the adjusted Rand index
    (Hubert and Arabie 1985), with noise, -1, as one group; and cluster by cluster by `jaccard`. Hennig (2007) calls
    a cluster stable if its mean is at least 0.75, and unstable below 0.6.

    Returns
    -------
    DataFrame
        By candidate: `adjusted_rand` and `adjusted_rand_error` (mean and its standard error over the resamples),
        `jaccard` (one array: the mean of each cluster) and `lowest_jaccard` (0 where a candidate has no cluster).
    """
    rng = np.random.default_rng(seed)
    rand: dict[str, list[float]] = {name: [] for name in labels}
    again: dict[str, list[np.ndarray]] = {name: [] for name in labels}
    size = min(len(points), MOST)
    for _ in range(resamples):
        # sorted, because methods may depend on the order of points
        drawn = points[np.sort(rng.integers(0, len(points), size))]
        models = fit_all(drawn, numbers, seed, methods=methods)
        for name, own in labels.items():
            # a resample with fewer different points than clusters finds none of them
            found = models[name].predict(points) if name in models else np.full(len(points), NOISE)
            rand[name].append(adjusted_rand_score(own, found))
            again[name].append(jaccard(own, found))
    rows = []
    for name in labels:
        means = np.mean(again[name], axis=0)
        error = np.std(rand[name], ddof=1) / np.sqrt(resamples) if resamples > 1 else np.nan
        rows.append((name, np.mean(rand[name]), error, means, np.nanmin(means) if len(means) else 0.0))
    columns = ["candidate", "adjusted_rand", "adjusted_rand_error", "jaccard", "lowest_jaccard"]
    return pd.DataFrame(rows, columns=columns).set_index("candidate")


def agreement_of_seeds(
    points: np.ndarray,
    labels: Mapping[str, np.ndarray],
    numbers: Sequence[int],
    seeds: Sequence[int],
    *,
    methods: Mapping[str, Method] = METHODS,
) -> pd.Series:
    """Mean adjusted Rand index between each candidate and itself fitted with other seeds; 1 where nothing is random."""
    drawn = {name: method for name, method in methods.items() if method not in FIXED}
    found: dict[str, list[float]] = {name: [] for name in labels if method_of(name) in drawn}
    for seed in seeds:
        models: dict[str, Model] = fit_all(points, numbers, seed, methods=drawn)
        for name, values in found.items():
            values.append(adjusted_rand_score(labels[name], models[name].predict(points)))
    return pd.Series({name: float(np.mean(found.get(name, 1.0))) for name in labels}, name="seeds")
