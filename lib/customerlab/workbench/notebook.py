"""What a notebook says of itself: its parameters, the tables and artefacts it reads and writes, its sections.

All of it is read from the notebook's own code, so there is no second declaration that could drift from it.
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from customerlab.data.address import check_address
from customerlab.data.fingerprint import imports, normal_form
from customerlab.errors import ParameterError

TYPES: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Parameter:
    """One typed parameter of a notebook, as its parameters cell declares it.

    Attributes
    ----------
    kind : str
        ``int``, ``float``, ``str``, ``bool`` or ``list[…]`` of one of these.
    low, high : float or None
        The range, from ``(LOW to HIGH)`` in the comment.
    choices : tuple of str
        The allowed words, from ``(one of A, B)`` in the comment.
    form : str
        The form of a text, ``YYYY-MM-DD`` or ``regular expression``, where the comment asks for it in brackets. An
        empty text stays allowed.
    """

    name: str
    kind: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
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
            fits = all(self.low <= item <= self.high for item in (value if isinstance(value, list) else [value]))
        if fits and self.choices:
            fits = value in self.choices
        if fits and self.form and value:
            fits = _passes(self.form, value)
        if not fits:
            raise ParameterError(
                f"{self.name} = {value!r}", where=where, expected=self.expected, do=self._advice(value)
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
        if kind in ("int", "float") and isinstance(value, bool):
            return False
        return isinstance(value, (int, float) if kind == "float" else TYPES[kind])


def _day(text: str) -> None:
    if date.fromisoformat(text).isoformat() != text:  # which also reads 20241231
        raise ValueError(text)


# in words, and what raises where a text has not this form
FORMS: dict[str, tuple[str, Callable[[str], object]]] = {
    "YYYY-MM-DD": ("a day YYYY-MM-DD", _day),
    "regular expression": ("a regular expression", re.compile),
}


def _spelled(number: float) -> str:
    return f"{number:.0f}" if number.is_integer() else f"{number:g}"


def _passes(form: str, text: str) -> bool:
    try:
        FORMS[form][1](text)
    except (ValueError, re.error):
        return False
    return True


def _annotation(node: ast.expr, where: str) -> str:
    kind = ast.unparse(node)
    if (kind[5:-1] if kind.startswith("list[") else kind) not in TYPES:
        # nothing else: papermill's own reader of parameters does not know unions, and would warn of every one
        raise ParameterError(
            f"the type {kind!r} cannot be a parameter's", where=where, expected=f"{', '.join(TYPES)} or list[…]"
        )
    return kind


def parse_parameters(source: str, where: str) -> dict[str, Parameter]:
    """Read a parameters cell: typed literals, each with a comment.

    Parameters
    ----------
    source : str
        The cell.
    where : str
        How messages name it.

    Examples
    --------
    >>> cell = "bins: int = 5  # quantile bins (2 to 10)"
    >>> parse_parameters(cell, "a cell")["bins"].high
    10.0
    """
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, Parameter] = {}
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            raise ParameterError(
                f"line {node.lineno} is no typed parameter", where=where, expected="name: type = literal  # comment"
            )
        name = node.target.id
        kind = _annotation(node.annotation, f"{where}, {name}")
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise ParameterError(
                f"{name} is no literal", where=where, expected="a number, a text, true, false, None or a list"
            ) from None
        text = comments.get(node.end_lineno or node.lineno, "")
        bounds = re.search(r"\((-?[\d.]+) to (-?[\d.]+)\)", text)
        words = re.search(r"\(one of ([^)]+)\)", text)
        parameter = Parameter(
            name, kind, default, text,
            float(bounds[1]) if bounds else None, float(bounds[2]) if bounds else None,
            tuple(re.split(r",\s*", words[1])) if words else (), next((form for form in FORMS if f"({form})" in text), ""),
        )  # fmt: skip
        parameter.check(default, f"{where}, default")
        found[name] = parameter
    return found


class Notebook:
    """A notebook file, read as data.

    Parameters
    ----------
    path : Path
        The `.ipynb` file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        try:
            self.cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (json.JSONDecodeError, KeyError) as error:
            raise ParameterError(f"not a notebook: {error}", where=path.name, do="restore it from git") from None

    @staticmethod
    def source(cell: dict[str, Any]) -> str:
        """A cell's text."""
        return "".join(cell["source"])

    @cached_property
    def code(self) -> list[str]:
        """The code cells, empty ones left out, magics and shell escapes dropped."""
        texts = [self.source(cell) for cell in self.cells if cell["cell_type"] == "code"]
        return [re.sub(r"(?m)^\s*[%!].*$", "", text) for text in texts if text.strip()]

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The typed parameters."""
        tagged = [c for c in self.cells if "parameters" in c["metadata"].get("tags", [])]
        if len(tagged) != 1:
            raise ParameterError(f"{len(tagged)} cells are tagged `parameters`", where=self.path.name, expected="one")
        return parse_parameters(self.source(tagged[0]), f"{self.path.name}, parameters cell")

    @cached_property
    def _calls(self) -> list[ast.Call]:
        return [
            node
            for text in self.code
            for node in ast.walk(self._parse(text))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "lab"
        ]

    def _parse(self, text: str) -> ast.Module:
        try:
            return ast.parse(text)
        except SyntaxError as error:
            raise ParameterError(
                f"a code cell is not Python: {error.msg}",
                where=f"{self.path.name}: {(error.text or '').strip()}",
                do="mend the cell",
            ) from None

    def _names(self, method: str) -> list[ast.Call]:
        return [c for c in self._calls if isinstance(c.func, ast.Attribute) and c.func.attr == method and c.args]

    @staticmethod
    def _first(call: ast.Call) -> str:
        return str(ast.literal_eval(call.args[0]))

    def _optional(self, method: str) -> dict[str, bool]:
        """What the calls of a method name; the value says whether all of them allow that it is not there."""
        found: dict[str, bool] = {}
        for call in self._names(method):
            name, optional = self._first(call), any(k.arg == "optional" for k in call.keywords)
            found[name] = found.get(name, True) and optional
        return found

    @cached_property
    def tables(self) -> dict[str, bool]:
        """The canonical tables it opens, by `lab.table("…")`; the value says whether it can do without."""
        return self._optional("table")

    @cached_property
    def loads(self) -> dict[str, bool]:
        """The artefacts it reads, by `lab.load("…")`; the value says whether it can do without."""
        return self._optional("load")

    @cached_property
    def saves(self) -> list[str]:
        """The artefacts it writes, by `lab.save("…", …)`."""
        return sorted({self._first(c) for c in self._names("save")})

    @property
    def title(self) -> str:
        """The first heading."""
        return next(
            (line[2:].strip() for c in self.cells for line in self.source(c).splitlines() if line.startswith("# ")),
            self.name,
        )

    @property
    def question(self) -> str:
        """The first paragraph below the title."""
        blocks = [b.strip() for b in self.source(self.cells[0]).split("\n\n")] if self.cells else []
        return next((" ".join(b.split()) for b in blocks if b and not b.startswith("#")), "")

    @cached_property
    def normal_code(self) -> str:
        """The code reduced to what it computes; the parameters cell counts by its values, elsewhere."""
        tagged = [self.source(c) for c in self.cells if "parameters" in c["metadata"].get("tags", [])]
        return "\n".join(normal_form(text) for text in self.code if text not in tagged)

    @cached_property
    def imports(self) -> list[tuple[str, tuple[str, ...]]]:
        """What it imports from this package."""
        return [found for text in self.code for found in imports(text)]


NAME = re.compile(r"[0-9]{2}_[a-z0-9_]+\.ipynb")


def load_notebooks(root: Path) -> list[Notebook]:
    """The numbered notebooks of a project, in order; copies such as `02_rfm-Copy1.ipynb` are none.

    Raises
    ------
    ParameterError
        If there is none, if two have one number, or if two save the same artefact.
    """
    paths = sorted(path for path in (root / "notebooks").glob("*.ipynb") if NAME.fullmatch(path.name))
    if not paths:
        raise ParameterError("there is no numbered notebook", where="notebooks/", expected="NN_name.ipynb")
    for one, two in pairwise(paths):
        if one.name[:2] == two.name[:2]:
            raise ParameterError(
                f"two notebooks have the number {one.name[:2]}: {one.name} and {two.name}", where="notebooks/",
                expected="a number for each, because artefacts pass from lower to higher ones", do="rename one of them",
            )  # fmt: skip
    notebooks = [Notebook(path) for path in paths]
    makers: dict[str, str] = {}
    for notebook in notebooks:
        for artifact in notebook.saves:
            if makers.setdefault(artifact, notebook.name) != notebook.name:
                raise ParameterError(
                    f"two notebooks save {artifact}: {makers[artifact]} and {notebook.name}", where="notebooks/",
                    expected="one notebook that makes an artefact", do="rename it in one of them",
                )  # fmt: skip
    return notebooks
