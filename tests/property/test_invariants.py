"""What must hold for any data: the order of rows, ties, partitions, sums."""

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from customerlab.analysis import clustering, rfm
from customerlab.analysis.clustering.indices import by_size
from customerlab.analysis.recommend.metrics import Lists, per_customer
from customerlab.analysis.recommend.models import top
from customerlab.data.clean import mark, report
from customerlab.data.prepare import with_repeats

numbers = st.lists(st.integers(0, 30), min_size=1, max_size=80)
bins = st.integers(2, 10)


@given(numbers, bins, st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_the_order_of_rows(values, k, random):
    order = list(range(len(values)))
    random.shuffle(order)
    scores, _ = rfm.scores.score_one(pd.Series(values), k)
    shuffled, _ = rfm.scores.score_one(pd.Series([values[i] for i in order]), k)
    assert shuffled.tolist() == [scores[i] for i in order]


@given(numbers, bins, st.booleans())
def test_equal_values_have_equal_scores_and_larger_ones_no_worse(values, k, low_is_good):
    scores, cuts = rfm.scores.score_one(pd.Series(values), k, low_is_good=low_is_good)
    table = pd.DataFrame({"value": values, "score": scores})
    assert (table.groupby("value")["score"].nunique() == 1).all()
    by_value = table.drop_duplicates("value").sort_values("value")["score"]
    assert by_value.is_monotonic_decreasing if low_is_good else by_value.is_monotonic_increasing
    assert table["score"].between(1, k).all() and len(cuts) == k - 1
    below = [sum(c > v if low_is_good else c < v for c in cuts) for v in values]
    if len(set(values)) > 1:
        assert scores.tolist() == [1 + n for n in below], "one plus the thresholds exceeded"
    else:
        assert set(scores) == {(k + 1) // 2}, "the middle"


@given(st.integers(2, 200), bins)
def test_different_values_fill_the_bins_evenly(n, k):
    scores, _ = rfm.scores.score_one(pd.Series(np.random.default_rng(n).permutation(n)), k)
    sizes = np.bincount(scores, minlength=k + 1)[1:]
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.slow
@given(numbers, numbers, bins)
def test_segments_partition_the_customers(recency, frequency, k):
    n = min(len(recency), len(frequency))
    table = pd.DataFrame(
        {
            "customer_id": [str(i) for i in range(n)],
            "recency": recency[:n],
            "frequency": frequency[:n],
            "monetary": frequency[:n],
            "days_between_orders": np.nan,
        }
    )
    segmented = rfm.segment(rfm.score(table, k))
    profile = rfm.profile(segmented)
    assert len(segmented) == n == profile["customers"].sum() and segmented["segment"].isin(rfm.RULES["segment"]).all()


def cut(rectangle, random):
    """Rectangles of levels that partition one."""
    r_low, r_high, f_low, f_high = rectangle
    if random.random() < 0.3 or (r_low == r_high and f_low == f_high):
        return [rectangle]
    if f_low == f_high or (r_low < r_high and random.random() < 0.5):
        at = random.randint(r_low, r_high - 1)
        parts = [(r_low, at, f_low, f_high), (at + 1, r_high, f_low, f_high)]
    else:
        at = random.randint(f_low, f_high - 1)
        parts = [(r_low, r_high, f_low, at), (r_low, r_high, at + 1, f_high)]
    return [part for half in parts for part in cut(half, random)]


@given(st.randoms(use_true_random=False))
def test_any_partition_is_taken_and_none_with_a_hole_or_an_overlap(random):
    parts = cut((1, 5, 1, 5), random)
    texts = [f"s{i}: {a}-{b}, {c}-{d}" for i, (a, b, c, d) in enumerate(parts)]
    assert len(rfm.read_rules(texts)) == len(parts)
    with pytest.raises(ValueError, match=r"belongs to no segment|belongs to s0, extra"):
        rfm.read_rules(
            texts[1:] if random.random() < 0.5 and len(texts) > 1 else [*texts, texts[0].replace("s0", "extra")]
        )


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60).filter(lambda v: max(v) > 1e-3))
def test_concentration_stays_in_its_bounds(values):
    result = rfm.concentration(pd.Series(values))
    assert 0 <= result.gini <= 1 - 1 / len(values) + 1e-9
    curve = result.lorenz
    assert (curve["share_of_revenue"] <= curve["share_of_holders"] + 1e-9).all()
    assert curve["share_of_revenue"].diff().dropna().ge(-1e-9).all() and curve["share_of_revenue"].iloc[-1] == 1
    assert result.top["share_of_revenue"].is_monotonic_increasing


@given(st.lists(st.integers(-1, 6), min_size=1, max_size=60))
def test_numbering_by_size_keeps_the_groups(labels):
    found = by_size(np.array(labels))
    pairs = pd.DataFrame({"old": labels, "new": found}).drop_duplicates()
    assert pairs["old"].is_unique and pairs["new"].is_unique
    assert ((found == -1) == (np.array(labels) == -1)).all()
    sizes = np.bincount(found[found >= 0]) if (found >= 0).any() else np.array([])
    assert (np.diff(sizes) <= 0).all()


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 20)), min_size=1, max_size=60))
def test_cluster_one_is_the_most_valuable_and_the_next_less_so(customers):
    labels, value = (np.array(column) for column in zip(*customers, strict=True))
    found = clustering.numbered(labels, value.astype(float))
    assert ((found == -1) == (labels == -1)).all()
    pairs = pd.DataFrame({"old": labels, "new": found}).drop_duplicates()
    assert pairs["old"].is_unique and pairs["new"].is_unique
    means = pd.Series(value)[found > 0].groupby(found[found > 0]).mean()
    assert means.index.tolist() == list(range(1, len(means) + 1)) and means.is_monotonic_decreasing


@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_top_is_the_head_of_the_whole_ranking(rows, columns, k, seed):
    rng = np.random.default_rng(seed)
    scores, allowed = rng.integers(0, 4, (rows, columns)).astype(float), rng.random((rows, columns)) < 0.7
    for row, found in enumerate(top(scores, allowed, k)):
        wanted = sorted((c for c in range(columns) if allowed[row, c]), key=lambda c: (-scores[row, c], c))[:k]
        assert [c for c in found if c >= 0] == wanted and len(found) == k


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=20), st.integers(0, 9))
def test_metrics_stay_in_their_bounds_and_moving_a_hit_up_never_hurts(hits, extra):
    names = ["precision", "recall", "ndcg", "hit_rate"]
    values, best = (
        per_customer(
            Lists.of([[*range(5)]] * len(rows), [[*np.flatnonzero(r), *range(5, 6 + extra)] for r in rows], 15), names
        )
        for rows in (hits, [sorted(row, reverse=True) for row in hits])
    )
    assert ((values >= 0) & (values <= 1 + 1e-12)).all(axis=None)
    assert (best["ndcg"] >= values["ndcg"] - 1e-12).all() and (best["recall"] == values["recall"]).all()


rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["1", "C2", "3"]), st.integers(-3, 3), st.integers(-200, 200)),
    min_size=1, max_size=40,
)  # fmt: skip
chosen = st.lists(
    st.sampled_from(
        ["customer_missing", "order_cancelled", "quantity_not_positive", "price_not_positive", "exact_repeat"]
    ),
    unique=True,
)


@settings(deadline=None, max_examples=40)
@given(rows, chosen)
def test_cleaning_accounts_for_every_row_and_every_penny(lines, names):
    frame = pd.DataFrame(lines, columns=["customer_id", "order_id", "quantity", "cents"]).astype(
        {"customer_id": "string"}
    )
    rules = tuple((name, {"prefix": "C"} if name == "order_cancelled" else {}) for name in names)
    table = ibis.memtable(frame)
    table = table.mutate(
        unit_price=table.cents / 100, amount=(table.quantity * table.cents / 100).cast("decimal(18, 4)")
    )

    def counts(of):
        marked = mark(of, rules)
        counted = marked.group_by("removed_by").aggregate(rows=marked.count(), amount=marked.amount.sum())
        return counted.order_by("removed_by").to_pandas()

    counted, quicker = counts(table), counts(with_repeats(ibis.get_backend(), table))
    assert quicker.equals(counted)
    steps = report(counted, rules)
    # a second engine: pandas, one rule after the other
    left = frame.copy()
    masks = {
        "customer_missing": lambda t: t["customer_id"].isna(),
        "order_cancelled": lambda t: t["order_id"].str.startswith("C"),
        "quantity_not_positive": lambda t: t["quantity"] <= 0,
        "price_not_positive": lambda t: t["cents"] <= 0,
        "exact_repeat": lambda t: t.duplicated(),
    }
    assert steps[0]["rows_left"] == len(frame)
    for name, step in zip(names, steps[1:], strict=True):
        left = left[~masks[name](left)]
        assert step["rows_left"] == len(left)
        assert round(float(step["amount_left"]) * 100) == (left["quantity"] * left["cents"]).sum()
