"""Uncertainty shared by several methods: intervals, adjusted p-values, and whether there are enough outcomes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

LEVEL = 0.95

LEAST = 20
"""The least number of outcomes in each group behind a comparison, an interval or a verdict."""

INFLUENTIAL = 0.1
"""The share of a mean or a sum from which a single customer, order or product has to be named beside it."""


def enough(*outcomes: float) -> bool:
    """Whether there are enough outcomes in every group to compare the groups, or to give an interval.

    An outcome is what is counted or summed: a customer who came back, a unit that converted, a predicted rating. Below
    `LEAST` of them an interval by a normal approximation is too short, and a verdict depends on a handful.

    Examples
    --------
    >>> enough(20, 400), enough(19, 400)
    (True, False)
    """
    return all(number >= LEAST for number in outcomes)


def too_few(n: float, what: str = "") -> str:
    """What is said in place of a comparison, an interval or a verdict where there are not `enough` outcomes.

    `n` is how many there are, of several groups the fewest, and `what` what is counted.

    Examples
    --------
    >>> too_few(3, "customers who came back")
    'too few to tell (3 customers who came back)'
    """
    return f"too few to tell ({n:,.0f}{f' {what}' if what else ''})"


def largest_share(values: pd.Series, groups: "pd.Series | None" = None) -> "float | pd.Series":
    """The share of a sum that is due to its largest value, by absolute amount.

    A mean or a share depends on one customer, order or product where this reaches `INFLUENTIAL`. Missing values do not
    count; with the group of each value, in the same order, there is one share per group. Missing where the sum of the
    absolute values is zero.

    Examples
    --------
    >>> largest_share(pd.Series([6.0, 2.0, -2.0]))
    0.6
    >>> largest_share(pd.Series([6.0, 2.0, 1.0]), pd.Series(["a", "a", "b"])).to_dict()
    {'a': 0.75, 'b': 1.0}
    """
    sizes = values.astype(float).abs()
    if groups is None:
        total = sizes.sum()
        return float(sizes.max() / total) if total > 0 else float("nan")
    grouped = sizes.groupby(groups.to_numpy())
    totals = grouped.sum()
    return grouped.max() / totals.where(totals > 0)


def influence(share: float, unit: str) -> str:
    """A note on a number of which one customer, or another unit, makes an influential share; else empty.

    Examples
    --------
    >>> influence(0.49, "customer"), influence(0.04, "customer")
    ('49% of it is one customer', '')
    """
    return f"{share:.0%} of it is one {unit}" if share >= INFLUENTIAL else ""


def kaplan_meier(days: pd.Series, ended: pd.Series) -> pd.DataFrame:
    """The share of customers with an event within so many days, censored at the end of the log (Kaplan, Meier 1958).

    Parameters
    ----------
    days : Series of int
        Days until the event, or until the log ended.
    ended : Series of bool
        Whether the event happened. Customers censored on a day count as waiting (at risk) on that day.

    Returns
    -------
    DataFrame
        One row for each day with an event: `days`, `waiting` (number at risk), `ended` (number of events) and `share`
        (with an event by then) with `low` and `high`, its 95% interval, missing where the share is 1: Greenwood's
        variance (1926) on the scale of log(-log), which keeps them between 0 and 1 (Kalbfleisch and Prentice 1980).
        Rows are taken as independent.

    Examples
    --------
    >>> table = kaplan_meier(pd.Series([1, 2, 2, 4]), pd.Series([True, True, False, True]))
    >>> table[["days", "waiting", "ended", "share"]].values.tolist()
    [[1.0, 4.0, 1.0, 0.25], [2.0, 3.0, 1.0, 0.5], [4.0, 1.0, 1.0, 1.0]]
    """
    seen = pd.DataFrame({"days": days.to_numpy(), "ended": ended.to_numpy(dtype=bool)})
    counted = seen.groupby("days")["ended"].agg(["size", "sum"])
    table = pd.DataFrame({"waiting": len(seen) - counted["size"].cumsum() + counted["size"], "ended": counted["sum"]})
    table = table[table["ended"] > 0]
    left = (1 - table["ended"] / table["waiting"]).cumprod()
    error = np.sqrt((table["ended"] / (table["waiting"] * (table["waiting"] - table["ended"]))).cumsum())
    inside = left.where(left > 0)
    log = np.log(inside)
    reach = norm.ppf((1 + LEVEL) / 2) * error / -log
    table["share"], table["low"], table["high"] = 1 - left, 1 - inside ** np.exp(-reach), 1 - inside ** np.exp(reach)
    return table.reset_index()


def happened_by(table: pd.DataFrame, days: "tuple[int, ...]") -> pd.Series:
    """The share with an event within some days, read from the steps of `kaplan_meier`; zero before the first.

    Examples
    --------
    >>> happened_by(pd.DataFrame({"days": [10, 40], "share": [0.25, 0.6]}), (5, 30, 90)).to_dict()
    {5: 0.0, 30: 0.25, 90: 0.6}
    """
    return pd.Series({day: table.loc[table["days"] <= day, "share"].max() for day in days}).fillna(0.0)


def holm(p: pd.Series) -> pd.Series:
    """P-values adjusted by Holm (1979) for their number: the chance of any false finding stays below the level.

    Missing ones stay missing, and do not count.

    Examples
    --------
    >>> holm(pd.Series([0.01, 0.04, np.nan, 0.03])).round(2).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    rising = p.dropna().sort_values(kind="stable")
    adjusted = (rising * np.arange(len(rising), 0, -1)).cummax().clip(upper=1)
    return adjusted.reindex(p.index)


def benjamini_hochberg(p: pd.Series) -> pd.Series:
    """P-values adjusted by Benjamini and Hochberg (1995): of those below a level, at most that share is expected false.

    Missing ones stay missing, and do not count.

    Examples
    --------
    >>> benjamini_hochberg(pd.Series([0.01, 0.04, np.nan, 0.03])).round(2).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    known = p.dropna()
    return pd.Series(false_discovery_control(known), known.index).reindex(p.index)


def wilson(share: pd.Series, n: pd.Series, confidence: float = 0.95) -> tuple[pd.Series, pd.Series]:
    """The ends of the interval of a proportion by Wilson (1927), without correction; n need not be whole numbers."""
    z = norm.ppf((1 + confidence) / 2)
    middle, reach = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)


def resampled(number: int, seed: int, resamples: int, *, at_once: int = 2_000_000) -> Iterator[np.ndarray]:
    """How often each customer, or other unit, is drawn in bootstrap samples (Efron 1979), in blocks of samples.

    Blocks have the shape (samples, number); a sample holds as many as there are units. `at_once`, how many counts a
    block has at most, or those of one sample, bounds the memory and changes nothing.

    Examples
    --------
    >>> [block.sum(axis=1).tolist() for block in resampled(4, 7, 3, at_once=8)]
    [[4.0, 4.0], [4.0]]
    """
    rng, block = np.random.default_rng(seed), max(at_once // max(number, 1), 1)
    for begin in range(0, resamples, block):
        samples = range(begin, min(begin + block, resamples))
        drawn = [np.bincount(rng.integers(number, size=number), minlength=number) for _ in samples]
        yield np.array(drawn, dtype=float)


def percentile_interval(drawn: np.ndarray, confidence: float = 0.95) -> np.ndarray:
    """The ends of the percentile interval (Efron 1979) of each column of what bootstrap samples gave.

    Of an array of shape (samples, ...) one of shape (2, ...). Missing values do not count.

    Examples
    --------
    >>> percentile_interval(np.column_stack([np.arange(101.0), np.full(101, np.nan)]), 0.9).round(9).tolist()
    [[5.0, nan], [95.0, nan]]
    """
    if not drawn.size:  # which numpy makes a lost axis of
        return np.full((2, *drawn.shape[1:]), np.nan)
    empty = np.isnan(drawn).all(axis=0)
    ends = np.nanquantile(np.where(empty, 0, drawn), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return np.where(empty, np.nan, ends)
