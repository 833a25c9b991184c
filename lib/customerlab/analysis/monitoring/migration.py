"""Migration between segments: transition matrices, how long customers stay, and whether one matrix describes it all.

A history has one row per customer and one column per day, in rising order, as `rfm.snapshots` and `lifecycle.states`
make it. All segments are such as customers can be in on each of the days; `NOT_YET` is none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import LEAST, enough, wilson
from customerlab.analysis.rfm.stability import NOT_YET

LEAST_EXPECTED = 5  # in a cell of a chi-square test (Cochran 1954)


def coded(history: pd.DataFrame, order: Sequence[str]) -> np.ndarray:
    """The history as positions in `order`, -1 before the first order; ValueError for a segment that is not in it."""
    codes = np.column_stack([pd.Index(order).get_indexer(pd.Index(column)) for _, column in history.items()])
    known = history.to_numpy() != NOT_YET
    if (codes < 0)[known].any():
        raise ValueError(f"the history has segments that are not among {', '.join(order)}")
    return codes


def balanced(history: pd.DataFrame) -> pd.DataFrame:
    """The customers who were customers on all days: who stays the same panel while the shop grows."""
    return history[(history != NOT_YET).all(axis=1)]


def counts(codes: np.ndarray, number: int) -> np.ndarray:
    """Customers who moved from one segment to another: array of int of shape (steps, number, number)."""
    steps = [
        np.bincount(one[one >= 0] * number + two[one >= 0], minlength=number**2).reshape(number, number)
        for one, two in zip(codes.T[:-1], codes.T[1:], strict=True)
    ]
    return np.array(steps, dtype="int64").reshape(len(steps), number, number)


def transitions(history: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """The transition matrix over all steps, as a long table.

    Returns
    -------
    DataFrame
        One row per pair of segments whose first one had customers: `before`, `after`, `customers` (a customer counts
        once a step), `of` (customers in the first segment), `share`, and `low` and `high`: its 95% interval by Wilson
        (1927), clustered by customer, who takes several steps; missing where not `enough` customers are in the first
        segment.

    Examples
    --------
    >>> history = pd.DataFrame({1: ["a", "a", "b"], 2: ["a", "b", "b"], 3: ["b", "b", "b"]})
    >>> transitions(history, ["a", "b"])[["before", "after", "customers", "of"]].values.tolist()
    [['a', 'a', 1, 3], ['a', 'b', 2, 3], ['b', 'a', 0, 3], ['b', 'b', 3, 3]]
    """
    codes, number = coded(history, order), len(order)
    total = counts(codes, number).sum(axis=0)
    rows = []
    for place, name in enumerate(order):
        of = total[place].sum()
        if not of:
            continue
        share = pd.Series(total[place] / of)
        own = _of_customers(codes, place, number)
        spread = ((own - own.sum(axis=1, keepdims=True) * share.to_numpy()) ** 2).sum(axis=0)
        worth = (of**2 * share * (1 - share) / pd.Series(spread).where(spread > 0)).fillna(len(own)).clip(upper=of)
        low, high = wilson(share, worth if enough(of) else worth * np.nan)
        rows.append(
            pd.DataFrame({
                "before": name, "after": list(order), "customers": total[place], "of": of, "share": share,
                "low": low, "high": high,
            })
        )  # fmt: skip
    columns = ["before", "after", "customers", "of", "share", "low", "high"]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)


def _of_customers(codes: np.ndarray, place: int, number: int) -> np.ndarray:
    """How often each customer who was ever in a segment moved from there to each other: (customers, number)."""
    who, step = np.nonzero(codes[:, :-1] == place)
    row = np.unique(who, return_inverse=True)[1]
    found = np.bincount(row * number + codes[who, step + 1], minlength=(row.max() + 1) * number)
    return found.reshape(-1, number).astype(float)


def stays(table: pd.DataFrame) -> pd.DataFrame:
    """How long customers stay in each segment, from `transitions`.

    Returns
    -------
    DataFrame
        `segment`, `customers` (customers and steps), `share` (who stay for a step), `low`, `high`, and `half_life`: the
        steps after which half of them have left, ln(1/2) / ln(share), as it is if leaving is as likely at any time; 0
        where all leave at once, missing where nobody does.

    Examples
    --------
    >>> history = pd.DataFrame({1: ["a", "a", "b"], 2: ["a", "b", "b"]})
    >>> stays(transitions(history, ["a", "b"]))[["segment", "customers", "share", "half_life"]].values.tolist()
    [['a', 2, 0.5, 1.0], ['b', 1, 1.0, nan]]
    """
    found = table[table["before"] == table["after"]].rename(columns={"before": "segment"}).reset_index(drop=True)
    share = found["share"].to_numpy(dtype=float)
    leaving = np.where((share > 0) & (share < 1), -np.log(np.clip(share, 1e-300, 1)), np.nan)
    found["half_life"] = np.where(share > 0, np.log(2) / leaving, 0.0)
    return found.drop(columns=["after", "customers"]).rename(columns={"of": "customers"})


@dataclass(frozen=True)
class Kept:
    """How many customers keep their segment for a step, beside what chance gives.

    Attributes
    ----------
    customers : int
        Customers and steps.
    share : float
        Of them, those who kept their segment.
    shuffled : float
        The share expected if on each day segments were dealt out to customers at random.
    kappa : float
        (share - shuffled) / (1 - shuffled): Cohen's kappa (1960), 1 if all keep theirs and 0 if no more than by chance.
    """

    customers: int
    share: float
    shuffled: float
    kappa: float


def kept(history: pd.DataFrame, order: Sequence[str]) -> Kept:
    """How many keep their segment, over all steps, beside shuffled labels; shares are missing without customers.

    Examples
    --------
    >>> kept(pd.DataFrame({1: ["a", "a", "b", "b"], 2: ["a", "a", "b", "a"]}), ["a", "b"])
    Kept(customers=4, share=0.75, shuffled=0.5, kappa=0.5)
    """
    steps = counts(coded(history, order), len(order)).astype(float)
    n = steps.sum(axis=(1, 2))
    number = int(n.sum())
    if not number:
        return Kept(0, np.nan, np.nan, np.nan)
    share = float(np.trace(steps.sum(axis=0)) / number)
    by_chance = (steps.sum(axis=2) * steps.sum(axis=1)).sum(axis=1)[n > 0] / n[n > 0]
    shuffled = float(by_chance.sum() / number)
    return Kept(number, share, shuffled, (share - shuffled) / (1 - shuffled) if shuffled < 1 else np.nan)


def chain_tests(history: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Whether one transition matrix describes a history: Pearson's chi-square tests of Anderson and Goodman (1957).

    ``stationary``: is the matrix of each step that of all steps? ``first order``: does the segment of the step before
    add nothing to the present one? Segments that many customers differ in for good, such as buyers and one-time buyers,
    are enough to reject it. ``memory``: does the present segment say nothing of the next one?

    Returns
    -------
    DataFrame
        `test`, `statistic`, `df`, `p` and `v`, Cramér's measure of the size of the departure (0 to 1). Columns whose
        expected count is below 5 in a table are put together; tables without two rows and two columns are left out.
        Missing where none is left.

    Examples
    --------
    >>> history = pd.DataFrame({1: ["a"] * 60 + ["b"] * 60, 2: (["a"] * 40 + ["b"] * 20) * 2})
    >>> chain_tests(history, ["a", "b"]).set_index("test").loc["memory", ["statistic", "df", "p"]].tolist()
    [0.0, 1.0, 1.0]
    """
    codes, number = coded(history, order), len(order)
    steps = counts(codes, number)
    triples = np.zeros((number,) * 3)
    for one, two, three in zip(codes.T[:-2], codes.T[1:-1], codes.T[2:], strict=True):
        known = one >= 0
        np.add.at(triples, (two[known], one[known], three[known]), 1)
    tests = {
        "stationary": [steps[:, place] for place in range(number)],
        "first order": list(triples),
        "memory": [steps.sum(axis=0)],
    }
    return pd.DataFrame([{"test": name} | _pearson(tables) for name, tables in tests.items()])


def _pearson(tables: Sequence[np.ndarray]) -> dict[str, float]:
    """Pearson's statistic over several tables of counts, each with its own margins."""
    statistic, free, room = 0.0, 0, 0.0
    for table in tables:
        pooled = _pooled(table[table.sum(axis=1) >= LEAST].astype(float))
        if min(pooled.shape) < 2:
            continue
        expected = np.outer(pooled.sum(axis=1), pooled.sum(axis=0)) / pooled.sum()
        statistic += float(((pooled - expected) ** 2 / expected).sum())
        free += (pooled.shape[0] - 1) * (pooled.shape[1] - 1)
        room += float(pooled.sum()) * (min(pooled.shape) - 1)
    if not free:
        return {"statistic": np.nan, "df": 0, "p": np.nan, "v": np.nan}
    return {
        "statistic": round(statistic, 9), "df": free, "p": float(stats.chi2.sf(statistic, free)), "v": np.sqrt(statistic / room),
    }  # fmt: skip


def _pooled(table: np.ndarray) -> np.ndarray:
    """The columns whose expected counts are large enough, and the others together if they then are."""
    if not table.size:
        return table
    least = table.sum(axis=1).min() / table.sum()
    small = least * table.sum(axis=0) < LEAST_EXPECTED
    rest = table[:, small].sum(axis=1, keepdims=True)
    parts = [table[:, ~small], rest] if least * rest.sum() >= LEAST_EXPECTED else [table[:, ~small]]
    return np.hstack(parts)
