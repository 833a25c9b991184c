"""The log of decisions as methods see it: order, contexts as numbers, means over customers, shrunken rates, tests."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.bandit.decision_log import (
    LEVELS,
    DecisionLog,
    by_policy,
    clustered,
    decision_log,
    monthly_tests,
    rates,
)


def log_of(rows: pd.DataFrame, **options):
    return decision_log(ibis.memtable(rows), **options)


def some(n=600, seed=1, actions=3, p=None, **columns):
    """Decisions of 2024, one every hour, drawn with equal chances."""
    rng = np.random.default_rng(seed)
    action = rng.integers(0, actions, n)
    chance = np.full(actions, 0.3) if p is None else np.asarray(p)
    rows = {
        "decided_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n), unit="h"),
        "action": np.array(list("abcdefgh"))[action],
        "reward": (rng.random(n) < chance[action]).astype(float),
        "propensity": 1 / actions,
        "customer_id": [f"c{k % (n // 3)}" for k in range(n)],
    }
    return pd.DataFrame(rows | columns)


def test_the_order_of_rows_changes_nothing():
    rows = some(context_device=np.tile(["phone", "tablet", "desk"], 200), context_age=np.arange(600.0), position="top")
    one, other = log_of(rows), log_of(rows.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(one.rows, other.rows)
    pd.testing.assert_frame_equal(one.contexts, other.contexts)
    assert one.actions == other.actions


def test_contexts_become_numbers_without_those_that_say_nothing_more():
    rows = some(
        context_two=np.tile(["x", "y"], 300), context_same="z", context_age=np.where(np.arange(600) % 4, 7.0, np.nan),
        context_many=[f"m{k % 20}" for k in range(600)], position=np.tile(["top", "top", "middle"], 200),
    )  # fmt: skip
    log = log_of(rows)
    names = list(log.contexts)
    assert [name for name in names if "two" in name] == ["two: x"], "its opposite says nothing more"
    assert not [name for name in names if "same" in name or "age" in name], "no variation"
    assert len([name for name in names if "many" in name]) == LEVELS
    assert log.labels["position: top"] == ("position", "top")
    assert log.contexts["position: top"].mean() == pytest.approx(2 / 3)


def test_what_is_missing_in_a_number_is_the_median():
    rows = some(context_age=np.where(np.arange(600) % 4, np.arange(600.0), np.nan))
    kept = rows["context_age"].dropna()
    assert log_of(rows).contexts["age"][0] == kept.median()


def test_decisions_without_a_known_reward_are_left_out_and_counted():
    rows = some()
    rows.loc[:9, "reward"] = np.nan
    log = log_of(rows)
    assert log.unknown == 10 and len(log.rows) == 590 and len(log.contexts) == 590


def test_the_control_comes_first_and_must_be_an_action():
    rows = some(p=[0.1, 0.1, 0.1])
    frequent = rows["action"].value_counts().index[0]
    assert log_of(rows).actions[0] == frequent
    assert log_of(rows, control="c").actions[0] == "c" and set(log_of(rows, control="c").actions) == set("abc")
    with pytest.raises(ValueError, match="control_action = 'd'; expected one of"):
        log_of(rows, control="d")


def test_earlier_and_later_decisions_share_no_day():
    earlier, later = log_of(some(997)).split()
    assert len(earlier.rows) + len(later.rows) == 997
    assert earlier.rows["decided_at"].max().normalize() < later.rows["decided_at"].min().normalize()
    assert 0.5 < len(earlier.rows) / 997 <= 0.6
    day = some(50).assign(decided_at=pd.Timestamp("2024-05-06"))
    earlier, later = log_of(day).split()
    assert (len(earlier.rows), len(later.rows)) == (0, 50), "of one day none are earlier"


def test_a_log_without_rewards_is_empty():
    log = log_of(some().assign(reward=np.nan))
    assert (log.actions, len(log.rows), log.unknown) == ([], 0, 600)
    assert [len(part.rows) for part in log.split()] == [0, 0] and monthly_tests(log).empty and by_policy(log).empty


def test_errors_are_over_customers():
    rng = np.random.default_rng(3)
    values, ids = rng.normal(size=300), pd.Series(np.repeat(np.arange(100), 3))
    _, error = clustered(values, None)
    assert error == pytest.approx(stats.sem(values))
    once, many = clustered(values, None), clustered(np.repeat(values, 3), pd.Series(np.repeat(np.arange(300), 3)))
    assert once == pytest.approx(many), "a row three times is one customer"
    # of equal numbers of decisions: the standard error of the customers' means
    by = pd.Series(values).groupby(ids).mean()
    assert clustered(values, ids)[1] == pytest.approx(stats.sem(by))


def test_each_policy_is_told_what_it_earned():
    rows = some(900)
    rows["policy"] = np.where(np.arange(900) < 600, "equal", None)
    table = by_policy(log_of(rows)).set_index("policy")
    assert table.index.tolist() == ["equal", "not stated"]
    assert table["decisions"].tolist() == [600, 300] and table["value"]["equal"] == rows["reward"][:600].mean()
    few = rows.assign(reward=(np.arange(900) == 3) * 1.0)
    assert by_policy(log_of(few))["low"].isna().all(), "too few rewards for an interval"


def test_rates_are_shrunken_more_the_less_they_differ():
    apart, alike = (log_of(some(3_000, p=p)) for p in ([0.1, 0.3, 0.5], [0.3, 0.3, 0.3]))
    raw = {one: log.rows.groupby("action")["reward"].mean() for one, log in (("apart", apart), ("alike", alike))}
    assert rates(apart).sub(raw["apart"]).abs().max() < 0.01
    assert rates(alike).std() < 0.3 * raw["alike"].std()
    assert rates(apart).between(0, 1).all()


def test_rates_undo_what_the_propensities_did():
    rng = np.random.default_rng(5)
    good = rng.random(20_000) < 0.5  # customers who click twice as often, and get action a more often
    p = np.where(good, 0.8, 0.2)
    a = rng.random(20_000) < p
    rows = some(20_000).assign(action=np.where(a, "a", "b"), propensity=np.where(a, p, 1 - p))
    rows["reward"] = (rng.random(20_000) < np.where(good, 0.4, 0.2)).astype(float)
    found = rates(log_of(rows))
    assert abs(found["a"] - found["b"]) < 0.02 and abs(found.mean() - 0.3) < 0.02
    raw = rows.groupby("action")["reward"].mean()
    assert raw["a"] - raw["b"] > 0.1


def test_the_monthly_test_is_a_test_of_two_shares():
    """With equal propensities, and variances of the sample: the unpooled z-test of two proportions."""
    rows = some(744, p=[0.2, 0.5, 0.3])
    log = log_of(rows, control="a")
    table = monthly_tests(log).set_index("action")
    assert table["decided_at"].unique().tolist() == [pd.Timestamp("2024-02-01")] and table["test"]["b"] == "b, 2024-01"
    n, share = rows.groupby("action").size(), rows.groupby("action")["reward"].mean()
    variance = share * (1 - share) / n
    z = (share["b"] - share["a"]) / np.sqrt(variance["a"] + variance["b"])
    assert table["p"]["b"] == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert table["effect"]["b"] == pytest.approx(share["b"] - share["a"])


def test_months_with_few_rewards_are_not_tested():
    table = monthly_tests(log_of(some(800, p=[0.3, 0.3, 0.3]), control="a"))
    assert table["test"].str.endswith("2024-01").all(), "56 hours of February"
    assert monthly_tests(log_of(some(744, p=[0.01, 0.3, 0.3]), control="a")).empty, "the control has too few"


@pytest.mark.thorough
def test_monthly_tests_keep_their_level():
    """Of 600 tests without an effect, of decisions whose propensities differ, at most so many are below 0.05."""
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        p = rng.choice([0.2, 0.6], 1_500)
        a = np.where(rng.random(1_500) < p, "a", np.where(rng.random(1_500) < 0.5, "b", "c"))
        rows = pd.DataFrame({"action": a, "propensity": np.where(a == "a", p, (1 - p) / 2)})
        rows["decided_at"], rows["reward"] = pd.Timestamp("2024-03-31"), (rng.random(1_500) < 0.2) * 1.0
        log = DecisionLog(rows, pd.DataFrame(index=rows.index), ["a", "b", "c"], {}, 0)
        found += monthly_tests(log)["p"].tolist()
    rate = np.mean(np.array(found) < 0.05)
    low, high = stats.binom.interval(0.999, len(found), 0.05)
    assert len(found) == 600 and low <= rate * len(found) <= high
