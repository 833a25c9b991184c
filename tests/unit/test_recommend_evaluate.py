"""One ranking for all tasks and metrics: against ranking each task on its own, and the metrics of the lists."""

import logging

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import recommend
from customerlab.analysis.recommend import metrics
from customerlab.analysis.recommend.evaluate import METRICS
from customerlab.analysis.recommend.models import PersonalFrequency, Popularity, top
from customerlab.analysis.recommend.rankings import TASKS


class Fixed:
    """Scores from a table of customers and products."""

    def __init__(self, scores, name="fixed"):
        self.table, self.name = scores, name

    def fit(self, split):
        self.scores_ = self.table.reindex(split.customers, axis=0).reindex(split.products, axis=1).to_numpy()
        return self

    def scores(self, rows):
        return self.scores_[rows]


def shop(seed, customers=30, products=20):
    """Orders of a few weeks, some products sold in the future alone; and scores with many ties."""
    rng = np.random.default_rng(seed)
    orders = [
        (
            f"c{rng.integers(customers):02d}",
            float(days),
            [f"p{p:02d}" for p in rng.choice(products + (3 if days < 0 else 0), rng.integers(1, 5), replace=False)],
        )
        for days in np.r_[rng.uniform(0.1, 80, 100), rng.uniform(-28, 0, 40)]
    ]
    split = recommend.split_of(orders)
    scores = pd.DataFrame(
        rng.integers(0, 4, (len(split.customers), len(split.products))).astype(float), split.customers, split.products
    )
    return split, scores


def area(scores, bought, ranked):
    """Pair by pair: the share of bought products that are ranked above others; one that is not ranked is below all."""
    others = scores[ranked & ~bought]
    wins = sum((score > others).sum() + (score == others).sum() / 2 for score in scores[bought & ranked])
    return wins / (bought.sum() * len(others)) if bought.any() and len(others) else np.nan


@pytest.mark.parametrize("seed", range(5))
def test_one_ranking_is_that_of_each_task_and_each_batch(seed, monkeypatch):
    split, scores = shop(seed)
    monkeypatch.setattr("customerlab.analysis.recommend.models.base.BATCH", 7)
    ranked = recommend.rank(split, [Fixed(scores)], 6)
    owned = split.history[split.warm].toarray() > 0
    future = split.future[split.warm].toarray() > 0
    sold = split.history.getnnz(axis=0) > 0
    assert not sold.all(), "some products are sold in the future alone"
    own = scores.to_numpy()[split.warm]
    for task, kind in (("all", np.ones_like(owned)), ("repeat", owned), ("explore", ~owned)):
        lists = ranked.lists("fixed", task)
        assert (lists.ranked == top(own, kind & sold, 6)).all()
        assert (lists.relevant.toarray() > 0).tolist() == (future & kind).tolist()
        areas = [area(own[row], future[row] & kind[row], kind[row] & sold) for row in range(len(own))]
        np.testing.assert_allclose(ranked.auc["fixed"][task], areas, rtol=0, atol=1e-12)


def test_values_are_the_metrics_of_the_lists_and_means_their_means():
    split, scores = shop(7)
    models = [Fixed(scores, "b"), Fixed(-scores, "a"), Popularity()]
    ranked = recommend.rank(split, models, 5)
    values = recommend.metrics_by_customer(ranked)
    assert list(values.columns) == ["model", "task", "customer_id", *METRICS]
    again = values.query("model == 'a' and task == 'repeat'").set_index("customer_id")
    lists = ranked.lists("a", "repeat")
    wanted = pd.Series(metrics.per_customer(lists, ["ndcg"])["ndcg"].to_numpy(), ranked.customers).dropna()
    pd.testing.assert_series_equal(again["ndcg"], wanted, check_names=False)
    assert 0 < len(again) < len(ranked.customers), "who bought nothing again is left out"
    table = recommend.summary(values, 3)
    assert table["model"].tolist() == ["b", "a", "popularity"] * 3
    assert table["task"].tolist() == [task for task in TASKS for _ in models]
    row = table.query("task == 'repeat' and model == 'a'").iloc[0]
    assert row["customers"] == len(again)
    for metric in METRICS:
        assert row[metric] == pytest.approx(again[metric].mean())
        assert row[f"{metric}_low"] <= row[metric] <= row[f"{metric}_high"]
    shuffled = recommend.summary(values.sample(frac=1, random_state=1), 3)
    both = (t.sort_values(["task", "model"], ignore_index=True) for t in (shuffled, table))
    pd.testing.assert_frame_equal(*both)


def test_beyond_accuracy_by_hand():
    orders = [("a", 9, ["x", "y"]), ("b", 8, ["x"]), ("c", 8, ["z"]), ("a", -1, ["x", "new"]), ("b", -2, ["z"])]
    named = pd.DataFrame(
        {
            "product_id": ["x", "y", "z"],
            "description": ["red mug", "blue mug", "lantern"],
            "category": ["cups", "cups", "lights"],
        }
    )
    ranked = recommend.rank(recommend.split_of(orders), [Popularity(), PersonalFrequency()], 2)
    table = recommend.beyond(ranked, 1, named).set_index("model")
    # both lists of popularity are x, y: bought by 2 and 1 of 3
    assert table.loc["popularity", "novelty"] == pytest.approx((np.log2(3 / 2) + np.log2(3)) / 2)
    assert table.loc["popularity", "repeat_share"] == 0.75 and table.loc["popularity", "revenue"] == 0.5
    assert table.loc["popularity", "item_coverage"] == pytest.approx(2 / 3), "of the products with a history"
    assert table.loc["popularity", "miscalibration"] == 0, "who bought cups is offered cups"
    assert 0 < table.loc["popularity", "diversity"] < 1, "two mugs share a word"
    assert not {"diversity", "miscalibration"} & set(recommend.beyond(ranked, 1))
    assert "miscalibration" not in recommend.beyond(ranked, 1, named.drop(columns="category"))


def test_a_comparison_is_turned_to_its_baseline():
    split, scores = shop(2)
    values = recommend.metrics_by_customer(
        recommend.rank(split, [Fixed(scores, "b"), Fixed(-scores, "a"), Popularity()], 5)
    )
    table = recommend.comparison(values)
    means = values.query("task == 'all'").groupby("model")["ndcg"].mean()
    for baseline in means.index:
        turned = recommend.against(table, baseline).set_index("model")
        assert (turned["other"] == baseline).all() and len(turned) == 2
        np.testing.assert_allclose(turned["difference"], means[turned.index] - means[baseline], atol=1e-12)
        assert (turned["low"] <= turned["difference"]).all() and (turned["difference"] <= turned["high"]).all()
        assert (np.sign(turned["t"]) == np.sign(turned["difference"])).all()
        # Holm over these two alone: the smaller p counts twice
        assert turned["p_holm"].min() == min(1.0, 2 * turned["p"].min())
    with pytest.raises(ValueError, match="no model is called 'c'"):
        recommend.against(table, "c")


def test_edges_of_lists():
    """A user who bought everything, k above the catalogue, constant scores, products never sold."""
    split = recommend.split_of(
        [("a", 9, ["x", "y", "z"]), ("b", 8, ["x"]), ("a", -1, ["x", "new"]), ("b", -1, ["y"]), ("cold", -1, ["x"])]
    )
    constant = pd.DataFrame(1.0, split.customers, split.products)
    ranked = recommend.rank(split, [Fixed(constant)], 9)
    assert ranked.customers.tolist() == ["a", "b"], "who has no history is not evaluated"
    order = split.products.tolist()
    assert order[-1] == "new" and ranked.ranked["fixed"]["all"].tolist() == [[0, 1, 2] + [-1] * 6] * 2
    assert ranked.ranked["fixed"]["explore"][0].tolist() == [-1] * 9, "a has bought everything"
    values = recommend.metrics_by_customer(ranked).set_index(["task", "customer_id"])
    assert values.loc[("explore", "a"), "recall"] == 0, "the new product was bought, and no model can know it"
    assert values.loc[("all", "a"), "auc"] == pytest.approx(0.25), "x among two others at one half; new below all"
    assert values.loc[("all", "b"), "precision"] == pytest.approx(1 / 9)
    assert ("repeat", "b") not in values.index
    recommend.beyond(ranked, 1)


def test_scores_that_are_no_numbers_and_names_that_repeat_are_refused():
    split, scores = shop(1)
    with pytest.raises(ValueError, match="fixed scores a product with nan"):
        recommend.rank(split, [Fixed(scores.mask(scores == 2))], 5)
    with pytest.raises(ValueError, match="two models have one name: fixed"):
        recommend.rank(split, [Fixed(scores), Fixed(-scores)], 5)


def test_progress_is_told_to_the_log_alone(caplog, capsys):
    split, scores = shop(1)
    with caplog.at_level(logging.INFO):
        recommend.rank(split, [Fixed(scores), Popularity()], 5)
    told = [line for line in caplog.messages if "model" in line]
    assert told == [f"fixed, model 1 of 2, split at {split.date:%Y-%m-%d}", told[1]] and "2 of 2" in told[1]
    assert capsys.readouterr() == ("", "")
