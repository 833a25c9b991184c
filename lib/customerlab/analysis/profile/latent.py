"""Latent classes: groups of customers within which the answers to categorical items are independent of one another.

Sources: Lazarsfeld and Henry (1968), *Latent Structure Analysis*, for the model; Goodman (1974), Biometrika 61(2), for
the estimates by expectation-maximisation (EM).
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import xlogy
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import LEAST, enough, too_few
from customerlab.analysis.profile.latent_em import (
    Levels,
    Parameters,
    Patterns,
    fitted,
    levels_of,
    patterns_of,
    posterior,
    sampled,
)

STARTS = 20
CHOICE = ["classes", "log_likelihood", "parameters", "bic", "entropy_r2", "converged", "reached"]


@dataclass(frozen=True)
class LatentClasses:
    """A fitted model. Classes are numbered from 1 by falling size, equal ones by their first probability.

    Probabilities can be 0 or 1: there is no smoothing, as none is needed for the maximum of the likelihood.

    Attributes
    ----------
    sizes : Series
        Share of customers, indexed by `class`.
    probabilities : DataFrame
        Probability of each answer, one row per `item` and `level` (the index, levels as texts) and a column per class.
    residuals : DataFrame
        One row per pair of items, in their order: `first`, `second`, `df`, and `residual`, the bivariate residual of
        Vermunt and Magidson (2005): Pearson's chi-square of observed and expected counts of customers who answered
        both, over `df`; missing with an item of one level. Far above 1, the items are associated within classes.
    entropy_r2 : float
        1 where all customers are assigned without doubt, 0 where all classes are equally likely (Ramaswamy et al.
        1993); missing for one class.
    log_likelihood : float
    customers : int
        Those with at least one answer.
    converged : bool
        Whether the last step gained less than `TOLERANCE` of the log-likelihood.
    reached : float
        Share of the `FINAL` best starts that ended at the same log-likelihood. Where it is low, take more starts.
    levels : dict
        The levels of each item, in the order of the rows of `probabilities`.
    """

    sizes: pd.Series
    probabilities: pd.DataFrame
    residuals: pd.DataFrame
    entropy_r2: float
    log_likelihood: float
    customers: int
    converged: bool
    reached: float
    levels: Levels

    @property
    def parameters(self) -> int:
        """Number of free parameters: all but one of the sizes, and of each item's probabilities in each class."""
        return _parameters(self.levels, len(self.sizes))

    @property
    def bic(self) -> float:
        """Schwarz's criterion (1978)."""
        return self.parameters * float(np.log(self.customers)) - 2 * self.log_likelihood

    def posterior(self, table: pd.DataFrame) -> pd.DataFrame:
        """The probability of each class (a column each) for these or other customers, with the index of `table`.

        Missing answers do not count, nor do levels that no customer of the fit had; a customer without an answer has
        the class sizes. Raises ValueError where an item is lacking.
        """
        with threadpool_limits(1):  # sums over several threads differ in their last digits
            data, places = patterns_of(table, self.levels)
            share = posterior(_at(self), data)[0]
        return pd.DataFrame(share[places], table.index, self.sizes.index)

    def assign(self, table: pd.DataFrame) -> pd.Series:
        """The most probable class of each customer, of equally probable ones the first, with the index of `table`."""
        share = self.posterior(table).to_numpy().round(12)
        return pd.Series(self.sizes.index.to_numpy()[share.argmax(axis=1)], table.index, name="class")


@dataclass(frozen=True)
class Choice:
    """Models with one class and more, and the one that is chosen.

    Attributes
    ----------
    table : DataFrame
        One row per number of `classes`, from 1: `log_likelihood`, `parameters`, `bic`, `entropy_r2`, `converged`,
        `reached`.
    model : LatentClasses or None
        The one with the lowest BIC, of equal ones that with fewer classes; None where there are too few customers.
    note : str
        What has to be known beside it: too few customers, or models whose fit has not converged; else empty.
    """

    table: pd.DataFrame
    model: LatentClasses | None
    note: str


@dataclass(frozen=True)
class Ratio:
    """The likelihood ratio of two numbers of classes, -2 log, and the share of bootstrap samples that reach it."""

    classes: int
    statistic: float
    p: float
    replicates: int


def answered(table: pd.DataFrame, *, most: int = 12) -> pd.DataFrame:
    """The columns of a table of attributes that are categories with 2 to `most` levels, yes/no among them."""
    kinds = table.select_dtypes(["category", "boolean", "bool"])
    return kinds.loc[:, [2 <= kinds[name].nunique() <= most for name in kinds]]


def fit_classes(table: pd.DataFrame, *, classes: int, seed: int, starts: int = STARTS) -> LatentClasses:
    """Fit latent classes by EM on the distinct patterns of answers, with the number of customers of each.

    Every start takes a few steps, and the `FINAL` best of them go on until they converge. Missing answers are left out
    of the likelihood, which is right where what is missing depends on the other answers alone (missing at random).

    Parameters
    ----------
    table : DataFrame
        One row per customer, and a column per item: categories, ordered ones too, texts or yes/no. The order of ordered
        levels is not used.
    classes : int
    seed : int
        Of the random starts.
    starts : int

    Raises
    ------
    ValueError
        For numbers, dates and items without an answer; with fewer than `inference.LEAST` customers who answered; and
        where there are more parameters than the number of customers, or of possible patterns, can identify.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> yes = rng.random((400, 5)) < np.where(rng.random(400) < 0.7, 0.9, 0.2)[:, None]
    >>> found = fit_classes(pd.DataFrame(yes, columns=list("abcde")), classes=2, seed=0)
    >>> found.sizes.round(1).tolist(), found.probabilities.loc[("a", "True")].round(1).tolist(), found.reached
    ([0.7, 0.3], [0.9, 0.2], 1.0)
    """
    data, levels = _prepared(table)
    return _model(data, levels, classes, np.random.default_rng(seed), starts)


def choose_classes(table: pd.DataFrame, *, most: int = 6, seed: int, starts: int = STARTS) -> Choice:
    """Choose the number of classes, from 1 to `most`, by the lowest BIC.

    Numbers of classes that cannot be identified are left out. The other parameters, and what raises, are as in
    `fit_classes`; too few customers do not raise.

    Examples
    --------
    >>> yes = pd.DataFrame(np.random.default_rng(2).random((300, 4)) < 0.5, columns=list("abcd"))
    >>> found = choose_classes(yes, most=5, seed=0)
    >>> found.table["classes"].tolist(), len(found.model.sizes)
    ([1, 2, 3], 1)
    >>> choose_classes(yes.head(3), seed=0).note
    'too few to tell (3 customers)'
    """
    if most < 1:
        raise ValueError(f"at most {most} classes; expected at least 1")
    data, levels = _prepared(table)
    if not enough(data.customers):
        return Choice(pd.DataFrame(columns=CHOICE), None, too_few(data.customers, "customers"))
    possible = [number for number in range(1, most + 1) if _identified(data, levels, number)]
    models = [_model(data, levels, number, np.random.default_rng(seed), starts) for number in possible]
    rows = [(len(m.sizes), *(getattr(m, name) for name in CHOICE[1:])) for m in models]
    loose = [str(len(m.sizes)) for m in models if not m.converged]
    note = f"The fit with {' and '.join(loose)} classes did not converge." if loose else ""
    return Choice(pd.DataFrame(rows, columns=CHOICE), min(models, key=lambda m: round(m.bic, 6)), note)


def compare_classes(
    table: pd.DataFrame, *, classes: int, seed: int, replicates: int = 99, starts: int = STARTS
) -> Ratio:
    """Test `classes` against one class more by the parametric bootstrap of the likelihood ratio (McLachlan 1987).

    The ratio has no chi-square distribution. Samples are drawn from the model with fewer classes, with the answers
    missing where customers' are, and both models are fitted to each; p is (1 + those that reach it) / (1 + replicates).
    A seed gives the same samples for any order of rows. The other parameters, and what raises, are as in `fit_classes`.

    Examples
    --------
    >>> yes = pd.DataFrame(np.random.default_rng(2).random((100, 4)) < 0.5, columns=list("abcd"))
    >>> compare_classes(yes, classes=1, seed=0, replicates=19, starts=3).p
    0.7
    """
    if replicates < 1:
        raise ValueError(f"{replicates} replicates; expected at least 1")
    data, levels = _prepared(table)
    rng = np.random.default_rng(seed)
    _check(data, levels, classes + 1, starts)
    with threadpool_limits(1):
        null = fitted(data, classes, rng, starts)[0]
        found = _ratio(data, classes, null.value, rng, starts)
        drawn = []
        for _ in range(replicates):
            sample = sampled(null.at, data, rng)
            drawn.append(_ratio(sample, classes, fitted(sample, classes, rng, starts)[0].value, rng, starts))
    reached = (np.array(drawn) >= found - 1e-9).sum()
    return Ratio(classes, found, float((1 + reached) / (1 + replicates)), replicates)


def _ratio(data: Patterns, classes: int, value: float, rng: np.random.Generator, starts: int) -> float:
    """The likelihood ratio against one class more, at least 0."""
    return max(2 * (fitted(data, classes + 1, rng, starts)[0].value - value), 0.0)


def _prepared(table: pd.DataFrame) -> tuple[Patterns, Levels]:
    """The distinct patterns of a table, and the levels of its items."""
    levels = levels_of(table)
    return patterns_of(table, levels)[0], levels


def _parameters(levels: Levels, classes: int) -> int:
    """Number of free parameters of a number of classes."""
    return classes - 1 + classes * sum(len(known) - 1 for known in levels.values())


def _identified(data: Patterns, levels: Levels, classes: int) -> bool:
    """Whether there are at least as many customers, and possible patterns less one, as parameters; always for one."""
    possible = math.prod(len(known) for known in levels.values()) - 1
    return classes == 1 or _parameters(levels, classes) <= min(possible, data.customers)


def _check(data: Patterns, levels: Levels, classes: int, starts: int) -> None:
    """Refuse what cannot be fitted."""
    if classes < 1 or starts < 1:
        raise ValueError(f"{classes} classes and {starts} starts; expected at least one of each")
    if not enough(data.customers):
        raise ValueError(f"{too_few(data.customers, 'customers')}; expected {LEAST}")
    if not _identified(data, levels, classes):
        number = _parameters(levels, classes)
        raise ValueError(f"{classes} classes have {number} parameters, too many for these customers and items")


def _model(data: Patterns, levels: Levels, classes: int, rng: np.random.Generator, starts: int) -> LatentClasses:
    """The fitted model, its classes in order."""
    _check(data, levels, classes, starts)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        best, reached = fitted(data, classes, rng, starts)
        order = np.lexsort([-best.at.probabilities[0], -best.at.sizes.round(6)])
        at = Parameters(best.at.sizes[order], best.at.probabilities[:, order])
        share = posterior(at, data)[0]
        doubt = -float(data.weights @ xlogy(share, share).sum(axis=1))
        residuals = _residuals(at, data, list(levels))
    names = pd.RangeIndex(1, classes + 1, name="class")
    rows = [(name, str(level)) for name, known in levels.items() for level in known]
    index = pd.MultiIndex.from_tuples(rows, names=["item", "level"])
    entropy = 1 - doubt / (data.customers * np.log(classes)) if classes > 1 else np.nan
    return LatentClasses(
        sizes=pd.Series(at.sizes, names, name="size"),
        probabilities=pd.DataFrame(at.probabilities, index, names),
        residuals=residuals,
        entropy_r2=float(entropy),
        log_likelihood=best.value,
        customers=data.customers,
        converged=best.converged,
        reached=reached,
        levels=levels,
    )


def _at(model: LatentClasses) -> Parameters:
    """The parameters of a model."""
    return Parameters(model.sizes.to_numpy(), model.probabilities.to_numpy())


def _residuals(at: Parameters, data: Patterns, names: list[str]) -> pd.DataFrame:
    """Bivariate residuals of all pairs of items, from the table of each pair of columns."""
    seen = data.hot.T @ (data.hot * data.weights[:, None])
    both = data.by_item(data.by_item(seen).T)  # customers who answered both items
    expected = both * (at.probabilities * at.sizes @ at.probabilities.T)
    parts = np.divide((seen - expected) ** 2, expected, out=np.zeros_like(seen), where=expected > 0)
    squares = np.add.reduceat(np.add.reduceat(parts, data.begins, axis=0), data.begins, axis=1)
    first, second = np.triu_indices(len(names), 1)
    df = (data.lengths[first] - 1) * (data.lengths[second] - 1)
    residual = np.divide(squares[first, second], df, out=np.full(len(df), np.nan), where=df > 0)
    pairs = {"first": [names[n] for n in first], "second": [names[n] for n in second]}
    return pd.DataFrame(pairs | {"df": df, "residual": residual})
