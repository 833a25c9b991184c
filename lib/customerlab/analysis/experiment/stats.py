"""Moments of a test: counts, means and covariances by arm, from one GROUP BY in the engine.

One row per arm (and stratum) leaves the engine; every estimate works from these rows. Sums of products are the cheapest
aggregates, and Σx² - (Σx)²/n is exact enough while the mean is not many times the deviation: at a mean of a million and
a deviation of one, four digits of sixteen are left. Then, and where nothing varies, the engine's own `VAR_SAMP` and
`COVAR_SAMP` are asked for, which update squares around the running mean (Welford 1962; Chan, Golub and LeVeque 1983)
and take twice as long.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from customerlab.data.tables import COVARIATE, OUTCOME
from customerlab.errors import DataError

NONE = "(none)"  # the label of what is missing
Columns = Mapping[str, ir.NumericValue | str] | Iterable[str]
Groups = Sequence[Sequence[str]] | None  # names whose covariances are wanted
FAR = 100  # squared mean by variance from which sums of products are not exact enough: two digits of sixteen are lost


@dataclass(frozen=True)
class Moments:
    """Counts, means and covariances by group.

    Attributes
    ----------
    groups : DataFrame
        One row per group: the columns that were grouped by, sorted by them.
    names : tuple of str
        The columns that were measured.
    count, mean, covariance : arrays of shape (groups,), (groups, names), (groups, names, names)
        The covariance with n - 1: NaN in a group of one, and meaningless for columns not asked for together.
    level : bool
        Whether groups were made alike over strata (`levelled`).
    """

    groups: pd.DataFrame
    names: tuple[str, ...]
    count: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    level: bool = False

    def only(self, kept: np.ndarray, by: Sequence[str] | None = None) -> "Moments":
        """Those of some groups, named by some of their columns."""
        groups = self.groups.loc[kept, self.groups.columns if by is None else list(by)].reset_index(drop=True)
        return Moments(groups, self.names, self.count[kept], self.mean[kept], self.covariance[kept], self.level)

    def levelled(self, stratum: str) -> "Moments":
        """Coarser groups, without one of their columns, whose values have the same shares in every arm.

        Means are those of the strata, weighted by the units of all arms in them; the covariance by the count is that of
        such a mean. Strata in which an arm has fewer than two units are left out of all arms: DataError if none is
        left. Weights are taken as fixed (Miratrix, Sekhon and Yu 2013).
        """
        table = self.groups.assign(n=self.count, row=np.arange(len(self.count)))
        labels = [name for name in self.groups if name not in ("variant", stratum)]
        kept = []
        for _, own in table.groupby(labels) if labels else [("", table)]:
            wide = own.pivot_table(index=stratum, columns="variant", values="n", fill_value=0)
            weights = wide[(wide >= 2).all(axis=1)].sum(axis=1)
            kept.append(own.assign(weight=own[stratum].map(weights / weights.sum())).dropna(subset="weight"))
        whole = pd.concat(kept)
        if whole.empty:
            raise DataError("no period has two units of every arm", expected="arms that are filled at the same time")
        groups, parts = [], []
        for key, own in whole.groupby(["variant", *labels]):
            rows, weight = own["row"].to_numpy(), own["weight"].to_numpy()
            error = np.einsum("s,sij->ij", weight**2 / self.count[rows], self.covariance[rows])
            count = self.count[rows].sum()
            groups.append(key)
            parts.append((count, weight @ self.mean[rows], error * count))
        count, mean, covariance = (np.array(one) for one in zip(*parts, strict=True))
        return Moments(
            pd.DataFrame(groups, columns=["variant", *labels]), self.names, count, mean, covariance, level=True
        )

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


def moments(table: ir.Table, columns: Columns, by: Sequence[str] = ("variant",), *, together: Groups = None) -> Moments:
    """Counts, means and covariances of some columns by `variant`, and strata beside it, in one query.

    Parameters
    ----------
    columns : mapping of str to expression or name, or names
        What is measured. A covariate of the canonical table is read as a number. DataError if a value is missing, not a
        number or not finite, or there is no row.
    together : sequence of sequences of str, optional
        Names whose covariances are wanted; all by default, which for many columns is most of the work.

    Examples
    --------
    >>> units = ibis.memtable({"variant": ["a", "a", "b", "b"], "outcome_spend": [1.0, 3.0, 2.0, 2.0]})
    >>> found = moments(units, ["outcome_spend"])
    >>> found.count.tolist(), found.mean.tolist(), found.covariance.ravel().tolist()
    ([2, 2], [[2.0], [2.0]], [2.0, 0.0])
    """
    return moments_by(table, columns, [{key: table[key] for key in by}], together=together)[0]


def moments_by(
    table: ir.Table, columns: Columns, groups: Sequence[Mapping[str, ir.Column]], *, together: Groups = None
) -> list[Moments]:
    """The same by each of several groups of equally many columns, given by their names, in one query, or in two."""
    numbers = dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns}
    names = tuple(numbers)
    # by their places, for names of a user may have any sign
    values = {f"x{place}": number_of(table, value) for place, value in enumerate(numbers.values())}
    keys = [{f"by{place}": column for place, column in enumerate(group.values())} for group in groups]
    parts = [table.select(**key, **values) for key in keys]
    place = {name: number for number, name in enumerate(names)}
    wanted = [(place[one], place[other]) for one, other in pairs_of(names, together)]
    pairs = sorted((min(pair), max(pair)) for pair in wanted)
    found = _aggregated(parts, len(names), pairs)
    covariance = _from_products(found, len(names), pairs)
    if covariance is None:
        _refuse(parts[0], names)
        found = _aggregated(parts, len(names), pairs, exact=True)
        covariance = _filled(len(found), len(names), {(i, j): found[f"x{i}_x{j}"] for i, j in pairs})
    units = found["units"].to_numpy(dtype=int)
    mean = found[[f"sum{number}" for number in range(len(names))]].to_numpy(dtype=float) / units[:, None]
    moments_of = []
    for number, group in enumerate(groups):
        own = (found["part"] == number).to_numpy()
        rows = found.loc[own, list(keys[number])].set_axis(list(group), axis=1).reset_index(drop=True)
        moments_of.append(Moments(rows, names, units[own], mean[own], covariance[own]))
    return moments_of


def _aggregated(parts: list[ir.Table], columns: int, pairs: list[tuple[int, int]], exact: bool = False) -> pd.DataFrame:
    """Numbers of units and of values, sums, and sums of products or covariances, by `part` and group."""
    keys = [name for name in parts[0].columns if name.startswith("by")]
    counted = []
    for number, units in enumerate(parts):
        sums: dict[str, ir.Scalar] = {"units": units.count()}
        for place in range(columns):
            sums |= {f"known{place}": units[f"x{place}"].count(), f"sum{place}": units[f"x{place}"].sum()}
        for i, j in pairs:
            one, other = units[f"x{i}"], units[f"x{j}"]
            apart = one.var(how="sample") if i == j else one.cov(other, how="sample")
            sums[f"x{i}_x{j}"] = apart if exact else (one * other).sum()
        counted.append(units.group_by(keys).aggregate(**sums).mutate(part=ibis.literal(number)))
    found = united(counted).order_by("part", *keys).to_pandas()
    if found.empty:
        raise DataError("the experiment has no units", expected="at least two in every arm")
    return found


def united(parts: Sequence[ir.Table]) -> ir.Table:
    """Tables of the same columns as one."""
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _from_products(found: pd.DataFrame, columns: int, pairs: list[tuple[int, int]]) -> np.ndarray | None:
    """Covariances; None where a value is missing or infinite, or too many digits would be lost."""
    count = found["units"].to_numpy(dtype=float)
    known = found[[f"known{place}" for place in range(columns)]].to_numpy(dtype=float)
    sums = found[[f"sum{place}" for place in range(columns)]].to_numpy(dtype=float)
    if (known < count[:, None]).any() or not np.isfinite(sums).all():
        return None
    apart = {(i, j): found[f"x{i}_x{j}"].to_numpy(dtype=float) - sums[:, i] * sums[:, j] / count for i, j in pairs}
    for i in range(columns):
        if ((FAR * apart[i, i] < sums[:, i] ** 2 / count) & (count > 1)).any():
            return None
    with np.errstate(invalid="ignore", divide="ignore"):
        inner = {pair: np.where(count > 1, values / (count - 1), np.nan) for pair, values in apart.items()}
    return _filled(len(found), columns, inner)


def _filled(groups: int, columns: int, inner: Mapping[tuple[int, int], ArrayLike]) -> np.ndarray:
    """Both halves of each group's matrix, with zero where nothing was asked."""
    covariance = np.zeros((groups, columns, columns))
    for (i, j), values in inner.items():
        covariance[:, i, j] = covariance[:, j, i] = np.asarray(values, dtype=float)
    return covariance


def _refuse(units: ir.Table, names: Sequence[str]) -> None:
    """Say which value is missing or infinite, if one is."""
    wrong: dict[str, ir.Scalar] = {}
    for place in range(len(names)):
        one = units[f"x{place}"]
        wrong |= {f"lack a value of {place}": (one.isnull() | one.isnan()).sum()}
        wrong |= {f"have an infinite value of {place}": one.isinf().sum()}
    for said, number in units.aggregate(**wrong).to_pandas().fillna(0).iloc[0].items():
        if number > 0:
            word, _, which = str(said).rpartition(" ")
            raise DataError(
                f"{number:,.0f} units {word} {spoken(names[int(which)])}",
                expected="a finite number for every unit, 0 where nothing happened",
                do="fix the outcome, or leave it out",
            )


def pairs_of(names: Iterable[str], together: Groups) -> set[tuple[str, str]]:
    """Which two columns are wanted together, each with itself among them."""
    groups = [list(names)] if together is None else [*together, *([name] for name in names)]
    return {pair for group in groups for pair in combinations_with_replacement(sorted(set(group)), 2)}


def winsorised(table: ir.Table, column: str, share: float) -> tuple[ir.Table, float, float, int]:
    """The table with the extreme values of a column cut to quantiles of all arms together, on both sides of zero.

    The upper quantile is that of the units above zero, the lower one that of those below, of whom there may be few; the
    share, such as 0.99, is of those on either side that keep their value. Returns the table, the values that are cut to
    from below and above (NaN where no unit is on that side), and how many units were beyond them.
    """
    if not 0 < share < 1:
        raise ValueError(f"share = {share}; expected a number between 0 and 1")
    value = number_of(table, column)
    ends = {"low": (-value).quantile(share, where=value < 0), "high": value.quantile(share, where=value > 0)}
    low, high = (float(end) for end in -table.aggregate(**ends).to_pandas().iloc[0].astype(float) * [1, -1])
    least, most = (end if pd.notna(end) else far for end, far in ((low, -np.inf), (high, np.inf)))
    counted = table.aggregate(beyond=((value < least) | (value > most)).sum()).to_pandas()
    beyond = int(counted["beyond"].fillna(0).iloc[0])
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
