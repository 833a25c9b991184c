"""Bytes of files as they are unpacked: checked to their end, within limits, and their lines counted.

The count is independent of the engine that reads the rows: it looks at line ends and quotation marks alone.
"""

import errno
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CHUNK = 1 << 18  # bytes
LARGEST = 50 * 10**9  # bytes that are unpacked
# Packed data are rarely a twentieth of their size; a thousandth, all that deflate can do, is one sign repeated.
DENSEST, NEVER_DENSE = 300, 50 * 10**6  # times, and bytes that are unpacked in any case


class Damaged(Exception):
    """A packed file that is not whole, or unpacks to more than data do."""


def check_density(packed: int, unpacked: int) -> None:
    """Raise `Damaged` where a packed file unpacks to more than any data would."""
    if unpacked > LARGEST or (unpacked > NEVER_DENSE and unpacked > DENSEST * packed):
        raise Damaged(f"{packed:,} bytes unpack to {unpacked:,} or more, which no data do")


def check_workbook(path: Path) -> None:
    """Raise `Damaged` unless all members of a workbook are whole and of a size that data have."""
    try:
        with zipfile.ZipFile(path) as book:
            for member in book.infolist():
                check_density(member.compress_size, member.file_size)
            check_density(path.stat().st_size, sum(member.file_size for member in book.infolist()))
            broken = book.testzip()
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, OSError) as error:
        _reraise_system(error)
        raise Damaged(" ".join(str(error).split())) from None
    if broken:
        raise Damaged(f"its part {broken} has another checksum than it should")


def _reraise_system(error: Exception) -> None:
    """Raise an error of the system again; a place outside the file, which a damaged zip names, is none."""
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        raise error


def unpack(archive: Path, member: str, target: Path) -> None:
    """Write a member of a zip to `target`, its checksum compared on the way.

    `Damaged` where it is not whole, not there, or far larger than any data.
    """
    import lzma

    try:
        with zipfile.ZipFile(archive) as packed:
            if member not in packed.namelist():
                listed = ", ".join(packed.namelist()[:10])
                raise Damaged(f"the zip has no member {member}, only {listed[:200] or 'nothing'}")
            info = packed.getinfo(member)
            check_density(info.compress_size, info.file_size)
            with packed.open(info) as source, target.open("wb") as handle:
                size = 0
                while chunk := source.read(CHUNK):
                    size += len(chunk)
                    check_density(info.compress_size, size)
                    handle.write(chunk)
    except (
        zipfile.BadZipFile,
        KeyError,
        RuntimeError,
        EOFError,
        ValueError,
        OSError,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        _reraise_system(error)
        raise Damaged(f"the zip is damaged, or of a kind that cannot be read: {' '.join(str(error).split())}") from None


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file; of a .gz those that it unpacks to, each member's checksum and length compared.

    `Damaged` where a .gz is not whole, is followed by something else, or unpacks to more than data do.
    """
    with path.open("rb") as handle:
        blocks = iter(lambda: handle.read(CHUNK), b"")
        if path.suffix.lower() != ".gz":
            yield from blocks
            return
        size, member = 0, zlib.decompressobj(31)
        for block in blocks:
            while block:
                if member.eof:
                    if not block.strip(b"\0"):
                        raise Damaged("zeros follow the packed data, as on a tape: unpack the file and pack it again")
                    member = zlib.decompressobj(31)
                try:
                    data = member.decompress(block, CHUNK)
                    while data:
                        size += len(data)
                        check_density(path.stat().st_size, size)
                        yield data
                        data = member.decompress(member.unconsumed_tail, CHUNK) if not member.eof else b""
                except zlib.error as error:
                    raise Damaged(f"no gzip file, or a damaged one ({error})") from None
                block = member.unused_data if member.eof else b""
        if not member.eof:
            raise Damaged("the gzip file ends before its end")


@dataclass
class Lines:
    """What is counted of a delimited text in UTF-8, a quotation mark taken to open or close a field wherever it is."""

    rows: int = 0  # lines with something in them, the header among them
    blank: int = 0  # empty lines
    lf: int = 0  # line ends of this kind
    crlf: int = 0
    cr: int = 0
    longest: int = 0  # bytes of the longest line
    _seen: int = 0
    _last: int = -1
    _quotes: int = 0

    @property
    def plain(self) -> bool:
        """Whether all line ends are of one kind."""
        return sum(map(bool, (self.lf, self.crlf, self.cr))) <= 1

    def add(self, chunk: bytes) -> None:
        """Count a chunk, which ends in CR only where the file does."""
        signs = np.frombuffer(chunk, np.uint8)
        ends = signs == 10
        if b"\r" in chunk:
            alone = signs == 13
            alone[:-1] &= ~ends[1:]
            ends |= alone
        at = np.flatnonzero(ends)
        if self._quotes % 2 or b'"' in chunk:
            marks = np.flatnonzero(signs == 34)
            at = at[(np.searchsorted(marks, at) + self._quotes) % 2 == 0]
            self._quotes += len(marks)
        lengths = np.diff(at + self._seen, prepend=self._last) - 1
        if b"\r" in chunk:
            pair = (signs[at] == 10) & (signs[at - 1] == 13) & (at > 0)
            single = int((signs[at] == 13).sum())
            self.crlf, self.cr = self.crlf + int(pair.sum()), self.cr + single
            self.lf += len(at) - int(pair.sum()) - single
            lengths -= pair
        else:
            self.lf += len(at)
        if len(at):
            empty = int((lengths == 0).sum())
            self.rows, self.blank = self.rows + len(at) - empty, self.blank + empty
            self.longest = max(self.longest, int(lengths.max()))
            self._last = int(at[-1]) + self._seen
        self._seen += len(chunk)

    def close(self) -> None:
        """Count the last line, which may have no end."""
        left = self._seen - self._last - 1
        self.rows, self.longest = self.rows + (left > 0), max(self.longest, left)


def count_lines(path: Path) -> Lines:
    """Count the lines of a delimited text, unpacked where it is a .gz."""
    lines, held = Lines(), b""
    for chunk in chunks(path):
        chunk = held + chunk
        held = b"\r" if chunk.endswith(b"\r") else b""  # until it is known whether a line feed follows
        if len(chunk) > len(held):
            lines.add(chunk[: len(chunk) - len(held)])
    if held:
        lines.add(held)
    lines.close()
    return lines
