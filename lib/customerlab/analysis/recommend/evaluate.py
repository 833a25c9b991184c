"""Models compared on the same customers: accuracy of their lists, beyond-accuracy metrics, and intervals."""

from collections.abc import Sequence

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import holm
from customerlab.analysis.recommend.log import LITTLE
from customerlab.analysis.recommend.metrics import compare, intervals, paired, per_customer, popularity_gap
from customerlab.analysis.recommend.metrics.compare import LEVEL, RESAMPLES
from customerlab.analysis.recommend.metrics.table import RANKING, over_all
from customerlab.analysis.recommend.models import Model, top
from customerlab.analysis.recommend.models.base import batches
from customerlab.analysis.recommend.rankings import TASKS, Rankings
from customerlab.analysis.recommend.split import Split

METRICS = (*RANKING, "auc")
BEYOND = (
    "novelty", "diversity", "serendipity", "popularity", "miscalibration", "repeat_share", "recall_of_repeats",
    "recall_of_new_items", "revenue",
)  # fmt: skip
MATERIAL = {"diversity": "vectors", "miscalibration": "categories"}  # which a shop may not have


def metrics_by_customer(rankings: Rankings) -> pd.DataFrame:
    """Accuracy per model, task and customer, one row each: `model`, `task`, `customer_id` and `METRICS`.

    Customers who bought none of a task's kind in the future are left out of it.
    """
    parts = []
    for model, by_task in rankings.ranked.items():
        for task in TASKS:
            lists = rankings.lists(model, task)
            some = lists.bought > 0
            values = per_customer(type(lists)(by_task[task][some], lists.relevant[some]), RANKING)
            whose = pd.DataFrame({"model": model, "task": task, "customer_id": rankings.customers[some]})
            parts.append(whose.join(values.assign(auc=rankings.auc[model][task][some])))
    return pd.concat(parts, ignore_index=True)


def summary(values: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Means over customers of `metrics_by_customer`, each with a bootstrap interval.

    One row per task and model, in the order of `TASKS` and of the models: `task`, `model`, `customers`, and of every
    metric the mean, and with `_low` and `_high` behind its name the 2.5 and 97.5 percentiles of the mean over customers
    drawn with replacement, the same for all models of a task.
    """
    metrics = [name for name in values.columns if name not in ("model", "task", "customer_id")]
    models = list(dict.fromkeys(values["model"]))
    parts = []
    for task in [task for task in TASKS if (values["task"] == task).any()]:
        part = values[values["task"] == task]
        customers = part.groupby("model")["customer_id"].size().reindex(models)
        first = pd.DataFrame({"task": task, "model": models, "customers": customers.to_numpy()}, models)
        parts.append(first.join(_wide(part, metrics, seed)))
    return pd.concat(parts, ignore_index=True)


def returned_in_full(lists: pd.DataFrame, transactions: ir.Table, returns: ir.Table | None) -> int:
    """How many listed products their customer had returned in full.

    Lists have `customer_id` and `product_id`, the tables are canonical; 0 without returns.
    """
    if returns is None:
        return 0
    pair = ["customer_id", "product_id"]
    both = transactions.select(*pair, "quantity").union(returns.select(*pair, "quantity")).semi_join(returns, pair)
    left = both.group_by(*pair).aggregate(left=both.quantity.sum()).to_pandas()
    return len(lists.merge(left[left["left"] < LITTLE], on=pair))


def beyond(rankings: Rankings, seed: int, products: pd.DataFrame | None = None, task: str = "all") -> pd.DataFrame:
    """Beyond-accuracy metrics of the lists.

    One row per model: `model`; the mean of each of `BEYOND` for which there is material, with `_low` and `_high` as in
    `summary` (a customer without a value is left out of a mean); and of all lists together `item_coverage` and
    `gini` of the products that have a history, `user_coverage`, and `popularity_gap`. Diversity and calibration need
    products, see `Rankings.lists`.
    """
    parts, whole = [], []
    for model in rankings.ranked:
        lists = rankings.lists(model, task, products)
        names = [name for name in BEYOND if getattr(lists, MATERIAL.get(name, "relevant")) is not None]
        parts.append(per_customer(lists, names).assign(customer_id=rankings.customers, model=model))
        known = int((lists.need("buyers") > 0).sum())
        sold = type(lists)(lists.ranked, lists.relevant[:, :known])
        whole.append(over_all(sold).to_dict() | {"popularity_gap": popularity_gap(lists)})
    wide = _wide(pd.concat(parts), names, seed).reindex(list(rankings.ranked))
    return wide.join(pd.DataFrame(whole, index=wide.index)).rename_axis("model").reset_index()


def comparison(values: pd.DataFrame, task: str = "all") -> pd.DataFrame:
    """Every pair of models compared by nDCG on the same customers, for one task of `metrics_by_customer`."""
    return compare(paired(values[values["task"] == task], "ndcg"))


def against(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The comparisons of all other models with a baseline, from the table of `comparison`.

    By falling difference, with `p_holm`, `low` and `high` adjusted for these comparisons alone: p by Holm's
    steps, and the intervals at 1 − 0.05 / rows (Bonferroni, with Student's t), so that all of them hold together with
    95%; missing for a single customer. A ValueError says that no model has that name.

    Examples
    --------
    >>> values = pd.DataFrame({"new": [0.4, 0.6, 0.5, 0.9], "old": [0.3, 0.5, 0.5, 0.6]})
    >>> against(compare(values), "new")[["model", "difference", "better", "worse"]].round(3).values.tolist()
    [['old', -0.125, 0, 3]]
    """
    ahead, behind = table["other"] == baseline, table["model"] == baseline
    if not (ahead | behind).any():
        raise ValueError(
            f"no model is called {baseline!r}; there are {', '.join(sorted({*table.model, *table.other}))}"
        )
    turned = table[behind].rename(columns={"model": "other", "other": "model", "better": "worse", "worse": "better"})
    for name in ("difference", "t"):
        turned[name] = 0.0 - turned[name]  # not -0.0 where they are equal
    both = pd.concat([table[ahead], turned[table.columns]])
    both["p_holm"] = holm(both["p"])
    reach = stats.t.isf((1 - LEVEL) / (2 * len(both)), np.maximum(both["customers"] - 1, 1)) * both["error"]
    both["low"], both["high"] = both["difference"] - reach, both["difference"] + reach
    return both.sort_values(["difference", "model"], ascending=[False, True], ignore_index=True)


def recommend(split: Split, model: Model, k: int = 10, *, only_new: bool = False) -> pd.DataFrame:
    """The fitted model's list for every customer of the history, for a campaign tool.

    No list has a product that its customer returned in full, or with `only_new` one that the customer has bought.
    Columns are `customer_id`, `rank` (from 1), `product_id`, `score`.

    Examples
    --------
    >>> from customerlab.analysis.recommend import split_of
    >>> from customerlab.analysis.recommend.models import AllTimePopularity
    >>> split = split_of([("ann", 9, ["tea", "jam"]), ("bob", 8, ["tea", "jam", "milk"])], [("ann", 7, ["jam"])])
    >>> lists = recommend(split, AllTimePopularity().fit(split))
    >>> lists[lists["customer_id"] == "ann"]["product_id"].tolist()
    ['tea', 'milk']
    """
    parts = []
    barred = split.barred(only_new=only_new)
    for rows in batches(np.arange(len(split.customers)), max(split.history.shape)):
        scores = model.scores(rows)
        ranked = top(scores, barred[rows].toarray() == 0, k)
        row, place = np.nonzero(ranked >= 0)
        column = ranked[row, place]
        places = {"customer_id": split.customers[rows[row]], "rank": place + 1, "product_id": split.products[column]}
        parts.append(pd.DataFrame(places | {"score": scores[row, column]}))
    return pd.concat(parts, ignore_index=True)


def _wide(values: pd.DataFrame, metrics: Sequence[str], seed: int) -> pd.DataFrame:
    """Means and intervals of metrics, one row per model: mean, low and high of each metric in turn."""
    table = intervals(values.pivot(index="customer_id", columns="model", values=metrics), seed, resamples=RESAMPLES)
    columns: dict[str, pd.Series] = {}
    for metric in metrics:
        part = table.loc[metric]
        columns |= {metric: part["mean"], f"{metric}_low": part["low"], f"{metric}_high": part["high"]}
    return pd.DataFrame(columns)
