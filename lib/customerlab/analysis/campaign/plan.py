"""The campaign plan: who may be contacted by which channel, who is held out, and the files that mail tools import."""

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd

from customerlab.analysis.campaign.send_time import CUSTOMER, UNKNOWN
from customerlab.analysis.experiment.assignment import hashed
from customerlab.analysis.experiment.design import Baseline, power_of
from customerlab.formats import percent

CONSENT = re.compile(r"\s*([^:]*[^:\s])\s*:\s*(.*\S)\s*")
FREE = "-"  # in the place of the attribute: the channel needs no consent
CONTACT, HOLD_OUT = "contact", "hold-out"
COLUMNS = [CUSTOMER, "segment", "campaign", "group", "offer", "channel", "send_hour", "cost", "expected_effect"]
MOST = 200  # campaigns that are judged together

# Attributes of customers in a tool, with names that keep clear of the shop's own attributes there.
ATTRIBUTES = {f"campaign_{name}": name for name in ("segment", "offer", "channel", "send_hour")}
ATTRIBUTES["campaign_name"] = "campaign"
# By tool, the plan's column of each column of the file: the shop's own id of the customer, and attributes.
LAYOUTS = {
    "customerlab": {name: name for name in COLUMNS},
    # braze.com/docs/user_guide/data/unification/user_data/import_users/csv: an empty cell leaves an older value
    "braze": {"external_id": CUSTOMER} | ATTRIBUTES,
    # docs.customer.io/journeys/uploading-people: names are case-sensitive
    "customer.io": {"id": CUSTOMER} | ATTRIBUTES,
    # support.iterable.com/hc/en-us/articles/115000770906: in projects whose users are identified by userId
    "iterable": {"userId": CUSTOMER} | ATTRIBUTES,
    # documentation.onesignal.com/docs/en/import: the other columns become tags
    "onesignal": {"external_id": CUSTOMER} | ATTRIBUTES,
}


def consents(customers: pd.DataFrame, consent: Sequence[str], messages: pd.DataFrame | None = None) -> pd.DataFrame:
    """The channels open to each customer: `customer_id` and `channel`, a row for each pair, sorted.

    A channel is open if its attribute is yes; a missing value is no consent. A customer who has unsubscribed by any
    channel is contacted by none that needs consent: the log does not say from what, nor of consent given again.

    Parameters
    ----------
    customers : DataFrame
        Attributes by customer (index); those of yes and no are bool, nullable or not.
    consent : sequence of str
        ``CHANNEL: ATTRIBUTE``, or ``CHANNEL: -`` if none is needed. Other channels are open to nobody.
    messages : DataFrame, optional
        `customer_id` and `unsubscribed`: the time, missing where it did not happen, or a flag.

    Raises
    ------
    ValueError
        For another form, a channel or a customer twice, and an attribute that is lacking or not of yes and no.

    Examples
    --------
    >>> customers = pd.DataFrame({"newsletter": [True, False]}, index=["ann", "bob"])
    >>> consents(customers, ["email: newsletter", "letter: -"]).values.tolist()
    [['ann', 'email'], ['ann', 'letter'], ['bob', 'letter']]
    """
    read = [CONSENT.fullmatch(text) for text in consent]
    needed = {found[1]: found[2] for found in read if found}
    if len(needed) < len(consent) or customers.index.has_duplicates:
        raise ValueError(
            f"Consent is {list(consent)}; expected texts CHANNEL: ATTRIBUTE such as 'email: newsletter', each channel once, "
            "and one row of attributes per customer."
        )
    wrong = [name for name in needed.values() if name != FREE and not _yes_no(customers, name)]
    if wrong:
        known = ", ".join(repr(name) for name in customers if _yes_no(customers, name)) or "none"
        raise ValueError(
            f"Consent is by {wrong[0]!r}; expected an attribute of yes and no, of which there are {known}."
        )
    gone = customers.index.isin(_unsubscribed(messages))
    table = pd.DataFrame(index=customers.index)
    for channel, name in sorted(needed.items()):
        table[channel] = True if name == FREE else customers[name].fillna(False).to_numpy(bool) & ~gone
    row, column = np.nonzero(table.sort_index().to_numpy(bool))
    return pd.DataFrame({CUSTOMER: table.index.sort_values()[row], "channel": table.columns[column]})


def _yes_no(customers: pd.DataFrame, name: Hashable) -> bool:
    """Whether there is such an attribute of yes and no."""
    return name in customers and pd.api.types.is_bool_dtype(customers[name])


def _unsubscribed(messages: pd.DataFrame | None) -> pd.Series:
    """The customers who have unsubscribed, as far as the log knows."""
    if messages is None or "unsubscribed" not in messages:
        return pd.Series(dtype="str")
    values = messages["unsubscribed"]
    timed = pd.api.types.is_datetime64_any_dtype(values)
    happened = values.notna() if timed else values.astype("Float64").fillna(0) > 0
    return messages.loc[happened.to_numpy(bool), CUSTOMER]


def rested(messages: pd.DataFrame, day: pd.Timestamp, quiet_days: float) -> set[str]:
    """The customers who were sent a message within so many days before a day, and are to be left in peace on it.

    Of messages the columns `customer_id`, `sent` and, optional, `held_out` (bool: sent nothing) count. A message just
    so many days ago counts, one at the very time of `day` or later does not. Negative days are a ValueError.

    Examples
    --------
    >>> sent = pd.to_datetime(["2024-05-01", "2024-05-06"])
    >>> rested(pd.DataFrame({"customer_id": ["ann", "bob"], "sent": sent}), pd.Timestamp("2024-05-10"), 7)
    {'bob'}
    """
    if not quiet_days >= 0:
        raise ValueError(f"{quiet_days:g} quiet days; expected at least 0.")
    recent = (messages["sent"] >= day - pd.Timedelta(days=quiet_days)) & (messages["sent"] < day)
    if "held_out" in messages:
        recent &= ~messages["held_out"].astype("boolean").fillna(False).to_numpy(bool)
    return set(messages.loc[recent, CUSTOMER])


def hold_out(customers: Iterable[str], campaign: str, number: int) -> pd.Series:
    """Whether each customer is held out (bool), by customer, sorted: so many of them, no more and no fewer.

    Those with the smallest hashes of the campaign's name and the id (`experiment.assignment.hashed`): the same on every
    rerun and for any order, and independent of other campaigns. A larger number releases nobody. A number below 0 or
    beyond the customers, and a missing id are a ValueError.

    Examples
    --------
    >>> hold_out(["ann", "bob", "cid", "dan"], "spring mail", 2).to_dict()
    {'ann': False, 'bob': False, 'cid': True, 'dan': True}
    """
    ids = pd.Index(list(customers), dtype="str", name=CUSTOMER).unique().sort_values()
    if not 0 <= number <= len(ids) or ids.hasnans:
        raise ValueError(f"{number} of {len(ids)} customers are to be held out; expected 0 to all, and no missing id.")
    if ids.empty:
        return pd.Series(False, ids, name="held_out", dtype=bool)
    units = ibis.memtable(pd.DataFrame({CUSTOMER: ids}))
    drawn = units.mutate(place=hashed(units[CUSTOMER], campaign)).to_pandas().sort_values(["place", CUSTOMER])
    return pd.Series(ids.isin(drawn[CUSTOMER].head(number)), ids, name="held_out")


@dataclass(frozen=True)
class HoldOutSize:
    """How many customers to hold out.

    Attributes
    ----------
    share, customers : float, int
        Share and number.
    power : float
        To find the effect; missing where it is not known.
    note : str
        Where the power is too low.
    campaigns : int
        How many such campaigns, judged together, have the wanted power; 0 where it is not known.
    """

    share: float
    customers: int
    power: float
    note: str
    campaigns: int = 1


def hold_out_size(
    customers: int, base: Baseline, effect: float, *, least: float = 0.1, power: float = 0.8, alpha: float = 0.05
) -> HoldOutSize:
    """The smallest hold-out that finds an effect, two-sided, with the wanted power (`experiment.design.power_of`).

    Parameters
    ----------
    customers : int
        Of the campaign, those held out included; at least 4.
    base : Baseline
        Of customers without the campaign: mean and standard deviation of revenue, or a conversion rate.
    effect : float
        Absolute difference of the mean or rate, above zero.
    least : float
        The minimum share, up to a half; also the share where a half would not be enough, which the note says.

    Raises
    ------
    ValueError
        For values out of these ranges, a mean that does not vary, or a rate that would exceed 1.

    Examples
    --------
    >>> hold_out_size(20_000, Baseline(0.10, 0, proportion=True), 0.02).customers
    2210
    >>> hold_out_size(1_000, Baseline(20.0, 60.0), 2.0).note[:83]
    'Even half of 1,000 customers would not find an effect of 2 with a power of 80%. The'
    """
    varies = base.mean + effect <= 1 if base.proportion else base.deviation > 0
    if not (customers >= 4 and effect > 0 and 0 < least <= 0.5 and varies):
        asked = f"{customers} customers, an effect of {effect:g} on {base}, a share of at least {least:g}"
        raise ValueError(f"{asked}; expected at least 4, an effect above 0 that is possible, a share up to a half.")

    def found(held: int) -> float:
        return power_of(base, effect, (held, customers - held), alpha=alpha)

    low, high, note = max(2, int(np.ceil(least * customers - 1e-9))), customers // 2, ""
    if found(high) < power:
        note = (
            f"Even half of {customers:,} customers would not find an effect of {effect:.3g} with a power of {percent(power)}. "
            f"The minimum share of {percent(least)} is held out, with a power of {percent(found(low))}: the effect will "
            "probably not be shown."
        )
        high = low
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) >= power else (middle + 1, high)
    repeated = 1
    while (
        repeated < MOST and power_of(base, effect, (repeated * low, repeated * (customers - low)), alpha=alpha) < power
    ):
        repeated += 1
    return HoldOutSize(max(least, low / customers), low, found(low), note, repeated)


def campaign_plan(
    chosen: pd.DataFrame, segments: pd.Series, held_out: pd.Series, hours: pd.Series, campaign: str
) -> pd.DataFrame:
    """The plan of a campaign: who is contacted with which offer, by which channel and when, and who is held out.

    The hold-out is taken out of the customers chosen, so that it differs from those contacted by chance alone. So
    `allocate` has to choose among all customers, those held out included; what these would cost remains unspent.

    Parameters
    ----------
    chosen : DataFrame
        `chosen` of `allocation.Plan`: `customer_id`, `offer`, `channel`, `effect`, `cost`.
    segments : Series
        Segment by customer.
    held_out : Series of bool
        By customer, of at least all who were chosen, as `hold_out` returns it.
    hours : Series
        The hour from which to send by customer; missing for any.
    campaign : str
        Its name.

    Returns
    -------
    DataFrame
        One row per customer chosen, sorted: `COLUMNS`. The `group` is "contact" or "hold-out"; the latter have the
        offer and the channel that they would have had, and a `cost` and an `expected_effect` (before the cost; both in
        the shop's currency) of 0.

    Raises
    ------
    ValueError
        For a customer twice or without a value in `held_out`.

    Examples
    --------
    >>> chosen = pd.DataFrame({"customer_id": ["ann", "bob"], "offer": "voucher", "channel": "email"})
    >>> chosen, away = chosen.assign(effect=[5.0, 3.0], cost=2.0), pd.Series([False, True], ["ann", "bob"])
    >>> plan = campaign_plan(chosen, pd.Series("Loyal", away.index), away, pd.Series(8, away.index), "May")
    >>> plan[["segment", "group", "offer", "send_hour", "cost"]].values.tolist()
    [['Loyal', 'contact', 'voucher', 8, 2.0], ['Loyal', 'hold-out', 'voucher', 8, 0.0]]
    """
    table = chosen.sort_values(CUSTOMER, ignore_index=True)
    ids, known = table[CUSTOMER], held_out.dropna()
    twice = any(pd.Index(of).has_duplicates for of in (ids, known.index, segments.index))
    if twice or not ids.isin(known.index).all():
        raise ValueError("A customer is there twice, or it is not known whether the customer is held out.")
    away = ids.map(known).to_numpy(bool)
    found = table.rename(columns={"effect": "expected_effect"}).astype({"cost": float, "expected_effect": float})
    found.loc[away, ["cost", "expected_effect"]] = 0.0
    found["campaign"], found["group"] = campaign, np.where(away, HOLD_OUT, CONTACT)
    found["segment"] = ids.map(segments).astype("str").fillna(UNKNOWN)
    found["send_hour"] = ids.map(hours).astype("Int64")
    return found[COLUMNS]


def nobody() -> pd.DataFrame:
    """A plan in which nobody is contacted."""
    nothing = pd.DataFrame(columns=[CUSTOMER, "offer", "channel", "effect", "cost"])
    return campaign_plan(nothing, pd.Series(dtype="str"), pd.Series(dtype=bool), pd.Series(dtype="Int64"), "")


def for_tool(plan: pd.DataFrame, tool: str) -> pd.DataFrame:
    """The customers to be contacted, in the columns that a tool imports (`LAYOUTS`); "customerlab" has all columns.

    Texts are those of the plan. An apostrophe goes before a cell that a spreadsheet would compute when the file is
    written; where it is an id, take it off before the import. Another tool is a ValueError.

    Examples
    --------
    >>> sorted(LAYOUTS)
    ['braze', 'customer.io', 'customerlab', 'iterable', 'onesignal']
    """
    if tool not in LAYOUTS:
        raise ValueError(f"{tool!r} is no tool with a layout; expected one of {', '.join(LAYOUTS)}.")
    contacted = plan[plan["group"] == CONTACT].reset_index(drop=True)
    return pd.DataFrame({name: contacted[column] for name, column in LAYOUTS[tool].items()})
