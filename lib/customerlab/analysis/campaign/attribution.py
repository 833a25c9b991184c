"""Revenue attributed to messages beside the revenue that they caused."""

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.campaign.responses import compared
from customerlab.analysis.inference import LEVEL, enough

CUSTOMER = "customer_id"
MEASURES = ["caused", "attributed", "gap"]


def last_touch(messages: pd.DataFrame, orders: pd.DataFrame, window_days: float) -> pd.DataFrame:
    """Attribute each order to the customer's last message before it, within a window.

    This is bookkeeping, not an effect: orders that would have been placed anyway are attributed too.

    Parameters
    ----------
    messages : DataFrame
        `customer_id`, `campaign`, `channel`, `sent`. Of messages sent at once the last by campaign and channel counts.
    orders : DataFrame
        `customer_id`, `ordered_at`, `revenue`.
    window_days : float
        An order just this long after the message still counts, one at the very time of sending does not.

    Returns
    -------
    DataFrame
        The orders, sorted by customer, time and revenue, with `campaign`, `channel` and `sent` of the message (missing
        without one) and `attributed` (the order's revenue, 0 without a message).

    Raises
    ------
    ValueError
        If the window is not above zero.

    Examples
    --------
    >>> messages = pd.DataFrame({
    ...     "customer_id": ["a"], "campaign": ["May"], "channel": ["mail"], "sent": pd.to_datetime(["2024-05-06"]),
    ... })
    >>> days = pd.to_datetime(["2024-05-05", "2024-05-08", "2024-05-20"])
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": days, "revenue": [5.0, 7.0, 9.0]})
    >>> last_touch(messages, orders, 7)["attributed"].tolist()
    [0.0, 7.0, 0.0]
    """
    if not window_days > 0:
        raise ValueError(f"The window is {window_days:g} days; expected more than 0.")
    sent = messages[[CUSTOMER, "campaign", "channel", "sent"]].sort_values(["sent", CUSTOMER, "campaign", "channel"])
    placed = orders.sort_values(["ordered_at", CUSTOMER, "revenue"], ignore_index=True)
    found = pd.merge_asof(
        placed.astype({"ordered_at": "datetime64[ns]"}), sent.astype({"sent": "datetime64[ns]"}),
        left_on="ordered_at", right_on="sent", by=CUSTOMER,
        tolerance=pd.Timedelta(days=window_days), allow_exact_matches=False,
    )  # fmt: skip
    found["attributed"] = found["revenue"].astype(float).where(found["sent"].notna(), 0.0)
    return found.sort_values([CUSTOMER, "ordered_at", "revenue"], ignore_index=True)


def credited(log: pd.DataFrame, orders: pd.DataFrame, window_days: float) -> pd.DataFrame:
    """The log with `attributed`: the revenue that the mail tool attributes, or else that of the last touch.

    Parameters
    ----------
    log : DataFrame
        As `message_log` returns it.
    orders : DataFrame
        As `purchases.placed` returns it.
    window_days : float
        As `last_touch`.
    """
    if log["revenue"].notna().any():
        return log.assign(attributed=log["revenue"].fillna(0.0).where(~log["held_out"], 0.0))
    keys = [CUSTOMER, "campaign", "channel", "sent"]
    sent = log[~log["held_out"]]
    found = last_touch(sent, orders.rename(columns={"amount": "revenue"}), window_days).dropna(subset="sent")
    money = found.groupby(keys)["attributed"].sum()
    first = ~sent.duplicated(keys)
    own = pd.MultiIndex.from_frame(sent[keys].astype({"sent": "datetime64[ns]"}))
    values = pd.Series(money.reindex(own).fillna(0.0).to_numpy(), sent.index).where(first, 0.0)
    return log.assign(attributed=values.reindex(log.index, fill_value=0.0))


def caused(log: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """What messages caused, by customers held out at random, beside what is attributed to them.

    Customers count as they were assigned, whether a message reached them or not (intention to treat). The effect and
    its error are those of `compared`. The error of the gap is that of attributed less actual revenue after messages,
    against less actual revenue of those held out.

    Parameters
    ----------
    log : DataFrame
        `customer_id`, `campaign`, `held_out`, `revenue_after` and `attributed` revenue of each message. Rows in which
        one is missing, and campaigns that held nobody out, are left out.
    by : str, optional
        A column of groups, such as `campaign` or `offer`; all messages together without.

    Returns
    -------
    DataFrame
        Rows `caused`, `attributed` and `gap` (attributed less caused) by group: `measure`, `messages`, `held_out`,
        `buyers` (customers who bought, in the smaller group), `per_message` with `low` and `high` (95%; missing unless
        `enough` bought), `total`, `total_low` and `total_high`. What is attributed is counted, not estimated.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "customer_id": list("abcd"), "campaign": "May", "held_out": [False, False, True, True],
    ...     "revenue_after": [9.0, 7.0, 4.0, 6.0], "attributed": [9.0, 7.0, 0.0, 0.0],
    ... })
    >>> caused(log).set_index("measure")["total"].to_dict()
    {'caused': 6.0, 'attributed': 16.0, 'gap': 10.0}
    """
    names = [CUSTOMER, "campaign", "held_out", "revenue_after"]
    group = by or "all"
    rows = log.assign(all="all").dropna(subset=[*names, group])
    rows["credited"] = rows["attributed"].fillna(0.0).where(~rows["held_out"], 0.0)
    rows["gap"] = rows["credited"] - rows["revenue_after"]
    rows = rows.sort_values([*names, "credited"])
    effect, gap = (compared(rows, outcome, group).set_index(group) for outcome in ("revenue_after", "gap"))
    sent = rows[~rows["held_out"] & rows["campaign"].isin(rows.loc[rows["held_out"], "campaign"])]
    credited = sent.groupby(group, observed=True)["credited"].mean().reindex(effect.index)
    told = effect["buyers"].map(enough)
    half = stats.norm.ppf((1 + LEVEL) / 2)
    found = []
    for measure, middle, error in zip(
        MEASURES,
        (effect["effect"], credited, credited - effect["effect"]),
        (effect["error"], np.nan, gap["error"]),
        strict=True,
    ):
        part = effect[["messages", "held_out", "buyers"]].assign(measure=measure, per_message=middle)
        part["low"], part["high"] = ((middle + sign * half * error).where(told) for sign in (-1, 1))
        found.append(part)
    table = pd.concat(found)
    for total, name in (("total", "per_message"), ("total_low", "low"), ("total_high", "high")):
        table[total] = table[name] * table["messages"]
    table["measure"] = pd.Categorical(table["measure"], MEASURES)
    table = table.reset_index().sort_values([group, "measure"], ignore_index=True).astype({"measure": "str"})
    return table if by else table.drop(columns="all")


def caused_orders(log: pd.DataFrame) -> pd.DataFrame:
    """Additional orders per message, of all messages and by offer: `offer`, `messages`, `effect`, `low`, `high`.

    Estimated as by `compared`, with 95% intervals that are not adjusted; missing unless `enough` customers ordered.
    """
    rows = log.dropna(subset="orders_after").sort_values([CUSTOMER, "campaign", "orders_after"])
    offers = rows[~rows["held_out"]].groupby("campaign")["offer"].first()
    rows = rows.assign(offer=rows["campaign"].map(offers))  # of rows held out, too
    both = [compared(rows.assign(offer="all"), "orders_after", "offer"), compared(rows, "orders_after", "offer")]
    table = pd.concat(both, ignore_index=True)
    half = stats.norm.ppf((1 + LEVEL) / 2) * table["error"]
    told = table["buyers"].map(enough)
    ends = {name: (table["effect"] + sign * half).where(told) for name, sign in (("low", -1), ("high", 1))}
    return table[["offer", "messages", "held_out", "effect"]].assign(**ends)
