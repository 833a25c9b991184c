"""Returns of a shop's own, and customers already summarised, as tables of the engine: the same as from files."""

import duckdb as duck
import pandas as pd
import pytest
import yaml

from customerlab.analysis import orders, sales
from customerlab.data import warehouse
from customerlab.data.catalog import find_data_set
from customerlab.data.engine import connect
from customerlab.data.prepare import prepare
from customerlab.errors import DataError
from engines.conftest import SPARK

DAYS = pd.to_datetime(["2024-01-05 09:00", "2024-02-01 10:30", "2024-02-02 12:00", "2024-03-09 08:00"]).astype(
    "datetime64[us]"
)
SALES = pd.DataFrame({"who": ["a", "a", "b", "c"], "no": list("1234"), "at": DAYS, "what": ["x", "y", "x", "z"],
                      "pieces": [1.0, 2.0, 1.0, 3.0], "price": [5.0, 2.5, 7.25, 1.1]})  # fmt: skip
REFUNDS = pd.DataFrame({"who": ["a", "b"], "no": ["r1", "r2"], "at": DAYS[1:3] + pd.Timedelta(days=3),
                        "pieces": [1.0, 1.0], "price": [5.0, 0.25]})  # fmt: skip
PEOPLE = pd.DataFrame({"who": ["a", "b", "c"], "last": DAYS[1:], "n": [2, 1, 1], "money": [10.0, 7.25, 3.3]})
FRAMES = {"sales": SALES, "refunds": REFUNDS, "people": PEOPLE}
LINES = {"customer_id": "who", "order_id": "no", "ordered_at": "at", "quantity": "pieces", "unit_price": "price"}
ENTRY = {
    "transactions": {"file": "sales", "columns": LINES | {"product_id": "what"}},
    "returns": {"file": "refunds", "columns": LINES},
    "customer_summary": {
        "file": "people",
        "columns": {"customer_id": "who", "last_order_at": "last", "orders": "n", "revenue": "money"},
    },
}


@pytest.fixture(params=["duckdb", "spark"])
def address(request, project, tmp_path):
    """The address of each engine in turn, with the tables in it, and a project that knows them and the same files."""
    raw = project / "data" / "raw"
    raw.mkdir()
    for name, frame in FRAMES.items():
        frame.to_parquet(raw / f"{name}.parquet", index=False)
    there = {name: {"table": f"shapes_{name}"} for name in FRAMES}
    shops = {"here": {name: f"{name}.parquet" for name in FRAMES}, "there": there}
    entries = {name: {"title": name, "files": files, "tables": ENTRY} for name, files in shops.items()}
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(yaml.safe_dump(entries))
    if request.param == "spark":
        spark = request.getfixturevalue("spark")
        for name in FRAMES:
            spark.read_parquet(raw / f"{name}.parquet", table_name=f"shapes_{name}")
        return SPARK
    with duck.connect(tmp_path / "shapes.db") as con:
        for name in FRAMES:
            con.execute(f"CREATE TABLE shapes_{name} AS SELECT * FROM '{raw / name}.parquet'")
    return f"duckdb://{tmp_path / 'shapes.db'}"


def test_tables_of_other_shapes_are_those_of_the_files(address, project):
    con, entry = connect(address), find_data_set(project, "there")
    for table in ENTRY:
        files = prepare(project, project / "outputs" / "here", table, "here")
        made = prepare(project, project / "outputs" / "there", table, "there", engine=address)
        assert made.report["row_accounting"] == files.report["row_accounting"]
        rows = warehouse.expression(con, entry, table).to_pandas()
        wanted = pd.read_parquet(files.path)
        assert list(rows.columns) == list(wanted.columns)
        rows = rows.sort_values(list(rows.columns), ignore_index=True)
        pd.testing.assert_frame_equal(
            rows, wanted.sort_values(list(rows.columns), ignore_index=True), check_dtype=False
        )
    sold, back, people = (warehouse.expression(con, entry, table) for table in ENTRY)
    assert sales.accounting(sold, back)["money"].tolist() == [20.55, 0.0, -5.25, 15.3], "no line is named by a return"
    named = [table.drop("product_id") for table in (sold, back)]
    assert sales.accounting(*named)["money"].tolist() == [20.55, -5.0, -0.25, 15.3], "an order of the same amount is"
    assert orders.Summary(people).customers()["recency"].tolist() == [38, 37, 1]


@pytest.mark.parametrize("address", ["duckdb"], indirect=True)
def test_returns_of_both_signs_in_the_engine_are_refused(address, project):
    with duck.connect(address.removeprefix("duckdb://")) as con:
        con.execute("UPDATE shapes_refunds SET price = -price WHERE no = 'r2'")
    with pytest.raises(DataError, match="the money of 1 returns is above zero, and that of 1 below") as found:
        prepare(project, project / "outputs" / "there", "returns", "there", engine=address)
    assert found.value.where.startswith("table shapes_refunds in duckdb")
