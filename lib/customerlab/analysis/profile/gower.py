"""Attributes of mixed types as one array of numbers, and Gower's distance between customers."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray
from pandas.api import types
from scipy.spatial.distance import squareform

from customerlab.analysis.language.base import CATEGORY, YES_NO, kind_of

Values = NDArray[np.float64]
DAY = pd.Timedelta(days=1)
CELLS = 2**17  # pairs that are compared at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Coding:
    """How a table of attributes becomes an array: numbers standardised, categories as places among their levels.

    Ordered levels are equally spaced scores and dates are days; both are numbers here, as in Kaufman and Rousseeuw
    (1990). Yes/no is a category. A missing value, and a level that is not known, is NaN.

    Attributes
    ----------
    names : tuple of str
        The attributes, in the order of the table's columns.
    categories : array of bool of shape (attributes,)
        Whether the attribute is a category; the others are numbers.
    levels : tuple of tuple
        Levels of each category and each ordered attribute in their order; none for the other numbers.
    centre, spread, reach : array of shape (attributes,)
        Mean, standard deviation (1/n) and range of each number. An ordered attribute has the range of its declared
        levels. A spread of zero is kept as 1, so that a constant is 0 everywhere. Of categories 0, 1 and 1.
    """

    names: tuple[str, ...]
    categories: NDArray[np.bool_]
    levels: tuple[tuple[Hashable, ...], ...]
    centre: Values
    spread: Values
    reach: Values

    def values(self, table: pd.DataFrame) -> Values:
        """The table as an array of shape (customers, attributes), rows in the table's order.

        Raises ValueError if the table lacks an attribute, or has an infinite number.
        """
        missing = [name for name in self.names if name not in table]
        if missing:
            raise ValueError(f"The table lacks the attribute {missing[0]!r}.")
        pairs = zip(self.names, self.levels, strict=True)
        raw = [_numbers(table[name], own) for name, own in pairs]
        return (np.column_stack(raw) - self.centre) / self.spread


def fit_coding(table: pd.DataFrame) -> Coding:
    """Learn means, standard deviations, ranges and levels from a table of attributes.

    Parameters
    ----------
    table : DataFrame
        One row per customer, indexed by unique `customer_id`. The dtypes say what each attribute is: int, float and
        datetime are numbers; ordered categoricals are scores 0, 1, 2 …; bool, text and other categoricals are
        categories, those of text with levels in alphabetical order.

    Raises
    ------
    ValueError
        Without customers or attributes, with a customer twice, an infinite number or another dtype.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 40], "home": ["flat", None]}, index=["a", "b"])
    >>> fit_coding(table).values(table).tolist()
    [[-1.0, 0.0], [1.0, nan]]
    """
    if table.empty:
        raise ValueError("The table has no customers or no attributes.")
    if table.index.has_duplicates:
        raise ValueError("A customer has more than one row of attributes.")
    table = table.sort_index()
    levels = tuple(_levels(column) for _, column in table.items())
    categories = np.array([_is_category(column) for _, column in table.items()])
    rows = []
    for (_, column), own, category in zip(table.items(), levels, categories, strict=True):
        raw = _numbers(column, own)
        raw = raw[~np.isnan(raw)]
        spread = 0.0 if category or not len(raw) or np.ptp(raw) == 0 else raw.std()
        centre = 0.0 if category or not len(raw) else raw.mean() if spread else raw[0]
        reach = len(own) - 1.0 if own else np.ptp(raw) if len(raw) else 0.0
        rows.append((centre, spread or 1.0, 1.0 if category else reach))
    return Coding(tuple(table.columns), categories, levels, *np.array(rows).T)


def _is_category(column: pd.Series) -> bool:
    """Whether an attribute is a category; raises ValueError for a dtype that is not an attribute's."""
    if types.is_timedelta64_dtype(column) or types.is_complex_dtype(column):
        raise ValueError(f"The attribute {column.name!r} is of dtype {column.dtype}; expected numbers, texts or dates.")
    return kind_of(column) in (CATEGORY, YES_NO)


def _levels(column: pd.Series) -> tuple[Hashable, ...]:
    """Levels of a category or of an ordered attribute, in their order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(column.cat.categories)
    if types.is_bool_dtype(column):
        return (False, True)
    return tuple(sorted(column.dropna().unique())) if _is_category(column) else ()


def _numbers(column: pd.Series, levels: tuple[Hashable, ...]) -> Values:
    """An attribute as numbers in its own units, days since 1970, or places among its levels; NaN where missing."""
    if levels or _is_category(column):
        places = pd.Index(levels, dtype=object).get_indexer(pd.Index(column.to_numpy(dtype=object), dtype=object))
        found = places.astype(np.float64)
        found[places < 0] = np.nan
        return found
    if types.is_datetime64_any_dtype(column):
        return np.asarray((column - pd.Timestamp(0, tz=column.dt.tz)) / DAY, dtype=np.float64)
    raw = column.to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(raw).any():
        raise ValueError(f"The attribute {column.name!r} has an infinite number.")
    return raw


def gower(values: Values, others: Values, coding: Coding, *, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Gower's distance (1971) between each of some customers and each of others.

    It is the mean over attributes that both have of: for numbers the absolute difference divided by the range, at most
    1 (beyond the range that was learned); for ordered ones the same of equally spaced scores (Kaufman and Rousseeuw
    1990, not Podani's correction for ties), so that the distance does not depend on how many customers share a level;
    for categories 0 if equal, else 1. A constant is 0. A pair without any attribute that both have has the distance 1:
    nothing says that they are alike.

    Parameters
    ----------
    values, others : array of shape (customers, attributes) and (others, attributes)
        As `Coding.values` makes them.
    dtype : numpy dtype
        float32 takes half the memory and has about seven digits.

    Returns
    -------
    array of shape (customers, others)
        From 0 to 1.
    """
    known, other_known = ((~np.isnan(x)).astype(dtype) for x in (values, others))
    common = known @ other_known.T
    scaled, other_scaled = (_scaled(x, coding).astype(dtype).T for x in (values, others))
    total = np.zeros((len(values), len(others)), dtype)
    step = max(1, CELLS // max(len(others), 1))
    for begin in range(0, len(values), step):
        part = slice(begin, begin + step)
        apart = np.empty_like(total[part])
        for place, category in enumerate(coding.categories):
            one, other = scaled[place, part, None], other_scaled[place]
            if category:
                np.not_equal(one, other, out=apart, casting="unsafe")
            else:
                np.minimum(np.abs(np.subtract(one, other, out=apart), out=apart), 1, out=apart)
            apart[known[part, place] == 0] = 0
            apart[:, other_known[:, place] == 0] = 0
            total[part] += apart
    return np.divide(total, common, out=np.ones_like(total), where=common > 0)


def _scaled(values: Values, coding: Coding) -> Values:
    """Numbers in units of their ranges; any difference from a constant is a range or more."""
    reach = coding.reach / coding.spread
    return values / np.where(reach > 0, reach, np.finfo(np.float32).eps)


def distances(table: pd.DataFrame, *, condensed: bool = False, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Gower's distances between all customers of a table; see `gower` and `fit_coding`.

    Returns
    -------
    array of shape (customers, customers), or with `condensed` of shape (customers · (customers − 1) / 2,)
        Rows in the order of the table; the condensed form is that of `scipy.spatial.distance.squareform`.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 30, 40], "home": ["flat", "flat", None]}, index=["a", "b", "c"])
    >>> distances(table, condensed=True).tolist()
    [0.25, 1.0, 0.5]
    """
    coding = fit_coding(table)
    values = coding.values(table)
    found = gower(values, values, coding, dtype=dtype)
    np.fill_diagonal(found, 0)
    return squareform(found, checks=False) if condensed else found
