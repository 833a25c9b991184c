"""The canonical form of a table: mapped, cast, cleaned, checked and reported, the same for files and for engines.

All that is asked of the rows is asked in one query, `survey`; what it finds wrong is looked up afterwards.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from customerlab.data import blanks, cast, clean, conditions, money, shapes, trials
from customerlab.data.catalog import DataSet
from customerlab.data.hidden import FOREIGN, NUMBER, PARTNER, SEVERAL, TEXT, THERE
from customerlab.data.mapping import Mapped, TableMap
from customerlab.data.read import FILE, ROW
from customerlab.data.sources import Source
from customerlab.data.tables import AS_READ, KINDS, TABLES, is_id
from customerlab.errors import DataError, shown

if TYPE_CHECKING:
    import pandas as pd

Steps = list[dict[str, Any]]
Place = Callable[[ir.Table, str | None], str]  # how messages name where some rows stand, and a column of theirs


def canonical(
    raw: ir.Table, table: str, table_map: TableMap, source: Source, labels: frozenset[str] = frozenset(),
    joined: dict[str, Source] | None = None, whole: frozenset[str] = frozenset(),
) -> ir.Table:  # fmt: skip
    """The canonical columns of every row, NULL where a value is empty or cannot be read.

    Columns that begin with ``__`` are for messages and rules: the place of a row in its file, of each value that is
    not a text what stands there, where the conditions of rules are met. Who does not ask for them does not pay for
    them. `labels` are covariates that are no numbers, `joined` the columns that are not of `source`, and whose they
    are, `whole` ids that all end in ``.0``, which is taken off. Amounts of whole orders are not yet in the money of
    their lines: `spread` puts them there.
    """
    declared = TABLES[table]
    carried = [name for name in raw.columns if name in (FILE, ROW) or name.startswith(PARTNER)]
    of = dict.fromkeys(table_map.needed, source) | (joined or {})
    mapped = {name: one for name, one in table_map.columns.items() if name != "amount" or one.stated}
    found = raw.select(
        *carried,
        **{name: _found(raw, name, _kind(table, name, one, labels), one, source, of) for name, one in mapped.items()},
        **{NUMBER + name: cast.held(raw[name], "", "float64", cast.PLAIN, of[name]) for name in table_map.numbers},
        **conditions.met(raw, table_map, of),
    )
    values: dict[str, ir.Value] = {}
    hidden: dict[str, ir.Value] = {}
    for name, one in mapped.items():
        kind, origin = _kind(table, name, one, labels), of[one.parts[0]] if one.parts else source
        values[name] = cast.cast(found[name], kind, origin, one)
        if name in whole:
            values[name] = cast.whole(values[name], origin.decimal)
        if kind != "string" or one.kind == "ordered" or one.levels:
            hidden |= {THERE + name: cast.there(found[name]), TEXT + name: cast.as_text(found[name], origin.decimal)}
    values |= {name: ibis.null(declared.columns[name].type) for name in table_map.absent}
    for name in table_map.numbers:
        read = found[NUMBER + name]
        hidden[NUMBER + name] = cast.cast(read, "float64", of[name])
        hidden |= {THERE + NUMBER + name: cast.there(read), TEXT + NUMBER + name: cast.as_text(read, of[name].decimal)}
    met = [name for name in found.columns if name.startswith((clean.WHERE, FOREIGN))]
    result = found.select(*carried, *met, **values, **hidden)
    for name, one in mapped.items():
        if one.adjusted and name not in ("amount", "unit_price"):
            value = money.worked(result[name], one, lambda column: result[NUMBER + column])  # noqa: B023 - used at once
            result = result.mutate(**{name: value, THERE + name: money.workable(result, result[THERE + name], one)})
    if "amount" in declared.columns:
        result = money.with_amount(result, table_map)
    result = conditions.of_orders(result, table_map)
    order = [name for name in declared.columns if name in result.columns]
    order += [name for name in values if name not in order]
    result = result.select(*order, *[name for name in result.columns if name.startswith("__")])
    return shapes.turned(result) if shapes.is_declared(table, table_map) else result


def _kind(table: str, name: str, mapped: Mapped, labels: frozenset[str]) -> str:
    """The type that a canonical column is read as; a covariate is a number unless it is among the labels."""
    if mapped.kind:
        return KINDS[mapped.kind]
    column = TABLES[table].column(name)
    assert column is not None
    number = name == "amount" or (name.startswith(AS_READ) and name not in labels)
    return "float64" if number else column.type


def _found(raw: ir.Table, name: str, kind: str, mapped: Mapped, source: Source, of: dict[str, Source]) -> ir.Value:
    """What stands in a row for a canonical column; NULL where that is nothing."""
    if isinstance(mapped.value, float):  # by way of a text: DuckDB takes a bare 1.0 for a decimal
        return ibis.literal(repr(mapped.value)).cast("float64")
    if mapped.value is not None:
        return ibis.literal(mapped.value)
    if mapped.columns:
        held = [cast.held(raw[part], name, "string", mapped, of[part]) for part in mapped.columns]
        return _together(
            [cast.as_text(one, of[part].decimal) for part, one in zip(mapped.columns, held, strict=True)], name, mapped
        )
    if mapped.column is None:
        # an id for a row that has none, such as ``row 17``: a bare 17 would be some customer's in another table
        number = ibis.literal("row ") + raw[ROW].cast("string")
        many = source.sheets or any("*" in form.path for form in source.forms)  # each file counts from 1
        return number + " of " + raw[FILE] if many else number
    return cast.held(raw[mapped.column], name, kind, mapped, of[mapped.column])


def _together(texts: list[ir.StringValue], name: str, mapped: Mapped) -> ir.StringValue:
    """Several values as one; NULL where one is missing."""
    between = mapped.between
    if is_id(name):  # a backslash before what stands between keeps a/b and c apart from a and b/c
        texts = [text.replace("\\", "\\\\").replace(between, f"\\{between}") for text in texts]
    if name.endswith("_at"):  # the day of a workbook or a database comes with a midnight of its own
        texts = [text.re_replace(r"^(\d{4}-\d\d-\d\d)[ T]00:00:00(\.0+)?$", r"\1") for text in texts]
    whole = texts[0]
    for text in texts[1:]:
        whole = whole + between + text
    return ibis.cases((ibis.and_(*map(cast.there, texts)), whole))


def spread(every: ir.Table, table_map: TableMap) -> ir.Table:
    """Put the amounts of whole orders onto their lines, before rules remove any; known repeats have no part."""
    if not table_map.of_order:
        return every
    marks = [name for name in every.columns if name.startswith(clean.WHERE)]
    return money.priced(money.spread(every, table_map.of_order, [*values_of(every), *marks]), table_map)


def values_of(marked: ir.Table) -> list[str]:
    """The canonical columns of a table that may have others."""
    return [name for name in marked.columns if not name.startswith("__") and name != "removed_by"]


@dataclass(frozen=True)
class Survey:
    """What `survey` has found, a row for each value of `removed_by`, and what is `odd` (`suspicions.ask`)."""

    groups: "pd.DataFrame"
    suspicions: list[dict[str, str]] = field(default_factory=list)

    def total(self, what: str) -> int:
        """The sum of a count over all rows."""
        return int(self.groups[what].sum())

    def unread(self) -> list[str]:
        """The columns in which a value is there that cannot be read."""
        names = [what.removeprefix("there_") for what in self.groups.columns if what.startswith("there_")]
        return [name for name in names if self.total(f"there_{name}") > self.total(f"filled_{name}")]

    def odd(self) -> list[str]:
        """The columns of ids some of which have blanks around them, signs beyond ASCII, or ``.0`` at their end."""
        names = [what.removeprefix("odd_") for what in self.groups.columns if what.startswith("odd_")]
        return [name for name in names if self.total(f"odd_{name}")]

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
            if name != "amount" and not name.startswith(NUMBER)
        ]

    def of_kept(self, what: str) -> Any:
        """What has been found of the rows that are kept; 0 where there are none."""
        return self.groups[what].get(clean.KEPT, 0)


def survey(marked: ir.Table) -> Survey:
    """Ask everything of the rows that rules have marked, in one query: counts, money, ends, what is empty or unread."""
    asked: dict[str, ir.Value] = {"rows": marked.count()}
    if "amount" in marked.columns:
        asked |= {"amount": marked.amount.sum(), "sales": marked.amount.sum(where=marked.amount > 0)}
    if trials.SHOWS in marked.columns:
        asked["units"] = marked.unit_id.nunique()
    for name in values_of(marked):
        column = marked[name]
        asked[f"filled_{name}"] = column.count()
        if THERE + name in marked.columns:
            asked[f"there_{name}"] = marked.count(where=marked[THERE + name])
        if is_id(name):
            asked[f"odd_{name}"] = marked.count(where=blanks.odd_id(column))
        if name == "customer_id" or column.type().is_timestamp():
            asked |= {f"first_{name}": column.min(), f"last_{name}": column.max()}
    for name in marked.columns:
        if name.startswith(NUMBER):
            asked |= {f"filled_{name}": marked[name].count(), f"there_{name}": marked.count(where=marked[THERE + name])}
        elif name.startswith(PARTNER):
            asked[name] = marked.count(where=marked[name].isnull())
        elif name.startswith(clean.WHERE) or name == SEVERAL:
            asked[name] = marked.count(where=marked[name])
        elif name == FOREIGN:
            asked[name] = marked[name].count()
    return Survey(marked.group_by("removed_by").aggregate(**asked).to_pandas().set_index("removed_by"))


def row_accounting(found: Survey, table: str, table_map: TableMap, where: str) -> Steps:
    """What each cleaning rule removed; a DataError where no row is left of a table that cannot be empty."""
    late = trials.LEFT_OUT if table_map.events else {}
    steps = clean.report(found.groups.reset_index(), table_map.clean, late)
    if not steps[-1]["rows_left"] and not TABLES[table].made_from:  # a shop may have no returns
        raise DataError(
            f"no row of the {table} table is left", where=where, expected="at least one row",
            do="look at the cleaning rules: " + "; ".join(f"{s['why']} −{s['rows_removed']:,}" for s in steps[1:]),
        )  # fmt: skip
    return steps


def check_currency(marked: ir.Table, found: Survey, table_map: TableMap, place: Place) -> Iterator[DataError]:
    """Where a row that is kept is in another currency than the entry's."""
    count = int(found.of_kept(FOREIGN)) if FOREIGN in marked.columns else 0
    if count:
        assert table_map.currency is not None
        column, own = table_map.currency
        foreign = marked.filter((marked.removed_by == clean.KEPT) & ~marked[FOREIGN].isnull())
        others = foreign.select(FOREIGN).distinct().order_by(FOREIGN).limit(5).to_pandas()[FOREIGN]
        yield DataError(
            f"{count:,} row{'s are' if count > 1 else ' is'} in {', '.join(map(shown, others))}, and not in {own}",
            where=place(foreign, column) + (", the first" if count > 1 else ""),
            expected=f"money in {own}, the entry's `currency`",
            do=f"add `{{keep_where: {{column: {column}, in: [{own}], of: order}}}}` to `clean`, which leaves the others out; or join "
            "a file of rates and name its column in the map of the money, `times: [rate]`, which converts them",
        )  # fmt: skip


def check_orders(marked: ir.Table, found: Survey, table_map: TableMap, place: Place) -> Iterator[DataError]:
    """Where an order has several amounts of a kind of which it can have one."""
    if SEVERAL in marked.columns and found.total(SEVERAL):
        columns = list(table_map.of_order)
        yield DataError(
            f"orders have several amounts in {' or '.join(map(shown, columns))}, in {found.total(SEVERAL):,} rows",
            where=place(marked.filter(marked[SEVERAL]), ", ".join(columns)) + ", the first",
            expected="one amount an order, on its first line or on all of them; zero and nothing beside it do not count",
            do="name it in `minus` or `plus` if it is of the line and not of the order",
        )  # fmt: skip


def check_whole(
    marked: ir.Table, found: Survey, rows: ir.Table, table: str, table_map: TableMap, where: str, place: Place
) -> Iterator[DataError]:
    """Where the kept rows cannot be used as a whole: one customer only, keys that are doubled. No id is named."""
    if table == "experiment":
        try:
            trials.check(marked, found, table_map, place)
        except DataError as error:
            yield error.with_traceback(None)
    whole = {"transactions": "log", "customer_summary": "summary"}.get(table)
    some = whole and found.of_kept("filled_customer_id")
    if some and found.of_kept("first_customer_id") == found.of_kept("last_customer_id"):
        yield DataError(
            f"the {whole} has one customer only", where=f"{where}, table {table}", expected="at least two customers to compare",
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


def kept(marked: ir.Table, table: str, events: trials.Events | None = None) -> ir.Table:
    """The rows that no rule removed; of products one each, with the most frequent of its descriptions and categories.

    Empty values do not count; where several are as frequent, the first in the alphabet is kept. `events` of a test
    become one row per unit.
    """
    rows = marked.filter(marked.removed_by == clean.KEPT)
    if events:
        return trials.units(rows, events)
    rows = rows.select(*values_of(marked))
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


def notes(found: Survey, table_map: TableMap, named: dict[str, str]) -> list[str]:
    """What a reader should know of the rows that have been read; `named` are the sources as sentences name them."""
    said = []
    for source in table_map.sources[1:]:
        if lone := found.total(PARTNER + source):
            rows = f"{lone:,} row{'s' if lone > 1 else ''} of {named[table_map.source]}"
            said.append(f"{rows} {'have' if lone > 1 else 'has'} no partner in {named[source]}.")
    for name, settings in clean.steps_of(table_map.clean).values():
        if name == "drop_where" and not found.total(settings["met"]):
            said.append(
                f"No row is removed because {clean.why(name, settings)}: no row is like that, in this spelling."
            )
    return said


def report(
    data_set: DataSet,
    table: str,
    files: Steps,
    fingerprint: str,
    steps: Steps,
    found: Survey,
    rows: ir.Table,
    count: int,
    notes: list[str],
) -> dict[str, Any]:
    """What is known of a prepared table: where it comes from, what each step removed, its rows, columns and days.

    `notes` are sentences on what a reader should know, such as rows that found no partner in a joined file.
    """
    # a day that is declared of customers, such as that of their birth, is none of the data's
    times = [name for name, kind in rows.schema().items() if kind.is_timestamp() and name in TABLES[table].columns]
    ends = [found.of_kept(f"{end}_{name}") for name in times[:1] for end in ("first", "last")]
    left = steps[-1]["rows_left"]
    if count != left:
        what = (
            "event of a unit that is counted in its row"
            if table == "experiment"
            else "further rows of the same product"
        )
        name = f"one_row_a_{'unit' if table == 'experiment' else 'product'}"
        steps = [*steps, {"step": name, "why": what, "rows_removed": left - count, "rows_left": count}]
    return {
        "table": table, "data_set": data_set.name, "title": data_set.title, "licence": data_set.licence,
        "citation": data_set.citation, "currency": data_set.currency, "files": files, "fingerprint": fingerprint,
        "row_accounting": steps, "missing": found.missing(), "suspicions": found.suspicions, "rows": count,
        "columns": {name: str(kind) for name, kind in rows.schema().items()},
        "notes": notes,
        "days": [f"{end:%Y-%m-%d}" for end in ends if isinstance(end, date) and end == end],  # NaT is no day
    }  # fmt: skip
