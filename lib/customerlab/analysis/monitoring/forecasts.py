"""Forecasts of segment sizes: customers move by the transition matrix, new ones join; checked on held-out months."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.monitoring.migration import coded, counts

DRAWS = 1_000
LEAST_STEPS = 4  # before the first forecast
LEVEL = 0.95


def forecast(history: pd.DataFrame, order: Sequence[str], *, seed: int) -> pd.DataFrame:
    """The sizes of segments on the day after the last of a history, one step ahead.

    Customers move independently by the transition matrix of all steps so far, and as many join as did on average.
    Intervals carry the draws of single customers, the uncertainty of matrix and arrivals, and that months differ by
    more than this: the variance is multiplied by the dispersion of past steps around the same expectation (Pearson's
    chi-square by its degrees of freedom), where that is above 1.

    Returns
    -------
    DataFrame
        One row per segment: `segment`, `today`, `expected`, and `low` and `high`, the 95% prediction interval.
        Without rows where the history has fewer than five days.

    Examples
    --------
    >>> history = pd.DataFrame({day: ["a"] * 50 + ["b"] * 50 for day in range(6)})
    >>> forecast(history, ["a", "b"], seed=1)[["segment", "today", "expected"]].round(0).values.tolist()
    [['a', 50, 50.0], ['b', 50, 50.0]]
    """
    codes, number = coded(history, order), len(order)
    columns = ["segment", "today", "expected", "low", "high"]
    if codes.shape[1] <= LEAST_STEPS:
        return pd.DataFrame(columns=columns)
    today = _sizes(codes[:, -1], number)
    expected, low, high = _ahead(counts(codes, number), _arrivals(codes, number), today, seed)
    return pd.DataFrame({
        "segment": list(order), "today": today, "expected": expected, "low": low, "high": high,
    })  # fmt: skip


def backtest(history: pd.DataFrame, order: Sequence[str], *, seed: int) -> pd.DataFrame:
    """Forecasts of each day of a history from the days before it, beside what came.

    Returns
    -------
    DataFrame
        One row per day, from the sixth on, and segment: `day`, `segment`, `today` (the size a step before, which is the
        forecast that nothing changes), `expected`, `low`, `high` and `actual`.
    """
    parts = []
    for place in range(LEAST_STEPS + 1, history.shape[1]):
        ahead = forecast(history.iloc[:, :place], order, seed=seed)
        actual = _sizes(coded(history.iloc[:, [place]], order)[:, 0], len(order))
        parts.append(ahead.assign(day=history.columns[place], actual=actual))
    columns = ["day", "segment", "today", "expected", "low", "high", "actual"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _sizes(codes: np.ndarray, number: int) -> np.ndarray:
    return np.bincount(codes[codes >= 0], minlength=number)


def _arrivals(codes: np.ndarray, number: int) -> np.ndarray:
    """New customers of each step by the segment that they are first in, of shape (steps, number)."""
    return np.array([_sizes(two[one < 0], number) for one, two in zip(codes.T[:-1], codes.T[1:], strict=True)])


def _ahead(
    moved: np.ndarray, joined: np.ndarray, today: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected sizes a step ahead, and the ends of their prediction intervals."""
    rng, steps = np.random.default_rng(seed), len(moved)
    total = moved.sum(axis=0)
    of = total.sum(axis=1, keepdims=True)
    matrix = np.where(of > 0, total / np.maximum(of, 1), np.eye(len(total)))
    arriving = joined.mean(axis=0)
    known = moved.sum(axis=2)
    means = known @ matrix + arriving
    variances = known @ (matrix * (1 - matrix)) + arriving
    away = (moved.sum(axis=1) + joined - means) ** 2 / np.where(variances > 0, variances, np.inf)
    free = max((variances > 0).sum() * (steps - 1) / steps, 1)
    # a matrix of its own is estimated for every segment, so the sum over all days of one segment is zero
    dispersion = max(1.0, away.sum() / free)
    ways = np.stack(
        [rng.dirichlet(row / dispersion + 1e-9, DRAWS) for row in np.where(of > 0, total, np.eye(len(total)) * 1e9)]
    )
    rates = rng.gamma(np.maximum(joined.sum(axis=0) / dispersion, 1e-9), dispersion / steps, (DRAWS, len(today)))
    middle = np.einsum("i,idj->dj", today, ways) + rates
    drawn = rng.poisson(rates) + sum(
        rng.multinomial(number, ways[place]) for place, number in enumerate(today.tolist())
    )
    drawn = np.maximum(middle + np.sqrt(dispersion) * (drawn - middle), 0)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return today @ matrix + arriving, low, high
