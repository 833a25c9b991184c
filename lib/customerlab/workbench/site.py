"""The reading room: a run's executed notebooks as self-contained pages, with a front page."""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import bleach
import nbformat
import pandas as pd
from jinja2 import Environment, FileSystemLoader, pass_context
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from pygments.formatters import HtmlFormatter

from customerlab.data.project import file_digest, read_json, read_sealed, write_sealed, written_aside
from customerlab.data.tables import TABLES
from customerlab.errors import RunError
from customerlab.wording import text, visible
from customerlab.workbench import glossary
from customerlab.workbench.display import drawing
from customerlab.workbench.layout import arranged, findings, headline
from customerlab.workbench.normalise import retold
from customerlab.workbench.plan import Plan, Step
from customerlab.workbench.publish import changes, records
from customerlab.workbench.standing import TEMPLATES, Standing, pages_state, standings

# What the text of notebooks, which is made of data, may hold on a page. All else is shown as the text that it is.
TAGS = {
    "a", "blockquote", "br", "caption", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
EDA = "01_eda"
TILES = {  # what it records, for the front page
    "customers": "customers", "orders": "orders", "lines": "order lines", "net_revenue": "net revenue, in {}",
    "median_order_value": "median order value, in {}",
}  # fmt: skip
ATTRIBUTES = {"a": ["href", "title"], "*": ["class", "id", "scope", "colspan", "rowspan"]}


def cleaned(html: str) -> str:
    """HTML with nothing in it that could run, load or look like another part of the page.

    Examples
    --------
    >>> cleaned("<b>bold</b> <em>arm</em><img src=x onerror=alert(1)>")
    '&lt;b&gt;bold&lt;/b&gt; <em>arm</em>&lt;img src=x onerror=alert(1)&gt;'
    >>> cleaned('<a href="javascript:alert(1)">x</a>')
    '<a>x</a>'
    """
    return str(bleach.clean(html, tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https", "mailto"]))


def framed(table: str, number: int, fold: int = 0) -> str:
    """A table's HTML in a frame that scrolls, below its numbered caption; the first cell of a row is its header.

    Rows after the first `fold` are shown when they are asked for; all of them where it is 0.

    Examples
    --------
    >>> print(framed("<table><caption>Sizes</caption><tbody><tr><td>a</td> <td>1</td></tr></tbody></table>", 2))
    <p class="caption" id="table-2"><a class="label" href="#table-2">Table 2</a> Sizes</p>
    <div class="table" role="region" aria-labelledby="table-2" tabindex="0">
    <table aria-labelledby="table-2"><tbody><tr><th scope="row">a</th> <td>1</td></tr></tbody></table>
    </div>
    """
    found, name = re.search(r"<caption>(.*?)</caption>\s*", table, re.DOTALL), f"table-{number}"
    caption, whole = (found[1], found[0]) if found else ("", "")
    seen = count(1)

    def headed(row: re.Match[str]) -> str:
        rest = ' class="rest"' if 0 < fold < next(seen) else ""
        return f'<tr{rest}><th scope="row"{row[1] or ""}>{row[2]}</th>'

    rows = re.sub(r'<tr><td( class="n")?>(.*?)</td>', headed, table.replace(whole, "", 1), flags=re.DOTALL)
    rows = rows.replace("<table>", f'<table aria-labelledby="{name}">', 1)
    label = f'<a class="label" href="#{name}">Table {number}</a>'
    frame = f'<div class="table" role="region" aria-labelledby="{name}" tabindex="0">'
    more = f'<details class="more"><summary>All {next(seen) - 1} rows</summary></details>\n' if fold else ""
    return f'<p class="caption" id="{name}">{label} {caption}</p>\n{more}{frame}\n{rows}\n</div>'


def policy() -> str:
    """The pages' Content-Security-Policy: no network; of scripts, style sheets and pictures the page's own."""
    style, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (_style(), _script())
    )
    own = f"img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


class PageExporter(HTMLExporter):
    """nbconvert's exporter, which cleans what Markdown becomes and what tables bring."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """A Markdown cell or output as clean HTML."""
        # nbconvert closes the empty link behind a heading as XML does, and HTML would take what follows into it
        return cleaned(re.sub(r'<a class="anchor-link" [^>]*/>', "", super().markdown2html(context, source)))

    def default_filters(self) -> Iterator[tuple[str, Any]]:
        """nbconvert's filters, `cleaned` and `framed`."""
        yield from super().default_filters()
        yield from (("cleaned", cleaned), ("framed", framed))


def render(plan: Plan) -> Path:
    """Render the pages of a run; return the front page, `outputs/<run>/site/index.html`.

    Notebooks are taken as last executed, with the texts that they have now. One that is not what the run wrote has no
    page, and the front page says so.
    """
    folder = plan.folder / "site"
    manifest, behind = records(plan.folder), standings(plan)
    pages = [step for step in plan.included if step.name in manifest and was_written(plan, step, manifest[step.name])]
    for step in pages:
        _write(folder / f"{step.name}.html", _page(plan, step, manifest[step.name], pages, behind.get(step.name)))
    for old in set(folder.glob("*.html")) - {folder / f"{step.name}.html" for step in pages}:
        old.unlink()
    if terms := glossary.read(plan.root)[0]:
        explained = cleaned(re.sub(r'<a class="anchor-link".*?</a>', "", str(markdown2html(terms))))
        write_page(folder / glossary.PAGE, "glossary.html.j2", run=plan.run, pages=pages, text=explained)
    _front(plan, pages, manifest, behind)
    written = {path.name: file_digest(path) for path in sorted(folder.glob("*.html"))}
    write_sealed(plan.folder / ".state" / "site.json", {"state": pages_state(plan), "pages": written})
    return folder / "index.html"


def _write(path: Path, text: str) -> None:
    with written_aside(path) as aside:
        aside.write_text(visible(text), encoding="utf-8")


@cache
def _style() -> str:
    """The style sheet, with the colours of code for light and for dark pages."""
    css = (TEMPLATES / "site" / "style.css").read_text(encoding="utf-8")
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{css}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


@cache
def _script() -> str:
    """What pages do for their reader; `policy` allows this script and no other."""
    return (TEMPLATES / "site" / "page.js").read_text(encoding="utf-8")


def _page(plan: Plan, step: Step, entry: dict[str, Any], pages: list[Step], behind: Standing | None) -> str:
    terms = glossary.read(plan.root)[1]
    notebook = glossary.linked(arranged(_with_drawings(read(plan, step), step.name, entry), entry["tables"]), terms)
    place, numbers = pages.index(step), {"figure": count(1), "table": count(1)}
    exporter = PageExporter(template_name="site", extra_template_basedirs=[str(TEMPLATES)])
    exporter.anchor_link_text = ""  # no sign behind headings: the contents list leads to them
    body, _ = exporter.from_notebook_node(
        notebook,
        resources={
            "page": {
                "style": _style(), "script": _script(), "policy": policy(), "run": plan.run, "scratch": plan.scratch, "step": step,
                "entry": entry,                "pages": pages,
                "before": pages[place - 1] if place else None, "after": pages[place + 1] if place + 1 < len(pages) else None,
                "contents": contents(notebook), "glossary": bool(terms), "behind": behind, "number": lambda kind: next(numbers[kind]),
            },
        },
    )  # fmt: skip
    return body


def _with_drawings(notebook: nbformat.NotebookNode, name: str, entry: dict[str, Any]) -> nbformat.NotebookNode:
    """A notebook whose figures know the SVG that the run has kept of each."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [said for output in outputs if "alt" in (said := output.get("metadata", {}).get("image/png", {}))]
    for place, said in enumerate(shown, 1):
        if (file := drawing(name, place)) in entry.get("figures", {}):
            said["svg"] = file
    return notebook


def was_written(plan: Plan, step: Step, record: dict[str, Any]) -> bytes | None:
    """An executed notebook's file, if it is the one that the run wrote."""
    path = plan.folder / f"{step.name}.ipynb"
    content = path.read_bytes() if path.is_file() else b""
    return content if hashlib.sha256(content).hexdigest() == record["notebook"] else None


def read(plan: Plan, step: Step) -> nbformat.NotebookNode:
    """A notebook of a run as it was last executed, with the texts that it has now.

    No output depends on the texts, so nothing is executed for them, and what the run wrote stays as it is.
    """
    record = records(plan.folder)[step.name]
    content = was_written(plan, step, record)
    if content is None:  # changed within the second
        raise RunError(f"{step.name}.ipynb is not the one that the run wrote", where=f"{plan.place}/")
    notebook = nbformat.reads(content.decode("utf-8"), as_version=4)
    same = record["fingerprint"] == plan.fingerprint(step)
    return retold(notebook, nbformat.read(step.notebook.path, as_version=4)) if same else notebook


def contents(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """The second-level headings of a notebook and the anchors that nbconvert gives them."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    headings = [line[3:].strip() for text in texts for line in text.splitlines() if line.startswith("## ")]
    # nbconvert's own filter is asked, because how it makes an id of a heading is not documented
    found = [re.search(r'id="([^"]*)"', str(markdown2html(f"## {heading}"))) for heading in headings]
    return [(heading, match[1]) for heading, match in zip(headings, found, strict=True) if match]


def _findings(
    notebook: nbformat.NotebookNode, page: str, whose: dict[str, str], terms: dict[str, str]
) -> tuple[str, str]:
    """A notebook's first finding and the others, as HTML, with links into its page; not those that say whose data.

    The first one links the `terms` that it uses, which are taken out of them.
    """
    known = {text(sentence) for sentence in whose.values()}
    found = [sentence for sentence in findings(notebook) if sentence not in known]
    first, *others = [sentence.replace("](#", f"]({page}#") for sentence in found] or [""]
    others, first = [f"- {sentence}" for sentence in others], glossary.explained(first, terms)
    return cleaned(str(markdown2html(first))), cleaned(str(markdown2html("\n".join(others)))) if others else ""


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page that is no notebook's, from a template and its values."""
    loader = FileSystemLoader(TEMPLATES / "site")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["recorded"] = recorded
    _write(path, environment.get_template(template).render(style=_style(), policy=policy(), **values))


def recorded(value: Any) -> str:
    """A recorded number as text, with its interval where it has one.

    Examples
    --------
    >>> recorded(1773), recorded(8300065.8), recorded([0.02617, 0.0131, 0.0388]), recorded(None)
    ('1,773', '8,300,066', '0.02617 (0.0131 to 0.0388)', '–')
    """
    if isinstance(value, list):
        point, low, high = map(recorded, value)
        return f"{point} ({low} to {high})"
    return "–" if pd.isna(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


def _front(plan: Plan, pages: list[Step], manifest: dict[str, Any], behind: dict[str, Standing]) -> None:
    tables = {t: r for step in pages for t, r in manifest[step.name]["tables"].items()}
    reports = {t: read_sealed(plan.folder / "tables" / f"{t}.json") for t in TABLES if t in tables}
    currency = tables.get("transactions", {}).get("currency") or "the shop's currency"
    latest = manifest[pages[-1].name] if pages else {"software": {}}
    commits: dict[str, list[str]] = {}
    for step in pages:
        commits.setdefault(manifest[step.name]["commit"] or "", []).append(step.name[:2])
    whose = {step.name: plan.whose(step) for step in pages}
    terms = dict(glossary.read(plan.root)[1])  # each is linked once on the page
    metrics = (read_json(plan.folder / "metrics.json") or {}) if any(step.name == EDA for step in pages) else {}
    write_page(
        plan.folder / "site" / "index.html", "front.html.j2",
        run=plan.run, scratch=plan.scratch, steps=plan.steps, faults=plan.faults, behind=behind, lacking=plan.lacking,
        tiles={
            label.format(currency): f"{metrics[EDA][name]:,.0f}"
            for name, label in TILES.items()
            if name in metrics.get(EDA, {})
        },
        findings={
            step.name: _findings(read(plan, step), f"{step.name}.html", whose[step.name], terms) for step in pages
        },
        thumbs={step.name: found[1] if (found := headline(read(plan, step).cells)) else None for step in pages},
        whose=whose,
        finished={step.name: manifest[step.name]["finished_at"] for step in pages},
        reports={table: report for table, report in reports.items() if report},
        explained=bool(terms), software=latest["software"], commits=commits, changed=changes(plan.folder),
    )  # fmt: skip
