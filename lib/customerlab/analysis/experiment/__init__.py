"""A randomised test, from the check of its split to what each arm did.

`test` is one test, of which everything is asked; `measured` asks the engine for it, each thing once. `tables` and
`sentences` are what is shown and said of it.

`rows` says whether rows are units, `units` and `participants` are who took part, `customers` what the shop knew of
them; `split` compares the sizes of the arms, and `soundness` asks whether anything may be concluded.
`stats` computes what all estimates come from in the engine, `contrasts` compares two arms by one rule, `proportions`
and `quantiles` where means are not enough, `compare` all arms and metrics, `sensitivity` one metric in every way.
`questions` reads what is asked from a test's own columns, `carriers` whether there is enough to tell, `gatekeeping`
tests what decides before the rest, `randomisation` at any skew, `decision` and `recommend` say what to do. Before a
test, `design` and `planning` plan it, `assignment` divides the units and `rehearsal` tries it where nothing happens;
while it runs, `sequential` has intervals that may be looked at. `bayes` reads the same numbers as beliefs, `segments`
asks for whom, `uplift` and `targeting` whether choosing pays.
"""

from customerlab.analysis.experiment import sentences, tables
from customerlab.analysis.experiment.assignment import Layer, assign
from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA, balance, covariates_of
from customerlab.analysis.experiment.bayes import beliefs, choices, choices_of
from customerlab.analysis.experiment.carriers import carried, fewness, influential
from customerlab.analysis.experiment.compare import Metric, benjamini_hochberg, compare_arms
from customerlab.analysis.experiment.contrasts import Contrast, contrast
from customerlab.analysis.experiment.customers import with_customer_groups
from customerlab.analysis.experiment.decision import (
    Money,
    decision,
    for_managers,
    no_effects,
    open_guardrails,
    saved,
    spelled,
)
from customerlab.analysis.experiment.design import Baseline, baseline, detectable, power_of, run_length, sample_size
from customerlab.analysis.experiment.gatekeeping import gatekeep, gatekept, levels
from customerlab.analysis.experiment.measured import Measured
from customerlab.analysis.experiment.participants import Participants, per_assigned_and_row, rows_by_arm, took_part
from customerlab.analysis.experiment.planning import arrivals, doubtful, powered, reach, rehearsals
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.quantiles import of_quantiles, quantile_effects, quantiles
from customerlab.analysis.experiment.questions import (
    chosen,
    guarded,
    leading,
    metrics_of,
    named_numbers,
    numeric_covariates,
    ratios_left_out,
    segments_of,
)
from customerlab.analysis.experiment.randomisation import randomisation_test, randomised
from customerlab.analysis.experiment.recommend import other_effects, recommendation, reconciled
from customerlab.analysis.experiment.rehearsal import Rehearsal, rehearse
from customerlab.analysis.experiment.rows import Kind, kind_of_rows
from customerlab.analysis.experiment.segments import (
    BySegment,
    by_segment,
    differences,
    differing,
    distinct,
    most_different,
    no_segments,
)
from customerlab.analysis.experiment.sensitivity import adjusted, fragile, sensitivity, stratified
from customerlab.analysis.experiment.sequential import (
    bounds,
    by_day,
    confidence_sequence,
    first_outside,
    interim,
    over_time,
)
from customerlab.analysis.experiment.soundness import (
    Soundness,
    exposed_early,
    missing_by_arm,
    outcomes_of,
    soundness,
)
from customerlab.analysis.experiment.split import SampleRatio, sample_ratio, sample_ratio_by
from customerlab.analysis.experiment.stats import Moments, moments, winsorised
from customerlab.analysis.experiment.targeting import CHOSEN, Curves, advice, curves, ordered, profits
from customerlab.analysis.experiment.test import Test
from customerlab.analysis.experiment.units import by_assigned, first_day, in_one_arm
from customerlab.analysis.experiment.uplift import LEARNERS, Predicted, predict_effects

__all__ = [
    "CHOSEN",
    "LEARNERS",
    "SAMPLE_RATIO_ALPHA",
    "Baseline",
    "BySegment",
    "Contrast",
    "Curves",
    "Kind",
    "Layer",
    "Measured",
    "Metric",
    "Moments",
    "Money",
    "Participants",
    "Predicted",
    "Rehearsal",
    "SampleRatio",
    "Soundness",
    "Test",
    "adjusted",
    "advice",
    "arrivals",
    "assign",
    "balance",
    "baseline",
    "beliefs",
    "benjamini_hochberg",
    "bounds",
    "by_assigned",
    "by_day",
    "by_segment",
    "carried",
    "choices",
    "choices_of",
    "chosen",
    "compare_arms",
    "confidence_sequence",
    "contrast",
    "covariates_of",
    "curves",
    "decision",
    "detectable",
    "differences",
    "differing",
    "distinct",
    "doubtful",
    "exposed_early",
    "fewness",
    "first_day",
    "first_outside",
    "for_managers",
    "fragile",
    "gatekeep",
    "gatekept",
    "guarded",
    "in_one_arm",
    "influential",
    "interim",
    "kind_of_rows",
    "leading",
    "levels",
    "metrics_of",
    "missing_by_arm",
    "moments",
    "most_different",
    "named_numbers",
    "no_effects",
    "no_segments",
    "numeric_covariates",
    "of_quantiles",
    "open_guardrails",
    "ordered",
    "other_effects",
    "outcomes_of",
    "over_time",
    "per_assigned_and_row",
    "power_of",
    "powered",
    "predict_effects",
    "profits",
    "proportions",
    "quantile_effects",
    "quantiles",
    "randomisation_test",
    "randomised",
    "ratios_left_out",
    "reach",
    "recommendation",
    "reconciled",
    "rehearsals",
    "rehearse",
    "rows_by_arm",
    "run_length",
    "sample_ratio",
    "sample_ratio_by",
    "sample_size",
    "saved",
    "segments_of",
    "sensitivity",
    "sentences",
    "soundness",
    "spelled",
    "stratified",
    "tables",
    "took_part",
    "winsorised",
    "with_customer_groups",
]  # fmt: skip
