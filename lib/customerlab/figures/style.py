"""The one style of all figures, the palette, and the picture that a figure function returns."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import seaborn as sns
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Okabe and Ito (2008), chosen to be told apart by colour-blind readers; the black and the yellow are left out.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D46", "#7A7A7A")
BLUE, RED, GREEN, PINK, ORANGE, SKY, BROWN, GREY = PALETTE
SEQUENTIAL = "cividis"  # made for colour-blind readers, and even in grey
# Ten steps of blue over grey to red-brown, dark at both ends: from customers who are here to customers who are gone.
SEGMENTS = (
    "#053061", "#2166AC", "#4393C3", "#7FB8DA", "#B5D4E9", "#D9D9D9", "#F7C99B", "#E89A5B", "#C4622D", "#7F3108",
)  # fmt: skip
P = ParamSpec("P")
DPI = 120
SHOWN_AT = 100  # CSS pixels an inch

RC: Any = {  # matplotlib types the keys of its settings one by one
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that text has the same shape everywhere
    "font.size": 9.5,
    "text.parse_math": False,  # "$0 to $100" is a label
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Picture:
    """A figure and the text that stands for it.

    Attributes
    ----------
    figure : matplotlib Figure
    alt : str
        What the figure shows, with its main numbers, for readers who cannot see it.
    """

    figure: Figure
    alt: str

    @property
    def width(self) -> int:
        """The width at which it is meant to be seen, in CSS pixels."""
        return round(self.figure.get_size_inches()[0] * SHOWN_AT)

    def png(self) -> bytes:
        """The figure as PNG, the same bytes for the same drawing."""
        buffer = io.BytesIO()
        # without the version of matplotlib, which it would write into the file
        with mpl.rc_context(RC):
            self.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


def styled(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Draw in the project's style, without changing the style of anything that a user draws."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with sns.axes_style("whitegrid", rc=RC), mpl.rc_context(RC):
            return draw(*args, **kwargs)

    return drawn


def canvas(
    width: float = 7.6, height: float = 3.2, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure with one or more axes; it belongs to no window and is drawn only where it is shown.

    Parameters
    ----------
    width, height : float
        In inches.
    rows, columns : int
        Of axes.
    **options
        For `Figure.subplots`.

    Returns
    -------
    (Figure, Axes or array of Axes)
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def short(value: float) -> str:
    """A number as an axis or a sentence shows it.

    Examples
    --------
    >>> short(1_234_567), short(45_300), short(950), short(0.25)
    ('1.2 M', '45 k', '950', '0.25')
    """
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:,.1f} M"
    if size >= 1e4:
        return f"{value / 1e3:,.0f} k"
    if size >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share in percent, never 0 % for some or 100 % for not quite all.

    Examples
    --------
    >>> percent(0.254), percent(0.004), percent(0.0), percent(0.9996), percent(1.0)
    ('25 %', '0.4 %', '0 %', '> 99.9 %', '100 %')
    """
    if share in (0, 1) or not np.isfinite(share):
        return f"{share * 100:.0f} %" if np.isfinite(share) else "–"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    digits = 1 if abs(share) < 0.01 or 0.99 < share < 1 else 0
    return f"{share * 100:.{digits}f} %"


SHORT = FuncFormatter(lambda value, _: short(value))
PERCENT = FuncFormatter(lambda value, _: f"{value:.0%}")


def shortened(text: str, length: int = 34) -> str:
    """A label cut to a length, with the sign that it was."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
