"""Metrics of recommendations: against scikit-learn, against loops over customers, by hand, and on odd lists."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.sparse import csr_matrix
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.metrics.pairwise import cosine_similarity

from customerlab.analysis.recommend import metrics
from customerlab.analysis.recommend.metrics import Lists
from customerlab.analysis.recommend.metrics.table import values_of
from customerlab.analysis.recommend.models import top
from helpers import ROOT


def drawn(seed, customers=60, products=12, k=5, *, levels=4, allowed=False):
    """Lists made from scores with many ties, and all their material."""
    rng = np.random.default_rng(seed)
    shape = (customers, products)
    scores = rng.integers(0, levels, shape).astype(float)
    mask = rng.random(shape) < 0.7 if allowed else np.ones(shape, dtype=bool)
    return Lists(
        top(scores, mask, k),
        csr_matrix(rng.random(shape) < 0.25),
        history=csr_matrix((rng.random(shape) < 0.3) * rng.integers(1, 5, shape)),
        money=csr_matrix(rng.gamma(2.0, size=shape) * (rng.random(shape) < 0.3)),
        vectors=csr_matrix(rng.integers(0, 3, (products, 4)).astype(float)),
        categories=csr_matrix(np.eye(3)[rng.integers(0, 3, products)]),
    )


def value(lists, metric, definition):
    """A metric under one of its definitions."""
    return values_of(lists, next(row for row in metrics.DEFINITIONS if row[:2] == (metric, definition)))


def customers(lists):
    """For loops: each customer's list, what was bought, what was bought before."""
    relevant, past = lists.relevant.toarray() > 0, lists.history.toarray() > 0
    for row, own in enumerate(lists.ranked.tolist()):
        yield row, [p for p in own if p >= 0], set(np.flatnonzero(relevant[row])), set(np.flatnonzero(past[row]))


# -- what lists find ---------------------------------------------------------------------------------------------


def test_by_hand():
    # bought: 0, 2, 3, 4; the list has hits at ranks 1 and 3
    lists = Lists.of([[2, 1, 0]], [[0, 2, 3, 4]], products=6)
    values = metrics.per_customer(lists).iloc[0]
    gain = 1 + 1 / np.log2(4)
    assert values.to_dict() == pytest.approx(
        {
            "precision": 2 / 3,
            "recall": 2 / 4,
            "f1": 4 / 7,
            "hit_rate": 1,
            "mrr": 1,
            "map": (1 + 2 / 3) / 3,
            "ndcg": gain / (1 + 1 / np.log2(3) + 1 / np.log2(4)),
            "r_precision": 2 / 3,
        }
    )
    assert value(lists, "r_precision", "bought") == pytest.approx(2 / 4)
    assert value(lists, "ndcg", "bought") == pytest.approx(gain / sum(1 / np.log2(r + 1) for r in (1, 2, 3, 4)))
    assert value(lists, "ndcg", "2002") == pytest.approx((1 + 1 / np.log2(3)) / (1 + 1 + 1 / np.log2(3)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("allowed", [False, True])
def test_against_loops_over_customers(seed, allowed):
    lists = drawn(seed, allowed=allowed, k=5 + 3 * seed)
    k, values = lists.k, metrics.per_customer(lists)
    for row, listed, bought, past in customers(lists):
        hits = [p in bought for p in listed]
        own = values.loc[row]
        if not bought:
            assert own[["precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg", "r_precision"]].isna().all()
            continue
        best = min(k, len(bought))
        precisions = [sum(hits[: r + 1]) / (r + 1) for r in range(len(hits)) if hits[r]]
        assert own["precision"] == pytest.approx(sum(hits) / k)
        assert own["recall"] == pytest.approx(sum(hits) / len(bought))
        p, r = own["precision"], own["recall"]
        assert own["f1"] == pytest.approx(2 * p * r / (p + r) if p + r else 0)
        assert own["mrr"] == pytest.approx(max([1 / (r + 1) for r in range(len(hits)) if hits[r]], default=0))
        assert own["map"] == pytest.approx(sum(precisions) / best)
        ideal = sum(1 / np.log2(r + 2) for r in range(best))
        assert own["ndcg"] == pytest.approx(sum(h / np.log2(r + 2) for r, h in enumerate(hits)) / ideal)
        assert own["r_precision"] == pytest.approx(sum(hits[:best]) / best)
        again, new = bought & past, bought - past
        assert own["recall_of_repeats"] == pytest.approx(
            len(again & set(listed)) / len(again) if again else np.nan, nan_ok=True
        )
        assert own["recall_of_new_items"] == pytest.approx(
            len(new & set(listed)) / len(new) if new else np.nan, nan_ok=True
        )
        assert own["repeat_share"] == pytest.approx(np.mean([p in past for p in listed]))


@pytest.mark.parametrize("k", [1, 3, 12])
def test_ndcg_is_that_of_scikit_learn(k):
    rng = np.random.default_rng(5)
    scores, truth = rng.permuted(np.tile(np.arange(12.0), (200, 1)), axis=1), rng.random((200, 12)) < 0.25
    some = truth.any(axis=1)
    ours = value(Lists(top(scores, np.ones_like(truth), k), csr_matrix(truth)), "ndcg", "reachable")
    assert ours[some].mean() == pytest.approx(ndcg_score(truth[some], scores[some], k=k))


def test_average_precision_of_the_whole_catalogue_is_that_of_scikit_learn():
    rng = np.random.default_rng(6)
    scores, truth = rng.random((60, 12)), rng.random((60, 12)) < 0.25
    lists = Lists(top(scores, np.ones_like(truth), 12), csr_matrix(truth))
    for row in np.flatnonzero(lists.bought):
        wanted = average_precision_score(truth[row], scores[row])
        assert value(lists, "map", "bought")[row] == pytest.approx(wanted)
        assert value(lists, "map", "reachable")[row] == pytest.approx(wanted)


def test_definitions_differ_by_their_formulas():
    # customer 0: hits at 1 and 3 of a full list, four bought; customer 1: a list of one, which hits, two bought
    lists = Lists.of([[2, 1, 0], [5]], [[0, 2, 3, 4], [0, 5]], products=6)
    table = metrics.definitions(lists).set_index(["metric", "definition"])["value"]
    assert table["precision"].to_dict() == pytest.approx(
        {"k": 1 / 2, "shown": 5 / 6, "reachable": 7 / 12, "pooled": 3 / 5, "everybody": 1 / 2}
    )
    assert table["recall"].to_dict() == pytest.approx({"bought": 1 / 2, "reachable": 7 / 12})
    # precision and recall are 2/3, 1/2 and 1/3, 1/2
    assert table["f1"].to_dict() == pytest.approx({"customer": (4 / 7 + 2 / 5) / 2, "means": 1 / 2})
    assert table["mrr"].to_dict() == pytest.approx({"first": 1, "every": (4 / 3 + 1) / 2})
    total = 1 + 2 / 3
    assert table["map"].to_dict() == pytest.approx(
        {
            "reachable": (total / 3 + 1 / 2) / 2,
            "bought": (total / 4 + 1 / 2) / 2,
            "k": (total / 3 + 1 / 3) / 2,
            "found": (total / 2 + 1) / 2,
            "precisions": ((1 + 1 / 2 + 2 / 3) / 3 + (1 + 1 / 2 + 1 / 3) / 3) / 2,
        }
    )
    two, three = 1 + 1 / np.log2(3), 1.5 + 1 / np.log2(3)
    assert table["ndcg"]["k"] == pytest.approx((1.5 / three + 1 / three) / 2)
    assert table["ndcg"]["found"] == pytest.approx((1.5 / two + 1) / 2)


def test_the_table_has_every_definition_once_and_its_default_first():
    everything = metrics.definitions(drawn(10))
    assert len(everything) == len(metrics.DEFINITIONS)
    assert not everything.duplicated(["metric", "definition"]).any() and everything["value"].notna().all()
    first = ~everything["metric"].duplicated()
    assert (everything["default"] == first).all()
    bare = metrics.definitions(Lists.of([[0]], [[0]], products=2))
    assert set(bare["metric"]) == {
        "precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg", "r_precision", "item_coverage", "user_coverage",
        "gini",
    }  # fmt: skip
    defaults = everything[everything["default"]].set_index("metric")["value"]
    lists = drawn(10)
    means = pd.concat([metrics.per_customer(lists).mean(), metrics.over_all(lists)])
    assert means.to_dict() == pytest.approx(defaults[means.index].to_dict())
    assert set(means.index) == set(defaults.index)


# -- beyond what lists find --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_beyond_against_loops_over_customers(seed):
    lists = drawn(20 + seed, allowed=True, k=6)
    values = metrics.per_customer(lists)
    vectors, categories = lists.vectors.toarray(), lists.categories.toarray()
    history, money = lists.history.toarray(), lists.money.toarray()
    buyers = (history > 0).sum(axis=0)
    alike = cosine_similarity(vectors)
    popular = buyers >= np.sort(buyers)[-6]
    ranks = stats.rankdata(-buyers, method="min")
    for row, listed, bought, past in customers(lists):
        own = values.loc[row]
        assert own["novelty"] == pytest.approx(np.mean([-np.log2(max(buyers[p], 1) / 60) for p in listed]))
        pairs = [1 - alike[a, b] for i, a in enumerate(listed) for b in listed[:i]]
        assert own["diversity"] == pytest.approx(np.mean(pairs))
        assert own["revenue"] == pytest.approx(money[row, listed].sum())
        if bought:
            assert own["serendipity"] == pytest.approx(sum(p in bought and not popular[p] for p in listed) / 6)
            far = [1 - alike[p, sorted(past)].mean() if past else 1 for p in listed if p in bought]
            assert value(lists, "serendipity", "distance")[row] == pytest.approx(sum(far) / 6)
            above = [max((12 - r) / 12 - (13 - ranks[p]) / 12, 0) for r, p in enumerate(listed) if p in bought]
            assert value(lists, "serendipity", "rank")[row] == pytest.approx(sum(above) / 6)
        lift = (buyers[listed].mean() / buyers[sorted(past)].mean() - 1) if past else np.nan
        assert own["popularity"] == pytest.approx(lift, nan_ok=True)
        if past:
            p = history[row] @ categories / history[row].sum()
            q = categories[listed].mean(axis=0)
            mixed = 0.99 * q + 0.01 * p
            assert own["miscalibration"] == pytest.approx(
                sum(a * np.log(a / b) for a, b in zip(p, mixed, strict=True) if a)
            )
            assert value(lists, "miscalibration", "Hellinger")[row] == pytest.approx(
                np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2)
            )


def test_a_list_like_the_taste_is_calibrated_also_in_products_of_several_categories():
    categories = csr_matrix([[1, 1, 0], [0, 0, 1]])
    lists = Lists.of([[0], [1]], [[0], [0]], products=2, history=[[0], [0]], categories=categories)
    values = value(lists, "miscalibration", "KL")
    assert values[0] == 0 and values[1] == pytest.approx(np.log(100))


def test_exposure_by_hand():
    # products 0, 1, 2, 3 are on 3, 1, 0, 0 lists
    lists = Lists.of([[0, 1], [0], [0], []], [[0]] * 4, products=4)
    assert value(lists, "gini", "all") == pytest.approx((3 * 3 + 1 * 1) / 4 / 3)
    assert value(lists, "gini", "by n") == pytest.approx((3 * 3 + 1 * 1) / 4 / 4)
    assert value(lists, "gini", "complement") == pytest.approx(1 - value(lists, "gini", "all"))
    assert value(lists, "gini", "listed") == pytest.approx((3 - 1) / 4)
    assert value(lists, "item_coverage", "listed") == 1 / 2
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert value(lists, "item_coverage", "effective") == pytest.approx(np.exp(entropy) / 4)
    assert value(lists, "user_coverage", "some") == 3 / 4 and value(lists, "user_coverage", "full") == 1 / 4


def test_the_tail_takes_equal_products_together():
    # 10, 5, 5, 1 buyers: 80% of 21 are reached within the two of 5, so both are head
    lists = Lists.of([[1, 2, 3]], [[0]], products=4, buyers=np.array([10, 5, 5, 1]), population=20)
    assert value(lists, "popularity", "tail") == pytest.approx(1 / 3)


def test_popularity_of_all_customers_can_be_given_for_lists_of_some():
    whole = drawn(11)
    rows = np.arange(5)
    part = Lists(
        whole.ranked[rows], whole.relevant[rows], history=whole.history[rows], buyers=whole.buyers,
        population=whole.population,
    )  # fmt: skip
    names = ["novelty", "serendipity", "popularity"]
    pd.testing.assert_frame_equal(metrics.per_customer(part, names), metrics.per_customer(whole, names).loc[rows])


# -- odd lists ---------------------------------------------------------------------------------------------------


def test_no_history():
    lists = Lists.of([[0, 1]], [[0]], products=3, history=[[]], categories=csr_matrix(np.eye(3)))
    values = metrics.per_customer(lists).iloc[0]
    assert values["repeat_share"] == 0 and np.isnan(values["recall_of_repeats"])
    assert values["recall_of_new_items"] == 1 and values["novelty"] == 0  # one customer: log2 of 1
    assert values[["popularity", "miscalibration"]].isna().all() and values["serendipity"] == 0.5


def test_lists_shorter_than_k_and_empty_ones():
    ranked = np.array([[0, -1, -1], [-1, -1, -1]])
    categories = csr_matrix(np.eye(3))
    lists = Lists(ranked, csr_matrix(np.eye(3)[:2]), history=csr_matrix(np.eye(3)[:2]), vectors=categories,
                  categories=categories, money=csr_matrix(np.eye(3)[:2]))  # fmt: skip
    values = metrics.per_customer(lists)
    short, empty = values.loc[0], values.loc[1]
    assert short["precision"] == pytest.approx(1 / 3) and value(lists, "precision", "shown").tolist() == [1, 0]
    assert short[["recall", "mrr", "map", "ndcg", "r_precision"]].tolist() == [1] * 5 and np.isnan(short["diversity"])
    assert (empty[["precision", "recall", "f1", "mrr", "map", "ndcg", "serendipity", "revenue"]] == 0).all()
    assert empty[["novelty", "diversity", "popularity", "miscalibration", "repeat_share"]].isna().all()


def test_one_product_and_everything_bought():
    lists = Lists.of([[0]], [[0]], products=1, history=[[0]])
    assert (metrics.per_customer(lists).loc[0, ["precision", "recall", "ndcg", "map"]] == 1).all()
    assert metrics.over_all(lists).tolist() == [1, 1, 0]
    every = Lists.of([[2, 0]], [[0, 1, 2]], products=3)
    assert metrics.per_customer(every).loc[0, ["precision", "map", "ndcg", "r_precision"]].tolist() == [1] * 4


def test_lists_longer_than_the_catalogue():
    lists = Lists(top(np.array([[2.0, 1.0]]), np.ones((1, 2), dtype=bool), 5), csr_matrix([[0, 1]]))
    for way in ("reachable", "k", "bought"):
        assert 0 < value(lists, "ndcg", way)[0] < 1


def test_nobody_and_nothing_bought():
    nobody = Lists(np.empty((0, 3), dtype=int), csr_matrix((0, 5)))
    assert metrics.per_customer(nobody).shape == (0, 8) and len(metrics.definitions(nobody))
    nothing = Lists.of([[0], [1]], [[], []], products=3)
    assert metrics.per_customer(nothing).isna().all(axis=None)
    table = metrics.definitions(nothing).set_index(["metric", "definition"])
    assert table.loc[("precision", "k"), "customers"] == 0 and table.loc[("precision", "everybody"), "value"] == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Lists.of([[0, 0]], [[0]], products=2), "twice"),
        (lambda: Lists.of([[0, 2]], [[0]], products=2), "products from 0 to 2 of 2"),
        (lambda: Lists(np.array([[-1, 0]]), csr_matrix([[1, 0]])), "gap"),
        (lambda: Lists(np.array([[0]]), csr_matrix((2, 3))), "1 lists and 2 customers"),
        (lambda: Lists(np.empty((1, 0), dtype=int), csr_matrix((1, 3))), "k of at least 1"),
        (lambda: Lists.of([[0]], [[0]], products=2, vectors=csr_matrix((3, 1))), "vectors has the shape"),
        (lambda: Lists.of([[0]], [[0]], products=2, buyers=np.ones(2)), "go together"),
        (lambda: metrics.per_customer(Lists.of([[0]], [[0]], products=2), ["novelty"]), "there is no population"),
        (lambda: metrics.per_customer(Lists.of([[0]], [[0]], products=2), ["nfcg"]), "no metrics nfcg"),
        (lambda: metrics.per_customer(Lists.of([[0]], [[0]], products=2), ["gini"]), "see over_all"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_page_of_definitions_lists_all_of_them():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    defaults = {row.metric: row.definition for row in reversed(metrics.DEFINITIONS)}
    rows = [
        f"| `{row.metric}` | {row.definition}{' (default)' * (defaults[row.metric] == row.definition)} | {row.formula} | {row.source} |"
        for row in metrics.DEFINITIONS
    ]
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows
