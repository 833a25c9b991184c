"""Figures of the exploration: trading over time, distributions, products."""

import numpy as np
import pandas as pd

from customerlab.figures.style import (
    BLUE,
    ORANGE,
    PERCENT,
    RED,
    SEQUENTIAL,
    SHORT,
    SKY,
    Picture,
    canvas,
    short,
    shortened,
    styled,
)


@styled
def revenue_by_month(months: pd.DataFrame) -> Picture:
    """Bars of revenue by month, partial months hatched.

    Parameters
    ----------
    months : DataFrame
        As `analysis.explore.by_month` returns it.
    """
    figure, axis = canvas(height=3.0)
    names = (
        months["month"]
        .dt.strftime("%b\n%Y")
        .where(months["month"].dt.month.eq(1) | (months.index == 0), months["month"].dt.strftime("%b"))
    )
    places = np.arange(len(months))
    for partial, colour, hatch, label in ((False, BLUE, None, "whole month"), (True, SKY, "///", "part of a month")):
        part = months["partial"].to_numpy() == partial
        if part.any():
            axis.bar(places[part], months["revenue"][part], color=colour, hatch=hatch, edgecolor="white", label=label)
    step = max(1, len(months) // 24)
    axis.set_xticks(places[::step], names[::step])
    axis.grid(axis="x", visible=False)
    axis.yaxis.set_major_formatter(SHORT)
    axis.set_ylabel("revenue")
    if months["partial"].any():
        axis.legend(loc="upper left")
    whole = months[~months["partial"]] if (~months["partial"]).any() else months
    best, worst = whole.iloc[int(whole["revenue"].argmax())], whole.iloc[int(whole["revenue"].argmin())]
    kind = "month" if months["partial"].all() else "whole month"
    alt = (
        f"Bar chart of revenue in {len(months)} months. Highest {kind}: {best['month']:%B %Y} with {short(best['revenue'])}; "
        f"lowest: {worst['month']:%B %Y} with {short(worst['revenue'])}; {int(months['partial'].sum())} partial."
    )
    return Picture(figure, alt)


@styled
def by_weekday_hour(grids: dict[str, pd.DataFrame]) -> Picture:
    """Heat maps by weekday and hour, one below the other.

    Parameters
    ----------
    grids : dict of str to DataFrame
        What is counted, to seven weekdays by 24 hours.
    """
    figure, axes = canvas(height=0.5 + 2.1 * len(grids), rows=len(grids), sharex=True, squeeze=False)
    said = []
    for axis, (measure, grid) in zip(axes.ravel(), grids.items(), strict=True):
        image = axis.imshow(grid.to_numpy(), aspect="auto", cmap=SEQUENTIAL)
        axis.set_yticks(range(7), [day[:3] for day in grid.index])
        axis.set_xticks(range(0, 24, 2), [f"{hour:02d}" for hour in range(0, 24, 2)])
        axis.grid(visible=False)
        bar = figure.colorbar(image, ax=axis, format=SHORT, pad=0.01)
        bar.set_label(measure)
        bar.outline.set_visible(False)
        days, hours = grid.sum(axis=1), grid.sum()
        said.append(
            f"Most {measure} on {days.idxmax()} ({days.max() / days.sum():.0%}) and at {hours.idxmax()}:00 "
            f"({hours.max() / hours.sum():.0%}); {int((grid == 0).to_numpy().sum())} of 168 cells have none."
        )
    axes[-1, 0].set_xlabel("hour of the day")
    return Picture(figure, f"Heat maps of {' and '.join(grids)}, seven weekdays by 24 hours. {' '.join(said)}")


@styled
def distributions(amounts: pd.DataFrame, counts: pd.DataFrame, medians: dict[str, float], unit: str) -> Picture:
    """A histogram of money beside the cumulative distribution of a whole number, both on logarithmic scales.

    Whole numbers have no histogram on a logarithmic scale: its bins would hold one, two or three of them, and peaks
    would appear that are not in the data.

    Parameters
    ----------
    amounts : DataFrame
        As `analysis.explore.log_histogram` returns it.
    counts : DataFrame
        As `analysis.explore.cumulative` returns it.
    medians : dict of str to float
        The name of the money and that of the whole number, with their medians.
    unit : str
        What is counted, such as ``orders``.
    """
    figure, (left, right) = canvas(height=2.9, columns=2)
    if len(amounts):
        left.stairs(amounts["count"], np.append(amounts["low"], amounts["high"].iloc[-1]), fill=True, color=BLUE)
    left.set_ylabel(unit)
    left.yaxis.set_major_formatter(SHORT)
    right.step(counts["value"], counts["share"], where="post", color=BLUE)
    right.set_ylabel(f"share of {unit} with at most this")
    right.yaxis.set_major_formatter(PERCENT)
    right.set_ylim(0, 1.02)
    for axis, (name, median) in zip((left, right), medians.items(), strict=True):
        axis.set_xscale("log")
        axis.set_xlabel(f"{name} (log scale)")
        axis.xaxis.set_major_formatter(SHORT)
        if median <= 0:  # has no place on this scale
            continue
        axis.axvline(median, color=RED, linewidth=1.5)
        axis.annotate(
            f"median {short(median)}", (median, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", color=RED,
        )  # fmt: skip
    (money, money_median), (number, number_median) = medians.items()
    most = counts["value"].iloc[int(np.searchsorted(counts["share"], 0.95))]
    bounds = (
        f"bins from {short(amounts['low'].min())} to {short(amounts['high'].max())}"
        if len(amounts)
        else f"no {money} above zero"
    )
    alt = (
        f"Two charts of {unit} on logarithmic scales. Histogram of {money}: {bounds}, median {short(money_median)}. "
        f"Cumulative distribution of {number}: median {short(number_median)}, 95 % have at most {short(most)}, "
        f"the largest {short(counts['value'].iloc[-1])}."
    )
    return Picture(figure, alt)


@styled
def top_products(table: pd.DataFrame) -> Picture:
    """Horizontal bars of the products that bring the most money.

    Parameters
    ----------
    table : DataFrame
        As `analysis.explore.top_products` returns it.
    """
    figure, axis = canvas(height=0.9 + 0.26 * len(table))
    # by place, since two products may share a description
    places = np.arange(len(table))
    axis.barh(places, table["revenue"], color=ORANGE)
    axis.set_yticks(places, [shortened(text) for text in table["description"]])
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.xaxis.set_major_formatter(SHORT)
    axis.set_xlabel("revenue")
    for place, row in enumerate(table.itertuples()):
        axis.annotate(f" {row.share:.1%}", (row.revenue, place), va="center", fontsize=8.5)
    axis.margins(x=0.08)
    first = zip(table["description"][:3], table["revenue"][:3], strict=True)
    listed = "; ".join(f"{description} {short(revenue)}" for description, revenue in first)
    alt = f"Bar chart of the {len(table)} products with the most revenue, {table['share'].sum():.1%} of all: {listed}."
    return Picture(figure, alt)
