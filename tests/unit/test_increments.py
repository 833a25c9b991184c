"""Customer features from new rows alone: worked out by hand, and beside the full computation."""

import pandas as pd
import pytest

from customerlab.analysis.increments import State, added, advanced, begin, features
from customerlab.analysis.orders import Snapshot
from helpers import log

OLD = [
    ("ann", "1", "2024-01-01", "pot", 1, 0.1), ("ann", "1", "2024-01-01", "pan", 1, 0.2),
    ("bob", "2", "2024-01-05", "pot", 2, 4.5),
]  # fmt: skip
BACK = [("bob", "r1", "2024-01-07", "pot", -1, 4.5), ("zoe", "r2", "2024-01-07", "pot", -1, 1.0)]
DAY = pd.Timestamp("2024-01-10")


def lines(rows):
    """A canonical log; times may be of days or of seconds."""
    return log([(*row[:2], pd.Timestamp(row[2]), *row[3:]) for row in rows])


NONE = lines(OLD).limit(0)
SHOWN = ["customer_id", "recency", "frequency", "monetary", "returned", "tenure"]


def state():
    return begin(Snapshot(lines(OLD), DAY, lines(BACK)))


def rows(table):
    return table[SHOWN].to_numpy().tolist()


def same(found, transactions, day, returns=None):
    """Assert that features are those of the whole log, to the last digit."""
    whole = Snapshot(lines(transactions), pd.Timestamp(day), None if returns is None else lines(returns)).customers()
    pd.testing.assert_frame_equal(found, whole, check_exact=True)


def test_a_day_of_new_orders_by_hand():
    new = [("eve", "3", "2024-01-10", "pot", 1, 7.0), ("ann", "4", "2024-01-10 23:59:59", "pot", 1, 0.3)]
    back = [("ann", "r3", "2024-01-10", "pot", -1, 0.1), ("bob", "r4", "2024-01-10", "pot", -1, 4.5)]
    later = advanced(state(), lines(new), lines(back))
    assert later.day == pd.Timestamp("2024-01-11")
    found = features(later, "2024-01-11")
    assert rows(found) == [["ann", 1, 2, 0.6, 0.1, 10], ["bob", 6, 1, 9.0, 9.0, 6], ["eve", 1, 1, 7.0, 0.0, 1]]
    assert found["days_between_orders"].tolist()[0] == 9.0
    same(found, OLD + new, "2024-01-11", BACK + back)
    same(features(later, "2024-03-01"), OLD + new, "2024-03-01", BACK + back)


def test_an_order_whose_lines_come_on_two_days_counts_once():
    new = [("ann", "1", "2024-01-10", "lid", 1, 1.0), ("bob", "1", "2024-01-10", "lid", 1, 1.0)]
    found = features(advanced(state(), lines(new)), "2024-01-11")
    assert found["frequency"].tolist() == [1, 2], "one of ann's; of bob another order that has the same id"
    assert found["last_order"].tolist() == [pd.Timestamp("2024-01-10")] * 2
    same(found, OLD + new, "2024-01-11", BACK)


def test_late_rows_are_taken_on_request_alone():
    new = [("ann", "1", "2023-12-24", "lid", 1, 1.0), ("bob", "0", "2024-01-02", "pot", 1, 1.0)]
    with pytest.raises(ValueError, match=r"new rows begin on 2023-12-24, and the state has the days before 2024-01-10"):
        advanced(state(), lines(new))
    with pytest.raises(ValueError, match="new rows begin on 2024-01-07"):
        advanced(state(), NONE, lines(BACK))
    later = advanced(state(), lines(new), late=True)
    assert later.day == DAY
    found = features(later, DAY)
    assert found["first_order"].astype(str).tolist() == ["2023-12-24", "2024-01-02"]
    assert found["frequency"].tolist() == [1, 2]
    same(found, OLD + new, DAY, BACK)


def test_a_day_that_is_added_twice_is_refused():
    new = lines([("eve", "3", "2024-01-10", "pot", 1, 7.0)])
    with pytest.raises(ValueError, match="the state has the days before 2024-01-11"):
        advanced(advanced(state(), new), new)


def test_a_day_without_rows_changes_nothing():
    for returns in (None, NONE):
        later = advanced(state(), NONE, returns)
        assert later.day == DAY
        same(features(later, DAY), OLD, DAY, BACK)
        assert added(state(), NONE, returns).orders.count().execute() == 0


def test_returns_alone_count_once_their_customer_orders():
    later = advanced(state(), NONE, lines([("bob", "r5", "2024-01-11", "pot", -1, 0.5)]))
    assert later.day == pd.Timestamp("2024-01-12")
    assert rows(features(later, later.day)) == [["ann", 11, 1, 0.3, 0.0, 11], ["bob", 7, 1, 9.0, 5.0, 7]]
    first = advanced(later, lines([("zoe", "5", "2024-01-12", "pot", 1, 2.0)]))
    assert rows(features(first, first.day))[-1] == ["zoe", 1, 1, 2.0, 1.0, 1]


def test_features_of_those_with_new_rows_alone():
    more = added(
        state(),
        lines([("zoe", "3", "2024-01-10", "pot", 1, 7.0)]),
        lines([("ann", "r6", "2024-01-10", "pot", -1, 0.1)]),
    )
    later = State(state().customers.union(more.customers), state().orders.union(more.orders), more.day)
    assert rows(features(later, DAY + pd.Timedelta(days=1), more)) == [
        ["ann", 10, 1, 0.3, 0.1, 10],
        ["zoe", 1, 1, 7.0, 1.0, 1],
    ]
    nobody = added(state(), NONE, lines([("joe", "r7", "2024-01-10", "pot", -1, 0.1)]))
    none = features(later, "2024-01-12", nobody)
    assert none.empty and list(none) == list(features(later, "2024-01-12"))


def test_days_that_a_state_cannot_tell_apart_and_an_empty_log():
    with pytest.raises(ValueError, match="the state has the days before 2024-01-10; choose that day or a later one"):
        features(state(), "2024-01-09")
    nothing = begin(Snapshot(lines(OLD), pd.Timestamp("2023-01-01")))
    with pytest.raises(ValueError, match="no order was placed before as_of = 2023-06-01"):
        features(nothing, "2023-06-01")
    same(features(advanced(nothing, lines(OLD)), DAY), OLD, DAY)


def test_sums_that_floats_would_round_are_exact():
    prices = [0.1, 0.2, 0.3, 1e9, 0.7]
    tenths = [("ann", str(n), f"2024-01-0{n % 3 + 1}", "pot", 1, prices[n % 5]) for n in range(100)]
    parts = begin(Snapshot(lines(tenths), pd.Timestamp("2024-01-02")))
    for day in ("2024-01-02", "2024-01-03"):
        parts = advanced(parts, lines([row for row in tenths if row[2] == day]))
    found = features(parts, DAY)
    assert found["monetary"].tolist() == [20_000_000_026.0] and found["frequency"].tolist() == [100]
    assert sum(row[-1] for row in tenths) != 20_000_000_026.0
    same(found, tenths, DAY)
