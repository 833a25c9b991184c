"""Exploration of a log of orders: trading over time, customers, baskets, products, returns.

Every function takes canonical tables as Ibis expressions, aggregates in the engine and returns a small pandas table.
Money of products and customers is net of returns (`sales.net`); orders and their times are as placed. Money is summed
as exact decimals, so that neither the order of rows nor the engine changes a cent.
"""

from customerlab.analysis.explore import conclusions
from customerlab.analysis.explore.best import top_decile
from customerlab.analysis.explore.distributions import baskets, customers, distribution, spread, whole_histogram
from customerlab.analysis.explore.parts import by_category, by_part
from customerlab.analysis.explore.periods import fitting
from customerlab.analysis.explore.products import long_tail, products_for, top_products
from customerlab.analysis.explore.returning import cohorts, new_and_returning, suppress_small
from customerlab.analysis.explore.returns import most_returned, returns_by_month, returns_summary
from customerlab.analysis.explore.together import together
from customerlab.analysis.explore.trading import (
    by_month,
    by_weekday,
    by_weekday_hour,
    largest_share,
    missing_values,
    repeats,
    seasons,
    totals,
    with_notes,
)

__all__ = [
    "baskets", "by_category", "by_month", "by_part", "by_weekday", "by_weekday_hour", "cohorts", "conclusions",
    "customers", "distribution", "fitting", "largest_share", "long_tail", "missing_values",
    "most_returned", "new_and_returning", "products_for", "repeats", "returns_by_month", "returns_summary",
    "seasons", "spread", "suppress_small", "together", "top_decile", "top_products", "totals",
    "whole_histogram", "with_notes",
]  # fmt: skip
