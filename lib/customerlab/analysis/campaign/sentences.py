"""What is said of campaigns, as sentences: each with what it rests on, and how sure it is."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.campaign.attribution import MEASURES
from customerlab.analysis.campaign.bundles import Associations
from customerlab.analysis.campaign.cadence import Cadence
from customerlab.analysis.campaign.channels import ONE, SEGMENT as BY_SEGMENT, Balance, Judged as JudgedChannels
from customerlab.analysis.campaign.content import Content
from customerlab.analysis.campaign.kpis import MachineOpens
from customerlab.analysis.campaign.plan import CONTACT, MOST, HoldOutSize
from customerlab.analysis.campaign.responses import OTHERS, Responses, Worth
from customerlab.analysis.campaign.rewards import RewardRule, Rewards
from customerlab.analysis.campaign.send_time import PERSONAL, SEGMENT, SHOP, Judged as JudgedTimes
from customerlab.analysis.campaign.tables import SAID
from customerlab.analysis.inference import INFLUENTIAL
from customerlab.formats import interval, p_value, percent
from customerlab.wording import Led

LEVEL = 0.05
MONEY = "{:,.0f}"


def by_plan(
    plan: pd.DataFrame, plans: pd.DataFrame, expected: pd.Series, shadow_price: float, why: Sequence[str], currency: str
) -> list[str]:
    """Whom the plan contacts with what, what it is expected to bring, and what simpler rules would.

    `expected` is that of `expected_profit` for those contacted, `plans` that of `rivals`; `why` says what is lacking.
    """
    contact = plan[plan["group"] == CONTACT]
    if contact.empty:
        return [Led("No contact is planned", ": " + "; ".join(why) + ".")]
    parts = contact.groupby(["offer", "channel"]).size().sort_values(ascending=False, kind="stable")
    each = parts.head(3).reset_index(name="n").to_dict("records")
    what = ", ".join(f"{one['offer']} by {one['channel']}" + f" ({one['n']:,})" * (len(parts) > 1) for one in each)
    what += f" and {len(parts) - 3} more" * (len(parts) > 3)
    sure = expected["low"] > 0
    lead = f"Contact {len(contact):,} customers" if sure else f"Test the plan on {len(contact):,} customers first"
    unsure = "" if sure else " The interval holds zero: that the campaign pays is not shown."
    said = [
        Led(
            f"{lead}: {what}",
            f". It costs {contact['cost'].sum():,.2f} {currency} and is expected to cause a profit of "
            f"{MONEY.format(expected['profit'])} {currency} after costs ({interval(expected['low'], expected['high'], MONEY)}).{unsure}",
        )
    ]
    best, *others = plans.to_dict("records")
    if all(abs(one["profit"] - best["profit"]) < 0.5 for one in others) and not shadow_price:
        return [*said, "Simpler rules choose the same contacts: the budget covers all customers with a known effect."]
    named = " and ".join(f"{MONEY.format(one['profit'])} {currency} ({one['plan']})" for one in others)
    more = (
        f" One more {currency} of budget is expected to bring {shadow_price:.2f} {currency}."
        if shadow_price >= 0.005
        else ""
    )
    return [
        *said,
        f"If nobody were held out, the plan is expected to bring {MONEY.format(best['profit'])} {currency}, simpler rules with the "
        f"same budget {named}.{more}",
    ]


def by_first_test(found: tuple[int, float, float] | None, days: int) -> list[str]:
    """What a first campaign would show; `found` as `first_test` returns it."""
    if found is None:
        return ["A first test cannot be planned: too few customers ordered of late."]
    customers, base, effect = found
    return [
        Led(
            "The first step is a test",
            f". If half of {customers:,} customers are held out at random, a campaign is shown to work if it causes at least "
            f"{100 * effect:.1f} additional orders per 100 customers in {days} days (power 80%). Without it {100 * base:.1f} are placed.",
        )
    ]


def by_name(log: pd.DataFrame | None, name: str) -> list[str]:
    """Whether a campaign of this name was sent already, so that its hold-out would be drawn again."""
    if log is None or name not in set(log["campaign"]):
        return []
    return [
        f"The log has a campaign named {name} already, which would hold out the same customers: choose another name."
    ]


def by_hold_out(size: HoldOutSize | None, plan: pd.DataFrame) -> list[str]:
    """How many customers are held out, and whether that is enough."""
    if size is None or plan.empty:
        return []
    held = f"{size.customers:,} of the plan's {len(plan):,} customers are held out"
    if np.isnan(size.power):
        return [f"{held}."]
    if size.note:
        several = (
            f"{size.campaigns} such campaigns, judged together, would"
            if size.campaigns < MOST
            else "More customers would"
        )
        return [
            f"This campaign alone will probably not show whether it worked: {held}, which finds the expected additional orders with a "
            f"power of {percent(size.power)}. {several} be enough."
        ]
    return [f"{held}, which finds the expected additional orders with a power of {percent(size.power)}."]


def by_orders(table: pd.DataFrame, worth: Worth, currency: str, days: int) -> list[str]:
    """How many orders messages caused, and what such an order is worth; `table` as `caused_orders` returns it."""
    if table.empty or np.isnan(table["low"].iloc[0]):
        return []
    one = table.iloc[0]
    sure = "statistically significant" if one["low"] > 0 or one["high"] < 0 else "not statistically significant"
    per = (100 * one["effect"], interval(100 * one["low"], 100 * one["high"], "{:.2f}"))
    return [
        Led(
            f"100 messages caused {per[0]:.2f} additional orders",
            f" within {days} days ({per[1]}, {sure}), against customers of the same campaigns who were held out at random.",
        ),
        f"An additional order is taken to be worth {worth.value:,.0f} {currency} (standard error {worth.error:,.0f}), where the mean order "
        f"is worth {worth.mean:,.0f} {currency}.",
    ]


def by_overlap(share: float, days: int) -> list[str]:
    """Whether windows of messages overlap so much that effects cannot be told apart."""
    if share <= INFLUENTIAL:
        return []
    return [
        f"{percent(share)} of messages are followed by another to the same customer within {days} days: part of the orders in their "
        "windows belong to the later message."
    ]


def by_caused(table: pd.DataFrame, currency: str, days: int) -> list[str]:
    """What all messages caused, beside what is attributed to them; `table` as `caused` returns it."""
    if table.empty:
        return [
            "What messages caused is not known: no campaign held customers out at random. Attributed revenue is no effect."
        ]
    one, credited, gap = (table[table["measure"] == name].to_dict("records")[0] for name in MEASURES)
    if np.isnan(one["low"]):
        return [f"What messages caused: too few to tell ({one['buyers']:,} customers with an order)."]
    sure = "statistically significant" if one["low"] > 0 or one["high"] < 0 else "not statistically significant"
    total = f"{MONEY.format(one['total'])} {currency}"
    said = (
        f"Measured on revenue itself, {one['messages']:,} messages caused {total} within {days} days "
        f"({interval(one['total_low'], one['total_high'], MONEY)}, {sure}), {one['per_message']:.2f} {currency} per message."
    )
    ends = interval(gap["total_low"], gap["total_high"], MONEY)
    shown = gap["low"] > 0 or gap["high"] < 0
    way = "more" if gap["total"] > 0 else "less"
    beyond = f"{MONEY.format(abs(gap['total']))} {currency} {way} than they caused (gap {ends})"
    return [
        said,
        f"{MONEY.format(credited['total'])} {currency} are attributed to these messages: {beyond}"
        + ("." if shown else ", a gap that is not statistically significant."),
    ]


def by_responses(found: Responses) -> list[str]:
    """Where effects are known."""
    known = found.table.dropna(subset="shrunken")
    if known.empty:
        return []
    above = int((known["low"] > 0).sum())
    few = " Segments of few orders are estimated together." if (known["segment"] == OTHERS).any() else ""
    return [
        f"Effects are known for {len(known)} combinations of segment, offer and channel; the intervals of {above} of them are above zero "
        f"(not adjusted).{few}"
    ]


def by_opens(found: MachineOpens) -> list[str]:
    """Whether opens can be relied on."""
    return [f"{found.opens:,} opens are on record; {found.note}."] if found.opens else []


def by_times(judged: JudgedTimes | None) -> list[str]:
    """Which rule for the time of sending is recommended."""
    if judged is None:
        return []
    if judged.decision not in (SHOP, SEGMENT, PERSONAL):
        return [f"Sending time: {judged.decision}."]
    hits = judged.rules.set_index("rule")["hits"]
    rule = PERSONAL if judged.decision == SHOP else judged.decision
    row = judged.gains[(judged.gains["rule"] == rule) & (judged.gains["over"] == SHOP)].iloc[0]
    ends = (
        interval(100 * row["low"], 100 * row["high"], "{:.1f}", 0.975)
        if row["low"] == row["low"]
        else "too few to tell"
    )
    right = (
        f"{percent(hits[rule])} of {judged.events:,} later responses fell in the hours of the customer's rule, {percent(hits[SHOP])} "
        f"in those of one time for all (difference in percentage points: {ends}). What sending in these hours causes is not measured."
    )
    lead = "one for all" if judged.decision == SHOP else judged.decision
    return [Led(f"Sending time: {lead}", f". With {rule}, {right}")]


def by_channels(judged: JudgedChannels | None, balance: Balance | None, outcome: str) -> list[str]:
    """Which rule for the channel is recommended, and whether it is an effect."""
    if judged is None:
        return []
    drawn = ""
    if balance is not None and balance.p < LEVEL:
        drawn = f" Channels depend on segments ({p_value(balance.p)}): differences may be those of customers, not of channels."
    if judged.decision not in (ONE, BY_SEGMENT):
        return [f"Channel: {judged.decision}.{drawn}"]
    row = judged.gains.iloc[0]
    ends = interval(row["low"], row["high"], lambda value: f"{100 * value:.2f}")
    gain = f"{100 * row['gain']:.2f} percentage points of messages {SAID[outcome]} ({ends})"
    if judged.decision == BY_SEGMENT:
        return [
            Led(
                "Channel: one per segment",
                f". On later messages that gains {gain} over {judged.channel} for all.{drawn}",
            )
        ]
    return [
        Led(
            f"Channel: {judged.channel} for all",
            f". A channel per segment would gain {gain}, which is not shown to be above zero.{drawn}",
        )
    ]


def by_cadence(found: Cadence | None, days: int) -> list[str]:
    """How much messages tire, and whether fewer are recommended."""
    if found is None:
        return []
    if np.isnan(found.factor):
        return [f"Cadence: {found.decision}."]
    ends = interval(found.low, found.high, "{:.2f}")
    shown = "lowers" if found.high < 1 else "raises" if found.low > 1 else "is not shown to change"
    note = f" This is {found.note}." if found.note else ""
    return [
        f"Cadence: {found.decision}. Each message in the {days} days before {shown} the response to the next: factor "
        f"{found.factor:.2f} ({ends}).{note}"
    ]


def by_bundles(found: Associations | None, chosen: pd.DataFrame, names: pd.Series, taken: float) -> list[str]:
    """How many pairs of products belong together, and which bundle pays."""
    if found is None:
        return []
    n = len(found.significant)
    said = (
        f"{n:,} of {len(found.pairs):,} pairs of {found.products:,} products are bought together more often than expected in "
        f"{found.orders:,} orders (Holm-adjusted, customers as units, within month and size of order)."
    )
    pays = chosen[chosen["pays"]]
    if pays.empty:
        return [
            said
            + (
                f" No bundle of them would pay if {percent(taken)} of orders with one product took the other."
                if n
                else ""
            )
        ]
    one = pays.iloc[0]
    pair = " with ".join(str(names.get(one[key], one[key])) for key in ("product_id", "other_id"))
    return [
        f"{said} {len(pays):,} bundles of them would pay if {percent(taken)} of orders with one product took the other; that share is "
        f"assumed, not estimated. First is {pair}, which pays from {percent(one['break_even'])} on."
    ]


def by_content(found: Content | None) -> list[str]:
    """For which segments categories of their own are shown."""
    if found is None:
        return []
    own = found.judged[found.judged["decision"] == "the segment's categories"]
    named = f": {', '.join(own['segment'])}" if len(own) else ""
    return [
        f"Content blocks: categories of their own gain over the shop's best sellers in {len(own)} of {len(found.judged)} segments{named}."
    ]


def by_rewards(found: Rewards, rule: RewardRule, currency: str) -> list[str]:
    """What a reward rule would have cost."""
    one = found.totals
    if not one["rewards"]:
        return [f"The reward rule ({rule.threshold:,} points) would have given no reward on past orders."]
    return [
        f"The reward rule ({rule.threshold:,} points) would have cost {MONEY.format(one['cost'])} {currency}, "
        f"{one['cost_share']:.1%} of revenue, for {percent(one['reached'])} of customers. All of it would have gone to orders that "
        f"were placed without it; what it would cause is not known. {percent(one['breakage'])} of points would not have been redeemed."
    ]


def by_next_tier(table: pd.DataFrame, most_orders: float = 1.0) -> list[str]:
    """For how many customers the next reward would be near; `table` as `next_tier` returns it."""
    near = int((table["orders_away"] <= most_orders).sum())
    return [
        f"With that rule, {near:,} of {len(table):,} customers would have the points for a reward, or be at most one usual order from it."
    ] * bool(len(table))
