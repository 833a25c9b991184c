"""Policies that choose by features of the decision: LinUCB, linear and logistic Thompson sampling."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from customerlab.analysis.bandit.learner import Actions, Learner, Mask, Values, best, nothing, wins

DEFAULTS = {"linucb": 1.0, "linear thompson": 0.5, "logistic thompson": 1.0}
NEWTON, TOLERANCE = 100, 1e-10


@dataclass(frozen=True, eq=False)
class LinearPolicy(Learner):
    """A linear model of the reward for each action (disjoint), from sums of x xᵀ and r x.

    An action without rewards enters with the prior. A constant is a feature of ones.

    Parameters
    ----------
    rule : str
        `linucb` (Li et al. 2010: mean + parameter · √(xᵀ A⁻¹ x), 1), or `linear thompson` (Agrawal and Goyal 2013;
        parameter: standard deviation of a reward, 0.5, at most that of rewards from 0 to 1).
    actions, parameter, floor, discount, window, draws
        As in `Policy`; sets of coefficients are drawn for a whole batch.
    features : int
        Columns of the context.
    ridge : float
        The prior's share of A, ridge · I.
    sums : array of shape (periods, actions, features, features + 1)
        The state: Σ x xᵀ, and Σ r x in the last column.

    Examples
    --------
    >>> policy = LinearPolicy("linucb", actions=2, features=2).update([0, 1], [1, 0], [[1, 0], [1, 1]])
    >>> policy.scores([[1, 0]]).round(4).tolist(), policy.probabilities([[1, 0]]).tolist()
    ([[1.2071, 0.8165]], [[1.0, 0.0]])
    """

    features: int = 1
    ridge: float = 1.0
    _axis: ClassVar[int] = -3

    def __post_init__(self) -> None:
        """Fill in what the rule has by default."""
        super().__post_init__()
        if self.rule not in DEFAULTS or (self.rule == "logistic thompson") != isinstance(self, LogisticPolicy):
            raise ValueError(f"{self.rule!r} is no rule of {type(self).__name__}.")
        if self.ridge <= 0 or self.features < 1:
            raise ValueError("A linear policy needs a feature and a ridge above 0.")
        if np.isnan(self.parameter):
            self._set(parameter=DEFAULTS[self.rule])

    def _empty(self) -> Values:
        return np.zeros((self.window or 1, self.actions, self.features, self.features + 1))

    def posterior(self) -> tuple[Values, Values]:
        """Coefficients, of shape (actions, features), and the matrix A, of shape (actions, features, features)."""
        known = self.sums.sum(axis=0)
        precision = known[..., :-1] + self.ridge * np.eye(self.features)
        return np.linalg.solve(precision, known[..., -1:])[..., 0], precision

    def scores(self, context: ArrayLike) -> Values:
        """The mean and `parameter` times its standard deviation of each action, of shape (n, actions)."""
        x, (mean, precision) = self._rows(context), self.posterior()
        spread = np.linalg.solve(np.linalg.cholesky(precision), x.T)
        return x @ mean.T + self.parameter * np.sqrt((spread**2).sum(axis=1)).T

    def _rows(self, context: ArrayLike | None) -> Values:
        """The features of each decision."""
        x = np.asarray(() if context is None else context, dtype=float)
        if x.ndim != 2 or x.shape[1] != self.features or not np.isfinite(x).all():
            raise ValueError(f"The context of each decision is {self.features} finite numbers.")
        return x

    def _preferred(self, context: ArrayLike | None, mask: Mask, rng: np.random.Generator) -> Values:
        x = self._rows(context)
        if self.rule == "linucb":
            return best(self.scores(x), np.broadcast_to(mask, (len(x), self.actions)))
        mean, precision = self.posterior()
        normal = rng.standard_normal((self.actions, self.features, self.draws))
        error = np.linalg.solve(np.linalg.cholesky(precision).swapaxes(1, 2), normal)
        drawn = x @ (mean[..., None] + self.parameter * error)
        if not mask.all():
            drawn = np.where(np.broadcast_to(mask, (len(x), self.actions)).T[..., None], drawn, -np.inf)
        return wins(drawn)

    def _summed(self, action: Actions, reward: Values, context: ArrayLike | None, weight: Values) -> Values:
        x, sums = self._rows(context), np.zeros(self.sums.shape[1:])
        both = np.column_stack([x, reward])
        for one in np.unique(action):
            rows = action == one
            sums[one] = (x[rows] * weight[rows, None]).T @ both[rows]
        return sums


@dataclass(frozen=True, eq=False)
class LogisticPolicy(LinearPolicy):
    """Thompson sampling with a logistic model for each action, by Laplace's approximation (Chapelle and Li 2011).

    A logistic model has no sums to be fitted to, so the state is the rows themselves, equal ones together, and each
    update fits them again: the result does not depend on order. A window bounds their number.

    Parameters
    ----------
    rule : {"logistic thompson"}
    actions, floor, discount, window, draws, features
        As in `LinearPolicy`. Rewards are from 0 to 1.
    parameter : float
        The scale of the posterior's standard deviations, 1.
    ridge : float
        The precision of the normal prior of each coefficient.
    sums : array of shape (rows, features + 4)
        The state: age in periods (where there is a window), action, features, decisions, and sum of rewards.
    mean, precision : array
        The fit to it: the most probable coefficients, and the curvature there.

    Examples
    --------
    >>> policy = LogisticPolicy("logistic thompson", actions=2, features=1)
    >>> policy = policy.update([0, 0, 0, 1], [1, 1, 0, 0], np.ones((4, 1)))
    >>> policy.mean.round(4).tolist()
    [[0.2865], [-0.4011]]
    """

    mean: Values = field(default_factory=nothing)
    precision: Values = field(default_factory=nothing)

    def __post_init__(self) -> None:
        """Begin with the prior."""
        super().__post_init__()
        if not self.mean.size:
            self._set(mean=np.zeros((self.actions, self.features)))
            self._set(precision=np.tile(self.ridge * np.eye(self.features), (self.actions, 1, 1)))

    def _empty(self) -> Values:
        return np.zeros((0, self.features + 4))

    def posterior(self) -> tuple[Values, Values]:
        """The most probable coefficients and the curvature there, of shapes as in `LinearPolicy`."""
        return self.mean, self.precision

    def _added(self, action: Actions, reward: Values, context: ArrayLike | None, weight: Values, age: int) -> Self:
        when = np.full(len(action), age if self.window else 0)
        rows = np.column_stack([when, action, self._rows(context), weight, weight * reward])
        return self._fitted(np.vstack([self.sums, rows]))

    def with_actions(self, number: int) -> Self:
        """As in `Learner`."""
        if number < self.actions:
            raise ValueError("A policy cannot have fewer actions than before: make them unavailable.")
        return replace(self, actions=number)._fitted(self.sums)

    def advance(self) -> Self:
        """As in `Learner`."""
        rows = self.sums * np.append(np.ones(self.features + 2), [self.discount] * 2)
        if not self.window:
            return self if self.discount == 1 else self._fitted(rows)
        rows[:, 0] += 1
        return self._fitted(rows[rows[:, 0] < self.window])

    def _fitted(self, rows: Values) -> Self:
        """The policy with these rows, equal ones together, and its fit to them."""
        keys, place = np.unique(rows[:, :-2], axis=0, return_inverse=True)
        sums = [np.bincount(place.ravel(), of, minlength=len(keys)) for of in rows[:, -2:].T]
        fits = [
            _laplace(keys[own, 2:], sums[0][own], sums[1][own], self.ridge)
            for own in (keys[:, 1] == action for action in range(self.actions))
        ]
        mean, precision = (np.array(part) for part in zip(*fits, strict=True))
        return replace(self, sums=np.column_stack([keys, *sums]), mean=mean, precision=precision)


def _laplace(x: Values, number: Values, total: Values, ridge: float) -> tuple[Values, Values]:
    """The most probable coefficients of a logistic model with a normal prior, and the curvature, by Newton's steps."""

    def loss(at: Values) -> float:
        return float(number @ np.logaddexp(0, x @ at) - total @ (x @ at) + ridge / 2 * at @ at)

    at, prior = np.zeros(x.shape[1]), ridge * np.eye(x.shape[1])
    for _ in range(NEWTON):
        p = expit(x @ at)
        slope, curvature = x.T @ (number * p - total) + ridge * at, (x.T * (number * p * (1 - p))) @ x + prior
        step = np.linalg.solve(curvature, slope)
        if slope @ step < TOLERANCE**2:
            break
        size, before = 1.0, loss(at)
        while loss(at - size * step) > before and size > TOLERANCE:
            size /= 2
        at = at - size * step
    return at, curvature
