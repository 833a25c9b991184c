"""What is missing on this machine, and how to get it."""

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from customerlab.data.catalog import Catalog, load_catalog
from customerlab.data.fetch import locate, obtainable
from customerlab.errors import CustomerlabError, told
from customerlab.workbench.lacking import why_lacking
from customerlab.workbench.plan import make_plan, run_names

ROOM = 2 * 1024**3  # bytes that a run of half a million lines uses at most, with much to spare


OK, NOTE, WRONG = "ok", "note", "WRONG"  # a note names what is not here, though nothing that is here is wrong
WELL = {True: OK, False: WRONG}


def findings(root: Path) -> Iterator[tuple[str, str, str, str]]:
    """What was looked at: the thing, whether it is well, what was found, and what to do where it is not."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield "Python", WELL[(3, 11) <= sys.version_info[:2] < (3, 14)], version, "install Python 3.11, 3.12 or 3.13"
    wrong = list(_differing(root))
    text = "as in requirements.lock" if not wrong else "; ".join(wrong[:5]) + (" …" if len(wrong) > 5 else "")
    do = "make clean-venv, then make setup; with conda: conda env update -f environment.yml"
    yield "packages", WELL[not wrong], text, do
    kernel = _kernel()
    own = kernel is not None and Path(kernel).parent == Path(sys.executable).parent  # unresolved: it may be a link
    found = "found" if own else "missing" if kernel is None else f"it starts another Python, {kernel}"
    remove = "remove it (jupyter kernelspec uninstall python3); " if kernel else ""
    do = f"{remove}python -m ipykernel install --sys-prefix; make run and customerlab run need none"
    yield "Jupyter kernel python3", OK if own else NOTE, found, do
    free = shutil.disk_usage(root).free
    yield "disk", WELL[free > ROOM], f"{free / 1024**3:.1f} GiB free", "free some space"
    state, found = (OK, "found") if shutil.which("make") else (NOTE, "missing")
    yield "make", state, found, "install make, or use `customerlab run` in its place"
    try:
        catalog = load_catalog(root)
    except CustomerlabError as error:
        yield "catalogue", WRONG, _one_line(error), "fix data/catalog.yml"
        return
    for name in catalog:
        yield _looked_at(f"data set {name}", _data_set, root, catalog, name)
    for name in run_names(root):
        yield _looked_at(f"run {name}", _run, root, name, catalog)


def _looked_at(what: str, look: Callable[..., tuple[str, str, str, str]], *given: Any) -> tuple[str, str, str, str]:
    """One finding, whatever goes wrong in looking."""
    try:
        return look(*given)
    except Exception as error:
        told_of = told(error, f"looking at {what}")
        return what, WRONG, _one_line(told_of), told_of.do


def _one_line(error: CustomerlabError) -> str:
    return " ".join(str(error).split())


def _data_set(root: Path, catalog: Catalog, name: str) -> tuple[str, str, str, str]:
    what, data_set = f"data set {name}", catalog[name]
    absent = [source for source in data_set.sources.values() if not (source.table or locate(root, source))]
    if not absent:
        return what, OK, "here", ""
    if all(obtainable(root, source) for source in absent):
        return what, OK, "not here; its first run downloads it", ""
    do = data_set.how_to_get or "put its files into data/raw/ or the folder in CUSTOMERLAB_DATA"
    return what, NOTE, "not here, and has no address to download it from", do


def _run(root: Path, name: str, catalog: Catalog) -> tuple[str, str, str, str]:
    what = f"run {name}"
    try:
        plan = make_plan(root, name)
    except CustomerlabError as error:
        return what, WRONG, _one_line(error), f"fix params/{name}.yml"
    missing = [f"{t}: {why}" for t, source in plan.tables.items() if (why := why_lacking(root, catalog[source], t))]
    if missing:
        return what, WRONG, "; ".join(missing), "see the data set above, or remove the params file"
    said = [sentence.rstrip(".") for sentence in plan.lacking]
    if plan.faults:
        said = [f"{notebook} left out: {_one_line(error)}" for notebook, error in plan.faults.items()] + said
        return what, NOTE, "; ".join(said), "fix the notebooks that are left out; the others run without them"
    return what, OK, "; ".join(said) or "all notebooks", ""


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


def _kernel() -> str | None:
    """The Python that Jupyter starts for a notebook."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        program = str(KernelSpecManager().get_kernel_spec("python3").argv[0])
    except NoSuchKernel:
        return None
    return sys.executable if "/" not in program else program


def report(root: Path) -> int:
    """Print the findings; 0 where nothing is wrong, 1 where something is."""
    well = True
    for what, state, found, do in findings(root):
        well &= state != WRONG
        click.echo(f"{state:<6} {what}: {found}")
        if state != OK:
            click.echo(f"       do: {do}")
    return 0 if well else 1
