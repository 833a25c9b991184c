"""Uplift models: the effect of a treatment on a customer, estimated from a randomised test.

No customer is observed both treated and untreated; models estimate how the mean effect depends on covariates. Each half
of the customers is predicted by models that were trained on the other half (cross-fitting), so that `targeting`
evaluates all of them, and the effect of treating everybody is that of the whole test.

Four meta-learners over gradient-boosted trees of scikit-learn:

- **S**: one model of the outcome with the treatment among its features; the effect is the difference that it makes.
- **T**: one model for each arm; the effect is their difference.
- **X**: the T models impute the missing outcomes; models of the differences are weighted by the shares of the arms
  (Künzel, Sekhon, Bickel and Yu 2019).
- **DR**: doubly robust. The T models' difference plus their residuals, weighted by the shares of the arms, is modelled;
  these pseudo-effects come from models of other customers (Kennedy 2023).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from customerlab.analysis.experiment.stats import spoken
from customerlab.analysis.inference import LEAST, enough

FOLDS = 3  # of the customers, for the doubly robust learner
HALVES = 2  # of the customers, of which each is predicted by models of the other
Effect = Callable[[np.ndarray], np.ndarray]


def trees(seed: int) -> Any:
    """A regularised regression: effects are small compared with the outcomes."""
    return HistGradientBoostingRegressor(
        max_iter=80, learning_rate=0.05, max_depth=3, min_samples_leaf=100, early_stopping=False, random_state=seed
    )


def features(units: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Covariates as numbers: a column of numbers as it is, any other one as a column of 0 and 1 for each value.

    One that is the same for every unit, or missing, is left out.

    Examples
    --------
    >>> units = pd.DataFrame({"covariate_age": ["30", "41"], "covariate_zip": ["Urban", None]})
    >>> features(units, ["covariate_age", "covariate_zip"])
        age  zip Urban
    0  30.0        1.0
    1  41.0        0.0
    """
    parts = {}
    for column in columns:
        known = units[column].dropna()
        if known.nunique() < 1 + (len(known) == len(units)):
            continue
        number = pd.to_numeric(known, errors="coerce")
        if number.notna().all():
            parts[spoken(column)] = number.astype(float).reindex(units.index)
        else:
            for value in sorted(known.unique()):
                parts[f"{spoken(column)} {value}"] = (units[column] == value).astype(float)
    return pd.DataFrame(parts, index=units.index)


def s_learner(x: np.ndarray, treated: np.ndarray, y: np.ndarray, seed: int) -> Effect:
    """One model of the outcome, the treatment a feature."""
    model = trees(seed).fit(np.column_stack([x, treated]), y)

    def effect(at: np.ndarray) -> np.ndarray:
        one, none = np.ones(len(at)), np.zeros(len(at))
        return model.predict(np.column_stack([at, one])) - model.predict(np.column_stack([at, none]))

    return effect


def t_learner(x: np.ndarray, treated: np.ndarray, y: np.ndarray, seed: int) -> Effect:
    """One model of the outcome for each arm."""
    with_it, without = _by_arm(x, treated, y, seed)
    return lambda at: with_it.predict(at) - without.predict(at)


def x_learner(x: np.ndarray, treated: np.ndarray, y: np.ndarray, seed: int) -> Effect:
    """Models of the differences from the other arm's model."""
    with_it, without = _by_arm(x, treated, y, seed)
    share = treated.mean()
    gained = trees(seed).fit(x[treated], y[treated] - without.predict(x[treated]))
    missed = trees(seed).fit(x[~treated], with_it.predict(x[~treated]) - y[~treated])
    return lambda at: share * missed.predict(at) + (1 - share) * gained.predict(at)


def dr_learner(x: np.ndarray, treated: np.ndarray, y: np.ndarray, seed: int) -> Effect:
    """A model of doubly robust pseudo-effects."""
    model = trees(seed).fit(x, pseudo_effects(x, treated, y, seed))
    return lambda at: model.predict(at)


def pseudo_effects(x: np.ndarray, treated: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Doubly robust pseudo-effects: their mean over any group of units is an unbiased estimate of its mean effect.

    The difference of the arms' models, which have not seen the unit, plus its residual over the share of its arm.
    """
    share = treated.mean()
    fold = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    value = np.empty(len(y))
    for held in range(FOLDS):
        own = fold == held
        with_it, without = (model.predict(x[own]) for model in _by_arm(x[~own], treated[~own], y[~own], seed))
        missed = np.where(treated[own], (y[own] - with_it) / share, -(y[own] - without) / (1 - share))
        value[own] = with_it - without + missed
    return value


LEARNERS = {"S": s_learner, "T": t_learner, "X": x_learner, "DR": dr_learner}


@dataclass(frozen=True)
class Predicted:
    """Effects predicted for customers by models that have not seen them.

    Attributes
    ----------
    effects : DataFrame
        By `unit_id`: one column per learner.
    treated, outcome, half : arrays of bool, float, int
        `half` is the half of the customers, predicted by models of the other. Customers are ranked within it, since the
        models of the two halves differ in level.
    """

    effects: pd.DataFrame
    treated: np.ndarray
    outcome: np.ndarray
    half: np.ndarray


def predict_effects(
    units: pd.DataFrame, outcome: str, variant: str, control: str, covariates: list[str], seed: int
) -> Predicted:
    """Train uplift models on each half of the customers of two arms, and predict the other half.

    `units` have `unit_id`, `variant`, the outcome and covariates known before the assignment; those of other arms are
    left out. The seed divides the customers, and is that of the learners. ValueError if no covariate varies, or there
    are fewer than 100 units of an arm in a half, or too few of an arm with any outcome.
    """
    pair = units[units["variant"].isin([variant, control])].sort_values("unit_id").reset_index(drop=True)
    x = features(pair, covariates).to_numpy()
    if not x.shape[1]:
        raise ValueError("no covariate differs between units; expected one that does")
    treated, y = (pair["variant"] == variant).to_numpy(), pair[outcome].to_numpy(dtype=float)
    half = np.random.default_rng(seed).permutation(len(pair)) % HALVES
    least = min(int(((half == part) & (treated == arm)).sum()) for part in range(HALVES) for arm in (True, False))
    some = [int((y[treated == arm] != 0).sum()) for arm in (True, False)]
    if least < 100 or not enough(*some):
        found = f"half of an arm has {least} units, and {min(some)} units of an arm any {spoken(outcome)}"
        raise ValueError(f"{found}; expected at least 100 and {LEAST} of {variant!r} and of {control!r}")
    effects = pd.DataFrame(index=pd.Index(pair["unit_id"], name="unit_id"), columns=list(LEARNERS), dtype=float)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        for part in range(HALVES):
            own = half == part
            for name, learner in LEARNERS.items():
                effects.loc[own, name] = learner(x[~own], treated[~own], y[~own], seed)(x[own])
    return Predicted(effects.round(9), treated, y, half)


def _by_arm(x: np.ndarray, treated: np.ndarray, y: np.ndarray, seed: int) -> tuple[Any, Any]:
    return trees(seed).fit(x[treated], y[treated]), trees(seed).fit(x[~treated], y[~treated])
