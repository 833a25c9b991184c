"""The log of messages: orders in the window by hand and by pandas, times and flags, segments before the message."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.campaign.message_log import (
    AFTER,
    first_reported,
    message_log,
    responded,
    split_day,
    with_segments,
)
from customerlab.analysis.rfm.stability import NOT_YET

DAY = pd.Timestamp("2024-07-01")
SENT = [("ann", "M1", "2024-05-06 09:00", 0), ("bob", "M1", "2024-05-06 09:00", 1), ("ann", "M2", "2024-05-10 09:00", 0),
        ("ann", "M3", "2024-06-28 09:00", 0), ("cat", "M1", "2024-07-01 00:00", 0)]  # fmt: skip


def messages(**columns):
    """The messages above as a canonical table."""
    table = pd.DataFrame(SENT, columns=["customer_id", "campaign_id", "sent_at", "held_out"])
    table["sent_at"] = pd.to_datetime(table["sent_at"])
    return ibis.memtable(table.astype({"held_out": float}).assign(**columns))


def log(rows):
    """Order lines from rows of customer, order, time, product, quantity and price."""
    frame = pd.DataFrame(
        rows, columns=["customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price"]
    )
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"])
    return ibis.memtable(frame.assign(amount=frame["quantity"] * frame["unit_price"]))


ORDERS = [
    ("ann", "1", "2024-05-06 09:00", "pot", 1.0, 100.0),  # at the very time of sending: not after it
    ("ann", "2", "2024-05-12 10:00", "pot", 2.0, 5.0), ("ann", "2", "2024-05-12 10:00", "pan", 1.0, 3.0),
    ("ann", "3", "2024-05-17 09:00", "pan", 1.0, 20.0),  # just seven days after the second message
    ("bob", "4", "2024-05-07 09:00", "pot", 1.0, 7.0), ("dan", "5", "2024-05-07 09:00", "pot", 1.0, 9.0),
    ("ann", "6", "2024-06-30 09:00", "pot", 1.0, 1.0), ("ann", "7", "2024-07-02 09:00", "pot", 1.0, 1.0),
]  # fmt: skip


def test_orders_and_net_revenue_of_the_window():
    back = log([("ann", "C1", "2024-05-14 12:00", "pan", -1.0, 3.0)])
    found = message_log(messages(), None, log(ORDERS), day=DAY, window_days=7, returns=back)
    assert found["customer_id"].tolist() == ["ann", "bob", "ann", "ann"]  # sent on the day itself is left out
    assert found["campaign"].tolist() == ["M1", "M1", "M2", "M3"]
    assert found["held_out"].tolist() == [False, True, False, False]
    # the return annuls a line, so that it has the time of that line
    assert found["orders_after"].tolist()[:3] == [1, 1, 2]
    assert found["revenue_after"].tolist()[:3] == [10, 7, 30]
    assert found[AFTER].iloc[3].isna().all()  # the window is not over
    assert message_log(messages(), None, None, day=DAY, window_days=7)[AFTER].isna().all(axis=None)


def test_the_window_is_that_of_pandas_for_any_order_of_rows():
    rng = np.random.default_rng(1)
    at = pd.Timestamp("2024-01-01")
    sent = pd.DataFrame({
        "customer_id": rng.choice(list("abcdef"), 60), "campaign_id": "M",
        "sent_at": at + pd.to_timedelta(rng.integers(0, 150, 60), unit="D"),
    })  # fmt: skip
    placed = pd.DataFrame({
        "customer_id": rng.choice(list("abcdef"), 80), "order_id": [str(n) for n in range(80)], "amount": rng.integers(1, 90, 80) * 1.0,
        "ordered_at": at + pd.to_timedelta(rng.uniform(0, 180, 80), unit="D").round("s"),
    })  # fmt: skip
    found = message_log(ibis.memtable(sent), None, ibis.memtable(placed), day=DAY, window_days=10)
    for row in found.to_dict("records"):
        mine = placed[(placed["customer_id"] == row["customer_id"]) & (placed["ordered_at"] > row["sent"])]
        mine = mine[mine["ordered_at"] <= row["sent"] + pd.Timedelta(days=10)]
        assert (row["orders_after"], row["revenue_after"]) == (len(mine), mine["amount"].sum())
    mixed = [ibis.memtable(one.sample(frac=1, random_state=2)) for one in (sent, placed)]
    pd.testing.assert_frame_equal(message_log(mixed[0], None, mixed[1], day=DAY, window_days=10), found)


def test_names_offers_channels_times_and_flags():
    listed = ibis.memtable(
        pd.DataFrame({"campaign_id": ["M1", "M2"], "name": ["May", None], "offer": ["voucher", None]})
    )
    times = pd.to_datetime(["2024-05-06 10:00", None, None, None, None])
    given = messages(
        channel=["email", None, "text", "text", "text"], opened_at=times, opened=1.0, clicked=[2.0, np.nan, 0, 1, 1]
    )
    found = message_log(given, listed, None, day=DAY, window_days=7)
    assert found["campaign"].tolist() == ["May", "May", "M2", "M3"]
    assert found["offer"].tolist() == ["voucher", "voucher", "not stated", "not stated"]
    assert found["channel"].tolist() == ["email", "not stated", "text", "text"]
    assert found["opened"].notna().tolist() == [True, False, False, False]  # the time goes before the flag
    assert found["clicked"].fillna(-1).tolist() == [1, -1, 0, 1]  # a count is whether there were any
    assert found["converted"].isna().all() and found["revenue"].isna().all()


def test_segments_are_those_before_the_message():
    days = pd.to_datetime(["2024-05-01", "2024-06-01"])
    known = pd.DataFrame([["New", "Loyal"], [NOT_YET, "New"]], ["ann", "bob"], days)
    found = with_segments(message_log(messages(), None, None, day=DAY, window_days=7), known)
    assert found["segment"].fillna("").tolist() == ["New", "", "New", "Loyal"]
    nothing = with_segments(message_log(messages(), None, None, day=DAY, window_days=7), known.iloc[:0, :0])
    assert nothing["segment"].isna().all()


def test_the_split_day_leaves_messages_on_both_sides():
    sent = pd.DataFrame({"sent": pd.date_range("2024-01-01 09:00", periods=10), "held_out": False})
    assert split_day(sent) == pd.Timestamp("2024-01-07")
    assert split_day(sent.head(1)) is None and split_day(sent.head(0)) is None
    assert split_day(sent.assign(sent=pd.Timestamp("2024-01-01 09:00"))) is None
    assert split_day(sent.assign(held_out=True)) is None


def test_responses_of_machines_are_left_out():
    sent = pd.Timestamp("2024-05-06 09:00")
    opened = sent + pd.to_timedelta([1, 3600, None, None], unit="s")
    rows = pd.DataFrame({
        "customer_id": list("abcd"), "sent": sent, "opened": opened, "clicked": sent + pd.to_timedelta([60, None, None, None], unit="s"),
    })  # fmt: skip
    assert responded(rows)["customer_id"].tolist() == ["a", "b"]
    assert responded(rows.assign(opened=1.0, clicked=1.0)).empty


@pytest.mark.parametrize(("clicked", "converted", "any_", "all_"), [
    ([1, 1], [1, 1], "clicked", "clicked"), ([1, 0], [1, 1], "clicked", "converted"),
    ([0, 0], [0, 1], "converted", "orders_after"), ([0, 0], [0, 0], "orders_after", "orders_after"),
])  # fmt: skip
def test_the_outcome_is_one_that_channels_report(clicked, converted, any_, all_):
    rows = pd.DataFrame({"channel": ["email", "text"], "held_out": False, "clicked": clicked, "converted": converted})
    assert (first_reported(rows, by_all=False), first_reported(rows, by_all=True)) == (any_, all_)
