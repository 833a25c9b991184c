"""Figures of how baskets and customers are spread: box plot, histogram, empirical distribution."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.figures.style import BLUE, PERCENT, RED, SHORT, SKY, Picture, canvas, styled
from customerlab.formats import short


@styled
def distributions(money: dict[str, Any], number: dict[str, Any], unit: str) -> Picture:
    """Money beside a whole number, as `explore.distribution` returns them: box plot, histogram, empirical distribution.

    Whole numbers have no histogram on a logarithmic scale: its bins would hold one, two or three of them, and peaks
    would appear that are not in the data. `unit` is what is counted, such as ``orders``.
    """
    figure, axes = canvas(height=5.2, rows=3, columns=2, gridspec_kw={"height_ratios": [0.5, 2, 2]})
    for column, one in enumerate((money, number)):
        box, histogram, steps = axes[:, column]
        _box(box, one["spread"])
        _histogram(histogram, one["bars"])
        steps.step(one["steps"]["value"], one["steps"]["share"], where="post", color=BLUE)
        steps.set(ylim=(0, 1.02), xlabel=f"{one['name']} (log scale)")
        steps.yaxis.set_major_formatter(PERCENT)
        # counts have a linear histogram, and what is nowhere above zero has no logarithm
        for axis in (box, steps) if column else (box, histogram, steps) if len(one["bars"]) else ():
            axis.set_xscale("log")
        for axis in (histogram, steps):
            axis.xaxis.set_major_formatter(SHORT)
            if one["spread"]["median"] > 0:  # otherwise it has no place on a log scale
                axis.axvline(one["spread"]["median"], color=RED, linewidth=1.5)
        if not column and len(one["bars"]):
            limits = one["bars"]["low"].min() / 1.2, one["bars"]["high"].max() * 1.2
            for axis in (box, histogram, steps):
                axis.set_xlim(limits)
        elif column:
            box.set_xlim(0.9, one["spread"]["largest"] * 1.2)
            steps.set_xlim(box.get_xlim())
    axes[1, 1].set_xlabel(f"{number['name']} (last bar: all larger)")
    axes[1, 0].set_ylabel(unit)
    axes[2, 0].set_ylabel(f"share of {unit}\nwith at most this")
    axes[1, 0].yaxis.set_major_formatter(SHORT)
    axes[1, 1].yaxis.set_major_formatter(SHORT)
    said = [
        f"{one['name']}: median {short(one['spread']['median'])}, half of the {unit} between {short(one['spread']['25%'])} and "
        f"{short(one['spread']['75%'])}, 95% at most {short(one['spread']['95%'])}, the largest {short(one['spread']['largest'])}"
        for one in (money, number)
    ]
    missing = "" if len(money["bars"]) else f" No {money['name']} above zero."
    return Picture(figure, f"Box plots, histograms and cumulative distributions of {unit}. {'. '.join(said)}.{missing}")


def _box(axis: Axes, spread: pd.Series) -> None:
    """A box of the quartiles with whiskers at 5 and 95%."""
    stats = {
        "med": spread["median"], "q1": spread["25%"], "q3": spread["75%"], "whislo": spread["5%"], "whishi": spread["95%"],
    }  # fmt: skip
    axis.bxp(
        [stats], orientation="horizontal", showfliers=False, widths=0.6, patch_artist=True,
        boxprops={"facecolor": SKY}, medianprops={"color": RED, "linewidth": 1.5},
    )  # fmt: skip
    axis.set_yticks([])
    axis.tick_params(axis="x", which="both", labelbottom=False)
    axis.grid(visible=False)
    axis.spines["left"].set_visible(False)
    look: Any = {"ha": "center", "va": "bottom", "color": RED, "annotation_clip": False}
    axis.annotate(f"median {short(spread['median'])}", (spread["median"], 1.35), **look)


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
