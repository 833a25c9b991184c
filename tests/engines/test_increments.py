"""Features from a saved state and new rows are those of the whole log, on both engines."""

from itertools import pairwise

import pandas as pd
import pyarrow.parquet as pq
import pytest

from customerlab.analysis.increments import State, added, begin, features
from customerlab.analysis.orders import Snapshot, before, since
from customerlab.data.engine import open_table

DAYS = [pd.Timestamp(day) for day in ("2024-05-01", "2024-05-02", "2024-05-08")]


@pytest.fixture(scope="module")
def paths(real_table):
    """The parquet files of the demo shop."""
    return {name: real_table("demo", name).path for name in ("transactions", "returns")}


def test_days_from_parquet_to_parquet_give_the_features_of_the_whole_log(engine, paths, tmp_path):
    log, back = (open_table(engine, path) for path in paths.values())

    def saved(state, name):
        """Each table as one more file, and all files of its folder."""
        opened = []
        for table in ("customers", "orders"):
            (tmp_path / table).mkdir(exist_ok=True)
            pq.write_table(getattr(state, table).to_pyarrow(), tmp_path / table / f"{name}.parquet")
            files = sorted((tmp_path / table).glob("*.parquet"))
            parts = [open_table(engine, file) for file in files]
            opened.append(parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0])
        return State(*opened, state.day)

    state = saved(begin(Snapshot(log, DAYS[0], back)), "0")
    for first, last in pairwise(DAYS):
        more = added(state, *(before(since(rows, first), last) for rows in (log, back)))
        state = saved(more, f"{last:%d}")
        whole = Snapshot(log, last, back).customers()
        pd.testing.assert_frame_equal(features(state, last), whole, check_exact=True)
        changed = features(state, last, more)
        of_changed = whole[whole["customer_id"].isin(changed["customer_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(changed, of_changed, check_exact=True)
        assert 0 < len(changed) < len(whole)
    assert (whole["returned"] > 0).any() and len(whole) > 1_000
