"""What is concluded from the log, on tables whose numbers are worked out by hand."""

import pandas as pd

from customerlab.analysis.explore import conclusions

MONTHS = pd.DataFrame(
    {
        "month": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]),
        "revenue": [900.0, 300.0, 100.0, 200.0],
        "net": [900.0, 50.0, 100.0, 180.0],
        "largest_customer": [0.9, 0.25, 0.01, 0.01],
        "partial": [True, False, False, False],
    }
)


def test_the_strongest_month_is_a_whole_one_and_says_on_whom_it_hangs():
    (said,) = conclusions.of_months(MONTHS)
    assert said == (
        "The strongest complete month is February 2024: gross revenue is 1.5 times the median month (25% of it is one customer). By "
        "net revenue it is April 2024."
    )


def test_one_whole_month_or_no_money_is_no_comparison():
    assert conclusions.of_months(MONTHS.iloc[:2]) == []
    assert conclusions.of_months(MONTHS.assign(revenue=0.0)) == []


def test_scale_and_quality_are_those_of_the_log():
    totals = pd.Series(
        {"customers": 3, "orders": 4, "first": pd.Timestamp("2024-01-05"), "last": pd.Timestamp("2024-03-09")},
        dtype=object,
    )
    assert conclusions.of_scale(totals, gross=150.0, net=120.0, currency="EUR") == (
        "3 customers placed 4 orders from 2024-01-05 to 2024-03-09. Sales that name a customer bring a net revenue of 120 EUR (gross "
        "150)."
    )
    accounting = pd.DataFrame({"rows left": [10, 9, 8]})
    assert conclusions.of_quality(accounting, ["A."]).startswith("Check 1 data alert before")
    assert conclusions.of_quality(accounting, ["One is odd (1.5 EUR). It is kept.", "Two is.", "Three is."]) == (
        "Check 3 data alerts before using these numbers: cleaning kept 8 of 10 rows (80%) as sales. One is odd (1.5 EUR). Two is."
    )
    assert conclusions.of_quality(accounting, []).startswith("No data alerts: ")


PLAIN = {
    "repeated": {"lines": 0, "money": 0.0}, "orders": pd.DataFrame({"median": [10.0], "largest": [90.0]}),
    "largest": {"customer": 0.02, "order": 0.01}, "currency": "EUR",
}  # fmt: skip


def accounted(*removed):
    """The report of order lines of 75 that are left, with what each rule removed."""
    steps = [{"step": name, "why": name, "rows_removed": 2, "sales_removed": lost} for name, lost in removed]
    return {"row_accounting": [{"step": "read"}, *steps, {"step": "last", "sales_removed": "0", "amount_left": "75"}]}


def test_a_log_without_anything_odd_has_no_alerts():
    months = MONTHS.assign(partial=False, orders=5)
    assert conclusions.alerts(accounted(("a", "0.5")), months, **PLAIN) == []
    assert conclusions.alerts({"row_accounting": [{"step": "read"}]}, months, **PLAIN) == [], "nothing is cleaned"


def test_each_alert_says_what_is_odd():
    odd = PLAIN | {
        "repeated": {"lines": 3, "money": 12.0}, "orders": pd.DataFrame({"median": [10.0, 11.0], "largest": [500.0, 600.0]}),
        "largest": {"customer": 0.3, "order": 0.01}, "only_returns": 7,
    }  # fmt: skip
    report = accounted(("customer_missing", "25"), ("too large", "9"))
    said = conclusions.alerts(report, MONTHS.assign(orders=[5, 0, 4, 4]), **odd)
    assert said == [
        "The largest order is 500 EUR, 50 times the median (as placed: 600 EUR).",
        "2 rows (sales 25 EUR, 25% of sales) name no customer. All results exclude them.",
        "One customer makes 30% of net revenue.",
        "3 lines (revenue 12 EUR) repeat another line in every column. They are kept; the rule exact_repeat would remove them.",
        "The rule 'too large' removed 2 rows (sales 9 EUR).",
        "Incomplete months: 2024-01. Comparisons exclude them.",
        "Months without orders: 2024-02.",
        "7 customers have returns but no sale in the log.",
    ]
    few = conclusions.alerts(report, MONTHS.assign(orders=5), **odd, smallest=8)
    assert few[-1] == "Some customers have returns but no sale in the log."


def test_products_that_hang_on_one_customer_are_counted():
    best = pd.DataFrame({"share": [0.3, 0.2], "largest_customer": [0.5, 0.05]})
    (said,) = conclusions.of_products(best, sold=1_200)
    assert said == (
        "The top 2 of 1,200 products bring 50% of net revenue; in 1 of them one customer makes 10% or more."
    )


def test_times_are_those_of_most_money_and_nothing_without_money():
    hours = pd.DataFrame(0.0, index=["Monday", "Tuesday"], columns=range(24))
    hours.loc["Tuesday", 9] = 5.0
    weekdays = pd.DataFrame({"weekday": ["Monday", "Tuesday"], "revenue_per_day": [0.0, 5.0], "days": [2, 3]})
    grids = {"revenue": hours, "orders": hours}
    (said,) = conclusions.of_times(grids, weekdays)
    assert said == "Average daily gross revenue peaks on Tuesday; the peak hour is 9:00 to 10:00."
    assert conclusions.of_times({"revenue": hours * 0, "orders": hours}, weekdays) == []
    once = weekdays.assign(days=[1, 2])
    assert conclusions.of_times(grids, once) == ["The peak hour is 9:00 to 10:00."], "one Monday is no weekday"
    midnight = {name: grid.rename(columns={9: 0, 0: 9})[range(24)] for name, grid in grids.items()}
    assert conclusions.of_times(midnight, weekdays) == ["Average daily gross revenue peaks on Tuesday."]
    assert conclusions.of_times(midnight, once) == [] and not conclusions.has_times(midnight)


def test_suspicions_are_the_first_alerts_and_what_is_worth_knowing_is_none():
    odd = {
        "about": "future days",
        "said": "There are orders of 2042. They are odd.",
        "example": "customer 'K1'",
        "fix": "correct it",
    }
    note = {"about": "days without times", "said": "100% of lines are at 0:00.", "example": "", "fix": ""}
    report = accounted(("customer_missing", "25")) | {"suspicions": [note, odd]}
    said = conclusions.alerts(report, MONTHS.assign(partial=False, orders=5), **PLAIN)
    assert said[0] == odd["said"] and len(said) == 2
    table = conclusions.suspicions(report)
    assert table["about"].tolist() == ["days without times", "future days"] and "K1" not in table.to_string()
    assert len(conclusions.suspicions({})) == 0


def test_a_long_list_of_months_is_cut_and_other_units_have_their_names():
    quarters = pd.DataFrame(
        {"month": pd.date_range("2000-01-01", periods=40, freq="QS"), "partial": False, "orders": 0}
    )
    quarters.loc[0, "partial"] = True
    said = conclusions.alerts(accounted(), quarters, **PLAIN, every="quarter")
    assert said == [
        "Incomplete quarters: Q1 2000. Comparisons exclude them.",
        "Quarters without orders: Q1 2000, Q2 2000, Q3 2000, Q4 2000, Q1 2001, Q2 2001 and 34 more.",
    ]
    whole = quarters.assign(revenue=[9.0] + [2.0] * 38 + [4.0], net=2.0, largest_customer=0.01)
    assert conclusions.of_months(whole, "quarter")[0].startswith(
        "The strongest complete quarter is Q4 2009: gross revenue is 2.0 times the median quarter."
    )
