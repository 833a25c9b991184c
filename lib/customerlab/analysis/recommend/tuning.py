"""Parameters chosen on windows before the test, within a stated number of trials."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.evaluate import found
from customerlab.analysis.recommend.metrics import intervals
from customerlab.analysis.recommend.models import Model
from customerlab.analysis.recommend.rankings import Progress, rank
from customerlab.analysis.recommend.split import Split

LOG = logging.getLogger(__name__)
RULES = ("one standard error", "best")


@dataclass(frozen=True)
class Tuned:
    """A search and what it chose.

    Attributes
    ----------
    table : DataFrame
        One row a trial, in the order of the grid: `model`, `parameters` (as text), `customers`, the metric's mean with
        `low` and `high`, `difference` to the best trial and its standard `error`, `chosen`.
    parameters : dict
        The chosen ones.
    model : Model
        With these parameters, not yet fitted.
    """

    table: pd.DataFrame
    parameters: dict[str, Any]
    model: Model


def tune(
    split: Split,
    make: Callable[..., Model],
    grid: Mapping[str, Sequence[Any]],
    seed: int,
    *,
    trials: int = 12,
    windows: int = 1,
    rule: str = "one standard error",
    task: str = "all",
    metric: str = "ndcg",
    k: int = 10,
    progress: Progress = LOG.info,
) -> Tuned:
    """Try parameters of a model on the windows before the test window, which is never looked at.

    Parameters
    ----------
    split : Split
        The test. Only its history is used. Where it is too short for a window before the test, the first point is
        chosen untried.
    make : function
        Of the parameters; it returns a model.
    grid : mapping of str to sequence
        The values of each parameter, the simplest first.
    seed : int
        Of the bootstrap, and of the draw of trials.
    trials : int
        The budget. Of a larger grid so many points are drawn by chance (Bergstra and Bengio 2012); the first is always
        tried.
    windows : int
        How many windows of the length of the test, one before the other. A customer counts once, with the mean over
        the windows that evaluate them.
    rule : {"one standard error", "best"}
        The first trial in the order of the grid that is no further from the best than one standard error of the
        difference on the same customers (after Breiman, Friedman, Olshen and Stone 1984); or the best (of equals, the
        first).
    task, metric : str
        What is to be high.
    k : int
    progress : function of a text

    Raises
    ------
    ValueError
        If a grid has no point, a number is below one, or there is no such rule.

    Examples
    --------
    >>> from customerlab.analysis.recommend.models import DecayedFrequency
    >>> from customerlab.analysis.recommend.split import split_of
    >>> orders = [("ann", days, ["tea"]) for days in (90, 80)] + [("ann", 60, ["milk"]), ("ann", 9, ["milk"])]
    >>> tuned = tune(split_of([*orders, ("ann", -3, ["tea"])]), DecayedFrequency, {"half_life": [360, 7]}, 1, k=1)
    >>> tuned.table[["parameters", "ndcg", "chosen"]].values.tolist(), tuned.parameters
    ([['half_life=360', 0.0, False], ['half_life=7', 1.0, True]], {'half_life': 7})
    """
    if rule not in RULES:
        raise ValueError(f"there is no rule {rule!r}; expected one of {', '.join(map(repr, RULES))}")
    if trials < 1 or windows < 1:
        raise ValueError(f"{trials} trials on {windows} windows; expected at least one of each")
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if not points:
        raise ValueError(f"the grid has no point: {dict(grid)}; expected at least one value of every parameter")
    if len(points) > trials:
        drawn = np.random.default_rng(seed).permutation(len(points) - 1)[: trials - 1] + 1
        points = [points[place] for place in (0, *sorted(drawn))]
    texts = [", ".join(f"{name}={value}" for name, value in point.items()) for point in points]
    folds = split.folds(windows + 1)[:-1]
    if not folds:
        untried = {
            "model": make(**points[0]).name,
            "parameters": texts[0],
            "customers": 0,
            metric: np.nan,
            "chosen": True,
        }
        columns_of = ["model", "parameters", "customers", metric, "low", "high", "difference", "error", "chosen"]
        return Tuned(pd.DataFrame([untried]).reindex(columns=columns_of), points[0], make(**points[0]))
    columns = []
    for number, (point, text) in enumerate(zip(points, texts, strict=True), 1):
        progress(f"trial {number} of {len(points)}: {text}")
        model = make(**point)
        tried = pd.concat([found(rank(fold, [model], k, progress=progress)) for fold in folds])
        columns.append(tried[tried["task"] == task].groupby("customer_id")[metric].mean())
    values = pd.concat(columns, axis=1, keys=range(len(points)))
    table = intervals(values, seed)
    best = int(table["mean"].round(12).to_numpy().argmax())
    difference = values.sub(values[best], axis=0)
    error = (difference.std() / np.sqrt(len(values))).fillna(0.0)
    near = (difference.mean() >= -error - 1e-12) if rule == "one standard error" else table.index == best
    chosen = int(np.flatnonzero(near)[0])
    shown = pd.DataFrame(
        {
            "model": model.name, "parameters": texts, "customers": table["customers"], metric: table["mean"],
            "low": table["low"], "high": table["high"], "difference": difference.mean(), "error": error,
            "chosen": table.index == chosen,
        }
    ).reset_index(drop=True)  # fmt: skip
    return Tuned(shown, points[chosen], make(**points[chosen]))
