"""Figures of predictions: who is still active, and what groups of customers are worth."""

import numpy as np
import pandas as pd

from customerlab.figures.marks import intervals, rows, scale
from customerlab.figures.style import BLUE, GREY, PERCENT, SEQUENTIAL, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened


@styled
def activity(matrix: pd.DataFrame, unit: str, age: int) -> Picture:
    """The probability to be still active by repeat orders and age at the last order: `value.activity` of one age."""
    figure, axis = canvas(width=6.4, height=4.2)
    values = matrix.to_numpy()
    image = axis.imshow(values, aspect="auto", origin="lower", cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest")
    for along, place in ((axis.xaxis, matrix.columns), (axis.yaxis, matrix.index)):
        ticks = np.unique(np.linspace(0, len(place) - 1, min(len(place), 9)).round().astype(int))
        along.set_ticks(ticks, [f"{place[tick]:,.0f}" for tick in ticks])
    axis.grid(visible=False)
    axis.set(xlabel=f"{unit}s with a repeat order", ylabel=f"age at the last order, in {unit}s")
    scale(figure, image, axis, "probability to be active", format=PERCENT)
    said = []
    for often in (int(matrix.columns[-1]), int(matrix.columns[0])):
        known = matrix[often].dropna()
        ends = " and ".join(f"{percent(known[last])} if the last was at age {last}" for last in known.index[[0, -1]])
        said.append(f"with {often} repeat order{'s' * (often > 1)} it is {ends}")
    return Picture(
        figure, f"Heat map of the probability to be still active at an age of {age} {unit}s: {'; '.join(said)}."
    )


@styled
def worth(groups: pd.DataFrame, span: str) -> Picture:
    """Expected revenue of groups with its interval, beside that of the last `span` of time, such as ``13 weeks``.

    `groups` as `value.totals` returns them.
    """
    figure, axis = canvas(height=1.1 + 0.3 * len(groups))
    axis.scatter(groups["recent"], range(len(groups)), s=26, color=GREY, marker="D", label=f"last {span}", zorder=2)
    intervals(
        axis, groups["revenue"], groups["revenue_low"], groups["revenue_high"], BLUE, markersize=5,
        label=f"expected, next {span} (95% interval)",
    )  # fmt: skip
    rows(axis, (f"{shortened(str(row.group), 28)} ({row.customers:,.0f})" for row in groups.itertuples()))
    axis.xaxis.set_major_formatter(SHORT)
    axis.set_xlim(left=min(0, axis.get_xlim()[0] if (groups["revenue_low"] < 0).any() else 0))
    axis.set_xlabel("revenue")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    columns = groups[["revenue", "revenue_low", "revenue_high", "recent"]].map(short).assign(group=groups["group"])
    listed = "; ".join(
        f"{row['group']} {row['revenue']} ({row['revenue_low']} to {row['revenue_high']}; before {row['recent']})"
        for row in columns.to_dict("records")
    )
    return Picture(figure, f"Expected revenue of the next {span} by group, with intervals. {listed}.")
