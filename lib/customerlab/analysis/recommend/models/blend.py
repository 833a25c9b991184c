"""Several models added up."""

from typing import Self

import numpy as np

from customerlab.analysis.recommend.models.base import DIGITS, Model
from customerlab.analysis.recommend.split import Split


class Blend:
    """The weighted sum of the scores of several models, each divided by its highest score for the customer.

    Parameters
    ----------
    models : list of Model
    weights : list of float
        One a model.
    name : str

    Notes
    -----
    A model that scores no product of a customer above zero says nothing of that customer. CombSUM with scores scaled
    by their maximum (Fox and Shaw 1994; Lee 1997).

    Raises
    ------
    ValueError
        If there are not as many weights as models.

    Examples
    --------
    >>> from customerlab.analysis.recommend.models.personal import PersonalFrequency
    >>> from customerlab.analysis.recommend.models.popularity import Popularity
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea"]), ("ann", 8, ["tea", "milk"]), ("bob", 8, ["milk"])])
    >>> blend = Blend([PersonalFrequency(), Popularity()], [1, 0.1]).fit(split)
    >>> dict(zip(split.products, blend.scores(np.array([0]))[0].tolist()))
    {'milk': 0.6, 'tea': 1.05}
    """

    def __init__(self, models: list[Model], weights: list[float], name: str = "blend") -> None:
        if len(models) != len(weights):
            raise ValueError(f"{len(models)} models and {len(weights)} weights; expected one a model")
        self.models = models
        self.weights = weights
        self.name = name

    def fit(self, split: Split) -> Self:
        """Fit every model."""
        for model in self.models:
            model.fit(split)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The weighted sum of the scaled scores."""
        total: np.ndarray | float = 0.0
        for model, weight in zip(self.models, self.weights, strict=True):
            scores = model.scores(rows)
            highest = scores.max(axis=1, keepdims=True, initial=0.0)
            total = total + weight * np.divide(scores, highest, out=np.zeros(scores.shape), where=highest > 0)
        return np.asarray(total).round(DIGITS)
