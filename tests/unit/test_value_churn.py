"""Churn: planted truths, scores by hand and by scikit-learn, profits by hand, and times to the next order."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from customerlab.analysis import rfm
from customerlab.analysis.orders import Snapshot, known
from customerlab.analysis.value import classify, survival
from customerlab.analysis.value.churn import Churn, churn_sentences, predict_churn, proposed, windows
from customerlab.analysis.value.classify import (
    BOOSTING,
    FEATURES,
    LOGISTIC,
    MODELS,
    RECENCY,
    fitted,
    points,
    probability,
)
from customerlab.analysis.value.judging import calibration, curves, importance, judge, lift, ranked, scores
from customerlab.analysis.value.offer import offer, offer_sentences
from customerlab.figures.value import churn as figures
from helpers import by_chance, log

BEGUN = pd.Timestamp("2023-01-01")


def orders(rows):
    """A log from rows of customer, day and money."""
    return log(
        [(who, str(n), BEGUN + pd.Timedelta(days=day), "x", 1, money) for n, (who, day, money) in enumerate(rows)]
    )


def shop_of(customers, length, seed, r=1.2, alpha=60.0):
    """A shop in which nobody leaves: orders at rates that are gamma distributed, since a first one at random."""
    rng = np.random.default_rng(seed)
    born, rate = rng.integers(0, length - 60, customers), rng.gamma(r, 1 / alpha, customers)
    number = rng.poisson(rate * (length - 1 - born))
    who = np.repeat(np.arange(customers), number)
    days = born[who] + 1 + np.floor(rng.random(len(who)) * (length - 1 - born[who]))
    who, days = np.append(np.arange(customers), who), np.append(born, days)
    rows = zip([f"c{one:05d}" for one in who], days.tolist(), rng.gamma(4, 10, len(who)).round(2), strict=True)
    return Snapshot(orders(rows), BEGUN + pd.Timedelta(days=length))


def known_customers(number, seed, weights):
    """Features at random, and churn at a logit that is planted: weights of standardised logarithms of features."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(np.expm1(rng.normal(2, 0.6, (number, len(FEATURES))).clip(0)), columns=FEATURES)
    z = (points(table) - 2) / 0.6
    chance = 1 / (1 + np.exp(-sum(weight * z[:, FEATURES.index(name)] for name, weight in weights.items())))
    table["customer_id"] = [f"c{n:05d}" for n in range(number)]
    return table.assign(chance=chance, churned=rng.random(number) < chance)


# What churn means


def test_the_horizon_of_exponential_gaps_is_their_quantile_whatever_is_censored():
    rng = np.random.default_rng(3)
    gap, until = np.ceil(rng.exponential(41, 30_000)), rng.integers(1, 500, 30_000)
    waits = pd.DataFrame({"days": np.minimum(gap, until).astype(int), "ended": gap <= until})
    found = proposed(waits, length=1000)
    # the 90% quantile of those within a year is at 94.4 days
    assert (found.days, found.reason) == (98, "proposed") and found.followed > 250  # when nearly all have ordered
    assert found.share == pytest.approx((1 - np.exp(-98 / 41)) / (1 - np.exp(-365 / 41)), abs=0.005)
    assert waits.loc[waits["ended"], "days"].quantile(0.9) < 91, "the gaps that ended are too short"


def test_the_horizon_is_a_third_of_the_log_at_most_and_can_be_given():
    waits = pd.DataFrame({"days": np.arange(1, 401), "ended": True})
    found = proposed(waits, length=374)
    assert (found.days, found.reason) == (119, "longest") and found.share == pytest.approx(119 / 365)
    found = proposed(waits, length=374, days=60)
    assert (found.days, found.reason) == (60, "given") and found.share == pytest.approx(60 / 365)
    assert proposed(waits, length=20) is None and proposed(waits.head(19), length=374) is None
    assert proposed(waits[waits["days"] > 100], length=90).share == 0


def test_windows_by_hand():
    rows = [("a", 0, 10), ("a", 12, 20), ("a", 25, 5), ("b", 3, 8), ("c", 19, 7), ("d", 29, 1)]
    shop = Snapshot(orders(rows), BEGUN + pd.Timedelta(days=30))
    first, second, now = windows(shop, 10)
    assert first["begin"].eq(BEGUN + pd.Timedelta(days=10)).all() and second["until"].eq(shop.day).all()
    assert first[["customer_id", "churned"]].values.tolist() == [["a", False], ["b", True]]
    # b has not ordered for ten days on day 20, and has churned already
    assert second[["customer_id", "churned", "known"]].values.tolist() == [["a", False, 3], ["c", True, 3]]
    a = second.iloc[0]
    assert (a["recency"], a["frequency"], a["monetary"], a["tenure"], a["recent_orders"], a["recent_revenue"]) == (
        8, 2, 30.0, 20, 1, 20.0,
    )  # fmt: skip
    assert (a["days_between_orders"], a["order_value"]) == (12.0, 15.0)
    assert second.iloc[1]["days_between_orders"] == 1, "one order alone: the tenure"
    assert now["customer_id"].tolist() == ["a", "d"] and now["recency"].tolist() == [5, 1] and "churned" not in now


def test_contracts_end_in_the_window_and_nobody_is_at_risk_after():
    rows = [(who, day, 5) for who in "abcde" for day in (0, 1)]
    shop = Snapshot(orders(rows), BEGUN + pd.Timedelta(days=30))
    ends = {"a": 10, "b": 19, "c": 20, "d": np.nan}  # e has no contract
    ended = pd.Series({who: BEGUN + pd.Timedelta(days=day) if day == day else pd.NaT for who, day in ends.items()})
    first, second, now = windows(shop, 10, ended=ended)
    assert first[["customer_id", "churned"]].values.tolist() == [["a", True], ["b", True], ["c", False], ["d", False]]
    assert second[["customer_id", "churned"]].values.tolist() == [["c", True], ["d", False]]
    assert now["customer_id"].tolist() == ["d"]
    with pytest.raises(ValueError, match="two ends of contract"):
        windows(shop, 10, ended=pd.concat([ended, ended]))


@pytest.mark.slow
def test_features_are_those_of_the_day_whatever_came_later():
    shop = shop_of(80, 200, 1)
    *_, last, _ = windows(shop, 40)
    cut = Snapshot(shop.transactions, last["begin"].iloc[0])
    today = windows(cut, 40)[-1]
    pd.testing.assert_frame_equal(last[["customer_id", *FEATURES]], today[["customer_id", *FEATURES]])
    assert all(
        a["until"].iloc[0] == b["begin"].iloc[0]
        for a, b in zip(windows(shop, 40), windows(shop, 40)[1:-1], strict=False)
    )


# Scores


def test_scores_of_six_customers_by_hand():
    score, churned = np.array([0.9, 0.8, 0.7, 0.7, 0.3, 0.1]), np.array([1, 0, 1, 0, 0, 1])
    # of the nine pairs the first wins three, the third one and a half, the last none
    # precision at the thresholds that gain a hit: 1/1, 2/4, 3/6
    assert ranked(score, churned, np.ones((1, 6)))[0] == pytest.approx([4.5 / 9, (1 + 1 / 2 + 1 / 2) / 3])


def test_weighted_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    churned, weights = rng.random(200) < 0.4, rng.integers(0, 4, (9, 200)).astype(float)
    for score in (rng.random(200), rng.integers(0, 5, 200) / 5, np.full(200, 0.5)):
        expected = [
            [f(churned, score, sample_weight=w) for f in (roc_auc_score, average_precision_score)] for w in weights
        ]
        assert ranked(score, churned, weights) == pytest.approx(np.array(expected), abs=1e-12)


def test_curves_are_those_of_scikit_learn():
    rng = np.random.default_rng(4)
    y = rng.random(300) < 0.3
    test = pd.DataFrame({model: (rng.random(300) + 0.4 * y).round(2) for model in MODELS}).assign(churned=y)
    table = curves(test, seed=1)
    for model in MODELS:
        own = table[table["model"] == model].set_index("at")
        wrong, right, _ = roc_curve(y, test[model], drop_intermediate=False)
        assert own["recall"].to_numpy() == pytest.approx(np.interp(own.index, wrong, right))
        precision, recall, _ = precision_recall_curve(y, test[model])
        for at in own.index[1:]:
            assert own.loc[at, "precision"] == pytest.approx(precision[recall >= at - 1e-12][-1])
        assert own.loc[1.0, ["recall", "recall_low", "recall_high"]].eq(1).all()
        inner = own.loc[0.1:0.5]
        assert inner["recall"].between(inner["recall_low"], inner["recall_high"]).all()
        # a share of so many, to which the uncertain threshold adds
        se = (inner["recall_high"] - inner["recall_low"]) / (2 * 1.96)
        assert (se / np.sqrt(inner["recall"] * (1 - inner["recall"]) / y.sum())).between(0.9, 2).all()
    assert own.loc[0.0, ["precision", "precision_low"]].isna().all()


def test_lift_and_calibration_by_hand():
    p = np.repeat([0.8, 0.4, 0.2, 0.1], 5)
    churned = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], dtype=bool)
    test = pd.DataFrame({"churned": churned} | dict.fromkeys(MODELS, p))
    table = lift(test)
    own = table[table["model"] == BOOSTING]
    # deciles of two customers each, who share what their five of equal probability have
    assert own["churn_rate"].tolist() == pytest.approx([0.8, 0.8, 0.6, 0.4, 0.4, 0, 0, 0.1, 0.2, 0.2])
    assert own["lift"].tolist() == pytest.approx([rate / 0.35 for rate in own["churn_rate"]])
    assert own["captured"].iloc[[0, -1]].tolist() == pytest.approx([1.6 / 7, 1])
    groups = calibration(test).query("model == @RECENCY")
    assert groups[["customers", "predicted", "churned"]].values.tolist() == [
        pytest.approx(row) for row in ([5, 0.1, 0.2], [5, 0.2, 0], [5, 0.4, 0.4], [5, 0.8, 0.8])
    ]
    level = pd.DataFrame({"churned": churned} | dict.fromkeys(MODELS, 0.3))
    assert calibration(level)["customers"].tolist() == [20] * 3 and lift(level)["lift"].tolist() == pytest.approx(
        [1] * 30
    )


@pytest.mark.thorough
def test_a_planted_logit_is_recovered():
    truth = {"recency": 0.8, "frequency": -0.8, "monetary": -0.6}
    models = fitted(known_customers(4000, 1, truth), seed=1)
    test = known_customers(2000, 2, truth)
    judged = judge(models, test, seed=1)
    table = judged.scores.set_index("model")
    assert roc_auc_score(test["churned"], test["chance"]) - table.loc[LOGISTIC, "roc_auc"] < 0.005
    assert np.abs(judged.test[LOGISTIC] - test["chance"]).mean() < 0.03  # nine coefficients from 4,000
    for model in (LOGISTIC, BOOSTING):
        assert np.abs(judged.test[model] - test["chance"]).mean() < 0.06
        # within four standard errors, twice the reach of the interval
        assert abs(table.loc[model, "slope"] - 1) < table.loc[model, "slope_high"] - table.loc[model, "slope_low"]
        assert table.loc[model, "bias_low"] < 0 < table.loc[model, "bias_high"]
    groups = judged.calibration[judged.calibration["model"] == LOGISTIC]
    assert groups["predicted"].between(groups["low"], groups["high"]).sum() >= 8
    assert judged.best == LOGISTIC
    losses = judged.importance.query("model == @LOGISTIC").set_index("group")
    assert losses.loc["age", "loss"] == pytest.approx(0, abs=0.003)
    assert losses.loc[["recency", "frequency", "money"], "low"].min() > 0.02
    mixed = importance({LOGISTIC: models[LOGISTIC], BOOSTING: models[BOOSTING]}, judged.test, seed=2)
    assert mixed["loss"].to_numpy() == pytest.approx(judged.importance["loss"].to_numpy(), abs=0.02)


@pytest.mark.thorough
def test_where_recency_is_all_that_matters_it_is_recommended():
    truth = {"recency": 1.2}
    judged = judge(fitted(known_customers(2000, 3, truth), seed=1), known_customers(1500, 4, truth), seed=1)
    assert judged.best == RECENCY
    assert judged.comparisons["difference"].abs().max() < 0.03
    assert (judged.comparisons["pvalue_holm"] >= judged.comparisons["pvalue"]).all()


@pytest.mark.thorough
def test_noise_beats_recency_no_more_often_than_promised():
    """One-sided at 2.5% for each of two models; models that overfit are worse, so that it is less."""
    won = 0
    for seed in range(80):
        test = known_customers(600, 1000 + seed, {"recency": 0.8})
        models = fitted(known_customers(900, seed, {"recency": 0.8}), seed=1)
        test = test.assign(**{name: probability(model, points(test)) for name, model in models.items()})
        compared = scores(test, seed=seed)[1]
        won += ((compared["pvalue_holm"] < 0.05) & (compared["difference"] > 0)).any()
    assert won / 80 <= by_chance(0.05, 80)[1]


@pytest.mark.slow
def test_bootstrap_intervals_of_the_auc_are_as_wide_as_theory():
    """Hanley and McNeil's (1982) variance holds nearly for scores of normal distributions."""
    rng = np.random.default_rng(5)
    churned = rng.random(2000) < 0.3
    p = 1 / (1 + np.exp(-(rng.normal(size=2000) + churned - 1)))
    table, compared = scores(pd.DataFrame({"churned": churned} | dict.fromkeys(MODELS, p)), seed=1)
    a, hits, misses = table["roc_auc"].iloc[0], churned.sum(), (~churned).sum()
    q1, q2 = a / (2 - a), 2 * a**2 / (1 + a)
    error = np.sqrt((a * (1 - a) + (hits - 1) * (q1 - a**2) + (misses - 1) * (q2 - a**2)) / (hits * misses))
    width = table["roc_auc_high"].iloc[0] - table["roc_auc_low"].iloc[0]
    assert width == pytest.approx(2 * 1.96 * error, rel=0.12)
    assert (compared["pvalue"] == 1).all(), "equal models"


def test_probabilities_are_calibrated_by_customers_whom_trees_have_not_seen(monkeypatch):
    """Customers with their own outcome in each of six windows, which no feature predicts."""
    rng = np.random.default_rng(8)
    one = known_customers(400, 8, {}).assign(churned=rng.random(400) < 0.5)
    table, others = pd.concat([one] * 6, ignore_index=True), known_customers(500, 9, {})
    spread = probability(fitted(table, [BOOSTING], seed=1)[BOOSTING], points(others)).std()
    monkeypatch.setattr(classify, "folds", lambda customers, seed: np.arange(len(customers)) // 400 % 5)
    leaky = probability(fitted(table, [BOOSTING], seed=1)[BOOSTING], points(others)).std()
    assert spread < 0.05 < 0.15 < leaky


def test_folds_divide_customers():
    who = pd.Series([f"c{n % 97}" for n in range(1000)])
    found = classify.folds(who, 3)
    assert pd.Series(found).groupby(who).nunique().max() == 1 and set(found) == set(range(classify.FOLDS))
    assert (classify.folds(who[::-1], 3) == found[::-1]).all(), "the order of rows"


# The whole


@pytest.fixture(scope="module")
def shop():
    return shop_of(1500, 500, 11)


@pytest.fixture(scope="module")
def found(shop) -> Churn:
    return predict_churn(shop, 60, seed=7)


@pytest.mark.thorough
def test_churn_of_a_shop_where_nobody_leaves_is_that_of_its_rates(found):
    """The chance of no order in 60 days, with x repeat orders at age T, is ((a + T) / (a + T + 60)) ** (r + x)."""
    test, table = found.judged.test, found.judged.scores.set_index("model")
    known_age = 60.0 + test["tenure"]
    exact = (known_age / (known_age + 60)) ** (1.2 + test["frequency"] - 1)
    best = roc_auc_score(test["churned"], exact)
    for model in (LOGISTIC, BOOSTING):
        assert best - table.loc[model, "roc_auc"] < 0.02
        assert np.abs(test[model] - exact).mean() < 0.06
        assert abs(table.loc[model, "bias"]) < 0.04
    assert found.judged.best != RECENCY and len(found.windows) == 7
    assert found.windows["used"].tolist() == ["training"] * 6 + ["test"]
    assert found.now["probability"].between(0, 1).all() and found.now["customer_id"].is_monotonic_increasing
    # orders of 40 each, of those who order: at a rate per day, more than one
    assert 40 < found.stay_value < 120 and found.largest < 0.05


def test_who_is_won_back_is_taken_to_spend_as_those_who_stay_with_as_many_orders():
    """Customers of one order spend 10 if they stay, those of four 100; of those who left, nine in ten had one order."""
    rows = []
    for n in range(400):
        many, leaves = n % 2 == 0, n % 20 < (2 if n % 2 == 0 else 18)
        rows += [(f"c{n:03d}", 30 + k * 5 + n % 5, 10) for k in range(4 if many else 1)]
        rows += [] if leaves else [(f"c{n:03d}", 65 + n % 20, 100 if many else 10)]
    shop = Snapshot(orders(rows), BEGUN + pd.Timedelta(days=120))
    window = windows(shop, 30)[-3]  # the last one to train on
    left = window[window["churned"]]
    stayed = window[~window["churned"]]
    assert len(left) and len(stayed) and {1, 4} <= set(window["frequency"])
    expected = (left["frequency"] >= 3).mean() * 100 + (left["frequency"] == 1).mean() * 10
    assert predict_churn(shop, 30, seed=1).stay_value == pytest.approx(expected)


@pytest.mark.thorough
def test_the_order_of_rows_changes_nothing(shop, found):
    mixed = shop.transactions.to_pandas().sample(frac=1, random_state=1).reset_index(drop=True)
    table = ibis.memtable(mixed.astype({"amount": float})).mutate(amount=lambda t: t.amount.cast("decimal(18, 4)"))
    again = predict_churn(Snapshot(table, shop.day), 60, seed=7)
    for name in ("scores", "comparisons", "curves", "calibration", "lift", "importance", "test"):
        pd.testing.assert_frame_equal(getattr(found.judged, name), getattr(again.judged, name))
    pd.testing.assert_frame_equal(found.now, again.now)


@pytest.mark.slow
def test_sentences_and_figures_of_churn_say_what_was_found(found):
    horizon = proposed(
        rfm.waits(shop_of(1500, 500, 11).transactions, BEGUN + pd.Timedelta(days=500)), length=500, days=60
    )
    said = churn_sentences(found, horizon)
    own = found.judged.scores.set_index("model").loc[found.judged.best]
    assert said[0].startswith(f"Use {found.judged.best} to predict churn. Its ROC AUC is {own['roc_auc']:.3f}")
    assert f"a random order has {own['base_rate']:.3f}" in said[1]
    assert "slope" in said[2] and any(text.startswith("Churned means no order in 60 days, as set") for text in said)
    assert any("had not ordered for 60 days" in text for text in said)
    for picture in (figures.prediction(found.judged), figures.discrimination(found.judged)):
        assert all(f"{model}: " in picture.alt for model in MODELS)
    picture = figures.prediction(found.judged)
    assert f"{found.judged.best}: ROC AUC {own['roc_auc']:.3f}" in picture.alt and picture.png()
    deal = offer(found.judged.test, found.judged.best, cost=2, margin=0.5, success=0.2, value=found.stay_value, seed=1)
    picture = figures.profit(deal, "EUR")
    assert "contacting everybody" in picture.alt and picture.png()


def test_too_few_outcomes_are_said_and_too_short_a_log_is_none():
    ones = Snapshot(orders([(f"c{n}", n % 90, 5) for n in range(300)]), BEGUN + pd.Timedelta(days=90))
    found = predict_churn(ones, 30, seed=1)
    assert found.judged is None and found.now.empty and (found.windows["rate"] == 1).all()
    said = churn_sentences(found)
    assert said[0].startswith("Churn is not predicted: too few to tell (0 customers who stayed in the te")
    steady = Snapshot(orders([(f"c{n}", day, 5) for n in range(40) for day in range(0, 90, 5)]), ones.day)
    found = predict_churn(steady, 30, seed=1)
    assert (found.windows["churned"] == 0).all() and "customers who churned in the" in churn_sentences(found)[0]
    assert found.stay_value == 30
    assert predict_churn(steady, 40, seed=1) is None
    assert churn_sentences(None)[0] == "Churn is not predicted: there are too few repeat orders."
    given = proposed(rfm.waits(steady.transactions, steady.day), length=90, days=40)
    assert churn_sentences(None, given)[0] == "Churn is not predicted: the log has fewer than two windows of 40 days."


@pytest.mark.thorough
def test_odd_shops():
    day = BEGUN + pd.Timedelta(days=1)
    for rows in ([("a", 0, 5)], [("a", 0, 5), ("b", 0, 0)]):
        one = Snapshot(orders(rows), day)
        assert predict_churn(one, 7, seed=1) is None
        assert survival.segment_waits(one, rfm.Scheme()) is None
        assert survival.cohort_waits(one)["ended"].sum() == 0
    free = shop_of(150, 200, 2)
    free = Snapshot(free.transactions.mutate(amount=(free.transactions.amount * 0).cast("decimal(18, 4)")), free.day)
    back = free.transactions.mutate(
        amount=(free.transactions.amount - 3).cast("decimal(18, 4)"), ordered_at=free.transactions.ordered_at
    )
    for shop in (free, Snapshot(free.transactions, free.day, back)):
        found = predict_churn(shop, 40, seed=1)
        assert found.judged.scores["roc_auc"].between(0, 1).all() and np.isfinite(found.stay_value)
    born = Snapshot(orders([("a", 0, 5), ("b", 59, 5)]), BEGUN + pd.Timedelta(days=60))
    assert windows(born, 20)[-1].set_index("customer_id").loc["b", ["recency", "tenure", "frequency"]].tolist() == [
        1,
        1,
        1,
    ]
    table = pd.DataFrame({"customer_id": ["a"], "recency": [3.0], "orders": [2.0], "revenue": [9.0]})
    summary = known("", None, ibis.memtable(table))
    assert predict_churn(summary, 30, seed=1) is None
    assert survival.segment_waits(summary, rfm.Scheme()) is None and survival.cohort_waits(summary) is None


@pytest.mark.slow
def test_contracts_are_predicted_from_the_log_and_said():
    shop = shop_of(1200, 400, 5, r=2.0)
    who = shop.customers()
    rng = np.random.default_rng(1)
    # few orders, early end
    left = rng.exponential(60 * who["frequency"] ** 1.5)
    ended = pd.Series((who["first_order"] + pd.to_timedelta(left.round(), "D")).to_numpy(), who["customer_id"])
    found = predict_churn(shop, 60, ended=ended.where(ended < shop.day), seed=1)
    assert found.contracts and found.judged.best != RECENCY
    last = found.windows.iloc[-1]
    at_risk = (ended >= last["begin"]) & (who.set_index("customer_id")["first_order"] < last["begin"])
    assert last["at_risk"] == at_risk.sum() and last["churned"] == (at_risk & (ended < shop.day)).sum()
    assert any("who have no contract or one that had ended" in text for text in churn_sentences(found))


# The offer

FIVE = pd.DataFrame(
    {"customer_id": list("abcde"), "churned": [True, True, False, True, False], "p": [0.9, 0.6, 0.5, 0.3, 0.1]}
)


def test_the_profit_of_an_offer_to_five_customers_by_hand():
    found = offer(FIVE, "p", cost=4, margin=0.5, success=0.2, value=100, seed=1)
    # a customer kept brings 0.2 * 0.5 * 100 = 10: contact pays from 0.4
    assert found.break_even == 0.4
    best, everybody = found.chosen.to_dict("records")
    assert (best["customers"], best["churned"], best["profit"]) == (3, 2, 8.0)
    assert (everybody["customers"], everybody["profit"]) == (5, 10.0)
    assert found.more[0] == -2 and found.more[1] <= -2 <= found.more[2]
    curve = found.curve.set_index("share")["profit"]
    assert curve[[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]].tolist() == pytest.approx([0, 6, 12, 8, 14, 10])
    assert curve[0.1] == pytest.approx(3)
    assert (found.curve["low"] <= found.curve["high"]).all()
    at = offer(FIVE, "p", cost=5, margin=0.5, success=0.2, value=100, seed=1)
    assert at.break_even == 0.5 and at.chosen["customers"].iloc[0] == 3, "at the break-even it pays"


def test_an_offer_by_the_value_of_each_customer():
    value = pd.Series({"e": 1000.0, "d": 10.0, "c": 100.0, "b": 100.0, "a": 10.0})
    found = offer(FIVE, "p", cost=4, margin=0.5, success=0.2, value=value, seed=1)
    # expected: a -3.1, b 2, c 1, d -3.7, e 6
    assert found.chosen["profit"].tolist() == pytest.approx([10 - 12, 1 + 10 + 1 - 20])
    assert found.curve.set_index("share")["profit"][[0.2, 0.4, 0.6, 0.8]].tolist() == pytest.approx([-4, 2, -2, -5])
    with pytest.raises(ValueError, match="value of a customer who stays is missing"):
        offer(FIVE, "p", cost=4, margin=0.5, success=0.2, value=value.drop("a"), seed=1)


def test_customers_of_equal_probability_are_contacted_in_random_order():
    level = FIVE.assign(p=0.5)
    curve = offer(level, "p", cost=4, margin=0.5, success=0.2, value=100, seed=1).curve
    assert curve["profit"].tolist() == pytest.approx((10 * curve["share"]).tolist())
    mixed = offer(
        level.assign(churned=level["churned"].to_numpy()[::-1]), "p", cost=4, margin=0.5, success=0.2, value=100, seed=1
    )
    assert mixed.curve["profit"].tolist() == pytest.approx(curve["profit"].tolist())


@pytest.mark.parametrize(
    "wrong", [{"cost": -1}, {"cost": np.inf}, {"margin": 0}, {"margin": 1.1}, {"success": 0}, {"success": 2}]
)
def test_offers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a cost of at least 0"):
        offer(FIVE, "p", **{"cost": 1, "margin": 0.5, "success": 0.2} | wrong, value=100, seed=1)


@pytest.mark.slow
def test_what_is_said_of_offers():
    many = pd.concat([FIVE] * 40, ignore_index=True).assign(customer_id=[f"c{n:03d}" for n in range(200)])

    def said(cost, value=100.0, table=many):
        found = offer(table, "p", cost=cost, margin=0.5, success=0.2, value=value, seed=1)
        assert figures.profit(found, "EUR").alt
        return offer_sentences(found, "EUR", largest=0.3)

    lead, terms, caution = said(5.5)
    assert lead.startswith(
        "Contact the 40% with the highest expected profit, if the offer keeps 20% of those about to churn as assumed: "
        "a contact pays from a probability of churn of 55%."
    )
    assert "The profit from 80 of the 200 customers in the test is 360 EUR" in lead
    assert "to spend 100 EUR each (30% of it is one customer)" in terms and "Only an experiment measures" in caution
    assert said(0)[0].startswith("Contact everybody") and said(9.5)[0].startswith(
        "No offer pays at these costs: a contact pays from"
    )
    assert said(11)[0].startswith("No offer pays at these costs: a contact costs more than it brings")
    assert said(1, value=-5.0)[0].startswith("No offer pays at these costs")
    assert (
        said(4, table=FIVE)[0].startswith("Whether an offer pays is inconclusive")
        and "too few to tell" in said(4, table=FIVE)[0]
    )
    worse = many.assign(churned=many.index % 3 == 0)
    assert said(5.5, table=worse)[0].startswith("No offer pays at these costs: a contact pays from a")


# Time to the next order


def test_waits_of_segments_by_hand():
    rows = [("a", 0, 5), ("a", 10, 5), ("b", 5, 9), ("c", 2, 1), ("c", 13, 1), ("c", 14, 1)]
    shop = Snapshot(orders(rows), BEGUN + pd.Timedelta(days=20))
    table = survival.segment_waits(shop, rfm.Scheme(2)).sort_values("customer_id")
    assert table["formed_on"].eq(BEGUN + pd.Timedelta(days=10)).all() and table["followed"].eq(10).all()
    # an order on the day itself is a wait of one day
    assert table[["customer_id", "days", "ended"]].values.tolist() == [["a", 1, True], ["b", 10, False], ["c", 4, True]]
    expected = rfm.Scheme(2).on(shop.at(BEGUN + pd.Timedelta(days=10)))["segment"].tolist()
    assert table["group"].tolist() == expected


def test_waits_of_cohorts_by_hand():
    rows = [
        ("a", 0, 5),
        ("a", 10, 5),
        ("b", 89, 9),
        ("c", 90, 1),
        ("c", 90, 2),
        ("c", 95, 2),
    ]  # 90 is the first of April
    table = survival.cohort_waits(Snapshot(orders(rows), BEGUN + pd.Timedelta(days=100)))
    assert table[["customer_id", "group", "days", "ended", "followed"]].values.tolist() == [
        ["a", "2023 Q1", 10, True, 99], ["b", "2023 Q1", 10, False, 10], ["c", "2023 Q2", 5, True, 9],
    ]  # fmt: skip


def two_groups(seed, means, number=120):
    rng = np.random.default_rng(seed)
    gap = np.concatenate([np.ceil(rng.exponential(mean, number)) for mean in means])
    followed = rng.integers(20, 200, len(gap))
    return pd.DataFrame({
        "customer_id": np.arange(len(gap)), "group": np.repeat([f"g{place}" for place in range(len(means))], number),
        "days": np.minimum(gap, followed).astype(int), "ended": gap <= followed, "followed": followed,
    })  # fmt: skip


def test_shares_are_those_of_scipy_and_too_few_are_missing():
    waits = two_groups(1, (30, 80))
    table = survival.ordered_within(waits, (30, 90, 195))
    for name, part in waits.groupby("group"):
        own = table[table["group"] == name].set_index("days")
        curve = stats.ecdf(stats.CensoredData.right_censored(part["days"], ~part["ended"])).cdf
        assert own.loc[[30, 90], "share"].tolist() == pytest.approx(curve.evaluate([30, 90]).tolist())
        ci = curve.confidence_interval(0.95, method="log-log")
        assert own.loc[30, "low"] == pytest.approx(ci.low.evaluate([30])[0])
        assert own.loc[30, "high"] == pytest.approx(ci.high.evaluate([30])[0])
        assert np.isnan(own.loc[195, "share"]) and np.isnan(own.loc[195, "low"])
        assert own["ordered_again"].tolist() == [(part["ended"] & (part["days"] <= d)).sum() for d in own.index]
    few = survival.ordered_within(waits.assign(ended=False), (30,))
    assert few["share"].tolist() == [0, 0] and few["low"].isna().all()
    curves = survival.curves(waits)
    assert list(curves) == ["g0", "g1"] and curves["g1"]["days"].max() <= waits["followed"].nlargest(20).iloc[-1]
    assert survival.curves(waits.head(19)) == {} and survival.curves(waits.assign(ended=False)) == {}
    assert "g0" in figures.survival(curves, 30, "the first order").alt
    assert figures.survival({}, 30, "the first order").png()


def test_log_rank_tests_are_symmetric_adjusted_and_missing_for_few():
    table = survival.log_rank(two_groups(2, (30, 60)))
    assert table["statistic"].sum() == pytest.approx(0, abs=1e-9) and table["statistic"].iloc[0] > 0
    assert table["pvalue"].iloc[0] == pytest.approx(table["pvalue"].iloc[1]) and table["pvalue_holm"].max() < 0.001
    waits = two_groups(3, (40, 40, 90))
    waits = waits[(waits["group"] != "g1") | (waits["customer_id"] % 120 < 12)]
    table = survival.log_rank(waits).set_index("group")
    assert np.isnan(table.loc["g1", "pvalue"]) and table.loc["g2", "statistic"] < 0
    assert table["pvalue_holm"].dropna().tolist() == pytest.approx(
        (2 * table["pvalue"].dropna()).clip(upper=1).tolist(), rel=0.5
    )


@pytest.mark.thorough
def test_groups_that_are_alike_differ_no_more_often_than_promised():
    wrong = [(survival.log_rank(two_groups(seed, (50, 50, 50), 60))["pvalue_holm"] < 0.05).any() for seed in range(150)]
    assert np.mean(wrong) <= by_chance(0.05, 150)[1]


def test_what_is_said_of_times_to_the_next_order():
    waits = two_groups(2, (30, 60))
    table, tests = survival.ordered_within(waits), survival.log_rank(waits)
    (said,) = survival.survival_sentences(table, tests, after="of the first order")
    share = table.query("days == 90").set_index("group")["share"]
    assert said.startswith(f"Within 90 days of the first order, from {share['g1']:.0%} of g1 (95% CI")
    assert f"to {share['g0']:.0%} of g0" in said and "2 of 2 groups differ significantly" in said
    (said,) = survival.survival_sentences(table[table["group"] == "g0"], tests)
    assert said == "Time to the next order: too few customers of more than one group are followed for 90 days."


# Online Retail


@pytest.mark.real_data
@pytest.mark.thorough
def test_churn_of_online_retail(real_table):
    tables = [ibis.read_parquet(real_table("online_retail", name).path) for name in ("transactions", "returns")]
    shop = known("", tables[0], returns=tables[1])
    horizon = proposed(rfm.waits(shop.transactions, shop.day), length=374)
    assert (horizon.days, horizon.reason, round(horizon.share, 2)) == (119, "longest", 0.84)
    found = predict_churn(shop, horizon.days, seed=7)
    assert found.windows["at_risk"].tolist() == [2041, 2258] and found.windows["churned"].tolist() == [775, 661]
    assert found.judged.scores["roc_auc"].tolist() == pytest.approx([0.633, 0.751, 0.746], abs=0.005)
    assert found.judged.best != RECENCY and (found.judged.comparisons["pvalue_holm"] < 0.001).all()
