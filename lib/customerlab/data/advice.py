"""What to write in the catalogue where values of a column cannot be read: found out by trying it on all of them.

Every message ends in the line of YAML that reads the values, where there is one.
"""

import dataclasses
import re

import ibis.expr.types as ir
import yaml

from customerlab.data import cast, money, read, times
from customerlab.data.hidden import NUMBER, TEXT
from customerlab.data.mapping import Mapped
from customerlab.data.sources import Source
from customerlab.data.tables import AS_READ, EARLIEST, LATEST, OUTCOME
from customerlab.data.values import NAMED
from customerlab.errors import DataError, shown

MOST_SHOWN = 40  # signs; what cannot be read as a number or a day and is longer is a text, and maybe somebody's
SIGNS = ((".", ","), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"), (".", None), (",", None))
KEYS = ("column", "columns", "kind", "levels", "format", "from_zone", "to_zone", "case", "empty")
# Shapes of a day, and the formats that may be meant; `-` stands for any of the signs between numbers.
DAYS = (
    (r"\d{4}-\d\d?-\d\d?", ("%Y-%m-%d", "%Y-%d-%m")),
    (r"\d\d?-\d\d?-\d{4}", ("%d-%m-%Y", "%m-%d-%Y")),
    (r"\d\d?-\d\d?-\d\d", ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d")),
    (r"\d{14}", ("%Y%m%d%H%M%S",)),
    (r"\d{8}", ("%Y%m%d", "%d%m%Y", "%m%d%Y")),
    (r"\d{4}-\d\d?", ("%Y-%m",)),
    (r"\d\d?-\d{4}", ("%m-%Y",)),
)


def unreadable(
    marked: ir.Table, bad: ir.Table, count: int, name: str, mapped: Mapped, source: Source, where: str
) -> DataError:
    """The error for a column of which `count` values are not read: the first of them, `where` it stands, what to write.

    Parameters
    ----------
    marked, bad : Table
        Every row, and those with a value that is there and not read.
    """
    first = read.first_row(bad)
    value, texts = first[TEXT + name], TEXT + name
    # in quotes, unless it is an address or another text that belongs to a person
    private = "@" in value or len(value) > MOST_SHOWN
    quoted = f"a text of {len(value)} signs" if private else shown(value)
    more = f" and {count - 1:,} more like it" if count > 1 else ""
    about = (
        _of_times
        if marked[name].type().is_timestamp()
        else _of_levels
        if mapped.kind and not (marked[name].type().is_floating())
        else _of_answers
        if mapped.answers and not name.startswith((OUTCOME, *AS_READ))
        else _of_numbers
    )
    expected, do = about(value, marked, texts, name, mapped, source)
    if not do and not private:
        do = f"fix the row; where {shown(value)} stands for nothing, write {_as_empty(value, name, mapped)}"
    meant = "a number" if name.startswith(NUMBER) else name
    return DataError(
        f"{quoted} cannot be read as {meant}{more}", where=where, expected=expected,
        do=do or "fix the row",
    )  # fmt: skip


def line(name: str, mapped: Mapped, **changed: object) -> str:
    """The line of a column map, with some of its keys changed.

    Examples
    --------
    >>> line("ordered_at", Mapped("Datum"), format="%d.%m.%Y")
    "`ordered_at: {column: Datum, format: '%d.%m.%Y'}`"
    """
    kept = {field.name: getattr(mapped, field.name) for field in dataclasses.fields(mapped)} | changed
    said = {
        key: list(one) if isinstance(one, tuple) else one
        for key in KEYS
        if (one := kept.get(key)) not in (None, ()) or (key == "empty" and one == ())
    }
    return f"`{name}: {yaml.safe_dump(said, default_flow_style=True, sort_keys=False, width=1_000, allow_unicode=True).strip()}`"


def _as_empty(value: str, name: str, mapped: Mapped) -> str:
    """The line that takes a value for nothing; outcomes and covariates are no mappings, so that their file says it."""
    words = [*(mapped.empty or ()), value]
    if name.startswith((OUTCOME, *AS_READ, NUMBER)):
        return (
            f"`empty: {yaml.safe_dump(words, default_flow_style=True, allow_unicode=True).strip()}` to the file's entry"
        )
    return line(name, mapped, empty=words)


def _of_numbers(value: str, marked: ir.Table, texts: str, name: str, mapped: Mapped, source: Source) -> tuple[str, str]:
    groups = f" and thousands sign {source.thousands!r} between groups of three digits" if source.thousands else ""
    most = f", below {money.LARGEST_AMOUNT:,}" if name == "amount" else ""
    expected = f"numbers with decimal sign {source.decimal!r}{groups}{most}"
    if "%" in value:
        return expected, "write the numbers without the percent sign: 12% may be 12 or 0.12, which only the shop knows"
    loose = [dataclasses.replace(source, decimal=d, thousands=t, loose=True) for d, t in SIGNS]
    asked = {str(n): cast.cast(marked[texts], "float64", form).count() for n, form in enumerate(loose)}
    row = marked.aggregate(all=marked[texts].count(), **asked).to_pandas().iloc[0]
    fits = [form for n, form in enumerate(loose) if row[str(n)] == row["all"]]
    # without a thousands sign where none is needed
    fits = [one for one in fits if one.thousands is None] or fits
    ways = list(dict.fromkeys(_signs(form) for form in fits))
    if not ways:
        return expected, ""
    several = "; which of them is right, only the shop knows" if ways[1:] else ""
    return (
        expected,
        f"write {' or '.join(ways)} to the file's entry in data/catalog.yml: all values are read so{several}",
    )


def _of_levels(value: str, marked: ir.Table, texts: str, name: str, mapped: Mapped, source: Source) -> tuple[str, str]:
    """What is expected of a declared attribute that has levels, or words for yes and no."""
    fix = f"fix the row, or take the text for nothing, {_as_empty(value, name, mapped)}"
    if mapped.kind == "yes_no":
        words = f"{mapped.levels[1]} or {mapped.levels[0]}" if mapped.levels else "true, yes or 1; or false, no or 0"
        own = "where the file has words of its own, name that for no and that for yes: `levels: [N, Y]`; else "
        return words, f"{own * (not mapped.levels)}{fix}"
    if mapped.kind == "ordered" and not mapped.levels:
        return (
            "a number, whose size is its place in the order",
            f"name the levels, the lowest first: `levels: [low, high]`; or {fix}",
        )
    return f"one of the levels: {', '.join(mapped.levels[:20])}", f"add it to `levels`; or {fix}"


def _of_answers(value: str, marked: ir.Table, texts: str, name: str, mapped: Mapped, source: Source) -> tuple[str, str]:
    """What is expected of a column of messages that says whether, or how often."""
    fix = f"fix the row, or take the text for nothing, {_as_empty(value, name, mapped)}"
    if mapped.levels:
        return f"{mapped.levels[1]} or {mapped.levels[0]}", fix
    _, do = _of_numbers(value, marked, texts, name, mapped, source)
    own = line(name, mapped, levels=("<the word for no>", "<the word for yes>"))
    return (
        "true, yes or 1; or false, no or 0; or how often",
        do or f"where the file has words of its own, name them: {own}; else {fix}",
    )


def _signs(form: Source) -> str:
    thousands = f", thousands: {form.thousands!r}" if form.thousands else ""
    return f"`decimal: {form.decimal!r}{thousands}`"


def _of_times(value: str, marked: ir.Table, texts: str, name: str, mapped: Mapped, source: Source) -> tuple[str, str]:
    own = mapped.format or "2024-12-31 23:59:59"
    form = NAMED.get(own, f"dates of the form {own}")
    expected = f"{form}, from {EARLIEST} to {LATEST}"
    if mapped.to_zone and (said := _about_zones(marked, texts, name, mapped, source)):
        return f"{expected}, in a zone", said
    ways = [way for way in (None, *formats(value)) if way != mapped.format]
    hows = {str(n): dataclasses.replace(mapped, format=way, from_zone=None, to_zone=None) for n, way in enumerate(ways)}
    read_by = {n: cast.cast(marked[texts], times.KIND, source, how).count() for n, how in hows.items()}
    row = marked.aggregate(all=marked[texts].count(), now=marked[name].count(), **read_by)
    counts = row.to_pandas().iloc[0]
    best = max((int(counts[n]) for n in hows), default=0)
    if best <= counts["now"] and best < counts["all"]:
        return expected, ""
    good = [how for n, how in hows.items() if counts[n] == best]
    # a day before its month, with the year in front, is a way to write that few have
    good = [how for how in good if not re.match("%Y[-/. ]%d", how.format or "")] or good
    if good[0].format is None:
        return expected, f"remove `format` from the column map: {line(name, mapped, format=None)} reads every value"
    lines = [line(name, mapped, format=how.format) for how in good]
    reads = "every value" if best == counts["all"] else f"{best:,} of {int(counts['all']):,} values; fix the others"
    if lines[1:]:
        return expected, f"write {' or '.join(lines)}: each reads {reads}, and which is right, only the shop knows"
    rest = [f"{how.format} reads {int(counts[n]):,}" for n, how in hows.items() if how.format and 0 < counts[n] < best]
    return expected, f"write {lines[0]}: it reads {reads}" + (f" ({', '.join(rest)})" if rest else "")


def _about_zones(marked: ir.Table, texts: str, name: str, mapped: Mapped, source: Source) -> str:
    """What to write where times are read but not converted; empty where they are not even read."""
    still = dataclasses.replace(mapped, from_zone=None, to_zone=None)
    clock = cast.cast(marked[texts], times.KIND, source, still)
    if marked.filter(clock.isnull() & marked[texts].notnull()).count().to_pandas():
        return ""
    if mapped.from_zone is None:
        return (
            f"say the zone of times that name none: {line(name, mapped, from_zone='UTC')} (or another zone); a zone that is "
            "named by letters, such as PST, cannot be converted"
        )
    return (
        f"the clocks of {mapped.from_zone} were set forward over this time, or it names another zone by letters: "
        "fix the row, or `from_zone` of the column map"
    )


def formats(value: str) -> list[str]:
    """The formats that a time without one may follow, in the order of their likelihood.

    Examples
    --------
    >>> formats("2024-06-30 11:49 PM"), formats("05.01.2024 23:49")
    (['%Y-%m-%d %I:%M %p', '%Y-%d-%m %I:%M %p'], ['%d.%m.%Y %H:%M', '%m.%d.%Y %H:%M'])
    >>> formats("1706745600123"), formats("45322.5"), formats("Fri, 5 Jan 2024"), formats("2024-W05")
    (['epoch_ms'], ['excel'], ['%a, %d %b %Y'], ['iso_week'])
    """
    if re.fullmatch(r"\d{4}-?W\d\d(-?[1-7])?", value):
        return ["iso_week"]
    if re.fullmatch(r"-?\d+([.,]\d+)?", value):
        named = [f for f, (least, most) in RANGES.items() if least <= abs(float(value.replace(",", "."))) < most]
        if named:
            return named
    text = " ".join(value.split()).replace("%", "%%")
    text = re.sub(r"\b(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)day\b", "%A", text, flags=re.I)
    text = re.sub(r"\b(mon|tue|wed|thu|fri|sat|sun)\b", "%a", text, flags=re.I)
    text = re.sub(rf"\b({'|'.join(times.FULL_MONTHS)})\b", "%B", text, flags=re.I)
    text = re.sub(rf"\b({'|'.join(m[:3] for m in times.FULL_MONTHS)}|sept)\b", "%b", text, flags=re.I)
    text = re.sub(r"\b\d\d?:\d\d(:\d\d([.,]\d{1,9})?)?( ?)([ap]\.? ?m\b\.?)?", _clock, text, count=1, flags=re.I)
    text = re.sub(rf"(?<=%[MSfp]){times.zone()}$", "", text)
    found = [text]
    if "%b" in text or "%B" in text:
        text = re.sub(r"\b\d{4}\b", "%Y", text, count=1)
        text = re.sub(r"(?<![%\d])\d\d?\b", "%d", text, count=1)
        found = [text if "%Y" in text else re.sub(r"(?<![%\d])\d\d\b", "%y", text, count=1)]
    else:
        for shape, ways in DAYS:
            first, *others = shape.split("-")
            parts = first + "".join((r"([-/. ])" if n == 0 else r"\1") + part for n, part in enumerate(others))
            day = re.search(rf"(?<!\d){parts}(?!\d)", text)
            if day:
                found = [text.replace(day[0], way.replace("-", day[1] if others else ""), 1) for way in ways]
                break
    return [one for one in found if re.search("%[Yy]", one) and not re.search(r"\d", one)]


# Numbers that are times of 1990 to 2100, by what they count.
RANGES = {
    "excel": (20_000, 73_051),
    "epoch": (6.3e8, 4.2e9),
    "epoch_ms": (6.3e11, 4.2e12),
    "epoch_us": (6.3e14, 4.2e15),
}


def _clock(found: re.Match[str]) -> str:
    hour = "%I" if found[4] else "%H"
    second = "" if not found[1] else ":%S" + (f"{found[2][0]}%f" if found[2] else "")
    return f"{hour}:%M{second}{found[3]}" + ("%p" if found[4] else "")
