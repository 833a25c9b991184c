"""What is expected of customers, given what is known of them: still active, orders to come, money of an order.

All of them are averages over the posterior distribution of a customer's own rates. Orders to come are an integral of
the expected rate, which has none of the poles of the closed forms at ``a = 1`` and ``s = 1``.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import betaln, expit, hyp2f1

from customerlab.analysis.value.likelihood import Model, Values, bg_bb, leaving, mbg_nbd, nbd, pareto_nbd

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
NEGLIGIBLE = 40.0  # discounted by more than e to this, money counts for nothing

Parameters = Mapping[str, float]
Rows = tuple[Values, Values, Values]  # x, t_x and T (of BG/BB the number of opportunities) as in `likelihood`


def active(model: Model, parameters: Parameters, rows: Rows) -> Values:
    """The probability that a customer has not left by `T`; 1 where the model knows no leaving.

    Examples
    --------
    >>> from customerlab.analysis.value.likelihood import bg_nbd
    >>> found = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}  # CDNOW, of Fader, Hardie and Lee (2005)
    >>> active(bg_nbd, found, (np.array([0.0, 2.0]), np.array([0.0, 30.43]), np.array([38.86, 38.86]))).round(4)
    array([1.    , 0.7266])
    """
    x, t_x, T = rows
    if model is nbd:
        return np.ones_like(x)
    if model is bg_bb:
        log_likelihood = bg_bb(x, t_x, T, *_arrays(parameters))[0]
        alpha, beta, gamma, delta = parameters.values()
        stayed = betaln(alpha + x, beta + T - x) - betaln(alpha, beta) + betaln(gamma, delta + T) - betaln(gamma, delta)
        return np.exp(stayed - log_likelihood)
    if model is pareto_nbd:
        r, alpha, s, beta = parameters.values()
        stayed = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
        return expit(stayed - leaving(x, t_x, T, *_arrays(parameters))[0])
    r, alpha, a, b = parameters.values()
    chances = x + (model is mbg_nbd)
    odds = np.log(a) - np.log(np.maximum(b + chances - 1, 1e-300)) + (r + x) * np.log((alpha + T) / (alpha + t_x))
    return np.where(chances > 0, expit(-odds), 1.0)


def _arrays(parameters: Parameters) -> list[Values]:
    return [np.array([value]) for value in parameters.values()]


def rate(model: Model, parameters: Parameters, rows: Rows, later: Values) -> Values:
    """The expected orders in a unit of time so much `later` than `T`, of customers who are active at `T`."""
    x, _, T = rows
    if model is nbd:
        return np.broadcast_to((parameters["r"] + x) / (parameters["alpha"] + T), later.shape)
    r, alpha, leave, stay = parameters.values()
    now = (r + x) / (alpha + T)
    if model is pareto_nbd:
        return now * ((stay + T) / (stay + T + later)) ** leave
    a, b, z = leave, stay + x + (model is mbg_nbd), later / (alpha + T)
    # Pfaff's form of 2F1(r + x + 1, a; a + b; -z), which scipy computes to 1e-10 where it fails at the other
    return now * (1 + z) ** -a * hyp2f1(a + b - r - x - 1, a, a + b, z / (1 + z))


def orders(model: Model, parameters: Parameters, rows: Rows, horizon: float, discount: float = 0.0) -> Values:
    """The expected orders from `T` to `T` + `horizon`, of one who may have left; discounted at a continuous rate.

    Of a customer with ``x = t_x = T = 0``, of whom nothing is known, they are the model's mean of all customers.

    Parameters
    ----------
    horizon : float
        In units of time, of BG/BB the number of opportunities; may be infinite where there is a discount.
    discount : float
        Per unit of time: 0.15 a year is ``log(1.15) / 52`` a week.

    Examples
    --------
    >>> from customerlab.analysis.value.likelihood import bg_nbd
    >>> found = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    >>> orders(bg_nbd, found, (np.array([2.0]), np.array([30.43]), np.array([38.86])), 39.0).round(3)
    array([1.226])
    """
    there = active(model, parameters, rows)
    if model is bg_bb:
        x, _, n = rows
        alpha, beta, gamma, delta = parameters.values()
        ahead = np.arange(1, round(horizon) + 1)
        stayed = np.exp(betaln(gamma, delta + n[:, None] + ahead) - betaln(gamma, delta + n[:, None]))
        return there * (alpha + x) / (alpha + beta + n) * (stayed * np.exp(-discount * ahead)).sum(axis=1)
    end = min(horizon, NEGLIGIBLE / discount) if discount else horizon
    # in the logarithm of time, in which the rate of those who may have left falls evenly
    unit = (parameters.get("beta", parameters["alpha"]) + rows[2])[:, None]
    length = np.log1p(end / unit)
    u = length / 2 * (NODES + 1)
    later = unit * np.expm1(u)
    known = (rows[0][:, None], rows[1][:, None], rows[2][:, None])
    each = rate(model, parameters, known, later) * np.exp(-discount * later) * (unit + later)
    return there * (each * WEIGHTS).sum(axis=1) * length[:, 0] / 2


def order_value(parameters: Parameters, x: Values, mean: Values) -> Values:
    """The expected money of an order under Gamma-Gamma, given the `mean` of `x` orders; of none it is that of all.

    Missing where no mean exists, which is where ``p x + q <= 1``.
    """
    p, q, v = parameters.values()
    below = p * x + q - 1
    return np.where(below > 0, p * (v + x * np.where(x > 0, mean, 0.0)) / np.where(below > 0, below, 1.0), np.nan)
