"""What the values of a column look like: numbers and their signs, days and their formats, texts and whose they are.

Nothing here decides: what can be read in two ways is told as two readings, with the values that allow each.
"""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from customerlab.data import advice
from customerlab.data.tables import EARLIEST, LATEST

MOST = 0.9  # the share of values that makes a column one of numbers or of times
MONEY = r"[A-Z]{3}|[^\w\s.,()+'-]{1,2}|[Kk]r\.?|zł|R\$|Rs\.?|Fr\.?|Kč|Ft|lei"  # that stands beside a number
NUMBER = re.compile(
    rf"^[(]?[-+]?\s?(?:{MONEY})?\s?[-+]?(?P<core>\d[\d.,'’\s]*|[.,]\d+)(?:[eE]-?\d+)?\s?(?:{MONEY})?[)]?-?$"
)
HOURS = ["%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%I:%M:%S%p", "%I:%M%p"]
ZONE = r"( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))"
ISO = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}([ T]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?{ZONE}?)?")
OF_TIME = re.compile(r"date|time|datum|zeit|stamp|day|tag|created|(^|[ _])(at|on|d)$|^column \d+$", re.IGNORECASE)
PERSONAL = re.compile(
    r"mail|phone|telefon|mobil|address|adress|street|straße|strasse|\bzip|postal|plz|city|\bort\b|stadt|\bip\b|birth|notes?\b|comment"
    r"|message|iban|card"
    r"|\b(first|last|full|user|sur|vor|nach|buyer|customer|billing|shipping|recipient|cardholder|ship|bill) ?(to )?name\b|^name$"
)  # fmt: skip
OF_GOODS = re.compile(r"item|product|sku|artikel|produkt|title|category|bezeichnung|variant")


class Typed(str):
    """A value that has a type in its file, such as a number in a workbook; as text it is written with a point."""

    __slots__ = ()


def words(name: str) -> str:
    """A column's name in small letters, its words set apart.

    Examples
    --------
    >>> words("CustomerID"), words("customer_unique_id"), words("Lineitem sku")
    ('customer id', 'customer unique id', 'lineitem sku')
    """
    apart = re.sub(r"(?<=[a-zäöü])(?=[A-Z])", " ", name)
    return " ".join(re.sub(r"[^\w#]|_", " ", apart.lower()).split())


def masked(value: str, name: str, repeated: bool = False) -> str:
    """A value as a draft shows it: what may be a person's keeps its first sign alone.

    Shown are numbers, days and ids, texts of goods, and those that are `repeated` from row to row, such as a status.

    Examples
    --------
    >>> masked("ann@example.org", "Buyer"), masked("Ann Lee", "Name"), masked("#1001", "Name")
    ('a…@…', 'A…', '#1001')
    """
    column, lettered = words(name), re.search(r"[^\W\d_]{2}", value)
    if "@" in value:
        return f"{value[:1]}…@…"
    named = PERSONAL.search(column) and (lettered or "name" not in column)
    long = re.fullmatch(r"[\d -]+", value) and len(re.sub(r"\D", "", value)) >= 12  # of a card, or of a phone
    if named or len(value) > 40 or long:
        return f"{value[:1]}…"
    known = (
        repeated
        or (value.isupper() and len(value) <= 3)
        or OF_GOODS.search(column)
        or not lettered
        or re.search(r"\d", value)
    )
    return value if known else f"{value[:1]}…"


@lru_cache(maxsize=1 << 17)
def signs(value: str) -> tuple[str, str, bool] | None:
    """The decimal and the thousands sign of a number, empty where it has none, and whether that is the only reading.

    None for what is no number. In two readings, the decimal sign comes as thousands sign as well.

    Examples
    --------
    >>> signs("$1,234.50"), signs("1.234,5"), signs("1,234"), signs("0,125"), signs("Cake")
    (('.', ',', True), (',', '.', True), (',', ',', False), (',', '', True), None)
    """
    found = NUMBER.match(value)
    if not found:
        return None
    core = found["core"].strip()
    apart, groups = re.sub(r"\d", "", core), re.split(r"\D", core)
    if not apart:
        return "", "", True
    last, before = apart[-1], set(apart[:-1])
    if before == {last} or last not in ".,":
        grouped = all(len(group) in (2, 3) for group in groups[1:-1]) and len(groups[-1]) == 3
        return ("", last, True) if grouped and before <= {last} else None
    if before:
        return (
            (last, apart[0], True) if len(before) == 1 and all(len(group) in (2, 3) for group in groups[1:-1]) else None
        )
    doubt = len(groups[1]) == 3 and groups[0] not in ("", "0") and len(groups[0]) <= 3
    return (last, last, False) if doubt else (last, "", True)


@lru_cache(maxsize=1 << 17)
def number(value: str, decimal: str = ".") -> float | None:
    """A number by its decimal sign, whatever its other signs; below zero in brackets or with a minus at either end."""
    found = NUMBER.match(value)
    if not found:
        return None
    core = re.sub(rf"[^\d{re.escape(decimal)}]", "", found["core"]).replace(decimal, ".")
    power = re.search(r"[eE]-?\d+", value[found.end("core") :])
    value = value.replace(power[0], "") if power else value
    try:
        size = float(core + (power[0] if power else ""))
    except ValueError:
        return None
    return -size if "(" in value[:1] or "-" in (value[:3] + value[-1:]) else size


def formats(values: Iterable[str], name: str) -> list[tuple[str, int]]:
    """The formats by which most of the values are days or times, with how many; the empty one where none is needed.

    Examples
    --------
    >>> formats(["03/04/2024", "05/06/2024"], "Date")
    [('%d/%m/%Y', 2), ('%m/%d/%Y', 2)]
    >>> formats(["03/04/2024", "25/06/2024"], "Date"), formats(["2024-06-25"], "x"), formats(["1706745600"], "created")
    ([('%d/%m/%Y', 2)], [('', 1)], [('epoch', 1)])
    """
    counted = Counter(values)
    total = counted.total()
    if not total:
        return []
    if sum(times for value, times in counted.items() if ISO.fullmatch(value)) >= MOST * total:
        return [("", sum(times for value, times in counted.items() if ISO.fullmatch(value)))]
    if all(value.isdigit() or re.fullmatch(r"\d{5}\.\d+", value) for value in counted):
        return _of_digits(counted, total) if OF_TIME.search(words(name)) else []
    likely = dict.fromkeys(form for value in [*counted][:3] if len(value) <= 40 for form in advice.formats(value))
    found = [(form, sum(times for value, times in counted.items() if moment(value, form))) for form in likely]
    return sorted(((form, times) for form, times in found if times >= MOST * total), key=lambda one: -one[1])


def _of_digits(counted: Counter[str], total: int) -> list[tuple[str, int]]:
    """The formats by which every one of some numbers is a time."""

    def fits(form: str) -> bool:
        return all(form in advice.formats(value) and ("%" not in form or moment(value, form)) for value in counted)

    return [(form, total) for form in advice.formats(next(iter(counted))) if fits(form)]


def moment(value: str, form: str) -> datetime | None:
    """The time that a value is by a format, within the days that are read."""
    found = _is(value, form)
    return found if found and EARLIEST <= f"{found:%Y-%m-%d}" <= LATEST else None


@lru_cache(maxsize=1 << 17)
def _is(value: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(value, form)
    except ValueError:
        return None


def clock(values: list[str]) -> str:
    """The format of a column that holds times of day and no day; empty where it is none."""
    return next((form for form in HOURS if values and all(_is(value, form) for value in values[:200])), "")
