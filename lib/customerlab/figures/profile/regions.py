"""Maps of values by region: a choropleth of shapes that the user has, or a square for each region."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path

from customerlab.figures import marks
from customerlab.figures.style import SEQUENTIAL, Picture, canvas, styled
from customerlab.formats import short, shortened

Shapes = dict[str, list[np.ndarray]]
NO_DATA: Any = {"facecolor": "#F2F2F2", "edgecolor": "#BDBDBD", "hatch": "////", "linewidth": 0.4}
NAMED = 12  # regions in an alt text
EUROPE = """
IS .  .  NO SE FI .  .
.  .  .  .  .  EE RU .
IE GB .  DK .  LV BY .
.  .  NL DE PL LT UA .
.  BE LU CZ SK MD .  .
.  FR CH AT HU RO .  .
AD MC LI SI HR RS BG .
PT ES IT SM BA XK MK .
.  .  MT VA ME AL GR TR
.  .  .  .  .  .  .  CY
"""  # ISO 3166-1 codes, about where the countries lie


def shapes(collection: dict, key: str) -> Shapes:
    """The rings of each region of a GeoJSON FeatureCollection (RFC 7946), outer ones anticlockwise, holes clockwise.

    Parameters
    ----------
    collection : dict
        As `json.load` returns it: features with a Polygon or MultiPolygon of longitudes and latitudes in degrees.
        Several features of one region are put together.
    key : str
        The property with the region's name.

    Returns
    -------
    dict of lists of arrays of shape (positions, 2)

    Raises
    ------
    ValueError
        What was found, in which feature, and what was expected.

    Examples
    --------
    >>> ring = [[0, 0], [0, 1], [1, 1], [0, 0]]
    >>> feature = {"type": "Feature", "properties": {"id": "A"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    >>> shapes({"type": "FeatureCollection", "features": [feature]}, "id")["A"][0].tolist()
    [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list) or not features or collection.get("type") != "FeatureCollection":
        raise ValueError(
            "The shapes are no GeoJSON FeatureCollection with features; expected one, as json.load reads it."
        )
    found: Shapes = {}
    for number, feature in enumerate(features):
        where = f"Feature {number} of the shapes"
        properties, geometry = ((feature or {}).get(part) or {} for part in ("properties", "geometry"))
        if properties.get(key) is None:
            raise ValueError(f"{where} has no property {key!r}; found {sorted(properties)[:8]}.")
        kind, polygons = geometry.get("type"), geometry.get("coordinates")
        if kind not in ("Polygon", "MultiPolygon") or not polygons:
            raise ValueError(
                f"{where} is of type {kind!r} or empty; expected a Polygon or a MultiPolygon with coordinates."
            )
        for polygon in [polygons] if kind == "Polygon" else polygons:
            rings = [_ring(ring, place > 0, where) for place, ring in enumerate(polygon)]
            found.setdefault(str(properties[key]), []).extend(rings)
    return found


def _ring(positions: list, hole: bool, where: str) -> np.ndarray:
    """A closed ring as an array, in the direction that says whether it is a hole."""
    try:
        ring = np.array([[float(at) for at in position[:2]] for position in positions])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} has a position that is no pair of numbers; expected longitude and latitude."
        ) from error
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 4 or (ring[0] != ring[-1]).any():
        raise ValueError(
            f"{where} has a ring that is not closed; expected 4 positions or more, the last equal to the first."
        )
    if not (np.abs(ring) <= [180, 90]).all():
        raise ValueError(f"{where} has coordinates beyond ±180 and ±90; expected degrees (WGS 84), not a projection.")
    x, y = (ring - ring[0]).T
    clockwise = (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() < 0
    return ring if clockwise == hole else ring[::-1]


@styled
def choropleth(
    table: pd.DataFrame,
    regions: Shapes,
    label: str,
    *,
    value: str = "shrunken",
    write: Callable[[float], str] = short,
) -> Picture:
    """Regions in the colour of their value, equirectangular and true to scale at the middle latitude.

    Parameters
    ----------
    table : DataFrame
        One row per region: `region` and the value, such as `regions.shrunken(…).table`. Regions without a value or a
        row are hatched; those without a shape are named in the alt text.
    regions : dict
        What `shapes` returns. Shapes across the 180th meridian should be cut there, as RFC 7946 asks for.
    label : str
        What the value is.
    value : str
        Its column.
    write : function
        How a value is written.

    Raises
    ------
    ValueError
        If no region of the table has a shape.
    """
    values = table.set_index(table["region"].astype(str))[value].astype(float)
    if not values.index.isin(list(regions)).any():
        found, expected = list(values.index[:3]), list(regions)[:3]
        raise ValueError(f"No region of the table has a shape: found {found}, expected names such as {expected}.")
    points = np.concatenate([ring for rings in regions.values() for ring in rings])
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    narrowed = max(np.cos(np.radians((south + north) / 2)), 0.01)
    shape = (east - west) * narrowed / max(north - south, 1e-9)
    figure, axis = canvas(float(np.clip(1.6 + 4.6 * shape, 4, 7.6)), 5)
    axis.set_aspect(1 / narrowed)
    known = [name for name in regions if np.isfinite(values.get(name, np.nan))]
    for name in regions:
        if name not in known:
            axis.add_patch(PathPatch(_path(regions[name]), **NO_DATA))
    drawn = PatchCollection([PathPatch(_path(regions[name])) for name in known], cmap=SEQUENTIAL)
    drawn.set(array=values[known].to_numpy(), edgecolor="white", linewidth=0.6)
    axis.add_collection(drawn)
    axis.autoscale_view()
    axis.set_axis_off()
    _scale(figure, axis, drawn, label, write)
    if len(known) < len(regions):
        axis.legend(handles=[Patch(**NO_DATA, label="no value shown")], loc="lower left", bbox_to_anchor=(0, 1))
    absent = [name for name in values.index if name not in regions]
    lost = f" Without a shape: {', '.join(absent[:NAMED])}{' …' if len(absent) > NAMED else ''}." if absent else ""
    return Picture(figure, f"Map of {label} in {len(known)} of {len(regions)} regions. {_listed(values, write)}.{lost}")


@styled
def tiles(
    table: pd.DataFrame,
    label: str,
    *,
    value: str = "shrunken",
    write: Callable[[float], str] = short,
    places: pd.DataFrame | None = None,
) -> Picture:
    """A square for each region with its name and value; parameters are those of `choropleth`, without shapes.

    `places` has the `region`, `row` and `column` of each square. Without it, European countries by ISO code lie about
    where they are on a map, and other regions in rows, sorted by value. Regions without a value are hatched.
    """
    values = table.set_index(table["region"].astype(str))[value].astype(float)
    at = _places(values, places)
    grid = np.full((max(row for row, _ in at.values()) + 1, max(column for _, column in at.values()) + 1), np.nan)
    texts, few = np.full(grid.shape, "", dtype=object), np.zeros(grid.shape, dtype=bool)
    for name, place in at.items():
        grid[place] = values[name]
        few[place] = np.isnan(values[name])
        texts[place] = f"{shortened(name, 11)}\n" + ("–" if few[place] else write(values[name]))
    figure, axis = canvas(min(1.4 + 0.8 * grid.shape[1], 7.6), min(0.8 + 0.62 * grid.shape[0], 8))
    image = marks.cells(axis, np.ma.masked_invalid(grid), texts, size=7.5, aspect="equal")
    for row, column in np.argwhere(few):
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **NO_DATA))
    bottom, right = (size - 0.5 for size in grid.shape)
    axis.hlines(np.arange(grid.shape[0] + 1) - 0.5, -0.5, right, color="white", linewidth=2)
    axis.vlines(np.arange(grid.shape[1] + 1) - 0.5, -0.5, bottom, color="white", linewidth=2)
    axis.set_axis_off()
    _scale(figure, axis, image, label, write)
    return Picture(figure, f"Squares of {label} in {len(at)} regions. {_listed(values, write)}.")


def _places(values: pd.Series, places: pd.DataFrame | None) -> dict[str, tuple[int, int]]:
    """The row and column of each region's square, from 0."""
    if places is None:
        europe = {
            code: (row, column)
            for row, line in enumerate(EUROPE.split("\n")[1:-1])
            for column, code in enumerate(line.split())
            if code != "."
        }
        found = europe
        if not set(values.index) <= set(europe):
            ranked = sorted(values.index, key=lambda name: (-np.nan_to_num(values[name], nan=-np.inf), name))
            wide = max(int(np.ceil(np.sqrt(1.6 * len(ranked)))), 1)
            found = {name: divmod(place, wide) for place, name in enumerate(ranked)}
    else:
        found = {
            str(name): (int(row), int(column)) for name, row, column in places[["region", "row", "column"]].to_numpy()
        }
    absent = [name for name in values.index if name not in found]
    if absent or values.empty:
        raise ValueError(
            f"No place for the regions {absent[:3]}; expected a region, row and column for each, and one region or more."
        )
    used = {name: found[name] for name in values.index}
    if len(set(used.values())) < len(used):
        raise ValueError("Two regions have the same place; expected a row and column of its own for each.")
    top, left = (min(place[axis] for place in used.values()) for axis in (0, 1))
    return {name: (row - top, column - left) for name, (row, column) in used.items()}


def _path(rings: list[np.ndarray]) -> Path:
    """Rings as one path, in which holes run the other way round and stay empty."""
    return Path.make_compound_path(*(Path(ring, closed=True) for ring in rings))


def _scale(figure: Any, axis: Axes, drawn: Any, label: str, write: Callable[[float], str]) -> None:
    """The scale of colours with written values."""
    marks.scale(figure, drawn, axis, shortened(label), shrink=0.7, format=lambda number, _: write(number))


def _listed(values: pd.Series, write: Callable[[float], str]) -> str:
    """The highest and the lowest values for an alt text, or all if they are few."""
    ranked = values.dropna().sort_index().sort_values(ascending=False, kind="stable")
    said = [f"{name} {write(number)}" for name, number in ranked.items()]
    if len(said) <= NAMED:
        return "; ".join(said) or "No region has a value"
    return f"Highest: {'; '.join(said[: NAMED // 2])}. Lowest: {'; '.join(said[-NAMED // 2 :])}"
