"""One test as an object: the same numbers as the functions, each asked once, and nothing where it is not sound."""

import ibis
import numpy as np
import pandas as pd
import pytest
from ibis.expr.types.core import Expr

from customerlab.analysis import experiment
from customerlab.errors import ParameterError

MONEY = experiment.Money("spend", 0.4, 0.1)


def drawn(n=3000, lift=0.0, seed=1):
    """Three arms over ten days, with a number and a label that were known before."""
    rng = np.random.default_rng(seed)
    arm, known = np.arange(n) % 3, rng.integers(0, 5, n)
    visit = rng.random(n) < 0.3 + lift * (arm == 2)
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)], "variant": np.array(["control", "a", "b"])[arm],
            "exposed_at": pd.Timestamp("2024-05-01") + pd.to_timedelta(rng.integers(0, 10, n), unit="D"),
            "outcome_visit": visit.astype(float), "outcome_spend": visit * rng.gamma(2, 10, n) + known,
            "covariate_known": known.astype(float), "covariate_region": rng.choice(["north", "south"], n),
        }
    )  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """The queries that were sent."""
    sent, real = [], Expr.execute
    monkeypatch.setattr(
        Expr, "execute", lambda self, *words, **options: sent.append(self) or real(self, *words, **options)
    )
    return sent


def every_result(test):
    """All that a notebook may ask of a test."""
    tables = [getattr(experiment.tables, name)(test) for name in (
        "sizes", "checks", "reach", "simulation", "effects", "in_both_ways", "adjusted", "ways", "quantiles", "pairs", "bayesian",
        "by_segment", "effects_by_segment", "arm_for_whom", "rankings", "policies", "decision",
    )]  # fmt: skip
    said = [experiment.sentences.findings(test), experiment.sentences.days(test), experiment.sentences.models(test)]
    return tables, said


@pytest.mark.slow
def test_its_numbers_are_those_of_the_functions():
    frame = drawn(lift=0.2)
    units = ibis.memtable(frame)
    test = experiment.Test(units, money=MONEY, ratios=["spend / visit"], guardrails=["visit: 0.02"], runs=100)
    metrics = experiment.metrics_of(units, ["spend / visit"])
    effects = experiment.gatekept(
        units, experiment.compare_arms(units, metrics, "control"), metrics, metrics[1], test.seed
    )
    pd.testing.assert_frame_equal(test.effects, effects, rtol=1e-9)
    spent = effects[(effects["metric"] == "spend") & (effects["variant"] == "b")].iloc[0]
    recorded = experiment.sentences.recorded(test)
    assert set(recorded) == {"effect_a", "effect_b"}
    assert recorded["effect_b"] == pytest.approx([spent["effect"], spent["effect_low"], spent["effect_high"]])
    assert test.decisive.name == "spend" and test.closer == ["a", "b"] and test.fits == "b"
    divided, segments = experiment.segments_of(units)
    apart = experiment.segments.differences(divided, metrics[:2], "control", segments)
    pd.testing.assert_frame_equal(test.by_segment.table, apart.table, rtol=1e-9)
    closer = divided.table.filter(divided.table.variant != "control")
    against = experiment.segments.differences(closer, metrics[:2], "b", segments)
    pd.testing.assert_frame_equal(test.by_segment_against_best.table, against.table, rtol=1e-9)
    sums = experiment.sequential.by_day(units, ["outcome_spend"])
    daily = experiment.over_time(sums, metrics[1], "b", "control", planned_units=2000, confidence=0.975)
    pd.testing.assert_frame_equal(test.daily["b"], daily, rtol=1e-9)
    found = experiment.moments(units, ["outcome_visit", "outcome_spend"])
    pd.testing.assert_frame_equal(test.bayesian, experiment.bayes.choices_of(found, metrics, "control"), rtol=1e-9)
    assert set(test.decision["verdict"]) >= {"significantly better"} and test.decision["guardrail"].sum() == 2


@pytest.mark.slow
def test_everything_is_asked_once(asked):
    test = experiment.Test(ibis.memtable(drawn()), money=MONEY, ratios=["spend / visit"], runs=100)
    first = every_result(test)
    assert len(asked) <= 12, [one.columns for one in asked]
    number = len(asked)
    again = every_result(test)
    assert len(asked) == number and again[1] == first[1]


def test_of_a_test_that_is_not_sound_there_is_nothing_but_what_is_wrong():
    frame = drawn()
    frame.loc[frame["variant"] == "a", "outcome_spend"] = np.nan
    test = experiment.Test(ibis.memtable(frame), money=MONEY)
    tables, said = every_result(test)
    assert [len(one) for one in tables] == [1, 1] + [0] * (len(tables) - 2)
    assert not test.sound and test.effects.empty and test.clear.empty and test.by_segment.table.empty
    (section, (refusal,)), = said[0]  # fmt: skip
    assert section == "1 Test validity" and refusal == test.soundness.refusal()
    assert "missing outcomes: spend in a for 1,000 units" in refusal
    assert experiment.sentences.recorded(test) == {}
    assert said[1] == ["Left out: the test is not valid."] and said[2] == ["No uplift models: the test is not valid."]


@pytest.mark.thorough
def test_tables_name_and_format_their_columns():
    test = experiment.Test(ibis.memtable(drawn(lift=0.2)), money=MONEY, confidence=0.9, runs=100)
    (table, caption, forms), = experiment.tables.effects(test)  # fmt: skip
    assert "unadjusted 90% CI" in caption and set(forms) <= set(table.columns)
    assert table.columns.tolist()[:6] == ["metric", "arm", "control", "treatment", "effect", "90% CI"]
    row = test.effects[(test.effects["metric"] == "visit") & (test.effects["variant"] == "b")].iloc[0]
    shown = table[(table["metric"] == "visit") & (table["arm"] == "b")].iloc[0]
    assert table["metric"].iloc[0] == "spend" and shown["effect"] == f"{100 * row['effect']:+.1f} pp"
    visits = round(row["variant_mean"] * 1000)
    assert shown["treatment"] == f"{visits / 10:.1f}% ({visits}/1,000)" and shown["adjusted p-value"] == "< 0.001"
    for each in every_result(test)[0]:
        assert all(set(one[2]) <= set(one[0].columns) for one in each if isinstance(one[2], dict))


def flat(found):
    return [sentence for _, said in found for sentence in said]


@pytest.mark.thorough
def test_findings_begin_with_the_decision_and_say_what_supports_it():
    test = experiment.Test(ibis.memtable(drawn(lift=0.3)), money=MONEY, ratios=["spend / visit"], runs=100)
    said = flat(experiment.sentences.findings(test))
    assert said[0].startswith("Roll out b: spend is higher by +")
    assert any(one.startswith("b: visit is significantly better, +") for one in said)
    assert any(
        one.startswith("Sequential monitoring: the effect of b on spend was first significant on 2024-05-")
        for one in said
    )
    other = flat(experiment.sentences.findings(test, "These data are not this shop's."))
    assert other[1].endswith("Nothing is recommended to this shop.")
    assert other[0].startswith("In this test of another shop, b was better")
    unfinished = experiment.Test(test.table, money=MONEY, planned_units=9_000, runs=100)
    early = flat(experiment.sentences.findings(unfinished))
    assert (unfinished.decided["sign"] == 0).all() and unfinished.decided["verdict"].nunique() == 1
    assert early[0].startswith("The test is not finished: 3,000 of 9,000") and not any(
        "Roll out" in one for one in early
    )


def test_what_is_asked_for_has_to_be_there():
    units = ibis.memtable(drawn())
    for options, words in (
        ({"primary": "sales"}, "primary: 'sales'"),
        ({"guardrails": ["sales: 0.1"]}, "guardrails: 'sales'"),
        ({"money": experiment.Money("spend", by_arm={"c": 1.0})}, "arm_costs: 'c'"),
        ({"less_is_better": ["sales"]}, "less_is_better: 'sales'"),
    ):
        test = experiment.Test(units, **options)
        with pytest.raises(ParameterError, match=words):
            _ = test.decisive, test.guarded, test.soundness
    assert experiment.Test(units.drop("outcome_spend"), money=MONEY).worth.metric == ""
