"""Time to the next order by segment, and from the first to the second order by acquisition cohort."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis import rfm
from customerlab.analysis.disclosure import hidden
from customerlab.analysis.inference import LEAST, enough, holm, kaplan_meier
from customerlab.analysis.orders import Shop, Summary, fetched, first_order, since
from customerlab.formats import interval, percent

DAYS = (30, 90, 180)
FOLLOWED = 365
ALPHA = 0.05


def segment_waits(shop: Shop, scheme: rfm.Scheme, smallest: int = 1) -> pd.DataFrame | None:
    """Days from an earlier day to the next order of its customers, with the RFM segment of that day.

    The earlier day is a year before that of the shop, or the middle of the log. An order on the day itself is a wait of
    one day; waits without an order by the end of the log are censored. Segments of fewer than `smallest` customers are
    left out, and others that would reveal them (`disclosure.hidden`).

    Returns
    -------
    DataFrame or None
        Sorted by `customer_id` within segments in the order of the rules: `customer_id`, `group`, `days`, `ended`,
        `followed` (days to the end of the log) and `formed_on`. None for a summary, and for a log of a single day.
    """
    if isinstance(shop, Summary):
        return None
    length = (shop.day - first_order(shop.transactions).normalize()).days
    followed = min(FOLLOWED, length // 2)
    if followed < 1:
        return None
    then = shop.at(shop.day - pd.Timedelta(days=followed))
    table = scheme.on(then)[["customer_id", "segment"]].rename(columns={"segment": "group"})
    sizes = table["group"].value_counts()
    table = table[table["group"].isin(sizes.index[~hidden(sizes, smallest)])].reset_index(drop=True)
    after = since(shop.known, then.day).group_by("customer_id").aggregate(next=lambda t: t.ordered_at.min())
    found = table["customer_id"].map(fetched(after).set_index("customer_id")["next"])
    days = (pd.to_datetime(found).dt.normalize() - then.day).dt.days + 1
    table["days"], table["ended"] = days.fillna(followed).astype("int64"), days.notna()
    table["followed"] = followed
    place = table["group"].map({name: place for place, name in enumerate(scheme.rules["segment"])})
    table = table.assign(place=place, formed_on=then.day).sort_values(["place", "customer_id"], ignore_index=True)
    return table.drop(columns="place")


def cohort_waits(shop: Shop) -> pd.DataFrame | None:
    """Days from the first to the second order, with the quarter of the first one; orders of one day count as one.

    Returns
    -------
    DataFrame or None
        Sorted by quarter and `customer_id`: `customer_id`, `group` (such as ``2024 Q1``), `days`, `ended` and
        `followed` (days to the end of the log). None for a summary. If the log begins after the shop opened, some first
        orders in it are not the customer's first.
    """
    if isinstance(shop, Summary):
        return None
    waits = rfm.waits(shop.transactions, shop.day)
    table = waits[waits["number"] == 1].drop(columns="number").reset_index(drop=True)
    first = table["customer_id"].map(shop.customers().set_index("customer_id")["first_order"])
    table["followed"] = (shop.day - pd.Timedelta(days=1) - first).dt.days
    table.insert(1, "group", first.dt.year.astype(str) + " Q" + first.dt.quarter.astype(str))
    return table.sort_values(["group", "customer_id"], ignore_index=True)


def curves(waits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The curve of each group, as `kaplan_meier` returns it, for as long as enough of its customers are followed.

    Groups of fewer customers, and those of whom nobody ordered again, are omitted.
    """
    found = {}
    for name, part in _parts(waits).items():
        if enough(len(part)):
            steps = kaplan_meier(part["days"], part["ended"])
            found[name] = steps[steps["days"] <= part["followed"].nlargest(LEAST).iloc[-1]]
    return {name: curve for name, curve in found.items() if len(curve)}


def ordered_within(waits: pd.DataFrame, days: Sequence[int] = DAYS) -> pd.DataFrame:
    """The share of each group that orders again within so many days (Kaplan and Meier 1958).

    Returns
    -------
    DataFrame
        `group`, `customers`, `days`, `ordered_again` (customers, within these days), `share` (missing where not
        `enough` customers are followed for so long) with `low` and `high`, its 95% interval as `kaplan_meier` has it,
        missing where not `enough` ordered again.

    Examples
    --------
    >>> waits = pd.DataFrame({"customer_id": range(80), "group": "Loyal", "days": [9] * 40 + [50] * 40, "followed": 50})
    >>> ordered_within(waits.assign(ended=waits["days"] == 9)).iloc[:2, :5].values.tolist()
    [['Loyal', 80, 30, 40, 0.5], ['Loyal', 80, 90, 40, nan]]
    """
    rows = []
    for name, part in _parts(waits).items():
        steps = kaplan_meier(part["days"], part["ended"])
        for within in days:
            seen = steps.loc[steps["days"] <= within, ["share", "low", "high"]].tail(1)
            again = int((part["ended"] & (part["days"] <= within)).sum())
            share, low, high = seen.iloc[0] if len(seen) else (0.0, np.nan, np.nan)
            if not enough((part["followed"] >= within).sum()):
                share = np.nan
            told = share == share and enough(again)
            rows.append((name, len(part), within, again, share, *((low, high) if told else (np.nan, np.nan))))
    return pd.DataFrame(rows, columns=["group", "customers", "days", "ordered_again", "share", "low", "high"])


def log_rank(waits: pd.DataFrame) -> pd.DataFrame:
    """Whether the customers of a group order again sooner or later than all others: a log-rank test (Mantel 1966).

    Returns
    -------
    DataFrame
        One row per group: `group`, `customers`, `statistic` (above zero if the group orders more often than it would if
        it were as the others), `pvalue`, and `pvalue_holm` (Holm 1979, over all groups). Missing where too few of the
        group or of the others ordered again.
    """
    rows = []
    for name, part in _parts(waits).items():
        others = waits[waits["group"] != name]
        statistic = pvalue = float("nan")
        if enough(part["ended"].sum(), others["ended"].sum()):
            result = stats.logrank(
                *(stats.CensoredData.right_censored(one["days"], ~one["ended"]) for one in (part, others))
            )
            statistic, pvalue = float(result.statistic), float(result.pvalue)
        rows.append((name, len(part), statistic, pvalue))
    table = pd.DataFrame(rows, columns=["group", "customers", "statistic", "pvalue"])
    return table.assign(pvalue_holm=holm(table["pvalue"]))


def _parts(waits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): part for name, part in waits.groupby("group", sort=False)}


def survival_sentences(shares: pd.DataFrame, tests: pd.DataFrame, *, days: int = 90, after: str = "") -> list[str]:
    """The groups of the highest and the lowest share that orders again within so many days, and what is significant.

    `shares` and `tests` are those of `ordered_within` and `log_rank`; `after` says from when days count, such as ``of
    the first order``.
    """
    rows = shares[shares["days"] == days].dropna(subset="low")
    if rows["share"].nunique() < 2:
        return [f"Time to the next order: too few customers of more than one group are followed for {days} days."]
    ends = rows.loc[[rows["share"].idxmin(), rows["share"].idxmax()]].to_dict("records")
    low, high = (
        f"{percent(row['share'])} of {row['group']} ({interval(row['low'], row['high'], percent)}, n = {row['customers']:,})"
        for row in ends
    )
    apart, tested = int((tests["pvalue_holm"] < ALPHA).sum()), int(tests["pvalue_holm"].notna().sum())
    return [
        f"Within {days} days{f' {after}' if after else ''}, from {low} to {high} order again (Kaplan-Meier). {apart} of {tested} "
        "groups differ significantly from all other customers (log-rank test, Holm-adjusted)."
    ]
