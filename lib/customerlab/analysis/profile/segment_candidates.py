"""Candidates for the segment model: how each is trained, and the choice of their settings inside the training part."""

from collections.abc import Callable, Mapping
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from customerlab.analysis.profile.gower import Values
from customerlab.analysis.profile.segment_model import (
    BOOSTING,
    LOGISTIC,
    TREE,
    Design,
    SegmentModel,
    bounded,
    fit_design,
)
from customerlab.analysis.value.classify import SETTINGS

FOREST, SVM = "random forest", "support vector machine"
GRID: Mapping[str, tuple[dict[str, Any], ...]] = {
    LOGISTIC: ({"C": 0.1}, {"C": 1.0}, {"C": 10.0}),
    TREE: ({"max_leaf_nodes": 6}, {"max_leaf_nodes": 12}, {"max_leaf_nodes": 24}),
    BOOSTING: ({"num_leaves": 3}, {"num_leaves": 7}),
    FOREST: ({"min_samples_leaf": 20}, {"min_samples_leaf": 5}),
    SVM: ({"C": 0.5}, {"C": 5.0}),
}
"""The settings that are tried, the simplest first."""

ROUNDS = 80
LEAF = 20  # customers of a leaf, at least
VECTORS = 1_000  # customers that a support vector machine is trained on, for its time grows with their square
FEWEST = 10  # of a segment among them, if it has as many
Chances = Callable[[Values], Values]


def trained(
    kind: str,
    setting: Mapping[str, Any],
    design: Design,
    x: Values,
    y: np.ndarray,
    segments: tuple[str, ...],
    seed: int,
) -> SegmentModel:
    """Train one of `SAVED`, as plain numbers or text.

    Parameters
    ----------
    kind, setting
        As in `GRID`.
    design : Design
    x : array of shape (customers, columns)
        As `design.matrix` returns it.
    y : array of int of shape (customers,)
        Places of `segments`, of which each occurs and there are at least two.
    """
    prior = np.bincount(y, minlength=len(segments)) / len(y)
    with threadpool_limits(1):
        if kind == BOOSTING:
            own = SETTINGS | dict(setting) | {"objective": "multiclass", "num_class": len(segments), "seed": seed}
            own.pop("n_estimators")
            text = lightgbm.train(own, lightgbm.Dataset(x, y, params=own), ROUNDS).model_to_string()
            return SegmentModel(kind, segments, prior, design, text=text)
        if kind == LOGISTIC:
            line = LogisticRegression(**setting, max_iter=1_000).fit(x, y)
            two = len(segments) == 2  # then there is one row, of the second against the first
            parts = (np.vstack([0 * part, part]) if two else part for part in (line.coef_, line.intercept_[:, None]))
            weights, intercepts = parts
            numbers = {"weights": weights, "intercepts": intercepts.ravel()}
            return SegmentModel(kind, segments, prior, design, numbers)
        tree = DecisionTreeClassifier(**setting, min_samples_leaf=LEAF, random_state=seed).fit(x, y).tree_
    # a leaf counts one customer more, who is in each segment with its share
    n = tree.weighted_n_node_samples[:, None]
    chance = (tree.value[:, 0, :] * n + prior) / (n + 1)
    numbers = {
        "left": tree.children_left, "right": tree.children_right, "column": tree.feature, "threshold": tree.threshold,
        "chance": chance,
    }  # fmt: skip
    return SegmentModel(kind, segments, prior, design, {name: part.copy() for name, part in numbers.items()})


def compared(kind: str, setting: Mapping[str, Any], x: Values, y: np.ndarray, seed: int) -> Chances:
    """Train a random forest (Breiman 2001), or a support vector machine with probabilities by Platt (1999)."""
    if kind == FOREST:
        model: Any = RandomForestClassifier(60, **setting, max_features="sqrt", random_state=seed, n_jobs=1)
    else:
        rank = pd.Series(np.random.default_rng(seed).permutation(len(y))).groupby(y).rank(method="first")
        share = np.maximum(VECTORS / len(y) * np.bincount(y), FEWEST)
        some = rank.to_numpy() <= share[y]
        x, y = x[some], y[some]
        model = CalibratedClassifierCV(SVC(**setting), method="sigmoid", cv=3, ensemble=False)
    with threadpool_limits(1):
        model.fit(x, y)

    def chances(at: Values) -> Values:
        with threadpool_limits(1):
            return bounded(model.predict_proba(at))

    return chances


def log_losses(chances: Values, y: np.ndarray) -> Values:
    """Minus the logarithm of the probability of each customer's own segment."""
    return -np.log(chances[np.arange(len(y)), y])


def choose(
    table: pd.DataFrame, y: np.ndarray, held: np.ndarray, segments: tuple[str, ...], seed: int
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """The setting of each candidate with the lowest log loss among the `held` customers, trained on the others.

    Returns
    -------
    DataFrame
        One row per candidate and setting: `model`, `setting`, `log_loss`.
    dict
        The chosen setting of each candidate; of equal ones the simplest.
    """
    design = fit_design(table[~held])
    x, asked, rows, best = design.matrix(table[~held]), design.matrix(table[held]), [], {}
    for kind, grid in GRID.items():
        losses = []
        for setting in grid:
            chances = fitted(kind, setting, design, x, y[~held], segments, seed)[0](asked)
            losses.append(float(log_losses(chances, y[held]).mean().round(9)))
            rows.append((kind, ", ".join(f"{name} {value:g}" for name, value in setting.items()), losses[-1]))
        best[kind] = grid[int(np.argmin(losses))]
    return pd.DataFrame(rows, columns=["model", "setting", "log_loss"]), best


def fitted(
    kind: str,
    setting: Mapping[str, Any],
    design: Design,
    x: Values,
    y: np.ndarray,
    segments: tuple[str, ...],
    seed: int,
) -> tuple[Chances, SegmentModel | None]:
    """The probabilities by any candidate, and the model where it can be saved."""
    if kind in (FOREST, SVM):
        return compared(kind, setting, x, y, seed), None
    model = trained(kind, setting, design, x, y, segments, seed)
    return model.chances, model
