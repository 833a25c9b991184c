"""Statistical disclosure control for pages: labels in place of ids, and no numbers of small groups."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def labelled(ids: pd.Series, kind: str = "Customer") -> pd.Series:
    """Ids replaced by made-up labels, in order of first appearance.

    Parameters
    ----------
    ids : Series
    kind : str
        The first word of the labels.

    Examples
    --------
    >>> labelled(pd.Series(["x@y.z", "a@b.c", "x@y.z"])).tolist()
    ['Customer A', 'Customer B', 'Customer A']
    """
    return pd.Series([f"{kind} {_letters(place)}" for place in pd.factorize(ids)[0].tolist()], ids.index, dtype="str")


def _letters(place: int) -> str:
    """A, B, … Z, AA, AB and so on."""
    before, last = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def hidden(counts: "pd.Series | np.ndarray | Sequence[float]", smallest: int) -> np.ndarray:
    """Which groups are not shown, because they are small or because the total less the others would reveal a small one.

    Parameters
    ----------
    counts : Series or array of numbers, shape (groups,)
        Number of people in each group; the total may be known.
    smallest : int
        Groups of fewer people are not shown; empty groups are.

    Returns
    -------
    array of bool, shape (groups,)
        True for all groups up to some size. It is the smallest size at which the hidden groups have at least `smallest`
        people together and are not all of one size. Their sizes could then be exchanged without a change to what is
        shown, so that none can be inferred, even with knowledge of this rule. If there is no such size, all are hidden.

    Notes
    -----
    Hiding further groups is complementary suppression (Cox 1980, JASA 75). Only if all groups have one small size can
    the total divided by their number reveal it.

    Examples
    --------
    >>> hidden([2, 7, 9, 0], 5).tolist(), hidden([2, 4, 9, 0], 5).tolist(), hidden([5, 9], 5).tolist()
    ([True, True, False, False], [True, True, False, False], [False, False])
    """
    sizes = np.nan_to_num(np.asarray(counts, dtype=float))
    if not ((sizes > 0) & (sizes < smallest)).any():
        return np.zeros(len(sizes), dtype=bool)
    for most in [smallest - 1, *np.unique(sizes[sizes >= smallest])]:
        chosen = (sizes > 0) & (sizes <= most)
        if sizes[chosen].sum() >= smallest and len(np.unique(sizes[chosen])) > 1:
            break
    return chosen


def hidden_cells(counts: pd.DataFrame, smallest: int, *, within: "pd.DataFrame | None" = None) -> np.ndarray:
    """`hidden` for a table of counts: within each row, or within groups of cells.

    Parameters
    ----------
    counts : DataFrame
        Number of people in each cell; the sums of rows or groups may be known.
    smallest : int
    within : DataFrame, optional
        The group of each cell; all cells of a group that is itself `hidden` are hidden.

    Returns
    -------
    array of bool
        Of the shape of the table.
    """
    values = counts.to_numpy(dtype=float)
    groups = np.indices(values.shape)[0] if within is None else within.to_numpy()
    names = pd.unique(groups.ravel())
    small = hidden([values[groups == name].sum() for name in names], smallest)
    result = np.zeros(values.shape, dtype=bool)
    for name, whole in zip(names, small, strict=True):
        inside = groups == name
        result[inside] = (values[inside] > 0) if whole else hidden(values[inside], smallest)
    return result


def suppressed(
    table: pd.DataFrame, smallest: int, *, keep: Sequence[str] = (), counts: str = "customers"
) -> pd.DataFrame:
    """A table in which groups that are `hidden` keep their names but not their numbers.

    Parameters
    ----------
    table : DataFrame
        One row per group.
    smallest : int
    keep : sequence of str
        The columns that name the group; the first column by default.
    counts : str
        The column with the number of people.

    Examples
    --------
    >>> suppressed(pd.DataFrame({"country": ["UK", "IE", "MT"], "customers": [90, 7, 1], "money": [9.0, 2.0, 1.0]}), 5)
      country  customers  money
    0      UK         90    9.0
    1      IE       <NA>    NaN
    2      MT       <NA>    NaN
    """
    away = hidden(table[counts], smallest)
    if not away.any():
        return table
    numbers = [name for name in table.columns if name not in (keep or table.columns[:1])]
    whole = [name for name in numbers if pd.api.types.is_integer_dtype(table[name])]
    table = table.astype(dict.fromkeys(whole, "Int64"))
    return table.assign(**{name: table[name].where(~away) for name in numbers})


def of_groups(
    table: pd.DataFrame, smallest: int, *, group: str, within: str, counts: str = "customers"
) -> pd.DataFrame:
    """The rows of groups that are not `hidden` among the groups `within` which they are counted, such as a window."""
    sizes = table.groupby([within, group], observed=True)[counts].max().reset_index()
    away = [
        sizes.loc[rows.index[hidden(rows[counts], smallest)], [within, group]]
        for _, rows in sizes.groupby(within, observed=True)
    ]
    gone = set(pd.concat(away).itertuples(index=False, name=None))
    return table[[pair not in gone for pair in zip(table[within], table[group], strict=True)]]
