"""The order of a page: what a notebook found comes first, what made it last, and nothing is lost."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from customerlab.workbench import layout
from helpers import own_notebooks

TABLES = {
    "transactions": {"title": "A *shop*", "rows": 12_000, "days": ["2024-01-01", "2024-12-31"]},
    "ratings": {"title": "Films", "rows": 9, "days": []},
    "returns": {"title": "A *shop*", "rows": 3},
}


def listed(*sentences):
    text = "\n".join(f"- {sentence}" for sentence in sentences)
    return new_code_cell("findings(…)", outputs=[new_output("display_data", {"text/markdown": text})])


def a_notebook(*sentences):
    return new_notebook(
        cells=[
            new_markdown_cell("# A title\n\nA question?\n\n**Reads** a table. **Writes** nothing."),
            new_code_cell("import pandas"),
            new_code_cell("n: int = 1", metadata={"tags": ["parameters"]}),
            new_markdown_cell("## 1 A section"),
            listed("in a section"),
            new_markdown_cell("## Findings"),
            listed(*sentences[:1]),
            listed(*sentences[1:]),
            new_markdown_cell("## Limits\n\n- none"),
            listed("not a finding"),
        ]
    )


def test_the_page_begins_with_whose_data_and_at_most_five_results():
    sentences = [f"result {n}" for n in range(7)]
    notebook = a_notebook(*sentences)
    assert layout.findings(notebook) == sentences
    first, second, *_ = layout.arranged(notebook, TABLES).cells
    assert first.source == "# A title\n\nA question?"
    assert second.source.startswith(
        "**Data:** A &#42;shop&#42; (transactions: 12,000 rows, 2024-01-01 to 2024-12-31; returns: 3 rows); "
        "Films (ratings: 9 rows).\n\n## Key results\n\n- result 0\n- result 1\n"
    )
    assert "- result 4\n\n" in second.source and "result 5" not in second.source


def test_the_same_notebook_gives_the_same_page():
    executed = a_notebook("one")
    assert layout.arranged(executed, TABLES) == layout.arranged(executed, TABLES)


def test_what_made_the_page_is_at_its_end():
    cells = layout.arranged(a_notebook("one"), {}).cells
    last = [cell.source for cell in cells][-3:]
    assert last == ["## Reproducibility\n\n**Reads** a table. **Writes** nothing.", "import pandas", "n: int = 1"]


@pytest.mark.parametrize("notebook", own_notebooks(), ids=lambda n: n.name)
def test_no_cell_and_no_output_is_lost_and_a_page_repeats_only_its_results(notebook):
    executed = nbformat.read(notebook.path, as_version=4)
    page = layout.arranged(executed, TABLES)

    def code(cells):
        return sorted((cell.source, str(cell.outputs)) for cell in cells if cell.cell_type == "code")

    assert code(page.cells) == code(executed.cells)
    words = {paragraph for cell in page.cells for paragraph in cell.source.split("\n\n")}
    assert all(set(cell.source.split("\n\n")) <= words for cell in executed.cells if cell.cell_type == "markdown")
    assert nbformat.read(notebook.path, as_version=4) == executed, "what was executed stays as it is"


def test_a_notebook_without_findings_and_sections_has_a_page():
    page = layout.arranged(new_notebook(cells=[new_markdown_cell("# T"), listed("x")]), {})
    assert [cell.source for cell in page.cells] == ["# T", "findings(…)", "## Reproducibility"]
