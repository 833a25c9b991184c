"""Figures of model selection: number of clusters, gates, variance explained."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from customerlab.analysis.clustering.methods import ONE_GROUP, method_of
from customerlab.analysis.clustering.past import spoken
from customerlab.figures.marks import cells
from customerlab.figures.style import BLUE, GREY, ORANGE, PERCENT, RED, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short

INTERVAL = 1.96  # standard errors to either side
PANELS = {
    "inertia": ("Inertia", "", "inertia"),
    "silhouette": ("Silhouette", "silhouette_error", "silhouette"),
    "davies_bouldin": ("Davies–Bouldin", "", "Davies–Bouldin"),
    "calinski_harabasz": ("Calinski–Harabasz", "", "Calinski–Harabasz"),
    "gap": ("Gap statistic", "gap_error", "gap statistic"),
    "bic": ("BIC of mixtures", "", "BIC of mixtures"),
    "prediction_strength": ("Prediction strength", "", "prediction strength"),
}
FAILS, PASSES = "#F6C9A8", "#BFDDF0"  # tints of orange and blue, told apart by colour-blind readers


@styled
def number_of_clusters(table: pd.DataFrame, preferred: pd.DataFrame) -> Picture:
    """Seven panels of an index by number of clusters, and an eighth with the number of indices that prefer each."""
    figure, axes = canvas(height=4.6, rows=2, columns=4, width=9.0)
    votes = preferred.set_index("index")
    said = []
    for axis, (column, (title, error, name)) in zip(axes.ravel(), PANELS.items(), strict=False):
        known = table.dropna(subset=[column])
        axis.plot(known["clusters"], known[column], color=BLUE, marker="o", markersize=3.5, linewidth=1.3)
        if error:
            reach = (INTERVAL if column == "silhouette" else 1) * known[error]
            axis.fill_between(known["clusters"], known[column] - reach, known[column] + reach, color=BLUE, alpha=0.2)
        if column == "prediction_strength":
            axis.axhline(0.8, color=GREY, linestyle="--", linewidth=1)
            axis.set_ylim(0, 1.05)
        for chosen in votes.loc[[name], "clusters"].dropna().astype(int):
            value = known.set_index("clusters")[column].get(chosen, np.nan)
            axis.plot(chosen, value, "o", color=RED, markersize=9, fillstyle="none", markeredgewidth=2)
            said.append(f"{title} {chosen}")
        axis.set_title(title, fontsize=9.5)
        _whole(axis, table["clusters"])
        axis.yaxis.set_major_formatter(SHORT)
    counts = votes["clusters"].dropna().value_counts().reindex(table["clusters"], fill_value=0)
    last = axes.ravel()[-1]
    last.bar(counts.index, counts.to_numpy(dtype=float), color=GREY, width=0.6)
    last.set_title("Indices that prefer it", fontsize=9.5)
    last.set_yticks(range(int(counts.max()) + 1))
    _whole(last, table["clusters"])
    for axis in axes[1]:
        axis.set_xlabel("clusters")
    low, high = table["clusters"].min(), table["clusters"].max()
    return Picture(
        figure,
        f"Seven line charts over {low} to {high} clusters, the preferred number circled, and a bar chart of the "
        f"preferences. Preferred numbers: {', '.join(said)}.",
    )


def _whole(axis: Axes, clusters: pd.Series) -> None:
    axis.set_xticks(clusters.to_numpy()[:: max(1, len(clusters) // 8)])


@styled
def gates(table: pd.DataFrame, also: str = "") -> Picture:
    """Which gates the best candidate of each method passes, and the candidate `also`; one column per test.

    `table` is what `clustering.gate_results` returns; its last column, which is no gate, is left out.
    """
    methods = table["candidate"].map(method_of)
    rows = table[(~methods.duplicated() | (table["candidate"] == also)) & (methods != ONE_GROUP)]
    texts = rows.drop(columns=["candidate", "verdict"]).iloc[:, :-1]
    passed = texts.map(lambda said: 1.0 if said.endswith("✓") else 0.0 if said.endswith("✗") else np.nan)
    figure, axis = canvas(height=1.0 + 0.34 * len(rows))
    axis.set_facecolor("#EEEEEE")
    cells(axis, passed.to_numpy(), texts.to_numpy(), size=9, cmap=ListedColormap([FAILS, PASSES]), vmin=0, vmax=1)
    axis.set_yticks(
        range(len(rows)),
        [f"{name}: {verdict}" for name, verdict in zip(rows["candidate"], rows["verdict"], strict=True)],
    )
    axis.set_xticks(range(texts.shape[1]), [textwrap.fill(str(name), 10) for name in texts], fontsize=8.5)
    axis.xaxis.tick_top()
    axis.set_xticks(np.arange(texts.shape[1] - 1) + 0.5, minor=True)
    axis.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=2)
    axis.tick_params(which="both", length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    first, own = rows.iloc[0], passed.iloc[0]
    failed = ", ".join(f"{name} {texts.iloc[0][name]}" for name in own.index[own == 0]) or "none"
    return Picture(
        figure,
        f"Matrix of {len(rows)} candidates by {texts.shape[1]} results at the gates, passed, failed or neither. First is "
        f"{first['candidate']} ({first['verdict']}); marked as failed: {failed}.",
    )


@styled
def variance_explained(table: pd.DataFrame, shown: Sequence[str]) -> Picture:
    """The share of variance of each outcome that the shown groupings explain, with intervals; baselines in orange."""
    outcomes = list(dict.fromkeys(table["outcome"]))
    figure, axes = canvas(height=0.9 + 0.3 * len(shown), width=8.2, columns=len(outcomes), sharey=True, squeeze=False)
    said = []
    for axis, outcome in zip(axes[0], outcomes, strict=True):
        rows = table[table["outcome"] == outcome].set_index("grouping").loc[list(shown)]
        places = np.arange(len(rows))
        colours = np.where(rows["rival"].isna(), ORANGE, BLUE).tolist()
        axis.hlines(places, rows["low"], rows["high"], color=colours, linewidth=2)
        axis.scatter(rows["predicted"], places, c=colours, s=25)
        axis.axvline(rows["predicted"].iloc[0], color=GREY, linestyle="--", linewidth=1)
        axis.set_title(spoken(outcome), fontsize=9.5)
        axis.xaxis.set_major_formatter(PERCENT)
        axis.set_xlabel("variance explained")
        axis.set_yticks(places, rows.index)
        listed = rows["predicted"].iloc[:4].map(percent).to_dict().items()
        said.append(f"{spoken(outcome)}: {', '.join(f'{name} {share}' for name, share in listed)}")
    axes[0, 0].invert_yaxis()
    return Picture(
        figure,
        f"Dots with intervals: the share of variance that {len(shown)} groupings explain. {'; '.join(said)}.",
    )


@styled
def neighbour_distances(distances: np.ndarray, eps: float, neighbours: int) -> Picture:
    """The sorted distances to the k-th neighbour, with the radius that DBSCAN takes from their knee."""
    figure, axis = canvas(height=2.6)
    axis.plot(np.arange(len(distances)) / max(len(distances) - 1, 1), distances, color=BLUE)
    axis.axhline(eps, color=RED, linewidth=1.2)
    axis.annotate(f"eps = {short(eps)}", (0.02, eps), xytext=(0, 4), textcoords="offset points", color=RED)
    axis.xaxis.set_major_formatter(PERCENT)
    axis.set(xlabel="customers, densest neighbourhood first", ylabel=f"distance to neighbour {neighbours}")
    beyond = float((distances > eps).mean())
    return Picture(
        figure,
        f"Rising curve of each customer's distance to neighbour {neighbours}, the customer itself being the first, from "
        f"{distances[0]:.2f} to {distances[-1]:.2f}. The knee is at {eps:.2f}; {percent(beyond)} of customers lie beyond it.",
    )
