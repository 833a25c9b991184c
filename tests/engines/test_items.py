"""Items of tables that live in an engine: the rows of one are those that a list of Python makes, in each engine."""

import duckdb as duck
import pandas as pd
import pytest

from customerlab.data import items
from customerlab.data.engine import connect
from customerlab.data.sources import source_of
from customerlab.errors import DataError
from engines.conftest import SPARK

ORDERS = [
    {"o": "1", "lines": [{"p": "x", "n": 1}, {"p": "y.z", "n": 2}], "packed": "x x 1|y.z x 2", "p1": "x", "n1": 1, "p2": "y.z", "n2": 2},
    {"o": "2", "lines": [], "packed": " | ", "p1": " ", "n1": None, "p2": None, "n2": None},
    {"o": "3", "lines": None, "packed": None, "p1": None, "n1": None, "p2": "w", "n2": 5},
    {"o": "4", "lines": [{"p": "v", "n": 7}], "packed": "v x 7|", "p1": "v", "n1": 7, "p2": "", "n2": None},
]  # fmt: skip
LINES = {(row["o"], line["p"], line["n"]) for row in ORDERS for line in row["lines"] or []}


@pytest.fixture(params=["duckdb", "spark"])
def orders(request, tmp_path_factory):
    """The same orders as a table of each engine."""
    path = tmp_path_factory.mktemp("orders") / "orders.parquet"
    kinds = {"lines": "STRUCT(p VARCHAR, n BIGINT)[]", "n1": "BIGINT", "n2": "BIGINT"}
    casts = ", ".join(f"{name}::{kinds.get(name, 'VARCHAR')} AS {name}" for name in ORDERS[0])
    with duck.connect() as con:
        con.register("frame", pd.DataFrame(ORDERS).astype({"n1": "Int64", "n2": "Int64"}))
        con.execute(f"COPY (SELECT {casts} FROM frame ORDER BY o) TO '{path}'")
    con = connect() if request.param == "duckdb" else (request.getfixturevalue("spark"), connect(SPARK))[1]
    return con.read_parquet(path, table_name=f"orders_{request.param}")


def made(table, columns, **entry):
    source = source_of("log", {"table": "orders", **entry}, "catalog")
    steps = items.steps(table, source, "orders")
    found = steps[-1].after
    values = [items.field(found, name, "orders", source.explode).name(f"c{n}") for n, name in enumerate(columns)]
    rows = {tuple(row) for row in found.select(*values).to_pandas().astype(object).to_numpy().tolist()}
    return rows, items.account(steps, "orders", lambda _: "orders")


def test_lists_wide_and_packed_items_are_the_same_rows(orders):
    rows, notes = made(orders, ["o", "lines.p", "lines.n"], explode="lines")
    assert rows == LINES and notes == ["2 records of orders without items in lines left out"]
    split = {"column": "packed", "at": "|", "pattern": r"^(?P<p>.+) x (?P<n>\d+)$"}
    rows, notes = made(orders, ["o", "p", "n"], split=split)
    assert {(o, p, int(n)) for o, p, n in rows} == LINES
    assert notes == ["2 records of orders without items in packed left out"]
    rows, notes = made(orders, ["o", "sku", "qty"], wide={"sku": ["p1", "p2"], "qty": ["n1", "n2"]})
    assert rows == LINES | {("3", "w", 5)}
    assert notes == ["1 record of orders without items in the columns of sku, qty left out"]


def test_a_part_that_does_not_match_is_refused(orders):
    with pytest.raises(DataError, match="1 item of packed does not match the pattern"):
        made(orders, ["o"], split={"column": "packed", "at": "|", "pattern": r"^(?P<p>[a-z.]+) x (?P<n>[12])$"})


@pytest.mark.parametrize(("name", "said"), [("lines", "add `explode: lines`"), ("lines.p", "lines is a list")])
def test_a_list_is_no_single_value(orders, name, said):
    with pytest.raises(DataError, match=said):
        items.check_single(items.field(orders, name, "orders"), name, "orders")
