"""environment.yml, pyproject.toml and the lock say the same."""

import re
import tomllib
from pathlib import Path

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


def test_the_lock_of_spark_meets_the_extra_and_nothing_else(root):
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (wanted,) = map(Requirement, extras["spark"])
    lock = locked(root, "requirements-spark.lock")
    assert set(lock) == {"pyspark", "py4j"} and set(lock).isdisjoint(locked(root))
    (pin,) = lock["pyspark"][0].specifier
    assert pin.operator == "==" and pin.version in wanted.specifier
    text = (root / "requirements-spark.lock").read_text()
    assert "://" not in text and text.count("==") <= text.count("--hash=sha256:")


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
