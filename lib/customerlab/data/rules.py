"""The cleaning rules of a catalogue's entry: each known, for this table, and with settings that it can have."""

import math
from typing import Any

from customerlab.data import fields
from customerlab.data.clean import CONDITIONS, RETURN_RULES, RULES
from customerlab.data.tables import TABLES
from customerlab.data.yaml_files import only_keys, suggest
from customerlab.errors import DataError, shown

Rules = tuple[tuple[str, dict[str, Any]], ...]  # in order: names of `clean.RULES`, and their settings
OPERATORS = {"in": "[A, B]", "empty": "true", "matches": "'^A'", "above": "0", "below": "0"}  # with an example


def rules_of(raw: dict[str, Any], table: str, where: str) -> Rules:
    """The cleaning rules of a table of an entry."""
    given = raw.get("clean")
    if isinstance(given, str | dict):  # a rule that stands without a list around it
        one = given if isinstance(given, str) else next(iter(given), "")
        do = f"`clean: [{one}]`" if isinstance(given, str) else f"`clean: [{{{one}: …}}]`"
        raise fields.unfit(given, f"{where}, clean", f"a list of cleaning rules, `clean: [ … ]`; here {do}")
    rules = fields.listed(raw, "clean", where, "cleaning rules")
    return tuple(_rule(item, table, f"{where}, clean") for item in rules)


def _rule(raw: Any, table: str, where: str) -> tuple[str, dict[str, Any]]:
    name, settings = next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, {})
    # a shop's own returns have the columns of its transactions; which of them are returns is no question then
    like = {n: "transactions" if table == "returns" and n not in RETURN_RULES else table for n in RULES}
    usual = [n for n, r in RULES.items() if (not r.tables or like[n] in r.tables) and n != "not_a_return"]
    if not isinstance(name, str) or name not in RULES:
        raise DataError(f"unknown cleaning rule {shown(name)}", where=where, expected=suggest(name, usual))
    rule = RULES[name]
    if name not in usual:
        made = [] if name == "not_a_return" else rule.tables
        raise DataError(
            f"the rule {name} is not {f'for {table}' if made else 'to be listed'}", where=where,
            expected=f"tables: {', '.join(made)}" if made else "returns are made by the rules that take them from the transactions",
        )  # fmt: skip
    where = f"{where}, {name}"
    if name in CONDITIONS:
        return name, _condition(settings, name, table, where)
    only_keys(settings, rule.settings, where=where)
    for key, value in settings.items():
        if isinstance(rule.settings[key], str):
            _text(value, f"{where}, {key}")
        else:
            _number(value, f"{where}, {key}")
    return name, {**rule.settings, **settings}


def _condition(raw: Any, name: str, table: str, where: str) -> dict[str, Any]:
    """The settings of a rule that asks for a source column: the column, one condition, and what it is `of`."""
    example = f"`{name}: {{column: Status, in: [cancelled]}}`"
    if not isinstance(raw, dict) or not raw:
        raise fields.unfit(raw, where, example)
    only_keys(raw, ("column", *OPERATORS, "of"), where=where, required=("column",))
    found = [key for key in OPERATORS if key in raw]
    if len(found) != 1 and set(found) != {"above", "below"}:
        lines = ", ".join(f"`{key}: {like}`" for key, like in OPERATORS.items())
        raise DataError(
            f"found {' and '.join(f'`{key}`' for key in found)}" if found else "there is no condition", where=where,
            expected=f"one of: {lines}; or both `above` and `below`", do="list the rule once for each condition" if found else "",
        )  # fmt: skip
    settings: dict[str, Any] = {"column": fields.text(raw, "column", where)}
    if "in" in raw:
        listed = fields.listed(raw, "in", where, "values")
        if not listed:
            raise fields.unfit(raw["in"], f"{where}, in", "at least one value: `in: [cancelled]`")
        settings["in"] = [fields.text({"in": value}, "in", where) for value in listed]
    if "empty" in raw:
        if not isinstance(raw["empty"], bool):
            raise fields.unfit(raw["empty"], f"{where}, empty", "`empty: true`, or `empty: false`")
        settings["empty"] = raw["empty"]
    if "matches" in raw:
        settings["matches"] = _text(raw["matches"], f"{where}, matches")
    settings |= {key: float(_number(raw[key], f"{where}, {key}")) for key in ("above", "below") if key in raw}
    if raw.get("of") is not None:
        if raw["of"] != "order" or "order_id" not in TABLES[table].columns:
            orders = [
                name for name, declared in TABLES.items() if "order_id" in declared.columns and not declared.made_from
            ]
            raise fields.unfit(
                raw["of"], f"{where}, of", f"`of: order`, for {', '.join(orders)}; or no `of` for single rows"
            )
        settings["of"] = "order"
    return settings


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise fields.unfit(value, where, "a text, in quotes where it looks like a number")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise fields.unfit(value, where, "a number")
    return value
