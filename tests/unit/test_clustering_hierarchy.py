"""Micro-clusters and trees against scipy's over every customer, and the drawing of trees."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from customerlab.analysis.clustering import hierarchy
from customerlab.figures.clustering import trees
from customerlab.figures.style import PALETTE

LINKAGES = ("ward", "average")


def blobs(customers: int = 3_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four groups of different size and width, and which each customer is of."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, customers, p=[0.5, 0.3, 0.15, 0.05])
    centres = np.array([[0.0, 0.0, 0.0], [8.0, 0.0, 0.0], [0.0, 9.0, 0.0], [7.0, 7.0, 9.0]])
    return centres[truth] + rng.normal(size=(customers, 3)) * (0.5 + 0.2 * truth[:, None]), truth


def repeated(seed: int, tied: bool) -> np.ndarray:
    """Points that occur once to five times, in any order; on a grid, many distances are tied."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(50, 2))
    return rng.permutation(np.repeat(np.round(points) if tied else points, rng.integers(1, 6, 50), axis=0))


@pytest.mark.parametrize("kind", LINKAGES)
@pytest.mark.parametrize("seed", range(5))
def test_the_tree_over_micro_clusters_is_that_over_repeated_points(kind, seed):
    points = repeated(seed, tied=False)
    micro, tree = hierarchy.grow_tree(points, kind)
    plain = linkage(points, kind)
    assert len(tree) == len(np.unique(points, axis=0)) - 1 < len(points) - 1
    assert is_valid_linkage(tree)
    assert np.allclose(tree[:, 2], plain[-len(tree) :, 2], rtol=1e-9)
    for clusters in (1, 2, 3, 7, 20, 50):
        ours, theirs = hierarchy.cut(tree, clusters)[micro.members], fcluster(plain, clusters, "maxclust")
        assert adjusted_rand_score(ours, theirs) == 1


@pytest.mark.parametrize("kind", LINKAGES)
def test_sizes_count(kind):
    """Ten customers at one place are no easy merge for Ward, and draw an average to themselves."""
    points = np.array([[0.0]] * 10 + [[2.0]] + [[5.0]])
    weighted = hierarchy.grow_tree(points, kind)[1]
    alone = hierarchy.grow_tree(np.unique(points, axis=0), kind)[1]
    assert np.allclose(weighted[:, 2], linkage(points, kind)[-2:, 2])
    assert not np.allclose(weighted[:, 2], alone[:, 2])


@pytest.mark.parametrize("kind", LINKAGES)
def test_a_tree_with_tied_heights_is_cut_into_exactly_so_many(kind):
    points = np.argwhere(np.ones((6, 6))).astype(float)
    _, tree = hierarchy.grow_tree(points, kind)
    assert len(np.unique(tree[:, 2].round(9))) < len(tree) / 2
    for clusters in range(1, len(tree) + 2):
        assert set(hierarchy.cut(tree, clusters)) == set(range(clusters))
    for clusters in range(2, len(tree) + 2):  # every cut refines the one before
        fine, coarse = hierarchy.cut(tree, clusters), hierarchy.cut(tree, clusters - 1)
        assert len(set(zip(fine, coarse, strict=True))) == clusters
    nothing = hierarchy.grow_tree(np.repeat(np.eye(4), 2, axis=0), kind)[1]
    assert set(hierarchy.cut(nothing, 3)) == {0, 1, 2}


def test_few_different_points_are_their_own_micro_clusters():
    points = repeated(1, tied=True)
    micro = hierarchy.micro_clusters(points)
    different, places, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    assert np.array_equal(micro.centres, different)
    assert np.array_equal(micro.members, places.ravel())
    assert np.array_equal(micro.sizes, counts)


def test_members_are_those_of_the_nearest_centre():
    points, _ = blobs()
    micro = hierarchy.micro_clusters(points, most=100)
    away = cdist(points, micro.centres)
    assert np.allclose(away[np.arange(len(points)), micro.members], away.min(axis=1))
    assert np.array_equal(np.bincount(micro.members, minlength=len(micro.sizes)), micro.sizes)
    assert 90 <= len(micro.sizes) <= 100 and micro.sizes.min() > 0


def test_micro_clusters_are_as_tight_as_those_of_k_means():
    points, _ = blobs()
    micro = hierarchy.micro_clusters(points, most=100)
    ours = ((points - micro.centres[micro.members]) ** 2).sum()
    with threadpool_limits(1):
        theirs = KMeans(100, n_init=1, random_state=0).fit(points).inertia_
    assert ours < 1.15 * theirs  # by halving alone 1.2 times


def test_equal_customers_stay_together_and_count():
    points, _ = blobs()
    twice = np.vstack([points, points[:1000], points[:1000]])
    micro = hierarchy.micro_clusters(twice, most=100)
    assert np.array_equal(micro.members[:1000], micro.members[3000:4000])
    assert micro.sizes.sum() == 5000
    heavy = np.vstack([np.linspace(0, 1, 50)[:, None], np.full((10_000, 1), 0.31)])
    near = hierarchy.micro_clusters(heavy, most=10)
    assert np.abs(near.centres - 0.31).min() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("most", [80, 5_000])
def test_nothing_depends_on_the_order_of_rows_or_on_threads(most):
    points, _ = blobs(2_000)
    order = np.random.default_rng(1).permutation(len(points))
    micro, tree = hierarchy.grow_tree(points, "ward", most=most)
    for threads in (1, 2):
        with threadpool_limits(threads):
            again, other = hierarchy.grow_tree(points[order], "ward", most=most)
        assert np.array_equal(again.centres, micro.centres)
        assert np.array_equal(again.members, micro.members[order])
        assert np.array_equal(other, tree)


@pytest.mark.slow
@pytest.mark.parametrize("linkage_name", ["ward", "average"])
def test_planted_groups_are_found_through_micro_clusters(linkage_name):
    points, truth = blobs(20_000)
    model = hierarchy.model(*hierarchy.grow_tree(points, linkage_name), 4)
    assert len(model.references) <= hierarchy.MOST
    assert adjusted_rand_score(model.predict(points), truth) > 0.99
    new, groups = blobs(500, seed=9)
    assert adjusted_rand_score(model.predict(new), groups) > 0.98


def test_a_cut_tree_gives_the_fitted_customers_their_branch():
    points, _ = blobs()
    micro, tree = hierarchy.grow_tree(points, "ward", most=150)
    labels = hierarchy.cut(tree, 6)[micro.members]
    assert np.array_equal(hierarchy.model(micro, tree, 6).predict(points), labels)


def test_one_customer_and_equal_customers_are_one_cluster():
    for points in (np.array([[1.0, 2.0]]), np.ones((7, 2))):
        micro, tree = hierarchy.grow_tree(points)
        assert tree.shape == (0, 4)
        assert hierarchy.cut(tree, 1)[micro.members].tolist() == [0] * len(points)
        with pytest.raises(ValueError, match="2 clusters of 1 different"):
            hierarchy.cut(tree, 2)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="2 points are not finite"):
        hierarchy.micro_clusters(np.array([[1.0], [np.nan], [np.inf]]))
    with pytest.raises(ValueError, match=r"shape \(0, 2\)"):
        hierarchy.micro_clusters(np.empty((0, 2)))
    with pytest.raises(ValueError, match="0 micro-clusters"):
        hierarchy.micro_clusters(np.ones((3, 1)), most=0)
    with pytest.raises(ValueError, match="no linkage 'single'"):
        hierarchy.merge_tree(hierarchy.micro_clusters(np.ones((3, 1))), "single")
    with pytest.raises(ValueError, match="0 clusters"):
        hierarchy.model(*hierarchy.grow_tree(np.eye(3)), 0)


def test_the_top_of_a_tree_is_scipys_truncation():
    micro, tree = hierarchy.grow_tree(blobs()[0], "average", most=300)
    small, leaf = hierarchy.top(tree, 12)
    assert is_valid_linkage(small)
    assert np.array_equal(small[:, 2], tree[-11:, 2])
    for clusters in (2, 5, 12):
        ours, whole = hierarchy.cut(small, clusters)[leaf], hierarchy.cut(tree, clusters)
        assert adjusted_rand_score(ours, whole) == 1
    assert np.array_equal(hierarchy.top(tree, len(micro.sizes))[1], np.arange(len(micro.sizes)))


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [1, 2, 5, 12, 40])
def test_a_dendrogram_says_and_colours_its_clusters(clusters):
    micro, tree = hierarchy.grow_tree(blobs()[0], "ward", most=200)
    order = list(range(1, clusters + 1))
    picture = trees.dendrogram(micro, tree, clusters)
    axis = picture.figure.axes[0]
    labels = hierarchy.cut(tree, clusters)[micro.members]
    for label, number in enumerate(order):
        assert f"cluster {number} with {(labels == label).sum():,}" in picture.alt
    shown = {text.get_text() for text in axis.texts}
    assert {str(number) for number in order} <= shown
    assert ("cut into" in " ".join(shown)) == (clusters > 1)
    branches = [int(text.get_text().replace(",", "")) for text in axis.get_xticklabels()]
    assert sum(branches) == 3_000 and len(branches) == max(30, clusters)
    # inside a cluster its colour, above the cut none
    height = next((line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--"), np.inf)
    for line in axis.lines:
        if line.get_linestyle() == "-":
            assert (line.get_color() in PALETTE) == (max(line.get_ydata()) < height)
    assert picture.png()


@pytest.mark.parametrize("points", [np.ones((4, 2)), np.array([[0.0], [1.0]]), np.array([[0.0], [0.0], [4.0]])])
def test_small_trees_are_drawn(points):
    micro, tree = hierarchy.grow_tree(points)
    picture = trees.dendrogram(micro, tree, len(micro.sizes))
    assert f"of {len(points)} customers in {len(micro.sizes)} micro-clusters" in picture.alt
    assert picture.png()
