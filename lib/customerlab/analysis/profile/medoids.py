"""Partitioning around medoids on Gower's distance: every segment is stood for by one of its customers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from customerlab.analysis.profile.gower import Coding, Values, fit_coding, gower

MOST = 2_000
"""Customers up to whom all distances are used; of more, samples of so many are."""

SAMPLES = 5  # as Kaufman and Rousseeuw draw
DIGITS = 10  # of a mean distance: beyond them sums depend on how memory is laid out


@dataclass(frozen=True)
class Medoids:
    """Customers go to the nearest medoid by Gower's distance; ties to the first.

    Attributes
    ----------
    coding : Coding
    medoids : array of shape (segments, attributes)
        As `Coding.values` makes them, in the order of the customers.
    places : array of int of shape (segments,)
        Which of the customers that were fitted the medoids are.
    cost : float
        Mean distance of all customers fitted to their medoids.
    """

    coding: Coding
    medoids: Values
    places: np.ndarray
    cost: float

    def predict(self, values: Values) -> np.ndarray:
        """Segment of each customer, from 0."""
        return gower(values, self.medoids, self.coding).round(DIGITS).argmin(axis=1)


def build(distances: np.ndarray, k: int) -> np.ndarray:
    """The first medoids of PAM (BUILD): each is the customer that lowers the summed distance most; ties to the first.

    Returns their places in the order of choice, so that those of fewer segments are the first of these.
    """
    nearest = np.full(len(distances), np.inf)
    chosen: list[int] = []
    for _ in range(k):
        cost = np.minimum(distances, nearest).mean(axis=1).round(DIGITS)
        cost[chosen] = np.inf
        chosen.append(int(cost.argmin()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return np.array(chosen)


def swap(distances: np.ndarray, medoids: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Exchange a medoid for another customer while this lowers the mean distance, always by the best exchange (SWAP).

    The changes of all exchanges are found at once as in FastPAM1 (Schubert and Rousseeuw 2021): what a customer takes
    from the nearest medoid is the same whichever medoid goes, but for the customers of that one, who fall back to the
    second nearest. Ties go to the first customer, then to the first medoid.

    Parameters
    ----------
    distances : array of shape (customers, customers)
        Symmetric.
    medoids : array of int of shape (segments,)

    Returns
    -------
    medoids : array of int of shape (segments,)
        Rising.
    costs : list of float
        The mean distance before the first exchange and after each.
    """
    medoids, k, costs = np.sort(medoids), len(medoids), []
    while True:
        own = distances[:, medoids]
        order = np.argsort(own, axis=1, kind="stable")
        first = own[np.arange(len(own)), order[:, 0]]
        second = own[np.arange(len(own)), order[:, 1]] if k > 1 else np.full(len(own), np.inf)
        costs.append(float(first.mean()))
        taken = np.minimum(distances, first).mean(axis=1) - costs[-1]
        lost = (np.clip(distances, first, second) - first) @ np.eye(k)[order[:, 0]] / len(own)
        change = (taken[:, None] + lost).round(DIGITS)
        change[medoids] = 0
        if change.min() >= 0:
            return medoids, costs
        to, away = np.unravel_index(change.argmin(), change.shape)
        medoids = np.sort(np.append(np.delete(medoids, away), to))


def fit_medoids(values: Values, coding: Coding, numbers: Sequence[int], seed: int) -> dict[int, Medoids]:
    """PAM (Kaufman and Rousseeuw 1990) for several numbers of segments.

    Up to `MOST` customers it is PAM, in which nothing is random. Of more, five samples of so many are drawn and their
    medoids judged by the mean distance of all customers, as in CLARA (Kaufman and Rousseeuw 1990), but without handing
    the best medoids on to the next sample, so that all numbers of segments share the samples' distances.

    Parameters
    ----------
    values : array of shape (customers, attributes)
        As `Coding.values` makes them, sorted by customer: ties go to the first.
    numbers : sequence of int
        Those above the number of different customers in a sample are left out.

    Returns
    -------
    dict of int to Medoids
    """
    rng = np.random.default_rng(seed)
    found: dict[int, Medoids] = {}
    for _ in range(SAMPLES if len(values) > MOST else 1):
        drawn = np.arange(len(values))
        if len(values) > MOST:
            drawn = np.sort(rng.choice(len(values), MOST, replace=False))
        apart = gower(values[drawn], values[drawn], coding)
        np.fill_diagonal(apart, 0)
        different = len(np.unique(np.nan_to_num(values[drawn], nan=np.inf), axis=0))
        possible = [k for k in numbers if 1 <= k <= different]
        first = build(apart, max(possible, default=0))
        for k in possible:
            places = drawn[swap(apart, first[:k])[0]]
            cost = float(gower(values, values[places], coding).min(axis=1).mean())
            if k not in found or round(cost, DIGITS) < round(found[k].cost, DIGITS):
                found[k] = Medoids(coding, values[places], places, cost)
    return found


def medoid_segments(table: pd.DataFrame, k: int, *, seed: int = 0) -> tuple[pd.Series, pd.DataFrame]:
    """Segments of customers by PAM on Gower's distance, and the medoids.

    Parameters
    ----------
    table : DataFrame
        Of attributes, as in `fit_coding`; the order of rows does not matter.

    Returns
    -------
    segments : Series of int
        By `customer_id`, in the table's order, numbered from 0 in the order of the medoids' ids.
    medoids : DataFrame
        The rows of the medoids.

    Raises
    ------
    ValueError
        With fewer different customers than segments.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 21, 60, 62], "home": ["flat", "flat", "house", "house"]}, list("abcd"))
    >>> segments, medoids = medoid_segments(table, 2)
    >>> segments.tolist(), medoids.index.tolist()
    ([0, 0, 1, 1], ['b', 'c'])
    """
    ordered = table.sort_index()
    coding = fit_coding(ordered)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        model = fit_medoids(coding.values(ordered), coding, [k], seed).get(k)
    if model is None:
        raise ValueError(f"{k} segments need at least as many customers with different attributes.")
    return pd.Series(model.predict(coding.values(table)), table.index, name="segment"), ordered.iloc[model.places]
