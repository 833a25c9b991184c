"""What the simulated shop is calibrated to: measures of an order log, real or simulated."""

import ibis
import numpy as np
import pandas as pd

from customerlab.analysis import rfm, sales

DAYS = 90  # in which customers come back, the last of the log


def gini(values):
    values = np.sort(np.asarray(values, dtype=float))
    return 2 * (np.arange(1, len(values) + 1) * values).sum() / (len(values) * values.sum()) - 1 - 1 / len(values)


def came_back(orders):
    """Share of each RFM segment, formed `DAYS` before the end, that ordered until the end."""
    cut = orders["ordered_at"].max().normalize() + pd.Timedelta(days=1 - DAYS)
    before, after = orders[orders["ordered_at"] < cut], orders[orders["ordered_at"] >= cut]
    grouped = before.groupby("customer_id")
    table = pd.DataFrame(
        {
            "recency": (cut - grouped["ordered_at"].max().dt.normalize()).dt.days,
            "frequency": grouped.size(),
            "monetary": grouped["amount"].sum(),
        }
    ).reset_index()
    table = rfm.segment(rfm.score(table))
    back = table["customer_id"].isin(after["customer_id"])
    return pd.concat([back.groupby(table["segment"]).mean(), pd.Series({"all": back.mean()})])


def measured(sold, back):
    """The measures of a log.

    Parameters
    ----------
    sold, back : DataFrame
        Lines of sales and of returns, with `customer_id`, `order_id`, `ordered_at`, `product_id`, `quantity`,
        `unit_price`; quantities of returns are below zero.
    """
    sold, back = (t.assign(amount=t["quantity"] * t["unit_price"]) for t in (sold, back))
    by_order = sold.groupby("order_id")
    orders = by_order.agg(
        customer_id=("customer_id", "first"), ordered_at=("ordered_at", "min"), amount=("amount", "sum"),
        products=("product_id", "nunique"),
    )  # fmt: skip
    grouped = orders.groupby("customer_id")
    number, money = grouped.size(), grouped["amount"].sum().sort_values(ascending=False)
    days = orders["ordered_at"].dt.normalize()
    gaps = days.sort_values().groupby(orders["customer_id"]).diff().dt.days
    gaps = gaps[gaps > 0]
    span = pd.Series(pd.date_range(days.min(), days.max())).dt.month.value_counts()
    daily = (orders["ordered_at"].dt.month.value_counts() / span).sort_index()
    products = sold.groupby("product_id").agg(orders=("order_id", "nunique"), money=("amount", "sum"))
    best = products["money"].sort_values(ascending=False).iloc[: int(np.ceil(0.2 * len(products)))]
    first = sold.sort_values("ordered_at").drop_duplicates(["customer_id", "product_id"])
    pairs = sold.drop_duplicates(["order_id", "product_id"])
    returned = -back.groupby("product_id")["amount"].sum().sort_values()
    tables = [
        ibis.memtable(t[["customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price", "amount"]])
        for t in (sold, back)
    ]
    void = sales.annulled(*tables).to_pandas()
    returning = came_back(orders)
    return {
        "orders per customer, mean": number.mean(),
        "orders per customer, median": number.median(),
        "customers who order once": (number == 1).mean(),
        "money per customer, mean": money.mean(),
        "money per customer, median": money.median(),
        "money of the top fifth of customers": money.iloc[: int(np.ceil(0.2 * len(money)))].sum() / money.sum(),
        "orders in November, against the mean": daily[11] / daily.mean(),
        "days between orders, mean": gaps.mean(),
        "gaps of at most 30 days": (gaps <= 30).mean(),
        "came back in 90 days, Champions": returning["Champions"],
        "came back in 90 days, At risk": returning["At risk"],
        "came back in 90 days, Cannot lose": returning["Cannot lose"],
        "came back in 90 days, Hibernating": returning["Hibernating"],
        "came back in 90 days, all": returning["all"],
        "Gini of products by orders": gini(products["orders"]),
        "money of the top fifth of products": best.sum() / sold["amount"].sum(),
        "lines bought before by the customer": 1 - len(first) / len(pairs),
        "lines that are returned": len(back) / len(sold),
        "returned money": -back["amount"].sum() / sold["amount"].sum(),
        "returns of the top ten products": returned.iloc[:10].sum() / returned.sum(),
        "customers with a return": back["customer_id"].nunique() / len(number),
        "annulled lines": len(void) / len(sold),
        "annulled lines' money": void["amount"].sum() / sold["amount"].sum(),
        "largest order, share of money": orders["amount"].max() / orders["amount"].sum(),
        "products sold": len(products),
        "products an order, mean": orders["products"].mean(),
        "products an order, median": orders["products"].median(),
    }
