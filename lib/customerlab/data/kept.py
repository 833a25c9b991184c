"""The rows that cleaning keeps: counted, checked as a whole, and one a product; the same for files and for engines."""

from typing import Any

import ibis
import ibis.expr.types as ir

from customerlab.data import clean, read
from customerlab.data.tables import TABLES
from customerlab.errors import DataError

Steps = list[dict[str, Any]]


def ladder_report(marked: ir.Table, table: str, rules: tuple[tuple[str, dict[str, Any]], ...], where: str) -> Steps:
    """What each cleaning rule removed from the rows that `clean.ladder` has marked.

    Raises
    ------
    DataError
        If no row is left of a table that cannot be empty.
    """
    money = {}
    if "amount" in marked.columns:
        money = {"amount": marked.amount.sum(), "sales": marked.amount.sum(where=marked.amount > 0)}
    counted = marked.group_by("removed_by").aggregate(rows=marked.count(), **money).to_pandas()
    steps = clean.report(counted, rules)
    if not steps[-1]["rows_left"] and not TABLES[table].made_from:  # a shop may have no returns
        raise DataError(
            f"no row of the {table} table is left", where=where, expected="at least one row",
            do="look at the cleaning rules: " + "; ".join(f"{s['why']} −{s['rows_removed']:,}" for s in steps[1:]),
        )  # fmt: skip
    return steps


def kept(marked: ir.Table, table: str) -> ir.Table:
    """The rows that no rule removed; of products one each, with the most frequent of its descriptions and categories.

    Empty values do not count; where several are as frequent, the first in the alphabet is kept.
    """
    rows = marked.filter(marked.removed_by == clean.KEPT).drop("removed_by")
    if table != "products":
        return rows
    # ranks, and not an aggregation that knows an order, which Spark has not
    result = rows.select("product_id").distinct()
    for name in rows.columns[1:]:
        known = rows.filter(~rows[name].isnull())
        counted = known.group_by("product_id", name).aggregate(times=known.count())
        rank = ibis.row_number().over(
            ibis.window(group_by="product_id", order_by=[counted.times.desc(), counted[name].asc()])
        )
        best = counted.mutate(rank=rank).filter(lambda t: t["rank"] == 0).select("product_id", name)
        result = result.left_join(best, "product_id").drop("product_id_right")
    return result


def merged(steps: Steps, rows: int) -> Steps:
    """The steps, and the one that made one row of each product where that removed any."""
    left = steps[-1]["rows_left"]
    if rows == left:
        return steps
    why = "further rows of a product"
    return [*steps, {"step": "one_row_a_product", "why": why, "rows_removed": left - rows, "rows_left": rows}]


def check_whole(rows: ir.Table, table: str, where: str, placed: ir.Table | None = None) -> None:
    """Raise unless the table can be used as a whole: more than one customer, unique keys.

    `placed` are the same rows with their places, where they are from files. A message names the place, never the id.
    """
    if table == "transactions" and int(rows.customer_id.nunique().to_pandas()) == 1:
        raise DataError(
            "the log has one customer only", where=f"{where}, table {table}", expected="at least two customers to compare",
            do="look at the column that is mapped to customer_id, and at the cleaning rules",
        )  # fmt: skip
    key = list(TABLES[table].key)
    if key:
        twice = rows.group_by(key).aggregate(times=rows.count()).filter(lambda t: t.times > 1).order_by(key)
        found = twice.limit(1).to_pandas()
        if len(found):
            same = None if placed is None else placed.filter(placed[key[0]] == found.iloc[0][key[0]])
            raise DataError(
                f"one {key[0]} stands in {int(found.iloc[0]['times']):,} rows",
                where=f"{where}, table {table}" if same is None else f"{read.place(read.first_row(same))}, the first of them",
                expected="one row each",
                do="remove the repeats (the rule `exact_repeat` removes rows that are alike in every mapped column)",
            )  # fmt: skip
