"""Tables that live in the run's engine: mapped, cast, cleaned and checked there as Ibis expressions; nothing is copied.

A source of the catalogue that names a `table` in place of a `path` is one of the engine that the parameter `engine`
names. What a rerun depends on is not its bytes but its content in brief, asked for in one query: rows, first and last
time, different values of the first id, and the exact sum of money (or of every number, where there is no money).
"""

import json
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from customerlab.data import clean, kept
from customerlab.data.catalog import DataSet, Mapped, TableMap
from customerlab.data.engine import connect
from customerlab.data.fingerprint import table_fingerprint
from customerlab.data.project import read_sealed, text_digest, write_sealed
from customerlab.data.secrets import masked
from customerlab.data.tables import COVARIATE, TABLES, is_id
from customerlab.errors import DataError

# Wide enough for a bar code in the place of a quantity; the product of two has 38 digits, which every engine holds.
FACTOR, SUM = "decimal(19, 5)", "decimal(38, 4)"


def prepare(url: str, folder: Path, data_set: DataSet, table: str) -> tuple[Path, dict[str, Any], bool]:
    """Check a table of the engine and account for its rows, where its content has changed since the last time.

    Parameters
    ----------
    url : str
        The address of the engine.
    folder : Path
        `outputs/<run>/tables`, where the report is kept.
    data_set : DataSet
        The entry of the catalogue.
    table : str
        The canonical table.

    Returns
    -------
    (Path, dict, bool)
        The report's file, the report, and whether it was made just now.

    Raises
    ------
    DataError
        If the engine lacks the table or a column, or values cannot be used.
    """
    con = connect(url)
    table_map = data_set.tables[table]
    source = data_set.sources[table_map.source]
    where = f"table {source.table} in {con.name}"
    every, unread = _canonical(con, data_set, table)
    content = _content(every)
    fingerprint = table_fingerprint(data_set, table, [url, json.dumps(content)])
    path = folder / f"{table}.json"
    known = read_sealed(path)
    if known and known["fingerprint"] == fingerprint:
        return path, known, False
    _check_read(unread, where)
    marked = clean.ladder(every, table_map.clean)
    steps = kept.ladder_report(marked, table, table_map.clean, where)
    rows = expression(con, data_set, table)
    count = int(rows.count().to_pandas())
    if count:
        _check_filled(rows, table, where)
        kept.check_whole(rows, table, where)
    report = {
        "table": table, "data_set": data_set.name, "title": data_set.title, "licence": data_set.licence,
        "citation": data_set.citation, "files": [{"file": where, **content}], "fingerprint": fingerprint,
        "ladder": kept.merged(steps, count), "rows": count,
        "columns": {name: str(kind) for name, kind in rows.schema().items()},
        "sha256": text_digest(fingerprint),
    }  # fmt: skip
    write_sealed(path, report)
    return path, report, True


def expression(con: Any, data_set: DataSet, table: str) -> ir.Table:
    """The canonical table as an expression in its engine: the rows that cleaning keeps."""
    every, _ = _canonical(con, data_set, table)
    return kept.kept(clean.ladder(every, data_set.tables[table].clean), table)


def _canonical(con: Any, data_set: DataSet, table: str) -> tuple[ir.Table, ir.Table]:
    """The canonical columns of every row, and of the same rows whether a value is there and cannot be used."""
    table_map, declared = data_set.tables[table], TABLES[table]
    raw = _find(con, data_set, table_map)
    values: dict[str, ir.Value] = {}
    unread: dict[str, ir.Value] = {}
    for name, mapped in table_map.columns.items():
        column = declared.column(name)
        assert column is not None
        values[name], unread[name] = _typed(
            raw, name, mapped, column.type, f"data/catalog.yml, {data_set.name}, {table}"
        )
    order = [name for name in declared.columns if name in values] + [n for n in values if n not in declared.columns]
    if "amount" in declared.columns:
        # Decimals before they are multiplied: engines differ in how they round floats.
        product = values["quantity"].try_cast(FACTOR) * values["unit_price"].try_cast(FACTOR)
        values["amount"] = product.round(4).try_cast(declared.columns["amount"].type)
        unread["amount"] = values["amount"].isnull() & values["quantity"].notnull() & values["unit_price"].notnull()
        order.insert(order.index("unit_price") + 1, "amount")
    return raw.select(**{name: values[name] for name in order}), raw.select(**unread)


def _find(con: Any, data_set: DataSet, table_map: TableMap) -> ir.Table:
    """The table of the engine, which has every mapped column."""
    name = data_set.sources[table_map.source].table
    assert name is not None
    *database, last = name.split(".")
    try:
        raw = con.table(last, database=tuple(database) if len(database) > 1 else database[0] if database else None)
    except Exception as error:  # each back end has errors of its own
        said = masked(" ".join(str(error).split()))[:200]
        raise DataError(
            f"the engine {con.name} has no table {name}" + (f": {said}" if said not in name else ""),
            where=f"data/catalog.yml, {data_set.name}, files, {table_map.source}",
            expected="a table or a view, such as shop.order_lines, that the engine of the run can read",
            do="mend `table`, or `engine` in the params file",
        ) from None
    absent = [m.column for m in table_map.columns.values() if m.column and m.column not in raw.columns]
    if absent:
        raise DataError(
            f"missing column: {', '.join(map(repr, absent))}",
            where=f"table {name} in {con.name}, which has {', '.join(map(repr, raw.columns))}",
            expected="every column that data/catalog.yml maps",
            do="mend the column map; a column of another table, such as a covariate, has to be joined to it first",
        )  # fmt: skip
    return raw


def _typed(raw: ir.Table, name: str, mapped: Mapped, kind: str, where: str) -> tuple[ir.Value, ir.Value]:
    """One mapped column with its canonical type, NULL where it is empty or cannot be used, and whether it cannot."""
    if mapped.column is None or mapped.format:
        raise DataError(
            f"{name} is mapped by {'a format' if mapped.format else 'row_number'}, which is for files",
            where=f"{where}, columns", expected="a column of the table",
            do="make a view in the engine that has the column as it is wanted, and name the view",
        )  # fmt: skip
    value = raw[mapped.column]
    found = value.type()
    filled = value.notnull()
    if found.is_string():
        bare = value.strip().nullif("")
        filled = bare.notnull()
        value = ibis.cases((filled, value)) if is_id(name) else bare
    if name.startswith(COVARIATE) and found.is_numeric():
        kind = "float64"
    if kind == "string":
        if found.is_floating() or found.is_decimal():  # an id that was made a number: 17850.0 is 17850
            whole = value == value.floor()
            result = ibis.cases((whole, value.try_cast("int64").cast("string")), else_=ibis.null("string"))
        else:
            result = value.cast("string")
    elif kind.startswith("timestamp") and (found.is_date() or found.is_string() or found.is_timestamp()):
        if found.is_timestamp() and found.timezone is not None:
            raise DataError(
                f"{mapped.column} is an instant in the zone {found.timezone}, and times are the shop's own", where=where,
                expected="a time without a zone", do="make a view that converts it to the shop's zone, and name the view",
            )  # fmt: skip
        result = value if found.is_timestamp() else value.try_cast(kind)
    elif kind == "float64" and (found.is_numeric() or found.is_boolean() or found.is_string()):
        number = value.cast("int64").cast(kind) if found.is_boolean() else value.try_cast(kind)
        result = ibis.cases((number.isnan() | number.isinf(), ibis.null(kind)), else_=number)
    else:
        raise DataError(
            f"{mapped.column} is a {found}, and {name} is wanted as {kind.partition('(')[0]}", where=where,
            expected="a column whose values can be cast", do="mend the column map, or make a view that casts the column",
        )  # fmt: skip
    return result, result.isnull() & filled


def _content(every: ir.Table) -> dict[str, str]:
    """The content of a table in brief, as texts."""
    asked: dict[str, ir.Value] = {"rows": every.count(), "ids": every[every.columns[0]].nunique()}
    for name, kind in every.schema().items():
        if kind.is_timestamp():
            asked |= {f"first_{name}": every[name].min(), f"last_{name}": every[name].max()}
        elif name == "amount" or (kind.is_floating() and "amount" not in every.columns):
            asked[f"sum_{name}"] = every[name].try_cast(SUM).sum()
    row = every.aggregate(**asked).to_pandas().iloc[0]
    return {name: str(row[name]) for name in asked}


def _check_read(unread: ir.Table, where: str) -> None:
    """Raise where a value is there that cannot be used."""
    counted = (
        unread.aggregate(**{n: unread[n].cast("int64").sum().fill_null(0) for n in unread.columns}).to_pandas().iloc[0]
    )
    for name in unread.columns:
        if counted[name] > 0:
            money = name == "amount"
            raise DataError(
                f"{int(counted[name]):,} values cannot be used as {name}", where=where,
                expected="quantity times unit_price below 100,000,000,000,000" if money else "values of the column's kind",
                do=f"mend them, or make a view that leaves them out; they are those mapped to {'quantity' if money else name}",
            )  # fmt: skip


def _check_filled(rows: ir.Table, table: str, where: str) -> None:
    """Raise where a value is empty that is needed in every row."""
    needed = [name for name in rows.columns if not getattr(TABLES[table].column(name), "nullable", True)]
    row = rows.aggregate(**{name: rows[name].isnull().cast("int64").sum() for name in needed}).to_pandas().iloc[0]
    for name in needed:
        if row[name] > 0:
            raise DataError(
                f"{name} is empty in {int(row[name]):,} rows", where=where, expected="a value in every row",
                do="fill the values in, or add a rule to `clean` that leaves the rows out (data/README.md lists them)",
            )  # fmt: skip
