"""Recommenders, and their evaluation by a temporal split.

`split` divides the log, of which `log` says what was kept, `models` recommend, `candidates` are those that are
compared, `rankings` fits and ranks, `metrics` score lists, `evaluate` compares models, `breakdown` shows results by
group, `protocol` repeats the evaluation over windows and leaky splits, `tuning` chooses parameters before the test,
`verdict` says which model is recommended, `planning` what an online test would need, `explain` gives reasons,
`examples` shows a few customers.
"""

from customerlab.analysis.recommend.breakdown import by_group, by_k, by_popularity, history_length
from customerlab.analysis.recommend.candidates import candidates, check_models, with_tuned
from customerlab.analysis.recommend.evaluate import (
    against,
    beyond,
    comparison,
    metrics_by_customer,
    recommend,
    returned_in_full,
    summary,
)
from customerlab.analysis.recommend.examples import examples
from customerlab.analysis.recommend.explain import explained
from customerlab.analysis.recommend.models import EASE, DecayedFrequency, Hybrid, PureSVD
from customerlab.analysis.recommend.models.cost import affordable, estimated_seconds
from customerlab.analysis.recommend.planning import online_test
from customerlab.analysis.recommend.protocol import accounting_by_window, leaky_splits, over_folds
from customerlab.analysis.recommend.rankings import rank
from customerlab.analysis.recommend.split import split_by_time, split_of, whole_log
from customerlab.analysis.recommend.tuning import searches, tune
from customerlab.analysis.recommend.verdict import (
    baseline,
    buyers_sentence,
    chosen,
    cold_start,
    decision,
    leader,
    metric_key,
    revenue_captured,
    revenue_sentences,
    test_sentences,
    today_sentence,
    windows_sentence,
    worse_sentence,
)

__all__ = [
    "EASE", "DecayedFrequency", "Hybrid", "PureSVD", "accounting_by_window", "affordable", "against",
    "baseline", "beyond", "buyers_sentence", "by_group", "by_k", "by_popularity", "candidates", "check_models",
    "chosen", "cold_start", "comparison", "decision", "estimated_seconds", "examples", "explained",
    "history_length", "leader", "leaky_splits", "metric_key", "metrics_by_customer", "online_test",
    "over_folds", "rank", "recommend", "returned_in_full", "revenue_captured", "revenue_sentences", "searches",
    "split_by_time", "split_of", "summary", "test_sentences", "today_sentence", "tune", "whole_log", "windows_sentence",
    "with_tuned", "worse_sentence",
]  # fmt: skip
