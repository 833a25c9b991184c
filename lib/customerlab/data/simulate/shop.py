"""The whole simulated shop, and its files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from customerlab.data.project import written_aside
from customerlab.data.simulate import campaign, orders, products


@dataclass(frozen=True)
class Shop:
    """A simulated shop.

    Attributes
    ----------
    tables : dict of str to DataFrame
        What a shop would know: `transactions`, `products`, `customers`, `ratings`, `experiment`.
    truth : DataFrame
        What it would not: one row a customer with the latent segment, rate and chance to leave. It is never written
        into a table, so that no notebook can read it.
    """

    tables: dict[str, pd.DataFrame]
    truth: pd.DataFrame


def simulate_shop(customers: int = 2_000, seed: int = 7) -> Shop:
    """Simulate eighteen months of a shop for home and garden goods.

    Parameters
    ----------
    customers : int
        How many customers sign up.
    seed : int
        The same seed gives the same shop.

    Returns
    -------
    Shop
        With the faults of a real order log in small doses: guest orders without a customer, cancelled lines,
        samples at a price of zero.

    Examples
    --------
    >>> shop = simulate_shop(customers=200, seed=1)
    >>> sorted(shop.tables)
    ['customers', 'experiment', 'products', 'ratings', 'transactions']
    """
    rng = np.random.default_rng(seed)
    range_ = products.simulate_products(rng)
    people, truth = orders.simulate_customers(rng, customers)
    placed = orders.simulate_orders(rng, people, truth)
    lines = orders.simulate_lines(rng, placed, truth, range_)
    log = pd.DataFrame(
        {
            "customer_id": people["customer_id"].to_numpy()[placed["customer"].to_numpy()[lines["order"]]],
            "order_id": [f"{number:06d}" for number in lines["order"] + 500_001],
            "ordered_at": placed["ordered_at"].to_numpy()[lines["order"]],
            "product_id": range_["product_id"].to_numpy()[lines["product"]],
            "quantity": lines["quantity"].to_numpy(),
            "unit_price": range_["price"].to_numpy()[lines["product"]],
        }
    ).merge(people[["customer_id", "country"]], on="customer_id", how="left")
    sound = log.copy()
    log = _with_faults(rng, log)
    first = sound.sort_values("ordered_at", kind="stable").drop_duplicates(["customer_id", "product_id"])
    ratings = campaign.simulate_ratings(rng, first[["customer_id", "product_id", "ordered_at"]], orders.END)
    before = sound[sound["ordered_at"] < campaign.SENT].assign(spend=lambda t: t["quantity"] * t["unit_price"])
    past = before.groupby("customer_id", as_index=False).agg(
        past_orders=("order_id", "nunique"), past_spend=("spend", "sum")
    )
    tables = {
        "transactions": log,
        "products": range_.drop(columns=["price", "popularity"]),
        "customers": people.sort_values("customer_id", ignore_index=True),
        "ratings": ratings,
        "experiment": campaign.simulate_campaign(rng, past),
    }
    return Shop(
        tables, truth[["customer_id", "segment", "rate", "leaves"]].sort_values("customer_id", ignore_index=True)
    )


def _with_faults(rng: np.random.Generator, log: pd.DataFrame) -> pd.DataFrame:
    """Spoil a sound log as real ones are: 3 % guest orders, 2 % of lines cancelled, 0.3 % samples at no price."""
    numbers = log["order_id"].unique()
    guests = rng.choice(numbers, round(0.03 * len(numbers)), replace=False)
    log = log.assign(customer_id=log["customer_id"].where(~log["order_id"].isin(guests)))
    returned = log[rng.random(len(log)) < 0.02].copy()
    returned["order_id"] = "C" + returned["order_id"]
    returned["ordered_at"] += pd.to_timedelta(rng.integers(86400, 20 * 86400, len(returned)), unit="s")
    returned["quantity"] *= -1
    returned = returned[returned["ordered_at"] < orders.END]
    log.loc[rng.random(len(log)) < 0.003, "unit_price"] = 0.0
    log = pd.concat([log, returned])
    return log.sort_values(["ordered_at", "order_id", "product_id"], kind="stable", ignore_index=True)


def write_shop(shop: Shop, folder: Path) -> list[Path]:
    """Write the tables of a shop: small ones as csv, which people can read, the log and the ratings as parquet."""
    paths = []
    for name, table in shop.tables.items():
        large = name in ("transactions", "ratings")
        path = folder / f"{name}.{'parquet' if large else 'csv'}"
        with written_aside(path) as aside:
            if large:
                times = table.select_dtypes("datetime").columns
                table.astype(dict.fromkeys(times, "datetime64[s]")).to_parquet(aside, index=False, compression="zstd")
            else:
                table.to_csv(aside, index=False, lineterminator="\n")
        paths.append(path)
    return paths
