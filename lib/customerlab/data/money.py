"""Money as exact decimals: of a line, converted and adjusted by other columns, and of a whole order over its lines.

Decimals, because engines differ in how they round products of floats, and sums of decimals do not depend on the order
of rows. Money has four decimals, halves away from zero.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from customerlab.data import cast
from customerlab.data.clean import REPEAT
from customerlab.data.hidden import NUMBER, OF_ORDER, SEVERAL, THERE

if TYPE_CHECKING:
    from customerlab.data.mapping import Mapped, TableMap

AMOUNT = "decimal(18, 4)"
LARGEST_AMOUNT = 10**14  # what AMOUNT holds
LINE, FACTORED, FACTOR = "decimal(24, 9)", "decimal(19, 8)", "decimal(19, 11)"  # on the way; a product has 38 digits

Number = Callable[[str], ir.NumericValue]  # a source column as a number


def amount(quantity: ir.NumericValue, unit_price: ir.NumericValue, kind: str = AMOUNT) -> ir.DecimalValue:
    """Quantity times price: each to five decimals, their exact product to four, halves away from zero.

    NULL where it is too large to be money. Of another `kind` of decimals where there is more to be done with it.
    """

    def product(wide: str) -> ir.DecimalValue:
        return (quantity.try_cast(wide) * unit_price.try_cast("decimal(18, 5)")).try_cast(kind)

    # DuckDB multiplies decimals of up to 18 digits as integers of 64 bits, which is quick and ends near 900 million; a
    # digit more, and it takes 128 bits: enough for a bar code in the place of a quantity, as are 38 digits elsewhere.
    usual = (quantity.abs() < 10_000) & (unit_price.abs() < 10_000)
    return ibis.cases((usual, product("decimal(18, 5)")), else_=product("decimal(19, 5)"))


def exact(number: ir.NumericValue) -> ir.DecimalValue:
    """A float as the decimal that was written: to nine decimals, from a million on to five, which a float still has."""
    fine, large = number.try_cast(LINE), number.try_cast("decimal(24, 5)").try_cast(LINE)
    return ibis.cases((number.abs() < 1_000_000, fine), else_=large)


def added(line: ir.DecimalValue, mapped: "Mapped", number: Number) -> ir.DecimalValue:
    """What is left of a line's money when other columns are added and taken off; what is empty counts as 0."""
    for column in mapped.plus:
        line = line + exact(number(column).fill_null(0.0))
    for column in mapped.minus:
        line = line - exact(number(column).fill_null(0.0))
    return line


def converted(line: ir.DecimalValue, mapped: "Mapped", number: Number) -> ir.DecimalValue:
    """Money times the factors of its map, such as a rate; NULL where one of these is empty."""
    rate = factor(mapped, number)
    return line if rate is None else (line.try_cast(FACTORED) * rate.try_cast(FACTOR)).try_cast(LINE)


def factor(mapped: "Mapped", number: Number) -> ir.NumericValue | None:
    """What a number is multiplied with, by `times` and `scale`; None for nothing."""
    result: ir.NumericValue | None = None
    for column in mapped.times:
        result = number(column) if result is None else result * number(column)
    if mapped.scale is None:
        return result
    return ibis.literal(mapped.scale) if result is None else result * mapped.scale


def worked(value: ir.NumericValue, mapped: "Mapped", number: Number) -> ir.NumericValue:
    """A number that is no money, in floats: ``(value + plus - minus) × times × scale``."""
    for column in mapped.plus:
        value = value + number(column).fill_null(0.0)
    for column in mapped.minus:
        value = value - number(column).fill_null(0.0)
    return multiplied(value, mapped, number)


def multiplied(value: ir.NumericValue, mapped: "Mapped", number: Number) -> ir.NumericValue:
    """A float times the factors of its map."""
    for column in mapped.times:
        value = value * number(column)
    if mapped.scale is None:
        return value
    whole = round(1 / mapped.scale)
    # 1999 × 0.01 is 19.990000000000002, and 1999 / 100 is 19.99
    return value / float(whole) if whole and Decimal(repr(mapped.scale)) * whole == 1 else value * mapped.scale


def of_a_piece(amount: ir.DecimalValue, quantity: ir.NumericValue) -> ir.NumericValue:
    """The price of a piece by the line's total; NULL for no pieces."""
    return amount.cast("float64") / quantity.nullif(0.0)


def workable(result: ir.Table, there: ir.BooleanValue, *mapped: "Mapped") -> ir.BooleanValue:
    """Whether a number can be worked out: where it is there, and all that it is multiplied with."""
    return ibis.and_(there, *[result[THERE + NUMBER + column] for one in mapped for column in one.times])


def with_amount(result: ir.Table, table_map: "TableMap") -> ir.Table:
    """Lines with their `amount`, and the `unit_price` that follows where the line's total is mapped or adjusted."""
    total, price = table_map.columns.get("amount"), table_map.columns.get("unit_price")

    def number(column: str) -> ir.NumericValue:
        return result[NUMBER + column]

    if total is not None and total.stated:
        line = converted(added(exact(result["amount"]), total, number), total, number)
        maps, there = [total], result[THERE + "amount"]
    else:
        assert price is not None
        quantity, piece = result["quantity"], result["unit_price"]
        there = cast.there(quantity) & cast.there(piece)
        if not (price.adjusted or total):
            return result.mutate(**{"amount": amount(quantity, piece), THERE + "amount": there})
        piece = added(exact(piece), price, number).cast("float64")
        line = converted(amount(quantity, piece, LINE), price, number)
        maps = [one for one in (price, total) if one]
        if total:
            line = converted(added(line, total, number), total, number)
        stated = {"unit_price": multiplied(piece, price, number),
                  THERE + "unit_price": workable(result, result[THERE + "unit_price"], price)}  # fmt: skip
    amounts = {"amount": line.try_cast(AMOUNT), THERE + "amount": workable(result, there, *maps)}
    for one in maps:
        for column in (*one.plus_of_order, *one.minus_of_order):
            whole = exact(number(column))
            for each in maps[maps.index(one) :]:
                whole = converted(whole, each, number)
            amounts[OF_ORDER + column] = whole.try_cast(AMOUNT)
    result = result.mutate(**amounts, **({} if total and total.stated else stated))
    return priced(result, table_map)


def priced(result: ir.Table, table_map: "TableMap") -> ir.Table:
    """Unit prices by the lines' totals, where these are mapped or adjusted; of no pieces the price that is stated."""
    if "amount" not in table_map.columns and not table_map.of_order:
        return result
    followed = of_a_piece(result["amount"], result["quantity"])
    stated = [result["unit_price"]] if "unit_price" in table_map.columns else []
    return result.mutate(unit_price=ibis.coalesce(followed, *stated))


def spread(lines: ir.Table, signs: dict[str, int], values: list[str]) -> ir.Table:
    """Put the amounts that stand for whole orders, in the columns `signs`, onto the orders' lines.

    Parameters
    ----------
    lines : Table
        Lines with `order_id`, `amount`, `quantity` and, of each column of `signs`, its money behind `OF_ORDER`.
        An order's amount is the one that is not zero, on whichever of its lines it stands; SEVERAL is true where
        there are two. Rows of which REPEAT is true have no part in it, nor have those without money. A line without
        an order is an order of its own.
    signs : dict
        1 for a column that is added, -1 for one that is taken off.
    values : list of str
        The columns that say in which order lines take their parts, so that the order of rows does not matter.

    Returns
    -------
    Table
        The same lines. Each takes a part by its share of the order's money above zero; where no line has any, by its
        money below zero; where none has money, each the same. The parts are rounded cumulatively to four decimals, so
        that they sum to the order's amount exactly.
    """
    whole = ibis.window(group_by="order_id")
    none = lines.order_id.isnull()
    parts = lines.amount.isnull() | (lines[REPEAT] if REPEAT in lines.columns else False)
    units = ibis.cases((parts, 0), else_=_units(lines.amount))
    total: ir.NumericValue = ibis.literal(0, "int64")
    several: ir.BooleanValue = ibis.literal(False)
    for column, sign in signs.items():
        stated = _units(lines[OF_ORDER + column]).nullif(0)
        most, least = stated.max().over(whole), stated.min().over(whole)
        several = several | ((most != least).fill_null(False) & ~none)
        total = total + sign * ibis.cases((none, stated), else_=most).fill_null(0)
    lines = lines.mutate(__total__=total, __units__=units, __part__=~parts, **{SEVERAL: several})
    lines = lines.mutate(
        __above__=lines.__units__.clip(lower=0).sum().over(whole), __any__=lines.__units__.abs().sum().over(whole)
    )
    by_money = ibis.cases((lines.__above__ > 0, lines.__units__.clip(lower=0)), else_=lines.__units__.abs())
    weight = ibis.cases((~lines.__part__, 0), (lines.__any__ > 0, by_money), else_=1).cast("int64")
    lines = lines.mutate(__weight__=weight)
    order = [ibis.asc(lines[name]) for name in values]
    upto = lines.__weight__.sum().over(ibis.window(group_by="order_id", order_by=order, preceding=None, following=0))
    lines = lines.mutate(__upto__=upto, __whole__=lines.__weight__.sum().over(whole))
    before = _share(lines.__total__, lines.__upto__ - lines.__weight__, lines.__whole__)
    part = ibis.cases(
        (lines.order_id.isnull(), lines.__total__),
        else_=_share(lines.__total__, lines.__upto__, lines.__whole__) - before,
    )
    money = part.cast("decimal(18, 0)") * ibis.literal(Decimal("0.0001"), AMOUNT)
    lines = lines.mutate(amount=(lines.amount + money).try_cast(AMOUNT))
    return lines.drop(
        *(f"__{name}__" for name in ("total", "units", "part", "above", "any", "weight", "upto", "whole"))
    )


def _units(money: ir.DecimalValue) -> ir.IntegerValue:
    """Money of four decimals in whole numbers."""
    return (money.cast("decimal(28, 4)") * 10_000).cast("int64")


def _share(total: ir.IntegerValue, upto: ir.IntegerValue, whole: ir.IntegerValue) -> ir.IntegerValue:
    """``total · upto / whole`` to the nearest whole number, halves away from zero; all of it at the end."""
    part = (
        (total.abs().cast("float64") * upto.cast("float64") / whole.cast("float64").nullif(0.0) + 0.5)
        .floor()
        .cast("int64")
    )
    return ibis.cases((upto == whole, total), (total < 0, -part), else_=part).fill_null(0)
