"""Example customers: what they bought, what is recommended to them, and why."""

from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis import disclosure
from customerlab.analysis.recommend.explain import names_of
from customerlab.analysis.recommend.split import Split

COLUMNS = ["customer", "segment", "rank", "bought most often", "orders", "recommended", "reason"]


def examples(
    split: Split,
    lists: pd.DataFrame,
    segments: pd.Series,
    *,
    smallest: int,
    products: pd.DataFrame | None = None,
    customers: int = 3,
    ranks: int = 4,
) -> pd.DataFrame:
    """Typical customers of the largest segments, their most frequent purchases beside their recommendations.

    Of each of the largest segments the customer is shown whose number of different products is nearest to the median
    of the segment (ties by id). Segments with fewer than `smallest` customers, and others that are `disclosure.hidden`
    for their sake, are not used. `split` is what `whole_log` returns, `lists` what `explained` returns, `segments` are
    by customer, and `products`, with `product_id` and `description`, name what else is shown by its id.

    One row per customer and rank, larger segments first: `COLUMNS`, with the customer's own id. `bought most often` and
    `orders` (with the product) are missing where the customer bought fewer different products.
    """
    listed = pd.Index(lists["customer_id"].unique()).sort_values()
    group = segments.reindex(listed).dropna().astype(str)
    sizes = group.value_counts().rename_axis("segment").reset_index()
    shown = sizes[~disclosure.hidden(sizes["count"], smallest)]
    largest = shown.sort_values(["count", "segment"], ascending=[False, True])["segment"].head(customers)
    names, parts = names_of(split.products, products), []
    for segment in largest:
        ids = group.index[group == segment]
        different = pd.Series(split.history[split.customers.get_indexer(ids)].getnnz(axis=1), ids)
        customer = (different - different.median()).abs().idxmin()  # the first of equal ones, by id
        own = lists[lists["customer_id"] == customer].nsmallest(ranks, "rank").reset_index(drop=True)
        parts.append(_example(split, own, names).assign(segment=segment))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _example(split: Split, own: pd.DataFrame, names: np.ndarray) -> pd.DataFrame:
    """The recommendations of one customer, best first, and beside them the products of most orders."""
    bought = split.history[split.customers.get_loc(own["customer_id"][0])].tocoo()
    first = np.lexsort((bought.col, -bought.data))[: len(own)]  # ties by popularity
    beside: dict[str, Any] = {
        "customer": own["customer_id"],
        "bought most often": pd.Series(names[bought.col[first]], dtype="str").reindex(own.index),
        "orders": pd.Series(bought.data[first]).astype("Int64").reindex(own.index),
        "recommended": names[split.products.get_indexer(pd.Index(own["product_id"]))],
    }
    return own.assign(**beside)
