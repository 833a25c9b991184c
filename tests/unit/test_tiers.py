"""Every test is run by a command of the Makefile, and by `make test` and the rest of `make test-all` not twice."""

import re

import pytest
from _pytest.mark.expression import Expression

from conftest import FOLDERS


def test_every_folder_has_a_tier(root):
    assert set(FOLDERS) == {path.parent.name for path in (root / "tests").glob("*/test_*.py")}


def test_every_tier_has_a_command(root):
    recipes = re.findall(
        r"(?m)^([a-z-]+):.*\n\t@\$\(PYTEST\).* -m (?:\"(.*)\"|(\w+))$", (root / "Makefile").read_text()
    )
    runs = {target: Expression.compile(long or short) for target, long, short in recipes}
    assert runs.pop("coverage").evaluate(lambda name: name == "slow")
    assert set(runs) == {"check", "test", "test-all"}
    for marks in (set(), {"slow"}, {"thorough"}, {"slow", "thorough"}):
        check, test, rest = (runs[target].evaluate(lambda name, own=marks: name in own) for target in runs)
        assert test != rest and (test or not check) and check == (not marks)
    assert re.search(r"(?m)^test-all: test ", (root / "Makefile").read_text())


def test_tests_of_one_module_stay_with_one_worker(request):
    """xdist has read the groups: with some releases of pytest it does not, and says nothing."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("only where several workers share the tests by groups, as in make test")
    assert request.node.nodeid.endswith("@test_tiers")
