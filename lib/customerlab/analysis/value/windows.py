"""Customers as known at the begin of each window of a log, and what they did in it."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from customerlab.analysis import sales
from customerlab.analysis.orders import Snapshot, before, fetched, first_order, since
from customerlab.analysis.rfm.holdout import WINDOWS
from customerlab.analysis.value.history import by_period, summary
from customerlab.analysis.value.likelihood import Values

STEPS = {"day": pd.DateOffset(days=1), "week": pd.DateOffset(days=7), "month": pd.DateOffset(months=1)}


@dataclass(frozen=True)
class Followed:
    """The windows of a log.

    Attributes
    ----------
    windows : list of DataFrame
        One per window that had customers, the earliest first, sorted by `customer_id`: the columns of `summary` as of
        its first day, `last_orders` and `last_revenue` (of as long a period before it), `orders` (periods with an order
        of lines that no return has annulled by the end of the window), `revenue` (net, the `money` of `orders.later`),
        `came_back` (whether there are orders), `formed_on` and `until`.
    repeats : ndarray, shape (periods,)
        Repeat orders in each period, from that of the first order to the end of the latest window, of the customers of
        the latest window.
    """

    windows: list[pd.DataFrame]
    repeats: Values


def edges_of(shop: Snapshot, horizon: int, unit: str) -> list[pd.Timestamp]:
    """The days on which windows begin and end, the earliest first; the first begins the period before all windows.

    Examples
    --------
    >>> log = ibis.memtable({"ordered_at": pd.to_datetime(["2024-01-03", "2024-03-09"])})
    >>> [f"{edge:%m-%d}" for edge in edges_of(Snapshot(log, pd.Timestamp("2024-03-10")), 2, "week")]
    ['01-14', '01-28', '02-11', '02-25', '03-10']
    >>> [f"{edge:%m-%d}" for edge in edges_of(Snapshot(log, pd.Timestamp("2024-03-10")), 1, "month")]
    ['02-01', '03-01']
    """
    first = first_order(shop.transactions).normalize()
    day = shop.day.replace(day=1) if unit == "month" else shop.day
    edges = [day - number * horizon * STEPS[unit] for number in range(WINDOWS + 1, 0, -1)]
    return [*(edge for edge in edges if edge >= first), day]


def follow(shop: Snapshot, horizon: int, unit: str) -> Followed | None:
    """Customers and their outcomes in all windows that the log allows, at most 12; None if there are none.

    Windows of so many units do not overlap, and the last one ends with the snapshot's day (of months, with the last
    whole one). The log is at least as long before a window as the window is. The log is read twice, whatever the number
    of windows.
    """
    edges = edges_of(shop, horizon, unit)
    if len(edges) < 3:
        return None
    daily = _daily(shop, edges)
    ordered = pd.to_datetime(daily["ordered_at"].to_pandas()).to_numpy("datetime64[us]")
    place = np.searchsorted(np.array(edges, dtype="datetime64[us]"), ordered, side="right")
    back = daily["back"].to_numpy()
    # of each period, the lines that were kept at its end
    kept = fetched(by_period(_lines(daily, back > place), edges[-1], unit).select("customer_id", "ago"))
    kept["place"] = len(edges) - 1 - kept["ago"] // horizon
    did = kept.groupby(["customer_id", "place"]).size().rename("orders").to_frame()
    did = did.join(_revenue(shop, edges), how="outer").fillna(0.0)
    windows, known = [], daily
    for number in range(1, len(edges) - 1):
        known = _lines(daily, (place <= number) & (back > number))
        history = summary(known, edges[number], unit).drop(columns="revenue")
        last, now = (_of(did, history["customer_id"], at) for at in (number, number + 1))
        window = history.join([last.add_prefix("last_"), now]).assign(came_back=now["orders"] > 0)
        windows += [window.assign(formed_on=edges[number], until=edges[number + 1])] if len(window) else []
    if not windows or windows[-1]["until"].iloc[0] < edges[-1]:
        return None
    return Followed(windows, _repeats(windows[-1], known, kept, edges, horizon, unit))


def _daily(shop: Snapshot, edges: list[pd.Timestamp]) -> pa.Table:
    """Money by customer, day and `back`: how many edges there are up to the return that annulled the lines.

    Lines that none annulled have one more than there are edges. A day is represented by its first time.
    """
    end = edges[-1]
    t = sales.marked(before(shop.transactions, end), None if shop.returns is None else before(shop.returns, end))
    back = ibis.coalesce(_passed(t.returned_at, edges), len(edges) + 1).cast("int64")
    days = t.group_by("customer_id", back=back, on=t.ordered_at.date())
    return days.aggregate(ordered_at=t.ordered_at.min(), amount=t.amount.sum()).to_pyarrow()


def _passed(time: ir.Value, edges: list[pd.Timestamp]) -> ir.Value:
    """How many edges are not after a time."""
    first, *others = [(time >= ibis.timestamp(edge.isoformat())).cast("int64") for edge in edges]
    return sum(others, first)


def _lines(daily: pa.Table, which: np.ndarray) -> ir.Table:
    return ibis.memtable(daily.filter(pa.array(which)).select(["customer_id", "ordered_at", "amount"]))


def _revenue(shop: Snapshot, edges: list[pd.Timestamp]) -> pd.DataFrame:
    """Net revenue by customer and the number of the edge that it follows, as known at the next edge.

    A return that annuls a line has the time of that line in `sales.net`; `known` keeps its own.
    """
    end = edges[-1]
    lines, returns = (
        None if table is None else (part := before(table, end)).mutate(known=part.ordered_at)
        for table in (shop.transactions, shop.returns)
    )
    t = since(sales.net(lines, returns), edges[0])
    t = t.mutate(place=_passed(t.ordered_at, edges), known=_passed(t.known, edges))
    t = t.filter(t.place == t.known)
    found = fetched(t.group_by("customer_id", "place").aggregate(revenue=t.amount.sum().cast("float64")))
    return found.set_index(["customer_id", "place"])


def _of(did: pd.DataFrame, customers: pd.Series, place: int) -> pd.DataFrame:
    """Orders and revenue of customers after the edge of a number, in their order."""
    wanted = pd.MultiIndex.from_arrays([customers, np.full(len(customers), place)], names=did.index.names)
    return did.reindex(wanted, fill_value=0.0).astype({"orders": "int64"}).reset_index(drop=True)


def _repeats(
    window: pd.DataFrame, known: ir.Table, kept: pd.DataFrame, edges: list[pd.Timestamp], horizon: int, unit: str
) -> Values:
    """The repeat orders of a window's customers by period, see `Followed`."""
    oldest = int(window["T"].max())
    past = by_period(known, edges[-2], unit)
    ago = fetched(past.group_by("ago").aggregate(orders=past.count()))
    repeats = np.zeros(oldest + horizon + 1)
    repeats[oldest - ago["ago"].to_numpy()] = ago["orders"]
    repeats[: oldest + 1] -= np.bincount(oldest - window["T"], minlength=oldest + 1)
    later = kept[(kept["ago"] < horizon) & kept["customer_id"].isin(window["customer_id"])]
    repeats[oldest + 1 :] = np.bincount(horizon - 1 - later["ago"], minlength=horizon)
    return repeats
