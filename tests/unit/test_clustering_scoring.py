"""A segmentation that is kept: the same assignments after loading, distances worked out by hand, damaged tables."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.clustering import density, hierarchy
from customerlab.analysis.clustering.models import NOISE, Mixture, Nearest
from customerlab.analysis.clustering.scoring import Segmentation, clusters_on, segmentation
from customerlab.analysis.clustering.space import SCALINGS, fit_space
from customerlab.analysis.orders import Snapshot
from customerlab.codec import from_json, to_json
from helpers import log

NAMES = ["recency", "frequency", "monetary"]


def shop(customers: int = 400, seed: int = 0) -> pd.DataFrame:
    """Two kinds of customers, and some of neither."""
    rng = np.random.default_rng(seed)
    often = rng.random(customers) < 0.4
    frequency = 1 + rng.poisson(np.where(often, 20, 1))
    table = {
        "customer_id": [f"c{place:05d}" for place in rng.permutation(customers)],
        "recency": rng.integers(1, np.where(often, 30, 400)),
        "frequency": frequency,
        "monetary": np.round(frequency * rng.lognormal(3, 0.5, customers), 2),
    }
    return pd.DataFrame(table).sort_values("customer_id", ignore_index=True)


def gaussians(points: np.ndarray) -> Mixture:
    """Two components as an expert might set them."""
    low = points[:, 1] < points[:, 1].mean()
    groups = [points[low], points[~low]]
    covariances = np.array([np.cov(group.T) for group in groups])
    return Mixture(np.array([0.6, 0.4]), np.array([group.mean(axis=0) for group in groups]), covariances)


MODELS = {
    "ward": lambda points: hierarchy.model(*hierarchy.grow_tree(points, "ward"), 3),
    "mixture": gaussians,
    "dbscan": lambda points: density.dbscan(points, 0.4, 8),
    "hdbscan": lambda points: density.hdbscan(points, 30, 5),
}


def numbered(labels: np.ndarray) -> np.ndarray:
    """Numbers from 1, the last label first; noise stays."""
    return np.where(labels == NOISE, NOISE, labels.max() + 1 - labels)


def made(kind: str, customers: pd.DataFrame, scaling: str = "standard") -> Segmentation:
    space = fit_space(customers, NAMES, scaling=scaling)
    model = MODELS[kind](space.points(customers))
    return segmentation(kind, space, model, customers, numbered(model.predict(space.points(customers))))


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_it_assigns_the_same_after_loading(kind, scaling):
    customers, new = shop(), shop(300, seed=1)
    new.loc[0, NAMES] = [5_000, 900, 1e6]
    kept = made(kind, customers, scaling)
    again = from_json(to_json(kept))
    assert to_json(again) == to_json(kept)
    for some in (customers, new):
        pd.testing.assert_frame_equal(again.assign(some), kept.assign(some), check_exact=True)
    assert type(again.model) is type(kept.model) and again.names == kept.names and again.method == kind


@pytest.mark.parametrize("kind", MODELS)
def test_fitted_customers_get_the_cluster_that_they_have(kind):
    customers = shop()
    kept = made(kind, customers)
    labels = numbered(kept.model.predict(kept.space.points(customers)))
    found = kept.assign(customers)
    assert found["cluster"].to_list() == labels.tolist() and len(set(labels) - {NOISE}) >= 2
    names = {NOISE: "noise", **{number: f"cluster {number}" for number in range(1, 50)}}
    assert found["name"].to_list() == [names[label] for label in labels]
    assert (found["outside"] == "").all()
    assert found["distance"].isna().equals(found["cluster"] == NOISE)
    for number in set(labels) - {NOISE}:  # about half of a cluster's customers are nearer than the middle one
        assert found.loc[labels == number, "farther_than"].median() == pytest.approx(0.5, abs=0.02)
    assert ("strength" in found) == (kind in ("mixture", "hdbscan"))


def test_rows_may_come_in_any_order():
    customers = shop()
    order = np.random.default_rng(1).permutation(len(customers))
    kept, mixed = made("ward", customers), customers.iloc[order]
    labels = kept.assign(customers)["cluster"].to_numpy()
    again = segmentation("ward", kept.space, kept.model, mixed, labels[order])
    assert to_json(again) == to_json(kept)
    pd.testing.assert_frame_equal(
        kept.assign(mixed).sort_values("customer_id", ignore_index=True), kept.assign(customers)
    )


def simple(**changes) -> Segmentation:
    """Customers at 0, 1, 2, 3, 4 and at 8, in a space that only divides by eight, which floats do exactly."""
    customers = pd.DataFrame({"customer_id": list("abcdef"), "x": [0.0, 1, 2, 3, 4, 8], "y": 5.0})
    given = {
        "space": fit_space(customers, ["x", "y"], transform="none", scaling="min-max"),
        "model": Nearest(np.array([[0.25, 0.0], [1.0, 0.0]]), np.array([0, 1]), 0.5),
        "labels": np.array([2, 2, 2, 2, 2, 1]),
        "names": ["large", "small"],
    } | changes
    return segmentation("K-Means", given["space"], given["model"], customers, given["labels"], given["names"])


def test_distances_by_hand():
    new = pd.DataFrame({"customer_id": [7, 8, 9, 10, 11], "x": [1.0, 4.5, 8, -2, 30], "y": [5.0, 5, 6, 5, 4]})
    found = simple().assign(new)
    assert found.columns.to_list() == ["customer_id", "cluster", "name", "distance", "farther_than", "outside"]
    assert found["customer_id"].to_list() == [7, 8, 9, 10, 11]
    assert found["cluster"].to_list() == [2, 2, 1, 2, NOISE]
    assert found["name"].to_list() == ["small", "small", "large", "small", "noise"]
    assert found["distance"].to_numpy() == pytest.approx([1 / 8, 2.5 / 8, 0, 4 / 8, np.nan], nan_ok=True)
    # from the centre at 2 the five are 0, 1, 1, 2, 2 away: a quarter of the way from least to most lies below 1
    assert found["farther_than"].to_numpy() == pytest.approx([0.25, 1, 0, 1, np.nan], abs=0.01, nan_ok=True)
    assert found["outside"].to_list() == ["", "", "y", "x", "x, y"]


def test_a_label_that_no_customer_had_is_noise_for_new_ones():
    model = Nearest(np.array([[0.2, 0.0], [5.0, 0.0], [1.0, 0.0]]), np.array([0, 1, 2]))
    kept = simple(model=model)
    assert kept.order.tolist() == [2, NOISE, 1]
    new = pd.DataFrame({"customer_id": [1], "x": [55.0], "y": [5.0]})
    for one in (kept, from_json(to_json(kept))):
        assert one.assign(new)["cluster"].to_list() == [NOISE]


def test_a_segmentation_of_noise_alone_and_of_one_cluster():
    all_noise = simple(model=density.dbscan(np.eye(2) * 9, 0.1, 5), labels=np.full(6, NOISE), names=[])
    one = simple(model=Nearest(np.zeros((1, 2)), np.array([0])), labels=np.ones(6, dtype=int), names=["all"])
    new = pd.DataFrame({"customer_id": [1], "x": [3.0], "y": [5.0]})
    for kept, name in ((all_noise, "noise"), (one, "all")):
        again = from_json(to_json(kept))
        assert again.assign(new)["name"].to_list() == [name]
        empty = again.assign(new.iloc[:0])
        assert empty.empty and empty.columns.to_list() == again.assign(new).columns.to_list()


def test_labels_that_are_not_the_models_are_refused():
    with pytest.raises(ValueError, match="K-Means does not give the customers the groups"):
        simple(labels=np.array([2, 2, 2, 2, 1, 1]))
    with pytest.raises(ValueError, match="does not give"):  # two groups under one number
        simple(labels=np.ones(6, dtype=int), names=["all"])
    with pytest.raises(ValueError, match="clusters 0, 1; expected 1, 2"):
        simple(labels=np.array([0, 0, 0, 0, 0, 1]))
    with pytest.raises(ValueError, match="1 names for 2 clusters"):
        simple(names=["large"])


DAY = pd.Timestamp("2024-03-01")
CATEGORIES = pd.DataFrame({"product_id": list("pqrs"), "category": ["Cook", "Cook", "Drink", None]})
FEATURES = ["recency", "monetary", "share of Cook"]


def orders(seed: int = 3, sign: int = 1) -> pd.DataFrame:
    """One line an order, of 40 customers from January to April 2024; those below zero are returns."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"customer_id": [f"c{who:02d}" for who in rng.integers(0, 40, 200)]})
    table["order_id"] = table.index.astype(str)
    table["ordered_at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 120 * 24, 200), unit="h")
    table["product_id"] = rng.choice(list("pqrs"), 200)
    table["quantity"], table["unit_price"] = sign, rng.integers(1, 40, 200) * 0.25
    return table


def by_hand(bought: pd.DataFrame, returned: pd.DataFrame, day: pd.Timestamp, *, net: bool) -> pd.DataFrame:
    """The three features of a day, by pandas alone."""
    bought, returned = (table[table["ordered_at"] < day] for table in (bought, returned))
    gross = bought.groupby("customer_id")["unit_price"].sum()
    back = returned.groupby("customer_id")["unit_price"].sum().reindex(gross.index).fillna(0)
    cook = bought[bought["product_id"].isin(["p", "q"])].groupby("customer_id")["unit_price"].sum()
    last = bought.groupby("customer_id")["ordered_at"].max().dt.normalize()
    return pd.DataFrame(
        {
            "recency": (day - last).dt.days,
            "monetary": gross - back if net else gross,
            "share of Cook": cook.reindex(gross.index).fillna(0) / gross,
        }
    ).reset_index()


@pytest.mark.slow
@pytest.mark.parametrize("net", [False, True])
def test_clusters_of_another_day_are_those_of_features_by_hand(net):
    bought, returned = orders(), orders(seed=4, sign=-1)
    fitted = by_hand(bought, returned, pd.Timestamp("2024-05-01"), net=net)
    space = fit_space(fitted, FEATURES, transform="none")
    points = space.points(fitted)
    model = Nearest(points[:3], np.arange(3))
    kept = segmentation("three", space, model, fitted, model.predict(points) + 1, net=net)
    again = from_json(to_json(kept))
    assert again.net is net
    tables = {"products": ibis.memtable(CATEGORIES), "returns": log(returned.to_numpy().tolist())}
    found = clusters_on(again, Snapshot(log(bought.to_numpy().tolist()), DAY, **tables))
    wanted = kept.assign(by_hand(bought, returned, DAY, net=net))
    assert len(found) == bought.loc[bought["ordered_at"] < DAY, "customer_id"].nunique() < 40
    pd.testing.assert_frame_equal(found, wanted)
    other = kept.assign(by_hand(bought, returned, DAY, net=not net))
    assert not found.equals(other), "net and gross differ in these orders"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("monetary", "net money needs the table of returns"),
        ("share of Cook", "'share of Cook' needs the category of products, but this shop has no table of products"),
    ],
)
def test_clusters_of_a_day_need_what_their_features_need(name, said):
    bought = orders()
    fitted = by_hand(bought, orders(seed=4, sign=-1), DAY, net=True)
    one, everyone = Nearest(np.zeros((1, 1)), np.array([0])), np.ones(len(fitted), dtype=int)
    kept = segmentation("one", fit_space(fitted, [name]), one, fitted, everyone, net=name == "monetary")
    with pytest.raises(ValueError, match=said):
        clusters_on(kept, Snapshot(log(bought.to_numpy().tolist()), DAY))
