"""The order of a page: what a notebook found comes first, what made it last, and nothing is lost."""

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from customerlab.wording import text
from customerlab.workbench import display, glossary, layout, site
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
            new_markdown_cell("## Limitations\n\n- none"),
            listed("not a finding"),
        ]
    )


def test_the_page_begins_with_whose_data_and_at_most_five_results():
    sentences = [f"result {n}" for n in range(7)]
    notebook = a_notebook(*sentences)
    assert layout.findings(notebook) == sentences
    first, second, third, *_ = layout.arranged(notebook, TABLES).cells
    assert first.source == "# A title" and third.source == "## About this page\n\nA question?"
    assert second.source.startswith(
        "**Data:** A &#42;shop&#42; (transactions: 12,000 rows, 2024-01-01 to 2024-12-31; returns: 3 rows); "
        "Films (ratings: 9 rows).\n\n## Key results\n\n- result 0\n- result 1\n"
    )
    assert "- result 4\n\n" in second.source and "result 5" not in second.source


def test_a_text_that_needs_a_table_stands_only_where_the_table_was_opened():
    ends = [
        new_markdown_cell("## Limitations\n\n- of all"),
        new_markdown_cell("- of orders", metadata={"tags": ["needs-transactions"]}),
    ]
    notebook = new_notebook(cells=[new_markdown_cell("# T"), listed("x"), *ends])
    for tables, told in (
        ({"transactions": TABLES["transactions"]}, True),
        ({"ratings": TABLES["ratings"]}, False),
        ({}, True),
    ):
        texts = [cell.source for cell in layout.arranged(notebook, tables).cells]
        assert ("- of orders" in texts) == told and "## Limitations\n\n- of all" in texts


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

    assert code(cell for cell in page.cells if cell.id != "headline") == code(executed.cells)
    words = {paragraph for cell in page.cells for paragraph in cell.source.split("\n\n")}
    assert all(set(cell.source.split("\n\n")) <= words for cell in executed.cells if cell.cell_type == "markdown")
    assert nbformat.read(notebook.path, as_version=4) == executed, "what was executed stays as it is"


def figure(**more):
    about = {"alt": "a", "caption": "c", "width": 5} | more
    return new_code_cell(
        "show(…)", outputs=[new_output("display_data", {"image/png": "AAAA"}, metadata={"image/png": about})]
    )


def test_the_marked_figure_stands_below_the_results_too_with_its_number():
    notebook = a_notebook("one")
    notebook.cells[5:5] = [figure(), figure(headline=True), figure(headline=True)]
    cells = layout.arranged(notebook, TABLES).cells
    assert [cell.id for cell in cells[1:3]] == ["lead", "headline"]
    assert cells[2].source == "" and cells[2].outputs[0].metadata["image/png"]["number"] == 2
    assert [cell.outputs[0].metadata["image/png"].get("number") for cell in cells if cell.source == "show(…)"] == [
        None
    ] * 3
    assert layout.headline(a_notebook("one").cells) is None


def test_a_notebook_without_findings_and_sections_has_a_page():
    page = layout.arranged(new_notebook(cells=[new_markdown_cell("# T"), listed("x")]), {})
    assert [cell.source for cell in page.cells] == ["# T", "findings(…)", "## Reproducibility"]


GLOSSARY = """# Glossary

| term | meaning |
| --- | --- |
| net revenue, gross revenue | Money. |
| sample ratio mismatch (SRM) | Broken. |
| revenue | All of it. |
| arm | A variant. |
"""


def test_the_first_use_of_a_term_is_linked_and_nothing_else(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "glossary.md").write_text(GLOSSARY)
    text, anchors = glossary.read(tmp_path)
    assert '| <span id="sample-ratio-mismatch-srm">sample ratio mismatch (SRM)</span> | Broken. |' in text
    told = "## Net revenue\n\n`net revenue` and Net revenues, net revenue, [revenue](x), prerevenue, revenue, SRM, srm, arm"
    cells = [new_markdown_cell(told), new_code_cell("revenue"), new_markdown_cell("sample ratio mismatch; revenue")]
    page = glossary.linked(new_notebook(cells=cells), anchors)
    first, code, last = (cell.source for cell in page.cells)
    assert first == (
        "## Net revenue\n\n`net revenue` and [Net revenues](glossary.html#net-revenue-gross-revenue), net revenue, "
        "[revenue](x), prerevenue, [revenue](glossary.html#revenue), [SRM](glossary.html#sample-ratio-mismatch-srm), srm, arm"
    )
    assert (code, last) == ("revenue", "sample ratio mismatch; revenue")
    assert glossary.read(tmp_path / "nowhere") == ("", {})


def outputs_of(monkeypatch, call):
    shown = []
    monkeypatch.setattr(display, "display", lambda data, **more: shown.append((getattr(data, "data", data), more)))
    call()
    return shown


def test_what_is_marked_in_a_notebook_reaches_the_page(monkeypatch):
    table = pd.DataFrame({"a": range(9), "b": range(9)})
    (_, more), (_, whole) = outputs_of(
        monkeypatch, lambda: (display.show(table, "t", fold=4), display.show(table, "t", fold=9))
    )
    assert more["metadata"] == {"text/html": {"fold": 4}} and whole["metadata"] == {}, "nothing would be folded away"
    ((said, _),) = outputs_of(monkeypatch, lambda: display.findings("a", "b", section="3 Segments of *all*"))
    assert said == "- a ([3](#3-Segments-of-*all*))\n- b ([3](#3-Segments-of-*all*))"
    assert outputs_of(monkeypatch, lambda: display.findings()) == []


def test_a_folded_table_keeps_all_of_its_rows():
    html = display.as_html(*[pd.DataFrame({"a": ["x", "y", "z"], "b": [1, 2, 3]})] * 2, "t")
    page = site.framed(html, 1, 2)
    assert "<summary>All 3 rows</summary>" in page and page.count('<tr class="rest">') == 1
    assert page.count('<th scope="row">') == 3 and site.framed(html, 1).count("rest") == 0


def test_the_front_page_begins_with_what_was_found_not_with_whose_data_it_is():
    whose = {"ratings": "These data are *another* shop's."}
    notebook = a_notebook(text(whose["ratings"]), "**Use x** ([2](#2-Error))", "more")
    terms = {"more": "more", "Use": "use"}
    first, others = site._findings(notebook, "06.html", whose, terms)
    assert 'href="glossary.html' not in others and terms == {"more": "more", "Use": "use"}
    assert "<strong>Use x</strong>" in first and 'href="06.html#2-Error"' in first
    assert "another" not in first + others and "more" in others
