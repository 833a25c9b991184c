"""Metrics of recommendations, each with its formula, its source and its rivals of the same name.

`lists` what metrics are computed from, `ranking` what lists find, `beyond` novelty, diversity,
serendipity, popularity, calibration, `business` repeats, money and coverage, `table` all of them at once and under all
definitions, `compare` models on the same customers.
"""

from customerlab.analysis.recommend.metrics.beyond import (
    diversity,
    miscalibration,
    novelty,
    popularity,
    popularity_gap,
    serendipity,
)
from customerlab.analysis.recommend.metrics.business import (
    catalogue_coverage,
    exposure,
    gini,
    recall_of_discoveries,
    recall_of_repeats,
    repeat_share,
    revenue,
    revenue_share,
    user_coverage,
)
from customerlab.analysis.recommend.metrics.compare import compare, intervals, paired, pooled
from customerlab.analysis.recommend.metrics.lists import Lists
from customerlab.analysis.recommend.metrics.ranking import (
    average_precision,
    f1,
    hit_rate,
    ndcg,
    precision,
    r_precision,
    recall,
    reciprocal_rank,
)
from customerlab.analysis.recommend.metrics.table import DEFINITIONS, WHOLE, definitions, over_all, per_customer

__all__ = [
    "DEFINITIONS", "WHOLE", "Lists", "average_precision", "catalogue_coverage", "compare", "definitions",
    "diversity", "exposure", "f1", "gini", "hit_rate", "intervals", "miscalibration", "ndcg", "novelty", "over_all",
    "paired", "per_customer", "pooled", "popularity", "popularity_gap", "precision", "r_precision", "recall",
    "recall_of_discoveries", "recall_of_repeats", "reciprocal_rank", "repeat_share", "revenue",
    "revenue_share", "serendipity", "user_coverage",
]  # fmt: skip
