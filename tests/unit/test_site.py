"""Pages: whatever text a notebook holds, nothing on them runs, loads or passes for another part of the page."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from customerlab.workbench import display, site

HOSTILE = [
    '<img src=x onerror="document.title=1">',
    "<script>document.title=1</script>",
    "<svg onload=document.title=1>",
    '<a href="javascript:document.title=1">x</a>',
    "[x](javascript:document.title=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    '<iframe srcdoc="<script>1</script>"></iframe>',
    '</section><div style="position:fixed">',
    "<style>* {display: none}</style>",
    '<meta http-equiv="refresh" content="0;url=http://127.0.0.1/">',
    "<math><mi//xlink:href='data:x,<script>1</script>'>",
    "<form action=//127.0.0.1><button>x</button></form>",
]


class Elements(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def rendered(notebook: nbformat.NotebookNode, tmp_path, monkeypatch) -> str:
    """The page of a notebook of a run."""
    monkeypatch.setattr(site, "read", lambda plan, step: notebook)
    record = {"parameters": {}, "tables": {}, "reads": {}, "writes": {}, "software": {}, "commit": None}
    entry = record | {"finished_at": "2024-01-01T00:00:00", "seconds": 1.0}
    step = SimpleNamespace(name="02_rfm", notes=[], notebook=SimpleNamespace(title="A page", parameters={}))
    return site._page(
        SimpleNamespace(run="shop", scratch={}, root=tmp_path, folder=tmp_path), step, entry, [step], None
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_notebook_is_text_on_its_page(text, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(display, "display", lambda data, **_: shown.append(getattr(data, "data", data)))
    display.findings(f"**Roll out {text}**")
    display.show(pd.DataFrame({text: [text]}), text)
    outputs = [
        new_output("display_data", {"text/markdown": shown[0]}),
        new_output("display_data", shown[1]),
        new_output("display_data", {"text/html": text}),  # as an edited notebook may hold it
    ]
    cells = [new_markdown_cell(f"# Title\n\n## {text}\n\n{text}"), new_code_cell("1", outputs=outputs)]
    page = rendered(new_notebook(cells=cells), tmp_path, monkeypatch)
    inside = Elements()
    inside.feed(page[page.index("<main") : page.index('<section class="provenance">')])
    for tag, attributes in inside.seen:
        assert tag in site.TAGS | {"main", "section", "details", "summary"}, tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert (attributes.get("href") or "#").startswith("#")
    whole = Elements()
    whole.feed(page)
    policies = [a["content"] for tag, a in whole.seen if tag == "meta" and a.get("http-equiv")]
    assert policies == [site.policy()]
    assert "default-src 'none'" in policies[0]
    assert [tag for tag, _ in whole.seen].count("script") == 1 and f"<script>{site._script()}</script>" in page
    digest = base64.b64encode(hashlib.sha256(site._script().encode()).digest()).decode()
    assert re.findall(r"script-src ([^;]+)", policies[0]) == [f"'sha256-{digest}'"]
