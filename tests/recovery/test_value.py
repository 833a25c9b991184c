"""Planted customers: parameters, predictions and P(active) are found at the rate that their intervals promise."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.value.fitting import fit
from customerlab.analysis.value.likelihood import bg_nbd, nbd, pareto_nbd
from customerlab.analysis.value.money import fit_money
from customerlab.analysis.value.outlook import predict
from helpers import by_chance

SHOPS, HORIZON = 200, 26.0
PLANTED = {
    bg_nbd: {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.5}, pareto_nbd: {"r": 0.6, "alpha": 6.0, "s": 0.7, "beta": 9.0},
    nbd: {"r": 0.6, "alpha": 6.0},
}  # fmt: skip
SPEND = {"p": 3.0, "q": 4.0, "v": 60.0}


def shop(model, seed, customers=2_500, *, z=None, effects=(0.0, 0.0, 0.0)):
    """Customers of mixed ages in continuous time, what is known of them, and what they do afterwards."""
    rng = np.random.default_rng(seed)
    r, alpha, *leave = PLANTED[model].values()
    z = np.zeros(customers) if z is None else z(rng, customers)
    age, rate = rng.uniform(10, 60, customers), rng.gamma(r, 1 / alpha, customers) * np.exp(effects[0] * z)
    end = age + HORIZON
    life, chance = np.full(customers, np.inf), np.zeros(customers)
    if model is pareto_nbd:
        life = rng.exponential(1 / (rng.gamma(leave[0], 1 / leave[1], customers) * np.exp(effects[1] * z)))
    if model is bg_nbd:
        chance = rng.beta(leave[0] * np.exp(effects[1] * z), leave[1] * np.exp(effects[2] * z))
    x, t_x, ahead, gone_at = np.zeros(customers), np.zeros(customers), np.zeros(customers), life.copy()
    clock = rng.exponential(1 / rate)
    here = clock < np.minimum(end, life)
    while here.any():
        before = here & (clock < age)
        x[before] += 1
        t_x[before] = clock[before]
        ahead[here & ~before] += 1
        leaves = here & (rng.random(customers) < chance)
        gone_at[leaves] = clock[leaves]
        clock = clock + rng.exponential(1 / rate)
        here &= ~leaves & (clock < np.minimum(end, life))
    p, q, v = SPEND.values()
    own = rng.gamma(q, 1 / v, customers)
    mean = np.where(x > 0, rng.gamma(p * np.maximum(x, 1), 1 / own) / np.maximum(x, 1), np.nan)
    known = pd.DataFrame({"customer_id": np.arange(customers), "x": x, "t_x": t_x, "T": age, "mean": mean, "z": z})
    revenue = np.where(ahead > 0, rng.gamma(p * np.maximum(ahead, 1), 1 / own), 0.0)
    return known, pd.DataFrame({"active": gone_at > age, "orders": ahead, "revenue": revenue})


@pytest.mark.parametrize("model", [bg_nbd, pareto_nbd])
def test_intervals_of_parameters_cover(model, say):
    planted = pd.Series(PLANTED[model])
    covered = []
    for seed in range(SHOPS):
        found = fit(model, shop(model, seed, 4_000)[0])
        table = found.estimates.set_index("parameter")
        assert found.converged
        covered.append((table["low"] <= planted) & (planted <= table["high"]))
    rates = pd.concat(covered, axis=1).mean(axis=1)
    say(f"{model.__name__}, {SHOPS} shops, 95% intervals cover: {rates.map('{:.1%}'.format).to_dict()}")
    assert rates.between(0.92, 0.98).all()  # of 200 shops


@pytest.mark.parametrize("model", [bg_nbd, pareto_nbd])
def test_predictions_of_the_next_period(model, say):
    inside, totals, ratios, bins = [], [], [], []
    for seed in range(1_000, 1_050):
        known, after = shop(model, seed, 2_000)
        groups = pd.DataFrame({"customer_id": known["customer_id"], "half": known["customer_id"] % 2})
        money = fit_money(known)
        found = predict(fit(model, known), known, HORIZON, money=money, groups=groups, draws=200, seed=seed)
        table, sums = found.customers, found.totals.set_index(["by", "group"])
        inside.append([
            ((table[f"{what}_low"] <= after[what]) & (after[what] <= table[f"{what}_high"])).mean()
            for what in ("orders", "revenue")
        ])  # fmt: skip
        for what in ("active", "orders", "revenue"):
            row, true = sums.loc[("half", "0")], after.loc[known["customer_id"] % 2 == 0, what].sum()
            totals.append((what, row[f"{what}_low"] <= true <= row[f"{what}_high"]))
            ratios.append((what, sums.loc[("all", "all"), what] / after[what].sum()))
        bins.append(pd.DataFrame({"said": table["active"], "true": after["active"], "x": known["x"]}))
    orders, revenue = np.mean(inside, axis=0)
    covered = pd.DataFrame(totals).groupby(0)[1].mean()
    ratio = pd.DataFrame(ratios).groupby(0)[1].mean()
    say(f"{model.__name__}: intervals of customers cover {orders:.1%} (orders) and {revenue:.1%} (revenue), of sums "
        f"{covered.map('{:.0%}'.format).to_dict()}; expected / true {ratio.round(3).to_dict()}")  # fmt: skip
    assert 0.945 < orders < 0.995 and 0.945 < revenue < 0.985  # of whole numbers an interval covers at least its level
    least, most = by_chance(0.95, 50)
    assert covered.between(least, most).all()
    assert ratio.between(0.97, 1.03).all()
    table = pd.concat(bins)
    deciles = table.groupby(pd.cut(table["said"], np.linspace(0, 1, 11)))[["said", "true"]].agg(["mean", "size"])
    gap = deciles["said"]["mean"] - deciles["true"]["mean"]
    say(f"{model.__name__}: P(active) said less true, by decile of it: {gap.round(3).tolist()}")
    allowed = 4 * np.sqrt(0.25 / deciles["said"]["size"]) + 0.01
    assert (gap.abs() < allowed).all()


@pytest.mark.parametrize("model", [bg_nbd, pareto_nbd])
def test_where_nobody_leaves_nobody_is_found_to_have_left(model, say):
    found, likelier, ratios = [], [], []
    for seed in range(2_000, 2_020):
        known, after = shop(nbd, seed, 1_500)
        own, plain = fit(model, known), fit(nbd, known)
        row = predict(own, known, HORIZON, draws=200, seed=seed).totals.iloc[0]
        found.append(row["active_high"] / row["customers"])
        likelier.append(2 * (own.log_likelihood - plain.log_likelihood) > 3.84)
        ratios.append(row["orders"] / after["orders"].sum())
    beyond = np.mean(np.array(found) < 0.99)
    say(f"{model.__name__} without drop-out, 20 shops: the interval of those active ends below 99% in {beyond:.0%} (least "
        f"{min(found):.1%}), drop-out is significant in {np.mean(likelier):.0%}, expected / true orders {np.mean(ratios):.3f}")  # fmt: skip
    assert beyond <= by_chance(0.05, 20)[1]
    assert np.mean(likelier) <= by_chance(0.05, 20)[1]
    assert 0.97 < np.mean(ratios) < 1.03


@pytest.mark.parametrize(("model", "names"), [
    (bg_nbd, ["z on orders", "z on a", "z on b"]), (pareto_nbd, ["z on orders", "z on leaving"]),
])  # fmt: skip
def test_effects_of_covariates_are_covered(model, names, say):
    effects, covered = (0.5, 0.4, -0.3), []
    for seed in range(3_000, 3_000 + SHOPS // 5):
        known, _ = shop(model, seed, z=lambda rng, n: rng.integers(0, 2, n) * 2.0 - 1, effects=effects)
        table = fit(model, known, covariates=["z"]).estimates.set_index("parameter").loc[names]
        planted = np.array(effects[: len(names)])
        covered.append((table["low"] <= planted) & (planted <= table["high"]))
    rates = pd.concat(covered, axis=1).mean(axis=1)
    say(f"{model.__name__}, {SHOPS // 5} shops, intervals of effects cover: {rates.to_dict()}")
    assert rates.between(*by_chance(0.95, SHOPS // 5)).all()


def test_the_money_of_orders(say):
    covered, p = [], []
    for seed in range(4_000, 4_000 + SHOPS):
        money = fit_money(shop(bg_nbd, seed)[0])
        table = money.fit.estimates.set_index("parameter")
        covered.append((table["low"] <= pd.Series(SPEND)) & (pd.Series(SPEND) <= table["high"]))
        p.append(money.independence["pvalue"])
    rates, refused = pd.concat(covered, axis=1).mean(axis=1), np.mean(np.array(p) < 0.05)
    say(f"gamma_gamma, {SHOPS} shops: intervals cover {rates.to_dict()}; independence is refused in {refused:.1%}")
    assert rates.between(*by_chance(0.95, SHOPS)).all()
    assert refused <= by_chance(0.05, SHOPS)[1]
