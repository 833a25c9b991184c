"""Planted effects are learned, curves and profits are those by hand, intervals cover."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import experiment
from customerlab.analysis.experiment.targeting import SHARES
from customerlab.analysis.experiment.uplift import features, pseudo_effects
from customerlab.figures import experiment as figures

RUNS = 200


def planted(n=6000, seed=0, share=0.5):
    """Customers whose effect rises with age and is below zero for the young."""
    rng = np.random.default_rng(seed)
    age, zipped = rng.uniform(20, 80, n), rng.choice(["rural", "urban"], n)
    treated = rng.random(n) < share
    effect = (age - 40) / 10
    spend = 10 + age / 10 + 2 * (zipped == "urban") + effect * treated + rng.normal(0, 3, n)
    frame = pd.DataFrame(
        {
            "unit_id": [f"{i:06d}" for i in range(n)], "variant": np.where(treated, "mail", "control"),
            "outcome_spend": spend, "covariate_age": age.round(3).astype(str), "covariate_zip": zipped,
        }
    )  # fmt: skip
    return frame, pd.Series(effect, index=frame["unit_id"])


@pytest.fixture(scope="module")
def learned():
    frame, truth = planted()
    return experiment.uplift.predict_effects(
        frame, "outcome_spend", "mail", "control", ["covariate_age", "covariate_zip"], 1
    ), truth


def by_hand(effect, treated, outcome):
    index = pd.Index([str(i) for i in range(len(effect))], name="unit_id")
    return experiment.uplift.Predicted(
        pd.DataFrame({"m": effect}, index=index),
        np.array(treated),
        np.array(outcome, dtype=float),
        np.zeros(len(effect), dtype=int),
    )


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(experiment.uplift.LEARNERS))
def test_planted_effects_are_learned(learned, learner):
    predicted, truth = learned
    own = predicted.effects[learner]
    assert len(own) == 6000, "all customers are predicted, by models of the other half"
    assert np.corrcoef(own, truth[own.index])[0, 1] > 0.9
    assert np.mean((own - truth[own.index]) ** 2) < 0.5 * truth.var(), "near, not only in order"


@pytest.mark.slow
def test_the_order_of_rows_changes_nothing():
    frame, _ = planted(1500, seed=4)
    columns = ["covariate_age", "covariate_zip"]
    one, other = (
        experiment.uplift.predict_effects(table, "outcome_spend", "mail", "control", columns, 1)
        for table in (frame, frame.sample(frac=1, random_state=2))
    )
    pd.testing.assert_frame_equal(one.effects, other.effects)
    assert (one.outcome == other.outcome).all()


@pytest.mark.thorough
def test_pseudo_effects_have_the_mean_effect_even_of_bad_models():
    # the models see nothing of use; what they miss is weighted in
    rng = np.random.default_rng(3)
    means = []
    for seed in range(60):
        treated = rng.random(600) < 0.3
        y = rng.normal(5, 1, 600) + 2 * treated
        means.append(pseudo_effects(rng.normal(0, 1, (600, 1)), treated, y, seed).mean())
    assert np.mean(means) == pytest.approx(2, abs=4 * np.std(means) / np.sqrt(60))


def test_features_are_numbers_and_labels():
    table = features(
        pd.DataFrame({"covariate_a": ["1", None, "3"], "covariate_b": ["x", "y", None]}), ["covariate_a", "covariate_b"]
    )
    assert table.columns.tolist() == ["a", "b x", "b y"]
    assert table["a"].isna().tolist() == [False, True, False] and table["b x"].tolist() == [1, 0, 0]


# ---- curves


def test_curves_are_those_by_hand():
    rng = np.random.default_rng(2)
    n = 300
    predicted = by_hand(rng.permutation(n), rng.random(n) < 0.4, rng.gamma(1, 5, n))
    table = experiment.targeting.curves(predicted, 1, resamples=10).table.set_index("share")
    order = np.argsort(-predicted.effects["m"].to_numpy())
    for share in (0.1, 0.5, 1.0):
        first = order[: round(share * n)]
        treated, y = predicted.treated[first], predicted.outcome[first]
        gained = y[treated].sum() - y[~treated].sum() * treated.sum() / (~treated).sum()
        expected = gained / predicted.treated.sum()
        assert table["gain"].loc[share] == pytest.approx(expected)
    assert table["gain"].loc[0] == 0


def test_the_area_of_a_perfect_order_is_that_of_the_formula():
    # effects uniform on 0 to 2 without noise: treating the first share s adds s (2 - s), choosing at random s
    n = 4000
    effect = np.linspace(2, 0, n)
    treated = np.arange(n) % 2 == 0
    predicted = by_hand(effect, treated, effect * treated)
    found = experiment.targeting.curves(predicted, 1, resamples=50)
    np.testing.assert_allclose(found.table["gain"], SHARES * (2 - SHARES), atol=0.01)
    assert found.areas["area"].iloc[0] == pytest.approx(1 / 6, abs=0.003) and found.areas["pvalue"].iloc[0] < 0.05


def test_equal_predictions_are_taken_in_random_order():
    rng = np.random.default_rng(5)
    treated, y = rng.random(500) < 0.5, rng.gamma(1, 5, 500)
    found = experiment.targeting.curves(by_hand(np.zeros(500), treated, y), 1, resamples=20)
    mean = y[treated].mean() - y[~treated].mean()
    np.testing.assert_allclose(found.table["gain"], SHARES * mean, atol=1e-12)
    assert found.areas["area"].iloc[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.thorough
def test_intervals_of_curves_cover_and_useless_predictions_are_found_out():
    rng = np.random.default_rng(6)
    inside, clear = 0, 0
    for seed in range(2 * RUNS):
        x, treated = rng.random(800), rng.random(800) < 0.5
        y = rng.normal(0, 1, 800) + treated * x
        good = experiment.targeting.curves(by_hand(x, treated, y), seed, resamples=120).table.set_index("share")
        inside += good["low"].loc[0.5] <= 0.5 * 0.75 <= good["high"].loc[0.5]
        useless = experiment.targeting.curves(by_hand(rng.random(800), treated, y), seed, resamples=120).areas
        clear += useless["pvalue"].iloc[0] < 0.05
    assert 0.92 <= inside / (2 * RUNS) <= 0.98 and clear / (2 * RUNS) <= 0.08


@pytest.mark.slow
def test_learned_effects_order_better_than_chance(learned):
    found = experiment.targeting.curves(learned[0], 1)
    assert (found.areas["low"] > 0).all() and found.areas["learner"].tolist() == ["S", "T", "X", "DR"]


# ---- profits


def test_profits_are_those_by_hand():
    treated = np.array([1, 0, 1, 0, 1, 0, 1, 0], dtype=bool)
    predicted = by_hand([3, 3, 3, 3, 1, 1, 1, 1], treated, [9, 5, 9, 3, 4, 6, 4, 2])
    table = experiment.targeting.profits(predicted, 1, margin=0.5, cost=1, resamples=50).set_index("policy")
    # everybody: effect 6.5 - 4 = 2.5, so 0.25 each; the first half: 9 - 4 = 5, so 1.5 for half of all
    assert table.loc["nobody", ["treated", "profit", "low", "high"]].tolist() == [0, 0, 0, 0]
    assert table.loc["everybody", ["treated", "profit"]].tolist() == [1, 0.25]
    assert table.loc["m", ["treated", "profit", "better"]].tolist() == [0.5, 0.75, 0.5]
    with pytest.raises(ValueError, match="have to be finite"):
        experiment.targeting.profits(predicted, 1, margin=np.inf, cost=1)


@pytest.mark.slow
def test_treating_everybody_has_the_effect_of_the_whole_test(learned):
    predicted, _ = learned
    frame, _ = planted()
    mean = frame.groupby("variant")["outcome_spend"].mean()
    everybody = (
        experiment.targeting.profits(predicted, 1, margin=1, cost=0).set_index("policy").loc["everybody", "profit"]
    )
    assert everybody == pytest.approx(mean["mail"] - mean["control"])


@pytest.mark.thorough
def test_useless_covariates_order_nobody_though_each_half_is_predicted_by_the_other(monkeypatch):
    monkeypatch.setattr(experiment.uplift, "LEARNERS", {"T": experiment.uplift.t_learner})
    rng, clear, areas = np.random.default_rng(9), [], []
    for seed in range(40):
        frame = pd.DataFrame(
            {
                "unit_id": [f"{i:04d}" for i in range(800)], "variant": rng.choice(["mail", "control"], 800),
                "outcome_spend": rng.normal(10, 3, 800), "covariate_age": rng.normal(size=800),
            }
        )  # fmt: skip
        found = experiment.uplift.predict_effects(frame, "outcome_spend", "mail", "control", ["covariate_age"], seed)
        area = experiment.targeting.curves(found, seed, resamples=100).areas.iloc[0]
        clear.append(area["area"] > 0 and area["pvalue"] < 0.05)
        areas.append(area["area"])
    assert np.mean(clear) <= 0.1 and abs(np.mean(areas)) < 3 * np.std(areas) / np.sqrt(40)


@pytest.mark.slow
def test_a_rule_pays_where_effects_differ(learned):
    predicted, truth = learned
    table = experiment.targeting.profits(predicted, 1, margin=1, cost=1).set_index("policy")
    # ages above 50 pay: half of all, with a mean effect of 2.5 against a cost of 1
    for learner in experiment.uplift.LEARNERS:
        row, rule = table.loc[learner], predicted.effects[learner] > 1
        assert predicted.effects.groupby(predicted.half).size().tolist() == [3000, 3000]
        assert row["treated"] == rule.mean() == pytest.approx(0.5, abs=0.12)
        own = float(((truth[rule.index] - 1) * rule).mean())
        error = (row["high"] - row["low"]) / 3.92
        assert abs(row["profit"] - own) < 3.3 * error and 0.65 < own < 0.77, "near the 0.75 of who knows the effects"
        assert row["better_low"] > 0, "better than everybody, who bring nothing on the mean"


def test_what_cannot_be_learned_from_is_named():
    frame, _ = planted(500)
    with pytest.raises(ValueError, match="expected at least 100 and 20 of 'mail' and of 'control'"):
        experiment.uplift.predict_effects(frame.head(250), "outcome_spend", "mail", "control", ["covariate_age"], 1)


@pytest.mark.slow
def test_the_figure_says_the_areas(learned):
    one = experiment.targeting.curves(learned[0], 1)
    picture = figures.gains({"mail": one, "call": one}, "spend", 0.95)
    area = one.areas.set_index("learner").loc["DR", "area"]
    assert all(f"{arm} Qini coefficient {area:.3g} (" in picture.alt for arm in ("mail", "call")) and picture.png()


@pytest.mark.slow
def test_the_advice_is_that_of_the_learner_that_was_chosen_before(learned):
    table = experiment.targeting.profits(learned[0], 1, margin=1, cost=1)
    revenue, profit = (experiment.Money("spend", cost=cost, currency="EUR") for cost in (0, 1))
    said = experiment.targeting.advice(table, "mail", profit)
    row = table.set_index("policy").loc["DR"]
    assert said.startswith(
        f"Targeting mail by the DR model ({row['treated']:.0%} of customers) brings {row['better']:.3f} EUR more profit per customer"
    )
    assert said.endswith("): statistically significant.")
    less = table.assign(better=-table["better"], better_low=-table["better_high"], better_high=1.0)
    said = experiment.targeting.advice(less, "mail", revenue, arms=2)
    assert (
        " brings 0." in said
        and " EUR less revenue per customer" in said
        and said.endswith(", simultaneous over 2 arms): inconclusive.")
    )
    never = experiment.targeting.profits(learned[0], 1, margin=1, cost=1000)
    assert (
        experiment.targeting.advice(never, "mail", profit)
        == "The DR model finds no customer for whom mail raises profit."
    )
    always = experiment.targeting.profits(learned[0], 1, margin=1000, cost=0)
    always["treated"] = always["treated"].where(always["policy"] != "DR", 1.0)
    said = experiment.targeting.advice(always, "mail", revenue)
    assert said == "The DR model finds no customer for whom mail does not raise revenue."


def test_covariates_that_say_nothing_are_left_out():
    frame, _ = planted(400)
    frame = frame.assign(covariate_none=None, covariate_same="x", covariate_some=np.where(frame.index % 2, "y", None))
    columns = [name for name in frame if name.startswith("covariate_")]
    assert features(frame, columns).columns.tolist() == ["age", "zip rural", "zip urban", "some y"]
    with pytest.raises(ValueError, match="no covariate differs between units"):
        experiment.uplift.predict_effects(
            frame, "outcome_spend", "mail", "control", ["covariate_none", "covariate_same"], 1
        )


@pytest.mark.slow
def test_a_finding_needs_no_more_draws_at_a_higher_confidence(learned):
    areas = experiment.targeting.curves(learned[0], 1, confidence=0.999).areas
    assert (areas["pvalue"] < 1e-6).all(), "not bounded by the number of draws"
    wide, narrow = areas["high"] - areas["low"], experiment.targeting.curves(learned[0], 1, confidence=0.5).areas
    assert (wide > narrow["high"] - narrow["low"]).all()
