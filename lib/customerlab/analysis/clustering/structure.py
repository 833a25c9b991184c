"""Separation of every candidate, compared with a null model of customers without clusters.

Any method divides any data, and does so stably where the data are elongated. So the separation is compared with that in
simulated data without clusters that are otherwise alike (Hennig and Lin 2015): the same method, the same number of
clusters, the same index.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

from customerlab.analysis.clustering.methods import METHODS, Method, fit_all, parts
from customerlab.analysis.clustering.models import Model
from customerlab.analysis.clustering.null_clouds import INDEPENDENT, SHAPES, Ceiling, clouds
from customerlab.analysis.clustering.silhouette import mean_silhouettes
from customerlab.analysis.inference import holm

LOOK = 5  # simulations after which candidates without a chance are dropped
MOST = 1_500  # points that are looked at; distances of all pairs are needed


def excess(
    points: np.ndarray,
    candidates: Sequence[str],
    seed: int,
    *,
    number: int = 20,
    ceilings: Sequence[Ceiling] = (),
    blocks: Sequence[Sequence[int]] = (),
    methods: Mapping[str, Method] = METHODS,
) -> pd.DataFrame:
    """Test whether candidates are better separated than the clusters that the same methods make of the null model.

    The silhouette (Rousseeuw 1987) of a candidate, fitted to at most 1,500 of the points, is compared with its
    silhouettes on simulated data of each shape, as one more draw from the same normal distribution; the larger p-value
    counts. P-values are Holm-adjusted (1979) over the candidates. A candidate that is no better than half of the first
    five simulations of a shape is not simulated further; it cannot become significant in this way.

    Parameters
    ----------
    points : array of shape (customers, features)
    candidates : sequence of str
        Names as `fit_all` gives them.
    number : int
        Of simulations of each shape.
    ceilings : sequence of Ceiling
        Features that never exceed others, as in `clouds`.
    blocks : sequence of sequences of int
        The columns of each attribute, where points are made of attributes: a third shape is simulated then, in which
        these are independent.

    Returns
    -------
    DataFrame
        By candidate: `silhouette_sample`, `silhouette_cloud` (mean over simulations of the shape that counts), `cloud`
        (this shape) and `p_structure`; no row without candidates. With fewer than two clusters the silhouette is
        zero.
    """
    rng = np.random.default_rng(seed)
    if len(points) > MOST:
        points = points[np.sort(rng.choice(len(points), MOST, replace=False))]
    tables: dict[str, pd.DataFrame] = {}
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        own, left = _silhouettes(points, candidates, seed, methods), list(candidates)
        for shape in (*SHAPES, *[INDEPENDENT] * bool(blocks)):
            rows: list[pd.Series] = []
            for drawn in clouds(points, shape, number if left else 0, rng, ceilings, blocks):
                rows.append(_silhouettes(drawn, left, seed, methods))
                if len(rows) == LOOK:  # those no better than half of the simulations will not pass
                    so_far = _upper_tail(own, pd.DataFrame(rows, columns=list(candidates), dtype=float))
                    left = [name for name in left if so_far[name] <= 0.5]
                    if not left:
                        break
            tables[shape] = pd.DataFrame(rows, columns=list(candidates), dtype=float)
    p = pd.DataFrame({shape: _upper_tail(own, table) for shape, table in tables.items()})
    closest = p.idxmax(axis=1)
    means = pd.DataFrame({shape: table.mean() for shape, table in tables.items()})
    return pd.DataFrame(
        {
            "silhouette_sample": own,
            "silhouette_cloud": [means.loc[name, closest[name]] for name in own.index],
            "cloud": closest,
            "p_structure": holm(p.max(axis=1)),
        }
    ).rename_axis("candidate")


def _silhouettes(points: np.ndarray, candidates: Sequence[str], seed: int, methods: Mapping[str, Method]) -> pd.Series:
    wanted: dict[str, list[int]] = {}
    for name, number in (parts(candidate, methods) for candidate in candidates):
        wanted.setdefault(name, []).append(number)
    models: dict[str, Model] = {}
    for name, numbers in wanted.items():
        models |= fit_all(points, [k for k in numbers if k], seed, methods={name: methods[name]})
    labels = {name: model.predict(points) for name, model in models.items() if name in candidates}
    # without groups, or with fewer different points than clusters, nothing is separated
    return mean_silhouettes(points, labels, seed)["silhouette"].reindex(list(candidates)).fillna(0.0)


def _upper_tail(own: pd.Series, drawn: pd.DataFrame) -> pd.Series:
    """The probability of a value as large, given a few normal draws: Student's prediction interval."""
    size = drawn.count()
    spread = drawn.std() * np.sqrt(1 + 1 / size.clip(lower=1))
    far = (own - drawn.mean()) / spread.where(spread > 0)
    p = pd.Series(stats.t.sf(far, size - 1), index=own.index)
    # where all simulations give one value, only the rank is known; where there is none, nothing
    ranked = pd.Series(np.where(own > drawn.max(), 1 / (size + 1), 1.0), index=own.index)
    return p.where(spread > 0, ranked).where(size > 0)
