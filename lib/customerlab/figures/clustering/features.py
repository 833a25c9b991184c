"""Figures of features before and after the transform."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from customerlab.figures.marks import cells, scale
from customerlab.figures.style import BLUE, ORANGE, SHORT, Picture, canvas, styled
from customerlab.formats import shortened

BARS = 36  # about so many in a panel
REACH = 0.08  # a bar reaches at most so far beyond its values, as a share of the axis
SIDE_BY_SIDE = 8  # up to so many features, the two heat maps stand beside each other
LEAST = 0.1  # with more features, smaller correlations are shown by colour alone


@styled
def before_and_after(customers: pd.DataFrame, points: np.ndarray, skews: pd.DataFrame) -> Picture:
    """A small histogram of every feature in its own units, and one of its coordinates, as `Space.points` returns them.

    The features of `skews` are shown, in its order; it is what `clustering.skewness` returns.
    """
    rows, pairs = -(-len(skews) // 2), min(len(skews), 2)
    figure, axes = canvas(3.8 * pairs, 0.3 + 1.32 * rows, rows, 2 * pairs, squeeze=False)
    figure.set_layout_engine("constrained", wspace=0.02, hspace=0.04)
    panels, said = axes.reshape(-1, 2), []
    told = zip(skews["feature"], skews["before"].map(_skew), skews["after"].map(_skew), strict=True)
    for (left, right), (name, before, after), coordinates in zip(panels, told, points.T, strict=False):
        _histogram(left, customers[name].to_numpy(dtype=float), BLUE)
        _histogram(right, coordinates, ORANGE)
        left.set_title(shortened(name, 40), fontsize=9)
        left.set_xlabel(f"before: {before}", fontsize=8, labelpad=1)
        right.set_xlabel(f"after: {after}", fontsize=8, labelpad=1)
        said.append(f"{name} {before} before, {after.removeprefix('skew ')} after")
    for axis in panels[len(skews) :].ravel():
        axis.remove()
    begin = f"Histograms of {len(customers):,} customers, each feature in its own units and as a coordinate."
    return Picture(figure, f"{begin} {'; '.join(said)}.")


@styled
def correlations(tables: dict[str, pd.DataFrame]) -> Picture:
    """Heat maps of the correlation between features, before and after, as `clustering.correlation` returns them."""
    names = [shortened(str(name), 26) for name in next(iter(tables.values())).index]
    size, beside = len(names), len(names) <= SIDE_BY_SIDE
    height = 1.9 + max(0.3 * size, 1.2) if beside else 2 * (0.4 + 0.27 * size) + 1.5
    figure, axes = canvas(height=height, rows=1 if beside else 2, columns=2 if beside else 1)
    for axis, (when, table) in zip(axes, tables.items(), strict=True):
        # without the diagonal, whose ones would draw the eye
        values = np.where(np.eye(size, dtype=bool), np.nan, table.to_numpy())
        axis.set_facecolor("#EEEEEE")
        texts = _numbers(values, least=0.0 if beside else LEAST)
        image = cells(axis, values, texts, size=8.5 if beside else 7, cmap="RdBu_r", vmin=-1, vmax=1)
        axis.set_title(when)
        axis.set_yticks(range(size), names)
        axis.set_xticks(range(size), names, rotation=40 if beside else 90, ha="right" if beside else "center")
        for label in axis.get_xticklabels() if beside else []:
            label.set_rotation_mode("anchor")
    axes[1 if beside else 0].tick_params(labelleft=not beside, labelbottom=beside)
    label = "correlation" if beside else f"correlation; numbers from {LEAST} on"
    scale(figure, image, list(axes), label, shrink=0.8 if beside else 0.4, aspect=25)
    said = "; ".join(f"{when} {_strongest(table)}" for when, table in tables.items())
    features = f"{size} features" if size > 1 else "1 feature"
    return Picture(figure, f"Heat maps of the correlation between {features}. Strongest: {said}.")


def _numbers(values: np.ndarray, least: float) -> np.ndarray:
    """Texts of the cells off the diagonal that are at least so large."""
    texts = np.full(values.shape, "", dtype=object)
    for (row, column), value in np.ndenumerate(values):
        if row != column and not abs(value) < least:
            text = f"{round(value, 2) + 0.0:.2f}" if np.isfinite(value) else "–"
            texts[row, column] = text.replace("0.", ".") if least else text
    return texts


def _histogram(axis: Axes, values: np.ndarray, colour: str) -> None:
    """Customers by value, as a density, because the bars are of different widths."""
    edges = _edges(np.unique(values))
    counts, _ = np.histogram(values, edges)
    axis.bar(edges[:-1], counts / np.diff(edges), np.diff(edges), align="edge", color=colour, linewidth=0)
    low, high = values.min(), values.max()
    margin = 0.03 * (high - low) or 0.5
    axis.set_xlim(low - margin, high + margin)
    axis.set_yticks([])
    axis.xaxis.set_major_locator(MaxNLocator(3))
    axis.xaxis.set_major_formatter(SHORT)
    axis.tick_params(axis="x", labelsize=8, pad=1)
    axis.spines["left"].set_visible(False)


def _edges(different: np.ndarray) -> np.ndarray:
    """Edges of bars about equally wide, each half-way between two neighbouring ones of the values that occur, rising.

    Whole numbers, and their logarithms, would otherwise have bars with none, one or two of them, and show peaks and
    gaps that are not there.
    """
    if len(different) == 1:
        return different[0] + np.array([-0.5, 0.5])
    gaps, reach = np.diff(different), REACH * np.ptp(different)
    wide = gaps > 2 * reach  # nothing is drawn in the midst of a wide gap
    ends = [different[0] - min(gaps[0] / 2, reach), different[-1] + min(gaps[-1] / 2, reach)]
    edges = [ends, different[:-1][wide] + reach, different[1:][wide] - reach]
    if not wide.all():
        middles = (different[:-1] + gaps / 2)[~wide]
        grid = np.linspace(different[0], different[-1], BARS + 1)[1:-1]
        above = np.searchsorted(middles, grid).clip(max=len(middles) - 1)
        below = (above - 1).clip(min=0)
        edges.append(middles[np.where(grid - middles[below] <= middles[above] - grid, below, above)])
    return np.unique(np.concatenate(edges))


def _skew(value: float) -> str:
    """A skewness in words that fit below a panel."""
    return f"skew {round(value, 1) + 0.0:.1f}" if np.isfinite(value) else "all the same"


def _strongest(table: pd.DataFrame) -> str:
    """The pair of features with the strongest correlation."""
    values = table.to_numpy()[np.triu_indices(len(table), 1)]
    if not np.isfinite(values).any():
        return "none"
    best = int(np.nanargmax(np.abs(values)))
    one, other = (table.index[places[best]] for places in np.triu_indices(len(table), 1))
    return f"{one} and {other} {values[best]:.2f}"
