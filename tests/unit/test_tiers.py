"""Every test is run by a command of the Makefile: by `make test-all`, all of `make test` among it, or each week."""

import re
from itertools import product

import pytest
import yaml
from _pytest.mark.expression import Expression

from conftest import FOLDERS


def test_every_folder_has_a_tier(root):
    assert set(FOLDERS) == {path.parent.name for path in (root / "tests").glob("*/test_*.py")}


def test_every_tier_has_a_command(root):
    recipes = re.findall(
        r"(?m)^([a-z-]+):.*\n(?:\t.*\n)*?\t@\$\(PYTEST\).* -m (?:\"(.*)\"|(\w+))$", (root / "Makefile").read_text()
    )
    runs = {target: Expression.compile(long or short) for target, long, short in recipes}
    assert list(runs) == ["check", "test", "test-all", "test-weekly", "coverage"]
    for marks in map(set, product(("", "slow"), ("", "thorough"), ("", "weekly"))):
        check, test, every, weekly, coverage = (
            expression.evaluate(lambda name, own=marks: name in own) for expression in runs.values()
        )
        assert every + weekly == 1, "one command, and no other"
        assert test == (every and "thorough" not in marks)
        assert check == (not marks - {""}) and (test or not check) and coverage == test
        assert weekly == ("weekly" in marks)


def test_every_tier_has_a_job(root):
    """The public checks run on their schedule what is tested weekly, and the rest for every change."""
    jobs = yaml.safe_load((root / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    when = {step["run"]: job.get("if") for job in jobs.values() for step in job["steps"] if "run" in step}
    assert when["make lint test-all"] == "github.event_name != 'schedule'"
    assert when["make test-weekly"] == "github.event_name == 'schedule'"


def test_tests_of_one_module_stay_with_one_worker(request):
    """xdist has read the groups: with some releases of pytest it does not, and says nothing."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("only where several workers share the tests by groups, as in make test")
    assert request.node.nodeid.endswith("@test_tiers")
