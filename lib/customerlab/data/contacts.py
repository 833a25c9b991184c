"""Logs of messages: what must hold of their rows, and what is odd about them as a whole."""

from collections.abc import Iterator
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir

from customerlab.data.canonical import Place
from customerlab.data.clean import KEPT
from customerlab.data.mapping import TableMap
from customerlab.data.suspicion_texts import Found, found_of
from customerlab.data.tables import RESPONSES
from customerlab.errors import DataError

HELD_OUT, SENT = "held_out", "sent_at"
MESSAGE = ("customer_id", "campaign_id", "channel", SENT)  # that is sent once


def check(marked: ir.Table, table_map: TableMap, place: Place) -> Iterator[DataError]:
    """Where a row is neither held out nor sent, or has a response less than no times."""
    rows = marked.filter(marked.removed_by == KEPT)
    wrong = {name: rows[name] < 0 for name in RESPONSES if name in rows.columns}
    if HELD_OUT in rows.columns:
        wrong[HELD_OUT] = rows[HELD_OUT].notin([0.0, 1.0])
    if not wrong:
        return
    counts = rows.aggregate(**{name: rows.count(where=fault) for name, fault in wrong.items()}).to_pandas().iloc[0]
    for name, fault in wrong.items():
        if count := int(counts[name]):
            yield DataError(
                f"{name} is not what it should be in {count:,} row{'s' * (count > 1)}",
                where=place(rows.filter(fault), table_map.columns[name].named) + ", the first" * (count > 1),
                expected="1 where the customer was held out, else 0" if name == HELD_OUT else "how often, 0 or more",
                do="fix the column map, or leave the rows out by the rule `drop_where`",
            )  # fmt: skip


def ask(marked: ir.Table, table_map: TableMap, place: Place) -> list[Found]:
    """What is odd about the messages that cleaning kept; what is worth knowing and asks for no change comes last."""
    rows = marked.filter(marked.removed_by == KEPT)
    times = [f"{name}_at" for name in RESPONSES if f"{name}_at" in rows.columns]
    early = {name: (rows[name] < rows[SENT]).fill_null(False) for name in times}
    held = (rows[HELD_OUT] == 1).fill_null(False) if HELD_OUT in rows.columns else rows[SENT].isnull()
    # mail tools count conversions of those who were held out, too
    contacted = reduce(or_, [_responded(rows, name) for name in RESPONSES[:3]]) & held
    asked = {"rows": rows.count(), "held": rows.count(where=held), "contacted": rows.count(where=contacted)}
    asked |= {name: rows.count(where=early[name]) for name in times}
    counted = {name: int(count) for name, count in rows.aggregate(**asked).to_pandas().iloc[0].items()}
    total = counted["rows"]
    columns = {name: table_map.columns[name].named or name for name in (HELD_OUT, *times) if name in table_map.columns}
    found = []
    messages = rows.select(*(name for name in MESSAGE if name in rows.columns)).distinct()
    if repeated := total - int(messages.count().to_pandas()):
        found.append(found_of("one message in several rows", count=repeated, total=total))
    for name in [name for name in times if counted[name]]:
        at = place(rows.filter(rows[name] < rows[SENT]), columns[name])
        about, column = "responses before sending", columns[name]
        found.append(found_of(about, at, count=counted[name], total=total, name=name, column=column))
    if count := counted["contacted"]:
        at = place(rows.filter(contacted), columns[HELD_OUT])
        found.append(found_of("held out and contacted", at, count=count, total=total, held_out=columns[HELD_OUT]))
    if not counted["held"]:
        found.append(found_of("nobody was held out"))
    return found


def _responded(rows: ir.Table, name: str) -> ir.BooleanValue:
    """Where a customer did something with a message, by the column of whether or by that of when."""
    known = [rows[name] > 0] if name in rows.columns else []
    known += [rows[f"{name}_at"].notnull()] if f"{name}_at" in rows.columns else []
    return reduce(or_, [one.fill_null(False) for one in known], ibis.literal(False))
