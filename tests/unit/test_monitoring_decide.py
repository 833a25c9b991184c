"""Champion against challenger, what is named, and decisions: by hand, against scipy, and on planted changes."""

from dataclasses import replace
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from changing import judged, shop
from customerlab.analysis.clustering.models import Mixture
from customerlab.analysis.inference import holm
from customerlab.analysis.monitoring import sentences
from customerlab.analysis.monitoring.activity import turnover
from customerlab.analysis.monitoring.challenge import (
    Trial,
    cluster_pair,
    compared,
    match,
    season_of,
)  # fmt: skip
from customerlab.analysis.monitoring.changes import drift_table, named, of_periods, periods
from customerlab.analysis.monitoring.decisions import (
    KEEP,
    RECALIBRATE,
    REFIT,
    WATCH,
    as_artefact,
    decide,
    on_groups,
    on_products,
)
from customerlab.analysis.monitoring.thresholds import thresholds
from customerlab.analysis.orders import Snapshot
from customerlab.analysis.rfm.scheme import Scheme


def test_segments_by_thresholds_of_the_same_day_are_those_of_the_day():
    made, scheme = shop(1, a_day=0.3), Scheme()
    assert thresholds(made, scheme).on(made).equals(scheme.on(made))


def trial(seed: int = 1, n: int = 400, gain: float = 0.0, bias: float = 0.0, outcomes: int = 100) -> Trial:
    rng = np.random.default_rng(seed)
    actual = rng.poisson(2.0, n).astype(float)
    expected = (2.0 + rng.normal(0, 0.3, n)) * (1 + bias)
    loss = (actual - 2.0) ** 2
    return Trial("value model", "squared error", loss + rng.normal(gain, 0.5, n), loss, outcomes, expected, actual, 800)


def test_a_comparison_is_that_of_paired_means():
    made = trial(gain=0.2)
    row = compared(made)
    own = stats.ttest_rel(made.champion, made.challenger)
    assert row["less"] == pytest.approx(np.mean(made.champion - made.challenger))
    assert row["less"] / ((row["high"] - row["low"]) / 2 / stats.norm.ppf(0.975)) == pytest.approx(own.statistic)
    assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(own.statistic)))
    assert row["bias"] == pytest.approx(made.expected.sum() / made.actual.sum() - 1)


def test_the_interval_of_a_bias_is_the_bootstraps_of_both_samples():
    made = trial(bias=0.2, n=2_000)
    row, rng = compared(made), np.random.default_rng(0)
    drawn = rng.integers(2_000, size=(2_000, 2_000))
    ratios = made.expected[drawn].sum(axis=1) / made.actual[drawn].sum(axis=1)
    spread = ratios.std() * np.sqrt(1 + 2_000 / made.trained)
    assert (row["bias_high"] - row["bias_low"]) / 2 / stats.norm.ppf(0.975) == pytest.approx(spread, rel=0.05)


def test_a_bias_that_was_there_a_year_before_is_the_seasons():
    alone, both = compared(trial(bias=0.3)), compared(trial(bias=0.3), trial(seed=2, bias=0.3))
    assert alone["p_bias"] < 1e-4 < 0.05 < both["p_bias"]
    assert compared(trial(bias=0.3), trial(seed=2, bias=-0.1))["p_bias"] < 1e-4


@pytest.mark.parametrize(
    ("made", "drifted", "decision"),
    [
        (trial(gain=0.5), {}, REFIT),
        (trial(gain=0.5, outcomes=19), {}, KEEP),
        (trial(gain=-0.5), {"value model": ["orders"]}, WATCH),
        (trial(bias=0.4), {"value model": ["orders"]}, WATCH),
        (trial(bias=0.02, n=90_000), {}, KEEP),
        (trial(), {"value model": ["orders"]}, WATCH),
        (trial(), {"churn model": ["orders"]}, KEEP),
    ],
    ids=["better", "too few", "worse", "biased", "a little biased", "drifted", "another drifted"],
)
def test_each_rule(made, drifted, decision):
    table = decide([compared(made)], drifted)
    assert table["decision"].tolist() == [decision]
    assert table["promote"].tolist() == [decision == REFIT]
    assert table["reason"].iloc[0].endswith(".") and "nan" not in table["reason"].iloc[0]


def test_totals_are_recalibrated_only_where_the_same_season_is_known():
    alone, known = (decide([compared(trial(bias=0.4), *past)], {}).iloc[0] for past in ((), (trial(seed=2),)))
    assert (alone["decision"], known["decision"]) == (WATCH, RECALIBRATE)
    assert "so it may be the season" in alone["reason"] and "season" not in known["reason"]


def test_a_gain_that_is_significant_and_too_small_refits_nothing():
    made = trial(n=90_000, gain=0.02)
    table = decide([compared(made)], {})
    assert table["p_holm"].iloc[0] < 0.001 and table["decision"].tolist() == [KEEP]
    assert table["reason"].iloc[0].startswith("A refit predicts significantly better, but by less than 2%: ")
    assert (
        decide([compared(trial(gain=-0.5))], {})["reason"].iloc[0].startswith("A refit predicts significantly worse: ")
    )
    assert (
        decide([compared(trial())], {})["reason"].iloc[0].startswith("A refit does not predict significantly better: ")
    )


def test_what_failed_is_said():
    table = pd.DataFrame({"metric": ["precision", "roc_auc"], "estimated": [0.68, 0.745], "low": [0.6, 0.71], "high": [0.76, 0.78],
                          "realised": [0.56, 0.751]})  # fmt: skip
    first, failed, ahead = sentences.by_performance(table, table.assign(estimated=0.8))
    assert first.endswith("(95% CI 0.710 to 0.780), and came to 0.751.") and ahead.endswith(
        "Do not rely on it: the last estimate failed."
    )
    assert failed == (
        "The estimate failed for 1 of 2 metrics: precision was estimated at 68% (95% CI 60% to 76%) and came to 56%."
    )
    held = sentences.by_performance(table.assign(realised=0.75).iloc[1:], None)
    assert len(held) == 1
    sizes = pd.DataFrame({"actual": [9.0] * 28 + [30] * 7, "low": 1.0, "high": 20.0, "expected": 10.0, "today": 9.0})
    narrow = sentences.by_forecast(sizes)
    p = stats.binom.cdf(28, 35, 0.95)
    assert (
        narrow.endswith(f"The intervals are too narrow: that is significantly less than 95% (p = {p:.3f}).")
        or p < 0.001
    )
    assert "too narrow" in narrow and "too narrow" not in sentences.by_forecast(sizes.assign(high=40.0))


def test_p_values_of_all_models_are_adjusted_together():
    rows = [compared(trial(seed)) for seed in range(3)]
    table = decide(rows, {})
    all_p = pd.Series([row[name] for name in ("p", "p_bias") for row in rows])
    assert table["p_holm"].tolist() + table["p_bias_holm"].tolist() == pytest.approx(holm(all_p).tolist())


def test_decisions_as_an_artefact_and_in_words():
    rows = [
        compared(trial(gain=0.5)),
        compared(trial(2)) | {"model": "RFM thresholds"},
        compared(trial(3)) | {"model": "churn model"},
    ]
    table = decide(rows, {})
    found = as_artefact(table, ["rfm_thresholds", "value_model"])
    assert found[["model", "promote"]].values.tolist() == [["value_model", True], ["rfm_thresholds", False]]
    said = sentences.by_decisions(table)
    assert said[0].startswith("Refit the value model. The challenger predicts significantly better")
    assert said[1].startswith("Keep the RFM thresholds and churn model:") and len(said) == 2


def test_clusters_replace_one_group_and_nothing_else_is_said_of_it():
    one, three = SimpleNamespace(names=("all",)), SimpleNamespace(names=("a", "b", "c"))
    (row,) = on_groups(one, three)
    assert row["promote"] and row["decision"] == REFIT and row["reason"].startswith("3 clusters are recommended")
    assert [on_groups(*pair) for pair in ((None, three), (one, one), (three, one), (three, three), (one, None))] == [
        []
    ] * 5


def test_a_served_segmentation_is_judged_by_its_own_clusters_or_by_a_stand_in():
    made = shop(2, a_day=0.5)
    between = match(made, made.day - pd.Timedelta(weeks=26), 91)
    old, new = cluster_pair(between, 3, 7)
    assert len(old.names) == len(new.names) == 3
    again = cluster_pair(between, 5, 7, old)
    assert again[0] is old and again[1].centres.tolist() == new.centres.tolist()
    mixed = replace(old, model=Mixture(np.ones(3) / 3, old.model.references, np.tile(np.eye(4), (3, 1, 1))))
    assert cluster_pair(between, 5, 7, mixed)[0].centres.tolist() == old.centres.tolist(), (
        "not by centres: as many clusters"
    )


def test_new_products_are_counted_by_customer():
    rows = [
        ("ann", "p1", "2024-01-05"),
        ("ann", "p1", "2024-03-05"),
        ("ann", "p2", "2024-03-05"),
        ("bob", "p2", "2024-03-06"),
    ]
    lines = pd.DataFrame(rows, columns=["customer_id", "product_id", "ordered_at"]).merge(
        pd.DataFrame({"number": range(15)}), how="cross"
    )
    lines["customer_id"] += lines["number"].astype(str)
    log = ibis.memtable(lines.assign(ordered_at=pd.to_datetime(lines["ordered_at"]), amount=1.0, order_id="o"))
    found = turnover(Snapshot(log, pd.Timestamp("2024-04-01")), pd.Timestamp("2024-02-01"), pd.Timestamp("2024-03-01"))
    assert (found["customers"], found["products"], found["new"]) == (30, 2, 1)
    assert found["share"] == pytest.approx(2 / 3)  # ann's two products, bob's one: two of three are new
    assert on_products(found)["decision"] == REFIT
    assert on_products(found | {"low": 0.12})["decision"] == WATCH
    assert on_products({"customers": 3.0, "share": np.nan})["decision"] == KEEP


PLANTED = {
    "none": ({}, set()), "growth": ({"growth": 1.8}, {"growth"}), "decline": ({"growth": 0.4}, {"decline"}),
    "prices": ({"price": 1.25}, {"prices"}), "baskets": ({"baskets": 1.6}, {"baskets"}),
    "more orders": ({"rate": 1.7}, {"behaviour"}), "fewer orders": ({"rate": 0.5}, {"behaviour"}),
    "season": ({"season": 0.5}, {"season"}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_change_is_named_as_what_it_is(kind):
    options, expected = PLANTED[kind]
    made = shop(11, a_day=2.5, **options)
    reference, current, before = periods(match(made, made.day - pd.Timedelta(weeks=26), 91))
    rows = drift_table(of_periods(reference, current, before))
    found = set(named(rows, reference, current)["change"])
    assert found - {"season"} == expected - {"season"}
    assert ("season" in found) == (kind == "season")


@pytest.mark.thorough
def test_what_hurts_is_refitted_or_recalibrated_and_what_does_not_is_not():
    _, _, decided = judged(shop(11, rate=1.8))
    by = decided.set_index("model")["decision"]
    assert by["value model"] in (REFIT, RECALIBRATE)
    _, changes, decided = judged(shop(11, price=1.3))
    assert "prices" in set(changes["change"])
    assert not decided["decision"].isin([REFIT, RECALIBRATE]).any()


@pytest.mark.thorough
def test_false_alarms_in_shops_in_which_nothing_changes():
    """`make rates-monitoring` has 200 shops; here 15, on which at most as many alarms as chance gives at 5%."""
    found = [judged(shop(seed, a_day=0.8)) for seed in range(15)]
    most = stats.binom.ppf(0.99, 15, 0.05)
    assert sum(rows["drifted"].any() for rows, _, _ in found) <= most
    assert sum(decided["decision"].isin([REFIT, RECALIBRATE]).any() for _, _, decided in found) <= most


def test_a_log_without_a_period_before_the_champion_is_not_judged():
    made = shop(1, a_day=0.3)
    assert match(made, made.day - pd.Timedelta(days=1_050), 91) is None
    assert match(made, made.day - pd.Timedelta(days=30), 91) is None
    assert season_of(made, made.day - pd.Timedelta(days=800), 91) is None
