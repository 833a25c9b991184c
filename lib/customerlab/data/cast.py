"""From values as they are found to numbers and times: what cannot be read is NULL here, and is named afterwards."""

import re

import ibis
import ibis.expr.types as ir

from customerlab.data.sources import Source
from customerlab.data.tables import EARLIEST, LATEST

EPOCHS = (-2_208_988_800, 4_102_444_800)  # EARLIEST and LATEST in seconds since 1970
BLANK = 32  # the last sign of ASCII that may be stripped


def cast(value: ir.Value, kind: str, source: Source, pattern: str | None = None) -> ir.Value:
    """A column cast to ``string``, ``float64`` or ``timestamp(6)``; NULL where it is empty or cannot be read.

    Texts come without blanks around them, but for ids. `pattern` is the format of dates.
    """
    if kind == "string":
        return as_text(value, source.decimal)
    return _time(value, pattern, kind, source) if kind.startswith("timestamp") else _number(value, source)


def padded(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text may have blanks around it, or is empty: stripping is slow, and hardly any text needs it."""
    return (text.ascii_str() <= BLANK) | (text.right(1).ascii_str() <= BLANK)


def bare(text: ir.StringValue) -> ir.StringValue:
    """A text without the blanks around it, which are never meant; NULL where nothing is left."""
    return ibis.cases((padded(text), text.strip().nullif("")), else_=text)


def plain(value: ir.Value) -> ir.Value:
    """A value of any type as it is, but for the blanks around a text."""
    return bare(value) if value.type().is_string() else value


def exact(text: ir.StringValue) -> ir.StringValue:
    """An id as it stands, with the blanks around it; NULL where there is nothing else."""
    return ibis.cases((text.ascii_str() > BLANK, text), (text.strip() != "", text))


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
    whole = (value.abs() < 2.0**53) & (value == value.floor())
    return ibis.cases(
        (~there(value), ibis.null("string")), (whole, value.try_cast("int64").cast("string")),
        else_=text.replace(".", decimal),
    )  # fmt: skip


def _time(value: ir.Value, pattern: str | None, kind: str, source: Source) -> ir.Value:
    found = value.type()
    if pattern == "epoch":
        seconds = as_text(value, source.decimal).try_cast("int64")
        return ibis.cases((seconds.between(*EPOCHS), seconds.as_timestamp("s").cast(kind)))
    if pattern:
        moment = _try_strptime(as_text(value, source.decimal), ibis.literal(pattern)).cast(kind)
    elif found.is_timestamp():
        moment = value if found.scale in (None, 6) else value.cast(kind)
    else:
        moment = (value if found.is_date() else as_text(value, source.decimal)).try_cast(kind)
    return ibis.cases((moment.between(ibis.timestamp(EARLIEST), ibis.timestamp(LATEST)), moment))


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), "timestamp(6)"))
def _try_strptime(value, pattern):  # type: ignore[no-untyped-def]
    """DuckDB's own: NULL where the text does not follow the pattern."""


def number_pattern(decimal: str, thousands: str | None) -> str:
    """The regular expression of a number: thousands signs between groups of three digits throughout, or none at all.

    Examples
    --------
    >>> pattern = number_pattern(",", ".")
    >>> [text for text in ("1.234.567,5", "1234567,5", "12.50", "1.2345", "1234.567") if re.search(pattern, text)]
    ['1.234.567,5', '1234567,5']
    """
    point = re.escape(decimal)
    forms = [rf"(\d+({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"]
    if thousands:
        forms.append(rf"\d{{1,3}}({re.escape(thousands)}\d{{3}})+({point}\d*)?")
    return rf"^[+-]?({'|'.join(forms)})$"


def _number(value: ir.Value, source: Source) -> ir.Value:
    found = value.type()
    if found.is_numeric() or found.is_boolean():
        # by way of the shortest text where a cast would show digits that nobody wrote
        whole = "int64" if found.is_boolean() else "string" if found.is_float32() or found.is_decimal() else found
        number = value.cast(whole).try_cast("float64")
        return ibis.cases((~(number.isnan() | number.isinf()), number))
    value = as_text(value, source.decimal)
    plain = value.replace(source.thousands, "") if source.thousands else value
    number = (plain.replace(source.decimal, ".") if source.decimal != "." else plain).try_cast("float64")
    read_as_meant = value.re_search(number_pattern(source.decimal, source.thousands)) & ~number.isinf()
    return ibis.cases((read_as_meant, number))
