"""The tables of a catalogue's entry: where each canonical column comes from, and what cleaning removes."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from customerlab.data import fields, trials, values
from customerlab.data.attributes import attributes_of, levels_of
from customerlab.data.joins import Join, joins_of
from customerlab.data.rules import Rules, rules_of
from customerlab.data.sources import Source
from customerlab.data.tables import ATTRIBUTES, CONTEXT, KINDS, OF_UNITS, TABLES, Attribute, Column, is_id
from customerlab.data.yaml_files import only_keys, suggest
from customerlab.errors import DataError, shown

ADDED, OF_ORDER = ("plus", "minus"), ("plus_of_order", "minus_of_order")
NUMBERS = ("times", *ADDED, *OF_ORDER)  # keys that name other columns of numbers
COLUMN_KEYS = (*values.ORIGINS, "with", "scale", *NUMBERS, *values.KEYS)
CONTEXTS = "contexts"  # key of decisions
LARGEST_SCALE, SCALE_DECIMALS = 10**7, 11  # what `money.FACTOR` holds


@dataclass(frozen=True)
class Mapped:
    """Where a canonical column comes from: a column of the source, several as one, a constant, or none of these.

    Without any it is the row's number, and of `amount` quantity × unit price. A number is worked out as
    ``(column + plus - minus) × times × scale``; to money its part of the order's own amounts is added, in the same
    unit.
    """

    column: str | None = None
    format: str | None = None
    columns: tuple[str, ...] = ()  # several that make one value, in this order
    between: str = " "  # what stands between these
    value: str | float | None = None
    scale: float | None = None
    times: tuple[str, ...] = ()
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    plus_of_order: tuple[str, ...] = ()
    minus_of_order: tuple[str, ...] = ()
    from_zone: str | None = None  # of times that name none; they are converted to `to_zone`
    to_zone: str | None = None
    case: str | None = None  # lower, upper
    empty: tuple[str, ...] | None = None  # texts that mean nothing; none at all where it is empty
    kind: str | None = None  # of `KINDS`, where it is a declared attribute
    levels: tuple[str, ...] = ()  # of one: all texts that there can be; of answers: the words for no and for yes
    answers: bool = False  # words for yes and no count as 1 and 0

    @property
    def parts(self) -> tuple[str, ...]:
        """The source columns that hold the value itself."""
        return self.columns or ((self.column,) if self.column is not None else ())

    @property
    def numbers(self) -> dict[str, str]:
        """The other source columns that a number is worked out with, and the key that names each."""
        return {column: key for key in NUMBERS for column in getattr(self, key)}

    @property
    def stated(self) -> bool:
        """Whether it says where the value itself comes from."""
        return bool(self.parts) or self.value is not None

    @property
    def adjusted(self) -> bool:
        """Whether a number is worked out with others."""
        return bool(self.numbers) or self.scale is not None

    @property
    def named(self) -> str | None:
        """The source columns as messages name them; None where there are none."""
        return ", ".join(self.parts) or None


@dataclass(frozen=True)
class TableMap:
    """How one canonical table is made: the sources, the column map, and the cleaning rules with their settings."""

    source: str
    columns: dict[str, Mapped]
    clean: Rules = ()
    joins: tuple[Join, ...] = ()
    currency: tuple[str, str] | None = None  # a source column, and the only currency that may stand in it
    events: trials.Events | None = None  # how units are made of rows, where these are events
    absent: tuple[str, ...] = ()  # columns that are empty in every row
    attributes: tuple[Attribute, ...] = ()  # what is declared of customers beside the columns that all may have

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of its sources: first the one whose rows it has, then those that are joined."""
        return (self.source, *dict.fromkeys(join.source for join in self.joins))

    @property
    def numbers(self) -> dict[str, str]:
        """Source columns that are read as numbers beside the canonical ones, and the key that asks for each."""
        asked = {c: key for mapped in self.columns.values() for c, key in mapped.numbers.items()}
        return asked | {s["column"]: name for name, s in self.clean if "above" in s or "below" in s}

    @property
    def needed(self) -> list[str]:
        """The source columns that it needs, as they are named in the entry; without the keys of joins."""
        mapped = [part for one in self.columns.values() for part in one.parts]
        asked = [settings["column"] for _, settings in self.clean if "column" in settings]
        return list(dict.fromkeys([*mapped, *self.numbers, *asked, *(self.currency or ())[:1]]))

    @property
    def totals(self) -> bool:
        """Whether totals of lines are mapped, and not prices."""
        return "amount" in self.columns and self.columns["amount"].stated

    @property
    def converted(self) -> bool:
        """Whether its money is multiplied with a rate that stands in the rows."""
        return any(self.columns[name].times for name in ("amount", "unit_price") if name in self.columns)

    @property
    def of_order(self) -> dict[str, int]:
        """Source columns of amounts of whole orders: 1 for those that are added, -1 for those that are taken off."""
        maps = self.columns.values()
        plus, minus = ([c for one in maps for c in getattr(one, key)] for key in OF_ORDER)
        return dict.fromkeys(plus, 1) | dict.fromkeys(minus, -1)


def table_map_of(table: str, raw: Any, sources: dict[str, Source], where: str, currency: str = "") -> TableMap:
    """A table of an entry as its keys say; a DataError where they cannot be meant. `currency` is the entry's."""
    declared = TABLES[table].columns
    money = "amount" in declared
    own = {"experiment": trials.KEYS, "customers": (ATTRIBUTES,), "decisions": (CONTEXTS,)}
    extra = ("currency",) if money else own.get(table, ())
    only_keys(raw, ("file", "join", "columns", "clean", *extra), where=where, required=("columns",))
    source = _source(raw, sources, where)
    columns: dict[str, Mapped] = {}
    for name, value in fields.items(raw["columns"], where, "columns"):
        column = declared.get(name)
        if column is None or (column.derived and name != "amount"):
            known = [n for n, c in declared.items() if not c.derived or n == "amount"]
            raise DataError(
                f"the table has no column {shown(name)}", where=f"{where}, columns", expected=suggest(name, known)
            )
        columns[name] = _column(value, name, column, f"{where}, columns, {name}")
    if money:
        _add_amount(columns, f"{where}, columns")
    events = None
    if table == "experiment":
        measured, events = trials.shape_of(raw, where)
        columns |= {name: Mapped(column, answers=TABLES[table].answers(name)) for name, column in measured.items()}
    contexts = fields.names(raw, CONTEXTS, where) if table == "decisions" else []
    columns |= {f"{CONTEXT}{name}": Mapped(name, answers=True) for name in contexts}
    attributes: list[Attribute] = []
    if raw.get(ATTRIBUTES) is not None:
        for one, own in attributes_of(raw[ATTRIBUTES], COLUMN_KEYS, where):
            kind = "string" if one.kind == "yes_no" else KINDS[one.kind]  # which is made of words
            mapped = _mapped(own, one.name, kind, f"{where}, attributes, {one.name}")
            columns[one.name] = replace(mapped, kind=one.kind, levels=one.levels)
            attributes.append(one)
    instead = {"unit_id"} if OF_UNITS in columns else {"unit_price"} if "amount" in columns else set()
    lacking = [n for n, c in declared.items() if not (c.optional or c.derived or n in columns or n in instead)]
    if lacking:
        raise DataError(
            f"no column is mapped to {', '.join(lacking)}", where=f"{where}, columns",
            do=f"add `{lacking[0]}: <column of the file>`"
            + (", or `amount: <column of the line's total>`" if "unit_price" in lacking else ""),
        )  # fmt: skip
    return TableMap(
        source, columns, rules_of(raw, table, where), joins_of(raw, source, sources, where),
        _currency(raw, currency, where) if raw.get("currency") is not None else None, events,
        attributes=tuple(attributes),
    )  # fmt: skip


def _source(raw: dict[str, Any], sources: dict[str, Source], where: str) -> str:
    if isinstance(raw.get("file"), list) and raw["file"]:
        first, *others = map(str, raw["file"])
        raise fields.unfit(
            raw["file"], f"{where}, file",
            f"one file, `file: {first}`, and others joined to it: `join: {{{others[0] if others else 'customers'}: <key>}}`",
        )  # fmt: skip
    source = fields.optional(raw, "file", where) or (next(iter(sources)) if len(sources) == 1 else "")
    if source not in sources:
        raise DataError(
            f"file {shown(source)}" if source else "which file?", where=where,
            expected=suggest(source, sources) if source else f"`file: …`, one of: {', '.join(sources)}",
        )  # fmt: skip
    return source


def _column(raw: Any, name: str, column: Column, where: str) -> Mapped:
    """The map of one of the table's own columns; of answers with the file's own words for no and for yes."""
    levels: tuple[str, ...] = ()
    if column.answers and isinstance(raw, dict):
        levels = levels_of(raw, "yes_no", where)
        raw = {key: value for key, value in raw.items() if key != "levels"}
    return replace(_mapped(raw, name, column.type, where), levels=levels, answers=column.answers)


def _mapped(raw: Any, name: str, kind: str, where: str) -> Mapped:
    """The map of one canonical column, of a type of `TABLES`."""
    if raw is None:
        raise DataError("no column is named", where=where, expected="the name of a column of the file")
    if isinstance(raw, list):
        raise fields.unfit(raw, where, f"one column, or several as one: `{name}: {{columns: [A, B]}}`")
    if not isinstance(raw, dict):
        return Mapped(fields.text({name: raw}, name, where.rpartition(", ")[0]))
    only_keys(raw, COLUMN_KEYS, where=where)
    origins = [key for key in values.ORIGINS if raw.get(key) is not None]
    time, number = kind.startswith("timestamp"), not (kind == "string" or kind.startswith("timestamp"))
    alone = name == "amount" and not origins  # adjusts quantity × unit price
    if not alone and len(origins) != 1:
        raise DataError(
            f"found {' and '.join(f'`{key}`' for key in origins)}" if origins else f"found {shown(raw)}", where=where,
            expected="one of: `column: NAME`, `columns: [A, B]`, `value: …`" + (", `row_number: true`" if is_id(name) else ""),
        )  # fmt: skip
    if "row_number" in origins and not (raw["row_number"] is True and is_id(name)):
        raise fields.unfit(
            raw, where, f"`{name}: <column of the file>`" + (", or `row_number: true`" if is_id(name) else
            f"; the row's number can stand in for ids alone, and a constant is `{name}: {{value: …}}`"),
        )  # fmt: skip
    _check_kind(raw, name, time=time, number=number, where=where)
    how = values.keys_of(raw, name, kind, where)
    columns, between = _several(raw, name, time=time, number=number, where=where)
    lists: dict[str, Any] = {key: tuple(_some(raw, key, where)) for key in NUMBERS if key in raw}
    return Mapped(
        fields.text(raw, "column", where) if "column" in origins else None, columns=columns, between=between,
        value=_constant(raw["value"], name, time=time, number=number, where=where) if "value" in origins else None,
        scale=_scale(raw, where), **how, **lists,
    )  # fmt: skip


def _check_kind(raw: dict[str, Any], name: str, *, time: bool, number: bool, where: str) -> None:
    """Raise where a key stands in the map of a column that is of another kind."""
    worked = [key for key in ("scale", *NUMBERS) if raw.get(key) is not None]
    if "format" in raw and not time:
        raise DataError(
            f"`format` is for times, and {name} is a {'number' if number else 'text'}", where=where,
            do="remove `format`" + ("; the signs of numbers are `decimal` and `thousands` of the file" if number else ""),
        )  # fmt: skip
    if worked and not number:
        raise DataError(f"`{worked[0]}` is for numbers, and {name} is none", where=where, do=f"remove `{worked[0]}`")
    spread = [key for key in OF_ORDER if key in worked]
    if spread and name not in ("amount", "unit_price"):
        raise DataError(
            f"`{spread[0]}` is for money, and {name} is none", where=where,
            expected=f"`amount: {{column: …, {spread[0]}: {raw[spread[0]]}}}`",
        )  # fmt: skip


def _several(raw: dict[str, Any], name: str, *, time: bool, number: bool, where: str) -> tuple[tuple[str, ...], str]:
    """Several columns that make one value, and what stands between them."""
    if "columns" not in raw:
        if "with" in raw:
            raise DataError(
                "`with` stands between several columns", where=where, expected="`columns: [A, B]` beside it"
            )
        return (), " "
    if number:
        raise DataError(
            f"{name} is a number, and comes from one column", where=where,
            expected=f"`{name}: {{column: A, plus: [B]}}`, or `minus`, or `times`",
        )  # fmt: skip
    between = raw.get("with", "/" if is_id(name) else " ")
    # between ids one sign, which a backslash tells from the same sign within a part: no two pairs make one id
    if not isinstance(between, str) or (is_id(name) and (len(between) != 1 or between == "\\")):
        raise fields.unfit(between, f"{where}, with", 'one sign in quotes, such as "/", and no backslash')
    return tuple(_some(raw, "columns", where)), between


def _some(raw: dict[str, Any], key: str, where: str) -> list[str]:
    """The names of columns in a list that has some."""
    found = fields.names(raw, key, where)
    if not found:
        raise fields.unfit(raw[key], f"{where}, {key}", f"at least one column of the file: `{key}: [NAME]`")
    if len(set(found)) < len(found):
        raise DataError(f"a column stands in {shown(raw[key])} twice", where=f"{where}, {key}", do="name it once")
    return found


def _constant(value: Any, name: str, *, time: bool, number: bool, where: str) -> str | float:
    """A value that stands for a column in every row."""
    if is_id(name) and name not in ("product_id", "campaign_id"):
        raise DataError(
            f"{name} cannot be the same in every row", where=where,
            expected=f"`{name}: <column of the file>`, or `{{row_number: true}}` where each row is one of its own",
        )  # fmt: skip
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number:
        if not plain:
            raise fields.unfit(value, f"{where}, value", "a number without quotes, such as `value: 1`")
        return float(value)
    text = fields.text({"value": value}, "value", where)
    if time:
        try:
            if datetime.fromisoformat(text).tzinfo is not None or len(text) < 10:
                raise ValueError
        except ValueError:
            raise fields.unfit(
                value, f"{where}, value", 'a day or time such as "2024-12-31" or "2024-12-31 23:59:59"'
            ) from None
    return text


def _scale(raw: dict[str, Any], where: str) -> float | None:
    value = raw.get("scale")
    if value is None:
        return None
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    exact = Decimal(repr(value)) if plain else Decimal(0)
    if not 0 < abs(exact) < LARGEST_SCALE or exact != round(exact, SCALE_DECIMALS):
        raise fields.unfit(
            value, f"{where}, scale",
            f"a number that is not zero, below {LARGEST_SCALE:,}, of {SCALE_DECIMALS} decimals at most, such as `scale: 0.01`",
        )  # fmt: skip
    return float(value)


def _add_amount(columns: dict[str, Mapped], where: str) -> None:
    """Check what is said of money, and let a line without a quantity be one piece where its total is mapped."""
    amount, price = columns.get("amount"), columns.get("unit_price")
    total = amount is not None and amount.stated
    if total and price:
        raise DataError(
            "both `amount` and `unit_price` are mapped", where=where, expected="one of them: the other follows by the quantity",
            do="remove `unit_price`, or the column of `amount` where it only adjusts quantity × unit price: `amount: {minus: [Discount]}`",
        )  # fmt: skip
    if amount is not None and not total and not price:
        raise DataError(
            "`amount` names no column, and there is no `unit_price` that it could adjust", where=where,
            expected="`amount: {column: Total, …}`, or `unit_price: <column of the file>` beside it",
        )  # fmt: skip
    if total and "quantity" not in columns:
        columns["quantity"] = Mapped(value=1.0)


def _currency(raw: dict[str, Any], currency: str, where: str) -> tuple[str, str]:
    if not isinstance(raw["currency"], dict):
        raise fields.unfit(
            raw["currency"],
            f"{where}, currency",
            "`currency: {column: NAME}` here; the currency itself stands in the entry",
        )
    only_keys(raw["currency"], ("column",), where=f"{where}, currency", required=("column",))
    if not currency:
        raise DataError(
            "a column of currencies is named, and the entry has none", where=f"{where}, currency",
            do="add the currency that its money is in to the entry: `currency: EUR`",
        )  # fmt: skip
    return fields.text(raw["currency"], "column", f"{where}, currency"), currency
