"""Out-of-time validation of purchase models: planted truths, hand computations, second implementations, odd shops."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from pandas.testing import assert_frame_equal
from scipy import stats
from scipy.integrate import quad

from customerlab.analysis.orders import Snapshot, Summary, later
from customerlab.analysis.rfm.choosing import gains
from customerlab.analysis.value import expected
from customerlab.analysis.value.fitting import MODELS
from customerlab.analysis.value.forecast import chance, forecast, money_of_orders
from customerlab.analysis.value.history import summary
from customerlab.analysis.value.likelihood import bg_bb, bg_nbd, mbg_nbd, nbd, pareto_nbd
from customerlab.analysis.value.rivals import (
    BOOSTED,
    ERROR,
    LAST,
    NAIVE,
    OUTCOMES,
    TOP,
    boosted,
    clustered,
    compare,
    errors,
    naive_rate,
    named,
    top_shares,
)
from customerlab.analysis.value.validation import by_decile, by_past, calibrated, covered, decile, validate
from customerlab.analysis.value.verdict import decision, unvalidated
from customerlab.analysis.value.windows import edges_of, follow
from customerlab.figures.value import validation as figures
from customerlab.formats import percent
from helpers import log

BEGIN = pd.Timestamp("2024-01-01")
BG = {"r": 0.9, "alpha": 18.0, "a": 0.8, "b": 4.0}
PARETO = {"r": 0.8, "alpha": 10.0, "s": 0.7, "beta": 12.0}


def shop_of(times: np.ndarray, days: int, seed: int = 0) -> Snapshot:
    """A shop of orders at times since its begin, one row per customer, infinite where there is none."""
    who, which = np.nonzero(times < days)
    rng = np.random.default_rng(seed)
    level = 600 / rng.gamma(3.7, 15.0, len(times))
    price = (level[who] * rng.gamma(6.0, 1.0, len(who))).round(2)
    # whole seconds: a log of microseconds would be rounded
    at = BEGIN + pd.to_timedelta((86_400 * times[who, which]).astype(int), "s")
    rows = [(f"c{c:05d}", f"{c}-{n}", t, "pot", 1, p) for c, n, t, p in zip(who, which, at, price, strict=True)]
    return Snapshot(log(rows), BEGIN + pd.Timedelta(days=days))


def leaving_shop(customers: int, days: int, seed: int) -> Snapshot:
    """Customers who begin at any time, order at rates of their own, and may leave after each repeat order."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(BG["r"], 1 / BG["alpha"], customers), rng.beta(BG["a"], BG["b"], customers)
    waits = rng.exponential(1 / rate[:, None], (customers, 150))
    times = rng.uniform(0, 0.7 * days, customers)[:, None] + np.column_stack(
        [np.zeros(customers), waits.cumsum(axis=1)]
    )
    last = rng.geometric(np.maximum(leave, 1e-6))
    times[np.arange(151) > last[:, None]] = np.inf
    return shop_of(times, days, seed)


@cache
def planted():
    return validate(leaving_shop(2_500, 300, 5), "BG/NBD", horizon=60, unit="day", seed=1)


def rows_of(**columns) -> pd.DataFrame:
    """A table of predictions by a model `m`, with what a test does not name."""
    table = pd.DataFrame(columns)
    filled = {
        "customer_id": table.index.astype(str), "formed_on": BEGIN, "x": 0, "orders": 0, "revenue": 0.0,
        "active": 1.0, "chance": 0.5,
    }  # fmt: skip
    for name, value in filled.items():
        table[name] = table.get(name, value)
    for name in ("orders", "revenue"):
        table[named("m", name)] = table.get(named("m", name), 0.0)
    return table.assign(came_back=table["orders"] > 0)


# the chance to order


def simulated(model, parameters, age, horizon, number, seed):
    """Repeat orders, the time of the last one, and whether there is one in the horizon, of customers by their story."""
    rng = np.random.default_rng(seed)
    r, alpha, *leave = parameters.values()
    rate = rng.gamma(r, 1 / alpha, number)
    times = rng.exponential(1 / rate[:, None], (number, 90)).cumsum(axis=1)
    place = np.arange(1, 91)
    if model is pareto_nbd:
        gone = rng.exponential(1 / rng.gamma(leave[0], 1 / leave[1], number))
        there = times < gone[:, None]
    elif model is nbd:
        there = np.full(times.shape, True)
    else:
        chances = rng.geometric(np.maximum(rng.beta(*leave, number), 1e-9)) - (model is mbg_nbd)
        there = place <= chances[:, None]
    before = there & (times < age)
    x = before.sum(axis=1)
    t_x = np.where(before, times, 0.0).max(axis=1)
    return x, t_x, (there & (times >= age) & (times < age + horizon)).any(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "parameters"), [(bg_nbd, BG), (mbg_nbd, BG), (pareto_nbd, PARETO), (nbd, {"r": 0.9, "alpha": 18.0})]
)
def test_the_chance_to_order_is_the_share_who_do(model, parameters):
    age, horizon, number = 30.0, 20.0, 60_000
    x, t_x, ordered = simulated(model, parameters, age, horizon, number, 3)
    found = chance(model, parameters, (x.astype(float), t_x, np.full(number, age)), horizon)
    groups = np.minimum(x, 3) + 4 * (t_x > 20)
    for group in np.unique(groups):
        one = groups == group
        apart = found[one] - ordered[one]
        # within groups of what the model knows, too: a mean of nothing, but for chance
        assert abs(apart.mean()) < 4 * apart.std() / np.sqrt(one.sum()), group


def test_the_chance_to_order_at_opportunities_is_the_share_who_do():
    parameters = {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.8}
    rng = np.random.default_rng(8)
    number, n, ahead = 60_000, 6, 3
    p, q = rng.beta(1.2, 0.75, number), rng.beta(0.66, 2.8, number)
    stays = rng.geometric(q) - 1
    place = np.arange(1, n + ahead + 1)
    used = (rng.random((number, n + ahead)) < p[:, None]) & (place <= stays[:, None])
    x, t_x = used[:, :n].sum(axis=1), (used[:, :n] * place[:n]).max(axis=1)
    found = chance(bg_bb, parameters, (x.astype(float), t_x.astype(float), np.full(number, float(n))), ahead)
    for group in range(n + 1):
        apart = (found - used[:, n:].any(axis=1))[x == group]
        assert abs(apart.mean()) < 4 * apart.std() / np.sqrt(len(apart)), group


@pytest.mark.parametrize("x", [0.0, 3.0, 400.0])
@pytest.mark.parametrize("values", [(0.8, 10.0, 0.7, 12.0), (0.03, 0.2, 4.0, 1.0), (9.0, 90.0, 0.05, 0.3)])
def test_the_first_order_before_leaving_is_integrated(x, values):
    r, alpha, s, beta = values
    parameters = dict(zip(PARETO, values, strict=True))
    age, horizon = 39.0, 52.0
    # in the logarithm of time by quad, which has to find the scale itself
    k, scale = r + x, alpha + age

    def density(u):
        return k * np.exp(-k * u) * ((beta + age) / (beta + age + scale * np.expm1(u))) ** s

    end = np.log1p(horizon / scale)
    cuts = end * np.concatenate([[0.0], np.logspace(-5, 0, 12)])
    whole = sum(quad(density, one, two, epsabs=0, epsrel=1e-12)[0] for one, two in pairwise(cuts))
    rows = (np.array([x]), np.array([age if x else 0.0]), np.array([age]))
    there = expected.active(pareto_nbd, parameters, rows)
    assert chance(pareto_nbd, parameters, rows, horizon) == pytest.approx(there * whole, rel=1e-10)


@given(
    st.sampled_from([bg_nbd, mbg_nbd, pareto_nbd, nbd]), st.integers(0, 80), st.floats(0, 1), st.floats(0.5, 300), st.floats(0.1, 300),
    st.lists(st.floats(0.02, 50), min_size=4, max_size=4),
)  # fmt: skip
def test_a_chance_is_at_most_that_of_being_active_and_the_expected_orders(model, x, share, age, horizon, values):
    names = ("r", "alpha", "s", "beta") if model is pareto_nbd else ("r", "alpha", "a", "b")
    parameters = dict(list(zip(names, values, strict=True))[: 2 if model is nbd else 4])
    rows = (np.array([float(x)]), np.array([share * age if x else 0.0]), np.array([age]))
    found = chance(model, parameters, rows, horizon)[0]
    assert 0 <= found <= expected.active(model, parameters, rows)[0] + 1e-12
    assert found <= expected.orders(model, parameters, rows, horizon)[0] * (1 + 1e-6)  # Markov's inequality


# windows


def random_log(seed: int):
    rng = np.random.default_rng(seed)
    times = BEGIN + pd.to_timedelta(rng.integers(0, 24 * 120, 260), "h")
    parts = zip(rng.integers(25, size=260), times, rng.integers(3, size=260), rng.integers(1, 9, 260), strict=True)
    sold = [(f"c{who:02d}", f"o{n}", at, f"p{what}", 1, float(price)) for n, (who, at, what, price) in enumerate(parts)]
    waits = pd.to_timedelta(24 * 3_600 * rng.integers(1, 50, 260) + 1, "s")
    back = [
        (who, f"C{order}", at + wait, what, rng.choice([-1.0, -0.5]), price)
        for (who, order, at, what, _, price), wait in zip(sold, waits, strict=True) if rng.random() < 0.3
    ]  # fmt: skip
    return log(sold), log(back)


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "horizon"), [("day", 25), ("week", 4), ("month", 1)])
def test_windows_are_what_the_log_says_one_by_one(unit, horizon):
    sold, back = random_log(4)
    shop = Snapshot(sold, BEGIN + pd.Timedelta(days=121), back)
    edges = edges_of(shop, horizon, unit)
    found = follow(shop, horizon, unit)
    lines = sold.to_pandas(), back.to_pandas()
    everybody = pd.Series(sorted(set(lines[0]["customer_id"])))
    did = [
        later(sold, everybody, begin, end, returns=back).set_index("customer_id").assign(
            orders=[_periods(*lines, who, begin, end, unit) for who in everybody]
        )
        for begin, end in pairwise(edges)
    ]  # fmt: skip
    assert len(found.windows) == len(edges) - 2 >= 2
    for place, window in enumerate(found.windows, start=1):
        then = summary(sold, edges[place], unit, back).drop(columns="revenue")
        assert_frame_equal(window[list(then)], then)
        last, after = (of.loc[then["customer_id"]] for of in did[place - 1 : place + 1])
        assert window["revenue"].to_numpy() == pytest.approx(after["money"].to_numpy())
        assert window["last_revenue"].to_numpy() == pytest.approx(last["money"].to_numpy())
        assert window["orders"].tolist() == after["orders"].tolist()
        assert window["last_orders"].tolist() == last["orders"].tolist()
        assert window["came_back"].tolist() == (window["orders"] > 0).tolist()


def _periods(sold, back, who, begin, end, unit):
    """Periods with kept lines of a customer, line by line: each return annuls the latest open line alike before it."""
    lines, returns = (one[(one["customer_id"] == who) & (one["ordered_at"] < end)] for one in (sold, back))
    lines = lines.sort_values("ordered_at").assign(open=True)
    for row in returns.sort_values("ordered_at").itertuples():
        alike = lines[
            lines["open"]
            & (lines["ordered_at"] < row.ordered_at)
            & (lines["product_id"] == row.product_id)
            & (lines["quantity"] == -row.quantity)
        ]
        if len(alike):
            lines.loc[alike.index[-1], "open"] = False
    days = lines.loc[lines["open"] & (lines["ordered_at"] >= begin), "ordered_at"]
    if unit == "month":
        return days.dt.strftime("%Y-%m").nunique()
    return ((end - days - pd.Timedelta(seconds=1)) // pd.Timedelta(days=7 if unit == "week" else 1)).nunique()


@pytest.mark.thorough
def test_what_is_tracked_adds_up_to_the_histories_and_outcomes():
    sold, back = random_log(6)
    shop = Snapshot(sold, BEGIN + pd.Timedelta(days=121), back)
    found = validate(shop, "NBD", horizon=4, unit="week", seed=1)
    window = follow(shop, 4, "week").windows[-1]
    fitted, table = forecast(nbd, window, 4)
    known = found.tracking[found.tracking["known"]]
    assert known["actual"].sum() == window["x"].sum()
    assert found.tracking["actual"].sum() == window["x"].sum() + window["orders"].sum()
    rate = fitted.parameters["r"] / fitted.parameters["alpha"]
    assert known["expected"].sum() == pytest.approx(rate * window["T"].sum())
    assert found.tracking["expected"].sum() == pytest.approx(rate * (window["T"] + 4).sum())
    assert found.tracking["begins"].iloc[-1] == shop.day - pd.Timedelta(days=7)
    assert (known["begins"].iloc[-1], len(found.tracking) - len(known)) == (
        window["formed_on"].iloc[0] - pd.Timedelta(days=7),
        4,
    )
    assert found.windows["expected_orders"].iloc[-1] == pytest.approx(table["orders"].sum())


# tables by hand


def test_orders_by_what_was_known_are_means():
    rows = rows_of(x=[0, 0, 1, 7, 12], orders=[1, 0, 2, 3, 6], **{"orders by m": [0.2, 0.4, 1.0, 4.0, 5.0]})
    found = by_past(rows, "m")
    assert found[["past", "customers", "came_back", "expected", "actual"]].to_numpy().tolist() == [
        ["0", 2, 1, pytest.approx(0.3), 0.5], ["1", 1, 1, 1.0, 2.0], ["7+", 2, 2, 4.5, 4.5],
    ]  # fmt: skip
    assert found[["low", "high"]].isna().all(axis=None)  # fewer than 20 came back


def test_intervals_are_those_of_a_mean():
    values = np.tile([1.0, 2.0, 4.0], 10)
    found = by_past(rows_of(orders=values.astype(int)), "m").iloc[0]
    by_scipy = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert [found["low"], found["high"]] == pytest.approx(by_scipy)


def test_deciles_are_of_each_window_and_shared_by_equal_predictions():
    day = [BEGIN] * 10 + [BEGIN + pd.Timedelta(days=30)] * 4
    predicted = [*range(10, 0, -1), 100.0, 50.0, 50.0, 10.0]
    rows = rows_of(formed_on=day, orders=[5] + [0] * 9 + [9, 1, 3, 0], **{"orders by m": predicted})
    found = by_decile(rows, "m").query("outcome == 'orders'").set_index("decile")
    assert found.loc[1, ["customers", "expected", "actual"]].tolist() == [1, 10.0, 5.0]
    assert found.loc[2, ["customers", "expected", "actual"]].tolist() == [2, 54.5, 4.5]  # 9 and 100; 0 and 9
    assert found.loc[5, ["customers", "expected", "actual"]].tolist() == [
        3,
        pytest.approx(106 / 3),
        pytest.approx(4 / 3),
    ]
    assert decile(pd.Series([1.0] * 9)).tolist() == [5] * 9


def test_the_calibration_error_is_what_is_written():
    rows = rows_of(orders=[1, 1, 0, 0], chance=[0.9, 0.9, 0.2, 0.2], active=[1.0, 0.5, 0.5, 0.5])
    found = calibrated(rows)
    chances = found[found["by"] == "chance to order"]
    assert chances[["customers", "expected", "actual"]].to_numpy().tolist() == [[2, 0.9, 1.0], [2, 0.2, 0.0]]
    by_active = found[found["by"] == "probability active"]
    assert by_active[["customers", "active", "actual"]].to_numpy().tolist() == [
        [1, 1.0, 1.0], [3, 0.5, pytest.approx(1 / 3)]
    ]  # fmt: skip


def test_coverage_counts_both_sides():
    rows = rows_of(orders=[0, 1, 5, 9]).assign(orders_low=[0, 2, 0, 0], orders_high=[0, 3, 9, 7])
    found = covered(rows)
    assert found["formed_on"].isna().tolist() == [False, True]
    assert (
        found[["customers", "covered", "below", "above", "width"]].to_numpy().tolist()
        == [[4, 0.5, 0.25, 0.25, 4.25]] * 2
    )


# comparisons


def test_the_share_of_the_top_is_that_of_the_gains_curve_in_each_sample():
    rng = np.random.default_rng(2)
    predicted, happened = rng.integers(0, 9, 57), rng.normal(2, 3, 57)
    weights = np.vstack([np.ones(57), rng.poisson(1, (20, 57))])
    for weight, found in zip(weights.astype(int), top_shares(predicted, happened, weights), strict=True):
        curve = gains(np.repeat(predicted, weight), np.repeat(happened, weight))
        assert found == pytest.approx(np.interp(0.2, curve["share_of_customers"], curve["share_of_outcome"]))
    assert np.isnan(top_shares(predicted, -np.abs(happened), weights)).all()


def test_means_are_clustered_by_customer():
    rng = np.random.default_rng(3)
    values = rng.normal(size=40)
    mean, error, units = clustered(values, np.arange(40))
    assert (mean, error, units) == (pytest.approx(values.mean()), pytest.approx(stats.sem(values)), 40)
    # every row three times: nothing is known that was not known before
    assert clustered(np.repeat(values, 3), np.repeat(np.arange(40), 3))[:2] == pytest.approx((mean, error))


def test_errors_are_compared_as_paired_rows():
    rng = np.random.default_rng(4)
    orders = rng.poisson(2, 200)
    rows = rows_of(orders=orders, revenue=10.0 * orders, **{
        "orders by m": 2.0, "revenue by m": 20.0, f"orders by {NAIVE}": rng.gamma(2, 1, 200), f"revenue by {NAIVE}": rng.gamma(2, 10, 200),
    })  # fmt: skip
    found = compare(rows, "m", seed=1).set_index(["measure", "outcome"]).loc[(ERROR, "orders")]
    ours, theirs = ((rows[name] - orders) ** 2 for name in ("orders by m", f"orders by {NAIVE}"))
    test = stats.ttest_rel(theirs, ours)
    assert found["pvalue"] == pytest.approx(test.pvalue) and found["advantage"] == pytest.approx((theirs - ours).mean())
    assert [found["low"], found["high"]] == pytest.approx(list(test.confidence_interval()))
    assert (found["windows"], found["customers"], found["agree"]) == (1, 200, 1)


def test_one_customer_can_be_the_whole_difference():
    revenue = np.append(np.tile([0.0, 1.0], 30), 1_000.0)
    rows = rows_of(orders=(revenue > 0).astype(int), revenue=revenue, **{
        "revenue by m": 1.0, f"revenue by {NAIVE}": np.append(np.full(60, 0.5), 900.0), f"orders by {NAIVE}": 0.0,
    })  # fmt: skip
    found = compare(rows, "m", seed=1).set_index(["measure", "outcome"]).loc[(ERROR, "revenue")]
    assert found["advantage"] < 0 and found["largest"] > 0.99
    assert found["without_largest"] == pytest.approx(0.25 - 0.5)  # each of 60: 0.25 by the rule, 0.5 by the model


def test_a_rule_is_compared_in_the_windows_that_it_has():
    days = [BEGIN] * 30 + [BEGIN + pd.Timedelta(days=30)] * 30
    late = np.where(np.arange(60) >= 30, 1.0, np.nan)
    rows = rows_of(formed_on=days, orders=np.tile([1, 2], 30), revenue=1.0, **{
        "orders by m": np.tile([1.0, 2.0], 30), f"orders by {NAIVE}": 1.5, f"revenue by {NAIVE}": 0.0,
        f"orders by {BOOSTED}": late, f"revenue by {BOOSTED}": late,
    })  # fmt: skip
    found = compare(rows, "m", seed=1).set_index(["measure", "outcome", "rule"])
    assert found.loc[(ERROR, "orders"), "windows"].to_dict() == {NAIVE: 2, BOOSTED: 1}
    assert found.loc[(TOP, "orders"), "windows"].to_dict() == {NAIVE: 2, BOOSTED: 1}
    # the top 20% by the model are of those who order twice: 12 of 45 orders of 30 customers
    assert found.loc[(TOP, "orders", NAIVE), ["by_model", "by_rule"]].tolist() == pytest.approx([12 / 45, 0.2])
    assert found.loc[(ERROR, "orders", NAIVE), ["by_model", "by_rule", "advantage"]].tolist() == [0.0, 0.25, 0.25]
    table = errors(rows, ["m", NAIVE, BOOSTED]).set_index(["outcome", "rule"])
    assert table.loc["orders", "windows"].to_dict() == {"m": 2, NAIVE: 2, BOOSTED: 1}
    assert table.loc[("orders", NAIVE), ["mse", "mae", "bias"]].tolist() == [0.25, 0.5, 0.0]
    assert table.loc[("orders", BOOSTED), ["mse", "mae", "bias"]].tolist() == [0.5, 0.5, pytest.approx(30 / 45 - 1)]


def test_trees_learn_what_the_window_before_had():
    rng = np.random.default_rng(6)

    def window(number):
        x = rng.integers(0, 10, number)
        known = pd.DataFrame({"x": x, "t_x": x, "T": 20, "mean": 5.0, "last_orders": 0, "last_revenue": 0.0})
        return known.assign(orders=rng.poisson(np.where(x > 4, 3.0, 0.5)), revenue=-1.0)

    past, now = window(2_000), window(500)
    found = boosted(past, now)
    for some, mean in ((now["x"] > 4, 3.0), (now["x"] <= 4, 0.5)):
        assert found.loc[some, "orders"].mean() == pytest.approx(mean, abs=0.1)
    assert (found["revenue"] == 0).all()
    assert boosted(past.head(50), now)["orders"].unique().tolist() == [past.head(50)["orders"].mean()]


def test_money_of_orders_is_known_of_nobody_or_of_one():
    history = pd.DataFrame({"x": [0, 2, 1], "t_x": [0, 3, 1], "T": [5, 5, 5], "mean": [np.nan, 10.0, 10.0]})
    assert money_of_orders(history).tolist() == [10.0] * 3
    assert money_of_orders(history.assign(mean=[np.nan, 0.0, -3.0])).tolist() == [0.0] * 3
    assert money_of_orders(history.assign(mean=[np.nan, 8.0, -3.0])).tolist() == [8.0] * 3


# planted truths


@pytest.mark.thorough
def test_a_shop_as_the_model_has_it_is_predicted_better_than_by_the_naive_rate():
    found = planted()
    assert found.windows["converged"].all() and len(found.windows) == 4
    rows = found.comparisons.set_index(["measure", "outcome", "rule"])
    for rule in (NAIVE, LAST):
        assert rows.loc[(ERROR, "orders", rule), "advantage"] > 0
        assert rows.loc[(ERROR, "orders", rule), "pvalue_holm"] < 0.001
    bias = found.errors.query("rule == 'BG/NBD' and outcome == 'orders'").iloc[0]
    assert abs(bias["bias"]) < bias["bias_high"] - bias["bias_low"]  # four standard errors
    assert bias["bias_high"] - bias["bias_low"] < 0.12  # which are small
    naive = found.errors.query("rule == @NAIVE and outcome == 'orders'").iloc[0]
    assert naive["bias_low"] > 0  # it knows nobody to have left
    # of ten intervals, fewer than seven hold once in ten thousand shops
    for table in (found.calibration[found.calibration["by"] == "chance to order"], found.by_past):
        assert table["expected"].between(table["low"], table["high"]).sum() >= 0.7 * len(table)
    assert found.calibration_error < 0.03
    said = decision(found)
    assert (
        said[0].startswith("BG/NBD") and "the naive rate x/T" in said[0] and not said[0].startswith("BG/NBD does not")
    )


@pytest.mark.thorough
def test_where_nobody_leaves_the_naive_rate_is_not_beaten_beyond_chance():
    rng = np.random.default_rng(9)
    rate = rng.uniform(0.05, 0.6, 300)
    waits = rng.exponential(1 / rate[:, None], (300, 320))
    shop = shop_of(np.column_stack([rng.uniform(0, 10, 300), waits]).cumsum(axis=1), 300)
    window = follow(shop, 30, "day").windows[-1]  # early ones have so little history that the mean of all helps
    model, naive = forecast(bg_nbd, window, 30)[1], naive_rate(window, 30)
    columns = {named(who, name): of[name] for who, of in (("m", model), (NAIVE, naive)) for name in OUTCOMES}
    found = compare(window.assign(**columns), "m", seed=1).set_index(["measure", "outcome"]).loc[(ERROR, "orders")]
    assert found["pvalue"] > 0.05 and abs(found["advantage"]) < 0.02 * found["by_rule"]
    # days with an order are binomial; the naive rate adds what it does not know after 265 days of history
    daily = -np.expm1(-rate)
    assert found["by_rule"] == pytest.approx(30 * (daily * (1 - daily)).mean() * (1 + 30 / 265), rel=0.25)


@pytest.mark.thorough
def test_customers_who_order_like_clockwork_are_for_the_naive_rate():
    every = np.tile([3, 5, 10, 30], 50)[:, None]
    shop = shop_of(np.arange(200)[:, None] % every + every * np.arange(90.0), 240)
    said = decision(validate(shop, "BG/NBD", horizon=60, unit="day", seed=1))
    assert said[0].startswith("Use ") and "rather than BG/NBD to predict orders" in said[0]


@pytest.mark.thorough
def test_the_order_of_rows_changes_nothing():
    shop = leaving_shop(150, 120, 3)
    table = shop.transactions.to_pandas()
    rows = list(
        table[["customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price"]].itertuples(
            index=False, name=None
        )
    )
    np.random.default_rng(1).shuffle(rows)
    one, other = (
        validate(s, "Pareto/NBD", horizon=20, unit="day", seed=1) for s in (shop, Snapshot(log(rows), shop.day))
    )
    for name in ("windows", "tracking", "by_past", "deciles", "errors", "comparisons", "calibration"):
        assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert decision(one) == decision(other)


# odd shops


def every_ten_days(customers: int, until: int) -> list[tuple]:
    return [
        (f"c{c}", f"{c}-{d}", BEGIN + pd.Timedelta(days=d), "pot", 1, 5.0) for c in range(customers) for d in range(0, until, 10)
    ]  # fmt: skip


@pytest.mark.slow
def test_a_log_has_to_be_as_long_before_a_window_as_the_window():
    sold = log(every_ten_days(3, 60))
    day = BEGIN + pd.Timedelta(days=56)
    assert validate(Snapshot(sold, day - pd.Timedelta(days=1)), "BG/NBD", horizon=4, seed=1) is None
    assert len(validate(Snapshot(sold, day), "BG/NBD", horizon=4, seed=1).windows) == 1
    assert len(edges_of(Snapshot(sold, BEGIN + pd.Timedelta(days=900)), 1, "week")) == 14  # twelve windows
    assert validate(Summary(sold), "BG/NBD", horizon=4, seed=1) is None
    with pytest.raises(ValueError, match="1 or more"):
        validate(Snapshot(sold, day), "BG/NBD", horizon=0, seed=1)
    with pytest.raises(ValueError, match="day, week, month"):
        validate(Snapshot(sold, day), "BG/NBD", horizon=1, unit="year", seed=1)
    assert unvalidated("2024-02-01", 1, "month") == (
        "The model is not validated: the log before 2024-02-01 is shorter than two windows of 1 month."
    )


@pytest.mark.thorough
@pytest.mark.parametrize("model", MODELS)
def test_where_nobody_comes_back_there_is_too_little_to_tell(model):
    found = validate(Snapshot(log(every_ten_days(30, 30)), BEGIN + pd.Timedelta(days=90)), model, horizon=4, seed=1)
    assert found.windows["orders"].tolist()[-1] == 0 and np.isnan(found.windows["bias_orders"].iloc[-1])
    said = decision(replace(found, windows=found.windows.tail(1)))
    assert said[0] == f"{found.model} is not judged: too few to tell (0 orders of customers and windows of 4 weeks)."


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["BG/NBD", "Pareto/NBD"])
@pytest.mark.parametrize(
    "rows",
    {
        "one customer": every_ten_days(1, 100),
        "one order each": [(f"c{c}", f"{c}", BEGIN + pd.Timedelta(days=c), "pot", 1, 5.0) for c in range(90)],
        "no money": [(*row[:5], 0.0) for row in every_ten_days(4, 100)],
        "one day before": [(f"c{c}", f"{c}", BEGIN, "pot", 1, 5.0) for c in range(40)] + every_ten_days(1, 100),
    }.items(),
    ids=lambda item: item[0],
)
def test_odd_shops_give_a_result_and_a_sentence(model, rows):
    back = log([("c0", "R", BEGIN + pd.Timedelta(days=95), "kettle", -1, 900.0)])
    found = validate(Snapshot(log(rows[1]), BEGIN + pd.Timedelta(days=100), back), model, horizon=4, seed=1)
    assert found.windows["revenue"].iloc[-1] < 0  # returned for more than was bought
    assert np.isfinite(found.windows[["expected_orders", "expected_revenue"]]).all(axis=None)
    assert "too few to tell" in decision(found)[0]


def test_a_shop_whose_orders_all_came_back_has_no_window():
    sold = every_ten_days(2, 30)
    back = [
        (who, f"C{order}", day + pd.Timedelta(days=1), product, -1, price)
        for who, order, day, product, _, price in sold
    ]
    assert validate(Snapshot(log(sold), BEGIN + pd.Timedelta(days=90), log(back)), "BG/NBD", horizon=4, seed=1) is None


# what is said and drawn


@pytest.mark.thorough
def test_decisions_follow_the_comparisons():
    found = planted()

    def first(**changes):
        table = found.comparisons.copy()
        at = (table["measure"] == ERROR) & (table["outcome"] == "orders")
        for rule, (advantage, p) in changes.items():
            table.loc[at & (table["rule"] == rule.replace("_", " ")), ["advantage", "pvalue_holm"]] = [advantage, p]
        return decision(replace(found, comparisons=table))[0]

    all_better = {NAIVE.replace(" ", "_"): (1.0, 0.001), LAST.replace(" ", "_"): (1.0, 0.001), BOOSTED: (1.0, 0.001)}
    assert first(**all_better).lead == "BG/NBD predicts orders better than every rule tried"
    assert "Tried: the naive rate x/T, the last 60 days and LightGBM." in first(**all_better)
    tied = first(**all_better | {BOOSTED: (1.0, 0.06)})
    assert tied.lead == "BG/NBD is not significantly different from LightGBM at predicting orders"
    assert "It is significantly better than the naive rate x/T and the last 60 days." in tied
    naive = first(**all_better | {"naive_rate": (-1.0, 0.5)})
    assert naive.lead == "BG/NBD does not predict orders significantly better than the naive rate"
    worse = first(**all_better | {BOOSTED: (-1.0, 0.01)})
    assert worse.lead == "Use LightGBM rather than BG/NBD to predict orders"
    everywhere = found.comparisons.assign(advantage=-1.0, pvalue_holm=0.5, windows=3, agree=3)
    assert decision(replace(found, comparisons=everywhere))[0].endswith(
        "simpler choice. BG/NBD is worse in every window."
    )
    once = everywhere.assign(agree=2)
    assert decision(replace(found, comparisons=once))[0].endswith("the simpler choice.")
    # in one of two windows alone
    table = found.comparisons.assign(pvalue_holm=0.001, advantage=1.0, windows=2, agree=1)
    assert decision(replace(found, comparisons=table))[0].lead == (
        "BG/NBD predicts orders better than every rule tried over all windows together, but not in most of them"
    )
    assert "It is better over all windows together, but not in most of them." in decision(
        replace(found, comparisons=table.assign(advantage=-1.0))
    )[0]  # fmt: skip
    windows = found.windows.assign(converged=[True, False, False, True], not_identified=["", "a, b", "", ""])
    assert decision(replace(found, windows=windows))[-2:] == [
        "The log does not identify a and b of BG/NBD in 1 of 4 windows; predictions there are those at the edge of what the model can "
        "describe.",
        "The fit of BG/NBD did not converge in 1 of 4 windows.",
    ]  # fmt: skip


@pytest.mark.slow
def test_intervals_hold_the_orders_that_they_promise():
    found = planted()
    whole = found.coverage.iloc[-1]
    rows = pd.concat(follow(leaving_shop(2_500, 300, 5), 60, "day").windows)
    assert whole["customers"] == len(rows) == found.coverage["customers"].iloc[:-1].sum()
    # orders are whole numbers, so that an interval holds more than it promises; 0 of most customers, which is certain
    assert 0.95 <= whole["covered"] < 0.99 and whole["covered"] + whole["below"] + whole["above"] == pytest.approx(1)
    assert any(f"hold {percent(whole['covered'])} of customers' orders" in one for one in decision(found))


@pytest.mark.slow
def test_figures_say_what_they_show():
    found = planted()
    drawn = [
        figures.tracking(found.tracking, found.unit), figures.by_past(found.by_past, found.horizon, found.unit),
        figures.calibration(found.calibration, found.horizon, found.unit),
    ]  # fmt: skip
    assert f"{found.windows['formed_on'].iloc[-1]:%Y-%m-%d}" in drawn[0].alt
    row = found.by_past.iloc[0]
    assert f"0: {row['expected']:.2f} and {row['actual']:.2f}" in drawn[1].alt
    assert drawn[2].alt.count(" did") == 10
    for picture in drawn:
        assert picture.png()
