"""Profiles of segments: scipy, closed forms, a second computation of information, and the rate of false positives."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import mutual_info_score

from customerlab.analysis.inference import holm
from customerlab.analysis.profile.differences import NO_VARIANCE, differences
from customerlab.analysis.profile.information import information
from helpers import by_chance


def customers(seed, number=600):
    """Attributes of all kinds that say nothing of the segment, with some missing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({
        "age": np.where(rng.random(number) < 0.1, np.nan, rng.normal(45, 12, number).round()),
        "money": rng.lognormal(3, 1.2, number),
        "home": rng.choice(["flat", "house", "farm"], number, p=[0.6, 0.35, 0.05]),
        "garden": rng.random(number) < 0.4,
        "income": pd.Categorical(rng.choice(["low", "mid", "high"], number), ["low", "mid", "high"], ordered=True),
        "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, number), unit="D"),
    })  # fmt: skip
    ids = pd.Index([f"c{n:05d}" for n in range(number)], name="customer_id")
    segment = pd.Series(rng.choice(["A", "B", "C"], number, p=[0.5, 0.4, 0.1]), ids)
    return table.set_index(ids), segment


def row_of(table, segment, attribute, level=""):
    return table[(table[["segment", "attribute", "level"]] == [segment, attribute, level]).all(axis=1)].iloc[0]


def test_means_are_compared_as_scipy_does():
    table, segment = customers(1)
    row = row_of(differences(table, segment), "C", "money")
    own, others = table.loc[segment == "C", "money"], table.loc[segment != "C", "money"]
    welch = stats.ttest_ind(own, others, equal_var=False)
    ranks = stats.mannwhitneyu(own, others, method="asymptotic")
    assert row["pvalue"] == pytest.approx(max(welch.pvalue, ranks.pvalue), rel=1e-9)
    pooled = np.sqrt(((len(own) - 1) * own.var() + (len(others) - 1) * others.var()) / (len(table) - 2))
    assert row["effect"] == pytest.approx((own.mean() - others.mean()) / pooled, abs=1e-9)
    assert (row["mean"], row["others_mean"]) == pytest.approx((own.mean(), others.mean()), rel=1e-12)
    assert (row["customers"], row["others"], row["kind"]) == (len(own), len(others), "number")
    tests = int(differences(table, segment)["pvalue"].notna().sum())
    assert (row["low"], row["high"]) == pytest.approx(welch.confidence_interval(1 - 0.05 / tests), rel=1e-9)


def test_the_error_of_d_is_that_of_hedges_and_olkin_where_values_are_normal():
    at = stats.norm.ppf((np.arange(4_000) + 0.5) / 4_000)
    table = pd.DataFrame({"x": np.concatenate([at + 0.8, at])}).rename(str)
    found = differences(table, pd.Series([1] * 4_000 + [2] * 4_000).rename(str)).iloc[0]
    known = np.sqrt(2 / 4_000 + found["effect"] ** 2 / (2 * 8_000))  # Hedges and Olkin (1985)
    half = (found["effect_high"] - found["effect_low"]) / 2
    assert half / stats.t.ppf(1 - 0.05 / 4, 7_998) == pytest.approx(known, rel=3e-3)


def test_the_error_of_d_is_that_of_the_bootstrap_where_values_are_skewed():
    rng = np.random.default_rng(3)
    own, others = rng.gamma(1, 2, 300), rng.gamma(2, 1, 900)
    table = pd.DataFrame({"x": np.concatenate([own, others])}).rename(str)
    found = differences(table, pd.Series(["a"] * 300 + ["b"] * 900).rename(str)).iloc[0]
    one, other = (x[rng.integers(len(x), size=(4_000, len(x)))] for x in (own, others))
    pooled = np.sqrt((299 * one.var(axis=1, ddof=1) + 899 * other.var(axis=1, ddof=1)) / 1_198)
    drawn = (one.mean(axis=1) - other.mean(axis=1)) / pooled
    parts = own.var(ddof=1) / 300, others.var(ddof=1) / 900
    df = sum(parts) ** 2 / (parts[0] ** 2 / 299 + parts[1] ** 2 / 899)
    error = (found["effect_high"] - found["effect_low"]) / 2 / stats.t.ppf(1 - 0.05 / 4, df)
    assert error == pytest.approx(drawn.std(), rel=0.05)


def test_levels_are_compared_as_scipy_does():
    table, segment = customers(2)
    found = differences(table, segment)
    row, own = row_of(found, "B", "home", "farm"), segment == "B"
    counts = pd.crosstab(own, table["home"] == "farm").to_numpy()[::-1, ::-1]
    tails = [stats.fisher_exact(counts, alternative=side).pvalue for side in ("less", "greater")]
    assert row["pvalue"] == pytest.approx(min(2 * min(tails), 1), rel=1e-9)
    shares = counts[:, 0] / counts.sum(axis=1)
    assert row["effect"] == pytest.approx(2 * np.subtract(*np.arcsin(np.sqrt(shares))), abs=1e-9)
    confidence = 1 - 0.05 / found["pvalue"].notna().sum()
    ends = [stats.binomtest(*map(int, (a, a + b))).proportion_ci(confidence, "wilson") for a, b in counts]
    low = row["difference"] - np.hypot(shares[0] - ends[0].low, ends[1].high - shares[1])  # Newcombe (1998), 10
    assert (row["difference"], row["low"]) == pytest.approx((shares[0] - shares[1], low), abs=1e-9)


def test_newcombe_s_own_example():
    segments = pd.Series(["a"] * 70 + ["b"] * 80).rename(str)  # 56/70 − 48/80: 0.0524 to 0.3339 (Newcombe 1998)
    table = pd.DataFrame({"x": np.r_[np.arange(70) < 56, np.arange(80) < 48]}).rename(str)
    row = differences(table, segments).iloc[0]
    assert row["difference"] == pytest.approx(0.2)
    two = stats.norm.ppf(1 - 0.05 / 4)  # two rows: simultaneous intervals are wider than the published one
    single = [0.2 - 0.0524, 0.3339 - 0.2]
    assert [0.2 - row["low"], row["high"] - 0.2] == pytest.approx(np.array(single) * two / 1.959964, rel=0.03)


def test_adjustment_is_over_all_rows_and_row_order_changes_nothing():
    table, segment = customers(4)
    found = differences(table, segment)
    assert found["pvalue_holm"].tolist() == holm(found["pvalue"]).tolist()
    assert len(found) == 3 * (1 + 1 + 1 + 3 + 1 + 3 + 1)  # age with what is missing
    mixed = table.sample(frac=1, random_state=1), segment.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(found, differences(*mixed), check_exact=True)
    pd.testing.assert_frame_equal(information(table, segment, seed=1), information(*mixed, seed=1), check_exact=True)


def test_few_customers_constants_and_nobody():
    table, segment = customers(5, 400)
    few = segment.where(np.arange(400) >= 19, "D")
    found = differences(table[["money"]], few).set_index("segment")
    assert found.loc["D", "note"] == "too few to tell (19 customers)" and np.isnan(found.loc["D", "effect"])
    assert found.loc[["A", "B"], "pvalue"].notna().all()
    same = differences(table.assign(money=7.0)[["money"]], segment)
    assert same["effect"].tolist() == [0.0] * 3 and same["pvalue"].tolist() == [1.0] * 3
    split = differences(pd.DataFrame({"x": (segment == "A") * 5.0}), segment).set_index("segment")
    assert split.loc["A", "note"] == NO_VARIANCE and np.isnan(split.loc["A", "pvalue"])
    assert (
        differences(table, pd.Series(dtype=object)).empty and information(table, pd.Series(dtype=object), seed=1).empty
    )
    one = information(table, pd.Series("all", table.index), seed=1)
    assert one["bits"].tolist() == [0.0] * 6 and one["pvalue"].tolist() == [1.0] * 6
    with pytest.raises(ValueError, match="more than one"):
        differences(pd.concat([table, table]), segment)
    nothing = differences(table.assign(age=np.nan)[["age"]], segment)
    assert set(nothing["level"]) == {"(missing)"} and set(nothing["pvalue"]) == {1.0}


def test_500_levels_are_cut_to_the_most_common():
    table, segment = customers(6)
    table["city"] = [f"town {n % 500}" for n in range(600)]
    assert differences(table[["city"]], segment)["level"].nunique() == 20
    assert information(table[["city"]], segment, seed=1)["cells"].tolist() == [21]


def test_information_is_mutual_information_less_miller_s_bias():
    rng = np.random.default_rng(7)
    segment = pd.Series(rng.choice(list("abcd"), 3_000)).rename(str)
    home = pd.Series(rng.choice(list("xyz"), 3_000)).where(rng.random(3_000) < 0.8, segment.to_numpy()).rename(str)
    found = information(pd.DataFrame({"home": home}), segment, seed=1).iloc[0]
    cells = home.nunique()
    plain = mutual_info_score(segment, home) / np.log(2)
    miller = plain - (4 - 1) * (cells - 1) / (2 * 3_000 * np.log(2))  # Miller (1955)
    assert found["bits"] == pytest.approx(miller, abs=1e-4) and found["pvalue"] == 0.001
    shares = segment.value_counts(normalize=True)
    assert found["share"] == pytest.approx(found["bits"] / stats.entropy(shares, base=2), rel=1e-12)
    certain = information(pd.DataFrame({"x": segment}), segment, seed=1).iloc[0]
    assert certain["share"] == pytest.approx(1, abs=0.002)


@pytest.mark.thorough
def test_false_positives_come_at_the_promised_rate():
    found = []
    for seed in range(300):
        table, segment = customers(1_000 + seed, 400)
        found.append(
            [
                (differences(table, segment)["pvalue_holm"] < 0.05).any(),
                (information(table, segment, seed=seed)["pvalue_holm"] < 0.05).any(),
            ]
        )
    assert (np.mean(found, axis=0) <= by_chance(0.05, 300)[1]).all()
