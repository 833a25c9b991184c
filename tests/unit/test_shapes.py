"""Shops of other shapes: totals without products, returns of their own, customers already summarised, ratings alone."""

import ibis
import numpy as np
import pandas as pd
import pytest
import yaml

from customerlab.analysis import clustering, explore, orders, rfm, sales
from customerlab.data.catalog import find_data_set
from customerlab.data.prepare import prepare
from customerlab.errors import DataError, RunError
from customerlab.workbench.notebook import Notebook
from customerlab.workbench.plan import make_plan
from customerlab.workbench.run import Run
from helpers import call, log, run_cells, started, write_notebook

SOLD = {"customer_id": "who", "order_id": "no", "ordered_at": "at", "quantity": "pieces", "unit_price": "total"}
SUMMED = {"customer_id": "who", "orders": "orders", "revenue": "money"}


def charges(n: int = 600) -> pd.DataFrame:
    """One row an order: no product, one piece."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"who": [f"c{i}" for i in rng.integers(0, 90, n)], "no": [f"o{i}" for i in range(n)]})
    table["at"] = pd.Timestamp("2023-02-01") + pd.to_timedelta(rng.integers(0, 600 * 1440, n), unit="min")
    return table.assign(pieces=1, total=(rng.lognormal(3, 0.8, n) + 0.01).round(2))


def refunds(sold: pd.DataFrame) -> pd.DataFrame:
    """Of the first thirty orders: twenty are paid back in full four days later, ten by a third."""
    back = sold.head(30).assign(no=lambda t: "r" + t["no"], at=lambda t: t["at"] + pd.Timedelta(days=4))
    back.loc[20:, "total"] = (back.loc[20:, "total"] / 3).round(2)
    return back


def summarised(sold: pd.DataFrame, day: str = "2024-12-31") -> pd.DataFrame:
    """The same customers, one row each."""
    each = sold.groupby("who", as_index=False).agg(
        last=("at", "max"), first=("at", "min"), orders=("no", "nunique"), money=("total", "sum")
    )
    each["days"] = (pd.Timestamp(day) - each["last"].dt.normalize()).dt.days
    return each.assign(money=each["money"].round(2))


def add(project, tables: dict, name: str = "my_shop", **files: pd.DataFrame) -> None:
    """Add a shop: its files, its entry, its run."""
    (project / "data" / "raw").mkdir(exist_ok=True)
    for key, table in files.items():
        table.to_csv(project / "data" / "raw" / f"{name}_{key}.csv", index=False)
    entry = {"title": "A shop", "files": {key: f"{name}_{key}.csv" for key in files}, "tables": tables}
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write("\n" + yaml.safe_dump({name: entry}))
    (project / "params" / f"{name}.yml").write_text(f"run: {name}\n", encoding="utf-8")


def made(project, table: str) -> pd.DataFrame:
    return pd.read_parquet(prepare(project, project / "outputs" / "my_shop", table, "my_shop").path)


# -- the catalogue ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"transactions": {"columns": SOLD, "clean": ["product_missing"]}},
            "the rule product_missing needs product_id, and no column is mapped to it",
        ),
        ({"customer_summary": {"columns": SUMMED}}, "neither of last_order_at and recency is mapped"),
        (
            {"customer_summary": {"columns": SUMMED | {"recency": "days", "last_order_at": "last"}}},
            "both of last_order_at and recency are mapped",
        ),
        ({"returns": {"columns": SOLD}}, "returns are declared without orders"),
        (
            {"transactions": {"columns": SOLD, "clean": ["quantity_not_positive"]}, "returns": {"columns": SOLD}},
            "returns are declared, and the rule quantity_not_positive of the transactions makes returns, too",
        ),
        (
            {"transactions": {"columns": SOLD}, "returns": {"columns": SOLD | {"product_id": "what"}}},
            "the returns have product_id, and the transactions have not",
        ),
        (
            {"transactions": {"columns": SOLD}, "returns": {"columns": SOLD, "clean": ["order_cancelled"]}},
            "the rule order_cancelled is not for returns",
        ),
        (
            {"transactions": {"columns": SOLD}, "returns": {"columns": SOLD, "clean": ["not_a_return"]}},
            "the rule not_a_return is not to be listed",
        ),
    ],
)
def test_tables_and_rules_that_do_not_go_together_are_refused(tmp_path, tables, message):
    (tmp_path / "data").mkdir()
    entry = {"title": "A shop", "files": {"sales": "sales.csv"}, "tables": tables}
    (tmp_path / "data" / "catalog.yml").write_text(yaml.safe_dump({"my_shop": entry}), encoding="utf-8")
    with pytest.raises(DataError, match=message) as found:
        find_data_set(tmp_path, "my_shop")
    assert "data/catalog.yml, my_shop, tables" in found.value.where


# -- returns of a shop's own -----------------------------------------------------------------------------

RETURNING = {
    "transactions": {"file": "sales", "columns": SOLD},
    "returns": {"file": "refunds", "columns": SOLD, "clean": ["customer_missing"]},
}


@pytest.mark.thorough
@pytest.mark.parametrize("pieces", [1, -1])
@pytest.mark.parametrize("money", [1, -1])
def test_returns_are_below_zero_whatever_their_signs(project, pieces, money):
    sold = charges(60)
    back = refunds(sold).assign(pieces=pieces, total=lambda t: t["total"] * money)
    nobody = back.tail(1).assign(who="", total=-back["total"].tail(1))  # of another sign, and removed by a rule
    add(project, RETURNING, sales=sold, refunds=pd.concat([back, nobody]))
    found = made(project, "returns").sort_values("order_id", ignore_index=True)
    wanted = refunds(sold).sort_values("no", ignore_index=True)
    assert found["order_id"].tolist() == wanted["no"].tolist() and "product_id" not in found
    assert found["amount"].astype(float).tolist() == (-wanted["total"]).tolist()
    assert (found["quantity"] == -1).all() and found["unit_price"].tolist() == wanted["total"].tolist()
    report = prepare(project, project / "outputs" / "my_shop", "returns", "my_shop").report
    assert float(report["row_accounting"][-1]["amount_left"]) == pytest.approx(-wanted["total"].sum())
    assert [step["rows_removed"] for step in report["row_accounting"]] == [0, 1]


@pytest.mark.thorough
def test_returns_of_both_signs_are_refused_with_the_first_of_the_fewer(project):
    back = refunds(charges(60))
    back.loc[7, "total"] *= -1
    add(project, RETURNING, sales=charges(60), refunds=back)
    with pytest.raises(DataError, match="the money of 29 returns is above zero, and that of 1 below") as found:
        made(project, "returns")
    assert found.value.where == "my_shop_refunds.csv, row 8 below the header, the first of those below"


@pytest.mark.thorough
def test_returns_that_name_no_product_lower_money_and_no_product(project):
    sold = charges(60).assign(what="pot")
    tables = {
        "transactions": {"file": "sales", "columns": SOLD | {"product_id": "what"}},
        "returns": RETURNING["returns"],
    }
    add(project, tables, sales=sold, refunds=refunds(sold))
    goods, back = (ibis.memtable(made(project, name)) for name in ("transactions", "returns"))
    assert back.columns == goods.columns and back.product_id.count().execute() == 0
    steps = sales.accounting(goods, back).set_index("step")["money"]
    assert steps["lines that a return annuls"] == 0, "nobody can say which line it was"
    assert steps["other returns"] == pytest.approx(-refunds(sold)["total"].sum())
    assert explore.top_products(goods, None, returns=back)["revenue"].tolist() == pytest.approx([sold["total"].sum()])
    assert explore.most_returned(goods, back, None).empty
    log_of_both = sales.net(goods, back)
    assert explore.largest_share(log_of_both, "product_id").tolist() == [1.0]
    assert rfm.revenue_of(log_of_both, "product_id").index.tolist() == ["pot"]


# -- orders without products -----------------------------------------------------------------------------


def bare(rows: list[tuple]) -> "ibis.expr.types.Table":
    """A log that names no products."""
    return log([(who, order, day, "", 1, money) for who, order, day, money in rows]).drop("product_id")


def test_a_return_annuls_the_latest_order_of_the_same_customer_and_amount():
    sold = bare([("a", "1", "2024-01-01", 5), ("a", "2", "2024-02-01", 5), ("a", "3", "2024-02-02", 7),
                 ("b", "4", "2024-02-03", 5), ("a", "5", "2024-04-01", 5)])  # fmt: skip
    back = bare([("a", "r1", "2024-03-01", -5), ("a", "r2", "2024-03-02", -3)])
    assert sales.annulled(sold, back).order_id.to_pandas().tolist() == ["2"]
    assert sorted(sales.kept(sold, back).order_id.to_pandas()) == ["1", "3", "4", "5"]
    steps = sales.accounting(sold, back)
    assert steps["money"].tolist() == [27, -5, -3, 19] and steps["lines"].tolist() == [5, 1, 1, 4]
    months = explore.by_month(sold, back).set_index("month")["net"]
    assert months.tolist() == [5, 12, -3, 5], "what annuls an order counts in its month, other returns in their own"


@pytest.mark.thorough
def test_figures_of_a_log_without_products_are_those_of_pandas():
    table = charges()
    sold = bare(list(table[["who", "no", "at", "total"]].itertuples(index=False, name=None)))
    totals = explore.totals(sold)
    assert "products" not in totals and totals["orders"] == totals["lines"] == 600
    assert totals["revenue"] == pytest.approx(table["total"].sum())
    assert explore.baskets(sold).columns == ("order_id", "value", "pieces")
    each = explore.customers(sold).to_pandas().set_index("customer_id").sort_index()
    pd.testing.assert_series_equal(each["gross"], table.groupby("who")["total"].sum(), check_names=False)
    best = explore.top_decile(sold)
    assert "different products" not in best.table["measure"].tolist() and best.top == 9
    assert explore.by_category(sold, ibis.memtable({"product_id": ["x"], "category": ["y"]})) is None
    shop = orders.Snapshot(sold, "2024-12-31")
    assert clustering.purchases(shop, pd.DataFrame({"customer_id": ["c1"], "cluster": [1]})).empty


def test_products_that_orders_do_not_name_are_refused_where_they_are_asked_for():
    sold = bare([("a", "1", "2024-01-06 19:00", 5), ("b", "2", "2024-02-01 09:00", 5)])
    with pytest.raises(ValueError, match="product_pattern '\\^P', but the orders name no products"):
        orders.matching(sold, "^P")
    assert orders.matching(sold, "") is sold
    shop = orders.Snapshot(sold, "2024-03-01", products=ibis.memtable({"product_id": ["x"], "category": ["y"]}))
    for name in ("breadth", "basket_products", "categories", "category_shares", "share of y"):
        with pytest.raises(ValueError, match=f"the feature '{name}' needs the products of each order"):
            clustering.customer_features(shop, names=["recency", name])
    habits = clustering.customer_features(shop, names=["weekend_share", "evening_share", "tenure"])
    assert habits.to_numpy().tolist() == [["a", 1.0, 1.0, 55], ["b", 0.0, 0.0, 29]]


# -- customers already summarised ------------------------------------------------------------------------


def summary(*, days: bool = False, first: bool = True) -> tuple[orders.Summary, orders.Snapshot]:
    """A summary of a log, with the days of orders or with numbers of days, and the log itself."""
    table = charges()
    each = summarised(table)
    rows = {"customer_id": each["who"], "orders": each["orders"].astype(float), "revenue": each["money"]}
    rows |= {"recency": each["days"].astype(float)} if days else {"last_order_at": each["last"]}
    rows |= {"first_order_at": each["first"]} if first else {}
    lines = bare(list(table[["who", "no", "at", "total"]].itertuples(index=False, name=None)))
    return orders.Summary(ibis.memtable(pd.DataFrame(rows)), "2024-12-31"), orders.Snapshot(lines, "2024-12-31")


@pytest.mark.parametrize("days", [False, True])
def test_a_summary_gives_the_customers_of_its_log(days):
    told, whole = summary(days=days)
    pd.testing.assert_frame_equal(told.customers(), whole.customers(), check_dtype=False, check_exact=False)
    scheme = rfm.Scheme()
    assert scheme.on(told)["segment"].tolist() == scheme.on(whole)["segment"].tolist()
    names = ["recency", "frequency", "monetary", "tenure", "days_per_order", "basket_value"]
    one, other = (clustering.customer_features(shop, names=names) for shop in (told, whole))
    pd.testing.assert_frame_equal(one, other, check_dtype=False)


def test_what_a_summary_does_not_say_is_missing_or_refused():
    told, _ = summary(days=True, first=False)
    customers = told.customers()
    assert customers[["tenure", "first_order", "days_between_orders"]].isna().all(axis=None)
    assert told.unknown == ("tenure", "days_per_order")
    with pytest.raises(ValueError, match=r"'tenure' needs the orders of each customer, but .* already summarised"):
        clustering.customer_features(told, names=["tenure"])
    with pytest.raises(ValueError, match="'weekend_share' needs the orders of each customer"):
        clustering.customer_features(told, names=["weekend_share"])
    (said,) = clustering.without(["recency", "tenure"], told.unknown)
    assert said == "Left out: tenure. The summary does not say when customers ordered first, or of which day it is."
    assert rfm.hold_out(told, rfm.Scheme(), days=90, seed=1) is None
    assert rfm.sensitivity(told, rfm.Scheme(), earlier=[7], bins=[3])["change"].tolist() == ["3 bins"]
    assert clustering.look_back(told, 90, None, rfm.Scheme()) == []
    assert "Segments are not validated" in rfm.unvalidated(told.when, 90, summarised=True)


def test_the_day_of_a_summary():
    told, _ = summary()
    last = told.table.last_order_at.max().execute()
    assert orders.known("", None, told.table).day == last.normalize() + pd.Timedelta(days=1)
    later = orders.known("2025-03-01", None, told.table).customers()["recency"]
    assert (later - told.customers()["recency"]).unique().tolist() == [60]
    with pytest.raises(ValueError, match=r"as_of = 2024-01-05, and customers ordered up to .* choose 2024-"):
        _ = orders.known("2024-01-05", None, told.table).day
    counted, _ = summary(days=True, first=False)
    unknown = orders.known("", None, counted.table)
    assert unknown.day is pd.NaT and unknown.when == "the summary's day"
    assert unknown.customers()["recency"].equals(counted.customers()["recency"]), "a day moves no number of days"
    assert unknown.customers()["last_order"].isna().all() and counted.customers()["last_order"].notna().all()
    assert orders.known(pd.NaT, None, counted.table).day is pd.NaT, "as 03 reads it from the segments"
    same_day = rfm.score(unknown.customers().assign(recency=lambda t: t["recency"] - t["recency"].min()))
    assert rfm.definitions(same_day)["recency"][0].startswith("0 to ")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("column", "value", "message", "expected"),
    [
        ("orders", 0, "orders is not what it should be in 1 row", "a whole number, at least 1"),
        ("orders", 1.5, "orders is not what it should be in 1 row", "a whole number, at least 1"),
        ("days", -3, "recency is not what it should be in 1 row", "a whole number, at least 0"),
        ("who", "c1", "one customer_id stands in 2 rows", "one row each"),
        ("money", "", "revenue is empty in 1 row", "a value in every row"),
    ],
)
def test_a_summary_that_cannot_be_is_refused(project, column, value, message, expected):
    table = summarised(charges()).astype({"orders": float, "money": object})
    table.loc[4, column] = value
    add(project, {"customer_summary": {"columns": SUMMED | {"recency": "days"}}}, people=table)
    with pytest.raises(DataError, match=message) as found:
        made(project, "customer_summary")
    assert found.value.expected == expected and "my_shop_people.csv, row" in found.value.where


@pytest.mark.thorough
def test_a_first_order_after_the_last_and_a_single_customer_are_refused(project):
    table = summarised(charges())
    columns = SUMMED | {"last_order_at": "last", "first_order_at": "first"}
    table.loc[2, "first"] = table.loc[2, "last"] + pd.Timedelta(hours=1)
    add(project, {"customer_summary": {"columns": columns}}, people=table)
    with pytest.raises(DataError, match="first_order_at is not what it should be in 1 row"):
        made(project, "customer_summary")
    table.head(1).to_csv(project / "data" / "raw" / "my_shop_people.csv", index=False)
    with pytest.raises(DataError, match="the summary has one customer only"):
        made(project, "customer_summary")


# -- the plan --------------------------------------------------------------------------------------------

STARS = {"customer_id": "who", "product_id": "what", "rating": "stars", "rated_at": "at"}
SHAPES = {
    "totals": ({"transactions": {"columns": SOLD}}, ["01", "02", "03", "07", "08", "10"]),
    "summary": ({"customer_summary": {"columns": SUMMED | {"recency": "days"}}}, ["02", "03"]),
    "people": (
        {"customers": {"columns": {"customer_id": "who"}, "attributes": {"total": "number"}}},
        ["01", "03", "09"],
    ),
    "ratings": ({"ratings": {"columns": STARS}}, ["06"]),
    "test": ({"experiment": {"columns": {"unit_id": "who", "variant": "arm"}, "outcomes": ["spend"]}}, ["05"]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_runs_what_applies_and_says_once_what_is_lacking(project, shape):
    tables, numbers = SHAPES[shape]
    add(project, tables, sales=charges(9))
    plan = make_plan(project, "my_shop")
    assert [step.name[:2] for step in plan.included] == numbers
    said, no_orders = plan.lacking, "The data set my_shop has no orders (table transactions): "
    assert len({one.partition(":")[0] for one in said}) == len(said), "each once"
    out = [step.name for step in plan.steps if step.left_out]
    assert all(sum(name in one for one in said) == 1 for name in out)
    if shape == "totals":
        assert "The orders of the data set my_shop name no products: 04_recommenders is left out." in said
        assert (
            "The data set my_shop has no returns: 01_eda, 02_rfm, 03_clustering, 07_customer_value, "
            "08_segments_over_time and 10_campaigns run without returns." in said
        )
    elif shape == "summary":
        assert said[0].startswith(
            f"{no_orders}01_eda, 04_recommenders, 07_customer_value, 08_segments_over_time and 10_campaigns are left out; 02_rfm"
        )
        assert "run without returns and on the summary of customers" in said[0]
        assert plan.tables == {"customer_summary": "my_shop"}
    elif shape == "people":
        assert plan.tables == {"customers": "my_shop"}
        assert plan.step("02").left_out == "the data set my_shop has no orders (table transactions)"
        assert said[0].startswith(no_orders) and "on the list of customers" in said[0]
        assert (
            "02_rfm, 04_recommenders, 07_customer_value, 08_segments_over_time and 10_campaigns are left out" in said[0]
        )
    elif shape == "ratings":
        assert (
            said[0]
            == f"{no_orders}01_eda, 02_rfm, 03_clustering, 04_recommenders, 07_customer_value, 08_segments_over_time and 10_campaigns "
            "are left out."
        )
    else:
        assert "; 05_ab_analysis runs without orders, returns, rfm_scheme and segmentation." in said[0]


@pytest.mark.thorough
def test_orders_go_before_a_summary_and_a_missing_file_of_theirs_is_no_reason_to_do_without(project):
    both = {
        "transactions": {"file": "sales", "columns": SOLD},
        "customer_summary": {"file": "people", "columns": SUMMED | {"recency": "days"}},
    }
    add(project, both, sales=charges(9), people=summarised(charges(9)))
    assert "customer_summary" not in make_plan(project, "my_shop").tables
    (project / "data" / "raw" / "my_shop_sales.csv").unlink()
    assert make_plan(project, "my_shop").step("02").sources == {"transactions": "my_shop"}, "whose preparation says it"


@pytest.mark.thorough
def test_what_a_notebook_needs_and_what_stands_in_is_read_from_its_code(project, monkeypatch):
    add(project, SHAPES["totals"][0], sales=charges(9))
    path = write_notebook(
        project, "50_own", 'lines = lab.table("transactions", needs=["product_id"])',
        'people = lab.table("customer_summary", instead_of="transactions")',
    )  # fmt: skip
    notebook = Notebook(path)
    assert notebook.needs["transactions"] == ("product_id",)
    assert notebook.stand_ins == {"customer_summary": ("transactions",)}
    assert make_plan(project, "my_shop").step("50").left_out == "the orders of the data set my_shop name no products"
    assert not make_plan(project, "demo").step("50").left_out
    monkeypatch.chdir(project)
    lab = Run("my_shop", "50_own")
    with pytest.raises(RunError, match="the orders of the data set my_shop name no products"):
        lab.table("transactions", needs=["product_id"])
    assert lab.table("transactions", needs=["product_id"], optional=True) is None
    assert lab.table("customer_summary", instead_of="transactions") is None


# -- the notebooks ---------------------------------------------------------------------------------------


def true_sentences(said: list[str]) -> str:
    """All that a notebook has said, in which nothing is missing."""
    text = "\n".join(said)
    for word in ("nan", "NaN", "NaT", "None", "inf"):
        assert f" {word} " not in text, word
    return text


@pytest.mark.thorough
def test_02_scores_and_segments_a_summary_and_says_that_nothing_is_validated(project, said, monkeypatch):
    table = summarised(charges())
    add(project, {"customer_summary": {"columns": SUMMED | {"recency": "days"}}}, people=table)
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    text = true_sentences(said)
    assert text.count("Segments are not validated: customers come already summarised") == 2, "there, and first below"
    saved = pd.read_parquet(project / "outputs" / "my_shop" / "artifacts" / "rfm_segments.parquet")
    wanted = table.set_index("who").loc[saved["customer_id"]]
    assert saved["recency"].tolist() == wanted["days"].tolist() and saved["as_of"].isna().all()
    assert saved["frequency"].tolist() == wanted["orders"].tolist()
    assert saved["monetary"].sum() == pytest.approx(table["money"].sum())
    edges = np.quantile(wanted["orders"], np.arange(1, 5) / 5, method="inverted_cdf")
    assert saved["f_score"].tolist() == [1 + int((edges < n).sum()) for n in wanted["orders"]]


@pytest.mark.thorough
def test_01_and_02_on_refunds_of_their_own_add_up_to_the_net_of_the_files(project, said, monkeypatch):
    sold = charges()
    add(project, RETURNING, sales=sold, refunds=refunds(sold))
    space = run_cells(project, "01_eda", monkeypatch, run="my_shop")
    net = sold["total"].sum() - refunds(sold)["total"].sum()
    assert space["net"] == pytest.approx(net) and space["taken"]["annulling"] == 20
    text = true_sentences(said)
    assert "Products are left out: the orders name none." in text and "products" not in space["totals"]
    segmented = run_cells(project, "02_rfm", monkeypatch, run="my_shop")["segmented"]
    assert segmented["monetary"].sum() == pytest.approx(net)


@pytest.mark.thorough
@pytest.mark.parametrize("shape", ["totals", "summary"])
def test_03_on_a_shop_without_products_or_orders(project, said, monkeypatch, shape):
    files = {"sales": charges()} if shape == "totals" else {"sales": summarised(charges())}
    add(project, SHAPES[shape][0], **files)
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    said.clear()
    space = run_cells(project, "03_clustering", monkeypatch, run="my_shop", max_clusters=3, resamples=5)
    text = true_sentences(said)
    assert "What the clusters buy is left out: no order names a product that counts." in text
    assert ("Prediction was not tested: customers come already summarised" in text) == (shape == "summary")
    assert ("tenure" in space["names"]) == (shape == "totals")


@pytest.mark.thorough
def test_ratings_alone_run_from_the_command_line_to_the_pages(project):
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"who": rng.integers(0, 40, 700), "what": rng.integers(0, 30, 700)})
    table["stars"], table["at"] = rng.integers(1, 6, 700), pd.Timestamp("2024-01-01")
    table["at"] += pd.to_timedelta(rng.integers(0, 200, 700), unit="D")
    add(project, SHAPES["ratings"][0], sales=table)
    done = call(project, "customerlab", "run", "--run", "my_shop")
    assert started(done.stdout) == ["06_ratings"] and "up to date" in done.stdout
    site = project / "outputs" / "my_shop" / "site"
    assert sorted(path.name for path in site.glob("*.html")) == ["06_ratings.html", "glossary.html", "index.html"]
    for sentence in make_plan(project, "my_shop").lacking:
        assert done.stdout.count(sentence) == 1 and (site / "index.html").read_text().count(sentence) == 1


def test_half_a_day_is_no_recency(project):
    table = summarised(charges()).astype({"days": float})
    table.loc[4, "days"] = 1.5
    add(project, {"customer_summary": {"columns": SUMMED | {"recency": "days"}}}, people=table)
    with pytest.raises(DataError, match="recency is not what it should be in 1 row"):
        made(project, "customer_summary")
