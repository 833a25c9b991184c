"""Ramp-up and hold-out: scipy's tests, closed forms, planted effects, and the rate of false alarms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.bandit.rollout import SCHEDULE, against_holdout, holdout_size, ramp
from customerlab.analysis.experiment.design import Baseline, power_of
from customerlab.analysis.experiment.sequential import confidence_sequence
from helpers import by_chance


def checks(*effects, metric="orders", units=10_000, error=None):
    """Steps of one guardrail, with the standard error of a metric of deviation 1."""
    shares = np.array(SCHEDULE[: len(effects)])
    errors = (units * shares * (1 - shares)) ** -0.5 if error is None else error
    return pd.DataFrame({"share": shares, "metric": metric, "effect": effects, "error": errors, "units": units})


# Ramp-up


def test_steps_are_combined_by_their_variances_at_any_time():
    steps = checks(0.1, -0.2, 0.05)
    table = ramp(steps, {"orders": 0.0}, planned_units=10_000).table
    weight = 1 / steps["error"] ** 2
    effect = np.array([np.average(steps["effect"][:n], weights=weight[:n]) for n in (1, 2, 3)])
    error = np.array([weight[:n].sum() ** -0.5 for n in (1, 2, 3)])
    information = np.cumsum([0.01 * 0.99, 0.05 * 0.95, 0.2 * 0.8]) / (0.0099 + 0.0475 + 0.16 + 0.25)
    low, high, _ = confidence_sequence(effect, error, information)
    assert table["effect"].to_numpy() == pytest.approx(effect, rel=1e-12)
    assert table[["low", "high"]].to_numpy() == pytest.approx(np.column_stack([low, high]), rel=1e-12)


@pytest.mark.parametrize(
    ("effects", "decision", "share"),
    [
        ([0.0], "forward", 0.05),
        ([0.0, 0.1, 0.0], "forward", 0.5),
        ([0.0, 0.0, 0.0, 0.0], "complete", 1.0),
        ([0.0, -0.9], "back", 0.0),
        ([-1.5, 0.5, 0.5], "back", 0.0),  # whatever came after
    ],
)
def test_the_next_step(effects, decision, share):
    found = ramp(checks(*effects), {"orders": 0.02}, planned_units=10_000)
    assert (found.decision, found.share) == (decision, share)
    assert ("orders" in "".join(found.reasons)) == bool({"harm", "inconclusive"} & set(found.table["verdict"]))


def test_a_tolerated_loss_is_no_reason_to_go_back():
    loss = checks(-0.1, -0.1, -0.1, -0.1, units=100_000)
    assert ramp(loss, {"orders": 0.0}, planned_units=100_000).decision == "back"
    found = ramp(loss, {"orders": 0.2}, planned_units=100_000)
    assert found.decision == "complete" and found.reasons == () and found.table["verdict"].iloc[-1] == "no harm"
    near = ramp(loss, {"orders": 0.1}, planned_units=100_000)
    assert near.decision == "complete" and near.reasons[0].endswith("inconclusive")


def test_several_guardrails_share_the_level():
    both = pd.concat([checks(0.0, 0.3), checks(0.0, 0.0, metric="returns")])
    pair = ramp(both, {"orders": 0.0, "returns": 0.0}, planned_units=10_000)
    alone = ramp(both, {"orders": 0.0}, planned_units=10_000, confidence=0.975)
    own = pair.table[pair.table["metric"] == "orders"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone.table)
    mixed = ramp(both.sample(frac=1, random_state=3), {"returns": 0.0, "orders": 0.0}, planned_units=10_000)
    pd.testing.assert_frame_equal(mixed.table, pair.table)


def test_a_step_with_too_few_customers_is_not_passed():
    found = ramp(checks(-9.0, units=1_900), {"orders": 0.0}, planned_units=10_000)  # 19 have the new version
    assert (found.decision, found.share, found.reasons) == ("stay", 0.01, ("orders at 1%: too few to tell",))
    assert ramp(checks(-9.0, units=2_000), {"orders": 0.0}, planned_units=10_000).decision == "back"
    for error in (0.0, np.nan):
        found = ramp(checks(0.0, error=error), {"orders": 0.0}, planned_units=10_000)
        assert found.decision == "stay" and found.table["low"].isna().all()


def test_wrong_steps_are_refused():
    for said, table, margins in [
        ("guardrails", checks(0.0), {}),
        ("zero or more", checks(0.0), {"orders": -0.1}),
        ("expected the first ones", checks(0.0, 0.0).tail(1), {"orders": 0.0}),
        ("expected the first ones", checks(), {"orders": 0.0}),
        ("no control", checks(0.0, 0.0, 0.0, 0.0, 0.0, error=0.1), {"orders": 0.0}),
        ("each guardrail once", checks(0.0), {"orders": 0.0, "returns": 0.0}),
        ("each guardrail once", pd.concat([checks(0.0)] * 2), {"orders": 0.0}),
    ]:
        with pytest.raises(ValueError, match=said):
            ramp(table, margins, planned_units=10_000)


@pytest.mark.thorough
def test_a_harmless_version_is_taken_back_at_most_at_the_level():
    rng, runs, back = np.random.default_rng(1), 500, {0.0: 0, -0.2: 0}
    for effect in back:
        for _ in range(runs):
            parts = [checks(0.0, 0.0, 0.0, 0.0, metric=metric) for metric in ("orders", "revenue")]
            steps = pd.concat(parts)
            steps["effect"] = effect + rng.normal(0, steps["error"])
            steps["units"] = 10_000
            back[effect] += ramp(steps, {"orders": 0.0, "revenue": 0.0}, planned_units=10_000).decision == "back"
    print({effect: number / runs for effect, number in back.items()})
    assert back[0.0] / runs <= by_chance(0.05, runs)[1] and back[-0.2] / runs > 0.95


# Hold-out


def test_the_smallest_holdout_that_finds_the_effect():
    base = Baseline(50, 80)
    found = holdout_size(base, 4, 100_000)
    held = int(found["holdout"])
    assert power_of(base, 4, (held, 100_000 - held)) >= 0.8 > power_of(base, 4, (held - 1, 100_001 - held))
    # by the normal distribution 1/h + 1/(N - h) = (effect / (deviation (z + z)))², and Student's t adds a few
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    inverse = (4 / (80 * z)) ** 2
    closed = 50_000 * (1 - np.sqrt(1 - 4 / (100_000 * inverse)))
    assert 0 <= held - closed < 4
    assert holdout_size(Baseline(0.1, 0, proportion=True), 0.01, 100_000)["share"] == pytest.approx(0.08, abs=0.01)
    for customers in (3_000, 3, 0):
        with pytest.raises(ValueError, match="not found even with half"):
            holdout_size(base, 4, customers)


def shop(seed, effect, customers=400, weeks=6, held=0.3):
    """Weekly spend of customers who differ in level, with an effect by week on those who get launches."""
    rng = np.random.default_rng(seed)
    groups = pd.DataFrame({"customer_id": [f"c{n:04d}" for n in range(customers)]})
    groups["held_out"] = np.arange(customers) < held * customers
    level = rng.gamma(2, 5, customers)
    values = rng.poisson(level[:, None], (customers, weeks)) + np.outer(~groups["held_out"], effect)
    rows = pd.DataFrame(values.astype(float), columns=range(1, weeks + 1)).assign(customer_id=groups["customer_id"])
    return rows.melt("customer_id", var_name="week", value_name="value").astype({"week": int}), groups, values


def test_effects_are_those_of_welch_on_what_customers_add_up_to():
    spend, groups, values = shop(1, [3.0, 2.0, 2.0, 1.0, 0.0, 0.0])
    found, held = against_holdout(spend, groups), groups["held_out"].to_numpy()

    def welch(one):
        test = stats.ttest_ind(one[~held], one[held], equal_var=False)
        ends = test.confidence_interval(0.95)
        return [one[~held].mean() - one[held].mean(), ends.low, ends.high, test.pvalue]

    slopes = np.polyfit(np.arange(1, 7), values.T, 1)[0]
    assert found.total.tolist() == pytest.approx(welch(values.sum(axis=1)), rel=1e-9)
    assert found.trend.tolist() == pytest.approx(welch(slopes), rel=1e-9)
    for week in range(6):
        row = found.weekly.loc[week, ["effect", "low", "high", "p"]].tolist()
        assert row == pytest.approx(welch(values[:, week]), rel=1e-9)
    assert found.weekly["week"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found.weekly["effect"].sum() == pytest.approx(found.total["effect"], rel=1e-12)


def test_a_planted_decay_is_told_from_an_effect_that_lasts():
    decays, lasts = ([4 * 0.6**week for week in range(6)], [1.5] * 6)
    novelty, steady = (against_holdout(*shop(seed, effect, 1_000)[:2]) for seed, effect in ((2, decays), (3, lasts)))
    assert novelty.findings[1].startswith("The effect falls") and novelty.trend["high"] < 0
    assert steady.findings[1].startswith("No trend") and steady.total["low"] < 9 < steady.total["high"]
    grows = against_holdout(*shop(4, np.arange(6.0), 1_000)[:2])
    assert grows.findings[1].startswith("The effect rises")


def test_rows_may_be_split_left_out_and_in_any_order():
    spend, groups, _ = shop(5, [1.0] * 6)
    found = against_holdout(spend, groups)
    halves = pd.concat([spend[spend["value"] > 0].assign(value=lambda t: t["value"] / 2)] * 2)
    again = against_holdout(halves.sample(frac=1, random_state=1), groups.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(again.weekly, found.weekly, rtol=1e-12)
    other = against_holdout(halves.sample(frac=1, random_state=7), groups)
    pd.testing.assert_frame_equal(other.weekly, again.weekly, check_exact=True)


def test_a_single_week_has_no_trend_and_few_customers_nothing():
    spend, groups, _ = shop(6, [1.0])
    spend = spend[spend["week"] == 1]
    found = against_holdout(spend, groups)
    assert len(found.findings) == 1 and found.trend.isna().all() and found.total["p"] == found.weekly["p"].iloc[0]
    held = groups["customer_id"][groups["held_out"]]
    for number, known in ((19, False), (20, True)):
        some = spend[~spend["customer_id"].isin(held.iloc[number:])].assign(value=lambda t: t["value"] + 1)
        found = against_holdout(some, groups)
        assert found.total.notna().all() == known
        assert known or found.findings[0].endswith("too few to tell (19 customers with a value in a group).")
    same = against_holdout(spend.assign(value=1.0), groups)
    assert same.findings == ("The effect of launches so far: no value varies.",)
    none = against_holdout(spend.head(0), groups)
    assert none.weekly.empty and "too few to tell (0 customers" in none.findings[0]


def test_each_customer_is_in_one_group():
    spend, groups, _ = shop(7, [0.0] * 6)
    for table in (groups.head(399), pd.concat([groups, groups.tail(1)])):
        with pytest.raises(ValueError, match="in no group or in two"):
            against_holdout(spend, table)


@pytest.mark.thorough
def test_intervals_of_the_total_and_of_the_trend_hold_their_level():
    runs = 400
    found = [against_holdout(*shop(seed, np.arange(6.0), 300)[:2]) for seed in range(100, 100 + runs)]
    total = np.mean([one.total["low"] < 15 < one.total["high"] for one in found])
    trend = np.mean([one.trend["low"] < 1 < one.trend["high"] for one in found])
    print(f"coverage of the total {total:.3f}, of the trend {trend:.3f}")
    least, most = by_chance(0.95, runs)
    assert least <= total <= most and least <= trend <= most
