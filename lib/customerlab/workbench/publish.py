"""How results are put in place: in one step, so that a process killed at any moment leaves the old or the new ones.

All that a notebook has made is written aside. One renaming of that folder into `.state/publishing/` is the moment of
publication: before it nothing has happened, after it files only have to be moved to where they belong, by whoever comes
next where the process is gone. What a power cut takes of them is seen by its checksum.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from customerlab.data.project import read_json, read_sealed, write_json, write_sealed

STATE, SAVED = ".state", "saved"
HISTORY, KEPT = "history.json", 20  # how many results' metrics are kept
STEP, OPENED = "step.json", "opened.json"  # beside a notebook's results: what the runner resolved, what it has read


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's records: processes that finish at the same time write one after the other."""
    (folder / STATE).mkdir(parents=True, exist_ok=True)
    with (folder / STATE / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def record_of(folder: Path, name: str) -> dict[str, Any] | None:
    """What is on record of the last execution of a notebook; see `manifest.entry`."""
    return read_sealed(folder / STATE / f"{name}.manifest.json")


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """What is on record of all notebooks that a run has executed, by their names."""
    names = [path.name.partition(".")[0] for path in sorted((folder / STATE).glob("*.manifest.json"))]
    return {name: record for name in names if (record := record_of(folder, name))}


def assemble(folder: Path) -> None:
    """Put the records of all notebooks of a run together as `metrics.json` and `manifest.json`."""
    with _locked(folder):
        _assemble(folder)


def _assemble(folder: Path) -> None:
    metrics = {p.name.partition(".")[0]: read_json(p) for p in sorted((folder / STATE).glob("*.metrics.json"))}
    write_json(folder / "metrics.json", {name: said for name, said in metrics.items() if isinstance(said, dict)})
    write_json(folder / "manifest.json", records(folder))


def publish(folder: Path, name: str, staging: Path) -> None:
    """Publish what the notebook `name` has made.

    It is in `staging`, laid out as in `folder`, on the same file system, and no longer there afterwards.
    """
    finish(folder)
    waiting = folder / STATE / "publishing"
    waiting.mkdir(parents=True, exist_ok=True)
    staging.replace(waiting / name)  # the moment of publication
    finish(folder)


def finish(folder: Path) -> None:
    """Put in place what has been published, where the process that did it was killed before it was done."""
    waiting = folder / STATE / "publishing"
    if not waiting.is_dir() or not any(waiting.iterdir()):
        return
    with _locked(folder):
        published = sorted(path for path in waiting.iterdir() if path.is_dir())
        for results in published:
            for old in (folder / "figures").glob(f"{results.name}-*.svg"):
                if not (results / "figures" / old.name).exists():
                    old.unlink()
            for path in sorted(path for path in results.rglob("*") if path.is_file()):
                target = folder / path.relative_to(results)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
            forget_failure(folder, results.name)
            _saved(folder, results.name).unlink(missing_ok=True)
        _assemble(folder)
        for results in published:
            shutil.rmtree(results, ignore_errors=True)


def remember(folder: Path) -> None:
    """Keep the metrics of a run that has ended, where they are other ones than the last."""
    path, metrics = folder / STATE / HISTORY, read_json(folder / "metrics.json") or {}
    kept = (read_sealed(path) or {"results": []})["results"]
    if not kept or kept[-1]["metrics"] != metrics:
        now = {"at": datetime.now(UTC).isoformat(timespec="minutes"), "metrics": metrics}
        write_sealed(path, {"results": [*kept, now][-KEPT:]})


def changes(folder: Path) -> tuple[str, list[tuple[str, str, Any, Any]]] | None:
    """Since when a run's metrics are other ones than before, and which: notebook, name, before, now; None at first."""
    kept = (read_sealed(folder / STATE / HISTORY) or {"results": []})["results"]
    if len(kept) < 2:
        return None
    was, now = (
        {(name, key): value for name, said in one["metrics"].items() for key, value in said.items()}
        for one in kept[-2:]
    )
    keys = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    return kept[-2]["at"], [(*key, was.get(key), now.get(key)) for key in sorted(keys)]


def forget_failure(folder: Path, name: str) -> None:
    """Remove what a failed execution of a notebook left: its results are up to date."""
    for suffix in (".ipynb", ".txt"):
        (folder / "failed" / f"{name}{suffix}").unlink(missing_ok=True)


def _saved(folder: Path, name: str) -> Path:
    return folder / STATE / f"{name}.{SAVED}.json"


def note_saved(folder: Path, name: str, artifact: str, digest: str) -> None:
    """Keep on record what a notebook saves that is executed by hand."""
    with _locked(folder):
        write_sealed(_saved(folder, name), (read_sealed(_saved(folder, name)) or {}) | {artifact: digest})


def digests_of(folder: Path, artifact: str) -> set[str]:
    """The checksums that an artefact has on record, by a run or by hand."""
    by_run = [record["writes"] for record in records(folder).values()]
    by_hand = [read_sealed(path) or {} for path in (folder / STATE).glob(f"*.{SAVED}.json")]
    return {written[artifact] for written in [*by_run, *by_hand] if artifact in written}
