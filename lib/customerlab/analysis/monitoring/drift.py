"""Drift: whether the distribution of each of customers' features differs between two times.

The same customers are usually in both samples, such as those of two windows in a row. Their features at the two times
are positively correlated, so two samples differ less by chance than independent ones. All tests here are of independent
samples: with shared customers they are conservative, with fewer false alarms than the level and less power.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from customerlab.analysis.inference import enough, holm

Values = NDArray[np.float64]
CUSTOMER = "customer_id"
NUMBER, CATEGORY = "number", "category"
BINS = 10  # of a number, at most
EXPECTED = 5  # customers of the smaller sample that a cell needs for a chi-square distribution (Cochran 1954)
TESTED = ["psi", "psi_p", "statistic", "p", "js"]


def psi(expected: ArrayLike, actual: ArrayLike) -> float:
    """The population stability index of two samples over the same bins: Σ (a − e) ln(a / e) over shares a and e.

    Where a bin is empty in one sample, half a customer is added to each bin of both (Haldane 1956), which vanishes as
    samples grow. Bins that are empty in both do not count.

    Parameters
    ----------
    expected, actual : array of shape (bins,)
        Numbers of customers; or shares, if no bin is empty.

    Raises
    ------
    ValueError
        For vectors of unlike lengths or without customers, and for shares with an empty bin.

    Examples
    --------
    >>> round(psi([25, 25, 25, 25], [10, 20, 30, 40]), 4), round(psi([50, 50], [100, 0]), 2)
    (0.2282, 2.63)
    """
    counts = np.array([expected, actual], dtype=float)
    counts = counts[:, counts.any(axis=0)]
    if not counts.any(axis=1).all():
        raise ValueError("A population stability index needs customers in both samples.")
    if not counts.all():
        if (counts.sum(axis=1) < 1 + 1e-9).any():
            raise ValueError("A bin is empty: the population stability index needs numbers of customers, not shares.")
        counts = counts + 0.5
    share = counts / counts.sum(axis=1, keepdims=True)
    return float(((share[1] - share[0]) * np.log(share[1] / share[0])).sum())


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    names: Sequence[str] | None = None,
    season: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare each feature's distribution at two times, on cells of customers; `psi_p` is the test that decides.

    A number is cut at quantiles of both samples together, equal ones merged; a category has a cell for each value, and
    what is missing one of its own. Cells in which fewer than `EXPECTED` customers of the smaller sample are expected
    are pooled, and half a customer is added to each for PSI. Cells depend on both samples put together alone, so that
    ties, few customers and values outside the reference's range do no harm. One test serves counts, amounts and
    categories: under no change, PSI · nm / (n + m) has a chi-square distribution of cells − 1 degrees of freedom
    (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14(4)); limits of .1 and .25 ignore the sample size.

    Parameters
    ----------
    reference, current : DataFrame
        One row per customer, and features: numbers, or texts, categories and bool.
    names : sequence of str, optional
        The features, else all columns but `customer_id`.
    season : DataFrame, optional
        The same features at the same season a year before. Then a feature has drifted if it differs from the reference
        and from a year before: the larger of the two p-values counts (intersection–union; Berger 1982).

    Returns
    -------
    DataFrame
        One row per feature: `feature`, `kind`, `reference` and `current` (numbers of customers), `psi`, `psi_p`,
        `statistic` and `p` (of a number Kolmogorov–Smirnov, asymptotic, without missing values, conservative where
        values are tied; of a category Pearson's chi-square over its cells), `js` (Jensen–Shannon distance, base 2,
        from 0 to 1), with a season `season_p` (`psi_p` against it), and `p_adjusted` (Holm over all rows, of `psi_p`
        or of the larger of the two). Missing where a sample has too few customers; a feature that is equal for all
        customers has PSI 0 and p 1.

    Raises
    ------
    ValueError
        For a feature that a table lacks, or that is a number in one table alone.

    Examples
    --------
    >>> before = pd.DataFrame({"orders": [1, 2] * 40, "country": ["DE", "AT", "DE", "DE"] * 20})
    >>> after = pd.DataFrame({"orders": [1, 2] * 40, "country": ["AT", "AT", "AT", "DE"] * 20})
    >>> compare(before, after)[["feature", "psi", "p_adjusted"]].round(4).values.tolist()
    [['orders', 0.0, 1.0], ['country', 1.0689, 0.0]]
    """
    features = [name for name in reference.columns if name != CUSTOMER] if names is None else list(names)
    return _adjusted(_rows([reference, current, *_known(season)], features))


def within(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    by: str,
    *,
    names: Sequence[str] | None = None,
    season: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare each feature's distribution at two times within each group of customers.

    Parameters and results are those of `compare`, with the group of the column `by` (as it was at each time) in a first
    column `group`, sorted. Holm's adjustment is over all features and groups. Groups with too few customers at a time,
    and those that are missing at one, have missing values and do not count. Customers without a group are left out.

    Examples
    --------
    >>> before = pd.DataFrame({"segment": ["A", "B"] * 40, "orders": [1, 1, 2, 2] * 20})
    >>> after = pd.DataFrame({"segment": ["A", "B"] * 40, "orders": [1, 3, 2, 3] * 20})
    >>> within(before, after, "segment")[["group", "feature", "p_adjusted"]].round(4).values.tolist()
    [['A', 'orders', 1.0], ['B', 'orders', 0.0]]
    """
    features = [name for name in reference.columns if name not in (CUSTOMER, by)] if names is None else list(names)
    tables = [reference, current, *_known(season)]
    if any(by not in table for table in tables):
        raise ValueError(f"A table lacks the groups {by!r}.")
    groups = sorted(set(reference[by].dropna()) | set(current[by].dropna()))
    parts = {group: [table[table[by] == group] for table in tables] for group in groups}
    return _adjusted([{"group": group} | row for group in groups for row in _rows(parts[group], features)])


def _known(season: pd.DataFrame | None) -> list[pd.DataFrame]:
    """The table of a year before, if any."""
    return [] if season is None else [season]


def _adjusted(rows: list[dict]) -> pd.DataFrame:
    """Rows as a table, with p-values adjusted over all of them; a year before counts where there is one."""
    table = pd.DataFrame(rows)
    if table.empty:
        return pd.DataFrame(columns=["feature", "kind", "reference", "current", *TESTED, "p_adjusted"])
    deciding = table.reindex(columns=["psi_p", "season_p"] if "season_p" in table else ["psi_p"])
    return table.assign(p_adjusted=holm(deciding.max(axis=1, skipna=False)))


def _rows(tables: Sequence[pd.DataFrame], names: Sequence[str]) -> list[dict]:
    """What there is to say of each feature, before p-values are adjusted; a third table is that of a year before."""
    rows, (reference, current) = [], tables[:2]
    for name in names:
        kind = kind_of(name, tables)
        row = {"feature": name, "kind": kind, "reference": len(reference), "current": len(current)}
        row |= dict(zip(TESTED, _tested(reference[name], current[name], kind), strict=True))
        for past in tables[2:]:
            row["season_p"] = _tested(past[name], current[name], kind)[1]
        rows.append(row)
    return rows


def kind_of(name: str, tables: Sequence[pd.DataFrame]) -> str:
    """Whether a feature is a number or a category, the same in all tables."""
    if any(name not in table for table in tables):
        raise ValueError(f"A table lacks the feature {name!r}.")
    types = [table[name].dtype for table in tables]
    numbers = {pd.api.types.is_numeric_dtype(of) and not pd.api.types.is_bool_dtype(of) for of in types}
    if len(numbers) > 1:
        raise ValueError(f"The feature {name!r} is a number in one table and none in another.")
    return NUMBER if numbers.pop() else CATEGORY


def _tested(reference: pd.Series, current: pd.Series, kind: str) -> tuple[float, ...]:
    """PSI, its p-value, the classical test's statistic and p-value, and the Jensen–Shannon distance."""
    n, m = len(reference), len(current)
    if not enough(n, m):
        return (np.nan,) * len(TESTED)
    cells = _cells(reference, current, kind)
    df = cells.shape[1] - 1
    index = psi(*(cells + 0.5))  # without it, samples of 50 to 100 have 7% to 8% false alarms at a level of 5%
    classical = (0.0, 1.0)
    if kind == NUMBER:
        known = [sample.dropna().to_numpy(dtype=float) for sample in (reference, current)]
        classical = stats.ks_2samp(*known, method="asymp")[:2] if enough(*map(len, known)) else (np.nan, np.nan)
    elif df:
        classical = stats.chi2_contingency(cells, correction=False)[:2]
    p = float(stats.chi2.sf(index * n * m / (n + m), df)) if df else 1.0
    return index, p, *map(float, classical), float(jensenshannon(*cells, base=2))


def _cells(reference: pd.Series, current: pd.Series, kind: str) -> Values:
    """Numbers of customers by sample and cell, of shape (2, cells), with sparse cells pooled."""
    n, m = len(reference), len(current)
    both = pd.concat([reference, current], ignore_index=True)
    if kind == NUMBER:
        values, number = both.to_numpy(dtype=float, na_value=np.nan), max(min(BINS, min(n, m) // EXPECTED), 1)
        known = values[~np.isnan(values)]
        at = np.arange(1, number) / number
        edges = np.unique(np.quantile(known, at, method="inverted_cdf")) if len(known) else np.empty(0)
        code = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
    else:
        code = pd.factorize(both, use_na_sentinel=False)[0]
    cells = np.array([np.bincount(part, minlength=code.max() + 1) for part in (code[:n], code[n:])], dtype=float)
    return _pooled(cells[:, cells.any(axis=0)])


def _pooled(cells: Values) -> Values:
    """Cells with few expected customers as one cell, and with the smallest others if these are still too few."""
    cells = cells[:, np.lexsort((cells[0], cells.sum(axis=0)))]
    expected = cells.sum(axis=0) * cells.sum(axis=1).min() / cells.sum()
    sparse = int((expected < EXPECTED).sum())
    pooled = max(sparse, int(np.searchsorted(expected.cumsum(), EXPECTED)) + 1) if sparse else 1
    return np.column_stack([cells[:, :pooled].sum(axis=1), cells[:, pooled:]])
