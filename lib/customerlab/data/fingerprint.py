"""Digests of code: what a notebook or a step computes with, so that only a change of it asks for a rerun.

Only code counts. Comments, docstrings and layout do not, nor do outputs saved in a notebook.
"""

import ast
import dataclasses
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from customerlab.data.catalog import DataSet
from customerlab.data.project import DigestCache, read_sealed, text_digest, write_sealed

PACKAGE = "customerlab"
# To parse all modules takes a second, so what was found is remembered by their content, where Python remembers its own.
MEMORY = Path(__file__).parent / "__pycache__" / f"normal_forms.{sys.implementation.cache_tag}.json"
MOST = 2_000  # sources that are remembered
_new: list[str] = []  # those that are not in the file yet
_parsing = Lock()


def tree(source: str) -> ast.Module:
    """The tree of Python source, made by one thread at a time.

    CPython 3.11 keeps the depth of the tree that it makes for all threads together, and where garbage is collected
    half-way another one may go on: a SystemError of a "recursion depth mismatch" (python/cpython#106905).
    """
    with _parsing:
        return ast.parse(source)


@lru_cache(MOST)
def normal_form(source: str) -> str:
    """Python source reduced to what it computes: no comments, no docstrings, no layout.

    Examples
    --------
    >>> normal_form("x = 1  # one") == normal_form("x   =   1")
    True
    """
    parsed = tree(source)
    for node in ast.walk(parsed):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    return ast.dump(parsed)


@cache
def _module_file(module: str) -> Path | None:
    # by path: importlib would import a module's parents to find it, and with them seaborn and ibis
    base = Path(__file__).parents[1].joinpath(*module.split(".")[1:])
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


@cache
def _parsed(file: Path) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """The digest of a module's normal form, and what it imports."""
    source = file.read_text(encoding="utf-8")
    known, key = _memory(), text_digest(source)
    if key not in known:
        known[key] = [text_digest(normal_form(source)), imports(source)]
        _new.append(key)
    digest, found = known[key]
    return digest, tuple((module, tuple(names)) for module, names in found)


@cache
def _memory() -> dict[str, Any]:
    with suppress(OSError):  # another user's
        return (read_sealed(MEMORY) or {}).get("sources", {}) | {}
    return {}


def imports(source: str) -> list[tuple[str, tuple[str, ...]]]:
    """The modules of this package that a source imports, each with the names taken from it."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names if alias.name.split(".")[0] == PACKAGE]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            found.append((node.module, tuple(alias.name for alias in node.names)))
    return found


def _targets(module: str, names: tuple[str, ...]) -> list[str]:
    """The modules behind `from module import names`: submodules, the homes of lazy names, or the module itself."""
    import customerlab

    if module == PACKAGE and names:
        return [customerlab.HOMES[name].partition(":")[0] if name in customerlab.HOMES else module for name in names]
    submodules = [f"{module}.{name}" for name in names if _module_file(f"{module}.{name}")]
    return [*submodules, module]


def reached(sources: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    """All modules of this package that some imports reach, directly or through one another."""
    waiting = [target for module, names in sources for target in _targets(module, names)]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        file = _module_file(module)
        if module in seen or file is None:
            continue
        seen.add(module)
        waiting += [target for name, names in _parsed(file)[1] for target in _targets(name, names)]
    return sorted(seen)


def code_digest(modules: Iterable[str]) -> str:
    """Digest of the code of some modules and of all that they import from this package."""
    texts: list[str] = []
    for module in reached((module, ()) for module in modules):
        file = _module_file(module)
        assert file is not None
        texts += [module, _parsed(file)[0]]
    if _new:
        _new.clear()
        with suppress(OSError):  # no right to write, or no room: it is found again
            write_sealed(MEMORY, {"sources": dict(list(_memory().items())[-MOST:])})
    return text_digest(*texts)


def table_fingerprint(data_set: DataSet, table: str, digests: list[str]) -> str:
    """What decides whether a prepared table is up to date: its part of the entry, the code that makes it, and the
    SHA-256 of its files in order, `digests`, those that are joined as well.
    """
    sources = [dataclasses.asdict(source) for source in data_set.sources_of(table)]
    # a table's report holds them, and notebooks show them
    said = [data_set.title, data_set.licence, data_set.citation, data_set.currency]
    declared = [sources, dataclasses.asdict(data_set.tables[table]), *said]
    return text_digest(table, json.dumps(declared, sort_keys=True), *digests, code_digest(["customerlab.data.prepare"]))


def report_of(target: Path, fingerprint: str, cache: DigestCache, *, anew: bool = False) -> dict[str, Any] | None:
    """The report beside the parquet file `target`, if the table has the wanted `fingerprint` and nobody has changed it.

    `anew`: read the whole file, whatever `cache` remembers of it.
    """
    report = read_sealed(target.with_suffix(".json"))
    if not report or report["fingerprint"] != fingerprint or not target.is_file():
        return None
    return report if cache.digest(target, anew=anew) == report["sha256"] else None
