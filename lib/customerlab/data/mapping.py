"""The tables of a catalogue's entry: where each canonical column comes from, and what cleaning removes."""

import math
import re
from dataclasses import dataclass
from typing import Any

from customerlab.data import fields
from customerlab.data.clean import RULES
from customerlab.data.sources import Source
from customerlab.data.tables import COVARIATE, OUTCOME, TABLES
from customerlab.data.yaml_files import only_keys, suggest
from customerlab.errors import DataError, shown

# The signs of a date format. Those of a zone are not among them: a converted time is no longer the shop's own.
DATE_SIGNS = re.compile(r"%(-?[dmyHIMSj]|[YpbBaAf%])")


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


def table_map_of(table: str, raw: Any, sources: dict[str, Source], where: str) -> TableMap:
    """A table of an entry as its keys say; a DataError where they cannot be meant."""
    extra = ("outcomes", "covariates") if table == "experiment" else ()
    only_keys(raw, ("file", "columns", "clean", *extra), where=where, required=("columns",))
    source = fields.optional(raw, "file", where) or (next(iter(sources)) if len(sources) == 1 else "")
    if source not in sources:
        raise DataError(f"file {shown(source)}", where=where, expected=suggest(source, sources))
    columns: dict[str, Mapped] = {}
    declared = TABLES[table].columns
    for name, value in fields.items(raw["columns"], where, "columns"):
        if name not in declared or declared[name].derived:
            known = [n for n, c in declared.items() if not c.derived]
            raise DataError(
                f"the table has no column {shown(name)}", where=f"{where}, columns", expected=suggest(name, known)
            )
        columns[name] = _mapped(value, f"{where}, columns, {name}")
    for prefix, key in ((OUTCOME, "outcomes"), (COVARIATE, "covariates")):
        columns |= {f"{prefix}{name}": Mapped(name) for name in fields.names(raw, key, where)}
    if table == "experiment" and not raw.get("outcomes"):
        raise DataError("no outcome is named", where=where, do="add `outcomes: [ … ]`, columns that hold numbers")
    lacking = [n for n, c in declared.items() if not (c.optional or c.derived) and n not in columns]
    if lacking:
        raise DataError(
            f"no column is mapped to {', '.join(lacking)}", where=f"{where}, columns",
            do=f"add `{lacking[0]}: <column of the file>`",
        )  # fmt: skip
    rules = fields.listed(raw, "clean", where, "cleaning rules")
    return TableMap(source, columns, tuple(_rule(item, table, f"{where}, clean") for item in rules))


def _mapped(raw: Any, where: str) -> Mapped:
    if isinstance(raw, dict):
        only_keys(raw, ("column", "format", "row_number"), where=where)
        if raw.get("row_number") is True and "column" not in raw:
            return Mapped(None)
        if not raw.get("column"):
            raise fields.unfit(raw, where, "`column: NAME`, with `format: …` for dates, or `row_number: true`")
        pattern = fields.optional(raw, "format", where)
        if pattern is not None:
            _check_format(pattern, f"{where}, format")
        return Mapped(fields.text(raw, "column", where), pattern)
    if raw is None:
        raise DataError("no column is named", where=where, expected="the name of a column of the file")
    above, _, name = where.rpartition(", ")
    return Mapped(fields.text({name: raw}, name, above))


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
            raise fields.unfit(value, f"{where}, {name}, {key}", kind)
    return name, {**rule.settings, **settings}
