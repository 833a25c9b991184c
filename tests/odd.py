"""Odd values, and things changed by them, for tests that anything gives a result or a `CustomerlabError`."""

import copy
import datetime
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, event, settings, strategies as st

from customerlab.errors import CustomerlabError

EXAMPLES = int(os.environ.get("FUZZ", "300"))
SECONDS, SIGNS = 30, 9_000  # that an input may take, and that a message may have


def share(of_all: float, *, slow: bool = False) -> Any:
    """The settings of a test that gets a share of all examples; the few of the usual tests are always the same."""
    return settings(
        phases=[Phase.generate] if slow else [Phase.generate, Phase.shrink],
        max_examples=max(5, round(EXAMPLES * of_all)), deadline=None, derandomize="FUZZ" not in os.environ, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a folder, with its size and time; remembered digests do not count."""
    files = [p for p in folder.rglob("*") if not p.is_dir() and p.name != "digests.json"]
    return {str(p.relative_to(folder)): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in files}


@contextmanager
def result_or_message(project: Path, made: Callable[[str], bool] = lambda _: False) -> Iterator[None]:
    """Hold what runs inside to the promise; `made` says which files of the project a result may add or change."""
    before, begin = tree(project), time.process_time()
    try:
        yield
        after = {name: state for name, state in tree(project).items() if not made(name)}
        before = {name: state for name, state in before.items() if not made(name)}
        event("a result")
    except CustomerlabError as error:
        event("a message")
        assert len(str(error)) < SIGNS and str(project) not in str(error)
        assert all(sign == "\n" or ord(sign) >= 32 for sign in str(error))
        after = tree(project)
    assert after == before
    assert time.process_time() - begin < SECONDS


# --- odd values, and things that are changed by them ---

FRAGMENTS = [
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\t", b'"', b"'", b"[", b"]", b"{", b"}", b"[" * 300, b"{a: " * 300,
    b"&a ", b"*a", b"<<: *a", b"!!int ", b"!x ", b"? ", b"\n---\n", b"%YAML 9.9\n", b": ", b"- ", b" #", b"|", b">", b",", b";",
    b"2024-02-30", b"9999-12-31", b"9" * 5_000, b"-.inf", b".nan", b"1e999", b'"\\ud800"', b'"\\UFFFFFFFF"', b"\x1b[31m", b"\xe2\x80\xae",
    b"null", b"true", b"\\", b"-" * 3_000, b"(" * 300, b"x" * 3_000,
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**63, 10**40, 1.5, -0.0, math.inf, -math.inf, math.nan, "", " ", "x", "no", "2024-02-30", "\0",
    "9999-12-31", "../../x.csv", "/etc/passwd", "*", "*.csv", "[", "s[1].csv", "a\0b", "\ud800", "\x1b[31m", "\u202e", "=1+1", "<b>",
    "%d.%m.%Y", "%", "(?=P)", "(", "punycode", "utf-16", "undefined", "x" * 5_000, "x" * 300 + ".csv", [], [[]], [None], [1, "a"], {},
    {"a": 1}, {"<<": 1}, {"path": []}, {"column": {}}, {"row_number": True}, datetime.date(2024, 1, 31), b"\xff",
]  # fmt: skip
odd = st.one_of(
    st.sampled_from(ODD),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4)
        ),
        max_leaves=12,
    ),
)


@st.composite
def changed_bytes(draw: Any, good: bytes) -> bytes:
    """The same bytes, with a few places of them cut out, written over, doubled or filled with something odd."""
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        at = draw(st.integers(0, len(good)))
        to = at + draw(st.sampled_from([0, 0, 1, 2, 8, 60, 10_000]))
        new = draw(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6), st.just(good[at:to] * 2)))
        good = good[:at] + new + good[to:]
    return good


def _paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(path for key, item in inner for path in _paths(item, (*above, key)))]


@st.composite
def changed_nodes(draw: Any, good: Any) -> Any:
    """The same nested value, with a few of its nodes put in another's place, renamed, removed, or made odd."""
    good = copy.deepcopy(good)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        *above, key = draw(st.sampled_from(_paths(good)[1:] or [(None,)]))
        if key is None:
            return draw(odd)
        node = good
        for step in above:
            node = node[step]
        match draw(st.sampled_from(["odd", "odd", "odd", "other", "rename", "remove"])):
            case "odd":
                node[key] = copy.deepcopy(draw(odd))
            case "other":
                new = good
                for step in draw(st.sampled_from(_paths(good)[1:])):
                    new = new[step]
                node[key] = copy.deepcopy(new)
            case "rename" if isinstance(node, dict):
                node[draw(st.one_of(st.text(max_size=8), st.sampled_from(["path", "<<", "column", 5, None, True])))] = (
                    node.pop(key)
                )
            case _:
                del node[key]
    return good


def written(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Nested values as YAML files."""
    return strategy.map(lambda value: yaml.dump(value, sort_keys=False, allow_unicode=False).encode())


def as_json(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Nested values as JSON files."""
    return strategy.map(lambda value: json.dumps(value, default=str).encode())


@contextmanager
def put(path: Path, content: bytes) -> Iterator[None]:
    """Put something into a file of the project for a while."""
    before = path.read_bytes() if path.is_file() else None
    path.write_bytes(content)
    try:
        yield
    finally:
        path.unlink(missing_ok=True) if before is None else path.write_bytes(before)
