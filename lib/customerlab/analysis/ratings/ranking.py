"""Lists from predicted ratings, compared with EASE and popularity."""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.inference import enough, too_few
from customerlab.analysis.ratings.models import FittedModel, Mean
from customerlab.analysis.ratings.split import RatingSplit, counts
from customerlab.analysis.recommend.evaluate import against
from customerlab.analysis.recommend.metrics import Lists, compare, intervals, paired, per_customer
from customerlab.analysis.recommend.models import EASE, AllTimePopularity, Model, top
from customerlab.analysis.recommend.models.base import batches
from customerlab.analysis.recommend.split import Split, split_by_time
from customerlab.formats import decimals, interval, p_value
from customerlab.wording import Led

METRICS = ("ndcg", "recall", "precision", "hit_rate")


@dataclass(frozen=True)
class RatingRanking:
    """Accuracy of lists of products that customers liked later.

    Attributes
    ----------
    values : DataFrame
        One row per model and customer: `model`, `customer_id`, `ndcg`, `recall`, `precision`, `hit_rate`, of lists of
        length k. `recommend.metrics.compare(paired(values, "ndcg"), seed)` tests the differences.
    table : DataFrame
        By model: `model`, `customers`, `ndcg` with `ndcg_low` and `ndcg_high`, `recall` with `recall_low` and
        `recall_high` (95%, bootstrap over customers).
    accounting : DataFrame
        `what`, `ratings`, `customers`, `products`.
    relevant : str
        What counts as relevant, in words.
    lists : dict of str to int array of shape (customers, k)
        By model, the products of each list by their place in the catalogue.
    """

    values: pd.DataFrame
    table: pd.DataFrame
    accounting: pd.DataFrame
    relevant: str
    lists: dict[str, np.ndarray]


def rank_ratings(
    split: RatingSplit, fitted: Sequence[FittedModel], seed: int, *, liked: float | None = None, k: int = 10
) -> RatingRanking:
    """Rank the catalogue for every warm customer and evaluate the lists by what they liked later.

    - **Relevant** are the products that a customer rated from the split date on with at least `liked`, and had not
      rated before. Those that nobody had rated before the split date count as not found: no model can know them.
    - **Ranked** are all products rated before the split date, but for those that the customer had rated.
    - **Warm** are customers with a relevant product who liked at least one before the split date, so that every model
      has something to go by.
    - Rating models learn from all earlier ratings and rank by prediction, not clipped to the scale; `AllTimePopularity`
      and `EASE` beside them learn from which products were liked. The mean of all ratings ranks nothing and is left
      out.

    Parameters
    ----------
    split, fitted
        As `split_ratings` and `fit_ratings` return them.
    seed : int
        Of the bootstrap.
    liked : float, optional
        The lowest rating that is relevant: `liked_from` of the ratings before the split date by default. Below the
        scale, every rating is (rated at all). A ValueError says that there is no warm customer.
    k : int
        The length of a list.
    """
    train, later = split.train, split.later
    least = liked_from(train, split.scale) if liked is None else liked
    good = train[train["rating"] >= least]
    found = later[later["rating"] >= least]
    warm = found[found["customer_id"].isin(good["customer_id"])]
    if warm.empty:
        raise ValueError(
            f"nobody with a rating of at least {least:g} before {split.date:%Y-%m-%d} gave one after it; expected at least "
            "one customer, choose another rating_holdout or a lower rating that counts as liked"
        )
    history = _liked(pd.concat([good, found]), split.date)
    products = _ordered(history, train, later)
    customers = pd.Index(np.sort(warm["customer_id"].unique()))
    known = products.isin(train["product_id"])
    owned, relevant = (_marked(part, customers, products) for part in (train, warm))
    able = [one for one in fitted if not isinstance(one.model, Mean)]  # a constant ranks nothing
    models: list[Model | FittedModel] = [*able, AllTimePopularity(), EASE()]
    parts, lists = [], {}
    for model in models:
        if not isinstance(model, FittedModel):
            model.fit(history)
        ranked = [
            top(_scores(model, customers[rows], products, history), known & (owned[rows].toarray() == 0), k)
            for rows in batches(np.arange(len(customers)), 1)
        ]
        lists[model.name] = np.vstack(ranked)
        values = per_customer(Lists(lists[model.name], relevant), METRICS)
        parts.append(values.assign(model=model.name, customer_id=customers))
    values = pd.concat(parts, ignore_index=True)[["model", "customer_id", *METRICS]]
    words = f"rated {least:g} or better ({len(good) / len(train):.0%} of the ratings before the split date)"
    words = words if least > split.scale[0] else "rated at all"
    return RatingRanking(values, _table(values, seed), _accounting(train, good, found, warm), words, lists)


def ranking_decision(ranking: RatingRanking, k: int) -> Led:
    """Whether products should be chosen by predicted rating or by popularity, as a sentence.

    Every model is compared with popularity on the same customers (paired t, Holm). By predicted rating only where a
    rating model has a significantly higher nDCG, by popularity only where the best has a significantly lower one; else
    it is inconclusive. Fewer than `inference.LEAST` customers with a hit are too few to tell.
    """
    popular, rates = AllTimePopularity.name, ranking.values.groupby("model")["hit_rate"].sum()
    pairs = against(compare(paired(ranking.values, "ndcg")), popular)
    pairs = pairs[pairs["model"] != EASE.name]
    if pairs.empty or not enough(rates[[popular, pairs["model"].iloc[0]]].min()):
        few = too_few(rates[popular], "customers with a hit on the list of popularity")
        return Led("No way to choose products is recommended", f": {few}.")
    row, ndcg = pairs.iloc[0], ranking.table.set_index("model")["ndcg"]
    best, sure = ndcg[row["model"]], row["p_holm"] < 0.05
    digits = decimals(best, ndcg[popular], row["low"], row["high"])
    if not sure:
        lead, said = (
            "Predicted ratings are not shown to choose products better than popularity",
            "the difference is inconclusive",
        )
    elif row["difference"] > 0:
        lead = f"Choose products by the ratings that {row['model']} predicts"
        said = "they rank significantly better than popularity"
    else:
        lead = "Choose products by popularity, not by predicted rating"
        said = "the best rating model ranks significantly worse"
    return Led(
        lead,
        f": {said} (nDCG@{k} {best:.{digits}f} for the best rating model, {row['model']}, {ndcg[popular]:.{digits}f} for "
        f"{popular}; difference {row['difference']:+.{digits}f}, {interval(row['low'], row['high'], f'{{:.{digits}f}}')}, "
        f"Holm-adjusted {p_value(row['p_holm'])}; {rates[row['model']]:,.0f} and {rates[popular]:,.0f} of "
        f"{row['customers']:,.0f} customers with a hit).",
    )


def liked_from(ratings: pd.DataFrame, scale: tuple[float, float]) -> float:
    """The lowest rating that counts as liked: of the upper quarter of the scale, or else of the best quarter of all.

    On a scale from 1 to 5 it is 4. Where less than a tenth of the ratings are in the upper quarter of the scale, as
    with counts of plays, whose highest is far from all others, it is what the best quarter of the ratings reaches.

    Examples
    --------
    >>> scale, plays = pd.DataFrame({"rating": [1, 2, 4, 5]}), pd.DataFrame({"rating": [*range(1, 12), 950]})
    >>> liked_from(scale, (1, 5)), liked_from(plays, (1, 950))
    (4.0, 10.0)
    """
    rising = np.sort(ratings["rating"].to_numpy(dtype=float))
    upper = np.searchsorted(rising, scale[0] + 0.75 * (scale[1] - scale[0]))
    best = len(rising) - max(int(np.ceil(len(rising) / 4)), 1)
    return float(rising[upper if len(rising) - upper >= 0.1 * len(rising) else best])


def _liked(good: pd.DataFrame, date: pd.Timestamp) -> Split:
    """A split in which each liked rating is a purchase: one order per rating."""
    frame = pd.DataFrame(
        {
            "customer_id": good["customer_id"],
            "order_id": [f"{number:010d}" for number in range(len(good))],
            "ordered_at": good["rated_at"].astype("datetime64[us]"),
            "product_id": good["product_id"],
        }
    )
    table = ibis.memtable(frame.reset_index(drop=True)).mutate(amount=ibis.literal(1).cast("decimal(18, 4)"))
    days = (frame["ordered_at"].max().normalize() - date).days + 1  # from the day after the last one
    return split_by_time(table, days)


def _ordered(history: Split, train: pd.DataFrame, later: pd.DataFrame) -> pd.Index:
    """All products, those liked before the split date first, then by number of ratings: the order that breaks ties."""
    times = train.groupby("product_id").size()
    every = pd.Index(pd.concat([train, later])["product_id"].unique())
    rest = pd.DataFrame({"product_id": every.difference(history.products)})
    rest["times"] = rest["product_id"].map(times).fillna(0)
    rest = rest.sort_values(["times", "product_id"], ascending=[False, True])
    return history.products.append(pd.Index(rest["product_id"]))


def _scores(model: Model | FittedModel, customers: pd.Index, products: pd.Index, history: Split) -> np.ndarray:
    if isinstance(model, FittedModel):
        scores = model.scores(customers, products)
        if not np.isfinite(scores).all():
            raise ValueError(f"{model.name} scores a product with a value that is no number; expected numbers")
        return scores
    scores = np.zeros((len(customers), len(products)))  # a product that nobody liked is one that nobody bought
    scores[:, : len(history.products)] = model.scores(history.customers.get_indexer(customers))
    return scores


def _marked(part: pd.DataFrame, customers: pd.Index, products: pd.Index) -> csr_matrix:
    row = customers.get_indexer(pd.Index(part["customer_id"]))
    column = products.get_indexer(pd.Index(part["product_id"]))[row >= 0]
    row = row[row >= 0]
    return csr_matrix((np.ones(len(row)), (row, column)), shape=(len(customers), len(products)))


def _accounting(train: pd.DataFrame, good: pd.DataFrame, found: pd.DataFrame, warm: pd.DataFrame) -> pd.DataFrame:
    cold = ~found["customer_id"].isin(good["customer_id"])
    new = ~warm["product_id"].isin(train["product_id"])
    return counts(
        {
            "liked, before the split date": good,
            "liked, from the split date on": found,
            "excluded: customers who had liked nothing before": found[cold],
            "evaluated": warm,
            "of these cold-start items, without an earlier rating": warm[new],
        }
    )


def _table(values: pd.DataFrame, seed: int) -> pd.DataFrame:
    names = ["ndcg", "recall"]
    ends = [intervals(paired(values, name), seed).add_prefix(f"{name}_") for name in names]
    table = pd.concat(ends, axis=1).rename(columns={f"{name}_mean": name for name in names})
    table = table.rename(columns={"ndcg_customers": "customers"}).drop(columns="recall_customers")
    return table.rename_axis("model").reset_index()
