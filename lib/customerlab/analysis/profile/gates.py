"""Segments of mixed attributes at the gates of `clustering.verdict`: size, stability, separation, "none" included."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn import config_context
from sklearn.metrics import silhouette_samples
from sklearn.preprocessing import PowerTransformer
from threadpoolctl import threadpool_limits

from customerlab.analysis.clustering.methods import Method, fit_all
from customerlab.analysis.clustering.models import Model
from customerlab.analysis.clustering.null_clouds import REPEATED
from customerlab.analysis.clustering.stability import stability
from customerlab.analysis.clustering.verdict import DEFAULT, Gates, Judged, chosen, size
from customerlab.analysis.profile.famd import fit_famd
from customerlab.analysis.profile.gower import Coding, Values, fit_coding, gower
from customerlab.analysis.profile.medoids import fit_medoids
from customerlab.analysis.profile.prototypes import fit_prototypes
from customerlab.formats import p_value

Fit = Callable[[Values, Coding, Sequence[int], int], Mapping[int, Model]]
METHODS: dict[str, Fit] = {"k-prototypes": fit_prototypes, "PAM": fit_medoids}
MOST = 1_000  # customers whose distances are looked at
PERMUTATIONS = 39  # the largest p-value below 5% is then that of one draw as well separated, 2 / 40
CALIBRATED, CORRECTIONS = 4_000, 6  # draws and rounds in which correlations are fitted
LOOK = 9  # draws after which candidates without a chance are dropped


@dataclass(frozen=True)
class _Placed:
    """A model whose points are places of customers in a table: `clustering` compares points, not distances."""

    model: Model
    values: Values

    def predict(self, points: np.ndarray) -> np.ndarray:
        return self.model.predict(self.values[points[:, 0].astype(int)])


def placed(values: Values, coding: Coding, methods: Mapping[str, Fit] = METHODS) -> dict[str, Method]:
    """The methods as `clustering` calls them, with `np.arange(len(values))[:, None]` as points.

    `fit_all`, `stability` and `agreement_of_seeds` of `clustering` work with them, whatever the distance is; missing
    values stay missing.
    """

    def bound(fit: Fit) -> Method:
        def method(points: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Model]:
            own = values[points[:, 0].astype(int)]
            return {k: _Placed(model, values) for k, model in fit(own, coding, numbers, seed).items()}

        return method

    return {name: bound(fit) for name, fit in methods.items()}


def judge_mixed(
    table: pd.DataFrame,
    numbers: Sequence[int],
    seed: int,
    *,
    gates: Gates = DEFAULT,
    resamples: int = 10,
    methods: Mapping[str, Fit] = METHODS,
) -> Judged:
    """Fit k-prototypes and PAM with every number of segments, and test their size, stability and separation.

    Separation is the mean silhouette (Rousseeuw 1987) on Gower's distance of at most 1,000 customers. It is compared
    with that of the same methods on tables without segments: with each attribute permuted on its own, which keeps
    every distribution and no relation (`p_structure`), and with one population of the same correlations, cut from
    normal numbers (`p_kinds`). Both are gates: attributes that are correlated alone are no segments. P-values are those
    of the largest standardised silhouette over all candidates (Westfall and Young 1993), so that the chance of
    recommending anything where attributes are independent is at most `gates.level`. Of the candidates that pass, that
    with the fewest segments within one standard error of the largest silhouette is recommended.

    Parameters
    ----------
    table : DataFrame
        Of attributes, as in `fit_coding`; the order of rows does not matter.
    numbers : sequence of int
        Those above the number of different customers are left out.
    resamples : int
        Bootstrap samples for the stability.

    Returns
    -------
    Judged
        As `clustering.judge` returns it, for `verdicts` and `gate_results`: labels of customers sorted by id; columns
        of the table that need Euclidean points are missing; no predictive value is tested. Without two different
        customers there is no candidate, and nothing is recommended.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> table = pd.DataFrame({"age": rng.normal(40, 9, 120), "home": rng.choice(["flat", "house"], 120)})
    >>> judge_mixed(table, [2], 7).recommended
    ''
    """
    ordered = table.sort_index()
    coding = fit_coding(ordered)
    values = coding.values(ordered)
    points, bound = np.arange(float(len(values)))[:, None], placed(values, coding, methods)
    models = fit_all(points, numbers, seed, methods=bound)
    labels = {name: model.predict(points) for name, model in models.items()}
    rng = np.random.default_rng(seed)
    drawn = np.arange(len(values))
    if len(values) > MOST:
        drawn = np.sort(rng.choice(len(values), MOST, replace=False))
    found = _silhouettes(values[drawn], coding, {name: own[drawn] for name, own in labels.items()})
    found["clusters"] = [len(np.unique(own)) for own in labels.values()]
    found["smallest"] = [np.unique(own, return_counts=True)[1].min() / len(own) for own in labels.values()]
    found = found.join(stability(points, labels, numbers, seed, resamples=resamples, methods=bound))
    reasons = {str(name): _reasons(row, gates) for name, row in found.iterrows()}
    nulls = {
        "p_structure": (rng.permuted(values[drawn], axis=0) for _ in range(PERMUTATIONS)),
        "p_kinds": _populations(ordered.iloc[drawn], values[drawn], coding, rng),
    }
    against = ("with attributes permuted", "in one population with correlated attributes")
    for (column, draws), what in zip(nulls.items(), against, strict=True):
        left = [name for name, failed in reasons.items() if not failed]
        with threadpool_limits(1):  # sums over several threads differ in their last digits
            found[column] = _p_values(values[drawn], coding, draws, left, numbers, seed, methods)
        for name in left:
            p = float(found[column].to_dict()[name])
            if p > gates.level:
                text = f"segments not significantly better separated than {what}"
                reasons[name].append(f"{text} (adjusted {p_value(p)})")
    found["noise"] = 0.0
    found[["davies_bouldin", "calinski_harabasz", "dbcv", "seeds"]] = np.nan
    found["reasons"] = [tuple(reasons[str(name)]) for name in found.index]
    worth = pd.DataFrame({"worth": found["silhouette"].fillna(-1), "error": found["silhouette_error"].fillna(0)})
    passing = [name for name, failed in reasons.items() if not failed]
    best = chosen(found, worth, passing) if passing else ""
    return Judged(models, labels, found, (), None, None, worth, best)


def _reasons(row: pd.Series, gates: Gates) -> list[str]:
    """The gates of size and stability that a candidate fails."""
    found = []
    if row["clusters"] < 2:
        return ["fewer than two clusters"]
    if row["smallest"] < gates.smallest:
        found.append(f"smallest cluster {size(row['smallest'], gates.smallest)} of customers")
    if row["lowest_jaccard"] < gates.jaccard:
        found.append(f"unstable (bootstrap Jaccard {np.floor(100 * row['lowest_jaccard']) / 100:.2f})")
    return found


def _silhouettes(values: Values, coding: Coding, labels: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean silhouette on Gower's distance and its standard error, by candidate; NaN with fewer than two segments."""
    apart = gower(values, values, coding)
    np.fill_diagonal(apart, 0)
    rows = {}
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for name, own in labels.items():
            sound = 2 <= len(np.unique(own)) < len(own)
            each = silhouette_samples(apart, own, metric="precomputed") if sound else np.full(2, np.nan)
            rows[name] = (each.mean(), each.std(ddof=1) / np.sqrt(len(each)))
    columns = ["silhouette", "silhouette_error"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns, dtype=float).rename_axis("candidate")


def _p_values(
    values: Values, coding: Coding, draws: Iterable[Values], left: list[str],
    numbers: Sequence[int], seed: int, methods: Mapping[str, Fit],
) -> pd.Series:  # fmt: skip
    """P-values of the candidates left, adjusted for all, from their silhouettes on the sample and on draws."""

    def refitted(own: Values) -> pd.Series:
        fitted = {f"{name} {k}": m for name, fit in methods.items() for k, m in fit(own, coding, numbers, seed).items()}
        return _silhouettes(own, coding, {name: model.predict(own) for name, model in fitted.items()})["silhouette"]

    if not left:
        return pd.Series(dtype=float)
    rows, simulations = [refitted(values)], iter(draws)
    for number in (LOOK, PERMUTATIONS - LOOK):
        rows += [refitted(drawn) for drawn in islice(simulations, number)]
        table = pd.DataFrame(rows).reindex(columns=rows[0].index)
        spread = table.std(ddof=0)
        standard = (table - table.mean()) / spread.where(spread > 0)
        largest = standard.iloc[1:].max(axis=1).round(9).to_numpy()
        own = standard.iloc[0].reindex(left).fillna(-np.inf).round(9)
        beyond = pd.Series((largest >= own.to_numpy()[:, None]).sum(axis=1), own.index)
        if number == LOOK and (beyond >= LOOK / 3).all():
            break
    return (1 + beyond) / len(rows)


def _populations(table: pd.DataFrame, values: Values, coding: Coding, rng: np.random.Generator) -> Iterator[Values]:
    """Tables of one normal population with the attributes' distributions and correlations; missing values stay.

    Numbers are normal after the transform of Yeo and Johnson (2000), so without modes of their own. Categories, and
    numbers with few different values, are cut from normal numbers where they have their shares; levels of a category
    are ordered by their centres on the first axis of the factor analysis.
    """
    scored, missing = np.nan_to_num(values), np.isnan(values)
    varies = np.ptp(scored, axis=0) > 0
    if not varies.any():
        return
    first = fit_famd(table).centres["axis 1"].fillna(0)
    for place in np.flatnonzero(coding.categories & varies):
        order = np.argsort(np.argsort(first[coding.names[place]].to_numpy().round(9), kind="stable"))
        scored[:, place] = order[scored[:, place].astype(int)]
    few = np.array([len(np.unique(own)) * REPEATED <= len(own) for own in scored.T])
    stepped, smooth = (
        np.flatnonzero((few | coding.categories) & varies),
        np.flatnonzero(~few & ~coding.categories & varies),
    )
    rising, straight = np.sort(scored[:, stepped], axis=0), PowerTransformer()
    seen = scored.copy()
    if len(smooth):
        seen[:, smooth] = straight.fit_transform(scored[:, smooth])
        low, high = seen[:, smooth].min(axis=0), seen[:, smooth].max(axis=0)  # beyond them there may be no way back

    def cut(normal: Values) -> Values:
        found = normal.copy()
        places = np.minimum((norm.cdf(normal[:, stepped]) * len(rising)).astype(int), len(rising) - 1)
        found[:, stepped] = np.take_along_axis(rising, places, axis=0)
        return found

    root = _root(seen, cut, varies, rng)
    for _ in range(PERMUTATIONS):
        drawn = scored.copy()
        drawn[:, varies] = cut(rng.standard_normal(scored.shape) @ root.T)[:, varies]
        if len(smooth):
            drawn[:, smooth] = straight.inverse_transform(np.clip(drawn[:, smooth], low, high))
        # the order of levels stays: which level is called which changes no distance
        yield np.where(missing, np.nan, drawn)


def _root(seen: Values, cut: Callable[[Values], Values], varies: np.ndarray, rng: np.random.Generator) -> Values:
    """A root of the normal correlations that, after the cuts, are those seen; cuts alone would weaken them."""
    live = np.flatnonzero(varies)
    wanted = np.atleast_2d(np.corrcoef(seen[:, live], rowvar=False))
    normal = rng.standard_normal((CALIBRATED, seen.shape[1]))
    normal = np.linalg.qr(normal - normal.mean(axis=0))[0] * np.sqrt(CALIBRATED)  # without correlations of their own
    own, root = wanted.copy(), np.eye(seen.shape[1])
    for _ in range(CORRECTIONS):
        spread, axes = np.linalg.eigh(own)
        half = axes * np.sqrt(np.maximum(spread, 1e-6))
        root[np.ix_(live, live)] = half @ axes.T / np.linalg.norm(half, axis=1)[:, None]
        own += wanted - np.atleast_2d(np.corrcoef(cut(normal @ root.T)[:, live], rowvar=False))
    return root
