"""The rules of the runner, on three small notebooks: what runs again, what stops whom, and what a guest can do."""

import hashlib
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from customerlab.data.project import read_sealed
from customerlab.workbench.plan import make_plan
from customerlab.workbench.runner import _seconds_ahead
from customerlab.workbench.standing import standings
from helpers import BIN, call, copy_project, make, started, two_toys, write_notebook

pytestmark = pytest.mark.slow
NAMES = ["02_first", "03_second", "04_alone"]
RUN = ("customerlab", "run", "--jobs", "2")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A project of three small notebooks that have been executed."""
    project = two_toys(copy_project(tmp_path_factory.mktemp("toys") / "project"))
    done = call(project, *RUN)
    assert started(done.stdout) == NAMES
    return project


@pytest.fixture
def toys(played, tmp_path):
    """The same for a test of its own."""
    return Path(shutil.copytree(played, tmp_path / "project"))


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("*")) if p.is_file()}


def results(project: Path) -> list:
    out = project / "outputs" / "demo"
    return [digests(out / "artifacts"), (out / "metrics.json").read_text(), digests(out)]


def edit(project: Path, name: str, change) -> None:
    path = project / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def add(text: str):
    """Add a line to the last cell but one."""
    return lambda notebook: notebook.cells[-2].update(source=f"{notebook.cells[-2].source}\n{text}")


def page(project: Path, name: str) -> str:
    return (project / "outputs" / "demo" / "site" / f"{name}.html").read_text()


# --- what is due ---


def test_a_second_run_executes_and_imports_nothing(toys):
    before = results(toys)
    code = (
        "import sys; from customerlab.workbench.cli import main\n"
        "try: main(['run'])\nexcept SystemExit as end: status = end.code\n"
        "print(status or 0, sorted({'pandas', 'ibis', 'papermill', 'nbformat', 'nbconvert', 'IPython'} & set(sys.modules)))"
    )
    done = call(toys, "python", "-c", code)
    assert done.stdout.splitlines()[-1] == "0 []" and started(done.stdout) == [] and results(toys) == before
    assert "up to date: open outputs/demo/site/index.html" in done.stdout


def test_only_what_changed_runs_again_and_who_reads_other_results(toys):
    def resaved(notebook):
        for cell in notebook.cells:
            cell.metadata["scrolled"] = True
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], 99

    edit(toys, "02_first", resaved)
    assert started(call(toys, *RUN).stdout) == []
    edit(toys, "02_first", add("extra = 1"))
    assert started(call(toys, *RUN).stdout) == ["02_first"], "what it makes is the same"
    edit(toys, "02_first", add("rows = rows + 1"))
    assert started(call(toys, *RUN).stdout) == ["02_first", "03_second"]
    assert started(call(toys, *RUN, "03").stdout) == ["03_second"], "who is named runs, changed or not"


@pytest.mark.thorough
def test_a_changed_text_goes_on_the_page_without_executing_anything(toys):
    before = results(toys)

    def told(notebook):
        notebook.cells[0].source += "\n\nA remark of the shopkeeper."
        notebook.cells.insert(3, nbformat.v4.new_markdown_cell("## A section of its own"))
        notebook.cells[-1].source += "  # a comment"

    edit(toys, "04_alone", told)
    assert started(call(toys, *RUN).stdout) == [] and results(toys) == before
    shown = page(toys, "04_alone")
    assert "A remark of the shopkeeper." in shown and "A section of its own</a>" in shown and "# a comment" in shown
    edit(toys, "04_alone", lambda n: n.cells[0].update(source=n.cells[0].source + "\n\nAnother one."))
    call(toys, "customerlab", "site")
    assert "Another one." in page(toys, "04_alone")


def by_papermill(project):
    call(project, "papermill", "notebooks/02_first.ipynb", "out.ipynb", "-p", "n", "2", "--no-progress-bar")


def by_run_all(project):
    """An edited parameters cell, executed in the notebook's own folder and not saved."""
    scratch = project / "notebooks" / "Untitled.ipynb"
    scratch.write_text((project / "notebooks" / "02_first.ipynb").read_text().replace("n: int = 1", "n: int = 2"))
    call(project, "jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", str(scratch))
    scratch.unlink()


def by_override(project):
    call(project, *RUN, "02", "-p", "n=2")
    out = project / "outputs" / "demo" / "scratch" / "n=2"
    assert json.loads((out / "manifest.json").read_text())["02_first"]["parameters"]["n"] == 2
    shown = (out / "site" / "02_first.html").read_text()
    assert "Not the run's results.</strong> Executed with <code>n = 2</code> (the run's: <code>1</code>)" in shown
    assert "waits" not in shown and "Not the run" not in page(project, "02_first")


@pytest.mark.thorough
@pytest.mark.parametrize("way", [by_papermill, by_run_all, by_override])
def test_other_parameters_write_aside_and_leave_every_checksum_of_the_run(toys, way):
    before, folder = results(toys), toys / "outputs" / "demo"
    way(toys)
    made = pd.read_parquet(folder / "scratch" / "n=2" / "artifacts" / "firsts.parquet")
    assert len(made) == 2 and results(toys) == before
    assert standings(make_plan(toys, "demo")) == {} and started(call(toys, *RUN).stdout) == []
    aside = make_plan(toys, "demo", {"n": "2"})
    assert aside.folder == folder / "scratch" / "n=2" and make_plan(toys, "demo", {"n": "1"}).folder == folder
    if way is not by_override:
        return
    call(toys, *RUN, "03", "-p", "n=2", "--no-site")
    reads = json.loads((aside.folder / "manifest.json").read_text())["03_second"]["reads"]["firsts"]
    assert reads == hashlib.sha256((aside.folder / "artifacts" / "firsts.parquet").read_bytes()).hexdigest()
    assert results(toys) == before, "who reads what was made aside is aside, too"


@pytest.mark.thorough
def test_a_sweep_executes_every_combination_and_compares_them(toys):
    before = results(toys)
    done = call(toys, "customerlab", "sweep", "02", "n=1,2,3")
    assert done.stdout.count("] starts: ") == 2, "that of the run's own values is there"
    assert "open outputs/demo/scratch/02_first.sweep.html" in done.stdout and results(toys) == before
    shown = (toys / "outputs" / "demo" / "scratch" / "02_first.sweep.html").read_text()
    assert all(f'<a href="{link}/site/index.html">' in shown for link in ("..", "n=2", "n=3"))
    done = call(toys, "customerlab", "sweep", "02", "n=1,99", check=False)
    assert done.returncode == 1 and "n = 99" in done.stderr and "from 1 to 9" in done.stderr


@pytest.mark.thorough
def test_plain_papermill_and_run_all_give_the_same_results(played, tmp_path):
    project = two_toys(copy_project(tmp_path / "project"))
    call(project, "papermill", "notebooks/02_first.ipynb", "out.ipynb", "-f", "params/demo.yml", "--no-progress-bar")
    jupyter = ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", "notebooks/03_second.ipynb"]
    call(project, *jupyter)  # the notebook's own folder, its own defaults, as Run all has them
    artifacts, metrics, _ = results(played)
    assert digests(project / "outputs" / "demo" / "artifacts") == artifacts
    found = json.loads((project / "outputs" / "demo" / "metrics.json").read_text())
    assert found == {name: json.loads(metrics)[name] for name in NAMES[:2]}


@pytest.mark.thorough
def test_plain_papermill_cannot_leave_the_range_of_a_parameter(tmp_path):
    project = two_toys(copy_project(tmp_path / "project"))
    words = ["notebooks/02_first.ipynb", "out.ipynb", "-p", "n", "99", "--no-progress-bar"]
    done = call(project, "papermill", *words, check=False)
    assert done.returncode != 0 and "n = 99" in done.stderr and "from 1 to 9" in done.stderr
    assert not (project / "outputs").exists()


@pytest.mark.thorough
def test_refresh_stores_the_outputs_and_a_notebook_that_fails_stays_as_it_is(toys):
    edit(toys, "04_alone", add("raise RuntimeError('planted')"))
    failing = (toys / "notebooks" / "04_alone.ipynb").read_text()
    edit(toys, "02_first", lambda notebook: notebook.cells[-1].update(source=notebook.cells[-1].source + "\nrows"))
    done = call(toys, "customerlab", "refresh", check=False)
    assert done.returncode == 1 and "not stored: 04_alone did not finish" in done.stderr
    stored = nbformat.read(toys / "notebooks" / "02_first.ipynb", as_version=4)
    counts = [cell.execution_count for cell in stored.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)) and stored.cells[-1].outputs[0].data["text/plain"].isdigit()
    assert (toys / "notebooks" / "04_alone.ipynb").read_text() == failing


# --- tables ---


def test_a_data_error_is_on_the_pages_until_it_is_mended(toys):
    path, before = toys / "data" / "demo" / "experiment.csv", results(toys)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b",0.0\n", b",abc\n", 1))
    done = call(toys, *RUN, check=False)
    assert done.returncode == 1 and done.stdout.count("'abc' cannot be read as outcome_spend\n  where:") == 1
    assert "[03_second] not run: the experiment table could not be made" in done.stdout and started(done.stdout) == []
    said = "not up to date: the last run failed: 'abc' cannot be read as outcome_spend"
    assert f"[03_second] {said}" in done.stdout and "error: not finished: 03_second" in done.stderr
    assert "The last run failed" in page(toys, "index") and "cannot be read as outcome_spend" in page(toys, "index")
    assert "This page is not up to date" in page(toys, "03_second") and "not up to date" not in page(toys, "02_first")
    path.write_bytes(whole)
    assert started(call(toys, *RUN).stdout) == [] and results(toys) == before
    assert "failed" not in page(toys, "index").split("</style>")[1]
    assert "not up to date" not in page(toys, "03_second")


@pytest.mark.thorough
def test_a_file_removed_and_put_back_asks_for_nothing(toys, tmp_path):
    kept = (toys / "data" / "demo" / "products.csv").rename(tmp_path / "kept")
    done = call(toys, *RUN, check=False)
    missing = "not up to date: the last run failed: the file of data set 'demo' is missing"
    assert done.returncode == 1 and f"[02_first] {missing}" in done.stdout
    assert "[03_second] not up to date: it waits for 02_first" in done.stdout
    assert "not up to date" in page(toys, "02_first")
    kept.rename(toys / "data" / "demo" / "products.csv")
    assert started(call(toys, *RUN).stdout) == []


def test_a_table_that_was_removed_is_prepared_without_executing_anything(toys):
    table = toys / "outputs" / "demo" / "tables" / "products.parquet"
    before = table.read_bytes()
    table.unlink()
    done = call(toys, *RUN)
    assert "table products" in done.stdout and "table experiment" not in done.stdout and started(done.stdout) == []
    assert table.read_bytes() == before


@pytest.mark.thorough
def test_a_table_that_there_is_no_room_for_is_named(toys):
    tables, before = digests(toys / "outputs" / "demo" / "tables"), results(toys)
    catalog = toys / "data" / "catalog.yml"
    asked = "outcomes: [visit, conversion, spend]"
    assert asked in catalog.read_text()
    catalog.write_text(catalog.read_text().replace(asked, "outcomes: [visit, conversion]"))
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))  # noqa: E731
    done = call(toys, *RUN, "03", "--no-site", check=False, preexec_fn=limit)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "free some space" in done.stdout
    assert digests(toys / "outputs" / "demo" / "tables") == tables and results(toys) == before


# --- what fails ---


def test_a_failing_notebook_stops_only_its_dependents(toys):
    out = toys / "outputs" / "demo"
    artifacts, executed = digests(out / "artifacts"), (out / "02_first.ipynb").read_text()
    edit(toys, "02_first", add("raise RuntimeError('planted')"))
    edit(toys, "03_second", add("harmless = 1"))
    edit(toys, "04_alone", add("harmless = 1"))
    done = call(toys, *RUN, check=False)
    assert done.returncode == 1 and "error: not finished: 02_first, 03_second" in done.stderr
    assert "02_first stopped: RuntimeError: planted" in done.stdout and "failed/02_first.ipynb" in done.stdout
    assert "[03_second] not run: firsts could not be made" in done.stdout
    assert started(done.stdout) == ["02_first", "04_alone"] and "[04_alone] done" in done.stdout
    assert digests(out / "artifacts") == artifacts and (out / "02_first.ipynb").read_text() == executed
    assert (out / "failed" / "02_first.ipynb").is_file()
    assert "[03_second] not up to date: it waits for 02_first" in done.stdout
    assert "it waits for 02_first" in page(toys, "03_second")
    assert "planted" in page(toys, "index") and "planted" in page(toys, "02_first")
    edit(toys, "02_first", lambda n: n.cells[-2].update(source=n.cells[-2].source.replace("raise Run", "# raise Run")))
    assert started(call(toys, *RUN).stdout) == ["03_second"], "the code of 02 is again the one whose results are here"
    assert not list((out / "failed").iterdir()) and "The last run failed" not in page(toys, "index")


def test_a_missing_artefact_names_its_notebook(tmp_path):
    project = two_toys(copy_project(tmp_path / "project"))
    done = call(project, *RUN, "03", "--no-site", check=False)
    assert done.returncode == 1
    assert "[03_second] FAILED  03_second stopped: firsts has not been made in run 'demo'\n" in done.stdout
    assert done.stdout.count("  do: ") == 1 and "do:       customerlab run 02 --run demo\n" in done.stdout


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("raise ValueError(f'n = {n} is too many')", ["02_first stopped: ", "n = 2", "set n in params/demo.yml"]),
        pytest.param("import sys\nsys.exit(0)", ["ended before its last cell"], marks=pytest.mark.thorough),
        ("from customerlab import checks\nchecks(shares_sum_to_one=False)", ["does not hold: shares sum to one"]),
        pytest.param("import os\nos._exit(1)", ["the kernel of 02_first died"], marks=pytest.mark.thorough),
    ],
)
def test_what_a_cell_says_or_does_is_no_success(toys, cell, said):
    edit(toys, "02_first", add(cell))
    (toys / "params" / "demo.yml").write_text("run: demo\nn: 2\n")
    before = results(toys)
    done = call(toys, *RUN, "02", "--no-site", check=False)
    message = (toys / "outputs" / "demo" / "failed" / "02_first.txt").read_text()
    assert done.returncode == 1 and message.strip() in done.stdout and all(text in message for text in said)
    assert results(toys) == before


def test_a_kernel_that_has_done_its_work_is_not_interrupted(toys):
    """What an idle kernel says of an interrupt looks like an error of the run."""
    handler = "lambda *_: open('interrupted', 'w').close()"
    asks = f"get_ipython().kernel.saved_sigint_handler = {handler}  # for when the cell has ended"
    edit(toys, "04_alone", add(asks))
    done = call(toys, *RUN, "04", "--no-site")
    assert not (toys / "notebooks" / "interrupted").exists() and "KeyboardInterrupt" not in done.stderr


def test_a_run_is_executed_by_one_process_at_a_time(toys):
    code = (
        "import time; from pathlib import Path; from customerlab.workbench.lock import hold\n"
        "from customerlab.workbench.plan import make_plan\n"
        "hold(make_plan(Path.cwd(), 'demo')); print('held', flush=True); time.sleep(300)"
    )
    holder = subprocess.Popen([BIN / "python", "-c", code], cwd=toys, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    try:
        for words in (RUN, (*RUN, "04"), ("customerlab", "refresh", "04"), ("customerlab", "site")):
            done = call(toys, *words, check=False)
            assert done.returncode == 1 and started(done.stdout) == []
            assert f"run 'demo' is being executed by process {holder.pid}\n" in done.stderr
            assert "wait until it has ended" in done.stderr
    finally:
        holder.kill()
        holder.wait()
    assert started(call(toys, *RUN, "04", "--no-site").stdout) == ["04_alone"]


def test_what_make_run_cannot_begin_is_said(toys):
    for words, said in ((["RUN="], "'' cannot name a run"), (["RUN=null"], "there is no run called 'null'")):
        done = make(toys, "run", *words)
        assert done.returncode != 0 and f"error: {said}" in done.stderr and "site/index.html" not in done.stdout


# --- side by side ---


def test_what_others_wait_for_and_what_takes_long_begins_first(played):
    plan = make_plan(played, "demo")
    took = {name: read_sealed(plan.folder / ".state" / f"{name}.manifest.json")["seconds"] for name in NAMES}
    assert _seconds_ahead(plan, plan.steps) == {
        "02_first": took["02_first"] + took["03_second"], "03_second": took["03_second"], "04_alone": took["04_alone"],
    }  # fmt: skip


def test_notebooks_run_side_by_side(toys):
    """Each of two waits for a file that the other writes."""
    for name, own, other in (("02_first", "a", "b"), ("04_alone", "b", "a")):
        waits = f"import pathlib, time\npathlib.Path('{own}').touch()\nwhile not pathlib.Path('{other}').exists(): time.sleep(.05)"
        edit(toys, name, add(waits))
    assert started(call(toys, *RUN, "--no-site").stdout) == ["02_first", "04_alone"]


# --- guests ---

BAD = {
    "07_text.ipynb": "no notebook",
    "07_empty.ipynb": "",
    "07_bytes.ipynb": b"\xff\xfe",
    "07_old.ipynb": '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}',
    "02_second.ipynb": ["1"],
    "07_syntax.ipynb": ["for"],
    "07_firsts.ipynb": ['lab.save("firsts", pd.DataFrame({"id": [1]}), key="id")\nlab.record(n=1)'],
    "07_other.ipynb": ['lab = Run(run, "02_first")'],
    "07_nobody.ipynb": ['lab.load("what_nobody_makes")'],
}


def test_guests_that_cannot_run_are_as_if_they_were_not_there(toys):
    before = results(toys)
    for name, content in BAD.items():
        if isinstance(content, list):
            write_notebook(toys, Path(name).stem, *content)
        else:
            (toys / "notebooks" / name).write_bytes(content.encode() if isinstance(content, str) else content)
    done = call(toys, *RUN)
    assert started(done.stdout) == [] and results(toys) == before
    for name in BAD:
        assert f"[{Path(name).stem}] left out: " in done.stdout and Path(name).stem in page(toys, "index"), name
        own = call(toys, *RUN, Path(name).stem, check=False)
        assert own.returncode == 1 and started(own.stdout) == [] and "Traceback" not in own.stderr, name


@pytest.mark.thorough
def test_what_a_guest_reads_unseen_is_there_in_time_and_on_record(toys):
    project, run = toys, (*RUN, "--no-site")
    loop = 'for name in ["firsts", "seconds"]:\n    print(len(lab.load(name)))'
    save = (
        'for name in ["mine"]:\n    lab.save(name, pd.DataFrame({"id": [n]}), key="id")\nfiles = !ls\nlab.record(n=n)'
    )
    write_notebook(
        project, "07_loop", loop, "rows = lab.table('prod' + 'ucts').count().execute()", save, "pd.DataFrame?"
    )
    write_notebook(
        project, "08_reader", 'mine = lab.load("mine", optional=True)\nlab.record(n=0 if mine is None else 1)'
    )
    call(project, *run)
    manifest = json.loads((project / "outputs" / "demo" / "manifest.json").read_text())
    writes = manifest["02_first"]["writes"] | manifest["03_second"]["writes"]
    assert manifest["07_loop"]["reads"] == writes and list(manifest["07_loop"]["tables"]) == ["products"]
    assert list(manifest["07_loop"]["writes"]) == ["mine"]
    call(project, *run)
    assert "mine" in json.loads((project / "outputs" / "demo" / "manifest.json").read_text())["08_reader"]["reads"]
    assert started(call(project, *run).stdout) == []
    edit(project, "03_second", add("firsts = firsts.assign(other=1)"))
    assert started(call(project, *run).stdout) == ["03_second", "07_loop"]


@pytest.mark.thorough
def test_what_guests_may_not_do_unseen_is_refused_when_they_run(toys):
    before, refused = results(toys), {
        "07_mine": (['lab.save("fir" + "sts", pd.DataFrame({"id": [1]}), key="id")'], "firsts is what 02_first makes"),
        "08_mine": (['name = "02_first"\nlab = Run(run, name)'], "Run('demo', '02_first') in the notebook 08_mine"),
        "09_mine": (['Run("other", "09_mine")'], "Run('other', '09_mine') in the notebook 09_mine"),
    }  # fmt: skip
    for name, (cells, _) in refused.items():
        write_notebook(toys, name, *cells, "lab.record(n=n)")
    done = call(toys, *RUN, "--no-site", check=False)
    assert done.returncode == 1 and started(done.stdout) == list(refused)
    assert all(f"{name} stopped: {said}" in done.stdout for name, (_, said) in refused.items())
    assert results(toys) == before


@pytest.mark.thorough
def test_a_notebook_of_ones_own_begins_with_a_command_and_writes_over_nothing(toys):
    before = results(toys)[0]
    call(toys, "customerlab", "new", "my_copy", "--from", "02")
    assert "customerlab run 51" in call(toys, "customerlab", "new", "my_idea").stdout
    done = call(toys, *RUN)
    assert started(done.stdout) == ["50_my_copy", "51_my_idea"]
    after = results(toys)[0]
    assert {name: after[name] for name in before} == before and "my_copy_firsts.parquet" in after
    front = page(toys, "index")
    assert front.index("<h2>Own analyses</h2>") < front.rindex('href="51_my_idea.html"')
    for words, said in (
        (("my_idea",), "there is a notebook 51_my_idea.ipynb"),
        (("My idea",), "cannot name a notebook"),
        (("other", "--from", "9"), "9"),
    ):
        done = call(toys, "customerlab", "new", *words, check=False)
        assert done.returncode == 1 and said in done.stderr
    assert len(list((toys / "notebooks").glob("*.ipynb"))) == len(NAMES) + 2


@pytest.mark.thorough
def test_kernels_are_of_the_interpreter_that_runs_this(toys, tmp_path, monkeypatch):
    """A user's own kernel python3 may be of a Python that lacks what notebooks need."""
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        json.dumps({"argv": ["/bin/false", "{connection_file}"], "display_name": "P", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    edit(toys, "04_alone", add("import sys\nprint(sys.executable)"))
    call(toys, *RUN, "04", "--no-site")
    assert sys.executable in (toys / "outputs" / "demo" / "04_alone.ipynb").read_text()
    done = call(toys, "customerlab", "doctor", check=False)  # the project's params files are not for toys
    assert "note   Jupyter kernel python3: it starts another Python, /bin/false" in done.stdout
