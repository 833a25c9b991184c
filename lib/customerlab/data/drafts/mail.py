"""A file of messages: customers, campaigns and times of sending, and what became of each message."""

import re
from collections.abc import Iterator

from customerlab.data.drafts.columns import time_lines
from customerlab.data.drafts.lines import Line, block, scalar
from customerlab.data.drafts.looks import words
from customerlab.data.drafts.people import ANSWERS
from customerlab.data.drafts.roles import NAMES, Log, seen
from customerlab.data.tables import RESPONSES

SENT = re.compile(r"\b(sent|send|dispatched|delivered|versendet|gesendet|versand\w*)\b")
CAMPAIGN = re.compile(r"campaign|kampagne|newsletter|mailing|broadcast")
CHANNEL = re.compile(r"channel|kanal|medium")
HELD_OUT = re.compile(r"h[eo]ld ?out|control|kontrollgruppe")
RESPONDED = dict(zip(RESPONSES, (r"\bopen", r"\bclick", r"unsubscri|opt ?out|abgemeldet", r"\bconver"), strict=True))
REVENUE = re.compile(r"revenue|umsatz")


def _named(log: Log, pattern: re.Pattern[str] | str, *, time: bool | None = None) -> list[str]:
    """The columns with values that are called so; of times or of others where that is asked."""
    named = [name for name in log.columns if re.search(pattern, words(name)) and log.filled(name)]
    return [name for name in named if time is None or bool(log.forms[name]) == time]


def is_mail(log: Log) -> bool:
    """Whether rows are messages: a customer, a time of sending, and what customers did with them; nothing is sold."""
    goods = any(log.candidates(role)[0] for role in ("product_id", "quantity"))
    ordered = any(re.search(NAMES["order_id"][0], words(name)) for name in log.columns)
    responded = any(_named(log, pattern) for pattern in RESPONDED.values())
    sent = _named(log, SENT, time=True)
    return bool(log.candidates("customer_id")[0] and sent and responded and not goods and not ordered)


def mail_lines(log: Log) -> Iterator[str]:
    """The table of messages, as the entry has it."""
    yield "    messages:"
    yield "      columns:"
    yield from block([*_ids(log), *_about(log)], 8)
    yield "      clean:"
    yield from block([Line("- customer_missing", "messages without a customer")], 8)


def _ids(log: Log) -> Iterator[Line]:
    """Who was written to, in which campaign, by which channel, and when."""
    customers = log.candidates("customer_id")[0]
    for name in customers:
        yield Line(f"customer_id: {scalar(name)}", seen(log, name), customers == [name])
    campaigns = _named(log, CAMPAIGN, time=False)
    ids = [name for name in campaigns if re.search(r"\bid$", words(name))] or campaigns
    for name in [*ids, *(name for name in campaigns if name not in ids)]:
        yield Line(f"campaign_id: {scalar(name)}", seen(log, name), ids == [name])
    if not campaigns:
        yield Line("campaign_id: {value: …}", "no column looks like it: a name of your own, for one campaign", False)
    for name in _named(log, CHANNEL, time=False)[:1]:
        yield Line(f"channel: {scalar(name)}", seen(log, name))
    times = _named(log, SENT, time=True)
    for name in times:
        yield from time_lines(log, name, times == [name], "sent_at")


def _about(log: Log) -> Iterator[Line]:
    """Who was held out, and what became of the messages."""
    for role, pattern in {"held_out": HELD_OUT.pattern, **RESPONDED}.items():
        names = _named(log, pattern, time=False)
        for name in names:
            plain = name in log.numeric or {value.lower() for value in log.filled(name)} <= ANSWERS
            text = scalar(name) if plain else f"{{column: {scalar(name)}, levels: [<for no>, <for yes>]}}"
            yield Line(f"{role}: {text}", seen(log, name), plain and names == [name])
        times = _named(log, pattern, time=True) if role in RESPONDED else []
        for name in times:
            yield from time_lines(log, name, times == [name], f"{role}_at")
    if not _named(log, HELD_OUT):
        yield Line("held_out: …", "without customers who were held out at random, effects cannot be estimated", False)
    for name in [name for name in _named(log, REVENUE) if name in log.numeric][:1]:
        yield Line(f"revenue: {scalar(name)}", seen(log, name))
