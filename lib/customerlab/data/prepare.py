"""From files to canonical tables: read, map, cast, clean, check, write; every row accounted for.

A table is prepared once for a run and kept as `outputs/<run>/tables/<table>.parquet`, with a report beside it. It is
made again when its files, its catalogue entry or the code of this layer change, and when it is not what was written.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import ibis.expr.types as ir

from customerlab.data import cast, clean, fetch, kept, read, warehouse
from customerlab.data.catalog import Source, TableMap, find_data_set
from customerlab.data.engine import DEFAULT, DUCKDB_ALWAYS
from customerlab.data.fingerprint import report_of, table_fingerprint
from customerlab.data.project import file_digest, relative, remove_tree, write_sealed, written_aside
from customerlab.data.tables import COVARIATE, TABLES, Column, is_id
from customerlab.errors import DataError, in_brief, shown

if TYPE_CHECKING:  # it loads slowly, and only who makes a table needs it
    import pandera.ibis as pa

MEMORY = "4GB"  # what does not fit is staged on disk; DuckDB's own limit is most of the machine
LARGEST_AMOUNT = 10**14  # what decimal(18, 4) holds


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A prepared table: its parquet file (in an engine: its report), what is known of it, whether it was made now."""

    path: Path
    report: dict[str, Any]
    made: bool


def prepare(
    root: Path,
    run_folder: Path,
    table: str,
    data_set_name: str,
    *,
    engine: str = DEFAULT,
    progress: bool = True,
    anew: bool = False,
) -> Prepared:
    """Return a canonical table, prepared now if it is not up to date.

    Parameters
    ----------
    root : Path
        The project.
    run_folder : Path
        `outputs/<run>`.
    table : str
        One of the canonical tables.
    data_set_name : str
        The entry of the catalogue that it comes from.
    engine : str
        The address of the run's engine, for tables that live in it.
    progress : bool
        Show the progress of downloads.
    anew : bool
        Read the files and the table in full, whatever is remembered of their digests: for results to be published.

    Raises
    ------
    DataError
        If the data set lacks the table, or its files are missing, changed or hold what cannot be read.
    """
    data_set = find_data_set(root, data_set_name)
    if table not in data_set.tables:
        raise DataError(
            f"the data set {shown(data_set_name)} has no {table} table", where="data/catalog.yml",
            expected=f"tables: {', '.join(data_set.tables)}",
            do="add the table to the entry, or name one that has it in the params file (params/README.md shows how)",
        )  # fmt: skip
    table_map = data_set.tables[table]
    source = data_set.sources[table_map.source]
    if source.table:
        return Prepared(*warehouse.prepare(engine, run_folder / "tables", data_set, table))
    found = fetch.locate(root, source) if anew else None
    for path in found[1] if found else []:
        fetch.digests(root).digest(path, anew=True)
    paths = fetch.fetch(root, data_set, source, progress=progress)
    _check_folders(run_folder, paths)
    digests = [fetch.digests(root).digest(path) for path in paths]
    fingerprint = table_fingerprint(data_set, table, digests)
    target = run_folder / "tables" / f"{table}.parquet"
    known = report_of(target, fingerprint, fetch.digests(root), anew=anew)
    if known:
        return Prepared(target, known, made=False)
    files = [{"file": relative(p, root), "sha256": d} for p, d in zip(paths, digests, strict=True)]
    report = {
        "table": table, "data_set": data_set.name, "title": data_set.title, "licence": data_set.licence,
        "citation": data_set.citation, "files": files, "fingerprint": fingerprint,
    }  # fmt: skip
    # The old report goes before the new table comes, so that a run killed between them finds no match.
    with written_aside(target) as aside:
        report |= _build(paths, source, table, table_map, aside)
        report["sha256"] = file_digest(aside)
        target.with_suffix(".json").unlink(missing_ok=True)
    write_sealed(target.with_suffix(".json"), report)
    return Prepared(target, report, made=True)


def _check_folders(run_folder: Path, paths: list[Path]) -> None:
    """Raise where a folder has a sign in its name that DuckDB cannot write to, or that no path can be told with."""
    for path in (run_folder, *paths):
        odd = next((n for n in path.resolve().parts if not n.isprintable() or ("?" in n and path == run_folder)), None)
        if odd:
            raise DataError(
                "a name has a question mark, a line end or another sign that DuckDB cannot write to", where=ascii(odd),
                expected="a folder's or a file's name without them", do="rename it",
            )  # fmt: skip


def _build(paths: list[Path], source: Source, table: str, table_map: TableMap, target: Path) -> dict[str, Any]:
    """Write one canonical table to `target` and return its report."""
    con = None
    reading = False
    try:
        # A database file beside the target, so that a log larger than memory is staged on disk.
        con = ibis.duckdb.connect(target.with_suffix(".duckdb"), memory_limit=MEMORY, **DUCKDB_ALWAYS)
        reading = True
        columns = [m.column for m in table_map.columns.values() if m.column]
        text, counted = read.read_text(con, paths, source, columns, target.parent)
        spans = [m for m in table_map.columns.values() if source.span and m.column == source.span[0]]
        when = cast.cast(text, spans[0], "timestamp(6)", source) if spans else None
        read.check_content(text, paths, source, when, counted)
        canonical = _canonical(text, table, table_map, source)
        _check_patterns(con, table_map)
        reading = False  # all that can be wrong with the files has shown
        staged = con.create_table("staged", clean.ladder(canonical, table_map.clean))
        steps = kept.ladder_report(staged, table, table_map.clean, paths[0].name)
        placed = staged.filter(staged.removed_by == clean.KEPT).drop("removed_by")
        if steps[-1]["rows_left"]:
            _check_values(placed, table, table_map)
        whole = kept.kept(staged.drop(read.FILE, read.ROW), table)
        kept.check_whole(whole, table, paths[0].name, placed)
        rows = int(whole.count().execute())
        # Sorted by every column: the same rows give the same bytes in whatever order they were read.
        whole.order_by([ibis.asc(name) for name in whole.columns]).to_parquet(target, compression="zstd")
    except (duckdb.Error, OSError) as error:
        # an error of the system has a number: no room, no right to write
        if reading and getattr(error, "errno", None) is None:
            raise read.unreadable(paths, source, error) from None
        raise DataError(
            f"the {table} table could not be written: {in_brief(error)}",
            where="outputs/", expected="room on the disk and the right to write", do="free some space and run again",
        ) from None  # fmt: skip
    finally:
        if con is not None:
            con.disconnect()
        target.with_suffix(".duckdb").unlink(missing_ok=True)
        remove_tree(target.with_suffix(".duckdb.tmp"))
    return {"ladder": kept.merged(steps, rows), "rows": rows, "columns": dict(_schema_of(whole))}


def _schema_of(table: ir.Table) -> list[tuple[str, str]]:
    return [(name, str(kind)) for name, kind in table.schema().items()]


def _declared(table: str, name: str) -> Column:
    column = TABLES[table].column(name)
    assert column is not None
    return column


def _canonical(text: ir.Table, table: str, table_map: TableMap, source: Source) -> ir.Table:
    """The canonical columns, every value readable or empty, and the place of each row in its file."""
    declared, columns = TABLES[table], table_map.columns
    # a covariate is a number unless one of its values is none
    kinds = {name: "float64" if name.startswith(COVARIATE) else _declared(table, name).type for name in columns}
    values = {name: cast.cast(text, mapped, kinds[name], source, exact=is_id(name)) for name, mapped in columns.items()}
    cast.check_ids(text, columns)
    for name in cast.unread(text, {name: v for name, v in values.items() if kinds[name] != "string"}, columns):
        if not name.startswith(COVARIATE):
            raise cast.unreadable_values(text, values[name], columns[name], name, kinds[name], source)
        values[name] = cast.cast(text, columns[name], _declared(table, name).type, source)
    order = [name for name in declared.columns if name in values] + [n for n in values if n not in declared.columns]
    result = text.select(read.FILE, read.ROW, **{name: values[name] for name in order})
    if "amount" in declared.columns:
        product = (values["quantity"] * values["unit_price"]).round(4)
        _check_amounts(text, product)
        amount = (result.quantity * result.unit_price).round(4).cast(declared.columns["amount"].type)
        result = result.mutate(amount=amount)
        result = result.relocate("amount", after="unit_price")
    return result


def _check_patterns(con: Any, table_map: TableMap) -> None:
    """Raise where a cleaning rule has a regular expression that the engine does not take."""
    for rule, settings in table_map.clean:
        try:
            con.execute(ibis.literal("").re_search(settings.get("pattern", "")))
        except duckdb.Error as error:
            raise DataError(
                f"the pattern {shown(settings['pattern'])} is not a regular expression: {str(error).partition(': ')[2]}",
                where=f"data/catalog.yml, clean, {rule}",
                expected="a regular expression in the syntax of RE2, which has no look-around",
                do="mend the pattern",
            ) from None


def _check_amounts(text: ir.Table, amount: ir.Value) -> None:
    """Raise where quantity times price does not fit into the decimals that money is summed in."""
    large = text.filter(amount.abs() >= LARGEST_AMOUNT)
    if int(large.count().execute()):
        raise DataError(
            "quantity times unit_price is too large to be money",
            where=read.place(read.first_row(large)),
            expected=f"an amount below {LARGEST_AMOUNT:,}",
            do="mend the row: a bar code may stand where the quantity belongs, or a decimal sign may be missing",
        )


def schema(table: str, columns: list[str]) -> "pa.DataFrameSchema":
    """The pandera schema of a canonical table with these columns."""
    import pandera.ibis as pa

    checked = {}
    for name in columns:
        column = _declared(table, name)
        # a covariate is a number or a label, as its values say
        kind = None if name.startswith(COVARIATE) else ibis.dtype(column.type)
        checked[name] = pa.Column(kind, nullable=column.nullable)
    return pa.DataFrameSchema(checked, name=table)


def _check_values(rows: ir.Table, table: str, table_map: TableMap) -> None:
    """Raise unless the cleaned rows have the right types and a value wherever one is needed."""
    import pandera.errors

    columns = [name for name in rows.columns if name not in (read.FILE, read.ROW)]
    try:
        schema(table, columns).validate(rows.select(columns), lazy=True)
    except pandera.errors.SchemaErrors as error:
        first = error.schema_errors[0]
        column = first.schema.name
        if column not in columns:
            raise DataError(f"the table is not valid: {in_brief(first)}", where=f"table {table}") from None
        empty = rows.filter(rows[column].isnull())
        count = int(empty.count().execute())
        rule = {"customer_id": "customer_missing", "product_id": "product_missing", "ordered_at": "date_missing"}.get(
            column
        )
        hint = f"add the rule `{rule}` to `clean`, or " if rule and table in clean.RULES[rule].tables else ""
        raise DataError(
            f"{column} is empty in {count:,} row{'s' if count > 1 else ''}",
            where=read.place(read.first_row(empty), table_map.columns[column].column) + (", the first" if count > 1 else ""),
            expected="a value in every row", do=f"{hint}fill the values in",
        ) from None  # fmt: skip
