"""The protocol: who is there at every step of every fold, how models do from month to month, and other splits."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.evaluate import found, summary
from customerlab.analysis.recommend.log import DAY, NEVER, Log
from customerlab.analysis.recommend.models import Model
from customerlab.analysis.recommend.rankings import LOG, rank
from customerlab.analysis.recommend.split import Split, counted


def accounting(folds: Sequence[Split]) -> pd.DataFrame:
    """Customers, products and pairs that are kept and dropped at every step of every fold.

    One row a fold and step: `fold` (from 1; the last is the test), `cut`, `what`, `customers`, `products`, `pairs`. The
    future is what is dropped for want of a customer's history and what is evaluated; this is what cannot be found for
    want of the product's history, what is to be found again, and what is to be discovered. Last come customers of the
    history who bought nothing then, with what they had bought: their lists are not judged.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea"]), ("ann", -1, ["tea", "jam"]), ("bob", -1, ["tea"])])
    >>> accounting([split]).set_index("what")["pairs"].to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'history, before the cut': 1, 'future, from the cut on': 3, 'dropped: customers without a history': 1,
     'evaluated': 2, 'of these not to be found: products without a history': 1, 'of these repeats': 1,
     'of these discoveries': 0,
     'not judged: customers of the history who bought nothing then': 0}
    """
    parts = []
    for number, fold in enumerate(folds, 1):
        again = fold.future.multiply(fold.history.sign()).tocsr()
        new = (fold.future - again).tocsr()[:, fold.history.getnnz(axis=0) > 0]
        idle = fold.history[np.setdiff1d(np.arange(len(fold.customers)), fold.warm)]
        rows = [
            counted("of these repeats", again),
            counted("of these discoveries", new),
            counted("not judged: customers of the history who bought nothing then", idle),
        ]
        part = pd.concat([fold.accounting, pd.DataFrame(rows)], ignore_index=True)
        parts.append(_of_fold(part, number, fold))
    return pd.concat(parts, ignore_index=True)


def over_folds(
    folds: Sequence[Split], models: Sequence[Model], seed: int, k: int = 10, *, last: pd.DataFrame | None = None
) -> pd.DataFrame:
    """How models do, and in which order, from fold to fold; each learns again from the history of each fold.

    One row a fold, task and model: `fold`, `cut`, the columns of `summary`, and `place`, that of the model by nDCG
    among all (equal ones share the better place). `last` is what the models' lists found in the last fold, as `found`
    returns it, where they were ranked there already.
    """
    parts = []
    for number, fold in enumerate(folds, 1):
        if last is not None and number == len(folds):
            values = last[last["model"].isin([model.name for model in models])]
        else:
            values = found(rank(fold, models, k))
        parts.append(_of_fold(summary(values, seed), number, fold))
    table = pd.concat(parts, ignore_index=True)
    places = table.assign(ndcg=table["ndcg"].round(12)).groupby(["fold", "task"])["ndcg"]
    return table.assign(place=places.rank(ascending=False, method="min").astype(int))


def _of_fold(table: pd.DataFrame, number: int, fold: Split) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"fold": number, "cut": fold.cut}, table.index), table], axis=1)


def flattery(whole: Split, models: Sequence[Model], holdout_days: int, seed: int, k: int = 10) -> pd.DataFrame:
    """What other splits than one in time make of the same models. Never to be reported as results.

    All splits have the same products, those with a history before the cut, and judge the same customers, those whom
    the split in time evaluates (as far as they have a history left), by the same metrics:

    - last order of each customer: the customers' last orders are held out, whenever they were;
    - random purchases: of each customer as many products of orders are held out by chance as lie behind the cut;
    - random pairs: of each customer as many products as were bought behind the cut, with all purchases of them.
      Nothing is left to be found again, so that only the task explore can be compared.

    `whole` is what `whole_log` returns, `holdout_days` the length of the future of the split in time, `seed` of chance
    and of the bootstrap. One row a split, task and model: `split` (time first), the columns of `summary`, and `times`,
    nDCG divided by that of the split in time (NaN where that is zero or missing). A split that leaves nobody to judge
    is left out.
    """
    length = holdout_days * DAY
    every = whole.log.some((whole.log.returned == NEVER) & ~whole.log.refused())
    every = replace(every, moved=every.moved[:0])  # what was sent back is left out once, and not by each split again
    sold = np.bincount(every.product[every.before > length], minlength=len(every.products)) > 0
    lines = every.some(sold[every.product])
    before = lines.before > length
    moved = replace(lines, before=lines.before - length)
    cut = whole.cut - pd.Timedelta(days=holdout_days)
    splits = {"time": whole.divided(moved, before, cut, holdout_days)}
    for way, past in _ways(lines, before, np.random.default_rng(seed)).items():
        splits[way] = whole.divided(lines, past, whole.cut, holdout_days)
    judged = splits["time"].customers[splits["time"].warm]
    parts = []
    for way, split in splits.items():
        LOG.info("split by %s", way)
        same = replace(split, warm=split.warm[split.customers[split.warm].isin(judged)])
        if len(same.warm) == 0:
            continue
        part = summary(found(rank(same, models, k)), seed)
        part.insert(0, "split", way)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    honest = table[table["split"] == "time"].set_index(["task", "model"])["ndcg"].replace(0, np.nan)
    return table.assign(times=table["ndcg"] / honest.reindex(pd.MultiIndex.from_frame(table[["task", "model"]])).array)


def _ways(lines: Log, before: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Which lines are learned from; `before` are those of the split in time."""
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
        # of each customer, as many as lie behind the cut: the first of them in random order
        drawn = np.lexsort((rng.random(len(first)), whose))
        place = np.empty(len(first), dtype=int)
        place[drawn] = np.arange(len(first)) - np.searchsorted(whose[drawn], whose[drawn])
        learned[way] = (place >= np.bincount(whose[behind], minlength=len(last))[whose])[unit]
    return learned
