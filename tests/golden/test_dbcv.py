"""Density-based validity against what its authors' program and a second program give for known points."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_moons

from customerlab.analysis import clustering

DATA = Path(os.environ.get("CUSTOMERLAB_DATA", "data")) / "dbcv"
# what https://github.com/pajaskowiak/dbcv gives in MATLAB, and https://github.com/FelSiq/DBCV with scipy's trees
AUTHORS = {1: (0.8576, 0.8566), 2: (0.8103, 0.5405), 3: (0.6319, 0.6308), 4: (0.8688, 0.8456)}


def test_the_second_programs_moons():
    points, truth = make_moons(n_samples=300, noise=0.05, random_state=1782)
    assert clustering.density.dbcv(points, truth, as_given=True) == pytest.approx(0.8545358723390613, abs=1e-9)


def test_the_second_programs_moons_among_noise():
    points, truth = make_moons(n_samples=500, noise=0.05, random_state=1782)
    noise = np.random.RandomState(1082).uniform(*np.quantile(points, (0, 1), axis=0), size=(100, 2))
    points, truth = np.vstack([points, noise]), np.r_[truth, np.full(100, clustering.NOISE)]
    assert clustering.density.dbcv(points, truth, as_given=True) == pytest.approx(0.7545431212217051, abs=1e-9)


@pytest.mark.parametrize(
    ("points", "labels", "published"),
    [
        ([[1, 1], [2, 2], [4, 4], [5, 5]], [1, 1, 2, 2], 0.75),
        ([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]], [1, 1, 2, 2, 2], 0.694201697828989),
    ],
)
def test_the_authors_programs_few_points(points, labels, published):
    found = clustering.density.dbcv(np.array(points, dtype=float), np.array(labels))
    assert found == pytest.approx(published, abs=1e-9)


@pytest.mark.parametrize("number", AUTHORS)
def test_the_authors_programs_data_sets(number):
    """Its order of rows and ours part at ties: one of the four differs in the fourth digit."""
    path = DATA / f"dataset_{number}.txt"
    if not path.exists():
        pytest.skip(f"{path} is not there: it is in the folder data of the authors' repository")
    table = np.loadtxt(path)
    points, labels = table[:, :2], np.where(table[:, 2] == 0, clustering.NOISE, table[:, 2]).astype(int)
    authors, second = AUTHORS[number]
    assert clustering.density.dbcv(points, labels) == pytest.approx(authors, abs=1.1e-3)
    assert clustering.density.dbcv(points, labels, as_given=True) == pytest.approx(second, abs=1e-4)
