"""The pages of a shop in which every text is hostile: as parsed, and as a browser has them."""

import re
from pathlib import Path

import pytest

import hostile
from helpers import BROWSER, browse, call, copy_project

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> list[Path]:
    project = copy_project(tmp_path_factory.mktemp("hostile") / "project")
    hostile.write(project)
    # with products and places, segments, clusters, arms; `test_hostile.py` looks at each output of all notebooks
    call(project, "customerlab", "run", "--run", "hostile", "01", "02", "03", "05")
    found = sorted((project / "outputs" / "hostile" / "site").glob("*.html"))
    assert [page.name[:2] for page in found] == ["01", "02", "03", "05", "gl", "in"]
    return found


def test_nothing_on_a_page_can_run_or_load(pages):
    for page in pages:
        text = page.read_text(encoding="utf-8")
        elements = hostile.Shown(text).tags
        script = page.stem not in ("index", "glossary")
        assert "default-src 'none'" in text and text.count("<script>") == script
        tags = {tag for tag, _ in elements}
        assert "unsafe" not in text.partition("</head>")[0] and ("script" in tags) == script
        assert tags.isdisjoint({"iframe", "object", "embed", "form", "base", "svg"}), page.name
        for tag, given in elements:
            for name, value in given:
                assert not name.startswith("on") and name != "srcdoc", (page.name, tag, name)
                if name in ("href", "src"):
                    inside = re.match(r"#|[\w-]+\.html|\.\./[\w/-]+\.(csv|ipynb|svg)$|data:image/png;base64,", value)
                    assert inside or (re.match(r"https?://", value) and tag == "a"), (page.name, tag, value[:80])
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u200b\u2066-\u2069]", text), page.name


def ran(page: Path, folder: Path) -> bool:
    """Whether a script of a page has run in a browser."""
    shown = browse(page, folder, "--dump-dom")
    assert "</html>" in shown
    return bool(re.search(r"<html[^>]*\bdata-ran=", shown))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_no_script_runs_in_a_browser(pages, tmp_path):
    control = tmp_path / "control.html"
    control.write_text(f"<html><body>{''.join(hostile.NAMES)}</body></html>", encoding="utf-8")
    assert ran(control, tmp_path / "profile"), "the same names on a page that escapes nothing do run"
    assert [page.name for page in pages if ran(page, tmp_path / "profile")] == []
