"""Customers as of earlier days, and what they did in the days that followed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.features import customer_features
from customerlab.analysis.clustering.space import Space, sample
from customerlab.analysis.described import Described
from customerlab.analysis.inference import enough
from customerlab.analysis.orders import Shop, Summary, first_order, later
from customerlab.analysis.rfm.scheme import Scheme

SEGMENTS, CELLS, DECILES = "RFM segments", "R × F cells", "deciles of past spend"
WINDOWS = 4  # periods that are looked back to, at most
CUT = 0.01  # share of customers at either end of the money that is set to the value there
RATE, MONEY, LOG_MONEY = "repurchase rate", "money", "log money"
SPOKEN = {MONEY: "revenue", LOG_MONEY: "log revenue"}  # how pages name outcomes; tables keep their columns


def spoken(outcome: str) -> str:
    """The name of an outcome on a page."""
    return SPOKEN.get(outcome, outcome)


@dataclass(frozen=True)
class Past:
    """Customers as of an earlier day, their groups without any clustering, and what they did afterwards.

    Attributes
    ----------
    formed_on : Timestamp
        The as-of date.
    customers : DataFrame
        `customer_id` and the features of that day.
    points : array of shape (customers, features)
        In the space of the candidates, which is that of a later day.
    baselines : dict of str to array
        Groups that a segmentation has to beat.
    outcomes : DataFrame
        One column per outcome, one row per customer in the points' order.
    """

    formed_on: pd.Timestamp
    customers: pd.DataFrame
    points: np.ndarray
    baselines: Mapping[str, np.ndarray]
    outcomes: pd.DataFrame


def look_back(
    shop: Shop | Described,
    days: int,
    space: Space,
    scheme: Scheme | None,
    *,
    net: bool = False,
    most: int = 100_000,
    seed: int = 0,
) -> list[Past]:
    """The customers of one, two and more periods before a day, and what they did in the period that followed.

    Parameters
    ----------
    shop : Snapshot, Summary or Described
        On that day; of a summary, and of attributes, no earlier day is known. Revenue of the outcomes is net of
        returns, if there are any.
    days : int
        Length of a period.
    space : Space
        The space of the candidates, into which a saved segmentation would put earlier customers.
    scheme : Scheme or None
        How the shop forms its RFM segments; None where it has no orders.
    net : bool
        As in `customer_features`.
    most : int
        Larger shops are sampled at random.

    Returns
    -------
    list of Past
        The latest first, at most four, with periods that do not overlap. Left out are days with less than one period of
        log before them, and days after which too few customers came back, or too few did not (`inference.enough`).
    """
    if isinstance(shop, Summary | Described) or scheme is None:
        return []
    period = pd.Timedelta(days=days)
    begun, found = first_order(shop.transactions), []
    formed = [shop.day - place * period for place in range(1, WINDOWS + 1)]
    for then in shop.at_all([day for day in formed if day - begun >= period]):
        formed_on = then.day
        table = sample(customer_features(then, names=space.names, net=net), most, seed)
        until = formed_on + period
        after = later(shop.transactions, table["customer_id"], formed_on, until, returns=shop.returns)
        came_back = int(after["came_back"].sum())
        if enough(came_back, len(table) - came_back):
            baselines = baselines_of(scheme.on(then).set_index("customer_id").loc[table["customer_id"]])
            found.append(Past(formed_on, table, space.points(table), baselines, outcomes_of(after)))
    return found


def baselines_of(segmented: pd.DataFrame) -> dict[str, np.ndarray]:
    """The groups that a segmentation has to beat: RFM segments, cells of recency and frequency, deciles of past spend.

    The segments merge the cells and leave past spend out, so beating them alone says little: deciles of past spend can
    explain twice as much variance of the next period's revenue. `segmented` is what `rfm.segment` returns.
    """
    return {
        SEGMENTS: pd.factorize(segmented["segment"], sort=True)[0],
        CELLS: segmented.groupby(["r_score", "f_score"]).ngroup().to_numpy(),
        DECILES: deciles(segmented["monetary"].to_numpy(dtype=float)),
    }


def deciles(values: np.ndarray) -> np.ndarray:
    """Ten groups of customers by a value, from 0 for the lowest; equal values together, so fewer where they repeat."""
    return np.searchsorted(np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf"), values, side="right")


def outcomes_of(after: pd.DataFrame) -> pd.DataFrame:
    """The outcomes of customers, from what `orders.later` returns.

    Returns
    -------
    DataFrame
        `repurchase rate` (one for customers who ordered again, else zero), `money` (net revenue, winsorised at the 1st
        and 99th percentile, so that no single order decides) and `log money` (natural logarithm of one plus revenue
        above zero).
    """
    low, high = after["money"].quantile([CUT, 1 - CUT])
    return pd.DataFrame(
        {
            RATE: after["came_back"].astype(float),
            MONEY: after["money"].clip(low, high),
            LOG_MONEY: np.log1p(after["money"].clip(lower=0)),
        }
    )
