"""Where a project is, and how its files are written and digested."""

import filecmp
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from customerlab.errors import CustomerlabError, shown

CATALOG = Path("data/catalog.yml")
ABANDONED = 24 * 3600  # seconds after which a half-written file is taken to have no writer any more


def find_root(start: Path | None = None) -> Path:
    """Return the project's folder: the nearest one at or above `start` that holds `data/catalog.yml`.

    Parameters
    ----------
    start : Path, optional
        Where to begin; the working folder by default, so that a notebook works from its own folder.

    Raises
    ------
    CustomerlabError
        If no folder up to the root of the file system is a project.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / CATALOG).is_file() and (folder / "notebooks").is_dir():
            return folder
    raise CustomerlabError(
        "this is not a customerlab project",
        where=str(start),
        expected=f"a folder, here or above, with {CATALOG} and notebooks/",
        do="change into the clone and try again",
    )


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, and put it in place only when the block ends well.

    A reader sees the old file or the new one, never half of one; what a failed block wrote is removed. A file whose
    content would stay the same is not touched, so that its time tells when it last changed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with written_aside(folder / "a.txt") as aside:
    ...     _ = aside.write_text("whole")
    >>> [p.name for p in folder.iterdir()]
    ['a.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, ".aside-*")
    with tempfile.TemporaryDirectory(prefix=".aside-", dir=path.parent) as folder:
        aside = Path(folder) / path.name
        yield aside
        if not (path.is_file() and filecmp.cmp(aside, path, shallow=False)):
            aside.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; None where there is none or where it is not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def text_digest(*parts: str) -> str:
    """SHA-256 of some texts, each set off from the next."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class DigestCache:
    """File digests remembered by size and time of change, so that a large log is read once and not at every run.

    Parameters
    ----------
    path : Path
        The JSON file that remembers; it may be removed at any time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[Any]] = read_json(path) or {}

    def digest(self, path: Path) -> str:
        """SHA-256 of `path`, computed only when its size or time of change is new."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        known = self._known.get(str(path))
        if known and known[:2] == stamp:
            return str(known[2])
        digest = file_digest(path)
        self._known[str(path)] = [*stamp, digest]
        write_json(self._path, self._known)
        return digest


def remove_tree(path: Path) -> None:
    """Remove a folder that may not be there."""
    shutil.rmtree(path, ignore_errors=True)


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove what processes that were killed have left half-written in a folder, a day later."""
    for left in folder.glob(pattern):
        with suppress(FileNotFoundError):  # its own process may have finished with it since
            if left.stat().st_mtime < time.time() - ABANDONED:
                remove_tree(left)


def relative(path: Path, root: Path) -> str:
    """`path` as it reads from the project's folder; a file outside it by its name alone.

    Stored outputs and manifests name files in this way, so that they never hold a path of one machine.
    """
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.name


def data_folders(root: Path) -> list[Path]:
    """The folders that are searched for data files, in order: `data/raw/`, `data/`, then `CUSTOMERLAB_DATA`."""
    folders = [root / "data" / "raw", root / "data"]
    outside = os.environ.get("CUSTOMERLAB_DATA")
    if outside:
        # A relative folder is meant from where the command was typed, which is the project's own folder
        # for make and for the command line; notebooks run one level below it.
        try:
            folder = Path(outside).expanduser()
        except RuntimeError:
            raise CustomerlabError(
                f"{shown(outside)} names the folder of a user who is not on this machine", where="the variable CUSTOMERLAB_DATA",
                expected="a folder", do="mend it, or unset it",
            ) from None  # fmt: skip
        folders.append(folder if folder.is_absolute() else root / folder)
    return folders
