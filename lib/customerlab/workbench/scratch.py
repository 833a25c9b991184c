"""Executions with other parameters than the run's own: each set of values has a folder aside, with what it changes.

It is `outputs/<run>/scratch/<values>/`, laid out as the run's folder. It begins with the run's own results, as links to
the same files, and nothing is ever written into a file that is there, so the run's results stay as they are.
"""

import json
import os
import re
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from customerlab.data.project import private_folder, written_aside
from customerlab.workbench.publish import SAVED, STATE, record_of, records

FOLDER = "scratch"


def scratch_name(values: dict[str, Any]) -> str:
    """The name of the folder of some parameters' values.

    Examples
    --------
    >>> scratch_name({"rfm_bins": 4, "outcome_days": 60}), scratch_name({"as_of": "a/b"})
    ('outcome_days=60,rfm_bins=4', 'as_of=a_b,960c98f1')
    """
    plain = ",".join(f"{key}={values[key]}" for key in sorted(values))
    name = re.sub(r"[^A-Za-z0-9._=,-]", "_", plain)[:80]
    return name if name == plain else f"{name},{sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]}"


def begin(home: Path, folder: Path) -> None:
    """Give a scratch folder the results of its run that it has not made otherwise itself.

    Parameters
    ----------
    home : Path
        The run's own folder.
    folder : Path
        The scratch folder, made where it is not there. What was executed in it with other parameters than in the run,
        or saved by hand, stays.
    """
    private_folder(folder)
    for name, record in records(home).items():
        own = record_of(folder, name)
        by_hand = (folder / STATE / f"{name}.{SAVED}.json").is_file()
        if by_hand or (own and own["parameters"] != record["parameters"]):
            continue
        paths = [home / f"{name}.ipynb", *(home / STATE / f"{name}.{kind}.json" for kind in ("metrics", "manifest"))]
        paths += [home / "artifacts" / f"{made}.parquet" for made in record["writes"]]
        paths += [home / "artifacts" / f"{made}.csv" for made in record["csv"]]
        for path in paths:
            _link(path, folder / path.relative_to(home))
    for path in (home / "tables").glob("*"):
        _link(path, folder / "tables" / path.name)


def _link(path: Path, target: Path) -> None:
    """Make `target` the same file as `path`, or a copy on a file system without links; nothing where it is gone."""
    with suppress(FileNotFoundError):
        if target.exists() and target.samefile(path):
            return
        with written_aside(target) as aside:
            try:
                os.link(path, aside)
            except OSError:
                shutil.copy2(path, aside)
