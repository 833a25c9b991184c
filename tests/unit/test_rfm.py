"""Recency, frequency, monetary value: features, scores, segments, concentration, and whether they hold."""

import re
from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import orders, rfm
from customerlab.analysis.inference import wilson
from customerlab.analysis.orders import Snapshot
from customerlab.analysis.rfm import holdout
from customerlab.analysis.rfm.choosing import DEPTH
from customerlab.codec import from_json, to_json
from customerlab.figures import rfm as figures
from helpers import add_shop, as_written, log, run_cells, stranger_lines

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
    scores, cuts = rfm.scores.score_one(pd.Series([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]), 5)
    assert scores.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5] and cuts.tolist() == [20, 40, 60, 80]
    scores, cuts = rfm.scores.score_one(pd.Series([1, 2, 3, 4]), 2, low_is_good=True)
    assert scores.tolist() == [2, 2, 1, 1] and cuts.tolist() == [3], "fewer than three days score higher"
    assert set(rfm.scores.score_one(pd.Series([7.0] * 9), 5)[0]) == {3}, "no one is better than another"
    assert rfm.scores.score_one(pd.Series([7.0] * 3), 3, cuts=[1, 2])[0].tolist() == [3, 3, 3], (
        "own cut-offs hold for all"
    )
    with pytest.raises(ValueError, match="missing values"):
        rfm.scores.score_one(pd.Series([1.0, np.nan]), 5)


def test_the_default_rules_partition_the_grid_and_others_are_refused():
    rfm.segments.check_rules(rfm.RULES)
    assert len(rfm.RULES) == 10
    with pytest.raises(ValueError, match="belongs to no segment"):
        rfm.segments.check_rules(rfm.RULES[1:])
    doubled = rfm.RULES.assign(r_low=rfm.RULES["r_low"].where(rfm.RULES["segment"] != "New", 4))
    with pytest.raises(ValueError, match=r"New, Promising|Promising, New"):
        rfm.segments.check_rules(doubled)


@pytest.mark.parametrize("bins", range(2, 11))
def test_levels_keep_the_order_and_reach_both_halves(bins):
    found = rfm.segments.levels(pd.Series(range(1, bins + 1)), bins)
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
    scores, cuts = rfm.scores.score_one(days, 3, low_is_good=True, cuts=[30, 365])
    assert scores.tolist() == [3, 3, 2, 2, 1, 1] and cuts.tolist() == [365, 30], "fewer days than the cut-off"
    assert rfm.scores.score_one(pd.Series([1, 2, 3, 10]), 3, cuts=[1, 5])[0].tolist() == [1, 2, 2, 3], (
        "more than the cut-off"
    )
    for bad in ([30], [365, 30], [30, 30]):
        with pytest.raises(ValueError, match="expected 2 rising numbers for 3 bins"):
            rfm.scores.score_one(days, 3, cuts=bad)
    for bins in (1, 11):
        with pytest.raises(ValueError, match="expected 2 to 10"):
            rfm.scores.score_one(days, bins)


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


@pytest.mark.parametrize(
    ("bins", "cuts"), [(5, {}), (3, {"recency": [30.5, 90], "frequency": [1, 2.5]}), (10, {}), (2, {})]
)
def test_definitions_hold_of_every_customer_of_a_segment(bins, cuts):
    """The days and orders of a definition are those of the customers of the segment, and of no other customer."""
    scored = rfm.score(rfm.features(random_log()), bins, cuts)
    table, found = rfm.segment(scored), rfm.definitions(scored).set_index("segment")
    inside = {}
    for name, row in found.iterrows():
        ends = [within(row[measure], table[measure]) for measure in ("recency", "frequency")]
        inside[name] = ends[0] & ends[1]
        assert (inside[name] == (table["segment"] == name)).all(), name
    assert sum(inside.values()).tolist() == [1] * len(table)
    assert found["action"].tolist() == list(rfm.ACTIONS.values()) and list(rfm.ACTIONS) == list(rfm.RULES["segment"])


def within(said, values):
    """Which values lie in a range as it is written."""
    if said is None or pd.isna(said) or said == "no customers":
        return values.isna()
    low, high = ([int(n) for n in re.findall(r"\d+", said)] * 2)[:2]
    return values.between(low, np.inf if "more" in said else high)


def test_a_measure_without_differences_is_defined_by_all_customers():
    once = log([(c, c, f"2024-01-{day:02d}", "x", 1, 1.0) for day, c in enumerate("abcdefgh", 1)])
    found = rfm.definitions(rfm.score(rfm.features(once))).set_index("segment")["frequency"]
    assert set(found[["Need attention", "Potential loyalists", "At risk"]]) == {"all customers"}
    assert found["Champions"] == "no customers"


def test_rates_by_score_are_those_of_the_customers_with_it():
    rng = np.random.default_rng(6)
    scores = {name: rng.integers(1, 4, 600) for name in rfm.scores.MEASURES}
    done = after((rng.random(600) < 0.2 * scores["f_score"]) * 5.0).assign(**scores)
    table = holdout.by_score(done).set_index(["measure", "score"])
    for name, measure in rfm.scores.MEASURES.items():
        wanted = done.groupby(name)["came_back"].mean()
        assert table.loc[measure, "repurchase_rate"].to_dict() == pytest.approx(wanted.to_dict())
    (said,) = rfm.by_scores(table.reset_index(), 90)
    assert (
        said.startswith("The frequency score has the widest range of repurchase rates within 90 days: ")
        and "at score 3" in said
    )
    text = rfm.rates_by_score(table.reset_index())
    assert list(text) == ["score", "recency", "frequency", "monetary"] and text["score"].tolist() == [3, 2, 1]
    best = table.loc[("frequency", 3)]
    ends = f"({best['repurchase_rate_low']:.0%} to {best['repurchase_rate_high']:.0%})"
    assert text["frequency"][0] == f"{best['repurchase_rate']:.0%} {ends}"
    few = holdout.by_score(done[:20])
    assert rfm.by_scores(few, 90) == [] and set(rfm.rates_by_score(few)["recency"]) == {"too few to tell"}


def test_stability_is_of_the_earlier_days():
    change = pd.DataFrame(
        {"change": ["7 days earlier", "28 days earlier", "3 bins"], "same_segment": [0.89, 0.62, 0.5]}
    )
    assert rfm.by_stability(change) == [
        "Recompute segments before each campaign: 89% of customers had the same segment 7 days earlier and 62% 28 days earlier."
    ]
    assert rfm.by_stability(change[:1].assign(same_segment=0.95))[0].startswith("Segments are stable: 95%")
    assert rfm.by_stability(change[2:]) == []


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
    after = orders.later(LOG, customers, pd.Timestamp("2024-02-10"), pd.Timestamp("2024-04-02"))
    assert after["orders"].tolist() == [1, 1, 0] and after["money"].tolist() == [5, 10, 0]
    assert after["came_back"].tolist() == [True, True, False]


# Newcombe, R. G. (1998), Statistics in Medicine 17, 857-872, table I, method 3: Wilson's interval without correction
NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("came", "of", "low", "high"), NEWCOMBE)
def test_proportions_have_the_published_intervals(came, of, low, high):
    found = wilson(pd.Series([came / of]), pd.Series([of]))
    assert [round(end.iloc[0], 4) + 0 for end in found] == [low, high]


def after(money, who=None):
    """What customers did later, from their money; those without any stayed away."""
    money = np.asarray(money, dtype=float)
    ids = np.arange(len(money)) if who is None else who
    table = pd.DataFrame({"customer_id": ids, "orders": (money != 0) * 1, "gross": money, "money": money})
    return table.assign(came_back=money != 0)


def test_repurchase_rates_have_the_published_interval_and_mean_money_that_of_scipy():
    came, of, low, high = NEWCOMBE[0]
    done = after((np.arange(of) < came) * (2.0 + np.arange(of)))
    row = rfm.holdout.by_segment(pd.Series(["Loyal"] * of), done, ["Loyal"]).iloc[0]
    assert round(row["repurchase_rate_low"], 4) == low and round(row["repurchase_rate_high"], 4) == high
    interval = stats.ttest_1samp(done["money"], 0).confidence_interval()
    assert (row["money_low"], row["money_high"]) == pytest.approx((interval.low, interval.high))
    assert row["median_back"] == np.median(2.0 + np.arange(came))


def test_customers_who_are_in_several_windows_count_once_in_intervals():
    money, who = np.where(np.arange(100) < 40, 3.0, 0.0), np.arange(100)
    once = rfm.holdout.by_segment(pd.Series(["New"] * 100), after(money), ["New"]).iloc[0]
    thrice = after(np.tile(money, 3), np.tile(who, 3))
    three = rfm.holdout.by_segment(pd.Series(["New"] * 300), thrice, ["New"]).iloc[0]
    # all three windows alike: three times as many rows know nothing more
    names = [
        "repurchase_rate",
        "repurchase_rate_low",
        "repurchase_rate_high",
        "money",
        "money_low",
        "money_high",
        "largest",
    ]
    assert three[names].tolist() == pytest.approx(once[names].tolist()) and three["customers"] == 300
    apart = rfm.holdout.by_segment(pd.Series(["New"] * 300), after(np.tile(money, 3)), ["New"]).iloc[0]
    assert apart["repurchase_rate_low"] > once["repurchase_rate_low"], "three hundred customers would"


@pytest.mark.parametrize(("came", "told"), [(19, False), (20, True)])
def test_few_who_came_back_give_no_interval(came, told):
    row = rfm.holdout.by_segment(pd.Series(["New"] * 50), after((np.arange(50) < came) * 5.0), ["New"]).iloc[0]
    ends = [f"{name}_{end}" for name in ("repurchase_rate", "money") for end in ("low", "high")]
    assert row[ends].notna().all() == row[ends].notna().any() == told


def test_a_segment_that_one_customer_makes_is_marked_by_his_share():
    done = after([90.0, 5.0, 5.0, 20.0, 20.0, -10.0], ["a", "b", "c", "d", "e", "f"])
    table = rfm.holdout.by_segment(pd.Series(["New"] * 3 + ["Loyal"] * 3), done, ["Loyal", "New"])
    assert table["largest"].tolist() == [0.4, 0.9]
    assert rfm.by_influence(table[table["segment"] == "New"], "revenue") == [
        "One customer accounts for 10% or more of revenue in New (90%)."
    ]
    assert rfm.by_influence(table.assign(largest=0.099), "revenue") == []


def test_a_segment_of_one_has_no_interval_and_one_without_money_no_share():
    row = rfm.holdout.by_segment(pd.Series(["New"]), after([0.0]), ["Loyal", "New"]).iloc[0]
    assert row["customers"] == 1 and np.isnan(row["money_low"]) and np.isnan(row["share_of_money"])


def test_gains_are_those_of_a_random_order_among_equals():
    rank, outcome = np.array([2, 1, 1, 1, 0]), np.array([1.0, 5.0, 0.0, 1.0, 3.0])
    orders = [p for p in permutations(range(5)) if (np.diff(rank[list(p)]) <= 0).all()]
    wanted = np.mean([np.concatenate([[0], outcome[list(p)].cumsum()]) for p in orders], axis=0) / outcome.sum()
    curve = rfm.choosing.gains(rank, outcome)
    found = np.interp(np.arange(6) / 5, curve["share_of_customers"], curve["share_of_outcome"])
    assert found == pytest.approx(wanted)


def drawn_windows(rng, customers=400, windows=3, noise=(0.3, 1.0)):
    """Customers of some true mean, who bring a Poisson amount of money in each window; noisy ranks and segments."""
    mean = rng.gamma(1, 1, customers)
    frames = []
    for number in range(windows):
        money = rng.poisson(mean).astype(float)
        frames.append(
            pd.DataFrame(
                {
                    "customer_id": np.arange(customers),
                    "segment": np.round(mean + rng.normal(0, noise[0], customers)).astype(int).astype(str),
                    "frequency": rng.permutation(customers),
                    "monetary": mean + rng.normal(0, noise[1], customers),
                    "money": money,
                    "came_back": money > 0,
                    "formed_on": pd.Timestamp("2024-01-01") + pd.Timedelta(days=90 * number),
                }
            )
        )
    return frames


def test_rules_are_compared_by_what_the_customers_they_choose_bring():
    windows = drawn_windows(np.random.default_rng(0), customers=200)
    table = rfm.choosing.compare_rules(windows, seed=1, resamples=20)
    assert table["formed_on"].nunique() == 2, "the first window only teaches"
    above, below = table["high"] - table["difference"], table["difference"] - table["low"]
    assert above.to_numpy() == pytest.approx(below.to_numpy()) and (above > 0).mean() > 0.9
    for (past, now), (_, part) in zip([windows[:2], windows[1:]], table.groupby("formed_on"), strict=True):
        paid = past.groupby("segment")["money"].mean()
        rows = part[part["outcome"] == "revenue"].set_index(["against", "chosen"])
        for depth in (0.1, 0.2, 0.3, 0.5):
            best = now.sort_values("monetary", ascending=False)["money"][: int(200 * depth)].sum() / now["money"].sum()
            assert rows.loc[("past spend", depth), "by_rule"] == pytest.approx(best)
            rank = now["segment"].map(paid).fillna(0.0).to_numpy()
            curve = rfm.choosing.gains(rank, now["money"].to_numpy())
            ours = np.interp(depth, curve["share_of_customers"], curve["share_of_outcome"])
            assert rows.loc[("past spend", depth), "by_segment"] == pytest.approx(ours)
    mean = table[table["formed_on"].isna()].set_index(["outcome", "against", "chosen"])["difference"]
    single = table[table["formed_on"].notna()].groupby(["outcome", "against", "chosen"])["difference"].mean()
    assert mean.sort_index().to_numpy() == pytest.approx(single.sort_index().to_numpy())
    shared = rfm.choosing.mean_gains(windows, "revenue")["past spend"].set_index("share_of_customers")[
        "share_of_outcome"
    ]
    at = table[table["formed_on"].isna() & (table["against"] == "past spend") & (table["outcome"] == "revenue")]
    assert shared.loc[at["chosen"]].to_numpy() == pytest.approx(at["by_rule"].to_numpy())


def test_the_table_of_choices_begins_with_the_means_that_decide():
    choices = rfm.choosing.compare_rules(drawn_windows(np.random.default_rng(0), customers=200), seed=1, resamples=20)
    table = rfm.choice_table(choices)
    assert len(table) == 16 + 2 * 4 and table["p (Holm)"].notna().tolist() == [True] * 4 + [False] * 20
    assert table["window"].tolist()[::4] == ["all"] * 4 + ["from 2024-03-31", "from 2024-06-29"]
    first = choices[choices["formed_on"].isna() & (choices["chosen"] == 0.2) & (choices["outcome"] == "revenue")].iloc[
        0
    ]
    assert table.iloc[0][["outcome", "plain rule"]].tolist() == ["revenue", first["against"]]
    assert table["95% CI"].iloc[0] == f"{-100 * first['high']:+.1f} to {-100 * first['low']:+.1f}"
    assert table["rule less segment"].to_numpy() == pytest.approx(100 * (table["by rule"] - table["by segment"]))


def test_two_rules_that_choose_alike_do_not_differ():
    windows = [one.assign(frequency=1) for one in drawn_windows(np.random.default_rng(0), 200)]
    windows = [one.assign(segment="all", monetary=7.0) for one in windows]
    table = rfm.choosing.compare_rules(windows, seed=1, resamples=20)
    assert table["difference"].abs().max() < 1e-12 and (table["pvalue"] > 0.99).all()
    assert table["by_rule"].to_numpy() == pytest.approx(table["chosen"].to_numpy()), "nobody is chosen before another"


def test_where_everybody_came_back_rules_are_compared_by_revenue_alone():
    windows = [one.assign(came_back=True) for one in drawn_windows(np.random.default_rng(0), 200)]
    table = rfm.choosing.compare_rules(windows, seed=1, resamples=20)
    assert set(table["outcome"]) == {"revenue"} and (table["high"] > table["low"]).all()
    assert table["pvalue_holm"].notna().sum() == 2


def test_rules_that_find_all_who_come_back_are_compared():
    windows = drawn_windows(np.random.default_rng(0))
    for one in windows:
        one["came_back"] = one["customer_id"] < 60
        one["money"] = one["came_back"] * (1.0 + one["customer_id"] % 7)
        one["frequency"] = one["monetary"] = one["came_back"] * 9.0 + one["customer_id"] / 1e6
        one["segment"] = one["came_back"].map({True: "9", False: "1"})
    table = rfm.choosing.compare_rules(windows, seed=1, resamples=20)
    back = table[table["outcome"] != "revenue"]
    assert len(back) == len(table) / 2 and (back["pvalue"] == 1).any()


@pytest.mark.thorough
def test_the_interval_of_the_difference_covers_the_truth():
    # the truth from customers so many that chance is gone
    at = ["difference", "low", "high"]
    keep = lambda table: table[table["formed_on"].isna() & (table["chosen"] == DEPTH)][at]  # noqa: E731
    truth = keep(rfm.choosing.compare_rules(drawn_windows(np.random.default_rng(1), 200_000, 2), seed=1, resamples=2))
    rng, covered = np.random.default_rng(2), []
    for _ in range(100):
        found = keep(rfm.choosing.compare_rules(drawn_windows(rng, windows=2), seed=3, resamples=50))
        covered.append((found["low"] <= truth["difference"]) & (truth["difference"] <= found["high"]))
    # 400 intervals in 100 independent samples: three standard errors of a coverage of 95% are 6.5 points
    assert 0.885 <= np.mean(covered) <= 1, np.mean(covered)


def held_of(windows):
    """A hold-out of given windows."""
    known = [
        one.assign(until=one["formed_on"] + pd.Timedelta(days=90), gross=one["money"], orders=1) for one in windows
    ]
    judged = pd.concat(known[1:])
    order = sorted(judged["segment"].unique())
    return rfm.holdout.Holdout(
        pd.DataFrame([holdout._window(one) for one in known[1:]]),
        rfm.holdout.by_segment(judged["segment"], judged, order),
        pd.DataFrame(),
        pd.DataFrame(),
        {},
        rfm.choosing.compare_rules(known, seed=1, resamples=50),
    )


def test_a_verdict_on_a_handful_is_none():
    rng = np.random.default_rng(3)
    windows = drawn_windows(rng, customers=60)
    few = [one.assign(came_back=np.arange(60) < 3, money=(np.arange(60) < 3) * 9.0) for one in windows]
    held = held_of(few)
    assert held.choices.empty
    assert rfm.by_choice(held, 90) == [
        "Segments against plain rules: too few to tell (3 ordered again in any window of 90 days)."
    ]
    assert "too few to tell (" in rfm.by_rate(held, 90)


def test_the_better_rule_is_named_where_it_is_better_and_none_where_nothing_is():
    rng = np.random.default_rng(5)
    # segments of noise against the true mean, and the other way round
    plain, segments = (held_of(drawn_windows(rng, 2_000, noise=noise)) for noise in ((50.0, 0.1), (0.1, 50.0)))
    said = rfm.by_choice(plain, 90)[0]
    assert said.lead == "Rank customers by past spend rather than by segment to predict who will spend"
    # in favour of the rule that is named: the signs of the table are those of the segment less the rule
    at = plain.choices[plain.choices["formed_on"].isna() & (plain.choices["chosen"] == DEPTH)]
    row = at[(at["outcome"] == "revenue") & (at["against"] == "past spend")].iloc[0]
    assert (
        f"account for {row['by_rule']:.0%} of net revenue within 90 days, against {row['by_segment']:.0%} by segment"
        in said
    )
    assert f"({-100 * row['difference']:+.1f} percentage points, unadjusted 95% CI {-100 * row['high']:+.1f} to" in said
    said = rfm.by_choice(segments, 90)[0]
    assert re.match(
        r"Rank customers by segment rather than by [a-z ]+ to predict who will spend. The top 20% account for", said
    )
    nothing = rfm.by_choice(held_of(drawn_windows(rng, 2_000, noise=(50.0, 50.0))), 90)
    assert all("are not significantly different" in said for said in nothing[:-1])
    assert nothing[-1].startswith("These rankings predict who will order, not whom a contact changes")


def test_holding_out_uses_nothing_of_what_is_judged():
    held = rfm.hold_out(Snapshot(LOG, DAY), rfm.Scheme(), days=30, seed=1)
    assert held.windows["formed_on"].tolist() == [pd.Timestamp("2024-03-04")]
    # only a was known on 4 March, and did not come back; b came later and is judged by nobody
    assert held.segments["customers"].tolist() == [1] and held.segments["repurchase_rate"].tolist() == [0]
    assert held.scores.groupby("measure")["customers"].sum().to_dict() == dict.fromkeys(rfm.scores.MEASURES.values(), 1)
    assert held.curves == {"revenue": {}, "repeat customers": {}} and held.choices.empty
    assert rfm.hold_out(Snapshot(LOG, DAY), rfm.Scheme(), days=33, seed=1) is None


@pytest.mark.slow
def test_windows_follow_one_another_as_far_as_the_log_reaches():
    windows = rfm.holdout.followed(Snapshot(random_log(), DAY), rfm.Scheme(), days=60)
    assert [f"{one['formed_on'].iloc[0]:%Y-%m-%d}" for one in windows] == [
        "2023-08-07", "2023-10-06", "2023-12-05", "2024-02-03"
    ]  # fmt: skip
    assert all((a["until"].iloc[0] == b["formed_on"].iloc[0]) for a, b in pairwise(windows))
    assert windows[-1]["until"].iloc[0] == DAY
    assert len(rfm.holdout.followed(Snapshot(random_log(), DAY), rfm.Scheme(), days=7)) == rfm.holdout.WINDOWS + 1, (
        "the latest of many"
    )


@pytest.mark.slow
def test_later_money_is_net_and_orders_are_those_placed():
    rows = [(f"c{i:02d}", f"{i}-{n}", f"2024-0{n + 1}-10", "x", 1, 10.0) for i in range(30) for n in range(3)]
    big = [("c00", "big", "2024-03-20", "pot", 1_000, 9.0)]
    returns = log([("c00", "C1", "2024-03-21", "pot", -1_000, 9.0), ("c01", "C2", "2024-03-22", "x", -3, 10.0)])
    held = rfm.hold_out(Snapshot(log(rows + big), pd.Timestamp("2024-04-01"), returns), rfm.Scheme(), days=29, seed=1)
    window = held.windows.iloc[-1]
    assert window["gross"] == 9_300 and window["money"] == 270, "without the annulled order, and three that came back"
    assert (held.by_window["came_back"] == held.by_window["customers"]).all()
    one = held.segments.iloc[0]
    assert one["largest_gross"] > 0.9 and one["largest"] < 0.1


def test_waits_by_hand():
    # a: 30 January, 10 February (23:59), then to 2 April, the last day known; b: 1 and 2 April
    found = rfm.waits(LOG, DAY)
    assert found.values.tolist() == [["a", 1, 11, True], ["a", 2, 52, False], ["b", 1, 1, True], ["b", 2, 0, False]]
    twice = log([("a", "1", "2024-01-01 08:00", "x", 1, 1.0), ("a", "2", "2024-01-01 20:00", "x", 1, 1.0)])
    assert rfm.waits(twice, pd.Timestamp("2024-01-05")).values.tolist() == [["a", 1, 3, False]], "one occasion"


def test_repurchase_rates_are_those_of_scipy_and_intervals_know_that_a_customer_has_several():
    rng = np.random.default_rng(7)
    n = 400
    days, last = rng.exponential(60, n).astype(int) + 1, rng.integers(1, 200, n)
    waits = pd.DataFrame({"customer_id": np.arange(n), "number": 1, "days": np.minimum(days, last)})
    waits["ended"] = days <= last
    found = rfm.repurchase(waits, [30, 90]).set_index(["after", "days"])
    censored = stats.CensoredData(uncensored=waits["days"][waits["ended"]], right=waits["days"][~waits["ended"]])
    cdf = stats.ecdf(censored).cdf
    assert found.loc["first", "share"].to_numpy() == pytest.approx(cdf.evaluate([30, 90]))
    # Greenwood's interval on log(-log), by scipy of the survival function
    steps = stats.ecdf(censored).sf.confidence_interval(method="log-log")
    greenwood = [1 - end.evaluate([30, 90]) for end in (steps.high, steps.low)]
    assert np.allclose(found.loc["first", ["low", "high"]].to_numpy().T, greenwood, atol=0.002)
    tripled = pd.concat([waits.assign(number=number) for number in (1, 2, 3)])
    every = rfm.repurchase(tripled, [30, 90]).set_index(["after", "days"])
    columns = ["share", "low", "high"]
    assert every.loc["any", columns].to_numpy() == pytest.approx(found.loc["first", columns].to_numpy())


def test_a_log_too_short_to_follow_gives_no_rate():
    waits = pd.DataFrame({"customer_id": range(40), "number": 1, "days": [5] * 30 + [60] * 10})
    table = rfm.repurchase(waits.assign(ended=waits["days"] == 5), [5, 50]).set_index(["after", "days"])
    assert table.loc[("first", 5), "share"] == 0.75 and np.isnan(table.loc[("first", 50), "share"])
    assert table.loc["third", ["share", "low"]].isna().all(axis=None) and "third" not in rfm.curves(
        waits.assign(ended=True)
    )
    few = pd.DataFrame({"customer_id": range(60), "number": 1, "days": 200}).assign(ended=lambda t: t.index < 5)
    said = rfm.by_repurchase(rfm.repurchase(few, [30, 90]))
    assert said[0] == "Repurchase rate within 90 days of the first order: too few to tell (0 ordered again)."
    last = table.loc[("first", 5)]
    assert rfm.by_repurchase(table.reset_index(), 5)[0] == (
        f"75% of customers order again within 5 days of the first order (95% CI {last['low']:.0%} to {last['high']:.0%}, "
        "Kaplan-Meier, n = 40)."
    )
    assert rfm.by_repurchase(table.reset_index(), 5)[1].startswith(
        "75% of orders are followed by another within 5 days ("
    )


def test_who_spends_most_in_segments_that_money_plays_no_part_in():
    money = np.random.default_rng(8).lognormal(3, 1, 300).round(2)
    table = rfm.segment(rfm.score(rfm.features(random_log()).assign(monetary=money)))
    found = rfm.high_spenders(table).set_index("segment")
    best = table[table["m_score"] == 5]
    assert found["customers"].to_dict() == best["segment"].value_counts().to_dict()
    assert found["revenue"].sum() == pytest.approx(best["monetary"].sum())
    low = {s for s, own in table.groupby("segment") if own["monetary"].median() < table["monetary"].median()}
    assert set(found.index[found["low"]]) == low & set(best["segment"])
    said = rfm.by_money(found.reset_index(), len(table), "EUR")
    assert f"{found['customers'][found['low']].sum():,} of {len(best):,} customers" in said
    assert rfm.high_spenders(table.assign(m_score=3)).empty and "No customer" in rfm.by_money(
        rfm.high_spenders(table.assign(m_score=3)), len(table), "EUR"
    )


def test_gross_stands_beside_net_in_the_profile():
    taken = log([("000", "r", "2024-04-01", "x", -1, 50.0)])
    net = rfm.profile(rfm.Scheme(net=True).on(Snapshot(random_log(), DAY, taken)), net=True)
    gross = rfm.profile(rfm.Scheme().on(Snapshot(random_log(), DAY)))
    assert net["customers"].tolist() == gross["customers"].tolist(), "segments are formed by orders as placed"
    assert net["gross"].to_numpy() == pytest.approx(gross["revenue"].to_numpy())
    assert net["revenue"].sum() == pytest.approx(gross["revenue"].sum() - 50)


def test_moves_by_hand():
    history = rfm.snapshots(
        Snapshot(LOG, DAY), rfm.Scheme(), [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-04-01"), DAY]
    )
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
    found = rfm.sensitivity(Snapshot(random_log(), DAY), rfm.Scheme(), earlier=[1, 10_000], bins=[5, 10, 3]).set_index(
        "change"
    )
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
    found = rfm.sensitivity(Snapshot(random_log(), DAY), rfm.Scheme(3, CUTS), earlier=[7], bins=[3, 4, 5])
    assert found["change"].tolist() == ["7 days earlier"]


@pytest.mark.slow
@pytest.mark.parametrize("net", [False, True])
def test_a_scheme_is_features_scores_and_rules_of_any_day(net):
    returns = log([("000", "r", "2023-07-01", "x", -1, 1e6), ("001", "r", "2024-04-02", "x", -1, 1e6)])
    scheme = rfm.Scheme(3, CUTS, net=net, rules=ASLEEP)
    for day in (DAY, pd.Timestamp("2024-01-01")):
        wanted = rfm.segment(rfm.score(rfm.features(random_log(), day, returns=returns, net=net), 3, CUTS), ASLEEP)
        for one in (scheme, from_json(to_json(scheme))):
            pd.testing.assert_frame_equal(one.on(Snapshot(random_log(), day, returns)), wanted)
    assert set(wanted["segment"]) == {"Active", "Asleep"} and (wanted["monetary"] < 0).sum() == net


def test_the_usual_scheme_is_five_bins_and_ten_segments():
    usual = from_json(to_json(rfm.Scheme()))
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


def test_of_few_high_spenders_no_number_is_said():
    table = pd.DataFrame(
        {"segment": ["a", "b", "c"], "customers": [30, 2, 8], "revenue": [90.0, 9.0, 20.0], "low": [False, True, True]}
    )
    assert "2 in b and 8 in c" in rfm.by_money(table, 100, "EUR")
    assert "some in b and some in c" in rfm.by_money(table, 100, "EUR", 5)
    assert "Fewer than 50 customers" in rfm.by_money(table, 100, "EUR", 50)


def test_the_grid_shows_no_cell_of_few_and_none_that_tells_of_them():
    pairs = [(1, 1, "a", 2), (2, 1, "a", 9), (1, 2, "b", 40), (2, 2, "b", 50)]
    table = pd.DataFrame(
        [(r, f, s) for r, f, s, n in pairs for _ in range(n)], columns=["r_score", "f_score", "segment"]
    )
    rules = rfm.read_rules(["a: 1-5, 1-2", "b: 1-5, 3-5"])
    texts = [text.get_text() for text in figures.grid(table, 2, 5, rules).figure.axes[0].texts]
    assert texts == ["–", "–", "40", "50", "a", "b"]
    assert "2 have too few to be shown" in figures.grid(table, 2, 5).alt
    assert [text.get_text() for text in figures.grid(table, 2).figure.axes[0].texts][:4] == ["2", "9", "40", "50"]


@pytest.mark.thorough
@pytest.mark.slow
def test_ids_are_shown_where_a_parameter_asks_for_them(project, said, monkeypatch):
    add_shop(project, as_written(stranger_lines()))
    for asked, shown in ((False, "Customer A"), (True, "100")):
        said.clear()
        run_cells(project, "02_rfm", monkeypatch, run="my_shop", show_ids=asked)
        (table,) = [text for text in said if "rows of the campaign table" in text]
        assert (shown in table.split()) or shown in table
        assert ("Customer A" in table) != asked


def test_what_is_recorded_of_a_scheme_is_what_its_tables_show():
    held = rfm.hold_out(Snapshot(LOG, DAY), rfm.Scheme(), days=30, seed=1)
    change = pd.DataFrame({"change": ["7 days earlier", "3 bins"], "same_segment": [0.9, 0.5]})
    found = rfm.recorded(held, change)
    mean = held.choices[held.choices["formed_on"].isna() & (held.choices["chosen"] == DEPTH)].dropna(subset="low")
    assert len(found) == len(mean) + 1 and found["same_segment_7_days_earlier"] == 0.9
    for row in mean.itertuples():
        wanted = [row.difference, row.low, row.high]
        assert found[f"{row.outcome}_against_{row.against}".replace(" ", "_")] == pytest.approx(wanted)
    assert rfm.recorded(None, change) == {"same_segment_7_days_earlier": 0.9}
