"""A notebook of the user's own clashes with none: not by its number, not by what it saves."""

import re
import shutil

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from traitlets.config import Config

from customerlab.workbench.new import FIRST, new
from customerlab.workbench.notebook import Notebook, read_notebooks
from helpers import ROOT, own_notebooks


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


def test_saving_an_unchanged_notebook_in_jupyterlab_leaves_no_diff(tmp_path):
    """As Jupyter's server saves, with the hook by the words of `make lab`, what its pages put into a notebook."""
    hook = re.search(r"pre_save_hook=(\S+)", (ROOT / "Makefile").read_text())[1]
    own, guest = tmp_path / "06_ratings.ipynb", tmp_path / "50_mine.ipynb"
    for path in (own, guest):
        shutil.copy(ROOT / "notebooks" / "06_ratings.ipynb", path)
    before = own.read_bytes()
    manager = LargeFileManager(config=Config({"ContentsManager": {"pre_save_hook": hook}}), root_dir=str(tmp_path))
    for path in (own, guest):
        model = manager.get(path.name)
        model["content"]["metadata"]["language_info"]["version"] = "3.11.7"
        model["content"]["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
        model["content"]["cells"][1]["metadata"]["scrolled"] = True
        manager.save({"type": "notebook", "format": "json", "content": model["content"]}, path.name)
    assert own.read_bytes() == before
    assert guest.read_bytes() != before, "a user's own notebook is saved as Jupyter has it"
