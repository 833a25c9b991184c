"""What is up to date in a run's folder, and what is not: by content, whatever the times of files say."""

import os

import pandas as pd
import pytest

from customerlab.data.project import read_json, write_json, write_sealed
from customerlab.workbench.manifest import entry
from customerlab.workbench.plan import make_plan
from customerlab.workbench.publish import publish
from customerlab.workbench.run import STAGING, Run
from customerlab.workbench.standing import Standing, due, settle, standings

SEGMENTS = pd.DataFrame({"customer_id": ["a", "b"], "segment": ["new", "lost"]})


def execute(plan, name, monkeypatch):
    """Put results of a step in place as its execution does, without executing anything."""
    step, staging = plan.step(name), plan.folder / "aside"
    monkeypatch.setenv(STAGING, str(staging))
    lab = Run("demo", step.name)
    for artifact in step.notebook.saves:
        lab.save(artifact, SEGMENTS, key="customer_id")
    lab.record(customers=2)
    monkeypatch.delenv(STAGING)
    (staging / f"{step.name}.ipynb").write_text("{}")
    record = entry(plan, step, staging, {}, seconds=1.0, cells=1)
    write_sealed(staging / ".state" / f"{step.name}.manifest.json", record)
    publish(plan.folder, step.name, staging)


@pytest.fixture
def plan(project, monkeypatch):
    """A plan whose notebooks 02 and 03 have results; what opens tables is cut off from them."""
    monkeypatch.chdir(project)
    plan = make_plan(project, "demo")
    for step in plan.steps:
        step.sources.clear()
    for name in ("02", "03"):
        execute(plan, name, monkeypatch)
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
    more = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for code, tags in (
        ('run: str = "demo"  # the run\nk: int = 3  # a number', ["parameters"]),
        ("lab.load('rfm_segments', optional=True)", []),
    ):
        more["cells"].append({"cell_type": "code", "metadata": {"tags": tags}, "source": [code]})
    write_json(project / "notebooks" / "06_more.ipynb", more)
    plan = make_plan(project, "demo")
    for step in plan.steps:
        step.sources.clear()
    for name in ("02", "06"):
        execute(plan, name, monkeypatch)
    assert due(plan, plan.step("06")) == "" and "06_more" not in standings(plan)
    Run("demo", "02_rfm").save("rfm_segments", SEGMENTS[:1], key="customer_id")
    assert due(plan, plan.step("06")) == "rfm_segments has been made anew"
    assert standings(plan)["06_more"] == Standing("it waits for 02_rfm")
    for name in ("02_rfm", "03_clustering"):
        (project / "notebooks" / f"{name}.ipynb").unlink()
    alone = make_plan(project, "demo")
    assert due(alone, alone.step("06")), "it has read what is no longer part of the run"
    execute(alone, "06", monkeypatch)
    assert due(alone, alone.step("06")) == ""


def test_other_numbers_by_hand_make_the_notebook_due(plan):
    Run("demo", "02_rfm").record(customers=3)
    assert due(plan, plan.step("02")) == "its results are no longer those that it wrote"
    assert due(plan, plan.step("03")) == ""


def test_a_removed_result_makes_due(plan):
    (plan.folder / "artifacts" / "clusters.parquet").unlink()
    assert due(plan, plan.step("03")) and not due(plan, plan.step("02"))


def test_other_parameters_make_due(plan, project):
    other = make_plan(project, "demo", {"rfm_bins": "4"})
    other.step("02").sources.clear()
    assert due(other, other.step("02")) == "its code, parameters, data or packages have changed"


def test_times_of_files_say_nothing(plan):
    for path in plan.folder.rglob("*"):
        os.utime(path, (2e9, 2e9))
    assert due(plan, plan.step("02")) == "" and due(plan, plan.step("03")) == ""


def test_marks_stand_for_what_is_up_to_date(plan):
    plan.mark("05_ab_analysis").touch()  # by an earlier run
    settle(plan)
    assert {path.stem for path in plan.mark("x").parent.glob("*.done")} == {"02_rfm", "03_clustering"}
    Run("demo", "02_rfm").record(customers=3)
    settle(plan)
    assert not plan.mark("02_rfm").exists() and plan.mark("03_clustering").exists()
    assert read_json(plan.folder / "metrics.json") == {"02_rfm": {"customers": 3}, "03_clustering": {"customers": 2}}


def test_what_failed_and_what_waits_for_it_are_behind(plan):
    assert list(standings(plan)) == ["01_eda", "04_recommenders", "05_ab_analysis"]
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
