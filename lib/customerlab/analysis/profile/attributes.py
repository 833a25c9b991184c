"""Declared attributes of customers as a table of their types, what is in it, and what is missing."""

from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.language.base import kind_of
from customerlab.analysis.orders import fetched
from customerlab.data.tables import Attribute
from customerlab.formats import percent, short

MOST_LEVELS = 20  # levels of an attribute that are told apart; the others, and rare ones, are one
RARE = 0.01  # share of customers below which a level is rare
NAMED = 3  # levels that an overview names
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # no ends, which are single customers'
MISSING = "missing"


def typed(table: "pd.DataFrame | ir.Table", attributes: Sequence[Attribute]) -> pd.DataFrame:
    """The declared attributes of customers, whose types say of which kind each is.

    Parameters
    ----------
    table : DataFrame or ibis Table
        The canonical `customers`: `customer_id` and a column for each attribute.
    attributes : sequence of Attribute
        As the catalogue declares them, `lab.attributes`.

    Returns
    -------
    DataFrame
        One row per customer, sorted by `customer_id`, its index; one column per attribute, in their order. Numbers are
        floats, ordered attributes ordered categories (without declared levels: those there are, by size), categories
        and regions categories, yes and no nullable booleans, dates days. Missing values are NaN, NA or NaT.

    Raises
    ------
    ValueError
        Where no attribute is declared, a column is lacking, or an id occurs twice.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["b", "a"], "age": [31.0, None], "income": ["low", "high"]})
    >>> declared = [Attribute("age", "number"), Attribute("income", "ordered", levels=("low", "high"))]
    >>> typed(rows, declared)["income"].cat.codes.tolist()
    [1, 0]
    """
    rows = table if isinstance(table, pd.DataFrame) else fetched(table)
    if not attributes:
        raise ValueError("no attribute of customers is declared; expected at least one in data/catalog.yml")
    lacking = [one.name for one in attributes if one.name not in rows]
    if lacking:
        raise ValueError(f"the customers have no column {lacking[0]!r}; they have {', '.join(map(str, rows))}")
    if rows["customer_id"].duplicated().any():
        raise ValueError("a customer_id occurs twice; expected one row for each customer")
    rows = rows.sort_values("customer_id").set_index("customer_id")
    return pd.DataFrame({one.name: _typed(rows[one.name], one) for one in attributes}, index=rows.index)


def _typed(values: pd.Series, one: Attribute) -> pd.Series:
    """A column of the type that its kind has."""
    if one.kind == "number":
        return values.astype("float64")
    if one.kind == "yes_no":
        return values.astype("boolean")
    if one.kind == "date":
        return pd.to_datetime(values).dt.normalize()
    texts = values.astype("str")
    levels = one.levels or sorted(texts.dropna().unique(), key=float if one.kind == "ordered" else str)
    return texts.astype(pd.CategoricalDtype(list(levels), ordered=one.kind == "ordered"))


def overview(table: pd.DataFrame, attributes: Sequence[Attribute], *, smallest: int = 1) -> pd.DataFrame:
    """What there is of each attribute.

    Parameters
    ----------
    table : DataFrame
        As `typed` returns it.
    smallest : int
        Levels of fewer customers are not named.

    Returns
    -------
    DataFrame
        One row per attribute: `attribute`, `kind`, `unit`, `meaning`, `known` (customers), `missing` (their share; NaN
        without customers), `distinct` (values), `values` in words (quantiles 5% to 95% of numbers and days, the most
        common levels of others, with their share of what is known) and a `note`.

    Examples
    --------
    >>> declared = [Attribute("home", "category"), Attribute("code", "number", "points")]
    >>> rows = pd.DataFrame({"customer_id": ["a", "b"], "home": ["flat", "flat"], "code": [None, None]})
    >>> overview(typed(rows, declared), declared)[["known", "values", "note"]].values.tolist()
    [[2, 'flat 100%', 'constant'], [0, '–', 'all missing']]
    """
    rows = []
    for one in attributes:
        values = table[one.name]
        known = values.dropna()
        row: dict[str, Any] = {
            "attribute": one.name,
            "kind": one.kind.replace("yes_no", "yes/no"),
            "unit": one.unit,
            "meaning": one.meaning,
        }
        row |= {"known": len(known), "missing": float(values.isna().mean()), "distinct": int(known.nunique())}
        rows.append(row | {"values": _in_words(known, smallest), "note": _note(known, len(values), one)})
    return pd.DataFrame(rows)


def _in_words(known: pd.Series, smallest: int) -> str:
    """The values that are known, in brief."""
    if known.empty:
        return "–"
    if kind_of(known) in ("number", "date"):
        found = known.quantile(list(QUANTILES)).tolist()
        low, quarter, middle, upper, high = (
            f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else short(value) for value in found
        )
        return f"median {middle}; half from {quarter} to {upper}; 90% from {low} to {high}"
    counts = _counted(known)
    counts = counts[counts >= smallest].head(NAMED)
    words = {True: "yes", False: "no"} if kind_of(known) == "yes/no" else {}
    shares = zip(counts.index.tolist(), (counts / len(known)).tolist(), strict=True)
    return ", ".join(f"{words.get(name, name)} {percent(share)}" for name, share in shares) or "–"


def _counted(known: pd.Series) -> pd.Series:
    """How many customers each level has, the most common first, ties in the order of the levels."""
    counts = known.value_counts(sort=False).sort_index()
    return counts[counts > 0].sort_values(ascending=False, kind="stable")


def _note(known: pd.Series, customers: int, one: Attribute) -> str:
    """What a reader should know of an attribute."""
    distinct, said = known.nunique(), []
    if known.empty:
        said.append("all missing")
    elif distinct == 1 and len(known) > 1:
        said.append("constant")
    elif kind_of(known) == "category" and len(known) > 1 and distinct == len(known):
        said.append("identifies customers: each has a value of its own")
    elif kind_of(known) == "category" and distinct > MOST_LEVELS:
        said.append(f"{distinct:,} categories: the {MOST_LEVELS} most common, and others")
    if one.missing and len(known) < customers:
        said.append(f"missing: {one.missing}")
    return "; ".join([*said, *["sensitive"] * one.sensitive])


def missing_patterns(table: pd.DataFrame, *, most: int = 10) -> pd.DataFrame:
    """Which attributes are missing together (Little and Rubin 2019, section 1.2).

    Returns
    -------
    DataFrame
        One row per pattern, the most common first, ties by name, at most so many: `missing` (the attributes, or
        ``nothing``), `customers` and `share` of all.

    Examples
    --------
    >>> missing_patterns(pd.DataFrame({"age": [1.0, None, None], "home": ["flat", None, None]}))["missing"].tolist()
    ['age, home', 'nothing']
    """
    gaps = table.isna().to_numpy()
    found, counts = np.unique(gaps, axis=0, return_counts=True)
    names = [", ".join(table.columns[row]) or "nothing" for row in found]
    result = pd.DataFrame({"missing": names, "customers": counts, "share": counts / max(len(table), 1)})
    return result.sort_values(["customers", "missing"], ascending=[False, True], ignore_index=True).head(most)


def alerts(found: pd.DataFrame) -> list[str]:
    """What is unusual in an overview, one sentence each: attributes with a note, and those of which most is missing."""
    rows = found[found["note"].str.contains("all missing|constant|categories|identifies")]
    said = [f"{name}: {note}." for name, note in zip(rows["attribute"], rows["note"], strict=True)]
    rows = found[(found["missing"] > 0.5) & (found["known"] > 0)]
    return said + [
        f"{name}: {percent(gone)} missing." for name, gone in zip(rows["attribute"], rows["missing"], strict=True)
    ]


def of_attributes(found: pd.DataFrame, customers: int) -> list[str]:
    """How many customers and attributes there are, and which attribute has most gaps, as findings."""
    kinds = found["kind"].value_counts().sort_index().to_dict()
    listed = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    said = [f"{customers:,} customers have {len(found)} attribute{'s' * (len(found) > 1)} ({listed})."]
    gaps = found.sort_values("missing", ascending=False, kind="stable").query("missing > 0")
    if gaps.empty:
        return [*said, "No value is missing."]
    name, share = gaps[["attribute", "missing"]].iloc[0]
    return [*said, f"{len(gaps)} of {len(found)} have missing values, most of them {name} ({percent(share)})."]
