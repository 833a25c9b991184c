"""What a run leaves on record: its numbers (`metrics.json`) and where each came from (`manifest.json`)."""

import fcntl
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from customerlab.data.project import file_digest, read_json, write_json
from customerlab.workbench.plan import Plan, Step

PACKAGES = ("pandas", "numpy", "scipy", "scikit-learn", "ibis-framework", "duckdb", "scikit-surprise")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock: notebooks that finish at the same time write the shared files one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def assemble(folder: Path) -> None:
    """Put the records of all notebooks of a run together as `metrics.json` and `manifest.json`."""
    state = folder / ".state"
    with locked(state):
        for kind in ("metrics", "manifest"):
            parts = {p.name.partition(".")[0]: read_json(p) for p in sorted(state.glob(f"*.{kind}.json"))}
            write_json(folder / f"{kind}.json", parts)


def git_state(root: Path) -> str | None:
    """The commit of the project, with a mark when files differ from it; None outside a git checkout."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changed" if git("status", "--porcelain") else "")
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None


def entry(plan: Plan, step: Step, staging: Path, *, seconds: float, cells: int) -> dict[str, Any]:
    """The manifest's entry of one executed notebook: what it read, with what it ran, what it made."""
    reports = {table: read_json(plan.folder / "tables" / f"{table}.json") for table in step.sources}
    return {
        "parameters": step.parameters,
        "tables": {
            table: {k: report[k] for k in ("data_set", "title", "licence", "citation", "files", "rows", "sha256")}
            for table, report in reports.items()
        },
        "reads": {a: file_digest(plan.folder / "artifacts" / f"{a}.parquet") for a in step.loads},
        "writes": {a: file_digest(staging / "artifacts" / f"{a}.parquet") for a in step.notebook.saves},
        "metrics": file_digest(staging / ".state" / f"{step.name}.metrics.json"),
        "fingerprint": plan.fingerprint(step),
        "software": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": git_state(plan.root),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "code_cells": cells,
    }
