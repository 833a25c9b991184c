"""Parameter search on the window before the test, with a limited number of trials."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.evaluate import metrics_by_customer
from customerlab.analysis.recommend.metrics import intervals
from customerlab.analysis.recommend.models import Model
from customerlab.analysis.recommend.rankings import LOG, rank
from customerlab.analysis.recommend.split import Split

COLUMNS = ["model", "parameters", "customers", "ndcg", "low", "high", "difference", "error", "chosen"]

Grid = Mapping[str, Sequence[Any]]


class Tuned(NamedTuple):
    """A search and the chosen model.

    `table` has one row per trial, in the order of the grid: `model`, `parameters` (as text), `customers`, the mean
    `ndcg` with `low` and `high`, `difference` to the best trial and its standard `error`, `chosen`. `model` has the
    chosen parameters, and is not yet fitted.
    """

    table: pd.DataFrame
    model: Model


def tune(split: Split, make: Callable[..., Model], grid: Grid, seed: int, *, trials: int = 12, k: int = 10) -> Tuned:
    """Try parameters of a model on the window before the test window, which is never looked at.

    Chosen is the first trial in the order of the grid whose nDCG is no further from the best than one standard error of
    the difference on the same customers (after Breiman, Friedman, Olshen and Stone 1984).

    Parameters
    ----------
    split : Split
        The test. Only its history is used. Where it is too short for a window before the test, the first point is
        chosen untried.
    make : function
        Of the parameters; it returns a model.
    grid : mapping of str to sequence
        The values of each parameter, the simplest first; a ValueError says that it has no point.
    seed : int
        Of the bootstrap, and of the draw of trials.
    trials : int
        The budget, at least one. Of a larger grid so many points are drawn by chance (Bergstra and Bengio 2012); the
        first is always tried.
    k : int

    Examples
    --------
    >>> from customerlab.analysis.recommend.models import DecayedFrequency
    >>> from customerlab.analysis.recommend.split import split_of
    >>> orders = [("ann", days, ["tea"]) for days in (90, 80)] + [("ann", 60, ["milk"]), ("ann", 9, ["milk"])]
    >>> tuned = tune(split_of([*orders, ("ann", -3, ["tea"])]), DecayedFrequency, {"half_life": [360, 7]}, 1, k=1)
    >>> tuned.table[["parameters", "ndcg", "chosen"]].values.tolist(), tuned.model.half_life
    ([['half_life=360', 0.0, False], ['half_life=7', 1.0, True]], 7)
    """
    points = _points(grid, trials, seed)
    texts = [", ".join(f"{name}={value}" for name, value in point.items()) for point in points]
    models = [make(**point) for point in points]
    table = pd.DataFrame({"model": models[0].name, "parameters": texts})
    *before, _ = split.folds(2)
    if not before:
        untried = table.head(1).assign(customers=0, chosen=True).reindex(columns=COLUMNS)
        return Tuned(untried, models[0])
    columns = []
    for number, (model, text) in enumerate(zip(models, texts, strict=True), 1):
        LOG.info("trial %s of %s: %s", number, len(points), text)
        tried = metrics_by_customer(rank(before[0], [model], k))
        columns.append(tried[tried["task"] == "all"].set_index("customer_id")["ndcg"])
    values = pd.concat(columns, axis=1, keys=range(len(points)))
    shown = intervals(values, seed)
    difference = values.sub(values[int(shown["mean"].round(12).to_numpy().argmax())], axis=0)
    error = (difference.std() / np.sqrt(len(values))).fillna(0.0)
    chosen = int(np.flatnonzero(difference.mean() >= -error - 1e-12)[0])
    table = table.assign(
        customers=shown["customers"], ndcg=shown["mean"], low=shown["low"], high=shown["high"],
        difference=difference.mean(), error=error, chosen=table.index == chosen,
    )  # fmt: skip
    return Tuned(table, make(**points[chosen]))


def searches(tuned: Sequence[Tuned]) -> pd.DataFrame:
    """The tables of several searches in one; empty without any."""
    tables = [one.table for one in tuned]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _points(grid: Grid, trials: int, seed: int) -> list[dict[str, Any]]:
    """The points of a grid in its order, or as many of them as there are trials."""
    if trials < 1:
        raise ValueError(f"{trials} trials; expected at least one")
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if not points:
        raise ValueError(f"the grid has no point: {dict(grid)}; expected at least one value of every parameter")
    if len(points) > trials:
        drawn = np.random.default_rng(seed).permutation(len(points) - 1)[: trials - 1] + 1
        points = [points[place] for place in (0, *sorted(drawn))]
    return points
