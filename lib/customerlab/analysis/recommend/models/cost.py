"""Time and memory of models, estimated from the size of the data before any is fitted."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from customerlab.analysis.recommend.models.base import Model
from customerlab.analysis.recommend.models.baskets import TIFUKNN, UPCF
from customerlab.analysis.recommend.models.content import Content
from customerlab.analysis.recommend.models.factors import ALS, BPR
from customerlab.analysis.recommend.models.hybrid import WINDOWS, Hybrid, parts
from customerlab.analysis.recommend.models.linear import EASE, PureSVD
from customerlab.analysis.recommend.models.neighbours import ItemNeighbours, UserNeighbours
from customerlab.analysis.recommend.models.walk import RP3beta
from customerlab.analysis.recommend.split import Split

LOG = logging.getLogger(__name__)  # a run shows it on the terminal, and no notebook stores it
BUDGET = 600.0
"""Seconds that a model may take."""
MEMORY = 2 * 2**30
"""Bytes that a model may take for its matrices."""


@dataclass(frozen=True)
class Size:
    """Size of the training data and of the ranking.

    Pairs are of a customer and a product that they bought in the history; two products meet in a customer, and two
    customers share a product, so often as the sums of squares say.
    """

    customers: int
    products: int
    pairs: int
    judged: int  # evaluated customers
    met: int  # Σ n² over the n products of each customer
    shared: int  # Σ n² over the n customers of each product

    @classmethod
    def of(cls, split: Split) -> "Size":
        """Of a split."""
        bought, buyers = (split.history.getnnz(axis=axis).astype(float) for axis in (1, 0))
        customers, products = (len(index) for index in (split.customers, split.products))
        met, shared = (int(number) for number in (bought @ bought, buyers @ buyers))
        return cls(customers, products, split.history.nnz, len(split.warm), met, shared)

    @property
    def share(self) -> float:
        """The share of customers that are evaluated."""
        return self.judged / max(self.customers, 1)


def needs(model: Any, size: Size) -> tuple[float, float]:
    """Seconds of one core to fit a model and rank once, and bytes of matrices.

    The numbers are what single runs on Online Retail and on simulated shops took. They tell seconds from hours.

    Examples
    --------
    >>> size = Size(customers=4_000, products=6_000, pairs=200_000, judged=1_000, met=30_000_000, shared=60_000_000)
    >>> [round(number) for number in needs(EASE(), size)]
    [7, 864000000]
    """
    ranking = 6e-8 * size.judged * size.products + 2e-7 * size.pairs
    seconds, memory = _own(model, size)
    return ranking + seconds, memory


def estimated_seconds(models: Sequence[Model], split: Split) -> pd.Series:
    """Seconds of one core to fit each model and rank once, by name, as `needs` estimates them: never by a clock."""
    size = Size.of(split)
    return pd.Series({model.name: needs(model, size)[0] for model in models}, dtype=float)


def _own(model: Any, size: Size) -> tuple[float, float]:
    """What a model needs beyond the ranking of its scores."""
    n, u, e = size.products, size.customers, size.judged
    neighbours = 2e-8 * e * u + 1e-8 * size.shared * size.share
    if isinstance(model, Hybrid):
        window = [_own(part, size) for part in parts().values()]
        of_window = sum(seconds for seconds, _ in window) + 3e-8 * e * n * len(window)
        return (WINDOWS + 1) * of_window + 6e-4 * e * WINDOWS, max(memory for _, memory in window)
    if isinstance(model, EASE):
        return 3e-11 * n**3 + 1e-9 * size.pairs * size.share * n, 24.0 * n**2
    if isinstance(model, (ItemNeighbours, RP3beta)):
        return 4e-8 * n**2 + 1e-8 * size.met, 30.0 * min(n**2, size.met)
    if isinstance(model, UPCF):
        return neighbours + 1e-9 * e * size.pairs, 0.0
    if isinstance(model, (UserNeighbours, TIFUKNN)):
        return 2 * neighbours, 0.0
    if isinstance(model, (PureSVD, ALS)):
        solved = getattr(model, "iterations", 0) * (2 * size.pairs * model.factors**2 + (u + n) * model.factors**3)
        return 3e-8 * size.pairs * model.factors + 1e-10 * solved, 16.0 * (u + n) * model.factors
    if isinstance(model, BPR):
        return 3e-9 * model.iterations * size.pairs * model.factors, 8.0 * (u + n) * model.factors
    if isinstance(model, Content):
        return 5e-5 * (n + u) + 2e-8 * e * n * 10, 0.0
    return 0.0, 0.0


def affordable(models: Sequence[Model], split: Split, *, budget: float = BUDGET) -> tuple[list[Model], pd.DataFrame]:
    """The models that fit within the budget and the memory; the others by name, with the reason.

    Decided by sizes, never by a clock, so that results do not depend on the machine; `budget` is in seconds that a
    model may take to be fitted and ranked once. What all allowed ones are going to take is told to the log. The table
    of those that are left out has `model` and `why`.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "jam"])])
    >>> models, left_out = affordable([EASE()], split, budget=1e-12)
    >>> len(models), left_out.values.tolist()
    (0, [['EASE', 'it needs about 4e-07 s, recommender_budget allows 1e-12 s']])
    """
    size, allowed, left_out, whole = Size.of(split), [], [], 0.0
    for model in models:
        seconds, memory = needs(model, size)
        if memory > MEMORY:
            why = f"about {memory / 2**30:,.1f} GiB of matrices, limit {MEMORY / 2**30:g} GiB"
        elif seconds > budget:
            why = f"it needs about {seconds:,.2g} s, recommender_budget allows {budget:g} s"
        else:
            allowed.append(model)
            whole += seconds
            continue
        left_out.append((model.name, why))
    LOG.info("about %.0f s for %s models", whole, len(allowed))
    return allowed, pd.DataFrame(left_out, columns=["model", "why"])
