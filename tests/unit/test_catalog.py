"""The catalogue is read strictly, and says what is wrong and where."""

import re
from decimal import Decimal

import pytest
from click.testing import CliRunner

from customerlab.data.catalog import find_data_set, load_catalog
from customerlab.data.fingerprint import table_fingerprint
from customerlab.errors import CustomerlabError
from customerlab.workbench.cli import main
from customerlab.workbench.doctor import OK, WRONG, findings
from customerlab.workbench.plan import make_plan

GOOD = """
shop:
  title: A shop
  files: {log: {path: log.csv, delimiter: ";"}}
  tables:
    transactions:
      columns: {customer_id: c, order_id: o, ordered_at: {column: d, format: "%d.%m.%Y"}, product_id: p, quantity: q, unit_price: u}
      clean: [customer_missing, {order_cancelled: {prefix: S}}]
"""


def write(project, text):
    (project / "data" / "catalog.yml").write_text(text, encoding="utf-8")
    return project


def test_an_entry_is_read(project):
    entry = find_data_set(write(project, GOOD), "shop")
    table = entry.tables["transactions"]
    assert entry.sources["log"].delimiter == ";"
    assert table.columns["ordered_at"].format == "%d.%m.%Y"
    assert table.clean == (("customer_missing", {}), ("order_cancelled", {"prefix": "S"}))


def test_what_an_entry_does_not_state_is_said_with_the_key_that_would(project):
    entry = find_data_set(write(project, GOOD), "shop")
    assert entry.licence == "not stated (add licence to shop in data/catalog.yml)"
    assert entry.citation == "not stated (add citation to shop in data/catalog.yml)"
    stated = find_data_set(
        write(project, GOOD.replace("A shop", "A shop\n  licence: CC0\n  citation: Our till.\n  currency: EUR")), "shop"
    )
    assert (stated.licence, stated.citation, stated.currency, entry.currency) == ("CC0", "Our till", "EUR", "")
    states = [table_fingerprint(data_set, "transactions", ["digest"]) for data_set in (entry, stated)]
    assert states[0] != states[1], "a licence that is stated later has to reach the pages"


def test_shipped_entries(root):
    assert list(load_catalog(root)) == [
        "demo",
        "demo_aa_test",
        "demo_broken_test",
        "online_retail",
        "hillstrom_email",
        "movielens_latest_small",
        "open_bandit_random",
        "open_bandit_bts",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("title:", "titel:"), "unknown key 'titel'"),
        (("quantity: q", "quantitty: q"), "no column 'quantitty'"),
        ((", unit_price: u", ""), "no column is mapped to unit_price"),
        (("customer_missing", "customer_mising"), "did you mean customer_missing?"),
        (("transactions:", "transaction:"), "did you mean transactions?"),
        (("path: log.csv", "path: ../log.csv"), "leaves the data folders"),
        (("path: log.csv", "path: log.doc"), "cannot read 'log.doc'"),
        (("path: log.csv", 'path: "*.csv", sha256: abc'), "a glob cannot have one checksum"),
        (("path: log.csv", 'path: "log-**.csv"'), "two stars within a name"),
        (
            ("path: log.csv", "path: [log.csv]"),
            "found ['log.csv']\n  where:    data/catalog.yml, shop, files, log, path",
        ),
        (("path: log.csv", "path: log.csv, sha256: abc"), "64 digits"),
        (("path: log.csv", "path: log.csv, url: [a]"), "files, log, url"),
        (("path: log.csv", "path: " + "x" * 300 + ".csv"), "names of 240 bytes at most"),
        (("path: log.csv", "path: log.csv, rows: true"), "a whole number above zero"),
        (("path: log.csv", "path: log.csv, columns: a"), "a list of columns"),
        (("path: log.csv", "path: log.csv, columns: [[a]]"), "found ['a']"),
        (("title: A shop", "title: [A, shop]"), "found ['A', 'shop']"),
        (("title: A shop", "title: yes"), "in quotes where it looks like something else"),
        (("title: A shop", "title: A shop\n  how_to_get: {a: b}"), "shop, how_to_get"),
        (("title: A shop", "title: A shop\n  currency: Euro"), "three capital letters of ISO 4217"),
        (("product_id: p", "product_id: [p]"), "columns, product_id"),
        (("clean: [customer_missing, {order_cancelled: {prefix: S}}]", "clean: 5"), "a list of cleaning rules"),
        (("clean: [customer_missing, {order_cancelled: {prefix: S}}]", "clean: exact_repeat"), "`clean: [ … ]`"),
        (("{order_cancelled: {prefix: S}}", "{quantity_too_large: {most: .nan}}"), "a number"),
        (("columns: {customer_id", "file: [log]\n      columns: {customer_id"), "transactions, file"),
        (("{prefix: S}", "{suffix: S}"), "unknown key 'suffix'"),
        (("title: A shop", "title: A shop\n  title: Two"), "stands here twice"),
        (('format: "%d.%m.%Y"', 'format: "%d.%m.%Y %z"'), "reads a zone"),
        (('format: "%d.%m.%Y"', 'format: "%e.%m.%Y"'), "unknown sign '%e' in the format '%e.%m.%Y'"),
        (('format: "%d.%m.%Y"', 'format: "%d.%m. %"'), "unknown sign '%'"),
        (('format: "%d.%m.%Y"', 'format: "%d.%m."'), "has no year"),
        (('delimiter: ";"', 'delimiter: ";;"'), "found ';;'"),
        (('delimiter: ";"', "delimiter: '\\t'"), 'a tab is "\\t" in double quotes'),
        (('delimiter: ";"', "thousands: 5"), "thousands another sign"),
        (('delimiter: ";"', 'thousands: ".."'), "thousands another sign"),
        (('delimiter: ";"', 'thousands: "."'), "decimal '.' with thousands '.'"),
        (('delimiter: ";"', "encoding: ansi1"), "one of: utf-8, utf-16, latin-1, cp1252"),
        (('delimiter: ";"', "encoding: rot13"), "unknown encoding 'rot13'"),
        (('delimiter: ";"', "sheet: -1"), "a name, or a number from 0"),
        (("{prefix: S}", "{prefix: 5}"), "a text, in quotes where it looks like a number"),
        (("{order_cancelled: {prefix: S}}", "{quantity_too_large: {most: many}}"), "a number"),
        (("product_id: p", "product_id: "), "no column is named"),
        ((": A shop", ": [unclosed"), "not readable as YAML"),
        (("shop:", "../shop:"), "cannot name a data set"),
    ],
)
def test_what_is_wrong_is_named(project, change, said):
    assert change[0] in GOOD
    with pytest.raises(CustomerlabError, match=r"(?s).*catalog\.yml") as caught:
        list(load_catalog(write(project, GOOD.replace(*change))).values())
    assert said in str(caught.value)


def test_an_unknown_data_set_is_answered_with_the_known_ones(root):
    with pytest.raises(CustomerlabError) as caught:
        find_data_set(root, "onlineretail")
    message = str(caught.value)
    assert all(name in message for name in load_catalog(root)) and "(did you mean online_retail?)" in message
    with pytest.raises(CustomerlabError) as caught:
        find_data_set(root, "xyz")
    assert all(name in str(caught.value) for name in load_catalog(root)) and "did you mean" not in str(caught.value)


def test_the_list_of_data_sets_loses_nothing(root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "80")
    printed = CliRunner().invoke(main, ["data", "list"]).output
    for name, data_set in load_catalog(root).items():
        assert name in printed and data_set.title in printed and ", ".join(data_set.tables) in printed


@pytest.mark.slow
def test_a_check_says_what_was_read_what_was_removed_and_what_is_left(root, monkeypatch):
    monkeypatch.chdir(root)
    printed = CliRunner().invoke(main, ["data", "check", "demo"]).output
    lines = re.findall(r"\[demo\] transactions +(read|removed|left) +([\d,]+) rows +([-\d,.]+) money *(.*)", printed)
    assert [what for what, *_ in lines] == ["read", *["removed"] * (len(lines) - 2), "left"] and len(lines) > 3
    for column in (1, 2):
        numbers = [Decimal(line[column].replace(",", "")) for line in lines]
        assert numbers[0] - sum(numbers[1:-1]) == numbers[-1]
    assert [why != "" for *_, why in lines] == [what == "removed" for what, *_ in lines]


def test_the_folder_for_one_s_own_files_comes_with_the_project(root):
    ignored = (root / ".gitignore").read_text().split()
    assert (root / "data" / "raw" / "README.md").is_file()
    assert ignored.index("data/raw/*") < ignored.index("!data/raw/README.md")


def test_an_entry_that_is_wrong_stops_only_the_runs_that_need_it(project):
    path = project / "data" / "catalog.yml"
    path.write_text(path.read_text(encoding="utf-8") + "\ntypo:\n  titel: A\n\nword: a word\n", encoding="utf-8")
    assert make_plan(project, "demo").tables["transactions"] == "demo"
    for name in ("typo", "word"):
        (project / "params" / f"{name}.yml").write_text(f"run: {name}\n", encoding="utf-8")
        with pytest.raises(CustomerlabError, match=rf"catalog\.yml, {name}"):
            make_plan(project, name)


def test_lists_and_checks_tell_of_an_entry_that_is_wrong_and_go_on(project, monkeypatch):
    monkeypatch.chdir(project)
    path = project / "data" / "catalog.yml"
    path.write_text("typo:\n  titel: A\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    printed = CliRunner().invoke(main, ["data", "list"]).output
    assert "unknown key 'titel'" in printed and "movielens_latest_small:" in printed
    found = {what: state for what, state, *_ in findings(project)}
    assert found["data set typo"] == WRONG and found["data set demo"] == found["run demo"] == OK
    small = path.read_text(encoding="utf-8").partition("\ndemo_aa_test:")[2].partition("\ndemo_broken_test:")[0]
    path.write_text(f"typo:\n  titel: A\ndemo_aa_test:{small}", encoding="utf-8")
    checked = CliRunner().invoke(main, ["data", "check"])
    assert (
        checked.exit_code == 1 and "[typo] FAILED" in checked.output and "[demo_aa_test] experiment" in checked.output
    )
