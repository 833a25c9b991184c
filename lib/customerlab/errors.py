"""One kind of error for everything a user can put right, and how values and other programs' errors are said in it."""

import os
import re
import reprlib
import traceback
from pathlib import Path

from customerlab.wording import visible

VALUE, PART = 80, 2_000  # signs that a value, and a part of a message, may have
DEBUG = "CUSTOMERLAB_DEBUG"

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = VALUE
_SHORT.maxlevel = 4

# An absolute path of two or more names; what follows a letter, a colon or another slash is an address or a date.
_PATH = re.compile(r"(?<![\w./:~%…-])(?:/[^\s/'\"(),;:<>|]+)+(?=/)(?=/[^\s/'\"(),;:<>|])")


def shown(value: object) -> str:
    """A value as messages show it: in quotes where it is a text, its signs all visible, at most 80 of them.

    Examples
    --------
    >>> shown("Preis"), len(shown("x" * 3_000_000))
    ("'Preis'", 80)
    >>> print(shown("\\x1b[31mred"))
    '\\x1b[31mred'
    """
    try:
        text = _SHORT.repr(value)
    except (ValueError, RecursionError):  # Python writes no whole number of more than 4,300 digits
        text = f"a value of the kind {type(value).__name__}"
    return _cut(text, VALUE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def without_folders(text: str) -> str:
    """A text in which files are named from the working folder on, or by their own name: paths are the machine's own.

    Examples
    --------
    >>> without_folders("no right to write /srv/shared/data/log.csv")
    'no right to write …/log.csv'
    >>> without_folders("see https://example.org/a/b, format %d/%m/%Y")
    'see https://example.org/a/b, format %d/%m/%Y'
    """
    if "/" not in text:
        return text
    try:
        here = f"{Path.cwd()}/"
    except OSError:  # the folder has been removed
        here = ""
    if len(here) > 2:
        text = text.replace(here, "")
    home = os.environ.get("HOME", "")  # named, because it may hold blanks
    if home.count("/") > 1:
        text = text.replace(f"{home}/", "…/")
    return _PATH.sub("…", text)


def in_brief(error: BaseException) -> str:
    """What another program says of a fault, in one line; DuckDB's copy of the row, and its advice, are left out."""
    return _cut(" ".join(re.split("Original Line:|Possible (?:fixes|solutions)", str(error))[0].split()), 300)


class CustomerlabError(Exception):
    """Something a user can put right: what was found, where, what was expected there, and what to do.

    Each part is cut after 2,000 signs; what cannot be seen in it is made visible, and the machine's folders are left
    out.

    Examples
    --------
    >>> print(CustomerlabError("no such column: 'Preis'", where="shop.csv", do="fix data/catalog.yml"))
    no such column: 'Preis'
      where:    shop.csv
      do:       fix data/catalog.yml
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", do: str = "") -> None:
        parts = [visible(without_folders(_cut(text, 2 * PART))) for text in (what, where, expected, do)]
        parts = [_cut(part.replace("\t", "\\t").replace("\r", "\\r"), PART) for part in parts]
        self.what, self.where, self.expected, self.do = parts
        lines = [self.what]
        for label, text in (("where", self.where), ("expected", self.expected), ("do", self.do)):
            if text:
                lines.append(f"  {label + ':':<9} {text}")
        super().__init__("\n".join(lines))


class ParameterError(CustomerlabError):
    """A parameter or a run that cannot be used."""


class DataError(CustomerlabError):
    """A data set that is missing, changed or not as declared."""


class DataErrors(DataError):
    """All the faults of a data set that show in one pass; its parts are those of the first.

    Examples
    --------
    >>> print(DataErrors([DataError("no date", where="a.csv"), DataError("no price")]))
    no date
      where:    a.csv
    no price
    """

    def __init__(self, faults: list[DataError]) -> None:
        first = faults[0]
        super().__init__(first.what, where=first.where, expected=first.expected, do=first.do)
        self.faults = tuple(faults)
        self.args = ("\n".join(map(str, faults)),)


def raise_all(faults: list[DataError]) -> None:
    """Raise what has been found, if anything, as one error."""
    if faults:
        raise DataErrors(faults)  # a new one: an error that its own traceback leads to would keep connections open


class RunError(CustomerlabError):
    """A notebook or a step that did not finish."""


def told(error: BaseException, doing: str) -> CustomerlabError:
    """Any error as one that a user can read: what the system refused, or a fault of this library and where it is.

    `doing` is what stopped, such as ``customerlab data get``. A `CustomerlabError` comes back as it is.

    Examples
    --------
    >>> print(told(PermissionError(13, "Permission denied", "outputs/demo"), "customerlab run"))
    Permission denied
      where:    outputs/demo
      expected: room on the disk and the rights to read and write; earlier results are in place
    """
    if isinstance(error, CustomerlabError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return CustomerlabError(
            error.strerror, where=str(error.filename or "a file"),
            expected="room on the disk and the rights to read and write; earlier results are in place",
        )  # fmt: skip
    package = str(Path(__file__).parent)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(package)]
    at = f", {Path(frames[-1].filename).relative_to(Path(package).parent)} line {frames[-1].lineno}" if frames else ""
    said = in_brief(error)
    return CustomerlabError(
        f"{doing} stopped by a fault of its own: {type(error).__name__}{said and ': ' + said}",
        where=doing + at, expected="a result, or a message that says what to fix; earlier results are in place",
        do=f"set {DEBUG}=1 and try again to see the whole traceback, and report it",
    )  # fmt: skip
