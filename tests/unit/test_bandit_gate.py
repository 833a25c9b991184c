"""The gate before an off-policy estimate: what each check is, what it asks for, and how often it refuses."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from customerlab.analysis.bandit.gate import EFFECTIVE, gate

ABC = ["a", "b", "c"]


def logged(seed, logging, reward=0.3):
    """A log of a policy of shape (decisions, actions), with rewards of one rate."""
    rng = np.random.default_rng(seed)
    chosen = (rng.random(len(logging))[:, None] > logging.cumsum(axis=1)[:, :-1]).sum(axis=1)
    log = pd.DataFrame({"action": np.array(ABC)[chosen], "propensity": logging[np.arange(len(logging)), chosen]})
    return log.assign(reward=(rng.random(len(logging)) < reward).astype(float))


def value(found, check):
    """The value of a check."""
    return found.table.set_index("check").loc[check, "value"]


def failed(found):
    """The checks that failed."""
    return found.table.loc[~found.table["passed"], "check"].tolist()


# Worked out by hand


def test_measures_by_hand():
    log = pd.DataFrame({"action": list("aab"), "reward": [1.0, 0.0, 1.0], "propensity": [0.5, 0.25, 0.5]})
    target = np.array([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])  # weights 1, 2, 2
    found = gate(log, target, ABC)
    assert value(found, "effective sample size") == pytest.approx(25 / 9, abs=1e-12)
    assert value(found, "effective sample size by decisions") == pytest.approx(25 / 27, abs=1e-12)
    assert value(found, "largest weight by the sum of weights") == pytest.approx(0.4, abs=1e-12)
    assert value(found, "mean weight") == pytest.approx(5 / 3, abs=1e-12)
    assert value(found, "target mass on actions never logged") == pytest.approx(0.25 / 3, abs=1e-12)
    assert value(found, "fewest rows of an action with target mass") == 0
    assert not found.passed


def test_the_logging_policy_itself_passes():
    logging = np.tile([0.5, 0.3, 0.2], (1_000, 1))
    found = gate(logged(1, logging), logging, ABC)
    assert found.passed and not found.reasons and found.table["passed"].all()
    assert value(found, "effective sample size") == pytest.approx(1_000) and value(found, "mean weight") == 1


def test_a_reason_says_what_is_missing_and_data_that_settle_it():
    logging = np.tile([0.6, 0.4, 0.0], (2_000, 1))
    target = np.tile([0.5, 0.3, 0.2], (2_000, 1))
    refused = gate(logged(2, logging), target, ABC)
    assert refused.reasons[0] == (
        "Action c is never logged: 20.0% of the target policy's decisions. "
        "Log 1,000 decisions with action c at a propensity of at least 0.02."
    )
    more = np.tile([0.58, 0.40, 0.02], (2_000, 1))  # as asked
    assert gate(logged(3, more), target, ABC).passed


def test_a_gap_in_a_segment_is_named():
    rows = np.arange(4_000)
    segments = np.where(rows % 10 == 0, "new", "old")
    logging = np.where((segments == "new")[:, None], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3])
    target = np.tile([0.1, 0.3, 0.6], (4_000, 1))  # six in a hundred of its decisions are c in segment new
    log = logged(4, logging)
    found = gate(log, target, ABC, segments=segments)
    assert value(found, "target mass on actions never logged in the segment") == pytest.approx(0.06, abs=1e-12)
    assert value(found, "target mass on actions never logged") == 0
    assert found.reasons[0].startswith("Action c is never logged in segment new: 6.0% of")
    hidden = gate(log, target, ABC, contexts=(segments == "new").astype(float))
    assert value(hidden, "target mass on actions hardly logged in similar contexts") == pytest.approx(0.06, abs=1e-12)
    assert "in a region of contexts with 10% of decisions" in hidden.reasons[0]


def test_the_effective_sample_size_goes_up_where_support_is_missing():
    target = np.tile([0.1, 0.1, 0.8], (3_000, 1))
    whole = gate(logged(5, np.tile([0.45, 0.45, 0.1], (3_000, 1))), target, ABC)
    lacking = gate(logged(5, np.tile([0.5, 0.5, 0.0], (3_000, 1))), target, ABC)
    assert value(lacking, "effective sample size") == pytest.approx(3_000)
    assert value(whole, "effective sample size") < 1_000
    assert not lacking.passed and "mean weight" in failed(lacking)


def test_wrong_propensities_show_in_the_mean_weight():
    logging = np.tile([0.5, 0.3, 0.2], (2_000, 1))
    log = logged(6, logging)
    wrong = gate(log.assign(propensity=log["propensity"] * 0.8), logging, ABC)
    assert failed(wrong) == ["mean weight"] and "The mean weight is 1.250" in wrong.reasons[0]


def test_a_tiny_propensity_has_all_weight():
    logging = np.tile([0.5, 0.3, 0.2], (1_000, 1))
    log = logged(7, logging)
    log.loc[0, "propensity"] = 1e-12
    found = gate(log, logging, ABC)
    assert {"effective sample size", "largest weight by the sum of weights"} <= set(failed(found))
    assert np.isfinite(found.table["value"]).all() and value(found, "effective sample size") == pytest.approx(1)


def test_an_action_with_few_rows_is_refused():
    log = pd.DataFrame({"action": ["a"] * 990 + ["b"] * 10, "reward": 1.0, "propensity": [0.99] * 990 + [0.01] * 10})
    found = gate(log, np.tile([0.95, 0.05], (1_000, 1)), ["a", "b"])
    assert any("Action b was logged 10 times. Log 4,000 decisions" in reason for reason in found.reasons)


# Edges, and what is refused with an error


def test_no_decisions_one_action_and_few_decisions():
    empty = pd.DataFrame({"action": [], "reward": [], "propensity": []})
    assert gate(empty, np.zeros((0, 2)), ["a", "b"]).reasons == (f"No decision is logged. Log at least {EFFECTIVE}.",)
    one = pd.DataFrame({"action": ["a"] * 200, "reward": 1.0, "propensity": 1.0})
    assert gate(one, np.ones((200, 1)), ["a"]).passed
    assert not gate(one[:1], np.ones((1, 1)), ["a"]).passed
    nothing = gate(one, np.tile([0.0, 1.0], (200, 1)), ["a", "b"])  # all weights are zero
    assert not nothing.passed and value(nothing, "effective sample size") == 0


@pytest.mark.parametrize(
    ("change", "target", "message"),
    [
        ({}, [[0.5, 0.5, 0]], "shape"),
        ({}, [[0.5, 0.6, 0]] * 2, "no probabilities"),
        ({}, [[1.5, -0.5, 0]] * 2, "no probabilities"),
        ({"action": ["a", "x"]}, [[0.5, 0.5, 0]] * 2, "not among the actions"),
        ({"reward": [1, np.nan]}, [[0.5, 0.5, 0]] * 2, "missing or not finite"),
        ({"propensity": [0.5, 0.0]}, [[0.5, 0.5, 0]] * 2, "not above 0"),
        ({"propensity": [0.5, 1.1]}, [[0.5, 0.5, 0]] * 2, "not above 0"),
        ({"propensity": [0.5, np.nan]}, [[0.5, 0.5, 0]] * 2, "all of them or none"),
        ({"propensity": np.nan}, [[0.5, 0.5, 0]] * 2, "no propensities"),
    ],
)
def test_what_does_not_fit_is_refused(change, target, message):
    log = pd.DataFrame({"action": ["a", "b"], "reward": [1.0, 0.0], "propensity": [0.5, 0.5]}).assign(**change)
    with pytest.raises(ValueError, match=message):
        gate(log, np.array(target, dtype=float), ABC)


def test_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(8)
    contexts = rng.normal(size=(1_500, 2))
    logging = np.where(contexts[:, :1] > 0, [0.5, 0.3, 0.2], [0.2, 0.2, 0.6])
    target = np.where(contexts[:, 1:] > 0, [0.6, 0.3, 0.1], [0.1, 0.3, 0.6])
    log, order = logged(9, logging), rng.permutation(1_500)
    one = gate(log, target, ABC, contexts=contexts)
    other = gate(log.iloc[order], target[order], ABC, contexts=contexts[order])
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    assert one.reasons == other.reasons


def test_a_gap_in_a_corner_of_continuous_contexts_is_found_and_said():
    log, target, contexts = landscape(1, gap=True)
    found = gate(log, target, ABC, contexts=contexts)
    assert failed(found)[0] == "target mass on actions hardly logged in similar contexts"
    said = re.match(
        r"Action b is logged (\d+) times instead of at least (\d+) in a region of contexts", found.reasons[0]
    )
    assert int(said[1]) < int(said[2]) and "with action b at a propensity of at least" in found.reasons[0]
    assert 0.02 < value(found, failed(found)[0]) < 0.055  # of 5% planted, what is in the region found
    log, target, contexts = landscape(1, gap=False)
    assert gate(log, target, ABC, contexts=contexts).passed


# Rates


def world(seed, gap, decisions=2_000):
    """A world of three actions and four segments; in one of them, of a twentieth of the mass, b is never logged."""
    rng = np.random.default_rng(seed)
    segments = rng.choice(4, decisions, p=[0.1, 0.2, 0.3, 0.4])
    logging = 0.05 + 0.85 * rng.dirichlet([2, 2, 2], 4)
    target = 0.9 * rng.dirichlet([2, 2, 2], 4) + 0.1 / 3
    if gap:
        segments = rng.permutation(np.arange(decisions) % 10).clip(max=3)  # segment 0 has a tenth
        logging[0], target[0] = [0.5, 0.0, 0.5], [0.25, 0.5, 0.25]
    return logged(seed + 1_000_000, logging[segments]), target[segments], segments


def landscape(seed, gap, decisions=5_000):
    """A world of three contexts: logging and target policies follow them; a gap is a tenth of them, a corner of two."""
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(decisions, 3))
    slopes = rng.normal(0, 0.7, (2, 3, 3))
    logging, target = (
        share + (1 - 3 * share) * softmax(contexts @ slopes[i], axis=1) for i, share in ((0, 0.1), (1, 1 / 30))
    )
    if gap:
        corner = (contexts[:, :2] > np.quantile(contexts[:, :2], 1 - np.sqrt(0.1), axis=0)).all(axis=1)
        logging[corner, 1], target[corner] = 0, [0.25, 0.5, 0.25]
        logging /= logging.sum(axis=1, keepdims=True)
    return logged(seed + 1_000_000, logging), target, contexts


def known(seed, by, gap):
    """A gate of a world of which segments, contexts, or none of both are known."""
    if by == "a region":
        log, target, contexts = landscape(seed, gap)
        return gate(log, target, ABC, contexts=contexts)
    if by == "nothing":  # an action that is never logged has a twentieth of the mass, or one of three is as rare
        rng = np.random.default_rng(seed)
        share = 0.05 + 0.85 * rng.dirichlet([2, 2, 2])
        logging = share * [1, 1, 0] / share[:2].sum() if gap else share
        target = np.append(0.95 * rng.dirichlet([2, 2]), 0.05)
        return gate(logged(seed, np.tile(logging, (2_000, 1))), np.tile(target, (2_000, 1)), ABC)
    log, target, segments = world(seed, gap, decisions=2_500)
    return gate(log, target, ABC, **({"segments": segments} if by == "segments" else {"contexts": np.eye(4)[segments]}))


KNOWN = ["nothing", "segments", "segments as contexts", "a region"]


@pytest.mark.thorough
@pytest.mark.parametrize("by", KNOWN)
def test_refused_with_a_twentieth_of_the_mass_never_logged(by):
    refused = sum(not known(seed, by, gap=True).passed for seed in range(1_000))
    print(f"refused with 5% of the mass never logged, known: {by}: {refused / 1_000:.1%}")
    assert refused / 1_000 >= 0.99


@pytest.mark.thorough
@pytest.mark.parametrize("by", KNOWN)
def test_well_logged_worlds_pass(by):
    refused = sum(not known(seed, by, gap=False).passed for seed in range(1_000))
    print(f"well-logged worlds refused, known: {by}: {refused / 1_000:.1%}")
    assert refused / 1_000 <= 0.02


@pytest.mark.thorough
def test_the_mean_weight_finds_a_hidden_gap_where_decisions_are_many():
    """A tenth of the decisions, in no segment, without b: the mean weight is .95, eight standard errors from 1."""
    n = 20_000
    logging = np.where((np.arange(n) % 10 == 0)[:, None], [0.5, 0.0, 0.5], [1 / 3, 1 / 3, 1 / 3])
    target = np.tile([0.25, 0.5, 0.25], (n, 1))
    found = [gate(logged(seed, logging), target, ABC) for seed in range(100)]
    assert [failed(one) for one in found] == [["mean weight"]] * 100
