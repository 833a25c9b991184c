"""Recency, frequency, monetary value: features, scores, segments, concentration, and whether they hold."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import rfm
from helpers import log

LOG = log(
    [
        ("a", "1", "2024-01-30 09:15", "x", 2, 5.0),
        ("a", "1", "2024-01-30 09:15", "y", 1, 1.0),
        ("a", "2", "2024-02-10 23:59", "x", 1, 5.0),
        ("b", "3", "2024-04-01 00:00", "y", 10, 1.0),
        ("b", "4", "2024-04-02 10:30", "z", 1, 0.1),
    ]
)
DAY = pd.Timestamp("2024-04-03")


def test_rfm_features_by_hand():
    table = rfm.features(LOG).set_index("customer_id")
    # as of 3 April 2024, the day after the last order; 2024 has 29 days in February
    assert table["recency"].to_dict() == {"a": 53, "b": 1}
    assert table["tenure"].to_dict() == {"a": 64, "b": 2}
    assert table["frequency"].to_dict() == {"a": 2, "b": 2}
    assert table["monetary"].to_dict() == {"a": 16.0, "b": 10.1}


def test_orders_on_the_day_itself_do_not_count():
    table = rfm.features(LOG, "2024-04-01").set_index("customer_id")
    assert list(table.index) == ["a"] and table.loc["a", "recency"] == 51
    with pytest.raises(ValueError, match="no order was placed before"):
        rfm.features(LOG, "2023-01-01")


def test_scores_by_hand():
    scores, cuts = rfm.score_one(pd.Series([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]), 5)
    assert scores.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5] and cuts.tolist() == [20, 40, 60, 80]
    scores, cuts = rfm.score_one(pd.Series([1, 2, 3, 4]), 2, low_is_good=True)
    assert scores.tolist() == [2, 2, 1, 1] and cuts.tolist() == [3], "fewer than three days score higher"
    assert set(rfm.score_one(pd.Series([7.0] * 9), 5)[0]) == {3}, "no one is better than another"
    assert rfm.score_one(pd.Series([7.0] * 3), 3, cuts=[1, 2])[0].tolist() == [3, 3, 3], "own cut-offs hold for all"
    with pytest.raises(ValueError, match="missing values"):
        rfm.score_one(pd.Series([1.0, np.nan]), 5)


def test_the_default_rules_partition_the_grid_and_others_are_refused():
    rfm.check_rules(rfm.RULES)
    assert len(rfm.RULES) == 10
    with pytest.raises(ValueError, match="belongs to no segment"):
        rfm.check_rules(rfm.RULES[1:])
    doubled = rfm.RULES.assign(r_low=rfm.RULES["r_low"].where(rfm.RULES["segment"] != "New", 4))
    with pytest.raises(ValueError, match=r"New, Promising|Promising, New"):
        rfm.check_rules(doubled)


@pytest.mark.parametrize("bins", range(2, 11))
def test_levels_keep_the_order_and_reach_both_halves(bins):
    found = rfm.levels(pd.Series(range(1, bins + 1)), bins)
    assert found.is_monotonic_increasing and found.between(1, 5).all()
    assert found.iloc[0] <= 2 and found.iloc[-1] >= 4
    assert bins != 5 or found.tolist() == [1, 2, 3, 4, 5]


def test_gini_has_its_closed_forms():
    # 1 … n: (n - 1) / (3 n); Pareto with exponent a: 1 / (2 a - 1)
    assert rfm.concentration(pd.Series(range(1, 101))).gini == pytest.approx(99 / 300)
    pareto = pd.Series(stats.pareto(2).ppf((np.arange(200_000) + 0.5) / 200_000))
    assert rfm.concentration(pareto).gini == pytest.approx(1 / 3, abs=2e-3)
    for bad in ([], [0.0, 0.0], [-1.0, 2.0]):
        with pytest.raises(ValueError, match="no amount is above zero, or one is below"):
            rfm.concentration(pd.Series(bad, dtype=float))


def test_gini_is_twice_the_area_below_the_diagonal():
    values = pd.Series(np.random.default_rng(0).lognormal(0, 1.5, 1000))
    result = rfm.concentration(values)
    area = np.trapezoid(result.lorenz["share_of_revenue"], result.lorenz["share_of_holders"])
    assert result.gini == pytest.approx(1 - 2 * area)
    assert result.top["holders"].tolist() == [10, 50, 100, 200]
    assert result.top["share_of_revenue"].iloc[0] == pytest.approx(values.nlargest(10).sum() / values.sum())


def test_days_between_orders_need_two_orders():
    # a: 30 January to 10 February; b: 1 to 2 April; on 1 April b has not come yet, on 2 April once
    assert rfm.features(LOG)["days_between_orders"].tolist() == [11, 1]
    assert rfm.features(LOG, "2024-04-02")["days_between_orders"].isna().tolist() == [False, True]


def test_returns_count_up_to_the_day_and_only_where_they_are_asked_for():
    taken = log([("a", "C1", "2024-02-20 10:00", "x", -1, 5.0), ("a", "C2", "2024-04-02 10:00", "y", -4, 5.0)])
    gross, net = (rfm.features(LOG, returns=taken, net=net).set_index("customer_id") for net in (False, True))
    assert gross["returned"].to_dict() == net["returned"].to_dict() == {"a": 25, "b": 0}
    assert gross["monetary"].to_dict() == {"a": 16, "b": 10.1} and net["monetary"].to_dict() == {"a": -9, "b": 10.1}
    assert rfm.features(LOG, "2024-04-02", returns=taken, net=True)["monetary"].tolist() == [11, 10]


def test_an_order_id_that_two_customers_share_counts_for_each():
    shared = log([("a", "1", "2024-01-01", "x", 1, 1.0), ("b", "1", "2024-01-01", "x", 1, 2.0)])
    assert rfm.features(shared)[["frequency", "monetary"]].values.tolist() == [[1, 1], [1, 2]]


def test_own_cut_offs_by_hand():
    days = pd.Series([1, 29, 30, 31, 365, 366], name="recency")
    scores, cuts = rfm.score_one(days, 3, low_is_good=True, cuts=[30, 365])
    assert scores.tolist() == [3, 3, 2, 2, 1, 1] and cuts.tolist() == [365, 30], "fewer days than the cut-off"
    assert rfm.score_one(pd.Series([1, 2, 3, 10]), 3, cuts=[1, 5])[0].tolist() == [1, 2, 2, 3], "more than the cut-off"
    for bad in ([30], [365, 30], [30, 30]):
        with pytest.raises(ValueError, match="expected 2 rising numbers for 3 bins"):
            rfm.score_one(days, 3, cuts=bad)
    for bins in (1, 11):
        with pytest.raises(ValueError, match="expected 2 to 10"):
            rfm.score_one(days, bins)


def test_cut_offs_of_one_measure_leave_the_others_to_their_quantiles():
    table = rfm.features(LOG)
    mine = rfm.score(table, 3, {"recency": [2, 60], "frequency": []})
    assert mine.table["r_score"].tolist() == [2, 3]
    assert (mine.table["m_score"] == rfm.score(table, 3).table["m_score"]).all()
    assert mine.thresholds.query("measure == 'recency'")["threshold"].tolist() == [60, 2]


def test_own_segments_are_read_and_must_partition():
    rules = rfm.read_rules(["Here: 3-5, 1-5", "Gone, but good:1-2,4-5", "Gone: 1 - 2 , 1-3".replace(" - ", "-")])
    table = rfm.features(LOG)
    assert rfm.segment(rfm.score(table), rules)["segment"].isin(rules["segment"]).all()
    assert rfm.read_rules([]) is rfm.RULES
    for bad, message in (
        (["Here: 1-5, 1-5", "Here: 1, 1"], "has two rules"),
        (["Here: 2-5, 1-5"], "recency level 1 with frequency level 1 belongs to no segment"),
        (["Here: 1-6, 1-5"], "is no rule"),
        (["1-5, 1-5"], "is no rule"),
    ):
        with pytest.raises(ValueError, match=message):
            rfm.read_rules(bad)


def test_a_span_of_levels_that_falls_covers_nothing():
    with pytest.raises(ValueError, match="belongs to no segment"):
        rfm.read_rules(["Here: 5-1, 1-5"])


def test_a_shop_without_revenue_has_no_shares_of_it():
    segmented = rfm.segment(rfm.score(rfm.features(LOG).assign(monetary=0.0)))
    assert rfm.profile(segmented)["share_of_revenue"].isna().all()


def test_revenue_of_products():
    assert rfm.revenue_of(LOG, "product_id").to_dict() == {"x": 15, "y": 11, "z": 0.1}


def test_what_came_later_by_hand():
    customers = pd.Series(["a", "b", "c"])
    after = rfm.later(LOG, customers, pd.Timestamp("2024-02-10"), pd.Timestamp("2024-04-02"))
    assert after["orders"].tolist() == [1, 1, 0] and after["money"].tolist() == [5, 10, 0]
    assert after["came_back"].tolist() == [True, True, False]


# Newcombe, R. G. (1998), Statistics in Medicine 17, 857-872, table I, method 3: Wilson's interval without correction
@pytest.mark.parametrize(
    ("came", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_return_rates_have_the_published_intervals(came, of, low, high):
    back = np.arange(of) < came
    after = pd.DataFrame({"orders": back.astype(int), "money": back * 2.0, "came_back": back})
    row = rfm.by_segment(pd.Series(["Loyal"] * of), after, ["Loyal"]).iloc[0]
    assert round(row["return_rate_low"], 4) == low and round(row["return_rate_high"], 4) == high
    interval = stats.ttest_1samp(after["money"], 0).confidence_interval()
    assert (row["money_low"], row["money_high"]) == pytest.approx((interval.low, interval.high))


def test_a_segment_of_one_has_no_interval_and_one_without_money_no_share():
    after = pd.DataFrame({"orders": [0], "money": [0.0], "came_back": [False]})
    row = rfm.by_segment(pd.Series(["New"]), after, ["Loyal", "New"]).iloc[0]
    assert row["customers"] == 1 and np.isnan(row["money_low"]) and np.isnan(row["share_of_money"])


def test_gains_are_those_of_a_random_order_among_equals():
    rank, outcome = np.array([2, 1, 1, 1, 0]), np.array([1.0, 5.0, 0.0, 1.0, 3.0])
    orders = [p for p in permutations(range(5)) if (np.diff(rank[list(p)]) <= 0).all()]
    wanted = np.mean([np.concatenate([[0], outcome[list(p)].cumsum()]) for p in orders], axis=0) / outcome.sum()
    curve = rfm.gains(rank, outcome)
    found = np.interp(np.arange(6) / 5, curve["share_of_customers"], curve["share_of_outcome"])
    assert found == pytest.approx(wanted)


def test_two_rules_that_choose_alike_do_not_differ():
    outcome = np.random.default_rng(0).exponential(1, 200)
    ranks = {"segment": outcome * 2, "spent most so far": outcome + 1}
    table = rfm.at_depths(ranks, outcome, seed=1, resamples=50)
    assert (table[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)
    best = [np.sort(outcome)[::-1][: int(200 * depth)].sum() / outcome.sum() for depth in table["share_of_customers"]]
    assert table["segment"].to_numpy() == pytest.approx(best)


def test_the_interval_of_the_difference_covers_the_truth():
    # ranks made of a customer's true mean, with little and with much noise: the truth from a million customers
    def drawn(n, rng):
        mean = rng.gamma(1, 1, n)
        ranks = {"segment": np.round(mean + rng.normal(0, 0.3, n)), "spent most so far": mean + rng.normal(0, 1, n)}
        return ranks, rng.poisson(mean).astype(float)

    truth = rfm.at_depths(*drawn(1_000_000, np.random.default_rng(1)), seed=1, resamples=1)["difference"]
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(120):
        table = rfm.at_depths(*drawn(400, rng), seed=3, resamples=200)
        covered.append((table["difference_low"] <= truth) & (truth <= table["difference_high"]))
    share = np.mean(covered)
    # 480 intervals in 120 independent samples: three standard errors of a coverage of 95 % are 6 points
    assert 0.89 <= share <= 1, share


def test_holding_out_uses_nothing_of_what_is_judged():
    held = rfm.hold_out(LOG, rfm.Scheme(), DAY, days=30, seed=1)
    assert held.formed_on == pd.Timestamp("2024-03-04") and held.learned_on == pd.Timestamp("2024-02-03")
    # only a was known on 4 March, and did not come back; b came later and is judged by nobody
    assert held.segments["customers"].tolist() == [1] and held.segments["return_rate"].tolist() == [0]
    assert held.curves == {} and held.depths.empty
    assert rfm.hold_out(LOG, rfm.Scheme(), DAY, days=33, seed=1) is None


def test_moves_by_hand():
    history = rfm.snapshots(LOG, rfm.Scheme(), [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-04-01"), DAY])
    assert history.iloc[1, 0] == rfm.NOT_YET and history.iloc[1, 1] == rfm.NOT_YET
    moves = rfm.flows(history)
    assert moves.groupby("step")["customers"].sum().tolist() == [1, 2]
    matrix = rfm.migration(moves, list(rfm.RULES["segment"]))
    assert matrix.to_numpy().sum() == 3 and matrix.loc[rfm.NOT_YET].sum() == 1
    assert rfm.flows(history[history.columns[:1]]).empty


def test_snapshots_begin_after_the_first_order():
    first, day = pd.Timestamp("2024-01-01"), pd.Timestamp("2024-04-01")
    assert [f"{start:%m-%d}" for start in rfm.month_starts(first, day, 12)] == ["02-01", "03-01", "04-01"]


def random_log():
    """Orders of 300 customers within 300 days of DAY."""
    rng = np.random.default_rng(4)
    orders = pd.DataFrame({"customer_id": np.repeat([f"{i:03d}" for i in range(300)], rng.geometric(0.3, 300))})
    times = DAY - pd.to_timedelta(rng.integers(1, 300, len(orders)), unit="D")
    prices = rng.integers(1, 9_000, len(orders)) / 100
    rows = zip(orders["customer_id"], orders.index.astype(str), times, prices, strict=True)
    return log([(who, order, when, "x", 1, price) for who, order, when, price in rows])


def test_bins_that_are_multiples_keep_every_segment():
    found = rfm.sensitivity(random_log(), rfm.Scheme(), DAY, earlier=[1, 10_000], bins=[5, 10, 3]).set_index("change")
    assert list(found.index) == ["1 day earlier", "10 bins", "3 bins"], "no customer was there 10,000 days ago"
    # each quintile is a decile, and the rules speak of fifths
    assert found.loc["10 bins", ["same_segment", "same_segment_money"]].tolist() == [1, 1]
    here, there = (
        rfm.segment(rfm.score(rfm.features(random_log(), day))).set_index("customer_id")
        for day in (DAY, DAY - pd.Timedelta(days=1))
    )
    both = here.join(there["segment"].rename("other"), how="inner")
    assert found.loc["1 day earlier", "same_segment"] == (both["segment"] == both["other"]).mean()


ASLEEP = rfm.read_rules(["Active: 4-5, 1-5", "Asleep: 1-3, 1-5"])
CUTS = {"recency": [30, 90], "frequency": [], "monetary": [50.5, 200]}


def test_other_bins_are_not_tried_where_cuts_are_given():
    found = rfm.sensitivity(random_log(), rfm.Scheme(3, CUTS), DAY, earlier=[7], bins=[3, 4, 5])
    assert found["change"].tolist() == ["7 days earlier"]


@pytest.mark.parametrize("net", [False, True])
def test_a_scheme_is_features_scores_and_rules_of_any_day(net, tmp_path):
    returns = log([("000", "r", "2023-07-01", "x", -1, 1e6), ("001", "r", "2024-04-02", "x", -1, 1e6)])
    scheme = rfm.Scheme(3, CUTS, net=net, rules=ASLEEP)
    scheme.to_table().to_parquet(tmp_path / "scheme.parquet", index=False)
    kept = pd.read_parquet(tmp_path / "scheme.parquet")
    for day in (DAY, pd.Timestamp("2024-01-01")):
        wanted = rfm.segment(rfm.score(rfm.features(random_log(), day, returns=returns, net=net), 3, CUTS), ASLEEP)
        for one in (scheme, rfm.Scheme.from_table(kept), rfm.Scheme.from_table(kept[::-1])):
            pd.testing.assert_frame_equal(one.on(random_log(), day, returns=returns), wanted)
    assert set(wanted["segment"]) == {"Active", "Asleep"} and (wanted["monetary"] < 0).sum() == net


def test_the_usual_scheme_is_five_bins_and_ten_segments():
    usual = rfm.Scheme.from_table(rfm.Scheme().to_table())
    assert (usual.bins, usual.net, any(usual.cuts.values())) == (5, False, False)
    pd.testing.assert_frame_equal(usual.rules, rfm.RULES)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bins": 11}, "bins = 11; expected 2 to 10"),
        ({"bins": 4, "cuts": CUTS}, r"cut-offs \[30, 90\] of recency; expected 3 rising numbers for 4 bins"),
        ({"cuts": {"money": [1, 2, 3, 4]}}, "cut-offs of money; expected of recency, frequency, monetary"),
        ({"rules": ASLEEP[:1]}, "recency level 1 with frequency level 1 belongs to no segment"),
    ],
)
def test_a_scheme_that_makes_no_segments_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        rfm.Scheme(**given)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("bins", "five", "bins = five in a scheme of segments; expected a whole number"),
        ("bins", "true", "bins = true in a scheme of segments; expected a whole number"),
        ("bins", None, "expected a whole number"),
        ("bins", "99", "bins = 99; expected 2 to 10"),
        ("cuts", "[1, 2]", "expected a list of numbers for each measure"),
        ("cuts", '{"recency": ["1"]}', "expected a list of numbers for each measure"),
        ("cuts", '{"age": [1, 2, 3, 4]}', "cut-offs of age"),
        ("net", "1", "net = 1 in a scheme of segments; expected true or false"),
        ("rules", "[]", "rules = .* expected texts such as"),
        ("rules", '["Active: 4-5, 1-5"]', "belongs to no segment"),
        ("rules", '["Active"]', "'Active' is no rule"),
    ],
)
def test_a_scheme_that_says_what_is_not_known_is_refused(name, value, said):
    table = rfm.Scheme().to_table().astype(object)
    table.loc[table["name"] == name, "value"] = value
    with pytest.raises(ValueError, match=said):
        rfm.Scheme.from_table(table)


def test_another_table_is_no_scheme():
    table = rfm.Scheme().to_table()
    more = pd.DataFrame({"name": ["weights"], "value": ["[1, 2]"]})
    for other in (table[1:], pd.concat([table, table[:1]]), pd.concat([table, more]), table.iloc[:0]):
        with pytest.raises(ValueError, match="expected one row each for bins, cuts, net, rules"):
            rfm.Scheme.from_table(other)
    with pytest.raises(ValueError, match="columns customer_id, segment; expected a scheme with name, value"):
        rfm.Scheme.from_table(pd.DataFrame({"customer_id": ["a"], "segment": ["New"]}))
