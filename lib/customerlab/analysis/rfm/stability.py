"""Segment migration from month to month, and sensitivity of segments to the day and the number of bins."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from customerlab.analysis.orders import Shop, Snapshot
from customerlab.analysis.rfm.scheme import Scheme

NOT_YET = "Not yet a customer"


def month_starts(first: pd.Timestamp, day: pd.Timestamp, months: int) -> list[pd.Timestamp]:
    """The first days of the last `months` up to a day, those after the first order; none where either is unknown."""
    if pd.isna(first) or pd.isna(day):
        return []
    return [start for start in pd.date_range(end=day.normalize(), periods=months, freq="MS") if start > first]


def snapshots(shop: Shop, scheme: Scheme, days: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """The segment of each customer on several days, in rising order, each formed from the orders before that day.

    Returns
    -------
    DataFrame
        Indexed by `customer_id`, one column per day; `NOT_YET` before a customer's first order. Empty for a summary.
    """
    columns = {}
    if isinstance(shop, Snapshot):
        for day, then in zip(days, shop.at_all(days), strict=True):
            columns[day] = scheme.on(then).set_index("customer_id")["segment"]
    return pd.DataFrame(columns).fillna(NOT_YET).sort_index()


def flows(history: pd.DataFrame) -> pd.DataFrame:
    """How many customers moved from one segment to another between consecutive `snapshots`.

    Returns
    -------
    DataFrame
        `step` (0 for the first two snapshots), `before`, `after`, `customers`; without those who were not customers on
        either day.

    Examples
    --------
    >>> history = pd.DataFrame({1: ["New", "New", NOT_YET], 2: ["Loyal", "New", "New"]})
    >>> flows(history).values.tolist()
    [[0, 'New', 'Loyal', 1], [0, 'New', 'New', 1], [0, 'Not yet a customer', 'New', 1]]
    """
    parts = []
    for step, (one, two) in enumerate(zip(history.columns[:-1], history.columns[1:], strict=True)):
        pairs = pd.DataFrame({"before": history[one], "after": history[two]})
        counted = pairs[pairs["after"] != NOT_YET].groupby(["before", "after"], as_index=False).size()
        parts.append(counted.rename(columns={"size": "customers"}).assign(step=step))
    if not parts:
        return pd.DataFrame({"step": [], "before": [], "after": [], "customers": []})
    return pd.concat(parts, ignore_index=True)[["step", "before", "after", "customers"]]


def migration(moves: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """The migration matrix over all steps of `flows`, with segments in the given order.

    Customers who moved from the segment of the row (last row: not yet a customer) to that of the column; a customer
    counts once per step.
    """
    matrix = moves.pivot_table(index="before", columns="after", values="customers", aggfunc="sum", fill_value=0)
    rows = [name for name in [*order, NOT_YET] if name in matrix.index or name in matrix.columns]
    columns = [name for name in rows if name != NOT_YET]
    return matrix.reindex(index=rows, columns=columns, fill_value=0).astype("int64")


def sensitivity(shop: Shop, scheme: Scheme, *, earlier: Sequence[int], bins: Sequence[int]) -> pd.DataFrame:
    """How many customers keep their segment if the day or the number of bins changes.

    Parameters
    ----------
    earlier : sequence of int
        Days to go back; customers who came later are not compared. Of a summary no earlier day is known.
    bins : sequence of int
        Numbers of bins to try; none if the scheme has own cut-offs, which fit its own number only.

    Returns
    -------
    DataFrame
        `change`, `customers` (compared), `same_segment` (share of customers with the same segment),
        `same_segment_money` (their share of revenue; missing where that is not above zero).
    """
    base = scheme.on(shop).set_index("customer_id")
    back = {shop.day - pd.Timedelta(days=days): f"{days} day{'s' if days > 1 else ''} earlier" for days in earlier}
    then: list[Snapshot] = []
    if isinstance(shop, Snapshot):
        then = shop.at_all([day for day in back if base["first_order"].min() < day])
    variants: list[tuple[str, Shop, Scheme]] = [(back[other.day], other, scheme) for other in then]
    if not any(map(len, scheme.cuts.values())):
        variants += [(f"{count} bins", shop, replace(scheme, bins=count)) for count in bins if count != scheme.bins]
    rows = []
    for change, when, way in variants:
        other = way.on(when).set_index("customer_id")["segment"]
        compared = base.loc[base.index.isin(other.index)]
        same = compared["segment"] == other.reindex(compared.index)
        money = compared["monetary"].sum()
        kept = compared["monetary"][same].sum() / money if money > 0 else float("nan")
        rows.append((change, len(compared), same.mean(), kept))
    return pd.DataFrame(rows, columns=["change", "customers", "same_segment", "same_segment_money"])
