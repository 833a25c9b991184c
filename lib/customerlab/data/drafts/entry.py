"""A draft of a catalogue entry from a look at files: what they may mean, marked where it is a guess, for a person.

What can be read in two ways stays a comment, so that the entry is refused until somebody has chosen.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from customerlab.data.catalog import load_catalog
from customerlab.data.drafts.choices import choice_lines, is_choices
from customerlab.data.drafts.columns import column_lines
from customerlab.data.drafts.files import common, file_lines
from customerlab.data.drafts.joined import bare, joined
from customerlab.data.drafts.lines import Line, block, in_rows, scalar
from customerlab.data.drafts.looks import words
from customerlab.data.drafts.mail import is_mail, mail_lines
from customerlab.data.drafts.people import is_people, people_lines
from customerlab.data.drafts.roles import Log, seen
from customerlab.data.drafts.rules import rule_lines
from customerlab.data.drafts.sniff import ROWS, Sample, look
from customerlab.data.yaml_files import odd_sign
from customerlab.errors import CustomerlabError, DataError, shown

CODE = re.compile("[A-Z]{3}")
CURRENCY = re.compile("curr|währung|waehrung|devise|moneda")


def draft(paths: list[Path], root: Path) -> str:
    """The commented entry of a shop's files, as the text of data/catalog.yml has it.

    A DataError where a file is missing, or no table can be seen in it.
    """
    absent = next((path for path in paths if not path.is_file()), None)
    if absent:
        raise DataError("there is no such file", where=absent.name, expected="files of one shop's export")
    odd = next((path.name for path in paths if odd_sign(path.name) or re.search("[*?]", path.name)), None)
    if odd:
        raise DataError(
            "a file has a star, a question mark or a sign that cannot be seen in its name",
            where=shown(odd),
            do="rename it",
        )
    samples = _of_one_shape([look(path) for path in sorted(set(paths), key=lambda path: path.name)])
    keys = _keys(samples)
    name = _name(keys, root)
    lines = [
        f"# A draft, from at most the first {ROWS:,} and the last {ROWS:,} rows of each file; all figures below are of these.",
        "# Nothing is sure: look at each line that ends with `check`. Where several lines stand for one key, remove the sign #",
        f"# before the one that is right. Then: customerlab data check {name}",
        f"{name}:",
        *block([Line(f"title: {scalar(name)}", "how pages call it"), *_currency(samples)], 2),
        "  files:",
    ]
    for key, sample in zip(keys, samples, strict=True):
        lines += [f"    {key}:", *block(file_lines(sample, root), 6)]
    return "\n".join([*lines, "  tables:", *_tables(samples, keys)]) + "\n"


def _name(keys: list[str], root: Path) -> str:
    """A name of the entry that can be a run's as well, and that no other entry has."""
    name = (common(keys).rpartition("_")[0] if keys[1:] else "") or keys[0]
    name = name if name[0].isalpha() else f"shop_{name}"
    taken: set[str] = set()
    with suppress(CustomerlabError):  # a catalogue that cannot be read is another command's matter
        taken = set(load_catalog(root))
    return next(one for one in chain([name], (f"{name}_{n}" for n in count(2))) if one not in taken)


def _keys(samples: list[Sample]) -> list[str]:
    """Names of the files in the entry, each its own."""
    found: list[str] = []
    for sample in samples:
        key = re.sub(r"[^A-Za-z0-9]+", "_", sample.path.name.partition(".")[0]).strip("_").lower()[:40] or "shop"
        found.append(key if key not in found else f"{key}_{len(found) + 1}")
    return found


def _of_one_shape(samples: list[Sample]) -> list[Sample]:
    """Files with the same columns as one sample."""
    groups: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[(sample.path.suffix, *sample.columns)].append(sample)
    for first, *others in groups.values():
        for other in others:
            first.alike.append(other.path)
            for name, values in other.columns.items():
                first.columns[name] = first.columns[name] + values
    return [group[0] for group in groups.values()]


def _tables(samples: list[Sample], keys: list[str]) -> Iterator[str]:
    """The entry's tables: order lines with what is joined to them, and products; decisions; messages; or customers."""
    log, base, joins = joined(samples, keys)
    if len(samples) == 1 and is_choices(log):
        yield from choice_lines(log)
        return
    if len(samples) == 1 and is_mail(log):
        yield from mail_lines(log)
        return
    if len(samples) == 1 and is_people(log):
        yield from people_lines(log)
        return
    mapped, chosen = column_lines(log)
    yield "    transactions:"
    if len(samples) > 1:
        yield from block([Line(f"file: {keys[samples.index(base)]}", "the file of order lines")], 6)
    if joins:
        yield "      join:"
        yield from block(joins, 8)
    yield from block(_about_currency(log), 6)
    yield "      columns:"
    yield from block(mapped, 8)
    yield "      clean:"
    yield from block(rule_lines(log, chosen), 8)
    best, others = log.candidates("description")
    product = chosen.get("product_id")
    home = log.home.get(product or "")
    names = [name for name in (*best, *others) if log.home[name] is home and name != product]
    if product and home and names:
        yield "    products:"
        yield from block([Line(f"file: {keys[samples.index(home)]}")] if len(samples) > 1 else [], 6)
        yield "      columns:"
        lines = [Line(line.text, "", line.taken) for line in mapped if line.text.startswith("product_id")]
        lines.append(Line(f"description: {scalar(bare(names[0], home))}", seen(log, names[0])))
        lines += [
            Line(f"category: {scalar(bare(n, home))}", seen(log, n))
            for n in log.candidates("category")[0][:1]
            if log.home[n] is home
        ]
        yield from block(lines, 8)


def _currency(samples: list[Sample]) -> list[Line]:
    """The currency of the entry, where a column names one."""
    found = Counter[str]()
    for sample in samples:
        for name, values in sample.columns.items():
            if CURRENCY.search(words(name)):
                found.update(value for value in values if CODE.fullmatch(value))
    return [Line(f"currency: {code}", f"{in_rows(times)}", len(found) == 1) for code, times in found.most_common(8)]


def _about_currency(log: Log) -> list[Line]:
    for name in log.columns:
        found = Counter(value for value in log.columns[name] if CODE.fullmatch(value))
        if CURRENCY.search(words(name)) and found:
            told = ", ".join(f"{code} in {in_rows(times)}" for code, times in found.most_common(8))
            return [Line(f"currency: {{column: {scalar(name)}}}", f"{told}; others than the entry's are refused")]
    return []
