"""Ratings before models are trained: checked, one per pair, in a fixed order, split in time or into folds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.errors import DataError

PAIR = ["customer_id", "product_id"]


def one_per_pair(ratings: pd.DataFrame, scale: tuple[float, float] | None = None) -> pd.DataFrame:
    """The latest rating of every pair of a customer and a product, sorted by both.

    Of two ratings of one instant the higher is kept. A DataError says
    that there is no rating, or that one is not a finite number within the scale, the lowest and the highest rating that
    can be given.

    Examples
    --------
    >>> day = pd.Timestamp("2024-01-01")
    >>> rows = [("ann", "tea", 2.0, day), ("ann", "tea", 4.0, day + pd.Timedelta(days=1)), ("bob", "tea", 3.0, day)]
    >>> one_per_pair(pd.DataFrame(rows, columns=["customer_id", "product_id", "rating", "rated_at"]))["rating"].tolist()
    [4.0, 3.0]
    """
    if ratings.empty:
        raise DataError("there are no ratings", expected="at least one", do="leave the section on ratings out")
    low, high = scale or (-np.inf, np.inf)
    wrong = ~(ratings["rating"].between(low, high) & np.isfinite(ratings["rating"]))
    if wrong.any():
        row = ratings[wrong].sort_values([*PAIR, "rated_at"]).iloc[0]
        raise DataError(
            f"{wrong.sum():,} of {len(ratings):,} ratings cannot be used; the first is {row['rating']}",
            where=f"ratings of product {row['product_id']!r}",
            expected="a finite number" if scale is None else f"a number from {low:g} to {high:g}",
            do="fix the table, or say the scale that was used",
        )
    ordered = ratings.sort_values([*PAIR, "rated_at", "rating"])
    return ordered.drop_duplicates(PAIR, keep="last").reset_index(drop=True)


@dataclass(frozen=True)
class RatingSplit:
    """Ratings split at one midnight for everybody."""

    date: pd.Timestamp
    train: pd.DataFrame  # the ratings before the split date, sorted by customer and product
    later: pd.DataFrame  # and from it on
    test: pd.DataFrame  # those of the later ones whose customer and product have an earlier rating
    scale: tuple[float, float]  # the lowest and the highest rating there are; predictions are clipped to it
    accounting: pd.DataFrame  # `what`, `ratings`, `customers`, `products`


def split_ratings(ratings: pd.DataFrame, holdout_share: float) -> RatingSplit:
    """Split at the last midnight that leaves at least a share of the ratings for later.

    A ValueError says that no later rating is of a customer and a product that have an earlier one.
    """
    table = one_per_pair(ratings)
    times = table["rated_at"].sort_values(ignore_index=True)
    date = pd.Timestamp(times.iloc[int((1 - holdout_share) * (len(times) - 1))]).normalize()
    before = table["rated_at"] < date
    train, later = table[before].reset_index(drop=True), table[~before].reset_index(drop=True)
    known = later["customer_id"].isin(train["customer_id"])
    both = known & later["product_id"].isin(train["product_id"])
    if not both.any():
        raise ValueError(
            f"no rating from {date:%Y-%m-%d} on is of a customer and a product with earlier ones; "
            "choose another rating_holdout"
        )
    rows = {
        "training, before the split date": train,
        "later ratings": later,
        "excluded: customers without a history (cold start)": later[~known],
        "excluded: products without a history (cold start)": later[known & ~both],
        "evaluated": later[both],
    }
    accounting = pd.concat([kept_of(ratings, table, "kept"), counts(rows)], ignore_index=True)
    return RatingSplit(date, train, later, later[both].reset_index(drop=True), scale_of(table), accounting)


def scale_of(table: pd.DataFrame) -> tuple[float, float]:
    """The lowest and the highest rating there are."""
    return float(table["rating"].min()), float(table["rating"].max())


def fold_rows(count: int, folds: int, seed: int) -> list[np.ndarray]:
    """The rows of each fold: those of `surprise.model_selection.KFold(folds, random_state=seed)`, in its order.

    Examples
    --------
    >>> [rows.tolist() for rows in fold_rows(5, 2, seed=1)]
    [[2, 1, 4], [0, 3]]
    """
    if not 2 <= folds <= count:
        raise ValueError(f"{count} ratings cannot be divided into {folds} folds; expected 2 folds to one a rating")
    rows = np.arange(count)
    np.random.RandomState(seed).shuffle(rows)
    return np.array_split(rows, folds)


def kept_of(ratings: pd.DataFrame, table: pd.DataFrame, what: str) -> pd.DataFrame:
    """The first rows of an accounting: ratings read, replaced by later ones, and kept."""
    replaced = ratings.sort_values([*PAIR, "rated_at", "rating"])
    replaced = replaced[replaced.duplicated(PAIR, keep="last")]
    return counts({"read": ratings, "excluded: rated again later": replaced, what: table})


def counts(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of an accounting: ratings, customers and products of each part."""
    rows = [(what, len(part), *(part[name].nunique() for name in PAIR)) for what, part in parts.items()]
    return pd.DataFrame(rows, columns=["what", "ratings", "customers", "products"])
