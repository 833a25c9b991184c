"""What is said and shown of campaigns: the decision follows the interval, and what is not known is said."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import campaign
from customerlab.analysis.campaign.plan import HoldOutSize
from customerlab.analysis.campaign.responses import Responses, Worth
from customerlab.analysis.campaign.sentences import (
    by_caused,
    by_hold_out,
    by_name,
    by_orders,
    by_overlap,
    by_plan,
    by_responses,
)
from customerlab.figures import campaign as figures

PLANS = pd.DataFrame({
    "plan": ["optimal", "top by RFM", "everybody"], "customers": [2, 2, 2], "cost": [4.0, 4.0, 4.0], "profit": [9.0, 5.0, -1.0],
})  # fmt: skip
CHOSEN = pd.DataFrame({"customer_id": ["a", "b", "c"], "offer": "news", "channel": "email", "effect": 5.0, "cost": 2.0})
PLAN = campaign.campaign_plan(
    CHOSEN,
    pd.Series("Loyal", ["a", "b", "c"]),
    pd.Series([False, True, False], ["a", "b", "c"]),
    pd.Series(8, ["a", "b", "c"]),
    "May",
)
CURVE = pd.DataFrame({
    "budget": [0.0, 4.0, 8.0], "profit": [0.0, 9.0, 9.0], "low": [0.0, 2.0, 2.0], "high": [0.0, 16.0, 16.0],
})  # fmt: skip


@pytest.mark.parametrize(("low", "lead"), [(2.0, "Contact 2 customers"), (-2.0, "Test the plan on 2 customers first")])
def test_the_decision_follows_the_interval(low, lead):
    expected = pd.Series({"profit": 6.0, "low": low, "high": 9.0})
    said = by_plan(PLAN, PLANS, expected, 0.5, [], "EUR")
    assert said[0].startswith(f"{lead}: news by email. It costs 4.00 EUR") and "a profit of 6 EUR" in said[0]
    assert ("not shown" in said[0]) == (low < 0)
    assert "5 EUR (top by RFM) and -1 EUR (everybody). One more EUR of budget is expected to bring 0.50" in said[1]
    alike = by_plan(PLAN, PLANS.assign(profit=9.0), expected, 0.0, [], "EUR")
    assert alike[1] == "Simpler rules choose the same contacts: the budget covers all customers with a known effect."


def test_without_a_plan_the_reasons_are_said():
    nobody = campaign.nobody()
    assert by_plan(nobody, None, None, 0.0, ["this", "that"], "EUR") == ["No contact is planned: this; that."]


def test_caused_and_attributed_are_told_apart():
    rows = pd.DataFrame({
        "customer_id": [f"c{n:03d}" for n in range(400)], "campaign": "May", "held_out": np.arange(400) % 2 == 0,
        "revenue_after": np.where(np.arange(400) % 4 < 2, 20.0, 0.0) + 10.0 * (np.arange(400) % 2),
    })  # fmt: skip
    table = campaign.caused(rows.assign(attributed=rows["revenue_after"].where(~rows["held_out"], 0.0)))
    said = by_caused(table, "EUR", 7)
    assert said[0].startswith("Measured on revenue itself, 200 messages caused 2,000 EUR within 7 days")
    assert "statistically significant)" in said[0]
    assert said[1].startswith("4,000 EUR are attributed to these messages: 2,000 EUR more than they caused (gap 95% CI")
    assert by_caused(table.head(0), "EUR", 7)[0].endswith("Attributed revenue is no effect.")
    few = campaign.caused(rows.head(40).assign(attributed=0.0))
    assert by_caused(few, "EUR", 7) == ["What messages caused: too few to tell (10 customers with an order)."]
    assert "all" in campaign.caused_table(table, table.assign(offer="news"), "offer", "EUR", 7)[0][0]["offer"].tolist()
    assert campaign.caused_table(table.head(0), table, "offer", "EUR", 7) == []


def test_a_hold_out_that_is_too_small_is_called_so():
    sizes = HoldOutSize(0.2, 1, 0.81, ""), HoldOutSize(0.1, 1, 0.12, "too small", 7), HoldOutSize(0.1, 1, np.nan, "", 0)
    enough, short, unknown = (by_hold_out(size, PLAN)[0] for size in sizes)
    held = "1 of the plan's 3 customers are held out"
    assert enough == f"{held}, which finds the expected additional orders with a power of 81%."
    assert "alone will probably not show" in short and "7 such campaigns, judged together, would be enough." in short
    assert unknown == f"{held}." and by_hold_out(None, PLAN) == [] == by_hold_out(sizes[0], campaign.nobody())


def test_additional_orders_and_their_worth():
    table = pd.DataFrame({"offer": ["all", "news"], "effect": [0.05, 0.02], "low": [0.01, -0.01], "high": [0.09, 0.05]})
    said = by_orders(table, Worth(40.0, 9.0, 60.0), "EUR", 7)
    assert said[0].startswith(
        "100 messages caused 5.00 additional orders within 7 days (95% CI 1.00 to 9.00, statistically"
    )
    assert "worth 40 EUR (standard error 9), where the mean order is worth 60 EUR" in said[1]
    assert by_orders(table.assign(low=np.nan), Worth(40.0, 9.0, 60.0), "EUR", 7) == []
    assert figures.caused(table).alt.endswith("all 5.00 (1.00 to 9.00); news 2.00 (-1.00 to 5.00).")
    assert by_overlap(0.05, 7) == [] and by_overlap(0.5, 7)[0].startswith("50% of messages are followed by another")


def test_a_name_that_was_used_is_said():
    log = pd.DataFrame({"campaign": ["May"]})
    assert by_name(log, "June") == [] == by_name(None, "May") and "May already" in by_name(log, "May")[0]


def test_figures_show_what_is_there_and_nothing_where_it_is_not():
    table = pd.DataFrame({
        "segment": ["Loyal", "Loyal", "New"], "offer": ["news", "voucher", "news"], "channel": "email", "shrunken": [2.0, 5.0, 1.0],
        "low": [1.0, -1.0, 0.5], "high": [3.0, 6.0, 2.0],
    })  # fmt: skip
    picture = figures.responses(table, "EUR")
    assert "1 cells are not known. Largest: Loyal, voucher by email 5; Loyal, news by email 2" in picture.alt
    assert "intervals of 2 of them are above zero" in by_responses(Responses(table, np.zeros((1, 3)), 0.0))[0]
    assert by_responses(Responses(table.head(0), np.zeros((1, 0)), 0.0)) == []
    assert "optimal 9 at 4; top by RFM 5 at 4; everybody -1 at 4" in figures.profit(CURVE, PLANS, "EUR").alt
    alike = pd.DataFrame([[0.25, 0.75]] * 2, ["Loyal", "New"], ["08–12", "12–16"])
    assert figures.times(alike).alt.endswith("Most responses: all segments 12–16 (75%).")
    alike.iloc[0] = [0.75, 0.25]
    assert "Loyal 08–12 (75%); New 12–16 (75%)" in figures.times(alike).alt
