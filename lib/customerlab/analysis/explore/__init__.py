"""What a log of orders says about a shop: trading over time, baskets, customers, products, returns.

Every function takes canonical tables as Ibis expressions, aggregates in the engine and returns a small pandas table.
Money of products and customers is net (`sales.net`); orders, and when they came, are as placed.
Money is summed as exact decimals, so that neither the order of rows nor the engine changes a cent.
"""

from customerlab.analysis.explore import conclusions
from customerlab.analysis.explore.best import top_tenth
from customerlab.analysis.explore.distributions import baskets, customers, distribution, spread, whole_histogram
from customerlab.analysis.explore.parts import by_category, by_part
from customerlab.analysis.explore.products import described, long_tail, products_for, top_products
from customerlab.analysis.explore.returning import cohorts, new_and_returning, without_few
from customerlab.analysis.explore.returns import most_returned, returns_by_month, who_returns
from customerlab.analysis.explore.together import together
from customerlab.analysis.explore.trading import (
    by_month,
    by_weekday,
    by_weekday_hour,
    highest,
    largest_share,
    noted,
    repeats,
    seasons,
    totals,
)

__all__ = [
    "baskets", "by_category", "by_month", "by_part", "by_weekday", "by_weekday_hour", "cohorts", "conclusions",
    "customers", "described", "distribution", "highest", "largest_share", "long_tail", "most_returned",
    "new_and_returning", "noted", "products_for", "repeats", "returns_by_month", "seasons", "spread", "together",
    "top_products", "top_tenth", "totals", "who_returns", "whole_histogram", "without_few",
]  # fmt: skip
