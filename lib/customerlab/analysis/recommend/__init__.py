"""Recommenders, and their evaluation by a global split in time.

`split` divides the log, `models` recommend, `rankings` fits and ranks, `metrics` score lists, `evaluate` puts models
side by side, `breakdown` asks for whom and for what they work, `protocol` repeats it over folds and other splits,
`tuning` chooses parameters before the test, `explain` gives reasons, `ratings`
predicts stars, and ranks by them.
"""

from customerlab.analysis.recommend.breakdown import bands, by_group, by_popularity, history_length
from customerlab.analysis.recommend.evaluate import (
    METRICS,
    against,
    beyond,
    comparison,
    evaluate,
    found,
    recommend,
    summary,
)
from customerlab.analysis.recommend.explain import explained
from customerlab.analysis.recommend.models import (
    ALS,
    BPR,
    EASE,
    TIFUKNN,
    UPCF,
    AllTimePopularity,
    Blend,
    Content,
    DecayedFrequency,
    DecayedPopularity,
    Hybrid,
    ItemNeighbours,
    PersonalFrequency,
    Popularity,
    PureSVD,
    Random,
    RepurchaseInterval,
    RP3beta,
    SegmentPopularity,
    UserNeighbours,
)
from customerlab.analysis.recommend.protocol import accounting, flattery, over_folds
from customerlab.analysis.recommend.rankings import TASKS, Rankings, rank
from customerlab.analysis.recommend.ratings import (
    RATING_MODELS,
    cross_validate,
    fit_ratings,
    predict_ratings,
    rank_ratings,
    split_ratings,
    time_errors,
)
from customerlab.analysis.recommend.split import Orders, Split, split_by_time, split_of, whole_log
from customerlab.analysis.recommend.tuning import Tuned, tune

__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "METRICS",
    "RATING_MODELS",
    "TASKS",
    "TIFUKNN",
    "UPCF",
    "AllTimePopularity",
    "Blend",
    "Content",
    "DecayedFrequency",
    "DecayedPopularity",
    "Hybrid",
    "ItemNeighbours",
    "Orders",
    "PersonalFrequency",
    "Popularity",
    "PureSVD",
    "RP3beta",
    "Random",
    "Rankings",
    "RepurchaseInterval",
    "SegmentPopularity",
    "Split",
    "Tuned",
    "UserNeighbours",
    "accounting",
    "against",
    "bands",
    "beyond",
    "by_group",
    "by_popularity",
    "comparison",
    "cross_validate",
    "evaluate",
    "explained",
    "fit_ratings",
    "flattery",
    "found",
    "history_length",
    "over_folds",
    "predict_ratings",
    "rank",
    "rank_ratings",
    "recommend",
    "split_by_time",
    "split_of",
    "split_ratings",
    "summary",
    "time_errors",
    "tune",
    "whole_log",
]
