"""What must hold for any lists: bounds, labels of products, the order of customers, hits that move up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_matrix

from customerlab.analysis import recommend
from customerlab.analysis.recommend import metrics
from customerlab.analysis.recommend.metrics import Lists
from customerlab.analysis.recommend.models import top

AT_MOST_ONE = [
    "precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg", "r_precision", "serendipity", "diversity",
    "repeat_share", "recall_of_repeats", "recall_of_new_items", "item_coverage", "user_coverage", "gini",
]  # fmt: skip


@st.composite
def material(draw):
    """Lists made from scores, with all their material; some customers bought nothing, some are allowed nothing."""
    customers, products, k = draw(st.integers(1, 6)), draw(st.integers(1, 8)), draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (customers, products)
    density = draw(st.sampled_from([0.1, 0.5, 1.0]))
    scores = rng.integers(0, 3, shape).astype(float)
    allowed = rng.random(shape) < draw(st.sampled_from([0.5, 1.0]))
    return {
        "ranked": top(scores, allowed, k),
        "relevant": rng.random(shape) < density,
        "history": (rng.random(shape) < density) * rng.integers(1, 4, shape),
        "money": rng.integers(0, 9, shape),
        "vectors": rng.integers(0, 3, (products, 3)),
        "categories": rng.integers(0, 2, (products, 3)),
    }


def lists(parts):
    sparse = {name: csr_matrix(parts[name]) for name in ("history", "money", "vectors", "categories")}
    return Lists(parts["ranked"], csr_matrix(parts["relevant"]), **sparse)


def same(left, right):
    pd.testing.assert_frame_equal(left, right, check_exact=False, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(material())
def test_bounds(parts):
    own = lists(parts)
    table = metrics.definitions(own)
    assert len(table) == len(metrics.DEFINITIONS)
    values = pd.concat([metrics.per_customer(own), pd.DataFrame([metrics.over_all(own)])])
    assert ((values.drop(columns="popularity") >= 0) | values.drop(columns="popularity").isna()).all(axis=None)
    assert ((values[AT_MOST_ONE] <= 1 + 1e-12) | values[AT_MOST_ONE].isna()).all(axis=None)
    assert ((values["popularity"] >= -1) | values["popularity"].isna()).all()
    assert ((values["miscalibration"] <= np.log(100) + 1e-9) | values["miscalibration"].isna()).all()
    value = table.set_index(["metric", "definition"])["value"]
    assert not value["map", "bought"] > value["map", "reachable"] + 1e-12
    assert not value["recall", "bought"] > value["recall", "reachable"] + 1e-12


@pytest.mark.thorough
@settings(deadline=None)
@given(material(), st.randoms(use_true_random=False))
def test_labels_of_products_do_not_matter(parts, random):
    products = parts["relevant"].shape[1]
    order = list(range(products))
    random.shuffle(order)  # new column j was column order[j]
    new = np.argsort(order)
    moved = {name: parts[name][:, order] for name in ("relevant", "history", "money")}
    moved |= {name: parts[name][order] for name in ("vectors", "categories")}
    moved["ranked"] = np.where(parts["ranked"] >= 0, new[parts["ranked"]], -1)
    same(metrics.per_customer(lists(parts)), metrics.per_customer(lists(moved)))
    same(metrics.definitions(lists(parts)), metrics.definitions(lists(moved)))


@settings(deadline=None)
@given(material(), st.randoms(use_true_random=False))
def test_the_order_of_customers_does_not_matter(parts, random):
    order = list(range(len(parts["ranked"])))
    random.shuffle(order)
    moved = {name: value if name in ("vectors", "categories") else value[order] for name, value in parts.items()}
    left = metrics.per_customer(lists(parts)).iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(left, metrics.per_customer(lists(moved)), check_exact=True)
    same(metrics.definitions(lists(parts)), metrics.definitions(lists(moved)))


@settings(deadline=None)
@given(material(), st.data())
def test_a_hit_that_moves_up_never_hurts(parts, data):
    own = lists(parts)
    rank = data.draw(st.integers(0, own.k - 1))
    swap = own.hits[:, rank] & (rank > 0)
    moved = parts["ranked"].copy()
    moved[swap, rank - 1 : rank + 1] = moved[swap, rank - 1 : rank + 1][:, ::-1]
    names = ["precision", "recall", "mrr", "map", "ndcg", "r_precision"]
    before, after = (metrics.per_customer(lists(p), names) for p in (parts, parts | {"ranked": moved}))
    assert ((after >= before - 1e-12) | before.isna()).all(axis=None)


@pytest.mark.thorough
@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
)
def test_comparisons_do_not_depend_on_order_and_mirror(rows, random):
    values = pd.DataFrame(np.array(rows) / 4, columns=["a", "b", "c"])
    mixed = values.sample(frac=1, random_state=random.randint(0, 9))[["c", "a", "b"]]
    left, right = (metrics.compare(table) for table in (values, mixed))
    turned = recommend.against(left, "a")
    assert (
        turned["low"].le(turned["difference"] + 1e-12).all() and turned["high"].ge(turned["difference"] - 1e-12).all()
    )
    assert (turned["p_holm"] >= turned["p"]).all() and turned["p_holm"].le(1).all()
    for own in left.itertuples():
        pair = right[right[["model", "other"]].isin([own.model, own.other]).all(axis=1)].iloc[0]
        assert np.isclose(abs(pair["difference"]), own.difference) and np.isclose(pair["p"], own.p)
