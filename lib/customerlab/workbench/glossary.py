"""The project's glossary on the pages: a page of its own, and a link from the first use of each term."""

import re
from collections.abc import Iterable
from pathlib import Path

import nbformat

from customerlab.workbench.standing import GLOSSARY

PAGE = "glossary.html"
SHORT = 3  # letters of a word that no link explains
# What no link is put into: headings, whose data it is, code, links, formulas, HTML.
KEPT = re.compile(r"(?m)^#.*$|^\*\*Data:.*$|`[^`]*`|\[[^\]]*\]\([^)]*\)|\$[^$]*\$|<[^>]*>|^\|.*$")


def read(root: Path) -> tuple[str, dict[str, str]]:
    """The glossary as Markdown whose terms have anchors, and the anchor of each term; both empty where there is none.

    A row's first cell names its terms, separated by commas; what stands in brackets is another name of the one before.
    """
    path = root / GLOSSARY
    if not path.is_file():
        return "", {}
    anchors: dict[str, str] = {}

    def row(found: re.Match[str]) -> str:
        cell = found[1].strip()
        if cell == "term" or not cell.strip("-: "):
            return found[0]
        anchor = re.sub(r"[^a-z0-9]+", "-", cell.lower()).strip("-")
        for name in re.split(r",\s*|\s*[()]\s*", cell):
            if name:
                anchors.setdefault(name, anchor)
        return f'| <span id="{anchor}">{cell}</span> |{found[2]}'

    return re.sub(r"(?m)^\|([^|]*)\|(.*)$", row, path.read_text(encoding="utf-8")), anchors


def linked(notebook: nbformat.NotebookNode, anchors: dict[str, str]) -> nbformat.NotebookNode:
    """A notebook whose texts link the first use of each term.

    A term within a longer one is not meant: in "personal frequency" there is no frequency. Nor are the shortest
    words, such as "run". The plural counts, and so does a capital at the beginning, unless a term is in capitals.
    """
    left, page = dict(anchors), nbformat.from_dict(dict(notebook))
    page.cells = [
        nbformat.from_dict(dict(cell) | {"source": explained(cell.source, left, list(anchors))})
        if cell.cell_type == "markdown"
        else cell
        for cell in notebook.cells
    ]
    return page


def explained(source: str, left: dict[str, str], terms: Iterable[str] = ()) -> str:
    """A text with links to terms of `left`, which loses those that are linked now; all are `terms`, or in `left`."""
    for term, anchor in sorted(left.items(), key=lambda pair: -len(pair[0])):
        if term not in left or not (term.isupper() or len(term) > SHORT):
            continue
        longer = [other for other in terms or list(left) if other != term and term in other]
        spans = [found.span() for kept in (KEPT, *map(_pattern, longer)) for found in kept.finditer(source)]
        for found in _pattern(term).finditer(source):
            if not any(begin <= found.start() < end for begin, end in spans):
                source = f"{source[: found.start()]}[{found[0]}]({PAGE}#{anchor}){source[found.end() :]}"
                for name in [name for name, at in left.items() if at == anchor]:
                    del left[name]
                break
    return source


def _pattern(term: str) -> re.Pattern[str]:
    plain = re.escape(term) if term.isupper() else f"(?i:{re.escape(term[0])}){re.escape(term[1:])}"
    return re.compile(rf"(?<![\w-]){plain}s?(?![\w-])")
