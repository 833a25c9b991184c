"""Figures of recommenders: `judging` models against each other, `parts` for whom, when and under which split."""

from customerlab.figures.recommend.judging import differences, ndcg, popularity_and_accuracy
from customerlab.figures.recommend.parts import by_group, cold_start, flattery, folds, popularity_bands

__all__ = [
    "by_group", "cold_start", "differences", "flattery", "folds", "ndcg", "popularity_and_accuracy", "popularity_bands",
]  # fmt: skip
