"""What a model predicts of each customer for a horizon: orders, revenue, still active, and the chance to order."""

import numpy as np
import pandas as pd
from scipy.special import betaln

from customerlab.analysis.value import expected
from customerlab.analysis.value.expected import NODES, WEIGHTS, Parameters, Rows
from customerlab.analysis.value.fitting import Fit, fit
from customerlab.analysis.value.likelihood import Model, Values, bg_bb, pareto_nbd
from customerlab.analysis.value.money import fit_money, paid

NEVER = 40.0  # a first order that comes with a chance below e to minus this does not come


def forecast(model: Model, history: pd.DataFrame, horizon: int) -> tuple[Fit, pd.DataFrame]:
    """Fit a model to what is known of customers, and predict their next periods.

    Parameters
    ----------
    history : DataFrame
        As `summary` returns it: `x`, `t_x`, `T` and `mean`.
    horizon : int
        In units of time.

    Returns
    -------
    Fit
    DataFrame
        One row per customer, in their order: `orders` (expected periods with an order), `revenue` (these times the
        money of an order by Gamma-Gamma), `active` (probability not to have left) and `chance` (to order at all).
    """
    known = history.assign(n=history["T"]) if model is bg_bb else history
    found = fit(model, known)
    distinct, kind = np.unique(history[["x", "t_x", "T"]].to_numpy(float), axis=0, return_inverse=True)
    x, t_x, T = distinct.T
    parts = {
        "orders": expected.orders(model, found.parameters, (x, t_x, T), horizon),
        "active": expected.active(model, found.parameters, (x, t_x, T)),
        "chance": chance(model, found.parameters, (x, t_x, T), horizon),
    }
    table = pd.DataFrame({name: of[kind] for name, of in parts.items()}, history.index)
    return found, table.assign(revenue=table["orders"] * money_of_orders(history))


def money_of_orders(history: pd.DataFrame) -> Values:
    """The expected money of an order of each customer by Gamma-Gamma, as `outlook` has it.

    Where there is no fit, or the model has no mean, it is the mean of all repeat orders above zero; zero if there are
    none.
    """
    (x, mean), found = paid(history), fit_money(history).fit
    typical = float(np.average(mean, weights=x * (mean > 0))) if (x * mean).any() else 0.0
    if found is None:
        return np.full(len(history), typical)
    own = expected.order_value(found.parameters, x, mean)
    return np.where(np.isfinite(own), own, typical)


def chance(model: Model, parameters: Parameters, rows: Rows, horizon: float) -> Values:
    """The chance of at least one order from `T` to `T` + `horizon`, of a customer who may have left.

    It is what can be observed: whether a customer is active cannot. For NBD and the geometric models it is
    ``P(active) (1 - ((alpha + T) / (alpha + T + horizon)) ** (r + x))``, since nobody leaves before an order. For
    Pareto/NBD the first order has to come before the customer leaves: the chance is the integral of the density of its
    time, by Gauss-Legendre quadrature. For BG/BB it is a sum over the opportunities.

    Examples
    --------
    >>> from customerlab.analysis.value.likelihood import bg_nbd
    >>> found = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}  # CDNOW, of Fader, Hardie and Lee (2005)
    >>> chance(bg_nbd, found, (np.array([2.0]), np.array([30.43]), np.array([38.86])), 39.0).round(3)
    array([0.555])
    """
    x, _, T = rows
    there = expected.active(model, parameters, rows)
    if model is bg_bb:
        alpha, beta, gamma, delta = parameters.values()
        x, n, ahead = x[:, None], T[:, None], np.arange(1, round(horizon) + 1)
        waited = betaln(alpha + x + 1, beta + n - x + ahead - 1) - betaln(alpha + x, beta + n - x)
        stayed = betaln(gamma, delta + n + ahead) - betaln(gamma, delta + n)
        return there * np.exp(waited + stayed).sum(axis=1)
    shape, scale = parameters["r"] + x, parameters["alpha"] + T
    end = np.log1p(horizon / scale)
    if model is not pareto_nbd:
        return there * -np.expm1(-shape * end)
    s, beta = parameters["s"], parameters["beta"]
    # in the logarithm of time, in which the density of the first order is exponential
    length = np.minimum(end, NEVER / shape)[:, None]
    u = length / 2 * (NODES + 1)
    first = shape[:, None] * np.exp(-shape[:, None] * u)
    stayed = (1 + scale[:, None] * np.expm1(u) / (beta + T)[:, None]) ** -s
    return there * (first * stayed * WEIGHTS).sum(axis=1) * length[:, 0] / 2
