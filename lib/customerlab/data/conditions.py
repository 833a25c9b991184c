"""What rules ask of columns of the source: where their conditions are met, for a row or for its whole order."""

import ibis
import ibis.expr.types as ir

from customerlab.data import cast, clean
from customerlab.data.hidden import FOREIGN
from customerlab.data.mapping import TableMap
from customerlab.data.sources import Source
from customerlab.data.values import EMPTY


def met(raw: ir.Table, table_map: TableMap, of: dict[str, Source]) -> dict[str, ir.Value]:
    """Where the conditions of rules are met, each row by itself, and where money is in another currency."""
    asked: dict[str, ir.Value] = {}
    for _, settings in clean.steps_of(table_map.clean).values():
        if "met" not in settings:
            continue
        value, source = cast.plain(raw[settings["column"]]), of[settings["column"]]
        text = cast.as_text(value, source.decimal)
        number, missing = cast.cast(value, "float64", source), text.isnull() | text.isin([*EMPTY, *source.empty])
        terms = {
            "in": lambda values, text=text: text.isin(values),
            "empty": lambda empty, missing=missing: missing == empty,
            "matches": lambda pattern, text=text: text.re_search(pattern),
            "above": lambda bound, number=number: number > bound,
            "below": lambda bound, number=number: number < bound,
        }
        met = ibis.and_(*[term(settings[key]) for key, term in terms.items() if key in settings])
        asked[settings["met"]] = met.fill_null(False)
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
