"""The self-organising map: errors by hand, K-Means where no neighbour counts, a sheet unfolded, order of rows."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from customerlab.analysis.profile import maps
from customerlab.analysis.profile.maps import OrganisedMap, fit_map
from customerlab.figures.profile.maps import unit_map


def cloud(seed=1, number=300):
    return np.random.default_rng(seed).normal(size=(number, 3)) * [3, 1.5, 0.2]


def test_a_sheet_is_unfolded():
    rng = np.random.default_rng(2)
    sheet = rng.uniform(0, [6, 4], (2_000, 2))
    fitted = fit_map(sheet, 5, 7)
    quantization, topographic = fitted.errors(sheet)
    assert topographic < 0.05
    assert quantization < 0.6 * fit_map(sheet, 2, 3).errors(sheet)[0]
    for feature, place in ((0, 0), (1, 1)):
        assert abs(np.corrcoef(fitted.codebook[:, feature], fitted.places[:, place])[0, 1]) > 0.97


def test_where_no_neighbour_counts_a_round_is_one_of_k_means(monkeypatch):
    points = cloud()
    monkeypatch.setattr(maps, "LAST", 0.05)
    monkeypatch.setattr(maps, "ROUNDS", 400)
    fitted = fit_map(points, 2, 3)
    other = KMeans(6, init=fitted.codebook, n_init=1, algorithm="lloyd", tol=0).fit(points)
    assert np.allclose(other.cluster_centers_, fitted.codebook, rtol=0, atol=1e-9)
    assert fitted.errors(points)[0] == pytest.approx(other.transform(points).min(axis=1).mean(), abs=1e-12)


def test_neighbours_errors_and_distances_by_hand():
    # two rows of two: the first unit of the lower row is half a unit to the right
    places = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)], [1.5, np.sqrt(0.75)]])
    fitted = OrganisedMap(np.array([[0.0], [10.0], [20.0], [1.0]]), places)
    points = np.array([[0.4], [0.2], [9.0], [21.0]])
    # the nearest two of 0.4 and 0.2 are the first and the last unit, which are not neighbours; of 9, units 1 and 3
    assert fitted.units(points).tolist() == [0, 0, 1, 2]
    assert fitted.errors(points) == pytest.approx(((0.4 + 0.2 + 1 + 1) / 4, 0.5))
    table = fitted.table(points)
    assert table["customers"].tolist() == [2, 1, 1, 0]
    assert table["distance"].tolist() == pytest.approx(
        [(10 + 20) / 2, (10 + 10 + 9) / 3, (20 + 10 + 19) / 3, (9 + 19) / 2]
    )


def test_the_grid_is_hexagonal_and_the_order_of_points_is_nothing():
    points = cloud(4)
    fitted = fit_map(points, 4, 5)
    apart = np.linalg.norm(fitted.places[:, None] - fitted.places, axis=2)
    beside = (np.abs(apart - 1) < 1e-9).sum(axis=1)
    assert beside.max() == 6 and beside.min() >= 2 and apart[apart > 0].min() == pytest.approx(1)
    assert np.array_equal(fit_map(points[::-1], 4, 5).codebook, fitted.codebook)


def test_ridges_divide_two_groups():
    rng = np.random.default_rng(5)
    points = np.concatenate([rng.normal(0, 0.3, (200, 2)), rng.normal(6, 0.3, (200, 2))])
    fitted = fit_map(points, 3, 9)
    table = fitted.table(points)
    used = np.flatnonzero(table["customers"] > 20)
    assert table["distance"].max() > 3 * table["distance"].iloc[used].median()
    own = fitted.units(points)
    assert not set(own[:200]) & set(own[200:])


def test_odd_maps():
    points = cloud()
    one = fit_map(points, 1, 1)
    assert np.allclose(one.codebook, points.mean(axis=0), rtol=0, atol=1e-12)
    assert one.errors(points)[1] == 0 and one.table(points)["distance"].tolist() == [0]
    same = fit_map(np.ones((5, 2)), 2, 2)
    assert np.allclose(same.codebook, 1) and same.errors(np.ones((5, 2)))[0] == pytest.approx(0, abs=1e-12)
    for bad, rows, words in (
        (points[:0], 2, "finite"),
        (points * np.nan, 2, "finite"),
        (points, 0, "at least one unit"),
    ):
        with pytest.raises(ValueError, match=words):
            fit_map(bad, rows, 2)


def test_the_figure_has_a_cell_per_unit():
    points = cloud()
    table = fit_map(points, 4, 6).table(points)
    picture = unit_map(table, 9)
    assert "24 units with 300 customers" in picture.alt
    told = [text.get_text() for text in picture.figure.axes[0].texts]
    assert told == ["<9" if 0 < number < 9 else str(number) for number in table["customers"]] and "<9" in told
