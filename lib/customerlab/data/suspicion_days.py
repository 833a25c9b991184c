"""Odd days and times of a log: slips, gaps, jumps, imports, dates without times, weekdays without orders."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir

from customerlab.data.suspicion_texts import Found, found_of
from customerlab.formats import percent

if TYPE_CHECKING:
    import pandas as pd

FEW = 20  # lines or days below which what is usual is not known
APART = 30  # days without an order, at least, that divide a log: shops close for holidays
SLIPS = 0.02  # of the lines, at most, that stand apart at an end of the log; more are a part of the shop
JUMP = 10  # times the lines of a week, median of eight, of those of the eight weeks before; Online Retail: 1.7
DAY = 0.1, 20  # a day's share of lines, and its multiple of the median day; Online Retail: 0.01 and 3
MIDNIGHT = 0.05  # of the lines at 0:00 exactly; by chance one in 1,440
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def by_day(t: ir.Table) -> "pd.DataFrame":
    """One row per day with a line: `day`, `lines`, of which at `midnight`, and the `earliest` and `latest` hour."""
    import pandas as pd

    at = t.ordered_at
    midnight = t.count(where=(at.hour() == 0) & (at.minute() == 0) & (at.second() == 0))
    days = t.group_by(day=at.date())
    table = days.aggregate(
        lines=t.count(), midnight=midnight, earliest=at.hour().min(), latest=at.hour().max()
    ).to_pandas()
    return table.assign(day=pd.to_datetime(table["day"])).sort_values("day", ignore_index=True)


def pieces(days: "pd.DataFrame") -> "pd.DataFrame":
    """A log divided where there was no order for so long that chance does not explain it: at least `APART` days.

    If orders fall on days at random, gaps are exponential, with the median over log 2 as mean. One log of n days in ten
    thousand has a gap above log n + log 10,000 means. `days` have `day` and `lines`; of each piece there are its
    `first` and `last` day, `lines`, `days`, and the `gap` before it.

    Examples
    --------
    >>> import pandas as pd
    >>> days = [*pd.date_range("2024-01-01", "2024-03-31"), pd.Timestamp("2042-03-31")]
    >>> pieces(pd.DataFrame({"day": days, "lines": 5}))[["lines", "gap"]].values.tolist()
    [[455.0, 0.0], [5.0, 6574.0]]
    """
    gaps = days["day"].diff().dt.days.fillna(0.0)
    usual = gaps[1:].median() / math.log(2) * (math.log(len(gaps)) + math.log(10_000)) if len(gaps) > 1 else 0.0
    each = days.assign(gap=gaps).groupby((gaps > max(APART, usual)).cumsum().to_numpy())
    return each.agg(
        first=("day", "min"), last=("day", "max"), lines=("lines", "sum"), days=("day", "size"), gap=("gap", "first")
    )


def of_days(days: "pd.DataFrame", column: str) -> Iterator[Found]:
    """Slips at the ends of a log, a gap or a jump in it, and a day with too many lines."""
    if len(days) < FEW / 2:
        return
    parts, total = pieces(days), days["lines"].sum()
    slip = (parts["lines"] <= max(1, SLIPS * total)) | (parts["days"] == 1) & (parts["lines"] < total / 2)
    sound = [place for place in parts.index if not slip[place]] or [int(parts["lines"].argmax())]
    body = parts.loc[sound[0] : sound[-1]]
    first, last = body["first"].iloc[0], body["last"].iloc[-1]
    for about, apart, edge in (
        ("ancient days", parts[: sound[0]], first),
        ("future days", parts[sound[-1] + 1 :], last),
    ):
        if apart.empty:
            continue
        lines, ends = int(apart["lines"].sum()), [*apart["first"], *apart["last"]]
        gap, named = min(abs((end - edge).days) for end in ends), [f"{end:%Y-%m-%d}" for end in (min(ends), max(ends))]
        years = sorted({f"{end.year}" for end in ends if not first.year <= end.year <= last.year})
        rule = f", or clean: [{{drop_where: {{column: {column}, matches: '{'|'.join(years)}'}}}}]" if years else ""
        told: dict[str, Any] = {
            "lines": f"{lines:,} line{'s' * (lines > 1)}",
            "days": " to ".join(dict.fromkeys(named)),
            "edge": f"{edge:%Y-%m-%d}",
        }
        yield found_of(about, f"{column}: {named[0]}", **told, gap=gap, rule=rule, ordered_at=column)
    inner = days[days["day"].between(first, last)].reset_index(drop=True)
    *_, following, longest = [0, 0, *sorted(map(int, inner["day"].diff().dt.days[1:]))]
    if len(body) > 1 and longest > 3 * following:  # not one of several: some shops are open for a season
        after = int(inner["day"].diff().dt.days.argmax())
        around = " and ".join(f"{inner['day'][place]:%Y-%m-%d}" for place in (after - 1, after))
        yield found_of("a gap", days=around, gap=longest, next=following)
    yield from _jumps(inner, column)


def _jumps(days: "pd.DataFrame", column: str) -> Iterator[Found]:
    """A week from which there are ten times as many or as few lines, and a day with a tenth of all."""
    import numpy as np
    import pandas as pd

    daily = days.set_index("day")["lines"].resample("D").sum()
    before = daily.resample("7D").sum()[: len(daily) // 7].rolling(8).median()
    after = before.shift(-8)
    ratio = (after / before)[(before.clip(upper=after) >= FEW / 4) & (before.clip(lower=after) >= FEW)]
    size = ratio.where(ratio >= 1, 1 / ratio)
    if len(size) and size.max() >= JUMP:
        week = int(np.median(np.flatnonzero(size == size.max())))  # medians are the same for some weeks around a jump
        day, low, high = ratio.index[week], before[ratio.index].iloc[week], after[ratio.index].iloc[week]
        yield found_of(
            "a sudden jump", day=f"{day + pd.Timedelta(days=7):%Y-%m-%d}", after=f"{high:,.0f}", before=f"{low:,.0f}"
        )
    top, share = days.iloc[int(days["lines"].argmax())], days["lines"].max() / days["lines"].sum()
    if len(days) >= 3 * FEW and share >= DAY[0] and top["lines"] >= DAY[1] * days["lines"].median():
        yield found_of("a day with many lines", share=percent(share), day=f"{top['day']:%Y-%m-%d}", ordered_at=column)


def of_times(days: "pd.DataFrame", column: str) -> Iterator[Found]:
    """Dates without times, a clock of twelve hours, weekdays on which the shop never trades."""
    lines, midnight = days["lines"].sum(), days["midnight"].sum()
    if lines == midnight or midnight >= max(FEW, MIDNIGHT * lines):
        yield found_of("days without times", share=percent(midnight / lines))
    if lines >= FEW and (days["earliest"].min(), days["latest"].max()) == (1, 12):
        yield found_of("a clock of twelve hours", ordered_at=column)
    weeks = ((days["day"].max() - days["day"].min()).days + 1) // 7
    closed = [name for number, name in enumerate(WEEKDAYS) if not (days["day"].dt.day_of_week == number).any()]
    if weeks >= 8 and len(days) >= FEW and closed:
        yield found_of("weekdays without orders", days=" or ".join(closed), weeks=weeks)
