"""Download a file: within limits of time and size, gone on with only where it is the same file, and data, not a page.

What has arrived is kept in `<name>.part` until it is whole. `<name>.part.json` says what it is a part of: the address,
and the server's mark of the edition (a validator: ETag, or the time of its last change).
"""

import queue
import threading
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from customerlab.data import packed
from customerlab.data.project import read_json, write_json
from customerlab.data.secrets import expanded

CHUNK = 1 << 16  # bytes
TIMEOUT = 60  # seconds without a byte, and until a server's answer has begun
DOWNLOAD_TIME = 6 * 3600  # seconds a try
SLOWEST = 2_000  # bytes a second, after the first minute
SLOW_FOR = 60  # seconds
LARGEST_DOWNLOAD = 50 * 10**9  # bytes
REDIRECTS = 5
MAGIC = {".zip": (b"PK\x03\x04",), ".xlsx": (b"PK\x03\x04",), ".parquet": (b"PAR1",), ".gz": (b"\x1f\x8b",)}
PACKED = {b"PK\x03\x04": "a zip or a workbook", b"PAR1": "a parquet file", b"\x1f\x8b": "a .gz", b"%PDF": "a PDF"}


class Refused(Exception):
    """What arrives, or how, is not what a download may be; `kept` where a next try can go on from it."""

    def __init__(self, said: str, *, kept: bool = False) -> None:
        super().__init__(said)
        self.kept = kept


FAILED = (requests.RequestException, urllib3.exceptions.HTTPError, Refused)


class Resumed:
    """A download into `part` that goes on where a broken one of the same edition stopped.

    `html` allows a page, because a checksum decides.
    """

    def __init__(self, part: Path, *, progress: bool, html: bool) -> None:
        self.part, self.progress, self.html = part, progress, html
        self.known = part.with_name(part.name + ".json")

    def download(self, url: str) -> None:
        """Bring what is at `url` into `part`, from the first byte that is not there; raises one of `FAILED`."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        begun = read_json(self.known) if self.part.is_file() else None
        begun = begun if isinstance(begun, dict) and begun.get("url") == url and begun.get("validator") else None
        if not (begun and self._arrive(url, begun)):
            self.forget()
            self._arrive(url, None)

    def forget(self) -> None:
        """Begin anew at the next try."""
        self.part.unlink(missing_ok=True)
        self.known.unlink(missing_ok=True)

    def _arrive(self, url: str, begun: dict[str, str] | None) -> bool:
        """Add to `part` what it lacks; whether that was possible."""
        have = self.part.stat().st_size if begun else 0
        headers = {"Accept-Encoding": "identity"}
        if begun:
            headers |= {"Range": f"bytes={have}-", "If-Range": begun["validator"]}
        begin = time.monotonic()
        with (
            requests.Session() as session,
            _answer(session, expanded(url, "data/catalog.yml, url"), headers) as response,
        ):
            if response.status_code not in (200, 206):
                if begun and response.status_code == requests.codes.requested_range_not_satisfiable:
                    return False
                response.raise_for_status()
                raise Refused(f"the server answers {response.status_code}, and not with a file")
            resumed = response.status_code == requests.codes.partial_content
            validator = _validator(response)
            follows = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if resumed and not (begun and validator == begun["validator"] and follows):
                return False
            if "html" in response.headers.get("Content-Type", "").lower() and not self.html:
                raise Refused(PAGE)
            if not resumed:
                have = 0
            left = response.headers.get("Content-Length", "")
            total = have + int(left) if left.isdecimal() else None
            _check_size(total or 0)
            if not resumed:
                self.part.write_bytes(b"")
                write_json(self.known, {"url": url, "validator": validator})
            self._write(response, have, total, begin, kept=bool(validator))
        return True

    def _write(self, response: requests.Response, have: int, total: int | None, begin: float, *, kept: bool) -> None:
        from tqdm import tqdm

        arrived = have
        with (
            self.part.open("ab") as handle,
            tqdm(
                total=total, initial=have, unit="B", unit_scale=True, desc=self.part.stem, disable=not self.progress
            ) as bar,
        ):
            # what has come, and not a whole chunk: a slow server would be waited for without end
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                handle.write(chunk)
                bar.update(len(chunk))
                arrived += len(chunk)
                _check_size(arrived)
                waited = time.monotonic() - begin
                slow = waited > SLOW_FOR and (arrived - have) / waited < SLOWEST
                if slow or waited > DOWNLOAD_TIME:
                    raise Refused(f"{arrived - have:,} bytes arrived in {waited:,.0f} s, which is too slow", kept=kept)
        if total is not None and arrived != total and "Content-Encoding" not in response.headers:
            raise Refused(f"{arrived:,} of {total:,} bytes arrived", kept=kept)


PAGE = "a page arrived and no data: the publisher may ask for a login or consent there, or the file has moved"


def _check_size(size: int) -> None:
    if size > LARGEST_DOWNLOAD:
        raise Refused(f"the file has more than {LARGEST_DOWNLOAD:,} bytes")


def _answer(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The answer to a request, redirects followed: few, to the web alone, and never from https to http."""
    for _ in range(REDIRECTS + 1):
        if urlsplit(url).scheme not in ("http", "https"):
            raise Refused("the server leads to an address that begins with neither https:// nor http://")
        response = _in_time(session, url, headers)
        if not response.is_redirect:
            return response
        following = urljoin(url, response.headers["Location"])
        response.close()
        if url.startswith("https:") and following.startswith("http:"):
            raise Refused("the server leads from https:// to http://, where anyone on the way can change the file")
        url = following
    raise Refused(f"the server leads to another address more than {REDIRECTS} times")


def _in_time(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The answer to one request, whose head has arrived in time: requests itself only counts from byte to byte."""
    found: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        session.resolve_redirects = lambda *_, **__: iter(())  # type: ignore[method-assign]  # it reads whole bodies
        try:
            found.put(session.get(url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False))
        except Exception as error:
            found.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = found.get(timeout=2 * TIMEOUT)
    except queue.Empty:
        raise Refused(f"the server has not answered within {2 * TIMEOUT} s") from None
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, requests.Response)
    return answer


def _validator(response: requests.Response) -> str:
    """What tells one edition of a file from another, to the byte; empty where the server says nothing of the kind."""
    if "Content-Encoding" in response.headers:
        return ""
    etag = response.headers.get("ETag", "")
    if etag:
        return etag if etag.startswith('"') else ""  # a weak one is W/"…"
    changed = response.headers.get("Last-Modified", "")
    try:
        # a file that has changed just now may change again within the second that the time is given to
        old = parsedate_to_datetime(response.headers["Date"]) - parsedate_to_datetime(changed) > timedelta(minutes=1)
    except (KeyError, ValueError, TypeError):
        return ""
    return changed if old else ""


def check_kind(path: Path, name: str, shown: str) -> None:
    """Raise `Refused` unless a file begins as one of its name does."""
    with path.open("rb") as handle:
        begin = handle.read(512)
    wanted = MAGIC.get(Path(name).suffix.lower())
    if begin.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
        raise Refused(PAGE)
    if wanted and not begin.startswith(wanted):
        raise Refused(f"{shown} does not begin as a {Path(name).suffix} file does")
    if not wanted and (found := next((kind for magic, kind in PACKED.items() if begin.startswith(magic)), None)):
        raise Refused(f"{shown} is {found}, and no text")


def unpack(archive: Path, member: str, target: Path) -> None:
    """Write a member of a zip to `target`; `Refused` where it is damaged, not there, or far larger than any data."""
    try:
        packed.unpack(archive, member, target)
    except packed.Damaged as error:
        raise Refused(str(error)) from None
