"""Text files with delimiters: how they are opened, and what is wrong with one that a reader gives up on."""

import codecs
import csv
import gzip
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import TextIO, cast

from customerlab.data.catalog import Source
from customerlab.errors import DataError

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)  # what gzip says of half a file, or of what is none of its own


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
    with (
        opened(path, source) as text,
        tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=folder, delete=False) as copy,
    ):
        shutil.copyfileobj(text, copy, 1 << 20)
    return Path(copy.name)


def fault(path: Path, source: Source) -> DataError | None:
    """The first fault in a text file: damage, a byte of another encoding, a row with too few or too many fields."""
    row, fields = -1, 0
    try:
        with opened(path, source, errors="surrogateescape") as text:
            for row, found in enumerate(filter(None, csv.reader(text, delimiter=delimiter(path, source), strict=True))):
                for field in found:
                    if not field.isascii() and any("\udc80" <= sign <= "\udcff" for sign in field):
                        return _undecodable(path, source, _place(path, row), field)
                fields = fields or len(found)
                if len(found) != fields:
                    return DataError(
                        f"the row has {len(found)} fields, the header has {fields}", where=_place(path, row),
                        expected=f"{fields} fields in every row, with {delimiter(path, source)!r} between them",
                        do="mend the row (a text that holds the delimiter needs quotation marks), or `delimiter` in data/catalog.yml",
                    )  # fmt: skip
    except DAMAGED as error:
        return DataError(
            f"the file is damaged or incomplete: {' '.join(str(error).split())}", where=path.name,
            expected="a whole .gz file", do="get the file again",
        )  # fmt: skip
    except UnicodeError:
        return _undecodable(path, source, path.name, "")
    except csv.Error:
        return DataError(
            "a quotation mark is not closed, or stands within a text", where=_place(path, row + 1),
            expected='texts between quotation marks, such as "a; b", and each mark within one doubled', do="mend the row",
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
