"""A rehearsal on the user's own data: tests in which nothing happens, and how often they cry out (A/A simulation)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.contrasts import Alternative, Arm, Value, contrast
from customerlab.analysis.experiment.proportions import proportions

AT_ONCE = 8_000_000  # units in tests that are kept at once, which bounds memory


@dataclass(frozen=True)
class Rehearsal:
    """What tests without a treatment found.

    Attributes
    ----------
    pvalues : array of shape (runs,)
    rate, low, high : float
        The share of them below alpha, and its 99 % interval (Clopper and Pearson 1934): several metrics are looked at.
    alpha : float
    sound : bool
        Whether alpha is within the interval.
    """

    pvalues: np.ndarray
    rate: float
    low: float
    high: float
    alpha: float

    @property
    def sound(self) -> bool:
        """Whether the promised rate is among those that these runs allow."""
        return self.low <= self.alpha <= self.high


def rehearse(
    units: pd.DataFrame,
    metric: Metric,
    seed: int,
    *,
    share: float = 0.5,
    runs: int = 2000,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Rehearsal:
    """Divide the units at random, again and again, and test for an effect that cannot be there.

    Skewed outcomes and few units can make a test cry out more often, or less, than it promises; here is how often for
    this metric, these units and this split.

    Parameters
    ----------
    units : DataFrame
        One row a unit, with `unit_id` and the metric's columns.
    metric : Metric
    seed : int
    share : float
        Of the treatment.
    runs : int
    alpha, alternative
        Of the test.

    Raises
    ------
    ValueError
        If the share or alpha is not between 0 and 1, or a run leaves an arm with fewer than two units.

    Notes
    -----
    Runs divide the same units, so the rate is that of the metric in this population, not a sample of others.
    """
    if not 0 < share < 1 or not 0 < alpha < 1:
        raise ValueError(f"share {share} and alpha {alpha} have to be between 0 and 1")
    ordered = units.sort_values("unit_id")  # whatever the order of rows, a unit has the same luck
    names = list(dict.fromkeys(metric.columns))
    values = ordered[names].to_numpy(dtype=float)
    shift = values.mean(axis=0)  # sums of squares lose nothing around the mean
    apart = values - shift
    pairs = np.triu_indices(len(names))
    sums = np.column_stack([np.ones(len(values)), apart, apart[:, pairs[0]] * apart[:, pairs[1]]])
    whole = sums.sum(axis=0)
    rng = np.random.default_rng(seed)
    block = max(AT_ONCE // len(values), 1)
    parts = []
    for begin in range(0, runs, block):
        drawn = rng.random((min(block, runs - begin), len(values)), dtype=np.float32) < share
        parts.append(drawn.astype(float) @ sums)
    treated = np.vstack(parts)
    arms = [_arm(one, len(names), pairs, shift) for one in (treated, whole - treated)]
    if metric.proportion:
        counts = [
            np.rint(one[:, 0] * (arm.mean[:, 0])) for one, arm in zip((treated, whole - treated), arms, strict=True)
        ]
        found = proportions(counts[0], treated[:, 0], counts[1], whole[0] - treated[:, 0], alternative=alternative)
    else:
        place = {name: number for number, name in enumerate(names)}
        value = Value(place[metric.above], place[metric.below] if metric.below else None)
        own = None
        if metric.covariate:
            own = Value(place[metric.covariate], place[metric.covariate_below] if metric.covariate_below else None)
        found = contrast(arms[0], arms[1], value, own, alternative=alternative)
    pvalues = np.nan_to_num(found.pvalue, nan=1.0)
    hits = int((pvalues < alpha).sum())
    interval = stats.binomtest(hits, runs).proportion_ci(0.99)
    return Rehearsal(pvalues, hits / runs, float(interval.low), float(interval.high), alpha)


def _arm(sums: np.ndarray, columns: int, pairs: tuple[np.ndarray, np.ndarray], shift: np.ndarray) -> Arm:
    count = sums[:, 0]
    if count.min() < 2:
        raise ValueError("an arm got fewer than two units; expected more units or a split that is less uneven")
    mean = sums[:, 1 : 1 + columns] / count[:, None]
    squares = np.zeros((len(sums), columns, columns))
    squares[:, pairs[0], pairs[1]] = squares[:, pairs[1], pairs[0]] = sums[:, 1 + columns :]
    inner = squares - count[:, None, None] * mean[:, :, None] * mean[:, None, :]
    return Arm(mean + shift, inner / ((count - 1) * count)[:, None, None], count - 1)
