"""Who customers are: their attributes, as tables and as numbers that methods take."""

from customerlab.analysis.profile.attributes import alerts, missing_patterns, of_attributes, overview, typed
from customerlab.analysis.profile.compared import compared_on, described
from customerlab.analysis.profile.encoding import fit_encoding

__all__ = [
    "alerts", "compared_on", "described", "fit_encoding", "missing_patterns", "of_attributes", "overview", "typed",
]  # fmt: skip
