"""Which segment a customer without history will be in: a model of attributes, saved as plain numbers or text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import lightgbm
import numpy as np
import pandas as pd
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from customerlab.analysis.profile.gower import Coding, Values, fit_coding

LOGISTIC, TREE, BOOSTING = "logistic regression", "decision tree", "gradient boosting"
SAVED = (LOGISTIC, TREE, BOOSTING)
FLOOR = 1e-6  # of a probability: nobody is certainly not in a segment
LEVELS = 20  # of a category that have a column of their own, at most
RARE = 0.01  # share of customers, below which a level has none


@dataclass(frozen=True, eq=False)
class Design:
    """Attributes as columns of numbers, by rules learned on the customers that a model is trained on.

    Numbers, dates and ordered levels are standardised, the median in place of what is missing. Each common level of a
    category is 0 or 1; rare ones, and those that are not known, are 0 in all of these. What is missing has a column of
    its own where it was missing in training.

    Attributes
    ----------
    coding : Coding
    median : array of shape (attributes,)
        Of standardised numbers.
    levels : tuple of tuple of int
        Places of each category's levels with a column; none for numbers.
    missing : array of bool of shape (attributes,)
        Whether what is missing has a column.
    """

    coding: Coding
    median: Values
    levels: tuple[tuple[int, ...], ...]
    missing: np.ndarray

    def matrix(self, table: pd.DataFrame) -> Values:
        """An array of shape (customers, columns); ValueError where an attribute is lacking or of another kind."""
        try:
            values = self.coding.values(table)
        except TypeError as error:
            raise ValueError(f"An attribute is not of the kind that the model was trained on: {error}") from None
        columns: list[np.ndarray] = [np.empty((0, len(values)))]
        for place, value in enumerate(values.T):
            lacks, levels = np.isnan(value), np.array(self.levels[place], dtype=float)
            filled = np.where(lacks, self.median[place], value)[None]
            columns += [value == levels[:, None] if self.coding.categories[place] else filled]
            # a level that is not known is not missing
            columns += [table[self.coding.names[place]].isna().to_numpy()[None]] if self.missing[place] else []
        return np.concatenate(columns).T.astype(float, order="C")

    @property
    def attribute(self) -> np.ndarray:
        """The place of the attribute of each column."""
        widths = np.where(self.coding.categories, [len(own) for own in self.levels], 1) + self.missing
        return np.repeat(np.arange(len(widths)), widths)


def fit_design(table: pd.DataFrame) -> Design:
    """Learn columns from a table of attributes; raises as `gower.fit_coding` does.

    Examples
    --------
    >>> design = fit_design(pd.DataFrame({"age": [20, 40, np.nan], "garden": [True, False, True]}))
    >>> design.matrix(pd.DataFrame({"age": [np.nan, 50], "garden": [True, None]})).tolist()
    [[0.0, 1.0, 1.0], [2.0, 0.0, 0.0]]
    """
    coding = fit_coding(table)
    values = coding.values(table)
    lacks, levels = np.isnan(values), []
    for place, category in enumerate(coding.categories):
        own = coding.levels[place]
        counts = (
            np.bincount(values[~lacks[:, place], place].astype(int), minlength=len(own)) if category else np.empty(0)
        )
        common = np.argsort(-counts, kind="stable")[:LEVELS]
        common = common[counts[common] >= max(RARE * len(values), 1)]
        levels.append((1,) if own == (False, True) else tuple(sorted(common.tolist())))
    known = np.where(lacks.all(axis=0), 0.0, values)
    return Design(coding, np.nanmedian(known, axis=0), tuple(levels), np.asarray(lacks.any(axis=0)))


@dataclass(frozen=True, eq=False)
class SegmentModel:
    """A fitted model that gives new customers the probability of each segment; `codec.to_json` saves it.

    Attributes
    ----------
    kind : str
        One of `SAVED`.
    segments : tuple of str
    prior : array of shape (segments,)
        Shares of the customers that it was trained on.
    design : Design
    numbers : mapping of str to array
        Of logistic regression `weights` (segments, columns) and `intercepts`; of the tree, by node, `left`, `right`
        (-1 for a leaf), `column`, `threshold` and `chance` (nodes, segments).
    text : str
        LightGBM's, of gradient boosting.
    """

    kind: str
    segments: tuple[str, ...]
    prior: Values
    design: Design
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    text: str = ""

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """The probability of each segment, a row per customer in the table's order, a column per segment.

        Levels that are not known and missing values are allowed anywhere. ValueError where an attribute is lacking.
        """
        chances = self.chances(self.design.matrix(table)) if len(table) else np.empty((0, len(self.segments)))
        return pd.DataFrame(chances, table.index, list(self.segments))

    def assign(self, table: pd.DataFrame) -> pd.Series:
        """The segment whose probability is highest beside its share of customers.

        This rule has the best balanced accuracy; the most probable segment is the largest one for nearly everybody
        where segments differ in size.
        """
        best = (self.predict(table).to_numpy() / self.prior).argmax(axis=1) if len(table) else np.empty(0, dtype=int)
        return pd.Series(np.array(self.segments, dtype=object)[best], table.index, name="segment")

    def chances(self, x: Values) -> Values:
        """Probabilities of shape (customers, segments) at some columns of the design."""
        with threadpool_limits(1):  # sums over several threads differ in their last digits
            if self.kind == BOOSTING:
                raw = np.asarray(lightgbm.Booster(model_str=self.text).predict(x, num_threads=1))
            elif self.kind == TREE:
                raw = self.numbers["chance"][_leaves(self.numbers, x)]
            else:
                raw = softmax(x @ self.numbers["weights"].T + self.numbers["intercepts"], axis=1)
        return bounded(raw)


def bounded(chances: Values) -> Values:
    """Probabilities none of which is below `FLOOR`, to nine digits."""
    some = np.maximum(chances, FLOOR)
    return (some / some.sum(axis=1, keepdims=True)).round(9)


def _leaves(numbers: Mapping[str, np.ndarray], x: Values) -> np.ndarray:
    """The leaf of each customer, found level by level; single precision, in which the tree was grown."""
    node, single = np.zeros(len(x), dtype=int), x.astype(np.float32)
    while (inner := numbers["left"][node] >= 0).any():
        here = node[inner]
        left = single[np.flatnonzero(inner), numbers["column"][here]] <= numbers["threshold"][here]
        node[inner] = np.where(left, numbers["left"][here], numbers["right"][here])
    return node
