"""JSON: a list of records, at the top or within, or one record after another, as texts in columns.

A record is read at a time, so that a file may be larger than memory. Numbers stay the texts that they are: 12.50 keeps
its zero, and an id of twenty digits all of them.
"""

import codecs
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from customerlab.data import texts
from customerlab.data.items import nested
from customerlab.data.packed import Damaged, chunks
from customerlab.data.sources import Source
from customerlab.errors import DataError, shown

LARGEST_RECORD = 64 * 10**6  # signs
BATCH, SAMPLE = 20_000, 1_000  # rows that are written at a time, and records whose fields messages name
DEEPEST = 20  # records within each other whose fields are named
_BLANKS = re.compile(r"[ \t\r\n]*")
_ABSENT = object()

# What Python's reader expects at a place, in words of our own.
EXPECTED = {
    "Expecting value": "a value: a text in quotation marks, a number, true, false, null, a list or a record",
    "Expecting ',' delimiter": "a comma, or the end of the list or record",
    "Expecting ':' delimiter": "a colon between a name and its value",
    "Expecting property name": "a name in quotation marks",
    "Illegal trailing comma": "no comma before the end of a list or record",
    "Unterminated string": "a quotation mark at the end of the text that begins here",
    "Invalid control character": "a text without line ends, tabs and the like; JSON writes them as \\n and \\t",
    "Invalid \\": "one of the signs that JSON has after a backslash",
}


class _Number(str):
    """A number as it is written."""


class _TwiceError(Exception):
    """A name that stands in a record twice."""


def _record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


class _Text:
    """The text of a file as it is read on, and the values in it."""

    def __init__(self, path: Path, source: Source) -> None:
        texts.check_mark(path, source)
        encoding = "utf-8-sig" if texts.is_utf8(source) else source.encoding
        self.path, self.source = path, source
        self.blocks = codecs.iterdecode(chunks(path), encoding)
        self.buffer, self.at, self.line = "", 0, 1  # line: of the buffer's beginning
        self.read = json.JSONDecoder(
            object_pairs_hook=_record, parse_float=_Number, parse_int=_Number, parse_constant=_Number
        ).raw_decode

    def more(self) -> bool:
        """Read on, as much as is held already; False at the end of the file."""
        rest, new = self.buffer[self.at :], ""
        try:
            while len(new) <= len(rest) and (block := next(self.blocks, None)) is not None:
                new += block
        except Damaged as error:
            raise texts.damaged(self.path, error) from None
        except UnicodeDecodeError as error:
            found = bytes(error.object)[max(0, error.start - 20) : error.start + 40]
            raise texts.undecodable(self.path, self.source, self.place(), found) from None
        if not new:
            return False
        self.line += self.buffer.count("\n", 0, self.at)
        self.buffer, self.at = rest + new, 0
        return True

    def place(self, at: int | None = None) -> str:
        """How messages name a place in the file."""
        line = self.line + self.buffer.count("\n", 0, self.at if at is None else at)
        return f"{self.path.name}, line {line:,}"

    def damaged(self, expected: str, at: int | None = None) -> DataError:
        """The error for a file that is no JSON from here on."""
        ended = not self.sign() if at is None else at >= len(self.buffer)
        return DataError(
            "the file ends before its end" if ended else "the file is no JSON, or damaged", where=self.place(at), expected=expected,
            do="get the file again, or write it again by the program it is from",
        )  # fmt: skip

    def sign(self) -> str:
        """The next sign that is no blank; nothing at the end."""
        while True:
            blanks = _BLANKS.match(self.buffer, self.at)
            self.at = blanks.end() if blanks else self.at
            if self.at < len(self.buffer) or not self.more():
                return self.buffer[self.at : self.at + 1]

    def take(self, sign: str, expected: str) -> None:
        """Go past a sign that has to stand here."""
        if self.sign() != sign:
            raise self.damaged(expected)
        self.at += 1

    def value(self) -> Any:
        """The next value, whole."""
        self.sign()
        while True:
            try:
                found, end = self.read(self.buffer, self.at)
                # a number near the end of the text so far may go on, such as the 1 of 1.5 and of 1e+5
                if len(self.buffer) - end > 2 or self.buffer[end - 1] in '}]"' or not self.more():
                    self.at = end
                    return found
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos > len(self.buffer) - 16
                if cut and len(self.buffer) - self.at > LARGEST_RECORD:
                    raise DataError(
                        f"a record has more than {LARGEST_RECORD:,} signs", where=self.place(), expected="records of a shop's log",
                        do="name the list of records with `records`, or look for a quotation mark that is not closed",
                    ) from None  # fmt: skip
                if not (cut and self.more()):
                    words = next((said for begin, said in EXPECTED.items() if error.msg.startswith(begin)), "JSON")
                    raise self.damaged(words, len(self.buffer) if "Untermin" in error.msg else error.pos) from None
            except _TwiceError as error:
                raise DataError(
                    f"a record has the name {shown(str(error))} twice", where=self.place(), expected="every name once",
                    do="write the file again by the program it is from",
                ) from None  # fmt: skip
            except RecursionError:
                raise DataError(
                    "records and lists are nested deeper than any data are", where=self.place(), expected="records of a shop's log",
                ) from None  # fmt: skip

    def listed(self) -> Iterator[Any]:
        """The values of the list that begins here."""
        self.take("[", "a list")
        if self.sign() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            if self.sign() == "]":
                self.at += 1
                return
            self.take(",", EXPECTED["Expecting ',' delimiter"])

    def within(self, names: list[str], above: str = "") -> Iterator[Any]:
        """The values of the list that stands under these names in the record that begins here."""
        self.take("{", f"a record with {shown(names[0])}")
        seen: set[str] = set()
        more = self.sign() != "}"
        self.at += not more
        while more:
            name = self.value()
            if not isinstance(name, str) or isinstance(name, _Number):
                raise self.damaged(EXPECTED["Expecting property name"])
            self.take(":", EXPECTED["Expecting ':' delimiter"])
            if name in seen:
                raise DataError(
                    f"a record has the name {shown(name)} twice", where=self.place(), expected="every name once"
                )
            seen.add(name)
            if name != names[0]:
                for _ in self.listed() if self.sign() == "[" else [self.value()]:
                    pass
            elif self.sign() == ("[" if not names[1:] else "{"):
                yield from self.listed() if not names[1:] else self.within(names[1:], f"{above}{name}.")
            else:
                raise DataError(
                    f"at {above}{name} stands no {'record' if names[1:] else 'list of records'}", where=self.place(),
                    expected="a list of records where `records` says", do="fix `records` of the file in data/catalog.yml",
                )  # fmt: skip
            more = self.sign() != "}"
            if more:
                self.take(",", EXPECTED["Expecting ',' delimiter"])
            else:
                self.at += 1
        if names[0] not in seen:
            raise DataError(
                f"there is no {above}{names[0]}", where=f"{self.place()}, which has {', '.join(map(repr, sorted(seen)[:50]))}",
                expected="a list of records where `records` says", do="fix `records` of the file in data/catalog.yml",
            )  # fmt: skip


def records(path: Path, source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a file, numbered from 1; a DataError where it is damaged, and with which line."""
    text = _Text(path, source)

    def values() -> Iterator[Any]:
        if not source.records and text.sign() == "[":
            yield from text.listed()
            if text.sign():
                raise text.damaged("the end of the file, after the end of its list")
        while text.sign():
            if source.records:
                yield from text.within(source.records.split("."))
            else:
                yield text.value()

    for number, value in enumerate(values(), 1):
        if not isinstance(value, dict):
            raise DataError(
                f"it is {_kind(value)}, and no record", where=f"{path.name}, record {number:,}", expected='records: {"name": value, …}',
                do="name the list of records with `records` of the file in data/catalog.yml",
            )  # fmt: skip
        yield number, value


def _kind(value: Any) -> str:
    return {list: "a list", dict: "a record", type(None): "null"}.get(type(value), "a single value")


def names(path: Path, source: Source, most: int | None = None) -> list[str]:
    """The columns of a file, of the first `most` records where that is given: records within have names with points."""
    found: dict[str, None] = {}
    for number, record in records(path, source):
        if most is not None and number > most:
            break
        found |= dict.fromkeys(_fields(record, source.explode))
    return list(found)


def below(path: Path, source: Source, wanted: list[str]) -> str:
    """The key to write where the first record holds a list of records that have all wanted columns."""
    waiting = [("", next((record for _, record in records(path, source)), None))] if not source.records else []
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict) and name.count(".") < DEEPEST:
            waiting += [(f"{name}.{key}" if name else key, inner) for key, inner in value.items()]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            with suppress(_NestedError):
                if all(_found(value[0], column) is not _ABSENT for column in (*source.explode[:1], *wanted)):
                    return f"`records: {name}`"
    return ""


def _fields(value: Any, explode: tuple[str, ...], above: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value and above.count(".") < DEEPEST:
        for name, inner in value.items():
            yield from _fields(inner, explode, f"{above}.{name}" if above else name)
    elif isinstance(value, list) and above in explode:
        for item in value:
            yield from _fields(item, explode, above)
    else:
        yield above


class _NestedError(Exception):
    """A list or a record where a single value is wanted; the arguments are its name and the value."""


class _NoListError(Exception):
    """Something else where a list is wanted."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__(name)
        self.value = value


def _found(value: Any, name: str, above: str = "") -> Any:
    """What stands in a record under a name, which may lead into records within it."""
    if not name:
        return value
    if isinstance(value, list):
        raise _NestedError(above, value)
    if not isinstance(value, dict):
        return _ABSENT
    if name in value:
        return value[name]
    at = name.find(".")
    while at > 0:
        if name[:at] in value:
            return _found(value[name[:at]], name[at + 1 :], f"{above}.{name[:at]}" if above else name[:at])
        at = name.find(".", at + 1)
    return _ABSENT


@dataclass
class Table:
    """The wanted columns of a file as rows: a record, or an item of those that are exploded."""

    path: Path
    source: Source
    wanted: list[str]
    rows: int = 0
    seen: set[str] = field(default_factory=set)  # names that some record has
    without: Counter[str] = field(default_factory=Counter)  # records without items, by the list

    def __post_init__(self) -> None:
        self.lists = self.source.explode
        self._places = [self._place(name, len(self.lists)) for name in self.wanted]
        self._nested = [self._place(name, level) for level, name in enumerate(self.lists)]

    def _place(self, name: str, level: int) -> tuple[str, int, str, str]:
        """A name; the innermost list that it is within, from 1, or 0; what leads on from there; and the list's name."""
        for above in range(level, 0, -1):
            if name == self.lists[above - 1] or name.startswith(f"{self.lists[above - 1]}."):
                return name, above, name[len(self.lists[above - 1]) + 1 :], self.lists[above - 1]
        return name, 0, name, ""

    def absent(self) -> list[str]:
        """The columns that no record has."""
        return [name for name in (*self.lists, *self.wanted) if name not in self.seen]

    def write(self, folder: Path) -> Path:
        """Write the rows into `folder` as parquet: texts, in the order of `wanted`, and last the record's number."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = [pa.string()] * len(self.wanted) + [pa.int64()]
        schema = pa.schema([(f"column_{place}", kind) for place, kind in enumerate(kinds)])
        with (
            tempfile.NamedTemporaryFile(suffix=".parquet", dir=folder, delete=False) as copy,
            pq.ParquetWriter(copy, schema) as writer,
        ):
            rows = self._all()
            while batch := list(islice(rows, BATCH)):
                try:
                    columns = [pa.array(c, k) for c, k in zip(zip(*batch, strict=True), kinds, strict=True)]
                except UnicodeEncodeError:
                    raise self._half(batch) from None
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        return Path(copy.name)

    def _half(self, batch: list[list[Any]]) -> DataError:
        row = next(
            row for row in batch if any("\ud800" <= sign <= "\udfff" for text in row[:-1] for sign in text or "")
        )
        return DataError(
            "a text has half of a sign, such as \\ud800 without its other half", where=self._at(row[-1]), expected="whole signs",
            do="write the file again by the program it is from",
        )  # fmt: skip

    def _at(self, number: int) -> str:
        return f"{self.path.name}, record {number:,}"

    def _all(self) -> Iterator[list[Any]]:
        decimal = self.source.decimal
        for number, record in records(self.path, self.source):
            try:
                for levels in self._items([record]):
                    row = []
                    for name, level, rest, above in self._places:
                        value = _found(levels[level], rest, above)
                        if value is _ABSENT:
                            value = None
                        else:
                            self.seen.add(name)
                            if type(value) is _Number:
                                value = value.replace(".", decimal)
                            elif value is True or value is False:
                                value = "true" if value else "false"
                            elif isinstance(value, list | dict):
                                raise _NestedError(name, value)
                        row.append(value)
                    self.rows += 1
                    yield [*row, number]
            except _NestedError as error:
                raise _nested(error.args[0], error.args[1], self.lists, self._at(number)) from None
            except _NoListError as error:
                raise DataError(
                    f"{error} is {_kind(error.value)}, and no list", where=self._at(number), expected="a list where `explode` says",
                    do="fix `explode` of the file in data/catalog.yml, or the file",
                ) from None  # fmt: skip

    def _items(self, levels: list[Any]) -> Iterator[list[Any]]:
        """The items of the lists, one within the other, each with the records that it stands in."""
        if len(levels) > len(self.lists):
            yield levels
            return
        name, level, rest, above = self._nested[len(levels) - 1]
        items = _found(levels[level], rest, above)
        if items is not _ABSENT:
            self.seen.add(name)
        if items is _ABSENT or items is None or items == []:
            self.without[name] += 1
        elif not isinstance(items, list):
            raise _NoListError(name, items)
        else:
            for item in items:
                yield from self._items([*levels, item])


def _nested(name: str, value: Any, exploded: tuple[str, ...], where: str) -> DataError:
    item = next((item for item in value if item is not None), None) if isinstance(value, list) else value
    return nested(name, isinstance(value, list), list(item) if isinstance(item, dict) else [], exploded, where)
