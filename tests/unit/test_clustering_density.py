"""DBSCAN against scikit-learn's, HDBSCAN and its new customers, and density-based validity against its definition."""

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from customerlab.analysis.clustering import density
from customerlab.analysis.clustering.models import NOISE


def moons(customers: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two bent bands in each other's arms, a tenth of scattered noise, and what each customer is of."""
    rng = np.random.default_rng(seed)
    along, truth = rng.uniform(0, np.pi, customers), rng.integers(0, 2, customers)
    points = np.column_stack([np.cos(along), np.sin(along)]) * np.where(truth, -1, 1)[:, None]
    points += np.where(truth[:, None], [1.0, 0.4], [0.0, 0.0]) + rng.normal(0, 0.05, (customers, 2))
    scattered = rng.random(customers) < 0.1
    points[scattered] = rng.uniform(-3, 4, (scattered.sum(), 2))
    return points, np.where(scattered, NOISE, truth)


def random_points(seed: int) -> np.ndarray:
    """Some customers in one to four dimensions; every third time on a grid, so that many are equal."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(int(rng.integers(5, 400)), int(rng.integers(1, 5))))
    return np.round(points, 1) if seed % 3 == 0 else points


@pytest.mark.parametrize("seed", range(30))
def test_dbscan_has_the_cores_clusters_and_noise_of_scikit_learn(seed):
    points, rng = random_points(seed), np.random.default_rng(100 + seed)
    eps, neighbours = float(rng.uniform(0.03, 0.6)), int(rng.integers(1, 12))
    theirs = DBSCAN(eps=eps, min_samples=neighbours).fit(points)
    model = density.dbscan(points, eps, neighbours)
    labels, core = model.predict(points), theirs.core_sample_indices_
    assert np.array_equal(labels == NOISE, theirs.labels_ == NOISE)
    pairs = set(zip(labels[core], theirs.labels_[core], strict=True))
    assert len(pairs) == len(set(labels[core])) == len(set(theirs.labels_[core]))
    if len(core):
        assert np.array_equal(model.references, np.unique(points[core], axis=0))
        border = (labels != NOISE) & ~np.isin(np.arange(len(points)), core)
        away = cdist(points[border], points[core])
        assert np.array_equal(labels[border], labels[core][away.argmin(axis=1)] if border.any() else labels[border])


def test_dbscan_connects_a_chain_through_many_groups():
    """Clumps of twenty, each a step from the next: neighbours among the nearest eight alone never leave a clump."""
    rng = np.random.default_rng(0)
    starts = np.r_[np.arange(40), np.arange(50, 60)].astype(float)
    points = np.column_stack([np.repeat(starts, 20), np.zeros(1000)]) + rng.uniform(0, 0.1, (1000, 2))
    stairs = density.dbscan(np.arange(30.0)[:, None], 1.0, 2)  # a step of the radius itself counts
    assert set(stairs.labels) == {0}
    for eps, clusters in ((1.2, 2), (0.5, 50), (12, 1)):
        labels = density.dbscan(points, eps, 5).predict(points)
        assert labels.max() + 1 == clusters
        assert adjusted_rand_score(labels, DBSCAN(eps=eps, min_samples=5).fit_predict(points)) == 1


def test_dbscan_does_not_depend_on_the_order_of_rows():
    points, _ = moons()
    order = np.random.default_rng(2).permutation(len(points))
    labels = density.dbscan(points, 0.15, 8).predict(points)
    assert np.array_equal(density.dbscan(points[order], 0.15, 8).predict(points), labels)


def test_dbscan_without_cores_of_equal_customers_and_with_no_radius():
    assert (density.dbscan(np.arange(5.0)[:, None], 0.5, 2).predict(np.array([[0.0], [9.0]])) == NOISE).all()
    assert (density.dbscan(np.arange(3.0)[:, None], 9.0, 4).predict(np.array([[0.0]])) == NOISE).all()
    same = density.dbscan(np.ones((6, 2)), 0.0, 6)
    assert same.predict(np.array([[1.0, 1.0], [1.0, 1.1]])).tolist() == [0, NOISE]
    pairs = density.dbscan(np.array([[0.0], [0.0], [1.0], [2.0], [2.0]]), 0.0, 2)
    assert pairs.predict(np.array([[0.0], [1.0], [2.0]])).tolist() == [0, NOISE, 1]


@pytest.mark.parametrize("seed", range(9))
def test_neighbour_distances_are_those_of_scikit_learn(seed):
    points = random_points(seed)
    for neighbours in (1, 4, 10, 1000):
        nearest = NearestNeighbors(n_neighbors=min(neighbours, len(points))).fit(points)
        theirs = np.sort(nearest.kneighbors(points)[0][:, -1])
        assert np.allclose(density.neighbour_distances(points, neighbours), theirs, atol=1e-7)


def test_the_knee_is_where_a_curve_turns():
    flat, steep = np.linspace(0, 1, 81), np.linspace(1, 20, 21)[1:]
    assert density.knee(np.r_[flat, steep]) == pytest.approx(1.0)
    # y = x^3 is farthest below the line where its slope is 1
    assert density.knee(np.linspace(0, 1, 1001) ** 3) == pytest.approx(3**-1.5, abs=0.002)
    assert density.knee(np.array([2.0, 2.0, 2.0])) == 2
    assert density.knee(np.array([1.0, 4.0])) == 4
    with pytest.raises(ValueError, match="no values"):
        density.knee(np.array([]))


def test_the_knee_gives_dbscan_a_radius_that_finds_planted_groups():
    points, truth = moons(2_000)
    labels = density.dbscan(points, density.knee(density.neighbour_distances(points, 10)), 10).predict(points)
    inside = truth != NOISE
    assert adjusted_rand_score(labels[inside], truth[inside]) > 0.95


def test_hdbscan_finds_planted_groups_and_places_new_customers():
    points, truth = moons()
    model = density.hdbscan(points, 50, 5)
    labels, inside = model.predict(points), truth != NOISE
    assert set(labels) == {0, 1, NOISE}
    assert adjusted_rand_score(labels[inside], truth[inside]) > 0.9
    new, groups = moons(300, seed=5)
    placed, strength = model.predict(new), model.strength(new)
    assert (placed[groups != NOISE] != NOISE).mean() > 0.9
    both = (placed != NOISE) & (groups != NOISE)
    assert adjusted_rand_score(placed[both], groups[both]) > 0.9
    assert model.predict(np.array([[99.0, 99.0]])).tolist() == [NOISE]
    assert ((strength >= 0) & (strength <= 1)).all() and (strength[placed == NOISE] == 0).all()
    assert strength[placed != NOISE].min() > 0


def test_hdbscan_is_that_of_the_package():
    from hdbscan import HDBSCAN, approximate_predict

    points, _ = moons()
    points = np.unique(points, axis=0)
    theirs = HDBSCAN(min_cluster_size=50, min_samples=5, prediction_data=True, approx_min_span_tree=False).fit(points)
    model = density.hdbscan(points, 50, 5)
    assert np.array_equal(model.predict(points), theirs.labels_)
    assert np.array_equal(model.strength(points), theirs.probabilities_)
    new, _ = moons(200, seed=5)
    labels, strengths = approximate_predict(theirs, new)
    assert np.array_equal(model.predict(new), labels)
    assert np.array_equal(model.strength(new), strengths)


def test_hdbscan_gives_equal_customers_one_label_in_any_order():
    rng = np.random.default_rng(0)
    points = np.round(np.vstack([rng.normal(size=(400, 2)), rng.normal(size=(300, 2)) + 6]), 1)
    order = rng.permutation(len(points))
    model, again = density.hdbscan(points, 20, 5), density.hdbscan(points[order], 20, 5)
    labels = model.predict(points)
    assert np.array_equal(again.predict(points), labels)
    assert np.array_equal(density.Density(model.points, 20, 5).strength(points), model.strength(points))
    for _, place in zip(*np.unique(points, axis=0, return_index=True), strict=True):
        assert len(set(labels[(points == points[place]).all(axis=1)])) == 1


def test_hdbscan_of_a_sample_finds_the_same_groups():
    points, truth = moons(3_000)
    whole, part = density.hdbscan(points, 200, 5), density.hdbscan(points, 200, 5, seed=1, most=1_500)
    assert part.points.shape == (1_500, 2) and part.min_cluster_size == 100
    inside = truth != NOISE
    assert adjusted_rand_score(whole.predict(points)[inside], part.predict(points)[inside]) > 0.9
    order = np.random.default_rng(3).permutation(len(points))
    assert np.array_equal(density.hdbscan(points[order], 200, 5, seed=1, most=1_500).points, part.points)


@pytest.mark.parametrize("points", [np.ones((1, 2)), np.ones((50, 2)), np.eye(4), np.arange(8.0)[:, None]])
def test_hdbscan_of_few_or_equal_customers_is_noise(points, recwarn):
    model = density.hdbscan(points, 20, 10)
    assert (model.predict(points) == NOISE).all() and (model.strength(points + 1) == 0).all()
    assert not [warning for warning in recwarn if "cluster" in str(warning.message)]


def test_hdbscan_with_fewer_customers_than_the_package_asks_neighbours_of():
    points = np.r_[np.linspace(0, 1, 6), np.linspace(9, 10, 6)][:, None]
    model = density.Density(points, 3, 10)
    assert set(model.predict(points + 0.01)) <= {0, 1, NOISE}


def direct_validity(points: np.ndarray, labels: np.ndarray) -> float:
    """Moulavi et al. (2014), definitions 1 to 8, of squared distances, with scipy's trees of the rows as they stand."""
    size, total, parts = points.shape[1], len(points), []
    for label in range(labels.max() + 1):
        own = points[labels == label]
        away = cdist(own, own, "sqeuclidean")
        with np.errstate(divide="ignore"):
            inverse = np.where(np.eye(len(own), dtype=bool), 0, (1 / away) ** size)
        core = (inverse.sum(axis=1) / (len(own) - 1)) ** (-1 / size)
        reach = np.maximum(away, np.maximum.outer(core, core))
        np.fill_diagonal(reach, np.inf)
        tree = minimum_spanning_tree(reach).tocoo()
        steps = reach[tree.row, tree.col]
        degree = np.bincount(np.r_[tree.row, tree.col], minlength=len(own))
        within = (degree[tree.row] > 1) & (degree[tree.col] > 1)
        parts.append((own[degree > 1], core[degree > 1], steps[within].max()))
    result = 0.0
    for label, (own, core, sparse) in enumerate(parts):
        apart = min(
            np.maximum(cdist(own, other, "sqeuclidean"), np.maximum.outer(core, theirs)).min()
            for place, (other, theirs, _) in enumerate(parts)
            if place != label
        )
        result += (labels == label).sum() / total * (apart - sparse) / max(apart, sparse)
    return result


def test_validity_is_one_for_any_order_and_within_what_the_package_gives_for_them():
    """It breaks ties by the order of rows: the same labels of the same points have many values."""
    from hdbscan.validity import validity_index

    points, truth = moons(300)
    orders = [np.random.default_rng(seed).permutation(300) for seed in range(20)]
    theirs = [validity_index(points[order], truth[order], metric="sqeuclidean", d=2) for order in orders]
    ours = {density.dbcv(points[order], truth[order]) for order in orders}
    assert len(ours) == 1 and max(theirs) - min(theirs) > 0.02
    assert min(theirs) - 0.02 <= ours.pop() <= max(theirs) + 0.02


@pytest.mark.parametrize("seed", range(5))
def test_validity_is_the_papers(seed):
    points, truth = moons(300, seed)
    assert density.dbcv(points, truth, as_given=True) == pytest.approx(direct_validity(points, truth), rel=1e-6)
    rng = np.random.default_rng(seed)
    blobs = np.vstack([rng.normal(size=(80, 3)), rng.normal(size=(60, 3)) + 5, rng.normal(size=(40, 3)) - 5])
    labels = np.repeat([0, 1, 2], [80, 60, 40])
    assert density.dbcv(blobs, labels, as_given=True) == pytest.approx(direct_validity(blobs, labels), rel=1e-6)


def test_validity_of_equal_customers_single_customers_and_no_clusters():
    points, truth = moons(300)
    value = density.dbcv(points, truth)
    assert density.dbcv(np.repeat(points, 3, axis=0), np.repeat(truth, 3)) == pytest.approx(value)
    lone = density.dbcv(np.vstack([points, [[50.0, 50.0]]]), np.r_[truth, 2])
    assert lone == pytest.approx(value * 300 / 301)
    assert np.isnan(density.dbcv(points, np.zeros(300, dtype=int)))
    assert np.isnan(density.dbcv(points, np.full(300, NOISE)))
    assert -1 <= density.dbcv(np.repeat(np.eye(4), 5, axis=0), np.repeat([0, 0, 1, 1], 5)) <= 1
    torn = density.dbcv(np.repeat(np.arange(4.0)[:, None], 2, axis=0), np.tile([0, 1], 4))
    assert torn <= 0


@pytest.mark.slow
def test_validity_of_a_sample_is_near_and_the_same_for_any_order():
    points, truth = moons(4_000)
    value = density.dbcv(points, truth, seed=1, most=1_000)
    assert value == pytest.approx(density.dbcv(points, truth, most=4_000), abs=0.25)
    order = np.random.default_rng(0).permutation(len(points))
    assert density.dbcv(points[order], truth[order], seed=1, most=1_000) == value


def test_bad_input_is_refused():
    points = np.eye(3)
    with pytest.raises(ValueError, match="a radius of -1"):
        density.dbscan(points, -1, 2)
    with pytest.raises(ValueError, match="a radius of nan"):
        density.dbscan(points, np.nan, 2)
    with pytest.raises(ValueError, match="0 neighbours"):
        density.dbscan(points, 1, 0)
    with pytest.raises(ValueError, match="at least 1 customers by 5"):
        density.hdbscan(points, 1, 5)
    with pytest.raises(ValueError, match="1 points are not finite"):
        density.hdbscan(np.array([[1.0], [np.nan]]), 2, 5)
