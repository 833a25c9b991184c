"""Products bought together: lift, with an interval clustered by customer."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import norm

from customerlab.analysis.explore.products import described
from customerlab.analysis.inference import LEAST, too_few

MOST = 200  # products that are compared


@dataclass(frozen=True)
class Together:
    """Pairs of products in the same orders.

    Attributes
    ----------
    pairs : DataFrame
        `product_id`, `other_id`, `both` (orders with both), `support` (their share of all orders), `confidence` (share
        of the orders with the first that also have the second), `confidence_back` (the reverse), `lift`, `low`, `high`.
        All pairs that occur, ranked by the lower confidence limit; pairs in fewer than `inference.LEAST` orders have no
        interval and come last.
    orders, products : int
        Orders in the log, and products compared.
    median_lift : float
        Of all pairs that occur; missing without any.
    """

    pairs: pd.DataFrame
    orders: int
    products: int
    median_lift: float

    def listed(self, products: ir.Table | None, n: int) -> pd.DataFrame:
        """The first `n` pairs with an interval, by their descriptions in the table of `products`, for a page."""
        pairs = self.pairs.dropna(subset="low").head(n)
        ids = pd.concat([pairs["product_id"], pairs["other_id"]]).drop_duplicates()
        names = dict(zip(ids, described(ids, products), strict=True))
        return pd.DataFrame(
            {
                "A": pairs["product_id"].map(names),
                "B": pairs["other_id"].map(names),
                "orders with both": pairs["both"],
                "confidence A→B": pairs["confidence"],
                "confidence B→A": pairs["confidence_back"],
                "lift": pairs["lift"],
                "95% CI": [f"{low:,.1f} to {high:,.1f}" for low, high in zip(pairs["low"], pairs["high"], strict=True)],
            }
        )

    @property
    def absent(self) -> str:
        """The sentence for a log in which no pair is in enough orders."""
        return f"Bought together: {too_few(sum(self.pairs['both'].head(1)), 'orders with a pair')}."

    def __repr__(self) -> str:
        return f"Together({len(self.pairs):,} pairs of {self.products} products in {self.orders:,} orders)"


def together(transactions: ir.Table, *, min_orders: int = LEAST) -> Together:
    """Pairs of products that are bought together more often than expected by chance.

    Lift is the share of orders with both products divided by the product of their single shares; 1 is chance. Its 95%
    interval is Wald's on the logarithm, by the delta method, with the variance clustered by customer (Liang and Zeger
    1986), because customers order the same products again. Of n orders n11 have both, n1 and n2 the one and the other;
    of the m orders of a customer d, a and b do, so that each of G customers contributes to log lift

        u = d/n11 - a/n1 - b/n2 + m/n,    and    var(log lift) = G/(G - 1) * sum of u².

    With one order per customer this is 1/n11 - 1/n1 - 1/n2 + 2 lift/n - 1/n (Agresti 2013, Categorical Data Analysis,
    3rd ed., section 16.1), except for G/(G - 1). Pairs are ranked by the lower 95% confidence limit of lift, which
    penalises rare pairs. Intervals are not adjusted for the number of pairs.

    Products in fewer than `min_orders` orders are excluded. Of the others, the `MOST` in the most orders (ties by id)
    are compared, so that the table of pairs stays small.
    """
    t = transactions
    orders = int(t.order_id.nunique().execute())
    counted = t.group_by("product_id").aggregate(orders=t.order_id.nunique())
    counted = counted.filter(counted.orders >= min_orders)
    chosen = counted.order_by([ibis.desc("orders"), ibis.asc("product_id")]).limit(MOST).to_pandas()
    pairs, alone, log = _sums(t, chosen["product_id"].tolist())
    first, second = (alone.loc[pairs[name]].reset_index(drop=True) for name in ("product_id", "other_id"))
    n11, n1, n2, n = pairs["both"], first["orders"], second["orders"], float(max(orders, 1))
    pairs["support"] = n11 / n
    pairs["confidence"], pairs["confidence_back"] = n11 / n1, n11 / n2
    pairs["lift"] = n11 * n / (n1 * n2)
    squares = pairs["dd"] / n11**2 + first["aa"] / n1**2 + second["aa"] / n2**2 + log["mm"] / n**2
    with_both = pairs["dm"] / n - pairs["da"] / n1 - pairs["db"] / n2
    alone_twice = pairs["ab"] / (n1 * n2) - (first["am"] / n1 + second["am"] / n2) / n
    # two products that are in the same orders, and in all of them, have no variance; rounding may leave less than none
    variance = (
        np.maximum(squares + 2 * (with_both / n11 + alone_twice), 0) * log["customers"] / max(log["customers"] - 1, 1)
    )
    half = norm.ppf(0.975) * np.sqrt(variance).where(n11 >= LEAST)
    pairs["low"], pairs["high"] = pairs["lift"] * np.exp(-half), pairs["lift"] * np.exp(half)
    pairs = pairs.sort_values(["low", "both", "product_id", "other_id"], ascending=[False, False, True, True])
    columns = ["product_id", "other_id", "both", "support", "confidence", "confidence_back", "lift", "low", "high"]
    return Together(pairs[columns].reset_index(drop=True), orders, len(chosen), float(pairs["lift"].median()))


def _sums(t: ir.Table, products: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """The counts for lift, and the sums over customers for its variance, all whole numbers.

    An order shared by several customers belongs to the first of them by id.

    Returns
    -------
    (pairs, products, log)
        One row per pair that occurs: `both` and the sums of d², d m, d a, d b, a b; one row per product: `orders` and
        the sums of a², a m; for the log `customers` and the sum of m².
    """
    owned = t.group_by("order_id").aggregate(customer=t.customer_id.min())
    busy = owned.group_by("customer").aggregate(m=owned.count())
    log = busy.aggregate(customers=busy.count(), mm=(busy.m * busy.m).sum()).to_pandas().astype(float).fillna(0).iloc[0]
    one = t.filter(t.product_id.isin(products)) if products else t.limit(0)
    one = one.select("order_id", "product_id").distinct().inner_join(owned, "order_id")
    each = one.group_by("customer", "product_id").aggregate(a=one.count())
    each = each.inner_join(busy, "customer")
    alone = each.group_by("product_id").aggregate(
        orders=each.a.sum(), aa=(each.a * each.a).sum(), am=(each.a * each.m).sum()
    )
    other = each.select("customer", other_id=each.product_id, b=each.a)
    second = one.select("order_id", other_id=one.product_id)
    met = one.inner_join(second, ["order_id", one.product_id < second.other_id])
    met = met.group_by("customer", "product_id", "other_id").aggregate(d=met.count())
    # every pair of products that a customer bought, in one order or in several
    owns = each.inner_join(other, ["customer", each.product_id < other.other_id])
    both = owns.left_join(met, ["customer", "product_id", "other_id"])
    both = both.select("product_id", "other_id", "a", "b", "m", d=both.d.fill_null(0))
    pairs = both.group_by("product_id", "other_id").aggregate(
        both=both.d.sum(), dd=(both.d * both.d).sum(), dm=(both.d * both.m).sum(), da=(both.d * both.a).sum(),
        db=(both.d * both.b).sum(), ab=(both.a * both.b).sum(),
    )  # fmt: skip
    table = pairs.filter(pairs.both > 0).to_pandas().sort_values(["product_id", "other_id"], ignore_index=True)
    return table, alone.to_pandas().set_index("product_id").astype(float), log
