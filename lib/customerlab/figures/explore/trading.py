"""Figures of trading over time: months, weekdays and hours, seasons, returns."""

import calendar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.figures.marks import cells, scale
from customerlab.figures.style import BLUE, ORANGE, PALETTE, PERCENT, RED, SHORT, SKY, Picture, canvas, styled
from customerlab.formats import percent, short

HATCH = "///"  # marks incomplete months


def month_ticks(axis: Axes, months: pd.Series) -> None:
    """Months along an axis of bars at 0, 1, 2 …; the year below the first of each."""
    names = [f"{m:%b}\n{m:%Y}" if m.month == 1 or place == 0 else f"{m:%b}" for place, m in enumerate(months)]
    step = max(1, len(names) // 24)
    axis.set_xticks(range(0, len(names), step), names[::step])
    axis.grid(axis="x", visible=False)


@styled
def by_month(months: pd.DataFrame, smallest: int = 1) -> Picture:
    """Revenue, active customers and average order value by month; `months` as `explore.by_month` returns it.

    Incomplete months are hatched, or hollow. Months of fewer than `smallest` customers show revenue only.
    """
    figure, (axis, people, values) = canvas(height=5.2, rows=3, sharex=True, gridspec_kw={"height_ratios": [1.7, 1, 1]})
    places = np.arange(len(months))
    for partial, colour, hatch, label in ((False, BLUE, None, "gross"), (True, SKY, HATCH, "gross, incomplete month")):
        part = months["partial"].to_numpy() == partial
        if part.any():
            axis.bar(places[part], months["revenue"][part], color=colour, hatch=hatch, edgecolor="white", label=label)
    returned = (months["net"] != months["revenue"]).any()
    if returned:
        axis.hlines(months["net"], places - 0.4, places + 0.4, color=RED, linewidth=2, label="net of returns")
    axis.yaxis.set_major_formatter(SHORT)
    axis.set_ylabel("revenue")
    if months["partial"].any() or returned:
        axis.legend(loc="upper left")
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
    month_ticks(values, months["month"])
    whole = months[~months["partial"]] if (~months["partial"]).any() else months
    best, worst = whole.iloc[int(whole["revenue"].argmax())], whole.iloc[int(whole["revenue"].argmin())]
    kind = "month" if months["partial"].all() else "complete month"
    said = [
        f"{month['month']:%B %Y} with {short(month['revenue'])}" + (f" (net {short(month['net'])})" if returned else "")
        for month in (best, worst)
    ]
    return Picture(
        figure,
        f"Revenue, active customers and average order value in {len(months)} months, {int(months['partial'].sum())} of them "
        f"incomplete. Highest revenue of a {kind}: {said[0]}; lowest: {said[1]}.",
    )


@styled
def by_weekday_hour(grids: dict[str, pd.DataFrame]) -> Picture:
    """Heat maps of orders and revenue, seven weekdays by 24 hours each."""
    figure, axes = canvas(height=0.5 + 2.1 * len(grids), rows=len(grids), sharex=True, squeeze=False)
    said = []
    for axis, (measure, grid) in zip(axes.ravel(), grids.items(), strict=True):
        image = cells(axis, grid.to_numpy(), ())
        axis.set_yticks(range(7), [day[:3] for day in grid.index])
        axis.set_xticks(range(0, 24, 2), [f"{hour:02d}" for hour in range(0, 24, 2)])
        scale(figure, image, axis, measure, format=SHORT)
        days, hours = grid.sum(axis=1), grid.sum()
        said.append(
            f"Most {measure} on {days.idxmax()} ({percent(days.max() / days.sum())}) and at {hours.idxmax()}:00 "
            f"({percent(hours.max() / hours.sum())}); {int((grid == 0).to_numpy().sum())} of 168 cells have none."
        )
    axes[-1, 0].set_xlabel("hour of the day")
    return Picture(figure, f"Heat maps of {' and '.join(grids)}, seven weekdays by 24 hours. {' '.join(said)}")


@styled
def seasons(table: pd.DataFrame) -> Picture:
    """Average daily revenue by month, one line per year; `table` as `explore.seasons` returns it."""
    figure, axis = canvas(height=3.0)
    axis.axhline(1, color="#555555", linewidth=1, linestyle="--")
    for place, (year, part) in enumerate(table.groupby("year")):
        colour, marker = PALETTE[place % len(PALETTE)], "osD^vPX*"[place % 8]
        axis.plot(part["number"], part["index"], color=colour, marker=marker, label=str(year))
    axis.set_xticks(range(1, 13), calendar.month_abbr[1:])
    axis.set(xlim=(0.5, 12.5), ylim=(min(0, table["index"].min()), None))
    axis.set_ylabel("average daily revenue\n(1 = mean of all months)")
    axis.legend(loc="upper left", ncols=4)
    ranked = table.sort_values("index")
    low, high = ranked.iloc[0], ranked.iloc[-1]
    return Picture(
        figure,
        f"Lines of average daily revenue by month, {len(table)} complete months in {table['year'].nunique()} calendar years. Highest: "
        f"{high['month']:%B %Y} at {high['index']:.2f} of the mean; lowest: {low['month']:%B %Y} at {low['index']:.2f}.",
    )


@styled
def returns_by_month(table: pd.DataFrame) -> Picture:
    """Bars of money returned, with its share of the month's sales; `table` as `explore.returns_by_month` returns it."""
    figure, (upper, lower) = canvas(height=3.8, rows=2, sharex=True)
    places = np.arange(len(table))
    hatches = [HATCH if partial else "" for partial in table["partial"]]
    upper.bar(places, table["returned"], color=ORANGE, hatch=hatches, edgecolor="white")
    upper.set_ylabel("money returned")
    upper.yaxis.set_major_formatter(SHORT)
    lower.plot(places, table["share"], color=RED, marker="o")
    lower.set(ylabel="share of the\nmonth's sales", ylim=(0, None))
    lower.yaxis.set_major_formatter(PERCENT)
    month_ticks(lower, table["month"])
    upper.grid(axis="x", visible=False)
    most = table.iloc[int(table["returned"].argmax())]
    whole = table["returned"].sum() / table["revenue"].sum() if table["revenue"].sum() > 0 else np.nan
    return Picture(
        figure,
        f"Bars of money returned in {len(table)} months, and its share of sales, {percent(whole)} over all. Most in "
        f"{most['month']:%B %Y}: {short(most['returned'])}.",
    )
