"""Policies compared on one log of decisions: with what was logged, and step by step with simpler ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

from customerlab.analysis.bandit.decision_log import DecisionLog, rewarded
from customerlab.analysis.bandit.gate import Gate, judged
from customerlab.analysis.bandit.logged import (
    Decisions,
    Values,
    corrected,
    decisions,
    scores,
    standard_error,
    with_propensities,
)
from customerlab.analysis.inference import LEVEL, enough

LOGGED = "as logged"


@dataclass(frozen=True)
class Compared:
    """Policies beside what was logged.

    Attributes
    ----------
    table : DataFrame
        First `as logged`, then one row per policy: `policy`, `treated` (share of decisions with another action than the
        control), `value` (mean reward less costs) with `low` and `high`, `gain` over what was logged with `gain_low`
        and `gain_high` (95%), and `over`, the policy recommended before it, with `difference`, `from` and `to`, whose
        intervals hold for all policies together (Bonferroni). Missing where a gate failed; without ends where too
        few decisions of the policy's actions have a reward.
    gates : dict of Gate
        By policy.
    recommended : str
        The last policy that was shown to earn more than the one recommended before it; `as logged` where none was.
    propensities : str
        "logged", or how they were estimated.
    """

    table: pd.DataFrame
    gates: dict[str, Gate]
    recommended: str
    propensities: str


def compare(
    targets: Mapping[str, Values], log: DecisionLog, *, seed: int, costs: Sequence[float] | None = None
) -> Compared:
    """Compare policies with what was logged, the simplest first.

    A policy takes the place of the one recommended so far only if it is shown to earn more, so that a rule that nobody
    can read is not recommended for a gain that chance makes. Values are means of cross-fitted doubly robust scores;
    differences are paired by decision, errors are over customers.

    Parameters
    ----------
    targets : mapping of arrays of shape (decisions, actions)
        By name, the simplest policy first; probabilities of the log's actions in each decision.
    log : DecisionLog
        Decisions that no policy was learned from.
    costs : sequence of float, optional
        Of each action, in units of the reward.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rows = pd.DataFrame({"action": rng.choice(["a", "b"], 2_000), "propensity": 0.5, "policy": "equal"})
    >>> rows["decided_at"] = pd.Timestamp("2024-05-06")
    >>> rows["reward"] = (rng.random(2_000) < np.where(rows["action"] == "a", 0.8, 0.2)) * 1.0
    >>> log = DecisionLog(rows, pd.DataFrame(index=range(2_000)), ["a", "b"], {}, 0)
    >>> compare({"always a": np.tile([1.0, 0.0], (2_000, 1))}, log, seed=1).recommended
    'always a'
    """
    cost = np.zeros(len(log.actions)) if costs is None else np.asarray(costs, dtype=float)
    found, source, each, model = _scored(log, seed, cost)
    paid = found.reward - cost[found.chosen]
    values, gates, told = {LOGGED: paid}, {}, {LOGGED: rewarded(pd.Series(found.reward))}
    for name, target in targets.items():
        target = target[found.place]
        of = replace(found, target=target)
        gates[name] = judged(of)
        told[name] = rewarded(pd.Series(found.reward[of.weight > 0]))  # of the decisions that tell of the policy
        values[name] = (target * each).sum(axis=1) if gates[name].passed else np.full(len(each), np.nan)
    pairs = len(values) * len(targets) // 2  # of which a policy and the one before it are one
    level, best, rows = 1 - (1 - LEVEL) / max(pairs, 1), LOGGED, []
    own = {name: _influence(found, None if name == LOGGED else model, one) for name, one in values.items()}
    for name, one in values.items():
        treated = (found.chosen > 0) * 1.0 if name == LOGGED else 1 - targets[name][:, 0]
        row: dict[str, Any] = {"policy": name, "treated": treated.mean() if len(treated) else np.nan}
        row |= _interval(found, one, own[name], LEVEL * told[name], ("value", "low", "high"))
        if name != LOGGED:
            gain, apart = one - paid, one - values[best]
            row |= _interval(
                found, gain, own[name] - own[LOGGED], LEVEL * told[name], ("gain", "gain_low", "gain_high")
            )
            ends = _interval(found, apart, own[name] - own[best], level * told[name], ("difference", "from", "to"))
            row |= {"over": best} | ends
            best = name if row["from"] > 0 else best
        rows.append(row)
    return Compared(pd.DataFrame(rows), gates, best, source)


def action_values(log: DecisionLog, *, seed: int) -> pd.DataFrame:
    """What each action would earn if it were always chosen.

    Returns
    -------
    DataFrame
        In the order of the log's actions: `action`, `decisions`, `rewards` (decisions with one), `value` (mean reward)
        with `low` and `high`, whose intervals hold for all actions together (Bonferroni, 95%); missing where there are
        too few decisions with a reward.

    Examples
    --------
    >>> rows = pd.DataFrame({"action": ["a", "b", "a", "b"] * 100, "reward": [1.0, 1.0, 0.0, 1.0] * 100})
    >>> rows = rows.assign(decided_at=pd.Timestamp("2024-05-06"), propensity=0.5, policy="equal")
    >>> log = DecisionLog(rows, pd.DataFrame(index=range(400)), ["a", "b"], {}, 0)
    >>> action_values(log, seed=1)[["action", "decisions", "value"]].round(2).values.tolist()
    [['a', 200, 0.5], ['b', 200, 1.0]]
    """
    found, _, each, model = _scored(log, seed, np.zeros(len(log.actions)))
    level, rows = 1 - (1 - LEVEL) / max(len(log.actions), 1), []
    for a, name in enumerate(log.actions):
        chosen = found.chosen == a
        hits = int((found.reward[chosen] != 0).sum())
        row = {"action": name, "decisions": int(chosen.sum()), "rewards": hits}
        row |= _interval(found, each[:, a], _influence(found, model, each[:, a]), level, ("value", "low", "high"))
        if not enough(hits):
            row |= dict.fromkeys(("value", "low", "high"), np.nan)
        rows.append(row)
    return pd.DataFrame(rows)


def _scored(log: DecisionLog, seed: int, cost: Values) -> tuple[Decisions, str, Values, Values | None]:
    """The checked log, where propensities are from, scores of each action less its cost, and estimated propensities."""
    equal = np.full((len(log.rows), len(log.actions)), 1 / max(len(log.actions), 1))
    contexts = log.contexts if log.contexts.shape[1] else None
    found, model, source = with_propensities(decisions(log.rows, equal, log.actions, contexts))
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        each = scores(found, seed) - cost if len(log.rows) else equal
    return found, source, each, model


def _influence(found: Decisions, model: Values | None, values: Values) -> Values:
    """How far each decision moves a mean; of scores with estimated propensities less what estimating them takes off."""
    return (
        corrected(found, model, (values - values.mean())[:, None])[:, 0]
        if np.isfinite(values).all() and len(values)
        else values
    )


def _interval(
    found: Decisions, values: Values, influence: Values, level: float, names: tuple[str, str, str]
) -> dict[str, float]:
    """The mean of values of decisions with the ends of its interval, by these names; none at a level of zero."""
    mean = float(values.mean()) if len(values) else np.nan
    if not np.isfinite(mean):
        return dict.fromkeys(names, np.nan)
    error = standard_error(found, influence[:, None])[0]
    reach = stats.norm.ppf((1 + level) / 2) * error if level and error > 0 else np.nan
    return dict(zip(names, (mean, mean - reach, mean + reach), strict=True))
