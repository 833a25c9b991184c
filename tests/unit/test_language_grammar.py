"""The grammar of segments: trees written by hand, synonyms, places and hints of errors, bounds."""

from datetime import date
from decimal import Decimal

import pytest

from customerlab.analysis.language.grammar import DEEPEST, LONGEST, MOST, LanguageError, near, parse
from customerlab.analysis.language.tree import (
    ONCE,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Dates,
    Name,
    Not,
    OneOf,
    Relative,
    canonical,
)
from language_shop import SENTENCES


def tree(text):
    return parse(text).condition


def error(text):
    with pytest.raises(LanguageError) as caught:
        parse(text)
    return caught.value


def test_a_sentence_is_the_tree_that_it_says():
    text = (
        "customers who ordered at least 3 times in the last 90 days and bought from 'Garden' "
        "and are in the top 20% by revenue"
    )
    assert tree(text) == AllOf(
        (
            Condition("ordered", (Compare(">=", 3), Relative(90, "day"))),
            Condition("category", (Name("Garden"), ONCE, None)),
            Condition("ranked", ("top", Decimal(20), "revenue", None)),
        )
    )


def test_and_binds_closer_than_or_and_not_closer_than_both():
    a, b, c = (Condition("product", (Name(name), ONCE, None)) for name in "abc")
    assert tree("bought 'a' or bought 'b' and bought 'c'") == AnyOf((a, AllOf((b, c))))
    assert tree("(bought 'a' or bought 'b') and bought 'c'") == AllOf((AnyOf((a, b)), c))
    assert tree("not bought 'a' and bought 'b'") == AllOf((Not(a), b))
    assert tree("not (bought 'a' and bought 'b')") == Not(AllOf((a, b)))
    assert tree("bought 'a' and (bought 'b' and bought 'c')") == AllOf((a, b, c))


@pytest.mark.parametrize("text", SENTENCES)
def test_a_canonical_text_is_read_as_the_same_tree(text):
    segment = parse(text)
    assert parse(canonical(segment)) == segment and canonical(parse(canonical(segment))) == canonical(segment)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("customers who never ordered", "did not order"),
        ("not ordered", "did not order at least 1 time"),
        ("bought 'x'", 'bought product "x"'),
        ("bought from category 'x'", "bought from 'x'"),
        ("did not buy 'x'", "not bought product 'x'"),
        ("returned at least 2 times", "RETURNED ANYTHING at least 2 times"),
        ("ordered 2 times", "ordered exactly 2 times"),
        ("ordered less than 2 times", "ordered fewer than 2 times"),
        ("ordered within the last 1 week", "ordered in the past 1 weeks"),
        ("are in the top 5 percent by orders", "are in the top 5.0% by orders"),
        ("spent 007.50", "spent exactly 7.5, net of returns"),
        ("whose age is exactly 30", "whose 'age' is one of (30)"),
        ("ordered and who spent 1", "ordered\n\tand spent 1"),
        ("ordered, gross of returns", "ordered"),
    ],
)
def test_synonyms_are_the_same_tree(one, other):
    assert parse(one) == parse(other)


def test_names_and_dates_are_read_as_they_stand():
    assert tree("bought 'Dad''s \"big\" (and) pot'").values[0] == 'Dad\'s "big" (and) pot'
    assert tree('bought "a ""b"" c"').values[0] == 'a "b" c'
    assert tree("ordered before 2024-03-01").values[1] == Dates(None, date(2024, 2, 29))
    assert tree("whose Größe is one of ('a', 'b')") == Condition("attribute", ("Größe", OneOf(("a", "b"))))
    assert canonical(parse("whose 'shoe size' is 4 or whose 'is' is no")) == (
        "customers whose 'shoe size' is 4 or whose is is no"
    )


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("customers who ordered at laest 3 times", 26, "expected 'least' or 'most', found 'laest'; did you mean 'least'"),
        ("customers who orderd", 15, "did you mean 'ordered'"),
        ("ordered atleast 3 times", 9, "did you mean 'at least'"),
        ("ordered 3 times in the last 3 moons", 31, "did you mean 'months'"),
        ("ordered 3", 10, "expected 'times' or 'time', found the end"),
        ("ordered -1 times", 9, "a whole number from 0"),
        ("ordered 1.5 times", 9, "a whole number"),
        ("ordered between 5 and 2 times", 23, "the smaller value first"),
        ("ordered since 2023-02-29", 15, "a day of the calendar"),
        ("ordered since 0001-01-01", 15, "from 1900-01-01"),
        ("ordered between 2024-02-01 and 2024-01-01", 32, "the earlier day first"),
        ("ordered in the last 101 years", 21, "expected 1 to 100 years"),
        ("ordered in the last 0 days", 21, "expected 1 to 36,500 days"),
        ("spent 0.00001", 7, "at most four decimals"),
        ("are in the top 120% by revenue", 16, "above 0, up to 100"),
        ("are in the top 20% by revenu", 23, "did you mean 'revenue'"),
        ("bought Garden", 8, "a product in quotes"),
        ("bought 'Garden", 8, "a quotation mark without its end"),
        ("ordered; drop table", 8, "found ';'"),
        ("whose age is between 'a' and 3", 30, "the smaller value first"),
        ("whose age is 1234567890123456", 14, "at most 15 digits"),
        ("(ordered", 9, "expected 'at least'"),
        ("ordered)", 8, "the end"),
        ("", 1, "expected 'customers', 'who', 'not', '('"),
    ],
)  # fmt: skip
def test_an_error_says_where_what_was_expected_and_what_may_be_meant(text, column, message):
    caught = error(text)
    assert (caught.line, caught.column) == ((1, column) if text else (0, 0))
    assert message in str(caught)
    if text:
        assert str(caught).splitlines()[-1] == " " * (column + 1) + "^"


def test_lines_are_counted_and_long_ones_cut_around_the_place():
    caught = error("customers who ordered\nand\tspent a lot")
    assert (caught.line, caught.column) == (2, 11)
    assert str(caught).splitlines()[1:] == ["  and·spent a lot", "  " + " " * 10 + "^"]
    _, excerpt, mark = str(error("ordered and " * 20 + "x" + " or ordered" * 20)).splitlines()
    assert excerpt[mark.index("^")] == "x" and len(excerpt) == 102


@pytest.mark.parametrize("opened", ["(", "not ", "not ("])
def test_depth_is_bounded(opened):
    for number, deep in ((DEEPEST, False), (DEEPEST + 1, True), (LONGEST // 8, True)):
        text = opened * number + "did not order" + ")" * (opened.count("(") * number)
        if deep:
            assert "nested at most 20 deep" in str(error(text))
        else:
            assert canonical(parse(canonical(parse(text)))) == canonical(parse(text))


def test_length_and_number_of_conditions_are_bounded():
    assert len(tree(" or ".join(["ordered"] * MOST)).parts) == MOST
    assert "at most 50 conditions" in str(error(" or ".join(["ordered"] * (MOST + 1))))
    assert "expected at most 4,000" in str(error("ordered" + " " * LONGEST))
    long = f"bought '{'x' * (LONGEST - 9)}'"
    assert len(long) == LONGEST and "in its canonical form" in str(error(long))


def test_hints_ignore_case_and_stay_silent_without_a_likely_name():
    assert near("GARDN", ["Garden", "Kitchen"]) == "; did you mean 'Garden'?"
    assert near("xyz", ["Garden"]) == near("x", []) == ""
