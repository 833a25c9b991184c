"""A file of decisions: a time, what was chosen with which probability, what came of it, and what was known before."""

import re
from collections.abc import Iterator

from customerlab.data.drafts.columns import time_lines
from customerlab.data.drafts.lines import Line, block, scalar
from customerlab.data.drafts.looks import PERSONAL, words
from customerlab.data.drafts.people import ANSWERS
from customerlab.data.drafts.roles import Log, seen

PROPENSITY = re.compile(r"propensity|pscore|\bprob(ability)?\b|wahrscheinlichkeit")
REWARD = re.compile(r"\b(reward|click(ed)?s?|bought|converted|conversion|outcome|response)\b")
ACTION = re.compile(r"^(chosen |shown )?(action|arm|banner|item|variant|offer|aktion|angebot)( ?(id|name|shown))?$")
POLICY = re.compile(r"\b(policy|algorithm|model|strategy)\b")
POSITION = re.compile(r"\b(position|slot|place|rank)\b")
NUMBERED = re.compile(r"^(unnamed )?\d*$|^index$")  # columns that count rows


def _named(log: Log, pattern: re.Pattern[str], *, number: bool | None = None) -> list[str]:
    """The columns with values that are called so and are no times; numbers or others where that is asked."""
    named = [name for name in log.columns if pattern.search(words(name)) and log.filled(name) and not log.forms[name]]
    return [name for name in named if number is None or (name in log.numeric) == number]


def is_choices(log: Log) -> bool:
    """Whether rows are decisions: one column is a propensity, others an action and its reward, at a time."""
    timed = any(log.forms[name] for name in log.columns)
    return bool(timed and _named(log, PROPENSITY, number=True) and _named(log, ACTION) and _named(log, REWARD))


def choice_lines(log: Log) -> Iterator[str]:
    """The table of decisions, as the entry has it."""
    mapped = {
        "action": _named(log, ACTION), "reward": _named(log, REWARD), "propensity": _named(log, PROPENSITY, number=True),
        "policy": _named(log, POLICY), "position": _named(log, POSITION), "customer_id": log.candidates("customer_id")[0],
    }  # fmt: skip
    times = [name for name in log.columns if log.forms[name]]
    yield "    decisions:"
    yield "      columns:"
    for name in times:
        yield from block(list(time_lines(log, name, times == [name], "decided_at")), 8)
    for role, names in mapped.items():
        for name in names:
            plain = role != "reward" or name in log.numeric or {one.lower() for one in log.filled(name)} <= ANSWERS
            text = scalar(name) if plain else f"{{column: {scalar(name)}, levels: [<for no>, <for yes>]}}"
            yield from block([Line(f"{role}: {text}", seen(log, name), plain and names == [name])], 8)
    used = {*times, *(name for names in mapped.values() for name in names)}
    others = [
        name for name in log.columns if name not in used and log.filled(name) and not NUMBERED.search(words(name))
    ]
    contexts = [name for name in others if not PERSONAL.search(words(name))]
    why = "what was known before the choice; remove what happened afterwards"
    yield from block([Line(f"contexts: [{', '.join(map(scalar, contexts))}]", why, bool(contexts))], 6)
