"""The files of a catalogue's entry: which, in what form, and how each is read."""

import codecs
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from customerlab.data import fields
from customerlab.data.secrets import check_literal
from customerlab.data.values import words_of_file
from customerlab.data.yaml_files import only_keys
from customerlab.errors import DataError, shown

TEXTS, RECORDS = (".csv", ".tsv", ".txt"), (".json", ".jsonl", ".ndjson")
FORMATS = (*TEXTS, *RECORDS, *(f"{kind}.gz" for kind in (*TEXTS, *RECORDS)), ".xlsx", ".parquet")
BLANKS = "blanks"  # as a delimiter: runs of blanks and tabs
ALL = "all"  # as a sheet: every sheet of a workbook
MOST_SKIPPED = 1_000  # lines above a header
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "cp437", "shift_jis", "gb18030")  # the usual
LONGEST_NAME = 240  # bytes of a file's name; systems take 255, and a download has another beginning
ITEM_KEYS = ("explode", "split", "wide")
NO_TEXT = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")  # Python has them beside encodings


@dataclass(frozen=True)
class Form:
    """One form in which a file may be found: a path (or a glob of many), its checksum and where it is published."""

    path: str
    sha256: str | None = None
    url: str | None = None
    member: str | None = None  # the file wanted from a zip: the one at `path`, else the one at `url`


@dataclass(frozen=True)
class Split:
    """A text with several items: the column, the text between two items, and a pattern whose groups become columns."""

    column: str
    at: str
    pattern: str | None = None

    @property
    def made(self) -> tuple[str, ...]:
        """The columns that come of it: the named groups of the pattern, in their order, or the column itself."""
        return tuple(re.compile(self.pattern).groupindex) if self.pattern else (self.column,)


@dataclass(frozen=True)
class Source:
    """One file, or a glob of files of one shape: its forms in order of preference, how to read it, what it holds."""

    name: str
    forms: tuple[Form, ...]
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    sheet: str | int | tuple[str | int, ...] = 0
    rows: int | None = None
    columns: tuple[str, ...] | None = None
    span: tuple[str, str, str] | None = None  # column, first, last
    table: str | None = None  # a table of the run's engine in place of files; then there are no forms
    skip: int = 0  # lines above the header
    header: tuple[str, ...] | None = None  # the names of the columns, where the file has none
    widths: tuple[int, ...] = ()  # signs of each column, where no delimiter stands between them
    records: str | None = None  # where the list of records stands in JSON, names with points between them
    explode: tuple[str, ...] = ()  # lists within a record, outermost first: a row for each item
    split: Split | None = None
    wide: tuple[tuple[str, tuple[str, ...]], ...] = ()  # items beside each other: a column, and those that hold it
    empty: tuple[str, ...] = ()  # texts that mean nothing, beside the usual ones
    loose: bool = False  # found out as it is read: numbers with currencies and the like, times with names of zones

    @property
    def sheets(self) -> bool:
        """Whether several sheets of a workbook may be read."""
        return self.sheet == ALL or isinstance(self.sheet, tuple)


def kind_of(name: str) -> str:
    """How a file is read, by the end of its name: ``.parquet``, ``.xlsx``, ``.json`` or, for texts, nothing.

    Examples
    --------
    >>> [kind_of(name) for name in ("a.parquet", "a.jsonl.gz", "a.csv.gz", "a.xlsx")]
    ['.parquet', '.json', '', '.xlsx']
    """
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    return ".json" if suffix in RECORDS else suffix if suffix in (".parquet", ".xlsx") else ""


def source_of(name: str, raw: Any, where: str) -> Source:
    """A file of an entry as its keys say; a DataError where they cannot be meant."""
    if isinstance(raw, str):
        raw = {"path": raw}
    if isinstance(raw, dict) and "table" in raw:
        only_keys(raw, ("table", "empty", *ITEM_KEYS), where=where)
        return Source(
            name, (), table=fields.text(raw, "table", where), empty=words_of_file(raw, where), **_items(raw, where)
        )
    form_keys = ("path", "sha256", "url", "member")
    read_keys = (
        "delimiter",
        "decimal",
        "thousands",
        "encoding",
        "sheet",
        "skip",
        "header",
        "widths",
        "records",
        "empty",
    )
    only_keys(raw, (*form_keys, "any_of", *read_keys, *ITEM_KEYS, "rows", "columns", "span"), where=where)
    if ("any_of" in raw) == ("path" in raw):
        raise DataError("which file?", where=where, expected="either `path: …` or `any_of:` with a list of paths")
    listed = (
        fields.listed(raw, "any_of", where, "paths")
        if "any_of" in raw
        else [{k: raw[k] for k in form_keys if k in raw}]
    )
    if not listed:
        raise DataError("the list is empty", where=f"{where}, any_of", expected="at least one path")
    forms = tuple(_form(item, where) for item in listed)
    _check_signs(raw, where)
    span = None
    if raw.get("span") is not None:
        first_last = ("column", "first", "last")
        only_keys(raw["span"], first_last, where=f"{where}, span", required=first_last)
        column, first, last = (fields.text(raw["span"], key, f"{where}, span") for key in first_last)
        span = (column, first, last)
    rows = raw.get("rows")
    if rows is not None and (isinstance(rows, bool) or not (isinstance(rows, int) and rows > 0)):
        raise fields.unfit(rows, f"{where}, rows", "a whole number above zero")
    sheet = raw.get("sheet", 0)
    source = Source(
        name, forms, raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands"), raw.get("encoding", "utf-8"),
        tuple(sheet) if isinstance(sheet, list) else sheet, rows, tuple(fields.names(raw, "columns", where)) or None, span,
        empty=words_of_file(raw, where), **_shape(raw, where), **_items(raw, where),
    )  # fmt: skip
    _check_kinds(source, where)
    return source


def _shape(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """The keys that say where in a file the rows stand."""
    skip, widths = raw.get("skip", 0), fields.listed(raw, "widths", where, "numbers of signs")
    if isinstance(skip, bool) or not (isinstance(skip, int) and 0 <= skip <= MOST_SKIPPED):
        raise fields.unfit(skip, f"{where}, skip", f"how many lines stand above the header, at most {MOST_SKIPPED:,}")
    if any(isinstance(width, bool) or not (isinstance(width, int) and width > 0) for width in widths):
        raise fields.unfit(widths, f"{where}, widths", "the number of signs of each column: `widths: [6, 9, 3, 7]`")
    header = fields.names(raw, "header", where) if raw.get("header") is not None else None
    if header is not None and (not header or len({name.lower() for name in header}) < len(header)):
        raise fields.unfit(header, f"{where}, header", "a name for every column, each once: `header: [customer, day]`")
    if header and widths and len(header) != len(widths):
        raise DataError(
            f"{len(widths)} widths for {len(header)} names", where=f"{where}, header", expected="as many of each"
        )
    return {
        "skip": skip, "header": header and tuple(header), "widths": tuple(widths),
        "records": fields.optional(raw, "records", where),
    }  # fmt: skip


def _items(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """The keys that make several rows of one."""
    exploded = raw.get("explode")
    lists = (
        fields.names(raw, "explode", where) if isinstance(exploded, list) else [fields.optional(raw, "explode", where)]
    )
    explode = tuple(name for name in lists if name)
    for outer, inner in pairwise(explode):
        if not inner.startswith(f"{outer}."):
            raise DataError(
                f"the list {shown(inner)} is not within {shown(outer)}", where=f"{where}, explode",
                expected=f"lists one within the other, outermost first: `explode: [{outer}, {outer}.{inner}]`",
            )  # fmt: skip
    split = None
    if raw.get("split") is not None:
        only_keys(raw["split"], ("column", "at", "pattern"), where=f"{where}, split", required=("column", "at"))
        column, at = (fields.text(raw["split"], key, f"{where}, split") for key in ("column", "at"))
        split = Split(column, at, fields.optional(raw["split"], "pattern", f"{where}, split"))
        _check_groups(split.pattern, f"{where}, split, pattern")
    wide = []
    for key, _ in fields.items(raw["wide"], where, "wide") if raw.get("wide") is not None else ():
        wide.append((str(key), tuple(fields.names(raw["wide"], key, f"{where}, wide"))))
    if any(len(columns) != len(wide[0][1]) or not columns for _, columns in wide):
        raise DataError(
            f"lists of {', '.join(str(len(columns)) for _, columns in wide)} columns", where=f"{where}, wide",
            expected="one column for each item, as many for every name",
            do="write `wide: {sku: [item1_sku, item2_sku], qty: [item1_qty, item2_qty]}`",
        )  # fmt: skip
    return {"explode": explode, "split": split, "wide": tuple(wide)}


def _check_groups(pattern: str | None, where: str) -> None:
    """Raise unless a pattern is one and names its groups."""
    try:
        named = pattern is None or bool(re.compile(pattern).groupindex)
    except (re.error, RecursionError, OverflowError):
        named = False
    if not named:
        raise DataError(
            f"the pattern {shown(pattern)} is no regular expression with named groups", where=where,
            expected=r"a group for each column, such as '^(?P<sku>.+) x (?P<qty>\d+)$'",
        )  # fmt: skip


def _check_kinds(source: Source, where: str) -> None:
    """Raise where a key is for files of another kind than the source has."""
    kinds = {
        kind_of(form.member or form.path if form.path.lower().endswith(".zip") else form.path) for form in source.forms
    }
    texts, sheets, json = {""}, {".xlsx"}, {".json"}
    for key, given, fitting, of in (
        ("widths", source.widths, texts, "texts"),
        ("delimiter", source.delimiter == BLANKS, texts, "texts"),
        ("skip", source.skip, texts | sheets, "texts and workbooks"),
        ("header", source.header, texts | sheets, "texts and workbooks"),
        ("sheet", source.sheets, sheets, "workbooks"),
        ("records", source.records, json, "JSON"),
        ("explode", source.explode, json | {".parquet"}, "JSON and parquet"),
    ):
        if given and not kinds <= fitting:
            raise DataError(f"`{key}` is for {of}", where=f"{where}, {key}", do=f"remove `{key}`, or fix `path`")
    if source.widths and source.delimiter:
        raise DataError("both `widths` and `delimiter` are given", where=where, do="remove one of them")


def _check_signs(raw: dict[str, Any], where: str) -> None:
    """Raise unless delimiter, decimal, thousands, encoding and sheet, where they are given, can be what they say."""
    delimiter, decimal, thousands = raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands")
    if delimiter is not None and not (
        delimiter == BLANKS or (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n')
    ):
        raise fields.unfit(
            delimiter, f"{where}, delimiter", 'one sign, such as ";" (a tab is "\\t" in double quotes), or `blanks`'
        )
    sign = thousands is None or (isinstance(thousands, str) and len(thousands) == 1 and thousands not in "+-")
    if decimal not in (".", ",") or thousands == decimal or not sign or (thousands or ".").isalnum():
        raise DataError(
            f"decimal {shown(decimal)} with thousands {shown(thousands)}", where=where,
            expected="decimal '.' or ',', thousands another sign, one that is no letter or digit",
        )  # fmt: skip
    encoding, sheet = raw.get("encoding", "utf-8"), raw.get("sheet", 0)
    if not _is_encoding(encoding):
        raise DataError(
            f"unknown encoding {shown(encoding)}", where=f"{where}, encoding",
            expected=f"one of: {', '.join(ENCODINGS)}, or another that Python knows",
        )  # fmt: skip
    listed = sheet if isinstance(sheet, list) and sheet else [sheet]
    if any(isinstance(s, bool) or not (isinstance(s, str) or (isinstance(s, int) and s >= 0)) for s in listed):
        raise fields.unfit(sheet, f"{where}, sheet", "a name, or a number from 0; for several a list of them, or `all`")


def _is_encoding(name: Any) -> bool:
    """Whether Python reads texts in an encoding; it also knows some that turn bytes into bytes, or names into names."""
    try:
        "".encode(name)
        return codecs.lookup(name).name.replace("_", "-") not in NO_TEXT
    except (LookupError, TypeError, ValueError):
        return False


def _form(raw: Any, where: str) -> Form:
    raw = {"path": raw} if isinstance(raw, str) else raw
    only_keys(raw, ("path", "sha256", "url", "member"), where=where, required=("path",))
    path, sha256 = fields.text(raw, "path", where), fields.optional(raw, "sha256", where)
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise DataError(
            f"the path {shown(path)} leaves the data folders", where=where,
            expected="a path inside data/raw/, data/ or the folder in CUSTOMERLAB_DATA", do="put the file there",
        )  # fmt: skip
    member = fields.optional(raw, "member", where)
    packed = path.lower().endswith(".zip")
    if packed and not member:
        raise DataError(
            f"{shown(path)} is a zip, and no file in it is named", where=where,
            do="add `member: sales.csv`, the name of the file that is wanted",
        )  # fmt: skip
    wanted = str(member) if packed else path
    if not wanted.lower().endswith(FORMATS) or any(len(part.encode()) > LONGEST_NAME for part in Path(path).parts):
        raise DataError(
            f"cannot read {shown(wanted)}", where=where,
            expected=f"a file that ends in {', '.join((*TEXTS, *RECORDS))} (also .gz), .xlsx, .parquet, or a .zip with a `member` that "
            f"does, and names of {LONGEST_NAME} bytes at most",
        )  # fmt: skip
    if any("**" in part and part != "**" for part in Path(path).parts):
        raise DataError(
            f"the path {shown(path)} has two stars within a name", where=where,
            expected="one, for any signs of a name; ** in place of a folder is for all below it",
        )  # fmt: skip
    if "*" in path and sha256:
        raise DataError(
            "a glob cannot have one checksum", where=where, do="remove sha256; rows, columns and span still hold"
        )
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise fields.unfit(sha256, f"{where}, sha256", "64 digits and letters a to f, as of sha256sum")
    url = fields.optional(raw, "url", where)
    if url:
        _check_url(path, url, f"{where}, url")
    return Form(path, sha256 and sha256.lower(), url, member)


def _check_url(path: str, url: str, where: str) -> None:
    """Raise unless an address is one of the web, without a secret in it, and its file has a name of its own."""
    check_literal(url, where, kind=DataError)
    if not re.match(r"https?://[^/\s]+|\$\{", url):
        raise DataError("this is no address of the web", where=where, expected="https://… (or http://…)")
    if "*" in path:
        raise DataError(
            "a path with * names many files, and an address one", where=where, do="remove `url`, or name the file"
        )
