"""Would a test fail if one token of the code were another? Draw such changes, and see.

    make mutation

A change of `customerlab.analysis` or `customerlab.data` is made in a copy of the project, and the tests that execute
its statement are run, the most specific ones first. Which tests these are is measured once at the beginning.
Annotations, decorators, docstrings and what is raised stay as they are: nothing, or words alone, would be another.
"""

import argparse
import ast
import difflib
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from coverage import CoverageData

from helpers import ROOT

AREAS = ("analysis", "data")
TESTS = ("tests/unit", "tests/property", "tests/golden", "tests/engines")
SWAPS = {
    "+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "*", "**": "*", "&": "|", "|": "&", "<": "<=", "<=": "<",
    ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+=": "-=", "-=": "+=", "and": "or", "or": "and", "True": "False",
    "False": "True",
}  # fmt: skip
SECONDS = 60  # a test that takes longer does not end, so the change is found
LIMIT = 400  # seconds for all tests of a change


@dataclass(frozen=True)
class Change:
    """One token of a module, and what stands in its place; the lines of its statement."""

    path: str
    start: tuple[int, int]
    old: str
    new: str
    lines: range

    def made(self, text: str) -> str:
        """The text of the module with the change."""
        lines = text.splitlines(keepends=True)
        row, column = self.start[0] - 1, self.start[1]
        assert lines[row][column:].startswith(self.old)
        lines[row] = lines[row][:column] + self.new + lines[row][column + len(self.old) :]
        return "".join(lines)

    def shown(self) -> str:
        """The line before and after."""
        text = (ROOT / self.path).read_text(encoding="utf-8")
        pair = difflib.unified_diff(text.splitlines(), self.made(text).splitlines(), lineterm="", n=0)
        return f"{self.path}:{self.start[0]}\n" + "\n".join(f"    {line}" for line in list(pair)[3:])


def changes(path: Path, draw: random.Random) -> Iterator[Change]:
    """Every change of a module."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    left_alone, statements = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno
            statements.append(range(node.lineno, max(last, node.lineno) + 1))
        words = isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom)
        parts = [node] if words else [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for part in [*parts, *getattr(node, "decorator_list", [])]:
            if isinstance(part, ast.AST):
                left_alone.append(((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)))
    meant = set(_operators(tree))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        at = (row, len(token.line[:column].encode()))  # as `ast` counts
        if any(begin <= at < end for begin, end in left_alone):
            continue
        new = SWAPS.get(token.string) if token.type in (tokenize.OP, tokenize.NAME) else None
        if token.type == tokenize.OP and not any(begin <= at < end for begin, end in meant):
            new = None
        if token.type == tokenize.NUMBER:
            value = ast.literal_eval(token.string)
            new = repr(round(value + draw.choice([-1, 1]) if value else 1, 6))
            new = f"({new})" if new.startswith("-") else new
        if new is not None:
            own = min((lines for lines in statements if row in lines), key=len, default=range(row, row + 1))
            yield Change(path.relative_to(ROOT).as_posix(), token.start, token.string, new, own)


def _operators(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where operators stand: between their operands, or before the one. A star of arguments is none."""
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.BinOp):
            pairs = [(node.left, node.right)]
        elif isinstance(node, ast.Compare):
            pairs = list(zip([node.left, *node.comparators], node.comparators, strict=False))
        elif isinstance(node, ast.AugAssign):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.UnaryOp):
            yield (node.lineno, node.col_offset), (node.operand.lineno, node.operand.col_offset)
        for one, other in pairs:
            yield (one.end_lineno, one.end_col_offset), (other.lineno, other.col_offset)


def drawn(number: int, seed: int) -> list[Change]:
    """Changes at random: each place of the two areas has the same chance."""
    draw = random.Random(seed)
    paths = [path for area in AREAS for path in sorted((ROOT / "lib" / "customerlab" / area).rglob("*.py"))]
    return draw.sample([change for path in paths for change in changes(path, draw)], number)


def copied(folder: Path) -> Path:
    """A copy of the project to change: what git knows of, and what is new."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def run_tests(project: Path, *words: str, seconds: int | None = None) -> subprocess.CompletedProcess[str]:
    """Pytest in a copy of the project, on the library that is in it."""
    environment = os.environ | {"PYTHONPATH": str(project / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=few", *words]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=seconds)


def measured(project: Path) -> dict[str, dict[int, list[str]]]:
    """The tests that execute each line of each module, those first that execute the fewest lines in all.

    What is executed when a module is imported has no test of its own, and is executed by all of the module's tests.
    """
    spread = ["-n", "auto", "--dist", "loadscope", "--cov=customerlab", "--cov-context=test", "--cov-report="]
    done = run_tests(project, *TESTS, "-m", "not thorough", *spread)
    if done.returncode:
        raise SystemExit(f"the tests fail where nothing is changed\n{done.stdout[-3000:]}")
    data = CoverageData(str(project / ".coverage"))
    data.read()
    weight: Counter[str] = Counter()
    by_path: dict[str, dict[int, set[str]]] = {}
    for path in data.measured_files():
        by_line = data.contexts_by_lineno(path)
        tests = {line: {text.rpartition("|")[0] for text in texts} - {""} for line, texts in by_line.items()}
        everyone = set().union(*tests.values())
        by_path[Path(path).relative_to(project).as_posix()] = {line: own or everyone for line, own in tests.items()}
        weight.update(test for own in tests.values() for test in own)
    ordered = lambda own: sorted(own, key=lambda test: (weight[test], test))  # noqa: E731
    return {path: {line: ordered(own) for line, own in lines.items()} for path, lines in by_path.items()}


def survives(change: Change, tests: list[str], project: Path) -> str:
    """How a change survives the tests that execute it; an empty text says that one of them fails."""
    if not tests:
        return "no test executes it"
    path, listed = project / change.path, project / "tests.txt"
    whole = path.read_text(encoding="utf-8")
    path.write_text(change.made(whole), encoding="utf-8")
    listed.write_text("\n".join(tests), encoding="utf-8")
    ends = ["-o", f"faulthandler_timeout={SECONDS}", "-o", "faulthandler_exit_on_timeout=true"]
    try:
        done = run_tests(project, "-x", *ends, f"@{listed}", seconds=LIMIT)
    except subprocess.TimeoutExpired:
        return f"its {len(tests)} tests had not ended after {LIMIT} s"
    finally:
        path.write_text(whole, encoding="utf-8")
    if done.returncode == 4:
        raise SystemExit(f"pytest could not be called\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return f"its {len(tests)} tests pass" if done.returncode == 0 else ""


def main() -> None:
    """Draw changes and print which are found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=60)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    chosen, survivors = drawn(given.number, given.seed), 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        free: SimpleQueue[Path] = SimpleQueue()
        for place in range(given.jobs):
            free.put(copied(Path(folder) / str(place)))
        project = free.get()
        executed_by = measured(project)
        free.put(project)

        def tried(change: Change) -> str:
            by_line = executed_by.get(change.path, {})
            tests = dict.fromkeys(test for line in change.lines for test in by_line.get(line, []))
            project = free.get()
            try:
                return survives(change, list(tests), project)
            finally:
                free.put(project)

        for change, how in zip(chosen, pool.map(tried, chosen), strict=True):
            survivors += bool(how)
            print(f"{f'SURVIVED ({how})' if how else 'found'}  {change.shown()}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} changes (seed {given.seed}) are found")


if __name__ == "__main__":
    main()
