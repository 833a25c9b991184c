"""Files as shops export them, each written by hand or by another library, and read back; damaged ones are refused."""

import csv
import gzip
import io
import json
import re
import tempfile
import zipfile
from itertools import zip_longest
from pathlib import Path

import duckdb
import ibis
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings, strategies as st

from customerlab.data import packed, read, read_json
from customerlab.data.engine import DUCKDB_ALWAYS
from customerlab.data.prepare import prepare
from customerlab.data.sources import source_of
from customerlab.errors import CustomerlabError, DataError
from helpers import STRANGER, add_shop, as_written, stranger_lines

FEW = settings(settings.get_profile("few"))


@pytest.fixture(scope="module")
def con():
    return ibis.duckdb.connect(**DUCKDB_ALWAYS)


class Read:
    """What `read.read` makes of some files: rows of the wanted columns, their places, and the notes."""

    def __init__(self, con, files, columns, path=None, **entry):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "aside").mkdir()
            paths = []
            for name, content in files.items():
                paths.append(Path(folder) / name)
                content(paths[-1]) if callable(content) else paths[-1].write_bytes(
                    content if isinstance(content, bytes) else content.encode()
                )
            source = source_of("log", {"path": path or next(iter(files)), **entry}, "catalog, shop")
            aside, self.notes = Path(folder) / "aside", []
            paths = read.at_hand(paths, source, aside)
            try:
                table, counted = read.read(con, paths, source, columns, aside, self.notes)
                read.check_columns(paths, source)
                frame = table.order_by([read.FILE, read.ROW]).to_pandas()
                read.check_content(table, paths, source, len(frame), None, counted)
            except duckdb.Error as error:
                raise read.unreadable(paths, source, error) from None
            self.places = [read.place(row, None, source) for _, row in frame.iterrows()]
            self.rows = [
                tuple(None if v != v or v == "" else v for v in row) for row in frame[columns].to_numpy().tolist()
            ]
            self.counted = counted


def refused(con, *args, **entry):
    """The message with which some files are refused."""
    with pytest.raises(CustomerlabError) as caught:
        Read(con, *args, **entry)
    return str(caught.value)


def book(**sheets):
    def write(path):
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.active)
        for name, rows in sheets.items():
            sheet = workbook.create_sheet(name.replace("_", " "))
            for row in rows:
                sheet.append(row)
        workbook.save(path)

    return write


def zipped(**members):
    def write(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return write


# --- where the rows of a file stand ---

WANTED = [("A", "1"), ("B", "2")]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "content", "entry"),
    [
        ("a.csv", "sep=;\nc;o\nA;1\nB;2\n", {"skip": 1, "delimiter": ";"}),
        ("a.csv", '# from "1 May\r\n\r\nc,o\r\nA,1\r\nB,2', {"skip": 2}),
        ("a.csv", "title\rc,o\rA,1\rB,2\r", {"skip": 1}),
        ("a.csv", b"\xef\xbb\xbftitle\nc,o\nA,1\nB,2\n", {"skip": 1}),
        ("a.csv.gz", gzip.compress(b"title\nc,o\nA,1\nB,2\n", mtime=0), {"skip": 1}),
        ("a.csv", "Käse\nc,o\nA,1\nB,2\n".encode("utf-16"), {"skip": 1, "encoding": "utf-16"}),
        ("a.csv", "Käse\nc,o\nA,1\nB,2\n".encode("cp1252"), {"skip": 1, "encoding": "cp1252"}),
        ("a.csv", "A,1\nB,2\n", {"header": ["c", "o"]}),
        ("a.csv", b"\xef\xbb\xbfA,1\nB,2\n", {"header": ["c", "o"]}),
        ("a.csv", "title\n\nA,1\nB,2\n", {"header": ["c", "o"], "skip": 2}),
        ("a.tsv", "A\t1\nB\t2\n", {"header": ["c", "o"]}),
        ("a.csv", ",c,o,Note,Note,\n0,A,1,x,y,\n1,B,2,x,y,\n", {}),
        ("a.csv", ",,c,o,column_0,COLUMN_2\n0,0,A,1,x,y\n1,0,B,2,x,y\n", {}),
        ("a.txt", " A 1\n  B\t  2 \n", {"header": ["c", "o"], "delimiter": "blanks"}),
        ("a.txt", 'c  "o"\n"A"  1\n\nB "2"\n', {"delimiter": "blanks"}),
        ("a.txt", "A  1x\nB  2\n", {"header": ["c", "o", "p"], "widths": [2, 2, 4]}),
        ("a.txt.gz", gzip.compress(b"head\nc    o\nA    1\nB    2\n", mtime=0), {"widths": [2, 4], "skip": 1}),
        ("a.txt", "Käse\nA 1\nB 2\n".encode("cp1252"), {"header": ["c", "o"], "widths": [1, 2], "skip": 1, "encoding": "cp1252"}),
        ("a.xlsx", book(S=[["c", "o"], ["A", 1], ["B", 2]]), {}),
        ("a.xlsx", book(S=[["Title"], [], ["c", "o"], ["A", 1], ["B", "2"]]), {"skip": 2}),
        ("a.xlsx", book(S=[["A", 1], ["B", 2]]), {"header": ["c", "o"]}),
        ("a.xlsx", book(S=[["", "c", "Note", "o", "Note"], [0, "A", "", 1, ""], [1, "B", "", "2", ""]]), {}),
        ("a.xlsx", book(S=[["c", "o"], ["A", 1]], T=[["o", "c"], [2, "B"]]), {"sheet": "all"}),
        ("a.xlsx", book(Notes=[["x"]], **{"2010": [["c", "o"], ["A", 1]], "2011": [["c", "o"], ["B", 2]]}), {"sheet": [2010, 2011]}),
        ("a.xlsx", book(Notes=[["x"]], S=[["c", "o"], ["A", 1]], T=[["c", "o"], ["B", 2]]), {"sheet": [1, "T"]}),
        ("a.zip", zipped(**{"x/s.csv": "c,o\nA,1\nB,2\n", "t.csv": "x"}), {"member": "x/s.csv"}),
        ("a.zip", zipped(**{"s.json": '[{"c": "A", "o": 1}, {"c": "B", "o": 2}]'}), {"member": "s.json"}),
        (
            "a.zip",
            zipped(**{"s.csv.gz": gzip.compress(b"x\nc;o\nA;1\nB;2\n", mtime=0)}),
            {"member": "s.csv.gz", "skip": 1, "delimiter": ";"},
        ),
        ("a.json", '[{"c": "A", "o": 1},\n {"o": 2, "c": "B"}]\n', {}),
        ("a.json", '{"c": "A", "o": 1}\n{"o": 2, "c": "B"}', {}),
        ("a.jsonl.gz", gzip.compress(b'{"c": "A", "o": 1}\r\n\r\n{"o": 2, "c": "B"}\r\n', mtime=0), {}),
        ("a.ndjson", b'\xef\xbb\xbf{"c": "A", "o": 1}\n{"o": 2, "c": "B"}\n', {}),
        ("a.json", '[{"c": "A", "o": 1}, {"o": 2, "c": "B"}]'.encode("utf-16"), {"encoding": "utf-16"}),
        (
            "a.json",
            '{"n": 2, "x": [1, {"orders": 5}], "data": {"z": {}, "orders": [{"c": "A", "o": 1}, {"c": "B", "o": 2}]}, "y": null}',
            {"records": "data.orders"},
        ),
        ("a.jsonl", '{"rows": [{"c": "A", "o": 1}]}\n{"rows": []}\n{"rows": [{"c": "B", "o": 2}]}', {"records": "rows"}),
    ],
)  # fmt: skip
def test_a_form_is_read_as_its_entry_says(con, name, content, entry):
    assert sorted(Read(con, {name: content}, ["c", "o"], **entry).rows) == WANTED


@pytest.mark.parametrize(
    ("files", "entry", "places"),
    [
        ({"a.csv": "t\nc\nA\nB\n"}, {"skip": 1}, ["a.csv, row 1 below the header", "a.csv, row 2 below the header"]),
        ({"a.csv": "A\nB\n"}, {"header": ["c"]}, ["a.csv, row 1", "a.csv, row 2"]),
        ({"a.txt": "x\n A 1\n B 2\n"}, {"header": ["c", "o"], "delimiter": "blanks", "skip": 1}, ["a.txt, row 1", "a.txt, row 2"]),
        (
            {"a.xlsx": book(Year_1=[["c"], ["A"], ["B"]], Year_2=[["c"], ["C"]])},
            {"sheet": "all"},
            [f"a.xlsx, sheet Year {n}, row {m} below the header" for n, m in ((1, 1), (1, 2), (2, 1))],
        ),
        ({"a.json": '[{"c": 1}, {"c": 2}]'}, {}, ["a.json, record 1", "a.json, record 2"]),
        (
            {"a.json": '[{"l": [{"c": 1}]}, {"l": []}, {"l": [{"c": 2}, {"c": 3}]}]'},
            {"explode": "l"},
            ["a.json, record 1", "a.json, record 3", "a.json, record 3"],
        ),
        ({"a.zip": zipped(**{"x/s.csv": "c\nA\n"})}, {"member": "x/s.csv"}, ["a.zip, s.csv, row 1 below the header"]),
    ],
)  # fmt: skip
def test_messages_name_the_place_of_a_row(con, files, entry, places):
    assert Read(con, files, ["l.c"] if "explode" in entry else ["c"], **entry).places == places


def test_many_files_of_one_shape(con):
    sheets = {f"{n}.xlsx": book(S=[["c"], [f"{n}1"]], T=[["c"], [f"{n}2"]]) for n in "ab"}
    assert [row for (row,) in Read(con, sheets, ["c"], "*.xlsx", sheet="all").rows] == ["a1", "a2", "b1", "b2"]
    zips = {f"{n}.zip": zipped(**{"s.csv": f"c,o\n{n},1\n{n},2\n"}) for n in "ab"}
    found = Read(con, zips, ["c"], "*.zip", member="s.csv")
    assert found.rows == [("a",), ("a",), ("b",), ("b",)] and found.counted == [2, 2]
    files = {"a.json": '[{"c": 1.50}]', "b.json": '[{"c": "x"}, {"d": 1}]'}
    with pytest.raises(DataError, match="missing column: 'c'"):
        Read(con, files | {"c.json": '[{"d": 1}]'}, ["c"], "*.json")
    assert Read(con, files, ["c"], "*.json").rows == [("1.50",), ("x",), (None,)]


def test_sheets_that_are_not_read_are_noted(con):
    two = {"a.xlsx": book(Year_1=[["c"], ["A"]], Year_2=[["c"], ["B"]])}
    assert Read(con, two, ["c"]).notes == ["sheets of a.xlsx that are not read: Year 2"]
    assert Read(con, two, ["c"], sheet="all").notes == []
    assert Read(con, two, ["c"], sheet=["Year 2"]).notes == ["sheets of a.xlsx that are not read: Year 1"]


# --- several rows of one ---

ORDERS = [
    {"id": 12.50, "who": {"mail": "a@x", "at": {"city": "Ö"}}, "items": [{"sku": "p", "n": 1}, {"sku": "q", "n": 2}], "tags": ["x", "y"]},
    {"id": 7, "who": None, "items": [], "tags": []},
    {"id": True, "items": [{"sku": "r", "n": None}], "tags": ["z"]},
]  # fmt: skip


def test_items_of_json_are_those_that_pandas_finds(con):
    found = Read(con, {"a.json": json.dumps(ORDERS)}, ["id", "items.sku", "items.n"], explode="items")
    wanted = pd.json_normalize(ORDERS, "items", ["id"])
    assert [row[1] for row in found.rows] == wanted["sku"].tolist()
    assert [row[0] for row in found.rows] == ["12.5", "12.5", "true"] and found.rows[2][2] is None
    assert found.notes == ["1 record of a.json without items in items left out"]
    nested = Read(con, {"a.json": json.dumps(ORDERS)}, ["id", "who.mail", "who.at.city"])
    assert nested.rows == [("12.5", "a@x", "Ö"), ("7", None, None), ("true", None, None)]
    tags = Read(con, {"a.json": json.dumps(ORDERS)}, ["tags", "id"], explode="tags")
    assert tags.rows == [("x", "12.5"), ("y", "12.5"), ("z", "true")]


def test_lists_within_lists_are_exploded_outermost_first(con):
    people = [{"c": c, "orders": [{"o": o, "lines": [{"p": p} for p in ps]} for o, ps in os]} for c, os in (
        ("A", [("1", "xy"), ("2", "")]), ("B", []), ("C", [("3", "z")]))]  # fmt: skip
    wanted = [(r["c"], o["o"], line["p"]) for r in people for o in r["orders"] for line in o["lines"]]
    columns, lists = ["c", "orders.o", "orders.lines.p"], ["orders", "orders.lines"]
    notes = {"1 record of F without items in orders left out", "1 record of F without items in orders.lines left out"}
    for name, content in (
        ("F.json", json.dumps(people)),
        ("F.parquet", lambda path: pq.write_table(pa.Table.from_pylist(people), path)),
    ):
        found = Read(con, {name: content}, columns, explode=lists)
        assert sorted(found.rows) == wanted, name
        assert {note.replace(name, "F") for note in found.notes} == notes


def nested_parquet(path):
    stamps = pa.array([0, 3_600_000_000], pa.timestamp("us", tz="Europe/Berlin"))
    items = pa.array([[{"s": "x", "n": 1}, {"s": "y", "n": 2}], None])
    who = pa.StructArray.from_arrays([pa.array(["A", "B"]), stamps], names=["mail", "at"])
    pq.write_table(pa.table({"o": ["1", "2"], "items": items, "who": who, "a.b": ["u", "v"]}), path)


def test_items_and_records_of_parquet(con):
    found = Read(con, {"a.parquet": nested_parquet}, ["o", "items.s", "items.n", "who.mail"], explode="items")
    assert sorted(found.rows) == [("1", "x", 1, "A"), ("1", "y", 2, "A")]
    assert found.notes == ["1 record of a.parquet without items in items left out"]
    plain = Read(con, {"a.parquet": nested_parquet}, ["o", "who.at", "a.b"]).rows
    assert [(o, f"{at:%H:%M}", b) for o, at, b in plain] == [("1", "01:00", "u"), ("2", "02:00", "v")]


def test_packed_and_wide_items(con):
    pattern = r"^(?P<sku>.+) x (?P<qty>\d+)$"
    text = "o,items\n1,a x 2; b c x 1\n2,\n3,d x 5;\n4,  ; \n"
    found = Read(con, {"a.csv": text}, ["o", "sku", "qty"], split={"column": "items", "at": ";", "pattern": pattern})
    assert sorted(found.rows) == [("1", "a", "2"), ("1", "b c", "1"), ("3", "d", "5")]
    assert found.notes == ["2 records of a.csv without items in items left out"]
    assert found.places[0] == "a.csv, row 1 below the header" and found.places[2] == "a.csv, row 3 below the header"
    text = "o,items\n1,a | b\n2,c.d\n"
    assert sorted(Read(con, {"a.csv": text}, ["o", "items"], split={"column": "items", "at": "|"}).rows) == [
        ("1", "a"), ("1", "b"), ("2", "c.d"),
    ]  # fmt: skip
    text = "o,s1,q1,s2,q2\n1,a,2,b,1\n2,,, ,\n3,c,5,,\n4,,,d,\n"
    wide = {"sku": ["s1", "s2"], "qty": ["q1", "q2"]}
    found = Read(con, {"a.csv": text}, ["o", "sku", "qty"], wide=wide)
    assert sorted(found.rows, key=str) == [("1", "a", "2"), ("1", "b", "1"), ("3", "c", "5"), ("4", "d", None)]
    assert found.notes == ["1 record of a.csv without items in the columns of sku, qty left out"]
    both = "o,s,s2\n1,a x 2,b x 3\n2,c x 4,\n"
    found = Read(
        con,
        {"a.csv": both},
        ["o", "sku", "qty"],
        wide={"s": ["s", "s2"]},
        split={"column": "s", "at": ";", "pattern": pattern},
    )
    assert sorted(found.rows) == [("1", "a", "2"), ("1", "b", "3"), ("2", "c", "4")]


# --- what is written is read ---

WORDS = st.text(st.sampled_from("abÜ7 \",;'|.-"), max_size=8).map(str.strip)
PLAIN = st.text(st.sampled_from("abÜ7,;'|.-"), min_size=1, max_size=6)
NAMES = ["c", "the day", "q,1"]


def same(found, rows):
    return sorted(found, key=str) == sorted([tuple(v or None for v in row) for row in rows], key=str)


def as_csv(rows, **options):
    text = io.StringIO(newline="")
    csv.writer(text, **options).writerows(rows)
    return text.getvalue()


@pytest.mark.thorough
@FEW
@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS).filter(any), min_size=1, max_size=6), st.integers(0, 3), st.booleans(),
    st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-16", "cp1252"]), st.integers(1, 9),
)  # fmt: skip
def test_texts_with_lines_above_and_without_a_header_are_read_back(con, rows, skip, named, end, encoding, chunk):
    body = as_csv([*([NAMES] if named else []), *rows], lineterminator=end, quoting=csv.QUOTE_ALL)
    text = "".join(f'# Ä "{n}{end}' for n in range(skip)) + body
    entry = {"skip": skip, "encoding": encoding} | ({} if named else {"header": NAMES})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "CHUNK", chunk)
        found = Read(con, {"a.csv": text.encode(encoding)}, NAMES, **entry)
    assert same(found.rows, rows) and found.counted == [len(rows)]


@pytest.mark.thorough
@FEW
@given(st.lists(st.tuples(PLAIN, PLAIN, PLAIN), min_size=1, max_size=6), st.integers(1, 3), st.booleans())
def test_fixed_widths_and_runs_of_blanks_are_read_back(con, rows, gap, right):
    widths = [max(len(row[n]) for row in rows) + gap for n in range(3)]
    lines = ["".join((v.rjust if right else v.ljust)(w) for v, w in zip(row, widths, strict=True)) for row in rows]
    text = "\n".join(lines if right else [line.rstrip() for line in lines]) + "\n"
    assert same(Read(con, {"a.txt": text}, NAMES, header=NAMES, widths=widths).rows, rows)
    assert same(Read(con, {"a.txt": text}, NAMES, header=NAMES, delimiter="blanks").rows, rows)


@pytest.mark.thorough
@FEW
@given(st.lists(st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=3), min_size=1, max_size=3), st.integers(0, 2))
def test_sheets_are_read_back(con, sheets, skip):
    content = book(**{f"S{n}": [*[["x"]] * skip, ["c", "o"], *map(list, rows)] for n, rows in enumerate(sheets)})
    found = Read(con, {"a.xlsx": content}, ["o", "c"], sheet="all", skip=skip)
    assert same(found.rows, [(o, c) for rows in sheets for c, o in rows])


NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str), st.decimals(-1000, 1000, places=3).map(str),
    st.sampled_from(["1e3", "0.10", "-0.0", "1E-7", "12.50"]),
)  # fmt: skip
ANY = st.one_of(st.text(max_size=5).map(json.dumps), NUMBERS, st.sampled_from(["null", "true", '"\\u00e9"']))


def as_text(written):
    value = json.loads(written, parse_float=str, parse_int=str)
    return {True: "true", None: None, "": None}.get(value, value)


@pytest.mark.thorough
@FEW
@given(
    st.lists(st.tuples(ANY, st.lists(st.tuples(ANY, ANY), max_size=3)), min_size=1, max_size=5),
    st.sampled_from(["list", "lines", "within"]), st.sampled_from(["", "\n  "]), st.integers(1, 40),
)  # fmt: skip
@example([("12.50", [('"{\\"[,"', "7"), ("null", "null")])], "within", "\n  ", 1)
def test_json_is_read_back_with_its_numbers_as_they_are_written(con, records, form, gap, chunk):
    written = [
        f'{{"id": {key},{gap}"in": {{"b": {key}}}, "l": ['
        + ", ".join(f'{{"x":{x},{gap}"y" :{y}}}' for x, y in items) + "]}"
        for key, items in records
    ]  # fmt: skip
    text = {
        "list": f"[{gap}{f',{gap}'.join(written)}{gap}]", "lines": "\n".join(written),
        "within": f'{{"n": 1.5, "skip": [[], {{}}],{gap}"a": {{"b": [{", ".join(written)}]}}, "z": "]"}}',
    }[form]  # fmt: skip
    entry = {"records": "a.b"} if form == "within" else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "CHUNK", chunk)
        plain = Read(con, {"a.json": text}, ["id", "in.b"], **entry)
        assert plain.rows == [(as_text(key), as_text(key)) for key, _ in records]
        rows = [(as_text(key), as_text(x), as_text(y)) for key, items in records for x, y in items]
        if rows:
            found = Read(con, {"a.json": text}, ["id", "l.x", "l.y"], explode="l", **entry)
            assert same(found.rows, rows) and found.counted == [len(rows)]
            assert len(found.notes) == any(not items for _, items in records)


@pytest.mark.thorough
@FEW
@given(st.lists(st.lists(st.tuples(PLAIN, st.integers(1, 9)), max_size=3), min_size=1, max_size=5).filter(any))
def test_items_beside_each_other_and_in_one_text_are_the_same(con, orders):
    wanted = [(str(n), sku, str(qty)) for n, items in enumerate(orders) for sku, qty in items]
    packed_up = [[n, " // ".join(f"{sku} x {qty}" for sku, qty in items)] for n, items in enumerate(orders)]
    split = {"column": "items", "at": " // ", "pattern": r"^(?P<sku>.+) x (?P<qty>\d)$"}
    assert same(
        Read(con, {"a.csv": as_csv([["o", "items"], *packed_up])}, ["o", "sku", "qty"], split=split).rows, wanted
    )
    size = max(map(len, orders))
    wide = {"sku": [f"s{n}" for n in range(size)], "qty": [f"q{n}" for n in range(size)]}
    cells = [
        [n, *(v for item in (*items, *[("", "")] * (size - len(items))) for v in item)]
        for n, items in enumerate(orders)
    ]
    header = ["o", *(v for pair in zip_longest(wide["sku"], wide["qty"]) for v in pair)]
    assert same(Read(con, {"a.csv": as_csv([header, *cells])}, ["o", "sku", "qty"], wide=wide).rows, wanted)


# --- refused, and what to write ---

SPLIT = {"split": {"column": "i", "at": ";", "pattern": "^(?P<p>.+)x(?P<q>[0-9]+)$"}}
HALF_ZIP = io.BytesIO()
zipped(**{"s.csv": "c,o\nA,1\n" * 99})(HALF_ZIP)
HALF_ZIP = HALF_ZIP.getvalue()[:-40]
GOOD_JSON = json.dumps([{"c": n, "l": [{"s": n}]} for n in range(200)], indent=1)
REFUSED = {
    "sep= above the header": ("a.csv", "sep=;\nc;o\nA;1\n", {}, ["missing column: 'c'", 'add `skip: 1` and `delimiter: ";"`']),
    "titles above the header": ("a.csv", "Report\n\n2024,May\nc,o\nA,1\n", {}, ["add `skip: 3` to the file"]),
    "an empty line above the header": ("a.csv", "\nc,o\nA,1\n", {}, ["there is no header", "add `skip: 1`"]),
    "another delimiter": ("a.csv", "c|o\nA|1\n", {}, ["missing column", 'add `delimiter: "|"`']),
    "a tab": ("a.csv", "c\to\nA\t1\n", {}, ['add `delimiter: "\\t"`']),
    "blanks": ("a.txt", "c   o\nA   1\n", {}, ["add `delimiter: blanks`"]),
    "too few lines to skip": ("a.csv", "x\ny\nc,o\nA,1\n", {"skip": 1}, ["add `skip: 2`"]),
    "titles above the header of a sheet": ("a.xlsx", book(S=[["Title"], [], ["c", "o"], ["A", 1]]), {}, ["add `skip: 2`"]),
    "all lines skipped": ("a.csv", "c,o\nA,1\n", {"skip": 9}, ["there is no header", "`skip: 0`"]),
    "names for other columns": ("a.csv", "A,1,2\nB,1,2\n", {"header": ["c", "o"]},
        ["the row has 3 fields, `header` has 2", "a.csv, row 1"]),
    "names for other columns of a sheet": ("a.xlsx", book(S=[["A", 1, 2]]), {"header": ["c", "o"]},
        ["the sheet has 3 columns, `header` has 2"]),
    "a short row without a header": ("a.csv", "A,1\nB\n", {"header": ["c", "o"]}, ["the row has 1 fields", "a.csv, row 2"]),
    "a doubled column that is mapped": ("a.csv", "c,o,o\nA,1,2\n", {}, ["doubled column: 'o'", "or map another"]),
    "a doubled column of a sheet": ("a.xlsx", book(S=[["c", "o", "O"], [1, 2, 3]]), {}, ["doubled column: 'o', 'O'"]),
    "a short line": ("a.txt", "A 1\nB\n", {"header": ["c", "o"], "delimiter": "blanks"},
        ["the row has 1 fields, and there are 2 names", "a.txt, row 2"]),
    "a long line": ("a.txt", "c o\nA 1\nB 2 3\n", {"delimiter": "blanks"}, ["the row has 3 fields", "row 2 below the header"]),
    "a line beyond the widths": ("a.txt", "A 1\nB 2 x\n", {"header": ["c", "o"], "widths": [2, 2]},
        ["the line has 5 signs, and `widths` are 4", "row 2"]),
    "an open mark between blanks": ("a.txt", 'A "1\n', {"header": ["c", "o"], "delimiter": "blanks"},
        ["a quotation mark is not closed", "row 1"]),
    "line ends of two kinds, fixed widths": ("a.txt", "A 1\nB 2\r\n", {"header": ["c", "o"], "widths": [2, 2]},
        ["line ends are mixed: LF", "row 2"]),
    "line ends of two kinds below a title": ("a.csv", "t\nc,o\nA,1\nB,2\r\n", {"skip": 1}, ["line ends are mixed", "row 2 below"]),
    "another encoding, fixed widths": ("a.txt", "A 1\nÄ 2\n".encode("cp1252"), {"header": ["c", "o"], "widths": [2, 2]},
        ["the text is not in utf-8: b'\\xc4 2", "a.txt, row 2"]),
    "a line of 3 MB, fixed widths": ("a.txt", "A 1\n" + "B" * 3_000_000, {"header": ["c", "o"], "widths": [2, 2]},
        ["more than 2,000,000 bytes", "row 2"]),
    "half a gz, fixed widths": ("a.txt.gz", gzip.compress(b"A 1\n" * 9999, mtime=0)[:-9], {"header": ["c", "o"], "widths": [2, 2]},
        ["damaged or incomplete", "get the file again"]),
    "a mark of UTF-8": ("a.csv", b"\xef\xbb\xbfc,o\nA,1\n", {"encoding": "cp1252"}, ["it begins as UTF-8 does, and `encoding` is cp1252"]),
    "a mark of UTF-16": ("a.csv", "c,o\nA,1\n".encode("utf-16"), {}, ["not in utf-8", "`utf-16`, because it begins"]),
    "a bad byte far into a field": ("a.csv", b"c,o\n" + b"x" * 90 + b"\xe4" + b"y" * 90 + b",1\n", {},
        ["\\xe4", "xxxxx", "yyyyy", "row 1 below"]),
    "no such sheet": ("a.xlsx", book(S=[["c", "o"], [1, 2]]), {"sheet": ["S", "T"]}, ["there is no sheet 'T'", "one of: S"]),
    "a number that is a name as well": ("a.xlsx", book(**{"1": [["c"]], "2": [["c"]]}), {"sheet": [1, 2]}, ['`sheet: ["1"]`']),
    "a sheet twice": ("a.xlsx", book(S=[["c", "o"], [1, 2]]), {"sheet": [0, "S"]}, ["a sheet is listed twice"]),
    "an empty sheet among all": ("a.xlsx", book(S=[["c", "o"], [1, 2]], T=[]), {"sheet": "all"}, ["there is no header", "a.xlsx, sheet T"]),
    "sheets of two shapes": ("a.xlsx", book(S=[["c", "o"], [1, 2]], T=[["c", "p"], [1, 2]]), {"sheet": "all"},
        ["missing column: 'o'", "a.xlsx, sheet T, which has 'c', 'p'"]),
    "no such member": ("a.zip", zipped(**{"s.csv": "c,o\n"}), {"member": "t.csv"}, ["no member t.csv, only s.csv", "a.zip"]),
    "half a zip": ("a.zip", lambda path: path.write_bytes(HALF_ZIP), {"member": "s.csv"}, ["the zip is damaged"]),
    "a zip that is a bomb": ("a.zip", zipped(**{"s.csv": "c,o\n" + "\n" * 60_000_000}), {"member": "s.csv"}, ["which no data do"]),
    "no zip": ("a.zip", "c,o\nA,1\n", {"member": "s.csv"}, ["the zip is damaged"]),
    "a fault in a member": ("a.zip", zipped(**{"s.csv": "c,o\nA,1\nB\n"}), {"member": "s.csv"},
        ["the row has 1 fields", "a.zip, s.csv, row 2 below"]),
    "JSON that is cut": ("a.json", GOOD_JSON[:-900], {}, ["the file ends before its end", "a.json, line"]),
    "JSON without a comma": ("a.json", GOOD_JSON.replace("},\n {", "}\n {", 1), {}, ["no JSON, or damaged", "a.json, line 10", "a comma"]),
    "JSON with a comma too many": ("a.json", '[{"c": 1, "o": 2},]', {}, ["no JSON, or damaged", "line 1"]),
    "JSON with something after it": ("a.json", '[{"c": 1, "o": 2}]\n]', {}, ["line 2", "the end of the file"]),
    "JSON with a line end in a text": ("a.json", '[{"c": "a\nb", "o": 2}]', {}, ["line 1", "JSON writes them as \\n"]),
    "JSON in Python's form": ("a.json", "[{'c': 1, 'o': 2}]", {}, ["a name in quotation marks"]),
    "JSON with a name twice": ("a.json", '[{"c": 1, "o": 2, "c": 3}]', {}, ["the name 'c' twice"]),
    "JSON with half a sign": ("a.json", '[{"c": "\\ud800", "o": 2}]', {}, ["half of a sign", "a.json, record 1"]),
    "JSON nested without end": ("a.json", "[" * 90_000, {}, ["nested deeper than any data"]),
    "JSON nested without end in a record": ("a.json", '[{"c": ' + '{"c": ' * 90_000, {}, ["nested deeper than any data"]),
    "JSON in another encoding": ("a.json", '[{"c": "Ä", "o": 2}]'.encode("cp1252"), {},
        ["not in utf-8: b'[{\"c\": \"\\xc4", "a.json, line 1"]),
    "JSON of half a gz": ("a.json.gz", gzip.compress(GOOD_JSON.encode(), mtime=0)[:-9], {}, ["damaged or incomplete"]),
    "JSON that is a bomb": ("a.json.gz", gzip.compress(b"[" + b" " * 60_000_000 + b"]", mtime=0), {}, ["which no data do"]),
    "JSON of no records": ("a.json", "[1, 2]", {}, ["it is a single value, and no record", "record 1"]),
    "a page": ("a.json", "<html>", {}, ["no JSON, or damaged", "line 1"]),
    "an empty JSON": ("a.json", " \n", {}, ["the table is empty"]),
    "a list within": ("a.json", '{"n": 1, "data": {"orders": [{"c": 1, "o": 2}]}}', {},
        ["missing column: 'c', 'o'", "`records: data.orders`"]),
    "another name of the list": ("a.json", '{"n": 1, "orders": [{"c": 1}]}', {"records": "order"}, ["there is no order", "'n', 'orders'"]),
    "no list where it should be": ("a.json", '{"orders": {"1": {"c": 1}}}', {"records": "orders"}, ["at orders stands no list"]),
    "a column that no record has": ("a.json", '[{"c": 1, "x": {"y": 2}}]', {}, ["missing column: 'o'", "which has 'c', 'x.y'"]),
    "a list that is mapped": ("a.json", '[{"c": 1, "o": [{"s": 1}]}]', {},
        ["o is a list", "a.json, record 1", "add `explode: o`", "`o.s`"]),
    "a record that is mapped": ("a.json", '[{"c": 1, "o": {"s": 1, "t": 2}}]', {}, ["o is a record", "`o.s`, `o.t`"]),
    "a list that is none": ("a.json", '[{"c": 1, "o": [{"s": 1}]}, {"c": 2, "o": 5}]', {"explode": "o"},
        ["o is a single value, and no list", "record 2"]),
    "no such list": ("a.json", '[{"c": 1, "o": 2}]', {"explode": "l"}, ["the table is empty"]),
    "a list of parquet": ("a.parquet", lambda path: pq.write_table(pa.table({"c": [1], "o": [[{"s": 1}]]}), path), {},
        ["o is a list", "add `explode: o`", "`o.s`"]),
    "a list of values of parquet": ("a.parquet", lambda path: pq.write_table(pa.table({"c": [1], "o": [["x"]]}), path), {},
        ["o is a list", "one item a row"]),
    "no list of parquet": ("a.parquet", lambda path: pq.write_table(pa.table({"c": [1], "o": [2]}), path), {"explode": "o"},
        ["there is no list 'o'"]),
    "an item of another form": ("a.csv", "c,o,i\nA,1,ax1;b\nB,2,cx1\n", SPLIT, ["1 item of i does not match", "row 1 below the header"]),
    "items of another form": ("a.csv", "c,o,i\nA,1,ax1\nB,2,c;d\n", SPLIT,
        ["2 items of i do not match", "row 2 below the header, the first"]),
    "a column that is there already": ("a.csv", "c,o,i,p\nA,1,ax1,5\n", SPLIT, ["the column 'p' would be there twice", "`split`"]),
    "a column of items that is not there": ("a.csv", "c,o,s1\nA,1,x\n", {"wide": {"s": ["s1", "s2"]}}, ["missing column: 's2'"]),
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_where_and_what_to_write(con, case):
    name, content, entry, said = REFUSED[case]
    columns = ["c", "o", *(["p"] if "split" in entry else []), *(["s"] if "wide" in entry else [])]
    if entry.get("explode") and name.endswith(".json"):
        columns = ["c", f"{entry['explode']}.s"]
    message = refused(con, {name: content}, columns, **entry)
    assert all(words in message for words in said), message
    assert name in message.splitlines()[1] or "catalog" in message, message
    assert "/tmp" not in message and not re.search("Traceback|Error:|Exception|DuckDB", message), message


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"path": "a.zip"}, "add `member: sales.csv`"),
        ({"path": "a.zip", "member": "a.doc"}, "cannot read 'a.doc'"),
        ({"path": "a.csv", "skip": -1}, "how many lines stand above the header"),
        ({"path": "a.csv", "skip": True}, "found True"),
        ({"path": "a.json", "skip": 1}, "`skip` is for texts and workbooks"),
        ({"path": "a.csv", "records": "x"}, "`records` is for JSON"),
        ({"path": "a.csv", "explode": "x"}, "`explode` is for JSON and parquet"),
        ({"path": "a.csv", "sheet": "all"}, "`sheet` is for workbooks"),
        ({"path": "a.xlsx", "widths": [1]}, "`widths` is for texts"),
        ({"path": "a.xlsx", "sheet": [1, None]}, "a list of them, or `all`"),
        ({"path": "a.txt", "widths": [0]}, "the number of signs of each column"),
        ({"path": "a.txt", "widths": [1], "delimiter": ","}, "both `widths` and `delimiter`"),
        ({"path": "a.txt", "widths": [1], "header": ["a", "b"]}, "1 widths for 2 names"),
        ({"path": "a.csv", "header": []}, "a name for every column"),
        ({"path": "a.csv", "header": ["a", "A"]}, "each once"),
        ({"path": "a.json", "explode": ["a", "b"]}, "`explode: [a, a.b]`"),
        ({"path": "a.csv", "split": {"column": "a"}}, "at"),
        ({"path": "a.csv", "split": {"column": "a", "at": ";", "pattern": "(.+)"}}, "named groups"),
        ({"path": "a.csv", "split": {"column": "a", "at": ";", "pattern": "(?P<a"}}, "named groups"),
        ({"path": "a.csv", "wide": {"a": ["b"], "c": []}}, "one column for each item"),
        ({"path": "a.csv", "wide": []}, "a mapping"),
        ({"table": "a", "skip": 1}, "unknown key"),
    ],
)
def test_keys_that_cannot_be_are_refused_with_the_entry(entry, said):
    with pytest.raises(CustomerlabError) as caught:
        source_of("log", entry, "data/catalog.yml, shop, files, log")
    assert said in str(caught.value) and "data/catalog.yml, shop, files, log" in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        {"skip": 1},
        {"header": ["c", "o"], "skip": 2},
        {"delimiter": "blanks", "skip": 1},
        {"wide": {"x": ["c"]}, "skip": 1},
    ],
)
def test_rows_that_an_engine_drops_are_seen_in_every_form(con, monkeypatch, entry):
    whole = ibis.backends.duckdb.Backend.read_csv
    monkeypatch.setattr(ibis.backends.duckdb.Backend, "read_csv", lambda *a, **k: whole(*a, **k).limit(1))
    sign = " " if "delimiter" in entry else ","
    text = f"t\nc{sign}o\nA{sign}1\nB{sign}2\n"
    said = refused(con, {"a.csv": text}, ["o", *entry.get("wide", ["c"])], **entry)
    assert "1 rows can be read, and the file has 2" in said


def test_a_record_of_json_has_a_largest_size(con, monkeypatch):
    monkeypatch.setattr(read_json, "LARGEST_RECORD", 1_000)
    monkeypatch.setattr(packed, "CHUNK", 100)
    said = refused(con, {"a.json": '[{"c": "' + "x" * 5_000}, ["c"])
    assert "a record has more than 1,000 signs" in said and "a.json, line 1" in said


@pytest.mark.thorough
def test_a_shop_in_three_forms_is_the_same_table(project):
    """The same lines as a fixed-width text, as nested JSON and as sheets give the table that the CSV gives."""
    lines = stranger_lines()[:200]
    path = add_shop(project, as_written(lines))
    wanted = pd.read_parquet(prepare(project, project / "outputs" / "a", "transactions", "my_shop").path)
    catalog = project / "data" / "catalog.yml"
    good, where = catalog.read_text(encoding="utf-8"), 'path: verkauf.csv\n      delimiter: ";"'
    written = as_written(lines)
    widths = [int(written[name].str.len().max()) + 1 for name in written]
    rows = ["".join(v.rjust(w) for v, w in zip(row, widths, strict=True)) for row in written.to_numpy().tolist()]
    path.with_suffix(".txt").write_text("\n".join(["Report", *rows]) + "\n", encoding="utf-8")
    orders = [
        {"Beleg": key, "who": {"Kunde": rows["Kunde"].iloc[0]}, "Datum": rows["Datum"].iloc[0],
         "lines": rows[["Artikel", "Menge", "Preis"]].to_dict("records")} for key, rows in written.groupby("Beleg")
    ]  # fmt: skip
    path.with_suffix(".json").write_text(
        json.dumps({"data": [*orders, {"Beleg": "R-x", "lines": []}]}), encoding="utf-8"
    )
    with pd.ExcelWriter(path.with_suffix(".xlsx")) as out:
        written[:90].to_excel(out, sheet_name="A", index=False)
        written[90:].to_excel(out, sheet_name="B", index=False)
    names = f"[{', '.join(written.columns)}]"
    nested = {"customer_id: Kunde": "customer_id: who.Kunde"} | {
        f"{key}: {name}": f"{key}: lines.{name}"
        for key, name in (("product_id", "Artikel"), ("quantity", "Menge"), ("unit_price", "Preis"))
    }
    for entry, changes in (
        (f"path: verkauf.txt\n      skip: 1\n      header: {names}\n      widths: {widths}", {}),
        ("path: verkauf.json\n      records: data\n      explode: lines", nested),
        ("path: verkauf.xlsx\n      sheet: all", {}),
    ):
        text = good.replace(where, entry)
        for old, new in changes.items():
            text = text.replace(old, new)
        catalog.write_text(text, encoding="utf-8")
        made = prepare(project, project / "outputs" / "a", "transactions", "my_shop")
        pd.testing.assert_frame_equal(pd.read_parquet(made.path), wanted)
        assert made.made and made.report["notes"] == (
            ["1 record of verkauf.json without items in lines left out"] if "json" in entry else []
        )


@pytest.mark.thorough
def test_a_value_of_an_item_is_named_with_its_record_and_any_key_makes_the_table_anew(project):
    entry = STRANGER.replace("verkauf.csv", "verkauf.csv\n      skip: 1").replace(
        "quantity_not_positive", "exact_repeat"
    )
    path = add_shop(project, as_written(stranger_lines()[:50]), entry=entry)
    text = path.read_text(encoding="utf-8")
    path.write_text("Report\n" + text, encoding="utf-8")
    first = prepare(project, project / "outputs" / "a", "transactions", "my_shop")
    path.write_text("Report\n" + text.replace(";5;", ";five;", 1), encoding="utf-8")
    row = next(n for n, line in enumerate(text.splitlines()) if ";5;" in line)
    with pytest.raises(
        DataError, match=f"'five' cannot be read as quantity[\\s\\S]*verkauf.csv, row {row} below the header"
    ):
        prepare(project, project / "outputs" / "a", "transactions", "my_shop")
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(
        catalog.read_text().replace("skip: 1", f"skip: 2\n      header: {text.splitlines()[0].split(';')}")
    )
    with pytest.raises(DataError, match=f"'five' cannot be read as quantity[\\s\\S]*verkauf.csv, row {row}, column"):
        prepare(project, project / "outputs" / "a", "transactions", "my_shop")
    path.write_text("Report\n" + text, encoding="utf-8")
    again = prepare(project, project / "outputs" / "a", "transactions", "my_shop")
    assert again.made and again.report["fingerprint"] != first.report["fingerprint"]
    assert again.report["sha256"] == first.report["sha256"]


@pytest.mark.thorough
def test_items_of_json_are_joined_to_a_member_of_a_zip(project):
    raw = project / "data" / "raw"
    raw.mkdir(exist_ok=True)
    orders = [
        {"id": n, "who": {"key": "ab"[n % 2]}, "day": f"2024-01-0{n + 1}", "lines": [{"p": "x", "n": n + 1}]}
        for n in range(4)
    ]
    (raw / "orders.json").write_text(json.dumps([*orders, {"id": 9, "lines": []}]), encoding="utf-8")
    zipped(**{"k.csv": "code,name,price\na,Ann,2\nb,Bob,3\n"})(raw / "people.zip")
    (project / "data" / "catalog.yml").write_text("""
my_shop:
  title: A shop
  files:
    orders: {path: orders.json, explode: lines}
    people: {path: people.zip, member: k.csv}
  tables:
    transactions:
      file: orders
      join: {people: {who.key: code}}
      columns: {customer_id: name, order_id: id, ordered_at: day, product_id: lines.p, quantity: lines.n, unit_price: price}
""")
    made = prepare(project, project / "outputs" / "a", "transactions", "my_shop")
    found = pd.read_parquet(made.path).sort_values("order_id")
    assert found["customer_id"].tolist() == ["Ann", "Bob", "Ann", "Bob"]
    assert [str(amount) for amount in found["amount"]] == ["2.0000", "6.0000", "6.0000", "12.0000"]
    assert "1 record of orders.json without items in lines left out" in made.report["notes"]


def test_wide_columns_of_several_kinds_are_texts(con):
    rows = [{"o": "1", "s1": "a", "q1": 2, "s2": "b", "q2": "x3"}]
    found = Read(con, {"a.parquet": lambda path: pq.write_table(pa.Table.from_pylist(rows), path)}, ["o", "sku", "qty"],
                 wide={"sku": ["s1", "s2"], "qty": ["q1", "q2"]})  # fmt: skip
    assert sorted(found.rows) == [("1", "a", "2"), ("1", "b", "x3")]
