"""Tiers, and fixtures: the project, a copy of it to write into, one run of it, and the real data where it is found.

`make check` runs the tests that have no mark; `make test` those marked `slow` as well; `make test-all` the `thorough`
ones besides, and `make test-weekly` the `weekly` ones, which no other command runs. `FOLDERS` says what a folder's
tests are where they have no mark of their own; what takes Spark or Online Retail is `thorough` everywhere.
"""

import atexit
import gc
import os
import sys
from pathlib import Path

# Threads that wait for one another sleep: where other work runs too, spinning takes most of the time of a clustering.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
from hypothesis import settings

import customerlab.workbench.cli  # noqa: F401 - before nbformat, which would build a grammar of addresses for seconds
from customerlab.data.catalog import find_data_set
from customerlab.data.fetch import locate
from customerlab.data.prepare import Prepared, prepare
from helpers import ROOT, call, copy_project, listen

FOLDERS = {
    "unit": None, "property": None, "notebooks": None, "golden": "slow", "engines": "slow", "headless": "slow",
    "recovery": "thorough",
}  # fmt: skip
ONCE = ("spark", "demo_run")  # fixtures that are made once: all tests of one stay with one worker

# A test that fails, fails for what was changed: the examples are the same every time, but for `make fuzz`.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("few", settings.get_profile("steady"), max_examples=15)
settings.register_profile("odd", deadline=None)
settings.load_profile("steady")


# Expressions are millions of small objects, and most of what is imported stays: collecting as often as Python does by
# itself takes a twelfth of the time of the tests of engines.
gc.set_threshold(100_000, 50, 1_000)

_sessions: list[pytest.Session] = []


def pytest_collection_finish() -> None:
    """Leave what has been imported out of every collection from now on."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remember what the tests end with."""
    _sessions.append(session)


@atexit.register
def _end() -> None:
    """End before the interpreter takes its modules apart: after any test of hypothesis it leaves some of DuckDB's.

    DuckDB 2.0 then reports dozens of "leaked" bindings below the summary (test_disclosure.py after
    test_clustering_features.py does, neither does alone).
    """
    if _sessions:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(_sessions[-1].exitstatus))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its tier, and its worker: that of its module, or of what it shares with tests of others."""
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        asked = {*item.fixturenames, *map(str, values)}
        own = FOLDERS[item.path.relative_to(ROOT / "tests").parts[0]]
        if asked & {"spark", "online_retail"}:
            item.add_marker("thorough")
        elif own and not any(item.get_closest_marker(tier) for tier in ("slow", "thorough")):
            item.add_marker(own)
        item.add_marker(pytest.mark.xdist_group(next((name for name in ONCE if name in asked), item.path.stem)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project itself."""
    return ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh copy of the project."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory):
    """A copy of the project in which the demo has been run once, and what was said; tests only read it."""
    project = copy_project(tmp_path_factory.mktemp("demo") / "project")
    return project, call(project, "customerlab", "run")


@pytest.fixture(scope="session")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to read."""
    return copy_project(tmp_path_factory.mktemp("slim") / "project")


@pytest.fixture(scope="session")
def real_table(tmp_path_factory: pytest.TempPathFactory):
    """Prepare a table of a published data set, or skip where its file is not on this machine."""
    folder = tmp_path_factory.mktemp("real")

    def get(data_set: str, table: str) -> Prepared:
        entry = find_data_set(ROOT, data_set)
        source = entry.sources[entry.tables[table].source]
        if locate(ROOT, source) is None:
            pytest.skip(
                f"{source.forms[0].path} is not on this machine (set CUSTOMERLAB_DATA, or put it into data/raw/)"
            )
        return prepare(ROOT, folder / data_set, table, data_set)

    return get


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that a notebook shows, as text."""
    return listen(monkeypatch)
