"""Models side by side on the same customers, the whole catalogue ranked, with intervals."""

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.metrics import at_k
from customerlab.analysis.recommend.models import Model, top
from customerlab.analysis.recommend.split import Split

# all: any product; repeat: products the customer had bought; explore: products the customer had not
TASKS = ("all", "repeat", "explore")
METRICS = ("precision", "recall", "ndcg", "hit_rate")
BATCH = 512  # customers ranked at once, which bounds memory


def evaluate(split: Split, models: list[Model], k: int = 10) -> pd.DataFrame:
    """Fit every model on the history and rank the whole catalogue for every warm customer.

    Parameters
    ----------
    split : Split
    models : list of Model
    k : int
        The length of a list.

    Returns
    -------
    DataFrame
        One row a model, task and customer: `model`, `task`, `customer_id`, `precision`, `recall`, `ndcg`, `hit_rate`.
        In the tasks repeat and explore, only products of the kind are ranked, and customers who bought none of the
        kind in the future are left out. A product without a history is never recommended: that it will be sold is
        known from the future alone.
    """
    parts = []
    known = np.asarray(split.history.sum(axis=0)).ravel() > 0
    for model in models:
        model.fit(split)
        for begin in range(0, len(split.warm), BATCH):
            rows = split.warm[begin : begin + BATCH]
            scores = model.scores(rows)
            owned = split.history[rows].toarray() > 0
            bought = split.future[rows].toarray() > 0
            for task, kind in zip(TASKS, (np.ones_like(owned), owned, ~owned), strict=True):
                relevant = bought & kind
                some = relevant.any(axis=1)
                ranked = top(scores[some], kind[some] & known, k)
                hits = (ranked >= 0) & np.take_along_axis(relevant[some], np.maximum(ranked, 0), 1)
                values = at_k(hits, relevant[some].sum(axis=1))
                values.insert(0, "customer_id", split.customers[rows[some]].to_numpy())
                values.insert(0, "task", task)
                values.insert(0, "model", model.name)
                parts.append(values)
    return pd.concat(parts, ignore_index=True)


def summary(values: pd.DataFrame, seed: int, resamples: int = 1000) -> pd.DataFrame:
    """Means over customers, with a bootstrap interval of nDCG.

    Parameters
    ----------
    values : DataFrame
        As `evaluate` returns it.
    seed : int
        Of the bootstrap.
    resamples : int

    Returns
    -------
    DataFrame
        One row a task and model, in the order of `TASKS` and of the models: `task`, `model`, `customers`,
        `precision`, `recall`, `ndcg`, `hit_rate`, and `ndcg_low`, `ndcg_high`, the 2.5 and 97.5 percentiles of the
        mean over customers drawn with replacement.
    """
    rows = []
    for (task, model), part in values.groupby(["task", "model"], sort=False):
        part = part.sort_values("customer_id")
        weights = np.random.default_rng(seed).multinomial(len(part), np.full(len(part), 1 / len(part)), resamples)
        means = weights @ part["ndcg"].to_numpy() / len(part)
        low, high = np.quantile(means, [0.025, 0.975])
        rows.append(
            {
                "task": task,
                "model": model,
                "customers": len(part),
                **part[list(METRICS)].mean(),
                "ndcg_low": low,
                "ndcg_high": high,
            }
        )
    table = pd.DataFrame(rows)
    order = table["task"].map({task: place for place, task in enumerate(TASKS)})
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def leaders(scores: pd.Series) -> str:
    """The names of all that share the highest score: where models make the same lists, none of them is the best alone.

    Examples
    --------
    >>> leaders(pd.Series({"popularity": 0.5, "personal frequency": 0.5, "item neighbours": 0.2}))
    'popularity and personal frequency'
    """
    return " and ".join(scores.index[np.isclose(scores, scores.max(), rtol=0, atol=1e-9)])


def recommend(split: Split, model: Model, k: int = 10) -> pd.DataFrame:
    """The model's list for every customer of the history, for a campaign tool.

    Returns
    -------
    DataFrame
        `customer_id`, `rank` (from 1), `product_id`, `score`.
    """
    parts = []
    for begin in range(0, len(split.customers), BATCH):
        rows = np.arange(begin, min(begin + BATCH, len(split.customers)))
        scores = model.scores(rows)
        ranked = top(scores, np.ones_like(scores, dtype=bool), k)
        row, place = np.nonzero(ranked >= 0)
        column = ranked[row, place]
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": split.customers[rows[row]],
                    "rank": place + 1,
                    "product_id": split.products[column],
                    "score": scores[row, column],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
