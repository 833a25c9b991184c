"""The pages of the demo in a browser: on paper nothing is lost, and readers without eyes or mice can use them."""

import csv
import hashlib
import html
import json
import re
import shutil
import subprocess
import tarfile
import unicodedata
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from pypdf import PdfReader

from helpers import BROWSER, browse, own_notebooks

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]
POLICY = r"<meta [^>]*Content-Security-Policy[^>]*>"
AXE = "axe-core@4.14.1"  # of npm
SHA = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"


def pages(demo_run) -> list[Path]:
    found = sorted((demo_run[0] / "outputs" / "demo" / "site").glob("*.html"))
    assert len(found) == len(own_notebooks()) + 2, "with the front page and the glossary"
    return found


def letters(text: str) -> str:
    """A text without blanks and with plain letters: lines and words break elsewhere on paper."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def test_a_printed_page_has_every_heading_caption_and_table_head(demo_run, tmp_path):
    for page in pages(demo_run):
        browse(page, tmp_path / "profile", f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer")
        printed = letters("".join(sheet.extract_text() for sheet in PdfReader(tmp_path / "page.pdf").pages))
        text = page.read_text(encoding="utf-8").partition("<main")[2]
        parts = re.findall(r"<(h[123]|th|td|caption|figcaption)\b[^>]*>(.*?)</\1>", text, re.DOTALL)
        parts += re.findall(r'<(p) class="caption"[^>]*>(.*?)</p>', text, re.DOTALL)
        assert len(parts) > 15
        lost = [what for _, what in parts if letters(html.unescape(re.sub(r"<[^>]+>", "", what))) not in printed]
        assert lost == [], page.name


def test_every_figure_can_be_had_as_svg(demo_run):
    home = demo_run[0] / "outputs" / "demo"
    kept = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
    for page in pages(demo_run):
        text = page.read_text(encoding="utf-8")
        figures, links = re.findall(r'<figure id="figure-', text), re.findall(r'href="\.\./figures/([^"]+\.svg)"', text)
        assert len(set(links)) == len(figures), page.name
        for name in links:
            svg = (home / "figures" / name).read_bytes()
            assert hashlib.sha256(svg).hexdigest() == kept[page.stem]["figures"][name]
            assert ElementTree.fromstring(svg).tag.endswith("svg") and b"<script" not in svg


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The script of axe-core, fetched once and known by its checksum."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    done = npm and subprocess.run([npm, "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=120)
    if not done or done.returncode:
        pytest.skip(f"{AXE} cannot be fetched: no npm on this machine, or no network")
    (archive,) = folder.glob("*.tgz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA
    with tarfile.open(archive) as packed:
        return packed.extractfile("package/axe.min.js").read().decode("utf-8")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(demo_run, axe, tmp_path, colours):
    only = "runOnly: ['color-contrast'], " if colours == "dark" else ""  # the rest is the same in the dark
    run = (
        f"axe.run(document, {{{only}resultTypes: ['violations']}}).then"
        "(({violations}) => document.documentElement.setAttribute("
        "'data-axe', JSON.stringify({dark: matchMedia('(prefers-color-scheme: dark)').matches, found: violations.map("
        "(v) => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)])})))"
    )
    for page in pages(demo_run):
        text = re.sub(POLICY, "", page.read_text(encoding="utf-8"))
        copy = tmp_path / page.name
        copy.write_text(
            text.replace("</body>", f"<script>{axe}</script><script>{run}</script></body>"), encoding="utf-8"
        )
        words = ["--blink-settings=preferredColorScheme=0"] if colours == "dark" else []
        shown = browse(copy, tmp_path / "profile", *words, "--dump-dom")
        (said,) = re.findall(r'<html[^>]* data-axe="([^"]*)"', shown)
        result = json.loads(html.unescape(said))
        assert result["dark"] == (colours == "dark")
        assert [one for one in result["found"] if one[0] in ("serious", "critical")] == [], page.name


USED = """
const said = {}, of = (query) => [...document.querySelectorAll(query)];
const input = of(".contents input")[0];
input.value = "FINDINGS"; input.dispatchEvent(new Event("input"));
said.found = of(".found a").map((one) => one.hash);
of("button").find((one) => one.textContent === "Show all code").click();
said.closed = of("details.source:not([open])").length;
said.current = of(".contents [aria-current]").length;
URL.createObjectURL = (blob) => {
  blob.text().then((csv) => { said.csv = csv; document.documentElement.setAttribute("data-said", JSON.stringify(said)); });
  return "#";
};
of("button").find((one) => one.textContent === "CSV").click();
"""


def test_the_page_s_script_finds_opens_and_saves(demo_run, tmp_path):
    page = demo_run[0] / "outputs" / "demo" / "site" / "02_rfm.html"
    text = re.sub(POLICY, "", page.read_text(encoding="utf-8"))
    copy = tmp_path / page.name
    copy.write_text(text.replace("</body>", f"<script>{USED}</script></body>"), encoding="utf-8")
    shown = browse(copy, tmp_path / "profile", "--dump-dom")
    said = json.loads(html.unescape(re.findall(r'<html[^>]* data-said="([^"]*)"', shown)[0]))
    assert "#Findings" in said["found"] and said["closed"] == 0 and said["current"] == 1
    rows = list(csv.reader(said["csv"].splitlines()))
    table = re.search(r'<table aria-labelledby="table-1">(.*?)</table>', text, re.DOTALL)[1]
    cells = [
        html.unescape(re.sub(r"<[^>]+>", "", cell)) for _, cell in re.findall(r"<(t[hd])\b[^>]*>(.*?)</\1>", table)
    ]
    assert [cell for row in rows for cell in row] == cells and len(rows) > 3
