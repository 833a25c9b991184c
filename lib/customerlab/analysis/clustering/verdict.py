"""Every candidate before the same gates, and what is recommended of those that pass: one, or none.

To pass is to be sizeable, stable, better separated than one cloud, and to predict what customers do next better than
the RFM segments, the cells that these are made of, and the deciles of past spend. Whether the groups are several kinds
of customer, or a cut through one population that has no borders, is asked beside it and is no gate: such a cut can
serve, too.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.clustering import density
from customerlab.analysis.clustering.indices import validity
from customerlab.analysis.clustering.methods import METHODS, Method, fit_all
from customerlab.analysis.clustering.models import Model
from customerlab.analysis.clustering.null_clouds import Ceiling
from customerlab.analysis.clustering.past import Past
from customerlab.analysis.clustering.stability import agreement_of_seeds, stability
from customerlab.analysis.clustering.structure import excess
from customerlab.analysis.clustering.usefulness import usefulness
from customerlab.analysis.inference import holm

DENSITY = ("DBSCAN", "HDBSCAN")
SEEDS = 2  # other seeds that each candidate is fitted with
CHOOSING = 3  # with at least so many windows the earliest one chooses among those that pass, and does not judge


@dataclass(frozen=True)
class Gates:
    """What a segmentation must be to be recommended.

    Attributes
    ----------
    smallest, noise : float
        At least this share of customers in the smallest cluster: fewer are not worth a plan of their own; at most this
        share in no cluster.
    jaccard : float
        At least this mean Jaccard similarity of every cluster over bootstrap samples; 0.75 is what Hennig (2007) asks.
    level : float
        At most this p-value, adjusted for all candidates that it is asked of: of more structure than in one cloud, and
        of better predictions than the baselines.
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
    labels : dict of str to array
        From 0, noise -1.
    table : DataFrame
        By candidate: the columns of `validity`, `stability` and `excess` (the latter missing for candidates that
        another gate had stopped), the same against clouds that have the customers' edges, too (`kinds_sample`,
        `kinds_cloud`, `p_kinds`; of candidates that are sizeable, stable and better separated than one cloud), `dbcv`
        (of density methods), `seeds` (adjusted Rand index between seeds), `seconds` (to fit), `reasons` (a tuple, empty
        where nothing speaks against it).
    windows : tuple of Timestamp
        The days from which candidates were judged by what came after; none where the log is too short.
    chosen_on : Timestamp or None
        The day from which the recommended one was chosen among those that pass, by what came after; None where the
        silhouette chose.
    useful : DataFrame or None
        As `usefulness` returns it, with `p_holm`, adjusted for all candidates with structure and all outcomes.
    worth : DataFrame
        By candidate, what the choice is made by: `worth` and its `error`.
    recommended : str
        The candidate, or an empty text where there is none.
    """

    models: Mapping[str, Model]
    labels: Mapping[str, np.ndarray]
    table: pd.DataFrame
    windows: tuple[pd.Timestamp, ...]
    chosen_on: pd.Timestamp | None
    useful: pd.DataFrame | None
    worth: pd.DataFrame
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
        """The recommended candidate, or else the choice among those that passed most gates."""
        if self.recommended:
            return self.recommended
        if self.structured:
            return chosen(self.table, self.worth, self.structured)
        standing = {
            str(name): (-min(clusters, 2), len(reasons))
            for name, clusters, reasons in self.table[["clusters", "reasons"]].itertuples(name=None)
        }
        least = min(standing.values())
        return chosen(self.table, self.worth, [name for name, found in standing.items() if found == least])

    @property
    def structured(self) -> list[str]:
        """Candidates that are sizeable, stable and better separated than one cloud."""
        return [str(name) for name in self.table.index[self.table["p_kinds"].notna()]]


def judge(
    points: np.ndarray,
    numbers: Sequence[int],
    seed: int,
    *,
    past: Sequence[Past] = (),
    gates: Gates = DEFAULT,
    resamples: int = 10,
    ceilings: Sequence[Ceiling] = (),
    methods: Mapping[str, Method] = METHODS,
) -> Judged:
    """Fit every candidate, ask of each whether it is sizeable, stable, more than a cut through one cloud, and useful.

    Parameters
    ----------
    points : array of shape (customers, features)
    numbers : sequence of int
        Numbers of clusters for the methods that want one.
    past : sequence of Past
        The latest first. Without any, usefulness is not asked for. Of three or more the earliest one chooses among the
        candidates that pass, and the others judge; of fewer all judge, and the silhouette chooses.
    resamples : int
        Bootstrap samples for the stability.
    ceilings : sequence of Ceiling
        Features that are never above others, which makes edges that are no groups.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> blob = rng.normal(size=(300, 2))
    >>> from customerlab.analysis.clustering.methods import kmeans
    >>> judge(blob, [2, 3], 7, methods={"K-Means": kmeans}).recommended
    ''
    """
    models, seconds = _fitted(points, numbers, seed, methods)
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
    reasons = _reasons(table, gates)
    left = [name for name, found in reasons.items() if not found]
    table = table.join(excess(points, left, seed, methods=methods))
    for name in left:
        if table["p_structure"][name] > gates.level:
            reasons[name].append("no more structure than one cloud without groups")
    left = [name for name in left if not reasons[name]]
    edges = excess(points, left, seed, ceilings=ceilings, methods=methods) if ceilings else table.loc[left]
    table["kinds_sample"], table["kinds_cloud"] = edges["silhouette_sample"], edges["silhouette_cloud"]
    table["p_kinds"] = edges["p_structure"]
    judging, choosing = (past[:-1], past[-1:]) if len(past) >= CHOOSING else (past, past[:0])
    useful = compared(models, judging, left) if judging else None
    if useful is not None:
        for name in left:
            reasons[name] += _not_useful(useful[useful["grouping"] == name], gates.level)
    table["reasons"] = [tuple(reasons[name]) for name in table.index]
    worth = _worth(table, usefulness(models, choosing) if choosing else None)
    passing = [name for name in left if not reasons[name]]
    best = chosen(table, worth, passing) if passing else ""
    chosen_on = choosing[0].formed_on if choosing else None
    return Judged(models, labels, table, tuple(p.formed_on for p in judging), chosen_on, useful, worth, best)


def _fitted(
    points: np.ndarray, numbers: Sequence[int], seed: int, methods: Mapping[str, Method]
) -> tuple[dict[str, Model], dict[str, float]]:
    """Every candidate, and the seconds that each took."""
    models: dict[str, Model] = {}
    seconds: dict[str, float] = {}
    for name, method in methods.items():
        begun = time.perf_counter()
        found = fit_all(points, numbers, seed, methods={name: method})
        models |= found
        seconds |= dict.fromkeys(found, (time.perf_counter() - begun) / max(len(found), 1))
    return models, seconds


def compared(models: Mapping[str, Model], past: Sequence[Past], asked: Sequence[str]) -> pd.DataFrame:
    """What `usefulness` finds, with `p_holm` and intervals adjusted for the candidates that could be recommended.

    Which ones these are depends on no outcome. `p_holm` is Holm's (1979) over them and all outcomes, else missing.
    """
    useful = usefulness(models, past, comparisons=len(asked) * past[0].outcomes.shape[1])
    useful["p_holm"] = holm(useful.loc[useful["grouping"].isin(asked), "p"])
    return useful


def _reasons(table: pd.DataFrame, gates: Gates) -> dict[str, list[str]]:
    """What speaks against each candidate, but for the comparisons with clouds and with the baselines."""
    found: dict[str, list[str]] = {}
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
            reasons.append(f"not stable (lowest Jaccard {np.floor(100 * row['lowest_jaccard']) / 100:.2f})")
    return found


def _not_useful(rows: pd.DataFrame, level: float) -> list[str]:
    """Why a candidate does not beat the baselines: on no outcome, or on one at the cost of another."""
    if not (rows["p_holm"] <= level).any():
        return ["predicts no outcome better than the RFM segments, R × F cells and deciles of past spend"]
    worse = rows.loc[rows["worse"], "outcome"]
    return (
        [f"predicts {' and '.join(worse)} worse than the RFM segments, R × F cells or deciles of past spend"]
        if len(worse)
        else []
    )


def chosen(table: pd.DataFrame, worth: pd.DataFrame, among: Sequence[str]) -> str:
    """The candidate with the fewest clusters that is worth about as much as the best: within one standard error of it.

    `worth` is the mean over the outcomes of the shares predicted in a window that does not judge, or where there is
    none the silhouette. Among equals the one named first wins.
    """
    value, error, clusters = (column.to_dict() for column in (worth["worth"], worth["error"], table["clusters"]))
    best = max(among, key=lambda name: value[name])
    close = [name for name in among if value[name] >= value[best] - error[best]]
    return str(min(close, key=lambda name: (clusters[name], -value[name])))


def _worth(table: pd.DataFrame, useful: pd.DataFrame | None) -> pd.DataFrame:
    """What speaks for each candidate, with its standard error."""
    if useful is None:
        return pd.DataFrame({"worth": table["silhouette"].fillna(-1.0), "error": table["silhouette_error"].fillna(0.0)})
    means = useful.groupby("grouping")[["predicted", "error"]].mean()
    return means.rename(columns={"predicted": "worth"}).reindex(table.index)
