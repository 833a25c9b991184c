"""Figures of recommenders: `judging` compares models, `parts` shows results by group, window and split."""

from customerlab.figures.recommend.judging import differences, ndcg, popularity_and_accuracy
from customerlab.figures.recommend.parts import by_group, cold_start, folds, leaky_splits, popularity_bands

__all__ = [
    "by_group", "cold_start", "differences", "folds", "leaky_splits", "ndcg", "popularity_and_accuracy",
    "popularity_bands",
]  # fmt: skip
