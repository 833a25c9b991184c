"""A randomised test, from its validity checks to the effects and the decision.

`test` is one test with all its results; `measured` queries the engine for them, each once. `tables` and `sentences` are
what is shown and said of it.

Units: `rows` checks whether rows are units, `units` and `participants` hold the assigned units, `counted` takes totals
in their place, `customers` adds RFM segments and clusters; `split`, `balance` and `soundness` check validity, `periods`
plans a split that changes. Effects: `stats` computes moments in the engine, `contrasts`, `proportions` and `quantiles`
compare two arms, `compare` all arms and metrics, `sensitivity` one metric by every estimator. Decision: `questions`
reads the options, `carriers` checks for enough outcomes, `gatekeeping` adjusts for several comparisons, `randomisation`
is an exact test, `decision` and `recommend` say what to do. Planning: `design` and `planning` compute power and sample
size, `assignment` draws the arms, `simulation` measures error rates. Also: `sequential` monitoring, `bayes`, `segments`
for heterogeneous effects, `uplift` and `targeting`.
"""

from customerlab.analysis.experiment import sentences, tables
from customerlab.analysis.experiment.assignment import Layer, assign
from customerlab.analysis.experiment.compare import Metric, compare_arms
from customerlab.analysis.experiment.customers import with_customer_groups
from customerlab.analysis.experiment.decision import Money, saved
from customerlab.analysis.experiment.design import baseline, detectable, run_length, sample_size
from customerlab.analysis.experiment.gatekeeping import gatekept
from customerlab.analysis.experiment.measured import Measured
from customerlab.analysis.experiment.participants import took_part
from customerlab.analysis.experiment.planning import arrivals
from customerlab.analysis.experiment.proportions import proportions
from customerlab.analysis.experiment.questions import metrics_of, named_numbers, segments_of
from customerlab.analysis.experiment.randomisation import randomised
from customerlab.analysis.experiment.rows import kind_of_rows
from customerlab.analysis.experiment.segments import by_segment
from customerlab.analysis.experiment.sequential import bounds, confidence_sequence, over_time
from customerlab.analysis.experiment.simulation import simulate_tests
from customerlab.analysis.experiment.soundness import soundness
from customerlab.analysis.experiment.split import sample_ratio
from customerlab.analysis.experiment.stats import moments, winsorised
from customerlab.analysis.experiment.test import Test
from customerlab.analysis.experiment.units import first_day

__all__ = [
    "Layer", "Measured", "Metric", "Money", "Test", "arrivals", "assign", "baseline", "bounds", "by_segment",
    "compare_arms", "confidence_sequence", "detectable", "first_day", "gatekept", "kind_of_rows", "metrics_of",
    "moments", "named_numbers", "over_time", "proportions", "randomised", "run_length", "sample_ratio",
    "sample_size", "saved", "segments_of", "sentences", "simulate_tests", "soundness", "tables", "took_part",
    "winsorised", "with_customer_groups",
]  # fmt: skip
