"""Clusters over time: planted events, matchings by trial of all, changes in closed form, K-Means by scikit-learn."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from customerlab.analysis.clustering.models import Mixture, Nearest
from customerlab.analysis.clustering.scoring import segmentation
from customerlab.analysis.clustering.space import fit_space
from customerlab.analysis.monitoring.evolution import align, attributed, overlap, transitions
from customerlab.analysis.monitoring.refit import old_centres, refitted, smoothed_refit, trade_off
from customerlab.codec import from_json, to_json


def clusters(*groups, first=0):
    """Labels by customer id: so many customers of each (label, size), their ids in one sequence."""
    labels = [label for label, size in groups for _ in range(size)]
    return pd.Series(labels, [f"c{place:05d}" for place in range(first, first + len(labels))])


def told(table):
    """The events without their numbers."""
    return [tuple(row) for row in table[["cluster", "event", "into"]].values.tolist()]


def renamed(labels, seed):
    """The same clusters under other numbers, rows in another order."""
    rng = np.random.default_rng(seed)
    old = labels.unique()
    return labels.map(dict(zip(old, rng.permutation(len(old)) + 50, strict=True))).sample(frac=1, random_state=seed)


THEN = clusters((1, 40), (2, 30), (3, 30))


# Overlap and alignment


def test_overlap_is_the_crosstab_of_customers_of_both_days():
    rng = np.random.default_rng(0)
    before = pd.Series(rng.integers(1, 5, 300), np.arange(300))
    after = pd.Series(rng.choice(["x", "y", "z"], 300), np.arange(100, 400)).sample(frac=1, random_state=1)
    found, both = overlap(before, after), np.arange(100, 300)
    expected = pd.crosstab(before.loc[both], after.loc[both])
    assert found.to_numpy().tolist() == expected.to_numpy().tolist() and found.to_numpy().sum() == 200
    assert found.index.tolist() == [1, 2, 3, 4] and found.columns.tolist() == ["x", "y", "z"]


def test_an_aligned_copy_overlaps_one():
    copy = align(THEN, renamed(THEN, 3))
    assert copy.sort_index().equals(THEN)
    shares = overlap(THEN, copy)
    assert (shares / shares.sum()).to_numpy().tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_the_matching_shares_most_customers_of_all_matchings(seed):
    rng = np.random.default_rng(seed)
    before = pd.Series(rng.integers(1, 6, 200), np.arange(200))
    # some stay, so that a greedy matching is often not the best one
    after = pd.Series(np.where(rng.random(200) < 0.3, 7 - before, rng.integers(1, 6, 200)), np.arange(200))
    counts = overlap(before, after).to_numpy()
    kept = int((align(before, after) == before).sum())
    assert counts.shape == (5, 6)
    assert kept == max(sum(counts[row, to] for row, to in enumerate(order)) for order in permutations(range(6), 5))


def test_a_cluster_without_a_partner_gets_a_number_that_no_earlier_one_has():
    after = clusters((2, 40), (9, 30), (1, 18), (3, 12))
    new = pd.concat([after, clusters((7, 15), (8, 20), first=200)])
    found = align(THEN, new)
    sizes = found.value_counts()
    # cluster 3 divides: its larger part keeps the name; then by size 20, 15 and 12
    assert sizes.to_dict() == {1: 40, 2: 30, 4: 20, 3: 18, 5: 15, 6: 12}
    assert found.loc[new == 8].unique().tolist() == [4] and found.index.equals(new.index)


def test_names_that_are_texts():
    before, after = clusters(("new 1", 5), ("rare", 3)), clusters(("b", 5), ("a", 3), ("rare", 2))
    assert align(before, after).value_counts().to_dict() == {"new 1": 5, "rare": 3, "new 2": 2}


def test_ties_do_not_depend_on_numbers_or_rows():
    before, after = clusters((1, 4), (2, 4)), clusters((1, 2), (2, 4), (1, 2))
    first = align(before, after)
    for seed in range(6):
        assert align(before, renamed(after, seed)).sort_index().equals(first)


def test_noise_stays_noise_and_is_no_cluster():
    before, after = clusters((1, 10), (-1, 5)), clusters((-1, 8), (4, 7))
    assert align(before, after).value_counts().to_dict() == {-1: 8, 1: 7}
    table = transitions(before, after)
    # of the ten, two went into 4 and eight became noise; the five of noise are no cluster
    assert told(table) == [(1, "disappears", None), (4, "appears", None)]
    assert table["customers"].tolist() == [10, 7] and table["gone"].tolist() == [0, 0]


def test_labels_that_are_no_labels_are_refused():
    twice = pd.Series([1, 2], ["a", "a"])
    for before, after in ((twice, THEN), (THEN, twice), (THEN, pd.Series({"a": np.nan}))):
        with pytest.raises(ValueError, match="expected one each"):
            overlap(before, after)
    for thresholds in ({"survival": 0.2}, {"split": 0}, {"survival": 1.5}):
        with pytest.raises(ValueError, match="split <= survival"):
            transitions(THEN, THEN, **thresholds)


# Planted events


def test_nothing_happened():
    table = transitions(THEN, THEN)
    assert told(table) == [(1, "survives", 1), (2, "survives", 2), (3, "survives", 3)]
    assert table[["customers", "before", "after"]].values.tolist() == [[40] * 3, [30] * 3, [30] * 3]
    assert (table["share"] == 1).all() and (table[["gone", "new", "growth"]] == 0).all(axis=None)


def test_a_cluster_doubles():
    table = transitions(THEN, pd.concat([THEN, clusters((2, 30), first=500)]))
    assert [event for _, event, _ in told(table)] == ["survives"] * 3
    assert table["growth"].tolist() == [0.0, 1.0, 0.0] and table["new"].tolist() == [0, 30, 0]
    assert table["share"].tolist() == [1.0, 1.0, 1.0], "new customers do not weigh"


@pytest.mark.parametrize("larger", [20, 24, 28])
def test_a_cluster_splits(larger):
    table = transitions(THEN, clusters((1, larger), (4, 40 - larger), (2, 30), (3, 30)))
    assert told(table) == [(1, "split", 1), (1, "split", 4), (2, "survives", 2), (3, "survives", 3)]
    assert table["share"].head(2).tolist() == [larger / 40, (40 - larger) / 40] and table["growth"].head(2).isna().all()


def test_a_small_part_that_leaves_is_no_split():
    table = transitions(THEN, clusters((1, 31), (4, 9), (2, 30), (3, 30)))
    assert told(table) == [(1, "survives", 1), (2, "survives", 2), (3, "survives", 3), (4, "appears", None)]
    assert table["growth"].iloc[0] == pytest.approx(-9 / 40) and table["customers"].iloc[3] == 9


def test_customers_who_move_to_a_cluster_that_survives_are_no_split():
    table = transitions(THEN, clusters((1, 28), (2, 12), (2, 30), (3, 30)))
    assert told(table) == [(1, "survives", 1), (2, "survives", 2), (3, "survives", 3)]
    assert table["share"].iloc[0] == 0.7 and table["growth"].iloc[1] == pytest.approx(0.4)


def test_two_clusters_merge():
    table = transitions(THEN, clusters((1, 40), (5, 60)))
    assert told(table) == [(1, "survives", 1), (2, "absorbed", 5), (3, "absorbed", 5)]
    assert table["after"].tolist() == [40, 60, 60] and table["growth"].isna().tolist() == [False, True, True]


def test_a_new_group_appears_and_an_old_one_vanishes():
    table = transitions(THEN, pd.concat([THEN[THEN != 3], clusters((9, 25), first=700)]))
    assert told(table) == [(1, "survives", 1), (2, "survives", 2), (3, "disappears", None), (9, "appears", None)]
    assert table[["customers", "gone", "new", "before", "after"]].tail(2).values.tolist() == [
        [0, 30, 0, 30, 0], [0, 0, 25, 0, 25],
    ]  # fmt: skip


def test_scattered_customers_disappear_and_the_threshold_says_from_where():
    after = clusters((1, 40), (2, 30), (1, 10), (2, 9), (4, 11))
    assert told(transitions(THEN, after))[2:] == [(3, "disappears", None), (4, "appears", None)]
    assert told(transitions(THEN, after, survival=11 / 30))[2] == (3, "survives", 4)


def test_weights_are_customers_of_both_days():
    # of 40 customers 30 have gone; of the ten others nine stay together
    table = transitions(THEN, clusters((1, 9), (2, 1), (2, 30), (3, 30), first=30))
    assert told(table)[0] == (1, "survives", 1)
    assert table.loc[0, ["customers", "share", "gone", "before"]].tolist() == [9, 0.9, 30, 40]


def test_other_customers_altogether():
    table = transitions(THEN, clusters((1, 5), first=900))
    assert [event for _, event, _ in told(table)] == ["disappears"] * 3 + ["appears"]
    assert table["gone"].sum() == 100 and table["new"].sum() == 5
    assert align(THEN, clusters((1, 5), first=900)).unique().tolist() == [4]


@pytest.mark.parametrize("seed", range(4))
def test_permuted_numbers_change_nothing_downstream(seed):
    rng = np.random.default_rng(seed)
    before = pd.Series(rng.integers(1, 6, 80), np.arange(80))
    after = pd.Series(np.where(rng.random(80) < 0.6, before, rng.integers(1, 7, 80)), np.arange(20, 100))
    first, again = (align(before, labels) for labels in (after, renamed(after, seed)))
    assert again.sort_index().equals(first)
    pd.testing.assert_frame_equal(transitions(before, again), transitions(before, first))


# What is due to a refit


def line(values, references, labels, names=None):
    """Customers on a line, and a segmentation of them by the nearest reference."""
    table = pd.DataFrame({"customer_id": [f"c{n:04d}" for n in range(len(values))], "frequency": values})
    space = fit_space(
        table.assign(frequency=np.linspace(0, 1, len(table))), ["frequency"], transform="none", scaling="min-max"
    )
    model = Nearest(np.array(references, dtype=float)[:, None], np.arange(len(references)))
    numbers = np.array(labels)[model.predict(space.points(table))]
    return table, segmentation("K-Means 2", space, model, table, numbers, names)


@pytest.fixture
def days():
    rng = np.random.default_rng(5)
    then, old = line(rng.random(200), [0.2, 0.8], [1, 2])
    return then, then.assign(frequency=rng.random(200)), old


def test_with_the_same_clusters_all_is_the_customers(days):
    then, now, old = days
    changed = int(((then["frequency"] < 0.5) != (now["frequency"] < 0.5)).sum())
    # the same clusters under the other number
    _, same = line(then["frequency"], [0.2, 0.8], [2, 1])
    table = attributed(old, same, then, now.sample(frac=1, random_state=1))
    assert changed > 50 and table["alone"].tolist() == [changed, 0, changed]
    assert table["changes"].tolist() == [changed, 0, changed] and table["share"].tolist() == [
        changed / 200,
        0,
        changed / 200,
    ]


def test_with_the_same_features_all_is_the_refit(days):
    then, _, old = days
    _, new = line(then["frequency"], [0.4, 1.0], [1, 2])
    between = int(then["frequency"].between(0.5, 0.7).sum())
    table = attributed(old, new, then, then)
    assert between > 20 and table["alone"].tolist() == [0, between, between]
    assert table["changes"].tolist() == [0, between, between]


def test_parts_are_the_mean_of_both_orders_and_sum_exactly(days):
    then, now, old = days
    _, new = line(then["frequency"], [0.4, 1.0], [1, 2])
    x, y = then["frequency"], now["frequency"]
    low, both = x < 0.5, int(((x < 0.5) != (y < 0.7)).sum())
    customers, refit = int((low != (y < 0.5)).sum()), int((low != (x < 0.7)).sum())
    orders = np.array([[customers, both - customers], [both - refit, refit]])  # first the customers, first the refit
    table = attributed(old, new, then, now)
    assert table["changes"].tolist() == [*orders.mean(axis=0).tolist(), both]
    assert table["changes"].iloc[:2].sum() == table["changes"].iloc[2] and (orders != 0).all()


def test_a_refit_that_undoes_a_change_has_a_part_below_zero():
    then, old = line(np.r_[np.full(50, 0.45), 0.1, 0.9], [0.2, 0.8], [1, 2])
    now = then.assign(frequency=np.r_[np.full(50, 0.55), 0.1, 0.9])  # over the old border
    _, new = line(now["frequency"], [0.3, 0.9], [1, 2])  # which has moved beyond them
    assert attributed(old, new, then, now)["changes"].tolist() == [25.0, -25.0, 0.0]


def test_customers_of_one_day_do_not_count(days):
    then, now, old = days
    table = attributed(old, old, then.head(120), now.tail(150))
    changed = int(((then["frequency"] < 0.5) != (now["frequency"] < 0.5)).iloc[50:120].sum())
    assert table["alone"].tolist() == [changed, 0, changed] and table["share"].iloc[0] == changed / 70
    nobody = attributed(old, old, then.head(50), now.tail(50))
    assert nobody["changes"].tolist() == [0, 0, 0] and nobody["share"].isna().all()
    with pytest.raises(ValueError, match="expected one each"):
        attributed(old, old, pd.concat([then, then]), now)


# A refit that pays for movement


@pytest.fixture
def moved():
    """Old centres, and three groups that have moved away from them and overlap."""
    rng = np.random.default_rng(8)
    old = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 4.0]])
    where = np.add(old, [[1.0, 0.5], [1.5, 0.0], [0.0, -1.0]])
    points = np.concatenate([rng.normal(place, 0.9, (n, 2)) for place, n in zip(where, (150, 120, 90), strict=True)])
    return points, old


def test_without_a_weight_it_is_the_k_means_of_scikit_learn(moved):
    points, old = moved
    other = KMeans(3, init=old, n_init=1, algorithm="lloyd", tol=0).fit(points)
    found = smoothed_refit(points, old, weight=0)
    assert other.n_iter_ > 3
    np.testing.assert_allclose(found.centres, other.cluster_centers_, rtol=1e-12)
    assert found.inertia == pytest.approx(other.inertia_, rel=1e-12)
    nearest = Nearest(old, np.arange(3)).predict(points)
    assert found.moved == (nearest != other.labels_).mean() > 0.05


def test_the_end_is_a_fixed_point_of_the_penalised_sum_of_squares(moved):
    points, old = moved
    found = smoothed_refit(points, old, weight=0.7)
    labels = ((points[:, None] - found.centres) ** 2).sum(axis=2).argmin(axis=1)
    # the slope of the sum of squares plus 0.7 n / k times the squared movement, by each centre
    for place, centre in enumerate(found.centres):
        slope = 2 * (centre - points[labels == place]).sum(axis=0) + 2 * 0.7 * 120 * (centre - old[place])
        np.testing.assert_allclose(slope, 0, atol=1e-10)


def test_a_larger_weight_fits_worse_and_moves_fewer(moved):
    points, old = moved
    weights = [0, 0.1, 0.3, 1, 3, 10, 1e9]
    table = trade_off(points, old, weights)
    assert table["weight"].tolist() == weights and table["inertia"].iloc[0] == 1
    assert (table["inertia"].diff().dropna() > 0).all() and (table["moved"].diff().dropna() <= 0).all()
    assert table["moved"].iloc[0] > 0.05 and table["moved"].iloc[-1] == 0
    kept = smoothed_refit(points, old, weight=1e9).centres
    np.testing.assert_allclose(kept, old, atol=1e-7)


def test_the_order_of_customers_changes_no_digit(moved):
    points, old = moved
    one, other = (smoothed_refit(some, old, weight=0.3) for some in (points, points[::-1]))
    assert one.centres.tolist() == other.centres.tolist() and (one.inertia, one.moved) == (other.inertia, other.moved)


def test_a_centre_without_a_customer_stays_and_a_perfect_fit_has_no_ratio():
    points, old = np.array([[0.0], [0.0], [1.0]]), np.array([[0.0], [1.0], [9.0]])
    assert smoothed_refit(points, old, weight=0).centres.tolist() == old.tolist()
    assert trade_off(points, old, [0])["inertia"].isna().all()


def test_what_cannot_be_refitted_is_refused():
    points = np.zeros((4, 2))
    for centres, weight in ((np.zeros((1, 3)), 0), (np.zeros((0, 2)), 0), (np.full((1, 2), np.nan), 0), (points, -1)):
        with pytest.raises(ValueError, match="expected"):
            smoothed_refit(points, centres, weight=weight)
    with pytest.raises(ValueError, match="expected at least one customer"):
        smoothed_refit(np.zeros((0, 2)), np.zeros((1, 2)), weight=1)


def test_a_segmentation_is_refitted_and_can_be_saved():
    rng = np.random.default_rng(2)
    then, old = line(rng.random(300), [0.2, 0.7], [2, 1], ["frequent", "rare"])
    assert old_centres(old).ravel().tolist() == [0.7, 0.2], "in the order of the clusters"
    now = then.assign(frequency=rng.random(300) ** 2)
    new = refitted(old, now, weight=0)
    other = KMeans(2, init=[[0.7], [0.2]], n_init=1, tol=0).fit(now[["frequency"]].to_numpy())
    np.testing.assert_allclose(old_centres(new), other.cluster_centers_, rtol=1e-8)  # points have nine decimals
    again = from_json(to_json(new)).assign(now)
    assert (again["cluster"] == other.labels_ + 1).all() and set(again["name"]) == {"frequent", "rare"}
    kept = refitted(old, now, weight=1e9)
    assert kept.assign(now)["cluster"].equals(old.assign(now)["cluster"]) and kept.space is old.space


def test_a_segmentation_without_centres_or_with_an_empty_cluster_is_refused():
    then, old = line([0.1, 0.2, 0.8, 0.9], [0.1, 0.9], [1, 2], ["rare", "frequent"])
    with pytest.raises(ValueError, match="'frequent' has no customer any more"):
        refitted(old, then.assign(frequency=0.1), weight=0)
    mixture = Mixture(np.array([0.5, 0.5]), np.array([[0.1], [0.9]]), np.full((2, 1, 1), 0.01))
    numbers = mixture.predict(old.space.points(then)) + 1
    with pytest.raises(ValueError, match="Mixture does not assign customers by one centre"):
        old_centres(segmentation("Mixture", old.space, mixture, then, numbers))
    several = Nearest(np.array([[0.1], [0.2], [0.9]]), np.array([0, 0, 1]))
    with pytest.raises(ValueError, match="one centre per cluster"):
        old_centres(segmentation("Ward", old.space, several, then, several.predict(old.space.points(then)) + 1))
