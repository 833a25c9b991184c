"""Totals give what the units behind them give, as far as totals know; and what needs units is left out."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import chi2

from customerlab.analysis import experiment
from customerlab.errors import DataError

CALM = {"runs": 50, "planned_split": ["control: 2", "new: 1"], "guardrails": ["visit: 0.5"]}


def people(n=3000, seed=1):
    rng = np.random.default_rng(seed)
    arm = np.where(rng.random(n) < 1 / 3, "new", "control")
    return pd.DataFrame({
        "unit_id": [f"u{i}" for i in range(n)], "variant": arm,
        "exposed_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 14, n), unit="D"),
        "outcome_visit": (rng.random(n) < np.where(arm == "new", 0.26, 0.2)).astype(float),
        "outcome_spend": np.round(rng.gamma(0.5, 40, n) * np.where(arm == "new", 1.2, 1), 2),
    })  # fmt: skip


def totals(frame, *by):
    """What a shop's own report would have."""
    grouped = frame.assign(squares_spend=frame["outcome_spend"] ** 2).groupby(["variant", *by])
    summed = grouped[["outcome_visit", "outcome_spend", "squares_spend"]].sum()
    return summed.assign(units=grouped.size().astype(float)).reset_index()


@pytest.fixture(scope="module", params=[(), ("exposed_at",)], ids=["arms", "days"])
def both(request):
    frame = people()
    units = frame if request.param else frame.drop(columns="exposed_at")
    return [experiment.Test(ibis.memtable(one), **CALM) for one in (units, totals(frame, *request.param))]


def same(one, other, **options):
    pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=1e-9, **options)


@pytest.mark.slow
def test_what_totals_know_is_what_the_units_say(both):
    units, summed = both
    assert summed.sound and units.sound
    same(units.ratio.table, summed.ratio.table)
    assert units.ratio.pvalue == pytest.approx(summed.ratio.pvalue)
    same(units.effects.drop(columns="randomised"), summed.effects.drop(columns="randomised"))
    assert units.effects["randomised"].notna().any() and summed.effects["randomised"].isna().all()
    same(units.totals, summed.totals)
    same(units.reach, summed.reach)
    same(units.bayesian, summed.bayesian, atol=1e-9)
    same(units.ratio_over_time, summed.ratio_over_time)
    assert units.daily.keys() == summed.daily.keys()
    for arm, table in units.daily.items():
        same(table, summed.daily[arm])
    assert units.decision["verdict"].tolist() == summed.decision["verdict"].tolist()


@pytest.mark.slow
def test_what_needs_units_is_left_out_with_a_sentence(both):
    summed = both[1]
    left_out = [summed.simulated, summed.ways, summed.moved, summed.by_segment.table]
    assert all(table.empty for table in left_out) and not any(summed.models) and summed.came == 3000
    said = " ".join(experiment.sentences.soundness(summed))
    assert "Rows are totals. Left out is what needs single units: " in said and "no covariates" not in said
    assert "Rows have no ids, so these cannot be checked: one row per unit, units in one arm." in said
    assert experiment.sentences.findings(summed) and experiment.sentences.segments(summed)
    ratio = experiment.Test(summed.table, ratios=["spend / visit"], **CALM)
    assert experiment.sentences.ratios(ratio) == [
        "spend / visit is left out: totals do not say how the two outcomes vary together."
    ]
    assert experiment.with_customer_groups(summed.table, None, None)[1].endswith("left out: rows are totals.")


def test_means_are_those_of_welch_from_statistics():
    frame = people()
    found = experiment.Test(ibis.memtable(totals(frame)), primary="spend", **CALM).effects.set_index("metric")
    spend = [frame.loc[frame["variant"] == arm, "outcome_spend"] for arm in ("new", "control")]
    wanted = stats.ttest_ind(*spend, equal_var=False)
    ends = wanted.confidence_interval(0.95)
    assert found.loc["spend", ["effect_low", "effect_high", "pvalue"]].tolist() == pytest.approx(
        [ends.low, ends.high, wanted.pvalue]
    )


def test_published_counts_are_compared_as_proportions():
    """One row per arm of 10,234 and 10,311 users, 1,023 and 1,130 of whom converted."""
    table = pd.DataFrame({"variant": ["control", "new"], "units": [10234.0, 10311], "outcome_order": [1023.0, 1130]})
    row = experiment.Test(ibis.memtable(table)).effects.iloc[0]
    wanted = stats.chi2_contingency([[1023, 10234 - 1023], [1130, 10311 - 1130]], correction=False)
    assert row["pvalue"] == pytest.approx(wanted.pvalue) and round(row["pvalue"], 3) == 0.024
    assert round(100 * row["effect"], 2) == 0.96
    assert row["effect_low"] == pytest.approx(0.0013, abs=5e-5) and row["effect_high"] == pytest.approx(
        0.0180, abs=5e-5
    )


def test_a_broken_split_of_daily_totals_is_found():
    rows = []
    for arm, users in (("control", 31_112), ("new", 27_516)):
        for day in range(28):
            today = users // 28 + (users % 28 if day == 27 else 0)
            rows.append((arm, pd.Timestamp("2024-03-01") + pd.Timedelta(days=day), today, today // 10))
    daily = pd.DataFrame(rows, columns=["variant", "exposed_at", "units", "outcome_order"])
    test = experiment.Test(ibis.memtable(daily))
    assert test.ratio.table["units"].tolist() == [31_112, 27_516]
    assert test.ratio.pvalue == pytest.approx(chi2.sf((31_112 - 27_516) ** 2 / (31_112 + 27_516), 1), rel=1e-9)
    assert not test.sound and test.effects.empty
    assert "control has 53.07% of the units, planned 50.00%" in test.soundness.refusal()


@pytest.mark.slow
def test_totals_with_gaps_or_too_few_are_not_concluded_from():
    frame = totals(people()).assign(outcome_spend=[1e4, np.nan])
    test = experiment.Test(ibis.memtable(frame), **CALM)
    assert "missing outcomes: spend in new for " in test.soundness.refusal()
    # one unit spent all of it: the squares tell
    lone = pd.DataFrame({
        "variant": ["control", "new"], "units": [500.0, 500.0], "outcome_spend": [900.0, 4000.0],
        "squares_spend": [900.0**2, 4000.0**2],
    })  # fmt: skip
    few = experiment.Test(ibis.memtable(lone)).effects["few"].iloc[0]
    assert few == "too few to tell (2 units with spend at least, by its sums of squares, in these arms)"


@pytest.mark.slow
def test_exposures_before_the_test_began_are_counted_in_units():
    frame = totals(people(), "exposed_at")
    test = experiment.Test(ibis.memtable(frame), began="2024-03-02", **CALM)
    early = int(frame.loc[frame["exposed_at"] < "2024-03-02", "units"].sum())
    assert f"exposure after assignment: {early} units exposed before" in test.soundness.refusal()


def test_totals_have_no_values():
    with pytest.raises(ValueError, match="rows are totals"):
        experiment.Measured.of(ibis.memtable(totals(people()))).values(["outcome_spend"])
    test = experiment.Test(
        ibis.memtable(totals(people())), planned_split=["control: 1", "new: 1", "from 2024-03-05: control: 1"]
    )
    with pytest.raises(DataError, match="has no times"):
        _ = test.ratio
