"""Runs side by side: what differs is on the page, what is alike is not, and few people are not counted."""

from itertools import count
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from customerlab.workbench import compare
from helpers import call, copy_project, toy


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two runs of a toy, with one parameter between them, and a third that has not been executed."""
    project = toy(copy_project(tmp_path_factory.mktemp("toys") / "project"))
    catalog = project / "data" / "catalog.yml"
    entries = yaml.safe_load(catalog.read_text(encoding="utf-8"))
    for name, n in (("one", 1), ("two", 2), ("none", 3)):
        (project / "params" / f"{name}.yml").write_text(f"run: {name}\nn: {n}\n")
        entries[name] = entries["demo"]
    catalog.write_text(yaml.safe_dump(entries), encoding="utf-8")
    for name in ("one", "two"):
        call(project, "customerlab", "run", "--run", name, "--no-site")
    return project


def test_parameters_and_metrics_stand_side_by_side(compared):
    done = call(compared, "customerlab", "compare", "one", "two")
    assert done.stdout == "[compare] open outputs/one.vs.two.html\n"
    page = (compared / "outputs" / "one.vs.two.html").read_text()
    row = '<th scope="row">02&#95;toy</th> <td>n</td> '
    assert f"{row}<td>1</td> <td>2</td>" in page, "the parameter"
    assert f'{row}<td class="n">1</td> <td class="n">2</td> <td class="n">1</td>' in page, (
        "the metric and the difference"
    )
    assert page.count(row) == 2 and "default-src 'none'" in page


def test_one_notebook_can_be_compared_alone(compared):
    done = call(compared, "customerlab", "compare", "one", "two", "--only", "02")
    assert done.stdout == "[compare] open outputs/one.vs.two.02_toy.html\n"
    page = (compared / "outputs" / "one.vs.two.02_toy.html").read_text()
    assert "Compared: 02_toy." in page and "--only" not in page
    done = call(compared, "customerlab", "compare", "one", "two", "--only", "09", check=False)
    assert done.returncode == 1 and "no notebook is called '09'" in done.stderr


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (("one", "none"), "the runs have no notebook in common\n  where:    outputs/: one: 02_toy; none: none"),
        (("one", "one"), "one run cannot be compared"),
        (("one", "other"), "params/other.yml"),
    ],
)
def test_what_cannot_be_compared_is_said(compared, runs, said):
    done = call(compared, "customerlab", "compare", *runs, check=False)
    assert done.returncode == 1 and said in done.stderr and not (compared / "outputs" / ".vs.".join(runs)).exists()


def results(**segments):
    """Runs of which the segments are known: by run a list of the customers' segments."""
    return {
        run: SimpleNamespace(segments=pd.Series(of, index=[f"c{n}" for n in range(len(of))]), smallest_group=5)
        for run, of in segments.items()
    }


def test_customers_who_changed_segment_are_counted_and_few_are_hidden():
    was = ["A"] * 20 + ["B"] * 20
    now = ["A"] * 10 + ["B"] * 10 + ["B"] * 10 + ["A"] * 6 + ["C"] * 4
    ((other, both, moved, table),) = compare._segments(results(a=was, b=now), count(1))
    assert (other, both, moved) == ("b", 40, "20")
    assert '<td class="n">10</td>' in table
    assert '<td class="n">4</td>' not in table, "four customers"
    assert '<td class="n">6</td>' not in table, "or twenty less sixteen would be the four"


def test_few_who_changed_are_not_counted():
    ((_, _, moved, table),) = compare._segments(results(a=["A"] * 9, b=["A"] * 6 + ["B"] * 3), count(1))
    assert (moved, table) == ("fewer than 5", "")


def test_customers_of_one_run_alone_do_not_count():
    ((_, both, moved, table),) = compare._segments(results(a=["A"] * 9, b=["A"] * 30), count(1))
    assert (both, moved, table) == (9, "0", "")


def listing(*sentences):
    """A notebook with findings."""
    said = new_output("display_data", {"text/markdown": "\n".join(f"- {sentence}" for sentence in sentences)})
    return new_notebook(cells=[new_markdown_cell("## Findings"), new_code_cell("", outputs=[said])])


def test_only_what_differs_of_findings_and_figures_is_shown():
    def run(*sentences, png):
        figures = [{"png": "same", "alt": "", "caption": ""}, {"png": png, "alt": "", "caption": ""}]
        return SimpleNamespace(notebooks={"02": listing(*sentences)}, chosen={"02"}, figures=lambda _, one: figures)

    runs = {"a": run("alike", "more <b>", png="x"), "b": run("alike", "less", png="y")}
    said = compare._findings(runs)["02"]
    assert "alike" not in str(said) and "more" in said["a"] and "<b>" not in said["a"] and "less" in said["b"]
    ((name, place, row),) = compare._figures(runs)
    assert (name, place, [one["png"] for one in row.values()]) == ("02", 2, ["x", "y"])


def recording(**numbers):
    """A run of which parameters and recorded numbers are known."""
    metrics = {("02", name): value for name, value in numbers.items() if name != "bins"}
    return SimpleNamespace(parameters={("02", "bins"): str(numbers["bins"])}, metrics=metrics)


def test_recorded_intervals_stand_in_brackets_and_points_are_compared():
    runs = {"a": recording(bins=3, gini=[0.5, 0.4, 0.6], n=10), "b": recording(bins=4, gini=[0.7, 0.6, 0.8], n=10)}
    table = compare._metrics(runs, count(1))
    assert "0.5 (0.4 to 0.6)" in table and "0.7 (0.6 to 0.8)" in table and '<td class="n">0.2</td>' in table
    many = compare._by_run(runs | {"c": recording(bins=5, gini=[0.9, 0.8, 1.0], n=10)}, count(1))
    assert many.count('<th scope="row"') == 3 and "<td" in many and ">n<" not in many, "a row a run, of what differs"


def test_runs_without_a_recorded_number_are_compared():
    table = compare._metrics({"a": recording(bins=3, gini=0.5), "b": recording(bins=3)}, count(1))
    assert table.count("–") == 2
