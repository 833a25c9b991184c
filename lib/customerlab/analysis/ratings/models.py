"""Surprise's rating models, their estimated cost, and the fitted model that predicts and ranks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from surprise import (
    NMF,
    SVD,
    AlgoBase,
    BaselineOnly,
    CoClustering,
    Dataset,
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
    Reader,
    SlopeOne,
    SVDpp,
)

from customerlab.analysis.ratings.estimate import estimate

BUDGET = 30.0
"""Seconds that a model may take for all its fits of one evaluation."""
MEMORY = 2 * 2**30
"""Bytes that a model may take for its matrices."""
PARTS = 1000  # Surprise's Slope One and co-clustering read a rating as a whole number: ratings are given as thousandths
HIGHEST = 5.0
"""The highest rating that models are fitted on. Gradient descent takes steps of a fixed size: Surprise's are meant for
one to five, and on a scale of 1 to 100, or on counts of plays, it leaves all bounds."""
LEARNED = ("bu", "bi", "pu", "qi", "yj")  # what gradient descent learns
DIGITS = 10  # decimals of a score, so that sums in another order leave equal scores equal


class Mean(AlgoBase):
    """Every prediction is the mean of all ratings: the baseline of all models."""

    name = "mean of all ratings"


@dataclass(frozen=True)
class Size:
    """Size of the training data: ratings, customers, products, and Σ n² over the ratings n of each of them."""

    ratings: int
    customers: int
    products: int
    customer_squares: int
    product_squares: int

    @classmethod
    def of(cls, train: pd.DataFrame) -> "Size":
        """Of a table of ratings."""
        by_customer, by_product = (train[name].value_counts() for name in ("customer_id", "product_id"))
        return cls(
            len(train), len(by_customer), len(by_product), int((by_customer**2).sum()), int((by_product**2).sum())
        )


@dataclass(frozen=True)
class RatingModel:
    """A model by the name of its class in Surprise, with the time and memory that it needs."""

    name: str
    make: Callable[[int], AlgoBase]  # from a seed
    seconds: Callable[[Size], float]  # of one core, as measured on MovieLens
    memory: Callable[[Size], float] = lambda size: 0  # bytes of matrices
    whole: bool = False  # whether Surprise reads ratings as whole numbers


def _neighbours(name: str, kind: type[AlgoBase]) -> RatingModel:
    return RatingModel(
        name,
        lambda seed: kind(verbose=False),
        lambda size: 1e-7 * size.product_squares + 2e-8 * size.customers**2 + 3e-5 * size.products,
        lambda size: 24 * size.customers**2,
    )


RATING_MODELS = {
    model.name: model
    for model in (
        RatingModel(Mean.name, lambda seed: Mean(), lambda size: 0),
        RatingModel("BaselineOnly", lambda seed: BaselineOnly(verbose=False), lambda size: 2e-6 * size.ratings),
        RatingModel(
            "SlopeOne", lambda seed: SlopeOne(), lambda size: 1e-7 * size.customer_squares + 3e-8 * size.products**2,
            lambda size: 16 * size.products**2, whole=True,
        ),
        RatingModel(
            "CoClustering", lambda seed: CoClustering(random_state=seed), lambda size: 2e-5 * size.ratings, whole=True
        ),
        _neighbours("KNNBasic", KNNBasic),
        _neighbours("KNNWithMeans", KNNWithMeans),
        _neighbours("KNNWithZScore", KNNWithZScore),
        _neighbours("KNNBaseline", KNNBaseline),
        RatingModel("NMF", lambda seed: NMF(random_state=seed), lambda size: 2.2e-5 * size.ratings),
        RatingModel(
            "SVD++", lambda seed: SVDpp(random_state=seed, cache_ratings=True), lambda size: 7e-7 * size.customer_squares
        ),
        RatingModel("SVD", lambda seed: SVD(random_state=seed), lambda size: 1e-5 * size.ratings),
    )
}  # fmt: skip
"""From the simple to the flexible, with Surprise's own defaults.

`NormalPredictor` is left out: it draws from a normal distribution with the ratings' mean and variance, and so has about
√2 times the error of the mean itself, which is the baseline here.
"""

PUBLISHED = {
    "BaselineOnly": 0.944, "SlopeOne": 0.946, "CoClustering": 0.963, "KNNBasic": 0.980, "KNNWithMeans": 0.951,
    "KNNBaseline": 0.931, "NMF": 0.963, "SVD++": 0.919, "SVD": 0.934,
}  # fmt: skip
"""RMSE of the same models by five random folds of MovieLens 100k, an older and other set of whole numbers: Surprise's
README (github.com/NicolasHug/Surprise), section Benchmarks. Near, and in nearly this order, is what to expect."""


class FittedModel:
    """A fitted model, which predicts the ratings that customers would give to products.

    Models are fitted on ratings of which the highest of the scale is 5 and zero is zero (or the lowest, where that is
    below zero); what they predict is in the scale's own units. Ratings up to five are fitted as they are.

    Parameters
    ----------
    model : RatingModel
    train : DataFrame
        `customer_id`, `product_id`, `rating`; factor models learn in the order of rows.
    scale : (float, float)
        Predictions are clipped to it, scores are not.
    seed : int
    """

    def __init__(self, model: RatingModel, train: pd.DataFrame, scale: tuple[float, float], seed: int) -> None:
        self.name, self.scale = model.name, scale
        self.least = min(scale[0], 0.0)
        self.unit = HIGHEST / (scale[1] - self.least) if scale[1] > self.least else 1.0
        self.unit *= PARTS if model.whole else 1
        ratings = (train["rating"] - self.least) * self.unit
        ratings = ratings.round() if model.whole else ratings
        reader = Reader(rating_scale=((scale[0] - self.least) * self.unit, (scale[1] - self.least) * self.unit))
        rows = train[["customer_id", "product_id"]].assign(rating=ratings)
        learned = Dataset.load_from_df(rows, reader).build_full_trainset()
        self.customers = pd.Index([learned.to_raw_uid(one) for one in learned.all_users()])
        self.products = pd.Index([learned.to_raw_iid(one) for one in learned.all_items()])
        with np.errstate(all="ignore"):  # no spread, no neighbour: `estimate` says what is predicted then
            self.model = model.make(seed).fit(learned)

    @property
    def diverged(self) -> bool:
        """Whether a learned parameter is not finite, so that nothing can be predicted."""
        learned = (np.asarray(getattr(self.model, name)) for name in LEARNED if hasattr(self.model, name))
        return not all(np.isfinite(part).all() for part in learned if part.dtype.kind == "f")

    def predict(self, customers: pd.Series, products: pd.Series) -> np.ndarray:
        """Ratings for pairs, clipped to the scale."""
        user, item = self.customers.get_indexer(customers), self.products.get_indexer(products)
        return np.clip(self._estimate(user, item), *self.scale)

    def scores(self, customers: pd.Index, products: pd.Index) -> np.ndarray:
        """Ratings, customers by products, for all their pairs, not clipped: the scale's end would tie the best."""
        user, item = self.customers.get_indexer(customers), self.products.get_indexer(products)
        pairs = np.repeat(user, len(item)), np.tile(item, len(user))
        return self._estimate(*pairs).reshape(len(user), len(item)).round(DIGITS)

    def _estimate(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        return estimate(self.model, user, item) / self.unit + self.least


def affordable(model: RatingModel, size: Size, fits: int, budget: float) -> tuple[int, str]:
    """How many of the fits a model may have within the budget, and why not all.

    Examples
    --------
    >>> size = Size(80_000, 671, 8_600, 32_000_000, 4_000_000)
    >>> affordable(RATING_MODELS["SVD++"], size, 5, 30.0)
    (1, '5 fits of about 22 s exceed the 30 s of rating_budget')
    >>> affordable(RATING_MODELS["SVD"], size, 5, 30.0)
    (5, '')
    """
    if (needed := model.memory(size)) > MEMORY:
        return 0, f"about {needed / 2**30:,.0f} GiB of matrices, limit {MEMORY / 2**30:g} GiB"
    seconds = model.seconds(size)
    if fits * seconds <= budget:
        return fits, ""
    many = f"{fits} fits of about {seconds:,.0f} s exceed" if fits > 1 else f"a fit of about {seconds:,.0f} s exceeds"
    return int(budget // seconds), f"{many} the {budget:g} s of rating_budget"


def models_named(names: Sequence[str] | None) -> list[RatingModel]:
    """The models of these names, all by default; a ValueError names those that there are."""
    wrong = [name for name in names or () if name not in RATING_MODELS]
    if wrong:
        raise ValueError(f"there are no models {', '.join(wrong)}; expected some of {', '.join(RATING_MODELS)}")
    return [RATING_MODELS[name] for name in names or RATING_MODELS]
