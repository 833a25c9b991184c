"""Outcomes by group: Welch, scikit-learn, the bootstrap, planted differences, and their rates."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from customerlab.analysis.inference import holm, resampled
from customerlab.analysis.profile.groups import by_group
from helpers import by_chance

BEHAVIOUR = ["recency", "orders"]


def customers(seed, number=600, effect=0.0, groups=("a", "b", "c")):
    """Groups that order unlike often, and spend by what they order, and by nothing else but the effect on the first."""
    rng = np.random.default_rng(seed)
    place = rng.integers(len(groups), size=number)
    orders = rng.poisson(2 + place)
    recency = rng.exponential(60, number) / (1 + place)
    spend = 20 + 15 * orders - 0.1 * recency + effect * (place == 0) + rng.normal(0, 10 * (1 + place), number)
    back = rng.random(number) < 1 / (1 + np.exp(1.5 - 0.5 * orders + 0.005 * recency - effect / 20 * (place == 0)))
    table = pd.DataFrame(
        {"group": np.array(groups)[place], "orders": orders, "recency": recency, "spend": spend, "back": back}
    )
    return table.set_index(pd.Index([f"c{n:05d}" for n in range(number)], name="customer_id"))


def part(table, basis):
    return table[table["basis"] == basis].set_index("group")


def test_two_groups_as_observed_are_compared_as_welch_has_it():
    table = customers(1, 300, groups=("a", "b"))
    found = part(by_group(table, "spend", "group", BEHAVIOUR), "as observed")
    one, other = (table.loc[table["group"] == name, "spend"] for name in "ab")
    error = np.sqrt(one.var() / len(one) + other.var() / len(other))
    assert found.loc["a", "mean"] == pytest.approx(one.mean())
    assert found.loc["a", "difference"] == pytest.approx(one.mean() - other.mean())
    z = stats.norm.ppf(0.975)
    assert found.loc["a", "difference_high"] - found.loc["a", "difference"] == pytest.approx(z * error)
    assert found.loc["a", "p"] == found.loc["a", "p_adjusted"] == pytest.approx(found.loc["b", "p"])
    assert found.loc["a", "high"] - one.mean() == pytest.approx(z * one.std() / np.sqrt(len(one)))
    back = part(by_group(table, "back", "group", BEHAVIOUR), "as observed")
    share = table.groupby("group")["back"].agg(["mean", "size"])
    error = np.sqrt((share["mean"] * (1 - share["mean"]) / (share["size"] - 1)).to_numpy())
    assert ((back["high"] - back["mean"]) / z).to_numpy() == pytest.approx(error)


def test_adjusted_means_are_those_of_predictions_by_numpy_and_scikit_learn():
    table = customers(2)
    terms = lambda name: np.column_stack([*[(name == each) * 1.0 for each in "abc"], table[BEHAVIOUR]])  # noqa: E731
    beta = np.linalg.lstsq(terms(table["group"]), table["spend"])[0]
    same = [terms(pd.Series(name, table.index)) for name in "abc"]
    found = part(by_group(table, "spend", "group", BEHAVIOUR), "adjusted")
    assert found["mean"].tolist() == pytest.approx([(each @ beta).mean() for each in same])
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    model.fit(terms(table["group"]), table["back"])
    found = part(by_group(table, "back", "group", BEHAVIOUR), "adjusted")
    assert found["mean"].tolist() == pytest.approx([model.predict_proba(each)[:, 1].mean() for each in same], abs=1e-6)
    sizes = found["customers"].astype(float)
    rest = [(found["mean"] * sizes).drop(name).sum() / sizes.drop(name).sum() for name in "abc"]
    assert found["difference"].tolist() == pytest.approx((found["mean"] - rest).tolist())
    assert found["p_adjusted"].tolist() == holm(found["p"]).tolist()


def test_ordering_more_explains_the_difference_in_spend_and_a_planted_one_remains():
    for effect in (0.0, 12.0):
        found = by_group(customers(3, 2_000, effect), "spend", "group", BEHAVIOUR)
        assert part(found, "as observed").loc["a", "difference"] < -15 + effect
        row = part(found, "adjusted").loc["a"]
        assert row["difference_low"] < effect < row["difference_high"] and (row["p_adjusted"] < 0.001) == (effect > 0)


def test_behaviour_that_is_the_same_in_all_groups_changes_nothing():
    table = customers(4, 120).assign(group=np.repeat(["a", "b", "c"], 40), tenure=np.tile(np.arange(40), 3), constant=1)
    found = by_group(table, "spend", "group", ["tenure", "constant"])
    assert part(found, "adjusted")["mean"].tolist() == pytest.approx(part(found, "as observed")["mean"].tolist())
    twice = by_group(table.assign(again=2 * table["tenure"]), "spend", "group", ["tenure", "again"])
    assert twice["difference_low"].tolist() == pytest.approx(found["difference_low"].tolist())  # a behaviour twice


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["spend", "back"])
def test_errors_are_those_of_the_bootstrap(outcome):
    table = customers(5, 400).sort_values("group")
    found = part(by_group(table, outcome, "group", BEHAVIOUR), "adjusted")
    drawn = []
    for block in resampled(400, 1, 60):
        for weights in block:
            sample = table.loc[np.repeat(table.index, weights.astype(int))]
            drawn.append(part(by_group(sample, outcome, "group", BEHAVIOUR), "adjusted")["mean"].to_numpy())
    ratio = np.std(drawn, axis=0) / ((found["high"] - found["mean"]) / stats.norm.ppf(0.975)).to_numpy()
    assert ratio == pytest.approx(np.ones(3), abs=0.3)  # the standard error of a ratio of 60 samples is 0.09


def test_the_order_of_rows_changes_no_digit_and_incomplete_ones_are_left_out():
    table = customers(6)
    found = by_group(table, "spend", "group", BEHAVIOUR)
    more = pd.concat([table, table.head(5).assign(group=None), table.tail(5).assign(orders=np.nan)])
    again = by_group(more.sample(frac=1, random_state=1), "spend", "group", BEHAVIOUR)
    pd.testing.assert_frame_equal(again, found, check_exact=True)
    yes = by_group(table.assign(back=table["back"].astype("boolean")), "back", "group", BEHAVIOUR)
    pd.testing.assert_frame_equal(yes, by_group(table, "back", "group", BEHAVIOUR), check_exact=True)


def test_small_groups_are_among_the_others_and_an_ordered_category_keeps_its_order():
    table = customers(7, 300)
    table["group"] = np.repeat(["middle", "young", "old", "oldest"], [200, 93, 4, 3])
    table["group"] = pd.Categorical(table["group"], ["young", "middle", "old", "oldest", "none"], ordered=True)
    found = by_group(table, "spend", "group", BEHAVIOUR, smallest=5)
    assert found["group"].tolist() == ["young", "young", "middle", "middle", "(2 others)", "(2 others)"]
    assert found["customers"].tolist() == [93, 93, 200, 200, 7, 7]
    others = found[found["group"] == "(2 others)"].iloc[0]
    assert others["mean"] == pytest.approx(table["spend"].tail(7).mean()) and np.isnan(others["difference"])
    alone = by_group(table.head(2), "spend", "group", BEHAVIOUR, smallest=5)
    assert alone["group"].tolist() == ["middle"] * 2 and alone[
        ["customers", "mean", "low", "largest_customer"]
    ].isna().all(axis=None)


def test_groups_with_few_outcomes_are_too_few_to_tell():
    table = customers(8, 300)
    table["group"] = np.repeat(["a", "b", "c"], [150, 131, 19])
    found = part(by_group(table, "spend", "group", BEHAVIOUR), "as observed")
    two = part(by_group(table[table["group"] != "c"], "spend", "group", BEHAVIOUR), "as observed")
    assert found.loc["c", "mean"] == pytest.approx(table["spend"].tail(19).mean())
    assert found.loc["c", ["low", "difference", "p"]].isna().all()
    pd.testing.assert_frame_equal(found.loc[["a", "b"]], two)
    table.loc[table["group"] == "b", "back"] = np.arange(131) < 19
    back = by_group(table, "back", "group", BEHAVIOUR)
    assert part(back, "adjusted")["mean"].notna().tolist() == [True, False, False]
    assert back["difference"].isna().all() and part(back, "as observed").loc["b", "mean"] == pytest.approx(19 / 131)
    none = by_group(table.head(0), "spend", "group", BEHAVIOUR)
    assert none.empty and list(none.columns) == list(back.columns)


def test_one_customer_who_makes_a_mean_is_seen_and_no_variance_is_no_p():
    table = customers(9, 60).assign(group=np.repeat(["a", "b"], 30), spend=1.0)
    table.iloc[0, table.columns.get_loc("spend")] = 29.0
    found = part(by_group(table, "spend", "group", BEHAVIOUR), "as observed")
    assert found["largest_customer"].tolist() == [0.5, 1 / 30]
    same = by_group(table.assign(spend=1.0), "spend", "group", BEHAVIOUR)
    assert same["mean"].tolist() == pytest.approx([1] * 4) and part(same, "as observed")["p"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("spend", "age", BEHAVIOUR), "lacks 'age'"),
        (("spend", "group", []), "No behaviour"),
        (("spend", "group", ["group"]), "'group' is of type .*; expected numbers"),
        (("group", "group", BEHAVIOUR), "'group' is of type"),
        (("infinite", "group", BEHAVIOUR), "infinite"),
    ],
)
def test_columns_that_cannot_be_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        by_group(customers(10, 60).assign(infinite=np.inf), *arguments)


@pytest.mark.thorough
@pytest.mark.parametrize("outcome", ["spend", "back"])
def test_groups_that_differ_in_behaviour_alone_give_no_more_alarms_than_promised(outcome):
    alarms = [
        (part(by_group(customers(seed, 400), outcome, "group", BEHAVIOUR), "adjusted")["p_adjusted"] < 0.05).any()
        for seed in range(200)
    ]
    assert np.mean(alarms) <= by_chance(0.05, 200)[1]
