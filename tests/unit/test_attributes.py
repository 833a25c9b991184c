"""Attributes of customers: declared strictly, read as they are meant, handed to notebooks with what is said of them."""

import pandas as pd
import pytest
import yaml

from customerlab.data.catalog import find_data_set
from customerlab.data.fingerprint import table_fingerprint
from customerlab.data.prepare import prepare
from customerlab.data.simulate.people import DECLARED
from customerlab.data.tables import Attribute
from customerlab.errors import CustomerlabError, DataError
from customerlab.workbench.lacking import unmapped
from customerlab.workbench.run import Run

ALL = {
    "age": {"kind": "number", "unit": "years", "meaning": "at sign-up", "missing": "not stated"},
    "income": {"column": "Inc", "kind": "ordered", "levels": ["low", "high"], "sensitive": True},
    "Annual Income (k$)": "number",
    "answer": "ordered",
    "home": "category",
    "news": "yes_no",
    "pet": {"kind": "yes_no", "levels": ["nein", "ja"]},
    "joined": {"kind": "date", "format": "%d.%m.%Y"},
    "plz": "region",
}
HEADER = "id,age,Inc,Annual Income (k$),answer,home,news,pet,joined,plz"
ROWS = [
    "7,34,low,15.5,3.0,flat,yes,ja,31.12.2023,01067",
    "007,,high,,5,,0,nein,,99999",
    "9,51.5, high ,88,1,house,TRUE,,01.02.2024,",
]


def add(project, attributes=None, rows=ROWS, header=HEADER, **table):
    """A shop of customers alone."""
    raw = project / "data" / "raw"
    raw.mkdir(exist_ok=True)
    (raw / "people.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    customers = {"columns": {"customer_id": "id"}, "attributes": ALL if attributes is None else attributes} | table
    entry = {"title": "People", "files": {"people": "people.csv"}, "tables": {"customers": customers}}
    path = project / "data" / "catalog.yml"
    path.write_text(yaml.safe_dump({"people": entry}, allow_unicode=True, sort_keys=False), encoding="utf-8")
    (project / "params" / "people.yml").write_text("run: people\n", encoding="utf-8")
    return project


def made(project):
    return prepare(project, project / "outputs" / "people", "customers", "people")


def test_attributes_are_read_in_both_forms(project):
    found = find_data_set(add(project), "people").tables["customers"].attributes
    assert [one.name for one in found] == list(ALL)
    assert found[0] == Attribute("age", "number", "years", "at sign-up", missing="not stated")
    assert found[1] == Attribute("income", "ordered", levels=("low", "high"), sensitive=True)
    assert found[2] == Attribute("Annual Income (k$)", "number")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"age": "numbr"}, "unknown kind 'numbr'\n  where:    data/catalog.yml, people, tables, customers, attributes, age"),
        ({"age": "orderd"}, "did you mean ordered?"),
        ({"age": {"column": "a"}}, "no kind is named"),
        ({"age": {"kind": "number", "unitt": "years"}}, "did you mean unit?"),
        ({"age": ["number"]}, "a kind, one of: number, ordered"),
        ({}, "a mapping with at least one entry"),
        ({"country": "category"}, "the name 'country' is a column's own"),
        ({"Amount": "number"}, "`customer_amount: {column: Amount, kind: …}`"),
        ({"age": "number", "Age": "number"}, "'Age' stands here twice, in upper and lower case"),
        ({"store_id": "category"}, "'store_id' cannot name an attribute"),
        ({"__x": "number"}, "cannot name an attribute"),
        ({"age": {"kind": "number", "levels": ["1", "2"]}}, "`levels` are for ordered, category, yes_no"),
        ({"home": {"kind": "category", "levels": ["a", "a"]}}, "twice"),
        ({"home": {"kind": "category", "levels": []}}, "at least one level"),
        ({"pet": {"kind": "yes_no", "levels": ["no", "yes", "maybe"]}}, "two texts, the one for no and the one for yes"),
        ({"home": {"kind": "category", "sensitive": "very"}}, "`sensitive: true`, or `sensitive: false`"),
        ({"home": {"kind": "category", "scale": 2}}, "`scale` is for numbers, and home is none"),
        ({"age": {"kind": "number", "format": "%Y"}}, "`format` is for times, and age is a number"),
        ({"home": {"kind": "category", "row_number": True}}, "the row's number can stand in for ids alone"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_place(project, attributes, said):
    add(project, attributes)
    with pytest.raises(CustomerlabError) as error:
        find_data_set(project, "people")
    assert said in str(error.value)


def test_other_tables_have_no_attributes(project):
    add(project)
    path = project / "data" / "catalog.yml"
    path.write_text(path.read_text().replace("customers:", "products:").replace("customer_id:", "product_id:"))
    with pytest.raises(CustomerlabError, match="unknown key 'attributes'"):
        find_data_set(project, "people")


@pytest.mark.slow
def test_values_have_the_types_of_their_kinds(project):
    table = pd.read_parquet(made(add(project)).path).set_index("customer_id")
    assert table.index.tolist() == ["007", "7", "9"] and list(table) == list(ALL)
    kinds = table.dtypes.map(str).to_dict()
    assert kinds["age"] == kinds["Annual Income (k$)"] == "float64" and kinds["joined"] == "datetime64[us]"
    rows = {name: table.loc[name].to_dict() for name in table.index}
    assert rows["7"] == {
        "age": 34.0, "income": "low", "Annual Income (k$)": 15.5, "answer": "3", "home": "flat", "news": True, "pet": True,
        "joined": pd.Timestamp("2023-12-31"), "plz": "01067",
    }  # fmt: skip
    assert not rows["007"]["news"] and not rows["007"]["pet"] and rows["9"]["income"] == "high" and rows["9"]["news"]
    empty = table.isna().sum()
    assert empty[empty > 0].to_dict() == {"age": 1, "Annual Income (k$)": 1, "home": 1, "pet": 1, "joined": 1, "plz": 1}


@pytest.mark.slow
def test_all_values_that_cannot_be_read_are_told_at_once_with_what_to_write(project):
    bad = "8,old,lowest,1,x,flat,perhaps,si,2023-12-31,1"
    add(project, rows=[*ROWS, bad])
    with pytest.raises(DataError) as error:
        made(project)
    text = str(error.value)
    for said in (
        "'old' cannot be read as age", "'lowest' cannot be read as income", "one of the levels: low, high", "add it to `levels`",
        "'x' cannot be read as answer", "name the levels, the lowest first: `levels: [low, high]`",
        "'perhaps' cannot be read as news", "true, yes or 1; or false, no or 0", "`levels: [N, Y]`",
        "'si' cannot be read as pet", "ja or nein", "'2023-12-31' cannot be read as joined", "row 4 below the header",
        "`income: {column: Inc, kind: ordered, levels: [low, high], empty: [lowest]}`",
    ):  # fmt: skip
        assert said in text, said


def test_a_word_for_nothing_and_a_row_number_are_declared(project):
    attributes = {"age": {"kind": "number", "empty": ["999"]}, "home": {"kind": "category", "case": "lower"}}
    rows = ["999,Flat", "31,flat", "31,flat"]
    add(project, attributes, rows, "age,home", columns={"customer_id": {"row_number": True}})
    table = pd.read_parquet(made(project).path)
    assert table["customer_id"].tolist() == ["row 1", "row 2", "row 3"] and set(table["home"]) == {"flat"}
    assert table["age"].isna().tolist() == [True, False, False]


@pytest.mark.slow
def test_a_customer_in_two_rows_is_refused_and_a_repeat_has_a_rule(project):
    rows = ["1,flat", "1,flat", ",house"]
    add(project, {"home": "category"}, rows, "id,home", clean=["customer_missing"])
    with pytest.raises(DataError, match="one customer_id stands in 2 rows"):
        made(project)
    add(project, {"home": "category"}, rows, "id,home")
    with pytest.raises(DataError, match="add the rule `customer_missing` to `clean`"):
        made(project)
    add(project, {"home": "category"}, rows, "id,home", clean=["customer_missing", "exact_repeat"])
    report = made(project).report
    assert [step["rows_left"] for step in report["row_accounting"]] == [3, 2, 1] and report["days"] == []


def test_what_is_said_of_an_attribute_is_part_of_what_a_table_depends_on(project):
    states = []
    for unit in ("years", "months"):
        data_set = find_data_set(add(project, {"age": {"kind": "number", "unit": unit}}), "people")
        states.append(table_fingerprint(data_set, "customers", ["digest"]))
    assert states[0] != states[1]


def test_a_list_of_customers_without_attributes_is_lacking_where_they_are_needed(project):
    with_them = find_data_set(add(project), "people")
    assert not unmapped(with_them, "customers", ["attributes"])
    add(project, columns={"customer_id": "id"}, attributes=None)
    path = project / "data" / "catalog.yml"
    entry = yaml.safe_load(path.read_text())
    del entry["people"]["tables"]["customers"]["attributes"]
    path.write_text(yaml.safe_dump(entry))
    found = unmapped(find_data_set(project, "people"), "customers", ["attributes"])
    assert found == "the list of customers of the data set people declares no attributes"


def test_notebooks_get_what_is_declared(project, monkeypatch, root):
    monkeypatch.chdir(add(project))
    assert Run("people", "50_own").attributes == find_data_set(project, "people").tables["customers"].attributes
    monkeypatch.chdir(root)
    assert Run("hillstrom_email", "50_own", data="hillstrom_email").attributes == ()
    assert len(Run("demo", "50_own").attributes) == 12


def test_the_entry_of_a_simulated_shop_declares_what_the_demo_does(root):
    demo = yaml.safe_load((root / "data" / "catalog.yml").read_text(encoding="utf-8"))["demo"]
    assert yaml.safe_load(DECLARED)["attributes"] == demo["tables"]["customers"]["attributes"]
