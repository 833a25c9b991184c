"""Log-likelihoods of models of repeat orders, with their gradients: one value per row, parameters as logarithms.

A row is what is known of a customer (or of many alike): `x` repeat orders, the last of them at `t_x`, in an age of `T`,
both counted from the first order in one unit of time. Parameters are positive, and may differ by row. So gradients are
by their logarithms, and a covariate is chained on by its own factor.

Sources: Ehrenberg (1959) for the NBD; Fader, Hardie and Lee (2005), Marketing Science 24(2), for BG/NBD; Batislam,
Denizel and Filiztekin (2007), IJRM 24(3), for MBG/NBD; Schmittlein, Morrison and Colombo (1987), Management Science
33(1), and Fader and Hardie (2005, note 009) for Pareto/NBD; Fader, Hardie and Shang (2010), Marketing Science 29(6),
for BG/BB; Fader and Hardie (2013, note 025) for Gamma-Gamma.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma, gammaln

Values = NDArray[np.float64]
Likelihood = tuple[Values, Values]  # of each row, and its gradient by the logarithm of each parameter, a column each
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
PANELS = (0.0, 40.0, 200.0, 1_000.0, 5_000.0, 25_000.0)  # where the integrand's logarithm may have fallen by as much


def _purchases(x: Values, r: Values, alpha: Values) -> Values:
    """What of the likelihood is of the rate of orders alone, but for the time at risk."""
    return gammaln(r + x) - gammaln(r) + r * np.log(alpha)


def nbd(x: Values, t_x: Values, T: Values, r: Values, alpha: Values) -> Likelihood:
    """Orders at a constant rate, which is gamma distributed over customers; nobody leaves."""
    value = _purchases(x, r, alpha) - (r + x) * np.log(alpha + T)
    by_r = digamma(r + x) - digamma(r) + np.log(alpha) - np.log(alpha + T)
    by_alpha = r / alpha - (r + x) / (alpha + T)
    return value, np.stack([r * by_r, alpha * by_alpha], axis=-1)


def bg_nbd(x: Values, t_x: Values, T: Values, r: Values, alpha: Values, a: Values, b: Values) -> Likelihood:
    """After each repeat order a customer leaves with a chance that is beta distributed over customers."""
    return _geometric(x, t_x, T, r, alpha, a, b, chances=x)


def mbg_nbd(x: Values, t_x: Values, T: Values, r: Values, alpha: Values, a: Values, b: Values) -> Likelihood:
    """As BG/NBD, but a customer may leave after the first order, too."""
    return _geometric(x, t_x, T, r, alpha, a, b, chances=x + 1)


def _geometric(
    x: Values, t_x: Values, T: Values, r: Values, alpha: Values, a: Values, b: Values, *, chances: Values
) -> Likelihood:
    """The likelihood where there were so many `chances` to leave, the last of them at the last order."""
    common = _purchases(x, r, alpha) + betaln(a, b + chances) - betaln(a, b)
    alive = -(r + x) * np.log(alpha + T)
    could = chances > 0
    left = np.log(a) - np.log(np.where(could, b + chances - 1, 1.0)) - (r + x) * np.log(alpha + t_x)
    left = np.where(could, left, -np.inf)
    either = np.logaddexp(alive, left)
    w, v = np.exp(alive - either), np.exp(left - either)
    all_of = digamma(a + b) - digamma(a + b + chances)
    by_r = digamma(r + x) - digamma(r) + np.log(alpha) - w * np.log(alpha + T) - v * np.log(alpha + t_x)
    by_alpha = r / alpha - (r + x) * (w / (alpha + T) + v / (alpha + t_x))
    by_a = all_of + v / a
    by_b = all_of + digamma(b + chances) - digamma(b) - v / np.where(could, b + chances - 1, 1.0)
    return common + either, np.stack([r * by_r, alpha * by_alpha, a * by_a, b * by_b], axis=-1)


def pareto_nbd(x: Values, t_x: Values, T: Values, r: Values, alpha: Values, s: Values, beta: Values) -> Likelihood:
    """A customer leaves at any moment at a constant rate, which is gamma distributed over customers.

    The time of leaving is integrated out by Gauss-Legendre quadrature, which holds where the closed form with
    hypergeometric functions overflows or cancels out, and gives the gradient by the same nodes.
    """
    alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    left, (m_a, m_b, l_a, l_b) = leaving(x, t_x, T, r, alpha, s, beta)
    either = np.logaddexp(alive, left)
    w, v = np.exp(alive - either), np.exp(left - either)
    by_r = digamma(r + x) - digamma(r) + np.log(alpha) - w * np.log(alpha + T) - v * l_a
    by_alpha = r / alpha - (r + x) * (w / (alpha + T) + v * m_a)
    by_s = np.log(beta) - w * np.log(beta + T) + v * (1 / s - l_b)
    by_beta = s / beta - w * s / (beta + T) - v * (s + 1) * m_b
    gradient = np.stack([r * by_r, alpha * by_alpha, s * by_s, beta * by_beta], axis=-1)
    return _purchases(x, r, alpha) + s * np.log(beta) + either, gradient


def leaving(
    x: Values, t_x: Values, T: Values, r: Values, alpha: Values, s: Values, beta: Values
) -> tuple[Values, tuple[Values, Values, Values, Values]]:
    """The logarithm of ``s ∫ (alpha + t)^-(r + x) (beta + t)^-(s + 1) dt`` from `t_x` to `T`.

    With it, over the same integrand, the means of ``1 / (alpha + t)``, ``1 / (beta + t)`` and of the logarithms of
    what is inverted. The variable is ``log(m + t)`` with the smaller of alpha and beta, in which the logarithm of the
    integrand falls at a rate between 0 and ``r + x + s``: panels grow with what it may have fallen.
    """
    x, t_x, T, r, alpha, s, beta = np.broadcast_arrays(x, t_x, T, r, alpha, s, beta)
    m, k = np.minimum(alpha, beta), r + x + s
    length = np.log1p((T - t_x) / (m + t_x))
    at_begin = -(r + x) * np.log(alpha + t_x) - (s + 1) * np.log(beta + t_x) + np.log(m + t_x)
    sums = np.zeros((5, *x.shape))
    for low, high in pairwise(PANELS):
        rows = np.flatnonzero(k * length > low)
        if not len(rows):
            break
        last = high == PANELS[-1]
        begin, end = low / k[rows], length[rows] if last else np.minimum(high / k[rows], length[rows])
        half = (end - begin) / 2
        z = begin[:, None] + half[:, None] * (NODES + 1)
        t = (m + t_x)[rows, None] * np.exp(z) - m[rows, None]
        in_a, in_b = alpha[rows, None] + t, beta[rows, None] + t
        log_a, log_b = np.log(in_a), np.log(in_b)
        log_f = -(r + x)[rows, None] * log_a - (s + 1)[rows, None] * log_b + np.log(m + t_x)[rows, None] + z
        f = np.exp(log_f - at_begin[rows, None]) * WEIGHTS * half[:, None]
        for place, part in enumerate((f, f / in_a, f / in_b, f * log_a, f * log_b)):
            sums[place, rows] += part.sum(axis=1)
    total = sums[0]
    means = np.divide(sums[1:], total, out=np.zeros_like(sums[1:]), where=total > 0)
    with np.errstate(divide="ignore"):  # nobody can have left where the last order is at the end
        return np.log(s) + at_begin + np.log(total), (means[0], means[1], means[2], means[3])


def bg_bb(x: Values, t_x: Values, n: Values, alpha: Values, beta: Values, gamma: Values, delta: Values) -> Likelihood:
    """Orders and leaving at discrete opportunities: `x` of `n` were used, the last of them was number `t_x`."""
    x, t_x, n, alpha, beta, gamma, delta = np.broadcast_arrays(x, t_x, n, alpha, beta, gamma, delta)
    longest = int((n - t_x).max(initial=0))
    terms, gradients = [], []
    for step in range(longest + 1):  # alive at the end, and then each opportunity at which the customer may have left
        end = n if step == 0 else t_x + step - 1
        left = int(step > 0)
        term = betaln(alpha + x, beta + end - x) + betaln(gamma + left, delta + end)
        possible = np.full(x.shape, True) if step == 0 else end < n
        terms.append(np.where(possible, term, -np.inf))
        of_orders, of_leaving = digamma(alpha + beta + end), digamma(gamma + delta + end + left)
        gradients.append(
            np.stack(
                [
                    digamma(alpha + x) - of_orders, digamma(beta + end - x) - of_orders,
                    digamma(gamma + left) - of_leaving, digamma(delta + end) - of_leaving,
                ],
                axis=-1,
            )
        )  # fmt: skip
    value = np.logaddexp.reduce(terms, axis=0)
    share = np.exp(np.array(terms) - value)[..., None]
    both = np.stack(
        [
            digamma(alpha) - digamma(alpha + beta), digamma(beta) - digamma(alpha + beta),
            digamma(gamma) - digamma(gamma + delta), digamma(delta) - digamma(gamma + delta),
        ],
        axis=-1,
    )  # fmt: skip
    gradient = np.nansum(np.where(share > 0, share * np.array(gradients), 0.0), axis=0) - both
    return value - betaln(alpha, beta) - betaln(gamma, delta), gradient * np.stack([alpha, beta, gamma, delta], axis=-1)


def gamma_gamma(x: Values, mean: Values, p: Values, q: Values, v: Values) -> Likelihood:
    """The `mean` money of `x` orders: gamma distributed about a customer's own mean, whose inverse is gamma, too."""
    total, both = mean * x, p * x + q
    value = (
        gammaln(both) - gammaln(p * x) - gammaln(q) + q * np.log(v) + (p * x - 1) * np.log(mean)
        + p * x * np.log(x) - both * np.log(v + total)
    )  # fmt: skip
    by_p = x * (digamma(both) - digamma(p * x) + np.log(total) - np.log(v + total))
    by_q = digamma(both) - digamma(q) + np.log(v) - np.log(v + total)
    by_v = q / v - both / (v + total)
    return value, np.stack([p * by_p, q * by_q, v * by_v], axis=-1)


Model = Callable[..., Likelihood]
PARAMETERS: dict[Model, Sequence[str]] = {
    nbd: ("r", "alpha"), bg_nbd: ("r", "alpha", "a", "b"), mbg_nbd: ("r", "alpha", "a", "b"),
    pareto_nbd: ("r", "alpha", "s", "beta"), bg_bb: ("alpha", "beta", "gamma", "delta"), gamma_gamma: ("p", "q", "v"),
}  # fmt: skip
