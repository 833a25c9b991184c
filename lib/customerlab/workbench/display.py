"""What notebooks show: figures with caption and alt text, tables with a caption, findings, and the closing checks.

All that is given to these functions is plain text, in which names from data stand as they are. `wording.text` makes
Markdown and HTML of it, here and nowhere else.
"""

import base64
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Markdown, display

from customerlab.wording import line, text

CAPTION = {"customerlab": "caption"}  # marks a figure's caption, which the rendered site shows with the figure itself

CHECKS = {"customerlab": "checks"}  # marks the closing checks, which the site folds

_drawings: Iterator[Path] = iter(())  # the files into which the next figures are drawn, too; by default none

PROGRESS = "application/x-customerlab-progress"  # a line for the terminal, which no notebook keeps


@dataclass(frozen=True)
class _Drawn:
    """A user's own figure of matplotlib as a Picture."""

    figure: Any
    alt: str

    @property
    def width(self) -> int:
        return round(self.figure.get_size_inches()[0] * 100)

    def png(self) -> bytes:
        buffer = BytesIO()
        self.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        self.figure.savefig(path, metadata={"Date": None, "Creator": None})


def show(
    item: Any,
    caption: str,
    formats: dict[str, str] | None = None,
    *,
    alt: str = "",
    fold: int = 0,
    headline: bool = False,
) -> None:
    """Show a figure or a table with its caption.

    Parameters
    ----------
    item : Picture, matplotlib Figure or DataFrame
        A figure from `customerlab.figures`, which brings its alt text, or one of your own; or a small table, shown
        without its index.
    caption : str
        The question that it answers, or what it shows, with units.
    formats : dict of str to str, optional
        Format strings of a table's columns, such as ``{"revenue": "{:,.0f}"}``.
    fold : int
        Of a table, how many rows the page shows before it is unfolded; all by default.
    headline : bool
        Whether a figure stands below the key results of the page, too, and on the front page; one of a notebook does.
    alt : str
        What a figure of your own shows, with its main numbers, for readers who cannot see it; else its caption.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(item, pd.DataFrame):
        shown = written(item, formats or {})
        plain = f"{line(caption)}\n{shown.set_axis([*map(line, shown)], axis=1).to_string(index=False)}"
        folded = {"text/html": {"fold": fold}} if 0 < fold < len(item) else {}
        display({"text/html": as_html(shown, item, caption), "text/plain": plain}, metadata=folded, raw=True)
        return
    if hasattr(item, "savefig"):
        item = _Drawn(item, alt or caption)
    elif not hasattr(item, "png"):
        raise TypeError(
            f"show was given {type(item).__name__}; expected a table (DataFrame), a figure of customerlab, or a Figure of matplotlib"
        )
    alt = line(item.alt)
    if drawing := next(_drawings, None):
        item.save(drawing)
    display(
        {"image/png": base64.b64encode(item.png()).decode(), "text/plain": alt},
        metadata={
            "image/png": {"alt": alt, "caption": line(caption), "width": item.width} | ({"headline": True} if headline else {})
        },
        raw=True,
    )  # fmt: skip
    display({"text/markdown": f"<em>{text(caption)}</em>", "text/plain": line(caption)}, metadata=CAPTION, raw=True)


def written(table: pd.DataFrame, formats: dict[Any, Any]) -> pd.DataFrame:
    """A table whose cells are the texts that are shown: numbers by their formats, – for what is missing."""
    unknown = set(formats) - set(table.columns)
    if unknown:
        raise KeyError(f"formats name columns that the table lacks: {sorted(unknown)}")
    shown = table.astype(object)
    for name in table.columns:
        form = formats.get(name, "{:.6g}" if pd.api.types.is_float_dtype(table[name]) else "{}").format
        shown[name] = [line(form(value)) if pd.notna(value) else "–" for value in table[name]]
    return shown


def as_html(shown: pd.DataFrame, table: pd.DataFrame, caption: str) -> str:
    """A table as HTML, by its `written` cells, all of them text; numbers have a class of their own, to the right."""
    kinds = [' class="n"' if pd.api.types.is_numeric_dtype(table[name]) else "" for name in table.columns]

    def row(cells: Any, tag: str, extra: str = "") -> str:
        written = (f"<{tag}{extra}{kind}>{text(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        return f"<tr>{' '.join(written)}</tr>"

    body = "\n".join(row(cells, "td") for cells in shown.itertuples(index=False, name=None))
    head = row(table.columns, "th", ' scope="col"')
    return f"<table>\n<caption>{text(caption)}</caption>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def keep_drawings(folder: Path, notebook: str) -> None:
    """From now on save each figure that is shown as SVG, too, as `drawing` names it."""
    global _drawings
    folder.mkdir(exist_ok=True)
    _drawings = (folder / drawing(notebook, place) for place in count(1))


def drawing(notebook: str, place: int) -> str:
    """The name of the SVG of a notebook's figure, by its place among those shown, from 1."""
    return f"{notebook}-{place}.svg"


class Teller(logging.Handler):
    """Hands what the library logs to the runner, which says it on the terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over one line."""
        display({PROGRESS: line(record.getMessage())}, raw=True)


def tell_progress() -> None:
    """From now on tell the runner what long computations are at."""
    log = logging.getLogger("customerlab")
    if not any(isinstance(handler, Teller) for handler in log.handlers):
        log.addHandler(Teller())
        log.setLevel(logging.INFO)


def findings(*sentences: str, section: str = "") -> None:
    """Show sentences as a list. Build each from computed values, so that it stays true for any data set.

    A sentence is plain text, whatever names are in it; the first words of one that is `wording.Led` are bold. `section`
    is the heading, such as "3 Segments", that the sentences are from: each ends with a link to it.
    """
    link = f" ([{section.partition(' ')[0]}](#{section.replace(' ', '-')}))" if section else ""
    if sentences:
        display(Markdown("\n".join(f"- {text(sentence)}{link}" for sentence in sentences)))


def checks(**held: Any) -> None:
    """Show what must hold: names, words joined by underscores, and whether each held.

    Raises
    ------
    AssertionError
        Naming every check that failed; an unattended rerun stops here.

    Examples
    --------
    >>> checks(shares_sum_to_one=False)
    Traceback (most recent call last):
    ...
    AssertionError: does not hold: shares sum to one
    """
    failed = [name.replace("_", " ") for name, ok in held.items() if not bool(ok)]
    if failed:
        raise AssertionError(f"does not hold: {'; '.join(failed)}")
    passed = "\n".join(f"- ✓ {text(name.replace('_', ' '))}" for name in held)
    said = f"{len(held)} of {len(held)} checks passed"
    display({"text/markdown": f"{said}:\n\n{passed}", "text/plain": said}, metadata=CHECKS, raw=True)
