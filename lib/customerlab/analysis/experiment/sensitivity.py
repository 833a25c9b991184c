"""Is the effect robust to the estimator? Raw, CUPED, post-stratified and winsorised effects."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric, compare_arms, with_adjusted
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.stats import spoken, winsorised

MEASURED = "as measured"


def adjusted(
    experiment: Units, metrics: Sequence[Metric], control: str, covariates: Sequence[str], *, confidence: float = 0.95
) -> pd.DataFrame:
    """The effects adjusted for what was known before (CUPED), by the covariate that narrows a metric's intervals most.

    Proportions are compared by their means. The covariate, of one at least that are a number for every unit, is chosen
    on the same units, which among a few covariates and many units makes the intervals hardly narrower than they should
    be. Returns what `compare_arms` does, with `covariate`, and `narrower`: by what share the interval is, 1 - √kept.
    """
    tried = [
        replace(metric, name=f"{place} {number}", covariate=column, proportion=False, allowed_loss=0.0)
        for place, metric in enumerate(metrics)
        for number, column in enumerate(covariates)
    ]
    every = compare_arms(experiment, tried, control, confidence=confidence)
    every[["place", "number"]] = every["metric"].str.split(" ", expand=True).astype(int)
    left = every.groupby(["place", "number"])["kept"].mean().fillna(1.0)
    best = set(left.groupby("place").idxmin())
    table = every[[pair in best for pair in zip(every["place"], every["number"], strict=True)]].reset_index(drop=True)
    table["metric"] = [metrics[place].name for place in table["place"]]
    table["covariate"] = [spoken(covariates[number]) for number in table["number"]]
    return with_adjusted(table.drop(columns=["place", "number"]).assign(narrower=1 - np.sqrt(table["kept"])))


def stratified(
    experiment: Units, metric: Metric, control: str, segments: Sequence[str], *, confidence: float = 0.95
) -> pd.DataFrame:
    """The effects post-stratified by the segment that narrows the intervals most, as `compare_arms` returns them.

    With `segment`, the column's name: one whose every value has two units of every arm; without a row if none has.
    """
    units, best = Measured.of(experiment), pd.DataFrame()
    for name, cells in zip(segments, units.cells([(name, "variant") for name in segments]), strict=True):
        if cells.to_numpy().min() < 2:
            continue
        table = compare_arms(units, [metric], control, confidence=confidence, stratum=name)
        if best.empty or table["error"].mean() < best["error"].mean():
            best = table.assign(segment=name)
    return best


def sensitivity(
    experiment: Units,
    metric: Metric,
    control: str,
    *,
    covariates: Sequence[str],
    segments: Sequence[str],
    winsor_quantile: float,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The effects on one metric by every estimator.

    `adjusted` by covariates and `stratified` by segments, if there are any, and `winsorised` at a quantile, on both
    sides of zero, for a metric that is no proportion and where anything is beyond, unless the planned split changes.

    Columns: `way`, `variant`, `effect`, `effect_low`, `effect_high`, `narrower` (by what share the interval is, beside
    that of the effect as measured) and `pvalue`. Winsorised effects are those on the winsorised metric.
    """
    units = Measured.of(experiment)
    parts = {MEASURED: compare_arms(units, [metric], control, confidence=confidence)}
    if covariates:
        table = adjusted(units, [metric], control, covariates, confidence=confidence)
        parts[f"adjusted for {table['covariate'].iloc[0]} (CUPED)"] = table
    strata = stratified(units, metric, control, segments, confidence=confidence)
    if len(strata):
        parts[f"post-stratified by {strata['segment'].iloc[0]}"] = strata
    if not (metric.proportion or units.strata):
        cut, low, high, beyond = winsorised(units.table, metric.above, winsor_quantile)
        ends = " to ".join(f"{end:,.4g}" for end in (low, high) if np.isfinite(end))
        way = f"with {spoken(metric.above)} winsorised to {ends} ({beyond:,} units)"
        if beyond:
            parts[way] = compare_arms(cut, [metric], control, confidence=confidence)
    width = {way: table["effect_high"] - table["effect_low"] for way, table in parts.items()}
    tables = [table.assign(way=way, narrower=1 - width[way] / width[MEASURED]) for way, table in parts.items()]
    columns = ["way", "variant", "effect", "effect_low", "effect_high", "narrower", "pvalue"]
    return pd.concat(tables, ignore_index=True)[columns]


def fragile(table: pd.DataFrame, metric: str, clear: Sequence[str], alpha: float) -> list[str]:
    """Sentences for the arms (`clear`) whose effect is significant as measured, but not by another estimator."""
    if table.empty:
        return []
    open_ways = table[table["variant"].isin(clear) & ~(table["pvalue"] < alpha)]
    return [
        f"{variant}: the effect on {metric} is significant {MEASURED}, but not {' or '.join(rows['way'])}, even unadjusted."
        for variant, rows in open_ways.groupby("variant", sort=False)
    ]
