"""Figures of who customers are."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from customerlab.analysis.language.base import kind_of
from customerlab.figures.style import BLUE, GREY, PERCENT, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened

COLUMNS, BARS, LEVELS = 4, 20, 8  # panels beside each other; bars of numbers; levels that have one


@styled
def attributes(table: pd.DataFrame, smallest: int = 1) -> Picture:
    """A small bar chart of each attribute: numbers and days in even bars, others by level, the most common first.

    `table` is what `profile.typed` returns. Ordered attributes keep their order. Bars of fewer than `smallest`
    customers are not drawn. Grey: all other levels.
    """
    rows = -(-table.shape[1] // COLUMNS)
    figure, axes = canvas(9.0, 0.3 + 1.75 * rows, rows, min(COLUMNS, table.shape[1]), squeeze=False)
    said = []
    for axis, name in zip(axes.ravel(), table, strict=False):
        values = table[name]
        gone = float(values.isna().mean())
        draw = _numbers if kind_of(values) in ("number", "date") else _levels
        said.append(f"{name}: {draw(axis, values, smallest)}" + (f", {percent(gone)} missing" if gone else ""))
        head = f"{shortened(str(name), 22)}" + (f" ({percent(gone)} missing)" if gone else "")
        axis.set_title(head, fontsize=9)
        axis.yaxis.set_major_formatter(PERCENT)
        axis.tick_params(labelsize=7.5, pad=1)
        axis.yaxis.set_major_locator(MaxNLocator(3))
        axis.grid(axis="x", visible=False)
    for axis in axes.ravel()[table.shape[1] :]:
        axis.remove()
    return Picture(figure, f"Bar charts of {table.shape[1]} attributes of {len(table):,} customers. {'; '.join(said)}.")


def _numbers(axis: Axes, values: pd.Series, smallest: int) -> str:
    """Even bars between the lowest and the highest value; what they show, in words."""
    known, day = values.dropna(), kind_of(values) == "date"
    if known.empty:
        return _nothing(axis)
    numbers = (known.dt.year + (known.dt.day_of_year - 1) / 366 if day else known).to_numpy(dtype=float)
    places, counts = np.unique(numbers, return_counts=True)
    width = float(np.diff(places).min()) if len(places) > 1 else 1.0
    if len(places) > BARS:
        counts, edges = np.histogram(numbers, BARS)
        places, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    axis.bar(places, np.where(counts >= smallest, counts, 0) / len(values), width, color=BLUE, linewidth=0)
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=day))
    if not day:
        axis.xaxis.set_major_formatter(SHORT)
    middle = known.median()
    return f"median {middle:%Y-%m-%d}" if day else f"median {short(middle)}"


def _levels(axis: Axes, values: pd.Series, smallest: int) -> str:
    """A bar for each level, and one for all others; what they show, in words."""
    words = {True: "yes", False: "no"} if kind_of(values) == "yes/no" else {}
    counts = values.dropna().value_counts(sort=False).sort_index()
    if kind_of(values) != "ordered":
        counts = counts.sort_values(ascending=False, kind="stable")
    counts = counts[counts >= max(smallest, 1)]
    if counts.empty:
        return _nothing(axis)
    named = zip(counts.index.tolist(), (counts / len(values)).tolist(), strict=True)
    shares = {str(words.get(level, level)): share for level, share in list(named)[:LEVELS]}
    others = 1 - values.isna().mean() - sum(shares.values())
    colours = [BLUE] * len(shares)
    if others > 1e-9:
        shares, colours = shares | {"others ": others}, [*colours, GREY]
    axis.bar(range(len(shares)), list(shares.values()), color=colours, width=0.75)
    turned: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(shares) > 3 else {}
    axis.set_xticks(range(len(shares)), [shortened(name, 14) for name in shares], **turned)
    most = max(shares, key=lambda name: shares[name])
    return f"{most.strip()} {percent(shares[most])}"


def _nothing(axis: Axes) -> str:
    axis.set_xticks([])
    axis.text(0.5, 0.5, "nothing to show", ha="center", va="center", transform=axis.transAxes, fontsize=8)
    return "nothing to show"
