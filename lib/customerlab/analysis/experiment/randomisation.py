"""The randomisation test (Fisher 1935): the distribution of the statistic over random assignments.

If the treatment has no effect, every unit would have had the same outcome in the other arm. Assigning the arms again
and again gives the distribution of the difference by chance, at any skew and any sizes of the arms. Student's t is only
approximate: with arms of unequal sizes and skewed spend, a 5% test can have a false-positive rate of 10%. So an effect
on a mean or a ratio has to pass both tests.
"""

import ibis.expr.types as ir
import numpy as np

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.contrasts import Arm, Value, contrast
from customerlab.analysis.experiment.stats import number_of

AT_ONCE = 8_000_000  # counts of rows that are kept at once, which bounds memory
MOST = 200_000_000  # of them in all, which bounds time: fewer draws find a little less, and are no less right
DRAWS = 2_000


def randomisation_test(
    rows: np.ndarray, treated: np.ndarray, control: np.ndarray, value: Value, seed: int, *, level: float = 0.05
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

    Examples
    --------
    >>> spent = np.array([[0.0], [10.0]])
    >>> randomisation_test(spent, np.array([60, 40]), np.array([90, 10]), Value(0), seed=1) < 0.001
    True
    """
    both = treated + control
    share = treated.sum() / both.sum()
    shift = np.average(rows, axis=0, weights=both) if value.below is None else np.zeros(rows.shape[1])
    sums = products(rows - shift)
    draws = int(np.clip(MOST // len(rows), np.ceil(4 / level), max(DRAWS, np.ceil(20 / level))))
    rng, block = np.random.default_rng(seed), max(AT_ONCE // len(rows), 1)
    parts = [treated[None] @ sums]
    for begin in range(0, draws, block):
        dealt = rng.binomial(both, share, (min(block, draws - begin), len(rows)))
        parts.append(dealt.astype(float) @ sums)
    one = np.vstack(parts)
    found = contrast(arm_of(one, rows.shape[1]), arm_of(both @ sums - one, rows.shape[1]), value)
    away = np.nan_to_num(found.effect / found.error)
    own, others = away[0], away[1:]
    tail = min((others >= own).sum(), (others <= own).sum())
    return float(min(1.0, 2 * (tail + 1) / (draws + 1)))


def randomised(experiment: ir.Table, metric: Metric, variant: str, control: str, seed: int, *, level: float) -> float:
    """The p-value of `randomisation_test` for two arms of a test, by a mean or a ratio; its covariate is not used."""
    columns = [name for name in (metric.above, metric.below) if name]
    numbers = {f"x{place}": number_of(experiment, name) for place, name in enumerate(columns)}
    pair = experiment.filter(experiment.variant.isin([variant, control])).select("variant", **numbers)
    counted = pair.group_by(["variant", *numbers]).aggregate(units=pair.count()).to_pandas()
    table = counted.pivot_table(index=list(numbers), columns="variant", values="units", fill_value=0).sort_index()
    rows = table.index.to_frame().to_numpy(dtype=float)
    value = Value(0, 1 if metric.below else None)
    treated, others = (table[name].to_numpy(dtype=int) for name in (variant, control))
    return randomisation_test(rows, treated, others, value, seed, level=level)


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
