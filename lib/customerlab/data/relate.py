"""Joins: a row of one source beside the row of another that has its key, the same in DuckDB and in a run's engine."""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from customerlab.data import blanks, cast
from customerlab.data.hidden import PARTNER
from customerlab.data.joins import Join
from customerlab.data.mapping import TableMap
from customerlab.data.read import FILE, ROW
from customerlab.data.sources import Source
from customerlab.data.values import EMPTY
from customerlab.errors import DataError, shown

Meant = dict[str, tuple[str, str]]  # a name in the entry, and the source and the column that it means


def meant(table_map: TableMap, columns: Mapping[str, list[str]], named: Mapping[str, str]) -> Meant:
    """Which column of which source each name of a table's map means.

    Parameters
    ----------
    table_map : TableMap
    columns : mapping of str to list of str
        The columns of each source of the table.
    named : mapping of str to str
        The sources as messages name them.

    Returns
    -------
    dict
        By name. A name that several sources have means none of them, unless they are joined by it; with the source
        before it, as ``orders.status``, it always means one.

    Examples
    --------
    >>> from customerlab.data.joins import Join
    >>> from customerlab.data.mapping import Mapped
    >>> columns = {"order_id": Mapped("id"), "channel": Mapped("orders.via")}
    >>> lines = TableMap("items", columns, (), (Join("orders", (("id", "id"),)),))
    >>> meant(lines, {"items": ["id", "via"], "orders": ["id", "via"]}, {})
    {'id': ('items', 'id'), 'orders.via': ('orders', 'via')}
    """
    found: Meant = {}
    for place, join in enumerate(table_map.joins):
        before = {name: columns[name] for name in (table_map.source, *[one.source for one in table_map.joins[:place]])}
        for left, right in join.on:
            found[left] = _one(left, before, table_map.joins[:place], named)
            if right not in columns[join.source]:
                raise _absent(right, {join.source: columns[join.source]}, named)
    for name in table_map.needed:
        found[name] = _one(name, columns, table_map.joins, named)
    return found


def _one(
    name: str, columns: Mapping[str, list[str]], joins: tuple[Join, ...], named: Mapping[str, str]
) -> tuple[str, str]:
    """The source and the column that a name means."""
    own = {join.source for join in joins if (name, name) in join.on}
    having = [source for source in columns if name in columns[source] and source not in own]
    if len(having) == 1:
        return having[0], name
    if having:
        raise DataError(
            f"the column {shown(name)} is in {' and '.join(named[source] for source in having)}", where="data/catalog.yml",
            expected="a name that says which", do=" or ".join(f"write `{source}.{name}`" for source in having),
        )  # fmt: skip
    source, _, column = name.partition(".")
    if column in columns.get(source, []):
        return source, column
    raise _absent(name, columns, named)


def _absent(name: str, columns: Mapping[str, list[str]], named: Mapping[str, str]) -> DataError:
    has = "; ".join(f"{named[source]} has {', '.join(map(repr, names[:30]))}" for source, names in columns.items())
    return DataError(
        f"missing column: {name!r}", where=has, expected="every column that data/catalog.yml names",
        do="fix the name, or add the file that has it to `join`",
    )  # fmt: skip


def wanted(source: str, table_map: TableMap, names: Meant) -> list[str]:
    """The columns that a source has to give."""
    keys = [right for join in table_map.joins if join.source == source for _, right in join.on]
    return list(dict.fromkeys([*[column for of, column in names.values() if of == source], *keys]))


def related(
    tables: dict[str, ir.Table], table_map: TableMap, names: Meant, sources: dict[str, Source], named: Mapping[str, str]
) -> ir.Table:
    """The rows of a table's own source with the columns of those that are joined, by the names of the entry.

    Keys are compared as texts, as they stand; numbers without decimals, so that 7 in a workbook is 7 in a text. Rows
    that find no partner keep their place, and nothing stands beside them: a column behind `PARTNER` says so.

    A DataError where a joined source has two rows of one key. No key is named.
    """
    own = tables[table_map.source]
    places = [name for name in (FILE, ROW) if name in own.columns]
    result = own.select(
        *places, **{name: own[column] for name, (of, column) in names.items() if of == table_map.source}
    )
    for join in table_map.joins:
        right = tables[join.source]
        keys = {f"__key_{n}__": _key(right[column], sources[join.source]) for n, (_, column) in enumerate(join.on)}
        partner = right.mutate(**keys).filter(lambda t, keys=keys: ibis.and_(*[~t[key].isnull() for key in keys]))
        _check_keys(partner, join, named[join.source])
        given = {name: partner[column] for name, (of, column) in names.items() if of == join.source}
        partner = partner.select(*keys, **given, **{PARTNER + join.source: ibis.literal(True)})
        left = {f"__own_{n}__": _key(result[name], sources[names[name][0]]) for n, (name, _) in enumerate(join.on)}
        result = result.mutate(**left)
        on = [result[mine] == partner[theirs] for mine, theirs in zip(left, keys, strict=True)]
        result = result.left_join(partner, on).drop(*left, *keys)
    return result


def _key(value: ir.Value, source: Source) -> ir.StringValue:
    """A key as text; NULL where it is one of the words that mean nothing, as of other ids."""
    text = blanks.exact(cast.as_text(value, source.decimal))
    return ibis.cases((~text.isin([*EMPTY, *source.empty]), text))


def _check_keys(partner: ir.Table, join: Join, named: str) -> None:
    """Raise where two rows of a joined source have one key."""
    keys = [f"__key_{n}__" for n in range(len(join.on))]
    counted = partner.group_by(keys).aggregate(
        times=partner.count(), **({"row": partner[ROW].min()} if ROW in partner.columns else {})
    )
    twice = counted.filter(counted.times > 1)
    asked = {"keys": twice.count(), "most": twice.times.max()} | (
        {"row": twice["row"].min()} if ROW in partner.columns else {}
    )
    found = twice.aggregate(**asked).to_pandas().iloc[0]
    if found["keys"]:
        columns = ", ".join(repr(column) for _, column in join.on)
        many = f"{int(found['keys']):,} keys stand in several rows"
        row = f", row {int(found['row']):,} below the header" if "row" in found else ""
        raise DataError(
            f"{many}, one in {int(found['most']):,}" if found["keys"] > 1 else f"one key stands in {int(found['most']):,} rows",
            where=f"{named}{row}, column {columns}",
            expected="one row for each key of a file that is joined",
            do=f"make `{join.source}` the table's own `file` and join the other to it; or join by a further column, `[A, B]`",
        )  # fmt: skip
