"""Customer features brought up to date from new rows alone, equal to the full computation to the last digit.

What `orders.Snapshot.customers` makes of a whole log is kept as a small state: of each customer the first and the last
order, the number of orders and exact sums of money, and the ids of all orders, so that later lines of an order do not
count it again. These are least and greatest values and sums of decimals, so it does not matter how a log is split.
Money has to be exact decimals, as in the canonical tables: sums of floats depend on their order.
"""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.orders import Snapshot, before, fetched, finished

MONEY = "decimal(38, 4)"  # of sums; an amount has 18 digits
PAIR = ["customer_id", "order_id"]


@dataclass(frozen=True, eq=False)
class State:
    """What the features of customers need of all rows before a day: two tables that only grow.

    Write them to parquet, and what each day adds (`added`) as one more file into the folder of each.

    Attributes
    ----------
    customers : ibis Table
        One row or more per customer, which are added up: `customer_id`, `first_order`, `last_order` (times),
        `frequency` (orders), `monetary` (gross), `returned` (money of returns, below zero; both decimals). Who only
        returned has no order.
    orders : ibis Table
        `customer_id` and `order_id` of each order.
    day : Timestamp
        All rows are before this day.
    """

    customers: ir.Table
    orders: ir.Table
    day: pd.Timestamp


def begin(shop: Snapshot) -> State:
    """The state of a shop as it was known on its day, from its whole log. Expressions: nothing is computed yet.

    Examples
    --------
    >>> def lines(customers, orders, days, money):
    ...     return ibis.memtable({
    ...         "customer_id": customers, "order_id": orders, "ordered_at": pd.to_datetime(days), "amount": money,
    ...     }).mutate(amount=ibis._.amount.cast("decimal(18, 4)"))
    >>> log = lines(["ann", "bob"], ["1", "2"], ["2024-01-01", "2024-01-31"], [5.0, 9.0])
    >>> state = begin(Snapshot(log, pd.Timestamp("2024-02-01")))
    >>> new = lines(["ann", "eve", "eve"], ["3", "4", "4"], ["2024-02-01"] * 3, [7.0, 1.0, 2.0])
    >>> state = advanced(state, new)
    >>> features(state, "2024-02-02")[["customer_id", "recency", "frequency", "monetary"]].values.tolist()
    [['ann', 1, 2, 12.0], ['bob', 2, 1, 9.0], ['eve', 1, 1, 3.0]]
    """
    returns = None if shop.returns is None else before(shop.returns, shop.day)
    orders = shop.known.select(PAIR).distinct()
    return State(_rows(shop.known, orders, returns), orders, shop.day)


def added(state: State, transactions: ir.Table, returns: ir.Table | None = None, *, late: bool = False) -> State:
    """What the rows of one or more whole days add to a state; it is as small as they are.

    Parameters
    ----------
    transactions, returns : ibis Table
        The new rows alone, in any order, in the engine of the state. There may be none of either.
    late : bool
        Whether rows from before the state's day are new, too, such as orders that were entered late. Without it they
        are refused, and so is a day that is added twice; with it, a row that the state has would count again.

    Returns
    -------
    State
        Its day is the day after the last row, and not before that of the state. The orders that the state does not
        have are looked up at once, and stay in memory.

    Raises
    ------
    ValueError
        If a row is from before the state's day and `late` is false.
    """
    ends = _ends(transactions, returns)
    if ends and min(ends) < state.day and not late:
        raise ValueError(
            f"new rows begin on {min(ends):%Y-%m-%d}, and the state has the days before {state.day:%Y-%m-%d}: leave out "
            "what it has, or pass late=True if these rows came late"
        )
    asked = transactions.select(PAIR).distinct()
    # few ids among many: first by one of them, which is faster than by both
    alike = state.orders.semi_join(asked.select("order_id").distinct(), "order_id")
    # one chunk: Ibis hands a table to Spark through pandas, and Spark takes no column of several
    new = ibis.memtable(asked.anti_join(alike, PAIR).to_pyarrow().combine_chunks(), schema=asked.schema())
    day = max([state.day, *(end.normalize() + pd.Timedelta(days=1) for end in ends)])
    return State(_rows(transactions, new, returns), new, day)


def advanced(state: State, transactions: ir.Table, returns: ir.Table | None = None, *, late: bool = False) -> State:
    """The state and what new rows add to it, as in `added`."""
    more = added(state, transactions, returns, late=late)
    return State(state.customers.union(more.customers), state.orders.union(more.orders), more.day)


def features(state: State, day: pd.Timestamp | str, among: State | None = None) -> pd.DataFrame:
    """The table of `Snapshot.customers` on a day, of all rows that went into a state.

    With `among`, what new rows have `added`, only their customers: of the others only `recency` and `tenure` change,
    by the days that pass. ValueError if the state may have rows of the day or later, or has no order.
    """
    shop = Snapshot(state.customers, pd.Timestamp(day))
    if shop.day < state.day:
        raise ValueError(f"the state has the days before {state.day:%Y-%m-%d}; choose that day or a later one")
    rows = state.customers if among is None else state.customers.semi_join(among.customers, "customer_id")
    summed = _summed(rows).filter(lambda t: t.frequency > 0)
    money = {name: summed[name].cast("float64") for name in ("monetary", "returned")}
    table = fetched(summed.mutate(**money)).sort_values("customer_id", ignore_index=True)
    if table.empty and among is None:
        raise ValueError(f"no order was placed before as_of = {shop.when}; choose a later day")
    found = finished(table, shop.day)
    found["returned"] -= table["returned"].fillna(0.0)
    return found


def _ends(*tables: ir.Table | None) -> list[pd.Timestamp]:
    """The first and the last time in some tables; nothing where they are empty."""
    times = ibis.union(*(table.select("ordered_at") for table in tables if table is not None))
    row = fetched(times.aggregate(first=times.ordered_at.min(), last=times.ordered_at.max())).iloc[0]
    return [pd.Timestamp(end) for end in row.dropna()]


def _rows(lines: ir.Table, orders: ir.Table, returns: ir.Table | None) -> ir.Table:
    """One row per customer of `State.customers`: times and money of lines, a number of orders, money of returns."""
    time = lines.ordered_at.type()
    kinds = {"first_order": time, "last_order": time, "frequency": "int64", "monetary": MONEY, "returned": MONEY}

    def of(t: ir.Table, **own: ir.Value) -> ir.Table:
        return t.select("customer_id", **{name: own.get(name, ibis.null()).cast(kind) for name, kind in kinds.items()})

    parts = [
        of(lines, first_order=lines.ordered_at, last_order=lines.ordered_at, monetary=lines.amount),
        of(orders, frequency=ibis.literal(1)),
    ]
    return _summed(ibis.union(*parts, *([] if returns is None else [of(returns, returned=returns.amount)])))


def _summed(t: ir.Table) -> ir.Table:
    """Rows of `State.customers` added up to one per customer."""
    return t.group_by("customer_id").aggregate(
        first_order=t.first_order.min(),
        last_order=t.last_order.max(),
        # whole numbers as floats: DuckDB's sum of integers has 128 bits, which parquet has not
        frequency=t.frequency.fill_null(0).cast("float64").sum().cast("int64"),
        monetary=t.monetary.sum().cast(MONEY),
        returned=t.returned.sum().cast(MONEY),
    )
