"""The typed parameters of a notebook, as its parameters cell declares them."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from customerlab.data.address import check_address
from customerlab.data.fingerprint import tree
from customerlab.data.secrets import masked
from customerlab.data.tables import EARLIEST, LATEST
from customerlab.data.yaml_files import odd_sign
from customerlab.errors import ParameterError, in_brief, shown

# Parameters of earlier versions and what they are called now, refused with the new name until the end of 2027.
RENAMED: dict[str, str] = {
    "order_budget": "recommender_budget",
    "rehearsals": "simulations",
    "spending": "alpha_spending",
    "winsorised_at": "winsor_quantile",
}
TYPES: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}
# What Python raises of a text that is none of its own, or is nested deeper than it goes.
NOT_PYTHON = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, tokenize.TokenError)


@dataclass(frozen=True)
class Parameter:
    """One typed parameter of a notebook, as its parameters cell declares it."""

    name: str
    kind: str  # ``int``, ``float``, ``str``, ``bool`` or ``list[…]`` of one of these
    default: Any
    help: str
    low: float | None = None  # the range of numbers, from ``(LOW to HIGH)`` in the comment
    high: float | None = None
    choices: tuple[str, ...] = ()  # the allowed words, from ``(one of A, B)`` in the comment
    # of a text, ``YYYY-MM-DD`` or ``regular expression`` in brackets in the comment; an empty text stays allowed
    form: str = ""

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        text = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}.get(
            self.kind, f"a list of {self.kind[5:-1]}"
        )
        if self.low is not None and self.high is not None:
            text += f" from {_spelled(self.low)} to {_spelled(self.high)}"
        if self.form:
            text = FORMS[self.form][0]
        if self.choices:
            text = "one of " + ", ".join(self.choices)
        return f"{text}: {self.help}"

    def check(self, value: Any, where: str) -> Any:
        """Return `value` in its declared type, or raise what was found and what was expected."""
        fits = self._fits(value, self.kind)
        if fits and self.low is not None and self.high is not None:
            items = value if isinstance(value, list) else [value]
            fits = not any(isinstance(item, str) for item in items) and all(self.low <= i <= self.high for i in items)
        if fits and self.choices:
            fits = value in self.choices
        if fits and self.form and value:
            fits = FORMS[self.form][1](value)
        if not fits:
            raise ParameterError(
                f"{self.name} = {masked(shown(value))}", where=where, expected=self.expected, do=self._advice(value)
            )
        if self.name == "engine" and self.kind == "str":
            check_address(value, where)
        return float(value) if self.kind == "float" else value

    def _advice(self, value: Any) -> str:
        """What to write in place of a value of another type: papermill's `-p` undoes quotes and knows no lists."""
        if self.kind.startswith("list[") and not isinstance(value, list):
            return f"write a list in brackets; on papermill's command line by -y '{{{self.name}: […]}}' in place of -p"
        if self.kind == "str" and value is None:
            return "leave it out"
        if self.kind == "str" and not isinstance(value, str):
            return f"write it in quotes; on papermill's command line by -r {self.name} … in place of -p"
        return ""

    def _fits(self, value: Any, kind: str) -> bool:
        if kind.startswith("list["):
            return isinstance(value, list) and all(self._fits(item, kind[5:-1]) for item in value)
        kinds: Any = (int, float) if kind == "float" else TYPES[kind]
        if not isinstance(value, kinds):
            return False
        if kind in ("int", "float"):
            # not infinite, and no whole number that no float holds
            return not isinstance(value, bool) and abs(value) <= sys.float_info.max
        return kind == "bool" or not odd_sign(str(value))


def _day(text: str) -> bool:
    with suppress(ValueError):  # fromisoformat also reads 20241231
        return date.fromisoformat(text).isoformat() == text and EARLIEST <= text <= LATEST
    return False


def _pattern(text: str) -> bool:
    import duckdb  # it takes a tenth of a second, and hardly any run has a pattern

    with duckdb.connect() as con:
        try:
            con.execute("SELECT regexp_matches('', ?)", [text]).fetchall()
        except (duckdb.Error, ValueError):
            return False
    return True


# in words, and whether a text has this form
FORMS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "YYYY-MM-DD": (f"a day YYYY-MM-DD, {EARLIEST[:4]} to {LATEST[:4]}", _day),
    "regular expression": ("a regular expression in the syntax of RE2, which has no look-around", _pattern),
}


NUMBER = r"-?(?:\d+(?:\.\d*)?|\.\d+)"


def _spelled(number: float) -> str:
    return f"{number:.0f}" if number.is_integer() else f"{number:g}"


def _annotation(node: ast.expr, where: str) -> str:
    try:
        kind = ast.unparse(node)
    except RecursionError:
        kind = ""
    if (kind[5:-1] if kind.startswith("list[") else kind) not in TYPES:
        # nothing else: papermill's own reader of parameters does not know unions, and would warn of every one
        raise ParameterError(
            f"the type {shown(kind)} cannot be a parameter's", where=where, expected=f"{', '.join(TYPES)} or list[…]"
        )
    return kind


def parse_parameters(source: str, where: str) -> dict[str, Parameter]:
    """Read a parameters cell: typed literals, each with a comment.

    Examples
    --------
    >>> cell = "bins: int = 5  # quantile bins (2 to 10)"
    >>> parse_parameters(cell, "a cell")["bins"].high
    10.0
    """
    try:
        comments = {
            token.start[0]: token.string.lstrip("# ").strip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
        body = tree(source).body
    except NOT_PYTHON as error:
        raise ParameterError(f"the cell is not Python: {in_brief(error)}", where=where, do="fix the cell") from None
    found: dict[str, Parameter] = {}
    for node in body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            raise ParameterError(
                f"line {node.lineno} is no typed parameter", where=where, expected="name: type = literal  # comment"
            )
        name = node.target.id
        kind = _annotation(node.annotation, f"{where}, {name}")
        try:
            default = ast.literal_eval(node.value)
        except NOT_PYTHON:
            raise ParameterError(
                f"{name} is no literal", where=where, expected="a number, a text, true, false, None or a list"
            ) from None
        text = comments.get(node.end_lineno or node.lineno, "")
        bounds = re.search(rf"\(({NUMBER}) to ({NUMBER})\)", text)
        words = re.search(r"\(one of ([^)]+)\)", text)
        parameter = Parameter(
            name, kind, default, text,
            float(bounds[1]) if bounds else None, float(bounds[2]) if bounds else None,
            tuple(re.split(r",\s*", words[1])) if words else (), next((form for form in FORMS if f"({form})" in text), ""),
        )  # fmt: skip
        parameter.check(default, f"{where}, default")
        found[name] = parameter
    return found
