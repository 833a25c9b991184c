"""Effects of messages by segment, offer and channel: least squares, Rubin's eight schools, planted truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

from customerlab.analysis.campaign.responses import (
    OTHERS,
    Posterior,
    compared,
    effects,
    pooled,
    worth_of_an_order,
)
from helpers import by_chance

# Rubin (1981), table 1: effects of coaching in eight schools, and their standard errors
EFFECTS = np.array([28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16])
ERRORS = np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6])


def programme(rng, customers=600, campaigns=6, lift=0.0, held_out=0.25):
    """Messages of two offers by two channels, drawn at random, to customers of three segments."""
    rows = pd.DataFrame(
        {
            "customer_id": np.tile([f"c{n:04d}" for n in range(customers)], campaigns),
            "campaign": np.repeat([f"m{n}" for n in range(campaigns)], customers),
            "offer": np.repeat(["news", "voucher"] * (campaigns // 2), customers),
        }
    )
    rows["channel"] = rng.choice(["email", "text"], len(rows))
    rows["held_out"] = rng.random(len(rows)) < held_out
    own = rng.gamma(2, 0.1, customers)[np.arange(len(rows)) % customers]
    rows["orders_after"] = rng.poisson(own + lift * ~rows["held_out"]).astype(float)
    return rows.assign(segment=np.array(["a", "b", "c"])[np.arange(len(rows)) % customers % 3])


def least_squares(rows):
    """The coefficient of messages, with a constant for each campaign, and its error clustered by customer."""
    names = sorted(rows["campaign"].unique())
    x = np.column_stack([~rows["held_out"], *[rows["campaign"] == name for name in names]]).astype(float)
    y = rows["orders_after"].to_numpy()
    coefficients, *_ = np.linalg.lstsq(x, y)
    bread = np.linalg.inv(x.T @ x)
    scores = pd.DataFrame(x * (y - x @ coefficients)[:, None]).groupby(rows["customer_id"].to_numpy()).sum().to_numpy()
    variance = (bread @ scores.T @ scores @ bread)[0, 0] * len(scores) / (len(scores) - 1)
    return coefficients[0], np.sqrt(variance), 1 / bread[0, 0]


def test_an_effect_is_least_squares_with_a_constant_for_each_campaign():
    rows = programme(np.random.default_rng(1), lift=0.1)
    found = effects(rows, "orders_after", seed=1).table.set_index(["segment", "offer", "channel"])
    segment = rows[rows["segment"] == "b"]
    cell = segment[(segment["offer"] == "voucher") & (segment["held_out"] | (segment["channel"] == "text"))]
    (_, error, weight), (effect, _, own) = least_squares(segment), least_squares(cell)
    row = found.loc[("b", "voucher", "text")]
    assert row["effect"] == pytest.approx(effect, rel=1e-10)
    assert row["error"] == pytest.approx(error * np.sqrt(weight / own), rel=1e-10)
    assert row["messages"] == (~cell["held_out"]).sum() and row["held_out"] == cell["held_out"].sum()
    one = compared(segment, "orders_after", "segment").iloc[0]
    assert (one["effect"], one["error"]) == pytest.approx(least_squares(segment)[:2], rel=1e-10)


def test_the_posterior_of_eight_schools_is_that_of_integration_and_as_published():
    found = Posterior.of(EFFECTS, ERRORS)
    mean, deviation = found.moments()

    def density(tau):  # of tau, with a flat prior: Gelman et al. (2013), 5.21
        precision = 1 / (ERRORS**2 + tau**2)
        centre = (precision * EFFECTS).sum() / precision.sum()
        terms = np.sqrt(precision) * np.exp(-precision * (EFFECTS - centre) ** 2 / 2)
        return terms.prod() / np.sqrt(precision.sum()), precision, centre

    def moment(power, school):
        def value(tau):
            weight, precision, centre = density(tau)
            pull = tau**2 * precision[school]
            at = pull * EFFECTS[school] + (1 - pull) * centre
            spread = pull * ERRORS[school] ** 2 + (1 - pull) ** 2 / precision.sum()
            return weight * (at if power == 1 else at**2 + spread)

        return integrate.quad(value, 0, 2_000, limit=500, points=[5, 20, 100])[0]

    whole = integrate.quad(lambda tau: density(tau)[0], 0, 2_000, limit=500, points=[5, 20, 100])[0]
    for school in (0, 2, 6):
        first, second = moment(1, school) / whole, moment(2, school) / whole
        assert mean[school] == pytest.approx(first, abs=0.01)
        assert deviation[school] == pytest.approx(np.sqrt(second - first**2), abs=0.02)
    # Gelman et al. (2013), table 5.3: medians of the schools' effects, of 200 draws
    drawn = np.median(found.draws(np.random.default_rng(1), 40_000), axis=0)
    assert np.abs(drawn - [10, 8, 7, 8, 5, 6, 10, 8]).max() < 1


def test_draws_have_the_mean_and_the_deviation_that_are_stated():
    found = Posterior.of(EFFECTS, ERRORS)
    drawn = found.draws(np.random.default_rng(1), 100_000)
    mean, deviation = found.moments()
    assert np.abs(drawn.mean(axis=0) - mean).max() < 5 * deviation.max() / np.sqrt(100_000)
    assert drawn.std(axis=0) == pytest.approx(deviation, rel=0.02)


def test_where_effects_say_nothing_of_their_differences_nothing_is_shrunk():
    found = Posterior.of(EFFECTS[:2], ERRORS[:2])
    assert found.moments()[0] == pytest.approx(EFFECTS[:2], rel=1e-3)
    assert found.moments()[1] == pytest.approx(ERRORS[:2], rel=1e-3)
    assert Posterior.of(EFFECTS[:0], ERRORS[:0]).draws(np.random.default_rng(1), 3).shape == (3, 0)


def test_segments_of_few_orders_are_pooled_by_how_many_ordered_alone():
    rows = programme(np.random.default_rng(4), customers=900)
    rows.loc[rows["segment"] == "c", "orders_after"] *= np.arange((rows["segment"] == "c").sum()) < 60
    assert pooled(rows, "orders_after").to_dict() == {"a": "a", "b": "b", "c": OTHERS}
    assert (pooled(rows[~rows["held_out"]], "orders_after") == OTHERS).all()


def test_the_worth_of_an_additional_order_is_the_ratio_of_effects_drawn_to_the_mean_order():
    rng = np.random.default_rng(5)
    rows = programme(rng, customers=9_000)
    base, caused = rows["orders_after"], (rng.random(len(rows)) < 0.1) & ~rows["held_out"]
    rows = rows.assign(orders_after=base + caused, revenue_after=100.0 * base + 40.0 * caused)  # one more is worth 40
    found = worth_of_an_order(rows)
    assert abs(found.value - 40) < 4 * found.error < 40 and found.mean > 60
    nothing = worth_of_an_order(rows.assign(orders_after=base, revenue_after=100.0 * base))
    assert (nothing.value, nothing.error, nothing.mean) == pytest.approx((100, 50, 100))  # no effect: the prior alone
    assert worth_of_an_order(rows[~rows["held_out"]]).value == pytest.approx(found.mean, rel=0.2)


def test_rows_in_any_order_and_campaigns_without_hold_out():
    rng = np.random.default_rng(2)
    rows = programme(rng, lift=0.1)
    one = effects(rows, "orders_after", seed=1)
    other = effects(rows.sample(frac=1, random_state=1), "orders_after", seed=1)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert (one.draws == other.draws).all()
    assert effects(rows[~rows["held_out"]], "orders_after", seed=1).table["effect"].isna().all()
    nobody = effects(rows[:0], "orders_after", seed=1)
    assert nobody.table.empty and nobody.draws.shape[1] == 0
    # a campaign that held nobody out adds nothing, whatever its customers ordered
    alone = rows[(rows["campaign"] == "m1") & ~rows["held_out"]].assign(campaign="m9", orders_after=9.0)
    again = effects(pd.concat([rows, alone]), "orders_after", seed=1).table
    pd.testing.assert_frame_equal(again, one.table)


def test_few_customers_with_an_order_are_too_few():
    rng = np.random.default_rng(3)
    rows = programme(rng, customers=60)
    found = effects(rows, "orders_after", seed=1)
    few = found.table["buyers"] < 20
    assert few.any() and found.table.loc[few, "shrunken"].isna().all() and not found.draws[:, few].any()


@pytest.mark.thorough
def test_intervals_cover_planted_effects_and_shrunken_ones_are_nearer():
    inside, nearer = [], 0
    cells = pd.MultiIndex.from_product([list("abc"), ["news", "voucher"], ["email", "text"]])
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = programme(rng, customers=900)
        truth = pd.Series(rng.normal(0.1, 0.05, 12), cells).clip(lower=0)
        key = pd.MultiIndex.from_arrays([rows["segment"], rows["offer"], rows["channel"]])
        rows["orders_after"] += rng.poisson(truth.reindex(key).to_numpy() * ~rows["held_out"])
        table = effects(rows, "orders_after", seed=1).table.set_index(["segment", "offer", "channel"])
        true = truth.reindex(table.index)
        inside.append(((table["low"] <= true) & (true <= table["high"])).mean())
        nearer += int(((table["shrunken"] - true) ** 2).mean() < ((table["effect"] - true) ** 2).mean())
    print(f"\n{np.mean(inside):.1%} of effects inside; shrunken nearer in {nearer} of 60 programmes")
    # programmes are independent, their cells are not: these share the customers who were held out
    assert abs(np.mean(inside) - 0.95) < 3.3 * np.std(inside, ddof=1) / np.sqrt(60)
    assert nearer / 60 > by_chance(0.5, 60)[1]
