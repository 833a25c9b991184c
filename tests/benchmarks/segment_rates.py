"""How often is what 02 says of segments right? Every promised rate, measured on simulated shops: `make rates-segments`.

In the shops of the simulator, what customers did in a window is dealt out anew at random among those who were known
when it began: then no rule to choose customers by is better than another, and every statement that one is, is false.
Without that, an interval should hold what the rules differ by in the mean shop. Repurchase rates are compared with a
planted probability in closed form, and with the mean shop. One core needs about ten minutes.
"""

import argparse
import sys

import ibis
import numpy as np
import pandas as pd
from promises import Rate, missed, rate, show

from customerlab.analysis import orders, rfm
from customerlab.analysis.rfm.choosing import DEPTH
from customerlab.analysis.rfm.repurchase import ANY
from customerlab.data.simulate import simulate_shop

DAYS = 90


def log_of(seed: int, customers: int) -> ibis.Table:
    """The sales of a simulated shop, as the library takes them."""
    lines = simulate_shop(customers=customers, seed=seed, spoiled=False).tables["transactions"].query("quantity > 0")
    return ibis.memtable(lines.assign(amount=(lines["quantity"] * lines["unit_price"]).round(4)))


def dealt_out(windows: list[pd.DataFrame], rng: np.random.Generator) -> list[pd.DataFrame]:
    """The same windows, with what customers did in them dealt out anew."""
    done = ["orders", "gross", "money", "came_back"]
    return [window.assign(**window[done].sample(frac=1, random_state=rng).reset_index(drop=True)) for window in windows]


def concluded(windows: list[pd.DataFrame], seed: int) -> pd.DataFrame:
    """What is concluded from: all windows together, a fifth of the customers."""
    table = rfm.choosing.compare_rules(windows, seed=seed)
    at = table[table["formed_on"].isna() & (table["chosen"] == DEPTH)]
    return at.assign(what=at["outcome"] + ", against " + at["against"])


def planted_waits(rng: np.random.Generator, size: int, length: int = 540) -> tuple[pd.DataFrame, float]:
    """Waits in a shop without seasons, and the share that orders again within `DAYS` of a first order.

    Rates are Gamma, the chance to drop out after an order is Beta, as in the modified BG/NBD model.
    """
    shape, scale, drop = 1.5, 1 / 60, (1.0, 2.5)
    begin = rng.uniform(0, length, size)
    orders = rng.geometric(np.clip(rng.beta(*drop, size), 1e-6, 1), size).clip(max=400)
    customer = np.repeat(np.arange(size), orders)
    gaps = rng.exponential(1 / rng.gamma(shape, scale, size)[customer])
    number = np.arange(len(customer)) - np.repeat(orders.cumsum() - orders, orders) + 1
    gaps[number == 1] = 0
    total = gaps.cumsum()
    at = begin[customer] + total - total[number == 1][customer]
    table = pd.DataFrame({"customer_id": customer, "number": number, "at": at})[at < length]
    following = table.groupby("customer_id")["at"].shift(-1)
    table["ended"] = following.notna()
    table["days"] = np.ceil(following.fillna(length) - table["at"]) - ~table["ended"]
    table = table.astype({"days": "int64"})
    stays = drop[1] / sum(drop)
    return table, stays * (1 - (1 + DAYS * scale) ** -shape)


def covers(table: pd.DataFrame, after: str, truth: float) -> bool:
    """Whether the interval of a repurchase rate holds a share."""
    row = table.set_index("after").loc[after]
    return bool(row["low"] <= truth <= row["high"])


def of_rules(found: pd.DataFrame, null: pd.DataFrame) -> None:
    """Statements of nothing, and intervals of what there is."""
    shops = null.groupby("shop")
    rates = [rate(what, part["pvalue"] < 0.05, "<= 0.05") for what, part in null.groupby("what")]
    rates.append(rate("any of them, Holm-adjusted (what 02 says)", shops["pvalue_holm"].min() < 0.05, "<= 0.05"))
    show("Segments said to bring more or less than a plainer rule, where no rule is better", rates)
    intervals: list[Rate] = []
    for what, part in found.groupby("what"):
        truth = part["difference"].mean()
        intervals.append(rate(f"{what} ({truth:+.1%})", (part["low"] <= truth) & (truth <= part["high"]), ">= 0.95"))
    show("Intervals of 95% of the difference that hold that of the mean shop", intervals)


def of_repurchase(waits: list[pd.DataFrame], shops: int) -> None:
    """Repurchase rates within 90 days."""
    rng = np.random.default_rng(1)
    found = [rfm.repurchase(one, [DAYS]) for one in waits]
    rates = []
    for after in ("first", "second", ANY):
        mean = np.mean([table.set_index("after").loc[after, "share"] for table in found])
        hits = np.array([covers(table, after, mean) for table in found])
        rates.append(rate(f"simulated shop, after {after}: mean shop {mean:.1%}", hits, "= 0.95"))
    limit = rfm.repurchase(planted_waits(rng, 200_000)[0], [DAYS]).set_index("after").loc[ANY, "share"]
    planted = []
    for _ in range(5 * shops):
        table, truth = planted_waits(rng, 600)
        one = rfm.repurchase(table, [DAYS])
        planted.append((covers(one, "first", truth), covers(one, ANY, limit)))
    first, every = np.array(planted).T
    rates.append(rate(f"planted, after first: {truth:.1%} in closed form", first, "= 0.95"))
    rates.append(rate(f"planted, after any: {limit:.1%} of 200,000 customers", every, "= 0.95"))
    show("Intervals of 95% of repurchase rates within 90 days that hold the true one", rates)


def main() -> None:
    """Print all tables, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=200, help="simulated shops")
    parser.add_argument("--customers", type=int, default=600, help="customers of each")
    options = parser.parse_args()
    found, null, waits = [], [], []
    for seed in range(options.shops):
        log = log_of(seed, options.customers)
        day = orders.day_after(log)
        windows = rfm.holdout.followed(orders.Snapshot(log, day), rfm.Scheme(), days=DAYS)
        waits.append(rfm.waits(log, day))
        found.append(concluded(windows, seed).assign(shop=seed))
        null.append(concluded(dealt_out(windows, np.random.default_rng([2, seed])), seed).assign(shop=seed))
    of_rules(pd.concat(found), pd.concat(null))
    of_repurchase(waits, options.shops)
    if missed:
        sys.exit("\n".join(["", "Not as promised:", *missed]))


if __name__ == "__main__":
    main()
