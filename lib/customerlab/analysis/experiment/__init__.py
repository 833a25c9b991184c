"""A randomised test, from the check of its split to what each arm did.

`soundness` asks whether anything may be concluded, `stats` computes what all estimates come from in the engine,
`contrasts` compares two arms by one rule, `proportions` and `quantiles` where means are not enough, `compare` all arms
and metrics; `table` is the short form of the notebook.
"""

from customerlab.analysis.experiment.compare import Metric, benjamini_hochberg, compare_arms
from customerlab.analysis.experiment.contrasts import Contrast, contrast
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.quantiles import quantiles
from customerlab.analysis.experiment.soundness import (
    SAMPLE_RATIO_ALPHA,
    SampleRatio,
    Soundness,
    balance,
    covariates_of,
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

__all__ = [
    "EFFECT_COLUMNS", "SAMPLE_RATIO_ALPHA", "Contrast", "Metric", "Moments", "SampleRatio", "Soundness", "balance",
    "benjamini_hochberg", "by_cluster", "compare_arms", "contrast", "covariates_of", "effects", "exposed_early",
    "missing_by_arm", "missing_outcomes", "moments", "no_effects", "outcomes_of", "proportions", "quantiles",
    "repeated_units", "sample_ratio", "sample_ratio_by", "soundness", "verdicts", "winsorised",
]  # fmt: skip
