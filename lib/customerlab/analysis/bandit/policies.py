"""Policies without context, or one for each segment, from epsilon-greedy to top-two Thompson sampling."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from customerlab.analysis.bandit.learner import Actions, Learner, Mask, Values, best, wins

STEPS = 50  # of a bisection: its error is below 1e-15


@dataclass(frozen=True, eq=False)
class Policy(Learner):
    """A policy without context, or one for each segment: a state of sums for each cell.

    An action without known rewards enters with the prior of Thompson sampling; other rules try it first. Equal scores
    share equally. In a batch, and until rewards are known, an index policy repeats its action for all decisions.

    Parameters
    ----------
    rule : str
        `epsilon-greedy` (parameter: epsilon, 0.1); `softmax` (Boltzmann; temperature, 0.1); `ucb1` (Auer et al. 2002;
        exploration, 2); `kl-ucb` (Garivier and Cappé 2011; their c, 0); `thompson` (Bernoulli rewards, prior Beta);
        `gaussian thompson` (parameter: standard deviation of a reward, 1; prior mean and standard deviation);
        `top-two thompson` (Bernoulli; Russo 2020; probability of the leader, 0.5); `explore-then-commit` (rewards to be
        known of each action, 100; updates after them do not count); `ab test` (equal shares until `commit`).
        `ucb1`, `kl-ucb`, `thompson` and `top-two thompson` need rewards from 0 to 1.
    actions : int
        They are numbered from 0.
    parameter : float
        That of the rule; NaN for its default.
    floor : float
        Each available action has at least this propensity. Set one if the log is to be evaluated: without it an action
        can have a propensity of 0.
    discount : float
        The factor on all sums at `advance`, for rates that change (Garivier and Moulines 2011).
    window : int
        Only rewards of so many periods count; 0 for all.
    draws : int
        Sets of posterior draws in a batch: the propensity in Thompson sampling is the share of sets that the action
        wins, and the action is drawn from these shares. Each choice alone is Thompson sampling for any number.
    prior : (float, float)
        Of Thompson sampling: successes and failures, (1, 1), or mean and standard deviation, (0, 1).
    cells : int
        Segments, each with a state of its own; a context is then the number of the segment.
    sums, committed : array
        The state, of shape (periods, cells, actions, 2) with counts and sums of rewards, and (cells,), -1 for none.

    Examples
    --------
    >>> policy = Policy("ucb1", actions=3).update([0, 1, 1, 2], [1, 0, 1, 0])
    >>> policy.probabilities().tolist(), policy.probabilities(available=[False, True, True]).tolist()
    ([[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    >>> actions, propensities = Policy("ab test", actions=2, cells=2).choose(np.random.default_rng(1), [0, 1, 1])
    >>> propensities.tolist()
    [0.5, 0.5, 0.5]
    """

    prior: tuple[float, float] = (float("nan"), float("nan"))
    cells: int = 1
    committed: Actions = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        """Fill in what the rule has by default."""
        super().__post_init__()
        if self.rule not in RULES:
            raise ValueError(f"{self.rule!r} is no rule; there are {', '.join(RULES)}.")
        if np.isnan(self.parameter):
            self._set(parameter=RULES[self.rule][1])
        if np.isnan(self.prior).any():
            self._set(prior=(0.0, 1.0) if self.rule == "gaussian thompson" else (1.0, 1.0))
        if not self.committed.size:
            self._set(committed=np.full(self.cells, -1))

    def _empty(self) -> Values:
        return np.zeros((self.window or 1, self.cells, self.actions, 2))

    def commit(self, action: ArrayLike) -> Self:
        """The policy that takes this action, one for all cells or one for each, where it is available; -1 ends it."""
        return replace(self, committed=np.broadcast_to(np.asarray(action, dtype=np.int64), self.cells).copy())

    def _cell(self, context: ArrayLike) -> Actions:
        """The cell of each decision."""
        cell = np.asarray(context, dtype=np.int64)
        if cell.ndim != 1 or ((cell < 0) | (cell >= self.cells)).any():
            raise ValueError(f"The context is the cell of each decision, 0 to {self.cells - 1}.")
        return cell

    def _preferred(self, context: ArrayLike | None, mask: Mask, rng: np.random.Generator) -> Values:
        by_row = mask.ndim == 2
        if context is None:
            cell = np.zeros(len(mask), np.int64) if by_row and self.cells == 1 else np.arange(self.cells)
        else:
            cell = self._cell(context)
        known, committed = self.sums.sum(axis=0), self.committed
        if by_row:
            known, committed = known[cell], committed[cell]
        count, total = known[..., 0], known[..., 1]
        preferred = RULES[self.rule][0](self, _Known(count, total, np.broadcast_to(mask, count.shape), rng))
        told = (np.arange(self.actions) == committed[:, None]) & mask
        preferred = np.where(told.any(axis=1, keepdims=True), told, preferred)
        return preferred if by_row else preferred[cell]

    def _summed(self, action: Actions, reward: Values, context: ArrayLike | None, weight: Values) -> Values:
        if context is None and self.cells > 1:
            raise ValueError("A policy of several cells needs the cell of each decision.")
        at = action + (0 if context is None else self.actions * self._cell(context))
        both = [np.bincount(at, of, minlength=self.cells * self.actions) for of in (weight, weight * reward)]
        added = np.stack(both, axis=-1, dtype=float).reshape(self.cells, self.actions, 2)
        if self.rule == "explore-then-commit":
            added[self.sums.sum(axis=0)[..., 0] >= self.parameter] = 0
        return added


def ucb1_index(count: Values, total: Values, exploration: float = 2.0) -> Values:
    """The index of UCB1 (Auer, Cesa-Bianchi and Fischer 2002): mean + √(exploration · ln t / n), t the sum of counts.

    Arrays have the shape (..., actions); infinite for an action without rewards.

    Examples
    --------
    >>> ucb1_index(np.array([1.0, 3.0, 0.0]), np.array([0.0, 2.0, 0.0])).round(4).tolist()
    [1.6651, 1.628, inf]
    """
    time = np.maximum(count.sum(axis=-1, keepdims=True), 1)
    known = np.where(count > 0, count, 1)
    return np.where(count > 0, total / known + np.sqrt(exploration * np.log(time) / known), np.inf)


def kl_ucb_index(count: Values, total: Values, c: float = 0.0) -> Values:
    """The index of KL-UCB (Garivier and Cappé 2011): the largest q with n · kl(mean, q) ≤ ln t + c · ln ln t.

    kl is the divergence of Bernoulli distributions; infinite for an action without rewards.

    Examples
    --------
    >>> kl_ucb_index(np.array([10.0, 10.0, 0.0]), np.array([5.0, 0.0, 0.0])).round(4).tolist()
    [0.8357, 0.2589, inf]
    """
    time = np.maximum(count.sum(axis=-1, keepdims=True), 1)
    known = np.where(count > 0, count, 1)
    mean = np.clip(total / known, 0, 1)
    most = np.maximum(np.log(time) + c * np.log(np.maximum(np.log(time), 1)), 0) / known
    entropy = -sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0) for p in (mean, 1 - mean))
    low, high = mean, np.ones_like(mean)
    for _ in range(STEPS):
        middle = (low + high) / 2
        inside = np.clip(middle, 1e-300, 1 - 1e-16)
        near = -entropy - mean * np.log(inside) - (1 - mean) * np.log1p(-inside) <= most
        low, high = np.where(near, middle, low), np.where(near, high, middle)
    return np.where(count > 0, low, np.inf)


@dataclass(frozen=True, eq=False)
class _Known:
    """What a rule sees: counts, sums and what is available, each of shape (rows, actions), and where chance is from."""

    count: Values
    total: Values
    mask: Mask
    rng: np.random.Generator

    @property
    def mean(self) -> Values:
        """Mean rewards, infinite where there are none."""
        return np.where(self.count > 0, self.total / np.where(self.count > 0, self.count, 1), np.inf)

    @property
    def equal(self) -> Values:
        """Equal shares of all available actions."""
        return self.mask / self.mask.sum(axis=-1, keepdims=True)


def _epsilon(policy: Policy, known: _Known) -> Values:
    return policy.parameter * known.equal + (1 - policy.parameter) * best(known.mean, known.mask)


def _softmax(policy: Policy, known: _Known) -> Values:
    score = np.where(known.mask, known.mean, -np.inf)
    highest = score.max(axis=-1, keepdims=True)
    power = np.exp((score - np.where(np.isinf(highest), 0, highest)) / policy.parameter)
    new = np.isinf(highest)  # without rewards
    return np.where(new, best(score, known.mask), power / np.where(new, 1, power.sum(axis=-1, keepdims=True)))


def _explore(policy: Policy, known: _Known) -> Values:
    short = known.mask & (known.count < policy.parameter)
    return best(np.where(short.any(axis=-1, keepdims=True), short.astype(float), known.mean), known.mask)


def _beta(policy: Policy, known: _Known) -> Values:
    """Draws from the posterior of Bernoulli rewards, of shape (actions, rows, draws)."""
    a, b = policy.prior
    won, lost = a + known.total, b + np.maximum(known.count - known.total, 0)
    drawn = known.rng.beta(won.T[..., None], lost.T[..., None], size=(*won.T.shape, policy.draws))
    return np.where(known.mask.T[..., None], drawn, -1)


def _gaussian(policy: Policy, known: _Known) -> Values:
    """Shares of draws from the posterior of a mean with a normal prior, the noise known."""
    mean, deviation = policy.prior
    precision = 1 / deviation**2 + known.count / policy.parameter**2
    middle = (mean / deviation**2 + known.total / policy.parameter**2) / precision
    normal = known.rng.standard_normal((*middle.T.shape, policy.draws))
    drawn = middle.T[..., None] + normal / np.sqrt(precision).T[..., None]
    return wins(np.where(known.mask.T[..., None], drawn, -np.inf))


def _top_two(policy: Policy, known: _Known) -> Values:
    """The leader with probability beta, else the winner of fresh sets that another action wins (Russo 2020).

    Where one action wins all sets, the challenger is the second of a set.
    """
    drawn = _beta(policy, known)
    share = wins(drawn)
    odds = share / np.where(share < 1, 1 - share, 1)
    challenged = share * (odds.sum(axis=-1, keepdims=True) - odds)
    sure = (share == 1).any(axis=-1, keepdims=True)
    alone = known.mask.sum(axis=-1, keepdims=True) == 1
    second = wins(np.where(drawn == drawn.max(axis=0), -1, drawn))
    challenger = np.where(alone, share, np.where(sure, second, challenged))
    return policy.parameter * share + (1 - policy.parameter) * challenger


Rule = Callable[[Policy, _Known], Values]
RULES: dict[str, tuple[Rule, float]] = {
    "epsilon-greedy": (_epsilon, 0.1),
    "softmax": (_softmax, 0.1),
    "ucb1": (lambda policy, known: best(ucb1_index(known.count, known.total, policy.parameter), known.mask), 2.0),
    "kl-ucb": (lambda policy, known: best(kl_ucb_index(known.count, known.total, policy.parameter), known.mask), 0.0),
    "thompson": (lambda policy, known: wins(_beta(policy, known)), 0.0),
    "gaussian thompson": (_gaussian, 1.0),
    "top-two thompson": (_top_two, 0.5),
    "explore-then-commit": (_explore, 100.0),
    "ab test": (lambda policy, known: known.equal, 0.0),
}
"""The rule of each policy and its default parameter."""
