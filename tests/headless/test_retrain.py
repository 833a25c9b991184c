"""Retraining, on three small notebooks: what is promoted and when, that it settles, and what a killed one leaves."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from customerlab.workbench.plan import make_plan
from customerlab.workbench.standing import due, standings
from customerlab.workbench.versions import models, serving
from helpers import BIN, call, copy_project, started, write_notebook

pytestmark = pytest.mark.slow
DAY = 'run: str = "demo"  # the run\nas_of: str = ""  # the day (YYYY-MM-DD)\nn: int = 1  # a number (1 to 9)'
MODEL = """log = lab.table("experiment")
units = (log.filter(log.exposed_at < as_of) if as_of else log).count().execute()
lab.save("sizes", {"units": int(units), "n": n})
lab.save("steady", {"bins": 5})
lab.record(units=int(units))"""
WATCH = """from customerlab import findings
champion, challenger, steady = lab.champion("sizes"), lab.load("sizes"), lab.load("steady")
other = champion is not None and champion != challenger
why = f"The test has {challenger['units']} units <b>now</b>."
rows = [("sizes", "refit" if other else "keep", other, why), ("steady", "keep", False, "It fits.")]
lab.save("model_decisions", pd.DataFrame(rows, columns=["model", "decision", "promote", "reason"]), key="model")
lab.record(others=int(other))"""
SCORES = """champion = lab.champion("sizes") or {"units": 0}
lab.save("scores", pd.DataFrame({"id": [1], "units": champion["units"]}), key="id")
lab.record(scored=champion["units"])"""
RETRAIN = ("customerlab", "retrain", "--jobs", "2")
EARLY = "2024-10-12"


def models_toy(project: Path) -> Path:
    """Leave in a project a notebook that makes two models, one that decides on them, and one that uses a champion."""
    for path in (project / "notebooks").glob("*.ipynb"):
        path.unlink()
    write_notebook(project, "02_models", MODEL, begin=DAY)
    write_notebook(project, "09_watch", WATCH, '"## Findings"', 'findings("Units were counted.")', begin=DAY)
    path = project / "notebooks" / "09_watch.ipynb"
    content = json.loads(path.read_text())
    content["cells"][-2] |= {"cell_type": "markdown", "source": "## Findings"}
    del content["cells"][-2]["outputs"], content["cells"][-2]["execution_count"]
    path.write_text(json.dumps(content))
    write_notebook(project, "11_scores", SCORES)
    return project


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A project that has been retrained once, and what was said."""
    project = models_toy(copy_project(tmp_path_factory.mktemp("models") / "project"))
    return project, call(project, *RETRAIN)


@pytest.fixture(scope="module")
def moved(played, tmp_path_factory):
    """The same, retrained for another day as well."""
    project = Path(shutil.copytree(played[0], tmp_path_factory.mktemp("moved") / "project"))
    return project, call(project, *RETRAIN, "--as-of", EARLY)


@pytest.fixture
def toys(played, tmp_path):
    return Path(shutil.copytree(played[0], tmp_path / "project"))


@pytest.fixture
def early(moved, tmp_path):
    return Path(shutil.copytree(moved[0], tmp_path / "project"))


def home(project: Path) -> Path:
    return project / "outputs" / "demo"


def files(project: Path) -> dict[str, bytes]:
    """All that is in a run's folder, but for the number of the process that has locked it."""
    paths = [path for path in sorted(home(project).rglob("*")) if path.is_file() and path.name != "run.lock"]
    return {path.relative_to(home(project)).as_posix(): path.read_bytes() for path in paths}


def served(project: Path) -> dict[str, object]:
    """The objects that serve."""
    return {name: serving(home(project), name)[1] for name in models(home(project))}


def counted(project: Path, until: str) -> int:
    """The units of the demo's test that were exposed before a day."""
    return int((pd.read_csv(project / "data" / "demo" / "experiment.csv")["exposed_at"] < until).sum())


def edit(project: Path, name: str, old: str, new: str) -> None:
    path = project / "notebooks" / f"{name}.ipynb"
    text = path.read_text()
    assert json.dumps(old)[1:-1] in text
    path.write_text(text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1]))


def test_first_versions_serve_and_a_second_retraining_changes_nothing(played, toys):
    project, done = played
    versions = {name: model.version for name, model in models(home(project)).items()}
    said = f"demo 2024-10-21: sizes first version ({versions['sizes']}), steady first version ({versions['steady']})"
    assert done.stdout.splitlines()[-1] == said
    assert done.stdout.count("[11_scores] starts") == 2 and done.stdout.count("[09_watch] starts") == 1
    folder = home(project) / "models" / "sizes" / versions["sizes"]
    content = (folder / "model.json").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(folder.name)
    about = json.loads((folder / "about.json").read_text())
    assert (about["as_of"], about["data_ended"], about["notebook"]) == ("2024-10-21", "2024-10-20", "02_models")
    for path in (home(project) / "models").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, "its owner's"
    assert [path.stat().st_mode & 0o222 for path in folder.iterdir()] == [0, 0], "a version is not written again"
    before = files(toys)
    again = call(toys, *RETRAIN)
    assert started(again.stdout) == [] and again.stdout.splitlines()[-1] == said and files(toys) == before


def test_another_day_is_the_runs_day_and_its_decisions_promote(moved, early):
    project, done = moved
    before = files(early)
    assert served(project)["sizes"]["units"] == counted(project, EARLY) < counted(project, "2025")
    version = models(home(project))["sizes"].version
    said = f"demo {EARLY}: sizes refit and promoted ({version}), steady kept"
    assert done.stdout.splitlines()[-1] == said
    assert done.stdout.count("[09_watch] starts") == 1, "who has decided it does not decide again"
    scored = json.loads(before["metrics.json"])["11_scores"]["scored"]
    assert scored == served(project)["sizes"]["units"], "who uses a champion has used the new one"
    for words in (("customerlab", "run"), (*RETRAIN, "--as-of", EARLY)):
        again = call(early, *words)
        assert started(again.stdout) == [] and files(early) == before
    plan = make_plan(early, "demo")
    assert plan.step("02").parameters["as_of"] == EARLY and plan.folder == plan.home and not standings(plan)
    page, report = (before[f"reports/{EARLY}/{name}"].decode() for name in ("index.html", "report.json"))
    told = json.loads(report)
    assert page.index("refit and promoted") < page.index("Units were counted") < page.index("Numbers that changed")
    assert "units &lt;b&gt;now&lt;/b&gt;." in page and "<b>now" not in page
    assert told["last_report"] == "" and told["decided_by"] == "09_watch"
    (early / "params" / "demo.yml").write_text("run: demo\nas_of: '2024-10-15'\n")
    assert make_plan(early, "demo").step("02").parameters["as_of"] == "2024-10-15", "the file was changed since"


def test_without_a_day_a_run_goes_back_to_its_own_and_the_report_says_what_changed(early):
    done = call(early, *RETRAIN)
    told = json.loads(files(early)["reports/2024-10-21/report.json"])
    first, now = counted(early, EARLY), counted(early, "2025")
    assert done.stdout.splitlines()[-1].startswith("demo 2024-10-21: sizes refit and promoted (")
    assert not (home(early) / "as_of.json").exists() and told["last_report"] == EARLY
    assert ["02_models", "units", first, now] in told["changed"]
    assert (
        f'<td class="n">{first:,}</td><td class="n">{now:,}</td>'
        in files(early)["reports/2024-10-21/index.html"].decode()
    )
    assert len(models(home(early))["sizes"].kept) == 2, "the same model is the same version"


def test_a_failing_notebook_leaves_all_serving_as_before(toys):
    edit(toys, "11_scores", "champion = ", "raise RuntimeError('planted')\nchampion = ")
    before = served(toys), (home(toys) / "models" / "serving.json").read_bytes()
    done = call(toys, *RETRAIN, "--as-of", EARLY, check=False)
    assert done.returncode == 1 and "error: not finished: 11_scores" in done.stderr and "demo 2024" not in done.stdout
    assert (served(toys), (home(toys) / "models" / "serving.json").read_bytes()) == before
    assert not (home(toys) / "reports" / EARLY).exists()


@pytest.mark.thorough
def test_without_decisions_only_first_versions_serve(toys):
    (toys / "notebooks" / "09_watch.ipynb").unlink()
    done = call(toys, *RETRAIN, "--as-of", EARLY)
    said = f"demo {EARLY}: sizes kept, steady kept (no notebook saves model_decisions)"
    assert done.stdout.splitlines()[-1] == said and served(toys)["sizes"]["units"] == counted(toys, "2025")
    assert "no model is promoted beyond its first version" in files(toys)[f"reports/{EARLY}/index.html"].decode()


def test_one_process_at_a_time_retrains(toys):
    code = (
        "import time; from pathlib import Path; from customerlab.workbench.retrain import begin\n"
        "begin(Path.cwd(), 'demo'); print('held', flush=True); time.sleep(300)"
    )
    holder = subprocess.Popen([BIN / "python", "-c", code], cwd=toys, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    try:
        before = files(toys)
        done = call(toys, *RETRAIN, "--as-of", EARLY, check=False)
        assert done.returncode == os.EX_TEMPFAIL == 75 and files(toys) == before
        assert f"run 'demo' is being executed by process {holder.pid}\n" in done.stderr
        assert call(toys, "customerlab", "run", check=False).returncode == 1
        version = models(home(toys))["steady"].version
        said = call(toys, "customerlab", "rollback", "steady", "--to", version).stdout
        assert f"steady: {version} serves, as before" in said, "a rollback does not wait"
    finally:
        holder.kill()
        holder.wait()
    wrong = call(toys, *RETRAIN, "--as-of", "2024-02-31", check=False)
    assert (
        wrong.returncode == 1 and "as_of = '2024-02-31'\n  where:    --as-of" in wrong.stderr and files(toys) == before
    )


def test_what_was_rolled_back_is_not_promoted_again(early):
    new, (old, _) = models(home(early))["sizes"].version, models(home(early))["sizes"].kept
    done = call(early, "customerlab", "rollback", "sizes")
    assert f"[demo] sizes: {old} serves in place of {new}" in done.stdout
    plan = make_plan(early, "demo")
    assert [due(plan, step) for step in plan.steps] == ["", "", "another version of sizes serves now"]
    done = call(early, *RETRAIN, "--as-of", EARLY)
    assert done.stdout.splitlines()[-1] == f"demo {EARLY}: sizes refit, not promoted, steady kept"
    assert started(done.stdout) == ["11_scores"]
    assert f"Version {new} was rolled back" in files(early)[f"reports/{EARLY}/index.html"].decode()
    assert served(early)["sizes"]["units"] == counted(early, "2025")
    none = call(early, "customerlab", "rollback", "sizes", check=False)
    assert none.returncode == 1 and f"no version of sizes has served before {old}" in none.stderr
    listed = call(early, "customerlab", "versions").stdout
    assert f"sizes  {new}  withdrawn" in listed and f"sizes  {old}  serves" in listed
    call(early, "customerlab", "rollback", "sizes", "--to", new)
    assert models(home(early))["sizes"].version == new


def test_a_damaged_version_is_refused(early):
    path = home(early) / "models" / "sizes" / models(home(early))["sizes"].kept[0] / "model.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    before = (home(early) / "models" / "serving.json").read_bytes()
    done = call(early, "customerlab", "rollback", "sizes", check=False)
    assert done.returncode == 1 and "is not what was kept: it is damaged" in done.stderr
    assert (home(early) / "models" / "serving.json").read_bytes() == before
    assert "damaged or edited; it is refused" in call(early, "customerlab", "versions").stdout


@pytest.mark.thorough
def test_a_champion_is_read_in_plain_jupyter_too(toys):
    write_notebook(toys, "12_look", 'print("serves", lab.champion("steady"), lab.champion("nobody"))')
    words = [
        "jupyter",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "--stdout",
        "--allow-errors",
        "notebooks/12_look.ipynb",
    ]
    said = call(toys, *words).stdout
    assert "serves {'bins': 5} None" in said


@pytest.mark.thorough
@pytest.mark.parametrize(  # test_versions.py kills before every change of the disk during a promotion
    ("part", "when"), [("models/serving.json", "after"), ("reports/", "before"), ("11_scores", "after")]
)
def test_killed_between_two_steps_a_version_serves_and_the_next_retraining_ends_the_work(toys, moved, part, when):
    code = (
        "import os, signal, sys\nreplace = os.replace\n"
        "def counted(source, target, **more):\n"
        f"    hit = {part!r} in str(target)\n"
        f"    if not (hit and {when!r} == 'before'): replace(source, target, **more)\n"
        "    if hit: os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.replace = counted\nfrom customerlab.workbench.cli import main\n"
        f"sys.argv = ['customerlab', 'retrain', '--as-of', {EARLY!r}]; main()"
    )
    assert subprocess.run([BIN / "python", "-c", code], cwd=toys, stdout=-3).returncode == -signal.SIGKILL
    if part != "11_scores":
        assert served(toys)["sizes"]["units"] == counted(toys, EARLY)
    done = call(toys, *RETRAIN, "--as-of", EARLY)
    assert done.stdout.splitlines()[-1] == moved[1].stdout.splitlines()[-1]
    ends = ("models/", "reports/", "artifacts/", "metrics.json", "as_of.json")
    own, whole = ({name: what for name, what in files(p).items() if name.startswith(ends)} for p in (toys, moved[0]))
    assert own == whole and not list(home(toys).rglob(".aside-*"))
