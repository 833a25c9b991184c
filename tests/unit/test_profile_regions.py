"""Rates by region and spatial autocorrelation: published numbers, closed forms, planted truth; maps of shapes."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

from customerlab.analysis.disclosure import hidden
from customerlab.analysis.profile.regions import by_region, moran, shrunken
from customerlab.figures.profile.regions import EUROPE, choropleth, shapes, tiles

# Respiratory symptoms in 71 school catchment areas of Huddersfield: cases and questionnaires (Martuzzi, Elliott 1996)
CASES = [
    21, 22, 47, 3, 8, 25, 31, 26, 12, 5, 73, 27, 66, 41, 39, 26, 16, 10, 9, 4, 19, 7, 32, 23, 12, 26, 6, 4, 28, 7, 33, 6,
    18, 12, 14, 11, 19, 6, 34, 19, 22, 8, 5, 3, 32, 5, 16, 20, 7, 29, 19, 14, 16, 4, 8, 8, 4, 5, 0, 5, 43, 6, 42, 3, 27,
    33, 52, 26, 49, 25, 50,
]  # fmt: skip
ASKED = [
    49, 76, 166, 14, 24, 81, 92, 57, 45, 17, 263, 80, 202, 179, 114, 77, 55, 63, 22, 10, 66, 18, 113, 69, 86, 77, 19, 12,
    105, 11, 96, 30, 94, 47, 58, 25, 75, 33, 107, 59, 84, 42, 30, 15, 97, 10, 43, 61, 18, 116, 73, 46, 81, 8, 37, 36, 11,
    16, 1, 17, 138, 18, 124, 10, 89, 81, 112, 76, 202, 85, 106,
]  # fmt: skip
# What the documentation of spdep's EBest prints of them, in percent, for the first 66
PRINTED = [
    34.44, 29.56, 28.94, 28.93, 30.72, 30.43, 31.85, 35.93, 28.95, 29.95, 28.36, 31.75, 31.84, 25.36, 32.33, 31.72, 29.69,
    24.36, 32.11, 31.01, 29.53, 31.47, 29.10, 31.44, 22.36, 31.72, 30.31, 30.42, 28.26, 33.57, 32.24, 27.62, 24.60, 28.54,
    27.79, 32.98, 27.95, 26.96, 30.97, 30.88, 28.23, 26.65, 26.81, 28.66, 31.54, 31.97, 32.30, 31.13, 31.47, 27.26, 28.29,
    30.18, 25.28, 31.61, 27.67, 27.88, 30.71, 30.22, 29.73, 29.95, 30.71, 30.58, 32.22, 30.04, 30.19, 35.00,
]  # fmt: skip
# Counties of Ireland without Dublin, each with its neighbours later in the alphabet (Cliff and Ord 1969, table A1)
IRELAND = {
    "A": "IJKYZ", "B": "LNQRX", "C": "GHMV", "D": "HMVW", "E": "L", "G": "PSTV", "H": "M", "I": "KQSZ", "J": "KVWY",
    "K": "SV", "L": "NTU", "M": "V", "N": "TX", "O": "QR", "P": "TU", "Q": "RSX", "S": "TVX", "T": "UX", "V": "SW",
    "W": "Y", "Y": "Z",
}  # fmt: skip
COWS = [67, 99, 110, 146, 102, 69, 194, 52, 91, 69, 102, 181, 74, 69, 97, 55, 85, 55, 66, 92, 107, 122, 43, 64, 79]
CARS = [43, 26, 22, 38, 21, 22, 20, 40, 41, 38, 20, 32, 32, 37, 17, 49, 32, 33, 22, 24, 41, 41, 37, 34, 36]
RADIOS = [
    169,
    56,
    67,
    130,
    80,
    87,
    76,
    123,
    82,
    121,
    70,
    158,
    111,
    200,
    84,
    116,
    80,
    110,
    115,
    102,
    127,
    164,
    157,
    122,
    102,
]
LETTERS = "ABCDEGHIJKLMNOPQRSTUVWXYZ"


def huddersfield():
    names = [f"area {place:02d}" for place in range(71)]
    return pd.DataFrame({"region": names, "customers": ASKED, "total": CASES})


def ireland():
    return [(one, other) for one, others in IRELAND.items() for other in others]


# Shrunken rates


def test_shares_are_shrunken_as_published():
    found = shrunken(huddersfield())
    assert (100 * found.table["shrunken"].head(66)).round(2).tolist() == PRINTED
    assert found.mean == sum(CASES) / sum(ASKED)
    inside = found.table["shrunken"].between(found.table["low"], found.table["high"])
    assert inside.all() and found.table["low"].min() > 0.1 and found.table["high"].max() < 0.55


def test_a_share_is_the_mean_of_its_beta_posterior():
    found = shrunken(huddersfield())
    size = found.mean * (1 - found.mean) / found.spread**2 - 1  # customers that the prior distribution is worth
    posterior = (np.array(CASES) + size * found.mean) / (np.array(ASKED) + size)
    assert found.table["shrunken"].to_numpy() == pytest.approx(posterior, abs=1e-12)


def test_counts_are_shrunken_as_marshall_1991_has_it():
    table = huddersfield().assign(total=lambda t: 3 * t["total"])
    n, y = table["customers"], table["total"]
    mean = y.sum() / n.sum()
    between = (n * (y / n - mean) ** 2).sum() / n.sum() - mean / n.mean()
    gamma = (y + mean**2 / between) / (n + mean / between)  # the mean of the posterior distribution
    found = shrunken(table, "count")
    assert found.spread**2 == pytest.approx(between)
    assert found.table["shrunken"].to_numpy() == pytest.approx(gamma.to_numpy(), rel=1e-12)


def test_amounts_of_equally_large_regions_have_the_variances_of_the_one_way_layout():
    rng = np.random.default_rng(3)
    spend = pd.Series((rng.normal(0, 3, 12)[:, None] + rng.normal(50, 10, (12, 30))).ravel())
    region = pd.Series(np.repeat(list("abcdefghijkl"), 30))
    table = by_region(spend, region)
    found = shrunken(table, "amount")
    means = spend.groupby(region).mean()
    within = spend.groupby(region).var().mean()
    between = means.var(ddof=0) - within / 30
    assert found.spread == pytest.approx(np.sqrt(between))
    weight = between / (between + within / 30)
    assert found.table["shrunken"].to_numpy() == pytest.approx(
        (weight * means + (1 - weight) * spend.mean()).to_numpy()
    )
    assert found.table["z"].var(ddof=0) == pytest.approx(1)


@pytest.mark.slow
def test_intervals_have_the_variance_that_integration_gives():
    rng = np.random.default_rng(6)
    n, variance = rng.integers(20, 200, 6), 4.0
    rate = rng.normal(10, 0.4, 6)
    table = pd.DataFrame({"region": list("abcdef"), "customers": n, "total": n * rate, "variance": variance})
    found = shrunken(table, "amount").table
    own = variance / n

    def moment(power, at):
        def density(between):
            w = 1 / (own + between)
            mean = (w @ rate) / w.sum()
            chance = np.sqrt(np.prod(10 * w) / w.sum()) * np.exp(-(w @ (rate - mean) ** 2) / 2)
            middle = (between * rate + own * mean)[at] * w[at]
            spread = (between * own * w)[at] + (own * w)[at] ** 2 / w.sum()
            return chance * (spread + (middle - found["shrunken"][at]) ** 2) ** power

        return quad(density, 0, 0.5, epsabs=0, epsrel=1e-9)[0] + quad(density, 0.5, np.inf, epsabs=0, epsrel=1e-9)[0]

    reach = [stats.norm.ppf(0.975) * np.sqrt(moment(1, at) / moment(0, at)) for at in range(6)]
    assert (found["high"] - found["shrunken"]).to_numpy() == pytest.approx(reach, rel=1e-3)


def test_regions_that_differ_by_chance_alone_are_shrunken_to_the_mean():
    table = pd.DataFrame({"region": list("abcde"), "customers": 100, "total": [30, 31, 29, 30, 30]})
    found = shrunken(table)
    assert found.spread == 0 and found.table["shrunken"].tolist() == pytest.approx([0.3] * 5)
    error = np.sqrt(0.21 / 500)  # that of the mean of all, at the least
    assert (found.table["high"] - found.table["low"] > 2 * 1.9 * error).all()
    same = shrunken(table.assign(total=10.0, variance=0.0), "amount").table
    assert (same["shrunken"] == 0.1).all() and (same["low"] == 0.1).all() and (same["z"] == 0).all()


def test_too_few_regions_or_outcomes_are_too_few_to_tell():
    table = pd.DataFrame({"region": list("abc"), "customers": 100, "total": 30})
    for few in (table, huddersfield().assign(total=0), huddersfield().assign(total=ASKED), table.head(0)):
        found = shrunken(few).table
        assert found[["shrunken", "low", "high", "z"]].isna().all(axis=None) and found["rate"].notna().all()
    empty = pd.concat([huddersfield(), pd.DataFrame({"region": ["none"], "customers": [0], "total": [0]})])
    pd.testing.assert_frame_equal(shrunken(empty).table, shrunken(huddersfield()).table)


def test_neither_the_order_of_rows_nor_hidden_regions_change_a_number():
    found, again = shrunken(huddersfield()), shrunken(huddersfield().sample(frac=1, random_state=2), smallest=10)
    assert (again.mean, again.spread) == (found.mean, found.spread)
    small = hidden(ASKED, 10)  # of 1 and 8, and of 10 and 10, which would reveal them
    assert again.table["shrunken"].isna().tolist() == again.table["customers"].isna().tolist() == small.tolist()
    shown = again.table["shrunken"].notna()
    assert again.table.loc[shown, "shrunken"].tolist() == found.table.loc[shown, "shrunken"].tolist()


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({}, "sum", "'sum'; expected 'share', 'count' or 'amount'"),
        ({}, "amount", "lacks 'variance'"),
        ({"region": "x"}, "share", "twice"),
        ({"total": 300}, "share", "'area 00' cannot be; expected a total from 0 to the number of customers"),
        ({"total": -1}, "count", "expected a total from 0"),
        ({"customers": np.nan}, "share", "'area 00' cannot be"),
    ],
)
def test_a_table_that_cannot_be_is_refused(change, kind, said):
    with pytest.raises(ValueError, match=said):
        shrunken(huddersfield().assign(**change), kind)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["share", "count", "amount"])
@pytest.mark.parametrize(("regions", "spread"), [(8, 0.1), (30, 0.1), (30, 0.03)])
def test_intervals_hold_the_true_rates_of_regions_as_often_as_promised(kind, regions, spread):
    rng, held, errors = np.random.default_rng(regions), [], []
    for _ in range(200):
        n = rng.integers(10, 200, regions)
        true = rng.beta(0.21 / spread**2 * 0.3, 0.21 / spread**2 * 0.7, regions)
        total = {
            "share": rng.binomial(n, true), "count": rng.poisson(n * true), "amount": rng.normal(n * true, 0.5 * np.sqrt(n)),
        }  # fmt: skip
        table = pd.DataFrame({"region": range(regions), "customers": n, "total": total[kind], "variance": 0.25})
        found = shrunken(table, kind).table
        held.append(((found["low"] <= true) & (true <= found["high"])).mean())
        errors.append([((found[name] - true) ** 2).mean() for name in ("shrunken", "rate")])
    assert 0.95 - 3 * np.std(held) / np.sqrt(200) < np.mean(held) < 0.985
    assert np.mean(errors, axis=0) @ [1, -1] < 0


# Spatial autocorrelation


@pytest.mark.parametrize(
    ("values", "printed"), [(COWS, 0.5749), (np.log(COWS), 0.5803), (CARS, 0.4914), (RADIOS, -0.0042)]
)
def test_counties_of_ireland_have_the_published_autocorrelation(values, printed):
    # Cliff and Ord (1969), as recomputed with binary weights in spdep's vignette CO69
    found = moran(pd.Series(values, list(LETTERS)), ireland(), seed=1, permutations=9)
    assert (round(found.i, 4), found.regions, found.pairs, found.expected) == (printed, 25, 55, -1 / 24)


def test_p_agrees_with_the_standard_deviates_of_cliff_and_ord():
    values = pd.Series(CARS, list(LETTERS))  # 4.4015 standard deviations from the expected value, table 4
    assert moran(values, ireland(), seed=1).p == 0.001
    radios = moran(pd.Series(RADIOS, list(LETTERS)), ireland(), seed=1, permutations=4999)
    assert radios.p == pytest.approx(2 * stats.norm.sf(0.3153), abs=0.03)


def test_a_checkerboard_is_minus_one_and_halves_are_as_counted():
    board = pd.DataFrame([(f"{row}{column}", row, column) for row in range(6) for column in range(6)])
    board.columns = ["region", "row", "column"]
    pairs = [(f"{row}{at}", f"{row}{at + 1}") for row in range(6) for at in range(5)]
    pairs += [(f"{at}{column}", f"{at + 1}{column}") for column in range(6) for at in range(5)]
    colours = pd.Series(((board["row"] + board["column"]) % 2).to_numpy(), board["region"])
    found = moran(colours, pairs, seed=1)
    assert found.i == pytest.approx(-1, abs=1e-12) and found.p == 0.001 and found.pairs == 60
    halves = pd.Series((board["row"] < 3).astype(int).to_numpy(), board["region"])
    assert moran(halves, pairs, seed=1).i == pytest.approx((60 - 2 * 6) / 60)


def test_p_is_that_of_all_permutations():
    values = pd.Series([1.0, 2.0, 4.0, 7.0, 9.0, 16.0], list("abcdef"))
    pairs = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("a", "c")]
    found = moran(values, pairs, seed=4, permutations=4999)
    at = [("abcdef".index(one), "abcdef".index(other)) for one, other in pairs]
    z = (values - values.mean()).to_numpy()
    every = [sum(each[one] * each[other] for one, other in at) / (z @ z) for each in permutations(z)]
    assert np.mean(every) == pytest.approx(found.expected)
    far = np.mean(np.abs(np.array(every) - found.expected) >= abs(found.i - found.expected) - 1e-12)
    assert found.p == pytest.approx(far, abs=4 * np.sqrt(far * (1 - far) / 4999))


def test_neither_order_nor_direction_of_pairs_matters():
    values = pd.Series(COWS, list(LETTERS))
    found = moran(values, ireland(), seed=7)
    turned = pd.DataFrame([(other, one) for one, other in reversed(ireland())] + ireland()[:5] + [("A", "A")])
    assert moran(values.sample(frac=1, random_state=1), turned, seed=7) == found
    more = pd.concat([values, pd.Series({"island": 5.0, "unknown": np.nan})])
    assert moran(more, [*ireland(), ("unknown", "A")], seed=7) == found


def test_equal_values_have_no_autocorrelation_and_no_pairs_are_refused():
    found = moran(pd.Series(0.1, list("abc")), [("a", "b"), ("b", "c")], seed=1)
    assert np.isnan(found.i) and found.p == 1 and found.expected == -0.5
    with pytest.raises(ValueError, match="No pair of neighbours"):
        moran(pd.Series([1.0, 2.0], ["DE", "AT"]), [("Germany", "Austria")], seed=1)
    with pytest.raises(ValueError, match="two values"):
        moran(pd.Series([1.0, 2.0], ["DE", "DE"]), [("DE", "AT")], seed=1)


@pytest.mark.thorough
def test_regions_without_a_pattern_are_found_significant_no_more_often_than_promised():
    from helpers import by_chance

    rng = np.random.default_rng(9)
    found = [
        moran(pd.Series(rng.lognormal(size=25), list(LETTERS)), ireland(), seed=1, permutations=199).p
        for _ in range(400)
    ]
    assert np.mean(np.array(found) <= 0.05) <= by_chance(0.05, 400)[1]


# Maps


def square(west, south, size=1.0):
    return [[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]


def collection(**geometries):
    features = [
        {"type": "Feature", "properties": {"id": name}, "geometry": geometry} for name, geometry in geometries.items()
    ]
    return {"type": "FeatureCollection", "features": features}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def islands(*rings):
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def covered(picture, west, south):
    """Whether a place on a map is inside a drawn region."""
    axis = picture.figure.axes[0]
    paths = [path for drawn in axis.collections for path in drawn.get_paths()] + [
        patch.get_path() for patch in axis.patches
    ]
    found = [sum(np.sign(_area(ring)) for ring in path.to_polygons() if _holds(ring, west, south)) for path in paths]
    return any(found)


def _area(ring):
    return (ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]).sum()


def _holds(ring, west, south):
    from matplotlib.path import Path

    return Path(ring).contains_point((west, south))


TABLE = pd.DataFrame({"region": ["A", "B", "C", "Z"], "shrunken": [0.2, 0.4, np.nan, 0.3]})
MAP = collection(
    A=polygon(square(0, 60, 4), square(1, 61)[::-1]), B=islands(square(5, 60), square(7, 60)), C=polygon(square(9, 60))
)


def test_a_map_has_holes_islands_and_its_scale():
    for turned in (False, True):  # RFC 7946 lets readers accept rings of either direction
        given = collection(
            **{feature["properties"]["id"]: feature["geometry"] for feature in MAP["features"]}
            | ({"A": polygon(square(0, 60, 4)[::-1], square(1, 61))} if turned else {})
        )
        picture = choropleth(TABLE, shapes(given, "id"), "repurchase rate")
        places = {
            (0.5, 60.5): True,
            (1.5, 61.5): False,
            (5.5, 60.5): True,
            (6.5, 60.5): False,
            (7.5, 60.5): True,
            (9.5, 60.5): True,
        }
        assert {place: covered(picture, *place) for place in places} == places
    axis = picture.figure.axes[0]
    assert axis.get_aspect() == pytest.approx(1 / np.cos(np.radians(62)))
    assert [patch.get_hatch() for patch in axis.patches] == ["////"] and axis.collections[0].get_array().tolist() == [
        0.2,
        0.4,
    ]
    assert picture.alt == "Map of repurchase rate in 2 of 3 regions. B 0.4; Z 0.3; A 0.2. Without a shape: Z."


def test_several_features_of_a_region_are_put_together_and_numbers_are_names():
    given = {"type": "FeatureCollection", "features": [*collection(x=polygon(square(0, 0)))["features"] * 2]}
    for feature in given["features"]:
        feature["properties"] = {"id": 7}
    found = shapes(given, "id")
    assert list(found) == ["7"] and len(found["7"]) == 2
    assert choropleth(pd.DataFrame({"region": [7], "rate": [1.0]}), found, "rate", value="rate").alt.endswith("7 1.")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no GeoJSON FeatureCollection"),
        ({"type": "Topology", "objects": {}}, "no GeoJSON FeatureCollection"),
        (collection(), "with features"),
        ({"type": "FeatureCollection", "features": [{"properties": {"name": "A"}}]}, r"Feature 0 .* no property 'id'; found \['name'\]"),
        ({"type": "FeatureCollection", "features": [None]}, "Feature 0 .* no property"),
        (collection(A=polygon(square(0, 0)), B={"type": "Point", "coordinates": [0, 0]}), "Feature 1 .* 'Point' .*expected a Polygon"),
        (collection(A=None), "of type None"),
        (collection(A=polygon(square(0, 0)[:-1])), "Feature 0 .* not closed"),
        (collection(A=polygon([[0, 0], [1, 1], [0, 0]])), "4 positions"),
        (collection(A=polygon(square(500_000, 5_600_000))), "degrees .WGS 84., not a projection"),
        (collection(A=polygon([[0, "north"]] * 4)), "no pair of numbers"),
        (collection(A=polygon([0, 1, 2, 0])), "no pair of numbers"),
        (collection(A=polygon([[0, np.nan]] * 4)), "not closed|degrees"),
    ],
)  # fmt: skip
def test_shapes_that_cannot_be_read_are_refused_with_the_feature(given, said):
    with pytest.raises(ValueError, match=said):
        shapes(given, "id")


def test_a_map_needs_a_region_with_a_shape():
    with pytest.raises(ValueError, match=r"found \['DE'\], expected names such as \['A', 'B', 'C'\]"):
        choropleth(pd.DataFrame({"region": ["DE"], "shrunken": [1.0]}), shapes(MAP, "id"), "rate")


def squares(picture):
    """The text in each place of a map of squares."""
    return {text.get_position(): text.get_text() for text in picture.figure.axes[0].texts}


def test_squares_lie_where_countries_do_or_in_rows_by_value_or_where_they_are_put():
    table = pd.DataFrame({"region": ["DE", "AT", "PL", "DK"], "shrunken": [0.1, 0.2, 0.3, np.nan]})
    assert squares(tiles(table, "rate")) == {(0, 0): "DK\n–", (0, 1): "DE\n0.1", (1, 1): "PL\n0.3", (0, 3): "AT\n0.2"}
    other = table.replace({"region": {"DE": "Germany"}})
    assert squares(tiles(other, "rate")) == {
        (0, 0): "PL\n0.3",
        (1, 0): "AT\n0.2",
        (2, 0): "Germany\n0.1",
        (0, 1): "DK\n–",
    }
    places = pd.DataFrame({"region": ["DE", "AT", "PL", "DK"], "row": [5, 6, 5, 4], "column": 2}).assign(
        column=[2, 2, 3, 2]
    )
    assert squares(tiles(table, "rate", places=places)) == {
        (0, 0): "DK\n–",
        (0, 1): "DE\n0.1",
        (1, 1): "PL\n0.3",
        (0, 2): "AT\n0.2",
    }
    assert tiles(table, "rate").alt == "Squares of rate in 4 regions. PL 0.3; AT 0.2; DE 0.1."
    for wrong, said in ((places.head(3), r"regions \['DK'\]"), (places.assign(row=0), "same place")):
        with pytest.raises(ValueError, match=said):
            tiles(table, "rate", places=wrong)
    with pytest.raises(ValueError, match="one region or more"):
        tiles(table.head(0), "rate")


def test_the_grid_of_europe_has_each_country_once_and_neighbours_close_together():
    rows = [line.split() for line in EUROPE.split("\n")[1:-1]]
    codes = [code for row in rows for code in row if code != "."]
    assert len(codes) == len(set(codes)) == 47 and {len(row) for row in rows} == {8}
    place = {code: (row, column) for row, line in enumerate(rows) for column, code in enumerate(line)}
    for one, other in combinations(["DE", "PL", "CZ"], 2):
        assert max(abs(np.subtract(place[one], place[other]))) == 1
