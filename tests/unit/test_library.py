"""The library's own rules: examples run, every public thing is documented. `make lint` holds imports to their way."""

import ast
import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import customerlab

MODULES = sorted(m.name for m in pkgutil.walk_packages(customerlab.__path__, "customerlab."))


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module, slim, monkeypatch):
    monkeypatch.chdir(slim / "notebooks")
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [t for m in MODULES for t in finder.find(importlib.import_module(m)) if t.examples]
    assert len(examples) >= 20


@pytest.mark.parametrize("module", MODULES)
def test_public_things_are_documented_and_typed(module):
    path = Path(importlib.import_module(module).__file__)
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{module} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") and node in tree.body:
            assert ast.get_docstring(node), f"{module}.{node.name} has no docstring"
    assert len(path.read_text().splitlines()) <= 400, f"{module} is too long"


def test_public_names_are_lazy_and_right():
    for name, home in customerlab.HOMES.items():
        module, _, attribute = home.partition(":")
        thing = getattr(customerlab, name)
        assert thing is (
            getattr(importlib.import_module(module), attribute) if attribute else importlib.import_module(module)
        )
    with pytest.raises(AttributeError, match="nothing"):
        _ = customerlab.nothing


@pytest.mark.parametrize("home", [home for home in customerlab.HOMES.values() if ":" not in home])
def test_what_a_package_offers_is_what_it_imports(home):
    """A module takes the place of another one's function of its name, once anything imports it."""
    package = importlib.import_module(home)
    for node in ast.parse(Path(package.__file__).read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith(f"{home}."):
            source = importlib.import_module(node.module)
            for name, called in ((alias.name, alias.asname or alias.name) for alias in node.names):
                offered, meant = getattr(package, called), getattr(source, name)
                assert inspect.unwrap(offered) is inspect.unwrap(meant), called
