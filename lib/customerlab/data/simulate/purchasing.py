"""When customers of the simulated shop order and for how much: dormancy with return, seasons, Gamma-Gamma spend.

Each customer belongs to a latent segment and has an own rate of orders and an own chance to become dormant after an
order, the first included. While dormant the next order takes `SLOWER` times as long, and then all is as before; a few
are gone for good. So the process is the modified BG/NBD model of Batislam, Denizel and Filiztekin (2007), with a
drop-out that is final for some and a long absence for most. The value of an order is a Gamma variable whose rate is one
of the customer's own, again Gamma (Fader, Hardie and Lee 2005). Time runs faster in strong seasons, so that the process
is exact in its own time and seasonal on the calendar.

It is calibrated to Online Retail (UCI data set 352); `data/README.md` has the measures. Smaller than there, so that the
demo stays small, are the range, 1,000 products sold and not 3,665, and the baskets, 8.78 products an order, not 20.93.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

START, END = pd.Timestamp("2023-07-01"), pd.Timestamp("2025-01-01")  # 18 months, the end is not in it
DAYS = (END - START).days

# share of customers; orders a month (mean) and Gamma shape of the own rate; Beta parameters of the chance to become
# dormant after an order; share of these who never come back; factor on the value of an order; lines an order; share of
# lines chosen by habit; chances that a line is returned and that an order is annulled; shares of `COUNTRIES`
SEGMENTS = pd.DataFrame(
    [
        ("regular", 0.185, 0.65, 3.0, 1.2, 10.8, 0.05, 0.95, 8.0, 0.45, 0.012, 0.003, (0.86, 0.06, 0.04, 0.04)),
        ("occasional", 0.36, 0.14, 3.0, 0.5, 7.5, 0.05, 0.80, 7.0, 0.25, 0.016, 0.004, (0.88, 0.06, 0.03, 0.03)),
        ("gift giver", 0.205, 0.60, 3.0, 3.4, 3.6, 0.05, 0.80, 8.0, 0.10, 0.030, 0.004, (0.84, 0.08, 0.05, 0.03)),
        ("one-time", 0.21, 0.04, 3.0, 9.0, 1.0, 0.15, 0.75, 5.0, 0.05, 0.040, 0.006, (0.80, 0.08, 0.07, 0.05)),
        ("trade", 0.04, 2.00, 3.0, 2.0, 18.0, 0.05, 2.80, 14.0, 0.60, 0.010, 0.008, (0.55, 0.12, 0.15, 0.18)),
    ],
    columns=[
        "segment", "share", "rate", "rate_shape", "drop_a", "drop_b", "lost", "value", "lines", "habit", "returned",
        "annulled", "countries",
    ],
)  # fmt: skip
COUNTRIES = ("United Kingdom", "Ireland", "France", "Germany")
STATES = ("active", "dormant", "gone")  # what a customer is after an order
SLOWER = 3.0  # how much longer a gap lasts while dormant, on average
MONTH = np.array([0.70, 0.70, 0.85, 0.80, 0.95, 0.90, 0.85, 0.85, 1.05, 1.20, 1.70, 1.35])  # January first
WEEKDAY = np.array([1.10, 1.15, 1.10, 1.20, 1.00, 0.55, 0.90])  # Monday first
WORKDAY_HOUR = np.array([1, 0, 0, 0, 0, 1, 2, 4, 7, 10, 12, 11, 14, 11, 8, 6, 5, 5, 6, 8, 9, 7, 4, 2], dtype=float)
WEEKEND_HOUR = np.array([2, 1, 0, 0, 0, 0, 1, 2, 4, 7, 10, 12, 11, 9, 8, 8, 8, 9, 10, 12, 13, 10, 6, 3], dtype=float)
ALREADY_THERE = 0.35  # share of customers who had signed up before the log begins
ORDERS_AT_ONCE = 0.8  # share of sign-ups that are made to order
SPEND_P, SPEND_Q, SPEND_GAMMA = 1.9, 4.5, 650.0  # of the Gamma-Gamma model, in orders' money


@dataclass(frozen=True)
class Calendar:
    """The shop's own time: how much of it has passed by each day, and where in a day orders fall."""

    passed: np.ndarray  # of shape (days + 1,): own time in days; a mean day has length one
    month: np.ndarray  # of shape (days,)
    weekday: np.ndarray  # of shape (days,)
    hours: np.ndarray  # of shape (2, 24): cumulative shares of the hours of workdays and of weekends


def calendar() -> Calendar:
    """The calendar of the simulated shop."""
    days = pd.date_range(START, END, inclusive="left")
    weight = MONTH[days.month - 1] * WEEKDAY[days.day_of_week]
    passed = np.concatenate([[0.0], weight.cumsum()]) * DAYS / weight.sum()
    hours = np.array([h.cumsum() / h.sum() for h in (WORKDAY_HOUR, WEEKEND_HOUR)])
    return Calendar(passed, days.month.to_numpy(), days.day_of_week.to_numpy(), hours)


@dataclass(frozen=True)
class Customers:
    """Customers of one part of a shop, as arrays of one entry each; all but the sign-up is latent."""

    segment: np.ndarray  # of int: row of `SEGMENTS`
    signed_up: np.ndarray  # of int: day of the calendar; below zero for customers of before the log
    rate: np.ndarray  # orders a day of the shop's own time, while active
    drop: np.ndarray  # chance to become dormant after an order
    spend_rate: np.ndarray  # rate of the Gamma distribution of an order's value

    def __len__(self) -> int:
        return len(self.segment)

    def trait(self, name: str) -> np.ndarray:
        """A column of `SEGMENTS`, for every customer."""
        return SEGMENTS[name].to_numpy()[self.segment]

    @property
    def usual(self) -> np.ndarray:
        """The mean value of each customer's orders."""
        return SPEND_P / self.spend_rate


def simulate_customers(rng: np.random.Generator, size: int, time: Calendar) -> Customers:
    """Draw customers: segment, sign-up, own rate, own chance of dormancy, own scale of spending."""
    segment = rng.choice(len(SEGMENTS), size, p=SEGMENTS["share"])
    own_time = rng.random(size) * time.passed[-1]
    new = np.searchsorted(time.passed, own_time, side="right") - 1
    old = -1 - np.floor(rng.exponential(200.0, size)).astype("int64")
    shape = SEGMENTS["rate_shape"].to_numpy()[segment]
    rate = SEGMENTS["rate"].to_numpy()[segment] / 30.44 * rng.gamma(shape, 1 / shape)
    drop = rng.beta(SEGMENTS["drop_a"].to_numpy()[segment], SEGMENTS["drop_b"].to_numpy()[segment])
    spend_rate = rng.gamma(SPEND_Q, 1 / SPEND_GAMMA, size) / SEGMENTS["value"].to_numpy()[segment]
    return Customers(segment, np.where(rng.random(size) < ALREADY_THERE, old, new), rate, drop, spend_rate)


def countries(rng: np.random.Generator, customers: Customers) -> np.ndarray:
    """The place in `COUNTRIES` of every customer, by the shares of the segment."""
    edges = np.stack(SEGMENTS["countries"].to_list()).cumsum(axis=1)[customers.segment]
    return (rng.random((len(customers), 1)) > edges[:, :-1]).sum(axis=1).astype("int8")


@dataclass(frozen=True)
class Orders:
    """Orders, sorted by time."""

    customer: np.ndarray  # of int: row in `Customers`
    day: np.ndarray  # of int, of the calendar
    second: np.ndarray  # of int, of the day
    value: np.ndarray  # what the customer means to spend
    state: np.ndarray  # of int: place in `STATES`, what the customer is after the order, until the next
    # of int: place of the randomised test to which it was the response, from 1, and counted on from these, of the
    # campaign; 0 for all other orders
    test: np.ndarray

    def __len__(self) -> int:
        return len(self.customer)

    @classmethod
    def by_time(cls, *columns: np.ndarray) -> "Orders":
        """Sort the columns by time, those of the same second as they come."""
        order = np.argsort(columns[1] * 86400 + columns[2], kind="stable")
        return cls(*(column[order] for column in columns))

    @cached_property
    def by_customer(self) -> np.ndarray:
        """Rows sorted by customer, and by time."""
        return np.argsort(self.customer, kind="stable")

    @property
    def moment(self) -> np.ndarray:
        """Seconds since the beginning of the log."""
        return self.day * 86400 + self.second

    def before(self, day: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each of `size` customers: orders before a day, day of the last of them, and the state since.

        Where there is no order yet, both of the latter are zero.
        """
        known = self.day < day
        customer = self.customer[known]
        last, state = np.zeros((2, size), dtype="int64")
        last[customer], state[customer] = self.day[known], self.state[known]  # sorted by time: the last one stays
        return np.bincount(customer, minlength=size), last, state


def simulate_orders(rng: np.random.Generator, customers: Customers, time: Calendar) -> Orders:
    """Draw every customer's orders until the customer is gone or the log ends."""
    size, end = len(customers), time.passed[-1]
    begin = time.passed[np.maximum(customers.signed_up, 0)] + rng.random(size)
    delayed = (customers.signed_up < 0) | (rng.random(size) >= ORDERS_AT_ONCE)
    begin = begin + np.where(delayed, rng.exponential(1 / customers.rate), 0.0)
    # as many as an active customer can be expected to reach, and some more: chances beyond are below one in a million
    left = np.maximum(end - begin, 0.0) * customers.rate
    most = np.ceil(left + 4 * np.sqrt(left) + 6).astype("int64")
    gone = np.clip(customers.drop * customers.trait("lost"), 1e-9, 1.0)
    until_gone = rng.geometric(gone)
    planned = np.minimum(until_gone, most)
    customer = np.repeat(np.arange(size), planned)
    first = np.concatenate([[0], planned.cumsum()[:-1]])
    dormant = (customers.drop - gone) / (1 - np.minimum(gone, 1 - 1e-9))  # the chance of who is not gone
    state = (rng.random(len(customer)) < dormant[customer]).astype("int64")
    state[(first + planned - 1)[until_gone <= most]] = STATES.index("gone")
    gap = rng.exponential(1 / customers.rate[customer])
    gap[1:] *= np.where(state[:-1] > 0, SLOWER, 1.0)
    gap[first] = 0.0
    total = gap.cumsum()
    moment = begin[customer] + total - total[first][customer]
    within = moment < end
    customer, moment, state = customer[within], moment[within], state[within]
    day = np.searchsorted(time.passed, moment, side="right") - 1
    # orders of a customer on one day in the order of the process, whose states they carry
    second = np.sort((customer * DAYS + day) * 86400 + seconds(rng, day, time)) % 86400
    value = rng.gamma(SPEND_P, 1 / customers.spend_rate[customer])
    return Orders.by_time(customer, day, second, value, state, np.zeros(len(day), dtype="int64"))


def seconds(rng: np.random.Generator, day: np.ndarray, time: Calendar) -> np.ndarray:
    """A second of each day, by the hours at which the shop's customers order."""
    weekend = (time.weekday[day] >= 5).astype("int64")
    hour = np.searchsorted((time.hours + np.arange(2)[:, None]).ravel(), weekend + rng.random(len(day)), side="right")
    return hour % 24 * 3600 + rng.integers(0, 3600, len(day))
