"""Every candidate at the same gates, and the one that is recommended of those that pass, if any.

To pass, clusters must be large enough, stable and better separated than a unimodal null model, and predict what
customers do next better than the RFM segments, the cells that these are made of, and deciles of past spend. Whether
clusters are distinct populations or divide a continuum is tested as well and is no gate: a division can be useful, too.
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
from customerlab.analysis.clustering.past import Past, spoken
from customerlab.analysis.clustering.stability import agreement_of_seeds, stability
from customerlab.analysis.clustering.structure import excess
from customerlab.analysis.clustering.usefulness import usefulness
from customerlab.analysis.inference import holm
from customerlab.formats import p_value

DENSITY = ("DBSCAN", "HDBSCAN")
SEEDS = 2  # other seeds that each candidate is fitted with
CHOOSING = 3  # with at least so many periods the earliest one selects among those that pass and does not evaluate


@dataclass(frozen=True)
class Gates:
    """What a segmentation must meet to be recommended.

    Attributes
    ----------
    smallest, noise : float
        Least share of customers in the smallest cluster, since fewer are not worth a plan of their own; largest share
        of customers in no cluster.
    jaccard : float
        Least mean Jaccard similarity of every cluster over bootstrap samples; 0.75 is the threshold of Hennig (2007).
    level : float
        Largest p-value, adjusted for all candidates tested, of better separation than the unimodal null and of better
        predictions than the baselines.
    """

    smallest: float = 0.02
    noise: float = 0.2
    jaccard: float = 0.75
    level: float = 0.05


DEFAULT = Gates()


@dataclass(frozen=True)
class Judged:
    """The candidates and their results.

    Attributes
    ----------
    labels : dict of str to array
        From 0, noise -1.
    table : DataFrame
        By candidate: the columns of `validity`, `stability` and `excess` (the latter missing for candidates that
        fail an earlier gate), the same against a single population that has the customers' edges (`kinds_sample`,
        `kinds_cloud`, `p_kinds`; of candidates that pass all gates before prediction), `dbcv` (of density methods),
        `seeds` (adjusted Rand index between seeds), `seconds` (to fit), `reasons` (the gates that it fails, a tuple).
    windows : tuple of Timestamp
        First days of the periods that candidates were evaluated on; none where the log is too short.
    chosen_on : Timestamp or None
        First day of the period that selects among candidates that pass; None where the silhouette does.
    useful : DataFrame or None
        As `usefulness` returns it, with `p_holm`, adjusted for all separated candidates and all outcomes.
    worth : DataFrame
        By candidate, what selects among those that pass: `worth` and its `error`.
    recommended : str
        The candidate, or an empty text where none passes.
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
        """The candidate to describe: the wanted one, else the recommended one, else the best that fails.

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
        """The recommended candidate, or else the best of those that pass most gates."""
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
        """Candidates that pass the gates of size, stability and separation."""
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
    blocks: Sequence[Sequence[int]] = (),
    methods: Mapping[str, Method] = METHODS,
) -> Judged:
    """Fit every candidate and test its size, stability, separation and predictive value.

    Parameters
    ----------
    points : array of shape (customers, features)
    numbers : sequence of int
        Numbers of clusters for the methods that need one.
    past : sequence of Past
        The latest first. Without any, predictive value is not tested. Of three or more the earliest one selects among
        the candidates that pass and the others evaluate; of fewer all evaluate, and the silhouette selects.
    resamples : int
        Bootstrap samples for the stability.
    ceilings : sequence of Ceiling
        Features that never exceed others, which makes edges that are no clusters.
    blocks : sequence of sequences of int
        The columns of each attribute, where points are made of attributes (`excess`).

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
    table = table.join(excess(points, left, seed, blocks=blocks, methods=methods))
    for name in left:
        p = table["p_structure"][name]
        if p > gates.level:
            text = "clusters not significantly better separated than in simulated data without clusters"
            reasons[name].append(f"{text} (Holm-adjusted {p_value(p)})")
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
    """Every candidate and its time to fit, in seconds."""
    models: dict[str, Model] = {}
    seconds: dict[str, float] = {}
    for name, method in methods.items():
        begun = time.perf_counter()
        found = fit_all(points, numbers, seed, methods={name: method})
        models |= found
        seconds |= dict.fromkeys(found, (time.perf_counter() - begun) / max(len(found), 1))
    return models, seconds


def compared(models: Mapping[str, Model], past: Sequence[Past], asked: Sequence[str]) -> pd.DataFrame:
    """`usefulness` with `p_holm` and intervals adjusted for the candidates that could be recommended.

    Which ones these are does not depend on any outcome. `p_holm` is Holm's (1979) over them and all outcomes; it is
    missing for the others.
    """
    useful = usefulness(models, past, comparisons=len(asked) * past[0].outcomes.shape[1])
    useful["p_holm"] = holm(useful.loc[useful["grouping"].isin(asked), "p"])
    return useful


def _reasons(table: pd.DataFrame, gates: Gates) -> dict[str, list[str]]:
    """The gates of size, noise and stability that each candidate fails."""
    found: dict[str, list[str]] = {}
    for name, row in table.iterrows():
        reasons = found.setdefault(str(name), [])
        if row["clusters"] < 2:
            reasons.append("fewer than two clusters")
            continue
        if row["smallest"] < gates.smallest:
            reasons.append(f"smallest cluster {size(row['smallest'], gates.smallest)} of customers")
        if row["noise"] > gates.noise:
            reasons.append(f"{row['noise']:.0%} noise")
        if row["lowest_jaccard"] < gates.jaccard:
            reasons.append(f"unstable (bootstrap Jaccard {np.floor(100 * row['lowest_jaccard']) / 100:.2f})")
    return found


def size(share: float, least: float) -> str:
    """A share of customers, with a second decimal where rounding would hide that it is below the gate."""
    return f"{share:.2%}" if share < least <= round(share, 3) else f"{share:.1%}"


def _not_useful(rows: pd.DataFrame, level: float) -> list[str]:
    """Why a candidate does not beat the baselines: on no outcome, or on one and significantly worse on another."""
    if not (rows["p_holm"] <= level).any():
        less = rows.loc[rows["more_high"] < 0, "outcome"].map(spoken)
        also = f", {' and '.join(less)} significantly worse" if len(less) else ""
        return [f"no outcome explained significantly better than by the best baseline{also}"]
    worse = rows.loc[rows["worse"], "outcome"].map(spoken)
    if worse.empty:
        return []
    return [f"{' and '.join(worse)} explained significantly worse than by a baseline (not adjusted)"]


def chosen(table: pd.DataFrame, worth: pd.DataFrame, among: Sequence[str]) -> str:
    """The candidate with the fewest clusters within one standard error of the best (one-standard-error rule).

    `worth` is the mean over the outcomes of the shares explained in a period that is not used for evaluation, or the
    silhouette where there is none. Of equal candidates the first is taken.
    """
    value, error, clusters = (column.to_dict() for column in (worth["worth"], worth["error"], table["clusters"]))
    best = max(among, key=lambda name: value[name])
    close = [name for name in among if value[name] >= value[best] - error[best]]
    return str(min(close, key=lambda name: (clusters[name], -value[name])))


def _worth(table: pd.DataFrame, useful: pd.DataFrame | None) -> pd.DataFrame:
    """What selects among candidates that pass, with its standard error."""
    if useful is None:
        return pd.DataFrame({"worth": table["silhouette"].fillna(-1.0), "error": table["silhouette_error"].fillna(0.0)})
    means = useful.groupby("grouping")[["predicted", "error"]].mean()
    return means.rename(columns={"predicted": "worth"}).reindex(table.index)
