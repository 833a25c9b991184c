"""Families of clustering on equal terms, and a verdict that can be no."""

from customerlab.analysis.clustering.density import dbcv, knee, neighbour_distances
from customerlab.analysis.clustering.explain import agreement, contingency, contrast, profile, proposed_names
from customerlab.analysis.clustering.features import FEATURES, SHARE, customer_features
from customerlab.analysis.clustering.hierarchy import grown, micro_clusters
from customerlab.analysis.clustering.indices import (
    by_number,
    numbered,
    prediction_strength,
    preferred,
    validity,
    votes,
)
from customerlab.analysis.clustering.methods import METHODS, NEIGHBOURS, ONE_GROUP, fit_all, parts
from customerlab.analysis.clustering.models import NOISE, Mixture, Model, Nearest
from customerlab.analysis.clustering.null_clouds import Ceiling, ceilings, clouds
from customerlab.analysis.clustering.past import (
    CELLS,
    DECILES,
    SEGMENTS,
    Past,
    baselines_of,
    deciles,
    look_back,
    outcomes_of,
)
from customerlab.analysis.clustering.report import (
    SPELLED,
    at_the_gates,
    at_the_limit,
    decision,
    kinds,
    most_useful,
    rivals,
    said_of,
    stable,
    verdicts,
)
from customerlab.analysis.clustering.scoring import Segmentation, clusters_on, segmentation
from customerlab.analysis.clustering.silhouette import EXACT, SAMPLED, mean_silhouettes, silhouettes
from customerlab.analysis.clustering.space import Space, correlation, fit_space, sample, shape
from customerlab.analysis.clustering.stability import MOST as RESAMPLED, agreement_of_seeds, jaccard, stability
from customerlab.analysis.clustering.structure import excess
from customerlab.analysis.clustering.tree_rules import PURE, Rules, rules
from customerlab.analysis.clustering.usefulness import predicted, usefulness, within
from customerlab.analysis.clustering.verdict import Gates, Judged, compared, judge
from customerlab.analysis.clustering.views import Views, views

__all__ = [
    "CELLS", "DECILES", "EXACT", "FEATURES", "METHODS", "NEIGHBOURS", "NOISE", "ONE_GROUP", "PURE", "RESAMPLED",
    "SAMPLED", "SEGMENTS", "SHARE", "SPELLED", "Ceiling", "Gates", "Judged", "Mixture", "Model", "Nearest", "Past",
    "Rules", "Segmentation", "Space", "Views", "agreement", "agreement_of_seeds", "at_the_gates", "at_the_limit",
    "baselines_of", "by_number", "ceilings", "clouds", "clusters_on", "compared", "contingency", "contrast",
    "correlation", "customer_features", "dbcv", "deciles", "decision", "excess", "fit_all", "fit_space", "grown",
    "jaccard", "judge", "kinds", "knee", "look_back", "mean_silhouettes", "micro_clusters", "most_useful",
    "neighbour_distances", "numbered", "outcomes_of", "parts", "predicted", "prediction_strength", "preferred",
    "profile", "proposed_names", "rivals", "rules", "said_of", "sample", "segmentation", "shape", "silhouettes",
    "stability", "stable", "usefulness", "validity", "verdicts", "views", "votes", "within",
]  # fmt: skip
