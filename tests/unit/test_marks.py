"""Marks that figures share: what is written into heat maps can be read."""

import matplotlib as mpl
import numpy as np
import pytest

from customerlab.figures.marks import cells
from customerlab.figures.style import canvas


def luminance(colour: tuple[float, float, float]) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("palette", ["cividis", "RdBu_r", "viridis"])
def test_every_text_has_the_contrast_that_wcag_asks_for(palette):
    values = np.linspace(0, 1, 41)[None]
    axis = canvas()[1]
    cells(axis, values, [["x"] * 41], cmap=palette, vmin=0, vmax=1)
    for value, text in zip(values[0], axis.texts, strict=True):
        below = luminance(mpl.colormaps[palette](value)[:3])
        above = {"white": 1.0, "black": 0.0}[text.get_color()]
        assert (max(above, below) + 0.05) / (min(above, below) + 0.05) >= 4.5, value


def test_a_cell_without_a_number_is_written_in_black_and_one_without_a_text_not_at_all():
    axis = canvas()[1]
    cells(axis, np.array([[np.nan, 0.0, 1.0]]), [["–", "", "1"]])
    assert [(text.get_text(), text.get_color()) for text in axis.texts] == [("–", "black"), ("1", "black")]
