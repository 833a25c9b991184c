"""What models need that hold a matrix of products by products, which a large catalogue does not allow."""

from collections.abc import Sequence

import pandas as pd

from customerlab.analysis.recommend.models.base import Model
from customerlab.analysis.recommend.models.hybrid import WINDOWS, Hybrid
from customerlab.analysis.recommend.models.linear import EASE
from customerlab.analysis.recommend.models.neighbours import ItemNeighbours
from customerlab.analysis.recommend.models.walk import RP3beta
from customerlab.analysis.recommend.split import Split

BUDGET = 600.0
"""Seconds that a fit may take."""
MEMORY = 2 * 2**30
"""Bytes that a model may take for its matrices."""
INVERSE = 1.6e-10  # seconds of one core a cube of the products, as measured with 3,000 and 6,000 of them
SORTED = 3e-7  # seconds a pair of products


def needs(model: Model, products: int) -> tuple[float, float]:
    """Seconds of a fit and bytes of matrices, as far as they grow with the square of the products, or faster.

    Examples
    --------
    >>> [round(number) for number in needs(EASE(), 6_000)]
    [35, 864000000]
    """
    inverse, square = INVERSE * products**3, 8.0 * products**2
    if isinstance(model, Hybrid):
        return inverse * (WINDOWS + 1), 3 * square
    if isinstance(model, EASE):
        return inverse, 3 * square
    if isinstance(model, (ItemNeighbours, RP3beta)):
        return SORTED * products**2, 4 * square
    return 0.0, 0.0


def affordable(models: Sequence[Model], split: Split, *, budget: float = BUDGET) -> tuple[list[Model], pd.DataFrame]:
    """The models that the size of the catalogue allows; the others by name, with the reason.

    Decided by the number of products, never by a clock, so that results do not depend on the machine.

    Parameters
    ----------
    models : sequence of Model
    split : Split
    budget : float
        Seconds that one fit may take.

    Returns
    -------
    (list of Model, DataFrame)
        And of those that are left out `model` and `why`.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 9, ["tea", "jam"])])
    >>> models, left_out = affordable([EASE()], split, budget=1e-12)
    >>> len(models), left_out.values.tolist()
    (0, [['EASE', 'about 1.3e-09 s a fit, budget 1e-12 s']])
    """
    size, allowed, left_out = len(split.products), [], []
    for model in models:
        seconds, memory = needs(model, size)
        if memory > MEMORY:
            left_out.append((model.name, f"about {memory / 2**30:,.1f} GiB of matrices, limit {MEMORY / 2**30:g} GiB"))
        elif seconds > budget:
            left_out.append((model.name, f"about {seconds:,.2g} s a fit, budget {budget:g} s"))
        else:
            allowed.append(model)
    return allowed, pd.DataFrame(left_out, columns=["model", "why"])
