"""Finding files, and downloading them from a server on loopback: checksums, resuming, zip members."""

import hashlib
import http.server
import io
import threading
import zipfile
from functools import partial

import pytest

from customerlab.data import fetch, project
from customerlab.data.catalog import DataSet, Form, Source
from customerlab.errors import DataError

BODY = b"a,b\n" + b"1,2\n" * 300_000
SHA = hashlib.sha256(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves BODY with ranges; breaks off the first answer half-way when told to."""

    def __init__(self, state, *args):
        self.state = state
        super().__init__(*args)

    def do_GET(self):
        body, start = self.state["body"], 0
        asked = self.headers.get("Range")
        self.state["ranges"].append(asked)
        if asked:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        stop = len(body) // 2 if self.state.pop("break", False) else len(body)
        self.wfile.write(body[start:stop])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    state = {"body": BODY, "ranges": []}
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, state))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    state["url"] = f"http://127.0.0.1:{httpd.server_port}/shop.csv"
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


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
