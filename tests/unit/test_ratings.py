"""Predicted stars: Surprise's own predictions, errors by hand, folds and cuts, lists, faulty ratings."""

import numpy as np
import pandas as pd
import pytest
from surprise import CoClustering, Dataset, Reader, SlopeOne, accuracy
from surprise.model_selection import KFold

from customerlab.analysis import ratings as prediction
from customerlab.analysis.ratings.errors import RatingResult, _summary
from customerlab.analysis.ratings.models import RATING_MODELS, FittedModel, Size, affordable
from customerlab.analysis.ratings.ranking import RatingRanking, liked_from
from customerlab.analysis.ratings.split import fold_rows, one_per_pair
from customerlab.analysis.recommend.metrics import Lists, per_customer
from customerlab.errors import DataError
from customerlab.figures import ratings as figures

FAST = [name for name in RATING_MODELS if name not in ("SVD++", "NMF")]


def rating_frame(n=4000, seed=0, customers=60, products=40, half=False):
    rng = np.random.default_rng(seed)
    customer, product = rng.integers(0, customers, n), rng.integers(0, products, n)
    level = 3 + rng.normal(0, 0.6, customers)[customer] + rng.normal(0, 0.6, products)[product]
    stars = np.rint(level * 2) / 2 if half else np.rint(level)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(n), unit="h")
    return pd.DataFrame(
        {
            "customer_id": customer.astype(str),
            "product_id": product.astype(str),
            "rating": np.clip(stars, 1, 5),
            "rated_at": when,
        }
    )


def few(*rows):
    """Ratings by hand: customer, product, stars, day."""
    table = pd.DataFrame(rows, columns=["customer_id", "product_id", "rating", "rated_at"])
    return table.assign(rated_at=pd.Timestamp("2024-01-01") + pd.to_timedelta(table["rated_at"], unit="D"))


def predicted(ratings, share, seed, **options):
    """The errors of the later ratings."""
    split = prediction.split_ratings(ratings, share)
    return prediction.time_errors(split, *prediction.fit_ratings(split, seed, **options), seed)


def surprise_data(table, scale=(1, 5)):
    return Dataset.load_from_df(table[["customer_id", "product_id", "rating"]], Reader(rating_scale=scale))


# ---- models


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in RATING_MODELS if name not in ("mean of all ratings", "SlopeOne", "CoClustering")]
)
def test_many_pairs_at_once_are_what_surprise_predicts_one_by_one(name):
    table = one_per_pair(rating_frame(700, half=True))
    train = pd.concat([table, few(("once", "5", 4.5, 0), ("again", "only", 2.0, 0), ("again", "5", 2.0, 1))])
    stars = FittedModel(RATING_MODELS[name], train, (1, 5), seed=3)
    customers = pd.Index([*map(str, range(60)), "once", "again", "unknown"])
    products = pd.Index([*map(str, range(40)), "only", "unknown"])
    scores = stars.scores(customers, products)
    plain = RATING_MODELS[name].make(3).fit(surprise_data(train).build_full_trainset())
    expected = [[plain.predict(customer, product, clip=False).est for product in products] for customer in customers]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)
    pairs = pd.Series(["0", "unknown"]), pd.Series(["1", "1"])
    clipped = [plain.predict(customer, product).est for customer, product in zip(*pairs, strict=True)]
    np.testing.assert_allclose(stars.predict(*pairs), clipped, atol=1e-9)


@pytest.mark.parametrize(("name", "kind"), [("SlopeOne", SlopeOne), ("CoClustering", CoClustering)])
def test_models_of_whole_numbers_are_given_half_stars_as_whole_numbers(name, kind):
    train = one_per_pair(rating_frame(700, half=True))
    customers, products = pd.Index([*map(str, range(60)), "unknown"]), pd.Index([*map(str, range(40)), "unknown"])
    scores = FittedModel(RATING_MODELS[name], train, (1, 5), seed=3).scores(customers, products)
    options = {"random_state": 3} if kind is CoClustering else {}
    doubled = surprise_data(train.assign(rating=2 * train["rating"]), (2, 10)).build_full_trainset()
    plain = kind(**options).fit(doubled)
    expected = [[plain.predict(u, i, clip=False).est / 2 for i in products] for u in customers]
    np.testing.assert_allclose(scores, expected, atol=1e-9)


def test_slope_one_keeps_half_stars():
    # tea is half a star above milk for both who know them; Surprise alone makes 3 of 3.5 and finds no difference
    table = few(
        ("ann", "tea", 3.5, 0),
        ("ann", "milk", 3.0, 0),
        ("bob", "tea", 4.5, 0),
        ("bob", "milk", 4.0, 0),
        ("cid", "tea", 3.0, 0),
    )
    stars = FittedModel(RATING_MODELS["SlopeOne"], table, (0.5, 5), seed=1)
    assert stars.predict(pd.Series(["cid"]), pd.Series(["milk"])) == pytest.approx([2.5])
    assert SlopeOne().fit(surprise_data(table).build_full_trainset()).predict("cid", "milk").est == 3.0, "fixed there?"


# ---- errors


@pytest.mark.slow
def test_planted_biases_are_found_and_row_order_does_not_matter():
    ratings = rating_frame()
    shuffled = ratings.sample(frac=1, random_state=2)
    names = [name for name in FAST if name != "CoClustering"]
    for evaluate in (
        lambda table: predicted(table, 0.2, 7, models=names),
        lambda table: prediction.cross_validate(table, 7, folds=3, models=names),
    ):
        result = evaluate(ratings)
        rmse = result.table.set_index("model")["rmse"]
        assert rmse["BaselineOnly"] < 0.7 * rmse["mean of all ratings"]
        pd.testing.assert_frame_equal(evaluate(shuffled).table, result.table)
        pd.testing.assert_frame_equal(evaluate(shuffled).accounting, result.accounting)


def test_the_cut_divides_all_ratings_and_errors_are_those_by_hand():
    ratings = rating_frame()
    result = predicted(ratings, 0.2, 7, models=["mean of all ratings"])
    counts = result.accounting.set_index("what")["ratings"]
    assert counts["read"] == len(ratings) == counts["excluded: rated again later"] + counts["kept"]
    assert counts["kept"] == counts["training, before the split date"] + counts["later ratings"]
    assert counts["later ratings"] == counts.iloc[5:].sum()
    latest = ratings.sort_values("rated_at").drop_duplicates(["customer_id", "product_id"], keep="last")
    train, later = latest[latest["rated_at"] < result.date], latest[latest["rated_at"] >= result.date]
    assert 0.2 <= len(later) / len(latest) < 0.2 + 24 / len(latest) * 2 and result.date == result.date.normalize()
    known = later[later["customer_id"].isin(train["customer_id"]) & later["product_id"].isin(train["product_id"])]
    error = known["rating"] - train["rating"].mean()
    row = result.table.iloc[0]
    assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean())) and row["mae"] == pytest.approx(error.abs().mean())


@pytest.mark.parametrize("count", [10, 11, 14])
def test_folds_are_those_of_surprise(count):
    table = few(*[(f"{n:02d}", "tea", 3, 0) for n in range(count)])
    held = [[int(uid) for uid, _, _ in test] for _, test in KFold(4, random_state=5).split(surprise_data(table))]
    assert [rows.tolist() for rows in fold_rows(count, 4, 5)] == held
    assert sorted(np.concatenate(fold_rows(count, 4, 5))) == list(range(count))


@pytest.mark.thorough
def test_interval_covers_the_error_that_more_customers_would_show():
    # the error of the mean: customers have levels of their own, so that ratings of one customer err together
    rng = np.random.default_rng(0)
    covered, ratings_alone = 0, 0
    for seed in range(200):
        level = np.repeat(rng.normal(0, 1, 50), 6) + rng.normal(0, 0.5, 300)
        customer = np.repeat([f"{n:02d}" for n in range(50)], 6)
        sums = pd.DataFrame({"customer_id": customer, "count": 1, "squared": level**2, "absolute": abs(level)})
        sums = sums.groupby("customer_id", as_index=False).sum().assign(model="m", fold=0)
        row = _summary(sums, seed)[0].iloc[0]
        truth = np.sqrt(1.25)
        covered += row["rmse_low"] <= truth <= row["rmse_high"]
        naive = 1.96 * np.std(level**2) / np.sqrt(300) / 2 / row["rmse"]
        ratings_alone += abs(row["rmse"] - truth) <= naive
    assert 180 <= covered <= 198
    assert ratings_alone < 160, "an interval over ratings would be too narrow"


# ---- the budget


def test_a_model_gets_as_many_folds_as_the_budget_pays():
    ratings = rating_frame(400)
    cost = RATING_MODELS["SVD"].seconds(Size.of(one_per_pair(ratings).sample(frac=0.8, random_state=1)))
    models = ["SVD", "BaselineOnly"]
    result = prediction.cross_validate(ratings, 7, models=models, budget=2.5 * cost)
    assert result.table["model"].tolist() == ["BaselineOnly"] and result.table["folds"].tolist() == [5]
    assert result.left_out[["model", "folds"]].to_numpy().tolist() == [["SVD", 2]]
    full = prediction.cross_validate(ratings, 7, models=models)
    assert full.table["model"].tolist() == models and full.left_out.empty
    paid = full.by_fold[(full.by_fold["model"] == "BaselineOnly") | (full.by_fold["fold"] < 2)]
    columns = ["model", "fold"]
    pd.testing.assert_frame_equal(
        result.by_fold.sort_values(columns, ignore_index=True), paid.sort_values(columns, ignore_index=True)
    )
    none = predicted(ratings, 0.2, 7, models=["SVD", "mean of all ratings"], budget=cost / 10)
    assert none.table["model"].tolist() == ["mean of all ratings"] and none.left_out["model"].tolist() == ["SVD"]


def test_a_model_whose_matrices_are_too_large_is_left_out():
    size = Size(ratings=10**6, customers=1_000, products=50_000, customer_squares=10**9, product_squares=10**8)
    assert affordable(RATING_MODELS["SlopeOne"], size, 1, 1e9) == (0, "about 37 GiB of matrices, limit 2 GiB")
    assert affordable(RATING_MODELS["KNNBasic"], size, 1, 1e9) == (1, "")


# ---- lists


def test_lists_are_of_unrated_products_and_find_what_was_liked_later():
    ratings = few(
        ("ann", "tea", 5, 0), ("ann", "milk", 1, 1), ("bob", "tea", 5, 0), ("bob", "jam", 5, 1), ("cid", "jam", 4, 1),
        ("cid", "milk", 2, 1), ("dan", "milk", 1, 2),
        ("ann", "jam", 5, 10), ("ann", "new", 5, 10), ("bob", "milk", 2, 10), ("dan", "jam", 5, 10), ("eve", "tea", 5, 10),
    )  # fmt: skip
    split = prediction.split_ratings(ratings, 0.3)
    fitted, _ = prediction.fit_ratings(split, 1, models=["mean of all ratings", "BaselineOnly"])
    result = prediction.rank_ratings(split, fitted, 1, liked=4, k=2)
    # ann alone liked something before and after; she can be offered jam alone, and nobody knew the new product
    assert result.values["customer_id"].tolist() == ["ann"] * 3, "the mean of all ratings ranks nothing"
    assert result.values["model"].tolist() == ["BaselineOnly", "popularity of all time", "EASE"]
    expected = Lists.of([[0]], [[0, 1]], products=2)
    assert result.values["recall"].tolist() == [per_customer(expected)["recall"][0]] * 3 == [0.5] * 3
    ideal = 1 + 1 / np.log2(3)
    assert result.values["ndcg"].tolist() == pytest.approx([1 / ideal] * 3)
    assert result.values["precision"].tolist() == [0.5] * 3
    counts = result.accounting.set_index("what")
    assert counts["ratings"].tolist() == [4, 4, 2, 2, 1] and counts["customers"].tolist() == [3, 3, 2, 1, 1]
    # rated at all: dan, who liked nothing, and bob, who found milk bad, are there too
    every = prediction.rank_ratings(split, fitted, 1, liked=0, k=2)
    assert sorted(set(every.values["customer_id"])) == ["ann", "bob", "dan"] and every.relevant == "rated at all"


def test_lists_agree_with_a_plain_count():
    split = prediction.split_ratings(rating_frame(1500, customers=80, products=60), 0.3)
    fitted, _ = prediction.fit_ratings(split, 1, models=["SVD"])
    values = prediction.rank_ratings(split, fitted, 1, k=5).values
    result = values[values["model"] == "SVD"].set_index("customer_id")
    stars = FittedModel(RATING_MODELS["SVD"], split.train, split.scale, 1)
    everything = sorted(set(split.train["product_id"]))
    for customer in result.index[:10]:
        rated = set(split.train.loc[split.train["customer_id"] == customer, "product_id"])
        liked = split.later[(split.later["customer_id"] == customer) & (split.later["rating"] >= 4)]
        free = [product for product in everything if product not in rated]
        predicted = dict(zip(free, [stars.model.predict(customer, p, clip=False).est for p in free], strict=True))
        best = sorted(free, key=lambda product: -predicted[product])[:5]
        found = len(set(best) & set(liked["product_id"]))
        assert result.loc[customer, "recall"] == pytest.approx(found / len(liked))


def test_lists_do_not_depend_on_the_order_of_rows():
    ratings = rating_frame(800)
    results = []
    for table in (ratings, ratings.sample(frac=1, random_state=4)):
        split = prediction.split_ratings(table, 0.3)
        fitted, _ = prediction.fit_ratings(split, 1, models=["SVD", "KNNBasic", "SlopeOne"])
        results.append(prediction.rank_ratings(split, fitted, 1))
    pd.testing.assert_frame_equal(results[0].values, results[1].values)
    pd.testing.assert_frame_equal(results[0].table, results[1].table)


def test_nobody_who_liked_before_and_after_is_an_error():
    split = prediction.split_ratings(
        few(
            ("ann", "tea", 1, 0),
            ("bob", "tea", 5, 1),
            ("ann", "jam", 5, 2),
            ("bob", "jam", 2, 9),
            ("ann", "milk", 3, 9),
            ("bob", "milk", 1, 9.1),
            ("bob", "cake", 1, 9.1),
        ),
        0.5,
    )
    with pytest.raises(ValueError, match="nobody with a rating of at least 5 before"):
        prediction.rank_ratings(split, [], 1, liked=5)


# ---- other scales than stars


def plays(seed=0):
    """Counts of plays: half below twenty, a few of some thousands, and nothing that tells customers apart."""
    rng = np.random.default_rng(seed)
    table = one_per_pair(rating_frame(900, seed=seed))
    return table.assign(rating=np.ceil(rng.lognormal(3, 1.5, len(table))))


@pytest.mark.slow
@pytest.mark.parametrize(("times", "plus"), [(20, 0), (0.2, 0), (20, -100)])
def test_ratings_in_other_units_have_the_same_errors_in_those_units(times, plus):
    """Stars times twenty, in shares of one, and on a scale that begins at -100: below zero, where zero is no rating."""
    stars = one_per_pair(rating_frame(700)).assign(
        rating=lambda table: table["rating"] - 1 if plus else table["rating"]
    )
    low = 0 if plus else 1
    scaled = stars.assign(rating=stars["rating"] * times + plus)
    first = prediction.cross_validate(stars, 3, folds=2, scale=(low, low + 4)).table
    second = prediction.cross_validate(scaled, 3, folds=2, scale=(low * times + plus, (low + 4) * times + plus)).table
    if plus:  # both end at 5 when fitted; the other ended at 4
        first = prediction.cross_validate(
            stars.assign(rating=stars["rating"] * 1.25), 3, folds=2, scale=(0, 5)
        ).table.assign(rmse=lambda table: table["rmse"] * 0.8)
    np.testing.assert_allclose(second["rmse"], first["rmse"] * times, rtol=1e-9)


@pytest.mark.slow
def test_counts_of_plays_are_predicted_by_every_model_and_no_error_is_nothing():
    ratings = plays()
    result = prediction.cross_validate(ratings, 7, folds=3)
    assert len(result.left_out) == 0 and set(result.table["model"]) == set(RATING_MODELS)
    # nothing can be known of them: no model is better than their spread by more than chance
    spread = ratings["rating"].std()
    assert result.by_fold["rmse"].notna().all() and result.table["rmse"].min() > 0.9 * spread
    assert result.table["rmse"].max() < 1.5 * spread
    split = prediction.split_ratings(ratings, 0.3)
    fitted, left_out = prediction.fit_ratings(split, 7)
    ranked = prediction.rank_ratings(split, fitted, 7)
    assert len(left_out) == 0 and np.isfinite(ranked.values["ndcg"]).all()


def test_a_model_whose_fit_diverges_is_left_out_by_name(monkeypatch):
    monkeypatch.setattr("customerlab.analysis.ratings.models.HIGHEST", 5_000.0)  # as without one scale
    ratings = plays()
    result = prediction.cross_validate(ratings, 7, folds=3, models=["BaselineOnly", "SVD", "SVD++"])
    assert result.table["model"].tolist() == ["BaselineOnly"]
    assert result.left_out["model"].tolist() == ["SVD", "SVD++"]
    assert result.left_out["why"].str.startswith("its fit diverged").all()
    split = prediction.split_ratings(ratings, 0.3)
    fitted, left_out = prediction.fit_ratings(split, 7, models=["BaselineOnly", "SVD"])
    assert [stars.name for stars in fitted] == ["BaselineOnly"] and left_out["model"].tolist() == ["SVD"]
    stars = FittedModel(RATING_MODELS["SVD"], split.train, split.scale, 7)
    with pytest.raises(ValueError, match=r"SVD predicts [\d,]+ of [\d,]+ ratings as no number"):
        prediction.time_errors(split, [stars], left_out, 7)


@pytest.mark.parametrize(
    ("ratings", "scale", "liked"),
    [
        ([1, 2, 3, 4, 4, 5, 5, 5], (1, 5), 4),
        ([*[1] * 6, *[3] * 5, 4], (1, 5), 3),
        (range(1, 101), (1, 100), 76),
        ([*range(1, 76), *[5_000] * 2], (1, 5_000), 58),
        ([0, 0, 0, 1], (0, 1), 1),
    ],
    ids=["stars", "hardly any four", "1 to 100", "plays", "likes"],
)
def test_what_counts_as_liked_on_any_scale(ratings, scale, liked):
    assert liked_from(pd.DataFrame({"rating": list(ratings)}), scale) == liked
    assert np.mean(np.array(ratings) >= liked) >= 0.1


def test_what_counts_as_liked_is_said_with_its_share():
    split = prediction.split_ratings(rating_frame(800).assign(rating=lambda table: table["rating"] * 20), 0.3)
    words = prediction.rank_ratings(split, [], 1).relevant
    share = (split.train["rating"] >= 80).mean()
    assert words == f"rated 80 or better ({share:.0%} of the ratings before the split date)"


def errors_of(counts, factors):
    """A result of customers with so many ratings, whose squared errors differ between models by a factor."""
    rng = np.random.default_rng(4)
    rows = [(f"c{n:02d}", count, count * rng.uniform(0.9, 1.1)) for n, count in enumerate(counts)]
    parts = []
    for model, factor in factors.items():
        part = pd.DataFrame(rows, columns=["customer_id", "count", "squared"])
        noise = 1 + 0.8 * np.sin(np.arange(len(part)) * factor)
        parts.append(
            part.assign(squared=part["squared"] * factor * noise, absolute=part["count"] * 0.8, model=model, fold=0)
        )
    sums = pd.concat(parts, ignore_index=True)
    return RatingResult(*_summary(sums, 1), pd.DataFrame(), pd.DataFrame(), pd.Timestamp("2024-01-01"), sums)


@pytest.mark.parametrize("heavy", [True, False])
def test_an_error_that_a_few_customers_decide_is_too_few_to_tell(heavy):
    counts = [400] * 4 + [10] * 20 if heavy else [50] * 24
    said = prediction.decision(errors_of(counts, {"near": 1.0, "mean of all ratings": 2.0}), 1, (1, 5))
    few = "too few to tell (5 customers in effect; at least 20 are needed). By the temporal split half of the 1,800"
    assert (f"{few} ratings are from 3 of 24 customers" in said[0]) == heavy
    assert said[0].startswith("No model is recommended" if heavy else "Predict ratings with near: it is off by ")
    assert len(said) == (1 if heavy else 2)


def test_ratings_are_predicted_only_where_a_model_is_significantly_better_than_the_mean():
    result = errors_of([50] * 40, {"near": 1.0, "next": 1.01, "mean of all ratings": 2.0})
    first, second = prediction.decision(result, 1, (1, 5))
    rmse = result.table.set_index("model")["rmse"]
    assert first.lead == "Predict ratings with near" and ", significantly lower, " in first
    assert f"difference {rmse['mean of all ratings'] - rmse['near']:.3f}, 95% CI " in first
    assert (
        "off by 0.800 on average, on a scale from 1 to 5, and always predicting the mean by 0.800 (MAE; RMSE " in first
    )
    assert second.startswith("The next model, next, has no significantly higher RMSE (")
    close = prediction.decision(errors_of([50] * 40, {"near": 1.0, "mean of all ratings": 1.01}), 1, (1, 5))
    assert (
        close[0].lead == "No model is recommended"
        and ": inconclusive. " in close[0]
        and "not significantly lower" in close[0]
    )
    worse = prediction.decision(errors_of([50] * 40, {"near": 2.0, "mean of all ratings": 1.0}), 1, (1, 5))
    assert len(worse) == 1 and "no model has a lower RMSE than the mean of all ratings" in worse[0]


def test_products_are_chosen_by_predicted_ratings_only_where_these_rank_better():
    rng = np.random.default_rng(5)
    base = rng.uniform(0.1, 0.6, 60)
    for gain, lead in (
        (0.2, "Choose products by the ratings that SVD predicts"),
        (0.0, "Predicted ratings are not shown to choose products better than popularity"),
        (-0.2, "Choose products by popularity"),
    ):
        ndcg = {"SVD": base + gain, "popularity of all time": base + rng.normal(0, 0.05, 60), "EASE": base + 0.3}
        parts = [
            pd.DataFrame({"model": m, "customer_id": range(60), "ndcg": v, "hit_rate": 1.0}) for m, v in ndcg.items()
        ]
        values = pd.concat(parts, ignore_index=True)
        table = values.groupby("model", as_index=False)["ndcg"].mean()
        ranking = RatingRanking(values, table, pd.DataFrame(), "rated at all", {})
        said = prediction.ranking_decision(ranking, 10)
        assert said.lead.startswith(lead) and f"{ndcg['SVD'].mean():.3f} for the best rating model, SVD" in said
        few = RatingRanking(values.assign(hit_rate=0.3), table, pd.DataFrame(), "rated at all", {})
        assert "too few to tell (18 customers with a hit on the list of popularity)" in prediction.ranking_decision(
            few, 10
        )


# ---- what cannot be learned from


@pytest.mark.parametrize("value", [6.0, 0.0, np.nan, np.inf])
def test_a_rating_outside_the_scale_is_named(value):
    ratings = rating_frame(50)
    ratings.loc[7, "rating"] = value
    with pytest.raises(DataError, match="1 of 50 ratings cannot be used") as caught:
        prediction.cross_validate(ratings, 7, scale=(1, 5))
    assert f"product '{ratings.loc[7, 'product_id']}'" in str(caught.value) and "customer" not in str(caught.value)
    if not np.isfinite(value):
        with pytest.raises(DataError, match="a finite number"):
            predicted(ratings, 0.2, 7)


def test_one_rating_and_none():
    one = few(("ann", "tea", 3, 0))
    with pytest.raises(ValueError, match="1 ratings cannot be divided into 5 folds"):
        prediction.cross_validate(one, 7)
    with pytest.raises(ValueError, match="choose another rating_holdout"):
        predicted(one, 0.2, 7)
    with pytest.raises(DataError, match="there are no ratings"):
        prediction.cross_validate(one.iloc[:0], 7)
    with pytest.raises(ValueError, match="no models SVDD; expected some of mean of all ratings, BaselineOnly"):
        prediction.cross_validate(rating_frame(50), 7, models=["SVDD"])


@pytest.mark.slow
def test_one_customer_has_errors_but_no_interval():
    ratings = few(*[("ann", f"{n:02d}", 1 + n % 5, n) for n in range(20)])
    result = prediction.cross_validate(ratings, 7)
    assert result.table["rmse"].notna().all() and (result.table["customers"] == 1).all()
    assert result.table[["rmse_low", "rmse_high", "mae_low", "mae_high"]].isna().all(axis=None)


@pytest.mark.slow
def test_equal_ratings_are_predicted_without_error():
    ratings = rating_frame(300).assign(rating=4.0)
    result = prediction.cross_validate(ratings, 7)
    assert result.table["rmse"].max() == 0, "clipped to a scale of one value"
    stars = [FittedModel(model, one_per_pair(ratings), (1, 5), 7) for model in RATING_MODELS.values()]
    known = pd.Index(["1", "2"]), pd.Index(["3", "4", "unknown"])
    exact = [
        one for one in stars if one.name not in ("SVD", "SVD++", "NMF")
    ]  # these start at random and only come near
    for one in exact:
        np.testing.assert_allclose(one.scores(*known), 4.0, atol=1e-9)


def test_of_two_ratings_of_a_pair_the_later_counts():
    ratings = few(("ann", "tea", 1, 5), ("ann", "tea", 5, 3), ("ann", "tea", 2, 5), ("bob", "tea", 3, 0))
    assert one_per_pair(ratings)[["customer_id", "rating"]].to_numpy().tolist() == [["ann", 2], ["bob", 3]]
    result = prediction.cross_validate(ratings, 7, folds=2, models=["mean of all ratings"])
    assert result.accounting["ratings"].tolist() == [4, 2, 2]


# ---- figures


@pytest.mark.slow
def test_figures_say_their_numbers():
    split = prediction.split_ratings(rating_frame(800), 0.3)
    fitted, left_out = prediction.fit_ratings(split, 1, models=["BaselineOnly", "SVD"])
    timed = prediction.time_errors(split, fitted, left_out, 1).table
    random = prediction.cross_validate(rating_frame(800), 1, models=["BaselineOnly", "SVD", "KNNBasic"]).table
    picture = figures.errors({"random folds": random, "temporal split": timed})
    assert f"BaselineOnly {timed['rmse'].iloc[0]:.3f}" in picture.alt and "temporal split: " in picture.alt
    assert picture.alt.count("KNNBasic") == 1, "only where it was evaluated"
    ranked = prediction.rank_ratings(split, fitted, 1).table
    lists = figures.error_and_ranking(timed, ranked, 10)
    assert f"EASE {ranked['ndcg'].iloc[-1]:.3f}" in lists.alt and "2 models" in lists.alt
    assert picture.png() and lists.png()


@pytest.mark.slow
def test_errors_of_whole_stars_are_those_of_surprise():
    """The golden test has the same on real half stars."""
    ratings = one_per_pair(rating_frame(900))
    result = prediction.cross_validate(ratings, 5, folds=3)
    for name in RATING_MODELS:
        if name == "mean of all ratings":
            continue
        folds = []
        for train, test in KFold(3, random_state=5).split(surprise_data(ratings)):
            predictions = RATING_MODELS[name].make(5).fit(train).test(test)
            folds.append((accuracy.rmse(predictions, verbose=False), accuracy.mae(predictions, verbose=False)))
        row = result.table.set_index("model").loc[name]
        assert [row["rmse"], row["mae"]] == pytest.approx(np.mean(folds, axis=0), abs=1e-9), name
