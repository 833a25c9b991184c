"""Text, and the one way in which it becomes Markdown or HTML.

All that notebooks show is text: sentences, captions, cells of tables. Names that come from data stand in it as they
are, and nothing escapes them where they are written into a sentence. What shows a text gives all of it to `text`.
"""

import re
import unicodedata
from html import escape

LONGEST = 3000  # signs of a sentence or a cell
WORD = 120  # signs without a blank; more are no word that anybody reads

# What Markdown, HTML or MathJax read wherever it stands, what makes a link of an address, and what begins a block.
READ = re.compile(r"^#|^[-+=](?=[-=\s]|$)|^\d+[.)](?=\s|$)|[<>&*_\[\]`~|@$\\]|:(?=//)|(?<=www)\.", re.IGNORECASE)
BLANKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# Signs that take no room, or the room of a blank, and that Unicode does not call control or format signs.
UNSEEN = set("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
JOINERS = "\u200c\u200d"  # within words of some scripts, and within emoji


class Led(str):
    """A sentence whose first words, `lead`, are shown in bold.

    Examples
    --------
    >>> Led("Roll out b", ": spend is higher.")
    'Roll out b: spend is higher.'
    """

    lead: str

    def __new__(cls, lead: str, rest: str = "") -> "Led":
        """Put the sentence together."""
        sentence = super().__new__(cls, lead + rest)
        sentence.lead = lead
        return sentence


def visible(value: object) -> str:
    r"""A text in which signs that nobody sees, or that turn the direction of others, are written as escapes.

    Line ends and tabs stay; so do joiners between signs of the scripts that have them.

    Examples
    --------
    >>> print(visible("red \x1b[31m, \u202etfel, zero\u200bwidth"))
    red \x1b[31m, \u202etfel, zero\u200bwidth
    """
    found = str(value)
    odd = {sign for sign in set(found) if sign not in "\t\n\r" and (sign in UNSEEN or not sign.isprintable())}
    if not odd:
        return found
    return "".join(
        escaped(sign) if sign in odd and not _seen(found, place) else sign for place, sign in enumerate(found)
    )


def _seen(found: str, place: int) -> bool:
    """Whether a sign that Python would not print is to be seen: a kind of blank, one of a newer script, a joiner."""
    sign, around = found[place], found[max(place - 1, 0) : place + 2 : 2]
    if sign in JOINERS:
        return len(around) == 2 and all(ord(one) > 0x2FF and one not in JOINERS for one in around)
    return sign not in UNSEEN and unicodedata.category(sign) in ("Zs", "Cn", "Co")


def escaped(sign: str) -> str:
    """A sign by its number, as Python writes it."""
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def line(value: object) -> str:
    """A text as one line that can be read: visible, line ends as blanks, what is absurdly long cut with a sign.

    Examples
    --------
    >>> line("two\\nlines"), len(line("x" * 5000))
    ('two lines', 120)
    """
    found = BLANKS.sub(" ", str(value))
    found = re.sub(rf"(\S{{{WORD - 1}}})\S{{2,}}", r"\1…", found)
    return visible(found if len(found) <= LONGEST else found[: LONGEST - 1] + "…")


def text(value: object) -> str:
    """Any text as Markdown and as HTML that show it as it stands: no element, link, formula or list is made of it.

    The dollar and the backslash get an element of their own, for MathJax looks at a page after Markdown has made it,
    and reads what stands between two of them in one run of text.

    Examples
    --------
    >>> text("**b** <img src=x> [x](javascript:1)")
    '&#42;&#42;b&#42;&#42; &lt;img src=x&gt; &#91;x&#93;(javascript:1)'
    >>> text("1. $x http://a.b"), text(Led("Roll out b*", ": more."))
    ('1&#46; <span>&#36;</span>x http&#58;//a.b', '<strong>Roll out b&#42;</strong>: more.')
    """
    if isinstance(value, Led):
        return f"<strong>{text(value.lead)}</strong>{READ.sub(_entity, line(value[len(value.lead) :]))}"
    return READ.sub(_entity, line(value).strip())


def _entity(found: re.Match[str]) -> str:
    digits, sign = found[0][:-1], found[0][-1]
    entity = escape(sign) if sign in "<>&" else f"&#{ord(sign)};"
    return f"<span>{entity}</span>" if sign in "$\\" else digits + entity
