"""Recency, frequency and monetary value: features, scores, named segments, and whether they hold."""

from customerlab.analysis.rfm.concentration import Concentration, concentration, revenue_of
from customerlab.analysis.rfm.features import before, by_customer, day_after, features, fetched
from customerlab.analysis.rfm.holdout import (
    CHOSEN_BY,
    Holdout,
    at_depths,
    by_segment,
    gains,
    hold_out,
    later,
    learned_order,
)
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.rfm.scores import SCORES, Scored, score, score_one
from customerlab.analysis.rfm.segments import RULES, check_rules, levels, profile, read_rules, segment
from customerlab.analysis.rfm.stability import NOT_YET, flows, migration, month_starts, sensitivity, snapshots

__all__ = [
    "CHOSEN_BY",
    "NOT_YET",
    "RULES",
    "SCORES",
    "Concentration",
    "Holdout",
    "Scheme",
    "Scored",
    "at_depths",
    "before",
    "by_customer",
    "by_segment",
    "check_rules",
    "concentration",
    "day_after",
    "features",
    "fetched",
    "flows",
    "gains",
    "hold_out",
    "later",
    "learned_order",
    "levels",
    "migration",
    "month_starts",
    "profile",
    "read_rules",
    "revenue_of",
    "score",
    "score_one",
    "segment",
    "sensitivity",
    "snapshots",
]
