"""What a notebook says of itself: its parameters, the tables and artefacts it reads and writes, its sections.

All is read from the notebook's code, so no second declaration can drift from it. What a notebook reads without naming
it, such as artefacts in a loop, makes it `opaque`: it waits for all notebooks before it, and what it has really read is
recorded when it runs.
"""

import ast
import json
import re
from collections.abc import Collection
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from customerlab.data.fingerprint import PACKAGE, imports, normal_form, tree
from customerlab.errors import CustomerlabError, ParameterError, in_brief, shown
from customerlab.workbench.parameters import NOT_PYTHON, Parameter, parse_parameters

OWN = (
    "01_eda",
    "02_rfm",
    "03_clustering",
    "04_recommenders",
    "05_ab_analysis",
    "06_ratings",
    "07_customer_value",
    "08_segments_over_time",
    "09_profiles",
    "10_campaigns",
    "11_bandits",
)
"""The project's own notebooks. Any other is a guest: a fault of it, and a clash with one of these, concern it alone."""

OPENS = (
    "table",
    "source",
    "row_accounting",
    "load",
    "save",
)  # methods of a Run whose first argument names what they open
CELLS = 2_000  # that are remembered as they were read: whoever asks a Run for anything reads all notebooks again
NEEDS = "needs-"  # a cell tagged `needs-transactions` is not executed where that table is not there
HIDES = ("eval", "exec", "globals", "locals", "vars")


def is_left_out(tags: Collection[str], lacking: Collection[str]) -> bool:
    """Whether a cell with some tags is left out where tables are lacking.

    Examples
    --------
    >>> is_left_out(["needs-transactions"], {"transactions"}), is_left_out([], {"transactions"})
    (True, False)
    """
    return any(tag.removeprefix(NEEDS) in lacking for tag in tags if tag.startswith(NEEDS))


@lru_cache(CELLS)
def _nodes_of(text: str) -> tuple[ast.AST, ...]:
    """The nodes of a cell's Python, which nothing may change."""
    return tuple(ast.walk(tree(text)))


class Notebook:
    """A notebook file, the `.ipynb` at `path`, read as data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self._no_notebook(in_brief(error)) from None
        if not (isinstance(content, dict) and isinstance(content.get("cells"), list)):
            raise self._no_notebook("it has no cells")
        if content.get("nbformat") != 4 or type(content.get("nbformat_minor")) is not int:
            raise self._no_notebook("it is not of the format 4")
        metadata = content.get("metadata")
        inner = ("kernelspec", "language_info", "papermill")  # papermill looks into them
        described = [metadata, *(metadata[key] for key in inner if isinstance(metadata, dict) and key in metadata)]
        if not all(isinstance(said, dict) for said in described):
            raise self._no_notebook("its metadata are missing, or no mapping")
        self.cells: list[dict[str, Any]] = content["cells"]
        for place, cell in enumerate(self.cells, 1):
            if not _is_cell(cell):
                raise self._no_notebook(f"cell {place} is not as Jupyter writes one")

    def _no_notebook(self, why: str) -> ParameterError:
        return ParameterError(
            f"not a notebook: {why}", where=f"notebooks/{self.path.name}",
            expected="what Jupyter saves: cells with cell_type, metadata and source",
            do="restore it from git, or save it again in JupyterLab",
        )  # fmt: skip

    @staticmethod
    def source(cell: dict[str, Any]) -> str:
        """A cell's text."""
        return "".join(cell["source"])

    @cached_property
    def code(self) -> list[str]:
        """The code cells as Python, empty ones left out."""
        texts = [self.source(cell) for cell in self.cells if cell["cell_type"] == "code"]
        return [self._python(text) for text in texts if text.strip()]

    def _python(self, text: str) -> str:
        """A cell as Python: `%`, `!` and `?` become the calls that IPython makes of them."""
        with suppress(*NOT_PYTHON):
            _nodes_of(text)
            return text
        from IPython.core.inputtransformer2 import TransformerManager  # it takes half a second, and few cells need it

        try:
            python = TransformerManager().transform_cell(text)
            tree(python)
            return python
        except NOT_PYTHON as error:
            line = str(getattr(error, "text", None) or next(iter(text.split("\n")))).strip()
            raise ParameterError(
                f"a code cell is not Python: {getattr(error, 'msg', None) or in_brief(error)}",
                where=f"{self.path.name}: {line[:80]}", expected="Python, or what IPython makes Python of",
                do="fix the cell",
            ) from None  # fmt: skip

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The typed parameters."""
        tagged = [c for c in self.cells if "parameters" in c["metadata"].get("tags", [])]
        if len(tagged) != 1:
            raise ParameterError(
                f"{len(tagged)} cells are tagged `parameters`", where=f"notebooks/{self.path.name}", expected="one",
                do='give the tag `parameters` to the one cell that begins with `run: str = "demo"` (notebooks/README.md)',
            )  # fmt: skip
        source, where = self.source(tagged[0]), f"{self.path.name}, parameters cell"
        found = parse_parameters(source, where)
        if "run" in found and len(source.strip().splitlines()) == 1:
            raise ParameterError(
                "the cell has one line only, which IPython takes for its command %run", where=where,
                expected="two lines or more", do="write a comment, in a line of its own, above `run: str = …`",
            )  # fmt: skip
        return found

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return [node for text in self.code for node in _nodes_of(text)]

    @cached_property
    def _runs(self) -> list[ast.Call]:
        """The calls that make a Run."""
        names = {"Run"} | {
            alias.asname or alias.name
            for node in self._nodes
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE
            for alias in node.names
            if alias.name == "Run"
        }
        return [node for node in self._nodes if isinstance(node, ast.Call) and _called(node) in names]

    @cached_property
    def _handles(self) -> set[str]:
        """The names that a Run is given."""
        given = [node for node in self._nodes if isinstance(node, ast.Assign) and node.value in self._runs]
        return {"lab"} | {target.id for node in given for target in node.targets if isinstance(target, ast.Name)}

    @cached_property
    def _calls(self) -> list[ast.Call]:
        return [node for node in self._nodes if isinstance(node, ast.Call) and self._is_own(node.func)]

    def _is_own(self, node: ast.AST | None) -> bool:
        return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self._handles

    def _names(self, method: str) -> list[tuple[ast.Call, str]]:
        calls = [call for call in self._calls if _called(call) == method]
        return [(call, name) for call in calls if (name := _named(call)) is not None]

    @cached_property
    def opaque(self) -> bool:
        """Whether it may read or write what its code does not name.

        So where a name stands in a variable, a Run is handed on or has no name of its own, and where code stands in a
        text.
        """
        texts = [n.value for n in self._nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        handle = re.compile(rf"\b({'|'.join(self._handles)})\.")
        plain = [id(call.func) for call in self._calls if _called(call) not in OPENS or _named(call) is not None]
        own = [node for node in self._nodes if self._is_own(node) and node.attr in OPENS]  # type: ignore[attr-defined]
        uses = [n for n in self._nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        attributes = [id(node.value) for node in self._nodes if isinstance(node, ast.Attribute)]
        return (
            not self._runs
            or len(self._runs) != sum(isinstance(n, ast.Assign) and n.value in self._runs for n in self._nodes)
            or any(id(node) not in plain for node in own)
            or any(name.id in self._handles and id(name) not in attributes for name in uses)
            or any(name.id in HIDES for name in uses)
            or any(handle.search(text) for text in texts)
        )

    def _optional(self, method: str) -> dict[str, bool]:
        """What the calls of a method name; the value says whether all of them allow that it is not there."""
        found: dict[str, bool] = {}
        for call, name in self._names(method):
            found[name] = found.get(name, True) and any(k.arg == "optional" for k in call.keywords)
        return found

    @cached_property
    def tables(self) -> dict[str, bool]:
        """The canonical tables it opens, by `lab.table("…")`; the value says whether it can do without."""
        return self._optional("table")

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The optional columns without which a table is of no use to it, by `lab.table("…", needs=[…])`."""
        found: dict[str, tuple[str, ...]] = {}
        for call, name in self._names("table"):
            listed = [n.value for word in call.keywords if word.arg == "needs" for n in ast.walk(word.value)
                      if isinstance(n, ast.Constant)]  # fmt: skip
            found[name] = tuple(dict.fromkeys([*found.get(name, ()), *map(str, listed)]))
        return found

    @cached_property
    def stand_ins(self) -> dict[str, tuple[str, ...]]:
        """The tables that it opens in place of others, by `lab.table("…", instead_of="…")`, and these."""
        named = {
            name: tuple(n.value for n in ast.walk(word.value) if isinstance(n, ast.Constant) and n.value in self.tables)
            for call, name in self._names("table")
            for word in call.keywords
            if word.arg == "instead_of"
        }
        return {name: others for name, others in named.items() if others}

    @cached_property
    def loads(self) -> dict[str, bool]:
        """The artefacts it reads, by `lab.load("…")`; the value says whether it can do without."""
        return self._optional("load")

    @cached_property
    def saves(self) -> list[str]:
        """The artefacts it writes, by `lab.save("…", …)`."""
        return sorted({name for _, name in self._names("save")})

    def unsaved(self, lacking: Collection[str]) -> set[str]:
        """The artefacts of cells that are left out where tables are lacking."""
        code = [cell for cell in self.cells if cell["cell_type"] == "code"]
        out = [cell for cell in code if is_left_out(cell["metadata"].get("tags", []), lacking)]
        calls = {id(node) for cell in out for node in _nodes_of(self._python(self.source(cell)))}
        return {name for call, name in self._names("save") if id(call) in calls}

    @cached_property
    def objects(self) -> set[str]:
        """Those of the artefacts that are objects: they are saved without the key that a table needs."""
        return {
            name for call, name in self._names("save") if not any(word.arg in ("key", None) for word in call.keywords)
        }

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

    def check(self) -> None:
        """Raise unless the runner can execute it."""
        try:
            _ = self.parameters, self.normal_code
        except NOT_PYTHON as error:
            raise ParameterError(
                f"its code cannot be read: {in_brief(error)}", where=f"notebooks/{self.path.name}",
                expected="code that is nested less deeply", do="fix the cell",
            ) from None  # fmt: skip
        for call in self._runs:
            name = call.args[1] if len(call.args) > 1 else None
            if isinstance(name, ast.Constant) and name.value != self.name:
                raise ParameterError(
                    f"its Run has the name of another notebook: {shown(name.value)}", where=f"notebooks/{self.path.name}",
                    expected=f'Run(run, "{self.name}", …), the name of the file', do="fix the name",
                )  # fmt: skip


def _called(call: ast.Call) -> str:
    """The last name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _named(call: ast.Call) -> str | None:
    """The table or artefact that a call names by a text."""
    words = [word.value for word in call.keywords if word.arg in ("name", "table", "artifact")]
    given = next(iter([*call.args, *words]), None)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _is_cell(cell: Any) -> bool:
    """Whether a cell has what is read of it, in the kinds that Jupyter writes."""
    if not (isinstance(cell, dict) and isinstance(cell.get("metadata"), dict)):
        return False
    source, tags = cell.get("source"), cell["metadata"].get("tags", [])
    lines = [source] if isinstance(source, str) else source
    texts = [*lines, *tags] if isinstance(lines, list) and isinstance(tags, list) else [None]
    whole = all(isinstance(text, str) and not re.search("[\ud800-\udfff]", text) for text in texts)
    outputs = cell.get("cell_type") != "code" or isinstance(cell.get("outputs", []), list)
    return whole and outputs and cell.get("cell_type") in ("code", "markdown", "raw")


NAME = re.compile(r"[0-9]{2}_[a-z0-9_]+\.ipynb")


def read_notebooks(root: Path) -> tuple[list[Notebook], dict[str, CustomerlabError]]:
    """Read the numbered notebooks of a project; copies such as `02_rfm-Copy1.ipynb` are none.

    Returns those that can be executed, in order, and the others by their names with what is wrong with each: it cannot
    be read, or it has the number or saves the artefact of another one. Where two clash, a notebook of the project's own
    stays, or else the first in order.

    A ParameterError where there is none, or if one of the project's own has a fault.
    """
    paths = sorted(path for path in (root / "notebooks").glob("*.ipynb") if NAME.fullmatch(path.name))
    if not paths:
        raise ParameterError("there is no numbered notebook", where="notebooks/", expected="NN_name.ipynb")
    found: list[Notebook] = []
    faults: dict[str, CustomerlabError] = {}
    for path in sorted(paths, key=lambda path: (path.stem not in OWN, path.name)):
        try:
            notebook = Notebook(path)
            notebook.check()
            _check_alone(notebook, found)
            found.append(notebook)
        except CustomerlabError as error:
            if path.stem in OWN:
                raise
            faults[path.stem] = error
    return sorted(found, key=lambda notebook: notebook.name), faults


def _check_alone(notebook: Notebook, others: list[Notebook]) -> None:
    """Raise where a notebook has the number of another one, or saves what another one saves."""
    where = f"notebooks/{notebook.path.name}"
    for other in others:
        if other.name[:2] == notebook.name[:2]:
            raise ParameterError(
                f"it has the number of {other.name}", where=where,
                expected="a number for each, because artefacts pass from lower to higher ones", do="give it another number",
            )  # fmt: skip
        for artifact in set(notebook.saves) & set(other.saves):
            raise ParameterError(
                f"it saves {artifact}, as {other.name} does", where=where,
                expected="one notebook that makes an artefact", do="save it under another name",
            )  # fmt: skip


def load_notebooks(root: Path) -> list[Notebook]:
    """The notebooks of a project that can be executed, in order."""
    return read_notebooks(root)[0]
