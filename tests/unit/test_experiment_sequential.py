"""While a test runs: published bounds, error rates over many looks, and the picture over time."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment.sequential import spent
from customerlab.figures import experiment as figures

RUNS = 4000
FIVE = [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.fixture(scope="module")
def paths():
    """Estimates of nothing after each of 28 days, 100 units a day, with their errors."""
    rng = np.random.default_rng(0)
    days = np.arange(1, 29)
    effect = rng.normal(0, 1, (RUNS, 28)).cumsum(axis=1) / days
    return effect, 1 / np.sqrt(days) * np.ones((RUNS, 1)), days / 28


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spending", "published"),
    [  # DeMets and Lan (1994), table II; four digits: the R package ldbounds
        ("obrien-fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_published_bounds_of_five_looks(spending, published):
    found = experiment.bounds(FIVE, spending=spending)
    assert found["bound"].tolist() == pytest.approx(published, abs=2e-4)
    assert found["spent"].iloc[-1] == pytest.approx(0.05)


def test_published_bounds_of_three_looks():
    assert experiment.bounds([1 / 3, 2 / 3, 1])["bound"].tolist() == pytest.approx([3.710, 2.511, 1.993], abs=6e-4)


@pytest.mark.slow
def test_one_look_is_the_fixed_test():
    for spending in ("obrien-fleming", "pocock"):
        assert experiment.bounds([1], spending=spending)["bound"].tolist() == pytest.approx([stats.norm.ppf(0.975)])


@pytest.mark.slow
def test_constant_bounds_spend_what_pocock_1977_says():
    # the same number at five looks for a level of 0.05 is 2.413 (Pocock 1977, table 1): spent as the paths leave it
    rng = np.random.default_rng(1)
    z = rng.normal(0, 1, (400_000, 5)).cumsum(axis=1) / np.sqrt(np.arange(1, 6))
    assert (abs(z) > 2.413).any(axis=1).mean() == pytest.approx(0.05, abs=0.001)
    bound = experiment.bounds(FIVE)["bound"].to_numpy()
    left = np.maximum.accumulate(abs(z) > bound, axis=1).mean(axis=0)
    assert left == pytest.approx(spent(np.array(FIVE), 0.05, "obrien-fleming"), abs=0.001)


@pytest.mark.slow
def test_peeking_without_a_method_is_wrong_and_with_one_right(paths):
    effect, error, share = paths
    z = effect / error
    five = [4, 10, 16, 22, 27]
    assert (abs(z[:, five]) > 1.96).any(axis=1).mean() > 0.12
    assert (abs(z) > 1.96).any(axis=1).mean() > 0.2, "daily"
    for spending in ("obrien-fleming", "pocock"):
        bound = experiment.bounds(share, spending=spending)["bound"].to_numpy()
        assert 0.04 <= (abs(z) > bound).any(axis=1).mean() <= 0.06, spending
    low, high, p = experiment.confidence_sequence(effect, error, share)
    outside = (low > 0) | (high < 0)
    assert outside.any(axis=1).mean() <= 0.05
    assert ((p < 0.05) == outside).all()
    truth = 0.3
    low, high, _ = experiment.confidence_sequence(effect + truth, error, share)
    assert ((low <= truth) & (truth <= high)).all(axis=1).mean() >= 0.95


@pytest.mark.slow
def test_a_confidence_sequence_holds_far_beyond_the_plan():
    rng = np.random.default_rng(2)
    n = np.unique(np.logspace(1, 5, 200).astype(int))
    walk = np.array([rng.normal(0, 1, 100_000).cumsum()[n - 1] for _ in range(1000)])
    low, high, _ = experiment.confidence_sequence(walk / n, 1 / np.sqrt(n) * np.ones((1000, 1)), n / 1000)
    assert ((low > 0) | (high < 0)).any(axis=1).mean() <= 0.05


def test_the_sequence_is_narrowest_about_the_planned_end_and_agrees_with_its_formula():
    share = np.logspace(-3, 3, 601)
    low, high, _ = experiment.confidence_sequence(np.zeros(601), np.ones(601), share)
    assert share[np.argmin(high - low)] == pytest.approx(1, abs=0.35)
    # Robbins: exp(n² x² ρ² / (2 (1 + n ρ²))) / √(1 + n ρ²) = 1 / α at the edge, where the standard error is 1 / √n
    n, rho2 = 50.0, (-2 * np.log(0.05) + np.log(1 - 2 * np.log(0.05))) / 200
    _, edge, p = experiment.confidence_sequence(np.array([0.0]), np.array([1 / np.sqrt(n)]), np.array([n / 200]))
    supermartingale = np.exp(n**2 * edge**2 * rho2 / (2 * (1 + n * rho2))) / np.sqrt(1 + n * rho2)
    assert supermartingale == pytest.approx(20) and p == 1


@pytest.mark.slow
def test_bounds_need_rising_shares():
    for wrong in ([], [0, 1], [0.5, 0.5], [0.5, 1.1], [0.8, 0.4]):
        with pytest.raises(ValueError, match="expected rising shares"):
            experiment.bounds(wrong)
    with pytest.raises(ValueError, match="expected 'obrien-fleming' or 'pocock'"):
        experiment.bounds([1], spending="haybittle")
    assert np.isfinite(experiment.bounds(np.linspace(0.001, 1, 60))["bound"]).all()


@pytest.mark.slow
def test_the_picture_over_time_is_of_all_units_so_far():
    rng = np.random.default_rng(3)
    n = 3000
    frame = pd.DataFrame(
        {
            "variant": rng.choice(["control", "new", "other"], n),
            "day": rng.integers(1, 15, n),
            "outcome_spend": rng.gamma(1, 10, n),
        }
    )
    frame["outcome_spend"] += 2 * (frame["variant"] == "new")
    found = experiment.moments(ibis.memtable(frame), ["outcome_spend"], ["variant", "day"])
    metric = experiment.Metric("spend", "outcome_spend")
    pair = frame[frame["variant"] != "other"]
    planned = float((pair["day"] <= 12).sum())
    table = experiment.over_time(found, metric, "new", "control", planned_units=planned)
    assert table["day"].tolist() == list(range(1, 15)) and table["units"].iloc[-1] == len(pair)
    part = pair[pair["day"] <= 6]
    new, old = (part.loc[part["variant"] == arm, "outcome_spend"] for arm in ("new", "control"))
    test = stats.ttest_ind(new, old, equal_var=False)
    row = table.set_index("day").loc[6]
    assert [row["fixed_low"], row["fixed_high"]] == pytest.approx(list(test.confidence_interval(0.95)), rel=1e-9)
    assert (table["always_low"] < table["fixed_low"]).all() and (table["always_high"] > table["fixed_high"]).all()
    assert table["group_low"].isna().tolist() == [False] * 12 + [True] * 2
    bound = experiment.bounds((table["units"] / planned).to_numpy()[:12])["bound"].to_numpy()
    reach = (table["group_high"] - table["effect"]).to_numpy()[:12]
    assert reach == pytest.approx(bound * table["error"].to_numpy()[:12])
    with pytest.raises(ValueError, match="there is no arm 'old'; expected some of control"):
        experiment.over_time(found, metric, "old", "control", planned_units=planned)


def test_the_figure_says_when_each_interval_left_zero():
    table = pd.DataFrame(
        {
            "day": pd.date_range("2024-05-01", periods=3),
            "units": [10, 20, 30],
            "effect": [1.0, 1.0, 1.0],
            "error": [1.0, 0.6, 0.4],
        }
    )
    for kind, lows in {"fixed": [-1, 0.1, 0.2], "always": [-9, -1, -0.5], "group": [-9, -1, 0.1]}.items():
        table[f"{kind}_low"], table[f"{kind}_high"] = lows, [2 - low for low in lows]
    picture = figures.over_time(table, "spend", "new", "control", 0.95)
    assert "fixed horizon 0.2 to 1.8, first excludes zero: 2024-05-02" in picture.alt
    assert "group-sequential 0.1 to 1.9, first excludes zero: 2024-05-03" in picture.alt
    assert "confidence sequence -0.5 to 2.5, first excludes zero: never" in picture.alt and picture.png()


@pytest.mark.slow
def test_before_the_planned_end_no_more_is_said_than_its_bounds_allow():
    rng = np.random.default_rng(8)
    n = 2000
    frame = pd.DataFrame(
        {
            "unit_id": [str(i) for i in range(n)],
            "variant": np.resize(["control", "new", "strong"], n),
            "exposed_at": pd.Timestamp("2024-05-01") + pd.to_timedelta(np.arange(n) * 10 // n, unit="D"),
            "outcome_spend": rng.normal(10, 5, n),
        }
    )
    frame["outcome_spend"] += 3 * (frame["variant"] == "strong") + 0.7 * (frame["variant"] == "new")
    units, metric = ibis.memtable(frame), experiment.Metric("spend", "outcome_spend")
    sums = experiment.sequential.by_day(units, ["outcome_spend"])
    daily = {arm: experiment.over_time(sums, metric, arm, "control", planned_units=6000) for arm in ("new", "strong")}
    plain = experiment.compare_arms(units, [metric], "control").set_index("variant")
    assert plain.loc["new", "effect_low"] > 0, "an ordinary interval would already be clear"
    said = experiment.sequential.interim(daily, metric, n, 6000, " EUR per customer")
    assert said[0].startswith("The test is not finished: 2,000 of 6,000 planned units have joined.")
    assert " EUR per customer (group-sequential CI " in said[1]
    assert said[1].endswith("inconclusive.") and said[2].endswith("significant: the test may be stopped.")
    assert "Too few days or units" in experiment.sequential.interim({}, metric, n, 6000)[1]


@pytest.mark.slow
def test_looks_begin_with_twenty_units_of_both_arms():
    frame = pd.DataFrame(
        {
            "unit_id": [str(i) for i in range(90)], "variant": np.resize(["control", "new"], 90),
            "exposed_at": pd.Timestamp("2024-05-01") + pd.to_timedelta(np.arange(90) // 10, unit="D"),
            "outcome_spend": np.random.default_rng(1).random(90),
        }
    )  # fmt: skip
    metric = experiment.Metric("spend", "outcome_spend")
    sums = experiment.sequential.by_day(ibis.memtable(frame), ["outcome_spend"])
    table = experiment.over_time(sums, metric, "new", "control", planned_units=90)
    assert table["day"].iloc[0] == pd.Timestamp("2024-05-04") and table["units"].iloc[0] == 40
    few = experiment.sequential.by_day(ibis.memtable(frame.head(30)), ["outcome_spend"])
    assert experiment.over_time(few, metric, "new", "control", planned_units=90).empty
