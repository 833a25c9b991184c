"""What is said of decisions and policies, as sentences: each with what it rests on, and how sure it is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customerlab.analysis.bandit.compare import LOGGED, Compared
from customerlab.analysis.bandit.decision_log import DecisionLog
from customerlab.analysis.bandit.evaluate import Evaluation
from customerlab.analysis.bandit.gate import Gate
from customerlab.analysis.bandit.learn import Learned
from customerlab.analysis.bandit.simulate import BANDIT
from customerlab.analysis.bandit.streams import Stream, summary
from customerlab.analysis.bandit.tables import PER
from customerlab.formats import interval, percent, short
from customerlab.wording import Led


def _per(value: float) -> str:
    """A mean reward per `PER` decisions."""
    return f"{PER * value:,.1f}"


def _ends(low: float, high: float) -> str:
    return interval(low, high, _per)


def _together(low: float, high: float) -> str:
    """An interval of several that hold together."""
    return f"simultaneous {_ends(low, high)}"


def by_recommended(found: Compared, decisions: int) -> list[str]:
    """Which policy is recommended, what it would have earned, and over what; `decisions` are those judged on."""
    rows = {one["policy"]: one for one in found.table.to_dict("records")}
    base = f"What was logged earned {_per(rows[LOGGED]['value'])} rewards per {PER:,} decisions."
    if not decisions:
        return [Led("There are no later decisions to judge policies on", ": nothing is recommended.")]
    if not any(gate.passed for gate in found.gates.values()):
        said = f". No policy that was tried can be evaluated from {decisions:,} later decisions: the reasons are below. {base}"
        return [Led("The log cannot tell which policy is better", said)]
    if found.recommended == LOGGED:
        said = f". No policy is shown to earn more than what was logged on {decisions:,} later decisions. {base}"
        return [Led("No other policy is recommended", said), *_no_gain(found)]
    best = rows[found.recommended]
    ends = _ends(best["gain_low"], best["gain_high"])
    said = (
        f". On {decisions:,} later decisions it would have earned {_per(best['value'])} rewards per {PER:,} decisions, "
        f"{_per(best['gain'])} more than what was logged ({ends})."
    )
    if best["over"] != LOGGED:
        ends = _together(best["from"], best["to"])
        said += f" It is shown to earn more than {best['over']}, by {_per(best['difference'])} ({ends})."
        said += f" {_per(rows[best['over']]['gain'])} of the gain are those of {best['over']} as well."
    return [Led(f"Recommended policy: {found.recommended}", said), *_no_gain(found)]


def _no_gain(found: Compared) -> list[str]:
    """Policies that are not shown to earn more than the one recommended."""
    some = [one for one in found.table.to_dict("records") if one.get("over") == found.recommended]
    said = []
    for one in [one for one in some if np.isfinite(one["difference"])]:
        over = "what was logged" if one["over"] == LOGGED else one["over"]
        ends = (
            f" ({_together(one['from'], one['to'])})"
            if np.isfinite(one["from"])
            else ", too few rewards for an interval"
        )
        said.append(
            f"No gain of {one['policy']} over {over} is shown: difference {_per(one['difference'])} rewards per {PER:,} "
            f"decisions{ends}."
        )
    return said


def by_gates(gates: Mapping[str, Gate]) -> list[str]:
    """Why policies cannot be evaluated, and what data would settle it."""
    return [
        Led(f"The log cannot tell what {name} would earn", ". " + " ".join(gate.reasons))
        for name, gate in gates.items()
        if not gate.passed
    ]


def by_rules(learned: Learned, log: DecisionLog, decisions: int) -> list[str]:
    """The policies that can be read; `decisions` are those they were learned from."""
    rules = " ".join(learned.tree.sentences(log.actions, log.labels))
    share = "" if learned.budget == 1 else f", for {percent(learned.budget)} of decisions at random"
    return [
        f"By {decisions:,} earlier decisions the best single action is {log.actions[learned.single]}{share}.",
        f"The shallow tree: {rules} It is judged as a whole; no single rule is shown to be right.",
    ]


def by_log(log: DecisionLog, source: str) -> list[str]:
    """What the log is, and where propensities are from."""
    at, number = log.rows["decided_at"], len(log.rows)
    if not number:
        return [Led("No decision has a known reward", ": nothing can be said.")]
    said = (
        f"The log has {number:,} decisions with a known reward from {at.iloc[0]:%Y-%m-%d} to {at.iloc[-1]:%Y-%m-%d}, of "
        f"{len(log.actions):,} actions."
    )
    left = f" {log.unknown:,} decisions whose reward is not known yet are left out." if log.unknown else ""
    if source == "logged":
        return [f"{said}{left} Propensities are logged."]
    return [
        f"{said}{left} Propensities are {source}. Results hold only if the contexts contain all that the choice depended on."
    ]


def by_actions(values: pd.DataFrame) -> list[str]:
    """Which single action is best, if that can be told; `values` as `action_values` returns them."""
    known = values.dropna(subset="low").sort_values("value", ascending=False, kind="stable")
    few = len(values) - len(known)
    left = f" For {few} of {len(values)} actions there are too few rewards to tell." if few else ""
    if len(known) < 2:
        return [f"Single actions: too few to tell.{left}"]
    best, second = known.iloc[0], known.iloc[1]
    near = known["action"].iloc[1:][(known["high"].iloc[1:] >= best["low"]).to_numpy()].tolist()
    named = ", ".join(near[:3]) + " and others" * (len(near) > 3)
    apart = f"Its interval overlaps with that of {named}, so that it is not shown to be the best" if near else (
        "Its interval is above those of all others"
    )  # fmt: skip
    ends = _together(best["low"], best["high"])
    return [
        f"Of single actions {best['action']} has the largest estimate: {_per(best['value'])} rewards per {PER:,} decisions ({ends}); "
        f"next is {second['action']} with {_per(second['value'])}. {apart}.{left}"
    ]


def by_estimators(found: Evaluation, name: str) -> list[str]:
    """Whether estimators agree."""
    if found.table.empty:
        return []
    values = found.table.set_index("estimator")["value"]
    row = found.table[found.table["estimator"] == "dr"].iloc[0]
    inside = values.between(row["normal_low"], row["normal_high"])
    if np.isnan(row["normal_low"]):
        return [f"Estimates of {name}: too few rewards for an interval."]
    odd = f" {int((~inside).sum())} of {len(values)} lie outside it." if not inside.all() else ""
    return [
        f"Estimates of {name} by {len(values)} estimators are from {_per(values.min())} to {_per(values.max())} rewards per {PER:,} "
        f"decisions; the doubly robust one has the interval {_per(row['normal_low'])} to {_per(row['normal_high'])}.{odd}"
    ]


def by_positions(found: Mapping[object, Evaluation], name: str) -> list[str]:
    """At which positions the log cannot tell."""
    failed = [str(position) for position, one in found.items() if not one.gate.passed]
    if not failed:
        return []
    named = ", ".join(failed[:3]) + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
    return [f"At {len(failed)} of {len(found)} positions the log cannot tell what {name} earns: {named}."]


def by_worlds(table: pd.DataFrame) -> list[str]:
    """When a bandit pays and when a test is better; `table` as `compared` returns it."""
    if table.empty:
        return [
            "A bandit or a test: rates of actions differ no more than by chance, so that there is nothing to choose."
        ]
    said = []
    for world, part in table.groupby("world", sort=False):
        paid = part[part["better"] == BANDIT]
        size = f"in {part['decisions'].iloc[0]:,} decisions"
        late = "" if part["decided"].iloc[0] else " The test is not decided by then."
        if paid.empty:
            said.append(f"Rates {world}: no bandit is shown to lose less than the A/B test {size}.{late}")
            continue
        best = paid.sort_values("saved", ascending=False, kind="stable").iloc[0]
        who = "all bandits" if len(paid) == len(part) else ", ".join(paid["policy"])
        ends = interval(best["low"], best["high"], "{:,.0f}")
        said.append(
            f"Rates {world}: {who} lose{'s' * (len(paid) == 1 < len(part))} less than the A/B test {size}, which is planned for "
            f"{part['planned'].iloc[0]:,}. The largest difference is that of {best['policy']}: {best['regret']:,.0f} rewards lost against "
            f"{best['test_regret']:,.0f} ({best['saved']:,.0f} fewer; {ends}, of the simulation alone).{late}"
        )
    return said


def by_stream(table: pd.DataFrame, stream: Stream) -> list[str]:
    """How many of the tests are significant with the false discovery rate controlled, and each by itself."""
    if table.empty:
        return ["Tests month by month: too few rewards for any."]
    alone = int((table["p"] <= stream.alpha).sum())
    found, way = table["significant"], ""
    if "effect" in table and found.any():
        below = int((found & (table["effect"] < 0)).sum())
        way = f" Of the significant ones {below:,} are below the control, and {int(found.sum()) - below:,} above."
    return [f"{summary(stream)}{way} Each by itself at {percent(stream.alpha)}, {alone} would be."]


def by_hold_out(size: pd.Series | None, gain: float, log: DecisionLog) -> list[str]:
    """How many customers a long-term hold-out needs; `log` are the decisions that it was sized by."""
    if size is None:
        return []
    days = (log.rows["decided_at"].iloc[-1].normalize() - log.rows["decided_at"].iloc[0].normalize()).days + 1
    return [
        "The next step is a test: give the policy to a part of customers, with orders as the outcome. To see later whether the gain is "
        f"there, hold out {size['holdout']:,.0f} of {size['holdout'] + size['launched']:,.0f} customers ({percent(size['share'])}): in "
        f"{days} days that finds {short(gain)} rewards more per customer, the lower end of the interval (power 80%). A smaller gain would "
        "not be found."
    ]
