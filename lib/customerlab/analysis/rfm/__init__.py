"""Recency, frequency and monetary value: features, scores, named segments and their out-of-time validation."""

from customerlab.analysis.rfm.concentration import concentration, revenue_of
from customerlab.analysis.rfm.conclusions import (
    by_choice,
    by_concentration,
    by_influence,
    by_money,
    by_rate,
    by_repurchase,
    by_scores,
    by_size,
    by_stability,
    by_windows,
    choice_table,
    rates_by_score,
    recorded,
    unvalidated,
)
from customerlab.analysis.rfm.features import features
from customerlab.analysis.rfm.holdout import hold_out
from customerlab.analysis.rfm.repurchase import curves, repurchase, waits
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.rfm.scores import score
from customerlab.analysis.rfm.segments import (
    ACTIONS,
    RULES,
    definitions,
    for_display,
    high_spenders,
    profile,
    read_rules,
    segment,
)
from customerlab.analysis.rfm.stability import NOT_YET, flows, migration, month_starts, sensitivity, snapshots

__all__ = [
    "ACTIONS", "NOT_YET", "RULES", "Scheme", "by_choice", "by_concentration", "by_influence", "by_money",
    "by_rate", "by_repurchase", "by_scores", "by_size", "by_stability", "by_windows", "choice_table", "concentration", "curves",
    "definitions", "features", "flows", "for_display", "high_spenders", "hold_out", "migration", "month_starts",
    "profile", "rates_by_score", "read_rules", "recorded", "repurchase", "revenue_of", "score", "segment", "sensitivity",
    "snapshots", "unvalidated", "waits",
]  # fmt: skip
