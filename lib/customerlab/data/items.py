"""Several rows out of one: lists within a record, items beside each other, items in one text; the same in any engine.

In this order: `explode` makes a row of each item of a list, `wide` one of each group of columns, `split` one of each
part of a text. What is counted of them is asked for in one query a step.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from customerlab.data import cast
from customerlab.data.sources import Source
from customerlab.errors import DataError, shown


@dataclass(frozen=True)
class Step:
    """One way in which rows become several: the table before and after, and which rows before it have no items."""

    what: str
    before: ir.Table
    after: ir.Table
    without: ir.BooleanValue  # of `before`
    unfit: ir.BooleanValue | None = None  # of `read`: a part that does not match the pattern
    read: ir.Table | None = None


def needed(source: Source, wanted: Iterable[str]) -> list[str]:
    """The columns of a source that the wanted ones are made of."""
    names = list(wanted)
    if source.split:
        names = [*(name for name in names if name not in source.split.made), source.split.column]
    if source.wide:
        made = dict(source.wide)
        names = [*(name for name in names if name not in made), *(n for columns in made.values() for n in columns)]
    return list(dict.fromkeys(names))


def check_names(source: Source, names: Iterable[str], where: str) -> None:
    """Raise where a column that is made of others is one of the source's own."""
    split = {name: {source.split.column} for name in source.split.made} if source.split else {}
    own = split | {name: set(columns) for name, columns in source.wide}
    for name in names:
        if name in own and name not in own[name]:
            raise DataError(
                f"the column {name!r} would be there twice", where=where, expected="names that the file has not",
                do=f"call it otherwise in `{'split' if name in split else 'wide'}` of the file in data/catalog.yml",
            )  # fmt: skip


def field(table: ir.Table, name: str, where: str, exploded: tuple[str, ...] = ()) -> ir.Value | None:
    """A column, or a field of the records in one, whose name leads to it with points; None where there is none."""
    at = len(name)
    while at > 0 and name[:at] not in table.columns:
        at = name.rfind(".", 0, at)
    if at <= 0:
        return None
    value, above = table[name[:at]], name[:at]
    for inner in name[at + 1 :].split(".") if name[at:] else ():
        if value.type().is_array():
            raise nested(above, True, _fields(value), exploded, where)
        if not value.type().is_struct() or inner not in value.type().names:
            return None
        value, above = value[inner], f"{above}.{inner}"
    return value


def leaves(table: ir.Table) -> dict[str, ir.Value]:
    """The fields of the records in a table's columns, by names with points."""
    found: dict[str, ir.Value] = {}
    waiting = [(name, table[name]) for name in table.columns if table[name].type().is_struct()]
    for above, value in waiting:
        for name in value.type().names:
            found[f"{above}.{name}"] = value[name]
            if value[name].type().is_struct():
                waiting.append((f"{above}.{name}", value[name]))
    return found


def check_single(value: ir.Value, name: str, where: str, exploded: tuple[str, ...] = ()) -> None:
    """Raise where a column holds lists or records."""
    if value.type().is_nested():
        raise nested(name, value.type().is_array(), _fields(value), exploded, where)


def _fields(value: ir.Value) -> list[str]:
    kind = value.type().value_type if value.type().is_array() else value.type()
    return list(kind.names) if kind.is_struct() else []


def nested(name: str, is_list: bool, fields: list[str], exploded: tuple[str, ...], where: str) -> DataError:
    """The error for a list or a record where a single value is wanted, and what to write."""
    if not is_list:
        inner = ", ".join(f"`{name}.{key}`" for key in fields[:10])
        return DataError(
            f"{name} is a record, and no single value", where=where, expected="a single value in a column that is mapped",
            do=f"map one of its fields: {inner}" if inner else "map another column",
        )  # fmt: skip
    within = exploded and name.startswith(f"{exploded[-1]}.")
    lists = f"[{', '.join((*exploded, name))}]" if within else name
    mapped = f"its items' fields, such as `{name}.{fields[0]}`" if fields else f"`{name}`, which is then one item a row"
    return DataError(
        f"{name} is a list, and no single value", where=where, expected="a single value in a column that is mapped",
        do=f"add `explode: {lists}` to the file in data/catalog.yml, and map {mapped}",
    )  # fmt: skip


def steps(table: ir.Table, source: Source, where: str, *, exploded: bool = False) -> list[Step]:
    """How the rows of a source become items, one step after the other; `exploded` where its lists are already.

    A DataError where a column that is asked for is not there.
    """
    absent = sorted(set(needed(source, ())) - set(table.columns)) if not source.explode or exploded else []
    if absent:
        raise DataError(
            f"missing column: {', '.join(map(repr, absent))}", where=where, expected="the columns that `wide` and `split` name",
            do="fix `wide` or `split` in data/catalog.yml",
        )  # fmt: skip
    found: list[Step] = []
    for name in () if exploded else source.explode:
        found.append(_exploded(found[-1].after if found else table, name, source, where))
    if source.wide:
        found.append(_wide(found[-1].after if found else table, source))
    if source.split:
        found.append(_split(found[-1].after if found else table, source))
    return found


def _exploded(table: ir.Table, name: str, source: Source, where: str) -> Step:
    items = field(table, name, where)
    if items is None or not items.type().is_array():
        raise DataError(
            f"there is no list {shown(name)}", where=where, expected="a column of lists where `explode` says",
            do="fix `explode` in data/catalog.yml" + ("" if items is None else f": {name} is a {items.type()}"),
        )  # fmt: skip
    before = table.mutate(**{name: items})
    items = before[name]
    return Step(f"items in {name}", before, before.unnest(name), items.isnull() | (items.length() == 0))


def _empty(value: ir.Value) -> ir.BooleanValue:
    if value.type().is_string():
        return value.isnull() | (value.strip() == "")
    return ~cast.there(value)


def _wide(table: ir.Table, source: Source) -> Step:
    parts, empties = [], []
    values = {column: table[column] for _, columns in source.wide for column in columns}
    for _, columns in source.wide:
        if len({values[column].type() for column in columns}) > 1:
            values |= {column: cast.as_text(table[column], source.decimal) for column in columns}
    used = {column for _, columns in source.wide for column in columns}
    others = [name for name in table.columns if name not in used]
    for place in range(len(source.wide[0][1])):
        item = {name: values[columns[place]] for name, columns in source.wide}
        empty = ibis.and_(*[_empty(value) for value in item.values()])
        empties.append(empty)
        parts.append(table.filter(~empty).select(*others, **item))
    listed = ", ".join(name for name, _ in source.wide)
    return Step(
        f"items in the columns of {listed}",
        table,
        ibis.union(*parts) if len(parts) > 1 else parts[0],
        ibis.and_(*empties),
    )


def _split(table: ir.Table, source: Source) -> Step:
    assert source.split is not None
    column, pattern = source.split.column, source.split.pattern
    text = cast.as_text(table[column], source.decimal)
    without = text.isnull() | (text.replace(source.split.at, "").strip() == "")
    # Spark takes what is to stand between the parts for a regular expression
    at = re.escape(source.split.at) if table.get_backend().name == "pyspark" else source.split.at
    read = table.mutate(**{column: text.split(at)}).unnest(column)
    read = read.mutate(**{column: read[column].strip()})
    read = read.filter(read[column] != "")
    what = f"items in {column}"
    if pattern is None:
        return Step(what, table, read, without)
    groups = re.compile(pattern).groupindex
    # names of groups are written in other ways by other engines, and numbers are not
    plain = re.sub(r"\(\?P<\w+>", "(", pattern)
    made = {name: read[column].re_extract(plain, number).strip().nullif("") for name, number in groups.items()}
    after = read.mutate(**made)
    if column not in groups:
        after = after.drop(column)
    return Step(what, table, after, without, ~read[column].re_search(plain), read)


def account(found: list[Step], where: str, place: Callable[[ir.Table], str]) -> list[str]:
    """Count the rows without items, as sentences; a DataError where a part of a text does not match the pattern."""
    told = []
    for step in found:
        if step.read is not None and step.unfit is not None:
            bad = step.read.filter(step.unfit)
            count = int(bad.count().to_pandas())
            if count:
                raise DataError(
                    f"{count:,} item{'s' if count > 1 else ''} of {step.what.removeprefix('items in ')} "
                    f"{'do' if count > 1 else 'does'} not match the pattern",
                    where=place(bad) + (", the first" if count > 1 else ""),
                    expected="items that the `pattern` of `split` reads, with `at` between them",
                    do="fix `split` of the file in data/catalog.yml, or the row",
                )  # fmt: skip
        empty = int(step.before.count(where=step.without).to_pandas())
        if empty:
            told.append(without(empty, step.what, where))
    return told


def without(count: int, what: str, where: str) -> str:
    """The sentence on records that have no items."""
    return f"{count:,} {'records' if count > 1 else 'record'} of {where} without {what} left out"
