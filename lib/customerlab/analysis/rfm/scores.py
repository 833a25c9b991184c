"""Scores from 1 (worst) to a number of bins (best), by quantiles or by own cut-offs; equal values get equal scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

MEASURES = {"r_score": "recency", "f_score": "frequency", "m_score": "monetary"}
BINS = (2, 10)


@dataclass(frozen=True)
class Scored:
    """Scores and their thresholds.

    Attributes
    ----------
    table : DataFrame
        The features with `r_score`, `f_score`, `m_score`, from 1 (worst) to `bins` (best).
    thresholds : DataFrame
        One row per threshold: `measure`, `between` (the scores on its two sides), `threshold`.
    """

    table: pd.DataFrame
    thresholds: pd.DataFrame
    bins: int


def check_cuts(cuts: Sequence[float], bins: int, measure: str) -> None:
    """Raise ValueError for bins outside 2 to 10, and for cut-offs that do not rise or are not ``bins - 1``."""
    if not BINS[0] <= bins <= BINS[1]:
        raise ValueError(f"bins = {bins}; expected {BINS[0]} to {BINS[1]}")
    if len(cuts) and (len(cuts) != bins - 1 or not (np.diff(np.asarray(cuts, dtype=float)) > 0).all()):
        raise ValueError(f"cut-offs {list(cuts)} of {measure}; expected {bins - 1} rising numbers for {bins} bins")


def score_one(
    values: pd.Series, bins: int, *, low_is_good: bool = False, cuts: Sequence[float] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Score one measure, from 1 to `bins`, by its own quantiles or by the ``bins - 1`` given cut-offs.

    A value's score is one plus the number of thresholds that it exceeds (or stays below, if low is good). Equal values
    share a score, so a score can be empty; rank-based scores would split ties by the order of rows. If all values are
    equal, all get the middle score (unless cut-offs are given). Also returns the thresholds, the one between scores 1
    and 2 first. Missing values, and cut-offs that `check_cuts` refuses, raise ValueError.

    Examples
    --------
    >>> score_one(pd.Series([1, 1, 1, 2, 9]), 5)[0].tolist()
    [1, 1, 1, 4, 5]
    >>> score_one(pd.Series([5, 30, 31, 400]), 3, low_is_good=True, cuts=[31, 365])[0].tolist()
    [3, 3, 2, 1]
    """
    check_cuts(cuts, bins, str(values.name))
    numbers = values.to_numpy(dtype=float)
    if np.isnan(numbers).any():
        raise ValueError(f"{int(np.isnan(numbers).sum())} missing values in {values.name}; expected none")
    given = np.asarray(cuts, dtype=float)
    sign = -1.0 if low_is_good else 1.0
    signed = sign * numbers
    # each quantile is one of the values: at least i/bins of all are no larger
    edges = (
        np.sort(sign * given) if len(given) else np.quantile(signed, np.arange(1, bins) / bins, method="inverted_cdf")
    )
    scores = np.searchsorted(edges, signed, side="left") + 1
    if not len(given) and signed.min() == signed.max():
        scores[:] = (bins + 1) // 2
    return scores.astype("int64"), sign * edges


def score(table: pd.DataFrame, bins: int = 5, cuts: Mapping[str, Sequence[float]] | None = None) -> Scored:
    """Score recency, frequency and monetary value of every customer of a `Snapshot`.

    `cuts` are own thresholds by measure, such as ``{"recency": [30, 90, 180, 365]}``; other measures use quantiles.
    """
    result, thresholds = table.copy(), []
    between = [f"{low} and {low + 1}" for low in range(1, bins)]
    for name, measure in MEASURES.items():
        given = (cuts or {}).get(measure, ())
        result[name], edges = score_one(table[measure], bins, low_is_good=measure == "recency", cuts=given)
        thresholds.append(pd.DataFrame({"measure": measure, "between": between, "threshold": edges}))
    return Scored(result, pd.concat(thresholds, ignore_index=True), bins)
