"""Models compared on the same customers: intervals and tests.

The test is Student's paired t. The question is one about means, which Wilcoxon's and the sign test do not ask, and on
retrieval runs t agrees with the permutation test (Smucker, Allan and Carterette 2007; Urbano, Lima and Hanjalic 2019).
It needs no seed, and has no smallest p-value, which Holm's adjustment over many pairs would run into.
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import percentile_interval, resampled
from customerlab.analysis.recommend.metrics.lists import ratio

LEVEL = 0.95
RESAMPLES = 1000


def paired(values: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One metric as a table of customers by models, with the customers that have a value under every model.

    `values` has one row per model and customer: `model`, `customer_id` and metrics, as `metrics_by_customer` returns it
    for one task. A ValueError says that a model has a customer twice, as when tasks are mixed.

    Examples
    --------
    >>> values = pd.DataFrame({"model": ["b", "b", "a"], "customer_id": ["2", "1", "1"], "ndcg": [0.5, 0.25, 1.0]})
    >>> paired(values, "ndcg").to_dict("index")
    {'1': {'b': 0.25, 'a': 1.0}}
    """
    if values.duplicated(["model", "customer_id"]).any():
        raise ValueError("a model has a customer twice; compare one task at a time")
    order = list(dict.fromkeys(values["model"]))
    return values.pivot(index="customer_id", columns="model", values=metric)[order].dropna().sort_index()


def intervals(values: pd.DataFrame, seed: int, *, resamples: int = 2000) -> pd.DataFrame:
    """Means over customers with 95% bootstrap intervals (percentile, Efron 1979); columns share their resamples.

    In simulations with a metric that is zero for half of the customers, the intervals of differences covered the truth
    in 94% of samples of 150 customers and more, and in 91% of samples of 50.

    Parameters
    ----------
    values : DataFrame of shape (customers, columns)
        Of one metric under several models, or of several metrics. The index, customers, decides which row is drawn
        when, so that the order of rows does not matter.
    seed, resamples : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        By column: `customers` (that have a value), `mean`, `low`, `high`. NaN without a customer.

    Examples
    --------
    >>> intervals(pd.DataFrame({"ndcg": [0.2, 0.2, 0.2]}), seed=1).round(2).to_dict("index")
    {'ndcg': {'customers': 3, 'mean': 0.2, 'low': 0.2, 'high': 0.2}}
    """
    values = values.sort_index()
    array = values.to_numpy(dtype=float)
    known = ~np.isnan(array)
    means = _resampled(np.where(known, array, 0), known, seed, resamples)
    table = pd.DataFrame({"customers": known.sum(axis=0), "mean": values.mean().to_numpy()}, index=values.columns)
    return table.assign(**dict(zip(("low", "high"), percentile_interval(means), strict=True)))


def pooled(part: pd.DataFrame, whole: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Ratios of sums over customers, Σ part / Σ whole, with 95% bootstrap intervals as in `intervals`.

    Both have the same index, customers, and columns, none below zero. By column: `part` and `whole` (the sums),
    `ratio`, `low`, `high`; NaN where the whole is zero.

    Examples
    --------
    >>> found, bought = pd.DataFrame({"head": [2, 1]}), pd.DataFrame({"head": [4, 2]})
    >>> pooled(found, bought, seed=1).to_dict("index")
    {'head': {'part': 3, 'whole': 6, 'ratio': 0.5, 'low': 0.5, 'high': 0.5}}
    """
    # both as means over the same resamples, whose ratio is that of the sums
    values = np.hstack([table.sort_index().to_numpy(dtype=float) for table in (part, whole)])
    drawn = _resampled(values, np.ones_like(values, dtype=bool), seed, RESAMPLES)
    ratios = ratio(*np.hsplit(drawn, 2))
    sums = pd.DataFrame({"part": part.sum(), "whole": whole.sum()})
    sums["ratio"] = sums["part"] / sums["whole"].where(sums["whole"] > 0)
    return sums.assign(**dict(zip(("low", "high"), percentile_interval(ratios), strict=True)))


def compare(values: pd.DataFrame) -> pd.DataFrame:
    """Every pair of models compared on the same customers; `against` adjusts for multiple comparisons.

    Parameters
    ----------
    values : DataFrame of shape (customers, models)
        As `paired` returns it. A ValueError says that a value is missing.

    Returns
    -------
    DataFrame
        One row per pair, the better `model` first, by falling difference: `model`, `other`, `customers`, `difference`
        of the means, `better`, `worse` (customers for whom the model is strictly so), `error` (standard, of the
        difference), `t`, `p` (two-sided). Where all customers differ by one amount, t is infinite and p is 2 / 2ⁿ, the
        permutation test's; where none does, 1.

    Examples
    --------
    >>> values = pd.DataFrame({"new": [0.4, 0.6, 0.5, 0.9], "old": [0.3, 0.5, 0.5, 0.6]})
    >>> compare(values)[["model", "difference", "better", "worse", "p"]].round(3).values.tolist()
    [['new', 0.125, 3, 0, 0.141]]
    """
    if values.isna().any(axis=None):
        raise ValueError("some customers have no value under some model; see paired")
    array = values.sort_index().to_numpy(dtype=float)
    pairs = np.array(list(combinations(range(array.shape[1]), 2)), dtype=int).reshape(-1, 2)
    swap = array[:, pairs[:, 0]].mean(axis=0) < array[:, pairs[:, 1]].mean(axis=0)
    pairs[swap] = pairs[swap][:, ::-1]
    # models of equal values differ by the rounding of sums, which is no difference
    differences = (array[:, pairs[:, 0]] - array[:, pairs[:, 1]]).round(12)
    t, p = _paired_t(differences)
    table = pd.DataFrame(
        {
            "model": values.columns[pairs[:, 0]],
            "other": values.columns[pairs[:, 1]],
            "customers": len(array),
            "difference": differences.mean(axis=0) if len(array) else np.nan,
            "better": (differences > 0).sum(axis=0),
            "worse": (differences < 0).sum(axis=0),
            "error": differences.std(axis=0, ddof=1) / np.sqrt(len(array)) if len(array) > 1 else np.nan,
            "t": t,
            "p": p,
        }
    )
    return table.sort_values(["difference", "model", "other"], ascending=[False, True, True], ignore_index=True)


def _paired_t(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = len(differences)
    if size == 0:
        return (np.full(differences.shape[1], np.nan),) * 2
    mean = differences.mean(axis=0)
    constant = (differences == differences[:1]).all(axis=0)
    spread = np.where(constant, 1, differences.std(axis=0, ddof=1)) if size > 1 else np.ones(differences.shape[1])
    none = differences[0] == 0
    t = np.where(constant, np.where(none, 0, np.copysign(np.inf, mean)), mean / spread * np.sqrt(size))
    p = 2 * stats.t.sf(abs(t), max(size - 1, 1))
    return t, np.where(constant, np.where(none, 1, 2.0 ** (1 - size)), p)


def _resampled(values: np.ndarray, known: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Means of columns over resampled rows, of shape (resamples, columns); unknown values are zero."""
    if not len(values):
        return np.full((resamples, values.shape[1]), np.nan)
    blocks = []
    for drawn in resampled(len(values), seed, resamples):
        weight = np.full((len(drawn), values.shape[1]), float(len(values))) if known.all() else drawn @ known
        blocks.append(ratio(drawn @ values, weight))
    return np.concatenate(blocks)
