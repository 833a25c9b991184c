"""Learn a policy from a log by doubly robust scores: boosted trees, a tree that can be read, or one action for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from customerlab.analysis.bandit.logged import MOST, Decisions, Values, booster, decisions, scores, with_propensities

DECILES = np.arange(1, 10) / 10
CAUTION = 2  # standard errors that a leaf's own action has to gain
STEPS = 30  # halvings of the price at which a tree keeps to the budget
BOOSTED, TREE, SINGLE = "boosted trees", "shallow tree", "best single action"


@dataclass(frozen=True)
class Tree:
    """A policy of at most two splits on a path.

    Attributes
    ----------
    features, thresholds : list
        Of the first split, and of those of its lower and upper side; an empty name is no split. A context goes to the
        lower side if its feature is at most the threshold.
    leaves : list of int
        Numbers of actions: lower lower, lower upper, upper lower, upper upper.
    """

    features: list[str]
    thresholds: list[float]
    leaves: list[int]

    def choose(self, contexts: pd.DataFrame) -> np.ndarray:
        """The number of the action for each context."""
        upper = np.zeros((3, len(contexts)), dtype=int)
        for row, name, at in zip(upper, self.features, self.thresholds, strict=True):
            row[:] = contexts[name].to_numpy(dtype=float) > at if name else 0
        return np.array(self.leaves)[2 * upper[0] + np.where(upper[0] == 1, upper[2], upper[1])]

    def sentences(self, actions: Sequence, labels: Mapping[str, tuple[str, str]] | None = None) -> list[str]:
        """The rules in words; sides that have one action are one rule.

        Features that are 0 and 1 for a level of a label are told by `labels`, as `DecisionLog` has them.

        Examples
        --------
        >>> Tree(["recency", "", "orders"], [30.0, 0.0, 2.0], [0, 0, 1, 0]).sentences(["no mail", "mail"])[:2]
        ['If recency is at most 30: no mail.', 'If recency is above 30 and orders is at most 2: mail.']
        """
        first = bool(self.features[0]) and len(set(self.leaves)) > 1
        rules: list[tuple[list[str], int]] = []
        for side in (0, 1) if first else (0,):
            low, high = self.leaves[2 * side : 2 * side + 2]
            path = [self._said(0, side, labels or {})] if first else []
            if low == high or not self.features[1 + side]:
                rules.append((path, low))
            else:
                said = [self._said(1 + side, upper, labels or {}) for upper in (0, 1)]
                rules += [([*path, one], leaf) for one, leaf in zip(said, (low, high), strict=True)]
        return [f"{'If ' + ' and '.join(path) if path else 'Always'}: {actions[leaf]}." for path, leaf in rules]

    def _said(self, split: int, upper: int, labels: Mapping[str, tuple[str, str]]) -> str:
        """One side of a split."""
        if self.features[split] in labels:
            name, level = labels[self.features[split]]
            return f"{name} is {'' if upper else 'not '}{level}"
        return f"{self.features[split]} is {('at most', 'above')[upper]} {self.thresholds[split]:g}"


@dataclass(frozen=True)
class Learned:
    """Three policies learned from a log, as plain numbers and text.

    Attributes
    ----------
    actions, features : list
        The first action is the control, which the budget does not count.
    costs : list of float
    budget : float
    tree : Tree
    boosters : list of str
        Of each action, what LightGBM predicts of its doubly robust scores less costs.
    price : float
        What another action than the control has to gain by the boosters.
    single : int
        The number of the best single action.
    """

    actions: list
    features: list[str]
    costs: list[float]
    budget: float
    tree: Tree
    boosters: list[str]
    price: float
    single: int

    def probabilities(self, contexts: pd.DataFrame) -> dict[str, Values]:
        """Each policy's probability of each action, of shape (contexts, actions), the simplest policy first.

        The single action is given to the share of the budget, at random, and the control to the others.
        """
        points, kinds = contexts[self.features], np.eye(len(self.actions))
        values = points.to_numpy(dtype=float)
        gains = np.column_stack([lightgbm.Booster(model_str=b).predict(values, num_threads=1) for b in self.boosters])
        mixed = self.budget * kinds[self.single] + (1 - self.budget) * kinds[0]
        return {
            SINGLE: np.tile(mixed, (len(points), 1)),
            TREE: kinds[self.tree.choose(points)],
            BOOSTED: kinds[_best(gains, self.price)],
        }


def learn(
    log: pd.DataFrame,
    actions: Sequence,
    contexts: pd.DataFrame,
    *,
    seed: int,
    costs: Sequence[float] | None = None,
    budget: float = 1.0,
) -> Learned:
    """Learn three policies from a log: boosted trees, a tree of depth two, and one action for all.

    Both kinds of trees maximise cross-fitted doubly robust scores less costs (Athey and Wager 2021); the shallow one is
    the best of all with splits at deciles, on at most `MOST` decisions. To keep to the budget, other actions than the
    control are charged a price: for boosted trees that of the marginal customer, for the shallow tree the least one.
    An action that was never logged is not chosen.

    Parameters
    ----------
    log : DataFrame
        `action`, `reward`, and `propensity` in all rows or none, one row per decision.
    actions : sequence
        The first is the control, such as no message.
    contexts : DataFrame of numbers
    costs : sequence of float, optional
        Of each action, in the unit of the reward.
    budget : float
        The largest share of decisions that may get another action than the control.

    Raises
    ------
    ValueError
        As `evaluate`, without contexts or decisions, with a budget that is no share, or without a cost for each action.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> old, mailed = np.arange(2_000) % 2, rng.integers(2, size=2_000)
    >>> log = pd.DataFrame({"action": mailed, "reward": (old == mailed) + rng.normal(size=2_000), "propensity": 0.5})
    >>> learn(log, [0, 1], pd.DataFrame({"old": old}), seed=1).tree.sentences(["no mail", "mail"])
    ['If old is at most 0: no mail.', 'If old is above 0: mail.']
    """
    cost = np.zeros(len(actions)) if costs is None else np.asarray(costs, dtype=float)
    if cost.shape != (len(actions),) or not 0 <= budget <= 1:
        raise ValueError(f"budget = {budget}, {cost.size} costs; expected a share, and {len(actions)} costs")
    if not len(log) or not contexts.shape[1]:
        raise ValueError(f"{len(log)} decisions with {contexts.shape[1]} contexts; expected some of both")
    names = [str(name) for name in contexts]
    found, points = _decisions(log, actions, contexts)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        gained = scores(found, seed) - cost
        gained[:, np.bincount(found.chosen, minlength=len(actions)) == 0] = gained.min() - 1  # nothing is known of it
        fits = [booster(points, column, seed) for column in gained.T]
        gains = np.column_stack([fit.predict(points, num_threads=1) for fit in fits])
        tree = _tree(points, gained, names, budget, seed)
    single, boosters = int(gained.mean(axis=0).argmax()), [fit.model_to_string() for fit in fits]
    return Learned(list(actions), names, cost.tolist(), budget, tree, boosters, _price(gains, budget), single)


def _decisions(log: pd.DataFrame, actions: Sequence, contexts: pd.DataFrame) -> tuple[Decisions, Values]:
    """A checked log with propensities, and its contexts in its own order."""
    found = decisions(log, np.full((len(log), len(actions)), 1 / len(actions)), actions, contexts)
    assert found.contexts is not None
    return with_propensities(found)[0], found.contexts


def _over(gains: Values) -> Values:
    """What the best other action gains over the first."""
    return gains[:, 1:].max(axis=1, initial=-np.inf) - gains[:, 0]


def _best(gains: Values, price: float) -> np.ndarray:
    """The action with the largest gain, where all but the first are charged a price."""
    return np.where(_over(gains) > price, np.column_stack([gains[:, :1] * 0 - np.inf, gains[:, 1:]]).argmax(axis=1), 0)


def _price(gains: Values, budget: float) -> float:
    """The least price at which no more than the budget get another action than the first."""
    if budget in (0, 1):
        return (np.inf, 0.0)[int(budget)]
    over = np.sort(_over(gains))[::-1]
    return max(float(over[int(np.floor(budget * len(over) + 1e-9))]), 0.0)


def _tree(points: Values, scores: Values, names: list[str], budget: float, seed: int) -> Tree:
    """The tree with the largest sum of scores among all of depth two, at the least price that keeps to the budget.

    A leaf has another action than the control and the best single one for what that gains there over the latter, less
    two standard errors: without it, leaves would be chosen for their chance (Swaminathan and Joachims 2015).
    """
    single = int(scores.mean(axis=0).argmax())
    if len(points) > MOST:
        kept = np.sort(np.random.default_rng(seed).choice(len(points), MOST, replace=False))
        points, scores = points[kept], scores[kept]
    splits = [("", np.inf)]  # none, then all
    for name, column in zip(names, points.T, strict=True):
        cuts = np.unique(np.quantile(column, DECILES, method="lower"))
        splits += [(name, float(cut)) for cut in cuts if cut < column.max()]
    upper = np.column_stack([np.zeros(len(points)), *(points[:, names.index(name)] > cut for name, cut in splits[1:])])
    sums = np.stack([_leaf_sums(upper, column) for column in [*scores.T, np.ones(len(points))]], axis=-1)
    for a in set(range(scores.shape[1])) - {0, single}:
        sums[..., a] -= CAUTION * np.sqrt(_leaf_sums(upper, (scores[:, a] - scores[:, single]) ** 2).clip(0))
    least = 1e-9 * np.abs(scores).sum() * (np.arange(len(splits)) > 0)  # a split has to gain more than rounding
    low, high = 0.0, float(np.ptp(scores, axis=1).max()) + 1
    found, treated = _searched(sums, least, low)
    if treated > budget * len(points):
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if _searched(sums, least, middle)[1] <= budget * len(points) else (middle, high)
        found, _ = _searched(sums, least, high)
    chosen, leaves = found
    return Tree([splits[s][0] for s in chosen], [splits[s][1] for s in chosen], leaves)


def _leaf_sums(upper: Values, values: Values) -> Values:
    """Sums of values in the four leaves of each pair of splits: first split, its side, second split, its side."""
    both, ones = (upper.T * values) @ upper, values @ upper
    first, second = ones[:, None], ones[None, :]
    sides = [[values.sum() - first - second + both, second - both], [first - both, both]]
    return np.array(sides).transpose(2, 0, 3, 1)


def _searched(sums: Values, least: Values, price: float) -> tuple[tuple[list[int], list[int]], float]:
    """The best three splits with the actions of their leaves, and how many decisions get another than the first."""
    charged = sums[..., :-1] - price * sums[..., -1:] * (np.arange(sums.shape[-1] - 1) > 0)
    sides = charged.max(axis=-1).sum(axis=-1) - least  # of the first split and a side, by second split
    first = int((sides.max(axis=2).sum(axis=1) - least).argmax())
    second = sides[first].argmax(axis=1)
    leaves = [int(a) for side in (0, 1) for a in charged[first, side, second[side]].argmax(axis=-1)]
    counts = np.concatenate([sums[first, side, second[side], :, -1] for side in (0, 1)])
    return ([first, *map(int, second)], leaves), float(counts @ (np.array(leaves) > 0))
