"""Declared attributes of customers: what each is, and where in the file it stands."""

from collections.abc import Iterable, Iterator
from typing import Any

from customerlab.data import fields, values
from customerlab.data.tables import KINDS, TABLES, Attribute
from customerlab.data.yaml_files import only_keys, suggest
from customerlab.errors import DataError, shown

OWN = ("kind", "unit", "meaning", "levels", "sensitive", "missing")  # keys beside those of every column map
LEVELLED = ("ordered", "category", "yes_no")
RESERVED = ("amount", "quantity", "unit_price", "removed_by", *TABLES["customers"].columns)
LONGEST = 60  # signs of a name


def attributes_of(raw: Any, column_keys: Iterable[str], where: str) -> Iterator[tuple[Attribute, dict[str, Any]]]:
    """Each attribute of a table with the map of its column, which is one of its own name by default.

    `column_keys` are those that any column map may have. A DataError where a name, a kind or a key cannot be meant.
    """
    before: set[str] = set()
    for name, value in fields.items(raw, where, "attributes"):
        at = f"{where}, attributes, {name}"
        _check_name(name, before, at)
        before.add(name.lower())
        given = {"kind": value} if isinstance(value, str) else value
        if not isinstance(given, dict):
            raise fields.unfit(value, at, f"a kind, one of: {', '.join(KINDS)}; or `{{column: …, kind: …}}`")
        only_keys(given, (*OWN, *column_keys), where=at)
        kind = fields.optional(given, "kind", at)
        if kind not in KINDS:
            raise DataError(
                f"unknown kind {shown(kind)}" if kind else "no kind is named", where=at,
                expected=suggest(kind, KINDS) if kind else f"`kind: …`, one of: {', '.join(KINDS)}",
            )  # fmt: skip
        if not isinstance(given.get("sensitive", False), bool):
            raise fields.unfit(given["sensitive"], f"{at}, sensitive", "`sensitive: true`, or `sensitive: false`")
        texts = {key: fields.optional(given, key, at) or "" for key in ("unit", "meaning", "missing")}
        own = {key: one for key, one in given.items() if key not in OWN}
        if not any(own.get(key) is not None for key in values.ORIGINS):
            own["column"] = name
        levels, sensitive = levels_of(given, kind, at), given.get("sensitive", False)
        yield Attribute(name, kind, levels=levels, sensitive=sensitive, **texts), own


def _check_name(name: str, before: set[str], where: str) -> None:
    """Raise unless a name can be a column beside the table's own and those before, in any letter case."""
    if name.lower() in RESERVED or name.lower() in before:
        twice = "stands here twice, in upper and lower case" if name.lower() in before else "is a column's own"
        raise DataError(
            f"the name {shown(name)} {twice}", where=where, expected="another name for each attribute",
            do=f"choose one: `customer_{name.lower()}: {{column: {name}, kind: …}}`",
        )  # fmt: skip
    if name.endswith("_id") or name.startswith("__") or len(name) > LONGEST or not name.isprintable():
        raise DataError(
            f"{shown(name)} cannot name an attribute", where=where,
            expected=f"at most {LONGEST} signs, no `__` in front, and no `_id` at the end, which ids have",
            do=f"choose another name: `group: {{column: {shown(name)}, kind: …}}`",
        )  # fmt: skip


def levels_of(raw: dict[str, Any], kind: str, where: str) -> tuple[str, ...]:
    """The levels, the lowest first; of yes and no the words for no and for yes."""
    given = fields.listed(raw, "levels", where, "texts")
    found = tuple(fields.text({str(n): one}, str(n), f"{where}, levels, item") for n, one in enumerate(given, 1))
    if found and kind not in LEVELLED:
        raise DataError(f"`levels` are for {', '.join(LEVELLED)}", where=f"{where}, levels", do="remove `levels`")
    if len(set(found)) < len(found):
        raise DataError(f"a level stands in {shown(given)} twice", where=f"{where}, levels", do="name it once")
    if found and kind == "yes_no" and len(found) != 2:
        raise fields.unfit(given, f"{where}, levels", "two texts, the one for no and the one for yes: `levels: [N, Y]`")
    if raw.get("levels") is not None and not found:
        raise fields.unfit(given, f"{where}, levels", "at least one level: `levels: [low, high]`")
    return found
