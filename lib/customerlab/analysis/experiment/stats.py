"""What an experiment is computed from: counts, means and covariances by arm, from one GROUP BY in the engine.

However many units there are, one row an arm (and stratum) leaves the engine; every estimate works from these rows.

Variances are the engine's own `VAR_SAMP` and `COVAR_SAMP`, which update sums of squares around the running mean
(Welford 1962; merged between threads by Chan, Golub and LeVeque 1983). The textbook Σx² - (Σx)²/n subtracts two
numbers of the size of the squared mean: at a mean of a million and a deviation of one it keeps four digits of sixteen,
and below that none. Centring at a mean that is known before the query would need a second scan of the table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.data.tables import COVARIATE, OUTCOME
from customerlab.errors import DataError

NONE = "(none)"  # the label of what is missing


@dataclass(frozen=True)
class Moments:
    """Counts, means and covariances by group.

    Attributes
    ----------
    groups : DataFrame
        One row a group: the columns that were grouped by, sorted by them.
    names : tuple of str
        The columns that were measured.
    count : int array of shape (groups,)
    mean : array of shape (groups, names)
    covariance : array of shape (groups, names, names)
        With n - 1; NaN in a group of one. Of two columns that were not asked for together it says nothing.
    """

    groups: pd.DataFrame
    names: tuple[str, ...]
    count: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    def merged(self, by: Sequence[str]) -> "Moments":
        """The same for coarser groups: exactly what one query by them would have given (Chan et al. 1983)."""
        number, keys = pd.factorize(pd.MultiIndex.from_frame(self.groups[list(by)]), sort=True)
        count = np.bincount(number, weights=self.count)
        mean = np.array([np.bincount(number, weights=self.count * column) / count for column in self.mean.T]).T
        apart = self.mean - mean[number]
        inner = np.where(self.count[:, None, None] > 1, self.covariance, 0) * (self.count - 1)[:, None, None]
        squares = inner + self.count[:, None, None] * apart[:, :, None] * apart[:, None, :]
        summed = np.zeros((len(count), *squares.shape[1:]))
        np.add.at(summed, number, squares)
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = summed / (count - 1)[:, None, None]
        groups = pd.DataFrame(keys.tolist(), columns=list(by))
        return Moments(
            groups, self.names, count.astype(int), mean, np.where(count[:, None, None] > 1, covariance, np.nan)
        )


def moments(
    table: ir.Table,
    columns: Mapping[str, ir.NumericValue | str] | Iterable[str],
    by: Sequence[str] = ("variant",),
    *,
    together: Sequence[Sequence[str]] | None = None,
) -> Moments:
    """Counts, means and covariances of some columns by group, in one query.

    Parameters
    ----------
    table : ibis Table
        One row a unit.
    columns : mapping of str to expression or name, or names
        What is measured. A covariate of the canonical table is read as a number.
    by : sequence of str
        `variant`, and strata beside it.
    together : sequence of sequences of str, optional
        Names whose covariances are wanted; all by default, which for many columns is most of the work.

    Raises
    ------
    DataError
        If a value is missing, not a number or not finite, or there is no row.

    Examples
    --------
    >>> units = ibis.memtable({"variant": ["a", "a", "b", "b"], "outcome_spend": [1.0, 3.0, 2.0, 2.0]})
    >>> found = moments(units, ["outcome_spend"])
    >>> found.count.tolist(), found.mean.tolist(), found.covariance.ravel().tolist()
    ([2, 2], [[2.0], [2.0]], [2.0, 0.0])
    """
    wanted = dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns}
    names = tuple(wanted)
    short = {name: f"x{place}" for place, name in enumerate(names)}  # names of a user may have any sign
    values = {short[name]: number_of(table, value) for name, value in wanted.items()}
    units = table.select(**{f"by{place}": table[key] for place, key in enumerate(by)}, **values)
    keys = [f"by{place}" for place in range(len(by))]
    sums: dict[str, ir.Scalar] = {"units": units.count()}
    for one in short.values():
        sums[f"mean_{one}"] = units[one].mean()
        sums[f"lacking_{one}"] = (units[one].isnull() | units[one].isnan()).sum()
        sums[f"endless_{one}"] = units[one].isinf().sum()
    pairs = _pairs(names, together)
    for i, j in pairs:
        one, other = units[f"x{i}"], units[f"x{j}"]
        sums[f"cov_x{i}_x{j}"] = one.var(how="sample") if i == j else one.cov(other, how="sample")
    found = units.group_by(keys).aggregate(**sums).order_by(keys).to_pandas()
    if found.empty:
        raise DataError("the experiment has no units", expected="at least two in every arm")
    for name, one in short.items():
        for word, column in (("lack a value of", f"lacking_{one}"), ("have an infinite value of", f"endless_{one}")):
            if (wrong := int(found[column].sum())) > 0:
                raise DataError(
                    f"{wrong:,} units {word} {spoken(name)}",
                    expected="a finite number for every unit, 0 where nothing happened",
                    do="mend the outcome, or leave it out",
                )
    covariance = np.zeros((len(found), len(names), len(names)))
    for i, j in pairs:
        covariance[:, i, j] = covariance[:, j, i] = found[f"cov_x{i}_x{j}"].to_numpy(dtype=float)
    groups = found[keys].set_axis(list(by), axis=1)
    mean = found[[f"mean_{one}" for one in short.values()]].to_numpy(dtype=float)
    return Moments(groups, names, found["units"].to_numpy(dtype=int), mean, covariance)


def _pairs(names: Sequence[str], together: Sequence[Sequence[str]] | None) -> list[tuple[int, int]]:
    place = {name: number for number, name in enumerate(names)}
    groups = [names] if together is None else [*together, *([name] for name in names)]
    return sorted(
        {pair for group in groups for pair in combinations_with_replacement(sorted(place[name] for name in group), 2)}
    )


def winsorised(table: ir.Table, column: str, share: float) -> tuple[ir.Table, float, float, int]:
    """The table with the extreme values of a column cut to the quantiles of all arms together, on both sides of zero.

    A few outliers can carry a mean, a great refund as well as a great order; how the effect changes without them says
    how much. The upper quantile is that of the units above zero, the lower one that of those below, of whom there may
    be few.

    Parameters
    ----------
    table : ibis Table
    column : str
    share : float
        Of the units on either side of zero that keep their value, such as 0.99.

    Returns
    -------
    (ibis Table, float, float, int)
        The table, the values that are cut to from below and from above (NaN where no unit is on that side of zero), and
        how many units were beyond them.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share = {share}; expected a number between 0 and 1")
    value = number_of(table, column)
    ends = {
        "low": (-value).quantile(share, where=value < 0), "high": value.quantile(share, where=value > 0),
    }  # fmt: skip
    low, high = (float(end) for end in -table.aggregate(**ends).to_pandas().iloc[0].astype(float) * [1, -1])
    least, most = (end if pd.notna(end) else far for end, far in ((low, -np.inf), (high, np.inf)))
    beyond = int(
        table.aggregate(beyond=((value < least) | (value > most)).sum()).to_pandas()["beyond"].fillna(0).iloc[0]
    )
    cut = ibis.greatest(ibis.least(value, most), least) if beyond else value
    return table.mutate(**{column: cut}), low, high, beyond


def labelled(column: ir.Column) -> ir.StringColumn:
    """A column as labels, in which what is missing has one too."""
    return ibis.coalesce(column.cast("string"), NONE)


def spoken(name: str) -> str:
    """A column as its user calls it.

    Examples
    --------
    >>> spoken("outcome_spend"), spoken("covariate_age"), spoken("size")
    ('spend', 'age', 'size')
    """
    return name.removeprefix(OUTCOME).removeprefix(COVARIATE)


def number_of(table: ir.Table, value: ir.NumericValue | str) -> ir.NumericValue:
    """A column as a number, missing where it is none: a covariate is kept as it was read."""
    column = table[value] if isinstance(value, str) else value
    return column.try_cast("float64") if column.type().is_string() else column.cast("float64")
