"""Odd inputs of every kind: only a result or a `CustomerlabError` comes of them, soon, and nothing half-written stays.

`make fuzz` plays 20,000 of them through (FUZZ=20000); the usual tests play the same few hundred every time.
"""

import gzip
import http.server
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, strategies as st

from customerlab.data.catalog import load_catalog
from customerlab.data.fetch import fetch, obtainable
from customerlab.data.prepare import prepare
from customerlab.data.project import read_json, write_sealed
from customerlab.workbench.manifest import entry
from customerlab.workbench.notebook import Notebook
from customerlab.workbench.parameters import parse_parameters
from customerlab.workbench.plan import Plan, make_plan
from customerlab.workbench.publish import OPENED, publish, records
from customerlab.workbench.run import STAGING, Run
from customerlab.workbench.runner import prepare_tables
from customerlab.workbench.standing import rendered, standings
from helpers import copy_project, served
from odd import FRAGMENTS, as_json, changed_bytes, changed_nodes, odd, put, result_or_message, share, written

pytestmark = pytest.mark.thorough
# --- the project that they are put into ---

ENTRIES = """
shop:
  title: A shop
  licence: CC0
  citation: our till
  how_to_get: ask
  shop: shop
  files:
    log: {path: log.csv, delimiter: ";", decimal: ",", thousands: ".", encoding: utf-8, rows: 8, columns: [c, o, d, p, q, u]}
    many: {path: "log-*.csv"}
    forms: {any_of: [{path: a.parquet, url: "http://127.0.0.1:9/a.parquet"}, {path: a.zip.csv, member: a.csv}], sheet: 0}
  tables:
    transactions:
      file: log
      columns: {customer_id: c, order_id: o, ordered_at: {column: d, format: "%d.%m.%Y"}, product_id: p, quantity: q, unit_price: u}
      clean: [customer_missing, {order_cancelled: {prefix: S}}, {quantity_too_large: {most: 1000}}, exact_repeat]
    products: {file: log, columns: {product_id: p, description: u}}
test:
  title: A test
  files: {mails: {path: mails.csv, span: {column: d, first: "2024-01-01 00:00:00", last: "2024-01-08 00:00:00"}}}
  tables:
    experiment:
      columns: {unit_id: {row_number: true}, variant: v, assigned_at: d}
      outcomes: [visit, spend]
      covariates: [age]
"""
LOG = "c;o;d;p;q;u\n" + "".join(f"c{n % 3};o{n};0{n + 1}.01.2024;p{n % 4};{n + 1};1.249,50\n" for n in range(8))
MAILS = "v,d,visit,spend,age\n" + "".join(f"{'ab'[n % 2]},2024-01-0{n + 1},{n % 2},{n}.5,{n + 20}\n" for n in range(8))
PARAMS = """
run: fuzz
data: shop
experiment: test
as_of: "2024-01-09"
product_pattern: "^p"
rfm_bins: 3
recency_cuts: [3, 6]
segments: ["Active: 4-5, 1-5", "Asleep: 1-3, 1-5"]
features: [recency, frequency]
timed: true
cost_per_unit: 0.5
control: a
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a small shop, a test and a run of both."""
    folder = copy_project(tmp_path_factory.mktemp("fuzz") / "project")
    (folder / "data" / "raw").mkdir()
    (folder / "data" / "raw" / "log.csv").write_text(LOG)
    (folder / "data" / "raw" / "mails.csv").write_text(MAILS)
    (folder / "data" / "catalog.yml").write_text(ENTRIES)
    (folder / "params" / "fuzz.yml").write_text(PARAMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUSTOMERLAB_DATA", raising=False)
        patch.chdir(folder)
        yield folder


def look_at(project: Path, **overrides: str) -> Plan:
    """Plan a run, as far as that is possible without executing or downloading anything."""
    for data_set in load_catalog(project).values():
        for source in data_set.sources.values():
            obtainable(project, source)
    plan = make_plan(project, "fuzz", overrides)
    for step in plan.included:
        plan.fingerprint(step)
    return plan


# --- files that people write ---


@share(0.25)
@given(content=st.one_of(changed_bytes(ENTRIES.encode()), written(changed_nodes(yaml.safe_load(ENTRIES)))))
def test_catalogues(project, content):
    with put(project / "data" / "catalog.yml", content), result_or_message(project):
        look_at(project)


@share(0.2)
@given(content=st.one_of(changed_bytes(PARAMS.encode()), written(changed_nodes(yaml.safe_load(PARAMS)))))
def test_params_files(project, content):
    with put(project / "params" / "fuzz.yml", content), result_or_message(project):
        look_at(project)


KEYS = [
    "rfm_bins",
    "as_of",
    "recency_cuts",
    "segments",
    "timed",
    "margin",
    "control",
    "product_pattern",
    "engine",
    "nope",
]
WORDS = st.one_of(
    st.text(st.characters(), max_size=30),
    st.binary(max_size=20).map(lambda given: os.fsdecode(given)),
    st.sampled_from(FRAGMENTS).map(os.fsdecode),
    odd.map(lambda value: yaml.dump(value, default_flow_style=True).strip()),
)


@share(0.1)
@given(key=st.sampled_from(KEYS), text=WORDS)
def test_values_on_the_command_line(project, key, text):
    with result_or_message(project):
        look_at(project, **{key: text})


CELL = """\
run: str = "demo"  # the run
bins: int = 5  # bins (2 to 10)
way: str = "a"  # a way (one of a, b)
days: list[int] = [7]  # (1 to 9)
"""
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": "# Mine\n\nWhat?"},
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": CELL, "outputs": [], "execution_count": None},
        {"cell_type": "code", "metadata": {}, "source": ["from customerlab import Run, rfm\n", 'lab = Run(run, "57_mine")'], "outputs": []},
        {"cell_type": "code", "metadata": {}, "source": 'a = lab.load("rfm_segments", optional=True)\nlab.save("mine", a)', "outputs": []},
    ],
    "metadata": {"kernelspec": {"name": "python3", "language": "python"}, "language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}  # fmt: skip


@share(0.15)
@given(content=st.one_of(changed_bytes(json.dumps(NOTEBOOK, indent=1).encode()), as_json(changed_nodes(NOTEBOOK))))
def test_notebooks(project, content):
    path = project / "notebooks" / "57_mine.ipynb"
    with put(path, content), result_or_message(project):
        notebook = Notebook(path)
        assert isinstance(notebook.title + notebook.question, str)
        look_at(project)


@share(0.1)
@given(
    text=st.one_of(st.text(max_size=60), changed_bytes(CELL.encode()).map(lambda cell: cell.decode(errors="replace")))
)
def test_parameters_cells(project, text):
    with result_or_message(project):
        for parameter in parse_parameters(text, "a cell").values():
            parameter.check(parameter.default, "itself")


# --- tables ---


def _tables() -> dict[str, bytes]:
    frame = pd.DataFrame([line.split(";") for line in LOG.split()[1:]], columns=LOG.split()[0].split(";"))
    parquet, workbook = io.BytesIO(), io.BytesIO()
    frame.to_parquet(parquet)
    frame.to_excel(workbook, index=False)
    return {
        "csv": LOG.encode(), "csv.gz": gzip.compress(LOG.encode(), mtime=0), "parquet": parquet.getvalue(), "xlsx": workbook.getvalue(),
    }  # fmt: skip


TABLES = _tables()


@share(0.08, slow=True)
@given(data=st.data(), kind=st.sampled_from(sorted(TABLES)), encoding=st.sampled_from(["utf-8", "cp1252", "utf-16"]))
def test_tables(project, data, kind, encoding):
    content = data.draw(changed_bytes(TABLES[kind]))
    entries = ENTRIES.replace("path: log.csv", f"path: log.{kind}").replace(", rows: 8", "").replace("utf-8", encoding)
    results = [f"outputs/fuzz/tables/transactions.{end}" for end in ("parquet", "json")]
    with (
        put(project / "data" / "catalog.yml", entries.encode()),
        put(project / "data" / "raw" / f"log.{kind}", content),
        result_or_message(project, results.__contains__),
    ):
        assert prepare(project, project / "outputs" / "fuzz", "transactions", "shop").report["rows"] > 0
    shutil.rmtree(project / "outputs" / "fuzz", ignore_errors=True)


# --- downloads ---


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    """A server on loopback that answers with what it is told."""
    answer: dict[str, Any] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(answer["status"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer["body"])
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    with served(Handler) as address:
        answer["url"] = f"{address}/log.csv"
        yield answer


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", LOG)
    return packed.getvalue()


GOT = """
got:
  title: T
  files: {log: {path: got.csv, url: '%s'%s}}
  tables:
    products: {columns: {product_id: p, description: u}}
"""
BODIES = {"": LOG.encode(), ", member: log.csv": _zipped()}
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "ETag", "Transfer-Encoding", "Last-Modified"]),
    st.sampled_from(["0", "5", "99999999", "-1", "x", "gzip", "chunked", "bytes 5-9/10", '"a"', "text/html", "identity"]), max_size=3,
)  # fmt: skip


@share(0.07)
@given(
    data=st.data(), member=st.sampled_from(sorted(BODIES)), status=st.sampled_from([200, 200, 200, 204, 206, 304, 404, 416, 500]),
    headers=HEADERS, part=st.none() | st.binary(max_size=40),
)  # fmt: skip
def test_downloads(project, server, data, member, status, headers, part):
    body = data.draw(st.one_of(st.just(BODIES[member]), changed_bytes(BODIES[member])))
    server |= {"status": status, "headers": headers, "body": body}
    entries = GOT % (server["url"], member)
    cache, target = project / "data" / "cache", project / "data" / "raw" / "got.csv"
    shutil.rmtree(cache, ignore_errors=True)
    if part is not None:
        cache.mkdir()
        (cache / "got-log.csv.part").write_bytes(part)
    with put(project / "data" / "catalog.yml", entries.encode()):
        data_set = load_catalog(project)["got"]
        try:
            with result_or_message(project / "data" / "raw", {"got.csv"}.__contains__):
                fetch(project, data_set, data_set.sources["log"], progress=False)
                assert target.is_file()
        finally:
            target.unlink(missing_ok=True)
            shutil.rmtree(cache, ignore_errors=True)


# --- files that the workbench keeps for itself ---


@pytest.fixture(scope="module")
def settled(project: Path) -> Plan:
    """A run whose tables are prepared and whose notebooks have results, made without executing anything."""
    params = project / "params" / "state.yml"
    params.write_text(PARAMS.replace("run: fuzz", "run: state"))
    plan = make_plan(project, "state")
    prepare_tables(plan, plan.tables, print)
    frame = pd.DataFrame({"customer_id": ["a", "b"], "segment": ["new", "lost"]})
    for step in plan.included:
        staging = plan.folder / "aside"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(STAGING, str(staging))
            lab = Run("state", step.name)
            for artifact in step.loads:
                lab.load(artifact)
            for artifact in step.notebook.saves:
                if artifact in step.notebook.objects:
                    lab.save(artifact, {"segments": 2})
                else:
                    lab.save(artifact, frame, key="customer_id")
            lab.record(customers=2)
        shutil.copy(step.notebook.path, staging / f"{step.name}.ipynb")
        reports = {table: read_json(plan.folder / "tables" / f"{table}.json") for table in step.sources}
        record = entry(plan, step, staging, reports, seconds=1.0, cells=1)
        write_sealed(staging / ".state" / f"{step.name}.manifest.json", record)
        (staging / OPENED).unlink(missing_ok=True)
        publish(plan.folder, step.name, staging)
    (plan.folder / "failed").mkdir()
    (plan.folder / "failed" / "02_rfm.txt").write_text("it failed\n")
    shutil.copytree(plan.folder, project.parent / "state", dirs_exist_ok=True)
    return plan


STATE = [
    "tables/transactions.json", "tables/experiment.json", ".state/02_rfm.manifest.json", ".state/03_clustering.manifest.json",
    ".state/02_rfm.metrics.json", ".state/site.json", "manifest.json", "metrics.json", "failed/02_rfm.txt", "02_rfm.ipynb",
    "../../data/cache/digests.json",
]  # fmt: skip


@share(0.05, slow=True)
@given(data=st.data(), name=st.sampled_from(STATE))
def test_state_files(project, settled, data, name):
    shutil.rmtree(settled.folder)
    shutil.copytree(project.parent / "state", settled.folder)
    path = settled.folder / name
    good = path.read_bytes() if path.is_file() else b"{}"
    nodes = [as_json(changed_nodes(json.loads(good)))] if path.suffix in (".json", ".ipynb") else []
    content = data.draw(st.one_of(changed_bytes(good), *nodes))
    with put(path, content):
        with result_or_message(project, lambda name: name.startswith(("outputs/", "data/cache/"))):
            plan = make_plan(project, "state")
            standings(plan)
            rendered(plan)
            records(plan.folder)
            prepare_tables(plan, plan.tables, lambda line: None)
        for artifact in plan.step("02").notebook.saves:
            with result_or_message(project):
                Run("state", "03_clustering").load(artifact)
