"""Does the answer hang on the way? Adjusted, stratified, cut, and quantiles, each against a second computation."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import experiment
from customerlab.analysis.experiment import Metric

SPEND = Metric("spend", "outcome_spend")


def simulated(n=6000, seed=0, lift=0.5):
    rng = np.random.default_rng(seed)
    region, known = rng.integers(0, 4, n), rng.normal(0, 1, n)
    arm = rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)],
            "variant": np.array(["control", "a", "b"])[arm],
            "region": np.array(["north", "south", "west", None], dtype=object)[region],
            "half": np.where(np.arange(n) % 2, "odd", "even"),
            "lone": np.where(np.arange(n) == 0, "one", "other"),
            "covariate_known": [f"{x:.6f}" for x in known],
            "outcome_spend": 5.0 * region + known + rng.normal(0, 1, n) + lift * (arm == 2),
            "outcome_visit": (rng.random(n) < 0.3).astype(float),
        }
    )


@pytest.mark.slow
def test_every_way_has_the_planted_effect_and_the_known_ones_are_narrower():
    units = ibis.memtable(simulated())
    options = {"covariates": ["covariate_known"], "segments": ["half", "region"], "winsor_quantile": 0.95}
    found = experiment.sensitivity.sensitivity(units, SPEND, "control", **options)
    ways = found["way"].unique().tolist()
    values = simulated()["outcome_spend"]
    cap, least = values[values > 0].quantile(0.95), (-values[values < 0]).quantile(0.95)
    assert ways == [
        "as measured", "adjusted for known (CUPED)", "post-stratified by region",
        f"with spend winsorised to {-least:,.4g} to {cap:,.4g} ({((values > cap) | (values < -least)).sum():,} units)",
    ]  # fmt: skip
    assert found["variant"].tolist() == ["a", "b"] * 4
    b = found[found["variant"] == "b"].set_index("way")
    assert ((b["effect_low"] < 0.5) & (b["effect_high"] > 0.5)).iloc[:3].all()
    # regions hold 25 · 5/4 of 33.25 of the variance, the covariate one
    assert b["narrower"].iloc[:3].tolist() == pytest.approx(
        [0, 1 - np.sqrt(32.25 / 33.25), 1 - np.sqrt(2 / 33.25)], abs=0.02
    )
    alone = experiment.sensitivity.sensitivity(
        units, experiment.metrics_of(units)[1], "control", **options | {"covariates": [], "segments": []}
    )
    assert alone["way"].unique().tolist() == ["as measured"], "a proportion has no great values"


def test_strata_are_those_that_narrow_most_and_have_two_units_of_every_arm():
    frame = simulated()
    units = ibis.memtable(frame)
    table = experiment.sensitivity.stratified(units, SPEND, "control", ["half", "lone", "region"])
    assert set(table["segment"]) == {"region"}
    label = frame["region"].fillna("-")  # what is missing is a stratum too
    means = frame.groupby([label, "variant"])["outcome_spend"].mean().unstack()
    share = label.value_counts(normalize=True)
    assert table.set_index("variant").loc["b", "effect"] == pytest.approx(
        ((means["b"] - means["control"]) * share).sum()
    )
    assert experiment.sensitivity.stratified(units, SPEND, "control", ["lone"]).empty


def test_quantiles_of_all_arms_are_those_of_the_values():
    frame = simulated()
    shares = [0.3, 0.9]
    found = experiment.quantiles.quantile_effects(ibis.memtable(frame), SPEND, "control", shares, 7)
    values = frame.groupby("variant")["outcome_spend"]
    own = {share: values.quantile(share, interpolation="lower") for share in shares}
    for row in found.itertuples():
        assert row.variant_value == pytest.approx(own[row.quantile][row.variant], abs=0.05)
        assert row.effect == pytest.approx(row.variant_value - row.against_value) and row.against == "control"
    assert found[["quantile", "variant"]].to_numpy().tolist() == [[0.3, "a"], [0.3, "b"], [0.9, "a"], [0.9, "b"]]
    shuffled = experiment.quantiles.quantile_effects(
        ibis.memtable(frame.sample(frac=1, random_state=1)), SPEND, "control", shares, 7
    )
    pd.testing.assert_frame_equal(found, shuffled)
    for wrong in (
        experiment.Metric("visit", "outcome_visit", proportion=True),
        Metric("r", "outcome_spend", "outcome_visit"),
    ):
        with pytest.raises(ValueError, match="expected a mean"):
            experiment.quantiles.quantile_effects(ibis.memtable(frame), wrong, "control", shares, 7)


def test_an_effect_at_the_top_alone_is_seen_there_alone():
    rng = np.random.default_rng(3)
    value = rng.exponential(10, 8000)
    arm = np.arange(8000) % 2
    value = np.where((arm == 1) & (value > 30), value * 1.4, value)
    frame = pd.DataFrame(
        {"unit_id": np.arange(8000).astype(str), "variant": np.where(arm, "new", "control"), "outcome_x": value}
    )
    found = experiment.quantiles.quantile_effects(
        ibis.memtable(frame), Metric("x", "outcome_x"), "control", [0.5, 0.98], 1
    )
    assert (found["pvalue_holm"] < 0.001).tolist() == [False, True] and found["effect_low"].iloc[0] <= 0


def test_a_quantile_on_a_mass_point_is_not_compared_and_the_reason_is_said():
    """The share of buyers passes 1%: the quantile jumps from nothing to the cheapest price."""
    rng = np.random.default_rng(6)
    n = 20_000
    bought = {"control": 0.006, "new": 0.0125}
    variant = np.resize(["control", "new"], 2 * n)
    spend = (rng.random(2 * n) < pd.Series(variant).map(bought).to_numpy()) * np.maximum(29.99, rng.gamma(2, 40, 2 * n))
    frame = pd.DataFrame({"unit_id": np.arange(2 * n).astype(str), "variant": variant, "outcome_spend": spend})
    found = experiment.quantiles.quantile_effects(ibis.memtable(frame), SPEND, "control", [0.5, 0.99, 0.9995], 1)
    assert found["effect"].isna().all() and found["pvalue_holm"].isna().all()
    assert found["why_not"].tolist()[:2] == ["the control has zero there"] * 2
    assert found["why_not"].iloc[2].startswith("too few to tell (")
    assert experiment.quantiles.of_quantiles(found, "spend", "control", 0.95) == []
    above = frame.assign(outcome_spend=np.where(rng.random(2 * n) < 0.4, 29.99, 10 + 60 * rng.random(2 * n)))
    found = experiment.quantiles.quantile_effects(ibis.memtable(above), SPEND, "control", [0.4, 0.9], 1)
    assert "units have exactly 29.99" in found["why_not"].iloc[0] and found["why_not"].iloc[1] == ""
    assert found["effect"].notna().tolist() == [False, True]


@pytest.mark.slow
def test_an_effect_that_a_few_carry_is_called_fragile():
    frame = simulated(lift=0.0)
    frame["outcome_spend"] = np.random.default_rng(5).exponential(1, len(frame))
    frame.loc[frame.index[frame["variant"] == "b"][:12], "outcome_spend"] = 60.0
    options = {"covariates": [], "segments": []}
    found = experiment.sensitivity.sensitivity(ibis.memtable(frame), SPEND, "control", winsor_quantile=0.95, **options)
    said = experiment.sensitivity.fragile(found, "spend", ["b"], 0.05)
    assert len(said) == 1 and said[0].startswith(
        "b: the effect on spend is significant as measured, but not with spend winsorised to "
    )
    assert experiment.sensitivity.fragile(found, "spend", [], 0.05) == [], "what is not significant hangs on nothing"
    refunds = frame.assign(outcome_spend=frame["outcome_spend"].where(frame["outcome_spend"] < 60, -60.0))
    found = experiment.sensitivity.sensitivity(
        ibis.memtable(refunds), SPEND, "control", winsor_quantile=0.95, **options
    )
    assert len(experiment.sensitivity.fragile(found, "spend", ["b"], 0.05)) == 0, (
        "twelve equal refunds are no outliers of refunds"
    )
    refunds.loc[refunds.index[refunds["variant"] == "b"][:11], "outcome_spend"] = -np.arange(1.0, 12.0)
    refunds.loc[refunds.index[refunds["variant"] == "b"][11], "outcome_spend"] = -5000.0
    way = experiment.sensitivity.sensitivity(ibis.memtable(refunds), SPEND, "control", winsor_quantile=0.9, **options)
    b = way[way["variant"] == "b"].set_index("way")["effect"]
    least = -np.quantile([*range(1, 12), 5000], 0.9)
    assert b.iloc[0] < -1.5 < b.iloc[1] < 0 and f"winsorised to {least:.4g} to " in b.index[1], "a refund is cut too"
    frame["outcome_spend"] = frame["outcome_spend"].clip(upper=2.0)
    alike = experiment.sensitivity.sensitivity(ibis.memtable(frame), SPEND, "control", winsor_quantile=0.95, **options)
    assert alike["way"].unique().tolist() == ["as measured"], "nothing is above the quantile, so nothing is cut"
