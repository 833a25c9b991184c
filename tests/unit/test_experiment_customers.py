"""The groups of customers on the day when a test began: those, not later ones; and why a test has none."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import clustering, experiment, rfm
from customerlab.analysis.orders import Snapshot

BEGAN = pd.Timestamp("2024-03-01")
SCHEME = rfm.Scheme(
    2, {"recency": [30], "frequency": [3]}, rules=rfm.read_rules(["Fresh: 4-5, 1-5", "Asleep: 1-3, 1-5"])
)


def orders():
    """Ann and Bob ordered long before the test began, Cid the day before; Bob again on the day itself, Dan after it."""
    who = ["ann", "bob", "cid", "bob", "dan"]
    when = ["2024-01-05", "2024-01-06", "2024-02-29 23:59", "2024-03-01", "2024-03-09"]
    return ibis.memtable(
        {
            "customer_id": who, "order_id": [str(n) for n in range(5)], "product_id": ["x"] * 5,
            "ordered_at": pd.to_datetime(when, format="ISO8601"), "amount": [5.0, 5.5, 9.0, 900.0, 1.0],
        }
    )  # fmt: skip


def units(ids=("ann", "bob", "cid", "dan")):
    return ibis.memtable(pd.DataFrame({"unit_id": list(ids), "variant": ["control", "new"] * (len(ids) // 2)}))


def kept():
    customers = clustering.customer_features(Snapshot(orders(), BEGAN), names=["monetary"])
    space = clustering.fit_space(customers, ["monetary"], transform="none")
    points = space.points(customers)
    model = clustering.models.Nearest(np.array([[points.max()], [points.min()]]), np.array([0, 1]))
    labels = model.predict(points) + 1
    return clustering.segmentation("K-Means", space, model, customers, labels, ["much", "little"])


def grouped(table, *, orders=None, began=BEGAN, scheme=SCHEME, segmentation=None):
    return experiment.with_customer_groups(
        table, began, orders,
        scheme=scheme, segmentation=segmentation,
    )  # fmt: skip


@pytest.mark.slow
def test_units_get_the_groups_of_the_day():
    table, said = grouped(units(), orders=orders(), segmentation=kept())
    assert said == "RFM segments and clusters are those of 2024-03-01; 75% of units had ordered by then."
    found = table.order_by("unit_id").to_pandas()
    assert found.columns.tolist() == ["unit_id", "variant", "covariate_RFM segment", "covariate_cluster"]
    # on the day itself Bob was asleep, though he ordered on it, and Dan was no customer yet
    assert found["covariate_RFM segment"].tolist() == ["Asleep", "Asleep", "Fresh", "no order before"]
    assert found["covariate_cluster"].tolist() == ["little", "little", "much", "no order before"], (
        "not Bob's later money"
    )
    assert experiment.segments_of(table)[1] == ["RFM segment", "cluster"]
    alone, _ = grouped(units(), orders=orders(), scheme=None, segmentation=kept())
    assert alone.columns == ("unit_id", "variant", "covariate_cluster")


@pytest.mark.slow
def test_a_segmentation_of_one_group_divides_nothing():
    customers = clustering.customer_features(Snapshot(orders(), BEGAN), names=["monetary"])
    space = clustering.fit_space(customers, ["monetary"], transform="none")
    model = clustering.models.Nearest(np.array([[space.points(customers).mean()]]), np.array([0]))
    one = clustering.segmentation("One", space, model, customers, np.ones(len(customers), "int64"), ["all"])
    table, _ = grouped(units(), orders=orders(), segmentation=one)
    assert table.columns == ("unit_id", "variant", "covariate_RFM segment")
    alone, said = grouped(units(), orders=orders(), scheme=None, segmentation=one)
    assert alone.columns == ("unit_id", "variant") and "the saved segmentation has a single group" in said


def test_what_was_assigned_may_be_the_customer():
    visits = units([f"v{n}" for n in range(4)]).mutate(assigned_id=ibis.literal("ann"))
    table, said = grouped(visits, orders=orders())
    assert "100% of units" in said and set(table.to_pandas()["covariate_RFM segment"]) == {"Asleep"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"orders": None}, "this run has no orders"),
        ({"scheme": None}, "this run has no orders"),
        ({"began": None}, "the test has no start date (parameter test_began)"),
        ({"began": pd.Timestamp("2024-01-05")}, "no customer had ordered before the test began, 2024-01-05"),
    ],
)
def test_without_orders_or_a_day_there_are_no_groups(options, why):
    table = units()
    found, said = grouped(table, **{"orders": orders()} | options)
    assert found is table and said.startswith(f"RFM segments and clusters are left out: {why}")


def test_a_few_equal_ids_are_taken_for_an_accident():
    table = units(["ann", "eve", "fay", "gus"])
    found, said = grouped(table, orders=orders())
    assert found is table and "left out: 25% of units are customers with an order before the test" in said
