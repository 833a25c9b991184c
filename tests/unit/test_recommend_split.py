"""The orders of a split: sorted, timed by their first line, and the history once more when summed."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import recommend
from customerlab.analysis.recommend.models import Popularity, UserNeighbours
from helpers import log

LINES = [
    ("b", "7", "2024-01-03 10:00", "x", 1, 2), ("b", "7", "2024-01-03 09:00", "y", 1, 3), ("b", "7", "2024-01-03 09:30", "y", 1, 5),
    ("a", "7", "2024-01-05 00:00", "x", 1, 1), ("a", "2", "2024-01-05 00:00", "z", 2, 1.5), ("a", "1", "2024-01-08 12:00", "x", 1, 1),
    ("a", "9", "2024-01-20 00:00", "x", 1, 1), ("b", "9", "2024-01-20 00:00", "new", 1, 1),
]  # fmt: skip


def test_orders_are_those_of_the_history_in_order_of_time():
    split = recommend.split_by_time(log(LINES), 10)
    assert str(split.date) == "2024-01-11 00:00:00"
    orders = split.orders
    # of equal times the order with the smaller id first; order 7 is one of a's and another one of b's
    assert split.customers[orders.customer].tolist() == ["a", "a", "a", "b"]
    assert orders.days.tolist() == [6.0, 6.0, 2.5, pytest.approx(7 + 15 / 24)], "from the first line"
    assert orders.amount.tolist() == [3.0, 1.0, 1.0, 10.0]
    named = pd.DataFrame(orders.products.toarray(), columns=split.products)
    assert named[["x", "y", "z"]].to_numpy().tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert named["new"].sum() == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_summed_over_a_customer_the_orders_are_the_history(seed):
    rng = np.random.default_rng(seed)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 100, 60), unit="D")
    order = rng.integers(0, 60, 400)
    lines = [
        (f"c{o % 7}", f"o{o}", times[o], f"p{p}", 1, 1) for o, p in zip(order, rng.integers(0, 15, 400), strict=True)
    ]
    split = recommend.split_by_time(log(lines), 28)
    summed = np.zeros(split.history.shape)
    np.add.at(summed, split.orders.customer, split.orders.products.toarray())
    assert (summed == split.history.toarray()).all()
    assert (np.diff(split.orders.customer) >= 0).all() and (split.orders.days > 0).all()
    same = np.diff(split.orders.customer) == 0
    assert (np.diff(split.orders.days)[same] <= 0).all(), "from the oldest to the latest"
    shuffled = recommend.split_by_time(log([lines[i] for i in rng.permutation(400)]), 28).orders
    assert (shuffled.days == split.orders.days).all() and (shuffled.products != split.orders.products).nnz == 0


def test_a_split_by_hand_is_a_split_of_its_log():
    orders = [("b", 40, ["y", "x"]), ("a", 3, ["x"]), ("a", 90, ["z"]), ("a", -2, ["y"]), ("d", -3, ["x"])]
    split = recommend.split_of(orders)
    assert split.customers.tolist() == ["a", "b"] and split.products.tolist() == ["x", "y", "z"]
    assert split.recent_buyers.tolist() == [1, 0, 0] and split.warm.tolist() == [0]
    assert split.orders.days.tolist() == [90, 3, 40] and split.orders.amount.tolist() == [1, 1, 2]
    assert split.accounting.set_index("what")["customers"]["excluded: no history (cold start)"] == 1


def test_a_log_without_a_past_has_no_orders():
    split = recommend.split_of([("a", -2, ["y"])])
    assert split.history.shape == (0, 1) and split.orders.products.shape == (0, 1) and len(split.warm) == 0


def test_the_whole_log_has_all_orders():
    table = log(LINES)
    whole = recommend.whole_log(table)
    assert len(whole.orders.days) == 6 and whole.orders.days.min() == 1.0
    assert len(recommend.whole_log(ibis.union(table, table)).orders.days) == 6, (
        "lines that repeat are of the same order"
    )


def test_what_was_spent_is_the_money_of_the_future():
    split = recommend.split_by_time(log([*LINES, ("a", "9", "2024-01-20 00:00", "x", 3, 0.1)]), 10)
    spent = pd.DataFrame(split.spent.toarray(), split.customers, split.products)
    assert spent.loc["a", "x"] == 1.3 and spent.loc["b", "new"] == 1 and spent.to_numpy().sum() == 2.3


def test_a_customer_who_sent_everything_back_has_no_list_and_a_product_sent_back_is_on_none():
    """One great order cancelled, as in the published log; a line sent back in two parts; one that is bought again."""
    orders = [
        ("great", 90, ["jar"]), ("part", 80, ["jar", "mug"]), ("part", 70, ["jar"]), ("again", 60, ["mug"]),
        ("again", 30, ["mug"]), ("plain", 50, ["jar", "mug", "cup"]),
    ]  # fmt: skip
    back = [("great", 89, ["jar"]), ("part", 60, ["jar"]), ("part", 59, ["jar"]), ("again", 45, ["mug"])]
    split = recommend.split_of(orders, back)
    assert split.customers.tolist() == ["again", "part", "plain"]
    owned = pd.DataFrame(split.history.toarray(), split.customers, split.products)
    assert owned.loc["part", ["jar", "mug"]].tolist() == [0, 1] and owned.loc["again", "mug"] == 1
    for model in (Popularity(), recommend.EASE(1), UserNeighbours()):
        lists = recommend.recommend(split, model.fit(split), 5)
        assert lists.groupby("customer_id")["product_id"].size().to_dict() == {"again": 3, "part": 2, "plain": 3}
        assert "jar" not in set(lists[lists["customer_id"] == "part"]["product_id"])
    # as of a day before the returns, both had it
    then = split.earlier(75, 5)
    assert then.customers.tolist() == ["part"] and then.history.sum() == 2


def test_only_new_lists_what_the_customer_does_not_own():
    split = recommend.split_of([("a", 9, ["x", "y"]), ("b", 8, ["x", "y", "z"]), ("c", 7, ["z"]), ("c", 6, ["w"])])
    lists = recommend.recommend(split, Popularity().fit(split), 3, only_new=True)
    assert lists[lists["customer_id"] == "a"]["product_id"].tolist() == ["z", "w"]
    assert lists.groupby("customer_id").size().to_dict() == {"a": 2, "b": 1, "c": 2}
    assert lists["rank"].tolist() == [1, 2, 1, 1, 2]


def test_what_was_sent_back_is_ranked_for_nobody_and_counts_as_not_found():
    orders = [("a", 9, ["x", "y"]), ("b", 8, ["x"]), ("a", -3, ["x"]), ("b", -1, ["x", "y"])]
    split = recommend.split_of(orders, [("a", 5, ["x"]), ("b", -0.5, ["y"])])
    # b's y came back before it was bought: it is kept
    assert split.future.toarray().sum() == 3
    ranked = recommend.rank(split, [Popularity()], 2)
    listed = ranked.ranked["popularity"]["all"]
    names = split.products.tolist()
    assert listed.tolist() == [[names.index("y"), -1], [names.index("x"), names.index("y")]]
    values = recommend.metrics_by_customer(ranked).query("task == 'all'").set_index("customer_id")
    assert values["hit_rate"].tolist() == [0, 1] and values.loc["a", "auc"] == 0


def test_places_of_products_sent_back_are_counted_from_the_tables():
    sold = log(
        [("a", "1", "2024-01-01", "x", 3, 1), ("a", "2", "2024-01-02", "x", 2, 1), ("b", "3", "2024-01-03", "x", 2, 1)]
    )
    back = log([("a", "C1", "2024-01-05", "x", -5, 1), ("b", "C3", "2024-01-05", "x", -1, 1)])
    lists = pd.DataFrame({"customer_id": ["a", "b"], "product_id": "x"})
    assert recommend.returned_in_full(lists, sold, back) == 1
    assert recommend.returned_in_full(lists, sold, None) == 0
    assert recommend.whole_log(sold, returns=back).customers.tolist() == ["b"]
