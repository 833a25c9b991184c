"""What a log of orders says about a shop: trading over time, baskets, customers, products.

Every function takes canonical tables as Ibis expressions, aggregates in the engine and returns a small pandas table.
Money is summed as exact decimals, so that neither the order of rows nor the engine changes a cent.
"""

import calendar

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

WEEKDAYS = tuple(calendar.day_name)  # Monday first


def totals(transactions: ir.Table) -> pd.Series:
    """The size of a log.

    Returns
    -------
    Series
        `lines`, `orders`, `customers`, `products`, `revenue`, `first`, `last`.
    """
    t = transactions
    row = t.aggregate(
        lines=t.count(),
        orders=t.order_id.nunique(),
        customers=t.customer_id.nunique(),
        products=t.product_id.nunique(),
        revenue=t.amount.sum().cast("float64"),
        first=t.ordered_at.min(),
        last=t.ordered_at.max(),
    ).to_pandas()
    return row.iloc[0]


def matching(transactions: ir.Table, pattern: str) -> ir.Table:
    """The lines whose product id matches a regular expression, to leave out postage and fees; all where it is empty."""
    return transactions.filter(transactions.product_id.re_search(pattern)) if pattern else transactions


def by_month(transactions: ir.Table) -> pd.DataFrame:
    """Trading by calendar month, months without an order included.

    Returns
    -------
    DataFrame
        `month` (its first day), `revenue`, `orders`, `customers`, `days` (days of the month that the log spans) and
        `partial` (true where the log begins or ends within the month, so that its sums are not those of a month).
    """
    t = transactions
    counted = (
        t.group_by(year=t.ordered_at.year(), number=t.ordered_at.month())
        .aggregate(
            revenue=t.amount.sum().cast("float64"), orders=t.order_id.nunique(), customers=t.customer_id.nunique()
        )
        .to_pandas()
    )
    span = totals(t)
    first, last = pd.Timestamp(span["first"]).normalize(), pd.Timestamp(span["last"]).normalize()
    counted["month"] = pd.to_datetime({"year": counted["year"], "month": counted["number"], "day": 1})
    months = pd.date_range(first.replace(day=1), last, freq="MS")
    result = counted.set_index("month")[["revenue", "orders", "customers"]].reindex(months, fill_value=0)
    result = result.rename_axis("month").reset_index()
    begin, end = result["month"], result["month"] + pd.offsets.MonthEnd(0)
    result["days"] = (end.clip(upper=last) - begin.clip(lower=first)).dt.days + 1
    result["partial"] = result["days"] < end.dt.days_in_month
    return result


def by_weekday_hour(transactions: ir.Table) -> dict[str, pd.DataFrame]:
    """Orders and revenue by weekday and hour.

    Returns
    -------
    dict of str to DataFrame
        `orders` and `revenue`, each seven rows, Monday first, by 24 columns, hour 0 to 23; zero where nothing was sold.
    """
    t = transactions
    counted = (
        t.group_by(weekday=t.ordered_at.day_of_week.index(), hour=t.ordered_at.hour())
        .aggregate(orders=t.order_id.nunique(), revenue=t.amount.sum().cast("float64"))
        .to_pandas()
    )
    grids = {}
    for measure in ("orders", "revenue"):
        grid = counted.pivot(index="weekday", columns="hour", values=measure)
        grid = grid.reindex(index=range(7), columns=range(24)).fillna(0)
        grid.index = pd.Index(WEEKDAYS, name="weekday")
        grids[measure] = grid.rename_axis(columns="hour")
    return grids


def baskets(transactions: ir.Table) -> ir.Table:
    """One row an order: `value` (money), `products` (different ones) and `pieces`.

    Still an expression: a log may hold more orders than memory does.
    """
    t = transactions
    return t.group_by("order_id").aggregate(
        value=t.amount.sum().cast("float64"), products=t.product_id.nunique(), pieces=t.quantity.sum()
    )


def customers(transactions: ir.Table) -> ir.Table:
    """One row a customer: `orders`, `revenue`, `products` (different ones). Still an expression."""
    t = transactions
    return t.group_by("customer_id").aggregate(
        orders=t.order_id.nunique(), revenue=t.amount.sum().cast("float64"), products=t.product_id.nunique()
    )


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def spread(table: ir.Table, columns: list[str]) -> pd.DataFrame:
    """Mean and quantiles of some columns, computed in the engine.

    Parameters
    ----------
    table : ibis Table
    columns : list of str
        Numeric columns.

    Returns
    -------
    DataFrame
        One row a column: `measure`, `mean`, `5 %`, `25 %`, `median`, `75 %`, `95 %`, `largest`. Quantiles are
        interpolated linearly between the neighbouring values.
    """
    rows = []
    for name in columns:
        column = table[name].cast("float64")
        # The mean as sum over count, with the sum exact to four decimals whatever the order of rows.
        aggregated = table.aggregate(
            total=column.round(4).cast("decimal(38, 4)").sum().cast("float64"),
            n=column.count(),
            largest=column.max(),
            **{f"q{i}": column.quantile(q) for i, q in enumerate(QUANTILES)},
        )
        row = aggregated.to_pandas().iloc[0]
        quantiles = {
            ("median" if q == 0.5 else f"{q:.0%}".replace("%", " %")): row[f"q{i}"] for i, q in enumerate(QUANTILES)
        }
        rows.append({"measure": name, "mean": row["total"] / row["n"], **quantiles, "largest": row["largest"]})
    return pd.DataFrame(rows)


def log_histogram(table: ir.Table, column: str, per_decade: int = 10) -> pd.DataFrame:
    """Counts in bins of equal width on a logarithmic scale, computed in the engine.

    Parameters
    ----------
    table : ibis Table
    column : str
        Numeric; values that are not above zero have no logarithm and are left out. For whole numbers take
        `cumulative`: bins that hold different numbers of them show peaks that are not there.
    per_decade : int
        Bins between one power of ten and the next.

    Returns
    -------
    DataFrame
        `low`, `high` (edges of the bin, in units of the column) and `count`; bins without a value are included.
    """
    positive = table.filter(table[column] > 0)
    # a hair is added so that a value on an edge, such as 100, does not fall below it by rounding
    place = (positive[column].cast("float64").log10() * per_decade + 1e-9).floor().cast("int64")
    counted = positive.group_by(bin=place).aggregate(count=positive.count()).to_pandas().set_index("bin")["count"]
    if counted.empty:
        return pd.DataFrame({"low": [], "high": [], "count": []})
    bins = np.arange(counted.index.min(), counted.index.max() + 1)
    edges = 10 ** (np.append(bins, bins[-1] + 1) / per_decade)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counted.reindex(bins, fill_value=0).to_numpy()})


def cumulative(table: ir.Table, column: str) -> pd.DataFrame:
    """The empirical distribution of a whole number, computed in the engine.

    Parameters
    ----------
    table : ibis Table
    column : str
        Whole numbers.

    Returns
    -------
    DataFrame
        `value` (rising, those that occur), `count` and `share`, the share of rows with at most this value.

    Examples
    --------
    >>> import ibis
    >>> cumulative(ibis.memtable({"orders": [1, 1, 2, 5]}), "orders")["share"].tolist()
    [0.5, 0.75, 1.0]
    """
    counted = table.group_by(value=table[column]).aggregate(count=table.count()).order_by("value").to_pandas()
    counted["share"] = counted["count"].cumsum() / counted["count"].sum()
    return counted


def top_products(transactions: ir.Table, products: ir.Table | None, n: int = 10) -> pd.DataFrame:
    """The products that bring the most money.

    Parameters
    ----------
    transactions : ibis Table
    products : ibis Table or None
        For the descriptions; without it, or where it lacks a product, the id stands for it.
    n : int
        How many; ties are broken by the product's id.

    Returns
    -------
    DataFrame
        `product_id`, `description`, `revenue`, `share` of the revenue of all these transactions, `pieces`, `orders`,
        `customers`.
    """
    t = transactions
    counted = (
        t.group_by("product_id")
        .aggregate(
            revenue=t.amount.sum(),
            pieces=t.quantity.sum(),
            orders=t.order_id.nunique(),
            customers=t.customer_id.nunique(),
        )
        .order_by([ibis.desc("revenue"), ibis.asc("product_id")])
        .limit(n)
        .to_pandas()
    )
    counted["revenue"] = counted["revenue"].astype(float)
    counted["share"] = counted["revenue"] / totals(t)["revenue"]
    counted["description"] = counted["product_id"]
    if products is not None:
        names = products.filter(products.product_id.isin(counted["product_id"].tolist())).to_pandas()
        found = counted["product_id"].map(names.set_index("product_id")["description"])
        counted["description"] = found.fillna(counted["product_id"])
    return counted[["product_id", "description", "revenue", "share", "pieces", "orders", "customers"]]
