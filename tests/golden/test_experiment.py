"""Hillstrom's e-mail test: the published means and lifts of all arms, and whether it is sound."""

import numpy as np
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.data.engine import connect, open_table

pytestmark = pytest.mark.real_data
MEANS = {  # visit, conversion, spend
    "No E-Mail": [0.106167, 0.005726, 0.652789],
    "Mens E-Mail": [0.182757, 0.012531, 1.422617],
    "Womens E-Mail": [0.151400, 0.008837, 1.077202],
}
LIFTS = {"Mens E-Mail": [0.0765896, 0.0068050, 0.7698272], "Womens E-Mail": [0.0452331, 0.0031111, 0.4244122]}


@pytest.fixture(scope="module")
def hillstrom(real_table):
    return open_table(connect(), real_table("hillstrom_email", "experiment").path)


@pytest.fixture(scope="module")
def table(hillstrom):
    metrics = experiment.metrics_of(hillstrom)
    assert [(metric.name, metric.proportion) for metric in metrics] == [
        ("visit", True), ("conversion", True), ("spend", False),
    ]  # fmt: skip
    return experiment.compare_arms(hillstrom, metrics, "No E-Mail", each_other=True)


def test_means_and_lifts_are_the_published_ones(table):
    for arm, lifts in LIFTS.items():
        rows = table[(table["variant"] == arm) & (table["against"] == "No E-Mail")]
        assert rows["effect"].round(7).tolist() == lifts
        assert rows["variant_mean"].round(6).tolist() == MEANS[arm]
        assert rows["against_mean"].round(6).tolist() == MEANS["No E-Mail"]
    assert set(table["against"]) == {"No E-Mail", "Mens E-Mail"}, (
        "the mails are compared, but neither is the other's control"
    )
    assert (table["pvalue_holm"] >= table["pvalue_bh"] * (1 - 1e-9)).all()


def test_totals_of_the_arms_have_the_published_lifts(table, hillstrom):
    sums = {name: hillstrom[name].sum().cast("float64") for name in hillstrom.columns if name.startswith("outcome_")}
    spend = hillstrom["outcome_spend"]
    counted = {"units": hillstrom.count().cast("float64"), "squares_spend": (spend * spend).sum()}
    summed = hillstrom.group_by("variant").aggregate(**sums, **counted)
    found = experiment.Test(summed, "No E-Mail").effects
    for arm, lifts in LIFTS.items():
        assert found.loc[found["variant"] == arm, "effect"].round(7).tolist() == lifts
    wanted = table[table["against"] == "No E-Mail"]["pvalue"]
    assert found["pvalue"].tolist() == pytest.approx(wanted.tolist(), rel=1e-9)


def test_p_values_are_those_of_plain_tests(table, hillstrom):
    frame = hillstrom.select("variant", "outcome_spend", "outcome_visit").to_pandas()
    men, none = (frame[frame["variant"] == arm] for arm in ("Mens E-Mail", "No E-Mail"))
    rows = table[(table["variant"] == "Mens E-Mail") & (table["against"] == "No E-Mail")].set_index("metric")
    spend = stats.ttest_ind(men["outcome_spend"], none["outcome_spend"], equal_var=False)
    assert rows.loc["spend", "pvalue"] == pytest.approx(spend.pvalue, rel=1e-6)
    counts = np.array([[part["outcome_visit"].sum(), len(part) - part["outcome_visit"].sum()] for part in (men, none)])
    assert rows.loc["visit", "pvalue"] == pytest.approx(
        stats.chi2_contingency(counts, correction=False).pvalue, rel=1e-6
    )


def test_the_test_is_sound(hillstrom):
    segments = [
        name for name in experiment.Measured(hillstrom).columns("covariate_") if name.endswith(("channel", "zip_code"))
    ]
    found = experiment.soundness(hillstrom, "No E-Mail", segments=segments)
    assert found.sound and len(segments) == 2 and len(found.table) == 10, found.reasons
    wrong = experiment.soundness(hillstrom, "No E-Mail", planned={"No E-Mail": 2, "Mens E-Mail": 1, "Womens E-Mail": 1})
    assert not wrong.sound and "No E-Mail has 33.29% of the units, planned 50.00%" in wrong.refusal()


def test_the_mail_for_women_works_for_those_who_had_bought_womens_goods(hillstrom):
    units, segments = experiment.segments_of(hillstrom)
    assert segments == ["recency", "history", "history_segment", "mens", "womens", "zip_code", "newbie", "channel"]
    found = experiment.by_segment(units, experiment.metrics_of(hillstrom)[0], "No E-Mail", ["womens"])
    frame = hillstrom.select("variant", "outcome_visit", "covariate_womens").to_pandas()
    rates = frame.groupby(["variant", "covariate_womens"])["outcome_visit"].mean()
    table = found.table.set_index(["variant", "value"])["effect"]
    for bought in (0, 1):
        lift = rates["Womens E-Mail", bought] - rates["No E-Mail", bought]
        assert table["Womens E-Mail", str(bought)] == pytest.approx(lift)
    apart = found.interactions.set_index("variant")["pvalue_bh"]
    assert apart["Womens E-Mail"] < 1e-15 and apart["Mens E-Mail"] > 0.01
    kept, same = experiment.segments.distinct(units, segments)
    assert same == {"history_segment": "history", "womens": "mens"} and len(kept) == 6


@pytest.fixture(scope="module")
def judged(hillstrom):
    metrics = experiment.metrics_of(hillstrom, ["spend / conversion"])
    effects = experiment.compare_arms(hillstrom, metrics, "No E-Mail")
    return metrics, experiment.gatekept(hillstrom, effects, metrics, metrics[2], 7)


def test_spend_decides_at_its_own_level_and_its_intervals_hold_together(judged, hillstrom):
    metrics, effects = judged
    frame = hillstrom.select("variant", "outcome_spend").to_pandas()
    arms = {name: part["outcome_spend"] for name, part in frame.groupby("variant")}
    spend = effects[effects["metric"] == "spend"].set_index("variant")
    for arm in LIFTS:
        plain = stats.ttest_ind(arms[arm], arms["No E-Mail"], equal_var=False)
        ends = plain.confidence_interval(1 - 0.05 / 2)
        assert spend.loc[arm, ["simultaneous_low", "simultaneous_high"]].tolist() == pytest.approx(list(ends), rel=1e-6)
        assert spend.loc[arm, "pvalue_adjusted"] == pytest.approx(2 * plain.pvalue, rel=1e-6)
        assert spend.loc[arm, "randomised"] < 0.01
    found = experiment.planning.reach(hillstrom, metrics, "No E-Mail", metrics[2], wanted_lift=0.05).set_index("metric")
    assert found.loc["spend", "detectable_share"] == pytest.approx(0.53, abs=0.005)
    assert found.loc["spend", "units_needed"] == pytest.approx(7.2e6, rel=0.005)
    few = experiment.quantiles.quantile_effects(hillstrom, metrics[2], "No E-Mail", [0.99], 7)
    assert few["effect"].isna().all() and (few["why_not"] == "the control has zero there").all()


def test_the_mail_for_men_is_better_and_its_break_even_cost_is_said(judged, hillstrom):
    metrics, effects = judged
    every = experiment.compare_arms(hillstrom, metrics, "No E-Mail", each_other=True)
    pairs = every[every["against"] != "No E-Mail"]
    heads = {0: "Mens E-Mail is better than No E-Mail", 0.1: "Roll out Mens E-Mail"}
    for cost, first in (heads | {0.9: "No arm is recommended over No E-Mail"}).items():
        money = experiment.Money("spend", cost=cost, currency="USD")
        decided = experiment.decision.decision(effects, experiment.decision.no_effects(), confidence=0.95, money=money)
        said = experiment.recommend.recommendation(
            decided, pairs, metrics[2], control="No E-Mail", confidence=0.95, money=money
        )
        assert said[0].startswith(first)
        if not cost:
            assert (
                "Mens E-Mail pays if treating one customer costs less than 0.444 USD times the margin (lower" in said[1]
            )
            assert (
                "Mens E-Mail over Womens E-Mail, +0.345 USD per customer, is inconclusive (Holm-adjusted p = 0.122)"
                in said[2]
            )
            assert said[2].endswith("+0.033 to +0.658, p = 0.030.")
    assert "but it may lose money (profit -" in said[1]


def test_a_rule_for_everybody_earns_the_effect_of_the_test(hillstrom, monkeypatch):
    monkeypatch.setattr(experiment.uplift, "LEARNERS", {"T": experiment.uplift.t_learner})
    known = experiment.Measured(hillstrom).columns("covariate_")
    units = hillstrom.select("unit_id", "variant", "outcome_spend", *known).to_pandas()
    found = experiment.uplift.predict_effects(units, "outcome_spend", "Mens E-Mail", "No E-Mail", known, 7)
    earned = experiment.targeting.profits(found, 7, margin=1, cost=0, resamples=10).set_index("policy")
    assert earned.loc["everybody", "profit"] == pytest.approx(LIFTS["Mens E-Mail"][2], abs=1e-7)
