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

SPEND, MONEY = Metric("spend", "outcome_spend"), experiment.Money("spend", currency="EUR")


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
        experiment.questions.chosen(found, "sales", "primary")
    assert experiment.questions.guarded(found, {"visit": 0.02})[0] == Metric(
        "visit", "outcome_visit", proportion=True, allowed_loss=0.02
    )
    with pytest.raises(ParameterError, match="a guardrail of 2"):
        experiment.questions.guarded(found, {"visit": 2})


def test_segments_are_values_or_bands_of_equally_many_units():
    frame = simulated(4000).assign(
        covariate_age=np.arange(4000) % 60 + 20.0, covariate_member=np.arange(4000) % 2 * 1.0,
        covariate_zip=[str(i % 40) + "x" for i in range(4000)], covariate_variant=np.arange(4000) % 3 * 1.0,
        covariate_same="same", covariate_none=None,
    )  # fmt: skip
    frame.loc[:59, "covariate_age"] = np.nan
    units, names = experiment.segments_of(ibis.memtable(frame))
    assert names == ["known", "noise", "region", "age", "member", "variant (covariate)"]
    table = units.table.to_pandas()
    assert set(table["variant"]) == {"control", "a", "b"} and set(table["member"]) == {"0", "1"}
    assert table["age"].isna().sum() == 60 and set(table["variant (covariate)"]) == {"0", "1", "2"}
    bands = table.groupby("age")["covariate_age"].agg(["min", "max", "size"])
    assert bands.index.tolist() == ["1) up to 34", "2) above 34, up to 49", "3) above 49, up to 64", "4) above 64"]
    assert bands["max"].tolist() == [34, 49, 64, 79] and bands["min"].tolist() == [20, 35, 50, 65]
    assert bands["size"].between(965, 995).all()
    assert experiment.segments_of(ibis.memtable(frame), ["zip"])[1] == ["zip"]
    with pytest.raises(ParameterError, match="segment_by: 'colour'"):
        experiment.segments_of(ibis.memtable(frame), ["colour"])
    assert experiment.questions.numeric_covariates(ibis.memtable(frame)) == [
        "covariate_known",
        "covariate_noise",
        "covariate_member",
        "covariate_variant",
    ]


@pytest.mark.slow
def test_days_are_counted_where_every_arm_has_them():
    frame = simulated(30)
    frame = frame[~frame["exposed_at"].dt.day.isin([4, 5])]
    days = experiment.arrivals(ibis.memtable(frame))
    assert len(days) == 10 and days.sum() == len(frame) and days["2024-05-04"] == 0
    alone = frame.assign(exposed_at=frame["exposed_at"].where(frame["variant"] != "control"))
    assert experiment.arrivals(ibis.memtable(alone)).empty
    assert experiment.arrivals(ibis.memtable(frame.drop(columns="exposed_at"))).empty
    checks = experiment.soundness(ibis.memtable(alone), "control").table
    assert checks["sound"].all() and "sample ratio by day" not in set(checks["check"])


def power_of_t(size, each, alpha):
    """Of Student's t with equal arms, by the noncentral distribution (Cohen 1988)."""
    critical, away = stats.t.isf(alpha / 2, 2 * each - 2), size * np.sqrt(each / 2)
    return stats.nct.sf(critical, 2 * each - 2, away) + stats.nct.cdf(-critical, 2 * each - 2, away)


def test_what_is_detectable_is_found_with_the_wanted_power():
    frame = simulated(3000)
    found = experiment.planning.reach(
        ibis.memtable(frame), [SPEND], "control", SPEND, wanted_lift=0.02, per_day=[100.0] * 7, alpha=0.05, power=0.8
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
    units, nobody = ibis.memtable(frame), Metric("spend / none", "outcome_spend", "outcome_none")
    found = experiment.planning.reach(
        units, [*experiment.metrics_of(units), nobody], "control", SPEND, wanted_lift=0.05
    )
    found = found.set_index("metric")
    assert found.loc[["none", "many", "visit", "spend / none"], "units_needed"].isna().all()
    assert (
        found.loc[["none", "many", "spend / none"], "detectable"].isna().all() and found.loc["spend", "detectable"] > 0
    )


def test_adding_a_metric_that_decides_nothing_leaves_the_plan_of_the_primary_alone():
    units, options = ibis.memtable(simulated(3000)), {"wanted_lift": 0.02}
    metrics = experiment.metrics_of(units, ["spend / visit"])
    alone = experiment.planning.reach(units, [SPEND], "control", SPEND, **options).iloc[0]
    among = experiment.planning.reach(units, metrics, "control", SPEND, **options).set_index("metric")
    assert among.loc["spend", "units_needed"] == alone["units_needed"] and alone["level"] == 0.025
    assert among["level"].to_dict() == {"visit": 0.0125, "spend": 0.025, "spend / visit": 0.0125}
    said = experiment.planning.powered(
        among.reset_index(), "spend", power=0.8, wanted_lift=0.001, significant=0, arms=2
    )
    both = experiment.planning.powered(
        among.reset_index().assign(days_needed=14.0), "spend", power=0.8, wanted_lift=0.001, significant=1, arms=2
    )
    assert both[0].startswith("The minimum detectable effect on spend is ") and both[1].endswith(
        " units in all arms (14 days at the pace of this test)."
    )
    assert len(said) == 1 and f"needs {among.loc['spend', 'units_needed']:,.0f} units in all arms." in said[0]
    share = f"{among.loc['spend', 'detectable_share']:.0%}"
    assert experiment.planning.missed(among.reset_index(), "spend", 0.8).startswith(
        f"Effects below {share} can be missed"
    )
    assert experiment.planning.missed(among.reset_index().assign(detectable_share=np.nan), "spend", 0.8) == ""
    assert (
        experiment.planning.powered(among.reset_index(), "spend", power=0.8, wanted_lift=0.5, significant=0, arms=2)
        == []
    )


@pytest.mark.slow
def test_simulations_show_whether_a_test_has_its_nominal_error_rates():
    frame = simulated(6000)
    frame["outcome_rare"] = (frame.index % 600 == 0).astype(float)  # four units of the control: too few for any test
    units = ibis.memtable(frame)
    metrics = [SPEND, Metric("rare", "outcome_rare", proportion=True)]
    options = {"level": {"spend": 0.025, "rare": 0.025}, "lift": {"spend": 0.02}}
    found = experiment.planning.simulations(units, metrics, "control", 1, runs=2000, **options).set_index("metric")
    spend = found.loc["spend"]
    assert spend["verdict"] == "valid" and 0.015 <= spend["positives"] <= 0.035
    assert 0.965 <= spend["coverage"] <= 0.985 and spend["lift"] == 0.02
    assert found.loc["rare", "verdict"].startswith("too few to tell (") and np.isnan(found.loc["rare", "positives"])
    assert (found["units"] == 2000).all() and experiment.planning.doubtful(found.reset_index()) == []


def test_the_covariate_that_tells_most_narrows_by_what_theory_says():
    units = ibis.memtable(simulated(30_000))
    found = experiment.sensitivity.adjusted(
        units, experiment.metrics_of(units), "control", experiment.questions.numeric_covariates(units)
    )
    spend = found[found["metric"] == "spend"]
    assert (spend["covariate"] == "known").all()
    assert spend["narrower"].tolist() == pytest.approx([1 - np.sqrt(1 - 0.8**2)] * 2, abs=0.01)
    assert found["narrower"][found["metric"] == "visit"].abs().max() < 0.005, "nothing tells of visits"
    assert (found["pvalue_holm"] >= found["pvalue_bh"]).all() and len(found) == 4


def test_the_bayesian_analysis_leaves_out_what_does_not_vary():
    frame = simulated().assign(outcome_none=0.0)
    frame["outcome_flat"] = frame["outcome_spend"].where(frame["variant"] != "a", 3.0)
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units, ["spend / none"])
    columns = ["outcome_visit", "outcome_spend", "outcome_none", "outcome_flat"]
    found = experiment.bayes.choices_of(experiment.moments(units, columns), metrics, "control")
    assert found["metric"].unique().tolist() == ["visit", "spend", "none"]
    assert found.groupby("metric")["best"].sum().to_numpy() == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_differences_are_adjusted_over_all_metrics():
    frame = simulated(4000, lifts=(0.5, 0.0))
    frame.loc[(frame["variant"] == "b") & (frame["covariate_region"] == "north"), "outcome_spend"] += 1
    units, names = experiment.segments_of(ibis.memtable(frame))
    found = experiment.segments.differences(units, experiment.metrics_of(units), "control", names)
    rows = found.interactions
    assert len(rows) == 2 * 3 * 2 and found.table["metric"].unique().tolist() == ["visit", "spend"]
    assert rows["pvalue_bh"].to_numpy() == pytest.approx(stats.false_discovery_control(rows["pvalue"]))
    clear = rows[rows["pvalue_bh"] < 0.001]
    assert clear[["metric", "segment", "variant"]].to_numpy().tolist() == [["spend", "region", "b"]]
    picture = figures.by_segment(found.table[found.table["metric"] == "spend"], "spend", "control", 0.95)
    assert "b by region" in picture.alt and picture.png()


def decided(frame, guards=None, primary="spend", less_is_better=(), ratios=(), elsewhere=False, **money):
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units, ratios, less_is_better)
    decisive = experiment.questions.chosen(metrics, primary, "primary")
    judged = experiment.gatekept(units, experiment.compare_arms(units, metrics, "control"), metrics, decisive, 1)
    every = experiment.compare_arms(units, metrics, "control", each_other=True)
    guarded = experiment.decision.no_effects()
    if guards:
        guarded = experiment.compare_arms(units, experiment.questions.guarded(metrics, guards), "control")
    worth = experiment.Money("spend", currency="EUR", **money)
    table = experiment.decision.decision(judged, guarded, confidence=0.95, money=worth)
    pairs = every[every["against"] != "control"]
    options = {"control": "control", "confidence": 0.95, "money": worth, "elsewhere": elsewhere, "missed": "Missed."}
    said = experiment.recommend.recommendation(table, pairs, decisive, **options)
    read = experiment.decision.for_managers(table, metrics, worth, confidence=0.95, wanted_lift=0.05)
    return judged, table, said, read


@pytest.mark.slow
def test_the_best_arm_is_rolled_out_and_its_lead_is_judged():
    judged, table, said, read = decided(simulated(lifts=(0.3, 1.0)), margin=0.4, cost=0.05)
    assert (
        said[0].startswith("Roll out b: spend is higher by +")
        and ", simultaneous over 2 comparisons), statistically significant." in said[0]
    )
    assert said[1].startswith("After margin and cost, b earns +") and said[3].endswith(
        "b was chosen as the best of 2 arms on the same data."
    )
    assert "is statistically significant (Holm-adjusted p < 0.001)" in said[2] and len(said) == 4
    spend = judged[judged["metric"] == "spend"].set_index("variant")
    profit = table[table["metric"] == "spend"].set_index("variant")
    assert profit.loc["b", "profit_low"] == pytest.approx(0.4 * spend.loc["b", "simultaneous_low"] - 0.05)
    assert table.loc[table["metric"] == "visit", ["profit", "sign"]].fillna(0).eq(0).all(axis=None)
    assert f"{1000 * profit.loc['b', 'profit']:+,.0f} (" in read.iloc[1]["profit, EUR per 1,000 customers"]
    visits = judged[judged["metric"] == "visit"].iloc[0]
    assert read.columns[:2].tolist() == ["metric: arm", "verdict"] and read["metric: arm"].iloc[0] == "spend: a"
    assert read.iloc[2]["effect"] == f"{100 * visits['effect']:+.1f} pp" and "%" not in read.iloc[2]["95% CI"]
    assert read["verdict"].tolist() == ["significantly better"] * 2 + ["inconclusive"] * 2
    close = decided(simulated(lifts=(0.85, 1.0)), cost=0.1)[2]
    assert "b is better" not in close[2] and close[2].startswith("a is also better than control, by +0.")
    assert (
        " EUR per customer (95% CI +" in close[2]
        and "The lead of b over a, +" in close[2]
        and "is inconclusive (Holm-adjusted p = " in close[2]
    )


@pytest.mark.slow
def test_where_neither_margin_nor_cost_is_known_the_break_even_cost_is_said():
    _, table, said, _ = decided(simulated(lifts=(0.3, 1.0)))
    low = table.set_index(["metric", "variant"]).loc[("spend", "b"), "effect_low"]
    assert said[0].startswith("b is better than control: spend is higher by +") and "Roll out" not in " ".join(said)
    assert said[1].startswith(
        f"b pays if treating one customer costs less than {low:.3f} EUR times the margin (lower limit of the CI; estimate "
    )
    assert said[1].endswith("No margin or cost is given (parameters margin, cost_per_unit, arm_costs).")
    loss = decided(visited_more(simulated(lifts=(0, 0))), primary="visit")[2]
    assert loss[0].startswith("b is better than control") and loss[1].startswith("No cost of b is shown to be covered")


@pytest.mark.thorough
def test_a_test_of_another_shop_is_described_and_recommends_nothing():
    better = decided(simulated(lifts=(0.3, 1.0)), elsewhere=True, cost=0.05)[2]
    assert better[0].startswith("In this test of another shop, b was better than control: spend was higher by +")
    nothing = decided(simulated(seed=3), elsewhere=True)[2]
    assert nothing[0] == (
        "In this test of another shop, no arm was shown to be better or worse than control on spend. Missed."
    )
    assert not any(word in one for one in better + nothing for word in ("Roll out", "is recommended"))


@pytest.mark.thorough
def test_no_arm_is_rolled_out_that_costs_more_harms_or_does_nothing():
    for frame, options, why in (
        (simulated(lifts=(0.0, 1.0)), {"cost": 1.0}, "but it may lose money (profit "),
        (simulated(lifts=(0.0, 1.0)), {"cost": 9.0}, "but it loses money (profit "),
        (simulated(lifts=(0.0, -1.0)), {}, ", significantly worse."),
        (simulated(seed=3), {}, "inconclusive"),
    ):
        said = decided(frame, **options)[2]
        none = (
            "Inconclusive: no arm is shown to be " if why == "inconclusive" else "No arm is recommended over control: "
        )
        assert said[0].startswith(none) and why in said[2], said
        assert ("has other obstacles" in said[0]) == ("money" in why)


@pytest.mark.slow
def test_arms_cost_what_they_cost():
    frame = simulated(lifts=(0.9, 1.0))
    assert decided(frame, cost=0.1)[2][0].startswith("Roll out b")
    assert decided(frame, cost=0.1, by_arm={"b": 0.5})[2][0].startswith("Roll out a"), "the one that pays most"
    money = experiment.Money("spend", cost=0.1, by_arm={"b": 0.5})
    assert (money.cost_of("a"), money.cost_of("b"), money.word) == (0.1, 0.5, "profit")
    assert experiment.Money("spend").word == "revenue" and "revenue, not profit" in experiment.Money("spend").basis
    assert (experiment.Money().basis, money.basis) == ("", "Profit is at a margin of 1 and the costs of the arms.")
    amounts = [SPEND, Metric("spend / visit", "outcome_spend", "outcome_visit"), Metric("visit", "outcome_visit")]
    assert [experiment.Money("spend", currency="EUR").unit(one) for one in amounts] == [" EUR per customer", " EUR", ""]
    assert [money.unit(one) for one in amounts] == [" per customer", "", ""]
    with pytest.raises(ParameterError, match="arm_costs: 'c'"):
        experiment.Money(by_arm={"c": 1.0}).check(["a", "b"])


@pytest.mark.parametrize(
    ("low", "high", "answer"), [(0.06, 0.2, "yes"), (0.01, 0.2, "unclear"), (-0.2, 0.04, "no"), (np.nan, 0.1, "–")]
)
def test_practical_significance_is_read_from_the_interval(low, high, answer):
    row = {"relative_low": low, "relative_high": high, "guardrail": False}
    assert experiment.decision._relevance(row, SPEND, 0.05) == answer
    falls = row | {"relative_low": -high, "relative_high": -low}
    assert experiment.decision._relevance(falls, Metric("wait", "outcome_wait", less_is_better=True), 0.05) == answer
    assert experiment.decision._relevance(row | {"guardrail": True}, SPEND, 0.05) == "–"


def test_numerators_and_denominators_are_the_sums_of_the_arms():
    frame = simulated(900)
    units = ibis.memtable(frame)
    found = experiment.compare.totals(units, experiment.metrics_of(units, ["spend / visit"]))
    sums = frame.groupby("variant")[["outcome_visit", "outcome_spend"]].sum()
    found = found.set_index(["metric", "variant"])
    for arm, row in sums.iterrows():
        assert found.loc[("visit", arm), ["numerator", "denominator"]].tolist() == pytest.approx([row.iloc[0], 300])
        assert found.loc[("spend", arm), ["numerator", "denominator"]].tolist() == pytest.approx([row.iloc[1], 300])
        ratio = found.loc[("spend / visit", arm)]
        assert ratio.tolist() == pytest.approx([row.iloc[1] / row.iloc[0], row.iloc[1], row.iloc[0]])


@pytest.mark.slow
def test_relative_intervals_of_the_decision_are_those_of_its_level():
    frame = simulated(lifts=(0.3, 1.0))
    judged, table, _, _ = decided(frame)
    wider = experiment.compare_arms(ibis.memtable(frame), [SPEND], "control", confidence=1 - 0.05 / 2)
    rows = table[table["metric"] == "spend"]
    for end in ("relative_low", "relative_high"):
        assert rows[end].tolist() == pytest.approx(wider[end].tolist())
    assert (rows["relative_low"] < judged.loc[judged["metric"] == "spend", "relative_low"].to_numpy()).all()


def visited_more(frame, arm="b"):
    more = (frame["variant"] == arm) & (frame.index % 3 == frame.index[frame["variant"] == arm][0] % 3)
    return frame.assign(outcome_visit=frame["outcome_visit"].where(~(more & (frame.index % 2 == 0)), 1.0))


@pytest.mark.slow
def test_money_that_is_significantly_lost_speaks_against_any_primary_metric():
    frame = visited_more(simulated(lifts=(0.0, -1.0)))
    said = decided(frame, primary="visit")[2]
    assert said[0].startswith("No arm is recommended over control: an arm improves visit")
    assert ", significantly better; but it loses money (revenue -" in said[2]
    unclear = decided(visited_more(simulated()), primary="visit", cost=0.01)[2]
    assert unclear[0].startswith("Roll out b: visit is higher by +") and "percentage points" in unclear[0]
    assert unclear[1].endswith("; a loss is not excluded.")


@pytest.mark.slow
def test_a_ratio_that_decides_says_that_it_describes():
    frame = simulated(lifts=(0.0, 8.0))
    said = decided(frame, primary="spend / visit", ratios=["spend / visit"], cost=0.1)[2]
    assert said[0].startswith("Roll out b: spend / visit is higher")
    assert "is a ratio whose denominator the treatment can change" in said[3]


@pytest.mark.slow
def test_where_less_is_better_the_lower_arm_is_rolled_out():
    frame = visited_more(simulated(), "a").rename(columns={"outcome_visit": "outcome_complaint"})
    frame.loc[(frame["variant"] == "b") & (frame.index % 2 == 0), "outcome_complaint"] = 0.0
    options = {"primary": "complaint", "less_is_better": ["complaint"], "cost": 0.01}
    _, table, said, _ = decided(frame, **options)
    assert said[0].startswith("Roll out b: complaint is lower by -") and said[-1].endswith(", significantly worse.")
    rows = table[table["metric"] == "complaint"].set_index("variant")
    assert rows["sign"].to_dict() == {"a": -1, "b": 1} and rows.loc["b", "verdict"] == "significantly better"
    guards = decided(frame, {"complaint": 0.1}, **options)[1]
    guards = guards[guards["guardrail"]].set_index("variant")
    assert (
        guards["sign"].to_dict() == {"a": 0, "b": 1} and guards.loc["b", "verdict"] == "pass: a rise of 10% is excluded"
    )
    assert (
        np.isinf(guards["relative_low"]).all()
        and guards.loc["b", "relative_high"] < 0.1 < guards.loc["a", "relative_high"]
    )
    metrics = experiment.metrics_of(ibis.memtable(frame), (), ["complaint"])
    others = experiment.recommend.other_effects(table, metrics, "spend", money=MONEY, confidence=0.95)
    assert (
        others[0].startswith(("a: complaint is significantly worse, +", "b: complaint is significantly better, -"))
        and len(others) == 2
    )
    assert experiment.recommend.other_effects(table, metrics, "spend", money=MONEY, confidence=0.95, most=1)[
        1
    ].startswith("1 more effects")


@pytest.mark.thorough
def test_an_arm_whose_guardrail_is_open_is_not_rolled_out():
    frame = simulated(lifts=(0.5, 1.0))
    harmed = (frame["variant"] == "b") & (frame.index % 4 == 0)
    frame.loc[harmed, "outcome_visit"] = 0.0
    frame["outcome_visit"] = frame["outcome_visit"].where(frame["variant"] != "a", (frame.index // 3 % 4 == 0) * 1.0)
    _, table, said, read = decided(frame, {"visit": 0.05}, cost=0.01)
    guards = table[table["guardrail"]].set_index("variant")
    assert (
        guards["sign"].to_dict() == {"a": 1, "b": 0} and guards.loc["a", "verdict"] == "pass: a fall of 5% is excluded"
    )
    assert said[0].startswith("Roll out a") and "the guardrail on visit fails" in said[-1]
    guard = read.set_index("metric: arm").loc["visit (guardrail): b"]
    assert guard["95% CI"].endswith("to no limit") and guard["verdict"] == "fail" and "cannot be" in guard["note"]
    assert f"(at least {guards.loc['b', 'relative_low']:+.0%})" in guard["relative effect"]
    said = experiment.decision.open_guardrails(table)
    assert len(said) == 1 and said[0].startswith("b fails the guardrail on visit: a fall of 5% cannot be excluded")
    below = decided(frame.assign(outcome_spend=frame["outcome_spend"] - 20), {"spend": 0.02})[1]
    unknown = "not judged: the control mean is not significantly above zero"
    assert (below.loc[below["guardrail"], "verdict"] == unknown).all()
    assert experiment.decision.open_guardrails(below)[0].startswith(
        "a is not judged by the guardrail on spend: the control"
    )
    # a mean of 0.1 with an error of 0.3: above zero, but not significantly
    near = frame.assign(outcome_spend=(frame["outcome_spend"] - frame["outcome_spend"].mean()) * 10 + 0.1)
    _, table, _, read = decided(near, {"spend": 0.02})
    assert (table.loc[table["guardrail"], "verdict"] == unknown).all()
    assert (read.loc[read["metric: arm"].str.startswith("spend"), "relative effect"] == "–").all()


@pytest.mark.thorough
def test_simultaneous_intervals_leave_out_zero_exactly_where_the_procedure_finds_an_effect():
    frame = simulated(lifts=(0.1, 0.13), n=1500)
    for seed in range(2):
        visits = np.random.default_rng(seed).random(len(frame)) < 0.2 + 0.06 * (frame["variant"] == "a")
        frame["outcome_visit"] = visits * 1.0
        units = ibis.memtable(frame)
        metrics = experiment.metrics_of(units, ["spend / visit"])
        for primary in metrics:
            for confidence in (0.8, 0.95):
                effects = experiment.compare_arms(units, metrics, "control", confidence=confidence)
                judged = experiment.gatekept(units, effects, metrics, primary, seed, confidence=confidence)
                outside = (judged["simultaneous_low"] > 0) | (judged["simultaneous_high"] < 0)
                found = judged["pvalue_adjusted"] < 1 - confidence
                refused = judged["randomised"] * judged["family"] >= 1 - confidence
                open_gate = judged["primary"] | found[judged["primary"]].any()
                assert (outside == found)[open_gate & ~refused].all() and not found[~open_gate].any()
                level = 1 - (1 - confidence) / 2  # two arms
                alone = experiment.compare_arms(units, [primary], "control", confidence=level)
                own = judged.loc[judged["primary"], "simultaneous_low"]
                assert own.tolist() == alone["effect_low"].tolist()


@pytest.mark.slow
def test_the_procedure_is_that_of_its_definition():
    rng = np.random.default_rng(2)
    for _ in range(300):
        arms, others = int(rng.integers(1, 4)), int(rng.integers(0, 4))
        p = pd.Series(rng.random(arms * (1 + others)) ** 4)
        primary = pd.Series(np.arange(len(p)) < arms)
        alpha = float(rng.choice([0.05, 0.2]))
        passed = alpha / arms * (p[primary] < alpha / arms).sum()
        expected = np.where(primary, p < alpha / arms, p < passed / max(arms * others, 1))
        assert ((experiment.gatekeeping.gatekeep(p, primary) < alpha) == expected).all()
    # Dmitrienko, Offen and Westfall (2003): without a primary rejection nothing behind it can be found
    assert experiment.gatekeeping.gatekeep(pd.Series([0.5, 0.0]), pd.Series([True, False])).tolist() == [0.5, 0.5]


@pytest.mark.thorough
def test_the_arm_that_looks_best_is_covered_by_its_simultaneous_interval():
    rng, plain, together = np.random.default_rng(11), [], []
    names = ["control", *"abcdefghijklmnopqrstuvwxyz"]
    for _ in range(40):
        frame = pd.DataFrame({"variant": np.resize(names, 1620), "outcome_spend": rng.normal(0, 1, 1620)})
        units = ibis.memtable(frame)
        effects = experiment.compare_arms(units, [SPEND], "control")
        judged = experiment.gatekept(units, effects, [SPEND], SPEND, 1)
        best = judged.loc[judged["effect"].idxmax()]
        plain.append(best["effect_low"] <= 0 <= best["effect_high"])
        together.append(((judged["simultaneous_low"] <= 0) & (judged["simultaneous_high"] >= 0)).all())
    assert np.mean(plain) < 0.88 and np.mean(together) >= 0.95


@pytest.mark.slow
def test_too_few_outcomes_are_said_and_decide_nothing():
    frame = simulated(3000).assign(outcome_spend=0.0)
    frame.loc[frame.index[frame["variant"] == "b"][:15], "outcome_spend"] = 100.0
    judged, table, said, _ = decided(frame)
    verdict = table.set_index(["metric", "variant"])["verdict"]
    assert verdict["spend", "b"] == "too few to tell (15 units with spend in these arms)" and (table["sign"] == 0).all()
    assert judged.loc[judged["metric"] == "spend", "pvalue"].dropna().iloc[0] < 0.001, "by itself it would be found"
    assert said[0] == "Inconclusive: no arm is shown to be better or worse than control on spend. Missed."
    assert (verdict["visit"] == "not tested: no arm is significant on the primary metric").all()
    # an outcome that a treatment ends is not too little to tell
    ended = visited_more(frame)
    ended.loc[ended["variant"] == "a", "outcome_visit"] = 0.0
    found = decided(ended, primary="visit")[1].set_index(["metric", "variant"])["verdict"]
    assert found["visit", "a"] == "significantly worse" and found["visit", "b"] == "significantly better"


@pytest.mark.slow
def test_what_waits_behind_a_shut_gate_is_exploratory():
    judged, table, _, _ = decided(visited_more(simulated(seed=3)))
    metrics = experiment.metrics_of(ibis.memtable(simulated()))
    said = experiment.recommend.other_effects(table, metrics, "spend", money=MONEY, confidence=0.95)
    assert len(said) == 1 and said[0].startswith("b: visit is better, +")
    assert said[0].endswith("exploratory (unadjusted p < 0.001), since no arm is significant on spend.")
    assert (judged.loc[judged["metric"] == "visit", "pvalue_adjusted"] > 0.05).all()


def test_means_that_depend_on_one_unit_are_flagged():
    frame = simulated(3000)
    frame.loc[frame.index[frame["variant"] == "b"][0], "outcome_spend"] = -4000.0
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units)
    found = experiment.carriers.carried(units, metrics)
    own = frame.loc[frame["variant"] == "b", "outcome_spend"].abs()
    said = experiment.carriers.influential(found, metrics)
    assert said == [f"spend depends on single units: in b {4000 / own.sum():.0%} of it is one unit."]
    counts = found.set_index(["metric", "variant"])["outcomes"]
    assert counts["visit", "a"] == frame.loc[frame["variant"] == "a", "outcome_visit"].sum()


@pytest.mark.slow
def test_the_bayesian_probability_is_held_against_the_adjusted_verdict():
    frame = simulated(lifts=(0.85, 1.0))
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units)
    _, table, _, _ = decided(frame)
    every = experiment.compare_arms(units, metrics, "control", each_other=True)
    columns = ["outcome_visit", "outcome_spend"]
    posterior = experiment.bayes.choices_of(experiment.moments(units, columns), metrics, "control")
    pairs = every[every["against"] != "control"]
    options = {"control": "control", "confidence": 0.95}
    said = experiment.recommend.reconciled(posterior, table, pairs, "spend", **options)
    row = pairs[pairs["metric"] == "spend"].iloc[0]
    best = posterior[posterior["metric"] == "spend"].set_index("variant").loc["b", "best"]
    assert len(said) == 1 and f"the probability that b is the best arm by spend is {best:.1%}, unadjusted." in said[0]
    assert said[0].endswith(f"against the next best, a: inconclusive (Holm-adjusted p = {row['pvalue_holm']:.3f}).")
    alone = experiment.recommend.reconciled(posterior[posterior["variant"] != "a"], table, pairs, "spend", **options)
    assert alone[0].endswith("The adjusted test against the next best, control: significantly better.")
    assert experiment.recommend.reconciled(posterior.head(0), table, pairs, "spend", **options) == []


def test_ratios_of_what_few_units_have_are_left_out_with_the_reason():
    frame = simulated(60)
    frame["outcome_visit"] = (frame.index % 6 == 0).astype(float)
    units = ibis.memtable(frame)
    ratios = ["spend / visit", "spend / order", "spend / spend"]
    assert experiment.questions.ratios_left_out(units, ratios) == {
        "spend / visit": "only 0 units of an arm have any visit, at least 20 are needed",
        "spend / order": "the test lacks one of its outcomes",
    }
    assert [one.name for one in experiment.metrics_of(units, ratios)] == ["visit", "spend", "spend / spend"]


def test_of_many_arms_those_with_the_smallest_p_values_are_looked_at():
    frame = simulated(4000)
    frame["variant"] = np.resize(["control", *(f"arm {n:02d}" for n in range(9))], len(frame))
    frame.loc[frame["variant"] == "arm 07", "outcome_spend"] += 1
    effects = experiment.compare_arms(ibis.memtable(frame), [SPEND], "control")
    found = experiment.questions.leading(effects, "spend")
    assert "arm 07" in found and found == sorted(effects.nsmallest(6, "pvalue")["variant"])
    assert experiment.questions.leading(effects, "visit") == []


@pytest.mark.slow
def test_outcomes_that_nobody_or_everybody_has_are_named_and_leave_the_others_alone():
    frame = simulated().drop(columns="outcome_spend").assign(outcome_none=0.0, outcome_every=1.0, outcome_three=3.0)
    frame["outcome_rare"] = (frame.index == 4) * 1.0  # one unit of arm a
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units)
    effects = experiment.compare_arms(units, metrics, "control", confidence=0.9)
    effects = experiment.gatekept(units, effects, metrics, metrics[0], 1, confidence=0.9)
    money = experiment.Money()
    table = experiment.decision.decision(
        effects, experiment.decision.no_effects(), confidence=0.9, money=money
    ).set_index("metric")
    assert (table.loc["three", "verdict"] == "cannot be judged: it does not vary").all()
    apart = table.loc[["none", "every"]]
    assert apart["verdict"].str.startswith("too few to tell (0 units with").all() and (apart["effect"] == 0).all()
    row = effects[(effects["metric"] == "visit") & (effects["variant"] == "a")].iloc[0]
    counts = frame[frame["variant"].isin(["a", "control"])].groupby("variant")["outcome_visit"].agg(["sum", "size"])
    plain = stats.chi2_contingency([counts["sum"], counts["size"] - counts["sum"]], correction=False)
    assert row["pvalue"] == pytest.approx(plain.pvalue)
    whole = experiment.decision.decision(effects, experiment.decision.no_effects(), confidence=0.9, money=money)
    picture = figures.relative_effects(whole, "control", 0.9)
    assert "90% CIs" in picture.alt and "nan" not in picture.alt and picture.png()


def test_a_label_with_dollars_is_no_formula():
    frame = simulated().assign(covariate_history=np.resize(["1) $0 - $100", "2) $100 - $200"], 3000))
    units, _ = experiment.segments_of(ibis.memtable(frame))
    table = experiment.by_segment(units, SPEND, "control", ["history"]).table
    labels = figures.by_segment(table, "spend", "control", 0.95).figure.axes[0].get_yticklabels()
    assert [one.get_text() for one in labels] == ["1) $0 - $100", "2) $100 - $200"]
    assert not any(one.get_parse_math() for one in labels)


def test_what_is_saved_has_one_row_an_outcome_and_arm_even_of_a_test_that_is_not_sound():
    units = ibis.memtable(simulated())
    effects = experiment.gatekept(units, experiment.compare_arms(units, [SPEND], "control"), [SPEND], SPEND, 1)
    saved, empty = experiment.saved(effects), experiment.saved(experiment.decision.no_effects())
    assert saved.columns.tolist() == empty.columns.tolist() and len(empty) == 0 and len(saved) == 2
    assert saved.columns[:5].tolist() == ["outcome", "variant", "control_mean", "variant_mean", "effect"]
    assert (saved["variant_mean"] - saved["control_mean"]).to_numpy() == pytest.approx(saved["effect"].to_numpy())
