"""Publication in one step: whoever kills a process, at whatever moment, finds the old results or the new ones."""

import os
import signal

import pandas as pd
import pytest

from customerlab.data.project import file_digest, write_sealed, written_aside
from customerlab.workbench.lock import hold
from customerlab.workbench.plan import make_plan
from customerlab.workbench.publish import finish, publish
from customerlab.workbench.run import STAGING, Run
from customerlab.workbench.standing import due
from helpers import toy

CHANGES = ("replace", "rename", "unlink", "rmdir", "mkdir", "chmod", "open")


def results(folder):
    """All that a user sees of a run."""
    paths = [*folder.glob("*.json"), *folder.glob("*.ipynb"), *(folder / "artifacts").glob("*")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths) if path.is_file()}


def stage(plan, n):
    """Results of the toy aside, as an execution leaves them."""
    (step,), staging = plan.steps, plan.folder / ".staging" / f"x{n}"
    os.environ[STAGING] = str(staging)
    try:
        lab = Run("demo", "02_toy")
        lab.save("toy", pd.DataFrame({"id": range(n)}), key="id", csv=True)
        lab.save("toy_too", pd.DataFrame({"id": range(9 * n)}), key="id")
        lab.record(n=n)
    finally:
        del os.environ[STAGING]
    (staging / "02_toy.ipynb").write_text(f'{{"n": {n}}}')
    artifacts = {path: file_digest(path) for path in (staging / "artifacts").iterdir()}
    record = {
        "fingerprint": plan.fingerprint(step), "notebook": file_digest(staging / "02_toy.ipynb"), "reads": {}, "tables": {},
        "writes": {path.stem: digest for path, digest in artifacts.items() if path.suffix == ".parquet"},
        "csv": {path.stem: digest for path, digest in artifacts.items() if path.suffix == ".csv"},
        "metrics": file_digest(staging / ".state" / "02_toy.metrics.json"),
    }  # fmt: skip
    write_sealed(staging / ".state" / "02_toy.manifest.json", record)
    return staging


@pytest.fixture
def plan(project, monkeypatch):
    """A plan of one notebook that opens no table."""
    monkeypatch.chdir(toy(project))
    plan = make_plan(project, "demo")
    plan.steps[0].sources.clear()
    return plan


def killed(action, moment):
    """Do something in a process that is killed before its n-th change of the disk; whether it came so far."""
    child = os.fork()
    if not child:
        count = [0]
        for name in CHANGES:
            change = getattr(os, name)

            def counted(*args, _change=change, **more):
                count[0] += 1
                if count[0] == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return _change(*args, **more)

            setattr(os, name, counted)
        try:
            action()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.thorough
def test_killed_before_any_change_of_the_disk_a_publication_is_old_or_new(plan):
    (step,) = plan.steps
    publish(plan.folder, step.name, stage(plan, 1))
    old = results(plan.folder)
    publish(plan.folder, step.name, stage(plan, 2))
    new, seen, moment = results(plan.folder), [], 0
    assert len(old) == 6 and all(old[name] != new[name] for name in old) and due(plan, step) == ""
    while True:
        moment += 1
        publish(plan.folder, step.name, stage(plan, 1))
        assert results(plan.folder) == old
        staging = stage(plan, 2)
        was_killed = killed(lambda staging=staging: publish(plan.folder, step.name, staging), moment)
        assert due(plan, step) == ""
        assert results(plan.folder) in (old, new), f"half old before change {moment}"
        seen.append(results(plan.folder) == new)
        hold_again(plan)
        assert not list((plan.folder / ".staging").iterdir()) and not list(plan.folder.rglob(".aside-*"))
        if not was_killed:
            break
    assert moment > 10 and seen == sorted(seen) and 0 < sum(seen) < len(seen)


def hold_again(plan):
    """Start another command of the run, in a process of its own, so that its lock is given up."""
    child = os.fork()
    if not child:
        hold(plan)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.thorough
def test_killed_while_it_is_finished_a_publication_can_be_finished(plan):
    (step,) = plan.steps
    publish(plan.folder, step.name, stage(plan, 2))
    new, moment = results(plan.folder), 0
    while moment := moment + 1:
        publish(plan.folder, step.name, stage(plan, 1))
        waiting = plan.folder / ".state" / "publishing"
        stage(plan, 2).replace(waiting / step.name)
        was_killed = killed(lambda: finish(plan.folder), moment)
        Run("demo", "03_other")  # any notebook of the run, opened in Jupyter
        assert results(plan.folder) == new and not list(waiting.iterdir())
        if not was_killed:
            break


def test_a_publication_forgets_failures_and_what_was_saved_by_hand(plan):
    (step,), failed = plan.steps, plan.folder / "failed" / "02_toy.txt"
    Run("demo", "02_toy").save("toy", pd.DataFrame({"id": [7]}), key="id")
    with written_aside(failed) as aside:
        aside.write_text("it failed")
    publish(plan.folder, step.name, stage(plan, 1))
    assert not failed.exists() and not list((plan.folder / ".state").glob("*.saved.json"))


def test_drawings_of_figures_that_a_notebook_no_longer_shows_are_removed(plan):
    (step,), folder = plan.steps, plan.folder / "figures"
    folder.mkdir(parents=True)
    for name in ("02_toy-1.svg", "02_toy-2.svg", "03_other-2.svg"):
        (folder / name).write_text("old")
    staged = stage(plan, 1)
    (staged / "figures").mkdir()
    (staged / "figures" / "02_toy-1.svg").write_text("new")
    publish(plan.folder, step.name, staged)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "02_toy-1.svg": "new",
        "03_other-2.svg": "old",
    }


def test_what_killed_runs_left_is_removed_at_the_next_start_and_what_is_alive_is_not(plan):
    for place in (".staging/02_toy-x", ".aside-x", "artifacts/.aside-x", "tables/.aside-x", ".state/.aside-x"):
        (plan.folder / place).mkdir(parents=True)
        (plan.folder / place / "half.parquet").write_text("half")
    with written_aside(plan.folder / "tables" / "alive.json") as aside:
        aside.write_text("{}")
        hold_again(plan)
        assert [p.parent for p in plan.folder.rglob("*") if p.is_file() and p.parent.name.startswith(".aside")] == [
            aside.parent
        ]
    assert not list((plan.folder / ".staging").iterdir())


def test_results_are_their_owners_whatever_the_umask(plan):
    before = os.umask(0)
    try:
        plan.folder.mkdir(parents=True)  # as it was made before
        publish(plan.folder, "02_toy", stage(plan, 1))
        Run("demo", "02_toy").save("toy", pd.DataFrame({"id": [7]}), key="id", csv=True)
        Run("demo", "02_toy").table("products")
        modes = {path: path.stat().st_mode & 0o077 for path in plan.folder.rglob("*") if path.stat().st_size}
        assert plan.folder.stat().st_mode & 0o777 == 0o700
        named = ("artifacts", "tables")
        assert not [path for path, mode in modes.items() if path.is_file() and path.parent.name in named and mode]
        assert (plan.root / "data" / "cache").stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
