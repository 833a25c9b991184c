"""What customers did in a period: features of the period alone, which do not change just because a log grows."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.clustering.features import customer_features
from customerlab.analysis.inference import enough
from customerlab.analysis.orders import Snapshot, before, fetched, since

NAMES = {
    "frequency": "orders", "monetary": "revenue", "basket_value": "average order value",
    "basket_products": "products per order", "returned_share": "returned share", "weekend_share": "weekend share",
    "recency": "days since last order",
}  # fmt: skip
"""Features of `customer_features` and how pages name them."""

FIRST = "first order in the period"


def period(shop: Snapshot, begin: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """The customers who ordered from `begin` to the day before `end`, and what they did in these days alone.

    Returns
    -------
    DataFrame
        Sorted by `customer_id`: that, those of `NAMES` that the log has, and whether the first order of all is in the
        period. Revenue is net of the returns dated in the period. Without rows where nobody ordered.

    Examples
    --------
    >>> import ibis
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"], "amount": [5.0, 7.0, 9.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-06", "2024-02-11", "2024-02-20"]),
    ... })
    >>> begin, end = pd.Timestamp("2024-02-01"), pd.Timestamp("2024-03-01")
    >>> found = period(Snapshot(log, end), begin, end)
    >>> found[["customer_id", "orders", "revenue", "first order in the period"]].values.tolist()
    [['ann', 1, 7.0, False], ['bob', 1, 9.0, True]]
    """
    returns = None if shop.returns is None else since(shop.returns, begin)
    own = replace(shop, transactions=since(shop.transactions, begin), day=end, returns=returns, products=None)
    names = [name for name in NAMES if name != "basket_products" or "product_id" in shop.transactions.columns]
    names = [name for name in names if name != "returned_share" or shop.returns is not None]
    columns = ["customer_id", *(NAMES[name] for name in names)]
    if not _any(own):
        empty = pd.DataFrame(columns=[*columns, FIRST])
        return empty.astype(dict.fromkeys(columns[1:], "float64") | {FIRST: "bool"})
    table = customer_features(own, names=names, net=shop.returns is not None).set_axis(columns, axis=1)
    first = shop.at(end).customers().set_index("customer_id")["first_order"]
    return table.assign(**{FIRST: table["customer_id"].map(first) >= begin})


def _any(shop: Snapshot) -> bool:
    return bool(fetched(shop.known.aggregate(lines=shop.known.count()))["lines"].iloc[0])


def turnover(shop: Snapshot, known: pd.Timestamp, begin: pd.Timestamp) -> dict[str, float]:
    """How much of what customers bought since `begin` was not on sale by `known`: a list made then cannot hold it.

    Returns
    -------
    dict
        `customers` who ordered, `products` (different ones), `new` (of these, first sold from `known` on), `share` of
        new ones among customers' products, each customer's products counting once, and `low` and `high`, its 95%
        interval clustered by customer; missing where not `enough` customers ordered.
    """
    lines = before(shop.transactions, shop.day)
    firsts = lines.group_by("product_id").aggregate(since=lines.ordered_at.min())
    pairs = since(lines, begin).select("customer_id", "product_id").distinct().inner_join(firsts, "product_id")
    pairs = pairs.mutate(new=(pairs.since >= known).cast("int64"))
    counted = pairs.group_by("customer_id").aggregate(products=pairs.count(), new=pairs.new.sum())
    table = fetched(counted).sort_values("customer_id", ignore_index=True)
    of = pairs.select("product_id", "new").distinct()
    every = fetched(of.aggregate(products=of.count(), new=of.new.sum())).iloc[0]
    found = {"customers": float(len(table)), "products": float(every["products"] or 0), "new": float(every["new"] or 0)}
    if not enough(len(table)):
        return found | dict.fromkeys(("share", "low", "high"), np.nan)
    share = table["new"].sum() / table["products"].sum()
    away = table["new"] - share * table["products"]
    error = float(np.sqrt((away**2).sum() * len(table) / (len(table) - 1)) / table["products"].sum())
    reach = stats.norm.ppf(0.975) * error
    return found | {"share": float(share), "low": float(share - reach), "high": float(share + reach)}
