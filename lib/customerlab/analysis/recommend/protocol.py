"""The evaluation protocol: accounting of customers, results by window, and leaky splits for comparison."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.evaluate import metrics_by_customer, summary
from customerlab.analysis.recommend.log import DAY, NEVER, Log
from customerlab.analysis.recommend.models import Model
from customerlab.analysis.recommend.rankings import LOG, rank
from customerlab.analysis.recommend.split import Split, counted


def accounting(folds: Sequence[Split]) -> pd.DataFrame:
    """Customers, products and user–item pairs that are kept and excluded, at every step of every fold.

    One row per fold and step: `fold` (from 1; the last is the test), `split_date`, `what`, `customers`, `products`,
    `pairs`. Pairs after the split date are excluded, where the customer has no history, or evaluated. Evaluated pairs
    are of cold-start items, repeat purchases or new items. The last row are customers with a history who bought nothing
    in the window, with what they had bought: their lists are not evaluated.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea"]), ("ann", -1, ["tea", "jam"]), ("bob", -1, ["tea"])])
    >>> accounting([split])["pairs"].tolist()
    [1, 3, 1, 2, 1, 1, 0, 0]
    """
    parts = []
    for number, fold in enumerate(folds, 1):
        again = fold.future.multiply(fold.history.sign()).tocsr()
        new = (fold.future - again).tocsr()[:, fold.history.getnnz(axis=0) > 0]
        idle = fold.history[np.setdiff1d(np.arange(len(fold.customers)), fold.warm)]
        rows = [
            counted("of these repeat purchases", again),
            counted("of these new items", new),
            counted("not evaluated: no purchase in the window", idle),
        ]
        part = pd.concat([fold.accounting, pd.DataFrame(rows)], ignore_index=True)
        parts.append(_of_fold(part, number, fold))
    return pd.concat(parts, ignore_index=True)


def accounting_by_window(folds: Sequence[Split]) -> pd.DataFrame:
    """The `accounting` with one row per step: customers by split date, then pairs of the test.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 40, ["tea"]), ("ann", 9, ["tea"]), ("ann", -1, ["tea"])])
    >>> accounting_by_window(split.folds(2)).columns.tolist()
    ['what', '2023-12-04', '2024-01-01, test', 'user–item pairs, test']
    """
    table = accounting(folds)
    days = [f"{fold.date:%Y-%m-%d}" for fold in folds]
    days[-1] += ", test"
    wide = table.pivot(index="what", columns="fold", values="customers").fillna(0).astype(int)  # a step without anybody
    test = table[table["fold"] == len(folds)].set_index("what")["pairs"].rename("user–item pairs, test")
    every = list(dict.fromkeys([*test.index, *table["what"]]))
    wide = wide.reindex(every).set_axis(days, axis=1).join(test.reindex(every).fillna(0).astype(int))
    return wide.rename_axis("what").reset_index()


def over_folds(
    folds: Sequence[Split], models: Sequence[Model], seed: int, k: int = 10, *, last: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Accuracy of models in every fold; each is trained again on the history of the fold.

    One row per fold, task and model: `fold`, `split_date`, the columns of `summary`, and `rank`, that of the model by
    nDCG (ties share the better rank). `last` are the `metrics_by_customer` of the last fold, where they are known.
    """
    parts = []
    for number, fold in enumerate(folds, 1):
        if last is not None and number == len(folds):
            values = last[last["model"].isin([model.name for model in models])]
        else:
            values = metrics_by_customer(rank(fold, models, k))
        parts.append(_of_fold(summary(values, seed), number, fold))
    table = pd.concat(parts, ignore_index=True)
    ranks = table.assign(ndcg=table["ndcg"].round(12)).groupby(["fold", "task"])["ndcg"]
    return table.assign(rank=ranks.rank(ascending=False, method="min").astype(int))


def _of_fold(table: pd.DataFrame, number: int, fold: Split) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"fold": number, "split_date": fold.date}, table.index), table], axis=1)


def leaky_splits(whole: Split, models: Sequence[Model], holdout_days: int, seed: int, k: int = 10) -> pd.DataFrame:
    """Accuracy of the same models under leaky splits, for comparison only: the numbers are optimistic or incomparable.

    All splits have the same products, those with a history before the split date. All evaluate the same customers,
    those of the temporal split (as far as they have a history left), by the same metrics:

    - last order of each customer: the customers' last orders are held out, whenever they were;
    - random purchases: of each customer as many products of orders are held out at random as lie after the split date;
    - random pairs: of each customer as many products as were bought after the split date, with all purchases of them.
      No repeat purchases are left, so that only the task explore can be compared.

    `whole` is what `whole_log` returns, `holdout_days` the length of the future of the temporal split, `seed` that of
    the draws and of the bootstrap. One row per split, task and model: `split` (time first), the columns of `summary`,
    and `times`, nDCG divided by that of the temporal split (NaN where that is zero or missing). A split without
    customers to evaluate is left out.
    """
    length = holdout_days * DAY
    every = whole.log.some((whole.log.returned == NEVER) & ~whole.log.refused())
    every = replace(every, moved=every.moved[:0])  # what was returned is left out once, and not by each split again
    sold = np.bincount(every.product[every.before > length], minlength=len(every.products)) > 0
    lines = every.some(sold[every.product])
    before = lines.before > length
    moved = replace(lines, before=lines.before - length)
    date = whole.date - pd.Timedelta(days=holdout_days)
    splits = {"time": whole.divided(moved, before, date, holdout_days)}
    for way, past in _ways(lines, before, np.random.default_rng(seed)).items():
        splits[way] = whole.divided(lines, past, whole.date, holdout_days)
    judged = splits["time"].customers[splits["time"].warm]
    parts = []
    for way, split in splits.items():
        LOG.info("split by %s", way)
        same = replace(split, warm=split.warm[split.customers[split.warm].isin(judged)])
        if len(same.warm) == 0:
            continue
        part = summary(metrics_by_customer(rank(same, models, k)), seed)
        part.insert(0, "split", way)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    honest = table[table["split"] == "time"].set_index(["task", "model"])["ndcg"].replace(0, np.nan)
    return table.assign(times=table["ndcg"] / honest.reindex(pd.MultiIndex.from_frame(table[["task", "model"]])).array)


def _ways(lines: Log, before: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Which lines are the history of each split; `before` are those of the temporal split."""
    customer = lines.customer[lines.order]
    last = np.zeros(len(lines.customers), dtype=int)
    np.maximum.at(last, customer, lines.order)  # the orders of a customer are numbered from the oldest to the latest
    learned = {"last order of each customer": lines.order != last[customer]}
    for way, of in (("random purchases", lines.order), ("random pairs", customer)):
        key = of.astype("int64") * (lines.product.max(initial=0) + 1) + lines.product
        _, first, unit = np.unique(key, return_index=True, return_inverse=True)
        whose = customer[first]
        behind = np.zeros(len(first), dtype=bool)
        behind[unit[~before]] = True
        # of each customer, as many as lie after the split date: the first of them in random order
        drawn = np.lexsort((rng.random(len(first)), whose))
        place = np.empty(len(first), dtype=int)
        place[drawn] = np.arange(len(first)) - np.searchsorted(whose[drawn], whose[drawn])
        learned[way] = (place >= np.bincount(whose[behind], minlength=len(last))[whose])[unit]
    return learned
