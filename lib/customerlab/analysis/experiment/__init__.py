"""A randomised test, from the check of its split to what each arm did.

`soundness` asks whether anything may be concluded, `stats` computes what all estimates come from in the engine,
`contrasts` compares two arms by one rule, `proportions` and `quantiles` where means are not enough, `compare` all arms
and metrics. `questions` reads what is asked from a test's own columns, `decision` says what to do. Before a test,
`design` and `planning` plan it, `assignment` divides the units and `rehearsal` tries it where nothing happens; while
it runs, `sequential` has intervals that may be looked at. `bayes` reads the same numbers as beliefs, `segments` asks
for whom, `uplift` and `targeting` whether choosing pays.
"""

from customerlab.analysis.experiment.assignment import Layer, assign
from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA, balance, covariates_of
from customerlab.analysis.experiment.bayes import beliefs, choices, choices_of
from customerlab.analysis.experiment.compare import Metric, adjusted, benjamini_hochberg, compare_arms
from customerlab.analysis.experiment.contrasts import Contrast, contrast
from customerlab.analysis.experiment.decision import decision, for_managers, no_effects, recommendation, saved
from customerlab.analysis.experiment.design import Baseline, baseline, detectable, power_of, run_length, sample_size
from customerlab.analysis.experiment.planning import arrivals, reach, rehearsals
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.quantiles import quantiles
from customerlab.analysis.experiment.questions import (
    chosen,
    guarded,
    metrics_of,
    named_numbers,
    numeric_covariates,
    segments_of,
)
from customerlab.analysis.experiment.rehearsal import Rehearsal, rehearse
from customerlab.analysis.experiment.segments import BySegment, by_segment, differences
from customerlab.analysis.experiment.sequential import bounds, confidence_sequence, over_time
from customerlab.analysis.experiment.soundness import (
    SampleRatio,
    Soundness,
    exposed_early,
    missing_by_arm,
    outcomes_of,
    repeated_units,
    sample_ratio,
    sample_ratio_by,
    soundness,
)
from customerlab.analysis.experiment.stats import Moments, by_cluster, moments, winsorised
from customerlab.analysis.experiment.targeting import Curves, curves, profits
from customerlab.analysis.experiment.uplift import LEARNERS, Predicted, predict_effects

__all__ = [
    "LEARNERS",
    "SAMPLE_RATIO_ALPHA",
    "Baseline",
    "BySegment",
    "Contrast",
    "Curves",
    "Layer",
    "Metric",
    "Moments",
    "Predicted",
    "Rehearsal",
    "SampleRatio",
    "Soundness",
    "adjusted",
    "arrivals",
    "assign",
    "balance",
    "baseline",
    "beliefs",
    "benjamini_hochberg",
    "bounds",
    "by_cluster",
    "by_segment",
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
    "exposed_early",
    "for_managers",
    "guarded",
    "metrics_of",
    "missing_by_arm",
    "moments",
    "named_numbers",
    "no_effects",
    "numeric_covariates",
    "outcomes_of",
    "over_time",
    "power_of",
    "predict_effects",
    "profits",
    "proportions",
    "quantiles",
    "reach",
    "recommendation",
    "rehearsals",
    "rehearse",
    "repeated_units",
    "run_length",
    "sample_ratio",
    "sample_ratio_by",
    "sample_size",
    "saved",
    "segments_of",
    "soundness",
    "winsorised",
]  # fmt: skip
