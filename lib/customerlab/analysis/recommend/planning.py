"""What an online test of lists would need: customers, counted from the shop's own window."""

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.design import Baseline, detectable, sample_size
from customerlab.analysis.inference import largest_share
from customerlab.analysis.recommend.split import Split


def online_test(split: Split, *, lift: float = 0.05) -> pd.DataFrame:
    """How many customers a randomised test of two recommenders would need, in orders and in money.

    A metric of lists that nobody was shown, such as nDCG, cannot be measured by an experiment: that compares what
    customers do. Every customer with a history is a unit, one half gets the new lists, and what they do in a window of
    the length of the split's future is compared, two-sided at the level 0.05. What it is like without the new lists is
    taken from that future.

    Parameters
    ----------
    split : Split
        With a future.
    lift : float
        The relative effect that is to be found with a power of 80%, above zero.

    Returns
    -------
    DataFrame
        `outcome` ("the share who order", "money a customer", of lines that were kept), `customers` (that there are),
        `mean`, `deviation`, `needed` (customers of both halves; missing where no number is enough), `detectable` (the
        smallest relative effect that all of them would find) and `largest` (the share of the sum that is one
        customer's).

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([(f"c{n}", 9, ["tea"]) for n in range(40)] + [(f"c{n}", -1, ["tea"]) for n in range(20)])
    >>> online_test(split, lift=0.2)[["outcome", "mean", "needed"]].values.tolist()
    [['the share who order', 0.5, 776.0], ['money a customer', 0.5, 808.0]]
    """
    money = np.asarray(split.spent.sum(axis=1)).ravel()
    ordered = np.asarray(split.future.getnnz(axis=1) > 0, dtype=float)
    rows = []
    for outcome, values, proportion in (("the share who order", ordered, True), ("money a customer", money, False)):
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
