"""Rewards: a loop written apart, cases worked out by hand, exact points, and what cannot be simulated."""

from collections import deque
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from customerlab.analysis.campaign.rewards import RewardRule, next_tier, simulate_rewards

RULE = RewardRule(1, threshold=100, value=5, expiry_days=30)
END = pd.Timestamp("2024-06-01")


def orders(rows):
    """Orders of customers, from days after 2024-01-01 and amounts; times rise within the table."""
    table = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    table["ordered_at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(table["day"] * 1440 + np.arange(len(table)), "m")
    table["order_id"] = [f"o{n:04d}" for n in range(len(table))]
    return table.drop(columns="day")


def by_hand(table, rule, until):
    """Each customer played order by order, with a queue of points: issued, redeemed, expired, open, reached."""
    results = {}
    for customer, own in table[table["ordered_at"] < until].sort_values("ordered_at").groupby("customer_id"):
        queue, issued, redeemed, expired, reached = deque(), 0, 0, 0, False
        for day, amount in [*zip(own["ordered_at"].dt.normalize(), own["amount"], strict=True), (until, None)]:
            while queue and queue[0][0] + pd.Timedelta(days=rule.expiry_days) < day:
                expired += queue.popleft()[1]
            if amount is None:
                break
            due = sum(points for _, points in queue) // rule.threshold * rule.threshold
            redeemed += due
            while due:
                since, points = queue.popleft()
                if points > due:
                    queue.appendleft((since, points - due))
                due -= min(points, due)
            earned = max(int(Decimal(str(amount)) * Decimal(str(rule.points_per_unit))), 0)
            issued += earned
            queue.append((day, earned))
            reached |= sum(points for _, points in queue) >= rule.threshold
        results[customer] = [issued, redeemed, expired, sum(points for _, points in queue), reached]
    return results


ROWS = st.tuples(
    st.sampled_from("abcd"), st.integers(0, 160), st.decimals("-20", "400", places=2, allow_nan=False).map(float)
)
RULES = st.builds(
    RewardRule, st.sampled_from(["0.1", "1", "2.5", "0.33"]), st.integers(1, 300), st.just("2.50"), st.integers(0, 90)
)


def compared(table, rule, until):
    """Compare with the loop, and with the rows in another order."""
    found = simulate_rewards(table, rule, until=until)
    names = ["issued", "redeemed", "expired", "open", "reached"]
    played = by_hand(table, rule, until)
    assert dict(zip(found.customers["customer_id"], found.customers[names].values.tolist(), strict=True)) == played
    totals = found.totals
    assert totals["issued"] == totals["redeemed"] + totals["expired"] + totals["open"]
    assert (
        totals["cost"] == totals["deadweight"] == totals["rewards"] * 2.5 == totals["redeemed"] / rule.threshold * 2.5
    )
    again = simulate_rewards(table.sample(frac=1, random_state=1), rule, until=until)
    pd.testing.assert_frame_equal(again.customers, found.customers, check_exact=True)
    pd.testing.assert_series_equal(again.totals, totals, check_exact=True)
    return totals


@pytest.mark.parametrize("rule", [RewardRule("0.33", 100, "2.50", 9), RewardRule(2, 500, "2.50", 14)])
def test_rewards_of_a_shop_are_those_of_a_loop_over_customers(rule):
    rng = np.random.default_rng(7)
    customers, days = rng.choice(list("abcdefghijklmnop"), 600), rng.integers(0, 150, 600)
    table = orders(zip(customers, days, rng.normal(50, 40, 600).round(2), strict=True))
    totals = compared(table, rule, pd.Timestamp("2024-05-30"))
    assert totals[["redeemed", "expired", "open"]].min() > 100


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(ROWS, max_size=40), RULES, st.integers(0, 170))
def test_rewards_of_any_orders_are_those_of_a_loop_over_customers(rows, rule, days):
    compared(orders(rows), rule, pd.Timestamp("2024-01-01") + pd.Timedelta(days=days))


def test_a_reward_waits_for_the_next_order():
    table = orders([("ann", 0, 100), ("bob", 0, 99.99), ("bob", 1, 1), ("bob", 2, 300), ("bob", 3, 1)])
    found = simulate_rewards(table, RULE, until=pd.Timestamp("2024-01-05"))
    # bob's 99 points and 1 make a reward at his third order, and the 300 of this one three at his fourth
    assert found.customers[["rewards", "cost", "open", "reached"]].values.tolist() == [
        [0, 0.0, 100, True],
        [4, 20.0, 1, True],
    ]
    assert found.totals[["cost_per_customer", "reached", "breakage"]].tolist() == [10.0, 1.0, 1 - 400 / 501]
    assert found.totals["cost_share"] == pytest.approx(20 / 501.99, rel=1e-12)


def test_points_are_valid_on_the_last_day_and_expire_on_the_next():
    for day, rewards in ((30, 1), (31, 0)):
        table = orders([("ann", 0, 100), ("ann", day, 10)])
        assert simulate_rewards(table, RULE, until=END).customers["rewards"].tolist() == [rewards]
    for day, left in (("2024-01-31", [0, 80]), ("2024-02-01", [80, 0])):
        found = simulate_rewards(orders([("ann", 0, 80)]), RULE, until=pd.Timestamp(day))
        assert found.customers[["expired", "open"]].values.tolist() == [left] and found.totals["breakage"] == 1


def test_points_are_exact():
    """0.29 · 100 is below 29 in binary, and three tenths of 10 above 3."""
    table = orders([("ann", 0, 0.29), ("bob", 0, 10.0), ("cem", 0, 1.1), ("dan", 0, 4.35)])
    found = [simulate_rewards(table, RewardRule(rate, 1000, 1, 30), until=END).customers for rate in (100, "0.3", 0.3)]
    assert found[0]["issued"].tolist() == [29, 1000, 110, 435]
    assert found[1]["issued"].tolist() == found[2]["issued"].tolist() == [0, 3, 0, 1]
    cost = simulate_rewards(orders([("ann", 0, 300), ("ann", 1, 0)]), RewardRule(1, 100, "0.1", 30), until=END)
    assert cost.totals["cost"] == 0.3
    with pytest.raises(ValueError, match="too many digits"):
        simulate_rewards(table, RewardRule("0.000000000000000001", 1, 1, 30), until=END)


def test_the_next_tier_in_each_customer_s_own_orders():
    rows = [("ann", 120, 90), ("ann", 121, 0), ("bob", 120, 60), ("cem", 120, 250), ("dan", 120, 0), ("eve", 9, 90)]
    table = next_tier(orders(rows), RewardRule("0.7", 60, 5, 60), pd.Timestamp("2024-05-10"))
    assert table["customer_id"].tolist() == ["cem", "bob", "eve", "ann", "dan"]
    own = table.set_index("customer_id")
    assert own["balance"].to_dict() == {"ann": 3, "bob": 42, "cem": 175, "dan": 0, "eve": 0}
    assert own["missing"].to_dict() == {"ann": 57, "bob": 18, "cem": 0, "dan": 60, "eve": 60}
    assert own["missing_money"].to_dict() == {"ann": 81.43, "bob": 25.72, "cem": 0.0, "dan": 85.72, "eve": 85.72}
    assert own.loc["bob", "orders_away"] == pytest.approx(25.72 / 60) and np.isnan(own.loc["dan", "orders_away"])
    more = orders([("bob", 0, 25.71), ("eve", 0, 25.72)])
    assert simulate_rewards(more, RewardRule("0.7", 60, 5, 60), until=END).customers["issued"].tolist() == [17, 18]


def test_no_orders_and_one():
    for table in (orders([]), orders([("ann", 200, 50)])):
        found = simulate_rewards(table, RULE, until=END)
        assert found.customers.empty and found.totals[["customers", "issued", "cost"]].tolist() == [0, 0, 0]
        assert found.totals[["cost_per_customer", "cost_share", "breakage", "reached"]].isna().all()
        assert next_tier(table, RULE, END).empty
    one = simulate_rewards(orders([("ann", 0, -50)]), RULE, until=END)
    assert one.customers[["issued", "cost", "reached"]].values.tolist() == [[0, 0.0, False]]
    assert np.isnan(one.totals["cost_share"])


def test_what_is_refused():
    table = orders([("ann", 0, 50), ("ann", 1, 50)])
    with pytest.raises(ValueError, match="lack 'amount'"):
        simulate_rewards(table.drop(columns="amount"), RULE, until=END)
    for wrong in (table.assign(order_id="x"), table.assign(amount=[1, np.nan])):
        with pytest.raises(ValueError, match="one row each"):
            simulate_rewards(wrong, RULE, until=END)
    for rule in ((0, 1, 1, 1), (1, 0, 1, 1), (1, 1, -1, 1), (1, 1, 1, -1)):
        with pytest.raises(ValueError, match="above zero"):
            RewardRule(*rule)
