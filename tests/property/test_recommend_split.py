"""An earlier split made from a split's own history is the split that one would have made then."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import issparse

from customerlab.analysis import orders, recommend, sales
from customerlab.analysis.orders import fetched
from customerlab.analysis.recommend.log import Log
from helpers import log


def equal(left, right, name="split"):
    """Every field, and every number exactly; the log is seen in the earlier splits that are made from it."""
    if isinstance(left, Log):
        return
    if dataclasses.is_dataclass(left):
        for field in dataclasses.fields(left):
            equal(getattr(left, field.name), getattr(right, field.name), f"{name}.{field.name}")
    elif issparse(left):
        assert left.shape == right.shape and left.dtype == right.dtype, name
        for part in ("indptr", "indices", "data"):
            assert (getattr(left, part) == getattr(right, part)).all(), name
    elif isinstance(left, np.ndarray):
        assert left.shape == right.shape and left.dtype == right.dtype and (left == right).all(), name
    elif isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right)
    elif isinstance(left, pd.Index):
        pd.testing.assert_index_equal(left, right)
    else:
        assert left == right, name


@st.composite
def shops(draw):
    """Lines of two months: orders over midnight, products twice in an order, one order's id for two customers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, orders = draw(st.integers(20, 120)), draw(st.integers(4, 40))
    customer, start = rng.integers(0, 8, orders), rng.integers(0, 60 * 24, orders)
    order = rng.integers(0, orders, size)
    hours = start[order] + rng.integers(0, draw(st.sampled_from([1, 12, 400])), size)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, unit="h")
    prices = rng.integers(1, 99_999, size) / 1000
    return [
        (f"c{customer[o]}", f"o{o % 30}", times[i], f"p{rng.integers(12)}", 1, prices[i]) for i, o in enumerate(order)
    ]


@pytest.mark.thorough
@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(shops(), st.integers(1, 20), st.integers(1, 20), st.integers(0, 30), st.data())
def test_an_earlier_split_is_the_one_of_then(lines, holdout, before, popularity, data):
    table = log(lines)
    days = sorted({time.normalize() for _, _, time, *_ in lines})
    now = recommend.whole_log(table, popularity_days=popularity)
    # the log of then ends on a day with an order, from which its split counts back
    end = days[data.draw(st.integers(0, len(days) - 1))] + pd.Timedelta(days=1)
    back = (now.date - end).days + before
    earlier = now.earlier(back, before)
    then = orders.before(table, end)
    try:
        wanted = recommend.split_by_time(then, before, popularity_days=popularity)
    except ValueError:
        assert len(earlier.warm) == 0
        return
    equal(earlier, wanted)
    # and from a split with a future, where that future does not show
    later = recommend.whole_log(table, popularity_days=popularity).earlier(holdout, holdout)
    if end <= later.date:
        equal(later.earlier((later.date - end).days + before, before), wanted)


@st.composite
def shops_with_returns(draw):
    """Few customers and products, so that lines come back whole, in part, together, again, and from before the log."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, back = draw(st.integers(15, 60)), draw(st.integers(0, 25))
    hours = np.sort(rng.integers(0, 60 * 24, size))

    def row(number, hour, quantity):
        time = pd.Timestamp("2024-01-01") + pd.Timedelta(hours=int(hour))
        return f"c{rng.integers(3)}", f"o{number}", time, f"p{rng.integers(4)}", quantity, 1.5

    sold = [row(i // 2, hours[i // 2 * 2], int(rng.integers(1, 3))) for i in range(size)]
    return sold, [row(f"R{i}", rng.integers(0, 60 * 24), -int(rng.integers(1, 4))) for i in range(back)]


def bought_and_left(sold, returned, day):
    """Pairs of a customer and a product of the kept lines before a day of which something is left, and the others."""
    lines, back = ([row for row in rows if row[2] < day] for rows in (sold, returned))
    kept = fetched(sales.kept(log(lines), log(back))) if lines and back else pd.DataFrame(lines, columns=list("abcdef"))
    pairs = set(zip(kept.iloc[:, 0], kept.iloc[:, 3], strict=True))
    left = {}
    for customer, _, _, product, quantity, _ in [*back, *lines]:
        left[customer, product] = left.get((customer, product), 0) + quantity
    gone = {(customer, product) for customer, _, _, product, *_ in back if left[customer, product] <= 0}
    return pairs - gone, gone


@pytest.mark.thorough
@settings(deadline=None, max_examples=12)
@given(shops_with_returns(), st.integers(1, 20), st.data())
def test_what_came_back_by_the_cut_was_not_bought_and_what_came_back_later_was(shop, holdout, data):
    sold, returned = shop
    back = log(returned) if returned else None
    whole = recommend.whole_log(log(sold), returns=back)
    bought, gone = bought_and_left(sold, returned, pd.Timestamp.max)
    row, column = whole.history.nonzero()
    assert set(zip(whole.customers[row], whole.products[column], strict=True)) == bought
    row, column = whole.sent_back.nonzero()
    listed = {(customer, product) for customer, product in gone if customer in whole.customers}
    assert set(zip(whole.customers[row], whole.products[column], strict=True)) == {
        (customer, product) for customer, product in listed if product in whole.products
    }
    days = sorted({time.normalize() for _, _, time, *_ in sold})
    end = days[data.draw(st.integers(0, len(days) - 1))] + pd.Timedelta(days=1)
    earlier = whole.earlier((whole.date - end).days + holdout, holdout)
    bought, _ = bought_and_left(sold, returned, earlier.date)
    row, column = earlier.history.nonzero()
    assert set(zip(earlier.customers[row], earlier.products[column], strict=True)) == bought
    # the whole log knows what came back after its last order as if it had come back by its cut
    known = [(*row[:2], min(row[2], whole.date - pd.Timedelta(microseconds=1)), *row[3:]) for row in returned]
    then = orders.before(log(known), end) if returned else None
    try:
        wanted = recommend.split_by_time(orders.before(log(sold), end), holdout, returns=then)
    except ValueError:
        assert len(earlier.warm) == 0
        return
    equal(earlier, wanted)
    equal(earlier.earlier(9, 4), wanted.earlier(9, 4))


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(shops(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_future_do_not_matter(lines, random):
    first = recommend.whole_log(log(lines)).earlier(20, 10)
    shuffled = random.sample(lines, len(lines))
    equal(recommend.whole_log(log(shuffled)).earlier(20, 10), first)
    cut = first.date + pd.Timedelta(days=20)
    later = [(f"x{i}", f"n{i}", cut + pd.Timedelta(hours=i), f"new{i % 3}", 1, 2) for i in range(5 * 24)]
    told = recommend.split_by_time(log([*lines, *later, *[(lines[0][0], *line[1:]) for line in later[:9]]]), 5)
    assert told.date == cut
    equal(told.earlier(20, 10), first)


def test_folds_move_back_by_the_length_of_the_future_and_end_with_the_test():
    orders = [(c, d + 0.5, [p]) for c, p in (("a", "x"), ("b", "y")) for d in range(-28, 120, 5)]
    split = recommend.split_of(orders)
    folds = split.folds(4)
    assert folds[-1] is split
    assert [(split.date - fold.date).days for fold in folds] == [84, 56, 28, 0]
    for step, fold in zip((3, 2, 1), folds, strict=False):
        equal(fold, split.earlier(28 * step))
    every = split.folds(99)
    assert [fold.date for fold in every[-4:]] == [fold.date for fold in folds]
    assert all(len(fold.warm) for fold in every) and len(split.earlier(28 * len(every)).warm) == 0


def test_an_earlier_future_cannot_reach_beyond_the_cut():
    split = recommend.split_of([("a", 40, ["x"]), ("a", 10, ["x"]), ("a", -1, ["x"])])
    for days, length in ((7, None), (7, 8), (7, 0), (0, 0)):
        with pytest.raises(ValueError, match="earlier future"):
            split.earlier(days, length)
    assert split.earlier(7, 7).holdout_days == 7 and split.earlier(30).holdout_days == 28
    whole = recommend.split_of([("a", 40, ["x"]), ("a", 10, ["x"])])
    assert dataclasses.replace(whole, holdout_days=0).earlier(14).holdout_days == 14
