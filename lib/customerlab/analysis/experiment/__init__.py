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
from customerlab.analysis.experiment.rehearsal import rehearse
from customerlab.analysis.experiment.rows import kind_of_rows
from customerlab.analysis.experiment.segments import by_segment
from customerlab.analysis.experiment.sequential import bounds, confidence_sequence, over_time
from customerlab.analysis.experiment.soundness import soundness
from customerlab.analysis.experiment.split import sample_ratio
from customerlab.analysis.experiment.stats import moments, winsorised
from customerlab.analysis.experiment.test import Test
from customerlab.analysis.experiment.units import first_day

__all__ = [
    "Layer", "Measured", "Metric", "Money", "Test", "arrivals", "assign", "baseline", "bounds", "by_segment",
    "compare_arms", "confidence_sequence", "detectable", "first_day", "gatekept", "kind_of_rows", "metrics_of",
    "moments", "named_numbers", "over_time", "proportions", "randomised", "rehearse", "run_length", "sample_ratio",
    "sample_size", "saved", "segments_of", "sentences", "soundness", "tables", "took_part", "winsorised",
    "with_customer_groups",
]  # fmt: skip
