"""The result of the comparison in words: the decision first, the tables of all candidates, and the findings."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.methods import method_of, parts
from customerlab.analysis.clustering.models import NOISE
from customerlab.analysis.clustering.past import SEGMENTS, spoken
from customerlab.analysis.clustering.structure import MOST
from customerlab.analysis.clustering.verdict import DEFAULT, Gates, Judged, size
from customerlab.analysis.inference import INFLUENTIAL, LEAST
from customerlab.formats import interval, p_value, points
from customerlab.wording import Led

SPELLED = {
    "davies_bouldin": "Davies–Bouldin", "calinski_harabasz": "Calinski–Harabasz", "dbcv": "DBCV",
    "adjusted_rand": "ARI, bootstrap", "seeds": "ARI, seeds", "money": "revenue", "log money": "log revenue",
}  # fmt: skip
"""Columns of `verdicts` as a reader sees them."""

SINGLE = "p vs single population"

WEAK = 0.5  # silhouettes up to here are weak structure at best (Kaufman and Rousseeuw 1990)

LEGEND = (
    "Prediction: ✓ where some Δ is significantly more (Holm-adjusted) and none significantly less (not adjusted). Δ: variance "
    "explained beyond the best baseline, in percentage points; ✓ significantly more, ✗ significantly less (both adjusted). "
)
"""What the columns of `gate_results` on prediction mean."""


def verdicts(judged: Judged) -> pd.DataFrame:
    """Every candidate with its measures and with the reason why it is, or is not, recommended.

    Returns
    -------
    DataFrame
        The best candidates first: the recommended one, or the best that fails; then by gates failed, gates reached and
        variance explained. `candidate`, `clusters`, columns of `Judged.table`, one column per outcome with the share of
        variance explained, and `verdict` in words. Ten decimals are kept: beyond them sums of distances depend on how
        memory is laid out.
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
    """Candidates from the best to the worst."""
    table, first = judged.table, judged.nearest
    worth = judged.worth["worth"].reindex(table.index).round(9)
    failed, untested = table["reasons"].str.len(), table[["p_structure", "p_kinds"]].isna().sum(axis=1)
    keys = [-worth, untested, failed, table["clusters"] < 2, pd.Series(table.index != first)]
    return np.lexsort([key.to_numpy(dtype=float) for key in keys])


def _in_words(judged: Judged, name: str) -> str:
    reasons: tuple[str, ...] = judged.table["reasons"].to_dict()[name]
    best, worth = judged.recommended, judged.worth["worth"]
    if name == best:
        return "recommended"
    if reasons:
        return "fails: " + "; ".join(reasons)
    by = "silhouette" if judged.chosen_on is None else "share of variance explained"
    if worth[name] > worth[best]:
        return f"passes; {best} has fewer clusters and its {by} is within one standard error"
    return f"passes; the {by} of {best} is {'higher' if worth[name] < worth[best] else 'the same'}"


def gate_results(judged: Judged, gates: Gates = DEFAULT) -> pd.DataFrame:
    """Every candidate at every gate, in the order of `verdicts`, as short texts.

    Returns
    -------
    DataFrame
        `candidate`; `verdict`; `smallest cluster`, `noise` (shares of customers), `bootstrap Jaccard` (of the least
        stable cluster), `p vs unimodal null`, each with ✓ or ✗, or – where it was not tested; `prediction`, likewise,
        where the log can test it; for each outcome, of which this gate is made, the percentage points of variance
        explained beyond the best baseline, ✓ or ✗ where it is significantly more or less (adjusted), no mark where it
        is inconclusive or not tested; and `p vs single population`, which is no gate.
    """
    table = judged.table.iloc[_order(judged)]
    several = table["clusters"] >= 2
    p = table["p_structure"]
    tested = {
        "smallest cluster": (
            [size(x, gates.smallest) if pd.notna(x) else None for x in table["smallest"]],
            table["smallest"] >= gates.smallest, "{}",
        ),
        "noise": (100 * table["noise"], table["noise"] <= gates.noise, "{:.0f}%"),
        "bootstrap Jaccard": (
            np.floor(100 * table["lowest_jaccard"]) / 100, table["lowest_jaccard"] >= gates.jaccard, "{:.2f}"
        ),
        "p vs unimodal null": ([_only(x) if pd.notna(x) else None for x in p], p <= gates.level, "{}"),
    }  # fmt: skip
    verdicts = ["fails" if reasons else "passes" for reasons in table["reasons"]]
    result = pd.DataFrame({"candidate": table.index, "verdict": verdicts})
    result.loc[result["candidate"] == judged.recommended, "verdict"] = "recommended"
    for name, (values, met, form) in tested.items():
        result[name] = [
            f"{form.format(value)} {'✓' if ok else '✗'}" if pd.notna(value) and more else "–"
            for value, ok, more in zip(values, met, several, strict=True)
        ]
    result.loc[~several.to_numpy(), "smallest cluster"] = "one group ✗"
    if judged.useful is not None:
        reached = table.index.isin(judged.structured)
        result["prediction"] = np.where(reached, np.where(table["reasons"].str.len() == 0, "✓", "✗"), "–")
        for outcome, rows in judged.useful.set_index("grouping").groupby("outcome", sort=False):
            marked = [_compared(row, gates.level) for _, row in rows.reindex(table.index).iterrows()]
            result[f"Δ {spoken(str(outcome))} (pp)"] = np.where(several, marked, "–")
    result[SINGLE] = [_only(p) if pd.notna(p) else "–" for p in table["p_kinds"]]
    return result


def _only(p: float) -> str:
    """A p-value in a column of them."""
    return p_value(p).removeprefix("p ").removeprefix("= ")


def _compared(row: pd.Series, level: float) -> str:
    mark = "" if pd.isna(row["p_holm"]) else " ✓" if row["p_holm"] <= level else " ✗" if row["more_high"] < 0 else ""
    return f"{100 * row['more']:+.1f}{mark}"


def decision(judged: Judged, *, segments: bool = True) -> str:
    """The verdict as one decision with its main reason: ``Use …`` or ``Keep the RFM segments …``.

    `segments` says whether there are RFM segments, which need orders; without them customers are kept as one group.
    """
    tried, best = len(judged.table), judged.recommended
    if best and judged.useful is not None:
        rows = judged.useful[judged.useful["grouping"] == best].sort_values("p_holm", kind="stable")
        gain = rows.to_dict("records")[0]
        return Led(
            f"Use {best}",
            f" in place of the RFM segments: {int((judged.table['reasons'].str.len() == 0).sum())} of {tried} candidates pass every "
            f"gate, and of the best ones it has the fewest clusters. It explains more variance of {spoken(gain['outcome'])} than the best "
            f"baseline, by {_points(gain, adjusted=True)}.",
        )
    if best:
        return Led(
            f"Use {best}",
            " to describe customers: its clusters are large enough, stable and well separated. These data cannot tell whether it "
            f"predicts {'better than the RFM segments' if segments else 'what customers do'}.",
        )
    if not segments:
        return Led("Keep customers as one group", f": none of {tried} candidates passes every gate.")
    return Led(
        f"Keep the {SEGMENTS}",
        f" as the grouping: none of {tried} candidates passes every gate. To rank customers by expected revenue, see 02_rfm.",
    )


def nearest_finding(judged: Judged) -> list[str]:
    """Where no candidate passes: the best one, the gates that it fails, and those that it was not tested at."""
    if judged.recommended:
        return []
    row = judged.table.to_dict("index")[judged.nearest]
    failed, later = [], ["separation", "prediction"]
    if pd.notna(row["p_structure"]):
        failed, later = later[:1], later[1:]
    if pd.notna(row["p_kinds"]):
        failed, later = ["prediction"], []
    elif not failed:
        unstable = [reason.startswith("unstable") for reason in row["reasons"]]
        failed = ["size"] * (not all(unstable)) + ["stability"] * any(unstable)
    gates = f"{' and '.join(failed)} gate{'s' * (len(failed) > 1)}"
    if judged.useful is None:
        later = [gate for gate in later if gate != "prediction"]
    then = f" Not tested for this reason: {' and '.join(later)}." if later else ""
    if judged.useful is not None and later:
        more = judged.useful.loc[judged.useful["grouping"] == judged.nearest, "more"]
        then += f" It explains less than the best baseline on {(more < 0).sum()} of {len(more)} outcomes."
    return [f"Best candidate: {judged.nearest}. It fails the {gates}: {'; '.join(row['reasons'])}.{then}"]


def _points(row: Mapping[Hashable, Any], *, adjusted: bool) -> str:
    """A difference of shares in percentage points with its interval."""
    kind = "adjusted " if adjusted else "unadjusted "
    ends = interval(100 * row["more_low"], 100 * row["more_high"], "{:+.1f}")
    return f"{points(row['more'])} ({kind}{ends})"


def saved_finding(judged: Judged, wanted: str = "", *, segments: bool = True) -> list[str]:
    """What is saved where it is not the recommended candidate: one group, or the candidate `wanted`.

    `segments` says whether there are RFM segments, as in `decision`.
    """
    if wanted and wanted != judged.recommended:
        return [
            f"The parameter segmentation selects {wanted}, which is shown and saved although it is not recommended."
        ]
    if judged.recommended:
        return []
    return [
        "The artefact clusters has one group, all customers, because no candidate is recommended."
        + " The groups to use are in rfm_segments." * segments
    ]


def prediction_findings(judged: Judged, name: str, days: int, gates: Gates = DEFAULT) -> list[str]:
    """How much variance of each outcome, in periods of so many days, a candidate and the baselines explain.

    One finding per outcome; none if the log is too short or too small to predict anything.
    """
    if judged.useful is None:
        return []
    found, adjusted = [], bool(judged.useful["p_holm"].notna().any())  # for those tested; wider for all
    for outcome in judged.useful["outcome"].unique().tolist():
        rows = judged.useful[judged.useful["outcome"] == outcome].set_index("grouping")
        one = rows.loc[[name]].to_dict("records")[0]
        best, baselines = one["rival"] if one["rival"] in rows.index else "", int(rows["rival"].isna().sum())
        shares = "".join(
            f", {other}{f', the best of {baselines} baselines,' if other == best else ''} {rows.loc[other, 'predicted']:.1%}"
            for other in dict.fromkeys(filter(None, [SEGMENTS, best]))
        )
        result = (
            "not tested"
            if pd.isna(one["p_holm"])
            else f"significantly more (Holm-adjusted {p_value(one['p_holm'])})"
            if one["p_holm"] <= gates.level
            else "significantly less"
            if one["more_high"] < 0
            else f"inconclusive{' after adjustment, significantly less before' if one['worse'] else ''}"
        )
        said, better = spoken(outcome), ""
        if best not in ("", SEGMENTS) and one["more"] <= 0 and one["low"] > rows.loc[SEGMENTS, "high"]:
            better = f"It exceeds the {SEGMENTS}, but not the best baseline. "
        found.append(
            f"{said[0].upper() + said[1:]}, next {days} days: {name} explains {one['predicted']:.1%} of the variance "
            f"({interval(one['low'], one['high'], '{:.1%}')}){shares}. "
            f"{better}Difference to {'the best baseline' if best else one['rival']}: {_points(one, adjusted=adjusted)}, {result}."
        )
    return found


def without(features: Sequence[str], unknown: Sequence[str]) -> list[str]:
    """Which features are left out, because a summary does not hold what they need (`Summary.unknown`)."""
    lacking = [name for name in features if name in unknown]
    said = f"Left out: {' and '.join(lacking)}. The summary does not say when customers ordered first, or of which day it is."
    return [said] if lacking else []


def periods(judged: Judged, days: int, *, untested: str = "") -> str:
    """The periods of so many days that candidates were evaluated on, and the one that selects among those that pass.

    There is none where the shop has a reason why nothing can be tested, the clause `untested`.
    """
    if untested:
        return f"Prediction was not tested: {untested}."
    if judged.useful is None:
        return (
            f"Prediction was not tested: too few to tell. No period of {days} days has as long a log before it, {LEAST} customers "
            "who came back and as many who did not."
        )
    last = pd.Timedelta(days=days - 1)
    listed = ", ".join(f"{begin:%Y-%m-%d} to {begin + last:%Y-%m-%d}" for begin in judged.windows)
    choice = "the silhouette"
    if judged.chosen_on is not None:
        choice = f"the {days} days from {judged.chosen_on:%Y-%m-%d}, which are not used for evaluation"
    return f"Evaluated on {listed}. Among candidates that pass, the choice is made by {choice}."


def silhouette_finding(judged: Judged) -> list[str]:
    """Which candidate has the highest silhouette, and whether it passes; nothing where none has any."""
    known = judged.table["silhouette"].dropna().astype(float).sort_values(kind="stable")
    found = []
    for candidate, value in list(known.to_dict().items())[-1:]:
        reasons = "; ".join(judged.table["reasons"].to_dict()[candidate])
        result = f"it fails: {reasons}" if reasons else "it passes every gate"
        result = "it is recommended" if candidate == judged.recommended else result
        found.append(f"The highest silhouette is that of {candidate} ({value:.2f}); {result}.")
    return found


def separation_finding(judged: Judged, gates: Gates = DEFAULT) -> str:
    """Whether customers form distinct groups, or the candidates divide a continuum."""
    tested = judged.table["p_structure"].dropna()
    table = judged.table.loc[judged.structured].sort_values("p_kinds", kind="stable")
    if tested.empty:
        return "Distinct groups: not tested. No candidate has clusters that are large and stable enough."
    if table.empty:
        return (
            "Distinct groups: none found. No candidate is significantly better separated than in simulated data without clusters "
            f"(smallest Holm-adjusted {p_value(tested.min())})."
        )
    yes = int((table["p_kinds"] <= gates.level).sum())
    weak = ""
    if table["kinds_sample"].max() <= WEAK:
        weak = f" A silhouette of at most {WEAK:.2f} is weak evidence (Kaufman and Rousseeuw 1990)."
    listed = f"silhouettes of refits to at most {MOST:,} customers; " + "; ".join(
        f"{row['candidate']}: {row['kinds_sample']:.3f} vs {row['kinds_cloud']:.3f}, {p_value(row['p_kinds'])}"
        for row in table.reset_index().head(max(yes, 1)).to_dict("records")
    )
    if yes:
        return (
            f"Distinct groups: {yes} of {len(table)} candidates that pass the separation gate are significantly better separated "
            f"than a single population would be (Holm-adjusted; {listed}).{weak} This is no gate: it does not show that they are useful."
        )
    best = f"{judged.recommended} is a useful division of a continuum." if judged.recommended else ""
    return (
        f"Distinct groups: none found. None of {len(table)} candidates that pass the separation gate is significantly better "
        f"separated than a single population would be (Holm-adjusted; {listed}). {best or 'They may divide a continuum.'}"
    )


def cluster_findings(clusters: pd.DataFrame, name: str, largest: pd.Series, *, adopted: bool) -> list[str]:
    """The most valuable cluster of a candidate, and the clusters of which one customer makes much of the revenue.

    Where revenue is not known, the largest cluster.

    `clusters` is what `profile` returns, with the `name` of each; `largest` is what `inference.largest_share` returns;
    a candidate that is not `adopted` is shown for inspection only.
    """
    rows = clusters[clusters["cluster"] != NOISE].sort_values("cluster").to_dict("records")
    worth = "share_of_revenue" in clusters
    first = "most valuable" if worth else "largest"
    lead = first.capitalize() if adopted else f"For inspection only (not recommended): {first}"
    found = [
        f"{lead} cluster of {name}: {row['share']:.1%} of customers"
        + (f" make {row['share_of_revenue']:.1%} of revenue" if worth else "")
        + f" ({row['name'].lower()})."
        for row in rows[:1]
        if not worth or pd.notna(row["share_of_revenue"])
    ]
    for cluster, share in ((row["cluster"], largest.get(row["cluster"], 0.0)) for row in rows):
        if share >= INFLUENTIAL:
            found.append(f"One customer makes {share:.0%} of the revenue of cluster {cluster} of {name}.")
    return found


def limit_warning(name: str, numbers: Sequence[int]) -> str:
    """A warning where a candidate has the largest number of clusters that was tried; else empty."""
    number = parts(name)[1]
    if number != max(numbers):
        return ""
    return f"{number} is the largest number of clusters that was tried; more may fit better (parameter max_clusters)."


def cluster_stability(judged: Judged, name: str, labels: np.ndarray) -> pd.Series:
    """The bootstrap stability (Jaccard) of each cluster, by the number that it has in `labels`; without noise."""
    raw = judged.labels[name]
    number = pd.Series(labels).groupby(raw).first().drop(index=NOISE, errors="ignore")
    again = pd.Series(judged.table.loc[name, "jaccard"])
    return pd.Series(again[number.index].to_numpy(), index=number.to_numpy()).sort_index()


def best_of_each_method(judged: Judged, name: str) -> list[str]:
    """The baselines, a candidate, and of each method the candidate that explains most variance on average."""
    if judged.useful is None:
        return []
    means = judged.useful.groupby("grouping", sort=False)["predicted"].mean()
    baselines = [other for other in means.index if other not in judged.models]
    return list(dict.fromkeys([*baselines, name, *_best_of_each(judged, means).values()]))


def best_of_other_methods(judged: Judged, name: str) -> list[str]:
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
