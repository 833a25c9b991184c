"""Heterogeneous effects: the effect in every segment, and whether segments differ by more than chance.

An effect that is significant in one segment and not in another is not evidence that they differ: that needs an
interaction test, adjusted for the number of segments. Nearly equivalent segments are tested once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.experiment.carriers import fewness
from customerlab.analysis.experiment.compare import Metric, arms_of, benjamini_hochberg, values_of
from customerlab.analysis.experiment.contrasts import contrast
from customerlab.analysis.experiment.decision import spelled
from customerlab.analysis.experiment.measured import SOME, Measured, Units
from customerlab.analysis.experiment.stats import Moments, spoken
from customerlab.formats import p_value

SHOWN = 12  # effects of the segments that differ most
COLUMNS = ["segment", "value", "variant", "units"]
COLUMNS += ["control_mean", "variant_mean", "effect", "error", "effect_low", "effect_high"]
EQUIVALENT = 0.7  # Cramér's V from which two segments count as one: 1 if one determines the other, near 0 if unrelated


@dataclass(frozen=True)
class BySegment:
    """Effects by segment.

    Attributes
    ----------
    table : DataFrame
        `segment` (the column), `value`, `variant`, `units` (of both arms), `control_mean`, `variant_mean`, `effect`
        with `error`, `effect_low` and `effect_high`, `apart` (from the effect in all other values), `pvalue` of that
        difference, and `pvalue_bh` over all rows. NaN where there are too few outcomes (`fewness`) or nothing varies.
    interactions : DataFrame
        Does the effect differ at all? `segment`, `variant`, `values` (that have an effect), `q` (Cochran 1954:
        Σ (effect - mean)² / error²), `pvalue` (χ², one less than values), and `pvalue_bh` over all rows.
    """

    table: pd.DataFrame
    interactions: pd.DataFrame

    def tested(self) -> pd.DataFrame:
        """The interactions that could be tested, those with the smallest p-values first."""
        known = self.interactions.dropna(subset="pvalue")
        return known.sort_values(["pvalue", "metric", "segment", "variant"])


def by_segment(
    experiment: Units, metric: Metric, control: str, segments: Sequence[str], *, confidence: float = 0.95
) -> BySegment:
    """The effect in every value of some columns known before the assignment.

    A missing value is a value too. A proportion is compared by its means, and `confidence` is that of each interval.
    """
    if not segments:
        raise ValueError("no segments are named; expected columns known before the assignment")
    rows, interactions = [], []
    columns = [*metric.columns, SOME + metric.counted]
    measured = Measured.of(experiment).moments_by(segments, columns, together=[metric.columns])
    for column, found in zip(segments, measured, strict=True):
        for variant in sorted(set(found.groups["variant"]) - {control}):
            rows.append(_effects(found, metric, variant, control, column, confidence))
            interactions.append(_interaction(rows[-1], column, variant))
    both = pd.concat(rows, ignore_index=True), pd.DataFrame(interactions)
    return BySegment(*(one.assign(pvalue_bh=benjamini_hochberg(one["pvalue"])) for one in both))


def differences(
    experiment: Units, metrics: Sequence[Metric], control: str, segments: Sequence[str], *, confidence: float = 0.95
) -> BySegment:
    """`by_segment` for several metrics: both tables begin with `metric`, and are adjusted over all of them."""
    units = Measured.of(experiment)
    every = dict.fromkeys(one for metric in metrics for one in (*metric.columns, SOME + metric.counted))
    units.moments_by(segments, list(every), together=[metric.columns for metric in metrics])
    parts = {metric.name: by_segment(units, metric, control, segments, confidence=confidence) for metric in metrics}
    tables = []
    for kind in ("table", "interactions"):
        whole = pd.concat([getattr(part, kind).assign(metric=name) for name, part in parts.items()], ignore_index=True)
        whole.insert(0, "metric", whole.pop("metric"))
        tables.append(whole.assign(pvalue_bh=benjamini_hochberg(whole["pvalue"])))
    return BySegment(*tables)


def _effects(
    found: Moments, metric: Metric, variant: str, control: str, column: str, confidence: float
) -> pd.DataFrame:
    """One row per value, with its difference from all others."""
    rows = []
    for value in sorted(found.groups[column].unique()):
        kept = (found.groups[column] == value).to_numpy() & found.groups["variant"].isin([variant, control]).to_numpy()
        row = {"segment": spoken(column), "value": value, "variant": variant, "units": int(found.count[kept].sum())}
        outcomes = found.count[kept] * found.mean[kept, found.names.index(SOME + metric.counted)]
        units = found.count[kept].tolist()
        if kept.sum() == 2 and not fewness(outcomes.tolist(), units, "", proportion=metric.proportion):
            own = found.only(kept, ["variant"])
            arms = arms_of(own, control)
            one = contrast(arms[variant], arms[control], *values_of(own.names, metric), confidence=confidence)
            numbers = (one.control, one.treatment, one.effect, one.error, one.low, one.high)
            row |= dict(zip(COLUMNS[4:], map(float, numbers), strict=True))
        rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    effect, weight = table["effect"].to_numpy(), (1 / table["error"] ** 2).to_numpy()
    known = np.isfinite(weight)
    total, summed = np.sum(weight[known]), np.sum(weight[known] * effect[known])
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = np.where(total - weight > 1e-9 * total, total - weight, np.nan)  # of the other values together
        table["apart"] = effect - (summed - weight * effect) / rest
        table["pvalue"] = 2 * stats.norm.sf(np.abs(table["apart"]) / np.sqrt(1 / weight + 1 / rest))
    return table


def _interaction(part: pd.DataFrame, column: str, variant: str) -> dict[str, object]:
    known = part[part["error"] > 0]
    weight = 1 / known["error"] ** 2
    middle = (weight * known["effect"]).sum() / weight.sum() if len(known) else np.nan
    q = float((weight * (known["effect"] - middle) ** 2).sum())
    pvalue = float(stats.chi2.sf(q, len(known) - 1)) if len(known) > 1 else np.nan
    return {"segment": spoken(column), "variant": variant, "values": len(known), "q": q, "pvalue": pvalue}


def distinct(experiment: Units, segments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The segments without those nearly equivalent to an earlier one; and for each of these the one that is kept.

    Two columns are nearly equivalent where knowing one nearly determines the other: Cramér's V (1946) of 0.7 or more,
    as of spend and bands of spend, or of customers who bought for men and those who bought for women where few bought
    for both. Tested twice, one finding would look like two, and the adjustment would cost the others power.

    Examples
    --------
    >>> import ibis
    >>> units = ibis.memtable({"men": [0, 1, 1, 0], "women": [1, 0, 0, 1], "town": [0, 0, 1, 1]})
    >>> distinct(units, ["men", "women", "town"])
    (['men', 'town'], {'women': 'men'})
    """
    pairs = list(combinations(segments, 2))
    cells = dict(zip(pairs, Measured.of(experiment).cells(pairs), strict=True))
    same: dict[str, str] = {}
    for one, other in pairs:
        if one not in same and other not in same and _cramer(cells[one, other]) >= EQUIVALENT:
            same[other] = one
    return [name for name in segments if name not in same], same


def _cramer(cells: pd.DataFrame) -> float:
    table = cells.to_numpy(dtype=float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    least = min(table.shape) - 1
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / table.sum() / least)) if least else 0.0


def most_different(found: BySegment) -> pd.DataFrame:
    """The twelve effects in the segments in which they differ most, by the p-value of the segment.

    `metric`, `segment`, `value`, `variant`, `units`, `effect`, `effect_low`, `effect_high` and `of_segment`, the
    adjusted p-value of the segment.
    """
    keys = ["metric", "segment", "variant"]
    of = found.interactions.rename(columns={"pvalue": "order", "pvalue_bh": "of_segment"})
    table = found.table[found.table["error"] > 0].merge(of[[*keys, "order", "of_segment"]], on=keys)
    columns = ["metric", "segment", "value", "variant", "units", "effect", "effect_low", "effect_high", "of_segment"]
    return table.sort_values(["order", *keys, "value"]).head(SHOWN)[columns].reset_index(drop=True)


def no_segments() -> BySegment:
    """The effects by segment of a test that has no segments, or is not sound."""
    names = ["metric", *COLUMNS, "apart", "pvalue", "pvalue_bh"]
    table = pd.DataFrame(columns=names).astype(dict.fromkeys(names[:4], "str") | dict.fromkeys(names[4:], "float64"))
    interactions = ["metric", "segment", "variant", "values", "q", "pvalue", "pvalue_bh"]
    return BySegment(table, table.reindex(columns=interactions))


def _told(row: pd.Series, *, points: bool) -> str:
    """The effect for a segment's value, with its interval and the units."""
    effect, low, high = spelled(row["effect"], row["effect_low"], row["effect_high"], points=points)
    unit = " percentage points" if points else ""
    whose, units = f"for {row['segment']} = {row['value']}", f"{row['units']:,} units"
    if row["effect_low"] <= 0 <= row["effect_high"]:
        return f"no effect is shown {whose} ({effect}{unit}, CI {low} to {high}; {units})"
    return f"{effect}{unit} {whose} (CI {low} to {high}; {units})"


def differing(
    found: BySegment,
    metrics: Sequence[Metric],
    alpha: float,
    most: int = 5,
    *,
    same: Mapping[str, str] | None = None,
    against: str = "",
) -> list[str]:
    """Sentences for the effects that differ by segment, the smallest p-values first, with the two furthest apart.

    The larger of the two, of either sign, comes first; of one whose interval holds zero it says that none is shown.
    Beyond `most` sentences they are counted; `same` are columns nearly equivalent to a segment, as `distinct` returns
    them; `against` is the arm that is compared with, where that is not the control.
    """
    proportions = {metric.name: metric.proportion for metric in metrics}
    clear = found.interactions[found.interactions["pvalue_bh"] < alpha]
    clear = clear.sort_values(["pvalue", "metric", "segment", "variant"])
    said, versus = [], f" against {against}" if against else ""
    for row in clear.head(most).to_dict("records"):
        here = found.table[["metric", "segment", "variant"]] == [row["metric"], row["segment"], row["variant"]]
        own = found.table[here.all(axis=1) & (found.table["error"] > 0)].sort_values(["effect", "value"])
        points = proportions[row["metric"]]
        ends = own.iloc[[0, -1]].sort_values("effect", key=abs, ascending=False, kind="stable")
        first, other = (_told(one, points=points) for _, one in ends.iterrows())
        alike = [one for one, kept in (same or {}).items() if kept == row["segment"]]
        also = f"; {row['segment']} is closely associated with {', '.join(alike)}" if alike else ""
        said.append(
            f"{row['variant']}{versus}: the effect on {row['metric']} differs by {row['segment']} (BH-adjusted "
            f"{p_value(row['pvalue_bh'])}{also}){', furthest apart' if len(own) > 2 else ''}: {first}; {other}."
        )
    more = len(clear) - most
    return said + ([f"{more} more effects differ by segment."] if more > 0 else [])
