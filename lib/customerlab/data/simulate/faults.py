"""Faults of real logs, planted on request, with the list of what was spoiled."""

import numpy as np
import pandas as pd

# share of lines, but of orders for guests
SHARES = {"guest": 0.03, "sample": 0.003, "test_order": 0.001, "outlier": 0.0003, "duplicate": 0.005}
TEST_CUSTOMER, TEST_PRODUCT = "TEST", "TEST"


def spoil(rng: np.random.Generator, log: pd.DataFrame, spared: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spoil a sound log of order lines, but for the orders `spared`; no line twice, so that each fault has one cause.

    Returns
    -------
    log : DataFrame
        With guest orders (no customer), samples (price zero), test orders (of a test customer and product), outliers (a
        bar code of eight digits typed as quantity) and duplicates (rows that stand twice).
    faults : DataFrame
        One row a spoiled or added line: `fault`, `order_id`, `product_id`, as they stand in the spoiled log.
    """
    log = log.reset_index(drop=True)
    size, found = len(log), []
    apart = log["order_id"].isin(spared).to_numpy()
    orders = log.loc[~apart, "order_id"].unique()
    guests = rng.choice(orders, round(SHARES["guest"] * len(orders)), replace=False)
    guest = log["order_id"].isin(guests).to_numpy()
    # the rest on lines of their own, none of a guest and none that is a return already
    free = rng.permutation(np.flatnonzero(~guest & ~apart & (log["quantity"].to_numpy() > 0)))
    counts = {name: max(round(share * size), 1) for name, share in SHARES.items() if name != "guest"}
    parts = np.split(free, np.cumsum(list(counts.values())))
    rows = {"guest": np.flatnonzero(guest), **dict(zip(counts, parts, strict=False))}
    log.loc[rows["guest"], "customer_id"] = None
    log.loc[rows["sample"], "unit_price"] = 0.0
    log.loc[rows["outlier"], "quantity"] = rng.integers(50_000_000, 51_000_000, len(rows["outlier"]))
    tests = log.loc[rows["test_order"]].assign(
        customer_id=TEST_CUSTOMER, product_id=TEST_PRODUCT, order_id="T" + log.loc[rows["test_order"], "order_id"]
    )
    doubled = log.loc[rows["duplicate"]]
    for fault in ("guest", "sample", "outlier"):
        found.append(log.loc[rows[fault], ["order_id", "product_id"]].assign(fault=fault))
    for fault, added in (("test_order", tests), ("duplicate", doubled)):
        found.append(added[["order_id", "product_id"]].assign(fault=fault))
    faults = pd.concat(found, ignore_index=True)[["fault", "order_id", "product_id"]]
    return pd.concat([log, tests, doubled], ignore_index=True), faults
