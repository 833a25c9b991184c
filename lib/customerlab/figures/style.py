"""The one style of all figures, the palette, and the picture that a figure function returns."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import seaborn as sns
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.ticker import FuncFormatter
from PIL import Image

from customerlab.formats import short
from customerlab.wording import escaped, visible

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

# DejaVu comes with matplotlib, so that text has the same shape everywhere. Signs that it lacks are drawn from the first
# of these that the machine has, so that such figures, and no others, can differ by machine.
FONT = "DejaVu Sans"
FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "IPAexGothic", "Microsoft YaHei", "Malgun Gothic",
    "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil",
    "Noto Sans Thai", "Noto Emoji", "Segoe UI Symbol", "Segoe UI Emoji", "Symbola", "Arial Unicode MS", "Unifont",
)  # fmt: skip
LONGEST = 64  # signs of a text in a figure
UNSTABLE = {
    "png": ["Software"],
    "svg": ["Date", "Creator"],
    "pdf": ["CreationDate", "Creator", "Producer"],
}  # what matplotlib adds

RC: Any = {  # matplotlib types the keys of its settings one by one
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "font.family": [FONT],  # and those of FALLBACKS that the machine has, where text needs them
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


@functools.cache
def _fonts() -> dict[str, set[int]]:
    """Those of the named fonts that the machine has, and the signs of each that it has both in normal and in bold."""
    there = {font.name for font in fontManager.ttflist}
    faces = {
        name: [findfont(FontProperties(family=name, weight=weight)) for weight in ("normal", "bold")]
        for name in (FONT, *FALLBACKS)
        if name in there
    }
    return {name: set.intersection(*(set(get_font(face).get_charmap()) for face in two)) for name, two in faces.items()}


def drawable(text: str) -> str:
    r"""A text of signs that can be drawn; what is hidden, or what no font of the machine has, as an escape."""
    found = visible(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
    if found.isascii():
        return found
    known = set().union(*_fonts().values())
    return "".join(sign if ord(sign) in known else escaped(sign) for sign in found)


class _Renderer(RendererAgg):
    """Draws and measures texts as `drawable` has them, wherever they come from."""

    def draw_text(self, gc: Any, x: Any, y: Any, s: str, prop: Any, *args: Any, **kwargs: Any) -> None:
        super().draw_text(gc, x, y, drawable(s), _with_fallbacks(prop, s), *args, **kwargs)

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        return super().get_text_width_height_descent(drawable(s), _with_fallbacks(prop, s), ismath)


def _with_fallbacks(prop: Any, text: str) -> Any:
    """The properties of a font for a text: as they are, unless the font lacks one of its signs."""
    if text.isascii() or _fonts()[FONT].issuperset(map(ord, text)):
        return prop
    prop = prop.copy()
    prop.set_family(list(_fonts()))
    return prop


class _Canvas(FigureCanvasAgg):
    def get_renderer(self) -> RendererAgg:
        renderer = super().get_renderer()
        renderer.__class__ = _Renderer  # made by matplotlib, which has no way to ask for another kind
        return renderer


@dataclass(frozen=True)
class Picture:
    """A figure and the text that stands for it.

    Attributes
    ----------
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
        """The figure as PNG of 256 colours, a third of the size; the same bytes for the same drawing."""
        drawn, packed = io.BytesIO(), io.BytesIO()
        self._write(drawn, "png")
        few = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(packed, "PNG", optimize=True)
        return packed.getvalue()

    def save(self, path: str | Path) -> None:
        """Save the figure as its file name ends: `.svg`, `.pdf` or `.png`; the same bytes for the same drawing."""
        kind = Path(path).suffix.removeprefix(".").lower()
        if kind not in UNSTABLE:
            raise ValueError(
                f"{str(path)!r} does not say how to save a figure; expected a name that ends in .svg, .pdf or .png"
            )
        self._write(path, kind)

    def _write(self, target: Any, kind: str) -> None:
        with mpl.rc_context(RC | {"svg.hashsalt": "customerlab"}):
            self.figure.savefig(target, format=kind, metadata=dict.fromkeys(UNSTABLE[kind]))

    def _repr_png_(self) -> bytes:
        """How Jupyter shows the figure where it ends a cell."""
        return self.png()


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
    """A figure, in inches, with one or more axes; it belongs to no window and is drawn only where it is shown.

    Options are those of `Figure.subplots`.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    _Canvas(figure)
    return figure, figure.subplots(rows, columns, **options)


SHORT = FuncFormatter(lambda value, _: short(value))
PERCENT = FuncFormatter(lambda value, _: f"{value:.0%}")
