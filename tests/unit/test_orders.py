"""A shop as it was known on a day: what is asked of its log, and how often."""

import ibis
import numpy as np
import pandas as pd
import pytest
from ibis.expr.types.core import Expr

from customerlab.analysis import clustering, experiment, rfm
from customerlab.analysis.clustering import past
from customerlab.analysis.orders import Snapshot, before, first_order, since
from helpers import log

DAY = pd.Timestamp("2024-07-01")
OWN = rfm.Scheme(3, {"recency": [10, 30]}, net=True, rules=rfm.read_rules(["Here: 3-5, 1-5", "Gone: 1-2, 1-5"]))


@pytest.fixture
def aggregations(monkeypatch):
    """How often the customers of a log were aggregated."""
    seen, fetch = [], Expr.to_pyarrow

    def noted(self, *args, **options):
        if "frequency" in self.columns:
            seen.append(self)
        return fetch(self, *args, **options)

    monkeypatch.setattr(Expr, "to_pyarrow", noted)
    return seen


def lines():
    """Orders of 200 customers in half a year before DAY, of whom many come back."""
    rng = np.random.default_rng(3)
    who = np.repeat([f"c{n:03d}" for n in range(200)], rng.integers(1, 8, 200))
    times = DAY - pd.to_timedelta(rng.integers(1, 182, len(who)), unit="D")
    prices = rng.integers(1, 900, len(who)) / 10
    return [(*row[:3], "x", 1, row[3]) for row in zip(who, map(str, range(len(who))), times, prices, strict=True)]


def shop():
    return Snapshot(log(lines()), DAY, log([("c001", "r", "2024-06-01", "x", -1, 5.0)]))


def test_a_day_parts_the_log_into_what_was_known_and_what_came_after():
    one = shop()
    known, after = (part.count().execute() for part in (one.known, since(one.transactions, DAY)))
    assert (known, after) == (len(lines()), 0)
    middle = pd.Timestamp("2024-04-01 12:00")
    assert Snapshot(one.transactions, middle).day == pd.Timestamp("2024-04-01")
    parts = [table.count().execute() for table in (before(one.transactions, middle), since(one.transactions, middle))]
    assert sum(parts) == len(lines()) and min(parts) > 0
    assert first_order(one.transactions) == min(line[2] for line in lines())


def test_several_days_are_aggregated_together_as_each_alone(aggregations):
    rng = np.random.default_rng(6)
    spread = [(*line[:2], line[2] + pd.Timedelta(hours=int(rng.integers(0, 2000))), *line[3:]) for line in lines()]
    back = [(line[0], f"r{n}", line[2], "x", -1, line[5]) for n, line in enumerate(spread) if n % 5 == 0]
    one = Snapshot(log(lines() + spread), DAY, log(back))  # every order has a second line up to 83 days later
    days = [pd.Timestamp(day) for day in ("2024-06-01", "2024-03-05", "2023-01-01", "2024-03-04", "2024-06-01")]
    for shop_then in (one, Snapshot(one.transactions, DAY)):
        aggregations.clear()
        together = shop_then.at_all(days)
        for then, day in zip(together, days, strict=True):
            assert then.day == day
            if day.year == 2023:
                with pytest.raises(ValueError, match="no order was placed before as_of = 2023-01-01"):
                    then.customers()
                continue
            found, rows = then.customers(), len(aggregations)
            pd.testing.assert_frame_equal(found, shop_then.at(day).customers(), check_exact=True)
            assert len(aggregations) == rows + 1, "those alone, and none of those together"
    assert (one.at(days[0]).customers()["returned"] > 0).any()


def test_a_day_is_aggregated_once_whoever_asks(aggregations):
    one = shop()
    first = one.customers()
    first["monetary"] = 0.0  # who gets the table may write into it
    assert one.customers()["monetary"].sum() > 0
    assert one.customers(net=True)["monetary"].sum() == pytest.approx(one.customers()["monetary"].sum() - 5)
    rfm.Scheme().on(one)
    clustering.customer_features(one, names=["recency", "basket_value"], net=True)
    assert len(aggregations) == 1
    rfm.sensitivity(one, rfm.Scheme(), earlier=[1, 7], bins=[2, 3, 4, 6])
    assert len(aggregations) == 2, "other numbers of bins are other scores of the same customers"


def test_a_look_back_aggregates_all_days_at_once_and_its_rival_is_the_shops_own(aggregations):
    one, names = shop(), ["recency", "monetary"]
    space = clustering.fit_space(clustering.customer_features(one, names=names), names)
    own, usual = (clustering.look_back(one, 60, space, scheme, net=True) for scheme in (OWN, rfm.Scheme()))
    days = [DAY - pd.Timedelta(days=days) for days in (60, 120)]
    assert [then.formed_on for then in own] == days
    # the customers of all days together, and of each what they did later
    assert len(aggregations) == 1 + 2 * (1 + len(days))
    for then in own:
        segments = OWN.on(Snapshot(one.transactions, then.formed_on, one.returns))["segment"]
        assert set(segments) == {"Here", "Gone"}
        np.testing.assert_array_equal(then.baselines[past.SEGMENTS], (segments == "Here").to_numpy())
    assert usual[0].baselines[past.SEGMENTS].max() > 1, "with the usual segments it has other rivals"


def test_groups_of_a_test_aggregate_the_day_once(aggregations):
    one = shop()
    customers = clustering.customer_features(one, names=["monetary"])
    space = clustering.fit_space(customers, ["monetary"])
    points = space.points(customers)
    model = clustering.models.Nearest(np.array([[points.max()], [points.min()]]), np.array([0, 1]))
    kept = clustering.segmentation("K-Means", space, model, customers, model.predict(points) + 1)
    aggregations.clear()
    units = one.transactions.select(unit_id="customer_id").distinct().mutate(variant=ibis.literal("a"))
    _, said = experiment.with_customer_groups(
        units, DAY, one.transactions, scheme=OWN, segmentation=kept, returns=one.returns
    )
    assert "100% of units" in said and len(aggregations) == 1
