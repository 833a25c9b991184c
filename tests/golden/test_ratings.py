"""Predicted stars of MovieLens latest-small: Surprise's own cross-validation on the same folds, published errors."""

import pandas as pd
import pytest
from surprise import NMF, SVD, Dataset, KNNBaseline, Reader, SlopeOne
from surprise.model_selection import KFold, cross_validate

from customerlab.analysis import ratings as prediction
from customerlab.analysis.ratings.models import PUBLISHED

pytestmark = pytest.mark.real_data
SEED = 7


class FirstFold:
    """The first of the five folds: Surprise predicts slowly."""

    def split(self, data):
        yield next(KFold(5, random_state=SEED).split(data))


@pytest.fixture(scope="module")
def ratings(real_table):
    return pd.read_parquet(real_table("movielens_latest_small", "ratings").path)


@pytest.fixture(scope="module")
def ours(ratings):
    # the budget pays all folds but of Slope One, which gets the first
    models = ["SlopeOne", "KNNBaseline", "NMF", "SVD"]
    return prediction.cross_validate(ratings, SEED, models=models, budget=10, scale=(0.5, 5))


# Slope One takes ratings for whole numbers, so it is given half stars
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "make", "unit"),
    [
        ("SVD", lambda: SVD(random_state=SEED), 1),
        ("NMF", lambda: NMF(random_state=SEED), 1),
        ("KNNBaseline", lambda: KNNBaseline(verbose=False), 1),
        ("SlopeOne", lambda: SlopeOne(), 2),
    ],
)
def test_errors_are_those_of_surprise(ratings, ours, name, make, unit):
    ordered = ratings.sort_values(["customer_id", "product_id"])
    rows = ordered[["customer_id", "product_id"]].assign(rating=ordered["rating"] * unit)
    data = Dataset.load_from_df(rows, Reader(rating_scale=(0.5 * unit, 5 * unit)))
    theirs = cross_validate(make(), data, ["rmse", "mae"], cv=FirstFold())
    own = ours.by_fold[ours.by_fold["model"] == name]
    assert own["rmse"].iloc[0] == pytest.approx(theirs["test_rmse"][0] / unit, abs=1e-9)
    assert own["mae"].iloc[0] == pytest.approx(theirs["test_mae"][0] / unit, abs=1e-9)
    if name != "SlopeOne":
        row = ours.table.set_index("model").loc[name]
        assert (row["folds"], row["ratings"]) == (5, 100_004) and own["ratings"].sum() == 100_004
        assert row["rmse"] == pytest.approx(own["rmse"].mean()) and len(own) == 5


@pytest.mark.thorough
def test_errors_are_near_the_published_ones(ours):
    # of MovieLens 100k, older and of whole stars; github.com/NicolasHug/Surprise, README, section Benchmarks
    published = pd.Series(PUBLISHED)
    rmse = ours.table.set_index("model")["rmse"]
    ratio = (rmse / published).dropna()
    assert len(ratio) == 3 and ratio.between(0.95, 1).all()
    there = ours.by_fold[ours.by_fold["fold"] == 0].set_index("model")["rmse"]
    assert there[["SVD", "KNNBaseline"]].max() < there["SlopeOne"] < there["NMF"], "in the published order"
