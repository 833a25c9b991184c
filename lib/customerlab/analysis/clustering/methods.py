"""The families of clustering behind one interface: points, wanted numbers of clusters and a seed in, models out.

A method of your own takes ten lines:

>>> from sklearn.cluster import kmeans_plusplus
>>> def seeded_only(points, numbers, seed):
...     found = {}
...     for k in numbers:
...         centres, _ = kmeans_plusplus(points, k, random_state=seed)
...         found[k] = Nearest(centres, np.arange(k))
...     return found
>>> mine = {"K-Means++ seeds": seeded_only}
>>> list(fit_all(np.array([[0.0], [1.0], [9.0]]), [2, 3], seed=7, methods=mine))
['K-Means++ seeds 2', 'K-Means++ seeds 3']
"""

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn import config_context
from sklearn.cluster import BisectingKMeans, KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from customerlab.analysis.clustering import density, hierarchy
from customerlab.analysis.clustering.models import Mixture, Model, Nearest

Method = Callable[[np.ndarray, Sequence[int], int], Mapping[int, Model]]
"""From points of shape (customers, features), numbers of clusters and a seed to a model for each number; a method that
finds the number itself gives one model, with the key 0."""

MIXTURE_SAMPLE = 20_000  # a mixture is fitted on at most so many points: its error falls with the root of their number
NEIGHBOURS = 2  # for each feature: what DBSCAN's authors advise (Sander, Ester, Kriegel and Xu 1998)
SMALLEST, SMALLEST_SHARE = 10, 0.02  # customers, and share of customers, in the smallest cluster of HDBSCAN
SPREAD = 1e-2  # added to a component's variances: whole numbers would let it shrink onto one value without an end


def kmeans(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """K-Means (Lloyd 1982; k-means++ of Arthur and Vassilvitskii 2007): round groups; best of five."""
    return {k: _nearest(KMeans(k, n_init=5, random_state=seed).fit(points)) for k in numbers}


def bisecting(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """Bisecting K-Means (Steinbach, Karypis and Kumar 2000): splits the group of most variance in two, again and again.

    Every customer then goes to the nearest of the final centres, whichever branch it was in.
    """
    return {k: _nearest(BisectingKMeans(k, n_init=3, random_state=seed).fit(points)) for k in numbers}


def _nearest(fitted: KMeans | BisectingKMeans) -> Nearest:
    return Nearest(fitted.cluster_centers_, np.arange(len(fitted.cluster_centers_)))


def mixture(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """Gaussian mixture by expectation-maximisation: groups of any ellipse, which may overlap."""
    drawn = points
    if len(points) > MIXTURE_SAMPLE:
        drawn = points[np.random.default_rng(seed).choice(len(points), MIXTURE_SAMPLE, replace=False)]
    found: dict[int, Model] = {}
    for k in numbers:
        with warnings.catch_warnings():
            # the last of a hundred steps is as good a mixture as any; how stable it is, is judged apart
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = GaussianMixture(k, reg_covar=SPREAD, random_state=seed).fit(drawn)
        found[k] = Mixture(fitted.weights_, fitted.means_, fitted.covariances_)
    return found


def ward(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """Ward's linkage (1963): merges the two groups that add the least variance, from single customers on."""
    return _cut("ward", points, numbers)


def average(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """Average linkage (Sokal and Michener 1958): merges the two groups whose customers are nearest on average."""
    return _cut("average", points, numbers)


def _cut(linkage: hierarchy.Linkage, points: np.ndarray, numbers: Sequence[int]) -> dict[int, Model]:
    micro, tree = hierarchy.grow_tree(points, linkage)
    return {k: hierarchy.model(micro, tree, k) for k in numbers}


def dbscan(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """DBSCAN (Ester et al. 1996) with twice as many neighbours as features, the radius at their knee."""
    neighbours = NEIGHBOURS * points.shape[1]
    return {0: density.dbscan(points, density.knee(density.neighbour_distances(points, neighbours)), neighbours)}


def hdbscan(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """HDBSCAN (Campello, Moulavi and Sander 2013): groups that stay dense over the widest range of radii."""
    return {0: density.hdbscan(points, max(SMALLEST, round(SMALLEST_SHARE * len(points))), seed=seed)}


def one_group(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
    """All customers together: what there is where there is no segmentation."""
    return {0: Nearest(points.mean(axis=0, keepdims=True), np.zeros(1, dtype=int))}


ONE_GROUP = "One group"
METHODS: dict[str, Method] = {
    "K-Means": kmeans,
    "Bisecting K-Means": bisecting,
    "Gaussian mixture": mixture,
    "Ward": ward,
    "Average linkage": average,
    "DBSCAN": dbscan,
    "HDBSCAN": hdbscan,
    ONE_GROUP: one_group,
}
"""The methods that are compared, by name; add your own here or hand `fit_all` a dictionary of yours."""


FIXED = (ward, average, dbscan, one_group)
"""Methods in which nothing is random."""


def fit_all(
    points: np.ndarray, numbers: Sequence[int], seed: int, *, methods: Mapping[str, Method] = METHODS
) -> dict[str, Model]:
    """Fit every method with every number of clusters.

    Runs on one thread, because sums over several would differ in their last digits with the number of threads.

    Parameters
    ----------
    points : array of shape (customers, features)
    numbers : sequence of int
        Those above the number of different points are left out.

    Returns
    -------
    dict of str to Model
        By the candidate's name: the method with the number, or alone where it finds the number itself.
    """
    different = len(hierarchy.distinct(points)[0])
    possible = [k for k in numbers if k <= different]
    found: dict[str, Model] = {}
    # the points have just been looked at; scikit-learn would look at them, and at its own parameters, in every step
    with threadpool_limits(1), config_context(assume_finite=True, skip_parameter_validation=True):
        for name, method in methods.items():
            for k, model in method(points, possible, seed).items():
                found[f"{name} {k}" if k else name] = model
    return found


def method_of(candidate: str) -> str:
    """The method in a candidate's name."""
    head, _, tail = candidate.rpartition(" ")
    return head if head and tail.isdigit() else candidate


def parts(candidate: str, methods: Mapping[str, Method] = METHODS) -> tuple[str, int]:
    """The method and the number of clusters in a candidate's name, 0 where the method finds it itself.

    Raises ValueError if there is no such method.

    Examples
    --------
    >>> parts("Bisecting K-Means 4"), parts("HDBSCAN")
    (('Bisecting K-Means', 4), ('HDBSCAN', 0))
    """
    method = method_of(candidate)
    if method not in methods:
        known = ", ".join(methods)
        raise ValueError(
            f"there is no candidate {candidate!r}; expected a method and a number, such as 'K-Means 4', of {known}"
        )
    return method, int(candidate.removeprefix(method) or 0)
