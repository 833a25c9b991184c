"""The randomisation test (Fisher 1935): the distribution of the statistic over random assignments.

If the treatment has no effect, every unit would have had the same outcome in the other arm. Assigning the arms again
and again gives the distribution of the difference by chance, at any skew and any sizes of the arms. Student's t is only
approximate: with arms of unequal sizes and skewed spend, a 5% test can have a false-positive rate of 10%. So an effect
on a mean or a ratio has to pass both tests.
"""

import numpy as np

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.contrasts import Arm, Value, contrast
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.stats import number_of

AT_ONCE = 8_000_000  # counts of rows that are kept at once, which bounds memory
MOST = 200_000_000  # of them in all, which bounds time: fewer draws find a little less, and are no less right
DRAWS = 2_000


def randomisation_test(
    rows: np.ndarray,
    treated: np.ndarray,
    control: np.ndarray,
    value: Value,
    seed: int,
    *,
    level: float = 0.05,
    strata: np.ndarray | None = None,
) -> float:
    """The two-sided p-value of no effect on any unit, by Welch's statistic of the arms dealt out again.

    The smaller tail counts twice, so that neither direction is found too often. The statistic is divided by its error,
    so that the test is right for equal means of unlike arms too where there are many units (Janssen 1997).

    Parameters
    ----------
    rows : array of shape (different rows, columns)
        What units have; `value` is what is compared, by the places of the columns.
    treated, control : int array of shape (different rows,)
        How many units of each arm have it.
    level : float
        At which it will be read: there are draws enough for a p-value below it.
    strata : array of shape (different rows,), optional
        The period of each row: arms are dealt out anew within it, and compared as `Moments.levelled` does.

    Examples
    --------
    >>> spent = np.array([[0.0], [10.0]])
    >>> randomisation_test(spent, np.array([60, 40]), np.array([90, 10]), Value(0), seed=1) < 0.001
    True
    """
    both = treated + control
    period, number = np.unique(np.zeros(len(rows)) if strata is None else strata, return_inverse=True)
    within = [np.flatnonzero(number == place) for place in range(len(period))]
    share = (np.bincount(number, weights=treated) / np.bincount(number, weights=both))[number]
    shift = np.average(rows, axis=0, weights=both) if value.below is None else np.zeros(rows.shape[1])
    sums = products(rows - shift)
    draws = int(np.clip(MOST // len(rows), np.ceil(4 / level), max(DRAWS, np.ceil(20 / level))))
    rng, block = np.random.default_rng(seed), max(AT_ONCE // len(rows), 1)
    parts = [[treated[None, own] @ sums[own] for own in within]]
    for begin in range(0, draws, block):
        dealt = rng.binomial(both, share, (min(block, draws - begin), len(rows))).astype(float)
        parts.append([dealt[:, own] @ sums[own] for own in within])
    ones = [np.vstack(one) for one in zip(*parts, strict=True)]
    others = [both[own] @ sums[own] - one for own, one in zip(within, ones, strict=True)]
    weights = [both[own].sum() / both.sum() for own in within]
    one, other = (_levelled(arm, rows.shape[1], weights) for arm in (ones, others))
    found = contrast(one, other, value)
    away = np.nan_to_num(found.effect / found.error)
    own, others = away[0], away[1:]
    tail = min((others >= own).sum(), (others <= own).sum())
    return float(min(1.0, 2 * (tail + 1) / (draws + 1)))


def _levelled(sums: list[np.ndarray], columns: int, weights: list[float]) -> Arm:
    """An arm from the sums of its strata."""
    arms = [arm_of(one, columns) for one in sums]
    mean = sum(weight * arm.mean for weight, arm in zip(weights, arms, strict=True))
    error = sum(weight**2 * arm.error for weight, arm in zip(weights, arms, strict=True))
    return Arm(np.asarray(mean), np.asarray(error), np.asarray(sum(arm.df for arm in arms)))


def randomised(experiment: Units, metric: Metric, variant: str, control: str, seed: int, *, level: float) -> float:
    """The p-value of `randomisation_test` for two arms of a test, by a mean or a ratio; its covariate is not used.

    Of a split that changes, within the periods in which both arms have two units.
    """
    units = Measured.of(experiment)
    experiment, strata = units.table, units.strata
    columns = [name for name in (metric.above, metric.below) if name]
    numbers = {f"x{place}": number_of(experiment, name) for place, name in enumerate(columns)}
    keys = {"period": experiment[strata]} if strata else {}
    pair = experiment.filter(experiment.variant.isin([variant, control])).select("variant", **numbers, **keys)
    counted = pair.group_by(["variant", *numbers, *keys]).aggregate(units=pair.count()).to_pandas()
    index = [*numbers, *keys]
    table = counted.pivot_table(index=index, columns="variant", values="units", fill_value=0).sort_index()
    if strata:
        table = table[(table.groupby(level="period").transform("sum") >= 2).all(axis=1)]
    rows = table.index.to_frame()
    value = Value(0, 1 if metric.below else None)
    treated, others = (table[name].to_numpy(dtype=int) for name in (variant, control))
    periods = rows.pop("period").to_numpy() if strata else None
    return randomisation_test(rows.to_numpy(dtype=float), treated, others, value, seed, level=level, strata=periods)


def products(rows: np.ndarray) -> np.ndarray:
    """What is summed over the units of an arm: one, the columns of the rows, and their products."""
    one, other = np.triu_indices(rows.shape[1])
    return np.column_stack([np.ones(len(rows)), rows, rows[:, one] * rows[:, other]])


def arm_of(sums: np.ndarray, columns: int) -> Arm:
    """Many arms side by side, from the sums of `products` of each."""
    one, other = np.triu_indices(columns)
    count = np.maximum(sums[:, 0], 2)
    mean = sums[:, 1 : 1 + columns] / count[:, None]
    squares = np.zeros((len(sums), columns, columns))
    squares[:, one, other] = squares[:, other, one] = sums[:, 1 + columns :]
    inner = squares / count[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return Arm(mean, inner / (count - 1)[:, None, None], count - 1)
