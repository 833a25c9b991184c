"""What is up to date in a run's folder, and what is not: by content, whatever the times of files say."""

import os
import shutil
from functools import partialmethod

import pandas as pd
import pytest

from customerlab.data.prepare import prepare
from customerlab.data.project import DigestCache, file_digest, read_json, write_json, write_sealed
from customerlab.errors import CustomerlabError
from customerlab.workbench.manifest import entry
from customerlab.workbench.plan import make_plan
from customerlab.workbench.publish import OPENED, assemble, publish
from customerlab.workbench.run import STAGING, Run
from customerlab.workbench.site import render
from customerlab.workbench.standing import Standing, due, needs, rendered, standings, table_due
from helpers import copy_project, write_notebook

pytestmark = pytest.mark.slow  # each begins with a run

SEGMENTS = pd.DataFrame({"customer_id": ["a", "b"], "segment": ["new", "lost"]})


def execute(plan, name, monkeypatch):
    """Put results of a step in place as its execution does, without executing anything."""
    step, staging = plan.step(name), plan.folder / "aside"
    monkeypatch.setenv(STAGING, str(staging))
    lab = Run("demo", step.name)
    for artifact in step.loads:
        lab.load(artifact)
    for artifact in step.notebook.saves:
        if artifact in step.notebook.objects:
            lab.save(artifact, {"segments": 2})
        else:
            lab.save(artifact, SEGMENTS, key="customer_id")
    lab.record(customers=2)
    monkeypatch.delenv(STAGING)
    (staging / f"{step.name}.ipynb").write_text("{}")
    record = entry(plan, step, staging, {}, seconds=1.0, cells=1)
    write_sealed(staging / ".state" / f"{step.name}.manifest.json", record)
    publish(plan.folder, step.name, staging)


def planned(project):
    """The plan of a project; what opens tables is cut off from them."""
    plan = make_plan(project, "demo")
    for step in plan.steps:
        step.sources.clear()
    return plan


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The results of 02 and 03, which each test is given a copy of."""
    project = copy_project(tmp_path_factory.mktemp("made") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        plan = planned(project)
        for name in ("02", "03"):
            execute(plan, name, patch)
    return project / "outputs"


@pytest.fixture
def plan(project, outputs, monkeypatch):
    """A plan whose notebooks 02 and 03 have results."""
    monkeypatch.chdir(project)
    shutil.copytree(outputs, project / "outputs")
    plan = planned(project)
    assert [due(plan, plan.step(name)) for name in ("02", "03")] == ["", ""]
    return plan


def test_what_was_never_executed_is_due(plan):
    assert due(plan, plan.step("05")) == "it has not been executed"
    (plan.folder / "02_rfm.ipynb").unlink()
    assert due(plan, plan.step("02")) == "it has not been executed"


def test_equal_results_by_hand_are_none_of_anybodys_business(plan):
    lab = Run("demo", "02_rfm")
    lab.save("rfm_segments", SEGMENTS[::-1], key="customer_id")
    lab.record(customers=2)
    assert due(plan, plan.step("02")) == ""


def test_other_results_by_hand_make_the_notebook_and_its_reader_due(plan):
    Run("demo", "02_rfm").save("rfm_segments", SEGMENTS[:1], key="customer_id")
    assert due(plan, plan.step("02")) == "its results are no longer those that it wrote"
    assert due(plan, plan.step("03")) == "rfm_segments has been made anew"


def test_an_optional_artefact_is_read_and_waited_for_where_it_is_made(project, monkeypatch):
    monkeypatch.chdir(project)
    write_notebook(project, "57_more", "lab.load('rfm_segments', optional=True)")
    plan = planned(project)
    for name in ("02", "57"):
        execute(plan, name, monkeypatch)
    assert due(plan, plan.step("57")) == "" and "57_more" not in standings(plan)
    Run("demo", "02_rfm").save("rfm_segments", SEGMENTS[:1], key="customer_id")
    assert due(plan, plan.step("57")) == "rfm_segments has been made anew"
    assert standings(plan)["57_more"] == Standing("it waits for 02_rfm")
    for name in ("02_rfm", "03_clustering"):
        (project / "notebooks" / f"{name}.ipynb").unlink()
    alone = make_plan(project, "demo")
    assert due(alone, alone.step("57")), "it has read what is no longer part of the run"
    execute(alone, "57", monkeypatch)
    assert due(alone, alone.step("57")) == ""


def test_other_numbers_by_hand_make_the_notebook_due(plan):
    Run("demo", "02_rfm").record(customers=3)
    assert due(plan, plan.step("02")) == "its results are no longer those that it wrote"
    assert due(plan, plan.step("03")) == ""


def test_a_removed_result_makes_due(plan):
    (plan.folder / "artifacts" / "clusters.parquet").unlink()
    assert due(plan, plan.step("03")) and not due(plan, plan.step("02"))


def test_other_parameters_make_due(plan, project):
    aside = make_plan(project, "demo", {"rfm_bins": "4"})
    assert due(aside, aside.step("02")) == "it has not been executed", "with another value it goes to another folder"
    (project / "params" / "demo.yml").write_text("run: demo\nrfm_bins: 4\n", encoding="utf-8")
    other = make_plan(project, "demo")
    other.step("02").sources.clear()
    assert due(other, other.step("02")) == "its code, parameters, data or packages have changed"


def test_times_of_files_say_nothing(plan):
    for path in plan.folder.rglob("*"):
        os.utime(path, (2e9, 2e9))
    assert due(plan, plan.step("02")) == "" and due(plan, plan.step("03")) == ""


def executed(plan, name, opened):
    """Put results of a notebook in place that has read what its code does not name."""
    step, staging = plan.step(name), plan.folder / "aside"
    (staging / "artifacts").mkdir(parents=True)
    (staging / f"{name}.ipynb").write_text("{}")
    write_json(staging / ".state" / f"{name}.metrics.json", {"n": 1})
    write_json(staging / OPENED, opened)
    reports = {table: prepare(plan.root, plan.folder, table, "demo").report for table in opened["tables"]}
    write_sealed(
        staging / ".state" / f"{name}.manifest.json", entry(plan, step, staging, reports, seconds=1.0, cells=1)
    )
    (staging / OPENED).unlink()
    publish(plan.folder, name, staging)


def test_what_was_read_in_a_loop_is_on_record_and_makes_due(plan, project):
    write_notebook(
        project, "57_loop", "for name in ['rfm_segments']:\n    lab.load(name)\nlab.table('exp' + 'eriment')"
    )
    plan = make_plan(project, "demo")
    step = plan.step("57")
    assert step.notebook.opaque and (step.loads, step.sources) == ((), {})
    assert needs(plan, step) == {other.name for other in plan.steps} - {"57_loop"}, "it may read what any of them makes"
    digest = file_digest(plan.folder / "artifacts" / "rfm_segments.parquet")
    executed(plan, "57_loop", {"tables": {"experiment": "demo"}, "artifacts": {"rfm_segments": digest}})
    assert due(plan, step) == ""
    record = read_json(plan.folder / "manifest.json")["57_loop"]
    assert record["reads"] == {"rfm_segments": digest} and list(record["tables"]) == ["experiment"]
    path = project / "data" / "demo" / "experiment.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b",0.0\n", b",9.0\n", 1))
    assert due(plan, step) == "the experiment table, which it has read, has changed"
    path.write_bytes(whole)
    Run("demo", "02_rfm").save("rfm_segments", SEGMENTS[:1], key="customer_id")
    assert due(plan, step) == "rfm_segments has been made anew"
    assert standings(plan)["57_loop"] == Standing("it waits for 02_rfm")


def test_pages_are_rendered_where_they_are_not_those_of_now(project):
    plan = make_plan(project, "demo")
    assert not rendered(plan)
    render(plan)
    assert rendered(plan)
    page = plan.folder / "site" / "index.html"
    page.write_text(page.read_text() + " ")
    assert not rendered(plan)


def test_what_failed_and_what_waits_for_it_are_behind(plan):
    assert list(standings(plan)) == [
        "01_eda",
        "04_recommenders",
        "05_ab_analysis",
        "06_ratings",
        "07_customer_value",
        "08_segments_over_time",
        "09_profiles",
        "10_campaigns",
        "11_bandits",
    ]
    failure = plan.folder / "failed" / "02_rfm.txt"
    failure.parent.mkdir()
    failure.write_text("02_rfm stopped: planted\n  where:    code cell 3\n")
    assert "02_rfm" not in standings(plan), "its results are up to date, so the failure was another plan's"
    Run("demo", "02_rfm").record(customers=3)
    found = standings(plan)
    assert found["02_rfm"] == Standing(
        "the last run failed: 02_rfm stopped: planted", "02_rfm stopped: planted\n  where:    code cell 3"
    )
    assert found["03_clustering"] == Standing("it waits for 02_rfm")


JUNK = [
    b'{"x": 1}', b"[1]", b'"x"', b"5", b"null", b"{}", b"", b"\xff", b'{"half": ', b"[" * 100_000, b'{"a": ' * 5_000, b"1" * 9_000,
    b'{"fingerprint": 1, "writes": [], "reads": {}, "checksum": "x"}', b'{"01_eda": {}}', b"\x00",
    '"\ud800"'.encode("utf-8", "surrogatepass"),
]  # fmt: skip


def spoil(path, junk):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(junk)


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:12]))
def test_state_that_is_not_what_was_written_counts_as_none(plan, project, junk):
    manifest, metrics = (plan.folder / f"{kind}.json" for kind in ("manifest", "metrics"))
    whole = manifest.read_bytes(), metrics.read_bytes()
    for path in (manifest, metrics, plan.folder / ".state" / "site.json", project / "data" / "cache" / "digests.json"):
        spoil(path, junk)
    rendered(plan)
    assemble(plan.folder)
    assert (manifest.read_bytes(), metrics.read_bytes()) == whole
    assert [due(plan, plan.step(name)) for name in ("02", "03")] == ["", ""]
    spoil(plan.folder / "failed" / "05_ab_analysis.txt", junk)
    assert standings(plan)["05_ab_analysis"].why.startswith("the last run failed: ")
    spoil(plan.folder / ".state" / "02_rfm.metrics.json", junk)
    assert due(plan, plan.step("02")) == "its results are no longer those that it wrote"
    spoil(plan.folder / ".state" / "02_rfm.manifest.json", junk)
    assert due(plan, plan.step("02")) == "it has not been executed"
    assert due(plan, plan.step("03")) == ""
    assemble(plan.folder)
    assert list(read_json(manifest)) == ["03_clustering"]


@pytest.mark.parametrize(
    "name", ["demo/.state/02_rfm.manifest.json", "demo/tables/products.json", "data/cache/digests.json"]
)
def test_a_folder_in_the_place_of_a_record_is_told(project, name):
    plan = make_plan(project, "demo")
    (project / ("" if name.startswith("data") else "outputs") / name).mkdir(parents=True)
    with pytest.raises(CustomerlabError, match="a folder is where a file belongs") as caught:
        standings(plan)
        table_due(plan, "products")
    assert name in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"cells": []}', b"\xff", b'{"n', b'{"script": "added"}'])
def test_an_executed_notebook_that_the_run_did_not_write_is_due_and_named(plan, content):
    (plan.folder / "02_rfm.ipynb").write_bytes(content)
    why = due(plan, plan.step("02"))
    assert why.startswith("outputs/demo/02_rfm.ipynb is not the one that the run wrote")
    assert "customerlab run 02 --run demo" in why and due(plan, plan.step("03")) == ""


def test_a_csv_that_was_changed_makes_due(plan, monkeypatch):
    (plan.folder / "artifacts" / "rfm_segments.csv").write_text("not of the run")
    assert due(plan, plan.step("02")) == "", "the run wrote none of that name"
    monkeypatch.setattr(Run, "save", partialmethod(Run.save, csv=True))
    execute(plan, "02", monkeypatch)
    assert due(plan, plan.step("02")) == ""
    path = plan.folder / "artifacts" / "rfm_segments.csv"
    path.write_text(path.read_text() + '"c","new"\n')
    assert due(plan, plan.step("02")) == "its results are no longer those that it wrote"


def in_place(path, content):
    """Overwrite a file and give it its old time back, as `touch -r` or `rsync -t` do."""
    stat = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.fixture
def table(project, monkeypatch):
    """A plan, and a prepared table of it that has settled: its digest is remembered."""
    monkeypatch.chdir(project)
    plan = make_plan(project, "demo")
    monkeypatch.setattr("customerlab.data.project.SETTLED", 0)
    path = prepare(project, plan.folder, "experiment", "demo").path
    assert not table_due(plan, "experiment") and not prepare(project, plan.folder, "experiment", "demo").made
    return plan, path


def swap(content):
    """The same bytes but for one."""
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("change", [swap, lambda c: c[: len(c) // 3], lambda c: b"", lambda c: c + b"\0"])
def test_a_prepared_table_that_was_changed_is_made_again(table, change):
    plan, path = table
    whole = path.read_bytes()
    in_place(path, change(whole))
    assert table_due(plan, "experiment")
    assert prepare(plan.root, plan.folder, "experiment", "demo").made and path.read_bytes() == whole
    in_place(path, change(whole))
    assert Run("demo", "05_ab_analysis").table("experiment").count().execute() > 0 and path.read_bytes() == whole


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:12]))
def test_a_report_that_is_not_what_was_written_makes_the_table_due(table, junk):
    plan, path = table
    report = path.with_suffix(".json").read_bytes()
    path.with_suffix(".json").write_bytes(junk)
    assert table_due(plan, "experiment")
    assert (
        prepare(plan.root, plan.folder, "experiment", "demo").made and path.with_suffix(".json").read_bytes() == report
    )


def test_a_report_is_not_taken_with_other_numbers(table):
    plan, path = table
    report = read_json(path.with_suffix(".json"))
    write_json(path.with_suffix(".json"), report | {"rows": report["rows"] + 1})
    assert table_due(plan, "experiment")


def test_a_data_file_of_the_same_size_and_time_is_read_again(table):
    plan, path = table
    data, before = plan.root / "data" / "demo" / "experiment.csv", path.read_bytes()
    text = data.read_bytes()
    in_place(data, text.replace(b",0.0\n", b",9.0\n", 1))
    assert data.stat().st_size == len(text) and table_due(plan, "experiment")
    assert prepare(plan.root, plan.folder, "experiment", "demo").made and path.read_bytes() != before


@pytest.mark.parametrize("wait", [True, False])
def test_what_is_published_rests_on_no_remembered_digest(table, wait, monkeypatch):
    plan, path = table
    data, before = plan.root / "data" / "demo" / "experiment.csv", path.read_bytes()
    in_place(data, data.read_bytes().replace(b",0.0\n", b",9.0\n", 1))
    cache, stat = plan.root / "data" / "cache" / "digests.json", data.stat()
    known = read_json(cache)  # forged: the new file's stamp with the old one's digest
    stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]
    write_json(cache, known | {str(data): [*stamp, known[str(data)][-1]]})
    assert not prepare(plan.root, plan.folder, "experiment", "demo").made
    if not wait:
        monkeypatch.setattr("customerlab.data.project.SETTLED", 10**12)
    assert prepare(plan.root, plan.folder, "experiment", "demo", anew=True).made and path.read_bytes() != before


def test_a_file_that_has_just_been_written_is_not_remembered(tmp_path):
    path, cache = tmp_path / "a.csv", tmp_path / "cache" / "digests.json"
    path.write_text("1")
    DigestCache(cache).digest(path)
    assert read_json(cache) == {}, "another change within the clock's tick would give it the same time"


def test_names_that_are_no_utf8_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr("customerlab.data.project.SETTLED", 0)
    path, cache = tmp_path / "umlaut-\udcfc.csv", tmp_path / "cache" / "digests.json"
    path.write_text("1")
    assert DigestCache(cache).digest(path) == DigestCache(cache).digest(path)
    assert list(read_json(cache)) == [str(path)]


def test_a_memory_of_digests_with_a_name_that_no_system_takes_heals_itself(tmp_path):
    path, cache = tmp_path / "a.csv", tmp_path / "digests.json"
    path.write_text("1\n")
    write_json(cache, {"/" + "(" * 5000: [1, 2, 3, 4, 5, "x"], "a\0b": [1, 2, 3, 4, 5, "x"]})
    assert DigestCache(cache).digest(path) == file_digest(path)
    assert "(((" not in cache.read_text() and "\\u0000" not in cache.read_text()
