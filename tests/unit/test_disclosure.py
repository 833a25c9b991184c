"""Few people: from what is shown and the totals nobody can compute a number that is hidden, even who knows the rule."""

from collections import defaultdict
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from customerlab.analysis import disclosure

COUNTS = st.lists(st.integers(0, 40), min_size=1, max_size=12)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "smallest"), [(2, 5), (3, 3), (3, 5), (4, 2), (4, 3), (4, 4)])
def test_every_hidden_size_could_be_another(groups, smallest):
    """All tables of so many groups: those that look alike, totals included, differ in every hidden cell."""
    alike = defaultdict(list)
    for counts in product(range(11 if groups < 4 else 8), repeat=groups):
        away = disclosure.hidden(counts, smallest)
        look = tuple(None if gone else count for gone, count in zip(away, counts, strict=True))
        alike[look, sum(counts)].append(counts)
    for (look, _), tables in alike.items():
        for place in (n for n, count in enumerate(look) if count is None):
            of_one_size = all(len({t[n] for n, c in enumerate(look) if c is None}) == 1 for t in tables)
            assert len({table[place] for table in tables}) > 1 or of_one_size, (look, tables)
            assert not of_one_size or not any(look), "all is hidden"


@given(COUNTS, st.integers(1, 10))
def test_what_is_shown_is_large_and_what_is_hidden_is_large_together(counts, smallest):
    away = disclosure.hidden(counts, smallest)
    sizes = np.array(counts)
    assert not ((sizes > 0) & (sizes < smallest) & ~away).any()
    assert not away[sizes == 0].any(), "nobody is no person"
    assert not away.any() or away[sizes > 0].all() or (sizes[away].sum() >= smallest and away.sum() > 1)
    order = np.argsort(sizes, kind="stable")
    assert (disclosure.hidden(sizes[order], smallest) == away[order]).all()


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=4), st.integers(2, 5))
def test_no_cell_is_its_row_less_the_others(rows, smallest):
    counts = pd.DataFrame(rows)
    away = disclosure.hidden_cells(counts, smallest)
    for row, gone in zip(rows, away, strict=True):
        assert not [n for n, g in zip(row, gone, strict=True) if 0 < n < smallest and not g]
        assert gone.sum() != 1 or sum(n > 0 for n in row) == 1, "one cell alone is known from the sum of its row"


def test_cells_of_a_hidden_group_are_hidden_with_it():
    counts = pd.DataFrame([[2, 30], [6, 30]])
    segments = pd.DataFrame([["few", "many"], ["next", "many"]])
    assert disclosure.hidden_cells(counts, 5, within=segments).tolist() == [[True, False], [True, False]]


def test_a_table_keeps_the_names_of_hidden_groups_and_loses_their_numbers():
    table = pd.DataFrame({"segment": ["a", "b", "c"], "customers": [1, 8, 90], "money": [5.0, 6.0, 7.0]})
    shown = disclosure.suppressed(table, 5)
    assert shown["segment"].tolist() == ["a", "b", "c"] and shown["customers"].isna().tolist() == [True, True, False]
    assert shown.loc[:1, "money"].isna().all() and disclosure.suppressed(table, 1) is table


def test_labels_follow_the_page_and_hide_ids():
    ids = pd.Series([f"id{n}" for n in range(60)])
    made = disclosure.labelled(ids)
    assert made.is_unique and made.iloc[[0, 25, 26, 59]].tolist() == [
        "Customer A",
        "Customer Z",
        "Customer AA",
        "Customer BH",
    ]


def test_groups_are_left_out_within_their_division():
    table = pd.DataFrame(
        {"task": ["all"] * 3 + ["new"] * 3, "group": list("abcabc"), "customers": [2, 6, 50, 9, 9, 9], "mean": 0.5}
    )
    kept = disclosure.of_groups(table, 5, group="group", within="task")
    assert kept[["task", "group"]].values.tolist() == [["all", "c"], ["new", "a"], ["new", "b"], ["new", "c"]]
