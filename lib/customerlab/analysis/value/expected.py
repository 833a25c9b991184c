"""What is expected of customers, given what is known of them: still active, orders to come, money of an order.

All of them are averages over the posterior distribution of a customer's own rates. Orders to come are an integral of
the expected rate, which has none of the poles of the closed forms at ``a = 1`` and ``s = 1``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import betaln, expit, hyp2f1

from customerlab.analysis.value.likelihood import Model, Values, bg_bb, leaving, mbg_nbd, nbd, pareto_nbd

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
MANY_NODES, MANY_WEIGHTS = np.polynomial.legendre.leggauss(200)
AT_ONCE = 5_000  # integrals
NEGLIGIBLE = 40.0  # discounted by more than e to this, money counts for nothing

Parameters = Mapping[str, Any]  # numbers, or arrays of one for each row
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
        alpha, beta, gamma, delta = _arrays(parameters)
        # had the last order been at the end, nobody could have left
        of_all, stayed = (bg_bb(x, last, T, alpha, beta, gamma, delta, slopes=False)[0] for last in (t_x, T))
        return np.exp(stayed - of_all)
    if model is pareto_nbd:
        r, alpha, s, beta = parameters.values()
        stayed = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
        return expit(stayed - leaving(x, t_x, T, *_arrays(parameters), slopes=False)[0])
    r, alpha, a, b = parameters.values()
    chances = x + (model is mbg_nbd)
    odds = np.log(a) - np.log(np.maximum(b + chances - 1, 1e-300)) + (r + x) * np.log((alpha + T) / (alpha + t_x))
    return np.where(chances > 0, expit(-odds), 1.0)


def _arrays(parameters: Parameters) -> list[Values]:
    return [np.atleast_1d(np.asarray(value, dtype=float)) for value in parameters.values()]


def rate(model: Model, parameters: Parameters, rows: Rows, later: Values) -> Values:
    """The expected orders in a unit of time so much `later` than `T`, of customers who are active at `T`."""
    x, _, T = rows
    if model is nbd:
        return np.broadcast_to((parameters["r"] + x) / (parameters["alpha"] + T), later.shape)
    r, alpha, leave, stay = parameters.values()
    now = (r + x) / (alpha + T)
    if model is pareto_nbd:
        return now * ((stay + T) / (stay + T + later)) ** leave
    return now * _stayed(r + x + 1, leave, stay + x + (model is mbg_nbd), later / (alpha + T))


def _stayed(k: Values, a: Values, b: Values, z: Values) -> Values:
    """The mean of ``(1 + p z) ** -k`` over beta distributed chances `p` to leave, which is 2F1(k, a; a + b; -z).

    Pfaff's form of it, which scipy computes to 1e-8 wherever it gives a probability. It fails where `a` or `b` is
    large; there it is the integral.
    """
    k, a, b, z = np.broadcast_arrays(k, a, b, z)
    with np.errstate(all="ignore"):
        found = (1 + z) ** -a * hyp2f1(a + b - k, a, a + b, z / (1 + z))
    few = k * z * a / (a + b) < 1e-8  # has left
    found = np.where(few, 1.0, found)
    failed = np.flatnonzero(~((found >= 0) & (found <= 1)))
    for begin in range(0, len(failed), AT_ONCE):
        rows = failed[begin : begin + AT_ONCE]
        found.flat[rows] = _integrated(*(np.ravel(values)[rows, None] for values in (k, a, b, z)))
    return found


def _integrated(k: Values, a: Values, b: Values, z: Values) -> Values:
    """That mean by quadrature, in the logit of `p`, of what is left when the values at 0 and at 1 are taken off."""

    def reach(fall: Values) -> Values:
        return np.sqrt(74 / fall) + 37 / fall  # to where what falls at this rate is nothing

    def far(rise: Values) -> Values:
        return rise + np.sqrt(74 * rise) + 60

    with np.errstate(divide="ignore"):
        middle, low = np.log((1 + a) / (1 + b)), np.where(far(b) < a, np.log(a / far(b)), -np.inf)
        high = np.where(far(a) < b, np.log(far(a) / b), np.inf)
    low = np.maximum(low, np.minimum(middle, -np.log(k * z)) - reach(1 + a))
    high = np.minimum(high, np.maximum(middle, 0.0) + reach(1 + b))
    half = (high - low) / 2
    u = low + half * (MANY_NODES + 1)
    log_p, log_not, at_one = -np.logaddexp(0, -u), -np.logaddexp(0, u), -np.expm1(-k * np.log1p(z))
    between = -np.expm1(-k * np.log1p(np.exp(log_p) * z)) - at_one * np.exp(log_p)
    each = between * np.exp(a * log_p + b * log_not - betaln(a, b)) * MANY_WEIGHTS
    return (1 - at_one * a / (a + b))[:, 0] - each.sum(axis=1) * half[:, 0]


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
    end = min(horizon, NEGLIGIBLE / discount) if discount else horizon
    if model is bg_bb:
        x, _, n = rows
        alpha, beta, gamma, delta = parameters.values()
        ahead, (ages, place) = np.arange(1, round(end) + 1), np.unique(n, return_inverse=True)
        stayed = np.exp(betaln(gamma, delta + ages[:, None] + ahead) - betaln(gamma, delta + ages[:, None]))
        return there * (alpha + x) / (alpha + beta + n) * (stayed * np.exp(-discount * ahead)).sum(axis=1)[place]
    own = dict(zip(parameters, (value[:, None] for value in _arrays(parameters)), strict=True))
    (x, t_x, T), place = rows, np.arange(len(there))
    if all(value.size == 1 for value in own.values()):  # once for customers of equal orders and age
        (x, T), place = np.unique(np.stack([x, T]), axis=1, return_inverse=True)
        t_x = np.zeros_like(x)
    # in the logarithm of time, in which the rate of those who may have left falls evenly
    unit = (parameters.get("beta", parameters["alpha"]) + T)[:, None]
    length = np.log1p(end / unit)
    later = unit * np.expm1(length / 2 * (NODES + 1))
    each = rate(model, own, (x[:, None], t_x[:, None], T[:, None]), later) * np.exp(-discount * later) * (unit + later)
    return there * ((each * WEIGHTS).sum(axis=1) * length[:, 0] / 2)[place]


def order_value(parameters: Parameters, x: Values, mean: Values) -> Values:
    """The expected money of an order under Gamma-Gamma, given the `mean` of `x` orders; of none it is that of all.

    Missing where no mean exists, which is where ``p x + q <= 1``.
    """
    p, q, v = parameters.values()
    below = p * x + q - 1
    return np.where(below > 0, p * (v + x * np.where(x > 0, mean, 0.0)) / np.where(below > 0, below, 1.0), np.nan)
