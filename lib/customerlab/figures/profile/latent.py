"""Figures of latent classes."""

import numpy as np
import pandas as pd

from customerlab.analysis.profile.latent import LatentClasses
from customerlab.figures.marks import cells, rows, scale
from customerlab.figures.style import PERCENT, Picture, canvas, styled
from customerlab.formats import percent, shortened

__all__ = ["classes"]

MOST = 40  # answers that there is room for


@styled
def classes(model: LatentClasses) -> Picture:
    """A heat map of the probability of each answer by class, with the class sizes; of yes/no items that of yes.

    Of more than `MOST` answers those are shown whose probabilities differ most between classes.
    """
    table, items = _shown(model)
    figure, axis = canvas(width=min(3.4 + 0.9 * len(model.sizes), 9), height=1.1 + 0.25 * len(table))
    values = table.to_numpy()
    image = cells(axis, values, [[f"{value:.0%}" for value in row] for row in values], vmin=0, vmax=1)
    for place in np.flatnonzero(items[1:] != items[:-1]):
        axis.axhline(place + 0.5, color="white", linewidth=2.5)
    rows(axis, (shortened(name, 36) for name in table.index))
    axis.set_ylim(len(table) - 0.5, -0.5)
    named = [f"class {name}\n{percent(size)}" for name, size in model.sizes.items()]
    axis.set_xticks(range(len(named)), named)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    scale(figure, image, axis, "probability of the answer", pad=0.02, format=PERCENT)
    return Picture(figure, _said(model, table))


def _shown(model: LatentClasses) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of the heat map, named, and the item of each."""
    table, binary = model.probabilities, {name for name, own in model.levels.items() if set(own) <= {False, True}}
    levels = [(name, level) for name, own in model.levels.items() for level in own]
    yes = np.array([name not in binary or bool(level) for name, level in levels])
    spread = np.where(yes, (table.max(axis=1) - table.min(axis=1)).to_numpy(), -1.0)
    kept = np.sort(np.argsort(-spread, kind="stable")[: min(int(yes.sum()), MOST)])
    names = [levels[place][0] if levels[place][0] in binary else ": ".join(table.index[place]) for place in kept]
    return table.iloc[kept].set_axis(names), np.array([levels[place][0] for place in kept])


def _said(model: LatentClasses, table: pd.DataFrame) -> str:
    """Sizes, and the answers by which each class differs most from all customers."""
    mean = table.to_numpy() @ model.sizes.to_numpy()
    parts = []
    for name, size in model.sizes.items():
        apart = (table[name] - mean).abs().to_numpy()
        most = [place for place in np.argsort(-apart, kind="stable")[:3] if len(model.sizes) > 1]
        listed = ", ".join(f"{table.index[place]} {percent(table[name].iloc[place])}" for place in most)
        parts.append(f"Class {name}, {percent(size)} of customers{': ' if listed else ''}{listed}")
    number = f"{len(table)} answers by class ({len(model.sizes)})"
    return f"Heat map of the probability of {number}. {'; '.join(parts)}."
