"""The files of a catalogue's entry: which, in what form, and how each is read."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customerlab.data import fields
from customerlab.data.secrets import check_literal
from customerlab.data.yaml_files import only_keys
from customerlab.errors import DataError, shown

FORMATS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".xlsx", ".parquet")
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "cp437", "shift_jis", "gb18030")  # the usual
LONGEST_NAME = 240  # bytes of a file's name; systems take 255, and a download has another beginning
NO_TEXT = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")  # Python has them beside encodings


@dataclass(frozen=True)
class Form:
    """One form in which a file may be found: a path (or a glob of many), its checksum and where it is published."""

    path: str
    sha256: str | None = None
    url: str | None = None
    member: str | None = None  # the file wanted from the zip at `url`


@dataclass(frozen=True)
class Source:
    """One file, or a glob of files of one shape: its forms in order of preference, how to read it, what it holds."""

    name: str
    forms: tuple[Form, ...]
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    sheet: str | int = 0
    rows: int | None = None
    columns: tuple[str, ...] | None = None
    span: tuple[str, str, str] | None = None  # column, first, last
    table: str | None = None  # a table of the run's engine in place of files; then there are no forms


def source_of(name: str, raw: Any, where: str) -> Source:
    """A file of an entry as its keys say; a DataError where they cannot be meant."""
    if isinstance(raw, str):
        raw = {"path": raw}
    if isinstance(raw, dict) and "table" in raw:
        only_keys(raw, ("table",), where=where)
        return Source(name, (), table=fields.text(raw, "table", where))
    form_keys = ("path", "sha256", "url", "member")
    read_keys = ("delimiter", "decimal", "thousands", "encoding", "sheet")
    only_keys(raw, (*form_keys, "any_of", *read_keys, "rows", "columns", "span"), where=where)
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
    return Source(
        name, forms, raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands"), raw.get("encoding", "utf-8"),
        raw.get("sheet", 0), rows, tuple(fields.names(raw, "columns", where)) or None, span,
    )  # fmt: skip


def _check_signs(raw: dict[str, Any], where: str) -> None:
    """Raise unless delimiter, decimal, thousands, encoding and sheet, where they are given, can be what they say."""
    delimiter, decimal, thousands = raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands")
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'):
        raise fields.unfit(delimiter, f"{where}, delimiter", 'one sign, such as ";"; a tab is "\\t" in double quotes')
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
    if isinstance(sheet, bool) or not (isinstance(sheet, str) or (isinstance(sheet, int) and sheet >= 0)):
        raise fields.unfit(sheet, f"{where}, sheet", "a name, or a number from 0")


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
    if not path.lower().endswith(FORMATS) or any(len(part.encode()) > LONGEST_NAME for part in Path(path).parts):
        raise DataError(
            f"cannot read {shown(path)}", where=where,
            expected=f"a file that ends in {', '.join(FORMATS)}, and names of {LONGEST_NAME} bytes at most",
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
    return Form(path, sha256 and sha256.lower(), url, fields.optional(raw, "member", where))


def _check_url(path: str, url: str, where: str) -> None:
    """Raise unless an address is one of the web, without a secret in it, and its file has a name of its own."""
    check_literal(url, where, kind=DataError)
    if not re.match(r"https?://[^/\s]+|\$\{", url):
        raise DataError("this is no address of the web", where=where, expected="https://… (or http://…)")
    if "*" in path:
        raise DataError(
            "a path with * names many files, and an address one", where=where, do="remove `url`, or name the file"
        )
