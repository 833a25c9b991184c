"""The ranker over the other models: what it is told, what it learns from, and that it never sees the future."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from customerlab.analysis import recommend
from customerlab.analysis.recommend import models
from customerlab.analysis.recommend.models import hybrid, top
from customerlab.analysis.recommend.models.evidence import Evidence, places

R = recommend


def habits_and_tastes(seed=0, customers=150, crowds=4, range_of_crowd=40):
    """Customers with three habits of two orders in three, and two products of their crowd's an order, none of them
    bought twice: who counts alone offers the last, who looks at others alone forgets the first."""
    rng = np.random.default_rng(seed)
    made = []
    for who in range(customers):
        shelf = rng.permutation(range_of_crowd)
        habits, untried = shelf[:3], list(shelf[3:])
        for days in np.arange(rng.uniform(150, 170), -28, -12):
            basket = [habit for habit in habits if rng.random() < 2 / 3] + [untried.pop() for _ in range(2)]
            made.append((f"c{who:03d}", round(days, 3), [f"p{who % crowds}-{product:02d}" for product in basket]))
    return made


@pytest.fixture(scope="module")
def shop():
    return R.split_of(habits_and_tastes())


@pytest.fixture(scope="module")
def fitted(shop):
    return R.Hybrid().fit(shop)


@pytest.mark.slow
def test_it_beats_each_of_its_parts_where_habit_and_taste_are_planted(shop, fitted):
    models = {name: model.fit(shop) for name, model in hybrid.parts().items()} | {"hybrid": fitted}
    bought = shop.future[shop.warm].toarray() > 0
    found = {}
    for name, model in models.items():
        scores = model.scores(shop.warm)
        listed = top(scores, np.ones(scores.shape, dtype=bool), 10)
        found[name] = np.take_along_axis(bought, listed, 1).sum(axis=1)
    for name in hybrid.parts():
        gain = found["hybrid"] - found[name]
        assert gain.mean() > 3 * gain.std() / len(gain) ** 0.5, f"{name} finds {found[name].mean():.2f} of ten"
    # the three habits come first: they are bought in two orders of three, of the crowd's others one in seventeen
    habits = shop.history[shop.warm].toarray() > 1
    first = top(fitted.scores(shop.warm), np.ones(bought.shape, dtype=bool), 3)
    assert np.take_along_axis(habits, first, 1).mean() > 0.95


@pytest.mark.slow
def test_neither_the_future_nor_the_order_of_rows_nor_threads_change_anything(shop, fitted):
    orders = habits_and_tastes()
    past = [orders[i] for i in np.random.default_rng(1).permutation(len(orders)) if orders[i][1] > 0]
    other = R.split_of([*past, ("c003", -1, ["p1-05"]), ("c009", -27, ["new"])])
    assert other.products[:-1].equals(shop.products)
    with threadpool_limits(2):
        again = R.Hybrid().fit(other)
    rows = np.arange(len(shop.customers))
    assert fitted.rankers_ and (again.scores(rows)[:, :-1] == fitted.scores(rows)).all()
    pd.testing.assert_frame_equal(again.importance_, fitted.importance_)


def test_importance_names_every_feature_and_sums_to_one(fitted):
    table = fitted.importance_
    assert sorted(table["feature"]) == sorted(fitted.evidence_.names) and table["feature"].is_unique
    assert table["gain"].sum() == pytest.approx(1) and table["gain"].is_monotonic_decreasing


@pytest.mark.slow
@pytest.mark.parametrize(("days", "back"), [(28, [28, 42, 56, 70]), (30, [30, 45, 60]), (1, [1, 2, 3, 4])])
def test_the_windows_lie_before_the_cut_and_leave_a_history(days, back):
    orders = [(c, float(day), ["tea"]) for c in ("ann", "bob") for day in range(1, 100)]
    split = R.split_of(orders)
    windows = R.Hybrid()._windows(dataclasses.replace(split, holdout_days=days))
    assert [(split.date - window.date).days for window in windows] == back
    assert all(window.holdout_days == days for window in windows)
    today = R.Hybrid(days)._windows(dataclasses.replace(split, holdout_days=0))
    assert [window.date for window in today] == [window.date for window in windows]


def test_a_log_too_short_to_learn_from_leaves_personal_frequency(capfd):
    split = R.split_of([("ann", 9, ["tea"]), ("ann", 8, ["tea", "milk"]), ("bob", 8, ["milk"])])
    model = R.Hybrid().fit(split)
    rows = np.array([0, 1])
    assert (model.scores(rows) == models.PersonalFrequency().fit(split).scores(rows)).all()
    assert model.windows_ == [] and model.importance_.empty
    # windows, but not enough for a leaf
    split = R.split_of([(c, float(day), ["tea"]) for c in ("ann", "bob") for day in range(1, 100)])
    model = R.Hybrid().fit(split)
    assert len(model.windows_) > 1 and model.importance_.empty and (model.scores(rows) == 99).all()
    assert capfd.readouterr() == ("", "")


def test_places_against_sorting():
    rng = np.random.default_rng(2)
    scores, alike = rng.integers(0, 6, (30, 40)).astype(float), np.sort(rng.integers(0, 25, 40))
    scores[3] = 0
    for most in (1, 5, 39, 60):
        found = places(scores, alike, most)
        for row, place in zip(scores, found, strict=True):
            keys = [(-score, popular) for score, popular in zip(row, alike, strict=True)]
            expected = [min(sum(other < key for other in keys), most) if key[0] else most for key in keys]
            assert place.tolist() == expected


def test_what_is_told_of_a_candidate():
    split = R.split_of(
        [
            ("ann", 90, ["tea"]), ("ann", 60, ["tea", "milk"]), ("ann", 50, ["jam"]), ("ann", 40, ["tea", "jam"]),
            ("bob", 5, ["milk", "tea", "rice"]), ("bob", -1, ["oil"]),
        ]
    )  # fmt: skip
    evidence = Evidence({"own": models.PersonalFrequency(), "all": models.AllTimePopularity()}).fit(split)
    row, column, values = evidence.candidates(np.array([1, 0]))
    table = pd.DataFrame(values, columns=evidence.names)
    table.index = pd.MultiIndex.from_arrays([np.array(["bob", "ann"])[row], split.products[column]])
    assert sorted(table.loc["ann"].index) == ["jam", "milk", "rice", "tea"], "oil has no history"
    told = {
        "own: score": 3, "own: rank": 0, "own: relative score": 1, "all: score": 2,
        "pair: share of orders": 3 / 4, "pair: share of orders since the first": 3 / 4,
        "pair: orders since the last": 0, "pair: days since the last": 40, "pair: days since the first": 90,
        "pair: interval in days": 25, "pair: days since the last / interval": 40 / 25,
        "customer: orders": 4, "customer: products": 3, "customer: share of repeat purchases": 1 - 3 / 6,
        "customer: products per order": 6 / 4, "customer: products of the last order": 2,
        "customer: days since the last": 40, "customer: days since the first": 90, "customer: revenue": 6,
        "product: buyers": 2, "product: recent buyers": 1, "product: days since the last": 5,
        "product: days since the first": 90, "product: orders 0 to 7 days ago": 1, "product: orders 28 to 56 days ago": 1,
        "product: orders 56 to 112 days ago": 2,
        "product: repurchase rate": (1 + 2 * 2 / 6) / (2 + 2),
        "product: orders of the last week / of those before": (4 + 1) / (1 + 2),
    }  # fmt: skip
    assert table.loc[("ann", "tea"), list(told)].to_numpy() == pytest.approx(np.array(list(told.values())), rel=1e-6)
    assert table.loc[("ann", "milk"), "pair: orders since the last"] == 2
    assert table.loc[("ann", "rice"), "own: rank"] == 50 and table.loc[("ann", "rice")].filter(like="pair").isna().all()
    assert evidence.candidates(np.array([], dtype=int)).values.shape == (0, len(evidence.names))


@pytest.mark.slow
def test_a_warm_start_keeps_the_trees_and_learns_the_evidence_again(shop, fitted):
    model = R.Hybrid(warm_start=True).fit(shop)
    trees = [ranker.model_to_string() for ranker in model.rankers_]
    assert trees == [ranker.model_to_string() for ranker in fitted.rankers_]
    moved = shop.earlier(28)
    scores = model.fit(moved).scores(np.arange(5))
    assert [ranker.model_to_string() for ranker in model.rankers_] == trees and model.own_ is moved.history
    assert not np.array_equal(scores, R.Hybrid().fit(moved).scores(np.arange(5)))
    assert np.array_equal(model.fit(shop).scores(np.arange(5)), fitted.scores(np.arange(5)))


def test_one_candidate_teaches_nothing_and_personal_frequency_is_left():
    orders = [("ann", 70, ["tea"]), ("ann", 40, ["tea"]), ("ann", -1, ["tea"])]
    split = R.split_of(orders)
    model = R.Hybrid().fit(split)
    assert len(model.importance_) == 0 and model.scores(split.warm).tolist() == [[2.0]]


@pytest.mark.slow
def test_windows_that_two_cuts_share_are_learned_once_and_teach_the_same(shop, fitted):
    known = R.Hybrid(lessons=fitted.lessons)
    earlier = shop.folds(2)[0]
    before = len(fitted.lessons)
    shared = [known._lesson(window) for window in known._windows(earlier)]
    assert len(fitted.lessons) < before + len(shared), "some are windows of the later cut, too"
    plain = R.Hybrid().fit(earlier)
    assert (known.fit(earlier).scores(earlier.warm) == plain.scores(earlier.warm)).all()
    # other orders of the same days are another lesson
    other = R.split_of(habits_and_tastes(seed=1)).earlier(28)
    assert hybrid._content(other) != hybrid._content(shop.earlier(28))
