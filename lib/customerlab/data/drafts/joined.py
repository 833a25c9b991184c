"""Order lines with the files that are joined to them, by keys that have one name."""

import re

from customerlab.data.drafts.files import decimal_of
from customerlab.data.drafts.lines import Line, scalar
from customerlab.data.drafts.looks import words
from customerlab.data.drafts.roles import Log
from customerlab.data.drafts.sniff import Sample


def joined(samples: list[Sample], keys: list[str]) -> tuple[Log, Sample, list[Line]]:
    """The file of order lines with the columns of others joined to it, by keys that have one name."""
    logs = {
        id(s): Log(dict(s.columns), dict.fromkeys(s.columns, s), dict.fromkeys(s.columns, decimal_of(s)))
        for s in samples
    }

    def weight(sample: Sample) -> tuple[int, int]:
        log = logs[id(sample)]
        roles = ("quantity", "money", "product_id", "order_id", "customer_id", "ordered_at")
        return sum(bool(log.candidates(role)[0]) * (3 if role in roles[:3] else 1) for role in roles), sample.rows

    base = max(samples, key=weight)
    columns, home = dict(base.columns), dict.fromkeys(base.columns, base)
    joins: list[Line] = []
    waiting = [sample for sample in samples if sample is not base]
    while waiting:
        pairs = [
            (*_partner(columns[a], s.columns[b]), a, b, s)
            for s in waiting
            for a in columns
            for b in s.columns
            if _same_key(a, b)
        ]
        pairs = sorted(
            (pair for pair in pairs if pair[1] > 0.5),
            key=lambda pair: (-pair[0], -pair[1], pair[4].path.name, pair[2], pair[3]),
        )
        if not pairs:
            joins += [
                Line(f"{keys[samples.index(s)]}: …", "no column of it finds partners in the lines", False)
                for s in waiting
            ]
            break
        unique, share, this, that, sample = pairs[0]
        waiting.remove(sample)
        key = keys[samples.index(sample)]
        by = scalar(this) if this == that else f"{{{scalar(this)}: {scalar(that)}}}"
        why = f"{share:.0%} of the rows seen find a partner; " + (
            "one row a key" if unique else "not unique: several rows of one key"
        )
        joins.append(Line(f"{key}: {by}", why, unique))
        rows = dict(zip(sample.columns[that], range(sample.rows), strict=True)) if unique else {}
        for name, values in sample.columns.items() if unique else ():
            if name != that or this != that:
                twice = name in columns
                columns[f"{key}.{name}" if twice else name] = [
                    values[rows[k]] if k in rows else "" for k in columns[this]
                ]
                home[f"{key}.{name}" if twice else name] = sample
    return Log(columns, home, {name: logs[id(s)].decimal[bare(name, s)] for name, s in home.items()}), base, joins


def bare(name: str, home: Sample) -> str:
    """A column's name in its own file."""
    return name if name in home.columns else name.partition(".")[2]


def _same_key(this: str, that: str) -> bool:
    a, b = words(this), words(that)
    return a == b or (b in ("id", "key") and bool(re.search(r"\b(id|no|nr|key)$", a)) and a != b)


def _partner(these: list[str], those: list[str]) -> tuple[bool, float]:
    """Whether a key has one row each, and the share of the rows that find a partner by it."""
    known, filled = set(those) - {""}, [value for value in these if value]
    return len(known) == sum(map(bool, those)), sum(value in known for value in filled) / max(1, len(filled))
