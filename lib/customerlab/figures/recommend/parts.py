"""Results by group of customers and popularity of products, over time, and under leaky splits."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from customerlab.figures.recommend.judging import MARKERS, interval, pointed, spread
from customerlab.figures.style import GREY, PALETTE, PERCENT, Picture, canvas, styled
from customerlab.formats import shortened

FEW = "too few to tell"


def _chosen(names: pd.Series, models: list[str] | None) -> list[str]:
    """The models to be shown, as many as there are colours."""
    chosen = list(dict.fromkeys(names)) if models is None else models
    if len(chosen) > len(PALETTE):
        raise ValueError(f"{len(chosen)} models; at most {len(PALETTE)} can be told apart, name them in `models`")
    return chosen


def _legend(figure: Any, axis: Any) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=8.5, handletextpad=0.4)


def _columns(axis: Any, table: pd.DataFrame, by: str, value: str, models: list[str], apart: float, **look: Any) -> str:
    """One mark with its interval per group and model, where there is one; returns what they show, in words."""
    groups, said = list(dict.fromkeys(table[by])), []
    for number, model in enumerate(models):
        part = table[table["model"] == model].set_index(by).reindex(groups)
        part[value] = part[value].where(part["low"].notna())
        axis.errorbar(
            np.arange(len(groups)) + apart * (number - (len(models) - 1) / 2), part[value],
            yerr=[part[value] - part["low"], part["high"] - part[value]], color=PALETTE[number],
            marker=MARKERS[number], markersize=5, label=model, **look,
        )  # fmt: skip
        said.append(f"{model} {_listed(part[value])}")
    axis.set_xlim(-0.5, len(groups) - 0.5)  # also where a group has no mark
    return "; ".join(said)


def _listed(values: pd.Series) -> str:
    """Groups with their values, in words."""
    return ", ".join(f"{group} {FEW if pd.isna(value) else f'{value:.3f}'}" for group, value in values.items())


def _rows(axis: Any, labels: list[str]) -> None:
    """A labelled row for each group of marks, with lines between them."""
    for place in range(1, len(labels)):
        axis.axhline(place - 0.5, color="#E4E4E4", linewidth=0.7)
    axis.set_yticks(np.arange(len(labels)), labels, fontsize=8.5)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlim(left=0)


def _few(table: pd.DataFrame, group: str, by: str = "group") -> str:
    """What the label of a group adds where no model has an interval."""
    return "" if table.loc[table[by] == group, "low"].notna().any() else f"\n{FEW}"


@styled
def cold_start(table: pd.DataFrame, k: int, *, models: list[str] | None = None, task: str = "all") -> Picture:
    """nDCG by the number of orders before the split date: `analysis.recommend.by_group` for `history_length`."""
    table = table[table["task"] == task]
    chosen, groups = _chosen(table["model"], models), list(dict.fromkeys(table["group"]))
    counts = table.groupby("group", observed=True)["customers"].max()
    figure, axis = canvas(height=3.4)
    said = _columns(axis, table, "group", "mean", chosen, 0.07, linewidth=1.4, elinewidth=1)
    axis.set_xticks(
        np.arange(len(groups)), [f"{group}\n{counts[group]:,} customers{_few(table, group)}" for group in groups]
    )
    axis.set_xlabel("orders before the split date")
    axis.set_ylabel(f"nDCG@{k}, {task}")
    axis.set_ylim(bottom=0)
    _legend(figure, axis)
    return Picture(figure, f"nDCG at {k} with 95% intervals by the number of orders before the split date: {said}.")


@styled
def by_group(table: pd.DataFrame, k: int, *, models: list[str] | None = None, task: str = "all") -> Picture:
    """nDCG of `analysis.recommend.by_group`, such as by RFM segments: one row per group, one mark per model."""
    table = table[table["task"] == task]
    chosen, groups = _chosen(table["model"], models), list(dict.fromkeys(table["group"]))
    counts = table.groupby("group", observed=True)["customers"].max()
    figure, axis = canvas(height=1.2 + len(groups) * (0.14 + 0.11 * len(chosen)))
    said = []
    for number, model in enumerate(chosen):
        part = table[table["model"] == model].set_index("group").reindex(groups)
        offset = 0.8 * ((number + 0.5) / len(chosen) - 0.5)
        told = part["mean"].where(part["low"].notna())
        for place, (_, row) in enumerate(part.iterrows()):
            look = {"marker": MARKERS[number], "label": model if place == 0 else None}
            interval(axis, told.iloc[place], place + offset, row["low"], row["high"], PALETTE[number], **look)
        said.append(f"{model} {_listed(told)}")
    _rows(axis, [f"{shortened(group, 28)}, {counts[group]:,}{_few(table, group)}" for group in groups])
    axis.set_xlabel(f"nDCG@{k}, {task}; number of customers after each group")
    _legend(figure, axis)
    return Picture(figure, f"nDCG at {k} with 95% intervals by group of customers: {'; '.join(said)}.")


@styled
def folds(table: pd.DataFrame, k: int, *, task: str = "all") -> Picture:
    """nDCG of `analysis.recommend.over_folds`, in colours the eight best of the last window, the test."""
    table = table[table["task"] == task]
    last = table[table["fold"] == table["fold"].max()].sort_values("ndcg", ascending=False, kind="stable")
    chosen, others = last["model"].tolist()[: len(PALETTE)], last["model"].tolist()[len(PALETTE) :]
    dates = table.groupby("fold")["split_date"].first()
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
        end = (part["fold"].iloc[-1], ends[model])
        named = f"{model} {ends[model]:.3f}"
        line = {"color": color, "linewidth": 0.5, "shrinkB": 4}
        pointed(axis, named, end, (1.02, label_at[model]), line, color=color)
        said.append(f"{model} " + ", ".join(f"{value:.3f}" for value in part["ndcg"]))
    axis.set_ylim(0, top)
    axis.set_xlim(dates.index.min() - 0.1, dates.index.max() + 0.1)
    names = [f"{date:%Y-%m-%d}" + ("\ntest" if fold == dates.index.max() else "") for fold, date in dates.items()]
    axis.set_xticks(dates.index, names)
    axis.set_xlabel("split date")
    axis.set_ylabel(f"nDCG@{k}, {task}")
    grey = f"; in grey {len(others)} more models" if others else ""
    days = ", ".join(f"{date:%Y-%m-%d}" for date in dates)
    return Picture(figure, f"nDCG at {k} with 95% intervals, split at {days}: {'; '.join(said)}{grey}.")


@styled
def leaky_splits(table: pd.DataFrame, k: int) -> Picture:
    """nDCG of `analysis.recommend.leaky_splits`, for all products and for new items."""
    tasks = [task for task in ("all", "explore") if (table["task"] == task).any()]
    ways, models = list(dict.fromkeys(table["split"])), list(dict.fromkeys(table["model"]))
    figure, axes = canvas(height=1.3 + 0.5 * len(models), columns=len(tasks), sharey=True, squeeze=False)
    said = []
    for axis, task in zip(axes[0], tasks, strict=True):
        for number, way in enumerate(ways):
            part = table[(table["task"] == task) & (table["split"] == way)].set_index("model").reindex(models)
            shown = not (task == "all" and way == "random pairs")  # no repeat purchases are left
            offset = 0.7 * ((number + 0.5) / len(ways) - 0.5)
            color = GREY if number == 0 else PALETTE[number - 1]
            for place, row in enumerate(part.itertuples()):
                if shown:
                    interval(axis, row.ndcg, place + offset, row.ndcg_low, row.ndcg_high, color, marker=MARKERS[number])
            axis.plot([], [], color=color, marker=MARKERS[number], linestyle="none", label=way)
            if shown:
                listed = ", ".join(f"{row.Index} {row.ndcg:.3f}" for row in part.dropna(subset="ndcg").itertuples())
                said.append(f"{task}, {way}: {listed}")
        _rows(axis, models)
        axis.set_title(task)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.set_xlabel(f"nDCG@{k}")
    _legend(figure, axes[0][0])
    return Picture(figure, f"nDCG at {k} with 95% intervals under {len(ways)} splits. {'; '.join(said)}.")


@styled
def popularity_bands(table: pd.DataFrame, k: int, *, models: list[str] | None = None) -> Picture:
    """Recall by the popularity of the product: `analysis.recommend.by_popularity`."""
    chosen, bands = _chosen(table["model"], models), list(dict.fromkeys(table["band"]))
    sizes = table.drop_duplicates("band").set_index("band")
    figure, axis = canvas(height=3.4)
    said = _columns(axis, table, "band", "recall", chosen, 0.08, linestyle="none", elinewidth=1.2)
    names = [
        f"{band}\n{sizes['products'][band]:,} products\n{sizes['bought'][band]:,.0f} bought{_few(table, band, 'band')}"
        for band in bands
    ]
    axis.set_xticks(np.arange(len(bands)), names)
    axis.grid(axis="x", visible=False)
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set_ylabel(f"recall@{k}")
    _legend(figure, axis)
    return Picture(figure, f"Recall at {k} with 95% intervals by the popularity of the product: {said}.")
