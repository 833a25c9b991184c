"""Randomised tests of the simulated shop, with the true effect on every customer beside them.

A mail is opened, and then perhaps clicked, with chances of the segment; who clicks visits the shop, besides those who
would have come anyway. A visit leads to an order, an order to spending. The voucher brings more orders for less money,
and it annoys trade customers, who then come less: the segment that is harmed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.data.simulate.purchasing import SEGMENTS, START

SENT = pd.Timestamp("2024-10-07")  # customers who had ordered by this day take part
MORNINGS = 14  # on which the mails are sent, to as many customers each
SENT_DAY = (SENT - START).days
ARMS = ("control", "newsletter", "voucher")
OUTCOMES = ("visit", "conversion", "spend")
LOST = 0.35  # of the broken test's newsletter arm, the share of units that did not visit and were never logged

# chances of a visit without a mail, of opening, of clicking an opened mail, of ordering on a visit
BEHAVIOUR = pd.DataFrame(
    {"visit": [0.24, 0.14, 0.12, 0.06, 0.34], "open": [0.45, 0.35, 0.40, 0.20, 0.30], "click": [0.30, 0.25, 0.30, 0.15, 0.15],
     "order": [0.30, 0.20, 0.22, 0.12, 0.45]},
    index=SEGMENTS["segment"],
)  # fmt: skip
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
    """Who takes part: segment, and orders and spending before the test."""

    segment: np.ndarray
    past_orders: np.ndarray
    past_spend: np.ndarray

    def __len__(self) -> int:
        return len(self.segment)


def simulate_units(rng: np.random.Generator, size: int) -> Units:
    """Units for a test without a shop: segments by their shares, orders and spending about as in the shop.

    Examples
    --------
    >>> len(simulate_units(np.random.default_rng(1), 100))
    100
    """
    orders = 1 + rng.poisson(3, size)
    segment = rng.choice(len(SEGMENTS), size, p=SEGMENTS["share"])
    return Units(segment, orders, orders * rng.gamma(1.9, 200, size))


def expected(units: Units, arm: str) -> pd.DataFrame:
    """The true expectation of every outcome for every unit, were it in `arm`.

    Returns
    -------
    DataFrame
        `visit`, `conversion`, `spend`, one row a unit. The true effect of an arm on a unit is the difference from what
        is expected under the control; the average effect is the mean of these.
    """
    base = {name: BEHAVIOUR[name].to_numpy()[units.segment] for name in BEHAVIOUR}
    factor = {name: values[units.segment] for name, values in FACTORS[arm].items()}
    clicks = base["open"] * base["click"] * factor["click"]
    visit = 1 - (1 - base["visit"] * factor["visit"]) * (1 - clicks)
    conversion = visit * base["order"] * factor["order"]
    return pd.DataFrame(
        {"visit": visit, "conversion": conversion, "spend": conversion * _usual(units) * factor["money"]}
    )


def _usual(units: Units) -> np.ndarray:
    """The mean of what a unit spends when it orders after a mail, drawn to the shop's middle."""
    return 15 * np.sqrt(units.past_spend / units.past_orders)


def simulate_test(rng: np.random.Generator, units: Units, arms: tuple[str, ...] = ARMS) -> pd.DataFrame:
    """The outcomes of fourteen days after a mail, as the mail tool reports them.

    Parameters
    ----------
    rng : Generator
    units : Units
    arms : tuple of str
        Of `FACTORS`. The same arm twice makes an A/A test, whose second arm is called ``control again``.

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
    opened = mailed & (rng.random(size) < base["open"])
    clicked = opened & (rng.random(size) < base["click"] * factors["click"])
    visit = clicked | (rng.random(size) < base["visit"] * factors["visit"])
    conversion = visit & (rng.random(size) < base["order"] * factors["order"])
    spend = conversion * _usual(units) * factors["money"] * rng.lognormal(-0.08, 0.4, size)  # of mean one
    morning = SENT + pd.to_timedelta(np.arange(size) % MORNINGS, unit="D")
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
    """A test whose split is broken: in the mailed arm, many units that did not visit were never logged."""
    table = simulate_test(rng, units, ("control", "newsletter"))
    lost = (table["variant"] == "newsletter") & (table["visit"] == 0) & (rng.random(len(table)) < LOST)
    return table[~lost]
