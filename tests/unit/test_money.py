"""An order's own amounts on its lines: exactly, by fractions, whatever the order of rows."""

import itertools
from decimal import Decimal

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings, strategies as st

from customerlab.data import clean, money
from customerlab.data.hidden import OF_ORDER, SEVERAL
from exports import parts_of, weights_of

cents = st.decimals(-500, 5_000, places=4)
orders = st.lists(
    st.tuples(st.lists(cents, min_size=1, max_size=7), st.decimals(-50, 3_000, places=4), st.booleans()),
    min_size=1,
    max_size=8,
)
SCHEMA = {
    "order_id": "string",
    "line": "int64",
    "amount": money.AMOUNT,
    f"{OF_ORDER}d": money.AMOUNT,
    f"{OF_ORDER}t": money.AMOUNT,
}


def lines_of(drawn):
    """Lines of orders with a discount, on the last line or on all, and a tax on the first."""
    return pa.Table.from_pylist(
        [
            {"order_id": str(number), "line": place, "amount": paid, f"{OF_ORDER}t": Decimal("0.0003") if place == 0 else None,
             f"{OF_ORDER}d": discount if everywhere or place == len(lines) - 1 else Decimal(0)}
            for number, (lines, discount, everywhere) in enumerate(drawn) for place, paid in enumerate(lines)
        ],
        pa.schema([("order_id", pa.string()), ("line", pa.int64()), *[(name, pa.decimal128(18, 4)) for name in list(SCHEMA)[2:]]]),
    )  # fmt: skip


@pytest.mark.thorough
@settings(max_examples=25)
@given(orders, st.randoms(use_true_random=False))
@example([([Decimal("0.0000")] * 3, Decimal("1.0000"), True)], None)
@example([([Decimal("-7.0000"), Decimal(-3)], Decimal("1.0000"), False)], None)
@example([([Decimal(1)] * 7, Decimal("0.0001"), False)], None)
@example([([Decimal("99999999999.9999")] * 2, Decimal("33333333333.3333"), False)], None)
def test_parts_are_those_of_fractions_and_sum_to_the_order_s_amount(drawn, random):
    frame = lines_of(drawn)
    places = list(range(len(frame)))
    if random:
        random.shuffle(places)
    table = ibis.memtable(frame.take(places))
    found = money.spread(table, {"d": -1, "t": 1}, ["line"]).order_by("order_id", "line").to_pandas()
    assert not found[SEVERAL].any()
    for number, (lines, discount, _) in enumerate(drawn):
        total = Decimal("0.0003") - discount
        amounts = found.loc[found["order_id"] == str(number), "amount"].tolist()
        assert sum(amounts) == sum(lines) + total
        if max(map(abs, lines)) < 10_000:  # where products of whole numbers are exact in floats
            parts = parts_of(total, weights_of(lines))
            assert amounts == [paid + part for paid, part in zip(lines, parts, strict=True)]


@pytest.mark.thorough
def test_repeats_and_lines_without_money_have_no_part_and_lines_without_an_order_their_own():
    rows = [("1", 0, "10", "6", False), ("1", 1, "20", None, False), ("1", 2, "20", None, True), ("1", 3, None, None, False),
            (None, 4, "5", "1", False), (None, 5, "5", "2", False), ("2", 6, None, "3", False)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["order_id", "line", "amount", f"{OF_ORDER}d", clean.REPEAT])
    frame[["amount", f"{OF_ORDER}d"]] = frame[["amount", f"{OF_ORDER}d"]].map(lambda x: Decimal(x) if x else None)
    table = ibis.memtable(frame, schema={k: v for k, v in SCHEMA.items() if k in frame} | {clean.REPEAT: "boolean"})
    found = money.spread(table, {"d": -1}, ["line"]).order_by("line").to_pandas()
    assert [None if pd.isna(each) else each for each in found["amount"]] == [8, 16, 20, None, 4, 3, None]
    assert not found[SEVERAL].any()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("amounts", "several"), [((5, 5), False), ((5, 0), False), ((0, 0), False), ((5, 4), True), ((5, -5), True)]
)
def test_an_order_with_two_amounts_is_told(amounts, several):
    frame = pd.DataFrame(
        [("1", n, Decimal(9), Decimal(paid)) for n, paid in enumerate(amounts)], columns=list(SCHEMA)[:4]
    )
    found = money.spread(ibis.memtable(frame, schema=dict(itertools.islice(SCHEMA.items(), 4))), {"d": -1}, ["line"])
    assert found.to_pandas()[SEVERAL].tolist() == [several, several]
