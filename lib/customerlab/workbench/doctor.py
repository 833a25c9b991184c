"""What is missing on this machine, and how to get it."""

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from customerlab.data.catalog import load_catalog
from customerlab.data.fetch import locate
from customerlab.errors import CustomerlabError
from customerlab.workbench.plan import make_plan, run_names

ROOM = 2 * 1024**3  # bytes that a run of half a million lines uses at most, with much to spare


def findings(root: Path) -> Iterator[tuple[str, bool, str, str]]:
    """What was looked at: the thing, whether it is well, what was found, and what to do where it is not."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield "Python", (3, 11) <= sys.version_info[:2] < (3, 14), version, "install Python 3.11, 3.12 or 3.13"
    wrong = list(_differing(root))
    text = "as in requirements.lock" if not wrong else "; ".join(wrong[:5]) + (" …" if len(wrong) > 5 else "")
    yield (
        "packages",
        not wrong,
        text,
        "make clean-venv, then make setup; with conda: conda env update -f environment.yml",
    )
    kernel = _kernel()
    yield "Jupyter kernel python3", kernel, "found" if kernel else "missing", "python -m ipykernel install --sys-prefix"
    free = shutil.disk_usage(root).free
    yield "disk", free > ROOM, f"{free / 1024**3:.1f} GiB free", "free some space"
    make = shutil.which("make") is not None
    yield "make", make, "found" if make else "missing", "install make, or use `customerlab run` in its place"
    try:
        catalog = load_catalog(root)
    except CustomerlabError as error:
        yield "catalogue", False, str(error), "mend data/catalog.yml"
        return
    for name, data_set in catalog.items():
        absent = [source for source in data_set.sources.values() if not locate(root, source)]
        loadable = all(any(form.url for form in source.forms) for source in absent)
        state = "here" if not absent else "not here; comes with its first run" if loadable else "not here"
        do = (
            data_set.how_to_get
            or f"customerlab data get {name}, or put its files into data/raw/ or the folder in CUSTOMERLAB_DATA"
        )
        yield f"data set {name}", not absent or loadable, state, do
    for name in run_names(root):
        try:
            plan = make_plan(root, name)
            left = [f"{step.name[:2]} left out ({step.left_out})" for step in plan.steps if step.left_out]
            yield f"run {name}", True, "; ".join(left) or "all notebooks", ""
        except CustomerlabError as error:
            yield f"run {name}", False, " ".join(str(error).split()), f"mend params/{name}.yml"


def _differing(root: Path) -> Iterator[str]:
    """Packages of the lock that are installed in another version; those missing count when nothing exempts them."""
    lock = root / "requirements.lock"
    if not lock.is_file():
        yield "requirements.lock is missing"
        return
    from packaging.requirements import Requirement

    for line in re.findall(r"(?m)^[A-Za-z0-9][^\\\n]*", lock.read_text(encoding="utf-8")):
        requirement = Requirement(line.strip())
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if found not in requirement.specifier:
            yield f"{requirement.name} is {found}, the lock has {requirement.specifier}"


def _kernel() -> bool:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return False
    return True


def report(root: Path) -> int:
    """Print the findings; 0 where all is well, 1 where something is missing."""
    table = Table("", "what", "found", "to do", box=None)
    well = True
    for what, ok, found, do in findings(root):
        well &= ok
        table.add_row("ok" if ok else "NO", what, found, "" if ok else do)
    Console().print(table)
    return 0 if well else 1
