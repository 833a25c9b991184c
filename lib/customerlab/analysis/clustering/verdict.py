"""Every candidate before the same gates, and what is recommended of those that pass: one, or none.

To pass is to be a useful cut through the customers. Whether the groups are several kinds of customer, or a cut through
one population that has no borders, is asked of the recommended one, and no gate: such a cut can serve, too.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.clustering import density
from customerlab.analysis.clustering.indices import validity
from customerlab.analysis.clustering.methods import METHODS, Method, fit_all, method_of
from customerlab.analysis.clustering.models import NOISE, Model
from customerlab.analysis.clustering.null_clouds import Ceiling
from customerlab.analysis.clustering.past import Past
from customerlab.analysis.clustering.stability import agreement_of_seeds, stability
from customerlab.analysis.clustering.structure import excess
from customerlab.analysis.clustering.usefulness import usefulness

DENSITY = ("DBSCAN", "HDBSCAN")
SEEDS = 2  # other seeds that each candidate is fitted with
SPELLED = {
    "davies_bouldin": "Davies–Bouldin", "calinski_harabasz": "Calinski–Harabasz", "dbcv": "DBCV",
    "adjusted_rand": "adjusted Rand", "lowest_jaccard": "lowest Jaccard", "p_structure": "p structure",
}  # fmt: skip
"""Columns of `verdicts` as a reader sees them."""


@dataclass(frozen=True)
class Gates:
    """What a segmentation must be to be recommended.

    Attributes
    ----------
    smallest : float
        At least this share of customers in the smallest cluster: fewer are not worth a plan of their own.
    noise : float
        At most this share of customers in no cluster.
    jaccard : float
        At least this mean Jaccard similarity of every cluster over bootstrap samples; 0.75 is what Hennig (2007) asks.
    level : float
        At most this p-value of more structure than in one cloud.
    """

    smallest: float = 0.02
    noise: float = 0.2
    jaccard: float = 0.75
    level: float = 0.05


DEFAULT = Gates()


@dataclass(frozen=True)
class Judged:
    """The candidates and what was found of them.

    Attributes
    ----------
    models : dict of str to Model
    labels : dict of str to array
        From 0, noise -1.
    table : DataFrame
        By candidate: the columns of `validity`, `stability` and `excess` (the latter missing for candidates that
        another gate had stopped), `p_kinds` (of the recommended one: as `p_structure`, against clouds that have the
        customers' edges, too), `dbcv` (of density methods), `seeds` (adjusted Rand index between seeds), `seconds`
        (to fit), `reasons` (a tuple, empty where nothing speaks against it).
    useful : DataFrame or None
        As `usefulness` returns it, baselines included: `more` than the first of them, `beside` the second. Without
        candidates of more clusters than there were different customers in the past.
    recommended : str
        The candidate, or an empty text where there is none.
    """

    models: Mapping[str, Model]
    labels: Mapping[str, np.ndarray]
    table: pd.DataFrame
    useful: pd.DataFrame | None
    recommended: str

    def shown(self, wanted: str = "") -> str:
        """The candidate to explain: the wanted one, else the recommended, else the nearest to passing.

        Raises
        ------
        ValueError
            If there is no candidate of that name.
        """
        if wanted and wanted not in self.models:
            raise ValueError(f"there is no candidate {wanted!r}; expected one of {', '.join(self.models)}")
        return wanted or self.nearest

    @property
    def nearest(self) -> str:
        """The recommended candidate; where there is none, one of two clusters or more with the least against it."""
        if self.recommended:
            return self.recommended
        worth = _worth(self.table, self.useful)[0].to_dict()
        order = {
            str(name): (min(clusters, 2), -len(reasons), worth.get(name, 0.0))
            for name, clusters, reasons in self.table[["clusters", "reasons"]].itertuples(name=None)
        }
        return max(order, key=lambda name: order[name])


def judge(
    points: np.ndarray,
    numbers: Sequence[int],
    seed: int,
    *,
    past: Past | None = None,
    gates: Gates = DEFAULT,
    resamples: int = 10,
    ceilings: Sequence[Ceiling] = (),
    methods: Mapping[str, Method] = METHODS,
) -> Judged:
    """Fit every candidate, ask of each whether it is sizeable, stable, useful and more than a cut through one cloud.

    Parameters
    ----------
    points : array of shape (customers, features)
    numbers : sequence of int
        Numbers of clusters for the methods that want one.
    seed : int
    past : Past or None
        Where None, usefulness is not asked for.
    gates : Gates
    resamples : int
        Bootstrap samples for the stability.
    ceilings : sequence of Ceiling
        Features that are never above others, which makes edges that are no groups.
    methods : mapping of str to Method

    Returns
    -------
    Judged

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> blob = rng.normal(size=(300, 2))
    >>> from customerlab.analysis.clustering.methods import kmeans
    >>> judge(blob, [2, 3], 7, methods={"K-Means": kmeans}).recommended
    ''
    """
    models: dict[str, Model] = {}
    seconds: dict[str, float] = {}
    for name, method in methods.items():
        begun = time.perf_counter()
        found = fit_all(points, numbers, seed, methods={name: method})
        models |= found
        seconds |= dict.fromkeys(found, (time.perf_counter() - begun) / max(len(found), 1))
    labels = {name: model.predict(points) for name, model in models.items()}
    table = validity(points, labels, seed)
    table["dbcv"] = pd.Series(
        {n: density.dbcv(points, own, seed) for n, own in labels.items() if n in DENSITY}, dtype=float
    )
    table = table.join(stability(points, labels, numbers, seed, resamples=resamples, methods=methods))
    table["seeds"] = agreement_of_seeds(
        points, labels, numbers, [(seed + n) % 2**32 for n in range(1, SEEDS + 1)], methods=methods
    )
    table["seconds"] = pd.Series(seconds)
    useful = None if past is None else _useful(past, list(models), numbers, seed, methods)
    reasons = _reasons(table, useful, gates)
    left = [name for name, found in reasons.items() if not found]
    table = table.join(excess(points, left, seed, methods=methods))
    p_structure = table["p_structure"].to_dict()
    for candidate in left:
        if p_structure[candidate] > gates.level:
            reasons[candidate].append("no more structure than one cloud without groups")
    table["reasons"] = [tuple(reasons[name]) for name in table.index]
    best = recommended(table, useful)
    asked = [best] if best else []
    with_edges = excess(points, asked, seed, ceilings=ceilings, methods=methods) if ceilings else table.loc[asked]
    table["p_kinds"] = with_edges["p_structure"]
    return Judged(models, labels, table, useful, best)


def _useful(
    past: Past, candidates: list[str], numbers: Sequence[int], seed: int, methods: Mapping[str, Method]
) -> pd.DataFrame:
    models = fit_all(past.points, numbers, seed, methods=methods)
    groups = dict(past.baselines)
    groups |= {name: models[name].predict(past.points) for name in candidates if name in models}
    first, beside = [*past.baselines, ""][:2]
    return usefulness(groups, past.outcomes, first, seed, beside=beside)


def _reasons(table: pd.DataFrame, useful: pd.DataFrame | None, gates: Gates) -> dict[str, list[str]]:
    """What speaks against each candidate, but for the comparison with clouds."""
    found: dict[str, list[str]] = {}
    more = None if useful is None else useful.groupby("grouping")["more_low"].max()
    for name, row in table.iterrows():
        reasons = found.setdefault(str(name), [])
        if row["clusters"] < 2:
            reasons.append("fewer than two clusters")
            continue
        if row["smallest"] < gates.smallest:
            reasons.append(f"smallest cluster {row['smallest']:.1%} of customers")
        if row["noise"] > gates.noise:
            reasons.append(f"{row['noise']:.0%} of customers in no cluster")
        if row["lowest_jaccard"] < gates.jaccard:
            reasons.append(f"not found again (lowest Jaccard {row['lowest_jaccard']:.2f})")
        if more is not None and not more.get(name, -np.inf) > 0:
            reasons.append("tells no more of what comes next than deciles of past spend")
    return found


def recommended(table: pd.DataFrame, useful: pd.DataFrame | None) -> str:
    """The candidate with the fewest clusters that tells about as much as the best: within one standard error of it.

    What it tells is the mean, over the outcomes, of the shares explained; where that is not known, the silhouette
    stands for it. Among equals the one named first wins.

    Returns
    -------
    str
        Empty where every candidate has a reason against it.
    """
    left = [str(name) for name, reasons in table["reasons"].items() if not reasons]
    if not left:
        return ""
    worth, error = (column[left].to_dict() for column in _worth(table, useful))
    best = max(left, key=lambda name: worth[name])
    close = [name for name in left if worth[name] >= worth[best] - error[best]]
    clusters = table["clusters"].to_dict()
    return min(close, key=lambda name: (clusters[name], -worth[name]))


def _worth(table: pd.DataFrame, useful: pd.DataFrame | None) -> tuple[pd.Series, pd.Series]:
    """What speaks for each candidate, with its standard error."""
    if useful is None:
        return table["silhouette"].fillna(-1.0), table["silhouette_error"].fillna(0.0)
    means = useful.groupby("grouping")[["explained", "error"]].mean()
    return means["explained"], means["error"]


def verdicts(judged: Judged) -> pd.DataFrame:
    """Every candidate with what was found of it and why it is, or is not, recommended.

    Returns
    -------
    DataFrame
        The recommended candidate first, then those with nothing against them, then by falling number of reasons;
        `candidate`, `clusters`, `smallest`, `noise`, `silhouette`, `davies_bouldin`, `calinski_harabasz`, `dbcv`,
        `adjusted_rand`, `lowest_jaccard`, `seeds`, `p_structure`, one column an outcome with the share explained, and
        `verdict` in words.
    """
    table = judged.table.reset_index()
    if judged.useful is not None:
        shares = judged.useful.pivot(index="grouping", columns="outcome", values="explained")
        table = table.join(shares, on="candidate")
    worth = _worth(judged.table, judged.useful)[0]
    table["verdict"] = [_in_words(judged, name, worth) for name in table["candidate"]]
    against = [
        len(reasons) - (name == judged.recommended)
        for name, reasons in zip(table["candidate"], table["reasons"], strict=True)
    ]
    table = table.iloc[np.argsort(against, kind="stable")].reset_index(drop=True)
    outcomes = [] if judged.useful is None else list(dict.fromkeys(judged.useful["outcome"]))
    columns = [
        "candidate", "clusters", "smallest", "noise", "silhouette", "davies_bouldin", "calinski_harabasz", "dbcv",
        "adjusted_rand", "lowest_jaccard", "seeds", "p_structure", *outcomes, "verdict",
    ]  # fmt: skip
    return table[columns].astype({"clusters": int})


def _in_words(judged: Judged, name: str, worth: pd.Series) -> str:
    reasons: tuple[str, ...] = judged.table["reasons"].to_dict()[name]
    best = judged.recommended
    if name == best:
        return "recommended"
    if reasons:
        return "no: " + "; ".join(reasons)
    if worth[name] > worth[best]:
        return f"passes; {best} has fewer clusters and tells as much within a standard error"
    return f"passes; {best} tells {'more' if worth[name] < worth[best] else 'as much'}"


def at_the_gates(judged: Judged, gates: Gates = DEFAULT) -> pd.DataFrame:
    """Every candidate at every gate, in the order of `verdicts`, as short texts.

    Returns
    -------
    DataFrame
        `candidate`; `smallest cluster`, `in no cluster` (shares of customers), `found again` (lowest Jaccard),
        `tells more` (points by which the share explained exceeds that of the first baseline at least, of the outcome
        where it is surest), `beyond a cloud` (p-value, 0.001 for less), each with ✓ or ✗, or – where it was not asked;
        `several kinds` (p-value and yes or no; no gate); and `verdict`.
    """
    table = judged.table.loc[verdicts(judged)["candidate"]]
    more = pd.Series(dtype=float) if judged.useful is None else judged.useful.groupby("grouping")["more_low"].max()
    more = 100 * more.reindex(table.index)
    p = table["p_structure"].clip(lower=0.001)
    marks = {
        "smallest cluster": (np.floor(1000 * table["smallest"]) / 10, table["smallest"] >= gates.smallest, "{:.1f} %"),
        "in no cluster": (100 * table["noise"], table["noise"] <= gates.noise, "{:.0f} %"),
        "found again": (
            np.floor(100 * table["lowest_jaccard"]) / 100,
            table["lowest_jaccard"] >= gates.jaccard,
            "{:.2f}",
        ),
        "tells more": (more, more > 0, "{:+.2f}"),
        "beyond a cloud": (p, p <= gates.level, "{:.3f}"),
    }
    result = pd.DataFrame({"candidate": table.index})
    for name, (values, met, form) in marks.items():
        result[name] = [
            f"{form.format(value)} {'✓' if ok else '✗'}" if pd.notna(value) else "–"
            for value, ok in zip(values, met, strict=True)
        ]
    result["several kinds"] = [
        f"{max(p, 0.001):.3f} {'yes' if p <= gates.level else 'no'}" if pd.notna(p) else "–" for p in table["p_kinds"]
    ]
    result["verdict"] = [
        "recommended" if name == judged.recommended else "no" if reasons else "passes"
        for name, reasons in table["reasons"].items()
    ]
    few = (table["clusters"] < 2).to_numpy()
    result.loc[few, "verdict"] = "no: one group"
    return result


def found_again(judged: Judged, name: str, labels: np.ndarray) -> pd.Series:
    """How surely each cluster of a candidate is found again, by the number that it has in `labels`; without noise."""
    raw = judged.labels[name]
    number = pd.Series(labels).groupby(raw).first().drop(index=NOISE, errors="ignore")
    again = pd.Series(judged.table.loc[name, "jaccard"])
    return pd.Series(again[number.index].to_numpy(), index=number.to_numpy()).sort_index()


def most_useful(judged: Judged) -> list[str]:
    """The baselines, the recommended candidate, and of each method the one that tells most of what comes next."""
    worth = _worth(judged.table, judged.useful)[0]
    baselines = [name for name in worth.index if name not in judged.models]
    own = [judged.recommended] if judged.recommended else []
    return list(dict.fromkeys([*baselines, *own, *_best_of_each(judged, worth).values()]))


def rivals(judged: Judged, name: str) -> list[str]:
    """The most useful candidate of each other method, of those with as many clusters as `name` where there are any."""
    worth = _worth(judged.table, judged.useful)[0]
    clusters, own = judged.table["clusters"], method_of(name)
    alike = [c for c in judged.models if clusters[c] == clusters[name]]
    best = _best_of_each(judged, worth) | _best_of_each(judged, worth[[c for c in alike if c in worth]])
    return [candidate for method, candidate in best.items() if method != own]


def _best_of_each(judged: Judged, worth: pd.Series) -> dict[str, str]:
    best: dict[str, str] = {}
    for name in judged.models:
        if judged.table["clusters"][name] > 1 and worth.get(name, -np.inf) > worth.get(
            best.get(method_of(name), ""), -np.inf
        ):
            best[method_of(name)] = name
    return best
