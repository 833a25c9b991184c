"""Families of clustering methods compared on equal terms, and a decision, which may be to keep the RFM segments."""

from customerlab.analysis.clustering.density import knee, neighbour_distances
from customerlab.analysis.clustering.explain import (
    agreement,
    contingency,
    contrast,
    largest_share,
    profile,
    proposed_names,
    worth,
)
from customerlab.analysis.clustering.features import SHARE, customer_features
from customerlab.analysis.clustering.hierarchy import grow_tree
from customerlab.analysis.clustering.indices import by_number, numbered, preferred, votes
from customerlab.analysis.clustering.methods import METHODS, NEIGHBOURS, ONE_GROUP, fit_all, parts
from customerlab.analysis.clustering.models import NOISE
from customerlab.analysis.clustering.null_clouds import ceilings
from customerlab.analysis.clustering.past import look_back
from customerlab.analysis.clustering.purchases import purchases
from customerlab.analysis.clustering.report import (
    LEGEND,
    SPELLED,
    best_of_each_method,
    best_of_other_methods,
    cluster_findings,
    cluster_stability,
    decision,
    gate_results,
    limit_warning,
    nearest_finding,
    periods,
    prediction_findings,
    saved_finding,
    separation_finding,
    silhouette_finding,
    verdicts,
    without,
)
from customerlab.analysis.clustering.scoring import clusters_on, segmentation
from customerlab.analysis.clustering.silhouette import EXACT, SAMPLED, silhouettes
from customerlab.analysis.clustering.space import correlation, fit_space, sample, skewness
from customerlab.analysis.clustering.stability import MOST as RESAMPLED
from customerlab.analysis.clustering.tree_rules import rules
from customerlab.analysis.clustering.verdict import Gates, judge
from customerlab.analysis.clustering.views import views
from customerlab.analysis.inference import INFLUENTIAL

__all__ = [
    "EXACT", "INFLUENTIAL", "LEGEND", "METHODS", "NEIGHBOURS", "NOISE", "ONE_GROUP", "RESAMPLED", "SAMPLED", "SHARE", "SPELLED",
    "Gates", "agreement", "best_of_each_method", "best_of_other_methods",
    "by_number", "ceilings", "cluster_findings", "cluster_stability", "clusters_on", "contingency", "contrast", "correlation",
    "customer_features", "decision", "fit_all", "fit_space", "gate_results", "grow_tree", "judge", "knee",
    "largest_share",
    "limit_warning", "look_back", "nearest_finding", "neighbour_distances", "numbered", "parts", "periods", "prediction_findings",
    "preferred", "profile", "proposed_names", "purchases", "rules", "sample", "saved_finding", "segmentation", "separation_finding",
    "silhouette_finding", "silhouettes", "skewness", "verdicts", "views", "votes", "without", "worth",
]  # fmt: skip
