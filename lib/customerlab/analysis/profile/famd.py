"""Factor analysis of mixed data (Pagès 2004): the plane on which customers of mixed attributes differ most."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from customerlab.analysis.profile.gower import Coding, Values, fit_coding

NOTHING = 1e-10  # eigenvalues below are rounding; each attribute has 1 (a number) or its levels less one


@dataclass(frozen=True)
class Famd:
    """A fitted factor analysis of mixed data.

    Attributes
    ----------
    coding : Coding
    shares : array of shape (columns,)
        Share of customers who have the level, of each level of each category; 1 for a number.
    axes : array of shape (columns, axes)
        Orthonormal; columns are attributes one after another, a category's levels beside one another.
    eigenvalues : array of shape (axes,)
        Variance (1/n) of the customers' coordinates, falling. All axes with any variance are kept.
    means : array of shape (columns, axes)
        Mean coordinates of the customers of each level; NaN for a level that none has. Of no meaning for numbers.
    """

    coding: Coding
    shares: Values
    axes: Values
    eigenvalues: Values
    means: Values

    @property
    def explained(self) -> pd.DataFrame:
        """By axis: `eigenvalue`, `share` of all variance and the `cumulative` one."""
        share = self.eigenvalues / self.eigenvalues.sum()
        table = {"eigenvalue": self.eigenvalues, "share": share, "cumulative": share.cumsum()}
        return pd.DataFrame(table, index=_named(len(share)))

    @property
    def contributions(self) -> pd.DataFrame:
        """Share of each axis that is due to each attribute, attributes by axes; 1 over an axis.

        Times the eigenvalue it is the squared correlation of a number with the axis, and the correlation ratio of a
        category, where none of its values is missing.
        """
        own = np.repeat(self.coding.names, _widths(self.coding))
        squares = pd.DataFrame(self.axes**2, columns=_named(len(self.eigenvalues)))
        return squares.groupby(own, sort=False).sum().reindex(list(self.coding.names), fill_value=0.0)

    @property
    def correlations(self) -> pd.DataFrame:
        """Correlation of each number with each axis (where no value is missing)."""
        return self._columns(self.axes * np.sqrt(self.eigenvalues), numbers=True)

    @property
    def centres(self) -> pd.DataFrame:
        """Mean coordinates of the customers of each level, by attribute and level."""
        return self._columns(self.means, numbers=False)

    def _columns(self, values: Values, *, numbers: bool) -> pd.DataFrame:
        widths = _widths(self.coding)
        named = zip(self.coding.names, self.coding.categories, self.coding.levels, strict=True)
        labels = [(name, level) for name, category, own in named for level in (own if category else ("",))]
        kept = ~np.repeat(self.coding.categories, widths)
        table = pd.DataFrame(values, pd.MultiIndex.from_tuples(labels, names=["attribute", "level"]))
        table.columns = _named(values.shape[1])
        table = table[kept if numbers else ~kept]
        return table.droplevel("level") if numbers else table

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """Coordinates of customers, also of new ones: a column per axis, rows as in the table.

        A missing value, and a level that is not known, is at the mean of all customers.
        """
        with threadpool_limits(1):
            found = _columns(self.coding.values(table), self.coding, self.shares) @ self.axes
        return pd.DataFrame(found, table.index, _named(self.axes.shape[1]))


def fit_famd(table: pd.DataFrame) -> Famd:
    """Factor analysis of mixed data (Pagès 2004, Revue de statistique appliquée 52(4)).

    Numbers are standardised. Each level is an indicator divided by the root of the share of customers who have it, and
    centred. The principal components of both together are those of PCA where all attributes are numbers, and those of
    multiple correspondence analysis where all are categories, with eigenvalues times the number of attributes. Of each
    axis the largest loading, of equal ones the first, is positive.

    Parameters
    ----------
    table : DataFrame
        Of attributes, as in `fit_coding`; the order of rows does not matter. Missing values are at the mean. Constants
        have no part in any axis.

    Raises
    ------
    ValueError
        If nothing varies, and as `fit_coding`.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 30, 40, 50], "home": ["flat", "flat", "house", "house"]}, list("abcd"))
    >>> fitted = fit_famd(table)
    >>> fitted.eigenvalues.round(3).tolist(), fitted.centres["axis 1"].round(2).tolist()
    ([1.894, 0.106], [-1.34, 1.34])
    """
    ordered = table.sort_index()
    coding = fit_coding(ordered)
    values = coding.values(ordered)
    shares = np.concatenate([_shares(*each) for each in zip(values.T, coding.categories, coding.levels, strict=True)])
    with threadpool_limits(1):
        columns = _columns(values, coding, shares)
        spread, axes = np.linalg.eigh(columns.T @ columns / len(columns))
    spread, axes = spread[::-1], axes[:, ::-1]
    kept = spread > NOTHING
    if not kept.any():
        raise ValueError("No attribute varies.")
    axes = axes[:, kept]
    axes = axes * np.sign(axes[np.abs(axes).round(9).argmax(axis=0), np.arange(axes.shape[1])])
    with threadpool_limits(1):
        sums = (columns > 0).T.astype(float) @ (columns @ axes)
    sizes = (columns > 0).sum(axis=0)[:, None]
    means = np.where((shares == 1)[:, None], 0, sums / np.where(sizes > 0, sizes, np.nan))
    return Famd(coding, shares, axes, spread[kept], means)


def _shares(values: Values, category: bool, levels: tuple) -> Values:
    """The share of each level among customers whose level is known; 1 for a number."""
    if not category:
        return np.ones(1)
    known = values[~np.isnan(values)].astype(int)
    return np.bincount(known, minlength=len(levels)) / max(len(known), 1)


def _columns(values: Values, coding: Coding, shares: Values) -> Values:
    """Standardised numbers, and centred and weighted indicators; zero where missing."""
    widths = _widths(coding)
    found, begin = np.zeros((len(values), int(widths.sum()))), 0
    for own, category, width in zip(values.T, coding.categories, widths, strict=True):
        known = np.flatnonzero(~np.isnan(own))
        if category:
            p = shares[begin : begin + width]
            scale = np.sqrt(np.where(p > 0, p, 1))
            found[known, begin : begin + width] = -p / scale
            codes = own[known].astype(int)
            found[known, begin + codes] += (p > 0)[codes] / scale[codes]
        else:
            found[known, begin] = own[known]
        begin += width
    return found


def _widths(coding: Coding) -> np.ndarray:
    """How many columns each attribute has."""
    pairs = zip(coding.categories, coding.levels, strict=True)
    return np.array([len(levels) if category else 1 for category, levels in pairs])


def _named(number: int) -> list[str]:
    return [f"axis {n}" for n in range(1, number + 1)]
