"""What notebooks show: figures with caption and alt text, tables with a caption, findings, and the closing checks."""

import hashlib
from typing import Any, Protocol

import pandas as pd
from IPython.display import Markdown, display
from pandas.io.formats.style import Styler

CAPTION = {"customerlab": "caption"}  # marks a figure's caption, which the rendered site shows with the figure itself


class Picture(Protocol):
    """A drawn figure with its alt text."""

    alt: str

    def png(self) -> bytes:
        """The figure as PNG, the same bytes for the same drawing."""

    @property
    def width(self) -> int:
        """The width at which it is meant to be seen, in CSS pixels."""


def show(item: "Picture | pd.DataFrame", caption: str, formats: dict[str, str] | None = None) -> None:
    """Show a figure or a table with its caption.

    Parameters
    ----------
    item : Picture or DataFrame
        A figure from `customerlab.figures`, which brings its alt text; or a small table, shown without its index.
    caption : str
        The question that it answers, or what it shows, with units.
    formats : dict of str to str, optional
        Format strings of a table's columns, such as ``{"revenue": "{:,.0f}"}``.
    """
    if isinstance(item, pd.DataFrame):
        _show_table(item, caption, formats or {})
        return
    import base64

    display(
        {"image/png": base64.b64encode(item.png()).decode(), "text/plain": item.alt},
        metadata={"image/png": {"alt": item.alt, "caption": caption, "width": item.width}},
        raw=True,
    )
    display({"text/markdown": f"*{caption}*", "text/plain": caption}, metadata=CAPTION, raw=True)


def _show_table(table: pd.DataFrame, caption: str, formats: dict[Any, Any]) -> None:
    unknown = set(formats) - set(table.columns)
    if unknown:
        raise KeyError(f"formats name columns that the table lacks: {sorted(unknown)}")
    # By name of the caption: ids that change from run to run would make every output differ.
    uuid = hashlib.sha256(caption.encode()).hexdigest()[:8]
    numbers = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    right: Any = {name: [{"selector": "", "props": "text-align: right"}] for name in numbers}  # heads and cells alike
    styler = (
        Styler(table, uuid=uuid, cell_ids=False, caption=_escaped(caption))
        .format(formats, na_rep="–", escape="html")
        .format_index(escape="html", axis=1)
        .hide(axis="index")
        .set_table_styles(right)
    )
    shown = table.copy()
    for name, pattern in formats.items():
        shown[name] = [pattern.format(value) if pd.notna(value) else "–" for value in table[name]]
    plain = f"{caption}\n{shown.to_string(index=False)}"
    display({"text/html": styler.to_html(), "text/plain": plain}, raw=True)


def _escaped(text: str) -> str:
    import html

    return html.escape(text, quote=False)


def findings(*sentences: str) -> None:
    """Show sentences as a list. Build each from computed values, so that it stays true for any data set."""
    text = "\n".join(f"- {sentence}" for sentence in sentences)
    display(Markdown(text))


def checks(**held: Any) -> None:
    """Show what must hold, and raise where it does not.

    Parameters
    ----------
    **held : bool
        What was checked, words joined by underscores, and whether it held.

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
    display(Markdown("\n".join(f"- ✓ {name.replace('_', ' ')}" for name in held)))
