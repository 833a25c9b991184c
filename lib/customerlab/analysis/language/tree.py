"""The tree of a segment in plain words, and its canonical text. `FORMS` says each condition once, for both ways."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

# By kind: the canonical form, that of its negation, and other forms; those that begin with `NEGATIONS` are negated too.
# What stands in < > is a slot, which the parser reads and `_slot` writes.
FORMS = {
    "ordered": ["ordered <count> <period>", "did not order <count> <period>", "never ordered <count> <period>"],
    "first": ["first ordered <when>", "did not first order <when>"],
    "last": ["last ordered <when>", "did not last order <when>"],
    "spent": ["spent <amount> <period>", "did not spend <amount> <period>"],
    "value": [
        "have an average order value of <amount> <period>", "do not have an average order value of <amount> <period>"
    ],
    "category": [
        "bought from <category> <count> <period>", "did not buy from <category> <count> <period>",
        "never bought from <category> <count> <period>",
    ],
    "product": [
        "bought product <product> <count> <period>", "did not buy product <product> <count> <period>",
        "never bought product <product> <count> <period>", "bought <product> <count> <period>",
        "did not buy <product> <count> <period>", "never bought <product> <count> <period>",
    ],
    "returned": [
        "returned anything <count> <period>", "did not return anything <count> <period>",
        "never returned anything <count> <period>", "returned <count> <period>",
    ],
    "ranked": ["are in the <end> <share> by <measure> <period>", "are not in the <end> <share> by <measure> <period>"],
    "segment": ["are in segment <segment> <of>", "are not in segment <segment> <of>"],
    "attribute": ["whose <attribute> is <test>", "whose <attribute> is not <test>"],
}  # fmt: skip
NEGATIONS = ("did not", "do not", "never", "are not")
OPERATORS = {"at least": ">=", "at most": "<=", "exactly": "=", "more than": ">", "fewer than": "<", "less than": "<"}
WORD = re.compile(r"[^\W\d]\w*")


class Name(str):
    """A name from a text, and the place `at` which it stood; -1 if it was not read."""

    at: int

    def __new__(cls, name: str, at: int = -1) -> "Name":
        """Put the two together."""
        made = super().__new__(cls, name)
        made.at = at
        return made


Value = int | Decimal | Name


@dataclass(frozen=True)
class Compare:
    """A comparison, by one of the signs >= <= = > < or `between` two values, both included."""

    sign: str
    value: Value
    upper: Value | None = None


ONCE = Compare(">=", 1)


@dataclass(frozen=True)
class Relative:
    """So many whole days, weeks, months or years up to the day; with `ago`, all that was earlier than these."""

    number: int
    unit: str
    ago: bool = False


@dataclass(frozen=True)
class Dates:
    """From the first day to the last, both included; None for no such end."""

    first: date | None
    last: date | None


Period = Relative | Dates


@dataclass(frozen=True)
class OneOf:
    """Equal to one of some values."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Condition:
    """A condition of a kind of `FORMS`, with what stands in its slots: None for what need not be there and is not.

    A test of an attribute is a `Compare`, `OneOf`, `Period`, True or False for yes and no, or None for missing.
    """

    kind: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Not:
    """All other customers."""

    part: "Node"


@dataclass(frozen=True)
class AllOf:
    """Each of two or more parts."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class AnyOf:
    """At least one of two or more parts."""

    parts: "tuple[Node, ...]"


Node = Condition | Not | AllOf | AnyOf


@dataclass(frozen=True)
class Segment:
    """A condition, whether its revenue is gross of returns, and the text that it was read from, if any."""

    condition: Node
    gross: bool = False
    source: str = field(default="", compare=False, repr=False)


def conditions(node: Node) -> Iterator[Condition]:
    """The conditions of a tree, from left to right."""
    if isinstance(node, Condition):
        yield node
    else:
        for part in (node.part,) if isinstance(node, Not) else node.parts:
            yield from conditions(part)


def of_revenue(node: Node) -> bool:
    """Whether any condition is of revenue, so that it matters whether that is net of returns."""
    return any(one.kind in ("spent", "value", "ranked") and "orders" not in one.values for one in conditions(node))


def canonical(segment: Segment) -> str:
    """The one text of a tree, which is read as the same tree.

    Examples
    --------
    >>> bought = Condition("category", (Name("Garden"), ONCE, Relative(90, "day")))
    >>> canonical(Segment(AllOf((Not(bought), Condition("spent", (Compare(">=", Decimal(100)), None))))))
    "customers who did not buy from 'Garden' in the last 90 days and spent at least 100, net of returns"
    """
    said = _said(segment.condition)
    returns = f", {'gross' if segment.gross else 'net'} of returns" if of_revenue(segment.condition) else ""
    return f"customers {'' if said.lstrip('(').startswith('whose') else 'who '}{said}{returns}"


def _said(node: Node) -> str:
    """A tree in words; `not` binds closest, then `and`, then `or`."""
    if isinstance(node, AnyOf):
        return " or ".join(map(_said, node.parts))
    if isinstance(node, AllOf):
        return " and ".join(f"({_said(part)})" if isinstance(part, AnyOf) else _said(part) for part in node.parts)
    negated = isinstance(node, Not)
    inner = node.part if isinstance(node, Not) else node
    if not isinstance(inner, Condition):
        return f"not ({_said(inner)})"
    values = iter(inner.values)
    parts = FORMS[inner.kind][negated].split()
    return " ".join(filter(None, (_slot(part, next(values)) if part[0] == "<" else part for part in parts)))


def quoted(name: str) -> str:
    """A name in quotes, those within it doubled."""
    return "'" + name.replace("'", "''") + "'"


def _slot(slot: str, value: Any) -> str:
    """What stands in a slot, in words."""
    if slot == "<count>":
        one = value.sign != "between" and value.value == 1
        return "" if value == ONCE else f"{_written(value, 'fewer than')} {'time' if one else 'times'}"
    if slot == "<share>":
        return f"{_written(value)}%"
    if slot == "<of>":
        return "" if value is None else f"of {quoted(value)}"
    if slot == "<test>" and value is None:
        return "missing"
    if (slot == "<attribute>" and WORD.fullmatch(value)) or slot in ("<end>", "<measure>"):
        return value
    return "" if value is None else _written(value)


def _written(value: Any, few: str = "less than") -> str:
    """A value, a comparison or a period in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, OneOf):
        listed = ", ".join(map(_written, value.values))
        return listed if len(value.values) == 1 else f"one of ({listed})"
    if isinstance(value, Compare):
        if value.sign == "between":
            return f"between {_written(value.value)} and {_written(value.upper)}"
        said = few if value.sign == "<" else next(said for said, sign in OPERATORS.items() if sign == value.sign)
        return f"{said} {_written(value.value)}"
    return _period(value)


def _period(period: Period) -> str:
    """A period in words."""
    if isinstance(period, Relative):
        span = f"{period.number} {period.unit}{'s' * (period.number != 1)}"
        return f"more than {span} ago" if period.ago else f"in the last {span}"
    if period.first is None:
        assert period.last is not None
        return f"before {period.last + timedelta(days=1)}"
    return f"since {period.first}" if period.last is None else f"between {period.first} and {period.last}"
