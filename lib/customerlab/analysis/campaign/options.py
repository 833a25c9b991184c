"""What can be offered to whom by which channel, what that is expected to bring, and what it costs."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customerlab.analysis.campaign.message_log import responded
from customerlab.analysis.campaign.plan import FREE, HoldOutSize, consents, hold_out_size
from customerlab.analysis.campaign.responses import Responses
from customerlab.analysis.campaign.send_time import PERSONAL, SEGMENT, Judged, best_slot, hours_of_day, slot_counts
from customerlab.analysis.experiment.design import Baseline, detectable
from customerlab.analysis.inference import percentile_interval


def options(
    permitted: pd.DataFrame, segments: pd.Series, responses: Responses, costs: Mapping[str, float]
) -> pd.DataFrame:
    """One row per customer, offer and channel that is open, with the profit that it is expected to cause.

    Parameters
    ----------
    permitted : DataFrame
        `customer_id` and `channel`: by which channels each customer may be contacted.
    segments : Series
        Segment by customer.
    responses : Responses
        Effects on profit.
    costs : mapping of str to float
        Cost of a contact by channel.

    Returns
    -------
    DataFrame
        Sorted by customer, offer and channel, as `allocate` takes it: `customer_id`, `offer`, `channel`, `effect`
        (expected profit caused, before the cost), `cost`, and `cell`, the row of the effect in `responses.table`.
        Customers without a segment, or in one whose effects are not known, have no row.

    Raises
    ------
    ValueError
        For a channel without a cost.

    Examples
    --------
    >>> import numpy as np
    >>> table = pd.DataFrame({"segment": ["Loyal"], "offer": "voucher", "channel": "email", "shrunken": [5.0]})
    >>> known = Responses(table, np.array([[5.0]]), 0.0)
    >>> open_to = pd.DataFrame({"customer_id": ["ann", "bob"], "channel": "email"})
    >>> options(open_to, pd.Series({"ann": "Loyal"}), known, {"email": 0.01}).values.tolist()
    [['ann', 'voucher', 'email', 5.0, 0.01, 0]]
    """
    cells = responses.table.assign(cell=range(len(responses.table))).dropna(subset="shrunken")
    rows = permitted.assign(segment=permitted["customer_id"].map(segments)).dropna(subset="segment")
    rows = rows.merge(cells[["segment", "offer", "channel", "shrunken", "cell"]], on=["segment", "channel"])
    lacking = sorted(set(rows["channel"]) - set(costs))
    if lacking:
        raise ValueError(f"The channel {lacking[0]!r} has no cost; expected a cost of a contact for every channel.")
    rows = rows.assign(effect=rows["shrunken"], cost=rows["channel"].map(costs).astype(float))
    columns = ["customer_id", "offer", "channel", "effect", "cost", "cell"]
    return rows[columns].sort_values(columns[:3], ignore_index=True)


def budgets(budget: float, spent: float, number: int = 12) -> list[float]:
    """Budgets from nothing to twice a budget; where a plan leaves some of it, to half more than what was spent.

    Examples
    --------
    >>> budgets(100, 100, 4), budgets(100, 10, 3)
    ([0.0, 50.0, 100.0, 150.0, 200.0], [0.0, 5.0, 10.0, 15.0])
    """
    most = 2 * budget if spent > 0.9 * budget else 1.5 * spent
    return (most * np.arange(number + 1) / number).tolist() if most > 0 else [0.0]


def named_caps(texts: Sequence[str]) -> dict[tuple[str, str], int]:
    """Read the most customers of a channel or an offer from texts such as ``channel letter: 100``.

    Examples
    --------
    >>> named_caps(["channel letter: 100", "offer free delivery: 50"])
    {('channel', 'letter'): 100, ('offer', 'free delivery'): 50}
    """
    read = {}
    for text in texts:
        found = re.fullmatch(r"\s*(channel|offer)\s+(.*\S)\s*:\s*(\d+)\s*", text)
        if not found:
            raise ValueError(f"{text!r} is no cap; expected 'channel NAME: NUMBER' or 'offer NAME: NUMBER'.")
        read[(found[1], found[2])] = int(found[3])
    return read


def size_of_hold_out(
    log: pd.DataFrame, chosen: pd.DataFrame, segments: pd.Series, responses: Responses, least: float
) -> HoldOutSize:
    """How many of the chosen customers to hold out, so that the orders that they are expected to place more are found.

    `responses` are of orders. Mean and deviation are those of customers held out before, of the same segments. The
    least share, of at most half of them, where these do not vary, nothing is expected, or there are fewer than four.
    """
    keys = ["segment", "offer", "channel"]
    rows = chosen.assign(segment=chosen["customer_id"].map(segments))
    effect = rows.merge(responses.table[[*keys, "shrunken"]], on=keys)["shrunken"].mean()
    before = log.loc[log["held_out"] & log["segment"].isin(rows["segment"]), "orders_after"].dropna()
    if len(chosen) < 4 or len(before) < 2 or not before.std() > 0 or not effect > 0:
        number = min(int(np.ceil(least * len(chosen) - 1e-9)), len(chosen) // 2)
        return HoldOutSize(number / max(len(chosen), 1), number, float("nan"), "", 0)
    return hold_out_size(len(chosen), Baseline(float(before.mean()), float(before.std())), float(effect), least=least)


def first_test(orders: pd.DataFrame, day: pd.Timestamp, window_days: int) -> tuple[int, float, float] | None:
    """What a first campaign to all customers would show, half of them held out.

    Parameters
    ----------
    orders : DataFrame
        `customer_id` and `ordered_at`, as `purchases.placed` returns them.

    Returns
    -------
    tuple or None
        Customers; their mean number of orders in the `window_days` before the day; and the additional orders per
        customer that are found with a power of 80%. None where nobody ordered in that time, or there are fewer than
        four customers.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01"] * 90 + ["2024-01-30"] * 10)
    >>> orders = pd.DataFrame({"customer_id": [f"c{n}" for n in range(100)], "ordered_at": days})
    >>> customers, base, found = first_test(orders, pd.Timestamp("2024-02-01"), 7)
    >>> customers, base, round(found, 2)
    (100, 0.1, 0.17)
    """
    late = orders["ordered_at"] >= day - pd.Timedelta(days=window_days)
    number = late.groupby(orders["customer_id"]).sum()
    if len(number) < 4 or not number.std() > 0:
        return None
    base = Baseline(float(number.mean()), float(number.std()))
    return len(number), base.mean, detectable(base, len(number))


def permitted(attributes: pd.DataFrame | None, consent: Sequence[str], log: pd.DataFrame | None) -> pd.DataFrame:
    """The channels open to each customer, as `consents` has them; none where no such attribute is declared."""
    there = [] if attributes is None else [text for text in consent if _by(text) in (FREE, *attributes)]
    return consents(pd.DataFrame() if attributes is None else attributes, there, log)


def _by(text: str) -> str:
    """The attribute by which a text of consent permits a channel."""
    return text.partition(":")[2].strip()


def closed(attributes: pd.DataFrame | None, consent: Sequence[str]) -> list[str]:
    """Channels that are open to nobody because no such attribute is declared, as sentences."""
    known = (FREE, *([] if attributes is None else attributes))
    return [
        f"No customer can be contacted by {text.partition(':')[0].strip()}: there is no attribute {_by(text)!r} (parameter consent)."
        for text in consent
        if _by(text) not in known
    ]


def lacking(
    log: pd.DataFrame | None, effects: Responses | None, permitted: pd.DataFrame, segments: pd.Series
) -> list[str]:
    """Why no plan can be made, as clauses; empty where one can."""
    why = []
    if log is None:
        why.append("this shop has no log of messages, so that their effects are not known")
    elif effects is None:
        why.append("no campaign held customers out at random, so that only responses are known, and no effects")
    elif effects.table["shrunken"].isna().all():
        why.append("too few customers ordered for effects to be known")
    if not permitted["customer_id"].isin(segments.index).any():
        why.append("no customer is known to consent to any channel (parameter consent)")
    return why


def unplanned(offered: pd.DataFrame, budget: float, quiet: set[str], excluded: Sequence[str]) -> str:
    """Why nobody is contacted though there are effects and consent, as a clause."""
    rows = offered[~offered["customer_id"].isin(quiet)]
    if offered.empty:
        return (
            "all segments with known effects are excluded"
            if excluded
            else "no customer has a channel with a known effect"
        )
    if rows.empty:
        return "all customers were sent a message within the quiet days"
    paying = rows[rows["effect"] > rows["cost"]]
    if len(paying) and paying["cost"].min() > budget:
        return f"the budget of {budget:g} is below the cost of a single contact"
    return "no contact with a known effect is expected to pay"


def named(excluded: Sequence[str], segments: pd.Series) -> None:
    """Raise ValueError unless these are segments of customers."""
    unknown = sorted(set(excluded) - set(segments))
    if unknown:
        raise ValueError(
            f"There is no segment {unknown[0]!r} to be excluded; there are {', '.join(sorted(set(segments)))}."
        )


def spelt(names: Iterable[str], offers: pd.Series, what: str) -> None:
    """Raise ValueError where a parameter names an offer that no campaign has, but nearly so.

    Examples
    --------
    >>> spelt(["vouchers"], pd.Series(["voucher"]), "discounts")
    Traceback (most recent call last):
    ...
    ValueError: No campaign has the offer 'vouchers' (parameter discounts); did you mean 'voucher'?
    """
    known = sorted(set(offers))
    for name in names:
        near = difflib.get_close_matches(name, known, 1, cutoff=0.8)
        if near and name not in known:
            raise ValueError(f"No campaign has the offer {name!r} (parameter {what}); did you mean {near[0]!r}?")


def expected_profit(contact: pd.DataFrame, offered: pd.DataFrame, draws: NDArray) -> pd.Series:
    """The expected profit of those contacted, after costs, with its interval: `profit`, `low`, `high`.

    `contact` are rows of the plan, `draws` effects on profit by the `cell` of the options.
    """
    rows = contact.merge(offered, on=["customer_id", "offer", "channel"], suffixes=("", "_offered"))
    cost = rows["cost"].sum()
    drawn = draws @ np.bincount(rows["cell"], minlength=draws.shape[1]) - cost
    low, high = percentile_interval(drawn)
    return pd.Series({"profit": rows["effect"].sum() - cost, "low": low, "high": high})


def send_hours(judged: Judged | None, log: pd.DataFrame, segments: pd.Series, chosen: pd.DataFrame) -> pd.Series:
    """The hour from which to send to each customer, by the rule that `judge_times` recommends.

    That with the most responses of all where no finer rule is recommended. Missing where no times are known, and for
    channels of which nothing is opened or clicked, such as letters.
    """
    hours = pd.Series(pd.NA, chosen["customer_id"], dtype="Int64")
    if judged is None:
        return hours
    counts = slot_counts(responded(log), hours_of_day).reindex(sorted(chosen["customer_id"]), fill_value=0)
    own = segments if judged.decision in (PERSONAL, SEGMENT) else pd.Series(dtype="str")
    found = best_slot(judged.times, counts if judged.decision == PERSONAL else counts * 0, own)["slot"]
    timed = log.loc[log["opened"].notna() | log["clicked"].notna(), "channel"].unique()
    by = chosen.set_index("customer_id")["channel"].isin(timed)
    return hours.fillna(found.astype("str").str[:2].astype("Int64")).where(by)
