"""Times as shops write them: by patterns of our own, on every engine; what they do not take is NULL.

DuckDB reads the usual forms by itself, which is quick; what is left is matched as a whole and written anew, in
expressions that Spark has too. A cast alone would take any word for a zone.
"""

import re
from functools import cache

import ibis
import ibis.expr.types as ir

from customerlab.data import blanks, numbers
from customerlab.data.blanks import on_duckdb
from customerlab.data.mapping import Mapped
from customerlab.data.sources import Source
from customerlab.data.tables import EARLIEST, LATEST
from customerlab.data.values import DATE_SIGNS
from customerlab.errors import DataError

KIND = "timestamp(6)"
MICROSECONDS = {"epoch": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}  # of one unit
DAY = 86_400_000  # milliseconds, to which spreadsheets show times: their fractions of a day have 15 digits in all
FULL_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"
)  # fmt: skip
MONTHS = "|".join(month[:3] for month in FULL_MONTHS)
# Abbreviations of summer and winter time in use that the list of zones has not.
ABBREVIATED = (
    "CEST", "MEZ", "MESZ", "EEST", "WEST", "MSK", "EDT", "CDT", "MDT", "PDT", "AKST", "AKDT", "ADT", "NDT", "AEST", "AEDT",
    "ACST", "ACDT", "AWST", "NZST", "NZDT", "SAST", "HKT", "SGT", "WIB",
)  # fmt: skip
QUICK = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
CLOCK = r"^\d{4}[-/]\d\d?[-/]\d\d?([T ]\d\d?:\d\d?(:\d\d?(\.\d{1,9})?)?)?"  # of these, what stands before a zone
USUAL = r"^\d{4}[-/]\d\d?[-/]\d\d?([T ]\d\d?:\d\d?(:\d\d?(\.\d{1,9})?)?( ?(Z|UTC|GMT|[+-](0\d|1[0-5])(:?[0-5]\d)?))?)?$"


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), KIND))
def _try_strptime(value, pattern):  # type: ignore[no-untyped-def]
    """DuckDB's own: NULL where the text does not follow the pattern."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "array<string>"), KIND))
def _try_patterns(value, patterns):  # type: ignore[no-untyped-def]
    """The same with several patterns, of which the first that fits counts."""


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", KIND), "timestamp('UTC')"))
def _instant(zone, clock):  # type: ignore[no-untyped-def]
    """DuckDB's own: when the clocks of a zone show a time; the later of two, and some instant where there is none."""


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp('UTC')"), KIND))
def shown(zone, instant):  # type: ignore[no-untyped-def]
    """DuckDB's own: what the clocks of a zone show at an instant."""


@ibis.udf.scalar.builtin(name="convert_timezone", signature=(("string", "string", KIND), KIND))
def _converted(old, new, clock):  # type: ignore[no-untyped-def]
    """Spark's own: what the clocks of `new` show when those of `old` show a time; the earlier, where it comes twice."""


def read(value: ir.Value, text: ir.StringValue, how: Mapped, source: Source) -> ir.TimestampValue:
    """A column as times on the shop's clock, `text` being the same as text.

    NULL where it does not follow the column's format, is before 1900 or after 2100, or has no zone to convert from.
    """
    found, said = value.type(), None
    if how.format in MICROSECONDS:
        clock = _since(value, text, source, "1970-01-01", MICROSECONDS[how.format])
    elif how.format == "excel":
        clock = _since(value, text, source, "1899-12-30", None)
    elif how.format == "iso_week":
        clock = _of_week(text)
    elif how.format is None and (found.is_timestamp() or found.is_date()):
        clock = value if found.is_timestamp() and found.scale in (None, 6) else value.try_cast(KIND)
    else:
        clock = _written(text, how.format, source.loose or bool(how.to_zone))
        said = (
            blanks.tidied(text).re_extract(rf":\d\d?(?:[.,]\d+)?(?: ?[AaPp]\.? ?[Mm]\.?)?({zone()})$", 1)
            if how.to_zone
            else None
        )
    if how.to_zone:
        clock = _in_zone(clock, said, how.from_zone, how.to_zone)
    return ibis.cases((clock.between(ibis.timestamp(EARLIEST), ibis.timestamp(LATEST)), clock))


def _since(value: ir.Value, text: ir.StringValue, source: Source, begin: str, unit: int | None) -> ir.TimestampValue:
    """Numbers of units since a day, each of so many microseconds; a day to the millisecond where it is None."""
    number = numbers.read(value, text, source)
    last = 4_102_444_800_000_000 / (unit or 1)  # LATEST
    # spreadsheets count a 29 February 1900, so that days before 61 are another one's
    meant = number.between(61, 73_051) if unit is None else number.between(-last, last)
    within = ibis.cases((meant, number))
    moved = (within * DAY).round().cast("int64") * 1_000 if unit is None else (within * unit).round().cast("int64")
    return ibis.timestamp(begin).cast(KIND) + moved.as_interval("us")


def _of_week(text: ir.StringValue) -> ir.TimestampValue:
    """The Monday of a week of ISO 8601, or the day of it that is named; its first week is that of 4 January."""
    shape = r"^(\d{4})-?W(\d\d)(?:-?([1-7]))?$"
    year, week, day = (text.re_extract(shape, group).nullif("").try_cast("int32") for group in (1, 2, 3))
    fourth = ibis.date(year, ibis.literal(1), ibis.literal(4))
    first = -fourth.day_of_week.index().cast("int32")
    monday = fourth + (first + 7 * (week - 1)).as_interval("D")
    exists = (week >= 1) & ((monday.cast(KIND) + ibis.interval(days=3)).year() == year)
    return ibis.cases((exists, (monday + (day.fill_null(1) - 1).as_interval("D")).cast(KIND)))


def _written(text: ir.StringValue, pattern: str | None, loose: bool) -> ir.TimestampValue:
    """A text as a time, without the zone at its end."""
    quick = []
    if pattern is None:
        quick = (
            [_known(_try_patterns(text, ibis.array([ibis.literal(one) for one in QUICK])))] if on_duckdb(text) else []
        )
        # Spark would count from an offset, and DuckDB leaves it out
        bare = text if on_duckdb(text) else text.re_extract(CLOCK, 0)
        quick.append(ibis.cases((text.re_search(USUAL), bare.try_cast(KIND))))
    elif on_duckdb(text):
        quick = [_followed(text, pattern)]
    return (
        ibis.coalesce(*quick, *_careful(blanks.tidied(text), pattern)) if loose or not quick else ibis.coalesce(*quick)
    )


def _careful(careful: ir.StringValue, pattern: str | None) -> list[ir.TimestampValue]:
    """The ways to read a tidied text that is none of the usual ones."""
    if pattern is None:
        whole = _replaced(careful, _iso(), "{1}-{2}{3}-{4} {5}").strip()
        ends = " 24:00(:00(\\.0+)?)?$"  # which Spark does not know
        midnight = ibis.cases(
            (whole.re_search(ends), whole.re_replace(ends, "").try_cast(KIND) + ibis.interval(days=1))
        )
        return [whole.try_cast(KIND), midnight]
    careful = _replaced(careful, rf"(.*:\d\d?(?:[.,]\d+)?(?: ?[AaPp]\.? ?[Mm]\.?)?)(?:{zone()})", "{1}", strict=False)
    if not on_duckdb(careful):
        return [_normal(careful, pattern).try_cast(KIND)]
    if "%b" in pattern:
        careful = _replaced(careful, r"(.*\b[Ss]ep)t\b(.*)", "{1}{2}", strict=False)
    if "%p" in pattern:
        careful = _replaced(careful, r"(.*\d ?[AaPp])\.? ?([Mm])\.?(.*)", "{1}{2}{3}", strict=False)
    if "%f" in pattern:
        careful = _replaced(careful, r"(.*[.,]\d{6})\d{1,3}(.*)", "{1}{2}", strict=False)
    return [_followed(careful, pattern)]


def _known(moment: ir.TimestampValue) -> ir.TimestampValue:
    """A time, unless it is the one that DuckDB reads of the words ``epoch`` and ``infinity``, whatever the pattern."""
    return moment.nullif(ibis.timestamp("1900-01-01").cast(KIND))


def _followed(text: ir.StringValue, pattern: str) -> ir.TimestampValue:
    """A text by DuckDB's own reader of formats, without what it guesses."""
    moment = _try_strptime(text, ibis.literal(pattern))
    # words such as `infinity` are a time to it, the day 366 of a shorter year is one of the next, and of numbers that
    # are run together each may have a digit less
    digit = text.re_search("[0-9]")
    if re.search("%-?j", pattern):
        return ibis.cases((digit & (moment.strftime(pattern) == text), moment))
    if width := _width(pattern):
        return ibis.cases((digit & (text.length() == width), moment))
    return ibis.cases((moment != ibis.timestamp("1900-01-01").cast(KIND), moment), (digit, moment))


RUN_TOGETHER = re.compile("%-?[dmyHIMSjYf]%-?[dmyHIMSjYf]")


def _width(pattern: str) -> int | None:
    """How long a text of a format is in which numbers stand beside each other without a sign; None where none do."""
    if not RUN_TOGETHER.search(pattern) or re.search("%[pbBaAf]", pattern):
        return None
    return len(DATE_SIGNS.sub(lambda sign: "0" * {"Y": 4, "j": 3, "%": 1}.get(sign[0][-1], 2), pattern))


def _replaced(text: ir.StringValue, pattern: str, by: str, *, strict: bool = True) -> ir.StringValue:
    """A text that follows a pattern as a whole, written in another way; ``{1}`` is its first group.

    One that does not follow it is left as it is, or where it is `strict` marked so that nobody reads it.
    """
    parts = [rf"\{n}" if on_duckdb(text) else f"${n}" for n in range(10)]
    mark = "!" if strict else ""
    return (mark + text if strict else text).re_replace(f"^{mark}{pattern}$", by.format(*parts))


@cache
def zone() -> str:
    """The pattern of a zone at the end of a time: an offset, UTC, or a zone in the engine's own list."""
    import duckdb

    with duckdb.connect() as con:
        names = {name for (name,) in con.execute("SELECT name FROM pg_timezone_names()").fetchall()}
    areas: dict[str, list[str]] = {}
    for name in sorted({*names, *ABBREVIATED} - {"Factory"}, key=lambda name: (-len(name), name)):
        area, _, place = name.partition("/")
        areas.setdefault(area if place else "", []).append(re.escape(place or area))
    known = "|".join(f"{area}/(?:{'|'.join(places)})" if area else "|".join(places) for area, places in areas.items())
    offset = r"[+-](?:0\d|1[0-5])(?::?[0-5]\d)?"
    note = r"(?: ?\([A-Za-z. ]+\)|\[[A-Za-z_/]+\])?"  # Central European Summer Time, as browsers add it
    return rf" ?(?:(?:[Zz]|UTC|GMT|utc|gmt)?{offset}{note}|(?:UTC|GMT)[+-]\d|[Zz]|utc|gmt|{known})"


def _iso() -> str:
    """The pattern of ISO 8601, and its like with slashes: year, month in one of two groups, day, clock."""
    return rf"(\d{{4}})(?:-(\d\d?)-|/(\d\d?)/)(\d\d?)(?:[T ]+(\d\d?:\d\d?(?::\d\d?(?:\.\d{{1,9}})?)?)(?:{zone()})?)?"


# What the signs of a format stand for, and the same where numbers are run together; %f comes with up to nine digits.
PARTS = dict.fromkeys("dmHIMS", r"(\d\d?)") | {
    "y": r"(\d\d)", "Y": r"(\d{4})", "f": r"(\d{1,9})", "p": r"([ap])\.? ?m\.?",
    "b": rf"({MONTHS}|sept)\.?", "B": r"([a-z]{3,9})",
}  # fmt: skip
FULL = PARTS | dict.fromkeys("dmHIMS", r"(\d\d)")


def _normal(text: ir.StringValue, pattern: str) -> ir.StringValue:
    """A text that follows a format as one of ISO 8601, by what every engine has; marked where it does not."""
    groups: dict[str, int] = {}
    shape, after, parts = "", 0, FULL if RUN_TOGETHER.search(pattern) else PARTS
    for found in DATE_SIGNS.finditer(pattern):
        sign = found[1].removeprefix("-")
        shape += _literal(pattern[after : found.start()])
        after = found.end()
        if sign in parts:
            groups[sign] = len(groups) + 1
        shape += parts.get(sign, "[a-z]{3,9}" if sign in "aA" else "%")
    shape += _literal(pattern[after:])

    def at(sign: str, usual: str) -> str:
        return f"{{{groups[sign]}}}" if sign in groups else usual

    month = next((at(sign, "") for sign in "mbB" if sign in groups), "01")
    clock = f"{at('H', at('I', '00'))}:{at('M', '00')}:{at('S', '00')}" + (f".{at('f', '')}" if "f" in groups else "")
    half = f" {at('p', '')}" if "I" in groups and "p" in groups else ""
    result = _replaced(text.lower(), shape.lower(), f"{at('Y', at('y', ''))}-{month}-{at('d', '01')} {clock}{half}")
    one = "\\1" if on_duckdb(text) else "$1"
    if "Y" not in groups:
        result = result.re_replace(r"^([0-6]\d-)", f"20{one}").re_replace(r"^([789]\d-|69-)", f"19{one}")
    if "m" not in groups:
        for number, name in enumerate(MONTHS.split("|"), 1):
            full = FULL_MONTHS[number - 1]
            result = result.re_replace(f"-(?:{full}|{name}{'t?' if name == 'sep' else ''})-", f"-{number:02}-")
    if half:
        result = result.re_replace(" 12(:.*) a$", f" 00{one}").re_replace(r" 0?([1-9]:.*| 1[01]:.*) a$", f" {one}")
        result = result.re_replace(" (1[01]:.*) a$", f" {one}").re_replace(" (12:.*) p$", f" {one}")
        for hour in range(1, 12):
            result = result.re_replace(f" 0?{hour}(:.*) p$", f" {hour + 12}{one}")
    return result


def _literal(text: str) -> str:
    """What stands between the signs of a format, as a pattern."""
    return re.sub(r"(\\?\s)+", " ", re.escape(text))


def _in_zone(clock: ir.TimestampValue, said: ir.StringValue | None, old: str | None, new: str) -> ir.TimestampValue:
    """What the clocks of `new` show when others show a time: those of the offset that is `said`, else those of `old`.

    Where clocks are set back, an hour of `old` comes twice, and its first time is meant. NULL for an hour that is left
    out where they are set forward, without a zone to count from, and for a zone that is named at the end of a value.
    """
    if clock.get_backend().name not in ("duckdb", "pyspark"):
        raise DataError(
            "times are converted by DuckDB and Spark", where="data/catalog.yml, to_zone", expected="files, or a table of these",
            do="make a view in the engine that has the times of the shop, and name the view",
        )  # fmt: skip
    nothing = ibis.null(KIND)
    universal = nothing if old is None else clock if old == "UTC" else _universal(clock, old)
    if said is not None:
        offset = r"^ ?(?:Z|z|UTC|GMT|utc|gmt)?([+-])(\d\d?):?(\d\d)?"
        sign, hours, minutes = (said.re_extract(offset, group) for group in (1, 2, 3))
        behind = 60 * hours.nullif("").try_cast("int32") + minutes.nullif("").try_cast("int32").fill_null(0)
        universal = ibis.cases(
            (said == "", universal),
            (sign == "+", clock - behind.as_interval("m")),
            (sign == "-", clock + behind.as_interval("m")),
            (said.strip().upper().isin(["Z", "UTC", "GMT"]), clock),
        )  # fmt: skip
    return universal if new == "UTC" else _on_clocks(universal, new)


def _on_clocks(universal: ir.TimestampValue, zone: str) -> ir.TimestampValue:
    """What the clocks of a zone show at a time of UTC."""
    if on_duckdb(universal):
        return shown(ibis.literal(zone), _instant(ibis.literal("UTC"), universal))
    return _converted(ibis.literal("UTC"), ibis.literal(zone), universal)


def _universal(clock: ir.TimestampValue, zone: str) -> ir.TimestampValue:
    """When, by UTC, the clocks of a zone show a time: the first time if they do so twice, NULL if they never do."""
    if on_duckdb(clock):
        utc, before = ibis.literal("UTC"), ibis.interval(hours=6)
        later = shown(utc, _instant(ibis.literal(zone), clock))
        # by the offset of some hours ago: that of before the change, where there is one
        earlier = shown(utc, _instant(ibis.literal(zone), clock - before)) + before
        meant = [earlier, later]
    else:
        meant = [_converted(ibis.literal(zone), ibis.literal("UTC"), clock)]
    return ibis.cases(*[(_on_clocks(one, zone) == clock, one) for one in meant])
