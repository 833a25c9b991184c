"""The same arms read as beliefs: which is best, and what is lost by choosing wrongly.

A posterior needs a prior, and both are stated. The probability to be best and the expected loss are integrals, computed
on a grid of quantiles: no draws, no seed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.experiment.compare import Metric, arms_of, values_of
from customerlab.analysis.experiment.stats import Moments

POINTS = 4001  # of the grid of each arm
TAIL = 1e-12


def beliefs(
    found: Moments, metric: Metric, control: str, *, prior: tuple[float, float] | None = None
) -> dict[str, stats.distributions.rv_frozen]:
    """What is believed of each arm's value after the test.

    Parameters
    ----------
    found : Moments
        By `variant`, of the metric's columns; covariates are not used.
    metric : Metric
    control : str
    prior : (float, float), optional
        Of a proportion the two numbers of a beta distribution, (1, 1) by default: every proportion as likely as any
        other. Of a mean or a ratio the mean and the deviation of a normal distribution; by default none, so that the
        posterior is the estimate with its error. The same for every arm.

    Returns
    -------
    dict of str to frozen distribution
        The control first. Of a proportion the beta distribution with the successes and failures added; else the normal
        one, which is near for many units.

    Raises
    ------
    ValueError
        If the prior is none, or the arms cannot be compared.
    """
    arms = arms_of(found, control)
    value, _ = values_of(found, metric)
    order = [control, *sorted(set(arms) - {control})]
    if prior is not None and (prior[1] <= 0 or (metric.proportion and prior[0] <= 0)):
        raise ValueError(f"prior = {prior}; expected numbers above zero, or a mean and a deviation above zero")
    believed = {}
    for name in order:
        mean, slope = value.of(arms[name])
        if metric.proportion:
            units = int(found.count[np.flatnonzero(found.groups["variant"] == name)[0]])
            first, second = prior or (1.0, 1.0)
            did = round(float(mean) * units)
            believed[name] = stats.beta(first + did, second + units - did)
        else:
            error = float(slope @ arms[name].error @ slope)
            if not error > 0:
                raise ValueError(f"{metric.name} does not vary in {name!r}; expected some units to differ")
            weight = 1.0 if prior is None else prior[1] ** 2 / (prior[1] ** 2 + error)
            centre = 0.0 if prior is None else prior[0]
            believed[name] = stats.norm(weight * float(mean) + (1 - weight) * centre, np.sqrt(weight * error))
    return believed


def choices(
    believed: Mapping[str, stats.distributions.rv_frozen], *, confidence: float = 0.95, less_is_better: bool = False
) -> pd.DataFrame:
    """What each choice of an arm is worth.

    Parameters
    ----------
    believed : mapping of str to frozen distribution
        As `beliefs` gives them, independent of each other; the first is the control.
    confidence : float
        Of the credible interval.
    less_is_better : bool
        Whether the lowest value is the best.

    Returns
    -------
    DataFrame
        `variant`, `mean`, `low`, `high` (equal tails), `best` (the probability that the arm has the best value),
        `loss` (by how much the best arm is expected to be better than this one: what a wrong choice costs a unit),
        `better` (the probability to be better than the control; NaN for itself).

    Examples
    --------
    >>> table = choices({"control": stats.norm(0, 1), "new": stats.norm(1, 1)})
    >>> table[["best", "loss", "better"]].round(3).to_numpy().tolist()
    [[0.24, 1.2, nan], [0.76, 0.2, 0.76]]
    """
    names = list(believed)
    grid, towards = _grid([believed[name] for name in names]), -1 if less_is_better else 1
    below = np.array([believed[name].cdf(grid) for name in names])
    if less_is_better:  # the highest of what is mirrored
        grid, below = -grid[::-1], np.array([believed[name].sf(grid[::-1]) for name in names])
    all_below = below.prod(axis=0)
    highest = grid[-1] - np.trapezoid(all_below, grid)
    tail = (1 - confidence) / 2
    rows = []
    for place, name in enumerate(names):
        own = believed[name]
        rows.append(
            {
                "variant": name, "mean": own.mean(), "low": own.ppf(tail), "high": own.ppf(1 - tail),
                "best": _above(below[place], np.delete(below, place, axis=0).prod(axis=0)),
                "loss": max(float(highest - towards * own.mean()), 0.0),
                "better": np.nan if place == 0 else _above(below[place], below[0]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def choices_of(found: Moments, metrics: Sequence[Metric], control: str, *, confidence: float = 0.95) -> pd.DataFrame:
    """What each choice is worth by each metric, with the default priors.

    Parameters
    ----------
    found : Moments
        By `variant`, of the metrics' columns.
    metrics : sequence of Metric
        One that is a mean or a ratio and does not vary in some arm is left out.
    control : str
    confidence : float

    Returns
    -------
    DataFrame
        `metric`, and what `choices` returns.
    """
    parts = []
    for metric in metrics:
        if metric.proportion or min(_errors(found, metric, control)) > 0:
            table = choices(
                beliefs(found, metric, control), confidence=confidence, less_is_better=metric.less_is_better
            )
            table.insert(0, "metric", metric.name)
            parts.append(table)
    names = ["metric", "variant", "mean", "low", "high", "best", "loss", "better"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def _errors(found: Moments, metric: Metric, control: str) -> list[float]:
    """The variance of each arm's error; below zero where a ratio has nothing below the line."""
    value, _ = values_of(found, metric)
    slopes = [(arm, value.of(arm)[1]) for arm in arms_of(found, control).values()]
    return [float(np.nan_to_num(slope @ arm.error @ slope, nan=-1.0)) for arm, slope in slopes]


def _above(own: np.ndarray, others: np.ndarray) -> float:
    """The probability that all others are below: the others' distribution integrated over one's own."""
    return float(((others[1:] + others[:-1]) / 2 * np.diff(own)).sum() + others[0] * own[0])


def _grid(laws: list[stats.distributions.rv_frozen]) -> np.ndarray:
    """Quantiles of all laws, close where any of them changes, and evenly between."""
    shares = np.concatenate([np.logspace(np.log10(TAIL), -3, 200), np.linspace(1e-3, 1 - 1e-3, POINTS)])
    shares = np.unique(np.concatenate([shares, 1 - shares[:200]]))
    ends = [law.ppf(share) for law in laws for share in (TAIL, 1 - TAIL)]
    return np.unique(np.concatenate([*(law.ppf(shares) for law in laws), np.linspace(min(ends), max(ends), POINTS)]))
