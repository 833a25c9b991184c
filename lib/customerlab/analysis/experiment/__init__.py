"""A randomised test, from the check of its split to what each arm did.

`soundness` asks whether anything may be concluded, `stats` computes what all estimates come from in the engine,
`contrasts` compares two arms by one rule, `proportions` and `quantiles` where means are not enough, `compare` all arms
and metrics; `table` is the short form of the notebook. Before a test, `design` plans it, `assignment` divides the units
and `rehearsal` tries it where nothing happens; while it runs, `sequential` has intervals that may be looked at. `bayes`
reads the same numbers as beliefs, `segments` asks for whom, `uplift` and `targeting`
whether choosing pays.
"""

from customerlab.analysis.experiment.assignment import Layer, assign
from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA, balance, covariates_of
from customerlab.analysis.experiment.bayes import beliefs, choices
from customerlab.analysis.experiment.compare import Metric, benjamini_hochberg, compare_arms
from customerlab.analysis.experiment.contrasts import Contrast, contrast
from customerlab.analysis.experiment.design import Baseline, baseline, detectable, power_of, run_length, sample_size
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.quantiles import quantiles
from customerlab.analysis.experiment.rehearsal import Rehearsal, rehearse
from customerlab.analysis.experiment.segments import BySegment, by_segment
from customerlab.analysis.experiment.sequential import bounds, confidence_sequence, over_time
from customerlab.analysis.experiment.soundness import (
    SampleRatio,
    Soundness,
    exposed_early,
    missing_by_arm,
    missing_outcomes,
    outcomes_of,
    repeated_units,
    sample_ratio,
    sample_ratio_by,
    soundness,
)
from customerlab.analysis.experiment.stats import Moments, by_cluster, moments, winsorised
from customerlab.analysis.experiment.table import EFFECT_COLUMNS, effects, no_effects, verdicts
from customerlab.analysis.experiment.targeting import Curves, curves, profits
from customerlab.analysis.experiment.uplift import LEARNERS, Predicted, predict_effects

__all__ = [
    "EFFECT_COLUMNS",
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
    "assign",
    "balance",
    "baseline",
    "beliefs",
    "benjamini_hochberg",
    "bounds",
    "by_cluster",
    "by_segment",
    "choices",
    "compare_arms",
    "confidence_sequence",
    "contrast",
    "covariates_of",
    "curves",
    "detectable",
    "effects",
    "exposed_early",
    "missing_by_arm",
    "missing_outcomes",
    "moments",
    "no_effects",
    "outcomes_of",
    "over_time",
    "power_of",
    "predict_effects",
    "profits",
    "proportions",
    "quantiles",
    "rehearse",
    "repeated_units",
    "run_length",
    "sample_ratio",
    "sample_ratio_by",
    "sample_size",
    "soundness",
    "verdicts",
    "winsorised",
]  # fmt: skip
