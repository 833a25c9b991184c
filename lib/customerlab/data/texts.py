"""Text files: how they are opened and laid out, and what is wrong with one that a reader gives up on."""

import codecs
import csv
import gzip
import io
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

from customerlab.data.packed import Damaged, chunks, count_lines
from customerlab.data.sources import BLANKS, Source
from customerlab.errors import DataError

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, Damaged)  # what is said of half a .gz, or of what is none
LONGEST_ROW = 2_000_000  # bytes; DuckDB reads up to 2 MiB, and has left a last line of 32 MB out without a word
Error = csv.Error
csv.field_size_limit(LONGEST_ROW)  # Python's own is 131,072


def delimiter(path: Path, source: Source) -> str:
    """The sign between the fields: the declared one, else what the file's name says."""
    return source.delimiter or ("\t" if path.name.lower().endswith((".tsv", ".tsv.gz")) else ",")


def laid_out(source: Source) -> bool:
    """Whether the fields of a line are told by their place in it, or by the blanks between them."""
    return source.delimiter == BLANKS or bool(source.widths)


def is_utf8(source: Source) -> bool:
    """Whether the declared encoding is UTF-8, by whichever of its names."""
    return codecs.lookup(source.encoding).name in ("utf-8", "utf-8-sig")


def opened(path: Path, source: Source, errors: str = "strict") -> TextIO:
    """Open a text file, unpacked and decoded; a mark of the byte order at its beginning is no part of the text."""
    encoding = "utf-8-sig" if is_utf8(source) else source.encoding
    how = gzip.open if path.suffix.lower() == ".gz" else open
    text = cast(TextIO, how(path, "rt", encoding=encoding, errors=errors, newline=""))
    try:
        for _ in range(source.skip):
            while (part := text.readline(LONGEST_ROW)) and not part.endswith(("\r", "\n")):
                pass
    except BaseException:
        text.close()
        raise
    return text


def check_mark(path: Path, source: Source) -> None:
    """Raise where a file begins with the mark of UTF-8 and the catalogue has another encoding for it."""
    with suppress(Damaged, StopIteration):  # told by whoever reads on
        if not is_utf8(source) and next(chunks(path)).startswith(codecs.BOM_UTF8):
            raise DataError(
                f"it begins as UTF-8 does, and `encoding` is {source.encoding}", where=path.name,
                expected="one encoding", do="remove `encoding` from the file's entry in data/catalog.yml",
            )  # fmt: skip


def plain(path: Path, source: Source, folder: Path) -> Path:
    """A text file as the engine can read it: itself, or a copy in `folder`, in UTF-8, unpacked, from the header on."""
    if is_utf8(source) and not source.skip:
        return path
    blocks: Iterable[bytes] = chunks(path)
    if not is_utf8(source):  # DuckDB knows three encodings, Python all that are in use
        blocks = (text.encode() for text in codecs.iterdecode(blocks, source.encoding))
    with tempfile.NamedTemporaryFile("wb", dir=folder, delete=False) as copy:
        copy.writelines(_below(blocks, source.skip))
    return Path(copy.name)


def _below(blocks: Iterable[bytes], lines: int) -> Iterator[bytes]:
    """What stands below the first lines of a text in UTF-8."""
    held = b""
    for block in blocks:
        block, at = held + block, 0
        while lines and (end := _END.search(block, at)):
            at, lines = end.end(), lines - 1
        held = b"\r" if lines and block.endswith(b"\r") else b""  # a line feed may follow
        if not lines:
            yield block[at:]


_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")
_FIELD = re.compile(r'"(?:[^"]|"")*"(?=[ \t]|$)|[^ \t]+')


def fields_of(line: str, source: Source) -> list[str]:
    """The fields of a line that are told by their place or by the blanks between them; a ValueError says what is wrong.

    Examples
    --------
    >>> fields_of(' 00001 "a b"\t 1', Source("log", (), delimiter="blanks"))
    ['00001', 'a b', '1']
    >>> fields_of("00001  1 11.77", Source("log", (), widths=(5, 3, 6)))
    ['00001', '1', '11.77']
    """
    if not source.widths:
        found = _FIELD.findall(line)
        if any(field.startswith('"') and not (len(field) > 1 and field.endswith('"')) for field in found):
            raise ValueError("a quotation mark is not closed")
        return [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in found]
    ends = [sum(source.widths[: n + 1]) for n in range(len(source.widths))]
    if line[ends[-1] :].strip():
        raise ValueError(f"the line has {len(line.rstrip())} signs, and `widths` are {ends[-1]} in all")
    return [line[end - width : end].strip() for end, width in zip(ends, source.widths, strict=True)]


def first(path: Path, source: Source) -> list[str]:
    """The fields of the first line, where the header should be."""
    with opened(path, source) as text:
        if laid_out(source):
            return next((fields_of(line.rstrip("\r\n"), source) for line in _Fed(text)), [])
        begin = io.StringIO(text.read(LONGEST_ROW), newline="")
        return next(csv.reader(begin, delimiter=delimiter(path, source)), [])


def below(path: Path, source: Source, wanted: list[str]) -> str:
    """The keys to write where one of the first 20 lines has all wanted columns, or has them with another delimiter."""
    signs = dict.fromkeys((source.delimiter or delimiter(path, source), ",", ";", "\t", "|", BLANKS))
    with opened(path, replace(source, skip=0), errors="replace") as text:
        for number, line in enumerate(islice(_Fed(text, lines=True), 20)):
            for sign in signs:
                tried = replace(source, delimiter=sign, widths=source.widths if sign == BLANKS else ())
                with suppress(ValueError, csv.Error):
                    bare = line.rstrip("\r\n")
                    found = fields_of(bare, tried) if laid_out(tried) else next(csv.reader([bare], delimiter=sign), [])
                    if set(wanted) <= set(found):
                        skip = f"`skip: {number}`" if number != source.skip else ""
                        written = "blanks" if sign == BLANKS else '"\\t"' if sign == "\t" else f'"{sign}"'
                        other = f"`delimiter: {written}`" if sign != delimiter(path, source) else ""
                        return " and ".join(filter(None, (skip, other)))
    return ""


def tabulated(path: Path, source: Source, folder: Path) -> tuple[Path, int]:
    """Copy the rows of a text that is laid out into `folder` as a CSV without a header; the copy, and how many.

    A DataError where it is damaged, mixes line ends, is in another encoding, or a line has too many or too few fields.
    """
    row, names, end = 0, source.header, ""
    try:
        if path.suffix.lower() == ".gz":
            for _ in chunks(path):  # whole, and of a size that data have
                pass
        with (
            opened(path, source) as text,
            tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", newline="", suffix=".csv", dir=folder, delete=False
            ) as copy,
        ):
            write = csv.writer(copy, quoting=csv.QUOTE_ALL).writerow
            for line in _Fed(text, lines=True):
                bare = line.rstrip("\r\n")
                here = line[len(bare) :]
                end = end or here
                if here and here != end:
                    raise mixed(end, here, _place(path, row + (names is not None), source))
                if not bare.strip():
                    continue
                try:
                    found = fields_of(bare, source)
                    if names is not None and len(found) != len(names):
                        raise ValueError(
                            f"the row has {len(found)} fields, and there are {len(names)} names of columns"
                        )
                except ValueError as error:
                    raise DataError(
                        str(error), where=_place(path, row + (names is not None), source),
                        expected="the fields of a row in every line",
                        do="fix the row, or `delimiter`, `widths`, `header` or `skip` of the file in data/catalog.yml",
                    ) from None  # fmt: skip
                if names is None:
                    names = tuple(found)
                    continue
                row += 1
                write(found)
    except DAMAGED as error:
        raise damaged(path, error) from None
    except _TooLongError:
        raise _too_long(_place(path, row + 1, source)) from None
    except UnicodeError:
        raise fault(path, source) or _undecodable(path, source, path.name, "") from None
    return Path(copy.name), row


def count(text: Path, path: Path, source: Source) -> int | None:
    """The rows of the file `path` by the line ends and quotation marks of `text`, the same in UTF-8; None if in doubt.

    A DataError where it is damaged, mixes line ends, or has a row that is too long or millions of empty lines.
    """
    try:
        lines = count_lines(text)
    except Damaged as error:
        raise damaged(path, error) from None
    if lines.blank > max(lines.rows, 1_000_000):
        raise DataError(
            f"{lines.blank:,} of its lines are empty", where=path.name, expected="a row in every line",
            do="write the file again by the program it is from",
        )  # fmt: skip
    if lines.plain and lines.longest <= LONGEST_ROW:
        return lines.rows - (source.header is None)
    if found := fault(path, source):
        raise found
    return None


def exact_count(path: Path, source: Source) -> int:
    """The rows of a text file by Python's own reader, which is slow and knows a quotation mark within a field."""
    with opened(path, source) as text:
        return sum(1 for row in csv.reader(text, delimiter=delimiter(path, source)) if row) - (source.header is None)


class _Fed:
    """The lines of a text as they are handed to a reader: the end of the last, and the length of the row so far."""

    def __init__(self, text: TextIO, *, lines: bool = False) -> None:
        self.text, self.end, self.size, self.lines = text, "", 0, lines

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(LONGEST_ROW + 1):
            long = len(line) > LONGEST_ROW // 4
            self.size += len(line.encode("utf-8", "surrogateescape")) if long else len(line)
            if self.size > LONGEST_ROW:
                raise _TooLongError
            if self.lines:
                self.size = 0
            self.end = line[len(line.rstrip("\r\n")) :] or self.end
            yield line


class _TooLongError(Exception):
    pass


def _too_long(where: str) -> DataError:
    return DataError(
        f"the row has more than {LONGEST_ROW:,} bytes", where=where, expected="rows of a shop's log",
        do="look for a quotation mark that is not closed, or for a file that has lost its line ends",
    )  # fmt: skip


ENDS = {"\n": "LF (Linux, macOS)", "\r\n": "CRLF (Windows)", "\r": "CR (old Macs)"}


def damaged(path: Path, error: Exception) -> DataError:
    """The error for a file that is not whole."""
    return DataError(
        f"the file is damaged or incomplete: {' '.join(str(error).split())}", where=path.name,
        expected="a whole .gz file", do="get the file again",
    )  # fmt: skip


def fault(path: Path, source: Source) -> DataError | None:
    """The first fault in a text file: damage, a byte of another encoding, a row with too few or too many fields."""
    row, fields, end = -(source.header is None), len(source.header or ()), ""
    try:
        with opened(path, source, errors="surrogateescape") as text:
            fed = _Fed(text, lines=laid_out(source))
            if laid_out(source):
                rows: Iterator[list[str]] = ([line] if line.strip() else [] for line in fed)
            else:
                rows = csv.reader(iter(fed), delimiter=delimiter(path, source), strict=True)
            for found in rows:
                fed.size = 0
                row += bool(found)
                end = end or fed.end
                if fed.end != end:
                    return mixed(end, fed.end, _place(path, row, source))
                if not found:
                    continue
                for field in found:
                    if not field.isascii() and any("\udc80" <= sign <= "\udcff" for sign in field):
                        return _undecodable(path, source, _place(path, row, source), field)
                fields = fields or len(found)
                if len(found) != fields and not laid_out(source):
                    names = "`header`" if source.header else "the header"
                    return DataError(
                        f"the row has {len(found)} fields, {names} has {fields}", where=_place(path, row, source),
                        expected=f"{fields} fields in every row, with {delimiter(path, source)!r} between them",
                        do="fix the row (a text that holds the delimiter needs quotation marks), or `delimiter` in data/catalog.yml",
                    )  # fmt: skip
    except DAMAGED as error:
        return damaged(path, error)
    except _TooLongError:
        return _too_long(_place(path, row + 1, source))
    except UnicodeError:
        return _undecodable(path, source, path.name, "")
    except csv.Error:
        return DataError(
            "a quotation mark is not closed, or stands within a text", where=_place(path, row + 1, source),
            expected='texts between quotation marks, such as "a; b", and each mark within one doubled', do="fix the row",
        )  # fmt: skip
    return None


def mixed(first: str, here: str, where: str) -> DataError:
    """The error for line ends of two kinds."""
    return DataError(
        f"the line ends are mixed: {ENDS[first]} at first, and {ENDS[here]} here", where=where,
        expected="one kind in the whole file, apart from texts between quotation marks",
        do="write the file again with one of them; two exports that were put together may differ in it",
    )  # fmt: skip


def _place(path: Path, row: int, source: Source) -> str:
    if source.header is not None:
        return f"{path.name}, row {max(row, 1):,}"
    return f"{path.name}, " + (f"row {row:,} below the header" if row > 0 else "header")


def _undecodable(path: Path, source: Source, where: str, field: str) -> DataError:
    """The error for bytes of another encoding, which it shows with what stands around the first of them."""
    at = next((place for place, sign in enumerate(field) if "\udc80" <= sign <= "\udcff"), 0)
    begin = max(0, at - 20)
    return undecodable(path, source, where, field[begin : begin + 60].encode(source.encoding, "surrogateescape"))


def undecodable(path: Path, source: Source, where: str, found: bytes) -> DataError:
    """The error for a text in another encoding than is declared, with some bytes of it."""
    marks = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    begin = b""
    with suppress(Damaged, StopIteration):
        begin = next(chunks(path))[:2]
    usual = "such as cp1252 or utf-16 (data/README.md lists more)"
    fitting = f"`{marks[begin]}`, because it begins as such a file does" if begin in marks else usual
    return DataError(
        f"the text is not in {source.encoding}" + (f": {found[:60]!r}" if found else ""), where=where,
        expected=f"the encoding {source.encoding}",
        do=f"set `encoding` of the file in data/catalog.yml, {fitting}",
    )  # fmt: skip
