"""RFM thresholds of a day, kept and applied to other days: what segments are by, if they are not formed anew."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.orders import Shop
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.rfm.scores import MEASURES, Scored, score
from customerlab.analysis.rfm.segments import segment


@dataclass(frozen=True, eq=False)
class Thresholds:
    """The thresholds of a scheme as of a day; plain tables, which `customerlab.codec` keeps.

    Attributes
    ----------
    fitted_on : str
        The day up to which orders were known, as an ISO date.
    bins : int
    edges, rules : DataFrame
        As the `thresholds` of `rfm.score`, and the rules of a `Scheme`.
    net : bool
        Whether the monetary value is net of returns.
    """

    fitted_on: str
    bins: int
    edges: pd.DataFrame
    rules: pd.DataFrame
    net: bool

    def on(self, shop: Shop) -> pd.DataFrame:
        """The segments of a day's customers, as `rfm.segment` returns them."""
        table = shop.customers(net=self.net)
        for name, measure in MEASURES.items():
            sign = -1 if measure == "recency" else 1
            edges = np.sort(sign * self.edges.loc[self.edges["measure"] == measure, "threshold"].to_numpy(dtype=float))
            table[name] = np.searchsorted(edges, sign * table[measure].to_numpy(dtype=float), side="left") + 1
        return segment(Scored(table, self.edges, self.bins), self.rules)


def thresholds(shop: Shop, scheme: Scheme) -> Thresholds:
    """The thresholds by which a scheme segments a shop on its day.

    Examples
    --------
    >>> import ibis
    >>> from customerlab.analysis.orders import Snapshot
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"], "amount": [5.0, 7.0, 9.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]),
    ... })
    >>> then = Snapshot(log, pd.Timestamp("2024-02-01"))
    >>> kept = thresholds(then, Scheme(2))
    >>> kept.on(then)["segment"].tolist(), kept.on(then.at(pd.Timestamp("2024-04-01")))["segment"].tolist()
    (['At risk', 'Potential loyalists'], ['At risk', 'Hibernating'])
    """
    found = score(shop.customers(net=scheme.net), scheme.bins, scheme.cuts)
    return Thresholds(f"{shop.day:%Y-%m-%d}", scheme.bins, found.thresholds, scheme.rules, scheme.net)
