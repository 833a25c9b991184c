"""Figures of the clustering comparison."""

from customerlab.figures.clustering.explaining import agreement, contingency, heat_map, silhouettes, views
from customerlab.figures.clustering.features import before_and_after, correlations
from customerlab.figures.clustering.judging import (
    gates,
    neighbour_distances,
    number_of_clusters,
    variance_explained,
)
from customerlab.figures.clustering.trees import dendrogram

__all__ = [
    "agreement", "before_and_after", "contingency", "correlations", "dendrogram", "gates", "heat_map", "neighbour_distances",
    "number_of_clusters", "silhouettes", "variance_explained", "views",
]  # fmt: skip
