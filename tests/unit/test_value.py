"""Models of repeat orders: likelihoods by integration, gradients by differences, published fits, and planted truths."""

import math
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy.integrate import quad
from scipy.special import betaln, gammaln, hyp2f1, hyperu

from customerlab.analysis.value import expected
from customerlab.analysis.value.fitting import collapse, fit
from customerlab.analysis.value.history import summary
from customerlab.analysis.value.likelihood import bg_bb, bg_nbd, gamma_gamma, mbg_nbd, nbd, pareto_nbd
from helpers import log

X, T_X, AGE = np.array([0.0, 1, 3, 10, 250]), np.array([0.0, 5, 20, 38.5, 39]), np.array([39.0, 39, 30, 39, 39.1])
SETS = [
    (nbd, (0.4, 5.0)), (bg_nbd, (0.243, 4.414, 0.793, 2.426)), (bg_nbd, (2.0, 0.3, 1.0, 0.2)), (mbg_nbd, (0.5, 6.2, 0.9, 1.6)),
    (pareto_nbd, (0.553, 10.58, 0.606, 11.67)), (pareto_nbd, (0.6, 100.0, 0.1, 0.7)), (pareto_nbd, (2.0, 0.6, 1.0, 60.0)),
]  # fmt: skip
CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
LEAVING = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}


def at(model, rows, parameters):
    return model(*rows, *(np.array([value]) for value in parameters))


@pytest.mark.parametrize(("model", "parameters"), SETS)
def test_gradients_are_those_of_small_steps(model, parameters):
    steps = np.exp(1e-6 * np.eye(len(parameters)))
    rows = (X, T_X, AGE)
    slopes = [(at(model, rows, parameters * step)[0] - at(model, rows, parameters / step)[0]) / 2e-6 for step in steps]
    assert at(model, rows, parameters)[1] == pytest.approx(np.stack(slopes, axis=-1), rel=1e-6, abs=1e-6)


def test_gradients_of_the_other_models():
    for model, rows, parameters in (
        (bg_bb, (np.array([0.0, 1, 3, 6]), np.array([0.0, 2, 5, 6]), np.full(4, 6.0)), (1.2, 0.75, 0.66, 2.8)),
        (gamma_gamma, (np.array([1.0, 4]), np.array([20.0, 35])), (6.25, 3.74, 15.44)),
    ):
        steps = np.exp(1e-6 * np.eye(len(parameters)))
        slopes = [
            (at(model, rows, parameters * step)[0] - at(model, rows, parameters / step)[0]) / 2e-6 for step in steps
        ]
        assert at(model, rows, parameters)[1] == pytest.approx(np.stack(slopes, axis=-1), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("row", [(0, 0.0, 9.0), (1, 4.0, 9.0), (4, 8.5, 9.0), (3, 9.0, 9.0)])
@pytest.mark.parametrize("b", [0.4, 1.0, 2.5])
def test_the_geometric_likelihoods_are_averages_over_chances_to_leave(row, b):
    x, t_x, age = row
    r, alpha, a = 0.8, 3.0, 0.9

    def at_rates(t):
        """The mean of ``rate ** x * exp(-rate * t)`` over gamma distributed rates."""
        return np.exp(gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + t))

    def average(of):
        # p = u ** (1 / a), in which the density of a beta distribution has no pole at zero
        density = lambda u: of(u ** (1 / a)) * (1 - u ** (1 / a)) ** (b - 1)  # noqa: E731
        pieces = [quad(density, low, high, epsabs=0, epsrel=1e-11, limit=200)[0] for low, high in ((0, 0.5), (0.5, 1))]
        return sum(pieces) * np.exp(-betaln(a, b)) / a

    def of_bg(p):
        return (1 - p) ** x * at_rates(age) + (p * (1 - p) ** (x - 1) * at_rates(t_x) if x else 0.0)

    def of_mbg(p):
        return (1 - p) ** x * ((1 - p) * at_rates(age) + p * at_rates(t_x))

    for model, of in ((bg_nbd, of_bg), (mbg_nbd, of_mbg)):
        found = at(model, tuple(np.array([value], float) for value in row), (r, alpha, a, b))[0][0]
        assert found == pytest.approx(np.log(average(of)), abs=1e-8)


@given(
    x=st.integers(0, 60), share=st.floats(0, 1), age=st.floats(0.5, 300), r=st.floats(0.02, 20), alpha=st.floats(0.02, 200),
    s=st.floats(0.02, 20), beta=st.floats(0.02, 200),
)  # fmt: skip
def test_the_time_of_leaving_is_integrated_out(x, share, age, r, alpha, s, beta):
    t_x = share * age if x else 0.0
    rows = tuple(np.array([value], float) for value in (x, t_x, age))
    log_f = lambda t: -(r + x) * np.log(alpha + t) - (s + 1) * np.log(beta + t)  # noqa: E731
    # in the logarithm of time, and by pieces: what quad would take for zero is never far from where it begins
    cuts = t_x + (age - t_x) * np.concatenate([[0.0], np.logspace(-6, 0, 25)])
    integral = sum(
        quad(lambda t: np.exp(log_f(t) - log_f(t_x)), low, high, epsabs=0, epsrel=1e-12)[0]
        for low, high in pairwise(cuts)
    )
    alive = np.exp(-(r + x) * np.log(alpha + age) - s * np.log(beta + age) - log_f(t_x))
    of_rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    by_hand = of_rate + log_f(t_x) + np.log(alive + s * integral)
    assert at(pareto_nbd, rows, (r, alpha, s, beta))[0][0] == pytest.approx(by_hand, rel=1e-8, abs=1e-8)


@given(st.sampled_from(SETS), st.floats(0.1, 10))
def test_the_unit_of_time_changes_nothing_but_the_unit(model_and_parameters, factor):
    model, parameters = model_and_parameters
    scaled = [value * factor if (place % 2 and model is not bg_nbd and model is not mbg_nbd) or place == 1 else value
              for place, value in enumerate(parameters)]  # fmt: skip
    plain, other = (at(model, (X, T_X * by, AGE * by), given_)[0] for by, given_ in ((1, parameters), (factor, scaled)))
    assert other + X * np.log(factor) == pytest.approx(plain, abs=1e-8)


# Fader, Hardie and Shang (2010), table 1: 11,104 donors of 1995 over the six years after; x, t_x, donors
DONORS = [
    (0, 0, 3464), (1, 1, 1091), (1, 2, 277), (1, 3, 129), (1, 4, 78), (1, 5, 119), (1, 6, 129), (2, 2, 613), (2, 3, 255),
    (2, 4, 155), (2, 5, 173), (2, 6, 234), (3, 3, 322), (3, 4, 181), (3, 5, 225), (3, 6, 357), (4, 4, 240), (4, 5, 284),
    (4, 6, 512), (5, 5, 335), (5, 6, 728), (6, 6, 1203),
]  # fmt: skip


def test_the_donors_of_fader_hardie_and_shang():
    table = pd.DataFrame(DONORS, columns=["x", "t_x", "customers"]).assign(n=6)
    found = fit(bg_bb, table)
    assert found.converged and found.customers == 11_104
    assert found.estimates["estimate"].round(3).tolist() == [1.204, 0.750, 0.657, 2.783]  # table 2
    assert round(found.log_likelihood, 1) == -33225.6
    rows = (np.array([0.0, 6.0]), np.array([0.0, 6.0]), np.array([6.0, 6.0]))
    ahead = expected.orders(bg_bb, found.parameters, rows, 5)
    assert ahead.round(2).tolist() == [0.07, 3.75]  # table 6, of 2002 to 2006


@cache
def rising(a, k):
    return rising(a, k - 1) * (a + k - 1) if k else Fraction(1)


def exact_bg_bb(x, t_x, n, alpha, beta, gamma, delta):
    """Formula 5 of Fader, Hardie and Shang (2010) as a fraction: ratios of beta functions are products."""

    def there(end, left):
        used = rising(alpha, x) * rising(beta, end - x) / rising(alpha + beta, end)
        return used * rising(gamma, left) * rising(delta, end) / rising(gamma + delta, end + left)

    return there(n, 0) + sum(there(end, 1) for end in range(t_x, n))


FAR_APART = [(1.2, 0.75, 0.66, 2.8), (6e-6, 1.6e5, 1.6e5, 6e-6), (0.8, 11.0, 90.0, 1.6e5), (300.0, 0.004, 0.02, 0.5)]
HISTORIES = [
    (0, 0, 0),
    (0, 0, 1),
    (0, 0, 26),
    (1, 1, 1),
    (1, 1, 26),
    (1, 25, 26),
    (5, 9, 26),
    (11, 14, 20),
    (20, 20, 20),
]


@pytest.mark.parametrize("parameters", FAR_APART)
def test_bg_bb_is_the_exact_sum_however_far_its_parameters_are_apart(parameters):
    exact = [exact_bg_bb(*history, *map(Fraction, parameters)) for history in HISTORIES]
    wanted = [math.log(one.numerator) - math.log(one.denominator) for one in exact]
    rows = tuple(np.array(HISTORIES, float).T)
    assert at(bg_bb, rows, parameters)[0] == pytest.approx(wanted, rel=1e-10, abs=1e-11)
    steps = np.exp(1e-5 * np.eye(4))
    slopes = [(at(bg_bb, rows, parameters * step)[0] - at(bg_bb, rows, parameters / step)[0]) / 2e-5 for step in steps]
    assert at(bg_bb, rows, parameters)[1] == pytest.approx(np.stack(slopes, axis=-1), rel=1e-6, abs=1e-6)
    active = [
        exact_bg_bb(x, n, n, *map(Fraction, parameters)) / one for (x, _, n), one in zip(HISTORIES, exact, strict=True)
    ]
    found = expected.active(bg_bb, dict(zip("abcd", parameters, strict=True)), rows)
    assert found == pytest.approx([float(one) for one in active], rel=1e-9) and found.max() == 1.0


def test_bg_bb_of_many_parameters_is_that_of_each():
    rows = tuple(np.array(HISTORIES, float).T)
    first, second = (at(bg_bb, rows, parameters) for parameters in (FAR_APART[0], FAR_APART[2]))
    vectors = [np.array([pair]) for pair in zip(FAR_APART[0], FAR_APART[2], strict=True)]
    value, gradient = bg_bb(*(own[:, None] for own in rows), *vectors)
    for place, alone in enumerate((first, second)):
        assert value[:, place].tolist() == alone[0].tolist() and gradient[:, place].tolist() == alone[1].tolist()
    by_row = bg_bb(*rows, *(np.full(len(HISTORIES), own) for own in FAR_APART[0]))
    assert by_row[0].tolist() == first[0].tolist() and by_row[1].tolist() == first[1].tolist()
    one = tuple(own[4:5] for own in rows)
    assert bg_bb(*one, *(np.full(3, own) for own in FAR_APART[0]))[0] == pytest.approx([first[0][4]] * 3, rel=1e-14)
    assert [part.shape for part in at(bg_bb, (np.zeros(0),) * 3, FAR_APART[0])] == [(0,), (0, 4)]


def test_closed_forms_away_from_their_poles():
    rows = (X, T_X, AGE)
    r, alpha, a, b = CDNOW.values()
    for t in (1.0, 39.0, 400.0):
        z = t / (alpha + AGE + t)
        shrunk = ((alpha + AGE) / (alpha + AGE + t)) ** (r + X)
        closed = (a + b + X - 1) / (a - 1) * (1 - shrunk * hyp2f1(r + X, b + X, a + b + X - 1, z))
        closed = closed * expected.active(bg_nbd, CDNOW, rows)
        assert expected.orders(bg_nbd, CDNOW, rows, t)[:4] == pytest.approx(closed[:4], rel=1e-9)
        r_, alpha_, s, beta = LEAVING.values()
        stayed = ((beta + AGE) / (beta + AGE + t)) ** (s - 1)
        closed = (r_ + X) * (beta + AGE) / ((alpha_ + AGE) * (s - 1)) * (1 - stayed)
        closed = closed * expected.active(pareto_nbd, LEAVING, rows)
        assert expected.orders(pareto_nbd, LEAVING, rows, t) == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize("model", [bg_nbd, mbg_nbd, pareto_nbd])
def test_nothing_happens_at_the_poles(model):
    names = ("r", "alpha", "s", "beta") if model is pareto_nbd else ("r", "alpha", "a", "b")
    rows = (X, T_X, AGE)
    near, there = (
        expected.orders(model, dict(zip(names, (0.5, 6.0, one, 2.0), strict=True)), rows, 39.0)
        for one in (1 + 1e-7, 1.0)
    )
    assert np.isfinite(there).all() and there == pytest.approx(near, rel=1e-6)


def test_discounted_orders_are_those_of_the_closed_form():
    r, alpha, s, beta = LEAVING.values()
    rate = np.log(1.15) / 52
    rows = (X, T_X, AGE)
    log_likelihood = at(pareto_nbd, rows, tuple(LEAVING.values()))[0]
    closed = np.exp(
        r * np.log(alpha) + s * np.log(beta) + (s - 1) * np.log(rate) + gammaln(r + X + 1) - gammaln(r)
        - (r + X + 1) * np.log(alpha + AGE) - log_likelihood
    ) * hyperu(s, s, rate * (beta + AGE))  # fmt: skip
    assert expected.orders(pareto_nbd, LEAVING, rows, np.inf, rate) == pytest.approx(closed, rel=1e-8)


def test_a_new_customer_is_the_mean_of_all():
    rng = np.random.default_rng(4)
    r, alpha, a, b = CDNOW.values()
    n = 200_000
    rate, p = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    orders = np.zeros(n)
    clock, here = rng.exponential(1 / rate), np.full(n, True)
    while (here := here & (clock < 39)).any():
        orders += here
        here &= rng.random(n) > p
        clock = clock + rng.exponential(1 / rate)
    nothing = np.zeros(1)
    mean = expected.orders(bg_nbd, CDNOW, (nothing, nothing, nothing), 39.0)[0]
    assert mean == pytest.approx(orders.mean(), abs=4 * orders.std() / np.sqrt(n))


def test_the_value_of_an_order_lies_between_that_of_all_and_the_customers_own():
    found = {"p": 6.25, "q": 3.74, "v": 15.44}  # CDNOW, of Fader and Hardie (2013), note 025
    of_all = expected.order_value(found, np.array([0.0]), np.array([np.nan]))[0]
    assert of_all == pytest.approx(6.25 * 15.44 / 2.74)
    of_one = expected.order_value(found, np.array([1.0, 50.0]), np.array([100.0, 100.0]))
    assert of_all < of_one[0] < of_one[1] < 100


def test_summaries_count_periods_and_leave_out_what_came_back():
    sold = [
        ("a", "1", "2024-01-01", "x", 1, 5.0), ("a", "2", "2024-01-11", "y", 1, 7.0), ("a", "3", "2024-01-12", "z", 2, 1.0),
        ("a", "4", "2024-02-01", "x", 1, 99.0), ("b", "5", "2024-01-31", "x", 1, 9.0),
    ]  # fmt: skip
    day = pd.Timestamp("2024-02-01")
    found = summary(log(sold), day, "day")
    assert found[["customer_id", "x", "t_x", "T"]].values.tolist() == [["a", 2, 11, 30], ["b", 0, 0, 0]]
    assert found["mean"].tolist()[0] == 4.5 and np.isnan(found["mean"].tolist()[1])
    back = summary(log(sold), day, "day", log([("a", "C", "2024-01-20", "y", -1, 7.0)]))
    assert back.iloc[0].tolist() == ["a", 1, 11, 30, 2.0, 7.0]
    months = summary(log(sold), pd.Timestamp("2024-03-01"), "month")
    assert months[["customer_id", "x", "t_x", "T"]].values.tolist() == [["a", 1, 1, 1], ["b", 0, 0, 1]]
    with pytest.raises(ValueError, match="expected one of: day, week, month"):
        summary(log(sold), day, "hour")


def test_equal_rows_count_as_often_as_they_are_there_in_any_order():
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"x": rng.integers(0, 4, 500), "t_x": 3, "T": 9})
    table.loc[table["x"] == 0, "t_x"] = 0
    one, other = fit(bg_nbd, table), fit(bg_nbd, collapse(table.sample(frac=1, random_state=1), ["x", "t_x", "T"]))
    assert one.estimates.equals(other.estimates) and one.customers == other.customers == 500


@pytest.mark.parametrize("model", [bg_nbd, mbg_nbd, pareto_nbd])
def test_what_the_log_does_not_identify_does_not_depend_on_the_way_of_the_search(model):
    rng = np.random.default_rng(2)
    T = rng.integers(5, 60, 3_000).astype(float)
    x = rng.poisson(rng.gamma(0.9, 1 / 13, len(T)) * T)
    t_x = np.where(x > 0, np.ceil(T * rng.random(len(T)) ** (1 / np.maximum(x, 1))), 0.0)  # nobody leaves
    known = pd.DataFrame({"x": x, "t_x": t_x, "T": T})
    one = fit(model, known)
    assert one.at_bounds
    for shift in (0.3, 1.5):
        other = fit(model, known, begin={name: value * np.exp(-shift) for name, value in one.parameters.items()})
        assert other.at_bounds == one.at_bounds and other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
        columns = ["estimate", "se", "low", "high"]
        np.testing.assert_allclose(other.estimates[columns], one.estimates[columns], rtol=1e-5)
