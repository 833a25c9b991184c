"""How numbers are written in sentences, captions and alt texts: one form of each.

Money in sentences has its currency behind it; tables and figures say it in their captions. Days are ISO dates.
"""

import math
from collections.abc import Callable


def short(value: float) -> str:
    """A number as an axis or a sentence shows it.

    Examples
    --------
    >>> short(1_234_567), short(45_300), short(950), short(0.25)
    ('1.2 M', '45 k', '950', '0.25')
    """
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:,.1f} M"
    if size >= 1e4:
        return f"{value / 1e3:,.0f} k"
    if size >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share in percent, never 0% for some or 100% for not quite all.

    Examples
    --------
    >>> percent(0.254), percent(0.004), percent(0.0), percent(0.9996), percent(1.0)
    ('25%', '0.4%', '0%', '> 99.9%', '100%')
    """
    if share in (0, 1) or not math.isfinite(share):
        return f"{share * 100:.0f}%" if math.isfinite(share) else "–"
    if 0 < share < 0.0005:
        return "< 0.1%"
    if 0.9995 <= share < 1:
        return "> 99.9%"
    digits = 1 if abs(share) < 0.01 or 0.99 < share < 1 else 0
    return f"{share * 100:.{digits}f}%"


def shortened(text: str, length: int = 34) -> str:
    """A label cut to a length, with the sign that it was."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def points(difference: float) -> str:
    """A difference of shares, in percentage points.

    Examples
    --------
    >>> points(-0.144), points(0.0262)
    ('-14.4 percentage points', '+2.6 percentage points')
    """
    return f"{100 * difference:+.1f} percentage points"


def interval(low: float, high: float, write: str | Callable[[float], str], confidence: float = 0.95) -> str:
    """A confidence interval, its ends written by a format or by a function.

    Examples
    --------
    >>> interval(0.0131, 0.0388, "{:.3f}"), interval(0.72, 0.79, percent, 0.9)
    ('95% CI 0.013 to 0.039', '90% CI 72% to 79%')
    """
    form = write.format if isinstance(write, str) else write
    return f"{100 * confidence:g}% CI {form(low)} to {form(high)}"


def decimals(first: float, second: float, low: float, high: float) -> int:
    """Decimals of two numbers and of their difference with its interval: three, or as many as agree.

    What is shown of the two numbers has the shown difference, and an end of the interval that is not zero is not shown
    as zero. Three where six are not enough.

    Examples
    --------
    >>> decimals(0.491, 0.465, 0.013, 0.039), decimals(0.0344, 0.0468, -0.04, 0.015)
    (3, 4)
    >>> decimals(0.165, 0.152, 0.0003, 0.026)
    4
    """
    for digits in range(3, 7):
        one, other, between = (round(value, digits) for value in (first, second, first - second))
        agree = abs(one - other - between) < 0.5 * 10.0**-digits
        if agree and all(round(end, digits) or end == 0 for end in (low, high)):
            return digits
    return 3


def p_value(p: float) -> str:
    """A p-value, never 0.

    Examples
    --------
    >>> p_value(0.0142), p_value(0.0002), p_value(1.0)
    ('p = 0.014', 'p < 0.001', 'p = 1.000')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
