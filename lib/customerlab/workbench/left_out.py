"""Cells that a notebook leaves out where the shop lacks a table, by their tags, in Jupyter as in a run."""

from pathlib import Path

from IPython.core.getipython import get_ipython

from customerlab.workbench.notebook import Notebook, is_left_out


def leave_out(path: Path, lacking: set[str]) -> None:
    """Let the kernel, where this is one, make nothing of the cells of a notebook that are left out.

    `lacking` are the tables that are not there; the notebook's Run adds to it what the notebook asks for in vain.
    """
    shell = get_ipython()
    if shell is None or not path.is_file():
        return
    cells = Notebook(path).cells
    tagged = {Notebook.source(cell).strip(): cell["metadata"].get("tags", []) for cell in cells}

    def cleaned(lines: list[str]) -> list[str]:
        return [] if is_left_out(tagged.get("".join(lines).strip(), []), lacking) else lines

    shell.input_transformers_cleanup.append(cleaned)
