"""From text to numbers and times: what cannot be read is NULL here, and is then named by file, row and column."""

import re

import ibis
import ibis.expr.types as ir

from customerlab.data import read
from customerlab.data.catalog import Mapped, Source
from customerlab.data.tables import EARLIEST, LATEST, is_id
from customerlab.errors import DataError, shown

EPOCHS = (-2_208_988_800, 4_102_444_800)  # EARLIEST and LATEST in seconds since 1970
MOST_SHOWN = 40  # signs; what cannot be read as a number or a day and is longer is a text, and maybe somebody's


def cast(text: ir.Table, mapped: Mapped, kind: str, source: Source, *, exact: bool = False) -> ir.Value:
    """One mapped column cast to its canonical type; NULL where it is empty or cannot be read.

    Parameters
    ----------
    text : ibis Table
        What `read.read_text` gives.
    mapped : Mapped
        Where the column comes from.
    kind : str
        The Ibis type: ``string``, ``float64`` or ``timestamp(6)``.
    source : Source
        Its signs for decimals and thousands.
    exact : bool
        Keep blanks and tabs around a text, as those of an id, by which the shop knows a customer.
    """
    if mapped.column is None:
        return _row_number(text, source)
    # An unbreakable or stray blank around a value is never meant, but for an id, which goes back to the shop.
    value = text[mapped.column].strip().nullif("")
    if exact:
        return ibis.cases((value.notnull(), text[mapped.column]))
    if kind == "string":
        return value
    return _time(value, mapped.format, kind) if kind.startswith("timestamp") else _number(value, source)


def check_ids(text: ir.Table, columns: dict[str, Mapped]) -> None:
    """Raise where two ids of a column differ only by the blanks around them: one customer, or two, nobody can say."""
    ids = {name: text[mapped.column] for name, mapped in columns.items() if is_id(name) and mapped.column}
    if not ids:
        return
    padded = text.aggregate(**{name: (value != value.strip()).any() for name, value in ids.items()}).execute().iloc[0]
    for name in (name for name in ids if padded[name]):
        each = text.select(id=ids[name], bare=ids[name].strip()).distinct()
        twice = each.group_by("bare").aggregate(forms=each.count()).filter(lambda t: (t.forms > 1) & (t.bare != ""))
        found = twice.order_by("bare").limit(1).to_pandas()
        if len(found):
            padded_rows = text.filter((ids[name].strip() == found["bare"][0]) & (ids[name] != found["bare"][0]))
            raise DataError(
                f"two values of {name} differ only by the blanks around them",
                where=read.place(read.first_row(padded_rows), columns[name].column),
                expected="one way of writing each id; ids are kept as they are, with blanks and tabs around them",
                do="write the id in one way throughout the files",
            )


def _row_number(text: ir.Table, source: Source) -> ir.Value:
    """An id for a row that has none, such as ``row 17``: a bare 17 would be some customer's in another table."""
    number = ibis.literal("row ") + text[read.ROW].cast("string")
    many = any("*" in form.path for form in source.forms)  # each file counts from 1
    return number + " of " + text[read.FILE] if many else number


def _time(value: ir.StringValue, pattern: str | None, kind: str) -> ir.Value:
    if pattern == "epoch":
        seconds = value.try_cast("int64")
        return ibis.cases((seconds.between(*EPOCHS), seconds.as_timestamp("s").cast(kind)))
    moment = (_try_strptime(value, ibis.literal(pattern)) if pattern else value.try_cast(kind)).cast(kind)
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


def _number(value: ir.StringValue, source: Source) -> ir.Value:
    plain = value.replace(source.thousands, "") if source.thousands else value
    number = plain.replace(source.decimal, ".").try_cast("float64")
    read_as_meant = value.re_search(number_pattern(source.decimal, source.thousands)) & ~number.isinf()
    return ibis.cases((read_as_meant, number))


def _bad(text: ir.Table, value: ir.Value, mapped: Mapped) -> ir.BooleanValue:
    assert mapped.column is not None
    return value.isnull() & text[mapped.column].strip().nullif("").notnull()


def unread(text: ir.Table, values: dict[str, ir.Value], columns: dict[str, Mapped]) -> list[str]:
    """The names of the casts in `values` that are NULL where their column of the file is not; one pass finds all."""
    bad = {name: _bad(text, value, columns[name]).any() for name, value in values.items() if columns[name].column}
    found = text.aggregate(**bad).execute().iloc[0] if bad else {}
    return [name for name in bad if found[name]]


def unreadable_values(
    text: ir.Table, value: ir.Value, mapped: Mapped, name: str, kind: str, source: Source
) -> DataError:
    """The error for a column that is not read in full; it names the first value, where it stands and how many more."""
    assert mapped.column is not None
    bad = text.filter(_bad(text, value, mapped))
    count = int(bad.count().execute())
    first = read.first_row(bad)
    if kind.startswith("timestamp"):
        expected, do = _about_times(text, mapped, kind, source)
    else:
        groups = f" and thousands sign {source.thousands!r} between groups of three digits" if source.thousands else ""
        expected = f"numbers with decimal sign {source.decimal!r}{groups}"
        do = "mend the row, or set `decimal` and `thousands` of the file in data/catalog.yml"
    more = f" and {count - 1:,} more like it" if count > 1 else ""
    return DataError(
        f"{_found(first[mapped.column])} cannot be read as {name}{more}",
        where=read.place(first, mapped.column),
        expected=expected,
        do=do,
    )


def _found(value: str) -> str:
    """What cannot be read: in quotes, unless it is an address or another text that belongs to a person."""
    return f"a text of {len(value)} signs" if "@" in value or len(value) > MOST_SHOWN else shown(value)


def _about_times(text: ir.Table, mapped: Mapped, kind: str, source: Source) -> tuple[str, str]:
    form = {None: "dates of the form 2024-12-31 23:59:59", "epoch": "seconds since 1970"}.get(
        mapped.format, f"dates of the form {mapped.format}"
    )
    expected = f"{form}, from {EARLIEST} to {LATEST}"
    signs = "(data/README.md lists the signs)"
    if mapped.format is None:
        return expected, f"mend the row, or add the `format` of the dates to the column map {signs}"
    bare = Mapped(mapped.column)
    if not unread(text, {"when": cast(text, bare, kind, source)}, {"when": bare}):
        return expected, "remove `format` from the column map: all values of this column are read without one"
    return expected, f"mend the row, or the `format` in the column map {signs}"
