"""Event logs, totals and splits that change: the same units and effects on both engines."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import experiment
from customerlab.data import canonical, clean, trials
from customerlab.data.mapping import table_map_of
from customerlab.data.sources import Source

SEEN = {"column": "event", "in": ["seen"]}
LOG = {
    "columns": {"unit_id": "user", "variant": "arm", "exposed_at": "at"},
    "events": {"exposure": SEEN, "window_days": 5},
    "outcomes": {
        "bought": {"column": "event", "in": ["bought"]}, "money": {"sum": "money"},
        "orders": {"column": "event", "in": ["bought"], "each": True},
    },
    "covariates": ["country"],
}  # fmt: skip
PLAN = ["control: 3", "new: 1", "from 2024-03-05: control: 1, new: 1"]


def log(n=4000):
    rng = np.random.default_rng(5)
    who = rng.integers(0, n // 8, n)
    frame = pd.DataFrame({
        "unit_id": [f"u{i:03d}" for i in who], "variant": np.where(who % 2, "new", "control"),
        "exposed_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 21 * 86400, n), unit="s"),
        "event_event": rng.choice(["seen", "bought", "looked"], n), "outcome_money": np.round(rng.gamma(1, 20, n), 2),
        "covariate_country": rng.choice(["DE", "FR"], n),
    })  # fmt: skip
    frame.loc[frame["event_event"] == "looked", "variant"] = None
    return frame


def people(n=3000):
    rng = np.random.default_rng(6)
    day = rng.integers(0, 9, n)
    return pd.DataFrame({
        "unit_id": [f"u{i:04d}" for i in range(n)],
        "variant": np.where(rng.random(n) < np.where(day < 4, 0.25, 0.5), "new", "control"),
        "assigned_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(day, unit="D"),
        "outcome_visit": (rng.random(n) < 0.2 + 0.02 * day).astype(float),
        "outcome_spend": np.round(rng.gamma(0.5, 40, n) * (1 + day), 2), "covariate_age": rng.integers(20, 60, n),
    })  # fmt: skip


def totals(frame):
    grouped = frame.assign(squares_spend=frame["outcome_spend"] ** 2).groupby(["variant", "assigned_at"])
    summed = grouped[["outcome_visit", "outcome_spend", "squares_spend"]].sum()
    return summed.assign(units=grouped.size().astype(float)).reset_index()


def within(engine, frame, folder):
    frame = frame.assign(**{n: frame[n].astype("datetime64[us]") for n in frame if n.endswith("_at")})
    frame.to_parquet(folder / "frame.parquet", index=False)
    return engine.read_parquet(folder / "frame.parquet", table_name=ibis.util.gen_name("frame"))


def test_events_become_the_same_units(engine, tmp_path):
    table_map = table_map_of("experiment", LOG, {"it": Source("it", ())}, "here")
    found = []
    for table in (within(engine, log(), tmp_path), ibis.memtable(log())):
        marked = trials.mark(clean.mark(table, table_map.clean), table_map.events)
        survey = canonical.survey(marked)
        trials.check(marked, survey, table_map, lambda *_: "here")
        steps = canonical.row_accounting(survey, "experiment", table_map, "here")
        units = canonical.kept(marked, "experiment", table_map.events).to_pandas()
        found.append((units.sort_values(["unit_id", "variant"], ignore_index=True), steps))
    pd.testing.assert_frame_equal(found[0][0], found[1][0], check_exact=True, check_dtype=False)
    assert found[0][1] == found[1][1] and len(found[0][1]) == 5


@pytest.mark.parametrize("summed", [False, True])
def test_a_split_that_changes_and_totals_are_analysed_alike(engine, tmp_path, summed):
    frame = totals(people()) if summed else people()
    tests = [
        experiment.Test(table, planned_split=PLAN, runs=20)
        for table in (within(engine, frame, tmp_path), ibis.memtable(frame))
    ]
    one, other = tests
    assert one.ratio.pvalue == pytest.approx(other.ratio.pvalue) and one.ratio.pvalue > 0.001
    pd.testing.assert_frame_equal(one.soundness.table, other.soundness.table)
    pd.testing.assert_frame_equal(one.effects, other.effects, rtol=1e-9)
    assert one.effects["randomised"].isna().all()
    pd.testing.assert_frame_equal(one.ratio_over_time, other.ratio_over_time)
