"""Figures of the recommender evaluation."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from customerlab.figures.style import PALETTE, Picture, canvas, styled

MARKERS = "osD^vP"


@styled
def ndcg(summary: pd.DataFrame, k: int) -> Picture:
    """nDCG with its interval, models as marks, one panel a task.

    Parameters
    ----------
    summary : DataFrame
        As `analysis.recommend.summary` returns it.
    k : int
    """
    tasks = summary["task"].unique()
    figure, axes = canvas(height=2.6, columns=len(tasks), sharey=True, squeeze=False)
    said = []
    for axis, task in zip(axes[0], tasks, strict=True):
        part = summary[summary["task"] == task].reset_index(drop=True)
        for place, row in part.iterrows():
            error = [[row["ndcg"] - row["ndcg_low"]], [row["ndcg_high"] - row["ndcg"]]]
            axis.errorbar(
                row["ndcg"],
                place,
                xerr=error,
                fmt=MARKERS[place % len(MARKERS)],
                color=PALETTE[place % len(PALETTE)],
                capsize=3,
            )
            axis.annotate(
                f"{row['ndcg']:.3f}",
                (row["ndcg"], place),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
            )
        axis.set_yticks(np.arange(len(part)), part["model"])
        axis.set_ylim(len(part) - 0.5, -0.6)
        axis.set_xlim(0, 1.15 * max(part["ndcg_high"].max(), 0.01))
        axis.grid(axis="y", visible=False)
        axis.set_title(f"{task}\n{part['customers'].max():,} customers", fontsize=9.5)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.set_xlabel(f"nDCG@{k}")
        said.append(f"{task}: " + ", ".join(f"{row.model} {row.ndcg:.3f}" for row in part.itertuples()))
    return Picture(figure, f"Dot plots of nDCG at {k} with 95 % intervals, one panel a task. {'; '.join(said)}.")
