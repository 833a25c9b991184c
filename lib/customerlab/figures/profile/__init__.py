"""Figures of who customers are."""

from customerlab.figures.profile.attributes import attributes
from customerlab.figures.profile.latent import classes
from customerlab.figures.profile.maps import mixed_plane, unit_map
from customerlab.figures.profile.regions import choropleth, shapes, tiles
from customerlab.figures.profile.segments import card, confusion, importance, information

__all__ = [
    "attributes", "card", "choropleth", "classes", "confusion", "importance", "information", "mixed_plane", "shapes", "tiles",
    "unit_map",
]  # fmt: skip
