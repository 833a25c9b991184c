"""The methods on small tables worked out by hand, and at their edges."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import ndcg_score

from customerlab.analysis import experiment, recommend
from customerlab.analysis.experiment.soundness import missing_by_arm
from customerlab.analysis.recommend.metrics import Lists, per_customer
from customerlab.analysis.recommend.models import ItemNeighbours, PersonalFrequency, Popularity, top
from helpers import log


def test_metrics_by_hand_and_against_scikit_learn():
    lists = Lists.of([[0, 1, 2, 3]] * 3, [[0, 2, 4], [5], [1, *range(4, 12)]], products=12)
    values = per_customer(lists, ["precision", "recall", "ndcg", "hit_rate"])
    assert values["precision"].tolist() == [0.5, 0, 0.25] and values["hit_rate"].tolist() == [1, 0, 1]
    assert values["recall"].tolist() == pytest.approx([2 / 3, 0, 1 / 9])
    ranked = np.array([[1.0, 0, 1, 0, 1, 0]])  # three relevant, two within the first four
    scores = np.array([[6.0, 5, 4, 3, 2, 1]])
    assert values["ndcg"][0] == pytest.approx(ndcg_score(ranked, scores, k=4))


def test_the_top_skips_what_is_not_allowed():
    allowed = np.array([[True, False, True], [False, False, False]])
    assert top(np.ones((2, 3)), allowed, 4).tolist() == [[0, 2, -1, -1], [-1, -1, -1, -1]]


SHOP = log(
    [
        ("a", "1", "2024-01-01", "x", 1, 1), ("a", "2", "2024-01-02", "x", 1, 1), ("a", "2", "2024-01-02", "y", 1, 1),
        ("b", "3", "2024-01-03", "y", 1, 1), ("b", "3", "2024-01-03", "z", 1, 1), ("c", "4", "2024-01-04", "y", 1, 1),
        ("a", "5", "2024-02-01", "x", 1, 1), ("b", "6", "2024-02-01", "new", 1, 1), ("d", "7", "2024-02-02", "x", 1, 1),
    ]
)  # fmt: skip


def test_the_split_accounts_for_everybody():
    split = recommend.split_by_time(SHOP, 10)
    assert str(split.date.date()) == "2024-01-24"
    assert list(split.customers) == ["a", "b", "c"] and list(split.products)[:1] == ["y"]
    assert split.customers[split.warm].tolist() == ["a", "b"]
    counts = split.accounting.set_index("what")["pairs"]
    assert counts["bought in the window"] == counts["excluded: no history (cold start)"] + counts["evaluated"] == 3
    assert counts["of these cold-start items"] == 1
    with pytest.raises(ValueError, match="nobody bought both before and after"):
        recommend.split_by_time(SHOP, 200)


def test_models_by_hand():
    split = recommend.split_by_time(SHOP, 10)
    place = {product: n for n, product in enumerate(split.products)}
    rows = np.arange(3)
    personal = PersonalFrequency().fit(split).scores(rows)
    assert personal[0, place["x"]] == 2 and personal[0, place["y"]] == 1 and personal[2, place["x"]] == 0
    popular = Popularity().fit(split).scores(rows)
    assert popular[0, place["y"]] == 3 and popular[0, place["new"]] == 0
    similar = ItemNeighbours(10).fit(split).scores(rows)
    # c has y alone; x is bought by a, y by a, b and c: cosine 1 / sqrt(3)
    assert similar[2, place["x"]] == pytest.approx(1 / np.sqrt(3)) and similar[2, place["y"]] == 0


def test_models_never_see_the_future():
    split = recommend.split_by_time(SHOP, 10)
    changed = log(
        [("a", "9", "2024-02-02 01:00", "z", 50, 1), *[("b", f"n{i}", "2024-02-02 01:00", "z", 1, 1) for i in range(9)]]
    )
    other = recommend.split_by_time(ibis.union(SHOP, changed), 10)
    assert other.date == split.date
    for model in (Popularity(), PersonalFrequency(), ItemNeighbours()):
        one = pd.DataFrame(model.fit(split).scores(np.arange(3)), columns=split.products)
        two = pd.DataFrame(model.fit(other).scores(np.arange(3)), columns=other.products)
        pd.testing.assert_frame_equal(one[sorted(one)], two[sorted(two)])


def test_tasks_rank_only_their_own_products():
    split = recommend.split_by_time(SHOP, 10)
    values = recommend.metrics_by_customer(recommend.rank(split, [PersonalFrequency()], 2)).set_index(
        ["task", "customer_id"]
    )
    assert values.loc[("repeat", "a"), "ndcg"] == 1 and ("repeat", "b") not in values.index
    assert values.loc[("explore", "b"), "recall"] == 0 and ("explore", "a") not in values.index
    lists = recommend.recommend(recommend.whole_log(SHOP), PersonalFrequency().fit(recommend.whole_log(SHOP)), 2)
    assert (
        lists["customer_id"].nunique() == 4
        and (lists.groupby("customer_id")["rank"].agg(list).map(lambda r: r == [1, 2])).all()
    )


@pytest.mark.thorough
def test_intervals_cover_the_mean_of_many_customers():
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        frame = pd.DataFrame({"model": "m", "task": "all", "customer_id": np.arange(80), "ndcg": rng.beta(2, 3, 80)})
        row = recommend.summary(frame.assign(precision=0.0, recall=0.0, hit_rate=0.0), seed).iloc[0]
        covered += row["ndcg_low"] <= 0.4 <= row["ndcg_high"]
    assert 180 <= covered <= 198


def arms(sizes, rates, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.concat(
        [
            pd.DataFrame({"variant": v, "outcome_visit": (rng.random(n) < r).astype(float)})
            for (v, n), r in zip(sizes.items(), rates, strict=True)
        ]
    )
    return frame.assign(unit_id=[str(i) for i in range(len(frame))])


def test_a_broken_split_is_caught_and_a_sound_one_is_not():
    broken = experiment.sample_ratio(ibis.memtable(arms({"control": 1000, "a": 1200}, [0.1, 0.1])), "control")
    assert not broken.sound and broken.pvalue == pytest.approx(stats.binomtest(1000, 2200).pvalue, rel=0.1)
    sound = experiment.sample_ratio(ibis.memtable(arms({"a": 1000, "control": 1020}, [0.1, 0.1])), "control")
    assert sound.sound and sound.table["variant"].tolist() == ["control", "a"]
    planned = experiment.sample_ratio(
        ibis.memtable(arms({"a": 500, "control": 1010}, [0.1, 0.1])), "control", {"a": 1, "control": 2}
    )
    assert planned.sound and planned.table["planned"].tolist() == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.thorough
def test_a_sound_split_is_refused_at_the_promised_rate():
    rng = np.random.default_rng(11)
    pvalues = [stats.chisquare(rng.multinomial(9000, [1 / 3] * 3)).pvalue for _ in range(4000)]
    assert np.mean(np.array(pvalues) < experiment.balance.SAMPLE_RATIO_ALPHA) < 0.003
    assert experiment.balance.SAMPLE_RATIO_ALPHA == 0.001


def test_what_cannot_be_analysed_is_named():
    table = ibis.memtable(arms({"control": 20, "a": 20}, [0.5, 0.5]))
    with pytest.raises(ValueError, match="the arms are 'a', 'control'"):
        experiment.sample_ratio(table, "none")
    lacking = arms({"control": 20, "a": 20}, [0.5, 0.5])
    lacking.loc[lacking["unit_id"] == "3", "outcome_visit"] = None
    found = missing_by_arm(ibis.memtable(lacking)).set_index("variant")
    assert found["missing"].sum() == 1 and found["units"].to_dict() == {"control": 20, "a": 20}
