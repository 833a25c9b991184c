"""Metrics of recommendations, each with its formula, its source and other definitions of the same name.

`lists` is what metrics are computed from, `ranking` accuracy, `beyond` novelty, diversity, serendipity, popularity and
calibration, `business` repeat purchases, revenue and coverage. `table` has all of them under all definitions, `compare`
compares models on the same customers.
"""

from customerlab.analysis.recommend.metrics.beyond import popularity_gap
from customerlab.analysis.recommend.metrics.compare import compare, intervals, paired, pooled
from customerlab.analysis.recommend.metrics.lists import Lists
from customerlab.analysis.recommend.metrics.table import DEFINITIONS, definitions, over_all, per_customer

__all__ = [
    "DEFINITIONS", "Lists", "compare", "definitions", "intervals", "over_all", "paired", "per_customer", "pooled",
    "popularity_gap",
]  # fmt: skip
