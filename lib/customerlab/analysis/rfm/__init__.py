"""Recency, frequency and monetary value: features, scores, named segments, and whether they hold."""

from customerlab.analysis.rfm.choosing import CHOSEN_BY, DEPTH, OUTCOMES, compare_rules, gains, mean_gains
from customerlab.analysis.rfm.concentration import Concentration, concentration, revenue_of
from customerlab.analysis.rfm.conclusions import by_choice, by_influence, by_money, by_rate, by_repurchase
from customerlab.analysis.rfm.features import features
from customerlab.analysis.rfm.holdout import WINDOWS, Holdout, by_segment, followed, hold_out, wilson
from customerlab.analysis.rfm.repurchase import ANY, curves, repurchase, waits
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.rfm.scores import SCORES, Scored, score, score_one
from customerlab.analysis.rfm.segments import RULES, check_rules, high_spenders, levels, profile, read_rules, segment
from customerlab.analysis.rfm.stability import NOT_YET, flows, migration, month_starts, sensitivity, snapshots

__all__ = [
    "ANY",
    "CHOSEN_BY",
    "DEPTH",
    "NOT_YET",
    "OUTCOMES",
    "RULES",
    "SCORES",
    "WINDOWS",
    "Concentration",
    "Holdout",
    "Scheme",
    "Scored",
    "by_choice",
    "by_influence",
    "by_money",
    "by_rate",
    "by_repurchase",
    "by_segment",
    "check_rules",
    "compare_rules",
    "concentration",
    "curves",
    "features",
    "flows",
    "followed",
    "gains",
    "high_spenders",
    "hold_out",
    "levels",
    "mean_gains",
    "migration",
    "month_starts",
    "profile",
    "read_rules",
    "repurchase",
    "revenue_of",
    "score",
    "score_one",
    "segment",
    "sensitivity",
    "snapshots",
    "waits",
    "wilson",
]
