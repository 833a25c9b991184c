"""What the customers of each cluster buy, next to all customers."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.clustering.labelled import noise_last
from customerlab.analysis.clustering.models import NOISE
from customerlab.analysis.described import Described
from customerlab.analysis.disclosure import hidden_cells
from customerlab.analysis.explore.products import described
from customerlab.analysis.orders import Shop, Summary, before, fetched


def purchases(
    shop: Shop | Described, clusters: pd.DataFrame, *, pattern: str = "", most: int = 4, smallest: int = 1
) -> pd.DataFrame:
    """Share of each cluster's revenue by product category, or by product where no product has a category.

    The log is aggregated in the engine. Order lines that a return annuls do not count.

    Parameters
    ----------
    shop : Snapshot, Summary or Described
        Its products are optional; without them products are named by their ids.
    clusters : DataFrame
        `customer_id` and `cluster`, as `Segmentation.assign` returns them; other customers do not count.
    pattern : str
        Regular expression for product ids, to leave out postage and fees.
    most : int
        The rows are the categories, or products, with the highest share in each cluster: so many per cluster.
    smallest : int
        Shares of fewer buyers are missing, and others from which they could be derived (`disclosure.hidden`).

    Returns
    -------
    DataFrame
        One row per category or product, by falling share of all customers' revenue, ties by name: `category` or
        `product`, `all customers`, then `cluster 1`, `cluster 2` and so on, and `noise` where there is any. Last,
        `largest customer`: the highest share of one customer in the revenue behind any of these shares of clusters.
        Empty where the orders name no products.
    """
    if isinstance(shop, Summary | Described) or "product_id" not in shop.transactions.columns:
        return pd.DataFrame()
    lines = sales.kept(shop.known, None if shop.returns is None else before(shop.returns, shop.day))
    lines = lines.filter(lines.product_id.re_search(pattern)) if pattern else lines
    categories = _categories(shop.products)
    if categories is None:
        lines = lines.mutate(part=lines.product_id)
    else:
        lines = lines.left_join(categories, "product_id").mutate(part=lambda t: ibis.coalesce(t.category, "(none)"))
    lines = lines.inner_join(ibis.memtable(clusters[["customer_id", "cluster"]]), "customer_id")
    each = lines.group_by("cluster", "part", "customer_id").aggregate(money=lines.amount.sum())
    sums = each.group_by("cluster", "part").aggregate(
        money=each.money.sum().cast("float64"), most=each.money.max().cast("float64"), buyers=each.count()
    )
    found = fetched(sums).sort_values(["part", "cluster"])
    money, top, buyers = (
        found.pivot(index="part", columns="cluster", values=name).fillna(0) for name in ("money", "most", "buyers")
    )
    total = money.sum(axis=1)
    few = hidden_cells(buyers, smallest)
    shares = money.div(money.sum().where(money.sum() > 0)).mask(few)
    largest = top.div(money.where(money > 0)).mask(few).max(axis=1)
    shown = {
        part
        for _, own in shares.items()
        for part in own[own > 0].sort_values(ascending=False, kind="stable").index[:most]
    }
    table = noise_last(shares.T).set_index("cluster").T
    table.columns = ["noise" if number == NOISE else f"cluster {number}" for number in table.columns]
    table.insert(0, "all customers", total / total.sum())
    table["largest customer"] = largest
    table = table.loc[sorted(shown)].sort_values("all customers", ascending=False, kind="stable").reset_index()
    if categories is not None:
        return table.rename(columns={"part": "category"})
    return table.assign(part=described(table["part"], shop.products)).rename(columns={"part": "product"})


def _categories(products: ir.Table | None) -> ir.Table | None:
    """The categories of products; None where no product has one."""
    if products is None or "category" not in products.columns:
        return None
    known = products.filter(~products.category.isnull()).select("product_id", "category")
    return known if known.count().execute() else None
