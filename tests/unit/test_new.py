"""A notebook of the user's own clashes with none: not by its number, not by what it saves."""

import nbformat
import pytest

from customerlab.workbench.new import FIRST, new
from customerlab.workbench.notebook import Notebook, read_notebooks
from helpers import own_notebooks


@pytest.mark.parametrize("source", own_notebooks(), ids=lambda notebook: notebook.name)
def test_a_copy_is_executed_like_the_others_and_saves_under_its_own_names(source, project):
    path = new(project, "mine", source)
    notebooks, faults = read_notebooks(project)
    assert faults == {} and path.stem == f"{FIRST}_mine"
    copy = next(notebook for notebook in notebooks if notebook.name == path.stem)
    assert copy.saves == [f"mine_{name}" for name in source.saves] and copy.loads == source.loads
    assert copy.parameters.keys() == source.parameters.keys()
    cells = nbformat.read(path, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert f'"{path.stem}"' in str(cells) and f'"{source.name}"' not in str(cells)


def test_the_next_free_number_is_taken(project):
    paths = [new(project, name) for name in ("a", "b", "c")]
    paths[1].unlink()
    assert new(project, "d").stem == f"{FIRST + 1}_d"
    assert Notebook(paths[0]).parameters.keys() == {"run", "data", "engine"}
