"""Send time: scipy, numerical integration, a published fit, planted times, and the rate of false recommendations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from customerlab.analysis.campaign.send_time import (
    PERSONAL,
    SEGMENT,
    SHOP,
    best_slot,
    fit_times,
    hours_of_day,
    judge_times,
    log_marginal,
    parts_of_week,
    slot_counts,
)
from helpers import by_chance

EVEN = np.full(6, 1 / 6)
SHARES = np.array([0.02, 0.08, 0.2, 0.3, 0.25, 0.15])
DAY = pd.Timestamp("2024-04-01")


def drawn(rng, alpha):
    """One draw of shares from a Dirichlet distribution for each row; the row's mean where alpha is infinite."""
    mean, strength = alpha
    if np.isinf(strength):
        return mean
    shares = rng.gamma(np.maximum(strength * mean, 1e-9)) + 1e-300
    return shares / shares.sum(axis=1, keepdims=True)


def planted(seed, *, number=400, segments=4, strength=2.0, between=np.inf, shares=SHARES, events=8):
    """Events of half a year, the segment of each customer, and the true shares of customers by slot."""
    rng = np.random.default_rng(seed)
    means = drawn(rng, (np.tile(shares, (segments, 1)), between))
    group = rng.integers(segments, size=number)
    own = drawn(rng, (means[group], strength))
    who = np.repeat(np.arange(number), rng.poisson(events, number))
    slot = (rng.random(len(who))[:, None] > own[who].cumsum(axis=1)).sum(axis=1).clip(max=5)
    minutes = rng.integers(182, size=len(who)) * 1440 + slot * 240 + rng.integers(240, size=len(who))
    names = pd.Index([f"c{n:04d}" for n in range(number)])
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, unit="min")
    return (
        pd.DataFrame({"customer_id": names[who], "at": at}),
        pd.Series([f"s{n}" for n in group], names),
        pd.DataFrame(own, names),
    )


def judged(seed, **shop):
    events, segments, _ = planted(seed, **shop)
    return judge_times(events, DAY, hours_of_day, segments, seed=1)


# Slots and counts


def test_slots_begin_on_their_hour_and_cover_the_week():
    times = pd.Series(pd.date_range("2024-05-06", periods=7 * 24 * 60, freq="min"))
    assert pd.Series(hours_of_day(times)).value_counts().eq(7 * 240).all()
    assert pd.Series(parts_of_week(times)).value_counts().eq(360).all() and len(set(parts_of_week(times))) == 28
    assert hours_of_day(times)[[239, 240]].tolist() == ["00–04", "04–08"]
    assert parts_of_week(times)[[359, 360, 1440]].tolist() == ["Mon night", "Mon morning", "Tue night"]


def test_counts_are_those_of_pandas_whatever_the_order_of_rows():
    events, _, _ = planted(1, number=60)
    counts = slot_counts(events.sample(frac=1, random_state=1))
    expected = pd.crosstab(events["customer_id"], events["at"].dt.hour // 4)
    assert (counts.to_numpy() == expected.to_numpy()).all() and list(counts.index) == list(expected.index)
    with pytest.raises(ValueError, match="in every row"):
        slot_counts(events.assign(at=events["at"].where(events.index != 3)))
    with pytest.raises(ValueError, match="customer_id"):
        judge_times(events[["at"]], DAY, hours_of_day, pd.Series(dtype=object), seed=1)


# The model


def test_the_marginal_likelihood_is_that_of_scipy_and_of_integration():
    rng = np.random.default_rng(2)
    counts, alpha = rng.integers(0, 9, (50, 6)), rng.gamma(1.0, size=(50, 6)) + 1e-3
    theirs = [stats.dirichlet_multinomial.logpmf(x, a, x.sum()) for x, a in zip(counts, alpha, strict=True)]
    assert log_marginal(counts, alpha) == pytest.approx(np.array(theirs), abs=1e-10)
    area = quad(lambda p: stats.binom.pmf(3, 7, p) * stats.beta.pdf(p, 0.8, 2.5), 0, 1, epsabs=1e-13)[0]
    assert np.exp(log_marginal([[3, 4]], [0.8, 2.5])[0]) == pytest.approx(area, abs=1e-11)
    limit = stats.multinomial.logpmf([3, 4], 7, [0.25, 0.75])  # where a difference of log-gammas has lost all digits
    assert log_marginal([[3, 4]], 1e12 * np.array([0.25, 0.75]))[0] == pytest.approx(limit, abs=1e-10)
    with pytest.raises(ValueError, match="above zero"):
        log_marginal([[1, 2]], [0.0, 1.0])


def test_a_published_fit_of_two_slots():
    # Boys among the first 12 children of 6,115 families in Saxony (Geissler 1889; fitted by Lindsey and Altham 1998):
    # maximum likelihood α 34.0956, β 31.5715, log-likelihood -12,492.9.
    families = [3, 24, 104, 286, 670, 1033, 1343, 1112, 829, 478, 181, 45, 7]
    boys = np.repeat(np.arange(13), families)
    counts = pd.DataFrame({"boys": boys, "girls": 12 - boys})
    found = fit_times(counts, pd.Series("all", counts.index))
    assert found.strength == pytest.approx(34.0956 + 31.5715, rel=5e-4)
    assert found.shop["boys"] == pytest.approx(34.0956 / (34.0956 + 31.5715), abs=5e-6)
    assert log_marginal(counts, found.strength * found.shop.to_numpy()).sum() == pytest.approx(-12_492.9, abs=0.05)


def test_the_strength_has_the_largest_likelihood_of_scipy():
    events, _, _ = planted(3, number=80)
    counts = slot_counts(events)
    found = fit_times(counts, pd.Series("all", counts.index))
    assert np.isinf(found.segment_strength)
    assert found.segments.loc["all"].to_numpy() == pytest.approx(found.shop.to_numpy(), abs=1e-12)

    def loss(log):
        alpha = np.exp(log) * found.shop.to_numpy()
        return -stats.dirichlet_multinomial.logpmf(counts, alpha, counts.sum(axis=1)).sum()

    assert found.strength == pytest.approx(np.exp(minimize_scalar(loss, (0, 1, 3)).x), rel=1e-4)


def test_shares_are_the_posterior_mean():
    events, segments, _ = planted(4, number=150, between=5.0)
    counts = slot_counts(events)
    found, alpha = fit_times(counts, segments), None
    alpha = found.strength * found.segments.loc[segments[counts.index]].to_numpy()
    expected = (counts + alpha).div(counts.sum(axis=1) + found.strength, axis=0).to_numpy()
    assert found.shares(counts, segments) == pytest.approx(expected, abs=1e-12)
    best = best_slot(found, counts, segments)
    assert (best["slot"] == counts.columns[expected.argmax(axis=1)]).all()
    assert best["probability"].to_numpy() == pytest.approx(expected.max(axis=1), abs=1e-12)


def test_a_customer_with_many_events_is_one_customer():
    counts = pd.DataFrame(np.tile([[3, 1], [2, 2], [3, 0]], (40, 1)), columns=["day", "night"])
    heavy = pd.concat([counts, pd.DataFrame([[0, 2_000]], [120], ["day", "night"])])
    segments = pd.Series("a", range(200)).where(pd.Series(range(200)) < 60, "b")
    one, other = (fit_times(table, segments).segments.loc["b", "day"] for table in (counts, heavy))
    pooled = heavy.loc[segments[segments == "b"].index.intersection(heavy.index)].sum()
    assert pooled["day"] / pooled.sum() < 0.1 and other > 0.5 and one > 0.7


def test_nothing_is_personal_without_repeated_events_or_differences():
    counts = pd.DataFrame(np.eye(6, dtype=int)[[0, 1, 2, 2, 3] * 20], columns=list("abcdef"))
    found = fit_times(counts, pd.Series("all", counts.index))
    assert np.isinf([found.strength, found.segment_strength]).all()
    assert set(best_slot(found, counts, pd.Series("all", counts.index))["slot"]) == {"c"}
    same = fit_times(counts.assign(a=1, b=2, c=1, d=0, e=0, f=0), pd.Series(dtype=object))
    assert np.isinf(same.strength) and list(same.segments.index) == ["no segment"]
    for wrong in (counts * 0, -counts, counts.where(counts > 0)):
        with pytest.raises(ValueError, match="must not be negative or missing"):
            fit_times(wrong, pd.Series("all", counts.index))


def test_customers_without_events_have_the_time_of_their_segment_and_ties_the_first():
    counts = pd.DataFrame([[5, 1, 0]] * 30 + [[0, 1, 6]] * 31, columns=["am", "pm", "late"])
    segments = pd.Series(["early"] * 30 + ["owls"] * 31)
    found = fit_times(counts, segments)
    asked = pd.DataFrame(0, ["x", "y", "z"], counts.columns)
    best = best_slot(found, asked, pd.Series({"x": "early", "y": "owls", "z": "new"}))
    assert best["slot"].tolist() == ["am", "late", "late"]
    assert best.loc["z", "probability"] == pytest.approx(found.shop["late"], abs=1e-12)
    tied = pd.DataFrame([[2, 2], [4, 0], [0, 4]], columns=["am", "pm"])
    assert best_slot(fit_times(tied, segments), tied, segments)["slot"].tolist() == ["am", "am", "pm"]


# Later events


def test_planted_times_are_found_and_beat_every_fixed_one():
    events, segments, own = planted(5, strength=1.0, events=16)
    found = judge_times(events, DAY, hours_of_day, segments, seed=1)
    assert found.decision == PERSONAL and (found.gains["low"].iloc[1:] > 0).all()
    assert found.rules["log_likelihood"].is_monotonic_increasing
    counts = slot_counts(events[events["at"] < DAY])
    right = own.loc[counts.index].to_numpy().argmax(axis=1)
    recommended = counts.columns.get_indexer(best_slot(found.times, counts, segments)["slot"])
    assert (recommended == right).mean() > np.bincount(right).max() / len(right) + 0.3


def test_times_of_segments_are_recommended_where_customers_do_not_differ():
    found = judged(6, strength=np.inf, between=3.0)
    assert found.decision == SEGMENT and found.gains["low"].iloc[0] > 0
    assert found.gains["gain"].iloc[1] == pytest.approx(found.gains["gain"].iloc[[0, 2]].sum(), abs=1e-12)


def test_one_time_is_recommended_where_nobody_differs():
    found = judged(7, strength=np.inf)
    assert found.decision == SHOP
    assert found.gains[["gain", "low", "high", "differing"]].eq(0).all(axis=None)


def test_hits_are_counted_on_later_events_of_known_customers():
    rows = [("a", 1, 9), ("a", 2, 9), ("b", 1, 21), ("a", 11, 9), ("a", 12, 21), ("b", 11, 21), ("new", 12, 9)]
    events = pd.DataFrame(
        [(name, pd.Timestamp(2024, 5, day, hour)) for name, day, hour in rows], columns=["customer_id", "at"]
    )
    found = judge_times(events, pd.Timestamp("2024-05-10"), hours_of_day, pd.Series(dtype=object), seed=1)
    assert (found.customers, found.events) == (2, 3)
    assert found.rules.loc[0, "hits"] == pytest.approx(1 / 3, abs=1e-12)
    assert found.decision == "too few to tell (2 customers with later events)"
    with pytest.raises(ValueError, match="choose another day"):
        judge_times(events, pd.Timestamp("2024-01-01"), hours_of_day, pd.Series(dtype=object), seed=1)


def test_few_customers_who_differ_are_too_few_to_tell():
    days = [pd.Timestamp("2024-03-01") + pd.Timedelta(days=n) for n in range(60)]
    rows = [(f"c{n:02d}", day + pd.Timedelta(hours=21 if n < 10 else 9)) for n in range(40) for day in days]
    events = pd.DataFrame(rows, columns=["customer_id", "at"])
    found = judge_times(events, DAY, hours_of_day, pd.Series(dtype=object), seed=1)
    assert found.decision == "too few to tell (10 customers for whom the rules differ in later events)"
    assert found.gains["differing"].tolist() == [0, 10, 10] and found.gains["low"].isna().tolist() == [
        False,
        True,
        True,
    ]


def test_the_order_of_rows_does_not_matter():
    events, segments, _ = planted(8, number=120)
    one = judge_times(events, DAY, hours_of_day, segments, seed=1)
    other = judge_times(
        events.sample(frac=1, random_state=2), DAY, hours_of_day, segments.sample(frac=1, random_state=3), seed=1
    )
    pd.testing.assert_frame_equal(one.gains, other.gains, check_exact=True)
    pd.testing.assert_frame_equal(one.rules, other.rules, check_exact=True)
    assert one.times.strength == other.times.strength


# Rates


@pytest.mark.thorough
def test_strengths_are_recovered():
    logs = []
    for seed in range(30):
        events, segments, _ = planted(seed, number=2_000, segments=40, strength=4.0, between=20.0)
        found = fit_times(slot_counts(events), segments)
        logs.append(np.log([found.strength / 4, found.segment_strength / 20]))
    mean, error = np.mean(logs, axis=0), np.std(logs, axis=0, ddof=1) / np.sqrt(30)
    assert np.abs(mean[0]) < 0.03 and np.abs(mean[1]) < 0.1 and (error < 0.05).all()


@pytest.mark.thorough
def test_without_planted_times_no_more_are_recommended_than_promised():
    found = [judged(seed, number=150, strength=np.inf, events=6) for seed in range(100)]
    assert np.mean([one.decision in (PERSONAL, SEGMENT) for one in found]) <= by_chance(0.05, 100)[1]


@pytest.mark.thorough
def test_intervals_contain_no_gain_where_preferences_do_not_last():
    # Customers have preferences before the split day and others afterwards: the true gain is 0 for any recommendation.
    shop, missed, claimed = {"number": 200, "strength": 1.0, "between": 5.0, "shares": EVEN}, [], []
    for seed in range(150):
        events, segments, _ = planted(seed, **shop)
        others, _, _ = planted(1_000 + seed, **shop | {"between": np.inf})
        both = pd.concat([events[events["at"] < DAY], others[others["at"] >= DAY]])
        found = judge_times(both, DAY, hours_of_day, segments, seed=1)
        assert found.gains["low"].iloc[1:].notna().all()
        missed.append(((found.gains["low"] > 0) | (found.gains["high"] < 0)).to_numpy())
        claimed.append(found.decision != SHOP)
    assert (np.mean(missed, axis=0) <= by_chance(0.025, 150)[1]).all()
    assert np.mean(claimed) <= by_chance(0.025, 150)[1]  # two claims, each at 0.0125


@pytest.mark.thorough
def test_expected_hits_are_calibrated_on_50_shops():
    found = [judged(seed, between=10.0).rules for seed in range(50)]
    apart = np.array([table["expected"] - table["hits"] for table in found])
    assert np.abs(apart.mean(axis=0)).max() < 0.01


@pytest.mark.thorough
def test_planted_times_are_recommended_in_most_shops():
    decisions = [judged(seed, strength=1.0).decision for seed in range(50)]
    assert np.mean([decision == PERSONAL for decision in decisions]) >= by_chance(0.95, 50)[0]
