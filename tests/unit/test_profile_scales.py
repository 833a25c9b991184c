"""Survey scales: closed forms, scikit-learn's factor analysis, rates of intervals, edge cases."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import FactorAnalysis

from customerlab.analysis.profile.scales import (
    alpha,
    alpha_interval,
    omega,
    one_factor,
    parallel_analysis,
    reliability,
    scores,
)
from helpers import by_chance

ITEMS = list("abcde")


def answers(number=300, seed=1, loadings=(0.9, 0.8, 0.7, 0.6, 0.5)):
    """Normal answers of one factor."""
    rng, own = np.random.default_rng(seed), np.array(loadings)
    noise = rng.normal(size=(number, len(own))) * np.sqrt(1 - own**2)
    index = [f"c{place:04}" for place in range(number)]
    return pd.DataFrame(rng.normal(size=(number, 1)) * own + noise, index, ITEMS[: len(own)])


def test_alpha_of_parallel_items_is_that_of_spearman_and_brown():
    for items, r in [(2, 0.3), (5, 0.5), (10, 0.2)]:
        matrix = np.full((items, items), r) + (1 - r) * np.eye(items)
        assert alpha(matrix) == pytest.approx(items * r / (1 + (items - 1) * r))
        if items > 2:  # with equal loadings omega is alpha
            assert omega(4 * matrix) == pytest.approx(alpha(matrix), abs=1e-7)


def test_alpha_is_that_of_analysis_of_variance():
    table = answers(40)  # Hoyt (1941): 1 − residual mean square / mean square of customers
    x = table.to_numpy()
    rows, columns = x.mean(axis=1, keepdims=True), x.mean(axis=0)
    between = 5 * rows.var(ddof=1)
    residual = ((x - rows - columns + x.mean()) ** 2).sum() / (39 * 4)
    assert reliability(table, ITEMS).alpha == pytest.approx(1 - residual / between)


def test_a_perfect_one_factor_matrix_gives_its_loadings():
    own = np.array([0.9, 0.8, 0.7, 0.6, -0.5])
    matrix = np.outer(own, own) + np.diag(1 - own**2)
    assert one_factor(matrix) == pytest.approx(own, abs=1e-6)
    assert omega(matrix) == pytest.approx(2.5**2 / (2.5**2 + (1 - own**2).sum()), abs=1e-7)
    three = np.array([[1, 0.5, 0.4], [0.5, 1, 0.3], [0.4, 0.3, 1]])  # λ₁² = r₁₂ r₁₃ / r₂₃
    expected = np.sqrt([0.5 * 0.4 / 0.3, 0.5 * 0.3 / 0.4, 0.4 * 0.3 / 0.5])
    assert one_factor(three) == pytest.approx(expected, abs=1e-6)


def test_loadings_and_omega_are_those_of_scikit_learn():
    table = answers(200, seed=3) * [1, 2, 3, 1, 2]
    model = FactorAnalysis(1, tol=1e-12, max_iter=20_000, svd_method="lapack").fit(table)
    spread = table.std(ddof=0).to_numpy()
    loadings = model.components_[0] * np.sign(model.components_[0].sum())
    found = reliability(table, ITEMS)
    assert found.loadings.tolist() == pytest.approx((loadings / spread).tolist(), abs=1e-5)
    total = loadings.sum() ** 2 / (loadings.sum() ** 2 + model.noise_variance_.sum())
    assert found.omega == pytest.approx(total, abs=1e-6)
    assert found.error == pytest.approx(table.mean(axis=1).std() * np.sqrt(1 - total), abs=1e-6)


def test_reversed_items_and_the_order_of_rows():
    table = answers()
    turned = table.assign(b=6 - table["b"], e=6 - table["e"])
    one, other = reliability(table, ITEMS), reliability(turned, ["a", "-b", "c", "d", "-e"])
    assert other.alpha == pytest.approx(one.alpha) and other.omega == pytest.approx(one.omega, abs=1e-7)
    mixed = reliability(table.sample(frac=1, random_state=1), ITEMS)
    assert (mixed.alpha, mixed.omega, mixed.error) == (one.alpha, one.omega, one.error)
    assert reliability(turned, ITEMS).note.startswith("b, e: against the others")


def test_kinds_of_items():
    levels = ["no", "perhaps", "yes"]
    place = np.tile([0, 1, 2, 2], 20)
    ordered = pd.Categorical.from_codes(place, levels, ordered=True)
    table = pd.DataFrame({"a": ordered, "b": place + 1, "c": pd.array(place > 0, dtype="boolean")})
    found = scores(table, ["a", "b"])
    assert found["score"].tolist() == (place + 1.0).tolist()
    assert reliability(table, ["a", "b"]).alpha == pytest.approx(1)
    assert scores(table, ["-c"])["score"].tolist() == (place == 0).astype(float).tolist()


def test_scores_need_half_of_the_items():
    table = answers(100)[list("abcd")]
    table.iloc[0, :2], table.iloc[1, :3], table.iloc[2] = np.nan, np.nan, np.nan
    found, plain = scores(table, list("abcd")), reliability(table, list("abcd"))
    assert found["answered"].tolist()[:4] == [2, 1, 0, 4] and found.index.equals(table.index)
    assert found["score"].iloc[0] == pytest.approx(table.iloc[0, 2:].mean())
    assert found.iloc[1:3][["score", "error"]].isna().all(axis=None)
    assert found["error"].iloc[3] == pytest.approx(plain.error) and plain.customers == 97
    assert found["error"].iloc[0] == pytest.approx(plain.error * np.sqrt(2))


def test_bounds_reverse_items():
    table = pd.DataFrame({"a": [2, 4], "b": [3, 3]})
    assert scores(table, ["-a", "b"], bounds=(1, 5))["score"].tolist() == [3.5, 2.5]
    assert scores(table, ["-a", "b"])["score"].tolist() == [3.5, 2.5]  # from 2 to 4, by the answers
    assert scores(table, ["-a", "b"], bounds=(0, 7))["score"].tolist() == [4, 3]
    with pytest.raises(ValueError, match="out of the bounds 1 and 3"):
        scores(table, ["a", "b"], bounds=(1, 3))


def test_two_items_one_item_constant_items_and_few_customers():
    table = answers()
    two = reliability(table, ["a", "b"])
    r, covariance = table["a"].corr(table["b"]), table[["a", "b"]].cov()
    assert two.alpha == pytest.approx(4 * covariance.iloc[0, 1] / covariance.to_numpy().sum())
    assert np.isnan(two.omega) and two.loadings.isna().all() and 0 < two.error < 1 and r > 0.5
    one = reliability(table, ["a"])
    assert np.isnan([one.alpha, one.low, one.omega, one.error]).all() and "1 items" in one.note
    constant = reliability(table.assign(k=3), [*ITEMS, "k"])
    assert constant.alpha == reliability(table, ITEMS).alpha
    assert constant.note == "k: equal for all customers and left out" and np.isnan(constant.loadings["k"])
    few = reliability(table.head(19), ITEMS)
    assert np.isnan(few.alpha) and few.note == "too few to tell (19 customers with all answers)"
    assert scores(table.head(19), ITEMS)["score"].notna().all()
    assert parallel_analysis(table.head(19), ITEMS, seed=1).empty
    assert parallel_analysis(table, ["a"], seed=1).empty
    with pytest.raises(ValueError, match="at least 3"):
        one_factor(np.eye(2))


def test_what_is_no_scale_is_refused():
    table = answers(30).assign(text="x", kind=pd.Categorical(["x"] * 30))
    for items, said in [
        (["a", "f"], "lacks the item 'f'"),
        (["a", "-a"], "each named once"),
        ([], "needs items"),
        (["a", "text"], "'text' is neither"),
        (["a", "kind"], "'kind' is neither"),
    ]:
        with pytest.raises(ValueError, match=said):
            reliability(table, items)


def test_two_items_that_are_equal_are_a_heywood_case():
    table = answers(100, loadings=(0.5, 0.5, 0.5))
    found = reliability(table.assign(d=table["a"]), list("abcd"))
    assert "a, d: explained wholly by the factor" in found.note and 0 < found.omega < 1


def test_parallel_analysis_counts_planted_factors():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(400, 9)) + np.repeat(rng.normal(size=(400, 3)), 3, axis=1)).add_prefix("q")
    found = parallel_analysis(table, list(table), seed=0)
    assert found["kept"].tolist() == [True] * 3 + [False] * 6
    expected = np.linalg.eigvalsh(np.corrcoef(table.to_numpy().T))[::-1]
    assert found["eigenvalue"].tolist() == pytest.approx(expected.tolist())
    assert found["eigenvalue"].sum() == pytest.approx(9)
    mixed = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(found, parallel_analysis(mixed, list(table), seed=0), check_exact=True)


def test_random_eigenvalues_are_those_of_random_data():
    table = answers(60)
    limit = parallel_analysis(table, ITEMS, seed=0)["random"]
    drawn = np.random.default_rng(5).normal(size=(2_000, 60, 5))
    own = [np.linalg.eigvalsh(np.corrcoef(sample.T))[::-1] for sample in drawn]
    assert limit.tolist() == pytest.approx(np.quantile(own, 0.95, axis=0).tolist(), abs=0.03)


@pytest.mark.thorough
def test_rates_of_the_interval_and_of_parallel_analysis():
    true = 5 * 0.36 / (1 + 4 * 0.36)
    covered, factors = [], []
    for seed in range(150):
        found = reliability(answers(50, seed, (0.6,) * 5), ITEMS)
        covered.append(found.low <= true <= found.high)
        unrelated = pd.DataFrame(np.random.default_rng(seed).normal(size=(60, 5)), columns=ITEMS)
        factors.append(parallel_analysis(unrelated, ITEMS, seed=seed)["kept"].any())
    low, high = by_chance(0.95, 150)
    assert low <= np.mean(covered) <= high
    assert np.mean(factors) <= by_chance(0.05, 150)[1]


def test_the_interval_is_feldt_s():
    low, high = alpha_interval(0.0, 31, 5)  # printed tables: F(.975; 30, 120) = 1.69, F(.975; 120, 30) = 1.87
    assert low == pytest.approx(1 - 1.69, abs=0.005) and high == pytest.approx(1 - 1 / 1.87, abs=0.0015)
