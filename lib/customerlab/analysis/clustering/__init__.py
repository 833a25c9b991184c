"""Families of clustering on equal terms, and a verdict that can be no."""

from customerlab.analysis.clustering.density import knee, neighbour_distances
from customerlab.analysis.clustering.explain import agreement, contingency, contrast, profile, proposed_names
from customerlab.analysis.clustering.features import FEATURES, SHARE, customer_features
from customerlab.analysis.clustering.hierarchy import grown
from customerlab.analysis.clustering.indices import by_number, numbered, preferred, votes
from customerlab.analysis.clustering.methods import METHODS, NEIGHBOURS, ONE_GROUP, fit_all, parts
from customerlab.analysis.clustering.models import NOISE
from customerlab.analysis.clustering.null_clouds import ceilings
from customerlab.analysis.clustering.past import look_back
from customerlab.analysis.clustering.report import (
    SPELLED,
    at_the_gates,
    at_the_limit,
    decision,
    highest_silhouette,
    kinds,
    most_useful,
    rivals,
    said_of,
    stable,
    verdicts,
    windows_of,
)
from customerlab.analysis.clustering.scoring import Segmentation, clusters_on, segmentation
from customerlab.analysis.clustering.silhouette import EXACT, SAMPLED
from customerlab.analysis.clustering.space import correlation, fit_space, sample, shape
from customerlab.analysis.clustering.stability import MOST as RESAMPLED
from customerlab.analysis.clustering.tree_rules import rules
from customerlab.analysis.clustering.verdict import Gates, judge
from customerlab.analysis.clustering.views import views

__all__ = [
    "EXACT", "FEATURES", "METHODS", "NEIGHBOURS", "NOISE", "ONE_GROUP", "RESAMPLED", "SAMPLED", "SHARE",
    "SPELLED", "Gates", "Segmentation", "agreement", "at_the_gates", "at_the_limit", "by_number", "ceilings",
    "clusters_on", "contingency", "contrast", "correlation", "customer_features", "decision", "fit_all", "fit_space",
    "grown", "highest_silhouette", "judge", "kinds", "knee", "look_back", "most_useful", "neighbour_distances", "numbered", "parts",
    "preferred", "profile", "proposed_names", "rivals", "rules", "said_of", "sample", "segmentation", "shape", "stable",
    "verdicts", "views", "votes", "windows_of",
]  # fmt: skip
