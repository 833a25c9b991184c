"""A made-up export in three files, as shops write them, and its money by Python's own decimals and fractions."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd

CENT = Decimal("0.0001")
RATES = {"EUR": Decimal(1), "SEK": Decimal("0.08912345"), "JPY": Decimal("0.0061")}
STATES = ["paid", "shipped", "voided", "refunded"]


def export(orders: int = 60, seed: int = 1) -> dict[str, pd.DataFrame]:
    """Lines, orders, customers and rates; of three orders and two customers there is nothing.

    The discount of an order stands on one of its lines in some orders, on all in others. A product is in an order once.
    """
    rng = np.random.default_rng(seed)
    heads, lines = [], []
    for number in range(orders):
        order, currency = f"{number % 7}-{number:04d}", str(rng.choice(list(RATES), p=[0.7, 0.2, 0.1]))
        day = pd.Timestamp("2024-01-01") + pd.Timedelta(int(rng.integers(0, 300 * 24 * 60)), "min")
        heads.append(
            {
                "order_id": order, "buyer": f"c{rng.integers(0, 20):03d}", "Status": str(rng.choice(STATES, p=[0.6, 0.2, 0.1, 0.1])),
                "Date": f"{day:%d/%m/%Y}", "Time": f"{day:%H:%M:%S}",
            }
        )  # fmt: skip
        discount = Decimal(int(rng.integers(0, 900))) / 100 if rng.random() < 0.5 else Decimal(0)
        everywhere = rng.random() < 0.5
        for place, sku in enumerate(rng.permutation(9)[: rng.integers(1, 6)]):
            lines.append(
                {
                    "order_id": order, "sku": f"p{sku}", "qty": int(rng.integers(1, 5)),
                    "total": Decimal(int(rng.integers(-300, 9000))) / 100, "rebate": Decimal(int(rng.integers(0, 99))) / 100,
                    "discount": discount if everywhere or place == 0 else Decimal(0), "currency": currency,
                }
            )  # fmt: skip
    people = [{"id": f"c{n:03d}", "person": f"u{n // 2}", "land": "DE" if n % 3 else "SE"} for n in range(18)]
    frames = {"items": pd.DataFrame(lines), "orders": pd.DataFrame(heads[3:]), "customers": pd.DataFrame(people)}
    frames["items"] = frames["items"].sample(frac=1, random_state=seed, ignore_index=True)
    frames["rates"] = pd.DataFrame({"code": list(RATES), "rate": list(RATES.values())})
    return frames


def four(number: Fraction) -> Decimal:
    """A fraction to four decimals, halves away from zero."""
    units = abs(number) * 10_000
    whole = int(units + Fraction(1, 2))
    return (Decimal(whole) * CENT).copy_sign(Decimal(1) if number >= 0 else Decimal(-1))


def parts_of(total: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """An order's amount on its lines, in their order: what is due up to each, rounded, less what is due before it."""
    due, upto = [Decimal(0)], Fraction(0)
    whole = sum(map(Fraction, weights))
    for weight in weights:
        upto += Fraction(weight)
        due.append(four(Fraction(total) * upto / whole))
    return [after - before for before, after in pairwise(due)]


def weights_of(money: list[Decimal]) -> list[Decimal]:
    """What the parts of an order's amount are in proportion to: money above zero, else money below, else lines."""
    weights = [max(paid, Decimal(0)) for paid in money]
    weights = weights if any(weights) else [abs(paid) for paid in money]
    return weights if any(weights) else [Decimal(1)] * len(money)


def money_of(frames: dict[str, pd.DataFrame]) -> dict[tuple[str, str], Decimal]:
    """The euros of each line: its total less its rebate, converted, less its part of the order's discount.

    Parts are cumulated in the order of products.
    """
    found = {}
    for number, order in frames["items"].groupby("order_id"):
        rate = RATES[order["currency"].iloc[0]]
        order = order.sort_values("sku")
        money = [
            ((total - rebate) * rate).quantize(CENT, ROUND_HALF_UP)
            for total, rebate in zip(order["total"], order["rebate"], strict=True)
        ]
        parts = parts_of((max(order["discount"]) * rate).quantize(CENT, ROUND_HALF_UP), weights_of(money))
        found |= {(str(number), sku): paid - part for sku, paid, part in zip(order["sku"], money, parts, strict=True)}
    return found


ENTRY = """
shop:
  title: A made-up export
  currency: EUR
  files: {files}
  tables:
    transactions:
      file: items
      join: {{orders: order_id, customers: {{buyer: id}}, rates: {{currency: code}}}}
      currency: {{column: currency}}
      columns:
        customer_id: person
        order_id: order_id
        ordered_at: {times}
        product_id: sku
        quantity: qty
        amount: {{column: total, minus: [rebate], times: [rate], minus_of_order: [discount]}}
        country: land
      clean:
        - date_missing
        - customer_missing
        - {{drop_where: {{column: Status, in: [voided, refunded]}}}}
        - {{drop_where: {{column: sku, matches: "^p8", of: order}}}}
        - {{keep_where: {{column: qty, above: 1, of: order}}}}
        - amount_not_positive
"""


def cleaned(frames: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, dict[str, int]]:
    """What ENTRY makes of an export, by pandas, and how many rows each step removes."""
    items = frames["items"].merge(frames["orders"], on="order_id", how="left")
    items = items.merge(frames["customers"], left_on="buyer", right_on="id", how="left")
    money = money_of(frames)
    items["amount"] = [money[key] for key in zip(items["order_id"], items["sku"], strict=True)]
    items["ordered_at"] = pd.to_datetime(items["Date"] + " " + items["Time"], format="%d/%m/%Y %H:%M:%S")

    def whole(met: pd.Series) -> pd.Series:
        return met.groupby(items["order_id"]).transform("any")

    steps = {
        "date_missing": items["Date"].isna(), "customer_missing": items["person"].isna(),
        "drop_where": items["Status"].isin(["voided", "refunded"]), "drop_where 2": whole(items["sku"] == "p8"),
        "keep_where": ~whole(items["qty"] > 1), "amount_not_positive": items["amount"] <= 0,
    }  # fmt: skip
    removed, left = {}, pd.Series(True, index=items.index)
    for step, goes in steps.items():
        removed[step] = int((left & goes).sum())
        left &= ~goes
    return items[left], removed
