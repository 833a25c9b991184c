"""Distributions: quantiles and histograms, computed in the engine."""

from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.explore.trading import exact_sum, products_of


def baskets(transactions: ir.Table) -> ir.Table:
    """One row per order: `value` (money), `products` (different ones, where the log names any) and `pieces`.

    An expression: a log may have more orders than fit into memory.
    """
    t = transactions
    money, pieces = t.amount.sum().cast("float64"), exact_sum(t.quantity)
    return t.group_by("order_id").aggregate(value=money, **products_of(t), pieces=pieces)


def customers(transactions: ir.Table, returns: ir.Table | None = None) -> ir.Table:
    """One row per customer: `orders`, `revenue` (net), `gross`, `products` (different ones, where the log names any).

    Without returns net revenue is gross revenue. An expression.
    """
    t = transactions
    named = products_of(t)
    each = t.group_by("customer_id").aggregate(orders=t.order_id.nunique(), exact=t.amount.sum(), **named)
    each = with_returned(each, returns)
    return each.select(
        "customer_id",
        orders=each.orders,
        revenue=(each.exact - each.returned).cast("float64"),
        gross=each.exact.cast("float64"),
        **{name: each[name] for name in named},
    )


def with_returned(each: ir.Table, returns: ir.Table | None) -> ir.Table:
    """A table with one row per customer, and the money that each has `returned`, not below zero."""
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
        One row per column: `measure`, `mean`, `5%`, `25%`, `median`, `75%`, `95%`, `largest`. Quantiles are
        interpolated linearly.
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
        names = ["median" if q == 0.5 else f"{q:.0%}" for q in QUANTILES]
        quantiles = {q: found[f"q{place}_{i}"] for i, q in enumerate(names)}
        mean = found[f"total{place}"] / found[f"n{place}"]
        rows.append({"measure": name, "mean": mean, **quantiles, "largest": found[f"largest{place}"]})
    return pd.DataFrame(rows)


def log_histogram(table: ir.Table, column: str, per_decade: int = 10) -> pd.DataFrame:
    """Counts in bins of equal width on a logarithmic scale, computed in the engine.

    Values that are not above zero are omitted. Use `whole_histogram` for whole numbers: bins with different numbers of
    them show spurious peaks.

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
    """Counts of a whole number in bins of equal width, with one last bin for the long tail.

    Numbers below 1 are omitted; there are at most `bars` bins up to the 95% quantile, and one for all above.

    Returns
    -------
    DataFrame
        `low` (the smallest number of the bin), `high` (the smallest of the next; infinite for the long tail) and
        `count`; empty bins are included.

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


def distribution(table: ir.Table, column: str, name: str, *, whole: bool = False, smallest: int = 1) -> dict[str, Any]:
    """The distribution of money, or of a `whole` number, for a figure.

    Returns
    -------
    dict
        `name`; `spread`, the quantiles by name; `bars`, a histogram without bars of fewer than `smallest` rows, on a
        logarithmic scale for money.
    """
    bars = whole_histogram if whole else log_histogram
    quantiles = spread(table, [column]).set_index("measure").loc[column]
    shown = bars(table, column)
    shown["count"] = shown["count"].where(shown["count"] >= smallest, 0)
    return {"name": name, "spread": quantiles, "bars": shown}
