"""The joins of a catalogue's entry: which other sources a table is made of, and by which keys."""

from dataclasses import dataclass
from typing import Any

from customerlab.data import fields
from customerlab.data.sources import Source
from customerlab.data.yaml_files import suggest
from customerlab.errors import DataError, shown


@dataclass(frozen=True)
class Join:
    """Another source, one row of which is put beside each row that has its key."""

    source: str
    on: tuple[tuple[str, str], ...]  # pairs: a column of what is there already, and one of the joined source


def joins_of(raw: dict[str, Any], source: str, sources: dict[str, Source], where: str) -> tuple[Join, ...]:
    """The sources that are joined, in order, each with its key."""
    if raw.get("join") is None:
        return ()
    where = f"{where}, join"
    if not isinstance(raw["join"], dict) or not raw["join"]:
        other = next((name for name in sources if name != source), "customers")
        raise fields.unfit(raw["join"], where, f"other files of the entry and their keys: `join: {{{other}: <key>}}`")
    joins = []
    for name, key in raw["join"].items():
        if name == source or name not in sources:
            raise DataError(
                f"file {shown(name)}" + (" is the one that others are joined to" if name == source else ""), where=where,
                expected=suggest(name, [other for other in sources if other != source]),
            )  # fmt: skip
        if (sources[name].table is None) != (sources[source].table is None):
            raise DataError(
                f"{shown(name)} and {shown(source)} are a file and a table of the engine", where=where,
                expected="all of one kind", do="put both into the engine, or both into files",
            )  # fmt: skip
        pairs = (
            key.items() if isinstance(key, dict) else [(one, one) for one in (key if isinstance(key, list) else [key])]
        )
        if not pairs:
            raise fields.unfit(key, f"{where}, {name}", f"a key: `{name}: order_id`, or `{name}: {{customer_id: id}}`")
        joins.append(
            Join(
                name,
                tuple((fields.text({name: a}, name, where), fields.text({name: b}, name, where)) for a, b in pairs),
            )
        )
    return tuple(joins)
