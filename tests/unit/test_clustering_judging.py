"""Indices, stability, structure, usefulness, verdict: against other programs, closed forms and planted truth."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_samples,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture

from customerlab.analysis import clustering
from customerlab.analysis.clustering import methods, null_clouds, structure, verdict
from customerlab.analysis.clustering.indices import knee_number
from customerlab.analysis.clustering.models import Mixture
from customerlab.analysis.inference import holm
from customerlab.figures.clustering import judging as figures

FAST = {name: clustering.METHODS[name] for name in ("K-Means", "Ward")}


def planted(seed=0, size=400, spread=0.6, groups=4):
    """Groups of unequal size, well apart."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(groups, size, p=np.arange(groups, 0, -1) / (groups * (groups + 1) / 2))
    centres = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 0], [0, 0, 6], [6, 6, 6]])[:groups]
    return centres[truth] + rng.normal(0, spread, (size, 3)), truth


CLOUDS = {
    "one Gaussian blob": lambda rng: rng.normal(size=(600, 3)),
    "a long blob": lambda rng: rng.normal(size=(800, 3)) * [1, 3, 9],
    "a correlated blob": lambda rng: rng.multivariate_normal([0, 0, 0], [[1, 0.9, 0.3], [0.9, 1, 0], [0.3, 0, 1]], 800),
    "uniform noise": lambda rng: rng.random((800, 3)),
    "a uniform square": lambda rng: rng.random((800, 2)),
    "a skewed blob": lambda rng: rng.gamma(2.0, size=(800, 3)),
    "whole numbers": lambda rng: np.log1p(rng.negative_binomial(2, 0.3, size=(800, 3))),
}


# -- methods and models ------------------------------------------------------------------------------------------


def test_every_method_finds_groups_that_are_well_apart():
    points, truth = planted()
    apart = {name: method for name, method in clustering.METHODS.items() if name != clustering.ONE_GROUP}
    for name, model in clustering.fit_all(points, [4], 7, methods=apart).items():
        labels = model.predict(points)
        kept = labels != clustering.NOISE
        assert kept.mean() > 0.9, name
        assert adjusted_rand_score(truth[kept], labels[kept]) > 0.99, name


def test_a_mixture_is_scikit_learns_to_the_last_point():
    points, _ = planted(spread=2.5)
    ours = methods.mixture(points, [4], 7)[4]
    theirs = GaussianMixture(4, reg_covar=methods.SPREAD, random_state=7).fit(points)
    assert (ours.predict(points) == theirs.predict(points)).all()
    assert np.allclose(ours.strength(points), theirs.predict_proba(points).max(axis=1))


def test_a_mixture_gives_a_point_to_the_density_that_is_higher_there():
    model = Mixture(np.array([0.2, 0.8]), np.array([[0.0], [4.0]]), np.array([[[1.0]], [[4.0]]]))
    x = np.linspace(-6, 9, 31)
    densities = np.array([0.2 * stats.norm.pdf(x, 0, 1), 0.8 * stats.norm.pdf(x, 4, 2)])
    assert (model.predict(x[:, None]) == densities.argmax(axis=0)).all()
    assert np.allclose(model.strength(x[:, None]), densities.max(axis=0) / densities.sum(axis=0))


def test_numbers_above_the_different_points_are_left_out():
    points = np.array([[0.0], [0.0], [1.0], [1.0], [5.0]])
    assert list(clustering.fit_all(points, [2, 3, 4], 7, methods=FAST)) == [
        "K-Means 2",
        "K-Means 3",
        "Ward 2",
        "Ward 3",
    ]
    with pytest.raises(ValueError, match="there is no candidate 'K-Mean 4'"):
        methods.parts("K-Mean 4")


@pytest.mark.thorough
def test_any_number_of_threads_gives_the_same_labels():
    code = (
        "import numpy as np, hashlib; from customerlab.analysis import clustering;"
        "p = np.random.default_rng(1).normal(size=(3000, 3));"
        "m = clustering.fit_all(p, [3, 6], 7);"
        "print({n: hashlib.md5(x.predict(p).tobytes()).hexdigest() for n, x in m.items()})"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=os.environ | {"OMP_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n},
        ).stdout
        for n in ("1", "2")
    ]  # fmt: skip
    assert said[0] == said[1] and len(said[0]) > 200


# -- indices -----------------------------------------------------------------------------------------------------


def test_validity_is_that_of_scikit_learn_over_the_points_that_are_not_noise():
    points, truth = planted(spread=2)
    labels = np.where(np.arange(len(truth)) % 10 == 0, clustering.NOISE, truth)
    kept = labels >= 0
    found = clustering.indices.validity(points, {"it": labels, "all": truth}, 7).loc["it"]
    assert found["silhouette"] == pytest.approx(silhouette_score(points[kept], labels[kept]), abs=1e-9)
    assert found["davies_bouldin"] == pytest.approx(davies_bouldin_score(points[kept], labels[kept]))
    assert found["calinski_harabasz"] == pytest.approx(calinski_harabasz_score(points[kept], labels[kept]))
    assert found["noise"] == pytest.approx(0.1) and found["clusters"] == 4
    assert found["smallest"] == pytest.approx((labels == 3).mean())
    each = silhouette_samples(points[kept], labels[kept])
    assert found["silhouette_error"] == pytest.approx(stats.sem(each))


def test_silhouettes_are_those_of_scikit_learn_for_equal_and_lonely_points_too():
    rng = np.random.default_rng(3)
    points = rng.integers(0, 3, (60, 2)).astype(float)
    labels = np.concatenate([[0], rng.integers(1, 5, 59)])
    ours = clustering.silhouette.mean_silhouettes(points, {"it": labels}, 7).loc["it"]
    theirs = silhouette_samples(points, labels)
    assert ours.tolist() == pytest.approx([theirs.mean(), stats.sem(theirs)], abs=1e-7)


def test_validity_at_its_edges():
    points, truth = planted(size=20)
    found = clustering.indices.validity(
        points, {"noise": np.full(20, -1), "one": np.zeros(20, dtype=int), "alone": np.arange(20)}, 7
    )
    assert found["clusters"].tolist() == [0, 1, 20] and found["noise"].tolist() == [1, 0, 0]
    assert found.loc["one", "smallest"] == 1 and np.isnan(found.loc["noise", "smallest"])
    assert found[["silhouette", "davies_bouldin", "calinski_harabasz"]].isna().all(axis=None)
    assert clustering.indices.validity(np.zeros((20, 3)), {"same": truth}, 7).loc["same", "silhouette"] == 0


@pytest.mark.slow
def test_the_error_of_a_sampled_silhouette_is_true(monkeypatch):
    points, truth = planted(size=3_000, spread=3)
    labels = np.where(np.arange(3_000) % 7 == 0, clustering.NOISE, truth)
    exact = silhouette_score(points[labels >= 0], labels[labels >= 0])
    monkeypatch.setattr(clustering.silhouette, "EXACT", 1_000)
    monkeypatch.setattr(clustering.silhouette, "SAMPLED", 300)
    monkeypatch.setattr(clustering.silhouette, "CELLS", 100_000)
    found = [clustering.silhouette.mean_silhouettes(points, {"it": labels}, seed).loc["it"] for seed in range(100)]
    away = [(f["silhouette"] - exact) / f["silhouette_error"] for f in found]
    assert 0.8 < np.std(away) < 1.2 and abs(np.mean(away)) < 0.4


@pytest.mark.slow
def test_indices_with_an_answer_to_one_cluster_give_it():
    rng = np.random.default_rng(5)
    for name in ("one Gaussian blob", "uniform noise"):
        table = clustering.by_number(CLOUDS[name](rng), range(2, 6), 7)
        chosen = clustering.preferred(table).set_index("index")["clusters"]
        assert chosen["gap statistic"] == 1 and chosen["prediction strength"] == 1, name
    points, _ = planted()
    chosen = clustering.preferred(clustering.by_number(points, range(2, 8), 7)).set_index("index")["clusters"]
    assert (chosen.drop("inertia") == 4).all()


@pytest.mark.slow
def test_the_gap_statistic_by_its_definition():
    points, _ = planted(size=120, spread=1.5)
    table = clustering.by_number(points, [2, 3], 7).set_index("clusters")
    rng = np.random.default_rng(99)
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    turned = centred @ axes.T
    for k in (1, 2, 3):
        logs = []
        for _ in range(60):
            box = rng.uniform(turned.min(axis=0), turned.max(axis=0), turned.shape)
            logs.append(np.log(KMeans(k, n_init=3, random_state=0).fit(box).inertia_))
        own = np.log(KMeans(k, n_init=5, random_state=0).fit(points).inertia_)
        # two estimates with ten and sixty boxes
        allowed = 4 * np.std(logs) * np.sqrt(1 / 10 + 1 / 60)
        assert table.loc[k, "gap"] == pytest.approx(np.mean(logs) - own, abs=allowed)


def test_prediction_strength_by_counting_pairs():
    points, _ = planted(size=60, spread=2.5)
    rng, found = np.random.default_rng(7), []
    for _ in range(5):
        order = rng.permutation(60)
        one, two = points[np.sort(order[:30])], points[np.sort(order[30:])]
        learned, own = (KMeans(3, n_init=3, random_state=7).fit(half) for half in (one, two))
        away = ((two[:, None] - learned.cluster_centers_) ** 2).sum(axis=2).argmin(axis=1)
        shares = []
        for cluster in range(3):
            pairs = list(combinations(np.flatnonzero(own.labels_ == cluster), 2))
            shares.append(np.mean([away[a] == away[b] for a, b in pairs]) if pairs else 1.0)
        found.append(min(shares))
    assert clustering.indices.prediction_strength(points, 3, 7) == pytest.approx(np.mean(found))


def test_a_knee_needs_a_bend():
    assert knee_number(pd.Series([100.0, 40.0, 35.0, 32.0], index=[1, 2, 3, 4])) == 2
    assert np.isnan(knee_number(pd.Series([3.0, 2.0], index=[1, 2])))
    assert np.isnan(knee_number(pd.Series([0.0, 0.0, 0.0], index=[1, 2, 3])))
    # bent the other way, or straight: inertia cannot prefer one cluster
    assert np.isnan(knee_number(pd.Series([100.0, 90.0, 10.0], index=[1, 2, 3])))
    assert np.isnan(knee_number(pd.Series([100.0, 50.0, 0.0], index=[1, 2, 3])))


def test_clusters_are_numbered_by_value_whatever_they_were_called():
    value = np.array([1.0, 1.0, 5.0, 5.0, 9.0, 2.0])
    assert clustering.numbered(np.array([7, 7, 0, 0, -1, 7]), value).tolist() == [2, 2, 1, 1, -1, 2]
    # equal means: the larger one first
    assert clustering.numbered(np.array([0, 1, 1]), np.array([3.0, 3.0, 3.0])).tolist() == [2, 1, 1]


# -- stability ---------------------------------------------------------------------------------------------------


def test_jaccard_by_sets():
    rng = np.random.default_rng(2)
    for _ in range(20):
        one, two = rng.integers(-1, 4, 40), rng.integers(-1, 3, 40)
        one[:4] = range(4)
        wanted = []
        for cluster in range(4):
            own = set(np.flatnonzero(one == cluster))
            others = [set(np.flatnonzero(two == c)) for c in range(two.max() + 1)]
            wanted.append(max(len(own & other) / len(own | other) for other in others))
        assert np.allclose(clustering.stability.jaccard(one, two), wanted)
    assert clustering.stability.jaccard(np.array([0, 0]), np.array([-1, -1])).tolist() == [0]
    assert clustering.stability.jaccard(np.array([-1, -1]), np.array([0, 0])).size == 0


def test_a_label_that_nobody_has_is_no_cluster_to_be_found_again():
    def with_a_spare(points, numbers, seed):
        # the second component is nowhere the most probable
        return {3: Mixture(np.array([0.5, 0.05, 0.45]), np.array([[0.0], [0.2], [9.0]]), np.ones((3, 1, 1)))}

    points = np.r_[np.linspace(-1, 1, 40), np.linspace(8, 10, 40)][:, None]
    labels = {"Spare 3": with_a_spare(points, [3], 7)[3].predict(points)}
    assert set(labels["Spare 3"]) == {0, 2}
    found = clustering.stability.stability(points, labels, [3], 7, resamples=3, methods={"Spare": with_a_spare})
    assert found["lowest_jaccard"].tolist() == [1] and np.isnan(found["jaccard"].iloc[0][1])
    assert np.isnan(clustering.stability.jaccard(np.array([0, 2]), np.array([-1, -1]))).tolist() == [
        False,
        True,
        False,
    ]


@pytest.mark.slow
def test_groups_that_are_there_are_found_again_and_others_are_not():
    points, _ = planted()
    labels = {name: model.predict(points) for name, model in clustering.fit_all(points, [4], 7, methods=FAST).items()}
    found = clustering.stability.stability(points, labels, [4], 7, resamples=5, methods=FAST)
    assert (found["adjusted_rand"] > 0.99).all() and (found["lowest_jaccard"] > 0.98).all()
    noise = CLOUDS["one Gaussian blob"](np.random.default_rng(1))
    labels = {name: model.predict(noise) for name, model in clustering.fit_all(noise, [4], 7, methods=FAST).items()}
    found = clustering.stability.stability(noise, labels, [4], 7, resamples=8, methods=FAST)
    assert (found["lowest_jaccard"] < 0.75).all() and (found["adjusted_rand"] < 0.8).all()
    seeds = clustering.stability.agreement_of_seeds(noise, labels, [4], [8, 9], methods=FAST)
    assert seeds["Ward 4"] == 1 and seeds["K-Means 4"] <= 1


# -- structure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", null_clouds.SHAPES)
def test_a_cloud_has_the_extent_and_correlations_of_its_points_and_no_others_steps(shape):
    rng = np.random.default_rng(4)
    base = rng.multivariate_normal([0, 0, 0], [[1, 0.7, 0], [0.7, 1, 0], [0, 0, 4]], 4_000)
    points = np.column_stack([base, np.log1p(rng.poisson(np.exp(0.4 * base[:, 0]), 4_000))])
    drawn = next(clustering.null_clouds.clouds(points, shape, 1, np.random.default_rng(5)))
    assert np.allclose(drawn.mean(axis=0), points.mean(axis=0), atol=0.12)
    assert np.allclose(drawn.std(axis=0), points.std(axis=0), rtol=0.08)
    assert np.allclose(np.corrcoef(drawn.T), np.corrcoef(points.T), atol=0.08)
    assert set(drawn[:, 3]) <= set(points[:, 3]) and len(np.unique(drawn[:, 0])) == 4_000


def test_a_normal_cloud_keeps_skew_and_a_uniform_one_is_even():
    rng = np.random.default_rng(6)
    # the transform with power zero is the logarithm of one plus the value
    points = np.exp(rng.normal(3, 0.5, (4_000, 2))) - 1
    drawn = next(clustering.null_clouds.clouds(points, "normal", 1, rng))
    assert (stats.skew(drawn) > 1.2).all()
    assert all(stats.kstest(np.log1p(column), "norm", args=(3, 0.5)).pvalue > 0.001 for column in drawn.T)
    even = next(clustering.null_clouds.clouds(rng.normal(size=(4_000, 1)), "uniform", 1, rng))[:, 0]
    assert stats.kstest(even, stats.uniform(even.min(), np.ptp(even)).cdf).pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transform", "scaling"), [("log1p", "standard"), ("yeo-johnson", "robust"), ("none", "quantile")]
)
@pytest.mark.parametrize("shape", null_clouds.SHAPES)
def test_a_cloud_stays_below_the_customers_ceilings_with_as_many_on_them(transform, scaling, shape):
    rng = np.random.default_rng(8)
    customers = pd.DataFrame({"tenure": rng.integers(1, 500, 2_000), "frequency": 1 + rng.poisson(1.0, 2_000)})
    back = np.where(customers["frequency"] == 1, 1.0, rng.beta(1, 2, 2_000))
    customers["recency"] = np.ceil(customers["tenure"] * back)
    space = clustering.fit_space(customers, ["recency", "frequency", "tenure"], transform=transform, scaling=scaling)
    points = space.points(customers)
    (ceiling,) = clustering.ceilings(space, customers)
    assert (customers["recency"] == customers["tenure"]).to_numpy().tolist() == (
        np.abs(ceiling.at(points) - points[:, 0]) < 1e-9
    ).tolist()
    drawn = next(clustering.null_clouds.clouds(points, shape, 1, rng, [ceiling]))
    slack = ceiling.at(drawn) - drawn[:, 0]
    once = points[:, 1] == points[:, 1].min()
    assert slack.min() > -0.02 * np.ptp(points[:, 0])  # but for the step to the nearest day that there is
    assert (np.abs(slack[once]) < 0.02 * np.ptp(points[:, 0])).all()
    blind = next(clustering.null_clouds.clouds(points, shape, 1, rng))
    assert (ceiling.at(blind) < blind[:, 0] - 0.02 * np.ptp(points[:, 0])).mean() > 0.05


def test_features_that_can_be_above_others_are_no_ceiling():
    customers = pd.DataFrame({"basket_value": [5.0, -3.0], "monetary": [5.0, -6.0], "tenure": [3.0, 9.0]})
    assert clustering.ceilings(clustering.fit_space(customers, list(customers)), customers) == ()


@pytest.mark.slow
def test_groups_apart_are_several_kinds_whatever_edge_there_is():
    rng = np.random.default_rng(9)
    kind = rng.integers(0, 3, 900)
    level = np.array([[2, 5, 8], [2, 5, 8], [8, 2, 8], [8, 2, 8]])[:, kind]
    size = np.exp(level + rng.normal(0, 0.3, (4, 900)))
    customers = pd.DataFrame(size.T, columns=["monetary", "units", "visits", "minutes"])
    customers["tenure"] = rng.integers(300, 400, 900)
    once = rng.random(900) < 0.3
    customers["recency"] = np.where(once, customers["tenure"], np.ceil(customers["tenure"] * rng.random(900)))
    space = clustering.fit_space(customers, list(customers))
    judged = clustering.judge(
        space.points(customers),
        [3],
        7,
        ceilings=clustering.ceilings(space, customers),
        methods={"K-Means": methods.kmeans},
    )
    assert judged.recommended == "K-Means 3" and judged.table.loc["K-Means 3", "p_kinds"] < 0.01
    assert adjusted_rand_score(kind, judged.labels["K-Means 3"]) > 0.95


@pytest.mark.thorough
def test_clouds_are_told_from_groups_at_the_promised_rate():
    names, means = ["K-Means 3", "K-Means 4"], {"K-Means": methods.kmeans}
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        points = rng.normal(size=(90, 2)) if seed % 2 else rng.random((90, 2))
        found.append(clustering.structure.excess(points, names, seed, number=10, methods=means)["p_structure"].min())
    # at 5% six or more of thirty would happen once in three hundred times
    assert sum(p <= 0.05 for p in found) <= 5
    points, _ = planted(spread=1.0, size=150)
    assert (
        clustering.structure.excess(points, ["K-Means 4"], 7, number=10, methods=means)["p_structure"].iloc[0] < 0.001
    )


@pytest.mark.slow
def test_giving_up_the_hopeless_changes_no_finding(monkeypatch):
    points, _ = planted(spread=1.3, size=200)
    names, means = [f"K-Means {k}" for k in (2, 3, 4, 6)], {"K-Means": methods.kmeans}
    short = clustering.structure.excess(points, names, 7, number=12, methods=means)["p_structure"]
    monkeypatch.setattr(structure, "LOOK", 99)
    whole = clustering.structure.excess(points, names, 7, number=12, methods=means)["p_structure"]
    assert ((short <= 0.05) == (whole <= 0.05)).all() and short["K-Means 4"] <= 0.05 < short.max()


# -- usefulness --------------------------------------------------------------------------------------------------


class Fixed:
    """A model that gives points of one feature the group that the feature says."""

    def predict(self, points):
        return points[:, 0].astype(int)


def windows(draw, number=2, size=400, seed=0):
    """Periods of the same customers: `draw` gives each period's groups, baselines and outcomes."""
    found = []
    for place in range(number):
        groups, baselines, outcomes = draw(np.random.default_rng([seed, place]), size)
        customers = pd.DataFrame({"customer_id": np.arange(size).astype(str)})
        day = pd.Timestamp("2024-06-01") - pd.Timedelta(days=90 * place)
        found.append(clustering.past.Past(day, customers, groups[:, None], baselines, pd.DataFrame(outcomes)))
    return found


def test_what_groups_predict_follows_from_their_variances():
    rng = np.random.default_rng(8)
    groups, y = rng.integers(0, 5, 60), rng.normal(size=60)
    groups[0] = 9  # alone: the mean of all
    parts = [np.var(y[groups == g], ddof=1) * (groups == g).sum() for g in range(5)]
    wanted = 1 - (sum(parts) + (y[0] - y.mean()) ** 2 * 60 / 59) / (60 * np.var(y, ddof=1))
    assert clustering.usefulness.predicted(groups, y).mean() == pytest.approx(wanted)
    assert not clustering.usefulness.predicted(groups, np.ones(60)).any()
    # groups of one size: epsilon squared, which follows from the F statistic
    equal = np.arange(60) % 4
    f = stats.f_oneway(*[y[equal == g] for g in range(4)]).statistic
    assert clustering.usefulness.predicted(equal, y).mean() == pytest.approx((f - 1) * 3 / (f * 3 + 56), abs=1e-12)


def test_the_error_of_a_mean_is_over_customers():
    values = np.random.default_rng(2).gamma(1.0, size=12)
    mean, error = clustering.usefulness._mean(values, np.arange(12))
    assert (mean, error) == pytest.approx((values.mean(), values.std(ddof=1) / np.sqrt(12)))
    twice = clustering.usefulness._mean(np.tile(values, 2), np.tile(np.arange(12), 2))
    assert twice == pytest.approx((mean, error)), "the same customers in two periods tell no more"


def test_groups_without_a_meaning_predict_nothing_however_many_they_are():
    y = np.random.default_rng(9).normal(size=(400, 300))
    for number in (4, 60):
        shares = [clustering.usefulness.predicted(np.arange(300) % number, row).mean() for row in y]
        assert abs(np.mean(shares)) < 3 * np.std(shares) / np.sqrt(400)


def test_a_difference_is_that_of_the_shares_and_of_customers_who_are_there_twice():
    def draw(rng, size):
        truth = np.arange(size) % 3
        return (
            truth,
            {"one": np.arange(size) % 2, "none": np.zeros(size, dtype=int)},
            {"y": truth + rng.normal(size=size)},
        )

    past = windows(draw)
    table = clustering.usefulness.usefulness({"it": Fixed()}, past).set_index("grouping")
    for name, groups in (("it", past[0].points[:, 0]), *past[0].baselines.items()):
        shares = [clustering.usefulness.predicted(groups, one.outcomes["y"].to_numpy()).mean() for one in past]
        assert table.loc[name, "predicted"] == pytest.approx(np.mean(shares))
    it = table.loc["it"]
    assert it["rival"] in past[0].baselines and it["p"] < 1e-6 and it["more_low"] > 0 and not it["worse"]
    assert it["more"] == pytest.approx(it["predicted"] - table.loc[it["rival"], "predicted"])
    # the same period twice tells no more than once: the same customers
    once, twice = (
        clustering.usefulness.usefulness({"it": Fixed()}, p).set_index("grouping").loc["it"]
        for p in (past[:1], past[:1] * 2)
    )
    assert twice["p"] == pytest.approx(once["p"], rel=1e-6) and twice["error"] == pytest.approx(once["error"])
    wide = clustering.usefulness.usefulness({"it": Fixed()}, past, comparisons=20).set_index("grouping").loc["it"]
    reach = stats.norm.ppf(1 - 0.05 / 40) / stats.norm.ppf(0.975)
    assert wide["more"] - wide["more_low"] == pytest.approx(reach * (it["more"] - it["more_low"]))


@pytest.mark.thorough
def test_intervals_cover_and_what_is_not_better_is_rarely_called_so():
    truth = 0.5**2 * 2 / 3 / (0.5**2 * 2 / 3 + 1)  # groups at -0.5, 0, 0.5, each a third; unit variance within
    covered, better = [], []
    for seed in range(150):

        def draw(rng, size):
            real = rng.integers(0, 3, size)
            noisy = [np.where(rng.random(size) < 0.2, rng.integers(0, 3, size), real) for _ in range(2)]
            return noisy[0], {"real": real, "noisy": noisy[1]}, {"y": 0.5 * (real - 1) + rng.normal(size=size)}

        table = clustering.usefulness.usefulness({"it": Fixed()}, windows(draw, 1, seed=seed)).set_index("grouping")
        covered.append(table.loc["real", "low"] <= truth <= table.loc["real", "high"])
        better.append(table.loc["it", "p"] <= 0.05)
    assert 0.89 <= np.mean(covered) <= 0.99
    assert np.mean(better) <= 0.04


def test_p_values_are_adjusted_for_the_candidates_that_could_be_recommended():
    def draw(rng, size):
        truth = rng.integers(0, 3, size)
        return (
            truth,
            {"none": np.zeros(size, dtype=int)},
            {"y": truth + 4 * rng.normal(size=size), "z": rng.normal(size=size)},
        )

    found = clustering.verdict.compared({name: Fixed() for name in "abc"}, windows(draw), ["a", "b"])
    rows = found[found["grouping"].isin(["a", "b"])]
    assert rows["p_holm"].to_numpy() == pytest.approx(holm(rows["p"]).to_numpy())
    assert found.loc[found["grouping"].isin(["c", "none"]), "p_holm"].isna().all()


# -- the verdict -------------------------------------------------------------------------------------------------


def a_past(points, tells, seed=1, number=2, costs=None):
    """Customers whose next periods follow from what is given, and whom past spend says nothing of."""

    def draw(rng, size):
        deciles = clustering.past.deciles(rng.gamma(2.0, 100, size))
        outcomes = {"repurchase rate": (tells + rng.normal(size=size) > 1).astype(float)}
        if costs is not None:
            outcomes["money"] = costs + rng.normal(size=size)
        known = {
            "RFM segments": deciles // 2 if costs is None else np.digitize(costs, [0.5]),
            "deciles of past spend": deciles,
        }
        return np.zeros(size), known, outcomes

    return [
        clustering.past.Past(one.formed_on, one.customers, points, one.baselines, one.outcomes)
        for one in windows(draw, number, len(points), seed)
    ]


QUICK = ["one Gaussian blob", "a skewed blob", "uniform noise"]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in QUICK else pytest.mark.thorough) for n in CLOUDS]
)
def test_a_cloud_has_no_segmentation(name):
    points = CLOUDS[name](np.random.default_rng(11))
    judged = clustering.judge(points, range(2, 6), 7, resamples=6)
    assert judged.recommended == ""
    assert all(judged.table["reasons"]) and judged.nearest in judged.models
    assert clustering.verdicts(judged)["verdict"].str.startswith("fails: ").all()


@pytest.mark.thorough
def test_a_cloud_has_no_segmentation_however_useful_it_would_be_to_cut_it():
    points = CLOUDS["a long blob"](np.random.default_rng(12))
    judged = clustering.judge(
        points, range(2, 5), 7, past=a_past(points, 3 * stats.zscore(points[:, 2])), resamples=6, methods=FAST
    )
    assert judged.useful["more_low"].max() > 0.2 and judged.table["lowest_jaccard"].max() > 0.9
    assert judged.recommended == "" and clustering.decision(judged).startswith(
        "Keep the RFM segments as the grouping: none of "
    )
    assert clustering.separation_finding(judged).startswith(
        "Distinct groups: none found. No candidate is significantly"
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_groups_that_are_there_are_recommended_and_useless_ones_are_not():
    points, truth = planted(size=600)
    judged = clustering.judge(points, range(2, 6), 7, past=a_past(points, 2.0 * truth), resamples=4)
    assert adjusted_rand_score(truth, judged.labels[judged.recommended]) > 0.99
    table = clustering.verdicts(judged)
    assert table["verdict"].iloc[0] == "recommended" and (table["verdict"] == "recommended").sum() == 1
    assert clustering.decision(judged).startswith(f"Use {judged.recommended} in place of the RFM segments: ")
    assert judged.chosen_on is None and len(judged.windows) == 2
    useless = clustering.judge(points, range(2, 6), 7, past=a_past(points, np.zeros(600)), resamples=4, methods=FAST)
    assert useless.recommended == "" and clustering.decision(useless).startswith(
        "Keep the RFM segments as the grouping: none of "
    )
    four = useless.table.loc["K-Means 4", "reasons"]
    assert four[0].startswith("no outcome explained significantly better than by the best baseline") and len(four) == 1
    assert clustering.nearest_finding(judged) == clustering.saved_finding(judged) == []
    assert clustering.nearest_finding(useless)[0].startswith(
        f"Best candidate: {useless.nearest}. It fails the prediction gate: no outcome explained significantly better "
    )
    assert clustering.saved_finding(useless)[0].startswith("The artefact clusters has one group, all customers")
    assert clustering.saved_finding(judged, judged.recommended) == []
    assert "although it is not recommended" in clustering.saved_finding(judged, "Ward 2")[0]
    assert useless.shown() == useless.nearest in useless.structured and useless.shown("Ward 2") == "Ward 2"
    with pytest.raises(ValueError, match="there is no candidate 'Ward 9'"):
        useless.shown("Ward 9")


@pytest.mark.slow
def test_what_is_better_on_one_outcome_and_worse_on_another_is_not_recommended():
    points, truth = planted(size=600)
    hidden = np.random.default_rng(3).integers(0, 2, 600) * 2.0
    past = a_past(points, 2.0 * truth, costs=hidden)
    judged = clustering.judge(points, [4], 7, past=past, resamples=4, methods=FAST)
    found = judged.useful.set_index(["grouping", "outcome"])
    assert found.loc[("K-Means 4", "repurchase rate"), "p_holm"] < 0.05 and found.loc[("K-Means 4", "money"), "worse"]
    reasons = judged.table.loc["K-Means 4", "reasons"]
    assert judged.recommended == "" and reasons == (
        "revenue explained significantly worse than by a baseline (not adjusted)",
    )
    assert clustering.nearest_finding(judged)[0].endswith(f"It fails the prediction gate: {reasons[0]}.")
    rate, money = clustering.prediction_findings(judged, "K-Means 4", 90)
    assert rate.startswith("Repurchase rate, next 90 days: K-Means 4 explains ")
    assert "significantly more (Holm-adjusted p " in rate and money.endswith("significantly less.")
    marks = clustering.gate_results(judged).set_index("candidate").loc["K-Means 4"]
    assert (
        marks["prediction"] == "✗"
        and marks["Δ repurchase rate (pp)"].endswith("✓")
        and marks["Δ revenue (pp)"].endswith("✗")
    )
    shares = judged.useful.set_index(["grouping", "outcome"])["predicted"]
    best, segments = (shares[name, "money"] for name in ("K-Means 4", "RFM segments"))
    assert f"K-Means 4 explains {best:.1%} of the variance (95% CI " in money
    assert f", RFM segments, the best of 2 baselines, {segments:.1%}. Difference to the best baseline: " in money


@pytest.mark.thorough
@pytest.mark.slow
def test_of_three_periods_the_earliest_chooses_and_does_not_judge():
    points, truth = planted(size=600)
    past = a_past(points, 2.0 * truth, number=3)
    judged = clustering.judge(points, range(2, 6), 7, past=past, resamples=4, methods=FAST)
    assert judged.windows == (past[0].formed_on, past[1].formed_on) and judged.chosen_on == past[2].formed_on
    assert adjusted_rand_score(truth, judged.labels[judged.recommended]) > 0.99
    # whatever the earliest one says, the shares, intervals and gates are those of the others
    blind = [*past[:2], a_past(points, np.zeros(600), number=3)[2]]
    other = clustering.judge(points, range(2, 6), 7, past=blind, resamples=4, methods=FAST)
    pd.testing.assert_frame_equal(judged.useful, other.useful)
    assert judged.table["reasons"].equals(other.table["reasons"])


@pytest.mark.slow
def test_without_a_past_nothing_is_said_to_predict():
    points, truth = planted(size=400)
    judged = clustering.judge(points, range(3, 6), 7, resamples=4, methods=FAST)
    assert adjusted_rand_score(truth, judged.labels[judged.recommended]) > 0.99
    words = [
        clustering.decision(judged),
        *clustering.prediction_findings(judged, judged.recommended, 90),
        *clustering.verdicts(judged)["verdict"],
    ]
    assert words[0].startswith(f"Use {judged.recommended} to describe customers: ") and "cannot tell" in words[0]
    assert not any("RFM" in text or " explain" in text for text in words[1:])
    assert clustering.best_of_each_method(judged, judged.recommended) == []
    assert clustering.periods(judged, 90).startswith("Prediction was not tested: too few to tell.")


def judged_by_hand(reasons, **tested):
    """One candidate that fails, on two periods of 90 days; its tests, and how it explains revenue beside baselines."""
    row = {
        "clusters": 2,
        "smallest": 0.3,
        "noise": 0.0,
        "lowest_jaccard": 0.9,
        "p_structure": np.nan,
        "p_kinds": np.nan,
    }
    table = pd.DataFrame([row | {name: tested[name] for name in row.keys() & tested.keys()}], index=["Ward 2"])
    table["reasons"] = [tuple(reasons)]
    explained = {"RFM segments": 0.12, "deciles of past spend": 0.27, "Ward 2": 0.25}
    useful = pd.DataFrame({"grouping": list(explained), "outcome": "money", "predicted": explained.values()}).assign(
        low=lambda x: x["predicted"] - 0.05, high=lambda x: x["predicted"] + 0.05
    )
    useful["rival"] = [None, None, "deciles of past spend"]
    useful["more"], useful["more_low"] = [np.nan, np.nan, -0.02], [np.nan, np.nan, -0.05]
    useful["more_high"] = [np.nan, np.nan, tested.get("more_high", 0.01)]
    useful["p_holm"], useful["worse"] = [np.nan, np.nan, tested.get("p_holm", np.nan)], [None, None, True]
    days = tuple(pd.to_datetime(["2024-10-03", "2024-07-05"]))
    worth = pd.DataFrame({"worth": [0.2], "error": 0.1}, index=["Ward 2"])
    labels = {"Ward 2": np.array([0, 1])}
    return verdict.Judged({"Ward 2": Fixed()}, labels, table, days, None, useful, worth, "")


@pytest.mark.parametrize(
    ("reasons", "tested", "said"),
    [
        (
            ["40% noise"],
            {},
            "size gate: 40% noise. Not tested for this reason: separation and prediction. It explains less than the best ",
        ),
        (["40% noise", "unstable (x)"], {}, "size and stability gates: 40% noise; unstable (x). Not tested for this"),
        (["unstable (x)"], {}, "stability gate: unstable (x). Not tested for this reason: separation and prediction."),
        (["not better"], {"p_structure": 0.3}, "separation gate: not better. Not tested for this reason: prediction."),
        (["worse"], {"p_structure": 0.01, "p_kinds": 0.2}, "prediction gate: worse."),
    ],
)
def test_the_best_that_fails_names_its_gates_and_those_not_reached(reasons, tested, said):
    assert (
        f"Best candidate: Ward 2. It fails the {said}"
        in clustering.nearest_finding(judged_by_hand(reasons, **tested))[0]
    )


def test_periods_end_on_their_last_day():
    said = clustering.periods(judged_by_hand(["40% noise"]), 90)
    assert "2024-10-03 to 2024-12-31, 2024-07-05 to 2024-10-02." in said


@pytest.mark.parametrize(
    ("tested", "gate", "mark", "said"),
    [
        ({}, "–", "-2.0", "not tested."),
        ({"p_structure": 0.01, "p_kinds": 0.2, "p_holm": 1.0}, "✗", "-2.0", "inconclusive after adjustment, significantly less before."),
        (
            {"p_structure": 0.01, "p_kinds": 0.2, "p_holm": 1.0, "more_high": -0.01},
            "✗", "-2.0 ✗", "significantly less.",
        ),
    ],
)  # fmt: skip
def test_the_marks_of_the_table_are_the_results_of_the_findings(tested, gate, mark, said):
    judged = judged_by_hand(["some reason"], **tested)
    row = clustering.gate_results(judged).loc[0]
    assert (row["prediction"], row["Δ revenue (pp)"]) == (gate, mark)
    (finding,) = clustering.prediction_findings(judged, "Ward 2", 90)
    assert finding.endswith(said)
    assert f"({'un' * (gate == '–')}adjusted 95% CI -5.0 to " in finding
    assert "RFM segments 12.0%, deciles of past spend, the best of 2 baselines, 27.0%. " in finding
    assert "It exceeds the RFM segments, but not the best baseline. Difference to the best baseline: -2.0 " in finding
    near = judged.useful.assign(high=0.3)
    (other,) = clustering.prediction_findings(replace(judged, useful=near), "Ward 2", 90)
    assert "exceeds" not in other, "intervals overlap"


def test_each_gate_names_its_reason():
    table = pd.DataFrame(
        {"clusters": [2, 2, 1, 3], "smallest": [0.006, 0.3, 1.0, 0.3], "noise": [0, 0.4, 0, 0],
         "lowest_jaccard": [0.3, 0.9, 1, 0.9]}, index=["fence", "sparse", "none", "sound"],
    )  # fmt: skip
    found = verdict._reasons(table, clustering.Gates())
    assert found == {
        "fence": ["smallest cluster 0.6% of customers", "unstable (bootstrap Jaccard 0.30)"],
        "sparse": ["40% noise"],
        "none": ["fewer than two clusters"],
        "sound": [],
    }


def test_no_size_below_its_gate_looks_like_one_that_passes():
    assert [verdict.size(share, 0.02) for share in (0.0196, 0.0194, 0.02, 0.0204)] == ["1.96%", "1.9%", "2.0%", "2.0%"]


def test_the_fewest_clusters_within_an_error_of_the_best_win():
    table = pd.DataFrame({"clusters": [6, 4, 3, 2]}, index=list("abcd"))
    worth = pd.DataFrame({"worth": [0.30, 0.29, 0.25, 0.5], "error": 0.02}, index=list("abcd"))
    assert verdict.chosen(table, worth, list("abc")) == "b"


@pytest.mark.slow
def test_the_order_of_customers_changes_nothing():
    rng = np.random.default_rng(12)
    table = pd.DataFrame(
        {"customer_id": [f"C{i:03d}" for i in range(300)], "recency": rng.integers(1, 300, 300),
         "frequency": rng.integers(1, 9, 300), "monetary": rng.gamma(1.0, 300, 300).round(2)}
    )  # fmt: skip
    names = ["recency", "frequency", "monetary"]
    found = []
    for shop in (table, table.sample(frac=1, random_state=3)):
        customers = clustering.sample(shop, 200, 7)
        points = clustering.fit_space(customers, names).points(customers)
        judged = clustering.judge(points, [2, 3], 7, resamples=3)
        found.append((customers, judged))
    (one, a), (two, b) = found
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(a.table.drop(columns="seconds"), b.table.drop(columns="seconds"))
    assert all((a.labels[name] == b.labels[name]).all() for name in a.labels)


def test_customers_who_are_all_alike_are_one_group():
    judged = clustering.judge(np.zeros((3, 2)), [2, 3], 7, resamples=2)
    assert judged.recommended == "" and judged.labels[judged.shown()].tolist() == [0, 0, 0]
    points, _ = planted(size=100)
    only = clustering.judge(
        points, [2], 7, resamples=2, methods={clustering.ONE_GROUP: clustering.METHODS[clustering.ONE_GROUP]}
    )
    assert only.table.loc[clustering.ONE_GROUP, "reasons"] == ("fewer than two clusters",)
    assert (only.labels[only.shown()] == 0).all()


@pytest.mark.slow
def test_every_candidate_stands_at_every_gate_with_its_mark():
    points, truth = planted(size=300)
    judged = clustering.judge(points, [2, 4], 7, past=a_past(points, 2.0 * truth), resamples=4, methods=FAST)
    table = clustering.gate_results(judged).set_index("candidate")
    assert table["verdict"].iloc[0] == "recommended" == table.loc[judged.recommended, "verdict"]
    assert set(judged.models) == set(table.index)
    for name, row in table.iterrows():
        marks = "".join(row.drop(["verdict", "p vs single population"]))
        assert ("✗" in marks) == bool(judged.table.loc[name, "reasons"]), name
    smallest = judged.table["smallest"]["K-Means 4"]
    assert table.loc["K-Means 4", "smallest cluster"] == f"{smallest:.1%} ✓"
    strict = clustering.gate_results(judged, clustering.Gates(smallest=0.4)).set_index("candidate")
    assert strict.loc["K-Means 4", "smallest cluster"].endswith("✗")


@pytest.mark.thorough
@pytest.mark.slow
def test_the_best_candidates_come_first_in_every_table():
    points, _ = planted(size=400)
    judged = clustering.judge(points, range(2, 6), 7, past=a_past(points, np.zeros(400)), resamples=4)
    table = clustering.gate_results(judged)
    assert table["candidate"].tolist() == clustering.verdicts(judged)["candidate"].tolist()
    assert table["candidate"].iloc[0] == judged.nearest and table["candidate"].iloc[-1] == clustering.ONE_GROUP
    failed = judged.table["reasons"].str.len()[table["candidate"]].iloc[1:-1]
    assert failed.is_monotonic_increasing, "fewer gates failed before more"
    assert table.set_index("candidate").loc[clustering.ONE_GROUP, "smallest cluster"] == "one group ✗"
    picture = figures.gates(table, "Ward 5")
    names = [label.get_text().partition(":")[0] for label in picture.figure.axes[0].get_yticklabels()]
    methods_shown = [methods.method_of(name) for name in names]
    assert names[0] == judged.nearest and "Ward 5" in names and clustering.ONE_GROUP not in names
    assert set(methods_shown) == set(clustering.METHODS) - {clustering.ONE_GROUP}
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    first = table.drop(columns=["candidate", "verdict", "p vs single population"]).iloc[0]
    assert texts[: len(first)] == first.tolist() and picture.alt.startswith(f"Matrix of {len(names)} candidates")


def test_the_silhouette_of_each_customer_is_that_of_scikit_learn(monkeypatch):
    points, truth = planted(size=200, spread=2)
    labels = np.where(np.arange(200) % 9 == 0, clustering.NOISE, truth + 1)
    kept = labels > 0
    theirs = pd.DataFrame({"cluster": labels[kept], "silhouette": silhouette_samples(points[kept], labels[kept])})
    pd.testing.assert_frame_equal(clustering.silhouettes(points, labels, 7), theirs, check_dtype=False)
    monkeypatch.setattr(clustering.silhouette, "EXACT", 100)
    monkeypatch.setattr(clustering.silhouette, "SAMPLED", 50)
    drawn = clustering.silhouettes(points, labels, 7)
    assert len(drawn) <= 50 and set(drawn["silhouette"].round(6)) <= set(theirs["silhouette"].round(6))
    assert clustering.silhouettes(points, np.ones(200, dtype=int), 7).empty
