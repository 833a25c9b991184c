"""Figures of the clustering comparison."""

import numpy as np
import pandas as pd

from customerlab.figures.style import BLUE, GREY, PALETTE, PERCENT, RED, SHORT, Picture, canvas, styled

NOISE = -1


@styled
def indices_by_clusters(table: pd.DataFrame, chosen: int) -> Picture:
    """Four small panels: what each index says of every number of clusters.

    Parameters
    ----------
    table : DataFrame
        As `analysis.clustering.by_clusters` returns it.
    chosen : int
        The number of clusters in use, marked.
    """
    panels = {
        "silhouette": ("Silhouette", "higher is better"),
        "davies_bouldin": ("Davies–Bouldin", "lower is better"),
        "calinski_harabasz": ("Calinski–Harabasz", "higher is better"),
        "stability": ("Stability (bootstrap ARI)", "higher is better"),
    }
    figure, axes = canvas(height=4.2, rows=2, columns=2)
    said = []
    for axis, (column, (title, sense)) in zip(axes.ravel(), panels.items(), strict=True):
        axis.plot(table["clusters"], table[column], color=BLUE, marker="o", markersize=4)
        axis.axvline(chosen, color=GREY, linestyle="--", linewidth=1)
        best = table.sort_values(column, ascending=column == "davies_bouldin", kind="stable").iloc[0]
        ring = {"color": RED, "markersize": 8, "fillstyle": "none", "markeredgewidth": 2}
        axis.plot(best["clusters"], best[column], "o", **ring)
        axis.set_title(title)
        axis.set_ylabel(sense)
        axis.yaxis.set_major_formatter(SHORT)
        axis.set_xticks(table["clusters"])
        said.append(f"{title} prefers {best['clusters']:.0f}")
    for axis in axes[1]:
        axis.set_xlabel("number of clusters")
    low, high = table["clusters"].min(), table["clusters"].max()
    begin = f"Four line charts over {low} to {high} clusters, the best value circled, {chosen} clusters marked"
    alt = f"{begin}. {'; '.join(said)}."
    return Picture(figure, alt)


@styled
def neighbour_distances(distances: np.ndarray, eps: float, neighbours: int) -> Picture:
    """The sorted distances to the k-th neighbour, with the radius that DBSCAN takes from their knee.

    Parameters
    ----------
    distances : array
        Rising.
    eps : float
    neighbours : int
    """
    figure, axis = canvas(height=2.6)
    axis.plot(np.arange(len(distances)) / max(len(distances) - 1, 1), distances, color=BLUE)
    axis.axhline(eps, color=RED, linewidth=1.2)
    axis.annotate(f"eps = {eps:.2f}", (0.02, eps), xytext=(0, 4), textcoords="offset points", color=RED)
    axis.xaxis.set_major_formatter(PERCENT)
    axis.set_xlabel("customers, densest neighbourhood first")
    axis.set_ylabel(f"distance to neighbour {neighbours}")
    beyond = float((distances > eps).mean())
    alt = (
        f"Rising curve of every customer's distance to its nearest point number {neighbours}, itself the first, "
        f"from {distances[0]:.2f} to {distances[-1]:.2f}. "
        f"The knee is at {eps:.2f}; {beyond:.1%} of customers lie beyond it."
    )
    return Picture(figure, alt)


@styled
def side_by_side(customers: pd.DataFrame, labels: dict[str, np.ndarray]) -> Picture:
    """Recency against monetary value, one panel a method, clusters in colours and noise in grey.

    Parameters
    ----------
    customers : DataFrame
        `recency` (days), `monetary`.
    labels : dict of str to array
        Method to labels.
    """
    figure, axes = canvas(height=3.1, columns=len(labels), sharex=True, sharey=True, squeeze=False)
    said = []
    # drawn in a fixed but mixed order, so that no cluster lies on top only because it comes last
    order = np.random.default_rng(0).permutation(len(customers))
    x, y = customers["recency"].to_numpy()[order], customers["monetary"].to_numpy()[order]
    for axis, (name, found) in zip(axes[0], labels.items(), strict=True):
        shown = found[order]
        colours = np.where(shown == NOISE, "#BBBBBB", np.array(PALETTE)[shown % len(PALETTE)])
        axis.scatter(x, np.maximum(y, 0.01), c=colours, s=4, alpha=0.6, linewidths=0)
        axis.set_yscale("log")
        axis.set_xscale("log")
        for cluster in np.unique(found[found != NOISE])[: len(PALETTE)]:  # a number besides the colour
            middle = [np.median(values[shown == cluster]) for values in (x, y)]
            axis.annotate(
                f"{cluster}", middle, ha="center", va="center", fontsize=8.5, fontweight="bold",
                bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": PALETTE[cluster], "linewidth": 1.5},
            )  # fmt: skip
        axis.xaxis.set_major_formatter(SHORT)
        axis.yaxis.set_major_formatter(SHORT)
        sizes = np.bincount(found[found != NOISE]) if (found != NOISE).any() else np.array([0])
        noise = f", {np.mean(found == NOISE):.0%} noise" if (found == NOISE).any() else ""
        axis.set_title(f"{name}: {len(sizes)} clusters{noise}", fontsize=9.5)
        said.append(f"{name} has {len(sizes)} clusters of {', '.join(f'{size:,}' for size in sizes)} customers{noise}")
        axis.set_xlabel("days since last order")
    axes[0, 0].set_ylabel("money spent")
    return Picture(
        figure, f"Scatter plots of recency against money, one a method, both axes logarithmic. {'; '.join(said)}."
    )
