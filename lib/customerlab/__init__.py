"""customerlab: a notebook workbench for customer segmentation and personalisation.

A notebook takes what it needs in one line, for example ``from customerlab import Run, rfm, show``. Names are
imported when they are first used, so that the command line can refuse a wrong parameter before anything heavy loads.
"""

from importlib import import_module
from typing import Any

HOMES = {
    "Run": "customerlab.workbench.run:Run",
    "show": "customerlab.workbench.display:show",
    "findings": "customerlab.workbench.display:findings",
    "checks": "customerlab.workbench.display:checks",
    "percent": "customerlab.formats:percent",
    "disclosure": "customerlab.analysis.disclosure",
    "inference": "customerlab.analysis.inference",
    "orders": "customerlab.analysis.orders",
    "sales": "customerlab.analysis.sales",
    "explore": "customerlab.analysis.explore",
    "rfm": "customerlab.analysis.rfm",
    "clustering": "customerlab.analysis.clustering",
    "recommend": "customerlab.analysis.recommend",
    "ratings": "customerlab.analysis.ratings",
    "experiment": "customerlab.analysis.experiment",
    "value": "customerlab.analysis.value",
    "monitoring": "customerlab.analysis.monitoring",
    "profile": "customerlab.analysis.profile",
    "campaign": "customerlab.analysis.campaign",
    "bandit": "customerlab.analysis.bandit",
    "language": "customerlab.analysis.language",
    "explore_figures": "customerlab.figures.explore",
    "rfm_figures": "customerlab.figures.rfm",
    "clustering_figures": "customerlab.figures.clustering",
    "recommend_figures": "customerlab.figures.recommend",
    "ratings_figures": "customerlab.figures.ratings",
    "experiment_figures": "customerlab.figures.experiment",
    "value_figures": "customerlab.figures.value",
    "monitoring_figures": "customerlab.figures.monitoring",
    "profile_figures": "customerlab.figures.profile",
    "campaign_figures": "customerlab.figures.campaign",
    "bandit_figures": "customerlab.figures.bandit",
}
"""The public names and where they live, `module` or `module:attribute`."""

__all__ = list(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'customerlab' has no attribute {name!r}")
    module, _, attribute = HOMES[name].partition(":")
    value = import_module(module)
    if module.startswith("customerlab.analysis."):
        from customerlab.doors import guard

        guard(value)
    return getattr(value, attribute) if attribute else value
