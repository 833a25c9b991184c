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
    assert said.startswith("The strongest whole month is February 2024, 1.5 times the median month before returns")
    assert "net of returns it is April 2024" in said and "one customer" in said and "25" in said


def test_one_whole_month_or_no_money_is_no_comparison():
    assert conclusions.of_months(MONTHS.iloc[:2]) == []
    assert conclusions.of_months(MONTHS.assign(revenue=0.0)) == []


def test_scale_names_what_was_removed_and_by_which_step_most():
    totals = pd.Series(
        {"customers": 3, "orders": 4, "first": pd.Timestamp("2024-01-05"), "last": pd.Timestamp("2024-03-09")},
        dtype=object,
    )
    ladder = pd.DataFrame(
        {
            "step": ["read", "a", "b"],
            "rows left": [10, 9, 8],
            "amount left": [200.0, 190.0, 150.0],
            "amount removed": [0.0, 10.0, 40.0],
        }
    )
    said = conclusions.of_scale(totals, ladder, gross=150.0, net=120.0)
    assert "3 customers placed 4 orders worth 150, 120 net of returns" in said
    assert "between 05 January 2024 and 09 March 2024; cleaning removed 20% of the rows" in said
    assert "40% of the money, returns set off (most: b)" in said


def test_sales_without_a_customer_are_shares_of_all_sales():
    steps = [
        {"step": "read", "sales_removed": "0", "rows_removed": 0},
        {"step": "customer_missing", "sales_removed": "25.00", "rows_removed": 2},
    ]
    (said,) = conclusions.of_missing_customers(steps, gross=75.0)
    assert said.startswith("2 rows with sales of 25, 25% of all sales")
    assert conclusions.of_missing_customers(steps[:1], gross=75.0) == []


def test_products_that_hang_on_one_customer_are_counted():
    best = pd.DataFrame({"share": [0.3, 0.2], "largest_customer": [0.5, 0.05]})
    said = conclusions.of_products(best, sold=1_200)
    assert said == (
        "The first 2 of 1,200 products bring 50% of the net revenue of all products; 1 of them owe 10% or more of theirs to "
        "one customer."
    )


def test_times_are_those_of_most_money_and_nothing_without_money():
    hours = pd.DataFrame(0.0, index=["Monday", "Tuesday"], columns=range(24))
    hours.loc["Tuesday", 9] = 5.0
    weekdays = pd.DataFrame({"weekday": ["Monday", "Tuesday"], "revenue_per_day": [0.0, 5.0]})
    (said,) = conclusions.of_times({"revenue": hours}, weekdays)
    assert "on Tuesday" in said and "at 9:00 to 10:00" in said
    assert conclusions.of_times({"revenue": hours * 0}, weekdays) == []
