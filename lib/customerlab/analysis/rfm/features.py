"""Recency, frequency, monetary value, tenure and days between orders of each customer on a day."""

import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.orders import Snapshot, day_after


def features(
    transactions: ir.Table,
    as_of: pd.Timestamp | str | None = None,
    *,
    returns: ir.Table | None = None,
    net: bool = False,
) -> pd.DataFrame:
    """Recency, frequency and monetary value of every customer, as `Snapshot.customers` returns it.

    Orders before `as_of` count, by default the day after the last order.

    Examples
    --------
    >>> import ibis
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> features(log)[["customer_id", "recency", "frequency", "monetary", "days_between_orders"]].values.tolist()
    [['ann', 21, 2, 12.0, 10.0], ['bob', 1, 1, 9.0, nan]]
    """
    day = day_after(transactions) if as_of is None else pd.Timestamp(as_of)
    return Snapshot(transactions, day, returns).customers(net=net)
