"""Ready entries for the exports of shop platforms: each makes of its sample what the sample's rows say, to the cent."""

import re
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

from customerlab.data.catalog import find_data_set, load_catalog
from customerlab.data.prepare import prepare
from helpers import ROOT, paste_template
from templates_by_hand import BY_HAND, MESSAGES_BY_HAND

TEMPLATES = ROOT / "data" / "templates"
NAMES = sorted(path.parent.name for path in TEMPLATES.glob("*/entry.yml"))
SOLD = [name for name in NAMES if name != "customers" and name not in MESSAGES_BY_HAND]  # those with orders
FEW = ("shopify",)  # in every run of the tests


def money(path: Path) -> tuple[dict[str, Decimal], int, int]:
    """The money of each order of a prepared table, its rows and its customers."""
    table = duckdb.read_parquet(str(path))
    orders = dict(table.aggregate("order_id, sum(amount)").fetchall())
    return orders, *table.aggregate("count(*), count(DISTINCT customer_id)").fetchall()[0]


def test_every_platform_has_an_entry_a_sample_and_a_line_of_what_it_does():
    listed = re.findall(r"^\| \[`(\w+)`\]", (TEMPLATES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == NAMES and sorted(BY_HAND) == SOLD
    for name in NAMES:
        text = (TEMPLATES / name / "entry.yml").read_text(encoding="utf-8")
        assert list(yaml.safe_load(text)) == [name] and text.startswith("# ") and "https://" in text
        paths = set(re.findall(rf"templates/{name}/[\w.-]+", text))
        assert {ROOT / "data" / path for path in paths} == set((TEMPLATES / name).iterdir()) - {
            TEMPLATES / name / "entry.yml"
        }
        assert max(map(len, text.splitlines())) <= 130
    assert sum(path.stat().st_size for path in TEMPLATES.rglob("*") if path.is_file()) < 165_000


def test_the_samples_are_made_up():
    for path in TEMPLATES.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8-sig")
            assert set(re.findall(r"@([\w.-]+\w)", text.lower())) <= {"example.org"}, path.name


def test_templates_are_no_data_sets_of_the_user():
    assert not set(load_catalog(ROOT)) & set(NAMES)


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in SOLD])
def test_an_entry_makes_of_its_sample_what_its_rows_say_by_hand(name, project):
    paste_template(project, name)
    entry, hand, out = find_data_set(project, name), BY_HAND[name], project / "outputs" / name
    made = {table: prepare(project, out, table, name) for table in entry.tables}
    assert money(made["transactions"].path) == (hand.orders, hand.lines, hand.customers)
    assert (money(made["returns"].path)[0] if "returns" in made else {}) == hand.returns
    lines = duckdb.read_parquet(str(made["transactions"].path))
    times = dict(lines.aggregate("order_id, min(ordered_at)::VARCHAR").fetchall())
    assert {order: times[order] for order in hand.times} == hand.times
    for table in made.keys() & {"transactions", "returns"}:  # one kind of number, also where 1 stands for all pieces
        assert duckdb.read_parquet(str(made[table].path)).project("quantity, unit_price").dtypes == ["DOUBLE"] * 2
    if "products" in made:
        sold, named = lines.project("product_id"), duckdb.read_parquet(str(made["products"].path)).project("product_id")
        assert set(sold.fetchall()) <= set(named.fetchall())
    steps = made["transactions"].report["row_accounting"]
    assert sum(step["rows_removed"] for step in steps) + hand.lines == steps[0]["rows_left"]


@pytest.mark.parametrize("name", sorted(MESSAGES_BY_HAND))
def test_an_entry_of_messages_makes_of_its_sample_what_its_rows_say_by_hand(name, project):
    paste_template(project, name)
    entry, hand, out = find_data_set(project, name), MESSAGES_BY_HAND[name], project / "outputs" / name
    made = {table: prepare(project, out, table, name) for table in entry.tables}
    table = pd.read_parquet(made["messages"].path).set_index(["customer_id", "campaign_id"])
    assert table["sent_at"].astype(str).to_dict() == hand.sent
    read = {
        column: (values.astype(str) if column.endswith("_at") else values)[values.notna() & (values != 0)].to_dict()
        for column, values in table.items() if column not in ("sent_at", "channel", "held_out")
    }  # fmt: skip
    assert read == hand.responses and not set(table["channel"]) - {"email", "twilio"}
    assert ("held_out" in table) == (hand.held_out is not None)
    odd = [one["about"] for one in made["messages"].report["suspicions"]]
    if hand.held_out:
        assert set(table.index[table["held_out"] == 1]) == hand.held_out and odd == []
    else:
        assert odd == ["nobody was held out"]
    if "campaigns" in made:
        assert pd.read_parquet(made["campaigns"].path).set_index("campaign_id")["name"].to_dict() == hand.campaigns


def test_the_query_of_the_entry_for_braze_makes_its_sample_of_events():
    """The events that the sample's rows stand for, with a later open and click of each that has one."""
    rows = pd.read_csv(TEMPLATES / "braze" / "messages.csv", dtype=str)
    rows["USER_ID"] = rows.index.astype(str)
    key = ["USER_ID", "EXTERNAL_USER_ID", "CAMPAIGN_API_ID", "DISPATCH_ID"]
    with duckdb.connect() as con:
        for table, column in (
            ("SEND", "TIME"),
            ("OPEN", "OPENED"),
            ("CLICK", "CLICKED"),
            ("UNSUBSCRIBE", "UNSUBSCRIBED"),
        ):
            some = rows[rows[column].notna() & (rows["HELD_OUT"] == "0")]
            events = some[key].assign(ID=some["USER_ID"] + table, TIME=some[column].astype(int))
            if table in ("OPEN", "CLICK"):
                events = pd.concat([events, events.assign(TIME=events["TIME"] + 100)])
            con.register(f"USERS_MESSAGES_EMAIL_{table}_SHARED", events)
        control = rows[rows["HELD_OUT"] == "1"]
        con.register("USERS_CAMPAIGNS_ENROLLINCONTROL_SHARED", control[key].assign(TIME=control["TIME"].astype(int)))
        lines = (TEMPLATES / "braze" / "entry.yml").read_text(encoding="utf-8").splitlines()
        found = con.execute("\n".join(line[1:] for line in lines if line.startswith("#   "))).df()
    found = found.astype("Int64", errors="ignore").astype(object).fillna("").astype(str)
    wanted = rows.drop(columns="USER_ID").fillna("")
    assert sorted(found.itertuples(index=False, name=None)) == sorted(wanted.itertuples(index=False, name=None))


def test_the_entry_of_customers_alone_reads_its_sample_as_it_is(project):
    paste_template(project, "customers")
    made = prepare(project, project / "outputs" / "customers", "customers", "customers")
    sample = pd.read_csv(TEMPLATES / "customers" / "customers.csv", dtype=str).set_index("customer")
    table = pd.read_parquet(made.path).set_index("customer_id").loc[sample.index]
    names = {"income": "household_income", "area": "postcode_area", "education": "education", "gender": "gender"}
    for name, column in names.items():
        assert table[name].fillna("").tolist() == sample[column].fillna("").tolist()
    assert table["birth_year"].tolist() == sample["birth_year"].astype(float).tolist()
    assert table["newsletter"].tolist() == (sample["newsletter"] == "Y").tolist()
    assert table["member_since"].astype(str).tolist() == sample["member_since"].tolist()
