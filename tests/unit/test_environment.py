"""environment.yml, pyproject.toml and the lock say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def declared(root: Path) -> dict[str, Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["dev"]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def locked(root: Path, name: str = "requirements.lock") -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in re.findall(r"(?m)^[A-Za-z0-9][^\\\n]*", (root / name).read_text()):
        requirement = Requirement(line.strip())
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_conda_names_the_declared_packages_under_the_lock(root):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    *conda, section = environment["dependencies"]
    constraint, *names = section["pip"]
    assert constraint == "--constraint requirements.lock"
    wanted = {(canonicalize_name(r.name), frozenset(r.extras)) for r in declared(root).values()}
    assert {(canonicalize_name(r.name), frozenset(r.extras)) for r in map(Requirement, names)} == wanted
    by_name = {Requirement(text).name: Requirement(text) for text in conda}
    python = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    assert by_name["python"].specifier == Requirement(f"python{python}").specifier
    # pip before 26.1 answers a bare name under a hashed constraint with "must have their versions pinned"
    assert Version("26.0.1") not in by_name["pip"].specifier


def test_lock_meets_every_declaration(root):
    lock = locked(root)
    for name, requirement in declared(root).items():
        assert name in lock, f"{name} is not locked"
        for pinned in lock[name]:
            (pin,) = pinned.specifier
            assert pin.operator == "==" and pin.version in requirement.specifier


@pytest.mark.parametrize("extra", ["spark", "audit"])
def test_the_lock_of_an_extra_meets_it_with_hashes_and_no_addresses(root, extra):
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (wanted,) = map(Requirement, extras[extra])
    (pin,) = locked(root, f"requirements-{extra}.lock")[wanted.name][0].specifier
    assert pin.operator == "==" and pin.version in wanted.specifier
    text = (root / f"requirements-{extra}.lock").read_text()
    assert "://" not in text and text.count("==") <= text.count("--hash=sha256:")


def test_spark_joins_the_environment_without_changing_it(root):
    lock = locked(root, "requirements-spark.lock")
    assert set(lock) == {"pyspark", "py4j"} and set(lock).isdisjoint(locked(root))


def test_every_lock_is_audited_and_the_public_checks_call_make_alone(root):
    recipe = re.search(r"(?ms)^audit:.*?\n\n", (root / "Makefile").read_text())[0]
    assert {path.name for path in root.glob("requirements*.lock")} == set(re.findall(r"requirements\S*\.lock", recipe))
    jobs = yaml.safe_load((root / ".github/workflows/ci.yml").read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"(?m)^([a-z-]+):", (root / "Makefile").read_text()))
    assert commands and all(words.split()[0] == "make" and set(words.split()[1:]) <= targets for words in commands)


def test_lock_has_hashes_and_no_addresses(root):
    text = (root / "requirements.lock").read_text()
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert len(entries) > 100
    assert [e.splitlines()[0] for e in entries if "--hash=sha256:" not in e] == []


def test_one_numerical_stack_for_every_python(root):
    lock = locked(root)
    for name in ("numpy", "scipy", "pandas", "scikit-learn", "duckdb", "ibis-framework", "scikit-surprise"):
        assert len(lock[name]) == 1 and lock[name][0].marker is None


def test_help_lists_every_target(root):
    makefile = (root / "Makefile").read_text()
    targets = set(re.findall(r"(?m)^([a-z-]+):", makefile))
    documented = set(re.findall(r"(?m)^([a-z-]+):.*## ", makefile))
    assert targets == documented
    assert {"run", "test", "lab", "lint", "refresh", "site", "clean", "help"} <= documented
