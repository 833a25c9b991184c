"""Predicting stars, and ranking by them.

`split` cuts ratings in time and into folds, `models` are Surprise's, `estimate` predicts many pairs at once, `errors`
measures RMSE and MAE, `ranking` asks the same models for lists.
"""

from customerlab.analysis.recommend.ratings.errors import (
    RatingResult,
    cross_validate,
    error_table,
    fit_ratings,
    lowest_error,
    predict_ratings,
    time_errors,
)
from customerlab.analysis.recommend.ratings.models import PUBLISHED, RATING_MODELS, RatingModel, Stars
from customerlab.analysis.recommend.ratings.ranking import RatingRanking, rank_ratings
from customerlab.analysis.recommend.ratings.split import RatingSplit, split_ratings

__all__ = [
    "PUBLISHED", "RATING_MODELS", "RatingModel", "RatingRanking", "RatingResult", "RatingSplit", "Stars", "cross_validate", "error_table",
    "fit_ratings", "lowest_error", "predict_ratings", "rank_ratings", "split_ratings", "time_errors",
]  # fmt: skip
