"""The segment model: scikit-learn's and LightGBM's own predictions, planted truth, and what new rows may hold."""

import dataclasses

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, log_loss
from sklearn.tree import DecisionTreeClassifier

from customerlab.analysis.profile import segment_candidates as candidates
from customerlab.analysis.profile.segment_judging import recall, samples
from customerlab.analysis.profile.segment_model import BOOSTING, LOGISTIC, SAVED, TREE, fit_design
from customerlab.analysis.profile.segment_prediction import predict_segments, verdict
from customerlab.analysis.value.classify import SETTINGS
from customerlab.codec import from_json, to_json
from customerlab.figures.profile import segments as profile_segments
from customerlab.formats import percent

ABC = ("A", "B", "C")


def customers(seed=1, number=700, strength=1.5):
    """Three segments that depend on age and channel, and on nothing else."""
    rng = np.random.default_rng(seed)
    age, channel = rng.normal(0, 1, number), rng.choice(["app", "shop", "web"], number)
    scores = np.column_stack([strength * age, strength * (channel == "app"), np.zeros(number)])
    code = (scores + rng.gumbel(size=(number, 3))).argmax(axis=1)
    ids = pd.Index([f"c{n:05d}" for n in range(number)], name="customer_id")
    table = pd.DataFrame({
        "age": np.where(rng.random(number) < 0.05, np.nan, 40 + 10 * age), "channel": channel,
        "home": rng.choice(["flat", "house"], number), "gender": rng.choice(["f", "m", "x"], number, p=[0.5, 0.48, 0.02]),
    }, ids)  # fmt: skip
    days = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, number), unit="D"), ids)
    return table, pd.Series(np.array(ABC)[code], ids), days


@pytest.fixture(scope="module")
def found():
    table, segment, days = customers()
    return predict_segments(table, segment, first_order=days, sensitive=["gender"], seed=1)


@pytest.fixture(scope="module")
def trained():
    """Each model that can be saved, with what it was trained on."""
    table, segment, _ = customers(2, 500)
    design = fit_design(table)
    x, y = design.matrix(table), pd.Categorical(segment).codes.astype(int)
    return (
        table,
        x,
        y,
        {kind: candidates.trained(kind, candidates.GRID[kind][0], design, x, y, ABC, 1) for kind in SAVED},
    )


def test_saved_models_predict_as_the_libraries_do(trained):
    _, x, y, models = trained
    line = LogisticRegression(C=0.1, max_iter=1_000).fit(x, y)
    assert models[LOGISTIC].chances(x) == pytest.approx(line.predict_proba(x), abs=2e-9)
    tree = DecisionTreeClassifier(max_leaf_nodes=6, min_samples_leaf=20, random_state=1).fit(x, y)
    n = tree.tree_.n_node_samples[tree.apply(x)][:, None]
    smoothed = (tree.predict_proba(x) * n + np.bincount(y) / len(y)) / (n + 1)
    assert models[TREE].chances(x) == pytest.approx(smoothed, abs=2e-9)
    own = lightgbm.LGBMClassifier(**SETTINGS | {"num_leaves": 3}, random_state=1).fit(x, y)
    assert models[BOOSTING].chances(x) == pytest.approx(own.predict_proba(x), abs=2e-9)


@pytest.mark.parametrize("kind", SAVED)
def test_a_model_comes_back_from_text_to_the_last_digit(trained, kind):
    table, _, _, models = trained
    again = from_json(to_json(models[kind]))
    pd.testing.assert_frame_equal(again.predict(table), models[kind].predict(table), check_exact=True)
    assert to_json(again) == to_json(models[kind])


@pytest.mark.parametrize("kind", SAVED)
def test_new_rows_may_lack_values_and_have_other_levels(trained, kind):
    table, _, _, models = trained
    new = pd.DataFrame(
        {"gender": "f", "age": [30.0, None], "home": None, "channel": ["fax", "app"]}, index=["n1", "n2"]
    )
    chances = models[kind].predict(new)
    assert chances.index.tolist() == ["n1", "n2"] and chances.sum(axis=1).tolist() == pytest.approx([1, 1], abs=1e-8)
    assert (chances.loc["n2", "B"] > chances.loc["n1", "B"]) and set(models[kind].assign(new)) <= set(ABC)
    assert models[kind].predict(table.iloc[:0]).shape == (0, 3) and models[kind].assign(table.iloc[:0]).empty
    with pytest.raises(ValueError, match="lacks the attribute 'home'"):
        models[kind].predict(table.drop(columns="home"))


def test_columns_follow_the_training_part_alone():
    table = pd.DataFrame({"age": [1.0, 2, 3, 10, np.nan], "home": ["a", "b", "a", "b", None], "garden": [True, False] * 2 + [True],
                          "rank": pd.Categorical(["lo", "hi", "lo", "hi", "mid"], ["lo", "mid", "hi"], ordered=True)})  # fmt: skip
    design = fit_design(table)
    known = np.array([1.0, 2, 3, 10])
    new = pd.DataFrame({"age": [None, 100.0], "home": ["z", "b"], "garden": [None, True], "rank": ["hi", None]})
    ranks = np.array([0, 2, 0, 2, 1.0])
    first = [(2.5 - known.mean()) / known.std(), 1, 0, 0, 0, 0, (2 - 1) / ranks.std()]
    second = [(100 - known.mean()) / known.std(), 0, 0, 1, 0, 1, 0]
    np.testing.assert_allclose(design.matrix(new), [first, second], rtol=0, atol=1e-12)
    assert design.attribute.tolist() == [0, 0, 1, 1, 1, 2, 3]
    many = pd.DataFrame({"city": [f"town {n}" for n in range(500)], "x": 1.0})
    assert fit_design(many).matrix(many).shape == (500, 1)  # no town is common


def test_two_segments_have_the_probabilities_of_a_binary_regression(trained):
    table, x, y, _ = trained
    two = (y == 0).astype(int)
    model = candidates.trained(LOGISTIC, {"C": 1.0}, fit_design(table), x, two, ("no", "yes"), 1)
    assert model.chances(x) == pytest.approx(
        LogisticRegression(C=1.0, max_iter=1_000).fit(x, two).predict_proba(x), abs=2e-9
    )


@pytest.mark.slow
def test_scores_are_those_of_scikit_learn(found):
    table, segment, days = customers()
    cut = pd.Timestamp(found.split.split(" before ")[1][:10])
    test = days >= cut
    assert 0.27 < test.mean() < 0.33 and found.counts["test"].sum() == test.sum()
    row = found.scores.set_index("model").loc[found.model.kind]
    chances, truth = found.model.predict(table[test]), segment[test]
    assert row["log_loss"] == pytest.approx(
        log_loss(truth, chances / chances.sum(axis=1).to_numpy()[:, None]), abs=1e-7
    )
    assert row["accuracy"] == pytest.approx(accuracy_score(truth, chances.idxmax(axis=1)), abs=1e-12)
    assigned = found.model.assign(table[test])
    assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, assigned), abs=1e-12)
    assert found.confusion.to_numpy().tolist() == confusion_matrix(truth, assigned, labels=ABC).tolist()
    shares = segment[~test].value_counts(normalize=True)[[*ABC]]
    prior = found.scores.set_index("model").loc["prior"]
    assert prior["log_loss"] == pytest.approx(-np.log(truth.map(shares)).mean(), abs=1e-12)
    majority = found.scores.set_index("model").loc["majority class"]
    assert (majority["balanced_accuracy"], prior["balanced_accuracy"]) == pytest.approx((1 / 3, 1 / 3), abs=1e-12)
    assert majority["accuracy"] == pytest.approx((truth == shares.idxmax()).mean(), abs=1e-12)
    groups = found.groups.set_index("group")
    (shown,) = groups["balanced_accuracy"].dropna().index  # few are "x", and another group is hidden with them
    own = table.loc[test, "gender"] == shown
    expected = balanced_accuracy_score(truth[own], assigned[own])
    assert groups.loc[shown, "balanced_accuracy"] == pytest.approx(expected, abs=1e-12)
    assert groups.loc["x", "customers"] is pd.NA


@pytest.mark.slow
def test_a_planted_relation_is_found_and_named(found):
    assert set(found.importance["attribute"]) == {"age", "channel", "home"}  # the sensitive one is not used
    low = found.importance.set_index("attribute")["low"]
    assert low["age"] > 0.02 and low["channel"] > 0 and low["home"] <= 0
    row = found.scores.set_index("model").loc[found.model.kind]
    assert row["balanced_accuracy_low"] > 1 / 3 and row["gain_low"] > 0
    first, second, *more = verdict(found)
    third = next(one for one in more if "matters most" in one)
    assert first.startswith(f"Use {found.model.kind} to predict") and "better than the shares" in second
    largest = found.counts["test"].max() / found.counts["test"].sum()
    told = f"right for {percent(row['accuracy'])} of these customers, the largest segment for {percent(largest)}."
    assert told in second and row["accuracy"] > largest
    worse = found.scores.assign(accuracy=found.scores["accuracy"].where(found.scores["model"] != found.model.kind, 0.1))
    first, second, *_ = verdict(dataclasses.replace(found, scores=worse))
    start = "The segment of new customers is not predictable here: the largest segment alone is right as often"
    assert first.startswith(start) and f"saved: {found.model.kind}, balanced" in first and "for 10% of" in second
    counts = found.counts.assign(used=found.counts["test"] < found.counts["test"].max())
    share = f"{percent(largest)} of the tested customers are in segments that too few"
    assert share in verdict(dataclasses.replace(found, counts=counts))[0]
    off = found.calibration.assign(predicted=found.calibration["high"] + 0.01)
    said = verdict(dataclasses.replace(found, calibration=off))
    assert any("The probabilities of A, B, C are not calibrated" in one for one in said)
    groups = pd.DataFrame({"attribute": "gender", "group": ["f", "m", "x"], "low": [0.4, 0.3, np.nan]})
    unequal, equal = (
        verdict(dataclasses.replace(found, groups=groups.assign(low=low))) for low in ([0.4, 0.3, np.nan], 0.4)
    )
    assert "It is not shown to be better than chance for gender m, as it is for other groups." in unequal
    assert not any("better than chance for" in one for one in equal)
    assert third.startswith("age matters most")
    best = found.choice[found.choice["model"].isin(SAVED)].sort_values("log_loss", kind="stable")["model"].iloc[0]
    assert found.model.kind == best and len(found.scores) == 7
    assert (found.calibration.groupby("segment")["customers"].sum() == found.counts["test"].sum()).all()
    assert "age" in profile_segments.importance(found.importance).alt
    assert len(profile_segments.confusion(found.confusion).png()) > 5_000


def test_balanced_accuracy_of_samples_is_that_of_repeated_rows():
    truth, right = np.array([0, 0, 1, 2, 2]), np.array([1.0, 0, 1, 1, 0])[:, None]
    weights = samples(5, 3, 4)
    for row, value in zip(weights, recall(weights, truth, right)[:, 0], strict=True):
        drawn = np.repeat(np.arange(5), row.astype(int))
        guess = np.where(right[drawn, 0] == 1, truth[drawn], -1)
        recalls = [(guess[truth[drawn] == one] == one).mean() for one in np.unique(truth[drawn])]
        assert value == pytest.approx(np.mean(recalls), abs=1e-12)


@pytest.mark.slow
def test_row_order_changes_nothing_and_without_days_the_split_is_random(found):
    table, segment, days = customers()
    mixed = [one.sample(frac=1, random_state=seed) for seed, one in enumerate((table, segment, days))]
    again = predict_segments(*mixed[:2], first_order=mixed[2], sensitive=["gender"], seed=1)
    pd.testing.assert_frame_equal(found.scores, again.scores, check_exact=True)
    assert to_json(found.model) == to_json(again.model)
    assert "at random" in predict_segments(table, segment, seed=1).split


@pytest.mark.slow
def test_where_there_is_no_relation_it_is_said():
    table, segment, days = customers(5, 1_000, strength=0)
    first, second, *_ = verdict(predict_segments(table, segment, first_order=days, seed=1))
    assert first.startswith(
        "The segment of new customers is not predictable here: balanced accuracy is not significantly above"
    )
    assert "better than the shares" not in second.replace("no better than", "")


def test_too_few_customers():
    table, segment, days = customers(3, 90)
    few = predict_segments(table, segment, first_order=days, seed=1)
    assert few.model is None and few.scores.empty and not few.counts["used"].any()
    assert verdict(few)[0].startswith("The segment of new customers is not predicted: too few to tell (")
    assert (
        predict_segments(table, pd.Series("A", table.index), seed=1).reason
        == "there are no two segments of these customers"
    )
    assert predict_segments(table, pd.Series(dtype=object), seed=1).model is None
    with pytest.raises(ValueError, match="sensitive attribute 'faith'"):
        predict_segments(table, segment, sensitive=["faith"], seed=1)
    with pytest.raises(ValueError, match="not sensitive"):
        predict_segments(table[["age"]], segment, sensitive=["age"], seed=1)
