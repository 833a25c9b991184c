"""Marks that several figures are made of."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from customerlab.figures.style import SEQUENTIAL

EVEN = 0.179  # the luminance against which black and white have the same contrast (WCAG 2.1)


def cells(axis: Axes, values: np.ndarray, texts: Any, size: float = 8.5, **options: Any) -> AxesImage:
    """A heat map with a text in each cell, white on dark colours and black on light ones.

    `values`, of shape (rows, columns), are what the colours show; cells that are not a number have none. `texts` have
    the same shape, empty where there is nothing to write. Options are those of `Axes.imshow`. What is returned is for
    `scale`.
    """
    image = axis.imshow(values, **{"aspect": "auto", "cmap": SEQUENTIAL, **options})
    colours = image.to_rgba(np.asarray(image.get_array()))
    light = np.where(colours[..., :3] <= 0.04045, colours[..., :3] / 12.92, ((colours[..., :3] + 0.055) / 1.055) ** 2.4)
    dark = (light @ [0.2126, 0.7152, 0.0722] < EVEN) & (colours[..., 3] > 0)
    for (row, column), text in np.ndenumerate(np.asarray(texts, dtype=object)):
        if text:
            colour = "white" if dark[row, column] else "black"
            axis.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    axis.grid(visible=False)
    return image


def withheld(axis: Axes, where: np.ndarray) -> None:
    """Mark cells of a heat map whose numbers are not shown: a dash on grey stripes, unlike any colour of the scale."""
    for row, column in np.argwhere(where):
        look: Any = {"facecolor": "#F2F2F2", "edgecolor": "#BDBDBD", "hatch": "////", "linewidth": 0}
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **look))
        axis.text(column, row, "–", ha="center", va="center", fontsize=9, fontweight="bold")


def scale(figure: Figure, image: AxesImage, axes: Any, label: str, pad: float = 0.01, **options: Any) -> None:
    """The scale of colours beside a heat map, without a frame."""
    bar = figure.colorbar(image, ax=axes, pad=pad, **options)
    bar.set_label(label)
    bar.outline.set_visible(False)


def rows(axis: Axes, names: Iterable[str], **options: Any) -> None:
    """Names beside bars or dots that lie at 0, 1, 2 …, the first on top."""
    named = list(names)
    axis.set_yticks(range(len(named)), named, **options)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)


def intervals(axis: Axes, middle: Any, low: Any, high: Any, colour: str, **options: Any) -> None:
    """Dots with horizontal intervals at 0, 1, 2 …; a missing end is not drawn."""
    reach = np.nan_to_num([middle - low, high - middle])
    axis.errorbar(middle, range(len(middle)), xerr=reach, fmt="o", color=colour, capsize=3, **options)


def slanted(axis: Axes, labels: Iterable[str]) -> None:
    """Long labels below the columns of a heat map."""
    named = list(labels)
    axis.set_xticks(range(len(named)), named, rotation=35, ha="right", rotation_mode="anchor")


def share_of_row(share: float) -> str:
    """A share as a cell has room for it, nothing for none."""
    if not share > 0:
        return ""
    return f"{share:.0%}" if share >= 0.005 else "<1%"
