"""Read a source, columns as they are named in the file, and check that it holds what the catalogue declares.

Texts are read as texts and cast later, so that a value that cannot be read is reported with its file, its row and its
column, and an id such as ``007`` stays what it is. What has a type in its file keeps it.
"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from customerlab.data import cast, packed, texts
from customerlab.data.engine import literal
from customerlab.data.sources import Source
from customerlab.errors import DataError, in_brief

if TYPE_CHECKING:
    import pandas as pd

LONGEST_NAME = 1_000  # signs of a column's name
ROW, FILE = "__row__", "__file__"  # the row within its file (from 1, the header not counted) and the file's name


class MissingColumns(DataError):
    """Columns that the catalogue maps and a file has not."""

    columns: tuple[str, ...] = ()


def header(path: Path, source: Source) -> list[str]:
    """The column names as they stand in a file; a DataError where it is empty, unreadable or names a column twice."""
    kind = _kind(path)
    if kind == ".parquet":
        names = _parquet_schema(path).names
    elif kind == ".xlsx":
        names = [str(name) for name in _sheet(path, source, rows=1).to_numpy().ravel()]
    else:
        try:
            with texts.opened(path, source) as handle:
                begin = io.StringIO(handle.read(texts.LONGEST_ROW), newline="")
                names = next(csv.reader(begin, delimiter=texts.delimiter(path, source)), [])
        except (*texts.DAMAGED, UnicodeError, csv.Error, OSError) as error:
            raise unreadable([path], source, error) from None
    if not any(name.strip() for name in names):
        raise DataError(
            "the table is empty, or its first line: there is no header", where=path.name, expected="a header and at least one row",
            do="export the file again" + (", or fix `sheet` in data/catalog.yml" if kind == ".xlsx" else ""),
        )  # fmt: skip
    long = next((name for name in names if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise DataError(
            f"a column has a name of {len(long):,} signs: {long[:40]!r} …", where=f"{path.name}, header",
            expected="the names of columns in the first line", do="add the line, or close a quotation mark in it",
        )  # fmt: skip
    # DuckDB does not tell apart names that differ in the case of A to Z alone
    known = [name.encode(errors="replace").lower() for name in names]
    twice = [name for name, key in zip(names, known, strict=True) if known.count(key) > 1]
    if twice:
        raise DataError(
            f"doubled column: {', '.join(map(repr, dict.fromkeys(twice)))}", where=f"{path.name}, header",
            expected="every column once, also where upper and lower case are the same",
            do="rename or remove one of them in the file",
        )  # fmt: skip
    return names


def unreadable(paths: list[Path], source: Source, error: Exception) -> DataError:
    """The error for files that a reader gives up on: the first fault found in them, else the reader's own words."""
    for path in paths:
        if _kind(path) == "" and (fault := texts.fault(path, source)):
            return fault
    return DataError(
        f"the file cannot be read: {in_brief(error)}",
        where=", ".join(path.name for path in paths[:3]) + (" …" if len(paths) > 3 else ""),
        do="write the file again, or fix its entry in data/catalog.yml",
    )


def _kind(path: Path) -> str:
    """``.parquet`` or ``.xlsx``; empty for the texts, which differ by no more than their delimiter."""
    suffix = path.suffix.lower()
    return suffix if suffix in (".parquet", ".xlsx") else ""


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"the file is damaged or incomplete, or no {_kind(path)} file: {in_brief(error)}",
        where=path.name, expected=f"a {_kind(path)} file", do="get the file again, or write it again by the program it is from",
    )  # fmt: skip


def _parquet_schema(path: Path) -> Any:
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (ValueError, OSError) as error:
        raise _damaged(path, error) from None


def _sheet(path: Path, source: Source, rows: int | None = None) -> "pd.DataFrame":
    """The sheet of a workbook as it is: cells of all kinds, the header in the first row."""
    import pandas as pd

    try:
        with pd.ExcelFile(path, engine="openpyxl") as book:
            sheets = [str(name) for name in book.sheet_names]
            known = source.sheet in sheets if isinstance(source.sheet, str) else source.sheet < len(sheets)
            if known:
                return pd.read_excel(
                    book, sheet_name=source.sheet, header=None, nrows=rows, dtype=object, na_filter=False
                )
    except Exception as error:  # openpyxl has no error of its own for what is no workbook, or half of one
        raise _damaged(path, error) from None
    raise DataError(
        f"there is no sheet {source.sheet!r}", where=path.name, expected=f"one of: {', '.join(sheets)}",
        do="fix `sheet` in data/catalog.yml (its name, or its number from 0)",
    )  # fmt: skip


def read(
    con: Any, paths: list[Path], source: Source, columns: list[str], aside: Path
) -> tuple[ir.Table, list[int | None]]:
    """Read files of one shape into one table of the wanted columns, with `__row__` and `__file__`.

    Parameters
    ----------
    con : Ibis DuckDB connection
    columns : list of str
        The columns that are mapped; each must be there.
    aside : Path
        A folder for copies in UTF-8 of texts in another encoding; they are read as long as the table is.

    Returns
    -------
    (ibis Table, list of int or None)
        The table, and how many rows each file has by another count than the engine's; None where that left a doubt.

    A DataError where a column is missing, the files differ in shape, or a file cannot be read.
    """
    wanted = list(dict.fromkeys(columns))
    parts: list[ir.Table] = []
    counted = []
    together = _read_together(con, paths)
    for path in paths:
        text, rows = _counted(path, source, aside)
        counted.append(rows)
        names = header(path, source)
        absent = [name for name in wanted if name not in names]
        if absent:
            missing = MissingColumns(
                f"missing column: {', '.join(map(repr, absent))}",
                where=f"{path.name}, which has {', '.join(map(repr, names[:50]))}" + (" …" if names[50:] else ""),
                expected="every column that data/catalog.yml maps",
                do="fix the column map, or the delimiter if the names above are run together; a "
                "column of another file, such as a covariate, comes by `join: {its file: key}`, and a constant is `{value: …}`",
            )
            missing.columns = tuple(absent)
            raise missing
        if together is not None and parts:
            continue
        table = _read_one(con, path, text, source, names) if together is None else together
        place = {ROW: ibis.row_number().over() + 1, FILE: ibis.literal(path.name)}
        if together is not None:
            place = {ROW: table["file_row_number"] + 1, FILE: table["filename"].re_extract("[^/]+$", 0)}
        # the time zones that parquet names for its columns; UTC where it stores instants and names none
        kinds = {field.name: field.type for field in _parquet_schema(path)} if _kind(path) == ".parquet" else {}
        zones = {name: zone for name, kind in kinds.items() if (zone := getattr(kind, "tz", None))}
        clocks = {name: _on_the_clock(table[name], zones[name]) if name in zones else table[name] for name in wanted}
        parts.append(table.select(**clocks, **place))
    for name in wanted:
        if len({part[name].type() for part in parts}) > 1:  # files that differ in it: as text they are alike
            parts = [part.mutate(**{name: cast.as_text(part[name], source.decimal)}) for part in parts]
    # put together once: DuckDB runs out of memory where it sorts a union of many files
    return con.create_table(ibis.util.gen_name("parts"), ibis.union(*parts)) if len(parts) > 1 else parts[0], counted


def _read_together(con: Any, paths: list[Path]) -> ir.Table | None:
    """Parquet files of one schema in one scan, which need not be put together."""
    if any(_kind(path) != ".parquet" for path in paths):
        return None
    first, *others = [_parquet_schema(path) for path in paths]
    own = {"filename", "file_row_number"}  # the columns that DuckDB adds
    if own & {name.lower() for name in first.names} or not all(first.equals(other) for other in others):
        return None
    return con.read_parquet([literal(con, path) for path in paths], filename=True, file_row_number=True)


def _counted(path: Path, source: Source, aside: Path) -> tuple[Path, int | None]:
    """The file as the engine can read it, in UTF-8, and its rows by an independent count; damage is told here."""
    kind = _kind(path)
    if kind == ".xlsx":
        try:
            packed.check_workbook(path)
        except packed.Damaged as error:
            raise _damaged(path, error) from None
        return path, None
    if kind == ".parquet":
        import pyarrow.parquet as pq

        _parquet_schema(path)
        return path, int(pq.read_metadata(path).num_rows)
    text = path
    if not texts.is_utf8(source):  # DuckDB knows three encodings, Python all that are in use
        try:
            text = texts.recoded(path, source, aside)
        except (*texts.DAMAGED, UnicodeError) as error:
            raise unreadable([path], source, error) from None
    return text, texts.count(text, path, source)


def _check_count(table: ir.Table, paths: list[Path], source: Source, counted: list[int | None]) -> None:
    """Raise where the engine reads more or fewer rows than a file has."""
    found = table.group_by(FILE).aggregate(rows=table.count()).execute().set_index(FILE)["rows"]
    for name in dict.fromkeys(path.name for path in paths):  # files of several folders may have one name
        doubtful = [path for path in paths if path.name == name]
        # a sheet is counted by nobody else, and in one column an empty line is an empty value
        if _kind(doubtful[0]) == ".xlsx" or len(header(doubtful[0], source)) == 1:
            continue
        read, known = int(found.get(name, 0)), [n for p, n in zip(paths, counted, strict=True) if p.name == name]
        if _kind(doubtful[0]) == "" and (None in known or sum(map(int, filter(None, known))) != read):
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


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp('UTC')"), "timestamp(6)"))
def _wall_clock(zone, instant):  # type: ignore[no-untyped-def]
    """DuckDB's own: what the clocks of a zone show at an instant."""


def _on_the_clock(column: ir.Column, zone: str) -> ir.Value:
    """An instant as the time on the clock of its column's zone; parquet stores it in UTC."""
    known_as = f"GMT{zone}" if zone[0] in "+-" else zone  # DuckDB takes +05:30 for no zone, and UTC+05:30 for UTC+5
    return _wall_clock(ibis.literal(known_as), column.cast("timestamp('UTC')"))


def _cell(value: Any, decimal: str) -> str | None:
    """A cell of a workbook as text, as `cast.as_text` writes it; pandas has made whole numbers integers already."""
    if value == "" or value != value:
        return None
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)


def first_row(rows: ir.Table) -> "pd.Series":
    """The first of some rows, in the order of files and rows."""
    return rows.order_by([FILE, ROW]).limit(1).to_pandas().iloc[0]


def place(row: "pd.Series", column: str | None = None) -> str:
    """How messages name a row, and a column of its file."""
    return f"{row[FILE]}, row {int(row[ROW]):,} below the header" + (f", column {column!r}" if column else "")


def _read_one(con: Any, path: Path, text: Path, source: Source, names: list[str]) -> ir.Table:
    kind = _kind(path)
    if kind == ".parquet":
        return con.read_parquet(literal(con, path))
    if kind == ".xlsx":
        import pandas as pd

        frame = _sheet(path, source)[1:]
        frame.columns = pd.Index(names)
        frame = frame.map(_cell, decimal=source.decimal).astype("string")
        # as a memtable: ibis 12 fails to drop the view that it makes for a plain DataFrame on DuckDB 2
        return con.create_table(ibis.util.gen_name("sheet"), ibis.memtable(frame), temp=True)
    # Nothing is guessed: what the sniffer would make of a file depends on the rows that it happens to sample.
    return con.read_csv(
        literal(con, text), columns=dict.fromkeys(names, "VARCHAR"), auto_detect=False, header=True, quote='"', escape='"',
        delim=texts.delimiter(path, source), compression="gzip" if text.suffix.lower() == ".gz" else "none",
    )  # fmt: skip


def check_columns(paths: list[Path], source: Source) -> None:
    """Raise unless every file has the columns that the catalogue declares, where it does."""
    for path in paths if source.columns is not None else []:
        names = header(path, source)
        if sorted(names) != sorted(source.columns or ()):
            raise DataError(
                f"the columns are {', '.join(names)}", where=path.name, expected=", ".join(source.columns or ()),
                do="get the declared edition, or fix `columns` in data/catalog.yml",
            )  # fmt: skip


def check_content(
    table: ir.Table, paths: list[Path], source: Source, rows: int, span: tuple[str, str] | None,
    counted: list[int | None],
) -> None:  # fmt: skip
    """Raise unless the source has the rows and the span of time that the catalogue declares, where it does.

    `rows` have been read of `table`, and `counted` of each file by another way; `span` is the first and last time of
    the column that the declared span speaks of.
    """
    where = ", ".join(path.name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
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
