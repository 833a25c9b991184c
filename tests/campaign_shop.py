"""What is said of the campaigns of a simulated shop, against what was planted in it."""

import ibis
import pandas as pd

from customerlab.analysis import campaign
from customerlab.analysis.campaign.send_time import PERSONAL, SHOP
from customerlab.data.simulate import Shop, campaigns, simulate_shop

END, WINDOW = pd.Timestamp("2025-01-01"), 7


def message_log(shop: Shop) -> pd.DataFrame:
    """The messages of a simulated shop, with what was ordered after them."""
    lines = shop.tables["transactions"].query("quantity > 0")
    lines = lines.assign(amount=(lines["quantity"] * lines["unit_price"]).round(4))
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
