"""Survey scales: how reliable a score of several items is, how many factors they have, and each customer's score.

Items are numbers, ordered categories (their places, from 1) or yes/no (1 and 0). A leading minus, as in "-bored", names
an item that is reversed. Reliability and factors are of customers with all answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.stats import f, wishart

from customerlab.analysis.inference import LEVEL, enough, too_few

Values = NDArray[np.float64]
ANSWERED = 0.5  # the share of its items that a customer has to answer for a score
REPLICATES = 500
QUANTILE = 0.95  # of random eigenvalues (Glorfeld 1995)
SMALLEST = 0.005  # share of an item's variance that is its own, at least


@dataclass(frozen=True)
class Reliability:
    """How reliable the mean of items is.

    Attributes
    ----------
    alpha, low, high : float
        Cronbach's alpha (1951), and its 95% interval (Feldt 1965).
    omega : float
        McDonald's omega total (1999) of a one-factor model; missing with fewer than three items, which do not
        identify it.
    error : float
        Standard error of measurement of the score of all items: its standard deviation · √(1 − omega), or of alpha
        where omega is missing.
    loadings : Series
        Of each item, reversed ones turned, on the one factor; standardised.
    customers : int
        Those with all answers.
    note : str
        What has to be known beside it, else empty.
    """

    alpha: float
    low: float
    high: float
    omega: float
    error: float
    loadings: pd.Series
    customers: int
    note: str


def alpha(covariance: ArrayLike) -> float:
    """Cronbach's alpha (1951) from a covariance matrix; from a correlation matrix, that of standardised items.

    Missing for one item, and where the sum of the items has no variance.

    Examples
    --------
    >>> round(alpha([[1, 0.5], [0.5, 1]]), 4)
    0.6667
    """
    table = np.asarray(covariance, dtype=float)
    items, total = len(table), table.sum()
    return float(items / (items - 1) * (1 - np.trace(table) / total)) if items > 1 and total > 0 else np.nan


def alpha_interval(value: float, customers: int, items: int, confidence: float = LEVEL) -> tuple[float, float]:
    """The interval of Cronbach's alpha by Feldt (1965), exact for normal items of equal correlation.

    Examples
    --------
    >>> low, high = alpha_interval(0.8, 100, 5)
    >>> round(low, 3), round(high, 3)
    (0.731, 0.856)
    """
    df, tail = (customers - 1, (customers - 1) * (items - 1)), (1 - confidence) / 2
    low, high = 1 - (1 - value) * f.ppf([1 - tail, tail], *df)
    return float(low), float(high)


def one_factor(correlation: ArrayLike) -> Values:
    """Loadings of the one-factor model by maximum likelihood (Jöreskog 1967), standardised, their sum not negative.

    The share of an item's variance that is its own is at least `SMALLEST` (a Heywood case). Raises ValueError for fewer
    than three items.

    Examples
    --------
    >>> one_factor([[1, 0.56, 0.48], [0.56, 1, 0.42], [0.48, 0.42, 1]]).round(3).tolist()
    [0.8, 0.7, 0.6]
    """
    table = np.asarray(correlation, dtype=float)
    if len(table) < 3:
        raise ValueError(f"{len(table)} items; a one-factor model needs at least 3")
    begin = np.full(len(table), 0.5)
    bounds = [(SMALLEST, 1.0)] * len(table)
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5_000, "maxfun": 20_000}
    own = minimize(_misfit, begin, args=(table,), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    found = _loadings(own, table)[0]
    return found if found.sum() >= 0 else -found


def omega(covariance: ArrayLike) -> float:
    """McDonald's omega total (1999), (Σλ)² / ((Σλ)² + Σψ), of the one-factor model of a covariance matrix.

    Examples
    --------
    >>> round(omega([[1, 0.56, 0.48], [0.56, 1, 0.42], [0.48, 0.42, 1]]), 4)  # 2.1² / (2.1² + 0.36 + 0.51 + 0.64)
    0.7449
    """
    table = np.asarray(covariance, dtype=float)
    spread = np.sqrt(np.diag(table))
    loadings = one_factor(table / np.outer(spread, spread))
    common = (spread @ loadings) ** 2
    return float(common / (common + spread**2 @ (1 - loadings**2)))


def reliability(table: pd.DataFrame, items: Sequence[str]) -> Reliability:
    """The reliability of the mean of items, of customers who answered all.

    An item that is equal for all of them says nothing of their differences: it is left out, and named in `note`. With
    fewer than `inference.LEAST` such customers, not more customers than items, or fewer than two items, all is missing.

    Parameters
    ----------
    table : DataFrame
        One row per customer.
    items : sequence of str
        Columns, reversed ones with a leading minus.

    Raises
    ------
    ValueError
        For an item that the table lacks, that is named twice, or that is neither number, ordered nor yes/no.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> answers = pd.DataFrame(rng.normal(size=(500, 4)) + rng.normal(size=(500, 1)), columns=list("abcd"))
    >>> found = reliability(answers.assign(d=-answers["d"]), ["a", "b", "c", "-d"])  # in the long run 0.8
    >>> round(found.alpha, 2), round(found.omega, 2)
    (0.8, 0.8)
    """
    known, varied = _complete(table, items)
    n, k = varied.shape
    constant = [str(name) for name in known if name not in varied]
    if not enough(n) or n <= k or k < 2:
        note = too_few(n, "customers with all answers") if k > 1 else too_few(k, "items with different answers")
        blank = pd.Series(np.nan, known.columns, name="loading")
        return Reliability(np.nan, np.nan, np.nan, np.nan, np.nan, blank, n, note)
    covariance = varied.cov().to_numpy()
    value = alpha(covariance)
    low, high = alpha_interval(value, n, k)
    loadings, total = pd.Series(np.nan, known.columns, name="loading"), np.nan
    if k > 2:
        loadings[varied.columns] = one_factor(varied.corr())
        total = omega(covariance)
    error = np.sqrt(covariance.sum() / k**2 * max(1 - (total if k > 2 else value), 0))
    return Reliability(value, low, high, total, float(error), loadings, n, _noted(constant, loadings))


def scores(table: pd.DataFrame, items: Sequence[str], *, bounds: tuple[float, float] | None = None) -> pd.DataFrame:
    """Each customer's score: the mean of the answered items, where at least half of the items are answered.

    Parameters
    ----------
    table, items
        As in `reliability`.
    bounds : (float, float), optional
        The least and greatest possible answer, by which items are reversed (least + greatest − answer); without them,
        those of the answers to all items.

    Returns
    -------
    DataFrame
        One row per customer, with the index of `table`: `score`, `answered` (number of items) and `error`, the standard
        error of measurement, which grows with the root of items / answered (Spearman and Brown 1910). Missing where
        fewer than half of the items are answered.

    Raises
    ------
    ValueError
        As in `reliability`, and for answers out of bounds.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [5, 4, None], "b": [4, None, None], "c": [1, 2, 3]}, index=["x", "y", "z"])
    >>> scores(answers, ["a", "b", "-c"], bounds=(1, 5))[["score", "answered"]].values.tolist()
    [[4.666666666666667, 3.0], [4.0, 2.0], [nan, 1.0]]
    """
    answers = _answers(table, items, bounds)
    answered = answers.notna().sum(axis=1)
    enough_of_them = answered >= ANSWERED * len(items)
    error = reliability(table, items).error * np.sqrt(len(items) / answered.where(enough_of_them))
    return pd.DataFrame({"score": answers.mean(axis=1).where(enough_of_them), "answered": answered, "error": error})


def parallel_analysis(table: pd.DataFrame, items: Sequence[str], *, seed: int) -> pd.DataFrame:
    """How many factors items have: those whose eigenvalues are above those of random data (Horn 1965).

    Random data are `REPLICATES` samples of as many customers and items, normal and independent; the 95th percentile of
    their eigenvalues counts (Glorfeld 1995). Items that are equal for all customers are left out.

    Returns
    -------
    DataFrame
        One row per factor: `factor` (from 1), `eigenvalue` of the correlation matrix, `random`, and `kept`: whether it
        and all factors before it are above. Empty where `reliability` is missing.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> answers = pd.DataFrame(rng.normal(size=(300, 6)) + np.repeat(rng.normal(size=(300, 2)), 3, axis=1))
    >>> answers = answers.set_axis(list("abcdef"), axis=1)
    >>> int(parallel_analysis(answers, list("abcdef"), seed=0)["kept"].sum())
    2
    """
    varied = _complete(table, items)[1]
    n, k = varied.shape
    if not enough(n) or n <= k or k < 2:
        return pd.DataFrame(columns=["factor", "eigenvalue", "random", "kept"])
    found = np.linalg.eigvalsh(varied.corr())[::-1]
    drawn = wishart.rvs(n - 1, np.eye(k), size=REPLICATES, random_state=np.random.default_rng(seed))
    spread = np.sqrt(np.diagonal(drawn, axis1=1, axis2=2))
    random = np.linalg.eigvalsh(drawn / (spread[:, :, None] * spread[:, None, :]))[:, ::-1]
    limit = np.quantile(random, QUANTILE, axis=0)
    kept = np.logical_and.accumulate(found > limit)
    return pd.DataFrame({"factor": np.arange(1, k + 1), "eigenvalue": found, "random": limit, "kept": kept})


def _complete(table: pd.DataFrame, items: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers of customers with all of them, sorted so that no sum depends on the order; and the items that differ."""
    known = _answers(table, items).dropna()
    known = known.sort_values(list(known.columns), ignore_index=True)
    return known, known.loc[:, known.nunique() > 1]


def _answers(table: pd.DataFrame, items: Sequence[str], bounds: tuple[float, float] | None = None) -> pd.DataFrame:
    """Answers as numbers, a column per item, reversed ones turned."""
    turned = {item.removeprefix("-"): item.startswith("-") for item in items}
    if not items or len(turned) < len(items):
        raise ValueError("A scale needs items, each named once.")
    answers = pd.DataFrame({name: _numbers(table, name) for name in turned}, index=table.index)
    low, high = (answers.min().min(), answers.max().max()) if bounds is None else bounds
    if ((answers < low) | (answers > high)).any(axis=None):
        raise ValueError(f"There are answers out of the bounds {low} and {high}.")
    return pd.DataFrame({name: low + high - answers[name] if turned[name] else answers[name] for name in turned})


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    """The answers to an item as numbers, missing ones as NaN."""
    if name not in table:
        raise ValueError(f"The table lacks the item {name!r}.")
    column = table[name]
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        return (column.cat.codes + 1.0).where(column.notna())
    if not pd.api.types.is_numeric_dtype(column):
        raise ValueError(f"{name!r} is neither a number nor ordered nor yes/no; a scale needs one of these")
    return pd.Series(column.to_numpy(dtype=float, na_value=np.nan), column.index)


def _loadings(own: Values, table: Values) -> tuple[Values, Values]:
    """Loadings for the items' own shares of variance, and the eigenvalues of what these leave, the largest last."""
    root = np.sqrt(own)
    values, vectors = np.linalg.eigh(table / np.outer(root, root))
    return root * vectors[:, -1] * np.sqrt(max(values[-1] - 1, 0)), values


def _misfit(own: Values, table: Values) -> tuple[float, Values]:
    """What maximum likelihood minimises, given the items' own shares of variance, and its gradient (Jöreskog 1967)."""
    loadings, values = _loadings(own, table)
    loss = np.log(own).sum() + np.log(max(values[-1], 1)) + values[:-1].sum() + min(values[-1], 1)
    return float(loss), (loadings**2 + own - np.diag(table)) / own**2


def _noted(constant: Sequence[str], loadings: pd.Series) -> str:
    """Items that are left out, that should be reversed, or that the factor explains wholly."""
    against = loadings.index[loadings < 0]
    whole = loadings.index[loadings**2 > 1 - 1.01 * SMALLEST]
    notes = [
        (constant, "equal for all customers and left out"),
        (against, "against the others: reverse it, or leave it out"),
        (whole, "explained wholly by the factor (Heywood case)"),
    ]
    return "; ".join(f"{', '.join(names)}: {what}" for names, what in notes if len(names))


def alike(attributes: Sequence[Any]) -> list[str]:
    """The largest group of at least three ordered attributes with equal levels, as answers on one scale have them.

    `attributes` are those of `lab.attributes`; returns names.
    """
    groups: dict[tuple, list[str]] = {}
    for one in attributes:
        if one.kind == "ordered" and one.levels:
            groups.setdefault(tuple(one.levels), []).append(one.name)
    most = max(groups.values(), key=len, default=[])
    return most if len(most) >= 3 else []
