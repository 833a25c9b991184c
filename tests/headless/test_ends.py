"""How runs end that nobody waits for: killed, terminated, beyond their limits, on what is not theirs, without room."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from customerlab.errors import RunError
from customerlab.workbench import execute, kernel
from customerlab.workbench.plan import make_plan
from customerlab.workbench.publish import finish
from customerlab.workbench.standing import due, standings
from helpers import BIN, call, copy_project, make, toy

pytestmark = pytest.mark.thorough
WAITS = "import pathlib, time\npathlib.Path('waits').touch()\ntime.sleep(100)"


def results(folder: Path) -> dict[str, bytes]:
    """All that a run leaves, without the times in its manifest and what its commands remember."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    manifest = json.loads(found["manifest.json"])
    for record in manifest.values():
        del record["finished_at"], record["seconds"]
    kept = {name: content for name, content in found.items() if not name.startswith(".state/") and "site/" not in name}
    return kept | {"manifest.json": json.dumps(manifest).encode()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project whose toy has been executed with n = 1, and what it leaves with n = 2."""
    project = toy(copy_project(tmp_path_factory.mktemp("toy") / "project"))
    call(project, "customerlab", "run", "--no-site")
    old = shutil.copytree(project / "outputs" / "demo", project.with_name("old"))
    begin = time.monotonic()
    call(asked(project, 2), "customerlab", "run", "--no-site")
    took, new = time.monotonic() - begin, results(project / "outputs" / "demo")
    assert set(new) > {"02_toy.ipynb", "artifacts/toy.csv", "artifacts/toy_too.parquet", "metrics.json"}
    assert results(old) != new
    return project, old, new, took


def asked(project: Path, n: int) -> Path:
    """The project, whose run is asked for another number."""
    (project / "params" / "demo.yml").write_text(f"run: demo\nn: {n}\n", encoding="utf-8")
    return project


def restored(project: Path, old: Path) -> Path:
    """The results with n = 1, in a project whose run asks for n = 2."""
    asked(project, 2)
    while (project / "outputs" / "demo").exists():  # a kernel whose run was killed may write for a moment more
        shutil.rmtree(project / "outputs" / "demo", ignore_errors=True)
    return Path(shutil.copytree(old, project / "outputs" / "demo"))


def test_killed_at_any_moment_a_run_leaves_the_old_results_or_the_new_and_can_be_repeated(finished):
    project, old, new, took = finished
    draw, ends = random.Random(17), []
    for number in range(6):
        out = restored(project, old)
        # every other one near the end, where results are put in place
        moment = draw.uniform(0, took) if number % 2 else draw.uniform(0.75, 1) * took
        process = subprocess.Popen([BIN / "customerlab", "run", "--no-site"], cwd=project, stdout=-3)
        time.sleep(moment)
        process.kill()
        process.wait()
        finish(out)
        left = {name: content for name, content in results(out).items() if not name.startswith(".staging/")}
        assert left in (new, results(old)), f"half old after {moment:.2f} s"
        ends.append(left == new)
        for n in (1, 2):
            plan = make_plan(asked(project, n), "demo")
            assert (due(plan, plan.steps[0]) == "") == (ends[-1] == (n == 2))
        if number % 4 == 0:
            call(project, "customerlab", "run", "--no-site")
            assert results(out) == new
    print(f"{sum(ends)} of 6 killed runs had published")


@pytest.mark.parametrize("moment", [0, 2, 5])
def test_killed_between_two_renamings_a_run_is_finished_by_the_next_command(finished, moment):
    """Counted from the moment of publication, in the process that a user starts."""
    project, old, new, _ = finished
    out = restored(project, old)
    code = (
        "import os, signal, sys\nreplace, count = os.replace, []\n"
        "def counted(source, target, **more):\n"
        "    if count or 'publishing' in str(target): count.append(1)\n"
        f"    if len(count) == {moment + 1}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return replace(source, target, **more)\n"
        "os.replace = counted\nfrom customerlab.workbench.cli import main\n"
        "sys.argv = ['customerlab', 'run', '--no-site']; main()"
    )
    assert subprocess.run([BIN / "python", "-c", code], cwd=project, stdout=-3).returncode == -signal.SIGKILL
    call(project, "customerlab", "site")
    assert results(out) == (results(old) if moment == 0 else new)
    assert not list((out / ".staging").iterdir()) and not list(out.rglob(".aside-*"))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("words", [("customerlab", "run"), ("make", "run")])
def test_asked_to_end_a_run_ends_and_leaves_nothing(project, end, words):
    toy(project, WAITS)
    make(project, "help")
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        words, cwd=project, env=os.environ | path, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell lets what it starts with & ignore it
    )  # fmt: skip
    while not (project / "notebooks" / "waits").exists():
        assert process.poll() is None
        time.sleep(0.1)
    kernels = subprocess.run(
        ["pgrep", "-f", f"{BIN}.*ipykernel_launcher"], capture_output=True, text=True
    ).stdout.split()
    own = [pid for pid in kernels if Path(f"/proc/{pid}/cwd").resolve() == project / "notebooks"]
    assert own or not Path("/proc").exists()
    os.killpg(process.pid, end)
    said = process.communicate(timeout=300)[0]
    assert "Aborted!" in said and "Traceback" not in said
    assert words[0] == "make" or process.returncode == 128 + end
    assert not [pid for pid in own if Path(f"/proc/{pid}").exists()]
    out = project / "outputs" / "demo"
    assert not list((out / ".staging").iterdir()) and not list(out.glob("*.ipynb"))


@pytest.mark.parametrize(
    ("cell", "limit", "said"),
    [
        ("print('x' * 100_000_000)", {}, "the outputs of the cell are larger than 20 MB"),
        ("while True: print('x' * 99)", {"CELL_MEGABYTES": 2}, "the outputs of the cell are larger than 2 MB"),
        ("while True: print('x' * 99)", {"NOTEBOOK_MEGABYTES": 1}, "the outputs of the notebook are larger than 1 MB"),
        ("while True: pass", {"CELL_HOURS": 1 / 3600}, "a cell has not ended after"),
        ("while True: pass", {"NOTEBOOK_HOURS": 1 / 3600}, "the notebook has not ended after"),
    ],
)
def test_what_does_not_end_is_ended(project, monkeypatch, capfd, cell, limit, said):
    for name, value in limit.items():
        monkeypatch.setattr(kernel, name, value)
    plan, begin = make_plan(toy(project, "1 + 1", cell), "demo"), time.monotonic()
    with pytest.raises(RunError) as caught:
        execute.run_step(plan, plan.steps[0], lambda line: None)
    assert said in str(caught.value) and f"code cell 4: {cell}" in str(caught.value)
    assert time.monotonic() - begin < 300 and "Traceback" not in capfd.readouterr().err
    assert said in (plan.folder / "failed" / "02_toy.txt").read_text() and not (plan.folder / "artifacts").exists()
    # of output what the limit is at most; a line of 100 signs takes 111 in the file, with its indent, quotes and comma
    most = min(limit.get("CELL_MEGABYTES", 20), limit.get("NOTEBOOK_MEGABYTES", 20))
    assert (plan.folder / "failed" / "02_toy.ipynb").stat().st_size < 1.115e6 * most


def test_many_lines_are_no_flood(project):
    plan = make_plan(toy(project, "for n in range(100_000): print(n)"), "demo")
    execute.run_step(plan, plan.steps[0], lambda line: None)
    assert due(plan, plan.steps[0]) == ""


@pytest.mark.parametrize("content", [b"", b"\xff", None])
def test_a_notebook_that_the_run_did_not_write_is_named_and_has_no_page(finished, content):
    project, old, *_ = finished
    out = restored(project, old)
    call(asked(project, 1), "customerlab", "site")
    assert (out / "site" / "02_toy.html").is_file()
    path = out / "02_toy.ipynb"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"A toy", b"A <script>toy</script>") if content is None else content)
    done = call(project, "customerlab", "site")
    said = "outputs/demo/02_toy.ipynb is not the one that the run wrote; customerlab run 02 --run demo makes it again"
    assert f"[02_toy] not up to date: {said}" in done.stdout and said in (out / "site" / "index.html").read_text()
    assert not (out / "site" / "02_toy.html").exists()
    call(project, "customerlab", "run", "02")
    assert path.read_bytes() == whole and (out / "site" / "02_toy.html").is_file()


def test_a_page_that_was_not_rendered_here_is_rendered_again(finished):
    project, old, *_ = finished
    make(restored(project, old).parents[1], "run")
    page = project / "outputs" / "demo" / "site" / "02_toy.html"
    whole = page.read_bytes()
    page.write_bytes(whole.replace(b"A toy", b"No toy"))
    make(project, "run")
    assert page.read_bytes() == whole


def test_what_there_is_no_room_for_changes_nothing_and_is_made_when_there_is(finished):
    project, old, new, _ = finished
    for size in (100, 1_000, 2_000):
        out = restored(project, old)
        limit = lambda size=size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # noqa: E731
        done = call(project, "customerlab", "run", "--no-site", check=False, preexec_fn=limit)
        finish(out)
        kept = {name: what for name, what in results(out).items() if not name.startswith("failed/")}
        assert done.returncode and "Traceback" not in done.stderr and kept == results(old)
    call(project, "customerlab", "run", "--no-site")
    assert results(out) == new


def test_two_at_once_and_a_reader_beside_them_give_the_results_of_one(finished):
    project, old, new, _ = finished
    out = restored(project, old)
    words = [BIN / "customerlab", "run", "--no-site"]
    both = [subprocess.Popen(words, cwd=project, stdout=-3, stderr=-3) for _ in range(2)]
    while any(process.poll() is None for process in both):
        finish(out)
        time.sleep(0.01)
    assert sorted(process.returncode for process in both) == [0, 1]
    assert results(out) == new


def test_pages_and_results_are_their_owners(finished):
    project, old, *_ = finished
    out = restored(project, old)
    before = os.umask(0)
    try:
        call(project, "customerlab", "run")
    finally:
        os.umask(before)
    paths = [out, project / "data" / "cache", *out.rglob("*")]
    assert not [path for path in paths if path.stat().st_mode & 0o077 and path.parent.name != ".state"]
    assert standings(make_plan(project, "demo")) == {}
