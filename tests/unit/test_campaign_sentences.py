"""What is said and shown of campaigns: the decision follows the interval, and what is not known is said."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import campaign
from customerlab.analysis.campaign.plan import HoldOutSize
from customerlab.analysis.campaign.responses import Responses
from customerlab.analysis.campaign.sentences import by_caused, by_hold_out, by_plan, by_responses
from customerlab.figures import campaign as figures

PLANS = pd.DataFrame({
    "plan": ["optimal", "top by RFM", "everybody"], "customers": [2, 2, 2], "cost": [4.0, 4.0, 4.0], "profit": [9.0, 5.0, -1.0],
})  # fmt: skip
CHOSEN = pd.DataFrame({"customer_id": ["a", "b", "c"], "offer": "news", "channel": "email", "effect": 5.0, "cost": 2.0})
PLAN = campaign.campaign_plan(
    CHOSEN, pd.Series("Loyal", ["a", "b", "c"]), pd.Series([False, True, False], ["a", "b", "c"]), "08–12", "May"
)
CURVE = pd.DataFrame({
    "budget": [0.0, 4.0, 8.0], "profit": [0.0, 9.0, 9.0], "low": [0.0, 2.0, 2.0], "high": [0.0, 16.0, 16.0],
})  # fmt: skip


@pytest.mark.parametrize(("low", "lead"), [(2.0, "Contact 2 customers"), (-2.0, "Test the plan on 2 customers first")])
def test_the_decision_follows_the_interval(low, lead):
    said = by_plan(PLAN, PLANS, CURVE.iloc[1].where(CURVE.columns != "low", low), 0.5, [], 3, "EUR")
    assert said[0].startswith(lead) and "hold out 1" in said[0]
    assert ("not shown" in said[0]) == (low < 0)
    assert (
        "5 EUR (top by RFM) and -1 EUR (everybody)" in said[1]
        and "One more EUR of budget is expected to bring 0.50" in said[1]
    )
    assert said[2] == "For 3 other customers with consent no effect is known; only a test can tell it."


def test_without_a_plan_the_reasons_are_said():
    assert by_plan(campaign.nobody(), None, None, 0.0, ["this", "that"], 0, "EUR") == [
        "No contact is planned: this; that."
    ]
    alone = by_plan(campaign.nobody(), None, None, 0.0, [], 0, "EUR")
    assert alone == ["No contact is planned: no contact is expected to pay."]


def test_caused_and_attributed_are_told_apart():
    rows = pd.DataFrame({
        "customer_id": [f"c{n:03d}" for n in range(400)], "campaign": "May", "held_out": np.arange(400) % 2 == 0,
        "revenue_after": np.where(np.arange(400) % 4 < 2, 20.0, 0.0) + 10.0 * (np.arange(400) % 2),
    })  # fmt: skip
    table = campaign.caused(rows.assign(attributed=rows["revenue_after"].where(~rows["held_out"], 0.0)))
    said = by_caused(table, "EUR", 7)
    assert (
        said[0].startswith("Messages caused 2,000 EUR of net revenue within 7 days")
        and "statistically significant)" in said[0]
    )
    assert said[1].startswith("4,000 EUR are attributed to these messages: 2,000 EUR more than they caused (gap 95% CI")
    assert by_caused(table.head(0), "EUR", 7)[0].endswith("Attributed revenue is no effect.")
    few = campaign.caused(rows.head(40).assign(attributed=0.0))
    assert by_caused(few, "EUR", 7) == ["What messages caused: too few to tell (10 customers with an order)."]
    assert "all" in campaign.caused_table(table, table.assign(offer="news"), "offer", "EUR", 7)[0][0]["offer"].tolist()
    assert campaign.caused_table(table.head(0), table, "offer", "EUR", 7) == []


def test_a_hold_out_that_is_too_small_is_called_so():
    enough, short = HoldOutSize(0.2, 200, 0.81, ""), HoldOutSize(0.1, 10, 0.12, "too small")
    assert by_hold_out(None) == []
    said = "20% of the plan's customers (200) are held out, which finds the expected additional orders with a power of 81%."
    assert by_hold_out(enough) == [said]
    assert "Even half of the customers would be too few" in by_hold_out(short)[0]


def test_figures_show_what_is_there_and_nothing_where_it_is_not():
    table = pd.DataFrame({
        "segment": ["Loyal", "Loyal", "New"], "offer": ["news", "voucher", "news"], "channel": "email", "shrunken": [2.0, 5.0, 1.0],
        "low": [1.0, -1.0, 0.5], "high": [3.0, 6.0, 2.0],
    })  # fmt: skip
    picture = figures.responses(table, "EUR")
    assert "1 cells are not known. Largest: Loyal, voucher by email 5; Loyal, news by email 2" in picture.alt
    assert "intervals of 2 are above zero" in by_responses(Responses(table, np.zeros((1, 3)), 0.0), "EUR")[0]
    assert by_responses(Responses(table.head(0), np.zeros((1, 0)), 0.0), "EUR") == []
    assert "optimal 9 at 4; top by RFM 5 at 4; everybody -1 at 4" in figures.profit(CURVE, PLANS, "EUR").alt
    alike = pd.DataFrame([[0.25, 0.75]] * 2, ["Loyal", "New"], ["08–12", "12–16"])
    assert figures.times(alike).alt.endswith("Most responses: all segments 12–16 (75%).")
    alike.iloc[0] = [0.75, 0.25]
    assert "Loyal 08–12 (75%); New 12–16 (75%)" in figures.times(alike).alt
