"""From files to canonical tables: read, map, cast, clean, check, write; every row accounted for.

A table is prepared once for a run and kept as `outputs/<run>/tables/<table>.parquet`, with a report beside it. It is
made again when its files, its catalogue entry or the code of this layer change, and when it is not what was written.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
from ibis.expr.operations import DatabaseTable

from customerlab.data import (
    advice,
    canonical,
    cast,
    clean,
    columns,
    conditions,
    faults,
    fetch,
    money,
    read,
    relate,
    suspicions,
    trials,
    warehouse,
)
from customerlab.data.catalog import find_data_set
from customerlab.data.engine import DEFAULT, DUCKDB_ALWAYS, literal
from customerlab.data.fingerprint import report_of, table_fingerprint
from customerlab.data.hidden import NUMBER, TEXT, THERE
from customerlab.data.mapping import Mapped, TableMap
from customerlab.data.project import file_digest, relative, write_sealed, written_aside
from customerlab.data.sources import Source
from customerlab.data.tables import AS_READ
from customerlab.errors import DataError, in_brief, raise_all, shown

MEMORY = "2GB"  # what does not fit is staged on disk; DuckDB's own limit is most of the machine


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A prepared table: its parquet file (in an engine: its report), what is known of it, whether it was made now."""

    path: Path
    report: dict[str, Any]
    made: bool


def prepare(
    root: Path, run_folder: Path, table: str, data_set_name: str, *, engine: str = DEFAULT, progress: bool = True,
    anew: bool = False,
) -> Prepared:  # fmt: skip
    """Return a canonical table of the run in `run_folder`, prepared now if it is not up to date.

    `engine` is the run's, for tables that live in it; `progress` shows that of downloads. `anew`: read the files and
    the table in full, whatever is remembered of their digests, for results to be published.

    A DataError where the data set lacks the table, or its files are missing, changed or hold what cannot be read.
    """
    data_set = find_data_set(root, data_set_name)
    if table not in data_set.tables:
        raise DataError(
            f"the data set {shown(data_set_name)} has no {table} table", where="data/catalog.yml",
            expected=f"tables: {', '.join(data_set.tables)}",
            do="add the table to the entry, or name one that has it in the params file (params/README.md shows how)",
        )  # fmt: skip
    sources = data_set.sources_of(table)
    if sources[0].table:
        return Prepared(*warehouse.prepare(engine, run_folder / "tables", data_set, table))
    for source in sources if anew else []:
        found = fetch.locate(root, source)
        for path in found[1] if found else []:
            fetch.digests(root).digest(path, anew=True)
    files = {source.name: fetch.fetch(root, data_set, source, progress=progress) for source in sources}
    paths = [path for each in files.values() for path in each]
    _check_folders(run_folder, paths)
    memory = fetch.digests(root)
    digests = [memory.digest(path) for path in paths]
    fingerprint = table_fingerprint(data_set, table, digests)
    target = run_folder / "tables" / f"{table}.parquet"
    known = report_of(target, fingerprint, memory, anew=anew)
    if known:
        return Prepared(target, known, made=False)
    listed = [{"file": relative(p, root), "sha256": d} for p, d in zip(paths, digests, strict=True)]
    # The old report goes before the new table comes, so that a run killed between them finds no match.
    with written_aside(target) as aside:
        made = _build(files, sources, table, data_set.tables[table], aside)
        report = canonical.report(data_set, table, listed, fingerprint, *made) | {"sha256": file_digest(aside)}
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


def _build(
    files: dict[str, list[Path]], sources: list[Source], table: str, table_map: TableMap, target: Path
) -> tuple[canonical.Steps, canonical.Survey, ir.Table, int, list[str]]:
    """Write one canonical table to `target`; return what cleaning removed and found, its shape, its rows, and notes."""
    import pyarrow.parquet as pq

    con = None
    reading = False
    source, paths, named = sources[0], files[sources[0].name], _named(files)
    try:
        # what does not fit into memory is staged beside the target
        con = ibis.duckdb.connect(memory_limit=MEMORY, temp_directory=str(target.parent / "staged"), **DUCKDB_ALWAYS)
        conditions.check_patterns(con, table_map, sources)
        reading = True
        files = {each.name: read.at_hand(files[each.name], each, target.parent) for each in sources}
        paths, notes, place = files[source.name], list[str](), _placing(source)
        raw, counted, joined, absent = _read(con, files, sources, table_map, target.parent, notes)
        marked, found, source, joined = _surveyed(con, raw, table, table_map, source, joined)
        read.check_content(raw, paths, source, found.total("rows"), _span(found, table_map, source), counted)
        wrong: list[DataError] = [*absent, *_check_values(marked, found, table_map, source, joined)]
        if absent:  # what is missing is empty here
            raise_all(wrong)
        steps, rows = faults.accounted(marked, found, table, table_map, paths[0].name, place, wrong)
        reading = False  # all that can be wrong with the files has shown
        # Sorted by every column: the same rows give the same bytes in whatever order they were read.
        rows.order_by([ibis.asc(name) for name in rows.columns]).to_parquet(target, compression="zstd")
        if table == "transactions":
            written = con.read_parquet(literal(con, target))
            found.suspicions.extend(
                suspicions.ask(written, marked, table_map, steps, place, several=len(paths) > 1 or source.sheets)
            )
        elif table in faults.LOGS:
            found.suspicions.extend(faults.LOGS[table].ask(marked, table_map, place))
        count = int(pq.read_metadata(target).num_rows)
        return steps, found, rows, count, notes + canonical.notes(found, table_map, named)
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


def _named(files: dict[str, list[Path]]) -> dict[str, str]:
    """Sources as sentences name them."""
    return {source: paths[0].name + (" …" if paths[1:] else "") for source, paths in files.items()}


def _read(
    con: Any, files: dict[str, list[Path]], sources: list[Source], table_map: TableMap, aside: Path, notes: list[str]
) -> tuple[ir.Table, list[int | None], dict[str, Source], list[DataError]]:
    """The rows of a table's own files with the columns that are joined to them, how many rows each of its files has by
    another count, of which source each joined column is, and what is said of columns that are missing.
    """
    own, *others = sources
    if not others:
        raw, counted, absent = _read_alone(con, files[own.name], own, table_map.needed, aside, notes)
        read.check_columns(files[own.name], own)
        return raw, counted, {}, absent
    named = _named(files)
    headers = {source.name: read.header(files[source.name][0], source) for source in sources}
    names = relate.meant(table_map, headers, named)
    tables: dict[str, ir.Table] = {}
    for source in (*others, own):
        paths = files[source.name]
        table, counted = read.read(con, paths, source, relate.wanted(source.name, table_map, names), aside, notes)
        read.check_columns(paths, source)
        if source is not own:
            try:
                table = con.create_table(ibis.util.gen_name("joined"), table)
            except duckdb.Error as error:
                raise read.unreadable(paths, source, error) from None
            span = _span_of(table, source, table_map, names)
            read.check_content(table, paths, source, int(table.count().execute()), span, counted)
        tables[source.name] = table
    by_name = {source.name: source for source in sources}
    joined = {name: by_name[source] for name, (source, _) in names.items() if source != own.name}
    return relate.related(tables, table_map, names, by_name, named), counted, joined, []


def _read_alone(
    con: Any, paths: list[Path], source: Source, columns: list[str], aside: Path, notes: list[str]
) -> tuple[ir.Table, list[int | None], list[DataError]]:
    """Read files to which nothing is joined; columns that one lacks are empty, so that other faults show as well."""
    absent: list[read.MissingColumns] = []
    while True:
        without = {name for error in absent for name in error.columns}
        try:
            wanted = [name for name in columns if name not in without]
            raw, counted = read.read(con, paths, source, wanted, aside, notes)
            empty = {name: ibis.null("string") for name in without}
            return raw.mutate(**empty) if empty else raw, counted, [*absent]
        except read.MissingColumns as error:
            if 2 * len({*error.columns, *without}) > len(set(columns)):
                raise  # the delimiter or the file is another one
            absent.append(error.with_traceback(None))


def _span_of(raw: ir.Table, source: Source, table_map: TableMap, names: relate.Meant) -> tuple[str, str] | None:
    """First and last time of the column of a joined file that the catalogue declares a span of, where it is mapped."""
    for mapped in table_map.columns.values():
        if source.span and mapped.column and names[mapped.column] == (source.name, source.span[0]):
            times = cast.cast(cast.plain(raw[source.span[0]]), "timestamp(6)", source, mapped)
            ends = raw.aggregate(first=times.min(), last=times.max()).to_pandas().iloc[0]
            return str(ends["first"]), str(ends["last"])
    return None


def _placing(source: Source) -> canonical.Place:
    return lambda rows, column: read.place(read.first_row(rows), column, source)


def _surveyed(
    con: Any, raw: ir.Table, table: str, table_map: TableMap, source: Source, joined: dict[str, Source]
) -> tuple[ir.Table, canonical.Survey, Source, dict[str, Source]]:
    """The canonical table, marked by the rules, its survey, and the sources as they had to be read.

    It is read plainly first. Where that leaves values unread, numbers and times are read loosely, and a covariate that
    has values which are no numbers is a label; ids that all end in ``.0`` are read without it.
    """
    labels: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    while True:
        every = canonical.canonical(raw, table, table_map, source, labels, joined, whole)
        if "exact_repeat" in dict(table_map.clean):
            every = with_repeats(con, every)
        marked = trials.mark(clean.mark(canonical.spread(every, table_map), table_map.clean), table_map.events)
        marked = _viewed(con, marked)
        found = canonical.survey(marked)
        known = labels, whole, source
        unread = {name for name in found.unread() if name != "amount" or table_map.totals}
        loose = dataclasses.replace(source, loose=True)
        labels |= {
            n
            for n in unread
            if n.startswith(AS_READ)
            and (source.loose or not _are_numbers(marked, n, joined.get(table_map.columns[n].parts[0], source)))
        }
        if unread - labels:
            source, joined = loose, {name: dataclasses.replace(one, loose=True) for name, one in joined.items()}
        whole |= columns.floats(marked, found, source.decimal)
        if known == (labels, whole, source):
            if source.loose:
                columns.check_numbers(marked, table_map, source, joined, _placing(source))
            return marked, found, source, joined


def _viewed(con: Any, table: ir.Table) -> ir.Table:
    """The same table as a view: many questions are asked of it, and Ibis would write all of it out for each of them."""
    name = ibis.util.gen_name("marked")
    con.create_view(name, table)
    return DatabaseTable(name, schema=table.schema(), source=con).to_expr()


def _are_numbers(marked: ir.Table, name: str, source: Source) -> bool:
    """Whether all that stands in a column can be read as numbers."""
    text, loose = marked[TEXT + name], dataclasses.replace(source, loose=True)
    return bool((text.count() == cast.cast(text, "float64", loose, Mapped(answers=True)).count()).execute())


@ibis.udf.scalar.builtin(name="hash", signature=((None,), "uint64"))
def _hash(value):  # type: ignore[no-untyped-def]
    """DuckDB's own; what Ibis makes of it goes through a text of bits."""


def with_repeats(con: Any, table: ir.Table) -> ir.Table:
    """Add what `exact_repeat` marks: of all rows only those that share a hash with another are compared in full."""
    values = canonical.values_of(table)
    hashed = table.mutate(__hash__=_hash(ibis.struct({name: table[name] for name in values if name != "amount"})))
    shared = hashed.group_by("__hash__").having(ibis._.count() > 1).agg(rows=ibis._.count()).select("__hash__")
    shared = con.create_table(ibis.util.gen_name("shared"), shared)
    if not shared.count().execute():
        return table.mutate(**{clean.REPEAT: False})
    doubtful = hashed.semi_join(shared, "__hash__")
    doubtful = doubtful.mutate(**{clean.REPEAT: clean.RULES["exact_repeat"].marks(doubtful, {})})
    doubtful = con.create_table(ibis.util.gen_name("doubtful"), doubtful)
    alone = hashed.anti_join(shared, "__hash__").mutate(**{clean.REPEAT: False})
    return alone.union(doubtful).drop("__hash__")


def _span(found: canonical.Survey, table_map: TableMap, source: Source) -> tuple[str, str] | None:
    """First and last time of the column that the catalogue declares a span of, where it is a time of this table."""
    for name, mapped in table_map.columns.items():
        if source.span and mapped.column == source.span[0] and f"first_{name}" in found.groups.columns:
            return str(found.groups[f"first_{name}"].min()), str(found.groups[f"last_{name}"].max())
    return None


def _check_values(
    marked: ir.Table, found: canonical.Survey, table_map: TableMap, source: Source, joined: dict[str, Source]
) -> Iterator[DataError]:
    """Where two ids are nearly alike, values cannot be read, money is too large, or an order has two amounts."""
    place = _placing(source)
    yield from columns.check_ids(marked, found, table_map, place)
    for name in found.unread():
        bad = marked.filter(marked[THERE + name] & marked[name].isnull())
        if name == "amount" and not table_map.totals:
            yield DataError(
                "quantity times unit_price is too large to be money", where=place(bad, None),
                expected=f"an amount below {money.LARGEST_AMOUNT:,}",
                do="fix the row: a bar code may stand where the quantity belongs, or a decimal sign may be missing",
            )  # fmt: skip
            continue
        mapped = table_map.columns.get(name) or Mapped(name.removeprefix(NUMBER))
        origin = joined.get(mapped.parts[0], source) if mapped.parts else source
        count = found.total(f"there_{name}") - found.total(f"filled_{name}")
        yield advice.unreadable(marked, bad, count, name, mapped, origin, place(bad, mapped.named))
    yield from canonical.check_orders(marked, found, table_map, place)
