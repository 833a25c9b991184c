"""Recommenders, and their evaluation by a global split in time.

`split` divides the log, `models` recommend, `metrics` score one list, `evaluate` puts models side by side,
`ratings` predicts stars.
"""

from customerlab.analysis.recommend.evaluate import TASKS, evaluate, leaders, recommend, summary
from customerlab.analysis.recommend.models import ItemNeighbours, PersonalFrequency, Popularity
from customerlab.analysis.recommend.ratings import predict_ratings
from customerlab.analysis.recommend.split import Orders, Split, split_by_time, split_of, whole_log

__all__ = [
    "TASKS",
    "ItemNeighbours",
    "Orders",
    "PersonalFrequency",
    "Popularity",
    "Split",
    "evaluate",
    "leaders",
    "predict_ratings",
    "recommend",
    "split_by_time",
    "split_of",
    "summary",
    "whole_log",
]
