"""Shops that are odd but real: the notebooks on customers come to their end, and say nothing that is not so."""

import functools
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_iris, load_wine

from customerlab.errors import DataError
from helpers import add_shop, as_written, copy_project, listen, run_cells

pytestmark = pytest.mark.slow


def lines(customers, orders_each, when, *, price=None, products=7, seed=1):
    """Order lines: so many orders of each customer, each of two lines, on days drawn from `when`."""
    rng = np.random.default_rng(seed)
    n = customers * orders_each
    order = np.repeat(np.arange(n), 2)
    table = pd.DataFrame({"Kunde": order // orders_each, "Beleg": [f"A{i:04d}" for i in order]})
    day = pd.to_datetime(rng.choice(when, n)) + pd.to_timedelta(rng.integers(8 * 60, 20 * 60, n), "min")
    table["Datum"] = day[order]
    table["Artikel"] = [f"P{i}" for i in rng.integers(0, products, 2 * n)]
    table["Menge"] = 1 if price else rng.integers(1, 6, 2 * n)
    table["Preis"] = price or rng.uniform(1, 30, 2 * n).round(2)
    return table.astype({"Kunde": "int64"})


YEAR = pd.date_range("2024-01-03", "2024-12-20")
ODD = {
    "one order each": lines(60, 1, YEAR),
    "all amounts equal": lines(40, 3, YEAR, price=5.0, products=1),
    "gaps of months": lines(40, 3, [*pd.date_range("2024-01-05", periods=9), *pd.date_range("2024-09-01", periods=9)]),
    "one day": lines(30, 2, ["2024-05-06"]),
    "two customers": lines(2, 4, YEAR),
    "one product": lines(30, 3, YEAR, products=1),
    "two months": lines(40, 3, pd.date_range("2024-03-01", "2024-04-30")),
}


def returned(sold):
    """Lines of a shop, and the return of each on the next day."""
    back = sold.assign(Menge=-sold["Menge"], Datum=sold["Datum"] + pd.Timedelta(days=1))
    return pd.concat([sold, back.assign(Beleg="R" + back["Beleg"])], ignore_index=True)


SOLD = lines(60, 4, YEAR)
GIANT = SOLD.iloc[[0]].assign(Beleg="G", Menge=500_000, Preis=20.0, Datum=pd.Timestamp("2024-12-20 09:00"))
RETURNING = {
    "everything was sent back": returned(SOLD),
    "more was sent back than sold": returned(SOLD).drop(index=range(len(SOLD) // 2)),
    "a giant order was cancelled": pd.concat([SOLD, returned(GIANT)]),
}
LONG = ("all amounts equal", "gaps of months")


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    """For an odd shop, a project in which 02 has been executed, once for all notebooks, and what 02 showed."""

    @functools.cache
    def get(shop):
        project = copy_project(tmp_path_factory.mktemp("odd") / "project")
        add_shop(project, as_written(ODD[shop]))
        with pytest.MonkeyPatch.context() as patch:
            said = listen(patch)
            run_cells(project, "02_rfm", patch, run="my_shop")
        return project, said

    return get


@pytest.mark.parametrize(
    "notebook",
    [
        "02_rfm",
        "08_segments_over_time",
        *[pytest.param(name, marks=pytest.mark.thorough) for name in ("01_eda", "03_clustering", "10_campaigns")],
    ],
)
@pytest.mark.parametrize(
    "shop", [pytest.param(name, marks=pytest.mark.thorough) if name in LONG else name for name in ODD]
)
def test_an_odd_shop_gets_results_and_true_sentences(segmented, tmp_path, said, monkeypatch, notebook, shop):
    made, shown = segmented(shop)
    if notebook != "02_rfm":
        project = Path(shutil.copytree(made, tmp_path / "project"))
        if notebook == "01_eda":  # which comes first
            shutil.rmtree(project / "outputs")
        if notebook == "08_segments_over_time":  # without a segmentation
            (project / "notebooks" / "03_clustering.ipynb").unlink()
        run_cells(project, notebook, monkeypatch, run="my_shop")
        shown = said
    assert any(text.startswith("- ") for text in shown), "findings"
    for text in shown:
        assert not re.search(r"\b(nan|NaN|inf|None|NaT)\b", text), text


@pytest.mark.thorough
@pytest.mark.parametrize("shop", RETURNING)
def test_a_shop_of_returns_gets_net_revenue_and_true_sentences(project, said, monkeypatch, shop):
    add_shop(project, as_written(RETURNING[shop]))
    run_cells(project, "01_eda", monkeypatch, run="my_shop")
    net = round((RETURNING[shop]["Menge"] * RETURNING[shop]["Preis"]).sum(), 4) + 0.0
    findings = next(text for text in said if "customers placed" in text)
    assert f"a net revenue of {net:,.0f} units of the shop's currency (gross" in findings
    for text in said:
        assert not re.search(r"\b(nan|NaN|inf|None|NaT)\b", text), text
    if "giant" in shop:
        assert not re.search(r"([5-9]\d|100)% of it is one customer", " ".join(said)), (
            "nothing hangs on what was cancelled"
        )


@pytest.mark.thorough
def test_equal_customers_are_not_told_apart(project, said, monkeypatch):
    alike = ODD["all amounts equal"]
    # the same three days for all
    alike = alike.assign(Datum=np.tile(pd.to_datetime(["2024-02-01", "2024-05-01", "2024-11-01"]).repeat(2), 40))
    add_shop(project, as_written(alike))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    table = pd.read_parquet(project / "outputs" / "my_shop" / "artifacts" / "rfm_segments.parquet")
    assert table["segment"].nunique() == 1 and (table[["r_score", "f_score", "m_score"]].nunique() == 1).all()
    assert "Gini 0.00" in " ".join(said)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (lines(1, 5, YEAR), "the log has one customer only"),
        (lines(5, 2, YEAR).assign(Menge=-1), "no row of the transactions table is left"),
    ],
)
def test_one_customer_and_only_returns_are_answered(project, monkeypatch, odd, message):
    add_shop(project, as_written(odd))
    with pytest.raises(DataError, match=message):
        run_cells(project, "02_rfm", monkeypatch, run="my_shop")


@pytest.mark.thorough
def test_a_campaign_can_import_what_the_notebook_made(project, said, monkeypatch):
    add_shop(project, as_written(ODD["gaps of months"]))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop", money="net", recency_cuts=[30.0, 300.0], rfm_bins=3,
              segments=["Here: 3-5, 1-5", "Gone: 1-2, 1-5"])  # fmt: skip
    folder = project / "outputs" / "my_shop" / "artifacts"
    made, read = (
        pd.read_parquet(folder / "rfm_segments.parquet"),
        pd.read_csv(folder / "rfm_segments.csv", dtype={"customer_id": str}),
    )
    assert read["customer_id"].tolist() == made["customer_id"].tolist() and set(read["segment"]) <= {"Here", "Gone"}
    assert (pd.to_datetime(read["last_order"]) == made["last_order"]).all()
    assert np.allclose(read["monetary"], made["monetary"])
    # the day of the analysis is the one after the last order
    assert (read["r_score"] == 3 - (read["recency"] >= 30) - (read["recency"] >= 300)).all()


@pytest.mark.thorough
def test_where_few_came_back_nothing_is_said_to_predict(project, said, monkeypatch):
    early, late = (
        lines(3, 3, pd.date_range("2024-01-03", "2024-03-01")),
        lines(40, 2, pd.date_range("2024-11-01", "2024-12-20")),
    )
    late = late.assign(Kunde=late["Kunde"] + 2, Beleg="B" + late["Beleg"])  # one of the early ones comes back
    add_shop(project, as_written(pd.concat([early, late], ignore_index=True)))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    said.clear()
    run_cells(
        project, "03_clustering", monkeypatch, run="my_shop", segmentation="K-Means 5", max_clusters=5, resamples=5
    )
    words = " ".join(text for text in said if text.startswith("- "))
    assert "Prediction was not tested: too few to tell. No period of 90 days" in words
    assert "The parameter segmentation selects K-Means 5, which is shown and saved" in words
    assert "explains" not in words and "significantly more" not in words


def test_a_verdict_on_segments_needs_customers_who_came_back(project, said, monkeypatch):
    once = lines(60, 1, pd.date_range("2024-01-03", "2024-06-20"))
    one = once[:2].assign(Beleg="Z", Datum=pd.Timestamp("2024-10-01 10:00"))  # of all, one customer comes back
    two = once[:2].assign(Beleg="Y", Datum=pd.Timestamp("2024-12-20 10:00"), Kunde=999)
    add_shop(project, as_written(pd.concat([once, one, two], ignore_index=True)))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    text = " ".join(said)
    assert "Segments against plain rules: too few to tell (1 ordered again in any window of 90 days)" in text
    assert "Repurchase rates of segments within 90 days: too few to tell (1" in text and "Rank customers" not in text


@pytest.mark.thorough
def test_what_hangs_on_one_customer_is_marked_in_table_figure_and_text(project, said, monkeypatch):
    shop = lines(80, 4, YEAR)
    great = shop["Beleg"].isin(shop[shop["Datum"] > "2024-10-01"].groupby("Kunde")["Beleg"].last().iloc[:1])
    add_shop(project, as_written(shop.assign(Menge=shop["Menge"].where(~great, 4_000))))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    (figure,) = [text for text in said if text.startswith("Points with intervals by segment")]
    (table,) = [text for text in said if text.startswith("Outcomes by segment over all windows")]
    (finding,) = [text for text in said if "net revenue of the following 90 days in" in text]
    segment, share = re.search(r"(?:in|,) ?([A-Z][a-z ]+) \((\d+)%\)", finding.split("following 90 days")[1]).groups()
    assert int(share) > 50 and f"({share}% of it is one customer)" in figure
    row = next(line for line in table.splitlines() if line.strip().startswith(segment))
    # the table has a decimal more, so that its value lies within half a point of the sentence's
    assert any(abs(float(one) - int(share)) <= 0.5 for one in re.findall(r"(\d+\.\d)%", row))


@pytest.mark.thorough
def test_a_number_is_the_same_in_figure_table_and_finding(project, said, monkeypatch):
    run_cells(project, "02_rfm", monkeypatch, run="demo")
    text = "\n".join(said)
    (finding,) = re.findall(r"Rank customers by past spend.*", text)
    by = dict(re.findall(r"the top 20% by ([a-z ]+) bring (\d+)%", text))
    assert set(by) == {"segment", "number of orders", "past spend"}
    assert (
        f"account for {by['past spend']}% of net revenue within 90 days, against {by['segment']}% by segment" in finding
    )
    shares = re.search(r"revenue +past spend +20% +all +([\d.]+)% +([\d.]+)%", text).groups()
    assert [f"{float(share):.0f}" for share in shares] == [by["segment"], by["past spend"]]


# -- customers alone, with attributes --------------------------------------------------------------------


def people(**columns):
    """A table of customers with an id of its own."""
    table = pd.DataFrame(columns)
    return table.assign(id=[f"c{n}" for n in range(len(table))])


def published(load):
    """A table that scikit-learn comes with, without ids."""
    data = load(as_frame=True)
    return data.frame.assign(target=data.target_names[data.target])


def mall(seed=2, size=200):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 5, size)
    spot = np.array([[25, 25, 80], [25, 80, 20], [45, 55, 50], [85, 33, 82], [88, 40, 15]])[group] + rng.normal(
        0, 4, (size, 3)
    )
    table = pd.DataFrame(spot.round().astype(int), columns=["Annual Income (k$)", "Age", "Spending Score (1-100)"])
    return table.assign(id=range(1, size + 1), Gender=rng.choice(["Female", "Male"], size))


def wholesale(seed=3, size=120):
    rng = np.random.default_rng(seed)
    channel = rng.integers(1, 3, size)
    goods = {
        name: (rng.lognormal(7, 1, size) * (1 + channel * k)).round().astype(int)
        for k, name in enumerate(["Fresh", "Milk", "Frozen"])
    }
    return pd.DataFrame({"Channel": channel, "Region": rng.integers(1, 4, size), **goods})


def marketing(seed=4, size=150):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "ID": rng.permutation(size) * 7, "Year_Birth": rng.integers(1940, 2000, size),
            "Education": rng.choice(["Basic", "Graduation", "PhD"], size), "Income": pd.Series(rng.lognormal(10, 0.5, size)).round(),
            "Dt_Customer": pd.Timestamp("2013-01-01") + pd.to_timedelta(rng.integers(0, 500, size), unit="D"),
            "Response": rng.integers(0, 2, size), "Z_Revenue": 11,
        }
    ).assign(Income=lambda t: t["Income"].mask(rng.random(size) < 0.02)).rename(columns={"ID": "id"})  # fmt: skip


NO_ID = {"row_number": True}
TEN_LINES = {
    "iris": (lambda: published(load_iris), {"sepal length (cm)": "number", "sepal width (cm)": "number", "petal length (cm)": "number",
              "petal width (cm)": "number"}, NO_ID),
    "wine": (lambda: published(load_wine), {"alcohol": "number", "proline": "number", "hue": "number",
             "cultivar": {"column": "target", "kind": "category"}}, NO_ID),
    "mall": (mall, {"Gender": {"kind": "category", "sensitive": True}, "Age": "number", "Annual Income (k$)": "number",
             "Spending Score (1-100)": {"kind": "number", "unit": "points"}}, "id"),
    "wholesale": (wholesale, {"Channel": "category", "Region": "region", "Fresh": "number", "Milk": "number", "Frozen": "number"}, NO_ID),
    "marketing": (marketing, {"Year_Birth": "number", "Education": {"kind": "ordered", "levels": ["Basic", "Graduation", "PhD"]},
                  "Income": "number", "Dt_Customer": "date", "Response": "yes_no", "Z_Revenue": "number"}, "id"),
}  # fmt: skip
RNG = np.random.default_rng(6)
ODD_ATTRIBUTES = {
    "all missing": (lambda: people(x=[None] * 60, age=range(60)), {"x": "category", "age": "number"}, "id"),
    "one category": (lambda: people(x=["a"] * 60, age=range(60)), {"x": "category", "age": "number"}, "id"),
    "500 categories": (lambda: people(x=[f"k{n % 500}" for n in range(700)], age=RNG.normal(size=700)),
                       {"x": "category", "age": "number"}, "id"),
    "a constant": (lambda: people(x=[3] * 60, home=["a", "b", "b"] * 20), {"x": "number", "home": "category"}, "id"),
    "duplicates": (lambda: people(x=[1, 2] * 30, home=["a", "b"] * 30), {"x": "number", "home": "category"}, "id"),
    "two customers": (lambda: people(x=[1, 2], home=["a", "b"]), {"x": "number", "home": "category"}, "id"),
}  # fmt: skip


FEWER = ["iris", "mall", "wholesale", "marketing", "500 categories", "two customers"]  # for the longer notebooks


def add_people(project, kind):
    make, attributes, key = (TEN_LINES | ODD_ATTRIBUTES)[kind]
    (project / "data" / "raw").mkdir(exist_ok=True)
    # a mark at the beginning and semicolons, as spreadsheets write them
    make().to_csv(project / "data" / "raw" / "people.csv", index=False, sep=";", encoding="utf-8-sig")
    tables = {"customers": {"columns": {"customer_id": key}, "attributes": attributes}}
    entry = {"title": kind, "files": {"people": {"path": "people.csv", "delimiter": ";"}}, "tables": tables}
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(yaml.safe_dump({"my_shop": entry}, sort_keys=False))
    (project / "params" / "my_shop.yml").write_text("run: my_shop\n", encoding="utf-8")


def check_said(said):
    assert any(text.startswith("- ") for text in said), "findings"
    for text in said:
        assert not re.search(r"\b(nan|NaN|inf|None(?! of)|NaT)\b", text), text
        assert not re.search(r"RFM|revenue|orders? placed", text), text


@pytest.mark.parametrize("kind", [*TEN_LINES, *ODD_ATTRIBUTES])
def test_01_describes_customers_of_whom_attributes_alone_are_known(project, said, monkeypatch, kind):
    add_people(project, kind)
    space = run_cells(project, "01_eda", monkeypatch, run="my_shop")
    check_said(said)
    assert "months" not in space and len(space["attributes"]) == len((TEN_LINES | ODD_ATTRIBUTES)[kind][1])
    notes = {"all missing": "x: all missing", "one category": "x: constant", "a constant": "x: constant",
             "marketing": "Z_Revenue: constant", "500 categories": "x: 500 categories: the 20 most common, and others"}  # fmt: skip
    assert notes.get(kind, "") in "\n".join(said)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", FEWER)
def test_03_compares_groupings_by_attributes(project, said, monkeypatch, kind):
    add_people(project, kind)
    space = run_cells(project, "03_clustering", monkeypatch, run="my_shop", max_clusters=5, resamples=5)
    check_said(said)
    text = "\n".join(said)
    assert "Prediction was not tested: only attributes of customers are known, and not what they did." in text
    assert space["judged"].useful is None and space["restored"].assign(space["everyone"])["cluster"].notna().all()
    recommended = space["judged"].recommended
    assert "Gender (sensitive)" in text or kind != "mall"
    if kind == "mall":  # five groups are planted
        assert space["judged"].table.loc[recommended, "clusters"] == 5
    if kind in ("wholesale", "marketing", "500 categories", "two customers"):
        assert recommended == "" and "Keep customers as one group" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [name if name in ("iris", "all missing") else pytest.param(name, marks=pytest.mark.thorough)
             for name in (*FEWER, "all missing", "one category")]
)  # fmt: skip
def test_09_describes_customers_without_orders(project, said, monkeypatch, kind):
    add_people(project, kind)
    space = run_cells(project, "09_profiles", monkeypatch, run="my_shop", max_segments=4, max_classes=3)
    check_said(said)
    assert len(space["customers"]) == len((TEN_LINES | ODD_ATTRIBUTES)[kind][0]()), "nobody is lost"
    assert space["shop"] is None and space["rates"] is None and space["groups"] is None
    if kind == "iris":  # two of the three species are one group at Gower's distance
        assert space["judged"].recommended in ("k-prototypes 2", "PAM 2")
    if kind in ("all missing", "one category", "500 categories", "two customers", "wholesale"):
        assert space["judged"].recommended == ""
