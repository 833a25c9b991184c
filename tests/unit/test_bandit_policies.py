"""Bandit policies: indices by hand, closed forms, scipy and scikit-learn, and propensities beside frequencies."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats
from sklearn.linear_model import LogisticRegression, Ridge

from customerlab.analysis.bandit.linear_policies import LinearPolicy, LogisticPolicy
from customerlab.analysis.bandit.policies import RULES, Policy, kl_ucb_index, ucb1_index
from customerlab.codec import from_json, to_json

HISTORY = [0, 1, 2, 0, 1, 0, 2, 0, 1, 0], [1, 0, 1, 1, 1, 0, 0, 1, 0, 1]
LINEAR = {"linucb": LinearPolicy, "linear thompson": LinearPolicy, "logistic thompson": LogisticPolicy}


def learned(rule, **options):
    """A policy of three actions that has seen the history, and the contexts of so many decisions."""
    actions, rewards = HISTORY
    if rule in LINEAR:
        x = np.column_stack([np.ones(10), np.arange(10) % 3])
        policy = LINEAR[rule](rule, actions=3, features=2, **options).update(actions, rewards, x)
        return policy, lambda n: np.tile([1.0, 1.0], (n, 1))
    return Policy(rule, actions=3, **options).update(actions, rewards), lambda n: np.zeros(n, dtype=int)


def each_rule(test):
    """The test of every policy."""
    return pytest.mark.parametrize("rule", [*RULES, *LINEAR])(test)


# Indices and probabilities of each rule


def test_ucb1_by_hand():
    # counts 5, 3, 2; means 0.8, 1/3, 0.5; 2 ln 10 = 4.605170
    index = ucb1_index(np.array([5.0, 3, 2]), np.array([4.0, 1, 1]))
    assert index == pytest.approx([0.8 + 0.959705, 0.333333 + 1.238974, 0.5 + 1.517427], abs=2e-6)
    assert learned("ucb1")[0].probabilities().tolist() == [[0, 0, 1]]
    assert learned("ucb1", parameter=0.0)[0].probabilities().tolist() == [[1, 0, 0]]


def test_linucb_by_hand():
    # A = diag(4, 2), [[4, 3], [3, 4]], diag(2, 3); b = (2, 1), (2, 2), (0, 1)
    x = [[1, 0]] * 3 + [[0, 1]] + [[1, 1]] * 3 + [[1, 0]] + [[0, 1]] * 2
    policy = LinearPolicy("linucb", actions=3, features=2)
    policy = policy.update([0] * 4 + [1] * 3 + [2] * 3, [1, 0, 1, 1, 1, 1, 0, 0, 1, 0], x)
    expected = [1.5 + 1.5, 6 / 7 + np.sqrt(8 / 7), 2 / 3 + np.sqrt(11 / 6)]
    assert policy.scores([[1, 2]])[0] == pytest.approx(expected, abs=1e-12)
    assert policy.probabilities([[1, 2], [3, 0]]).tolist() == [[1, 0, 0], [0, 1, 0]]  # 3, 6/7 + √(36/7), √4.5
    assert policy.posterior()[0] == pytest.approx(np.array([[0.5, 0.5], [2 / 7, 2 / 7], [0, 1 / 3]]), abs=1e-12)


@pytest.mark.parametrize("c", [0.0, 3.0])
def test_kl_ucb_is_the_root_of_its_equation(c):
    count, total = np.array([3.0, 40, 7, 950]), np.array([0.0, 12, 7, 300])
    level = np.log(1000) + c * np.log(np.log(1000))

    def root(n, s):
        p = s / n
        if p == 1:
            return 1.0
        kl = lambda q: stats.entropy([p, 1 - p], [q, 1 - q])  # noqa: E731
        return optimize.brentq(lambda q: n * kl(q) - level, max(p, 1e-12), 1 - 1e-12, xtol=1e-14)

    assert kl_ucb_index(count, total, c) == pytest.approx([*map(root, count, total)], abs=1e-9)


def test_epsilon_greedy_and_softmax_in_closed_form():
    greedy = learned("epsilon-greedy", parameter=0.3)[0].probabilities()[0]
    assert greedy == pytest.approx([0.8, 0.1, 0.1])
    power = np.exp(np.array([0.8, 1 / 3, 0.5]) / 0.2)
    assert learned("softmax", parameter=0.2)[0].probabilities()[0] == pytest.approx(power / power.sum())
    cold = learned("softmax", parameter=1e-4)[0].probabilities()[0]
    assert cold.tolist() == [1, 0, 0]


def test_thompson_wins_as_often_as_its_posterior_says():
    share = learned("thompson", draws=400_000)[0].probabilities()[0]
    laws = [stats.beta(5, 2), stats.beta(2, 3), stats.beta(2, 2)]

    def win(a):
        others = [law for place, law in enumerate(laws) if place != a]
        return integrate.quad(lambda x: laws[a].pdf(x) * others[0].cdf(x) * others[1].cdf(x), 0, 1)[0]

    assert share == pytest.approx([win(a) for a in range(3)], abs=4 * np.sqrt(0.25 / 400_000))


def test_gaussian_and_linear_thompson_win_as_often_as_a_normal_does():
    policy = Policy("gaussian thompson", 2, parameter=2.0, prior=(1.0, 3.0), draws=400_000)
    policy = policy.update([0, 0, 0, 1], [3.0, 4, 2, 1])
    precision = np.array([1 / 9 + 3 / 4, 1 / 9 + 1 / 4])  # of a normal mean, the noise known
    mean = (1 / 9 + np.array([9.0, 1]) / 4) / precision
    expected = stats.norm.cdf((mean[0] - mean[1]) / np.sqrt((1 / precision).sum()))
    assert policy.probabilities()[0, 0] == pytest.approx(expected, abs=0.0032)
    x = np.array([[1.0, 0.5], [1, -1], [1, 2], [1, 0]])
    linear = LinearPolicy("linear thompson", 2, 0.7, draws=400_000, features=2).update([0, 0, 1, 1], [1, 0, 1, 1], x)
    at, spread = np.array([1.0, 1.5]), 0
    means = []
    for rows, reward in ((x[:2], [1, 0]), (x[2:], [1, 1])):
        means.append(Ridge(alpha=1, fit_intercept=False).fit(rows, reward).coef_ @ at)
        spread += 0.49 * at @ np.linalg.inv(rows.T @ rows + np.eye(2)) @ at
    expected = stats.norm.cdf((means[0] - means[1]) / np.sqrt(spread))
    assert linear.probabilities([at])[0, 0] == pytest.approx(expected, abs=0.0032)


def test_top_two_is_a_leader_and_a_challenger():
    share = learned("thompson", draws=5_000)[0].probabilities()[0]
    found = learned("top-two thompson", parameter=0.4, draws=5_000)[0].probabilities()[0]  # from the same draws
    # Russo 2020: the leader, or a winner of fresh draws given that it is not the leader
    expected = 0.4 * share
    for leader in range(3):
        for other in {0, 1, 2} - {leader}:
            expected[other] += 0.6 * share[leader] * share[other] / (1 - share[leader])
    assert found == pytest.approx(expected, abs=1e-12)


def test_top_two_of_a_sure_leader_still_tries_a_challenger():
    policy = Policy("top-two thompson", 3, draws=50).update([0, 1, 2], [1, 0.5, 0.1], weights=[1e6, 1e6, 1e6])
    assert policy.probabilities().tolist() == [[0.5, 0.5, 0]]
    assert policy.probabilities(available=[True, False, False]).tolist() == [[1, 0, 0]]


def test_explore_then_commit_keeps_its_word():
    policy = Policy("explore-then-commit", 2, parameter=2)
    assert policy.probabilities().tolist() == [[0.5, 0.5]]
    policy = policy.update([0, 0], [1, 0])
    assert policy.probabilities().tolist() == [[0, 1]]
    policy = policy.update([1, 1], [0, 0])
    assert policy.probabilities().tolist() == [[1, 0]]
    assert policy.update([0] * 50, [0] * 50).probabilities().tolist() == [[1, 0]]


def test_an_ab_test_does_not_learn_until_it_is_told():
    policy = learned("ab test", cells=1)[0]
    assert policy.probabilities()[0] == pytest.approx([1 / 3] * 3)
    told = policy.commit(1)
    assert told.probabilities().tolist() == [[0, 1, 0]]
    assert told.probabilities(available=[True, False, True]).tolist() == [[0.5, 0, 0.5]]
    assert told.commit(-1).probabilities()[0] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_the_logistic_model_is_that_of_scikit_learn(scale):
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(200), scale * rng.normal(size=200)])  # far apart: nearly separable
    action, reward = rng.integers(0, 2, 200), (rng.random(200) < 1 / (1 + np.exp(-x @ [-1, 1]))).astype(int)
    policy = LogisticPolicy("logistic thompson", 2, features=2, ridge=0.5).update(action, reward, x)
    for one in (0, 1):
        rows = action == one
        fit = LogisticRegression(C=2, fit_intercept=False, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
        fit.fit(x[rows], reward[rows])
        assert policy.mean[one] == pytest.approx(fit.coef_[0], abs=1e-6)
        p = fit.predict_proba(x[rows])[:, 1]
        curvature = sum(q * (1 - q) * np.outer(row, row) for q, row in zip(p, x[rows], strict=True))
        assert policy.precision[one] == pytest.approx(curvature + 0.5 * np.eye(2), rel=1e-4)


# Propensities


@each_rule
@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_logged_propensities_are_choice_frequencies(rule, floor):
    policy, contexts = learned(rule, floor=floor)
    actions, logged = policy.choose(np.random.default_rng(5), contexts(20_000))
    p = policy.probabilities(contexts(1), rng=np.random.default_rng(5))[0]  # with the draws of this batch
    assert (logged == p[actions]).all() and p.sum() == pytest.approx(1, abs=1e-12)
    count = np.bincount(actions, minlength=3)
    assert (count[p == 0] == 0).all()
    assert (p == 1).any() or stats.chisquare(count[p > 0], 20_000 * p[p > 0] / p.sum()).pvalue > 0.001


@pytest.mark.parametrize("rule", ["thompson", "top-two thompson", "gaussian thompson", *LINEAR])
def test_weights_of_logged_propensities_have_a_mean_of_one_over_batches(rule):
    # each batch has draws of its own; an action with weights 1 / p is expected to be chosen as often as any other
    policy, contexts = learned(rule, floor=0.1, draws=7)
    rng, ratios = np.random.default_rng(6), []
    for _ in range(300):
        actions, p = policy.choose(rng, contexts(5))
        ratios.append([((actions == one) / p).mean() for one in range(3)])
    z = (np.mean(ratios, axis=0) - 1) / (np.std(ratios, axis=0) / np.sqrt(300))
    assert (abs(z) < 3.3).all()


@pytest.mark.slow
@pytest.mark.parametrize("draws", [1, 10])
def test_each_choice_is_that_of_thompson_for_any_number_of_draws(draws):
    share = learned("thompson", draws=400_000)[0].probabilities()[0]
    policy, rng = learned("thompson", draws=draws)[0], np.random.default_rng(7)
    chosen = [policy.choose(rng)[0][0] for _ in range(3_000)]
    assert stats.chisquare(np.bincount(chosen, minlength=3), 3_000 * share).pvalue > 0.001


@each_rule
def test_the_floor_holds_for_available_actions_alone(rule):
    policy, contexts = learned(rule, floor=0.2)
    plain, _ = learned(rule)
    masks = np.array([[True, True, True], [True, False, True], [False, True, False]])
    p = policy.probabilities(contexts(3), masks)
    assert p.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-12)
    assert (p[masks] >= 0.2 - 1e-15).all() and (p[~masks] == 0).all()
    k = masks.sum(axis=1, keepdims=True)
    assert p == pytest.approx(0.2 * masks + (1 - 0.2 * k) * plain.probabilities(contexts(3), masks), abs=1e-12)
    with pytest.raises(ValueError, match="more than 3 available actions"):
        learned(rule, floor=0.4)[0].probabilities(contexts(1))
    with pytest.raises(ValueError, match="needs an available action"):
        policy.probabilities(contexts(1), [False] * 3)


@each_rule
def test_one_mask_for_all_is_as_one_for_each(rule):
    policy, contexts = learned(rule)
    mask = [True, False, True]
    one, each = (policy.probabilities(contexts(2), of) for of in (mask, np.tile(mask, (2, 1))))
    assert one == pytest.approx(each, abs=0.25 if "thompson" in rule else 0)  # other draws
    assert (one[:, 1] == 0).all() and (each[:, 1] == 0).all()


# State


@each_rule
def test_the_order_and_the_time_of_updates_change_nothing(rule):
    empty = learned(rule)[0]
    rng = np.random.default_rng(8)
    actions, rewards = rng.integers(0, 3, 300), rng.integers(0, 2, 300)
    x = rng.integers(0, 3, (300, 2)).astype(float) if rule in LINEAR else np.zeros(300, dtype=int)
    if rule == "explore-then-commit":
        empty = Policy(rule, 3, parameter=500)
    parts = np.array_split(rng.permutation(300), 7)
    forth, back = empty, empty
    for part in parts:
        forth = forth.update(actions[part], rewards[part], x[part])
    for part in parts[::-1]:
        back = back.update(actions[part], rewards[part], x[part])
    whole = empty.update(actions, rewards, x)
    assert (forth.sums == back.sums).all() and (whole.sums == forth.sums).all()
    assert (forth.probabilities(x[:3]) == back.probabilities(x[:3])).all()


@each_rule
@pytest.mark.parametrize("forgets", [{"discount": 0.5}, {"window": 2}, {"window": 2, "discount": 0.5}])
def test_late_rewards_count_as_if_known_at_once(rule, forgets):
    policy, contexts = learned(rule, **forgets)
    batch = [0, 1, 2], [1, 0, 1], contexts(3)
    late = policy.advance().update(*batch, age=1)
    assert np.array_equal(late.sums, policy.update(*batch).advance().sums)
    if "window" in forgets:
        assert late.update(*batch, age=2) is late


def test_discounted_sums_by_hand():
    # Garivier and Moulines 2011: counts 1 + 0.9 and 0.9, time 2.8
    policy = Policy("ucb1", 2, discount=0.9).update([0, 1], [1, 0]).advance().update([0], [1])
    assert policy.sums[0, 0].tolist() == [[1.9, 1.9], [0.9, 0.0]]
    index = ucb1_index(policy.sums[0, :, :, 0], policy.sums[0, :, :, 1])[0]
    assert index == pytest.approx([1 + np.sqrt(2 * np.log(2.8) / 1.9), np.sqrt(2 * np.log(2.8) / 0.9)])


@each_rule
def test_a_window_is_a_fresh_policy_on_the_last_periods(rule):
    rng = np.random.default_rng(9)
    empty = learned(rule, window=3)[0].advance().advance().advance()
    fresh = empty
    for period in range(6):
        actions, rewards = rng.integers(0, 3, 20), rng.integers(0, 2, 20)
        x = rng.integers(0, 2, (20, 2)) if rule in LINEAR else np.zeros(20, dtype=int)
        empty = empty.update(actions, rewards, x)
        if period >= 3:
            fresh = fresh.update(actions, rewards, x, age=5 - period)
        if period < 5:
            empty = empty.advance()
    assert empty.sums == pytest.approx(fresh.sums, abs=1e-12) and empty.sums.any()
    assert (empty.probabilities(x[:2]) == fresh.probabilities(x[:2])).all()


@each_rule
def test_state_goes_through_text_and_back(rule):
    for policy in (learned(rule, window=2)[0], learned(rule)[0]):
        back = from_json(to_json(policy))
        _, contexts = learned(rule)
        assert type(back) is type(policy) and to_json(back) == to_json(policy)
        batch = [2], [1], contexts(1)
        after = [one.update(*batch).advance().probabilities(contexts(2)) for one in (policy, back)]
        assert (after[0] == after[1]).all()
    empty = learned(rule)[0].__class__(rule, 2)
    assert to_json(from_json(to_json(empty))) == to_json(empty)


@pytest.mark.parametrize("rule", RULES)
def test_segments_are_policies_of_their_own(rule):
    actions, rewards = map(np.array, HISTORY)
    segment = np.arange(10) % 2
    policy = Policy(rule, 3, cells=2, draws=50_000).update(actions, rewards, segment)
    for one in (0, 1):
        own = Policy(rule, 3, draws=50_000).update(actions[segment == one], rewards[segment == one])
        assert policy.probabilities([one, one]) == pytest.approx(np.tile(own.probabilities(), (2, 1)), abs=0.012)
    for wrong in ([2], [-1]):
        with pytest.raises(ValueError, match="0 to 1"):
            policy.probabilities(wrong)
    with pytest.raises(ValueError, match="needs the cell"):
        policy.update([0], [1])


def test_weights_are_numbers_of_decisions():
    actions, rewards = map(np.array, HISTORY)
    summed = Policy("thompson", 3).update([0, 1, 2], [0.8, 1 / 3, 0.5], weights=[5, 3, 2])
    assert summed.sums == pytest.approx(Policy("thompson", 3).update(actions, rewards).sums)
    x = np.ones((10, 1))
    for policy in (LinearPolicy("linucb", 3), LogisticPolicy("logistic thompson", 3)):
        one, other = policy.update(actions, rewards, x), policy.update([0, 1, 2], [0.8, 1 / 3, 0.5], x[:3], [5, 3, 2])
        assert one.posterior()[0] == pytest.approx(other.posterior()[0], abs=1e-9)


@each_rule
def test_a_new_action_enters_with_the_prior_and_changes_no_other(rule):
    policy, contexts = learned(rule, window=2)
    grown = policy.with_actions(4)
    known = grown.probabilities(contexts(1), [True, True, True, False])[0]
    assert known[:3] == pytest.approx(policy.probabilities(contexts(1))[0], abs=0.25 if "thompson" in rule else 0)
    for action in range(4):  # as if it had been there from the start
        late, early = grown, learned(rule, window=2)[0].__class__
        options = {"features": 2} if rule in LINEAR else {}
        x = np.column_stack([np.ones(10), np.arange(10) % 3]) if rule in LINEAR else np.zeros(10, dtype=int)
        early = early(rule, 4, window=2, **options).update(*HISTORY, x)
        one, other = (who.update([action], [1], contexts(1)).probabilities(contexts(1)) for who in (late, early))
        assert (one == other).all()
    with pytest.raises(ValueError, match="fewer"):
        policy.with_actions(2)


# Edges


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"ab test"}))
def test_an_action_without_rewards_is_tried(rule):
    policy = Policy(rule, 3, draws=20_000).update([0, 1] * 200, [1, 0] * 200)
    p = policy.probabilities()[0]
    if "thompson" in rule:  # by the prior: P(uniform > Beta(201, 1)) = 1 / 202
        assert p[2] == pytest.approx(1 / 202, abs=0.002) if rule == "thompson" else p[2] > 0.001
    elif rule == "epsilon-greedy":
        assert p == pytest.approx([0.1 / 3, 0.1 / 3, 0.9 + 0.1 / 3])
    else:
        assert p.tolist() == [0, 0, 1]
    assert policy.probabilities(available=[True, True, False])[0, 2] == 0


@each_rule
def test_one_action_and_equal_rewards(rule):
    kind = LINEAR.get(rule, Policy)
    for reward in (0, 1):
        one, two = kind(rule, 1), kind(rule, 2, draws=20_000)
        contexts = np.ones((2, 1)) if rule in LINEAR else np.zeros(2, dtype=int)
        assert one.update([0, 0], [reward] * 2, contexts).probabilities(contexts).tolist() == [[1], [1]]
        tied = two.update([0, 1], [reward] * 2, contexts).probabilities(contexts[:1])[0]
        assert tied == pytest.approx([0.5, 0.5], abs=0.015)
        assert two.probabilities(contexts[:1])[0] == pytest.approx([0.5, 0.5], abs=0.015)
    assert (two.update([], [], contexts[:0]).sums == two.sums).all()


def test_what_cannot_be_is_refused():
    for options, words in (
        ({"rule": "ucb2"}, "no rule"),
        ({"actions": 0}, "at least one action"),
        ({"discount": 0.0}, "discount"),
        ({"floor": -0.1}, "floor"),
        ({"window": -1}, "window"),
    ):
        with pytest.raises(ValueError, match=words):
            Policy(**{"rule": "ucb1", "actions": 2} | options)
    policy = Policy("ucb1", 2)
    for actions, rewards in (([2], [1]), ([-1], [1]), ([0], [np.nan]), ([0], [1.5])):
        with pytest.raises(ValueError, match="rewards"):
            policy.update(actions, rewards)
    for weight in (-1, np.nan):
        with pytest.raises(ValueError, match="Weights"):
            policy.update([0], [1], weights=[weight])
    assert Policy("gaussian thompson", 2).update([0], [-3.5]).sums[0, 0, 0].tolist() == [1, -3.5]
    for rule, kind in (("ucb1", LinearPolicy), ("logistic thompson", LinearPolicy), ("linucb", LogisticPolicy)):
        with pytest.raises(ValueError, match="no rule of"):
            kind(rule, 2)
    with pytest.raises(ValueError, match="ridge"):
        LinearPolicy("linucb", 2, ridge=0)
    for context in (None, [1.0], [[1.0]], [[1.0, np.nan]]):
        with pytest.raises(ValueError, match="2 finite numbers"):
            LinearPolicy("linucb", 2, features=2).probabilities(context)


def test_contexts_may_be_a_table():
    table = pd.DataFrame({"one": [1, 1], "recency": [0.5, 2.0]})
    policy = LinearPolicy("linucb", 2, features=2).update([0, 1], [1, 0], table)
    assert (policy.scores(table) == policy.scores(table.to_numpy())).all()
