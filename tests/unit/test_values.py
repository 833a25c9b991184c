"""Dates, numbers and ids as shops write them: read as Python's datetime, zoneinfo and Decimal read them, or refused."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import ibis
import pandas as pd
import pytest
from hypothesis import assume, example, given, strategies as st
from openpyxl.utils.datetime import from_excel

from customerlab.data import advice, blanks, cast, times
from customerlab.data.mapping import Mapped
from customerlab.data.prepare import prepare
from customerlab.data.sources import Source
from customerlab.data.values import EMPTY
from customerlab.errors import DataError
from helpers import LETTERS

LOOSE = Source("log", (), loose=True)


def read(values, kind="timestamp(6)", source=LOOSE, **how):
    """Texts as they are read; None where they are not."""
    table = ibis.memtable({"x": list(values)}, schema={"x": "string"})
    found = cast.cast(table.x, kind, source, Mapped("x", **how)).execute()
    return [None if pd.isna(one) else one for one in found]


def as_times(values):
    return [None if one is None else pd.Timestamp(one) for one in values]


# -- times ----------------------------------------------------------------------------------------------------------

GOOD = {
    "2024-06-30": "2024-06-30", "2024/06/30": "2024-06-30", "2024-6-3": "2024-06-03", "1900-01-01": "1900-01-01",
    "2024-06-30T23:49": "2024-06-30 23:49", "2024/6/30 23:49:00.123": "2024-06-30 23:49:00.123",
    "2024-06-30 3:05": "2024-06-30 03:05", "2024-06-30 24:00:00": "2024-07-01", "2024-12-31 24:00 +01:00": "2025-01-01",
    "2024-06-30 23:49Z": "2024-06-30 23:49", "2024-06-30 23:49:00 UTC": "2024-06-30 23:49",
    "2024-06-30 23:49:00+0200": "2024-06-30 23:49", "2024-06-30T23:49:00-05": "2024-06-30 23:49",
    "2024-06-30 23:49 Europe/Berlin": "2024-06-30 23:49", "2024-06-30 23:49:00 PDT": "2024-06-30 23:49",
    "2024-06-30T23:49:00+02:00[Europe/Berlin]": "2024-06-30 23:49", "2024-06-30 23:49:00.123456789": "2024-06-30 23:49:00.123456",
    "2024-06-30\u202f23:49": "2024-06-30 23:49", "\ufeff2024-06-30\xa023:49 GMT+2": "2024-06-30 23:49",
}  # fmt: skip
BAD = (
    "2024-06-30 11:49 PM", "2024-06-30 12:05 AM", "2024-06-30 3:15 p.m.", "2024-06-30 15:15 Uhr", "2024-06-30 15:15 BC",
    "2024-06-30 (BC)", "2024-02-30", "2024-13-01", "2023-02-29", "2024-06-30 24:01", "2024-06-30 25:00", "24-06-30", "epoch",
    "infinity", "now", "2024-06-30 23:49 Europe/Berlinn", "2024-06-30 23:49 +25:00", "2024 06 30", "2024-06/30", "20240630",
    "2024-06-30 23:49 Factory", "0000-00-00", "9999-12-31", "2024-06-30 23:60", "02024-06-30", "2024-06",
)  # fmt: skip


def test_dates_without_a_format_are_iso_or_refused():
    assert read(GOOD) == as_times(GOOD.values())
    assert dict(zip(BAD, read(BAD), strict=True)) == dict.fromkeys(BAD)


def test_a_plain_reading_takes_what_is_plain_and_nothing_else():
    """What it leaves is read loosely; both agree where both read."""
    plain = Source("log", ())
    found = read(GOOD, source=plain)
    assert [a for a in found if a] == [b for a, b in zip(found, as_times(GOOD.values()), strict=True) if a]
    assert len([a for a in found if a]) >= 12 and read(BAD, source=plain) == [None] * len(BAD)


@pytest.mark.thorough
@given(st.datetimes(datetime(1900, 1, 2), datetime(2099, 12, 31)), st.sampled_from(["-", "/"]), st.sampled_from(" T"),
       st.sampled_from(["", "Z", "+05:30", " -0800", " UTC", " Asia/Tokyo"]), st.booleans())  # fmt: skip
def test_any_printed_time_is_read_back(moment, sign, between, zone, narrow):
    day = f"{moment.year}{sign}{moment.month}{sign}{moment.day}" if narrow else moment.strftime(f"%Y{sign}%m{sign}%d")
    assert read([f"{day}{between}{moment:%H:%M:%S.%f}{zone}"]) == [pd.Timestamp(moment)]


@pytest.mark.thorough
@given(st.text(st.characters(categories=["Lu", "Ll"]), min_size=2, max_size=8))
@example("PM")
@example("Uhr")
def test_any_other_word_after_the_clock_is_refused(word):
    assume(word not in times.ABBREVIATED and not pd.Series([f"x {word}"]).str.fullmatch(f"x{times.zone()}")[0])
    assert read([f"2024-06-30 11:49 {word}", f"2024-06-30 11:49{word}"]) == [None, None]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("pattern", "values", "wanted"),
    [
        ("%m/%d/%Y %I:%M %p", ["6/30/2024 11:49 p.m.", "6/30/2024 12:05\u202fAM PST", "6/30/2024 0:05 AM"], ["2024-06-30 23:49",
            "2024-06-30 00:05", None]),
        ("%d.%m.%Y", ["31.02.2024", "29.02.2023", "epoch", "infinity", "1.2.2024", "01.01.1900"], [None, None, None, None, "2024-02-01",
            "1900-01-01"]),
        ("%Y%m%d", ["20240131", "2024131", "202401311"], ["2024-01-31", None, None]),
        ("%d%m%y", ["010224", "11224"], ["2024-02-01", None]),
        ("%Y-%j", ["2024-366", "2023-366", "2023-001"], ["2024-12-31", None, "2023-01-01"]),
        ("%d.%m.%Y %H:%M", ["30.06.2024 23:49 +02:00", "30.06.2024 23:49 PM", "30.06.2024 23:49 MESZ"], ["2024-06-30 23:49", None,
            "2024-06-30 23:49"]),
        ("%Y-%m-%d %H:%M Uhr", ["2024-06-30 15:15 Uhr"], ["2024-06-30 15:15"]),
    ],
)  # fmt: skip
def test_formats_do_not_guess(pattern, values, wanted):
    assert read(values, format=pattern) == as_times(wanted)


def test_units_are_those_of_python_and_openpyxl():
    moment = datetime(2024, 1, 31, 14, 5, 9, 123000)
    since = (moment - datetime(1970, 1, 1)) / timedelta(seconds=1)
    for pattern, unit in (("epoch", 1), ("epoch_ms", 1e3), ("epoch_us", 1e6)):
        assert read([f"{since * unit:.3f}", "x", "1e30"], format=pattern) == [pd.Timestamp(moment), None, None]
    days = ["61", "45322", "45322.586909722", "45322,5", "60", "0", "73052"]
    found = read(days, format="excel")
    assert found[:3] == [pd.Timestamp(from_excel(float(day))).round("ms") for day in days[:3]]
    assert found[3:] == [None] * 4 and found[0] == pd.Timestamp("1900-03-01")


def test_weeks_are_those_of_the_calendar():
    weeks = [(year, week, day) for year in (2015, 2020, 2021, 2024) for week in (1, 9, 52, 53) for day in (1, 7)]

    def known(year, week, day):
        try:
            return pd.Timestamp(date.fromisocalendar(year, week, day))
        except ValueError:
            return None

    assert read([f"{y}-W{w:02}-{d}" for y, w, d in weeks], format="iso_week") == [known(*one) for one in weeks]
    assert read(
        ["2024-W05", "2024W05", "2024W053", "2024-W5", "2024-W00", "2024-W05-8"], format="iso_week"
    ) == as_times(["2024-01-29", "2024-01-29", "2024-01-31", None, None, None])


CHANGES = {
    "Europe/Berlin": ("2024-03-31", "2024-10-27"), "America/New_York": ("2024-03-10", "2024-11-03"),
    "Australia/Sydney": ("2024-10-06", "2024-04-07"), "Australia/Lord_Howe": ("2024-10-06", "2024-04-07"),
    "Asia/Kolkata": ("2024-03-31", "2024-10-27"),
}  # fmt: skip


def clocks(zone):
    """Every half hour of the days on which clocks change, from the evening before."""
    return [
        datetime.fromisoformat(day) + timedelta(minutes=30 * n) for day in CHANGES[zone] for n in range(-6, 49)
    ]  # fmt: skip


def converted(clock, old, new):
    """What zoneinfo makes of it: the first of two times, nothing where there is none."""
    instant = clock.replace(tzinfo=ZoneInfo(old)).astimezone(ZoneInfo("UTC"))
    if instant.astimezone(ZoneInfo(old)).replace(tzinfo=None) != clock:
        return None
    return pd.Timestamp(instant.astimezone(ZoneInfo(new)).replace(tzinfo=None))


@pytest.mark.thorough
@pytest.mark.parametrize("zone", CHANGES)
def test_clocks_are_converted_as_zoneinfo_does(zone):
    hours = clocks(zone)
    texts = [f"{hour:%Y-%m-%d %H:%M}" for hour in hours]
    assert read(texts, from_zone=zone, to_zone="UTC") == [converted(hour, zone, "UTC") for hour in hours]
    assert read(texts, from_zone="UTC", to_zone=zone) == [converted(hour, "UTC", zone) for hour in hours]
    assert read(texts, from_zone=zone, to_zone="America/Los_Angeles") == [
        converted(hour, zone, "America/Los_Angeles") for hour in hours
    ]


def test_an_offset_counts_before_the_zone_of_the_column():
    texts = [
        "2024-06-30 12:00Z",
        "2024-06-30 12:00 +05:30",
        "2024-06-30T12:00:00-0800",
        "2024-06-30 12:00",
        "2024-06-30 12:00 PDT",
    ]
    wanted = ["2024-06-30 14:00", "2024-06-30 08:30", "2024-06-30 22:00", None, None]
    assert read(texts, to_zone="Europe/Berlin") == as_times(wanted)
    assert read(texts, to_zone="Europe/Berlin", from_zone="Asia/Tokyo")[3] == pd.Timestamp("2024-06-30 05:00")
    assert read(["06/30/2024 11:00 PM GMT"], to_zone="Europe/Berlin", format="%m/%d/%Y %I:%M %p") == as_times(
        ["2024-07-01 01:00"]
    )
    assert read(["1706745600"], format="epoch", from_zone="UTC", to_zone="Europe/Berlin") == as_times(
        ["2024-02-01 01:00"]
    )


# -- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
@given(
    st.decimals(-10_000_000, 10_000_000, places=2), st.sampled_from(["$", "€", "£ ", "USD ", "R$", ""]),
    st.sampled_from(["front", "behind", "brackets", "trailing", "unicode"]), st.sampled_from([(".", ","), (",", "."), (",", " "), (".",
        "'")]),
)  # fmt: skip
def test_any_amount_in_an_allowed_form_is_read_back(amount, sign, form, signs):
    decimal, thousands = signs
    digits = f"{abs(amount):,.2f}".translate({ord(","): thousands, ord("."): decimal})
    text = {
        "front": f"{'-' if amount < 0 else ''}{sign}{digits}", "behind": f"{'-' if amount < 0 else ''}{digits} {sign.strip()}".strip(),
        "brackets": f"({sign}{digits})" if amount < 0 else f"{sign}{digits}",
        "trailing": f"{sign}{digits}{'-' if amount < 0 else ''}", "unicode": f"{'−' if amount < 0 else ''}{sign}{digits}",
    }[form]  # fmt: skip
    source = Source("log", (), decimal=decimal, thousands=thousands, loose=True)
    assert read([text], "float64", source) == [float(amount)]


def test_numbers_that_shops_write_and_those_that_nobody_can_tell():
    source = Source("log", (), thousands=",", loose=True)
    good = {"1,23,45,678.50": 12345678.5, "1'234.50": 1234.5, "1\u202f234.5": 1234.5, "$12.50 USD": 12.5, "$(5)": -5, "12.50-": -12.5,
        "-$5": -5,
            "5 kr": 5, "1,234": 1234}  # fmt: skip
    assert read(good, "float64", source) == list(good.values())
    bad = (
        "12%",
        "--5",
        "(5",
        "5)",
        "-(5)",
        "5 PCS",
        "$",
        "1,2345",
        "12,34",
        "1.5.2",
        "0x10",
        "inf",
        "1e999",
        "5 $ 3",
        "twelve",
    )
    assert dict(zip(bad, read(bad, "float64", source), strict=True)) == dict.fromkeys(bad)
    assert read(["1,234", "1,23,456"], "float64") == [None, None], "no thousands sign is declared"
    assert Decimal(
        str(read(["€ 1.234,56"], "float64", Source("log", (), decimal=",", thousands=".", loose=True))[0])
    ) == Decimal("1234.56")


# -- blanks and ids -------------------------------------------------------------------------------------------------


@pytest.mark.thorough
@given(st.text(st.sampled_from("\u200b\u200d\ufeff\xa0\xad \t\u3000\u2009"), max_size=4),
       st.text(st.sampled_from("aZ9Äж湯😀 "), max_size=5),
       st.text(st.sampled_from("\u200b\ufeff\xa0\u202f\n"), max_size=3))  # fmt: skip
def test_blanks_of_every_kind_are_taken_off(before, text, after):
    table = ibis.memtable({"x": [before + text + after]}, schema={"x": "string"})
    found = blanks.bare(table.x, EMPTY).execute()[0]
    assert (None if pd.isna(found) else found) == (text.strip() or None)
    kept = blanks.exact(table.x, EMPTY).execute()[0]
    assert (None if pd.isna(kept) else kept) == (before + text + after if text.strip() else None)


@pytest.mark.thorough
@pytest.mark.parametrize("word", [*EMPTY, " NULL\xa0"])
def test_words_for_nothing_are_nothing(word):
    table = ibis.memtable({"x": [word, word + "x"]}, schema={"x": "string"})
    for reading in (blanks.bare, blanks.exact):
        assert pd.isna(reading(table.x, EMPTY).execute()).tolist() == [True, False]


# -- through the catalogue ------------------------------------------------------------------------------------------


def shop(project, rows, columns=None, files="", clean="[]", table="transactions", **more):
    """Prepare a log of rows of customer, order, day, product, quantity and price."""
    names = list("codpqu")[: len(rows[0])] if table == "transactions" else list("uaxy")[: len(rows[0])]
    path = project / "data" / "raw" / "log.csv"
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    maps = (LETTERS if table == "transactions" else {"unit_id": "u", "variant": "a"}) | (columns or {})
    said = "".join(f", {key}: {one}" for key, one in more.items())
    text = f"\nodd:\n  title: odd\n  files: {{f: {{path: log.csv{files}}}}}\n  tables:\n    {table}:\n"
    text += f"      {{columns: {{{', '.join(f'{k}: {v}' for k, v in maps.items())}}}, clean: {clean}{said}}}\n"
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(catalog.read_text(encoding="utf-8").partition("\nodd:")[0] + text, encoding="utf-8")
    return prepare(project, project / "outputs" / "odd", table, "odd")


LINES = [("A", "1", "2024-01-01", "x", "1", "2"), ("B", "2", "2024-01-02", "x", "1", "2")]


@pytest.mark.thorough
def test_words_for_nobody_are_removed_by_the_rule(project):
    rows = [
        *LINES,
        *((word, "3", "2024-01-02", "x", "1", "2") for word in ("\\N", "NULL", "nan", "#N/A", "0", "guest", "\u200b")),
    ]
    made = shop(project, rows, files=", empty: ['0', guest]", clean="[customer_missing]")
    assert made.report["row_accounting"][1]["rows_removed"] == 7 and made.report["rows"] == 2
    with pytest.raises(DataError, match="quantity is empty in 1 row"):
        shop(project, [*LINES, ("C", "3", "2024-01-02", "x", "NULL", "2")])
    rows = [*LINES, ("C", "3", "0000-00-00", "x", "1", "2")]
    made = shop(project, rows, {"ordered_at": "{column: d, empty: ['0000-00-00']}"}, clean="[date_missing]")
    assert made.report["rows"] == 2
    arms = [("1", "None", "1"), ("2", "b", "0")]
    made = shop(project, arms, {"variant": "{column: a, empty: []}"}, table="experiment", outcomes="[x]")
    assert pd.read_parquet(made.path)["variant"].tolist() == ["None", "b"]


@pytest.mark.thorough
def test_float_ids_and_letter_case(project):
    rows = [(f"{n}.0", f"A{n}", "2024-01-01", f"P{n}", "1", "2") for n in (17850, 7)]
    found = pd.read_parquet(shop(project, rows, {"product_id": "{column: p, case: lower}"}).path)
    assert set(found["customer_id"]) == {"17850", "7"} and set(found["product_id"]) == {"p17850", "p7"}
    kept = pd.read_parquet(shop(project, [*rows, ("7.5", "A8", *rows[0][2:])]).path)
    assert set(kept["customer_id"]) == {"17850.0", "7.0", "7.5"}, "not every one is a whole number"
    for twin, said in (
        ("7", "differ only by `.0`"),
        ("7.0\u200b", "signs that cannot be seen"),
        ("7.0 ", "blanks around them"),
    ):
        with pytest.raises(DataError, match=said):
            shop(project, [*rows, (twin, "A8", *rows[0][2:]), ("x", "A9", *rows[0][2:])])


@pytest.mark.thorough
def test_currencies_are_one_or_refused(project):
    made = shop(
        project,
        [(*LINES[0][:5], "$1,012.50"), (*LINES[1][:5], "($6.25)"), (*LINES[1][:5], "3")],
        files=", thousands: ','",
    )
    assert sorted(pd.read_parquet(made.path)["unit_price"]) == [-6.25, 3, 1012.5]
    with pytest.raises(
        DataError,
        match=r"two currencies: '\$' in unit_price and '€' in unit_price\n.*row 2 below the header, column 'u'",
    ):
        shop(project, [(*LINES[0][:5], "$5"), (*LINES[1][:5], "5 €")])


@pytest.mark.thorough
def test_words_for_yes_and_no_are_outcomes_and_covariates(project):
    rows = [("1", "a", "TRUE", "yes"), ("2", "b", "false", "no"), ("3", "b", "1", "no")]
    found = pd.read_parquet(shop(project, rows, table="experiment", outcomes="[x]", covariates="[y]").path)
    assert found["outcome_x"].tolist() == [1, 0, 1] and found["covariate_y"].tolist() == [1, 0, 0]
    found = pd.read_parquet(
        shop(project, [*rows, ("4", "a", "0", "maybe")], table="experiment", outcomes="[x]", covariates="[y]").path
    )
    assert found["covariate_y"].tolist() == ["yes", "no", "no", "maybe"]
    with pytest.raises(DataError, match="both words for yes and no and numbers"):
        shop(project, [*rows, ("4", "a", "7", "no")], table="experiment", outcomes="[x]")


ADVICE = {
    "AM and PM": (["2024-06-30 11:49 PM", "2024-06-29 3:15 p.m."], {},
        "write `ordered_at: {column: d, format: '%Y-%m-%d %I:%M %p'}`: it reads every value"),
    "both readings": (["02/01/2024", "03/04/2024"], {},
        "format: '%d/%m/%Y'}` or `ordered_at: {column: d, format: '%m/%d/%Y'}`: each reads every value"),
    "one reading": (["02/01/2024", "03/14/2024"], {},
        "write `ordered_at: {column: d, format: '%m/%d/%Y'}`: it reads every value (%d/%m/%Y reads 1)"),
    "milliseconds": (["1706745600123", "1706745700123"], {"format": "epoch"}, "format: epoch_ms}`: it reads every value"),
    "a spreadsheet's days": (["45322.5", "45323"], {}, "format: excel}`"),
    "Uhr": (["2024-06-30 15:15 Uhr", "2024-06-30 15:16 Uhr"], {}, "format: '%Y-%m-%d %H:%M Uhr'}`"),
    "Amazon": (["Jan 5, 2024 11:12:33 PM PST", "Sept 6, 2024 1:12:33 AM PDT"], {}, "format: '%b %d, %Y %I:%M:%S %p'}`"),
    "zero dates": (["0000-00-00", "2024-01-02"], {}, "write `ordered_at: {column: d, empty: ['0000-00-00']}`"),
    "an impossible day": (["2024-02-30", "2024-01-02"], {}, "fix the row; where '2024-02-30' stands for nothing"),
    "no zone": (["2024-01-02 10:00", "2024-01-02 10:00Z"], {"to_zone": "Europe/Berlin"}, "from_zone: UTC, to_zone: Europe/Berlin}`"),
    "an hour that was left out": (["2024-03-31 02:30", "2024-01-02"], {"from_zone": "Europe/Berlin", "to_zone": "UTC"}, "set forward"),
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("case", ADVICE)
def test_the_line_that_fixes_it_is_named_and_it_does(project, case):
    values, how, said = ADVICE[case]
    rows = [(*LINES[n][:2], value, *LINES[n][3:]) for n, value in enumerate(values)]
    column = "{column: d" + "".join(f", {k}: {v}" for k, v in how.items()) + "}"
    with pytest.raises(DataError) as caught:
        shop(project, rows, {"ordered_at": column})
    message = str(caught.value)
    assert said in message and "row 1 below the header, column 'd'" in message
    if "every value" in said:
        line = message.rpartition("ordered_at: ")[2].partition("`")[0]
        assert shop(project, rows, {"ordered_at": line}).report["rows"] == 2


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (["1.234,50", "2,5"], "write `decimal: ',', thousands: '.'` to the file's entry"),
        (["1,234", "2,500"], "`decimal: ','`"),
        (["12%", "5"], "write the numbers without the percent sign"),
        (["gratis", "5"], "write `unit_price: {column: u, empty: [gratis]}`"),
    ],
)
def test_the_signs_of_numbers_are_named(project, prices, said):
    with pytest.raises(DataError) as caught:
        shop(project, [(*LINES[n][:5], price) for n, price in enumerate(prices)])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "files", "said"),
    [
        ({"quantity": "{column: q, format: '%Y'}"}, "", "`format` is for times, and quantity is a number"),
        ({"ordered_at": "{column: d, case: lower}"}, "", "has a `case`, which is for texts"),
        ({"product_id": "{column: p, case: title}"}, "", "lower or upper"),
        ({"ordered_at": "{column: d, from_zone: UTC}"}, "", "`from_zone` without `to_zone`"),
        ({"ordered_at": "{column: d, to_zone: Europe/Berlinn}"}, "", "the name of a time zone"),
        ({"ordered_at": "{column: d, to_zone: ../../etc}"}, "", "the name of a time zone"),
        ({"ordered_at": "{column: d, format: epoch, from_zone: Asia/Tokyo, to_zone: UTC}"}, "", "counts in UTC"),
        ({}, ", empty: ['-999']", "is a number, which means nothing in some columns only"),
        ({}, ", empty: guest", "a list of texts"),
    ],
)  # fmt: skip
def test_keys_that_do_not_fit_are_refused(project, columns, files, said):
    with pytest.raises(DataError, match=said):
        shop(project, LINES, columns, files)


def test_formats_of_odd_texts_are_none():
    assert [advice.formats(one) for one in ("", "gratis", "100%", "2024", "?" * 500, "2024-06-30 2024-06-30")] == [
        [],
        [],
        [],
        [],
        [],
        [],
    ]


def test_words_for_yes_and_no_are_no_quantities():
    assert read(["yes", "TRUE", "no", "5"], "float64") == [None, None, None, 5]


def test_offsets_of_one_digit_are_converted():
    assert read(["2024-06-30 12:00 GMT+2", "2024-06-30 12:00 UTC-5"], to_zone="UTC") == as_times(
        ["2024-06-30 10:00", "2024-06-30 17:00"]
    )


def test_times_before_1970_count_backwards():
    for pattern, unit in (("epoch", 1), ("epoch_ms", 1_000), ("epoch_us", 1_000_000)):
        assert read([f"{-86_400 * unit}"], format=pattern) == as_times(["1969-12-31"])
