"""Recency, frequency and monetary value: features, scores, named segments, and whether they hold."""

from customerlab.analysis.rfm.choosing import DEPTH
from customerlab.analysis.rfm.concentration import concentration, revenue_of
from customerlab.analysis.rfm.conclusions import (
    by_choice,
    by_concentration,
    by_gaps,
    by_influence,
    by_money,
    by_rate,
    by_repurchase,
    by_size,
)
from customerlab.analysis.rfm.features import features
from customerlab.analysis.rfm.holdout import hold_out
from customerlab.analysis.rfm.repurchase import curves, repurchase, waits
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.rfm.scores import score
from customerlab.analysis.rfm.segments import RULES, high_spenders, profile, read_rules, segment, spelled
from customerlab.analysis.rfm.stability import NOT_YET, flows, migration, month_starts, sensitivity, snapshots

__all__ = [
    "DEPTH", "NOT_YET", "RULES", "Scheme", "by_choice", "by_concentration", "by_gaps", "by_influence", "by_money",
    "by_rate", "by_repurchase", "by_size", "concentration", "curves", "features", "flows", "high_spenders", "hold_out",
    "migration", "month_starts", "profile", "read_rules", "repurchase", "revenue_of", "score", "segment", "sensitivity",
    "snapshots", "spelled", "waits",
]  # fmt: skip
