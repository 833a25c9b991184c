"""What is found of campaigns as tables for a page: each with its caption and with how its columns are written."""

from collections.abc import Hashable, Iterable, Mapping

import pandas as pd

from customerlab.analysis import pages
from customerlab.analysis.campaign.bundles import Associations
from customerlab.analysis.campaign.cadence import Cadence
from customerlab.analysis.campaign.channels import Judged as JudgedChannels
from customerlab.analysis.campaign.content import Content
from customerlab.analysis.campaign.plan import CONTACT
from customerlab.analysis.campaign.responses import Responses, Worth
from customerlab.analysis.campaign.rewards import Rewards
from customerlab.analysis.campaign.send_time import Judged as JudgedTimes
from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.pages import Shown

RATES = {
    "open_rate": "opened", "click_rate": "clicked", "unsubscribe_rate": "unsubscribed",
    "conversion_rate": "converted",
}  # fmt: skip
LABELS = RATES | {
    "revenue_per_message": "revenue", "machine_opens": "machines", "held_out": "held out",
    "per_message": "per message", "total_low": "total from", "total_high": "total to", "log_likelihood": "log-likelihood",
    "product_id": "product", "other_id": "other product", "p_adjusted": "Holm p", "break_even": "break-even share",
    "expected_margin": "expected margin", "best_sellers": "best sellers", "hits": "share in hours", "unsubscribe_rate": "unsubscribed",
    "kpi": "KPI", "expected_effect": "expected profit", "low": "from", "high": "to",
}  # fmt: skip
SHARES = [
    "opened", "clicked", "unsubscribed", "converted", "machines", "share in hours", "expected", "gain", "rate",
    "break-even share", "best sellers", "own", "share", "value",
]  # fmt: skip
FORMATS = (
    dict.fromkeys(["messages", "customers", "held out", "buyers", "lines", "both", "differing"], "{:,}")
    | dict.fromkeys(["revenue", "per message", "from", "to", "price", "effect", "shrunken"], "{:,.2f}")
    | dict.fromkeys(["total", "total from", "total to", "profit", "expected margin"], "{:,.0f}")
    | {"cost": "{:,.2f}"}
    | dict.fromkeys(SHARES, "{:.1%}")
    | {"lift": "{:.2f}", "index": "{:.0f}", "log-likelihood": "{:.3f}", "support": "{:.2%}"}
)
POINTS = dict.fromkeys(["gain", "from", "to"], "{:+.2f}")
SIGNED = dict.fromkeys(["gain", "from", "to"], "{:+.1%}")
FEW = "–: too few to show or to tell"
SAID = {"clicked": "that are clicked", "converted": "that lead to an order", "orders_after": "that an order follows"}
"""Outcomes of messages, as sentences call them."""


def _shown(
    table: pd.DataFrame, columns: Iterable[Hashable], caption: str, formats: Mapping[str, str] = FORMATS
) -> Shown:
    """Some columns of a table, by the names that a page gives them."""
    return pages.shown(table, columns, caption, formats, LABELS)


def _in_points(gains: pd.DataFrame) -> pd.DataFrame:
    """Gains of rules in percentage points."""
    return gains[["rule", "over"]].join(100 * gains[["gain", "low", "high"]])


def kpi_table(table: pd.DataFrame, by: str, currency: str) -> Shown:
    """Rates of messages by group; `table` as `kpis` returns it. Rates that nobody knows are left out."""
    known = [name for name in [*RATES, "revenue_per_message", "machine_opens"] if table[name].notna().any()]
    return _shown(
        table, [by, "messages", "customers", *known],
        f"Messages by {by}: shares of messages, attributed revenue per message in {currency}, share of opens that machines made. {FEW}",
    )  # fmt: skip


def caused_table(every: pd.DataFrame, groups: pd.DataFrame, by: str, currency: str, days: int) -> Shown:
    """Caused and attributed revenue of all messages and by group; tables as `caused` returns them."""
    if every.empty:
        return []
    both = pd.concat([every.assign(**{by: "all"}), groups])
    columns = [by, "measure", "per_message", "low", "high", "total", "total_low", "total_high"]
    sent, held_out = every[["messages", "held_out"]].iloc[0]
    return _shown(
        both, columns,
        f"Net revenue in {days} days by {by}, in {currency}: caused (against customers held out), attributed, and the gap, per message "
        f"and in total, with 95% confidence intervals (not adjusted); {sent:,} messages, {held_out:,} times somebody was held out. {FEW}",
    )  # fmt: skip


def profit_table(worth: Responses, costs: Mapping[str, float], currency: str) -> Shown:
    """Expected profit of a contact by segment, offer and channel; `worth` as `profits` returns it."""
    table = worth.table.dropna(subset="shrunken")
    table = table.assign(cost=table["channel"].map(dict(costs))).dropna(subset="cost")
    table = table.assign(profit=table["shrunken"] - table["cost"]).sort_values("profit", ascending=False, kind="stable")
    return _shown(
        table, ["segment", "offer", "channel", "shrunken", "low", "high", "cost", "profit"],
        f"Expected profit of a contact in {currency}, with discounts and costs of offers: before its own cost with 95% interval, that "
        "cost, and after it", FORMATS | dict.fromkeys(["cost", "profit"], "{:,.2f}"),
    )  # fmt: skip


def response_table(found: Responses, smallest: int, currency: str, days: int) -> Shown:
    """Effects by segment, offer and channel."""
    keys = ["segment", "offer", "channel"]
    table = suppressed(found.table.drop(columns=["error", "deviation"]), smallest, counts="messages", keep=keys)
    return _shown(
        table.sort_values("shrunken", ascending=False, kind="stable"),
        [*keys, "messages", "held_out", "effect", "shrunken", "low", "high"],
        f"Net revenue that a message causes in {days} days, in {currency}: additional orders times the value of an additional order, "
        f"as observed, and shrunken towards the mean with 95% interval. {FEW}",
    )  # fmt: skip


def time_tables(judged: JudgedTimes) -> Shown:
    """Rules of sending times on later responses."""
    gains = _in_points(judged.gains)
    return [
        *_shown(
            judged.rules, ["rule", "hits", "expected"],
            f"Share of {judged.events:,} later responses of {judged.customers:,} customers in the hours of each rule, and as expected",
        ),
        *_shown(gains, list(gains), "Gains of rules in percentage points, with 97.5% confidence intervals", FORMATS | POINTS),
    ]  # fmt: skip


def channel_tables(judged: JudgedChannels, outcome: str) -> Shown:
    """Rules of channels on later messages, and rates by segment and channel."""
    gains = _in_points(judged.gains)
    of_rate = FORMATS | dict.fromkeys(["from", "to", "value", "expected", "rate", "shrunken", "gain"], "{:.2%}")
    best = judged.by.assign(best=judged.by["best"].map({True: "✓", False: ""}))
    what = f"Share of messages {SAID[outcome]}"
    return [
        *_shown(
            judged.rules, list(judged.rules),
            f"{what}, of {judged.messages:,} later ones to {judged.customers:,} customers, had each rule been followed, and "
            "as expected", of_rate,
        ),
        *_shown(
            gains, list(gains), "Gain of a channel per segment in percentage points, with 95% confidence interval", FORMATS | POINTS
        ),
        *_shown(
            best, ["segment", "channel", "messages", "rate", "shrunken", "low", "high", "best"],
            f"{what}, by segment and channel before the split date: as observed, and shrunken with 95% interval", of_rate,
        ),
    ]  # fmt: skip


def cadence_table(found: Cadence, days: int) -> Shown:
    """The response by how many messages came before."""
    return _shown(
        found.table, ["before", "messages", "rate", "low", "high", "unsubscribe_rate"],
        f"Share of messages with a response, and unsubscribed, by the number of messages in the {days} days before (not adjusted)",
        FORMATS | dict.fromkeys(["from", "to", "rate", "unsubscribed"], "{:.2%}"),
    )  # fmt: skip


def orders_table(table: pd.DataFrame, worth: Worth, currency: str, days: int) -> Shown:
    """Additional orders by offer; `table` as `caused_orders` returns it."""
    hundred = {name: 100 * table[name] for name in ("effect", "low", "high")}
    return _shown(
        table.assign(**hundred), ["offer", "messages", "held_out", "effect", "low", "high"],
        f"Additional orders per 100 messages in {days} days by offer, with 95% confidence intervals (not adjusted). One is taken as worth "
        f"{worth.value:,.0f} {currency} (standard error {worth.error:,.0f}); the mean order is worth {worth.mean:,.0f} {currency}. {FEW}",
    )  # fmt: skip


def plan_tables(
    plan: pd.DataFrame, plans: pd.DataFrame, expected: pd.Series, unknown: int, smallest: int, currency: str
) -> Shown:
    """Rules for choosing customers at one budget, groups of customers, and the plan by segment, offer and channel."""
    contact = plan[plan["group"] == CONTACT]
    groups = plan.groupby("group", as_index=False).agg(customers=("customer_id", "size"), cost=("cost", "sum"))
    groups = groups.join(pd.DataFrame([expected.to_dict()], groups.index[groups["group"] == CONTACT]))
    others = {"group": "consent, but no known effect", "customers": unknown, "cost": 0.0}
    groups = pd.concat([groups, pd.DataFrame([others])], ignore_index=True)
    keys = ["segment", "offer", "channel"]
    sums = contact.groupby(keys, as_index=False).agg(
        customers=("customer_id", "size"), cost=("cost", "sum"), expected_effect=("expected_effect", "sum")
    )
    sums = suppressed(sums.sort_values(["customers", *keys], ascending=[False, True, True, True]), smallest, keep=keys)
    return [
        *_shown(
            plans, list(plans),
            f"Expected profit caused, after costs, of rules at the same budget if nobody were held out, in {currency}. Everybody: all with "
            "a known effect",
        ),
        *_shown(
            groups, list(groups),
            f"Customers of the plan, and others who could be contacted: cost, and expected profit after it with 95% interval ({currency})",
            FORMATS | dict.fromkeys(["from", "to"], "{:,.0f}"),
        ),
        *_shown(
            sums, list(sums),
            f"The plan: customers to be contacted, their cost, and expected profit before that cost, in {currency}. {FEW}",
            FORMATS | {"expected profit": "{:,.0f}"},
        ),
    ]  # fmt: skip


def bundle_tables(found: Associations, chosen: pd.DataFrame, names: pd.Series, currency: str) -> Shown:
    """Pairs of products bought together more often than expected, and what bundles of them would bring."""
    pairs = found.significant.assign(
        product_id=lambda t: t["product_id"].map(names).fillna(t["product_id"]),
        other_id=lambda t: t["other_id"].map(names).fillna(t["other_id"]),
        p_adjusted=lambda t: t["p_adjusted"].map(lambda p: "<0.001" if p < 0.001 else f"{p:.3f}"),
    )
    worth = chosen.assign(
        product_id=chosen["product_id"].map(names).fillna(chosen["product_id"]),
        other_id=chosen["other_id"].map(names).fillna(chosen["other_id"]),
        pays=chosen["pays"].map({True: "✓", False: "✗"}),
    )
    return [
        *_shown(
            pairs.head(20), ["product_id", "other_id", "both", "support", "lift", "low", "high", "p_adjusted"],
            "Products bought together more often than expected in the same month and size of order: the first twenty of "
            f"{len(pairs):,} significant pairs (Holm-adjusted over all {len(found.pairs):,} candidates)",
            FORMATS | {"both": "{:,.0f}"},
        ),
        *_shown(
            worth.head(10), ["product_id", "other_id", "both", "gain", "cost", "break_even", "expected_margin", "pays"],
            f"Bundles at the discount, in {currency}: margin if every order with one took the other as well, cost of discounts on "
            "orders with both anyway, share from which it pays, and expected margin",
            FORMATS | {"gain": "{:,.0f}", "both": "{:,.0f}"},
        ),
    ]  # fmt: skip


def content_table(found: Content) -> Shown:
    """Categories for each segment, and whether they are shown to it."""
    wide = found.blocks.assign(what=found.blocks["category"] + found.blocks["index"].map(" ({:.0f})".format))
    wide = wide.pivot(index="segment", columns="block", values="what").rename(columns="block {}".format)
    table = wide.reset_index().merge(found.judged[["segment", "customers", "gain", "low", "high", "decision"]])
    return _shown(
        table, list(table),
        "Content blocks by segment: categories with the largest shares, with their index (100: as in the shop); gain of later order lines "
        f"over the shop's best sellers with 95% confidence interval, and what is shown. {FEW}", FORMATS | SIGNED,
    )  # fmt: skip


def reward_table(found: Rewards, currency: str) -> Shown:
    """What a reward rule would have cost on past orders."""
    names = {
        "customers": "customers", "reached": "reached a reward", "rewards": "rewards", "cost": "cost",
        "cost_share": "cost, share of revenue", "breakage": "points not redeemed",
    }  # fmt: skip
    table = found.totals[list(names)].to_frame().T.astype(float).rename(columns=names)
    formats = {"reached a reward": "{:.1%}", "cost, share of revenue": "{:.1%}", "points not redeemed": "{:.1%}"}
    whole = dict.fromkeys(["customers", "rewards", "cost"], "{:,.0f}")
    return _shown(
        table, list(table), f"The reward rule on past orders, in {currency}: all rewards go to orders that were placed without it",
        whole | formats,
    )  # fmt: skip


def strategy_table(table: pd.DataFrame, smallest: int) -> Shown:
    """Goals, offers and measures by segment; `table` as `strategy` returns it."""
    first = table.drop(columns=["share", "kpi", "guardrail"])
    keep = [str(name) for name in first if name != "customers"]
    return [
        *_shown(
            suppressed(first, smallest, keep=keep), ["segment", "customers", *keep[1:]],
            f"Strategy by segment: working hypotheses, to be tested against a hold-out. {FEW}",
        ),
        *_shown(table, ["segment", "kpi", "guardrail"], "How the strategy of each segment is judged"),
    ]  # fmt: skip
