"""Every model fitted, and the whole catalogue ranked once for every customer who is evaluated."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.recommend.metrics.lists import Lists, ratio
from customerlab.analysis.recommend.models import Content, Model
from customerlab.analysis.recommend.split import Split

# all: any product; repeat: products the customer had bought; explore: products the customer had not
TASKS = ("all", "repeat", "explore")
BATCH, CELLS = 512, 8_000_000  # customers, and customers times products, ranked at once, which bounds memory
Progress = Callable[[str], None]
LOG = logging.getLogger(__name__)  # silent unless a user sets logging up, so that no notebook stores it


@dataclass(frozen=True)
class Rankings:
    """The lists of some models for the customers that a split evaluates.

    Attributes
    ----------
    split : Split
    k : int
        The length of a list.
    ranked : dict of str to dict of str to int array of shape (customers, k)
        By model and task: columns of the products, best first, -1 where fewer than k are there to be ranked.
    auc : dict of the same keys to arrays of shape (customers,)
        The area under the curve of the whole ranking, equal scores one half; NaN where a task has nothing to find.
    """

    split: Split
    k: int
    ranked: dict[str, dict[str, np.ndarray]]
    auc: dict[str, dict[str, np.ndarray]]

    @property
    def customers(self) -> pd.Index:
        """Those that are evaluated, in the order of the lists."""
        return self.split.customers[self.split.warm]

    def of(self, task: str) -> dict[str, np.ndarray]:
        """The lists of one task by model."""
        return {model: tasks[task] for model, tasks in self.ranked.items()}

    def relevant(self, task: str) -> csr_matrix:
        """What the customers bought in the future, as far as the task asks for it."""
        future = self.split.future[self.split.warm]
        again = future.multiply(self.split.history[self.split.warm].sign()).tocsr()
        return {"all": future, "repeat": again, "explore": (future - again).tocsr()}[task]

    def lists(self, model: str, task: str = "all", products: pd.DataFrame | None = None) -> Lists:
        """The lists of a model, with what the metrics need.

        Parameters
        ----------
        model, task : str
        products : DataFrame, optional
            `product_id`, `description` and, where there is one, `category`: for diversity, and for calibration.
        """
        split, rows = self.split, self.split.warm
        named: dict[str, csr_matrix] = {}
        if products is not None:
            named["vectors"] = Content(products).fit(split).vectors(split.products)
            if "category" in products:
                named["categories"] = categories(products, split.products)
        return Lists(
            self.ranked[model][task],
            self.relevant(task),
            history=split.history[rows],
            buyers=split.history.getnnz(axis=0),
            population=len(split.customers),
            money=split.spent[rows],
            **named,
        )


def rank(split: Split, models: Sequence[Model], k: int = 10, *, progress: Progress = LOG.info) -> Rankings:
    """Fit every model on the history and rank the whole catalogue for every warm customer.

    A product without a history is never recommended: that it will be sold is known from the future alone; nor is one
    that the customer has sent back in full: where it is bought again, it counts as not found. In the tasks
    repeat and explore, only products of the kind are ranked. One sort of a customer's scores serves all tasks and
    metrics.

    Parameters
    ----------
    split : Split
    models : sequence of Model
    k : int
    progress : function of a text
        Told which model is fitted. By default the log of this module, at the level of information.

    Raises
    ------
    ValueError
        If nobody is evaluated, two models have one name, or a score is not a number.
    """
    if len(split.warm) == 0:
        raise ValueError(f"nobody who bought before {split.cut:%Y-%m-%d} bought after it; there is nobody to evaluate")
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ValueError(f"two models have one name: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
    ranked, auc = {}, {}
    for number, model in enumerate(models, 1):
        progress(f"{model.name}, model {number} of {len(models)}, cut at {split.cut:%Y-%m-%d}")
        model.fit(split)
        parts = [_ranked(split, model, rows, k) for rows in batches(split, split.warm)]
        lists, areas = ([part[which] for part in parts] for which in (0, 1))
        ranked[model.name] = {task: np.concatenate([part[task] for part in lists]) for task in TASKS}
        auc[model.name] = {task: np.concatenate([part[task] for part in areas]) for task in TASKS}
    return Rankings(split, k, ranked, auc)


def batches(split: Split, rows: np.ndarray) -> list[np.ndarray]:
    """Customers in parts, each of which can be scored at once; at least one part."""
    size = max(1, min(BATCH, CELLS // max(*split.history.shape, 1)))
    return [rows[begin : begin + size] for begin in range(0, max(len(rows), 1), size)]


def categories(products: pd.DataFrame, ids: pd.Index) -> csr_matrix:
    """One where a product is of a category, of shape (ids, categories); categories by name.

    Examples
    --------
    >>> named = pd.DataFrame({"product_id": ["a", "b", "c"], "category": ["x", "y", None]})
    >>> categories(named, pd.Index(["b", "c", "a"])).toarray().tolist()
    [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
    """
    of = products.drop_duplicates("product_id").set_index("product_id")["category"].reindex(ids)
    code, names = pd.factorize(of, sort=True)
    some = np.flatnonzero(code >= 0)
    return csr_matrix((np.ones(len(some)), (some, code[some])), shape=(len(ids), max(len(names), 1)))


def _ranked(
    split: Split, model: Model, rows: np.ndarray, k: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The lists of some customers by task, and the areas under their curves."""
    # products without a history are the least popular, and so the last columns
    known = int((split.history.getnnz(axis=0) > 0).sum())
    scores = model.scores(rows)[:, :known]
    if not np.isfinite(scores).all():
        raise ValueError(f"{model.name} scores a product with {scores[~np.isfinite(scores)][0]}; expected numbers")
    scores = np.where(split.sent_back[rows][:, :known].toarray() > 0, -np.inf, scores)
    order = np.argsort(-scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    begins = np.ones(order.shape, dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    owned = np.take_along_axis(split.history[rows][:, :known].toarray() > 0, order, axis=1)
    future = split.future[rows].toarray() > 0
    bought = np.take_along_axis(future[:, :known], order, axis=1)
    unknown = future[:, known:].sum(axis=1)
    kinds = {"all": np.ones_like(owned), "repeat": owned, "explore": ~owned}
    lists = {task: _first(order, kind & np.isfinite(ordered), k) for task, kind in kinds.items()}
    areas = {
        task: _area(bought & kind, kind, begins, unknown if task != "repeat" else 0 * unknown)
        for task, kind in kinds.items()
    }
    return lists, areas


def _first(order: np.ndarray, wanted: np.ndarray, k: int) -> np.ndarray:
    """The first k wanted columns of each row, -1 where there are fewer."""
    place = wanted.cumsum(axis=1)
    row, at = np.nonzero(wanted & (place <= k))
    lists = np.full((len(order), k), -1)
    lists[row, place[row, at] - 1] = order[row, at]
    return lists


def _area(bought: np.ndarray, kind: np.ndarray, begins: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The share of pairs of a bought product and another that are ranked rightly, equal scores one half.

    Columns are in the order of scores; `begins` marks where equal scores begin. What was bought and is `unknown` to the
    model counts as ranked below all.
    """
    others = kind & ~bought
    if not kind.size:
        return np.full(len(kind), np.nan)
    tie = np.flatnonzero(begins)
    row = tie // kind.shape[1]
    positive, negative = (np.add.reduceat(part.ravel(), tie, dtype=float) for part in (bought, others))
    below = others.sum(axis=1).cumsum()[row] - negative.cumsum()
    right = np.bincount(row, positive * (below + negative / 2), minlength=len(kind))
    return ratio(right, (bought.sum(axis=1) + unknown) * others.sum(axis=1))
