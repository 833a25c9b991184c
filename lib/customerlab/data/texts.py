"""Text files with delimiters: how they are opened, and what is wrong with one that a reader gives up on."""

import codecs
import csv
import gzip
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from customerlab.data.packed import Damaged, chunks, count_lines
from customerlab.data.sources import Source
from customerlab.errors import DataError

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, Damaged)  # what is said of half a .gz, or of what is none
LONGEST_ROW = 2_000_000  # bytes; DuckDB reads up to 2 MiB, and has left a last line of 32 MB out without a word
csv.field_size_limit(LONGEST_ROW)  # Python's own is 131,072


def delimiter(path: Path, source: Source) -> str:
    """The sign between the fields: the declared one, else what the file's name says."""
    return source.delimiter or ("\t" if ".tsv" in path.name.lower() else ",")


def is_utf8(source: Source) -> bool:
    """Whether the declared encoding is UTF-8, by whichever of its names."""
    return codecs.lookup(source.encoding).name in ("utf-8", "utf-8-sig")


def opened(path: Path, source: Source, errors: str = "strict") -> TextIO:
    """Open a text file, unpacked and decoded; a mark of the byte order at its beginning is no part of the text."""
    encoding = "utf-8-sig" if is_utf8(source) else source.encoding
    how = gzip.open if path.suffix.lower() == ".gz" else open
    return cast(TextIO, how(path, "rt", encoding=encoding, errors=errors, newline=""))


def recoded(path: Path, source: Source, folder: Path) -> Path:
    """Copy a text file into `folder` as UTF-8, unpacked."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=folder, delete=False) as copy:
        copy.writelines(codecs.iterdecode(chunks(path), source.encoding))
    return Path(copy.name)


def count(text: Path, path: Path, source: Source) -> int | None:
    """The rows of the file `path` by the line ends and quotation marks of `text`, the same in UTF-8; None if in doubt.

    A DataError where it is damaged, mixes line ends, or has a row that is too long or millions of empty lines.
    """
    try:
        lines = count_lines(text)
    except Damaged as error:
        raise _damaged(path, error) from None
    if lines.blank > max(lines.rows, 1_000_000):
        raise DataError(
            f"{lines.blank:,} of its lines are empty", where=path.name, expected="a row in every line",
            do="write the file again by the program it is from",
        )  # fmt: skip
    if lines.plain and lines.longest <= LONGEST_ROW:
        return lines.rows - 1
    if found := fault(path, source):
        raise found
    return None


def exact_count(path: Path, source: Source) -> int:
    """The rows of a text file by Python's own reader, which is slow and knows a quotation mark within a field."""
    with opened(path, source) as text:
        return sum(1 for row in csv.reader(text, delimiter=delimiter(path, source)) if row) - 1


class _Fed:
    """The lines of a text as they are handed to a reader: the end of the last, and the length of the row so far."""

    def __init__(self, text: TextIO) -> None:
        self.text, self.end, self.size = text, "", 0

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(LONGEST_ROW + 1):
            long = len(line) > LONGEST_ROW // 4
            self.size += len(line.encode("utf-8", "surrogateescape")) if long else len(line)
            if self.size > LONGEST_ROW:
                raise _TooLongError
            self.end = line[len(line.rstrip("\r\n")) :] or self.end
            yield line


class _TooLongError(Exception):
    pass


ENDS = {"\n": "LF (Linux, macOS)", "\r\n": "CRLF (Windows)", "\r": "CR (old Macs)"}


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"the file is damaged or incomplete: {' '.join(str(error).split())}", where=path.name,
        expected="a whole .gz file", do="get the file again",
    )  # fmt: skip


def fault(path: Path, source: Source) -> DataError | None:
    """The first fault in a text file: damage, a byte of another encoding, a row with too few or too many fields."""
    row, fields, end = -1, 0, ""
    try:
        with opened(path, source, errors="surrogateescape") as text:
            fed = _Fed(text)
            for found in csv.reader(iter(fed), delimiter=delimiter(path, source), strict=True):
                fed.size = 0
                row += bool(found)
                end = end or fed.end
                if fed.end != end:
                    return DataError(
                        f"the line ends are mixed: {ENDS[end]} at first, and {ENDS[fed.end]} here", where=_place(path, row),
                        expected="one kind in the whole file, apart from texts between quotation marks",
                        do="write the file again with one of them; two exports that were put together may differ in it",
                    )  # fmt: skip
                if not found:
                    continue
                for field in found:
                    if not field.isascii() and any("\udc80" <= sign <= "\udcff" for sign in field):
                        return _undecodable(path, source, _place(path, row), field)
                fields = fields or len(found)
                if len(found) != fields:
                    return DataError(
                        f"the row has {len(found)} fields, the header has {fields}", where=_place(path, row),
                        expected=f"{fields} fields in every row, with {delimiter(path, source)!r} between them",
                        do="fix the row (a text that holds the delimiter needs quotation marks), or `delimiter` in data/catalog.yml",
                    )  # fmt: skip
    except DAMAGED as error:
        return _damaged(path, error)
    except _TooLongError:
        return DataError(
            f"the row has more than {LONGEST_ROW:,} bytes", where=_place(path, row + 1), expected="rows of a shop's log",
            do="look for a quotation mark that is not closed, or for a file that has lost its line ends",
        )  # fmt: skip
    except UnicodeError:
        return _undecodable(path, source, path.name, "")
    except csv.Error:
        return DataError(
            "a quotation mark is not closed, or stands within a text", where=_place(path, row + 1),
            expected='texts between quotation marks, such as "a; b", and each mark within one doubled', do="fix the row",
        )  # fmt: skip
    return None


def _place(path: Path, row: int) -> str:
    return f"{path.name}, " + (f"row {row:,} below the header" if row > 0 else "header")


def _undecodable(path: Path, source: Source, where: str, field: str) -> DataError:
    found = f": {field.encode(source.encoding, 'surrogateescape')[:60]!r}" if field else ""
    return DataError(
        f"the text is not in {source.encoding}{found}", where=where, expected=f"the encoding {source.encoding}",
        do="set `encoding` of the file in data/catalog.yml, such as cp1252 or utf-16 (data/README.md lists more)",
    )  # fmt: skip
