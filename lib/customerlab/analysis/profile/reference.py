"""Customers beside a reference population: which groups are over- and under-represented."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.experiment.questions import named_numbers
from customerlab.analysis.inference import LEAST, LEVEL, enough, holm, wilson

EXPECTED = 5  # customers that a cell needs for a chi-square distribution (Cochran 1954)
ROUNDING = 0.005  # by which published shares may miss 1


@dataclass(frozen=True)
class Representation:
    """How customers are distributed over groups, beside a reference population.

    Attributes
    ----------
    table : DataFrame
        One row per group, as `compare` says.
    customers, unknown : int
        Customers in groups of the reference, and those whose group is missing.
    without_customers, without_reference : tuple
        Groups of the reference without customers, and groups of customers that the reference lacks.
    statistic, p : float
        Pearson's chi-square of all groups together, with `df` degrees of freedom; missing where there are too few.
    """

    table: pd.DataFrame
    customers: int
    unknown: int
    without_customers: tuple
    without_reference: tuple
    statistic: float
    df: int
    p: float


def compare(groups: pd.Series, reference: pd.DataFrame, *, smallest: int = 1) -> Representation:
    """Compare the shares of customers by group with those of a reference population, such as a census.

    The reference is taken as exact. Shares are of the customers whose group the reference has: the others cannot be
    compared, and are named.

    Parameters
    ----------
    groups : Series
        The group of each customer; missing if it is not known.
    reference : DataFrame
        One row per group: `group`, and `share` (from 0 to 1, which sum to 1) or `number` (of people).
    smallest : int
        Groups of fewer customers keep their names but not their numbers, and so do others that would reveal them
        (`disclosure.hidden`). They count in the test of the whole.

    Returns
    -------
    Representation
        Its table, in the order of the reference and then, sorted, of groups that the reference lacks: `group`,
        `reference`, `customers`, `share` with `low` and `high` (simultaneous 95% intervals: Goodman 1965, which are
        those of Wilson at a level shared by the groups), `index` (100 as in the population) with `index_low` and
        `index_high`, `p` (exact binomial, two-sided, twice the smaller tail) and `p_adjusted` (Holm). Intervals and p
        are missing for groups of which fewer than 20 customers are expected, and fewer are there. The test of the
        whole pools groups in which fewer than 5 customers are expected.

    Raises
    ------
    ValueError
        If the reference has no such columns, a group twice or without a name, numbers that are not above zero or
        shares that do not sum to 1, or no group in common with the customers.

    Examples
    --------
    >>> customers = pd.Series(["18-34"] * 60 + ["35-64"] * 120 + ["65+"] * 20)
    >>> census = pd.DataFrame({"group": ["18-34", "35-64", "65+"], "share": [0.25, 0.5, 0.25]})
    >>> found = compare(customers, census)
    >>> found.table[["group", "share", "index", "p_adjusted"]].round(3).values.tolist()
    [['18-34', 0.3, 120.0, 0.125], ['35-64', 0.6, 120.0, 0.011], ['65+', 0.1, 40.0, 0.0]]
    >>> round(found.statistic, 6), found.df
    (24.0, 2)
    """
    population = _shares(reference)
    counts = groups.dropna().astype(object).value_counts()
    beyond = sorted(set(counts.index) - set(population.index), key=str)
    if len(counts) and len(beyond) == len(counts):
        raise ValueError(
            f"The reference has no group of the customers: found {beyond[:3]}, expected {list(population.index[:3])}."
        )
    inside = counts.reindex(population.index, fill_value=0)
    n, expected = int(inside.sum()), population * inside.sum()
    table = pd.DataFrame({"reference": population, "customers": inside, "share": inside / max(n, 1)})
    judged = np.maximum(inside, expected) >= LEAST
    ends = wilson(table["share"], pd.Series(float(max(n, 1)), table.index), 1 - (1 - LEVEL) / len(table))
    table["low"], table["high"] = (end.where(judged).clip(0, 1) for end in ends)
    for index, share in (("index", "share"), ("index_low", "low"), ("index_high", "high")):
        table[index] = 100 * table[share] / population
    tails = np.minimum(stats.binom.cdf(inside, n, population), stats.binom.sf(inside - 1, n, population))
    table["p"] = pd.Series(np.minimum(2 * tails, 1), table.index).where(judged)
    table["p_adjusted"] = holm(table["p"])
    table = table.reindex([*population.index, *beyond]).rename_axis("group").reset_index()
    table["customers"] = counts.reindex(table["group"], fill_value=0).to_numpy()
    return Representation(
        suppressed(table, smallest, keep=["group", "reference"]),
        n,
        int(groups.isna().sum()),
        tuple(population.index[inside == 0]),
        tuple(beyond),
        *_whole(inside.to_numpy(dtype=float), expected.to_numpy()),
    )


def _shares(reference: pd.DataFrame) -> pd.Series:
    """The share of each group of a reference population, checked."""
    column = "share" if "share" in reference else "number"
    if not {"group", column} <= set(reference.columns):
        raise ValueError(
            f"The reference has the columns {list(reference.columns)}; expected 'group', and 'share' or 'number'."
        )
    names, values = reference["group"], pd.to_numeric(reference[column], errors="coerce")
    if names.isna().any() or names.duplicated().any() or names.empty:
        twice = names[names.duplicated()].tolist()[:3]
        raise ValueError(
            f"The reference has no groups, a group twice or one without a name {twice}; expected one row for each."
        )
    wrong = names[~((values > 0) & np.isfinite(values))].tolist()
    if wrong:
        raise ValueError(
            f"The reference's {column} of {wrong[0]!r} is not above zero; leave out groups without people."
        )
    total = values.sum()
    if column == "share" and abs(total - 1) > ROUNDING:
        raise ValueError(
            f"The shares of the reference sum to {total:.4g}; expected 1, or a column 'number' instead of 'share'."
        )
    return pd.Series((values / total).to_numpy(dtype=float), pd.Index(names, dtype=object))


def _whole(observed: np.ndarray, expected: np.ndarray) -> tuple[float, int, float]:
    """Pearson's chi-square, its degrees of freedom and p-value, with sparse groups pooled."""
    order = np.lexsort((observed, expected))
    observed, expected = observed[order], expected[order]
    sparse = int((expected < EXPECTED).sum())
    pooled = max(sparse, int(np.searchsorted(expected.cumsum(), EXPECTED)) + 1) if sparse else 1
    cells = [np.append(values[:pooled].sum(), values[pooled:]) for values in (observed, expected)]
    df = len(cells[0]) - 1
    if not enough(observed.sum()) or not df:
        return np.nan, df, np.nan
    statistic = float(((cells[0] - cells[1]) ** 2 / cells[1]).sum())
    return statistic, df, float(stats.chi2.sf(statistic, df))


def population(texts: Sequence[str]) -> pd.DataFrame:
    """The groups of a reference population, as a parameter of a notebook names them.

    Examples
    --------
    >>> population(["flat: 0.6", "house: 0.4"]).values.tolist()
    [['flat', 0.6], ['house', 0.4]]
    """
    known = named_numbers(texts, "population")
    what = "share" if max(known.values(), default=0.0) <= 1 else "number"
    return pd.DataFrame({"group": list(known), what: list(known.values())})
