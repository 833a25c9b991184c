"""Time to the next order after the first, second, third and any order, with censoring at the end of the log."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import norm

from customerlab.analysis.inference import LEAST, enough, happened_by, kaplan_meier
from customerlab.analysis.orders import before, fetched

AFTER = {"first": 1, "second": 2, "third": 3}  # and all together
ANY = "any"
YEAR = 365
FOLLOWED = 730  # days that curves are drawn for


def waits(transactions: ir.Table, day: pd.Timestamp) -> pd.DataFrame:
    """Days from each order before `day` to the customer's next order, or to the end of the log (the day before `day`).

    Several orders on one day count as one, so a wait that ended is at least one day.

    Returns
    -------
    DataFrame
        Sorted by `customer_id` and `number` (1 for the first day with an order): `days` and `ended` (whether the
        customer ordered again; otherwise the wait is censored).
    """
    known = before(transactions, day)
    orders = known.group_by("customer_id", "order_id").aggregate(at=known.ordered_at.min())
    occasions = orders.select("customer_id", on=orders["at"].date()).distinct()
    own = ibis.window(group_by="customer_id", order_by=occasions["on"])
    # numbered from zero
    found = occasions.mutate(number=ibis.row_number().over(own) + 1, following=occasions["on"].lead().over(own))
    table = fetched(found).sort_values(["customer_id", "number"], ignore_index=True)
    ordered, following = pd.to_datetime(table["on"]), pd.to_datetime(table["following"])
    table["ended"] = following.notna()
    table["days"] = (following.fillna(day - pd.Timedelta(days=1)) - ordered).dt.days
    return table[["customer_id", "number", "days", "ended"]].astype({"number": "int64"})


def repurchase(waits: pd.DataFrame, days: Sequence[int]) -> pd.DataFrame:
    """Repurchase rate: the share of customers who order again within `days` of their first, second, third or any order.

    Returns
    -------
    DataFrame
        `after` (first, second, third, any), `orders` (orders followed), `days`, `ordered_again` (orders followed by
        another within these days), `share` (Kaplan and Meier 1958), and its 95% interval `low`, `high` on the log(-log)
        scale. The variance is clustered by customer (Ying and Wei 1994), because the waits of one customer are not
        independent. The share is missing if fewer than `enough` orders are followed for so long; the interval also if
        too few customers ordered again.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": range(80), "number": 1, "days": [9] * 40 + [50] * 40})
    >>> repurchase(table.assign(ended=table["days"] == 9), [30, 90]).iloc[:2, :5].values.tolist()
    [['first', 80, 30, 40, 0.5], ['first', 80, 90, 40, nan]]
    """
    z = norm.ppf(0.975)
    rows = []
    for name, group in _groups(waits).items():
        steps = kaplan_meier(group["days"], group["ended"])
        shares = happened_by(steps, tuple(days))
        for within in days:
            again = int((group["ended"] & (group["days"] <= within)).sum())
            share = shares[within] if enough((group["days"] >= within).sum()) else np.nan
            low = high = np.nan
            if enough(again) and 0 < share < 1:
                reach = np.exp(z * _error(group, steps, within) / -np.log1p(-share))
                low, high = (1 - (1 - share) ** power for power in (1 / reach, reach))
            rows.append((name, len(group), within, again, share, low, high))
    return pd.DataFrame(rows, columns=["after", "orders", "days", "ordered_again", "share", "low", "high"])


def returning(waits: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Of the orders that another one follows within a year, the share followed by each day (Kaplan and Meier 1958).

    Waits that the end of the log has cut off are censored. Where the log is shorter, or not enough orders still wait, a
    year is as long as enough do.

    Returns
    -------
    tuple of DataFrame and int
        `days` and `share`, which ends with 1; without rows where no order is followed by another. And the days of the
        year.
    """
    followed = min(YEAR, int(waits["days"].nlargest(LEAST).iloc[-1]))  # the last day on which enough still wait
    steps = kaplan_meier(waits["days"], waits["ended"])
    steps = steps.loc[steps["days"] <= followed, ["days", "share"]]
    return steps.assign(share=steps["share"] / steps["share"].iloc[-1:].sum()), followed


def curves(waits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Kaplan-Meier curves of the share of customers who ordered again, after the first, second, third and any order.

    Each curve ends after two years, or where fewer than `LEAST` orders are still followed; without such a part it is
    omitted.
    """
    found = {name: kaplan_meier(group["days"], group["ended"]) for name, group in _groups(waits).items()}
    return {
        name: table
        for name, steps in found.items()
        if len(table := steps[(steps["waiting"] >= LEAST) & (steps["days"] <= FOLLOWED)])
    }


def _groups(waits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {name: waits[waits["number"] == number] for name, number in AFTER.items()} | {ANY: waits}


def _error(group: pd.DataFrame, steps: pd.DataFrame, within: int) -> float:
    """The standard error of the cumulative hazard, clustered by customer.

    A row contributes 1 / waiting at its end, if it ended in time, less the sum of ended / waiting² over the days on
    which it was waiting.
    """
    seen = steps[steps["days"] <= within]
    passed = np.append(0.0, (seen["ended"] / seen["waiting"] ** 2).cumsum())
    place = np.searchsorted(seen["days"], np.minimum(group["days"], within), side="right")
    waiting = np.append(np.nan, seen["waiting"])[place]
    own = np.where(group["ended"] & (group["days"] <= within), 1 / waiting, 0.0) - passed[place]
    return float(np.sqrt((pd.Series(own).groupby(group["customer_id"].to_numpy()).sum() ** 2).sum()))
