"""Counts, means and covariances from the engine against numpy; what cannot be measured; cut values."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import experiment
from customerlab.errors import DataError


def units(n=400, seed=0, arms=("a", "b", "c")):
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 9, n)
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)],
            "variant": rng.choice(arms, n),
            "segment": rng.choice(["new", "old"], n),
            "outcome_spend": rng.gamma(0.5, 20, n) + age / 10,
            "outcome_orders": rng.poisson(2, n).astype(float),
            "covariate_age": [f"{x:.6f}" for x in age],
        }
    )


COLUMNS = ["outcome_spend", "outcome_orders", "covariate_age"]


def test_moments_are_those_of_numpy():
    frame = units()
    found = experiment.moments(ibis.memtable(frame), COLUMNS)
    numbers = frame.astype({"covariate_age": float})
    assert found.groups["variant"].tolist() == ["a", "b", "c"]
    for row, (_, part) in enumerate(numbers.groupby("variant")):
        assert found.count[row] == len(part)
        assert found.mean[row] == pytest.approx(part[COLUMNS].mean().to_numpy(), rel=1e-12)
        np.testing.assert_allclose(found.covariance[row], np.cov(part[COLUMNS].T), rtol=1e-10)


def test_pairs_that_nobody_asks_for_cost_nothing_and_change_nothing():
    table = ibis.memtable(units())
    whole = experiment.moments(table, COLUMNS)
    part = experiment.moments(table, COLUMNS, together=[["covariate_age", "outcome_spend"]])
    np.testing.assert_allclose(
        part.covariance[:, [0, 1, 2, 0, 2], [0, 1, 2, 2, 0]], whole.covariance[:, [0, 1, 2, 0, 2], [0, 1, 2, 2, 0]]
    )
    assert (part.covariance[:, 0, 1] == 0).all()
    metrics = [
        experiment.Metric("s", "outcome_spend", covariate="covariate_age"),
        experiment.Metric("o", "outcome_orders"),
    ]
    both = experiment.compare_arms(table, metrics, "a")
    alone = pd.concat([experiment.compare_arms(table, [metric], "a") for metric in metrics], ignore_index=True)
    columns = ["effect", "effect_low", "relative_high", "pvalue", "kept"]
    pd.testing.assert_frame_equal(both[columns], alone[columns], rtol=1e-9)


def test_a_great_mean_does_not_cost_the_variance():
    rng = np.random.default_rng(1)
    small = rng.normal(0, 1, (3000, 2)) @ [[1, 0.5], [0, 1]]
    frame = pd.DataFrame(small + 1e9, columns=["x", "y"]).assign(variant="a")
    found = experiment.moments(ibis.memtable(frame), ["x", "y"])
    np.testing.assert_allclose(found.covariance[0], np.cov(small.T), rtol=1e-6)
    x = frame["x"].to_numpy()
    textbook = (np.sum(x**2) - np.sum(x) ** 2 / len(x)) / (len(x) - 1)
    assert abs(textbook - np.var(small[:, 0], ddof=1)) > 1, "what the engine's variance avoids"


def test_what_does_not_vary_has_no_variance_at_all():
    frame = pd.DataFrame({"variant": ["a", "b"] * 50, "x": 0.1, "y": [0.0, 1.0] * 50})
    found = experiment.moments(ibis.memtable(frame), ["x", "y"])
    assert (found.covariance == 0).all() and (found.mean[:, 0] == pytest.approx(0.1))


def test_coarser_groups_are_what_one_query_would_have_given():
    frame = units(seed=3)
    frame.loc[0, ["variant", "segment"]] = ["d", "new"]  # a group of one
    frame.loc[1, ["variant", "segment"]] = ["d", "old"]
    fine = experiment.moments(ibis.memtable(frame), COLUMNS, ["variant", "segment"])
    merged, direct = fine.merged(["variant"]), experiment.moments(ibis.memtable(frame), COLUMNS)
    pd.testing.assert_frame_equal(merged.groups, direct.groups)
    assert merged.count.tolist() == direct.count.tolist()
    np.testing.assert_allclose(merged.mean, direct.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.covariance, direct.covariance, rtol=1e-9)


def test_rows_in_another_order_give_the_same_numbers():
    frame = units(seed=4)
    one = experiment.moments(ibis.memtable(frame), COLUMNS)
    other = experiment.moments(ibis.memtable(frame.sample(frac=1, random_state=1)), COLUMNS)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9)
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("outcome_spend", np.inf, "1 units have an infinite value of spend"),
        ("outcome_spend", -np.inf, "1 units have an infinite value of spend"),
        ("outcome_spend", np.nan, "1 units lack a value of spend"),
        ("covariate_age", "old", "1 units lack a value of age"),
        ("covariate_age", None, "1 units lack a value of age"),
    ],
)
def test_values_that_are_no_numbers_are_refused_by_name(column, value, words):
    frame = units(50)
    frame.loc[7, column] = value
    with pytest.raises(DataError, match=words):
        experiment.moments(ibis.memtable(frame), COLUMNS)
    with pytest.raises(DataError, match="no units"):
        experiment.moments(ibis.memtable(units(50)).filter(ibis._.variant == "z"), COLUMNS)


def test_the_largest_values_are_cut_to_the_quantile_of_those_above_zero():
    frame = pd.DataFrame({"variant": ["a", "b"] * 100, "outcome_x": [0.0] * 100 + [*range(1, 101)]})
    table, low, cap, above = experiment.winsorised(ibis.memtable(frame), "outcome_x", 0.9)
    cut = table.to_pandas()["outcome_x"]
    assert (cap, above) == (pytest.approx(np.quantile(np.arange(1, 101), 0.9)), 10) and np.isnan(low)
    expected = np.minimum(frame["outcome_x"], np.quantile(np.arange(1, 101), 0.9))
    assert sorted(cut) == pytest.approx(sorted(expected))
    nothing = experiment.winsorised(ibis.memtable(frame.assign(outcome_x=0.0)), "outcome_x", 0.9)[0].to_pandas()
    assert (nothing["outcome_x"] == 0).all()
    mirrored, low, high, beyond = experiment.winsorised(
        ibis.memtable(frame.assign(outcome_x=-frame["outcome_x"])), "outcome_x", 0.9
    )
    assert (low, beyond) == (-cap, 10) and np.isnan(high)
    assert sorted(-mirrored.to_pandas()["outcome_x"]) == pytest.approx(sorted(expected)), "refunds are cut like orders"
    with pytest.raises(ValueError, match="share = 1"):
        experiment.winsorised(ibis.memtable(frame), "outcome_x", 1.0)
