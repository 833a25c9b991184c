"""Figures of the clustering comparison."""

from customerlab.figures.clustering.explaining import agreement, contingency, heat_map, views
from customerlab.figures.clustering.features import before_and_after, correlations
from customerlab.figures.clustering.judging import neighbour_distances, numbers, rewarded, useful
from customerlab.figures.clustering.trees import dendrogram

__all__ = [
    "agreement", "before_and_after", "contingency", "correlations", "dendrogram", "heat_map", "neighbour_distances",
    "numbers", "rewarded", "useful", "views",
]  # fmt: skip
