"""The column map of a draft: candidates with examples, the best first, and both readings where there are two."""

import re
from collections import defaultdict
from datetime import UTC, datetime

from customerlab.data.drafts.lines import OTHERS, Line, in_rows, said, scalar
from customerlab.data.drafts.looks import clock, moment, words
from customerlab.data.drafts.money import money_lines
from customerlab.data.drafts.roles import Log, nobody, seen

ISO_DAY = "%Y-%m-%d"


def column_lines(log: Log) -> tuple[list[Line], dict[str, str]]:
    """The lines of the column map, and the best column for each canonical one."""
    lines: list[Line] = []
    chosen: dict[str, str] = {}
    for role in ("customer_id", "order_id", "ordered_at", "product_id", "quantity"):
        best, others = log.candidates(role)
        if best:
            chosen[role] = best[0]
        elif role != "quantity":
            lines.append(Line(f"{role}: …", "no column looks like it", False))
        for name in [*best, *others][: max(OTHERS, len(best))]:
            if role == "ordered_at":
                lines += time_lines(log, name, best == [name], role)
                continue
            lines.append(Line(f"{role}: {scalar(name)}", seen(log, name), best == [name]))
            other = {"customer_id": _nobody_line, "order_id": _restarts}.get(role)
            if other and name in best and (line := other(log, name, chosen)):
                lines[-1].taken = False
                lines.append(line)
    lines += money_lines(log, chosen)
    for role in ("country", "channel"):
        best = log.candidates(role)[0]
        lines += [Line(f"{role}: {scalar(name)}", seen(log, name), len(best) == 1) for name in best[:OTHERS]]
    if any(line.text.endswith("…") for line in lines):
        lines += [Line(f"there is {said(name)}: {seen(log, name)}", "", False) for name in [*log.columns][:40]]
    return lines, chosen


def _nobody_line(log: Log, name: str, _: dict[str, str]) -> Line | None:
    found = nobody(log, name)
    told = ", ".join(f"{value} in {in_rows(times)}" for value, times in found.items())
    text = f"customer_id: {{column: {scalar(name)}, empty: [{', '.join(found)}]}}"
    return Line(text, f"or these count as no customer: {told}", False) if found else None


def _restarts(log: Log, name: str, chosen: dict[str, str]) -> Line | None:
    """An order's id with what tells orders of one number apart, where customers, or else days, share numbers."""
    customer, time = chosen.get("customer_id"), log.candidates("ordered_at")[0][:1]
    apart = log.candidates("channel")[0][:1]
    owner = customer or (time[0] if time else name)

    def shared(columns: list[str]) -> int:
        found = defaultdict(set)
        for who, *key in zip(log.columns[owner], *(log.columns[column] for column in columns), strict=True):
            found[tuple(key)].add(who if customer else who[:10])
        return sum(len(each - {""}) > 1 for each in found.values())

    if not (count := shared([name])):
        return None
    why = f"or so: {count:,} of the numbers stand for orders of several {'customers' if customer else 'days'}"
    for more in (apart, time, [*apart, *time]):
        if more and not shared([*more, name]):
            return Line(f"order_id: {{columns: [{', '.join(map(scalar, [*more, name]))}]}}", why, False)
    return Line(f"order_id: {{columns: [{scalar(name)}, …]}}", why, False)


def time_lines(log: Log, name: str, taken: bool, role: str) -> list[Line]:
    """The readings of a column of times, with an example of each; with a column of clock times, if there is one."""
    filled, found = log.filled(name), log.forms[name]
    lines = []
    for form, times in found:
        why = _reading(filled, form)
        why += f"; {len(filled) - times:,} of {len(filled):,} values are no such time" if times < len(filled) else ""
        empty = len(log.columns[name]) - len(filled)
        why += f"; empty in {in_rows(empty)}" if empty else ""
        text = f"{{column: {scalar(name)}, format: {_format(form)}}}" if form else scalar(name)
        if not re.search("%H|%I|epoch", form) and len(filled[0]) <= 12 and (hour := _clock_column(log)):
            text = (
                f"{{columns: [{scalar(name)}, {scalar(hour[0])}], format: {_format(f'{form or ISO_DAY} {hour[1]}')}}}"
            )
        sole = len(found) == 1 or (times == len(filled) and times > found[1][1])
        lines.append(Line(f"{role}: {text}", why, taken and sole))
    zone = re.search(r"\d(Z|UTC|[+-]\d\d:?\d\d)$", filled[0].replace(" ", "")) or "utc" in words(name).split()
    if taken and zone and not lines[0].text.endswith("}"):
        text = f"{role}: {{column: {scalar(name)}, from_zone: UTC, to_zone: Europe/Berlin}}"
        lines.append(
            Line(text, "or on the clocks of the shop's own zone, to be named here, where these are others", False)
        )
    return lines


def _reading(filled: list[str], form: str) -> str:
    """How a format reads an example, one that another reading of day and month allows as well if there is one."""
    swapped = form.replace("%d", "%@").replace("%m", "%d").replace("%@", "%m")
    read = [value for value in filled if form.startswith("%") and moment(value, form)]
    both = [value for value in read if moment(value, swapped)]
    value = next(iter(both or read or filled))
    found = moment(value, form) if read else None
    if form.startswith("epoch"):
        found = datetime.fromtimestamp(int(value[:10]), UTC)
    alone = len(read) - len(both)
    told = (
        f"; {values(alone)} this reading alone"
        if alone and "%d" in form and swapped != form and "%b" not in form.lower()
        else ""
    )
    return said(value) + (f" is {found.day} {found:%B %Y}" if found else "") + told


def values(count: int) -> str:
    """How many values allow a reading, as a text."""
    return f"{count:,} values allow" if count != 1 else "1 value allows"


def _clock_column(log: Log) -> tuple[str, str] | None:
    """The first column that holds times of day, and their format."""
    return next(((name, form) for name in log.columns if (form := clock(log.filled(name)))), None)


def _format(form: str) -> str:
    return form if form.isalpha() or "_" in form else f'"{form}"'
