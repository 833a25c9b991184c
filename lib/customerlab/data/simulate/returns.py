"""What comes back to the simulated shop: lines that are returned, and orders that are annulled minutes later.

Products differ in how often they are returned (`Assortment.prone`), and so do types of customers (`SEGMENTS`) and
customers within a type. Now and then a number of pieces is mistyped: the order is very large, and is annulled.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customerlab.data.simulate.choice import Lines
from customerlab.data.simulate.products import Assortment
from customerlab.data.simulate.purchasing import Customers, Orders

CUSTOMER_SHAPE = 0.7  # of the Gamma distribution of customers' proneness to return, within a type
WHOLE = 0.1  # share of returned lines of which all pieces come back
DAYS_LATER = 20  # after which nothing is returned any more
MINUTES_LATER = 60  # within which an order is annulled
MISTYPED = 0.08  # share of annulled orders in which a number of pieces was mistyped
MISTYPED_MONEY, MISTYPED_SPREAD = 30_000.0, 0.7  # median and log-normal spread of what such an order costs


def annul(rng: np.random.Generator, orders: Orders, lines: Lines, customers: Customers) -> tuple[Lines, np.ndarray]:
    """Draw which orders are annulled, and mistype some of their lines. Responses are never annulled."""
    annulled = (rng.random(len(orders)) < customers.trait("annulled")[orders.customer]) & (orders.test == 0)
    mistyped = annulled & (rng.random(len(orders)) < MISTYPED)
    first = np.searchsorted(lines.order, np.flatnonzero(mistyped))
    money = MISTYPED_MONEY * rng.lognormal(0.0, MISTYPED_SPREAD, len(first))
    quantity = lines.quantity.copy()
    quantity[first] = np.maximum(np.rint(money / lines.price[first]), 1)
    return Lines(lines.order, lines.product, quantity, lines.price), annulled


def returns(
    rng: np.random.Generator, log: pa.Table, orders: Orders, lines: Lines, customers: Customers, goods: Assortment,
    annulled: np.ndarray,
) -> pa.Table:  # fmt: skip
    """Lines that come back, as cancellations: a ``C`` before the order's number, quantities below zero.

    `log` holds the order lines, row by row those of `lines`.
    """
    own = customers.trait("returned") * rng.gamma(CUSTOMER_SHAPE, 1 / CUSTOMER_SHAPE, len(customers))
    whole = annulled[lines.order]
    chance = own[orders.customer[lines.order]] * goods.prone[lines.product]
    back = np.flatnonzero(whole | (rng.random(len(lines.order)) < chance))
    whole, part = whole[back], log.take(pa.array(back))
    share = np.where(whole | (rng.random(len(back)) < WHOLE), 1.0, rng.uniform(0.1, 0.9, len(back)))
    at_once = 60 * rng.integers(1, MINUTES_LATER, len(orders))[lines.order[back]]
    later = np.where(whole, at_once, rng.integers(86400, DAYS_LATER * 86400, len(back)))
    when = part["ordered_at"].to_numpy() + later.astype("timedelta64[s]")
    order = pc.binary_join_element_wise("C", part["order_id"].cast(pa.string()), "")
    quantity = -np.ceil(lines.quantity[back] * share).astype("int64")
    part = part.set_column(1, "order_id", order.combine_chunks().dictionary_encode())
    return part.set_column(2, "ordered_at", pa.array(when)).set_column(4, "quantity", pa.array(quantity))
