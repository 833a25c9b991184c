"""For whom and for what models work, from month to month, and under other splits."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from customerlab.figures.recommend.judging import interval, spread
from customerlab.figures.style import GREY, PALETTE, PERCENT, Picture, canvas, styled
from customerlab.wording import shortened

MARKERS = "osD^vPXh"


def _chosen(names: pd.Series, models: list[str] | None) -> list[str]:
    """The models to be shown, as many as there are colours."""
    chosen = list(dict.fromkeys(names)) if models is None else models
    if len(chosen) > len(PALETTE):
        raise ValueError(f"{len(chosen)} models; at most {len(PALETTE)} can be told apart, name them in `models`")
    return chosen


def _legend(figure: Any, axis: Any, columns: int = 4) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=8.5, handletextpad=0.4)


@styled
def cold_start(table: pd.DataFrame, k: int, *, models: list[str] | None = None, task: str = "all") -> Picture:
    """nDCG by the number of orders before the cut.

    Parameters
    ----------
    table : DataFrame
        As `analysis.recommend.by_group` returns it for `history_length`.
    k : int
    models : list of str, optional
        Up to eight; all by default.
    task : str
    """
    table = table[table["task"] == task]
    chosen, groups = _chosen(table["model"], models), list(dict.fromkeys(table["group"]))
    counts = table.groupby("group", observed=True)["customers"].max()
    figure, axis = canvas(height=3.4)
    said = []
    for number, model in enumerate(chosen):
        part = table[table["model"] == model].set_index("group").reindex(groups)
        x = np.arange(len(groups)) + 0.07 * (number - (len(chosen) - 1) / 2)
        axis.errorbar(
            x, part["mean"], yerr=[part["mean"] - part["low"], part["high"] - part["mean"]], color=PALETTE[number],
            marker=MARKERS[number], markersize=5, linewidth=1.4, elinewidth=1, label=model,
        )  # fmt: skip
        said.append(f"{model} " + ", ".join(f"{group} {mean:.3f}" for group, mean in part["mean"].items()))
    axis.set_xticks(np.arange(len(groups)), [f"{group}\n{counts[group]:,} customers" for group in groups])
    axis.set_xlabel("orders before the cut")
    axis.set_ylabel(f"nDCG@{k}, {task}")
    axis.set_ylim(bottom=0)
    _legend(figure, axis)
    return Picture(
        figure, f"nDCG at {k} with 95 % intervals by the number of orders before the cut: {'; '.join(said)}."
    )


@styled
def by_group(table: pd.DataFrame, k: int, *, models: list[str] | None = None, task: str = "all") -> Picture:
    """nDCG by groups of customers, such as RFM segments: a row a group, a mark a model.

    Parameters
    ----------
    table : DataFrame
        As `analysis.recommend.by_group` returns it.
    k : int
    models : list of str, optional
        Up to eight; all by default.
    task : str
    """
    table = table[table["task"] == task]
    chosen, groups = _chosen(table["model"], models), list(dict.fromkeys(table["group"]))
    counts = table.groupby("group", observed=True)["customers"].max()
    figure, axis = canvas(height=1.2 + len(groups) * (0.14 + 0.11 * len(chosen)))
    said = []
    for number, model in enumerate(chosen):
        part = table[table["model"] == model].set_index("group").reindex(groups)
        offset = 0.8 * ((number + 0.5) / len(chosen) - 0.5)
        for place, (_, row) in enumerate(part.iterrows()):
            look = {"marker": MARKERS[number], "label": model if place == 0 else None}
            interval(axis, row["mean"], place + offset, row["low"], row["high"], PALETTE[number], **look)
        said.append(f"{model} " + ", ".join(f"{group} {mean:.3f}" for group, mean in part["mean"].items()))
    for place in range(1, len(groups)):
        axis.axhline(place - 0.5, color="#E4E4E4", linewidth=0.7)
    axis.set_yticks(
        np.arange(len(groups)), [f"{shortened(group, 28)}, {counts[group]:,}" for group in groups], fontsize=8.5
    )
    axis.set_ylim(len(groups) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlim(left=0)
    axis.set_xlabel(f"nDCG@{k}, {task}; behind the groups their customers")
    _legend(figure, axis)
    return Picture(figure, f"nDCG at {k} with 95 % intervals by group of customers: {'; '.join(said)}.")


@styled
def folds(table: pd.DataFrame, k: int, *, models: list[str] | None = None, task: str = "all") -> Picture:
    """nDCG from fold to fold; the last is the test.

    Parameters
    ----------
    table : DataFrame
        As `analysis.recommend.over_folds` returns it.
    k : int
    models : list of str, optional
        Up to eight in colours, the others in grey; the eight best of the last fold by default.
    task : str
    """
    table = table[table["task"] == task]
    last = table[table["fold"] == table["fold"].max()].sort_values("ndcg", ascending=False, kind="stable")
    chosen = _chosen(last["model"], last["model"].tolist()[: len(PALETTE)] if models is None else models)
    others = [model for model in last["model"] if model not in chosen]
    cuts = table.groupby("fold")["cut"].first()
    figure, axis = canvas(height=3.6)
    for model in others:
        part = table[table["model"] == model]
        axis.plot(part["fold"], part["ndcg"], color="#CFCFCF", linewidth=1, zorder=1)
    top = 1.08 * max(table.loc[table["model"].isin(chosen), "ndcg_high"].max(), 0.01)
    ends = last.set_index("model")["ndcg"].reindex(chosen)
    rising = ends.sort_values(kind="stable")
    label_at = dict(zip(rising.index, spread(rising.to_numpy() / top, gap=0.055), strict=True))
    said = []
    for number, model in enumerate(chosen):
        part, color = table[table["model"] == model], PALETTE[number]
        axis.fill_between(part["fold"], part["ndcg_low"], part["ndcg_high"], color=color, alpha=0.1, linewidth=0)
        axis.plot(part["fold"], part["ndcg"], color=color, marker=MARKERS[number], markersize=5, linewidth=1.5)
        axis.annotate(
            f"{model} {ends[model]:.3f}", (part["fold"].iloc[-1], ends[model]), xytext=(1.02, label_at[model]),
            textcoords="axes fraction", fontsize=8, va="center", color=color, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4, "relpos": (0, 0.5)},
        )  # fmt: skip
        said.append(f"{model} " + ", ".join(f"{value:.3f}" for value in part["ndcg"]))
    axis.set_ylim(0, top)
    axis.set_xlim(cuts.index.min() - 0.1, cuts.index.max() + 0.1)
    names = [f"{cut:%Y-%m-%d}" + ("\ntest" if fold == cuts.index.max() else "") for fold, cut in cuts.items()]
    axis.set_xticks(cuts.index, names)
    axis.set_xlabel("cut in time")
    axis.set_ylabel(f"nDCG@{k}, {task}")
    grey = f"; in grey {len(others)} more models" if others else ""
    dates = ", ".join(f"{cut:%Y-%m-%d}" for cut in cuts)
    return Picture(figure, f"nDCG at {k} with 95 % intervals, cut at {dates}: {'; '.join(said)}{grey}.")


@styled
def flattery(table: pd.DataFrame, k: int) -> Picture:
    """nDCG under a split in time and under others, for all products and for discoveries.

    Parameters
    ----------
    table : DataFrame
        As `analysis.recommend.flattery` returns it.
    k : int
    """
    tasks = [task for task in ("all", "explore") if (table["task"] == task).any()]
    ways, models = list(dict.fromkeys(table["split"])), list(dict.fromkeys(table["model"]))
    figure, axes = canvas(height=1.3 + 0.5 * len(models), columns=len(tasks), sharey=True, squeeze=False)
    said = []
    for axis, task in zip(axes[0], tasks, strict=True):
        for number, way in enumerate(ways):
            part = table[(table["task"] == task) & (table["split"] == way)].set_index("model").reindex(models)
            shown = not (task == "all" and way == "random pairs")  # nothing is left to be found again
            offset = 0.7 * ((number + 0.5) / len(ways) - 0.5)
            color = GREY if number == 0 else PALETTE[number - 1]
            for place, row in enumerate(part.itertuples()):
                if shown:
                    interval(axis, row.ndcg, place + offset, row.ndcg_low, row.ndcg_high, color, marker=MARKERS[number])
            axis.plot([], [], color=color, marker=MARKERS[number], linestyle="none", label=way)
            if shown:
                listed = ", ".join(f"{row.Index} {row.ndcg:.3f}" for row in part.dropna(subset="ndcg").itertuples())
                said.append(f"{task}, {way}: {listed}")
        for place in range(1, len(models)):
            axis.axhline(place - 0.5, color="#E4E4E4", linewidth=0.7)
        axis.set_yticks(np.arange(len(models)), models, fontsize=8.5)
        axis.set_ylim(len(models) - 0.5, -0.5)
        axis.grid(axis="y", visible=False)
        axis.set_xlim(left=0)
        axis.set_title(task)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.set_xlabel(f"nDCG@{k}")
    _legend(figure, axes[0][0])
    return Picture(figure, f"nDCG at {k} with 95 % intervals under {len(ways)} ways of splitting. {'; '.join(said)}.")


@styled
def popularity_bands(table: pd.DataFrame, k: int, *, models: list[str] | None = None) -> Picture:
    """Recall of what was bought, by the popularity of the product.

    Parameters
    ----------
    table : DataFrame
        As `analysis.recommend.by_popularity` returns it.
    k : int
    models : list of str, optional
        Up to eight; all by default.
    """
    chosen, bands = _chosen(table["model"], models), list(dict.fromkeys(table["band"]))
    sizes = table.drop_duplicates("band").set_index("band")
    figure, axis = canvas(height=3.4)
    said = []
    for number, model in enumerate(chosen):
        part = table[table["model"] == model].set_index("band").reindex(bands)
        x = np.arange(len(bands)) + 0.08 * (number - (len(chosen) - 1) / 2)
        axis.errorbar(
            x, part["recall"], yerr=[part["recall"] - part["low"], part["high"] - part["recall"]],
            color=PALETTE[number], marker=MARKERS[number], markersize=5, linestyle="none", elinewidth=1.2, label=model,
        )  # fmt: skip
        said.append(f"{model} " + ", ".join(f"{band} {value:.3f}" for band, value in part["recall"].items()))
    names = [f"{band}\n{sizes['products'][band]:,} products\n{sizes['bought'][band]:,.0f} bought" for band in bands]
    axis.set_xticks(np.arange(len(bands)), names)
    axis.grid(axis="x", visible=False)
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set_ylabel(f"found on lists of {k}")
    _legend(figure, axis)
    return Picture(figure, f"Recall at {k} with 95 % intervals by the popularity of the product: {'; '.join(said)}.")
