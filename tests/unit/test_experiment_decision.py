"""From a test's own columns and a user's texts to a decision: what is asked, what could be found, what is said."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment import Metric
from customerlab.errors import ParameterError
from customerlab.figures import experiment as figures

SPEND = Metric("spend", "outcome_spend")


def simulated(n=3000, lifts=(0.0, 0.0), seed=1, rho=0.8):
    """Arms control, a and b of a normal spend around 10, and of one visit in five; a covariate tells of spend."""
    rng = np.random.default_rng(seed)
    variant = np.resize(["control", "a", "b"], n)
    lift = pd.Series(variant).map({"control": 0.0, "a": lifts[0], "b": lifts[1]}).to_numpy()
    known = rng.normal(size=n)
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)],
            "variant": variant,
            "exposed_at": pd.Timestamp("2024-05-01") + pd.to_timedelta(np.arange(n) % 10, unit="D"),
            "outcome_visit": (rng.random(n) < 0.2).astype(float),
            "outcome_spend": 10 + lift + rho * known + np.sqrt(1 - rho**2) * rng.normal(size=n),
            "covariate_known": known,
            "covariate_noise": rng.normal(size=n),
            "covariate_region": rng.choice(["north", "south"], n),
        }
    )


def test_names_with_numbers():
    assert experiment.named_numbers(["No E-Mail: 2", "a: b: 0.5"], "planned_split") == {"No E-Mail": 2, "a: b": 0.5}
    for wrong in (["control"], ["control: many"], ["control: 0"], ["control: nan"], [": 1"], ["a: 1", "a: 2"]):
        with pytest.raises(ParameterError, match="in planned_split"):
            experiment.named_numbers(wrong, "planned_split")


def test_metrics_are_the_outcomes_and_the_ratios_that_there_are():
    units = ibis.memtable(simulated())
    found = experiment.metrics_of(units, ["spend / visit", "spend / order"])
    assert [(one.name, one.proportion, one.below) for one in found] == [
        ("visit", True, None), ("spend", False, None), ("spend / visit", False, "outcome_visit"),
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="'spend/visit' is no ratio"):
        experiment.metrics_of(units, ["spend/visit"])
    with pytest.raises(ParameterError, match="primary: 'sales'"):
        experiment.chosen(found, "sales", "primary")
    assert experiment.guarded(found, {"visit": 0.02})[0] == Metric(
        "visit", "outcome_visit", proportion=True, allowed_fall=0.02
    )
    with pytest.raises(ParameterError, match="a guardrail of 2"):
        experiment.guarded(found, {"visit": 2})


def test_segments_are_values_or_bands_of_equally_many_units():
    frame = simulated(4000).assign(
        covariate_age=np.arange(4000) % 60 + 20.0, covariate_member=np.arange(4000) % 2 * 1.0,
        covariate_zip=[str(i % 40) + "x" for i in range(4000)], covariate_variant="same",
    )  # fmt: skip
    frame.loc[:59, "covariate_age"] = np.nan
    units, names = experiment.segments_of(ibis.memtable(frame))
    assert names == ["known", "noise", "region", "age", "member", "variant (covariate)"]
    table = units.to_pandas()
    assert set(table["variant"]) == {"control", "a", "b"} and set(table["member"]) == {"0", "1"}
    assert table["age"].isna().sum() == 60 and (table["variant (covariate)"] == "same").all()
    bands = table.groupby("age")["covariate_age"].agg(["min", "max", "size"])
    assert bands.index.tolist() == ["1) to 34", "2) to 49", "3) to 64", "4) above 64"]
    assert bands["max"].tolist() == [34, 49, 64, 79] and bands["min"].tolist() == [20, 35, 50, 65]
    assert bands["size"].between(965, 995).all()
    assert experiment.segments_of(ibis.memtable(frame), ["zip"])[1] == ["zip"]
    with pytest.raises(ParameterError, match="segment_by: 'colour'"):
        experiment.segments_of(ibis.memtable(frame), ["colour"])
    assert experiment.numeric_covariates(ibis.memtable(frame)) == [
        "covariate_known",
        "covariate_noise",
        "covariate_member",
    ]


def test_days_are_counted_where_every_arm_has_them():
    frame = simulated(30)
    frame = frame[~frame["exposed_at"].dt.day.isin([4, 5])]
    days = experiment.arrivals(ibis.memtable(frame))
    assert len(days) == 10 and days.sum() == len(frame) and days["2024-05-04"] == 0
    alone = frame.assign(exposed_at=frame["exposed_at"].where(frame["variant"] != "control"))
    assert experiment.arrivals(ibis.memtable(alone)).empty
    assert experiment.arrivals(ibis.memtable(frame.drop(columns="exposed_at"))).empty
    checks = experiment.soundness(ibis.memtable(alone), "control").table
    assert checks["sound"].all() and "sizes of the arms by day" not in set(checks["check"])


def power_of_t(size, each, alpha):
    """Of Student's t with equal arms, by the noncentral distribution (Cohen 1988)."""
    critical, away = stats.t.isf(alpha / 2, 2 * each - 2), size * np.sqrt(each / 2)
    return stats.nct.sf(critical, 2 * each - 2, away) + stats.nct.cdf(-critical, 2 * each - 2, away)


def test_what_is_detectable_is_found_with_the_wanted_power():
    frame = simulated(3000)
    found = experiment.reach(
        ibis.memtable(frame), [SPEND], "control", wanted_lift=0.02, per_day=[100.0] * 7, alpha=0.05, power=0.8
    ).iloc[0]
    control = frame.loc[frame["variant"] == "control", "outcome_spend"]
    level = 0.05 / 2  # two comparisons with the control
    assert power_of_t(found["detectable"] / control.std(), 1000, level) == pytest.approx(0.8, abs=1e-6)
    assert found["detectable_share"] == pytest.approx(found["detectable"] / control.mean())
    size, each = 0.02 * control.mean() / control.std(), found["units_needed"] / 3
    assert power_of_t(size, each - 1, level) < 0.8 <= power_of_t(size, each, level)
    assert found["days_needed"] == np.ceil(3 * each / 700) * 7


def test_what_does_not_vary_has_no_reach():
    frame = simulated(300).assign(outcome_none=0.0, outcome_many=0.99, outcome_visit=1.0)
    found = experiment.reach(
        ibis.memtable(frame), experiment.metrics_of(ibis.memtable(frame), ["spend / none"]), "control", wanted_lift=0.05
    ).set_index("metric")
    assert found.loc[["none", "many", "visit", "spend / none"], "units_needed"].isna().all()
    assert (
        found.loc[["none", "many", "spend / none"], "detectable"].isna().all() and found.loc["spend", "detectable"] > 0
    )


def test_a_rehearsal_says_whether_a_test_keeps_its_word():
    frame = simulated(6000)
    frame["outcome_rare"] = (frame.index % 600 == 0).astype(float)  # four units of the control: too few for any test
    units = ibis.memtable(frame)
    metrics = [SPEND, Metric("rare", "outcome_rare", proportion=True)]
    found = experiment.rehearsals(units, metrics, "control", 1, runs=2000).set_index("metric")
    assert found.loc["spend", "verdict"] == "as promised" and 0.04 <= found.loc["spend", "positives"] <= 0.06
    assert found.loc["rare", "verdict"] != "as promised" and (found["units"] == 2000).all()
    few = experiment.rehearsals(ibis.memtable(frame.head(60)), metrics, "control", 1)
    assert (few["verdict"] == "too few units to tell").all() and few["positives"].isna().all()


def test_the_covariate_that_tells_most_narrows_by_what_theory_says():
    units = ibis.memtable(simulated(30_000))
    found = experiment.adjusted(units, experiment.metrics_of(units), "control", experiment.numeric_covariates(units))
    spend = found[found["metric"] == "spend"]
    assert (spend["covariate"] == "known").all()
    assert spend["narrower"].tolist() == pytest.approx([1 - np.sqrt(1 - 0.8**2)] * 2, abs=0.01)
    assert found["narrower"][found["metric"] == "visit"].abs().max() < 0.005, "nothing tells of visits"
    assert (found["pvalue_holm"] >= found["pvalue_bh"]).all() and len(found) == 4


def test_beliefs_leave_out_what_does_not_vary():
    frame = simulated().assign(outcome_none=0.0)
    frame["outcome_flat"] = frame["outcome_spend"].where(frame["variant"] != "a", 3.0)
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units, ["spend / none"])
    columns = ["outcome_visit", "outcome_spend", "outcome_none", "outcome_flat"]
    found = experiment.choices_of(experiment.moments(units, columns), metrics, "control")
    assert found["metric"].unique().tolist() == ["visit", "spend", "none"]
    assert found.groupby("metric")["best"].sum().to_numpy() == pytest.approx(1, abs=1e-4)


def test_differences_are_adjusted_over_all_metrics():
    frame = simulated(4000, lifts=(0.5, 0.0))
    frame.loc[(frame["variant"] == "b") & (frame["covariate_region"] == "north"), "outcome_spend"] += 1
    units, names = experiment.segments_of(ibis.memtable(frame))
    found = experiment.differences(units, experiment.metrics_of(units), "control", names)
    rows = found.interactions
    assert len(rows) == 2 * 3 * 2 and found.table["metric"].unique().tolist() == ["visit", "spend"]
    assert rows["pvalue_bh"].to_numpy() == pytest.approx(stats.false_discovery_control(rows["pvalue"]))
    clear = rows[rows["pvalue_bh"] < 0.001]
    assert clear[["metric", "segment", "variant"]].to_numpy().tolist() == [["spend", "region", "b"]]
    picture = figures.by_segment(found.table[found.table["metric"] == "spend"], "spend", "control", 0.95)
    assert "b by region" in picture.alt and picture.png()


def decided(frame, guards=None, **options):
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units)
    effects = experiment.compare_arms(units, metrics, "control")
    every = experiment.compare_arms(units, metrics, "control", each_other=True)
    guarded = experiment.no_effects()
    if guards:
        guarded = experiment.compare_arms(units, experiment.guarded(metrics, guards), "control")
    table = experiment.decision(effects, guarded, confidence=0.95, money="spend", **options)
    pairs = every[every["against"] != "control"]
    said = experiment.recommendation(table, pairs, "spend", control="control", confidence=0.95)
    return effects, table, said, experiment.for_managers(table, metrics)


def test_the_best_arm_is_rolled_out_and_its_lead_is_judged():
    effects, table, said, read = decided(simulated(lifts=(0.3, 1.0)), margin=0.4, cost_per_unit=0.05)
    assert said[0].startswith("**Roll out b**: spend is higher by +") and len(said) == 2
    assert said[1] == "a is clearly higher too; that b is better than a is clear of chance."
    spend = effects[effects["metric"] == "spend"].set_index("variant")
    profit = table[table["metric"] == "spend"].set_index("variant")
    assert profit.loc["b", "profit_low"] == pytest.approx(0.4 * spend.loc["b", "effect_low"] - 0.05)
    assert table.loc[table["metric"] == "visit", ["profit", "sign"]].fillna(0).eq(0).all(axis=None)
    assert f"{1000 * profit.loc['b', 'profit']:+,.0f} (" in read.iloc[3]["worth for 1,000 units"]
    visits = effects[effects["metric"] == "visit"].iloc[0]
    assert read.iloc[0]["effect"] == f"{100 * visits['effect']:+.2f} points" and "%" not in read.iloc[0]["interval"]
    close = decided(simulated(lifts=(0.98, 1.0)))[2]
    assert close[1].endswith("is not clear of chance.")


def test_no_arm_is_rolled_out_that_costs_more_harms_or_does_nothing():
    for frame, options, why in (
        (simulated(lifts=(0.0, 1.0)), {"cost_per_unit": 1.2}, "but the interval of its profit includes loss"),
        (simulated(lifts=(0.0, -1.0)), {}, "; lower."),
        (simulated(seed=3), {}, "not to be told from no effect"),
    ):
        said = decided(frame, **options)[2]
        assert said[0] == "**No arm is recommended over control** by spend." and why in said[2], said


def test_an_arm_whose_guardrail_is_open_is_not_rolled_out():
    frame = simulated(lifts=(0.5, 1.0))
    harmed = (frame["variant"] == "b") & (frame.index % 4 == 0)
    frame.loc[harmed, "outcome_visit"] = 0.0
    frame["outcome_visit"] = frame["outcome_visit"].where(frame["variant"] != "a", (frame.index // 3 % 4 == 0) * 1.0)
    _, table, said, read = decided(frame, {"visit": 0.05})
    guards = table[table["metric"] == "visit (guardrail)"].set_index("variant")
    assert guards["sign"].to_dict() == {"a": 1, "b": 0} and "5 % of its mean is excluded" in guards.loc["a", "verdict"]
    assert said[0].startswith("**Roll out a**") and "the visit (guardrail) is not shown to hold" in said[1]
    assert read.iloc[-1]["interval"].endswith("to no limit")


def test_outcomes_that_nobody_or_everybody_has_are_named_and_leave_the_others_alone():
    frame = simulated().drop(columns="outcome_spend").assign(outcome_none=0.0, outcome_every=1.0, outcome_three=3.0)
    frame["outcome_rare"] = (frame.index == 4) * 1.0  # one unit of arm a
    units = ibis.memtable(frame)
    effects = experiment.compare_arms(units, experiment.metrics_of(units), "control", confidence=0.9)
    table = experiment.decision(effects, experiment.no_effects(), confidence=0.9).set_index("metric")
    assert (table.loc["three", "verdict"] == "does not vary: cannot be judged").all()
    apart = table.loc[["none", "every"]]
    assert (apart["verdict"] == "not to be told from no effect").all() and (apart["effect"] == 0).all()
    row = effects[(effects["metric"] == "visit") & (effects["variant"] == "a")].iloc[0]
    counts = frame[frame["variant"].isin(["a", "control"])].groupby("variant")["outcome_visit"].agg(["sum", "size"])
    plain = stats.chi2_contingency([counts["sum"], counts["size"] - counts["sum"]], correction=False)
    assert row["pvalue"] == pytest.approx(plain.pvalue)
    picture = figures.relative_effects(effects, "control", 0.9)
    assert "90% intervals" in picture.alt and "nan" not in picture.alt and picture.png()


def test_a_label_with_dollars_is_no_formula():
    frame = simulated().assign(covariate_history=np.resize(["1) $0 - $100", "2) $100 - $200"], 3000))
    units, _ = experiment.segments_of(ibis.memtable(frame))
    table = experiment.by_segment(units, SPEND, "control", ["history"]).table
    labels = figures.by_segment(table, "spend", "control", 0.95).figure.axes[0].get_yticklabels()
    assert [one.get_text() for one in labels] == ["1) $0 - $100", "2) $100 - $200"]
    assert not any(one.get_parse_math() for one in labels)


def test_what_is_saved_has_one_row_an_outcome_and_arm_even_of_a_test_that_is_not_sound():
    effects = experiment.compare_arms(ibis.memtable(simulated()), [SPEND], "control")
    saved, empty = experiment.saved(effects), experiment.saved(experiment.no_effects())
    assert saved.columns.tolist() == empty.columns.tolist() and len(empty) == 0 and len(saved) == 2
    assert saved.columns[:5].tolist() == ["outcome", "variant", "control_mean", "variant_mean", "effect"]
    assert (saved["variant_mean"] - saved["control_mean"]).to_numpy() == pytest.approx(saved["effect"].to_numpy())
