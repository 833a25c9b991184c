"""All metrics at once: by customer, over all lists, and one list under every definition of its metrics."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.metrics import beyond, business, ranking
from customerlab.analysis.recommend.metrics.lists import Definition, Lists, mean

RANKING = ("precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg", "r_precision")
WHOLE = ("item_coverage", "user_coverage", "gini")  # of all lists together; no customer has a value
DEFINITIONS = (*ranking.DEFINITIONS, *beyond.DEFINITIONS, *business.DEFINITIONS)  # the first of a metric is the default
DEFAULTS = {row.metric: row for row in reversed(DEFINITIONS)}
NAMES = list(dict.fromkeys(row.metric for row in DEFINITIONS))


def values_of(lists: Lists, row: Definition) -> np.ndarray | float:
    """A metric under one definition: a value per customer, or one of all lists together."""
    values = row.function(lists)
    if row.metric not in RANKING or isinstance(values, float):
        return values
    return np.where(lists.bought > 0, values, np.nan)


def per_customer(lists: Lists, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """The default definition of every metric, or of some, for every customer.

    One row per customer in the order of the lists, one column per metric, by default all for which the lists have the
    material; NaN where a customer has no value. A ValueError says that a metric is unknown, or its material missing.

    Examples
    --------
    >>> lists = Lists.of([[2, 0, 1]], [[0, 2, 3]], products=5)
    >>> per_customer(lists, ["precision", "map", "ndcg"]).round(4).to_dict("records")
    [{'precision': 0.6667, 'map': 0.6667, 'ndcg': 0.7654}]
    """
    if unknown := [name for name in metrics or () if name not in NAMES]:
        raise ValueError(f"there are no metrics {', '.join(unknown)}; expected some of {', '.join(NAMES)}")
    if wrong := [name for name in metrics or () if name in WHOLE]:
        raise ValueError(f"{', '.join(wrong)}: of all lists together, no customer has a value; see over_all")
    if metrics is None:
        metrics = [name for name in NAMES if name not in WHOLE and _possible(DEFAULTS[name], lists)]
    return pd.DataFrame({name: values_of(lists, DEFAULTS[name]) for name in metrics})


def over_all(lists: Lists) -> pd.Series:
    """Metrics that are of all lists together, by their default definitions: coverage and the Gini index of exposure.

    Examples
    --------
    >>> over_all(Lists.of([[0, 1], [0, 2]], [[0], [0]], products=4)).round(4).to_dict()
    {'item_coverage': 0.75, 'user_coverage': 1.0, 'gini': 0.5}
    """
    return pd.Series({name: values_of(lists, DEFAULTS[name]) for name in WHOLE}, dtype=float)


def definitions(lists: Lists) -> pd.DataFrame:
    """The same lists under every definition of their metrics.

    Returns
    -------
    DataFrame
        One row per definition whose material the lists have: `metric`, `definition`, `default` (whether it is what the
        library means by the name), `formula` (R: products bought, n: products), `source` (a paper, or software that
        computes it so), `value` (the mean over the customers who have one) and `customers` (how many have one).

    Examples
    --------
    >>> table = definitions(Lists.of([[2, 1, 0]], [[0, 2, 3, 4]], products=6)).query("metric == 'map'")
    >>> table[["definition", "value"]].round(3).to_numpy().tolist()
    [['reachable', 0.556], ['bought', 0.417], ['k', 0.556], ['found', 0.833], ['precisions', 0.722]]
    """
    rows = []
    for row in (row for row in DEFINITIONS if _possible(row, lists)):
        values = values_of(lists, row)
        customers = len(lists.ranked) if isinstance(values, float) else int((~np.isnan(values)).sum())
        rows.append((*row[:2], row is DEFAULTS[row.metric], row.formula, row.source, mean(values), customers))
    return pd.DataFrame(rows, columns=["metric", "definition", "default", "formula", "source", "value", "customers"])


def _possible(row: Definition, lists: Lists) -> bool:
    return all(getattr(lists, name) is not None for name in row.needs)
