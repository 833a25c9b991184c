"""Figures of the exploration: trading over time, baskets, customers, products."""

from customerlab.figures.explore.baskets import distributions
from customerlab.figures.explore.customers import cohorts, new_and_returning, top_tenth
from customerlab.figures.explore.products import long_tail, parts, together, top_products
from customerlab.figures.explore.trading import by_weekday_hour, returns_by_month, revenue_by_month, seasons

__all__ = [
    "by_weekday_hour", "cohorts", "distributions", "long_tail", "new_and_returning", "parts", "returns_by_month",
    "revenue_by_month", "seasons", "together", "top_products", "top_tenth",
]  # fmt: skip
