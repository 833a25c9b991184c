"""Reasons against causes found one by one, and the sentences by hand."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import recommend
from customerlab.analysis.recommend.models import UPCF, Content, ItemNeighbours, PersonalFrequency, Popularity, RP3beta

NAMED = pd.DataFrame(
    {
        "product_id": ["tea", "pot", "mug", "jam"],
        "description": ["green tea", "tea pot", "red mug with a handle that is far too long to be printed", None],
    }
)
SHOP = recommend.split_of(
    [
        ("ann", 40, ["tea"]), ("ann", 20.5, ["tea", "mug"]), ("ann", 3.2, ["jam"]), ("bob", 50, ["tea", "pot"]),
        ("cid", 40, ["tea", "pot"]), ("dan", 33, ["jam", "mug"]), ("eve", 0.5, ["mug"]), ("fay", 60, ["pot"]),
    ]
)  # fmt: skip


def reasons(model, k=4, products=None, split=SHOP):
    lists = recommend.recommend(split, model.fit(split), k)
    return recommend.explained(split, model, lists, products).set_index(["customer_id", "product_id"])["reason"]


def test_habits_are_those_of_the_customer():
    found = reasons(recommend.DecayedFrequency())
    assert found["ann", "tea"] == "bought in 2 of 3 orders, last 21 days ago"
    assert found["ann", "jam"] == "bought in 1 of 3 orders, last 4 days ago"
    assert found["eve", "mug"] == "bought in 1 of 1 order, last 1 day ago"
    assert found["ann", "pot"] == "bought by 3 customers", "of score zero, and nobody bought it these weeks"
    assert found["fay", "mug"] == "popular: 2 buyers in the last 28 days"
    assert found["fay", "jam"] == "popular: 1 buyer in the last 28 days"


def test_popularity_gives_no_personal_reason():
    assert reasons(Popularity())["ann", "tea"] == "popular: 1 buyer in the last 28 days"


def test_neighbours_and_names_are_named():
    found = reasons(ItemNeighbours(), products=NAMED)
    assert found["fay", "tea"] == "bought by buyers of tea pot"
    assert found["eve", "jam"] == "bought by buyers of red mug with a handle that is far too l…"
    assert found["ann", "mug"] == "bought by buyers of jam and green tea", "mug goes with jam more than with tea"
    assert reasons(Content(NAMED), products=NAMED)["fay", "tea"] == "like tea pot by name"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "weights"),
    [
        (ItemNeighbours(5), lambda m: m.similar_.toarray()),
        (recommend.EASE(5.0), lambda m: m.weights_),
        (RP3beta(neighbours=6), lambda m: m.steps_.toarray()),
        (UPCF(), None),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_causes_are_the_owned_products_of_largest_weight(model, weights, monkeypatch):
    rng = np.random.default_rng(0)
    orders = [
        (
            f"c{rng.integers(20):02d}",
            float(rng.uniform(0.1, 90)),
            [f"p{p:02d}" for p in rng.choice(15, 3, replace=False)],
        )
        for _ in range(80)
    ]
    split = recommend.split_of(orders)
    lists = recommend.recommend(split, model.fit(split), 12)
    whole = recommend.explained(split, model, lists)
    monkeypatch.setattr("customerlab.analysis.recommend.explain.AT_ONCE", 7)
    pd.testing.assert_frame_equal(recommend.explained(split, model, lists), whole)
    shuffled = lists.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(recommend.explained(split, model, shuffled).sort_index(), whole)
    owned = split.history.toarray() > 0
    if weights is None:  # any other model: the cosine of buyers
        x = owned.astype(float)
        matrix = (x.T @ x) / np.sqrt(np.outer(x.sum(axis=0), x.sum(axis=0)))
    else:
        matrix = weights(model)
    checked = 0
    for line in whole.itertuples():
        u, j = split.customers.get_loc(line.customer_id), split.products.get_loc(line.product_id)
        causes = [i for i in np.flatnonzero(owned[u]) if matrix[i, j] > 0 and i != j]
        causes = sorted(causes, key=lambda i: (-matrix[i, j].round(10), i))[:2]
        if line.score != 0 and causes and (weights is not None or not owned[u, j]):
            assert line.reason == "bought by buyers of " + " and ".join(split.products[causes])
            checked += 1
        elif line.score != 0 and owned[u, j]:
            assert line.reason.startswith("bought in ")
    assert checked > 10


def test_a_list_of_strangers_is_refused():
    lists = pd.DataFrame({"customer_id": ["ann", "zoe"], "product_id": ["tea", "tea"]})
    with pytest.raises(ValueError, match="list of a customer has product 'tea'"):
        recommend.explained(SHOP, Popularity().fit(SHOP), lists)
    nothing = recommend.explained(SHOP, PersonalFrequency().fit(SHOP), lists[:0])
    assert len(nothing) == 0 and "reason" in nothing


def test_examples_are_typical_customers_of_the_largest_segments_whatever_the_order_of_rows():
    lists = recommend.explained(
        SHOP, model := PersonalFrequency().fit(SHOP), recommend.recommend(SHOP, model, 4), NAMED
    )
    segments = pd.Series({"ann": "A", "bob": "A", "cid": "A", "dan": "B", "eve": "B", "fay": "C", "away": "B"})
    few = {"smallest": 1, "products": NAMED, "ranks": 3}
    table = recommend.examples(SHOP, lists, segments, **few)
    # ann bought 3 different products, bob and cid 2, the median of A; dan 2 and eve 1: both are as near to 1.5
    assert table["customer"].tolist() == ["bob"] * 3 + ["dan"] * 3 + ["fay"] * 3
    assert table["segment"].tolist() == ["A"] * 3 + ["B"] * 3 + ["C"] * 3 and table["rank"].tolist() == [1, 2, 3] * 3
    bob = table[table["customer"] == "bob"]
    assert bob["bought most often"].iloc[:2].tolist() == ["green tea", "tea pot"] and bob["orders"].iloc[
        :2
    ].tolist() == [1, 1]
    assert bob[["bought most often", "orders"]].iloc[2].isna().all() and bob["reason"].notna().all()
    own = lists[lists["customer_id"] == "bob"].head(3)
    assert bob["reason"].tolist() == own["reason"].tolist()
    shuffled = recommend.examples(SHOP, lists.sample(frac=1, random_state=3), segments[::-1], **few)
    pd.testing.assert_frame_equal(shuffled, table)


def test_no_example_is_of_a_segment_that_is_hidden():
    lists = recommend.explained(SHOP, model := PersonalFrequency().fit(SHOP), recommend.recommend(SHOP, model, 2))
    segments = pd.Series({"ann": "A", "bob": "A", "cid": "A", "dan": "B", "eve": "B", "fay": "C"})
    table = recommend.examples(SHOP, lists, segments, smallest=2)
    assert set(table["segment"]) == {"A"}, "of C there is one customer, and B less C would tell of it"
    assert recommend.examples(SHOP, lists, segments, smallest=9).empty
    assert recommend.examples(SHOP, lists, segments[:0], smallest=1).empty
