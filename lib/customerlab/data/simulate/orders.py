"""The simulated shop's customers and their orders: a buy-till-you-die process with habits, tastes and seasons."""

import numpy as np
import pandas as pd

START, END = pd.Timestamp("2023-07-01"), pd.Timestamp("2025-01-01")  # 18 months, the end is not in it

# share of customers, orders a month, chance to leave after an order, products an order, pieces a product
SEGMENTS = pd.DataFrame(
    {
        "segment": ["regular", "occasional", "gift giver", "one-time", "trade"],
        "share": [0.22, 0.32, 0.18, 0.25, 0.03],
        "rate": [0.75, 0.30, 0.22, 0.15, 1.20],
        "leaves": [0.05, 0.10, 0.12, 0.75, 0.02],
        "lines": [4.0, 3.0, 4.5, 2.0, 8.0],
        "pieces": [1.4, 1.2, 1.8, 1.1, 9.0],
        "habit": [0.45, 0.25, 0.10, 0.05, 0.60],
    }
)
MONTH = np.array([0.80, 0.78, 0.85, 0.90, 0.92, 0.85, 0.80, 0.80, 0.95, 1.10, 1.60, 1.45])  # January first
WEEKDAY = np.array([1.10, 1.00, 1.00, 1.15, 1.00, 0.55, 0.80])  # Monday first
HOUR = np.array([1, 0, 0, 0, 0, 1, 2, 4, 6, 8, 9, 9, 11, 9, 7, 6, 6, 6, 7, 9, 11, 9, 5, 2], dtype=float)


def simulate_customers(rng: np.random.Generator, customers: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers, and their truth beside them.

    Returns
    -------
    customers : DataFrame
        `customer_id`, `signed_up_at`, `country`.
    truth : DataFrame
        One row a customer: segment, own rate of orders a month, own chance to leave after an order.
    """
    kind = rng.choice(len(SEGMENTS), customers, p=SEGMENTS["share"])
    days = (END - START).days
    # a third of the customers were there before the period began
    day = np.where(rng.random(customers) < 0.33, 0, rng.integers(0, days - 14, customers))
    table = pd.DataFrame(
        {
            "customer_id": [f"C{number:05d}" for number in rng.permutation(customers) + 10_001],
            "signed_up_at": START + pd.to_timedelta(day, unit="D"),
            "country": rng.choice(
                ["United Kingdom", "Ireland", "France", "Germany"], customers, p=[0.84, 0.07, 0.05, 0.04]
            ),
        }
    )
    chosen = SEGMENTS.iloc[kind].reset_index(drop=True)
    truth = pd.DataFrame({"customer_id": table["customer_id"], "segment": chosen["segment"]})
    truth["rate"] = chosen["rate"] * rng.gamma(4.0, 0.25, customers)
    truth["leaves"] = np.clip(chosen["leaves"] * rng.gamma(6.0, 1 / 6, customers), 0.01, 0.95)
    truth = truth.join(chosen[["lines", "pieces", "habit"]])
    return table, truth


def simulate_orders(rng: np.random.Generator, customers: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Order times of every customer: exponential gaps, thinned by season and weekday, until the customer leaves.

    Returns
    -------
    DataFrame
        `customer` (row in `customers`) and `ordered_at`, in the order of time.
    """
    most = 80
    # the thinning below keeps a mean share of the orders; the rate is raised by as much
    keep = np.outer(MONTH / MONTH.max(), WEEKDAY / WEEKDAY.max())
    rate = truth["rate"].to_numpy() / keep.mean() / 30.44
    gaps = rng.exponential(1.0, (len(truth), most)) / rate[:, None]
    gaps[:, 0] *= np.where(rng.random(len(truth)) < 0.7, 0.0, 1.0)  # most sign up to buy at once
    day = np.cumsum(gaps, axis=1) + (customers["signed_up_at"] - START).dt.days.to_numpy()[:, None]
    customer, _ = np.nonzero(day < (END - START).days)
    date = START + pd.to_timedelta(np.floor(day[day < (END - START).days]).astype("int64"), unit="D")
    chance = keep[date.month.to_numpy() - 1, date.day_of_week.to_numpy()]
    kept = rng.random(len(date)) < chance
    customer, date = customer[kept], date[kept]
    # the customer leaves after an order with the own chance: everything later is cut off
    leaves = rng.random(len(customer)) < truth["leaves"].to_numpy()[customer]
    left_before = pd.Series(leaves.astype("int64")).groupby(customer).cumsum().to_numpy() - leaves
    alive = left_before == 0
    customer, date = customer[alive], date[alive]
    second = rng.choice(24, len(date), p=HOUR / HOUR.sum()) * 3600 + rng.integers(0, 3600, len(date))
    orders = pd.DataFrame({"customer": customer, "ordered_at": date + pd.to_timedelta(second, unit="s")})
    return orders.sort_values(["ordered_at", "customer"], kind="stable", ignore_index=True)


def simulate_lines(
    rng: np.random.Generator, orders: pd.DataFrame, truth: pd.DataFrame, products: pd.DataFrame
) -> pd.DataFrame:
    """What is in the baskets: habit, then own taste for categories, then popularity within the category.

    Returns
    -------
    DataFrame
        `order` (row in `orders`), `product` (row in `products`), `quantity`; one row a product and order.
    """
    categories = products["category"].unique()
    each = len(products) // len(categories)
    taste = rng.dirichlet(np.full(len(categories), 0.5), len(truth))
    within = products["popularity"].to_numpy().reshape(len(categories), each).cumsum(axis=1)

    def choose(customer: np.ndarray) -> np.ndarray:
        category = (
            (rng.random(len(customer))[:, None] > taste[customer].cumsum(axis=1))
            .sum(axis=1)
            .clip(max=len(categories) - 1)
        )
        place = (rng.random(len(customer))[:, None] > within[category]).sum(axis=1).clip(max=each - 1)
        return category * each + place

    habits = 5
    favourites = choose(np.repeat(np.arange(len(truth)), habits)).reshape(len(truth), habits)
    customer = orders["customer"].to_numpy()
    size = 1 + rng.poisson(truth["lines"].to_numpy()[customer] - 1)
    order = np.repeat(np.arange(len(orders)), size)
    buyer = customer[order]
    product = choose(buyer)
    from_habit = rng.random(len(order)) < truth["habit"].to_numpy()[buyer]
    product = np.where(from_habit, favourites[buyer, rng.integers(0, habits, len(order))], product)
    # in the last three months of a year a fifth of the choices are Christmas goods
    christmas = int(np.flatnonzero(categories == "Christmas")[0])
    season = orders["ordered_at"].dt.month.to_numpy()[order] >= 10
    festive = season & (rng.random(len(order)) < 0.2)
    place = (rng.random(len(order))[:, None] > within[christmas]).sum(axis=1).clip(max=each - 1)
    product = np.where(festive, christmas * each + place, product)
    quantity = rng.geometric(1 / truth["pieces"].to_numpy()[buyer])
    lines = pd.DataFrame({"order": order, "product": product, "quantity": quantity})
    return lines.groupby(["order", "product"], as_index=False).sum()
