"""What segments in plain words select: sentences worked out by hand on a small shop; unknown names are refused."""

import ibis
import pandas as pd
import pytest

from customerlab.analysis.language.base import CustomerBase
from customerlab.analysis.language.grammar import DEEPEST, MOST, LanguageError, parse
from customerlab.analysis.language.meaning import select
from customerlab.analysis.orders import Snapshot
from language_shop import ATTRIBUTES, DAY, LOG, PRODUCTS, RETURNS, SEGMENTS, SENTENCES, base, lines


@pytest.fixture(scope="module")
def shop():
    return base(*(ibis.memtable(frame) for frame in (lines(LOG), lines(RETURNS), PRODUCTS)))


def names(text, shop):
    """The first letters of the customers that a text selects, each once."""
    table = select(parse(text), shop)
    assert table.columns == ("customer_id",)
    return "".join(sorted(name[0] for name in table.to_pandas()["customer_id"]))


@pytest.mark.parametrize("text", SENTENCES)
def test_a_sentence_selects_its_customers(shop, text):
    assert names(text, shop) == SENTENCES[text]


def test_there_are_at_least_forty_sentences():
    assert len(SENTENCES) >= 40


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("bought from 'garden'", 13, "there is no category 'garden'; did you mean 'Garden'"),
        ("ordered and bought 'p2'", 20, "there is no product 'p2'; did you mean 'P2'"),
        ("whose contry is 'DE'", 7, "there is no attribute 'contry'; did you mean 'country'"),
        ("whose country is one of ('DE', 'at')", 32, "there is no level 'at'; did you mean 'AT'"),
        ("whose tier is at least 'golden'", 24, "there is no level 'golden'; did you mean 'gold'"),
        ("whose tier is between 'gold' and 'silver'", 23, "the lower one first"),
        ("whose tier is 2", 7, "'tier' is of the kind ordered; expected levels in quotes, or missing"),
        ("whose country is at least 'DE'", 7, "of the kind category"),
        ("whose age is 'DE'", 7, "expected a number"),
        ("whose age is yes", 7, "expected a number"),
        ("whose newsletter is 1", 7, "expected yes or no"),
        ("whose joined is 3", 7, "expected a period"),
        ("whose age is one of (1, 'x')", 7, "expected a number"),
        ("are in segment 'champions'", 16, "did you mean 'Champions'"),
        ("are in segment 'Loyal'", 16, "say of 'rfm' or of 'last year'"),
        ("are in segment 'Loyal' of 'rmf'", 27, "there is no segmentation 'rmf'; did you mean 'rfm'"),
        ("are in segment 'Asleep' of 'rfm'", 16, "there is no segment 'Asleep'"),
    ],
)  # fmt: skip
def test_a_name_that_the_shop_does_not_have_is_refused_at_its_place(shop, text, column, message):
    with pytest.raises(LanguageError, match=message) as caught:
        select(parse(text), shop)
    assert (caught.value.line, caught.value.column) == (1, column)


def test_what_a_shop_lacks_is_said():
    log = ibis.memtable(lines(LOG).drop(columns="product_id"))
    bare = CustomerBase(Snapshot(log, DAY))
    for text, message in [
        ("bought 'P1'", "no product 'P1'; the shop has none"),
        ("bought from 'Garden'", "no category 'Garden'; the shop has none"),
        ("returned anything", "no table of returns"),
        ("whose age is 3", "no attribute 'age'; the shop has none"),
        ("are in segment 'a'", "no segment 'a'; the shop has none"),
    ]:
        with pytest.raises(LanguageError, match=message):
            select(parse(text), bare)
    assert names("spent at least 30", bare) == "ace", "without returns net revenue is gross"


@pytest.mark.slow
def test_the_largest_and_the_deepest_text_are_compiled(shop):
    many = " or ".join(f"ordered at least {n % 3 + 2} times in the last {n + 1} weeks" for n in range(MOST))
    assert names(many, shop) == "a"
    assert names("not (" * DEEPEST + "ordered" + ")" * DEEPEST, shop) == "abce", "an even number of nots"


def test_without_orders_those_with_attributes_are_the_customers(shop):
    early = CustomerBase(shop.shop.at(pd.Timestamp("2020-01-01")), ATTRIBUTES)
    assert names("never ordered", early) == "abcde" and names("are in the top 100% by revenue", early) == ""
    nobody = CustomerBase(early.shop)
    assert names("never ordered", nobody) == ""


def test_attributes_without_values_are_missing(shop):
    empty = ATTRIBUTES.assign(age=float("nan"), country=None, newsletter=pd.array([None] * 5, dtype="boolean"))
    empty["joined"] = pd.NaT
    nothing = CustomerBase(shop.shop, empty)
    text = (
        "whose age is missing and whose country is missing and whose newsletter is missing and whose joined is missing"
    )
    assert names(text, nothing) == "abcde" and names("whose age is at least 0", nothing) == ""


def test_the_order_of_rows_changes_nothing(shop):
    frames = [lines(LOG), lines(RETURNS), PRODUCTS]
    mixed = base(*(ibis.memtable(frame.iloc[::-1]) for frame in frames))
    mixed = CustomerBase(mixed.shop, ATTRIBUTES.iloc[::-1], {name: one.iloc[::-1] for name, one in SEGMENTS.items()})
    text = " or ".join(f"({text.removeprefix('customers ')})" for text in list(SENTENCES)[40:52])
    assert names(text, mixed) == names(text, shop)


def test_a_customer_with_two_rows_is_refused(shop):
    with pytest.raises(ValueError, match="two rows in the attributes"):
        CustomerBase(shop.shop, pd.concat([ATTRIBUTES, ATTRIBUTES]))
    with pytest.raises(ValueError, match="two rows in segmentation 'rfm'"):
        CustomerBase(shop.shop, None, {"rfm": pd.concat([SEGMENTS["rfm"]] * 2)})
