"""Whatever is read, and whatever goes wrong: a short message that names the file, and never a traceback."""

import json
import os
import subprocess
import sys
import time

import pandas as pd
import pytest
from click.testing import CliRunner

from customerlab.data.catalog import find_data_set, load_catalog
from customerlab.data.prepare import prepare
from customerlab.data.project import data_folders
from customerlab.data.yaml_files import NODES, load_yaml, parse_yaml
from customerlab.errors import PART, CustomerlabError, in_brief, shown, told, without_folders
from customerlab.workbench.cli import main
from customerlab.workbench.notebook import load_notebooks
from customerlab.workbench.plan import make_plan
from helpers import BIN, ROOT, add_shop, as_written, own_notebooks, stranger_lines

BOMB = "\n".join(f"- &a{n} [{','.join([f'*a{n - 1}' if n else 'lol'] * 9)}]" for n in range(9))


# --- YAML ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: !!int abc", 2, "the tag !!int is not known here"),
        ("a: !!float x", 1, "the tag !!float"),
        ("a: !!python/object/apply:os.system [ls]", 1, "the tag !!python/object/apply:os.system"),
        ("a: !own x", 1, "the tag !own"),
        ("? [a]\n: 1", 1, "a list or a mapping stands where a key is expected"),
        ("a: 1\n? {a: 1}\n: 1", 2, "a list or a mapping stands where a key is expected"),
        ("a: " + "[" * 5_000, 1, "nested more than"),
        ("a:\n" + BOMB, 6, f"more than {NODES:,} values"),
        ("a: [" + "1," * NODES + "]", 1, f"more than {NODES:,} values"),
        ("a: &x [*x]", 1, "*x stands within its own anchor"),
        ("a: &x {b: 1}\nc:\n  <<: *x", 3, "write out the keys"),
        ("a: 1\na: 2", 2, "the key 'a' stands here twice"),
        ('a: "\\ud800"', 1, r"the sign \ud800 stands in a text"),
        ('a: "\\0"', 1, r"the sign \x00 stands in a text"),
        ('a: "\\e[31m"', 1, r"the sign \x1b stands in a text"),
        ('a: "\\UFFFFFFFF"', 1, "not readable as YAML"),
        ("a: 1\nb: \x00", 2, "the sign #x0000 stands in it"),
        ("a: 1\n---\nb: 2", 2, "but found another document"),
        ("%YAML " + "9" * 5_000 + ".1\n---\na: 1", 1, "not readable as YAML"),
        ("a: \tb", 1, "cannot start any token"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_yaml_file_may_not_hold_is_told_with_its_line_at_once(text, line, said):
    begin = time.process_time()
    with pytest.raises(CustomerlabError) as caught:
        parse_yaml(text, where="params/x.yml")
    assert said in str(caught.value) and f"params/x.yml, line {line}\n" in str(caught.value)
    assert time.process_time() - begin < 10 and len(str(caught.value)) < 1_000


def test_values_are_taken_for_nothing_else():
    said = parse_yaml(
        "{a: 2024-02-30, b: 010, c: 1:30, d: 12, e: 1.5, f: no, g: , 2024: h, yes: i, j: =, k: '9', l: -7, m: 1_000}",
        where="x",
    )
    assert said == {
        "a": "2024-02-30", "b": "010", "c": "1:30", "d": 12, "e": 1.5, "f": False, "g": None, "2024": "h", "yes": "i",
        "j": "=", "k": "9", "l": -7, "m": 1000,
    }  # fmt: skip
    assert len(parse_yaml("a: " + "9" * 5_000, where="x")["a"]) == 5_000


def test_an_anchor_may_be_used_again():
    assert parse_yaml("a: &x [1, 2]\nb: *x\nc: *x", where="x") == {"a": [1, 2], "b": [1, 2], "c": [1, 2]}


def test_a_file_that_is_too_large_or_a_folder_is_told(tmp_path):
    (tmp_path / "large.yml").write_text("a: " + "x" * 1_000_000)
    with pytest.raises(CustomerlabError, match="at most 1,000,000"):
        load_yaml(tmp_path / "large.yml", where="large.yml")
    with pytest.raises(CustomerlabError, match="cannot be read"):
        load_yaml(tmp_path, where="a folder")


@pytest.mark.parametrize("file", ["params/demo.yml", "data/catalog.yml"])
def test_both_files_are_read_by_that_loader(project, file):
    (project / file).write_text("run: demo\nfeatures:\n" + BOMB)
    with pytest.raises(CustomerlabError, match=f"more than {NODES:,} values") as caught:
        make_plan(project, "demo")
    assert f"{file}, line 7" in str(caught.value)


# --- parameters ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("rfm_bins", "2024-02-30", "rfm_bins = '2024-02-30'"),
        ("rfm_bins", "!!int abc", "rfm_bins = '!!int abc'"),
        ("rfm_bins", "010", "rfm_bins = '010'"),
        ("rfm_bins", "9" * 5_000, "a whole number from 2 to 10"),
        ("features", "[" * 5_000, "write a list in brackets"),
        ("recency_cuts", "[-.inf, 1, 2, .inf]", "recency_cuts = [-inf, 1, 2, inf]"),
        ("recency_cuts", "[.nan]", "recency_cuts = [nan]"),
        ("cost_per_unit", ".nan", "cost_per_unit = nan"),
        ("as_of", "9999-12-31", "1900 to 2100"),
        ("as_of", "0001-01-01", "1900 to 2100"),
        ("as_of", "x" * 3_000_000, "a day YYYY-MM-DD"),
        ("control", "\udcff", r"control = '\udcff'"),
        ("control", "a\x00b", r"control = 'a\x00b'"),
        ("control", "\x1b[31m", r"control = '\x1b[31m'"),
        ("product_pattern", "(?=P)", "in the syntax of RE2, which has no look-around"),
        ("product_pattern", "(" * 100_000, "a regular expression"),
        ("segments", '["\\ud800: 1-3, 1-5"]', "segments = "),
    ],
)
def test_a_wrong_value_is_told_in_short(key, value, said):
    with pytest.raises(CustomerlabError) as caught:
        make_plan(ROOT, "demo", {key: value})
    assert said in str(caught.value) and f"-p {key}" in str(caught.value) and len(str(caught.value)) < 500


def test_a_day_needs_no_quotes(project):
    (project / "params" / "demo.yml").write_text("run: demo\nas_of: 2024-06-01\n")
    assert make_plan(project, "demo").step("02").parameters["as_of"] == "2024-06-01"


# --- own notebooks ---

CELLS = [
    {"cell_type": "markdown", "metadata": {}, "source": "# Mine"},
    {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": 'run: str = "demo"  # run\nk: int = 3  # k'},
    {"cell_type": "code", "metadata": {}, "source": ['lab = Run(run, "57_mine")\n', 'lab.load("rfm_segments")']},
]
DATA = 'run: str = "demo"  # run\ndata: str = "nobody"  # data set'
GOOD = {"cells": CELLS, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def with_cell(place, **changed):
    return GOOD | {"cells": [cell | changed if n == place else cell for n, cell in enumerate(CELLS)]}


def without(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}


def test_a_notebook_needs_no_kernel_in_its_metadata(project):
    (project / "notebooks" / "57_mine.ipynb").write_text(json.dumps(GOOD))
    assert load_notebooks(project)[-1].loads == {"rfm_segments": False}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a notebook"),
        (b"\xff", "not a notebook"),
        (b"[" * 100_000, "not a notebook"),
        (b'{"cells": ' + b"9" * 5_000 + b"}", "not a notebook"),
        ([], "no cells"),
        (without(GOOD, "cells"), "no cells"),
        (GOOD | {"cells": {"a": 1}}, "no cells"),
        (without(GOOD, "metadata"), "metadata"),
        (GOOD | {"metadata": {"kernelspec": 5}}, "metadata"),
        (without(GOOD, "nbformat"), "format 4"),
        (GOOD | {"cells": [5]}, "cell 1 is not"),
        (GOOD | {"cells": [without(CELLS[0], "source")]}, "cell 1 is not"),
        (GOOD | {"cells": [without(CELLS[0], "metadata")]}, "cell 1 is not"),
        (GOOD | {"cells": [without(CELLS[0], "cell_type")]}, "cell 1 is not"),
        (with_cell(0, source=5), "cell 1 is not"),
        (with_cell(0, source=[5]), "cell 1 is not"),
        (with_cell(1, metadata={"tags": 5}), "cell 2 is not"),
        (with_cell(2, source="\ud800"), "cell 3 is not"),
        (with_cell(2, outputs=5), "cell 3 is not"),
        (GOOD | {"nbformat": 3}, "format 4"),
        (with_cell(0, metadata={"tags": ["parameters"]}), "2 cells are tagged"),
        (with_cell(1, metadata={}), "0 cells are tagged"),
        (with_cell(1, source='run: str = "demo"'), "command %run"),
        (with_cell(1, source="k: list[int] = " + "[" * 500), "cell is not Python"),
        (with_cell(1, source="k: int = " + "-" * 50_000 + "1"), "cell is not Python"),
        (with_cell(1, source="k: " + "-" * 900 + "1 = 1\n"), "cannot be a parameter's"),
        (with_cell(1, source="k: int = 'a"), "cell is not Python"),
        (with_cell(1, source="k: list[int] = {[]: 1}  # k\n"), "no literal"),
        (with_cell(1, source="k: float = 1e999  # k\n"), "k = inf"),
        (with_cell(2, source="for n in names: lab.load(n"), "a code cell is not Python"),
        (with_cell(2, source="x = " + "1+" * 50_000 + "1"), "a code cell is not Python"),
        (with_cell(2, source="\x00"), "a code cell is not Python"),
        (with_cell(2, source='lab = Run(run, "02_rfm")'), "its Run has the name of another notebook: '02_rfm'"),
        (with_cell(2, source='lab.save("clusters", 1)'), "it saves clusters, as 03_clustering does"),
        (with_cell(2, source='lab = Run(run, "57_mine")\nlab.load("rfm_segment")'), "no notebook saves 'rfm_segment'"),
        (with_cell(2, source='lab.table("orders")'), "unknown table 'orders'"),
        (
            GOOD | {"cells": [CELLS[0], CELLS[1] | {"source": DATA}, CELLS[2] | {"source": "lab.table('products')"}]},
            "'nobody'",
        ),
    ],
)
def test_a_notebook_that_cannot_be_used_is_named(project, content, said):
    path = project / "notebooks" / "57_mine.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    plan = make_plan(project, "demo")
    assert [step.name for step in plan.steps] == [notebook.name for notebook in own_notebooks()]
    message = str(plan.faults["57_mine"])
    assert said in message and "57_mine" in message and len(message) < 800
    with pytest.raises(CustomerlabError) as caught:
        plan.step("57")
    assert str(caught.value) == message


# --- messages ---


def test_values_are_shortened_and_their_signs_can_be_seen():
    odd = ["x" * 10_000_000, 16**10_000, ["y" * 90] * 90, {"a": ["b"] * 90}, "\x1b[31m\u202e\udcff" * 90, b"z" * 900]
    for value in odd:
        assert len(shown(value)) <= 80 and shown(value).isprintable()
    assert (shown("half"), shown([0.5, None]), shown({"a": 1})) == ("'half'", "[0.5, None]", "{'a': 1}")


def test_no_part_of_a_message_is_long_or_hides_signs():
    error = CustomerlabError("a\x1b[2J\u202eb\nc", where="w" * 50_000, do="\x07")
    assert str(error).startswith("a\\x1b[2J\\u202eb\nc\n  where:    www") and str(error).endswith("do:       \\x07")
    assert len(str(error)) < PART + 100


def test_messages_hold_no_folder_of_the_machine(tmp_path, monkeypatch):
    home, project = tmp_path / "Jane Doe", tmp_path / "project"
    project.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(project)
    said = without_folders(f'no "{project}/outputs/x.csv", {home}/secret/y.csv, /srv/share/z.csv or /z.csv')
    assert said == 'no "outputs/x.csv", …/secret/y.csv, …/z.csv or /z.csv'
    for kept in ("https://example.org/a/b/c", "duckdb:///srv/shop.db", "%d/%m/%Y", "and/or", "1/2/3", "data/raw/x.csv"):
        assert without_folders(kept) == kept


def test_a_fault_of_our_own_is_told_with_its_place():
    def fails():
        load_yaml(None, where="x")

    with pytest.raises(AttributeError) as caught:
        fails()
    message = str(told(caught.value, "customerlab run"))
    assert message.startswith("customerlab run stopped by a fault of its own: AttributeError")
    assert "customerlab/data/yaml_files.py line " in message and "CUSTOMERLAB_DEBUG=1" in message
    ours = CustomerlabError("as it is")
    assert told(ours, "x") is ours


def test_what_a_reader_says_of_a_row_is_left_out():
    error = ValueError("CSV Error on Line: 3\nOriginal Line: jane@example.org,12\nExpected 3 columns")
    assert in_brief(error) == "CSV Error on Line: 3"


# --- the command line ---


def test_every_command_ends_with_a_message(monkeypatch):
    def broken(*_, **__):
        raise LookupError("a fault\x1b[31m " + "x" * 5_000)

    for module in ("cli.make_plan", "cli.find_root"):
        monkeypatch.setattr(f"customerlab.workbench.{module}", broken)
    for words in (
        ["run"],
        ["site"],
        ["refresh"],
        ["doctor"],
        ["simulate", "x"],
        ["data", "list"],
        ["data", "get", "x"],
    ):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
        assert done.stderr.startswith(
            f"error: customerlab {words[0]} stopped by a fault of its own: LookupError: a fault"
        )
        assert len(done.stderr) < 1_000 and "\x1b" not in done.stderr
    monkeypatch.setenv("CUSTOMERLAB_DEBUG", "1")
    assert isinstance(CliRunner().invoke(main, ["run"]).exception, LookupError)


def customerlab(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "customerlab.workbench.cli", *words],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, encoding="latin-1", check=False,
    )  # fmt: skip


def test_a_terminal_that_lacks_a_sign_is_no_fault():
    done = customerlab("data", "get", "demo", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0 and "sha256" in done.stdout and "\\u2026" in done.stdout


def test_a_pipe_that_is_closed_is_no_fault():
    done = subprocess.run(
        f"'{BIN}/customerlab' data list | head -c 1", cwd=ROOT, shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr and "error" not in done.stderr


@pytest.mark.slow
def test_a_data_folder_of_a_user_who_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("CUSTOMERLAB_DATA", "~nobody_of_this_name/x")
    with pytest.raises(CustomerlabError, match="CUSTOMERLAB_DATA"):
        data_folders(ROOT)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1 and "not on this machine" in done.output and "data set demo" in done.output


@pytest.mark.parametrize("words", [["data", "check"], ["data", "get"], ["simulate"], ["run", "--run"]])
@pytest.mark.parametrize("name", ["", "..", "a\nb", "\udcff", "x" * 100_000, "-", "*", "\x1b[2J"])
def test_odd_names_are_refused(words, name):
    done = CliRunner().invoke(main, [*words, "--", name] if words[-1] != "--run" else [*words, name])
    assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit) and len(done.output) < 3_000


# --- what is read is not quoted ---


@pytest.fixture
def shop(project):
    """The stranger's shop, whose customers are their addresses."""
    lines = stranger_lines()
    lines["Kunde"] = [f"c{n}@example.org" for n in lines["Kunde"]]
    return project, as_written(lines)


def refused(project, lines, table="transactions"):
    add_shop(project, lines)
    with pytest.raises(CustomerlabError) as caught:
        prepare(project, project / "outputs" / "x", table, "my_shop")
    return str(caught.value)


def test_a_value_that_cannot_be_read_is_shown_unless_it_is_a_person_s(shop):
    project, lines = shop
    lines.loc[4, "Menge"] = "viele"
    assert "'viele' cannot be read as quantity" in refused(project, lines)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["jane@example.org", "Jane Doe, 5 Long Street, Somewhere in Kent, England"])
def test_an_address_in_a_wrong_column_is_not_shown(shop, value):
    project, lines = shop
    lines.loc[4, "Menge"] = value
    message = refused(project, lines)
    assert value not in message and f"a text of {len(value)} signs cannot be read as quantity" in message
    assert "verkauf.csv, row 5 below the header, column 'Menge'" in message


def test_a_text_that_is_not_in_its_encoding_is_told(shop):
    project, lines = shop
    add_shop(project, lines)
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(catalog.read_text().replace("verkauf.csv\n", "verkauf.csv\n      encoding: utf-16\n"))
    with pytest.raises(CustomerlabError, match="the text is not in utf-16"):
        prepare(project, project / "outputs" / "x", "transactions", "my_shop")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_that_differ_in_capitals_only_are_doubled(project, kind):
    raw = project / "data" / "raw"
    raw.mkdir(exist_ok=True)
    frame = pd.DataFrame({"id": ["a"], "Name": ["x"], "NAME": ["y"]})
    frame.to_csv(raw / "f.csv", index=False) if kind == "csv" else frame.to_parquet(raw / "f.parquet")
    columns = {"product_id": "id", "description": "Name"}
    entry = {"title": "T", "files": {"f": f"f.{kind}"}, "tables": {"products": {"columns": columns}}}
    (project / "data" / "catalog.yml").write_text(json.dumps({"s": entry}))
    with pytest.raises(CustomerlabError, match="doubled column: 'Name', 'NAME'"):
        prepare(project, project / "outputs" / "x", "products", "s")


@pytest.mark.parametrize(
    "encoding", ["idna", "punycode", "unicode_escape", "undefined", "hex", "rot13", "a\0", 5, "x" * 9_000]
)
def test_what_is_no_encoding_of_texts_is_refused(project, encoding):
    entry = json.dumps({"s": {"title": "T", "files": {"f": {"path": "f.csv", "encoding": encoding}}, "tables": {}}})
    (project / "data" / "catalog.yml").write_text(entry)
    with pytest.raises(CustomerlabError, match=r"unknown encoding|stands in a text"):
        find_data_set(project, "s")


def test_an_id_that_stands_twice_is_told_by_its_place(project):
    entry = """
my_shop:
  title: T
  files: {c: {path: verkauf.csv}}
  tables:
    customers:
      columns: {customer_id: id}
"""
    (project / "data" / "raw").mkdir(exist_ok=True)
    (project / "data" / "raw" / "verkauf.csv").write_text("id\na@example.org\nb@example.org\nb@example.org\n")
    with (project / "data" / "catalog.yml").open("a") as handle:
        handle.write(entry)
    with pytest.raises(CustomerlabError) as caught:
        prepare(project, project / "outputs" / "x", "customers", "my_shop")
    message = str(caught.value)
    assert "@" not in message and "one customer_id stands in 2 rows" in message
    assert "verkauf.csv, row 2 below the header" in message


def test_the_catalogue_of_the_project_is_read(root):
    assert load_catalog(root)
