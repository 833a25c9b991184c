"""The catalogue of data sets, `data/catalog.yml`: what each is, where its files are and how its columns map.

The format is described, with an example, in `data/README.md`.
"""

import codecs
import difflib
import math
import re
from collections import UserDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from customerlab.data.clean import RETURN_RULES, RULES, rules_of_returns
from customerlab.data.project import CATALOG
from customerlab.data.secrets import check_literal
from customerlab.data.tables import COVARIATE, OUTCOME, TABLES
from customerlab.data.yaml_files import load_yaml, only_keys, suggest
from customerlab.errors import DataError, shown

FORMATS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".xlsx", ".parquet")
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "cp437", "shift_jis", "gb18030")  # the usual
LONGEST_NAME = 240  # bytes of a file's name; systems take 255, and a download has another beginning
NO_TEXT = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")  # Python has them beside encodings
# The signs of a date format. Those of a zone are not among them: a converted time is no longer the shop's own.
DATE_SIGNS = re.compile(r"%(-?[dmyHIMSj]|[YpbBaAf%])")


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


@dataclass(frozen=True)
class Mapped:
    """Where a canonical column comes from: a column of the file (with a date format), or the row's number (None)."""

    column: str | None
    format: str | None = None


@dataclass(frozen=True)
class TableMap:
    """How one canonical table is made: the source, the column map, and the cleaning rules with their settings."""

    source: str
    columns: dict[str, Mapped]
    clean: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True)
class DataSet:
    """One entry of the catalogue."""

    name: str
    title: str
    licence: str
    citation: str
    sources: dict[str, Source]
    tables: dict[str, TableMap]
    shop: str  # entries of one shop have one; its own name where nothing is said
    how_to_get: str | None = None
    currency: str = ""  # of all its money, by ISO 4217; empty where nothing is said


class Catalog(UserDict[str, DataSet]):
    """The entries of the catalogue in the order of the file, each read and checked when it is asked for.

    So an entry that is wrong concerns only who asks for it, by a CustomerlabError that names the entry and the key.
    """

    def __getitem__(self, name: str) -> DataSet:
        if not isinstance(self.data[name], DataSet):
            self.data[name] = _data_set(name, self.data[name])
        return self.data[name]


def load_catalog(root: Path) -> Catalog:
    """Open the catalogue; a CustomerlabError where it is not YAML as the project's files have it."""
    return Catalog(load_yaml(root / CATALOG, where=str(CATALOG)))


def find_data_set(root: Path, name: str) -> DataSet:
    """Return one entry of the catalogue, or say which there are."""
    catalog = load_catalog(root)
    if name not in catalog:
        raise unknown_data_set(name, catalog, where=str(CATALOG))
    return catalog[name]


def unknown_data_set(name: str, catalog: Iterable[str], *, where: str) -> DataError:
    """The error for a data set that the catalogue lacks: which there are, and the one that may be meant."""
    near = difflib.get_close_matches(name, list(catalog), n=1)
    return DataError(
        f"no data set is called {shown(name)}", where=where,
        expected=f"one of: {', '.join(catalog)}" + (f" (did you mean {near[0]}?)" if near else ""),
        do=f"name one of these, or add an entry {name} to {CATALOG} (data/README.md shows how)",
    )  # fmt: skip


def _data_set(name: str, raw: Any) -> DataSet:
    where = f"{CATALOG}, {name}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise DataError(
            f"{shown(name)} cannot name a data set", where=str(CATALOG), expected="letters, digits, _ and -, at most 64"
        )
    only_keys(
        raw, ("title", "licence", "citation", "currency", "shop", "files", "tables", "how_to_get"), where=where,
        required=("title", "files", "tables"),
    )  # fmt: skip
    sources = {
        key: _source(key, value, f"{where}, files, {key}") for key, value in _items(raw["files"], where, "files")
    }
    tables: dict[str, TableMap] = {}
    for table, value in _items(raw["tables"], where, "tables"):
        known = [name for name, declared in TABLES.items() if not declared.made_from]
        if table not in known:
            raise DataError(f"unknown table {shown(table)}", where=f"{where}, tables", expected=suggest(table, known))
        tables[table] = _table_map(table, value, sources, f"{where}, tables, {table}")
    sold = tables.get("transactions")
    if sold and any(name in RETURN_RULES for name, _ in sold.clean):
        tables["returns"] = replace(sold, clean=rules_of_returns(sold.clean))
    return DataSet(
        name, _text(raw, "title", where), _stated(raw, "licence", where), _stated(raw, "citation", where), sources,
        tables, _optional(raw, "shop", where) or name, _optional(raw, "how_to_get", where),
        _currency(raw, where),
    )  # fmt: skip


def _unfit(value: Any, where: str, expected: str) -> DataError:
    return DataError(f"found {shown(value)}", where=where, expected=expected)


def _text(raw: dict[str, Any], key: str, where: str) -> str:
    """A text; a whole number counts as one, because names such as 2024 are written like that."""
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise _unfit(value, f"{where}, {key}", "a text, in quotes where it looks like something else")
    return str(value)


def _optional(raw: dict[str, Any], key: str, where: str) -> str | None:
    return None if raw.get(key) in (None, "") else _text(raw, key, where)


def _stated(raw: dict[str, Any], key: str, where: str) -> str:
    """What notebooks and pages say of a data set, as the end of a sentence."""
    stated = _optional(raw, key, where) or f"not stated (add {key} to {where.rpartition(', ')[2]} in {CATALOG})"
    return stated.strip().rstrip(".")


def _currency(raw: dict[str, Any], where: str) -> str:
    found = _optional(raw, "currency", where) or ""
    if found and not re.fullmatch("[A-Z]{3}", found):
        raise _unfit(found, f"{where}, currency", "the three capital letters of ISO 4217, such as EUR, GBP or USD")
    return found


def _list(raw: dict[str, Any], key: str, where: str, of: str) -> list[Any]:
    value = raw.get(key)
    if value is not None and not isinstance(value, list):
        raise _unfit(value, f"{where}, {key}", f"a list of {of}: `{key}: [ … ]`")
    return value or []


def _names(raw: dict[str, Any], key: str, where: str) -> list[str]:
    """The names of columns in a list."""
    listed = _list(raw, key, where, "columns of the file")
    return [_text({str(place): name}, str(place), f"{where}, {key}, item") for place, name in enumerate(listed, 1)]


def _items(raw: Any, where: str, key: str) -> list[tuple[str, Any]]:
    if not isinstance(raw, dict) or not raw:
        raise _unfit(raw, f"{where}, {key}", "a mapping with at least one entry")
    return list(raw.items())


def _source(name: str, raw: Any, where: str) -> Source:
    if isinstance(raw, str):
        raw = {"path": raw}
    if isinstance(raw, dict) and "table" in raw:
        only_keys(raw, ("table",), where=where)
        return Source(name, (), table=_text(raw, "table", where))
    form_keys = ("path", "sha256", "url", "member")
    read_keys = ("delimiter", "decimal", "thousands", "encoding", "sheet")
    only_keys(raw, (*form_keys, "any_of", *read_keys, "rows", "columns", "span"), where=where)
    if ("any_of" in raw) == ("path" in raw):
        raise DataError("which file?", where=where, expected="either `path: …` or `any_of:` with a list of paths")
    listed = _list(raw, "any_of", where, "paths") if "any_of" in raw else [{k: raw[k] for k in form_keys if k in raw}]
    if not listed:
        raise DataError("the list is empty", where=f"{where}, any_of", expected="at least one path")
    forms = tuple(_form(item, where) for item in listed)
    _check_signs(raw, where)
    span = None
    if raw.get("span") is not None:
        first_last = ("column", "first", "last")
        only_keys(raw["span"], first_last, where=f"{where}, span", required=first_last)
        column, first, last = (_text(raw["span"], key, f"{where}, span") for key in first_last)
        span = (column, first, last)
    rows = raw.get("rows")
    if rows is not None and (isinstance(rows, bool) or not (isinstance(rows, int) and rows > 0)):
        raise _unfit(rows, f"{where}, rows", "a whole number above zero")
    return Source(
        name, forms, raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands"), raw.get("encoding", "utf-8"),
        raw.get("sheet", 0), rows, tuple(_names(raw, "columns", where)) or None, span,
    )  # fmt: skip


def _check_signs(raw: dict[str, Any], where: str) -> None:
    """Raise unless delimiter, decimal, thousands, encoding and sheet, where they are given, can be what they say."""
    delimiter, decimal, thousands = raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands")
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'):
        raise _unfit(delimiter, f"{where}, delimiter", 'one sign, such as ";"; a tab is "\\t" in double quotes')
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
        raise _unfit(sheet, f"{where}, sheet", "a name, or a number from 0")


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
    path, sha256 = _text(raw, "path", where), _optional(raw, "sha256", where)
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
        raise _unfit(sha256, f"{where}, sha256", "64 digits and letters a to f, as of sha256sum")
    url = _optional(raw, "url", where)
    if url:
        _check_url(path, url, f"{where}, url")
    return Form(path, sha256 and sha256.lower(), url, _optional(raw, "member", where))


def _check_url(path: str, url: str, where: str) -> None:
    """Raise unless an address is one of the web, without a secret in it, and its file has a name of its own."""
    check_literal(url, where, kind=DataError)
    if not re.match(r"https?://[^/\s]+|\$\{", url):
        raise DataError("this is no address of the web", where=where, expected="https://… (or http://…)")
    if "*" in path:
        raise DataError(
            "a path with * names many files, and an address one", where=where, do="remove `url`, or name the file"
        )


def _table_map(table: str, raw: Any, sources: dict[str, Source], where: str) -> TableMap:
    extra = ("outcomes", "covariates") if table == "experiment" else ()
    only_keys(raw, ("file", "columns", "clean", *extra), where=where, required=("columns",))
    source = _optional(raw, "file", where) or (next(iter(sources)) if len(sources) == 1 else "")
    if source not in sources:
        raise DataError(f"file {shown(source)}", where=where, expected=suggest(source, sources))
    columns: dict[str, Mapped] = {}
    declared = TABLES[table].columns
    for name, value in _items(raw["columns"], where, "columns"):
        if name not in declared or declared[name].derived:
            known = [n for n, c in declared.items() if not c.derived]
            raise DataError(
                f"the table has no column {shown(name)}", where=f"{where}, columns", expected=suggest(name, known)
            )
        columns[name] = _mapped(value, f"{where}, columns, {name}")
    for prefix, key in ((OUTCOME, "outcomes"), (COVARIATE, "covariates")):
        columns |= {f"{prefix}{name}": Mapped(name) for name in _names(raw, key, where)}
    if table == "experiment" and not raw.get("outcomes"):
        raise DataError("no outcome is named", where=where, do="add `outcomes: [ … ]`, columns that hold numbers")
    lacking = [n for n, c in declared.items() if not (c.optional or c.derived) and n not in columns]
    if lacking:
        raise DataError(
            f"no column is mapped to {', '.join(lacking)}", where=f"{where}, columns",
            do=f"add `{lacking[0]}: <column of the file>`",
        )  # fmt: skip
    rules = _list(raw, "clean", where, "cleaning rules")
    return TableMap(source, columns, tuple(_rule(item, table, f"{where}, clean") for item in rules))


def _mapped(raw: Any, where: str) -> Mapped:
    if isinstance(raw, dict):
        only_keys(raw, ("column", "format", "row_number"), where=where)
        if raw.get("row_number") is True and "column" not in raw:
            return Mapped(None)
        if not raw.get("column"):
            raise _unfit(raw, where, "`column: NAME`, with `format: …` for dates, or `row_number: true`")
        pattern = _optional(raw, "format", where)
        if pattern is not None:
            _check_format(pattern, f"{where}, format")
        return Mapped(_text(raw, "column", where), pattern)
    if raw is None:
        raise DataError("no column is named", where=where, expected="the name of a column of the file")
    above, _, name = where.rpartition(", ")
    return Mapped(_text({name: raw}, name, above))


def _check_format(pattern: str, where: str) -> None:
    """Raise unless a date format is made of known signs and says the year."""
    if pattern == "epoch":
        return
    if re.search("%[zZ]", pattern):
        raise DataError(
            f"the format {shown(pattern)} reads a zone, and a converted time is no longer the shop's own", where=where,
            do="leave the format out where dates begin 2024-12-31 (the zone is then dropped), or cut the zone in the file",
        )  # fmt: skip
    left = re.search("%-?.?", DATE_SIGNS.sub("", pattern))
    year = re.search("%-?[yY]", pattern)
    if left or not year:
        raise DataError(
            f"unknown sign {left[0]!r} in the format {shown(pattern)}"
            if left
            else f"the format {shown(pattern)} has no year", where=where,
            expected="signs such as %d.%m.%Y %H:%M (data/README.md lists them), or epoch",
        )  # fmt: skip


def _rule(raw: Any, table: str, where: str) -> tuple[str, dict[str, Any]]:
    name, settings = next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, {})
    if not isinstance(name, str) or name not in RULES:
        known = [n for n, r in RULES.items() if not r.tables or table in r.tables]
        raise DataError(f"unknown cleaning rule {shown(name)}", where=where, expected=suggest(name, known))
    rule = RULES[name]
    if rule.tables and table not in rule.tables:
        raise DataError(
            f"the rule {name} is not for {table}", where=where, expected=f"tables: {', '.join(rule.tables)}"
        )
    only_keys(settings, rule.settings, where=f"{where}, {name}")
    for key, value in settings.items():
        usual = rule.settings[key]
        fits = isinstance(value, str if isinstance(usual, str) else int | float) and not isinstance(value, bool)
        if not fits or (isinstance(value, float) and not math.isfinite(value)):
            kind = "a text, in quotes where it looks like a number" if isinstance(usual, str) else "a number"
            raise _unfit(value, f"{where}, {name}, {key}", kind)
    return name, {**rule.settings, **settings}
