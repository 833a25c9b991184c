"""Randomised tests of the simulated shop, with the true effect on every customer beside them.

A mail is opened, and then perhaps clicked, with chances of the segment; who clicks visits the shop, besides those who
would have come anyway. A visit leads to an order, an order to spending. The chances of a visit and of opening are those
at full attention, which falls with the days since the last order and is low for customers who are dormant or gone.
The voucher brings more orders for less money, and it annoys trade customers, who come less: the segment that is harmed.
The orders of a unit in the fourteen days after its mail are those of the test, in the shop's log as well.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.data.simulate.purchasing import SEGMENTS, START, STATES, Calendar, Customers, Orders, seconds

MORNINGS = 14  # on which the mails are sent, to as many customers each
WINDOW = 14  # days for which outcomes are measured
ARMS = ("control", "newsletter", "voucher")
# the tests of the shop in the order of time: the day of the first mails (who had ordered by then takes part), and arms
TESTS = {
    "aa_test": (pd.Timestamp("2024-03-04"), ("control", "control")),
    "broken_test": (pd.Timestamp("2024-06-03"), ("control", "newsletter")),
    "experiment": (pd.Timestamp("2024-10-07"), ARMS),
}
OUTCOMES = ("visit", "conversion", "spend")
LOST = 0.35  # of the broken test's newsletter arm, the share of units that did not visit and were never logged

# chances of a visit without a mail and of opening one, at full attention; of clicking in it, of ordering on a visit
BEHAVIOUR = pd.DataFrame(
    {"visit": [0.65, 0.28, 0.45, 0.10, 0.85], "open": [0.55, 0.45, 0.50, 0.30, 0.40], "click": [0.30, 0.25, 0.30, 0.15, 0.15],
     "order": [0.50, 0.35, 0.40, 0.15, 0.60]},
    index=SEGMENTS["segment"],
)  # fmt: skip
ATTENTION = np.array([1.0, 0.6, 0.2])  # by state: active, dormant, gone
KEPT = 0.5  # what is left of it long after the last order
FADES = 150.0  # days in which the rest falls to a third
# what an arm multiplies, by segment: clicking, visiting anyway, ordering, the money of an order
FACTORS = {
    "control": {"click": np.zeros(5), "visit": np.ones(5), "order": np.ones(5), "money": np.ones(5)},
    "newsletter": {"click": np.ones(5), "visit": np.ones(5), "order": np.full(5, 1.05), "money": np.ones(5)},
    "voucher": {
        "click": np.array([1.1, 1.4, 1.5, 1.3, 0.5]),
        "visit": np.array([1.0, 1.0, 1.0, 1.0, 0.6]),
        "order": np.array([1.2, 1.4, 1.4, 1.3, 0.9]),
        "money": np.full(5, 0.92),
    },
}


@dataclass(frozen=True)
class Units:
    """Who takes part, as arrays of one entry each."""

    segment: np.ndarray  # of int: row of `SEGMENTS`
    state: np.ndarray  # of int: place in `STATES`, when the first mail is sent
    recency: np.ndarray  # of int: days since the last order, when the first mail is sent
    past_orders: np.ndarray  # of int: orders until then
    past_spend: np.ndarray  # money of these orders
    usual: np.ndarray  # mean value of the unit's orders

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def attention(self) -> np.ndarray:
        """The factor on the chances of a visit and of opening a mail."""
        return (KEPT + (1 - KEPT) * np.exp(-self.recency / FADES)) * ATTENTION[self.state]

    @property
    def meant(self) -> np.ndarray:
        """The mean of what a unit spends when it orders without a voucher, drawn to the shop's middle."""
        return 15 * np.sqrt(self.usual)


def simulate_units(rng: np.random.Generator, size: int) -> Units:
    """Units for a test without a shop: segments by their shares, states, recency and past about as in the shop.

    Examples
    --------
    >>> len(simulate_units(np.random.default_rng(1), 100))
    100
    """
    orders = 1 + rng.poisson(3, size)
    segment = rng.choice(len(SEGMENTS), size, p=SEGMENTS["share"])
    usual = rng.gamma(1.9, 200, size)
    state = rng.choice(len(STATES), size, p=(0.5, 0.35, 0.15))
    recency = np.floor(rng.exponential(np.array([60, 150, 200])[state])).astype("int64")
    return Units(segment, state, recency, orders, orders * usual, usual)


def participants(orders: Orders, natural: Orders, customers: Customers, sent: pd.Timestamp) -> tuple[Units, np.ndarray]:
    """The customers who had ordered before the mails were first sent, as units, and their rows.

    `orders` are as they stand in the log; states come from the `natural` ones, as they would be without any test.
    """
    day = (sent - START).days
    count, last, _ = orders.before(day, len(customers))
    rows = np.flatnonzero(count)
    state = natural.before(day, len(customers))[2][rows]
    count, usual = count[rows], customers.usual[rows]
    return Units(customers.segment[rows], state, day - last[rows], count, count * usual, usual), rows


def placed(
    rng: np.random.Generator, orders: Orders, table: pd.DataFrame, units: Units, place: int, time: Calendar
) -> Orders:
    """The orders, in which those of the units in the window after their mail are those that the test reports.

    `table` has the outcomes, row by row of `units`; its index are rows in `Customers`. `place`, from 1, marks the
    orders.
    """
    members = table.index.to_numpy()
    exposed = ((table["exposed_at"] - START) // pd.Timedelta(seconds=1)).to_numpy()
    begin = np.full(max(orders.customer.max(), members.max()) + 1, np.iinfo("int64").max // 2)
    begin[members] = exposed
    since = orders.moment - begin[orders.customer]
    keep = (since < 0) | (since >= WINDOW * 86400)
    bought = np.flatnonzero(table["conversion"])
    members, exposed, size = members[bought], exposed[bought], len(bought)
    day = exposed // 86400 + np.minimum(rng.exponential(4.0, size), WINDOW - 1).astype("int64")
    second = seconds(rng, day, time)
    early = day * 86400 + second <= exposed  # on the morning of the mail, before it
    second = np.where(early, exposed % 86400 + rng.integers(60, 43200, size), second)
    added = (members, day, second, table["spend"].to_numpy()[bought], units.state[bought], np.full(size, place))
    own = (orders.customer, orders.day, orders.second, orders.value, orders.state, orders.test)
    return Orders.by_time(*(np.concatenate([old[keep], new]) for old, new in zip(own, added, strict=True)))


def expected(units: Units, arm: str) -> pd.DataFrame:
    """The true expectation of `visit`, `conversion` and `spend`, one row per unit, were it in `arm`.

    The true effect of an arm on a unit is the difference from what is expected under the control; the average effect is
    the mean of these.
    """
    base = {name: BEHAVIOUR[name].to_numpy()[units.segment] for name in BEHAVIOUR}
    factor = {name: values[units.segment] for name, values in FACTORS[arm].items()}
    attention = units.attention
    clicks = attention * base["open"] * base["click"] * factor["click"]
    visit = 1 - (1 - attention * base["visit"] * factor["visit"]) * (1 - clicks)
    conversion = visit * base["order"] * factor["order"]
    return pd.DataFrame({"visit": visit, "conversion": conversion, "spend": conversion * units.meant * factor["money"]})


def simulate_test(
    rng: np.random.Generator, units: Units, arms: tuple[str, ...] = ARMS, sent: pd.Timestamp = TESTS["experiment"][0]
) -> pd.DataFrame:
    """The outcomes of fourteen days after a mail, first `sent` on a day, as the mail tool reports them.

    `arms` are of `FACTORS`. The same arm twice makes an A/A test, whose second arm is called ``control again``.

    Returns
    -------
    DataFrame
        `variant`, `exposed_at`, `past_orders`, `past_spend`, `opened`, `clicked`, `visit`, `conversion`, `spend`.
    """
    size = len(units)
    arm = rng.integers(0, len(arms), size)
    base = {name: BEHAVIOUR[name].to_numpy()[units.segment] for name in BEHAVIOUR}
    factors = {k: np.stack([FACTORS[a][k] for a in arms])[arm, units.segment] for k in FACTORS["control"]}
    mailed = np.array([a != "control" for a in arms])[arm]
    attention = units.attention
    opened = mailed & (rng.random(size) < attention * base["open"])
    clicked = opened & (rng.random(size) < base["click"] * factors["click"])
    visit = clicked | (rng.random(size) < attention * base["visit"] * factors["visit"])
    conversion = visit & (rng.random(size) < base["order"] * factors["order"])
    spend = conversion * units.meant * factors["money"] * rng.lognormal(-0.08, 0.4, size)  # of mean one
    morning = sent + pd.to_timedelta(np.arange(size) % MORNINGS, unit="D")
    names = np.array(["control again" if place and a == "control" else a for place, a in enumerate(arms)])
    return pd.DataFrame(
        {
            "variant": names[arm],
            "exposed_at": morning + pd.to_timedelta(rng.integers(7 * 3600, 9 * 3600, size), unit="s"),
            "past_orders": units.past_orders,
            "past_spend": units.past_spend.round(2),
            "opened": opened.astype("int64"),
            "clicked": clicked.astype("int64"),
            "visit": visit.astype("int64"),
            "conversion": conversion.astype("int64"),
            "spend": np.round(spend, 2),
        }
    )


def simulate_broken_test(rng: np.random.Generator, units: Units) -> pd.DataFrame:
    """A test whose split is broken, as `unlogged` breaks it."""
    return unlogged(rng, simulate_test(rng, units, TESTS["broken_test"][1]))


def unlogged(rng: np.random.Generator, table: pd.DataFrame) -> pd.DataFrame:
    """A test without many units of the mailed arm that did not visit, as if they had never been logged."""
    lost = (table["variant"] == "newsletter") & (table["visit"] == 0) & (rng.random(len(table)) < LOST)
    return table[~lost]
