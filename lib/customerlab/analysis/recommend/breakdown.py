"""Results by length of list, group of customers, length of their history, and popularity of the product."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.inference import LEAST
from customerlab.analysis.recommend.metrics import Lists, intervals, per_customer, pooled
from customerlab.analysis.recommend.metrics.compare import RESAMPLES
from customerlab.analysis.recommend.rankings import Rankings
from customerlab.analysis.recommend.split import Split

LENGTHS = {"1": 1, "2": 2, "3 to 4": 4, "5 to 9": 9, "10 or more": np.inf}  # orders, up to
BANDS = {"head": 0.5, "middle": 0.8, "tail": 1.0}  # shares of all user–item pairs, up to
NEVER = "not sold before"
LISTED = (1, 3, 5, 10)  # lengths of a list


def by_k(rankings: Rankings, models: Sequence[str], task: str = "all", lengths: Sequence[int] = LISTED) -> pd.DataFrame:
    """Hit rate and recall of the first k products of the lists, for several k.

    One row per model and k: `model`, `k`, `customers` (with something to find), `hit_rate` (share of them with a hit)
    and `recall` (mean). Of `lengths`, those below the length of the lists are used, and that length itself.

    Examples
    --------
    >>> from customerlab.analysis.recommend import rank, split_of
    >>> from customerlab.analysis.recommend.models import Popularity
    >>> split = split_of([("ann", 9, ["tea", "jam"]), ("bob", 8, ["tea"]), ("ann", -1, ["jam"]), ("bob", -1, ["tea"])])
    >>> table = by_k(rank(split, [Popularity()], 2), ["popularity"])
    >>> table[["k", "hit_rate", "recall"]].values.tolist()
    [[1.0, 0.5, 0.5], [2.0, 1.0, 1.0]]
    """
    rows = []
    for model in models:
        for k in [*[k for k in lengths if k < rankings.k], rankings.k]:
            lists = Lists(rankings.ranked[model][task][:, :k], rankings.relevant(task))
            found = per_customer(lists, ["hit_rate", "recall"])
            rows.append((model, k, int(found["recall"].notna().sum()), *found.mean()))
    return pd.DataFrame(rows, columns=["model", "k", "customers", "hit_rate", "recall"])


def history_length(split: Split) -> pd.Series:
    """The number of a customer's orders before the split date, as an ordered category of `LENGTHS`.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", days, ["tea"]) for days in (9, 8, 7)] + [("bob", 3, ["tea"])])
    >>> history_length(split).to_dict()
    {'ann': '3 to 4', 'bob': '1'}
    """
    count = np.bincount(split.orders.customer, minlength=len(split.customers))
    names = list(LENGTHS)
    place = np.searchsorted(list(LENGTHS.values()), count)
    return pd.Series(pd.Categorical(np.array(names)[place], names, ordered=True), split.customers, name="orders")


def by_group(values: pd.DataFrame, groups: pd.Series, seed: int) -> pd.DataFrame:
    """nDCG by groups of customers.

    Parameters
    ----------
    values : DataFrame
        As `metrics_by_customer` returns it.
    groups : Series
        By customer; customers without a group are left out. In the order of the categories, else sorted.
    seed : int
        Of the bootstrap of the customers of each group.

    Returns
    -------
    DataFrame
        One row per task, group and model: `task`, `group`, `model`, `customers`, `mean`, and `low` and `high`, which
        are missing for fewer than `inference.LEAST` customers.

    Examples
    --------
    >>> values = pd.DataFrame({"model": "m", "task": "all", "customer_id": ["1", "2", "3"], "ndcg": [0.5, 1.0, 0.0]})
    >>> groups = pd.Series(["old", "new", "old"], ["1", "2", "3"])
    >>> by_group(values, groups, 1)[["group", "customers", "mean"]].values.tolist()
    [['new', 1, 1.0], ['old', 2, 0.25]]
    """
    groups = groups if isinstance(groups.dtype, pd.CategoricalDtype) else groups.astype("category")
    of = groups.reindex(pd.Index(values["customer_id"]))
    models = list(dict.fromkeys(values["model"]))
    parts = []
    for task in dict.fromkeys(values["task"]):
        for group in groups.cat.categories:
            part = values[(values["task"] == task) & (of == group).to_numpy()]
            if len(part):
                wide = part.pivot(index="customer_id", columns="model", values="ndcg")
                table = intervals(wide, seed, resamples=RESAMPLES)
                table.loc[table["customers"] < LEAST, ["low", "high"]] = np.nan
                parts.append(table.reindex(models).rename_axis("model").reset_index().assign(task=task, group=group))
    columns = ["task", "group", "model", "customers", "mean", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def bands(split: Split) -> pd.Series:
    """The popularity of each product, as a band of `BANDS`.

    Products are sorted by falling number of buyers before the split date. The head are those that make up the first
    half of all user–item pairs, the middle those up to 80%, the tail the rest. Equally popular products are in one
    band, that of the first of them.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> orders = [("a", 9, ["x", "y"]), ("b", 9, ["x", "y"]), ("c", 9, ["x", "z"]), ("a", -1, ["new"])]
    >>> bands(split_of(orders)).to_dict()
    {'x': 'head', 'y': 'middle', 'z': 'tail', 'new': 'not sold before'}
    """
    buyers = split.history.getnnz(axis=0)
    falling = np.sort(buyers)[::-1]
    # the share of pairs of the products that are bought by more customers than this one
    above = np.concatenate([[0], falling.cumsum()])[np.searchsorted(-falling, -buyers)] / max(buyers.sum(), 1)
    names = [*BANDS, NEVER]
    place = np.minimum(np.searchsorted(list(BANDS.values()), above, side="right"), len(BANDS) - 1)
    place = np.where(buyers > 0, place, len(BANDS))
    return pd.Series(pd.Categorical(np.array(names)[place], names, ordered=True), split.products, name="band")


def by_popularity(rankings: Rankings, seed: int, task: str = "all") -> pd.DataFrame:
    """Recall by the popularity of the product.

    Returns
    -------
    DataFrame
        One row per model and band, bands without a purchase left out: `model`, `band`, `products`, `bought` (user–item
        pairs in the future), `found` (of these on the lists), `recall` with `low` and `high` (bootstrap of customers;
        missing below `inference.LEAST` pairs), `listed` (share of all listed products that are of the band).
    """
    band = bands(rankings.split)
    inside = np.array([band == name for name in band.cat.categories], dtype=float).T
    rows = []
    for model in rankings.ranked:
        lists = rankings.lists(model, task)
        hits = lists.incidence.multiply(lists.relevant.sign())
        found, bought = (
            pd.DataFrame(np.asarray(part @ inside), rankings.customers, band.cat.categories)
            for part in (hits, lists.relevant.sign())
        )
        table = pooled(found, bought, seed).reset_index(names="band")
        places = lists.incidence.sum(axis=0) @ inside
        listed = np.asarray(places).ravel() / max(places.sum(), 1)
        rows.append(table.assign(model=model, products=inside.sum(axis=0).astype(int), listed=listed))
    table = pd.concat(rows, ignore_index=True).rename(columns={"part": "found", "whole": "bought", "ratio": "recall"})
    columns = ["model", "band", "products", "bought", "found", "recall", "low", "high", "listed"]
    table = table.astype({"bought": int, "found": int})
    table.loc[table["bought"] < LEAST, ["low", "high"]] = np.nan
    return table.loc[table["bought"] > 0, columns].reset_index(drop=True)
