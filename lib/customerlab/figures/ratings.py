"""Figures of predicted ratings: errors under several splits, and prediction error against ranking accuracy."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customerlab.figures.style import BLUE, BROWN, GREEN, GREY, ORANGE, PALETTE, RED, Picture, canvas, styled

MARKERS = "osD^vPX*<>p"
SPLITS = ((BLUE, "o"), (RED, "s"), (GREEN, "D"))
APART = 0.22  # rows between the marks of one model


@styled
def errors(tables: Mapping[str, pd.DataFrame]) -> Picture:
    """RMSE of every model with its interval, one mark per split; the first orders the models.

    Tables are the `table` of a `RatingResult`, three at most, by what the split is called.
    """
    first = next(iter(tables.values())).sort_values(["rmse", "model"])
    names = list(first["model"])
    names += sorted({name for table in tables.values() for name in table["model"]} - set(names))
    figure, axis = canvas(height=0.9 + 0.34 * len(names), width=7.6)
    said = []
    for place, ((label, table), (colour, marker)) in enumerate(zip(tables.items(), SPLITS, strict=False)):
        rows = table.set_index("model").reindex(names)
        height = np.arange(len(names)) + APART * (place - (len(tables) - 1) / 2)
        axis.hlines(height, rows["rmse_low"], rows["rmse_high"], color=colour, linewidth=1.6)
        axis.plot(rows["rmse"], height, marker, color=colour, markersize=5, label=label)
        known = rows["rmse"].dropna()
        said.append(f"{label}: " + ", ".join(f"{name} {value:.3f}" for name, value in known.items()))
    axis.set_yticks(np.arange(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("RMSE in units of the ratings (lower is better)")
    figure.legend(loc="outside upper center", ncols=len(tables), fontsize=8.5)
    return Picture(
        figure, f"Dot plot of the RMSE of {len(names)} models with 95% intervals over customers. {'; '.join(said)}."
    )


@styled
def error_and_ranking(predicted: pd.DataFrame, ranked: pd.DataFrame, k: int) -> Picture:
    """RMSE against nDCG at `k`, one point per model; dashed lines for the models that predict no ratings.

    `predicted` and `ranked` are the `table` of a `RatingResult` and of a `RatingRanking`.
    """
    both = ranked.merge(predicted[["model", "rmse"]], on="model").sort_values("rmse", ignore_index=True)
    lists = ranked[~ranked["model"].isin(predicted["model"])]
    figure, axis = canvas(height=4.2, width=8.6)
    for place, (_, row) in enumerate(both.iterrows()):
        colour, marker = PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]
        axis.vlines(row["rmse"], row["ndcg_low"], row["ndcg_high"], color=colour, linewidth=1.2, alpha=0.8)
        axis.plot(row["rmse"], row["ndcg"], marker, color=colour, markersize=6, label=row["model"], linestyle="")
    figure.legend(loc="outside right upper", fontsize=8.5, title="from best RMSE", title_fontsize=8.5)
    for (_, row), colour in zip(lists.iterrows(), (BROWN, GREY, ORANGE), strict=False):
        axis.axhline(row["ndcg"], color=colour, linestyle="--", linewidth=1.4)
        axis.annotate(
            f"{row['model']} {row['ndcg']:.3f}", (1, row["ndcg"]), xycoords=("axes fraction", "data"), xytext=(-4, 4),
            textcoords="offset points", ha="right", fontsize=8.5, color=colour, fontweight="bold",
        )  # fmt: skip
    axis.set(xlabel="RMSE in units of the ratings (left is better)", ylabel=f"nDCG@{k} (higher is better)")
    axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
    points = ", ".join(f"{row.model} {row.rmse:.3f} and {row.ndcg:.3f}" for row in both.itertuples())
    lines = ", ".join(f"{row.model} {row.ndcg:.3f}" for row in lists.itertuples())
    return Picture(
        figure,
        f"Scatter plot of {len(both)} models, RMSE against nDCG at {k} with 95% intervals: {points}. "
        f"Dashed lines, nDCG of models that predict no ratings: {lines or 'none'}.",
    )
