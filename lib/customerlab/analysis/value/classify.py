"""Models of churn: recency alone, logistic regression, and gradient-boosted trees with calibrated probabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

RECENCY, LOGISTIC, BOOSTING = "recency alone", "logistic regression", "gradient boosting"
MODELS = (RECENCY, LOGISTIC, BOOSTING)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "recency": ("recency",),
    "frequency": ("frequency", "recent_orders", "days_between_orders"),
    "money": ("monetary", "recent_revenue", "order_value"),
    "age": ("tenure",),
}
"""The features of customers, in groups of those that are correlated by construction."""

FEATURES = [name for group in GROUPS.values() for name in group]
FOLDS = 5  # of customers, in which trees are calibrated
MOST = 100_000  # customers and windows that models are trained on; of more a random sample
SETTINGS: dict[str, Any] = {
    "n_estimators": 80, "learning_rate": 0.05, "num_leaves": 7, "min_child_samples": 40, "reg_lambda": 5.0, "max_bin": 63,
    "deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbose": -1,
}  # fmt: skip


def features(then: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.DataFrame:
    """The features of customers as known on a day, with what they did since an earlier day.

    Parameters
    ----------
    then, earlier : DataFrame
        As `Snapshot.customers` returns them for the two days; without the earlier one all is recent.

    Returns
    -------
    DataFrame
        `customer_id`, and `FEATURES`: `recency`, `frequency`, `monetary` and `tenure` as they are, `recent_orders` and
        `recent_revenue` (since the earlier day), `days_between_orders` (the tenure where there is one order alone) and
        `order_value` (monetary value by order).

    Examples
    --------
    >>> then = pd.DataFrame({
    ...     "customer_id": ["ann", "bob"], "recency": [9, 5], "frequency": [3, 1], "monetary": [30.0, 7.0],
    ...     "tenure": [29, 5], "days_between_orders": [10.0, np.nan],
    ... })
    >>> earlier = pd.DataFrame({"customer_id": ["ann"], "frequency": [2], "monetary": [18.0]})
    >>> features(then, earlier)[["recent_orders", "recent_revenue", "days_between_orders"]].values.tolist()
    [[1.0, 12.0, 10.0], [1.0, 7.0, 5.0]]
    """
    table = then.copy()
    for name, column in (("recent_orders", "frequency"), ("recent_revenue", "monetary")):
        past = 0.0 if earlier is None else table["customer_id"].map(earlier.set_index("customer_id")[column]).fillna(0)
        table[name] = (table[column] - past).round(4)
    table["days_between_orders"] = table["days_between_orders"].fillna(table["tenure"])
    table["order_value"] = table["monetary"] / table["frequency"]
    return table[["customer_id", *FEATURES]]


def points(table: pd.DataFrame) -> np.ndarray:
    """The features as logarithms of one plus the value; what is below zero, such as net money, counts as zero."""
    return np.log1p(table[FEATURES].to_numpy(dtype=float).clip(min=0))


def folds(customers: pd.Series, seed: int) -> np.ndarray:
    """The fold of each row, at random; all rows of a customer are in one.

    Examples
    --------
    >>> folds(pd.Series(["ann", "bob", "ann"]), seed=1).tolist()
    [0, 1, 0]
    """
    who, ids = pd.factorize(customers, sort=True)
    return np.random.default_rng(seed).permutation(len(ids))[who] % FOLDS


def fitted(table: pd.DataFrame, names: Sequence[str] = MODELS, *, seed: int) -> dict[str, Any]:
    """Some of the three models of `churned`, trained on customers with their `FEATURES`.

    Recency alone is a logistic regression on the logarithm of recency, and the rule to beat. Logistic regression has
    all features as standardised logarithms, with scikit-learn's penalty. The boosted trees are LightGBM's, and their
    probabilities are calibrated by Platt's sigmoid (1999) on predictions for customers whom the trees have not seen.

    Parameters
    ----------
    table : DataFrame
        `customer_id`, `FEATURES` and `churned`, of which both values occur; customers can have several rows, of
        different days.
    names : sequence of str
        Of `MODELS`.
    """
    if len(table) > MOST:
        table = table.iloc[np.sort(np.random.default_rng(seed).choice(len(table), MOST, replace=False))]
    trees = lightgbm.LGBMClassifier(**SETTINGS, random_state=seed)
    held = PredefinedSplit(folds(table["customer_id"], seed))
    models = {
        RECENCY: _logistic([FEATURES.index("recency")]),
        LOGISTIC: _logistic(list(range(len(FEATURES)))),
        BOOSTING: CalibratedClassifierCV(trees, method="sigmoid", cv=held, ensemble=False),
    }
    x, y = points(table), table["churned"].to_numpy(dtype=int)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        return {name: models[name].fit(x, y) for name in names}


def _logistic(columns: list[int]) -> Any:
    scaled = ColumnTransformer([("logarithms", StandardScaler(), columns)])
    return make_pipeline(scaled, LogisticRegression(max_iter=1_000))


def probability(model: Any, x: np.ndarray) -> np.ndarray:
    """The probability of churn at some `points`; equal points have equal ones."""
    with threadpool_limits(1):
        return model.predict_proba(x)[:, 1].round(9)
