"""Examples of segments in plain words are read and counted, for a base of any attributes; and a base without orders."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.language.answers import answer, examples
from customerlab.analysis.language.base import CustomerBase, without_orders
from customerlab.analysis.language.grammar import LanguageError
from customerlab.analysis.orders import fetched
from language_shop import DAY, LOG, PRODUCTS, RETURNS, base, lines

IDS = pd.Index([f"c{n}" for n in range(5)], name="customer_id")
ODD_NAMES = [
    "age",
    "household size",
    "Dad's age",
    'the "real" age',
    "''",
    " ",
    "and",
    "not",
    "größe",
    "a\nb",
    "1st",
    "is",
]


@pytest.fixture(scope="module")
def shop():
    return base(*(ibis.memtable(frame) for frame in (lines(LOG), lines(RETURNS), PRODUCTS)))


def alone(**attributes):
    """A base of five customers without orders."""
    return CustomerBase(without_orders(DAY), pd.DataFrame(attributes, index=IDS))


def counted(found):
    """The examples of a base with the customers of each."""
    return {text: answer(text, found).customers for text in examples(found)}


# A base without orders


@pytest.mark.parametrize("day", [DAY, "2024-07-01"])
def test_customers_without_orders_are_counted_by_attributes(day):
    none = without_orders(day)
    assert none.day == DAY and fetched(none.known).empty
    found = answer("whose age is at least 30", CustomerBase(none, pd.DataFrame({"age": [29.9, 30, 31, None, 5]}, IDS)))
    assert (found.customers, found.of, found.share, found.revenue) == (2, 5, 0.4, 0)
    assert np.isnan(found.share_of_revenue) and found.overlap.empty


def test_customers_without_orders_have_never_ordered_and_nothing_is_known_of_products():
    nobody = alone(age=[1, 2, 3, 4, 5])
    assert answer("never ordered", nobody).customers == 5 and answer("ordered", nobody).customers == 0
    assert answer("spent at most 0", nobody).customers == 5
    with pytest.raises(LanguageError, match="there is no category 'Garden'; the shop has none"):
        answer("bought from 'Garden'", nobody)
    segments = {"homes": pd.Series(["x", "x", "y"], IDS[:3])}
    shared = answer("whose age is at least 2", CustomerBase(nobody.shop, nobody.attributes, segments)).overlap
    assert shared[["segment", "customers", "shared"]].values.tolist() == [["x", 2, 1], ["y", 1, 1]]


# Examples


def test_examples_of_a_shop_are_counted_as_by_hand(shop):
    top = "ordered at least 2 times and are in the top 20% by revenue"  # ann ordered 3 times, eve's 100 is the most
    assert counted(shop) == {
        top: 0,
        "last ordered more than 180 days ago": 1,  # cem
        "whose 'country' is 'DE'": 2,  # ann and cem
        "whose 'age' is at least 37.5": 2,  # bob and dee; the median of 25, 30, 45 and 60
    }
    assert examples(CustomerBase(shop.shop)) == [top, "last ordered more than 180 days ago"]
    assert examples(CustomerBase(without_orders(DAY))) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_attributes_and_levels_can_be_any(name):
    found = counted(alone(**{name: [1, 2, 3, 4, 5]}))
    assert list(found.values()) == [3], "those of the median or more"
    levels = pd.Categorical([name, name, name, "other", None])
    assert list(counted(alone(**{name: levels})).values()) == [3]


@pytest.mark.parametrize(
    ("values", "customers"),
    [
        ([7.0] * 5, 5),
        ([1_234_567.0, 2e6, 3e6, 4e6, 5e6], 3),
        ([1e-5, 2e-5, 3e-5, 4e-5, 5e-5], 3),
        ([-5, -4, -3, -2, -1], 3),
        ([0.0, -0.0, 0.0, 0.0, 0.0], 5),
        (pd.array([1, 2, 3, None, None], dtype="Int64"), 2),
        (["flat"] * 5, 5),
        (["b", "a", "b", "a", "c"], 2),
        (["", "", "", "x", None], 3),
        ([1, "a", "a", 2.5, None], 2),
        (pd.Categorical([3, 3, 1, 2, None]), 2),
        (pd.Categorical(["low", "high", "high", None, None], ["low", "high"], ordered=True), 2),
    ],
)
def test_an_example_of_an_odd_attribute_is_counted(values, customers):
    assert list(counted(alone(it=values)).values()) == [customers]


@pytest.mark.parametrize(
    "values",
    [
        [True, True, False, False, True],
        pd.array([True, None, True, True, None], dtype="boolean"),
        pd.to_datetime(["2024-01-01", None, "2024-01-02", "2024-01-03", "2024-01-03"]),
        [None] * 5,
        [np.nan] * 5,
        [np.inf] * 5,
        [1e40] * 5,  # more digits than the grammar has room for
        [1e-20] * 5,
        ["x" * 5_000] * 5,
    ],
)
def test_what_has_no_example_does_not_fail(values):
    assert examples(alone(it=values)) == []
    assert examples(alone(it=values, age=[1, 2, 3, 4, 5])) == ["whose 'age' is at least 3"]


def test_the_order_of_customers_changes_no_example():
    table = pd.DataFrame({"home": ["b", "a", "b", "a", "c"], "age": [5, 1, 4, 2, 3]}, IDS)
    found = [examples(CustomerBase(without_orders(DAY), one)) for one in (table, table[::-1])]
    assert found[0] == found[1] == ["whose 'home' is 'a'", "whose 'age' is at least 3"]
