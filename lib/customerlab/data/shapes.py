"""Shops that keep something else than a log of order lines: totals of orders, returns of their own, sums by customer.

Each is declared like other tables; here stands what must hold of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from customerlab.data.clean import KEPT, RETURN_RULES
from customerlab.data.mapping import TableMap
from customerlab.data.tables import TABLES
from customerlab.errors import DataError

if TYPE_CHECKING:  # the engine takes a second to import; entries are read without it
    import ibis.expr.types as ir

ABOVE, BELOW = "__above__", "__below__"  # whether the money of a return is above or below zero in its file
OF_PRODUCTS = ("product_missing", "product_not_matching")
ENDS = ("last_order_at", "recency")


def check_map(table: str, table_map: TableMap, where: str) -> None:
    """Raise where the columns of a table do not go together, or where a rule needs one that is not mapped."""
    for rule, _ in table_map.clean:
        if rule in OF_PRODUCTS and "product_id" not in table_map.columns:
            raise DataError(
                f"the rule {rule} needs product_id, and no column is mapped to it", where=f"{where}, clean",
                expected="rules for what is mapped", do="remove the rule, or map product_id",
            )  # fmt: skip
    ends = [name for name in ENDS if name in table_map.columns]
    if table == "customer_summary" and len(ends) != 1:
        raise DataError(
            f"{'both' if ends else 'neither'} of last_order_at and recency {'are' if ends else 'is'} mapped",
            where=f"{where}, columns", expected="one of them: the day of the last order, or the days since",
            do="map last_order_at where the file has the day, and recency where it has a number of days alone",
        )  # fmt: skip


def declared_returns(own: TableMap, sold: TableMap | None, where: str) -> TableMap:
    """The map of a shop's own table of returns, which has the columns of its transactions; those it lacks are empty."""
    if sold is None:
        raise DataError(
            "returns are declared without orders", where=where, expected="the table transactions beside it",
            do="map the orders to `transactions`; a log of both is one table, `transactions`, with rules for returns",
        )  # fmt: skip
    twice = next((name for name, _ in sold.clean if name in RETURN_RULES), None)
    if twice:
        raise DataError(
            f"returns are declared, and the rule {twice} of the transactions makes returns, too", where=where,
            expected="one of the two, so that no return counts twice",
            do=f"remove the rule {twice}, or `returns`",
        )  # fmt: skip
    optional = [name for name, column in TABLES["returns"].columns.items() if column.optional]
    more = [name for name in optional if name in own.columns and name not in sold.columns]
    if more:
        raise DataError(
            f"the returns have {' and '.join(more)}, and the transactions have not", where=f"{where}, columns",
            expected="no column that the transactions lack", do=f"map {more[0]} in both tables, or in neither",
        )  # fmt: skip
    return replace(own, absent=tuple(name for name in optional if name in sold.columns and name not in own.columns))


def is_declared(table: str, table_map: TableMap) -> bool:
    """Whether a table is a shop's own table of returns, and not made from the transactions."""
    return table == "returns" and "not_a_return" not in dict(table_map.clean)


def turned(returns: "ir.Table") -> "ir.Table":
    """Returns with money and pieces below zero, whatever the signs in their file; these are kept for `check`."""
    import ibis

    amount, quantity = returns["amount"], returns["quantity"]
    return returns.mutate(
        amount=ibis.cases((amount > 0, -amount), else_=amount),
        quantity=ibis.cases((quantity > 0, -quantity), else_=quantity),
        unit_price=returns["unit_price"].abs(),
        **{ABOVE: amount > 0, BELOW: amount < 0},
    )


def check(
    marked: "ir.Table", table: str, table_map: TableMap, place: Callable[["ir.Table", str | None], str]
) -> Iterator[DataError]:
    """Where the kept rows of a shop's own returns, or of its summary of customers, cannot be what they say."""
    rows = marked.filter(marked.removed_by == KEPT)
    if is_declared(table, table_map):
        found = rows.aggregate(above=rows[ABOVE].sum(), below=rows[BELOW].sum()).to_pandas().fillna(0).iloc[0]
        if found["above"] and found["below"]:
            fewer, sign = (ABOVE, "above") if found["above"] <= found["below"] else (BELOW, "below")
            yield DataError(
                f"the money of {int(found['above']):,} returns is above zero, and that of {int(found['below']):,} below",
                where=f"{place(rows.filter(rows[fewer]), None)}, the first of those {sign}",
                expected="one sign for all returns: money that is paid back, above or below zero",
                do="remove the rows that are no returns by a rule, such as `drop_where`",
            )  # fmt: skip
    if table == "customer_summary":
        yield from _check_summary(rows, table_map, place)


def _check_summary(
    rows: "ir.Table", table_map: TableMap, place: Callable[["ir.Table", str | None], str]
) -> Iterator[DataError]:
    """Where a customer has no order, a part of one, or a first order after the last."""
    whole = "a whole number, at least {}"
    faults: list[tuple[str, Any, str]] = [
        ("orders", (rows.orders < 1) | (rows.orders != rows.orders.floor()), whole.format(1))
    ]
    if "recency" in table_map.columns:
        faults.append(("recency", (rows.recency < 0) | (rows.recency != rows.recency.floor()), whole.format(0)))
    elif "first_order_at" in table_map.columns:
        faults.append(("first_order_at", rows.first_order_at > rows.last_order_at, "a day up to last_order_at"))
    counts = rows.aggregate(**{name: fault.sum() for name, fault, _ in faults}).to_pandas().fillna(0).iloc[0]
    for name, fault, expected in faults:
        if count := int(counts[name]):
            yield DataError(
                f"{name} is not what it should be in {count:,} row{'s' * (count > 1)}",
                where=place(rows.filter(fault), table_map.columns[name].named) + ", the first" * (count > 1),
                expected=expected, do="fix the column map, or remove customers without an order by the rule `drop_where`",
            )  # fmt: skip
