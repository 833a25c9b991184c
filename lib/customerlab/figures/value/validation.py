"""Figures of the out-of-time validation of purchase models."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.figures.style import BLUE, GREY, ORANGE, PERCENT, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short


@styled
def tracking(table: pd.DataFrame, unit: str) -> Picture:
    """Expected and actual repeat orders of a cohort by period, incremental and cumulative.

    `table` is the `tracking` of `Validation`, and `unit` its unit of time.
    """
    figure, axes = canvas(height=3.2, columns=2)
    begin = table["begins"][~table["known"]].iloc[0]
    panels = (("cumulative repeat orders", "_cumulative"), (f"repeat orders per {unit}", ""))
    for axis, (label, ending) in zip(axes, panels, strict=True):
        for name, colour, line in (("actual", GREY, "-"), ("expected", BLUE, "--")):
            axis.plot(table["begins"], table[name + ending], color=colour, linestyle=line, linewidth=1.8, label=name)
        axis.axvline(begin, color=ORANGE, linestyle=":", linewidth=1.5, label="model fitted")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_formatter(SHORT)
        axis.tick_params(axis="x", rotation=30)
    axes[0].legend(loc="upper left")
    before, after = (table[table["known"] == part][["expected", "actual"]].sum() for part in (True, False))
    said = [
        f"{short(part['expected'])} expected and {short(part['actual'])} actual {when} {begin:%Y-%m-%d}"
        for part, when in ((before, "before"), (after, "from"))
    ]
    return Picture(
        figure,
        f"Lines of expected and actual repeat orders of the customers known on {begin:%Y-%m-%d}, cumulative and per {unit}: "
        f"{'; '.join(said)}.",
    )


@styled
def by_past(table: pd.DataFrame, horizon: int, unit: str) -> Picture:
    """Expected and actual mean orders of a window by number of repeat orders before, `Validation.by_past`."""
    figure, axis = canvas(width=5.6, height=3.4)
    places = np.arange(len(table))
    _points(axis, places - 0.08, table)
    axis.plot(places + 0.08, table["expected"], marker="s", linestyle="none", color=BLUE, label="expected")
    axis.set_xticks(places, table["past"])
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    length = f"{horizon} {unit}{'' if horizon == 1 else 's'}"
    axis.set(xlabel="repeat orders before", ylabel=f"mean orders in {length}")
    axis.grid(axis="x", visible=False)
    axis.legend(loc="upper left")
    columns = zip(table["past"], table["expected"], table["actual"], strict=True)
    listed = "; ".join(f"{past}: {one:.2f} and {two:.2f}" for past, one, two in columns)
    return Picture(figure, f"Expected and actual mean orders in {length} by number of repeat orders before. {listed}.")


@styled
def calibration(table: pd.DataFrame, horizon: int, unit: str) -> Picture:
    """The share who ordered against the chance to, by decile of the chance, `Validation.calibration`."""
    rows = table[table["by"] == "chance to order"]
    figure, axis = canvas(width=4.8, height=4.2)
    axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfect calibration")
    _points(axis, rows["expected"], rows, colour=BLUE)
    most = min(1.0, 1.08 * float(rows[["expected", "actual", "high"]].max().max()))
    axis.set(xlim=(0, most), ylim=(0, most))
    axis.xaxis.set_major_formatter(PERCENT)
    axis.yaxis.set_major_formatter(PERCENT)
    length = f"{horizon} {unit}{'' if horizon == 1 else 's'}"
    axis.set(xlabel=f"expected to order within {length}", ylabel="did order")
    axis.legend(loc="upper left")
    columns = zip(rows["expected"], rows["actual"], strict=True)
    listed = "; ".join(f"{percent(one)} expected, {percent(two)} did" for one, two in columns)
    return Picture(
        figure, f"Share who ordered within {length} by tenth of the chance to order, highest first: {listed}."
    )


def _points(axis: Axes, where: Any, table: pd.DataFrame, colour: str = GREY) -> None:
    """Actual means with their intervals; a missing end is not drawn."""
    reach = np.nan_to_num([table["actual"] - table["low"], table["high"] - table["actual"]])
    axis.errorbar(where, table["actual"], yerr=reach, fmt="o", color=colour, capsize=3, label="actual (95% CI)")
