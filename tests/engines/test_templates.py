"""Ready entries whose files are plain tables: the same sums where the tables live in an engine."""

import csv

import pandas as pd
import pytest
import yaml

from customerlab.data import warehouse
from customerlab.data.catalog import find_data_set
from helpers import ROOT, paste_template
from templates_by_hand import BY_HAND

# The others need what an engine's tables have not: formats of dates, thousands signs, lists within a record.
PLAIN = ("amazon", "magento", "olist", "shopify", "stripe", "woocommerce_csv")


def as_table(path, engine, name: str, folder) -> None:
    """A file of texts as a table of texts of the engine."""
    tabs = path.suffix == ".txt"
    frame = pd.read_csv(
        path, dtype=str, keep_default_na=False, sep="\t" if tabs else ",", quoting=csv.QUOTE_NONE if tabs else 0
    )
    frame.to_parquet(folder / f"{name}.parquet")
    engine.read_parquet(folder / f"{name}.parquet", table_name=name)


@pytest.mark.parametrize("name", PLAIN)
def test_a_ready_entry_makes_the_same_of_tables_of_the_engine(name, engine, project, tmp_path):
    paste_template(project, name)
    path = project / "data" / "catalog.yml"
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))[name]
    for source, file in entry["files"].items():
        where = ROOT / "data" / (file if isinstance(file, str) else file["path"])
        as_table(where, engine, f"{name}_{source}", tmp_path)
        entry["files"][source] = {"table": f"{name}_{source}"}
    path.write_text(yaml.safe_dump({name: entry}, sort_keys=False), encoding="utf-8")
    hand = BY_HAND[name]
    rows = warehouse.expression(engine, find_data_set(project, name), "transactions").to_pandas()
    assert dict(rows.groupby("order_id")["amount"].sum()) == hand.orders
    assert (len(rows), rows["customer_id"].nunique()) == (hand.lines, hand.customers)
    times = rows.groupby("order_id")["ordered_at"].min().astype(str)
    assert {order: times[order] for order in hand.times} == hand.times
