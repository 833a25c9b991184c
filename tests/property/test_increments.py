"""Any split of a log into days gives the features of the whole log, to the last digit."""

from itertools import pairwise

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from customerlab.analysis.increments import State, added, begin, features
from customerlab.analysis.orders import Snapshot, before, since
from helpers import log

BEGIN = pd.Timestamp("2024-01-01")
LINES = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from("123456"), st.integers(0, 7 * 24), st.integers(1, 3),
        st.sampled_from([0.1, 0.2, 0.7, 3.3333, 1e7]),
    ),
    min_size=1, max_size=30,
)  # fmt: skip


def table(rows, sign):
    return log(
        [(who, what, BEGIN + pd.Timedelta(hours=hour), "pot", sign * n, price) for who, what, hour, n, price in rows]
    )


def saved(state, *more):
    """A state, and what was added to it, as they are when they were written and read again."""
    parts = [
        pa.concat_tables([getattr(one, name).to_pyarrow() for one in (state, *more)])
        for name in ("customers", "orders")
    ]
    return State(*(ibis.memtable(part) for part in parts), (more[-1] if more else state).day)


@pytest.mark.slow
@settings(max_examples=8)
@given(LINES, LINES, st.sets(st.integers(0, 7), min_size=1, max_size=3), st.booleans())
def test_any_split_into_days_gives_the_features_of_the_whole_log(lines, back, cuts, returning):
    transactions, returns = table(lines, 1), table(back, -1) if returning else None
    days = [BEGIN + pd.Timedelta(days=cut) for cut in [*sorted(cuts), 8]]
    state = saved(begin(Snapshot(transactions, days[0], returns)))
    for first, last in pairwise(days):
        new = [None if rows is None else before(since(rows, first), last) for rows in (transactions, returns)]
        more = added(state, *new)
        state = saved(state, more)
        shop = Snapshot(transactions, last, returns)
        if not shop.known.count().execute():
            continue
        whole = shop.customers()
        pd.testing.assert_frame_equal(features(state, last), whole, check_exact=True)
        changed = features(state, last, more)
        of_changed = whole[whole["customer_id"].isin(changed["customer_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(changed, of_changed, check_exact=True)
