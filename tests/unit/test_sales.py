"""Lines that a return annuls, and net revenue: against matching written out, on any log."""

from collections import defaultdict

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from customerlab.analysis import sales
from customerlab.data.engine import connect, open_table
from helpers import log

FIELDS = ["customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price"]


def matched(rows: list[tuple]) -> tuple[set[int], dict[int, int]]:
    """The sales that returns annul, and the sale of each return that annuls one: a stack a key, row after row."""
    open_lines, sale_of = defaultdict(list), {}
    order = sorted(range(len(rows)), key=lambda i: (rows[i][2], rows[i][4] > 0, rows[i][1], rows[i][5]))
    for i in order:
        customer, _, _, product, quantity, _ = rows[i]
        if quantity > 0:
            open_lines[customer, product, quantity].append(i)
        elif open_lines[customer, product, -quantity]:
            sale_of[i] = open_lines[customer, product, -quantity].pop()
    return set(sale_of.values()), sale_of


def parts(rows: list[tuple]):
    """The same rows as the two canonical tables."""
    return log([r for r in rows if r[4] > 0]), log([r for r in rows if r[4] < 0])


def sorted_rows(table) -> list[tuple]:
    return sorted(table.select(*FIELDS).to_pandas().itertuples(index=False, name=None))


lines = st.tuples(
    st.sampled_from("ab"), st.integers(0, 5).map(str), st.integers(0, 6), st.sampled_from("xy"),
    st.sampled_from([1.0, 2.0, -1.0, -2.0]), st.sampled_from([3.0, 4.0]),
)  # fmt: skip


@pytest.mark.thorough
@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(lines, min_size=2, max_size=25), st.randoms(use_true_random=False))
def test_lines_are_matched_one_to_one_with_later_returns(drawn, random):
    rows = [(c, o, pd.Timestamp("2024-01-01") + pd.Timedelta(days=d), p, q, u) for c, o, d, p, q, u in drawn]
    rows += [
        ("a", "0", pd.Timestamp("2024-01-01"), "x", 1.0, 3.0),
        ("a", "0", pd.Timestamp("2024-01-03"), "y", -9.0, 3.0),
    ]
    random.shuffle(rows)
    transactions, returns = parts(rows)
    void, sale_of = matched(rows)
    sold = [i for i, row in enumerate(rows) if row[4] > 0]
    assert sorted_rows(sales.annulled(transactions, returns)) == sorted(rows[i] for i in void)
    assert sorted_rows(sales.kept(transactions, returns)) == sorted(rows[i] for i in sold if i not in void)
    moved = [
        (r[0], rows[sale_of[i]][1], rows[sale_of[i]][2], *r[3:]) if i in sale_of else r for i, r in enumerate(rows)
    ]
    assert sorted_rows(sales.net(transactions, returns)) == sorted(moved)


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (("a", "C1", "2024-01-02", "x", -6, 2.0), 0),  # the same, later
        (("a", "C1", "2024-01-02", "x", -6, 1.5), 0),  # at another price
        (("a", "C1", "2024-01-01", "x", -6, 2.0), 1),  # at the same time: not later
        (("a", "C1", "2023-12-31", "x", -6, 2.0), 1),  # before
        (("a", "C1", "2024-01-02", "x", -5, 2.0), 1),  # a part
        (("b", "C1", "2024-01-02", "x", -6, 2.0), 1),  # somebody else
        (("a", "C1", "2024-01-02", "y", -6, 2.0), 1),  # another product
    ],
)
def test_what_annuls_a_line(row, kept):
    transactions, returns = log([("a", "1", "2024-01-01", "x", 6, 2.0)]), log([row])
    assert sales.kept(transactions, returns).count().execute() == kept
    money = sales.accounting(transactions, returns).set_index("step")["money"]
    assert money["gross revenue"] == 12
    assert money["net revenue"] == 12 + row[4] * row[5]
    assert money.iloc[:-1].sum() == pytest.approx(money["net revenue"], abs=1e-9)


def test_without_returns_net_is_gross():
    transactions = log([("a", "1", "2024-01-01", "x", 6, 2.0)])
    assert sales.kept(transactions, None) is sales.net(transactions, None) is transactions
    assert sales.accounting(transactions, None)["money"].tolist() == [12, 12]


@pytest.mark.thorough
@pytest.mark.real_data
def test_online_retail_as_a_loop_over_its_lines_finds_it(real_table):
    con = connect()
    transactions, returns = (open_table(con, real_table("online_retail", t).path) for t in ("transactions", "returns"))
    rows = [
        row
        for table in (transactions, returns)
        for row in table.select(*FIELDS).to_pandas().itertuples(index=False, name=None)
    ]
    void, _ = matched(rows)
    table = sales.accounting(transactions, returns).set_index("step")
    assert table["lines"].dropna().to_dict() == {
        "gross revenue": 397_884, "lines that a return annuls": len(void),
        "other returns": 8_905 - len(void),
        "net revenue": 397_884 - len(void),
    }  # fmt: skip
    assert table.loc["lines that a return annuls", "money"] == pytest.approx(
        -sum(rows[i][4] * rows[i][5] for i in void)
    )
    assert table.loc["net revenue", "money"] == pytest.approx(8_911_407.904 - 611_342.09)
    # the jar of customer 12346, and the largest order of the log, which was cancelled twelve minutes later
    whole = {(rows[i][0], rows[i][4]) for i in void}
    assert ("12346", 74_215.0) in whole
    assert ("16446", 80_995.0) in whole
    assert float(sales.net(transactions, returns).amount.sum().execute()) == 8_300_065.814
