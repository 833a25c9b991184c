"""The tree of a hierarchical clustering."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram as arranged

from customerlab.analysis.clustering.hierarchy import Micro, cut, top
from customerlab.analysis.disclosure import hidden
from customerlab.figures.style import ORANGE, PALETTE, PINK, SHORT, SKY, Picture, canvas, styled
from customerlab.formats import short

LEAVES = 30
PALE = (ORANGE, PINK, SKY)  # white numbers are hard to read on them
ABOVE = "#555555"  # merges above the cut belong to no cluster


@styled
def dendrogram(micro: Micro, tree: np.ndarray, clusters: int, *, smallest: int = 1) -> Picture:
    """Ward's tree from its last merges down, with the cut into clusters, which are numbered as `hierarchy.cut` does.

    What is merged within a branch is not drawn; every branch begins at height zero. At most `LEAVES` are drawn, never
    fewer than there are clusters. Sizes of fewer than `smallest` customers are not written.
    """
    leaves = min(max(LEAVES, clusters, 2), len(tree) + 1)
    small, leaf = top(tree, leaves)
    customers = np.bincount(leaf, micro.sizes, leaves).astype(int)
    of_leaf = np.empty(leaves, dtype=int)
    of_leaf[leaf] = 1 + cut(tree, clusters)
    figure, axis = canvas(height=4.0)
    plan = arranged(small, no_plot=True, link_color_func=str) if leaves > 1 else {"leaves": [0], "icoord": []}
    numbers = of_leaf[plan["leaves"]]
    highest = float(tree[-1, 2]) if len(tree) else 0.0
    highest = highest or 1.0  # of equal customers all merges are at zero
    for across, up, merge in zip(plan["icoord"], plan.get("dcoord", []), plan.get("color_list", []), strict=True):
        at = numbers[int((across[1] - 5) // 10)]
        own = int(merge) - leaves < leaves - clusters
        axis.plot(across, up, color=_colour(at) if own else ABOVE, linewidth=1.4, solid_capstyle="butt")
    line = _cut_line(axis, small, leaves, clusters)
    _strip(axis, numbers, highest)
    few = hidden(customers, smallest)
    sizes = ["–" if few[place] else f"{customers[place]:,}" for place in plan["leaves"]]
    axis.set_xticks(5 + 10 * np.arange(leaves), sizes, rotation=90 if leaves > 8 else 0, fontsize=8)
    axis.set(xlim=(0, 10 * leaves), ylim=(-0.075 * highest, 1.04 * highest))
    axis.set_yticks([tick for tick in axis.get_yticks() if 0 <= tick <= 1.04 * highest])
    axis.yaxis.set_major_formatter(SHORT)
    axis.set_ylabel("height of the merge (Ward)")
    axis.set_xlabel("customers in each branch; below the tree, the number of the cluster")
    axis.tick_params(axis="x", length=0)
    axis.grid(visible=False, axis="x")
    axis.spines["bottom"].set_visible(False)
    return Picture(figure, _said(micro, small, customers, of_leaf, line, smallest))


def _colour(number: int) -> str:
    return PALETTE[(number - 1) % len(PALETTE)]


def _cut_line(axis: Axes, small: np.ndarray, leaves: int, clusters: int) -> float | None:
    """Draw the cut between the last merge within a cluster and the first of two, and return its height."""
    if clusters < 2:
        return None
    above = float(small[leaves - clusters, 2])
    height = (above + float(small[leaves - clusters - 1, 2])) / 2 if leaves > clusters else above / 2
    axis.axhline(height, color="black", linestyle="--", linewidth=1)
    place: Any = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
    axis.annotate(f"cut into {clusters}", (1.01, height), fontsize=8.5, **place)
    return height


def _strip(axis: Axes, numbers: np.ndarray, highest: float) -> None:
    """A band below the branches: each cluster's colour with its number."""
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
    for begin, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
        box = Rectangle((10 * begin + 0.6, -0.07 * highest), 10 * (end - begin) - 1.2, 0.055 * highest)
        box.set(facecolor=_colour(numbers[begin]), edgecolor="none")
        axis.add_patch(box)
        shade = "black" if _colour(numbers[begin]) in PALE else "white"
        look: Any = {"ha": "center", "va": "center", "fontsize": 8.5, "fontweight": "bold"}
        axis.text(5 * (begin + end), -0.0435 * highest, str(numbers[begin]), color=shade, **look)


def _said(
    micro: Micro, small: np.ndarray, customers: np.ndarray, of_leaf: np.ndarray, line: float | None, smallest: int
) -> str:
    sizes = np.bincount(of_leaf, customers).astype(int)
    few = hidden(sizes, smallest)
    listed = "; ".join(
        f"cluster {number} with {'few' if few[number] else f'{size:,}'}" for number, size in enumerate(sizes) if size
    )
    begin = f"Dendrogram of {micro.sizes.sum():,} customers in {len(micro.sizes):,} micro-clusters"
    last = ", ".join(short(height) for height in small[::-1, 2][:4])
    at = f"cut at height {short(line)}" if line is not None else "not cut"
    return f"{begin}, {len(customers)} branches drawn, {at}: {listed}. Last merges at heights {last or 'none'}."
