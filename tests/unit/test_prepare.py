"""From files to canonical tables: formats, casts, accounting, checks, and bad input."""

import csv
import errno
import gzip
import itertools
import shutil
import zipfile
from datetime import timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, strategies as st

from customerlab.data import blanks, cast, packed, texts
from customerlab.data.engine import connect, open_table
from customerlab.data.prepare import prepare
from customerlab.data.sources import Source
from customerlab.errors import DataError
from helpers import STRANGER, add_shop, as_written, stranger_lines


def build(project, table="transactions", name="my_shop"):
    return prepare(project, project / "outputs" / name, table, name)


def frame(project, **options):
    return pd.read_parquet(build(project, **options).path)


def expected(lines):
    table = pd.DataFrame(
        {
            "customer_id": lines["Kunde"].astype(str),
            "order_id": lines["Beleg"],
            "ordered_at": lines["Datum"].astype("datetime64[us]"),
            "product_id": lines["Artikel"],
            "quantity": lines["Menge"].astype(float),
            "unit_price": lines["Preis"],
        }
    )
    return table


def assert_same(found, lines):
    found = found.drop(columns="amount")
    wanted = expected(lines)
    keys = list(wanted.columns)
    pd.testing.assert_frame_equal(
        found.sort_values(keys, ignore_index=True), wanted.sort_values(keys, ignore_index=True), check_dtype=False
    )


def spoil(lines, column, value, row=4):
    lines = lines.copy()
    lines.loc[row, column] = value
    return lines


@pytest.mark.slow
def test_semicolons_decimal_commas_and_day_first_dates(project):
    lines = stranger_lines()
    add_shop(project, as_written(lines))
    assert (lines["Preis"] > 1000).any() and (lines["Datum"].dt.day > 12).any()
    assert_same(frame(project), lines)


@pytest.mark.slow
def test_shuffled_rows_and_split_files_give_the_same_bytes(project):
    lines = as_written(stranger_lines())
    path = add_shop(project, lines)
    once = build(project).report["sha256"]
    lines.sample(frac=1, random_state=1).to_csv(path, sep=";", index=False)
    assert build(project).report["sha256"] == once
    path.unlink()
    half = len(lines) // 2
    lines[:half].to_csv(path.with_name("verkauf-1.csv"), sep=";", index=False)
    lines[half:].to_csv(path.with_name("verkauf-2.csv"), sep=";", index=False)
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(catalog.read_text().replace("path: verkauf.csv", 'path: "verkauf-*.csv"'))
    assert build(project).report["sha256"] == once


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv.gz", "tsv", "xlsx", "parquet", "latin-1"])
def test_every_format_gives_the_same_table(project, kind):
    lines = stranger_lines()[:300]
    written = as_written(lines)
    path = add_shop(project, written)
    name, extra = f"verkauf.{kind}", ""
    target = path.with_name(name)
    if kind == "csv.gz":
        target.write_bytes(gzip.compress(path.read_bytes()))
    elif kind == "tsv":
        written.to_csv(target, sep="\t", index=False)
    elif kind == "xlsx":
        written.to_excel(target, index=False)
    elif kind == "parquet":
        written.to_parquet(target)
    else:
        name, extra = "verkauf2.csv", "encoding: latin-1\n      "
        written = written.rename(columns={"Kunde": "Käufer"})
        written.to_csv(path.with_name(name), sep=";", index=False, encoding="latin-1")
    catalog = project / "data" / "catalog.yml"
    text = catalog.read_text().replace("path: verkauf.csv", f"{extra}path: {name}")
    if kind == "tsv":
        text = text.replace('delimiter: ";"\n      decimal: ","', 'decimal: ","')
    catalog.write_text(text.replace("customer_id: Kunde", "customer_id: Käufer") if extra else text, encoding="utf-8")
    assert_same(frame(project), lines)


def change_entry(project, *changes):
    """Change the stranger's entry in the catalogue, each text into another."""
    catalog = project / "data" / "catalog.yml"
    text = catalog.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    catalog.write_text(text, encoding="utf-8")


WITHOUT_FORMAT = (', format: "%d.%m.%Y %H:%M"', "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int64", "float64", "float32", "str"])
def test_parquet_files_are_one_table_whatever_the_types_of_each(project, kind):
    """The first has whole numbers; a fault is named with the row of its own file."""
    lines = stranger_lines()[:60]
    path = add_shop(project, as_written(lines)).with_name("teil-2.parquet")
    lines[:20].to_parquet(path.with_name("teil-1.parquet"))
    lines[20:].astype({"Menge": kind}).to_parquet(path)
    change_entry(project, WITHOUT_FORMAT, ("path: verkauf.csv", "path: 'teil-*.parquet'"))
    assert_same(frame(project), lines)
    spoil(lines[20:].reset_index(drop=True), "Datum", pd.Timestamp("9999-12-31")).astype({"Menge": kind}).to_parquet(
        path
    )
    with pytest.raises(DataError, match=r"ordered_at\n.*teil-2\.parquet, row 5 below the header, column 'Datum'"):
        build(project)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("name", "decoy"), [("s[1]", "s1"), ("s?", "sX"), ("of [2024]/s", "of 2/s"), ("s{a,b}", "sa"), ("s[!x]", "sy")]
)
def test_a_file_is_the_one_that_is_named(project, kind, name, decoy):
    lines, others = stranger_lines(seed=1), stranger_lines(seed=2)
    for stem, rows in ((name, lines), (decoy, others)):
        path = add_shop(project, rows).rename(project / "data" / "raw" / "verkauf.csv")
        target = project / "data" / "raw" / f"{stem}.{kind}"
        target.parent.mkdir(exist_ok=True)
        if kind == "csv":
            as_written(rows).to_csv(target, sep=";", index=False)
        else:
            as_written(rows).to_parquet(target)
        path.unlink()
    catalog = project / "data" / "catalog.yml"
    text = catalog.read_text().replace(STRANGER, "", 1)
    catalog.write_text(text.replace("verkauf.csv", f"'{name}.{kind}'"))
    assert_same(frame(project), lines)


@pytest.mark.slow
def test_a_star_finds_each_file_once_whatever_signs_its_name_has(project):
    lines = stranger_lines()
    path = add_shop(project, as_written(lines))
    half = len(lines) // 2
    as_written(lines)[:half].to_csv(path.with_name("verkauf-[1].csv"), sep=";", index=False)
    as_written(lines)[half:].to_csv(path.with_name("verkauf-1.csv"), sep=";", index=False)
    change_entry(project, ("verkauf.csv", "'verkauf-*.csv'"))
    assert_same(frame(project), lines)


@pytest.mark.slow
def test_a_project_folder_with_brackets_has_tables_of_its_own(project, tmp_path):
    mine, other = (Path(shutil.copytree(project, tmp_path / name)) for name in ("a[1]", "a1"))
    add_shop(mine, as_written(stranger_lines(seed=1)))
    add_shop(other, as_written(stranger_lines(seed=2)))
    build(other)
    assert_same(open_table(connect(), build(mine).path).to_pandas(), stranger_lines(seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["floats", "decimals", "xlsx", "xlsx with texts among the numbers"])
def test_numbers_that_are_numbers_need_no_signs(project, kind):
    lines = stranger_lines()[:300]
    lines.loc[:2, "Preis"] = [12.5, 1234567.25, 0.0625]
    path = add_shop(project, as_written(lines))
    target = path.with_suffix(".xlsx" if "xlsx" in kind else ".parquet")
    typed = lines.copy()
    if kind == "decimals":
        typed["Preis"] = [Decimal(f"{price:.4f}") for price in typed["Preis"]]
    if "texts" in kind:
        typed["Preis"] = typed["Preis"].astype(object)
        typed.loc[3:9, "Preis"] = as_written(lines).loc[3:9, "Preis"]
    typed.to_excel(target, index=False) if "xlsx" in kind else typed.to_parquet(target)
    change_entry(project, WITHOUT_FORMAT, ("verkauf.csv", target.name))
    assert_same(frame(project), lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decimal", "thousands"), [(",", "."), (".", ","), (",", " "), (".", "'"), (",", "\u202f"), (".", None)]
)
def test_numbers_are_read_in_groups_of_three_or_not_at_all(decimal, thousands):
    """The grouping that Python writes is read back; a sign that stands anywhere else is no thousands sign."""
    source = Source("log", (), decimal=decimal, thousands=thousands)

    def read_all(texts):
        table = ibis.memtable({"x": texts}, schema={"x": "string"})
        return cast.cast(blanks.bare(table.x), "float64", source).execute().tolist()

    def write(number, form):
        return f"{number:{form}}".translate({ord(","): thousands or "", ord("."): decimal})

    numbers = [0, 7, -12.5, 999, 1000, -1234.25, 12_500, 123_456.75, 1_234_567.5, 98_765_432_101]
    assert read_all([write(n, ",") for n in numbers]) == numbers
    assert read_all([write(n, "") for n in numbers]) == numbers
    assert read_all(["1e3", f"{decimal}5", f"5{decimal}", "+5"]) == [1000, 0.5, 5, 5]
    signs = str.maketrans({"t": thousands or "_", "d": decimal, "o": "." if decimal == "," else ","})
    bad = "12t50 1t2345 1234t567 1tt234 1t234d567t8 1d234t567 1t23t456 1t234e2 12o50 - 1e400 inf nan 1_000 12€"
    assert {word: n for word in bad.split() if (n := read_all([word.translate(signs)])[0]) == n} == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "good", "year", "bad", "said"),
    [
        ("%d.%m.%Y", "01.01.1900", 1900, "05.01.24", "dates of the form %d.%m.%Y, from 1900-01-01 to 2100-01-01"),
        ("%d.%m.%Y", "01.01.2100", 2100, "31.12.9999", "dates of the form %d.%m.%Y, from 1900-01-01 to 2100-01-01"),
        (None, "1900-01-01", 1900, "1899-12-31", "dates of the form 2024-12-31 23:59:59, from 1900-01-01"),
        (None, "2100-01-01", 2100, "infinity", "dates of the form 2024-12-31 23:59:59, from 1900-01-01"),
        ("epoch", "-2208988800", 1900, "1704067200000", "seconds since 1970, from 1900-01-01 to 2100-01-01"),
        ("epoch", "4102444800", 2100, "1704067200000000000", "seconds since 1970, from 1900-01-01 to 2100-01-01"),
    ],
)
def test_days_that_no_shop_had_are_refused(project, pattern, good, year, bad, said):
    lines = as_written(stranger_lines()[:50]).assign(Datum=good)
    changed = WITHOUT_FORMAT if pattern is None else ("%d.%m.%Y %H:%M", pattern)
    path = add_shop(project, lines, entry=STRANGER.replace(*changed))
    assert frame(project)["ordered_at"].eq(pd.Timestamp(year, 1, 1)).all()
    spoil(lines, "Datum", bad).to_csv(path, sep=";", index=False)
    with pytest.raises(DataError) as caught:
        build(project)
    where = "verkauf.csv, row 5 below the header, column 'Datum'"
    assert all(words in str(caught.value) for words in (f"{bad!r} cannot be read as ordered_at", where, said))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_dates_that_are_dates_need_no_format(project, kind):
    lines = stranger_lines()[:50]
    path = add_shop(project, as_written(lines)).with_suffix(f".{kind}")
    lines.to_excel(path, index=False) if kind == "xlsx" else lines.to_parquet(path)
    change_entry(project, ("verkauf.csv", path.name))
    with pytest.raises(DataError, match=r"row 1 below the header, column 'Datum'[\s\S]*remove `format`"):
        build(project)
    change_entry(project, WITHOUT_FORMAT)
    assert_same(frame(project), lines)


@pytest.mark.slow
def test_an_offset_is_dropped_and_the_time_on_the_clock_stays(project, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    lines = stranger_lines()
    zones = itertools.cycle(["+01:00", "Z"])
    clock = [f"{time:%Y-%m-%d %H:%M}:00{zone}" for time, zone in zip(lines["Datum"], zones, strict=False)]
    written = as_written(lines).assign(Datum=clock)
    add_shop(project, written, entry=STRANGER.replace(', format: "%d.%m.%Y %H:%M"', ""))
    assert_same(frame(project), lines)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "+05:30", "-03:00", "UTC"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_a_zone_are_read_from_its_own_clock(project, monkeypatch, zone, unit):
    """Across both changes of Berlin's clocks; Python's zoneinfo says what the clock of the zone shows."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    lines = stranger_lines()[:300]
    begin = {True: "2024-03-30 20:00", False: "2024-10-26 20:00"}
    instants = [pd.Timestamp(begin[n % 2 == 0], tz="UTC") + pd.Timedelta(minutes=7 * n) for n in lines.index]
    offset = timedelta(hours=float(zone[:3]), minutes=30 if "30" in zone else 0) if zone[0] in "+-" else None
    own = timezone(offset) if offset else ZoneInfo(zone)
    path = add_shop(project, as_written(lines))
    table = pa.Table.from_pandas(lines.drop(columns="Datum"))
    pq.write_table(
        table.append_column("Datum", pa.array(instants, pa.timestamp(unit, tz=zone))), path.with_suffix(".parquet")
    )
    change_entry(project, WITHOUT_FORMAT, ("verkauf.csv", "verkauf.parquet"))
    clock = [instant.to_pydatetime().astimezone(own).replace(tzinfo=None) for instant in instants]
    assert_same(frame(project), lines.assign(Datum=pd.Series(clock)))


@pytest.mark.slow
def test_ids_that_pandas_made_floats_are_read_as_whole_numbers(project):
    lines = stranger_lines()
    path = add_shop(project, as_written(lines))
    holes = lines.assign(Kunde=lines["Kunde"].astype(float).mask(lines.index % 50 == 0), Menge=lines["Menge"] + 0.5)
    holes.to_parquet(path.with_suffix(".parquet"))
    catalog = project / "data" / "catalog.yml"
    text = catalog.read_text().replace("verkauf.csv", "verkauf.parquet").replace(', format: "%d.%m.%Y %H:%M"', "")
    catalog.write_text(text.replace('decimal: ","', 'decimal: "."').replace('thousands: "."', 'thousands: ","'))
    assert_same(frame(project), holes.dropna().astype({"Kunde": int}))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_ids_are_kept_as_they_are_with_zeros_blanks_and_tabs(project, kind):
    odd = {1: "007", 2: " b8", 3: "b9 ", 4: "\t=1", 5: "a  b", 6: "\u00a0b10", 7: "+1"}
    lines = as_written(stranger_lines())
    lines["Kunde"] = [odd.get(int(one), one) for one in lines["Kunde"]]
    lines["Artikel"] = [" A1 " if one == "A1" else one for one in lines["Artikel"]]
    path = add_shop(project, lines)
    if kind == "parquet":
        change_entry(project, ("path: verkauf.csv", "path: verkauf.parquet"), ('      delimiter: ";"\n', ""))
        lines.to_parquet(path.with_suffix(".parquet"), index=False)
    found = frame(project)
    assert set(found["customer_id"]) == set(lines["Kunde"]) > set(odd.values())
    assert " A1 " in set(found["product_id"])


@pytest.mark.slow
def test_ids_that_differ_only_by_blanks_are_refused_and_empty_ones_are_empty(project):
    lines = as_written(stranger_lines())
    add_shop(project, lines.assign(Kunde=lines["Kunde"].where(lines.index != 3, "  ")))
    assert build(project).report["row_accounting"][1]["rows_removed"] == 1, "no customer"
    first = lines["Kunde"][5]
    assert (lines["Kunde"] == first).sum() > 1
    lines.assign(Kunde=lines["Kunde"].where(lines.index != 5, f"{first} ")).to_csv(
        project / "data" / "raw" / "verkauf.csv", sep=";", index=False
    )
    with pytest.raises(DataError, match="differ only by the blanks") as caught:
        build(project)
    assert first not in str(caught.value) and "row 6 below the header, column 'Kunde'" in str(caught.value)


@pytest.mark.slow
def test_kept_and_removed_are_what_was_read(project):
    lines = as_written(stranger_lines())
    lines.loc[0:9, "Kunde"] = ""
    lines.loc[5:14, "Menge"] = "-2"
    add_shop(project, lines)
    report = build(project).report
    read, missing, negative = report["row_accounting"]
    assert (read["rows_left"], missing["rows_removed"], negative["rows_removed"]) == (len(lines), 10, 5)
    assert negative["rows_left"] == report["rows"] == len(lines) - 15
    money = sum(float(step["amount_removed"]) for step in report["row_accounting"]) + float(negative["amount_left"])
    assert money == pytest.approx(float(read["amount_left"]), abs=1e-9)
    # what was above zero of the ten rows without a customer, of which five are below
    lost = stranger_lines()[:5]
    assert float(missing["sales_removed"]) == pytest.approx((lost["Menge"] * lost["Preis"]).sum(), abs=1e-9)
    assert float(negative["sales_removed"]) == 0 > float(negative["amount_removed"])
    empty = {row["column"]: (row["of_read"], row["of_kept"]) for row in report["missing"]}
    assert empty.pop("customer_id") == (10, 0) and set(empty.values()) == {(0, 0)} and "amount" not in empty


@pytest.mark.slow
def test_amounts_are_exact_decimals(project):
    lines = stranger_lines()
    add_shop(project, as_written(lines))
    amount = frame(project)["amount"]
    cents = int((lines["Menge"] * (lines["Preis"] * 100).round().astype(int)).sum())
    assert sum(amount) * 100 == cents


@pytest.mark.slow
def test_exact_repeats_leave_one(project):
    lines = as_written(stranger_lines())
    doubled = pd.concat([lines, lines[:7], lines[:7]])
    add_shop(project, doubled, entry=STRANGER.replace("quantity_not_positive", "exact_repeat"))
    once = len(lines.drop_duplicates())
    assert build(project).report["rows"] == once


@pytest.mark.slow
def test_returns_are_what_only_the_cancellations_keep_from_the_log(project):
    lines = as_written(stranger_lines()).head(4).assign(Beleg=["A1", "C2", "C3", "A4"], Menge=["5", "-2", "3", "-1"])
    lines = lines.assign(Preis="10,50", Kunde=["1", "1", "2", "2"])
    free = lines.assign(Preis="0", Beleg="C9").head(2)
    no_one = lines.assign(Kunde="", Beleg="C8").iloc[[1]]
    entry = STRANGER.replace("quantity_not_positive", "order_cancelled, price_not_positive")
    add_shop(project, pd.concat([lines, free, no_one]), entry=entry)
    bought, returned = frame(project), frame(project, table="returns")
    # the negative line of an order that was not cancelled stays in the log, so it cannot be a return as well
    assert bought["order_id"].tolist() == ["A1", "A4"] and bought["quantity"].tolist() == [5, -1]
    assert returned[["order_id", "quantity", "amount"]].astype(float, errors="ignore").values.tolist() == [
        ["C2", -2, -21]
    ]
    steps = build(project, table="returns").report["row_accounting"]
    assert [step["rows_left"] for step in steps] == [7, 6, 4, 1]


def test_a_log_whose_cancellations_stay_has_no_table_of_returns(project):
    add_shop(project, as_written(stranger_lines()), entry=STRANGER.replace(", quantity_not_positive", ""))
    with pytest.raises(DataError, match="no returns table"):
        build(project, table="returns")


def test_a_log_without_cancellations_has_an_empty_table_of_returns(project):
    add_shop(project, as_written(stranger_lines().query("Menge > 0")))
    assert frame(project, table="returns").empty


def test_a_product_has_one_row_with_its_most_frequent_name(project):
    lines = as_written(stranger_lines())
    lines["Name"] = "common"
    lines.loc[lines.index[lines["Artikel"] == "A1"][0], "Name"] = "rare"
    lines.loc[lines["Artikel"] == "A2", "Name"] = ""
    add_shop(
        project, lines, entry=STRANGER + "    products:\n      columns: {product_id: Artikel, description: Name}\n"
    )
    products = frame(project, table="products").set_index("product_id")["description"]
    assert products.index.is_unique and products["A1"] == "common" and pd.isna(products["A2"])


@pytest.mark.slow
def test_description_and_category_are_each_the_most_frequent_of_the_product(project):
    rows = [
        # "Mug" five times in three categories, "Cup" three times in one: the combination Cup/A is the most frequent
        ("A1", "Mug", "B"), ("A1", "Mug", "B"), ("A1", "Mug", "C"), ("A1", "Mug", "C"), ("A1", "Mug", "D"),
        ("A1", "Cup", "A"), ("A1", "Cup", "A"), ("A1", "Cup", "A"),
        # a tie in both: the alphabet decides
        ("A2", "Urn", "Y"), ("A2", "Jug", "Z"),
        # empty values do not count, and stand where there is no other
        ("A3", "", "Q"), ("A3", "", "Q"), ("A3", "Pot", ""), ("A4", "", ""),
    ]  # fmt: skip
    entry = STRANGER + "    products:\n      columns: {product_id: Artikel, description: Name, category: Art}\n"
    path = add_shop(project, as_written(stranger_lines()), entry=entry)
    lines = pd.DataFrame(rows, columns=["Artikel", "Name", "Art"])
    for seed in range(3):
        lines.sample(frac=1, random_state=seed).to_csv(path, sep=";", index=False)
        found = frame(project, table="products")
        assert found.astype(object).where(found.notna(), None).to_numpy().tolist() == [
            ["A1", "Mug", "A"], ["A2", "Jug", "Y"], ["A3", "Pot", "Q"], ["A4", None, None],
        ]  # fmt: skip


NUMBERED = "    experiment:\n      columns: {unit_id: {row_number: true}, variant: Arm}\n      outcomes: [Menge]\n"


@pytest.mark.slow
def test_an_empty_value_is_named_in_every_table(project):
    entry = STRANGER + "    products:\n      columns: {product_id: Artikel, description: Beleg}\n" + NUMBERED
    lines = as_written(stranger_lines()).assign(Arm="a")
    add_shop(project, spoil(spoil(lines, "Arm", "", 11), "Artikel", "", 12), entry=entry)
    for table, said in (
        ("experiment", r"variant is empty in 1 row\n.*verkauf.csv, row 12 below the header, column 'Arm'"),
        (
            "products",
            r"product_id is empty in 1 row\n.*row 13 below the header, column 'Artikel'[\s\S]*product_missing",
        ),
    ):
        with pytest.raises(DataError, match=said):
            build(project, table=table)


@pytest.mark.slow
def test_a_row_s_number_is_no_customer_s_id(project):
    lines = as_written(stranger_lines())[:40].assign(Arm=[f"arm {n}" for n in range(1, 41)])
    add_shop(project, lines, entry=STRANGER + NUMBERED)
    units = frame(project, table="experiment")
    assert units["unit_id"].tolist() == sorted(f"row {n}" for n in range(1, 41))
    assert (units["unit_id"].str.removeprefix("row ") == units["variant"].str.removeprefix("arm ")).all()
    customers = set(frame(project)["customer_id"])
    assert customers & {str(n) for n in range(1, 41)} and not customers & set(units["unit_id"])


@pytest.mark.slow
def test_rows_of_many_files_are_numbered_within_their_file(project):
    lines = as_written(stranger_lines())[:6].assign(Arm="a")
    path = add_shop(project, lines, entry=STRANGER.replace("verkauf.csv", "teil-*.csv") + NUMBERED)
    path.unlink()
    lines[:2].to_csv(path.with_name("teil-1.csv"), sep=";", index=False)
    one = set(frame(project, table="experiment")["unit_id"])
    assert one == {"row 1 of teil-1.csv", "row 2 of teil-1.csv"}
    lines[2:].to_csv(path.with_name("teil-2.csv"), sep=";", index=False)
    both = set(frame(project, table="experiment")["unit_id"])
    assert both == one | {f"row {n} of teil-2.csv" for n in range(1, 5)}, "a file that comes later changes no id"


@pytest.mark.slow
def test_a_table_is_made_once_and_again_when_something_changes(project):
    lines = as_written(stranger_lines())
    path = add_shop(project, lines)
    assert build(project).made and not build(project).made
    shutil.copy2(path, path.with_suffix(".bak"))
    shutil.move(path.with_suffix(".bak"), path)
    assert not build(project).made
    lines[:-1].to_csv(path, sep=";", index=False)
    assert build(project).made
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(catalog.read_text().replace("quantity_not_positive", "price_not_positive"))
    assert build(project).made


BAD = {
    "text in a number": (
        lambda x: spoil(x, "Preis", "gratis"),
        ["'gratis'", "unit_price", "row 5", "'Preis'", "decimal sign ','"],
    ),
    "a decimal point where commas are": (lambda x: spoil(x, "Menge", "1e"), ["'1e'", "quantity", "row 5"]),
    "an unreadable date": (
        lambda x: spoil(x, "Datum", "31.02.2024 10:00"),
        ["'31.02.2024 10:00'", "%d.%m.%Y", "row 5"],
    ),
    "month first": (lambda x: spoil(x, "Datum", "2024-01-05"), ["2024-01-05", "ordered_at"]),
    "a bar code as quantity": (
        lambda x: spoil(x, "Menge", "5012345678900").assign(Preis="99,00"),
        ["too large to be money", "row 5", "bar code"],
    ),
    "a decimal point that would be a thousands sign": (
        lambda x: spoil(x, "Preis", "12.50"),
        ["'12.50' cannot be read as unit_price", "row 5", "'Preis'", "thousands sign '.' between groups of three"],
    ),
    "a price beyond all money": (lambda x: spoil(x, "Preis", "1e300"), ["too large to be money", "row 5"]),
    "infinity": (lambda x: spoil(x, "Preis", "inf"), ["'inf'", "unit_price"]),
    "a missing column": (
        lambda x: x.drop(columns="Preis"),
        ["missing column: 'Preis'", "'Artikel'", "comes by `join: {its file: key}`"],
    ),
    "a doubled column": (lambda x: x.rename(columns={"Menge": "Preis"}), ["doubled column: 'Preis'"]),
    "an empty table": (lambda x: x[:0], ["the table is empty", "at least one row", "do:"]),
    "one customer": (lambda x: x.assign(Kunde="7"), ["one customer only", "at least two", "customer_id"]),
    "no row left": (
        lambda x: x.assign(Menge="-1"),
        ["no row of the transactions table is left", "quantity not above zero"],
    ),
    "an empty order": (lambda x: spoil(x, "Beleg", ""), ["order_id is empty in 1 row\n", "row 5", "'Beleg'"]),
    "empty prices": (
        # the first of them is in a row that cleaning removes
        lambda x: spoil(spoil(spoil(spoil(x, "Preis", "", 2), "Menge", "-1", 2), "Preis", "", 7), "Preis", "", 9),
        ["unit_price is empty in 2 rows\n", "row 8 below the header, column 'Preis', the first"],
    ),
    "an empty date": (
        lambda x: spoil(x, "Datum", " "),
        ["ordered_at is empty in 1 row\n", "row 5", "'Datum'", "add the rule `date_missing`"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_and_earlier_results_stay(project, case):
    lines = as_written(stranger_lines())
    path = add_shop(project, lines)
    before = build(project)
    kept = before.path.read_bytes()
    spoiled, said = BAD[case]
    spoiled(lines).to_csv(path, sep=";", index=False)
    with pytest.raises(DataError) as caught:
        build(project)
    message = str(caught.value)
    assert all(word in message for word in said), message
    assert "verkauf.csv" in message and "expected:" in message
    assert before.path.read_bytes() == kept
    assert sorted(p.name for p in before.path.parent.iterdir()) == ["transactions.json", "transactions.parquet"]


def with_suffix(path, suffix, content):
    """Write another form of the stranger's file beside it."""
    target = path.with_name(f"verkauf{suffix}")
    target.write_bytes(content)
    return target


def zipped(path, name):
    with zipfile.ZipFile(path.with_name("verkauf.xlsx"), "w") as archive:
        archive.writestr(name, "no workbook")
    return path.with_name("verkauf.xlsx")


def half(path, suffix):
    lines = stranger_lines()
    lines.to_excel(path.with_suffix(suffix), index=False) if suffix == ".xlsx" else lines.to_parquet(
        path.with_suffix(suffix)
    )
    return with_suffix(path, suffix, path.with_suffix(suffix).read_bytes()[:-3000])


def scratched(path, at):
    """A parquet file with its head and its foot as they were and rubbish between them, `at` a share of its length."""
    as_written(stranger_lines()).to_parquet(path.with_suffix(".parquet"))
    content = bytearray(path.with_suffix(".parquet").read_bytes())
    begin = int(len(content) * at)
    content[begin : begin + 200] = bytes(range(200))
    return with_suffix(path, ".parquet", content)


def flipped(content, place):
    content = bytearray(content)
    content[place] ^= 0x10
    return bytes(content)


def one_digit(text):
    """A gz whose text was changed and whose checksum was not."""
    return gzip.compress(text.replace(b";4;", b";9;", 1), compresslevel=0)[:-8] + gzip.compress(text)[-8:]


def damaged_book(path):
    book = path.with_suffix(".xlsx")
    stranger_lines().to_excel(book, index=False)
    with zipfile.ZipFile(book) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(book, "w", zipfile.ZIP_STORED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    content = book.read_bytes()
    place = content.index(b"</v></c></row></sheetData>") - 1
    return with_suffix(path, ".xlsx", content[:place] + b"8" + content[place + 1 :])


def bomb(path):
    book = path.with_suffix(".xlsx")
    stranger_lines().to_excel(book, index=False)
    with zipfile.ZipFile(book, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/media/image1.png", bytes(80_000_000))
    return book


LINE = "7;R-1;31.01.2024 10:00;A7;1;1,00\n"
GOOD_TEXT = as_written(stranger_lines()).to_csv(sep=";", index=False)
ROWS = GOOD_TEXT.count("\n") - 1

FAULTS = {
    "too many fields": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + "1;2;3;4;5;6;7;8\n" + LINE).encode()),
        [
            "the row has 8 fields, the header has 6",
            f"row {ROWS + 1:,} below the header",
            "6 fields in every row, with ';'",
        ],
    ),
    "too few fields": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + "1;2;3\n" + LINE).encode()),
        ["the row has 3 fields, the header has 6", f"row {ROWS + 1:,} below the header"],
    ),
    "an open quotation mark": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + '1;"2;3;4;5;6\n' + LINE).encode()),
        ["a quotation mark is not closed", f"row {ROWS + 1:,} below the header"],
    ),
    "another encoding": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + LINE.replace("R", "Rä")).encode("cp1252")),
        ["the text is not in utf-8: b'R\\xe4-1'", f"row {ROWS + 1:,} below the header", "`encoding`", "cp1252"],
    ),
    "another encoding from the first byte": (
        lambda path: with_suffix(path, ".csv", GOOD_TEXT.encode("utf-16")),
        ["the text is not in utf-8", "header", "`encoding`"],
    ),
    "half a gz": (
        lambda path: with_suffix(path, ".csv.gz", gzip.compress(GOOD_TEXT.encode())[:-3000]),
        ["damaged or incomplete", "get the file again"],
    ),
    "no gz": (lambda path: with_suffix(path, ".csv.gz", GOOD_TEXT.encode()), ["damaged or incomplete", "gzip"]),
    "half a workbook": (lambda path: half(path, ".xlsx"), ["damaged or incomplete, or no .xlsx file"]),
    "no workbook": (lambda path: zipped(path, "a.txt"), ["damaged or incomplete, or no .xlsx file"]),
    "an old workbook": (
        lambda path: with_suffix(path, ".xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)),
        ["damaged or incomplete, or no .xlsx file"],
    ),
    "half a parquet": (lambda path: half(path, ".parquet"), ["damaged or incomplete, or no .parquet file"]),
    "an empty line before the header": (
        lambda path: with_suffix(path, ".csv", b"\n" + GOOD_TEXT.encode()),
        ["there is no header"],
    ),
    "CRLF after LF": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + LINE[:-1] + "\r\n").encode()),
        ["the line ends are mixed: LF (Linux, macOS) at first, and CRLF (Windows) here", f"row {ROWS + 1:,} below"],
    ),
    "a CRLF header": (
        lambda path: with_suffix(path, ".csv", GOOD_TEXT.replace("\n", "\r\n", 1).encode()),
        ["mixed: CRLF (Windows) at first, and LF (Linux, macOS) here", "row 1 below the header"],
    ),
    "two exports put together": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + LINE.replace("\n", "\r\n") * 9 + LINE).encode()),
        ["line ends are mixed", f"row {ROWS + 1:,} below"],
    ),
    "a lone CR": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + LINE.replace("A7", "A\r7")).encode()),
        ["mixed: LF (Linux, macOS) at first, and CR (old Macs) here"],
    ),
    "CR CR LF": (
        lambda path: with_suffix(path, ".csv", GOOD_TEXT.replace("\n", "\r\r\n").encode()),
        ["mixed: CR (old Macs) at first, and CRLF (Windows) here"],
    ),
    "mixed line ends in another encoding": (
        lambda path: with_suffix(path, ".csv.gz", gzip.compress((GOOD_TEXT + LINE[:-1] + "\r\n").encode())),
        ["the line ends are mixed"],
    ),
    "a last line of 33 MB": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + LINE.replace("A7", "P" * 33_000_000)).encode()),
        ["the row has more than 2,000,000 bytes", f"row {ROWS + 1:,} below"],
    ),
    "a last line of 33 MB in quotation marks, without an end": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + LINE.replace("A7", f'"{"P" * 33_000_000}"')[:-1]).encode()),
        ["the row has more than 2,000,000 bytes", f"row {ROWS + 1:,} below"],
    ),
    "a line of 2.5 MB of signs of several bytes": (
        lambda path: with_suffix(path, ".csv", (GOOD_TEXT + LINE.replace("A7", "ä" * 1_250_000) + LINE).encode()),
        ["the row has more than 2,000,000 bytes"],
    ),
    "a header of 140 kB": (
        lambda path: with_suffix(path, ".csv", GOOD_TEXT.replace("Artikel", "A" * 140_000).encode()),
        ["a column has a name of 140,000 signs"],
    ),
    "a header of 3 MB": (
        lambda path: with_suffix(path, ".csv", GOOD_TEXT.replace("Artikel", "A" * 3_000_000).encode()),
        ["the row has more than 2,000,000 bytes", "header"],
    ),
    "a text without line ends": (
        lambda path: with_suffix(path, ".csv", b"a" * 40_000_000),
        ["the row has more than 2,000,000 bytes"],
    ),
    "empty lines": (
        lambda path: with_suffix(path, ".csv", GOOD_TEXT.encode() + b"\n" * 40_000_000),
        ["40,000,000 of its lines are empty"],
    ),
    "empty lines in a gz": (
        lambda path: with_suffix(path, ".csv.gz", gzip.compress(GOOD_TEXT.encode() + b"\n" * 60_000_000)),
        ["which no data do"],
    ),
    "a gz with another checksum": (
        lambda path: with_suffix(path, ".csv.gz", flipped(gzip.compress(GOOD_TEXT.encode()), -6)),
        ["damaged or incomplete", "incorrect data check"],
    ),
    "a gz with another length": (
        lambda path: with_suffix(path, ".csv.gz", flipped(gzip.compress(GOOD_TEXT.encode()), -2)),
        ["damaged or incomplete", "incorrect length check"],
    ),
    "a digit flipped in a gz": (
        lambda path: with_suffix(path, ".csv.gz", one_digit(GOOD_TEXT.encode())),
        ["damaged or incomplete", "incorrect data check"],
    ),
    "a gz of which another is half": (
        lambda path: with_suffix(
            path, ".csv.gz", gzip.compress(GOOD_TEXT.encode()) + gzip.compress(LINE.encode())[:-3]
        ),
        ["damaged or incomplete", "ends before its end"],
    ),
    "a gz followed by zeros": (
        lambda path: with_suffix(path, ".csv.gz", gzip.compress(GOOD_TEXT.encode()) + bytes(5000)),
        ["zeros follow the packed data"],
    ),
    "a gz followed by something else": (
        lambda path: with_suffix(path, ".csv.gz", gzip.compress(GOOD_TEXT.encode()) + b"something else"),
        ["damaged or incomplete"],
    ),
    "an empty gz": (lambda path: with_suffix(path, ".csv.gz", b""), ["damaged or incomplete", "ends before its end"]),
    "a digit flipped in a workbook": (lambda path: damaged_book(path), ["damaged or incomplete, or no .xlsx file"]),
    "a workbook that is a bomb": (lambda path: bomb(path), ["damaged or incomplete", "which no data do"]),
    "columns that differ in case in a csv": (
        lambda path: with_suffix(path, ".csv", GOOD_TEXT.replace("Artikel", "KUNDE", 1).encode()),
        ["doubled column: 'Kunde', 'KUNDE'", "upper and lower case"],
    ),
    "columns that differ in case in a parquet": (
        lambda path: (
            as_written(stranger_lines()).rename(columns={"Artikel": "KUNDE"}).to_parquet(path.with_suffix(".parquet"))
            or path.with_suffix(".parquet")
        ),
        ["doubled column: 'Kunde', 'KUNDE'"],
    ),
    "a parquet scratched in its first column": (lambda path: scratched(path, 0.1), ["the file cannot be read"]),
    "a parquet scratched in its last columns": (lambda path: scratched(path, 0.8), ["the file cannot be read"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_in_a_file_is_named_and_the_advice_fits(project, case):
    write, said = FAULTS[case]
    target = write(add_shop(project, as_written(stranger_lines())))
    change_entry(project, ("verkauf.csv", target.name))
    with pytest.raises(DataError) as caught:
        build(project)
    message = str(caught.value)
    assert all(word in message for word in [target.name, "do:", *said]), message
    assert "strict" not in message and "parallel" not in message and str(project) not in message
    assert "space" not in message and ("delimiter" not in message or "fields" in message), message
    assert list((project / "outputs").rglob("*.*")) == []


@pytest.mark.slow
@given(
    st.lists(
        st.lists(st.text(st.sampled_from("ab\n\r\", 5'é"), max_size=6), min_size=2, max_size=2), min_size=1, max_size=8
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 7),
)
@example([["a", "b"], ['5" pipe', "2"], ["x", 'y"']], "\n", 3)
def test_rows_are_counted_as_a_reader_of_csv_counts_them(tmp_path_factory, rows, end, size):
    """Python's own writer and reader are the second implementation; the file is read in chunks of a few bytes."""
    path = tmp_path_factory.mktemp("count") / "x.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        ends = any(sign in text for row in rows for text in row for sign in "\r\n")
        csv.writer(handle, lineterminator=end, quoting=csv.QUOTE_ALL if ends else csv.QUOTE_MINIMAL).writerows(rows)
    before, packed.CHUNK = packed.CHUNK, size
    try:
        lines = packed.count_lines(path)
    finally:
        packed.CHUNK = before
    assert lines.rows == len(rows) and lines.blank == 0 and lines.plain
    assert texts.exact_count(path, Source("x", ())) == len(rows) - 1
    assert texts.count(path, path, Source("x", ())) == len(rows) - 1


def test_a_quotation_mark_within_a_text_is_read_and_counted(project):
    """The quick count takes it for one that opens a text, the slow one does not."""
    lines = stranger_lines()[:60]
    path = add_shop(project, as_written(lines))
    text = path.read_text().splitlines()
    text[7] = text[7].replace(lines["Artikel"][6], '5" pipe')
    path.write_text("\n".join(text) + "\n")
    found = frame(project)
    assert len(found) == 60 and (found["product_id"] == '5" pipe').sum() == 1


def test_rows_that_an_engine_drops_are_seen(project, monkeypatch):
    """Whatever it is that an engine leaves out without a word."""
    add_shop(project, as_written(stranger_lines()))
    whole = ibis.backends.duckdb.Backend.read_csv
    monkeypatch.setattr(ibis.backends.duckdb.Backend, "read_csv", lambda *a, **k: whole(*a, **k).limit(ROWS - 1))
    with pytest.raises(DataError, match=f"{ROWS - 1:,} rows can be read, and the file has {ROWS:,}"):
        build(project)


@pytest.mark.slow
def test_empty_lines_and_packed_parts_lose_no_row(project):
    path = add_shop(project, as_written(stranger_lines()))
    text = GOOD_TEXT.encode()
    target = with_suffix(path, ".csv.gz", gzip.compress(text + b"\n") + gzip.compress(b"\n\n" + LINE.encode()[:-1]))
    change_entry(project, ("verkauf.csv", target.name))
    assert build(project).report["row_accounting"][0]["rows_left"] == ROWS + 1


@pytest.mark.parametrize("name", ["a?b", "a\nb"])
def test_a_folder_that_duckdb_cannot_write_to_is_named(project, tmp_path, name):
    odd = project.rename(tmp_path / name)
    add_shop(odd, as_written(stranger_lines()))
    with pytest.raises(DataError, match="question mark, a line end") as caught:
        build(odd)
    assert repr(name) in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_of_many_files_the_faulty_one_is_named(project):
    path = add_shop(project, as_written(stranger_lines()))
    with_suffix(path, "-1.csv", GOOD_TEXT.encode())
    with_suffix(path, "-2.csv", (GOOD_TEXT + "1;2\n").encode())
    change_entry(project, ("verkauf.csv", '"verkauf-*.csv"'))
    with pytest.raises(DataError, match=rf"2 fields[\s\S]*verkauf-2.csv, row {ROWS + 1:,} below"):
        build(project)


def test_a_result_that_cannot_be_written_is_no_fault_of_the_file(project, monkeypatch):
    add_shop(project, as_written(stranger_lines()))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ir.Table, "to_parquet", full)
    with pytest.raises(DataError, match=r"could not be written: .*No space[\s\S]*free some space"):
        build(project)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "utf-16", "utf-8-sig", "shift_jis", "ISO-8859-15", "UTF8"])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_encodings_that_are_in_use_are_read(project, encoding, suffix):
    """Written by Python's codec, with what the alphabet has beyond ASCII."""
    word = {"cp1251": "Щётка", "shift_jis": "湯呑み"}.get(encoding, "Käse—œuvre €" if encoding == "cp1252" else "Käse")
    lines = stranger_lines()[:60]
    text = as_written(lines.assign(Artikel=word)).to_csv(sep=";", index=False).encode(encoding)
    target = with_suffix(add_shop(project, as_written(lines)), suffix, gzip.compress(text) if "gz" in suffix else text)
    change_entry(project, ("path: verkauf.csv", f"path: {target.name}\n      encoding: {encoding}"))
    assert_same(frame(project), lines.assign(Artikel=word))


@pytest.mark.slow
@pytest.mark.parametrize(("sheet", "found"), [("Nope", "'Nope'"), (2, "2")])
def test_a_wrong_sheet_is_answered_with_the_sheets(project, sheet, found):
    path = add_shop(project, as_written(stranger_lines()))
    with pd.ExcelWriter(path.with_suffix(".xlsx")) as book:
        pd.DataFrame({"x": [1]}).to_excel(book, sheet_name="Notes", index=False)
        as_written(stranger_lines()).to_excel(book, sheet_name="Sales", index=False)
    change_entry(project, ("path: verkauf.csv", f"path: verkauf.xlsx\n      sheet: {sheet}"))
    with pytest.raises(DataError, match=rf"no sheet {found}[\s\S]*one of: Notes, Sales"):
        build(project)
    change_entry(project, (f"sheet: {sheet}", "sheet: Sales"))
    assert_same(frame(project), stranger_lines())


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["[", "A(?=1)"])
def test_a_pattern_that_the_engine_does_not_take_is_named(project, pattern):
    entry = STRANGER.replace("quantity_not_positive", f"{{product_not_matching: {{pattern: '{pattern}'}}}}")
    add_shop(project, as_written(stranger_lines()), entry=entry)
    with pytest.raises(DataError, match="is not a regular expression") as caught:
        build(project)
    assert repr(pattern) in str(caught.value) and "product_not_matching" in str(caught.value)


def test_a_doubled_column_in_parquet(project):
    path = add_shop(project, as_written(stranger_lines()))
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array(["2"])], names=["Kunde", "Kunde"])
    pq.write_table(table, path.with_suffix(".parquet"))
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(catalog.read_text().replace("verkauf.csv", "verkauf.parquet"))
    with pytest.raises(DataError, match="doubled column: 'Kunde'"):
        build(project)


def test_declared_content_is_checked(project):
    add_shop(
        project, as_written(stranger_lines()), entry=STRANGER.replace('thousands: "."', 'thousands: "."\n      rows: 3')
    )
    with pytest.raises(DataError, match="rows") as caught:
        build(project)
    assert "expected: 3 rows" in str(caught.value)


@pytest.mark.slow
def test_a_span_of_time_is_checked(project):
    lines = stranger_lines()
    span = '      span: {column: Datum, first: "2024-01-01 00:00:00", last: "2030-01-01 00:00:00"}\n'
    entry = STRANGER.replace('thousands: "."\n', 'thousands: "."\n' + span)
    add_shop(project, as_written(lines), entry=entry)
    with pytest.raises(DataError, match="runs from"):
        build(project)
    good = span.replace("2024-01-01 00:00:00", str(lines["Datum"].min())).replace(
        "2030-01-01 00:00:00", str(lines["Datum"].max())
    )
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(catalog.read_text().replace(span, good))
    assert build(project).made


def test_a_lacking_table_names_those_there_are(project):
    add_shop(project, as_written(stranger_lines()))
    with pytest.raises(DataError, match="no ratings table"):
        build(project, table="ratings")


def test_no_message_names_a_parameter_that_there_is_none_of(project):
    add_shop(project, as_written(stranger_lines()))
    for table, data_set in (("transactions", "demo_aa_test"), ("customers", "my_shop"), ("transactions", "nosuch")):
        with pytest.raises(DataError) as caught:
            prepare(project, project / "outputs" / "my_shop", table, data_set)
        assert f"`{table}" not in str(caught.value)
