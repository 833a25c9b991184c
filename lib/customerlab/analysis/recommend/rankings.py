"""Every model fitted, and the whole catalogue ranked once for every evaluated customer."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.recommend.metrics.lists import Lists, ratio
from customerlab.analysis.recommend.models import Content, Model, top
from customerlab.analysis.recommend.models.base import batches
from customerlab.analysis.recommend.models.cost import Size, needs
from customerlab.analysis.recommend.split import Split

# all: any product; repeat: products the customer had bought; explore: products the customer had not
TASKS = ("all", "repeat", "explore")
LOG = logging.getLogger(__name__)  # a run shows it on the terminal, and no notebook stores it


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

        `products` has `product_id`, `description` and, where there is one, `category`: for diversity and calibration.
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


def rank(split: Split, models: Sequence[Model], k: int = 10) -> Rankings:
    """Fit every model on the history and rank the whole catalogue for every warm customer.

    A product without a history is never recommended: that it will be sold is known from the future alone; nor is one
    that the customer has returned in full: where it is bought again, it counts as not found. In the tasks repeat and
    explore, only products of the kind are ranked. A ValueError says that nobody is evaluated, two models have one name,
    or a score is not a number.
    """
    if len(split.warm) == 0:
        raise ValueError(f"no customer bought both before and after {split.date:%Y-%m-%d}; there is nobody to evaluate")
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ValueError(f"two models have one name: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
    ranked, auc = {}, {}
    size, date = Size.of(split), f"{split.date:%Y-%m-%d}"
    for number, model in enumerate(models, 1):
        seconds = needs(model, size)[0]
        said = f", about {seconds:.0f} s" if seconds >= 1 else ""
        LOG.info("%s, model %s of %s, split at %s%s", model.name, number, len(models), date, said)
        model.fit(split)
        parts = [_ranked(split, model, rows, k) for rows in batches(split.warm, max(split.history.shape))]
        lists, areas = ([part[which] for part in parts] for which in (0, 1))
        ranked[model.name] = {task: np.concatenate([part[task] for part in lists]) for task in TASKS}
        auc[model.name] = {task: np.concatenate([part[task] for part in areas]) for task in TASKS}
    return Rankings(split, k, ranked, auc)


def categories(products: pd.DataFrame, ids: pd.Index) -> csr_matrix:
    """One where a product is of a category, of shape (ids, categories); categories by name."""
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
    history, future = split.history[rows][:, :known], split.future[rows]
    free, owned = split.sent_back[rows][:, :known].toarray() == 0, history.toarray() > 0
    kinds = {"all": free, "repeat": free & owned, "explore": free & ~owned}
    lists = {task: top(scores, kind, k) for task, kind in kinds.items()}
    return lists, _areas(np.where(free, scores, -np.inf), owned, future[:, :known], future[:, known:].getnnz(axis=1))


def _areas(scores: np.ndarray, owned: np.ndarray, future: csr_matrix, unknown: np.ndarray) -> dict[str, np.ndarray]:
    """The shares of pairs of a bought product and another that are ranked rightly, equal scores one half, by task.

    What was bought and is `unknown` to the model counts as ranked below all. Of every bought product the products of
    its task that are ranked below it are counted. Among these are other bought ones: of n that were bought, each of the
    n² / 2 pairs of them, a product and itself being half a pair, is counted once, and taken off.
    """
    row = np.repeat(np.arange(len(scores)), np.diff(future.indptr))
    score, again = scores[row, future.indices], owned[row, future.indices]
    below = _below(np.sort(scores, axis=1), row, score)
    width = owned.sum(axis=1).max(initial=0)
    mine = np.full((len(scores), width), np.inf)  # scores of what the customer owns, the places left over above all
    at = np.nonzero(owned)
    mine[at[0], np.arange(len(at[0])) - np.searchsorted(at[0], at[0])] = scores[at]
    of_mine = _below(np.sort(mine, axis=1), row, score)
    sizes = owned.sum(axis=1)
    found = {}
    for task, counted, chosen, size in (
        ("all", below, np.ones(len(row), dtype=bool), np.full(len(scores), scores.shape[1])),
        ("repeat", of_mine, again, sizes),
        ("explore", below - of_mine, ~again, scores.shape[1] - sizes),
    ):
        bought = np.bincount(row[chosen], minlength=len(scores))
        right = np.bincount(row[chosen], counted[chosen], minlength=len(scores)) - bought**2 / 2
        found[task] = ratio(right, (bought + (unknown if task != "repeat" else 0)) * (size - bought))
    return found


def _below(rising: np.ndarray, row: np.ndarray, score: np.ndarray) -> np.ndarray:
    """How many numbers of a row are below a score, equal ones one half; rows are sorted, and halved until it is met."""
    found = []
    for reached in (np.less, np.less_equal):
        low, high = np.zeros(len(row), dtype=int), np.full(len(row), rising.shape[1])
        for _ in range(rising.shape[1].bit_length()):
            middle = (low + high) // 2
            up = (low < high) & reached(rising[row, np.minimum(middle, rising.shape[1] - 1)], score)
            low, high = np.where(up, middle + 1, low), np.where(up, high, middle)
        found.append(low)
    return (found[0] + found[1]) / 2
