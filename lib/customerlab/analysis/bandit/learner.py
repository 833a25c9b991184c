"""What policies share: probabilities and choices for batches of decisions, updates as sums, and how they forget."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Actions = NDArray[np.int64]
BOUNDED = ("ucb1", "kl-ucb", "thompson", "top-two thompson", "logistic thompson")


def nothing() -> Values:
    """State that is not given: the policy then starts with that of no data."""
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Learner:
    """What all policies share: how they choose, with which propensities, and how they forget. See `Policy`."""

    rule: str
    actions: int
    parameter: float = float("nan")
    floor: float = 0.0
    discount: float = 1.0
    window: int = 0
    draws: int = 100
    sums: Values = field(default_factory=nothing)
    _axis: ClassVar[int] = -2  # of the actions in the state

    def __post_init__(self) -> None:
        """Refuse what no policy can do."""
        if self.actions < 1 or self.draws < 1 or self.window < 0:
            raise ValueError("A policy needs at least one action and one draw, and no negative window.")
        if not 0 < self.discount <= 1 or not 0 <= self.floor <= 1:
            raise ValueError("The discount is above 0 and at most 1, the floor between 0 and 1.")
        if not self.sums.size:
            self._set(sums=self._empty())

    def _set(self, **values: object) -> None:
        """Fields that were not given."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _empty(self) -> Values:
        """The state without data."""
        raise NotImplementedError

    def _preferred(self, context: ArrayLike | None, mask: Mask, rng: np.random.Generator) -> Values:
        """The probabilities of the rule, before the floor."""
        raise NotImplementedError

    def _summed(self, action: Actions, reward: Values, context: ArrayLike | None, weight: Values) -> Values:
        """The sums of a batch."""
        raise NotImplementedError

    def probabilities(
        self,
        context: ArrayLike | None = None,
        available: ArrayLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> Values:
        """The probability of each action, of shape (n, actions).

        With f the floor and k the number of available actions, it is f + (1 - k f) times that of the rule: with
        probability k f any available action is taken, else that of the rule.

        Parameters
        ----------
        context : array of shape (n,) or (n, features), optional
            The cell of each decision for `Policy`, by default one row per cell; features for the linear ones.
        available : array of bool, of shape (actions,) or (n, actions), optional
            Which actions may be chosen, all by default.
        rng : Generator, optional
            Thompson sampling draws from it; without one, from a fixed seed.

        Raises
        ------
        ValueError
            For a decision without an available action, and a floor above 1 / k.
        """
        mask = np.ones(self.actions, bool) if available is None else np.asarray(available, bool)
        if mask.shape[-1:] != (self.actions,) or mask.ndim > 2 or not mask.any(axis=-1).all():
            raise ValueError(f"Each decision needs an available action, of {self.actions}.")
        number = mask.sum(axis=-1, keepdims=True)
        if (self.floor * number > 1 + 1e-12).any():
            raise ValueError(f"A floor of {self.floor:g} is more than {number.max()} available actions can have.")
        preferred = self._preferred(context, mask, np.random.default_rng(0) if rng is None else rng)
        return self.floor * mask + (1 - self.floor * number) * preferred

    def choose(
        self, rng: np.random.Generator, context: ArrayLike | None = None, available: ArrayLike | None = None
    ) -> tuple[Actions, Values]:
        """An action for each decision and its propensity: the probability that it was in fact drawn with.

        Decisions of a batch are independent given the state and, for Thompson sampling, the draws of the batch.
        """
        cumulated = (p := self.probabilities(context, available, rng)).cumsum(axis=1)
        drawn = rng.random((len(p), 1)) * cumulated[:, -1:]
        actions = np.minimum((cumulated <= drawn).sum(axis=1), self.actions - 1)
        return actions, p[np.arange(len(p)), actions]

    def update(
        self,
        actions: ArrayLike,
        rewards: ArrayLike,
        context: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        age: int = 0,
    ) -> Self:
        """The policy that also knows these rewards.

        Rewards may come late and in any order: the state is sums, equal up to rounding, and for whole numbers exactly.

        Parameters
        ----------
        actions, rewards, weights : array of shape (n,)
            Weights, 1 by default, are numbers of decisions with this mean reward.
        context : array, optional
            As in `probabilities`.
        age : int
            Periods, ended by `advance`, since the decisions: they count as if the rewards had been known at once.
        """
        action, reward = np.asarray(actions, dtype=np.int64), np.asarray(rewards, dtype=float)
        weight = np.ones(len(action)) if weights is None else np.asarray(weights, dtype=float)
        if ((action < 0) | (action >= self.actions)).any() or not np.isfinite(reward).all() or age < 0:
            raise ValueError(f"Actions are 0 to {self.actions - 1}, rewards finite numbers, and ages not negative.")
        if self.rule in BOUNDED and ((reward < 0) | (reward > 1)).any():
            raise ValueError(f"{self.rule} needs rewards from 0 to 1.")
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError("Weights are numbers of decisions, not negative.")
        late = self.window and age >= self.window
        return self if late else self._added(action, reward, context, weight * self.discount**age, age)

    def _added(self, action: Actions, reward: Values, context: ArrayLike | None, weight: Values, age: int) -> Self:
        """The policy with these rewards, discounted already."""
        sums = self.sums.copy()
        sums[age if self.window else 0] += self._summed(action, reward, context, weight)
        return replace(self, sums=sums)

    def with_actions(self, number: int) -> Self:
        """The policy with so many actions; new ones have the last numbers and no rewards."""
        if number < self.actions:
            raise ValueError("A policy cannot have fewer actions than before: make them unavailable.")
        added = np.zeros((self.sums.ndim, 2), dtype=int)
        added[self._axis, 1] = number - self.actions
        return replace(self, actions=number, sums=np.pad(self.sums, added))

    def advance(self) -> Self:
        """The policy one period later: sums are discounted, and the oldest period leaves the window."""
        sums = self.sums * self.discount
        if self.window:
            sums = np.concatenate([np.zeros_like(sums[:1]), sums[:-1]])
        return replace(self, sums=sums)


def best(scores: Values, mask: Mask) -> Values:
    """Probability 1 for the available action with the highest score, shared equally by equal ones."""
    score = np.where(mask, scores, -np.inf)
    top = (score == score.max(axis=-1, keepdims=True)) & mask
    return top / top.sum(axis=-1, keepdims=True)


def wins(drawn: Values) -> Values:
    """The share of sets of draws, of shape (actions, n, draws), that each action wins, of shape (n, actions)."""
    won = drawn == drawn.max(axis=0)
    return (won.sum(axis=-1) if (ties := won.sum(axis=0)).max() == 1 else (won / ties).sum(axis=-1)).T / drawn.shape[-1]
