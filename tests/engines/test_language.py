"""Segments in plain words select the same customers on both engines, and can be said to BigQuery."""

import ibis
import pandas as pd
import pytest

from customerlab.analysis.language.answers import answer
from customerlab.analysis.language.base import CustomerBase
from customerlab.analysis.language.grammar import parse
from customerlab.analysis.language.meaning import select
from customerlab.analysis.orders import Snapshot
from customerlab.data.engine import open_table
from language_shop import LOG, PRODUCTS, RETURNS, SENTENCES, base, lines


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    for name, frame in (("log", lines(LOG)), ("returns", lines(RETURNS)), ("products", PRODUCTS)):
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return [folder / f"{name}.parquet" for name in ("log", "returns", "products")]


@pytest.mark.parametrize("text", SENTENCES)
def test_a_sentence_selects_its_customers(engine, files, text):
    found = select(parse(text), base(*(open_table(engine, file) for file in files))).to_pandas()
    assert "".join(sorted(name[0] for name in found["customer_id"])) == SENTENCES[text]


def test_every_sentence_can_be_said_to_bigquery(duckdb, files):
    shop = base(*(open_table(duckdb, file) for file in files))
    for text in SENTENCES:
        assert ibis.to_sql(select(parse(text), shop), dialect="bigquery").startswith(("SELECT", "WITH"))


TEXT = (
    "customers who (ordered at least 2 times in the last 90 days and are in the top 20% by average order value "
    "or returned anything) and not are in the bottom 30.5% by revenue in the last 1 year and spent more than 50.25"
)


def test_the_demo_shop_is_answered_alike(engine, duckdb, real_table):
    def found(con):
        tables = {
            name: open_table(con, real_table("demo", name).path) for name in ("transactions", "returns", "products")
        }
        day = pd.Timestamp("2024-06-01")
        return answer(TEXT, CustomerBase(Snapshot(tables["transactions"], day, tables["returns"], tables["products"])))

    one, other = found(engine), found(duckdb)
    assert 20 < one.customers < one.of
    assert (one.customers, one.of, one.revenue) == (other.customers, other.of, other.revenue)
