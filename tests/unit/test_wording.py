"""Text from data is text: whatever is in a name, Markdown and HTML show the name, and make nothing of it."""

import html
import re
import unicodedata

import pytest
from hypothesis import example, given, strategies as st
from nbconvert.filters import markdown2html

from customerlab.wording import LONGEST, Led, line, text, visible
from hostile import NAMES, Shown

SIGNS = st.text(st.sampled_from("ab1 .)(<>&\"'*_[]`~|@#$\\!-+=:/\n\t\x1b\u202e\u200b{}") | st.characters(), max_size=60)


def squeezed(value):
    return " ".join(value.split())


@given(SIGNS)
@example("- - -")
@example("1. one")
@example("# heading")
@example("www.a.b http://a.b a@b.c")
@example("\\(x\\) \\begin{a}$x$\\end{a}")
@example("<!-- --><![CDATA[x]]><?x?>&lt;&#60;")
def test_a_list_of_any_texts_has_no_element_of_theirs(value):
    for source in (
        str(markdown2html(f"- {text(value)}\n- plain")),
        f"<ul>\n<li>{text(value)}</li>\n<li>plain</li>\n</ul>",
    ):
        page = Shown(source)
        tags = [tag for tag in page.tags if tag != ("span", [])]
        assert tags == [("ul", []), ("li", []), ("li", [])]
        assert squeezed(page.seen) == squeezed(f"{line(value)} plain")
    # what MathJax looks for in a page: it reads each run of text by itself
    assert not re.search(r"\$.*\$|\\[(\[{b]", text(value)), "two dollars, or a backslash before something"


@given(SIGNS, SIGNS)
def test_the_lead_alone_is_bold(lead, rest):
    page = Shown(str(markdown2html(f"- {text(Led(lead, rest))}")))
    assert [tag for tag in page.tags if tag != ("span", [])] == [("ul", []), ("li", []), ("strong", [])]
    assert re.sub(r"\s", "", page.seen) == re.sub(r"\s", "", line(lead) + line(rest))


@given(SIGNS)
def test_nothing_that_is_seen_hides_or_turns_anything(value):
    found = line(value)
    assert not [sign for sign in found if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(found) & set("\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u3164")
    assert visible(found) == found, "it is done once"


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_the_hostile_shop_stand_as_they_are(name):
    page = Shown(str(markdown2html(f"- The arm {text(name)} is better.")))
    assert squeezed(page.seen) == squeezed(f"The arm {line(name)} is better.")


def test_names_are_seen_and_end():
    assert line("a\x1b[31m\x00b\u202ec") == r"a\x1b[31m\x00b\u202ec"
    assert line("می\u200cخواهم 👩\u200d👩 a\u200db") == "می\u200cخواهم 👩\u200d👩 a\\u200db", (
        "joiners in words of their scripts"
    )
    assert len(line("x" * 5000)) == 120 and len(line("x y " * 5000)) == LONGEST
    assert html.unescape(text("a\nb\r\nc\u2028d")) == "a b c d"
