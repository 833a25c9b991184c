"""Customers of whom attributes alone are known: what they are compared on, and whether there are groups."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import clustering
from customerlab.analysis.clustering.methods import kmeans
from customerlab.analysis.clustering.null_clouds import INDEPENDENT, clouds
from customerlab.analysis.clustering.structure import excess
from customerlab.analysis.profile.compared import compared_on, described
from customerlab.data.tables import Attribute
from helpers import by_chance

KINDS = [
    Attribute("age", "number"), Attribute("income", "ordered", levels=("low", "middle", "high")), Attribute("home", "category"),
    Attribute("news", "yes_no"), Attribute("gender", "category", sensitive=True),
]  # fmt: skip
ONLY = {"K-Means": kmeans}


def people(seed=1, size=300, groups=1):
    """Independent attributes; with two groups, each differs between them, but for the gender."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, size)
    level = (
        np.where(rng.random(size) < 0.9, group * 2, rng.integers(0, 3, size))
        if groups > 1
        else rng.integers(0, 3, size)
    )
    return pd.DataFrame(
        {
            "customer_id": [f"{n:04d}" for n in range(size)],
            "age": rng.normal(40 + 30 * group, 6),
            "income": np.array(["low", "middle", "high"])[level],
            "home": np.where(rng.random(size) < 0.9, np.array(["flat", "house"])[group], "boat") if groups > 1
            else rng.choice(["flat", "house", "boat"], size),
            "news": rng.random(size) < (0.1 + 0.8 * group if groups > 1 else 0.4),
            "gender": rng.choice(["f", "m"], size),
        }
    )  # fmt: skip


def test_features_name_attributes_and_those_of_orders_do_not_count():
    table = people()
    every = described(table, KINDS, ["recency", "frequency", "monetary", "tenure"])
    assert set(every.space.names) == {"age", "income", "home: flat", "home: house", "home: boat", "news: yes"}
    assert compared_on(every) == [
        "Customers are compared on 4 attributes, in 6 columns; orders are not known.", "Left out: gender (sensitive).",
    ]  # fmt: skip
    asked = described(table, KINDS, ["gender", "age", "recency"])
    assert asked.space.names[0].startswith("gender: ") and asked.space.names[-1] == "age"
    assert asked.left_out == dict.fromkeys(["income", "home", "news"], "not asked for")
    with pytest.raises(ValueError, match="there is no attribute 'agee'; did you mean 'age'"):
        described(table, KINDS, ["agee"])
    with pytest.raises(ValueError, match="one customer only"):
        described(table.head(1), KINDS)


def test_methods_of_orders_take_customers_with_attributes_in_their_place():
    shop = described(people(), KINDS)
    features = clustering.customer_features(shop, names=["recency"])
    assert features["customer_id"].tolist() == sorted(people()["customer_id"]) and not features.isna().any(axis=None)
    assert clustering.look_back(shop, 90, shop.space, None) == []
    assert clustering.purchases(shop, features.assign(cluster=1)).empty
    assert np.allclose(shop.space.points(features).var(axis=0).sum(), 4, atol=1e-6), "one for each attribute"


def test_groups_are_numbered_by_size_where_no_money_is_known():
    table = people()[["customer_id"]].head(5)
    raw = np.array([1, 0, 0, 0, 1])
    assert clustering.numbered(raw, clustering.worth(table, raw)).tolist() == [2, 1, 1, 1, 2]
    assert clustering.largest_share(table, raw).empty
    money = table.assign(monetary=[9.0, 1, 1, 1, 1])
    assert clustering.numbered(raw, clustering.worth(money, raw)).tolist() == [1, 2, 2, 2, 1]


def test_an_independent_null_keeps_each_attribute_and_nothing_between_them():
    shop = described(people(groups=2), KINDS)
    points = shop.space.points(shop.values)
    (drawn,) = clouds(points, INDEPENDENT, 1, np.random.default_rng(3), blocks=shop.blocks)
    for block in shop.blocks:
        own, other = (np.unique(one[:, block], axis=0, return_counts=True) for one in (points, drawn))
        assert np.array_equal(own[0], other[0]) and np.array_equal(own[1], other[1])
    before, after = (abs(np.corrcoef(one[:, 0], one[:, 1])[0, 1]) for one in (points, drawn))
    assert before > 0.6 and after < 0.2


def test_levels_are_told_as_levels_in_profiles_names_and_rules():
    table = pd.DataFrame({"home: flat": [1.0, 1, 1, 0, 0, 0, 0, 0], "age": [20.0, 21, 22, 60, 61, 62, 63, 64]})
    labels = np.array([2, 2, 2, 1, 1, 1, 1, 1])
    assert clustering.profile(table, labels, ["home: flat"])["home: flat"].tolist() == [0.0, 1.0]
    assert clustering.profile(table.assign(**{"home: flat": [1, 1, 0, 0, 0, 0, 0, 1]}), labels, ["home: flat"])[
        "home: flat"
    ].tolist() == pytest.approx([0.2, 2 / 3])
    names = clustering.proposed_names(clustering.contrast(table, labels, ["home: flat"]))
    assert names == ["Not home flat", "Home flat"]
    found = clustering.rules(table, labels, ["home: flat"], seed=1)
    assert found.table["rule"].tolist() == ["home is not flat", "home is flat"]


@pytest.mark.slow
def test_planted_groups_are_recommended_and_independent_attributes_are_not():
    for groups, wanted in ((2, "K-Means 2"), (1, "")):
        shop = described(people(groups=groups), KINDS)
        points = shop.space.points(shop.values)
        judged = clustering.judge(points, [2, 3, 4], 7, blocks=shop.blocks, methods=ONLY)
        assert judged.recommended == wanted
        said = clustering.decision(judged, segments=False)
        assert said.startswith(
            "Use K-Means 2 to describe" if wanted else "Keep customers as one group: none of 3 candidates"
        )
        assert "RFM" not in said + " ".join(clustering.saved_finding(judged, segments=False))


@pytest.mark.thorough
def test_independent_attributes_are_separated_as_rarely_as_promised():
    """Of tables of independent attributes at most one in twenty has a grouping that is significantly separated."""
    number = 30
    alarms = 0
    for seed in range(number):
        shop = described(people(seed, 200), KINDS)
        found = excess(
            shop.space.points(shop.values),
            ["K-Means 2", "K-Means 3", "K-Means 4"],
            seed,
            blocks=shop.blocks,
            methods=ONLY,
        )
        alarms += bool((found["p_structure"] <= 0.05).any())
    assert alarms / number <= by_chance(0.05, number)[1]
