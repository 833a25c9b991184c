"""k-prototypes (Huang 1998): segments of mixed attributes around means of numbers and most common levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from customerlab.analysis.profile.gower import Coding, Values, fit_coding

GAMMA = 0.5
"""What a mismatch of categories costs beside a squared difference of numbers: half their mean standard deviation, as
Huang (1998) advises, which is one where numbers are standardised."""

STARTS, ROUNDS = 5, 100
DRAWN = 10_000  # customers on whom starts are compared; with more, the best goes on with all of them
DIGITS = 9  # of a mean cost: beyond them sums depend on how memory is laid out


@dataclass(frozen=True)
class Prototypes:
    """Customers go to the prototype at the least cost: squared differences of numbers and gamma for each mismatch.

    A missing number counts as the mean of all customers; a missing category, and a level that is not known, as a
    mismatch with every prototype, which leaves the others to decide. Ties go to the first prototype.

    Attributes
    ----------
    coding : Coding
    gamma : float
    means : array of shape (segments, numbers)
        Standardised.
    modes : array of int of shape (segments, categories)
        Places of the levels.
    cost : float
        Mean over the customers that were fitted.
    reached : int
        Of `STARTS`, how many ended at the cost of the best (to six digits).
    """

    coding: Coding
    gamma: float
    means: Values
    modes: np.ndarray
    cost: float
    reached: int

    def predict(self, values: Values) -> np.ndarray:
        """Segment of each customer, from 0."""
        numbers, codes = split(values, self.coding)
        return costs(numbers, codes, self.means, self.modes, self.gamma).argmin(axis=1)

    def table(self) -> pd.DataFrame:
        """The prototypes in the attributes' own units: means, and most common levels; dates as days since 1970."""
        columns, numbers, modes = {}, iter(self.means.T), iter(self.modes.T)
        coding = self.coding
        for place, name in enumerate(coding.names):
            if coding.categories[place]:
                named = [*coding.levels[place]] or [None]
                columns[name] = np.array(named, dtype=object)[next(modes)]
            else:
                columns[name] = next(numbers) * coding.spread[place] + coding.centre[place]
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.means), name="segment"))


def split(values: Values, coding: Coding) -> tuple[Values, np.ndarray]:
    """Numbers with missing ones at the mean, and levels' places with -1 for missing ones; two arrays by customer."""
    numbers = np.nan_to_num(values[:, ~coding.categories])
    return numbers, np.nan_to_num(values[:, coding.categories], nan=-1).astype(np.int32)


def costs(numbers: Values, codes: np.ndarray, means: Values, modes: np.ndarray, gamma: float) -> Values:
    """What each customer costs at each prototype, an array of shape (customers, segments)."""
    found = (numbers**2).sum(axis=1)[:, None] - 2 * numbers @ means.T + (means**2).sum(axis=1)
    np.maximum(found, 0, out=found)
    if gamma:
        for own, mode in zip(codes.T, modes.T, strict=True):
            found += gamma * (own[:, None] != mode)
    return found


def lloyd(
    numbers: Values, codes: np.ndarray, means: Values, modes: np.ndarray, gamma: float
) -> tuple[Values, np.ndarray, np.ndarray, float]:
    """Assign customers and renew the prototypes in turn, from given ones, until no customer moves.

    Ties of levels go to the first level. A prototype that loses all customers moves to the customer who costs most,
    of ties the first.

    Parameters
    ----------
    numbers, codes : array of shape (customers, numbers) and array of int of shape (customers, categories)
    means, modes : array of shape (segments, numbers) and array of int of shape (segments, categories)

    Returns
    -------
    means, modes, labels : array
    cost : float
        Mean over customers.
    """
    k, labels = len(means), np.full(len(numbers), -1)
    levels = codes.max(axis=0, initial=0) + 1
    for _ in range(ROUNDS):
        found = costs(numbers, codes, means, modes, gamma)
        new = found.argmin(axis=1)
        sizes = np.bincount(new, minlength=k)
        if not sizes.all():
            least = found[np.arange(len(new)), new]
            for empty in np.flatnonzero(sizes == 0):
                farthest = int(np.where(sizes[new] > 1, least, -1).argmax())
                sizes[new[farthest]] -= 1
                new[farthest], least[farthest], sizes[empty] = empty, 0, 1
        if (new == labels).all():
            break
        labels = new
        means = np.column_stack([np.bincount(labels, x, k) / sizes for x in numbers.T] or [np.empty((k, 0))])
        pairs = zip(codes.T, levels, strict=True)
        modes = np.column_stack([_modes(labels, own, k, most) for own, most in pairs] or [np.empty((k, 0), dtype=int)])
    found = costs(numbers, codes, means, modes, gamma)
    return means, modes, found.argmin(axis=1), float(found.min(axis=1).mean())


def _modes(labels: np.ndarray, codes: np.ndarray, k: int, levels: int) -> np.ndarray:
    """The most common level of a category in each segment; the first level where none is known."""
    cells = labels * (levels + 1) + codes + 1  # the first of a segment's cells is of missing ones
    return np.bincount(cells, minlength=k * (levels + 1)).reshape(k, -1)[:, 1:].argmax(axis=1)


def _seeded(numbers: Values, codes: np.ndarray, k: int, gamma: float, rng: np.random.Generator) -> np.ndarray:
    """Customers to start from, drawn as in k-means++ (Arthur and Vassilvitskii 2007) by the same cost."""
    chosen = [int(rng.integers(len(numbers)))]
    nearest = np.full(len(numbers), np.inf)
    for _ in range(k - 1):
        last = chosen[-1:]
        nearest = np.minimum(nearest, costs(numbers, codes, numbers[last], codes[last], gamma)[:, 0])
        nearest[last] = 0  # which rounding, and missing categories, would keep from it
        reach = nearest.cumsum()
        chosen.append(int(min(np.searchsorted(reach, rng.random() * reach[-1], side="right"), len(reach) - 1)))
    return np.array(chosen)


def fit_prototypes(
    values: Values, coding: Coding, numbers: Sequence[int], seed: int, *, gamma: float = GAMMA
) -> dict[int, Prototypes]:
    """k-prototypes for several numbers of segments, each the best of five starts.

    Customers to start from are drawn as in k-means++ by the same cost. Of more than `DRAWN` customers a sample has the
    starts, and the best of them goes on with all customers.
    With gamma 0 it is K-Means of the numbers. As gamma grows it becomes k-modes of the categories (Huang 1998), in
    which numbers decide ties. Segments are numbered by falling size, ties by their first customer.

    Parameters
    ----------
    values : array of shape (customers, attributes)
        As `Coding.values` makes them, sorted by customer.
    numbers : sequence of int
        Those above the number of different customers are left out.
    gamma : float
        Not negative.

    Returns
    -------
    dict of int to Prototypes
    """
    if not 0 <= gamma < np.inf:
        raise ValueError(f"gamma is {gamma}; expected a number of at least 0.")
    own, codes = split(values, coding)
    found: dict[int, Prototypes] = {}
    drawn = np.arange(len(own))
    if len(own) > DRAWN:
        drawn = np.sort(np.random.default_rng(seed).choice(len(own), DRAWN, replace=False))
    some, levels = own[drawn], codes[drawn]
    different = len(np.unique(np.column_stack([some, levels]), axis=0))
    for k in (k for k in numbers if 1 <= k <= different):
        rng, ends = np.random.default_rng([seed, k]), []
        for _ in range(STARTS):
            start = _seeded(some, levels, k, gamma, rng)
            ends.append(lloyd(some, levels, some[start], levels[start], gamma))
        best = min(ends, key=lambda end: round(end[3], DIGITS))
        reached = sum(end[3] <= best[3] * (1 + 1e-6) + 1e-12 for end in ends)
        means, modes, labels, cost = best if len(own) <= DRAWN else lloyd(own, codes, *best[:2], gamma)
        first = np.array([np.argmax(labels == one) for one in range(k)])
        order = np.lexsort((first, -np.bincount(labels, minlength=k)))
        found[k] = Prototypes(coding, gamma, means[order], modes[order], cost, reached)
    return found


def prototype_segments(
    table: pd.DataFrame, k: int, *, seed: int = 0, gamma: float = GAMMA
) -> tuple[pd.Series, pd.DataFrame]:
    """Segments of customers by k-prototypes, and the prototypes.

    Parameters
    ----------
    table : DataFrame
        Of attributes, as in `fit_coding`; the order of rows does not matter.

    Returns
    -------
    segments : Series of int
        By `customer_id`, in the table's order, numbered from 0 by falling size.
    prototypes : DataFrame
        By segment, in the attributes' own units.

    Raises
    ------
    ValueError
        With fewer different customers than segments, or a negative gamma.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 21, 22, 60, 62], "home": ["flat"] * 3 + ["house"] * 2}, list("abcde"))
    >>> segments, prototypes = prototype_segments(table, 2)
    >>> segments.tolist(), prototypes.round(6).values.tolist()
    ([0, 0, 0, 1, 1], [[21.0, 'flat'], [61.0, 'house']])
    """
    ordered = table.sort_index()
    coding = fit_coding(ordered)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        model = fit_prototypes(coding.values(ordered), coding, [k], seed, gamma=gamma).get(k)
    if model is None:
        raise ValueError(f"{k} segments need at least as many customers with different attributes.")
    return pd.Series(model.predict(coding.values(table)), table.index, name="segment"), model.table()
