"""The log of orders as known on a day, which every method starts from. All tables are canonical."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales

COLUMNS = [
    "customer_id", "first_order", "last_order", "recency", "frequency", "monetary", "returned", "tenure",
    "days_between_orders",
]  # fmt: skip


def first_order(transactions: ir.Table) -> pd.Timestamp:
    """When the first order was placed."""
    return pd.Timestamp(transactions.aggregate(first=transactions.ordered_at.min()).to_pandas()["first"].iloc[0])


def day_after(transactions: ir.Table) -> pd.Timestamp:
    """The day after the last order: the as-of date for which the whole log is known."""
    last = transactions.aggregate(last=transactions.ordered_at.max()).to_pandas()["last"].iloc[0]
    return pd.Timestamp(last).normalize() + pd.Timedelta(days=1)


def before(table: ir.Table, day: pd.Timestamp) -> ir.Table:
    """The rows before `day`."""
    return table.filter(table.ordered_at < ibis.timestamp(day.isoformat()))


def since(table: ir.Table, day: pd.Timestamp) -> ir.Table:
    """The rows from `day` on."""
    return table.filter(table.ordered_at >= ibis.timestamp(day.isoformat()))


def matching(lines: ir.Table | None, pattern: str) -> ir.Table | None:
    """The lines whose product id matches a regular expression, to exclude postage and fees; all if it is empty.

    ValueError if the lines have no product ids to match.
    """
    if pattern and lines is not None and "product_id" not in lines.columns:
        raise ValueError(f"product_pattern {pattern!r}, but the orders name no products; leave the parameter out")
    return lines.filter(lines.product_id.re_search(pattern)) if pattern and lines is not None else lines


def fetched(table: ir.Table) -> pd.DataFrame:
    """The rows of an expression, through Arrow: for millions of rows ten times faster than Ibis's own `to_pandas`."""
    return table.to_pyarrow().to_pandas()


def by_customer(transactions: ir.Table) -> ir.Table:
    """One row per customer: `first_order`, `last_order` (times), `frequency` (orders), `monetary` (gross).

    An expression. It groups by customer and order first: counting distinct orders in one step would hold a set of
    orders for each customer in memory.
    """
    t = transactions
    orders = t.group_by("customer_id", "order_id").aggregate(
        begun=t.ordered_at.min(), ended=t.ordered_at.max(), amount=t.amount.sum()
    )
    return orders.group_by("customer_id").aggregate(
        first_order=orders.begun.min(),
        last_order=orders.ended.max(),
        frequency=orders.count(),
        monetary=orders.amount.sum().cast("float64"),
    )


def by_customer_and_day(transactions: ir.Table, days: Sequence[pd.Timestamp]) -> ir.Table:
    """As `by_customer`, for several days in rising order, from the rows before each day, in one pass over the log.

    `place` is the position of the day, from 0. An expression.
    """
    t = _dated(transactions, days)
    # an order that spans a day is known in part then; it counts once, with its first part
    parts = t.group_by("customer_id", "order_id", "since").aggregate(
        begun=t.ordered_at.min(), ended=t.ordered_at.max(), amount=t.amount.sum()
    )
    whole = ibis.window(group_by=["customer_id", "order_id"])
    parts = parts.mutate(new=(parts.since == parts.since.min().over(whole)).cast("int64"))
    each = parts.group_by("customer_id", "since").aggregate(
        begun=parts.begun.min(), ended=parts.ended.max(), new=parts.new.sum(), amount=parts.amount.sum()
    )
    known = _known_on(each, days)
    return known.group_by("place", "customer_id").aggregate(
        first_order=known.begun.min(),
        last_order=known.ended.max(),
        frequency=known.new.sum().cast("int64"),
        monetary=known.amount.sum().cast("float64"),
    )


def _dated(table: ir.Table, days: Sequence[pd.Timestamp]) -> ir.Table:
    """The rows before the last day, each with the position of the first day on which it is known."""
    begun = [(table.ordered_at >= ibis.timestamp(day.isoformat())).cast("int64") for day in days]
    return before(table.mutate(since=sum(begun[1:], begun[0])), days[-1])


def _known_on(table: ir.Table, days: Sequence[pd.Timestamp]) -> ir.Table:
    """Rows with a position `since`, repeated for each day on which they are known."""
    places = ibis.memtable({"place": list(range(len(days)))}, schema={"place": "int64"})
    return table.inner_join(places, table.since <= places.place)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A shop as known on a day. Its customers are aggregated once for all methods.

    Attributes
    ----------
    day : Timestamp
        Orders before this day count, orders on it do not.
    returns : ibis Table or None
        Those before the day count.

    Examples
    --------
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> shop = Snapshot(log, pd.Timestamp("2024-02-01"))
    >>> shop.customers()[["customer_id", "recency", "frequency", "monetary"]].values.tolist()
    [['ann', 21, 2, 12.0], ['bob', 1, 1, 9.0]]
    >>> shop.at(pd.Timestamp("2024-01-11")).customers()[["customer_id", "recency", "frequency"]].values.tolist()
    [['ann', 10, 1]]
    """

    transactions: ir.Table
    day: pd.Timestamp
    returns: ir.Table | None = None
    products: ir.Table | None = None
    summarised = False  # the orders of each customer are known by date
    untested = ""  # why prediction cannot be tested
    money = "gross"  # what revenue is that is not net of returns
    unknown = ()  # features that need what a shop does not have: a log has what is needed

    def __post_init__(self) -> None:
        object.__setattr__(self, "day", pd.Timestamp(self.day).normalize())

    @property
    def when(self) -> str:
        """The day as sentences name it."""
        return f"{self.day:%Y-%m-%d}"

    def at(self, day: pd.Timestamp) -> "Snapshot":
        """The same shop on another day."""
        return replace(self, day=day)

    def at_all(self, days: Sequence[pd.Timestamp]) -> list["Snapshot"]:
        """The same shop on several days, in their order, with customers aggregated in one query."""
        shops = [self.at(day) for day in days]
        rising = sorted({shop.day for shop in shops})
        if len(rising) > 1:
            found = fetched(by_customer_and_day(self.transactions, rising))
            back = None if self.returns is None else fetched(_returned(self.returns, rising))
            for shop in shops:
                place = rising.index(shop.day)
                table = found[found["place"] == place]
                if len(table):  # not one before the first order
                    vars(shop)["_gross"] = finished(
                        table, shop.day, None if back is None else back[back["place"] == place]
                    )
        return shops

    @property
    def known(self) -> ir.Table:
        """The order lines from before the day."""
        return before(self.transactions, self.day)

    def customers(self, *, net: bool = False) -> pd.DataFrame:
        """Recency, frequency and monetary value of each customer; ValueError if there is no order before the day.

        Parameters
        ----------
        net : bool
            Whether the monetary value is net of returns; it can then be negative.

        Returns
        -------
        DataFrame
            Sorted by `customer_id`: `first_order`, `last_order` (days), `recency` (whole days since the last order,
            at least 1), `frequency` (orders), `monetary` (revenue, gross or net), `returned` (money of
            returns, not below zero), `tenure` (whole days since the first order) and `days_between_orders` (days from
            the first to the last order, divided by the orders after the first; missing for customers with one order).
        """
        table = self._gross.copy()
        if net:
            table["monetary"] = (table["monetary"] - table["returned"]).round(4)
        return table

    @cached_property
    def _gross(self) -> pd.DataFrame:
        table = fetched(by_customer(self.known))
        if table.empty:
            raise ValueError(f"no order was placed before as_of = {self.day:%Y-%m-%d}; choose a later day")
        return finished(table, self.day, None if self.returns is None else fetched(_returned(self.returns, [self.day])))


def finished(table: pd.DataFrame, day: pd.Timestamp, returned: pd.DataFrame | None = None) -> pd.DataFrame:
    """The features on a day, from the sums of each customer and the money of each customer's returns."""
    # sorted here: engines do not agree on the order of texts
    table = table.sort_values("customer_id", ignore_index=True)
    for name in ("first_order", "last_order"):
        table[name] = pd.to_datetime(table[name]).dt.normalize()
    table["frequency"] = table["frequency"].astype("int64")
    table["recency"] = (day - table["last_order"]).dt.days
    table["tenure"] = (day - table["first_order"]).dt.days
    active = table["tenure"] - table["recency"]
    table["days_between_orders"] = (active / (table["frequency"] - 1)).where(table["frequency"] > 1)
    table["returned"] = 0.0
    if returned is not None:
        # minus nothing would be shown as -0
        table["returned"] -= table["customer_id"].map(returned.set_index("customer_id")["money"]).fillna(0.0)
    return table[COLUMNS]


@dataclass(frozen=True, eq=False)
class Summary:
    """Customers that come already summarised, one row each, in place of a `Snapshot` where a shop has no log of orders.

    What they had done on other days is not known: no segment can be validated, and no feature made of single orders.

    Attributes
    ----------
    table : ibis Table
        The canonical `customer_summary`.
    as_of : Timestamp or str or None
        The day of the summary: where it has the days of last orders, the day after the last of them by default;
        where it has numbers of days alone, the day up to which they count, by default unknown.

    Examples
    --------
    >>> rows = {"customer_id": ["ann", "bob"], "recency": [21.0, 1.0], "orders": [2.0, 1.0], "revenue": [12.0, 9.0]}
    >>> shop = Summary(ibis.memtable(rows))
    >>> shop.customers()[["customer_id", "recency", "frequency", "monetary"]].values.tolist()
    [['ann', 21, 2, 12.0], ['bob', 1, 1, 9.0]]
    >>> shop.day, Summary(ibis.memtable(rows), "2024-02-01").customers()["last_order"].astype(str).tolist()
    (NaT, ['2024-01-11', '2024-01-31'])
    """

    table: ir.Table
    as_of: pd.Timestamp | str | None = None
    summarised = True
    untested = "customers come already summarised, so what they did later is not known"
    money = "recorded"  # maybe net of returns, maybe gross
    returns = None
    products = None

    @cached_property
    def _rows(self) -> pd.DataFrame:
        return fetched(self.table).sort_values("customer_id", ignore_index=True)

    @cached_property
    def day(self) -> pd.Timestamp:
        """The day of the summary; NaT where nothing says it. ValueError where customers ordered on it or later."""
        day: Any = pd.Timestamp(self.as_of).normalize() if self.as_of else pd.NaT
        if "last_order_at" not in self._rows:
            return day
        after = pd.Timestamp(self._rows["last_order_at"].max()).normalize() + pd.Timedelta(days=1)
        if day < after:
            raise ValueError(
                f"as_of = {day:%Y-%m-%d}, and customers ordered up to {after - pd.Timedelta(days=1):%Y-%m-%d}; what they had done "
                f"earlier a summary does not say: choose {after:%Y-%m-%d} or later"
            )
        return after if pd.isna(day) else day

    @property
    def when(self) -> str:
        """The day as sentences name it, known or not."""
        return "the summary's day" if pd.isna(self.day) else f"{self.day:%Y-%m-%d}"

    @property
    def known(self) -> ir.Table:
        """Customers with their revenue as an `amount`."""
        return self.table.mutate(amount=self.table.revenue)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The features of customers that need more than the summary has: those of the first order."""
        return ("tenure", "days_per_order") * bool(self._tenure.isna().any())

    @cached_property
    def _tenure(self) -> pd.Series:
        rows = self._rows
        first = pd.to_datetime(rows["first_order_at"]) if "first_order_at" in rows else pd.Series(pd.NaT, rows.index)
        tenure = (self.day - first.dt.normalize()).dt.days
        return tenure if tenure.isna().any() else tenure.astype("int64")

    def customers(self, *, net: bool = False) -> pd.DataFrame:
        """The columns of `Snapshot.customers`, as far as they are known; revenue is that of the summary, `net` or not.

        Days of first and last orders, `tenure` and `days_between_orders` are missing where the summary does not say.
        """
        rows, tenure = self._rows, self._tenure
        table = rows[["customer_id"]].copy()
        if "recency" in rows:
            table["recency"] = rows["recency"].astype("int64")
        else:
            table["recency"] = (self.day - pd.to_datetime(rows["last_order_at"]).dt.normalize()).dt.days
        today = pd.Series(self.day, rows.index, dtype="datetime64[us]")
        for name, since in (("first_order", tenure), ("last_order", table["recency"])):
            table[name] = today - pd.to_timedelta(since, "D")
        table["frequency"], table["tenure"] = rows["orders"].astype("int64"), tenure
        table["monetary"], table["returned"] = rows["revenue"].round(4), 0.0
        active = (tenure - table["recency"]) / (table["frequency"] - 1)
        table["days_between_orders"] = active.where(table["frequency"] > 1)
        return table[COLUMNS]


Shop = Snapshot | Summary


def known(
    as_of: pd.Timestamp | str,
    transactions: ir.Table | None,
    summary: ir.Table | None = None,
    *,
    returns: ir.Table | None = None,
    products: ir.Table | None = None,
) -> Shop:
    """A shop as known on a day, from its orders or else from its summary of customers.

    Without a day (empty, or NaT) it is the day after the last order, and that of the summary.
    """
    if transactions is not None:
        day = as_of if as_of and not pd.isna(as_of) else day_after(transactions)
        return Snapshot(transactions, pd.Timestamp(day), returns, products)
    if summary is None:
        raise ValueError("there are neither orders nor a summary of customers")
    return Summary(summary, None if pd.isna(as_of) else as_of)


def _returned(returns: ir.Table, days: Sequence[pd.Timestamp]) -> ir.Table:
    """The money of each customer's returns, below zero, before each of several days."""
    t = _dated(returns, days)
    known = _known_on(t.group_by("customer_id", "since").aggregate(amount=t.amount.sum()), days)
    return known.group_by("place", "customer_id").aggregate(money=known.amount.sum().cast("float64"))


def later(
    transactions: ir.Table,
    customers: pd.Series,
    begin: pd.Timestamp,
    end: pd.Timestamp,
    *,
    returns: ir.Table | None = None,
) -> pd.DataFrame:
    """Outcomes of customers from the day `begin` to the day before `end`.

    Returns
    -------
    DataFrame
        One row for each of `customers`, in their order: `customer_id`, `orders` (placed), `gross` (gross revenue),
        `money` (revenue net of the returns before `end`, as dated by `sales.net`; negative if returns exceed purchases)
        and `came_back` (whether the customer ordered). All are zero for customers without an order.
    """
    known = before(transactions, end)
    found = fetched(by_customer(since(known, begin))).set_index("customer_id")
    result = pd.DataFrame({"customer_id": customers.to_numpy()})
    result["orders"] = result["customer_id"].map(found["frequency"]).fillna(0).astype("int64")
    result["gross"] = result["customer_id"].map(found["monetary"]).fillna(0.0)
    result["money"] = result["gross"]
    if returns is not None:
        money = since(sales.net(known, before(returns, end)), begin).group_by("customer_id")
        summed = fetched(money.aggregate(money=lambda t: t.amount.sum().cast("float64"))).set_index("customer_id")
        result["money"] = result["customer_id"].map(summed["money"]).fillna(0.0)
    result["came_back"] = result["orders"] > 0
    return result
