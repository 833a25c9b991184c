"""Exploration: by hand on small tables, against pandas on the demo shop, and at the edges."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import explore, inference, rfm, sales
from customerlab.analysis.explore.trading import highest
from customerlab.data.engine import connect, open_table
from helpers import log

LOG = log(
    [
        ("a", "1", "2024-01-30 09:15", "x", 2, 5.0),
        ("a", "1", "2024-01-30 09:15", "y", 1, 1.0),
        ("a", "2", "2024-02-10 23:59", "x", 1, 5.0),
        ("b", "3", "2024-04-01 00:00", "y", 10, 1.0),
        ("b", "4", "2024-04-02 10:30", "z", 1, 0.1),
    ]
)
TAKEN = log([("a", "C1", "2024-02-20 10:00", "x", -1, 5.0), ("c", "C2", "2024-05-02 10:00", "w", -2, 1.0)])


@pytest.fixture(scope="module")
def demo(real_table):
    """The demo's log as an Ibis table and as a frame, and its returns."""
    con = connect()
    paths = {name: real_table("demo", name).path for name in ("transactions", "returns")}
    frame = pd.read_parquet(paths["transactions"])
    frame["amount"] = frame["amount"].astype(float)
    back = pd.read_parquet(paths["returns"])
    back["amount"] = back["amount"].astype(float)
    return {name: open_table(con, path) for name, path in paths.items()} | {"frame": frame, "back": back}


def test_totals_and_months():
    totals = explore.totals(LOG)
    assert totals[["lines", "orders", "customers", "products"]].tolist() == [5, 4, 2, 3]
    assert totals["revenue"] == 26.1
    months = explore.by_month(LOG)
    assert months["month"].dt.strftime("%Y-%m").tolist() == ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert months["revenue"].tolist() == [11.0, 5.0, 0.0, 10.1]
    assert months["days"].tolist() == [2, 29, 31, 2]
    assert months["partial"].tolist() == [True, False, False, True]
    assert months["net"].tolist() == months["revenue"].tolist()


def test_net_revenue_by_month_takes_an_annulled_line_off_its_own_month():
    back = log(
        [
            ("a", "C1", "2024-03-05", "x", -2, 5.0),  # annuls the line of January
            ("b", "C2", "2024-05-20", "y", -1, 1.0),  # a part, after the last month of sales: counts in April
            ("c", "C3", "2023-12-20", "y", -1, 2.0),  # before the first
        ]
    )
    months = explore.by_month(LOG, back)
    assert months["revenue"].tolist() == [11.0, 5.0, 0.0, 10.1]
    assert months["net"].tolist() == [-1.0, 5.0, 0.0, pytest.approx(9.1)]
    assert months["largest_customer"].isna().tolist() == [False, False, True, False]
    # of January are left the 1 of customer a, and the 2 that c returned
    assert months["largest_customer"][0] == pytest.approx(2 / 3)


@pytest.mark.slow
def test_net_revenue_agrees_with_pandas(demo):
    """By month of the sum, by product and by customer: sales less returns, whatever line they belong to."""
    log, back, frame, returned = (demo[name] for name in ("transactions", "returns", "frame", "back"))
    both = pd.concat([frame, returned])
    assert explore.by_month(log, back)["net"].sum() == pytest.approx(both["amount"].sum())
    every = explore.products.by_product(log, back).to_pandas().set_index("product_id").astype(float).sort_index()
    wanted = both.groupby("product_id").agg(revenue=("amount", "sum"), pieces=("quantity", "sum"))
    pd.testing.assert_frame_equal(every[["revenue", "pieces"]], wanted, check_exact=False, rtol=1e-9)
    best = explore.top_products(log, None, 7, returns=back)
    ranked = wanted["revenue"].sort_values(ascending=False)
    assert best["product_id"].tolist() == ranked.index[:7].tolist()
    assert best["share"].sum() == pytest.approx(ranked[:7].sum() / ranked.sum())
    assert explore.long_tail(log, back)["product_id"].tolist()[:20] == ranked.index[:20].tolist()
    spent = explore.customers(log, back).to_pandas().set_index("customer_id").sort_index()
    by_customer = both.groupby("customer_id")["amount"].sum().reindex(spent.index)
    assert spent["revenue"].to_numpy() == pytest.approx(by_customer.to_numpy())
    largest = both.groupby(["product_id", "customer_id"])["amount"].sum().reset_index()
    shares = inference.largest_share(largest["amount"], largest["product_id"])
    assert best["largest_customer"].tolist() == pytest.approx(shares[best["product_id"]].tolist())


@pytest.mark.slow
def test_a_product_that_was_sent_back_whole_is_not_among_the_best():
    jar = log([("c", "9", "2024-02-01", "jar", 1000, 1.0), ("d", "8", "2024-02-02", "jar", 2, 1.0)]).union(LOG)
    back = log([("c", "C9", "2024-02-01 00:15", "jar", -1000, 1.0)])
    assert explore.top_products(jar, None, 1)["product_id"].tolist() == ["jar"]
    table = explore.top_products(jar, None, 9, returns=back).set_index("product_id")
    assert table.index.tolist() == ["x", "y", "jar", "z"]
    assert table.loc["jar", ["revenue", "gross", "pieces", "orders", "customers"]].tolist() == [2, 1002, 2, 1, 1]
    assert explore.long_tail(jar, back)["revenue"].sum() == pytest.approx(28.1)
    assert sorted(explore.baskets(sales.kept(jar, back)).to_pandas()["order_id"]) == ["1", "2", "3", "4", "8"]


@pytest.mark.slow
def test_repeats_are_counted_as_pandas_counts_duplicates(demo):
    columns = ["customer_id", "product_id", "quantity", "amount"]
    again = demo["frame"][columns].duplicated()
    found = explore.repeats(demo["transactions"].select(columns))
    assert found["lines"] == again.sum() > 100
    assert found["money"] == pytest.approx(demo["frame"]["amount"][again].sum())
    assert explore.repeats(LOG).tolist() == [0, 0]


def test_weekdays_and_hours():
    orders, grid = explore.by_weekday_hour(LOG)["orders"], explore.by_weekday_hour(LOG)["revenue"]
    assert grid.shape == orders.shape == (7, 24)
    assert orders.loc["Tuesday", 9] == 1 and orders.to_numpy().sum() == 4
    # 30 January 2024 and 2 April 2024 were Tuesdays, 10 February a Saturday, 1 April a Monday
    assert (grid.loc["Tuesday", 9], grid.loc["Saturday", 23], grid.loc["Monday", 0], grid.loc["Tuesday", 10]) == (
        11.0,
        5.0,
        10.0,
        0.1,
    )
    assert grid.to_numpy().sum() == pytest.approx(26.1)


def test_spread_agrees_with_numpy():
    values = np.random.default_rng(1).lognormal(3, 1, 501).round(2)
    spread = explore.spread(ibis.memtable(pd.DataFrame({"v": values})), ["v"]).iloc[0]
    assert spread["mean"] == pytest.approx(values.mean())
    wanted = np.quantile(values, explore.distributions.QUANTILES)
    assert spread[["5%", "25%", "median", "75%", "95%"]].to_numpy(dtype=float) == pytest.approx(wanted)


def test_log_histogram_counts_every_value_once():
    whole = pd.DataFrame({"v": [1, 1, 2, 3, 4, 9, 10, 100, 1000]})
    table = explore.distributions.log_histogram(ibis.memtable(whole), "v")
    assert table["count"].sum() == 9 and (table["low"].to_numpy()[1:] == table["high"].to_numpy()[:-1]).all()
    for row in table.itertuples():
        inside = ((whole["v"] >= row.low - 1e-6) & (whole["v"] < row.high - 1e-6)).sum()
        assert inside == row.count
    assert explore.distributions.log_histogram(ibis.memtable(pd.DataFrame({"v": [-1.0, 0.0]})), "v").empty


def test_top_products_break_ties_by_id_and_fall_back_on_it():
    best = explore.top_products(LOG, None, 2)
    assert best["product_id"].tolist() == ["x", "y"] and best["share"].sum() == pytest.approx(26 / 26.1)
    names = ibis.memtable(pd.DataFrame({"product_id": ["x"], "description": ["Pot"]}))
    assert explore.top_products(LOG, names, 2)["description"].tolist() == ["Pot", "y"]


@pytest.mark.slow
def test_a_distribution_of_nothing_above_zero_is_said():
    from customerlab.figures.explore import distributions

    free = ibis.memtable(pd.DataFrame({"v": [0.0, -2.0], "n": [1, 1]}))
    spread = explore.spread(free, ["v", "n"]).set_index("measure").T
    money = {
        "name": "revenue",
        "spread": spread["v"],
        "bars": explore.distributions.log_histogram(free, "v"),
    }
    number = {
        "name": "orders",
        "spread": spread["n"],
        "bars": explore.whole_histogram(free, "n"),
    }
    picture = distributions(money, number, "customers")
    assert "No revenue above zero" in picture.alt and picture.png()


def test_months_show_active_customers_and_what_an_order_is_worth():
    from customerlab.figures.explore import by_month

    months = explore.by_month(LOG)
    people, values = (axis.lines[0].get_ydata() for axis in by_month(months).figure.axes[1:])
    assert people.tolist() == [1, 1, 0, 1] and values[[0, 1, 3]].tolist() == [11.0, 5.0, pytest.approx(5.05)]
    assert np.isnan(values[2]), "no order, no value of one"
    few = by_month(months, 2).figure.axes[1].lines[0].get_ydata()[[0, 1, 3]]
    assert np.isnan(few).all(), "months of few customers"


def test_fractional_quantities_are_summed_exactly():
    kilos = log([("a", "1", "2024-01-01", "x", 0.1, 1.0)] * 3)
    assert explore.baskets(kilos).to_pandas()["pieces"].tolist() == [0.3]


def test_whole_histogram_counts_every_value_once_in_bins_of_one_width():
    values = np.random.default_rng(3).geometric(0.01, 3000)
    bars = explore.whole_histogram(ibis.memtable({"v": values}), "v", bars=20)
    for low, high, count in bars.itertuples(index=False):
        assert ((values >= low) & (values < high)).sum() == count
    assert bars["count"].sum() == 3000 and bars["high"].iloc[-1] == np.inf
    assert np.unique(np.diff(bars["low"])).size == 1
    below = explore.whole_histogram(ibis.memtable({"v": [-2, 0, 1, 1, 2]}), "v")
    assert below[["low", "count"]].to_numpy().tolist() == [[1, 2], [2, 1]]


def test_new_and_returning_by_hand():
    table = explore.new_and_returning(LOG)
    assert table["new"].tolist() == [1, 0, 0, 1] and table["returning"].tolist() == [0, 1, 0, 0]
    assert table["new_revenue"].tolist() == [11, 0, 0, 10.1] and table["returning_revenue"].tolist() == [0, 5, 0, 0]
    assert table["partial"].tolist() == [True, False, False, True]


def test_repurchase_finds_the_planted_rate_where_the_gaps_that_ended_do_not():
    """Customers who come over a year and wait a geometric time: 1 - .99^30 come back within 30 days, and so on."""
    rng = np.random.default_rng(8)
    rows = []
    for customer in range(1500):
        day = rng.integers(0, 365)
        while day < 365:
            rows.append(
                (str(customer), str(len(rows)), pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(day)), "x", 1, 1.0)
            )
            day += rng.geometric(0.01)
    waits = rfm.waits(log(rows), pd.Timestamp("2024-12-31"))
    found = rfm.repurchase(waits, (30, 60, 90)).set_index("after").loc[["first", "any"]]
    truth = 1 - 0.99 ** found["days"]
    assert ((found["low"] < truth) & (truth < found["high"]) & (found["high"] - found["low"] < 0.08)).all()
    gaps = waits["days"][waits["ended"]]
    assert all((gaps <= days).mean() > 1 - 0.99**days + 0.05 for days in (30, 60, 90))


def test_cohorts_by_hand():
    found = explore.cohorts(LOG)
    assert found.sizes["customers"].tolist() == [1, 1] and found.sizes["revenue"].tolist() == [11, 10.1]
    # the cohort of January ordered in February, not in March and, so far, not in April; the one of April has no past
    assert found.customers.iloc[0].tolist() == [1, 1, 0, 0] and found.customers.iloc[1].isna().tolist() == [
        False,
        True,
        True,
        True,
    ]
    assert found.revenue.iloc[0].round(4).tolist() == [1, round(5 / 11, 4), 0, 0]
    assert found.partial.iloc[0].tolist() == [True, False, False, True]
    assert found.money == pytest.approx(26.1)


def test_cohorts_agree_with_pandas(demo):
    frame = demo["frame"].assign(month=lambda t: t["ordered_at"].dt.to_period("M"))
    frame["first"] = frame.groupby("customer_id")["month"].transform("min")
    age = (frame["month"].dt.year - frame["first"].dt.year) * 12 + frame["month"].dt.month - frame["first"].dt.month
    people = frame.groupby(["first", age])["customer_id"].nunique().unstack()
    spent = frame.groupby(["first", age])["amount"].sum().unstack()
    found = explore.cohorts(demo["transactions"])
    reached = found.customers.notna().to_numpy()
    for grid, wanted in ((found.customers, people), (found.revenue, spent)):
        shares = wanted.div(wanted[0], axis=0).fillna(0).to_numpy()
        assert grid.to_numpy()[reached] == pytest.approx(shares[reached])
    whole = [place >= 2 for place in range(len(people))]  # the average leaves the first cohort out
    assert reached.sum() == len(people) * (len(people) + 1) / 2 and sum(whole)


def test_a_month_after_the_log_is_no_fall(demo):
    found = explore.cohorts(demo["transactions"])
    assert found.customers.iloc[-1, 1:].isna().all() and not found.customers.iloc[0].isna().any()


def test_seasons_are_compared_by_the_day():
    even = log(
        [
            ("a", str(d), f"{day:%Y-%m-%d} 12:00", "x", 1, 3.0)
            for d, day in enumerate(pd.date_range("2023-01-01", "2024-12-31"))
        ]
    )
    table = explore.seasons(explore.by_month(even))
    assert len(table) == 24 and (table["index"].round(9) == 1).all() and (table["years"] == 2).all()
    weekdays = explore.by_weekday(even)
    assert (weekdays["index"].round(9) == 1).all() and weekdays["days"].sum() == 731
    months = pd.DataFrame({"month": pd.to_datetime(["2023-01-01", "2023-02-01"]), "days": [31, 28], "partial": False})
    assert explore.seasons(months.assign(revenue=[5.0, -5.0]))["index"].isna().all(), "of nothing there is no share"


def test_the_long_tail_by_hand():
    tail = explore.long_tail(LOG)
    assert tail["product_id"].tolist() == ["x", "y", "z"]
    assert explore.products_for(tail)["products"].tolist() == [1, 2, 2]


@pytest.mark.slow
def test_lift_agrees_with_counting(demo):
    found = explore.together(demo["transactions"], min_orders=30)
    frame = demo["frame"].drop_duplicates(["order_id", "product_id"])
    there = pd.crosstab(frame["order_id"], frame["product_id"]).astype(bool)
    assert found.orders == len(there)
    for row in found.pairs.iloc[[0, 1, len(found.pairs) // 2, -1]].itertuples():
        one, two = there[row.product_id], there[row.other_id]
        assert row.both == (one & two).sum() and row.confidence == pytest.approx((one & two).sum() / one.sum())
        assert row.lift == pytest.approx((one & two).mean() / (one.mean() * two.mean()))
    assert found.pairs["low"].dropna().is_monotonic_decreasing


def orders_of(products):
    """A log from lists of products, one an order, by customer."""
    rows = [
        (customer, f"{customer}-{i}", "2024-01-01", product, 1, 1.0)
        for customer, orders in products.items()
        for i, order in enumerate(orders)
        for product in order
    ]
    return log(rows)


def test_with_one_order_a_customer_the_interval_of_lift_is_agresti_s():
    """40 orders have both, 60 and 80 the one and the other, of 200."""
    kinds = ["xy"] * 40 + ["xw"] * 20 + ["yw"] * 40 + ["w"] * 100
    found = explore.together(orders_of({str(i): [kind] for i, kind in enumerate(kinds)})).pairs
    row = found.set_index(["product_id", "other_id"]).loc[("x", "y")]
    lift = 40 * 200 / (60 * 80)
    variance = (1 / 40 - 1 / 60 - 1 / 80 + 2 * lift / 200 - 1 / 200) * 200 / 199
    assert row["lift"] == pytest.approx(lift)
    assert np.log([row["low"], row["high"]]) == pytest.approx(
        np.log(lift) + np.array([-1, 1]) * 1.959964 * variance**0.5
    )


@pytest.mark.slow
def test_the_interval_of_lift_is_that_of_a_bootstrap_of_customers():
    """Customers with habits: who likes the pair orders it again and again. Orders taken one by one would halve it."""
    rng = np.random.default_rng(12)
    orders = {}
    for customer in range(400):
        likely = rng.choice([0.1, 0.8], p=[0.9, 0.1])
        there = rng.random((rng.integers(1, 12) if likely < 0.5 else rng.integers(1, 40), 2)) < likely
        orders[str(customer)] = [f"w{'x' * one}{'y' * two}" for one, two in there.tolist()]
    found = explore.together(orders_of(orders)).pairs.set_index(["product_id", "other_id"]).loc[("x", "y")]
    counts = np.array([[sum("x" in o and "y" in o for o in each), sum("x" in o for o in each), sum("y" in o for o in each),
                        len(each)] for each in orders.values()])  # fmt: skip
    drawn = counts[rng.integers(0, 400, (4000, 400))].sum(axis=1).T
    log_lift = np.log(drawn[0] * drawn[3] / (drawn[1] * drawn[2]))
    width = np.log(found["high"] / found["low"])
    assert width == pytest.approx(2 * 1.96 * log_lift.std(), rel=0.08)
    naive = 1 / found["both"] - (1 / counts[:, 1:3].sum(axis=0)).sum() + (2 * found["lift"] - 1) / counts[:, 3].sum()
    assert width > 1.3 * 2 * 1.96 * naive**0.5, "what this guards against"


def test_a_pair_in_few_orders_has_no_interval_and_comes_last():
    many = orders_of({str(i): ["xy" if i < 19 else "xw" if i < 60 else "y"] for i in range(100)})
    pairs = explore.together(many).pairs
    assert pairs[["product_id", "other_id", "both"]].values.tolist() == [["w", "x", 41], ["x", "y", 19]]
    assert pairs["low"].isna().tolist() == [False, True]


def test_pairs_are_listed_by_description():
    names = ibis.memtable(pd.DataFrame({"product_id": ["x"], "description": ["Pot"]}))
    found = explore.together(orders_of({str(i): ["xy" if i < 40 else "w"] for i in range(100)}))
    (row,) = found.listed(names, 5).to_dict("records")
    assert (row["A"], row["B"], row["orders with both"], row["confidence A→B"]) == ("Pot", "y", 40, 1)
    assert row["95% CI"] == f"{found.pairs['low'][0]:.1f} to {found.pairs['high'][0]:.1f}"


@pytest.mark.slow
def test_nothing_bought_together_is_no_pair():
    found = explore.together(LOG, min_orders=1)
    assert found.pairs[["product_id", "other_id", "both"]].values.tolist() == [["x", "y", 1]]
    assert explore.together(LOG).pairs.empty


def test_parts_add_up_and_name_what_is_empty():
    parts = LOG.mutate(country=ibis.cases((LOG.customer_id == "a", "UK"), (LOG.order_id == "3", "(none)"), else_=None))
    table = explore.by_part(parts, "country")
    assert table["part"].tolist() == ["UK", "(none)", "(none)"] and table["revenue"].tolist() == [16, 10, 0.1]
    assert table["customers"].tolist() == [1, 1, 1] and table["share"].sum() == pytest.approx(1)
    short = explore.by_part(parts, "country", 1)
    assert short["part"].tolist() == ["UK", "(1 others)", "(none)"]


def test_categories_need_a_column_with_values():
    names = pd.DataFrame({"product_id": ["x"], "description": ["Pot"], "category": ["Kitchen"]})
    table = explore.by_category(LOG, ibis.memtable(names))
    assert table["part"].tolist() == ["Kitchen", "(none)"] and table["revenue"].tolist() == [15, 11.1]
    assert explore.by_category(LOG, None) is None
    assert explore.by_category(LOG, ibis.memtable(names.drop(columns="category"))) is None


@pytest.mark.slow
def test_returns_by_hand():
    table = explore.returns_by_month(LOG, TAKEN)
    assert table["returned"].tolist() == [0, 5, 0, 0, 2]
    assert table["share"].iloc[1] == 1 and table["share"].isna().tolist() == [False, False, True, False, True]
    assert table["partial"].tolist() == [True, False, False, True, True]
    most = explore.most_returned(LOG, TAKEN, None)
    assert most["product_id"].tolist() == ["x", "w"] and most["of_sales"].iloc[0] == pytest.approx(1 / 3)
    assert explore.most_returned(LOG, TAKEN.filter(TAKEN.product_id == "none"), None).empty
    assert np.isnan(most["of_sales"].iloc[1]) and most["largest"].tolist() == [1, 1]
    who = explore.returns_summary(LOG, TAKEN)
    assert who[["customers", "returning", "only_returns", "lines"]].tolist() == [2, 1, 1, 2]
    assert who["of_revenue"] == pytest.approx(7 / 26.1)
    assert (who["annulling"], who["annulled"], who["largest"]) == (1, 5, pytest.approx(5 / 7))


@pytest.mark.slow
def test_the_top_tenth_agrees_with_pandas(demo):
    found = explore.top_decile(demo["transactions"], demo["returns"])
    frame = demo["frame"]
    money = pd.concat([frame, demo["back"]]).groupby("customer_id")["amount"].sum()
    money = money[money.index.isin(frame["customer_id"])]
    top = money >= money.quantile(0.9)
    assert (found.top, found.rest) == (top.sum(), (~top).sum())
    assert found.share == pytest.approx(money[top].sum() / money.sum())
    orders = frame.groupby("customer_id")["order_id"].nunique()
    table = found.table.set_index("measure")
    for name, values in (("net revenue", money), ("orders", orders), ("average order value", money / orders)):
        assert table.loc[name, ["top", "rest"]].tolist() == pytest.approx([values[top].median(), values[~top].median()])
    assert table.loc[["orders per customer", "net revenue per order"], "ratio"].tolist() == pytest.approx(
        [found.times_orders, found.times_value]
    )
    assert found.times_orders * found.times_value == pytest.approx(money[top].mean() / money[~top].mean())


@pytest.mark.slow
def test_days_of_the_top_tenth_are_the_recency_and_tenure_of_rfm(demo):
    """One quantity, one number: what 01 shows of the top tenth is what 02 shows of these customers."""
    table = explore.top_decile(demo["transactions"], demo["returns"]).table.set_index("measure")
    known = rfm.features(demo["transactions"], returns=demo["returns"], net=True)
    top = known["monetary"] >= known["monetary"].quantile(0.9)
    for measure, name in (("days since the last order", "recency"), ("days since the first order", "tenure")):
        assert table.loc[measure, ["top", "rest"]].tolist() == [known[name][top].median(), known[name][~top].median()]


def test_parts_show_net_revenue_and_what_hangs_on_one_customer():
    parts, back = (t.mutate(country=ibis.cases((t.customer_id == "a", "UK"), else_=None)) for t in (LOG, TAKEN))
    table = explore.by_part(parts, "country", returns=back)
    assert table["net"].tolist() == [11, pytest.approx(8.1)] and table["revenue"].tolist() == [16, 10.1]
    assert table["largest_customer"].tolist() == [1, pytest.approx(10.1 / 12.1)]
    assert explore.with_notes(table)["note"].tolist() == ["100% of it is one customer", "83% of it is one customer"]
    assert explore.conclusions.of_parts({"country": table}) == [
        "In 1 of 1 listed countries one customer makes 10% or more of net revenue (up to 100%)."
    ]


def test_the_share_of_money_returned_is_there_for_the_smallest_gross_revenue():
    """The two at the top spent 0.60 and 0.11, and 0.15 was returned; nobody else returned anything."""
    bought = log(
        [(f"c{n}", f"{n}", "2024-01-01", "x", 1, n / 100) for n in range(1, 12)]
        + [("t", "t", "2024-01-02", "x", 1, 0.6)]
    )
    back = log([("t", "r", "2024-01-03", "x", -1, 0.15)])
    row = explore.top_decile(bought, back).table.set_index("measure").loc["returns"]
    assert (row["top"], row["rest"]) == (pytest.approx(0.15 / 0.71), 0)


def test_equal_customers_have_no_top_tenth():
    alike = log([(c, c, "2024-01-01", "x", 1, 2.0) for c in "abcdefghijkl"])
    assert explore.top_decile(alike) is None
    assert explore.top_decile(log([("a", "1", "2024-01-01", "x", 1, 2.0)])) is None


def test_all_that_share_the_highest_value_are_named():
    assert highest(pd.Series({"Mon": 1.0, "Tue": 2.0})) == "Tue"
    assert highest(pd.Series({"Mon": 0.1 + 0.2, "Tue": 0.3})) == "Mon and Tue", "equal but for rounding"


def shop_of(countries):
    """A log in which each country has some customers, with one order of 10 a customer on days of their own."""
    rows, places = [], []
    for country, number in countries.items():
        rows += [
            (f"{country}{n}", f"{country}{n}", f"2024-0{1 + n % 3}-1{n % 9} 10:00", "x", 1, 10.0) for n in range(number)
        ]
        places += [country] * number
    frame = log(rows).to_pandas()
    frame["country"] = [None if place == "empty" else place for place in places]
    return ibis.memtable(frame)


def test_parts_of_few_customers_are_among_the_others_and_cannot_be_told_apart():
    shop = shop_of({"UK": 30, "IE": 9, "FR": 7, "MT": 1, "empty": 2})
    plain = explore.by_part(shop, "country").set_index("part")
    assert plain["customers"].to_dict() == {"UK": 30, "IE": 9, "FR": 7, "MT": 1, "(none)": 2}
    shown = explore.by_part(shop, "country", smallest=5).set_index("part")
    # one and two customers are three together: the next larger part, of seven, is hidden with them
    assert shown["customers"].to_dict() == {"UK": 30, "IE": 9, "(3 others)": 10}
    assert shown["revenue"].sum() == plain["revenue"].sum()


def test_cohorts_and_months_of_few_customers_have_no_numbers():
    rows = [(f"a{n}", f"{n}", "2024-01-10 10:00", "x", 1, 5.0) for n in range(9)]
    rows += [(f"a{n}", f"b{n}", "2024-02-10 10:00", "x", 1, 5.0) for n in range(3)]
    rows += [(f"a{n}", f"c{n}", "2024-03-10 10:00", "x", 1, 5.0) for n in range(6)]
    rows += [(f"d{n}", f"d{n}", "2024-02-12 10:00", "x", 1, 5.0) for n in range(2)]
    rows += [(f"e{n}", f"e{n}", "2024-03-12 10:00", "x", 1, 5.0) for n in range(20)]
    found = explore.cohorts(log(rows)).shown(5)
    assert found.sizes["customers"].isna().tolist() == [True, True, False], "two, and nine that would tell of them"
    assert found.customers.iloc[:2].isna().all(axis=None) and found.customers.iloc[2, 0] == 1
    less = explore.cohorts(log(rows)).shown(2)
    assert less.customers.iloc[0, :3].round(2).tolist() == [1, 0.33, 0.67] and less.sizes["customers"].tolist() == [
        9,
        2,
        20,
    ]
    months = explore.suppress_small(explore.new_and_returning(log(rows)), 5)
    assert months["new"].isna().tolist() == [True, True, False] == months["new_revenue"].isna().tolist()
    assert months["returning"].tolist()[::2] == [0, 6] and np.isnan(months["returning"][1])


def test_a_histogram_has_no_bar_of_few():
    values = ibis.memtable({"orders": [1] * 9 + [2] * 2 + [3] * 7})
    assert explore.distribution(values, "orders", "orders", whole=True, smallest=5)["bars"]["count"].tolist() == [
        9,
        0,
        7,
    ]
