"""A segmentation scheme that can be saved and applied to any day and any log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from customerlab.analysis.orders import Shop
from customerlab.analysis.rfm.scores import MEASURES, check_cuts, score
from customerlab.analysis.rfm.segments import RULES, check_rules, segment


@dataclass(frozen=True, eq=False)
class Scheme:
    """How customers are segmented on any day: the options of `score` and `segment`.

    Options that cannot form segments raise ValueError.

    Attributes
    ----------
    bins : int
        Number of scores of each measure, 2 to 10.
    cuts : mapping of str to sequence of float
        Own thresholds by measure; other measures use the quantiles of the day.
    net : bool
        Whether the monetary value is net of returns.
    rules : DataFrame
        The named segments, as `read_rules` returns them.

    Examples
    --------
    >>> import ibis
    >>> from customerlab.analysis.orders import Snapshot
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> shop = Snapshot(log, pd.Timestamp("2024-02-01"))
    >>> Scheme(2, {"recency": [14]}).on(shop)[["customer_id", "segment"]].values.tolist()
    [['ann', 'At risk'], ['bob', 'Potential loyalists']]
    """

    bins: int = 5
    cuts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    net: bool = False
    rules: pd.DataFrame = field(default_factory=lambda: RULES)

    def __post_init__(self) -> None:
        """Refuse invalid options before any customer is scored."""
        for measure in MEASURES.values():
            check_cuts(self.cuts.get(measure, ()), self.bins, measure)
        unknown = sorted(set(self.cuts) - set(MEASURES.values()))
        if unknown:
            raise ValueError(f"cut-offs of {', '.join(unknown)}; expected of {', '.join(MEASURES.values())}")
        check_rules(self.rules)

    def on(self, shop: Shop) -> pd.DataFrame:
        """The segments of a day, as `segment` returns them, from orders and returns before that day."""
        return segment(score(shop.customers(net=self.net), self.bins, self.cuts), self.rules)
