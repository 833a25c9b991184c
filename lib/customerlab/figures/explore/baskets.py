"""Figures of the distributions of customers and orders."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from customerlab.figures.style import BLUE, RED, SHORT, SKY, Picture, canvas, styled
from customerlab.formats import short


@styled
def distributions(money: dict[str, Any], number: dict[str, Any] | None, unit: str) -> Picture:
    """Histograms of money and of a whole number, as `explore.distribution` returns them, with their medians.

    The number may be None, where nothing is known to count.

    Whole numbers have no logarithmic scale: its bins would hold one, two or three of them and show spurious peaks.
    `unit` is what is counted, such as ``orders``.
    """
    each = [money] if number is None else [money, number]
    figure, found = canvas(height=2.9, columns=len(each))
    axes = list(np.atleast_1d(found))
    if len(money["bars"]):
        axes[0].set_xscale("log")
    for axis, one in zip(axes, each, strict=True):
        _histogram(axis, one["bars"])
        axis.xaxis.set_major_formatter(SHORT)
        axis.yaxis.set_major_formatter(SHORT)
        median = one["spread"]["median"]
        if median > 0:  # otherwise it has no place on a log scale
            axis.axvline(median, color=RED, linewidth=1.5)
            look: Any = {
                "ha": "center",
                "va": "bottom",
                "color": RED,
                "fontsize": 8.5,
                "xycoords": ("data", "axes fraction"),
            }
            axis.annotate(f"median {short(median)}", (median, 1.01), **look)
    axes[0].set(xlabel=f"{money['name']} (log scale)", ylabel=unit)
    if number is not None:
        axes[1].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[1].set_xlabel(f"{number['name']} (last bar: all larger)")
    said = [
        f"{one['name']}: median {short(one['spread']['median'])}, half of the {unit} between {short(one['spread']['25%'])} and "
        f"{short(one['spread']['75%'])}, 95% at most {short(one['spread']['95%'])}, the largest {short(one['spread']['largest'])}"
        for one in each
    ]
    missing = "" if len(money["bars"]) else f" No {money['name']} above zero."
    return Picture(figure, f"Histograms of {unit}. {'. '.join(said)}.{missing}")


def _histogram(axis: Axes, bars: pd.DataFrame) -> None:
    if bars.empty:
        return
    high = bars["high"].to_numpy(dtype=float, copy=True)
    if np.isinf(high[-1]):  # the long tail, as wide as the bin before it
        width = high[0] - bars["low"].iloc[0]
        high[-1] = bars["low"].iloc[-1] + width
        look: Any = {"width": width, "color": SKY, "hatch": "...", "edgecolor": "white"}
        axis.bar(bars["low"].iloc[-1] + width / 2, bars["count"].iloc[-1], **look)
        bars, high = bars[:-1], high[:-1]
    if len(bars):
        axis.stairs(bars["count"], np.append(bars["low"], high[-1]), fill=True, color=BLUE)
