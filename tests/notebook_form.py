"""What has to be true of a committed notebook, said once, for the tests of the notebooks and the tests of the tests."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from helpers import as_read

# a path of one machine; a URL's path does not count
ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:home|root|Users|tmp|work|mnt|opt|usr|var|private)/|\b[A-Z]:\\\\")
UNSTABLE = re.compile(r"\b0x[0-9a-fA-F]{6,}\b|ipykernel_\d+|\d+%\|[█▏▎▍▌▋▊▉ ]*\|")


def faults(notebook: NotebookNode) -> Iterator[str]:
    """Everything that is wrong with a committed notebook."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield f"execution counts are {counts}"
    text = "\n".join(cell.source for cell in notebook.cells)
    if not notebook.cells[0].source.startswith("# ") or len(re.findall(r"(?m)^# ", "\n".join(markdown(notebook)))) != 1:
        yield "no single H1 in the first cell"
    for heading in ("## Findings", "## Limitations"):
        if heading not in text:
            yield f"no {heading}"
    if not re.search(r"(?m)^checks\(", code[-1].source):
        yield "the last code cell is not the checks"
    for cell in code:
        where = f"cell {cell.execution_count}"
        if cell.source.rstrip().endswith(";"):
            yield f"{where} is silenced"
        if (
            re.search(r"\b(show|findings|checks)\(", cell.source)
            and "import" not in cell.source.split("\n")[0]
            and not cell.outputs
            and not any(
                tag.startswith("needs-") for tag in cell.metadata.get("tags", [])
            )  # the demo may lack the table
        ):
            yield f"{where} shows something and has no output"
        for output in cell.outputs:
            yield from _output_faults(output, where)
    for match in {m.group(0) for m in ABSOLUTE.finditer(text)}:
        yield f"an absolute path: {match}"


def markdown(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def _output_faults(output: NotebookNode, where: str) -> Iterator[str]:
    if output.output_type in ("error", "stream"):
        yield f"{where} has an output of the kind {output.output_type}"
        return
    if output.output_type == "execute_result":
        yield f"{where} ends with a bare expression; show it with its caption"
    if "image/png" in output.data:
        metadata = output.metadata.get("image/png", {})
        if len(metadata.get("alt", "")) < 40:
            yield f"{where} has a figure without alt text"
        if len(metadata.get("caption", "")) < 20:
            yield f"{where} has a figure without a caption"
        if metadata.get("alt") != output.data.get("text/plain"):
            yield f"{where}: the alt text that is compared is not the one that is read"
    if "text/html" in output.data and "<caption>" not in output.data["text/html"]:
        yield f"{where} has a table without a caption"
    said = "\n".join(str(v) for k, v in output.data.items() if k.startswith("text/"))
    for pattern, name in ((ABSOLUTE, "an absolute path"), (UNSTABLE, "what differs from run to run")):
        if pattern.search(said):
            yield f"{where} holds {name}: {pattern.search(said).group(0)}"


# A number as pages write it, with what scales it; not the digits of a name such as P0226 or 85099B.
NUMBER = re.compile(r"(?<![\w.,])[+-]?(\d[\d,]*(?:\.\d+)?)(?![\d\w])(?:\s?(%|k\b|M\b))?")
SCALES = {"%": 0.01, "k": 1e3, "M": 1e6}


def unbacked(notebook: NotebookNode) -> Iterator[str]:
    """Every number in the findings that no figure, table or caption of the notebook has, to the digits that both show.

    A quantity that stands in a figure or a table and in a finding is one number: where the two differ, the finding's is
    met nowhere else. Numbers of one or two digits can be met by chance. Left out is what a sentence adds to a number:
    in brackets, intervals, p-values, and multiples (``1.9 times``), which are made of numbers that are shown.
    """
    shown: list[tuple[float, float, str]] = []
    said, heading = "", ""
    for cell in notebook.cells:
        heading = cell.source.partition("\n")[0] if cell.source.startswith("## ") else heading
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if heading == "## Findings" and "text/html" not in data and "image/png" not in data:
                said += as_read(data.get("text/markdown", "")) + "\n"
            else:
                shown += _numbers(data.get("text/plain", "") + as_read(data.get("text/markdown", "")))
    for line in said.splitlines():
        for value, half, unit in _numbers(ADDED.sub("", line)):
            # as exactly as the finding says it, or with fewer digits, but two at least
            exact = (abs(value - other) <= half for other, _, _ in shown)
            rounded = (abs(value - x) <= rough <= x / 9.9 for x, rough, same in shown if same == unit)
            if not any(exact) and not any(rounded):
                yield f"{value:g} in {line!r}"


ADDED = re.compile(
    r"\(\[\d+\]\(#[^()]*\)\)|\([^()]*\)|95\s?%( CI| interval)?|[-+\d.,]+%? to [-+\d.,]+%?|\bp [=<] [\d.]+|[\d.,]+ times"
)


def _numbers(text: str) -> Iterator[tuple[float, float, str]]:
    """The numbers in a text, half of the last digit of each, and the unit."""
    for digits, unit in NUMBER.findall(text):
        scale = SCALES.get(unit, 1)
        value = digits.rstrip(",").replace(",", "")
        yield float(value) * scale, 0.5001 * scale * 10.0 ** -len(value.partition(".")[2]), unit
