"""Figures of the exploration: trading over time, baskets, customers, products."""

from customerlab.figures.explore.baskets import distributions
from customerlab.figures.explore.customers import cohorts, new_and_returning
from customerlab.figures.explore.products import long_tail, parts
from customerlab.figures.explore.trading import by_month, by_weekday, by_weekday_hour, returns_by_month, seasons
from customerlab.figures.profile import attributes
from customerlab.figures.rfm import repurchase

__all__ = [
    "attributes", "by_month", "by_weekday", "by_weekday_hour", "cohorts", "distributions", "long_tail", "new_and_returning", "parts",
    "repurchase", "returns_by_month", "seasons",
]  # fmt: skip
