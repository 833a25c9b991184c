"""The meaning of a segment in plain words: its tree as one Ibis expression over a shop, attributes and segmentations.

Orders, revenue and returns are aggregated once each, with a column for each period that is asked for, and joined to the
customers. Names become literals only, and only names that the shop has.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.language.base import NUMBER, ORDERED, SIGNS, CustomerBase, check, levels_of, segmentation_of
from customerlab.analysis.language.tree import (
    AllOf,
    Compare,
    Condition,
    Name,
    Node,
    Not,
    OneOf,
    Period,
    Relative,
    Segment,
)
from customerlab.analysis.orders import before

SCALE = 10_000  # money is counted in whole units of its fourth decimal

Meaning = Callable[[ir.Table], ir.BooleanValue]


def select(segment: Segment, base: CustomerBase) -> ir.Table:
    """The customers of a segment: an expression with the one column `customer_id`, each customer once.

    A condition on what is missing does not hold, so that its negation does. Without orders in a period a customer has
    ordered zero times and spent zero in it, and has neither a rank nor an average order value. A customer is in the top
    p% if fewer than p% of the customers with orders in the period have a larger value: equal values are in together.

    Raises
    ------
    LanguageError
        As `check`.

    Examples
    --------
    >>> from customerlab.analysis.language.grammar import parse
    >>> from customerlab.analysis.orders import Snapshot
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> base = CustomerBase(Snapshot(log, pd.Timestamp("2024-02-01")))
    >>> select(parse("customers who spent at least 10 and did not order in the last 2 weeks"), base).to_pandas().values
    array([['ann']], dtype=object)
    """
    check(segment, base)
    asked = _Asked(segment, base)
    holds = asked.meaning(segment.condition)
    table = base.customers
    for part in asked.tables():
        table = table.left_join(part, "customer_id").drop("customer_id_right")
    return table.mutate(holds=holds(table)).filter(lambda t: t.holds).select("customer_id")


def revenue(base: CustomerBase, periods: Mapping[Period | None, str], *, gross: bool = False) -> ir.Table:
    """The revenue of customers in some periods, in whole units of the fourth decimal. An expression."""
    shop = base.shop
    returns = None if gross or shop.returns is None else before(shop.returns, shop.day)
    log = sales.net(shop.known, returns)
    units = (log.amount.cast("decimal(18, 4)") * SCALE).cast("int64")
    sums = {
        name: _within(log.ordered_at, period, shop.day).ifelse(units, 0).sum().cast("int64")
        for period, name in periods.items()
    }
    return log.group_by("customer_id").aggregate(**sums)


def _within(time: ir.Value, period: Period | None, day: pd.Timestamp) -> ir.BooleanValue:
    """Whether a time is in a period."""
    begin = end = None
    if isinstance(period, Relative):
        span: dict[str, Any] = {f"{period.unit}s": period.number}
        edge = day - pd.DateOffset(**span)
        begin, end = (None, edge) if period.ago else (edge, day)
    elif period is not None:
        begin = None if period.first is None else pd.Timestamp(period.first)
        end = None if period.last is None else pd.Timestamp(period.last) + pd.Timedelta(days=1)
    found = ~time.isnull()
    if begin is not None:
        found &= time >= ibis.timestamp(begin.isoformat())
    return found if end is None else found & (time < ibis.timestamp(end.isoformat()))


def _compared(value: Any, compare: Compare, scale: Callable[[Any], Any]) -> ir.BooleanValue:
    """A value compared with literals, each brought to its scale."""
    if compare.sign == "between":
        return (value >= scale(compare.value)) & (value <= scale(compare.upper))
    return SIGNS[compare.sign](value, scale(compare.value))


def _whole(value: Any) -> ir.Value:
    return ibis.literal(int(value), "int64")


class _Asked:
    """What a tree asks of the tables: a column for each period and name, collected while its meaning is made."""

    def __init__(self, segment: Segment, base: CustomerBase) -> None:
        self.segment, self.base, self.day = segment, base, base.shop.day
        self.orders: dict[tuple, str] = {}
        self.money: dict[Period | None, str] = {}
        self.returns: dict[Period | None, str] = {}
        self.attributes: dict[str, str] = {}
        self.segments: dict[str, str] = {}

    def ask(self, kind: str, key: Any) -> str:
        """The column of what is asked for, once for all conditions that do."""
        asked = getattr(self, kind)
        return asked.setdefault(key, f"{kind.removesuffix('s')}_{len(asked)}")

    def meaning(self, node: Node) -> Meaning:
        """A tree as a function of the joined table."""
        if isinstance(node, Condition):
            holds = getattr(self, f"of_{node.kind}")(*node.values)
            return lambda t: ibis.coalesce(holds(t), False)
        if isinstance(node, Not):
            inner = self.meaning(node.part)
            return lambda t: ~inner(t)
        parts = [self.meaning(part) for part in node.parts]
        return lambda t: (ibis.and_ if isinstance(node, AllOf) else ibis.or_)(*(part(t) for part in parts))

    def tables(self) -> list[ir.Table]:
        """The tables to join, each with one row per customer."""
        found = [self.of_orders()] if self.orders else []
        found += [revenue(self.base, self.money, gross=self.segment.gross)] if self.money else []
        found += [self.of_returns()] if self.returns else []
        found += [self.base.described(list(self.attributes))] if self.attributes else []
        return found + [self.base.sorted_in(name, column) for name, column in self.segments.items()]

    def of_orders(self) -> ir.Table:
        """Orders of customers, by period and product or category, and the days of the first and the last one."""
        log, products = self.base.shop.known, self.base.shop.products
        if any(what == "category" for what, _, _ in self.orders):
            assert products is not None
            log = log.left_join(products.select("product_id", "category"), "product_id")
        hits = {}
        for (what, name, period), column in self.orders.items():
            hit = _within(log.ordered_at, period, self.day)
            if what:
                hit &= log["category" if what == "category" else "product_id"] == ibis.literal(str(name))
            hits[column] = ibis.coalesce(hit, False).cast("int64").max()
        each = log.group_by("customer_id", "order_id").aggregate(
            begun=log.ordered_at.min(), ended=log.ordered_at.max(), **hits
        )
        sums = {column: each[column].sum().cast("int64") for column in hits}
        return each.group_by("customer_id").aggregate(first=each.begun.min(), last=each.ended.max(), **sums)

    def of_returns(self) -> ir.Table:
        """Orders of customers among the returns, by period."""
        log = before(self.base.shop.returns, self.day)
        hits = {
            column: _within(log.ordered_at, period, self.day).cast("int64").max()
            for period, column in self.returns.items()
        }
        each = log.group_by("customer_id", "order_id").aggregate(**hits)
        return each.group_by("customer_id").aggregate(**{c: each[c].sum().cast("int64") for c in hits})

    # one method for each kind of condition

    def of_ordered(self, count: Compare, period: Period | None, what: str = "", name: str = "") -> Meaning:
        column = self.ask("orders", (what, name, period))
        return lambda t: _compared(ibis.coalesce(t[column], 0), count, _whole)

    def of_product(self, name: Name, count: Compare, period: Period | None) -> Meaning:
        return self.of_ordered(count, period, "product", name)

    def of_category(self, name: Name, count: Compare, period: Period | None) -> Meaning:
        return self.of_ordered(count, period, "category", name)

    def of_returned(self, count: Compare, period: Period | None) -> Meaning:
        column = self.ask("returns", period)
        return lambda t: _compared(ibis.coalesce(t[column], 0), count, _whole)

    def of_first(self, period: Period, which: str = "first") -> Meaning:
        self.ask("orders", ("", "", None))
        return lambda t: _within(t[which], period, self.day)

    def of_last(self, period: Period) -> Meaning:
        return self.of_first(period, "last")

    def of_spent(self, amount: Compare, period: Period | None) -> Meaning:
        column = self.ask("money", period)
        return lambda t: _compared(ibis.coalesce(t[column], 0), amount, lambda value: _whole(value * SCALE))

    def of_value(self, amount: Compare, period: Period | None) -> Meaning:
        money, orders = self.ask("money", period), self.ask("orders", ("", "", period))
        # multiplied, not divided: whole numbers compare exactly
        return lambda t: (
            (t[orders] > 0)
            & _compared(ibis.coalesce(t[money], 0), amount, lambda value: t[orders] * _whole(value * SCALE))
        )

    def of_ranked(self, end: str, share: Any, measure: str, period: Period | None) -> Meaning:
        orders = self.ask("orders", ("", "", period))
        money = "" if measure == "orders" else self.ask("money", period)

        def holds(t: ir.Table) -> ir.BooleanValue:
            value = ibis.coalesce(t[money], 0) if money else t[orders]
            value = value / t[orders].nullif(0) if measure == "average order value" else value
            value = (t[orders] > 0).ifelse(value, ibis.null(value.type()))
            place = ibis.rank().over(order_by=ibis.desc(value) if end == "top" else value)  # those before, from 0
            number = value.count().over(ibis.window())
            return (t[orders] > 0) & (place * _whole(100 * SCALE) < number * _whole(share * SCALE))

        return holds

    def of_segment(self, name: Name, of: Name | None) -> Meaning:
        column = self.ask("segments", segmentation_of(self.segment, Condition("segment", (name, of)), self.base))
        return lambda t: t[column] == ibis.literal(str(name))

    def of_attribute(self, name: Name, test: Any) -> Meaning:
        column, kind = self.ask("attributes", str(name)), self.base.kinds[name]

        def literal(value: Any) -> ir.Value:
            return ibis.literal(float(value), "float64") if kind == NUMBER else ibis.literal(str(value))

        if isinstance(test, Compare) and kind == ORDERED:
            test = OneOf(levels_of(self.base.levels(name), test))
        if test is None:
            return lambda t: t[column].isnull()
        if isinstance(test, OneOf):
            return lambda t: ibis.or_(ibis.literal(False), *(t[column] == literal(value) for value in test.values))
        if isinstance(test, Compare):
            return lambda t: _compared(t[column], test, literal)
        return lambda t: t[column] == test if isinstance(test, bool) else _within(t[column], test, self.day)
