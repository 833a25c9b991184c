"""Simulated policies: closed forms, a bound by Auer et al., tests of scipy, and plain loops written apart."""

import random
from functools import lru_cache
from math import inf, log, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.bandit.policies import Policy
from customerlab.analysis.bandit.simulate import TEST, Plan, World, compared, in_words, simulate
from customerlab.analysis.experiment.design import Baseline, sample_size
from helpers import by_chance

PLAN = Plan(effect=0.1, baseline=0.2)


def regret(name, policy, world, horizon, batch, runs, **options):
    """The regret of one policy in each run."""
    found = simulate({name: policy}, world, horizon, batch, runs, 1, plan=PLAN, **options)
    return found.regret[name].to_numpy()


# Worlds and the test


def test_rates_over_time_in_closed_form():
    world = World([0.1, 0.2], season=[0.3, 0.2], period=400, novelty=[0, 0.1], half_life=50)
    rates = world.at([0, 50, 100, 200, 400])
    assert rates[:, 0] == pytest.approx([0.1, 0.1 + 0.1 * (1 - sqrt(0.5)), 0.2, 0.3, 0.1])
    assert rates[:, 1] == pytest.approx([0.3, 0.25, 0.225, 0.2 + 0.1 / 16, 0.2 + 0.1 / 256])
    with pytest.raises(ValueError, match="below 0 or above 1"):
        World([0.95, 0.5], novelty=[0.1, 0]).at([0])


def test_the_test_is_planned_and_decided_as_scipy_does():
    assert PLAN.decisions(3) == sample_size(Baseline(0.2, 0, proportion=True), 0.1, arms=3)["total"]
    rng = np.random.default_rng(2)
    count = np.full((100, 3), 400)
    total = rng.binomial(400, [0.2, 0.25, 0.28], (100, 3))
    found = PLAN.decided(np.stack([count, total], axis=-1).astype(float))
    expected = []
    for row in total:
        tables = [np.array([[row[0], 400 - row[0]], [row[arm], 400 - row[arm]]]) for arm in (1, 2)]
        p = [stats.chi2_contingency(table, correction=False).pvalue for table in tables]
        better = [arm for arm in (1, 2) if p[arm - 1] < 0.025 and row[arm] > row[0]]
        expected.append(max(better, key=lambda arm: row[arm], default=0))
    assert found.tolist() == expected and set(expected) == {0, 1, 2}
    nothing = np.array([[[400.0, 0]] * 3, [[0.0, 0]] * 3])
    assert PLAN.decided(nothing).tolist() == [0, 0]
    other = Plan(0.1, 0.2, control=2).decided(np.array([[[400.0, 200], [400, 80], [400, 80]]]))
    assert other.tolist() == [0]


@pytest.mark.parametrize("delay", [0, 3])
def test_the_test_loses_until_it_is_decided(delay):
    # planned for 588: decided with the 30th batch of 20, whose rewards come `delay` batches later; then never wrong
    found = simulate({}, World([0.2, 0.7]), 2_000, 20, 400, 1, plan=PLAN, delay=delay)
    split = 600 + 20 * delay
    assert found.planned == 588 and found.decided
    error = 0.5 * sqrt(split / 4) / sqrt(400)
    assert found.regret[TEST].mean() == pytest.approx(0.25 * split, abs=3.3 * error)
    curve = found.curve.set_index("decisions")["regret"]
    assert curve[2_000] == curve[curve.index >= split].iloc[0] == pytest.approx(found.regret[TEST].mean())


def test_a_test_that_is_not_decided_by_the_horizon_splits_until_then():
    found = simulate({}, World([0.2, 0.7]), 500, 20, 400, 1, plan=PLAN)
    assert not found.decided
    late = [simulate({}, World([0.2, 0.7]), 800, 20, 2, 1, plan=PLAN, delay=of).decided for of in (8, 9, 10, 100)]
    assert late == [True, True, False, False]  # decided with the 30th batch, acted on in the 31st, of 40
    assert found.regret[TEST].mean() == pytest.approx(125, abs=3.3 * 0.5 * sqrt(125) / 20)
    table = compared({"short": simulate({"UCB1": Policy("ucb1", 2)}, World([0.2, 0.7]), 500, 20, 40, 1, plan=PLAN)})
    assert in_words(table)[0].endswith(": the bandit pays. The test is not decided by then.")


@pytest.mark.slow
def test_the_test_finds_the_planned_effect_with_its_power():
    plan = Plan(effect=0.05, baseline=0.1)
    found = simulate({}, World([0.1, 0.15]), 4_116, 1_372, 4_000, 1, plan=plan)  # R's power.prop.test: 686 an arm
    late = found.regret[TEST] > 0.05 * (686 + 1_372)  # two thirds of the time with the worse action
    low, high = by_chance(0.8, 4_000)
    assert low <= 1 - late.mean() <= high
    nulls = simulate({}, World([0.1, 0.1]), 4_116, 1_372, 10, 1, plan=plan)
    assert (nulls.regret[TEST] == 0).all()


# Policies


@pytest.mark.slow
def test_ucb1_keeps_the_bound_of_auer():
    # Auer, Cesa-Bianchi and Fischer 2002, theorem 1; equal shares would lose 0.2 n
    rates, n = (0.9, 0.5), 3_000
    bound = sum(8 * log(n) / gap + (1 + np.pi**2 / 3) * gap for gap in (0.4,))
    lost = regret("ucb1", Policy("ucb1", 2), World(rates), n, 1, 20)
    assert 0 < lost.mean() < bound < 0.2 * n
    # in the long run, no policy that is good in all worlds loses less than this (Lai and Robbins 1985)
    assert lost.mean() > 0.4 * log(n) / stats.entropy([0.5, 0.5], [0.9, 0.1])


@pytest.mark.parametrize("rule", ["ucb1", "thompson", "epsilon-greedy", "softmax", "explore-then-commit"])
def test_rewards_that_never_come_leave_equal_shares(rule):
    lost = regret("a", Policy(rule, 2, draws=10), World([0.2, 0.7]), 1_000, 50, 200, delay=20)
    error = 0.5 * sqrt((1_000 + 50 * 1_000 / 10 * (rule == "thompson")) / 4 / 200)  # a batch shares its draws
    assert lost.mean() == pytest.approx(250, abs=3.3 * error)


@pytest.mark.slow
def test_a_delay_costs_and_a_single_action_does_not():
    world = World([0.3, 0.5])
    means = [regret("u", Policy("kl-ucb", 2), world, 2_000, 20, 200, delay=delay).mean() for delay in (0, 5, 20)]
    assert means[0] < means[1] < means[2]
    one = simulate({"u": Policy("ucb1", 1)}, World([0.3]), 100, 30, 25, 1, plan=PLAN)
    assert (one.regret == 0).all(axis=None) and one.planned == 0


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_equal_rates_are_too_close_to_tell(rate):
    found = simulate({"t": Policy("thompson", 3)}, World([rate] * 3), 500, 50, 30, 1, plan=PLAN)
    assert (found.regret == 0).all(axis=None)
    assert compared({"equal": found})["better"].tolist() == ["too close to tell"]


@pytest.mark.slow
def test_a_window_follows_the_season():
    world = World([0.1, 0.5], season=[0.5, 0.1], period=4_000)
    lost = [regret("t", Policy("thompson", 2, window=of), world, 8_000, 50, 60) for of in (0, 10)]
    assert lost[1].mean() + 3.3 * lost[1].std() / sqrt(60) < lost[0].mean() - 3.3 * lost[0].std() / sqrt(60)
    discounted = regret("t", Policy("thompson", 2, discount=0.9), world, 8_000, 50, 60)
    assert discounted.mean() < 0.7 * lost[0].mean()


def test_regret_of_a_fixed_action_is_that_of_the_world():
    # the floor alone: both actions by half, whatever is learned; batches do not divide the horizon
    world = World([0.1, 0.2], season=[0.3, 0.2], period=70, novelty=[0, 0.1], half_life=9)
    lost = regret("u", Policy("ucb1", 2, floor=0.5), world, 101, 20, 4_000)
    rates = world.at(np.arange(101))
    gap = rates.max(axis=1, keepdims=True) - rates
    assert lost.mean() == pytest.approx(gap.mean(axis=1).sum(), abs=3.3 * lost.std() / sqrt(4_000))


def test_the_seed_decides_and_other_policies_do_not():
    policies = {"a": Policy("ucb1", 2), "b": Policy("thompson", 2)}
    both, again = (simulate(policies, World([0.2, 0.3]), 300, 10, 25, 1, plan=PLAN) for _ in range(2))
    pd.testing.assert_frame_equal(both.regret, again.regret, check_exact=True)
    alone = simulate({"b": policies["b"].update([0], [1])}, World([0.2, 0.3]), 300, 10, 25, 1, plan=PLAN)
    assert (alone.regret["b"] == both.regret["b"]).all() and (alone.regret[TEST] == both.regret[TEST]).all()
    other = simulate(policies, World([0.2, 0.3]), 300, 10, 25, 2, plan=PLAN)
    assert (other.regret["b"] != both.regret["b"]).any()


def test_the_curve_ends_with_the_regret_and_its_interval():
    found = simulate({"a": Policy("kl-ucb", 2)}, World([0.2, 0.3]), 3_000, 50, 40, 1, plan=PLAN)
    last = found.curve[found.curve["policy"] == "a"].iloc[-1]
    ends = stats.ttest_1samp(found.regret["a"], 0).confidence_interval(0.95)
    assert last[["decisions", "regret", "low", "high"]].tolist() == pytest.approx(
        [3_000, found.regret["a"].mean(), *ends]
    )
    assert found.curve.groupby("policy").size().tolist() == [50, 50]
    assert (found.curve.groupby("policy")["regret"].diff().dropna() >= 0).all()


# Verdicts


def test_verdicts_are_those_of_paired_intervals():
    worlds = {"slow": World([0.2, 0.3]), "fast": World([0.2, 0.9])}
    policies = {"equal": Policy("ab test", 2), "Thompson": Policy("thompson", 2, draws=20)}
    found = {name: simulate(policies, world, 2_000, 50, 100, 1, plan=PLAN) for name, world in worlds.items()}
    table = compared(found)
    assert table["better"].tolist() == [TEST, "bandit"] * 2
    for row in table.itertuples():
        pair = found[row.world].regret
        ends = stats.ttest_rel(pair[TEST], pair[row.policy]).confidence_interval(1 - 0.05 / 2)
        assert (row.low, row.high) == pytest.approx(tuple(ends))
        assert row.saved == pytest.approx(row.test_regret - row.regret)
    words = in_words(table)
    assert (
        words[0].startswith("slow: equal earns ") and "rewards fewer than the A/B test in 2,000 decisions" in words[0]
    )
    assert words[0].endswith(": the A/B test is better.") and words[3].endswith(": the bandit pays.")


def test_few_runs_are_too_few_to_tell():
    found = simulate({"u": Policy("ucb1", 2)}, World([0.2, 0.9]), 1_000, 50, 19, 1, plan=PLAN)
    table = compared({"w": found})
    assert table["better"].tolist() == ["too few to tell (19 runs)"] and table["low"].isna().all()
    assert in_words(table)[0].endswith("in 1,000 decisions: too few to tell (19 runs).")


def test_what_cannot_be_simulated_is_refused():
    world = World([0.2, 0.3])
    for policies, options, words in (
        ({"u": Policy("ucb1", 3)}, {}, "the 2 actions"),
        ({"u": Policy("ucb1", 2)}, {"runs": 0}, "at least 1"),
        ({TEST: Policy("ucb1", 2)}, {}, "is kept"),
        ({}, {"plan": Plan(0.1, 0.2, control=2)}, "is kept"),
    ):
        given = {"horizon": 100, "batch": 10, "runs": 5, "seed": 1, "plan": PLAN} | options
        with pytest.raises(ValueError, match=words):
            simulate(policies, world, **given)


# A plain loop, written apart


def best_of(scores):
    """The place of the highest of some numbers, one of the first in case of ties by chance."""
    top = max(scores)
    return random.choice([place for place, score in enumerate(scores) if score == top])


def divergence(p, q):
    """Between Bernoulli distributions."""
    return (p * log(p / q) if p else 0) + ((1 - p) * log((1 - p) / (1 - q)) if p < 1 else 0)


@lru_cache(100_000)
def kl_bound(p, n, level):
    """The index of KL-UCB by bisection."""
    low, high = p, 1 - 1e-12
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if n * divergence(p, middle) <= level else (low, middle)
    return low


PLAINLY = {
    "epsilon-greedy": lambda n, s, t: (
        random.randrange(len(n))
        if random.random() < 0.1
        else best_of([b / a if a else inf for a, b in zip(n, s, strict=True)])
    ),
    "ucb1": lambda n, s, t: best_of([b / a + sqrt(2 * log(t) / a) if a else inf for a, b in zip(n, s, strict=True)]),
    "kl-ucb": lambda n, s, t: best_of([kl_bound(b / a, a, log(t)) if a else inf for a, b in zip(n, s, strict=True)]),
    "thompson": lambda n, s, t: best_of([random.betavariate(1 + b, 1 + a - b) for a, b in zip(n, s, strict=True)]),
}


@pytest.mark.thorough
@pytest.mark.parametrize("rule", PLAINLY)
def test_regret_is_within_five_percent_of_a_plain_loop(rule):
    rates, horizon, runs = (0.2, 0.5, 0.6), 300, 1_000 if rule == "kl-ucb" else 4_000
    random.seed(3)
    total = 0.0
    for _ in range(runs):
        n, s = [0] * 3, [0] * 3
        for t in range(horizon):
            action = PLAINLY[rule](n, s, t)
            n[action] += 1
            s[action] += random.random() < rates[action]
            total += max(rates) - rates[action]
    ours = regret(rule, Policy(rule, 3), World(rates), horizon, 1, 4_000)
    assert ours.mean() == pytest.approx(total / runs, rel=0.05)
