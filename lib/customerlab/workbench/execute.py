"""Execute notebooks: aside from the results, followed on the terminal, published whole or not at all."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from customerlab.data.prepare import prepare
from customerlab.data.project import own_folder, private_folder, write_sealed, written_aside
from customerlab.data.secrets import check_clean
from customerlab.errors import CustomerlabError, RunError, in_brief
from customerlab.workbench.kernel import FollowedEngine, Say, first_line
from customerlab.workbench.manifest import entry
from customerlab.workbench.normalise import masked, normalise
from customerlab.workbench.plan import Plan, Step
from customerlab.workbench.publish import forget_failure, publish
from customerlab.workbench.run import STAGING

# One thread a kernel for the numerical libraries: notebooks run side by side, and sums keep their last digits.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def prepare_tables(plan: Plan, tables: dict[str, str], say: Say) -> list[str]:
    """Bring some of a run's tables up to date, before any kernel starts.

    Returns
    -------
    list of str
        The tables that cannot be used. What was said of each is kept in `failed/` for the notebooks that open it.
    """
    unusable, said = [], set()
    for table, source in tables.items():
        try:
            prepared = prepare(plan.root, plan.folder, table, source, engine=plan.engine)
        except CustomerlabError as error:
            unusable.append(table)
            if str(error) not in said:  # two tables may come from one file
                said.add(str(error))
                say(f"FAILED  {error}")
            for step in plan.included:
                if table in step.sources:
                    _keep_failed(plan, step, None, error)
            continue
        if prepared.made:
            read, kept = prepared.report["ladder"][0]["rows_left"], prepared.report["rows"]
            say(f"table {table:<13} {read:>9,} rows read, {kept:>9,} kept   from {source}")
    return unusable


def run_step(plan: Plan, step: Step, say: Say, *, inject: bool = True) -> nbformat.NotebookNode:
    """Execute one notebook and publish its results.

    Parameters
    ----------
    plan : Plan
        The run.
    step : Step
        The notebook, with its parameters.
    say : callable
        Told what is going on, a line at a time.
    inject : bool
        Put the parameters in as a cell. Without it the notebook runs on its own defaults, and nothing is published.

    Returns
    -------
    NotebookNode
        The executed notebook, normalised.

    Raises
    ------
    CustomerlabError
        If the notebook does not come to its end. Earlier results stay, and the partial copy goes to `failed/`.
    """
    begin, aside = time.monotonic(), private_folder(plan.folder) / ".staging"
    aside.mkdir(exist_ok=True)
    with own_folder(aside, f"{step.name}-") as staging:
        try:
            reports = {
                table: prepare(plan.root, plan.folder, table, source, engine=plan.engine, anew=True).report
                for table, source in step.sources.items()
            }
            (staging / "artifacts").mkdir()
            notebook = _execute(plan, step, staging, say, inject=inject)
            seconds = time.monotonic() - begin
            if inject:
                _publish(plan, step, staging, notebook, reports, seconds)
            say(f"done       {seconds:5.1f} s")
            return notebook
        except (CustomerlabError, OSError) as error:
            if isinstance(error, OSError):
                error = RunError(
                    f"{step.name} could not be written: {error.strerror or error}", where=f"outputs/{plan.run}/",
                    expected="room on the disk and the right to write", do="free some space and run again",
                )  # fmt: skip
            _keep_failed(plan, step, staging / f"{step.name}.ipynb", error)
            raise error from None


def _execute(plan: Plan, step: Step, staging: Path, say: Say, *, inject: bool) -> nbformat.NotebookNode:
    for name in THREADS:
        os.environ.setdefault(name, "1")
    os.environ[STAGING] = str(staging)
    FollowedEngine.say = staticmethod(say)
    try:
        papermill.execute_notebook(
            str(step.notebook.path),
            str(staging / f"{step.name}.ipynb"),
            parameters=step.parameters if inject else {},
            engine_name="followed",
            kernel_name="python3",
            language="python",  # a notebook may lack the metadata that say so
            cwd=str(plan.root / "notebooks"),
            progress_bar=False,
        )
    except PapermillExecutionError as error:
        raise _stopped(plan, step, error) from None
    except DeadKernelError:
        raise RunError(
            f"the kernel of {step.name} died", where="the cell that was running", expected="memory for its data",
            do="close other programs, or lower the run's sizes in its params file",
        ) from None  # fmt: skip
    except OSError:
        raise
    except Exception as error:  # what papermill makes of a file that is hardly a notebook
        raise RunError(
            f"{step.name} could not be executed: {type(error).__name__}: {in_brief(error)}",
            where=f"notebooks/{step.notebook.path.name}", expected="a notebook as Jupyter saves it",
            do="save it again in JupyterLab, or restore it from git",
        ) from None  # fmt: skip
    finally:
        del os.environ[STAGING]
    notebook = nbformat.read(staging / f"{step.name}.ipynb", as_version=4)
    _check_complete(step, staging, notebook)
    return normalise(notebook)


def _stopped(plan: Plan, step: Step, error: PapermillExecutionError) -> RunError:
    """The error of a cell, as one of ours: with the parameters that it names or uses, and where these are set."""
    said = masked(error.evalue)
    own = dict(re.findall(r"\n  (where|expected|do): +(.*)", said))  # as a CustomerlabError writes them
    what = said.partition("\n  ")[0] if own else f"{error.ename}: {said}"
    file = f"params/{plan.run}.yml"
    named = [name for name in step.parameters if name != "run" and re.search(rf"\b{name}\b", what)]
    used = [name for name in step.parameters if name != "run" and re.search(rf"\b{name}\b", error.source)]
    values = ", ".join(f"{name} = {step.parameters[name]!r}" for name in dict.fromkeys(named + used))
    cell = f"code cell {error.exec_count}: {first_line(error.source)}" + (f" ({values}; {file})" if values else "")
    look = f"open outputs/{plan.run}/failed/{step.name}.ipynb, mend the cause and run again"
    return RunError(
        f"{step.name} stopped: {what}", where="; ".join(filter(None, [own.get("where"), cell])),
        expected=own.get("expected", ""), do=own.get("do") or (f"set {named[0]} in {file}, or {look}" if named else look),
    )  # fmt: skip


def _check_complete(step: Step, staging: Path, notebook: nbformat.NotebookNode) -> None:
    """Raise unless every cell ran and all that is announced was written: a cell may have ended the kernel itself."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for place, cell in enumerate(code, 1):
        if cell.execution_count != place or cell.metadata.get("papermill", {}).get("status") != "completed":
            raise RunError(
                f"{step.name} ended before its last cell", where=f"code cell {place}: {first_line(cell.source)}",
                expected="every code cell completed, in order", do="remove what ends the kernel, such as sys.exit()",
            )  # fmt: skip
    for artifact in step.notebook.saves:
        if not (staging / "artifacts" / f"{artifact}.parquet").is_file():
            raise RunError(f"{step.name} did not save {artifact}", where="lab.save(…) was not reached")
    if not (staging / ".state" / f"{step.name}.metrics.json").is_file():
        raise RunError(f"{step.name} recorded no metrics", where="lab.record(…) was not reached")


def _publish(
    plan: Plan, step: Step, staging: Path, notebook: nbformat.NotebookNode, reports: dict[str, Any], seconds: float
) -> None:
    nbformat.write(notebook, staging / f"{step.name}.ipynb")
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    record = entry(plan, step, staging, reports, seconds=seconds, cells=cells)
    write_sealed(staging / ".state" / f"{step.name}.manifest.json", record)
    check_clean([staging / f"{step.name}.ipynb", *sorted((staging / ".state").iterdir())])
    publish(plan.folder, step.name, staging)


def _keep_failed(plan: Plan, step: Step, partial: Path | None, error: Exception) -> None:
    failed = plan.folder / "failed"
    try:
        forget_failure(plan.folder, step.name)
        with written_aside(failed / f"{step.name}.txt") as aside:
            aside.write_text(f"{error}\n", encoding="utf-8")
        if partial and partial.is_file():
            nbformat.write(normalise(nbformat.read(partial, as_version=4)), partial)
            partial.replace(failed / partial.name)
    except (OSError, ValueError):
        return  # the disk is full, or the partial copy is half a notebook: the message on the terminal has to do


def run_all(plan: Plan, steps: list[Step], say: Callable[[str, str], None]) -> list[str]:
    """Prepare the tables of some steps and execute these in order; what fails stops only those that read it.

    Returns
    -------
    list of str
        The names of the steps that failed or were not reached.
    """
    tables = {table: source for step in steps for table, source in step.sources.items()}
    lacking = {f"the {table} table" for table in prepare_tables(plan, tables, lambda line: say("data", line))}
    broken: list[str] = []
    for step in steps:
        needs = [*(f"the {table} table" for table in step.sources), *step.loads]
        missing = [name for name in needs if name in lacking]
        try:
            if missing:
                say(step.name, f"not run: {missing[0]} could not be made")
            else:
                say(step.name, f"starts: {step.notebook.title}")
                for note in step.notes:
                    say(step.name, note)
                run_step(plan, step, lambda line, name=step.name: say(name, line))  # type: ignore[misc]
                continue
        except CustomerlabError as error:
            say(step.name, f"FAILED  {error}")
        broken.append(step.name)
        lacking |= set(step.notebook.saves)
    return broken


def refresh(plan: Plan, steps: list[Step], say: Callable[[str, str], None]) -> None:
    """Execute the committed notebooks on their own defaults and store the normalised outputs in them."""
    for step in steps:
        executed = run_step(plan, step, lambda line, name=step.name: say(name, line), inject=False)  # type: ignore[misc]
        with written_aside(step.notebook.path, mode=step.notebook.path.stat().st_mode & 0o777) as aside:
            nbformat.write(executed, aside)
