"""Figures of trading over time: months, weekdays and hours, seasons, returns."""

import calendar
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.analysis.explore.periods import named, ticks
from customerlab.figures.marks import cells, scale
from customerlab.figures.style import BLUE, ORANGE, PALETTE, PERCENT, RED, SHORT, SKY, Picture, canvas, styled
from customerlab.formats import percent, short

HATCH = "///"  # marks incomplete months
FEW = 6  # periods below which bars are no wider
LATEST = 4  # years that have a colour of their own where there are more than colours


def period_ticks(axis: Axes, periods: pd.Series, every: str) -> None:
    """Periods along an axis of bars at 0, 1, 2 …; the year below the first of each."""
    labels = ticks(periods, every)
    axis.set_xticks(list(labels), list(labels.values()))
    axis.grid(axis="x", visible=False)
    if len(periods) < FEW:  # no bar is as wide as the figure
        axis.set_xlim((len(periods) - 1 - FEW) / 2, (len(periods) - 1 + FEW) / 2)


def legend(axis: Axes, every: str, **options: Any) -> None:
    """The legend in the corner where months leave room, otherwise above the axis."""
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3}
    axis.legend(**options | ({"loc": "upper left"} if every == "month" else above))


def edge(bars: int) -> dict[str, Any]:
    """The white edge of bars, which would cover them where there are many."""
    return {"edgecolor": "white", "linewidth": min(1.0, 60 / max(bars, 1))}


@styled
def by_month(months: pd.DataFrame, smallest: int = 1, every: str = "month") -> Picture:
    """Revenue, active customers and average order value by month; `months` as `explore.by_month` returns it.

    Incomplete months are hatched, or hollow. Months of fewer than `smallest` customers show revenue only. `every` is
    the unit of time, if it is not the month.
    """
    figure, (axis, people, values) = canvas(height=5.2, rows=3, sharex=True, gridspec_kw={"height_ratios": [1.7, 1, 1]})
    places = np.arange(len(months))
    for partial, colour, hatch, label in (
        (False, BLUE, None, "gross"),
        (True, SKY, HATCH, f"gross, incomplete {every}"),
    ):
        part = months["partial"].to_numpy() == partial
        if part.any():
            axis.bar(places[part], months["revenue"][part], color=colour, hatch=hatch, label=label, **edge(len(months)))
    returned = (months["net"] != months["revenue"]).any()
    if returned:
        axis.hlines(months["net"], places - 0.4, places + 0.4, color=RED, linewidth=2, label="net of returns")
    axis.yaxis.set_major_formatter(SHORT)
    axis.set_ylabel("revenue")
    if months["partial"].any() or returned:
        legend(axis, every)
    some = months[["customers", "orders", "revenue"]].mask(months["customers"].between(1, smallest - 1))
    for lower, line, label in (
        (people, some["customers"], "active\ncustomers"),
        (values, some["revenue"] / some["orders"], "average\norder value"),
    ):
        lower.plot(places, line, color=BLUE, marker="o", markersize=4)
        lower.plot(places, line.where(months["partial"]), "o", markersize=4, markerfacecolor="white", color=BLUE)
        lower.set_ylim(0, 1.15 * line.max() if line.max() > 0 else None)
        lower.set_ylabel(label)
        lower.yaxis.set_major_formatter(SHORT)
    for panel in (axis, people, values):
        panel.grid(axis="x", visible=False)
    period_ticks(values, months["month"], every)
    whole = months[~months["partial"]] if (~months["partial"]).any() else months
    best, worst = whole.iloc[int(whole["revenue"].argmax())], whole.iloc[int(whole["revenue"].argmin())]
    kind = every if months["partial"].all() else f"complete {every}"
    said = [
        f"{named(month['month'], every)} with {short(month['revenue'])}"
        + (f" (net {short(month['net'])})" if returned else "")
        for month in (best, worst)
    ]
    return Picture(
        figure,
        f"Revenue, active customers and average order value in {len(months)} {every}s, {int(months['partial'].sum())} of them "
        f"incomplete. Highest revenue of a {kind}: {said[0]}; lowest: {said[1]}.",
    )


@styled
def by_weekday_hour(grids: dict[str, pd.DataFrame]) -> Picture:
    """Heat maps of orders and revenue, weekdays by 24 hours each."""
    figure, axes = canvas(
        height=0.5 + (0.7 + 0.2 * len(grids["orders"])) * len(grids), rows=len(grids), sharex=True, squeeze=False
    )
    said = []
    for axis, (measure, grid) in zip(axes.ravel(), grids.items(), strict=True):
        image = cells(axis, grid.to_numpy(), ())
        axis.set_yticks(range(len(grid)), [day[:3] for day in grid.index])
        axis.set_xticks(range(0, 24, 2), [f"{hour:02d}" for hour in range(0, 24, 2)])
        scale(figure, image, axis, measure, format=SHORT)
        days, hours = grid.sum(axis=1), grid.sum()
        said.append(
            f"Most {measure} on {days.idxmax()} ({percent(days.max() / days.sum())}) and at {hours.idxmax()}:00 "
            f"({percent(hours.max() / hours.sum())}); {int((grid == 0).to_numpy().sum())} of {grid.size} cells have none."
        )
    axes[-1, 0].set_xlabel("hour of the day")
    return Picture(
        figure, f"Heat maps of {' and '.join(grids)}, {_weekdays(len(grids['orders']))} by 24 hours. {' '.join(said)}"
    )


def _weekdays(number: int) -> str:
    return "seven weekdays" if number == 7 else f"{number} weekday{'s' * (number > 1)}"


@styled
def by_weekday(weekdays: pd.DataFrame) -> Picture:
    """Bars of average daily revenue by weekday, for a log without times; `weekdays` as `explore.by_weekday` has it."""
    figure, axis = canvas(height=2.6)
    axis.bar(range(7), weekdays["revenue_per_day"].fillna(0), color=BLUE, **edge(7))
    axis.set_xticks(range(7), [day[:3] for day in weekdays["weekday"]])
    axis.set_ylabel("average daily revenue")
    axis.yaxis.set_major_formatter(SHORT)
    axis.grid(axis="x", visible=False)
    ranked = weekdays.dropna(subset="revenue_per_day").sort_values("revenue_per_day", kind="stable")
    ends = [f"{row['weekday']} with {short(row['revenue_per_day'])}" for row in ranked.iloc[[-1, 0]].to_dict("records")]
    return Picture(figure, f"Bars of average daily revenue by weekday. Highest: {ends[0]}; lowest: {ends[1]}.")


@styled
def seasons(table: pd.DataFrame) -> Picture:
    """Average daily revenue by month, one line per year; `table` as `explore.seasons` returns it.

    With more years than colours, the latest have one, and the others are grey.
    """
    figure, axis = canvas(height=3.0)
    axis.axhline(1, color="#555555", linewidth=1, linestyle="--")
    years = sorted({int(year) for year in table["year"]})
    older = years[:-LATEST] if len(years) > len(PALETTE) else []
    for year in years:
        part, place = table[table["year"] == year], years.index(year) - len(older)
        look: dict[str, Any] = {"color": "#BBBBBB", "linewidth": 0.8}
        if place >= 0:
            look = {"color": PALETTE[place], "marker": "osD^vPX*"[place]}
        label = f"{older[0]} to {older[-1]}" if year in older[:1] else "" if year in older else str(year)
        axis.plot(part["number"], part["index"], label=label or None, **look)
    axis.set_xticks(range(1, 13), calendar.month_abbr[1:])
    axis.set(xlim=(0.5, 12.5), ylim=(min(0, table["index"].min()), None))
    axis.set_ylabel("average daily revenue\n(1 = mean of all months)")
    legend(axis, "year" if older else "month", ncols=5 if older else 4)
    ranked = table.sort_values("index")
    low, high = ranked.iloc[0], ranked.iloc[-1]
    return Picture(
        figure,
        f"Lines of average daily revenue by month, {len(table)} complete months in {table['year'].nunique()} calendar years. Highest: "
        f"{high['month']:%B %Y} at {high['index']:.2f} of the mean; lowest: {low['month']:%B %Y} at {low['index']:.2f}.",
    )


@styled
def returns_by_month(table: pd.DataFrame, every: str = "month") -> Picture:
    """Bars of money returned, with its share of the month's sales; `table` as `explore.returns_by_month` returns it."""
    figure, (upper, lower) = canvas(height=3.8, rows=2, sharex=True)
    places = np.arange(len(table))
    hatches = [HATCH if partial else "" for partial in table["partial"]]
    upper.bar(places, table["returned"], color=ORANGE, hatch=hatches, **edge(len(table)))
    upper.set_ylabel("money returned")
    upper.yaxis.set_major_formatter(SHORT)
    lower.plot(places, table["share"], color=RED, marker="o")
    lower.set(ylabel=f"share of the\n{every}'s sales", ylim=(0, None))
    lower.yaxis.set_major_formatter(PERCENT)
    period_ticks(lower, table["month"], every)
    upper.grid(axis="x", visible=False)
    most = table.iloc[int(table["returned"].argmax())]
    whole = table["returned"].sum() / table["revenue"].sum() if table["revenue"].sum() > 0 else np.nan
    return Picture(
        figure,
        f"Bars of money returned in {len(table)} {every}s, and its share of sales, {percent(whole)} over all. Most in "
        f"{named(most['month'], every)}: {short(most['returned'])}.",
    )
