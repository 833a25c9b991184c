"""What is said of the campaigns of a simulated shop, against what was planted in it."""

import ibis
import numpy as np
import pandas as pd

from customerlab.analysis import campaign, orders, rfm
from customerlab.analysis.campaign.send_time import PERSONAL, SHOP
from customerlab.data.simulate import Shop, campaigns, experiments, purchasing, simulate_shop

END, WINDOW = pd.Timestamp("2025-01-01"), 7


MARGIN, DISCOUNTS, PER_ORDER = 0.3, {"voucher": 0.1}, {"free delivery": 5.0}
CONTACT_COSTS = {"email": 0.01, "text": 0.08, "letter": 0.9}


def sales(shop: Shop) -> pd.DataFrame:
    """The order lines of a simulated shop."""
    lines = shop.tables["transactions"].query("quantity > 0")
    return lines.assign(amount=(lines["quantity"] * lines["unit_price"]).round(4))


def message_log(shop: Shop) -> pd.DataFrame:
    """The messages of a simulated shop, with what was ordered after them."""
    lines = sales(shop)
    sent = shop.tables["messages"].assign(held_out=shop.tables["messages"]["held_out"].astype(float))
    tables = (ibis.memtable(one) for one in (sent, shop.tables["campaigns"], lines))
    return campaign.message_log(*tables, day=END, window_days=WINDOW)


def judged(seed: int, customers: int) -> dict[str, float | bool]:
    """What is said of one shop, against what was planted in it."""
    shop = simulate_shop(customers=customers, seed=seed, spoiled=False, campaigns=True)
    log, truth = message_log(shop), shop.truth["campaigns"].set_index("customer_id")
    segments = shop.truth["customers"].set_index("customer_id")["segment"].astype("str")
    lines = shop.tables["transactions"].query("quantity > 0")
    paid = (lines["quantity"] * lines["unit_price"])[lines["order_id"].isin(shop.truth["caused"]["order_id"])].sum()
    known = log.dropna(subset="revenue_after")
    table = campaign.caused(known.assign(attributed=known["revenue"])).set_index("measure")
    planted = paid / (~log["held_out"]).sum()
    orders = campaign.effects(
        known.assign(segment="all", offer="any", channel="any"), "orders_after", seed=1
    ).table.iloc[0]
    caused = len(shop.truth["caused"]) / (~log["held_out"]).sum()
    day = campaign.split_day(log)
    times = campaign.judge_times(campaign.responded(log), day, campaign.hours_of_day, segments, seed=seed)
    rules = times.rules.set_index("rule")
    channels = campaign.judge_channels(log, day, segments, "converted", seed=seed)
    chosen = channels.by[channels.by["best"]].set_index("segment")["channel"]
    best = truth.groupby(segments.reindex(truth.index))["best_channel"].first().drop("trade")  # who responds to nothing
    tired = campaign.judge_cadence(log, END, "clicked", days=campaigns.PRESSURE)
    return {
        "revenue": table.loc["caused", "low"] <= planted <= table.loc["caused", "high"],
        "orders": orders["low"] <= caused <= orders["high"],
        "claimed": table.loc["gap", "low"] > 0,
        "personal": times.decision == PERSONAL,
        "expected": rules.loc[PERSONAL, "expected"] - rules.loc[SHOP, "expected"],
        "gained": rules.loc[PERSONAL, "hits"] - rules.loc[SHOP, "hits"],
        "channel": (chosen.reindex(best.index) == best).mean(),
        "fixed": best.value_counts(normalize=True).max(),
        "tired": tired.low <= campaigns.TIRED <= tired.high,
    }


def planned(seed: int, customers: int) -> dict[str, float]:
    """What the plan of a shop is expected to bring with its interval, and what it would bring by the planted truth."""
    shop = simulate_shop(customers=customers, seed=seed, spoiled=False, campaigns=True)
    known, scheme = orders.Snapshot(ibis.memtable(sales(shop)), END), rfm.Scheme()
    days = rfm.month_starts(orders.first_order(known.transactions), END, 24)
    log = campaign.with_segments(message_log(shop), rfm.snapshots(known, scheme, days))
    together = campaign.pooled(log, "orders_after")
    grouped = log.assign(segment=log["segment"].map(together))
    on_orders = campaign.effects(grouped, "orders_after", seed=seed)
    money = campaign.valued(on_orders, grouped, campaign.worth_of_an_order(log), seed=seed)
    worth = campaign.profits(money, MARGIN, DISCOUNTS, PER_ORDER)
    people = shop.tables["customers"].set_index("customer_id")[["newsletter"]].eq("yes")
    permitted = campaign.permitted(people, [f"{channel}: newsletter" for channel in CONTACT_COSTS], log)
    table = scheme.on(known).set_index("customer_id")
    groups = table["segment"].astype("str").map(together).dropna()
    offered = campaign.options(permitted, groups, worth, CONTACT_COSTS)
    chosen = campaign.allocate(offered, 1e6).chosen
    expected = campaign.expected_profit(chosen, offered, worth.draws)
    return {**expected.to_dict(), "truth": _true_profit(shop, chosen, groups, worth.table, log, table["recency"])}


def _true_profit(
    shop: Shop, chosen: pd.DataFrame, groups: pd.Series, worth: pd.DataFrame, log: pd.DataFrame, recency: pd.Series
) -> float:
    """The expected profit of contacts by the planted truth; offers are used by orders that come anyway as planned."""
    truth = shop.truth["campaigns"].set_index("customer_id").loc[chosen["customer_id"]]
    state = shop.truth["customers"].set_index("customer_id")["state"].reindex(truth.index)
    attention = experiments.ATTENTION[[purchasing.STATES.index(one) for one in state]]
    kept, fades = experiments.KEPT, experiments.FADES
    attention = attention * (kept + (1 - kept) * np.exp(-recency.reindex(truth.index) / fades))
    late = log[~log["held_out"] & (log["sent"] >= END - pd.Timedelta(days=campaigns.PRESSURE))]
    received = late.groupby("customer_id").size().reindex(truth.index).fillna(0)
    factor = (attention * campaigns.TIRED**received).to_numpy()
    names = [
        f"{offer} {channel}".replace(" ", "_")
        for offer, channel in zip(chosen["offer"], chosen["channel"], strict=True)
    ]
    found = [
        truth[[f"{name}_{what}" for name in names]].to_numpy().diagonal() * factor for what in ("revenue", "orders")
    ]
    offer = chosen["offer"]
    off, per_order = (offer.map(of).fillna(0.0).to_numpy(float) for of in (DISCOUNTS, PER_ORDER))
    at = worth.drop_duplicates("segment").set_index("segment").loc[groups.loc[chosen["customer_id"]]]
    base, value = at["base"].to_numpy(), at["value"].to_numpy()
    lost = off * base + per_order * (found[1] + base / value)
    return float((found[0] / (1 - off) * (MARGIN - off) - lost - chosen["cost"].to_numpy()).sum())
