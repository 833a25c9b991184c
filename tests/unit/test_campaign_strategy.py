"""Strategy table: the segments of the project, changes, and what is refused."""

import re

import pandas as pd
import pytest

from customerlab.analysis.campaign.strategy import COLUMNS, OTHER, STRATEGIES, strategy
from customerlab.analysis.rfm.segments import RULES

SHOP = pd.Series(["New", "At risk", "At risk", "Trade: large", None, "At risk", "Champions", "Cluster 2"])


def test_there_is_a_default_for_each_rfm_segment_and_for_any_other():
    assert list(STRATEGIES.index) == [*RULES["segment"], OTHER]
    assert not STRATEGIES.isna().any(axis=None) and STRATEGIES.map(lambda text: 0 < len(text) <= 60).all(axis=None)


def test_defaults_promise_nothing_and_are_measured_against_a_hold_out():
    text = " ".join(STRATEGIES.to_numpy().ravel())
    assert not re.search(r"\b(will|guarantee|always|increases?|proven)\b", text)
    assert STRATEGIES["kpi"].str.contains("against the hold-out").all()


def test_segments_have_their_sizes_and_the_order_of_the_defaults_then_of_names():
    found = strategy(SHOP)
    assert found["segment"].tolist() == ["Champions", "New", "At risk", "Cluster 2", "Trade: large", "no segment"]
    assert (
        found["customers"].tolist() == [1, 1, 3, 1, 1, 1]
        and found["share"].tolist() == [0.125, 0.125, 0.375] + [0.125] * 3
    )
    assert list(found) == ["segment", "customers", "share", *COLUMNS]
    texts = found.set_index("segment")[COLUMNS]
    assert texts.loc["At risk"].equals(STRATEGIES.loc["At risk"].rename("At risk"))
    assert (texts.loc[["Cluster 2", "Trade: large", "no segment"]] == STRATEGIES.loc[OTHER]).all(axis=None)


def test_the_order_of_customers_changes_nothing():
    pd.testing.assert_frame_equal(strategy(SHOP.iloc[::-1]), strategy(SHOP))
    pd.testing.assert_frame_equal(strategy(SHOP.astype("category")), strategy(SHOP))


def test_changes_change_their_cell_alone_and_the_last_one_counts():
    before = STRATEGIES.copy()
    changes = ["At risk: channel = text", "At risk:channel=letter", "Trade: large: offer = list price = 9: no discount"]
    found, plain = strategy(SHOP, changes).set_index("segment"), strategy(SHOP).set_index("segment")
    different = found.ne(plain).stack()
    assert different[different].index.tolist() == [("At risk", "channel"), ("Trade: large", "offer")]
    assert found.loc["At risk", "channel"] == "letter"
    assert found.loc["Trade: large", "offer"] == "list price = 9: no discount"
    pd.testing.assert_frame_equal(STRATEGIES, before)


def test_a_segment_without_customers_today_can_be_changed_and_has_no_row():
    found = strategy(SHOP, ["Hibernating: offer = none"])
    pd.testing.assert_frame_equal(found, strategy(SHOP))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("At rsk: channel = letter", "no segment 'At rsk'; did you mean 'At risk'"),
        ("at risk: channel = letter", "did you mean 'At risk'"),
        ("At risk: chanel = letter", "no column 'chanel'; did you mean 'channel'"),
        ("At risk: share = 1", "no column 'share'"),
        ("At risk channel = letter", "is no change; expected SEGMENT: COLUMN = TEXT"),
        ("At risk: channel", "is no change"),
        ("At risk: channel = ", "is no change"),
        ("", "is no change"),
    ],
)
def test_changes_that_cannot_be_made_are_refused_with_the_nearest_word(change, said):
    with pytest.raises(ValueError, match=said):
        strategy(SHOP, [change])


def test_a_shop_without_customers_has_no_rows():
    assert strategy(SHOP.iloc[:0]).empty
