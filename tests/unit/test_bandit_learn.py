"""Policies learned from a log: trees beside a search by loops, planted rules, costs, budget, and later decisions."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.bandit import LOGGED, DecisionLog, compare
from customerlab.analysis.bandit.learn import BOOSTED, CAUTION, SINGLE, TREE, Tree, learn
from customerlab.analysis.bandit.logged import decisions, scores
from helpers import by_chance

MAIL = ["no mail", "mail"]


def rates(contexts):
    """Of both actions: mail gains only from those with many orders a long time ago, and irritates the others."""
    gains = np.where((contexts["recency"] > 50) & (contexts["orders"] > 2), 0.3, -0.15)
    return np.column_stack([np.full(len(contexts), 0.3), 0.3 + gains])


def world(seed, number=4_000, propensity=0.5):
    """A log of mails at random, and its contexts."""
    rng = np.random.default_rng(seed)
    contexts = pd.DataFrame({"recency": rng.uniform(0, 100, number), "orders": rng.poisson(2.5, number).astype(float)})
    contexts["noise"] = rng.normal(size=number)
    mailed = (rng.random(number) < propensity).astype(int)
    log = pd.DataFrame({"action": np.array(MAIL)[mailed], "reward": 0.0})
    log["propensity"] = np.where(mailed == 1, propensity, 1 - propensity)
    log["reward"] = (rng.random(number) < rates(contexts)[np.arange(number), mailed]).astype(float)
    return log, contexts


@pytest.fixture(scope="module")
def learned():
    """From the first world."""
    return learn(*world(1)[:1], MAIL, world(1)[1], seed=1)


def treated(policies):
    """The share that gets mail, by policy."""
    return {name: float(p[:, 1].mean()) for name, p in policies.items()}


# Trees


def test_a_tree_chooses_and_says_the_same():
    tree = Tree(["recency", "", "orders"], [30.0, 0.0, 2.0], [0, 0, 1, 0])
    contexts = pd.DataFrame({"recency": [30, 31, 31, 0], "orders": [9, 2, 3, 0]})
    assert tree.choose(contexts).tolist() == [0, 1, 0, 0]
    assert tree.sentences(MAIL) == [
        "If recency is at most 30: no mail.",
        "If recency is above 30 and orders is at most 2: mail.",
        "If recency is above 30 and orders is above 2: no mail.",
    ]
    single = Tree(["", "orders", ""], [0.0, 2.0, 0.0], [0, 1, 0, 0])
    assert single.sentences(MAIL) == ["If orders is at most 2: no mail.", "If orders is above 2: mail."]
    assert single.choose(contexts).tolist() == [1, 0, 1, 0]
    assert Tree(["recency", "", ""], [30.0, 0.0, 0.0], [1, 1, 1, 1]).sentences(MAIL) == ["Always: mail."]
    label = Tree(["device: phone", "", ""], [0.0, 0.0, 0.0], [0, 0, 1, 1])
    assert label.sentences(MAIL, {"device: phone": ("device", "phone")}) == [
        "If device is not phone: no mail.",
        "If device is phone: mail.",
    ]


def tree_leaves(tree, points):
    """The leaf of each row, from 0 to 3."""
    upper = [
        points[name].to_numpy() > at if name else np.zeros(len(points), dtype=bool)
        for name, at in zip(tree.features, tree.thresholds, strict=True)
    ]
    return 2 * upper[0] + np.where(upper[0], upper[2], upper[1])


@pytest.mark.parametrize("seed", [2, 3])
def test_the_tree_is_the_best_of_all_that_loops_find(seed):
    rng = np.random.default_rng(seed)
    contexts = pd.DataFrame({"x": rng.normal(size=300), "y": rng.integers(4, size=300).astype(float)})
    log = pd.DataFrame({"action": rng.integers(3, size=300), "reward": rng.normal(size=300), "propensity": 1 / 3})
    found = decisions(log, np.full((300, 3), 1 / 3), [0, 1, 2], contexts)
    points, each = pd.DataFrame(found.contexts, columns=["x", "y"]), scores(found, 1)
    sides = [np.zeros(300, dtype=bool)]
    for name in points:
        cuts = sorted(set(np.sort(points[name])[[int(np.floor(0.1 * i * 299)) for i in range(1, 10)]]))
        sides += [(points[name] > cut).to_numpy() for cut in cuts if cut < points[name].max()]

    single = each.mean(axis=0).argmax()
    over = [0.0 if a in (0, single) else 1.0 for a in range(3)]

    def of_leaf(rows):
        gaps = each[rows] - each[rows][:, [single]]
        return max(each[rows][:, a].sum() - over[a] * CAUTION * np.sqrt((gaps[:, a] ** 2).sum()) for a in range(3))

    def best(rows):
        leaves = [of_leaf(rows & (upper == side)) for upper in sides for side in (False, True)]
        return max(leaves[i] + leaves[i + 1] for i in range(0, len(leaves), 2))

    highest = max(best(~upper) + best(upper) for upper in sides)
    tree = learn(log, [0, 1, 2], contexts, seed=1).tree
    place, chosen = tree_leaves(tree, points), tree.choose(points)
    reached = 0.0
    for leaf in range(4):
        rows, action = place == leaf, tree.leaves[leaf]
        assert (chosen[rows] == action).all()
        gaps = each[rows, action] - each[rows, single]
        reached += each[rows, action].sum() - over[action] * CAUTION * np.sqrt((gaps**2).sum())
    assert reached == pytest.approx(highest, abs=1e-9)


def test_a_planted_rule_is_found_and_can_be_read(learned):
    said = learned.tree.sentences(MAIL)
    found = re.fullmatch(r"If recency is above ([0-9.]+) and orders is above 2: mail\.", said[-1])
    assert found and abs(float(found[1]) - 50) < 5  # deciles are ten apart, one of them near the truth
    assert re.fullmatch(r"If recency is above [0-9.]+ and orders is at most 2: no mail\.", said[-2])
    contexts = world(2)[1]
    best = rates(contexts).argmax(axis=1)
    policies = learned.probabilities(contexts)
    assert (policies[TREE].argmax(axis=1) == best).mean() > 0.95
    assert (policies[BOOSTED].argmax(axis=1) == best).mean() > 0.85
    assert learned.single == 0 and policies[SINGLE].tolist() == [[1.0, 0.0]] * len(contexts)


# Costs and budget


def test_costs_above_all_gains_leave_everybody_without_mail():
    log, contexts = world(3, 1_000)
    found = learn(log, MAIL, contexts, seed=1, costs=[0, 5])
    assert treated(found.probabilities(contexts)) == {BOOSTED: 0.0, TREE: 0.0, SINGLE: 0.0}
    assert found.tree.sentences(MAIL) == ["Always: no mail."]
    paid = learn(log, MAIL, contexts, seed=1, costs=[5, 0])
    assert treated(paid.probabilities(contexts)) == {BOOSTED: 1.0, TREE: 1.0, SINGLE: 1.0}


@pytest.mark.parametrize("budget", [0.0, 0.1, 0.5])
def test_a_budget_is_kept_and_used_for_those_who_gain_most(budget):
    log, contexts = world(4)
    log["reward"] += log["action"] == "mail"  # which all gain from now, and some more
    found = learn(log, MAIL, contexts, seed=1, budget=budget)
    policies = found.probabilities(contexts)
    shares = treated(policies)
    assert shares[BOOSTED] <= budget and shares[TREE] <= budget and shares[SINGLE] == pytest.approx(budget)
    more = rates(contexts)[:, 1] > 0.5
    if budget == 0.1:  # fewer than those who gain most: nearly all mail is theirs
        assert shares[BOOSTED] > 0.09 and more[policies[BOOSTED][:, 1] == 1].mean() > 0.95
        assert more[policies[TREE][:, 1] == 1].mean() > 0.8 and shares[TREE] > 0.04
    if budget == 0.5:  # enough for all of them
        assert policies[TREE][more, 1].mean() > 0.8


# Later decisions


def later(found, log, contexts, seed=1):
    """What later decisions say of the policies."""
    rows = log.assign(decided_at=pd.Timestamp("2024-05-06"), policy="equal")
    return compare(
        found.probabilities(contexts), DecisionLog(rows, contexts, MAIL, {}, 0), seed=seed, costs=found.costs
    )


@pytest.mark.slow
def test_later_decisions_show_the_planted_gain(learned):
    log, contexts = world(5)
    compared = later(learned, log, contexts)
    found = compared.table.set_index("policy")
    policies, expected = learned.probabilities(contexts), rates(contexts)
    value = {name: float((p * expected).sum(axis=1).mean()) for name, p in policies.items()}
    assert found["treated"].drop(LOGGED).to_dict() == pytest.approx(treated(policies), abs=1e-12)
    logged = expected.mean()
    for name in (BOOSTED, TREE):
        one = found.loc[name]
        for middle, low, truth in (("value", "low", value[name]), ("gain", "gain_low", value[name] - logged)):
            assert abs(one[middle] - truth) < 3 * (one[middle] - one[low]) / stats.norm.ppf(0.975)
        assert one["gain_low"] > 0
    assert compared.recommended == TREE and found["over"].tolist()[1:] == [LOGGED, SINGLE, TREE]
    own = log["reward"][log["action"] == "no mail"]  # the single action is no mail for all
    assert abs(found.loc[SINGLE, "value"] - own.mean()) < 0.01
    costly = later(learn(*world(1)[:1], MAIL, world(1)[1], seed=1, costs=[1, 1]), log, contexts).table
    assert costly["value"].tolist() == pytest.approx((found["value"] - 1).tolist(), abs=0.01)


def test_the_paired_gain_is_that_of_scores_and_its_error_is_over_customers(learned):
    log, contexts = world(6, 1_000)
    log["customer_id"] = np.arange(1_000) // 2
    found = later(learned, log, contexts).table.set_index("policy")
    checked = decisions(log, np.full((1_000, 2), 0.5), MAIL, contexts)
    each = scores(checked, 1)
    points = pd.DataFrame(checked.contexts, columns=list(contexts))
    gap = each[np.arange(1_000), learned.tree.choose(points)] - checked.reward
    assert found.loc[TREE, "gain"] == pytest.approx(gap.mean(), abs=1e-12)
    sums = pd.Series(gap - gap.mean()).groupby(checked.unit).sum()
    reach = stats.norm.ppf(0.975) * np.sqrt((sums**2).sum() * 500 / 499) / 1_000
    assert found.loc[TREE, "gain_high"] - found.loc[TREE, "gain"] == pytest.approx(reach, abs=1e-12)


def test_a_policy_that_later_decisions_cannot_judge_has_no_value(learned):
    log, contexts = world(7, 1_000, propensity=0.0)
    found = later(learned, log, contexts)
    table = found.table.set_index("policy")
    assert found.gates[SINGLE].passed and table.loc[SINGLE, "value"] == pytest.approx(log["reward"].mean(), abs=0.01)
    for name in (BOOSTED, TREE):
        assert not found.gates[name].passed and "Action mail is never logged" in found.gates[name].reasons[0]
        assert table.loc[name, ["value", "difference", "low"]].isna().all() and table.loc[name, "treated"] > 0
    nothing = later(learned, log[:0], contexts[:0])
    assert nothing.table["value"].isna().all() and not nothing.gates[SINGLE].passed


# Edges


def test_one_action_equal_contexts_and_an_action_without_data():
    log, contexts = world(8, 300)
    alone = learn(log.assign(action="mail", propensity=1.0), ["mail"], contexts, seed=1)
    assert alone.tree.sentences(["mail"]) == ["Always: mail."] and alone.probabilities(contexts)[BOOSTED].min() == 1
    same = learn(log, MAIL, contexts * 0, seed=1)
    assert same.tree.sentences(MAIL) == [f"Always: {MAIL[same.single]}."]
    more = learn(log, [*MAIL, "call"], contexts, seed=1)
    assert all(p[:, 2].max() == 0 for p in more.probabilities(contexts).values())
    equal = learn(log.assign(reward=1.0), MAIL, contexts, seed=1)
    assert equal.tree.sentences(MAIL) == ["Always: no mail."] and equal.single == 0


@pytest.mark.slow
def test_the_order_of_rows_changes_nothing():
    log, contexts = world(9, 1_000)
    log["customer_id"], order = np.arange(1_000) // 3, np.random.default_rng(9).permutation(1_000)
    one = learn(log, MAIL, contexts, seed=1, budget=0.2)
    assert learn(log.iloc[order], MAIL, contexts.iloc[order], seed=1, budget=0.2) == one
    again = later(one, log.iloc[order].reset_index(drop=True), contexts.iloc[order].reset_index(drop=True)).table
    pd.testing.assert_frame_equal(later(one, log, contexts).table, again, check_exact=True)


@pytest.mark.parametrize("options", [{"budget": 1.5}, {"budget": -0.1}, {"costs": [1]}])
def test_budgets_and_costs_that_do_not_fit_are_refused(options):
    log, contexts = world(10, 200)
    with pytest.raises(ValueError, match="expected a share, and 2 costs"):
        learn(log, MAIL, contexts, seed=1, **options)
    with pytest.raises(ValueError, match="expected some of both"):
        learn(log[:0], MAIL, contexts[:0], seed=1)
    with pytest.raises(ValueError, match="expected some of both"):
        learn(log, MAIL, contexts[[]], seed=1)


@pytest.mark.thorough
def test_intervals_of_the_gain_cover_what_was_planted(learned):
    """Of 300 later logs of 600 decisions, each with contexts of its own; the gain is of all contexts."""
    contexts = world(11, 400_000)[1]
    policies, expected = learned.probabilities(contexts), rates(contexts)
    truth = {name: (p * expected).sum(axis=1).mean() - expected.mean() for name, p in policies.items()}
    hits = dict.fromkeys((BOOSTED, TREE), 0)
    for seed in range(300):
        found = later(learned, *world(seed + 100, 600), seed=seed).table.set_index("policy")
        for name in hits:
            hits[name] += found.loc[name, "gain_low"] <= truth[name] <= found.loc[name, "gain_high"]
    low, high = by_chance(0.95, 300)
    print({name: float(hit / 300) for name, hit in hits.items()})
    assert all(low <= hit / 300 <= high for hit in hits.values())
