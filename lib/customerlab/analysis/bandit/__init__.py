"""Bandits: which policy chooses best, whether a log can tell before it is switched on, and tests that never stop.

`decision_log` reads the log of decisions. `gate` says whether a log can tell what a policy is worth, `evaluate` what it
is worth by several estimators, `compare` which policy is recommended over what was logged, `learn` makes policies;
`logged` holds what these estimate from a log. `policies` and `linear_policies` choose and learn while they do
(`learner` is what they share), `simulate` compares them with a test. `streams` controls false discoveries over tests
that follow each other, `rollout` has ramp-up and long-term hold-out, `interleaving` mixes two rankings. `options` reads
parameters, `sentences` has what is said, `tables` what is shown.
"""

from customerlab.analysis.bandit.compare import LOGGED, action_values, compare
from customerlab.analysis.bandit.decision_log import DecisionLog, by_policy, decision_log, monthly_tests, rates
from customerlab.analysis.bandit.evaluate import by_position, evaluate
from customerlab.analysis.bandit.gate import gate
from customerlab.analysis.bandit.interleaving import credit, draws, interleave, preference, sensitivity
from customerlab.analysis.bandit.learn import TREE, learn
from customerlab.analysis.bandit.linear_policies import LinearPolicy
from customerlab.analysis.bandit.options import (
    at_positions,
    costs,
    exploring,
    learning,
    long_term,
    looked_at,
    own_target,
    silent,
)
from customerlab.analysis.bandit.policies import Policy
from customerlab.analysis.bandit.rollout import against_holdout, holdout_size, ramp
from customerlab.analysis.bandit.sentences import (
    by_actions,
    by_estimators,
    by_gates,
    by_hold_out,
    by_log,
    by_positions,
    by_recommended,
    by_rules,
    by_stream,
    by_worlds,
)
from customerlab.analysis.bandit.simulate import Plan, World, compared, simulate, worlds
from customerlab.analysis.bandit.streams import Stream, decide
from customerlab.analysis.bandit.tables import (
    action_table,
    comparison_tables,
    estimate_tables,
    gate_table,
    policy_table,
    position_table,
    rule_table,
    stream_table,
    world_table,
)
from customerlab.analysis.experiment.design import Baseline

__all__ = [
    "LOGGED", "TREE", "Baseline", "DecisionLog", "LinearPolicy", "Plan", "Policy", "Stream", "World", "action_table",
    "action_values", "against_holdout", "at_positions", "by_actions", "by_estimators", "by_gates", "by_hold_out",
    "by_log", "by_policy", "by_position", "by_positions", "by_recommended", "by_rules", "by_stream", "by_worlds",
    "compare", "compared", "comparison_tables", "costs", "credit", "decide", "decision_log", "draws",
    "estimate_tables", "evaluate", "exploring", "gate", "gate_table", "holdout_size", "interleave", "learn", "learning",
    "long_term", "looked_at", "monthly_tests", "own_target", "policy_table", "position_table", "preference", "ramp",
    "rates", "rule_table", "sensitivity", "silent", "simulate", "stream_table", "world_table", "worlds",
]  # fmt: skip
