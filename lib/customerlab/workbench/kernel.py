"""Kernels: followed on the terminal, and ended where they go beyond what any notebook needs.

Notebooks run side by side, each in a kernel, which is a process of its own, and followed by a thread of this one. So
what a kernel is given (its folder, its environment) goes to it alone, and nothing is set for the whole process.
"""

import asyncio
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config

from customerlab.data.project import own_folder, remove_abandoned
from customerlab.errors import RunError
from customerlab.workbench.display import PROGRESS

Say = Callable[[str], None]
# Limits that no notebook of a shop meets; one that never ends, or never ends to print, does.
CELL_HOURS, NOTEBOOK_HOURS = 6, 24
CELL_MEGABYTES, NOTEBOOK_MEGABYTES = 20, 100  # of outputs, as text; pictures count with what they are as text


ending = threading.Event()  # set where kernels end because the process has been asked to
_started: set["OwnKernels"] = set()


def end_all() -> None:
    """Kill the kernels of this process, and any that it starts from now on."""
    ending.set()
    for manager in list(_started):
        manager.kill()


class OwnKernels(AsyncKernelManager):
    """Kernels of the interpreter that runs this, which are asked to end without being interrupted first.

    A user may have a kernel `python3` of another Python, which lacks what notebooks need: no installed kernel is asked
    for. And jupyter_client interrupts every kernel that it shuts down, lest it be busy; one that has run its last cell
    is idle, or about to be, and then says on the terminal that it caught a KeyboardInterrupt, though all is well.
    """

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel to start."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")

    async def _async_post_start_kernel(self, **given: Any) -> None:
        await super()._async_post_start_kernel(**given)
        _started.add(self)
        if ending.is_set():
            self.kill()

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        _started.discard(self)
        await super()._async_cleanup_resources(restart=restart)

    def kill(self) -> None:
        """Kill the process, from any thread."""
        process = getattr(self.provisioner, "process", None)
        if process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its group is its own, with all that it has started

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:
            await super()._async_interrupt_kernel()


class LimitedClient(PapermillNotebookClient):
    """papermill's client, which ends a kernel whose cells take too long or say too much."""

    def __init__(self, nb_man: Any, *, say: Say, **options: Any) -> None:
        super().__init__(nb_man, timeout_func=self._time_left, **options)
        self._say = say
        self._begin = time.monotonic()
        self._cell: Any = None
        self._said = {"cell": 0, "notebook": 0}
        self._reached: RunError | None = None
        self._ending: asyncio.Future[None] | None = None

    def execute(self, **options: Any) -> Any:
        """Execute the notebook's cells; a RunError where a limit is reached."""
        try:
            return super().execute(**options)
        except DeadKernelError:
            if self._reached is None:
                raise
            raise self._reached from None
        except CellTimeoutError:
            cell = time.monotonic() - self._begin < NOTEBOOK_HOURS * 3600
            what, hours = ("a cell", CELL_HOURS) if cell else ("the notebook", NOTEBOOK_HOURS)
            raise self._limit(f"{what} has not ended after {hours:g} hours") from None

    def _limit(self, what: str) -> RunError:
        self.shutdown_kernel = "immediate"
        code = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        place = next(number for number, cell in enumerate(code, 1) if cell is self._cell)
        return RunError(
            what, where=f"code cell {place}: {first_line(self._cell.source)}",
            expected=f"at most {CELL_HOURS:g} hours and {CELL_MEGABYTES:g} MB of output of a cell, "
            f"{NOTEBOOK_HOURS:g} hours and {NOTEBOOK_MEGABYTES:g} MB of a notebook",
            do="fix a loop that does not end, or show less; or raise the limits in lib/customerlab/workbench/kernel.py",
        )  # fmt: skip

    def _time_left(self, cell: Any) -> int:
        """Seconds that a cell may take, which begins now."""
        self._cell, self._said["cell"] = cell, 0
        return max(1, round(min(CELL_HOURS * 3600, self._begin + NOTEBOOK_HOURS * 3600 - time.monotonic())))

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take what the kernel says, and end it where this is too much."""
        if self._reached:
            return None
        if msg["msg_type"] == "display_data" and PROGRESS in msg["content"]["data"]:
            self._say(f"{time.monotonic() - self._begin:20.1f} s  {msg['content']['data'][PROGRESS]}")
            return None
        if msg["msg_type"] in ("stream", "display_data", "update_display_data", "execute_result", "error"):
            size = len(str(msg["content"]))
            for whole, limit in (("cell", CELL_MEGABYTES), ("notebook", NOTEBOOK_MEGABYTES)):
                self._said[whole] += size
                if self._said[whole] > limit * 10**6 and not self._reached:
                    self._reached = self._limit(f"the outputs of the {whole} are larger than {limit:g} MB")
            if self._reached:
                self._ending = asyncio.ensure_future(self.km.signal_kernel(signal.SIGKILL))  # nbclient finds it dead
                return None
        return super().process_message(msg, cell, cell_index)


class FollowedEngine(NBClientEngine):
    """papermill's own engine, with limits, with sockets in place of TCP ports and a line at every section."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, say: Say, folder: str, environment: dict[str, str], **_: Any
    ) -> Any:
        """Execute in a kernel with a folder and an environment of its own, and say which section begins."""
        code = [cell for cell in nb_man.nb.cells if cell.cell_type == "code"]
        sections = _sections(nb_man.nb)
        number = {id(cell): place for place, cell in enumerate(code, 1)}
        begin, said = time.monotonic(), set()
        cell_start = nb_man.cell_start

        def started(cell: Any, *args: Any, **more: Any) -> Any:
            section = sections.get(id(cell), "")
            if section not in said and id(cell) in number:
                said.add(section)
                say(f"cell {number[id(cell)]:>2} of {len(code)}  {time.monotonic() - begin:5.1f} s  {section}")
            return cell_start(cell, *args, **more)

        nb_man.cell_start = started
        # Ports of kernels that start side by side can collide, sockets in a folder of their own cannot. The folder has
        # to be named: by default jupyter_client puts every kernel's sockets at ./kernel-ipc-N, where they do collide.
        # A short one, because the path of a socket may have about 100 characters.
        temporary = Path(tempfile.gettempdir())
        remove_abandoned(temporary, "clab-*")
        with own_folder(temporary, "clab-") as sockets:
            config = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/k"}})
            # iopub_timeout is of what a cell has said, once it has ended: a busy machine takes its time
            return LimitedClient(
                nb_man, say=say, kernel_name=kernel_name, startup_timeout=60, iopub_timeout=60, config=config,
                kernel_manager_class=OwnKernels,
            ).execute(cwd=folder, env=environment)  # fmt: skip


papermill_engines.register("followed", FollowedEngine)


def first_line(source: str) -> str:
    """The first line of a cell that is not empty."""
    return next((line.strip() for line in source.splitlines() if line.strip()), "")


def _sections(notebook: Any) -> dict[int, str]:
    """The heading above each code cell, by the cell's identity."""
    heading, found = "set-up", {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next((ln.lstrip("# ") for ln in cell.source.splitlines() if ln.startswith("## ")), heading)
        found[id(cell)] = heading
    return found
