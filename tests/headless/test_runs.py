"""Whole runs, as their users start them."""

import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml

from customerlab.data.catalog import find_data_set
from customerlab.data.fetch import locate
from customerlab.workbench.notebook import load_notebooks
from customerlab.workbench.plan import make_plan
from customerlab.workbench.standing import standings
from helpers import BIN, ROOT, add_shop, as_written, call, copy_project, make, stranger_lines

pytestmark = pytest.mark.slow
NAMES = [n.name for n in load_notebooks(ROOT)]
READERS_OF_02 = ["02_rfm", "03_clustering", "05_ab_analysis"]
SNAKEMAKE = (
    "snakemake", "--cores", "2", "--quiet", "all", "--keep-going", "--nolock", "--rerun-incomplete", "--rerun-triggers", "mtime",
)  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("*")) if p.is_file()}


def started(output: str) -> list[str]:
    return sorted(set(re.findall(r"\[(\d\d_\w+)\] starts", output)))


def edit(project: Path, name: str, change) -> None:
    path = project / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A copy of the project in which `make run` has run once; the tests that change it come after those that do not."""
    project = copy_project(tmp_path_factory.mktemp("demo") / "project")
    done = call(project, *SNAKEMAKE)
    shutil.copytree(project, project.with_name("finished"))
    return project, done


def without_orders(project: Path) -> Path:
    """The project with a demo shop of which only the test is known: 05 needs no other notebook."""
    path = project / "data" / "catalog.yml"
    catalog = yaml.safe_load(path.read_text())
    catalog["demo"]["tables"] = {"experiment": catalog["demo"]["tables"]["experiment"]}
    path.write_text(yaml.safe_dump(catalog, sort_keys=False))
    return project


@pytest.fixture
def finished(demo, tmp_path):
    """A project of a test's own in which `make run` has run once."""
    return Path(shutil.copytree(demo[0].with_name("finished"), tmp_path / "project"))


def test_a_run_leaves_everything(demo):
    project, done = demo
    out = project / "outputs" / "demo"
    assert started(done.stdout) == NAMES
    assert {p.stem for p in out.glob("*.ipynb")} == set(NAMES)
    metrics, manifest = (json.loads((out / f"{n}.json").read_text()) for n in ("metrics", "manifest"))
    assert set(metrics) == set(manifest) == set(NAMES)
    for name in NAMES:
        entry = manifest[name]
        assert {"parameters", "tables", "reads", "writes", "software", "fingerprint"} <= set(entry)
        for artifact, digest in entry["writes"].items():
            assert hashlib.sha256((out / "artifacts" / f"{artifact}.parquet").read_bytes()).hexdigest() == digest
        assert str(project) not in (out / f"{name}.ipynb").read_text()
    assert manifest["03_clustering"]["reads"] == manifest["02_rfm"]["writes"]
    assert str(project) not in (out / "manifest.json").read_text()
    assert not (out / ".staging").exists() or not list((out / ".staging").iterdir())
    assert not list(project.rglob("kernel-ipc*"))


def test_the_pages_are_whole_and_need_no_network(demo):
    site = demo[0] / "outputs" / "demo" / "site"
    pages = sorted(p.stem for p in site.glob("*.html"))
    assert pages == [*NAMES, "index"]
    for path in site.glob("*.html"):
        text = path.read_text()
        assert not re.search(r'(?:src|href)="(?!data:|#|[\w]+\.html)', text), "nothing outside the folder is loaded"
        assert not re.search(r"<script|@import|url\(", text)
        assert (
            text.count("<h1") == 1
            and '<html lang="en">' in text
            and 'name="viewport"' in text
            and "prefers-color-scheme: dark" in text
        )
        for alt in re.findall(r"<img[^>]*alt=\"([^\"]*)\"", text):
            assert len(alt) > 40
        assert text.count("<img") == len(re.findall(r"<img[^>]*alt=\"[^\"]+\"", text)) == text.count("<figcaption>")
        for target in re.findall(r'href="#([^"]+)"', text):
            assert f'id="{target}"' in text, f"{path.name} has no {target}"
    index = (site / "index.html").read_text()
    assert all(f'href="{name}.html"' in index for name in NAMES)
    rfm = (site / "02_rfm.html").read_text()
    # nbconvert sorts the attributes of a page
    assert 'href="01_eda.html" rel="prev"' in rfm and 'href="03_clustering.html" rel="next"' in rfm
    assert '<details class="source"><summary>Code' in rfm and "rfm_bins" in rfm and "sha256" in rfm


def test_a_second_run_executes_nothing(demo):
    before = digests(demo[0] / "outputs" / "demo" / "artifacts")
    done = call(demo[0], *SNAKEMAKE)
    assert started(done.stdout) == [] and digests(demo[0] / "outputs" / "demo" / "artifacts") == before


def test_the_command_line_does_the_same_without_snakemake(demo, tmp_path):
    project = copy_project(tmp_path / "project")
    call(project, "customerlab", "run", "--run", "demo")
    one, two = (p / "outputs" / "demo" for p in (demo[0], project))
    assert digests(one / "artifacts") == digests(two / "artifacts")
    assert (one / "metrics.json").read_text() == (two / "metrics.json").read_text()
    for name in NAMES:
        assert (one / f"{name}.ipynb").read_text() == (two / f"{name}.ipynb").read_text()


def test_plain_papermill_and_run_all_give_the_same_results(demo, tmp_path):
    project = copy_project(tmp_path / "project")
    call(project, "papermill", "notebooks/02_rfm.ipynb", "out.ipynb", "-f", "params/demo.yml", "--no-progress-bar")
    by_papermill = digests(project / "outputs" / "demo" / "artifacts")
    jupyter = ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", "notebooks/03_clustering.ipynb"]
    call(project, *jupyter)  # the notebook's own folder, its own defaults, as Run all has them
    results = digests(project / "outputs" / "demo" / "artifacts")
    assert set(by_papermill) < set(results)
    wanted = digests(demo[0] / "outputs" / "demo" / "artifacts")
    assert {name: wanted[name] for name in results} == results
    metrics = json.loads((project / "outputs" / "demo" / "metrics.json").read_text())
    all_metrics = json.loads((demo[0] / "outputs" / "demo" / "metrics.json").read_text())
    assert metrics == {name: all_metrics[name] for name in ("02_rfm", "03_clustering")}


def by_papermill(project):
    words = ["notebooks/02_rfm.ipynb", "out.ipynb", "-f", "params/demo.yml", "-p", "as_of", "2024-06-01"]
    call(project, "papermill", *words, "--no-progress-bar")


def by_run_all(project):
    """An edited parameters cell, executed in the notebook's own folder and not saved."""
    scratch = project / "notebooks" / "Untitled.ipynb"
    text = (project / "notebooks" / "02_rfm.ipynb").read_text()
    assert "rfm_bins: int = 5" in text
    scratch.write_text(text.replace("rfm_bins: int = 5", "rfm_bins: int = 3"))
    call(project, "jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", str(scratch))
    scratch.unlink()


def by_override(project):
    call(project, "customerlab", "run", "02", "-p", "rfm_bins=3", "-p", "as_of=2024-12-01", "--no-site")
    out = project / "outputs" / "demo"
    table = pd.read_parquet(out / "artifacts" / "rfm_segments.parquet")
    assert table["r_score"].max() == 3 and table["last_order"].max() < pd.Timestamp("2024-12-01")
    assert json.loads((out / "manifest.json").read_text())["02_rfm"]["parameters"]["rfm_bins"] == 3


# The first two write alike, so what they leave is overwritten by one rerun; that each is noticed is seen before it.
@pytest.mark.parametrize("ways", [(by_papermill, by_run_all), (by_override,)], ids=["by hand", "by override"])
def test_results_of_another_execution_do_not_stay(demo, ways, tmp_path):
    project, out = demo[0], demo[0] / "outputs" / "demo"

    def results():
        return [digests(out / "artifacts"), (out / "metrics.json").read_text(), (out / "02_rfm.ipynb").read_text()]

    def behind():
        return list(standings(make_plan(project, "demo")))

    before, kept = results(), shutil.copytree(out, tmp_path / "kept")
    for way in ways:
        shutil.copytree(kept, out, dirs_exist_ok=True)
        assert results() == before and behind() == []
        way(project)
        artifacts, metrics, page = results()
        assert artifacts != before[0] and metrics != before[1] and (page != before[2]) == (way is by_override)
        assert behind() == READERS_OF_02
    assert started(call(project, *SNAKEMAKE).stdout) == READERS_OF_02
    assert results() == before
    manifest = json.loads((out / "manifest.json").read_text())
    read = manifest["03_clustering"]["reads"] | manifest["05_ab_analysis"]["reads"]
    assert read.items() >= manifest["02_rfm"]["writes"].items()
    assert started(call(project, *SNAKEMAKE).stdout) == []


def test_a_data_error_is_on_the_pages_until_it_is_mended(demo):
    project, out = demo[0], demo[0] / "outputs" / "demo"
    path = project / "data" / "demo" / "experiment.csv"
    whole, results = path.read_bytes(), [digests(out / "artifacts"), (out / "05_ab_analysis.ipynb").read_text()]
    path.write_bytes(whole.replace(b",0.0\n", b",abc\n", 1))
    done = call(project, *SNAKEMAKE, check=False)
    assert done.returncode != 0 and done.stdout.count("'abc' cannot be read as outcome_spend\n  where:") == 1
    said = "not up to date: the last run failed: 'abc' cannot be read as outcome_spend"
    assert f"[05_ab_analysis] {said}" in done.stdout and started(done.stdout) == []
    index, page, other = ((out / "site" / f"{n}.html").read_text() for n in ("index", "05_ab_analysis", "02_rfm"))
    assert "The last run failed" in index and "cannot be read as outcome_spend" in index
    assert "This page is not up to date" in page and "cannot be read as outcome_spend" in page
    assert "not up to date" not in other
    path.write_bytes(whole)
    assert started(call(project, *SNAKEMAKE).stdout) == []
    index, page = ((out / "site" / f"{n}.html").read_text() for n in ("index", "05_ab_analysis"))
    assert "failed" not in index.split("</style>")[1] and "not up to date" not in page
    assert results == [digests(out / "artifacts"), (out / "05_ab_analysis.ipynb").read_text()]


def test_a_file_removed_and_put_back_asks_for_nothing(demo, tmp_path):
    project = demo[0]
    kept = (project / "data" / "demo" / "transactions.parquet").rename(tmp_path / "kept")
    done = call(project, *SNAKEMAKE, check=False)
    missing = "not up to date: the last run failed: the file of data set 'demo' is missing"
    assert done.returncode != 0 and all(f"[{name}] {missing}" in done.stdout for name in ("01_eda", "03_clustering"))
    for name in ("01_eda", "02_rfm", "03_clustering", "04_recommenders"):
        assert "not up to date" in (project / "outputs" / "demo" / "site" / f"{name}.html").read_text()
    kept.rename(project / "data" / "demo" / "transactions.parquet")
    assert started(call(project, *SNAKEMAKE).stdout) == []


def test_a_table_that_was_removed_is_prepared_without_executing_anything(demo):
    table = demo[0] / "outputs" / "demo" / "tables" / "ratings.parquet"
    before = table.read_bytes()
    table.unlink()
    done = call(demo[0], *SNAKEMAKE)
    assert "table ratings" in done.stdout and "table transactions" not in done.stdout
    assert table.read_bytes() == before


def test_plain_papermill_cannot_leave_the_range_of_a_parameter(project):
    words = ["notebooks/02_rfm.ipynb", "out.ipynb", "-p", "rfm_bins", "99", "--no-progress-bar"]
    done = call(project, "papermill", *words, check=False)
    assert done.returncode != 0 and "rfm_bins = 99" in done.stderr and "from 2 to 10" in done.stderr
    assert not (project / "outputs").exists()


def test_only_what_changed_runs_again(demo):
    project, _ = demo

    def resaved(notebook):
        for cell in notebook.cells:
            cell.metadata["scrolled"] = True
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], 99

    edit(project, "03_clustering", resaved)
    assert started(call(project, *SNAKEMAKE).stdout) == []

    def changed(notebook):
        next(c for c in notebook.cells if "lab.save" in c.source).source += "\nextra = 1"

    edit(project, "03_clustering", changed)
    assert started(call(project, *SNAKEMAKE).stdout) == ["03_clustering", "05_ab_analysis"]


def test_a_changed_text_goes_on_the_page_without_executing_anything(demo):
    project, out = demo[0], demo[0] / "outputs" / "demo"
    before = [digests(out / "artifacts"), (out / "metrics.json").read_text(), (out / "manifest.json").read_text()]

    def outputs():
        notebook = nbformat.read(out / "04_recommenders.ipynb", as_version=4)
        return [(c.source.count("\n"), c.outputs, c.execution_count) for c in notebook.cells if c.cell_type == "code"]

    def told(notebook):
        notebook.cells[0].source += "\n\nA remark of the shopkeeper."
        notebook.cells.insert(5, nbformat.v4.new_markdown_cell("## A section of its own"))
        next(c for c in notebook.cells if "lab.save" in c.source).source += "  # a comment"

    shown = outputs()
    edit(project, "04_recommenders", told)
    assert started(call(project, *SNAKEMAKE).stdout) == []
    page = (out / "site" / "04_recommenders.html").read_text()
    assert "A remark of the shopkeeper." in page and "A section of its own</a>" in page and "# a comment" in page
    assert "A remark of the shopkeeper." not in (out / "04_recommenders.ipynb").read_text() and outputs() == shown
    assert before == [
        digests(out / "artifacts"),
        (out / "metrics.json").read_text(),
        (out / "manifest.json").read_text(),
    ]
    edit(project, "04_recommenders", lambda n: n.cells[0].update(source=n.cells[0].source + "\n\nAnother one."))
    call(project, "customerlab", "site")
    assert "Another one." in (out / "site" / "04_recommenders.html").read_text()


def test_a_failing_notebook_stops_only_its_dependents(demo):
    project, _ = demo
    out = project / "outputs" / "demo"
    artifacts, page = digests(out / "artifacts"), (out / "02_rfm.ipynb").read_text()

    def breaks(notebook):
        next(c for c in notebook.cells if "lab.save" in c.source).source += "\nraise RuntimeError('planted')"

    def changed(notebook):
        next(c for c in notebook.cells if "lab.save" in c.source).source += "\nharmless = 1"

    edit(project, "02_rfm", breaks)
    edit(project, "01_eda", changed)
    done = call(project, *SNAKEMAKE, check=False)
    assert done.returncode != 0
    assert "02_rfm stopped: RuntimeError: planted" in done.stdout and "failed/02_rfm.ipynb" in done.stdout
    assert started(done.stdout) == ["01_eda", "02_rfm"] and "[01_eda] done" in done.stdout
    assert digests(out / "artifacts") == artifacts and (out / "02_rfm.ipynb").read_text() == page, (
        "earlier results are intact"
    )
    assert (out / "failed" / "02_rfm.ipynb").is_file()
    assert "[03_clustering] not up to date: it waits for 02_rfm" in done.stdout
    assert "it waits for 02_rfm" in (out / "site" / "03_clustering.html").read_text()
    assert (
        "planted" in (out / "site" / "index.html").read_text()
        and "planted" in (out / "site" / "02_rfm.html").read_text()
    )
    edit(
        project,
        "02_rfm",
        lambda n: [c.update(source=c.source.replace("raise RuntimeError('planted')", "")) for c in n.cells],
    )
    assert started(call(project, *SNAKEMAKE).stdout) == [], "the code is again the one whose results are here"
    assert not list((out / "failed").iterdir()) and "planted" not in (out / "site" / "02_rfm.html").read_text()


def test_what_make_run_cannot_begin_is_said(project):
    (project / "notebooks" / "02_again.ipynb").write_text((project / "notebooks" / "05_ab_analysis.ipynb").read_text())
    for words, said in (
        ([], "error: two notebooks have the number 02"),
        (["RUN="], "error: '' cannot name a run"),
        (["RUN=null"], "error: there is no run called 'null'"),
    ):
        done = make(project, "run", *words)
        assert done.returncode != 0 and said in done.stderr and "did not finish" in done.stderr
        assert "site/index.html" not in done.stdout
        (project / "notebooks" / "02_again.ipynb").unlink(missing_ok=True)


def test_a_missing_artefact_names_its_notebook(project):
    done = call(project, "customerlab", "run", "03", "--no-site", check=False)
    assert done.returncode == 1
    assert (
        "[03_clustering] FAILED  03_clustering stopped: rfm_segments has not been made in run 'demo'\n" in done.stdout
    )
    assert done.stdout.count("  do: ") == 1 and "do:       customerlab run 02 --run demo\n" in done.stdout


def test_an_error_in_a_notebook_names_the_parameter_and_where_it_is_set(project):
    (project / "params" / "demo.yml").write_text('run: demo\nas_of: "2020-01-01"\n')
    done = call(project, "customerlab", "run", "02", "--no-site", check=False)
    message = (project / "outputs" / "demo" / "failed" / "02_rfm.txt").read_text()
    assert done.returncode == 1 and message.strip() in done.stdout
    assert message.startswith("02_rfm stopped: ") and "2020-01-01" in message
    assert "as_of = '2020-01-01'" in message and "set as_of in params/demo.yml" in message


def test_a_cell_that_ends_the_kernel_is_no_success(project):
    def leaves(notebook):
        next(c for c in notebook.cells if "lab.save" in c.source).source += "\nimport sys\nsys.exit(0)"

    edit(without_orders(project), "05_ab_analysis", leaves)
    done = call(project, "customerlab", "run", "05", "--no-site", check=False)
    assert done.returncode == 1 and "ended before its last cell" in done.stdout
    assert not (project / "outputs" / "demo" / "artifacts" / "experiment_effects.parquet").exists()


def test_a_kernel_that_has_done_its_work_is_not_interrupted(project):
    """What an idle kernel says of an interrupt looks like an error of the run."""
    handler = "lambda *_: open('interrupted', 'w').close()"
    asks = f"\nget_ipython().kernel.saved_sigint_handler = {handler}  # for when the cell has ended"
    ends = lambda notebook: notebook.cells[-1].update(source=notebook.cells[-1].source + asks)  # noqa: E731
    edit(without_orders(project), "05_ab_analysis", ends)
    done = call(project, "customerlab", "run", "05", "--no-site")
    assert not (project / "notebooks" / "interrupted").exists() and "KeyboardInterrupt" not in done.stderr


def test_a_failed_check_is_no_success(project):
    false = "checks(shares_sum_to_one=False)"
    edit(without_orders(project), "05_ab_analysis", lambda n: n.cells[-1].update(source=false))
    done = call(project, "customerlab", "run", "05", "--no-site", check=False)
    assert done.returncode == 1 and "does not hold: shares sum to one" in done.stdout


def test_a_broken_split_is_not_concluded_from(project):
    path = without_orders(project) / "data" / "demo" / "experiment.csv"
    table = pd.read_csv(path)
    table = table[(table["variant"] != "voucher") | (table.index % 2 == 0)]
    table.to_csv(path, index=False)
    call(project, "customerlab", "run", "05", "--no-site")
    text = (project / "outputs" / "demo" / "05_ab_analysis.ipynb").read_text()
    assert text.count("No conclusion is drawn") == 3 and "against control" not in text
    assert len(pd.read_parquet(project / "outputs" / "demo" / "artifacts" / "experiment_effects.parquet")) == 0


def test_a_planned_split_and_a_test_without_days_or_covariates(project):
    """Sections that need what this test lacks say that they are left out; the rest stands."""
    path = project / "data" / "demo" / "experiment.csv"
    table = pd.read_csv(path)
    nine, one = table[table["variant"] == "control"].head(540), table[table["variant"] == "voucher"].head(60)
    columns = ["unit_id", "variant", "visit", "conversion", "spend"]
    pd.concat([nine, one])[columns].to_csv(path, index=False)
    path = without_orders(project) / "data" / "catalog.yml"
    catalog = yaml.safe_load(path.read_text())
    test = catalog["demo"]["tables"]["experiment"]
    del test["covariates"], test["columns"]["exposed_at"]
    path.write_text(yaml.safe_dump(catalog, sort_keys=False))
    call(project, "customerlab", "run", "05", "--no-site")
    said = project / "outputs" / "demo" / "05_ab_analysis.ipynb"
    assert "No conclusion is drawn" in said.read_text(), "nine to one is not what is planned by default"
    params = project / "params" / "demo.yml"
    params.write_text(params.read_text() + 'planned_split: ["control: 9", "voucher: 1"]\nguardrails: ["visit: 0.5"]\n')
    call(project, "customerlab", "run", "05", "--no-site")
    text = said.read_text()
    assert (
        "The test passes all" in text
        and "visit (guardrail)" in text
        and "Left out: it takes days" in text
        and "Left out: nothing is known of the units before the test" in text
    )
    assert "It has no covariates" in text and "It has no times on several days in every arm" in text
    saved = pd.read_parquet(project / "outputs" / "demo" / "artifacts" / "experiment_effects.parquet")
    assert saved["outcome"].tolist() == ["conversion", "spend", "visit"]
    assert "spend / conversion is left out: of the units of an arm" in text
    assert set(saved["variant"]) == {"voucher"}


def test_a_killed_run_leaves_earlier_results_and_can_be_repeated(finished):
    project = finished
    out = project / "outputs" / "demo"
    before, page = digests(out / "artifacts"), (out / "02_rfm.ipynb").read_text()
    process = subprocess.Popen(
        [BIN / "customerlab", "run", "02", "-p", "rfm_bins=4", "--no-site"], cwd=project, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:
        if "Segments" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert digests(out / "artifacts") == before and (out / "02_rfm.ipynb").read_text() == page
    done = call(project, "customerlab", "run", "02", "-p", "rfm_bins=4", "--no-site")
    assert started(done.stdout) == ["02_rfm"] and digests(out / "artifacts") != before


def test_a_run_is_executed_by_one_process_at_a_time(project):
    code = (
        "import time; from pathlib import Path; from customerlab.workbench.lock import hold\n"
        "from customerlab.workbench.plan import make_plan\n"
        "hold(make_plan(Path.cwd(), 'demo')); print('held', flush=True); time.sleep(300)"
    )
    holder = subprocess.Popen(
        [BIN / "python", "-c", code], cwd=without_orders(project), stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    try:
        for words in (
            SNAKEMAKE,
            ("customerlab", "run", "05"),
            ("customerlab", "refresh", "05"),
            ("customerlab", "site"),
        ):
            done = call(project, *words, check=False)
            assert done.returncode == 1 and started(done.stdout) == []
            assert f"run 'demo' is being executed by process {holder.pid}\n" in done.stderr
            assert "wait until it has ended" in done.stderr
    finally:
        holder.kill()
        holder.wait()
    assert started(call(project, "customerlab", "run", "05", "--no-site").stdout) == ["05_ab_analysis"]


def test_a_full_disk_is_named_and_earlier_results_stay(finished):
    project = finished
    out = project / "outputs" / "demo"
    before, tables = digests(out / "artifacts"), digests(out / "tables")

    def no_file_larger(size):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    # as on a full disk, writing fails part-way: at first a result, then a table
    notebook = project / "notebooks" / "05_ab_analysis.ipynb"
    done = call(project, "customerlab", "run", "05", "--no-site", check=False, preexec_fn=no_file_larger(40_000))
    assert (
        done.returncode == 1
        and "05_ab_analysis could not be written" in done.stdout
        and "free some space" in done.stdout
    )
    assert digests(out / "artifacts") == before and notebook.is_file()
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(
        catalog.read_text().replace("outcomes: [visit, conversion, spend]", "outcomes: [visit, conversion]")
    )
    done = call(project, "customerlab", "run", "05", "--no-site", check=False, preexec_fn=no_file_larger(8_000))
    assert done.returncode == 1 and "Traceback" not in done.stderr and "free some space" in done.stdout
    assert digests(out / "tables") == tables and digests(out / "artifacts") == before


def test_a_strangers_shop_runs_through_all_that_applies(project):
    lines = stranger_lines()
    add_shop(project, as_written(lines))
    done = call(project, *SNAKEMAKE, "--config", "run=my_shop")
    assert started(done.stdout) == NAMES[:4]
    assert "[05_ab_analysis] left out: the data set my_shop has no experiment table" in done.stderr
    assert "[06_ratings] left out: the data set my_shop has no ratings table" in done.stderr
    out = project / "outputs" / "my_shop"
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["01_eda"]["revenue"] == pytest.approx((lines["Menge"] * lines["Preis"]).sum(), abs=0.005)
    assert metrics["01_eda"]["customers"] == lines["Kunde"].nunique() and metrics["01_eda"]["orders"] == 900
    index = (out / "site" / "index.html").read_text()
    assert "Left out: the data set my_shop has no experiment table" in index
    assert "Licence: not stated (add licence to my_shop in data/catalog.yml). Source: not stated (add citation" in index
    assert call(project, "customerlab", "run", "05", "--run", "my_shop", check=False).returncode == 1


def test_ratings_that_nobody_can_get_leave_the_rest_running(project, monkeypatch):
    """As online_retail is for everybody without the edition of MovieLens that its publisher has replaced."""
    monkeypatch.delenv("CUSTOMERLAB_DATA", raising=False)
    path = project / "params" / "demo.yml"
    path.write_text(path.read_text() + "ratings: movielens_latest_small\n")
    said = "left out: movielens_latest_small/ratings.csv of data set movielens_latest_small is not on this machine"
    done = call(project, "customerlab", "run", "06", check=False)
    assert done.returncode == 1 and f"[06_ratings] {said}" in done.stdout + done.stderr
    call(project, "customerlab", "run", "02")
    assert said.capitalize() in (project / "outputs" / "demo" / "site" / "index.html").read_text()


def test_an_empty_shop_is_answered_before_a_kernel_starts(project):
    add_shop(project, as_written(stranger_lines())[:0])
    done = call(project, "customerlab", "run", "--run", "my_shop", check=False)
    assert (
        done.returncode == 1 and done.stdout.count("FAILED  the table is empty\n") == 1 and "starts" not in done.stdout
    )
    assert "[04_recommenders] not run: the transactions table could not be made" in done.stdout


def test_the_doctor_and_the_data_commands(project, monkeypatch):
    monkeypatch.delenv("CUSTOMERLAB_DATA", raising=False)
    done = call(project, "customerlab", "doctor")  # nothing of a fresh clone is wrong
    said = done.stdout
    assert "ok     data set demo: here" in said and "ok     run demo: all notebooks" in said
    assert "note   data set movielens_latest_small: not here" in said
    assert (
        "do: put the edition of October 2016 into data/raw/movielens_latest_small/; the publisher replaced it" in said
    )
    assert "ok     run online_retail: 06 left out: movielens_latest_small/ratings.csv" in said
    (project / "params" / "broken.yml").write_text("run: broken\nrfm_bin: 3\n")
    done = call(project, "customerlab", "doctor", check=False)
    assert done.returncode == 1 and "WRONG  run broken" in done.stdout and "did you mean rfm_bins?" in done.stdout
    add_shop(project, as_written(stranger_lines())).unlink()
    (project / "params" / "broken.yml").unlink()
    done = call(project, "customerlab", "doctor", check=False)
    assert done.returncode == 1 and "WRONG  run my_shop: transactions: verkauf.csv of data set my_shop" in done.stdout
    assert "Simulated shop" in call(project, "customerlab", "data", "list").stdout
    assert "demo/transactions.parquet" in call(project, "customerlab", "data", "get", "demo").stdout
    done = call(project, "customerlab", "data", "check", "demo")
    log = pd.read_parquet(project / "data" / "demo" / "transactions.parquet")
    assert (
        f"[demo] transactions  read {len(log):>15,} rows" in done.stdout
        and "quantity above what can be ordered" in done.stdout
    )
    (project / "data" / "demo" / "products.csv").write_text("product_id,description\n")
    done = call(project, "customerlab", "data", "check", "demo", check=False)
    assert done.returncode == 1 and "FAILED" in done.stdout and "'category'" in done.stdout


def test_refresh_stores_what_nbval_compares(finished):
    project = finished
    edit(
        project,
        "05_ab_analysis",
        lambda n: [c.update(outputs=[], execution_count=None) for c in n.cells if c.cell_type == "code"],
    )
    call(project, "customerlab", "refresh", "05")
    stored = (project / "notebooks" / "05_ab_analysis.ipynb").read_text()
    assert stored == (ROOT / "notebooks" / "05_ab_analysis.ipynb").read_text()


@pytest.mark.real_data
def test_online_retail(project):
    for name in ("online_retail", "hillstrom_email", "movielens_latest_small"):
        for source in find_data_set(ROOT, name).sources.values():
            found = locate(ROOT, source)
            if found is None:
                pytest.skip(
                    f"{source.forms[0].path} is not on this machine (set CUSTOMERLAB_DATA, or put it into data/raw/)"
                )
            target = project / "data" / "raw" / found[0].path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(found[1][0].resolve())
    done = call(project, *SNAKEMAKE, "--config", "run=online_retail")
    assert started(done.stdout) == NAMES
    out = project / "outputs" / "online_retail"
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["01_eda"] == {
        "customers": 4_338, "orders": 18_532, "lines": 397_884, "revenue": 8_911_407.904,
        "net_revenue": 8_300_065.814, "median_order_value": 302.0,  # of the lines that no return annuls; 303.04 as placed
    }  # fmt: skip
    found = metrics["04_recommenders"]
    # of the lines that were kept; of all lines it is 0.353 for 1,301 customers, see tests/golden
    assert found["customers_evaluated"] == 1_297 and round(found["ndcg_personal_frequency"], 3) == 0.354
    # above what a blend by LambdaMART is known to reach, and surely above habit on the same customers
    assert found["ndcg_hybrid"] > 0.370 and found["ndcg_ALS"] > 0.227 and found["gain_low"] > 0
    assert found["ndcg_hybrid"] == max(
        value for name, value in found.items() if name.startswith("ndcg_") and "gain" not in name
    )
    # near what Surprise's authors publish for another MovieLens; exactly tested in tests/golden
    stars = metrics["06_ratings"]
    assert all(0.85 < stars[f"rmse_{model}_folds"] < 0.97 for model in ("SVD", "KNNBaseline", "SlopeOne", "NMF"))
    assert metrics["05_ab_analysis"]["units"] == 64_000 and metrics["05_ab_analysis"]["split_sound"] == 1
    page = (out / "site" / "01_eda.html").read_text()
    assert all(
        number in page for number in ("541,909", "406,829", "397,924", "397,884", "4,338", "18,532", "8,911,407.90")
    )


@pytest.mark.parametrize("target", ["clean", "site", "run", "help"])
def test_make_passes_no_text_to_the_shell(project, tmp_path, target):
    marks = [tmp_path / f"mark{n}" for n in range(4)]
    for mark, text in zip(marks, ("$$(touch {})", "$(shell touch {})", "`touch {}`", '";touch {};"'), strict=True):
        make(project, target, f"RUN={text.format(mark)}")
    assert not [mark for mark in marks if mark.exists()]
