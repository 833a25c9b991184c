"""Predicting stars: a Surprise model against what the averages already tell, with a global split in time."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from surprise import SVD, BaselineOnly, Dataset, Reader


@dataclass(frozen=True)
class RatingResult:
    """How well stars were predicted.

    Attributes
    ----------
    table : DataFrame
        `model`, `rmse`, `mae`, in stars, over the evaluated ratings.
    accounting : DataFrame
        `what`, `ratings`, `customers`, `products`.
    cut : Timestamp
        Ratings before it were learned from.
    """

    table: pd.DataFrame
    accounting: pd.DataFrame
    cut: pd.Timestamp


def predict_ratings(ratings: pd.DataFrame, holdout_share: float, seed: int) -> RatingResult:
    """Learn from the earlier ratings, predict the later ones of known customers and products.

    Three models: the mean of all ratings; the mean plus the bias of the customer and of the product (Koren 2010, the
    baseline estimate); and matrix factorisation with both biases (`surprise.SVD`).

    Parameters
    ----------
    ratings : DataFrame
        Canonical.
    holdout_share : float
        The share of the ratings, the latest, that is to be predicted.
    seed : int
        Of the factorisation's start.

    Raises
    ------
    ValueError
        If no later rating is of a customer and a product that have an earlier one.
    """
    # sorted, because the factorisation learns in the order of rows
    table = ratings.sort_values(["rated_at", "customer_id", "product_id", "rating"], ignore_index=True)
    # the rating times in order, so that the cut is one of them
    cut = pd.Timestamp(table["rated_at"].iloc[math.ceil((1 - holdout_share) * (len(table) - 1))])
    train, later = table[table["rated_at"] < cut], table[table["rated_at"] >= cut]
    known = later["customer_id"].isin(train["customer_id"])
    both = known & later["product_id"].isin(train["product_id"])
    test = later[both]
    if test.empty:
        raise ValueError(
            "no later rating is of a customer and a product with earlier ones; choose another rating_holdout"
        )
    scale = (table["rating"].min(), table["rating"].max())
    columns = ["customer_id", "product_id", "rating"]
    learned = Dataset.load_from_df(train[columns], Reader(rating_scale=scale)).build_full_trainset()
    models = {
        "mean of all ratings": None,
        "customer and product bias": BaselineOnly(verbose=False),
        "matrix factorisation (SVD)": SVD(random_state=seed),
    }
    rows = []
    for name, model in models.items():
        if model is None:
            predicted = np.full(len(test), learned.global_mean)
        else:
            model.fit(learned)
            pairs = zip(test["customer_id"], test["product_id"], strict=True)
            predicted = np.array([model.predict(customer, product).est for customer, product in pairs])
        error = predicted - test["rating"].to_numpy()
        rows.append({"model": name, "rmse": float(np.sqrt((error**2).mean())), "mae": float(np.abs(error).mean())})
    accounting = pd.DataFrame(
        [
            _counts("learned from, before the cut", train),
            _counts("later ratings", later),
            _counts("dropped: customers without a history", later[~known]),
            _counts("dropped: products without a history", later[known & ~both]),
            _counts("evaluated", test),
        ]
    )
    return RatingResult(pd.DataFrame(rows), accounting, cut)


def _counts(what: str, part: pd.DataFrame) -> dict[str, object]:
    return {
        "what": what, "ratings": len(part), "customers": part["customer_id"].nunique(), "products": part["product_id"].nunique(),
    }  # fmt: skip
