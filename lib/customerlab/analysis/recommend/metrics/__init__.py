"""Metrics of recommendations, each with its formula, its source and its rivals of the same name.

`lists` what metrics are computed from, `ranking` what lists find, `beyond` novelty, diversity, serendipity, popularity,
calibration, `business` repeats, money and coverage, `table` all of them at once and under all definitions, `compare`
models on the same customers.
"""

from customerlab.analysis.recommend.metrics.beyond import popularity_gap
from customerlab.analysis.recommend.metrics.compare import compare, intervals, paired, pooled
from customerlab.analysis.recommend.metrics.lists import Lists
from customerlab.analysis.recommend.metrics.table import DEFINITIONS, definitions, over_all, per_customer

__all__ = [
    "DEFINITIONS", "Lists", "compare", "definitions", "intervals", "over_all", "paired", "per_customer", "pooled",
    "popularity_gap",
]  # fmt: skip
