"""Out-of-time validation: segments formed on earlier days, judged by what their customers did next."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import enough, largest_share, wilson
from customerlab.analysis.orders import Shop, Snapshot, Summary, first_order, later
from customerlab.analysis.rfm.choosing import OUTCOMES, compare_rules, mean_gains
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.rfm.scores import MEASURES

WINDOWS = 12  # at most, the latest


@dataclass(frozen=True)
class Holdout:
    """Segments formed on earlier days, and the outcomes that followed.

    Attributes
    ----------
    windows : DataFrame
        One row per window, the earliest first: `formed_on`, `until`, `customers` (known on the first day),
        `came_back` (customers who ordered again), `gross`, `money` (revenue) and `largest` (share of one customer).
    segments, by_window : DataFrame
        Outcomes by segment, as `by_segment` returns them: over all windows, and by window with `formed_on`.
    scores : DataFrame
        Outcomes by score over all windows, as `by_score` returns them.
    curves : dict of str to dict of str to DataFrame
        Outcome to rule to its curve, as `mean_gains` returns it.
    choices : DataFrame
        As `compare_rules` returns it.
    """

    windows: pd.DataFrame
    segments: pd.DataFrame
    by_window: pd.DataFrame
    scores: pd.DataFrame
    curves: dict[str, dict[str, pd.DataFrame]]
    choices: pd.DataFrame


def hold_out(shop: Shop, scheme: Scheme, *, days: int, seed: int) -> Holdout | None:
    """Form segments as of earlier days, and measure what their customers did in the following `days`.

    Windows do not overlap, and the last one ends with the snapshot's day; at most `WINDOWS` are used. Segments are
    ranked on the window before, so that no window is used to judge itself; the earliest window is not judged. Revenue
    of the windows is net of returns. None if the log has fewer than two windows,
    or there is a summary and no log.
    """
    if isinstance(shop, Summary):
        return None
    known, order = followed(shop, scheme, days=days), list(scheme.rules["segment"])
    if len(known) < 2:
        return None
    together = pd.concat(known[1:], ignore_index=True)
    parts = [by_segment(one["segment"], one, order).assign(formed_on=one["formed_on"].iloc[0]) for one in known[1:]]
    return Holdout(
        pd.DataFrame([_window(one) for one in known[1:]]),
        by_segment(together["segment"], together, order),
        pd.concat(parts, ignore_index=True),
        by_score(together),
        {outcome: mean_gains(known, outcome) for outcome in OUTCOMES},
        compare_rules(known, seed=seed),
    )


def followed(shop: Snapshot, scheme: Scheme, *, days: int) -> list[pd.DataFrame]:
    """The customers of earlier days, as known then, and what each did in the following `days`.

    Returns
    -------
    list of DataFrame
        One per window, the earliest first, at most `WINDOWS` + 1: `customer_id`, `segment`, `frequency`, `monetary`,
        the scores, the columns of `later`, `formed_on` and `until`.
    """
    day, period = shop.day, pd.Timedelta(days=days)
    first = first_order(shop.transactions)
    edges = [day, *(edge for edge in (day - number * period for number in range(1, WINDOWS + 2)) if edge > first)]
    begins, ends, known = edges[:0:-1], edges[-2::-1], []
    for begin, end, formed in zip(begins, ends, shop.at_all(begins), strict=True):
        then = scheme.on(formed)[["customer_id", "segment", "frequency", "monetary", *MEASURES]]
        after = later(shop.transactions, then["customer_id"], begin, end, returns=shop.returns)
        known.append(then.join(after.drop(columns="customer_id")).assign(formed_on=begin, until=end))
    return known


def _window(customers: pd.DataFrame) -> dict[str, object]:
    return {
        "formed_on": customers["formed_on"].iloc[0],
        "until": customers["until"].iloc[0],
        "customers": len(customers),
        "came_back": int(customers["came_back"].sum()),
        "gross": customers["gross"].sum(),
        "money": customers["money"].sum(),
        "largest": largest_share(customers["money"]),
    }


def by_segment(segments: pd.Series, after: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Outcomes by segment: repurchase rate, orders and revenue per customer, with 95% intervals.

    Intervals are Wilson's (1927) for the repurchase rate and Student's for mean revenue. Both are clustered by
    customer, whose rows are not independent: Wilson's uses the effective sample size (Dean and Pagano 2015), at most
    the number of rows. They are missing where not `enough` customers ordered again.

    Parameters
    ----------
    segments : Series
        The segment of each row of `after`, in its order.
    after : DataFrame
        As `later` returns it; with several windows, customers have several rows.
    order : list of str
        The order of the segments; segments without customers are omitted.

    Returns
    -------
    DataFrame
        `segment`, `customers` (rows), `came_back` (customers who ordered again), `repurchase_rate`, `orders`, `gross`,
        `money` (means per row, customers without an order included), `median_back` (median revenue of customers who
        ordered again), `share_of_money`, `largest` and `largest_gross` (the largest customer's share of the segment's
        net and gross revenue), and `…_low` and `…_high` of `repurchase_rate` and `money`.
    """
    table = after.assign(segment=segments.to_numpy())
    grouped = table.groupby("segment")
    n = grouped.size()
    result = pd.DataFrame({"customers": n, "came_back": grouped["came_back"].sum()})
    means = {"repurchase_rate": "came_back", "orders": "orders", "gross": "gross", "money": "money"}
    for name, column in means.items():
        result[name] = grouped[column].mean()
    result["median_back"] = table[table["came_back"]].groupby("segment")["money"].median()
    total = table["money"].sum()
    result["share_of_money"] = grouped["money"].sum() / total if total > 0 else np.nan
    whose = table.groupby(["segment", "customer_id"])
    sums = whose[["came_back", "gross", "money"]].sum().join(whose.size().rename("rows")).reset_index()
    for name, column in (("largest", "money"), ("largest_gross", "gross")):
        result[name] = largest_share(sums[column], sums["segment"])
    units, squares = sums.groupby("segment").size(), {}
    for name, column in (("repurchase_rate", "came_back"), ("money", "money")):
        apart = sums[column] - sums["rows"] * sums["segment"].map(result[name])
        squares[name] = (apart**2).groupby(sums["segment"]).sum()
    told, p = result["came_back"].map(enough), result["repurchase_rate"]
    spread = squares["repurchase_rate"].where(squares["repurchase_rate"] > 0)
    worth = (n**2 * p * (1 - p) / spread).fillna(units).clip(upper=n)
    result["repurchase_rate_low"], result["repurchase_rate_high"] = wilson(p, worth.where(told), 0.95)
    free = (units - 1).where(told)
    error = stats.t.ppf(0.975, free) * np.sqrt(squares["money"] * units / free) / n
    result["money_low"], result["money_high"] = result["money"] - error, result["money"] + error
    return result.loc[[name for name in order if name in result.index]].reset_index()


def by_score(after: pd.DataFrame) -> pd.DataFrame:
    """Outcomes by recency, frequency and monetary score: the columns of `by_segment`, with `measure` and `score`.

    `after` has the scores of each customer beside the columns of `later`.
    """
    parts = [
        by_segment(after[name], after, sorted(after[name].unique()))
        .rename(columns={"segment": "score"})
        .assign(measure=measure)
        for name, measure in MEASURES.items()
    ]
    return pd.concat(parts, ignore_index=True)
