"""Campaign KPIs: rates and revenue with intervals, and opens by machines.

Messages have one row each: `customer_id`, `campaign`, `channel`, `sent`, what became of them in `opened`, `clicked`,
`unsubscribed` and `converted` (bool, missing where it is not known; or the time, missing where it did not happen, and
not known of a channel without any), and `revenue` (in the shop's currency, missing counts as none). A column that is
lacking is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.inference import INFLUENTIAL, LEVEL, enough, wilson
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
        if pd.api.types.is_datetime64_any_dtype(values):  # of a channel without any, nothing is known
            values = values.notna().astype(float).where(_reported(values, messages))
        rows[name] = values.astype("Float64").to_numpy(float, na_value=np.nan)
    rows["machine"] = np.nan
    if "opened" in messages and pd.api.types.is_datetime64_any_dtype(messages["opened"]):
        within = messages["opened"] - messages["sent"] <= pd.Timedelta(seconds=MACHINE_SECONDS)
        rows["machine"] = within.astype(float)
    rows["revenue"] = messages["revenue"].astype(float).fillna(0.0) if "revenue" in messages else np.nan
    return rows


def _reported(times: pd.Series, messages: pd.DataFrame) -> pd.Series:
    """Whether the channel of each message reports times of this kind at all."""
    if "channel" not in messages:
        return pd.Series(True, messages.index)
    return times.notna().groupby(messages["channel"], dropna=False, observed=True).transform("any")


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
