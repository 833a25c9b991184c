"""What is found of decisions as tables for a page: each with its caption and with how its columns are written."""

from collections.abc import Hashable, Iterable, Mapping

import pandas as pd

from customerlab.analysis import pages
from customerlab.analysis.bandit.compare import Compared
from customerlab.analysis.bandit.decision_log import DecisionLog
from customerlab.analysis.bandit.evaluate import Evaluation
from customerlab.analysis.bandit.gate import Gate
from customerlab.analysis.bandit.learn import Learned
from customerlab.analysis.inference import LEVEL
from customerlab.analysis.pages import Shown
from customerlab.formats import p_value, short

PER = 1_000
REWARDS = ["value", "low", "high", "gain", "gain_low", "gain_high", "difference", "from", "to", "effect"]
LABELS = {
    "first": "from day", "last": "to day", "least": "least propensity", "value": "rewards", "low": "from", "high": "to",
    "gain": "more than logged", "gain_low": "gain from", "gain_high": "gain to", "treated": "not the control", "over": "compared with",
    "from": "difference from", "to": "difference to", "rewards": "with a reward", "test_regret": "A/B test regret",
    "better": "verdict", "planned": "A/B test planned for", "significant": "decision",
}  # fmt: skip
FORMATS = (
    dict.fromkeys(["decisions", "customers", "actions", "with a reward", "A/B test planned for"], "{:,}")
    | dict.fromkeys([LABELS.get(name, name) for name in REWARDS], "{:,.1f}")
    | dict.fromkeys(["regret", "A/B test regret", "saved"], "{:,.0f}")
    | {"least propensity": "{:.3g}", "not the control": "{:.0%}", "level": "{:.4f}", "limit": "{:.3g}"}
)
FEW = "–: too few to tell"


def _shown(
    table: pd.DataFrame, columns: Iterable[Hashable], caption: str, formats: Mapping[str, str] = FORMATS
) -> Shown:
    """Some columns of a table by the names of a page, with rewards per `PER` decisions."""
    scaled = table.assign(**{name: PER * table[name].astype(float) for name in REWARDS if name in table})
    return pages.shown(scaled, columns, caption, formats, LABELS)


def policy_table(table: pd.DataFrame) -> Shown:
    """What each policy earned while it decided; `table` as `by_policy` returns it."""
    known = [name for name in ("customers", "least") if table[name].notna().any()]
    counts = {name: table[name].astype("Int64") for name in ("decisions", "customers", "actions")}
    return _shown(
        table.assign(**counts),
        ["policy", "first", "last", "decisions", "actions", *known, "value", "low", "high"],
        f"{table['decisions'].sum():,} decisions by policy: rewards per {PER:,} decisions with 95% confidence intervals over customers. "
        f"Policies decided at different times: their difference is not their effect. {FEW}",
    )  # fmt: skip


def action_table(table: pd.DataFrame) -> Shown:
    """What each action would earn; `table` as `action_values` returns it."""
    return _shown(
        table.sort_values("value", ascending=False, kind="stable"),
        ["action", "decisions", "rewards", "value", "low", "high"],
        f"Rewards per {PER:,} decisions if an action were always chosen, with simultaneous 95% intervals (Bonferroni). {FEW}",
    )  # fmt: skip


def rule_table(learned: Learned, log: DecisionLog, decisions: int) -> Shown:
    """The shallow tree, rule by rule; `decisions` are those it was learned from."""
    rules = [rule.rstrip(".").rpartition(": ") for rule in learned.tree.sentences(log.actions, log.labels)]
    table = pd.DataFrame(
        {"context": [context for context, _, _ in rules], "action": [action for _, _, action in rules]}
    )
    return [(table, f"The shallow tree, learned from {decisions:,} earlier decisions and judged as a whole", {})]


def comparison_tables(found: Compared, decisions: int) -> Shown:
    """Policies beside what was logged, and each beside the one before it; `decisions` are those judged on."""
    table = found.table
    told = table[table["policy"].isin(found.gates)] if len(found.gates) else table[:0]
    return [
        *_shown(
            table,
            ["policy", "treated", "value", "low", "high", "gain", "gain_low", "gain_high"],
            f"Rewards per {PER:,} decisions, less costs, on {decisions:,} later decisions, with 95% intervals. –: does not apply, or the "
            "log cannot tell",
        ),
        *_shown(
            told,
            ["policy", "over", "difference", "from", "to"],
            f"Each policy against the one recommended before it, rewards per {PER:,} decisions, with simultaneous 95% intervals "
            f"(Bonferroni). –: the log cannot tell",
        ),
    ]  # fmt: skip


def gate_table(gates: Mapping[str, Gate]) -> Shown:
    """The checks by policy; a check that failed says so."""
    parts = {name: gate.table.set_index("check") for name, gate in gates.items()}
    if not parts:
        return []
    checks = dict.fromkeys(check for part in parts.values() for check in part.index)  # in their order
    table = pd.DataFrame({"check": list(checks)})
    limits = pd.concat([part["limit"] for part in parts.values()])
    table["limit"] = [short(float(limits.loc[[check]].iloc[0])) for check in checks]
    for name, part in parts.items():
        said = {check: short(one["value"]) + " (failed)" * (not one["passed"]) for check, one in part.iterrows()}
        table[name] = [said.get(check, "–") for check in checks]
    return [(table, "Can the log tell what a policy is worth? Checks made before any estimate", {})]


def estimate_tables(found: Evaluation, name: str) -> Shown:
    """Estimates of one policy by several estimators, per `PER` decisions; and other intervals of some of them."""
    table = found.table.assign(estimator=found.table["estimator"].map(ESTIMATORS))
    others = []
    for kind, title in INTERVALS.items():
        part = table.dropna(subset=f"{kind}_low")
        others += [
            {"estimator": one["estimator"], "interval": title, "low": one[f"{kind}_low"], "high": one[f"{kind}_high"]}
            for one in part.to_dict("records")
        ]
    columns = ["estimator", "interval", "low", "high"]
    return [
        *_shown(
            table.rename(columns={"normal_low": "low", "normal_high": "high"}), ["estimator", "value", "low", "high"],
            f"Rewards per {PER:,} decisions of {name} by estimator, with normal {LEVEL:.0%} intervals. –: the estimator promises none",
        ),
        *_shown(
            pd.DataFrame(others, columns=columns).sort_values("estimator", kind="stable"), columns,
            f"Other {LEVEL:.0%} intervals of the rewards per {PER:,} decisions of {name}: those of bounded rewards hold for any number of "
            "independent decisions if no propensity or reward lies beyond those logged; the last kind may be read at any time",
        ),
    ]  # fmt: skip


INTERVALS = {
    "bootstrap": "bootstrap",
    "bernstein": "bounded rewards (empirical Bernstein)",
    "anytime": "bounded rewards, at any time",
}
ESTIMATORS = {
    "ips": "inverse propensity", "snips": "self-normalised", "dm": "direct method", "dr": "doubly robust", "replay": "replay",
    "switch": "switch", "shrinkage": "optimistic shrinkage",
}  # fmt: skip


def position_table(found: Mapping[object, Evaluation], name: str) -> Shown:
    """The doubly robust estimate of a policy at each position, or why there is none."""
    rows = []
    for position, one in found.items():
        row = {"position": str(position), "decisions": one.number, "value": float("nan")}
        row |= {"low": float("nan"), "high": float("nan")}
        for best in one.table[one.table["estimator"] == "dr"].to_dict("records"):
            row |= {"value": best["value"], "low": best["normal_low"], "high": best["normal_high"]}
        rows.append(row)
    table = pd.DataFrame(rows)
    return _shown(
        table, list(table),
        f"Rewards per {PER:,} decisions of {name} by position (doubly robust), with 95% intervals; what stands beside it is not counted. "
        "–: the log cannot tell",
    )  # fmt: skip


def world_table(table: pd.DataFrame) -> Shown:
    """Policies against the A/B test in each world; `table` as `compared` returns it."""
    formats = FORMATS | dict.fromkeys(["saved", "saved from", "saved to"], "{:,.0f}")
    columns = ["world", "policy", "planned", "regret", "test_regret", "saved", "saved from", "saved to", "better"]
    numbers = ["saved", "low", "high"]
    whole = table.assign(**{name: table[name].round() + 0.0 for name in numbers})  # no minus before zero
    return pages.shown(
        whole.rename(columns={"low": "saved from", "high": "saved to"}), columns,
        f"Rewards lost in {table['decisions'].max() if len(table) else 0:,} decisions against the best action at each time, and what a "
        "bandit saves against the A/B test; intervals are of the simulation alone", formats, LABELS,
    )  # fmt: skip


def stream_table(table: pd.DataFrame) -> Shown:
    """Tests in the order of time with their levels; `table` as `decide` returns it."""
    read: dict[str, pd.Series] = {"effect": PER * table["effect"]} if "effect" in table else {}
    read["decided_at"] = table["decided_at"].dt.strftime("%Y-%m-%d")
    read["p"] = table["p"].map(lambda p: p_value(p)[2:].strip("= "))
    return pages.shown(
        table.assign(**read).rename(columns={"decided_at": "read on"}),
        ["test", "read on", *(["effect"] if "effect" in table else []), "p", "level", "decision"],
        f"Tests by time, with effects in rewards per {PER:,} decisions: a test is significant if its p-value is at most its level, which "
        "depends on the tests before it", FORMATS, LABELS,
    )  # fmt: skip
