"""Drift: published and closed-form values, scipy, planted changes, and the rate of false alarms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics.pairwise import rbf_kernel

from customerlab.analysis.inference import holm
from customerlab.analysis.monitoring.drift import compare, psi, within
from customerlab.analysis.monitoring.joint import domain_classifier, mmd
from helpers import by_chance


def customers(seed, number=400, first=0):
    """Customers of whom nothing changes: a skewed amount, a count with many ties, a share, two kinds of categories."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "customer_id": [f"c{first + n:05d}" for n in range(number)],
        "monetary": rng.lognormal(3, 1, number).round(2),
        "orders": rng.geometric(0.5, number),
        "discount": rng.normal(0, 1, number),
        "country": rng.choice(["AT", "CH", "DE", "FR", "IT"], number, p=[0.1, 0.05, 0.7, 0.149, 0.001]),
        "subscribed": rng.random(number) < 0.3,
    })  # fmt: skip


def mixed(table, seed=1):
    """The same rows in another order."""
    return table.sample(frac=1, random_state=seed)


# One feature


def test_psi_of_shares_and_of_counts():
    assert round(psi([0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]), 4) == 0.2282
    assert psi([25, 25, 25, 25, 0], [10, 20, 30, 40, 0]) == pytest.approx(psi([0.25] * 4, [0.1, 0.2, 0.3, 0.4]))
    one, other = np.array([30, 50, 20]), np.array([10, 5, 85])
    both = stats.entropy(one / 100, other / 100) + stats.entropy(other / 100, one / 100)  # Jeffreys (1946)
    assert psi(one, other) == pytest.approx(both, abs=1e-12) == pytest.approx(psi(other, one), abs=1e-12)


def test_an_empty_bin_counts_half_a_customer():
    assert psi([50, 50], [100, 0]) == pytest.approx((100.5 - 50.5) / 101 * np.log(100.5 / 0.5), abs=1e-12)
    rare = [psi([n, 0], [n - 1, 1]) for n in (10, 1_000, 100_000)]
    assert rare[0] > rare[1] > rare[2] > 0 and rare[2] < 1e-4
    with pytest.raises(ValueError, match="not shares"):
        psi([0.5, 0.5], [1.0, 0.0])
    with pytest.raises(ValueError, match="customers in both samples"):
        psi([5, 5], [0, 0])


def test_a_number_is_compared_as_scipy_does():
    one, other = customers(1), customers(2, 300).assign(monetary=lambda t: t["monetary"] * 1.3)
    row = compare(one, other, names=["monetary"]).iloc[0]
    found = stats.ks_2samp(one["monetary"], other["monetary"], method="asymp")
    assert (row["statistic"], row["p"]) == pytest.approx((found.statistic, found.pvalue), abs=1e-12)
    edges = np.quantile([*one["monetary"], *other["monetary"]], np.arange(1, 10) / 10, method="inverted_cdf")
    cells = [np.bincount(np.searchsorted(edges, table["monetary"]), minlength=10) for table in (one, other)]
    assert np.sum(cells, axis=0).tolist() == [70] * 10
    assert row["js"] == pytest.approx(jensenshannon(*cells, base=2), abs=1e-12)
    assert row["psi"] == pytest.approx(psi(*(np.array(cells) + 0.5)), abs=1e-12)
    assert row["psi_p"] == pytest.approx(stats.chi2.sf(row["psi"] * 400 * 300 / 700, 9), rel=1e-9)
    assert (row["reference"], row["current"], row["kind"]) == (400, 300, "number")


def test_a_category_is_compared_as_scipy_does_with_its_rare_values_pooled():
    one, other = customers(3), customers(4).assign(country=lambda t: t["country"].replace("CH", "DE"))
    one.loc[:2, "country"], other.loc[:4, "country"] = (
        "IT",
        "IT",
    )  # 3 and 5 customers: 4 expected, pooled with Swiss ones
    row = compare(one, other, names=["country"]).iloc[0]
    table = pd.crosstab(np.repeat([0, 1], 400), pd.concat([one, other])["country"].replace("IT", "CH").to_numpy())
    found = stats.chi2_contingency(table.to_numpy(), correction=False)
    assert found.dof == 3
    assert (row["statistic"], row["p"]) == pytest.approx((found.statistic, found.pvalue), rel=1e-9)
    assert row["psi_p"] == pytest.approx(stats.chi2.sf(row["psi"] * 200, 3), rel=1e-9)
    assert row["js"] == pytest.approx(jensenshannon(*table.to_numpy(), base=2), abs=1e-12)
    assert row["psi"] == pytest.approx(psi(*(table.to_numpy() + 0.5)), abs=1e-12)


def test_values_outside_the_range_of_the_reference_are_seen():
    one = pd.DataFrame({"orders": np.ones(50)})
    found = [compare(one, one + change)["p_adjusted"].iloc[0] for change in (-1, 0, 1)]
    assert found[0] == found[2] < 1e-6 and found[1] == 1


def test_missing_values_are_a_cell_of_their_own():
    one, other = customers(5)[["discount", "country"]], customers(5)[["discount", "country"]]
    other.loc[:79] = np.nan
    table = compare(one, other).set_index("feature")
    assert (table["p_adjusted"] < 1e-6).all()
    assert table.loc["discount", "p"] == stats.ks_2samp(one["discount"], other["discount"][80:], method="asymp").pvalue
    gone = compare(one, other.assign(discount=np.nan), names=["discount"]).iloc[0]
    assert np.isnan(gone["p"]) and gone["psi_p"] < 1e-6
    assert compare(one.assign(country=None), one.assign(country=None), names=["country"])["psi_p"].tolist() == [1]


@pytest.mark.parametrize(
    ("feature", "change"),
    [
        ("monetary", lambda x: x * 1.6),
        ("discount", lambda x: x * 1.6),
        ("orders", lambda x: x + (np.arange(len(x)) % 2 == 0)),
        ("country", lambda x: x.where(np.arange(len(x)) % 4 > 0, "FR")),
        ("subscribed", lambda x: x | (np.arange(len(x)) % 5 == 0)),
    ],
)
def test_a_planted_change_is_found_and_named(feature, change):
    for seed in (10, 20, 30):
        now = customers(seed + 1)
        table = compare(customers(seed), now.assign(**{feature: change(now[feature])}))
        assert table.loc[table["p_adjusted"] < 0.05, "feature"].tolist() == [feature]


def test_a_known_season_is_no_drift_and_a_change_beside_it_is():
    before, year_ago, now = customers(40), customers(41), customers(42)
    for table in (year_ago, now):
        table["orders"] += 1  # as every December
    now["discount"] += 0.6
    plain = compare(before, now).set_index("feature")
    table = compare(before, now, season=year_ago).set_index("feature")
    assert plain.index[plain["p_adjusted"] < 0.05].tolist() == ["orders", "discount"]
    assert table.index[table["p_adjusted"] < 0.05].tolist() == ["discount"]
    assert table["season_p"].tolist() == compare(year_ago, now)["psi_p"].tolist()
    assert table["p_adjusted"].tolist() == holm(table[["psi_p", "season_p"]].max(axis=1)).tolist()
    few = compare(before, now, season=year_ago.head(19))
    assert few["season_p"].isna().all() and few["p_adjusted"].isna().all() and few["psi_p"].notna().all()


def test_the_order_of_rows_changes_no_digit():
    one, other = customers(50), customers(51)
    table = compare(one, other, season=customers(52))
    again = compare(mixed(one), mixed(other, 2), season=mixed(customers(52)))
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_few_customers_are_too_few_to_tell():
    table = compare(customers(60, 19), customers(61))
    assert table[["psi", "psi_p", "statistic", "p", "js", "p_adjusted"]].isna().all(axis=None)
    assert compare(customers(60, 20), customers(61))["psi_p"].notna().all()
    assert compare(customers(60), customers(61), names=[]).columns[-1] == "p_adjusted"


def test_features_must_be_the_same_in_all_tables():
    one = customers(70)
    for other, said in ((one.drop(columns="orders"), "lacks"), (one.assign(orders="many"), "number in one table")):
        with pytest.raises(ValueError, match=f"{said}|feature 'orders' is a {said}"):
            compare(one, other)
        with pytest.raises(ValueError, match="feature 'orders'"):
            compare(one, one, season=other)


# Groups


def test_groups_are_compared_one_by_one_and_adjusted_together():
    one, other = (
        customers(seed).assign(segment=np.repeat(["A", "B", "C", None], [200, 180, 10, 10])) for seed in (80, 81)
    )
    other.loc[other["segment"] == "B", "discount"] += 0.8
    table = within(one, other, "segment")
    assert list(table["group"].unique()) == ["A", "B", "C"] and len(table) == 15
    own = compare(one[one["segment"] == "B"].drop(columns="segment"), other[other["segment"] == "B"])
    columns = ["feature", "reference", "current", "psi", "psi_p", "p", "js"]
    pd.testing.assert_frame_equal(table.loc[table["group"] == "B", columns].reset_index(drop=True), own[columns])
    assert table.loc[table["p_adjusted"] < 0.05, ["group", "feature"]].values.tolist() == [["B", "discount"]]
    assert table["p_adjusted"].dropna().tolist() == pytest.approx(holm(table["psi_p"].head(10)).tolist())
    assert table.loc[table["group"] == "C", "p_adjusted"].isna().all()
    with pytest.raises(ValueError, match="lacks the groups"):
        within(one, other.drop(columns="segment"), "segment")


def test_a_group_that_is_new_has_nothing_to_be_compared_with():
    one = customers(82).assign(segment="A")
    table = within(one, one.assign(segment="B"), "segment", season=one)
    assert table["group"].unique().tolist() == ["A", "B"]
    assert table[["psi_p", "p_adjusted"]].isna().all(axis=None)


# All features together


def test_the_discrepancy_is_that_of_its_definition():
    one, other = customers(90, 60), customers(91, 50)
    names = ["monetary", "orders", "discount"]
    points = pd.concat([one, other])[names]
    points = ((points - points.mean()) / points.std(ddof=0)).to_numpy()
    squares = ((points[:, None] - points) ** 2).sum(axis=2)[np.triu_indices(110, 1)]
    kernel = rbf_kernel(points, gamma=1 / (2 * np.median(squares)))
    np.fill_diagonal(kernel, 0)
    same = kernel[:60, :60].sum() / (60 * 59) + kernel[60:, 60:].sum() / (50 * 49)
    found = mmd(one, other, seed=1)
    assert found.mmd == pytest.approx(same - 2 * kernel[:60, 60:].mean(), abs=1e-12)
    assert (found.reference, found.current) == (60, 50) and found.p >= 1 / 201


def test_a_change_of_correlation_alone_is_found_by_the_discrepancy():
    rng = np.random.default_rng(92)
    one, other = (
        pd.DataFrame(rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 300), columns=["a", "b"]).rename_axis(
            "customer_id"
        )
        for r in (0.0, 0.8)
    )
    assert mmd(one, other, seed=1).p == 1 / 201
    assert (compare(one, other)["p_adjusted"] > 0.05).all()


def test_the_discrepancy_of_many_customers_is_of_the_same_ones_in_any_order():
    one, other = customers(93, 600), customers(94, 600)
    found = mmd(one, other, seed=3)
    assert found == mmd(mixed(one), mixed(other, 2).set_index("customer_id"), seed=3)
    assert (found.reference, found.current) == (500, 500) and found != mmd(one, other, seed=4)


def test_the_discrepancy_of_equal_customers_is_zero_and_of_few_missing():
    one = pd.DataFrame({"customer_id": range(40), "orders": 1, "revenue": 0.1})
    found = mmd(one, one, seed=1)
    assert (found.mmd, found.p) == (pytest.approx(0, abs=1e-12), 1)
    mostly = one.assign(orders=[2] * 5 + [1] * 35)
    assert np.isfinite(mmd(one, mostly, seed=1).mmd)
    assert np.isnan(mmd(one, one.head(19), seed=1).p)
    assert mmd(one.assign(revenue=[np.nan] * 10 + [1.0] * 30), one, seed=1).reference == 30
    with pytest.raises(ValueError, match="numeric features"):
        mmd(one[["customer_id"]], one, seed=1)
    with pytest.raises(ValueError, match="customer_id"):
        mmd(one[["orders"]], one, seed=1)


@pytest.mark.slow
def test_a_classifier_finds_a_change_and_names_the_feature():
    one, other = customers(100), customers(101, first=200)
    found = domain_classifier(one, other.assign(discount=other["discount"] + 1), seed=1)
    assert found.feature == "discount" and found.p < 0.001
    # two normal samples that are one standard deviation apart are told apart with this AUC at most
    assert 0.65 < found.auc < stats.norm.cdf(1 / np.sqrt(2)) + 0.03
    assert found.losses["loss"].is_monotonic_decreasing and len(found.losses) == 5
    moved = domain_classifier(one, other.assign(country=other["country"].replace("DE", None)), seed=1)
    assert moved.feature == "country" and moved.p < 0.001


def test_a_customer_in_both_samples_does_not_leak():
    # Each row has a twin of the other label: trees fitted on it would score this one wrongly, and the AUC be below 0.5.
    one = pd.DataFrame({"customer_id": range(300), "own": np.random.default_rng(102).permutation(300)})
    found = domain_classifier(one, one, seed=1)
    assert (found.auc, found.p) == (0.5, 1)


@pytest.mark.slow
def test_the_classifier_depends_neither_on_the_order_of_rows_nor_on_the_index():
    one, other = customers(103, 100), customers(104, 100, first=50)
    found = domain_classifier(one, other, seed=2)
    again = domain_classifier(mixed(one).set_index("customer_id"), mixed(other, 2), seed=2)
    assert (found.auc, found.p, found.feature) == (again.auc, again.p, again.feature)
    pd.testing.assert_frame_equal(found.losses, again.losses, check_exact=True)


def test_a_classifier_of_few_customers_says_nothing():
    few = domain_classifier(customers(105, 19), customers(106), seed=1)
    assert np.isnan(few.auc) and np.isnan(few.p) and few.feature == "" and few.losses["loss"].isna().all()
    with pytest.raises(ValueError, match="needs features"):
        domain_classifier(customers(105)[["customer_id"]], customers(106), seed=1)


# Rates


@pytest.mark.thorough
@pytest.mark.parametrize("number", [25, 100, 1_000])
def test_unchanged_customers_give_no_more_alarms_than_promised(number):
    alarms, single = [], []
    for seed in range(200):
        table = compare(customers(2 * seed, number), customers(2 * seed + 1, max(number // 2, 20)))
        alarms.append((table["p_adjusted"] < 0.05).any())
        single += (table["psi_p"] < 0.05).tolist()
    assert np.mean(alarms) <= by_chance(0.05, 200)[1]
    assert np.mean(single) <= by_chance(0.05, 1_000)[1]


@pytest.mark.thorough
def test_the_same_customers_at_both_times_give_fewer_alarms():
    alarms = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        one, two, own = rng.normal(size=(3, 300))
        tables = [pd.DataFrame({"spend": own + part}) for part in (one, two)]
        alarms.append(compare(*tables)["p_adjusted"].iloc[0] < 0.05)
    assert np.mean(alarms) <= 0.05


@pytest.mark.thorough
def test_comparisons_of_all_features_have_no_more_alarms_than_promised():
    pairs = [(customers(2 * seed, 150), customers(2 * seed + 1, 150, first=75)) for seed in range(60)]
    for test in (lambda *pair: mmd(*pair, seed=1).p, lambda *pair: domain_classifier(*pair, seed=1).p):
        assert np.mean([test(*pair) <= 0.05 for pair in pairs]) <= by_chance(0.05, 60)[1]
