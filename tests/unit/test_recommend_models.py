"""Every recommender against loops that follow its formula, and what must hold for all of them."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_similarity
from threadpoolctl import threadpool_limits

from customerlab.analysis import recommend
from customerlab.analysis.recommend import models
from customerlab.analysis.recommend.models import top
from customerlab.analysis.recommend.models.neighbours import WEIGHTINGS, weighted

R = recommend
WORDS = ["red", "blue", "mug", "bag", "large", "lamp", "tin"]


def orders_of(seed=0, customers=25, products=14, orders=120, days=200):
    """Orders of customers with a taste, as `split_of` takes them; later days are those of the future."""
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(np.full(products, 0.4), customers)
    made = []
    for _ in range(orders):
        who = int(rng.integers(customers))
        basket = rng.choice(products, size=int(rng.integers(1, 4)), p=taste[who] * 0.9 + 0.1 / products, replace=False)
        made.append((f"c{who:02d}", round(float(rng.uniform(-20, days)), 3), [f"p{b:02d}" for b in basket]))
    return made


def names_of(products):
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "product_id": products,
            "description": [" ".join(rng.choice(WORDS, 3, replace=False)) for _ in products],
            "category": rng.choice(["For home", "To eat"], len(products)),
        }
    )


PRODUCTS = [f"p{n:02d}" for n in range(14)]
MODELS = {
    "random": lambda: models.Random(3),
    "popularity": models.Popularity,
    "popularity of all time": models.AllTimePopularity,
    "popularity, decayed": lambda: models.DecayedPopularity(20),
    "popularity in the segment": lambda: models.SegmentPopularity(60, 5),
    "personal frequency": models.PersonalFrequency,
    "personal frequency, decayed": lambda: R.DecayedFrequency(50),
    "repurchase interval": models.RepurchaseInterval,
    "UP-CF": lambda: models.UPCF(3, 0.3, 2),
    "TIFU-KNN": lambda: models.TIFUKNN(4, group_size=2),
    "item neighbours": lambda: models.ItemNeighbours(100),
    "item neighbours (TF-IDF)": lambda: models.ItemNeighbours(100, "TF-IDF"),
    "item neighbours (BM25)": lambda: models.ItemNeighbours(100, "BM25"),
    "user neighbours": lambda: models.UserNeighbours(8),
    "user neighbours (TF-IDF)": lambda: models.UserNeighbours(8, "TF-IDF"),
    "RP3beta": lambda: models.RP3beta(0.8, 0.5, 100),
    "EASE": lambda: R.EASE(3.0),
    "PureSVD": lambda: R.PureSVD(4),
    "ALS": lambda: models.ALS(4, 0.5, 1.5, 3),
    "BPR": lambda: models.BPR(4),
    "content": lambda: models.Content(names_of(PRODUCTS)),
    "hybrid": R.Hybrid,
}
every_model = pytest.mark.parametrize("name", MODELS)
DRAWN = ("random", "BPR")  # by draws that are another product's under another name


@pytest.fixture(scope="module")
def split():
    return R.split_of(orders_of())


def scored(split, model):
    return model.fit(split).scores(np.arange(len(split.customers)))


def owned(split):
    return split.history.toarray() > 0


def baskets(split):
    """Per customer, from the oldest: days before the cut, products as a row of zeros and ones."""
    lists = [[] for _ in split.customers]
    for customer, days, row in zip(
        split.orders.customer, split.orders.days, split.orders.products.toarray(), strict=True
    ):
        lists[customer].append((days, row))
    return lists


# each against its formula


def test_random_is_uniform_and_its_own_for_every_seed(split):
    scores = scored(split, models.Random(1))
    assert 0.45 < scores.mean() < 0.55 and len(np.unique(scores)) == scores.size
    assert (scores == scored(split, models.Random(1))).all() and (scores != scored(split, models.Random(2))).all()
    many = R.split_of([(f"c{n}", 3, [f"p{n % 40}"]) for n in range(400)])
    counts, _ = np.histogram(scored(many, models.Random(7)), 20, (0, 1))
    assert ((counts - 800) ** 2 / 800).sum() < 43.8, "chi squared, 19 degrees of freedom, one in a thousand"
    correlation = np.corrcoef(scored(many, models.Random(7))[:40])
    assert np.abs(correlation[np.triu_indices(40, 1)]).max() < 0.75


def test_popularity_in_its_four_forms(split):
    popular = {name: scored(split, MODELS[name]()) for name in MODELS if name.startswith("popularity")}
    lists, have = baskets(split), owned(split)
    recent = np.array([sum((row for days, row in orders if days <= 28), np.zeros(14)) > 0 for orders in lists])
    assert (popular["popularity"] == recent.sum(axis=0)).all()
    assert (popular["popularity of all time"] == have.sum(axis=0)).all()
    decayed = sum(0.5 ** (days / 20) * row for orders in lists for days, row in orders)
    assert popular["popularity, decayed"][3] == pytest.approx(decayed)


def test_popularity_in_the_segment(split):
    lists, money = baskets(split), np.zeros(len(split.customers))
    np.add.at(money, split.orders.customer, split.orders.amount)
    measures = [[min(d for d, _ in o) for o in lists], [len(o) for o in lists], money]
    segments = [tuple(bool(m[i] > np.median(m)) for m in measures) for i in range(len(lists))]
    assert 2 < len(set(segments)) <= 8
    recent = np.array([sum((row for days, row in orders if days <= 60), np.zeros(14)) > 0 for orders in lists])
    found = scored(split, models.SegmentPopularity(60, 5))
    for i, segment in enumerate(segments):
        mates = [j for j, other in enumerate(segments) if other == segment]
        assert found[i] == pytest.approx((recent[mates].sum(axis=0) + 5 * recent.mean(axis=0)) / (len(mates) + 5))


def test_decayed_frequency(split):
    expected = [sum(0.5 ** (days / 50) * row for days, row in orders) for orders in baskets(split)]
    assert scored(split, R.DecayedFrequency(50)) == pytest.approx(np.array(expected))
    endless = scored(split, R.DecayedFrequency(1e15))
    assert (endless == scored(split, models.PersonalFrequency())).all()


def test_repurchase_interval(split):
    days_of = {}
    for i, orders in enumerate(baskets(split)):
        for days, row in orders:
            for p in np.flatnonzero(row):
                days_of.setdefault((i, p), []).append(days)
    count = sum(len(days) for days in days_of.values())
    beta = 2 * sum(max(days) for days in days_of.values()) / count
    repeated = {p: [len(d) > 1 for (_, q), d in days_of.items() if q == p] for p in range(14)}
    overall = np.mean([len(d) > 1 for d in days_of.values()])
    expected = np.zeros(split.history.shape)
    for (i, p), days in days_of.items():
        last, bottom = min(days), min(days) + beta
        if len(days) > 1:
            mean = max((max(days) - last) / (len(days) - 1), 1)
            bottom += 2 * abs(mean - last) if last < 2 * mean else 0
        share = (sum(repeated[p]) + 10 * overall) / (len(repeated[p]) + 10)
        expected[i, p] = share * (1 - math.exp(-(len(days) + 2) / bottom * 14))
    assert scored(split, models.RepurchaseInterval(2, 10, 14)) == pytest.approx(expected)


@pytest.mark.parametrize(("recency", "asymmetry", "locality"), [(1, 0.5, 1), (3, 0.2, 2), (0, 0.9, 5)])
def test_up_cf(split, recency, asymmetry, locality):
    have, lists = owned(split), baskets(split)
    popular = np.array([np.mean([row for _, row in orders[-recency:]], axis=0) for orders in lists])
    expected = np.zeros(have.shape)
    for u in range(len(have)):
        for v in range(len(have)):
            size = have[u].sum() ** asymmetry * have[v].sum() ** (1 - asymmetry)
            expected[u] += ((have[u] & have[v]).sum() / size) ** locality * popular[v]
    assert scored(split, models.UPCF(recency, asymmetry, locality)) == pytest.approx(expected)


@pytest.mark.parametrize(("neighbours", "size"), [(3, 2), (1, 100), (1000, 1)])
def test_tifu_knn(split, neighbours, size):
    vectors = []
    for orders in baskets(split):
        rows = [row for _, row in orders]
        groups = []
        while rows:
            rows, group = rows[:-size], rows[-size:]
            groups.append(sum(0.8 ** (len(group) - 1 - j) * row for j, row in enumerate(group)) / len(group))
        vectors.append(sum(0.6**j * group for j, group in enumerate(groups)) / len(groups))
    vectors, expected = np.array(vectors), []
    for i, vector in enumerate(vectors):
        distance = ((vectors - vector) ** 2).sum(axis=1).round(9)
        others = sorted((j for j in range(len(vectors)) if j != i), key=lambda j: (distance[j], j))[:neighbours]
        expected.append(0.3 * vector + 0.7 * vectors[others].mean(axis=0))
    model = models.TIFUKNN(neighbours, within_decay=0.8, group_decay=0.6, own_share=0.3, group_size=size)
    assert scored(split, model) == pytest.approx(np.array(expected))


def test_weightings(split):
    history = split.history
    dense = history.toarray()
    assert (weighted(history, "cosine").toarray() == (dense > 0)).all()
    idf = np.log1p(14 / (dense > 0).sum(axis=1, keepdims=True))
    assert weighted(history, "TF-IDF").toarray() == pytest.approx(np.sqrt(dense) * idf)
    length = dense.sum(axis=0)
    bottom = dense + 1.2 * (1 - 0.75 + 0.75 * length / length[length > 0].mean())
    assert weighted(history, "BM25").toarray() == pytest.approx(idf * dense * 2.2 / bottom)
    with pytest.raises(ValueError, match="no weighting 'tfidf'; expected one of cosine, TF-IDF, BM25"):
        weighted(history, "tfidf")
    assert (history.toarray() == dense).all(), "the history is left as it was"


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_item_neighbours(split, weighting):
    similar = cosine_similarity(weighted(split.history, weighting).T.toarray())
    np.fill_diagonal(similar, 0)
    for row in similar:
        row[np.argsort(-row.round(10), kind="stable")[3:]] = 0
    expected = owned(split) @ similar
    assert scored(split, models.ItemNeighbours(3, weighting)) == pytest.approx(expected)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_user_neighbours(split, weighting):
    similar = cosine_similarity(weighted(split.history.T.tocsr(), weighting).T.toarray())
    expected = []
    for i, row in enumerate(similar):
        others = sorted((j for j in range(len(row)) if j != i), key=lambda j: (-row[j].round(10), j))[:4]
        expected.append(sum(row[j] * owned(split)[j] for j in others))
    assert scored(split, models.UserNeighbours(4, weighting)) == pytest.approx(np.array(expected))


def test_what_everybody_buys_says_little_of_a_customer():
    """Ann shares with bob what all have, with cid what few have; the other way about without a weighting."""
    orders = [(f"d{n}", 9, ["bag", "tea"]) for n in range(20)]
    orders += [("ann", 9, ["bag", "tea", "harp"]), ("bob", 8, ["bag", "tea", "b"]), ("cid", 8, ["harp", "c"])]
    split = R.split_of(orders)
    ann = np.flatnonzero(split.customers == "ann")

    def found(weighting):
        scores = models.UserNeighbours(30, weighting).fit(split).scores(ann)[0]
        return dict(zip(split.products, scores, strict=True))

    assert found("cosine")["b"] > found("cosine")["c"] and found("TF-IDF")["b"] < found("TF-IDF")["c"]
    assert found("BM25")["b"] < found("BM25")["c"]


def test_rp3beta(split):
    have = owned(split)
    steps = np.zeros((14, 14))
    for i in range(14):
        for j in range(14):
            for v in np.flatnonzero(have[:, i] & have[:, j]):
                steps[i, j] += (1 / have[:, i].sum()) ** 0.8 * (1 / have[v].sum()) ** 0.8 / have[:, j].sum() ** 0.5
    expected = (have / have.sum(axis=1, keepdims=True) ** 0.8) @ (steps / steps.max())
    assert scored(split, models.RP3beta(0.8, 0.5, 100)) == pytest.approx(expected)
    plain = scored(split, models.RP3beta(1, 0, 100))
    assert plain.sum(axis=1) == pytest.approx(plain.sum(axis=1)[0]), "of a walk the chances add up"


def test_ease_is_a_ridge_regression_of_each_product_on_the_others(split):
    have = owned(split).astype(float)
    expected = np.zeros(have.shape)
    for j in range(14):
        others = np.delete(have, j, axis=1)
        expected[:, j] = Ridge(alpha=3, fit_intercept=False, solver="cholesky").fit(others, have[:, j]).predict(others)
    assert scored(split, R.EASE(3)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="penalty of EASE is 0; expected a number above zero"):
        R.EASE(0)


def test_pure_svd_projects_on_the_strongest_directions(split):
    have = owned(split).astype(float)
    svd = TruncatedSVD(4, algorithm="arpack").fit(have)
    assert scored(split, R.PureSVD(4)) == pytest.approx(svd.inverse_transform(svd.transform(have)))
    assert scored(split, R.PureSVD(14)) == pytest.approx(have) and scored(split, R.PureSVD(99)) == pytest.approx(have)


@pytest.mark.slow
def test_pure_svd_of_many_products_is_that_of_few():
    split = R.split_of(orders_of(1, customers=260, products=240, orders=2000))
    _, _, directions = np.linalg.svd(owned(split).astype(float), full_matrices=False)
    expected = owned(split) @ directions[:12].T @ directions[:12]
    assert scored(split, R.PureSVD(12)) == pytest.approx(expected, abs=2e-10)


def test_directions_that_are_equally_strong_are_taken_together_or_not_at_all():
    pairs = R.split_of([(c, 3, list(p)) for c, p in [("a", "st"), ("b", "uv"), ("c", "wx"), ("d", "yz")]])
    assert (scored(pairs, R.PureSVD(2)) == 0).all()
    assert scored(pairs, R.PureSVD(4)) == pytest.approx(pairs.history.toarray())


def test_als_solves_for_customers_and_products_in_turn(split):
    have, weight = owned(split).astype(float), np.where(owned(split), 1.5 * split.history.toarray(), 1.0)

    def solved(bought, weights, other):
        return [
            np.linalg.solve((other.T * w) @ other + 0.5 * np.eye(4), (other.T * w) @ p)
            for p, w in zip(bought, weights, strict=True)
        ]

    _, _, directions = np.linalg.svd(have, full_matrices=False)
    products = directions[:4].T
    for _ in range(3):
        customers = np.array(solved(have, weight, products))
        products = np.array(solved(have.T, weight.T, customers))
    assert scored(split, models.ALS(4, 0.5, 1.5, 3)) == pytest.approx(customers @ products.T, rel=1e-6, abs=1e-8)


def test_bpr_finds_two_crowds():
    """Two halves of a shop that buy nothing of each other's: what fits is put before what does not."""
    rng = np.random.default_rng(4)
    orders = [
        (f"{crowd}{n:02d}", 3, [f"{crowd}{p}" for p in rng.choice(12, 4, replace=False)])
        for crowd in "ab"
        for n in range(60)
    ]
    split = R.split_of(orders)
    own = split.customers.str[0].to_numpy()[:, None] == split.products.str[0].to_numpy()
    scores, new = scored(split, models.BPR(8, iterations=100)), ~owned(split)
    fits, not_fits = (np.where(kind & new, scores, np.nan) for kind in (own, ~own))
    ahead = [
        (f[:, None] > n).sum() / (np.isfinite(f).sum() * np.isfinite(n).sum())
        for f, n in zip(fits, not_fits, strict=True)
    ]
    assert np.mean(ahead) > 0.9
    assert (scores != scored(split, models.BPR(8, iterations=100, seed=8))).any()


def test_content_is_the_cosine_of_what_was_bought(split):
    names = names_of(PRODUCTS)
    vectors = {}
    texts = [{*text.split(), category} for text, category in zip(names["description"], names["category"], strict=True)]
    spread = {word: sum(word in text for text in texts) for text in texts for word in text}
    for product, text in zip(PRODUCTS, texts, strict=True):
        vector = np.array([(word in text) * (math.log(15 / (1 + d)) + 1) for word, d in spread.items()])
        vectors[product] = vector / np.linalg.norm(vector)
    stacked = np.array([vectors[product] for product in split.products])
    expected = cosine_similarity(np.log1p(split.history.toarray()) @ stacked, stacked)
    assert scored(split, models.Content(names)) == pytest.approx(expected)


def test_content_serves_what_was_never_sold_and_knows_nothing_of_what_has_no_words():
    split = R.split_of([("a", 3, ["p1"]), ("b", 2, ["p2", "p3"])])
    table = pd.DataFrame(
        {"product_id": ["p1", "p2", "p4", "p5"], "description": ["red mug", None, "blue mug", "red tin"]}
    )
    model = models.Content(table).fit(split)
    found = model.scores_of(np.array([0, 1]), pd.Index(["p4", "p5", "p9"]))
    assert 0 < found[0, 0] < 1 and 0 < found[0, 1] < 1 and found[0, 2] == 0
    assert (found[1] == 0).all() and (model.scores(np.array([1])) == 0).all()
    empty = models.Content(table.assign(description=None)).fit(split)
    assert (empty.scores(np.array([0, 1])) == 0).all()
    by_category = models.Content(table.assign(description=None, category=["A b", "C", "A b", None])).fit(split)
    assert by_category.scores_of(np.array([0]), pd.Index(["p4", "p2", "p5"])).tolist() == [[1, 0, 0]]


# what holds for all of them


@pytest.mark.slow
@every_model
def test_scores_are_one_for_each_customer_and_product(name, split):
    model = MODELS[name]()
    scores = scored(split, model)
    assert model.name == name and scores.shape == split.history.shape and np.isfinite(scores).all()
    rows = np.array([7, 2, 2])
    assert (model.scores(rows) == scores[rows]).all(), "whoever else is asked for"
    assert model.scores(rows[:0]).shape == (0, 14)
    assert (scored(split, model) == scores).all(), "fitted again"


@pytest.mark.slow
@every_model
def test_the_order_of_rows_and_the_future_change_nothing(name, split):
    orders = orders_of()
    shuffled = [orders[i] for i in np.random.default_rng(1).permutation(len(orders))]
    # without an order the less of the past, another future
    other = R.split_of([o for o in shuffled if o[1] > 0] + [("c03", -1, ["p01", "p05"])])
    assert other.products.equals(split.products)
    assert (scored(other, MODELS[name]()) == scored(split, MODELS[name]())).all()


@pytest.mark.slow
@every_model
def test_products_of_the_future_change_nothing(name, split):
    """They have columns of their own, after all others; how many there are is not to be seen in the scores."""
    new = [("c03", -1, [f"new{n}" for n in range(9)])]
    other = R.split_of([*orders_of(), *new])
    assert other.products[:14].equals(split.products) and len(other.products) == 23
    assert (scored(other, MODELS[name]())[:, :14] == scored(split, MODELS[name]())).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name not in (*DRAWN, "content")])
def test_names_of_products_and_customers_mean_nothing(name, split):
    others = dict(zip(PRODUCTS, np.random.default_rng(2).permutation([f"q{n}" for n in range(14)]), strict=True))
    renamed = R.split_of([(c, d, [others[p] for p in products]) for c, d, products in orders_of()])
    one = pd.DataFrame(scored(split, MODELS[name]()), split.customers, split.products.map(others))
    two = pd.DataFrame(scored(renamed, MODELS[name]()), renamed.customers, renamed.products)[one.columns]
    assert two.to_numpy() == pytest.approx(one.to_numpy(), abs=2e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name not in DRAWN])
def test_equal_products_have_equal_scores(name):
    """Whatever has p00 has p14 as well."""
    doubled = R.split_of([(c, d, [*p, "p14"] if "p00" in p else p) for c, d, p in orders_of()])
    model = MODELS[name]()
    if name == "content":
        table = names_of(PRODUCTS)
        model = models.Content(pd.concat([table, table[:1].assign(product_id="p14")], ignore_index=True))
    scores = pd.DataFrame(scored(doubled, model), columns=doubled.products)
    assert (scores["p00"] == scores["p14"]).all() and scores["p00"].nunique() >= 1


@every_model
def test_a_customer_without_a_history_gets_what_is_popular(name, split):
    """There is none in a split that was cut from a log; a row may still be empty."""
    history = split.history.tolil()
    history[4] = 0
    keep = split.orders.customer != 4
    kept = {field.name: getattr(split.orders, field.name)[keep] for field in dataclasses.fields(split.orders)}
    orders = dataclasses.replace(split.orders, **kept)
    stranger = dataclasses.replace(split, history=history.tocsr(), orders=orders)
    scores = scored(stranger, MODELS[name]())
    assert np.isfinite(scores).all()
    if not name.startswith(("random", "popularity", "TIFU")):
        assert (scores[4] == 0).all()
        assert top(scores[4:5], np.ones((1, 14), dtype=bool), 3).tolist() == [[0, 1, 2]]


@pytest.mark.slow
@every_model
def test_a_split_without_customers_has_no_scores(name):
    """As `earlier` makes it of a log that begins after the cut."""
    split = R.split_of([("a", -1, ["p00", "p01"])])
    assert scored(split, MODELS[name]()).shape == (0, 2)


@pytest.mark.slow
@every_model
@pytest.mark.parametrize(
    "orders",
    [
        [("a", 3, ["p00"])],
        [("a", 3, ["p00"]), ("a", 3, ["p00"])],
        [("a", 3, ["p00"]), ("b", 9, ["p00"])],
        [("a", 3, PRODUCTS)],
        [(c, 3, ["p00", "p01"]) for c in "abc"],
    ],
    ids=["one order", "twice in one moment", "one product", "one customer has everything", "all alike"],
)
def test_odd_shops(name, orders):
    split = R.split_of(orders)
    scores = scored(split, MODELS[name]())
    assert scores.shape == split.history.shape and np.isfinite(scores).all()
    if name not in (*DRAWN, "content"):
        assert (scores == scores[:, :1]).all(), "nothing tells the products apart"
    lists = R.recommend(split, MODELS[name]().fit(split), 20)
    assert len(lists) == scores.size, "a list ends where the catalogue does"


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_threads_changes_nothing(name):
    split = R.split_of(orders_of(5, customers=230, products=210, orders=1500))
    model = MODELS[name]() if name != "content" else models.Content(names_of(list(split.products)))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(scored(split, model))
    assert (found[0] == found[1]).all()
