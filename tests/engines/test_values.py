"""Values as shops write them, in tables of both engines: the same times and numbers as from files, and as Python's."""

import itertools
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customerlab.data import blanks, cast, columns
from customerlab.data.mapping import Mapped
from customerlab.data.sources import Source
from customerlab.data.values import EMPTY

COUNTER = itertools.count()
LOOSE = Source("log", (), thousands=",", loose=True)


@pytest.fixture
def column(engine, tmp_path):
    """A column of an engine's table, in the order of its rows."""

    def make(values):
        path = tmp_path / f"values{next(COUNTER)}.parquet"
        pq.write_table(pa.table({"n": range(len(values)), "x": pa.array(list(values))}), path)
        return engine.read_parquet(path, table_name=f"values{next(COUNTER)}_{path.parent.name}".replace("-", "_"))

    return make


@pytest.fixture
def read(engine, column):
    """Values as they are read in an engine; None where they are not."""

    def reading(values, kind="timestamp(6)", source=LOOSE, **how):
        table = column(values)
        asked = table.select("n", x=cast.cast(table.x, kind, source, Mapped("x", **how))).order_by("n")
        return [None if pd.isna(one) else one for one in engine.execute(asked)["x"]]

    return reading


def as_times(*values):
    return [None if one is None else pd.Timestamp(one) for one in values]


def test_dates_without_a_format(read):
    good = ["2024-06-30", "2024/6/3", "2024-06-30T23:49", "2024-06-30 23:49:00.123", "2024-06-30 24:00:00", "2024-03-10 02:30",
            "2024-06-30 23:49 +0200", "2024-06-30 23:49Z", "2024/06/30 23:49 Europe/Berlin", "2024-06-30\u202f23:49 PDT",
            "2024-06-30 23:49:00 +0200", "2024-06-30T23:49:00-07:00"]  # fmt: skip
    wanted = as_times(
        "2024-06-30", "2024-06-03", "2024-06-30 23:49", "2024-06-30 23:49:00.123", "2024-07-01", "2024-03-10 02:30",
        *["2024-06-30 23:49"] * 6,
    )  # fmt: skip
    assert read(good) == wanted
    moved = read(good[-2:], to_zone="Europe/London")  # from their own offsets
    assert moved == as_times("2024-06-30 22:49", "2024-07-01 07:49")
    bad = [
        "2024-06-30 11:49 PM",
        "2024-06-30 15:15 Uhr",
        "2024-02-30",
        "epoch",
        "2024",
        "2024-06",
        "2024-06-30 24:01",
        "9999-12-31",
    ]
    assert read(bad) == [None] * len(bad)


@pytest.mark.parametrize(
    "pattern",
    [
        "%d.%m.%Y %H:%M",
        "%m/%d/%Y %I:%M:%S %p",
        "%d/%m/%y",
        "%d-%b-%y",
        "%b %d, %Y %I:%M %p",
        "%A, %d %B %Y",
        "%Y%m%d%H%M%S",
        "%H:%M:%S.%f %d.%m.%Y",
    ],
)
def test_a_format_reads_what_python_writes_by_it(read, pattern):
    days = [
        datetime(2024, 2, 29, 0, 5, 9, 120),
        datetime(1999, 12, 31, 12),
        datetime(2024, 9, 1, 23, 59, 59),
        datetime(2001, 1, 1, 1, 30),
    ]
    written = [day.strftime(pattern) for day in days]
    wanted = [pd.Timestamp(datetime.strptime(one, pattern)) for one in written]
    assert read([*written, "31.02.2024", "epoch", "2024-01-01"], format=pattern) == [*wanted, None, None, None]


def test_formats_do_not_guess(read):
    halves = [
        "6/30/2024 11:49 p.m.",
        "6/30/2024 12:05 AM PST",
        "6/30/2024 0:05 AM",
        "6/30/2024 13:05 PM",
        "2/30/2024 1:05 PM",
    ]
    assert read(halves, format="%m/%d/%Y %I:%M %p") == as_times(
        "2024-06-30 23:49", "2024-06-30 00:05", None, None, None
    )
    assert read(["20240131", "2024131"], format="%Y%m%d") == as_times("2024-01-31", None)


def test_units_and_weeks(read):
    moment = as_times("2024-01-31 14:05:09.123")
    for pattern, value in (("epoch_ms", 1706709909123), ("epoch_us", 1706709909123000), ("epoch", 1706709909.123)):
        assert read([value], format=pattern) == read([str(value)], format=pattern) == moment
    assert read(["45322.5", "60"], format="excel") == as_times("2024-01-31 12:00", None)
    assert read(["2024-W05", "2020-W53-7", "2021-W53"], format="iso_week") == as_times("2024-01-29", "2021-01-03", None)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_clocks_are_converted_as_zoneinfo_does(read, zone):
    days = ("2024-03-31", "2024-10-27", "2024-03-10", "2024-11-03", "2024-04-07", "2024-10-06")
    clocks = [datetime.fromisoformat(day) + timedelta(minutes=30 * n) for day in days for n in range(-4, 20)]
    texts = [f"{clock:%Y-%m-%d %H:%M}" for clock in clocks]

    def converted(clock, old, new):
        instant = clock.replace(tzinfo=ZoneInfo(old)).astimezone(ZoneInfo("UTC"))
        never = instant.astimezone(ZoneInfo(old)).replace(tzinfo=None) != clock
        return None if never else pd.Timestamp(instant.astimezone(ZoneInfo(new)).replace(tzinfo=None))

    assert read(texts, from_zone=zone, to_zone="UTC") == [converted(clock, zone, "UTC") for clock in clocks]
    assert read(texts, from_zone="UTC", to_zone=zone) == [converted(clock, "UTC", zone) for clock in clocks]
    with_offset = [f"{text}+05:30" for text in texts]
    assert read(with_offset, to_zone=zone) == [
        converted(clock - timedelta(hours=5, minutes=30), "UTC", zone) for clock in clocks
    ]


def test_numbers_with_currencies_brackets_and_groups(read):
    good = {"$1,012.50": 1012.5, "($6.25)": -6.25, "12.50 €": 12.5, "12.50-": -12.5, "1,23,456.00": 123456, "\u22125": -5, "USD 5": 5,
            "1'234.5": 1234.5, "7": 7, "1e3": 1000}  # fmt: skip
    assert read(good, "float64") == list(good.values())
    bad = ["12%", "--5", "(5", "5 PCS", "1,2345", "1d", "0x1", "inf", "nan"]
    assert read(bad, "float64") == [None] * len(bad)


def test_blanks_words_and_letter_case(engine, column):
    table = column(["\u200b A\xa0", "NULL", "\ufeff", " n/a ", "\xa0", "Äb"])
    asked = {
        "bare": blanks.bare(table.x, EMPTY), "exact": blanks.exact(table.x, EMPTY), "alike": blanks.alike(table.x),
        "lower": cast.held(table.x, "channel", "string", Mapped("x", case="lower"), Source("log", (), empty=("Äb",))),
    }  # fmt: skip
    found = engine.execute(table.select("n", **asked).order_by("n"))
    found = {name: [None if pd.isna(one) else one for one in found[name]] for name in asked}
    assert found == {
        "bare": ["A", None, None, None, None, "Äb"], "exact": ["\u200b A\xa0", None, None, None, None, "Äb"],
        "alike": ["A", "NULL", "", "n/a", "", "Äb"], "lower": ["a", None, None, None, None, None],
    }  # fmt: skip


def test_signs_that_nobody_sees_are_found_as_by_the_patterns(engine, column):
    inner = [
        "",
        "a",
        "12",
        "1.0",
        "1,0",
        "a.0",
        "1.0a",
        "a b",
        "a~!",
        "Ä",
        "a\tb",
        "a\x7fb",
        "a\xa0b",
        "%_*?[",
        "\u200b",
    ]
    texts = [
        before + text + after
        for text in inner
        for before in ("", " ", "\t", "\xa0")
        for after in ("", " ", "\n", "\ufeff")
    ]
    table = column(texts)
    asked = table.select("n", odd=blanks.odd_id(table.x), padded=blanks.padded(table.x)).order_by("n")
    found = engine.execute(asked)
    assert found["odd"].tolist() == [bool(re.search(blanks.ODD_ID, text, re.DOTALL)) for text in texts]
    assert found["padded"].tolist() == [bool(re.search(blanks.ENDS, text)) for text in texts]


def test_two_currencies_are_seen(engine, column):
    table = column(["$5", "5 €", "7"])
    sign = columns.numbers.currency(table.x, LOOSE)
    found = engine.execute(table.aggregate(least=sign.min(), most=sign.max(), number=sign.count())).iloc[0]
    assert found.tolist() == ["$", "€", 2]
