"""Figures of mixed attributes: customers on the plane of a factor analysis, and a self-organising map."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import RegularPolygon

from customerlab.analysis.profile.famd import Famd
from customerlab.figures.marks import scale
from customerlab.figures.style import PALETTE, SEQUENTIAL, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened

__all__ = ["mixed_plane", "unit_map"]

POINTS = 2_000  # customers up to whom each is a point; more are a density
LABELS = 14  # levels that are named: those farthest from the centre


@styled
def mixed_plane(fitted: Famd, customers: pd.DataFrame) -> Picture:
    """Customers on the first two axes of `famd.fit_famd`, and the centres of levels, the farthest ones named.

    `customers` are coordinates as `Famd.transform` returns them. Up to 2,000 are points, more are hexagons by number.
    """
    figure, axis = canvas(width=7.6, height=4.8)
    coordinates = customers.reindex(columns=["axis 1", "axis 2"], fill_value=0.0).to_numpy()
    if len(coordinates) <= POINTS:
        axis.scatter(*coordinates.T, s=9, color="#B5B5B5", alpha=0.6, linewidth=0)
    else:
        drawn = axis.hexbin(*coordinates.T, gridsize=40, mincnt=1, cmap="Greys", linewidths=0.3, edgecolors="#CCCCCC")
        scale(figure, drawn, axis, "customers", location="bottom", shrink=0.5, format=SHORT)
    centres = fitted.centres.reindex(columns=["axis 1", "axis 2"], fill_value=0.0).dropna()
    far = np.hypot(*centres.to_numpy().T).round(9)
    named = centres.iloc[np.sort(np.argsort(-far, kind="stable")[:LABELS])]
    _name_levels(axis, named)
    axis.axhline(0, color="#999999", linewidth=0.6)
    axis.axvline(0, color="#999999", linewidth=0.6)
    share = fitted.explained["share"]
    for name, label in (("axis 1", axis.set_xlabel), ("axis 2", axis.set_ylabel)):
        label(f"{name} ({percent(share.get(name, 0.0))} of variance)")
    listed = "; ".join(f"{a} {level} at {x:.1f}, {y:.1f}" for (a, level), x, y in named.itertuples(name=None))
    return Picture(
        figure,
        f"Map of {len(customers):,} customers on two axes of a factor analysis of mixed data, {percent(share.iloc[:2].sum())} of variance. "
        f"Centres of levels: {listed or 'none'}.",
    )


def _name_levels(axis: Axes, named: pd.DataFrame) -> None:
    """Centres with their names at the right, from the top down, so that those of neighbours do not cover."""
    attributes = list(dict.fromkeys(named.index.get_level_values("attribute")))
    order = np.argsort(-named["axis 2"].to_numpy().round(9), kind="stable")
    heights = np.linspace(0.97, 0.03, len(order)) if len(order) != 1 else [0.5]
    for height, place in zip(heights, order, strict=True):
        attribute, level = named.index[place]
        colour = PALETTE[attributes.index(attribute) % len(PALETTE)]
        x, y = named.iloc[place]
        axis.scatter([x], [y], s=46, marker="D", color=colour, edgecolor="white", zorder=3)
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.7}
        text = shortened(f"{attribute}: {level}", 26)
        where: Any = {"xytext": (1.03, height), "textcoords": "axes fraction", "va": "center", "fontsize": 8.5}
        axis.annotate(text, (x, y), arrowprops=line, **where)


@styled
def unit_map(table: pd.DataFrame, smallest: int = 1) -> Picture:
    """The grid of `maps.OrganisedMap.table`: colour is the distance to neighbours, the number that of customers.

    Numbers of some customers, but fewer than `smallest`, are not told.
    """
    across, down = table["x"].to_numpy(), table["y"].to_numpy()
    width = 7.6
    reach = np.ptp(across) + 2, np.ptp(down) + 2
    figure, axis = canvas(width=width, height=float(np.clip(6.4 * reach[1] / reach[0], 1.6, 6)))
    hexagons = [RegularPolygon((x, y), 6, radius=1 / np.sqrt(3)) for x, y in zip(across, down, strict=True)]
    drawn = PatchCollection(hexagons, cmap=SEQUENTIAL, edgecolor="white", linewidth=0.8)
    distance = table["distance"].to_numpy()
    drawn.set_array(distance)
    drawn.set_clim(0, distance.max() or 1)
    axis.add_collection(drawn)
    light = distance > 0.5 * (distance.max() or 1)
    for x, y, number, on_light in zip(across, down, table["customers"], light, strict=True):
        told = f"<{smallest}" if 0 < number < smallest else short(number)
        axis.text(x, y, told, ha="center", va="center", fontsize=8, color="black" if on_light else "white")
    axis.set_xlim(across.min() - 0.7, across.max() + 0.7)
    axis.set_ylim(down.max() + 0.7, down.min() - 0.7)
    axis.set_aspect("equal")
    axis.set_axis_off()
    bar = figure.colorbar(drawn, ax=axis, pad=0.01)
    bar.set_label("mean distance to neighbouring units")
    bar.outline.set_visible(False)
    largest = table.sort_values("customers", ascending=False, kind="stable").iloc[0]
    return Picture(
        figure,
        f"Hexagonal map of {len(table)} units with {table['customers'].sum():,} customers, the largest unit {largest['customers']:,.0f}. "
        f"Mean distance to neighbouring units from {distance.min():.2f} to {distance.max():.2f}.",
    )
