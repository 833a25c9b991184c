"""Latent classes: patterns of answers with the number of customers of each, and steps of EM.

A pattern is a row of zeros and ones, with a column for each level of each item, so that a step is two matrix products.
An item without an answer has zeros in all of its columns, and so no part in the likelihood.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]
Codes = NDArray[np.int64]
Levels = Mapping[str, tuple]
SHORT, LONG = 30, 3_000  # evaluations of every start, and of those that go on (Biernacki, Celeux and Govaert 2003)
FINAL = 5  # starts that go on, those with the highest likelihood
TOLERANCE = 1e-12  # of the log-likelihood, the gain of a step at which EM has converged
NEAR = 1e-8  # of the log-likelihood, at least of 10,000: runs that differ by less have reached the same maximum
FLOOR = 1e-100  # of probabilities inside logarithms, where it changes no digit


class Parameters(NamedTuple):
    """Class sizes (classes,), and the probability of each level of each item by class (columns, classes)."""

    sizes: Values
    probabilities: Values


class Run(NamedTuple):
    """Where EM ended, the log-likelihood there, and whether it has converged."""

    at: Parameters
    value: float
    converged: bool


@dataclass(frozen=True)
class Patterns:
    """Distinct patterns (patterns, columns), their numbers of customers, and the levels of each item (items,)."""

    hot: Values
    weights: Values
    lengths: Codes

    @property
    def customers(self) -> int:
        return int(self.weights.sum())

    @cached_property
    def begins(self) -> Codes:
        return np.cumsum(self.lengths) - self.lengths

    def by_item(self, columns: Values) -> Values:
        """Sums over the levels of each item, once for each level."""
        return np.add.reduceat(columns, self.begins, axis=0).repeat(self.lengths, axis=0)


def levels_of(table: pd.DataFrame) -> dict[str, tuple]:
    """The levels of each item that occur: of a category in its order, else sorted."""
    found = {}
    for name, column in table.items():
        category = isinstance(column.dtype, pd.CategoricalDtype)
        plain = column.dtype.kind in "biufcmM" and not pd.api.types.is_bool_dtype(column)
        if plain and not category:
            raise ValueError(f"{name!r} has numbers or dates; latent classes need categories, texts or yes/no")
        seen = set(column.dropna().unique())
        if not seen:
            raise ValueError(f"{name!r} has no answer; leave it out")
        order = column.cat.categories if category else sorted(seen)
        found[str(name)] = tuple(level for level in order if level in seen)
    if not found:
        raise ValueError("Latent classes need at least one item.")
    return found


def patterns_of(table: pd.DataFrame, levels: Levels) -> tuple[Patterns, Codes]:
    """The distinct patterns of answers in the order of levels, and the place among them of every customer.

    Levels that are not among those named count as missing; a customer without any answer has no weight.
    """
    absent = [name for name in levels if name not in table]
    if absent:
        raise ValueError(f"The table lacks the items {', '.join(map(repr, absent))}.")
    codes = np.empty((len(table), len(levels)), dtype=np.int64)
    for item, (name, known) in enumerate(levels.items()):
        own, seen = pd.factorize(table[name])
        place = {level: code for code, level in enumerate(known)}
        codes[:, item] = np.array([*(place.get(level, -1) for level in seen), -1])[own]
    return counted(codes, np.array([len(known) for known in levels.values()]))


def counted(codes: Codes, lengths: Codes) -> tuple[Patterns, Codes]:
    """As `patterns_of`, from the place of each answer among the levels of its item, -1 where it is missing."""
    places = np.zeros(len(codes), dtype=np.int64)
    for own, length in zip(codes.T, lengths, strict=True):
        places = pd.factorize(places * (length + 1) + own + 1, sort=True)[0]
    rows = np.empty((int(places.max(initial=-1)) + 1, len(lengths)), dtype=np.int64)
    rows[places] = codes
    hot = np.concatenate([rows[:, [item]] == np.arange(length) for item, length in enumerate(lengths)], axis=1)
    weights = np.bincount(places, minlength=len(rows)) * (rows >= 0).any(axis=1)
    return Patterns(hot.astype(float), weights.astype(float), lengths), places


def sampled(at: Parameters, data: Patterns, rng: np.random.Generator) -> Patterns:
    """As many customers as there are, drawn from a model, with answers missing where those of customers are."""
    missing = (np.add.reduceat(data.hot, data.begins, axis=1) == 0).repeat(data.weights.astype(int), axis=0)
    own = np.searchsorted(at.sizes.cumsum()[:-1], rng.random(data.customers), side="right")
    codes = np.empty(missing.shape, dtype=np.int64)
    for item, levels in enumerate(np.split(at.probabilities, data.begins[1:])):
        above = levels.cumsum(axis=0)[:-1].T[own] <= rng.random((data.customers, 1))
        codes[:, item] = above.sum(axis=1)
    return counted(np.where(missing, -1, codes), data.lengths)[0]


def posterior(at: Parameters, data: Patterns) -> tuple[Values, Values]:
    """The probability of each class for each pattern (patterns, classes), and each pattern's log-likelihood."""
    logs = data.hot @ np.log(np.maximum(at.probabilities, FLOOR)) + np.log(np.maximum(at.sizes, FLOOR))
    highest = logs.max(axis=1, keepdims=True)
    joint = np.exp(logs - highest)
    total = joint.sum(axis=1, keepdims=True)
    return joint / total, (np.log(total) + highest)[:, 0]


def step(at: Parameters, data: Patterns) -> tuple[float, Parameters]:
    """The log-likelihood of parameters, and those after one step of EM; without answers probabilities stay."""
    share, logs = posterior(at, data)
    weighted = share * data.weights[:, None]
    counts = data.hot.T @ weighted
    answered = data.by_item(counts)
    probabilities = np.divide(counts, answered, out=at.probabilities.copy(), where=answered > 0)
    return float(data.weights @ logs), Parameters(weighted.sum(axis=0) / data.weights.sum(), probabilities)


def run(at: Parameters, data: Patterns, most: int) -> Run:
    """EM from a start, with at most so many evaluations of the likelihood, which never falls.

    After two steps it extrapolates (SQUAREM, Varadhan and Roland 2008) where the likelihood is not lower there.
    """
    value, once = step(at, data)
    for _ in range(most // 3):
        gained, twice = step(once, data)
        if gained - value <= TOLERANCE * max(abs(value), 1.0):
            return Run(once, gained, True) if gained > value else Run(at, value, True)
        there = _extrapolated(at, once, twice, data)
        reached, after = step(there, data)
        if reached < gained:
            there, (reached, after) = twice, step(twice, data)
        at, value, once = there, reached, after
    return Run(at, value, False)


def _extrapolated(at: Parameters, once: Parameters, twice: Parameters, data: Patterns) -> Parameters:
    """Parameters beyond two steps of EM, by their lengths; kept in range, so that probabilities sum to one."""
    first, second, third = (np.vstack(part) for part in (at, once, twice))
    gain, bend = second - first, third - 2 * second + first
    reach = max(1.0, np.sqrt((gain**2).sum() / max((bend**2).sum(), FLOOR)))
    far = np.maximum(first + 2 * reach * gain + reach**2 * bend, FLOOR)
    return Parameters(far[0] / far[0].sum(), far[1:] / data.by_item(far[1:]))


def fitted(data: Patterns, classes: int, rng: np.random.Generator, starts: int) -> tuple[Run, float]:
    """The best of several random starts, and the share of those that went on which reached its log-likelihood."""
    begun = [run(_start(data, classes, rng), data, SHORT) for _ in range(starts if classes > 1 else 1)]
    begun.sort(key=lambda found: -found.value)
    ended = [run(found.at, data, LONG) for found in begun[:FINAL]]
    best = max(ended, key=lambda found: found.value)  # the first of equal ones
    near = NEAR * max(abs(best.value), 1e4)
    return best, float(np.mean([best.value - found.value <= near for found in ended]))


def _start(data: Patterns, classes: int, rng: np.random.Generator) -> Parameters:
    """Where EM begins: classes of equal size, probabilities uniform over all that sum to one."""
    drawn = np.maximum(rng.exponential(size=(data.hot.shape[1], classes)), FLOOR)
    return Parameters(np.full(classes, 1 / classes), drawn / data.by_item(drawn))
