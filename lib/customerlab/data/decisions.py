"""Logs of decisions: what must hold of their rows, and what is odd about them as a whole."""

from collections.abc import Iterator

import ibis.expr.types as ir

from customerlab.data.canonical import Place
from customerlab.data.clean import KEPT
from customerlab.data.mapping import TableMap
from customerlab.data.suspicion_texts import Found, found_of
from customerlab.errors import DataError

DECISION = ("customer_id", "action", "decided_at", "position")  # that is made once
OFF = 0.2  # of the number of actions: how far the mean of 1 / propensity may be from it beyond chance
SURE = 4  # standard errors


def check(marked: ir.Table, table_map: TableMap, place: Place) -> Iterator[DataError]:
    """Where a propensity is no probability of something that happened."""
    rows = marked.filter(marked.removed_by == KEPT)
    if "propensity" not in rows.columns:
        return
    wrong = rows.filter((rows.propensity <= 0) | (rows.propensity > 1))
    asked = {"count": wrong.count(), "largest": wrong.propensity.max(), "least": wrong.propensity.min()}
    count, largest, least = wrong.aggregate(**asked).to_pandas().iloc[0]
    if not count:
        return
    column = table_map.columns["propensity"].named
    percent = 1 < largest <= 100 and least > 0
    yield DataError(
        f"propensity is no probability in {int(count):,} row{'s' * (count > 1)}",
        where=place(wrong, column) + ", the first" * (count > 1),
        expected="the probability with which the action was chosen: above 0 and at most 1",
        do=f"percentages: `propensity: {{column: {column}, scale: 0.01}}`" if percent
        else "fix the column map, or leave the rows out by the rule `drop_where`",
    )  # fmt: skip


def ask(marked: ir.Table, table_map: TableMap, place: Place) -> list[Found]:
    """What is odd about the decisions that cleaning kept; what is worth knowing and asks for no change comes last."""
    rows = marked.filter(marked.removed_by == KEPT)
    asked = {"rows": rows.count(), "known": rows.reward.count(), "actions": rows.action.nunique()}
    if "propensity" in rows.columns:
        inverse = 1 / rows.propensity
        asked |= {"mean": inverse.mean(), "spread": inverse.std(how="sample")}
    counted = rows.aggregate(**asked).to_pandas().iloc[0]
    total, actions = int(counted["rows"]), int(counted["actions"])
    found = []
    decisions = rows.select(*(name for name in DECISION if name in rows.columns)).distinct()
    repeated = total - int(decisions.count().to_pandas())
    if repeated and "customer_id" in rows.columns:  # without customers, several may decide in one moment
        found.append(found_of("one decision in several rows", count=repeated, total=total))
    if "propensity" in rows.columns and total > 1:
        # of a probability p of each action that can be chosen, the mean of 1 / p is their number
        reach = SURE * counted["spread"] / total**0.5 + OFF * actions
        if abs(counted["mean"] - actions) > reach:
            column = table_map.columns["propensity"].named or "propensity"
            about, mean = "propensities of chance", f"{counted['mean']:,.1f}"
            found.append(found_of(about, mean=mean, actions=actions, propensity=column))
    if unknown := total - int(counted["known"]):
        found.append(found_of("rewards not known", count=unknown, total=total))
    if "propensity" not in rows.columns:
        found.append(found_of("propensities missing"))
    return found
