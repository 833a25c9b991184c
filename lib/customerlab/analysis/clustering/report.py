"""What was found of the candidates in words: the decision first, the tables, and the findings."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.methods import method_of, parts
from customerlab.analysis.clustering.models import NOISE
from customerlab.analysis.clustering.past import CELLS, DECILES, SEGMENTS
from customerlab.analysis.clustering.verdict import DEFAULT, Gates, Judged
from customerlab.analysis.inference import LEAST
from customerlab.formats import interval, p_value, points

SPELLED = {
    "davies_bouldin": "Davies–Bouldin", "calinski_harabasz": "Calinski–Harabasz", "dbcv": "DBCV",
    "adjusted_rand": "adjusted Rand", "lowest_jaccard": "lowest Jaccard", "p_structure": "p structure",
}  # fmt: skip
"""Columns of `verdicts` as a reader sees them."""


def verdicts(judged: Judged) -> pd.DataFrame:
    """Every candidate with what was found of it and why it is, or is not, recommended.

    Returns
    -------
    DataFrame
        The recommended candidate first, then by rising number of reasons against: `candidate`, `clusters`, columns of
        `Judged.table`, one column an outcome with the share predicted, and `verdict` in words. Ten decimals are kept:
        beyond them sums of distances depend on how memory is laid out.
    """
    table = judged.table.reset_index()
    outcomes: list[str] = []
    if judged.useful is not None:
        outcomes = list(dict.fromkeys(judged.useful["outcome"]))
        shares = judged.useful.pivot(index="grouping", columns="outcome", values="predicted")
        table = table.join(shares, on="candidate")
    table["verdict"] = [_in_words(judged, name) for name in table["candidate"]]
    table = table.iloc[_order(judged)].reset_index(drop=True)
    columns = [
        "candidate", "clusters", "smallest", "noise", "silhouette", "davies_bouldin", "calinski_harabasz", "dbcv",
        "adjusted_rand", "lowest_jaccard", "seeds", "p_structure", *outcomes, "verdict",
    ]  # fmt: skip
    return table[columns].astype({"clusters": int}).round(10)


def _order(judged: Judged) -> np.ndarray:
    against = judged.table["reasons"].str.len() - (judged.table.index == judged.recommended)
    return np.argsort(against.to_numpy(), kind="stable")


def _in_words(judged: Judged, name: str) -> str:
    reasons: tuple[str, ...] = judged.table["reasons"].to_dict()[name]
    best, worth = judged.recommended, judged.worth["worth"]
    if name == best:
        return "recommended"
    if reasons:
        return "no: " + "; ".join(reasons)
    by = "silhouette" if judged.chosen_on is None else "share predicted"
    if worth[name] > worth[best]:
        return f"passes; {best} has fewer clusters and its {by} is within a standard error"
    return f"passes; the {by} of {best} is {'higher' if worth[name] < worth[best] else 'the same'}"


def at_the_gates(judged: Judged, gates: Gates = DEFAULT) -> pd.DataFrame:
    """Every candidate at every gate, in the order of `verdicts`, as short texts.

    Returns
    -------
    DataFrame
        `candidate`; `smallest cluster`, `noise` (shares of customers), `Jaccard` (of the least stable cluster), `one
        cloud` (p-value, 0.001 for less), each with ✓ or ✗, or – where it was not asked; for each outcome the points by
        which the share predicted exceeds that of the baseline which is hardest to beat, ✓ where it is significantly
        more (Holm-adjusted), ✗ where it is significantly less than that of a baseline (not adjusted); `several kinds`
        (silhouette, that of one population, p-value; no gate); and `verdict`.
    """
    table = judged.table.iloc[_order(judged)]
    p = table["p_structure"].clip(lower=0.001)
    marks = {
        "smallest cluster": (np.floor(1000 * table["smallest"]) / 10, table["smallest"] >= gates.smallest, "{:.1f}%"),
        "noise": (100 * table["noise"], table["noise"] <= gates.noise, "{:.0f}%"),
        "Jaccard": (np.floor(100 * table["lowest_jaccard"]) / 100, table["lowest_jaccard"] >= gates.jaccard, "{:.2f}"),
        "one cloud": (p, p <= gates.level, "{:.3f}"),
    }
    result = pd.DataFrame({"candidate": table.index})
    for name, (values, met, form) in marks.items():
        result[name] = [
            f"{form.format(value)} {'✓' if ok else '✗'}" if pd.notna(value) else "–"
            for value, ok in zip(values, met, strict=True)
        ]
    if judged.useful is not None:
        for outcome, rows in judged.useful.set_index("grouping").groupby("outcome", sort=False):
            rows = rows.reindex(table.index)
            result[str(outcome)] = [_compared(row, gates.level) for _, row in rows.iterrows()]
    kinds = zip(table["kinds_sample"], table["kinds_cloud"], table["p_kinds"], strict=True)
    result["several kinds"] = [
        f"{own:.3f} / {cloud:.3f}, {max(p, 0.001):.3f} {'yes' if p <= gates.level else 'no'}" if pd.notna(p) else "–"
        for own, cloud, p in kinds
    ]
    result["verdict"] = [
        "recommended" if name == judged.recommended else "no" if reasons else "passes"
        for name, reasons in table["reasons"].items()
    ]
    few = (table["clusters"] < 2).to_numpy()
    result.loc[few, "verdict"] = "no: one group"
    return result


def _compared(row: pd.Series, level: float) -> str:
    if pd.isna(row["p_holm"]):
        return "–"
    return f"{100 * row['more']:+.1f}{' ✓' if row['p_holm'] <= level else ' ✗' if row['worse'] else ''}"


def decision(judged: Judged) -> str:
    """The verdict as one decision with its main reason: ``Use …``, ``Keep the RFM segments …`` or ``No groups …``."""
    tried, structured, best = len(judged.table), judged.structured, judged.recommended
    if best and judged.useful is not None:
        rows = judged.useful[(judged.useful["grouping"] == best)].sort_values("p_holm", kind="stable")
        rows = rows[rows["p_holm"] <= DEFAULT.level]
        gains = ", ".join(
            f"{row['outcome']} by {_points(row)} (Holm-adjusted {p_value(row['p_holm'])})"
            for row in rows.to_dict("records")
        )
        return (
            f"Use {best}: it predicts more of the variance of what customers do next than the {SEGMENTS}, {CELLS} and {DECILES} "
            f"do, and no outcome worse: {gains}."
        )
    if best:
        return (
            f"Use {best}, to describe customers: its clusters are sizeable, stable and better separated than one cloud. "
            "Whether it predicts what customers do next better than the RFM segments cannot be told from this log."
        )
    if structured and judged.useful is not None:
        better = " and ".join(judged.useful.loc[judged.useful["p_holm"] <= DEFAULT.level, "outcome"].unique())
        return (
            f"Keep the RFM segments: of {len(structured)} candidates that are sizeable, stable and better separated than one "
            f"cloud, none predicts what customers do next significantly better than these, {CELLS} and {DECILES} do"
            f"{f'; those that predict {better} better predict another outcome worse' if better else ''}."
        )
    near = "; ".join(judged.table["reasons"][judged.nearest])
    return (
        f"No groups: none of {tried} candidates is sizeable, stable and better separated than one cloud. Nearest is "
        f"{judged.nearest} ({near}). The RFM segments are a rule and need no groups."
    )


def _points(row: Mapping[Hashable, Any]) -> str:
    """A difference of shares in percentage points with its interval."""
    kind = "adjusted " if pd.notna(row["p_holm"]) else ""
    ends = interval(100 * row["more_low"], 100 * row["more_high"], "{:+.1f}")
    return f"{points(row['more'])} ({kind}{ends})"


def said_of(judged: Judged, name: str, gates: Gates = DEFAULT) -> list[str]:
    """What a candidate predicts of each outcome beside the baselines, a sentence each; none if nothing was judged."""
    if judged.useful is None:
        return []
    found = []
    for outcome in judged.useful["outcome"].unique().tolist():
        rows = judged.useful[judged.useful["outcome"] == outcome].set_index("grouping")
        one = rows.loc[[name]].to_dict("records")[0]
        shares = ", ".join(
            f"{other} {rows.loc[other, 'predicted']:.1%}" for other in (SEGMENTS, CELLS, DECILES) if other in rows.index
        )
        better = (
            "not tested, because it fails another gate"
            if pd.isna(one["p_holm"])
            else f"significantly more (Holm-adjusted {p_value(one['p_holm'])})"
            if one["p_holm"] <= gates.level
            else "significantly less"
            if one["more_high"] < 0
            else "inconclusive"
        )
        found.append(
            f"Of the variance of the {outcome} {name} predicts {one['predicted']:.1%} (95% CI {one['low']:.1%} to {one['high']:.1%}), "
            f"{shares}; the difference to {one['rival']} is {_points(one)}: {better}."
        )
    return found


def windows_of(judged: Judged, days: int) -> str:
    """By which periods of so many days candidates were judged, and by which one was chosen among those that pass."""
    if judged.useful is None:
        return (
            f"Too few to tell what the groups predict: in no period of {days} days with as long a log before it did at least "
            f"{LEAST} customers come back and as many stay away."
        )
    periods = ", ".join(f"{begin:%Y-%m-%d} to {begin + pd.Timedelta(days=days):%Y-%m-%d}" for begin in judged.windows)
    choice = "no period chose among the candidates."
    if judged.chosen_on is not None:
        choice = f"chosen by the {days} days from {judged.chosen_on:%Y-%m-%d}, which did not judge."
    return f"Judged by {periods}; {choice}"


def highest_silhouette(judged: Judged) -> list[str]:
    """Which candidate has the highest silhouette, and what became of it; nothing where none has any."""
    known = judged.table["silhouette"].dropna().astype(float).sort_values(kind="stable")
    said = []
    for candidate, value in list(known.to_dict().items())[-1:]:
        fate = "; ".join(judged.table["reasons"].to_dict()[candidate]) or "passes every gate"
        fate = "is recommended" if candidate == judged.recommended else fate
        said.append(f"The highest silhouette, {value:.2f}, belongs to {candidate}: {fate}.")
    return said


def kinds(judged: Judged, gates: Gates = DEFAULT) -> str:
    """Whether the groups of candidates with structure are several kinds of customer, or cuts through a continuum."""
    table = judged.table.loc[judged.structured].sort_values("p_kinds", kind="stable")
    if table.empty:
        return "Whether there are several kinds of customer was not asked: no candidate is better separated than one cloud."
    yes = int((table["p_kinds"] <= gates.level).sum())
    told = "; ".join(
        f"{row['candidate']}: {row['kinds_sample']:.3f} against {row['kinds_cloud']:.3f}, {p_value(row['p_kinds'])}"
        for row in table.reset_index().head(max(yes, 1)).to_dict("records")
    )
    asked = f"of {len(table)} candidates that are better separated than one cloud"
    if yes:
        return (
            f"Several kinds of customer: {yes} {asked} have a significantly higher silhouette than one population with the same "
            f"edges would give them (Holm-adjusted; {told})."
        )
    return (
        f"Not several kinds of customer: none {asked} has a significantly higher silhouette than one population with the same "
        f"edges would give it (Holm-adjusted; smallest p, {told}). Their groups may be cuts through a continuum."
    )


def at_the_limit(name: str, numbers: Sequence[int]) -> str:
    """A warning where a candidate has the largest number of clusters that was tried; else empty."""
    number = parts(name)[1]
    if number != max(numbers):
        return ""
    return f"{number} is the largest number of clusters that was tried: more may fit better (parameter max_clusters)."


def stable(judged: Judged, name: str, labels: np.ndarray) -> pd.Series:
    """The bootstrap stability (Jaccard) of each cluster, by the number that it has in `labels`; without noise."""
    raw = judged.labels[name]
    number = pd.Series(labels).groupby(raw).first().drop(index=NOISE, errors="ignore")
    again = pd.Series(judged.table.loc[name, "jaccard"])
    return pd.Series(again[number.index].to_numpy(), index=number.to_numpy()).sort_index()


def most_useful(judged: Judged, name: str) -> list[str]:
    """The baselines, a candidate, and of each method the one that predicts most of what comes next."""
    if judged.useful is None:
        return []
    means = judged.useful.groupby("grouping", sort=False)["predicted"].mean()
    baselines = [other for other in means.index if other not in judged.models]
    return list(dict.fromkeys([*baselines, name, *_best_of_each(judged, means).values()]))


def rivals(judged: Judged, name: str) -> list[str]:
    """The best candidate of each other method, of those with as many clusters as `name` where there are any."""
    worth, own = judged.worth["worth"], method_of(name)
    alike = judged.table.index[judged.table["clusters"] == judged.table["clusters"][name]]
    best = _best_of_each(judged, worth) | _best_of_each(judged, worth[alike])
    return [candidate for method, candidate in best.items() if method != own]


def _best_of_each(judged: Judged, worth: pd.Series) -> dict[str, str]:
    best: dict[str, str] = {}
    for name in judged.models:
        if judged.table["clusters"][name] > 1 and worth.get(name, -np.inf) > worth.get(
            best.get(method_of(name), ""), -np.inf
        ):
            best[method_of(name)] = name
    return best
