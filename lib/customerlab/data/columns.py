"""What only a whole column shows: ids that differ by what nobody sees, ids written as floats, several currencies."""

import re
from collections.abc import Iterator

import ibis.expr.types as ir

from customerlab.data import blanks, numbers
from customerlab.data.canonical import Place, Survey, values_of
from customerlab.data.hidden import NUMBER, TEXT
from customerlab.data.mapping import ADDED, OF_ORDER, TableMap
from customerlab.data.sources import Source
from customerlab.data.tables import AS_READ
from customerlab.errors import DataError, shown


def check_ids(marked: ir.Table, found: Survey, table_map: TableMap, place: Place) -> Iterator[DataError]:
    """Where two ids of a column differ only by what cannot be seen, or ``.0``: one customer, or two."""
    for name in found.odd():
        each = marked.select(id=marked[name], alike=blanks.alike(marked[name])).distinct()
        twice = each.group_by("alike").aggregate(forms=each.count()).filter(lambda t: t.forms > 1)
        first = twice.order_by("alike").limit(1).to_pandas()
        if len(first):
            same = marked.filter(blanks.alike(marked[name]) == first["alike"][0])
            short, long = sorted(same.select(id=same[name]).distinct().to_pandas()["id"], key=len)[:2]
            by = "the blanks around them" if short.strip() == long.strip() else "`.0` at the end of one"
            by = by if (short + long).isascii() else "blanks or signs that cannot be seen"
            yield DataError(
                f"two values of {name} differ only by {by}",
                where=place(same.filter(same[name] == long), table_map.columns[name].named),
                expected="one way of writing each id; ids are kept as they are, with blanks and tabs around them",
                do="write the id in one way throughout the files",
            )  # fmt: skip


def floats(marked: ir.Table, found: Survey, decimal: str) -> frozenset[str]:
    """The columns of ids in which every one ends as 17850.0 does."""
    every = [name for name in found.odd() if found.total(f"odd_{name}") == found.total(f"filled_{name}")]
    if not every:
        return frozenset()
    shape = rf"^\d+{re.escape(decimal)}0$"
    row = marked.aggregate(**{name: marked[name].re_search(shape).all() for name in every}).to_pandas().iloc[0]
    return frozenset(name for name in every if row[name])


def check_numbers(
    marked: ir.Table, table_map: TableMap, source: Source, joined: dict[str, Source], place: Place
) -> None:
    """Raise where the money of a loose source has several currencies, or answers are both numbers and words."""
    added = [NUMBER + column for column, key in table_map.numbers.items() if key in (*ADDED, *OF_ORDER)]
    asked_of = [
        n for n in (*values_of(marked), *added)
        if TEXT + n in marked.columns and (n == "amount" or marked[n].type().is_floating())
    ]  # fmt: skip
    if not asked_of:
        return
    parts = {n: table_map.columns[n].parts if n in table_map.columns else (n.removeprefix(NUMBER),) for n in asked_of}
    sources = {n: joined.get(parts[n][0], source) if parts[n] else source for n in asked_of}
    answers = [
        n for n in asked_of if n in table_map.columns and table_map.columns[n].answers and not n.startswith(AS_READ)
    ]
    # rows that a condition leaves out may be in another currency: it is what the message advises
    rows = marked.filter(~marked.removed_by.re_search("^(drop|keep)_where"))
    asked: dict[str, ir.Value] = {}
    for name in asked_of:
        sign = numbers.currency(rows[TEXT + name], sources[name])
        asked |= {f"least_{name}": sign.min(), f"most_{name}": sign.max()}
        if name in answers:
            asked[f"words_{name}"] = rows.count(where=numbers.is_word(rows[TEXT + name]))
            asked[f"others_{name}"] = rows.count(where=~rows[name].isin([0.0, 1.0]))
    row = rows.aggregate(**asked).to_pandas().iloc[0]
    ends = [(n, row[f"{end}_{n}"]) for n in asked_of for end in ("least", "most")]
    # where there are rates, money of several currencies is meant
    signs = [] if table_map.converted else [(n, sign) for n, sign in ends if isinstance(sign, str)]
    for name, sign in signs:
        if sign != signs[0][1]:
            (one, first), other = (signs[0][0].removeprefix(NUMBER), signs[0][1]), name.removeprefix(NUMBER)
            here = rows.filter(numbers.currency(rows[TEXT + name], sources[name]) == sign)
            raise DataError(
                f"two currencies: {shown(first)} in {one} and {shown(sign)} in {other}", where=place(here, ", ".join(parts[name]) or None),
                expected="money of one currency, because amounts are added up",
                do="convert the amounts, or leave rows out by the column that names their currency, if there is one, such as "
                "`clean: [{keep_where: {column: Currency, in: [EUR]}}]`",
            )  # fmt: skip
    for name in asked_of:
        if name in answers and row[f"words_{name}"] and row[f"others_{name}"]:
            raise DataError(
                f"{name} has both words for yes and no and numbers beside 0 and 1",
                where=place(rows.filter(numbers.is_word(rows[TEXT + name])), table_map.columns[name].named),
                expected="the one or the other in a column", do="fix the rows of the one kind",
            )  # fmt: skip
