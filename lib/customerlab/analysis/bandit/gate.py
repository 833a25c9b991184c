"""Can this log tell what a policy is worth? Checks of support and weights, before any number is given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.tree import DecisionTreeClassifier

from customerlab.analysis.bandit.logged import MOST, Decisions, Values, decisions
from customerlab.analysis.inference import INFLUENTIAL, LEAST

MASS = 0.01  # the share of the target policy's decisions that may be without support, or rest on few rows
EFFECTIVE, EFFECTIVE_SHARE = 100, 0.01  # the least effective sample size, and the least as a share of the decisions
SURE = 0.999  # of the interval that has to hold a mean weight of one
WEIGHT = 10  # the weight that data asked for would have at most
FOLDS, LEAF, LEAVES = 3, 25, 64  # of trees that predict the logged action from contexts
PARTS = 50  # of the decisions: steps in which regions of contexts grow, to at most half of all
CHANCE = 1e-4  # below which it is no chance that a region has so few rows of an action
NAMED = 3  # reasons of one kind that are spelled out


@dataclass(frozen=True)
class Gate:
    """Whether a log can tell what a policy is worth.

    Attributes
    ----------
    passed : bool
    reasons : tuple of str
        What is missing, and what data would settle it; empty where the gate passed.
    table : DataFrame
        `check`, `value`, `limit` and `passed`, one row for each check.
    """

    passed: bool
    reasons: tuple[str, ...]
    table: pd.DataFrame


def gate(
    log: pd.DataFrame,
    target: np.ndarray,
    actions: Sequence,
    *,
    contexts: np.ndarray | pd.DataFrame | None = None,
    segments: Sequence | pd.Series | None = None,
) -> Gate:
    """Check whether a log with propensities can tell what a target policy is worth.

    Support comes first: effective sample size goes up where it is missing, as actions that were never logged have no
    weights. A gap in a part of the contexts is found where the part is a segment, or a region in which cross-fitted
    trees expect the action least, by the target policy's probability: it is one where the action has fewer rows than
    its least propensity explains. Such a region is found sooner the larger it is, the fewer features define it, and
    the larger that propensity. Other gaps are left to the mean weight, which is one only with full support (Owen 2013):
    it needs many decisions to see small ones, and says nothing of estimated frequencies.

    Parameters
    ----------
    log : DataFrame
        `action`, `reward` and `propensity`, one row per decision; optional `decided_at` and `customer_id`.
    target : array of shape (decisions, actions)
        The target policy's probability of each action in each logged context.
    actions : sequence
        The names of the columns of `target`.
    contexts : array or DataFrame of shape (decisions, features), optional
        Numbers.
    segments : sequence of length decisions, optional

    Raises
    ------
    ValueError
        Where the parts do not fit, or a number is out of its range.

    Examples
    --------
    >>> log = pd.DataFrame({"action": ["a", "b"] * 200, "reward": 1.0, "propensity": 0.5})
    >>> gate(log, np.tile([0.6, 0.4], (400, 1)), ["a", "b"]).passed
    True
    >>> for sentence in gate(log, np.tile([0.6, 0.3, 0.1], (400, 1)), ["a", "b", "c"]).reasons[0].split(". "):
    ...     print(sentence)
    Action c is never logged: 10.0% of the target policy's decisions
    Log 2,000 decisions with action c at a propensity of at least 0.01.
    """
    found = decisions(log, target, actions, contexts, segments)
    if np.isnan(found.propensity).any():
        raise ValueError("the log has no propensities; evaluate() estimates them")
    return judged(found)


def judged(found: Decisions) -> Gate:
    """The gate of a checked log whose propensities are known or were estimated."""
    if not len(found.chosen):
        return Gate(False, (f"No decision is logged. Log at least {EFFECTIVE}.",), _table([]))
    whole = np.zeros(len(found.chosen), dtype=int)
    checks = [_support(found, whole, [""], "target mass on actions never logged")]
    if found.segments:
        where = [f" in segment {name}" for name in found.segments]
        checks += [_support(found, found.segment, where, "target mass on actions never logged in the segment")]
    if found.contexts is not None and found.contexts.shape[1] and len(found.chosen) >= 2 * LEAF * FOLDS:
        checks += [_regions(found, found.contexts)]
    checks += [_fewest(found), *_weights(found)]
    reasons = tuple(reason for *_, passed, said in checks if not passed for reason in said)
    return Gate(not reasons, tuple(dict.fromkeys(reasons)), _table(checks))


Check = tuple[str, float, float, bool, list[str]]


def _table(checks: list[Check]) -> pd.DataFrame:
    """The checks without their reasons."""
    return pd.DataFrame([check[:4] for check in checks], columns=["check", "value", "limit", "passed"])


def _regions(found: Decisions, points: Values) -> Check:
    """The target policy's mass in regions of contexts where an action has fewer rows than its least propensity makes.

    Sorted by expected by target probability, the first m decisions have the action at least as often as a binomial
    variable with the least propensity, if it was possible in all of them.
    """
    rows = slice(None, None, -(-len(points) // MOST))
    chosen, target, propensity = found.chosen[rows], found.target[rows], found.propensity[rows]
    expected, n, total, said = _expected(points[rows], chosen, found.unit[rows], target.shape), len(chosen), 0.0, []
    for a in np.flatnonzero((target.mean(axis=0) > MASS) & (np.bincount(chosen, minlength=target.shape[1]) > 0)):
        taken = np.flatnonzero(target[:, a] > 0)
        order = taken[np.argsort(expected[taken, a].clip(1e-3) / target[taken, a], kind="stable")]
        floor, hit = propensity[chosen == a].min(), chosen[order] == a
        sizes = np.unique(np.arange(1, PARTS // 2 + 1) * len(taken) // PARTS)[1:]
        counts = np.cumsum(hit)[sizes - 1]
        tail = stats.binom.cdf(counts, sizes, floor)
        if not len(sizes) or tail.min() >= CHANCE:
            continue
        size, count = int(sizes[tail.argmin()]), int(counts[tail.argmin()])
        mass = target[order[:size], a]
        lacking = max((mass - mass * hit[:size] / propensity[order[:size]]).sum() / n, 0.0)
        often = f"logged {count:,} times instead of at least {size * floor:,.0f}" if count else "never logged"
        where = f" in a region of contexts with {size / n:.0%} of decisions"
        said.append(_lacking(found.actions[a], often, where, lacking, mass.mean()))
        total += lacking
    return "target mass on actions hardly logged in similar contexts", total, MASS, total <= MASS, said


def _expected(points: Values, chosen: np.ndarray, unit: np.ndarray, shape: tuple[int, ...]) -> Values:
    """How often each action is logged in similar contexts, by trees of other folds; customers stay in one fold."""
    fold = (np.random.default_rng(0).permutation(int(unit.max()) + 1) % FOLDS)[unit]
    expected = np.zeros(shape)
    for k in range(FOLDS):
        train, held = fold != k, fold == k
        if train.any() and held.any():
            tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=LEAF, random_state=0)
            tree.fit(points[train], chosen[train])
            expected[np.ix_(held, tree.classes_)] = tree.predict_proba(points[held])
    return expected


def _support(found: Decisions, cell: np.ndarray, where: list[str], what: str) -> Check:
    """The target policy's mass on actions that were never logged in the cell of a context."""
    n, k = found.target.shape
    logged = np.bincount(cell * k + found.chosen, minlength=len(where) * k).reshape(-1, k)
    size = np.bincount(cell, minlength=len(where))
    mass = np.column_stack([np.bincount(cell, column, minlength=len(where)) for column in found.target.T])
    lacking = np.where(logged == 0, mass, 0) / n
    said = []
    for at in np.argsort(-lacking, axis=None, kind="stable")[:NAMED]:
        c, a = divmod(int(at), k)
        if lacking[c, a] > 0:
            said.append(_lacking(found.actions[a], "never logged", where[c], lacking[c, a], mass[c, a] / size[c]))
    return what, float(lacking.sum()), MASS, bool(lacking.sum() <= MASS), said


def _lacking(action: object, often: str, where: str, share: float, probability: float) -> str:
    """What is missing of an action, and the data that would settle it."""
    asked = _asked(action, probability / WEIGHT, where)
    return f"Action {action} is {often}{where}: {share:.1%} of the target policy's decisions. {asked}"


def _asked(action: object, propensity: float, where: str = "") -> str:
    """The data that would give an action enough rows."""
    number = np.ceil(LEAST / propensity * (1 - 1e-9))
    return f"Log {number:,.0f} decisions{where} with action {action} at a propensity of at least {propensity:.2g}."


def _fewest(found: Decisions) -> Check:
    """The fewest logged rows of an action that the target policy takes."""
    rows, mass = np.bincount(found.chosen, minlength=len(found.actions)), found.target.mean(axis=0)
    taken = np.flatnonzero(mass > MASS)
    fewest = int(rows[taken].min()) if len(taken) else len(found.chosen)
    said = [
        f"Action {found.actions[a]} was logged {rows[a]:,} times. {_asked(found.actions[a], mass[a] / WEIGHT)}"
        for a in taken
        if 0 < rows[a] < LEAST
    ]
    passed = fewest >= LEAST or not said  # no row at all is a matter of support
    return "fewest rows of an action with target mass", float(fewest), LEAST, passed, said


def _weights(found: Decisions) -> list[Check]:
    """Effective sample size (Kish 1965), the largest weight, and the mean weight against one."""
    weight = np.sort(found.weight)
    n, total = len(weight), weight.sum()
    effective = float(total / weight[-1] * total / (weight / weight[-1] @ weight)) if total else 0.0
    largest, mean = float(weight[-1] / total) if total else 1.0, total / n
    reach = stats.norm.ppf((1 + SURE) / 2) * (weight.std(ddof=1) / np.sqrt(n) if n > 1 else np.inf)
    held = bool(abs(mean - 1) <= reach + 1e-9)
    # a weight is a probability by a propensity: the least propensity at which none is above the weight asked for
    floor = found.target.max() / WEIGHT
    small = f"The effective sample size is {effective:,.0f} of {n:,} decisions"
    enough = (
        f" Log {EFFECTIVE / effective * n:,.0f} decisions at these propensities, or fewer at propensities of at least {floor:.2g}."
        if effective / n >= EFFECTIVE_SHARE
        else ""
    )  # else the next check says what helps
    return [
        ("effective sample size", effective, EFFECTIVE, effective >= EFFECTIVE,
         [f"{small}; expected at least {EFFECTIVE}.{enough}"]),
        ("effective sample size by decisions", effective / n, EFFECTIVE_SHARE, effective / n >= EFFECTIVE_SHARE,
         [f"{small}; expected at least {EFFECTIVE_SHARE:.0%}. More decisions of this kind do not help: log with "
          f"propensities of at least {floor:.2g} for what the target policy takes."]),
        ("largest weight by the sum of weights", largest, INFLUENTIAL, largest <= INFLUENTIAL,
         [f"One decision has {largest:.0%} of all weight; expected at most {INFLUENTIAL:.0%}. Log with propensities of "
          f"at least {floor:.2g} for what the target policy takes."]),
        ("mean weight", float(mean), 1.0, held,
         [f"The mean weight is {mean:.3f} ({SURE:.1%} CI {mean - reach:.3f} to {mean + reach:.3f}), not 1: propensities "
          "are not those that actions were chosen with, or actions of the target policy are never taken in some "
          f"contexts. Record propensities when choosing, at least {floor:.2g} for what the target policy takes."]),
    ]  # fmt: skip
