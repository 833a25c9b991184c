"""Fixtures: the project, a copy of it to write into, and the real data where it is found."""

import os
from pathlib import Path

# Threads that wait for one another sleep: where other work runs too, spinning takes most of the time of a clustering.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest

from customerlab.data.catalog import find_data_set
from customerlab.data.fetch import locate
from customerlab.data.prepare import Prepared, prepare
from helpers import ROOT, as_read, call, copy_project


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
    from customerlab.workbench import display

    shown: list[str] = []

    def keep(item, **_):
        shown.append(item["text/plain"] if isinstance(item, dict) else as_read(item.data))

    monkeypatch.setattr(display, "display", keep)
    return shown
