"""Answers: numbers worked out by hand, small groups hidden, and proposals of a model that are refused or counted."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.language.answers import NUMBERS, answer
from customerlab.analysis.language.base import CustomerBase
from customerlab.analysis.language.grammar import LanguageError
from customerlab.analysis.language.proposals import propose
from customerlab.analysis.orders import Snapshot
from language_shop import DAY, LOG, PRODUCTS, RETURNS, base, lines


@pytest.fixture(scope="module")
def shop():
    return base(*(ibis.memtable(frame) for frame in (lines(LOG), lines(RETURNS), PRODUCTS)))


def test_an_answer_has_wording_size_net_revenue_and_overlap(shop):
    found = answer("Ordered in the past 90 days", shop)  # ann, bob and eve
    assert found.wording == "customers who ordered in the last 90 days"
    assert (found.customers, found.of, found.share) == (3, 5, 0.6)
    assert found.revenue == 25 + 20 + 100 and found.share_of_revenue == 1
    rfm = found.overlap[found.overlap["segmentation"] == "rfm"].set_index("segment")[NUMBERS]
    assert rfm.loc["Champions"].tolist() == pytest.approx([2, 2, 1, 2 / 3, (2 / 3) / (2 / 5)], abs=1e-15)
    assert rfm.loc["At risk"].tolist() == [1, 0, 0, 0, 0]
    clusters = found.overlap[found.overlap["segmentation"] == "clusters"].set_index("segment")[NUMBERS]
    assert clusters.loc["1"].tolist() == pytest.approx([3, 1, 1 / 3, 1 / 3, (1 / 3) / (3 / 5)], abs=1e-15)
    assert clusters["share_of_this"].sum() == pytest.approx(1, abs=1e-15)


def test_nobody_and_no_revenue_have_numbers_of_their_own(shop):
    nobody = answer("ordered and never ordered", shop)
    assert (nobody.customers, nobody.share, nobody.revenue, nobody.share_of_revenue) == (0, 0, 0, 0)
    assert (nobody.overlap["shared"] == 0).all() and nobody.overlap[["share_of_this", "lift"]].isna().all(axis=None)
    empty = answer("ordered", CustomerBase(shop.shop.at(pd.Timestamp("2020-01-01"))))
    assert (empty.customers, empty.of, empty.revenue) == (0, 0, 0) and np.isnan(
        [empty.share, empty.share_of_revenue]
    ).all()
    assert empty.overlap.empty


def many(first, number=100):
    """A shop of many customers, of whom some have ordered twice; three segments of 50, 46 and 4 customers."""
    ids = [f"c{n:03d}" for n in range(number)]
    rows = [(name, name, "2024-06-01", "P1", 1, 10) for name in ids]
    rows += [(name, f"{name}-2", "2024-06-02", "P1", 1, 10) for name in ids[:first]]
    segments = pd.Series(["a"] * 50 + ["b"] * 46 + ["c"] * 4, index=ids)
    return CustomerBase(Snapshot(ibis.memtable(lines(rows)), DAY), None, {"three": segments})


@pytest.mark.parametrize(("first", "away"), [(3, True), (5, False), (97, True), (95, False), (0, False), (100, False)])
def test_a_small_group_is_hidden_and_so_is_all_but_a_small_group(first, away):
    found = answer("ordered 2 times", many(first), smallest=5)
    numbers = [found.customers, found.share, found.revenue, found.share_of_revenue]
    assert np.isnan(numbers).all() if away else numbers[:2] == [first, first / 100]
    assert found.of == 100 and (not away or found.overlap[NUMBERS].isna().all(axis=None))


def test_an_overlap_hides_small_numbers_and_what_would_reveal_them():
    shop = many(52)  # all of a, two of b, none of c, which is small itself
    shown = answer("ordered 2 times", shop, smallest=5).overlap.set_index("segment")
    assert shown["shared"].isna().tolist() == [True, True, True], "52 less the 50 of a are the 2 of b"
    assert answer("ordered 2 times", shop).overlap["shared"].tolist() == [50, 2, 0]
    clear = answer("ordered 2 times", many(70), smallest=3).overlap["shared"]
    assert clear.tolist() == [50, 20, 0]


def test_a_proposal_is_read_and_counted_and_a_refused_one_goes_back(shop):
    asked = []
    texts = iter(["DROP TABLE customers", "customers who bought from 'Gardn'", "bought from 'Garden'"])

    def model(request, forms, refused):
        asked.append((request, [reason for _, reason in refused]))
        assert "bought from <category> <count> <period>" in forms
        return next(texts)

    found = propose("garden people", model, shop)
    assert found.proposed == "bought from 'Garden'" and found.answer.customers == 1
    assert found.answer.wording == "customers who bought from 'Garden'"
    assert [request for request, _ in asked] == ["garden people"] * 3
    assert "expected" in asked[1][1][0] and "did you mean 'Garden'" in asked[2][1][1]
    assert [text for text, _ in found.refused] == ["DROP TABLE customers", "customers who bought from 'Gardn'"]


def test_tries_end_and_faults_of_the_model_are_its_own(shop):
    calls = []
    with pytest.raises(ValueError, match="No text of 2 was a segment") as caught:
        propose("x", lambda *_: calls.append(1), shop, tries=2)
    assert len(calls) == 2 and not isinstance(caught.value, LanguageError)

    def broken(*_):
        raise ConnectionError("no model")

    with pytest.raises(ConnectionError, match="no model"):
        propose("x", broken, shop)
