"""Figures of customers: new and returning, cohorts."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from customerlab.analysis.explore.periods import ADJECTIVES, brief
from customerlab.figures.explore.trading import HATCH, edge, legend, period_ticks
from customerlab.figures.marks import cells, scale
from customerlab.figures.style import BLUE, ORANGE, PERCENT, SHORT, Picture, canvas, styled
from customerlab.formats import percent


@styled
def new_and_returning(table: pd.DataFrame, every: str = "month") -> Picture:
    """Stacked bars by month, or another unit, of customers and of revenue, as `explore.new_and_returning` has them."""
    figure, axes = canvas(height=4.4, rows=2, sharex=True)
    places = np.arange(len(table))
    hatches = [HATCH if partial else "" for partial in table["partial"]]
    for axis, ending, label in ((axes[0], "", "customers"), (axes[1], "_revenue", "gross revenue")):
        back, new = table[f"returning{ending}"].fillna(0), table[f"new{ending}"].fillna(0)
        axis.bar(places, back, color=BLUE, hatch=hatches, label="returning", **edge(len(table)))
        axis.bar(places, new, bottom=back, color=ORANGE, hatch=hatches, label="new", **edge(len(table)))
        axis.set_ylabel(label)
        axis.yaxis.set_major_formatter(SHORT)
        axis.grid(axis="x", visible=False)
    legend(axes[0], every, ncols=2)
    period_ticks(axes[1], table["month"], every)
    later = (table[1:] if len(table) > 1 else table).dropna()  # periods with a hidden number have no share
    share = later["returning"].sum() / max(1, (later["returning"] + later["new"]).sum())
    money = later["returning_revenue"].sum(), (later["returning_revenue"] + later["new_revenue"]).sum()
    return Picture(
        figure,
        f"Stacked bars of new and returning customers in {len(table)} {every}s, and of their revenue. After the first {every} "
        f"{percent(share)} of a {every}'s customers are returning, with {percent(money[0] / money[1] if money[1] > 0 else np.nan)} "
        "of the revenue.",
    )


@styled
def cohorts(grid: pd.DataFrame, partial: pd.DataFrame, sizes: pd.Series, what: str, every: str = "month") -> Picture:
    """A heat map of retention: one row per cohort, one column per month since the first order.

    Parameters
    ----------
    grid, partial : DataFrame
        Of `explore.Cohorts`: shares, and which cells are of incomplete months.
    sizes : Series
        Customers of each cohort, in the order of the rows; missing if not shown.
    what : str
        What is retained, such as ``customers``.
    every : str
        The unit of time, if it is not the month.
    """
    shown = grid.iloc[:, 1:] if grid.shape[1] > 1 else grid
    values = shown.to_numpy(dtype=float)
    figure, axis = canvas(width=7.6, height=max(2.6, 1.1 + 0.25 * len(shown)))
    top = np.nanquantile(values, 0.98) if np.isfinite(values).any() else 1
    texts = np.array([["" if np.isnan(value) else f"{100 * value:.0f}" for value in row] for row in values])
    cut = partial.iloc[:, grid.shape[1] - shown.shape[1] :].to_numpy() & np.isfinite(values)
    size = 7.5 if shown.shape[1] <= 14 else 6.5 if shown.shape[1] <= 24 else 5
    image = cells(axis, values, np.where(cut, "", texts), size=size, vmin=0, vmax=max(top, 0.01))
    for row, column in np.argwhere(cut):
        cover: Any = {"facecolor": "#FFFFFF", "alpha": 0.65, "hatch": HATCH, "edgecolor": "#777777", "lw": 0}
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **cover))
        axis.text(column, row, texts[row, column], ha="center", va="center", fontsize=size)
    step = 1 + (shown.shape[1] > 24)
    axis.set_xticks(range(0, shown.shape[1], step), shown.columns[::step])
    names = [f"{brief(m, every)} ({f'{n:,}' if pd.notna(n) else '–'})" for m, n in zip(shown.index, sizes, strict=True)]
    axis.set_yticks(range(len(shown)), names)
    axis.set_xlabel(f"{every}s since the {every} of the first order")
    scale(figure, image, axis, f"share of {what}", format=PERCENT)
    first = shown.iloc[1:, 0][~partial.iloc[1:, grid.shape[1] - shown.shape[1]]].dropna()
    told = f" One {every} after, {percent(first.min())} to {percent(first.max())}." if len(first) else ""
    return Picture(figure, f"Heat map of retention of {what}, {len(shown)} {ADJECTIVES[every]} cohorts.{told}")
