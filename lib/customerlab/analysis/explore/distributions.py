"""How values are spread: quantiles, histograms and empirical distributions, all computed in the engine."""

from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.explore.trading import exact_sum


def baskets(transactions: ir.Table) -> ir.Table:
    """One row an order: `value` (money), `products` (different ones) and `pieces`.

    Still an expression: a log may hold more orders than memory does.
    """
    t = transactions
    return t.group_by("order_id").aggregate(
        value=t.amount.sum().cast("float64"), products=t.product_id.nunique(), pieces=exact_sum(t.quantity)
    )


def customers(transactions: ir.Table, returns: ir.Table | None = None) -> ir.Table:
    """One row a customer: `orders`, `revenue` (net), `gross`, `products` (different ones, as ordered).

    Without returns net revenue is gross revenue. Still an expression.
    """
    t = transactions
    each = t.group_by("customer_id").aggregate(
        orders=t.order_id.nunique(), exact=t.amount.sum(), products=t.product_id.nunique()
    )
    each = with_returned(each, returns)
    return each.select(
        "customer_id",
        orders=each.orders,
        revenue=(each.exact - each.returned).cast("float64"),
        gross=each.exact.cast("float64"),
        products=each.products,
    )


def with_returned(each: ir.Table, returns: ir.Table | None) -> ir.Table:
    """A table with a row a customer, and what each has `returned`: money, not below zero."""
    if returns is None:
        return each.mutate(returned=ibis.literal(0))
    back = returns.group_by("customer_id").aggregate(back=-returns.amount.sum())
    each = each.left_join(back, "customer_id").drop("customer_id_right")
    return each.mutate(returned=each.back.fill_null(0)).drop("back")


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def spread(table: ir.Table, columns: list[str]) -> pd.DataFrame:
    """Mean and quantiles of some numeric columns, computed in the engine.

    Returns
    -------
    DataFrame
        One row a column: `measure`, `mean`, `5%`, `25%`, `median`, `75%`, `95%`, `largest`. Quantiles are
        interpolated linearly between the neighbouring values.
    """
    measures = {}
    for place, name in enumerate(columns):
        column = table[name].cast("float64")
        # The mean as sum over count, with the sum exact to four decimals whatever the order of rows.
        measures[f"total{place}"] = column.round(4).cast("decimal(38, 4)").sum().cast("float64")
        measures[f"n{place}"], measures[f"largest{place}"] = column.count(), column.max()
        measures |= {f"q{place}_{i}": column.quantile(q) for i, q in enumerate(QUANTILES)}
    found = table.aggregate(**measures).to_pandas().iloc[0]
    rows = []
    for place, name in enumerate(columns):
        quantiles = {
            ("median" if q == 0.5 else f"{q:.0%}".replace("%", " %")): found[f"q{place}_{i}"]
            for i, q in enumerate(QUANTILES)
        }
        mean = found[f"total{place}"] / found[f"n{place}"]
        rows.append({"measure": name, "mean": mean, **quantiles, "largest": found[f"largest{place}"]})
    return pd.DataFrame(rows)


def log_histogram(table: ir.Table, column: str, per_decade: int = 10) -> pd.DataFrame:
    """Counts in bins of equal width on a logarithmic scale, computed in the engine.

    Values that are not above zero have no logarithm and are left out. For whole numbers take `cumulative`: bins that
    hold different numbers of them show peaks that are not there.

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


def whole_histogram(table: ir.Table, column: str, bars: int = 40) -> pd.DataFrame:
    """Counts of a whole number in bins that hold equally many whole numbers, with one last bin for the long tail.

    Numbers below 1 are left out; there are at most `bars` bins up to the 95% quantile, and one for all above.

    Returns
    -------
    DataFrame
        `low` (the smallest number of the bin), `high` (the smallest of the next; infinite in the last row where that
        is the long tail) and `count`; bins without a value are included.

    Examples
    --------
    >>> import ibis
    >>> whole_histogram(ibis.memtable({"orders": [1, 1, 3] + [2] * 20 + [900]}), "orders")["count"].tolist()
    [2, 20, 1, 1]
    """
    value = table[column].cast("float64")
    some = table.filter(value >= 1)
    value = some[column].cast("float64")
    edge = some.aggregate(low=value.min(), usual=value.quantile(0.95), largest=value.max()).to_pandas().iloc[0]
    if np.isnan(edge["low"]):
        return pd.DataFrame({"low": [], "high": [], "count": []})
    low, usual = int(np.floor(edge["low"])), int(np.ceil(edge["usual"]))
    width = max(1, -(-(usual - low + 1) // bars))
    bins = (usual - low) // width + 1
    place = ((value - low) / width).floor().cast("int64")
    counted = some.group_by(bin=ibis.least(place, bins)).aggregate(count=some.count()).to_pandas()
    counts = counted.set_index("bin")["count"].reindex(range(bins + 1), fill_value=0).to_numpy()
    edges = np.append(low + width * np.arange(bins + 1.0), np.inf)
    result = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts})
    return result if counts[-1] else result[:-1]


def cumulative(table: ir.Table, column: str) -> pd.DataFrame:
    """The empirical distribution of a whole number, computed in the engine.

    Returns
    -------
    DataFrame
        `value` (rising, those that occur), `count` and `share`, the share of rows with at most this value.
    """
    counted = table.group_by(value=table[column]).aggregate(count=table.count()).order_by("value").to_pandas()
    counted["share"] = counted["count"].cumsum() / counted["count"].sum()
    return counted


def log_cumulative(table: ir.Table, column: str) -> pd.DataFrame:
    """The empirical distribution of money, at edges of equal distance on a logarithmic scale, computed in the engine.

    Returns
    -------
    DataFrame
        `value` (an edge), `count` of the rows between it and the edge before, and `share`, of all rows that lie below
        the edge; rows that are not above zero count in every share.
    """
    bins = log_histogram(table, column, per_decade=50)
    every = int(table.count().execute())
    share = (every - bins["count"].sum() + bins["count"].cumsum()) / every
    return pd.DataFrame({"value": bins["high"], "count": bins["count"], "share": share})


def distribution(table: ir.Table, column: str, name: str, *, whole: bool = False, smallest: int = 1) -> dict[str, Any]:
    """What a figure of one distribution needs, of money or of a whole number, whose histogram is not logarithmic.

    Returns
    -------
    dict
        `name`; `spread`, the quantiles by name; `bars`, a histogram without bars of fewer than `smallest` rows;
        `steps`, the empirical distribution.
    """
    bars, steps = (whole_histogram, cumulative) if whole else (log_histogram, log_cumulative)
    quantiles = spread(table, [column]).set_index("measure").loc[column]
    shown = bars(table, column)
    shown["count"] = shown["count"].where(shown["count"] >= smallest, 0)
    return {"name": name, "spread": quantiles, "bars": shown, "steps": steps(table, column)}
