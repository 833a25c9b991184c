"""YAML as people write it: read strictly, with errors that name the file, the line and the key.

Of YAML only what the project's files need is read: mappings, lists, texts, numbers, true, false and null, and anchors.
Whatever else it has is refused with a message, so that nothing is taken for something else: a day stays the text that
it is, ``010`` is not 8, and no tag makes an object.
"""

import copy
import difflib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from customerlab.errors import CustomerlabError, shown

BYTES, NODES, DEPTH = 1_000_000, 100_000, 50  # of a file; anchors count as often as they are named


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses tags, merges, doubled keys, and what expands or nests without end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth, self.nodes = 0, 0
        self.sizes: dict[int, int] = {}  # nodes within a node, by its identity

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise _refused(f"the tag {tag} is not known here; write the value without it", event)
        self.depth += 1
        if self.depth > DEPTH:
            raise _refused(f"lists and mappings are nested more than {DEPTH} deep", event)
        before = self.nodes
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self.sizes:
                raise _refused(f"*{event.anchor} stands within its own anchor", event)
            self.nodes += self.sizes[id(node)]
        self.nodes += 1
        if self.nodes > NODES:
            raise _refused(f"more than {NODES:,} values, those of anchors counted as often as they are named", event)
        self.sizes[id(node)] = self.nodes - before
        self.depth -= 1
        return node

    def construct_scalar(self, node: yaml.ScalarNode) -> str:  # type: ignore[override]
        if sign := odd_sign(node.value):
            raise _refused(f"the sign {sign} stands in a text", node)
        return node.value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused("a list or a mapping stands where a key is expected", key)
            name = self.construct_scalar(key)  # as it is written: 2024 and yes are names like any other
            if name == "<<":
                raise _refused("`<<` is not known here; write out the keys that it would take over", key)
            if name in found:
                raise _refused(f"the key {shown(name)} stands here twice", key)
            found[name] = self.construct_object(value, deep=deep)
        return found


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", list("yYnNtTfFoO")),
    ("int", r"[-+]?(0|[1-9][0-9_]{0,29})", list("-+0123456789")),  # no octals, and no 1:30 for 90
    ("float", r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
     list("-+0123456789.")),
):  # fmt: skip
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})$"), _first)


def _refused(problem: str, at: yaml.Node | yaml.Event) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, at.start_mark)  # type: ignore[arg-type]


def odd_sign(text: str) -> str:
    """The first sign of a text that no text holds, as it is escaped: a control sign, or half of a character.

    Examples
    --------
    >>> odd_sign("a\\tb\\n"), odd_sign("a\\x1b[31m"), odd_sign("\\udcff")
    ('', '\\\\x1b', '\\\\udcff')
    """
    if text.isprintable():
        return ""
    odd = (sign for sign in text if sign not in "\t\n\r" and unicodedata.category(sign) in ("Cc", "Cs"))
    return next(odd, "").encode("unicode_escape").decode()


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    # one process asks for the catalogue many times, and PyYAML is slow
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except (ValueError, OverflowError, RecursionError) as error:  # PyYAML makes signs of numbers without a look
        raise yaml.scanner.ScannerError(None, None, str(error), loader.get_mark()) from None
    finally:
        loader.dispose()


def parse_yaml(text: str, *, where: str) -> Any:
    """What a YAML text says; `where` is how messages name it.

    A CustomerlabError where it is not YAML, or holds what the project's files do not have: tags, merges, keys that
    stand twice or are no texts, signs that cannot be seen, more than 100,000 values.
    """
    try:
        return copy.deepcopy(_parsed(text))
    except yaml.reader.ReaderError as error:
        line, problem = text.count("\n", 0, error.position) + 1, f"the sign #x{error.character:04x} stands in it"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = ", ".join(filter(None, (error.context, error.problem)))
    raise CustomerlabError(
        f"not readable as YAML: {problem}", where=f"{where}, line {line:,}", do="fix that line"
    ) from None


def load_yaml(path: Path, *, where: str) -> dict[str, Any]:
    """Read a YAML mapping from the file that messages name `where`.

    A CustomerlabError where it is missing, too large, no mapping, or not YAML as `parse_yaml` reads it.
    """
    try:
        if path.stat().st_size > BYTES:
            raise CustomerlabError(
                f"the file has {path.stat().st_size:,} bytes", where=where, expected=f"at most {BYTES:,}",
                do="shorten it",
            )  # fmt: skip
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CustomerlabError("the file is missing", where=where, do="create it, or fix the name") from None
    except UnicodeDecodeError as error:
        raise CustomerlabError(f"not UTF-8 text: {error}", where=where, do="save the file as UTF-8") from None
    except OSError as error:
        raise CustomerlabError(
            f"the file cannot be read: {error.strerror}", where=where, do="give it the right to be read"
        ) from None
    value = parse_yaml(text, where=where)
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
        raise CustomerlabError(f"found {shown(value)}", where=where, expected="a mapping, `key: value`")
    allowed = list(allowed)
    for key in value:
        if key not in allowed:
            raise CustomerlabError(f"unknown key {shown(key)}", where=where, expected=suggest(key, allowed))
    for key in required:
        if value.get(key) is None:
            raise CustomerlabError(f"the key {key!r} is missing", where=where, do=f"add `{key}: …`")
    return value
