"""From values as they are found to texts, numbers and times: what cannot be read is NULL here, and is named afterwards.

`held` is what stands in a cell, `cast` what it means; numbers are read in `numbers`, times in `times`.
"""

import re

import ibis
import ibis.expr.types as ir

from customerlab.data import blanks, numbers, times
from customerlab.data.mapping import Mapped
from customerlab.data.sources import Source
from customerlab.data.tables import is_id
from customerlab.data.values import EMPTY, nothing

PLAIN = Mapped(None)


def cast(value: ir.Value, kind: str, source: Source, how: Mapped = PLAIN) -> ir.Value:
    """What stands in a column as ``string``, ``float64``, ``boolean`` or ``timestamp(6)``; NULL where it is none."""
    if kind == "string":
        return _level(value, source, how) if how.kind else as_text(value, source.decimal)
    if kind == "boolean":
        return _answer(as_text(value, source.decimal), source, how)
    if kind.startswith("timestamp"):
        return times.read(value, as_text(value, source.decimal), how, source).cast(kind)
    if how.answers and how.levels:
        return _answer(as_text(value, source.decimal), source, how).cast("int64").cast(kind)
    return numbers.read(value, as_text(value, source.decimal), source, answers=how.answers)


def _level(value: ir.Value, source: Source, how: Mapped) -> ir.StringValue:
    """A declared attribute as one of its levels; an ordered one without levels as a number, 3 for 3.0."""
    text = as_text(value, source.decimal)
    if how.levels:
        return ibis.cases((text.isin(how.levels), text))
    if how.kind != "ordered":
        return text
    point = re.escape(source.decimal)
    plain = text.replace(source.decimal, ".") if source.decimal != "." else text
    return ibis.cases((text.re_search(rf"^-?\d+({point}\d+)?$"), plain.re_replace(r"\.0+$", "")))


def _answer(text: ir.StringValue, source: Source, how: Mapped) -> ir.BooleanValue:
    """Words for yes and no, the attribute's own or the usual ones, and 1 and 0."""
    if how.levels:
        return ibis.cases((text == how.levels[0], False), (text == how.levels[1], True))
    no, yes = ([*words, f"{n}", f"{n}{source.decimal}0"] for n, words in enumerate((numbers.NO, numbers.YES)))
    return ibis.cases((text.lower().isin(no), False), (text.lower().isin(yes), True))


def held(value: ir.Value, name: str, kind: str, how: Mapped, source: Source) -> ir.Value:
    """What stands in a cell for the canonical column `name`: NULL where it is empty, or is a word for nothing.

    Texts come without the blanks around them, but for ids, and in the letter case that the column map asks for.
    """
    words = nothing(name, kind, how.empty, source.empty)
    if not value.type().is_string():
        given = [word for word in words if word not in EMPTY]
        return ibis.cases((~as_text(value, source.decimal).isin(given), value)) if given else value
    if kind != "string" and not source.loose and set(words) <= set(EMPTY):
        # such a word is no number and no time, so that what it means is asked where some are not read
        return ibis.cases((blanks.in_ascii(value), value.strip().nullif("")), else_=value)
    text = blanks.exact(value, words) if is_id(name) else blanks.bare(value, words)
    if how.case is None:
        return text
    return text.lower() if how.case == "lower" else text.upper()


def plain(value: ir.Value) -> ir.Value:
    """A value of any type as it is, but for the blanks around a text."""
    return blanks.bare(value) if value.type().is_string() else value


def whole(text: ir.StringValue, decimal: str) -> ir.StringValue:
    """An id of a column in which every one is like 17850.0: pandas writes ids so where some are missing."""
    return text.re_replace(f"{re.escape(decimal)}0$", "")


def there(value: ir.Value) -> ir.BooleanValue:
    """Whether a value is there. pandas writes NaN for none."""
    return value.notnull() & ~value.isnan() if value.type().is_floating() else value.notnull()


def as_text(value: ir.Value, decimal: str) -> ir.StringValue:
    """A column as text; numbers with the decimal sign of the file's texts, so that 12.5 is never taken for 125.

    Whole numbers are written without decimals: an id with gaps comes as 17850.0 from pandas.
    """
    kind = value.type()
    if kind.is_string():
        return value
    text = value.cast("string")
    if not (kind.is_floating() or kind.is_decimal()):
        return text
    round_ = (value.abs() < 2.0**53) & (value == value.floor())
    return ibis.cases(
        (~there(value), ibis.null("string")), (round_, value.try_cast("int64").cast("string")),
        else_=text.replace(".", decimal),
    )  # fmt: skip
