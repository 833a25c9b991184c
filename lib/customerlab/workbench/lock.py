"""One process at a time executes a run."""

import fcntl
import os
from pathlib import Path
from typing import IO

from customerlab.data.project import private_folder, remove_abandoned
from customerlab.errors import RunError
from customerlab.workbench.plan import Plan
from customerlab.workbench.publish import assemble, finish
from customerlab.workbench.scratch import begin


class Busy(RunError):
    """A run that another process is executing."""


_held: list[IO[str]] = []  # open files; the system gives up their locks when the process ends, however it ends


def hold(plan: Plan) -> None:
    """Take a run for this process until it ends, and put in order what killed processes have left of it.

    `Busy`, a RunError, where another process that is still there has taken it.
    """
    path = private_folder(plan.folder) / ".state" / "run.lock"
    path.parent.mkdir(exist_ok=True)
    handle = path.open("a+", encoding="utf-8", errors="replace")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        raise Busy(
            f"run {plan.label!r} is being executed by process {handle.read().strip() or '(starting)'}",
            where=f"{plan.place}/", do="wait until it has ended, or end it",
        ) from None  # fmt: skip
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    _held.append(handle)
    if plan.scratch:
        begin(plan.home, plan.folder)
    remove_abandoned(plan.folder, ".staging/*")
    for folder in (plan.folder, *filter(Path.is_dir, plan.folder.iterdir())):
        remove_abandoned(folder, ".aside-*")
    finish(plan.folder)
    assemble(plan.folder)
