"""A shop of five customers for segments in plain words, and sentences with the customers that they select."""

import pandas as pd

from customerlab.analysis.language.base import CustomerBase
from customerlab.analysis.orders import Snapshot

COLUMNS = ["customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price", "amount"]
DAY = pd.Timestamp("2024-07-01")  # 90 days before it: 2 April

# dee has never ordered; eve's second order is of the day itself, which is not known yet
LOG = [
    ("ann", "1", "2024-01-10 09:00", "P1", 1, 10), ("ann", "2", "2024-05-15 09:00", "P1", 1, 10),
    ("ann", "2", "2024-05-15 09:00", "P2", 1, 5), ("ann", "3", "2024-06-20 09:00", "P2", 1, 5),
    ("bob", "4", "2024-04-02 00:00", "P2", 4, 5), ("cem", "5", "2023-12-31 23:59", "P3", 1, 100),
    ("eve", "6", "2024-06-30 23:59", "P3", 1, 100), ("eve", "7", "2024-07-01 00:00", "P1", 1, 10),
]  # fmt: skip
# ann's annuls the line of order 3, cem's that of order 5: net revenue is 25, 20, 0, 0 and 100
RETURNS = [("ann", "C2", "2024-06-25 09:00", "P2", -1, 5), ("cem", "C1", "2024-01-05 09:00", "P3", -1, 100)]
PRODUCTS = pd.DataFrame({
    "product_id": ["P1", "P2", "P3", "P4"], "category": ["Garden", "Kitchen", "Toys", "Dad's shed"],
    "description": ["Pot", "Pan", "Top", "Saw"],
})  # fmt: skip
ATTRIBUTES = pd.DataFrame(
    {
        "country": ["DE", "AT", "DE", "CH", None],
        "age": [30, 45, None, 60, 25],
        "tier": pd.Categorical(
            ["gold", "silver", "bronze", "bronze", None], ["bronze", "silver", "gold"], ordered=True
        ),
        "newsletter": pd.array([True, False, None, True, False], dtype="boolean"),
        "joined": pd.to_datetime(["2024-01-01", "2024-06-15", None, "2020-05-05", "2024-06-30"]),
        "household size": [1, 2, 3, 4, 5],
    },
    index=pd.Index(["ann", "bob", "cem", "dee", "eve"], name="customer_id"),
)
SEGMENTS = {
    "rfm": pd.Series({"ann": "Champions", "bob": "Loyal", "cem": "At risk", "eve": "Champions"}),
    "last year": pd.Series({"ann": "Loyal", "cem": "At risk", "bob": "Asleep"}),
    "clusters": pd.Series({"ann": 1, "bob": 2, "cem": 1, "dee": 1, "eve": 2}),
}


def lines(rows: list[tuple]) -> pd.DataFrame:
    """Canonical order lines."""
    frame = pd.DataFrame(rows, columns=COLUMNS[:-1]).astype({"quantity": float, "unit_price": float})
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"]).astype("datetime64[us]")
    return frame.assign(amount=frame["quantity"] * frame["unit_price"])


def base(log, returns, products) -> CustomerBase:
    """The shop, from its tables in any engine."""
    log, returns = (t.mutate(amount=t.amount.cast("decimal(18, 4)")) for t in (log, returns))
    return CustomerBase(Snapshot(log, DAY, returns, products), ATTRIBUTES, SEGMENTS)


# Customers by their first letters.
SENTENCES = {
    "customers who ordered": "abce",
    "customers who never ordered": "d",
    "Customers who ordered at least 3 times": "a",
    "customers who ordered at most 1 time": "bcde",
    "customers who ordered 1 time": "bce",
    "ordered between 1 and 3 times in the last 90 days": "abe",
    "customers who ordered more than 1 time in the last 3 months": "a",
    "customers who ordered fewer than 3 times and did not order in the last 90 days": "cd",
    "customers who did not order in the last 89 days": "bcd",
    "customers who ordered since 2024-04-02 and never ordered since 2024-05-01": "b",
    "customers who ordered before 2024-01-01": "c",
    "customers who ordered between 2023-12-31 and 2024-01-10": "ac",
    "customers who first ordered since 2024-04-01": "be",
    "customers who last ordered more than 90 days ago": "c",
    "customers who last ordered within the last 90 days": "abe",
    "customers who did not last order in the last 1 week": "abcd",
    "customers who spent at least 25": "ae",
    "customers who spent at least 25, gross of returns": "ace",
    "customers who spent exactly 0, net of returns": "cd",
    "customers who spent less than 20.5 in the last 12 weeks": "abcd",
    "customers who spent between 15 and 25 since 2024-04-01": "ab",
    "customers who have an average order value of at least 8.3333": "abe",
    "customers who have an average order value of more than 8.3334": "be",
    "customers who do not have an average order value of at least 10, gross of returns": "d",
    "customers who bought from 'Garden'": "a",
    "customers who bought from category 'Garden' at least 2 times": "a",
    "customers who bought 'P2' at least 2 times or bought product 'P3'": "ace",
    "customers who did not buy product 'P1' and ordered": "bce",
    "customers who never bought from 'Dad''s shed'": "abcde",
    "customers who bought from \"Kitchen\" exactly 1 time before 2024-06-01": "ab",
    "customers who returned anything": "ac",
    "customers who returned at least 1 time in the past 30 days": "a",
    "customers who did not return anything since 2024-01-05 and spent more than 0": "be",
    "customers who are in the top 25% by revenue": "e",
    "customers who are in the top 25 percent by revenue, gross of returns": "ce",
    "customers who are in the bottom 30% by orders": "bce",
    "customers who are in the top 50% by average order value in the last 1 year": "be",
    "customers who are not in the top 25% by orders": "bcde",
    "customers who are in segment 'Champions'": "ae",
    "customers who are not in segment 'Loyal' of 'rfm'": "acde",
    "customers who are in segment '1'": "acd",
    "customers whose country is 'DE'": "ac",
    "customers whose country is not one of ('DE', 'AT')": "de",
    "customers whose country is missing or whose age is missing": "ce",
    "customers whose age is at least 30 and whose newsletter is yes": "ad",
    "customers whose newsletter is not yes": "bce",
    "customers whose tier is at least 'silver'": "ab",
    "customers whose tier is between 'bronze' and 'silver'": "bcd",
    "customers whose joined is in the last 16 days": "be",
    "customers whose joined is more than 1 year ago": "d",
    "customers whose 'household size' is more than 2": "cde",
    "customers who ordered at least 3 times or spent at least 100 and whose age is 30": "a",
    "customers who (ordered at least 3 times or spent at least 100) and not whose age is 30": "e",
    "customers who not (ordered since 2024-06-01 or bought from 'Toys')": "bd",
    "CUSTOMERS WHO ORDERED AT LEAST 3 TIMES IN THE LAST 1 YEAR AND WHO BOUGHT FROM 'Garden' "
    "and are in the top 50% by orders": "a",
}  # fmt: skip
