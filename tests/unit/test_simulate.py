"""The simulated shop: the same seed gives the same shop, and the committed files are what it makes."""

import pandas as pd
import pytest

from customerlab.data.simulate import simulate_shop, write_shop


@pytest.fixture(scope="module")
def shop():
    return simulate_shop()


def test_the_committed_files_are_what_the_simulator_makes(shop, root, tmp_path):
    for path in write_shop(shop, tmp_path):
        assert path.read_bytes() == (root / "data" / "demo" / path.name).read_bytes(), path.name
    assert sum(p.stat().st_size for p in (root / "data" / "demo").iterdir()) <= 2_000_000


def test_another_seed_gives_another_shop(shop):
    again, other = simulate_shop(customers=300, seed=1), simulate_shop(customers=300, seed=2)
    pd.testing.assert_frame_equal(
        again.tables["transactions"], simulate_shop(customers=300, seed=1).tables["transactions"]
    )
    assert not again.tables["transactions"].equals(other.tables["transactions"])


def test_what_was_asked_for(shop):
    log = shop.tables["transactions"]
    assert len(shop.tables["customers"]) == 2_000 and len(shop.tables["products"]) == 250
    assert log["ordered_at"].dt.to_period("M").nunique() == 18
    assert shop.tables["products"]["description"].is_unique and shop.tables["products"]["category"].nunique() == 10
    assert set(shop.tables["experiment"]["variant"]) == {"control", "newsletter", "voucher"}
    assert shop.tables["ratings"]["rating"].between(1, 5).all()


def test_keys_meet(shop):
    tables = shop.tables
    assert set(tables["transactions"]["customer_id"].dropna()) <= set(tables["customers"]["customer_id"])
    assert set(tables["transactions"]["product_id"]) <= set(tables["products"]["product_id"])
    assert set(tables["experiment"]["unit_id"]) <= set(tables["customers"]["customer_id"])
    merged = tables["ratings"].merge(tables["transactions"], on=["customer_id", "product_id"], how="left")
    assert merged["order_id"].notna().mean() > 0.9, (
        "nearly all ratings are of products whose order is in the log under the customer"
    )


def test_planted_patterns_are_there(shop):
    log = shop.tables["transactions"].query("quantity > 0 and unit_price > 0")
    orders = log.drop_duplicates("order_id")
    by_month = orders.groupby(orders["ordered_at"].dt.month).size()
    assert by_month[11] > 1.3 * by_month[8], "November, which occurs once in the log like January to June, is strong"
    weekday = orders.groupby(orders["ordered_at"].dt.day_of_week).size()
    assert weekday.idxmin() == 5
    assert shop.truth["segment"].nunique() == 5
    merged = (
        orders.merge(shop.truth, on="customer_id").groupby("segment")["order_id"].size()
        / shop.truth.groupby("segment").size()
    )
    assert merged["regular"] > 3 * merged["one-time"]


def test_truth_is_in_no_table(shop, root):
    hidden = {"segment", "rate", "leaves"}
    for table in shop.tables.values():
        assert not hidden & set(table.columns)
    assert not [p for p in (root / "data" / "demo").iterdir() if "truth" in p.name]


def test_the_voucher_brings_visits():
    visits = [
        simulate_shop(customers=1_000, seed=seed).tables["experiment"].groupby("variant")["visit"].mean()
        for seed in range(5)
    ]
    assert all(v["voucher"] > v["control"] for v in visits)
