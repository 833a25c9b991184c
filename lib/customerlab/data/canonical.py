"""The canonical form of a table: mapped, cast, cleaned, checked and reported, the same for files and for engines.

All that is asked of the rows is asked in one query, `survey`; what it finds wrong is looked up afterwards.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from customerlab.data import cast, clean
from customerlab.data.catalog import DataSet
from customerlab.data.mapping import TableMap
from customerlab.data.read import FILE, ROW
from customerlab.data.sources import Source
from customerlab.data.tables import COVARIATE, TABLES, is_id
from customerlab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TEXT, THERE = "__text_", "__there_"  # prefixes: a value of another type as text, and whether there is one
AMOUNT = "decimal(18, 4)"
LARGEST_AMOUNT = 10**14  # what AMOUNT holds

Steps = list[dict[str, Any]]
Place = Callable[[ir.Table, str | None], str]  # how messages name where some rows stand, and a column of theirs


def amount(quantity: ir.NumericValue, unit_price: ir.NumericValue) -> ir.DecimalValue:
    """Quantity times price: each to five decimals, their exact product to four, halves away from zero.

    NULL where it is too large to be money. Decimals, because engines differ in how they round products of floats.
    """

    def product(wide: str) -> ir.DecimalValue:
        return (quantity.try_cast(wide) * unit_price.try_cast("decimal(18, 5)")).try_cast(AMOUNT)

    # DuckDB multiplies decimals of up to 18 digits as integers of 64 bits, which is quick and ends near 900 million; a
    # digit more, and it takes 128 bits: enough for a bar code in the place of a quantity, as are 38 digits elsewhere.
    usual = (quantity.abs() < 10_000) & (unit_price.abs() < 10_000)
    return ibis.cases((usual, product("decimal(18, 5)")), else_=product("decimal(19, 5)"))


def canonical(
    raw: ir.Table, table: str, table_map: TableMap, source: Source, labels: frozenset[str] = frozenset()
) -> ir.Table:
    """The canonical columns of every row, NULL where a value is empty or cannot be read.

    Columns that begin with ``__`` are for messages: the place of a row in its file, and of each value that is not a
    text what stands there. Who does not ask for them does not pay for them. `labels` are covariates that are no
    numbers.
    """
    declared = TABLES[table]
    places = [name for name in (FILE, ROW) if name in raw.columns]
    found = raw.select(*places, **{name: _found(raw, name, table_map, source) for name in table_map.columns})
    values: dict[str, ir.Value] = {}
    hidden: dict[str, ir.Value] = {}
    for name, mapped in table_map.columns.items():
        column = declared.column(name)
        assert column is not None
        kind = "float64" if name.startswith(COVARIATE) and name not in labels else column.type
        values[name] = cast.cast(found[name], kind, source, mapped.format)
        if kind != "string":
            hidden |= {THERE + name: cast.there(found[name]), TEXT + name: cast.as_text(found[name], source.decimal)}
    order = [name for name in declared.columns if name in values] + [n for n in values if n not in declared.columns]
    result = found.select(*places, **{name: values[name] for name in order}, **hidden)
    if "amount" in declared.columns:
        order.insert(order.index("unit_price") + 1, "amount")
        quantity, price = result["quantity"], result["unit_price"]
        both = cast.there(quantity) & cast.there(price)
        result = result.mutate(**{"amount": amount(quantity, price), THERE + "amount": both})
    return result.select(*order, *places, *[name for name in result.columns if name.startswith((TEXT, THERE))])


def _found(raw: ir.Table, name: str, table_map: TableMap, source: Source) -> ir.Value:
    """What stands in a row for a canonical column: as it is, but for the blanks around a text that is no id."""
    column = table_map.columns[name].column
    if column is None:
        # an id for a row that has none, such as ``row 17``: a bare 17 would be some customer's in another table
        number = ibis.literal("row ") + raw[ROW].cast("string")
        many = any("*" in form.path for form in source.forms)  # each file counts from 1
        return number + " of " + raw[FILE] if many else number
    value = raw[column]
    if not value.type().is_string():
        return value
    return cast.exact(value) if is_id(name) else cast.bare(value)


def values_of(marked: ir.Table) -> list[str]:
    """The canonical columns of a table that may have others."""
    return [name for name in marked.columns if not name.startswith("__") and name != "removed_by"]


@dataclass(frozen=True)
class Survey:
    """What `survey` has found, a row for each value of `removed_by`."""

    groups: "pd.DataFrame"

    def total(self, what: str) -> int:
        """The sum of a count over all rows."""
        return int(self.groups[what].sum())

    def unread(self) -> list[str]:
        """The columns in which a value is there that cannot be read."""
        names = [what.removeprefix("there_") for what in self.groups.columns if what.startswith("there_")]
        return [name for name in names if self.total(f"there_{name}") > self.total(f"filled_{name}")]

    def padded(self) -> list[str]:
        """The columns of ids some of which have blanks around them."""
        names = [what.removeprefix("padded_") for what in self.groups.columns if what.startswith("padded_")]
        return [name for name in names if self.total(f"padded_{name}")]

    def missing(self) -> Steps:
        """How many values of each column are missing, of all rows and of those that are kept; without derived ones."""
        names = [what.removeprefix("filled_") for what in self.groups.columns if what.startswith("filled_")]
        return [
            {
                "column": name,
                "of_read": self.total("rows") - self.total(f"filled_{name}"),
                "of_kept": int(self.of_kept("rows") - self.of_kept(f"filled_{name}")),
            }
            for name in names
            if name != "amount"
        ]

    def of_kept(self, what: str) -> Any:
        """What has been found of the rows that are kept; 0 where there are none."""
        return self.groups[what].get(clean.KEPT, 0)


def survey(marked: ir.Table) -> Survey:
    """Ask everything of the rows that rules have marked, in one query: counts, money, ends, what is empty or unread."""
    asked: dict[str, ir.Value] = {"rows": marked.count()}
    if "amount" in marked.columns:
        asked |= {"amount": marked.amount.sum(), "sales": marked.amount.sum(where=marked.amount > 0)}
    for name in values_of(marked):
        column = marked[name]
        asked[f"filled_{name}"] = column.count()
        if THERE + name in marked.columns:
            asked[f"there_{name}"] = marked.count(where=marked[THERE + name])
        if is_id(name):
            asked[f"padded_{name}"] = marked.count(where=cast.padded(column))
        if name == "customer_id" or column.type().is_timestamp():
            asked |= {f"first_{name}": column.min(), f"last_{name}": column.max()}
    return Survey(marked.group_by("removed_by").aggregate(**asked).to_pandas().set_index("removed_by"))


def check_ids(marked: ir.Table, found: Survey, table_map: TableMap, place: Place) -> Iterator[DataError]:
    """Where two ids of a column differ only by the blanks around them: one customer, or two, nobody can say."""
    for name in found.padded():
        each = marked.select(id=marked[name], bare=marked[name].strip()).distinct()
        twice = each.group_by("bare").aggregate(forms=each.count()).filter(lambda t: t.forms > 1)
        first = twice.order_by("bare").limit(1).to_pandas()
        if len(first):
            bare = first["bare"][0]
            padded = marked.filter((marked[name].strip() == bare) & (marked[name] != bare))
            yield DataError(
                f"two values of {name} differ only by the blanks around them",
                where=place(padded, table_map.columns[name].column),
                expected="one way of writing each id; ids are kept as they are, with blanks and tabs around them",
                do="write the id in one way throughout the files",
            )


def row_accounting(found: Survey, table: str, table_map: TableMap, where: str) -> Steps:
    """What each cleaning rule removed; a DataError where no row is left of a table that cannot be empty."""
    steps = clean.report(found.groups.reset_index(), table_map.clean)
    if not steps[-1]["rows_left"] and not TABLES[table].made_from:  # a shop may have no returns
        raise DataError(
            f"no row of the {table} table is left", where=where, expected="at least one row",
            do="look at the cleaning rules: " + "; ".join(f"{s['why']} −{s['rows_removed']:,}" for s in steps[1:]),
        )  # fmt: skip
    return steps


def check_filled(marked: ir.Table, found: Survey, table: str, table_map: TableMap, place: Place) -> Iterator[DataError]:
    """Where a value is empty that is needed in every row that is kept; what cannot be read is another fault."""
    unread = {*found.unread(), "amount"}
    for name in values_of(marked):
        column = TABLES[table].column(name)
        count = int(found.of_kept("rows") - found.of_kept(f"filled_{name}"))
        if column is None or column.nullable or not count or name in unread:
            continue
        empty = marked.filter((marked.removed_by == clean.KEPT) & marked[name].isnull())
        rule = {"customer_id": "customer_missing", "product_id": "product_missing", "ordered_at": "date_missing"}.get(
            name
        )
        hint = f"add the rule `{rule}` to `clean`, or " if rule and table in clean.RULES[rule].tables else ""
        yield DataError(
            f"{name} is empty in {count:,} row{'s' if count > 1 else ''}",
            where=place(empty, table_map.columns[name].column) + (", the first" if count > 1 else ""),
            expected="a value in every row", do=f"{hint}fill the values in",
        )  # fmt: skip


def check_whole(
    marked: ir.Table, found: Survey, rows: ir.Table, table: str, where: str, place: Place
) -> Iterator[DataError]:
    """Where the kept rows cannot be used as a whole: one customer only, keys that are doubled. No id is named."""
    some = table == "transactions" and found.of_kept("filled_customer_id")
    if some and found.of_kept("first_customer_id") == found.of_kept("last_customer_id"):
        yield DataError(
            "the log has one customer only", where=f"{where}, table {table}", expected="at least two customers to compare",
            do="look at the column that is mapped to customer_id, and at the cleaning rules",
        )  # fmt: skip
    key = list(TABLES[table].key)
    if key:
        twice = rows.group_by(key).aggregate(times=rows.count()).filter(lambda t: t.times > 1).order_by(key)
        first = twice.limit(1).to_pandas()
        if len(first):
            same = marked.filter((marked.removed_by == clean.KEPT) & (marked[key[0]] == first.iloc[0][key[0]]))
            yield DataError(
                f"one {key[0]} stands in {int(first.iloc[0]['times']):,} rows",
                where=f"{place(same, None)}, the first of them", expected="one row each",
                do="remove the repeats (the rule `exact_repeat` removes rows that are alike in every mapped column)",
            )  # fmt: skip


def kept(marked: ir.Table, table: str) -> ir.Table:
    """The rows that no rule removed; of products one each, with the most frequent of its descriptions and categories.

    Empty values do not count; where several are as frequent, the first in the alphabet is kept.
    """
    rows = marked.filter(marked.removed_by == clean.KEPT).select(*values_of(marked))
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


def report(
    data_set: DataSet,
    table: str,
    files: Steps,
    fingerprint: str,
    steps: Steps,
    found: Survey,
    rows: ir.Table,
    count: int,
) -> dict[str, Any]:
    """What is known of a prepared table: where it comes from, what each step removed, its rows, columns and days."""
    times = [name for name, kind in rows.schema().items() if kind.is_timestamp()]
    ends = [found.of_kept(f"{end}_{name}") for name in times[:1] for end in ("first", "last")]
    left = steps[-1]["rows_left"]
    if count != left:
        why = "further rows of the same product"
        step = {"step": "one_row_a_product", "why": why, "rows_removed": left - count, "rows_left": count}
        steps = [*steps, step]
    return {
        "table": table, "data_set": data_set.name, "title": data_set.title, "licence": data_set.licence,
        "citation": data_set.citation, "currency": data_set.currency, "files": files, "fingerprint": fingerprint,
        "row_accounting": steps, "missing": found.missing(), "rows": count,
        "columns": {name: str(kind) for name, kind in rows.schema().items()},
        "days": [f"{end:%Y-%m-%d}" for end in ends if isinstance(end, date) and end == end],  # NaT is no day
    }  # fmt: skip
