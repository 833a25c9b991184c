"""Versions of a run's models: each kept in a folder named by its content, and one file that says which of them serve.

`outputs/<run>/models/<model>/<version>/` holds `model.json`, the object as `codec` writes it, and `about.json`. A
folder is put in place whole and never changed. `serving.json` is replaced in one step, after the versions that it names
are in place and before older ones are removed: so a process killed at any moment leaves models that can be read.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from customerlab.data.project import (
    own_folder,
    private_folder,
    read_sealed,
    remove_abandoned,
    text_digest,
    write_sealed,
    written_aside,
)
from customerlab.data.yaml_files import suggest
from customerlab.errors import RunError, shown

MODELS, POINTER = "models", "serving.json"
DECISIONS = "model_decisions"  # the artefact by which a notebook says which models are to be replaced
LENGTH = 12  # signs of the SHA-256 that name a version
VERSION = re.compile(rf"[0-9a-f]{{{LENGTH}}}")
FIXED = 0o400  # the files of a version are not to be written, not even by their owner


@dataclass(frozen=True)
class Served:
    """A version that serves or has served, and why it was chosen."""

    version: str
    as_of: str = ""  # the day of the retraining that promoted it; empty where it was chosen by hand
    decision: str = "by hand"
    reason: str = "It was chosen with customerlab rollback."
    before: str = ""  # the version that served before it
    by: str = ""  # SHA-256 of the decisions that promoted it


@dataclass(frozen=True)
class Model:
    """What is on record of a model."""

    served: tuple[Served, ...] = ()  # the last one serves
    kept: tuple[str, ...] = ()  # the versions that there are, that made last at the end
    withdrawn: tuple[str, ...] = ()  # those that were rolled back, and are promoted by hand alone

    @property
    def version(self) -> str:
        """The version that serves; empty where none does."""
        return self.served[-1].version if self.served else ""

    def trimmed(self, keep: int) -> "Model":
        """The model with its last `keep` versions, that which serves and the one before.

        Examples
        --------
        >>> Model((Served("a"), Served("b"), Served("c")), ("a", "b", "c", "d", "e")).trimmed(1).kept
        ('b', 'c', 'e')
        """
        stays = {*self.kept[-keep:], *(one.version for one in self.served[-2:])}
        served = tuple(one for one in self.served if one.version in stays)
        return Model(served, tuple(v for v in self.kept if v in stays), self.withdrawn)


Models = dict[str, Model]


def version_of(text: str) -> str:
    """The name of a model's version: the first signs of the SHA-256 of its JSON, as `sha256sum model.json` says it.

    Examples
    --------
    >>> version_of('{"bins": 5}')
    'cf84543c2f0b'
    """
    return text_digest(text)[:LENGTH]


def _place(home: Path, *names: str) -> str:
    return "/".join(("outputs", home.name, MODELS, *names))


def models(home: Path) -> Models:
    """What is on record of the models of a run, whose folder `home` is; a RunError where the record is damaged."""
    path = home / MODELS / POINTER
    said = read_sealed(path)
    if said is None and path.exists():
        raise RunError(
            "the record of the models that serve is damaged or was edited", where=_place(home, POINTER),
            expected="the file as customerlab wrote it, with its checksum",
            do=f"put back a copy of it; or move {_place(home)}/ away, and customerlab retrain begins with first versions",
        )  # fmt: skip
    return {
        name: Model(tuple(Served(**s) for s in one["served"]), tuple(one["kept"]), tuple(one["withdrawn"]))
        for name, one in (said or {"models": {}})["models"].items()
    }


@contextmanager
def changing(home: Path) -> Iterator[Models]:
    """Give the record of a run's models to change, write it in one step when the block ends well, and tidy up."""
    folder = private_folder(home / MODELS)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # for a moment: a rollback does not wait for a whole retraining
        record = models(home)
        yield record
        said = {name: {"serving": record[name].version, **asdict(record[name])} for name in sorted(record)}
        write_sealed(folder / POINTER, {"models": said})
        for name, model in record.items():
            _remove(folder / name, set(model.kept))


def _remove(folder: Path, kept: set[str]) -> None:
    """Remove the versions that are not kept, each in one step, and what killed processes left."""
    for path in sorted(folder.glob("*")):
        if VERSION.fullmatch(path.name) and path.name not in kept:
            with own_folder(folder, ".aside-") as aside:
                path.replace(aside / path.name)
    remove_abandoned(folder, ".aside-*")


def keep_version(home: Path, model: str, text: str, about: dict[str, Any]) -> str:
    """Keep a model as JSON, and what is to be known of it, as a version; return its name.

    A version that is there stays as it is; a RunError where it is damaged.
    """
    version, folder = version_of(text), private_folder(home / MODELS / model)
    remove_abandoned(folder, ".aside-*")
    if (folder / version).exists():
        read_version(home, model, version)
        return version
    with own_folder(folder, ".aside-") as aside:
        whole = aside / version
        with written_aside(whole / "model.json", mode=FIXED) as path:
            path.write_text(text, encoding="utf-8")
        write_sealed(whole / "about.json", {"model": model, "sha256": text_digest(text), **about})
        (whole / "about.json").chmod(FIXED)
        whole.replace(folder / version)
    return version


def read_version(home: Path, model: str, version: str) -> tuple[str, dict[str, Any]]:
    """A version's JSON and what is known of it; a RunError unless both are as they were kept."""
    folder = home / MODELS / model / version
    about = read_sealed(folder / "about.json")
    try:
        text = (folder / "model.json").read_bytes().decode("utf-8", "replace")
    except OSError:
        text = ""
    if not about or about["sha256"] != text_digest(text) or version_of(text) != version:
        raise RunError(
            f"version {version} of {model} is not what was kept: it is damaged, was edited or is gone",
            where=_place(home, model, version), expected="model.json and about.json as they were kept, with their checksums",
            do=f"put back a copy of the folder, or choose another version: customerlab versions --run {home.name}",
        )  # fmt: skip
    return text, about


def serving(home: Path, model: str) -> tuple[str, Any]:
    """The version of a model that serves, and its object; an empty text and None where none does."""
    version = models(home).get(model, Model()).version
    if not version:
        return "", None
    text, _ = read_version(home, model, version)
    from customerlab.codec import from_json  # it loads pandas, and most commands read no model

    try:
        return version, from_json(text)
    except ValueError as error:
        raise RunError(
            f"version {version} of {model} was kept by another version of customerlab: {error}",
            where=_place(home, model, version), expected="a model that this customerlab reads",
            do=f"move {_place(home)}/ away; then customerlab retrain --run {home.name} begins with first versions",
        ) from None  # fmt: skip


def serving_since(home: Path, model: str) -> Any:
    """The day as of which the version that serves was made, a Timestamp; None where none serves."""
    version = models(home).get(model, Model()).version
    if not version:
        return None
    import pandas as pd  # most commands read no model

    return pd.Timestamp(read_version(home, model, version)[1]["as_of"])


def superseded(home: Path, champions: dict[str, str], decisions: str) -> str:
    """Why what was made of some champions is out of date; empty where it is not.

    A notebook whose own decisions, of the SHA-256 `decisions`, have replaced a champion is not out of date for that:
    it says why, and would else decide again and again.
    """
    try:
        record = models(home) if champions else {}
    except RunError as error:
        return error.what
    for name, read in champions.items():
        now = record[name].served[-1] if name in record and record[name].served else Served("")
        carried_out = decisions and (now.by, now.before) == (decisions, read)
        if now.version != read and not carried_out:
            return f"another version of {name} serves now" if now.version else f"no version of {name} serves now"
    return ""


def roll_back(home: Path, model: str, to: str = "") -> tuple[str, str]:
    """Let the version `to` of a model serve, by default the one that served before; which one did, and which does now.

    Decisions do not promote the replaced version again; `to` does.
    """
    with changing(home) as record:
        known = [name for name in record if record[name].served]
        if model not in known:
            raise RunError(
                f"no version of {shown(model)} serves", where=_place(home), expected=suggest(model, known),
                do=f"customerlab versions --run {home.name} lists the models",
            )  # fmt: skip
        found = record[model]
        if not to and len(found.served) < 2:
            raise RunError(
                f"no version of {model} has served before {found.version}", where=_place(home, model),
                expected=f"a version to go back to; there are {', '.join(found.kept)}", do="choose one of them with --to",
            )  # fmt: skip
        version = to or found.served[-2].version
        if version not in found.kept:
            raise RunError(
                f"there is no version {shown(to)} of {model}", where="--to", expected=f"one of {', '.join(found.kept)}"
            )
        read_version(home, model, version)
        if version == found.version:
            return version, version
        served = found.served[:-1] if not to else _chosen(found, version)
        withdrawn = (*(one for one in found.withdrawn if one not in (version, found.version)), found.version)
        record[model] = Model(served, found.kept, withdrawn)
    return found.version, version


def _chosen(model: Model, version: str) -> tuple[Served, ...]:
    """What has served, and a version that was chosen by hand."""
    return (*(one for one in model.served if one.version != version), Served(version, before=model.version))


def listed(home: Path) -> list[str]:
    """The versions of a run's models, a line each, those made last first."""
    lines = []
    for name, model in sorted(models(home).items()):
        why = {one.version: f", {one.decision}: {one.reason}" for one in model.served}
        for version in reversed(model.kept):
            try:
                about = read_version(home, name, version)[1]
                said = f"as of {about['as_of']}, from {about['notebook']}{why.get(version, '')}"
            except RunError:
                said = "damaged or edited; it is refused"
            mark = "serves" if version == model.version else "withdrawn" if version in model.withdrawn else ""
            lines.append(f"{name}  {version}  {mark:<9}  {said}")
    return lines
