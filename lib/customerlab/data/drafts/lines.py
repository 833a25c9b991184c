"""The lines of a draft, which stand or wait for a choice, and texts as YAML and comments have them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from customerlab.wording import escaped, line as one_line

OTHERS = 3  # candidates that are shown beside the best


@dataclass
class Line:
    """A line of the draft: what it says, why, and whether it stands or waits for a choice as a comment."""

    text: str
    why: str = ""
    taken: bool = True


def scalar(text: str) -> str:
    """A text as a scalar of YAML."""
    if re.fullmatch(r"[^\W\d](?:[\w .#()/-]*[\w.)])?", text) and text.isprintable():
        plain = " #" not in text and not re.fullmatch("y|n|yes|no|on|off|true|false|null", text, re.IGNORECASE)
        if plain:
            return text
    signs = (f"\\{s}" if s in '"\\' else s if s.isprintable() else escaped(s) for s in text)
    return f'"{"".join(signs)}"'


def said(text: str) -> str:
    """A text as a comment shows it."""
    return f'"{one_line(text)[:60]}"'


def block(lines: list[Line], indent: int) -> Iterator[str]:
    """Lines as they stand in the entry: those that are not taken as comments, each with what it rests on."""
    for line in lines:
        why = f"  # {'check: ' if line.taken else ''}{one_line(line.why)}" if line.why else ""
        yield " " * indent + ("" if line.taken else "# ") + line.text + why


def in_rows(count: int) -> str:
    """So many rows, as a text."""
    return f"{count:,} row{'' if count == 1 else 's'}"
