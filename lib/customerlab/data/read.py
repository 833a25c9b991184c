"""Read a source, columns as they are named in the file, and check that it holds what the catalogue declares.

Texts are read as texts and cast later, so that a value that cannot be read is reported with its file, its row and its
column, and an id such as ``007`` stays what it is. What has a type in its file keeps it.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from customerlab.data import cast, items, packed, read_json, sheets, texts, times
from customerlab.data.engine import literal
from customerlab.data.headers import (
    MissingColumns,
    check,
    check_columns,
    check_wanted,
    header,
    headers,
    leaves,
    missing,
    named,
    parquet_schema,
    unreadable,
)
from customerlab.data.sources import Source, kind_of
from customerlab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FILE",
    "ROW",
    "MissingColumns",
    "at_hand",
    "check_columns",
    "check_content",
    "first_row",
    "header",
    "place",
    "read",
    "unreadable",
]
ROW, FILE = "__row__", "__file__"  # the row within its file (from 1, the header not counted), and the file (and sheet)


def at_hand(paths: list[Path], source: Source, folder: Path) -> list[Path]:
    """The files themselves: the wanted member of each zip is unpacked into `folder`, the others are as they were."""
    found = []
    for path in paths:
        if path.suffix.lower() != ".zip":
            found.append(path)
            continue
        forms = [form for form in source.forms if form.path.lower().endswith(".zip")]
        form = next((form for form in forms if path.match(form.path.replace("[", "[[]").replace("?", "[?]"))), forms[0])
        member = str(form.member)
        # its name is how messages name the place
        name = "".join(sign if sign.isprintable() else "_" for sign in f"{path.name}, {Path(member).name}")
        target = Path(tempfile.mkdtemp(dir=folder)) / (name if len(name.encode()) < 250 else name[-60:])
        try:
            packed.unpack(path, member, target)
        except packed.Damaged as error:
            raise DataError(
                str(error), where=path.name, expected=f"a whole zip with {member}",
                do="get the file again, or fix `member` of the file in data/catalog.yml",
            ) from None  # fmt: skip
        found.append(target)
    return found


def read(
    con: Any, paths: list[Path], source: Source, columns: list[str], aside: Path, notes: list[str]
) -> tuple[ir.Table, list[int | None]]:
    """Read files of one shape into one table of the wanted columns, with `__row__` and `__file__`.

    Parameters
    ----------
    con : Ibis DuckDB connection
    columns : list of str
        The columns that are mapped; each must be there.
    aside : Path
        A folder for copies of texts in another encoding or layout; they are read as long as the table is.
    notes : list of str
        What is to be said of the files is added to it: sheets that are not read, records without items.

    Returns
    -------
    (ibis Table, list of int or None)
        The table, and how many rows each file has by another count than the engine's; None where that left a doubt.

    A DataError where a column is missing, the files differ in shape, or a file cannot be read.
    """
    wanted = items.needed(source, columns)
    parts: list[ir.Table] = []
    counted: list[int | None] = []
    together = _read_together(con, paths, source)
    openers = {"": _texts, ".xlsx": _workbook, ".parquet": _parquet, ".json": _json}
    for path in paths:
        if together is not None and parts:
            counted.append(_parquet_rows(path))
            continue
        found, rows = openers[kind_of(path.name)](con, path, source, wanted, aside, notes)
        counted.append(rows)
        if together is not None:
            columns_ = _of_parquet(together, path, source, wanted)
            place = {ROW: together["file_row_number"] + 1, FILE: together["filename"].re_extract("[^/]+$", 0)}
            found = [together.select(**columns_, **place)]
        parts += found
    for name in wanted:
        if len({part[name].type() for part in parts}) > 1:  # files that differ in it: as text they are alike
            parts = [part.mutate(**{name: cast.as_text(part[name], source.decimal)}) for part in parts]
    # put together once: DuckDB runs out of memory where it sorts a union of many files
    table = con.create_table(ibis.util.gen_name("parts"), ibis.union(*parts)) if len(parts) > 1 else parts[0]
    if not (source.split or source.wide):
        return table, counted
    table = con.create_table(ibis.util.gen_name("records"), table)
    if int(table.count().execute()) != sum(count or 0 for count in counted):
        _check_count(table, paths, source, counted)
    made = _itemised(con, table, source, named(paths), notes, exploded=True)
    return made, [int(made.count().execute()), *[0] * (len(paths) - 1)]


def _itemised(
    con: Any, table: ir.Table, source: Source, where: str, notes: list[str], *, exploded: bool
) -> ir.Table:  # fmt: skip
    """The rows of a table that lies in the engine as items, each step of which is accounted for."""
    steps = items.steps(table, source, where, exploded=exploded)
    notes += items.account(steps, where, lambda rows: place(first_row(rows), None, source))
    return con.create_table(ibis.util.gen_name("items"), steps[-1].after)


def _texts(
    con: Any, path: Path, source: Source, wanted: list[str], aside: Path, _: list[str]
) -> tuple[list[ir.Table], int | None]:
    """A text as a table, and its rows by an independent count; damage is told here."""
    texts.check_mark(path, source)
    rows: int | None
    if texts.laid_out(source):
        names = headers(path, source, wanted)[path.name]
        text, rows = texts.tabulated(path, source, aside)
        sign, above = ",", False
    else:
        try:
            text = texts.plain(path, source, aside)
        except (*texts.DAMAGED, UnicodeError) as error:
            raise unreadable([path], source, error) from None
        rows = texts.count(text, path, source)
        names = headers(path, source, wanted)[path.name]
        sign, above = texts.delimiter(path, source), source.header is None
    # Nothing is guessed: what the sniffer would make of a file depends on the rows that it happens to sample.
    table = con.read_csv(
        literal(con, text), columns={f"column_{n}": "VARCHAR" for n in range(len(names))}, auto_detect=False, header=above,
        quote='"', escape='"', delim=sign, compression="gzip" if text.suffix.lower() == ".gz" else "none",
    )  # fmt: skip
    return [_placed(table, {name: table[table.columns[names.index(name)]] for name in wanted}, path.name)], rows


def _placed(table: ir.Table, columns: dict[str, ir.Value], place: str) -> ir.Table:
    return table.select(**columns, **{ROW: ibis.row_number().over() + 1, FILE: ibis.literal(place)})


def _workbook(
    con: Any, path: Path, source: Source, wanted: list[str], _: Path, notes: list[str]
) -> tuple[list[ir.Table], int | None]:
    """The sheets of a workbook as tables, which nobody else counts."""
    import pandas as pd

    try:
        packed.check_workbook(path)
    except packed.Damaged as error:
        raise sheets.damaged(path, ".xlsx", error) from None
    frames, unread = sheets.frames(path, source)
    if unread:
        notes.append(
            f"sheets of {path.name} that are not read: {', '.join(unread[:20])}" + (" …" if unread[20:] else "")
        )
    found = []
    names = sheets.names(frames, source)
    check(names, path, source, wanted)
    for place, frame in frames.items():
        if source.header is not None and len(frame.columns) != len(source.header):
            raise DataError(
                f"the sheet has {len(frame.columns)} columns, `header` has {len(source.header)}", where=place,
                expected="a name for every column", do="fix `header` of the file in data/catalog.yml",
            )  # fmt: skip
        cells = frame.iloc[int(source.header is None) :, [names[place].index(name) for name in wanted]]
        cells.columns = pd.Index(wanted)
        cells = cells.map(sheets.cell, decimal=source.decimal).astype("string")
        # as a memtable: ibis 12 fails to drop the view that it makes for a plain DataFrame on DuckDB 2
        table = con.create_table(ibis.util.gen_name("sheet"), ibis.memtable(cells), temp=True)
        found.append(_placed(table, {name: table[name] for name in wanted}, place))
    return found, None


def _parquet_rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _parquet(
    con: Any, path: Path, source: Source, wanted: list[str], _: Path, notes: list[str]
) -> tuple[list[ir.Table], int | None]:
    """A parquet file as a table, lists in it exploded, and its rows by what its foot says."""
    parquet_schema(path)
    rows = _parquet_rows(path)
    headers(path, source)
    table = con.read_parquet(literal(con, path))
    if not source.explode:
        return [_placed(table, _of_parquet(table, path, source, wanted), path.name)], rows
    table = con.create_table(
        ibis.util.gen_name("records"), _placed(table, {n: table[n] for n in table.columns}, path.name)
    )
    if int(table.count().execute()) != rows:
        _check_count(table, [path], source, [rows])
    only = dataclasses.replace(source, split=None, wide=())
    made = _itemised(con, table, only, path.name, notes, exploded=False)
    return [made.select(ROW, FILE, **_of_parquet(made, path, source, wanted))], int(made.count().execute())


def _of_parquet(table: ir.Table, path: Path, source: Source, wanted: list[str]) -> dict[str, ir.Value]:
    """The wanted columns of a parquet file, or fields of records in them; times of a zone as its clocks show them."""
    schema = parquet_schema(path)
    # what DuckDB calls the second of two columns that it cannot tell apart is of no interest
    check_wanted(schema.names, [name for name in wanted if name in schema.names], path.name, path, source)
    found = {name: items.field(table, name, path.name, source.explode) for name in wanted}
    if absent := [name for name, value in found.items() if value is None]:
        raise missing(absent, list(leaves(schema)), path.name, path, source, wanted)
    values = {}
    for name, value in found.items():
        assert value is not None
        items.check_single(value, name, path.name, source.explode)
        # the time zones that parquet names for its columns; UTC where it stores instants and names none
        zone = getattr(leaves(schema).get(name), "tz", None)
        values[name] = _on_the_clock(value, zone) if zone else value
    return values


def _read_together(con: Any, paths: list[Path], source: Source) -> ir.Table | None:
    """Parquet files of one schema in one scan, which need not be put together."""
    if source.explode or any(kind_of(path.name) != ".parquet" for path in paths):
        return None
    first, *others = [parquet_schema(path) for path in paths]
    own = {"filename", "file_row_number"}  # the columns that DuckDB adds
    if own & {name.lower() for name in first.names} or not all(first.equals(other) for other in others):
        return None
    return con.read_parquet([literal(con, path) for path in paths], filename=True, file_row_number=True)


def _json(
    con: Any, path: Path, source: Source, wanted: list[str], aside: Path, notes: list[str]
) -> tuple[list[ir.Table], int | None]:
    """The records of a JSON file as a table of texts, by way of a copy in parquet, and how many rows that was given."""
    made = read_json.Table(path, source, wanted)
    copy = made.write(aside)
    if made.rows and (absent := made.absent()):
        raise missing(absent, read_json.names(path, source, read_json.SAMPLE), path.name, path, source, wanted)
    notes += [items.without(count, f"items in {name}", path.name) for name, count in made.without.items()]
    table = con.read_parquet(literal(con, copy))
    columns = {name: table[table.columns[place]] for place, name in enumerate(wanted)}
    return [table.select(**columns, **{ROW: table[table.columns[-1]], FILE: ibis.literal(path.name)})], made.rows


def _check_count(table: ir.Table, paths: list[Path], source: Source, counted: list[int | None]) -> None:
    """Raise where the engine reads more or fewer rows than a file has."""
    found = table.group_by(FILE).aggregate(rows=table.count()).execute().set_index(FILE)["rows"]
    for name in dict.fromkeys(path.name for path in paths):  # files of several folders may have one name
        doubtful = [path for path in paths if path.name == name]
        # a sheet is counted by nobody else, and in one column an empty line is an empty value
        kind = kind_of(name)
        if kind == ".xlsx" or (kind == "" and len(headers(doubtful[0], source)[name]) == 1):
            continue
        read, known = int(found.get(name, 0)), [n for p, n in zip(paths, counted, strict=True) if p.name == name]
        if kind == "" and not texts.laid_out(source) and (None in known or sum(map(int, filter(None, known))) != read):
            for path in doubtful:
                if fault := texts.fault(path, source):
                    raise fault
            known = [texts.exact_count(path, source) for path in doubtful]
        rows = sum(map(int, filter(None, known)))
        if rows != read:
            raise DataError(
                f"{read:,} rows can be read, and the file has {rows:,}", where=name, expected="every row",
                do="look for a quotation mark that is not closed, and write the file again",
            )  # fmt: skip


def _on_the_clock(column: ir.Column, zone: str) -> ir.Value:
    """An instant as the time on the clock of its column's zone; parquet stores it in UTC."""
    known_as = f"GMT{zone}" if zone[0] in "+-" else zone  # DuckDB takes +05:30 for no zone, and UTC+05:30 for UTC+5
    return times.shown(ibis.literal(known_as), column.cast("timestamp('UTC')"))


def first_row(rows: ir.Table) -> "pd.Series":
    """The first of some rows, in the order of files and rows."""
    return rows.order_by([FILE, ROW]).limit(1).to_pandas().iloc[0]


def place(row: "pd.Series", column: str | None = None, source: Source | None = None) -> str:
    """How messages name a row, and a column of its file."""
    record = kind_of(row[FILE]) == ".json"
    below = "" if record or (source and source.header is not None) else " below the header"
    return f"{row[FILE]}, {'record' if record else 'row'} {int(row[ROW]):,}{below}" + (
        f", column {column!r}" if column else ""
    )


def check_content(
    table: ir.Table, paths: list[Path], source: Source, rows: int, span: tuple[str, str] | None,
    counted: list[int | None],
) -> None:  # fmt: skip
    """Raise unless the source has the rows and the span of time that the catalogue declares, where it does.

    `rows` have been read of `table`, and `counted` of each file by another way; `span` is the first and last time of
    the column that the declared span speaks of.
    """
    where = named(paths)
    if rows != sum(count or 0 for count in counted):
        _check_count(table, paths, source, counted)
    if rows == 0:
        raise DataError(
            "the table is empty", where=where, expected="a header and at least one row", do="export the file again"
        )
    if source.rows is not None and rows != source.rows:
        raise DataError(
            f"{rows:,} rows", where=where, expected=f"{source.rows:,} rows",
            do="get the declared edition, or fix `rows`",
        )  # fmt: skip
    if source.span is not None and span is not None and span != source.span[1:]:
        raise DataError(
            f"{source.span[0]} runs from {span[0]} to {span[1]}", where=where,
            expected=f"from {source.span[1]} to {source.span[2]}",
            do="get the declared edition, or fix `span`",
        )  # fmt: skip
