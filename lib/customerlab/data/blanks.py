"""Blanks of every kind, and signs that cannot be seen: around texts they are nothing, in ids they tell nobody apart."""

import re

import ibis
import ibis.expr.types as ir

# Blanks of every kind, and signs that take no place at all: zero-width ones, marks of direction, the soft hyphen.
BLANKS = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
UNSEEN = "\x7f\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
ODD = f"[{BLANKS}{UNSEEN}]"
ENDS = f"^{ODD}|{ODD}$|^$"
# An id in which one of these stands, or that begins or ends with a blank, or ends as 17850.0 does.
ODD_ID = r"^ | $|[^ -~]|\d[.,]0$"


@ibis.udf.scalar.builtin(name="~~~", signature=(("string", "string"), "boolean"))
def _glob(text, pattern):  # type: ignore[no-untyped-def]
    """DuckDB's GLOB as a function, ten times as fast as a regular expression; it compares bytes."""


def odd_id(text: ir.StringValue) -> ir.BooleanValue:
    """Whether an id is as `ODD_ID` says; in DuckDB regular expressions are asked of the few that end in a zero."""
    if text.get_backend().name != "duckdb":
        return text.re_search(ODD_ID)
    tenth = (text.endswith(".0") | text.endswith(",0")) & text.re_search(r"\d..$")
    return _glob(text, "*[! -~]*") | text.startswith(" ") | text.endswith(" ") | tenth


def padded(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text has blanks or unseen signs around it, or is empty: asking is quick where both ends are ASCII."""
    if text.get_backend().name == "duckdb":
        beyond = (text == "") | _glob(text, "[!!-~]*") | _glob(text, "*[!!-~]")
    else:
        beyond = ~text.ascii_str().between(33, 126) | ~text.right(1).ascii_str().between(33, 126)
    return beyond & text.re_search(ENDS)


def in_ascii(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text has blanks of ASCII around it, or is empty."""
    return (text.ascii_str() <= 32) | (text.right(1).ascii_str() <= 32)


def stripped(text: ir.StringValue) -> ir.StringValue:
    """A text without blanks of any kind and unseen signs around it."""
    return text.re_replace(f"^{ODD}+|{ODD}+$", "")


def tidied(text: ir.StringValue) -> ir.StringValue:
    """A text with single blanks of the usual kind between its words, none around it, and no unseen signs."""
    return text.re_replace(f"[{UNSEEN}]", "").re_replace(f"[{BLANKS}]+", " ").strip()


def bare(text: ir.StringValue, words: tuple[str, ...] = ()) -> ir.StringValue:
    """A text without the blanks around it, which are never meant; NULL where nothing or one of the words is left."""
    inner = stripped(text)
    left = ibis.cases((~inner.re_search(_nothing(words)), inner))
    return ibis.cases(
        (padded(text), left), (_short(text, words) & text.re_search(_nothing(words)), ibis.null("string")), else_=text
    )


def exact(text: ir.StringValue, words: tuple[str, ...] = ()) -> ir.StringValue:
    """An id as it stands, with the blanks around it; NULL where there is nothing else, or one of the words."""
    ascii_ = text.ascii_str().between(33, 126)
    return ibis.cases(
        (ascii_ & ~_short(text, words), text),
        ((ascii_ | ~text.re_search(ENDS)) & ~text.re_search(_nothing(words)), text),
        (~stripped(text).re_search(_nothing(words)), text),
    )  # fmt: skip


def _short(text: ir.StringValue, words: tuple[str, ...]) -> ir.BooleanValue:
    """Whether a text may be one of some words: DuckDB makes a join of a list of them, which costs more."""
    return text.length() <= max(map(len, words), default=0)


def _nothing(words: tuple[str, ...]) -> str:
    return f"^({'|'.join(map(re.escape, words))})?$"


def alike(text: ir.StringValue) -> ir.StringValue:
    """An id as people read it: tidied, and without the ``.0`` that a program has put behind a number."""
    seen = text.re_replace(f"[{UNSEEN}]", "").re_replace(f"[{BLANKS}]", " ").strip()
    return ibis.cases((seen.re_search(r"^\d+[.,]0$"), seen.re_replace("[.,]0$", "")), else_=seen)


def on_duckdb(value: ir.Value) -> bool:
    """Whether a column is DuckDB's."""
    return bool(value.get_backend().name == "duckdb")
