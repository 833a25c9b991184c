"""What is in the baskets of the simulated shop, and the stars that customers leave.

A choice of a customer falls on one of the own favourites, else on a product by taste for its category and popularity in
it. Both drift: the taste moves from one to another in a straight line from the first day of the log to the last, and a
part of the favourites is given up for others, each on a day of its own. What is used up is bought again in the first
order after it has run out. Types of customers lean towards categories.
"""

from dataclasses import dataclass

import numpy as np

from customerlab.data.simulate.products import CATEGORIES, EACH, FESTIVE, USED_UP, Assortment
from customerlab.data.simulate.purchasing import DAYS, Calendar, Customers, Orders

# how often each type of customer (rows as in SEGMENTS) is drawn to each category (columns as in CATEGORIES)
LEANING = np.array(
    [
        [1.6, 1.2, 0.6, 0.8, 1.2, 1.0, 0.8, 1.0, 1.4, 0.4],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.4, 1.0, 0.8, 0.8],
        [1.2, 0.8, 0.4, 0.4, 0.4, 0.8, 0.4, 1.8, 1.8, 2.0],
        [0.8, 1.2, 2.0, 1.2, 0.8, 0.8, 1.2, 0.6, 0.4, 1.0],
        [1.0, 0.8, 1.2, 1.6, 0.8, 2.4, 1.0, 0.4, 0.4, 0.4],
    ]
)
BREADTH = 5.0  # sum of the Dirichlet parameters of a taste: the smaller, the fewer categories
DRIFT = 0.6  # share of the taste at the end that is new
HABITS = 8  # favourites of a customer
GIVEN_UP = 0.5  # share of favourites that are given up for others during the log
STAPLES = 2  # products that a customer uses up
FESTIVE_SHARE = 0.2  # of choices in the last three months of a year
WITH_PARTNER = 0.35  # chance that a planted partner comes into the basket too
RATED, WITH_TEXT = 0.15, 0.4  # share of first purchases that are rated, and of ratings that have a text
TEXTS = (
    ("Broke within a week.", "Nothing like the picture.", "I sent it back.", "A waste of money."),
    ("Smaller than I had hoped.", "The colour is off.", "Flimsy for the price.", "Would not buy it again."),
    ("Does what it should.", "All right for the price.", "Neither good nor bad.", "Took a while to arrive."),
    ("Well made and pretty.", "A good buy.", "Just as described.", "Would buy it again."),
    ("I love it!", "Bought three more as gifts.", "Even better than in the picture.", "The best one I have had."),
)


@dataclass(frozen=True)
class Tastes:
    """What draws each customer."""

    # of shape (2, customers, categories), shares that sum to one: on the first day of the log, and on the last
    taste: np.ndarray
    favourites: np.ndarray  # of int of shape (2, customers, HABITS), products: before and after a change
    # of int of shape (customers, HABITS), day from which the second holds; `DAYS` where it never does
    change: np.ndarray
    staples: np.ndarray  # of int of shape (customers, STAPLES), products that are used up and bought again
    every: np.ndarray  # of shape (customers, STAPLES): days that each lasts
    begun: np.ndarray  # of shape (customers, STAPLES): the day on which one was begun

    def favourite(self, customer: np.ndarray, place: np.ndarray, day: np.ndarray | int) -> np.ndarray:
        """The favourites of customers in given places on given days."""
        changed = (self.change[customer, place] <= day).astype("int64")
        return self.favourites[changed, customer, place]


@dataclass(frozen=True)
class Lines:
    """Order lines, one a product and order, sorted by both."""

    order: np.ndarray  # of int: row in `Orders`
    product: np.ndarray  # of int: row in `Assortment`
    quantity: np.ndarray  # of int: pieces
    price: np.ndarray  # of a piece, two decimals

    def paid(self, orders: Orders) -> np.ndarray:
        """What each order costs."""
        return np.bincount(self.order, self.quantity * self.price, minlength=len(orders))


def _pick_product(rng: np.random.Generator, category: np.ndarray, goods: Assortment) -> np.ndarray:
    """One product of each category, by popularity."""
    edges = goods.popularity.reshape(-1, EACH).cumsum(axis=1) + np.arange(len(CATEGORIES))[:, None]
    return np.minimum(np.searchsorted(edges.ravel(), category + rng.random(len(category))), category * EACH + EACH - 1)


def _pick(
    rng: np.random.Generator, customer: np.ndarray, day: np.ndarray, taste: np.ndarray, goods: Assortment
) -> np.ndarray:
    """One product for each customer and day, by own taste for categories and popularity within."""
    edges = taste.reshape(-1, len(CATEGORIES)).cumsum(axis=1)
    new = rng.random(len(customer)) * DAYS < day  # a mixture of both tastes, by the share of the log that has passed
    row = customer + taste.shape[1] * new
    place = np.searchsorted((edges + np.arange(len(edges))[:, None]).ravel(), row + rng.random(len(customer)))
    return _pick_product(rng, np.clip(place - row * len(CATEGORIES), 0, len(CATEGORIES) - 1), goods)


def simulate_tastes(rng: np.random.Generator, customers: Customers, goods: Assortment) -> Tastes:
    """Draw every customer's tastes for categories, the products that habit brings back, and those that are used up."""
    size = len(customers)
    leaning = LEANING[customers.segment] * BREADTH / LEANING.sum(axis=1).mean()
    first, new = rng.standard_gamma(np.stack([leaning, leaning])) + 1e-12  # scaled to sums of one: Dirichlet
    first, new = (t / t.sum(axis=1, keepdims=True) for t in (first, new))
    taste = np.stack([first, (1 - DRIFT) * first + DRIFT * new])
    change = np.where(rng.random((size, HABITS)) < GIVEN_UP, rng.integers(0, DAYS, (size, HABITS)), DAYS)
    customer = np.repeat(np.arange(size), HABITS)
    favourites = np.stack([_pick(rng, customer, np.zeros(len(customer)), taste, goods).reshape(size, HABITS)] * 2)
    given_up = change < DAYS
    favourites[1][given_up] = _pick(rng, np.nonzero(given_up)[0], change[given_up], taste, goods)
    category = rng.choice(np.flatnonzero(USED_UP), size * STAPLES)
    staples = _pick_product(rng, category, goods)
    staples = np.where(goods.launch[staples] < 0, staples, goods.instead[staples]).reshape(size, STAPLES)
    every = goods.lasts[staples] * rng.lognormal(0.0, 0.15, staples.shape)
    return Tastes(taste, favourites, change, staples, every, every * rng.random(staples.shape))


def affinities(customers: Customers, tastes: Tastes, goods: Assortment, day: int) -> np.ndarray:
    """The true chance that a choice of a customer on a day falls on a product, of shape (customers, products).

    Rows sum to one: habit's share on the favourites, the rest by taste and popularity. Season, launches, partners and
    what is bought again because it is used up are left aside.
    """
    habit = customers.trait("habit")[:, None]
    taste = tastes.taste[0] + (tastes.taste[1] - tastes.taste[0]) * day / DAYS
    chance = (1 - habit) * np.repeat(taste, EACH, axis=1) * goods.popularity
    everybody = np.arange(len(chance))
    for place in range(HABITS):
        chance[everybody, tastes.favourite(everybody, np.full(len(chance), place), day)] += habit[:, 0] / HABITS
    return chance


def _used_up(orders: Orders, tastes: Tastes) -> tuple[np.ndarray, np.ndarray]:
    """Orders and the staples that are bought in them: in the first order, and in the first after each has run out."""
    by_customer = orders.by_customer
    customer, day = orders.customer[by_customer], orders.day[by_customer]
    count = np.floor((day[:, None] - tastes.begun[customer]) / tastes.every[customer])  # used up until then
    due = np.ones(count.shape, dtype=bool)
    due[1:] = (count[1:] > count[:-1]) | (customer[1:] != customer[:-1])[:, None]
    row, column = np.nonzero(due)
    return by_customer[row], tastes.staples[customer[row], column]


def simulate_lines(
    rng: np.random.Generator, orders: Orders, customers: Customers, tastes: Tastes, goods: Assortment, time: Calendar
) -> Lines:
    """Fill the baskets: habit, else taste and popularity; Christmas goods in season; what is used up; planted partners.

    The dearer the order, the more lines it has. Quantities spread what the customer means to spend over the lines, at
    least one piece each. Where an order must cost what was meant, prices are scaled to it, as a discount would.
    """
    many = orders.value / customers.usual[orders.customer]
    size = 1 + rng.poisson((customers.trait("lines")[orders.customer] - 1) * many)
    order = np.repeat(
        orders.by_customer, size[orders.by_customer]
    )  # customer by customer, whose tastes are then at hand
    buyer, day = orders.customer[order], orders.day[order]
    habit = rng.random(len(order)) < customers.trait("habit")[buyer]
    product, others, habit = np.empty(len(order), dtype="int64"), np.flatnonzero(~habit), np.flatnonzero(habit)
    product[habit] = tastes.favourite(buyer[habit], rng.integers(0, HABITS, len(habit)), day[habit])
    product[others] = _pick(rng, buyer[others], day[others], tastes.taste, goods)
    festive = others[(time.month[day[others]] >= 10) & (rng.random(len(others)) < FESTIVE_SHARE)]
    product[festive] = _pick_product(rng, np.full(len(festive), FESTIVE), goods)
    product = np.where(goods.launch[product] > day, goods.instead[product], product)
    partner = goods.partner[product]
    joined = np.flatnonzero((partner >= 0) & (rng.random(len(order)) < WITH_PARTNER))
    again, staple = _used_up(orders, tastes)
    key = np.concatenate([order, order[joined], again]) * len(goods)
    key += np.concatenate([product, partner[joined], staple])
    key.sort()  # and not np.unique, which hashes first and takes ten times as long
    order, product = np.divmod(key[np.diff(key, prepend=-1) > 0], len(goods))
    weight = rng.exponential(1.0, len(order))
    total = np.bincount(order, weight, minlength=len(orders))
    price = goods.price[product]
    quantity = np.maximum(np.rint(orders.value[order] * weight / total[order] / price), 1).astype("int64")
    exact = np.flatnonzero(orders.test[order] > 0)
    scale = orders.value / np.bincount(order, quantity * price, minlength=len(orders))
    price[exact] = np.maximum(np.round(price[exact] * scale[order[exact]], 2), 0.01)
    return Lines(order, product, quantity, price)


@dataclass(frozen=True)
class Ratings:
    """Ratings, as arrays of one entry each."""

    line: np.ndarray  # of int: row in `Lines`
    stars: np.ndarray  # of int: 1 to 5
    after: np.ndarray  # of int: seconds from the order to the rating
    text: np.ndarray  # of int: place in `TEXTS`, row by row; -1 where there is none


def simulate_ratings(
    rng: np.random.Generator, orders: Orders, lines: Lines, tastes: Tastes, goods: Assortment
) -> Ratings:
    """Stars for a part of what customers bought for the first time: own and product bias, taste at first, noise."""
    _, line = np.unique(orders.customer[lines.order] * len(goods) + lines.product, return_index=True)
    line = line[rng.random(len(line)) < RATED]
    customer, product = orders.customer[lines.order[line]], lines.product[line]
    taste = tastes.taste[0]
    own = rng.normal(0, 0.45, len(taste))
    fondness = 0.8 * (taste[customer, product // EACH] - 1 / len(CATEGORIES))
    level = 3.8 + own[customer] + goods.liking[product] + fondness + rng.normal(0, 0.7, len(line))
    stars = np.clip(np.rint(level), 1, 5).astype("int64")
    phrase = rng.integers(0, len(TEXTS[0]), len(line))
    text = np.where(rng.random(len(line)) < WITH_TEXT, (stars - 1) * len(TEXTS[0]) + phrase, -1)
    return Ratings(line, stars, rng.integers(2 * 86400, 21 * 86400, len(line)), text)
