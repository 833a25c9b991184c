"""Any tree is written and read as itself and selects what a second implementation does; any text is read or refused."""

from datetime import date
from decimal import Decimal
from functools import cache

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from customerlab.analysis.language.grammar import MEASURES, LanguageError, parse
from customerlab.analysis.language.meaning import select
from customerlab.analysis.language.tree import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Dates,
    Name,
    Not,
    OneOf,
    Relative,
    Segment,
    canonical,
    of_revenue,
)
from language_shop import ATTRIBUTES, DAY, LOG, PRODUCTS, RETURNS, SEGMENTS, SENTENCES, base, lines

SIGNS = [">=", "<=", "=", ">", "<"]


def compares(values, signs=SIGNS):
    pairs = st.tuples(values, values).map(sorted)
    return st.builds(Compare, st.sampled_from(signs), values) | pairs.map(lambda two: Compare("between", *two))


# Names and numbers of the shop, so that conditions hold for some customers and not for others.
counts = compares(st.integers(0, 3))
amounts = compares(st.sampled_from([Decimal(n) for n in ("-5", "0", "8.3333", "10", "20", "25", "30", "100", "250.5")]))
days = st.dates(date(2023, 12, 30), date(2024, 7, 2))
relative = st.builds(Relative, st.integers(1, 100), st.sampled_from(["day", "week", "month", "year"]))
dates = st.tuples(days, days).map(lambda two: Dates(*sorted(two)))
half = st.builds(Dates, days, st.none()) | st.builds(Dates, st.none(), days)
periods = relative | dates | half
ever = st.none() | periods
when = periods | relative.map(lambda one: Relative(one.number, one.unit, ago=True))
numbers = st.sampled_from([Decimal(n) for n in ("1", "2", "25", "30", "44.5", "60")])
texts = {"country": ["DE", "AT", "CH"], "tier": ["bronze", "silver", "gold"]}
segments = [(name, of) for of, one in SEGMENTS.items() for name in one.astype(str)] + [("Champions", None), ("2", None)]


def some(names):
    return st.sampled_from(names).map(Name)


def conditions(kind, *slots):
    return st.builds(lambda *values: Condition(kind, values), *slots)


def of_attribute(name, tests):
    return conditions("attribute", st.just(Name(name)), st.none() | tests)


def one_of(values):
    return st.lists(values, min_size=1, max_size=3).map(lambda found: OneOf(tuple(found)))


tiers = st.tuples(st.sampled_from(SIGNS[:2] + SIGNS[3:]), some(texts["tier"])).map(lambda two: Compare(*two))
leaves = st.one_of(
    conditions("ordered", counts, ever),
    conditions("first", when),
    conditions("last", when),
    conditions("spent", amounts, ever),
    conditions("value", amounts, ever),
    conditions("category", some(list(PRODUCTS["category"])), counts, ever),
    conditions("product", some(list(PRODUCTS["product_id"])), counts, ever),
    conditions("returned", counts, ever),
    conditions(
        "ranked", st.sampled_from(["top", "bottom"]), st.sampled_from([Decimal(n) for n in ("0.5", "25", "50", "100")]),
        st.sampled_from(MEASURES), ever,
    ),
    st.sampled_from(segments).map(lambda two: Condition("segment", (Name(two[0]), two[1] and Name(two[1])))),
    of_attribute("country", one_of(some(texts["country"]))),
    of_attribute("tier", one_of(some(texts["tier"])) | tiers),
    of_attribute("age", one_of(numbers) | compares(numbers, [">=", "<=", ">", "<"])),
    of_attribute("household size", one_of(numbers)),
    of_attribute("newsletter", st.booleans()),
    of_attribute("joined", when),
)  # fmt: skip


def joined(kind):
    """Parts that are not of the kind themselves: brackets of one kind within another are not in canonical texts."""
    return lambda parts: kind(
        tuple(inner for one in parts for inner in (one.parts if isinstance(one, kind) else (one,)))
    )


nodes = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=2, max_size=3).map(joined(AllOf))
        | st.lists(inner, min_size=2, max_size=3).map(joined(AnyOf))
    ),
    max_leaves=6,
)
trees = st.tuples(nodes, st.booleans()).map(lambda two: Segment(two[0], two[1] and of_revenue(two[0])))


@given(trees)
def test_a_tree_is_written_and_read_as_itself(tree):
    text = canonical(tree)
    assert parse(text) == tree and canonical(parse(text)) == text


@given(
    st.text(min_size=1),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
)
def test_any_name_and_number_is_written_and_read_as_itself(name, number):
    tests = [OneOf((Name(name), number + 0)), Compare(">", Name(name)), Compare("<=", number.normalize() + 0)]
    for test in tests:
        segment = Segment(Condition("attribute", (Name(name), test)))
        assert parse(canonical(segment)) == segment


# Second implementation: one customer after the other, on plain pandas, net revenue by a match of its own.


def inside(time, period):
    """Whether a time is in a period."""
    if pd.isna(time):
        return False
    if period is None:
        return True
    if isinstance(period, Relative):
        edge = DAY - pd.DateOffset(**{f"{period.unit}s": period.number})
        return time < edge if period.ago else edge <= time < DAY
    at = time.date()
    return (period.first is None or period.first <= at) and (period.last is None or at <= period.last)


def compared(value, test, order=lambda one: one):
    """Whether a comparison holds."""
    if test.sign == "between":
        return order(test.value) <= value <= order(test.upper)
    bound = order(test.value)
    return {">=": value >= bound, "<=": value <= bound, "=": value == bound, ">": value > bound, "<": value < bound}[
        test.sign
    ]


KNOWN = lines(LOG).query("ordered_at < @DAY")
BACK = lines(RETURNS)
CATEGORY = PRODUCTS.set_index("product_id")["category"]
SOLD = {"C1": "2023-12-31 23:59", "C2": "2024-06-20 09:00"}  # when the lines that the returns annul were sold


def within(log, period):
    """Which lines are in a period."""
    return np.array([inside(time, period) for time in log["ordered_at"]])


def placed(name, period, product=None, category=None):
    """The orders of a customer in a period."""
    rows = KNOWN[(KNOWN["customer_id"] == name) & within(KNOWN, period)]
    rows = rows if product is None else rows[rows["product_id"] == product]
    rows = rows if category is None else rows[rows["product_id"].map(CATEGORY) == category]
    return rows["order_id"].nunique()


def spent(name, period, gross):
    """The revenue of a customer in a period."""
    log = (
        KNOWN
        if gross
        else pd.concat([KNOWN, BACK.assign(ordered_at=pd.to_datetime(list(map(SOLD.get, BACK["order_id"]))))])
    )
    rows = log[(log["customer_id"] == name) & within(log, period)]
    return Decimal(str(rows["amount"].sum()))


def measured(name, measure, period, gross):
    """What customers are ranked by; None without an order."""
    orders = placed(name, period)
    if not orders:
        return None
    money = spent(name, period, gross)
    return {"orders": Decimal(orders), "revenue": money, "average order value": money / orders}[measure]


def ranked(name, end, share, measure, period, gross):
    values = {other: measured(other, measure, period, gross) for other in ATTRIBUTES.index}
    values = {other: value for other, value in values.items() if value is not None}
    ahead = (
        sum((value > values[name]) if end == "top" else (value < values[name]) for value in values.values())
        if name in values
        else 0
    )
    return name in values and 100 * ahead < share * len(values)


def attribute(name, key, test):
    value = ATTRIBUTES.loc[name, key]
    if pd.isna(value) or test is None:
        return bool(pd.isna(value)) and test is None
    if isinstance(test, bool):
        return bool(value) == test
    value = Decimal(str(value)) if key in ("age", "household size") else value
    if isinstance(test, OneOf):
        return value in test.values
    if isinstance(test, Compare):
        return (
            compared(texts["tier"].index(value), test, texts["tier"].index) if key == "tier" else compared(value, test)
        )
    return inside(value, test)


def holds(node, name, gross):
    """Whether a tree holds for a customer."""
    if isinstance(node, Not):
        return not holds(node.part, name, gross)
    if isinstance(node, AllOf | AnyOf):
        return (all if isinstance(node, AllOf) else any)(holds(part, name, gross) for part in node.parts)
    values = node.values
    times = KNOWN.loc[KNOWN["customer_id"] == name, "ordered_at"]
    if node.kind in ("first", "last"):
        return inside(times.min() if node.kind == "first" else times.max(), values[0])
    if node.kind == "ordered":
        return compared(placed(name, values[1]), values[0])
    if node.kind in ("product", "category"):
        return compared(placed(name, values[2], **{node.kind: values[0]}), values[1])
    if node.kind == "returned":
        rows = BACK[(BACK["customer_id"] == name) & within(BACK, values[1])]
        return compared(rows["order_id"].nunique(), values[0])
    if node.kind == "spent":
        return compared(spent(name, values[1], gross), values[0])
    if node.kind == "value":
        orders = placed(name, values[1])
        return orders > 0 and compared(spent(name, values[1], gross), values[0], lambda bound: bound * orders)
    if node.kind == "ranked":
        return ranked(name, *values, gross)
    if node.kind == "segment":
        of = values[1] or {"Champions": "rfm", "2": "clusters"}[values[0]]
        return str(SEGMENTS[of].get(name)) == values[0]
    return attribute(name, *values)


@cache
def shop():
    return base(*(ibis.memtable(frame) for frame in (lines(LOG), lines(RETURNS), PRODUCTS)))


@pytest.mark.slow
@settings(max_examples=60)
@given(trees)
def test_a_tree_selects_what_a_second_implementation_does(tree):
    found = sorted(select(tree, shop()).to_pandas()["customer_id"])
    assert found == [name for name in ATTRIBUTES.index if holds(tree.condition, name, tree.gross)], canonical(tree)


def read_or_refused(text):
    """A text is of the grammar, and then so is its canonical form; or it is refused as a text that is not."""
    try:
        tree = parse(text)
    except LanguageError as error:
        assert str(error)
    else:
        assert parse(canonical(tree)) == tree


words = sorted(
    {word for text in SENTENCES for word in text.split()} | {"(", ")", ",", "%", "'", "-1", "2024-02-30", "²", "٣"}
)


@given(st.text() | st.lists(st.sampled_from(words), max_size=12).map(" ".join))
def test_any_text_is_read_or_refused(text):
    read_or_refused(text)


@given(st.sampled_from(sorted(SENTENCES)), st.data())
def test_any_mutated_sentence_is_read_or_refused(text, data):
    parts = text.split()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(parts)))
        parts[place : place + data.draw(st.integers(0, 2))] = data.draw(st.lists(st.sampled_from(words), max_size=2))
    text = " ".join(parts)
    at = data.draw(st.integers(0, len(text)))
    read_or_refused(text)
    read_or_refused(text[:at] + data.draw(st.text(max_size=1)) + text[at + 1 :])
