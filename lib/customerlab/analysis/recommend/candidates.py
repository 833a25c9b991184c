"""The models that are compared, by name."""

from collections.abc import Sequence

import pandas as pd

from customerlab.analysis.recommend.models import (
    ALS,
    BPR,
    EASE,
    TIFUKNN,
    UPCF,
    AllTimePopularity,
    Content,
    DecayedFrequency,
    DecayedPopularity,
    Hybrid,
    ItemNeighbours,
    Model,
    PersonalFrequency,
    Popularity,
    PureSVD,
    Random,
    RepurchaseInterval,
    RP3beta,
    SegmentPopularity,
    UserNeighbours,
)
from customerlab.analysis.recommend.tuning import Tuned
from customerlab.errors import ParameterError, shown

BASELINES = (Popularity.name, PersonalFrequency.name)
"""Always compared, beside the models that are asked for."""


def candidates(
    names: Sequence[str] = (),
    *,
    seed: int = 7,
    holdout_days: int = 28,
    popularity_days: int = 28,
    products: pd.DataFrame | None = None,
) -> list[Model]:
    """The models of these names and the baselines, not yet fitted; all by default.

    Days are as in `split_by_time`, and `seed` is of the models that draw by chance; `Content` needs `products`, and is
    left out without. A ParameterError says that there is no model of a name.

    Examples
    --------
    >>> [model.name for model in candidates(["EASE"])]
    ['popularity', 'personal frequency', 'EASE']
    """
    check_models(names)
    every = _every(seed, holdout_days, popularity_days, products)
    wanted = {*names, *BASELINES} if names else {model.name for model in every}
    return [m for m in every if m.name in wanted and (products is not None or not isinstance(m, Content))]


def check_models(names: Sequence[str]) -> None:
    """Raise a ParameterError where there is no model of a name."""
    known = [model.name for model in _every()]
    for name in names:
        if name not in known:
            raise ParameterError(
                f"no model is called {shown(name)}", where="parameter models", expected=f"some of {'; '.join(known)}",
                do="write names in quotes, as [EASE, 'personal frequency, decayed']",
            )  # fmt: skip


def with_tuned(models: Sequence[Model], tuned: Sequence[Tuned]) -> list[Model]:
    """The models, with the chosen parameters where they were tuned."""
    found = {one.model.name: one.model for one in tuned}
    return [found.get(model.name, model) for model in models]


def _every(
    seed: int = 7, holdout_days: int = 28, popularity_days: int = 28, products: pd.DataFrame | None = None
) -> list[Model]:
    named = pd.DataFrame(columns=["product_id", "description"]) if products is None else products
    return [
        Random(seed), AllTimePopularity(), Popularity(), DecayedPopularity(), SegmentPopularity(popularity_days),
        PersonalFrequency(), RepurchaseInterval(), UPCF(), TIFUKNN(), ItemNeighbours(weighting="cosine"),
        ItemNeighbours(weighting="TF-IDF"), ItemNeighbours(weighting="BM25"), UserNeighbours(weighting="TF-IDF"),
        RP3beta(), ALS(), BPR(seed=seed), DecayedFrequency(), EASE(), PureSVD(), Content(named),
        Hybrid(holdout_days, seed, warm_start=True),  # the evaluated trees make the lists of today
    ]  # fmt: skip
