"""Figures of customer value."""

from customerlab.figures.value.churn import prediction, profit, survival
from customerlab.figures.value.outlook import activity, worth
from customerlab.figures.value.validation import by_past, calibration, tracking

__all__ = ["activity", "by_past", "calibration", "prediction", "profit", "survival", "tracking", "worth"]
