"""Campaign KPIs: rates and revenue with intervals, opens by machines, and caused beside attributed revenue.

Messages have one row each: `customer_id`, `campaign`, `channel`, `sent`, what became of them in `opened`, `clicked`,
`unsubscribed` and `converted` (bool, missing where it is not known; or the time, missing where it did not happen), and
`revenue` (in the shop's currency, missing counts as none). A column that is lacking is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.inference import INFLUENTIAL, LEVEL, enough, too_few, wilson
from customerlab.formats import percent

CUSTOMER = "customer_id"
FLAGS = ["opened", "clicked", "unsubscribed", "converted"]
RATES = {
    "open_rate": ("opened", None), "click_rate": ("clicked", None), "click_to_open_rate": ("clicked", "opened"),
    "unsubscribe_rate": ("unsubscribed", None), "conversion_rate": ("converted", None),
}  # fmt: skip
MACHINE_SECONDS = 2  # within which nobody reads a message
REVENUE = "revenue_per_message"
UNRELIABLE = "opens are unreliable"


def kpis(messages: pd.DataFrame, by: str | Sequence[str], *, smallest: int = 5) -> pd.DataFrame:
    """Rates and revenue of messages by campaign, channel, segment or any other columns.

    Customers are the units, not messages. A rate is a ratio of sums over customers, with its variance by the delta
    method (Cochran 1977, Sampling Techniques). Intervals of rates are Wilson's (1927) for as many messages as have that
    variance if independent (Korn and Graubard 1998, Survey Methodology 24), at most all; for as many as there are
    customers if all messages or none have the outcome. The interval of revenue is Student's.

    Parameters
    ----------
    messages : DataFrame
    by : str or sequence of str
        Columns of groups; rows in which one is missing are left out.
    smallest : int
        Groups of fewer customers keep their names alone, others with them as `suppressed` says; so do rates of fewer.

    Returns
    -------
    DataFrame
        One row per group, sorted: the columns `by`, `messages`, `customers`; `open_rate`, `click_rate`,
        `click_to_open_rate` (share of opened messages that were clicked), `unsubscribe_rate`, `conversion_rate` and
        `revenue_per_message`, each with `_low` and `_high` (95%; of revenue missing unless `enough` customers
        brought some); and `machine_opens`, the share of opens that machines made. Missing where not known.

    Raises
    ------
    ValueError
        Where a column of groups or a customer is missing.

    Examples
    --------
    >>> messages = pd.DataFrame({"customer_id": list("abcdefgh"), "channel": "mail", "opened": [True, False] * 4})
    >>> kpis(messages, "channel")[["messages", "open_rate", "open_rate_low", "click_rate"]].round(2).values.tolist()
    [[8.0, 0.5, 0.22, nan]]
    """
    names = [by] if isinstance(by, str) else list(by)
    if not {CUSTOMER, *names} <= set(messages) or messages[CUSTOMER].isna().any():
        raise ValueError(f"Messages need {', '.join([CUSTOMER, *names])}, and a customer in every row.")
    sums = _by_customer(messages, names)
    groups = sums.groupby(level=names, observed=True)
    result = groups["messages"].agg(["sum", "size"]).astype(int).set_axis(["messages", "customers"], axis=1)
    for name in [*RATES, REVENUE]:
        found = _ratio(sums[name], sums[f"of {name}"], names)
        low, high = (_money_ends if name == REVENUE else _rate_ends)(found)
        columns = pd.DataFrame({name: found["ratio"], f"{name}_low": low, f"{name}_high": high})
        result = result.join(columns[found["customers"] >= smallest])
    machine, opens = groups["machine"].sum(), groups["opens"].sum()
    result["machine_opens"] = machine / opens.where(opens > 0)
    return suppressed(result.reset_index(), smallest, keep=names)


def _by_customer(messages: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """By group and customer: messages, opens, and above and below the line of each rate; what is not known is 0."""
    rows = _outcomes(messages)
    one, revenue = rows["one"], rows["revenue"]
    parts = {"messages": one, "machine": rows["machine"], "opens": rows["opened"].where(rows["machine"].notna())}
    for name, (outcome, among) in RATES.items():
        base = rows[among].where(rows[among] == 1) if among else one
        parts |= {name: rows[outcome] * base, f"of {name}": base.where(rows[outcome].notna())}
    parts |= {REVENUE: revenue, f"of {REVENUE}": one.where(revenue.notna())}
    table = pd.concat([pd.DataFrame(parts), messages[[*names, CUSTOMER]]], axis=1).sort_values([CUSTOMER, REVENUE])
    return table.groupby([*names, CUSTOMER], observed=True).sum()


def _outcomes(messages: pd.DataFrame) -> pd.DataFrame:
    """Outcomes of messages as 1, 0 or missing, revenue, and whether a machine opened a message."""
    rows = pd.DataFrame({"one": 1.0}, messages.index)
    for name in FLAGS:
        values = messages.get(name, pd.Series(np.nan, messages.index))
        values = values.notna() if pd.api.types.is_datetime64_any_dtype(values) else values
        rows[name] = values.astype("Float64").to_numpy(float, na_value=np.nan)
    rows["machine"] = np.nan
    if "opened" in messages and pd.api.types.is_datetime64_any_dtype(messages["opened"]):
        within = messages["opened"] - messages["sent"] <= pd.Timedelta(seconds=MACHINE_SECONDS)
        rows["machine"] = within.astype(float)
    rows["revenue"] = messages["revenue"].astype(float).fillna(0.0) if "revenue" in messages else np.nan
    return rows


def _ratio(above: pd.Series, below: pd.Series, names: list[str]) -> pd.DataFrame:
    """By group: a ratio of sums over customers, its variance, and the numbers behind it."""
    sums = pd.DataFrame({"above": above, "below": below})[below > 0]
    sums["with"] = (sums["above"] != 0).astype(float)
    groups = sums.groupby(level=names, observed=True)
    found = groups.sum().assign(customers=groups.size())
    found["ratio"] = found["above"] / found["below"]
    whole = groups[["above", "below"]].transform("sum")
    apart = sums["above"] - sums["below"] * (whole["above"] / whole["below"])
    found["variance"] = (apart**2).groupby(level=names, observed=True).sum() / found["below"] ** 2
    return found


def _rate_ends(found: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Wilson's interval of rates for the number of independent messages with the same variance."""
    share, variance = found["ratio"], found["variance"]
    worth = (share * (1 - share) / variance).fillna(found["customers"])  # 0 / 0 where all or none have the outcome
    return wilson(share, worth.clip(upper=found["below"]), LEVEL)


def _money_ends(found: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Student's interval of revenue per message, where enough customers brought some."""
    n = found["customers"].where(found["with"].map(enough))
    reach = np.sqrt(found["variance"] * n / (n - 1)) * stats.t.ppf((1 + LEVEL) / 2, n - 1)
    return found["ratio"] - reach, found["ratio"] + reach


@dataclass(frozen=True)
class MachineOpens:
    """How many messages were opened, which share of them by machines (missing if not known), and what to say of it."""

    opens: int
    share: float
    note: str


def machine_opens(messages: pd.DataFrame) -> MachineOpens:
    """Which share of opens was within `MACHINE_SECONDS` of sending: scanners and mail proxies load pictures at once.

    Proxies may also wait, so that the share is a lower bound; opens are called unreliable from `INFLUENTIAL` on, and
    where `opened` is not a time.

    Examples
    --------
    >>> sent = pd.Series(pd.to_datetime(["2024-05-06 09:00"] * 4))
    >>> opened = sent + pd.to_timedelta([1, 2, 3, None], unit="s")
    >>> machine_opens(pd.DataFrame({"sent": sent, "opened": opened})).note
    'opens are unreliable: 67% were within 2 seconds of sending'
    """
    rows = _outcomes(messages)
    opens, machine = int(rows["opened"].sum()), rows["machine"].sum()
    if rows["machine"].isna().all():
        return MachineOpens(
            opens, float("nan"), f"{UNRELIABLE}: no times of opens, so that machines are not recognised"
        )
    share = float(machine / opens) if opens else float("nan")
    note = f"{percent(share)} were within {MACHINE_SECONDS} seconds of sending" if opens else "no message was opened"
    return MachineOpens(opens, share, f"{UNRELIABLE}: {note}" if share >= INFLUENTIAL else note)


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


@dataclass(frozen=True)
class Caused:
    """What a campaign caused, by the hold-out, beside what was attributed to it.

    Attributes
    ----------
    table : DataFrame
        Rows `caused`, `attributed` and `gap` (attributed less caused): `per_customer` (of the campaign) with `low` and
        `high`, and `total`, `total_low`, `total_high` for all of them. What is attributed is counted, not estimated.
    customers, held_out : int
        Customers of the campaign, and of the hold-out.
    contacted : int
        Customers of the hold-out who were sent messages: they bring the estimate nearer to zero.
    note : str
        Why there are no intervals, or empty.
    """

    table: pd.DataFrame
    customers: int
    held_out: int
    contacted: int
    note: str


def caused(messages: pd.DataFrame, held_out: pd.Series, outcomes: pd.DataFrame) -> Caused:
    """Compare revenue of customers assigned to a campaign with that of a randomly held-out group.

    Customers count as they were assigned, whether a message reached them or not (intention to treat). The effect is a
    difference of means with Welch's interval (1947, Biometrika 34); the gap is one, too: of attributed less actual
    revenue in the campaign, and less actual revenue in the hold-out.

    Parameters
    ----------
    messages : DataFrame
        `customer_id` of each message.
    held_out : Series
        Customers who were assigned to the hold-out.
    outcomes : DataFrame
        One row per assigned customer: `customer_id`, `revenue` in the time that the campaign is judged on (0 without
        orders) and `attributed` revenue, such as that of `last_touch`.

    Returns
    -------
    Caused
        No intervals unless `enough` customers bought in each group.

    Raises
    ------
    ValueError
        For a customer with several rows, missing numbers, or where a group is empty.

    Examples
    --------
    >>> outcomes = pd.DataFrame({"customer_id": list("abcd"), "revenue": [9, 7, 4, 6], "attributed": [9, 7, 0, 0]})
    >>> found = caused(pd.DataFrame({"customer_id": ["a", "b"]}), pd.Series(["c", "d"]), outcomes)
    >>> found.table.set_index("measure")["total"].to_dict(), found.note
    ({'caused': 6.0, 'attributed': 16.0, 'gap': 10.0}, 'too few to tell (2 customers who bought)')
    """
    table = outcomes.sort_values(CUSTOMER)
    numbers = table[["revenue", "attributed"]].to_numpy(float)
    away = table[CUSTOMER].isin(held_out).to_numpy()
    if table[CUSTOMER].duplicated().any() or np.isnan(numbers).any() or not 0 < away.sum() < len(away):
        raise ValueError("Outcomes need one row per customer without missing numbers, and customers in both groups.")
    (revenue, attributed), base = numbers[~away].T, numbers[away, 0]
    buyers = min((revenue != 0).sum(), (base != 0).sum())
    rows = [_welch(revenue, base), (attributed.mean(), np.nan, np.nan), _welch(attributed - revenue, -base)]
    found = pd.DataFrame(rows, columns=["per_customer", "low", "high"])
    if not enough(buyers):
        found[["low", "high"]] = np.nan
    totals = (found * len(revenue)).set_axis(["total", "total_low", "total_high"], axis=1)
    found = pd.concat([pd.Series(["caused", "attributed", "gap"], name="measure"), found, totals], axis=1)
    contacted = int(table.loc[away, CUSTOMER].isin(messages[CUSTOMER]).sum())
    note = "" if enough(buyers) else too_few(buyers, "customers who bought")
    return Caused(found, len(revenue), len(base), contacted, note)


def _welch(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """The difference of two means and its interval by Welch; no interval where nothing varies."""
    difference = float(one.mean() - other.mean())
    if min(len(one), len(other)) < 2:
        return difference, np.nan, np.nan
    parts = np.array([values.var(ddof=1) / len(values) for values in (one, other)])
    if not parts.sum() > 0:
        return difference, np.nan, np.nan
    df = parts.sum() ** 2 / (parts**2 / [len(one) - 1, len(other) - 1]).sum()
    reach = float(np.sqrt(parts.sum()) * stats.t.ppf((1 + LEVEL) / 2, df))
    return difference, difference - reach, difference + reach
