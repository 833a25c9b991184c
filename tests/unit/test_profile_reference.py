"""Customers beside a reference population: published intervals, scipy, and what the user can put right."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.inference import holm
from customerlab.analysis.profile.reference import compare

CENSUS = pd.DataFrame({"group": ["young", "middle", "old"], "number": [300, 500, 200]})


def customers(**numbers):
    return pd.Series(np.repeat(list(numbers), list(numbers.values())), dtype=object)


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        (
            [56, 72, 73, 59, 62, 87, 58],
            [
                (0.085, 0.166),
                (0.115, 0.204),
                (0.116, 0.207),
                (0.091, 0.173),
                (0.096, 0.181),
                (0.143, 0.239),
                (0.089, 0.171),
            ],
        ),
        ([5] * 50, [(0.005, 0.075)] * 50),
    ],
)
def test_intervals_are_those_that_sison_and_glaz_1995_print_of_goodman(counts, published, monkeypatch):
    monkeypatch.setattr("customerlab.analysis.profile.reference.LEAST", 1)
    names = [f"g{place:02d}" for place in range(len(counts))]
    reference = pd.DataFrame({"group": names, "number": 1})
    table = compare(pd.Series(np.repeat(names, counts)), reference).table
    assert table[["low", "high"]].to_numpy() == pytest.approx(np.array(published), abs=0.00051)


def test_tests_are_those_of_scipy():
    found = compare(customers(old=70, young=130, middle=300), CENSUS)
    table = found.table.set_index("group")
    assert table.index.tolist() == ["young", "middle", "old"] and table["customers"].tolist() == [130, 300, 70]
    whole = stats.chisquare([130, 300, 70], [150, 250, 100])
    assert (found.statistic, found.p, found.df) == (pytest.approx(whole.statistic), pytest.approx(whole.pvalue), 2)
    for name, share in zip(table.index, (0.3, 0.5, 0.2), strict=True):
        tail = [stats.binomtest(int(table["customers"][name]), 500, share, side).pvalue for side in ("less", "greater")]
        assert table["p"][name] == pytest.approx(2 * min(tail), rel=1e-9)
        assert table["index"][name] == pytest.approx(table["customers"][name] / 500 / share * 100)
    assert table["p_adjusted"].tolist() == holm(table["p"]).tolist()
    assert ((table["index_low"] > 100) | (table["index_high"] < 100)).tolist() == (table["p_adjusted"] < 0.05).tolist()


def test_shares_and_numbers_are_the_same_reference_and_rows_may_be_in_any_order():
    seen = customers(young=40, middle=40, old=40)
    shares = CENSUS.assign(share=[0.3, 0.5, 0.2]).drop(columns="number")
    one, other = compare(seen, CENSUS), compare(seen.sample(frac=1, random_state=1), shares)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.p == other.p


def test_groups_that_are_missing_on_a_side_are_named():
    seen = pd.concat([customers(young=50, middle=50, abroad=30), pd.Series([None, np.nan])], ignore_index=True)
    found = compare(seen.astype("category"), CENSUS)
    assert (found.customers, found.unknown) == (100, 2)
    assert (found.without_customers, found.without_reference) == (("old",), ("abroad",))
    table = found.table.set_index("group")
    assert table["share"].tolist() == pytest.approx([0.5, 0.5, 0, np.nan], nan_ok=True)
    assert table.loc["abroad", "customers"] == 30 and table.loc["abroad", ["reference", "index", "p"]].isna().all()
    assert table.loc["old", "index"] == 0 and table.loc["old", "p"] == pytest.approx(2 * 0.8**100)


def test_few_customers_are_too_few_to_tell():
    table = compare(customers(young=25, middle=25, old=5), CENSUS).table.set_index("group")
    assert table["p"].isna().tolist() == table["low"].isna().tolist() == [False, False, True]
    few = compare(customers(young=9, middle=9), CENSUS)
    assert np.isnan(few.p) and few.table["p"].isna().all() and few.table["index"].notna().all()
    none = compare(pd.Series([None], dtype=object), CENSUS)
    assert none.customers == 0 and np.isnan(none.p) and (none.table["share"] == 0).all()


def test_sparse_groups_are_pooled_in_the_test_of_the_whole():
    census = pd.DataFrame({"group": list("abcde"), "share": [0.5, 0.4, 0.05, 0.03, 0.02]})
    found = compare(customers(a=30, b=15, c=2, d=2, e=1), census)
    whole = stats.chisquare([30, 15, 5], [25, 20, 5])
    assert (found.df, found.p) == (2, pytest.approx(whole.pvalue))
    alone = compare(customers(a=30), pd.DataFrame({"group": ["a"], "share": [1.0]}))
    assert alone.df == 0 and np.isnan(alone.p) and alone.table["p"].tolist() == [1]


def test_small_groups_keep_their_names_alone():
    seen = customers(young=3, middle=60, old=37)
    table = compare(seen, CENSUS, smallest=5).table.set_index("group")
    hidden = table.drop(columns="reference").isna().all(axis=1)
    assert hidden.to_dict() == {"young": True, "middle": False, "old": True}  # the old would reveal the young
    assert compare(seen, CENSUS, smallest=5).p == compare(seen, CENSUS).p


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (pd.DataFrame({"age": ["a"], "share": [1]}), "expected 'group', and 'share' or 'number'"),
        (pd.DataFrame({"group": ["young", "young"], "share": [0.5, 0.5]}), r"a group twice .*\['young'\]"),
        (pd.DataFrame({"group": [], "share": []}), "no groups"),
        (pd.DataFrame({"group": ["young", "old"], "share": [30, 70]}), "sum to 100; expected 1"),
        (pd.DataFrame({"group": ["young", "old"], "number": [30, 0]}), "'old' is not above zero"),
        (pd.DataFrame({"group": ["young", "old"], "number": [30, "many"]}), "'old' is not above zero"),
        (pd.DataFrame({"group": ["18-29"], "share": [1]}), r"found \['young'\], expected \['18-29'\]"),
    ],
)
def test_a_reference_that_cannot_be_is_refused(reference, said):
    with pytest.raises(ValueError, match=said):
        compare(customers(young=30), reference)


@pytest.mark.thorough
def test_customers_drawn_from_the_population_differ_from_it_no_more_often_than_promised():
    from helpers import by_chance

    rng = np.random.default_rng(1)
    alarms = [
        (
            compare(pd.Series(rng.choice(CENSUS["group"], 300, p=[0.3, 0.5, 0.2])), CENSUS).table["p_adjusted"] < 0.05
        ).any()
        for _ in range(400)
    ]
    assert np.mean(alarms) <= by_chance(0.05, 400)[1]
