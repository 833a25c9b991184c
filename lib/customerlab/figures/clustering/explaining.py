"""Figures of clusters: profiles, silhouettes, agreement with other groupings, and two projections of customers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.analysis.clustering.explain import is_level
from customerlab.analysis.clustering.models import NOISE
from customerlab.analysis.clustering.views import Views
from customerlab.analysis.disclosure import hidden, hidden_cells
from customerlab.figures.marks import cells, scale, share_of_row, slanted, withheld
from customerlab.figures.style import GREY, PALETTE, PERCENT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened

NOISE_COLOUR = "#BBBBBB"
MARKERS = ("o", "x")  # the second for clusters beyond the colours
MOST_COLUMNS = 8  # features beside each other; more stand in panels below
DIVERGING = "PuOr_r"  # told apart by colour-blind readers, and of no side that looks better


def colour(cluster: int) -> str:
    """The colour of a cluster, the same in all figures; it begins anew after eight."""
    return NOISE_COLOUR if cluster == NOISE else PALETTE[(cluster - 1) % len(PALETTE)]


def marker(cluster: int) -> str:
    """The marker of a cluster: another one where colours begin anew."""
    return MARKERS[0] if cluster == NOISE else MARKERS[(cluster - 1) // len(PALETTE) % len(MARKERS)]


def title(cluster: int, names: Sequence[str] = ()) -> str:
    """A cluster's number, and its name where it has one."""
    if cluster == NOISE:
        return "noise"
    return f"{cluster}  {shortened(names[cluster - 1], 40)}" if len(names) else f"{cluster}"


@styled
def heat_map(profile: pd.DataFrame, contrast: pd.DataFrame, names: Sequence[str] = ()) -> Picture:
    """Medians of each cluster in original units, coloured by the probability of superiority over all other customers.

    It shows the same profile as a snake plot, with values that can be read and without lines that cross.

    `profile` and `contrast` are of the same clusters and features; `names` are those of the clusters, by number.
    """
    features = [str(column) for column in contrast if column != "cluster"]
    values, away = profile[features].to_numpy(), contrast[features].to_numpy()
    clusters, shares = profile["cluster"].tolist(), profile["share"].tolist()
    texts = [[_unit(feature, float(value)) for feature, value in zip(features, row, strict=True)] for row in values]
    heads = [f"{title(cluster, names)} ({percent(share)})" for cluster, share in zip(clusters, shares, strict=True)]
    panels = -(-len(features) // MOST_COLUMNS)
    figure, axes = canvas(height=0.9 + panels * (0.8 + 0.32 * len(clusters)), rows=panels, squeeze=False)
    for axis, places in zip(axes[:, 0], np.array_split(np.arange(len(features)), panels), strict=True):
        image = cells(axis, away[:, places], np.array(texts)[:, places], cmap=DIVERGING, vmin=0, vmax=1)
        said = [shortened(_spoken(features[place]), 26) for place in places]
        turn = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(places) > 5 else {}
        axis.set_xticks(range(len(places)), said, **turn)
        axis.set_yticks(range(len(clusters)), heads)
        if len(clusters) > 1 and clusters[-1] == NOISE:
            axis.axhline(len(clusters) - 1.5, color="white", linewidth=4)  # a gap before the noise, which is no cluster
        _plain(axis)
    bar = figure.colorbar(image, ax=axes[0, 0], location="top", fraction=0.06, pad=0.03, aspect=60, ticks=[0, 0.5, 1])
    ends = bar.ax.set_xticklabels(["lower than all others", "no difference", "higher than all others"])
    for label, side in zip(ends, ("left", "center", "right"), strict=True):
        label.set(horizontalalignment=side)
    bar.ax.tick_params(labelsize=8.5)
    bar.outline.set_visible(False)
    strongest = np.argsort(-np.abs(away - 0.5), axis=1, kind="stable")[:, :3]
    listed = "; ".join(
        f"{head}: " + ", ".join(f"{_spoken(features[place])} {texts[row][place]}" for place in sorted(best))
        for row, (head, best) in enumerate(zip(heads, strongest.tolist(), strict=True))
    )
    begin = f"Heat map of medians, {_some(len(clusters), 'row')} of clusters by {_some(len(features), 'feature')}"
    which = "" if len(features) <= 3 else ", for each its three most distinctive features"
    return Picture(figure, f"{begin}{which}. {listed}.")


@styled
def silhouettes(table: pd.DataFrame, names: Sequence[str] = ()) -> Picture:
    """Silhouette plot (Rousseeuw 1987): the silhouettes of each cluster, sorted, the first cluster on top.

    `table` is what `clustering.silhouettes` returns, of the clusters that may be shown.
    """
    groups = {n: np.sort(table.loc[table["cluster"] == n, "silhouette"])[::-1] for n in sorted(set(table["cluster"]))}
    mean, gap = float(table["silhouette"].mean()), max(1, len(table) // 60)
    figure, axis = canvas(height=1.3 + 0.55 * len(groups))
    begin, middles, heads, listed = 0, [], [], []
    for cluster, own in groups.items():
        axis.fill_betweenx(np.arange(begin, begin + len(own)), 0, own, color=colour(cluster), linewidth=0, step="mid")
        middles.append(begin + len(own) / 2)
        below = float((own < 0).mean())
        heads.append(f"{title(cluster, names)}\nmean {own.mean():.2f}, {percent(below)} below 0")
        listed.append(f"cluster {cluster} {own.mean():.2f} ({percent(below)} below zero)")
        begin += len(own) + gap
    axis.axvline(mean, color="black", linestyle="--", linewidth=1)
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.annotate(
        f"mean {mean:.2f}", (mean, -gap), xytext=(4, 0), textcoords="offset points", va="bottom", fontsize=8.5
    )
    axis.set_yticks(middles, heads, fontsize=8.5)
    axis.set_ylim(begin, -3 * gap)
    axis.set_xlabel("silhouette of each customer (below 0: closer to another cluster)")
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    return Picture(
        figure, f"Silhouette plot of {len(table):,} customers. Mean {mean:.2f}; by cluster: {', '.join(listed)}."
    )


@styled
def contingency(table: pd.DataFrame, names: Sequence[str] = (), smallest: int = 1) -> Picture:
    """Distribution of each cluster, and of all customers, over named segments; as `clustering.contingency` returns it.

    Clusters of fewer than `smallest` customers are left out and such cells hatched, with others that would reveal them.
    """
    counts = table.mul(table.index.get_level_values("customers"), axis=0).round()
    table = table[~hidden(counts.sum(axis=1), smallest)]
    few = hidden_cells(counts.loc[table.index], smallest)
    clusters, sizes = (table.index.get_level_values(level).to_numpy() for level in ("cluster", "customers"))
    together = sizes @ table.to_numpy() / sizes.sum()
    shares = np.vstack([table.mask(few).to_numpy(), together])
    figure, axis = canvas(height=1.7 + 0.32 * len(shares))
    texts = [["0" if share == 0 else share_of_row(share) for share in row] for row in shares]
    image = cells(axis, shares, texts, size=8, cmap="Blues", vmin=0, vmax=1)
    withheld(axis, few)
    said = [title(cluster, names) for cluster in clusters]
    heads = [f"{text} ({size:,})" for text, size in zip(said, sizes, strict=True)]
    axis.set_yticks(range(len(shares)), [*heads, f"all of these ({sizes.sum():,})"])
    slanted(axis, (shortened(str(name), 26) for name in table))
    axis.axhline(len(table) - 0.5, color="white", linewidth=4)
    axis.set_ylabel("cluster")
    _plain(axis)
    scale(figure, image, axis, "share of the cluster's customers", format=PERCENT)
    most = table.to_numpy().argmax(axis=1)
    listed = "; ".join(
        f"{text}: {percent(share)} {table.columns[place]}"
        for text, place, share in zip(said, most, table.to_numpy().max(axis=1).tolist(), strict=True)
    )
    begin = f"Heat map of {_some(len(table), 'cluster')} by {_some(table.shape[1], 'segment')}"
    return Picture(figure, f"{begin}, in shares of each cluster. The largest part of each: {listed}.")


@styled
def agreement(table: pd.DataFrame) -> Picture:
    """A matrix of `clustering.agreement`: adjusted Rand index below the diagonal, mutual information above it."""
    names = list(dict.fromkeys([*table["one"], *table["other"]]))
    one, other = (table[column].map(names.index).to_numpy() for column in ("one", "other"))
    values = np.full((len(names), len(names)), np.nan)
    values[other, one], values[one, other] = table["adjusted_rand"], table["adjusted_mutual_information"]
    figure, axis = canvas(width=min(7.6, 3.9 + 0.5 * len(names)), height=1.9 + 0.4 * len(names))
    axis.set_facecolor("#EEEEEE")
    # without the sign that rounding leaves to a zero
    texts = [[f"{value:.2f}".replace("-0.00", "0.00") if np.isfinite(value) else "" for value in row] for row in values]
    image = cells(axis, values, texts, vmin=0, vmax=1)
    labels = [shortened(name, 26) for name in names]
    slanted(axis, labels)
    axis.set_yticks(range(len(names)), labels)
    axis.set_title("below: adjusted Rand · above: adjusted mutual information", fontsize=9, fontweight="normal")
    _plain(axis)
    scale(figure, image, axis, "0 chance, 1 identical groups", pad=0.02)
    listed = "; ".join(
        f"{row.one} and {row.other} {row.adjusted_rand:.2f} and {row.adjusted_mutual_information:.2f}"
        for row in table.itertuples()
    )
    return Picture(figure, f"Matrix of agreement, adjusted Rand index and adjusted mutual information. {listed}.")


@styled
def views(found: Views, labels: np.ndarray, features: Sequence[str]) -> Picture:
    """Customers by principal components and by UMAP, in the colours of their clusters.

    `labels` are those of all points, not only of those shown; `features` are in the order of the points' columns.
    """
    shown = np.asarray(labels)[found.rows]
    figure, axes = canvas(height=3.9, columns=1 if found.umap is None else 2, squeeze=False)
    first = axes[0, 0]
    _scatter(first, found.pca, shown)
    first.set_title("Principal components (illustration only)", fontsize=9.5)
    told = [_component(found, number, features) for number in (0, 1)]
    for name, (share, made_of) in zip((first.set_xlabel, first.set_ylabel), told, strict=True):
        name(f"{share} of the variance\n{made_of}", fontsize=8.5)
    first.tick_params(labelsize=8)
    if found.umap is not None:
        second = axes[0, 1]
        _scatter(second, found.umap, shown)
        second.set_title("UMAP (illustration only)", fontsize=9.5)
        second.set(xticks=[], yticks=[])
        second.set_xlabel("only neighbourhoods are meaningful,\nnot axes, distances or areas", fontsize=8.5)
    clusters = np.unique(shown[shown != NOISE])
    noise = f", {percent(float(np.mean(shown == NOISE)))} noise" if (shown == NOISE).any() else ""
    sizes = ", ".join(f"{cluster}: {(shown == cluster).sum():,}" for cluster in clusters) or "none"
    return Picture(
        figure,
        f"Scatter plots of {len(shown):,} of {len(labels):,} customers, for illustration only, by two principal components "
        f"({told[0][0]} and {told[1][0]} of the variance of all; the first is {told[0][1]}; the second is {told[1][1]})"
        f"{'' if found.umap is None else ' and by UMAP'}. Customers shown by cluster: {sizes}{noise}.",
    )


def _component(found: Views, number: int, features: Sequence[str]) -> tuple[str, str]:
    """The share of variance of a component, and the three features that make it."""
    loadings = found.loadings[:, number]
    order = np.argsort(-np.abs(loadings), kind="stable")[:3]
    parts = [
        f"{'+' if loadings[place] > 0 else '−'} {shortened(_spoken(features[place]), 16)}"
        for place in order
        if abs(loadings[place]) >= 0.2
    ]
    return percent(round(float(found.explained[number]), 4)), " ".join(parts) or "nothing"


def _scatter(axis: Axes, places: np.ndarray, labels: np.ndarray) -> None:
    """Points in the colours of their clusters, and each cluster's number on one of its middle points."""
    size = float(np.clip(6000 / len(labels), 5, 30))
    noise = labels == NOISE
    axis.scatter(places[noise, 0], places[noise, 1], c=NOISE_COLOUR, s=size * 0.6, alpha=0.7, linewidths=0)
    # in a fixed but mixed order, so that no cluster lies on top only because it comes last
    order = np.random.default_rng(0).permutation(np.flatnonzero(~noise))
    for shape in MARKERS:
        drawn = order[[marker(cluster) == shape for cluster in labels[order]]]
        colours = [colour(cluster) for cluster in labels[drawn]]
        look: Any = {"s": size, "alpha": 0.65, "linewidths": 0 if shape == "o" else 0.9, "marker": shape}
        axis.scatter(places[drawn, 0], places[drawn, 1], c=colours, **look)
    for cluster, place in _middles(places, labels).items():
        axis.annotate(
            f"{cluster}", (place[0], place[1]), ha="center", va="center", fontsize=8, fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": colour(cluster), "linewidth": 1.6},
        )  # fmt: skip
    axis.grid(visible=False)


def _middles(places: np.ndarray, labels: np.ndarray) -> dict[int, np.ndarray]:
    """Where each cluster's number stands: on its customer nearest to its median that leaves room for other numbers."""
    spread = np.ptp(places, axis=0)
    scaled = places / np.where(spread > 0, spread, 1)
    taken: dict[int, np.ndarray] = {}
    middles: dict[int, np.ndarray] = {}
    for cluster in np.unique(labels[labels != NOISE]).tolist():
        own = scaled[labels == cluster]
        away = np.linalg.norm(own - np.median(own, axis=0), axis=1)
        others = np.array(list(taken.values())).reshape(-1, 2)
        room = np.linalg.norm(own[:, None] - others, axis=2).min(axis=1, initial=np.inf)
        place = np.where(room > 0.07, away, away + 10 - room).argmin()
        taken[cluster], middles[cluster] = own[place], places[labels == cluster][place]
    return middles


def _spoken(feature: str) -> str:
    return feature.replace("_", " ")


def _unit(feature: str, value: float) -> str:
    """A median as it is read: shares in percent."""
    share = feature.endswith("_share") or feature.startswith("share of ") or is_level(feature)
    return percent(value) if share else short(value)


def _some(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _plain(axis: Axes) -> None:
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
