"""From effects to options: profit by hand, consent, hold-outs, hours, and what is lacking."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.campaign.options import (
    budgets,
    lacking,
    named_caps,
    options,
    permitted,
    send_slots,
    size_of_hold_out,
)
from customerlab.analysis.campaign.responses import Responses, profits, valued
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
    money = valued(FOUND, LOG)
    assert money.table["shrunken"].tolist()[:2] == pytest.approx([5, 10])  # 50 an order
    assert money.draws[1].tolist() == pytest.approx([6, 9, 0])
    assert money.table["base"].iloc[0] == pytest.approx(50 * 8 / 15)  # of 15 held-out rows of loyal customers 8 ordered
    profit = profits(money, 0.3, {"voucher": 0.1, "gift": 0.2})
    lost = 0.1 * 50 * 8 / 15
    assert profit.table["shrunken"].tolist()[:2] == pytest.approx([1.5, 2 - lost])
    assert profit.table.loc[1, ["low", "high"]].tolist() == pytest.approx([1 - lost, 3 - lost])
    assert profit.draws[1].tolist() == pytest.approx([1.8, 1.8 - lost, 0])
    assert profit.table.loc[1, "deviation"] == pytest.approx(0.04 * 50 * 0.2)
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
    assert size_of_hold_out(LOG, chosen.head(3), segments, FOUND, 0.1) is None
    assert size_of_hold_out(LOG.assign(orders_after=0.0), chosen, segments, FOUND, 0.1) is None
    assert size_of_hold_out(LOG, chosen.assign(offer="gift"), segments, FOUND, 0.1) is None


def test_hours_follow_the_rule_that_is_recommended():
    at = pd.Timestamp("2024-05-06")
    rows = [("a", 9)] * 9 + [("b", 21)] * 12
    events = pd.DataFrame(
        [(who, at + pd.Timedelta(days=n, hours=hour)) for n, (who, hour) in enumerate(rows)],
        columns=["customer_id", "at"],
    )
    segments = pd.Series({"a": "Loyal", "b": "Loyal", "c": "Loyal"})
    times = fit_times(slot_counts(events, hours_of_day), segments)
    nothing = pd.DataFrame()
    own, one = (
        send_slots(Judged(rule, nothing, nothing, 2, 9, times), events, segments, pd.Series(["a", "b", "c"]))
        for rule in (PERSONAL, SHOP)
    )
    assert own.to_dict() == {"a": "08–12", "b": "20–24", "c": "20–24"}  # who is new has the segment's
    assert one.to_dict() == dict.fromkeys("abc", "20–24")
    assert send_slots(None, events, segments, pd.Series(["a"])).to_dict() == {"a": "any"}


def test_budgets_and_caps_are_read():
    assert budgets(0, 0) == [0.0] == budgets(50, 0) and budgets(50, 49)[-1] == 100 and 50 in budgets(50, 49)
    assert named_caps(["channel letter: 0", "offer free delivery: 20"])[("offer", "free delivery")] == 20
    for text in ("letter: 5", "channel letter", "channel letter: -1", "channel : 5"):
        with pytest.raises(ValueError, match="is no cap"):
            named_caps([text])
