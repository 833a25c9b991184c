"""Maximum likelihood for models of repeat orders: equal rows once, analytic gradients, standard errors, convergence."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import norm

from customerlab.analysis.inference import LEVEL
from customerlab.analysis.value.likelihood import PARAMETERS, Model, Values

BOUND = 12.0  # of the logarithm of a parameter: beyond it the likelihood is flat, and the parameter not identified
GRADIENT = 1e-5  # by the logarithm of a parameter and per customer, at which a fit has converged
STEP = 1e-4  # of the logarithm of a parameter, for the slope of the gradient


@dataclass(frozen=True)
class Fit:
    """A model's parameters for one shop.

    Attributes
    ----------
    model : function of `likelihood`
    estimates : DataFrame
        One row per parameter: `parameter`, `estimate`, `se`, `low`, `high` (95% confidence interval, on the scale of
        the logarithm and so above zero). Standard errors are missing where the likelihood has no peak.
    covariance : ndarray
        Of the logarithms of the parameters, and of the effects of covariates as they are.
    log_likelihood : float
    customers : float
        How many there are, by their weights.
    converged : bool
        Whether the gradient is nearly zero and the likelihood falls in every direction.
    at_bounds : tuple of str
        The parameters that go to zero or to infinity: the log does not identify them.
    """

    model: Model
    estimates: pd.DataFrame
    covariance: Values
    log_likelihood: float
    customers: float
    converged: bool
    at_bounds: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, float]:
        """The estimates by their names."""
        return dict(zip(self.estimates["parameter"], self.estimates["estimate"], strict=True))


def collapse(summary: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Equal rows once, with their number as `customers`, in an order that does not depend on that of the rows.

    Examples
    --------
    >>> collapse(pd.DataFrame({"x": [1, 0, 1], "T": [9, 9, 9]}), ["x", "T"]).values.tolist()
    [[0, 9, 1], [1, 9, 2]]
    """
    weight = summary["customers"] if "customers" in summary else pd.Series(1, summary.index)
    counted = summary[columns].assign(customers=weight).groupby(columns, sort=True)["customers"].sum()
    return counted.reset_index()


def fit(model: Model, summary: pd.DataFrame, begin: dict[str, float] | None = None) -> Fit:
    """The parameters under which what is known of customers is most likely.

    Parameters
    ----------
    model : function of `likelihood`
    summary : DataFrame
        One row per customer, or per kind of customer with their number in `customers`: the columns that the model
        takes, such as `x`, `t_x` and `T`.
    begin : dict of str to float, optional
        Where the search begins; 1 for every parameter by default.

    Examples
    --------
    >>> from customerlab.analysis.value.likelihood import nbd
    >>> rng = np.random.default_rng(1)
    >>> T = np.full(20_000, 10.0)
    >>> x = rng.poisson(rng.gamma(0.5, 1 / 4.0, len(T)) * T)
    >>> found = fit(nbd, pd.DataFrame({"x": x, "t_x": 0.0, "T": T}))
    >>> found.converged, found.estimates["estimate"].round(1).tolist()
    (True, [0.5, 4.0])
    """
    names = list(PARAMETERS[model])
    columns = list(model.__code__.co_varnames[: model.__code__.co_argcount - len(names)])
    rows = collapse(summary, columns)
    data = [rows[name].to_numpy(float) for name in columns]
    weight = rows["customers"].to_numpy(float)
    customers = weight.sum()

    def loss(logs: Values) -> tuple[float, Values]:
        value, gradient = model(*data, *(np.exp(log)[None] for log in logs))
        return -float(weight @ value) / customers, -(weight @ gradient) / customers

    at = np.log([(begin or {}).get(name, 1.0) for name in names])
    found: Any = minimize(
        loss, at, jac=True, method="L-BFGS-B", bounds=[(-BOUND, BOUND)] * len(names),
        options={"maxiter": 1_000, "ftol": 1e-14, "gtol": GRADIENT / 100, "maxls": 50},
    )  # fmt: skip
    logs = found.x
    hessian = _slope(loss, logs)
    logs, hessian = _polished(loss, logs, hessian)
    value, gradient = loss(logs)
    at_bounds = tuple(name for name, log in zip(names, logs, strict=True) if abs(log) > BOUND - 0.5)
    peak = bool(np.linalg.eigvalsh(hessian).min() > 1e-9)
    covariance = np.linalg.inv(hessian) / customers if peak else np.full(hessian.shape, np.nan)
    return Fit(
        model, _estimates(names, logs, covariance), covariance, -value * customers, float(customers),
        peak and not at_bounds and bool(np.abs(gradient).max() < GRADIENT), at_bounds,
    )  # fmt: skip


def _slope(loss: Any, logs: Values) -> Values:
    """The Hessian of the loss, by differences of its gradient."""
    steps = STEP * np.eye(len(logs))
    rows = [(loss(logs + step)[1] - loss(logs - step)[1]) / (2 * STEP) for step in steps]
    return (np.array(rows) + np.array(rows).T) / 2


def _polished(loss: Any, logs: Values, hessian: Values) -> tuple[Values, Values]:
    """A few steps of Newton's, each only where it lowers the gradient."""
    for _ in range(5):
        gradient = loss(logs)[1]
        if np.linalg.eigvalsh(hessian).min() <= 1e-9 or np.abs(gradient).max() < GRADIENT / 1e4:
            break
        there = np.clip(logs - np.linalg.solve(hessian, gradient), -BOUND, BOUND)
        if np.abs(loss(there)[1]).max() >= np.abs(gradient).max():
            break
        logs, hessian = there, _slope(loss, there)
    return logs, hessian


def _estimates(names: list[str], logs: Values, covariance: Values) -> pd.DataFrame:
    """The parameters with intervals that are symmetric in the logarithm."""
    se, z = np.sqrt(np.diag(covariance)), norm.ppf((1 + LEVEL) / 2)
    with np.errstate(over="ignore"):  # the interval of what the log does not identify has no end
        return pd.DataFrame({
            "parameter": names, "estimate": np.exp(logs), "se": np.exp(logs) * se,
            "low": np.exp(logs - z * se), "high": np.exp(logs + z * se),
        })  # fmt: skip
