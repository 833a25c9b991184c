"""Published numbers of published data; skipped where the data are not on this machine."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import clustering, experiment, explore, recommend, rfm
from customerlab.data.engine import connect, open_table

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def online_retail(real_table):
    prepared = real_table("online_retail", "transactions")
    return open_table(connect(), prepared.path), prepared.report


def test_the_row_ladder(online_retail):
    _, report = online_retail
    assert [step["rows_left"] for step in report["ladder"]] == [541_909, 406_829, 397_924, 397_884]
    assert [step["rows_removed"] for step in report["ladder"]][1:] == [135_080, 8_905, 40]
    assert float(report["ladder"][-1]["amount_left"]) == 8_911_407.904


def test_totals_are_those_of_the_publication(online_retail):
    totals = explore.totals(online_retail[0])
    assert totals[["customers", "orders", "lines"]].tolist() == [4_338, 18_532, 397_884]
    assert totals["revenue"] == 8_911_407.904
    assert str(totals["first"]) == "2010-12-01 08:26:00" and str(totals["last"]) == "2011-12-09 12:50:00"
    last = explore.by_month(online_retail[0]).iloc[-1]
    assert last["partial"] and last["days"] == 9


def test_returns_are_the_cancelled_lines_of_known_customers(online_retail, real_table, root):
    returned = pd.read_parquet(real_table("online_retail", "returns").path)
    steps = online_retail[1]["ladder"]
    # no other line is below zero, so the money of the cancellations is the step of the ladder
    assert len(returned) == 8_905 and returned["order_id"].str.startswith("C").all()
    assert str(returned["amount"].sum()) == steps[2]["amount_removed"]
    assert (returned["amount"] < 0).all() and (returned["quantity"] < 0).all()


def test_customers(online_retail):
    table = rfm.features(online_retail[0])
    assert (table["frequency"] == 1).sum() == 1_493
    assert table["frequency"].mean() == pytest.approx(4.27, abs=0.005) and table["frequency"].median() == 2
    assert round(table["monetary"].mean()) == 2_054 and round(table["monetary"].median()) == 674
    assert rfm.concentration(table["monetary"]).top["share_of_revenue"].iloc[-1] == pytest.approx(0.746, abs=0.0005)
    known = table.set_index("customer_id").loc[["12346", "12347", "12348"]]
    assert known["frequency"].tolist() == [1, 7, 4]
    assert known["monetary"].round(2).tolist() == [77_183.60, 4_310.00, 1_797.24]
    # last orders on 18 January, 7 December and 25 September 2011; as of 10 December
    assert known["recency"].tolist() == [326, 3, 76]


def test_what_segments_did_next_agrees_with_a_plain_count(online_retail, real_table):
    table = online_retail[0]
    held = rfm.hold_out(table, rfm.Scheme(), pd.Timestamp("2011-12-10"), days=90, seed=1)
    lines = pd.read_parquet(real_table("online_retail", "transactions").path)
    lines["amount"] = lines["amount"].astype(float)
    early = lines[lines["ordered_at"] < held.formed_on]
    late = lines[lines["ordered_at"] >= held.formed_on]
    spent = early.groupby("customer_id")["amount"].sum().sort_values(ascending=False)
    money = (
        late[late["customer_id"].isin(spent.index)]
        .groupby("customer_id")["amount"]
        .sum()
        .reindex(spent.index)
        .fillna(0)
    )
    assert (held.segments["customers"] * held.segments["return_rate"]).sum() == pytest.approx((money > 0).sum())
    assert (held.segments["customers"] * held.segments["money"]).sum() == pytest.approx(money.sum())
    naive = held.depths.query("outcome == 'later money'")["spent most so far"]
    shares = np.interp(
        np.array([0.1, 0.2, 0.3, 0.5]) * len(spent), np.arange(1, len(spent) + 1), money.cumsum() / money.sum()
    )
    assert naive.to_numpy() == pytest.approx(shares)


def test_equal_values_get_equal_scores_where_ranks_would_not(online_retail):
    table = rfm.features(online_retail[0])
    again = table.sample(frac=1, random_state=5)
    scores = rfm.score(table).table.set_index("customer_id")[list(rfm.SCORES)]
    shuffled = rfm.score(again).table.set_index("customer_id")[list(rfm.SCORES)].loc[scores.index]
    assert (scores == shuffled).all(axis=None)
    by_rank = [
        pd.qcut(t.set_index("customer_id")["frequency"].rank(method="first"), 5, labels=False) for t in (table, again)
    ]
    assert (by_rank[0] != by_rank[1].loc[by_rank[0].index]).sum() > 400, "what this guards against"


def test_raw_features_reward_a_fence_around_the_big_spenders(online_retail):
    """The published trap: without the logarithm, two clusters of 4,312 and 26 have the best silhouette, 0.90."""
    table = rfm.features(online_retail[0])
    names = ["recency", "frequency", "monetary"]
    points = clustering.fit_space(table, names, transform="none").points(table)
    judged = clustering.judge(points, [2, 3, 4], 7, methods={"K-Means": clustering.METHODS["K-Means"]})
    found = judged.table.loc["K-Means 2"]
    sizes = sorted(pd.Series(judged.labels["K-Means 2"]).value_counts())
    assert found["silhouette"] == judged.table["silhouette"].max() == pytest.approx(0.90, abs=0.01) and sizes[0] < 40
    assert found["adjusted_rand"] < 0.7 and judged.recommended == ""
    assert found["reasons"][0] == "smallest cluster 0.6% of customers"
    assert found["reasons"][1].startswith("not found again")
    points = clustering.fit_space(table, names).points(table)
    labels = clustering.fit_all(points, [2], 7)["K-Means 2"].predict(points)
    assert min(np.bincount(labels)) > 0.3 * len(labels)


def test_recommenders_reach_the_published_baselines(online_retail):
    split = recommend.split_by_time(online_retail[0], 28, pattern=r"^\d{5}")
    assert len(split.warm) == 1_301
    models = [recommend.Popularity(), recommend.PersonalFrequency()]
    table = (
        recommend.summary(recommend.evaluate(split, models, 10), 7).query("task == 'all'").set_index("model")["ndcg"]
    )
    assert round(table["popularity"], 3) == 0.143
    assert round(table["personal frequency"], 3) == 0.353


def test_recommendations_are_of_what_was_kept(online_retail, real_table):
    table = online_retail[0]
    returns = open_table(connect(), real_table("online_retail", "returns").path)
    split = recommend.split_by_time(table, 28, pattern=r"^\d{5}", returns=returns)
    sums = split.accounting.set_index("what")["customers"]
    assert len(split.warm) == sums["evaluated"] < 1_301 and sums["left out: bought from the cut on and returned"] > 0
    today = recommend.whole_log(table, pattern=r"^\d{5}", returns=returns)
    # 12346 sent back all 74,215 jars; 16446 all 80,995 paper crafts, twelve minutes after, and owns two brushes
    assert "12346" not in today.customers and "16446" in today.customers
    lists = recommend.recommend(today, recommend.EASE().fit(today), 10)
    assert recommend.returned_in_full(lists, table, returns) == 0
    assert "23843" not in set(lists[lists["customer_id"] == "16446"]["product_id"])
    old = recommend.whole_log(table, pattern=r"^\d{5}")
    assert recommend.returned_in_full(recommend.recommend(old, recommend.EASE().fit(old), 10), table, returns) > 0


def test_shuffled_rows_change_nothing(online_retail):
    table, _ = online_retail
    shuffled = ibis.memtable(table.to_pandas().sample(frac=1, random_state=1))
    shuffled = shuffled.mutate(amount=shuffled.amount.cast("decimal(18, 4)"))
    pd.testing.assert_frame_equal(rfm.features(shuffled), rfm.features(table))
    pd.testing.assert_frame_equal(explore.by_month(shuffled), explore.by_month(table))
    one, two = (recommend.split_by_time(t, 28, pattern=r"^\d{5}") for t in (table, shuffled))
    assert (one.history != two.history).nnz == 0 and one.products.equals(two.products)


@pytest.fixture(scope="module")
def hillstrom(real_table):
    return open_table(connect(), real_table("hillstrom_email", "experiment").path)


def test_hillstrom_arms(hillstrom):
    ratio = experiment.sample_ratio(hillstrom, "No E-Mail")
    assert ratio.table.set_index("variant")["units"].to_dict() == {
        "No E-Mail": 21_306,
        "Mens E-Mail": 21_307,
        "Womens E-Mail": 21_387,
    }
    assert ratio.sound


def test_hillstrom_outcomes(hillstrom):
    outcomes = hillstrom.aggregate(
        v=hillstrom.outcome_visit.sum(), c=hillstrom.outcome_conversion.sum(), s=hillstrom.outcome_spend.sum()
    )
    assert outcomes.to_pandas().round(2).iloc[0].tolist() == [9_394, 578, 67_258.13]


def test_movielens(real_table):
    report = real_table("movielens_latest_small", "ratings").report
    ratings = open_table(connect(), real_table("movielens_latest_small", "ratings").path)
    counted = (
        ratings.aggregate(users=ratings.customer_id.nunique(), films=ratings.product_id.nunique()).to_pandas().iloc[0]
    )
    assert (report["rows"], counted["users"], counted["films"]) == (100_004, 671, 9_066)
    assert real_table("movielens_latest_small", "products").report["rows"] == 9_125
    # the edition says: from 9 January 1995 to 16 October 2016
    span = ratings.aggregate(first=ratings.rated_at.min(), last=ratings.rated_at.max()).to_pandas().iloc[0]
    assert (str(span["first"].date()), str(span["last"].date())) == ("1995-01-09", "2016-10-16")
