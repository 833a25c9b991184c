"""What has to be true of a committed notebook, said once, for the tests of the notebooks and the tests of the tests."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

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
    for heading in ("## Findings", "## Limits"):
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
