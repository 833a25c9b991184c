"""Named segments: a table of rules that partitions the grid of recency and frequency."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.inference import largest_share
from customerlab.analysis.rfm.scores import MEASURES, Scored

# Named segments by the levels (1 lowest to 5 highest) of recency and frequency. Together they cover every pair
# of levels exactly once, which `check_rules` proves for these and for any other table of rules.
RULES = pd.DataFrame(
    [
        ("Champions", 5, 5, 4, 5),
        ("Loyal", 3, 4, 4, 5),
        ("Potential loyalists", 4, 5, 2, 3),
        ("New", 5, 5, 1, 1),
        ("Promising", 4, 4, 1, 1),
        ("Need attention", 3, 3, 3, 3),
        ("About to sleep", 3, 3, 1, 2),
        ("Cannot lose", 1, 2, 5, 5),
        ("At risk", 1, 2, 3, 4),
        ("Hibernating", 1, 2, 1, 2),
    ],
    columns=["segment", "r_low", "r_high", "f_low", "f_high"],
)
LEVELS = 5

ACTIONS = {
    "Champions": "Thank them; offer early access; ask for reviews and referrals",
    "Loyal": "Invite to a loyalty programme; suggest related products",
    "Potential loyalists": "Recommend by purchase history; give a reason to order again soon",
    "New": "Welcome them; suggest a second order",
    "Promising": "Remind them of the shop; suggest a second order",
    "Need attention": "Test a time-limited offer related to past orders",
    "About to sleep": "Send a reminder; show popular products",
    "Cannot lose": "Contact personally; ask for feedback; test a win-back offer",
    "At risk": "Test a win-back offer; send personal recommendations",
    "Hibernating": "Contact rarely and at low cost",
}
"""What could be done with each segment: suggestions to test, to be edited or replaced for other segments."""


def levels(scores: pd.Series, bins: int) -> pd.Series:
    """Map scores from 1 to `bins` onto the five levels of the rules.

    A score is mapped by the middle of its bin, so that the same rules work for any number of bins.
    """
    return np.ceil(LEVELS * (scores - 0.5) / bins).astype("int64")


RULE = re.compile(r"(?P<name>[^:]+):\s*(?P<r>[1-5](-[1-5])?)\s*,\s*(?P<f>[1-5](-[1-5])?)\s*")


def read_rules(texts: Sequence[str]) -> pd.DataFrame:
    """Read a table of rules, such as `RULES`, from texts ``NAME: RECENCY, FREQUENCY``, in levels or ranges of levels.

    Without texts the rules are `RULES`, the ten standard segments. A text that is not a rule, and rules that do not
    partition the grid (`check_rules`), raise ValueError.

    Examples
    --------
    >>> read_rules(["Active: 4-5, 1-5", "Sleeping: 1-3, 1-5"]).values.tolist()
    [['Active', 4, 5, 1, 5], ['Sleeping', 1, 3, 1, 5]]
    """
    if not texts:
        return RULES
    rows = []
    for text in texts:
        found = RULE.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no rule; expected NAME: RECENCY, FREQUENCY such as 'Loyal: 3-4, 4-5'")
        spans = [[int(level) for level in found[key].split("-")] for key in ("r", "f")]
        rows.append((found["name"].strip(), *[level for span in spans for level in (span[0], span[-1])]))
    rules = pd.DataFrame(rows, columns=RULES.columns)
    check_rules(rules)
    return rules


def check_rules(rules: pd.DataFrame) -> None:
    """Raise ValueError unless the rules cover every pair of levels exactly once, and each segment has one rule."""
    twice = rules["segment"][rules["segment"].duplicated()]
    if len(twice):
        raise ValueError(f"the segment {twice.iloc[0]!r} has two rules; expected one each")
    spans = list(rules[list(RULES.columns)].itertuples(index=False, name=None))
    for r in range(1, LEVELS + 1):
        for f in range(1, LEVELS + 1):
            hit = [name for name, low, high, few, many in spans if low <= r <= high and few <= f <= many]
            if len(hit) != 1:
                named = ", ".join(hit) or "no segment"
                raise ValueError(f"recency level {r} with frequency level {f} belongs to {named}; expected one segment")


def segment(scored: Scored, rules: pd.DataFrame = RULES) -> pd.DataFrame:
    """The scored table with every customer's `segment`, by rules in levels from 1 to 5 such as `RULES`."""
    check_rules(rules)
    grid = {
        (r, f): rule["segment"]
        for rule in rules.to_dict("records")
        for r in range(rule["r_low"], rule["r_high"] + 1)
        for f in range(rule["f_low"], rule["f_high"] + 1)
    }
    r, f = (levels(scored.table[name], scored.bins) for name in ("r_score", "f_score"))
    return scored.table.assign(segment=[grid[pair] for pair in zip(r, f, strict=True)])


def profile(segmented: pd.DataFrame, rules: pd.DataFrame = RULES, *, net: bool = False) -> pd.DataFrame:
    """Size, revenue and medians of each segment, in the order of the rules.

    Returns
    -------
    DataFrame
        `segment`, `customers`, `share_of_customers`, `revenue` (the monetary value, gross or net of returns), `gross`,
        `share_of_revenue` (missing where total revenue is not above zero), `largest` and `largest_gross` (the largest
        customer's share of the segment's revenue and of its gross revenue), and the medians of recency (days),
        frequency (orders), monetary value and days between orders. Segments without customers are omitted.
    """
    grouped = segmented.groupby("segment")
    gross = segmented["monetary"] + (segmented["returned"] if net else 0.0)
    table = pd.DataFrame({"customers": grouped.size()})
    table["share_of_customers"] = table["customers"] / table["customers"].sum()
    table["revenue"], table["gross"] = grouped["monetary"].sum(), gross.groupby(segmented["segment"]).sum()
    total = table["revenue"].sum()
    table["share_of_revenue"] = table["revenue"] / total if total > 0 else np.nan
    for name, money in (("largest", segmented["monetary"]), ("largest_gross", gross)):
        table[name] = largest_share(money, segmented["segment"])
    table = table.join(grouped[["recency", "frequency", "monetary", "days_between_orders"]].median())
    order = [name for name in rules["segment"] if name in table.index]
    return table.loc[order].rename_axis("segment").reset_index()


def definitions(scored: Scored, rules: pd.DataFrame = RULES, actions: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The definition of each segment: its scores, the days and orders that they stand for, and a suggested action.

    Parameters
    ----------
    scored : Scored
        The scores and their thresholds.
    rules : DataFrame
        As `read_rules` returns them.
    actions : mapping of str to str, optional
        A suggested action for each segment; `ACTIONS` by default. It is missing for segments without one.

    Returns
    -------
    DataFrame
        `segment`, `r_score` and `f_score` (ranges of scores; missing where no score falls into the rule), `recency`
        (days since the last order) and `frequency` (orders) as texts, and `action`.

    Examples
    --------
    >>> from customerlab.analysis.rfm.scores import score
    >>> table = pd.DataFrame({"recency": [5, 40, 90], "frequency": [7, 2, 1], "monetary": [9.0, 5.0, 1.0]})
    >>> scored = score(table, 3, {"recency": [30, 60], "frequency": [1, 5]})
    >>> rules = read_rules(["Active: 3-5, 1-5", "Asleep: 1-2, 1-5"])
    >>> definitions(scored, rules)[["segment", "r_score", "recency", "frequency"]].values.tolist()
    [['Active', '2 to 3', '1 to 59', '1 or more'], ['Asleep', '1', '60 or more', '1 or more']]
    """
    table, mapped = rules[["segment"]].copy(), levels(pd.Series(range(1, scored.bins + 1)), scored.bins)
    for initial, measure in (("r", "recency"), ("f", "frequency")):
        held = [
            mapped.index[mapped.between(low, high)] + 1
            for low, high in zip(rules[f"{initial}_low"], rules[f"{initial}_high"], strict=True)
        ]
        table[f"{initial}_score"] = [_range(one.min(), one.max()) if len(one) else None for one in held]
        table[measure] = [_values(scored, measure, one.min(), one.max()) if len(one) else None for one in held]
    table["action"] = table["segment"].map(ACTIONS if actions is None else actions)
    return table[["segment", "r_score", "f_score", "recency", "frequency", "action"]]


def _values(scored: Scored, measure: str, low: int, high: int) -> str:
    """The days or orders of the scores from one to another, by the thresholds."""
    name = next(name for name, of in MEASURES.items() if of == measure)
    if scored.table[measure].nunique() == 1:  # one value, one score, whatever the thresholds
        return "all customers" if low <= scored.table[name].iloc[0] <= high else "no customers"
    t = scored.thresholds
    found = t.loc[t["measure"] == measure, "threshold"]
    # the least whole number on the far side: the better score takes fewer days than a threshold, and more orders
    edges = [math.ceil(edge) if measure == "recency" else math.floor(edge) + 1 for edge in found]
    worse, better = ([None, *edges, None][place] for place in (low - 1, high))
    first, end = (better, worse) if measure == "recency" else (worse, better)
    least = min(1, int(scored.table[measure].min()))  # in a summary the last order can be of the same day
    return _range(least if first is None else first, None if end is None else end - 1)


def _range(low: int, high: int | None) -> str:
    """A range of whole numbers as text, without an upper end where that is None."""
    if high is None:
        return f"{low:,} or more"
    return "no customers" if low > high else f"{low:,}" if low == high else f"{low:,} to {high:,}"


HEADINGS = {
    "share_of_customers": "% of customers", "share_of_revenue": "% of revenue", "share_of_money": "% of revenue",
    "money": "revenue", "largest": "largest customer", "largest_gross": "largest of gross", "median_back": "median revenue",
    "same_segment": "same segment (% of customers)", "same_segment_money": "same segment (% of revenue)",
    "r_score": "recency score", "f_score": "frequency score", "action": "suggested action",
}  # fmt: skip


def for_display(table: pd.DataFrame) -> pd.DataFrame:
    """A table of segments with the column headings of a page."""
    return table.rename(columns=lambda name: HEADINGS.get(name, name.replace("_", " ")))


def high_spenders(segmented: pd.DataFrame, rules: pd.DataFrame = RULES) -> pd.DataFrame:
    """Customers with the highest monetary score, by segment; the rules use recency and frequency alone.

    Returns
    -------
    DataFrame
        `segment`, `customers` (those with the highest monetary score), `share_of_customers` (of the segment),
        `revenue` (theirs), `share_of_revenue` (of the segment's; missing where that is not above zero) and `low`:
        whether the segment's median monetary value is below that of all customers. Segments without such customers are
        omitted; the table is empty where all customers have the same monetary score.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "segment": ["New", "New", "New", "Loyal"], "m_score": [1, 1, 5, 5], "monetary": [10.0, 20.0, 970.0, 500.0],
    ... })
    >>> high_spenders(table)[["segment", "customers", "revenue", "share_of_revenue", "low"]].values.tolist()
    [['Loyal', 1, 500.0, 1.0, False], ['New', 1, 970.0, 0.97, True]]
    """
    best = segmented["m_score"].max()
    high = segmented[(segmented["m_score"] == best) & (segmented["m_score"].min() < best)].groupby("segment")
    grouped = segmented.groupby("segment")["monetary"]
    table = pd.DataFrame(index=grouped.size().index)
    table["customers"], table["revenue"] = high.size(), high["monetary"].sum()
    table.insert(1, "share_of_customers", table["customers"] / grouped.size())
    total = grouped.sum()
    table["share_of_revenue"] = table["revenue"] / total.where(total > 0)
    table["low"] = grouped.median() < segmented["monetary"].median()
    table = table.dropna(subset="customers").astype({"customers": "int64"})
    order = [name for name in rules["segment"] if name in table.index]
    return table.loc[order].rename_axis("segment").reset_index()
