"""What the page says of decisions: each sentence by a case of its own, and tables that say the same."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import bandit
from customerlab.analysis.bandit import Stream, compare, decide
from customerlab.analysis.bandit.compare import LOGGED, Compared
from customerlab.analysis.bandit.gate import Gate
from customerlab.analysis.bandit.simulate import Plan, World, compared, simulate
from customerlab.figures import bandit as figures
from decision_world import ACTIONS, always, by_context, world

PASSED = Gate(True, (), pd.DataFrame({"check": ["mean weight"], "value": [1.0], "limit": [1.0], "passed": [True]}))
FAILED = Gate(
    False, ("Log more.",), pd.DataFrame({"check": ["mean weight"], "value": [0.5], "limit": [1.0], "passed": [False]})
)


def row(policy, gain=np.nan, error=0.0, over=np.nan):
    ends = {"gain": gain, "gain_low": gain - error, "gain_high": gain + error}
    apart = {"over": over, "difference": gain, "from": gain - error, "to": gain + error}
    return {"policy": policy, "treated": 0.5, "value": 0.05 + gain, "low": 0.04, "high": 0.06} | ends | apart


def found(rows, gates, recommended):
    table = pd.DataFrame([row(LOGGED) | {"value": 0.05, "over": np.nan}, *rows])
    return Compared(table, gates, recommended, "logged")


def test_a_recommendation_says_how_much_over_what_and_how_sure():
    rows = [row("always b", 0.01, 0.004, LOGGED), row("shallow tree", 0.02, 0.03, "always b")]
    said = bandit.by_recommended(found(rows, {"always b": PASSED, "shallow tree": PASSED}, "always b"), 4_000)
    assert said[0] == (
        "Recommended policy: always b. On 4,000 later decisions it would have earned 60.0 rewards per 1,000 decisions, 10.0 more than "
        "what was logged (95% CI 6.0 to 14.0)."
    )
    assert said[1].startswith("No gain of shallow tree over always b is shown: difference 20.0")
    assert "simultaneous 95% CI -10.0 to 50.0" in said[1] and len(said) == 2


def test_without_a_gain_no_policy_is_recommended():
    few = row("always b", 0.01, np.nan, LOGGED)
    said = bandit.by_recommended(found([few], {"always b": PASSED}, LOGGED), 300)
    assert said[0].startswith("No other policy is recommended. ") and "too few rewards for an interval" in said[1]
    said = bandit.by_recommended(found([row("always b")], {"always b": FAILED}, LOGGED), 300)
    assert said[0].startswith("The log cannot tell which policy is better") and len(said) == 1
    assert bandit.by_recommended(found([], {}, LOGGED), 0)[0].startswith("There are no later decisions")
    assert bandit.by_gates({"a": PASSED, "b": FAILED}) == ["The log cannot tell what b would earn. Log more."]


def test_a_failed_check_is_marked_in_the_table():
    ((table, _, _),) = bandit.gate_table({"one": PASSED, "other": FAILED})
    assert table.to_numpy().tolist() == [["mean weight", "1", "1", "0.5 (failed)"]]
    assert bandit.gate_table({}) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([(0.3, 0.25, 0.35), (0.2, 0.15, 0.24)], "Its interval is above those of all others."),
        ([(0.3, 0.25, 0.35), (0.2, 0.15, 0.26)], "not shown to be the best."),
        ([(0.3, 0.25, 0.35), (np.nan, np.nan, np.nan)], "Single actions: too few to tell. For 1 of 2 actions"),
    ],
)
def test_the_best_single_action_is_named_only_if_it_can_be_told(values, said):
    table = pd.DataFrame(values, columns=["value", "low", "high"]).assign(action=["a", "b"], decisions=9, rewards=9)
    assert said in bandit.by_actions(table)[0]


def test_words_and_tables_of_worlds_say_the_same():
    plan = Plan(effect=0.1, baseline=0.1)
    policies = {"Thompson": bandit.Policy("thompson", 2)}
    worlds = {"apart": World([0.1, 0.5]), "equal": World([0.3, 0.3])}
    table = compared({name: simulate(policies, one, 1_000, 20, 50, 1, plan=plan) for name, one in worlds.items()})
    said = bandit.by_worlds(table)
    assert said[0].startswith(
        "Rates apart: all bandits lose less than the A/B test in 1,000 decisions, which is planned for"
    )
    assert said[1].startswith("Rates equal: no bandit is shown to lose less")
    ((shown, _, formats),) = bandit.world_table(table)
    one = shown.iloc[0]
    for name in ("regret", "saved", "saved from", "saved to"):
        assert formats[name].format(one[name]) in said[0], name
    assert (
        bandit.by_worlds(compared({}))[0].endswith("there is nothing to choose.")
        and bandit.world_table(compared({})) == []
    )


def test_a_stream_is_told_beside_each_test_by_itself():
    tests = pd.DataFrame({"test": ["a", "b"], "decided_at": ["2026-01-01", "2026-02-01"], "p": [0.0001, 0.04]})
    table, stream = decide(tests, Stream("saffron"))
    said = bandit.by_stream(table, stream)[0]
    assert said.startswith("1 of 2 tests are significant (SAFFRON") and said.endswith(
        "Each by itself at 5%, 2 would be."
    )
    ((shown, _, _),) = bandit.stream_table(table)
    assert shown["p"].tolist() == ["< 0.001", "0.040"] and shown["read on"].tolist() == ["2026-01-01", "2026-02-01"]
    assert "too few" in bandit.by_stream(table[:0], stream)[0]


def test_estimators_and_positions_of_a_policy():
    log, _ = world(1, 4_000)
    rows = log.rows.assign(position=np.where(np.arange(4_000) < 60, "side", "top"))
    one = bandit.evaluate(rows, by_context(log), ACTIONS, contexts=log.contexts, seed=1)
    said = bandit.by_estimators(one, "by age")[0]
    tables = bandit.estimate_tables(one, "by age")
    shown = {round(value, 1) for value in tables[0][0]["rewards"]}
    assert f"are from {min(shown)} to {max(shown)} rewards" in said and f"by {len(tables[0][0])} estimators" in said
    placed = bandit.at_positions(type(log)(rows, log.contexts, ACTIONS, {}, 0), by_context(log), seed=1)
    assert bandit.by_positions(placed, "by age") == ["At 1 of 2 positions the log cannot tell what by age earns: side."]
    table = bandit.position_table(placed, "by age")[0][0].set_index("position")
    assert np.isnan(table["rewards"]["side"]) and table["rewards"]["top"] > 0


def test_figures_tell_their_numbers():
    log, _ = world(1, 4_000)
    one = compare({"always c": always(2, 4_000), "by age": by_context(log)}, log, seed=1)
    gains = figures.gains(one.table)
    for policy, gain in one.table[["policy", "gain"]].dropna().itertuples(index=False):
        assert f"{policy} {1000 * gain:.3g}" in gains.alt
    values = bandit.action_values(log, seed=1)
    assert all(f"{name} " in figures.actions(values, 0.2).alt for name in ACTIONS)
    curve = simulate({"UCB1": bandit.Policy("ucb1", 2)}, World([0.1, 0.5]), 500, 20, 30, 1, plan=Plan(0.1, 0.1)).curve
    assert figures.regret({"one": curve, "two": curve}).alt.count("UCB1") == 2
    tests = pd.DataFrame({"test": ["a", "b"], "decided_at": ["2026-01-01", "2026-02-01"], "p": [0.0001, 0.04]})
    assert "2 tests by time" in figures.tests(decide(tests, Stream("saffron"))[0], 0.05).alt
    for picture in (gains, figures.actions(values, 0.2), figures.regret({"one": curve})):
        assert picture.png().startswith(b"\x89PNG")
