"""What the pages for people say is true: links lead somewhere, tables list what there is, the worked example runs."""

import doctest
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from customerlab.analysis import experiment, rfm
from customerlab.analysis.experiment.periods import planned
from customerlab.data.catalog import find_data_set
from customerlab.data.clean import RULES
from customerlab.data.engine import connect, open_table
from customerlab.data.prepare import prepare
from customerlab.data.tables import TABLES
from customerlab.workbench.plan import make_plan
from helpers import ROOT, own_notebooks

PAGES = sorted(path for path in ROOT.rglob("*.md") if not {".venv", "outputs"} & set(path.relative_to(ROOT).parts[:-1]))
PAGES += [ROOT / "outputs" / "README.md"]


def rows(path: Path) -> dict[str, list[str]]:
    """The cells of the tables in a page, by what their first cell has in backquotes."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and (name := re.match(r"`([^`]+)`", cells[0])):
            found[name[1]] = cells[1:]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_parameters_are_listed_as_the_notebooks_declare_them():
    listed = rows(ROOT / "params" / "README.md")
    declared: dict[str, tuple] = {}
    for notebook in own_notebooks():
        for name, parameter in notebook.parameters.items():
            declared.setdefault(name, (parameter, []))[1].append(notebook.name[:2])
    del declared["run"]
    assert listed == {
        name: [", ".join(numbers), p.kind, "empty" if p.default == "" else f"`{p.default}`", p.help]
        for name, (p, numbers) in declared.items()
    }


def test_every_notebook_is_listed_with_its_title_and_artefacts():
    here, front = rows(ROOT / "notebooks" / "README.md"), rows(ROOT / "README.md")
    for notebook in own_notebooks():
        assert notebook.title in front[notebook.name][0]
        text = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
        assert f"`{notebook.name}` {notebook.title}" in text
        reads, writes = here[notebook.name]
        assert all(f"`{name}`" in reads for name in [*notebook.tables, *notebook.loads])
        kind = "artefact" if len(notebook.saves) == 1 else "artefacts"
        assert writes == f"{kind} " + ", ".join(f"`{name}`" for name in notebook.saves)


def test_the_dictionary_has_every_column_and_every_rule():
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name, table in TABLES.items():
        section = text.split(f"| **{name}** |")[1].split("| **")[0]
        if table.made_from:
            assert f"as in {table.made_from}" in section
            continue
        assert [column for column in table.columns if f"`{column}`" not in section] == []
    listed = rows(ROOT / "data" / "README.md")
    for name, rule in RULES.items():
        tables = ", ".join(rule.tables) if rule.tables else "all tables"
        assert listed[name][1] == tables, name


def test_what_no_notebook_uses_is_used_by_none():
    said = re.search(r"No notebook uses (.*?)\. Where", (ROOT / "data" / "README.md").read_text(), re.DOTALL)[1]
    assert re.findall(r"`(.*?)`", said) == ["signed_up_at", "country", "text"]
    notebooks = own_notebooks()
    assert {needs for notebook in notebooks for needs in notebook.needs.get("customers", ())} == {
        "contract_ended_at", "attributes",
    }  # fmt: skip
    assert [n.name for n in notebooks if re.search(r"""["']text["']""", n.normal_code)] == []
    library = [path.read_text() for path in (ROOT / "lib" / "customerlab" / "analysis").rglob("*.py")]
    assert [found for text in library for found in re.findall(r"""["']text["']""", text)] == []


@pytest.mark.slow
def test_the_readme_s_own_shop_runs(project):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    header, line = re.search(r"```\n(Kunde;.*)\n(.*)\n```", text).groups()
    entry = "\n".join(part[3:] for part in re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1].splitlines())
    assert list(yaml.safe_load(entry)) == ["my_shop"]
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(f"\n{entry}\n")
    (project / "params" / "my_shop.yml").write_text("run: my_shop\n", encoding="utf-8")
    raw = project / "data" / "raw"
    raw.mkdir()
    other = line.replace("1042", "7").replace("R-00017", "R-00018")
    (raw / "sales.csv").write_text(f"{header}\n{line}\n{other}\n", encoding="utf-8")
    plan = make_plan(project, "my_shop")
    table = prepare(project, plan.folder, "transactions", "my_shop").report
    assert table["rows"] == 2 and table["row_accounting"][0]["amount_left"] == "4998.0000"


@pytest.mark.slow
def test_the_plan_of_a_test_runs_and_its_table_is_one_for_notebook_05(project, monkeypatch):
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    raw = project / "data" / "raw"
    raw.mkdir()
    monkeypatch.chdir(project / "notebooks")
    examples = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    page = doctest.DocTestParser().get_doctest(examples, {}, "docs/experiments.md", None, 0)
    assert len(page.examples) > 20 and doctest.DocTestRunner().run(page).failed == 0
    entry, *shapes, params = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert [list(yaml.safe_load(shape)) for shape in shapes] == [["web_test"], ["daily_test"], ["planned_split"]]
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write("\n".join(["", entry, *shapes[:2]]))
    shown = [find_data_set(project, name).tables["experiment"] for name in ("web_test", "daily_test")]
    assert list(shown[0].events.outcomes) == ["purchase", "orders", "revenue"] and "squares_revenue" in shown[1].columns
    assert str(planned(yaml.safe_load(shapes[2])["planned_split"])) == "2024-03-08"
    (project / "params" / "spring_mail.yml").write_text(params, encoding="utf-8")
    plan = make_plan(project, "spring_mail")
    assert [step.notebook.name for step in plan.included] == ["05_ab_analysis"]
    made = prepare(project, plan.folder, "experiment", "spring_mail")
    units = open_table(connect(), made.path)
    assert made.report["rows"] == len((raw / "spring_mail_plan.csv").read_text().splitlines()) - 1
    assert experiment.soundness(units, "control", planned={"control": 1, "mail": 1}).sound


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "least"), [("recipes.md", 40), ("language.md", 10), ("bandits.md", 20)])
def test_every_example_of_a_page_runs(project, monkeypatch, name, least):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    monkeypatch.chdir(project / "notebooks")
    examples = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    page = doctest.DocTestParser().get_doctest(examples, {}, f"docs/{name}", None, 0)
    assert len(page.examples) >= least and doctest.DocTestRunner().run(page).failed == 0
    if name == "recipes.md":
        assert (project / "notebooks" / "grid.svg").read_bytes().startswith(b"<?xml")


def test_one_version_is_told_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    released = re.findall(r"^## (\d\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == version


@pytest.mark.slow
def test_the_reference_holds_what_notebooks_use(tmp_path):
    recipe = re.search(r"pdoc (.*) --output-directory docs/api", (ROOT / "Makefile").read_text())[1]
    words = f"-m pdoc {recipe} --output-directory".split()
    command = [sys.executable, *words, str(tmp_path), "customerlab.analysis.rfm"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    page = (tmp_path / "customerlab" / "analysis" / "rfm.html").read_text(encoding="utf-8")
    assert "Warn" not in said.stderr
    assert [name for name in rfm.__all__ if f'id="{name}"' not in page] == []
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//(?!pdoc\.dev)""", page)
