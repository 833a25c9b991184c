"""Recommenders, and their evaluation by a global split in time.

`split` divides the log, of which `log` says what was kept, `models` recommend, `candidates` are those that are
compared, `rankings` fits and ranks, `metrics` score lists, `evaluate` puts models side by side, `breakdown` asks for
whom and for what they work, `protocol` repeats it over folds and other splits, `tuning` chooses parameters before the
test, `verdict` says which leads, `planning` what a test of it would need, `explain` gives reasons.
"""

from customerlab.analysis.recommend.breakdown import by_group, by_popularity, history_length
from customerlab.analysis.recommend.candidates import candidates, check_models, with_tuned
from customerlab.analysis.recommend.evaluate import (
    against,
    beyond,
    comparison,
    found,
    recommend,
    returned_in_full,
    summary,
)
from customerlab.analysis.recommend.explain import explained
from customerlab.analysis.recommend.models import EASE, DecayedFrequency, Hybrid, PureSVD
from customerlab.analysis.recommend.models.cost import affordable
from customerlab.analysis.recommend.planning import online_test
from customerlab.analysis.recommend.protocol import accounting, flattery, over_folds
from customerlab.analysis.recommend.rankings import rank
from customerlab.analysis.recommend.split import split_by_time, split_of, whole_log
from customerlab.analysis.recommend.tuning import searches, tune
from customerlab.analysis.recommend.verdict import (
    baseline,
    gain_sentence,
    hits,
    hits_sentence,
    leader,
    metric_key,
    places,
    season,
    test_sentence,
    today_sentence,
)

__all__ = [
    "EASE", "DecayedFrequency", "Hybrid", "PureSVD", "accounting", "affordable", "against", "baseline", "beyond",
    "by_group", "by_popularity", "candidates", "check_models", "comparison", "explained", "flattery", "found",
    "gain_sentence", "history_length", "hits", "hits_sentence", "leader", "metric_key", "online_test", "over_folds",
    "places", "rank", "recommend", "returned_in_full", "searches", "season", "split_by_time", "split_of", "summary",
    "test_sentence", "today_sentence", "tune", "whole_log", "with_tuned",
]  # fmt: skip
