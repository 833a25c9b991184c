"""How the entry of a file reads it: its path, its signs of numbers, items that stand in one row."""

import re
from collections import defaultdict
from itertools import takewhile
from pathlib import Path

from customerlab.data.drafts.lines import Line, said, scalar
from customerlab.data.drafts.looks import MOST, Typed, formats, masked, signs, words
from customerlab.data.drafts.sniff import Sample
from customerlab.data.project import data_folders


def file_lines(sample: Sample, root: Path) -> list[Line]:
    """What the entry says of one file: where it is, and how it is read."""
    path = sample.path.resolve()
    inside = [
        path.relative_to(folder.resolve()) for folder in data_folders(root) if path.is_relative_to(folder.resolve())
    ]
    place = inside[0].as_posix() if inside else path.name
    lines = [Line(f"path: {scalar(place)}", "" if inside else "the file has to be put into data/raw/")]
    if sample.alike:
        names = [place, *(str(Path(place).parent / other.name) for other in sample.alike)]
        glob = f"{common(names)}*{common([name[::-1] for name in names])[::-1]}"
        lines = [
            Line(
                f"path: {scalar(glob)}",
                f"{len(names)} files of one shape; * takes in all whose names begin and end like theirs",
            )
        ]
    lines += [*sample.keys, *_numbers(sample), *_packed(sample)]
    seen = f"{sample.rows:,} rows" + ("" if sample.whole else " of more")
    return [
        *lines,
        *(Line(note, "", False) for note in (f"looked at: {seen}; columns: {len(sample.columns)}", *sample.notes)),
    ]


def _packed(sample: Sample) -> list[Line]:
    """Items beside each other in one row, or several in one text."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sample.columns:
        if found := re.fullmatch(r"(.*?\D)(\d+)(\D.*)", name) or re.fullmatch(r"(.*?\D)(\d+)()", name):
            groups[f"{found[1]} {found[3]}"].append(name)
    wide = {
        words(key).replace(" ", "_"): names
        for key, names in groups.items()
        if len(names) > 1 and "header" not in str(sample.keys)
    }
    lines = []
    if len(wide) > 1:
        text = ", ".join(f"{key}: [{', '.join(map(scalar, names))}]" for key, names in wide.items())
        lines.append(Line(f"wide: {{{text}}}", "if these are items beside each other: one row each", False))
    for name, values in sample.columns.items():
        filled = [value for value in values if value]
        for sign, pattern in (
            (sign, re.compile(rf".+ ?[x×*] ?\d+({re.escape(sign)} ?.+ ?[x×*] ?\d+)*")) for sign in ";|,"
        ):
            if sum(sign in value for value in filled) > 0 and all(pattern.fullmatch(value) for value in filled):
                item = "'^ *(?P<sku>.+?) ?[x×*] ?(?P<qty>\\d+)$'"
                text = f"split: {{column: {scalar(name)}, at: {scalar(sign)}, pattern: {item}}}"
                lines.append(
                    Line(
                        text,
                        f"if several items are packed in one text, such as {said(masked(filled[0], name))}",
                        False,
                    )
                )
                break
    return lines


def _numbers(sample: Sample) -> list[Line]:
    """The decimal and the thousands sign of a file, or both readings."""
    sure: dict[str, list[str]] = defaultdict(list)
    groups: dict[str, list[str]] = defaultdict(list)
    doubt: dict[str, list[str]] = defaultdict(list)
    for name, values in sample.columns.items():
        texts = [value for value in dict.fromkeys(values) if value and not isinstance(value, Typed)]
        found = [(value, signs(value)) for value in texts]
        if not texts or sum(sign is not None for _, sign in found) < MOST * len(texts) or formats(texts[:50], name):
            continue
        for value, sign in found:
            if sign is None:
                continue
            decimal, thousands, known = sign
            if not known:
                doubt[decimal].append(f"{said(value)} in {said(name)}")
                continue
            for table, key in ((sure, decimal), (groups, thousands)):
                if key:
                    table[key].append(f"{said(value)} in {said(name)}")
    wait = Line('decimal: "?"', "remove this line when one of those above is chosen")
    if len(sure) > 1:
        return [
            *[
                Line(f"decimal: {scalar(sign)}", f"{len(e):,} values such as {e[0]}", False)
                for sign, e in sorted(sure.items())
            ],
            wait,
        ]
    decimal = next(iter(sure), "")
    apart = next(iter(groups), "") or next((sign for sign in doubt if decimal and sign != decimal), "")
    if not decimal and apart in (".", ","):
        decimal = ",."[apart == ","]
    if not decimal and doubt:
        mark, examples = next(iter(doubt.items()))
        other, value = ",."[mark == ","], examples[0].partition('"')[2].partition('"')[0]
        return [
            Line(f'decimal: "{mark}"', f"{examples[0]} is {value.replace(mark, '.')}", False),
            Line(f'decimal: "{other}"', f"or, with the next line, {value.replace(mark, '')}", False),
            Line(f'thousands: "{mark}"', "", False), wait,
        ]  # fmt: skip
    lines = [Line(f'decimal: "{decimal}"', (sure[decimal] or groups[apart])[0])] if decimal == "," else []
    return [*lines, *([Line(f"thousands: {scalar(apart)}", (groups[apart] or doubt[apart])[0])] if apart else [])]


def decimal_of(sample: Sample) -> str:
    """The decimal sign that the draft takes."""
    return "," if any(line.text == 'decimal: ","' and line.taken for line in _numbers(sample)) else "."


def common(names: list[str]) -> str:
    """The signs that all names begin with."""
    return "".join(signs[0] for signs in takewhile(lambda signs: len(set(signs)) == 1, zip(*names, strict=False)))
