"""Models against each other on the same customers: intervals, tests, and all intervals at once."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.recommend import against, metrics


def test_paired_takes_the_same_customers_in_any_order_and_refuses_mixed_tasks():
    values = pd.DataFrame(
        {
            "model": ["b", "a", "b", "a", "b"],
            "customer_id": ["2", "1", "1", "2", "3"],
            "ndcg": [0.1, 0.2, 0.3, 0.4, 0.5],
        }
    )
    table = metrics.paired(values, "ndcg")
    assert table.to_dict("index") == {"1": {"b": 0.3, "a": 0.2}, "2": {"b": 0.1, "a": 0.4}}
    pd.testing.assert_frame_equal(metrics.paired(values.iloc[[0, 3, 1, 4, 2]], "ndcg"), table)
    with pytest.raises(ValueError, match="one task at a time"):
        metrics.paired(pd.concat([values, values]), "ndcg")


def test_pairs_have_scipys_t_and_holms_p():
    rng = np.random.default_rng(1)
    values = pd.DataFrame(rng.random((50, 4)) + np.array([0, 0.05, 0.1, 0.3]), columns=list("abcd"))
    table = metrics.compare(values)
    assert len(table) == 6 and (table["difference"] >= 0).all() and table["difference"].is_monotonic_decreasing
    for row in table.itertuples():
        wanted = stats.ttest_rel(values[row.model], values[row.other])
        assert (row.t, row.p) == (pytest.approx(wanted.statistic), pytest.approx(wanted.pvalue))
        assert row.better + row.worse == 50
        assert row.error == pytest.approx(stats.sem(values[row.model] - values[row.other]))
    three = against(table, "a")
    steps = np.sort(three["p"]) * np.arange(3, 0, -1)
    assert np.sort(three["p_holm"]) == pytest.approx(np.minimum(np.maximum.accumulate(steps), 1))
    assert three["low"].lt(three["difference"]).all() and three["high"].gt(three["difference"]).all()


def test_t_agrees_with_the_permutation_test():
    rng = np.random.default_rng(3)
    values = pd.DataFrame({"a": rng.beta(0.5, 2, 200)})
    values["b"] = np.where(rng.random(200) < 0.6, values["a"], rng.beta(0.5, 2.6, 200))
    difference = values["a"] - values["b"]
    flips = rng.choice([-1, 1], (20_000, 200)) @ difference
    p = ((abs(flips) >= abs(difference.sum()) - 1e-12).sum() + 1) / 20_001
    assert metrics.compare(values)["p"][0] == pytest.approx(p, abs=0.02)


def test_equal_models_and_a_constant_difference():
    base = np.array([0.1, 0.2, 0.7])
    table = metrics.compare(pd.DataFrame({"a": base, "b": base, "c": base + 0.1})).set_index(["model", "other"])
    same, constant = table.loc[("a", "b")], table.loc[("c", "a")]
    assert same[["difference", "t", "better", "worse"]].eq(0).all() and same["p"] == 1
    assert constant["t"] == np.inf and constant["p"] == 2 / 2**3
    one = metrics.compare(pd.DataFrame({"a": [0.5], "b": [0.4]})).iloc[0]
    assert one["p"] == 1 and np.isnan(one["error"])
    assert len(metrics.compare(pd.DataFrame({"a": [0.5, 0.6]}))) == 0
    with pytest.raises(ValueError, match="see paired"):
        metrics.compare(pd.DataFrame({"a": [0.5, np.nan], "b": [0.4, 1]}))


def test_intervals_and_pairs_do_not_depend_on_the_order_of_rows_and_share_their_resamples():
    rng = np.random.default_rng(4)
    values = pd.DataFrame(rng.random((80, 2)), columns=["a", "b"])
    values.loc[3, "b"] = np.nan
    mixed = values.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(metrics.intervals(values, seed=5), metrics.intervals(mixed, seed=5), check_exact=True)
    whole = values.dropna()
    pd.testing.assert_frame_equal(
        metrics.compare(whole), metrics.compare(whole.sample(frac=1, random_state=2)), check_exact=True
    )
    assert metrics.intervals(values, seed=5)["customers"].tolist() == [80, 79]
    nothing = metrics.intervals(pd.DataFrame({"a": [np.nan, np.nan]}), seed=1).loc["a"]
    assert nothing["customers"] == 0 and nothing[["mean", "low", "high"]].isna().all()


@pytest.mark.thorough
def test_intervals_cover_the_truth():
    rng = np.random.default_rng(6)
    covered, truth = [], 0.5 * 0.2 - 0.25 * 0.2
    for seed in range(300):
        # a metric that is zero for most customers, under two models that are right about much the same ones
        luck = rng.random(150)
        size = rng.beta(1, 4, 150)
        a, b = size * (luck < 0.5), size * ((luck < 0.2) | (luck > 0.95))
        row = metrics.intervals(pd.DataFrame({"difference": a - b}), seed, resamples=400).iloc[0]
        covered.append(row["low"] <= truth <= row["high"])
    assert 0.91 <= np.mean(covered) <= 0.98, np.mean(covered)


@pytest.mark.thorough
def test_under_no_difference_five_in_a_hundred_pairs_are_found():
    rng = np.random.default_rng(7)
    found = []
    for _ in range(400):
        values = np.where(rng.random((60, 2)) < 0.3, rng.beta(1, 3, (60, 2)), 0)
        found.append(metrics.compare(pd.DataFrame(values, columns=["a", "b"]))["p"][0] < 0.05)
    assert 0.025 <= np.mean(found) <= 0.08, np.mean(found)


@pytest.mark.thorough
def test_the_intervals_against_a_baseline_hold_together():
    """Of six differences to one baseline all hold in 95% of samples; unadjusted ones in fewer."""
    rng, held, single = np.random.default_rng(9), [], []
    names = [f"m{number}" for number in range(6)]
    for _ in range(200):
        values = pd.DataFrame(rng.normal(size=(80, 7)), columns=["base", *names])
        table = against(metrics.compare(values), "base")
        held.append(((table["low"] <= 0) & (table["high"] >= 0)).all())
        single.append((abs(table["difference"]) <= stats.t.ppf(0.975, 79) * table["error"]).all())
    assert np.mean(single) < 0.9 and 0.92 <= np.mean(held) <= 0.995, (np.mean(single), np.mean(held))
    # Bonferroni's intervals are those of Bonferroni's p, whatever way round the pair is
    row = table.iloc[0]
    wanted = stats.ttest_rel(values[row["model"]], values["base"]).confidence_interval(1 - 0.05 / 6)
    assert (row["low"], row["high"]) == (pytest.approx(wanted.low), pytest.approx(wanted.high))
