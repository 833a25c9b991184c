"""The project's words are the field's: what readers had to translate back is refused in all that they read."""

import ast
import json
import re
from collections.abc import Iterator

import pytest

from helpers import ROOT, own_notebooks

REFUSED = {
    r"\bsurely\b": "significantly, clearly",
    r"\bforetell": "predict",
    r"\btaken? back\b": "returned",
    r"\bfound again\b": "stable (bootstrap Jaccard)",
    r"\btells? (surely )?(more|less)\b": "predicts more",
    r"\bbeliefs?\b": "Bayesian analysis, prior",
    r"\bcr(y|ies) out\b": "rejects",
    r"\bnot to be told from\b": "inconclusive",
    r"\bhangs? on\b": "depends on",
    r"\bmend(s|ed)?\b": "fix",
    r"\bgreat spenders?\b": "outliers, high spenders",
    r"\b(row|revenue|orders|money|value) a (customer|order|product)\b|\bone row a unit\b": "per customer",
    r"\bin the median\b": "the median is",
    r"\bpredict(ed|ing)? stars\b": "rating prediction",
    r"\d %(?!})": "12%, without a blank",
    r"\bpercent points?\b": "percentage points",
    r"\bclear of (chance|zero)\b": "statistically significant",
    r"\bladder\b": "row accounting",
}  # fmt: skip


def of_code(source: str) -> Iterator[str]:
    """The texts of Python code: strings, and docstrings with what they explain."""
    for node in ast.walk(ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", source))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def of_notebook(path) -> Iterator[str]:
    """What is read in a notebook: its texts, those of its code, and its stored outputs."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        yield from of_code(source) if cell["cell_type"] == "code" else [source]
        if "parameters" in cell["metadata"].get("tags", []):
            yield source
        for output in cell.get("outputs", []):
            yield from ("".join(text) for kind, text in output.get("data", {}).items() if kind.startswith("text/"))
            yield from (
                str(text)
                for about in output.get("metadata", {}).values()
                if isinstance(about, dict)
                for text in about.values()
            )


TEXTS = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "lib" / "customerlab").rglob("*.py"))}
TEXTS |= {notebook.path.relative_to(ROOT).as_posix(): notebook.path for notebook in own_notebooks()}
TEXTS |= {
    path.relative_to(ROOT).as_posix(): path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.rglob("templates/site/*.j2")]
}
PAST = {"CHANGELOG.md"}  # says what things were called


@pytest.mark.parametrize(
    "name", [name for name in TEXTS if name not in PAST and not name.startswith((".", "outputs/demo"))]
)
def test_no_refused_word_is_read_anywhere(name):
    path = TEXTS[name]
    texts = (
        of_notebook(path)
        if path.suffix == ".ipynb"
        else of_code(path.read_text(encoding="utf-8"))
        if path.suffix == ".py"
        else [path.read_text(encoding="utf-8")]
    )
    found = [
        f"{text[max(0, hit.start() - 40) : hit.end() + 40]!r}: say {better}"
        for text in texts
        for word, better in REFUSED.items()
        for hit in re.finditer(word, text, re.IGNORECASE)
    ]
    assert found == []
