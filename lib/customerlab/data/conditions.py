"""What rules ask of columns of the source: where their conditions are met, for a row or for its whole order."""

import re
from typing import Any

import ibis
import ibis.expr.types as ir

from customerlab.data import cast, clean
from customerlab.data.hidden import FOREIGN
from customerlab.data.mapping import TableMap
from customerlab.data.sources import Source
from customerlab.data.values import EMPTY
from customerlab.errors import DataError, in_brief, shown


def met(raw: ir.Table, table_map: TableMap, of: dict[str, Source]) -> dict[str, ir.Value]:
    """Where the conditions of rules are met, each row by itself, and where money is in another currency."""
    asked: dict[str, ir.Value] = {}
    for _, settings in clean.steps_of(table_map.clean).values():
        if "met" not in settings:
            continue
        value, source = cast.plain(raw[settings["column"]]), of[settings["column"]]
        text = cast.as_text(value, source.decimal)
        terms = []
        if "in" in settings:
            terms.append(text.isin(settings["in"]))
        if "empty" in settings:
            terms.append((text.isnull() | text.isin([*EMPTY, *source.empty])) == settings["empty"])
        if "matches" in settings:
            terms.append(text.re_search(settings["matches"]))
        if "above" in settings:
            terms.append(cast.cast(value, "float64", source) > settings["above"])
        if "below" in settings:
            terms.append(cast.cast(value, "float64", source) < settings["below"])
        asked[settings["met"]] = ibis.and_(*terms).fill_null(False)
    if table_map.currency and not table_map.converted:
        column, own = table_map.currency
        asked[FOREIGN] = cast.as_text(cast.plain(raw[column]), ".").upper().nullif(own)
    return asked


def of_orders(result: ir.Table, table_map: TableMap) -> ir.Table:
    """Conditions that are met for a whole order where they are met on one of its lines."""
    rules = clean.steps_of(table_map.clean).values()
    asked = [settings["met"] for _, settings in rules if "of" in settings]
    order = ibis.window(group_by="order_id")
    whole = {met: result[met] | (result[met].any().over(order) & result.order_id.notnull()) for met in asked}
    return result.mutate(**whole) if asked else result


def check_patterns(con: Any, table_map: TableMap, sources: list[Source]) -> None:
    """Raise where a rule, or a file whose texts are split, has a regular expression that the engine does not take."""
    asked = [(f"clean, {rule}", given.get("pattern", given.get("matches"))) for rule, given in table_map.clean]
    asked += [(f"files, {source.name}, split", source.split.pattern) for source in sources if source.split]
    for where, pattern in asked:
        try:
            if pattern:
                con.execute(ibis.literal("").re_search(re.sub(r"\(\?P<\w+>", "(", pattern)))
        except Exception as error:  # each engine has errors of its own
            raise DataError(
                f"the pattern {shown(pattern)} is not a regular expression: {in_brief(error).partition(': ')[2]}",
                where=f"data/catalog.yml, {where}", do="fix the pattern",
                expected="a regular expression in the syntax of the engine: RE2 of DuckDB, which has no look-around",
            ) from None  # fmt: skip
