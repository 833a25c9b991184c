"""Cadence: scikit-learn, closed forms, a second count of messages, planted fatigue, and its rates."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import PoissonRegressor

from customerlab.analysis.campaign.cadence import (
    ASSOCIATION,
    NEEDED,
    UNCHANGED,
    _counted,
    fit_strata,
    judge_cadence,
    responses,
)
from helpers import by_chance

START = pd.Timestamp("2024-01-02")
SPLIT = START + pd.Timedelta(days=7 * 14)
NEVER = pd.Timestamp("2030-01-01")


def programme(seed, *, number=300, weeks=20, factor=0.75, rate=0.2, held=0.3):
    """Weekly messages; active customers are in more audiences and respond more."""
    rng = np.random.default_rng(seed)
    activity = rng.gamma(2.0, 0.5, number)
    received, parts = np.zeros((weeks, number), dtype=bool), []
    for week in range(weeks):
        audience = rng.random(number) < np.clip(0.6 * activity, 0.1, 0.95)
        away = rng.random(number) < held
        received[week] = audience & ~away
        chance = rate * activity * factor ** received[max(week - 3, 0) : week].sum(axis=0)
        clicked = np.where(away, np.nan, rng.random(number) < chance)
        table = {
            "customer_id": [f"c{n:04d}" for n in range(number)],
            "channel": rng.choice(["email", "text"], number),
            "held_out": away,
            "clicked": clicked,
        }
        sent = START + pd.Timedelta(days=7 * week)
        parts.append(pd.DataFrame(table)[audience].assign(campaign=f"M{week:02d}", sent=sent))
    return pd.concat(parts, ignore_index=True)


def test_two_groups_have_the_ratio_of_their_rates():
    beta, expected, _ = fit_strata(np.array([[0.0], [1.0]]), np.array([30.0, 12.0]), np.array([100.0, 80.0]), [0, 0])
    assert np.exp(beta[0]) == pytest.approx((12 / 80) / (30 / 100), rel=1e-9)
    assert expected == pytest.approx([30, 12], rel=1e-9)


def test_coefficients_are_those_of_scikit_learn_with_dummies():
    rng = np.random.default_rng(1)
    strata = rng.integers(8, size=1_500)
    x, n = rng.integers(0, 4, size=(1_500, 2)).astype(float), rng.integers(1, 4, size=1_500).astype(float)
    y = rng.poisson(n * np.exp(-1 + 0.2 * strata + x @ [-0.3, 0.15])).astype(float)
    beta, expected, _ = fit_strata(x, y, n, strata)
    terms = np.hstack([np.eye(8)[strata], x])
    other = PoissonRegressor(alpha=0, fit_intercept=False, tol=1e-10, max_iter=1_000, solver="newton-cholesky")
    other.fit(terms, y / n, sample_weight=n)
    assert beta == pytest.approx(other.coef_[-2:], abs=1e-6)
    assert expected == pytest.approx(n * other.predict(terms), rel=1e-6)


def test_a_term_of_which_nothing_is_known_is_zero_and_separation_ends():
    strata = np.array([0, 0, 1, 1])
    flat, _, _ = fit_strata(np.array([[1.0], [1.0], [2.0], [2.0]]), np.ones(4), np.ones(4), strata)
    assert flat[0] == 0
    apart, expected, _ = fit_strata(
        np.array([[1.0], [0.0], [1.0], [0.0]]), np.array([0, 3, 0, 3.0]), np.ones(4), strata
    )
    assert apart[0] < -10 and expected == pytest.approx([0, 3, 0, 3], abs=1e-4)


def test_messages_before_are_counted_as_by_hand():
    mails = programme(2, number=40).sample(frac=1, random_state=1)
    mails["sent"] += pd.to_timedelta(np.random.default_rng(3).integers(0, 24, len(mails)), unit="h")
    found = _counted(mails, "clicked", 28)
    assert len(found) > 200
    for row in found.iloc[::7].itertuples():
        earlier = mails[(mails["customer_id"] == row.customer_id) & (mails["sent"] < row.sent)]
        earlier = earlier[row.sent - earlier["sent"] < pd.Timedelta(days=28)]
        assert (row.number, row.eligible) == ((~earlier["held_out"]).sum(), len(earlier))
    assert found["sent"].min() >= mails["sent"].min() + pd.Timedelta(days=28)


def test_messages_just_so_many_days_apart_or_at_once_do_not_count():
    at = START + pd.to_timedelta([0, 40, 40, 68, 67.9], unit="D")
    rows = pd.DataFrame({"customer_id": "a", "campaign": list("ABCDE"), "channel": "email", "sent": at})
    found = _counted(rows.assign(held_out=False, clicked=1), "clicked", 28).set_index("campaign")["number"]
    assert found.to_dict() == {"B": 0, "C": 0, "D": 1, "E": 2}


def test_the_table_counts_responses_by_messages_before():
    mails = programme(4).assign(unsubscribed=lambda table: table["clicked"] * (table["channel"] == "text"))
    table = judge_cadence(mails, NEVER, "clicked").table
    rows = _counted(mails, "clicked", 28)
    assert table["before"].tolist() == ["0", "1", "2", "3", "4+"]
    by = rows.groupby("number")["response"].agg(["size", "sum"]).reindex(range(5), fill_value=0)
    assert table[["messages", "outcomes"]].to_numpy().tolist() == by.to_numpy().tolist()
    ends = stats.binomtest(int(by.loc[1, "sum"]), int(by.loc[1, "size"])).proportion_ci(method="wilson")
    assert table.loc[1, ["low", "high"]].tolist() == pytest.approx([ends.low, ends.high], abs=1e-12)
    share = rows[rows["number"] == 2]["unsubscribed"].mean()
    assert table.loc[2, "unsubscribe_rate"] == pytest.approx(share, abs=1e-12)
    assert np.isnan(table.loc[4, ["rate", "low"]].astype(float)).all()


def test_planted_fatigue_is_in_its_interval_and_activity_biases_only_without_a_hold_out():
    found = judge_cadence(programme(5, number=600), NEVER, "clicked")
    assert found.low < 0.75 < found.high < 1 and found.p < 0.001 and found.note == ""
    assert found.decision == UNCHANGED and np.isnan(found.present) and np.isnan(found.ratio)
    blind = programme(5, number=600)
    other = judge_cadence(blind[~blind["held_out"]], NEVER, "clicked")
    assert other.low > 0.8 and other.note == ASSOCIATION


def test_the_best_number_of_messages_has_the_most_responses():
    for seed, factor in ((1, 0.45), (2, 0.6), (3, 0.75)):
        found = judge_cadence(programme(seed, factor=factor, rate=0.3), NEVER, "clicked")
        k = np.arange(1, 200)
        assert found.best == k[np.argmax(k * found.factor ** (k - 1))]


def test_a_limit_is_recommended_where_more_messages_bring_less():
    found = judge_cadence(programme(6, number=1_200, factor=0.35, rate=0.4, held=0.2), SPLIT, "clicked")
    assert found.best == 1 and found.ratio_high < 1 < found.present
    assert found.decision == "at most 1 messages in 28 days" and found.recommended == 1


def test_the_ratio_is_of_responses_in_all():
    # No customer effects, one channel, one campaign after the split day: the ratio has a closed form.
    rows = []
    for n in range(400):
        odd = n % 2
        hits = {28: False, 35: n % 5 == 0 if odd else n % 3 == 0, 42: n % 8 == 1 if odd else n % 4 == 0}
        rows += [
            (f"c{n}", START + pd.Timedelta(days=day), f"M{day}", "email", False, hit)
            for day, hit in hits.items()
            if odd or day > 28
        ]
    rows.append(("first", START, "M0", "email", False, False))
    mails = pd.DataFrame(rows, columns=[*NEEDED, "clicked"])
    later = _counted(mails, "clicked", 28)
    later = later[later["campaign"] == "M42"]
    rate = later.groupby("number")["response"].mean()
    found = judge_cadence(mails, START + pd.Timedelta(days=42), "clicked")
    assert found.best == 2 and rate.index.tolist() == [1, 2]
    assert found.ratio == pytest.approx(3 * rate[2] / (2 * rate[1]), rel=1e-9)


def test_the_order_of_rows_does_not_matter():
    mails = programme(7)
    one, other = (judge_cadence(table, SPLIT, "clicked") for table in (mails, mails.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    for name in ("decision", "factor", "low", "high", "p", "best", "present", "ratio", "ratio_low", "ratio_high"):
        assert getattr(one, name) == getattr(other, name) or np.isnan(getattr(one, name))


def test_too_few_responses_are_too_few_to_tell():
    mails = programme(8, number=60)
    for table in (mails.assign(clicked=0.0), mails.assign(held_out=True), mails[mails["campaign"] < "M02"], mails[:0]):
        found = judge_cadence(table, SPLIT, "clicked")
        assert found.decision == "too few to tell (0 customers with responses after more or fewer messages)"
        assert found.recommended is None and np.isnan([found.factor, found.low, found.high, found.p]).all()
    always = mails[mails["held_out"].groupby(mails["customer_id"]).transform("any") == mails["held_out"]]
    assert judge_cadence(always, SPLIT, "clicked").decision.startswith("too few to tell (0")  # held out, or never


def test_outcomes_are_flags_times_or_counts():
    rows = pd.DataFrame([("a", START, "M", "email", 0)] * 3, columns=NEEDED)
    assert responses(rows.assign(y=[START, None, None]), "y")["response"].tolist() == [0, 0, 1]
    unknown = responses(rows.assign(y=pd.array([True, False, None], dtype="boolean")), "y")["response"]
    assert unknown.tolist()[:2] == [0, 1] and np.isnan(unknown[2])
    assert responses(rows.assign(y=[2, 0, 1]), "y")["response"].tolist() == [0, 1, 2]
    for wrong, words in ((rows, "lack 'y'"), (rows.assign(y=-1), "below zero"), (rows.assign(y=1, sent=None), "every")):
        with pytest.raises(ValueError, match=words):
            responses(wrong, "y")


@pytest.mark.thorough
@pytest.mark.parametrize("factor", [1.0, 0.7])
def test_intervals_contain_the_planted_factor(factor):
    found = [judge_cadence(programme(seed, factor=factor), SPLIT, "clicked") for seed in range(200)]
    covered = np.mean([one.low <= factor <= one.high for one in found])
    assert by_chance(0.95, 200)[0] <= covered <= by_chance(0.95, 200)[1]
    logs = np.log([one.factor / factor for one in found])
    assert np.abs(logs.mean()) < 0.015 + 3 * logs.std() / np.sqrt(200)
    if factor == 1:  # nobody tires
        assert np.mean([one.high < 1 for one in found]) <= by_chance(0.025, 200)[1]
        assert not any(one.recommended for one in found)
