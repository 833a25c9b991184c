"""How much each attribute says of the segment, in bits."""

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import enough, holm, too_few
from customerlab.analysis.language.base import kind_of
from customerlab.analysis.profile.differences import Codes, aligned, common
from customerlab.analysis.profile.gower import Coding, Values, fit_coding

BINS = 10  # of a number, at most
PERMUTATIONS = 999
ABOUT = ["attribute", "kind", "customers", "missing", "cells", "bits", "share", "pvalue", "pvalue_holm", "note"]


def information(attributes: pd.DataFrame, segments: pd.Series, *, seed: int) -> pd.DataFrame:
    """How much each attribute says of the segment, in bits: their mutual information beyond chance (Shannon 1948).

    Numbers and dates are cut at deciles, equal ones merged; levels beyond the 20 most common are one cell, and so is
    what is missing. The mutual information of a table of counts is too high by about (rows − 1)(columns − 1) / 2n nats
    (Miller 1955), and by less where cells are sparse. So the mean of `PERMUTATIONS` tables with the same margins
    (Patefield 1981) is subtracted, which are also the test: `pvalue` is the share of them with as much information, the
    observed one among them.

    Parameters
    ----------
    attributes, segments
        As for `differences`.
    seed : int
        Of the permutations, the same for each attribute.

    Returns
    -------
    DataFrame
        One row per attribute, the most bits first: `attribute`, `kind`, `customers`, `missing`, `cells`, `bits` (about
        zero, at times below it, without a relation), `share` of the entropy of the segments, `pvalue`, `pvalue_holm`
        (Holm over all attributes), `note`. With fewer than 20 known customers numbers are missing, and the note says
        so. Of one segment there are 0 bits. Without shared customers there are no rows.

    Examples
    --------
    >>> table = pd.DataFrame({"home": ["flat", "house"] * 40, "size": [1, 2, 3, 4] * 20}).rename(str)
    >>> segments = pd.Series(["a", "b"] * 40).rename(str)
    >>> information(table, segments, seed=1)[["attribute", "bits"]].round(1).values.tolist()
    [['home', 1.0], ['size', 1.0]]
    """
    table, code, names = aligned(attributes, segments)
    if table.empty:
        return pd.DataFrame(columns=ABOUT)
    coding = fit_coding(table)
    values, rows, whole = coding.values(table), [], _entropy(np.bincount(code))
    for place, name in enumerate(coding.names):
        cell, known = _cells(values[:, place], coding, place), int((~np.isnan(values[:, place])).sum())
        bits = p = np.nan
        if enough(known):
            counts = np.bincount(code * (cell.max() + 1) + cell, minlength=len(names) * (cell.max() + 1))
            bits, p = _beyond_chance(counts.reshape(len(names), -1), np.random.default_rng(seed))
        note = "" if enough(known) else too_few(known, "customers")
        share = bits / whole if whole > 0 else np.nan
        rows.append(
            (name, kind_of(table[name]), known, len(table) - known, int(cell.max() + 1), bits, share, p, np.nan, note)
        )
    found = pd.DataFrame(rows, columns=ABOUT).assign(by=lambda one: -one["bits"].round(9))
    found = found.sort_values(["by", "attribute"], kind="stable", ignore_index=True)
    return found.assign(pvalue_holm=holm(found["pvalue"]))[ABOUT]


def _cells(values: Values, coding: Coding, place: int) -> Codes:
    """The cell of each customer, numbered without gaps."""
    known = ~np.isnan(values)
    if coding.levels[place]:
        places = np.round(values * coding.spread[place] + coding.centre[place])
        code = np.where(np.isin(places, common(places, len(coding.levels[place]))), places, -1.0)
    else:
        at = np.arange(1, BINS) / BINS
        edges = np.unique(np.quantile(values[known], at, method="inverted_cdf")) if known.any() else np.empty(0)
        code = np.searchsorted(edges, values).astype(float)
    return np.unique(np.where(known, code, -2.0), return_inverse=True)[1]


def _entropy(counts: np.ndarray, axis: int | tuple[int, ...] = -1) -> Values:
    """Entropy in bits of tables of counts, over some axes."""
    share = counts / counts.sum(axis=axis, keepdims=True)
    return -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=axis)


def _beyond_chance(counts: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Mutual information of a table less its mean over tables of the same margins, in bits, and the p-value."""
    if min(counts.shape) == 1:
        return 0.0, 1.0
    margins = counts.sum(axis=1), counts.sum(axis=0)
    drawn = stats.random_table(*margins).rvs(PERMUTATIONS, method="patefield", random_state=rng)
    bits = _entropy(margins[0]) + _entropy(margins[1]) - _entropy(np.concatenate([counts[None], drawn]), (1, 2))
    return float(bits[0] - bits[1:].mean()), float((bits >= bits[0] - 1e-9).mean())
