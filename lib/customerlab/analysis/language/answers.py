"""What a segment in plain words comes to: its canonical wording, size, revenue, and overlap with other segments."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.disclosure import hidden, hidden_cells
from customerlab.analysis.language.base import CATEGORY, NUMBER, ORDERED, CustomerBase
from customerlab.analysis.language.grammar import LanguageError, parse
from customerlab.analysis.language.meaning import SCALE, revenue, select
from customerlab.analysis.language.tree import canonical, quoted
from customerlab.analysis.orders import fetched

NUMBERS = ["customers", "shared", "share_of_segment", "share_of_this", "lift"]


@dataclass(frozen=True, eq=False)
class Answer:
    """The numbers of a segment. All but `wording` and `of` are missing where they would tell of a small group.

    Attributes
    ----------
    wording : str
        The canonical text.
    customers, of : float, int
        Customers of the segment, and of the base.
    share : float
        Of all customers; missing where there are none.
    revenue, share_of_revenue : float
        Net of returns, up to the shop's day; the share is missing where total revenue is not above zero.
    overlap : DataFrame
        `segmentation`, `segment`, `customers` (of that segment), `shared` (of both), `share_of_segment`,
        `share_of_this`, and `lift`: the share of this in that segment, divided by its share of all customers.
    """

    wording: str
    customers: float
    of: int
    share: float
    revenue: float
    share_of_revenue: float
    overlap: pd.DataFrame


def answer(source: str, base: CustomerBase, *, smallest: int = 1) -> Answer:
    """Read a segment and count it.

    Parameters
    ----------
    source : str
        As docs/language.md says.
    base : CustomerBase
    smallest : int
        Groups of fewer customers are hidden (docs/privacy.md): this segment, all others, and what they have in common.

    Raises
    ------
    LanguageError
        A ValueError, for a text that is no segment, and for names that the base does not have.

    Examples
    --------
    >>> import ibis
    >>> from customerlab.analysis.orders import Snapshot
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 4.0],
    ... })
    >>> base = CustomerBase(Snapshot(log, pd.Timestamp("2024-02-01")))
    >>> found = answer("ordered at least 2 times", base)
    >>> found.wording, found.customers, found.share, found.revenue, found.share_of_revenue
    ('customers who ordered at least 2 times', 1.0, 0.5, 12.0, 0.75)
    """
    segment = parse(source)
    chosen = fetched(select(segment, base))["customer_id"]
    money = fetched(revenue(base, {None: "money"})).set_index("customer_id")["money"]
    everyone = pd.Index(fetched(base.customers)["customer_id"]).sort_values()
    inside = pd.Series(everyone.isin(chosen), index=everyone)
    money = money.reindex(everyone, fill_value=0)
    own, total, n, of = money[inside].sum() / SCALE, money.sum() / SCALE, int(inside.sum()), len(inside)
    away = bool(hidden([n, of - n], smallest)[0])
    numbers = (n, n / of if of else np.nan, own, own / total if total > 0 else np.nan)
    customers, share, earned, part = (np.nan if away else float(number) for number in numbers)
    overlap = [_overlap(name, base.segments[name], inside, smallest, away) for name in base.segments]
    columns = ["segmentation", "segment", *NUMBERS]
    table = pd.concat(overlap, ignore_index=True) if overlap else pd.DataFrame(columns=columns)
    return Answer(canonical(segment), customers, of, share, earned, part, table[columns])


def _overlap(name: str, segments: pd.Series, inside: pd.Series, smallest: int, away: bool) -> pd.DataFrame:
    """What the segments of a segmentation have in common with this one, without what tells of small groups."""
    known = segments.dropna().astype("str")
    labels = known.set_axis(known.index.astype("str")).reindex(inside.index)
    # customers without a segment are a row of their own until it is known what has to be hidden
    groups = inside.groupby(labels, dropna=False)
    table = pd.DataFrame({"shared": groups.sum(), "customers": groups.size()}).rename_axis("segment").reset_index()
    cells = pd.DataFrame({"in": table["shared"], "out": table["customers"] - table["shared"]})
    few = hidden_cells(cells, smallest).any(axis=1) | hidden(table["customers"], smallest)
    few |= hidden(cells["in"], smallest) | hidden(cells["out"], smallest)
    if few.sum() == 1 and len(few) > 1:  # the whole less the others would reveal it
        some = np.where(cells["in"] > 0, cells["in"], len(inside) + 1)
        few[np.where(few, np.inf, some).argmin()] = True
    table["share_of_segment"] = table["shared"] / table["customers"]
    table["share_of_this"] = table["shared"] / (inside.sum() or np.nan)
    table["lift"] = table["share_of_this"] / (table["customers"] / len(inside))
    table = table.astype(dict.fromkeys(NUMBERS, float))
    table.loc[few | away, NUMBERS] = np.nan
    return table[table["segment"].notna()].assign(segmentation=name)


def examples(base: CustomerBase) -> list[str]:
    """A few segments of a base in plain words, for a reader who has asked none yet."""
    attributes = base.attributes if base.attributes is not None else pd.DataFrame()
    found = []
    if len(fetched(base.shop.known.limit(1))):
        found += ["ordered at least 2 times and are in the top 20% by revenue", "last ordered more than 180 days ago"]
    for name in list(attributes)[:2]:
        known = attributes[name].dropna()
        if known.empty:
            continue
        kind = base.kinds[str(name)]
        if kind == NUMBER:
            found.append(f"whose {quoted(str(name))} is at least {_plain(float(known.median()))}")
        elif kind in (CATEGORY, ORDERED):
            found.append(f"whose {quoted(str(name))} is {quoted(known.astype(object).map(str).mode().iloc[0])}")
    return [text for text in found if _readable(text)]


def _plain(value: float) -> str:
    """A number of six digits, without an exponent."""
    return np.format_float_positional(float(f"{value:g}"), trim="-")


def _readable(text: str) -> bool:
    """Whether the grammar has room for a text: it has none for infinity, and for what is too long."""
    try:
        parse(text)
    except LanguageError:
        return False
    return True
