"""Read a source as text, columns as they are named in the file, and check that it holds what the catalogue declares.

Everything is read as text first and cast later, so that a value that cannot be read is reported with its file, its
row and its column, and an id such as ``007`` stays what it is.
"""

import csv
import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import ibis.expr.types as ir

from customerlab.data.catalog import Source
from customerlab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

ROW, FILE = "__row__", "__file__"  # the row within its file (from 1, the header not counted) and the file's name


def header(path: Path, source: Source) -> list[str]:
    """The column names in a file, as they stand in it.

    Raises
    ------
    DataError
        If the file is empty, cannot be decoded or names a column twice.
    """
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            names = pq.read_schema(path).names
        elif path.suffix == ".xlsx":
            import pandas as pd

            first = pd.read_excel(path, sheet_name=source.sheet, header=None, nrows=1, dtype=str)
            names = [str(name) for name in first.to_numpy().ravel()]
        else:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding=_encoding(source), newline="") as handle:
                names = next(csv.reader(handle, delimiter=_delimiter(path, source)), [])
    except (UnicodeDecodeError, LookupError, OSError, ValueError) as error:
        raise unreadable(path, source, error) from None
    if not any(name.strip() for name in names):
        raise DataError(
            "the table is empty: not even a header", where=path.name, expected="a header and at least one row"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"doubled column: {', '.join(map(repr, twice))}",
            where=f"{path.name}, header",
            expected="every column once",
            do="rename or remove one of them in the file",
        )
    return names


def unreadable(path: Path, source: Source, error: Exception) -> DataError:
    """The error for a file that the reader gives up on."""
    return DataError(
        f"the file cannot be read: {' '.join(str(error).split())[:400]}",
        where=path.name,
        expected=f"a {path.suffix.lstrip('.')} file, delimiter {_delimiter(path, source)!r}, encoding {source.encoding}",
        do="mend the file, or delimiter, encoding or sheet in data/catalog.yml",
    )


def _delimiter(path: Path, source: Source) -> str:
    return source.delimiter or ("\t" if ".tsv" in path.suffixes else ",")


def _encoding(source: Source) -> str:
    return "utf-8-sig" if source.encoding.lower() in ("utf-8", "utf8") else source.encoding


def read_text(con: Any, paths: list[Path], source: Source, columns: list[str]) -> ir.Table:
    """Read files of one shape into one table of the wanted columns, all text, with `__row__` and `__file__`.

    Parameters
    ----------
    con : Ibis DuckDB connection
    paths : list of Path
        One file, or many with the same header.
    source : Source
        How to read them.
    columns : list of str
        The columns that are mapped; each must be there.

    Raises
    ------
    DataError
        If a column is missing, the files differ in shape, or a file cannot be read.
    """
    wanted = list(dict.fromkeys(columns))
    parts = []
    for path in paths:
        names = header(path, source)
        absent = [name for name in wanted if name not in names]
        if absent:
            raise DataError(
                f"missing column: {', '.join(map(repr, absent))}",
                where=f"{path.name}, which has {', '.join(map(repr, names))}",
                expected="every column that data/catalog.yml maps",
                do="mend the column map, or the delimiter if the names above are run together",
            )
        table = _read_one(con, path, source, names)
        zones = _zones(path)
        clocks = {name: _on_the_clock(table[name], zones[name]) if name in zones else table[name] for name in wanted}
        parts.append(
            table.select(*[_as_text(column, source.decimal).name(name) for name, column in clocks.items()]).mutate(
                **{ROW: ibis.row_number().over() + 1, FILE: ibis.literal(path.name)}
            )
        )
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _zones(path: Path) -> dict[str, str]:
    """The time zones that a parquet file names for its columns; UTC where it stores instants and names none."""
    if path.suffix != ".parquet":
        return {}
    import pyarrow.parquet as pq

    return {field.name: zone for field in pq.read_schema(path) if (zone := getattr(field.type, "tz", None))}


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp('UTC')"), "timestamp(6)"))
def _wall_clock(zone, instant):  # type: ignore[no-untyped-def]
    """DuckDB's own: what the clocks of a zone show at an instant."""


def _on_the_clock(column: ir.Column, zone: str) -> ir.Value:
    """An instant as the time on the clock of its column's zone; parquet stores it in UTC."""
    known_as = f"GMT{zone}" if zone[0] in "+-" else zone  # DuckDB takes +05:30 for no zone, and UTC+05:30 for UTC+5
    return _wall_clock(ibis.literal(known_as), column.cast("timestamp('UTC')"))


def _as_text(column: ir.Column, decimal: str) -> ir.Value:
    """A column as text; numbers with the decimal sign of the file's texts, so that 12.5 is never taken for 125.

    Whole numbers are written without decimals: an id with gaps comes as 17850.0 from pandas.
    """
    kind = column.type()
    text = column.cast("string")
    if kind.is_decimal():
        return text.replace(".", decimal)
    if not kind.is_floating():
        return text
    whole = (column.abs() < 2.0**53) & (column == column.floor())
    return ibis.cases(
        (column.isnan(), ibis.null("string")),
        (whole, column.try_cast("int64").cast("string")),
        else_=text.replace(".", decimal),
    )


def _cell(value: Any, decimal: str) -> str | None:
    """A cell of a workbook as text, as `_as_text` writes it; pandas has made whole numbers integers already."""
    if value == "" or value != value:
        return None
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)


def first_row(rows: ir.Table) -> "pd.Series":
    """The first of some rows of a text table, in the order of files and rows."""
    return rows.order_by([FILE, ROW]).limit(1).to_pandas().iloc[0]


def place(row: "pd.Series", column: str | None = None) -> str:
    """How messages name a row, and a column of its file."""
    return f"{row[FILE]}, row {int(row[ROW]):,} below the header" + (f", column {column!r}" if column else "")


def _read_one(con: Any, path: Path, source: Source, names: list[str]) -> ir.Table:
    try:
        if path.suffix == ".parquet":
            return con.read_parquet(path)
        if path.suffix == ".xlsx":
            import pandas as pd

            frame = pd.read_excel(path, sheet_name=source.sheet, dtype=object, na_filter=False)
            frame.columns = pd.Index(names)
            frame = frame.map(_cell, decimal=source.decimal).astype("string")
            # as a memtable: ibis 12 fails to drop the view that it makes for a plain DataFrame on DuckDB 2
            return con.create_table(ibis.util.gen_name("sheet"), ibis.memtable(frame), temp=True)
        encoding = source.encoding.lower()
        # Nothing is guessed: what the sniffer would make of a file depends on the rows that it happens to sample.
        return con.read_csv(
            path,
            columns=dict.fromkeys(names, "VARCHAR"),
            auto_detect=False,
            header=True,
            delim=_delimiter(path, source),
            quote='"',
            escape='"',
            encoding={"utf8": "utf-8", "latin1": "latin-1", "iso-8859-1": "latin-1"}.get(encoding, encoding),
        )
    except (duckdb.Error, OSError, ValueError) as error:
        raise unreadable(path, source, error) from None


def check_content(table: ir.Table, paths: list[Path], source: Source, when: ir.Value | None) -> None:
    """Raise unless the source has the rows, columns and span of time that the catalogue declares.

    Parameters
    ----------
    table : ibis Table
        The source as read.
    paths : list of Path
        Its files.
    source : Source
        What is declared; what is not declared is not checked.
    when : ibis timestamp column or None
        The column that the span speaks of, cast.
    """
    where = ", ".join(path.name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    if source.columns is not None:
        for path in paths:
            names = header(path, source)
            if sorted(names) != sorted(source.columns):
                raise DataError(
                    f"the columns are {', '.join(names)}", where=path.name, expected=", ".join(source.columns),
                    do="get the declared edition, or mend `columns` in data/catalog.yml",
                )  # fmt: skip
    rows = int(table.count().execute())
    if rows == 0:
        raise DataError("the table is empty", where=where, expected="a header and at least one row")
    if source.rows is not None and rows != source.rows:
        raise DataError(
            f"{rows:,} rows",
            where=where,
            expected=f"{source.rows:,} rows",
            do="get the declared edition, or mend `rows`",
        )
    if source.span is not None and when is not None:
        column, first, last = source.span
        found = table.aggregate(first=when.min(), last=when.max()).execute().iloc[0]
        if (str(found["first"]), str(found["last"])) != (first, last):
            raise DataError(
                f"{column} runs from {found['first']} to {found['last']}", where=where, expected=f"from {first} to {last}",
                do="get the declared edition, or mend `span`",
            )  # fmt: skip
