"""The names of columns as they stand in files: which there are, and what is said of those that are not."""

from pathlib import Path
from typing import Any

from customerlab.data import items, read_json, sheets, texts
from customerlab.data.sources import Source, kind_of
from customerlab.errors import DataError, in_brief

LONGEST_NAME = 1_000  # signs of a column's name


class MissingColumns(DataError):
    """Columns that the catalogue maps and a file has not."""

    columns: tuple[str, ...] = ()


def headers(path: Path, source: Source, wanted: list[str] | None = None) -> dict[str, list[str]]:
    """The column names as they stand in a file, for each of its sheets that is read, by how messages name the place.

    A DataError where it is empty or unreadable, or lacks one of the `wanted` columns or has it twice.
    """
    kind = kind_of(path.name)
    if kind == ".parquet":
        found = {path.name: list(parquet_schema(path).names)}
    elif kind == ".json":
        found = {path.name: read_json.names(path, source)}
    elif kind == ".xlsx":
        found = sheets.names(sheets.frames(path, source, 1)[0], source)
    elif source.header is not None:
        found = {path.name: list(source.header)}
    else:
        try:
            found = {path.name: texts.first(path, source)}
        except (*texts.DAMAGED, ValueError, texts.Error, OSError) as error:
            raise unreadable([path], source, error) from None
    check(found, path, source, wanted)
    return found


def header(path: Path, source: Source) -> list[str]:
    """The names of all columns of a file that may be mapped: fields within records and what is made of items too."""
    if kind_of(path.name) == ".parquet":
        schema = parquet_schema(path)
        names = list(dict.fromkeys([*schema.names, *leaves(schema)]))
    else:
        names = next(iter(headers(path, source).values()))
    made = [*(name for name, _ in source.wide), *(source.split.made if source.split else ())]
    return names + [name for name in made if name not in names]


def check(found: dict[str, list[str]], path: Path, source: Source, wanted: list[str] | None) -> None:
    """Raise unless each of the headers is one, and has all `wanted` columns once where they are given."""
    for place, names in found.items():
        _check_header(names, place, path, source, wanted or [])
        if wanted is not None and kind_of(path.name) in ("", ".xlsx"):
            check_wanted(names, wanted, place, path, source)


def _check_header(names: list[str], place: str, path: Path, source: Source, wanted: list[str]) -> None:
    """Raise unless there is a header, of names that are short enough to be some."""
    if not any(name.strip() for name in names):
        below = _below(path, source, wanted)
        raise DataError(
            "the table is empty, or its first line: there is no header", where=place, expected="a header and at least one row",
            do=below or "export the file again" + (", or fix `sheet` in data/catalog.yml" if kind_of(path.name) == ".xlsx" else ""),
        )  # fmt: skip
    long = next((name for name in names if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise DataError(
            f"a column has a name of {len(long):,} signs: {long[:40]!r} …", where=f"{place}, header",
            expected="the names of columns in the first line", do="add the line, or close a quotation mark in it",
        )  # fmt: skip


def check_wanted(names: list[str], wanted: list[str], place: str, path: Path, source: Source) -> None:
    """Raise where a wanted column is there twice, or not at all."""
    # DuckDB does not tell apart names that differ in the case of A to Z alone
    known = [name.encode(errors="replace").lower() for name in names]
    asked = {name.encode(errors="replace").lower() for name in wanted}
    twice = [name for name, key in zip(names, known, strict=True) if key in asked and known.count(key) > 1]
    if twice:
        raise DataError(
            f"doubled column: {', '.join(map(repr, dict.fromkeys(twice)))}", where=f"{place}, header",
            expected="every mapped column once, also where upper and lower case are the same",
            do="rename or remove one of them in the file, or map another column",
        )  # fmt: skip
    items.check_names(source, names, place)
    if absent := [name for name in wanted if name not in names]:
        raise missing(absent, names, place, path, source, wanted)


def missing(
    absent: list[str], names: list[str], place: str, path: Path, source: Source, wanted: list[str]
) -> MissingColumns:
    """The error for mapped columns that are not there; where they stand in a line below, it says so."""
    do = (
        "fix the column map, or the delimiter if the names above are run together; a column of another file, such as a "
        "covariate, comes by `join: {its file: key}`, and a constant is `{value: …}`"
    )
    if source.header is None and kind_of(path.name) in ("", ".xlsx"):
        do += "; a file without a header needs `header: [ … ]` with the names of all its columns"
    if kind_of(path.name) == ".json":
        do = "fix the column map; fields of a list's items need `explode`, and names within a record have points before them"
    error = MissingColumns(
        f"missing column: {', '.join(map(repr, absent))}",
        where=f"{place}, which has {', '.join(map(repr, names[:50]))}" + (" …" if names[50:] else ""),
        expected="every column that data/catalog.yml maps",
        do=_below(path, source, wanted) or do,
    )
    error.columns = tuple(absent)
    return error


def _below(path: Path, source: Source, wanted: list[str]) -> str:
    """What to write where another of the first lines holds all wanted columns, or another delimiter finds them."""
    kind = kind_of(path.name)
    if source.header is not None or not wanted or kind == ".parquet":
        return ""
    look = {"": texts.below, ".xlsx": sheets.below, ".json": read_json.below}[kind]
    found = look(path, source, wanted)
    return found and f"add {found} to the file in data/catalog.yml: the mapped columns are found so"


def unreadable(paths: list[Path], source: Source, error: Exception) -> DataError:
    """The error for files that a reader gives up on: the first fault found in them, else the reader's own words."""
    for path in paths:
        if kind_of(path.name) == "" and path.suffix.lower() != ".zip" and (fault := texts.fault(path, source)):
            return fault
    return DataError(
        f"the file cannot be read: {in_brief(error)}",
        where=named(paths),
        do="write the file again, or fix its entry in data/catalog.yml",
    )


def parquet_schema(path: Path) -> Any:
    """The schema of a parquet file as pyarrow has it."""
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (ValueError, OSError) as error:
        raise sheets.damaged(path, ".parquet", error) from None


def named(paths: list[Path]) -> str:
    """How messages name some files."""
    return ", ".join(path.name for path in paths[:3]) + (" …" if len(paths) > 3 else "")


def leaves(schema: Any) -> dict[str, Any]:
    """The columns of a parquet file and the fields of the records and lists of records in them, each with its type."""
    found: dict[str, Any] = {}
    waiting = [(field.name, field.type) for field in reversed(list(schema))]
    while waiting:
        name, kind = waiting.pop()
        while hasattr(kind, "value_type") and not hasattr(kind, "key_type"):  # lists, and texts kept in a dictionary
            kind = kind.value_type
        found[name] = kind
        if hasattr(kind, "fields") and kind.num_fields and not hasattr(kind, "key_type"):
            del found[name]
            waiting += [(f"{name}.{field.name}", field.type) for field in reversed(list(kind))]
    return found


def check_columns(paths: list[Path], source: Source) -> None:
    """Raise unless every file has the columns that the catalogue declares, where it does."""
    every = [headers(path, source) for path in paths] if source.columns is not None else []
    for place, names in (pair for found in every for pair in found.items()):
        if sorted(names) != sorted(source.columns or ()):
            raise DataError(
                f"the columns are {', '.join(names)}", where=place, expected=", ".join(source.columns or ()),
                do="get the declared edition, or fix `columns` in data/catalog.yml",
            )  # fmt: skip
