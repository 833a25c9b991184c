"""A log of decisions, checked, with what is estimated from it: propensities, modelled rewards, standard errors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Values = NDArray[np.float64]
MOST = 20_000  # rows that a model is fitted to, and rows of a block
FOLDS, LEAF, ROUNDS = 3, 20, 40
SETTINGS = {
    "objective": "regression", "learning_rate": 0.1, "num_leaves": 8, "min_data_in_leaf": LEAF, "lambda_l2": 1.0,
    "max_bin": 63, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1,
}  # fmt: skip


@dataclass(frozen=True)
class Decisions:
    """A checked log in an order that does not depend on that of its rows: by time, equal times at random."""

    actions: list
    chosen: NDArray[np.int64]
    reward: Values
    propensity: Values
    target: Values
    contexts: Values | None
    segment: NDArray[np.int64]
    segments: list
    unit: NDArray[np.int64]
    timed: bool
    place: NDArray[np.int64]  # the row of the given log that each is

    @property
    def weight(self) -> Values:
        """The target policy's probability of each logged action by its propensity."""
        return self.target[np.arange(len(self.chosen)), self.chosen] / self.propensity


def decisions(
    log: pd.DataFrame,
    target: np.ndarray,
    actions: Sequence,
    contexts: np.ndarray | pd.DataFrame | None = None,
    segments: Sequence | pd.Series | None = None,
) -> Decisions:
    """Check a log and put it into an order of its own; ValueError says what does not fit."""
    target = np.asarray(target, dtype=float)
    chosen = pd.Index(actions).get_indexer(pd.Index(log["action"]))
    reward = log["reward"].to_numpy(dtype=float)
    propensity = log["propensity"].to_numpy(dtype=float) if "propensity" in log else np.full(len(log), np.nan)
    points = None if contexts is None else np.atleast_2d(np.asarray(contexts, dtype=float).T).T
    _check(chosen, reward, propensity, target, len(actions))
    code, names = pd.factorize(pd.Series(np.zeros(len(log)) if segments is None else np.asarray(segments)), sort=True)
    unit = pd.factorize(log["customer_id"].astype(str), sort=True)[0] if "customer_id" in log else np.arange(len(log))
    content = [chosen, reward, propensity, code, *target.T, *([] if points is None else points.T)]
    content += [unit] if "customer_id" in log else []
    digest = pd.util.hash_pandas_object(pd.DataFrame(dict(enumerate(content))), index=False).to_numpy()
    time = pd.to_datetime(log["decided_at"]).to_numpy() if "decided_at" in log else np.zeros(len(log))
    order = np.lexsort((digest, time))
    # rewards are part of the content: without this, equal times would be sorted by reward, and no sequence be random;
    # a seed of its own for each log, or logs that are alike would all have the same places
    ties = np.random.default_rng(digest.sum(dtype=np.uint64)).permutation(len(log))
    order = order[np.lexsort((ties, time[order]))]
    points = None if points is None else points[order]
    unit = unit[order] if "customer_id" in log else unit
    parts = (chosen[order], reward[order], propensity[order], target[order], points, code[order])
    return Decisions(
        list(actions), *parts, list(names) if segments is not None else [], unit, "decided_at" in log, order
    )


def _check(chosen: np.ndarray, reward: Values, propensity: Values, target: Values, actions: int) -> None:
    """Refuse a log whose parts do not fit together."""
    if target.shape != (len(chosen), actions):
        raise ValueError(f"target has the shape {target.shape}; expected {(len(chosen), actions)}: decisions, actions")
    if (target < 0).any() or not np.allclose(target.sum(axis=1), 1, atol=1e-6):
        raise ValueError("target has rows that are no probabilities; expected numbers from 0 that sum to 1")
    if (chosen < 0).any():
        raise ValueError(f"{(chosen < 0).sum():,} decisions have an action that is not among the actions")
    if not np.isfinite(reward).all():
        raise ValueError(f"{(~np.isfinite(reward)).sum():,} rewards are missing or not finite")
    missing = int(np.isnan(propensity).sum())
    if 0 < missing < len(propensity):
        raise ValueError(f"{missing:,} of {len(propensity):,} propensities are missing; expected all of them or none")
    if missing == 0 and not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("a propensity of a logged action is not above 0 and at most 1")


def with_propensities(found: Decisions) -> tuple[Decisions, Values | None, str]:
    """The decisions with a propensity each, those of all actions where they were estimated, and where they are from."""
    if not len(found.chosen) or not np.isnan(found.propensity).any():
        return found, None, "logged"
    if found.contexts is not None and found.contexts.shape[1] and len(np.unique(found.chosen)) > 1:
        model = np.zeros(found.target.shape)
        fitted = LogisticRegression(C=1_000.0, max_iter=1_000).fit(standard(found.contexts), found.chosen)
        model[:, fitted.classes_] = fitted.predict_proba(standard(found.contexts))
        source = "estimated by multinomial logistic regression on contexts"
    else:
        counts = cells(found, np.ones(len(found.chosen)))
        model = (counts / counts.sum(axis=1, keepdims=True))[found.segment]
        source = f"estimated by frequencies {'in segments' if found.segments else 'of actions'}"
    return replace(found, propensity=model[np.arange(len(model)), found.chosen]), model, source


def fitted_rewards(found: Decisions, seed: int) -> Values:
    """The modelled reward of each decision for each action, by models of other folds; customers stay in one fold."""
    units = int(found.unit.max()) + 1
    fold = (np.random.default_rng(seed).permutation(units) % FOLDS)[found.unit]
    fitted = np.empty(found.target.shape)
    for k in range(FOLDS):
        train, held = fold != k, fold == k
        sums, counts = cells(found, found.reward * train), cells(found, train.astype(float))
        overall = (found.reward * train).sum() / max(train.sum(), 1)
        mean = (sums.sum(axis=0) + overall) / (counts.sum(axis=0) + 1)  # one row of prior: the mean of all actions
        fitted[held] = ((sums + mean) / (counts + 1))[found.segment[held]]
        if found.contexts is not None and found.contexts.shape[1]:
            fitted[held] = mean
            for a in range(len(found.actions)):
                rows = np.flatnonzero(train & (found.chosen == a))
                if len(rows) >= 2 * LEAF:
                    trees = booster(found.contexts[rows], found.reward[rows], seed)
                    fitted[held, a] = trees.predict(found.contexts[held], num_threads=1)
    return fitted.clip(found.reward.min(), found.reward.max())


def scores(found: Decisions, seed: int) -> Values:
    """Doubly robust scores of each action: q(a) + 1{a logged} (r - q(a)) / p, on the mean the value of the action."""
    each, rows = fitted_rewards(found, seed), np.arange(len(found.chosen))
    each[rows, found.chosen] += (found.reward - each[rows, found.chosen]) / found.propensity
    return each


def booster(given: Values, reward: Values, seed: int) -> lightgbm.Booster:
    """Boosted trees (LightGBM) fitted to at most `MOST` of the rows."""
    if len(given) > MOST:
        kept = np.sort(np.random.default_rng(seed).choice(len(given), MOST, replace=False))
        given, reward = given[kept], reward[kept]
    return lightgbm.train(SETTINGS | {"seed": seed}, lightgbm.Dataset(given, reward, params=SETTINGS), ROUNDS)


def standard_error(found: Decisions, influence: Values) -> Values:
    """Of columns of influences, over customers."""
    units = int(found.unit.max()) + 1
    sums = np.column_stack([np.bincount(found.unit, one, minlength=units) for one in influence.T])
    return np.sqrt((sums**2).sum(axis=0) * units / max(units - 1, 1)) / len(influence)


def corrected(found: Decisions, model: Values | None, influence: Values) -> Values:
    """Influences less their projection on the scores of estimated propensities (Hirano, Imbens and Ridder 2003)."""
    if model is None:
        return influence
    if found.contexts is None or not found.contexts.shape[1]:  # the scores span all functions of segment and action
        counts = cells(found, np.ones(len(found.chosen)))
        for j in range(influence.shape[1]):
            sums = cells(found, influence[:, j])
            within = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
            mean = sums.sum(axis=1) / counts.sum(axis=1)
            influence[:, j] += mean[found.segment] - within[found.segment, found.chosen]
        return influence
    design = np.column_stack([np.ones(len(model)), standard(found.contexts)])
    surprise = (found.chosen[:, None] == np.arange(model.shape[1])) - model

    def scores(rows: slice) -> Values:
        return (surprise[rows, :, None] * design[rows, None, :]).reshape(len(design[rows]), -1)

    blocks = [slice(begin, begin + MOST) for begin in range(0, len(model), MOST)]  # bounds the memory
    square = sum(scores(rows).T @ scores(rows) for rows in blocks)
    slopes = np.linalg.lstsq(square, sum(scores(rows).T @ influence[rows] for rows in blocks), rcond=1e-10)[0]
    return influence - np.vstack([scores(rows) @ slopes for rows in blocks])


def cells(found: Decisions, values: Values) -> Values:
    """Sums by segment and action."""
    k, cells = len(found.actions), int(found.segment.max()) + 1
    sums: Values = np.bincount(found.segment * k + found.chosen, values, minlength=cells * k).astype(float)
    return sums.reshape(cells, k)


def standard(points: Values) -> Values:
    """Contexts of mean 0 and deviation 1; constant ones are 0."""
    spread = points.std(axis=0)
    return (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
