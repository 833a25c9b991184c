"""Features of customers by parameter, the space that they become, and the pictures of both."""

import warnings

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from customerlab.analysis import rfm
from customerlab.analysis.clustering import space as spaces
from customerlab.analysis.clustering.features import FEATURES, customer_features
from customerlab.analysis.clustering.space import (
    DIGITS,
    SCALINGS,
    TRANSFORMS,
    correlation,
    fit_space,
    sample,
    skewness,
)
from customerlab.analysis.orders import Snapshot, day_after
from customerlab.codec import to_json
from customerlab.data.engine import connect, open_table
from customerlab.figures.clustering import features as figures
from helpers import log

# 6 January 2024 is a Saturday; the log is known on the 11th
LOG = log(
    [
        ("ann", "1", "2024-01-05 23:50", "pan", 1, 30.0),  # a Friday evening, though the order ends on Saturday
        ("ann", "1", "2024-01-06 00:10", "pot", 1, 10.0),
        ("ann", "2", "2024-01-07 17:59", "pan", 2, 30.0),
        ("ann", "3", "2024-01-10 18:00", "mug", 1, 20.0),
        ("bob", "4", "2024-01-06 10:00", "odd", 3, 4.0),
        ("cem", "5", "2024-01-10 09:00", "pot", 1, 0.0),
    ]
)
RETURNS = log(
    [
        ("ann", "r1", "2024-01-08", "pan", -1, 30.0),
        ("bob", "r2", "2024-01-09", "odd", -9, 4.0),
        ("cem", "r3", "2024-01-10", "pot", -1, 5.0),
        ("dan", "r4", "2024-01-10", "pot", -1, 5.0),  # bought before the log begins
    ]
)
PRODUCTS = ibis.memtable(
    pd.DataFrame({"product_id": ["pan", "pot", "mug", "odd"], "category": ["Cook", "Cook", "Drink", None]})
)
TABLES = {"products": PRODUCTS, "returns": RETURNS}


def found(names, as_of=None, **options):
    """Features by customer."""
    net = options.pop("net", False)
    shop = Snapshot(LOG, as_of or day_after(LOG), **{**TABLES, **options})
    table = customer_features(shop, names=names, net=net)
    assert table["customer_id"].is_monotonic_increasing and table["customer_id"].is_unique
    return table.set_index("customer_id")


# -- features -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ann", "bob", "cem"),
    [
        ("recency", 1, 5, 1),
        ("frequency", 3, 1, 1),
        ("monetary", 120.0, 12.0, 0.0),
        ("tenure", 6, 5, 1),
        ("days_per_order", 2.0, 5.0, 1.0),
        ("basket_value", 40.0, 12.0, 0.0),
        ("basket_products", 4 / 3, 1.0, 1.0),
        ("breadth", 3, 1, 1),
        ("categories", 2, 0, 1),
        ("returned_share", 0.25, 1.0, 1.0),
        ("weekend_share", 1 / 3, 1.0, 0.0),
        ("evening_share", 2 / 3, 0.0, 0.0),
    ],
)
def test_every_feature_by_hand(name, ann, bob, cem):
    table = found([name])
    assert list(table) == [name]
    assert table[name].to_dict() == {"ann": ann, "bob": bob, "cem": cem}
    assert table[name].dtype == (np.dtype("int64") if isinstance(ann, int) else np.dtype("float64"))


def test_shares_of_categories_by_hand():
    table = found(["category_shares"])
    assert table.loc["ann"].to_dict() == {"share of Cook": 100 / 120, "share of Drink": 20 / 120}
    assert table.loc["bob"].to_dict() == {"share of Cook": 0.0, "share of Drink": 0.0}, "of products without a category"
    assert table.loc["cem"].to_dict() == {"share of Cook": 0.0, "share of Drink": 0.0}, "spent nothing"


def test_nothing_of_the_day_itself_or_later_counts():
    every = [name for name in FEATURES if name != "category_shares"]
    early = found([*every, "share of Drink"], "2024-01-08 12:00")
    assert early.loc["ann"].to_dict() == {
        "recency": 1, "frequency": 2, "monetary": 100.0, "tenure": 3, "days_per_order": 1.5, "basket_value": 50.0,
        "basket_products": 1.5, "breadth": 2, "categories": 1, "returned_share": 0.0, "weekend_share": 0.5,
        "evening_share": 0.5, "share of Drink": 0.0,
    }  # fmt: skip
    assert list(found(["category_shares"], "2024-01-08")) == ["share of Cook"], "no drink was sold before"
    assert "cem" not in early.index
    with pytest.raises(ValueError, match="no order was placed before"):
        found(["recency"], "2023-01-01")


def test_net_money_is_that_of_rfm_and_shares_stay_gross():
    table = found(["monetary", "basket_value", "returned_share", "share of Drink"], net=True)
    expected = rfm.features(LOG, returns=RETURNS, net=True).set_index("customer_id")
    assert table["monetary"].to_dict() == expected["monetary"].to_dict() == {"ann": 90.0, "bob": -24.0, "cem": -5.0}
    assert table["basket_value"].to_dict() == {"ann": 30.0, "bob": -24.0, "cem": -5.0}
    assert table.loc["ann", ["returned_share", "share of Drink"]].tolist() == [0.25, 20 / 120]


def test_eight_categories_by_money_ties_by_name_and_each_column_once():
    rows = [("a", str(n), "2024-01-01", f"p{n}", 1, price) for n, price in enumerate([1, 3, 2, 2, 2, 2, 2, 2, 2, 2])]
    categories = pd.DataFrame({"product_id": [f"p{n}" for n in range(10)], "category": list("ABCDEJIHGF")})
    shop = Snapshot(log(rows), pd.Timestamp("2024-01-02"), products=ibis.memtable(categories))
    table = customer_features(shop, names=["share of J", "recency", "category_shares", "recency"])
    assert list(table) == ["customer_id", "share of J", "recency", *(f"share of {name}" for name in "BCDEFGHI")]
    assert table.iloc[0]["share of B"] == 3 / 20 and table.iloc[0]["share of J"] == 2 / 20


@pytest.mark.slow
def test_no_feature_differs_from_pandas_on_the_demo_shop(real_table):
    paths = {name: real_table("demo", name).path for name in ("transactions", "returns", "products")}
    con = connect()
    tables = {name: open_table(con, path) for name, path in paths.items()}
    day = pd.Timestamp("2024-04-01")
    table = customer_features(Snapshot(day=day, **tables), names=FEATURES).set_index("customer_id")
    lines, back, goods = (pd.read_parquet(paths[name]) for name in ("transactions", "returns", "products"))
    lines, back = (t[t["ordered_at"] < day].astype({"amount": float}) for t in (lines, back))
    lines = lines.merge(goods[["product_id", "category"]], how="left", on="product_id")
    by = lines.groupby("customer_id")
    orders = lines.groupby(["customer_id", "order_id"]).agg(at=("ordered_at", "min"), n=("product_id", "nunique"))
    orders["weekend"], orders["evening"] = orders["at"].dt.day_of_week >= 5, orders["at"].dt.hour >= 18
    habits, money, frequency = orders.groupby("customer_id").mean(), by["amount"].sum(), by["order_id"].nunique()
    taken = -back.groupby("customer_id")["amount"].sum().reindex(money.index, fill_value=0.0)
    tenure = (day - by["ordered_at"].min().dt.normalize()).dt.days
    expected = {
        "recency": (day - by["ordered_at"].max().dt.normalize()).dt.days, "frequency": frequency, "monetary": money,
        "tenure": tenure, "days_per_order": tenure / frequency, "basket_value": money / frequency,
        "basket_products": habits["n"], "breadth": by["product_id"].nunique(), "categories": by["category"].nunique(),
        "returned_share": (taken / money).clip(upper=1), "weekend_share": habits["weekend"],
        "evening_share": habits["evening"],
    }  # fmt: skip
    wide = lines.pivot_table(index="customer_id", columns="category", values="amount", aggfunc="sum", fill_value=0.0)
    for name in wide.sum().sort_values(ascending=False).index[:8]:
        expected[f"share of {name}"] = wide[name] / money
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected), rtol=1e-12, check_dtype=False)
    assert table["returned_share"].max() > 0.1 and table["weekend_share"].between(0.1, 0.9).any(), "there is something"


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["recensy"], {}, "unknown feature 'recensy'; did you mean 'recency'"),
        (["Breadht"], {}, "did you mean 'breadth'"),
        ([], {}, "no feature is named"),
        (["share of Cok"], {}, "no product is of the category 'Cok'; the nearest is 'Cook'"),
        (["share of Cook", "Cook"], {}, "unknown feature 'Cook'"),
        (["returned_share"], {"returns": None}, "'returned_share' needs the table of returns"),
        (["monetary"], {"returns": None, "net": True}, "net money needs the table of returns"),
        (["recency", "categories"], {"products": None}, "'categories' needs .* no table of products"),
        (["category_shares"], {"products": PRODUCTS.drop("category")}, "has no column 'category'"),
        (["categories"], {"products": PRODUCTS.filter(PRODUCTS.category.isnull())}, "no product has one"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(names, options, message):
    with pytest.raises(ValueError, match=message):
        found(names, **options)


def test_tables_that_no_feature_needs_may_be_lacking():
    names = [name for name in FEATURES if name not in ("returned_share", "categories", "category_shares")]
    bare = found(names, products=None, returns=None)
    pd.testing.assert_frame_equal(bare, found(names))
    nobody = found(["returned_share"], returns=RETURNS.filter(RETURNS.customer_id == "nobody"))
    assert nobody["returned_share"].tolist() == [0.0, 0.0, 0.0]


# -- space --------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(3)
SKEWED = pd.DataFrame(
    {
        "money": RNG.lognormal(5, 1.5, 700) - 60,  # some of it below zero
        "orders": RNG.geometric(0.4, 700),
        "share": RNG.beta(0.5, 2, 700).round(2),
        "days": RNG.integers(1, 400, 700),
    }
)
NEW = pd.DataFrame(
    {"money": [-900.0, 0.0, 1e6], "orders": [1, 2, 90], "share": [0.0, 1.0, 0.33], "days": [1, 399, 500]}
)
NAMES = list(SKEWED)
HALF = 0.501 * 10.0**-DIGITS  # of the last decimal of a coordinate
BY_SKLEARN = {
    "none": lambda: FunctionTransformer(),
    "log1p": lambda: FunctionTransformer(lambda x: np.sign(x) * np.log1p(np.abs(x))),
    "yeo-johnson": lambda: PowerTransformer("yeo-johnson", standardize=False),
    "standard": lambda: StandardScaler(),
    "min-max": lambda: MinMaxScaler(),
    "robust": lambda: RobustScaler(),
    "quantile": lambda: QuantileTransformer(n_quantiles=700, subsample=None),
}


@pytest.mark.slow
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_points_are_those_of_scikit_learn(transform, scaling):
    space = fit_space(SKEWED, NAMES, transform=transform, scaling=scaling)
    other = make_pipeline(BY_SKLEARN[transform](), BY_SKLEARN[scaling]()).fit(SKEWED.to_numpy(dtype=float))
    # a last digit decides whether scikit-learn takes two customers as alike, which moves a rank by a step
    tolerance = {"atol": 1.01 / 699} if scaling == "quantile" else {"rtol": 1e-5, "atol": 1e-6}
    for table in (SKEWED, NEW):
        expected = other.transform(table.to_numpy(dtype=float))
        np.testing.assert_allclose(space.points(table), expected, **tolerance)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_quantile_scaling_gives_mean_ranks(transform):
    points = fit_space(SKEWED, NAMES, transform=transform, scaling="quantile").points(SKEWED)
    ranks = (stats.rankdata(SKEWED, axis=0) - 1) / 699
    low, high = SKEWED.to_numpy() == SKEWED.min().to_numpy(), SKEWED.to_numpy() == SKEWED.max().to_numpy()
    np.testing.assert_allclose(points, np.select([low, high], [0.0, 1.0], ranks), rtol=0, atol=HALF)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_last_digits_of_logarithms_which_processors_differ_in_change_no_point(scaling, monkeypatch):
    points = fit_space(SKEWED, NAMES, scaling=scaling).points(SKEWED)
    plain = spaces._transformed

    def elsewhere(*given):
        values = plain(*given)
        return values * (1 + np.finfo(float).eps * np.sign(np.sin(1e9 * values)))

    monkeypatch.setattr(spaces, "_transformed", elsewhere)
    np.testing.assert_array_equal(fit_space(SKEWED, NAMES, scaling=scaling).points(SKEWED), points)


def test_quantiles_of_more_customers_than_steps_are_those_of_scikit_learn():
    many = pd.DataFrame({"money": RNG.lognormal(size=30_000)})
    other = QuantileTransformer(n_quantiles=1_000, subsample=None).fit(many.to_numpy())
    space = fit_space(many, ["money"], transform="none", scaling="quantile")
    np.testing.assert_allclose(space.points(many), other.transform(many.to_numpy()), rtol=0, atol=HALF)


def test_the_chosen_power_is_the_most_likely_one():
    space = fit_space(SKEWED, NAMES, transform="yeo-johnson", scaling="standard")
    x = SKEWED["share"].to_numpy()  # none below zero: the first branch of the definition
    grid = np.linspace(-6, 3, 2_001)

    def likelihood(power: float) -> float:
        y = np.log1p(x) if power == 0 else ((1 + x) ** power - 1) / power
        return -len(x) / 2 * np.log(y.var()) + (power - 1) * np.log1p(x).sum()

    best = grid[np.argmax([likelihood(power) for power in grid])]
    assert space.powers[NAMES.index("share")] == pytest.approx(best, abs=(grid[1] - grid[0]))


@pytest.mark.slow
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_order_of_rows_changes_no_bit(transform, scaling):
    one = fit_space(SKEWED, NAMES, transform=transform, scaling=scaling)
    shuffled = SKEWED.sample(frac=1, random_state=1)
    other = fit_space(shuffled, NAMES, transform=transform, scaling=scaling)
    assert to_json(one) == to_json(other)
    points = pd.DataFrame(other.points(shuffled), index=shuffled.index).loc[SKEWED.index]
    assert np.array_equal(one.points(SKEWED), points.to_numpy())


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_what_is_the_same_for_all_is_zero_for_everyone(transform, scaling):
    # 0.3 / 3 is 0.09999999999999999: the same basket value, one digit lower
    table = pd.DataFrame({"constant": 7.0, "zero": 0, "digit": [0.3 / 3, 0.1, 0.1, 0.1], "real": [1.0, 2.0, 3.0, 9.0]})
    space = fit_space(table, list(table), transform=transform, scaling=scaling)
    points = space.points(table)
    assert (points[:, :3] == 0).all() and np.ptp(points[:, 3]) > 0.9
    assert (space.points(table * 5 + 1)[:, :3] == 0).all(), "also for customers who differ in it"
    alone = fit_space(table.head(1), list(table), transform=transform, scaling=scaling)
    assert (alone.points(table) == 0).all(), "one customer tells no spread"


def test_robust_scaling_of_what_most_customers_share_takes_the_standard_deviation():
    once = pd.DataFrame({"orders": [1] * 90 + [2, 3, 4, 5, 6, 7, 8, 9, 10, 200]})
    points = fit_space(once, ["orders"], transform="none", scaling="robust").points(once)
    assert points.std() == pytest.approx(1) and points[0, 0] == 0
    halves = pd.DataFrame({"share": np.repeat([0.1, 0.3 / 3, 5.0], [50, 40, 10])})  # quartiles but a digit apart
    assert fit_space(halves, ["share"], scaling="robust").points(halves).max() < 10


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("size", "width"), [(10, 0.01), (1e6, 1e3), (1e3, 1), (1e6, 1.0)])
def test_a_narrow_feature_keeps_its_digits(sign, size, width):
    table = pd.DataFrame({"price": size + sign * width * RNG.lognormal(size=2_000)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        space = fit_space(table, ["price"], transform="yeo-johnson")
        points = space.points(table)
        far = space.points(pd.DataFrame({"price": [-1e30, 1e30]}))
    assert len(np.unique(points)) == table["price"].nunique()
    assert np.isfinite(points).all() and points.std() == pytest.approx(1) and np.isfinite(far).all()
    assert stats.spearmanr(points[:, 0], table["price"]).statistic == pytest.approx(1)


def test_what_cannot_be_a_point_is_refused_by_name():
    space = fit_space(SKEWED, NAMES)
    for bad in (np.nan, np.inf, -np.inf):
        holed = SKEWED.assign(days=SKEWED["days"].astype(float).mask(SKEWED.index < 3, bad))
        for use in (lambda table: fit_space(table, NAMES), space.points):
            with pytest.raises(ValueError, match=r"missing or infinite: days for 3 of 700 customers"):
                use(holed)
    with pytest.raises(ValueError, match="days for 1 of 700"):
        space.points(SKEWED.assign(days=SKEWED["days"].astype("Int64").mask(SKEWED.index == 3)))
    with pytest.raises(ValueError, match="the customers have no days; they have money, orders, share"):
        space.points(SKEWED.drop(columns="days"))
    with pytest.raises(ValueError, match=r"the feature days is of type .*; expected numbers"):
        space.points(SKEWED.assign(days="12"))
    for names, options, message in (
        ([], {}, "the features are none"),
        (["days", "days"], {}, "expected at least one, each once"),
        (NAMES, {"transform": "log"}, "transform is 'log'"),
        (NAMES, {"scaling": "none"}, "scaling is 'none'"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_space(SKEWED, names, **options)
    with pytest.raises(ValueError, match="no customer to fit"):
        fit_space(SKEWED.head(0), NAMES)
    assert space.points(SKEWED.head(0)).shape == (0, 4), "no new customers are none, not an error"


@pytest.mark.parametrize("scaling", SCALINGS)
def test_skew_and_correlation_are_those_of_scipy_and_pandas(scaling):
    table = SKEWED.assign(constant=3.0)
    space = fit_space(table, list(table), transform="yeo-johnson", scaling=scaling)
    skews = skewness(table, space).set_index("feature")
    after = pd.DataFrame(space.points(table), columns=list(table))
    for when, frame in (("before", table), ("after", after)):
        np.testing.assert_allclose(skews.loc[NAMES, when], stats.skew(frame[NAMES].to_numpy(dtype=float)), atol=1e-9)
        assert np.isnan(skews.loc["constant", when])
        np.testing.assert_allclose(correlation(table, space)[when], frame.corr(), atol=1e-12)
    assert skews.loc["money", "before"] > 5 and abs(skews.loc["orders", "after"]) < 0.5 < skews.loc["orders", "before"]


def test_a_sample_does_not_depend_on_the_order_of_rows():
    table = pd.DataFrame({"customer_id": [f"c{n:03d}" for n in range(200)], "x": range(200)})
    one, other = sample(table, 50, 7), sample(table.sample(frac=1, random_state=2), 50, 7)
    pd.testing.assert_frame_equal(one, other)
    assert len(one) == 50 and one["customer_id"].is_monotonic_increasing and one["customer_id"].is_unique
    assert not one.equals(sample(table, 50, 8))
    pd.testing.assert_frame_equal(sample(table[::-1], 200, 7), table)
    drawn = pd.concat([sample(table, 50, seed) for seed in range(200)])["x"].value_counts()
    assert len(drawn) == 200 and drawn.max() < 90, "all are as likely: 50 of 200 each"


# -- pictures -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2, 8, *(pytest.param(many, marks=pytest.mark.thorough) for many in (3, 9, 21))])
def test_pictures_are_drawn_for_any_number_of_features(width):
    names = [f"share of a category with the long name {n}" for n in range(width)]
    table = pd.DataFrame({name: RNG.lognormal(size=50) for name in names}).assign(**{names[-1]: 4})
    space = fit_space(table, names)
    tables = correlation(table, space)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bars = figures.before_and_after(table, space.points(table), skewness(table, space))
        maps = figures.correlations(tables)
        assert bars.png() and maps.png()
    assert f"{names[-1]} all the same before, all the same after" in bars.alt and bars.alt.startswith(
        "Histograms of 50"
    )
    assert len([axis for axis in bars.figure.axes if axis.patches]) == 2 * width
    assert ("Strongest: before none; after none" in maps.alt) == (width < 3)


def test_the_strongest_pair_is_told():
    table = pd.DataFrame({"a": [1, 2, 3, 4], "b": [4, 3, 2, 1], "c": [1, 5, 2, 4]})
    alt = figures.correlations(correlation(table, fit_space(table, list("abc"), transform="none"))).alt
    assert "before a and b -1.00; after a and b -1.00" in alt


def heights(values: np.ndarray) -> np.ndarray:
    edges = figures._edges(np.unique(values))
    assert (np.diff(edges) > 0).all() and edges[0] <= values.min() and edges[-1] >= values.max()
    counts, _ = np.histogram(values, edges)
    assert counts.sum() == len(values)
    return counts / np.diff(edges)


def test_bars_of_whole_numbers_show_no_peaks_that_are_not_there():
    # as many customers for each number of orders: flat, and falling like 1 / x on the scale of logarithms
    assert np.ptp(heights(np.repeat(np.arange(1, 200), 3))) == pytest.approx(0, abs=1e-9)
    on_logs = heights(np.log1p(np.repeat(np.arange(1, 200), 3)))
    assert (np.diff(on_logs[1:-1]) > 0).all(), "density rises evenly with the number"
    plain, _ = np.histogram(np.log1p(np.repeat(np.arange(1, 200), 3)), 36)
    assert not (np.diff(plain) > 0).all(), "what this guards against"


def test_bars_of_few_values_and_of_far_ones():
    assert len(heights(np.array([0.0, 0.0, 1.0]))) == 3, "a bar, nothing, a bar"
    assert len(heights(np.array([5.0]))) == 1
    far = heights(np.append(RNG.random(1_000), 1_000.0))
    assert (far == 0).any() and far[-1] > 0, "nothing in between, and the far one is there"
