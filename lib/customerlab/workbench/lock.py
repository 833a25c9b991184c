"""One process at a time executes a run."""

import fcntl
import os
from typing import IO

from customerlab.errors import RunError
from customerlab.workbench.plan import Plan

HELD = "CUSTOMERLAB_HELD"  # set by the Snakefile for its jobs: the process that started them holds the run


_held: list[IO[str]] = []  # open files; the system gives up their locks when the process ends, however it ends


def hold(plan: Plan) -> None:
    """Take a run for this process until it ends.

    Raises
    ------
    RunError
        If another process that is still there has taken it.
    """
    if HELD in os.environ:
        return
    path = plan.folder / ".state" / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        raise RunError(
            f"run {plan.run!r} is being executed by process {handle.read().strip() or '(starting)'}",
            where=f"outputs/{plan.run}/", do="wait until it has ended, or end it",
        ) from None  # fmt: skip
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    _held.append(handle)
