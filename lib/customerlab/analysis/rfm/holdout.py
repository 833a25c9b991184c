"""Out-of-time validation: what segments formed on earlier days did next, in every window that the log allows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import enough, largest_share, wilson
from customerlab.analysis.orders import Snapshot, first_order, later
from customerlab.analysis.rfm.choosing import OUTCOMES, compare_rules, mean_gains
from customerlab.analysis.rfm.scheme import Scheme

WINDOWS = 12  # the latest so many are looked at


@dataclass(frozen=True)
class Holdout:
    """Segments formed on days in the past, and what came after.

    Attributes
    ----------
    windows : DataFrame
        One row a window, the earliest first: `formed_on`, `until` (days), `customers` (known on the first), `came_back`
        (how many of them), `gross`, `money` (what they brought), `largest` (the share of that of one customer).
    segments, by_window : DataFrame
        All windows together, as `by_segment` returns it, and the same of each, with `formed_on`.
    curves : dict of str to dict of str to DataFrame
        The outcome to the rule to its curve, as `mean_gains` has it.
    choices : DataFrame
        As `compare_rules` returns it.
    """

    windows: pd.DataFrame
    segments: pd.DataFrame
    by_window: pd.DataFrame
    curves: dict[str, dict[str, pd.DataFrame]]
    choices: pd.DataFrame


def hold_out(shop: Snapshot, scheme: Scheme, *, days: int, seed: int) -> Holdout | None:
    """Form segments as of earlier days, and see what each did in the days that followed.

    The windows of so many `days` follow one another without overlap, and the last ends with the snapshot's day; of the
    latest `WINDOWS`. Which segments to choose first is learned from the window before, so that nothing of a window is
    used to judge it; the earliest only teaches. Returns are set off against later money. None where the log does not
    reach back to two windows.
    """
    known, order = followed(shop, scheme, days=days), list(scheme.rules["segment"])
    if len(known) < 2:
        return None
    together = pd.concat(known[1:], ignore_index=True)
    parts = [by_segment(one["segment"], one, order).assign(formed_on=one["formed_on"].iloc[0]) for one in known[1:]]
    return Holdout(
        pd.DataFrame([_window(one) for one in known[1:]]),
        by_segment(together["segment"], together, order),
        pd.concat(parts, ignore_index=True),
        {outcome: mean_gains(known, outcome) for outcome in OUTCOMES},
        compare_rules(known, seed=seed),
    )


def followed(shop: Snapshot, scheme: Scheme, *, days: int) -> list[pd.DataFrame]:
    """The customers of earlier days, what was known of each then, and what each did in the days that followed.

    Returns
    -------
    list of DataFrame
        One a window, the earliest first, `WINDOWS` and one at most: `customer_id`, `segment`, `frequency`, `monetary`,
        the columns of `later`, `formed_on` and `until`.
    """
    day, period = shop.day, pd.Timedelta(days=days)
    first = first_order(shop.transactions)
    edges = [day, *(edge for edge in (day - number * period for number in range(1, WINDOWS + 2)) if edge > first)]
    begins, ends, known = edges[:0:-1], edges[-2::-1], []
    for begin, end, formed in zip(begins, ends, shop.at_all(begins), strict=True):
        then = scheme.on(formed)[["customer_id", "segment", "frequency", "monetary"]]
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
    """What each segment did later: how many came back, orders and money a customer, with 95% intervals.

    Those are Wilson's (1927) for the share that came back, Student's for mean money. A customer's rows are not
    independent, so the customer is the unit of both: Wilson's is that of as many rows as would be worth as much if they
    were (Dean and Pagano 2015), at most as many as there are. They are missing where not `enough` customers came back.

    Parameters
    ----------
    segments : Series
        The segment of each customer, in the rows' order of `after`.
    after : DataFrame
        As `later` returns it; of several windows together, customers have several rows.
    order : list of str
        The segments in the order in which they are to stand; those without a customer are left out.

    Returns
    -------
    DataFrame
        `segment`, `customers` (rows), `came_back` (how many), `return_rate`, `orders`, `gross`, `money` (means a row,
        those who stayed away included), `median_back` (of the money of those who came back), `share_of_money`,
        `largest` and `largest_gross` (share of the segment's money, and of its gross money, of one customer), and
        `…_low` and `…_high` of `return_rate` and `money`.
    """
    table = after.assign(segment=segments.to_numpy())
    grouped = table.groupby("segment")
    n = grouped.size()
    result = pd.DataFrame({"customers": n, "came_back": grouped["came_back"].sum()})
    means = {"return_rate": "came_back", "orders": "orders", "gross": "gross", "money": "money"}
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
    for name, column in (("return_rate", "came_back"), ("money", "money")):
        apart = sums[column] - sums["rows"] * sums["segment"].map(result[name])
        squares[name] = (apart**2).groupby(sums["segment"]).sum()
    told, p = result["came_back"].map(enough), result["return_rate"]
    spread = squares["return_rate"].where(squares["return_rate"] > 0)
    worth = (n**2 * p * (1 - p) / spread).fillna(units).clip(upper=n)
    result["return_rate_low"], result["return_rate_high"] = wilson(p, worth.where(told), 0.95)
    free = (units - 1).where(told)
    error = stats.t.ppf(0.975, free) * np.sqrt(squares["money"] * units / free) / n
    result["money_low"], result["money_high"] = result["money"] - error, result["money"] + error
    return result.loc[[name for name in order if name in result.index]].reset_index()
