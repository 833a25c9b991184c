"""Attributes as a typed table, what an overview says of them, and how they become numbers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from customerlab.analysis.profile.attributes import alerts, kind_of, missing_patterns, of_attributes, overview, typed
from customerlab.analysis.profile.encoding import fit_encoding
from customerlab.codec import from_json, to_json
from customerlab.data.tables import Attribute

DECLARED = [
    Attribute("age", "number", "years", missing="not stated"),
    Attribute("spend", "number"),
    Attribute("income", "ordered", levels=("low", "middle", "high")),
    Attribute("answer", "ordered"),
    Attribute("home", "category"),
    Attribute("garden", "yes_no"),
    Attribute("news", "yes_no"),
    Attribute("joined", "date"),
    Attribute("gender", "category", sensitive=True),
]


def people(size=400, seed=3):
    """The canonical customers with an attribute of every kind."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer_id": [f"c{n:04d}" for n in rng.permutation(size)],
            "age": np.where(rng.random(size) < 0.2, np.nan, rng.integers(18, 80, size)),
            "spend": rng.lognormal(3, 1, size).round(2),
            "income": rng.choice(["low", "middle", "high"], size),
            "answer": rng.choice(["1", "2", "10"], size),
            "home": pd.Series(rng.choice(["flat", "house", "boat"], size, p=[0.6, 0.397, 0.003])).mask(rng.random(size) < 0.02),
            "garden": pd.array(rng.random(size) < 0.4, dtype="boolean"),
            "news": pd.Series(rng.random(size) < 0.4, dtype="boolean").mask(rng.random(size) < 0.3),
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, size), unit="D"),
            "gender": rng.choice(["f", "m"], size),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return typed(people(), DECLARED)


def test_types_say_the_kind_of_each_attribute(table):
    assert [kind_of(table[one.name]) for one in DECLARED] == [one.kind.replace("_", "/") for one in DECLARED]
    assert table.index.name == "customer_id" and table.index.is_monotonic_increasing
    assert list(table["income"].cat.categories) == ["low", "middle", "high"]
    assert list(table["answer"].cat.categories) == ["1", "2", "10"], "by size, where no level is declared"
    assert table["news"].isna().any() and table["age"].isna().sum() == people()["age"].isna().sum()


def test_the_order_of_rows_changes_nothing(table):
    again = typed(people().sample(frac=1, random_state=1), DECLARED)
    pd.testing.assert_frame_equal(again, table)
    pd.testing.assert_frame_equal(overview(again, DECLARED), overview(table, DECLARED))
    mixed = table.sample(frac=1, random_state=2)
    fitted, other = fit_encoding(table, DECLARED), fit_encoding(mixed, DECLARED)
    assert to_json(fitted) == to_json(other)
    pd.testing.assert_frame_equal(fitted.encode(table).loc[mixed.index], fitted.encode(mixed))


@pytest.mark.parametrize(
    ("rows", "declared", "said"),
    [
        ({"customer_id": ["a"]}, [], "no attribute of customers is declared"),
        ({"customer_id": ["a"]}, DECLARED[:1], "no column 'age'"),
        ({"customer_id": ["a", "a"], "age": [1, 2]}, DECLARED[:1], "occurs twice"),
    ],
)
def test_what_is_no_table_of_attributes_is_refused(rows, declared, said):
    with pytest.raises(ValueError, match=said):
        typed(pd.DataFrame(rows), declared)


def test_an_overview_has_what_pandas_counts(table):
    found = overview(table, DECLARED).set_index("attribute")
    assert found["known"].to_dict() == table.count().to_dict()
    assert found["distinct"].to_dict() == table.nunique().to_dict()
    assert found["missing"].to_dict() == pytest.approx(table.isna().mean().to_dict())
    ages = [f"{age:.1f}".removesuffix(".0") for age in np.nanquantile(table["age"], [0.05, 0.25, 0.5, 0.75, 0.95])]
    assert (
        found.loc["age", "values"]
        == f"median {ages[2]}; half from {ages[1]} to {ages[3]}; 90% from {ages[0]} to {ages[4]}"
    )
    shares = table["home"].value_counts(normalize=True)
    assert found.loc["home", "values"].startswith(f"flat {shares['flat']:.0%}, house {shares['house']:.0%}, boat ")
    assert found.loc["age", "note"] == "missing: not stated" and found.loc["gender", "note"] == "sensitive"
    assert "boat" not in overview(table, DECLARED, smallest=5).set_index("attribute").loc["home", "values"]


ODD = {
    "all missing": (pd.Series([None] * 600, dtype="str"), "all missing", "–"),
    "one category": (pd.Series(["x"] * 600), "constant", "x 100%"),
    "500 categories": (pd.Series([f"k{n % 500:03d}" for n in range(600)]), "500 categories: the 20 most common, and others", None),
    "an id": (pd.Series([f"k{n:03d}" for n in range(600)]), "identifies customers: each has a value of its own", None),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_attribute_is_told_and_left_out(odd):
    values, note, words = ODD[odd]
    declared = [Attribute("x", "category"), Attribute("age", "number")]
    rows = pd.DataFrame({"customer_id": [f"{n}" for n in range(600)], "x": values, "age": np.arange(600) % 7})
    table = typed(rows, declared)
    row = overview(table, declared).iloc[0]
    assert row["note"] == note and words in (None, row["values"])
    found = fit_encoding(table, declared)
    assert found.encode(table).columns.tolist() == ["age"]
    assert found.left_out == {
        "x": {"all missing": "all missing", "one category": "constant"}.get(odd, "no level is common")
    }


def test_what_is_unusual_and_how_much_is_missing_is_said_in_sentences(table):
    found = overview(table, DECLARED)
    said = of_attributes(found, len(table))
    assert said[0] == "400 customers have 9 attributes (2 category, 1 date, 2 number, 2 ordered, 2 yes/no)."
    most = table["news"].isna().mean()
    assert said[1:] == [f"3 of 9 have missing values, most of them news ({most:.0%})."] and alerts(found) == []
    rows = pd.DataFrame({"customer_id": ["a", "b", "c"], "age": [1, None, None], "home": ["x", "x", "x"]})
    few = overview(typed(rows, [DECLARED[0], DECLARED[4]]), [DECLARED[0], DECLARED[4]])
    assert alerts(few) == ["home: constant.", "age: 67% missing."]
    assert of_attributes(few.tail(1), 3)[1:] == ["No value is missing."]


def test_nothing_to_compare_is_refused():
    table = typed(pd.DataFrame({"customer_id": ["a", "b"], "age": [1, 1]}), DECLARED[:1])
    with pytest.raises(ValueError, match="do not differ in any attribute"):
        fit_encoding(table)
    with pytest.raises(ValueError, match="there is no attribute 'agee'"):
        fit_encoding(table, names=["agee"])


def test_missing_patterns_are_those_of_pandas(table):
    found = missing_patterns(table, most=100)
    wanted = table.isna().value_counts()
    assert found["customers"].sum() == len(table) and found["share"].sum() == pytest.approx(1)
    for pattern, count in wanted.items():
        name = ", ".join(name for name, gap in zip(table, pattern, strict=True) if gap) or "nothing"
        assert found.set_index("missing").loc[name, "customers"] == count


def test_values_follow_the_stated_rules(table):
    fitted = fit_encoding(table, DECLARED)
    values = fitted.values(table)
    assert values.columns.tolist() == [
        "age", "age: missing", "spend", "income", "answer", "home: flat", "home: house", "home: others", "home: missing",
        "garden: yes", "news: no", "news: yes", "news: missing", "joined",
    ]  # fmt: skip
    assert (values["age"] == table["age"].fillna(table["age"].median())).all()
    assert (values["income"] == table["income"].cat.codes + 1).all()
    assert set(values["answer"]) == {1.0, 2.0, 3.0}, "equally spaced, whatever the numbers"
    assert (values["joined"] == (table["joined"].max() + pd.Timedelta(days=1) - table["joined"]).dt.days).all()
    wanted = pd.get_dummies(table["home"].astype("str").replace("boat", "others").fillna("missing"))
    assert (
        values.filter(like="home").set_axis(["flat", "house", "others", "missing"], axis=1)[wanted.columns] == wanted
    ).all(axis=None)
    assert fitted.left_out == {"gender": "sensitive"}
    assert "gender: f" in fit_encoding(table, DECLARED, names=["gender", "age"]).values(table)


def test_numbers_are_standardised_as_scikit_learn_does_and_skewed_ones_as_logarithms(table):
    fitted = fit_encoding(table[["spend", "answer", "garden"]], transform="log1p")
    spend, answer = np.log1p(table[["spend"]]), table[["answer"]].apply(lambda one: one.cat.codes)
    wanted = StandardScaler().fit_transform(np.hstack([spend, answer, table[["garden"]].astype(float)]))
    assert np.allclose(fitted.encode(table), wanted, atol=1e-8)
    plain = fit_encoding(table[["spend"]], transform="none")
    assert np.allclose(plain.encode(table), StandardScaler().fit_transform(table[["spend"]]), atol=1e-8)


def test_every_attribute_has_a_variance_of_one_and_levels_are_equally_far_apart(table):
    fitted = fit_encoding(table, DECLARED)
    points = fitted.encode(table)
    for block in fitted.blocks:
        assert points.iloc[:, block].var(ddof=0).sum() == pytest.approx(1, abs=1e-6)
    levels = points.filter(like="home").drop_duplicates().to_numpy()
    away = np.linalg.norm(levels[:, None] - levels[None], axis=2)[np.triu_indices(len(levels), 1)]
    assert len(levels) == 4 and np.ptp(away) < 1e-6
    dummies = (
        OneHotEncoder()
        .fit_transform(table[["home"]].astype("str").replace("boat", "others").fillna("missing"))
        .toarray()
    )
    assert away[0] ** 2 == pytest.approx(2 / dummies.var(axis=0).sum(), abs=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "min-max", "robust", "quantile"])
@pytest.mark.parametrize("transform", ["none", "log1p", "yeo-johnson"])
def test_what_is_learned_on_one_table_is_applied_to_another_and_kept(table, transform, scaling):
    fitted = fit_encoding(table.iloc[:300], DECLARED, transform=transform, scaling=scaling)
    kept = from_json(to_json(fitted))
    pd.testing.assert_frame_equal(kept.encode(table), fitted.encode(table))
    pd.testing.assert_frame_equal(fitted.encode(table).iloc[300:], fitted.encode(table.iloc[300:]))
    assert np.isfinite(fitted.encode(table)).all(axis=None)


def test_new_levels_and_gaps_have_a_place():
    seen = pd.DataFrame(
        {"home": pd.Categorical(["flat", "house"] * 50), "age": np.arange(100.0), "on": pd.array([True, False] * 50)}
    )
    new = pd.DataFrame(
        {"home": pd.Categorical(["boat", None]), "age": [np.nan, 3.0], "on": pd.array([None, True], dtype="boolean")}
    )
    values = fit_encoding(seen).values(new)
    assert values.values.tolist() == [[0, 0, 49.5, 0], [0, 0, 3, 1]]
    clash = pd.DataFrame({"x": pd.Categorical(["missing", "others", None] * 10)})
    assert fit_encoding(clash).values(clash).columns.tolist() == ["x: 'missing'", "x: 'others'", "x: missing"]


def test_a_planted_structure_survives_the_encoding():
    """Two groups that differ in a category and a number are as far apart as that says, whatever the scale."""
    rng = np.random.default_rng(5)
    group = np.repeat([0, 1], 200)
    rows = pd.DataFrame({"customer_id": [f"{n:03d}" for n in range(400)], "age": 1000 * (group + 0.05 * rng.normal(size=400)),
                         "home": np.where(group, "house", "flat")})  # fmt: skip
    points = fit_encoding(typed(rows, DECLARED[:1] + DECLARED[4:5])).encode(typed(rows, DECLARED[:1] + DECLARED[4:5]))
    away = points[group == 1].mean() - points[group == 0].mean()
    # each attribute is split evenly: a standardised difference of two, of the category in two columns of root two each
    assert away["age"] == pytest.approx(2, rel=0.01) and np.linalg.norm(
        away[["home: flat", "home: house"]]
    ) == pytest.approx(2)
