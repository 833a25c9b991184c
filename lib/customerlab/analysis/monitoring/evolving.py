"""Clusters refitted on successive days: what became of them, and how much of the change is the customers' own."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from customerlab.analysis.clustering.features import customer_features
from customerlab.analysis.clustering.scoring import Segmentation
from customerlab.analysis.monitoring.challenge import FEATURES, clustered
from customerlab.analysis.monitoring.evolution import APPEARS, align, attributed, transitions
from customerlab.analysis.monitoring.refit import old_centres, trade_off
from customerlab.analysis.orders import Snapshot


@dataclass(frozen=True, eq=False)
class Evolving:
    """Clusters of several days.

    Attributes
    ----------
    days : list of Timestamp
    segmentations : list of Segmentation
        Fitted on each of the days.
    labels : DataFrame
        Indexed by `customer_id`, one column per day: the cluster by that day's fit, under the names of the day before,
        missing before the first order.
    events : DataFrame
        As `evolution.transitions`, of each day and the one before, with the later `day`.
    parts : DataFrame
        As `evolution.attributed`, of each day and the one before, with the later `day`.
    smoothing : DataFrame
        As `refit.trade_off`, of the last refit.
    """

    days: list[pd.Timestamp]
    segmentations: list[Segmentation]
    labels: pd.DataFrame
    events: pd.DataFrame
    parts: pd.DataFrame
    smoothing: pd.DataFrame


def evolve(
    shop: Snapshot, days: Sequence[pd.Timestamp], *, clusters: int, seed: int, survival: float = 0.5, split: float = 0.25,
) -> Evolving | None:  # fmt: skip
    """Refit K-Means on each of several days in rising order; None where fewer than two have customers enough.

    Parameters
    ----------
    shop : Snapshot
    days : sequence of Timestamp
    clusters : int
        A day needs at least ten customers for each.
    survival, split : float
        As in `evolution.transitions`.
    """
    first = shop.customers()["first_order"]
    shops = shop.at_all([day for day in days if (first < day).sum() >= 10 * clusters])
    if len(shops) < 2:
        return None
    fits = [clustered(one, clusters, seed, features=FEATURES) for one in shops]
    tables = [customer_features(one, names=FEATURES, net=fit.net) for one, fit in zip(shops, fits, strict=True)]
    labels, events, parts = [_labels(fits[0], tables[0])], [], []
    for place in range(1, len(shops)):
        found = align(labels[-1], _labels(fits[place], tables[place]))
        day, most = shops[place].day, max(own.max() for own in [*labels, found])
        event = transitions(labels[-1], found, survival=survival, split=split)
        # what appears has a number that no cluster had, also where it shares customers with one that disappears
        fresh = {name: most + 1 + step for step, name in enumerate(event.loc[event["event"] == APPEARS, "cluster"])}
        found = found.replace(fresh)
        event["cluster"] = event["cluster"].where(event["event"] != APPEARS, event["cluster"].map(fresh)).astype(int)
        events.append(event.assign(day=day))
        parts.append(attributed(fits[place - 1], fits[place], tables[place - 1], tables[place]).assign(day=day))
        labels.append(found)
    points, before = fits[-2].space.points(tables[-1]), old_centres(fits[-2])
    return Evolving(
        [one.day for one in shops], fits, pd.DataFrame({one.day: own for one, own in zip(shops, labels, strict=True)}),
        pd.concat(events, ignore_index=True), pd.concat(parts, ignore_index=True), trade_off(points, before),
    )  # fmt: skip


def _labels(fit: Segmentation, customers: pd.DataFrame) -> pd.Series:
    return fit.assign(customers).set_index("customer_id")["cluster"]
