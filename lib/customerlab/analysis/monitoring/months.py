"""Customer-months: orders, last order and net revenue of every customer in every whole month of a log."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.orders import Snapshot, before, fetched

UNITS = 10_000  # money is held in ten-thousandths of the currency, as whole numbers: sums of them are exact
NEVER = np.iinfo("int64").min // 2  # the day number of an order that was not placed


@dataclass(frozen=True, eq=False)
class Months:
    """Customers by whole months, the earliest first.

    Attributes
    ----------
    starts : DatetimeIndex of shape (months,)
        First days of the months.
    customers : Index of shape (customers,)
        Sorted ids of those who ordered in these months.
    orders : array of int of shape (customers, months)
        Days with an order.
    revenue : array of int of shape (customers, months)
        Net revenue in ten-thousandths of the currency. A return counts in the month in which it is dated, unless it
        annuls a line, which then counts in no month, as in `sales.net`.
    last : array of int of shape (customers, months)
        Day of the last order in the month, in days since 1970; `NEVER` without one.
    """

    starts: pd.DatetimeIndex
    customers: pd.Index
    orders: np.ndarray
    revenue: np.ndarray
    last: np.ndarray

    @property
    def ends(self) -> pd.DatetimeIndex:
        """The days after the months: the first days of the following ones."""
        return self.starts + pd.offsets.MonthBegin()

    @property
    def begun(self) -> np.ndarray:
        """The position of each customer's first month with an order, of shape (customers,)."""
        return (self.orders > 0).argmax(axis=1) if self.orders.size else np.zeros(len(self.customers), "int64")

    @property
    def later_orders(self) -> pd.DataFrame:
        """`orders` as a table by customer, missing up to the first month; without customers who have no later month."""
        place = np.arange(self.orders.shape[1])
        table = pd.DataFrame(np.where(place > self.begun[:, None], self.orders, np.nan), index=self.customers)
        return table.dropna(how="all").iloc[:, 1:]


def by_month(shop: Snapshot) -> Months:
    """The months of a log from that of its first order to the last one that had ended on the shop's day.

    The first month may be incomplete. A log that has seen no month end has no months.

    Examples
    --------
    >>> import ibis
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"], "amount": [5.0, 7.0, 9.5],
    ...     "ordered_at": pd.to_datetime(["2024-01-05", "2024-03-11", "2024-02-20"]),
    ... })
    >>> months = by_month(Snapshot(log, pd.Timestamp("2024-04-02")))
    >>> months.orders.tolist(), (months.revenue / UNITS).tolist()
    ([[1, 0, 1], [0, 1, 0]], [[5.0, 0.0, 7.0], [0.0, 9.5, 0.0]])
    """
    end = shop.day.to_period("M").start_time
    lines = before(shop.transactions, end)
    days = lines.select("customer_id", on=lines.ordered_at.date()).distinct()
    days = days.mutate(month=days["on"].truncate("M"))
    counted = fetched(days.group_by("customer_id", "month").aggregate(orders=days.count(), last=days["on"].max()))
    net = sales.net(lines, None if shop.returns is None else before(shop.returns, end))
    net = net.mutate(month=net.ordered_at.date().truncate("M"))
    summed = fetched(net.group_by("customer_id", "month").aggregate(money=net.amount.sum().cast("float64")))
    for table in (counted, summed):
        table["month"] = pd.to_datetime(table["month"])
    customers = pd.Index(np.sort(counted["customer_id"].unique()), name="customer_id")
    starts = (
        pd.date_range(counted["month"].min(), end, freq="MS", inclusive="left")
        if len(counted)
        else pd.DatetimeIndex([])
    )
    shape = len(customers), len(starts)
    orders, revenue, last = np.zeros(shape, "int64"), np.zeros(shape, "int64"), np.full(shape, NEVER)
    place = customers.get_indexer(pd.Index(counted["customer_id"])), starts.get_indexer(pd.Index(counted["month"]))
    orders[place] = counted["orders"]
    last[place] = pd.to_datetime(counted["last"]).to_numpy().astype("datetime64[D]").astype("int64")
    # a return before the log's first order is of a customer, or of a month, that the log does not have
    summed = summed[summed["customer_id"].isin(customers) & summed["month"].isin(starts)]
    place = customers.get_indexer(pd.Index(summed["customer_id"])), starts.get_indexer(pd.Index(summed["month"]))
    revenue[place] = np.rint(summed["money"].to_numpy(dtype=float) * UNITS)
    return Months(starts, customers, orders, revenue, last)
