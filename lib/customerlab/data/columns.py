"""What only a whole column shows: ids that differ by what nobody sees, ids written as floats, several currencies."""

import re
from collections.abc import Iterator

import ibis.expr.types as ir

from customerlab.data import blanks, numbers
from customerlab.data.canonical import Place, Survey, values_of
from customerlab.data.hidden import TEXT
from customerlab.data.mapping import TableMap
from customerlab.data.sources import Source
from customerlab.data.tables import OUTCOME
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


def check_numbers(marked: ir.Table, table_map: TableMap, source: Source, place: Place) -> None:
    """Raise where the money of a loose source has several currencies, or an outcome has both numbers and words."""
    texts = {
        n: marked[TEXT + n] for n in values_of(marked) if TEXT + n in marked.columns and marked[n].type().is_floating()
    }
    asked: dict[str, ir.Value] = {}
    for name, text in texts.items():
        sign = numbers.currency(text, source)
        asked |= {f"least_{name}": sign.min(), f"most_{name}": sign.max()}
        asked[f"words_{name}"] = marked.count(where=numbers.is_word(text))
        asked[f"others_{name}"] = marked.count(where=~marked[name].isin([0.0, 1.0]))
    if not asked:
        return
    row = marked.aggregate(**asked).to_pandas().iloc[0]
    signs = [(n, row[f"{end}_{n}"]) for n in texts for end in ("least", "most") if isinstance(row[f"{end}_{n}"], str)]
    for name, sign in signs:
        if sign != signs[0][1]:
            raise DataError(
                f"two currencies: {shown(signs[0][1])} in {signs[0][0]} and {shown(sign)} in {name}",
                where=place(marked.filter(numbers.currency(texts[name], source) == sign), table_map.columns[name].named),
                expected="money of one currency, because amounts are added up",
                do="convert the amounts, or leave rows out by the column that names their currency, if there is one, such as "
                "`clean: [{keep_where: {column: Currency, in: [EUR]}}]`",
            )  # fmt: skip
    for name in texts:
        if name.startswith(OUTCOME) and row[f"words_{name}"] and row[f"others_{name}"]:
            raise DataError(
                f"{name} has both words for yes and no and numbers beside 0 and 1",
                where=place(marked.filter(numbers.is_word(texts[name])), table_map.columns[name].named),
                expected="the one or the other in a column", do="fix the rows of the one kind",
            )  # fmt: skip
