"""Orders of described customers, worked out by hand; and the small tables and choices that the notebook makes."""

from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.orders import Snapshot
from customerlab.analysis.profile.groups import by_group
from customerlab.analysis.profile.latent import answered
from customerlab.analysis.profile.orders_of import before_and_after, bought, first_orders, last_orders
from customerlab.analysis.profile.personas import Persona, persona_sizes, persona_table
from customerlab.analysis.profile.reference import compare, population
from customerlab.analysis.profile.scales import alike
from customerlab.errors import ParameterError
from language_shop import lines

DAY = pd.Timestamp("2024-03-01")  # 30 days before it: 31 January
# ann's first order has lines of two times, bob two first orders of one time; cem comes later, dee's second on the day
LOG = [
    ("ann", "1", "2024-01-01 09:00", "P1", 2, 5), ("ann", "1", "2024-01-01 09:05", "P2", 1, 4),
    ("ann", "2", "2024-01-30 23:59", "P1", 1, 5), ("ann", "3", "2024-01-31 00:00", "P1", 1, 5),
    ("ann", "4", "2024-02-10 12:00", "P3", 2, 10), ("bob", "5", "2024-01-06 10:00", "P2", 1, 4),
    ("bob", "6", "2024-01-06 10:00", "P4", 1, 6), ("cem", "7", "2024-02-15 08:00", "P1", 1, 5),
    ("dee", "8", "2024-01-05 10:00", "P3", 1, 10), ("dee", "9", "2024-03-01 00:00", "P2", 1, 4),
]  # fmt: skip
# ann's annuls order 4, dee's order 8; bob's is not known yet
RETURNS = [
    ("ann", "R1", "2024-02-20 09:00", "P3", -2, 10), ("dee", "R2", "2024-01-10 09:00", "P3", -1, 10),
    ("bob", "R3", "2024-03-02 09:00", "P4", -1, 6),
]  # fmt: skip
PRODUCTS = pd.DataFrame({"product_id": ["P1", "P2", "P3", "P4"], "category": ["Garden", "Kitchen", "Garden", None]})


def shop(log=LOG, returns=RETURNS, products=PRODUCTS, day=DAY):
    """The shop; without returns or products where they are None."""
    log, back = (
        None if rows is None else ibis.memtable(lines(rows)).mutate(amount=lambda t: t.amount.cast("decimal(18, 4)"))
        for rows in (log, returns)
    )
    return Snapshot(log, day, back, None if products is None else ibis.memtable(products))


def rows(table):
    """The rows of a table by its index."""
    return dict(zip(table.index, table.values.tolist(), strict=True))


# What customers ordered


def test_before_and_after_a_day_net_of_returns():
    found = before_and_after(shop(), 30)
    assert list(found) == ["recency", "frequency", "tenure", "monetary", "orders", "revenue", "came_back"]
    assert rows(found) == {
        "ann": [1, 2, 30, 19, 2, 5, True],
        "bob": [25, 2, 25, 10, 0, 0, False],
        "dee": [26, 1, 26, 0, 0, 0, False],
    }
    gross = before_and_after(shop(returns=None), 30)
    assert gross["monetary"].tolist() == [19, 10, 10] and gross["revenue"].tolist() == [25, 0, 0]


@pytest.mark.parametrize("days", [60, 400])  # the first order is on the 60th day before, which is not before it
def test_nobody_had_ordered_before_the_day(days):
    found, before = before_and_after(shop(), days), before_and_after(shop(), 59)
    assert found.empty and list(found) == list(before) and found.index.name == "customer_id"
    assert before.index.tolist() == ["ann"]
    nobody = found.join(pd.Series(["flat"], pd.Index(["ann"], name="customer_id"), name="home"), how="inner")
    assert by_group(nobody, "revenue", "home", ["recency", "frequency", "tenure"]).empty


def test_first_orders_of_one_time_count_together_and_late_lines_with_their_order():
    found = first_orders(shop())
    days = pd.to_datetime(["2024-01-01", "2024-01-06", "2024-02-15", "2024-01-05"])
    assert found.index.tolist() == ["ann", "bob", "cem", "dee"] and found["first_order"].tolist() == list(days)
    assert found["first_revenue"].tolist() == [14, 10, 5, 10], "gross: dee's is returned later"
    assert found["first_lines"].tolist() == [2, 2, 1, 1]
    assert found["first_weekday"].tolist() == ["Monday", "Saturday", "Thursday", "Friday"]
    assert found["first_weekday"].cat.categories[6] == "Sunday" and not found["first_weekday"].cat.ordered
    nobody = first_orders(shop(day=pd.Timestamp("2024-01-01")))
    assert nobody.empty and nobody.dtypes.astype(str).to_dict() == found.dtypes.astype(str).to_dict()


def test_categories_are_those_of_products_bought_each_once():
    found = bought(shop())
    pairs = [("ann", "Garden"), ("ann", "Kitchen"), ("bob", "Kitchen"), ("cem", "Garden"), ("dee", "Garden")]
    assert list(found) == ["customer_id", "category"] and list(found.itertuples(index=False, name=None)) == pairs
    assert bought(shop(day=pd.Timestamp("2024-01-01"))).empty


def test_without_categories_nobody_is_said_to_have_bought_of_any():
    whole = shop()
    assert bought(shop(products=None)) is None and bought(shop(products=PRODUCTS[["product_id"]])) is None
    assert bought(Snapshot(whole.transactions.drop("product_id"), DAY, None, whole.products)) is None


def test_last_orders_are_net_of_returns():
    found = last_orders(shop())
    assert list(found) == ["recency", "frequency", "revenue", "average order value"]
    assert rows(found) == {"ann": [20, 4, 24, 6], "bob": [55, 2, 10, 5], "cem": [15, 1, 5, 5], "dee": [56, 1, 0, 0]}
    assert last_orders(shop(returns=None))["revenue"].tolist() == [44, 10, 5, 10]
    with pytest.raises(ValueError, match="no order was placed before as_of = 2024-01-01"):
        last_orders(shop(day=pd.Timestamp("2024-01-01")))


@pytest.mark.parametrize("method", [lambda one: before_and_after(one, 30), first_orders, bought, last_orders])
def test_the_order_of_rows_changes_nothing(method):
    pd.testing.assert_frame_equal(method(shop()), method(shop(LOG[::-1], RETURNS[::-1], PRODUCTS[::-1])))


# Personas as tables


def persona(name, customers, statements=(), offers=()):
    """A persona of 100 customers' share."""
    return Persona(name, customers, customers / 100, statements, offers, f"{name} is sure.", *[pd.DataFrame()] * 4)


def test_sizes_of_personas_have_the_means_of_their_customers():
    found = [persona("1", 40), persona("2", 60)]
    assert persona_sizes(found).values.tolist() == [["1", 40, 0.4], ["2", 60, 0.6]]
    worth = pd.DataFrame({"revenue": [1.0, 3.0, 5.0, np.nan], "segment": [1, 1, 3, 1]}, index=list("abcd"))
    for some in (worth, worth.assign(segment=worth["segment"].astype(str)), worth[::-1]):
        sizes = persona_sizes(found, some)
        assert sizes["revenue"].tolist()[0] == 2 and np.isnan(sizes["revenue"].tolist()[1]), "nobody of 2 is in worth"
    assert list(persona_sizes([], worth)) == ["segment", "customers", "share", "revenue"]
    many = pd.DataFrame({"revenue": 10.0 ** np.arange(-8, 9), "segment": "1"}, index=list("abcdefghijklmnopq"))
    mixed = [many.sample(frac=1, random_state=seed) for seed in range(20)]
    assert {persona_sizes(found, one)["revenue"].iloc[0] for one in mixed} == {persona_sizes(found, many).iloc[0, 3]}


def test_the_table_of_personas_has_all_that_is_said_the_largest_first():
    table = persona_table([persona("b", 20), persona("c", 60, ("Old.", "Rich."), ("Tea.",)), persona("a", 20)])
    assert list(table) == ["segment", "about", "statement"]
    assert table.values.tolist() == [
        ["c", "tells apart", "Old."], ["c", "tells apart", "Rich."], ["c", "more have bought", "Tea."],
        ["c", "how sure", "c is sure."], ["a", "how sure", "a is sure."], ["b", "how sure", "b is sure."],
    ]  # fmt: skip
    assert persona_table([]).empty and list(persona_table([])) == list(table)


# What is chosen of attributes


def attribute(name, kind="ordered", levels=("no", "maybe", "yes")):
    return SimpleNamespace(name=name, kind=kind, levels=levels)


def test_items_of_one_scale_are_at_least_three_with_equal_levels():
    three = [attribute(name) for name in "abc"]
    other = [attribute(name, levels=["low", "high"]) for name in "wxyz"]
    assert alike(three) == ["a", "b", "c"] and alike([*three, *other]) == ["w", "x", "y", "z"]
    assert alike([*other[:3], *three]) == ["w", "x", "y"], "of equal groups the first"
    assert alike([*three[:2], attribute("c", levels=("yes", "maybe", "no"))]) == [] == alike([])
    assert alike([*three[:2], attribute("c", kind="category"), *[attribute(n, levels=()) for n in "def"]]) == []


def test_answers_are_categories_of_two_levels_to_most():
    table = pd.DataFrame({
        "yes": [True, False, True], "maybe": pd.array([True, None, False], dtype="boolean"), "same": [True] * 3,
        "home": pd.Categorical(["flat", "house", None]), "unused": pd.Categorical(["flat"] * 3, ["flat", "house"]),
        "tier": pd.Categorical(["c", "b", "a"], ordered=True), "age": [1.0, 2.0, 3.0], "name": ["x", "y", "z"],
        "joined": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]),
    })  # fmt: skip
    assert list(answered(table)) == ["yes", "maybe", "home", "tier"]
    assert list(answered(table, most=2)) == ["yes", "maybe", "home"]
    nothing = answered(table[["age"]])
    assert nothing.shape == (3, 0) and answered(table.head(0)).shape == (0, 0)


def test_a_population_is_of_shares_or_of_numbers_of_people():
    assert population(["65+: 1", "18-64: 3.5"]).to_dict("list") == {"group": ["65+", "18-64"], "number": [1, 3.5]}
    shares = population(["a: b: 0.25", " c : .75 "])
    assert shares.to_dict("list") == {"group": ["a: b", "c"], "share": [0.25, 0.75]}
    found = compare(pd.Series(["a: b", "c"] * 30), shares).table
    assert found["index"].tolist() == [200, 50 / 0.75], "half of the customers against 25% and 75%"


@pytest.mark.parametrize("text", ["flat", "flat: many", ": 0.5", "flat: 0", "flat: -1", "flat: inf", "flat: nan"])
def test_a_population_of_another_form_is_refused(text):
    with pytest.raises(ParameterError, match="in population"):
        population(["house: 0.4", text])


def test_a_group_twice_and_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ParameterError, match=r"'flat: 0\.2' in population"):
        population(["flat: 0.8", "flat: 0.2"])
    with pytest.raises(ValueError, match=r"sum to 0\.9"):
        compare(pd.Series(["flat"]), population(["flat: 0.5", "house: 0.4"]))
    with pytest.raises(ValueError, match="no groups"):
        compare(pd.Series(["flat"]), population([]))
