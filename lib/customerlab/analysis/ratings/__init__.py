"""Rating prediction, and lists from predicted ratings.

`split` divides ratings in time and into folds, `models` are Surprise's, `estimate` predicts many pairs at once,
`errors` measures RMSE and MAE, `ranking` asks the same models for lists.
"""

from customerlab.analysis.ratings.errors import (
    cross_validate,
    decision,
    error_table,
    errors_by_split,
    fit_ratings,
    time_errors,
)
from customerlab.analysis.ratings.ranking import rank_ratings, ranking_decision
from customerlab.analysis.ratings.split import split_ratings

__all__ = [
    "cross_validate", "decision", "error_table", "errors_by_split", "fit_ratings", "rank_ratings",
    "ranking_decision", "split_ratings", "time_errors",
]  # fmt: skip
