"""A learned ranker over the scores of other models, trained on earlier windows."""

from dataclasses import KW_ONLY, dataclass, field
from hashlib import blake2b
from typing import Self

import lightgbm
import numpy as np
import pandas as pd

from customerlab.analysis.recommend.models.base import DIGITS, Model
from customerlab.analysis.recommend.models.baskets import TIFUKNN, UPCF
from customerlab.analysis.recommend.models.evidence import Evidence
from customerlab.analysis.recommend.models.linear import EASE
from customerlab.analysis.recommend.models.neighbours import UserNeighbours
from customerlab.analysis.recommend.models.personal import PersonalFrequency, RepurchaseInterval
from customerlab.analysis.recommend.models.popularity import DecayedPopularity
from customerlab.analysis.recommend.split import Split

WINDOWS = 8  # at most; each begins half a window before the next
ROUNDS = 60
# one thread: where other work runs, threads that wait for one another take several times as long
LEAF = 500  # candidates that a leaf has at least
SETTINGS = {
    "objective": "lambdarank", "lambdarank_truncation_level": 12, "label_gain": [0, 1], "learning_rate": 0.15,
    "num_leaves": 15, "min_data_in_leaf": LEAF, "lambda_l2": 20.0, "max_bin": 31, "feature_fraction": 0.3,
    "bagging_fraction": 0.8, "bagging_freq": 1, "deterministic": True, "force_row_wise": True, "num_threads": 1,
    "verbose": -1,
}  # fmt: skip


def parts() -> dict[str, Model]:
    """The models whose scores the hybrid uses, by the names of its features."""
    return {
        "personal frequency": PersonalFrequency(),
        "repurchase interval": RepurchaseInterval(1, 50),
        "UP-CF": UPCF(25, 0.75, 5),
        "TIFU-KNN": TIFUKNN(300, within_decay=1, group_decay=1, group_size=100),
        "user neighbours": UserNeighbours(100, "TF-IDF"),
        "EASE": EASE(200),
        "popularity, half-life 7 days": DecayedPopularity(7),
    }


Lesson = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Values of candidates, whether they were bought, and how many there are of each customer."""


@dataclass(eq=False)
class Hybrid:
    """Gradient-boosted trees that learn from earlier windows how to combine other models.

    Seven models nominate products, see `Evidence`, and LambdaMART (Burges 2010, "From RankNet to LambdaRank to
    LambdaMART"; LightGBM) ranks the nominated by what the models say of them and by the histories of customer and
    product. It is trained on windows of the split's history, made by `Split.earlier`: the split date moves back by 1,
    1.5, 2, … 4.5 times the length of the future, as long as one length of history is left before it, and in every
    window the models are fitted anew on what was known then. Nothing from the split date on is seen.

    Windows that hybrids share, or that one fit shares with the next, are learned from once where they are given the
    same `lessons`; results are the same.

    Attributes
    ----------
    importance_ : DataFrame
        `feature`, `gain`: the share of what the trees gained that they gained by the feature, the largest first.
    windows_ : list of Timestamp
        The split dates of the windows that it was trained on.

    Notes
    -----
    Only the order of the scores means something: those of nominated products are 1 and above, those of others below, by
    personal frequency. A log too short for one window, or too small for a tree (500 candidates a leaf), teaches
    nothing: the lists are then those of personal frequency, and `importance_` is empty.

    What is here was chosen on Online Retail in windows split 28, 56 and 84 days before the last, each trained on
    windows before it; the last had no say. Without EASE or the user neighbours nDCG@10 was lower by 0.001 to 0.002;
    PureSVD, ALS, item neighbours, descriptions, decayed frequencies, a second UP-CF and a second TIFU-KNN changed it by
    less than 0.001 and were left out. Six times as many trees changed it by less than 0.002 and cost six times as much.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 60, ["tea"]), ("ann", 30, ["tea", "milk"]), ("bob", 3, ["milk"])])
    >>> model = Hybrid().fit(split)
    >>> dict(zip(split.products, model.scores(np.array([0]))[0].tolist())), len(model.importance_)  # too short a log
    ({'milk': 1.0, 'tea': 2.0}, 0)
    """

    name = "hybrid"
    days: int = 28  # length of the training windows where the split has no future; else it is that of the future
    seed: int = 7  # of the rows and features that a tree is grown from
    _: KW_ONLY
    warm_start: bool = False  # keep the trees of an earlier fit, so that the evaluated trees make the lists of today
    lessons: dict[bytes, Lesson] = field(default_factory=dict)  # training data of windows so far, by their content

    def fit(self, split: Split) -> Self:
        """Learn from earlier windows, and fit the models on the whole history."""
        self.own_ = split.history
        self.evidence_ = Evidence(parts()).fit(split)
        if self.warm_start and hasattr(self, "rankers_"):
            return self
        windows = [window for window in self._windows(split) if len(window.warm)]
        self.windows_ = [window.date for window in windows]
        learned = [self._lesson(window) for window in windows]
        self.rankers_ = self._trained([part for part in learned if len(part[0])])
        self.importance_ = self._importance()
        return self

    def _windows(self, split: Split) -> list[Split]:
        days, reach = split.holdout_days or self.days, split.orders.days.max(initial=0)
        back = [days + step * days // 2 for step in range(WINDOWS)]
        # windows of one day would fall together
        return [split.earlier(by, days) for by in dict.fromkeys(back) if by + days <= reach]

    def _lesson(self, window: Split) -> Lesson:
        key = _content(window)
        if key not in self.lessons:
            self.lessons[key] = _labelled(window)
        return self.lessons[key]

    def _trained(self, learned: list[Lesson]) -> list[lightgbm.Booster]:
        """The trees; none where there is too little to learn from."""
        if not learned:
            return []
        values, bought, sizes = (np.concatenate(column) for column in zip(*learned, strict=True))
        if len(values) < 2 * LEAF:
            return []  # no tree can part them, and LightGBM stops where bagging leaves none
        data = lightgbm.Dataset(values, bought, group=sizes, params=SETTINGS)
        seed = int(np.random.default_rng(self.seed).integers(2**31))
        ranker = lightgbm.train(SETTINGS | {"bagging_seed": seed, "feature_fraction_seed": seed}, data, ROUNDS)
        return [ranker] if ranker.feature_importance().any() else []

    def _importance(self) -> pd.DataFrame:
        names = self.evidence_.names if self.rankers_ else []
        gains = np.sum([np.zeros(len(names)), *(ranker.feature_importance("gain") for ranker in self.rankers_)], axis=0)
        table = pd.DataFrame({"feature": names, "gain": gains / gains.sum()})
        return table.sort_values("gain", ascending=False, kind="stable", ignore_index=True)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The ranker's scores of nominated products above all others."""
        own = self.own_[rows].toarray()
        if not self.rankers_:
            return own
        row, column, values = self.evidence_.candidates(rows)
        scores = own / (own + 1)
        if len(row):
            ranked = np.sum([ranker.predict(values, num_threads=1) for ranker in self.rankers_], axis=0)
            lowest = np.full(len(rows), np.inf)
            np.minimum.at(lowest, row, ranked)
            scores[row, column] = 1 + ranked - lowest[row]
        scores[own.sum(axis=1) == 0] = 0.0  # of whom nothing is known gets what is popular
        return scores.round(DIGITS)


def _content(window: Split) -> bytes:
    """A hash of the training data of a window."""
    orders = window.orders
    arrays = [window.recent_buyers, orders.customer, orders.days, orders.amount]
    arrays += [part for m in (orders.products, window.future) for part in (m.indptr, m.indices, m.data)]
    return blake2b(b"|".join(np.ascontiguousarray(part).tobytes() for part in arrays)).digest()


def _labelled(window: Split) -> Lesson:
    """Values of the window's candidates, whether they were bought, and how many there are of each customer.

    Customers without a purchase among their candidates are left out: there is no order to learn.
    """
    row, column, values = Evidence(parts()).fit(window).candidates(window.warm)
    bought = np.asarray(window.future[window.warm[row], column]).ravel() > 0
    hits, sizes = (np.bincount(row, weights=of, minlength=len(window.warm)) for of in (bought, None))
    kept = hits > 0
    return values[kept[row]], bought[kept[row]].astype(int), sizes[kept].astype(int)
