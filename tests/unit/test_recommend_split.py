"""The orders of a split: sorted, timed by their first line, and the history once more when summed."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import recommend
from helpers import log

LINES = [
    ("b", "7", "2024-01-03 10:00", "x", 1, 2), ("b", "7", "2024-01-03 09:00", "y", 1, 3), ("b", "7", "2024-01-03 09:30", "y", 1, 5),
    ("a", "7", "2024-01-05 00:00", "x", 1, 1), ("a", "2", "2024-01-05 00:00", "z", 2, 1.5), ("a", "1", "2024-01-08 12:00", "x", 1, 1),
    ("a", "9", "2024-01-20 00:00", "x", 1, 1), ("b", "9", "2024-01-20 00:00", "new", 1, 1),
]  # fmt: skip


def test_orders_are_those_of_the_history_in_order_of_time():
    split = recommend.split_by_time(log(LINES), 10)
    assert str(split.cut) == "2024-01-11 00:00:00"
    orders = split.orders
    # of equal times the order with the smaller id first; order 7 is one of a's and another one of b's
    assert split.customers[orders.customer].tolist() == ["a", "a", "a", "b"]
    assert orders.days.tolist() == [6.0, 6.0, 2.5, pytest.approx(7 + 15 / 24)], "from the first line"
    assert orders.amount.tolist() == [3.0, 1.0, 1.0, 10.0]
    named = pd.DataFrame(orders.products.toarray(), columns=split.products)
    assert named[["x", "y", "z"]].to_numpy().tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert named["new"].sum() == 0


@pytest.mark.parametrize("seed", range(3))
def test_summed_over_a_customer_the_orders_are_the_history(seed):
    rng = np.random.default_rng(seed)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 100, 60), unit="D")
    order = rng.integers(0, 60, 400)
    lines = [
        (f"c{o % 7}", f"o{o}", times[o], f"p{p}", 1, 1) for o, p in zip(order, rng.integers(0, 15, 400), strict=True)
    ]
    split = recommend.split_by_time(log(lines), 28)
    summed = np.zeros(split.history.shape)
    np.add.at(summed, split.orders.customer, split.orders.products.toarray())
    assert (summed == split.history.toarray()).all()
    assert (np.diff(split.orders.customer) >= 0).all() and (split.orders.days > 0).all()
    same = np.diff(split.orders.customer) == 0
    assert (np.diff(split.orders.days)[same] <= 0).all(), "from the oldest to the latest"
    shuffled = recommend.split_by_time(log([lines[i] for i in rng.permutation(400)]), 28).orders
    assert (shuffled.days == split.orders.days).all() and (shuffled.products != split.orders.products).nnz == 0


def test_a_split_by_hand_is_a_split_of_its_log():
    orders = [("b", 40, ["y", "x"]), ("a", 3, ["x"]), ("a", 90, ["z"]), ("a", -2, ["y"]), ("d", -3, ["x"])]
    split = recommend.split_of(orders)
    assert split.customers.tolist() == ["a", "b"] and split.products.tolist() == ["x", "y", "z"]
    assert split.recent_buyers.tolist() == [1, 0, 0] and split.warm.tolist() == [0]
    assert split.orders.days.tolist() == [90, 3, 40] and split.orders.amount.tolist() == [1, 1, 2]
    assert split.accounting.set_index("what")["customers"]["dropped: customers without a history"] == 1


def test_a_log_without_a_past_has_no_orders():
    split = recommend.split_of([("a", -2, ["y"])])
    assert split.history.shape == (0, 1) and split.orders.products.shape == (0, 1) and len(split.warm) == 0


def test_the_whole_log_has_all_orders():
    table = log(LINES)
    whole = recommend.whole_log(table)
    assert len(whole.orders.days) == 6 and whole.orders.days.min() == 1.0
    assert len(recommend.whole_log(ibis.union(table, table)).orders.days) == 6, (
        "lines that repeat are of the same order"
    )


def test_what_was_spent_is_the_money_of_the_future():
    split = recommend.split_by_time(log([*LINES, ("a", "9", "2024-01-20 00:00", "x", 3, 0.1)]), 10)
    spent = pd.DataFrame(split.spent.toarray(), split.customers, split.products)
    assert spent.loc["a", "x"] == 1.3 and spent.loc["b", "new"] == 1 and spent.to_numpy().sum() == 2.3
