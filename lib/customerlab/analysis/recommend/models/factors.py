"""Factor models of `implicit`: customers and products as points, whose products are the scores."""

import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
from threadpoolctl import threadpool_limits

from customerlab.analysis.recommend.models.base import DIGITS
from customerlab.analysis.recommend.models.linear import PureSVD
from customerlab.analysis.recommend.split import Split

with warnings.catch_warnings():
    # in a notebook without ipywidgets, tqdm says so when implicit imports it; no progress bar is shown here
    warnings.filterwarnings("ignore", "IProgress not found")
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking


class _Factors:
    """Scores that are the products of a row for the customer and a row for the product."""

    customers_: np.ndarray
    products_: np.ndarray

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Products of the customers' and the products' factors."""
        with threadpool_limits(1):
            return (self.customers_[rows] @ self.products_.T).round(DIGITS)


@dataclass(eq=False)
class ALS(_Factors):
    """ALS: weighted matrix factorisation by alternating least squares.

    Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets", as `implicit` solves it:
    minimise Σ c(u, i) (p(u, i) − x(u)·y(i))² + λ (Σ |x(u)|² + Σ |y(i)|²) over all customers u and products i, where p
    is 1 and c is alpha · orders for what the customer bought, and p is 0 and c is 1 for all else.

    This begins at the directions of `PureSVD` instead of random numbers: two rounds do what ten do from random ones,
    and no seed changes the lists. Least squares are solved exactly, in double precision and on one thread, so that
    equal products have equal scores. The defaults are the best of a small grid on Online Retail in the two windows of
    28 days before the last.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "milk"]), ("bob", 8, ["tea"]), ("cid", 8, ["jam"])])
    >>> model = ALS(1, penalty=0.1, alpha=1.0).fit(split)
    >>> dict(zip(split.products, model.scores(np.array([1]))[0].round(3).tolist()))
    {'tea': 0.689, 'jam': 0.0, 'milk': 0.426}
    """

    name = "ALS"
    factors: int = 64  # at most; fewer where PureSVD finds fewer directions
    penalty: float = 10.0  # λ
    alpha: float = 0.5  # what an order weighs; the paper has 1 + alpha · orders, which ranks worse on Online Retail
    iterations: int = 2  # how often customers and products are solved in turn

    def fit(self, split: Split) -> Self:
        """Begin at the directions of PureSVD, and solve for customers and products in turn."""
        begin = PureSVD(self.factors).fit(split).directions_
        with threadpool_limits(1):  # implicit warns where BLAS has more
            model = AlternatingLeastSquares(
                begin.shape[1], self.penalty, self.alpha, np.float64,
                use_cg=False, iterations=self.iterations, num_threads=1,
            )  # fmt: skip
            model.user_factors = np.zeros((len(split.customers), begin.shape[1]))
            model.item_factors = begin.copy()
            model.fit(split.history, show_progress=False)
        self.customers_, self.products_ = model.user_factors, model.item_factors
        return self


@dataclass(eq=False)
class BPR(_Factors):
    """BPR: Bayesian personalised ranking; factors that rank purchased products above others, pair by pair.

    Rendle, Freudenthaler, Gantner and Schmidt-Thieme (2009), "BPR: Bayesian personalized ranking from implicit
    feedback", as `implicit` descends: for a purchase and a product drawn from all purchases, a step up the slope of
    log σ(x·y(bought) − x·y(other)), less a penalty. A product has a bias besides, how likely it is at all.

    Draws follow the seed on one thread. Unlike elsewhere here, products that the same customers bought have scores that
    differ a little, and another build of `implicit` may draw otherwise. The defaults were chosen like those of `ALS`.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "milk"]), ("bob", 8, ["tea"]), ("cid", 8, ["jam"])])
    >>> BPR(4).fit(split).scores(np.array([0, 1])).shape
    (2, 3)
    """

    name = "BPR"
    factors: int = 64
    learning_rate: float = 0.05
    penalty: float = 0.005
    iterations: int = 20  # how many draws there are, in numbers of purchases
    seed: int = 7

    def fit(self, split: Split) -> Self:
        """Learn by stochastic gradient descent."""
        # products of the future have columns too, which the first random numbers must not know
        sold = np.unique(split.history.indices)
        with threadpool_limits(1):
            model = BayesianPersonalizedRanking(
                self.factors, self.learning_rate, self.penalty,
                iterations=self.iterations, num_threads=1, random_state=self.seed,
            )  # fmt: skip
            model.fit(split.history[:, sold], show_progress=False)
        self.customers_ = model.user_factors.astype(float) * (split.history.getnnz(axis=1) > 0)[:, None]
        self.products_ = np.zeros((len(split.products), model.item_factors.shape[1]))
        self.products_[sold] = model.item_factors
        return self
