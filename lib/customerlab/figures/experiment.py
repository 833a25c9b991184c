"""Figures of the experiment."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from customerlab.figures.style import GREY, PALETTE, Picture, canvas, styled


@styled
def relative_effects(effects: pd.DataFrame, control: str, confidence: float) -> Picture:
    """Relative effects with their intervals, one panel an outcome, arms as marks.

    Parameters
    ----------
    effects : DataFrame
        As `analysis.experiment.effects` returns it.
    control : str
        The name of the control arm.
    confidence : float
        Of the intervals.
    """
    outcomes = effects["outcome"].unique()
    arms = effects["variant"].unique()
    figure, axes = canvas(height=1.3 + 0.45 * len(arms), columns=len(outcomes), sharey=True, squeeze=False)
    said = []
    for axis, outcome in zip(axes[0], outcomes, strict=True):
        part = effects[effects["outcome"] == outcome].reset_index(drop=True)
        axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
        for place, row in part.iterrows():
            if np.isnan(row["relative_low"]):
                axis.annotate("not defined", (0, place), xytext=(4, -3), textcoords="offset points", fontsize=8.5)
                continue
            error = [[row["relative"] - row["relative_low"]], [row["relative_high"] - row["relative"]]]
            axis.errorbar(row["relative"], place, xerr=error, fmt="o", color=PALETTE[place % len(PALETTE)], capsize=3)
            axis.annotate(
                f"{row['relative']:+.0%}",
                (row["relative"], place),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
            )
        axis.set_yticks(np.arange(len(part)), part["variant"])
        axis.set_ylim(len(part) - 0.5, -0.6)
        axis.grid(axis="y", visible=False)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}" if value else "0%")
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.set_title(outcome)
        said += [
            f"{row.variant} on {outcome} {row.relative:+.0%} ({row.relative_low:+.0%} to {row.relative_high:+.0%})"
            for row in part.dropna(subset="relative_low").itertuples()
        ]
    figure.supxlabel(f"difference from {control}, share of its mean", fontsize=9.5)
    listed = "; ".join(said) or "none is defined"
    return Picture(figure, f"Effects relative to {control} with {100 * confidence:g}% intervals: {listed}.")
