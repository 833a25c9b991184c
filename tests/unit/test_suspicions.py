"""What is odd about a log as a whole: planted faults are found with their figure, and sound logs say nothing."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.data import suspicions
from customerlab.data.clean import KEPT
from customerlab.data.mapping import Mapped, TableMap
from customerlab.data.simulate import simulate_shop
from customerlab.data.suspicion_days import of_days, of_times, pieces
from customerlab.errors import DataError

NAMES = ("customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price")
MAP = TableMap("f", {name: Mapped(name[:4]) for name in NAMES}, (("customer_missing", {}), ("order_cancelled", {})))


def sound(seed=0, orders=400, days=300):
    """A shop of 60 customers and 40 products at fixed prices, which trades every day from 8 to 20 o'clock."""
    rng = np.random.default_rng(seed)
    order = np.repeat(np.arange(orders), rng.integers(1, 5, orders))
    customer = rng.integers(0, 60, orders)[order]
    at = pd.Timestamp("2023-01-02") + pd.to_timedelta(rng.integers(0, days, orders), "D")
    at = (at + pd.to_timedelta(rng.integers(8 * 60, 20 * 60, orders), "min"))[order]
    product = rng.integers(0, 40, len(order))
    return pd.DataFrame(
        {
            "customer_id": [f"K{one:03}" for one in customer], "order_id": [f"R{one:05}" for one in order], "ordered_at": at,
            "product_id": [f"P{one:02}" for one in product], "quantity": rng.integers(1, 9, len(order)).astype(float),
            "unit_price": 1.5 + product,
        }
    )  # fmt: skip


def asked(lines, steps=(), *, file=None, removed=KEPT):
    """What is said of a log, by what it is about."""
    rows = ibis.memtable(lines)
    amount = (rows.quantity * rows.unit_price).cast("decimal(18, 4)")
    marked = rows.mutate(
        amount=amount, removed_by=ibis.literal(removed), __file__=rows.file if file else ibis.literal("f")
    )
    marked = marked.drop("file") if file else marked
    rows = rows.drop("file") if file else rows
    found = suspicions.ask(
        rows, marked, MAP, list(steps), lambda _, column: f"a row, column {column}", several=bool(file)
    )
    return {one["about"]: one for one in found}


def planted(change):
    lines = sound()
    change(lines)
    return asked(lines)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(5))
def test_a_sound_log_says_nothing(seed):
    assert asked(sound(seed)) == {}
    shop = simulate_shop(150, seed, spoiled=False).tables["transactions"]
    sales = shop[~shop["order_id"].str.startswith("C")]
    assert asked(sales[list(NAMES)].astype({"quantity": float, "ordered_at": "datetime64[us]"})) == {}


@pytest.mark.thorough
def test_an_order_of_two_customers_cannot_be():
    lines = sound()
    lines.loc[lines["order_id"].isin(["R00007", "R00009"]), "order_id"] = "R00007"
    other = lines.groupby("order_id")["customer_id"].nunique().gt(1).sum()
    with pytest.raises(DataError) as error:
        asked(lines)
    said = str(error.value)
    assert other == 1 and said.startswith("1 of 399 order ids belong to several customers")
    assert "`order_id: {columns: [cust, orde]}` always works" in said and "K0" not in said and "R0000" not in said


@pytest.mark.thorough
def test_slips_of_the_year_stand_apart_from_the_rest():
    lines = sound()
    last = lines["ordered_at"].max()
    lines.loc[3, "ordered_at"] = pd.Timestamp("2042-06-20 10:00")
    lines.loc[lines["order_id"] == lines["order_id"][40], "ordered_at"] = pd.Timestamp("1970-01-01 09:00")
    found = asked(lines)
    gap = (pd.Timestamp("2042-06-20") - last.normalize()).days
    assert found["future days"]["said"] == (
        f"There are orders of 2042-06-20 (1 line), {gap:,} days after all others, which end on {last:%Y-%m-%d}."
    )
    assert found["future days"]["fix"].endswith("clean: [{drop_where: {column: orde, matches: '2042'}}]")
    count = (lines["ordered_at"].dt.year == 1970).sum()
    assert f"1970-01-01 ({count} line" in found["ancient days"]["said"]
    assert set(found) <= {"future days", "ancient days", "orders that last for weeks"}


@pytest.mark.thorough
def test_a_gap_is_told_and_seasons_are_none():
    lines = sound()
    late = lines["ordered_at"] >= "2023-06-01"
    found = asked(
        lines.assign(ordered_at=lines["ordered_at"].where(~late, lines["ordered_at"] + pd.Timedelta(days=90)))
    )
    days = lines["ordered_at"].dt.normalize().drop_duplicates().sort_values()
    wanted = int(days.diff().dt.days[days >= "2023-06-01"].iloc[0]) + 90
    assert f"({wanted} days;" in found["a gap"]["said"] and set(found) == {"a gap"}
    season = [
        *pd.date_range("2020-05-01", "2020-09-01"),
        *pd.date_range("2021-05-01", "2021-09-01"),
        *pd.date_range("2022-05-01", "2022-09-01"),
    ]
    assert list(of_days(pd.DataFrame({"day": season, "lines": 5}), "d")) == [], "closed each winter"
    rare = pd.date_range("2000-01-01", periods=60, freq="40D")
    assert list(of_days(pd.DataFrame({"day": rare, "lines": 1}), "d")) == [], "an order every forty days"


@pytest.mark.thorough
def test_chance_makes_no_gap():
    """Of logs with orders at random, few to many, hardly any is divided; the bound is one in 10,000."""
    rng, divided = np.random.default_rng(1), 0
    for _ in range(40):
        gaps = np.maximum(1, np.ceil(rng.exponential(rng.uniform(1, 60), 200)))
        days = pd.Timestamp("2000-01-01") + pd.to_timedelta(gaps.cumsum(), "D")
        divided += len(pieces(pd.DataFrame({"day": days, "lines": 1}))) > 1
    assert divided == 0


def test_jumps_and_days_of_imports():
    days = pd.DataFrame({"day": pd.date_range("2023-01-02", periods=300), "lines": [5] * 150 + [70] * 150})
    (found,) = of_days(days, "d")
    assert found["about"] == "a sudden jump" and found["said"].endswith(
        "on there are 490 lines a week (median of eight weeks), before 35."
    )
    day = pd.Timestamp(found["said"].split()[2])
    assert abs(day - days["day"][150]) <= pd.Timedelta(days=7)
    grown = days.assign(lines=np.linspace(5, 70, 300).astype(int))
    assert list(of_days(grown, "d")) == [], "growth is no jump"
    days["lines"] = [5] * 299 + [400]
    (found,) = of_days(days, "d")
    assert found["said"] == "21% of all lines are of 2023-10-28: the day of an import?"


@pytest.mark.thorough
def test_ids_that_mean_nobody_and_one_customer_with_too_much():
    lines = sound()
    orders = lines["order_id"].unique()
    for name, about in (("0", "orders of nobody"), ("K777", "orders of one customer")):
        lines.loc[lines["order_id"].isin(orders[:120]), "customer_id"] = name
        found = asked(lines)
        assert set(found) == {about} and "120 of 400 orders (30%)" in found[about]["said"]
        assert (
            found[about]["example"] == f"customer {name!r}" and "K777" not in found[about]["said"] + found[about]["fix"]
        )
    assert 'empty: ["0"]' in asked(lines.replace({"customer_id": {"K777": "0"}}))["orders of nobody"]["fix"]
    half = lines.assign(customer_id=np.where(lines["order_id"].isin(orders[:150]), "A", lines["customer_id"]))
    half.loc[half["order_id"].isin(orders[150:290]), "customer_id"] = "B"
    assert asked(half) == {}, "two large customers are a wholesaler's"


@pytest.mark.thorough
def test_postage_in_most_orders():
    lines = sound()
    each = lines.drop_duplicates("order_id").assign(product_id="POST", quantity=1.0, unit_price=4.9)
    found = asked(pd.concat([lines, each], ignore_index=True))
    assert set(found) == {"one product in most orders"}
    assert found["one product in most orders"]["said"].startswith("One product has 400 lines in 400 orders")


@pytest.mark.thorough
def test_ids_that_a_spreadsheet_spoiled():
    def exponent(lines):
        lines.loc[lines["product_id"] == "P03", "product_id"] = "1.23457E+11"

    def zeros(lines):
        number = lines["customer_id"].str[1:].astype(int)
        lines["customer_id"] = [f"4000123456789{one:02}000" for one in number]

    found = planted(exponent)
    assert (
        set(found) == {"ids cut by a spreadsheet"}
        and "1 of the product ids" in found["ids cut by a spreadsheet"]["said"]
    )
    found = planted(zeros)
    assert "60 of the customer ids" in found["ids cut by a spreadsheet"]["said"]

    def whole(lines):  # of sound ids of 18 digits, one in ten ends in a zero
        lines["customer_id"] = [
            f"4000123456789{int(one[1:]):02}{int(one[1:]) * 37 % 1000:03}" for one in lines["customer_id"]
        ]

    assert planted(whole) == {}


@pytest.mark.thorough
def test_ids_in_two_ways_of_writing_and_tests():
    lines = sound()
    lines.loc[5, "product_id"] = lines["product_id"][5].lower()
    found = asked(lines)
    assert (
        set(found) == {"ids that differ by letter case"}
        and "1 of the product ids" in found["ids that differ by letter case"]["said"]
    )
    lines = sound().assign(customer_id=lambda t: t["customer_id"].str[1:])
    first = lines["order_id"][0]
    lines.loc[lines["order_id"] == first, "customer_id"] = lines["customer_id"][0].lstrip("0")
    found = asked(lines)
    assert set(found) == {"ids that differ by zeros in front"}
    assert found["ids that differ by zeros in front"]["example"].startswith("customer_id '0")
    lines = sound()
    lines.loc[lines["order_id"] == "R00003", "customer_id"] = "test@shop.example"
    lines.loc[7, "product_id"] = "TEST001"
    lines.loc[8, "product_id"] = "CONTEST"
    found = asked(lines)
    assert set(found) == {"test orders"} and found["test orders"]["said"] == "The word test is in 1 of the product ids."


@pytest.mark.thorough
def test_a_line_total_in_place_of_the_unit_price():
    lines = sound()
    rng = np.random.default_rng(3)
    total = lines["unit_price"] * lines["quantity"] * rng.choice([1.0, 0.8, 0.5], len(lines))  # with discounts
    found = asked(lines.assign(unit_price=total))
    (said,) = found.values()
    frame = lines.assign(x=np.log(lines["quantity"]), y=np.log(total))
    apart = frame[["x", "y"]] - frame.groupby("product_id")[["x", "y"]].transform("mean")
    slope = (apart["x"] * apart["y"]).sum() / (apart["x"] ** 2).sum()
    assert said["about"] == "prices that rise with the quantity" and f"exponent {slope:.2f} " in said["said"]
    assert said["fix"] == "amount: unit, in place of unit_price: unit" and "at quantity 8" in said["example"]
    found = asked(lines.assign(unit_price=lines["unit_price"] / lines["quantity"]))
    assert set(found) == {"prices that fall with the quantity"} and "exponent -1.00 " in str(found)
    rebate = lines["unit_price"] * lines["quantity"] ** -0.15
    assert asked(lines.assign(unit_price=rebate)) == {}, "rebates for many pieces"


def test_nothing_below_zero_has_a_logarithm():
    lines = sound()
    lines.loc[:2, ["quantity", "unit_price"]] = [[0.0, 1.0], [-3.0, 2.0], [2.0, -1.0]]
    assert asked(lines) == {}
    assert asked(lines[:5]) == {} and asked(lines[:1]) == {}


@pytest.mark.thorough
def test_one_price_and_one_quantity():
    found = planted(lambda lines: lines.update({"unit_price": pd.Series(1.0, lines.index)}))
    assert set(found) == {"one price"} and found["one price"]["fix"]
    found = planted(lambda lines: lines.update({"quantity": pd.Series(1.0, lines.index)}))
    assert set(found) == {"one quantity"} and not found["one quantity"]["fix"], "a line for each piece is common"
    found = planted(lambda lines: lines.update({"quantity": pd.Series(6.0, lines.index)}))
    assert found["one quantity"]["fix"]


@pytest.mark.thorough
def test_orders_that_last_for_weeks():
    lines = sound()
    lines.loc[lines["order_id"] == "R00011", "ordered_at"] += pd.to_timedelta(
        np.arange((lines["order_id"] == "R00011").sum()) * 9, "D"
    )
    twice = lines[lines["order_id"] == "R00012"].assign(ordered_at=lambda t: t["ordered_at"] - pd.Timedelta(days=8))
    found = asked(pd.concat([lines, twice]))
    assert "in 2 of 400 orders" in found["orders that last for weeks"]["said"]


def test_the_quick_one_of_all_questions():
    """One log with several faults, so that the quick tests ask, too."""
    lines = sound()
    lines.loc[lines["order_id"].isin(lines["order_id"].unique()[:120]), "customer_id"] = "guest"
    lines["unit_price"] *= lines["quantity"]
    assert set(asked(lines)) == {"orders of nobody", "prices that rise with the quantity"}


def step(removed, sales, left="900.0"):
    return [
        {"step": "read", "amount_left": "1000.0"},
        {
            "step": "order_cancelled",
            "rows_removed": 83,
            "amount_removed": removed,
            "sales_removed": sales,
            "amount_left": left,
        },
    ]


@pytest.mark.thorough
def test_cancellations_with_money_above_zero():
    found = asked(sound(), step("4500.0", "4500.0"))
    assert found["cancellations above zero"]["said"] == (
        "The rule order_cancelled removed 83 rows, mostly with amounts above zero (83% of sales)."
    )
    assert found["cancellations above zero"]["fix"].startswith("leave order_cancelled out of clean, or")
    assert asked(sound(), step("-4500.0", "12.0")) == {} and asked(sound(), step("0", "0")) == {}


@pytest.mark.thorough
def test_lines_of_two_files():
    lines = sound().assign(file="a.csv")
    both = pd.concat([lines, lines[:25].assign(file="b.csv")], ignore_index=True)
    found = asked(both, file="file")
    known = both.drop(columns="file").duplicated().sum() - lines.drop(columns="file").duplicated().sum()
    assert f"{known} of the lines stand in two files or sheets" in found["lines in two files"]["said"]
    assert asked(pd.concat([lines, lines[:25]]), file="file") == {}, "of one file, it is the repeats' own question"


def test_what_is_worth_knowing_of_times():
    days = pd.DataFrame(
        {"day": pd.date_range("2023-01-02", periods=140), "lines": 4, "midnight": 0, "earliest": 8, "latest": 19}
    )
    assert list(of_times(days, "d")) == []
    (found,) = of_times(days.assign(midnight=4), "d")
    assert found["said"] == "100% of lines are at 0:00: the log has dates without times." and not found["fix"]
    (found,) = of_times(days.assign(midnight=1), "d")
    assert found["said"].startswith("25% of lines are at 0:00")
    (found,) = of_times(days.assign(earliest=1, latest=12), "d")
    assert found["about"] == "a clock of twelve hours" and found["fix"]
    (found,) = of_times(days[~days["day"].dt.day_name().isin(["Saturday", "Sunday"])], "d")
    assert found["said"] == "No order on Saturdays or Sundays in 19 weeks." and not found["fix"]


@pytest.mark.thorough
def test_the_order_of_rows_changes_nothing():
    lines = sound()
    lines.loc[lines["order_id"].isin(lines["order_id"].unique()[:120]), "customer_id"] = "guest"
    lines["unit_price"] *= lines["quantity"]
    assert asked(lines) == asked(lines.sample(frac=1, random_state=2))


def test_a_hundredth_of_orders_of_nobody_is_told():
    lines = sound()
    orders = lines["order_id"].unique()
    for count, wanted in ((3, set()), (5, {"orders of nobody"})):
        own = lines.assign(customer_id=lines["customer_id"].where(~lines["order_id"].isin(orders[:count]), "guest"))
        assert set(asked(own)) == wanted


def test_a_shop_of_one_product_has_it_in_every_order():
    assert "one product in most orders" not in asked(sound().assign(product_id="P00", unit_price=2.5))


def test_a_fall_is_a_jump_too_and_a_lone_day_is_a_slip():
    days = pd.DataFrame({"day": pd.date_range("2023-01-02", periods=300), "lines": [70] * 150 + [5] * 150})
    (found,) = of_days(days, "d")
    assert found["about"] == "a sudden jump" and "35 lines a week (median of eight weeks), before 490." in found["said"]
    alone = pd.concat([days.assign(lines=5), pd.DataFrame({"day": [pd.Timestamp("2042-01-01")], "lines": [150]})])
    assert [one["about"] for one in of_days(alone.reset_index(drop=True), "d")] == ["future days"]


def test_orders_that_last_for_weeks_are_counted_from_the_eighth_day():
    for days, wanted in ((7, set()), (8, {"orders that last for weeks"})):
        lines = sound()
        later = lines[lines["order_id"] == "R00012"].assign(
            ordered_at=lambda t, days=days: t["ordered_at"] - pd.Timedelta(days=days)
        )
        found = asked(pd.concat([lines, later]))
        assert set(found) == wanted and ("in 1 of 400 orders" in str(found)) == bool(wanted)
