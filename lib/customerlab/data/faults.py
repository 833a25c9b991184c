"""What is wrong with the rows of a table, all of it told at once, and their accounting where nothing is."""

from collections.abc import Iterator

import ibis.expr.types as ir

from customerlab.data import canonical, clean, contacts, decisions, shapes
from customerlab.data.hidden import NUMBER
from customerlab.data.mapping import TableMap
from customerlab.data.tables import TABLES
from customerlab.errors import DataError, raise_all


def accounted(
    marked: ir.Table,
    found: canonical.Survey,
    table: str,
    table_map: TableMap,
    where: str,
    place: canonical.Place,
    faults: list[DataError],
) -> tuple[canonical.Steps, ir.Table]:
    """The row accounting and the rows that are kept; an error with all faults, those known before among them."""
    faults = [*faults, *check_filled(marked, found, table, table_map, place)]
    faults += canonical.check_currency(marked, found, table_map, place)
    faults += shapes.check(marked, table, table_map, place)
    faults += LOGS[table].check(marked, table_map, place) if table in LOGS else ()
    # where values cannot be read, rules may remove what they would keep
    steps = [] if faults else canonical.row_accounting(found, table, table_map, where)
    rows = canonical.kept(marked, table, table_map.events)
    raise_all([*faults, *canonical.check_whole(marked, found, rows, table, table_map, where, place)])
    return steps, rows


LOGS = {"messages": contacts, "decisions": decisions}
"""Tables of which more is asked than that values can be read; each module has `check` and `ask`."""
MISSING = {
    "customer_id": "customer_missing", "product_id": "product_missing", "ordered_at": "date_missing",
    "order_id": "order_missing", "quantity": "quantity_missing", "unit_price": "price_missing", "amount": "price_missing",
}  # fmt: skip
"""The rules that remove rows where a column is empty."""


def _unfilled(marked: ir.Table, found: canonical.Survey, table_map: TableMap) -> set[str]:
    """Columns of which it is said elsewhere why they are not filled: not read, or money that follows from others."""
    money = [name for name in ("quantity", "unit_price", "amount") if name in marked.columns]
    stated = {name for name in money if name in table_map.columns and table_map.columns[name].stated}
    unread = set(found.unread())
    lost = {name for name in stated if found.of_kept(f"filled_{name}") < found.of_kept("rows")}
    if lost or any(name.startswith(NUMBER) for name in unread):
        unread |= {*money} - stated
    return unread


def check_filled(
    marked: ir.Table, found: canonical.Survey, table: str, table_map: TableMap, place: canonical.Place
) -> Iterator[DataError]:
    """Where a value is empty that is needed in every row that is kept; what cannot be read is another fault."""
    known = _unfilled(marked, found, table_map)
    for name in canonical.values_of(marked):
        column = TABLES[table].column(name)
        count = int(found.of_kept("rows") - found.of_kept(f"filled_{name}"))
        if column is None or column.nullable or not count or name in known or name in table_map.absent:
            continue
        empty = marked.filter((marked.removed_by == clean.KEPT) & marked[name].isnull())
        rows = f"{count:,} row{'s' if count > 1 else ''}"
        mapped = table_map.columns.get(name) or table_map.columns["amount"]  # of which the price follows
        what, expected = f"{name} is empty in {rows}", "a value in every row"
        do = "fill the values in" + (f", or those of {', '.join(mapped.times)}" if mapped.times else "")
        if name == "unit_price" and name not in table_map.columns:
            if found.of_kept("filled_amount") < found.of_kept("rows"):
                continue  # the amount is empty there
            what, expected = f"quantity is 0 in {rows} with an amount, which have no price", "pieces in every row"
            do = "leave `quantity` out of the column map, which makes each line one piece"
        rule = MISSING.get(name)
        hint = f"add the rule `{rule}` to `clean`, or " if rule and table in clean.RULES[rule].tables else ""
        if table in LOGS and not hint and mapped.column:  # drafts and messages that failed have no time
            hint = f"add `{{drop_where: {{column: {mapped.column}, empty: true}}}}` to `clean`, or "
        yield DataError(
            what,
            where=place(empty, mapped.named) + (", the first" if count > 1 else ""),
            expected=expected,
            do=hint + do,
        )
