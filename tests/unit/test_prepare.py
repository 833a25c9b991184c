"""From files to canonical tables: formats, casts, accounting, checks, and bad input."""

import gzip
import itertools
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customerlab.data.prepare import prepare
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


def test_semicolons_decimal_commas_and_day_first_dates(project):
    lines = stranger_lines()
    add_shop(project, as_written(lines))
    assert (lines["Preis"] > 1000).any() and (lines["Datum"].dt.day > 12).any()
    assert_same(frame(project), lines)


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


def test_typed_parquet_needs_no_text(project):
    lines = stranger_lines()
    path = add_shop(project, as_written(lines))
    lines.to_parquet(path.with_suffix(".parquet"))
    catalog = project / "data" / "catalog.yml"
    text = catalog.read_text().replace("verkauf.csv", "verkauf.parquet").replace(', format: "%d.%m.%Y %H:%M"', "")
    catalog.write_text(text.replace('decimal: ","', 'decimal: "."').replace('thousands: "."', 'thousands: ","'))
    assert_same(frame(project), lines)


def test_an_offset_is_dropped_and_the_time_on_the_clock_stays(project, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    lines = stranger_lines()
    zones = itertools.cycle(["+01:00", "Z"])
    clock = [f"{time:%Y-%m-%d %H:%M}:00{zone}" for time, zone in zip(lines["Datum"], zones, strict=False)]
    written = as_written(lines).assign(Datum=clock)
    add_shop(project, written, entry=STRANGER.replace(', format: "%d.%m.%Y %H:%M"', ""))
    assert_same(frame(project), lines)


def test_ids_that_pandas_made_floats_are_read_as_whole_numbers(project):
    lines = stranger_lines()
    path = add_shop(project, as_written(lines))
    holes = lines.assign(Kunde=lines["Kunde"].astype(float).mask(lines.index % 50 == 0), Menge=lines["Menge"] + 0.5)
    holes.to_parquet(path.with_suffix(".parquet"))
    catalog = project / "data" / "catalog.yml"
    text = catalog.read_text().replace("verkauf.csv", "verkauf.parquet").replace(', format: "%d.%m.%Y %H:%M"', "")
    catalog.write_text(text.replace('decimal: ","', 'decimal: "."').replace('thousands: "."', 'thousands: ","'))
    assert_same(frame(project), holes.dropna().astype({"Kunde": int}))


def test_kept_and_removed_are_what_was_read(project):
    lines = as_written(stranger_lines())
    lines.loc[0:9, "Kunde"] = ""
    lines.loc[5:14, "Menge"] = "-2"
    add_shop(project, lines)
    report = build(project).report
    read, missing, negative = report["ladder"]
    assert (read["rows_left"], missing["rows_removed"], negative["rows_removed"]) == (len(lines), 10, 5)
    assert negative["rows_left"] == report["rows"] == len(lines) - 15
    money = sum(float(step["amount_removed"]) for step in report["ladder"]) + float(negative["amount_left"])
    assert money == pytest.approx(float(read["amount_left"]), abs=1e-9)


def test_amounts_are_exact_decimals(project):
    lines = stranger_lines()
    add_shop(project, as_written(lines))
    amount = frame(project)["amount"]
    cents = int((lines["Menge"] * (lines["Preis"] * 100).round().astype(int)).sum())
    assert sum(amount) * 100 == cents


def test_exact_repeats_leave_one(project):
    lines = as_written(stranger_lines())
    doubled = pd.concat([lines, lines[:7], lines[:7]])
    add_shop(project, doubled, entry=STRANGER.replace("quantity_not_positive", "exact_repeat"))
    once = len(lines.drop_duplicates())
    assert build(project).report["rows"] == once


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
    steps = build(project, table="returns").report["ladder"]
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


def spoil(lines, column, value, row=4):
    lines = lines.copy()
    lines.loc[row, column] = value
    return lines


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
    "infinity": (lambda x: spoil(x, "Preis", "inf"), ["'inf'", "unit_price"]),
    "a missing column": (lambda x: x.drop(columns="Preis"), ["missing column: 'Preis'", "'Artikel'"]),
    "a doubled column": (lambda x: x.rename(columns={"Menge": "Preis"}), ["doubled column: 'Preis'"]),
    "an empty table": (lambda x: x[:0], ["the table is empty", "at least one row"]),
    "one customer": (lambda x: x.assign(Kunde="7"), ["one customer only", "at least two", "customer_id"]),
    "no row left": (
        lambda x: x.assign(Menge="-1"),
        ["no row of the transactions table is left", "quantity not above zero"],
    ),
    "an empty order": (lambda x: spoil(x, "Beleg", ""), ["order_id is empty in 1 rows"]),
}


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


def test_a_row_with_too_many_fields_is_named(project):
    path = add_shop(project, as_written(stranger_lines()))
    path.write_text(path.read_text() + "1;2;3;4;5;6;7;8\n")
    with pytest.raises(DataError, match="cannot be read") as caught:
        build(project)
    assert "Expected Number of Columns: 6" in str(caught.value)


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
