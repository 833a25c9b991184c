"""The catalogue of data sets, `data/catalog.yml`: what each is, where its files are and how its columns map.

The format is described, with an example, in `data/README.md`.
"""

import difflib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from customerlab.data.clean import RULES, TAKES_BACK, rules_of_returns
from customerlab.data.project import CATALOG
from customerlab.data.secrets import check_literal
from customerlab.data.tables import COVARIATE, OUTCOME, TABLES, missing_columns
from customerlab.data.yaml_files import load_yaml, only_keys, suggest
from customerlab.errors import DataError

FORMATS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".xlsx", ".parquet")
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "cp437", "shift_jis", "gb18030")  # the usual
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


def load_catalog(root: Path) -> dict[str, DataSet]:
    """Read and check the whole catalogue.

    Returns
    -------
    dict of str to DataSet
        In the order of the file.

    Raises
    ------
    CustomerlabError
        Naming the entry and the key, when anything is unknown, missing or of the wrong kind.
    """
    raw = load_yaml(root / CATALOG, where=str(CATALOG))
    return {name: _data_set(str(name), value) for name, value in raw.items()}


def find_data_set(root: Path, name: str) -> DataSet:
    """Return one entry of the catalogue, or say which there are."""
    catalog = load_catalog(root)
    if name not in catalog:
        raise unknown_data_set(name, catalog, where=str(CATALOG))
    return catalog[name]


def unknown_data_set(name: str, catalog: dict[str, DataSet], *, where: str) -> DataError:
    """The error for a data set that the catalogue lacks: which there are, and the one that may be meant."""
    near = difflib.get_close_matches(name, catalog, n=1)
    return DataError(
        f"no data set is called {name!r}", where=where,
        expected=f"one of: {', '.join(catalog)}" + (f" (did you mean {near[0]}?)" if near else ""),
        do=f"name one of these, or add an entry {name} to {CATALOG} (data/README.md shows how)",
    )  # fmt: skip


def _data_set(name: str, raw: Any) -> DataSet:
    where = f"{CATALOG}, {name}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise DataError(f"{name!r} cannot name a data set", where=where, expected="letters, digits, _ and -")
    only_keys(
        raw,
        ("title", "licence", "citation", "shop", "files", "tables", "how_to_get"),
        where=where,
        required=("title", "files", "tables"),
    )
    sources = {
        key: _source(key, value, f"{where}, files, {key}") for key, value in _items(raw["files"], where, "files")
    }
    tables: dict[str, TableMap] = {}
    for table, value in _items(raw["tables"], where, "tables"):
        known = [name for name, declared in TABLES.items() if not declared.made_from]
        if table not in known:
            raise DataError(f"unknown table {table!r}", where=f"{where}, tables", expected=suggest(table, known))
        tables[table] = _table_map(table, value, sources, f"{where}, tables, {table}")
    sold = tables.get("transactions")
    if sold and any(name in TAKES_BACK for name, _ in sold.clean):
        tables["returns"] = replace(sold, clean=rules_of_returns(sold.clean))
    return DataSet(
        name,
        str(raw["title"]),
        _stated(raw, "licence", name),
        _stated(raw, "citation", name),
        sources,
        tables,
        str(raw.get("shop") or name),
        raw.get("how_to_get"),
    )


def _stated(raw: dict[str, Any], key: str, name: str) -> str:
    """What notebooks and pages say of a data set, as the end of a sentence."""
    return str(raw.get(key) or f"not stated (add {key} to {name} in {CATALOG})").strip().rstrip(".")


def _items(raw: Any, where: str, key: str) -> list[tuple[str, Any]]:
    if not isinstance(raw, dict) or not raw:
        raise DataError(f"found {raw!r}", where=f"{where}, {key}", expected="a mapping with at least one entry")
    return [(str(k), v) for k, v in raw.items()]


def _source(name: str, raw: Any, where: str) -> Source:
    if isinstance(raw, str):
        raw = {"path": raw}
    if isinstance(raw, dict) and "table" in raw:
        only_keys(raw, ("table",), where=where)
        return Source(name, (), table=str(raw["table"]))
    form_keys = ("path", "sha256", "url", "member")
    read_keys = ("delimiter", "decimal", "thousands", "encoding", "sheet")
    only_keys(raw, (*form_keys, "any_of", *read_keys, "rows", "columns", "span"), where=where)
    if ("any_of" in raw) == ("path" in raw):
        raise DataError("which file?", where=where, expected="either `path: …` or `any_of:` with a list of paths")
    listed = raw["any_of"] if "any_of" in raw else [{k: raw[k] for k in form_keys if k in raw}]
    if not isinstance(listed, list) or not listed:
        raise DataError(f"found {listed!r}", where=f"{where}, any_of", expected="a list with at least one path")
    forms = tuple(_form(item, where) for item in listed)
    _check_signs(raw, where)
    span = raw.get("span")
    if span is not None:
        only_keys(span, ("column", "first", "last"), where=f"{where}, span", required=("column", "first", "last"))
        span = (str(span["column"]), str(span["first"]), str(span["last"]))
    rows, columns = raw.get("rows"), raw.get("columns")
    if rows is not None and not (isinstance(rows, int) and rows > 0):
        raise DataError(f"found {rows!r}", where=f"{where}, rows", expected="a whole number above zero")
    if columns is not None and not isinstance(columns, list):
        raise DataError(f"found {columns!r}", where=f"{where}, columns", expected="a list of column names")
    return Source(
        name, forms, raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands"), raw.get("encoding", "utf-8"),
        raw.get("sheet", 0), rows, tuple(map(str, columns)) if columns else None, span,
    )  # fmt: skip


def _check_signs(raw: dict[str, Any], where: str) -> None:
    """Raise unless delimiter, decimal, thousands, encoding and sheet, where they are given, can be what they say."""
    delimiter, decimal, thousands = raw.get("delimiter"), raw.get("decimal", "."), raw.get("thousands")
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'):
        raise DataError(
            f"found {delimiter!r}",
            where=f"{where}, delimiter",
            expected='one sign, such as ";"; a tab is "\\t" in double quotes',
        )
    sign = thousands is None or (isinstance(thousands, str) and len(thousands) == 1 and thousands not in "+-")
    if decimal not in (".", ",") or thousands == decimal or not sign or (thousands or ".").isalnum():
        raise DataError(
            f"decimal {decimal!r} with thousands {thousands!r}",
            where=where,
            expected="decimal '.' or ',', thousands another sign, one that is no letter or digit",
        )
    encoding, sheet = raw.get("encoding", "utf-8"), raw.get("sheet", 0)
    try:
        "".encode(encoding)
    except (LookupError, TypeError):
        raise DataError(
            f"unknown encoding {encoding!r}",
            where=f"{where}, encoding",
            expected=f"one of: {', '.join(ENCODINGS)}, or another that Python knows",
        ) from None
    if isinstance(sheet, bool) or not (isinstance(sheet, str) or (isinstance(sheet, int) and sheet >= 0)):
        raise DataError(f"found {sheet!r}", where=f"{where}, sheet", expected="a name, or a number from 0")


def _form(raw: Any, where: str) -> Form:
    raw = {"path": raw} if isinstance(raw, str) else raw
    only_keys(raw, ("path", "sha256", "url", "member"), where=where, required=("path",))
    path = str(raw["path"])
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise DataError(
            f"the path {path!r} leaves the data folders", where=where,
            expected="a path inside data/raw/, data/ or the folder in CUSTOMERLAB_DATA", do="put the file there",
        )  # fmt: skip
    if not path.lower().endswith(FORMATS):
        raise DataError(f"cannot read {path!r}", where=where, expected=f"a file that ends in {', '.join(FORMATS)}")
    if "*" in path and raw.get("sha256"):
        raise DataError(
            "a glob cannot have one checksum", where=where, do="remove sha256; rows, columns and span still hold"
        )
    if raw.get("url") is not None:
        _check_url(path, raw["url"], f"{where}, url")
    return Form(path, raw.get("sha256"), raw.get("url"), raw.get("member"))


def _check_url(path: str, url: Any, where: str) -> None:
    """Raise unless an address is one of the web, without a secret in it, and its file has a name of its own."""
    check_literal(str(url), where, kind=DataError)
    if not re.match(r"https?://[^/\s]+|\$\{", str(url)):
        raise DataError("this is no address of the web", where=where, expected="https://… (or http://…)")
    if "*" in path:
        raise DataError(
            "a path with * names many files, and an address one",
            where=where,
            do="remove `url`, or name the file it gives",
        )


def _table_map(table: str, raw: Any, sources: dict[str, Source], where: str) -> TableMap:
    extra = ("outcomes", "covariates") if table == "experiment" else ()
    only_keys(raw, ("file", "columns", "clean", *extra), where=where, required=("columns",))
    source = raw.get("file") or (next(iter(sources)) if len(sources) == 1 else None)
    if source not in sources:
        raise DataError(f"file {source!r}", where=where, expected=suggest(source, sources))
    columns: dict[str, Mapped] = {}
    for name, value in _items(raw["columns"], where, "columns"):
        declared = TABLES[table].columns
        if name not in declared or declared[name].derived:
            known = [n for n, c in declared.items() if not c.derived]
            raise DataError(
                f"the table has no column {name!r}", where=f"{where}, columns", expected=suggest(name, known)
            )
        columns[name] = _mapped(value, f"{where}, columns, {name}")
    for prefix, key in ((OUTCOME, "outcomes"), (COVARIATE, "covariates")):
        listed = raw.get(key) or []
        if not isinstance(listed, list):
            raise DataError(f"found {listed!r}", where=f"{where}, {key}", expected="a list of columns of the file")
        columns |= {f"{prefix}{name}": Mapped(str(name)) for name in listed}
    if table == "experiment" and not raw.get("outcomes"):
        raise DataError("no outcome is named", where=where, do="add `outcomes: [ … ]`, columns that hold numbers")
    lacking = missing_columns(table, list(columns))
    if lacking:
        raise DataError(
            f"no column is mapped to {', '.join(lacking)}",
            where=f"{where}, columns",
            do=f"add `{lacking[0]}: <column of the file>`",
        )
    return TableMap(source, columns, tuple(_rule(item, table, f"{where}, clean") for item in raw.get("clean") or []))


def _mapped(raw: Any, where: str) -> Mapped:
    if isinstance(raw, dict):
        only_keys(raw, ("column", "format", "row_number"), where=where)
        if raw.get("row_number") is True and "column" not in raw:
            return Mapped(None)
        if not raw.get("column"):
            raise DataError(
                f"found {raw!r}",
                where=where,
                expected="`column: NAME`, with `format: …` for dates, or `row_number: true`",
            )
        pattern = raw.get("format")
        if pattern is not None:
            _check_format(pattern, f"{where}, format")
        return Mapped(str(raw["column"]), pattern)
    if raw is None:
        raise DataError("no column is named", where=where, expected="the name of a column of the file")
    return Mapped(str(raw))


def _check_format(pattern: Any, where: str) -> None:
    """Raise unless a date format is made of known signs and says the year."""
    if pattern == "epoch":
        return
    if re.search("%[zZ]", str(pattern)):
        raise DataError(
            f"the format {pattern!r} reads a zone, and a converted time is no longer the shop's own",
            where=where,
            do="leave the format out where dates begin 2024-12-31 (the zone is then dropped), or cut the zone in the file",
        )
    left = re.search("%-?.?", DATE_SIGNS.sub("", str(pattern)))
    year = re.search("%-?[yY]", str(pattern))
    if left or not year:
        raise DataError(
            f"unknown sign {left[0]!r} in the format {pattern!r}" if left else f"the format {pattern!r} has no year",
            where=where,
            expected="signs such as %d.%m.%Y %H:%M (data/README.md lists them), or epoch",
        )


def _rule(raw: Any, table: str, where: str) -> tuple[str, dict[str, Any]]:
    name, settings = next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, {})
    if not isinstance(name, str) or name not in RULES:
        known = [n for n, r in RULES.items() if not r.tables or table in r.tables]
        raise DataError(f"unknown cleaning rule {name!r}", where=where, expected=suggest(name, known))
    rule = RULES[name]
    if rule.tables and table not in rule.tables:
        raise DataError(
            f"the rule {name} is not for {table}", where=where, expected=f"tables: {', '.join(rule.tables)}"
        )
    only_keys(settings, rule.settings, where=f"{where}, {name}")
    for key, value in settings.items():
        usual = rule.settings[key]
        if isinstance(value, bool) or not isinstance(value, str if isinstance(usual, str) else int | float):
            kind = "a text, in quotes where it looks like a number" if isinstance(usual, str) else "a number"
            raise DataError(f"found {value!r}", where=f"{where}, {name}, {key}", expected=kind)
    return name, {**rule.settings, **settings}
