"""Joins, conditions and money of whole orders: from files and in each engine what pandas and Python's decimals say."""

from decimal import Decimal

import duckdb as duck
import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.data import money, warehouse
from customerlab.data.catalog import find_data_set
from customerlab.data.engine import connect
from customerlab.data.hidden import OF_ORDER
from customerlab.data.prepare import prepare
from engines.conftest import SPARK
from exports import ENTRY, cleaned, export, parts_of, weights_of

SOURCES = ("items", "orders", "customers", "rates")
IN_FILES = '{columns: [Date, Time], format: "%d/%m/%Y %H:%M:%S"}'


def project_of(folder, files: str, times: str):
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "catalog.yml").write_text(ENTRY.format(files=files, times=times), encoding="utf-8")
    return folder


def in_the_engine(frames):
    """The same with days that an engine can cast, and numbers as numbers."""
    orders = frames["orders"]
    days = pd.to_datetime(orders["Date"], format="%d/%m/%Y").dt.strftime("%Y-%m-%d")
    items = frames["items"].astype({"total": float, "rebate": float, "discount": float})
    return frames | {
        "items": items,
        "orders": orders.assign(Date=days),
        "rates": frames["rates"].astype({"rate": float}),
    }


@pytest.fixture(params=["files", "duckdb", "spark"])
def made(request, tmp_path):
    """A function from an export to the table and its report, by each way in turn."""

    def from_files(frames):
        project = project_of(tmp_path, str({name: f"{name}.csv" for name in SOURCES}), IN_FILES)
        for name, frame in frames.items():
            frame.to_csv(project / "data" / "raw" / f"{name}.csv", index=False)
        done = prepare(project, project / "out", "transactions", "shop")
        return pd.read_parquet(done.path), done.report

    def from_engine(frames):
        project = project_of(tmp_path, str({name: {"table": name} for name in SOURCES}), "{columns: [Date, Time]}")
        address = SPARK
        if request.param == "duckdb":
            address = f"duckdb://{tmp_path / 'shop.db'}"
            with duck.connect(tmp_path / "shop.db") as con:
                for name, frame in in_the_engine(frames).items():
                    con.register("frame", frame)
                    con.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
        else:
            spark = request.getfixturevalue("spark")
            for name, frame in in_the_engine(frames).items():
                frame.to_parquet(tmp_path / f"{name}.parquet")
                spark.read_parquet(tmp_path / f"{name}.parquet", table_name=name)
        report = prepare(project, project / "out", "transactions", "shop", engine=address).report
        return warehouse.expression(
            connect(address), find_data_set(project, "shop"), "transactions"
        ).to_pandas(), report

    return from_files if request.param == "files" else from_engine


@pytest.mark.thorough
def test_a_log_of_four_files_is_that_of_pandas_and_decimals(made):
    frames = export()
    rows, report = made(frames)
    wanted, removed = cleaned(frames)
    assert min(removed.values()) > 0, "each rule has something to do"
    steps = {step["step"]: step["rows_removed"] for step in report["row_accounting"][1:]}
    assert steps == removed
    key = ["order_id", "product_id"]
    rows = rows.sort_values(key, ignore_index=True)
    wanted = wanted.rename(columns={"sku": "product_id"}).sort_values(key, ignore_index=True)
    assert rows["amount"].tolist() == wanted["amount"].tolist()
    assert rows["customer_id"].tolist() == wanted["person"].tolist()
    assert rows["ordered_at"].tolist() == wanted["ordered_at"].tolist()
    assert rows["country"].tolist() == wanted["land"].tolist()
    assert rows["unit_price"].tolist() == pytest.approx((wanted["amount"].astype(float) / wanted["qty"]).tolist())
    items = frames["items"].merge(frames["orders"], how="left")
    lone = items["buyer"].isna().sum(), (~items["buyer"].isin(frames["customers"]["id"])).sum()
    assert [note.split(" row")[0] for note in report["notes"]] == [str(number) for number in lone]
    assert "no partner in" in report["notes"][0] and "orders" in report["notes"][0]


def test_parts_of_orders_are_those_of_fractions_to_the_last_digit(engine):
    rng = np.random.default_rng(5)
    rows = [
        (str(number), place, Decimal(int(rng.integers(-500, 50_000))) / 100, Decimal(int(number * 37 + 1)) / 1000)
        for number in range(60) for place in range(int(rng.integers(1, 9)))
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["order_id", "line", "amount", f"{OF_ORDER}d"])
    lines = ibis.memtable(
        frame.sample(frac=1, random_state=1),
        schema={"order_id": "string", "line": "int64", "amount": money.AMOUNT, f"{OF_ORDER}d": money.AMOUNT},
    )
    found = engine.execute(money.spread(lines, {"d": -1}, ["line"]).select("order_id", "line", "amount"))
    found = found.sort_values(["order_id", "line"])
    for number, order in frame.groupby("order_id"):
        paid = order["amount"].tolist()
        parts = parts_of(order[f"{OF_ORDER}d"].iloc[0], weights_of(paid))
        assert found.loc[found["order_id"] == number, "amount"].tolist() == [
            a - b for a, b in zip(paid, parts, strict=True)
        ]
