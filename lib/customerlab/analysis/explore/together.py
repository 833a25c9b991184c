"""Products that are bought together: lift with its interval."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import norm


@dataclass(frozen=True)
class Together:
    """Pairs of products in the same orders.

    Attributes
    ----------
    pairs : DataFrame
        `product_id`, `other_id`, `both` (orders with the two), `support` (their share of all orders), `confidence`
        (share of the orders with the first that have the second, too), `confidence_back` (the other way round),
        `lift`, `low`, `high`. All pairs that occur, those first whose lift is surely high.
    orders : int
        All orders of the log.
    products : int
        How many products were compared with one another.
    median_lift : float
        Of all pairs of these products that occur together, for comparison; empty where none does.
    """

    pairs: pd.DataFrame
    orders: int
    products: int
    median_lift: float

    def __repr__(self) -> str:
        return f"Together({len(self.pairs):,} pairs of {self.products} products in {self.orders:,} orders)"


def together(transactions: ir.Table, *, min_orders: int = 20, most: int = 200, confidence: float = 0.95) -> Together:
    """Which products are bought together more often than chance would have it?

    Lift is the share of orders with both products over the product of their single shares; 1 is chance. Its interval
    is Wald's on the logarithm, by the delta method on the four multinomial counts of the pair's table (Agresti 2013,
    Categorical Data Analysis, 3rd ed., section 16.1): with n11 orders that have both, n1 and n2 that have the one and
    the other, of n,

        var(log lift) = 1/n11 - 1/n1 - 1/n2 + 2 lift/n - 1/n.

    Pairs are ranked by the lower end, so that one chance meeting of two rare products does not come first. The interval
    takes orders as independent and is one pair's own: it is not adjusted for the number of pairs.

    Parameters
    ----------
    transactions : ibis Table
    min_orders : int
        Products in fewer orders are left out.
    most : int
        Only so many products, those in the most orders (ties by id), are compared, so that the table of pairs stays
        small whatever the size of the log.
    confidence : float
        Of each interval.
    """
    t = transactions
    orders = int(t.order_id.nunique().execute())
    counted = t.group_by("product_id").aggregate(orders=t.order_id.nunique())
    counted = counted.filter(counted.orders >= min_orders)
    chosen = counted.order_by([ibis.desc("orders"), ibis.asc("product_id")]).limit(most).to_pandas()
    one = t.filter(t.product_id.isin(chosen["product_id"].tolist())) if len(chosen) else t.limit(0)
    one = one.select("order_id", "product_id").distinct()
    two = one.select("order_id", other_id=one.product_id)
    met = one.inner_join(two, ["order_id", one.product_id < two.other_id])
    pairs = met.group_by("product_id", "other_id").aggregate(both=met.count()).to_pandas()
    alone = chosen.set_index("product_id")["orders"]
    first, second = (pairs[name].map(alone).astype(float) for name in ("product_id", "other_id"))
    pairs["support"] = pairs["both"] / orders
    pairs["confidence"], pairs["confidence_back"] = pairs["both"] / first, pairs["both"] / second
    pairs["lift"], pairs["low"], pairs["high"] = lift(pairs["both"], first, second, orders, confidence=confidence)
    pairs = pairs.sort_values(["low", "both", "product_id", "other_id"], ascending=[False, False, True, True])
    return Together(pairs.reset_index(drop=True), orders, len(chosen), float(pairs["lift"].median()))


def lift(both: pd.Series, first: pd.Series, second: pd.Series, orders: int, *, confidence: float = 0.95) -> tuple:
    """Lift and its interval, from counts of orders; `together` says how.

    Parameters
    ----------
    both, first, second : Series
        Orders with both products, with the first and with the second; above zero.
    orders : int
        All orders.

    Returns
    -------
    (lift, low, high)

    Examples
    --------
    >>> [round(float(x), 2) for x in lift(30, 100, 100, 1000)]
    [3.0, 2.3, 3.91]
    """
    value = both * orders / (first * second)
    variance = 1 / both - 1 / first - 1 / second + (2 * value - 1) / orders
    # two products that are in the same orders, and in all of them, have no variance; rounding may leave less than none
    half = norm.ppf((1 + confidence) / 2) * np.sqrt(np.maximum(variance, 0))
    return value, value * np.exp(-half), value * np.exp(half)
