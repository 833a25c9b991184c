"""What is in the baskets of the simulated shop, and the stars that customers leave."""

from dataclasses import dataclass

import numpy as np

from customerlab.data.simulate.products import CATEGORIES, EACH, FESTIVE, Assortment
from customerlab.data.simulate.purchasing import Calendar, Customers, Orders

HABITS = 5  # products that a customer comes back to
FESTIVE_SHARE = 0.2  # of choices in the last three months of a year
WITH_PARTNER = 0.35  # chance that a planted partner comes into the basket too
RATED, WITH_TEXT = 0.3, 0.4  # share of first purchases that are rated, and of ratings that have a text
TEXTS = (
    ("Broke within a week.", "Nothing like the picture.", "I sent it back.", "A waste of money."),
    ("Smaller than I had hoped.", "The colour is off.", "Flimsy for the price.", "Would not buy it again."),
    ("Does what it should.", "All right for the price.", "Neither good nor bad.", "Took a while to arrive."),
    ("Well made and pretty.", "A good buy.", "Just as described.", "Would buy it again."),
    ("I love it!", "Bought three more as gifts.", "Even better than in the picture.", "The best one I have had."),
)


@dataclass(frozen=True)
class Tastes:
    """What draws each customer.

    Attributes
    ----------
    taste : array of shape (customers, categories)
        Shares that sum to one.
    favourites : array of int of shape (customers, HABITS)
        Products.
    """

    taste: np.ndarray
    favourites: np.ndarray


@dataclass(frozen=True)
class Lines:
    """Order lines, one a product and order, sorted by both.

    Attributes
    ----------
    order, product, quantity : array of int
        Rows in `Orders` and in `Assortment`; pieces.
    """

    order: np.ndarray
    product: np.ndarray
    quantity: np.ndarray


def _pick_product(rng: np.random.Generator, category: np.ndarray, goods: Assortment) -> np.ndarray:
    """One product of each category, by popularity."""
    edges = goods.popularity.reshape(-1, EACH).cumsum(axis=1) + np.arange(len(CATEGORIES))[:, None]
    return np.minimum(np.searchsorted(edges.ravel(), category + rng.random(len(category))), category * EACH + EACH - 1)


def _pick(rng: np.random.Generator, customer: np.ndarray, taste: np.ndarray, goods: Assortment) -> np.ndarray:
    """One product for each customer, by own taste for categories and popularity within."""
    edges = taste.cumsum(axis=1) + np.arange(len(taste))[:, None]
    place = np.searchsorted(edges.ravel(), customer + rng.random(len(customer)))
    return _pick_product(rng, np.clip(place - customer * len(CATEGORIES), 0, len(CATEGORIES) - 1), goods)


def simulate_tastes(rng: np.random.Generator, size: int, goods: Assortment) -> Tastes:
    """Draw every customer's taste for categories and the products that habit brings back."""
    taste = rng.dirichlet(np.full(len(CATEGORIES), 0.5), size)
    favourites = _pick(rng, np.repeat(np.arange(size), HABITS), taste, goods).reshape(size, HABITS)
    return Tastes(taste, favourites)


def affinities(customers: Customers, tastes: Tastes, goods: Assortment) -> np.ndarray:
    """The true chance that a choice of a customer falls on a product, season, launches and partners left aside.

    Returns
    -------
    array of shape (customers, products)
        Rows sum to one: habit's share on the favourites, the rest by taste and popularity.
    """
    habit = customers.trait("habit")[:, None]
    chance = (1 - habit) * np.repeat(tastes.taste, EACH, axis=1) * goods.popularity
    for column in range(HABITS):
        chance[np.arange(len(chance)), tastes.favourites[:, column]] += habit[:, 0] / HABITS
    return chance


def simulate_lines(
    rng: np.random.Generator, orders: Orders, customers: Customers, tastes: Tastes, goods: Assortment, time: Calendar
) -> Lines:
    """Fill the baskets: habit, else taste and popularity; Christmas goods in season; planted partners.

    Quantities spread what the customer means to spend over the lines, at least one piece each.
    """
    size = 1 + rng.poisson(customers.trait("lines")[orders.customer] - 1)
    order = np.repeat(np.arange(len(orders)), size)
    buyer, day = orders.customer[order], orders.day[order]
    product = _pick(rng, buyer, tastes.taste, goods)
    festive = (time.month[day] >= 10) & (rng.random(len(order)) < FESTIVE_SHARE)
    product[festive] = _pick_product(rng, np.full(festive.sum(), FESTIVE), goods)
    by_habit = np.flatnonzero(rng.random(len(order)) < customers.trait("habit")[buyer])
    product[by_habit] = tastes.favourites[buyer[by_habit], rng.integers(0, HABITS, len(by_habit))]
    product = np.where(goods.launch[product] > day, goods.instead[product], product)
    partner = goods.partner[product]
    joined = np.flatnonzero((partner >= 0) & (rng.random(len(order)) < WITH_PARTNER))
    key = np.concatenate([order * len(goods) + product, order[joined] * len(goods) + partner[joined]])
    key.sort()  # and not np.unique, which hashes first and takes ten times as long
    order, product = np.divmod(key[np.diff(key, prepend=-1) > 0], len(goods))
    weight = rng.exponential(1.0, len(order))
    total = np.bincount(order, weight, minlength=len(orders))
    money = orders.value[order] * weight / total[order]
    return Lines(order, product, np.maximum(np.rint(money / goods.price[product]), 1).astype("int64"))


@dataclass(frozen=True)
class Ratings:
    """Ratings, as arrays of one entry each.

    Attributes
    ----------
    line : array of int
        Row in `Lines`.
    stars : array of int
        1 to 5.
    after : array of int
        Seconds from the order to the rating.
    text : array of int
        Place in `TEXTS`, row by row; -1 where there is none.
    """

    line: np.ndarray
    stars: np.ndarray
    after: np.ndarray
    text: np.ndarray


def simulate_ratings(
    rng: np.random.Generator, orders: Orders, lines: Lines, tastes: Tastes, goods: Assortment
) -> Ratings:
    """Stars for a part of what customers bought for the first time: own and product bias, taste, noise."""
    _, line = np.unique(orders.customer[lines.order] * len(goods) + lines.product, return_index=True)
    line = line[rng.random(len(line)) < RATED]
    customer, product = orders.customer[lines.order[line]], lines.product[line]
    own = rng.normal(0, 0.45, len(tastes.taste))
    fondness = 0.8 * (tastes.taste[customer, product // EACH] - 1 / len(CATEGORIES))
    level = 3.8 + own[customer] + goods.liking[product] + fondness + rng.normal(0, 0.7, len(line))
    stars = np.clip(np.rint(level), 1, 5).astype("int64")
    phrase = rng.integers(0, len(TEXTS[0]), len(line))
    text = np.where(rng.random(len(line)) < WITH_TEXT, (stars - 1) * len(TEXTS[0]) + phrase, -1)
    return Ratings(line, stars, rng.integers(2 * 86400, 21 * 86400, len(line)), text)
