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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma, expit, gammaln

Values = NDArray[np.float64]
Likelihood = tuple[Values, Values]  # of each row, and its gradient by the logarithm of each parameter, a column each
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
AT_ONCE = 1_000  # rows of an integral, as many as stay in a processor's cache
PANELS = (
    0.0,
    12.0,
    50.0,
    200.0,
    1_000.0,
    5_000.0,
    25_000.0,
)  # where the integrand's logarithm may have fallen by as much


def _each(of: Callable[[Values], Values], x: Values, *others: Values) -> Values:
    """A function of whole numbers, once for each of them where the parameters in it are the same for all rows."""
    most = x.max(initial=0)
    places = x.astype(np.intp)
    if any(other.size > 1 for other in others) or most >= x.size or (places != x).any():
        return of(x)
    return of(np.arange(most + 1))[places]


def _purchases(x: Values, r: Values, alpha: Values) -> tuple[Values, Values]:
    """What of the likelihood is of the rate of orders alone, but for the time at risk; and its slope by `r`."""
    value = _each(lambda n: gammaln(r + n) - gammaln(r), x, r) + r * np.log(alpha)
    return value, _each(lambda n: digamma(r + n) - digamma(r), x, r) + np.log(alpha)


def nbd(x: Values, t_x: Values, T: Values, r: Values, alpha: Values) -> Likelihood:
    """Orders at a constant rate, which is gamma distributed over customers; nobody leaves."""
    value, by_r = _purchases(x, r, alpha)
    at_risk = np.log(alpha + T)
    by_alpha = r / alpha - (r + x) / (alpha + T)
    return value - (r + x) * at_risk, np.stack([r * (by_r - at_risk), alpha * by_alpha], axis=-1)


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
    value, by_r = _purchases(x, r, alpha)
    could = chances > 0
    before = np.where(could, b + chances - 1, 1.0)
    log_alive, log_left = np.log(alpha + T), np.log(alpha + t_x)
    # of those who have left, less of those who are active
    odds = np.where(could, np.log(a) - np.log(before) + (r + x) * (log_alive - log_left), -np.inf)
    small = np.exp(-np.abs(odds))
    v = np.where(odds > 0, 1.0, small) / (1 + small)
    value = (
        value + _each(lambda n: betaln(a, b + n) - betaln(a, b), chances, a, b)
        - (r + x) * log_alive + np.maximum(odds, 0.0) + np.log1p(small)
    )  # fmt: skip
    by_r = by_r - log_alive + v * (log_alive - log_left)
    by_alpha = r / alpha - (r + x) * ((1 - v) / (alpha + T) + v / (alpha + t_x))
    all_of = _each(lambda n: digamma(a + b) - digamma(a + b + n), chances, a, b)
    by_a = all_of + v / a
    by_b = all_of + _each(lambda n: digamma(b + n) - digamma(b), chances, b) - v / before
    return value, np.stack([r * by_r, alpha * by_alpha, a * by_a, b * by_b], axis=-1)


def pareto_nbd(
    x: Values, t_x: Values, T: Values, r: Values, alpha: Values, s: Values, beta: Values, *, slopes: bool = True
) -> Likelihood:
    """A customer leaves at any moment at a constant rate, which is gamma distributed over customers.

    The time of leaving is integrated out by Gauss-Legendre quadrature, which holds where the closed form with
    hypergeometric functions overflows or cancels out, and gives the gradient by the same nodes; it is missing without
    `slopes`.
    """
    alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    left, (m_a, m_b, l_a, l_b) = leaving(x, t_x, T, r, alpha, s, beta, slopes=slopes)
    w, v = expit(alive - left), expit(left - alive)  # which sum to 1: what they weight is large, and nearly cancels out
    value, by_r = _purchases(x, r, alpha)
    by_r = by_r - w * np.log(alpha + T) - v * l_a
    by_alpha = r / alpha - (r + x) * (w / (alpha + T) + v * m_a)
    by_s = v * (1 / s - (l_b - np.log(beta))) - w * np.log1p(T / beta)
    by_beta = s / beta - w * s / (beta + T) - v * (s + 1) * m_b
    gradient = np.stack([r * by_r, alpha * by_alpha, s * by_s, beta * by_beta], axis=-1)
    return value + s * np.log(beta) + np.logaddexp(alive, left), gradient


def leaving(
    x: Values, t_x: Values, T: Values, r: Values, alpha: Values, s: Values, beta: Values, *, slopes: bool = True
) -> tuple[Values, tuple[Values, Values, Values, Values]]:
    """The logarithm of ``s ∫ (alpha + t)^-(r + x) (beta + t)^-(s + 1) dt`` from `t_x` to `T`.

    With it, over the same integrand, the means of ``1 / (alpha + t)``, ``1 / (beta + t)`` and of the logarithms of
    what is inverted; they are missing without `slopes`. The variable is ``log(m + t)`` with the smaller of alpha and
    beta, in which the logarithm of the integrand falls at a rate between 0 and ``r + x + s``: panels grow with what it
    may have fallen.
    """
    all_rows = np.broadcast_arrays(x, t_x, T, r, alpha, s, beta)
    shape = all_rows[0].shape
    x, t_x, T, r, alpha, s, beta = (np.ravel(rows) for rows in all_rows)
    first = alpha <= beta  # of what is inverted, the smaller has its logarithm from the variable
    m, gap, k = np.minimum(alpha, beta), np.abs(alpha - beta), r + x + s
    of_small, of_large = np.where(first, r + x, s + 1), np.where(first, s + 1, r + x)
    begin = np.log(m + t_x)
    length = np.log1p((T - t_x) / (m + t_x))
    at_begin = (1 - of_small) * begin - of_large * np.log(m + t_x + gap)
    sums = np.zeros((5 if slopes else 1, len(x)))
    for low, high in pairwise(PANELS):
        reach = np.flatnonzero(k * length > low)
        for place in range(0, len(reach), AT_ONCE):
            rows = reach[place : place + AT_ONCE]
            end = length[rows] if high == PANELS[-1] else np.minimum(high / k[rows], length[rows])
            half = (end - low / k[rows]) / 2
            z = (low / k[rows])[:, None] + half[:, None] * (NODES + 1)
            log_small = z + begin[rows, None]
            small = np.exp(log_small)
            large = small + gap[rows, None]
            log_large = np.log(large)
            f = log_small * (1 - of_small)[rows, None] - log_large * of_large[rows, None] - at_begin[rows, None]
            f = np.exp(f) * WEIGHTS
            parts = (f, f / small, f / large, f * log_small, f * log_large) if slopes else (f,)
            for own, part in zip(sums, parts, strict=True):
                own[rows] += part.sum(axis=1) * half
    total = sums[0]
    means = np.full((4, len(x)), np.nan)
    if slopes:
        means = np.divide(sums[1:], total, out=np.zeros_like(sums[1:]), where=total > 0)
        means = np.where(first, means, means[[1, 0, 3, 2]])
    means = means.reshape(4, *shape)
    with np.errstate(divide="ignore"):  # nobody can have left where the last order is at the end
        return (np.log(s) + at_begin + np.log(total)).reshape(shape), (means[0], means[1], means[2], means[3])


def bg_bb(
    x: Values, t_x: Values, n: Values, alpha: Values, beta: Values, gamma: Values, delta: Values, *, slopes: bool = True
) -> Likelihood:
    """Orders and leaving at discrete opportunities: `x` of `n` were used, the last of them was number `t_x`.

    These are whole numbers. The gradient is missing without `slopes`. The term of leaving after so many opportunities
    depends on `x` and on their number alone: there is one table of such terms, and of their sums, for all rows.
    """
    shape = np.broadcast_shapes(*(one.shape for one in (x, t_x, n, alpha, beta, gamma, delta)))
    # an axis each for rows, for sets of parameters, and for opportunities
    whole: Any = [np.broadcast_to(one.astype(np.intp).reshape(-1, 1, 1), (shape[0], 1, 1)) for one in (x, t_x, n)]
    x, t_x, n = whole
    own = [one.reshape(len(one), -1, 1) for one in (alpha, beta, gamma, delta)]
    most = n.max(initial=0)
    ends = np.arange(t_x.min(initial=most), most)
    kinds: Any = x
    place: Any = np.arange(shape[0])
    if all(len(one) == 1 for one in own):
        kinds, place = np.unique(x, return_inverse=True)
    kinds, place = kinds.reshape(-1, 1, 1), place.reshape(-1, 1, 1)
    begin, end = np.searchsorted(ends, t_x), np.searchsorted(ends, n)
    logs = _rising(np.log, most, own)
    terms, alive = (
        of_alpha + of_beta - of_both + of_delta - of_leaving
        for of_alpha, of_beta, of_both, of_delta, of_leaving in (logs(kinds, ends[None, None], 1), logs(x, n, 0))
    )
    terms = terms + np.log(own[2])
    left = _sums(terms, place, begin, end)
    value = np.logaddexp(alive, left)
    if not slopes:
        return value.reshape(shape), np.full((*shape, 4), np.nan)
    inverses = _rising(np.reciprocal, most, own)
    by_alpha, by_beta, by_both, by_delta, by_leaving = (
        np.exp(alive - value) * one + np.exp(_sums(terms + np.log(np.maximum(many, 1e-300)), place, begin, end) - value)
        for one, many in zip(inverses(x, n, 0), inverses(kinds, ends[None, None], 1), strict=True)
    )
    by_gamma = np.exp(left - value) / own[2] - by_leaving
    by = np.stack([by_alpha - by_both, by_beta - by_both, by_gamma, by_delta - by_leaving], axis=-1)
    return value.reshape(shape), (by * np.stack(own, axis=-1)).reshape(*shape, 4)


def _rising(
    of: Callable[[Values], Values], most: int, parameters: Sequence[Values]
) -> Callable[[Any, Any, int], list[Values]]:
    """Ratios of gamma functions in a term, which are products: the sums of a function `of` their factors."""
    alpha, beta, gamma, delta = parameters
    tables = [
        np.concatenate([np.zeros(one.shape), np.cumsum(of(one + np.arange(most)), axis=-1)], axis=-1)
        for one in (alpha, beta, alpha + beta, delta, gamma + delta)
    ]

    def parts(x: Any, end: Any, left: int) -> list[Values]:
        """Of those there at `end` opportunities, who then have `left` or not, by the arguments in `tables`."""
        numbers = (x, np.maximum(end - x, 0), end, end, end + left)
        return [np.take_along_axis(table, number, axis=-1) for table, number in zip(tables, numbers, strict=True)]

    return parts


def _sums(terms: Values, place: Any, begin: Any, end: Any) -> Values:
    """The logarithm of the sum of each row's terms from `begin` to before `end`, of terms that are logarithms."""
    rest = np.full((*terms.shape[:-1], terms.shape[-1] + 1), -np.inf)
    rest[..., :-1] = np.logaddexp.accumulate(terms[..., ::-1], axis=-1)[..., ::-1]
    sets = np.arange(terms.shape[1])[:, None]
    first, later = rest[place, sets, begin], rest[place, sets, end]
    with np.errstate(divide="ignore", invalid="ignore"):
        # terms fall with their number, so that the difference is never a small one of large sums
        return np.where(begin < end, first + np.log(-np.expm1(later - first)), -np.inf)


def gamma_gamma(x: Values, mean: Values, p: Values, q: Values, v: Values) -> Likelihood:
    """The `mean` money of `x` orders: gamma distributed about a customer's own mean, whose inverse is gamma, too."""
    total = mean * x
    log_mean, log_all = np.log(mean), np.log(v + total)
    both = p * x + q
    value = _each(lambda n: gammaln(p * n + q) - gammaln(p * n) - gammaln(q), x, p, q)
    value = value + q * np.log(v) + (p * x - 1) * log_mean + p * x * np.log(x) - both * log_all
    slope = _each(lambda n: digamma(p * n + q), x, p, q)
    by_p = x * (slope - _each(lambda n: digamma(p * n), x, p) + log_mean + np.log(x) - log_all)
    by_q = slope - digamma(q) + np.log(v) - log_all
    by_v = q / v - both / (v + total)
    return value, np.stack([p * by_p, q * by_q, v * by_v], axis=-1)


Model = Callable[..., Likelihood]
PARAMETERS: dict[Model, Sequence[str]] = {
    nbd: ("r", "alpha"), bg_nbd: ("r", "alpha", "a", "b"), mbg_nbd: ("r", "alpha", "a", "b"),
    pareto_nbd: ("r", "alpha", "s", "beta"), bg_bb: ("alpha", "beta", "gamma", "delta"), gamma_gamma: ("p", "q", "v"),
}  # fmt: skip
