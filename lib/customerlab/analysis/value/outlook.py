"""What customers and groups of them will do and bring over a horizon, with intervals that carry all uncertainty.

Expectations have closed forms. Intervals are those of simulated futures: parameters are drawn from the normal
approximation of their estimates, then whether a customer is active, then the customer's own rates, which are conjugate
given that, then orders and their money.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, vstack

from customerlab.analysis.inference import LEVEL, enough, percentile_interval
from customerlab.analysis.value import expected
from customerlab.analysis.value.cohorts import NIL, repeat_customers, said, share_active
from customerlab.analysis.value.fitting import BOUND, Fit, log_likelihood_of
from customerlab.analysis.value.likelihood import Values, bg_bb, mbg_nbd, nbd, pareto_nbd
from customerlab.analysis.value.money import Money, paid

DRAWS = 400
LOOSE = 0.5  # standard error of the logarithm of a parameter from which its distribution is not taken as normal
AT_ONCE = 400_000  # simulated customers
YEAR = {"day": 365.25, "week": 365.25 / 7, "month": 12.0}  # units of time in a year
EVERYBODY = "all"
UNKNOWN = "unknown"  # the group of customers without a label
HISTORY = ["x", "t_x", "T"]
WHAT = ("active", "orders", "revenue")
COLUMNS = [
    "customer_id", *HISTORY, "past_revenue", "active", "orders", "orders_low", "orders_high", "order_value", "revenue",
    "revenue_low", "revenue_high", "residual_value",
]  # fmt: skip


@dataclass(frozen=True)
class Outlook:
    """What is expected over a horizon.

    Attributes
    ----------
    customers : DataFrame
        One row per customer, sorted by `customer_id`: `x`, `t_x` and `T` as known; `past_revenue`; `active` (the
        probability); `orders`, `order_value`, `revenue` (expected over the horizon); `residual_value` (revenue of all
        the time to come, discounted; missing where practically
        nobody is estimated to leave); `…_low` and `…_high` of orders and revenue (95% prediction interval).
    totals : DataFrame
        `by` (a column of the groups; ``all`` in the first row), `group`, `customers`, and sums: `past_revenue`,
        `residual_value`, `active`, `orders` and `revenue`, the last three with `…_low` and `…_high` (95% prediction
        interval of the sum).
    horizon : float
        In units of time.
    unit : str
    yearly_discount : float
        The rate by which `residual_value` is discounted.
    notes : tuple of str
        What stands against the predictions, and what they assume.
    """

    customers: pd.DataFrame
    totals: pd.DataFrame
    horizon: float
    unit: str
    yearly_discount: float
    notes: tuple[str, ...]


def predict(
    found: Fit, summary: pd.DataFrame, horizon: float, *, unit: str = "week", money: Money | None = None,
    groups: pd.DataFrame | None = None, yearly_discount: float = 0.1, draws: int = DRAWS, seed: int = 0,
) -> Outlook:  # fmt: skip
    """Orders and revenue of each customer, and of groups of customers, from the end of the log over a horizon.

    Parameters
    ----------
    found : Fit
        Of a model of repeat orders. Parameters that have no peak are taken at their estimates.
    summary : DataFrame
        As `summary` returns it, with the covariates of the fit.
    horizon : float
        In units of time; of BG/BB the number of opportunities.
    unit : str
        ``day``, ``week`` or ``month``: that of the summary.
    money : Money, optional
        Without it, or without a fit in it, nothing is said of revenue.
    groups : DataFrame, optional
        `customer_id`, and labels: a column for each way to group customers. Who is not in it is in ``unknown``.
    yearly_discount : float
        Above zero.
    draws : int
        Simulated futures.
    seed : int

    Returns
    -------
    Outlook
        Predictions are missing where fewer than `LEAST` customers have ordered again, which the notes say.

    Examples
    --------
    >>> from customerlab.analysis.value.fitting import fit
    >>> known = pd.DataFrame({"customer_id": range(60), "x": [0, 1, 9] * 20, "t_x": [0, 2, 6] * 20, "T": 10})
    >>> ahead = predict(fit(nbd, known), known, 10)
    >>> ahead.customers[["orders", "orders_low", "orders_high"]].round(1).head(3).values.tolist()
    [[0.4, 0.0, 3.0], [1.3, 0.0, 6.0], [8.2, 2.0, 17.0]]
    >>> ahead.totals[["customers", "active", "orders"]].round(1).values.tolist()
    [[60.0, 60.0, 200.0]]
    """
    if yearly_discount <= 0:
        raise ValueError(f"yearly_discount is {yearly_discount}; expected a rate above zero, such as 0.1")
    known = summary.sort_values("customer_id", ignore_index=True)
    labels = _labels(known["customer_id"], groups)
    customers = known[["customer_id", *HISTORY]].assign(past_revenue=known.get("revenue", np.nan))
    sums: dict[str, Values] = {}
    notes = tuple(said(found, known, unit)) + (money.notes if money else ())
    endless = share_active(found, known, could_leave=True) > 1 - NIL
    if endless and money and money.fit:
        notes += (
            "No residual value is given: practically nobody leaves, and the model would count on orders for ever.",
        )
    if enough(repeat_customers(known)):
        discount = None if endless else np.log1p(yearly_discount) / YEAR[unit]
        expectations = _expected(found, known, horizon, money, discount)
        ends, sums = _simulated(found, known, horizon, money, labels, draws, np.random.default_rng(seed))
        customers = customers.join(expectations).join(ends)
    customers = customers.reindex(columns=COLUMNS)
    return Outlook(customers, _totals(customers, labels, sums), horizon, unit, yearly_discount, notes)


def order_intervals(
    found: Fit, summary: pd.DataFrame, horizon: float, *, draws: int = DRAWS, seed: int
) -> pd.DataFrame:
    """The 95% prediction interval of each customer's orders, `orders_low` and `orders_high`, and nothing else."""
    known = summary.reset_index(drop=True)
    ends, _ = _simulated(
        found, known, horizon, None, _labels(known["customer_id"], None), draws, np.random.default_rng(seed)
    )
    return ends[["orders_low", "orders_high"]].set_axis(summary.index)


def _labels(ids: pd.Series, groups: pd.DataFrame | None) -> pd.DataFrame:
    """The groups of each customer: everybody, and a column for each way to group them."""
    table = pd.DataFrame({EVERYBODY: EVERYBODY}, index=ids)
    if groups is None:
        return table
    own = groups.set_index("customer_id")
    own = own[~own.index.duplicated()].reindex(ids)
    return table.join(own.astype("str").where(own.notna(), UNKNOWN)) if len(own.columns) else table


def _expected(
    found: Fit, known: pd.DataFrame, horizon: float, money: Money | None, discount: float | None
) -> pd.DataFrame:
    """The closed expectations, once for customers who are alike; no residual value without a discount."""
    alike = known.groupby([*HISTORY, *found.covariates], sort=True)
    first = known.loc[alike.head(1).sort_values([*HISTORY, *found.covariates]).index]
    parameters = found.of(first) if found.covariates else found.parameters
    rows = _history(first)
    each = pd.DataFrame({
        "active": expected.active(found.model, parameters, rows),
        "orders": expected.orders(found.model, parameters, rows, horizon),
        "residual_value": np.nan if discount is None else expected.orders(found.model, parameters, rows, np.inf, discount),
    })  # fmt: skip
    table = each.iloc[alike.ngroup().to_numpy()].set_index(known.index)
    fit = money.fit if money else None
    worth = np.nan if fit is None else expected.order_value(fit.parameters, *paid(known))
    table["order_value"], table["revenue"] = worth, table["orders"] * worth
    table["residual_value"] *= worth
    return table


def _history(known: pd.DataFrame) -> expected.Rows:
    """What is known of customers, as models take it."""
    return known["x"].to_numpy(float), known["t_x"].to_numpy(float), known["T"].to_numpy(float)


def drawn(found: Fit, known: pd.DataFrame, draws: int, rng: np.random.Generator) -> Values:
    """Parameters from the normal distribution of their estimates, as logarithms: shape (draws, parameters).

    What has no standard error stays at its estimate. Where one is large the normal distribution reaches to where the
    likelihood is nil; draws are then accepted with the ratio of the likelihood to it, at most 1.
    """
    vectors, errors = np.tile(found.vector, (draws, 1)), np.sqrt(np.diag(found.covariance))
    free = np.isfinite(errors)
    if not free.any():
        return vectors
    root = np.linalg.cholesky(found.covariance[np.ix_(free, free)])
    z = rng.standard_normal((draws, len(root)))
    vectors[:, free] += np.clip(z @ root.T, -BOUND, BOUND)
    if errors[free].max() <= LOOSE:
        return vectors
    of = log_likelihood_of(found, known)
    less = np.array([of(vector) for vector in vectors]) - of(found.vector) + (z**2).sum(axis=1) / 2
    accepted = np.flatnonzero(np.log(rng.random(draws)) < less)
    return vectors[rng.choice(accepted, draws)] if len(accepted) else np.tile(found.vector, (draws, 1))


def _simulated(
    found: Fit, known: pd.DataFrame, horizon: float, money: Money | None, labels: pd.DataFrame, draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, dict[str, Values]]:  # fmt: skip
    """The ends of each customer's intervals, and the sums of each group in each future."""
    vectors, fit = drawn(found, known, draws, rng), money.fit if money else None
    worth = known[known["mean"] > 0] if fit is not None else known
    priced = None if fit is None else np.exp(drawn(fit, worth[worth["x"] > 0], draws, rng)).T[:, None, :]
    member = _membership(labels)
    sums = {name: np.zeros((member.shape[0], draws)) for name in WHAT}
    low, high = np.full((2, len(known)), np.nan), np.full((2, len(known)), np.nan)
    x, mean = paid(known) if fit is not None else (np.empty(0), np.empty(0))
    for rows in _blocks(known, draws):
        own = known.iloc[rows]
        there, orders = _future(found, own, vectors, horizon, rng)
        futures = {"active": there.astype(float), "orders": orders}
        if priced is not None:
            p, q, v = priced
            inverse = rng.standard_gamma(p * x[rows, None] + q) / (v + (x * mean)[rows, None])
            futures["revenue"] = rng.standard_gamma(p * orders) / np.maximum(inverse, 1e-300)
        for name, values in futures.items():
            sums[name] += member[:, rows] @ values
        for place, name in enumerate(WHAT[1:]):
            if name in futures:
                ends = np.quantile(futures[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1, method="inverted_cdf")
                low[place, rows], high[place, rows] = ends
    if priced is None:
        sums["revenue"][:] = np.nan
    return pd.DataFrame({
        "orders_low": low[0], "orders_high": high[0], "revenue_low": low[1], "revenue_high": high[1],
    }, index=known.index), sums  # fmt: skip


def _blocks(known: pd.DataFrame, draws: int) -> Iterator[NDArray[np.intp]]:
    """The places of customers in blocks, those who are alike beside each other."""
    order = known.sort_values(HISTORY, kind="stable").index.to_numpy()
    size = max(AT_ONCE // draws, 1)
    return (order[begin : begin + size] for begin in range(0, len(order), size))


def _future(
    found: Fit, own: pd.DataFrame, vectors: Values, horizon: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Values]:
    """Whether customers are active, and their orders over the horizon: shape (customers, draws)."""
    parameters = found.of(own, vectors)
    x, t_x, T = (values[:, None] for values in _history(own))
    if found.covariates:
        there = expected.active(found.model, parameters, (x, t_x, T))
    else:
        alike, place = np.unique(np.hstack([x, t_x, T]), axis=0, return_inverse=True)
        rows = (alike[:, :1], alike[:, 1:2], alike[:, 2:])
        there = expected.active(found.model, parameters, rows)[place.ravel()]
    here = rng.random((len(own), len(vectors))) < there
    first, second, *others = parameters.values()
    if found.model is bg_bb:
        return here, np.where(here, _at_opportunities(x, T, list(parameters.values()), horizon, rng), 0.0)
    rate = rng.standard_gamma(np.broadcast_to(first + x, here.shape)) / (second + T)
    if found.model is nbd:
        return here, rng.poisson(rate * horizon).astype(float)
    a, b = others
    if found.model is pareto_nbd:
        leaving = rng.standard_gamma(np.broadcast_to(a, here.shape)) / (b + T)
        life = rng.standard_exponential(here.shape) / np.maximum(leaving, 1e-300)
        return here, np.where(here, rng.poisson(rate * np.minimum(life, horizon)), 0.0)
    chance = rng.beta(a, b + x + (found.model is mbg_nbd), here.shape)
    return here, np.where(here, np.minimum(rng.poisson(rate * horizon), _trials(chance, rng)), 0.0)


def _trials(chance: Values, rng: np.random.Generator) -> Values:
    """How many trials the first success takes, also at a chance that is nearly nothing."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.ceil(-rng.standard_exponential(chance.shape) / np.log1p(-np.maximum(chance, 1e-300))), 1.0)


def _at_opportunities(
    x: Values, n: Values, parameters: list[Values], horizon: float, rng: np.random.Generator
) -> Values:
    """Orders at so many opportunities of customers who are there at first: BG/BB."""
    alpha, beta, gamma, delta = parameters
    shape = np.broadcast_shapes(x.shape, alpha.shape)
    chance = rng.beta(alpha + x, beta + n - x, shape)
    there = np.minimum(_trials(rng.beta(gamma, delta + n, shape), rng) - 1, round(horizon))
    return rng.binomial(there.astype("int64"), chance).astype(float)


def _membership(labels: pd.DataFrame) -> csc_matrix:
    """Groups by customers: one where a customer belongs to a group, groups in the order of `_totals`."""
    parts = []
    for name in labels:
        names, codes = np.unique(labels[name].to_numpy(str), return_inverse=True)
        parts.append(csc_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))), (len(names), len(codes))))
    return vstack(parts, format="csc")


def _totals(customers: pd.DataFrame, labels: pd.DataFrame, sums: dict[str, Values]) -> pd.DataFrame:
    """The sums of each group, with the intervals of simulated ones."""
    member, names = _membership(labels), [(by, name) for by in labels for name in np.unique(labels[by].to_numpy(str))]
    table = pd.DataFrame(names, columns=["by", "group"]).astype("str")
    table["customers"] = np.asarray(member.sum(axis=1)).ravel().astype("int64")
    for name in ("past_revenue", "residual_value", *WHAT):
        table[name] = member @ customers[name].to_numpy(float)
        if name in WHAT:
            ends = percentile_interval(sums[name].T) if sums else np.full((2, len(table)), np.nan)
            table[f"{name}_low"], table[f"{name}_high"] = ends
    return table
