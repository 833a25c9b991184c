"""What a notebook says of itself: its parameters, the tables and artefacts it reads and writes, its sections.

All of it is read from the notebook's own code, so there is no second declaration that could drift from it.
"""

import ast
import json
import re
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from customerlab.data.fingerprint import imports, normal_form
from customerlab.errors import ParameterError, in_brief
from customerlab.workbench.parameters import NOT_PYTHON, Parameter, parse_parameters


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
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self._no_notebook(in_brief(error)) from None
        if not (isinstance(content, dict) and isinstance(content.get("cells"), list)):
            raise self._no_notebook("it has no cells")
        if content.get("nbformat") != 4 or type(content.get("nbformat_minor")) is not int:
            raise self._no_notebook("it is not of the format 4")
        if not all(isinstance(said, dict) for said in self._described(content)):
            raise self._no_notebook("its metadata are missing, or no mapping")
        self.cells: list[dict[str, Any]] = content["cells"]
        for place, cell in enumerate(self.cells, 1):
            if not _is_cell(cell):
                raise self._no_notebook(f"cell {place} is not as Jupyter writes one")

    @staticmethod
    def _described(content: dict[str, Any]) -> list[Any]:
        metadata = content.get("metadata")
        inner = ("kernelspec", "language_info", "papermill")  # papermill looks into them
        return [metadata, *(metadata[key] for key in inner if isinstance(metadata, dict) and key in metadata)]

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
        """The code cells, empty ones left out, magics and shell escapes dropped."""
        texts = [self.source(cell) for cell in self.cells if cell["cell_type"] == "code"]
        return [re.sub(r"(?m)^\s*[%!].*$", "", text) for text in texts if text.strip()]

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The typed parameters."""
        tagged = [c for c in self.cells if "parameters" in c["metadata"].get("tags", [])]
        if len(tagged) != 1:
            raise ParameterError(f"{len(tagged)} cells are tagged `parameters`", where=self.path.name, expected="one")
        source, where = self.source(tagged[0]), f"{self.path.name}, parameters cell"
        found = parse_parameters(source, where)
        if "run" in found and len(source.strip().splitlines()) == 1:
            raise ParameterError(
                "the cell has one line only, which IPython takes for its command %run", where=where,
                expected="two lines or more", do="write a comment, in a line of its own, above `run: str = …`",
            )  # fmt: skip
        return found

    @cached_property
    def _calls(self) -> list[ast.Call]:
        return [
            node
            for text in self.code
            for node in ast.walk(self._understood(text, ast.parse))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "lab"
        ]

    def _understood(self, text: str, read: Callable[[str], Any]) -> Any:
        """What is read from the code of a cell."""
        try:
            return read(text)
        except NOT_PYTHON as error:
            line = str(getattr(error, "text", None) or next(iter(text.split("\n")))).strip()
            raise ParameterError(
                f"a code cell is not Python: {getattr(error, 'msg', None) or in_brief(error)}",
                where=f"{self.path.name}: {line[:80]}",
                do="mend the cell; of IPython's own words only lines that begin with % or ! are understood",
            ) from None

    def _names(self, method: str) -> list[ast.Call]:
        return [c for c in self._calls if isinstance(c.func, ast.Attribute) and c.func.attr == method and c.args]

    def _first(self, call: ast.Call) -> str:
        given = call.args[0]
        if isinstance(given, ast.Constant) and isinstance(given.value, str):
            return given.value
        assert isinstance(call.func, ast.Attribute)
        raise ParameterError(
            f"lab.{call.func.attr}(…) does not name its table or artefact by a text", where=self.path.name,
            expected=f'lab.{call.func.attr}("name", …), because what a notebook reads and writes is read from its code',
            do="write the name in quotes; in place of a loop one call each",
        )  # fmt: skip

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
        return "\n".join(self._understood(text, normal_form) for text in self.code if text not in tagged)

    @cached_property
    def imports(self) -> list[tuple[str, tuple[str, ...]]]:
        """What it imports from this package."""
        return [found for text in self.code for found in self._understood(text, imports)]


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
