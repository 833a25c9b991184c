"""Named segments: a table of rules that partitions the grid of recency and frequency."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.inference import largest_share
from customerlab.analysis.rfm.scores import Scored

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


def levels(scores: pd.Series, bins: int) -> pd.Series:
    """Map scores from 1 to `bins` onto the five levels that the rules speak of.

    A score stands for the middle of its bin, so that any number of bins meets the same rules.
    """
    return np.ceil(LEVELS * (scores - 0.5) / bins).astype("int64")


RULE = re.compile(r"(?P<name>[^:]+):\s*(?P<r>[1-5](-[1-5])?)\s*,\s*(?P<f>[1-5](-[1-5])?)\s*")


def read_rules(texts: Sequence[str]) -> pd.DataFrame:
    """Read a table of rules, such as `RULES`, from texts ``NAME: RECENCY, FREQUENCY``, in levels or spans of levels.

    Without any they are `RULES`, the ten usual ones. A text that is no rule, and rules that do not partition the grid
    (`check_rules`), raise ValueError.

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
    """Raise ValueError unless the rules cover every pair of levels exactly once, and each segment has one."""
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
    """What each segment is: size, money and typical values, in the order of the rules.

    Returns
    -------
    DataFrame
        `segment`, `customers`, `share_of_customers`, `revenue` (the monetary value, which is net of returns or not),
        `gross`, `share_of_revenue` (missing where all revenue together is not above zero), `largest` and
        `largest_gross` (share of the segment's revenue, and of its gross revenue, of one customer), and the medians of
        recency (days), frequency (orders), monetary value and days between orders. Segments without a customer are left
        out.
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


SPELLED = {
    "share_of_customers": "of all", "share_of_revenue": "of revenue", "share_of_money": "of revenue", "money": "revenue",
    "largest": "largest customer", "largest_gross": "largest of gross", "return_rate": "repurchase rate",
    "median_back": "median",
}  # fmt: skip


def spelled(table: pd.DataFrame) -> pd.DataFrame:
    """A table of segments with its columns as a page shows them."""
    return table.rename(columns=lambda name: SPELLED.get(name, name.replace("_", " ")))


def high_spenders(segmented: pd.DataFrame, rules: pd.DataFrame = RULES) -> pd.DataFrame:
    """Customers with the highest monetary score, by segment: the rules look at recency and frequency alone.

    Returns
    -------
    DataFrame
        `segment`, `customers` (those with the highest monetary score), `share_of_customers` (of the segment),
        `revenue` (theirs), `share_of_revenue` (of the segment's; missing where that is not above zero) and `low`:
        whether the median customer of the segment has spent less than the median customer of the shop. Segments
        without such a customer are left out, and all where the monetary score is the same for everybody.

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
