"""Reasons for recommendations: past purchases, related products, the name of the product, or its popularity."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, diags

from customerlab.analysis.recommend.models import (
    AllTimePopularity,
    Content,
    DecayedPopularity,
    Model,
    Popularity,
    Random,
    SegmentPopularity,
)
from customerlab.analysis.recommend.models.base import pairs_of
from customerlab.analysis.recommend.split import Split

AT_ONCE = 5_000  # places on lists that are explained at once, which bounds memory
CAUSES = 2  # owned products that are named
WEIGHTS = ("weights_", "similar_", "steps_")  # products by products, of models whose score is a sum over what is owned
SAME_FOR_ALL = (AllTimePopularity, DecayedPopularity, Popularity, Random, SegmentPopularity)
Texts = Callable[[np.ndarray, np.ndarray], np.ndarray]
LONG = 40  # characters of a name


def explained(split: Split, model: Model, lists: pd.DataFrame, products: pd.DataFrame | None = None) -> pd.DataFrame:
    """Lists with a reason for every recommendation, as a campaign tool may print it beside the product.

    The first of these that holds is the reason:

    - the customer had bought the product: in how many of their orders, and how long ago. With a model that learns from
      other products which ones follow (EASE, item neighbours, RP3beta) these come first;
    - they had bought products from which the model predicts it: of its weights, the two largest. For other models,
      the two products whose buyers are most like its buyers (cosine);
    - its name is like that of a product they had bought, for content models, and for all where nothing else holds;
    - customers bought it in the weeks before the split date; or ever.

    A product whose score is zero is on the list because it is popular, and so are all that popularity recommends. For
    models whose score is no sum over the customer's products this is evidence, not the computation.

    Parameters
    ----------
    split, model
        That the model was fitted on.
    lists : DataFrame
        As `recommend` returns them; a ValueError names a customer or a product that the split does not have.
    products : DataFrame, optional
        `product_id` and `description` for the names, else ids are named.

    Returns
    -------
    DataFrame
        The lists with a column `reason`.

    Examples
    --------
    >>> from customerlab.analysis.recommend import recommend, split_of
    >>> from customerlab.analysis.recommend.models import PersonalFrequency
    >>> split = split_of([("ann", 9, ["tea", "jam"]), ("ann", 2, ["tea"]), ("bob", 5, ["jam", "tea", "milk"])])
    >>> model = PersonalFrequency().fit(split)
    >>> explained(split, model, recommend(split, model, 3)).head(3)["reason"].tolist()  # doctest: +NORMALIZE_WHITESPACE
    ['bought in 2 of 2 orders, last 2 days ago', 'bought in 1 of 2 orders, last 9 days ago',
     'popular: 1 buyer in the last 28 days']
    """
    row = split.customers.get_indexer(pd.Index(lists["customer_id"]))
    column = split.products.get_indexer(pd.Index(lists["product_id"]))
    if (row < 0).any() or (column < 0).any():
        wrong = lists[(row < 0) | (column < 0)].iloc[0]
        raise ValueError(
            f"the list of a customer has product {wrong['product_id']!r}; expected customers and products of the split"
        )
    names, reason = names_of(split.products, products), _popular(split, column)
    # a product of score zero is where it is because it is popular
    left = np.ones(len(row), dtype=bool) if "score" not in lists else (lists["score"] != 0).to_numpy(copy=True)
    for texts in () if isinstance(model, SAME_FOR_ALL) else _personal(split, model, names, products):
        at = np.flatnonzero(left)
        found = texts(row[at], column[at])
        some = found != ""
        reason[at[some]] = found[some]
        left[at[some]] = False
    return lists.assign(reason=reason)


def _personal(split: Split, model: Model, names: np.ndarray, products: pd.DataFrame | None) -> list[Texts]:
    """Functions of rows and columns to reasons, the first that has one to be taken."""

    def together(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        weights = _cosines(split) if own is None else own
        return _causes(split, row, column, weights, names, ("bought by buyers of ", ""))

    own, habit = _weights(split, model), partial(_habits, split)
    first: list[Texts] = [habit, together] if own is None else [together, habit]
    if isinstance(model, Content):
        return [partial(_alike, split, model, names), habit]
    return first if products is None else [*first, partial(_alike, split, Content(products), names)]


def _alike(split: Split, content: Content, names: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    vectors = content.fit(split).vectors(split.products)
    wanted, of = np.unique(column, return_inverse=True)  # products by products would not fit for a large catalogue
    to_owned = (vectors @ vectors[wanted].T).tocsr()
    return _causes(split, row, of, to_owned, names, ("like ", " by name"), wanted)


def _popular(split: Split, column: np.ndarray) -> np.ndarray:
    recent, ever = split.recent_buyers, split.history.getnnz(axis=0)
    weeks = f" in the last {split.popularity_days} days"
    texts = [
        f"popular: {_many(n, 'buyer')}{weeks}" if n else f"bought by {_many(all_, 'customer')}" if all_ else "new"
        for n, all_ in zip(recent, ever, strict=True)
    ]
    return np.array(texts, dtype=object)[column]


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("s" if number > 1 else "")


def names_of(ids: pd.Index, products: pd.DataFrame | None) -> np.ndarray:
    """What the products are called, shortened; the id where there is no name."""
    names = pd.Series(ids, ids, dtype=object)
    if products is not None:
        known = products.dropna(subset="description").drop_duplicates("product_id").set_index("product_id")
        names = known["description"].astype(object).reindex(ids).fillna(names)
    text = names.astype(str).str.strip()
    return text.where(text.str.len() <= LONG, text.str.slice(0, LONG - 1).str.rstrip() + "…").to_numpy(dtype=object)


def _habits(split: Split, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """In how many of the customer's orders the product is, and how long ago; empty where in none."""
    pairs = pairs_of(split)
    width = len(split.products)
    at = np.searchsorted(pairs.row * width + pairs.column, row * width + column)
    at = np.minimum(at, max(len(pairs.row) - 1, 0))
    found = (pairs.row[at] == row) & (pairs.column[at] == column) if len(pairs.row) else np.zeros(len(row), dtype=bool)
    orders = np.bincount(split.orders.customer, minlength=len(split.customers))
    texts = np.full(len(row), "", dtype=object)
    number, ago = pairs.count[at[found]].astype(int), np.ceil(pairs.last[at[found]]).astype(int)
    texts[found] = [
        f"bought in {n} of {_many(of, 'order')}, last {_many(days, 'day')} ago"
        for n, of, days in zip(number, orders[row[found]], ago, strict=True)
    ]
    return texts


def _weights(split: Split, model: Model) -> Any:
    """Products by products, from which the model predicts each, where it has such weights."""
    shape = (len(split.products), len(split.products))
    own = (getattr(model, name, None) for name in WEIGHTS)
    return next((weights for weights in own if weights is not None and weights.shape == shape), None)


def _cosines(split: Split) -> csr_matrix:
    """How alike the buyers of two products are."""
    owned = split.history.sign()
    unit = owned @ diags(1 / np.sqrt(np.maximum(owned.getnnz(axis=0), 1)))
    return (unit.T @ unit).tocsr()


def _causes(
    split: Split,
    row: np.ndarray,
    column: np.ndarray,
    weights: Any,
    names: np.ndarray,
    words: tuple[str, str],
    products: np.ndarray | None = None,
) -> np.ndarray:
    """Words around the names of the purchased products with the largest weights; empty where none has any.

    `column` is of the weights; where these are of some products only, `products` says which.
    """
    listed = column if products is None else products[column]
    owned = split.history.sign()
    into = weights.T.tocsr() if hasattr(weights, "tocsr") else weights.T
    texts = np.full(len(row), "", dtype=object)
    for begin in range(0, len(row), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        mine = owned[row[part]]
        if isinstance(into, csr_matrix):
            causes = mine.multiply(into[column[part]]).tocoo()
            place, cause, weight = causes.row, causes.col, causes.data
        else:
            place, cause = np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr)), mine.indices
            weight = into[column[part][place], cause]
        real = (weight > 0) & (cause != listed[part][place])
        place, cause, weight = place[real], cause[real], weight[real]
        order = np.lexsort((cause, -weight.round(10), place))
        place, cause = place[order], cause[order]
        rank = np.arange(len(place)) - np.searchsorted(place, place)
        one, two = (np.full(mine.shape[0], -1) for _ in range(CAUSES))
        one[place[rank == 0]], two[place[rank == 1]] = cause[rank == 0], cause[rank == 1]
        named = np.where(two >= 0, names[one] + " and " + names[two], names[one])
        texts[part] = np.where(one >= 0, words[0] + named + words[1], "")
    return texts
