"""The log of messages: one row per message and held-out customer, with what the customer ordered afterwards."""

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.campaign.kpis import MACHINE_SECONDS
from customerlab.analysis.orders import before, fetched
from customerlab.analysis.rfm.stability import NOT_YET

FLAGS = ["opened", "clicked", "unsubscribed", "converted"]
AFTER = ["orders_after", "revenue_after"]
UNKNOWN = "not stated"  # a channel or an offer that the log does not name


def message_log(
    messages: ir.Table,
    campaigns: ir.Table | None,
    transactions: ir.Table | None,
    *,
    day: pd.Timestamp,
    window_days: int,
    returns: ir.Table | None = None,
) -> pd.DataFrame:
    """The messages sent before a day, each with the orders and the net revenue of its window.

    Parameters
    ----------
    messages, campaigns, transactions, returns : ibis Table
        Canonical. Without campaigns, they have the names of their ids, and no offers.
    day : Timestamp
        Messages and orders before this day count.
    window_days : int
        An order counts for a message if it is placed after it, at most as many days later.

    Returns
    -------
    DataFrame
        Sorted by time, customer, campaign and channel: `customer_id`, `campaign`, `offer`, `channel`, `sent`,
        `held_out` (bool; nothing was sent to these customers), `opened`, `clicked`, `unsubscribed` and `converted` (the
        time, else whether it happened as 1 or 0; missing where not known), `revenue` (as the mail tool has it),
        `orders_after` and `revenue_after` (in the shop's currency, net of returns), missing where the window is not
        over by the day or there are no orders at all.

    Examples
    --------
    >>> sent = ibis.memtable({
    ...     "customer_id": ["ann", "bob"], "campaign_id": "M1", "sent_at": pd.to_datetime(["2024-05-06", "2024-05-06"]),
    ...     "held_out": [0.0, 1.0],
    ... })
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann"], "order_id": ["1", "2"],
    ...     "ordered_at": pd.to_datetime(["2024-05-07", "2024-05-20"]), "amount": [5.0, 7.0],
    ... })
    >>> found = message_log(sent, None, log, day=pd.Timestamp("2024-06-01"), window_days=7)
    >>> found[["customer_id", "held_out", "orders_after", "revenue_after"]].values.tolist()
    [['ann', False, 1.0, 5.0], ['bob', True, 0.0, 0.0]]
    """
    sent = messages.filter(messages.sent_at < ibis.timestamp(day.isoformat()))
    table = fetched(sent).rename(columns={"sent_at": "sent"})
    table["sent"] = pd.to_datetime(table["sent"]).astype("datetime64[us]")
    table = table.join(_named(campaigns), on="campaign_id")
    table["campaign"] = table["campaign"].fillna(table["campaign_id"])
    for name in ("offer", "channel"):
        table[name] = table[name].fillna(UNKNOWN) if name in table else UNKNOWN
    held_out = table["held_out"] if "held_out" in table else pd.Series(0.0, table.index)
    table["held_out"] = held_out.fillna(0).astype(bool)
    for name in FLAGS:
        table[name] = _outcome(table, name, day)
    table["revenue"] = table["revenue"].astype(float) if "revenue" in table else float("nan")
    table[AFTER] = float("nan")
    if transactions is not None:
        key = pd.MultiIndex.from_frame(table[["customer_id", "sent"]])
        over = table["sent"] + pd.Timedelta(days=window_days) <= day
        for name, found in zip(AFTER, _after(sent, transactions, returns, day, window_days), strict=True):
            table[name] = pd.Series(found.reindex(key).fillna(0.0).to_numpy(float), table.index).where(over)
    columns = ["customer_id", "campaign", "offer", "channel", "sent", "held_out", *FLAGS, "revenue"]
    order = ["sent", "customer_id", "campaign", "channel", "held_out"]
    return table[[*columns, *AFTER]].sort_values(order, ignore_index=True)


def _named(campaigns: ir.Table | None) -> pd.DataFrame:
    """Name and offer of each campaign, by its id."""
    table = pd.DataFrame(columns=["campaign_id", "campaign", "offer"], dtype="str")
    if campaigns is not None:
        table = fetched(campaigns).rename(columns={"name": "campaign"}).reindex(columns=list(table))
    return table.set_index("campaign_id").astype("str")


def _outcome(table: pd.DataFrame, name: str, day: pd.Timestamp) -> pd.Series:
    """When something happened before the day, else whether it did; nothing is known of customers who were held out."""
    for column in (f"{name}_at", name):
        if column in table and table[column].notna().any():
            if column == name:
                return table[column].clip(upper=1.0).astype(float)
            times = pd.to_datetime(table[column]).astype("datetime64[us]")
            return times.where(times < day)
    return pd.Series(float("nan"), table.index)


def _after(
    sent: ir.Table, transactions: ir.Table, returns: ir.Table | None, day: pd.Timestamp, window_days: int
) -> tuple[pd.Series, pd.Series]:
    """Orders and net revenue in the window of each customer and time of sending; none is no row."""
    pairs = sent.select("customer_id", "sent_at").distinct()
    placed = before(transactions, day)
    money = sales.net(placed, None if returns is None else before(returns, day))
    orders = placed.group_by("customer_id", "order_id").aggregate(at=placed.ordered_at.min())
    orders = orders.mutate(counted=ibis.literal(1.0))
    paid = money.group_by("customer_id", at=money.ordered_at).aggregate(counted=money.amount.sum())

    def summed(table: ir.Table) -> pd.Series:
        until = pairs.sent_at + ibis.interval(days=window_days)
        within = [pairs.customer_id == table.customer_id, table.at > pairs.sent_at, table.at <= until]
        joined = pairs.inner_join(table, within).group_by("customer_id", "sent_at")
        found = fetched(joined.aggregate(found=lambda t: t.counted.sum().cast("float64")))
        found["sent_at"] = pd.to_datetime(found["sent_at"]).astype("datetime64[us]")
        return found.set_index(["customer_id", "sent_at"])["found"]

    return summed(orders), summed(paid)


def with_segments(log: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """The log with the `segment` in which each customer was before the message; missing before the first order.

    Parameters
    ----------
    segments : DataFrame of shape (customers, days)
        Segments of customers as known on days, such as those of `rfm.snapshots`. The last day at or before sending
        counts, so that no segment is a consequence of the message.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-05-01", "2024-06-01"])
    >>> known = pd.DataFrame([["New", "Loyal"]], ["ann"], days)
    >>> sent = pd.to_datetime(["2024-04-30", "2024-05-06", "2024-06-03"])
    >>> with_segments(pd.DataFrame({"customer_id": "ann", "sent": sent}), known)["segment"].tolist()
    [nan, 'New', 'Loyal']
    """
    days = pd.DatetimeIndex(segments.columns)
    place = days.searchsorted(log["sent"], side="right") - 1
    row = segments.index.get_indexer(pd.Index(log["customer_id"]))
    found = segments.to_numpy(object)[row, place] if segments.size else np.full(len(log), None)
    known = (place >= 0) & (row >= 0)
    named = pd.Series(found, log.index, dtype="object").where(known)
    return log.assign(segment=named.where(named != NOT_YET))


def split_day(log: pd.DataFrame, share: float = 0.6) -> pd.Timestamp | None:
    """The day that divides the messages: about `share` of them were sent before it, the others judge what they say.

    None where all were sent on one day.
    """
    sent = log.loc[~log["held_out"], "sent"].sort_values()
    if sent.empty:
        return None
    day = pd.Timestamp(sent.iloc[int(share * (len(sent) - 1))]).normalize() + pd.Timedelta(days=1)
    return day if day <= sent.iloc[-1] else None


def first_reported(log: pd.DataFrame, *, by_all: bool) -> str:
    """The first of clicks, conversions and later orders that channels report: any of them, or each.

    Examples
    --------
    >>> log = pd.DataFrame({"channel": ["email", "letter"], "held_out": False, "clicked": [1.0, None],
    ...     "converted": [0.0, 1.0], "orders_after": 1.0})
    >>> first_reported(log, by_all=False), first_reported(log, by_all=True)
    ('clicked', 'orders_after')
    """
    sent = log[~log["held_out"]]
    for name in ("clicked", "converted"):
        values = sent[name].notna() if pd.api.types.is_datetime64_any_dtype(sent[name]) else sent[name].fillna(0) > 0
        some = values.groupby(sent["channel"]).any()
        if len(some) and (some.all() if by_all else some.any()):
            return name
    return "orders_after"


def responded(log: pd.DataFrame) -> pd.DataFrame:
    """When customers first opened or clicked each message, as `judge_times` takes it; opens by machines do not count.

    One time per message: an open and the click that follows are one response, and would tell the same hour twice.

    Returns
    -------
    DataFrame
        `customer_id` and `at`, sorted; empty where the log has no times.
    """
    timed = [name for name in ("opened", "clicked") if pd.api.types.is_datetime64_any_dtype(log[name])]
    within = log["sent"] + pd.Timedelta(seconds=MACHINE_SECONDS)
    at = pd.concat([log[name].where(log[name] > within) for name in timed], axis=1).min(axis=1) if timed else pd.NaT
    events = log[["customer_id"]].assign(at=pd.Series(at, log.index, dtype="datetime64[us]")).dropna()
    return events.sort_values(["customer_id", "at"], ignore_index=True)


def overlapping(log: pd.DataFrame, window_days: int) -> float:
    """The share of messages that are followed by another one to the same customer within the window."""
    sent = log[~log["held_out"]].sort_values(["customer_id", "sent"])
    wait = sent.groupby("customer_id")["sent"].shift(-1) - sent["sent"]
    return float((wait < pd.Timedelta(days=window_days)).mean()) if len(sent) else 0.0
