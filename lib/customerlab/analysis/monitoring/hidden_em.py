"""Hidden Markov models of counts: sequences that begin in different months, the recursions, and steps of EM.

Recursions run over months with all sequences at once: filtered probabilities forward, scaled to sum to one in each
month, then expected numbers backward (Baum, Petrie, Soules and Weiss 1970; Zucchini and MacDonald 2009, chapter 4).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from customerlab.analysis.clustering.hierarchy import distinct

Values = NDArray[np.float64]
TOLERANCE = 1e-10  # of the log-likelihood, the gain of a step at which EM has converged
FLOOR = 1e-100  # of rates and probabilities inside the recursions, where it changes no digit but keeps zeros apart


class Parameters(NamedTuple):
    """Rates (states,), transition matrix (states, states) from row to column, and initial probabilities (states,)."""

    rates: Values
    transition: Values
    initial: Values


@dataclass(frozen=True)
class Sequences:
    """Different sequences: their counts as places in `values` (months, sequences), -1 where missing, and weights."""

    values: Values
    codes: NDArray[np.int64]
    weights: Values

    @cached_property
    def begun(self) -> NDArray[np.bool_]:
        return (self.values >= 0)[self.codes]

    @property
    def months(self) -> int:
        return int(self.begun.sum(axis=0) @ self.weights)

    @property
    def mean(self) -> float:
        return float(np.maximum(self.values, 0)[self.codes].sum(axis=0) @ self.weights) / self.months

    @property
    def constant(self) -> bool:
        return int((self.values >= 0).sum()) == 1


def sequences(counts: "pd.DataFrame | np.ndarray") -> tuple[Sequences, NDArray[np.int64]]:
    """The different sequences in rising order, and the place among them of every customer."""
    raw = counts.to_numpy(dtype=float, na_value=np.nan) if isinstance(counts, pd.DataFrame) else counts
    table = np.asarray(raw, dtype=float)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"counts of shape {table.shape}; expected at least one customer and one month")
    known = ~np.isnan(table)
    wrong = known & ((table < 0) | (table != np.floor(table)) | np.isinf(table))
    if wrong.any():
        raise ValueError(f"{int(wrong.sum()):,} counts are negative or not whole; expected numbers of orders")
    late = (known[:, :-1] & ~known[:, 1:]).any(axis=1) | ~known[:, -1]
    if late.any():
        raise ValueError(f"{int(late.sum()):,} customers have a missing count after their first month, or no month")
    rows, weights, places = distinct(np.where(known, table, -1.0))
    values, codes = np.unique(rows.T, return_inverse=True)
    return Sequences(values, codes.reshape(rows.T.shape), weights.astype(float)), places


def run_em(at: Parameters, data: Sequences, most: int) -> tuple[Parameters, float, int, bool]:
    """EM from a start: where it ends, the log-likelihood there, the steps, and whether it has converged.

    After two steps it extrapolates (SQUAREM, Varadhan and Roland 2008) where that does not lower the likelihood.
    """
    value, once = step(at, data)
    for steps in range(1, most, 2):
        gained, twice = step(once, data)
        if gained - value <= TOLERANCE * max(abs(value), 1.0):
            return (once, gained, steps, True) if gained > value else (at, value, steps, True)
        there = _extrapolated(at, once, twice)
        reached, after = step(there, data)
        if reached < gained:
            there, (reached, after) = twice, step(twice, data)
        at, value, once = there, reached, after
    return at, value, most, False


def _extrapolated(at: Parameters, once: Parameters, twice: Parameters) -> Parameters:
    """Parameters beyond two steps of EM, by their lengths; kept in range, so that probabilities sum to one."""
    steps = [(b - a, c - 2 * b + a) for a, b, c in zip(at, once, twice, strict=True)]
    size, bend = (sum(float((step[n] ** 2).sum()) for step in steps) for n in (0, 1))
    reach = max(1.0, np.sqrt(size / bend)) if bend > 0 else 1.0
    rates, *chances = (np.maximum(a + 2 * reach * r + reach**2 * v, FLOOR) for a, (r, v) in zip(at, steps, strict=True))
    transition, initial = (part / part.sum(axis=-1, keepdims=True) for part in chances)
    return Parameters(rates, transition, initial)


def emissions_of(rates: Values, values: Values) -> tuple[Values, Values]:
    """Probability of each count (a column each) in each state, over the highest; and the logarithm of the highest."""
    rates, counts = rates[:, None], np.maximum(values, 0)
    logs = np.where(values >= 0, xlogy(counts, np.maximum(rates, FLOOR)) - rates - gammaln(counts + 1), 0.0)
    highest = logs.max(axis=0)
    return np.exp(logs - highest), highest


def forward(at: Parameters, data: Sequences, emissions: tuple[Values, Values]) -> tuple[Values, Values, Values]:
    """Filtered probabilities (months, states, sequences), what scales them, and each sequence's log-likelihood."""
    (table, highest), begun = emissions, data.begun
    initial, moves = np.maximum(at.initial, FLOOR)[:, None], np.maximum(at.transition, FLOOR).T
    filtered, scale = np.empty((len(data.codes), len(at.rates), len(data.weights))), np.empty(data.codes.shape)
    for t, codes in enumerate(data.codes):
        prior = np.where(begun[t - 1], moves @ filtered[t - 1], initial) if t else initial
        joint = prior * table.take(codes, axis=1)
        scale[t] = joint.sum(axis=0)
        filtered[t] = joint / scale[t]
    return filtered, scale, np.log(scale).sum(axis=0) + highest[data.codes].sum(axis=0)


def step(at: Parameters, data: Sequences) -> tuple[float, Parameters]:
    """The log-likelihood of parameters, and those after one step of EM; a state without a customer stays as it is."""
    emissions = emissions_of(at.rates, data.values)
    filtered, scale, log_likelihood = forward(at, data, emissions)
    table, begun, moves = emissions[0], data.begun, np.maximum(at.transition, FLOOR)
    counts, states = np.maximum(data.values, 0), len(at.rates)
    months, orders, first, moved = np.zeros(states), np.zeros(states), np.zeros(states), np.zeros((states, states))
    ahead = np.ones(filtered.shape[1:])
    for t in range(len(data.codes) - 1, -1, -1):
        weighted = filtered[t] * ahead * (data.weights * begun[t])
        months += weighted.sum(axis=1)
        orders += weighted @ counts[data.codes[t]]
        earlier = begun[t - 1] if t else np.zeros_like(begun[t])
        first += weighted[:, begun[t] & ~earlier].sum(axis=1)
        ahead = table.take(data.codes[t], axis=1) * ahead / scale[t]
        if t:
            moved += moves * (filtered[t - 1] @ (ahead * (data.weights * earlier)).T)
            ahead = moves @ ahead
    left = moved.sum(axis=1, keepdims=True)
    rates = np.divide(orders, months, out=at.rates.copy(), where=months > 0)
    transition = np.divide(moved, left, out=at.transition.copy(), where=left > 0)
    return float(data.weights @ log_likelihood), Parameters(rates, transition, first / first.sum())
