"""Recommenders with one interface: `fit(split)`, then `scores(rows)`.

The columns of a split are products by falling popularity. Where scores tie, the more popular product comes first,
in every model. Models read the split's history, never its future. Scores are rounded, so that equal products are equal
whatever the order of the sums behind them: neither the order of rows nor the number of threads changes a list.

`base` is what they share. `popularity` knows the shop alone, `personal` the customer alone, `baskets` both, order by
order; `neighbours`, `linear`, `factors` and `walk` learn which products go together, `content` reads what they are
called. `hybrid` learns by trees how to weigh others, from the features of `evidence`. `cost` is what they take.
"""

from customerlab.analysis.recommend.models.base import Model, top
from customerlab.analysis.recommend.models.baskets import TIFUKNN, UPCF
from customerlab.analysis.recommend.models.content import Content
from customerlab.analysis.recommend.models.factors import ALS, BPR
from customerlab.analysis.recommend.models.hybrid import Hybrid
from customerlab.analysis.recommend.models.linear import EASE, PureSVD
from customerlab.analysis.recommend.models.neighbours import ItemNeighbours, UserNeighbours
from customerlab.analysis.recommend.models.personal import DecayedFrequency, PersonalFrequency, RepurchaseInterval
from customerlab.analysis.recommend.models.popularity import (
    AllTimePopularity,
    DecayedPopularity,
    Popularity,
    Random,
    SegmentPopularity,
)
from customerlab.analysis.recommend.models.walk import RP3beta

__all__ = [
    "ALS", "BPR", "EASE", "TIFUKNN", "UPCF", "AllTimePopularity", "Content", "DecayedFrequency", "DecayedPopularity",
    "Hybrid", "ItemNeighbours", "Model", "PersonalFrequency", "Popularity", "PureSVD", "RP3beta", "Random",
    "RepurchaseInterval", "SegmentPopularity", "UserNeighbours", "top",
]  # fmt: skip
