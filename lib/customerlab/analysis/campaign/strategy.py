"""A strategy table: what to aim at, offer and measure in each segment, as working hypotheses for tests."""

import difflib
import re
from collections.abc import Sequence

import pandas as pd

from customerlab.analysis.campaign.send_time import UNKNOWN

COLUMNS = ["goal", "offer", "message", "channel", "cadence", "kpi", "guardrail"]
CHANGE = re.compile(r"\s*(.*\S)\s*:\s*([^:=]*[^:=\s])\s*=\s*(.*\S)\s*")
OTHER = "any other segment"

STRATEGIES = pd.DataFrame.from_dict(
    {
        "Champions": (
            "keep; gain referrals", "early access, no discount", "thanks and news for regular customers", "email",
            "at most weekly", "revenue per customer against the hold-out", "unsubscribe rate",
        ),
        "Loyal": (
            "raise the number of categories bought", "related products, no discount", "suggestions by past orders",
            "email", "at most weekly", "revenue per customer against the hold-out", "unsubscribe rate",
        ),
        "Potential loyalists": (
            "gain a further order", "free delivery on the next order", "suggestions by past orders", "email",
            "twice a month", "repurchase rate in 60 days against the hold-out", "margin per order",
        ),
        "New": (
            "gain the second order", "free delivery on the second order", "welcome and help with the first order",
            "email", "a series of three in 30 days", "second orders in 60 days against the hold-out",
            "unsubscribe rate",
        ),
        "Promising": (
            "gain the second order", "best sellers, no discount", "reminder with popular products", "email",
            "twice a month", "second orders in 60 days against the hold-out", "unsubscribe rate",
        ),
        "Need attention": (
            "gain an order before the gap grows", "time-limited voucher related to past orders",
            "news since the last order", "email", "twice a month", "reactivation rate against the hold-out",
            "margin per order",
        ),
        "About to sleep": (
            "gain an order at low cost", "best sellers, no discount", "reminder with popular products", "email",
            "monthly", "reactivation rate against the hold-out", "unsubscribe rate",
        ),
        "Cannot lose": (
            "win back", "personal voucher", "personal contact with a question for reasons", "letter or telephone",
            "once, with one reminder", "win-back rate against the hold-out", "cost per order caused",
        ),
        "At risk": (
            "win back", "win-back voucher", "suggestions by past orders", "email",
            "once, with one reminder after 14 days", "win-back rate against the hold-out", "margin per order",
        ),
        "Hibernating": (
            "contact at low cost, or not at all", "clearance sale", "question whether messages are still wanted",
            "email", "once a quarter", "profit against the hold-out", "unsubscribe and complaint rates",
        ),
        OTHER: (
            "to be decided", "two offers, tested against each other", "suggestions by past orders", "email",
            "at most twice a month", "profit per customer against the hold-out", "unsubscribe rate",
        ),
    },
    orient="index", columns=COLUMNS,
)  # fmt: skip
"""The default of each RFM segment, and of segments with other names: working hypotheses, not findings from data.

They follow common practice (Hughes 1994, Strategic Database Marketing) and promise nothing: whether an offer or a
channel works in a shop is found by its hold-out.
"""


def strategy(segments: pd.Series, changes: Sequence[str] = ()) -> pd.DataFrame:
    """The strategy table of a shop's segments. Its entries are working hypotheses to be tested, not findings.

    Parameters
    ----------
    segments : Series
        Segment by customer. Those without one count as "no segment".
    changes : sequence of str
        ``SEGMENT: COLUMN = TEXT`` such as ``At risk: channel = letter``, applied in their order. Segments are those of
        the shop and the ten RFM segments, which may have no customers today.

    Returns
    -------
    DataFrame
        One row per segment with customers, those of `STRATEGIES` first and in its order, others by name: `segment`,
        `customers`, `share` (of all customers), and the columns `COLUMNS`.

    Raises
    ------
    ValueError
        For a change of another form, or of an unknown segment or column; the nearest known one is named.

    Examples
    --------
    >>> found = strategy(pd.Series(["At risk", "At risk", "New", "Trade"]), ["At risk: channel = letter"])
    >>> found[["segment", "customers", "share", "channel"]].values.tolist()
    [['New', 1, 0.25, 'email'], ['At risk', 2, 0.5, 'letter'], ['Trade', 1, 0.25, 'email']]
    """
    sizes = segments.astype("str").fillna(UNKNOWN).value_counts()
    own = STRATEGIES.index.drop(OTHER)
    names = own.append(sizes.index.difference(own))
    table = STRATEGIES.reindex(names).fillna(STRATEGIES.loc[OTHER])
    for text in changes:
        found = CHANGE.fullmatch(text)
        if not found:
            raise ValueError(
                f"{text!r} is no change; expected SEGMENT: COLUMN = TEXT, as in 'At risk: channel = letter'."
            )
        segment, column, entry = found.groups()
        table.loc[_known(segment, names, "segment"), _known(column, COLUMNS, "column")] = entry
    table.insert(0, "customers", sizes.reindex(names, fill_value=0))
    table.insert(1, "share", table["customers"] / len(segments))
    return table[table["customers"] > 0].rename_axis("segment").reset_index()


def _known(name: str, names: Sequence[str] | pd.Index, what: str) -> str:
    """The name, if it is one of those that are known."""
    if name not in names:
        lower = {one.lower(): one for one in names}
        near = lower[difflib.get_close_matches(name.lower(), list(lower), 1, cutoff=0)[0]]
        raise ValueError(f"There is no {what} {name!r}; did you mean {near!r}? Known are {', '.join(names)}.")
    return name
