"""Planted effects of simulated tests: covered at their rate, found in their segment, refused where the split broke."""

import ibis
import numpy as np
import pandas as pd

from customerlab.analysis import experiment
from customerlab.analysis.experiment.contrasts import Arm, Value, contrast
from customerlab.data.simulate import experiments
from customerlab.data.simulate.purchasing import SEGMENTS
from helpers import by_chance

TESTS = 1_000


def people(seed, size):
    rng = np.random.default_rng(seed)
    return rng, experiments.simulate_units(rng, size)


def canonical(table, units):
    table = table.rename(columns={name: f"outcome_{name}" for name in experiments.OUTCOMES})
    table["unit_id"] = [f"{n:06d}" for n in range(len(table))]
    table["covariate_past_spend"] = table["past_spend"].astype(str)
    table["covariate_segment"] = SEGMENTS["segment"].to_numpy()[units.segment[table.index]]
    columns = [
        "unit_id",
        "variant",
        "exposed_at",
        *(name for name in table.columns if name.startswith(("outcome_", "covariate_"))),
    ]
    return ibis.memtable(table[columns].reset_index(drop=True))


METRICS = [
    experiment.Metric("visit", "outcome_visit", proportion=True),
    experiment.Metric("conversion", "outcome_conversion", proportion=True),
    experiment.Metric("spend", "outcome_spend"),
    experiment.Metric("spend, adjusted", "outcome_spend", covariate="covariate_past_spend"),
]


def contrasts(units, test):
    """Each metric of each arm against control, from numpy's means and covariances; the engine's are held to these."""
    values = test[["visit", "conversion", "spend", "past_spend"]].to_numpy(dtype=float)
    arms = {}
    for name in dict.fromkeys(test["variant"]):
        own = values[(test["variant"] == name).to_numpy()]
        arms[name] = Arm(own.mean(axis=0), np.cov(own.T) / len(own), np.asarray(len(own) - 1.0))
    control = arms.pop("control")
    for name, arm in arms.items():
        for place, metric in enumerate(METRICS):
            yield (
                name,
                min(place, 2),
                metric,
                contrast(arm, control, Value(min(place, 2)), Value(3) if metric.covariate else None),
            )


def test_effects_cover_the_planted_ones_at_their_rate(say):
    covered, kept = {metric.name: [] for metric in METRICS}, []
    for seed in range(TESTS):
        rng, units = people(seed, 4_000)
        truth = {name: experiments.expected(units, name).mean() for name in experiments.ARMS}
        for name, outcome, metric, found in contrasts(units, experiments.simulate_test(rng, units)):
            planted = (truth[name] - truth["control"]).iloc[outcome]
            covered[metric.name].append(found.low <= planted <= found.high)
        kept.append(found.kept)
    rates = {name: np.mean(hits) for name, hits in covered.items()}
    listed = ", ".join(f"{name} {rate:.1%}" for name, rate in rates.items())
    say(f"{TESTS} tests, intervals of 95% cover: {listed}; the covariate keeps {np.mean(kept):.3f} of the variance")
    least, most = by_chance(0.95, TESTS)  # the two intervals of a test share their control: they count as one
    assert all(least <= rate <= most for rate in rates.values()) and np.mean(kept) < 1


def test_no_effect_is_found_between_equal_arms_more_often_than_promised(say):
    found = {metric.name: [] for metric in METRICS}
    for seed in range(TESTS):
        rng, units = people(seed, 3_000)
        equal = experiments.simulate_test(rng, units, ("control", "control"))
        for _, _, metric, effect in contrasts(units, equal):
            found[metric.name].append(effect.pvalue < 0.05)
    listed = ", ".join(f"{name} {np.mean(hits):.1%}" for name, hits in found.items())
    say(f"{TESTS} pairs of equal arms, p < 0.05: {listed}")
    least, most = by_chance(0.05, TESTS)
    assert all(least <= np.mean(hits) <= most for hits in found.values())


def test_effects_of_segments_are_covered_and_the_harmed_one_is_named(say):
    covered, named, wrong = [], [], []
    for seed in range(40):
        rng, units = people(seed, 20_000)
        data = canonical(experiments.simulate_test(rng, units), units)
        found = experiment.by_segment(data, METRICS[0], "control", ["covariate_segment"]).table
        truth = pd.DataFrame({arm: experiments.expected(units, arm)["visit"] for arm in experiments.ARMS})
        truth = truth.sub(truth["control"], axis=0)
        truth = truth.groupby(SEGMENTS["segment"].to_numpy()[units.segment]).mean()
        for row in found.itertuples():
            covered.append(row.effect_low <= truth.loc[row.value, row.variant] <= row.effect_high)
        below = found[(found["pvalue_bh"] < 0.05) & (found["apart"] < 0) & (found["variant"] == "voucher")]
        named.append("trade" in set(below["value"]))
        wrong.append(
            (found["effect_high"] < 0).sum() - ((found["effect_high"] < 0) & (found["value"] == "trade")).sum()
        )
    rate, all_named = np.mean(covered), np.mean(named)
    say(
        f"{len(covered)} effects of segments: {rate:.1%} covered; the harmed segment is named in {all_named:.0%} of 40 tests"
    )
    least, most = by_chance(0.95, len(covered) // 2)  # two arms of a segment share their control
    assert least <= rate <= most and all_named >= 0.95 and np.mean(wrong) <= 0.3


def test_a_broken_test_is_refused_and_a_sound_one_decided(say):
    refused, alarms, chosen = [], 0, 0
    for seed in range(8):
        rng, units = people(seed, 6_000)
        sound = canonical(experiments.simulate_test(rng, units), units)
        checked = experiment.soundness(sound, "control", segments=["covariate_segment"])
        alarms += not checked.sound
        effects = experiment.compare_arms(sound, METRICS, "control")
        money = experiment.Money("spend")
        effects = experiment.gatekept(sound, effects, METRICS, METRICS[0], seed)
        decided = experiment.decision.decision(effects, experiment.decision.no_effects(), confidence=0.95, money=money)
        said = experiment.recommend.recommendation(
            decided, experiment.decision.no_effects(), METRICS[0], control="control", confidence=0.95, money=money
        )
        chosen += said[0].lead.endswith("is better than control")
        refused.append(experiment.soundness(canonical(experiments.simulate_broken_test(rng, units), units), "control"))
    caught = sum("sample ratio" in one.refusal() for one in refused)
    say(f"{caught} of 8 broken tests are refused, {alarms} of 8 sound ones; of these {chosen} find a better arm")
    assert caught == 8 and alarms <= 1 and chosen >= 6
