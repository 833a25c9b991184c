"""Typed parameters, runs and plans: what is wrong is refused before anything heavy is imported."""

import gc
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from customerlab.data.fingerprint import tree
from customerlab.errors import CustomerlabError, ParameterError
from customerlab.workbench.notebook import OWN, Notebook, load_notebooks
from customerlab.workbench.parameters import parse_parameters
from customerlab.workbench.plan import check_run_name, make_plan
from helpers import ROOT, STRANGER, add_shop, as_written, call, own_notebooks, stranger_lines, write_notebook

CELL = """\
run: str = "demo"  # the run
bins: int = 5  # bins (2 to 10)
share: float = 0.5  # a share (0.1 to 0.9)
verbose: bool = False  # talk
method: str = "ward"  # linkage (one of ward, average)
days: list[int] = [7, 28]  # windows (1 to 365)
as_of: str = ""  # a day (YYYY-MM-DD)
pattern: str = ""  # ids (regular expression)
"""


def parameters():
    return parse_parameters(CELL, "cell")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bins", 2),
        ("share", 0.9),
        ("share", 0.5),
        ("verbose", True),
        ("method", "average"),
        ("days", []),
        ("days", [1]),
        ("run", ""),
        ("as_of", "2024-02-29"),
        ("as_of", ""),
        ("pattern", "^A+"),
    ],
)
def test_right_values_pass(name, value):
    assert parameters()[name].check(value, "here") == value


def test_a_whole_number_is_a_number():
    table = parse_parameters("x: float = 1.0  # x (0 to 5)", "cell")
    assert isinstance(table["x"].check(3, "here"), float)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bins", 1), ("bins", 11), ("bins", 5.0), ("bins", "5"), ("bins", True), ("bins", None), ("share", 0.91), ("share", "half"),
        ("share", float("nan")), ("verbose", 1), ("method", "single"), ("days", [0]), ("days", 7), ("days", ["7"]), ("run", 7),
        ("as_of", "2023-02-29"), ("as_of", "1 May"), ("as_of", "20240501"), ("pattern", "(unclosed"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(name, value):
    with pytest.raises(ParameterError) as caught:
        parameters()[name].check(value, "here")
    message = str(caught.value)
    assert f"{name} = {value!r}" in message and "here" in message and "expected" in message


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("as_of", "2024-02-31", "a day YYYY-MM-DD, 1900 to 2100: "),
        ("pattern", "(unclosed", "a regular expression in the syntax of RE2, which has no look-around: "),
        ("seed", -1, "a whole number from 0 to 4294967295: "),
        ("share", 2, "a number from 0.1 to 0.9: "),
    ],
)
def test_what_is_expected_is_said_in_words(name, value, expected):
    table = parse_parameters(CELL + "seed: int = 7  # of every random choice (0 to 4294967295)\n", "cell")
    with pytest.raises(ParameterError) as caught:
        table[name].check(value, "here")
    assert f"expected: {expected}" in str(caught.value)


@pytest.mark.parametrize(
    "cell",
    [
        "x = 1",
        "x: int",
        "x: dict = {}  # no",
        "x: int = y  # no",
        "x: int | None = None  # no",
        "x: int = 5  # x (6 to 9)",
        "x: str = 'a'  # x (6 to 9)",
        "x: list[str] = ['a']  # x (6 to 9)",
    ],
)
def test_what_is_no_parameter_is_refused(cell):
    with pytest.raises(ParameterError):
        parse_parameters(cell, "cell")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a b", "-x", "a" * 65, "2024_06", "x\n"])
def test_run_names_that_leave_the_folder_are_refused(name):
    with pytest.raises(ParameterError, match="cannot name a run"):
        check_run_name(name)


def test_notebooks_declare_the_same_parameter_alike():
    seen = {}
    for notebook in own_notebooks():
        for name, parameter in notebook.parameters.items():
            assert parameter.help, f"{notebook.name}: {name} has no comment"
            assert parameter.kind not in ("int", "float") or parameter.low is not None, (
                f"{notebook.name}: {name} has no range"
            )
            assert seen.setdefault(name, parameter) == parameter, f"{name} differs in {notebook.name}"
    assert seen["run"].default == "demo"


def test_papermill_reads_the_same_parameters():
    from papermill import inspect_notebook

    for notebook in own_notebooks():
        assert set(inspect_notebook(str(notebook.path))) == set(notebook.parameters)


def test_each_notebook_gets_only_what_it_declares():
    plan = make_plan(ROOT, "demo", {"rfm_bins": "4", "control": "newsletter"})
    assert plan.step("02").parameters["rfm_bins"] == 4
    assert "rfm_bins" not in plan.step("05").parameters and plan.step("05").parameters["control"] == "newsletter"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run: demo\nrfm_bin: 4\n", "did you mean rfm_bins?"),
        ("run: demo\nrfm_bins: four\n", "rfm_bins = 'four'"),
        ("run: demo\nrfm_bins: 40\n", "from 2 to 10"),
        ("run: demo\nas_of: 20241201\n", "write it in quotes"),
        ("run: demo\nas_of: 2024-02-30\n", "as_of = '2024-02-30'"),
        ("run: demo\nas_of: 9999-12-31\n", "a day YYYY-MM-DD, 1900 to 2100"),
        ("run: demo\ncontrol: 0\n", "write it in quotes; on papermill's command line by -r control … in place of -p"),
        ("run: demo\nplanned_split: 'control: 9'\n", "on papermill's command line by -y '{planned_split: […]}'"),
        ("run: demo\ntest_began:\n", "leave it out"),
        ("run: other\n", "run: demo, the file's own name"),
        ("rfm_bins: 4\n", "the key `run` is missing"),
        ("run: demo\nrun: demo\n", "stands here twice"),
        ("run: demo\ndata: nope\n", "no data set is called 'nope'\n  where:    params/demo.yml, data\n"),
        ("run: demo\ndata: nope\n", "one of: demo, demo_aa_test, demo_broken_test, online_retail"),
        ("run: demo\nproducts: online_retial\n", "params/demo.yml, products\n"),
        ("run: demo\nproducts: online_retial\n", "(did you mean online_retail?)"),
        ("- run\n", "not a mapping"),
        ("", "the key `run` is missing"),
    ],
)
def test_wrong_params_files_are_refused(project, text, said):
    (project / "params" / "demo.yml").write_text(text)
    with pytest.raises(CustomerlabError) as caught:
        make_plan(project, "demo")
    assert said in str(caught.value) and "params/demo.yml" in str(caught.value)


def test_a_run_without_an_entry_is_told_how_to_name_one(project):
    (project / "params" / "mine.yml").write_text("run: mine\n")
    with pytest.raises(CustomerlabError, match=r"'mine'\n  where:    params/mine\.yml, which has no `data:`"):
        make_plan(project, "mine")


@pytest.mark.slow
def test_edges_are_read_from_the_code():
    plan = make_plan(ROOT, "demo")
    assert plan.step("03").notebook.loads == {"rfm_segments": True, "rfm_scheme": True}
    assert {"rfm_segments", "rfm_scheme"} <= set(plan.step("02").notebook.saves)
    assert set(plan.step("04").sources) == {"transactions", "returns", "products"}
    assert set(plan.step("06").sources) == {"ratings"}
    tables = {"transactions": "online_retail", "products": "online_retail", "experiment": "hillstrom_email"}
    assert tables.items() <= make_plan(ROOT, "online_retail").tables.items(), "with ratings where their file is here"


def test_what_a_shop_lacks_is_left_out_with_the_reason(project):
    add_shop(project, as_written(stranger_lines()))
    plan = make_plan(project, "my_shop")
    assert [step.name[:2] for step in plan.included] == ["01", "02", "03", "04", "07", "08", "10"]
    assert plan.step("05").left_out == "the data set my_shop has no test with arms (table experiment)"
    assert plan.step("06").left_out == "the data set my_shop has no ratings"
    names = "the data set my_shop has no names of products (table products)"
    assert plan.step("01").notes == (f"without names of products: {names}",)


LOST = """
lost_stars:
  title: Ratings whose file nobody has any more
  files: {stars: stars.csv}
  tables:
    ratings:
      columns: {customer_id: who, product_id: what, rating: stars, rated_at: {column: day, format: "%Y-%m-%d"}}
"""


@pytest.mark.slow
def test_a_notebook_of_another_shop_s_file_that_cannot_be_had_is_left_out(project):
    add_shop(project, as_written(stranger_lines()), entry=STRANGER + LOST)
    (project / "params" / "my_shop.yml").write_text("run: my_shop\nratings: lost_stars\n")
    plan = make_plan(project, "my_shop")
    said = "the file stars.csv of the data set lost_stars is not on this machine, and has no address"
    assert plan.step("06").left_out == said and plan.step("06") not in plan.included and len(plan.included) == 7
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(
        catalog.read_text().replace("stars: stars.csv", "stars: {path: stars.csv, url: 'https://x.test/s'}")
    )
    assert make_plan(project, "my_shop").step("06").sources["ratings"] == "lost_stars", "it can be downloaded"
    catalog.write_text(catalog.read_text().replace("https://x.test/s", ""))
    (project / "data" / "raw" / "stars.csv").write_text("who,what,stars,day\n1,A1,5,2024-01-01\n")
    assert make_plan(project, "my_shop").step("06").sources["ratings"] == "lost_stars", "it is here"


def add_notebook(project, code):
    """A notebook 57 of one cell of code, and a run of a data set that has an experiment and nothing else."""
    (project / "params" / "hillstrom.yml").write_text("run: hillstrom\ndata: hillstrom_email\ncontrol: No E-Mail\n")
    more = json.loads((project / "notebooks" / "05_ab_analysis.ipynb").read_text())
    more["cells"] = [cell for cell in more["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    more["cells"].append({"cell_type": "code", "metadata": {}, "source": [code]})
    (project / "notebooks" / "57_more.ipynb").write_text(json.dumps(more))


def test_what_depends_on_a_left_out_notebook_is_left_out(project):
    add_notebook(project, "table = lab.load('clusters')")
    plan = make_plan(project, "hillstrom")
    assert [step.name[:2] for step in plan.included] == ["05"]
    assert plan.step("03").left_out == "the data set hillstrom_email has no orders (table transactions)"
    assert plan.step("57").left_out == "no earlier notebook of this run makes clusters" and not plan.step("57").notes


@pytest.mark.slow
def test_an_optional_artefact_that_nobody_makes_is_done_without(project):
    code = (
        "lab.table('experiment')\nfew = lab.load('rfm_segments', optional=True)\nown = lab.load('experiment_effects')"
    )
    add_notebook(project, code)
    step = make_plan(project, "hillstrom").step("57")
    assert step.notebook.loads == {"rfm_segments": True, "experiment_effects": False}
    assert not step.left_out and step.loads == ("experiment_effects",)
    assert step.notes == ("without rfm_segments: the data set hillstrom_email has no orders (table transactions)",)
    both = make_plan(project, "demo").step("57")
    assert both.loads == ("rfm_segments", "experiment_effects") and not both.notes


def test_an_artefact_that_is_optional_in_one_place_only_is_needed(project):
    add_notebook(
        project,
        "a = lab.load('clusters', optional=True)\nb = lab.load('clusters')\nc = lab.load('clusters', optional=True)",
    )
    step = make_plan(project, "hillstrom").step("57")
    assert step.left_out == "no earlier notebook of this run makes clusters" and not step.notes


@pytest.mark.slow
def test_an_artefact_that_is_no_longer_made_changes_the_fingerprint_of_its_reader(project):
    add_notebook(project, "few = lab.load('clusters', optional=True)")
    before = fingerprints(project)
    (project / "notebooks" / "03_clustering.ipynb").unlink()
    after = fingerprints(project)
    readers = {"05_ab_analysis", "07_customer_value", "08_segments_over_time", "57_more"}  # of what 03 makes
    assert {name for name in after if before[name] != after[name]} == readers


@pytest.mark.slow
def test_copies_and_checkpoints_are_no_notebooks(project):
    notebooks = project / "notebooks"
    for name in ("02_rfm-Copy1.ipynb", "04_recommenders.nbconvert.ipynb", "Untitled.ipynb", "2_rfm.ipynb"):
        (notebooks / name).write_text("no notebook at all")
    (notebooks / ".ipynb_checkpoints").mkdir()
    (notebooks / ".ipynb_checkpoints" / "02_rfm-checkpoint.ipynb").write_text("no notebook at all")
    assert [n.name for n in load_notebooks(project)] == [n.name for n in own_notebooks()]


def test_of_two_notebooks_that_clash_the_guest_stays_out(project):
    write_notebook(project, "02_again", "1")
    write_notebook(project, "01_before", "1")
    write_notebook(project, "57_one", 'lab.save("ones", 1, key="id")')
    write_notebook(project, "57_two", "1")
    write_notebook(project, "58_three", 'lab.save("ones", 1, key="id")')
    plan = make_plan(project, "demo")
    assert [step.name for step in plan.steps] == [*(n.name for n in own_notebooks()), "57_one"]
    assert {name: error.what for name, error in plan.faults.items()} == {
        "01_before": "it has the number of 01_eda", "02_again": "it has the number of 02_rfm",
        "57_two": "it has the number of 57_one", "58_three": "it saves ones, as 57_one does",
    }  # fmt: skip
    assert plan.step("02").name == "02_rfm" and plan.step("57").name == "57_one"


def test_a_fault_of_the_projects_own_stops_the_run(project):
    (project / "notebooks" / "02_rfm.ipynb").write_text("{")
    with pytest.raises(ParameterError, match="not a notebook"):
        make_plan(project, "demo")


def test_a_guest_does_not_change_what_the_projects_own_parameters_are(project):
    before = {step.name: step.parameters for step in make_plan(project, "demo").steps}
    (project / "params" / "demo.yml").write_text("run: demo\nrfm_bins: 4\n")
    write_notebook(
        project, "57_mine", "1", begin='run: str = "demo"  # run\nrfm_bins: str = "five"  # text (one of five, four)'
    )
    plan = make_plan(project, "demo")
    assert plan.step("02").parameters == before["02_rfm"] | {"rfm_bins": 4}
    assert "rfm_bins = 4" in str(plan.faults["57_mine"]) and "for 57_mine" in str(plan.faults["57_mine"])


def test_a_guest_chooses_neither_the_engine_nor_the_data_of_others(project):
    begin = (
        'run: str = "demo"  # run\nengine: str = "pyspark://"  # engine\nproducts: str = "online_retail"  # data set'
    )
    write_notebook(project, "00_mine", 'lab.table("experiment")', begin=begin)
    write_notebook(project, "57_mine", 'lab.table("products")', begin=begin)
    plan = make_plan(project, "demo")
    assert plan.engine == "duckdb://" and set(plan.tables.values()) == {"demo"}
    assert "products would be read from 'online_retail'" in str(plan.faults["57_mine"])


def test_a_value_for_a_notebook_that_cannot_be_read_stops_nobody(project):
    (project / "params" / "demo.yml").write_text("run: demo\nmine: 4\n")
    with pytest.raises(ParameterError, match="no notebook has a parameter 'mine'"):
        make_plan(project, "demo")
    (project / "notebooks" / "57_mine.ipynb").write_text("{")
    assert len(make_plan(project, "demo").steps) == len(own_notebooks())


def test_notebooks_that_wait_for_one_another_in_a_circle_are_left_out(project):
    write_notebook(project, "57_one", 'lab.load("twos")\nlab.save("ones", 1, key="id")')
    write_notebook(project, "56_two", 'lab.load("ones")\nlab.save("twos", 1, key="id")')
    plan = make_plan(project, "demo")
    assert plan.step("57").left_out == "no earlier notebook of this run makes twos"
    assert plan.step("56").left_out == "no earlier notebook of this run makes ones"


@pytest.mark.parametrize(
    ("cells", "loads", "opaque"),
    [
        (['a = lab.load("clusters")'], ["clusters"], False),
        (['a = lab.load(artifact="clusters")'], ["clusters"], False),
        (['my = Run(run, "57_mine")\nmy.load("clusters")'], ["clusters"], False),
        (['import customerlab\nmy = customerlab.Run(run, "57_mine")\nmy.load("clusters")'], ["clusters"], False),
        (['from customerlab import Run as R\nmy = R(run, "57_mine")\nmy.load("clusters")'], ["clusters"], False),
        (["%matplotlib inline\nfiles = !ls\n!ls", "pd.read_csv?", '%%time\n1 + 1', 'lab.load("clusters")'], ["clusters"], False),
        (['%time lab.load("clusters")'], [], True),
        (['%%time\nlab.load("clusters")'], [], True),
        (['for name in ["clusters"]:\n    lab.load(name)'], [], True),
        (["tables = [lab.table(name) for name in names]"], [], True),
        (["lab.save(name, table, key=name)"], [], True),
        (["lab.source(name)"], [], True),
        (["mine = lab"], [], True),
        (["help(lab)"], [], True),
        (["read = lab.load"], [], True),
        (["import customerlab as c\nc.Run(run, '57_mine').load('clusters')"], [], True),
        (["exec(text)"], [], True),
    ],
)  # fmt: skip
def test_what_a_notebook_may_read_unseen_is_known(project, cells, loads, opaque):
    notebook = Notebook(write_notebook(project, "57_mine", *cells))
    notebook.check()
    assert (list(notebook.loads), notebook.opaque) == (loads, opaque)


def test_the_projects_own_notebooks_name_what_they_read():
    assert [notebook.name for notebook in own_notebooks() if notebook.opaque] == []


def test_what_is_under_version_control_is_the_projects_own():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "notebooks"], capture_output=True, text=True, check=False)
    assert {Path(line).stem for line in listed.stdout.split() if line.endswith(".ipynb")} <= set(OWN)


def edit(project, name, change):
    path = project / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def fingerprints(project):
    plan = make_plan(project, "demo")
    return {step.name: plan.fingerprint(step) for step in plan.included}


def test_only_what_counts_changes_a_fingerprint(project):
    before = fingerprints(project)

    def saved(notebook):
        for cell in notebook.cells:
            cell.metadata["collapsed"] = True
            if cell.cell_type == "markdown":
                cell.source += "\n\nA remark."
            else:
                cell.outputs, cell.execution_count = [], 7
                cell.source += "\n# a comment"

    edit(project, "03_clustering", saved)
    assert fingerprints(project) == before

    def changed(notebook):
        next(c for c in notebook.cells if "lab.save" in c.source).source += "\nx = 1"

    edit(project, "03_clustering", changed)
    after = fingerprints(project)
    assert {name for name in before if before[name] != after[name]} == {"03_clustering"}


def test_parameters_and_data_change_fingerprints(project):
    before = fingerprints(project)
    (project / "params" / "demo.yml").write_text("run: demo\nrfm_bins: 4\n")
    after = fingerprints(project)
    assert {name for name in before if before[name] != after[name]} == {"02_rfm"}
    with (project / "data" / "demo" / "experiment.csv").open("a") as handle:
        handle.write("\n")
    again = fingerprints(project)
    assert {name for name in before if after[name] != again[name]} == {"05_ab_analysis"}


def test_imported_code_alone_counts():
    from customerlab.data.fingerprint import reached

    modules = {n.name: set(reached(n.imports)) for n in own_notebooks()}
    assert (
        "customerlab.analysis.rfm" in modules["02_rfm"] and "customerlab.analysis.clustering" not in modules["02_rfm"]
    )
    assert "customerlab.data.clean" in modules["02_rfm"], "what Run imports counts too"
    assert all("customerlab.workbench.site" not in m for m in modules.values())


def test_a_wrong_parameter_fails_before_anything_heavy_is_imported():
    code = (
        "import sys; from customerlab.workbench.cli import main\n"
        "try: main(['run', '02', '-p', 'rfm_bins=99'])\n"
        "except SystemExit as end: status = end.code\n"
        "heavy = {'pandas', 'ibis', 'papermill', 'matplotlib', 'sklearn', 'nbformat'} & set(sys.modules)\n"
        "print(status, sorted(heavy))"
    )
    done = call(ROOT, "python", "-c", code)
    assert done.stdout.split() == ["1", "[]"]
    assert "rfm_bins = 99" in done.stderr and "-p rfm_bins" in done.stderr and "from 2 to 10" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--run", "nope"], "there is no run called 'nope'"),
        (["run", "--run", "../demo"], "cannot name a run"),
        (["run", "19"], "no notebook is called '19'"),
        (["run", "-p", "rfm_bins"], "sets nothing"),
        (["run", "-p", "rfm_bin=4"], "did you mean rfm_bins?"),
        (["run", "-p", "winsorised_at=0.9"], "has been renamed"),
        (["run", "-p", "winsorised_at=0.9"], "winsor_quantile"),
        (["run", "-p", "run=online_retail"], "run is not to be overridden"),
        (["run", "-p", "data=online_retail"], "data is not to be overridden"),
        (["run", "-p", "experiment=hillstrom_email"], "experiment is not to be overridden"),
        (["data", "get", "online"], "did you mean online_retail?"),
    ],
)
def test_wrong_words_on_the_command_line(words, said):
    done = call(ROOT, "customerlab", *words, check=False)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_outside_a_project(tmp_path):
    done = call(tmp_path, "customerlab", "run", check=False)
    assert done.returncode == 1 and "not a customerlab project" in done.stderr


def test_every_shipped_notebook_is_valid():
    for notebook in own_notebooks():
        nbformat.validate(json.loads(notebook.path.read_text()))


def test_notebooks_are_parsed_by_several_threads_at_once():
    """CPython 3.11 gives a SystemError here where threads parse at once and garbage is collected half-way."""
    sources = [
        "a = " + "(" * 20 + "1" + ")" * 20 + "\n" + "x = [[[[[[1, 2, 3], [1, 2, 3]]]]]]\n" * 3,
        "x = 1\n" * 200,
    ] * 200
    switched = sys.getswitchinterval()

    def collected(phase, info):
        """Time for another thread to go on."""
        sum(range(2_000))

    try:
        sys.setswitchinterval(1e-5)
        gc.callbacks.append(collected)
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(tree, sources * 4))
    finally:
        gc.callbacks.remove(collected)
        sys.setswitchinterval(switched)
    assert {len(one.body) for one in made} == {4, 200}
