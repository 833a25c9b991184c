"""What a notebook's parameters ask for, as arrays and policies, and what is looked at further."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.bandit.compare import LOGGED, Compared
from customerlab.analysis.bandit.decision_log import DecisionLog
from customerlab.analysis.bandit.evaluate import Evaluation, by_position
from customerlab.analysis.bandit.learner import Values
from customerlab.analysis.bandit.policies import Policy
from customerlab.analysis.bandit.rollout import holdout_size
from customerlab.analysis.experiment.design import Baseline
from customerlab.analysis.experiment.questions import named_numbers
from customerlab.errors import ParameterError

OWN = "own policy"
DRAWS = 20  # sets of posterior draws for each batch
FORGETS = 0.95  # what a policy for changing rates keeps of its sums from batch to batch


def costs(texts: Sequence[str], actions: Sequence[str]) -> list[float]:
    """The cost of each action, zero for those not named.

    Examples
    --------
    >>> costs(["letter: 0.9"], ["none", "letter"])
    [0.0, 0.9]
    """
    named = named_numbers(texts, "action_costs")
    _spelt(named, actions, "action_costs")
    return [named.get(action, 0.0) for action in actions]


def own_target(texts: Sequence[str], actions: Sequence[str], decisions: int) -> dict[str, Values]:
    """A policy of one's own by the shares of its actions, of shape (decisions, actions); empty if none is named.

    Examples
    --------
    >>> own_target(["letter: 0.25", "none: 0.75"], ["none", "letter"], 2)["own policy"].tolist()
    [[0.75, 0.25], [0.75, 0.25]]
    """
    named = named_numbers(texts, "own_policy")
    _spelt(named, actions, "own_policy")
    if not named:
        return {}
    total = sum(named.values())
    if abs(total - 1) > 1e-6:
        raise ParameterError(f"the shares of own_policy sum to {total:g}", expected="shares that sum to 1")
    return {OWN: np.tile([named.get(action, 0.0) / total for action in actions], (decisions, 1))}


def _spelt(named: dict[str, float], actions: Sequence[str], what: str) -> None:
    """Refuse actions that the log does not have."""
    if unknown := [name for name in named if name not in actions]:
        few = ", ".join(actions[:20])
        raise ParameterError(f"the action {unknown[0]!r} of {what} is not in the log", expected=f"actions among: {few}")


def exploring(targets: Mapping[str, Values], share: float) -> dict[str, Values]:
    """Policies that go on drawing from all actions with equal chances in a share of decisions.

    Examples
    --------
    >>> exploring({"always": np.array([[1.0, 0.0]])}, 0.1)["always"].round(2).tolist()
    [[0.95, 0.05]]
    """
    return {name: (1 - share) * target + share / target.shape[1] for name, target in targets.items()}


def learning(actions: int) -> dict[str, Policy]:
    """The policies that are compared with an A/B test.

    Examples
    --------
    >>> list(learning(3))
    ['Thompson sampling', 'discounted Thompson', 'KL-UCB', 'epsilon-greedy']
    """
    return {
        "Thompson sampling": Policy("thompson", actions, draws=DRAWS),
        "discounted Thompson": Policy("thompson", actions, discount=FORGETS, draws=DRAWS),
        "KL-UCB": Policy("kl-ucb", actions),
        "epsilon-greedy": Policy("epsilon-greedy", actions),
    }


def looked_at(found: Compared) -> str:
    """The policy whose estimates are shown: the one recommended, else the first that can be evaluated, or none."""
    able = [name for name, gate in found.gates.items() if gate.passed]
    return found.recommended if found.recommended != LOGGED else (able or [""])[0]


def at_positions(log: DecisionLog, target: Values, *, seed: int) -> dict[object, Evaluation]:
    """Estimates of a policy at each position."""
    placed = log.rows["position"].notna().to_numpy()
    some = log.part(placed)
    return by_position(some.rows, target[placed], log.actions, contexts=some.contexts, seed=seed)


def long_term(found: Compared, log: DecisionLog) -> tuple[pd.Series | None, float]:
    """The hold-out that finds the least gain that is likely, and that gain per customer; None if there is none.

    The gain is the lower end of the recommended policy's interval. Baseline and customers are those of the decisions
    judged on, and of their time.
    """
    if found.recommended == LOGGED or "customer_id" not in log.rows:
        return None, float("nan")
    earned = log.rows.groupby("customer_id")["reward"].sum()
    (least,) = found.table.loc[found.table["policy"] == found.recommended, "gain_low"]
    gain = float(least) * len(log.rows) / len(earned)
    try:
        return holdout_size(Baseline(float(earned.mean()), float(earned.std())), gain, len(earned)), gain
    except ValueError:  # not even half of the customers would show it
        return None, gain


def silent(found: Compared) -> bool:
    """Whether no value is given of a policy whose gate failed."""
    failed = [name for name, gate in found.gates.items() if not gate.passed]
    return bool(found.table.loc[found.table["policy"].isin(failed), "value"].isna().all())
