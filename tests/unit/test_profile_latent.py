"""Latent classes: likelihoods by brute force and by a general optimiser, planted classes, edge cases."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2_contingency

from customerlab.analysis.profile import latent_em
from customerlab.analysis.profile.latent import choose_classes, compare_classes, fit_classes
from customerlab.figures.profile.latent import classes as drawn
from helpers import by_chance

LEVELS = {"a": ["x", "y"], "b": ["low", "middle", "high"], "c": ["n", "e", "s", "w"], "d": ["p", "q"]}


def answers(number=400, seed=1, missing=0.0):
    """Answers of two classes to four items, with the class of each customer."""
    rng = np.random.default_rng(seed)
    own = (rng.random(number) < 0.35).astype(int)
    shares = {
        "a": [(9, 1), (2, 8)],
        "b": [(7, 2, 1), (1, 2, 7)],
        "c": [(6, 2, 1, 1), (1, 1, 2, 6)],
        "d": [(8, 2), (1, 9)],
    }
    table = pd.DataFrame(index=[f"c{place:04}" for place in rng.permutation(number)])
    for name, levels in LEVELS.items():
        codes = (np.array(shares[name]).cumsum(axis=1)[own, :-1] / 10 <= rng.random((number, 1))).sum(axis=1)
        codes = np.where(rng.random(number) < missing, -1, codes)
        table[name] = pd.Categorical.from_codes(codes, levels, ordered=name == "b")
    return table, own


def one_by_one(model, row):
    """The probability of a customer's answers in each class, multiplied out."""
    found = []
    for name in model.sizes.index:
        given = [model.probabilities.loc[(item, level), name] for item, level in row.items() if isinstance(level, str)]
        found.append(model.sizes[name] * np.prod(given))
    return np.array(found)


def test_one_class_is_independence():
    table, _ = answers()
    model = fit_classes(table, classes=1, seed=0)
    counts = [table[name].value_counts().to_numpy() for name in table]
    assert model.log_likelihood == pytest.approx(sum((n * np.log(n / 400)).sum() for n in counts), abs=1e-9)
    assert model.parameters == 1 + 2 + 3 + 1 and np.isnan(model.entropy_r2) and model.reached == 1
    assert model.bic == pytest.approx(7 * np.log(400) - 2 * model.log_likelihood)
    for row in model.residuals.itertuples():
        plain = chi2_contingency(pd.crosstab(table[row.first], table[row.second]), correction=False)
        assert (row.df, row.residual) == (plain.dof, pytest.approx(plain.statistic / plain.dof))


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_likelihood_and_the_posterior_are_those_of_their_definition(missing):
    table, _ = answers(150, missing=missing)
    model = fit_classes(table, classes=2, seed=0, starts=5)
    joint = np.array([one_by_one(model, row) for row in table.to_dict("records")])
    known = table.notna().any(axis=1).to_numpy()
    assert model.customers == known.sum() and (missing == 0) == known.all()
    assert model.log_likelihood == pytest.approx(np.log(joint[known].sum(axis=1)).sum(), abs=1e-8)
    share = joint / joint.sum(axis=1, keepdims=True)
    found = model.posterior(table)
    assert np.allclose(found, share, atol=1e-12) and found.index.equals(table.index)
    assert model.assign(table).tolist() == (share.argmax(axis=1) + 1).tolist()
    doubt = -(share * np.log(np.maximum(share, 1e-300)))[known].sum()
    assert model.entropy_r2 == pytest.approx(1 - doubt / (known.sum() * np.log(2)), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_general_optimiser_finds_the_same_maximum(missing):
    table = answers(200, missing=missing)[0][["a", "b", "d"]].assign(e=answers(200, missing=missing)[0]["c"] == "n")
    table["e"] = table["e"].astype("boolean")
    codes = [pd.factorize(table[name], sort=True)[0] for name in table]
    lengths = [code.max() + 1 for code in codes]

    def loss(free):
        size = 1 / (1 + np.exp(-free[0]))
        logs, at = np.log([[size], [1 - size]]).repeat(200, axis=1), 1
        for code, length in zip(codes, lengths, strict=True):
            part = np.column_stack([free[at : at + 2 * (length - 1)].reshape(2, -1), np.zeros(2)])
            part -= np.log(np.exp(part).sum(axis=1, keepdims=True))
            logs, at = logs + np.where(code >= 0, part[:, code], 0), at + 2 * (length - 1)
        return -np.logaddexp(*logs).sum()

    number = 1 + 2 * sum(length - 1 for length in lengths)
    rng = np.random.default_rng(2)
    ends = [minimize(loss, rng.normal(size=number), method="BFGS", options={"gtol": 1e-5}).fun for _ in range(6)]
    model = fit_classes(table, classes=2, seed=0)
    assert model.parameters == number
    assert model.log_likelihood == pytest.approx(-min(ends), abs=1e-3) and model.log_likelihood >= -min(ends) - 1e-6


def test_the_likelihood_never_falls():
    data, _ = latent_em.patterns_of(table := answers(missing=0.1)[0], latent_em.levels_of(table))
    rng, values = np.random.default_rng(3), []
    at = latent_em._start(data, 3, rng)
    for _ in range(60):
        value, at = latent_em.step(at, data)
        values.append(value)
    assert (np.diff(values) >= -1e-9).all() and values[-1] > values[0] + 50
    at = latent_em._start(data, 3, rng)
    runs = [latent_em.run(at, data, most).value for most in range(3, 60, 3)]
    assert (np.diff(runs) >= -1e-9).all()


@pytest.mark.slow
def test_planted_classes_are_found_and_numbered_by_size():
    table, own = answers(3_000)
    found = choose_classes(table, most=4, seed=0, starts=10)
    assert found.table["classes"].tolist() == [1, 2, 3, 4] and len(found.model.sizes) == 2 and found.note == ""
    assert found.model.sizes.tolist() == pytest.approx([0.65, 0.35], abs=0.03)
    assert found.model.probabilities.loc[("b", "low")].tolist() == pytest.approx([0.7, 0.1], abs=0.04)
    assert found.model.probabilities.groupby("item").sum().to_numpy() == pytest.approx(np.ones((4, 2)))
    assert (found.model.assign(table) == own + 1).mean() > 0.93 and found.model.entropy_r2 > 0.7
    assert found.model.residuals["residual"].max() < 3 and found.model.reached == 1 and found.model.converged
    one = fit_classes(table, classes=1, seed=0)
    assert one.residuals["residual"].min() > 50
    best = found.table.sort_values("bic")["classes"].iloc[0]
    assert best == 2 and found.table["log_likelihood"].is_monotonic_increasing


def test_the_order_of_rows_changes_nothing():
    table, _ = answers(missing=0.1)
    one, other = (
        fit_classes(part, classes=2, seed=4, starts=6) for part in (table, table.sample(frac=1, random_state=2))
    )
    pd.testing.assert_frame_equal(one.probabilities, other.probabilities, check_exact=True)
    assert one.log_likelihood == other.log_likelihood and one.sizes.equals(other.sizes)
    mixed = table.sample(frac=1, random_state=3)
    assert one.assign(mixed).equals(one.assign(table).loc[mixed.index])


def test_customers_twice_count_twice():
    table, _ = answers(150)
    once = fit_classes(table, classes=2, seed=0)
    twice = fit_classes(pd.concat([table, table]), classes=2, seed=0)
    assert twice.log_likelihood == pytest.approx(2 * once.log_likelihood, rel=1e-9) and twice.customers == 300
    assert np.allclose(once.probabilities, twice.probabilities, atol=1e-4)


def test_new_customers_missing_answers_and_unknown_levels():
    table, _ = answers()
    model = fit_classes(table, classes=2, seed=0)
    new = pd.DataFrame(
        {"d": ["p", None, None], "c": ["n", "n", "moon"], "b": ["low", None, None], "a": ["x", None, None]}
    )
    found = model.posterior(new)
    first = one_by_one(model, new.loc[0])
    assert found.loc[0].tolist() == pytest.approx((first / first.sum()).tolist())
    alone = one_by_one(model, {"c": "n"})
    assert found.loc[1].tolist() == pytest.approx((alone / alone.sum()).tolist())
    assert found.loc[2].tolist() == pytest.approx(model.sizes.tolist()) and model.assign(new)[2] == 1
    assert model.assign(new.head(0)).empty
    with pytest.raises(ValueError, match="lacks the items 'a'"):
        model.assign(new.drop(columns="a"))


def test_kinds_of_items_give_the_same_classes():
    table, _ = answers()
    texts = table.astype(str).assign(d=(table["d"] == "q").astype("boolean"))
    one, other = fit_classes(table, classes=2, seed=0), fit_classes(texts, classes=2, seed=0)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
    assert other.levels["d"] == (False, True) and one.levels["b"] == ("low", "middle", "high")
    unused = table.assign(a=table["a"].cat.add_categories(["never"]))
    assert fit_classes(unused, classes=2, seed=0).parameters == one.parameters


def test_what_cannot_be_fitted_is_refused():
    table, _ = answers(60)
    for wrong, said in [
        (table.assign(age=1.5), "'age' has numbers or dates"),
        (table.assign(day=pd.Timestamp("2026-01-01")), "'day' has numbers or dates"),
        (table.assign(a=pd.Categorical([None] * 60, ["x"])), "'a' has no answer"),
        (table.head(19), "too few to tell"),
        (table[[]], "at least one item"),
        (table[["a", "d"]], "2 classes have 5 parameters"),
    ]:
        with pytest.raises(ValueError, match=said):
            fit_classes(wrong, classes=2, seed=0)
    with pytest.raises(ValueError, match="0 classes"):
        fit_classes(table, classes=0, seed=0)
    with pytest.raises(ValueError, match="at most 0"):
        choose_classes(table, most=0, seed=0)
    with pytest.raises(ValueError, match="0 replicates"):
        compare_classes(table, classes=1, seed=0, replicates=0)


def test_few_customers_constant_items_and_items_of_one_kind():
    table, _ = answers(100)
    few = choose_classes(table.head(10), seed=0)
    assert few.model is None and few.table.empty and few.note == "too few to tell (10 customers)"
    assert choose_classes(table[["a", "d"]], seed=0).table["classes"].tolist() == [1]
    constant = fit_classes(table.assign(e=True), classes=2, seed=0)
    plain = fit_classes(table, classes=2, seed=0)
    assert constant.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-6)
    assert constant.parameters == plain.parameters
    assert constant.residuals.set_index("second").loc["e", "residual"].isna().all()
    equal = fit_classes(table.assign(**dict.fromkeys(table, "x")), classes=1, seed=0)
    assert equal.log_likelihood == 0 and equal.parameters == 0


def test_equal_classes_are_numbered_by_their_first_probability():
    yes = pd.DataFrame(list(itertools.repeat([True] * 5, 50)) + [[False] * 5] * 50, columns=list("abcde"))
    model = fit_classes(yes, classes=2, seed=0)
    assert model.sizes.tolist() == [0.5, 0.5] and model.probabilities.loc[("a", "False")].tolist() == [1, 0]
    assert model.entropy_r2 == pytest.approx(1) and model.log_likelihood == pytest.approx(100 * np.log(0.5))


@pytest.mark.slow
def test_the_bootstrap_tells_one_class_from_two():
    table, _ = answers(150, missing=0.1)
    found = compare_classes(table, classes=1, seed=0, replicates=19, starts=3)
    ends = [fit_classes(table, classes=number, seed=5).log_likelihood for number in (1, 2)]
    assert found.statistic == pytest.approx(2 * (ends[1] - ends[0]), abs=1e-4)
    assert (found.p, found.classes, found.replicates) == (1 / 20, 1, 19)
    assert found == compare_classes(table.sample(frac=1, random_state=1), classes=1, seed=0, replicates=19, starts=3)
    assert compare_classes(table, classes=2, seed=0, replicates=19, starts=3).p > 0.05


def test_samples_have_the_model_s_distribution_and_the_customers_missing_answers():
    table, _ = answers(20_000, missing=0.2)
    levels = latent_em.levels_of(table)
    data, _ = latent_em.patterns_of(table, levels)
    best, _ = latent_em.fitted(data, 2, np.random.default_rng(0), 3)
    sample = latent_em.sampled(best.at, data, np.random.default_rng(1))
    assert sample.customers == data.customers
    assert np.allclose(data.by_item(data.hot.T @ data.weights), sample.by_item(sample.hot.T @ sample.weights))
    again, _ = latent_em.fitted(sample, 2, np.random.default_rng(0), 3)
    order = [np.argsort(run.at.sizes) for run in (best, again)]
    first, second = (run.at.probabilities[:, own] for run, own in zip((best, again), order, strict=True))
    assert np.abs(first - second).max() < 0.03


@pytest.mark.thorough
def test_the_bootstrap_has_no_more_false_alarms_than_promised():
    rejected = []
    for seed in range(40):
        yes = pd.DataFrame(np.random.default_rng(seed).random((80, 4)) < [0.5, 0.4, 0.6, 0.3], columns=list("abcd"))
        rejected.append(compare_classes(yes, classes=1, seed=seed, replicates=19, starts=4).p <= 0.05)
    assert np.mean(rejected) <= by_chance(0.05, 40)[1]


def test_the_figure_shows_classes_and_says_them():
    table, _ = answers(300)
    picture = drawn(fit_classes(table.assign(d=table["d"] == "q"), classes=2, seed=0))
    axis = picture.figure.axes[0]
    labels = [tick.get_text() for tick in axis.get_yticklabels()]
    assert labels == ["a: x", "a: y", "b: low", "b: middle", "b: high", "c: n", "c: e", "c: s", "c: w", "d"]
    assert picture.alt.startswith("Heat map of the probability of 10 answers by class (2). Class 1, ")
    assert len(picture.png()) > 1_000
