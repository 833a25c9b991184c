"""What a run leaves on record of each notebook: with what it was executed, and what it read and made."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from customerlab.data.project import file_digest, read_json
from customerlab.workbench.plan import Plan, Step
from customerlab.workbench.publish import OPENED

PACKAGES = ("pandas", "numpy", "scipy", "scikit-learn", "ibis-framework", "duckdb", "scikit-surprise")
KEPT = (
    "data_set",
    "title",
    "licence",
    "citation",
    "currency",
    "files",
    "rows",
    "days",
    "sha256",
    "fingerprint",
)  # of a table's report


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


def entry(
    plan: Plan, step: Step, staging: Path, reports: dict[str, dict[str, Any]], *, seconds: float, cells: int
) -> dict[str, Any]:
    """The manifest's entry of one executed notebook: what it read, with what it ran, what it made in `staging`.

    `reports` are those of the tables that it opened.
    """
    opened = read_json(staging / OPENED) or {"artifacts": {}}
    return {
        "parameters": step.parameters,
        "tables": {table: {k: report[k] for k in KEPT} for table, report in reports.items()},
        "reads": opened["artifacts"],
        "champions": opened.get("champions", {}),
        "writes": {path.stem: file_digest(path) for path in sorted((staging / "artifacts").glob("*.parquet"))},
        "csv": {path.stem: file_digest(path) for path in sorted((staging / "artifacts").glob("*.csv"))},
        "figures": {path.name: file_digest(path) for path in sorted((staging / "figures").glob("*.svg"))},
        "notebook": file_digest(staging / f"{step.name}.ipynb"),
        "metrics": file_digest(staging / ".state" / f"{step.name}.metrics.json"),
        "fingerprint": plan.fingerprint(step),
        "software": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": git_state(plan.root),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "code_cells": cells,
    }
