"""Decisions of the simulated shop: which of five banners the home page shows to a customer who visits it.

The chance of a click is that of the banner and of what is known at the visit (`CLICKED`), lower where the banner is in
the middle of the page. So the value of any policy is known, as is the best one. For a month the banner is drawn with
equal chances, then by an epsilon-greedy policy that learns every night; the log has the chance of each choice.
"""

import numpy as np
import pyarrow as pa

from customerlab.data.simulate.purchasing import START, Calendar, Orders, seconds

DAY = 86400
ACTIONS = ("bestsellers", "garden ideas", "new range", "reviews", "voucher")
FIRST, UNIFORM, LAST = 428, 30, 519  # 2024-09-01 to 2024-12-01 in days of the calendar; how long equal chances last
VISITS = 12.0  # mean number of visits of a customer who has ordered before; Gamma, of shape 1
EXPLORED = 0.5  # share of the decisions of the learning policy that are drawn with equal chances
POLICIES = ("equal shares", "epsilon-greedy")
POSITIONS, PLACED, LOWER = ("top", "middle"), (0.7, 0.3), 0.6  # shares of the places, and what the second multiplies
FREQUENT = 4  # orders before the visit
# chances of a click at the top of the page, by orders before (below `FREQUENT`, or from it on) and device (desktop,
# mobile), in the order of `ACTIONS`
CLICKED = np.array(
    [
        [[0.06, 0.05, 0.035, 0.07, 0.14], [0.05, 0.035, 0.025, 0.04, 0.11]],
        [[0.06, 0.06, 0.19, 0.05, 0.06], [0.05, 0.04, 0.14, 0.03, 0.04]],
    ]
)


def simulate_decisions(
    rng: np.random.Generator, orders: Orders, names: pa.Array, time: Calendar
) -> tuple[pa.Table, pa.Table]:
    """Show banners to those who visit the home page, and draw their clicks.

    Returns
    -------
    (Table, Table)
        The log, by time: `decided_at`, `customer_id`, `policy`, `position`, `orders_before`, `days_since_order`,
        `mobile` (0 or 1), `banner`, `propensity`, `clicked` (0 or 1). And the truth, row by row: the chance of a click
        of each banner.
    """
    size = len(names)
    customer = np.repeat(np.arange(size), rng.poisson(rng.exponential(VISITS, size)))
    day = rng.integers(FIRST, LAST, len(customer))
    moment = day * DAY + seconds(rng, day, time)
    mobile = (rng.random(size) < 0.5)[customer] ^ (rng.random(len(customer)) < 0.1)  # most use one device
    before, since = _known(orders, customer, moment)
    kept = np.flatnonzero(before > 0)
    kept = kept[np.lexsort((customer[kept], moment[kept]))]
    customer, day, moment = customer[kept], day[kept], moment[kept]
    mobile, before, since = mobile[kept], before[kept], since[kept]
    place = (rng.random(len(kept)) >= PLACED[0]).astype(int)
    chance = CLICKED[(before >= FREQUENT).astype(int), mobile.astype(int)] * np.where(place == 1, LOWER, 1.0)[:, None]
    action, propensity, clicked = _decided(rng, day, chance)
    uniform = day < FIRST + UNIFORM
    log = {
        "decided_at": pa.array(np.datetime64(START, "s") + moment.astype("timedelta64[s]")),
        "customer_id": names.take(pa.array(customer)),
        "policy": pa.array(np.where(uniform, *POLICIES)),
        "position": pa.array(np.array(POSITIONS)[place]),
        "orders_before": pa.array(before),
        "days_since_order": pa.array(since),
        "mobile": pa.array(mobile.astype("int8")),
        "banner": pa.array(np.array(ACTIONS)[action]),
        "propensity": pa.array(propensity),
        "clicked": pa.array(clicked.astype("int8")),
    }
    truth = {name.replace(" ", "_"): pa.array(column) for name, column in zip(ACTIONS, chance.T, strict=True)}
    return pa.table(log), pa.table({"decided_at": log["decided_at"], "customer_id": log["customer_id"], **truth})


def _known(orders: Orders, customer: np.ndarray, moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orders of each customer before a moment, and whole days since the last of them."""
    far = 2 * DAY * 10_000  # one scale of time for each customer
    rows = orders.by_customer
    at = orders.customer[rows] * far + orders.moment[rows]
    last = np.searchsorted(at, customer * far + moment)
    before = last - np.searchsorted(at, customer * far)
    since = (customer * far + moment - at[np.maximum(last - 1, 0)]) // DAY
    return before, np.where(before > 0, since, -1)


def _decided(rng: np.random.Generator, day: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, ...]:
    """The banner of each decision, its propensity, and whether it was clicked; days are sorted."""
    number = len(ACTIONS)
    shown, clicks = np.zeros(number), np.zeros(number)
    found = []
    for today in range(FIRST, LAST):
        rows = slice(*np.searchsorted(day, [today, today + 1]))
        explored = 1.0 if today < FIRST + UNIFORM else EXPLORED
        probability = np.full(number, explored / number)
        probability[(clicks / np.maximum(shown, 1)).argmax()] += 1 - explored
        size = len(chance[rows])
        action = rng.choice(number, size, p=probability)
        clicked = rng.random(size) < chance[rows][np.arange(size), action]
        found.append((action, probability[action], clicked))
        shown += np.bincount(action, minlength=number)
        clicks += np.bincount(action, clicked, minlength=number)
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))
