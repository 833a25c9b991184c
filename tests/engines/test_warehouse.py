"""A log that lives in the engine: the same tables and row accounting as from files, checked, and never copied."""

import dataclasses
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb as duck
import ibis
import nbformat
import pandas as pd
import pytest
import yaml

from customerlab.analysis import rfm
from customerlab.data import money, warehouse
from customerlab.data.catalog import find_data_set
from customerlab.data.engine import connect
from customerlab.data.prepare import prepare
from customerlab.errors import CustomerlabError
from customerlab.workbench.run import Run
from engines.conftest import SPARK
from helpers import ROOT, call, toy

TABLES = ("transactions", "products", "customers", "ratings", "experiment")


def add_entry(project: Path, prefix: str) -> None:
    """The demo shop once more, with tables of the engine in place of its files."""
    demo = yaml.safe_load((ROOT / "data" / "catalog.yml").read_text(encoding="utf-8"))["demo"]
    demo["files"] = {name: {"table": f"{prefix}{name}"} for name in demo["files"]}
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(yaml.safe_dump({"hoard": demo}, sort_keys=False))


def demo_files() -> dict[str, str]:
    """What each source of the demo shop is to DuckDB."""
    data_set = find_data_set(ROOT, "demo")
    return {name: f"'{ROOT / 'data' / source.forms[0].path}'" for name, source in data_set.sources.items()}


@pytest.fixture
def database(project, tmp_path):
    """A DuckDB file with the demo shop in the schema `shop`, typed as DuckDB types it, and its address."""
    path = tmp_path / "hoard.db"
    with duck.connect(path) as con:
        con.execute("CREATE SCHEMA shop")
        for name, file in demo_files().items():
            con.execute(f"CREATE TABLE shop.{name} AS SELECT * FROM {file}")
    add_entry(project, "shop.")
    return path, f"duckdb://{path}"


@pytest.fixture(scope="module")
def in_spark(spark, tmp_path_factory):
    """The demo shop as tables of Spark, which no test changes, and its address."""
    folder = tmp_path_factory.mktemp("views")
    for name, file in demo_files().items():
        duck.sql(f"COPY (SELECT * FROM {file}) TO '{folder / name}.parquet'")
        spark.read_parquet(folder / f"{name}.parquet", table_name=name)
    return SPARK


@pytest.fixture
def views(project, in_spark):
    """The address of Spark, and a project that knows of the tables in it."""
    add_entry(project, "")
    return in_spark


@pytest.fixture(params=["duckdb", "spark"])
def address(request):
    """The address of each engine in turn, with the demo shop in it."""
    return request.getfixturevalue("views") if request.param == "spark" else request.getfixturevalue("database")[1]


@pytest.mark.parametrize("table", TABLES)
def test_tables_and_row_accounting_are_those_of_the_files(address, project, table):
    from_files = prepare(project, project / "outputs" / "demo", table, "demo")
    made = prepare(project, project / "outputs" / "hoard", table, "hoard", engine=address)
    assert made.made and made.report["row_accounting"] == from_files.report["row_accounting"]
    assert made.report["rows"] == from_files.report["rows"]
    assert [p.name for p in (project / "outputs" / "hoard" / "tables").iterdir()] == [f"{table}.json"], (
        "nothing is copied"
    )
    rows = warehouse.expression(connect(address), find_data_set(project, "hoard"), table).to_pandas()
    wanted = pd.read_parquet(from_files.path)
    assert list(rows.columns) == list(wanted.columns)
    rows = rows.sort_values(list(rows.columns), ignore_index=True)
    pd.testing.assert_frame_equal(rows, wanted.sort_values(list(rows.columns), ignore_index=True), check_exact=True)


@pytest.mark.parametrize("table", TABLES)
def test_mapping_and_cleaning_can_be_said_to_bigquery(database, project, table):
    rows = warehouse.expression(connect(database[1]), find_data_set(project, "hoard"), table)
    assert ibis.to_sql(rows, dialect="bigquery").startswith(("SELECT", "WITH"))


def test_a_run_reads_the_table_where_it_is(address, project, monkeypatch):
    (project / "params" / "hoard.yml").write_text("run: hoard\n", encoding="utf-8")
    monkeypatch.chdir(project / "notebooks")
    here, there = Run("demo", "02_rfm"), Run("hoard", "02_rfm", engine=address)
    pd.testing.assert_frame_equal(
        rfm.features(there.table("transactions")), rfm.features(here.table("transactions")), check_exact=True
    )
    pd.testing.assert_frame_equal(there.row_accounting("transactions"), here.row_accounting("transactions"))


@pytest.mark.thorough
def test_what_the_table_holds_decides_whether_it_is_looked_at_again(database, project):
    path, address = database

    def made() -> bool:
        return prepare(project, project / "outputs" / "hoard", "transactions", "hoard", engine=address).made

    assert (made(), made()) == (True, False)
    for change in (
        "UPDATE shop.lines SET unit_price = unit_price + 0.01 WHERE rowid = 5",  # a cent
        "UPDATE shop.lines SET ordered_at = ordered_at + INTERVAL 1 SECOND WHERE ordered_at = (SELECT max(ordered_at) FROM shop.lines)",
        "INSERT INTO shop.lines SELECT * REPLACE (0 AS quantity) FROM shop.lines LIMIT 1",  # a row without money
        "UPDATE shop.lines SET customer_id = 'new' WHERE order_id = (SELECT min(order_id) FROM shop.lines)",
    ):  # fmt: skip
        with duck.connect(path) as con:
            con.execute(change)
        assert (made(), made()) == (True, False), change


def spoil(database, statement: str) -> None:
    with duck.connect(database[0]) as con:
        con.execute(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE shop.lines", "has no table shop.lines"),
        ("ALTER TABLE shop.lines RENAME quantity TO pieces", "missing column: 'quantity'"),
        ("ALTER TABLE shop.lines ALTER ordered_at TYPE TIMESTAMPTZ", "is an instant in the zone"),
        ("ALTER TABLE shop.lines ALTER ordered_at TYPE BIGINT USING epoch_ms(ordered_at)", "is a int64, and ordered_at is wanted"),
        ("ALTER TABLE shop.lines ALTER unit_price TYPE VARCHAR USING 'dear'", "values cannot be used as unit_price"),
        ("UPDATE shop.lines SET unit_price = 1e15 WHERE rowid = 5", "1 values cannot be used as amount"),
        ("UPDATE shop.lines SET order_id = NULL WHERE customer_id = (SELECT min(customer_id) FROM shop.lines)", "order_id is empty in"),
        ("UPDATE shop.lines SET customer_id = 'one'", "the log has one customer only"),
        ("DELETE FROM shop.lines", "no row of the transactions table is left"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said_before_a_notebook_starts(database, project, statement, said):
    spoil(database, statement)
    with pytest.raises(CustomerlabError, match=said):
        prepare(project, project / "outputs" / "hoard", "transactions", "hoard", engine=database[1])
    assert not (project / "outputs" / "hoard" / "tables").exists() or not any(
        (project / "outputs" / "hoard" / "tables").iterdir()
    )


def test_a_pattern_that_the_engine_does_not_take_is_named(address, project):
    path = project / "data" / "catalog.yml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries["hoard"]["tables"]["transactions"]["clean"] = [{"drop_where": {"column": "order_id", "matches": "("}}]
    path.write_text(yaml.safe_dump(entries), encoding="utf-8")
    with pytest.raises(CustomerlabError, match="'\\(' is not a regular expression") as caught:
        prepare(project, project / "outputs" / "hoard", "transactions", "hoard", engine=address)
    assert "data/catalog.yml, clean, drop_where" in str(caught.value)


def test_ids_and_numbers_of_any_type_are_cast(tmp_path, project):
    path = tmp_path / "typed.db"
    with duck.connect(path) as con:
        con.execute(
            """CREATE TABLE lines AS SELECT * FROM (VALUES
            (17850.0::DOUBLE, 1::INTEGER, DATE '2024-01-01', ' x ', 3::SMALLINT, 0.33335::DECIMAL(9, 5)),
            (17851.0, 2, DATE '2024-01-02', '', 1, 2)) AS t(c, o, d, p, q, u)"""
        )
    columns = {"customer_id": "c", "order_id": "o", "ordered_at": "d", "product_id": "p", "quantity": "q"}
    tables = {"transactions": {"columns": columns | {"unit_price": "u"}}}
    entry = {"title": "typed", "files": {"lines": {"table": "lines"}}, "tables": tables}
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(yaml.safe_dump({"typed": entry}))
    rows = warehouse.expression(connect(f"duckdb://{path}"), find_data_set(project, "typed"), "transactions")
    first, second = rows.order_by("order_id").to_pandas().to_dict("records")
    assert (first["customer_id"], first["order_id"], first["product_id"]) == ("17850", "1", " x ")
    assert first["ordered_at"] == pd.Timestamp("2024-01-01") and str(first["amount"]) == "1.0001", "1.00005, half up"
    assert pd.isna(second["product_id"])
    with pytest.raises(CustomerlabError, match="product_id is empty in 1 row"):
        prepare(project, project / "outputs" / "typed", "transactions", "typed", engine=f"duckdb://{path}")


def test_money_is_that_of_python_s_decimals(engine):
    factors = [("481", "10.27625"), ("-0.5", "0.0001"), ("3", "0.33335"), ("-7", "19.99"), ("12500", "0.00001"),
               ("9999", "9999.99999"), ("5012345678900", "4.95"), ("5012345678900", "99999.99")]  # fmt: skip
    exact = [(Decimal(q) * Decimal(p)).quantize(Decimal("0.0001"), ROUND_HALF_UP) for q, p in factors]
    lines = ibis.memtable(pd.DataFrame(factors, columns=["q", "p"]).astype(float).rename_axis("n").reset_index())
    found = engine.execute(lines.mutate(amount=money.amount(lines.q, lines.p)).order_by("n"))["amount"]
    assert [each if pd.notna(each) else None for each in found] == [*exact[:-1], None]


def test_formats_and_texts_are_read_in_the_engine(database, project):
    """And what no engine but DuckDB reads is refused before a query."""
    spoil(database, "ALTER TABLE shop.lines ALTER unit_price TYPE VARCHAR USING '$' || unit_price")
    spoil(
        database, "ALTER TABLE shop.lines ALTER ordered_at TYPE VARCHAR USING strftime(ordered_at, '%d.%m.%Y %H:%M:%S')"
    )
    data_set = find_data_set(project, "hoard")
    columns = data_set.tables["transactions"].columns
    columns["ordered_at"] = dataclasses.replace(columns["ordered_at"], format="%d.%m.%Y %H:%M:%S")
    rows = warehouse.expression(connect(database[1]), data_set, "transactions")
    wanted = pd.read_parquet(prepare(project, project / "outputs" / "demo", "transactions", "demo").path)
    found = rows.aggregate(first=rows.ordered_at.min(), money=rows.amount.sum(), rows=rows.count()).to_pandas().iloc[0]
    seconds = wanted["ordered_at"].dt.floor("s").min()
    assert found.tolist() == [seconds, sum(wanted["amount"]), len(wanted)]
    with pytest.raises(CustomerlabError, match="ordered_at is mapped by a format, which is for files"):
        warehouse._check_type("bigquery", rows, "ordered_at", columns["ordered_at"], "timestamp(6)", "here")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE shop.lines ALTER customer_id TYPE VARCHAR USING '1' || regexp_replace(customer_id, '[^0-9]', '', 'g') || '.0'",
         "every customer_id ends in .0"),
        ("ALTER TABLE shop.lines ALTER unit_price TYPE VARCHAR USING CASE WHEN quantity > 1 THEN '$' ELSE '€' END || unit_price",
         "two currencies"),
    ],
)  # fmt: skip
def test_what_only_a_whole_column_shows_is_said(database, project, statement, said):
    spoil(database, statement)
    with pytest.raises(CustomerlabError, match=said):
        prepare(project, project / "outputs" / "hoard", "transactions", "hoard", engine=database[1])


@pytest.mark.thorough
def test_make_run_asks_the_engine_and_reruns_what_has_changed(database, project):
    (project / "params" / "hoard.yml").write_text(f"run: hoard\nengine: '{database[1]}'\n", encoding="utf-8")
    path = toy(project) / "notebooks" / "02_toy.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += '\nengine: str = "duckdb://"  # where the tables are'
    notebook.cells[3].source = notebook.cells[3].source.replace('"02_toy")', '"02_toy", engine=engine)')
    nbformat.write(notebook, path)

    def made() -> bool:
        return "[02_toy] done" in call(project, "customerlab", "run", "--run", "hoard", "--no-site").stdout

    assert (made(), made()) == (True, False)
    spoil(database, "INSERT INTO shop.range SELECT * REPLACE ('new' AS product_id) FROM shop.range LIMIT 1")
    assert (made(), made()) == (True, False)
