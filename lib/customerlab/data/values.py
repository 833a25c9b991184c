"""How the values of a column are to be read: the keys of a column map that say so, and what of them fits a column."""

import re
import zoneinfo
from typing import Any

from customerlab.data import fields
from customerlab.errors import DataError, shown

ORIGINS = ("column", "columns", "value", "row_number")  # a column map has one of these
KEYS = ("format", "from_zone", "to_zone", "case", "empty")
# What programs write where there is nothing; letter case counts.
EMPTY = (r"\N", "NULL", "null", "nan", "NaN", "None", "<NA>", "NaT", "#N/A", "N/A", "n/a")
CASES = ("lower", "upper")
# Formats that are no pattern of signs, and what they stand for.
NAMED = {
    "epoch": "seconds since 1970", "epoch_ms": "milliseconds since 1970", "epoch_us": "microseconds since 1970",
    "excel": "days as a spreadsheet counts them, from 61 (1900-03-01)",
    "iso_week": "weeks of the form 2024-W05, or days of them as 2024-W05-3",
}  # fmt: skip
# The signs of a date format. Those of a zone are not among them: a zone at the end of a value needs no sign.
DATE_SIGNS = re.compile(r"%(-?[dmyHIMSj]|[YpbBaAf%])")
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")


def keys_of(raw: dict[str, Any], name: str, kind: str, where: str) -> dict[str, Any]:
    """The `KEYS` of a column map of the canonical column `name`, each checked; a DataError where one does not fit."""
    time, text = kind.startswith("timestamp"), kind == "string"
    for key in ("from_zone", "to_zone"):
        if raw.get(key) is not None and not time:
            raise DataError(f"{name} has a `{key}`, which is for times", where=f"{where}, {key}", do=f"remove `{key}`")
    if raw.get("case") is not None and not text:
        raise DataError(f"{name} has a `case`, which is for texts and ids", where=f"{where}, case", do="remove `case`")
    case = fields.optional(raw, "case", where)
    if case not in (None, *CASES):
        raise fields.unfit(case, f"{where}, case", "lower or upper")
    pattern = fields.optional(raw, "format", where)
    if pattern is not None:
        _check_format(pattern, f"{where}, format")
    zones = {key: fields.optional(raw, key, where) for key in ("from_zone", "to_zone")}
    for key, zone in zones.items():
        if zone is not None and not is_zone(zone):
            raise fields.unfit(zone, f"{where}, {key}", "the name of a time zone, such as Europe/Berlin or UTC")
    if zones["from_zone"] and not zones["to_zone"]:
        raise DataError(
            "`from_zone` without `to_zone`", where=where, expected="both: times are converted from one to the other",
            do="add `to_zone`, the zone of the shop, such as `to_zone: Europe/Berlin`",
        )  # fmt: skip
    if (pattern or "").startswith("epoch"):
        if zones["from_zone"] not in (None, "UTC"):
            raise DataError(f"the format {pattern} counts in UTC", where=f"{where}, from_zone", do="remove `from_zone`")
        zones["from_zone"] = zones["to_zone"] and "UTC"
    return {"format": pattern, **zones, "case": case, "empty": words(raw, where) if "empty" in raw else None}


def words(raw: dict[str, Any], where: str) -> tuple[str, ...]:
    """The texts that mean nothing, as `empty` lists them; numbers among them are taken as they are written."""
    found = fields.listed(raw, "empty", where, "texts")
    # what YAML takes for nothing, such as NULL without quotes, is among the usual words
    return tuple(fields.text({"item": one}, "item", f"{where}, empty") for one in found if one is not None)


def words_of_file(raw: dict[str, Any], where: str) -> tuple[str, ...]:
    """The texts that mean nothing in every column of a file. Of numbers only 0, which no column of numbers minds.

    A DataError for another number: it may be a quantity in one column and stand for nothing in the next.
    """
    found = words(raw, where)
    number = next((word for word in found if NUMBER.fullmatch(word) and word != "0"), None)
    if number is not None:
        raise DataError(
            f"{shown(number)} is a number, which means nothing in some columns only", where=f"{where}, empty",
            expected='words, or "0" (which stays a number where numbers are)',
            do=f'list it in the column map: `customer_id: {{column: …, empty: ["{number}"]}}`',
        )  # fmt: skip
    return found


def nothing(name: str, kind: str, listed: tuple[str, ...] | None, of_file: tuple[str, ...]) -> tuple[str, ...]:
    """What means nothing in a column: the usual words, the file's and its own; no word where its own list is empty.

    Examples
    --------
    >>> nothing("customer_id", "string", None, ("0", "guest"))[-2:], nothing("quantity", "float64", None, ("0",))[-1]
    (('0', 'guest'), 'n/a')
    >>> nothing("variant", "string", (), ("guest",))
    ()
    """
    if listed == ():
        return ()
    of_file = tuple(word for word in of_file if kind not in ("float64", "boolean") or word != "0")
    found = (*EMPTY, *of_file, *(listed or ()))
    if kind.startswith("timestamp"):  # a day that comes as a time
        found += tuple(f"{word} 00:00:00" for word in found if re.fullmatch(r"\d{4}-\d\d-\d\d", word))
    return tuple(dict.fromkeys(found))


def is_zone(name: str) -> bool:
    """Whether a time zone is called so in the list of the IANA."""
    try:
        return bool(zoneinfo.ZoneInfo(name)) and name not in ("Factory", "localtime")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _check_format(pattern: str, where: str) -> None:
    """Raise unless a date format is made of known signs and says the year."""
    if pattern in NAMED:
        return
    if re.search("%[zZ]", pattern):
        raise DataError(
            f"the format {shown(pattern)} reads a zone", where=where,
            expected="a format without %z and %Z: a zone at the end of a value is dropped, and the time on the clock counts",
            do="leave the sign out; to convert times, add `to_zone: Europe/Berlin` (or another zone)",
        )  # fmt: skip
    left = re.search("%-?.?", DATE_SIGNS.sub("", pattern))
    year = re.search("%-?[yY]", pattern)
    if left or not year:
        raise DataError(
            f"unknown sign {left[0]!r} in the format {shown(pattern)}"
            if left
            else f"the format {shown(pattern)} has no year", where=where,
            expected=f"signs such as %d.%m.%Y %H:%M (data/README.md lists them), or {', '.join(NAMED)}",
        )  # fmt: skip
