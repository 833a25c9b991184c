"""Off-policy evaluation: closed forms, identities, a published comparison, coverage of intervals, and edges."""

import sys
import time
import tracemalloc
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, train_test_split
from threadpoolctl import threadpool_limits

from customerlab.analysis.bandit.evaluate import (
    PROMISED,
    anytime,
    by_position,
    empirical_bernstein,
    estimate,
    evaluate,
    slope,
)
from customerlab.analysis.bandit.gate import judged
from customerlab.analysis.bandit.linear_policies import LinearPolicy
from customerlab.analysis.bandit.logged import (
    booster,
    corrected,
    decisions,
    standard_error,
    with_propensities,
)
from customerlab.analysis.bandit.policies import Policy
from helpers import by_chance

ABC = ["a", "b", "c"]
LOGGING = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])  # by segment
TARGET = np.array([[0.2, 0.5, 0.3], [0.5, 0.3, 0.2]])
RATES = np.array([[0.2, 0.4, 0.6], [0.5, 0.3, 0.1]])
TRUTH = (TARGET * RATES).sum(axis=1)


def world(seed, decisions=1_000):
    """A log of three actions in two segments of equal size by chance, the target, and the segments."""
    rng = np.random.default_rng(seed)
    segments = rng.integers(2, size=decisions)
    chosen = (rng.random(decisions)[:, None] > LOGGING[segments].cumsum(axis=1)[:, :-1]).sum(axis=1)
    reward = (rng.random(decisions) < RATES[segments, chosen]).astype(float)
    log = pd.DataFrame({"action": np.array(ABC)[chosen], "reward": reward, "propensity": LOGGING[segments, chosen]})
    return log, TARGET[segments], segments


def row(found, estimator):
    """The estimates of one estimator."""
    return found.table.set_index("estimator").loc[estimator]


# Closed forms and identities


def test_one_row_by_hand():
    weight, reward = np.array([0.6 / 0.3]), np.array([1.0])
    assert estimate("ips", weight, reward)[0] == 2.0 and estimate("snips", weight, reward)[0] == 1.0
    assert estimate("dr", weight, reward, 0.4, 0.5)[0] == pytest.approx(0.5 + 2 * 0.6, abs=1e-15)
    assert estimate("switch", weight, reward, 0.4, 0.5, limit=1.9)[0] == 0.5
    assert estimate("shrinkage", weight, reward, 0.4, 0.5, limit=4.0)[0] == pytest.approx(0.5 + 0.6, abs=1e-15)


def test_estimators_meet_where_they_must():
    rng = np.random.default_rng(1)
    weight, reward, at, direct = rng.gamma(2, 0.5, 50), rng.random(50), rng.random(50), rng.random(50)
    ips, dm, dr = (estimate(name, weight, reward, at, direct)[0] for name in ("ips", "dm", "dr"))
    assert estimate("dr", weight, reward)[0] == ips  # a model of zero
    assert estimate("dr", 0 * weight, reward, at, direct)[0] == dm  # weights of zero
    assert estimate("dr", weight, at, at, direct)[0] == dm  # a model without error
    for name in ("switch", "shrinkage"):
        assert estimate(name, weight, reward, at, direct)[0] == dr
        assert estimate(name, weight, reward, at, direct, limit=0.0)[0] == dm
        assert estimate(name, weight, reward, at, direct, limit=1e14)[0] == pytest.approx(dr, abs=1e-12)
    for name in ("ips", "snips", "dm", "dr"):
        assert estimate(name, weight, reward, at, direct)[1].mean() == pytest.approx(0, abs=1e-15)
    shifted = estimate("snips", weight, reward + 5)[0] - estimate("snips", weight, reward)[0]
    assert shifted == pytest.approx(5, abs=1e-12)  # which holds for no other weighting
    with pytest.raises(ValueError, match="expected one of ips"):
        estimate("magic", weight, reward)


def test_on_policy_is_the_mean_reward_with_its_textbook_error():
    rng = np.random.default_rng(2)
    log = pd.DataFrame({"action": rng.choice(["a", "b"], 500), "reward": rng.random(500), "propensity": 0.5})
    found = evaluate(log, np.full((500, 2), 0.5), ["a", "b"], seed=1)
    for name in ("ips", "snips", "replay"):
        one = row(found, name)
        assert one["value"] == pytest.approx(log["reward"].mean(), abs=1e-12)
        assert one["error"] == pytest.approx(stats.sem(log["reward"]), abs=1e-12)
    low, high = stats.norm.interval(0.95, log["reward"].mean(), stats.sem(log["reward"]))
    assert row(found, "ips")[["normal_low", "normal_high"]].tolist() == pytest.approx([low, high], abs=1e-12)


def test_replay_is_the_mean_of_matches_and_only_for_equal_propensities():
    rng = np.random.default_rng(3)
    log = pd.DataFrame({"action": rng.choice(ABC, 900), "reward": rng.random(900), "propensity": 1 / 3})
    target = np.eye(3)[rng.integers(3, size=900)]
    matched = target[np.arange(900), log["action"].map(ABC.index)] == 1
    assert row(evaluate(log, target, ABC, seed=1), "replay")["value"] == pytest.approx(log["reward"][matched].mean())
    other, its, _ = world(1)
    assert "replay" not in set(evaluate(other, its, ABC, seed=1).table["estimator"])


def test_estimated_frequencies_are_poststratification():
    log, target, segments = world(4)
    log["segment"] = segments
    means = log.groupby(["segment", "action"])["reward"].mean().unstack().loc[:, ABC].to_numpy()
    found = evaluate(log.drop(columns="propensity"), target, ABC, seed=1, segments=segments)
    assert row(found, "ips")["value"] == pytest.approx((target * means[segments]).sum(axis=1).mean(), abs=1e-12)
    assert found.propensities == "estimated by frequencies in segments"
    assert evaluate(log, target, ABC, seed=1).propensities == "logged"
    cells = log.groupby(["segment", "action"])["reward"].agg([lambda x: x.var(ddof=0), "size"]).reset_index()
    share = np.bincount(segments) / len(log)
    taken = TARGET[cells["segment"], cells["action"].map(ABC.index)] * share[cells["segment"]]
    within = (taken**2 * cells.iloc[:, 2] / cells["size"]).sum()  # of a stratified mean
    between = (target * means[segments]).sum(axis=1).var() / len(log)  # of the strata
    error = np.sqrt((within + between) * len(log) / (len(log) - 1))
    assert row(found, "ips")["error"] == pytest.approx(error, abs=1e-12)


def test_logistic_propensities_of_two_segments_are_their_frequencies():
    log, target, segments = world(5)
    bare = log.drop(columns="propensity")
    one = evaluate(bare, target, ABC, seed=1, segments=segments)
    other = evaluate(bare, target, ABC, seed=1, contexts=segments)
    assert other.propensities == "estimated by multinomial logistic regression on contexts"
    for name in ("ips", "snips"):  # the model is saturated, but for a weak penalty
        for column in ("value", "error"):
            assert row(other, name)[column] == pytest.approx(row(one, name)[column], rel=2e-3)


def test_errors_are_over_customers():
    log, target, _ = world(6)
    many = pd.concat([log.assign(customer_id=np.arange(1_000))] * 3, ignore_index=True)
    once = evaluate(log, target, ABC, seed=1)
    thrice = evaluate(many, np.tile(target, (3, 1)), ABC, seed=1)
    assert row(thrice, "ips")["error"] == pytest.approx(row(once, "ips")["error"], rel=1e-12)


def test_slope_takes_the_last_estimate_that_agrees():
    width = 1 / stats.norm.ppf(0.975)
    near = 1 + np.sqrt(6) - 1 - 1e-9  # of two half-widths of 1
    assert slope([0.0, near], [width, width]) == 1 and slope([0.0, near + 1e-6], [width, width]) == 0
    assert slope([0.0], [1.0]) == 0
    assert slope([0, 9, 0], [1, 0.5, 0.1]) == 0  # 9 is too far from 0: what comes after it has more bias still
    rng = np.random.default_rng(7)
    for _ in range(50):  # one at a time, as in Tucker and Lee (2021)
        values, widths = rng.normal(size=8).cumsum(), np.sort(rng.gamma(2, size=8))[::-1]
        kept = 0
        while kept < 7 and all(
            abs(values[kept + 1] - values[j]) <= widths[kept + 1] + (np.sqrt(6) - 1) * widths[j]
            for j in range(kept + 1)
        ):
            kept += 1
        assert slope(values, widths * width) == kept


def test_bounded_intervals_by_their_formulas():
    values = np.random.default_rng(7).random(200)
    bound = np.log(4 / 0.05)
    reach = np.sqrt(2 * values.var(ddof=1) * bound / 200) + 7 * bound / (3 * 199)
    assert empirical_bernstein(values, 0, 1) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=1e-12)
    low, high, total, weighted, spent = 0.0, 1.0, 0.0, 0.0, np.log(2 / 0.05)
    mean, variance, squares, level = 0.5, 0.25, 0.0, np.log(2 / 0.05)
    for t, x in enumerate(values, 1):  # as Waudby-Smith and Ramdas write it, one value at a time
        bet = min(np.sqrt(2 * level / (variance * t * np.log(1 + t))), 0.5)
        total, weighted = total + bet, weighted + bet * x
        spent += 4 * (x - mean) ** 2 * (-np.log(1 - bet) - bet) / 4
        low, high = max(low, (weighted - spent) / total), min(high, (weighted + spent) / total)
        mean = (0.5 + values[:t].sum()) / (t + 1)
        squares += (x - mean) ** 2
        variance = (0.25 + squares) / (t + 1)
    lows, highs = anytime(values, 0, 1)
    assert (lows[-1], highs[-1]) == pytest.approx((low, high), abs=1e-12)
    scaled = anytime(7 * values - 2, -2, 5)
    assert scaled[0][-1] == pytest.approx(7 * low - 2, abs=1e-12)
    assert anytime(np.ones(5), 1, 1)[0].tolist() == [1.0] * 5 and empirical_bernstein(np.ones(1), 0, 1) == (0, 1)


# Edges


def test_no_number_where_the_gate_fails():
    log, target, _ = world(8)
    found = evaluate(log[log["action"] != "c"], target[log["action"] != "c"], ABC, seed=1)
    assert not found.gate.passed and found.table.empty and found.number == (log["action"] != "c").sum()
    empty = evaluate(log[:0], target[:0], ABC, seed=1)
    assert not empty.gate.passed and empty.table.empty
    tiny = log.assign(propensity=np.where(log.index == 0, 1e-12, log["propensity"]))
    assert evaluate(tiny, np.full((1_000, 3), 1 / 3), ABC, seed=1).table.empty


def test_estimated_propensities_pass_by_segments_and_not_without_them():
    log, target, segments = world(8)
    rows = (log["action"] != "c").to_numpy()
    log, segments = log[rows].drop(columns="propensity"), segments[rows]
    target = target[rows, :2] / target[rows, :2].sum(axis=1, keepdims=True)
    assert evaluate(log, target, ["a", "b"], seed=1, segments=segments).gate.passed
    without = evaluate(log, target, ["a", "b"], seed=1)  # shares of all: propensities differ by segment, as targets do
    assert without.table.empty and "The mean weight is" in without.gate.reasons[0]


def test_a_tiny_propensity_of_an_action_that_the_target_does_not_take_is_harmless():
    log, target, _ = world(9)
    target = np.tile([0.5, 0.5, 0.0], (1_000, 1))
    log.loc[log["action"] == "c", "propensity"] = 1e-12
    found = evaluate(log, target, ABC, seed=1)
    assert found.gate.passed and np.isfinite(found.table["value"]).all()


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_equal_rewards_have_an_estimate_and_no_normal_interval(reward):
    log, target, _ = world(10)
    log = log.assign(reward=reward, decided_at=pd.Timestamp("2026-01-01"))
    found = evaluate(log, target, ABC, seed=1, bounds=(0, 1))
    for name in ("snips", "dr", "dm"):
        assert row(found, name)["value"] == pytest.approx(reward, abs=1e-12)
    assert found.table.filter(regex="normal|bootstrap").isna().all(axis=None)
    low, high = row(found, "ips")[["bernstein_low", "bernstein_high"]]
    assert low <= reward <= high and high - low > 0.05
    assert found.table.loc[found.table["estimator"] != "ips"].filter(regex="bernstein|anytime").isna().all(axis=None)


def test_one_action_and_an_action_without_data():
    log = pd.DataFrame({"action": "a", "reward": np.arange(400) % 2.0, "propensity": 1.0})
    found = evaluate(log, np.ones((400, 1)), ["a"], seed=1)
    assert row(found, "dr")["value"] == pytest.approx(0.5, abs=2e-3) and row(found, "ips")["value"] == 0.5
    more = evaluate(log, np.tile([1.0, 0.0], (400, 1)), ["a", "b"], seed=1, contexts=np.arange(400) % 7)
    assert more.gate.passed and row(more, "ips")["value"] == 0.5
    assert evaluate(log.drop(columns="propensity"), np.ones((400, 1)), ["a"], seed=1, contexts=np.ones(400)).gate.passed


def test_bounds_and_floor_that_the_log_breaks():
    log, target, _ = world(11)
    for options in ({"bounds": (0, 0.5)}, {"floor": 0.2}):
        with pytest.raises(ValueError, match="below floor"):
            evaluate(log, target, ABC, seed=1, **options)


def test_the_order_of_rows_changes_nothing():
    log, target, segments = world(12)
    rng = np.random.default_rng(12)
    log["customer_id"], order = rng.integers(300, size=1_000), rng.permutation(1_000)
    contexts = np.column_stack([segments, rng.random(1_000)])
    one = evaluate(log, target, ABC, seed=1, contexts=contexts, segments=segments)
    other = evaluate(log.iloc[order], target[order], ABC, seed=1, contexts=contexts[order], segments=segments[order])
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)


def test_positions_are_evaluated_apart():
    log, target, segments = world(13)
    log["position"] = np.arange(1_000) % 2
    found = by_position(log, target, ABC, seed=1, segments=segments)
    even = log["position"] == 0
    alone = evaluate(log[even], target[even], ABC, seed=1, segments=segments[even])
    pd.testing.assert_frame_equal(found[0].table, alone.table)
    assert list(found) == [0, 1]


# Published


PUBLISHED = {  # mean and deviation over 20 runs of the relative error
    ("dm", np.inf): (0.093439, 0.015391), ("ips", np.inf): (0.013286, 0.008496), ("snips", np.inf): (0.006797, 0.004094),
    ("dr", np.inf): (0.007780, 0.004492), ("switch", 1.0): (0.173282, 0.020025), ("switch", 100.0): (0.007780, 0.004492),
    ("shrinkage", 1.0): (0.079629, 0.014008), ("shrinkage", 100.0): (0.008031, 0.004634),
}  # fmt: skip


def digits_run(seed, x, y):
    """One run: both policies follow one classifier, by .8 and .9; rewards are modelled by one logistic regression."""
    x_fit, x, y_fit, y = train_test_split(x, y, test_size=0.7, random_state=seed)
    settings = {"C": 100, "max_iter": 10_000, "solver": "newton-cholesky"}  # the same optimum as theirs, sooner
    guessed = np.eye(10)[LogisticRegression(**settings).fit(x_fit, y_fit).predict(x)]
    logging, target = 0.8 * guessed + 0.02, 0.9 * guessed + 0.01
    chosen = (np.random.default_rng(seed).random(len(x))[:, None] > logging.cumsum(axis=1)[:, :-1]).sum(axis=1)
    rows, reward, fitted = np.arange(len(x)), (chosen == y).astype(float), np.empty((len(x), 10))
    for train, held in KFold(3, shuffle=True, random_state=seed).split(x):
        model = LogisticRegression(**settings).fit(np.hstack([x, np.eye(10)[chosen]])[train], reward[train])
        for a in range(10):
            asked = np.hstack([x[held], np.tile(np.eye(10)[a], (len(held), 1))])
            fitted[held, a] = model.predict_proba(asked)[:, 1]
    weight, truth = target[rows, chosen] / logging[rows, chosen], target[rows, y].mean()
    parts = (weight, reward, fitted[rows, chosen], (target * fitted).sum(axis=1))
    return [abs(estimate(name, *parts, limit=limit)[0] - truth) / truth for name, limit in PUBLISHED]


@pytest.mark.thorough
def test_published_comparison_of_estimators_on_digits():
    """Open Bandit Pipeline (Saito et al. 2021), examples/multiclass, digits, 20 runs, at its commit 096b17d."""
    x, y = load_digits(return_X_y=True)
    with threadpool_limits(1):
        found = np.array([digits_run(seed, x, y) for seed in range(20)])
    table = pd.DataFrame({"published": [mean for mean, _ in PUBLISHED.values()], "found": found.mean(axis=0)})
    table["noise"] = np.sqrt((found.var(axis=0, ddof=1) + np.square([s for _, s in PUBLISHED.values()])) / 20)
    table["off"] = (table["found"] - table["published"]) / table["noise"]
    print(table.set_index(pd.Index([f"{name} {limit:g}" for name, limit in PUBLISHED])).round(4).to_string())
    assert (table["off"].abs() < 3).all()
    assert table["found"].to_numpy()[[4, 0, 6, 1]].tolist() == sorted(table["found"][[4, 0, 6, 1]], reverse=True)


# Rates


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["logged", "estimated"])
def test_coverage_of_intervals_where_the_gate_passes(how, monkeypatch):
    """Of 1,000 worlds; rewards are of cross-fitted means of segment and action, propensities logged or frequencies."""
    covered, seen = {}, 0
    monkeypatch.setattr(sys.modules[evaluate.__module__], "threadpool_limits", nullcontext)  # one for all
    with threadpool_limits(1):
        for seed in range(1_000):
            log, target, segments = world(seed, 400)
            log = log if how == "logged" else log.drop(columns="propensity")
            found = evaluate(log, target, ABC, seed=seed, segments=segments)
            seen += found.gate.passed
            for one in found.table[found.table["estimator"].isin(PROMISED)].itertuples():
                for kind in ("normal", "bootstrap"):
                    hit = getattr(one, f"{kind}_low") <= TRUTH.mean() <= getattr(one, f"{kind}_high")
                    covered[one.estimator, kind] = covered.get((one.estimator, kind), 0) + hit
    low, high = by_chance(0.95, seen)
    print(f"propensities {how}, passed {seen}:", {" ".join(key): f"{n / seen:.3f}" for key, n in covered.items()})
    assert seen >= 980 and all(low <= n / seen <= high for n in covered.values())


@pytest.mark.thorough
@threadpool_limits.wrap(limits=1)
def test_coverage_with_logistic_propensities_and_continuous_contexts():
    """Of 1,000 worlds of 800 decisions, by what `evaluate` puts together; rewards are modelled from other logs."""
    rng, hits, seen = np.random.default_rng(14), {"ips": 0, "snips": 0, "dr": 0}, 0
    many = np.random.default_rng(15).normal(size=400_000)
    truth = (expit(0.7 * many) * (0.5 + 0.3 * np.tanh(many)) + expit(-0.7 * many) * 0.4).mean()
    before = (rng.random(2_000) < 0.5 + 0.3 * np.tanh(many[:2_000])).astype(float)
    trees = booster(many[:2_000, None], before, seed=1)
    for _ in range(1_000):
        x = rng.normal(size=800)
        logging, target = (np.column_stack([expit(s * x), expit(-s * x)]) for s in (-0.7, 0.7))
        chosen = (rng.random(800) > logging[:, 0]).astype(int)
        reward = (rng.random(800) < np.where(chosen == 0, 0.5 + 0.3 * np.tanh(x), 0.4)).astype(float)
        found = decisions(pd.DataFrame({"action": chosen, "reward": reward}), target, [0, 1], x)
        found, model, _ = with_propensities(found)
        passed = judged(found).passed
        fitted = np.column_stack([trees.predict(found.contexts, num_threads=1), np.full(800, 0.4)])
        parts = (found.weight, found.reward, fitted[np.arange(800), found.chosen], (found.target * fitted).sum(axis=1))
        for name in hits:
            value, influence = estimate(name, *parts)
            error = standard_error(found, corrected(found, model, influence[:, None].copy()))[0]
            hits[name] += bool(passed and abs(value - truth) <= stats.norm.ppf(0.975) * error)
        seen += passed
    low, high = by_chance(0.95, seen)
    print(
        f"propensities by logistic regression, passed {seen}:",
        {name: f"{hit / seen:.3f}" for name, hit in hits.items()},
    )
    assert seen >= 980 and all(low <= hit / seen <= high for hit in hits.values())


@pytest.mark.thorough
@pytest.mark.parametrize("when", ["each at its time", "all at one time"])
def test_anytime_and_bernstein_intervals_hold_at_every_look(when):
    missed = {"anytime": 0, "bernstein": 0}
    for seed in range(1_000):
        log, target, _ = world(seed)
        seconds = np.arange(1_000) if when == "each at its time" else np.zeros(1_000)
        log["decided_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(seconds, unit="s")
        found = decisions(log, target, ABC)
        values = found.weight * found.reward
        lows, highs = anytime(values, 0, 3)
        missed["anytime"] += bool((lows > TRUTH.mean()).any() or (highs < TRUTH.mean()).any())
        low, high = empirical_bernstein(values, 0, 3)
        missed["bernstein"] += not low <= TRUTH.mean() <= high
    print(when, missed)
    assert max(missed.values()) / 1_000 <= by_chance(0.05, 1_000)[1]


def adaptive(seed, batches=10, size=200):
    """A log that epsilon-greedy in two segments wrote while it learned, with a floor; segments, and the policy then."""
    rng, policy, parts = (
        np.random.default_rng(seed),
        Policy("epsilon-greedy", 3, parameter=0.2, floor=0.05, cells=2),
        [],
    )
    for batch in range(batches):
        segments = rng.integers(2, size=size)
        chosen, propensity = policy.choose(rng, segments)
        reward = (rng.random(size) < RATES[segments, chosen]).astype(float)
        policy = policy.update(chosen, reward, segments)
        names = np.array(ABC)[chosen]
        parts.append(pd.DataFrame({"action": names, "reward": reward, "propensity": propensity, "segment": segments}))
        parts[-1]["decided_at"] = pd.Timestamp("2026-01-01") + pd.Timedelta(days=batch)
    return pd.concat(parts, ignore_index=True)


def others():
    """Policies of both modules that were trained elsewhere, and what they earn."""
    rng = np.random.default_rng(18)
    segments, chosen = rng.integers(2, size=400), rng.integers(3, size=400)
    reward, features = (rng.random(400) < RATES[segments, chosen]).astype(float), np.eye(2)
    softmax = Policy("softmax", 3, parameter=0.3, cells=2).update(chosen, reward, segments)
    linear = LinearPolicy("linear thompson", 3, features=2, floor=0.1).update(chosen, reward, features[segments])
    by_segment = {"softmax": softmax.probabilities(np.arange(2)), "linear": linear.probabilities(features)}
    return {name: (p, (p * RATES).sum(axis=1)) for name, p in by_segment.items()}


def test_a_log_of_our_own_learning_policy_tells_what_others_earn():
    log = adaptive(1, size=400)
    segments = log.pop("segment").to_numpy()
    policy, _ = others()["softmax"]
    again = Policy("ab test", 3, cells=2).probabilities(segments)  # as a policy gives them: (decisions, actions)
    for target, each in ((policy[segments], policy), (again, np.full((2, 3), 1 / 3))):
        truth = (each * RATES).sum(axis=1)[segments].mean()
        found = evaluate(log, target, ABC, seed=1, segments=segments, floor=0.05, bounds=(0, 1))
        for name in ("ips", "snips", "dr"):
            one = row(found, name)
            assert abs(one["value"] - truth) < 4 * one["error"] and one["error"] < 0.02
            assert abs(log["reward"].mean() - truth) > 4 * one["error"]  # what was logged earns something else
        assert row(found, "ips")["anytime_low"] < truth < row(found, "ips")["anytime_high"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["softmax", "linear"])
def test_coverage_from_logs_of_a_learning_policy(name):
    (policy, by_segment), hits, seen = others()[name], {"ips": 0, "snips": 0, "dr": 0}, 0
    for seed in range(300):
        log = adaptive(seed)
        segments = log.pop("segment").to_numpy()
        found = evaluate(log, policy[segments], ABC, seed=1, segments=segments)
        seen += found.gate.passed
        for estimator in hits if found.gate.passed else ():
            low, high = row(found, estimator)[["normal_low", "normal_high"]]
            hits[estimator] += low <= by_segment.mean() <= high
    print(f"log of epsilon-greedy, {name}, passed {seen}:", {key: f"{hit / seen:.3f}" for key, hit in hits.items()})
    low, high = by_chance(0.95, seen)
    assert seen > 250 and all(low <= hit / seen <= high for hit in hits.values())


@pytest.mark.thorough
def test_a_million_decisions():
    rng, n = np.random.default_rng(16), 1_000_000
    chosen, contexts = rng.integers(10, size=n), rng.normal(size=(n, 20))
    log = pd.DataFrame({"action": chosen, "reward": (rng.random(n) < 0.1).astype(float), "propensity": 0.1})
    tracemalloc.start()
    begun = time.process_time()
    found = evaluate(log, np.full((n, 10), 0.1), list(range(10)), seed=1, contexts=contexts)
    spent, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1] / 2**30
    tracemalloc.stop()
    print(f"a million decisions, 10 actions, 20 features: {spent:.0f} s of CPU, peak of {peak:.1f} GiB beside the log")
    assert found.gate.passed and row(found, "ips")["value"] == pytest.approx(log["reward"].mean(), abs=1e-12)
    assert peak < 2
