"""Who is leaving: what churn means in a shop, customers of earlier days with what became of them, and a prediction."""

from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.inference import enough, largest_share, too_few
from customerlab.analysis.orders import Shop, Snapshot, Summary, fetched, first_order, later
from customerlab.analysis.rfm.repurchase import returning
from customerlab.analysis.value.classify import MODELS, RECENCY, features, fitted, points, probability
from customerlab.analysis.value.judging import Judged, judge
from customerlab.formats import interval, p_value, percent
from customerlab.wording import Led

WEEK = 7
SHARE = 0.9  # of the orders that another one follows, for which the horizon is long enough
PARTS = 3  # of the log, of which the horizon is at most one: what was before, a window to train on, a window to test on
WINDOWS = 12  # at most, the latest
MANY = 3  # orders from which customers are alike in what they are taken to spend


@dataclass(frozen=True)
class Horizon:
    """The number of days without an order that counts as churn, and why.

    Attributes
    ----------
    days : int
    followed : int
        Days for which next orders were looked for, at most a year.
    share : float
        Of the orders that another one follows within the days `followed`, the share followed within `days`
        (Kaplan and Meier 1958).
    orders : int
        Days with an order of a customer, whose waits for the next one were followed.
    reason : str
        ``proposed``, ``longest`` (that the log has room for, where the proposal is longer) or ``given``.
    """

    days: int
    followed: int
    share: float
    orders: int
    reason: str


def proposed(waits: pd.DataFrame, *, length: int, days: int | None = None) -> Horizon | None:
    """The horizon of churn for a shop without contracts, from the gaps between orders.

    It is the least number of whole weeks within which 90% of those orders are followed by another that are so within a
    year, or for as long as enough of them still wait. Waits that the end of the log has cut off are censored. It is at
    most a third of the log, so that there is something before a window to train on and one to test on.

    Parameters
    ----------
    waits : DataFrame
        As `rfm.waits` returns it.
    length : int
        Days from the first order to the as-of date.
    days : int, optional
        A horizon of one's own; `share` then says what it means.

    Returns
    -------
    Horizon or None
        None where not `enough` orders are followed by another, or a third of the log is less than a week.

    Examples
    --------
    >>> gaps = pd.DataFrame({"days": [*range(1, 101), *[300] * 50], "ended": [True] * 100 + [False] * 50})
    >>> proposed(gaps, length=400)
    Horizon(days=91, followed=300, share=0.91, orders=150, reason='proposed')
    >>> proposed(gaps, length=200).days
    63
    """
    longest = length // PARTS // WEEK * WEEK
    if not enough(int(waits["ended"].sum())) or longest < WEEK:
        return None
    steps, followed = returning(waits)
    least = int(steps.loc[steps["share"] >= SHARE, "days"].iloc[0])
    whole, reason = -(-least // WEEK) * WEEK, "proposed"
    if whole > longest:
        whole, reason = longest, "longest"
    if days is not None:
        whole, reason = days, "given"
    share = float(steps.loc[steps["days"] <= whole, "share"].max()) if (steps["days"] <= whole).any() else 0.0
    return Horizon(whole, followed, round(share, 12), len(waits), reason)


@dataclass(frozen=True)
class Churn:
    """Churn predicted for customers of a later period by models trained on earlier ones.

    Attributes
    ----------
    days : int
        Length of the windows.
    contracts : bool
        Whether churn is the end of a contract; otherwise it is no order in the window.
    windows : DataFrame
        One row per window, the earliest first: `begin`, `until`, `used` (training or test), `known` (customers by
        then), `at_risk`, `churned` (customers) and `rate`.
    judged : Judged or None
        The test; None where not `enough` customers churned, or not enough stayed, in the training or the test windows.
    now : DataFrame
        The customers at risk on the day of the shop, with the `probability` by the best model trained on all windows;
        without rows where there is no test.
    stay_value : float
        Mean net revenue in the last training window of customers who did not churn in it, weighted to the numbers of
        earlier orders (1, 2, 3 or more) of those who did, and
    largest : float
        the share of one customer in it.
    """

    days: int
    contracts: bool
    windows: pd.DataFrame
    judged: Judged | None
    now: pd.DataFrame
    stay_value: float
    largest: float


def predict_churn(shop: Shop, days: int, *, ended: pd.Series | None = None, seed: int) -> Churn | None:
    """Predict churn in the last window of a log by models trained on the windows before it.

    Parameters
    ----------
    shop : Snapshot or Summary
        On the day that the last window ends with.
    days : int
        Length of a window: churn is no order in so many days, or the end of the contract.
    ended
        As for `windows`.
    seed : int
        Of folds, trees, permutations and resamples.

    Returns
    -------
    Churn or None
        None if the log has fewer than two `windows`, or there is a summary and no log.

    Notes
    -----
    Customers are in several training windows, and their probabilities are calibrated by other customers. The test has
    each once. What is tested has not seen the test window; `now` is made by the best model, trained on that as well.
    """
    if isinstance(shop, Summary):
        return None
    *past, now = windows(shop, days, ended=ended)
    if len(past) < 2:
        return None
    training, test = pd.concat(past[:-1], ignore_index=True), past[-1]
    counts = [int((part["churned"] == outcome).sum()) for part in (training, test) for outcome in (True, False)]
    judged, chance = None, pd.Series(dtype=float)
    if enough(*counts):
        judged = judge(fitted(training, seed=seed), test, seed=seed)
        if len(now):
            model = fitted(pd.concat(past, ignore_index=True), [judged.best], seed=seed)[judged.best]
            chance = pd.Series(probability(model, points(now)))
    value, largest = _staying(shop, past[-2])
    described = pd.DataFrame([_window(part) for part in past])
    described.insert(2, "used", ["training"] * (len(past) - 1) + ["test"])
    scored = now[["customer_id"]].iloc[: len(chance)].assign(probability=chance)
    return Churn(days, ended is not None, described, judged, scored, value, largest)


def contract_ends(customers: ir.Table) -> pd.Series:
    """The end of each customer's contract by `customer_id`, missing while it runs; `customers` as canonical."""
    found = fetched(customers.select("customer_id", "contract_ended_at")).set_index("customer_id").sort_index()
    return found["contract_ended_at"]


def windows(shop: Shop, days: int, *, ended: pd.Series | None = None) -> list[pd.DataFrame]:
    """Customers at risk of churn on earlier days, as known then, and whether they churned in the days that followed.

    Without contracts churn is no order in the window, and a customer who has not ordered for as many days has churned
    already and is not at risk. With contracts it is their end in the window; those whose contract has ended before, or
    who have none, are not at risk. All days are read in one pass over the log.

    Parameters
    ----------
    shop : Snapshot or Summary
        On the day that the last window ends with.
    days : int
        Length of a window.
    ended : Series of Timestamp, optional
        By `customer_id`: the day on which a contract ended or will end, missing where it has no end. Ends that are
        known before they come are not used as features.

    Returns
    -------
    list of DataFrame
        One per window, the earliest first, at most 12, and last the customers at risk today, who have no outcome.
        Sorted by `customer_id`: that, `FEATURES`, `churned`, `begin`, `until` and `known` (customers by then).
        Windows do not overlap, and have as many days of log before them as they are long; without customers at risk
        they are left out. Money is net of returns. Empty for a summary.

    Raises
    ------
    ValueError
        If a customer has two ends of contract.
    """
    if ended is not None and ended.index.has_duplicates:
        raise ValueError("a customer has two ends of contract; expected one row per customer, with the latest")
    if isinstance(shop, Summary):
        return []
    period, first = pd.Timedelta(days=days), first_order(shop.transactions)
    edges = [shop.day - place * period for place in range(WINDOWS + 2)]
    shops = shop.at_all([edge for edge in edges if edge > first])
    tables = [each.customers(net=shop.returns is not None) for each in shops]
    found = []
    for place, (begin, then) in enumerate(zip(edges, tables, strict=False)):
        if place > WINDOWS or (begin - first.normalize() < period and place):
            break
        earlier = tables[place + 1] if place + 1 < len(tables) else None
        part = features(then, earlier).assign(begin=begin, until=begin + period, known=len(then))
        if ended is not None:
            ends = part["customer_id"].map(pd.to_datetime(ended))
            part["churned"] = ends < begin + period
            part = part[part["customer_id"].isin(ended.index) & ~(ends < begin)]
        else:
            ordered = tables[place - 1].set_index("customer_id")["frequency"] if place else part["frequency"]
            part["churned"] = part["customer_id"].map(ordered) == part["frequency"] if place else False
            part = part[part["recency"] <= days]
        found.append(part.reset_index(drop=True))
    return [*(part for part in found[:0:-1] if len(part)), found[0].drop(columns="churned")]


def _staying(shop: Snapshot, window: pd.DataFrame) -> tuple[float, float]:
    """Mean net revenue of the customers of a window who did not churn, with as many orders as those who did, and the
    share of the largest of them: who churns has mostly ordered less, and would spend less.
    """
    stayed = window.loc[~window["churned"], "customer_id"]
    after = later(shop.transactions, stayed, window["begin"].iloc[0], window["until"].iloc[0], returns=shop.returns)
    largest: Any = largest_share(after["money"])
    orders = window.set_index("customer_id")["frequency"].clip(upper=MANY)
    means = after.groupby(after["customer_id"].map(orders))["money"].mean()
    lost = orders[window["churned"].to_numpy()] if window["churned"].any() else orders
    return float(lost.map(means).fillna(after["money"].mean()).mean()), largest


def _window(part: pd.DataFrame) -> dict[str, object]:
    return {
        "begin": part["begin"].iloc[0], "until": part["until"].iloc[0], "known": part["known"].iloc[0],
        "at_risk": len(part), "churned": int(part["churned"].sum()), "rate": part["churned"].mean(),
    }  # fmt: skip


def churn_sentences(churn: Churn | None, horizon: Horizon | None = None) -> list[str]:
    """Which model to rank customers by, how good its probabilities are, and what churn means; the decision first.

    `horizon` as `proposed` returns it; None where there are contracts, or nothing was found.
    """
    if churn is None:
        why = (
            f"the log has fewer than two windows of {horizon.days} days."
            if horizon
            else "there are too few repeat orders."
        )
        return [Led("Churn is not predicted", f": {why}")]
    last = churn.windows.iloc[-1]
    gone, meant = int(last["known"] - last["at_risk"]), [] if horizon is None else [by_horizon(horizon)]
    if gone:
        why = "have no contract or one that had ended" if churn.contracts else f"had not ordered for {churn.days} days"
        meant.append(f"Not at risk are {gone:,} of {last['known']:,} customers on {last['begin']:%Y-%m-%d}, who {why}.")
    if churn.judged is None:
        rows, outcomes = churn.windows.groupby("used")[["at_risk", "churned"]].sum(), []
        for used, row in rows.iterrows():
            for what, n in (("churned", row["churned"]), ("stayed", row["at_risk"] - row["churned"])):
                outcomes.append((int(n), f"customers who {what} in the {used} windows"))
        return [Led("Churn is not predicted", f": {too_few(*min(outcomes))}."), *meant]
    judged = churn.judged
    return [_decision(judged), _ranking(judged), _calibrated(judged), *_reasons(judged), *meant]


def by_horizon(horizon: Horizon) -> str:
    """What churn means without contracts, and why."""
    room = ", the most that leaves a window to train on and one to test on" if horizon.reason == "longest" else ""
    own = ", as set by the parameter" if horizon.reason == "given" else ""
    return (
        f"Churned means no order in {horizon.days} days{room}{own}: of orders that another one follows within {horizon.followed} days, "
        f"{percent(horizon.share)} are followed within {horizon.days} (Kaplan-Meier, n = {horizon.orders:,})."
    )


def _of_best(judged: Judged) -> dict:
    """The scores of the recommended model."""
    return judged.scores[judged.scores["model"] == judged.best].to_dict("records")[0]


def _decision(judged: Judged) -> str:
    """Recency alone, or a model that is significantly better."""
    rows = judged.comparisons[judged.comparisons["metric"] == "roc_auc"]
    own = _of_best(judged)
    ci = interval(own["roc_auc_low"], own["roc_auc_high"], "{:.3f}")
    against = [
        f"{row['difference']:+.3f} ({interval(row['low'], row['high'], '{:+.3f}')}, Holm-adjusted {p_value(row['pvalue_holm'])})"
        for row in rows.to_dict("records")
    ]
    if judged.best != RECENCY:
        place = rows["model"].tolist().index(judged.best)
        plain = f"against {rows['by_recency'].iloc[0]:.3f} by recency alone: {against[place]}."
        return Led(f"Use {judged.best} to predict churn", f". Its ROC AUC is {own['roc_auc']:.3f} ({ci}) {plain}")
    others = " and ".join(f"{model} {text}" for model, text in zip(MODELS[1:], against, strict=True))
    lead = "Rank customers by recency alone" if own["roc_auc_low"] > 0.5 else "Churn is not predictable here"
    none = ": neither model predicts churn significantly better" + (
        " than recency" if own["roc_auc_low"] <= 0.5 else ""
    )
    return Led(lead, f"{none}. The ROC AUC of recency is {own['roc_auc']:.3f} ({ci}); the differences are {others}.")


def _ranking(judged: Judged) -> str:
    """Average precision beside the base rate, and the top decile."""
    own = _of_best(judged)
    top = judged.lift[judged.lift["model"] == judged.best].iloc[0]
    return (
        f"{percent(own['base_rate'])} of {int(own['customers']):,} customers at risk churned (base rate). Average precision is "
        f"{own['average_precision']:.3f} ({interval(own['average_precision_low'], own['average_precision_high'], '{:.3f}')}); a random "
        f"order has {own['base_rate']:.3f}. Of the 10% with the highest probability, {percent(top['churn_rate'])} churned, "
        f"{top['lift']:.2f} times the base rate."
    )


def _calibrated(judged: Judged) -> str:
    """Whether probabilities are as high as churn was, on average and at the ends."""
    own = _of_best(judged)
    level = "too high on average" if own["bias_low"] > 0 else "too low on average" if own["bias_high"] < 0 else ""
    spread = "too extreme" if own["slope_high"] < 1 else "too close to their mean" if own["slope_low"] > 1 else ""
    wrong = " and ".join(filter(None, (level, spread))) or "not significantly miscalibrated"
    slope = f"; the calibration slope is {own['slope']:.2f} ({interval(own['slope_low'], own['slope_high'], '{:.2f}')}), ideally 1"
    return (
        f"Probabilities by {judged.best} are {wrong}: their mean is {own['base_rate'] + own['bias']:.1%}, and "
        f"{own['base_rate']:.1%} churned (difference {interval(100 * own['bias_low'], 100 * own['bias_high'], '{:+.1f}')} "
        f"percentage points){slope if own['slope'] == own['slope'] else ''}."
    )


def _reasons(judged: Judged) -> list[str]:
    """The group of features that matters most to the recommended model; nothing for recency."""
    rows = judged.importance[judged.importance["model"] == judged.best].sort_values(
        "loss", ascending=False, kind="stable"
    )
    return [
        f"{row['group'].capitalize()} matters most: exchanged at random, its features cost {row['loss']:.3f} of ROC AUC "
        f"({interval(row['low'], row['high'], '{:.3f}')})."
        for row in rows.head(1).to_dict("records")
        if row["low"] > 0
    ]
