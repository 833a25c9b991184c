"""A look at a file of any form: the first and last of its rows, and how its entry would have to read it."""

import codecs
import csv
import io
import json
import re
import unicodedata
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customerlab.data import packed
from customerlab.data.drafts.lines import Line
from customerlab.data.drafts.looks import Typed, formats, signs
from customerlab.data.sources import FORMATS, kind_of
from customerlab.data.values import EMPTY
from customerlab.data.yaml_files import odd_sign
from customerlab.errors import DataError, in_brief

ROWS, BYTES = 2_000, 1 << 20  # of the beginning of a file, and of its end
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SIGNS = "€£¥°§–—‘’“”„…«»•®©™´ºª№¡¿、。・「」\u00a0"  # that stand in texts of shops, beside letters, digits and ASCII
DELIMITERS = {",": '","', ";": '";"', "\t": '"\\t"', "|": '"|"'}


@dataclass
class Sample:
    """The rows of a file that were looked at, by column (empty values as empty texts), and how to read it."""

    path: Path
    columns: dict[str, list[str]] = field(default_factory=dict)
    keys: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: bool = True
    alike: list[Path] = field(default_factory=list)  # other files with the same columns, whose rows are here too

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return len(next(iter(self.columns.values()), []))


def look(path: Path) -> Sample:
    """Look at a file; a DataError where no table can be seen in it."""
    openers = {"": _of_text, ".parquet": _of_parquet, ".xlsx": _of_workbook, ".json": _of_json}
    if not path.name.lower().endswith(FORMATS):
        raise DataError(
            "files of this kind are not read", where=path.name, expected=f"a name that ends in {', '.join(FORMATS)}",
            do="save it as one of these; a zip has to be unpacked for a draft",
        )  # fmt: skip
    try:
        sample = openers[kind_of(path.name)](path)
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=path.name) from None
    except packed.Damaged as error:
        raise _no_table(path, str(error)) from None
    nothing = {*EMPTY}
    sample.columns = {name: ["" if v in nothing else v for v in values] for name, values in sample.columns.items()}
    if not sample.rows:
        raise _no_table(path, "there is no row below a header")
    return sample


def _no_table(path: Path, why: str) -> DataError:
    return DataError(
        f"no table can be seen in it: {why}", where=path.name, expected="a header and rows", do="export it again"
    )


def ends(path: Path) -> tuple[bytes, bytes]:
    """The first and the last bytes of a file, unpacked; the second are none where the first are all."""
    if path.suffix.lower() != ".gz":
        with path.open("rb") as handle:
            head, size = handle.read(BYTES), path.stat().st_size
            handle.seek(max(len(head), size - BYTES) + size % 2)  # whole signs of UTF-16
            return head, handle.read(BYTES)
    head, last = b"", deque[bytes](maxlen=BYTES // packed.CHUNK)
    for chunk in packed.chunks(path):
        if len(head) < BYTES:
            head += chunk
        else:
            last.append(chunk)
    return head, b"".join(last)


def encodings(data: bytes, whole: bool) -> list[tuple[str, str]]:
    """The encodings that a text may have, the likeliest first, each with words that it would hold then.

    Examples
    --------
    >>> encodings("Größe 12 €".encode("cp1252"), True)
    [('cp1252', 'Größe')]
    >>> [name for name, _ in encodings("smørrebrød".encode("cp1252"), True)]
    ['cp1252', 'cp1250']
    """
    for mark, name in MARKS.items():
        if data.startswith(mark):
            return [(name, "")]
    if data[1:200:2].count(0) > len(data[1:200:2]) / 2 or data[:200:2].count(0) > len(data[:200:2]) / 2 > 1:
        return [("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "")]
    found: list[tuple[float, str, str]] = []
    for name in ("utf-8", "cp1252", "cp1250", "cp1251", "cp437", "shift_jis", "gb18030", "latin-1"):
        try:
            text = codecs.getincrementaldecoder(name)().decode(data, whole)
        except UnicodeError:
            continue
        if name == "utf-8":
            return [(name, "")]
        strange = sorted({word for word in re.findall(r"[^\s,;|\"]+", text[:200_000]) if not word.isascii()}, key=len)
        fair = sum(map(_is_word, strange)) / max(1, len(strange))
        example = ", ".join(strange[len(strange) // 2 :][:3])
        if not any(example == other for *_, other in found):
            found.append((fair, name, example))
    best = max(fair for fair, *_ in found)
    return [(name, example) for fair, name, example in found if fair >= best - 0.05] or [("latin-1", "")]


def _is_word(word: str) -> bool:
    """Whether a word looks written by somebody: letters of one script, few of them marked, no odd signs within it."""
    letters = [sign for sign in word if sign.isalpha()]
    scripts = {unicodedata.name(sign, "?").split()[0].split("-")[0] for sign in letters}
    if not all(sign.isalpha() or sign.isascii() or sign in SIGNS for sign in word) or re.search(
        r"[^\W\d_][¡¿°§®©€£¥“”„«»…][^\W\d_]", word
    ):
        return False
    if scripts != {"LATIN"}:
        return len(scripts) <= 1 - ("HALFWIDTH" in scripts) or scripts <= {"CJK", "HIRAGANA", "KATAKANA"}
    marked = sum(not sign.isascii() for sign in letters)
    return not re.search("[a-zß-ÿ][A-ZÀ-Þ]", word) and (marked <= 0.75 * len(letters) or len(letters) == 1)


def _of_text(path: Path) -> Sample:
    head, tail = ends(path)
    sample = Sample(path, whole=not tail)
    readings = encodings(head, not tail)
    if len(readings) > 1 or readings[0][0] != "utf-8":
        words = {name: f"it is no UTF-8; read like this it holds {words}" for name, words in readings if words}
        sample.keys += [
            Line(f"encoding: {name}", words.get(name, "by its first bytes"), len(readings) == 1) for name, _ in readings
        ]
    name = readings[0][0]
    text = codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else name)("replace").decode(head)
    sign, width = _delimiter(text)
    if sign != ("\t" if ".tsv" in path.name.lower() else ",") and width > 1:
        sample.keys.append(Line(f"delimiter: {DELIMITERS.get(sign, sign)}", f"it makes {width} columns"))
    rows, lines = _rows(text, sign)
    if tail:
        rows, lines = rows[:-1], lines[:-1]
    first = next((place for place, row in enumerate(rows) if len(row) == width and sum(map(bool, row)) > width / 2), 0)
    if skipped := lines[first] if rows else 0:
        sample.keys.append(
            Line(f"skip: {skipped}", f"lines above the header, of which the first begins {rows[0][0][:30]!r}")
        )
    last = (
        _rows(codecs.getincrementaldecoder(_without_mark(name, head))("replace").decode(tail), sign)[0][1:]
        if tail
        else rows[first + ROWS + 1 :]
    )
    sample.whole = not tail and len(rows) - first - 1 <= 2 * ROWS
    _fill(sample, rows[first : first + ROWS + 1], [row for row in last if len(row) == width][-ROWS:], width)
    odd = [row for row in rows[first:] if row and len(row) != width]
    if odd:
        sample.notes.append(
            f"{len(odd):,} of these lines have another number of fields than {width}: they have to be fixed in the file"
        )
    return sample


def _without_mark(name: str, head: bytes) -> str:
    return {"utf-16": "utf-16-le" if head.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"}.get(name, name)


def _rows(text: str, sign: str) -> tuple[list[list[str]], list[int]]:
    """The rows of a text that are not empty, and how many lines stand above each."""
    found = []
    if sign == "blanks":
        found = [(line.split(), place) for place, line in enumerate(text.splitlines())]
    else:
        reader, above = csv.reader(io.StringIO(text, newline=""), delimiter=sign), 0
        with suppress(csv.Error):  # a field without an end: what came before is looked at
            for row in reader:
                found.append(([cell.strip() for cell in row], above))
                above = reader.line_num
    kept = [(row, above) for row, above in found if any(row)]
    return [row for row, _ in kept], [above for _, above in kept]


def _delimiter(text: str) -> tuple[str, int]:
    """The sign that makes most lines equally wide, and that width."""
    begin = "".join(text[: BYTES // 4].splitlines(keepends=True)[:500])
    best = (0.0, 1, ",")
    for sign in (*DELIMITERS, "blanks"):
        counted = Counter(map(len, _rows(begin, sign)[0]))
        width, times = max(counted.items(), key=lambda one: (one[1] * (one[0] > 1), one[0]), default=(1, 0))
        share = round(times / max(1, counted.total()), 1)
        if width > 1 and (share, width) > best[:2] and (sign != "blanks" or (best[1] == 1 and share > 0.9)):
            best = (share, width, sign)
    return best[2], best[1]


def _fill(sample: Sample, rows: list[list[str]], last: list[list[str]], width: int) -> None:
    """Put rows into columns by the header, which is the first of them, or into numbered ones where it holds values."""
    names = [*(rows or [[]])[0]]
    body = [row for row in rows[1:] if len(row) == width]
    if body and _holds_values(names, body):
        body.insert(0, rows[0])
        names = [f"column_{place}" for place in range(1, width + 1)]
        sample.keys.append(
            Line(f"header: [{', '.join(names)}]", "the first line holds values: put the names of the columns here")
        )
    known = Counter(name.lower() for name in names)
    for place, name in enumerate(names[:width]):
        if _usable(name) and known[name.lower()] == 1:
            sample.columns[name] = [row[place] for row in (*body, *last)]
    if odd := len(names) - len(sample.columns):
        sample.notes.append(
            f"columns that have no name, or that of another, or one with odd signs, and are left out: {odd}"
        )


def _usable(name: str) -> bool:
    """Whether a column's name can stand in an entry."""
    return 0 < len(name) <= 200 and not odd_sign(name)


def _holds_values(names: list[str], body: list[list[str]]) -> bool:
    """Whether a first line is a row like the others: numbers or days where they have them."""
    same = 0
    for place, name in enumerate(names):
        below = [row[place] for row in body[:50] if row[place]]
        if isinstance(name, Typed) or (name and below and (signs(name) or formats([name], "date"))):
            same += bool(below) and bool(signs(below[0]) or formats(below[:1], "date"))
    return same > 0 and all(names)


def _value(value: Any) -> str:
    """A value of a typed file as text."""
    if value is None or value == "" or value != value:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return Typed(str(value).lower())
    if isinstance(value, list | dict | tuple):
        return Typed(json.dumps(value, ensure_ascii=False, default=str))
    return Typed(int(value) if isinstance(value, float) and value.is_integer() else value)


def _of_workbook(path: Path) -> Sample:
    import openpyxl

    packed.check_workbook(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = {}
        for sheet in book.worksheets:
            rows = [
                [str(cell) if isinstance(cell, bool) else _value(cell) for cell in row]
                for row in sheet.iter_rows(max_row=2 * ROWS + 1, values_only=True)
            ]
            sheets[sheet.title] = rows
    except Exception as error:  # openpyxl has no error of its own for what is no workbook, or half of one
        raise _no_table(path, in_brief(error)) from None
    full = {title: rows for title, rows in sheets.items() if sum(map(any, rows)) > 1} or sheets
    title, rows = next(iter(full.items()), ("", []))
    sample = Sample(path, whole=len(rows) <= 2 * ROWS)
    width = max((sum(map(bool, row)) for row in rows[:50]), default=0)
    first = next((place for place, row in enumerate(rows) if sum(map(bool, row)) > width / 2), 0)
    if len(sheets) > 1:
        alike = [other for other, found in full.items() if found[:1] == rows[:1]]
        why = f"the sheets are {', '.join(map(repr, sheets))}"
        sample.keys.append(Line(f"sheet: {json.dumps(title, ensure_ascii=False)}", why, len(alike) == 1))
        if len(alike) > 1:
            sample.keys.append(Line("sheet: all", f"or all: {len(alike)} of them have the same header", False))
            sample.keys.append(Line('sheet: "?"', "remove this line when one of those above is chosen"))
    if first:
        sample.keys.append(Line(f"skip: {first}", "rows above the header"))
    rows = [row for row in rows[first:] if any(row)]
    _fill(sample, rows, [], len(rows[0]) if rows else 0)
    return sample


def _of_parquet(path: Path) -> Sample:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            count = file.metadata.num_rows
            rows = next(file.iter_batches(ROWS), None)
            records = rows.to_pylist() if rows is not None else []
            if count > ROWS and file.num_row_groups > 1:
                records += file.read_row_group(file.num_row_groups - 1).slice(0, ROWS).to_pylist()
    except (pa.ArrowException, ValueError, OSError) as error:
        raise _no_table(path, in_brief(error)) from None
    return _of_records(Sample(path, whole=count <= ROWS), records)


def _of_json(path: Path) -> Sample:
    head, tail = ends(path)
    sample = Sample(path, whole=not tail)
    lines = head.decode("utf-8-sig", "replace").splitlines()
    try:
        records: Any = [json.loads(line) for line in (lines[:-1] if tail else lines) if line.strip()]
        if not records:  # one line, longer than what was read
            raise ValueError
        if len(records) == 1:
            records = records[0]
    except (ValueError, RecursionError):
        try:
            records = json.loads(b"".join(packed.chunks(path)))
            sample.whole = True
        except (ValueError, RecursionError) as error:
            raise _no_table(path, f"it is no JSON ({in_brief(error)})") from None
    at: list[str] = []
    while isinstance(records, dict):
        inner = next(((k, v) for k, v in records.items() if isinstance(v, list | dict) and v), None)
        if inner is None:
            records = [records]
        else:
            at, records = [*at, inner[0]], inner[1]
    if at:
        sample.keys.append(Line(f"records: {'.'.join(at)}", "where the list of records stands"))
    sample.whole = sample.whole and len(records) <= ROWS
    return _of_records(sample, [record for record in records[:ROWS] if isinstance(record, dict)])


def _of_records(sample: Sample, records: list[dict[str, Any]]) -> Sample:
    """Rows of records: nested ones as columns with dotted names, the items of a list as rows of their own."""
    flat = [_flat(record) for record in records]
    lists = dict.fromkeys(
        name for row in flat for name, value in row.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    )  # fmt: skip
    chosen = next(iter(lists), None)
    if chosen:
        sample.keys.append(Line(f"explode: {chosen}", "each of its items becomes a row", len(lists) == 1))
        sample.keys += [Line(f"explode: {name}", "or these", False) for name in list(lists)[1:]]
        flat = [
            {**row, chosen: None, **_flat(item, f"{chosen}.")}
            for row in flat for item in row.get(chosen) or () if isinstance(item, dict)
        ]  # fmt: skip
    names = dict.fromkeys(name for row in flat for name in row)
    sample.columns = {
        name: [_value(row.get(name)) for row in flat] for name in names if _usable(name) and name not in lists
    }
    return sample


def _flat(record: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in record.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found
