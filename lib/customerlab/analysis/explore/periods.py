"""Calendar periods that fit a log: days, weeks, months, quarters or years."""

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

ADJECTIVES = {"day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly", "year": "yearly"}
DAYS, WEEKS, MOST = 31, 13, 60  # days and weeks up to which a log is shown by them; months and quarters at most
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MONDAY = 4  # the first Monday in days since 1970-01-01
STEPS = {
    "day": (1, 2, 7),
    "week": (1, 2, 4),
    "month": (1, 2, 3, 6),
    "quarter": (1, 4),
    "year": (1, 2, 5, 10, 20, 50),
}
LABELS = 24  # that have room below a figure


def fitting(first: pd.Timestamp, last: pd.Timestamp, most: int = MOST, days: int = DAYS) -> str:
    """The unit to show a log by: days up to `days` of them, weeks up to thirteen, then months, unless more than `most`.

    Examples
    --------
    >>> [fitting(pd.Timestamp("2024-01-01"), pd.Timestamp(last)) for last in ("2024-01-21", "2024-03-20", "2025-06-30")]
    ['day', 'week', 'month']
    >>> [fitting(pd.Timestamp("1970-01-01"), pd.Timestamp(last)) for last in ("1981-12-31", "2023-12-31")]
    ['quarter', 'year']
    """
    first, last = pd.Timestamp(first).normalize(), pd.Timestamp(last).normalize()
    length, months = (last - first).days + 1, (last.year - first.year) * 12 + last.month - first.month + 1
    fits = {"day": length <= days, "week": length <= 7 * WEEKS, "month": months <= most, "quarter": months <= 3 * most}
    return next((unit for unit, fit in fits.items() if fit), "year")


def number_of(moment: ir.TimestampValue, unit: str = "month") -> ir.IntegerValue:
    """Periods as consecutive whole numbers, the same in every engine."""
    if unit in MONTHS:
        months = moment.year().cast("int64") * 12 + moment.month().cast("int64") - 1
        return months if unit == "month" else (months // MONTHS[unit]).cast("int64")
    days = moment.date().delta(ibis.date(1970, 1, 1), unit="day").cast("int64")
    return days if unit == "day" else ((days - MONDAY) / 7).floor().cast("int64")


def first_of(numbers: "pd.Series | pd.Index", unit: str = "month") -> pd.DatetimeIndex:
    """The first days of periods numbered by `number_of`.

    Examples
    --------
    >>> [f"{first_of(pd.Index([number]), unit)[0]:%Y-%m-%d}" for number, unit in ((24_288, "month"), (2_817, "week"))]
    ['2024-01-01', '2024-01-01']
    """
    whole = np.asarray(numbers, dtype="int64")
    if unit in MONTHS:
        months = whole * MONTHS[unit]
        days = pd.DatetimeIndex(pd.to_datetime({"year": months // 12, "month": months % 12 + 1, "day": 1}))
    else:
        days = pd.to_datetime(whole * 7 + MONDAY if unit == "week" else whole, unit="D", origin="unix")
    return days.rename("month")


def calendar(first: pd.Timestamp, last: pd.Timestamp, unit: str = "month") -> pd.DataFrame:
    """The calendar periods from one day to another.

    By `month` (the first day of the period): `days` (of it within the span) and `partial` (whether some are outside).
    """
    first, last = pd.Timestamp(first).normalize(), pd.Timestamp(last).normalize()
    spans = pd.period_range(
        first, last, freq={"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}[unit]
    )
    begin, end = (pd.DatetimeIndex(side).normalize() for side in (spans.start_time, spans.end_time))
    days = (end.where(end <= last, last) - begin.where(begin >= first, first)).days + 1
    index = pd.DatetimeIndex(begin, name="month")
    return pd.DataFrame({"days": days, "partial": days < (end - begin).days + 1}, index=index)


def named(first: pd.Timestamp, unit: str = "month") -> str:
    """The name of a period in a sentence.

    Examples
    --------
    >>> [named(pd.Timestamp("2024-04-01"), unit) for unit in ADJECTIVES]
    ['2024-04-01', 'the week from 2024-04-01', 'April 2024', 'Q2 2024', '2024']
    """
    forms = {"day": "%Y-%m-%d", "week": "the week from %Y-%m-%d", "month": "%B %Y", "year": "%Y"}
    return f"Q{first.quarter} {first.year}" if unit == "quarter" else f"{first:{forms[unit]}}"


def brief(first: pd.Timestamp, unit: str = "month") -> str:
    """The name of a period in a figure."""
    return {"month": f"{first:%b %Y}", "week": f"{first:%Y-%m-%d}"}.get(unit) or named(first, unit)


def ticks(periods: pd.Series, unit: str = "month") -> dict[int, str]:
    """Places and labels along an axis of periods, at most some 24; the year below the first label of each.

    Examples
    --------
    >>> ticks(pd.Series(pd.date_range("2023-11-01", periods=4, freq="MS")))
    {0: 'Nov\\n2023', 1: 'Dec', 2: 'Jan\\n2024', 3: 'Feb'}
    """
    steps = STEPS[unit]
    room = LABELS // 2 if unit == "year" else LABELS  # labels of four digits
    step = next((step for step in steps if len(periods) <= room * step), steps[-1])
    if unit == "year":
        return {place: f"{day:%Y}" for place, day in enumerate(periods) if day.year % step == 0 or len(periods) == 1}
    counts = {"month": periods.dt.month - 1, "quarter": periods.dt.quarter - 1}.get(
        unit, pd.Series(range(len(periods)))
    )
    labels, above = {}, ""
    for place, day in enumerate(periods):
        if counts.iloc[place] % step == 0:
            own = {
                "quarter": f"Q{day.quarter}",
                "month": f"{day:%b}",
                "week": f"{day.day} {day:%b}",
                "day": f"{day.day}",
            }[unit]
            below = f"{day:%b %Y}" if unit == "day" else f"{day:%Y}"
            labels[place], above = own if below == above else f"{own}\n{below}", below
    return labels
