"""Targeting rules compared: customers ranked by segment, by number of orders or by past spend."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import enough, holm

DEPTHS = (0.1, 0.2, 0.3, 0.5)
DEPTH = 0.2  # the one that conclusions are drawn from
CHOSEN_BY = ("segment", "number of orders", "past spend")  # the rule in question first
OUTCOMES = {"revenue": "money", "repeat customers": "came_back"}
ALL = pd.NaT  # stands for all windows together


def gains(rank: np.ndarray, outcome: np.ndarray) -> pd.DataFrame:
    """The cumulative gains curve: the share of an outcome from the customers of highest rank.

    Across customers of equal rank the curve is a straight line, the average over their random orders. The total outcome
    is above zero; where single outcomes are below zero, as net revenue can be, the curve falls.

    Returns
    -------
    DataFrame
        `share_of_customers`, `share_of_outcome`, from (0, 0) to (1, 1).

    Examples
    --------
    >>> gains(np.array([3, 2, 1, 1]), np.array([6, 2, 2, 0]))["share_of_outcome"].tolist()
    [0.0, 0.6, 0.8, 1.0]
    """
    x, y = _curve(_places(rank), outcome, np.ones(len(outcome)))
    return pd.DataFrame({"share_of_customers": x, "share_of_outcome": y})


def _places(rank: np.ndarray) -> np.ndarray:
    """The position of each customer's rank, 0 for the highest; equal ranks share one position."""
    return np.unique(-np.asarray(rank, dtype=float), return_inverse=True)[1]


def _curve(places: np.ndarray, outcome: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    customers, held = np.bincount(places, weights), np.bincount(places, weights * outcome)
    total = held.sum()
    share = held.cumsum() / total if total > 0 else np.full(len(held), np.nan)
    return np.append(0.0, customers.cumsum() / customers.sum()), np.append(0.0, share)


@dataclass(frozen=True)
class _Window:
    """The customers of a window as arrays: ids, segments, positions by the plain rules, outcomes."""

    formed_on: pd.Timestamp
    who: np.ndarray
    segment: np.ndarray
    plain: list[np.ndarray]
    outcomes: list[np.ndarray]


def _coded(windows: Sequence[pd.DataFrame]) -> list[_Window]:
    who = pd.factorize(pd.concat([one["customer_id"] for one in windows], ignore_index=True))[0]
    names = pd.factorize(pd.concat([one["segment"] for one in windows], ignore_index=True), sort=True)[0]
    ends = np.cumsum([len(one) for one in windows])[:-1]
    return [
        _Window(
            one["formed_on"].iloc[0],
            own,
            segment,
            [_places(one[name].to_numpy()) for name in ("frequency", "monetary")],
            [one[column].to_numpy(dtype=float) for column in OUTCOMES.values()],
        )
        for one, own, segment in zip(windows, np.split(who, ends), np.split(names, ends), strict=True)
    ]


def _ranked(past: _Window, now: _Window, outcome: int, weights: np.ndarray) -> list[np.ndarray]:
    """The positions of a window's customers by each rule; segments are ranked by their outcome in the window before."""
    size = 1 + max(past.segment.max(), now.segment.max())
    drawn = weights[past.who]
    counts = np.bincount(past.segment, drawn, size)
    paid = np.bincount(past.segment, drawn * past.outcomes[outcome], size) / np.where(counts > 0, counts, 1)
    return [_places(paid)[now.segment], *now.plain]


def _shares(windows: list[_Window], weights: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """The share of each outcome from the top customers: axes are windows, outcomes, rules and depths."""
    found = []
    for past, now in pairwise(windows):
        for outcome, values in enumerate(now.outcomes):
            ranked = _ranked(past, now, outcome, weights)
            found.append([np.interp(depths, *_curve(places, values, weights[now.who])) for places in ranked])
    return np.reshape(found, (len(windows) - 1, len(OUTCOMES), len(CHOSEN_BY), len(depths)))


def _compared(windows: list[_Window]) -> np.ndarray:
    """Whether enough customers ordered again in a window to compare rules, and in the one before to rank segments."""
    back = [one.outcomes[1].sum() for one in windows]
    return np.array([enough(past, now) for past, now in pairwise(back)])


def mean_gains(windows: Sequence[pd.DataFrame], outcome: str) -> dict[str, pd.DataFrame]:
    """The gains curve of each rule, averaged over the windows that `compare_rules` compares; empty without any.

    `outcome` is one of `OUTCOMES`; curves have steps of 1% of customers, as in `gains`.
    """
    coded = _coded(windows)
    compared = _compared(coded)
    if not compared.any():
        return {}
    steps = np.arange(101) / 100
    weights = np.ones(1 + max(one.who.max() for one in coded))
    found = _shares(coded, weights, steps)[compared, list(OUTCOMES).index(outcome)]
    found = found[~np.isnan(found).any(axis=(1, 2))]
    if not len(found):
        return {}
    return {
        rule: pd.DataFrame({"share_of_customers": steps, "share_of_outcome": curve})
        for rule, curve in zip(CHOSEN_BY, found.mean(axis=0), strict=True)
    }


def compare_rules(windows: Sequence[pd.DataFrame], *, seed: int, resamples: int = 200) -> pd.DataFrame:
    """Compare targeting rules: the share of each outcome from the top 10, 20, 30 and 50% of customers, by window.

    Parameters
    ----------
    windows : sequence of DataFrame
        The earliest first. Each window ranks the segments for the next one, so the earliest is not judged. One row per
        customer: `customer_id`, `segment`, `frequency`, `monetary` (of the day), `money`, `came_back` (of the window)
        and `formed_on`.
    resamples : int
        Bootstrap resamples of customers, each with all of its windows (Efron 1979, with Poisson weights). Segments are
        ranked anew in each resample. The standard error is the root mean square deviation of the resampled differences
        from the observed one; 95% intervals are normal.

    Returns
    -------
    DataFrame
        One row for each window (`formed_on`, missing for the mean over windows), `outcome`, `chosen` (share of
        customers) and plain rule (`against`): `by_segment`, `by_rule` (shares of the outcome), `difference` with `low`
        and `high`, `pvalue`; and for the mean at `DEPTH`, from which conclusions are drawn, `pvalue_holm` (Holm 1979,
        over all outcomes and rules) and `agree` (windows whose difference has the sign of the mean). Windows without
        enough repeat customers, in them or in the one before, are omitted, as are outcomes that did not occur, or that
        everybody had.
    """
    coded = _coded(windows)
    compared = _compared(coded)
    columns = ["formed_on", "outcome", "chosen", "against", "by_segment", "by_rule", "difference", "low", "high",
               "pvalue", "pvalue_holm", "agree"]  # fmt: skip
    if not compared.any():
        return pd.DataFrame(columns=columns)
    size, depths, rng = 1 + max(one.who.max() for one in coded), np.array(DEPTHS), np.random.default_rng(seed)
    found = _with_mean(_shares(coded, np.ones(size), depths)[compared])
    drawn = np.array([_with_mean(_shares(coded, rng.poisson(1.0, size), depths)[compared]) for _ in range(resamples)])
    # around the observed difference, not around the mean: a few outliers bias the resamples
    apart = (drawn[:, :, :, :1] - drawn[:, :, :, 1:]) - (found[:, :, :1] - found[:, :, 1:])
    error = np.sqrt(np.nanmean(apart**2, axis=0))
    days = [one.formed_on for one, use in zip(coded[1:], compared, strict=True) if use]
    index = pd.MultiIndex.from_product(
        [[*days, ALL], OUTCOMES, CHOSEN_BY[1:], DEPTHS], names=["formed_on", "outcome", "against", "chosen"]
    )
    table = index.to_frame(index=False)
    table["by_segment"] = np.broadcast_to(found[:, :, :1], error.shape).ravel()
    table["by_rule"] = found[:, :, 1:].ravel()
    table["difference"] = table["by_segment"] - table["by_rule"]
    reach = stats.norm.ppf(0.975) * error.ravel()
    table["low"], table["high"] = table["difference"] - reach, table["difference"] + reach
    away = np.where(table["difference"] == 0, 0.0, table["difference"].abs() / error.ravel())
    table["pvalue"] = 2 * stats.norm.sf(away)
    # where everybody came back, no rule can be better than another
    if all(one.outcomes[1].all() for one, use in zip(coded[1:], compared, strict=True) if use):
        table = table[table["outcome"] == "revenue"].copy()
    return _concluded(table.dropna(subset="difference"))[columns].reset_index(drop=True)


def _with_mean(shares: np.ndarray) -> np.ndarray:
    """The windows, and last their mean."""
    return np.concatenate([shares, shares.mean(axis=0, keepdims=True)])


def _concluded(table: pd.DataFrame) -> pd.DataFrame:
    """Adjusted p-values of the means at `DEPTH`, and how many windows agree with each."""
    at = table[table["chosen"] == DEPTH]
    mean, single = at[at["formed_on"].isna()], at[at["formed_on"].notna()]
    alike = single.merge(mean, on=["outcome", "against"], suffixes=("", "_mean"))
    alike["agree"] = np.sign(alike["difference"]) == np.sign(alike["difference_mean"])
    agree = alike.groupby(["outcome", "against"])["agree"].sum()
    table.loc[mean.index, "pvalue_holm"] = holm(mean["pvalue"])
    table.loc[mean.index, "agree"] = agree.loc[list(zip(mean["outcome"], mean["against"], strict=True))].to_numpy()
    return table
