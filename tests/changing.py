"""Shops in which nothing changes, or one thing that is planted: customers come, order at their own rate, and leave."""

import ibis
import numpy as np
import pandas as pd

from customerlab.analysis.monitoring.challenge import (
    churn_trial,
    cluster_pair,
    cluster_trial,
    compared,
    match,
    rfm_trial,
    season_of,
    value_trial,
)
from customerlab.analysis.monitoring.changes import drift_table, inputs, named, of_models, of_periods, periods
from customerlab.analysis.monitoring.decisions import decide
from customerlab.analysis.monitoring.thresholds import thresholds
from customerlab.analysis.orders import Snapshot
from customerlab.analysis.rfm.scheme import Scheme

END = pd.Timestamp("2025-01-01")
DAYS, BURNT = 1_100, 900  # days of log, and of shop before it: as many leave as come
STAY, GAP = 300.0, 45.0  # mean days of a customer, and between orders


def shop(
    seed: int, *, a_day: float = 1.2, since: int = 91, growth: float = 1.0, price: float = 1.0, rate: float = 1.0,
    baskets: float = 1.0, season: float = 0.0, days: int = DAYS,
) -> Snapshot:  # fmt: skip
    """A shop as of `END`. What is planted changes `since` so many days before by a factor; `season` swings every year.

    `growth` is that of customers who come in a day, `price` of money, `rate` of repeat orders, `baskets` of products in
    an order. The season is that of repeat orders and of new customers: 1 + `season` · cos, highest at the year's end.
    """
    rng = np.random.default_rng(seed)
    begin, change, most = -float(BURNT), days - since, max(growth, 1.0) * (1 + season)
    come = rng.uniform(begin, days, rng.poisson(a_day * most * (days - begin)))
    come = come[rng.uniform(0, most, len(come)) < np.where(come >= change, growth, 1.0) * _swing(come, season)]
    own = rng.gamma(2.0, 1 / (2.0 * GAP), len(come))
    stay = rng.exponential(STAY, len(come))
    highest = max(rate, 1.0) * (1 + season)
    number = rng.poisson(own * highest * stay)
    who = np.repeat(np.arange(len(come)), number)
    at = come[who] + rng.uniform(0, 1, len(who)) * stay[who]
    left = rng.uniform(0, highest, len(who)) < np.where(at >= change, rate, 1.0) * _swing(at, season)
    who, at = np.concatenate([np.arange(len(come)), who[left]]), np.concatenate([come, at[left]])
    seen = (at >= 0) & (at < days)
    who, at = who[seen], at[seen]
    later = at >= change
    lines = 1 + rng.poisson(1.5 * np.where(later, baskets, 1.0))
    order = np.repeat(np.arange(len(at)), lines)
    taste = rng.lognormal(0, 0.3, len(come))[who[order]]
    amount = (10 * taste * rng.lognormal(0, 0.5, len(order)) * np.where(later[order], price, 1.0)).round(2)
    table = pd.DataFrame({
        "customer_id": [f"c{number:06d}" for number in who[order]], "order_id": [f"o{number:07d}" for number in order],
        "product_id": [f"p{number:03d}" for number in rng.integers(0, 200, len(order))],
        "ordered_at": END - pd.to_timedelta(np.ceil((days - at[order]) * 86_400), "s"),
        "quantity": 1.0, "unit_price": amount, "amount": amount,
    })  # fmt: skip
    return Snapshot(ibis.memtable(table), END)


def _swing(at: np.ndarray, season: float) -> np.ndarray:
    return 1 + season * np.cos(2 * np.pi * (at - DAYS) / 364)


def judged(made: Snapshot) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """What is said of a shop: drift of periods and models, names of changes, decisions."""
    champion = made.day - pd.Timedelta(weeks=26)
    between, season, scheme = match(made, champion, 91), season_of(made, champion, 91), Scheme()
    pair, churn, (reference, current, before) = cluster_pair(between, 4, 7), churn_trial(between, 7), periods(between)
    own = thresholds(between.champion, scheme)
    rows = drift_table(of_periods(reference, current, before), of_models(between, own, pair[0], churn[1]))
    trials = [
        compared(rfm_trial(between, own, scheme)), compared(cluster_trial(between, *pair)),
        compared(churn[0], churn_trial(season, 7)[0]),
        compared(value_trial(between, "BG/NBD"), value_trial(season, "BG/NBD")),
    ]  # fmt: skip
    return rows, named(rows, reference, current), decide(trials, inputs(rows))
