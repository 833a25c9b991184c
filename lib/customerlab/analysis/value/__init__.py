"""What customers are worth: who is still active, how many orders and how much money are to be expected, who leaves.

`history` reads purchase histories from the log, `likelihood` has the models of repeat orders, `fitting` estimates them,
`expected` says what follows in closed form, `money` prices orders. `outlook` predicts customers and groups with
intervals, `model` is what is saved, `cohorts` fits by acquisition cohort. `windows`, `forecast`, `rivals` and
`validation` judge predictions by later periods, `verdict` says what came out. `churn`, `classify` and `judging` predict
who leaves, `offer` prices an offer to stay, `survival` has the time to the next order. `worth` groups and ranks
customers, `tables` and `conclusions` are what is shown and said.
"""

from customerlab.analysis.value.churn import churn_sentences, contract_ends, predict_churn, proposed
from customerlab.analysis.value.cohorts import by_cohort, compared
from customerlab.analysis.value.conclusions import by_rank, by_segment, by_total, recorded
from customerlab.analysis.value.fitting import MODELS, fit
from customerlab.analysis.value.history import summary
from customerlab.analysis.value.model import fit_value
from customerlab.analysis.value.offer import offer, offer_sentences
from customerlab.analysis.value.survival import (
    cohort_waits,
    curves,
    log_rank,
    ordered_within,
    segment_waits,
    survival_sentences,
)
from customerlab.analysis.value.tables import (
    GROUP_FORMATS,
    HISTORY_FORMATS,
    WINDOW_FORMATS,
    cohort_table,
    comparison_table,
    estimates,
    group_table,
    histories,
    score_table,
    side_by_side,
    waits_table,
    window_table,
)
from customerlab.analysis.value.validation import validate
from customerlab.analysis.value.verdict import decision, unvalidated
from customerlab.analysis.value.worth import activity, groups_of, ranks, recent_revenue, staying, totals

__all__ = [
    "GROUP_FORMATS", "HISTORY_FORMATS", "MODELS", "WINDOW_FORMATS", "activity", "by_cohort", "by_rank", "by_segment",
    "by_total", "churn_sentences", "cohort_table", "cohort_waits", "compared", "comparison_table", "contract_ends",
    "curves", "decision", "estimates", "fit", "fit_value", "group_table", "groups_of", "histories", "log_rank", "offer",
    "offer_sentences", "ordered_within", "predict_churn", "proposed", "ranks", "recent_revenue", "recorded",
    "score_table", "segment_waits", "side_by_side", "staying", "summary", "survival_sentences", "totals",
    "unvalidated", "validate", "waits_table", "window_table",
]  # fmt: skip
