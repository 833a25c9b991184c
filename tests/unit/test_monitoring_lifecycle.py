"""Customer-months, lifecycle states, flows and growth accounting, against pandas and by hand."""

import ibis
import numpy as np
import pandas as pd
import pytest

from changing import shop
from customerlab.analysis import sales
from customerlab.analysis.monitoring.lifecycle import (
    GROWTH,
    STATES,
    Limits,
    flows,
    growth,
    limits,
    sizes,
    states,
)  # fmt: skip
from customerlab.analysis.monitoring.months import UNITS, by_month
from customerlab.analysis.orders import Snapshot, before
from customerlab.analysis.rfm.stability import NOT_YET
from helpers import log


def with_returns(seed: int) -> Snapshot:
    """A small shop in which every tenth line comes back, in full or in part."""
    small = shop(seed, a_day=0.15, days=300)
    lines = small.transactions.to_pandas()
    back = lines.sample(len(lines) // 10, random_state=seed)
    part = np.arange(len(back)) % 2 == 0
    back = back.assign(
        ordered_at=back["ordered_at"] + pd.Timedelta(days=20), order_id="r" + back["order_id"],
        quantity=-1.0, amount=-np.where(part, back["amount"], (back["amount"] / 2).round(2)),
    )  # fmt: skip
    back = back.assign(quantity=np.where(part, -1.0, -2.0))
    return Snapshot(small.transactions, small.day, ibis.memtable(back))


def test_months_are_those_of_pandas_and_sum_to_net_revenue():
    made = with_returns(3)
    months, lines = by_month(made), made.transactions.to_pandas()
    month = lines["ordered_at"].dt.to_period("M").dt.start_time
    days = (
        lines.groupby(["customer_id", month])["ordered_at"].agg(lambda at: at.dt.date.nunique()).unstack(fill_value=0)
    )
    np.testing.assert_array_equal(months.orders, days.reindex(columns=months.starts).to_numpy())
    assert months.customers.tolist() == days.index.tolist()
    net = sales.net(made.known, before(made.returns, made.day)).to_pandas()
    assert months.revenue.sum() == round(net["amount"].sum() * UNITS)
    last = lines.groupby("customer_id")["ordered_at"].max().dt.normalize()
    found = pd.to_datetime(months.last.max(axis=1), unit="D")
    assert (found == last.to_numpy()).all()


def test_the_order_of_rows_changes_nothing():
    made = with_returns(5)
    mixed = ibis.memtable(made.transactions.to_pandas().sample(frac=1, random_state=1))
    one, two = by_month(made), by_month(Snapshot(mixed, made.day, made.returns))
    for name in ("orders", "revenue", "last"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("seed", range(4))
def test_growth_adds_up_to_the_last_digit_and_flows_to_the_month(seed):
    months = by_month(with_returns(seed))
    table = growth(months)
    whole = (table[GROWTH] * UNITS).round().astype("int64").sum(axis=1)
    assert whole.tolist() == np.diff(months.revenue.sum(axis=0)).tolist()
    assert table["returns"].any()
    history = states(months, Limits(30, 90))
    moved = flows(history, months).groupby("day")["revenue"].sum()
    np.testing.assert_allclose(moved, months.revenue.sum(axis=0)[1:] / UNITS, rtol=0, atol=1e-9)
    counted = flows(history, months).groupby("day")["customers"].sum()
    assert counted.tolist() == (history != NOT_YET).sum().tolist()[1:]
    assert sizes(history, STATES).sum(axis=1).tolist() == (history != NOT_YET).sum().tolist()


def test_growth_by_hand():
    rows = [("ann", "2024-01-03", 10.0), ("ann", "2024-02-03", 25.5), ("bob", "2024-01-09", 7.25), ("eve", "2024-02-10", 3.0),
            ("bob", "2024-03-01", 7.0), ("ann", "2024-03-09", 20.0)]  # fmt: skip
    table = growth(by_month(Snapshot(log_of(rows), pd.Timestamp("2024-04-01"))))
    assert table.iloc[0][["before", "revenue", *GROWTH]].tolist() == [17.25, 28.5, 3.0, 0.0, 15.5, 0.0, -7.25, 0.0]
    assert table.iloc[1][["before", "revenue", *GROWTH]].tolist() == [28.5, 27.0, 0.0, 7.0, 0.0, -5.5, -3.0, 0.0]
    assert table[[f"customers {name}" for name in GROWTH[:-1]]].values.tolist() == [[1, 0, 1, 0, 1], [0, 1, 0, 1, 1]]


def log_of(rows):
    return ibis.memtable(
        pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"]).assign(
            order_id=lambda t: [str(n) for n in range(len(t))], ordered_at=lambda t: pd.to_datetime(t["ordered_at"])
        )
    )


def test_states_by_hand_with_an_empty_month():
    rows = [
        ("ann", "2024-01-20", 1.0),
        ("ann", "2024-02-10", 1.0),
        ("bob", "2024-01-02", 1.0),
        ("bob", "2024-05-05", 1.0),
    ]
    months = by_month(Snapshot(log_of(rows), pd.Timestamp("2024-06-01")))
    assert months.orders[:, 2].sum() == 0
    history = states(months, Limits(31, 80))
    assert history.loc["ann"].tolist() == ["New", "Active", "At risk", "Dormant", "Dormant"]  # 20, 51, 81, 112 days
    assert history.loc["bob"].tolist() == ["New", "At risk", "Dormant", "Dormant", "Reactivated"]


@pytest.mark.parametrize("day", ["2024-01-25", "2024-02-15", "2024-03-01"])
def test_less_than_two_months_have_no_growth_and_no_flows(day):
    rows = [("ann", "2024-01-20", 1.0), ("bob", "2024-01-21", 1.0)]
    months = by_month(Snapshot(log_of(rows), pd.Timestamp(day)))
    assert len(months.starts) == (pd.Timestamp(day).month - 1)
    assert len(growth(months)) == max(len(months.starts) - 1, 0)
    history = states(months, Limits(30, 60))
    assert len(flows(history, months)) == max(len(months.starts) - 1, 0)


def test_limits_are_quantiles_of_the_gaps_that_ended_within_a_year():
    gaps = pd.DataFrame({"days": [*range(1, 201), *[360] * 100], "ended": [True] * 200 + [False] * 100})
    found = limits(gaps)
    assert (found.active, found.dormant) == (150, 190)  # of 200 that ended, 75% and 95%
    assert limits(gaps.assign(ended=False)) is None
    assert limits(gaps, active=10, dormant=20) == Limits(10, 20)
    with pytest.raises(ValueError, match="below the second"):
        limits(gaps, active=20, dormant=20)


def test_without_two_whole_months_of_orders_nothing_later_is_counted():
    months = by_month(Snapshot(log([("ann", "1", "2024-01-05", "p", 1, 1.0)]), pd.Timestamp("2024-02-01")))
    assert months.later_orders.empty
