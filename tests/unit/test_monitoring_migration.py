"""Transition matrices, their tests and forecasts, against scipy, scikit-learn, closed forms and simulated chains."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from customerlab.analysis.monitoring.forecasts import backtest, forecast
from customerlab.analysis.monitoring.migration import balanced, chain_tests, kept, stays, transitions
from customerlab.analysis.rfm.stability import NOT_YET
from helpers import by_chance

NAMES = ["a", "b", "c"]
MATRIX = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.05, 0.15, 0.8]])


def chain(
    seed: int, customers: int = 300, days: int = 12, joining: int = 20, matrix: np.ndarray = MATRIX
) -> pd.DataFrame:
    """Customers who move by a matrix, and as many who join on every day on average, in `a` or `b`."""
    rng = np.random.default_rng(seed)
    begun = np.concatenate([np.zeros(customers, int), *(np.full(rng.poisson(joining), day) for day in range(1, days))])
    state = rng.choice(3, len(begun), p=[0.5, 0.3, 0.2])
    codes = np.full((len(begun), days), -1)
    for day in range(days):
        moved = (rng.uniform(size=len(begun))[:, None] > matrix.cumsum(axis=1)[state]).sum(axis=1)
        state = np.where(begun == day, rng.choice(2, len(begun), p=[0.6, 0.4]) if day else state, moved)
        codes[:, day] = np.where(begun <= day, state, -1)
    names = np.array([*NAMES, NOT_YET], dtype=object)
    return pd.DataFrame(names[codes], columns=range(days)).set_axis([f"c{n:05d}" for n in range(len(begun))])


def test_shares_of_independent_customers_have_wilsons_interval():
    history = chain(1, days=2, joining=0)
    table = transitions(history, NAMES)
    for row in table.itertuples():
        own = stats.binomtest(row.customers, row.of).proportion_ci(method="wilson")
        assert (row.low, row.high) == pytest.approx((own.low, own.high), abs=1e-12)
    assert table.groupby("before")["share"].sum().tolist() == pytest.approx([1, 1, 1])


def test_customers_who_always_do_the_same_count_once():
    rng = np.random.default_rng(2)
    fixed = rng.uniform(size=100) < 0.5  # half of them stay in `a` for ever, the others go to and fro
    history = pd.DataFrame({day: np.where(fixed | (day % 2 == 0), "a", "b") for day in range(13)})
    row = transitions(history, NAMES).set_index(["before", "after"]).loc[("a", "a")]
    own = stats.binomtest(int(row["customers"]), int(row["of"])).proportion_ci(method="wilson")
    assert row["high"] - row["low"] > 2 * (own.high - own.low)


def test_counts_are_those_of_a_crosstab_and_stays_follow():
    history = chain(4)
    pairs = pd.concat(
        [pd.DataFrame({"one": history[day], "two": history[day + 1]}) for day in range(11)], ignore_index=True
    )
    table = pd.crosstab(pairs["one"], pairs["two"]).loc[NAMES, NAMES]
    found = transitions(history, NAMES).pivot(index="before", columns="after", values="customers")
    np.testing.assert_array_equal(found.to_numpy(), table.to_numpy())
    own = stays(transitions(history, NAMES))
    for row in own.itertuples():
        assert row.share**row.half_life == pytest.approx(0.5)


def test_what_chance_keeps_is_what_shuffling_keeps():
    history = chain(5, days=2, joining=0)
    found = kept(history, NAMES)
    assert found.kappa == pytest.approx(cohen_kappa_score(history[0], history[1]), abs=1e-12)
    rng = np.random.default_rng(0)
    shuffled = [(rng.permutation(history[0]) == history[1].to_numpy()).mean() for _ in range(500)]
    assert found.shuffled == pytest.approx(np.mean(shuffled), abs=4 * np.std(shuffled) / np.sqrt(500))
    assert kept(history.iloc[:, :1], NAMES).customers == 0


def test_a_balanced_panel_has_who_was_there_throughout():
    history = chain(6)
    assert len(balanced(history)) == (history[0] != NOT_YET).sum()


def test_the_test_of_memory_is_pearsons():
    history = chain(7, days=2, joining=0)
    row = chain_tests(history, NAMES).set_index("test").loc["memory"]
    own = stats.chi2_contingency(pd.crosstab(history[0], history[1]), correction=False)
    assert (row["statistic"], row["df"], row["p"]) == pytest.approx((own.statistic, own.dof, own.pvalue), rel=1e-6)
    n = len(history)
    assert row["v"] == pytest.approx(np.sqrt(own.statistic / (2 * n)), rel=1e-6)


def test_a_matrix_that_changes_and_a_chain_that_remembers_are_found():
    changed = pd.concat([chain(8, days=6, joining=0), chain(9, days=6, joining=0, matrix=MATRIX[::-1])], axis=1)
    changed = changed.set_axis(range(12), axis=1)
    assert chain_tests(changed, NAMES).set_index("test").loc["stationary", "p"] < 1e-9
    rng = np.random.default_rng(3)
    kinds = rng.uniform(size=400) < 0.5  # of two kinds, each with a rate of its own
    draws = rng.uniform(size=(400, 10)) < np.where(kinds, 0.9, 0.2)[:, None]
    mixed = pd.DataFrame(np.where(draws, "a", "b"))
    assert chain_tests(mixed, NAMES).set_index("test").loc["first order", "p"] < 1e-9


@pytest.mark.thorough
def test_false_alarms_of_the_chain_tests():
    found = [chain_tests(chain(seed), NAMES).set_index("test")["p"] for seed in range(200)]
    table = pd.DataFrame(found)
    for name in ("stationary", "first order"):
        low, high = by_chance(0.05, 200)
        assert low <= (table[name] < 0.05).mean() <= high


def test_a_forecast_is_the_matrix_and_the_mean_of_arrivals():
    history = chain(10)
    found = forecast(history, NAMES, seed=1).set_index("segment")
    table = transitions(history, NAMES).pivot(index="before", columns="after", values="share").loc[NAMES, NAMES]
    today = history[11].value_counts().reindex(NAMES)
    joined = sum(
        history.loc[(history[day] == NOT_YET), day + 1].value_counts().reindex(NAMES).fillna(0) for day in range(11)
    )
    np.testing.assert_allclose(found["expected"], today.to_numpy() @ table.to_numpy() + joined / 11)
    assert (found["low"] < found["expected"]).all() and (found["expected"] < found["high"]).all()


def test_a_forecast_knows_nothing_of_what_comes_and_needs_five_days():
    history = chain(11)
    other = history.copy()
    other[11] = "a"
    one, two = backtest(history, NAMES, seed=1), backtest(other, NAMES, seed=1)
    assert one.drop(columns="actual").equals(two.drop(columns="actual"))
    assert one["day"].unique().tolist() == list(range(5, 12))
    assert forecast(history.iloc[:, :4], NAMES, seed=1).empty and backtest(history.iloc[:, :5], NAMES, seed=1).empty


@pytest.mark.thorough
def test_forecast_intervals_cover():
    """On 50 shops, 95% of what comes within the bounds of chance; the share itself is printed."""
    inside = []
    for seed in range(50):
        table = backtest(chain(seed, days=9), NAMES, seed=seed)
        inside.append(table["actual"].between(table["low"], table["high"]).mean())
    print(f"forecast intervals hold {np.mean(inside):.3f} of sizes (95% promised, 50 shops)")
    assert abs(np.mean(inside) - 0.95) < 3 * np.std(inside) / np.sqrt(50) + 0.01


def test_one_segment_and_segments_that_are_not_listed():
    alone = pd.DataFrame(dict.fromkeys(range(6), ["a"] * 30))
    assert stays(transitions(alone, ["a"]))["share"].tolist() == [1.0]
    assert kept(alone, ["a"]).share == 1.0 and np.isnan(kept(alone, ["a"]).kappa)
    assert chain_tests(alone, ["a"])["p"].isna().all()
    assert forecast(alone, ["a"], seed=1)[["expected", "low", "high"]].values.tolist() == [[30.0, 30.0, 30.0]]
    with pytest.raises(ValueError, match="not among a, b"):
        transitions(alone.replace("a", "z"), ["a", "b"])
