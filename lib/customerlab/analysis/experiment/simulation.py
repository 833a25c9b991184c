"""Simulated tests from the user's own data whose effect is known: none (A/A simulation), and a planted one."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.experiment.compare import Metric, values_of
from customerlab.analysis.experiment.contrasts import Arm, Contrast, contrast
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.randomisation import AT_ONCE, arm_of, products


@dataclass(frozen=True)
class Simulation:
    """Error rates of simulated tests.

    Attributes
    ----------
    pvalues : array of shape (runs,)
        Of the tests without an effect.
    rate, low, high : float
        The share of them below alpha (false positives), and its 99% interval (Clopper and Pearson 1934): several
        metrics are looked at.
    coverage, coverage_low, coverage_high : float
        The share of the tests with the planted effect whose interval of 1 - alpha holds it, likewise.
    alpha : float
    """

    pvalues: np.ndarray
    rate: float
    low: float
    high: float
    coverage: float
    coverage_low: float
    coverage_high: float
    alpha: float

    @property
    def sound(self) -> bool:
        """Whether both promised rates are among those that these runs allow."""
        return self.low <= self.alpha <= self.high and self.coverage_low <= 1 - self.alpha <= self.coverage_high

    @property
    def verdict(self) -> str:
        """The worst that the simulations show."""
        if self.coverage_high < 1 - self.alpha:
            return "intervals too short"
        if self.low > self.alpha:
            return "too many false positives"
        return "valid" if self.sound else "conservative"


def simulate_tests(
    units: pd.DataFrame,
    metric: Metric,
    seed: int,
    *,
    sizes: tuple[int, int] | None = None,
    lift: float = 0.1,
    runs: int = 2000,
    alpha: float = 0.05,
) -> Simulation:
    """Draw both arms from the units, again and again, without an effect and with a planted one.

    With skewed outcomes and few units, the false-positive rate can differ from the level, and intervals can be too
    short. Arms of equal size hide the second in A/A tests, because their skews cancel; so an effect is planted, and the
    arms have their own sizes. The result says nothing about larger values than these units have.

    Parameters
    ----------
    units : DataFrame
        One row per unit, with the metric's columns: what the metric is like.
    sizes : (int, int), optional
        Units of the treatment and of the control, drawn with replacement; half of the units each by default.
    lift : float
        The planted effect: the treatment is as the units, and the control's value that of the units by 1 + lift. Values
        are scaled; of a proportion some are taken out.
    alpha : float
        Of the test.
    """
    treated, control = sizes or (len(units) // 2, len(units) - len(units) // 2)
    if not 0 < alpha < 1 or not lift > 0:
        raise ValueError(f"alpha {alpha} has to be between 0 and 1, and lift {lift} above zero")
    if min(treated, control) < 2:
        raise ValueError(f"arms of {treated} and {control} units; expected at least two in each")
    rng = np.random.default_rng(seed)
    options: dict[str, Any] = {"confidence": 1 - alpha}
    keep = 1 / (1 + lift)
    if metric.proportion:
        share = float(units[metric.above].mean())
        draws = ((treated, share), (control, share), (control, share * keep))
        did = [rng.binomial(size, one, runs) for size, one in draws]

        def compared(done: np.ndarray) -> Contrast:
            return proportions(did[0], np.full(runs, treated), done, np.full(runs, control), **options)

        nothing, planted, value = compared(did[1]), compared(did[2]), share
    else:
        names = list(dict.fromkeys(metric.columns))
        own, by = values_of(names, metric)
        rows, often = np.unique(units[names].to_numpy(dtype=float), axis=0, return_counts=True)
        arms = [_drawn(rng, rows, often, size, runs) for size in (treated, control)]
        less = np.where(np.arange(len(names)) == own.above, keep, 1.0)
        smaller = Arm(arms[1].mean * less, arms[1].error * np.outer(less, less), arms[1].df)
        nothing, planted = (contrast(arms[0], arm, own, by, **options) for arm in (arms[1], smaller))
        whole = np.average(rows, axis=0, weights=often)
        value = whole[own.above] / (whole[own.below] if own.below is not None else 1)
    pvalues = np.nan_to_num(nothing.pvalue, nan=1.0)
    truth = value * (1 - keep)
    false, held = int((pvalues < alpha).sum()), int(((planted.low <= truth) & (truth <= planted.high)).sum())
    ends = [stats.binomtest(hits, runs).proportion_ci(0.99) for hits in (false, held)]
    numbers = [(hits / runs, float(end.low), float(end.high)) for hits, end in zip((false, held), ends, strict=True)]
    return Simulation(pvalues, *numbers[0], *numbers[1], alpha)


def _drawn(rng: np.random.Generator, rows: np.ndarray, often: np.ndarray, size: int, runs: int) -> Arm:
    """An arm of so many units, drawn again and again: from the different rows, of which zeros are one."""
    shift = np.average(rows, axis=0, weights=often)  # sums of squares lose nothing around the mean
    sums, block, chance = products(rows - shift), max(AT_ONCE // len(rows), 1), often / often.sum()
    parts = [
        rng.multinomial(size, chance, min(block, runs - begin)).astype(float) @ sums for begin in range(0, runs, block)
    ]
    arm = arm_of(np.vstack(parts), rows.shape[1])
    return replace(arm, mean=arm.mean + shift)
