"""Returns: money returned by month, by product and by customer.

The table of returns has the columns of the transactions, with negative quantity and amount. A return annuls an earlier
line of the same customer, product and quantity (`sales.annulled`). Others cannot be matched with a line; only their
sums are compared.
"""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.explore.periods import calendar, first_of, number_of
from customerlab.analysis.explore.products import described
from customerlab.analysis.explore.trading import by_month, exact_sum


def returns_by_month(transactions: ir.Table, returns: ir.Table, every: str = "month") -> pd.DataFrame:
    """Money returned by month of the return, compared with the sales of the same month.

    `every` is another unit of time, as in `by_month`.

    Returns
    -------
    DataFrame
        `month`, `revenue` (sales), `returned` (money, above zero), `share` of the month's revenue (missing without
        sales; above 1 if returns exceed sales), `partial`. All months of sales and returns, and those between them.
    """
    groups = returns.group_by(month=number_of(returns.ordered_at, every))
    counted = groups.aggregate(returned=(-returns.amount.sum()).cast("float64")).to_pandas()
    counted.index = first_of(counted.pop("month"), every)
    sold = by_month(transactions, every=every).set_index("month")[["revenue", "partial"]]
    both = sold.join(counted, how="outer")
    both = both.reindex(calendar(both.index.min(), both.index.max(), every).index)
    both["partial"] = both["partial"].astype("boolean").fillna(True).astype(bool)  # outside the span of the sales
    both[["revenue", "returned"]] = both[["revenue", "returned"]].fillna(0.0)
    both["share"] = both["returned"] / both["revenue"].where(both["revenue"] > 0)
    return both.reset_index()[["month", "revenue", "returned", "share", "partial"]]


def most_returned(transactions: ir.Table, returns: ir.Table, products: ir.Table | None, n: int = 10) -> pd.DataFrame:
    """The products with the highest returns in money; returns that name no product count in the shares alone.

    Returns
    -------
    DataFrame
        `product_id`, `description`, `returned` (money), `share` of the table's returns, `of_sales` (as a share of the
        product's revenue; missing without any), `pieces`, `customers` and `largest` (the largest line's share of the
        product's returns). Ties are broken by id.
    """
    r, t = returns.filter(~returns.product_id.isnull()), transactions
    taken = r.group_by("product_id").aggregate(
        returned=-r.amount.sum(), pieces=-exact_sum(r.quantity), customers=r.customer_id.nunique(), line=-r.amount.min()
    )
    table = taken.order_by([ibis.desc("returned"), ibis.asc("product_id")]).limit(n).to_pandas()
    ids = table["product_id"].tolist()
    sold = t.filter(t.product_id.isin(ids)).group_by("product_id").aggregate(revenue=t.amount.sum().cast("float64"))
    revenue = table["product_id"].map(sold.to_pandas().set_index("product_id")["revenue"]).astype(float)
    table["returned"] = table["returned"].astype(float)
    total = float(returns.amount.sum().execute() or 0)
    table["share"] = table["returned"] / (-total if total < 0 else float("nan"))
    table["of_sales"] = table["returned"] / revenue.where(revenue > 0)
    table["largest"] = table["line"].astype(float) / table["returned"]
    table["description"] = described(table["product_id"], products)
    return table[["product_id", "description", "returned", "share", "of_sales", "pieces", "customers", "largest"]]


def returns_summary(transactions: ir.Table, returns: ir.Table) -> pd.Series:
    """Totals of returns: customers, lines, money, and the largest lines.

    Returns
    -------
    Series
        `customers` (with sales), `returning` (of these, with returns), `only_returns` (customers with returns but no
        sale in the log), `lines`, `annulling` (lines that annul a sale), `annulled` (money of these sales), `returned`
        (money), `of_revenue` (its share of gross revenue; missing if that is not above zero), `largest_lines` (the
        share of returned money in the ten largest lines) and `largest` (in the largest line).
    """
    r, t = returns, transactions
    bought = t.select("customer_id").distinct()
    brought = r.select("customer_id").distinct()
    revenue, returned = float(t.amount.sum().execute()), float(-r.amount.sum().execute())
    void = sales.annulled(t, r)
    void = void.aggregate(lines=void.count(), money=void.amount.sum().cast("float64")).to_pandas().fillna(0).iloc[0]
    ten = r.order_by(r.amount.asc()).limit(10)
    returning = int(brought.semi_join(bought, "customer_id").count().execute())
    return pd.Series(
        {
            "customers": int(bought.count().execute()),
            "returning": returning,
            "only_returns": int(brought.count().execute()) - returning,
            "lines": int(r.count().execute()),
            "annulling": int(void["lines"]),
            "annulled": float(void["money"]),
            "returned": returned,
            "of_revenue": returned / revenue if revenue > 0 else float("nan"),
            "largest_lines": float(-ten.amount.sum().execute()) / returned,
            "largest": float(-r.amount.min().execute()) / returned,
        },
        dtype=object,
    )
