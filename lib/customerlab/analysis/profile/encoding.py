"""Attributes of customers as numbers, by rules that are learned on one table and applied to others.

Every attribute has the same weight, however many columns it takes: its columns have a variance of one together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.clustering.space import Space, fit_space
from customerlab.analysis.language.base import kind_of
from customerlab.analysis.profile.attributes import MISSING, MOST_LEVELS, RARE
from customerlab.data.tables import Attribute

INDICATED = 0.05  # share of customers beyond which a number that is missing has a column of its own
SKEWED = 1.0  # skewness from which numbers that are not below zero are compared by ratio
OTHERS = "others"


@dataclass(frozen=True)
class Column:
    """One column of an encoding.

    Attributes
    ----------
    name : str
        That of the attribute, for its number; or with a level behind it, such as ``home: flat``.
    attribute : str
    kind : str
        ``number``; ``ordered`` (the place of the level, from 1); ``date`` (days up to the table's day); ``missing``,
        ``level`` and ``others``, which are 1 or 0.
    levels : tuple of str
        The levels that are told apart; of the kind ``level`` the one that counts as 1.
    fill : float
        What stands for a missing value.
    """

    name: str
    attribute: str
    kind: str
    levels: tuple[str, ...] = ()
    fill: float = 0.0


@dataclass(frozen=True)
class Encoding:
    """How attributes become numbers: plain texts and arrays, which `customerlab.codec` keeps.

    Attributes
    ----------
    columns : tuple of Column
        At least one.
    space : Space
        Transform and scale of each column.
    day : str
        The day that dates are counted to; empty without any.
    left_out : dict of str to str
        Attributes that no column is made of, and why.
    """

    columns: tuple[Column, ...]
    space: Space
    day: str
    left_out: dict[str, str]

    def values(self, table: pd.DataFrame) -> pd.DataFrame:
        """The columns in their own units, without missing values; of customers fitted or new, as `typed` has them.

        A level that was not there counts as ``others``; where there are no others, as none of the levels.
        """
        found = {one.name: _column(table[one.attribute], one, self.day) for one in self.columns}
        return pd.DataFrame(found, index=table.index)

    def encode(self, table: pd.DataFrame) -> pd.DataFrame:
        """The columns transformed and scaled, as methods take them; rounded as `Space.points` does."""
        values = self.values(table)
        return pd.DataFrame(self.space.points(values), index=table.index, columns=values.columns)

    @property
    def blocks(self) -> list[list[int]]:
        """The places of the columns of each attribute."""
        of = pd.Series([one.attribute for one in self.columns])
        return [places.tolist() for places in of.groupby(of, sort=False).groups.values()]


def fit_encoding(
    table: pd.DataFrame, attributes: Sequence[Attribute] = (), *, names: Sequence[str] = (), transform: str = "log1p",
    scaling: str = "standard",
) -> Encoding:  # fmt: skip
    """Learn how attributes become numbers; the order of rows does not matter.

    - Numbers and dates (in days up to the day after the last one of the table): a missing value is the median, and a
      column says that it is missing where more than 5% are. ``log1p`` takes the logarithm of one plus those that are
      not below zero and have a skewness above 1; ``yeo-johnson`` a power (Yeo and Johnson 2000).
    - Ordered attributes: the place of the level, from 1, equally spaced; missing values as of numbers.
    - Yes and no, categories and regions: one column per level, the 20 most common of those with at least 1% of the
      customers, ties by name; one for all others; one for missing values, where there are any. Yes and no without
      missing values is one column.
    - ``standard``: a number has mean 0 and variance 1; the columns of an attribute that has several have a variance of
      1 together, those of levels on one scale, so that customers of any two levels are equally far apart. Of other
      scalings (see `fit_space`) those of levels are 1 apart.
    - Left out are attributes that are sensitive, unless `names` has them, and those without any difference.

    Parameters
    ----------
    table : DataFrame
        As `typed` returns it.
    attributes : sequence of Attribute
        Which of them are sensitive; nothing is by default.
    names : sequence of str
        The attributes to be taken; by default all that are not sensitive.

    Raises
    ------
    ValueError
        For a name that is no attribute, and where nothing differs between customers.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20.0, 40.0, None], "home": pd.Categorical(["flat", "house", "flat"])})
    >>> found = fit_encoding(table)
    >>> for row in found.values(table).astype(int).to_dict("records"): print(row)
    {'age': 20, 'age: missing': 0, 'home: flat': 1, 'home: house': 0}
    {'age': 40, 'age: missing': 0, 'home: flat': 0, 'home: house': 1}
    {'age': 30, 'age: missing': 1, 'home: flat': 1, 'home: house': 0}
    >>> found.encode(table).var(ddof=0).groupby(["age", "age", "home", "home"]).sum().round(6).to_dict()
    {'age': 1.0, 'home': 1.0}
    """
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ValueError(f"there is no attribute {unknown[0]!r}; expected some of {', '.join(map(str, table))}")
    sensitive = {one.name for one in attributes if one.sensitive} - set(names)
    left_out = {name: "sensitive" for name in table if name in sensitive}
    day, columns = _day(table), list[Column]()
    for name in names or [str(name) for name in table if name not in sensitive]:
        made = [one for one in _columns(table[name], name, day) if _differs(_column(table[name], one, day))]
        columns += made
        if not made:
            known = table[name].dropna()
            left_out[name] = (
                "all missing" if known.empty else "constant" if known.nunique() == 1 else "no level is common"
            )
    if not columns:
        raise ValueError("customers do not differ in any attribute that is compared; expected one that varies")
    bare = Encoding(tuple(columns), _EMPTY, day, left_out)
    return replace(bare, space=_space(bare.values(table), columns, bare.blocks, transform, scaling))


_NONE = np.empty(0)
_EMPTY = Space((), "none", "standard", _NONE, _NONE, _NONE, np.empty((0, 0)))


def _day(table: pd.DataFrame) -> str:
    """The day after the last date of a table; empty without dates."""
    ends = [table[name].max() for name in table if kind_of(table[name]) == "date"]
    last = pd.Series(ends, dtype="datetime64[us]").max()
    return "" if pd.isna(last) else f"{last + pd.Timedelta(days=1):%Y-%m-%d}"


def _columns(values: pd.Series, name: str, day: str) -> list[Column]:
    """The columns that an attribute can have; some of them may be the same for all."""
    kind, gaps = kind_of(values), float(values.isna().mean())
    missing = Column(f"{name}: {MISSING}", name, MISSING)
    if kind in ("number", "ordered", "date"):
        levels = tuple(map(str, values.cat.categories)) if kind == "ordered" else ()
        bare = Column(name, name, kind, levels)
        middle = float(_numbers(values, bare, day).median()) if gaps < 1 else 0.0
        return [replace(bare, fill=middle), *[missing] * (gaps > INDICATED)]
    texts = _texts(values)
    counts = texts.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    common = counts[counts >= RARE * len(values)].index[:MOST_LEVELS].tolist()
    if kind == "yes/no" and not gaps:
        common = ["yes"]
    quoted = {one: f"'{one}'" for one in (MISSING, OTHERS)}  # a level that is called so
    made = [Column(f"{name}: {quoted.get(level, level)}", name, "level", (level,)) for level in common]
    if kind != "yes/no" and len(common) < len(counts):
        made.append(Column(f"{name}: {OTHERS}", name, OTHERS, tuple(common)))
    return [*made, *[missing] * bool(gaps)]


def _texts(values: pd.Series) -> pd.Series:
    """A column of levels as texts."""
    if kind_of(values) == "yes/no":
        return values.map({True: "yes", False: "no"}).astype("str")
    return values.astype("str")


def _numbers(values: pd.Series, one: Column, day: str) -> pd.Series:
    """A number, the place of a level, or days; NaN where it is missing."""
    if one.kind == "date":
        return (pd.Timestamp(day) - values).dt.days.astype("float64") if day else pd.Series(np.nan, values.index)
    if one.kind == "ordered":
        places = {level: float(place) for place, level in enumerate(one.levels, 1)}
        return values.astype("str").map(places).astype("float64")
    return values.astype("float64")


def _column(values: pd.Series, one: Column, day: str) -> np.ndarray:
    if one.kind == MISSING:
        return values.isna().to_numpy(dtype=float)
    if one.kind in ("level", OTHERS):
        met = _texts(values).isin(one.levels)
        return np.where(values.isna(), False, met if one.kind == "level" else ~met).astype(float)
    return _numbers(values, one, day).fillna(one.fill).to_numpy()


def _differs(values: np.ndarray) -> bool:
    return len(values) > 0 and bool(np.ptp(values) > 0)


def _space(
    values: pd.DataFrame, columns: Sequence[Column], blocks: Sequence[Sequence[int]], transform: str, scaling: str
) -> Space:
    """The transform of numbers, and scales by which every attribute has the same weight."""
    names, raw = [one.name for one in columns], np.sort(values.to_numpy(), axis=0)
    powers = np.ones(len(names))  # which leave a column as it is, where 0 is the logarithm
    numeric = np.array([one.kind in ("number", "date") for one in columns])
    if transform == "yeo-johnson" and numeric.any():
        chosen = [name for name, own in zip(names, numeric, strict=True) if own]
        powers[numeric] = fit_space(values, chosen, transform=transform).powers
    elif transform == "log1p":
        powers[numeric & (raw[0] >= 0) & (stats.skew(raw, axis=0) > SKEWED)] = 0.0
    bent = {name: stats.yeojohnson(values[name].to_numpy(), power) for name, power in zip(names, powers, strict=True)}
    found = fit_space(pd.DataFrame(bent), names, transform="none", scaling=scaling)
    centre, scale = found.centre.copy(), found.scale.copy()
    for block in blocks:
        if columns[block[0]].kind in ("level", OTHERS):
            shares = raw[:, block].mean(axis=0)
            standard = scaling == "standard"
            centre[block] = shares if standard else 0.0
            scale[block] = np.sqrt((shares * (1 - shares)).sum() if standard else 2.0)
        else:
            scale[block] *= np.sqrt(len(block))
    return replace(found, transform="yeo-johnson", powers=powers, centre=centre, scale=scale)
