"""Explaining clusters: profiles, contrasts, rules in words, names, agreement, and views that prove nothing."""

import re
from dataclasses import replace
from itertools import combinations

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import mutual_info_score
from sklearn.tree import DecisionTreeClassifier

from customerlab.analysis import clustering
from customerlab.analysis.clustering import explain
from customerlab.analysis.clustering.views import _principal
from customerlab.analysis.orders import Snapshot
from customerlab.figures.clustering import explaining as figures

SMALL = pd.DataFrame(
    {
        "customer_id": list("abcdef"),
        "recency": [1, 3, 8, 90, 80, 400],
        "monetary": [100.0, 50.0, 60.0, 10.0, 20.0, 160.0],
    }
)
LABELS = np.array([1, 1, 1, 2, 2, -1])
FEATURES = ["recency", "monetary"]


def skewed(customers: int = 600, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Customers with whole and broken features, in four clusters with blurred borders."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "recency": rng.integers(1, 900, customers),
            "frequency": rng.geometric(0.3, customers),
            "basket_value": np.exp(rng.normal(4, 1.3, customers)).round(2),
            "returned_share": rng.beta(0.3, 3, customers),
        }
    )
    blurred = table["recency"] + rng.normal(0, 60, customers)
    labels = 1 + 2 * (blurred > 250) + (table["frequency"] * table["basket_value"] < 150)
    return table, labels.to_numpy()


# --- profile and contrast


def test_profile_by_hand():
    found = explain.profile(SMALL, LABELS, FEATURES)
    assert found.columns.tolist() == ["cluster", "customers", "share", "share_of_revenue", "recency", "monetary"]
    assert found.to_numpy().tolist() == [
        [1, 3, 0.5, 210 / 400, 3, 60],
        [2, 2, 2 / 6, 30 / 400, 85, 15],
        [-1, 1, 1 / 6, 160 / 400, 400, 160],
    ]
    assert "share_of_revenue" not in explain.profile(SMALL[["recency"]], LABELS, ["recency"])
    returned_all = explain.profile(SMALL.assign(monetary=[5, -5, 0, 0, 0, 0]), LABELS, FEATURES)
    assert returned_all["share_of_revenue"].isna().all(), "no share of nothing"


def test_profile_does_not_depend_on_the_index_or_the_order_of_rows():
    table, labels = skewed()
    names = list(table)
    order = np.random.default_rng(1).permutation(len(table))
    expected = explain.profile(table, labels, names)
    pd.testing.assert_frame_equal(explain.profile(table.iloc[order], labels[order], names), expected)
    pd.testing.assert_frame_equal(
        explain.contrast(table.iloc[order], labels[order], names), explain.contrast(table, labels, names)
    )


@pytest.mark.parametrize("name", ["recency", "frequency", "returned_share"])
def test_contrast_is_mann_and_whitneys_u_over_all_pairs(name):
    table, labels = skewed()
    labels = np.where(np.arange(len(labels)) % 10 == 0, -1, labels)
    found = explain.contrast(table, labels, [name]).set_index("cluster")[name]
    assert found.index.tolist() == [1, 2, 3, 4, -1]
    for cluster in found.index:
        one, others = table.loc[labels == cluster, name], table.loc[labels != cluster, name]
        u = stats.mannwhitneyu(one, others).statistic
        assert found[cluster] == pytest.approx(u / (len(one) * len(others)), abs=1e-12)


def test_contrast_at_its_ends():
    found = explain.contrast(SMALL, LABELS, FEATURES).set_index("cluster")
    assert found.loc[-1, "recency"] == 1 and found.loc[1, "recency"] == 0
    assert found.loc[2, "monetary"] == 0
    assert (explain.contrast(SMALL, np.ones(6, dtype=int), FEATURES)[FEATURES] == 0.5).all(axis=None)
    same = explain.contrast(SMALL.assign(recency=7), LABELS, ["recency"])
    assert same["recency"].tolist() == [0.5, 0.5, 0.5], "equal values set nobody apart"


@pytest.mark.parametrize("ask", [explain.profile, explain.contrast, lambda *a: clustering.rules(*a, seed=1)])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": LABELS[:4]}, "4 labels for 6 customers"),
        ({"labels": LABELS - 1}, "a label is 0; expected clusters numbered from 1"),
        ({"labels": LABELS.astype(float)}, "type float64; expected whole numbers"),
        ({"names": ["recency", "age"]}, "no feature 'age'; expected some of customer_id, recency, monetary"),
        ({"names": []}, "the features are none"),
        ({"names": ["recency", "recency"]}, "each once"),
        (
            {"customers": SMALL.assign(monetary=[1, 2, np.nan, np.inf, 5, 6])},
            "monetary is missing or infinite for 2 of 6",
        ),
        ({"customers": SMALL[:0], "labels": LABELS[:0]}, "expected one for each of at least one"),
    ],
)
def test_bad_input_is_refused(ask, change, message):
    given = {"customers": SMALL, "labels": LABELS, "names": FEATURES} | change
    with pytest.raises(ValueError, match=message):
        ask(*given.values())


# --- rules


CONDITION = re.compile(
    r"(?P<name>.+?) (?:below (?P<below>\S+)|at least (?P<least>\S+)|exactly (?P<exactly>\S+)"
    r"|from (?P<low>\S+) to below (?P<high>\S+))"
)


def read(rule: str, table: pd.DataFrame) -> np.ndarray:
    """Who meets a rule, by its words alone."""
    met = np.ones(len(table), dtype=bool)
    if rule == "all customers":
        return met
    for part in re.split(r", | and ", rule):
        found = CONDITION.fullmatch(part)
        assert found, part
        column = table[found["name"].replace(" ", "_")].to_numpy()
        number = {
            key: float(text.replace(",", "")) for key, text in found.groupdict().items() if key != "name" and text
        }
        met &= column >= number.get("least", number.get("low", -np.inf))
        met &= column < number.get("below", number.get("high", np.inf))
        met &= column == number.get("exactly", column)
    return met


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_the_words_of_the_rules_say_all_that_is_counted(seed):
    table, labels = skewed(seed=seed)
    found = clustering.rules(table, labels, list(table), seed=seed)
    met = np.stack([read(rule, table) for rule in found.table["rule"]])
    assert (met.sum(axis=0) == 1).all(), "every customer meets exactly one rule"
    cluster = found.table["cluster"].to_numpy()
    own = met & (labels == cluster[:, None])
    assert found.table["customers"].tolist() == met.sum(axis=1).tolist()
    assert found.table["precision"].to_numpy() == pytest.approx(own.sum(axis=1) / met.sum(axis=1))
    assert found.table["recall"].to_numpy() == pytest.approx(own.sum(axis=1) / [(labels == c).sum() for c in cluster])
    assert (found.assign(table) == cluster[met.argmax(axis=0)]).all()
    assert found.table["cluster"].is_monotonic_increasing


def test_the_rules_partition_customers_that_they_have_not_seen():
    table, labels = skewed()
    found = clustering.rules(table, labels, list(table), seed=3)
    borders = np.unique(np.concatenate([found.below[np.isfinite(found.below)], [-1e12, 0.0, 1e12]]))
    grid = pd.DataFrame(
        np.array(np.meshgrid(*[np.concatenate([borders, np.nextafter(borders, -np.inf)])] * 3)).reshape(3, -1).T,
        columns=["recency", "frequency", "basket_value"],
    ).assign(returned_share=0.01)
    assert (np.stack([read(rule, grid) for rule in found.table["rule"]]).sum(axis=0) == 1).all()


def test_a_planted_rule_is_found_and_spoken():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"recency": rng.integers(1, 500, 3000), "frequency": rng.integers(1, 12, 3000)})
    labels = np.where((table["recency"] < 61) & (table["frequency"] >= 3), 1, 2)
    found = clustering.rules(table, labels, list(table), seed=1)
    assert found.table[["cluster", "rule"]].to_numpy().tolist() == [
        [1, "recency below 61 and frequency at least 3"],
        [2, "recency at least 61"],
        [2, "recency below 61 and frequency below 3"],
    ]
    assert (found.table["precision"] == 1).all() and found.fidelity == 1 and found.high == 1 and found.low > 0.99
    assert found.largest == pytest.approx((labels == 2).mean())
    poor = replace(found, table=found.table.assign(precision=0.4, customers=[20, 19, 300]))
    assert poor.summary.endswith(" Rules with low precision, of at least 20 customers: cluster 1 40%, cluster 2 40%.")
    middle = np.where(table["frequency"] == 5, 1, 2)
    assert "frequency exactly 5" in clustering.rules(table, middle, ["frequency"], seed=1).table["rule"].tolist()


def test_where_no_border_needs_rounding_the_rules_are_the_tree():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.integers(0, 60, (2000, 3)), columns=["recency", "frequency", "breadth"])
    labels = 1 + (table.sum(axis=1) + rng.integers(0, 15, 2000) > 95).to_numpy() + (table["breadth"] > 41).to_numpy()
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=20, random_state=2).fit(table.to_numpy(), labels)
    found = clustering.rules(table, labels, list(table), seed=2)
    assert (found.assign(table) == tree.predict(table.to_numpy())).all()


def test_borders_are_round_but_not_at_the_customers_cost():
    money = pd.DataFrame({"monetary": [1201.7, 1234.44, 1250.0, 1571.93, 1600.5, 1803.33]})
    labels = np.array([2, 2, 2, 1, 1, 1])
    assert clustering.rules(money, labels, ["monetary"], seed=1).table["rule"].tolist() == [
        "monetary at least 1,400",
        "monetary below 1,400",
    ]
    close = pd.DataFrame({"monetary": [1_000_000.25, 1_000_000.5, 1_000_001.5, 1_000_002.25]})
    found = clustering.rules(close, np.array([1, 1, 2, 2]), ["monetary"], seed=1)
    assert (found.table["precision"] == 1).all() and found.table["customers"].tolist() == [2, 2]
    table, labels = skewed(3000)
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=30, random_state=1).fit(table.to_numpy(), labels)
    rounded = clustering.rules(table, labels, list(table), seed=1)
    exact, ours = (np.mean(given == labels) for given in (tree.predict(table.to_numpy()), rounded.assign(table)))
    assert abs(exact - ours) < 0.01
    borders = rounded.below[np.isfinite(rounded.below)]
    assert all(float(f"{border:.3g}") == border for border in borders), "two digits, or three"


@pytest.mark.parametrize(("near", "border"), [(2, "1.2"), (3, "1.25")])
def test_a_border_is_rounded_as_long_as_one_customer_in_a_hundred_changes_sides(near, border):
    # the tree parts 1.23 from 1.27; a border of 1.2 takes those at 1.23 over to the other side
    table = pd.DataFrame({"basket_value": np.repeat([0.5, 1.23, 1.27], [100 - near, near, 100])})
    found = clustering.rules(table, np.repeat([1, 2], 100), ["basket_value"], seed=1).table
    assert found["rule"].tolist() == [f"basket value below {border}", f"basket value at least {border}"]


def test_fidelity_is_of_rules_that_have_not_seen_the_customer():
    rng = np.random.default_rng(6)
    seen, unseen = [], []
    for _ in range(20):
        table = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
        labels = rng.permutation(np.repeat([1, 2], 30))
        found = clustering.rules(table, labels, list("abcd"), smallest=0, seed=1)
        seen.append((found.assign(table) == labels).mean())
        unseen.append(found.fidelity)
        assert found.largest == 0.5
    assert np.mean(seen) > 0.7, "chance that was learnt by heart"
    assert abs(np.mean(unseen) - 0.5) < 0.05, "and is worth nothing"


def test_the_interval_is_wilsons():
    table, labels = skewed()
    found = clustering.rules(table, labels, list(table), seed=3)
    n, p, z = len(table), found.fidelity, stats.norm.ppf(0.975)
    middle, reach = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (found.low, found.high) == pytest.approx(
        ((middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n))
    )
    assert found.largest < found.low < p < found.high < 1
    assert clustering.rules(table, labels, list(table), seed=3).fidelity == p


def test_noise_has_no_rule_and_is_stated():
    table, labels = skewed()
    noisy = np.where(np.arange(600) < 150, -1, labels)
    found = clustering.rules(table, noisy, list(table), seed=1)
    pd.testing.assert_frame_equal(found.table, clustering.rules(table[150:], labels[150:], list(table), seed=1).table)
    assert found.table["customers"].sum() == 450
    with pytest.raises(ValueError, match="all 600 customers are noise"):
        clustering.rules(table, np.full(600, -1), list(table), seed=1)


def test_rules_of_one_cluster_one_customer_and_equal_customers():
    one = clustering.rules(SMALL, np.ones(6, dtype=int), FEATURES, seed=1)
    assert one.table["rule"].tolist() == ["all customers"] and one.fidelity == one.largest == 1
    alone = clustering.rules(SMALL[:1], np.array([1]), FEATURES, seed=1)
    assert np.isnan([alone.fidelity, alone.low, alone.high]).all() and alone.table["precision"].tolist() == [1.0]
    equal = clustering.rules(SMALL.assign(recency=5), LABELS, ["recency"], seed=1)
    assert equal.table["rule"].tolist() == ["all customers"]
    assert equal.table["precision"].tolist() == [0.6]


def test_a_cluster_smaller_than_a_rule_may_be_has_none():
    table, labels = skewed()
    labels = np.where(np.arange(600) < 3, 5, labels)
    table.loc[:2, "returned_share"] = 1.0
    assert 5 not in clustering.rules(table, labels, list(table), seed=1).table["cluster"].tolist()
    alone = np.where(labels == 5, 2, 1)
    found = clustering.rules(table, alone, list(table), smallest=0.005, seed=1)
    assert found.table.loc[1, "rule"].startswith("returned share at least 0.")


def test_a_cluster_that_a_tree_of_three_questions_leaves_out_gets_a_rule():
    """A small cluster beside a large one in every part of the first tree: more questions reach it."""
    rng = np.random.default_rng(12)
    table = pd.DataFrame(rng.random((3000, 5)), columns=list("abcde"))
    labels = 2 + (table["a"] > 0.5).to_numpy() + 2 * (table["b"] > 0.5).to_numpy() + 4 * (table["c"] > 0.5).to_numpy()
    labels[(table["d"] > 0.8) & (table["e"] > 0.8)] = 1
    found = clustering.rules(table, labels, list(table), seed=1)
    assert set(found.table["cluster"]) == set(range(1, 10))
    assert found.table.loc[0, "cluster"] == 1 and found.table.loc[0, "precision"] > 0.5
    assert 8 < len(found.table) < 30
    met = np.stack([read(rule, table) for rule in found.table["rule"]])
    assert (met.sum(axis=0) == 1).all()
    assert set(found.assign(table)) == set(range(1, 10))


def test_a_cluster_that_is_not_adopted_is_shown_for_inspection_only():
    clusters = explain.profile(SMALL, LABELS, FEATURES).assign(name=["Recent", "Lapsed", "noise"])
    largest = pd.Series({1: 0.05, 2: 0.67})
    first, other = clustering.cluster_findings(clusters, "Ward 2", largest, adopted=True)
    assert first == "Most valuable cluster of Ward 2: 50.0% of customers make 52.5% of revenue (recent)."
    assert other == "One customer makes 67% of the revenue of cluster 2 of Ward 2."
    (said, _) = clustering.cluster_findings(clusters, "Ward 2", largest, adopted=False)
    assert said.startswith("For inspection only (not recommended): most valuable cluster of Ward 2: 50.0% ")


def test_votes_are_counted():
    names = ["inertia", "silhouette", "gap statistic", "BIC of mixtures"]
    table = pd.DataFrame(
        {"index": names, "clusters": pd.array([3, 3, 1, 7], dtype="Int64"), "note": ["", "", "", "the largest tried"]}
    )
    assert clustering.votes(table) == (
        "2 of 4 indices prefer 3 clusters; gap statistic prefers 1; BIC of mixtures prefers 7, the largest tried."
    )
    table["clusters"] = pd.array([None, 2, 2, 2], dtype="Int64")
    table["note"] = ""
    assert clustering.votes(table) == "3 of 4 indices prefer 2 clusters; inertia has no preference."
    table["clusters"] = pd.array([None, None, 1, None], dtype="Int64")
    assert clustering.votes(table).startswith("Gap statistic prefers 1 cluster; inertia and silhouette and BIC")


def test_rules_do_not_depend_on_the_order_of_rows():
    table, labels = skewed()
    order = np.random.default_rng(1).permutation(600)
    pd.testing.assert_frame_equal(
        clustering.rules(table, labels, list(table), seed=1).table,
        clustering.rules(table.iloc[order], labels[order], list(table), seed=1).table,
    )


@pytest.mark.parametrize("wrong", [{"smallest": -0.1}, {"smallest": 0.7}])
def test_rules_that_could_not_be_read_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        clustering.rules(SMALL, LABELS, FEATURES, seed=1, **wrong)


# --- names


def contrasts(*rows: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows).assign(cluster=range(1, len(rows) + 1))


def test_names_say_what_stands_out():
    found = explain.proposed_names(
        contrasts(
            {"recency": 0.1, "frequency": 0.85, "basket_value": 0.8, "share of Tea": 0.65},
            {"recency": 0.45, "frequency": 0.5, "basket_value": 0.62, "share of Tea": 0.9},
            {"recency": 0.6, "frequency": 0.5, "basket_value": 0.4, "share of Tea": 0.5},
            {"recency": 0.9, "frequency": 0.2, "basket_value": 0.4, "share of Tea": 0.3},
        )
    )
    assert found == [
        "Recent, frequent, large baskets",
        "Much Tea",
        "Average",
        "Lapsed, few orders, little Tea",
    ]
    assert explain.proposed_names(contrasts({"made_up": 0.9}, {"made_up": 0.1})) == ["High made up", "Low made up"]


def test_of_two_with_the_same_name_the_stronger_keeps_it():
    rows = contrasts(
        {"recency": 0.2, "frequency": 0.8, "monetary": 0.75},
        {"recency": 0.05, "frequency": 0.93, "monetary": 0.9},
        {"recency": 0.8, "frequency": 0.2, "monetary": 0.2},
    )
    assert explain.proposed_names(rows) == [
        "Recent, frequent",
        "Recent, frequent, high spend",
        "Lapsed, few orders, low spend",
    ]


@pytest.mark.parametrize("features", [1, 2, 5, 20])
def test_names_are_always_different_and_short(features):
    rng = np.random.default_rng(features)
    names = [*explain.PHRASES, *[f"share of {i}" for i in range(20)]][:features]
    table = pd.DataFrame(rng.uniform(size=(30, features)).round(1), columns=names).assign(cluster=range(1, 31))
    found = explain.proposed_names(table)
    assert len(set(found)) == 30 and all(name.count(", ") <= 2 for name in found)


def test_noise_has_no_name_and_given_names_are_checked():
    table = explain.contrast(SMALL, LABELS, FEATURES)
    assert len(explain.proposed_names(table)) == 2
    assert explain.proposed_names(table, ["Regulars ", "Strangers"]) == ["Regulars", "Strangers"]
    for given, message in (
        (["a"], "1 names for 2 clusters"),
        (["a", " "], "name of cluster 2 is empty"),
        (["a", "a"], "twice"),
    ):
        with pytest.raises(ValueError, match=message):
            explain.proposed_names(table, given)
    with pytest.raises(ValueError, match=r"numbered \[1, 3\]"):
        explain.proposed_names(pd.DataFrame({"cluster": [1, 3], "recency": [0.2, 0.8]}))


# --- agreement and contingency


@pytest.mark.slow
def test_agreement_by_counted_pairs_and_shuffled_labels():
    rng = np.random.default_rng(8)
    one = rng.integers(1, 4, 120)
    other = np.where(rng.uniform(size=120) < 0.6, one, rng.integers(-1, 4, 120))
    found = explain.agreement({"one": one, "other": pd.Series(other).astype(str)}).iloc[0]
    pairs = list(combinations(range(120), 2))
    same = np.array([[one[i] == one[j], other[i] == other[j]] for i, j in pairs])
    both, first, second = same.all(axis=1).sum(), *same.sum(axis=0)
    chance = first * second / len(pairs)
    assert found["adjusted_rand"] == pytest.approx((both - chance) / ((first + second) / 2 - chance))
    chance = np.mean([mutual_info_score(one, rng.permutation(other)) for _ in range(2000)])
    most = np.mean([stats.entropy(np.unique(labels, return_counts=True)[1]) for labels in (one, other)])
    expected = (mutual_info_score(one, other) - chance) / (most - chance)
    assert found["adjusted_mutual_information"] == pytest.approx(expected, abs=0.003)


def test_agreement_lists_every_pair_once():
    three = {"a": [1, 1, 2, 2], "b": ["x", "x", "y", "y"], "c": [1, 2, 1, 2]}
    found = explain.agreement(three)
    assert found[["one", "other"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert found.loc[0, ["adjusted_rand", "adjusted_mutual_information"]].tolist() == [1, 1]
    assert (found.loc[1:, ["adjusted_rand", "adjusted_mutual_information"]] < 0).all(axis=None)
    for wrong in ({"a": [1]}, {}, {"a": [1, 2], "b": [1]}):
        with pytest.raises(ValueError, match="expected at least two of the same customers"):
            explain.agreement(wrong)


def test_contingency_by_hand():
    segments = pd.Series(["New", "Loyal", "New", "Loyal", "Loyal", "New"], index=range(10, 16))
    found = explain.contingency(LABELS, segments, order=["New", "Asleep", "Loyal"])
    assert found.columns.tolist() == ["New", "Loyal"]
    assert found.index.tolist() == [(1, 3), (2, 2), (-1, 1)] and found.index.names == ["cluster", "customers"]
    assert found.to_numpy() == pytest.approx(np.array([[2 / 3, 1 / 3], [0, 1], [1, 0]]))
    assert explain.contingency(LABELS, segments).columns.tolist() == ["Loyal", "New"]
    with pytest.raises(ValueError, match="'Loyal' is not in the order; expected New"):
        explain.contingency(LABELS, segments, order=["New"])
    with pytest.raises(ValueError, match="1 customers have no segment"):
        explain.contingency(LABELS, segments.where(segments.index > 10))
    with pytest.raises(ValueError, match="6 labels for 5 customers"):
        explain.contingency(LABELS, segments[:5])


# --- purchases


def sold(**columns):
    lines = pd.DataFrame({"ordered_at": pd.Timestamp("2024-01-01"), "unit_price": 1.0, **columns})
    return ibis.memtable(lines.assign(order_id=range(len(lines)), amount=lines["quantity"] * lines["unit_price"]))


def random_log(seed=3, lines=900):
    """A log of forty customers with some returns, and products of which a few have no category."""
    rng = np.random.default_rng(seed)
    log = {
        "customer_id": [f"c{n:02d}" for n in rng.integers(0, 40, lines)],
        "product_id": [f"p{n}" for n in rng.integers(0, 12, lines)],
        "quantity": rng.integers(1, 400, lines).astype(float),
    }
    back = {name: values[:60] for name, values in log.items()} | {"quantity": -log["quantity"][:60]}
    returns = sold(**back, ordered_at=pd.Timestamp("2024-02-01"))
    products = pd.DataFrame(
        {"product_id": [f"p{n}" for n in range(12)], "description": [f"Thing {n}" for n in range(12)]}
    )
    products["category"] = [None, None, "Tea", "Tea", "Tea", "Pots", "Pots", "Cups", "Cups", "Cups", "Jam", "Jam"]
    return sold(**log), returns, products


def test_purchases_are_shares_of_the_revenue_that_was_kept():
    log, returns, products = random_log()
    shop = Snapshot(log, pd.Timestamp("2024-03-01"), returns, ibis.memtable(products))
    clusters = pd.DataFrame({"customer_id": [f"c{n:02d}" for n in range(38)], "cluster": [1, 2, -1] * 12 + [1, 2]})
    found = clustering.purchases(shop, clusters, most=9)
    # every one of the 60 returns annuls one line of its customer, product and quantity
    lines = log.to_pandas().sort_values("order_id").iloc[60:].merge(products, "left", "product_id").merge(clusters)
    money = lines.fillna({"category": "(none)"}).pivot_table("amount", "category", "cluster", "sum").fillna(0)
    expected = (money / money.sum()).assign(all=money.sum(axis=1) / money.to_numpy().sum())[["all", 1, 2, -1]]
    assert found.columns.tolist()[:5] == ["category", "all customers", "cluster 1", "cluster 2", "noise"]
    found = found.set_index("category")
    own = lines.fillna({"category": "(none)"}).groupby(["category", "cluster", "customer_id"])["amount"].sum()
    largest = own.groupby(["category", "cluster"]).agg(lambda sums: sums.max() / sums.sum()).groupby("category").max()
    assert found.pop("largest customer").to_numpy() == pytest.approx(largest[found.index].to_numpy())
    assert found.to_numpy() == pytest.approx(expected.loc[found.index].to_numpy())
    assert found.sum().to_numpy() == pytest.approx(1) and found["all customers"].is_monotonic_decreasing
    earlier = clustering.purchases(shop.at(pd.Timestamp("2024-01-15")), clusters, most=9).set_index("category")[
        found.columns
    ]
    assert not np.allclose(earlier.loc[found.index], found), "returns after the as-of date are not known"


def test_purchases_are_by_product_without_categories_and_hide_few_buyers():
    log = sold(
        customer_id=[*"abcdef", *"abcdefgh"], product_id=["x"] * 6 + ["y"] * 8, quantity=[3.0] * 6 + [1.0] * 7 + [50.0]
    )
    clusters = pd.DataFrame({"customer_id": list("abcdefgh"), "cluster": [1] * 4 + [2] * 4})
    shop = Snapshot(log, pd.Timestamp("2024-03-01"))
    found = clustering.purchases(shop, clusters, most=1)
    assert found["product"].tolist() == ["y", "x"] and found["cluster 1"].tolist() == [0.25, 0.75]
    assert found["all customers"].tolist() == pytest.approx([57 / 75, 18 / 75])
    assert clustering.purchases(shop, clusters, pattern="^x")["all customers"].tolist() == [1]
    named = Snapshot(log, shop.day, None, ibis.memtable(pd.DataFrame({"product_id": ["x"], "description": ["Pot"]})))
    assert clustering.purchases(named, clusters)["product"].tolist() == ["y", "Pot"]
    buyers = {1: list("abcd"), 2: list("ef"), 3: list("ghijklm")}
    clusters = pd.DataFrame([(who, n) for n, own in buyers.items() for who in own], columns=["customer_id", "cluster"])
    log = sold(customer_id=[*"abcdefghijklm"] * 2, product_id=["x"] * 13 + ["y"] * 13, quantity=[3.0] * 13 + [1.0] * 13)
    log = log.filter(~((log.product_id == "y") & log.customer_id.isin(["e", "f"])))
    few = clustering.purchases(Snapshot(log, shop.day), clusters, smallest=3).set_index("product")
    assert few.loc["x"].isna().tolist() == [False, True, True, False, False], (
        "two buyers, and four that would reveal them"
    )
    assert few.loc["y"].tolist() == pytest.approx([11 / 50, 1 / 4, 0, 1 / 4, 1 / 4])


# --- views


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    centres = np.array([[0, 0, 0, 0], [9, 0, 0, 3], [0, 9, 0, -3], [0, 0, 9, 0]])
    labels = rng.integers(0, 4, 500)
    return centres[labels] + rng.normal(size=(500, 4)), labels + 1


def test_shares_of_variance_do_not_depend_on_the_unit_of_the_features(blobs):
    points, _ = blobs
    shares = PCA(2).fit(points).explained_variance_ratio_
    for unit in (1e-4, 1, 1e4):
        assert _principal(points * unit)[1] == pytest.approx(shares)
    assert (_principal(np.ones((5, 3)))[1] == 0).all(), "nothing varies"


@pytest.mark.thorough
@pytest.mark.slow
def test_views_by_scikit_learn(blobs):
    points, _ = blobs
    found = clustering.views(points, 7)
    pca = PCA(2).fit(points)
    signs = np.sign((pca.components_ * found.loadings.T).sum(axis=1))
    assert found.explained == pytest.approx(pca.explained_variance_ratio_)
    assert found.loadings == pytest.approx(pca.components_.T * signs)
    assert found.pca == pytest.approx(pca.transform(points) * signs)
    assert (found.loadings[np.abs(found.loadings).argmax(axis=0), [0, 1]] > 0).all(), (
        "signs do not depend on the library"
    )
    kept, flat = (trustworthiness(points, one, n_neighbors=15) for one in (found.umap, found.pca))
    assert kept > 0.9 and kept > flat
    assert found.rows.tolist() == list(range(500))


@pytest.mark.thorough
@pytest.mark.slow
def test_the_same_seed_gives_the_same_views(blobs):
    points, _ = blobs
    one, two, other = (clustering.views(points, seed, most=120) for seed in (7, 7, 8))
    assert (one.rows == two.rows).all() and (one.umap == two.umap).all() and (one.pca == two.pca).all()
    assert one.rows.tolist() != other.rows.tolist()
    # the components are those of all points, whichever are shown
    assert one.explained == pytest.approx(PCA(2).fit(points).explained_variance_ratio_)
    assert (one.explained == other.explained).all() and (one.loadings == other.loadings).all()
    assert len(set(one.rows)) == 120 and (np.diff(one.rows) > 0).all() and len(one.umap) == len(one.pca) == 120


@pytest.mark.thorough
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "points",
    [np.zeros((50, 3)), np.arange(40.0)[:, None], np.repeat(np.eye(3), 40, axis=0), np.arange(8.0).reshape(4, 2)],
    ids=["equal", "one feature", "three different", "four"],
)
def test_views_of_odd_points(points):
    found = clustering.views(points, 7)
    assert found.umap is not None and found.umap.shape == found.pca.shape == (len(points), 2)
    assert np.isfinite(found.umap).all() and np.isfinite(found.pca).all()
    assert 0 <= found.explained.sum() <= 1 + 1e-12
    picture = figures.views(found, np.ones(len(points), dtype=int), [f"f{i}" for i in range(points.shape[1])])
    assert picture.png()


def test_views_of_few_points_have_no_umap_and_of_none_are_refused():
    found = clustering.views(np.eye(3), 7)
    assert found.umap is None and len(figures.views(found, np.array([1, 2, -1]), list("abc")).figure.axes) == 1
    for wrong in (np.empty((0, 2)), np.array([[1.0, np.nan]]), np.arange(3.0)):
        with pytest.raises(ValueError, match="expected some, in rows, without missing values"):
            clustering.views(wrong, 7)


# --- figures


def test_colours_say_the_number_and_begin_anew_with_another_marker():
    seen = {(figures.colour(cluster), figures.marker(cluster)) for cluster in range(1, 17)}
    assert len(seen) == 16 and (figures.colour(-1), figures.marker(-1)) not in seen


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [1, 2, 12])
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_figures_hold_their_numbers(clusters, noise, named):
    table, _ = skewed()
    table["share of " + "a very long category " * 3] = 0.5
    labels = np.arange(600) % clusters + 1
    labels[:60] = np.where(noise, -1, labels[:60])
    profile, contrast = explain.profile(table, labels, list(table)), explain.contrast(table, labels, list(table))
    names = explain.proposed_names(contrast) if named else []
    picture = figures.heat_map(profile, contrast, names)
    cells = [text.get_text() for text in picture.figure.axes[0].texts]
    assert len(cells) == len(profile) * 5 and f"{profile.loc[0, 'recency']:.0f}" in cells and "50%" in cells
    assert "1  " in picture.alt or not named
    assert f"{clusters + noise} row" in picture.alt and ("noise (10%)" in picture.alt) is noise
    spread = explain.contingency(labels, np.where(table["frequency"] > 2, "Loyal", "New"))
    other = figures.contingency(spread, names)
    ends = [text.get_text() for text in other.figure.axes[0].get_yticklabels()]
    assert ends[-1] == "all of these (600)" and len(ends) == clusters + noise + 1
    assert f"{max(spread.iloc[0]):.0%}" in other.alt
    for drawn, again in (
        (picture, figures.heat_map(profile, contrast, names)),
        (other, figures.contingency(spread, names)),
    ):
        assert drawn.width <= 760 and drawn.png() == again.png(), "the same bytes for the same table"


def test_cells_of_few_are_hatched_and_cells_of_nobody_say_zero():
    segments = ["Loyal"] * 30 + ["New"] * 4 + ["Asleep"] * 6 + ["New"] * 40
    spread = explain.contingency(np.repeat([1, 2], 40), segments, order=["Loyal", "New", "Asleep"])
    axis = figures.contingency(spread, smallest=5).figure.axes[0]
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    hatched = {(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in axis.patches if patch.get_hatch()}
    assert hatched == {(1, 0), (2, 0)} and texts[1, 0] == texts[2, 0] == "–" and texts[0, 0] == "75%"
    assert texts[0, 1] == texts[2, 1] == "0" and texts[1, 1] == "100%"


def test_the_silhouette_plot_has_a_band_for_each_cluster():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"cluster": np.repeat([1, 2, 3], 40), "silhouette": rng.uniform(-0.2, 0.8, 120)})
    picture = figures.silhouettes(table, ["a", "b", "c"])
    (axis,) = picture.figure.axes
    assert len(axis.collections) == 3 and axis.get_ylim()[0] > axis.get_ylim()[1]
    own = table[table["cluster"] == 2]["silhouette"]
    assert f"cluster 2 {own.mean():.2f} ({(own < 0).mean():.0%} below zero)" in picture.alt
    assert axis.get_yticklabels()[1].get_text().startswith(f"2  b\nmean {own.mean():.2f}")


def test_many_features_stand_in_panels():
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(50, 20)), columns=[f"share of {i}" for i in range(20)])
    labels = np.arange(50) % 3 + 1
    names = list(table)
    figure = figures.heat_map(explain.profile(table, labels, names), explain.contrast(table, labels, names)).figure
    assert sum(len(axis.texts) for axis in figure.axes) == 60 and len(figure.axes) == 4


def test_the_matrix_of_agreement_has_each_measure_on_its_side():
    found = explain.agreement({"a": [1, 1, 1, 2, 2, 2], "b": [1, 1, 2, 2, 2, 2], "c": [1, 2, 1, 2, 1, 2]})
    picture = figures.agreement(found)
    cells = {text.get_position(): text.get_text() for text in picture.figure.axes[0].texts}
    assert cells[0, 1] == f"{found.loc[0, 'adjusted_rand']:.2f}", "below the diagonal"
    assert cells[1, 0] == f"{found.loc[0, 'adjusted_mutual_information']:.2f}", "above it"
    assert len(cells) == 6 and f"a and b {found.loc[0, 'adjusted_rand']:.2f}" in picture.alt
    assert figures.agreement(explain.agreement({"a": [1, 2], "b": [1, 2]})).png()


@pytest.mark.slow
def test_the_views_say_what_they_are(blobs):
    points, labels = blobs
    labels = np.where(np.arange(500) < 50, -1, labels)
    found = clustering.views(points, 7, most=200)
    picture = figures.views(found, labels, ["recency", "a_feature_of_a_very_long_name", "c", "d"])
    left, right = picture.figure.axes
    assert "illustration only" in left.get_title(loc="left") and "illustration only" in right.get_title(loc="left")
    assert len(right.get_xticks()) == len(right.get_yticks()) == 0, "the axes of UMAP have no numbers"
    for axis, places in ((left, found.pca), (right, found.umap)):
        for text in axis.texts:
            own = places[labels[found.rows] == int(text.get_text())]
            assert np.linalg.norm(own - np.array(text.xy), axis=1).min() < 1e-9, "a number stands on its own cluster"
        assert [text.get_text() for text in axis.texts] == ["1", "2", "3", "4"]
    assert "200 of 500 customers" in picture.alt and "for illustration only" in picture.alt
    assert f"{found.explained[0]:.0%}" in picture.alt and "noise" in picture.alt


def test_numbers_of_clusters_on_one_spot_stand_apart():
    rng = np.random.default_rng(2)
    places, labels = rng.normal(size=(900, 2)), np.arange(900) % 6 + 1
    middles = np.array(list(figures._middles(places, labels).values()))
    apart = np.linalg.norm((middles[:, None] - middles) / np.ptp(places, axis=0), axis=2)[~np.eye(6, dtype=bool)]
    assert apart.min() > 0.07
