"""The shapes of a test's table besides one row per unit: an event log, and totals of each arm.

An event log becomes one row per unit and arm here, and every event that is left out is counted under a reason. Totals
stay as they are: what can be computed from them is for the analysis to say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customerlab.data import fields
from customerlab.data.clean import KEPT
from customerlab.data.tables import COVARIATE, EVENT, OF_UNITS, OUTCOME, SQUARES
from customerlab.data.yaml_files import only_keys
from customerlab.errors import DataError, shown

if TYPE_CHECKING:  # the engine takes a second to import; the catalogue is read without it
    import ibis.expr.types as ir

    from customerlab.data.canonical import Survey
    from customerlab.data.mapping import TableMap

SHOWS, FIRST = "__shows__", "__first__"  # whether an event is an exposure, and when its unit had the first one
EXACT = "decimal(38, 6)"  # of what is summed, so that sums depend on no order of rows
KEYS = ("outcomes", "covariates", "events", "counts")  # of an entry, beside those of every table
MOST_NAMED = 6  # values of a column in a message

LEFT_OUT = {
    "never_exposed": "event of a unit without an exposure",
    "before_exposure": "event before the unit's first exposure",
    "window_open": "event of a unit whose window is not over at the end of the log",
    "after_window": "event after the unit's window",
}
"""Why events are left out, in the order in which they are asked."""


@dataclass(frozen=True)
class Where:
    """Which events count: those with one of some texts in a column of the file."""

    column: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """An outcome of events: a column that is summed, or how many events there are, at most one unless `each` counts."""

    total: bool
    each: bool
    where: Where | None


@dataclass(frozen=True)
class Events:
    """How an event log becomes units: what an exposure is, how long outcomes count after it, and each outcome."""

    exposure: Where | None
    window_days: int | None
    outcomes: dict[str, Counted]

    @property
    def conditions(self) -> list[Where]:
        """What is asked of events, of exposures and for each outcome."""
        return [one for one in (self.exposure, *(outcome.where for outcome in self.outcomes.values())) if one]


def shape_of(raw: dict[str, Any], where: str) -> tuple[dict[str, str], Events | None]:
    """The canonical columns of outcomes and covariates with those of the file, and how events are read, if rows are."""
    if "events" in raw and "counts" in raw:
        raise DataError("both `events` and `counts`", where=where, expected="one of them: rows are events, or totals")
    columns, events = (
        _of_events(raw, where) if "events" in raw
        else (_of_counts(raw, where), None) if "counts" in raw
        else ({f"{OUTCOME}{name}": name for name in fields.names(raw, "outcomes", where)}, None)
    )  # fmt: skip
    if not raw.get("outcomes"):
        raise DataError("no outcome is named", where=where, do="add `outcomes: [ … ]`, columns that hold numbers")
    return columns | {f"{COVARIATE}{name}": name for name in fields.names(raw, "covariates", where)}, events


def _outcomes(raw: dict[str, Any], where: str) -> list[tuple[str, Any]]:
    """Outcomes as pairs of a name and what is said of it; in a list the name is also that of the column."""
    if isinstance(raw.get("outcomes"), list):
        return [(name, name) for name in fields.names(raw, "outcomes", where)]
    return fields.items(raw.get("outcomes"), where, "outcomes")


def _of_events(raw: dict[str, Any], where: str) -> tuple[dict[str, str], Events]:
    said = {} if raw["events"] is None else raw["events"]
    only_keys(said, ("exposure", "window_days"), where=f"{where}, events")
    _check_columns(raw, ("unit_id", "variant", "exposed_at"), ("unit_id", "variant", "exposed_at"), where, "events")
    days = said.get("window_days")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 0 < days < 10_000):
        raise fields.unfit(days, f"{where}, events, window_days", "a whole number of days above zero")
    exposure = None if said.get("exposure") is None else _where(said["exposure"], f"{where}, events, exposure")
    columns, outcomes = {}, {}
    for name, value in _outcomes(raw, where):
        at = f"{where}, outcomes, {name}"
        value = {"sum": value} if isinstance(value, str) else value
        only_keys(value, ("sum", "each", "column", "in"), where=at)
        if "sum" not in value and "column" not in value:
            raise fields.unfit(value, at, "`sum: COLUMN`, or the events that count, `{column: event, in: [purchase]}`")
        if not isinstance(value.get("each", False), bool) or ("each" in value and "sum" in value):
            raise fields.unfit(value, at, "`each: true` where every event counts, not once per unit, and without `sum`")
        if "sum" in value:
            columns[OUTCOME + name] = fields.text(value, "sum", at)
        which = {key: value[key] for key in ("column", "in") if key in value}
        outcomes[name] = Counted("sum" in value, value.get("each", False), _where(which, at) if which else None)
    events = Events(exposure, days, outcomes)
    return columns | {EVENT + one.column: one.column for one in events.conditions}, events


def _where(raw: Any, where: str) -> Where:
    only_keys(raw, ("column", "in"), where=where, required=("column", "in"))
    texts = fields.listed(raw, "in", where, "texts")
    found = tuple(fields.text({str(place): text}, str(place), f"{where}, in") for place, text in enumerate(texts, 1))
    if not found:
        raise DataError("no event is named", where=f"{where}, in", expected="a list of texts: `in: [purchase]`")
    return Where(fields.text(raw, "column", where), found)


def _of_counts(raw: dict[str, Any], where: str) -> dict[str, str]:
    _check_columns(raw, ("variant",), ("variant", "assigned_at", "exposed_at"), where, "counts")
    if raw.get("covariates"):
        raise DataError("totals have no covariates", where=f"{where}, covariates", do="leave `covariates` out")
    columns = {OF_UNITS: fields.text(raw, "counts", where)}
    for name, value in _outcomes(raw, where):
        at = f"{where}, outcomes, {name}"
        if isinstance(value, dict):
            only_keys(value, ("sum", "squares"), where=at, required=("sum", "squares"))
            columns[SQUARES + name] = fields.text(value, "squares", at)
            value = fields.text(value, "sum", at)
        columns[OUTCOME + name] = fields.text({name: value}, name, f"{where}, outcomes")
    return columns


def _check_columns(
    raw: dict[str, Any], required: tuple[str, ...], known: tuple[str, ...], where: str, shape: str
) -> None:
    """Raise unless the column map has what the rows of a shape need, and nothing that they cannot have."""
    mapped = [name for name, _ in fields.items(raw["columns"], where, "columns")]
    lacking, odd = [one for one in required if one not in mapped], [one for one in mapped if one not in known]
    if lacking or odd:
        found = f"no column is mapped to {', '.join(lacking)}" if lacking else f"{shown(odd[0])} is mapped"
        expected = f"with `{shape}`: {', '.join(known)}" + (
            "; a unit is what was assigned" if shape == "events" else ""
        )
        raise DataError(found, where=f"{where}, columns", expected=expected)


def mark(marked: "ir.Table", events: Events | None) -> "ir.Table":
    """The events with, of those that rules have kept, why some are left out: too early, too late, never exposed.

    The end of the log is its last event; where all times are midnight, the end of that day.
    """
    import ibis

    if events is None:
        return marked
    rows, kept = marked, marked.removed_by == KEPT
    shows = kept & (holds(rows, events.exposure) if events.exposure else rows.variant.notnull())
    by_unit = ibis.window(group_by="unit_id")
    arm = ibis.cases((shows, rows.variant)).min().over(by_unit)
    rows = rows.mutate(**{
        SHOWS: shows, FIRST: ibis.cases((shows, rows.exposed_at)).min().over(by_unit),
        "variant": ibis.cases((shows, rows.variant), else_=ibis.coalesce(rows.variant, arm)),
    })  # fmt: skip
    time, first = rows.exposed_at, rows[FIRST]
    reasons = {"never_exposed": first.isnull(), "before_exposure": time < first}
    if events.window_days:
        last = marked.filter(kept)
        timed = (last.exposed_at != last.exposed_at.truncate("D")).any()
        ends = last.aggregate(__end__=last.exposed_at.max(), __timed__=timed)
        rows = rows.cross_join(ends)
        window = ibis.interval(days=events.window_days)
        until = ibis.cases((rows["__timed__"], rows["__end__"]), else_=rows["__end__"] + ibis.interval(days=1))
        reasons |= {
            "window_open": rows[FIRST] + window > until,
            "after_window": rows.exposed_at >= rows[FIRST] + window,
        }
    kept = rows.removed_by == KEPT
    branches = [(kept & reason.fill_null(False), name) for name, reason in reasons.items()]
    return rows.mutate(removed_by=ibis.cases(*branches, else_=rows.removed_by))


def holds(rows: "ir.Table", where: Where) -> "ir.BooleanValue":
    """Whether an event is one of those that count."""
    return rows[EVENT + where.column].isin(list(where.texts)).fill_null(False)


def units(rows: "ir.Table", events: Events) -> "ir.Table":
    """One row per unit and arm, from the events that are kept: the first exposure, outcomes, and covariates at it.

    Sums are exact to six decimals. Where a unit's first exposures have several values of a covariate, the first in
    order is kept. A unit in several arms has a row in each, which the checks of the test count.
    """
    import ibis

    columns: dict[str, ir.Value] = {"exposed_at": rows[FIRST].min()}
    for name, outcome in events.outcomes.items():
        counts = holds(rows, outcome.where) if outcome.where else ibis.literal(True)
        value = rows[OUTCOME + name].try_cast(EXACT) if outcome.total else ibis.literal(1).cast("int64")
        of = ibis.cases((counts, value))
        total = of.sum() if outcome.total or outcome.each else of.max()
        columns[OUTCOME + name] = ibis.coalesce(total.cast("float64"), 0.0)
    at_first = rows[SHOWS] & (rows.exposed_at == rows[FIRST])
    columns |= {name: ibis.cases((at_first, rows[name])).min() for name in rows.columns if name.startswith(COVARIATE)}
    by_unit = rows.group_by("unit_id").aggregate(**columns)
    arms = rows.filter(rows[SHOWS]).select("unit_id", "variant").distinct()
    return arms.join(by_unit, "unit_id").select("unit_id", "variant", *columns)


def check(marked: "ir.Table", found: "Survey", table_map: "TableMap", place: Callable[..., str]) -> None:
    """Raise where events have no time, where none of those that a condition names is there, or totals contradict."""
    rows, events = marked.filter(marked.removed_by == KEPT), table_map.events
    if OF_UNITS in marked.columns:
        _check_totals(rows, lambda odd, name: place(odd, table_map.columns[name].column))
    if events is None:
        return
    late = int(found.of_kept("rows") - found.of_kept("filled_exposed_at"))
    if late:
        raise DataError(
            f"{late:,} event{'s have' if late > 1 else ' has'} no time",
            where=place(rows.filter(rows.exposed_at.isnull()), table_map.columns["exposed_at"].column),
            expected="a time of every event, to know what came after the exposure", do="fill the times in",
        )  # fmt: skip
    asked = events.conditions
    every = marked.aggregate(**{f"x{place}": holds(marked, one).any() for place, one in enumerate(asked)})
    there = every.to_pandas().iloc[0] if asked else []
    for one, any_there in zip(asked, there, strict=True):
        if not any_there:
            column = marked[EVENT + one.column]
            counted = marked.group_by(text=column).aggregate(rows=marked.count()).filter(lambda t: t.text.notnull())
            usual = counted.order_by(counted.rows.desc(), counted.text).limit(MOST_NAMED).to_pandas()["text"]
            raise DataError(
                f"no event has {' or '.join(map(shown, one.texts))} in {one.column}",
                where="data/catalog.yml, tables, experiment",
                expected=f"texts that are there, such as {', '.join(map(shown, usual))}", do="fix `in`",
            )  # fmt: skip


def _check_totals(rows: "ir.Table", place: Callable[["ir.Table", str], str]) -> None:
    """Raise where totals cannot be those of units: no whole numbers, more conversions than units, too small squares."""
    units = rows[OF_UNITS]
    wrong = {OF_UNITS: ((units < 0) | (units != units.floor()), "whole numbers of units, zero or more", "")}
    for name in [one for one in rows.columns if one.startswith(OUTCOME)]:
        total, short = rows[name], name.removeprefix(OUTCOME)
        if SQUARES + short in rows.columns:
            squares = rows[SQUARES + short]
            small = (squares * units < total * total * (1 - 1e-9)) | (squares < 0)
            expected = "the sum over units of the squared value, which is at least the squared sum by the units"
            wrong[SQUARES + short] = (small, expected, "")
        else:
            odd = (total < 0) | (total > units) | (total != total.floor())
            expected = "how many of the units had the outcome: a whole number, at most the units"
            do = f"give a sum its squares: `{short}: {{sum: COLUMN, squares: COLUMN}}`"
            wrong[name] = (odd, expected, do)
    counted = rows.aggregate(**{f"x{number}": rows.count(where=one[0]) for number, one in enumerate(wrong.values())})
    for (name, (odd, expected, do)), count in zip(wrong.items(), counted.to_pandas().iloc[0], strict=True):
        if count:
            short = re.sub(f"^({OUTCOME}|{SQUARES})", "", name)
            what = "the squares of " + short if name.startswith(SQUARES) else short
            raise DataError(
                f"{what} cannot be {'those' if what != short else 'totals'} of units in {count:,} row{'s' if count > 1 else ''}",
                where=place(rows.filter(odd), name) + (", the first" if count > 1 else ""),
                expected=expected, do=do or "fix the rows",
            )  # fmt: skip
