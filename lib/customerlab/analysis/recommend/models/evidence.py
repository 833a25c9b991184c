"""Features of the hybrid: the scores of other models, and the histories of customer and product."""

from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.models.base import Model, Pairs, batches, from_last, pairs_of
from customerlab.analysis.recommend.split import Split

DEPTH = 50  # ranks of a model's list that are distinguished
NOMINATED = 20  # products of a model's list that become candidates


class Candidates(NamedTuple):
    """Products that are ranked for customers, sorted by both, with features of the pairs.

    `row` is the place of the customer among those asked for, `column` the product; `values`, of shape (candidates,
    features), are missing where a product was never bought by the customer.
    """

    row: np.ndarray
    column: np.ndarray
    values: np.ndarray


class Evidence:
    """Models fitted on a split, their candidates, and the features of these.

    A candidate is among the first 20 of one of the models, and scored above zero. Of every candidate is told, by each
    model, its score, its rank (50 and later alike) and its score as a share of the customer's highest; of the pair,
    the orders with it and their times; of the customer and of the product what their orders have in common. Models are
    given by the names that the features shall have.
    """

    def __init__(self, models: dict[str, Model]) -> None:
        self.models = models

    def fit(self, split: Split) -> Self:
        """Fit the models, and describe every customer, product and pair of both."""
        for model in self.models.values():
            model.fit(split)
        buyers = split.history.getnnz(axis=0)
        self.known_ = buyers > 0
        # products of the same number are equally popular: places do not tell them apart where scores do not
        popular = np.column_stack([split.recent_buyers, buyers])
        self.alike_ = np.r_[0, (np.diff(popular, axis=0) != 0).any(axis=1).cumsum()][: len(buyers)]
        pairs = pairs_of(split)
        self.keys_ = pairs.row.astype("int64") * len(buyers) + pairs.column
        self.of_pair_ = _of_pairs(pairs, split)
        self.of_customer_ = _of_customers(split)
        self.of_product_ = _of_products(pairs, split)
        return self

    @property
    def names(self) -> list[str]:
        """The names of the features."""
        of_models = [f"{name}: {what}" for name in self.models for what in ("score", "rank", "relative score")]
        return [*of_models, *self.of_pair_.columns, *self.of_customer_.columns, *self.of_product_.columns]

    def candidates(self, rows: np.ndarray) -> Candidates:
        """The candidates of some customers, with their features."""
        batch = batches(rows, len(self.known_))
        parts = [self._of_batch(some) for some in batch]
        row = np.concatenate([part.row + number * len(batch[0]) for number, part in enumerate(parts)])
        return Candidates(row, np.concatenate([p.column for p in parts]), np.concatenate([p.values for p in parts]))

    def _of_batch(self, rows: np.ndarray) -> Candidates:
        scores = [np.where(self.known_, model.scores(rows), 0.0) for model in self.models.values()]
        found = [places(part, self.alike_, DEPTH) for part in scores]
        row, column = np.nonzero(np.logical_or.reduce([part < NOMINATED for part in found]))
        key = rows[row].astype("int64") * len(self.known_) + column
        at = np.minimum(np.searchsorted(self.keys_, key), len(self.keys_) - 1)
        values = []
        for part, place in zip(scores, found, strict=True):
            score, highest = part[row, column], part.max(axis=1, initial=1e-12)
            values += [score, place[row, column], score / highest[row]]
        values += list(np.where((self.keys_[at] == key)[:, None], self.of_pair_.to_numpy()[at], np.nan).T)
        values += list(self.of_customer_.to_numpy()[rows[row]].T) + list(self.of_product_.to_numpy()[column].T)
        return Candidates(row, column, np.array(values, dtype="float32").T)


def places(scores: np.ndarray, alike: np.ndarray, most: int) -> np.ndarray:
    """The places of the best products of each row from 0, `most` for all later ones and for scores of zero.

    Equal scores go by popularity, and share a place where that is equal, too: `alike` rises from product to product,
    and is equal where they are equally popular.

    Examples
    --------
    >>> places(np.array([[0.0, 5.0, 2.0, 5.0, 5.0]]), np.array([0, 1, 2, 3, 3]), 4).tolist()
    [[4, 0, 3, 1, 1]]
    """
    found = np.full(scores.shape, most, dtype="int16")
    wanted = scores > 0
    if wanted.sum() > 4 * most * len(scores):  # else sorting all of them is the faster way
        from_top = max(scores.shape[1] - most, 0)
        wanted &= scores >= np.partition(scores, from_top, axis=1)[:, from_top, None]
    row, column = np.nonzero(wanted)
    order = np.lexsort((alike[column], -scores[row, column], row))
    row, column = row[order], column[order]
    number = np.arange(len(row))
    begins = np.r_[True, np.diff(row) != 0][: len(row)]
    other = begins | np.r_[True, (np.diff(scores[row, column]) != 0) | (np.diff(alike[column]) != 0)][: len(row)]
    first, best = (np.maximum.accumulate(np.where(mark, number, 0)) for mark in (begins, other))
    found[row, column] = np.minimum(best - first, most)
    return found


def _of_pairs(pairs: Pairs, split: Split) -> pd.DataFrame:
    orders = np.bincount(split.orders.customer, minlength=len(split.customers))[pairs.row]
    again = pairs.count > 1
    interval = np.where(again, (pairs.first - pairs.last) / np.maximum(pairs.count - 1, 1), np.nan)
    return pd.DataFrame(
        {
            "pair: share of orders": pairs.count / orders,
            "pair: share of orders since the first": pairs.count / (pairs.after_first + 1),
            "pair: orders since the last": pairs.after_last,
            "pair: days since the last": pairs.last,
            "pair: days since the first": pairs.first,
            "pair: interval in days": interval,
            "pair: days since the last / interval": pairs.last / np.maximum(interval, 1),
        }
    )


def _of_customers(split: Split) -> pd.DataFrame:
    orders, everybody = split.orders, len(split.customers)
    count = np.bincount(orders.customer, minlength=everybody)
    size = orders.products.getnnz(axis=1).astype(float)
    behind, _ = from_last(orders, everybody)
    first, last, last_size = np.full((3, everybody), np.nan)
    latest, oldest = behind == 0, np.r_[True, np.diff(orders.customer) != 0][: len(behind)]
    last[orders.customer[latest]], last_size[orders.customer[latest]] = orders.days[latest], size[latest]
    first[orders.customer[oldest]] = orders.days[oldest]
    bought = np.bincount(orders.customer, weights=size, minlength=everybody)
    interval = np.where(count > 1, (first - last) / np.maximum(count - 1, 1), np.nan)
    return pd.DataFrame(
        {
            "customer: orders": count,
            "customer: products": split.history.getnnz(axis=1),
            "customer: share of repeat purchases": 1 - split.history.getnnz(axis=1) / np.maximum(bought, 1),
            "customer: products per order": bought / np.maximum(count, 1),
            "customer: products of the last order": last_size,
            "customer: days since the last": last,
            "customer: days since the first": first,
            "customer: interval in days": interval,
            "customer: days since the last / interval": last / np.maximum(interval, 1),
            "customer: revenue": np.bincount(orders.customer, weights=orders.amount, minlength=everybody).round(4),
        }
    )


def _of_products(pairs: Pairs, split: Split) -> pd.DataFrame:
    products = len(split.products)
    buyers = np.bincount(pairs.column, minlength=products)
    again = np.bincount(pairs.column, weights=pairs.count > 1, minlength=products)
    overall = again.sum() / max(buyers.sum(), 1)
    lines = split.orders.products.tocoo()
    days = split.orders.days[lines.row]
    first, last = np.zeros(products), np.full(products, np.inf)
    np.maximum.at(first, lines.col, days)
    np.minimum.at(last, lines.col, days)
    weeks = {
        f"product: orders {start} to {end} days ago": np.bincount(
            lines.col, weights=(days > start) & (days <= end), minlength=products
        )
        for start, end in ((0, 7), (7, 28), (28, 56), (56, 112))
    }
    week, month, before, _ = weeks.values()
    return pd.DataFrame(
        {
            "product: buyers": buyers,
            "product: recent buyers": split.recent_buyers,
            "product: repurchase rate": (again + 2 * overall) / (buyers + 2),
            "product: days since the last": last,
            "product: days since the first": first,
            **weeks,
            "product: orders of the last week / of those before": (4 * week + 1) / (4 / 3 * month + before + 2),
        }
    )
