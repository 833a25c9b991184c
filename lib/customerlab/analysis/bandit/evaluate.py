"""Off-policy evaluation: what a policy would earn, from the log of another one, where the log can tell.

Estimates come with a gate: where it fails, there is no number. All estimators but the direct method weigh a logged
reward by the target policy's probability of the action by its propensity (inverse propensity score, IPS).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

from customerlab.analysis.bandit.gate import Gate, judged
from customerlab.analysis.bandit.logged import (
    Decisions,
    Values,
    corrected,
    decisions,
    fitted_rewards,
    standard_error,
    with_propensities,
)
from customerlab.analysis.inference import LEVEL, enough, percentile_interval, resampled

RESAMPLES, BAGS = 1_000, 5_000
PROMISED = ("replay", "ips", "snips", "dr")
"""The estimators with an error and intervals of the policy's value. Those of the others would leave out their bias."""
KINDS = ("normal", "bootstrap", "bernstein", "anytime")
COLUMNS = ["estimator", "value", "error", "limit", *(f"{kind}_{end}" for kind in KINDS for end in ("low", "high"))]


@dataclass(frozen=True)
class Evaluation:
    """What a log tells of a target policy.

    Attributes
    ----------
    gate : Gate
    table : DataFrame
        Empty where the gate failed. `estimator`, `value`, standard `error`, `limit` (the hyper-parameter of `switch`
        and `shrinkage`), and low and high ends of four kinds of intervals, missing where they promise nothing.
    propensities : str
        "logged", or how they were estimated.
    number : int
        Of decisions.
    """

    gate: Gate
    table: pd.DataFrame
    propensities: str
    number: int


def estimate(
    estimator: str,
    weight: Values,
    reward: Values,
    at: Values | float = 0.0,
    direct: Values | float = 0.0,
    *,
    limit: float = np.inf,
) -> tuple[float, Values]:
    """The value of a target policy by one estimator, and each decision's influence on it, which is zero on the mean.

    With weights w, rewards r, modelled rewards q of the logged action (`at`) and of the target policy (`direct`):
    `ips` Σ w r / n (Horvitz and Thompson 1952); `snips` Σ w r / Σ w (Swaminathan and Joachims 2015); `dm` Σ direct / n;
    `dr` Σ (direct + w (r - q)) / n (Dudík, Langford and Li 2011); `switch` the same with w = 0 above the limit (Wang,
    Agarwal and Dudík 2017); `shrinkage` with λ w / (w² + λ) in place of w, λ the limit (Su et al. 2020).

    Parameters
    ----------
    estimator : {"ips", "snips", "dm", "dr", "switch", "shrinkage"}
    weight, reward : array of shape (decisions,)
    at, direct : array of shape (decisions,), or float
    limit : float
        Of `switch` and `shrinkage`; infinite, they are `dr`.

    Examples
    --------
    >>> weight, reward = np.array([0.6 / 0.3]), np.array([1.0])
    >>> estimate("ips", weight, reward)[0], estimate("snips", weight, reward)[0]
    (2.0, 1.0)
    """
    if estimator == "snips":
        total = float(weight.sum())
        value = float((weight * reward).sum()) / total if total else np.nan
        return value, weight * (reward - value) * (len(weight) / total if total else np.nan)
    if estimator == "switch":
        weight = np.where(weight <= limit, weight, 0.0)
    elif estimator == "shrinkage" and np.isfinite(limit):
        square = weight**2 + limit
        weight = limit * np.divide(weight, square, out=np.zeros(len(weight)), where=square > 0)
    elif estimator not in ("ips", "dm", "dr", "shrinkage"):
        raise ValueError(f"estimator = {estimator!r}; expected one of ips, snips, dm, dr, switch, shrinkage")
    each = {"ips": weight * reward, "dm": direct + 0.0 * weight}.get(estimator, direct + weight * (reward - at))
    value = float(np.mean(each))
    return value, each - value


def slope(values: Sequence[float] | Values, errors: Sequence[float] | Values, *, confidence: float = LEVEL) -> int:
    """Which of several estimates to take, of falling variance and rising bias (SLOPE: Su, Srinath, Krishnamurthy 2020).

    The last before the first whose distance to one before it is above its own half-width and √6 - 1 times the other's
    (the constant of Tucker and Lee 2021).

    Examples
    --------
    >>> slope([1.0, 1.1, 3.0], [0.5, 0.2, 0.1])
    1
    """
    value, width = np.asarray(values), stats.norm.ppf((1 + confidence) / 2) * np.asarray(errors)
    far = np.abs(value[:, None] - value) > width[:, None] + (np.sqrt(6) - 1) * width
    return int(np.append(np.tril(far, -1).any(axis=1), True).argmax()) - 1


def empirical_bernstein(values: Values, low: float, high: float, *, confidence: float = LEVEL) -> tuple[float, float]:
    """An interval of the mean of bounded values that holds for any number of them (Maurer and Pontil 2009, theorem 4).

    Examples
    --------
    >>> [round(end, 3) for end in empirical_bernstein(np.tile([0.0, 1.0], 500), 0, 1)]
    [0.443, 0.557]
    """
    n, bound = len(values), np.log(4 / (1 - confidence))
    if n < 2:
        return low, high
    reach = np.sqrt(2 * values.var(ddof=1) * bound / n) + 7 * (high - low) * bound / (3 * (n - 1))
    return max(float(values.mean() - reach), low), min(float(values.mean() + reach), high)


def anytime(values: Values, low: float, high: float, *, confidence: float = LEVEL) -> tuple[Values, Values]:
    """Intervals of the mean of bounded values, one after each value, that all hold at once.

    The predictable plug-in empirical-Bernstein sequence of Waudby-Smith and Ramdas (2023, theorem 2), intersected so
    far. It holds too where values depend on the past, as long as their mean given the past stays the same.

    Parameters
    ----------
    values : array of shape (decisions,)
        In the order of time.
    low, high : float
        Bounds known beforehand.

    Examples
    --------
    >>> lows, highs = anytime(np.tile([0.0, 1.0], 500), 0, 1)
    >>> float(lows[-1].round(3)), float(highs[-1].round(3))
    (0.436, 0.562)
    """
    if high <= low:
        return np.full(len(values), low), np.full(len(values), high)
    x, t, bound = (values - low) / (high - low), np.arange(1, len(values) + 1), np.log(2 / (1 - confidence))
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before, spread = np.append(0.5, mean[:-1]), np.append(0.25, variance[:-1])  # what was known before each value
    bet = np.minimum(np.sqrt(2 * bound / (spread * t * np.log1p(t))), 0.5)
    total = np.cumsum(bet)
    middle = np.cumsum(bet * x) / total
    reach = (bound + np.cumsum((x - before) ** 2 * (-np.log1p(-bet) - bet))) / total
    lows, highs = np.maximum.accumulate(middle - reach), np.minimum.accumulate(middle + reach)
    return low + (high - low) * lows.clip(0, 1), low + (high - low) * highs.clip(0, 1)


def evaluate(
    log: pd.DataFrame,
    target: np.ndarray,
    actions: Sequence,
    *,
    seed: int,
    contexts: np.ndarray | pd.DataFrame | None = None,
    segments: Sequence | pd.Series | None = None,
    floor: float | None = None,
    bounds: tuple[float, float] | None = None,
    confidence: float = LEVEL,
) -> Evaluation:
    """Estimate what a target policy would earn per decision, or say why the log cannot tell.

    The gate comes first (`gate`). Rewards are modelled in three folds, each predicted by models of the others
    (Chernozhukov et al. 2018): by boosted trees for each action with contexts, else by the mean of segment and action.
    Propensities that were not logged are estimated: by a multinomial logistic regression on the contexts, else by
    frequencies in the segments; errors allow for it (the influence less its projection on the scores). `limit` is
    chosen by `slope`.

    Normal and bootstrap intervals (of influences) are over customers where the log has `customer_id`, and missing where
    fewer than `inference.LEAST` rewards with a weight differ from the most frequent one. Bernstein and anytime
    intervals, of `ips` alone, take decisions as independent, need propensities that were logged, and rest on `floor`
    and `bounds`; anytime ones need `decided_at`. The direct method, switch and shrinkage have no error and no interval:
    they would leave out the bias.
    Replay (Li et al. 2011) takes logs of equal propensities alone, and a decision counts by the target policy's
    probability of it, its expectation over draws.

    Parameters
    ----------
    log, target, actions, contexts, segments
        As `gate` has them. `propensity` may be missing, in all rows.
    seed : int
        Of folds, trees and bootstrap samples.
    floor : float, optional
        The least propensity that the logging policy can have; else the least that was logged stands for it.
    bounds : (float, float), optional
        Between which rewards must lie; else the least and the largest logged stand for them.

    Raises
    ------
    ValueError
        As `gate`, or where a propensity is below `floor`, or a reward is not within `bounds`.

    Examples
    --------
    >>> log = pd.DataFrame({"action": ["a", "b"] * 200, "reward": [1.0, 0.0, 0.0, 0.0] * 100, "propensity": 0.5})
    >>> found = evaluate(log, np.tile([0.9, 0.1], (400, 1)), ["a", "b"], seed=1)
    >>> found.table.set_index("estimator")["value"].round(3).loc[["ips", "snips", "dr"]].tolist()
    [0.45, 0.45, 0.45]
    """
    found = decisions(log, target, actions, contexts, segments)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        found, model, source = with_propensities(found)
        passed = judged(found)
        if not passed.passed:
            return Evaluation(passed, pd.DataFrame(columns=COLUMNS), source, len(log))
        table = _estimates(found, model, seed, _span(found, model is None, floor, bounds), confidence)
    return Evaluation(passed, table, source, len(log))


def by_position(log: pd.DataFrame, target: np.ndarray, actions: Sequence, **options: Any) -> dict[Any, Evaluation]:
    """`evaluate` for each `position` of the log, each with its own gate (item-position IPS: Saito et al. 2021).

    An item's propensity and target probability are those of its position. Contexts and segments are split likewise.

    Examples
    --------
    >>> log = pd.DataFrame({"action": ["a", "b"] * 200, "reward": 1.0, "propensity": 0.5})
    >>> log["position"] = [1] * 300 + [2] * 100
    >>> found = by_position(log, np.tile([0.5, 0.5], (400, 1)), ["a", "b"], seed=1)
    >>> {position: one.number for position, one in found.items()}
    {1: 300, 2: 100}
    """
    split = {name: np.asarray(options.pop(name)) for name in ("contexts", "segments") if options.get(name) is not None}
    results = {}
    for position in sorted(log["position"].unique().tolist()):
        here = (log["position"] == position).to_numpy()
        parts = {name: values[here] for name, values in split.items()}
        results[position] = evaluate(log[here], np.asarray(target)[here], actions, **parts, **options)
    return results


def _estimates(
    found: Decisions, model: Values | None, seed: int, span: tuple[float, float], level: float
) -> pd.DataFrame:
    """All estimates of decisions that passed the gate; `span` is the range of a weighted reward."""
    weight, fitted = found.weight, fitted_rewards(found, seed)
    given = (weight, found.reward, fitted[np.arange(len(weight)), found.chosen], (found.target * fitted).sum(axis=1))
    parts = {name: estimate(name, *given) for name in ("ips", "snips", "dm", "dr")}
    if np.ptp(found.propensity) < 1e-9 and model is None:
        parts["replay"] = parts["snips"]  # weights are proportional to the probabilities
    limits = {}
    square = float((weight**2).mean())
    grids = {
        "switch": np.unique([*np.quantile(weight, [0.5, 0.75, 0.9, 0.95, 0.99]), np.inf])[::-1],
        "shrinkage": np.append(np.inf, square * 10.0 ** np.arange(4, -3, -1)),
    }
    for name, grid in grids.items():
        tried = [estimate(name, *given, limit=float(limit)) for limit in grid]
        errors = standard_error(found, corrected(found, model, np.column_stack([one for _, one in tried])))
        taken = slope([value for value, _ in tried], errors, confidence=level)
        parts[name], limits[name] = tried[taken], float(grid[taken])
    table = pd.DataFrame({"estimator": list(parts), "value": [value for value, _ in parts.values()]})
    table["limit"] = table["estimator"].map(limits)
    influence = corrected(found, model, np.column_stack([one for _, one in parts.values()]))
    return _with_intervals(table, found, influence, span if model is None else None, seed, level)[COLUMNS]


def _with_intervals(
    table: pd.DataFrame,
    found: Decisions,
    influence: Values,
    span: tuple[float, float] | None,
    seed: int,
    level: float,
) -> pd.DataFrame:
    """Estimates with errors and intervals, missing where they promise nothing."""
    promised = table["estimator"].isin(PROMISED)
    table["error"] = np.where(promised, standard_error(found, influence), np.nan)
    common = pd.Series(found.reward[found.weight > 0]).value_counts()
    known = promised & enough(common.sum() - common.max())
    reach = stats.norm.ppf((1 + level) / 2) * table["error"]
    drawn = table["value"].to_numpy() + percentile_interval(_bootstrap(found, influence, seed), level)
    ends = {"normal": (table["value"] - reach, table["value"] + reach), "bootstrap": drawn}
    for kind, (low, high) in ends.items():
        table[f"{kind}_low"], table[f"{kind}_high"] = np.where(known, low, np.nan), np.where(known, high, np.nan)
    table[[f"{kind}_{end}" for kind in KINDS[2:] for end in ("low", "high")]] = np.nan
    if span:
        values, row = found.weight * found.reward, table["estimator"] == "ips"
        bounded = empirical_bernstein(values, *span, confidence=level)
        table.loc[row, ["bernstein_low", "bernstein_high"]] = bounded
        if found.timed:
            lows, highs = anytime(values, *span, confidence=level)
            table.loc[row, ["anytime_low", "anytime_high"]] = lows[-1], highs[-1]
    return table


def _span(
    found: Decisions, logged: bool, floor: float | None, bounds: tuple[float, float] | None
) -> tuple[float, float]:
    """The least and the largest that a weighted reward can be; ValueError where the log breaks what is said of it."""
    lowest, highest = bounds or (float(found.reward.min()), float(found.reward.max()))
    least = float(found.propensity.min()) if floor is None else floor
    outside = found.reward.min() < lowest or found.reward.max() > highest
    if outside or (logged and found.propensity.min() < least):
        raise ValueError(
            f"a propensity is below floor = {least:g}, or a reward is not within {lowest:g} to {highest:g}"
        )
    largest = found.target.max() / least
    return min(0.0, largest * lowest), max(0.0, largest * highest)


def _bootstrap(found: Decisions, influence: Values, seed: int) -> Values:
    """How far off estimates are in bootstrap samples of customers, or of random bags of them where they are many."""
    units = int(found.unit.max()) + 1
    bags = min(units, BAGS)
    bag = (np.random.default_rng(seed).permutation(units) % bags)[found.unit]
    sums = np.column_stack([np.bincount(bag, one, minlength=bags) for one in influence.T]) / len(influence)
    return np.vstack([counts @ sums for counts in resampled(bags, seed, RESAMPLES)])
