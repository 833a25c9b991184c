"""Who customers are: attributes, segments of them, groups and regions, personas, and the segments of new customers.

`attributes` types and describes what the catalogue declares, `encoding` makes points of it, and `compared` hands these
to `clustering`. `gower` has the distance of mixed attributes, `prototypes` and `medoids` the methods, `gates` judges
them, `famd` and `maps` draw them. `latent` (its algorithm in `latent_em`) has latent classes, `scales` survey scales.
`reference` compares groups with a population, `regions` shrinks rates, `groups` adjusts outcomes for behaviour.
`differences` and `information` compare segments, `personas` puts them into words. `segment_prediction` learns the
segment of a new customer from candidates (`segment_candidates`), judged by `segment_judging`; `segment_model` can be
saved. `orders_of` has what described customers ordered, `sentences` what is said, `tables` what is shown.
"""

from customerlab.analysis.profile.attributes import alerts, missing_patterns, of_attributes, overview, typed
from customerlab.analysis.profile.compared import compared_on, described
from customerlab.analysis.profile.encoding import fit_encoding
from customerlab.analysis.profile.famd import fit_famd
from customerlab.analysis.profile.gates import judge_mixed
from customerlab.analysis.profile.groups import by_group
from customerlab.analysis.profile.information import information
from customerlab.analysis.profile.latent import answered, choose_classes, compare_classes
from customerlab.analysis.profile.maps import fit_map
from customerlab.analysis.profile.orders_of import before_and_after, bought, first_orders, last_orders
from customerlab.analysis.profile.personas import persona_sizes, persona_table, personas
from customerlab.analysis.profile.reference import compare, population
from customerlab.analysis.profile.regions import by_region, moran, shrunken
from customerlab.analysis.profile.scales import alike, parallel_analysis, reliability, scores
from customerlab.analysis.profile.segment_prediction import predict_segments, verdict
from customerlab.analysis.profile.sentences import (
    by_classes,
    by_groups,
    by_information,
    by_judged,
    by_overview,
    by_personas,
    by_population,
    by_regions,
    by_scale,
)
from customerlab.analysis.profile.tables import (
    answer_table,
    calibration_table,
    class_table,
    error_table,
    group_table,
    information_table,
    persona_sizes_table,
    population_table,
    region_table,
    scale_tables,
    score_table,
)

__all__ = [
    "alerts", "alike", "answer_table", "answered", "before_and_after", "bought", "by_classes", "by_group",
    "by_groups", "by_information", "by_judged", "by_overview", "by_personas", "by_population", "by_region",
    "by_regions", "by_scale", "calibration_table", "choose_classes", "class_table", "compare", "compare_classes",
    "compared_on", "described", "error_table", "first_orders", "fit_encoding", "fit_famd", "fit_map", "group_table",
    "information", "information_table", "judge_mixed", "last_orders", "missing_patterns", "moran", "of_attributes",
    "overview", "parallel_analysis", "persona_sizes", "persona_sizes_table", "persona_table", "personas",
    "population", "population_table", "predict_segments", "region_table", "reliability", "scale_tables",
    "score_table", "scores", "shrunken", "typed", "verdict",
]  # fmt: skip
