"""Policies beside what was logged: closed forms, planted truth, false recommendations, and options of a notebook."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import bandit
from customerlab.analysis.bandit import LOGGED, DecisionLog, action_values, compare
from customerlab.analysis.bandit.options import at_positions, costs, long_term, looked_at, own_target, silent
from customerlab.errors import ParameterError
from decision_world import ACTIONS, always, by_context, world


def test_what_was_logged_is_its_mean_and_a_policy_has_its_planted_value():
    log, truth = world(1, 20_000)
    found = compare({"always c": always(2, 20_000), "by age": by_context(log)}, log, seed=1)
    table = found.table.set_index("policy")
    assert table["value"][LOGGED] == log.rows["reward"].mean() and table["treated"][LOGGED] == pytest.approx(
        0.5, abs=0.02
    )
    for name, target in (("always c", always(2, 20_000)), ("by age", by_context(log))):
        row, value = table.loc[name], (target * truth).sum(axis=1).mean()
        assert row["low"] < value < row["high"] and row["high"] - row["low"] < 0.06
        assert row["gain"] == pytest.approx(row["value"] - table["value"][LOGGED])
    assert found.recommended == "by age" and table["over"].tolist()[1:] == [LOGGED, "always c"]
    assert found.propensities == "logged"


def test_without_contexts_an_action_is_worth_the_mean_of_its_rewards():
    log, _ = world(2, 6_000, customers=False)
    log = DecisionLog(log.rows, pd.DataFrame(index=log.rows.index), ACTIONS, {}, 0)
    table = action_values(log, seed=1).set_index("action")
    for (name, part), p in zip(log.rows.groupby("action"), (0.5, 0.3, 0.2), strict=True):
        share = part["reward"].mean()
        error = np.sqrt(share * (1 - share) / (6_000 * p))
        # cross-fitting moves the estimate by a part of the error; the interval is the binomial one at 1 - .05 / 3
        assert abs(table["value"][name] - share) < 0.1 * error
        half = stats.norm.isf(0.025 / 3) * error
        assert (table["high"][name] - table["low"][name]) / 2 == pytest.approx(half, rel=0.04)


def test_costs_are_taken_off_of_what_each_policy_does():
    log, _ = world(3)
    target = {"mixed": np.tile([0.2, 0.3, 0.5], (3_000, 1))}
    free, paid = (compare(target, log, seed=1, costs=cost).table["value"] for cost in (None, [0.0, 0.1, 0.2]))
    shares = log.rows["action"].value_counts(normalize=True)
    assert (free - paid).tolist() == pytest.approx([0.1 * shares["b"] + 0.2 * shares["c"], 0.3 * 0.1 + 0.5 * 0.2])


def test_rows_may_come_in_any_order():
    log, _ = world(4)
    order = np.random.default_rng(1).permutation(3_000)
    other = DecisionLog(
        log.rows.iloc[order].reset_index(drop=True), log.contexts.iloc[order].reset_index(drop=True), ACTIONS, {}, 0
    )
    one = compare({"by age": by_context(log)}, log, seed=1).table
    two = compare({"by age": by_context(log)[order]}, other, seed=1).table
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(action_values(log, seed=1), action_values(other, seed=1))


def test_a_policy_that_the_log_cannot_judge_has_no_number_and_is_not_recommended():
    log, _ = world(5, shares=(0.6, 0.4, 0.0))
    found = compare({"always c": always(2, 3_000), "always b": always(1, 3_000)}, log, seed=1)
    row = found.table.set_index("policy").loc["always c"]
    assert row[["value", "low", "high", "gain", "difference"]].isna().all() and silent(found)
    assert not found.gates["always c"].passed and "never logged" in found.gates["always c"].reasons[0]
    assert found.recommended == LOGGED and looked_at(found) == "always b"
    none = compare({"always c": always(2, 3_000)}, log, seed=1)
    assert looked_at(none) == "" and "cannot tell" in bandit.by_recommended(none, 3_000)[0]
    assert bandit.by_gates(none.gates)[0].startswith("The log cannot tell what always c would earn. Action c")


@pytest.mark.parametrize("rewards", [0.0, 1.0])
def test_equal_rewards_have_no_interval_and_recommend_nothing(rewards):
    log, _ = world(6)
    log = DecisionLog(log.rows.assign(reward=rewards), log.contexts, ACTIONS, {}, 0)
    found = compare({"always b": always(1, 3_000)}, log, seed=1)
    assert found.table["low"].isna().all() and found.recommended == LOGGED
    assert found.table["value"].tolist() == pytest.approx([rewards, rewards])
    values = action_values(log, seed=1)
    assert values["low"].isna().all(), "no variation: too few to tell"
    assert "too few rewards" in bandit.by_recommended(found, 3_000)[1]


def test_a_policy_whose_actions_have_hardly_any_reward_has_no_interval():
    """The rest of the log has rewards enough, but says nothing of an action without any."""
    log, _ = world(10)
    rows = log.rows.assign(reward=log.rows["reward"].where(log.rows["action"] != "c", 0.0))
    log = DecisionLog(rows, log.contexts, ACTIONS, {}, 0)
    found = compare({"always c": always(2, 3_000), "always b": always(1, 3_000)}, log, seed=1)
    table = found.table.set_index("policy")
    assert found.gates["always c"].passed and table.loc["always c", ["low", "gain_low", "from"]].isna().all()
    assert table.loc["always b", ["low", "gain_low", "from"]].notna().all()
    alone = compare({"always c": always(2, 3_000)}, log, seed=1)
    said = bandit.by_recommended(alone, 3_000)[1]
    assert (
        said.startswith("No gain of always c over what was logged is shown")
        and "too few rewards for an interval" in said
    )


def test_with_estimated_propensities_the_mean_of_what_was_logged_has_its_own_error():
    """Estimating propensities makes estimates of policies more exact, and not the mean of rewards that were logged."""
    rng = np.random.default_rng(11)
    action = rng.integers(0, 2, 2_000)
    rows = pd.DataFrame({"action": np.array(["a", "b"])[action], "policy": "equal"})
    rows["decided_at"] = pd.Timestamp("2024-05-06")
    rows["reward"] = (rng.random(2_000) < np.array([0.8, 0.1])[action]) * 1.0
    log = DecisionLog(rows, pd.DataFrame(index=rows.index), ["a", "b"], {}, 0)
    found = compare({"always a": np.tile([1.0, 0.0], (2_000, 1))}, log, seed=1)
    logged, always_a = found.table.to_dict("records")
    mean = rows["reward"].mean()
    assert logged["high"] - mean == pytest.approx(1.96 * rows["reward"].std() / np.sqrt(2_000), rel=0.01)
    own, shown = rows["reward"][action == 0], (action == 0).mean()
    assert always_a["high"] - always_a["value"] == pytest.approx(1.96 * own.std() / np.sqrt(len(own)), rel=0.03)
    # mean of a less mean of both = share of b times the difference of two means, whose share varies, too
    other = rows["reward"][action == 1]
    gap = own.mean() - other.mean()
    variance = (1 - shown) ** 2 * (own.var() / len(own) + other.var() / len(other)) + gap**2 * shown * (
        1 - shown
    ) / 2_000
    assert always_a["gain_high"] - always_a["gain"] == pytest.approx(1.96 * np.sqrt(variance), rel=0.03)


def test_an_empty_log_and_a_log_of_one_action_have_answers():
    log, _ = world(7, 3_000)
    none = log.part(np.zeros(3_000, dtype=bool))
    found = compare({"always b": np.zeros((0, 3))}, none, seed=1)
    assert found.recommended == LOGGED and not found.gates["always b"].passed and silent(found)
    one = log.part((log.rows["action"] == "a").to_numpy())
    one = DecisionLog(one.rows.assign(propensity=1.0), one.contexts, ["a"], {}, 0)
    found = compare({"always a": np.ones((len(one.rows), 1))}, one, seed=1)
    assert found.table["gain"].tolist()[1] == pytest.approx(0) and found.recommended == LOGGED


def test_options_are_checked_against_the_log():
    assert costs(["b: 0.5"], ACTIONS) == [0, 0.5, 0] and own_target([], ACTIONS, 4) == {}
    assert own_target(["a: 0.25", "c: 0.75"], ACTIONS, 2)["own policy"].tolist() == [[0.25, 0, 0.75]] * 2
    with pytest.raises(ParameterError, match="'z' of action_costs is not in the log"):
        costs(["z: 1"], ACTIONS)
    with pytest.raises(ParameterError, match=r"sum to 0\.9"):
        own_target(["a: 0.5", "b: 0.4"], ACTIONS, 2)


def test_a_hold_out_is_of_the_customers_judged_on():
    log, _ = world(8, 20_000)
    found = compare({"by age": by_context(log)}, log, seed=1)
    size, gain = long_term(found, log)
    customers = log.rows["customer_id"].nunique()
    assert size["holdout"] + size["launched"] == customers
    assert gain * customers == pytest.approx(found.table["gain_low"][1] * 20_000)
    named = log.rows.drop(columns="customer_id")
    assert long_term(found, DecisionLog(named, log.contexts, ACTIONS, {}, 0))[0] is None


def test_each_position_is_judged_by_its_own_decisions():
    log, _ = world(9, 4_000)
    place = np.where(np.arange(4_000) % 4 == 0, "side", "top")
    rows = log.rows.assign(position=pd.Series(place).where(np.arange(4_000) % 7 > 0))
    rows["reward"] = np.where(place == "side", 0.5, 1.0) * rows["reward"]
    found = at_positions(DecisionLog(rows, log.contexts, ACTIONS, {}, 0), always(1, 4_000), seed=1)
    value = {name: one.table.set_index("estimator")["value"]["dr"] for name, one in found.items()}
    assert sum(one.number for one in found.values()) == rows["position"].notna().sum()
    assert value["side"] == pytest.approx(0.1, abs=0.04) and value["top"] == pytest.approx(0.2, abs=0.04)


@pytest.mark.thorough
def test_gains_are_covered_and_nothing_is_recommended_by_chance():
    """400 worlds: intervals of the gain hold it in 95%; without differences a policy is recommended in at most 5%."""
    inside = wrong = 0
    for seed in range(400):
        log, truth = world(seed, 1_500)
        logged = (truth * np.array([0.5, 0.3, 0.2])).sum(axis=1).mean()
        row = compare({"by age": by_context(log)}, log, seed=1).table.iloc[1]
        inside += row["gain_low"] <= (by_context(log) * truth).sum(axis=1).mean() - logged <= row["gain_high"]
        flat, _ = world(seed, 1_500, chance=np.full((2, 3), 0.2))
        tried = {"always b": always(1, 1_500), "by age": by_context(flat)}
        wrong += compare(tried, flat, seed=1).recommended != LOGGED
    low, high = stats.binom.interval(0.999, 400, 0.95)
    assert low <= inside <= high
    assert wrong <= stats.binom.isf(0.001, 400, 0.05)
