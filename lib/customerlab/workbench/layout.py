"""The order of a page: whose data, key results, sections, and what only a reviewer needs at the end.

A notebook is in the order in which it is executed. A page begins with what it found; imports, parameters and what the
notebook reads and writes come last. No output is changed.
"""

import re
from collections.abc import Iterable
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from customerlab.data.tables import TABLES
from customerlab.wording import text
from customerlab.workbench.notebook import is_left_out

MOST = 5  # key results
ABOUT, FINDINGS, LAST = "About this page", "Findings", "Reproducibility"


def _heading(cell: nbformat.NotebookNode) -> str | None:
    """The first second-level heading of a cell."""
    found = re.search(r"(?m)^## (.+)$", cell.source) if cell.cell_type == "markdown" else None
    return found[1].strip() if found else None


def findings(notebook: nbformat.NotebookNode) -> list[str]:
    """What an executed notebook lists below its heading Findings, as Markdown, a sentence each."""
    lines, inside = [], False
    for cell in notebook.cells:
        if heading := _heading(cell):
            inside = heading == FINDINGS
        elif inside:
            texts = [output.get("data", {}).get("text/markdown", "") for output in cell.get("outputs", [])]
            lines += [line.removeprefix("- ") for line in "\n".join(texts).splitlines() if line.startswith("- ")]
    return lines


def whose_data(tables: dict[str, dict[str, Any]]) -> str:
    """Whose data a page is of, which days and how many rows, as Markdown; `tables` are those of the manifest.

    Examples
    --------
    >>> days = ["2024-01-01", "2024-12-31"]
    >>> whose_data({"transactions": {"title": "A shop", "rows": 12_000, "days": days, "currency": "EUR"}})
    '**Data:** A shop (transactions: 12,000 rows, 2024-01-01 to 2024-12-31; money in EUR).'
    """
    titles: dict[str, list[str]] = {}
    for name, table in tables.items():
        days = f", {' to '.join(table['days'])}" if table.get("days") else ""
        titles.setdefault(table["title"], []).append(f"{name}: {table['rows']:,} rows{days}")
    for table in tables.values():
        money = f"money in {table['currency']}" if table.get("currency") else ""
        held = titles[table["title"]]
        held += [money] if money and money not in held else []
    shops = "; ".join(f"{title} ({'; '.join(held)})" for title, held in titles.items())
    return f"**Data:** {text(shops)}." if shops else ""


def arranged(notebook: nbformat.NotebookNode, tables: dict[str, dict[str, Any]]) -> nbformat.NotebookNode:
    """An executed notebook in the order of a page, without the texts that need a table that it did not open.

    Parameters
    ----------
    notebook : NotebookNode
        As it was executed.
    tables : dict
        What is on record of the tables that it opened.
    """
    lacking = set(TABLES) - set(tables) if tables else set()
    kept = [c for c in notebook.cells if c.cell_type == "code" or not is_left_out(c.metadata.get("tags", []), lacking)]
    return _ordered(nbformat.from_dict(dict(notebook) | {"cells": kept}), tables)


def _ordered(notebook: nbformat.NotebookNode, tables: dict[str, dict[str, Any]]) -> nbformat.NotebookNode:
    """The cells of a page in its order."""
    cells = notebook.cells
    begin = next((place for place, cell in enumerate(cells) if _heading(cell)), len(cells))
    opening, body = cells[:begin], cells[begin:]
    setup = [cell for cell in opening if cell.cell_type == "code" and not cell.outputs]
    told, uses = _without_uses([cell for cell in opening if cell.cell_type != "code"])
    shown = [cell for cell in opening if cell.cell_type == "code" and cell.outputs]
    results = findings(notebook)[:MOST]
    lead = [whose_data(tables)] if tables else []
    if results:
        lead += ["## Key results", _listed(results), f"All of them are under [{FINDINGS}](#{FINDINGS})."]
    body = _telling(body)
    page = nbformat.from_dict(dict(notebook))
    last = _cells([f"## {LAST}", *uses], "last")
    title, about = _titled(told)
    first = [*title, *_cells(lead, "lead"), *_lifted([*shown, *body])]
    page.cells = [*first, *about, *shown, *body, *last, *setup]
    return page


def _telling(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The cells of a page without the numbered sections that show nothing because their data are lacking."""
    sections: list[list[nbformat.NotebookNode]] = [[]]
    for cell in cells:
        if _heading(cell):
            sections.append([])
        sections[-1].append(cell)
    return [cell for section in sections if not _silent(section) for cell in section]


def _silent(section: list[nbformat.NotebookNode]) -> bool:
    code = [cell for cell in section if cell.cell_type == "code"]
    shows = any(re.search(r"\b(show|findings)\(", cell.source) for cell in code)
    return shows and not any(cell.outputs for cell in code) and bool(re.match(r"\d", _heading(section[0]) or ""))


def _titled(told: list[nbformat.NotebookNode]) -> tuple[list[nbformat.NotebookNode], list[nbformat.NotebookNode]]:
    """The title of a page, and what else its opening tells, which comes after the results."""
    found = re.match(r"\s*# .+\n*", told[0].source) if told else None
    if found is None:
        return told, []
    rest = told[0].source[found.end() :].strip()
    about = _cells([f"## {ABOUT}", rest], "about") if rest else []
    return _cells([found[0].strip()], told[0].id), [*about, *told[1:]]


def headline(cells: Iterable[nbformat.NotebookNode]) -> tuple[int, nbformat.NotebookNode] | None:
    """The figure that stands for a page, and which figure of these cells it is, from 1; None if none is marked."""
    outputs = [output for cell in cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    marked = ((n, one) for n, one in enumerate(outputs, 1) if one.metadata.get("image/png", {}).get("headline"))
    return next(marked, None)


def _lifted(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """A cell with the headline figure alone, which says what its number in the page is."""
    found = headline(cells)
    if found is None:
        return []
    number, output = found
    figure = output["metadata"]["image/png"] | {"number": number}
    copy = nbformat.from_dict(dict(output) | {"metadata": {"image/png": figure}})
    return [new_code_cell(id="headline", outputs=[copy])]


def _without_uses(cells: list[nbformat.NotebookNode]) -> tuple[list[nbformat.NotebookNode], list[str]]:
    """Cells without the paragraphs that say what a notebook reads and writes, and these paragraphs."""
    told, uses = [], []
    for cell in cells:
        parts = re.split(r"\n\s*\n", cell.source)
        uses += [part for part in parts if part.startswith("**Reads**")]
        source = "\n\n".join(part for part in parts if not part.startswith("**Reads**"))
        told.append(nbformat.from_dict(dict(cell) | {"source": source}))
    return told, uses


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _cells(parts: list[str], name: str) -> list[nbformat.NotebookNode]:
    """One cell of some paragraphs, or none; its id, which is on the page, is the same every time."""
    return [new_markdown_cell("\n\n".join(parts), id=name)] if parts else []
