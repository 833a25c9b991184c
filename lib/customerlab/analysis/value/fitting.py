"""Maximum likelihood for models of repeat orders: equal rows once, analytic gradients, standard errors, convergence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import LEVEL
from customerlab.analysis.value.likelihood import PARAMETERS, Model, Values, bg_bb, bg_nbd, mbg_nbd, nbd, pareto_nbd

BOUND = 12.0  # of the logarithm of a parameter, from its unit: beyond it the likelihood is flat
GRADIENT = 1e-5  # by the logarithm of a parameter and per customer, at which a fit has converged
STEP = 1e-4  # of the logarithm of a parameter, for the slope of the gradient
MANY = 5_000  # different rows, from which the search begins where a coarser table has its peak
COARSE = 40  # ages that the coarser table tells apart
PEAK = 1e-9  # the least curvature, per customer, at which Newton's steps are taken
FALLS = 0.02  # of the log-likelihood of all customers, from which it counts as lower
FLAT = 0.04  # the information of all customers along a direction, a standard error of 5, below which it is flat

MODELS: dict[str, Model] = {
    "NBD": nbd, "BG/NBD": bg_nbd, "MBG/NBD": mbg_nbd, "Pareto/NBD": pareto_nbd, "BG/BB": bg_bb,
}  # fmt: skip
"""The models of repeat orders by the names that the field has for them."""

EFFECTS: dict[Model, dict[str, float]] = {
    bg_nbd: {"alpha": -1.0, "a": 1.0, "b": 1.0}, pareto_nbd: {"alpha": -1.0, "beta": -1.0},
}  # fmt: skip
"""The parameters that covariates change, and the sign: what falls with a rate is divided by ``exp(effect * value)``."""
ON = {"alpha": "orders", "beta": "leaving"}  # what an effect on a parameter is one on
UNITS = {"alpha": "T", "beta": "T", "v": "mean"}  # parameters in units of time or money, and what has that unit


@dataclass(frozen=True)
class Fit:
    """A model's parameters for one shop.

    Attributes
    ----------
    model : function of `likelihood`
    estimates : DataFrame
        One row per parameter: `parameter`, `estimate`, `se`, `low`, `high` (95% confidence interval, of parameters on
        the scale of the logarithm and so above zero). Below them the effects of covariates, such as "web on orders".
        Standard errors are missing of what the log does not identify.
    covariance : ndarray
        Of the logarithms of the parameters, and of the effects of covariates as they are; missing with their errors.
    log_likelihood : float
    customers : float
        How many there are, by their weights.
    converged : bool
        Whether the gradient is nearly zero and the likelihood falls in every direction.
    at_bounds : tuple of str
        The parameters that the log does not identify: they go to zero or to infinity, or any value is as likely. The
        errors of the others are those given these.
    covariates : tuple of str
        The columns whose effects are estimated.
    """

    model: Model
    estimates: pd.DataFrame
    covariance: Values
    log_likelihood: float
    customers: float
    converged: bool
    at_bounds: tuple[str, ...]
    covariates: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by their names; with covariates, those of a customer of whom all are zero."""
        values = self.estimates["estimate"].head(len(PARAMETERS[self.model]))
        return dict(zip(PARAMETERS[self.model], values, strict=True))

    @property
    def vector(self) -> Values:
        """The logarithms of the parameters, then the effects: what `covariance` is of."""
        values, number = self.estimates["estimate"].to_numpy(float), len(PARAMETERS[self.model])
        return np.concatenate([np.log(values[:number]), values[number:]])

    def of(self, summary: pd.DataFrame, vector: Values | None = None) -> dict[str, Values]:
        """The parameters of each row of a table with the covariates, at the estimates or at another `vector`.

        Several vectors, a row each, give arrays of shape (rows, vectors); what does not differ by row has one.
        """
        vector = self.vector if vector is None else vector
        z = summary[list(self.covariates)].to_numpy(float)
        logs = _logs(self.model, vector, z)
        return {name: np.exp(log) for name, log in zip(PARAMETERS[self.model], logs, strict=True)}


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


def fit(
    model: Model, summary: pd.DataFrame, begin: dict[str, float] | None = None, *, covariates: Sequence[str] = ()
) -> Fit:
    """The parameters under which what is known of customers is most likely.

    Parameters
    ----------
    model : function of `likelihood`
    summary : DataFrame
        One row per customer, or per kind of customer with their number in `customers`: the columns that the model
        takes, such as `x`, `t_x` and `T`. For BG/BB the opportunities `n` are `T` where there is no column `n`.
    begin : dict of str to float, optional
        Where the search begins; by default 1 for a parameter without a unit, and the mean age, or mean money of an
        order, for one with a unit.
    covariates : sequence of str
        Columns of `summary` that do not change with time, of BG/NBD and Pareto/NBD. A customer with values ``z`` has
        the rates of orders, and of leaving, times ``exp(effect * z)``: `alpha` and `beta` are divided by it. BG/NBD has
        effects on `a` and on `b`, which are multiplied by theirs (Fader and Hardie 2007, "Incorporating time-invariant
        covariates into the Pareto/NBD and BG/NBD models"). Standardise them, or have indicators: they are taken as
        they are, the parameters are those of a customer of whom all are zero, and effects are per unit.

    Raises
    ------
    ValueError
        If the model has no covariates, or one has no variation or missing values.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> T = np.full(20_000, 10.0)
    >>> x = rng.poisson(rng.gamma(0.5, 1 / 4.0, len(T)) * T)
    >>> found = fit(nbd, pd.DataFrame({"x": x, "t_x": 0.0, "T": T}))
    >>> found.converged, found.estimates["estimate"].round(1).tolist()
    (True, [0.5, 4.0])
    """
    columns, covariates = columns_of(model), list(covariates)
    summary = _opportunities(model, summary)
    _check(model, summary, covariates)
    rows = collapse(summary, columns + covariates)
    customers = float(rows["customers"].sum())
    names, units = list(PARAMETERS[model]), _units(model, rows)
    at = np.log([(begin or {}).get(name, unit) for name, unit in zip(names, np.exp(units), strict=True)])
    if begin is None and len(rows) > MANY and {"t_x", "T"} <= set(columns):
        at = _peak(_loss(model, _coarser(rows, columns), columns, []), at, units)[0]
    at, units = (np.append(part, np.zeros(len(_effects(model, covariates)))) for part in (at, units))
    loss = _loss(model, rows, columns, covariates)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        vector, hessian = _peak(loss, at, units)
        flat = _flat(hessian * customers, np.abs(vector - units) > BOUND - 0.5)
        if flat.any():
            vector, hessian = _held(loss, vector, units, flat, customers)
    value, gradient = loss(vector)
    names += _effects(model, covariates)
    covariance = np.full(hessian.shape, np.nan)
    if not flat.all():
        covariance[np.ix_(~flat, ~flat)] = np.linalg.inv(hessian[np.ix_(~flat, ~flat)] * customers)
    converged = not flat.any() and bool(np.abs(gradient).max() < GRADIENT)
    return Fit(
        model, _estimates(names, vector, covariance, len(PARAMETERS[model])), covariance, -value * customers, customers,
        converged, tuple(name for name, loose in zip(names, flat, strict=True) if loose), tuple(covariates),
    )  # fmt: skip


def log_likelihood_of(found: Fit, summary: pd.DataFrame) -> Callable[[Values], float]:
    """The log-likelihood of a summary as a function of the `vector` of a fit."""
    summary = _opportunities(found.model, summary)
    columns, covariates = columns_of(found.model), list(found.covariates)
    rows = collapse(summary, columns + covariates)
    data, z = [rows[name].to_numpy(float) for name in columns], rows[covariates].to_numpy(float)
    weight = rows["customers"].to_numpy(float)
    plain = {"slopes": False} if found.model in (pareto_nbd, bg_bb) else {}
    return lambda vector: float(weight @ found.model(*data, *map(np.exp, _logs(found.model, vector, z)), **plain)[0])


def _opportunities(model: Model, summary: pd.DataFrame) -> pd.DataFrame:
    """A summary with the opportunities of BG/BB, which are the age where it does not say otherwise."""
    return summary.rename(columns={"T": "n"}) if model is bg_bb and "n" not in summary else summary


def columns_of(model: Model) -> list[str]:
    """The columns of a summary that a model takes, in their order."""
    code = model.__code__
    return list(code.co_varnames[: code.co_argcount - len(PARAMETERS[model])])


def _check(model: Model, summary: pd.DataFrame, covariates: list[str]) -> None:
    """Refuse covariates that have no effect to be estimated."""
    if covariates and model not in EFFECTS:
        raise ValueError("covariates are known of BG/NBD and Pareto/NBD alone")
    for name in covariates:
        if summary[name].isna().any() or summary[name].nunique() < 2:
            raise ValueError(f"the covariate {name!r} has missing values, or one value only; leave it out")


def _effects(model: Model, covariates: Sequence[str]) -> list[str]:
    """The names of the effects, in the order of the vector."""
    return [f"{name} on {ON.get(parameter, parameter)}" for parameter in EFFECTS.get(model, {}) for name in covariates]


def _units(model: Model, rows: pd.DataFrame) -> Values:
    """The logarithm of the unit of each parameter: the mean age, or the mean money; nothing where there is none."""
    means = {column: np.average(rows[column], weights=rows["customers"]) for column in ("T", "mean") if column in rows}
    known = {} if model is bg_bb else {name: means.get(column, 0.0) for name, column in UNITS.items()}
    return np.log([known.get(name) or 1.0 for name in PARAMETERS[model]])


def _logs(model: Model, vector: Values, z: Values) -> list[Values]:
    """The logarithm of each parameter, for each row of covariates `z`, at a vector or (rows, vectors) at several."""
    names, number = PARAMETERS[model], z.shape[1]
    logs = [vector[..., place][None] for place in range(len(names))]
    for place, (name, sign) in enumerate(EFFECTS.get(model, {}).items() if number else ()):
        begin = len(names) + place * number
        own = list(names).index(name)
        logs[own] = logs[own] + sign * (z @ vector[..., begin : begin + number].T)
    return logs


def _loss(
    model: Model, rows: pd.DataFrame, columns: list[str], covariates: list[str]
) -> Callable[[Values], tuple[float, Values]]:
    """Minus the log-likelihood per customer, and its gradient, at a vector."""
    data, z = [rows[name].to_numpy(float) for name in columns], rows[covariates].to_numpy(float)
    weight = rows["customers"].to_numpy(float)
    weight = weight / weight.sum()
    places = [(list(PARAMETERS[model]).index(name), sign) for name, sign in EFFECTS.get(model, {}).items()]

    def loss(vector: Values) -> tuple[float, Values]:
        value, gradient = model(*data, *map(np.exp, _logs(model, vector, z)))
        effects = [sign * ((weight * gradient[:, place]) @ z) for place, sign in places if covariates]
        return -float(weight @ value), -np.concatenate([weight @ gradient, *effects])

    return loss


def _coarser(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The same customers, with ages that are told apart less finely."""
    unit = rows["T"].max() / COARSE
    ages = {name: (rows[name] / unit).round() * unit for name in ("t_x", "T")}
    return collapse(rows.assign(**ages), columns)


def _held(loss: Any, vector: Values, units: Values, flat: NDArray[np.bool_], customers: float) -> tuple[Values, Values]:
    """The peak with what the log does not identify at its bound, and the Hessian there.

    Where a search ends along a flat direction depends on the last digits of its sums, and so on the processor. Only
    where the likelihood falls on the way to the bound, what is flat stays where it was found.
    """
    for there in (np.where(vector > units, units + BOUND, units - BOUND), vector):
        held, hessian = _peak(loss, np.where(flat, there, vector), units, held=flat)
        if customers * (loss(held)[0] - loss(vector)[0]) < FALLS:
            break
    return held, hessian


def _peak(loss: Any, at: Values, units: Values, held: NDArray[np.bool_] | None = None) -> tuple[Values, Values]:
    """Where the loss is least, and its Hessian there: L-BFGS within bounds, then steps of Newton's.

    What is `held` keeps its value.
    """
    held = np.zeros(len(at), dtype=bool) if held is None else held
    free = np.ix_(~held, ~held)
    bounds = [
        (start, start) if fixed else (unit - BOUND, unit + BOUND)
        for start, unit, fixed in zip(at, units, held, strict=True)
    ]
    found: Any = minimize(
        loss, at, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 1_000, "ftol": 1e-14, "gtol": GRADIENT / 100, "maxls": 50},
    )  # fmt: skip
    vector, hessian = found.x, _slope(loss, found.x)
    for _ in range(5 if not held.all() else 0):  # each only where it lowers the gradient
        gradient = np.where(held, 0.0, loss(vector)[1])
        if np.linalg.eigvalsh(hessian[free]).min() <= PEAK:
            break
        step = np.zeros(len(vector))
        step[~held] = np.linalg.solve(hessian[free], gradient[~held])
        if np.abs(step).max() < STEP / 1e6:
            break
        there = np.clip(vector - step, units - BOUND, units + BOUND)
        if np.abs(np.where(held, 0.0, loss(there)[1])).max() >= np.abs(gradient).max():
            break
        vector, hessian = there, _slope(loss, there)
    return vector, hessian


def _flat(information: Values, at_bounds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parameters without which the likelihood of the others has a peak: those that flat directions run along."""
    flat = at_bounds.copy()
    while not flat.all():
        curvature, directions = np.linalg.eigh(information[np.ix_(~flat, ~flat)])
        if curvature[0] > FLAT:
            break
        # of two that go together the one named last, such as beta
        steepest = np.flatnonzero(np.abs(directions[:, 0]) > 0.9 * np.abs(directions[:, 0]).max())[-1]
        flat[np.flatnonzero(~flat)[steepest]] = True
    return flat


def _slope(loss: Any, vector: Values) -> Values:
    """The Hessian of the loss, by differences of its gradient."""
    steps = STEP * np.eye(len(vector))
    rows = [(loss(vector + step)[1] - loss(vector - step)[1]) / (2 * STEP) for step in steps]
    return (np.array(rows) + np.array(rows).T) / 2


def _estimates(names: list[str], vector: Values, covariance: Values, parameters: int) -> pd.DataFrame:
    """The parameters with intervals that are symmetric in the logarithm, and the effects of covariates as they are."""
    se, z = np.sqrt(np.diag(covariance)), norm.ppf((1 + LEVEL) / 2)
    with np.errstate(over="ignore"):  # the interval of what the log does not identify has no end
        table = pd.DataFrame({
            "parameter": names, "estimate": np.exp(vector), "se": np.exp(vector) * se,
            "low": np.exp(vector - z * se), "high": np.exp(vector + z * se),
        })  # fmt: skip
    effects = np.arange(len(names)) >= parameters
    for name, values in {"estimate": vector, "se": se, "low": vector - z * se, "high": vector + z * se}.items():
        table[name] = np.where(effects, values, table[name])
    return table
