"""Execute notebooks: aside from the results, followed on the terminal, published whole or not at all."""

import os
import re
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from customerlab.data.prepare import prepare
from customerlab.data.project import own_folder, private_folder, read_json, write_json, write_sealed, written_aside
from customerlab.data.secrets import check_clean
from customerlab.errors import CustomerlabError, RunError, in_brief
from customerlab.workbench.kernel import Say, ending, first_line
from customerlab.workbench.manifest import entry
from customerlab.workbench.normalise import masked, normalise
from customerlab.workbench.plan import Plan, Step
from customerlab.workbench.publish import OPENED, STEP, forget_failure, publish
from customerlab.workbench.run import STAGING

# One thread a kernel for the numerical libraries: notebooks run side by side, and sums keep their last digits.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run_step(plan: Plan, step: Step, say: Say, *, inject: bool = True) -> nbformat.NotebookNode:
    """Execute one notebook, publish its results and return it, normalised; `say` is told what is going on.

    `inject` puts the parameters in as a cell. Without it the notebook runs on its own defaults and nothing is
    published.

    A CustomerlabError where the notebook does not come to its end. Earlier results stay, and the partial copy goes to
    `failed/`.
    """
    begin, aside = time.monotonic(), private_folder(plan.folder) / ".staging"
    aside.mkdir(exist_ok=True)
    with own_folder(aside, f"{step.name}-") as staging:
        try:
            reports = _reports(plan, step.sources)
            (staging / "artifacts").mkdir()
            write_json(staging / STEP, resolved(plan, step))
            notebook = _execute(plan, step, staging, say, inject=inject)
            seconds = time.monotonic() - begin
            if inject:
                opened = (read_json(staging / OPENED) or {"tables": {}})["tables"]
                reports |= _reports(plan, {table: opened[table] for table in opened if table not in reports})
                reports = {table: reports[table] for table in opened}
                nbformat.write(notebook, staging / f"{step.name}.ipynb")
                cells = sum(cell.cell_type == "code" for cell in notebook.cells)
                record = entry(plan, step, staging, reports, seconds=seconds, cells=cells)
                write_sealed(staging / ".state" / f"{step.name}.manifest.json", record)
                check_clean([staging / f"{step.name}.ipynb", *sorted((staging / ".state").iterdir())])
                for name in (STEP, OPENED):
                    (staging / name).unlink(missing_ok=True)
                publish(plan.folder, step.name, staging)
            say(f"done       {seconds:5.1f} s")
            return notebook
        except (CustomerlabError, OSError) as error:
            if isinstance(error, OSError):
                error = RunError(
                    f"{step.name} could not be written: {error.strerror or error}", where=f"{plan.place}/",
                    expected="room on the disk and the right to write", do="free some space and run again",
                )  # fmt: skip
            if not ending.is_set():
                keep_failed(plan, step, staging / f"{step.name}.ipynb", error)
            raise error from None


def _reports(plan: Plan, sources: dict[str, str]) -> dict[str, Any]:
    """The reports of some tables, which are as their files are now."""
    prepared = {t: prepare(plan.root, plan.folder, t, s, engine=plan.engine, anew=True) for t, s in sources.items()}
    return {table: one.report for table, one in prepared.items()}


def resolved(plan: Plan, step: Step) -> dict[str, Any]:
    """What a notebook's Run is told of the plan, so that nothing is planned in its kernel."""
    return {
        "run": plan.run, "notebook": step.name, "folder": plan.place,
        "sources": plan.sources | step.sources, "makers": plan.makers,
    }  # fmt: skip


def _execute(plan: Plan, step: Step, staging: Path, say: Say, *, inject: bool) -> nbformat.NotebookNode:
    environment = dict.fromkeys(THREADS, "1") | os.environ | {STAGING: str(staging)}
    try:
        papermill.execute_notebook(
            str(step.notebook.path), str(staging / f"{step.name}.ipynb"), parameters=step.parameters if inject else {},
            engine_name="followed", kernel_name="python3", language="python",  # which its metadata may not say
            progress_bar=False, say=say, folder=str(plan.root / "notebooks"), environment=environment,
        )  # fmt: skip
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
    look = f"open {plan.place}/failed/{step.name}.ipynb, fix the cause and run again"
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
    for artifact in sorted({*step.notebook.saves} & {*step.saves}):
        if not (staging / "artifacts" / f"{artifact}.parquet").is_file():
            raise RunError(f"{step.name} did not save {artifact}", where="lab.save(…) was not reached")
    if not (staging / ".state" / f"{step.name}.metrics.json").is_file():
        raise RunError(f"{step.name} recorded no metrics", where="lab.record(…) was not reached")


def keep_failed(plan: Plan, step: Step, partial: Path | None, error: Exception) -> None:
    """Keep what was said of a failure, and the partial copy, for the pages."""
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
