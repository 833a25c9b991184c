"""What tells segments apart: standardised differences of each attribute from all other customers."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from customerlab.analysis.inference import LEAST, LEVEL, holm, too_few, wilson
from customerlab.analysis.language.base import kind_of
from customerlab.analysis.profile.gower import Coding, Values, fit_coding

MISSING = "(missing)"
MOST = 20  # levels of an attribute, the most common ones
NO_VARIANCE = "no variance within the two groups"
COLUMNS = [
    "segment", "attribute", "kind", "level", "customers", "others", "mean", "others_mean", "difference", "low", "high",
    "effect", "effect_low", "effect_high", "pvalue", "pvalue_holm", "note",
]  # fmt: skip
Codes = NDArray[np.intp]


def differences(attributes: pd.DataFrame, segments: pd.Series) -> pd.DataFrame:
    """Compare each segment with all other customers in each attribute, adjusted over all comparisons.

    Numbers and dates are compared by their means: Cohen's d (1988), the difference by the pooled standard deviation,
    with an interval from the influence of each customer on d, which needs neither a normal distribution nor equal
    variances. Levels of a category, of an ordered attribute, and ``yes`` are compared by shares of the customers whose
    value is known: Cohen's h (1988), the difference of 2 arcsin √share, and Newcombe's interval (1998, method 10) of
    the difference. What is missing is compared as a level of its own, by share of all.

    Parameters
    ----------
    attributes : DataFrame
        One row per customer, indexed by `customer_id`; dtypes say the kind, as for `gower.fit_coding`.
    segments : Series
        The segment of each customer by `customer_id`. Customers who are in one of the two tables alone do not count.

    Returns
    -------
    DataFrame
        One row per attribute, level and segment: `segment`, `attribute`, `kind`, `level` (empty for means), `customers`
        and `others` (with a known value), `mean` and `others_mean` (means in the attribute's unit, of dates in days
        since 1970; or shares), `difference` with `low` and `high`, `effect` (d or h) with `effect_low` and
        `effect_high`, `pvalue`, `pvalue_holm`, `note`. Intervals are simultaneous (95%, Bonferroni), p-values adjusted
        by Holm (1979), both over all rows. Of shares the test is Fisher's exact one (1935), the smaller tail doubled;
        of means the larger p-value of Welch (1947) and Mann and Whitney (1947), for Welch's alone has too many false
        positives in small segments of skewed values. With fewer than 20 known customers in a segment or beside it
        numbers are missing, and the note says so, as it does where nothing varies within the groups. An attribute that
        is equal for all has effect 0 and p 1. Segments are in the order of their categories, else sorted. Without
        shared customers there are no rows. Only the 20 most common levels are compared.

    Raises
    ------
    ValueError
        For a customer with two rows or segments, an infinite number, or a dtype that is not an attribute's.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 40, 30] * 30, "garden": [True, False, False] * 30}).rename(str)
    >>> found = differences(table, pd.Series(["young", "old", "old"] * 30).rename(str))
    >>> found.loc[found["segment"] == "young", ["attribute", "level", "mean", "others_mean", "effect"]].values.tolist()
    [['age', '', 20.0, 35.0, -3.633180425], ['garden', 'yes', 1.0, 0.0, 3.141592654]]
    """
    table, code, names = aligned(attributes, segments)
    if table.empty:
        return pd.DataFrame(columns=COLUMNS)
    coding, blocks = fit_coding(table), []
    values = coding.values(table)
    for place, name in enumerate(coding.names):
        kind = kind_of(table[name])
        for level, block in _blocks(values[:, place], coding, place, code, len(names)):
            blocks.append(block.assign(segment=names, attribute=name, kind=kind, level=level))
    return _adjusted(pd.concat(blocks, ignore_index=True))[COLUMNS]


def aligned(attributes: pd.DataFrame, segments: pd.Series) -> tuple[pd.DataFrame, Codes, list[str]]:
    """Customers with attributes and a segment, sorted by id; the number of each one's segment; the segments' names."""
    if attributes.index.has_duplicates or segments.index.has_duplicates:
        raise ValueError("A customer has more than one row of attributes or more than one segment.")
    known = segments.dropna()
    ids = known.index.intersection(attributes.index).sort_values()
    held = pd.Categorical(known.loc[ids]).remove_unused_categories()
    return attributes.loc[ids], held.codes.astype(np.intp), [str(name) for name in held.categories]


def _blocks(values: Values, coding: Coding, place: int, code: Codes, k: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """What is compared of an attribute: its mean or its levels, and what is missing; a row per segment."""
    levels, known = coding.levels[place], ~np.isnan(values)
    if levels:
        places = np.round(values * coding.spread[place] + coding.centre[place])
        for level in [1] if levels == (False, True) else common(places, len(levels)):
            yield ("yes" if levels == (False, True) else str(levels[level])), _shares(places == level, known, code, k)
    elif known.any():
        block = _means(values[known], code[known], k)
        block[["mean", "others_mean"]] = block[["mean", "others_mean"]] * coding.spread[place] + coding.centre[place]
        block[["difference", "error"]] *= coding.spread[place]
        yield "", block
    if not known.all():
        yield MISSING, _shares(~known, np.ones(len(known), dtype=bool), code, k)


def common(places: Values, number: int) -> list[int]:
    """The most common levels that occur, in their own order."""
    counts = np.bincount(places[~np.isnan(places)].astype(int), minlength=number)
    return sorted(np.argsort(-counts, kind="stable")[: min(MOST, int((counts > 0).sum()))].tolist())


def _shares(has: NDArray[np.bool_], known: NDArray[np.bool_], code: Codes, k: int) -> pd.DataFrame:
    """Shares of customers within and beside each segment, Cohen's h, and Fisher's test."""
    own, n = np.bincount(code[has & known], minlength=k), np.bincount(code[known], minlength=k)
    total, customers = own.sum(), n.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        share, other = own / n, (total - own) / (customers - n)
        error = np.sqrt(1 / n + 1 / (customers - n))
    tails = [stats.hypergeom.cdf(own, customers, total, n), stats.hypergeom.sf(own - 1, customers, total, n)]
    return pd.DataFrame({
        "customers": n, "others": customers - n, "mean": share, "others_mean": other, "difference": share - other,
        "effect": 2 * (np.arcsin(np.sqrt(share)) - np.arcsin(np.sqrt(other))), "effect_error": error, "df": np.inf,
        "error": np.nan, "pvalue": np.minimum(2 * np.min(tails, axis=0), 1),
    })  # fmt: skip


def _means(x: Values, code: Codes, k: int) -> pd.DataFrame:
    """Means within and beside each segment, Cohen's d, and the larger p-value of two tests."""
    sums = np.array([np.bincount(code, x**power, minlength=k) for power in range(5)])
    both = [sums, sums.sum(axis=1, keepdims=True) - sums]
    with np.errstate(invalid="ignore", divide="ignore"):
        (n, mean, *moments), (m, other, *others) = (_central(part) for part in both)
        pooled = np.sqrt((moments[0] + others[0]) / (n + m - 2))
        difference = np.where(np.abs(mean - other) > 1e-12, mean - other, 0.0)
        effect = np.where(pooled > 0, difference / pooled, np.where(difference == 0, 0.0, np.nan))
        error = np.zeros(k)
        for size, (m2, m3, m4), sign in ((n, moments, 1), (m, others, -1)):
            slope, bend = 1 / (size * pooled), effect / (2 * pooled**2 * (n + m))
            error += m2 / (size * (size - 1) * pooled**2) - 2 * sign * slope * bend * m3
            error += bend**2 * (m4 - 2 * pooled**2 * m2 + size * pooled**4)
        error = np.where(pooled > 0, np.sqrt(np.maximum(error, 0)), 0.0)
        parts = [part[0] / (size * (size - 1)) for size, part in ((n, moments), (m, others))]
        welch = np.sqrt(parts[0] + parts[1])
        df = np.where(welch > 0, welch**4 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1)), np.inf)
        p = 2 * stats.t.sf(np.where(welch > 0, np.abs(difference) / welch, 0), df)
    p = np.where(np.isnan(effect), np.nan, np.maximum(p, _mann_whitney(x, code, k)))
    return pd.DataFrame({
        "customers": n.astype(int), "others": m.astype(int), "mean": mean, "others_mean": other,
        "difference": difference, "effect": effect, "effect_error": error, "df": df, "error": welch, "pvalue": p,
    })  # fmt: skip


def _central(sums: Values) -> tuple[Values, ...]:
    """Number, mean and sums of central powers 2 to 4 from sums of powers 0 to 4 of standardised values."""
    n, mean = sums[0], sums[1] / sums[0]
    second = sums[2] - n * mean**2
    second = np.where(second > 1e-12 * sums[2], second, 0.0)  # what is left of equal values is rounding
    third = sums[3] - 3 * mean * sums[2] + 2 * n * mean**3
    fourth = sums[4] - 4 * mean * sums[3] + 6 * mean**2 * sums[2] - 3 * n * mean**4
    return n, mean, second, third, fourth


def _mann_whitney(x: Values, code: Codes, k: int) -> Values:
    """Two-sided p-values of each segment against the rest: normal, for ties, with continuity correction."""
    number, n = len(x), np.bincount(code, minlength=k)
    ahead = np.bincount(code, stats.rankdata(x), minlength=k) - n * (n + 1) / 2
    ties = np.unique(x, return_counts=True)[1].astype(float)
    variance = n * (number - n) / 12 * (number + 1 - (ties**3 - ties).sum() / max(number * (number - 1), 1))
    away = np.maximum(np.abs(ahead - n * (number - n) / 2) - 0.5, 0)
    return 2 * stats.norm.sf(away / np.sqrt(np.where(variance > 1e-9, variance, np.inf)))


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Intervals and p-values adjusted over all rows that are compared."""
    fewest = table[["customers", "others"]].min(axis=1)
    told = fewest >= LEAST
    still = told & table["effect"].isna()
    notes = [too_few(n, "customers") for n in fewest]
    table["note"] = np.where(told, np.where(still, NO_VARIANCE, ""), notes)
    numbers = ["mean", "others_mean", "difference", "effect", "effect_error", "error", "pvalue"]
    table[numbers] = table[numbers].where(told)
    confidence = 1 - (1 - LEVEL) / max(int(table["pvalue"].notna().sum()), 1)
    reach = stats.t.ppf((1 + confidence) / 2, table["df"])
    means = table["level"] == ""
    (low, high), (others_low, others_high) = (
        wilson(table[share].mask(means), table[n], confidence)
        for share, n in (("mean", "customers"), ("others_mean", "others"))
    )  # fmt: skip
    below = np.hypot(table["mean"] - low, others_high - table["others_mean"])
    above = np.hypot(high - table["mean"], table["others_mean"] - others_low)
    table["low"] = table["difference"] - np.where(means, reach * table["error"], below)
    table["high"] = table["difference"] + np.where(means, reach * table["error"], above)
    table["effect_low"] = table["effect"] - reach * table["effect_error"]
    table["effect_high"] = table["effect"] + reach * table["effect_error"]
    effects = ["effect", "effect_low", "effect_high"]
    table[effects] = table[effects].round(9)  # ties are told by more than rounding
    return table.assign(pvalue_holm=holm(table["pvalue"]))
