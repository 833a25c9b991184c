"""Model selection and its sentences: ties, too few, baselines, revenue captured, cold start, online tests, keys."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from customerlab.analysis import recommend as R
from customerlab.analysis.ratings.models import RATING_MODELS
from customerlab.analysis.recommend.models import PersonalFrequency, Popularity, Random
from customerlab.analysis.recommend.verdict import same_lists


def judged(ndcg: dict[str, list[float]]) -> pd.DataFrame:
    """Values of customers by model, as `metrics_by_customer` returns them."""
    parts = [
        pd.DataFrame({"model": model, "customer_id": [f"c{n:03d}" for n in range(len(values))], "ndcg": values})
        for model, values in ndcg.items()
    ]
    values = pd.concat(parts, ignore_index=True)
    return values.assign(hit_rate=(values["ndcg"] > 0).astype(float))


def lists_of(models, same=()):
    """One list each, but for those of `same`, which make one."""
    return {model: np.array([[0 if model in same else number + 1]]) for number, model in enumerate(models)}


def test_a_clear_leader_is_significant_and_a_chance_one_is_not():
    rng = np.random.default_rng(1)
    base = rng.uniform(0.1, 0.9, 200)
    values = judged({"good": base + 0.1, "plain": base + rng.normal(0, 0.05, 200), "also": base})
    said = R.leader(values, lists_of(["good", "plain", "also"]), 1, 10)
    assert said.startswith("nDCG@10 is highest for good, ") and ", significantly more than for the next best" in said
    assert "200 customers" in said and "adjusted for 2 comparisons" in said
    near = judged({"a": base, "b": base + rng.normal(0, 0.2, 200)})
    assert "not significantly more than" in R.leader(near, lists_of("ab"), 1, 10)


def test_what_is_said_of_the_next_is_what_its_interval_says():
    rng = np.random.default_rng(8)
    base, noise = rng.uniform(0.1, 0.9, 100), rng.normal(0, 0.05, 100)
    noise = (noise - noise.mean()) / noise.std(ddof=1) * 0.1
    # t = 2.1: significant after Holm's steps, where all others are far behind, but not by simultaneous intervals
    values = judged({"a": base + 0.021 + noise, "b": base, **{f"m{n}": base - 0.3 - n / 100 for n in range(8)}})
    said = R.leader(values, lists_of(values["model"].unique()), 1, 10)
    assert "not significantly more than for the next best, b" in said and "difference 0.021, 95% CI -0.0" in said
    near = judged({"a": base + 0.02841 + noise, "b": base, **{f"m{n}": base - 0.3 - n / 100 for n in range(8)}})
    said = R.leader(near, lists_of(near["model"].unique()), 1, 10)
    ends = re.search(r"difference (\S+), 95% CI (\S+) to", said)
    assert ends is not None and float(ends[2]) != 0 and (float(ends[2]) > 0) == ("not significantly" not in said)


def test_models_with_one_list_are_one_and_ties_are_said():
    base = np.linspace(0.1, 0.9, 60)
    values = judged({"habit": base, "shop": base, "other": base * 0.5})
    said = R.leader(values, lists_of(["habit", "shop", "other"], same=("habit", "shop")), 1, 5)
    assert "highest for habit and shop (the same lists), 0.500" in said and "adjusted for 1 comparison" in said
    assert "for the next best, other, 0.250" in said
    tie = R.leader(values.query("model != 'other'"), lists_of(["habit", "shop"]), 1, 5)
    assert ", as for shop, 0.500" in tie and "significant" not in tie
    one = R.leader(values.query("model == 'habit'"), lists_of(["habit"]), 1, 5)
    assert one == "nDCG@5 is highest for habit, 0.500 (60 customers)"


@pytest.mark.parametrize(("hits", "few"), [(19, True), (20, False)])
def test_fewer_than_twenty_customers_with_a_hit_are_too_few(hits, few):
    values = judged({"a": [1.0] * 30, "b": [0.9] * hits + [0.0] * (30 - hits)})
    said = R.leader(values, lists_of("ab"), 1, 10)
    assert ("too few to tell (30 customers)" in said) == few and ("95% CI" in said) != few
    assert (f"{hits} had a hit" in said) == few


def test_a_baseline_that_means_nothing_is_replaced():
    bought = [(f"c{n:02d}", 9 + n, [f"p{n % 7}"]) for n in range(40)]
    again = [(f"c{n:02d}", 5, [f"p{n % 7}"]) for n in range(19)]
    name, why = R.baseline(R.split_of(bought + again))
    assert name == "popularity" and "19 of 40 customers had ordered a product twice, too few" in why
    more = R.split_of([*bought, *again, ("c30", 4, ["p2"])])
    assert R.baseline(more)[0] == "personal frequency" and "20 of 40" in R.baseline(more)[1]
    assert R.baseline(more, "explore")[0] == "popularity"
    # nothing is new to be told of habit among new products: its lists are those of popularity
    split = R.split_of([*bought, *again, *[(f"c{n:02d}", -1, [f"p{(n + 3) % 7}"]) for n in range(40)]])
    ranked = R.rank(split, [Popularity(), PersonalFrequency(), R.DecayedFrequency(), Random()], 3)
    groups = same_lists({name: tasks["explore"] for name, tasks in ranked.ranked.items()})
    assert groups == [["popularity", "personal frequency", "personal frequency, decayed"], ["random"]]


def test_revenue_captured_is_counted_by_hand_and_one_large_customer_is_named():
    orders = [
        ("a", 9, ["x", "y"]),
        ("b", 9, ["x"]),
        ("c", 9, ["y"]),
        ("a", -1, ["x"]),
        ("b", -1, ["y", "z"]),
        ("c", -2, ["y"]),
    ]
    ranked = R.rank(R.split_of(orders), [Popularity(), PersonalFrequency()], 1)
    table = R.revenue_captured(ranked, ["personal frequency", "popularity"], 1).set_index("model")
    # habit lists x, x, y of whom a and c buy it; popularity lists x for all; z, which nobody knew, is never listed
    assert table["hits"].tolist() == [2, 1] and table["customers"].tolist() == [3, 3]
    assert table["spent"].tolist() == [4 / 3] * 2 and table["captured"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert table["share"].tolist() == pytest.approx([0.5, 0.25]) and table["largest"].tolist() == [0.5, 1.0]
    # a and c: 1 each by habit; a alone by popularity, so that c makes the difference
    assert table["more"].tolist()[1] == pytest.approx(1 / 3) and np.isnan(table["more"].iloc[0])
    assert table["low"].iloc[1] == 0 and table["high"].iloc[1] == 1
    revenue, said = R.revenue_sentences(table.reset_index(), 1, "EUR")
    assert (
        said
        == "Customers who bought a product of their list of 1, of 3 returning buyers: 67% with personal frequency, 33% with popularity."
    )
    assert "too few to tell (1 customers with a hit)" in revenue
    many = table.reset_index().assign(hits=20)
    assert "50% of it is one customer" in R.revenue_sentences(many, 1, "EUR")[0], (
        "of what the recommended model captures"
    )


def test_the_decision_is_the_best_of_those_that_beat_the_baseline():
    rng = np.random.default_rng(2)
    base = rng.uniform(0.1, 0.8, 300)
    values = judged({"good": base + 0.1, "same": base + rng.normal(0, 0.1, 300), "habit": base, "bad": base - 0.1})
    overall = values.groupby("model")[["ndcg"]].mean()
    beside = R.against(R.comparison(values.assign(task="all")), "habit")
    money = pd.DataFrame({"model": ["good", "habit"], "share": [0.3, 0.2], "hits": 40})
    said = R.decision(beside, overall, money, "habit", 10)
    row = beside.set_index("model").loc["good"]
    assert R.chosen(beside, "habit") == "good" and said.lead == "Use good"
    assert said.startswith(
        "Use good: its lists capture 30% of what returning buyers spent, habit 20% (habit, the baseline; "
    )
    assert f"{overall.loc['good', 'ndcg']:.3f} against {overall.loc['habit', 'ndcg']:.3f}, difference +0.100" in said
    assert f"95% CI {row['low']:.3f} to {row['high']:.3f}, Holm-adjusted p < 0.001" in said
    few = R.decision(beside, overall, money.assign(hits=19), "habit", 10)
    assert few.startswith("Use good: its lists are ranked better than habit (") and "%" not in few.partition(" (")[0]
    assert R.worse_sentence(beside, "habit").startswith("1 of the 3 models compared with habit are significantly worse")
    others = beside[beside["model"] != "good"]
    said = R.decision(others, overall, money, "habit", 10)
    assert R.chosen(others, "habit") == "habit" and said.lead == "Use the baseline, habit" and "(2 comparisons" in said


def test_cold_start_is_the_share_of_buyers_without_a_history():
    orders = [("a", 9, ["x"]), ("b", 9, ["x"]), ("a", -1, ["x"]), ("c", -1, ["x"]), ("d", -2, ["y"])]
    split = R.split_of(orders)
    share, said = R.cold_start(split)
    assert (
        share == pytest.approx(2 / 3)
        and "67% of customers who bought in the test window had no history (2 of 3)" in said
    )


@pytest.mark.slow
def test_an_online_test_of_that_size_finds_the_lift_in_four_of_five():
    rng = np.random.default_rng(3)
    orders = [(f"c{n:03d}", 9, ["x"]) for n in range(300)]
    orders += [
        (f"c{n:03d}", -1, [f"p{p}" for p in range(rng.poisson(4) + 1)]) for n in range(300) if rng.random() < 0.6
    ]
    split = R.split_of(orders)
    money = np.asarray(split.spent.sum(axis=1)).ravel()
    row = R.online_test(split, lift=0.1).set_index("outcome").loc["revenue per customer"]
    half = int(row["needed"] / 2)
    found = [
        stats.ttest_ind(rng.choice(money, half) + 0.1 * money.mean(), rng.choice(money, half)).pvalue < 0.05
        for _ in range(600)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)
    share = R.online_test(split, lift=0.1).set_index("outcome").loc["order rate"]
    assert share["mean"] == len(split.warm) / 300 and row["mean"] == pytest.approx(money.mean())
    assert len(R.test_sentences(R.online_test(split), 0.05, "a", 28, "EUR")) == 2
    few = R.split_of([("a", 9, ["x"]), ("b", 8, ["x"]), ("a", -1, ["x"])])
    assert (
        "too few to tell (1 customers who ordered in the window)"
        in R.test_sentences(R.online_test(few), 0.05, "a", 28, "EUR")[0]
    )


@pytest.mark.slow
@given(st.lists(st.text(max_size=12), min_size=2, max_size=2, unique=True))
def test_keys_of_two_names_are_two(names):
    one, other = map(R.metric_key, names)
    assert one != other and all(sign.isascii() and (sign.isalnum() or sign in "-_%") for sign in one + other)


def test_no_model_loses_its_number():
    kept = [R.metric_key(name) for name in RATING_MODELS]
    keys = [f"rmse_{key}" for key in kept] + [f"rmse_{key}_folds" for key in kept]
    assert len(set(keys)) == 2 * len(RATING_MODELS)
    assert {"rmse_SVD", "rmse_SVD%2B%2B"} <= set(keys) and R.metric_key("personal frequency") == "personal_frequency"
