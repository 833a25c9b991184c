"""Bayesian analysis of the arms: the probability to be best, and the expected loss of choosing wrongly.

A posterior needs a prior, and both are stated. Probability and loss are integrals, computed on a grid of quantiles: no
draws, no seed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.experiment.compare import Metric, arms_of, values_of
from customerlab.analysis.experiment.stats import Moments

POINTS = 4001  # of the grid of each arm
TAIL = 1e-12
COLUMNS = ["variant", "mean", "low", "high", "best", "loss", "better"]


def posteriors(found: Moments, metric: Metric, control: str) -> dict[str, stats.distributions.rv_frozen]:
    """The posterior distribution of each arm's value (of `found`, by `variant`), the control first.

    The prior is the same for every arm: Beta(1, 1) for a proportion, flat for a mean or a ratio, whose posterior is the
    normal distribution of the estimate with its standard error (an approximation for many units). Covariates are not
    used. Empty where a mean or a ratio does not vary in some arm.
    """
    arms = arms_of(found, control)
    value, _ = values_of(found.names, metric)
    posterior = {}
    for name in [control, *sorted(set(arms) - {control})]:
        mean, slope = value.of(arms[name])
        if metric.proportion and not found.level:
            units = int(found.count[np.flatnonzero(found.groups["variant"] == name)[0]])
            did = round(float(mean) * units)
            posterior[name] = stats.beta(1.0 + did, 1.0 + units - did)
        elif (error := float(slope @ arms[name].error @ slope)) > 0:
            posterior[name] = stats.norm(float(mean), np.sqrt(error))
    return posterior if len(posterior) == len(arms) else {}


def choices(
    posterior: Mapping[str, stats.distributions.rv_frozen], *, confidence: float = 0.95, less_is_better: bool = False
) -> pd.DataFrame:
    """What each choice of an arm is worth, by independent `posteriors`, of which the first is the control's.

    Columns: `variant`, `mean`, `low`, `high` (the credible interval, equal tails), `best` (the probability that the arm
    has the best value), `loss` (the expected loss per unit: by how much the best arm is expected to be better than this
    one), `better` (the probability to be better than the control; NaN for itself).

    Examples
    --------
    >>> table = choices({"control": stats.norm(0, 1), "new": stats.norm(1, 1)})
    >>> table[["best", "loss", "better"]].round(3).to_numpy().tolist()
    [[0.24, 1.2, nan], [0.76, 0.2, 0.76]]
    """
    names = list(posterior)
    grid, towards = _grid([posterior[name] for name in names]), -1 if less_is_better else 1
    below = np.array([posterior[name].cdf(grid) for name in names])
    if less_is_better:  # the highest of what is mirrored
        grid, below = -grid[::-1], np.array([posterior[name].sf(grid[::-1]) for name in names])
    all_below = below.prod(axis=0)
    highest = grid[-1] - np.trapezoid(all_below, grid)
    tail = (1 - confidence) / 2
    rows = []
    for place, name in enumerate(names):
        own = posterior[name]
        best = _above(below[place], np.delete(below, place, axis=0).prod(axis=0))
        loss = max(float(highest - towards * own.mean()), 0.0)
        better = np.nan if place == 0 else _above(below[place], below[0])
        rows.append([name, own.mean(), own.ppf(tail), own.ppf(1 - tail), best, loss, better])
    return pd.DataFrame(rows, columns=COLUMNS)


def choices_of(found: Moments, metrics: Sequence[Metric], control: str, *, confidence: float = 0.95) -> pd.DataFrame:
    """`choices` by each metric, after the column `metric`, without those that have no `posteriors`."""
    parts = []
    for metric in metrics:
        if posterior := posteriors(found, metric, control):
            table = choices(posterior, confidence=confidence, less_is_better=metric.less_is_better)
            parts.append(table.assign(metric=metric.name)[["metric", *COLUMNS]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["metric", *COLUMNS])


def _above(own: np.ndarray, others: np.ndarray) -> float:
    """The probability that all others are below: the others' distribution integrated over one's own."""
    return float(((others[1:] + others[:-1]) / 2 * np.diff(own)).sum() + others[0] * own[0])


def _grid(laws: list[stats.distributions.rv_frozen]) -> np.ndarray:
    """Quantiles of all laws, close where any of them changes, and evenly between."""
    shares = np.concatenate([np.logspace(np.log10(TAIL), -3, 200), np.linspace(1e-3, 1 - 1e-3, POINTS)])
    shares = np.unique(np.concatenate([shares, 1 - shares[:200]]))
    ends = [law.ppf(share) for law in laws for share in (TAIL, 1 - TAIL)]
    return np.unique(np.concatenate([*(law.ppf(shares) for law in laws), np.linspace(min(ends), max(ends), POINTS)]))
