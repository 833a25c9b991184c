"""Figures of customer value."""

from customerlab.figures.value.churn import discrimination, prediction, profit, survival
from customerlab.figures.value.outlook import activity, worth
from customerlab.figures.value.validation import by_past, calibration, tracking

__all__ = [
    "activity", "by_past", "calibration", "discrimination", "prediction", "profit", "survival", "tracking", "worth",
]  # fmt: skip
