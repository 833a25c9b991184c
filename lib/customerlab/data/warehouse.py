"""Tables that live in the run's engine: mapped, cast, cleaned and checked there as Ibis expressions; nothing is copied.

A source of the catalogue that names a `table` in place of a `path` is one of the engine that the parameter `engine`
names. What a rerun depends on is not its bytes but its content in brief, asked for in one query: rows, first and last
time, different values of the first id, and the exact sum of money (or of every number, where there is no money).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from customerlab.data import canonical, clean, columns, conditions, faults, items, relate, suspicions, trials
from customerlab.data.catalog import DataSet
from customerlab.data.engine import connect
from customerlab.data.fingerprint import table_fingerprint
from customerlab.data.hidden import FOREIGN, NUMBER, PARTNER, SEVERAL
from customerlab.data.mapping import Mapped, TableMap
from customerlab.data.project import read_sealed, text_digest, write_sealed
from customerlab.data.secrets import masked
from customerlab.data.sources import Source
from customerlab.data.tables import AS_READ, KINDS, TABLES, Column
from customerlab.errors import DataError

SUM = "decimal(38, 4)"
FORMATS = ("duckdb", "pyspark")  # engines that read times by a format, and convert them


def prepare(url: str, folder: Path, data_set: DataSet, table: str) -> tuple[Path, dict[str, Any], bool]:
    """Check a table of the engine and account for its rows, where its content has changed since the last time.

    Returns the report's file in `folder` (`outputs/<run>/tables`), the report, and whether it was made just now.

    A DataError where the engine lacks the table or a column, or values cannot be used.
    """
    con = connect(url)
    table_map = data_set.tables[table]
    named = {source.name: f"table {source.table} in {con.name}" for source in data_set.sources_of(table)}
    where = named[table_map.source]
    conditions.check_patterns(con, table_map, data_set.sources_of(table))
    every = _canonical(con, data_set, table)
    content = _content(every, table_map)
    fingerprint = table_fingerprint(data_set, table, [url, json.dumps(content)])
    path = folder / f"{table}.json"
    known = read_sealed(path)
    if known and known["fingerprint"] == fingerprint:
        return path, known, False
    notes: list[str] = []
    for source in data_set.sources_of(table):
        name = named[source.name]
        notes += items.account(items.steps(_table(con, data_set, source), source, name), name, lambda _: where)
    marked = trials.mark(clean.mark(every, table_map.clean), table_map.events)
    found = canonical.survey(marked)

    def place(_: ir.Table, column: str | None) -> str:
        return where + (f", column {column!r}" if column else "")

    wrong = [*_check_read(found, table_map, where), *columns.check_ids(marked, found, table_map, place)]
    wrong += canonical.check_orders(marked, found, table_map, place)
    if not wrong:
        _check_written(marked, found, data_set, table, where)
    steps, rows = faults.accounted(marked, found, table, table_map, where, place, wrong)
    if table == "transactions":
        found.suspicions.extend(suspicions.ask(rows, marked, table_map, steps, place))
    elif table in faults.LOGS:
        found.suspicions.extend(faults.LOGS[table].ask(marked, table_map, place))
    count = int(rows.count().to_pandas())
    listed = [{"file": name} for name in named.values()]
    listed[0] |= content
    notes += canonical.notes(found, table_map, named)
    report = canonical.report(data_set, table, listed, fingerprint, steps, found, rows, count, notes)
    report["sha256"] = text_digest(fingerprint)
    write_sealed(path, report)
    return path, report, True


def expression(con: Any, data_set: DataSet, table: str) -> ir.Table:
    """The canonical table as an expression in its engine: the rows that cleaning keeps."""
    every, table_map = _canonical(con, data_set, table), data_set.tables[table]
    marked = trials.mark(clean.mark(every, table_map.clean), table_map.events)
    return canonical.kept(marked, table, table_map.events)


def _canonical(con: Any, data_set: DataSet, table: str) -> ir.Table:
    """The canonical columns of every row; a covariate is a number where its column is one."""
    table_map = data_set.tables[table]
    own, *others = data_set.sources_of(table)
    raw, joined = _find(con, data_set, own, None if others else table_map.needed), {}
    if others:
        tables = {own.name: raw} | {source.name: _find(con, data_set, source, None) for source in others}
        by_name = {source.name: source for source in (own, *others)}
        named = {name: f"table {source.table} in {con.name}" for name, source in by_name.items()}
        names = relate.meant(table_map, {name: list(each.columns) for name, each in tables.items()}, named)
        raw = relate.related(tables, table_map, names, by_name, named)
        joined = {name: by_name[source] for name, (source, _) in names.items() if source != own.name}
    labels, loose = set(), False
    where = f"data/catalog.yml, {data_set.name}, {table}"
    for name, mapped in table_map.columns.items():
        declared = Column(KINDS[mapped.kind]) if mapped.kind else TABLES[table].column(name)
        assert declared is not None
        if name.startswith(AS_READ) and not (mapped.column and raw[mapped.column].type().is_numeric()):
            labels.add(name)
        kind = "float64" if name == "amount" else declared.type
        _check_type(con.name, raw, name, mapped, kind, where)
        loose |= kind != "string" and any(raw[column].type().is_string() for column in mapped.parts)
    for column, key in table_map.numbers.items():
        _check_type(con.name, raw, f"a number of `{key}`", Mapped(column), "float64", where)
        loose |= raw[column].type().is_string()
    if loose:  # numbers and times that are texts are read in every way at once, and never looked at beforehand
        own, joined = replace(own, loose=True), {name: replace(one, loose=True) for name, one in joined.items()}
    every = canonical.canonical(raw, table, table_map, own, frozenset(labels), joined)
    if table_map.of_order and "exact_repeat" in dict(table_map.clean):
        every = every.mutate(**{clean.REPEAT: clean.RULES["exact_repeat"].marks(every, {})})
    return canonical.spread(every, table_map)


def _table(con: Any, data_set: DataSet, source: Source) -> ir.Table:
    """The table of the engine as it is."""
    name = source.table
    assert name is not None
    *database, last = name.split(".")
    try:
        return con.table(last, database=tuple(database) if len(database) > 1 else database[0] if database else None)
    except Exception as error:  # each back end has errors of its own
        said = masked(" ".join(str(error).split()))[:200]
        raise DataError(
            f"the engine {con.name} has no table {name}" + (f": {said}" if said not in name else ""),
            where=f"data/catalog.yml, {data_set.name}, files, {source.name}",
            expected="a table or a view, such as shop.order_lines, that the engine of the run can read",
            do="fix `table`, or `engine` in the params file",
        ) from None


def _find(con: Any, data_set: DataSet, source: Source, needed: list[str] | None) -> ir.Table:
    """The rows of a table of the engine, or their items; with every column that is `needed`, where these are known."""
    raw, where = _table(con, data_set, source), f"table {source.table} in {con.name}"
    items.check_names(source, raw.columns, where)
    for step in items.steps(raw, source, where):
        raw = step.after
    # fields of records have names with points
    inner = {name: value for name, value in items.leaves(raw).items() if needed is None or name in needed}
    raw = raw.mutate(**{name: value for name, value in inner.items() if name not in raw.columns})
    for name in needed or []:
        items.field(raw, name, where, source.explode)  # raises where it leads through a list
    absent = [column for column in needed or [] if column not in raw.columns]
    if absent:
        raise DataError(
            f"missing column: {', '.join(map(repr, absent))}",
            where=f"{where}, which has {', '.join(map(repr, raw.columns))}",
            expected="every column that data/catalog.yml maps",
            do="fix the column map; a column of another table, such as a covariate, comes by `join`",
        )  # fmt: skip
    return raw


def _check_type(engine: str, raw: ir.Table, name: str, mapped: Mapped, kind: str, where: str) -> None:
    """Raise unless a column of the engine can be cast to a canonical type."""
    if not mapped.parts and (mapped.value is not None or name == "amount"):
        return
    foreign = engine not in FORMATS and (mapped.format or mapped.to_zone)
    if not mapped.parts or foreign or (engine != "duckdb" and re.search("%-?j", mapped.format or "")):
        raise DataError(
            f"{name} is mapped by {'a format' if mapped.parts else 'row_number'}, which is for files",
            where=f"{where}, columns", expected="a column of the table",
            do="make a view in the engine that has the column as it is wanted, and name the view",
        )  # fmt: skip
    for column in mapped.parts:
        items.check_single(raw[column], column, where)
        found = raw[column].type()
        if kind.startswith("timestamp") and found.is_timestamp() and found.timezone is not None:
            raise DataError(
                f"{column} is an instant in the zone {found.timezone}, and times are the shop's own", where=where,
                expected="a time without a zone", do="make a view that converts it to the shop's zone, and name the view",
            )  # fmt: skip
        time = found.is_timestamp() or found.is_date() or (mapped.columns and found.is_time())
        number = found.is_numeric() or found.is_boolean()
        fits = {"string": True, "boolean": True, "float64": number}.get(
            kind, time or (number and mapped.format is not None)
        )
        if not (fits or found.is_string()):
            raise DataError(
                f"{column} is a {found}, and {name} is wanted as {kind.partition('(')[0]}", where=where,
                expected="a column whose values can be cast", do="fix the column map, or make a view that casts the column",
            )  # fmt: skip


def _content(every: ir.Table, table_map: TableMap) -> dict[str, str]:
    """The content of a table in brief, as texts."""
    asked: dict[str, ir.Value] = {"rows": every.count(), "ids": every[every.columns[0]].nunique()}
    for name in canonical.values_of(every):
        kind = every[name].type()
        if kind.is_timestamp():
            asked |= {f"first_{name}": every[name].min(), f"last_{name}": every[name].max()}
        elif name == "amount" or (kind.is_floating() and "amount" not in every.columns):
            asked[f"sum_{name}"] = every[name].try_cast(SUM).sum()
    for name in every.columns:  # what rules and messages ask of the sources beside these
        if name.startswith(clean.WHERE) or name == SEVERAL:
            asked[name.strip("_")] = every.count(where=every[name])
        elif name.startswith(PARTNER) or name == FOREIGN:
            asked[name.strip("_")] = every[name].count()
    if table_map.events:
        for number, one in enumerate(table_map.events.conditions):
            asked[f"events_{number}"] = every.count(where=trials.holds(every, one))
    row = every.aggregate(**asked).to_pandas().iloc[0]
    return {name: str(row[name]) for name in asked}


def _check_written(marked: ir.Table, found: canonical.Survey, data_set: DataSet, table: str, where: str) -> None:
    """Raise where numbers have several currencies, or all ids of a column end in ``.0``."""
    table_map = data_set.tables[table]
    source = replace(data_set.sources[table_map.source], loose=True)
    columns.check_numbers(marked, table_map, source, {}, lambda *_: where)
    for name in columns.floats(marked, found, source.decimal):
        raise DataError(
            f"every {name} ends in .0, as numbers do that were floats", where=where, expected="ids as the shop writes them",
            do="make a view that casts the column to whole numbers, and name the view",
        )  # fmt: skip


def _check_read(found: canonical.Survey, table_map: TableMap, where: str) -> Iterator[DataError]:
    """Where a value is there that cannot be used."""
    for name in found.unread():
        count = found.total(f"there_{name}") - found.total(f"filled_{name}")
        money = name == "amount" and not table_map.totals
        column = name.removeprefix(NUMBER)
        yield DataError(
            f"{count:,} values cannot be used as {name if column == name else 'numbers'}", where=where,
            expected="quantity times unit_price below 100,000,000,000,000" if money else "values of the column's kind",
            do="fix them, or make a view that leaves them out; they are those "
            + (f"mapped to {'quantity' if money else name}" if column == name else f"of {column}"),
        )  # fmt: skip
