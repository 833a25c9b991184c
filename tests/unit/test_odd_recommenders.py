"""Odd but real shops in 04 and 06: nothing bought twice, everything sent back, counts of plays for ratings."""

import re

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.recommend.verdict import same_lists
from helpers import STRANGER, add_shop, as_written, run_cells

pytestmark = pytest.mark.slow

CANCELLED = STRANGER.replace("quantity_not_positive]", "order_cancelled, quantity_not_positive]")
PLAYED = """
players:
  title: Somebody else's players
  files:
    plays:
      path: plays.csv
  tables:
    ratings:
      columns: {customer_id: customer_id, product_id: product_id, rating: rating, rated_at: rated_at}
"""


def lines(customers=60, orders=4, products=40, seed=1, *, again=True):
    """Two lines an order; without `again` no customer buys a product twice."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        shelf = iter(rng.permutation(products)[: 2 * orders])
        for number in range(orders):
            when = pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(rng.integers(0, 180)), minutes=600 + customer)
            bought = rng.integers(0, 8, 2) if again else [next(shelf), next(shelf)]
            rows += [
                (customer, f"A{customer:03d}{number}", when, f"P{one}", int(rng.integers(1, 5)), 2.5) for one in bought
            ]
    return pd.DataFrame(rows, columns=["Kunde", "Beleg", "Datum", "Artikel", "Menge", "Preis"])


def alone(project, monkeypatch, **parameters):
    """The notebook by itself: without a params file no other notebook hands segments over."""
    (project / "params" / "my_shop.yml").unlink()
    return run_cells(project, "04_recommenders", monkeypatch, run="my_shop", **parameters)


def no_gaps(said):
    for text in said:
        assert not re.search(r"\b(nan|NaN|inf|None|NaT)\b", text), text


@pytest.mark.thorough
def test_where_nothing_is_bought_twice_popularity_is_the_baseline_and_equal_lists_are_one(project, said, monkeypatch):
    add_shop(project, as_written(lines(again=False)))
    space = alone(project, monkeypatch, folds=2, trials=2)
    assert space["baseline"] == "popularity"
    findings = next(text for text in said if "The baseline is popularity" in text)
    assert "0 of 60 customers had ordered a product twice, too few for personal frequency" in findings
    explore = next(text for text in said if text.startswith("- New items: nDCG"))
    assert "too few to tell" in explore or "95% CI" in explore
    lists = {name: tasks["explore"] for name, tasks in space["rankings"].ranked.items()}
    same = next(group for group in same_lists(lists) if "popularity" in group)
    assert {"personal frequency", "personal frequency, decayed", "repurchase interval"} <= set(same)
    no_gaps(said)


@pytest.mark.thorough
def test_what_came_back_is_recommended_to_nobody_and_only_new_is_new(project, said, monkeypatch):
    sold = lines()
    half = sold[(sold["Kunde"] == 1)].sort_values("Artikel").head(3)
    back = pd.concat([sold[sold["Kunde"] == 0], half])
    back = back.assign(Beleg="C" + back["Beleg"], Menge=-back["Menge"], Datum=back["Datum"] + pd.Timedelta(days=1))
    add_shop(project, as_written(pd.concat([sold, back])), entry=CANCELLED)
    space = alone(project, monkeypatch, folds=1, trials=1, only_new=True)
    lists = space["lists"]
    assert "0" not in set(lists["customer_id"]) and lists["customer_id"].nunique() > 40
    bought = set(zip(sold["Kunde"].astype(str), sold["Artikel"], strict=True))
    assert not bought & set(zip(lists["customer_id"], lists["product_id"], strict=True)), "only new ones"
    assert space["baseline"] == "popularity" and any("past purchases carry no signal" in text for text in said)
    assert any("1 customer returned everything and has no list" in text for text in said)
    no_gaps(said)


@pytest.mark.thorough
def test_a_few_models_are_compared_with_the_baselines_and_nothing_is_said_of_others(project, said, monkeypatch):
    add_shop(project, as_written(lines()))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    said.clear()
    space = run_cells(project, "04_recommenders", monkeypatch, run="my_shop", folds=2, trials=1, models=["UP-CF"])
    compared = ["popularity", "personal frequency", "UP-CF"]
    assert list(space["rankings"].ranked) == compared and set(space["overall"].index) == set(compared)
    assert any(f"Compared are 3 models, {', '.join(compared)}; others are not evaluated." in text for text in said)
    saved = pd.read_parquet(project / "outputs" / "my_shop" / "artifacts" / "recommender_search.parquet")
    assert saved.empty, "UP-CF has no grid"
    no_gaps(said)


def test_counts_of_plays_of_other_people_are_predicted_and_said_to_be_theirs(project, said, monkeypatch):
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"customer_id": rng.integers(0, 50, 600), "product_id": rng.integers(0, 30, 600)})
    table["rating"] = np.ceil(rng.lognormal(3, 1.5, 600)).astype(int)
    table["rated_at"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, 600), "D")).strftime(
        "%Y-%m-%d"
    )
    add_shop(project, as_written(lines()), entry=STRANGER + PLAYED)
    table.drop_duplicates(["customer_id", "product_id"]).to_csv(project / "data" / "raw" / "plays.csv", index=False)
    (project / "params" / "my_shop.yml").write_text("run: my_shop\nratings: players\n")
    space = run_cells(project, "06_ratings", monkeypatch, run="my_shop", ratings="players", rating_folds=2)
    errors = space["temporal"].table.set_index("model")["rmse"]
    assert {"SVD", "SVD++"} <= set(errors.index) and errors.min() > 0.5 * space["apart"].test["rating"].std()
    theirs = "These data are not this shop's: they were measured in Somebody else's players."
    told = [number for number, text in enumerate(said) if theirs in text]
    decision = next(number for number, text in enumerate(said) if re.match("- (Predict|Do not predict|No model)", text))
    assert said[told[0]].startswith(f"- {theirs}") and len(told) == 2, "first of all, and first of the findings"
    assert told[1] == decision - 1
    assert any(
        re.search(r"relevant is what was rated \d+ or better \(2\d% of the ratings before the split date\)", t)
        for t in said
    )
    no_gaps(said)


def test_of_ratings_that_are_too_few_the_reason_is_said_and_nothing_is_predicted(project, said, monkeypatch):
    rows = [(customer, 1, 4, f"2024-01-0{customer}") for customer in range(1, 7)]  # everybody has rated once
    add_shop(project, as_written(lines()), entry=STRANGER + PLAYED)
    table = pd.DataFrame(rows, columns=["customer_id", "product_id", "rating", "rated_at"])
    table.to_csv(project / "data" / "raw" / "plays.csv", index=False)
    (project / "params" / "my_shop.yml").write_text("run: my_shop\nratings: players\n")
    run_cells(project, "06_ratings", monkeypatch, run="my_shop", ratings="players")
    left_out = [text for text in said if "Nothing is predicted: no rating from 2024-01-0" in text]
    assert len(left_out) == 2 and all("choose another rating_holdout" in text for text in left_out)
    saved = pd.read_parquet(project / "outputs" / "my_shop" / "artifacts" / "rating_errors.parquet")
    assert saved.empty and "rmse" in saved
    no_gaps(said)
