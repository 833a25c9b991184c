"""Before a test: published sample sizes, what simulated tests find, and who gets what."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment import Layer, Metric
from customerlab.analysis.experiment.contrasts import Value
from customerlab.analysis.experiment.design import Baseline

RUNS = 2000


# ---- sizes


def test_published_sizes_and_powers():
    # Cohen (1988), table 2.4.1, two-sided 0.05: units an arm for a power of 0.8
    for effect, units in ((0.2, 394), (0.5, 64), (0.8, 26)):
        assert experiment.sample_size(Baseline(0, 1), effect)["control"] == units
    # the manual of R's power.t.test and power.prop.test
    assert experiment.design.power_of(Baseline(0, 1), 1, (20, 20)) == pytest.approx(0.8689528, abs=1e-6)
    assert experiment.sample_size(Baseline(0, 1), 1, power=0.9)["control"] == 23  # 22.02110
    assert experiment.sample_size(Baseline(0, 1), 1, power=0.9, alternative="greater")["control"] == 18  # 17.84713
    assert experiment.design.power_of(Baseline(0.5, 0, True), 0.25, (50, 50)) == pytest.approx(0.7401659, abs=1e-3)
    assert experiment.sample_size(Baseline(0.5, 0, True), 0.25, power=0.9)["control"] == 77  # 76.7
    # Fleiss, Levin and Paik (2003), without the correction for continuity: 0.10 against 0.15
    assert experiment.sample_size(Baseline(0.10, 0, True), 0.05)["control"] == 686


@pytest.mark.thorough
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_simulated_tests_find_what_was_promised(alternative):
    rng = np.random.default_rng(0)
    sign = -1 if alternative == "less" else 1
    size = experiment.sample_size(Baseline(0.08, 0, True), sign * 0.03, alternative=alternative, power=0.85)
    n = int(size["control"])
    found = experiment.proportions(
        rng.binomial(n, 0.08 + sign * 0.03, 4 * RUNS),
        np.full(4 * RUNS, n),
        rng.binomial(n, 0.08, 4 * RUNS),
        np.full(4 * RUNS, n),
        alternative=alternative,
    )
    assert np.mean(found.pvalue < 0.05) == pytest.approx(0.85, abs=0.015)
    size = experiment.sample_size(Baseline(10, 4), sign * 1.5, arms=4, control_share=0.4, alternative=alternative)
    n, m = int(size["control"]), int(size["each_treatment"])
    assert n / (n + 3 * m) == pytest.approx(0.4, abs=0.01) and size["total"] == n + 3 * m
    control, treatment = rng.normal(10, 4, (RUNS, n)), rng.normal(10 + sign * 1.5, 4, (RUNS, m))
    test = stats.ttest_ind(treatment, control, axis=1, equal_var=False, alternative=alternative)
    assert np.mean(test.pvalue < 0.05 / 3) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("base", [Baseline(20, 35), Baseline(0.04, 0, True)])
@pytest.mark.parametrize("alternative", ["two-sided", "less"])
def test_the_detectable_effect_is_the_one_that_needs_so_many_units(base, alternative):
    effect = experiment.detectable(base, 12_000, arms=3, alternative=alternative)
    assert effect > 0
    sign = -1 if alternative == "less" else 1
    needed = experiment.sample_size(base, sign * effect, arms=3, alternative=alternative)
    assert needed["total"] == pytest.approx(12_000, abs=3)
    wider = experiment.detectable(base, 3_000, arms=3, alternative=alternative)
    assert wider > effect


def test_a_proportion_cannot_change_by_more_than_there_is():
    assert np.isnan(experiment.detectable(Baseline(0.01, 0, True), 40, alternative="less"))
    assert np.isnan(experiment.design.power_of(Baseline(0.01, 0, True), -0.02, (10, 10)))


def test_a_great_many_units_and_great_effects():
    assert experiment.design.power_of(Baseline(0, 1), 50, (100, 100)) == 1
    powers = [experiment.design.power_of(Baseline(0, 1), effect, (3, 3)) for effect in np.linspace(0, 30, 200)]
    assert powers[0] == pytest.approx(0.05) and (np.diff(powers) >= -1e-12).all() and powers[-1] > 0.9999
    needed = experiment.sample_size(Baseline(0, 1), 1e-4)
    assert needed["control"] == pytest.approx(2 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2 * 1e8, rel=1e-5)
    for wrong in (
        {"effect": 0},
        {"effect": -1, "alternative": "greater"},
        {"effect": 1, "arms": 1},
        {"effect": 1, "power": 1},
    ):
        with pytest.raises(ValueError, match="no test finds that"):
            experiment.sample_size(Baseline(0, 1), **wrong)


def test_the_baseline_is_what_a_test_will_see():
    rng = np.random.default_rng(2)
    n = 4000
    before = rng.gamma(2, 10, n)
    past = pd.DataFrame(
        {
            "variant": rng.choice(["x", "y"], n),
            "outcome_spend": before + rng.normal(0, 10, n),
            "outcome_orders": rng.poisson(3, n) + 1.0,
            "covariate_before": before,
        }
    )
    found = experiment.moments(ibis.memtable(past), ["outcome_spend", "outcome_orders", "covariate_before"])
    plain = experiment.baseline(found, Metric("spend", "outcome_spend"))
    assert (plain.mean, plain.deviation) == pytest.approx((past["outcome_spend"].mean(), past["outcome_spend"].std()))
    rho = past["outcome_spend"].corr(past["covariate_before"])
    adjusted = experiment.baseline(found, Metric("spend", "outcome_spend", covariate="covariate_before"))
    assert adjusted.deviation == pytest.approx(plain.deviation * np.sqrt(1 - rho**2))
    ratio = experiment.baseline(found, Metric("per order", "outcome_spend", "outcome_orders"))
    linear = (past["outcome_spend"] - ratio.mean * past["outcome_orders"]) / past["outcome_orders"].mean()
    assert ratio.mean == pytest.approx(past["outcome_spend"].sum() / past["outcome_orders"].sum())
    assert ratio.deviation == pytest.approx(linear.std())


def test_days_until_enough_have_come():
    assert experiment.run_length(700, 100) == 7 and experiment.run_length(701, 100) == 14
    # 90, 70, 50 new ones on the first days, then the last week again
    first = [90, 70, 50, 40, 30, 20, 10, 10]
    assert experiment.run_length(310, first) == 7 and experiment.run_length(311, first) == 14
    assert experiment.run_length(320 + 230 * 3 - 40, first) == 28 and experiment.run_length(1001, first) == 35
    with pytest.raises(ValueError, match="expected some on one of the last days"):
        experiment.run_length(10, [5] + [0] * 7)


# ---- assignment


@pytest.fixture(scope="module")
def crowd():
    return ibis.memtable({"unit_id": [f"C{i:06d}" for i in range(30_000)]})


def arms_of(crowd, *tests):
    columns = {f"t{place}": experiment.assign(crowd.unit_id, *test) for place, test in enumerate(tests)}
    return crowd.mutate(**columns).order_by("unit_id").to_pandas()


def test_the_split_is_as_planned_and_tests_are_independent(crowd):
    split = {"control": 7, "a": 2, "b": 1}
    table = arms_of(crowd, ("one", split), ("two", split))
    counts = table["t0"].value_counts()[list(split)]
    assert stats.chisquare(counts, np.array([0.7, 0.2, 0.1]) * 30_000).pvalue > 0.001
    assert stats.chi2_contingency(pd.crosstab(table["t0"], table["t1"])).pvalue > 0.001
    numbers = table["unit_id"].str[1:].astype(int)
    assert stats.chi2_contingency(pd.crosstab(table["t0"], numbers % 7)).pvalue > 0.001, "no pattern in the ids"


def test_a_unit_keeps_its_arm_whoever_else_is_there(crowd):
    split = {"control": 1, "a": 1}
    whole = arms_of(crowd, ("one", split))
    some = arms_of(crowd.filter(crowd.unit_id > "C02"), ("one", split))
    pd.testing.assert_frame_equal(whole[whole["unit_id"] > "C02"].reset_index(drop=True), some)


def test_tests_of_a_layer_never_meet(crowd):
    layer = Layer("prices", {"one": (0, 0.5), "two": (0.5, 0.8)})
    split = {"control": 1, "a": 1}
    table = arms_of(crowd, ("one", split, layer), ("two", split, layer), ("free", split))
    assert not (table["t0"].notna() & table["t1"].notna()).any()
    assert table["t0"].notna().mean() == pytest.approx(0.5, abs=0.01) and table["t1"].notna().mean() == pytest.approx(
        0.3, abs=0.01
    )
    inside = table.dropna(subset="t0")
    assert (inside["t0"] == "a").mean() == pytest.approx(0.5, abs=0.015), (
        "the place in the layer says nothing of the arm"
    )
    assert stats.chi2_contingency(pd.crosstab(inside["t0"], inside["t2"])).pvalue > 0.001


def test_what_cannot_be_assigned_is_named(crowd):
    with pytest.raises(ValueError, match="'one' and 'two' overlap"):
        Layer("prices", {"two": (0.4, 0.8), "one": (0, 0.5)})
    with pytest.raises(ValueError, match="expected shares from 0 to 1"):
        Layer("prices", {"one": (0.5, 1.5)})
    with pytest.raises(ValueError, match="has no slot for 'three'; its tests are one"):
        experiment.assign(crowd.unit_id, "three", {"control": 1}, Layer("prices", {"one": (0, 1)}))
    with pytest.raises(ValueError, match="a weight above zero"):
        experiment.assign(crowd.unit_id, "one", {"control": 1, "a": 0})
    assert set(arms_of(crowd, ("one", {"all": 1}))["t0"]) == {"all"}


# ---- simulation


def people(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    before = rng.gamma(1, 20, n)
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)],
            "spend": (rng.random(n) < 0.1) * rng.gamma(1, 30, n) + before / 10,
            "orders": rng.poisson(2, n) + 1.0,
            "bought": (rng.random(n) < 0.1) * 1.0,
            "before": before,
        }
    )


METRICS = [
    Metric("spend", "spend"),
    Metric("adjusted", "spend", covariate="before"),
    Metric("per order", "spend", "orders"),
    Metric("bought", "bought", proportion=True),
]


@pytest.mark.thorough
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_sound_metric_finds_nothing_and_covers_a_planted_effect_as_often_as_promised(metric):
    found = experiment.simulate_tests(people(), metric, seed=3, runs=RUNS, lift=0.3, sizes=(2_000, 3_000))
    assert found.sound and found.verdict == "valid" and len(found.pvalues) == RUNS
    assert 0.04 <= found.rate <= 0.06 and 0.935 <= found.coverage <= 0.965
    if not metric.proportion:
        assert stats.kstest(found.pvalues, "uniform").pvalue > 0.001


def test_a_metric_that_one_unit_carries_is_found_out():
    whale = people(200)
    whale.loc[0, "spend"] = 1e6
    found = experiment.simulate_tests(whale, Metric("spend", "spend"), seed=1, sizes=(20, 180), runs=RUNS)
    assert not found.sound and found.verdict == "intervals too short"


def test_skew_that_cancels_in_arms_of_one_size_is_seen_in_unequal_ones_and_with_an_effect():
    rng = np.random.default_rng(3)
    n = 4_000
    skewed = pd.DataFrame(
        {"unit_id": np.arange(n).astype(str), "spend": (rng.random(n) < 0.05) * rng.lognormal(4, 1.5, n)}
    )
    options = {"metric": Metric("spend", "spend"), "seed": 1, "runs": RUNS, "lift": 1.0}
    equal = experiment.simulate_tests(skewed, sizes=(1_000, 1_000), **options)
    unequal = experiment.simulate_tests(skewed, sizes=(1_000, 8_000), **options)
    assert equal.rate < 0.05 < unequal.low and unequal.coverage_high < 0.95
    assert unequal.verdict == "intervals too short"


def test_a_simulation_is_the_plain_test_of_drawn_units():
    units = people(300)
    found = experiment.simulate_tests(units, Metric("spend", "spend"), seed=5, runs=4000, lift=0.5)
    rng, value = np.random.default_rng(6), units["spend"].to_numpy()
    new, old = rng.choice(value, (4000, 150)), rng.choice(value, (4000, 150))
    plain = stats.ttest_ind(new, old, axis=1, equal_var=False).pvalue
    assert stats.ks_2samp(plain, found.pvalues).pvalue > 0.001
    ends = stats.ttest_ind(new, old / 1.5, axis=1, equal_var=False).confidence_interval()
    truth = value.mean() / 3
    assert np.mean((ends.low <= truth) & (truth <= ends.high)) == pytest.approx(found.coverage, abs=0.015)
    shuffled = experiment.simulate_tests(
        units.sample(frac=1, random_state=1), Metric("spend", "spend"), seed=5, runs=4000, lift=0.5
    )
    assert shuffled.pvalues.tolist() == found.pvalues.tolist()
    with pytest.raises(ValueError, match="at least two in each"):
        experiment.simulate_tests(units.head(4), Metric("spend", "spend"), seed=1, sizes=(1, 3))


@pytest.mark.slow
def test_the_randomisation_test_is_scipys():
    rng = np.random.default_rng(1)
    new, old = (rng.random(60) < 0.4) * rng.lognormal(1, 1, 60), (rng.random(90) < 0.4) * rng.lognormal(1.2, 1, 90)

    def welch(one, other, axis):
        return stats.ttest_ind(one, other, axis=axis, equal_var=False).statistic

    other = stats.permutation_test((new, old), welch, vectorized=True, n_resamples=20_000, random_state=2)
    own = _randomised(new, old, 1)
    assert own == pytest.approx(other.pvalue, abs=0.02)
    assert _randomised(old, new, 2) == pytest.approx(own, abs=0.02)


@pytest.mark.thorough
def test_the_randomisation_test_keeps_its_level_where_students_does_not():
    rng = np.random.default_rng(1)
    by_t, dealt = [], []
    for seed in range(300):
        spend = [(rng.random(n) < 0.1) * rng.lognormal(4, 1.5, n) for n in (200, 1_600)]
        by_t.append(stats.ttest_ind(*spend, equal_var=False).pvalue < 0.05)
        dealt.append(_randomised(*spend, seed) < 0.05)
    assert np.mean(by_t) > 0.1 and stats.binomtest(sum(dealt), 300, 0.05).pvalue > 0.001
    assert np.mean(dealt) < 0.085


def _randomised(new, old, seed):
    rows, place = np.unique(np.concatenate([new, old]), return_inverse=True)
    counts = [np.bincount(part, minlength=len(rows)) for part in (place[: len(new)], place[len(new) :])]
    return experiment.randomisation.randomisation_test(rows[:, None], *counts, Value(0), seed)


@pytest.mark.thorough
def test_power_and_what_is_detectable_are_numbers_where_a_tail_is_lost():
    """scipy's noncentral t has NaN for tails below 1e-20 or so."""
    base = experiment.design.Baseline(0.0, 1.0)
    for units in (300, 600, 900):
        for alpha in (0.05, 0.025, 0.001):
            powers = [experiment.design.power_of(base, away * np.sqrt(4 / units), (units / 2, units / 2), alpha=alpha) for away in
                      np.arange(0.5, 12, 0.05)]  # fmt: skip
            assert np.isfinite(powers).all() and (np.diff(powers) > -1e-9).all()
            least = experiment.detectable(base, units, alpha=alpha)
            assert experiment.design.power_of(base, least, (units / 2, units / 2), alpha=alpha) == pytest.approx(
                0.8, abs=1e-8
            )
    odd = experiment.design.Baseline(11.07, 25.3)
    assert experiment.detectable(odd, 900, arms=3, control_share=0.34) > 0
