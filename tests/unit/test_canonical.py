"""A canonical table is the same whatever types its columns had; money is that of Python's decimals."""

from decimal import ROUND_HALF_UP, Decimal

import ibis
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st

from customerlab.data import canonical, clean, money
from customerlab.data.mapping import Mapped, TableMap
from customerlab.data.sources import Source

COLUMNS = ("customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price")
MAP = TableMap("log", {name: Mapped(name) for name in COLUMNS}, (("customer_missing", {}),))
quantities = st.one_of(
    st.integers(-1_000_000, 1_000_000).map(Decimal), st.decimals(-10_000, 10_000, places=5, allow_nan=False)
)
prices = st.one_of(st.decimals(0, 100_000, places=2), st.decimals(-1_000, 1_000, places=5))


def lines(factors):
    """Order lines of which only quantity and price matter."""
    rest = {"customer_id": "1", "order_id": "1", "ordered_at": "2024-01-01", "product_id": "1"}
    return pd.DataFrame([{**rest, "quantity": str(q), "unit_price": str(p)} for q, p in factors], dtype="string")


@pytest.mark.thorough
@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=50))
@example([(Decimal(481), Decimal("10.27625")), (Decimal("-0.5"), Decimal("0.0001")), (Decimal("0.00001"), Decimal(5))])
@example(
    [
        (Decimal(5012345678900), Decimal("4.95")),
        (Decimal(5012345678900), Decimal("99999.99")),
        (Decimal(9999), Decimal("9999.99999")),
    ]
)
def test_money_is_that_of_python_s_decimals_from_texts_floats_and_decimals(factors):
    wanted = [(q * p).quantize(Decimal("0.0001"), ROUND_HALF_UP) for q, p in factors]
    wanted = [each if abs(each) < money.LARGEST_AMOUNT else None for each in wanted]
    texts = ibis.memtable(lines(factors))
    numbers = {name: texts[name].cast("float64") for name in ("quantity", "unit_price")}
    # as from a CSV, from parquet, and from an engine's table
    for raw in (
        texts,
        texts.mutate(**numbers),
        texts.mutate(**{n: c.cast("decimal(18, 5)") for n, c in numbers.items()}),
    ):
        found = canonical.canonical(raw, "transactions", MAP, Source("log", ()))
        assert [each if pd.notna(each) else None for each in found.amount.execute()] == wanted
    unread = canonical.survey(clean.mark(found, MAP.clean)).unread()
    assert unread == (["amount"] if None in wanted else [])


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        ("int64", [7, None], ["7", None]),
        ("float64", [7.0, float("nan"), 7.5, 1e17], ["7", None, "7.5", "1e+17"]),
        ("decimal(9, 2)", [Decimal("7.00"), Decimal("7.50")], ["7", "7.50"]),
        ("boolean", [True, False], ["true", "false"]),
        ("string", [" 7 ", "", " \t"], [" 7 ", None, None]),
    ],
)
def test_an_id_of_any_type_is_a_text(kind, values, texts):
    rest = lines([(1, 1)] * len(values)).drop(columns="customer_id").to_dict("list")
    schema = {"customer_id": kind} | dict.fromkeys(rest, "string")
    raw = ibis.memtable(pd.DataFrame({"customer_id": pd.Series(values, dtype=object), **rest}), schema=schema)
    found = canonical.canonical(raw, "transactions", MAP, Source("log", ())).customer_id.execute()
    assert [one if pd.notna(one) else None for one in found] == texts


@pytest.mark.parametrize(
    ("kind", "values", "numbers"),
    [
        ("float32", [0.1, 7.0], [0.1, 7.0]),
        ("float64", [0.1, float("nan"), float("inf")], [0.1, None, "unread"]),
        ("decimal(20, 5)", [Decimal("10.27625"), Decimal("123456789012345.67891")], [10.27625, 123456789012345.67891]),
        ("boolean", [True, False], [1.0, 0.0]),
        ("int64", [2**53 + 1], [float(2**53 + 1)]),
        ("string", ["7", "seven", " "], [7.0, "unread", None]),
    ],
)
def test_a_number_of_any_type_is_the_nearest_float_and_what_is_none_is_counted(kind, values, numbers):
    """Python reads the same digits."""
    rest = lines([(1, 1)] * len(values)).drop(columns="unit_price").to_dict("list")
    schema = {"unit_price": kind} | dict.fromkeys(rest, "string")
    raw = ibis.memtable(pd.DataFrame({"unit_price": pd.Series(values, dtype=object), **rest}), schema=schema)
    found = canonical.canonical(raw, "transactions", MAP, Source("log", ()))
    read = [one if pd.notna(one) else None for one in found.unit_price.execute()]
    assert read == [None if one == "unread" else one for one in numbers]
    asked = canonical.survey(clean.mark(found, MAP.clean))
    assert asked.total("there_unit_price") - asked.total("filled_unit_price") == numbers.count("unread")
