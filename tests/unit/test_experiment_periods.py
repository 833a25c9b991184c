"""A split that changes while outcomes change: sizes within periods, effects without Simpson's trap."""

import re

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment.balance import balance
from customerlab.analysis.experiment.measured import Measured
from customerlab.analysis.experiment.periods import in_periods, planned
from customerlab.analysis.experiment.randomisation import randomisation_test
from customerlab.errors import CustomerlabError, ParameterError
from helpers import by_chance

PLAN = ["control: 9", "new: 1", "from 2024-03-08: control: 1, new: 1"]
LATE = ["control: 9", "new: 1", "from 2024-03-08: control: 1, new: 1, third: 1"]


def ramp(seed, n=6000, effect=0.0, *, third=False, skewed=False):
    """Two weeks; in the second the new arm has half of the units, and everybody does twice as much."""
    rng = np.random.default_rng(seed)
    day = rng.integers(0, 14, n)
    second = day >= 7
    arm = np.where(rng.random(n) < np.where(second, 0.5, 0.1), "new", "control")
    arm = np.where(second & (rng.random(n) < 1 / 3), "third", arm) if third else arm
    visit = rng.random(n) < np.where(second, 0.2, 0.1) + effect * (arm == "new")
    spend = visit * rng.lognormal(3, 1 if skewed else 0.3, n) * np.where(second, 2, 1)
    return pd.DataFrame({
        "unit_id": [f"u{i}" for i in range(n)], "variant": arm,
        "assigned_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(day, unit="D"),
        "outcome_visit": visit.astype(float), "outcome_spend": spend,
        "covariate_age": rng.integers(20, 60, n) + 5 * second,
        "covariate_device": np.where(rng.random(n) < np.where(second, 0.7, 0.3), "app", "web"),
    })  # fmt: skip


def analysed(frame, plan=PLAN, **options):
    return experiment.Test(ibis.memtable(frame), planned_split=plan, runs=20, **options)


def in_pairs(frame):
    """Ids of which each has two rows, in one arm."""
    return frame["variant"] + (frame.groupby("variant").cumcount() // 2).astype("str")


def by_hand(frame, column, variant="new"):
    """The stratified estimate and its standard error, by pandas."""
    frame = frame[frame["variant"].isin(["control", variant])]
    effect, variance = 0.0, 0.0
    for _, own in frame.groupby(frame["assigned_at"] >= "2024-03-08"):
        groups = own.groupby("variant")[column]
        weight, mean, error = len(own) / len(frame), groups.mean(), groups.var() / groups.size()
        effect += weight * (mean[variant] - mean["control"])
        variance += weight**2 * error.sum()
    return effect, variance**0.5


def test_effects_are_those_within_periods():
    frame = ramp(1, effect=0.05)
    found = analysed(frame, primary="visit").effects.set_index("metric")
    for metric in ("visit", "spend"):
        wanted = by_hand(frame, f"outcome_{metric}")
        assert found.loc[metric, ["effect", "error"]].tolist() == pytest.approx(wanted)
        z = wanted[0] / wanted[1]
        assert found.loc[metric, "pvalue"] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.05)


def test_sizes_are_compared_within_periods():
    frame = ramp(2)
    test = analysed(frame)
    second = frame["assigned_at"] >= "2024-03-08"
    statistic = sum(
        stats.chisquare(sizes.reindex(["control", "new"]), np.array(shares) * sizes.sum()).statistic
        for shares, sizes in (([0.9, 0.1], frame[~second]["variant"].value_counts()),
                              ([0.5, 0.5], frame[second]["variant"].value_counts()))
    )  # fmt: skip
    assert test.ratio.pvalue == pytest.approx(stats.chi2.sf(statistic, 2))
    expected = (0.1 * (~second).sum() + 0.5 * second.sum()) / len(frame)
    assert test.ratio.table["planned"].tolist() == pytest.approx([1 - expected, expected])
    over = test.ratio_over_time
    assert over["planned"].iloc[:2].tolist() == pytest.approx([0.9, 0.1]), "the first day has the first split"
    assert over["planned"].iloc[-1] == pytest.approx(expected)
    assert test.sound and not analysed(frame, ["control: 7", "new: 3"]).sound


@pytest.mark.thorough
def test_a_fault_that_evens_out_over_the_periods_is_found():
    """As many units as planned in all, but too few in one period, and too many in the other."""
    frame = ramp(3)
    second = frame["assigned_at"] >= "2024-03-08"
    moved = (
        frame.index[second & (frame["variant"] == "new")][:200],
        frame.index[~second & (frame["variant"] == "control")][:200],
    )
    frame.loc[moved[0], "variant"], frame.loc[moved[1], "variant"] = "control", "new"
    test = analysed(frame)
    share = test.ratio.table.set_index("variant").loc["new"]
    assert abs(share["share"] - share["planned"]) < 0.02 and test.ratio.pvalue < 1e-6 and not test.sound
    where = (
        r"(control|new) has [\d.]+% of the units (in the first period, planned [19]0|from 2024-03-08, planned 50)\.00%"
    )
    assert re.search(where, test.soundness.refusal())


@pytest.mark.thorough
def test_a_unit_in_an_arm_that_is_not_filled_is_a_mismatch():
    frame = ramp(4, third=True)
    assert analysed(frame, LATE).ratio.pvalue > 0.001
    frame.loc[frame.index[frame["assigned_at"] < "2024-03-08"][0], "variant"] = "third"
    assert analysed(frame, LATE).ratio.pvalue == 0


@pytest.mark.thorough
def test_an_arm_that_joins_later_is_compared_with_those_of_its_time():
    frame = ramp(5, third=True)
    test = analysed(frame, LATE)
    later = frame[frame["assigned_at"] >= "2024-03-08"]
    for row in test.effects[test.effects["metric"] == "spend"].to_dict("records"):
        means = later.groupby("variant")["outcome_spend"].mean()
        assert row["effect"] == pytest.approx(means[row["variant"]] - means["control"])
    said = " ".join(experiment.sentences.soundness(test))
    assert f"{len(frame) - len(later):,} units joined in periods without all arms, and are in no effect." in said


@pytest.mark.thorough
def test_what_is_not_computed_within_periods_is_left_out_with_a_sentence():
    test = analysed(ramp(6))
    assert test.sound and not test.daily and test.moved.empty and not any(test.models) and len(test.ways) == 3
    assert "The planned split changes (2024-03-08): effects are those within its periods" in " ".join(
        experiment.sentences.soundness(test)
    )
    assert experiment.sentences.days(test) == ["Left out: the planned split changes during the test."]
    assert experiment.sentences.models(test) == ["No uplift models: the planned split changes during the test."]
    assert "numerator" not in experiment.tables.effects(test)[0][1]


@pytest.mark.thorough
def test_covariates_that_change_with_the_split_are_balanced_within_periods():
    units = Measured(ibis.memtable(ramp(7)))
    assert not balance(units, "control")["sound"].all(), "over the whole test the arms differ"
    found = balance(in_periods(units, planned(PLAN)), "control")
    assert found["sound"].all() and found["smd"].abs().max() < 0.1
    frame = ramp(7)
    age = by_hand(frame, "covariate_age")
    row = found[found["covariate"] == "age"].iloc[0]
    assert row["variant_mean"] - row["control_mean"] == pytest.approx(age[0])


@pytest.mark.thorough
def test_totals_by_day_give_the_same_within_periods():
    frame = ramp(8, effect=0.03)
    frame["squares_spend"] = frame["outcome_spend"] ** 2
    grouped = frame.groupby(["variant", "assigned_at"])
    summed = grouped[["outcome_visit", "outcome_spend", "squares_spend"]].sum()
    summed = summed.assign(units=grouped.size().astype(float)).reset_index()
    units, totals = (analysed(one).effects for one in (frame.drop(columns="squares_spend"), summed))
    columns = ["metric", "effect", "error", "pvalue", "effect_low", "effect_high"]
    pd.testing.assert_frame_equal(units[columns], totals[columns], rtol=1e-9)


def test_the_randomisation_test_deals_within_periods():
    """Outcomes differ by period alone: over the whole test the arms differ, within periods they cannot."""
    rows, strata = np.array([[0.0], [1.0]]), np.array([0, 1])
    treated, control = np.array([100, 500]), np.array([900, 500])
    assert randomisation_test(rows, treated, control, experiment.contrasts.Value(0), seed=1) < 0.01
    spread, periods = np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([0, 0, 1, 1])
    treated, control = np.array([90, 10, 250, 250]), np.array([810, 90, 250, 250])
    options = {"seed": 1, "strata": periods}
    assert randomisation_test(spread, treated, control, experiment.contrasts.Value(0), **options) > 0.9
    assert randomisation_test(spread, treated, control, experiment.contrasts.Value(0), seed=1) < 0.01
    assert len(strata) == 2


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (["from 2024-03-08: control: 1, new: 1"], "the weights of the first days"),
        ([*PLAN, "from 2024-03-05: control: 1, new: 2"], "days in their order"),
        (["control: 9", "new: 1", "from 08.03.2024: control: 1, new: 1"], "a day such as 2024-03-08"),
        (["control: 9", "new: 1", "from 2024-03-08: control, new"], "NAME: NUMBER"),
        (["control: 9", "new: 1", "from 2024-03-08: control: 0, new: 1"], "above zero"),
        (["control: 1", "from 2024-03-08: new: 1"], "no period with all arms"),
    ],
)
def test_slips_in_a_split_are_named(plan, said):
    with pytest.raises(ParameterError) as error:
        planned(plan)
    assert said in str(error.value)


def test_periods_without_two_units_of_every_arm_are_left_out_of_all():
    groups = pd.DataFrame({"variant": list("aabb"), "p": list("0101")})
    one = experiment.stats.Moments(groups, ("x",), np.array([9, 9, 1, 5]), np.arange(4.0)[:, None], np.ones((4, 1, 1)))
    found = one.levelled("p")
    assert found.groups.to_dict("list") == {"variant": ["a", "b"]}
    assert (found.count.tolist(), found.mean.ravel().tolist(), found.level) == ([9, 5], [1.0, 3.0], True)
    with pytest.raises(CustomerlabError, match="no period has two units of every arm"):
        one.only(np.array([True, False, True, False])).levelled("p")


def test_no_plan_and_one_plan_are_as_before():
    assert planned([]) is None
    assert planned(["control: 9", "new: 1"]).starts == ()


@pytest.mark.thorough
def test_what_cannot_be_placed_in_a_period_is_refused():
    frame = ramp(9, n=400)
    frame.loc[3, "assigned_at"] = pd.NaT
    for odd, said in (
        (frame, "1 units have no time"),
        (frame.drop(columns="assigned_at"), "an arm has no times"),
        (ramp(9, n=400).assign(assigned_id=in_pairs), "one row per assigned unit"),
    ):
        with pytest.raises(CustomerlabError) as error:
            _ = analysed(odd).sound
        assert said in str(error.value)


def compared(frames, place):
    """The effects of many tests side by side, from moments that pandas makes."""
    every = pd.concat(frames, keys=range(len(frames)), names=["run"]).reset_index("run")
    every["period"] = np.where(every["assigned_at"] < "2024-03-08", "0", "1")
    found = every.groupby(["variant", "run", "period"])[["outcome_visit", "outcome_spend"]].agg(["size", "mean", "var"])
    covariance = np.zeros((len(found), 2, 2))
    covariance[:, [0, 1], [0, 1]] = found.xs("var", axis=1, level=1)
    mean, count = found.xs("mean", axis=1, level=1).to_numpy(), found.iloc[:, 0].to_numpy()
    groups = found.index.to_frame(index=False)
    level = experiment.stats.Moments(groups, ("visit", "spend"), count, mean, covariance).levelled("period")
    arms = [level.only((level.groups["variant"] == arm).to_numpy()) for arm in ("new", "control")]
    errors = [one.covariance / one.count[:, None, None] for one in arms]
    both = [experiment.contrasts.Arm(one.mean, error, one.count - 1.0) for one, error in zip(arms, errors, strict=True)]
    return experiment.contrasts.contrast(*both, experiment.contrasts.Value(place))


def dealt(frame, seed):
    """The p-value of the randomisation test of spend within periods."""
    period = (frame["assigned_at"] >= "2024-03-08").astype(int)
    counted = frame.groupby([period, "outcome_spend", "variant"]).size().unstack(fill_value=0)
    rows = counted.index.get_level_values("outcome_spend").to_numpy()[:, None]
    strata = counted.index.get_level_values(0).to_numpy()
    both = counted["new"].to_numpy(), counted["control"].to_numpy()
    return randomisation_test(rows, *both, experiment.contrasts.Value(0), seed, strata=strata)


def test_the_rates_below_are_those_of_the_package():
    frame = ramp(11, n=1000)
    found = analysed(frame, primary="visit").effects.set_index("metric")
    for place, metric in enumerate(("visit", "spend")):
        assert found.loc[metric, "pvalue"] == pytest.approx(compared([frame], place).pvalue[0])


@pytest.mark.thorough
@pytest.mark.parametrize("skewed", [False, True])
def test_false_positives_and_coverage_are_those_promised_where_the_naive_test_fails(skewed):
    """Nothing, then +5 points, is planted in 400 tests of a ramp under a rising rate; naively, nothing is +4.8."""
    runs, effect = 400, 0.05
    nothing, something = (
        [ramp(seed, n=3000, effect=one, skewed=skewed) for seed in range(runs)] for one in (0.0, effect)
    )
    visit, spend, planted = compared(nothing, 0), compared(nothing, 1), compared(something, 0)
    found = np.flatnonzero(spend.pvalue < 0.05)
    means = [[one.loc[one["variant"] == arm, "outcome_visit"] for arm in ("new", "control")] for one in nothing]
    naive = np.array([new.mean() - control.mean() for new, control in means])
    rates = {
        "visit": (visit.pvalue < 0.05).mean(), "spend": (spend.pvalue < 0.05).mean(),
        "decided": sum(dealt(nothing[run], run) < 0.05 for run in found) / runs,
        "covered": ((planted.low <= effect) & (effect <= planted.high)).mean(),
        "naive": np.mean([stats.ttest_ind(*pair, equal_var=False).pvalue < 0.05 for pair in means]),
    }  # fmt: skip
    error = visit.effect.std() / runs**0.5
    print(f"{rates}; mean effect {visit.effect.mean():+.5f} ({error:.5f}), naive {naive.mean():+.5f}")
    low, high = by_chance(0.05, runs)
    assert low <= rates["visit"] <= high and rates["decided"] <= high
    assert by_chance(0.95, runs)[0] <= rates["covered"] <= by_chance(0.95, runs)[1]
    assert abs(visit.effect.mean()) < 3.3 * error and naive.mean() > 0.04 and rates["naive"] > 0.5
