"""A notebook of the user's own: a small one to begin with, or a copy of another one that writes over nothing."""

import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from customerlab.data.project import written_aside
from customerlab.errors import RunError, shown
from customerlab.workbench.notebook import Notebook

FIRST = 50  # lower numbers are for the project's own notebooks

BEGIN = (
    "# {title}\n\nWhich question does it answer?\n\n**Reads** the table `transactions`. **Writes** nothing.",
    "import pandas as pd\n\nfrom customerlab import Run, explore, findings, orders, show",
    'run: str = "demo"  # which params/<run>.yml and outputs/<run>/ this belongs to\n'
    'data: str = ""  # catalogue entry with the orders (default: the one named like the run)\n'
    'engine: str = "duckdb://"  # Ibis address of the engine that the tables are opened in',
    'lab = Run(run, "{stem}", engine=engine, data=data)\n'
    'transactions = lab.table("transactions")\nreturns = lab.table("returns", optional=True)',
    "## 1 What is there",
    "customers = orders.Snapshot(transactions, orders.day_after(transactions), returns).customers(net=True)\n"
    'show(customers.describe().reset_index(names="statistic"), "Customers as of the day after the last order")',
    "## Findings",
    'findings(f"The log has {{len(customers):,}} customers.")',
    "## Limitations\n\n- What can it not tell?",
    "lab.record(customers=len(customers))",
)


def new(root: Path, name: str, source: Notebook | None = None) -> Path:
    """Write `notebooks/NN_<name>.ipynb` with the next free number from 50 on.

    Parameters
    ----------
    root : Path
        The project's folder.
    name : str
        Small letters, digits and _, the first a letter.
    source : Notebook, optional
        The notebook to copy, without its outputs. What it saves gets the new name before its own.

    Raises
    ------
    RunError
        If the name cannot name a notebook, or one has it already.
    """
    folder = root / "notebooks"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise RunError(
            f"{shown(name)} cannot name a notebook", where="customerlab new",
            expected="small letters, digits and _, at most 40, the first a letter", do="customerlab new my_idea",
        )  # fmt: skip
    taken = {path.stem[:2]: path.name for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
    if there := next((file for file in taken.values() if file[3:] == f"{name}.ipynb"), None):
        raise RunError(
            f"there is a notebook {there}", where="notebooks/", expected="a new name", do="choose another one"
        )
    stem = f"{next(number for number in range(FIRST, 100) if str(number) not in taken)}_{name}"
    notebook = _copied(source, stem, name) if source else _begun(stem, name)
    with written_aside(folder / f"{stem}.ipynb", mode=0o644) as aside:
        nbformat.write(notebook, aside)
    return folder / f"{stem}.ipynb"


def _begun(stem: str, name: str) -> nbformat.NotebookNode:
    """A notebook of a few cells that runs."""
    texts = [text.format(title=name.replace("_", " ").capitalize(), stem=stem) for text in BEGIN]
    cells = [new_markdown_cell(text) if text.startswith("#") else new_code_cell(text) for text in texts]
    cells[2].metadata["tags"] = ["parameters"]
    return new_notebook(cells=cells)


def _copied(source: Notebook, stem: str, name: str) -> nbformat.NotebookNode:
    """A copy without outputs, whose Run has the new name and whose artefacts have names of their own."""
    notebook = nbformat.read(source.path, as_version=4)
    saved = "|".join(map(re.escape, source.saves)) or "(?!)"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = cell.source.replace(f'"{source.name}"', f'"{stem}"')
            cell.source = re.sub(rf'(\.save\(\s*")({saved})"', rf'\g<1>{name}_\g<2>"', cell.source)
    notebook.cells[0].source = re.sub(r"^# .*", rf"\g<0> ({name.replace('_', ' ')})", notebook.cells[0].source)
    return notebook
