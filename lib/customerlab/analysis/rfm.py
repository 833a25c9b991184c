"""Recency, frequency, monetary value: features, scores that ties cannot upset, named segments, concentration."""

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd

SCORES = ("r_score", "f_score", "m_score")

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


def day_after(transactions: ir.Table) -> pd.Timestamp:
    """The day after the last order: the first day on which the whole log is known."""
    last = transactions.aggregate(last=transactions.ordered_at.max()).to_pandas()["last"].iloc[0]
    return pd.Timestamp(last).normalize() + pd.Timedelta(days=1)


def features(transactions: ir.Table, as_of: pd.Timestamp | str | None = None) -> pd.DataFrame:
    """Recency, frequency and monetary value of every customer, from what was known on a day.

    Parameters
    ----------
    transactions : ibis Table
        Canonical.
    as_of : Timestamp, str or None
        Orders before this day count, orders on it do not. By default the day after the last order.

    Returns
    -------
    DataFrame
        Sorted by `customer_id`: `first_order`, `last_order` (days), `recency` (whole days from the day of the last
        order to `as_of`, at least 1), `frequency` (orders), `monetary` (money, gross), `tenure` (whole days from the
        day of the first order to `as_of`).

    Raises
    ------
    ValueError
        If no order was placed before `as_of`.
    """
    day = day_after(transactions) if as_of is None else pd.Timestamp(as_of).normalize()
    known = transactions.filter(transactions.ordered_at < day.to_pydatetime())
    table = (
        known.group_by("customer_id")
        .aggregate(
            first_order=known.ordered_at.min(),
            last_order=known.ordered_at.max(),
            frequency=known.order_id.nunique(),
            monetary=known.amount.sum().cast("float64"),
        )
        .order_by("customer_id")
        .to_pandas()
    )
    if table.empty:
        raise ValueError(f"no order was placed before as_of = {day:%Y-%m-%d}; choose a later day")
    for name in ("first_order", "last_order"):
        table[name] = table[name].dt.normalize()
    table["recency"] = (day - table["last_order"]).dt.days
    table["tenure"] = (day - table["first_order"]).dt.days
    table["frequency"] = table["frequency"].astype("int64")
    return table[["customer_id", "first_order", "last_order", "recency", "frequency", "monetary", "tenure"]]


@dataclass(frozen=True)
class Scored:
    """Scores and the thresholds that made them.

    Attributes
    ----------
    table : DataFrame
        The features with `r_score`, `f_score`, `m_score`, from 1 (worst) to `bins` (best).
    thresholds : DataFrame
        One row a threshold: `measure`, `quantile`, `threshold`.
    bins : int
    """

    table: pd.DataFrame
    thresholds: pd.DataFrame
    bins: int


def score_one(values: pd.Series, bins: int, *, low_is_good: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Score one measure by its own quantiles; equal values get equal scores.

    A value's score is one plus the number of thresholds that it exceeds (or, where low is good, stays below). Where
    many values are equal, some scores stay unused; nothing splits equal values, which rank-based scores do by the
    order of rows.

    Parameters
    ----------
    values : Series
        Numbers, none missing.
    bins : int
        How many scores there are.
    low_is_good : bool
        Give the smallest values the highest score, as for recency.

    Returns
    -------
    (array of int, array of float)
        Scores from 1 to `bins`, and the ``bins - 1`` thresholds in rising order.

    Examples
    --------
    >>> score_one(pd.Series([1, 1, 1, 2, 9]), 5)[0].tolist()
    [1, 1, 1, 4, 5]
    """
    if bins < 2:
        raise ValueError(f"bins = {bins}; expected at least 2")
    numbers = values.to_numpy(dtype=float)
    if np.isnan(numbers).any():
        raise ValueError(f"{int(np.isnan(numbers).sum())} missing values in {values.name}; expected none")
    signed = -numbers if low_is_good else numbers
    # each threshold is one of the values: at least i/bins of all are no larger
    cuts = np.quantile(signed, np.arange(1, bins) / bins, method="inverted_cdf")
    scores = np.searchsorted(cuts, signed, side="left") + 1
    return scores.astype("int64"), np.sort(-cuts) if low_is_good else cuts


def score(table: pd.DataFrame, bins: int = 5) -> Scored:
    """Score recency, frequency and monetary value of every customer by quantiles.

    Parameters
    ----------
    table : DataFrame
        As `features` returns it.
    bins : int
        Quantile bins of each measure.
    """
    result, thresholds = table.copy(), []
    for name, measure in zip(SCORES, ("recency", "frequency", "monetary"), strict=True):
        result[name], cuts = score_one(table[measure], bins, low_is_good=measure == "recency")
        thresholds.append(pd.DataFrame({"measure": measure, "quantile": np.arange(1, bins) / bins, "threshold": cuts}))
    return Scored(result, pd.concat(thresholds, ignore_index=True), bins)


def levels(scores: pd.Series, bins: int) -> pd.Series:
    """Map scores from 1 to `bins` onto the five levels that the rules speak of.

    A score stands for the middle of its bin, so that any number of bins meets the same rules.

    Examples
    --------
    >>> levels(pd.Series([1, 2]), 2).tolist()
    [2, 4]
    """
    return np.ceil(LEVELS * (scores - 0.5) / bins).astype("int64")


def check_rules(rules: pd.DataFrame) -> None:
    """Raise unless the rules cover every pair of levels exactly once.

    Raises
    ------
    ValueError
        Naming the first pair that no rule, or more than one, covers.
    """
    for r in range(1, LEVELS + 1):
        for f in range(1, LEVELS + 1):
            hit = rules[rules["r_low"].le(r) & rules["r_high"].ge(r) & rules["f_low"].le(f) & rules["f_high"].ge(f)]
            if len(hit) != 1:
                named = ", ".join(hit["segment"]) or "no segment"
                raise ValueError(f"recency level {r} with frequency level {f} belongs to {named}; expected one segment")


def segment(scored: Scored, rules: pd.DataFrame = RULES) -> pd.DataFrame:
    """Name every customer's segment by the rules.

    Parameters
    ----------
    scored : Scored
    rules : DataFrame
        Columns `segment`, `r_low`, `r_high`, `f_low`, `f_high`, in levels from 1 to 5.

    Returns
    -------
    DataFrame
        The scored table with `segment`.
    """
    check_rules(rules)
    grid = {
        (r, f): rule["segment"]
        for rule in rules.to_dict("records")
        for r in range(rule["r_low"], rule["r_high"] + 1)
        for f in range(rule["f_low"], rule["f_high"] + 1)
    }
    r, f = (levels(scored.table[name], scored.bins) for name in ("r_score", "f_score"))
    return scored.table.assign(segment=[grid[pair] for pair in zip(r, f, strict=True)])


def profile(segmented: pd.DataFrame, rules: pd.DataFrame = RULES) -> pd.DataFrame:
    """What each segment is: size, money and typical values, in the order of the rules.

    Returns
    -------
    DataFrame
        `segment`, `customers`, `share_of_customers`, `revenue`, `share_of_revenue`, and the medians of recency (days),
        frequency (orders) and monetary value. Segments without a customer are left out.
    """
    grouped = segmented.groupby("segment")
    table = pd.DataFrame(
        {
            "customers": grouped.size(),
            "revenue": grouped["monetary"].sum(),
            "recency": grouped["recency"].median(),
            "frequency": grouped["frequency"].median(),
            "monetary": grouped["monetary"].median(),
        }
    )
    table.insert(1, "share_of_customers", table["customers"] / table["customers"].sum())
    table.insert(3, "share_of_revenue", table["revenue"] / table["revenue"].sum())
    order = [name for name in rules["segment"] if name in table.index]
    return table.loc[order].rename_axis("segment").reset_index()


@dataclass(frozen=True)
class Concentration:
    """How unevenly an amount is held.

    Attributes
    ----------
    lorenz : DataFrame
        `share_of_customers` and the `share_of_revenue` that they hold, poorest first, from (0, 0) to (1, 1).
    gini : float
        Twice the area between the Lorenz curve and the diagonal: 0 when all hold the same, ``1 - 1/n`` when one
        holds all. No correction for small n.
    top : DataFrame
        `share_of_customers` (the richest 1, 5, 10, 20 %, rounded up to whole customers), `customers`,
        `share_of_revenue`.
    """

    lorenz: pd.DataFrame
    gini: float
    top: pd.DataFrame


def concentration(amounts: pd.Series) -> Concentration:
    """Lorenz curve, Gini coefficient and top shares of some amounts.

    Parameters
    ----------
    amounts : Series
        None below zero, not all zero.

    Examples
    --------
    >>> concentration(pd.Series([1.0, 1.0, 1.0, 1.0])).gini
    0.0
    >>> concentration(pd.Series([0.0, 0.0, 0.0, 8.0])).gini
    0.75
    """
    values = np.sort(amounts.to_numpy(dtype=float))
    if len(values) == 0 or values[0] < 0 or values[-1] <= 0:
        raise ValueError("amounts must hold at least one value, none below zero and not all zero")
    n, total = len(values), values.sum()
    held = np.concatenate([[0.0], values.cumsum()]) / total
    held[-1] = 1.0
    lorenz = pd.DataFrame({"share_of_customers": np.arange(n + 1) / n, "share_of_revenue": held})
    gini = float(2 * (np.arange(1, n + 1) * values).sum() / (n * total) - (n + 1) / n)
    top = pd.DataFrame({"share_of_customers": [0.01, 0.05, 0.10, 0.20]})
    # the hair keeps 0.05 * 20, which is a little more than one in floating point, one customer
    top["customers"] = np.ceil(top["share_of_customers"] * n - 1e-9).astype("int64").clip(lower=1)
    top["share_of_revenue"] = [values[n - k :].sum() / total for k in top["customers"]]
    return Concentration(lorenz, max(gini, 0.0), top)
