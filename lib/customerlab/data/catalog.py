"""The catalogue of data sets, `data/catalog.yml`: what each is, where its files are and how its columns map.

The format is described, with an example, in `data/README.md`.
"""

import difflib
import re
from collections import UserDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from customerlab.data import fields
from customerlab.data.clean import RETURN_RULES, rules_of_returns
from customerlab.data.mapping import TableMap, table_map_of
from customerlab.data.project import CATALOG
from customerlab.data.shapes import check_map, declared_returns
from customerlab.data.sources import Source, source_of
from customerlab.data.tables import TABLES
from customerlab.data.yaml_files import load_yaml, only_keys, suggest
from customerlab.errors import DataError, shown


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

    def sources_of(self, table: str) -> list[Source]:
        """The sources of a table: first the one whose rows it has, then those that are joined to it."""
        return [self.sources[name] for name in self.tables[table].sources]


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
        key: source_of(key, value, f"{where}, files, {key}")
        for key, value in fields.items(raw["files"], where, "files")
    }
    tables: dict[str, TableMap] = {}
    currency = _currency(raw, where)
    for table, value in fields.items(raw["tables"], where, "tables"):
        if table not in TABLES:
            raise DataError(f"unknown table {shown(table)}", where=f"{where}, tables", expected=suggest(table, TABLES))
        tables[table] = table_map_of(table, value, sources, f"{where}, tables, {table}", currency)
        check_map(table, tables[table], f"{where}, tables, {table}")
    sold = tables.get("transactions")
    if "returns" in tables:
        tables["returns"] = declared_returns(tables["returns"], sold, f"{where}, tables, returns")
    elif sold and any(name in RETURN_RULES for name, _ in sold.clean):
        tables["returns"] = replace(sold, clean=rules_of_returns(sold.clean))
    return DataSet(
        name, fields.text(raw, "title", where), _stated(raw, "licence", where), _stated(raw, "citation", where), sources,
        tables, fields.optional(raw, "shop", where) or name, fields.optional(raw, "how_to_get", where),
        currency,
    )  # fmt: skip


def _stated(raw: dict[str, Any], key: str, where: str) -> str:
    """What notebooks and pages say of a data set, as the end of a sentence."""
    stated = fields.optional(raw, key, where) or f"not stated (add {key} to {where.rpartition(', ')[2]} in {CATALOG})"
    return stated.strip().rstrip(".")


def _currency(raw: dict[str, Any], where: str) -> str:
    found = fields.optional(raw, "currency", where) or ""
    if found and not re.fullmatch("[A-Z]{3}", found):
        raise fields.unfit(
            found, f"{where}, currency", "the three capital letters of ISO 4217, such as EUR, GBP or USD"
        )
    return found
