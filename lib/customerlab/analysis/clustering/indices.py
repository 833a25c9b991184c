"""Internal validity indices, cluster sizes, and the number of clusters that each index prefers."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from customerlab.analysis.clustering.density import below_chord
from customerlab.analysis.clustering.methods import SPREAD
from customerlab.analysis.clustering.models import NOISE, Nearest
from customerlab.analysis.clustering.silhouette import mean_silhouettes

NUMBER_SAMPLE = 2_000  # points over which the numbers of clusters are compared: each is fitted dozens of times
STRONG = 0.8  # prediction strength that Tibshirani and Walther ask of a number of clusters
REFERENCES = 10  # uniform clouds of the gap statistic
HALVINGS = 5  # of the prediction strength


def by_size(labels: np.ndarray) -> np.ndarray:
    """Number the clusters from 0 by falling size, ties by their first point; noise stays -1."""
    found = pd.Series(labels[labels != NOISE])
    order = found.groupby(found, sort=False).size().sort_values(ascending=False, kind="stable").index
    return _renamed(labels, order, 0)


def numbered(labels: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Number the clusters from 1 by falling mean value of their customers, ties by falling size; noise stays -1."""
    sized = by_size(labels)
    means = pd.Series(value)[sized != NOISE].groupby(sized[sized != NOISE]).mean().round(9)
    order = means.sort_values(ascending=False, kind="stable").index
    return _renamed(sized, order, 1)


def _renamed(labels: np.ndarray, order: pd.Index, first: int) -> np.ndarray:
    """Labels numbered in some order; noise stays."""
    return pd.Series(labels).map({**{old: new for new, old in enumerate(order, first)}, NOISE: NOISE}).to_numpy("int64")


def validity(points: np.ndarray, labels: Mapping[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Sizes of several clusterings, from 0 with noise -1, and three internal indices over the points in clusters.

    Returns
    -------
    DataFrame
        By name: `clusters`, `smallest` (share of all points in the smallest cluster), `noise` (share), `silhouette`
        with `silhouette_error` (see `mean_silhouettes`; -1 to 1, higher is better), `davies_bouldin` (1979; lower is
        better), `calinski_harabasz` (1974; higher is better). The indices are not defined (NaN) with fewer than two
        clusters or with one point per cluster.
    """
    rows = {}
    for name, own in labels.items():
        covered = own != NOISE
        inside, kept = points[covered], np.unique(own[covered], return_inverse=True)[1]
        sizes = np.bincount(kept) if len(kept) else np.array([], dtype=int)
        sound = 2 <= len(sizes) < len(kept)
        rows[name] = {
            "clusters": len(sizes),
            "smallest": float(sizes.min() / len(own)) if len(sizes) else np.nan,
            "noise": float(1 - covered.mean()),
            "davies_bouldin": float(davies_bouldin_score(inside, kept)) if sound else np.nan,
            "calinski_harabasz": float(calinski_harabasz_score(inside, kept)) if sound else np.nan,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.join(mean_silhouettes(points, labels, seed)).rename_axis("candidate")


def by_number(points: np.ndarray, numbers: Sequence[int], seed: int) -> pd.DataFrame:
    """Seven indices of the number of clusters: six for K-Means, one for Gaussian mixtures.

    Parameters
    ----------
    points : array of shape (customers, features)
        A random sample of at most 2,000 is used.
    numbers : sequence of int
        Rising and without gaps; 1 is added, since it is an answer too. Numbers above that of different points are left
        out.

    Returns
    -------
    DataFrame
        One row per number: `clusters`, `inertia` (sum of squared distances to the centres), `silhouette` with
        `silhouette_error`, `davies_bouldin`, `calinski_harabasz` (these four missing for one cluster), `gap` and
        `gap_error` (Tibshirani, Walther and Hastie 2001), `bic` (of a mixture; lower is better) and
        `prediction_strength` (Tibshirani and Walther 2005).
    """
    rng = np.random.default_rng(seed)
    if len(points) > NUMBER_SAMPLE:
        points = points[np.sort(rng.choice(len(points), NUMBER_SAMPLE, replace=False))]
    different = len(np.unique(points, axis=0))
    tried = [k for k in sorted({1, *numbers}) if k <= different]
    with threadpool_limits(1):
        fitted = {k: KMeans(k, n_init=10, random_state=seed).fit(points) for k in tried}
        table = validity(points, {str(k): model.labels_ for k, model in fitted.items()}, seed).reset_index(drop=True)
        table["clusters"] = tried
        table["inertia"] = [float(model.inertia_) for model in fitted.values()]
        table["gap"], table["gap_error"] = _gap(points, table["inertia"].to_numpy(), tried, rng, seed)
        table["bic"] = [
            GaussianMixture(k, reg_covar=SPREAD, random_state=seed, max_iter=300).fit(points).bic(points) for k in tried
        ]
        table["prediction_strength"] = [prediction_strength(points, k, seed) for k in tried]
    return table.drop(columns=["smallest", "noise"])


def _gap(
    points: np.ndarray, inertia: np.ndarray, tried: list[int], rng: np.random.Generator, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The gap statistic with its reference in the axes' box, and the error that its rule asks for."""
    axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2]
    turned = points @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    boxes = [rng.uniform(low, high, turned.shape) for _ in range(REFERENCES)]
    logs = np.log([[KMeans(k, n_init=2, random_state=seed).fit(box).inertia_ + 1e-12 for k in tried] for box in boxes])
    error = logs.std(axis=0) * np.sqrt(1 + 1 / REFERENCES)
    return logs.mean(axis=0) - np.log(inertia + 1e-12), error


def prediction_strength(points: np.ndarray, clusters: int, seed: int) -> float:
    """How well clusters of one half of the customers predict which customers of the other half belong together.

    Mean over five halvings of the worst cluster's share of pairs that stay together (Tibshirani and Walther 2005); 1
    for one cluster, NaN where a half has fewer different points than clusters. A cluster of one customer has no pair
    and counts as kept together.
    """
    if clusters == 1:
        return 1.0
    rng, found = np.random.default_rng(seed), []
    for _ in range(HALVINGS):
        order = rng.permutation(len(points))
        halves = points[np.sort(order[: len(points) // 2])], points[np.sort(order[len(points) // 2 :])]
        if min(len(np.unique(half, axis=0)) for half in halves) < clusters:
            return np.nan
        learned, own = (KMeans(clusters, n_init=3, random_state=seed).fit(half) for half in halves)
        predicted = Nearest(learned.cluster_centers_, np.arange(clusters)).predict(halves[1])
        shared = np.bincount(own.labels_ * clusters + predicted, minlength=clusters**2).astype(float)
        shared = shared.reshape(clusters, clusters)
        size = shared.sum(axis=1)
        pairs, kept = size * (size - 1), (shared * (shared - 1)).sum(axis=1)
        found.append(np.divide(kept, pairs, out=np.ones(clusters), where=pairs > 0).min())
    return float(np.mean(found))


def preferred(table: pd.DataFrame) -> pd.DataFrame:
    """The number of clusters that each index of `by_number` prefers, by its published selection rule.

    Returns
    -------
    DataFrame
        `index`, `rule`, `clusters` (missing where the index is not defined or its rule not met) and a `note` where the
        number is the largest tried, so that a larger one could be preferred. Only the gap statistic, the
        mixtures' BIC and the prediction strength can prefer one cluster.
    """
    t = table.set_index("clusters")
    best = t["gap"] - t["gap_error"]
    enough = [k for k, after in zip(t.index[:-1], t.index[1:], strict=True) if t.loc[k, "gap"] >= best[after]]
    strong = t.index[t["prediction_strength"] >= STRONG]
    rows = [
        ("inertia", "at the knee", knee_number(t["inertia"])),
        ("silhouette", "highest", _at(t["silhouette"], "max")),
        ("Davies–Bouldin", "lowest", _at(t["davies_bouldin"], "min")),
        ("Calinski–Harabasz", "highest", _at(t["calinski_harabasz"], "max")),
        ("gap statistic", "smallest within one standard error of the next", enough[0] if enough else np.nan),
        ("BIC of mixtures", "lowest", _at(t["bic"], "min")),
        ("prediction strength", f"largest with at least {STRONG}", strong.max() if len(strong) else np.nan),
    ]
    result = pd.DataFrame(rows, columns=["index", "rule", "clusters"]).astype({"clusters": "Int64"})
    result["note"] = np.where(result["clusters"].eq(t.index[-1]).fillna(False), "the largest tried", "")
    return result


def votes(preferred: pd.DataFrame) -> str:
    """How many indices prefer which number of clusters, in a sentence.

    Examples
    --------
    >>> table = pd.DataFrame({"index": ["silhouette", "inertia", "BIC of mixtures"], "clusters": [3, 3, 7]})
    >>> votes(table.assign(note=["", "", "the largest tried"]))
    '2 of 3 indices prefer 3 clusters; BIC of mixtures prefers 7, the largest tried.'
    """
    known = preferred.dropna(subset=["clusters"])
    groups = [rows for _, rows in known.groupby("clusters")]
    groups.sort(key=lambda rows: (-len(rows), rows["clusters"].iloc[0]))
    said: list[str] = []
    for rows in groups:
        number, note = int(rows["clusters"].iloc[0]), rows["note"].iloc[0]
        alone = f"{rows['index'].iloc[0]} prefers"
        many = f"{len(rows)} of {len(preferred)} indices prefer" if len(rows) > 1 else alone
        unit = "" if said else " cluster" if number == 1 else " clusters"
        said.append(f"{many} {number}{unit}{f', {note}' if note else ''}")
    none = preferred.loc[preferred["clusters"].isna(), "index"].tolist()
    if none:
        said.append(f"{' and '.join(none)} {'has' if len(none) == 1 else 'have'} no preference")
    text = "; ".join(said)
    return f"{text[0].upper() + text[1:] if text[0].islower() else text}."


def _at(column: pd.Series, which: str) -> float:
    known = column.dropna()
    return np.nan if known.empty else getattr(known.round(12), f"idx{which}")()


def knee_number(inertia: pd.Series) -> float:
    """The number of clusters at which a falling curve is farthest below the line from its first to its last value.

    With fewer than three numbers, no fall, or no value below the line, there is no knee (NaN).
    """
    if len(inertia) < 3 or inertia.iloc[0] <= inertia.iloc[-1]:
        return np.nan
    below = below_chord(inertia.to_numpy()[::-1])[::-1]
    return int(inertia.index[int(below.argmax())]) if below.max() > 1e-12 else np.nan
