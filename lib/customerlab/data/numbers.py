"""Numbers as shops write them: plain ones by one pattern, and those with currencies, brackets and signs behind.

A plain number is digits with the file's decimal sign, and its thousands sign between groups of three throughout or not
at all. Where a column holds others, its source is `loose`, and they are taken apart: nothing of it is paid for else.
"""

import re

import ibis
import ibis.expr.types as ir

from customerlab.data.blanks import on_duckdb
from customerlab.data.sources import Source

# Active codes of ISO 4217 (list one of 2024), without those of metals, funds and tests.
CODES = (
    "AED|AFN|ALL|AMD|ANG|AOA|ARS|AUD|AWG|AZN|BAM|BBD|BDT|BGN|BHD|BIF|BMD|BND|BOB|BRL|BSD|BTN|BWP|BYN|BZD|CAD|CDF|CHF|CLP|CNY|COP|"
    "CRC|CUP|CVE|CZK|DJF|DKK|DOP|DZD|EGP|ERN|ETB|EUR|FJD|FKP|GBP|GEL|GHS|GIP|GMD|GNF|GTQ|GYD|HKD|HNL|HTG|HUF|IDR|ILS|INR|IQD|IRR|"
    "ISK|JMD|JOD|JPY|KES|KGS|KHR|KMF|KPW|KRW|KWD|KYD|KZT|LAK|LBP|LKR|LRD|LSL|LYD|MAD|MDL|MGA|MKD|MMK|MNT|MOP|MRU|MUR|MVR|MWK|MXN|"
    "MYR|MZN|NAD|NGN|NIO|NOK|NPR|NZD|OMR|PAB|PEN|PGK|PHP|PKR|PLN|PYG|QAR|RON|RSD|RUB|RWF|SAR|SBD|SCR|SDG|SEK|SGD|SHP|SLE|SOS|SRD|"
    "SSP|STN|SVC|SYP|SZL|THB|TJS|TMT|TND|TOP|TRY|TTD|TWD|TZS|UAH|UGX|USD|UYU|UZS|VES|VND|VUV|WST|XAF|XCD|XOF|XPF|YER|ZAR|ZMW|ZWL"
)
CURRENCY = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|{CODES}|kr\.?|Kč|zł|Ft|Fr\.?|lei|лв\.?|руб\.?)"
MINUS = ("\u2212", "\u2010", "\u2011", "\u2013")  # signs that stand for minus beside the hyphen
BLANKS = " \xa0\u2009\u202f"  # those that stand in numbers
APART = "'\u2019\xa0\u2009\u202f"  # signs that can only be thousands signs
YES, NO = ("true", "yes"), ("false", "no")


def pattern(decimal: str, thousands: str | None) -> str:
    """The regular expression of a plain number.

    Examples
    --------
    >>> german = pattern(",", ".")
    >>> [text for text in ("1.234.567,5", "1234567,5", "12.50", "1.2345", "1234.567") if re.search(german, text)]
    ['1.234.567,5', '1234567,5']
    """
    point = re.escape(decimal)
    forms = [rf"(\d+({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"]
    if thousands:
        forms.append(rf"\d{{1,3}}({re.escape(thousands)}\d{{3}})+({point}\d*)?")
    return rf"^[+-]?({'|'.join(forms)})$"


def read(value: ir.Value, text: ir.StringValue, source: Source, *, answers: bool = False) -> ir.FloatingValue:
    """A column as numbers, `text` being the same as text; NULL where it is none, or no finite one.

    `answers`: words for yes and no are 1 and 0, in a loose source.
    """
    found = value.type()
    if found.is_numeric() or found.is_boolean():
        # by way of the shortest text where a cast would show digits that nobody wrote
        way = "int64" if found.is_boolean() else "string" if found.is_float32() or found.is_decimal() else found
        number = value.cast(way).try_cast("float64")
        return ibis.cases((~(number.isnan() | number.isinf()), number))
    plain = text.replace(source.thousands, "") if source.thousands else text
    number = (plain.replace(source.decimal, ".") if source.decimal != "." else plain).try_cast("float64")
    as_meant = text.re_search(pattern(source.decimal, source.thousands)) & ~number.isinf()
    if not source.loose:
        return ibis.cases((as_meant, number))
    said = [(text.lower().isin(YES), ibis.literal(1.0)), (text.lower().isin(NO), ibis.literal(0.0))] if answers else []
    return ibis.cases((as_meant, number), *said, else_=_dressed(text, source))


def _taken_apart(text: ir.StringValue, source: Source, *parts: int) -> ir.StringValue:
    """Parts of a number, one after the other: 1, 3, 5, 7 its signs and brackets, 2 and 6 its currency, 4 its digits.

    A text that is no number comes back with a mark before it.
    """
    point = re.escape(source.decimal)
    forms = [rf"\d{{1,3}}(?:{sign}\d{{3}})+(?:{point}\d*)?" for sign in APART]
    if source.thousands:
        sign = f"[{BLANKS}]" if source.thousands.isspace() else re.escape(source.thousands)
        forms.append(rf"\d{{1,3}}(?:{sign}\d{{3}})+(?:{point}\d*)?")
    if source.thousands == ",":  # lakh and crore: groups of two before the last of three
        forms.append(rf"\d{{1,2}}(?:,\d{{2}})*,\d{{3}}(?:{point}\d*)?")
    number = "|".join([*forms, rf"\d+(?:{point}\d*)?", rf"{point}\d+"])
    shape = f"[{BLANKS}]?".join(
        ["^!([-+(]?)", f"({CURRENCY}?)", "([-+(]?)", f"({number})", "([-)]?)", f"({CURRENCY}?)", "([-)]?)$"]
    )
    for sign in MINUS:
        text = text.replace(sign, "-")
    return ("!" + text).re_replace(shape, "".join(rf"\{part}" if on_duckdb(text) else f"${part}" for part in parts))


def _dressed(text: ir.StringValue, source: Source) -> ir.FloatingValue:
    """A number with a currency at either end, in brackets or with its minus behind it."""
    apart = _taken_apart(text, source, 1, 3, 5, 7, 4).re_replace(r"^\(\)", "-").re_replace(f"[{BLANKS}'\u2019]", "")
    if source.thousands:
        apart = apart.replace(source.thousands, "")
    return apart.replace(source.decimal, ".").try_cast("float64")


def currency(text: ir.StringValue, source: Source) -> ir.StringValue:
    """The currency that stands beside a number, such as ``$`` or ``EUR``; NULL where there is none."""
    sign = _taken_apart(text, source, 2, 6)
    plain = text.re_search(pattern(source.decimal, source.thousands))
    return ibis.cases((~plain & ~sign.startswith("!"), sign.nullif("")))


def is_word(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text is a word for yes or no."""
    return text.lower().isin([*YES, *NO])
