"""Allocation of a budget: all plans of small cases, the linear relaxation by scipy, limits that are never broken."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import sparse
from scipy.optimize import linprog

from customerlab.analysis.campaign.allocation import allocate, profit_by_budget, rivals

PAIRS = [("basket", "letter"), ("basket", "mail"), ("voucher", "letter"), ("voucher", "mail")]
CAPS = [("channel", "letter"), ("channel", "mail"), ("offer", "basket"), ("offer", "voucher")]


def table(rows):
    """Options from customer, place of the pair, effect and cost."""
    rows = [(customer, *PAIRS[pair], float(effect), float(cost)) for customer, pair, effect, cost in rows]
    return pd.DataFrame(rows, columns=["customer_id", "offer", "channel", "effect", "cost"])


def many(number, seed=1, *, segments=None):
    """Options of many customers; with segments, all of one have the same effects, so that nearly all are tied."""
    rng = np.random.default_rng(seed)
    kinds = segments or number
    part = rng.integers(0, kinds, number)
    effect = rng.gamma(2, 3, (kinds, 1)) * rng.uniform(0.2, 1.5, 4) + rng.normal(0, 1, (kinds, 4))
    cost = rng.uniform([2.1, 0.2, 3.3, 1.4], [2.4, 0.5, 3.6, 1.7], (kinds, 4)).round(2)
    who, pair = (place.ravel() for place in np.indices((number, 4)))
    ids = np.array([f"c{place:06d}" for place in range(number)])
    options = pd.DataFrame({"customer_id": ids[who]}).assign(
        offer=np.array(PAIRS)[pair, 0], channel=np.array(PAIRS)[pair, 1], effect=effect[part].ravel(), cost=cost[part].ravel()
    )  # fmt: skip
    return options[rng.random(len(options)) < 0.8]


def best_of_all(options, budget, caps=None):
    """The largest profit of all plans: each customer with each option, or none, with all the others."""
    caps = caps or {}
    counts = {cap: (options[cap[0]] == cap[1]).astype(float) for cap in caps}
    each = pd.DataFrame({"profit": options["effect"] - options["cost"], "cost": options["cost"], **counts})
    plans = np.zeros((1, 2 + len(caps)))
    for _, rows in each.groupby(options["customer_id"]):
        plans = (plans[:, None] + np.vstack([np.zeros(2 + len(caps)), rows])).reshape(-1, 2 + len(caps))
    return plans[(plans[:, 1:] <= [budget, *caps.values()]).all(axis=1), 0].max()


def relaxed(options, budget, caps=None, *, whole=False):
    """The optimum of the linear relaxation over all options, by scipy; or of whole customers."""
    places = np.arange(len(options))
    who = sparse.csr_array((np.ones(len(options)), (pd.factorize(options["customer_id"])[0], places)))
    limits = [options["cost"], *(options[kind] == name for kind, name in caps or {})]
    left = sparse.vstack([who, sparse.csr_array(np.array([limit.to_numpy(float) for limit in limits]))])
    right = [*np.ones(who.shape[0]), budget, *(caps or {}).values()]
    loss = (options["cost"] - options["effect"]).to_numpy()
    return -linprog(
        loss, A_ub=left, b_ub=right, integrality=whole * np.ones(len(loss)), options={"mip_rel_gap": 1e-9}
    ).fun


def mixed(options, seed=3):
    """The same rows in another order."""
    return options.sample(frac=1, random_state=seed)


@st.composite
def cases(draw):
    """A few customers with some of four options in whole quarters, exact as floats; a budget; and sometimes caps."""
    number = draw(st.integers(1, 5))
    allowed = draw(st.sets(st.tuples(st.sampled_from([f"c{n}" for n in range(number)]), st.integers(0, 3)), min_size=1))
    quarters = st.integers(0, 24).map(lambda n: n / 4)
    options = table([(*key, 2 * draw(quarters), draw(quarters)) for key in sorted(allowed)])
    names = [cap for cap in CAPS if (options[cap[0]] == cap[1]).any()]
    caps = draw(st.one_of(st.none(), st.dictionaries(st.sampled_from(names), st.integers(0, 3), min_size=1)))
    return mixed(options, draw(st.integers(0, 99))), draw(st.integers(0, 60).map(lambda n: n / 4)), caps


def equals_brute_force(case):
    options, budget, caps = case
    plan = allocate(options, budget, caps=caps)
    assert plan.profit == best_of_all(options, budget, caps) == plan.chosen["profit"].sum()
    assert plan.bound == pytest.approx(relaxed(options, budget, caps), rel=1e-7, abs=1e-7)
    small = 1e-5
    more = (relaxed(options, budget + small, caps) - relaxed(options, budget, caps)) / small
    assert plan.shadow_price == pytest.approx(more, rel=1e-4, abs=1e-4)


@settings(max_examples=4)
@given(cases())
def test_small_plans_are_the_best_of_all(case):
    equals_brute_force(case)


@pytest.mark.slow
@settings(max_examples=200)
@given(cases())
def test_many_small_plans_are_the_best_of_all(case):
    equals_brute_force(case)


# Large cases


@pytest.mark.parametrize("caps", [None, {("channel", "letter"): 60, ("offer", "basket"): 100}])
@pytest.mark.parametrize("segments", [None, 8])
def test_the_bound_is_the_optimum_of_the_linear_relaxation(caps, segments):
    options = many(600, segments=segments)
    plan = allocate(options, 250.0, caps=caps)
    assert plan.bound == pytest.approx(relaxed(options, 250.0, caps), rel=1e-8)
    assert 0 <= plan.gap < 1e-3 and plan.gap == pytest.approx(1 - plan.profit / plan.bound, abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("caps", [None, {("channel", "letter"): 10, ("offer", "basket"): 20}])
@pytest.mark.parametrize("segments", [None, 8])
def test_plans_of_a_hundred_customers_are_those_of_branch_and_bound_over_all_options(caps, segments):
    options = many(100, segments=segments)
    best = relaxed(options, 50.0, caps, whole=True)
    assert allocate(options, 50.0, caps=caps).profit == pytest.approx(best, rel=2e-7)


@pytest.mark.thorough
@pytest.mark.parametrize("caps", [None, {("channel", "letter"): 2_000, ("offer", "basket"): 4_000}])
@pytest.mark.parametrize("segments", [None, 8, 300])
def test_plans_of_many_customers_are_close_to_the_bound(caps, segments):
    options = many(20_000, segments=segments)
    for budget in (1_000.0, 9_000.37):
        plan = allocate(options, budget, caps=caps)
        assert plan.gap < 1e-4 and plan.cost <= budget * (1 + 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("caps", [{("channel", "letter"): 300, ("offer", "basket"): 500}, {("channel", "mail"): 600}])
def test_thousands_of_customers_tied_at_the_prices_share_capped_options_as_the_bound_does(caps):
    options = many(3_000)
    pair = (options["offer"] + options["channel"]).map(dict(zip(map("".join, PAIRS), range(4), strict=True))).to_numpy()
    level = options.groupby("customer_id")["effect"].transform("mean")
    additive = options.assign(
        effect=level + np.array([1.0, -2.0, 3.0, -0.5])[pair], cost=np.array([2.1, 0.3, 3.3, 1.4])[pair]
    )
    few = many(3_000, segments=8)  # half of the letters have effects of their own, so that no two customers are equal
    own = np.random.default_rng(5).uniform(0.4, 1, len(few)) * (few["channel"] == "letter")
    segmented = few.assign(effect=few["effect"] * own.where(own > 0.7, 1.0))
    for options in (additive, segmented):
        plan = allocate(options, 1_200.0, caps=caps)
        assert plan.gap < 3e-4 and plan.bound == pytest.approx(relaxed(options, 1_200.0, caps), rel=1e-8)


def test_without_the_exact_core_the_path_is_within_one_increment_of_the_bound(monkeypatch):
    monkeypatch.setattr("customerlab.analysis.campaign.allocation.improved", lambda choices, at, choice: choice)
    options = many(300)
    for budget in (10.0, 77.7, 300.0):
        plan = allocate(options, budget)
        assert plan.bound - plan.profit <= plan.shadow_price * options["cost"].max()
        assert plan.profit + plan.shadow_price * (budget - plan.cost) == pytest.approx(plan.bound, rel=1e-12)


# Limits, order, ties


@settings(max_examples=5)
@given(st.integers(0, 10_000), st.floats(0, 80), st.integers(0, 8), st.integers(0, 8), st.sets(st.integers(0, 39)))
def test_no_limit_is_ever_broken(seed, budget, letters, baskets, never):
    options, caps = (
        many(40, seed, segments=None if seed % 2 else 3),
        {("channel", "letter"): letters, ("offer", "basket"): baskets},
    )
    ids = [f"c{place:06d}" for place in sorted(never)]
    held_out, excluded = ids[::2], ids[1::2]
    plan = allocate(options, budget, caps=caps, held_out=held_out, excluded=excluded)
    chosen = plan.chosen
    assert chosen["cost"].sum() == plan.cost <= budget * (1 + 1e-9)
    assert (chosen["channel"] == "letter").sum() <= letters and (chosen["offer"] == "basket").sum() <= baskets
    assert not chosen["customer_id"].isin(ids).any() and chosen["customer_id"].is_unique
    assert chosen["customer_id"].is_monotonic_increasing and (chosen["profit"] > 0).all()
    assert len(chosen.merge(options)) == len(chosen)
    assert plan.profit <= plan.bound * (1 + 1e-9)
    rules = rivals(options, budget, pd.Series(dict.fromkeys(options["customer_id"], 1)), caps=caps, held_out=ids)
    assert (rules["profit"] <= rules["profit"][0] + 1e-9).all() and rules["profit"][0] == plan.profit
    assert (rules["cost"] <= budget * (1 + 1e-9)).all()


@pytest.mark.parametrize("caps", [None, {("channel", "letter"): 30}])
def test_the_order_of_rows_is_of_no_meaning(caps):
    options = many(200, segments=5)
    plans = [allocate(one, 60.3, caps=caps) for one in (options, mixed(options), options[::-1])]
    for plan in plans[1:]:
        pd.testing.assert_frame_equal(plan.chosen, plans[0].chosen)
        assert (plan.shadow_price, plan.bound) == (plans[0].shadow_price, plans[0].bound)


@pytest.mark.parametrize("caps", [None, {("channel", "mail"): 2}, {("offer", "voucher"): 1, ("offer", "basket"): 1}])
def test_of_equal_customers_those_with_the_lowest_ids_are_contacted(caps):
    options = table([(f"c{n}", pair, 5, 2) for n in range(6) for pair in (1, 3)])
    chosen = allocate(mixed(options), 5.0, caps=caps).chosen
    assert chosen["customer_id"].tolist() == ["c0", "c1"]
    exact = table(
        [(f"c{n}", pair, 5 + pair, 2 + pair) for n in range(6) for pair in (1, 3)]
    )  # 10 = 5 + 5 = 3 + 3 + 3 + …
    assert allocate(mixed(exact), 8.0, caps=caps).chosen["customer_id"].tolist()[:2] == ["c0", "c1"]


# What has to be defined


def test_a_budget_of_zero_is_enough_for_what_is_free():
    options = table([("ann", 1, 3, 0), ("ann", 0, 9, 1), ("bob", 0, 9, 4)])
    plan = allocate(options, 0)
    assert plan.chosen.values.tolist() == [["ann", "basket", "mail", 3.0, 0.0, 3.0]]
    assert (plan.profit, plan.cost, plan.shadow_price, plan.bound, plan.gap) == (3, 0, 5, 3, 0)  # 9 - 1 less 3, for 1


def test_one_customer():
    options = table([("ann", 0, 9, 4), ("ann", 1, 3, 1)])
    profits = [
        (plan.profit, plan.cost, plan.shadow_price) for plan in (allocate(options, b) for b in (0.5, 1, 3.9, 4, 99))
    ]
    assert profits == [(0, 0, 2), (2, 1, 1), (2, 1, 1), (5, 4, 0), (5, 4, 0)]
    assert allocate(options, 2.5).bound == 3.5  # half of the second increment


@pytest.mark.parametrize("options", [table([("ann", 0, 3, 4), ("bob", 1, 1, 1), ("cat", 1, -2, 0)]), table([])])
def test_nothing_is_chosen_where_nothing_pays(options):
    for caps in (None, {("channel", "letter"): 1}):
        plan = allocate(options, 10.0, caps=caps)
        assert (
            list(plan.chosen) == ["customer_id", "offer", "channel", "effect", "cost", "profit"] and plan.chosen.empty
        )
        assert (plan.profit, plan.cost, plan.shadow_price, plan.bound, plan.gap) == (0, 0, 0, 0, 0)
    assert profit_by_budget(options, [0, 5])["profit"].tolist() == [0, 0]
    assert rivals(options, 9.0, pd.Series({"ann": 1}))["profit"].tolist() == (
        [0, -1, -3] if len(options) else [0, 0, 0]
    )


def test_a_budget_beyond_all_costs_gives_everyone_the_best_option():
    options = many(300)
    plan = allocate(options, 1e9)
    best = (options["effect"] - options["cost"]).groupby(options["customer_id"]).max()
    assert plan.profit == plan.bound == pytest.approx(best[best > 0].sum(), rel=1e-12)
    assert (plan.shadow_price, len(plan.chosen), plan.gap) == (0, (best > 0).sum(), 0)


def test_nobody_is_left_when_all_are_held_out():
    options = many(20)
    assert allocate(options, 9.0, held_out=options["customer_id"]).chosen.empty
    assert rivals(options, 9.0, pd.Series(dtype=float), excluded=options["customer_id"])["customers"].tolist() == [
        0,
        0,
        0,
    ]
    numbered = options.assign(customer_id=options["customer_id"].str[1:].astype(int))
    assert 7 not in set(allocate(numbered, 1e9, held_out=["7"]).chosen["customer_id"])  # ids are compared as texts


ROWS = table([("ann", 0, 9, 4), ("bob", 1, 3, 1)])


@pytest.mark.parametrize(
    ("options", "words", "message"),
    [
        (ROWS.assign(cost=[-1, 2]), {}, "cost is negative"),
        (ROWS.assign(cost=[np.nan, 2]), {}, "missing or infinite"),
        (ROWS.assign(effect=[np.inf, 2]), {}, "missing or infinite"),
        (ROWS.assign(customer_id=["ann", None]), {}, "lacks its customer"),
        (ROWS.drop(columns="cost"), {}, "lack cost"),
        (pd.concat([ROWS, ROWS]), {}, "twice"),
        (ROWS, {"budget": -1}, "budget is -1"),
        (ROWS, {"budget": np.nan}, "budget is nan"),
        (ROWS, {"caps": {("channel", "fax"): 1}}, "which no option has"),
        (ROWS, {"caps": {("city", "Bonn"): 1}}, "expected 'channel' or 'offer'"),
        (ROWS, {"caps": {("channel", "mail"): -1}}, "at least 0"),
    ],
)
def test_what_cannot_be_right_is_refused(options, words, message):
    with pytest.raises(ValueError, match=message):
        allocate(options, **({"budget": 5.0} | words))


# Budgets and rivals


@pytest.mark.parametrize("caps", [None, {("channel", "letter"): 9}])
def test_the_path_has_the_plan_of_every_budget(caps):
    options, budgets = many(60), [40.0, 0.0, 5.5, 200.0]
    found = profit_by_budget(mixed(options), budgets, caps=caps)
    for budget, row in zip(budgets, found.to_dict("records"), strict=True):
        plan = allocate(options, budget, caps=caps)
        assert (row["budget"], row["customers"]) == (budget, len(plan.chosen))
        assert [row[name] for name in ("profit", "cost", "shadow_price", "bound")] == [
            plan.profit, plan.cost, plan.shadow_price, plan.bound
        ]  # fmt: skip
    assert found[["low", "high"]].isna().all(axis=None)
    assert found.sort_values("budget")["profit"].is_monotonic_increasing
    assert found.sort_values("budget")["shadow_price"].is_monotonic_decreasing


def test_intervals_are_those_of_the_rows_that_are_chosen():
    options = mixed(many(50))
    rng = np.random.default_rng(2)
    draws = options["effect"].to_numpy() + rng.normal(0, 1, (400, len(options)))
    plan = allocate(options, 20.0)
    mine = options.reset_index(drop=True).reset_index().merge(plan.chosen)["index"].to_numpy()
    own = profit_by_budget(options, [20.0], confidence=0.9, draws=draws).iloc[0]
    earned = draws[:, mine].sum(axis=1) - plan.cost
    assert [own["low"], own["high"]] == pytest.approx(np.quantile(earned, [0.05, 0.95]), rel=1e-12)
    # of options that share a cell, the uncertainty is the same
    cells = np.arange(len(options)) % 3
    few = rng.normal(0, 1, (400, 3))
    shared, spelt = (
        profit_by_budget(options, [20.0], **given).iloc[0]
        for given in ({"draws": few, "cells": cells}, {"draws": few[:, cells]})
    )
    assert [shared["low"], shared["high"]] == pytest.approx([spelt["low"], spelt["high"]], rel=1e-12)


@pytest.mark.parametrize("words", [
    {"draws": np.zeros((2, 3))[:, :1]}, {"draws": np.zeros(2)}, {"draws": np.array([[1, np.nan]])},
    {"draws": np.zeros((2, 2)), "cells": [0, 2]}, {"draws": np.zeros((2, 2)), "cells": [0]},
])  # fmt: skip
def test_uncertainty_that_does_not_match_is_refused(words):
    with pytest.raises(ValueError, match=r"for each of 2 options|draws have \d cells"):
        profit_by_budget(ROWS, [5.0], **words)


def test_rivals_by_hand():
    options = table([
        ("ann", 0, 9, 4), ("ann", 1, 1, 1), ("bob", 0, 2, 4), ("bob", 1, 4, 1), ("cat", 0, 12, 4), ("dan", 1, 0, 1)
    ])  # fmt: skip
    ranking = pd.Series({"bob": 3, "cat": 2, "ann": 2, "eve": 9}, name="RFM")
    found = rivals(mixed(options), 9.0, ranking)  # the letter earns 5 - 2 + 8, the mail 0 + 3 - 1
    assert found.values.tolist() == [
        ["optimal", 3, 9.0, 16.0],  # ann and cat a letter, bob a mail
        ["top by RFM", 2, 8.0, 3.0],  # letters to bob and ann: equal ranks by id; nothing is left for cat
        ["everybody", 3, 9.0, 16.0],  # and nothing for dan
    ]
    assert rivals(options, 9.0, ranking, caps={("channel", "letter"): 1}).values.tolist() == [
        ["optimal", 2, 5.0, 11.0], ["top by RFM", 1, 4.0, -2.0], ["everybody", 3, 6.0, 7.0]
    ]  # fmt: skip
    with pytest.raises(ValueError, match="twice"):
        rivals(options, 9.0, pd.concat([ranking, ranking]))
