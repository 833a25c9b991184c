"""YAML as people write it: read strictly, with errors that name the file, the line and the key."""

import copy
import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from customerlab.errors import CustomerlabError


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key written twice, which plain YAML lets the later one win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


@cache
def _parsed(text: str) -> Any:
    # one process asks for the catalogue many times, and PyYAML is slow
    return yaml.load(text, Loader=_StrictLoader)  # a subclass of the safe loader


def load_yaml(path: Path, *, where: str) -> dict[str, Any]:
    """Read a YAML mapping.

    Parameters
    ----------
    path : Path
        The file.
    where : str
        How messages name it.

    Raises
    ------
    CustomerlabError
        If it is missing, is not YAML, holds a key twice or is not a mapping.
    """
    try:
        value = copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CustomerlabError("the file is missing", where=where, do="create it, or mend the name") from None
    except UnicodeDecodeError as error:
        raise CustomerlabError(f"not UTF-8 text: {error}", where=where, do="save the file as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise CustomerlabError(f"not readable as YAML: {problem}", where=where + line, do="mend that line") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CustomerlabError("not a mapping", where=where, expected="lines of the form `key: value`")
    return value


def suggest(name: object, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or all of them when none is near.

    Examples
    --------
    >>> suggest("rfm_bin", ["rfm_bins", "seed"])
    'did you mean rfm_bins?'
    >>> suggest("x", ["rfm_bins", "seed"])
    'one of: rfm_bins, seed'
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {near[0]}?" if near else f"one of: {', '.join(names) or '(none)'}"


def only_keys(value: Any, allowed: Iterable[str], *, where: str, required: Iterable[str] = ()) -> dict[str, Any]:
    """Return `value` if it is a mapping with no unknown key and every required one."""
    if not isinstance(value, dict):
        raise CustomerlabError(f"found {value!r}", where=where, expected="a mapping, `key: value`")
    allowed = list(allowed)
    for key in value:
        if key not in allowed:
            raise CustomerlabError(f"unknown key {key!r}", where=where, expected=suggest(key, allowed))
    for key in required:
        if value.get(key) is None:
            raise CustomerlabError(f"the key {key!r} is missing", where=where, do=f"add `{key}: …`")
    return value
