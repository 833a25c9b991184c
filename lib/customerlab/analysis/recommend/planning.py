"""Sample size and minimum detectable effect of an online test, from the shop's own test window."""

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.design import Baseline, detectable, sample_size
from customerlab.analysis.inference import largest_share
from customerlab.analysis.recommend.split import Split

ORDER_RATE, REVENUE = "order rate", "revenue per customer"


def online_test(split: Split, *, lift: float = 0.05) -> pd.DataFrame:
    """How many customers a randomised test of two recommenders would need, for order rate and revenue.

    An experiment cannot measure nDCG: it compares what customers do. Every customer with a history is a unit, and one
    half gets the new lists. Outcomes in a window as long as the split's future are compared, two-sided at the level
    0.05. Their mean and standard deviation without the new lists are taken from that future.

    Parameters
    ----------
    split : Split
        With a future.
    lift : float
        The relative effect that is to be found with a power of 80%, above zero.

    Returns
    -------
    DataFrame
        `outcome` ("order rate", "revenue per customer", of lines that were kept), `customers` (that there are), `mean`,
        `deviation`, `needed` (customers of both halves; missing where no number is enough), `detectable` (the minimum
        detectable effect with all customers, relative) and `largest` (the share of the sum that is one customer's).

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([(f"c{n}", 9, ["tea"]) for n in range(40)] + [(f"c{n}", -1, ["tea"]) for n in range(20)])
    >>> online_test(split, lift=0.2)[["outcome", "mean", "needed"]].values.tolist()
    [['order rate', 0.5, 776.0], ['revenue per customer', 0.5, 808.0]]
    """
    money = np.asarray(split.spent.sum(axis=1)).ravel()
    ordered = np.asarray(split.future.getnnz(axis=1) > 0, dtype=float)
    rows = []
    for outcome, values, proportion in ((ORDER_RATE, ordered, True), (REVENUE, money, False)):
        deviation = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        base = Baseline(float(values.mean()) if len(values) else np.nan, deviation, proportion)
        told = len(values) >= 4 and base.mean > 0 and deviation > 0
        rows.append(
            {
                "outcome": outcome, "customers": len(values), "mean": base.mean, "deviation": deviation,
                "needed": _needed(base, lift) if told else np.nan,
                "detectable": detectable(base, len(values)) / base.mean if told else np.nan,
                "largest": largest_share(pd.Series(values)),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _needed(base: Baseline, lift: float) -> float:
    try:
        return float(sample_size(base, lift * base.mean)["total"])
    except ValueError:  # no number of customers is enough
        return np.nan
