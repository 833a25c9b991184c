"""Hidden Markov models: published fits of the earthquake counts, all paths by trial, planted panels, closed forms."""

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.monitoring import hidden
from customerlab.analysis.monitoring.hidden import Hidden, choose_states, fit_hidden
from customerlab.analysis.monitoring.hidden_em import Parameters, emissions_of, forward, run_em, sequences, step

# Numbers of major earthquakes (magnitude 7 and above) in the world, 1900 to 2006: Zucchini and MacDonald (2009),
# Hidden Markov Models for Time Series, table 1.1
EARTHQUAKES = np.array([
    13, 14, 8, 10, 16, 26, 32, 27, 18, 32, 36, 24, 22, 23, 22, 18, 25, 21, 21, 14, 8, 11, 14, 23, 18, 17, 19, 20, 22,
    19, 13, 26, 13, 14, 22, 24, 21, 22, 26, 21, 23, 24, 27, 41, 31, 27, 35, 26, 28, 36, 39, 21, 17, 22, 17, 19, 15, 34,
    10, 15, 22, 18, 15, 20, 15, 22, 19, 16, 30, 27, 29, 23, 20, 16, 21, 21, 25, 16, 18, 15, 18, 14, 10, 15, 8, 15, 6,
    11, 8, 7, 18, 16, 13, 12, 13, 20, 15, 16, 12, 18, 15, 16, 13, 15, 16, 11, 11,
])[None]  # fmt: skip

SMALL = Parameters(
    np.array([0.2, 1.0, 3.5]),
    np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.0, 0.25, 0.75]]),
    np.array([0.5, 0.3, 0.2]),
)
SHORT = np.array([[0, 2, 1, 5], [np.nan, 0, 0, 3], [np.nan, np.nan, np.nan, 1], [4, 0, 0, 0], [np.nan, 0, 0, 3]])


def model_of(parameters):
    return Hidden(*parameters, 0.0, 1, 1, 1, True)


def every_path(counts, at):
    """All paths of states of one customer, and the probability of each together with the counts."""
    known = counts[~np.isnan(counts)]
    paths = list(product(range(len(at.rates)), repeat=len(known)))
    chance = [
        at.initial[path[0]]
        * np.prod([at.transition[a, b] for a, b in pairwise(path)])
        * np.prod(stats.poisson.pmf(known, at.rates[list(path)]))
        for path in paths
    ]
    return np.array(paths), np.array(chance), known


def simulated(customers, months, at, seed, late=False):
    rng = np.random.default_rng(seed)
    state, counts = rng.choice(len(at.rates), customers, p=at.initial), np.empty((customers, months))
    for month in range(months):
        counts[:, month] = rng.poisson(at.rates[state])
        state = (rng.random((customers, 1)) > at.transition.cumsum(axis=1)[state][:, :-1]).sum(axis=1)
    if late:  # a customer's history is the same process from a later month on
        width = rng.integers(1, months + 1, customers)[:, None]
        counts = np.array(
            [np.r_[np.full(months - n, np.nan), row[:n]] for row, n in zip(counts, width[:, 0], strict=True)]
        )
    return counts


def same(one, other, **tolerance):
    for part in ("rates", "transition", "initial"):
        np.testing.assert_allclose(getattr(one, part), getattr(other, part), **tolerance)


# Published fits: Zucchini and MacDonald (2009), tables 4.1 and 4.2, EM with a free initial distribution


@pytest.mark.slow
def test_two_states_of_the_earthquakes_are_the_published_ones():
    found = fit_hidden(EARTHQUAKES, states=2, seed=0)
    assert found.converged and found.log_likelihood == pytest.approx(-341.87870, abs=5e-6)
    assert found.rates.round(3).tolist() == [15.421, 26.018] and found.initial.round(5).tolist() == [1, 0]
    assert found.transition[0, 1] == pytest.approx(0.071626, abs=1e-6)
    assert found.transition[1, 0] == pytest.approx(0.11903, abs=6e-6)


@pytest.mark.slow
def test_three_states_of_the_earthquakes_are_the_published_ones():
    found = fit_hidden(EARTHQUAKES, states=3, seed=0)
    assert found.converged and found.log_likelihood == pytest.approx(-328.52748, abs=6e-6)
    assert found.rates.round(3).tolist() == [13.134, 19.713, 29.710] and found.initial.round(5).tolist() == [1, 0, 0]
    published = [[0.9393, 0.0321, 0.0286], [0.0404, 0.9064, 0.0532], [0, 0.1903, 0.8097]]
    np.testing.assert_allclose(found.transition, published, atol=6e-5)
    # the number of parameters is that of a free initial distribution: 3 + 6 + 2
    assert found.parameters == 11 and found.months == 107
    assert found.bic == pytest.approx(2 * 328.52748 + 11 * np.log(107), abs=1e-4)


def rounded(row):
    """A row of table 4.1 with the digits that are printed there."""
    return [round(float(value), digits) for value, digits in zip(row, (6, 5, 3, 3, 5, 5), strict=True)]


def test_the_first_steps_of_em_are_the_published_ones():
    at = Parameters(np.array([10.0, 30.0]), np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0.5, 0.5]))
    data, rows = sequences(EARTHQUAKES)[0], []
    for _ in range(3):
        value, following = step(at, data)
        rows.append([at.transition[0, 1], at.transition[1, 0], *at.rates, at.initial[0], -value])
        at = following
    # of the first iteration the logarithm of the likelihood alone: the rest of its row is where EM begins
    assert rows[0][-1] == pytest.approx(413.27542, abs=5e-6)
    assert rounded(rows[1]) == [0.138816, 0.11622, 13.742, 24.169, 0.99963, 343.76023]
    assert rounded(rows[2]) == [0.115510, 0.10079, 14.090, 24.061, 1.0, 343.13618]


@pytest.mark.slow
def test_criteria_of_the_earthquakes():
    choice = choose_states(EARTHQUAKES, most=3, seed=0)
    poisson = stats.poisson.logpmf(EARTHQUAKES, EARTHQUAKES.mean()).sum()
    assert choice.table["states"].tolist() == [1, 2, 3] and choice.table["parameters"].tolist() == [1, 5, 11]
    np.testing.assert_allclose(choice.table["log_likelihood"], [poisson, -341.87870, -328.52748], atol=6e-6)
    expected = [np.log(107) - 2 * poisson, 5 * np.log(107) + 2 * 341.87870, 11 * np.log(107) + 2 * 328.52748]
    np.testing.assert_allclose(choice.table["bic"], expected, atol=2e-5)
    # with the parameters of a free initial distribution, which a stationary chain does not have, two states suffice
    assert len(choice.model.rates) == int(np.argmin(expected)) + 1 == 2 and choice.note == ""


# All paths by trial


def test_the_recursion_is_the_sum_over_all_paths():
    data, places = sequences(SHORT)
    filtered, _, log_likelihood = forward(SMALL, data, emissions_of(SMALL.rates, data.values))
    for place, counts in zip(places, SHORT, strict=True):
        paths, chance, _ = every_path(counts, SMALL)
        assert log_likelihood[place] == pytest.approx(np.log(chance.sum()), abs=1e-12)
        last = [chance[paths[:, -1] == state].sum() / chance.sum() for state in range(3)]
        np.testing.assert_allclose(filtered[-1, :, place], last, atol=1e-12)


def test_a_step_of_em_has_the_posteriors_of_all_paths():
    months, orders, first, moved, total = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros((3, 3)), 0.0
    for row in SHORT:
        paths, chance, known = every_path(row, SMALL)
        total += np.log(chance.sum())
        for path, weight in zip(paths, chance / chance.sum(), strict=True):
            np.add.at(months, path, weight)
            np.add.at(orders, path, weight * known)
            np.add.at(moved, (path[:-1], path[1:]), weight)
            first[path[0]] += weight
    value, found = step(SMALL, sequences(SHORT)[0])
    assert value == pytest.approx(total, abs=1e-12)
    expected = Parameters(orders / months, moved / moved.sum(axis=1, keepdims=True), first / len(SHORT))
    same(found, expected, atol=1e-12)


def test_states_at_the_end_are_the_most_probable_ones():
    model, table = model_of(SMALL), pd.DataFrame(SHORT, index=list("edcba"))
    at_end = model.at_end(table)
    assert at_end.index.tolist() == list("edcba")
    for row, counts in enumerate(SHORT):
        paths, chance, _ = every_path(counts, SMALL)
        last = np.array([chance[paths[:, -1] == state].sum() for state in range(3)]) / chance.sum()
        assert at_end["state"].iloc[row] == last.argmax() + 1
        assert at_end["probability"].iloc[row] == pytest.approx(last.max(), abs=1e-12)


# Invariants and closed forms


def test_the_likelihood_never_falls():
    data, at, values = (
        sequences(simulated(150, 10, SMALL, 4, late=True))[0],
        SMALL._replace(rates=np.array([0.5, 1, 2])),
        [],
    )
    for _ in range(40):
        value, at = step(at, data)
        values.append(value)
    assert (np.diff(values) >= -1e-9).all() and values[-1] > values[0] + 1


@pytest.mark.slow
def test_extrapolation_ends_where_em_alone_does_and_sooner():
    data, at = sequences(simulated(120, 10, SMALL, 4, late=True))[0], SMALL._replace(rates=np.array([0.1, 1, 4]))
    found, value, steps, converged = run_em(at, data, 400)
    alone = at
    for _ in range(600):
        before, alone = step(alone, data)
    assert converged and value == pytest.approx(before, abs=1e-5) and value == step(found, data)[0]
    np.testing.assert_allclose(found.rates, alone.rates, rtol=1e-3)
    slower = at
    for _ in range(steps):
        behind, slower = step(slower, data)
    assert behind < value - 1e-6


def test_the_order_of_rows_changes_no_digit_and_repeated_rows_count():
    counts = simulated(80, 8, SMALL, 6, late=True)
    first = fit_hidden(counts, states=2, seed=3, starts=2)
    mixed = fit_hidden(counts[np.random.default_rng(1).permutation(80)], states=2, seed=3, starts=2)
    assert all(np.array_equal(getattr(first, part), getattr(mixed, part)) for part in vars(first))
    twice = fit_hidden(np.repeat(counts, 2, axis=0), states=2, seed=3, starts=2)
    same(twice, first, rtol=1e-8)
    assert twice.customers == 160 and twice.log_likelihood == pytest.approx(2 * first.log_likelihood, rel=1e-12)


def test_one_state_is_the_poisson_distribution():
    counts = simulated(60, 6, SMALL, 7, late=True)
    found, known = fit_hidden(counts, states=1, seed=0), counts[~np.isnan(counts)]
    assert found.rates[0] == pytest.approx(known.mean(), rel=1e-12) and found.parameters == 1
    assert found.log_likelihood == pytest.approx(stats.poisson.logpmf(known, known.mean()).sum(), rel=1e-12)


@pytest.mark.slow
def test_a_planted_panel_is_recovered():
    at = Parameters(
        np.array([0.05, 1.0, 5.0]), np.array([[0.9, 0.08, 0.02], [0.2, 0.7, 0.1], [0.05, 0.15, 0.8]]), SMALL.initial
    )
    found = fit_hidden(simulated(2_000, 12, at, 11, late=True), states=3, seed=0)
    assert found.converged
    np.testing.assert_allclose(found.rates, at.rates, rtol=0.1)
    np.testing.assert_allclose(found.transition, at.transition, atol=0.03)
    np.testing.assert_allclose(found.initial, at.initial, atol=0.05)


def test_a_state_without_orders_has_the_rate_zero():
    # a customer is inactive for good, or orders about four times a month
    rng = np.random.default_rng(9)
    counts = np.where(np.arange(300)[:, None] < 180, 0, rng.poisson(4.0, (300, 8)))
    found = fit_hidden(counts, states=2, seed=0)
    assert found.converged and found.rates[0] < 1e-6
    assert found.rates[1] == pytest.approx(counts[180:].mean(), rel=1e-6)
    assert found.initial[0] == pytest.approx(0.6, abs=1e-6) and found.transition[0, 0] > 1 - 1e-6
    at_end = found.at_end(counts)
    assert (at_end["state"] == np.where(np.arange(300) < 180, 1, 2)).all() and at_end["probability"].min() > 0.99


def test_a_month_with_very_many_orders_has_a_likelihood():
    counts = np.zeros((30, 6))
    counts[:, :3], counts[0, 5] = 1, 900
    found = fit_hidden(counts, states=2, seed=0)
    assert np.isfinite(found.log_likelihood) and found.rates[1] == pytest.approx(900) and found.converged
    assert found.at_end(counts)["state"].tolist() == [2] + [1] * 29


def test_large_panels_start_on_a_sample(monkeypatch):
    counts = simulated(400, 10, SMALL, 13)
    whole = fit_hidden(counts, states=2, seed=0, starts=2)
    monkeypatch.setattr(hidden, "SAMPLE", 100)
    sampled = fit_hidden(counts, states=2, seed=0, starts=2)
    assert sampled.customers == 400 and sampled.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-4)


# Too little, or not what is expected


def test_a_panel_without_an_order_has_one_state():
    choice = choose_states(np.zeros((10, 6)), seed=0)
    assert choice.table["states"].tolist() == [1] and choice.note == ""
    assert choice.model.rates.tolist() == [0] and choice.model.log_likelihood == 0
    assert choice.model.at_end(np.zeros((2, 6))).values.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match="all counts are the same"):
        fit_hidden(np.zeros((10, 6)), states=2, seed=0)


def test_too_few_months_are_too_few_to_tell():
    few = np.array([[0, 1, 2, 0]] * 4)
    with pytest.raises(ValueError, match=r"too few to tell \(16 customer-months\); expected 20 for each"):
        fit_hidden(few, states=1, seed=0)
    choice = choose_states(few, seed=0)
    assert choice.model is None and choice.table.empty and choice.note == "too few to tell (16 customer-months)"
    assert choose_states(np.tile(few, (3, 1)), seed=0).table["states"].tolist() == [1, 2], "48 months"


def test_customers_of_a_single_month_have_a_mixture_of_rates():
    rng = np.random.default_rng(3)
    counts = np.column_stack([np.full(400, np.nan), rng.poisson(np.where(rng.random(400) < 0.5, 0.5, 8.0))])
    found = fit_hidden(counts, states=2, seed=0)
    mixture = found.initial @ stats.poisson.pmf(counts[:, 1], found.rates[:, None])
    assert found.log_likelihood == pytest.approx(np.log(mixture).sum(), rel=1e-12)
    np.testing.assert_allclose(found.rates, [0.5, 8.0], rtol=0.15)


def test_a_fit_that_did_not_converge_is_named(monkeypatch):
    monkeypatch.setattr(hidden, "SHORT", 1)
    monkeypatch.setattr(hidden, "LONG", 2)
    choice = choose_states(simulated(60, 8, SMALL, 2), most=2, seed=0)
    assert choice.table["converged"].tolist() == [True, False]
    assert choice.note == "The fit with 2 states did not converge in 2 steps."


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (np.array([[0.5, 1]]), "not whole"), (np.array([[-1, 1]]), "negative"), (np.array([[np.inf, 1]]), "not whole"),
        (np.array([[1, np.nan]]), "missing count"), (np.array([[0, np.nan, 1]]), "missing count"),
        (np.array([[np.nan, np.nan]]), "no month"), (np.zeros((0, 3)), "at least one customer"), (np.zeros(4), "at least one"),
    ],
)  # fmt: skip
def test_counts_that_are_no_counts_are_refused(counts, said):
    with pytest.raises(ValueError, match=said):
        choose_states(counts, seed=0)


def test_numbers_that_make_no_sense_are_refused():
    counts = np.tile([0, 1], (40, 1))
    for wrong in ({"states": 0}, {"states": 1, "starts": 0}):
        with pytest.raises(ValueError, match="at least one of each"):
            fit_hidden(counts, seed=0, **wrong)
    with pytest.raises(ValueError, match="at least 1"):
        choose_states(counts, most=0, seed=0)
