"""Texts of figures: every sign is drawn or written as an escape, without a warning; Latin text is the same anywhere."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from customerlab.figures import style


def drawn(title: str) -> bytes:
    @style.styled
    def draw():
        figure, axis = style.canvas()
        axis.bar([title, "other"], [1, 2], label=title)
        axis.set_title(title)
        axis.legend()
        return style.Picture(figure, title)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return draw().png()


@pytest.mark.parametrize(
    "sign", ["\x1b[31m", "\u200b", "\u202e", "北京", "📦", "سلام", "한국어", "\ud800", "\U0010ffff", "$x^2$", "\\frac{"]
)
def test_any_sign_is_drawn_or_written_as_an_escape(sign):
    assert drawn(f"a{sign}b") != drawn("ab"), "it is seen"


def test_signs_that_no_font_has_are_told_apart():
    assert style.drawable("\U000f0001") == "\\U000f0001"
    assert drawn("\U000f0001") != drawn("\U000f0002")


def test_figures_of_latin_text_do_not_depend_on_the_fonts_of_the_machine(monkeypatch):
    before = drawn("Müller & Söhne, £5")
    monkeypatch.setattr(style, "_fonts", lambda: {style.FONT: set(range(0x250)), "STIXGeneral": set(range(0x10000))})
    assert drawn("Müller & Söhne, £5") == before


def test_a_sign_that_the_font_lacks_is_drawn_from_the_first_that_has_it(monkeypatch):
    lacking = "\u20dd"  # which STIX has; it comes with matplotlib, too
    assert style.drawable(lacking) == r"\u20dd"
    monkeypatch.setattr(style, "FALLBACKS", ("STIXGeneral",))
    style._fonts.cache_clear()
    try:
        assert style.drawable(lacking) == lacking
        assert drawn(lacking)
    finally:
        style._fonts.cache_clear()


def test_no_text_is_wider_than_a_figure():
    assert drawn("x" * 5000)


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_figure_is_saved_as_its_name_ends_and_the_same_drawing_gives_the_same_bytes(kind, tmp_path):
    for name in ("a", "b"):
        figure, axis = style.canvas()
        axis.plot([1, 2])
        picture = style.Picture(figure, "a line")
        picture.save(tmp_path / f"{name}.{kind}")
    first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("a", "b"))
    assert first == second and first.startswith({"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}[kind])
    assert b"Matplotlib" not in first and picture._repr_png_() == picture.png()


def test_fewer_colours_are_not_to_be_seen():
    """Of a figure with every colour of the two scales, no pixel is far from what matplotlib draws, and few are off."""
    figure, axis = style.canvas()
    axis.pcolormesh(np.linspace(0, 1, 400).reshape(20, 20), cmap=style.SEQUENTIAL)
    axis.scatter(range(8), range(8), c=list(style.PALETTE), alpha=0.5)
    picture, full = style.Picture(figure, ""), io.BytesIO()
    picture._write(full, "png")
    drawn, shown = (np.asarray(Image.open(one).convert("RGB")).astype(int) for one in (full, io.BytesIO(picture.png())))
    away = np.abs(drawn - shown).max(axis=2)
    assert away.max() < 80 and away.mean() < 1 and len(picture.png()) < len(full.getvalue())


def test_a_name_that_says_no_format_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"figure.jpg' does not say how to save a figure; expected .* \.svg, \.pdf or \.png"
    ):
        style.Picture(style.canvas()[0], "").save(tmp_path / "figure.jpg")
