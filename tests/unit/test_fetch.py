"""Finding files, and downloading them from a server on loopback: checksums, resuming, zip members."""

import contextlib
import hashlib
import http.server
import io
import os
import socket
import threading
import zipfile
from functools import partial

import pytest

from customerlab.data import download, fetch, packed, project
from customerlab.data.catalog import DataSet, load_catalog
from customerlab.data.sources import Form, Source
from customerlab.errors import CustomerlabError, DataError
from helpers import served

BODY = b"a,b\n" + b"1,2\n" * 300_000
SHA = hashlib.sha256(BODY).hexdigest()


ETAG = '"one"'


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a body with ranges, where the asker has the same edition; the state says what it does besides."""

    def __init__(self, state, *args):
        self.state = state
        super().__init__(*args)

    def do_GET(self):
        state, start = self.state, 0
        body = state["body"]
        asked, edition = self.headers.get("Range"), self.headers.get("If-Range")
        state["ranges"].append(asked)
        state["asked"] = dict(self.headers)
        if state.get("location"):
            self.send_response(302)
            self.send_header("Location", state["location"])
            self.end_headers()
            return
        marks = state["marks"]
        if asked and (state.get("careless") or edition in marks.values()):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body) or state.pop("416", False):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(state.get("length", len(body) - start)))
        for name, value in marks.items():
            self.send_header(name, value)
        self.end_headers()
        stop = len(body) // 2 if state.pop("break", False) else len(body)
        if state.get("slow"):
            for place in range(start, stop):
                self.wfile.write(body[place : place + 1])
                if state["slow"].wait(0.02):
                    break
        else:
            self.wfile.write(body[start:stop])
        self.close_connection = True

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    state = {"body": BODY, "ranges": [], "marks": {"ETag": ETAG}}
    with served(partial(Handler, state)) as address:
        state["url"] = f"{address}/shop.csv"
        yield state


def entry(*forms):
    source = Source("log", forms)
    return DataSet("shop", "A shop", "", "", {"log": source}, {}, "shop"), source


def test_a_file_is_downloaded_checked_and_found_again(project, server):
    data_set, source = entry(Form("shop.csv", SHA, server["url"]))
    (path,) = fetch.fetch(project, data_set, source, progress=False)
    assert path == project / "data" / "raw" / "shop.csv" and path.read_bytes() == BODY
    fetch.fetch(project, data_set, source, progress=False)
    assert len(server["ranges"]) == 1
    assert [p.name for p in (project / "data" / "cache").iterdir()] == ["digests.json"]


def test_a_broken_download_goes_on_where_it_stopped(project, server):
    data_set, source = entry(Form("shop.csv", SHA, server["url"]))
    server["break"] = True
    with pytest.raises(DataError, match="failed") as caught:
        fetch.fetch(project, data_set, source, progress=False)
    assert "goes on from there" in str(caught.value)
    assert not (project / "data" / "raw" / "shop.csv").exists()
    have = (project / "data" / "cache" / "shop-shop.csv.part").stat().st_size
    assert 0 < have < len(BODY)
    (path,) = fetch.fetch(project, data_set, source, progress=False)
    assert server["ranges"] == [None, f"bytes={have}-"] and path.read_bytes() == BODY


def test_another_file_than_declared_is_refused(project, server):
    data_set, source = entry(Form("shop.csv", "0" * 64, server["url"]))
    with pytest.raises(DataError) as caught:
        fetch.fetch(project, data_set, source, progress=False)
    assert "0" * 64 in str(caught.value)
    assert not (project / "data" / "raw" / "shop.csv").exists()


def test_the_member_of_a_zip_is_taken(project, server):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("in it/shop.csv", BODY)
    server["body"] = buffer.getvalue()
    data_set, source = entry(Form("shop.csv", SHA, server["url"].replace(".csv", ".zip"), "in it/shop.csv"))
    (path,) = fetch.fetch(project, data_set, source, progress=False)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("at", [0, 60, 200, -30])
def test_a_zip_with_a_damaged_byte_is_refused(project, server, at):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("shop.csv", bytes(range(256)) * 40)
    body = bytearray(buffer.getvalue())
    body[at] ^= 0xFF
    server["body"] = bytes(body)
    data_set, source = entry(Form("shop.csv", None, server["url"].replace(".csv", ".zip"), "shop.csv"))
    with pytest.raises(DataError, match="the download of 'shop' failed"):
        fetch.fetch(project, data_set, source, progress=False)
    assert not (project / "data" / "raw" / "shop.csv").exists()


def test_a_missing_member_is_named(project, server):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("other.csv", BODY)
    server["body"] = buffer.getvalue()
    data_set, source = entry(Form("shop.csv", SHA, server["url"].replace(".csv", ".zip"), "shop.csv"))
    with pytest.raises(DataError, match=r"shop\.csv"):
        fetch.fetch(project, data_set, source, progress=False)


def test_an_unreachable_publisher_is_named(project):
    data_set, source = entry(Form("shop.csv", SHA, "http://127.0.0.1:9/shop.csv"))
    with pytest.raises(DataError, match="download of 'shop' failed"):
        fetch.fetch(project, data_set, source, progress=False)


def test_the_look_up_order(project, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shop.csv").write_text("outside")
    monkeypatch.setenv("CUSTOMERLAB_DATA", str(outside))
    _, source = entry(Form("shop.parquet"), Form("shop.csv"))
    assert fetch.locate(project, source)[1] == [outside / "shop.csv"]
    raw = project / "data" / "raw"
    raw.mkdir()
    (raw / "shop.csv").write_text("raw")
    assert fetch.locate(project, source)[1] == [raw / "shop.csv"]


def test_a_missing_file_is_named_with_the_folders(project, monkeypatch):
    monkeypatch.setenv("CUSTOMERLAB_DATA", "elsewhere")
    data_set, source = entry(Form("shop.csv"))
    with pytest.raises(DataError, match=r"shop\.csv") as caught:
        fetch.fetch(project, data_set, source)
    assert "data/raw/" in str(caught.value) and "elsewhere" in str(caught.value)


def test_a_wrong_checksum_of_a_file_at_hand(project):
    raw = project / "data" / "raw"
    raw.mkdir()
    (raw / "shop.csv").write_text("changed")
    data_set, source = entry(Form("shop.csv", SHA))
    with pytest.raises(DataError, match="checksum") as caught:
        fetch.fetch(project, data_set, source)
    assert SHA in str(caught.value) and hashlib.sha256(b"changed").hexdigest() in str(caught.value)


def test_what_another_process_has_just_removed_is_no_error(tmp_path):
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")  # listed, but not there when it is looked at
    project.remove_abandoned(tmp_path, "go*")


# -- going on, or not ---------------------------------------------------------------------------------------------

OTHER = b"a,b\n" + b"9,9\n" * 300_000


def broken_off(project, server, **state):
    """Break a download off half-way, and change what the server does from then on."""
    data_set, source = entry(Form("shop.csv", None, server["url"]))
    server["break"] = True
    with pytest.raises(DataError) as caught:
        fetch.fetch(project, data_set, source, progress=False)
    server.update(state)
    return data_set, source, str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"body": OTHER, "marks": {"ETag": '"two"'}},  # another edition, which the server tells by If-Range
        {"body": OTHER, "marks": {"ETag": '"two"'}, "careless": True},  # which it does not look at
        {"body": OTHER, "marks": {}, "careless": True},
        {"body": OTHER[: len(BODY) // 4], "marks": {"ETag": ETAG}},  # nothing at that place: 416
        {"body": OTHER, "416": True},
    ],
)
def test_another_edition_is_downloaded_from_its_beginning(project, server, change):
    data_set, source, said = broken_off(project, server, **change)
    assert "goes on from there" in said
    (path,) = fetch.fetch(project, data_set, source, progress=False)
    assert path.read_bytes() == change["body"]


OLD, NEW = "Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2300 00:00:00 GMT"


@pytest.mark.parametrize(
    ("marks", "goes_on"),
    [({"ETag": ETAG}, True), ({"Last-Modified": OLD}, True), ({"Last-Modified": NEW}, False), ({"ETag": 'W/"one"'}, False), ({}, False)],
)  # fmt: skip
def test_only_a_mark_of_the_edition_lets_a_download_go_on(project, server, marks, goes_on):
    server["marks"] = marks
    data_set, source, said = broken_off(project, server)
    assert ("goes on from there" in said) is goes_on
    (path,) = fetch.fetch(project, data_set, source, progress=False)
    assert path.read_bytes() == BODY and (server["ranges"][1] is not None) is goes_on


def test_the_part_of_another_address_is_not_gone_on_with(project, server):
    broken_off(project, server, body=OTHER)
    data_set, source = entry(Form("shop.csv", None, server["url"].replace("/shop.csv", "/new/shop.csv")))
    (path,) = fetch.fetch(project, data_set, source, progress=False)
    assert path.read_bytes() == OTHER and server["ranges"] == [None, None]


def test_what_stands_in_the_cache_from_before_is_not_taken(project, server):
    cache = project / "data" / "cache"
    cache.mkdir(exist_ok=True)
    for name in ("shop-shop.csv", "shop-shop.csv.part"):
        (cache / name).write_bytes(OTHER)
    data_set, source = entry(Form("shop.csv", None, server["url"]))
    (path,) = fetch.fetch(project, data_set, source, progress=False)
    assert path.read_bytes() == BODY


# -- limits, and what is no data ----------------------------------------------------------------------------------


def refused(project, server, *, path="shop.csv", member=None, url=None, sha=None):
    data_set, source = entry(Form(path, sha, url or server["url"], member))
    with pytest.raises(DataError, match="download of 'shop' failed") as caught:
        fetch.fetch(project, data_set, source, progress=False)
    assert not (project / "data" / "raw" / path).exists()
    assert not list((project / "data" / "cache").glob("*.part*"))
    return str(caught.value)


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><p>Sign in", b"\n <html>", b"\xef\xbb\xbf<HTML>", "<html>".encode("utf-16"), b"<?xml?><Error/>"]
)  # fmt: skip
@pytest.mark.parametrize("path", ["shop.csv", "shop.xlsx", "shop.parquet", "shop.csv.gz"])
def test_a_login_page_is_no_data(project, server, page, path):
    server["body"] = page
    assert "a page arrived and no data" in refused(project, server, path=path)
    server.update(body=BODY, marks={"Content-Type": "text/html; charset=utf-8"})
    assert "a page arrived and no data" in refused(project, server, path=path)


@pytest.mark.parametrize(
    ("path", "body"), [("s.xlsx", BODY), ("s.parquet", BODY), ("s.csv.gz", BODY), ("s.csv", b"PK\x03\x04x")]
)
def test_a_file_of_another_kind_is_refused(project, server, path, body):
    server["body"] = body
    assert "begin" in (said := refused(project, server, path=path)) or "and no text" in said


def test_too_large_too_slow_and_silent_servers_are_left(project, server, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_DOWNLOAD", 1000)
    assert "more than 1,000 bytes" in refused(project, server)
    server["length"] = 10  # more than it says: what was announced is read
    assert "10 of" not in refused(project, server, sha=SHA)
    del server["length"]
    monkeypatch.setattr(download, "LARGEST_DOWNLOAD", 10**9)
    monkeypatch.setattr(download, "SLOW_FOR", 0.5)
    server.update(slow=threading.Event(), marks={})
    try:
        assert "which is too slow" in refused(project, server)
    finally:
        server["slow"].set()
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused(project, server, url=f"http://127.0.0.1:{silent.getsockname()[1]}/shop.csv")


def test_a_head_that_never_ends_is_left(project, server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as drip:

        def answer():
            connection, _ = drip.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not done.wait(0.1):
                    connection.sendall(b"x")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert "has not answered" in refused(project, server, url=f"http://127.0.0.1:{drip.getsockname()[1]}/s.csv")
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://host/x", "//", "/shop.csv"])
def test_redirects_are_few_and_stay_in_the_web(project, server, location):
    server["location"] = location
    refused(project, server)
    assert len(server["ranges"]) <= download.REDIRECTS + 1


def test_a_redirect_from_https_to_http_is_refused(monkeypatch):
    class Answer:
        is_redirect, headers = True, {"Location": "http://host/x"}

        def close(self):
            pass

    monkeypatch.setattr(download, "_in_time", lambda *_: Answer())
    with pytest.raises(download.Refused, match="from https:// to http://"):
        download._answer(None, "https://host/x", {})


def zipped(content, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("shop.csv", content)
    return bytearray(buffer.getvalue())


def test_damaged_zips_and_bombs_are_refused(project, server, monkeypatch):
    content = b"".join(b"%d,%d\n" % (i, i * i) for i in range(20_000))
    for place in (200, 1000, -30):
        body = zipped(content)
        body[place] ^= 0xFF
        server["body"] = bytes(body)
        refused(project, server, member="shop.csv")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED):
        body = zipped(content, method)
        body[len(body) // 2] ^= 0xFF
        server["body"] = bytes(body)
        refused(project, server, member="shop.csv")
    monkeypatch.setattr(packed, "NEVER_DENSE", 10**6)
    server["body"] = bytes(zipped(bytes(5 * 10**6)))
    assert "which no data do" in refused(project, server, member="shop.csv")


# -- secrets and names --------------------------------------------------------------------------------------------


def test_a_secret_of_an_address_is_used_and_not_shown(project, server, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "hunter2-Zx9")
    url = server["url"].replace("http://", "http://shop:${SHOP_TOKEN}@") + "?sig=${SHOP_TOKEN}"
    data_set, source, said = *entry(Form("shop.csv", None, url)), ""
    server["break"] = True
    with pytest.raises(DataError) as caught:
        fetch.fetch(project, data_set, source, progress=False)
    said = str(caught.value)
    assert "hunter2" not in said and "${SHOP_TOKEN}" in said
    assert all("hunter2" not in p.read_text() for p in (project / "data" / "cache").glob("*.json"))
    fetch.fetch(project, data_set, source, progress=False)
    assert server["asked"]["Authorization"].startswith("Basic ")
    (project / "data" / "raw" / "shop.csv").unlink()
    assert "hunter2" not in refused(
        project, server, url="http://shop:${SHOP_TOKEN}@127.0.0.1:9/shop.csv?sig=${SHOP_TOKEN}"
    )
    monkeypatch.delenv("SHOP_TOKEN")
    with pytest.raises(CustomerlabError, match="no variable SHOP_TOKEN"):
        fetch.fetch(project, data_set, source, progress=False)


@pytest.mark.parametrize(
    ("path", "url", "said"),
    [
        ("s.csv", "https://shop:hunter2@host/s.csv", "has a secret"), ("s.csv", "https://hunter2abc@host/s.csv", "has a secret"),
        ("s.csv", "https://host/s.csv?sv=1&sig=hunter2", "has a secret"),
        ("s.csv", "https://host/?X-Amz-Credential=hunter2", "has a secret"),
        ("s.csv", "file:///etc/passwd", "no address of the web"), ("s.csv", "ftp://host/s.csv", "no address of the web"),
        ("s.csv", "[1]", "no address of the web"), ('"*.csv"', "https://host/s.csv", r"a path with \* names many files"),
    ],
)  # fmt: skip
def test_an_address_of_the_catalogue_is_of_the_web_and_without_a_secret(project, path, url, said):
    (project / "data" / "catalog.yml").write_text(
        f"shop:\n  title: S\n  files: {{a: {{path: {path}, url: '{url}'}}}}\n  tables:\n    products: {{columns: {{product_id: a}}}}\n"
    )
    with pytest.raises(DataError, match=said) as caught:
        load_catalog(project)["shop"]
    assert "hunter2" not in str(caught.value)


def test_a_file_name_that_is_no_text_is_named(project):
    raw = project / "data" / "raw"
    raw.mkdir(exist_ok=True)
    (raw / os.fsdecode(b"caf\xe9.csv")).write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="the name of a file cannot be written") as caught:
        fetch.locate(project, Source("log", (Form("*.csv"),)))
    str(caught.value).encode("utf-8")
