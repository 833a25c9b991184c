"""Where a project is, and how its files are written and digested."""

import fcntl
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
SETTLED = 2 * 10**9  # nanoseconds after which a file that changes again is sure to get another time
PRIVATE = 0o600  # of all that is written: data of customers, and what is computed from them, are their owner's to read


def find_root() -> Path:
    """Return the project's folder, the nearest at or above the working folder with `data/catalog.yml`.

    A CustomerlabError where there is none.
    """
    start = Path.cwd().resolve()
    for folder in (start, *start.parents):
        if (folder / CATALOG).is_file() and (folder / "notebooks").is_dir():
            return folder
    raise CustomerlabError(
        "this is not a customerlab project", where=str(start),
        expected=f"a folder, here or above, with {CATALOG} and notebooks/", do="change into the clone and try again",
    )  # fmt: skip


@contextmanager
def own_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that is this process's own while the block runs, and remove it afterwards.

    The process holds a lock on it, which ends with the process: so `remove_abandoned` knows what killed ones have left.
    """
    while True:  # one that was taken for abandoned before it was locked is made again
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(FileNotFoundError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # a file system without locks: what is left there stays
                fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.is_dir():
                break
            os.close(handle)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


@contextmanager
def written_aside(path: Path, *, mode: int = PRIVATE) -> Iterator[Path]:
    """Give a path beside `path` to write to, and put it in place only when the block ends well.

    A reader sees the old file or the new one, never half of one; what a failed block wrote is removed. A file whose
    content stays the same is not touched, so that its time tells when it last changed.

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
    with own_folder(path.parent, ".aside-") as folder:
        aside = folder / path.name
        yield aside
        if path.is_dir():
            raise _folder_there(path)
        if not (path.is_file() and filecmp.cmp(aside, path, shallow=False)):
            aside.chmod(mode)
            aside.replace(path)


def _folder_there(path: Path) -> CustomerlabError:
    place = "/".join(path.parts[-3:])
    return CustomerlabError("a folder is where a file belongs", where=f"…/{place}", do="move it away and run again")


def private_folder(path: Path) -> Path:
    """Make a folder that nobody but its owner can look into."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; a file that holds it asks for no room."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")  # half a sign, in a name that is no UTF-8, as JSON has it
    if path.is_file() and path.read_bytes() == content:
        return
    with written_aside(path) as aside:
        aside.write_bytes(content)


def read_json(path: Path) -> Any:
    """Read a JSON file; None where there is none or it is no JSON, a CustomerlabError for a folder in its place."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    except IsADirectoryError:
        raise _folder_there(path) from None


def write_sealed(path: Path, value: dict[str, Any]) -> None:
    """Write a record as JSON with a checksum of itself, by which `read_sealed` knows it again."""
    write_json(path, value | {"checksum": text_digest(json.dumps(value, sort_keys=True))})


def read_sealed(path: Path) -> dict[str, Any] | None:
    """Read a record that `write_sealed` has written; None for anything else that is there, and for nothing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> write_sealed(path, {"rows": 60})
    >>> found = read_sealed(path)
    >>> _ = path.write_text(path.read_text().replace("60", "61"))
    >>> found, read_sealed(path)
    ({'rows': 60}, None)
    """
    value = read_json(path)
    if not isinstance(value, dict):
        return None
    checksum = value.pop("checksum", None)
    with suppress(RecursionError):
        return value if checksum == text_digest(json.dumps(value, sort_keys=True)) else None
    return None


def text_digest(*parts: str) -> str:
    """SHA-256 of some texts, each set off from the next."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class DigestCache:
    """File digests remembered in the JSON file `path`, which may be removed, so that a large log is read once.

    A file is known again by its size, its place on the disk, and the times of its last change and of its last change of
    any kind. The last cannot be set, so that a file that was edited and given its old time back is read again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        known = read_json(path)
        self._known: dict[str, Any] = known if isinstance(known, dict) else {}

    def digest(self, path: Path, *, anew: bool = False) -> str:
        """SHA-256 of `path`, computed only where it may have changed, or `anew`."""
        stamp, known = _stamp(path), self._known.get(str(path))
        if not anew and isinstance(known, list) and known[:-1] == stamp and isinstance(known[-1], str):
            return known[-1]
        begin = time.time_ns()
        digest = file_digest(path)
        settled = stamp == _stamp(path) and max(stamp[1:3]) < begin - SETTLED
        self._known[str(path)] = [*stamp, digest] if settled else None
        # os.path.exists, because pathlib raises for a name that no system takes, which a damaged memory can hold
        self._known = {name: what for name, what in self._known.items() if what and os.path.exists(name)}  # noqa: PTH110
        with suppress(OSError):  # no room, or no right to write: it is computed again
            write_json(private_folder(self._path.parent) / self._path.name, self._known)
        return digest


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove what processes that were killed have left half-written in a folder: what no process holds."""
    for left in folder.glob(pattern):
        with suppress(OSError):  # its own process holds it, or has finished with it since
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


def relative(path: Path, root: Path) -> str:
    """`path` as it reads from the project's folder, one outside it by its name: never a path of one machine."""
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
                expected="a folder", do="fix it, or unset it",
            ) from None  # fmt: skip
        folders.append(folder if folder.is_absolute() else root / folder)
    return folders
