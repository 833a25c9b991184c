"""The committed notebooks: their form, their outputs, and that a changed number would be seen.

Stored outputs are compared with those of the run that the session has executed: all but the points of pictures, whose
alt texts say what they show. nbval compares one of them by an execution of its own; it passes a notebook whose outputs
were stripped, and skips images and their alt text. The last tests prove that the first ones can fail.
"""

import ast
import re
import subprocess

import nbformat
import pytest

from customerlab.workbench.normalise import normalise
from helpers import BIN, ROOT, copy_project, own_notebooks
from notebook_form import faults, markdown, unbacked

NOTEBOOKS = [n.path for n in own_notebooks()]


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_form(path):
    assert list(faults(read(path))) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_is_stored_normalised_and_short(path):
    notebook = read(path)
    assert normalise(read(path)) == notebook
    assert path.stat().st_size < 500_000, "a code host shows it"
    assert 15 <= len(notebook.cells) <= 35
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert [tag for tag in tags if not re.fullmatch("needs-(transactions|customers)", tag)] == ["parameters"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_story_is_told_by_calls(path):
    """Functions live in lib/, one line imports the library, and a Run is told the name of its file."""
    code = [c.source for c in read(path).cells if c.cell_type == "code"]
    trees = [ast.parse(source) for source in code]
    assert not [n.name for t in trees for n in ast.walk(t) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert sum(source.count("from customerlab import") for source in code) == 1
    assert re.search(rf'lab = Run\(run, "{path.stem}"', "\n".join(code))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_result_is_typed_into_prose(path):
    """Numbers in prose would stay when the data change. Zero, one and 95% are conventions; headings are numbered."""
    text = "\n".join(markdown(read(path)))
    text = re.sub(r"(?m)^#.*$|`[^`]*`|95 ?%", "", text)
    assert [n for n in re.findall(r"(?<![\w.])\d[\d.,]*", text) if n.rstrip(".,") not in ("0", "1")] == []


# What only a sentence says, by notebook, as a regular expression of the sentence.
SAID_ONLY = {
    "01_eda": r"Largest single shares|one customer makes",
    "02_rfm": r"One customer accounts for",
    "03_clustering": r"deciles of past spend|highest silhouette",
    "04_recommenders": r"today|ordered a product twice|a difference of|models compared with|had no history",
    "06_ratings": r"a difference of",
    "08_segments_over_time": r"are at risk and|nothing changes|most probable state is",
    "07_customer_value": r"highest expected profit|by acquisition|expected to bring|base rate|Churned means|Not at risk|A contact costs"
    r"|One customer",
    "10_campaigns": r"opens are on record|bought together more often|usual order from|followed by another",
    "11_bandits": r"hold out|next test has the level|by \d+ estimators",
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_finding_has_the_numbers_of_the_figures_and_tables(path):
    alone = SAID_ONLY.get(path.stem, "^$")
    assert [fault for fault in unbacked(read(path)) if not re.search(alone, fault)] == []


@pytest.mark.parametrize(
    ("figure", "finding", "faulty"),
    [
        ("finds 0.040", "a difference of 0.043", True),
        ("finds 0.0431", "a difference of 0.043", False),
        ("1.8% of customers", "1.9% of customers", True),
        ("0.184 of customers", "18% of customers, 3.2 times the median (95% CI)", False),
        ("revenue 1.2 M, product P0043", "revenue of 43", True),
        ("revenue 8,911,407.90", "revenue of 8,911,408", False),
        ("predicts 19%", "predicts 19.1%, more (95% CI 2.3% to 4.1%, p = 0.012)", False),
        ("8% of customers", "a difference of 0.078", True),
    ],
)
def test_two_numbers_for_one_quantity_are_seen(figure, finding, faulty):
    new, output = nbformat.v4, nbformat.v4.new_output
    cells = [
        new.new_code_cell(outputs=[output("display_data", {"text/plain": figure, "image/png": ""})]),
        new.new_markdown_cell("## Findings"),
        new.new_code_cell(outputs=[output("display_data", {"text/markdown": f"- {finding}"})]),
    ]
    assert bool(list(unbacked(new.new_notebook(cells=cells)))) == faulty


def nbval(project, *names):
    words = [
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        *[f"notebooks/{n}.ipynb" for n in names],
    ]
    return subprocess.run(
        [BIN / "python", *words], cwd=project, capture_output=True, text=True, timeout=900, check=False
    )


def shown(notebook):
    """What each cell of code shows, without the points of pictures; a cell of injected parameters is none of ours."""
    cells = [
        c for c in notebook.cells if c.cell_type == "code" and "injected-parameters" not in c.metadata.get("tags", [])
    ]
    for cell in cells:
        for output in cell.outputs:
            output.get("data", {}).pop("image/png", None)
    return [(cell.source, cell.outputs) for cell in cells]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_stored_outputs_are_those_of_a_fresh_execution(path, demo_run):
    stored, fresh = shown(normalise(read(path))), shown(read(demo_run[0] / "outputs" / "demo" / path.name))
    for number, (one, other) in enumerate(zip(stored, fresh, strict=True)):
        assert one == other, f"code cell {number}"


@pytest.mark.thorough
def test_nbval_finds_the_same(tmp_path):
    done = nbval(copy_project(tmp_path / "project", outputs=True), "02_rfm")
    assert done.returncode == 0, done.stdout[-6000:]
    cells = sum(c.cell_type == "code" for c in read(ROOT / "notebooks" / "02_rfm.ipynb").cells)
    assert f"{cells} passed" in done.stdout


def one_digit(notebook):
    """Another digit in what the first section shows."""
    said = next(
        o for c in notebook.cells for o in c.get("outputs", []) if re.search(r"\d", o.data.get("text/plain", ""))
    )
    said.data["text/plain"] = re.sub(
        r"\d", lambda digit: str((int(digit[0]) + 1) % 10), said.data["text/plain"], count=1
    )


def another_day(notebook):
    """A library that counts from the next day."""
    first = next(c for c in notebook.cells if c.cell_type == "code")
    first.source += "\n_true = orders.day_after\norders.day_after = lambda t: _true(t) + pd.Timedelta(days=1)"


@pytest.mark.slow
@pytest.mark.parametrize("change", [one_digit, another_day])
def test_one_changed_number_and_a_shifted_day_turn_it_red(change, tmp_path):
    project = copy_project(tmp_path / "project", outputs=True)
    path = project / "notebooks" / "02_rfm.ipynb"
    notebook = read(path)
    del notebook.cells[6:]  # the first section shows both
    change(notebook)
    nbformat.write(notebook, path)
    done = nbval(project, "02_rfm")
    passes = sum(c.cell_type == "code" for c in notebook.cells) - 1
    assert done.returncode == 1 and f"1 failed, {passes} passed" in done.stdout


BREAKS = {
    "outputs stripped": lambda n: [c.update(outputs=[]) for c in n.cells if c.cell_type == "code"],
    "a count missing": lambda n: n.cells[1].update(execution_count=None),
    "alt text dropped": lambda n: image(n).metadata["image/png"].pop("alt"),
    "alt text empty": lambda n: image(n).metadata["image/png"].update(alt=""),
    "caption dropped": lambda n: image(n).metadata["image/png"].pop("caption"),
    "a silenced cell": lambda n: n.cells[1].update(source=n.cells[1].source + ";"),
    "a path of a machine": lambda n: outputs(n)[0].data.update({"text/plain": "/Users/me/data.csv"}),
    "an address": lambda n: outputs(n)[0].data.update({"text/plain": "<x at 0x7fa0b1c2d3e4>"}),
    "no limits": lambda n: [c.update(source="-") for c in n.cells if c.source.startswith("## Limitations")],
    "an error stored": lambda n: outputs(n)[0].update(output_type="error"),
}


def outputs(notebook):
    return [o for c in notebook.cells for o in c.get("outputs", [])]


def image(notebook):
    return next(o for o in outputs(notebook) if "image/png" in o.data)


@pytest.mark.parametrize("broken", BREAKS)
def test_the_form_is_seen_to_be_broken(broken):
    notebook = read(ROOT / "notebooks" / "02_rfm.ipynb")
    BREAKS[broken](notebook)
    assert list(faults(notebook))
