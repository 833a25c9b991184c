"""Accuracy of models, differences to the baseline, and accuracy against popularity."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from customerlab.figures.style import BLUE, GREY, PALETTE, RED, Picture, canvas, styled

ROW = 0.22  # inches per model
MARKERS = "osD^vPXh"


def interval(axis: Any, value: float, place: float, low: float, high: float, color: str, **look: Any) -> None:
    """A mark with its interval, lying."""
    axis.plot([low, high], [place, place], color=color, linewidth=1.4, solid_capstyle="butt", zorder=2)
    axis.plot(value, place, color=color, linestyle="none", **({"marker": "o", "markersize": 5, "zorder": 3} | look))


def pointed(
    axis: Any, text: str, at: tuple[float, float], place: tuple[float, float], line: dict[str, Any], **look: Any
) -> None:
    """A name beside the axes, with a line to its mark."""
    arrow = {"arrowstyle": "-", "shrinkA": 0, "relpos": (0, 0.5)} | line
    shared = {"textcoords": "axes fraction", "fontsize": 8, "va": "center", "annotation_clip": False}
    axis.annotate(text, at, xytext=place, arrowprops=arrow, **shared, **look)


@styled
def ndcg(summary: pd.DataFrame, k: int) -> Picture:
    """nDCG of `analysis.recommend.summary`, one panel per task; models in all by falling nDCG in the first."""
    tasks = list(dict.fromkeys(summary["task"]))
    first = summary[summary["task"] == tasks[0]].sort_values("ndcg", ascending=False, kind="stable")
    models = first["model"].tolist()
    figure, axes = canvas(height=1.1 + ROW * len(models), columns=len(tasks), sharey=True, squeeze=False)
    said = []
    for axis, task in zip(axes[0], tasks, strict=True):
        part = summary[summary["task"] == task].set_index("model").reindex(models)
        best = part["ndcg"].max()
        for place, row in enumerate(part.itertuples()):
            color = RED if np.isclose(row.ndcg, best, rtol=0, atol=1e-9) else BLUE
            interval(axis, row.ndcg, place, row.ndcg_low, row.ndcg_high, color)
            axis.annotate(
                f"{row.ndcg:.3f}", (1.0, place), xycoords=("axes fraction", "data"), xytext=(-1, 0),
                textcoords="offset points", ha="right", va="center", fontsize=8, color=color,
            )  # fmt: skip
        axis.set_yticks(np.arange(len(models)), models, fontsize=8.5)
        axis.set_ylim(len(models) - 0.4, -0.6)
        axis.set_xlim(0, 1.32 * max(part["ndcg_high"].max(), 0.01))
        axis.set_title(f"{task}\n{part['customers'].max():,.0f} customers", fontsize=9.5)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.set_xlabel(f"nDCG@{k}")
        said.append(f"{task}: " + ", ".join(f"{row.Index} {row.ndcg:.3f}" for row in part.itertuples()))
    return Picture(figure, f"Dot plots of nDCG at {k} with 95% intervals, one panel per task. {'; '.join(said)}.")


@styled
def differences(table: pd.DataFrame, k: int) -> Picture:
    """Differences of `analysis.recommend.against`; filled markers are significant after Holm's adjustment."""
    baseline = table["other"].iloc[0]
    figure, axis = canvas(height=1.1 + ROW * len(table))
    axis.axvline(0, color=GREY, linewidth=1)
    said = []
    for place, (_, row) in enumerate(table.iterrows()):
        sure = row["p_holm"] < 0.05
        color = (BLUE if row["difference"] > 0 else RED) if sure else GREY
        interval(
            axis, row["difference"], place, row["low"], row["high"], color, markerfacecolor=color if sure else "white"
        )
        axis.annotate(
            f"{row['difference']:+.3f}", (1.0, place), xycoords=("axes fraction", "data"), xytext=(2, 0),
            textcoords="offset points", va="center", fontsize=8, color=color, annotation_clip=False,
        )  # fmt: skip
        said.append(f"{row['model']} {row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})")
    axis.set_yticks(np.arange(len(table)), table["model"], fontsize=8.5)
    axis.set_ylim(len(table) - 0.4, -0.6)
    axis.set_xlabel(
        f"nDCG@{k} minus that of {baseline}, {table['customers'].iloc[0]:,} customers\n"
        f"filled markers: significant (Holm, {len(table)} comparisons)"
    )
    return Picture(
        figure,
        f"Differences of nDCG at {k} to {baseline} with simultaneous 95% intervals (Bonferroni over {len(table)} "
        f"comparisons): {'; '.join(said)}.",
    )


@styled
def popularity_and_accuracy(
    summary: pd.DataFrame, beyond: pd.DataFrame, k: int, *, models: list[str], task: str = "all"
) -> Picture:
    """nDCG over popularity lift, by `summary` and `beyond`; some models by name, the others in grey."""
    found = summary[summary["task"] == task].set_index("model")
    table = beyond.set_index("model").join(found[["ndcg"]]).sort_values("ndcg", ascending=False, kind="stable")
    others = table.drop(models)
    figure, axis = canvas(height=3.6)
    axis.axvline(0, color=GREY, linewidth=1)
    for (model, row), color, marker in zip(table.loc[models].iterrows(), PALETTE, MARKERS, strict=False):
        axis.plot(row["popularity"], row["ndcg"], marker, markersize=7, color=color, label=model)
    rest = {"markersize": 5, "color": "#C4C4C4", "zorder": 1, "label": f"{len(others)} others"}
    axis.plot(others["popularity"], others["ndcg"], "o", **rest)
    figure.legend(loc="outside upper left", ncols=4, fontsize=8.5, handletextpad=0.4)
    axis.set_ylim(0, 1.08 * max(table["ndcg"].max(), 0.01))
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}" if value else "0%")
    axis.set_xlabel("popularity lift (list relative to the customer's history)")
    axis.set_ylabel(f"nDCG@{k}, {task}")
    said = ", ".join(f"{name} {row.popularity:+.0%} and {row.ndcg:.3f}" for name, row in table.iterrows())
    return Picture(figure, f"Popularity lift of the lists, and nDCG at {k}: {said}.")


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Places from 0 to 1 near the wanted ones (rising), none closer than a gap.

    Examples
    --------
    >>> spread(np.array([0.1, 0.1, 0.9]), 0.2).round(2).tolist()
    [0.1, 0.3, 0.9]
    """
    steps = np.arange(len(wanted)) * gap
    up = np.maximum.accumulate(wanted - steps) + steps
    back = 1.0 - steps[::-1]  # where the last is at the top
    return np.minimum(up, back)
