"""Folds, other splits, tuning and breakdowns: what each may see, and that parts add up to the whole."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import recommend
from customerlab.analysis.recommend.breakdown import bands
from customerlab.analysis.recommend.models import (
    DecayedPopularity,
    ItemNeighbours,
    PersonalFrequency,
    Popularity,
    Random,
    RP3beta,
)
from customerlab.analysis.recommend.models.cost import Size, needs
from customerlab.analysis.recommend.protocol import accounting
from customerlab.analysis.recommend.tuning import Tuned
from customerlab.errors import ParameterError


def orders_of(seed, customers=25, products=18):
    """Four months of orders before the cut and one after it; some products are sold in the last month alone."""
    rng = np.random.default_rng(seed)
    return [
        (
            f"c{rng.integers(customers):02d}",
            float(days),
            [f"p{p:02d}" for p in rng.choice(products + (2 if days < 0 else 0), rng.integers(1, 5), replace=False)],
        )
        for days in np.r_[rng.uniform(0.1, 118, 200), rng.uniform(-27.9, 0, 50)]
    ]


@pytest.fixture(scope="module")
def split():
    return recommend.split_of(orders_of(1))


class Recorder:
    """Keeps the splits that it is fitted on, and recommends what is popular."""

    def __init__(self, name="recorder"):
        self.name, self.seen = name, []

    def fit(self, split):
        self.seen.append(split)
        return self

    def scores(self, rows):
        return np.zeros((len(rows), len(self.seen[-1].products)))


def test_every_step_of_every_fold_is_accounted_for(split):
    table = accounting(split.folds(3))
    assert table.groupby("fold")["split_date"].first().is_monotonic_increasing and table["fold"].max() == 3
    for _, part in table.groupby("fold"):
        pairs = part.set_index("what")["pairs"]
        assert pairs["bought in the window"] == pairs["excluded: no history (cold start)"] + pairs["evaluated"]
        assert pairs["evaluated"] == pairs[pairs.index.str.startswith("of these")].sum()
        assert (pairs[pairs.index.str.startswith("of these ")] >= 0).all()
    last = table[table["fold"] == 3].set_index("what")
    again = (split.future.toarray() > 0) & (split.history.toarray() > 0)
    assert last.loc["of these repeat purchases", ["customers", "products", "pairs"]].tolist() == [
        again.any(axis=1).sum(), again.any(axis=0).sum(), again.sum(),
    ]  # fmt: skip


@pytest.mark.slow
def test_models_learn_again_in_each_fold_and_the_last_is_the_test(split):
    recorder = Recorder()
    table = recommend.over_folds(split.folds(3), [PersonalFrequency(), recorder], 3, 5)
    assert [seen.date for seen in recorder.seen] == sorted(set(table["split_date"])) and recorder.seen[-1] is split
    alone = recommend.summary(
        recommend.metrics_by_customer(recommend.rank(split, [PersonalFrequency(), Recorder()], 5)), 3
    )
    last = table[table["fold"] == 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(last[alone.columns], alone)
    for _, part in table.groupby(["fold", "task"]):
        assert part.sort_values("ndcg")["rank"].is_monotonic_decreasing and part["rank"].min() == 1


def whole_of(orders):
    """The whole log of some orders as history, counted back from the end of the last of them."""
    split = recommend.split_of([(customer, days + 28, products) for customer, days, products in orders])
    assert len(split.warm) == 0
    return split


@pytest.mark.slow
def test_other_splits_hold_out_what_they_say():
    orders = orders_of(4)
    whole, recorder = whole_of(orders), Recorder()
    table = recommend.leaky_splits(whole, [recorder], 28, 5, 5)
    time, last, purchases, pairs = recorder.seen
    split = recommend.split_of(orders)
    new = split.products[split.history.getnnz(axis=0) == 0]
    assert len(new) and all(not seen.products.isin(new).any() for seen in recorder.seen), "the same products"
    without = recommend.split_of([(c, d, [p for p in ps if p not in new]) for c, d, ps in orders])
    assert (time.history != without.history).nnz == 0 and (time.future != without.future).nnz == 0
    honest = recommend.summary(recommend.metrics_by_customer(recommend.rank(without, [Recorder()], 5)), 5)
    pd.testing.assert_frame_equal(table[table["split"] == "time"][honest.columns], honest)
    # the last order of each customer, whenever it was
    ends = {}
    for customer, _, products in sorted(orders, key=lambda order: -order[1]):
        if kept := {p for p in products if p not in new}:
            ends[customer] = kept
    found = pd.DataFrame(last.future.toarray() > 0, last.customers, last.products)
    assert {c: set(found.columns[row]) for c, row in zip(found.index, found.to_numpy(), strict=True)} == {
        c: ends[c] for c in found.index
    }
    for customer in purchases.customers:
        own = purchases.orders.customer == purchases.customers.get_loc(customer)
        before = sum(len(set(ps) - set(new)) for c, d, ps in orders if c == customer and d > 0)
        assert purchases.orders.products[own].nnz == before, "as many are left as lie before the cut"
    assert pairs.history.sign().multiply(pairs.future).nnz == 0, "nothing is left to be found again"
    sizes = pd.Series(time.future.getnnz(axis=1), time.customers)
    assert (sizes[pairs.customers[pairs.warm]] == pairs.future.getnnz(axis=1)[pairs.warm]).all(), "as many to be found"
    judged = set(time.customers[time.warm])
    assert all(set(seen.customers[seen.warm]) <= judged for seen in recorder.seen)
    assert "repeat" not in set(table.loc[table["split"] == "random pairs", "task"])


@pytest.mark.slow
def test_a_split_at_random_flatters_where_tastes_move():
    """Everybody buys the same products for a month, and in the next month others that are not new to the shop."""
    rng = np.random.default_rng(0)
    orders = [
        (f"c{c}", float(28 * (4 - month) - rng.uniform(0, 27) - 0.5), [f"p{(c + 4 * month) % 20}"])
        for c in range(40)
        for month in range(5)
        for _ in range(3)
    ]
    table = recommend.leaky_splits(whole_of(orders), [PersonalFrequency()], 28, 1, 5)
    table = table[table["task"] == "all"].set_index("split")
    assert table.loc["time", "recall_high"] < 0.3 and table.loc["random purchases", "recall_low"] > 0.85


def test_tuning_finds_a_planted_value_and_never_sees_the_test():
    rng = np.random.default_rng(3)
    # habits change every month: only the latest count
    orders = [
        (f"c{c:02d}", month * 28 + rng.uniform(0.1, 27.9), [f"p{p:02d}" for p in (7 * c + 5 * (month // 2)) % 30 + np.arange(2)])
        for c in range(60)
        for month in range(-1, 6)
        for _ in range(2)
    ]  # fmt: skip
    split = recommend.split_of(orders)
    grid = {"half_life": [3650.0, 90.0, 7.0]}
    tuned = recommend.tune(split, recommend.DecayedFrequency, grid, 1, k=2)
    assert tuned.model.half_life == 7.0
    assert tuned.table["chosen"].tolist() == [False, False, True] and tuned.table["difference"].iloc[-1] == 0
    other = [(c, d, ["p99"] if d < 0 else p) for c, d, p in orders]
    again = recommend.tune(recommend.split_of(other), recommend.DecayedFrequency, grid, 1, k=2)
    pd.testing.assert_frame_equal(again.table, tuned.table)
    fold = split.earlier(28)
    values = recommend.metrics_by_customer(recommend.rank(fold, [recommend.DecayedFrequency(90.0)], 2)).query(
        "task == 'all'"
    )
    assert tuned.table["ndcg"].iloc[1] == pytest.approx(values["ndcg"].mean())


def test_of_trials_within_one_standard_error_the_first_is_chosen(split, caplog):
    grid = {"half_life": [100.0, 101.0, 1.0]}
    texts = ["half_life=100.0", "half_life=101.0", "half_life=1.0"]
    with caplog.at_level(logging.INFO):
        table = recommend.tune(split, recommend.DecayedFrequency, grid, 1, k=5).table
    assert table["parameters"].tolist() == texts
    assert [line for line in caplog.messages if "trial" in line] == [
        f"trial {n} of 3: {text}" for n, text in enumerate(texts, 1)
    ]
    best = table["ndcg"].idxmax()
    within = table["ndcg"] >= table["ndcg"].max() - table["error"]
    assert table["error"][best] == 0 and table["chosen"].tolist().index(True) == within.tolist().index(True)


def test_a_budget_draws_from_a_larger_grid(split):
    grid = {"half_life": [float(n) for n in range(1, 30)]}
    one = recommend.tune(split, DecayedPopularity, grid, 1, trials=4)
    assert len(one.table) == 4 and one.table["parameters"].iloc[0] == "half_life=1.0"
    numbers = [float(text.split("=")[1]) for text in one.table["parameters"]]
    assert numbers == sorted(set(numbers)), "in the order of the grid, each once"
    pd.testing.assert_frame_equal(one.table, recommend.tune(split, DecayedPopularity, grid, 1, trials=4).table)
    with pytest.raises(ValueError, match="0 trials; expected at least one"):
        recommend.tune(split, DecayedPopularity, grid, 1, trials=0)
    with pytest.raises(ValueError, match="the grid has no point"):
        recommend.tune(split, DecayedPopularity, {"half_life": []}, 1)


def test_groups_add_up_to_the_whole(split):
    values = recommend.metrics_by_customer(recommend.rank(split, [PersonalFrequency(), Popularity()], 5))
    length = recommend.history_length(split)
    count = pd.Series(split.orders.customer).value_counts().sort_index()
    for name, (low, high) in {"1": (1, 1), "2": (2, 2), "3 to 4": (3, 4), "5 to 9": (5, 9)}.items():
        assert (length == name).tolist() == count.between(low, high).tolist()
    table = recommend.by_group(values, length, 1)
    assert table["model"].tolist()[:2] == ["personal frequency", "popularity"]
    assert list(dict.fromkeys(table["group"])) == [
        name for name in length.cat.categories if (table["group"] == name).any()
    ]
    means = values.groupby(["task", "model"])["ndcg"].mean()
    for (task, model), part in table.groupby(["task", "model"]):
        assert (part["mean"] * part["customers"]).sum() / part["customers"].sum() == pytest.approx(means[task, model])
        told = part[part["customers"] >= 20]
        assert ((told["low"] <= told["mean"]) & (told["mean"] <= told["high"])).all()
    nobody = recommend.by_group(values, pd.Series(["x"], ["a stranger"]), 1)
    assert len(nobody) == 0 and list(nobody.columns) == list(table.columns)


def test_bands_add_up_to_all_that_is_found(split):
    ranked = recommend.rank(split, [PersonalFrequency(), Popularity()], 5)
    band = bands(split)
    buyers = pd.Series(split.history.getnnz(axis=0), split.products)
    assert (buyers.groupby(buyers).transform(lambda same: band[same.index].nunique()) == 1).all()
    assert buyers[band == "head"].sum() >= 0.5 * buyers.sum() > buyers[buyers > buyers[band == "head"].min()].sum()
    assert buyers[band == "tail"].sum() <= 0.2 * buyers.sum() and set(band[buyers == 0]) == {"not sold before"}
    table = recommend.by_popularity(ranked, 1)
    for model, part in table.groupby("model"):
        lists = ranked.lists(model)
        assert part["found"].sum() == lists.hits.sum() and part["bought"].sum() == lists.relevant.nnz
        assert part["listed"].sum() == pytest.approx(1)
        new = part.set_index("band").loc["not sold before"]
        assert new["found"] == new["listed"] == 0 < new["bought"]
    row = table[table["bought"] > 0].iloc[0]
    assert row["recall"] == row["found"] / row["bought"] and row["low"] <= row["recall"] <= row["high"]


def test_a_log_too_short_for_a_window_before_the_test_is_neither_tuned_nor_refused():
    short = recommend.split_of([("ann", 9, ["tea"]), ("bob", 3, ["jam"]), ("ann", -1, ["tea"])])
    assert short.folds(3) == [short]
    tuned = recommend.tune(short, recommend.DecayedFrequency, {"half_life": [360.0, 7.0]}, 1)
    assert tuned.model.half_life == 360.0
    assert tuned.table[["customers", "chosen"]].values.tolist() == [[0, True]] and tuned.table["ndcg"].isna().all()


def test_another_split_that_leaves_nobody_to_judge_is_left_out():
    # a random pair takes all purchases of it: who only ever buys jam has nothing left to learn from
    orders = [("ann", 9, ["jam"]), ("ann", 3, ["jam"]), ("bob", 40, ["jam"]), ("bob", 33, ["jam"])]
    whole = recommend.split_of(orders)
    table = recommend.leaky_splits(whole, [PersonalFrequency()], 5, 1, 1)
    assert set(table["split"]) < {"time", "last order of each customer", "random purchases", "random pairs"}
    assert "time" in set(table["split"]) and "random pairs" not in set(table["split"])
    assert table["ndcg"].between(0, 1).all()


def test_the_accounting_by_window_has_the_numbers_of_the_accounting(split):
    windows = split.folds(3)
    long, wide = accounting(windows), recommend.accounting_by_window(windows).set_index("what")
    assert [name[:10] for name in wide.columns[:3]] == [f"{window.date:%Y-%m-%d}" for window in windows]
    for row in long.itertuples():
        assert wide.loc[row.what].iloc[row.fold - 1] == row.customers
        if row.fold == 3:
            assert wide.loc[row.what].tolist()[3:] == [row.pairs]
    assert len(wide) == long["what"].nunique()


def test_hit_rate_and_recall_by_k_are_those_of_shorter_lists_and_of_sets(split):
    models, seven = [Popularity(), PersonalFrequency()], recommend.rank(split, [Popularity(), PersonalFrequency()], 7)
    table = recommend.by_k(seven, ["popularity", "personal frequency"]).set_index(["model", "k"])
    assert table.index.get_level_values("k").tolist() == [1, 3, 5, 7] * 2
    short = recommend.metrics_by_customer(recommend.rank(split, models, 3)).query("task == 'all'")
    means = short.groupby("model")[["hit_rate", "recall"]].mean()
    bought = [set(row.nonzero()[0]) for row in seven.relevant("all").toarray()]
    for model in ("popularity", "personal frequency"):
        assert table.loc[(model, 3), ["hit_rate", "recall"]].tolist() == pytest.approx(means.loc[model].tolist())
        hits = [len(set(row[:5]) & own) for row, own in zip(seven.ranked[model]["all"], bought, strict=True)]
        rates = np.mean([n > 0 for n in hits]), np.mean([n / len(own) for n, own in zip(hits, bought, strict=True)])
        assert table.loc[(model, 5), ["hit_rate", "recall"]].tolist() == pytest.approx(rates)


def test_customers_who_bought_nothing_in_the_window_are_counted(split):
    table = accounting([split]).set_index("what")["customers"]
    away = table["not evaluated: no purchase in the window"]
    assert away == table["history before the split date"] - table["evaluated"] > 0


@pytest.mark.slow
def test_the_last_fold_need_not_be_ranked_twice(split):
    models = [Popularity(), PersonalFrequency()]
    values = recommend.metrics_by_customer(recommend.rank(split, [*models, Random()], 5))
    folds = split.folds(2)
    whole, spared = recommend.over_folds(folds, models, 1, 5), recommend.over_folds(folds, models, 1, 5, last=values)
    pd.testing.assert_frame_equal(whole, spared)
    ahead = whole[(whole["task"] == "all") & (whole["model"] == "popularity")]["rank"].eq(1).sum()
    assert f"highest nDCG of 2 models in {ahead} of 2 windows (" in recommend.windows_sentence(whole, "popularity")


def test_a_large_catalogue_leaves_out_by_name_what_it_would_not_hold(split):
    models = [
        Popularity(), recommend.EASE(), recommend.PureSVD(), ItemNeighbours(weighting="BM25"),
        RP3beta(), recommend.Hybrid(),
    ]  # fmt: skip
    assert recommend.affordable(models, split)[1].empty
    large = replace(split, products=pd.RangeIndex(95_130))
    kept, left_out = recommend.affordable(models, large)
    assert [model.name for model in kept] == ["popularity", "PureSVD", "item neighbours (BM25)", "RP3beta"]
    assert left_out["model"].tolist() == ["EASE", "hybrid"]
    # 95,130 squared are 67.4 GiB of numbers, of which EASE needs three
    assert left_out["why"][0] == "about 202.3 GiB of matrices, limit 2 GiB"
    slow = recommend.affordable(models, replace(split, products=pd.RangeIndex(8_000)), budget=60)[1]
    assert slow["model"].tolist() == ["hybrid"], "nine times EASE"
    assert slow["why"][0].startswith("it needs about ") and slow["why"][0].endswith(
        " s, recommender_budget allows 60 s"
    )


def test_what_models_need_is_told_before_it_is_spent_and_grows_with_the_data(split, caplog):
    models = recommend.candidates(products=pd.DataFrame({"product_id": split.products, "description": "mug"}))
    size = Size.of(split)
    bought = split.history.toarray() > 0
    assert (size.pairs, size.judged) == (bought.sum(), len(split.warm))
    together = bought.T.astype(int) @ bought
    assert size.met == together.sum() and size.shared == (bought.astype(int) @ bought.T).sum()
    with caplog.at_level("INFO"):
        recommend.affordable(models, split)
    assert caplog.messages == [f"about {sum(needs(model, size)[0] for model in models):.0f} s for {len(models)} models"]
    for name in ("customers", "products", "pairs", "judged", "met", "shared"):
        larger = replace(size, **{name: 10 * getattr(size, name)})
        if name == "customers":  # as many of them are judged
            larger = replace(larger, judged=10 * size.judged)
        for model in models:
            assert needs(model, larger)[0] >= needs(model, size)[0] > 0, (model.name, name)


def test_models_are_chosen_by_name_beside_the_baselines():
    every = [model.name for model in recommend.candidates()]
    assert len(every) == len(set(every)) == 20 and "content" not in every, "it needs names of products"
    named = recommend.candidates(products=pd.DataFrame({"product_id": ["a"], "description": ["mug"]}))
    assert [model.name for model in named if model.name != "content"] == every and len(named) == 21
    few = recommend.candidates(["hybrid", "personal frequency, decayed"], seed=3, holdout_days=7)
    baselines = ["popularity", "personal frequency"]
    assert [model.name for model in few] == [*baselines, "personal frequency, decayed", "hybrid"]
    assert (few[-1].days, few[-1].seed) == (7, 3)
    with pytest.raises(
        ParameterError, match=r"no model is called 'Hybrid'(.|\n)*BPR; personal frequency, decayed; EASE"
    ):
        recommend.check_models(["EASE", "Hybrid"])
    tuned = Tuned(pd.DataFrame(), recommend.DecayedFrequency(9.0))
    assert [getattr(model, "half_life", 0) for model in recommend.with_tuned(few, [tuned])] == [0, 0, 9.0, 0]
    assert recommend.searches([]).empty and "ndcg" in recommend.searches([])


def test_customers_are_scored_a_few_at_once_where_there_are_many_products(split, monkeypatch):
    whole = recommend.metrics_by_customer(recommend.rank(split, [PersonalFrequency()], 5))
    lists = recommend.recommend(split, recommend.EASE().fit(split), 5)
    monkeypatch.setattr("customerlab.analysis.recommend.models.base.SCORES", 1)
    pd.testing.assert_frame_equal(recommend.metrics_by_customer(recommend.rank(split, [PersonalFrequency()], 5)), whole)
    pd.testing.assert_frame_equal(recommend.recommend(split, recommend.EASE().fit(split), 5), lists)


def test_groups_of_too_few_customers_have_no_interval():
    values = pd.DataFrame({"model": "m", "task": "all", "customer_id": [f"{n:02d}" for n in range(39)], "ndcg": 0.5})
    groups = pd.Series(["few"] * 19 + ["enough"] * 20, values["customer_id"])
    table = recommend.by_group(values, groups, 1).set_index("group")
    assert table.loc["few", ["low", "high"]].isna().all() and table.loc["enough", "low"] == 0.5
