"""Customers as they were on an earlier day, and what they did in the days that followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis import rfm
from customerlab.analysis.clustering.features import customer_features
from customerlab.analysis.clustering.space import fit_space, sample

DECILES, SEGMENTS = "Deciles of past spend", "RFM segments"


@dataclass(frozen=True)
class Past:
    """What groups could be formed of on an earlier day, and what came after.

    Attributes
    ----------
    formed_on : Timestamp
        What was known when this day began is known.
    customers : DataFrame
        `customer_id` and the features of that day.
    points : array of shape (customers, features)
    baselines : dict of str to array
        Groups to be compared with; the first is the one that a segmentation must tell more than.
    outcomes : DataFrame
        One column an outcome, in the points' order.
    """

    formed_on: pd.Timestamp
    customers: pd.DataFrame
    points: np.ndarray
    baselines: Mapping[str, np.ndarray]
    outcomes: pd.DataFrame


def look_back(
    transactions: ir.Table,
    day: pd.Timestamp,
    days: int,
    names: Sequence[str],
    *,
    transform: str = "log1p",
    scaling: str = "standard",
    products: ir.Table | None = None,
    returns: ir.Table | None = None,
    net: bool = False,
    most: int = 100_000,
    seed: int = 0,
) -> Past | None:
    """The customers of `days` before a day, and whether they came back and what they spent until then.

    Parameters
    ----------
    transactions : ibis Table
        Canonical.
    day : Timestamp
        Orders before it count.
    days : int
        Length of the period that is to be foretold.
    names : sequence of str
        Features, as `customer_features` has them.
    transform, scaling : str
        As `fit_space` has them; fitted to the customers of the earlier day.
    products, returns, net
        As `customer_features` has them.
    most : int
        Of more customers a random sample is taken.
    seed : int
        Of the sample.

    Returns
    -------
    Past or None
        Outcomes are the `return rate` (one where a customer ordered again, else zero) and `money` (natural logarithm of
        one plus what was spent, so that a handful of large orders does not decide). Baselines are the deciles of what
        customers had spent, equal amounts together, and the ten usual RFM segments, by fifths, of the earlier day. None
        where nobody had ordered by then, or nobody came back.
    """
    formed_on = day - pd.Timedelta(days=days)
    if rfm.before(transactions, formed_on).count().execute() == 0:
        return None
    table = customer_features(
        transactions, formed_on, names=[*names, "monetary"], products=products, returns=returns, net=net
    )
    table = sample(table, most, seed)
    after = rfm.later(transactions, table["customer_id"], formed_on, day)
    if not after["came_back"].any():
        return None
    segments = rfm.Scheme().on(transactions, formed_on).set_index("customer_id")["segment"]
    return Past(
        formed_on,
        table,
        fit_space(table, names, transform=transform, scaling=scaling).points(table),
        {
            DECILES: deciles(table["monetary"].to_numpy(dtype=float)),
            SEGMENTS: pd.factorize(table["customer_id"].map(segments), sort=True)[0],
        },
        pd.DataFrame(
            {"return rate": after["came_back"].astype(float), "money": np.log1p(after["money"].clip(lower=0))}
        ),
    )


def deciles(values: np.ndarray) -> np.ndarray:
    """Ten groups of customers by a value, from 0 for the lowest; equal values together, so fewer where they repeat.

    Examples
    --------
    >>> deciles(np.array([1.0, 1.0, 1.0, 2.0])).tolist()
    [7, 7, 7, 9]
    """
    return np.searchsorted(np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf"), values, side="right")
