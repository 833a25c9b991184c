"""Executed notebooks as they are kept: without what differs between two equal runs, with the texts of their source."""

import re
from pathlib import Path
from typing import Any

import nbformat

from customerlab.data import secrets
from customerlab.workbench.notebook import OWN

# What libraries print that differs from run to run: the kernel's path in a warning, and addresses in memory. The
# project's own outputs hold none of it; these catch warnings and default representations in cells that a user adds.
UNSTABLE = ((r"(?<!\S)\S*ipykernel_\d+[/\\]\d+\.py", "<cell>"), (r"\b0x[0-9a-fA-F]{6,}\b", "0x0"))


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook without run times, paths of this machine and addresses in memory.

    Execution counts, outputs, tags and ids of cells stay, but for the injected parameters, whose id papermill draws.
    """
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        }
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell.id = "injected-parameters"
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", []):
            _mask(output)
    return notebook


def before_saving(model: dict[str, Any], path: str, **_: Any) -> None:
    """Jupyter's hook before it saves: the project's own notebooks keep the metadata that they are committed with.

    JupyterLab writes the version of Python and other things of the machine into every notebook that it saves.
    """
    if model.get("type") == "notebook" and Path(path).stem in OWN:
        model["content"] = normalise(nbformat.from_dict(model["content"]))


def retold(executed: nbformat.NotebookNode, notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a run's `executed` notebook with the texts and comments that its source has now, its outputs unchanged.

    The code of `notebook`, the source, still computes the same: its code cells that are not empty are the same in
    order.
    """
    injected = [cell for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    results = iter([c for c in executed.cells if c.cell_type == "code" and c.source.strip() and c not in injected])
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            result = next(results) if cell.source.strip() else {"outputs": [], "execution_count": None}
            cell.outputs, cell.execution_count = result["outputs"], result["execution_count"]
        cells.append(cell)
        if "parameters" in cell.metadata.get("tags", []):
            cells += injected
    executed.cells = cells
    return normalise(executed)


def _mask(output: Any) -> None:
    for field in ("text", "evalue"):
        if field in output:
            output[field] = masked(output[field])
    if "traceback" in output:
        output["traceback"] = [masked(line) for line in output["traceback"]]
    for kind, text in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(text, str):
            output["data"][kind] = masked(text)


def masked(text: str) -> str:
    """Replace what differs from run to run, and secrets.

    Examples
    --------
    >>> masked("<object at 0x7f3a5c2d1e80>")
    '<object at 0x0>'
    """
    for pattern, replacement in UNSTABLE:
        text = re.sub(pattern, replacement, text)
    return secrets.masked(text)
