"""Segments and models over time: what changed, whether it matters, and when to refit.

`months` reads customer-months from the log, `lifecycle` has customers' states, their flows and growth accounting.
`migration` has transition matrices and their tests, `forecasts` sizes of segments to come, `hidden` (its algorithm in
`hidden_em`) a hidden Markov model of orders. `evolving` refits clusters on successive days, `evolution` says what
became of them, `refit` refits at a price for movement. `activity` describes what customers did in a period, `drift`
compares two samples, `joint` all features together, `changes` all that models see, and `estimated` a classifier without
outcomes. `thresholds` keeps those of RFM segments, `challenge` judges models of two days on the same customers,
`decisions` has the rules, `sentences` what is said.
"""

from customerlab.analysis.monitoring.activity import turnover
from customerlab.analysis.monitoring.challenge import (
    churn_trial,
    cluster_pair,
    cluster_trial,
    compared,
    match,
    rfm_trial,
    season_of,
    value_trial,
)
from customerlab.analysis.monitoring.changes import (
    drift_table,
    inputs,
    named,
    of_models,
    of_periods,
    periods,
    within_segments,
)
from customerlab.analysis.monitoring.decisions import RULES, as_artefact, champions, decide, on_groups, on_products
from customerlab.analysis.monitoring.estimated import beside, calibrated, estimate
from customerlab.analysis.monitoring.evolving import evolve
from customerlab.analysis.monitoring.forecasts import backtest, forecast
from customerlab.analysis.monitoring.hidden import choose_states
from customerlab.analysis.monitoring.joint import domain_classifier, mmd
from customerlab.analysis.monitoring.lifecycle import GROWTH, STATES, flows, growth, limits, sizes, states
from customerlab.analysis.monitoring.migration import balanced, chain_tests, kept, stays, transitions
from customerlab.analysis.monitoring.months import by_month
from customerlab.analysis.monitoring.sentences import (
    by_decisions,
    by_drift,
    by_evolution,
    by_forecast,
    by_hidden,
    by_lifecycle,
    by_migration,
    by_performance,
)
from customerlab.analysis.monitoring.thresholds import thresholds

__all__ = [
    "GROWTH", "RULES", "STATES", "as_artefact", "backtest", "balanced", "beside", "by_decisions", "by_drift", "by_evolution",
    "by_forecast", "by_hidden", "by_lifecycle", "by_migration", "by_month", "by_performance", "calibrated", "chain_tests", "champions",
    "choose_states", "churn_trial", "cluster_pair", "cluster_trial", "compared", "decide", "domain_classifier", "drift_table",
    "estimate", "evolve", "flows", "forecast", "growth", "inputs", "kept", "limits", "match", "mmd", "named", "of_models",
    "of_periods", "on_groups", "on_products", "periods", "rfm_trial", "season_of", "sizes", "states", "stays", "thresholds", "transitions",
    "turnover", "value_trial", "within_segments",
]  # fmt: skip
