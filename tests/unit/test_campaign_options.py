"""From effects to options: profit by hand, consent, hold-outs, hours, and what is lacking."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.campaign.options import (
    budgets,
    closed,
    expected_profit,
    first_test,
    lacking,
    named,
    named_caps,
    options,
    permitted,
    send_hours,
    size_of_hold_out,
    unplanned,
)
from customerlab.analysis.campaign.responses import Responses, Worth, profits, valued
from customerlab.analysis.campaign.send_time import PERSONAL, SHOP, Judged, fit_times, hours_of_day, slot_counts
from customerlab.analysis.experiment.design import Baseline, power_of

TABLE = pd.DataFrame({
    "segment": ["Loyal", "Loyal", "New"], "offer": ["news", "voucher", "news"], "channel": "email",
    "effect": [0.1, 0.2, np.nan], "error": [0.01, 0.02, np.nan], "shrunken": [0.1, 0.2, np.nan], "low": [0.05, 0.1, np.nan],
    "high": [0.15, 0.3, np.nan], "deviation": [0.02, 0.04, np.nan],
})  # fmt: skip
FOUND = Responses(TABLE, np.array([[0.1, 0.2, 0.0], [0.12, 0.18, 0.0]]), 0.01)
LOG = pd.DataFrame({
    "customer_id": [f"c{n}" for n in range(40)], "segment": ["Loyal"] * 30 + ["New"] * 10, "held_out": [True, False] * 20,
    "orders_after": [1.0, 0.0, 0.0, 0.0] * 10, "revenue_after": [50.0, 0.0, 0.0, 0.0] * 10, "unsubscribed": 0.0,
})  # fmt: skip


def test_effects_become_profit_with_discounts_on_orders_that_come_anyway():
    money = valued(FOUND, LOG, Worth(40.0, 10.0, 50.0), seed=1)  # the mean order of the segment is worth 50, too
    assert money.table["shrunken"].tolist()[:2] == pytest.approx([4, 8])
    assert money.table.loc[0, "deviation"] == pytest.approx(
        np.sqrt((0.1 * 10) ** 2 + (0.02 * 40) ** 2 + (0.02 * 10) ** 2)
    )
    ratio = money.draws / FOUND.draws.clip(1e-9)
    assert ratio[:, 0] == pytest.approx(ratio[:, 1]) and (money.draws[:, 2] == 0).all()  # one value in each draw
    assert money.table["base"].iloc[0] == pytest.approx(50 * 8 / 15)  # of 15 held-out rows of loyal customers 8 ordered
    profit = profits(money, 0.3, {"voucher": 0.1, "gift": 0.2})
    lost = 0.1 * 50 * 8 / 15
    assert profit.table["shrunken"].tolist()[:2] == pytest.approx([1.2, 1.6 - lost])
    assert profit.draws[1].tolist() == pytest.approx((money.draws[1] * [0.3, 0.2, 0.3] - [0, lost, 0]).tolist())
    # a cost of 5 per order is a tenth of the value of an order
    per_order = profits(money, 0.3, {}, {"voucher": 5.0})
    assert per_order.table["shrunken"].tolist()[:2] == pytest.approx([1.2, 1.6 - lost])
    above = profits(money, 0.3, {"voucher": 0.5}).table.loc[1]  # a discount above the margin: each order loses money
    assert above["low"] < above["shrunken"] < above["high"] < 0 < above["deviation"]


def test_options_are_open_channels_times_known_effects():
    rows = pd.DataFrame({"customer_id": ["b", "a", "a", "c"], "channel": ["email", "email", "letter", "email"]})
    found = options(rows, pd.Series({"a": "Loyal", "b": "New"}), FOUND, {"email": 0.5})
    assert found.values.tolist() == [["a", "news", "email", 0.1, 0.5, 0], ["a", "voucher", "email", 0.2, 0.5, 1]]
    with pytest.raises(ValueError, match="'email' has no cost"):
        options(rows, pd.Series({"a": "Loyal"}), FOUND, {"letter": 0.5})


def test_channels_without_a_declared_attribute_are_open_to_nobody():
    people = pd.DataFrame({"newsletter": [True, False]}, ["a", "b"])
    consent = ["email: newsletter", "text: texts", "letter: -"]
    assert permitted(people, consent, None).values.tolist() == [["a", "email"], ["a", "letter"], ["b", "letter"]]
    assert permitted(None, ["email: newsletter"], None).empty
    gone = LOG.assign(customer_id="a", unsubscribed=1.0)
    assert permitted(people, consent, gone).values.tolist() == [["a", "letter"], ["b", "letter"]]


def test_what_is_lacking_is_named():
    segments, rows = pd.Series({"a": "Loyal"}), pd.DataFrame({"customer_id": ["a"], "channel": "email"})
    assert lacking(LOG, FOUND, rows, segments) == []
    assert "no log of messages" in lacking(None, None, rows, segments)[0]
    assert "only responses are known" in lacking(LOG, None, rows, segments)[0]
    none = Responses(TABLE.assign(shrunken=np.nan), FOUND.draws, np.nan)
    assert "too few customers ordered" in lacking(LOG, none, rows, segments)[0]
    assert "consent" in lacking(LOG, FOUND, rows.assign(customer_id="z"), segments)[0]


def test_the_hold_out_is_sized_for_the_expected_orders():
    chosen = pd.DataFrame({"customer_id": [f"c{n}" for n in range(2_000)], "offer": "voucher", "channel": "email"})
    segments = pd.Series("Loyal", chosen["customer_id"])
    found = size_of_hold_out(LOG, chosen, segments, FOUND, 0.01)
    before = LOG[LOG["held_out"] & (LOG["segment"] == "Loyal")]["orders_after"]
    base = Baseline(before.mean(), before.std())
    assert found.power >= 0.8 > power_of(base, 0.2, (found.customers - 1, 2_000 - found.customers + 1))
    for unknown in (
        size_of_hold_out(LOG.assign(orders_after=0.0), chosen, segments, FOUND, 0.1),
        size_of_hold_out(LOG, chosen.assign(offer="gift"), segments, FOUND, 0.1),
    ):
        assert (unknown.customers, unknown.campaigns) == (200, 0) and np.isnan(unknown.power)
    assert [size_of_hold_out(LOG, chosen.head(n), segments, FOUND, 0.1).customers for n in (0, 1, 2, 3)] == [0, 0, 1, 1]


def test_a_first_test_is_sized_by_past_orders():
    days = pd.to_datetime(["2024-01-01"] * 900 + ["2024-01-30"] * 100)
    placed = pd.DataFrame({"customer_id": [f"c{n}" for n in range(1_000)], "ordered_at": days})
    customers, base, effect = first_test(placed, pd.Timestamp("2024-02-01"), 7)
    assert (customers, base) == (1_000, 0.1)
    number = (placed["ordered_at"] > "2024-01-20").to_numpy(float)
    assert power_of(Baseline(0.1, number.std(ddof=1)), effect, (500, 500)) == pytest.approx(0.8, abs=1e-6)
    assert first_test(placed.head(3), pd.Timestamp("2024-02-01"), 7) is None
    assert first_test(placed, pd.Timestamp("2024-06-01"), 7) is None


def test_why_nobody_is_contacted_is_told_apart():
    offered = pd.DataFrame({"customer_id": ["a", "b"], "effect": [2.0, 0.1], "cost": [1.0, 1.0]})
    assert "the budget of 0.5" in unplanned(offered, 0.5, set(), [])
    assert "quiet days" in unplanned(offered, 5, {"a", "b"}, [])
    assert "expected to pay" in unplanned(offered, 5, {"a"}, [])
    assert "are excluded" in unplanned(offered.head(0), 5, set(), ["Loyal"])
    assert "no customer has a channel" in unplanned(offered.head(0), 5, set(), [])


def test_names_that_are_unknown_are_said():
    named(["Loyal"], pd.Series(["Loyal", "New"]))
    with pytest.raises(ValueError, match="no segment 'Loyl' to be excluded; there are Loyal, New"):
        named(["Loyl"], pd.Series(["Loyal", "New"]))
    people = pd.DataFrame({"newsletter": [True]}, ["a"])
    assert closed(people, ["email: newsletter", "letter: -"]) == []
    assert closed(people, ["text: texts"]) == [
        "No customer can be contacted by text: there is no attribute 'texts' (parameter consent)."
    ]
    assert len(closed(None, ["email: newsletter"])) == 1


def test_the_profit_of_those_contacted_is_that_of_their_cells():
    offered = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "offer": "news",
            "channel": "email",
            "effect": [2.0, 2.0, 5.0],
            "cost": 1.0,
            "cell": [0, 0, 1],
        }
    )
    draws = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
    found = expected_profit(offered.iloc[[0, 2]], offered, draws)
    assert found["profit"] == 5.0
    assert [found["low"], found["high"]] == pytest.approx(np.quantile([3, 5, 7], [0.025, 0.975]))


def test_hours_follow_the_rule_that_is_recommended():
    at = pd.Timestamp("2024-05-06")
    rows = [("a", 9)] * 9 + [("b", 21)] * 12
    sent = [
        (who, at + pd.Timedelta(days=n), at + pd.Timedelta(days=n, hours=hour)) for n, (who, hour) in enumerate(rows)
    ]
    log = pd.DataFrame(sent, columns=["customer_id", "sent", "clicked"]).assign(
        opened=pd.NaT, channel="email", held_out=False
    )
    segments, nothing = pd.Series({"a": "Loyal", "b": "Loyal", "c": "Loyal", "d": "Loyal"}), pd.DataFrame()
    times = fit_times(slot_counts(log.rename(columns={"clicked": "at"}), hours_of_day), segments)
    chosen = pd.DataFrame({"customer_id": list("abcd"), "channel": ["email"] * 3 + ["letter"]})
    own, one = (
        send_hours(Judged(rule, nothing, nothing, 2, 9, times), log, segments, chosen).fillna(-1).to_dict()
        for rule in (PERSONAL, SHOP)
    )
    assert own == {"a": 8, "b": 20, "c": 20, "d": -1}  # who is new has the segment's; a letter has no hour
    assert one == {"a": 20, "b": 20, "c": 20, "d": -1}
    assert send_hours(None, log, segments, chosen).isna().all()


def test_budgets_and_caps_are_read():
    assert budgets(0, 0) == [0.0] == budgets(50, 0) and budgets(50, 49)[-1] == 100 and 50 in budgets(50, 49)
    assert named_caps(["channel letter: 0", "offer free delivery: 20"])[("offer", "free delivery")] == 20
    for text in ("letter: 5", "channel letter", "channel letter: -1", "channel : 5"):
        with pytest.raises(ValueError, match="is no cap"):
            named_caps([text])
