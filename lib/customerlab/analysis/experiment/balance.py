"""Covariate balance: were the arms alike before the treatment?"""

from functools import partial

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.contrasts import Arm, Value, contrast
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.periods import ARM_THEN
from customerlab.analysis.experiment.stats import NONE, spoken
from customerlab.analysis.inference import holm
from customerlab.data.tables import COVARIATE

SAMPLE_RATIO_ALPHA = 0.001  # a sound test fails this check once in a thousand times
MOST = 20  # values of a label that are compared, the most frequent ones


def balance(experiment: Units, control: str) -> pd.DataFrame:
    """Covariate balance of the arms.

    Covariates whose values are all numbers are compared by their means, others by the share of each value. One that is
    missing for some units is compared too: by its absence, and over the units that have it. Of a split that changes,
    arms are compared within its periods (`Moments.levelled`).

    One row per covariate (or value of it) and arm: `covariate`, `value`, `variant`, `control_mean`, `variant_mean`,
    `smd` (the standardised mean difference: by the root of the mean of the two variances; Austin 2009), `pvalue`
    (Welch), `pvalue_holm` (over all rows), `sound`. The usual limit for the difference, 0.1, is for observational data;
    in a randomised test its size by chance depends on the number of units, so the p-value decides.
    """
    whole, rows = Measured.of(experiment), []
    units = Measured(whole.table.mutate(variant=whole.table[ARM_THEN])) if whole.strata else whole
    apart = partial(_apart, control, within=bool(whole.strata))
    facts = units.facts(COVARIATE)
    labels = [name for name, own in facts.items() if own["known"].sum() > own["numbers"].sum()]
    cells = dict(zip(labels, units.cells([(name, "variant") for name in labels]), strict=True))
    for name, own in facts.items():
        lacking = units.sizes - own["known"]
        if lacking.any():
            rows += apart(name, "(missing)", *_shares(lacking, units.sizes))
        if name in cells:
            known = cells[name].drop(NONE, errors="ignore") if lacking.any() else cells[name]
            number = known.sum(axis=1).sort_index().sort_values(ascending=False, kind="stable")
            for value in sorted(number.index[:MOST]):
                rows += apart(name, str(value), *_shares(known.loc[value], known.sum()))
        else:
            rows += apart(name, "", own["numbers"], own["mean"], own["variance"])
    columns = ["covariate", "value", "variant", "control_mean", "variant_mean", "smd", "pvalue"]
    table = pd.DataFrame(rows, columns=columns)
    table["pvalue_holm"] = holm(table["pvalue"])
    return table.assign(sound=~(table["pvalue_holm"] < SAMPLE_RATIO_ALPHA))


def _shares(some: pd.Series, units: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Units, the share of them that have a value, and its variance, which needs no other number."""
    share = some / units
    return units, share, share * (1 - share) * units / (units - 1).where(units > 1)


def _levelled(table: pd.DataFrame) -> pd.DataFrame:
    """Arms from arms by period: units, the mean over periods, and the variance that its error has."""
    period, arm = table.index.str.partition(" ").to_frame().to_numpy().T[[0, 2]]
    wide = table["units"].set_axis(pd.MultiIndex.from_arrays([period, arm])).unstack(fill_value=0)
    weights = wide[(wide >= 2).all(axis=1)].sum(axis=1)
    weight = pd.Series(period, table.index).map(weights / weights.sum()).fillna(0)
    error = weight**2 * table["variance"].fillna(0) / table["units"]
    parts = {"units": table["units"] * (weight > 0), "mean": weight * table["mean"], "variance": error}
    summed = pd.DataFrame(parts).groupby(arm).sum()
    return summed.assign(variance=summed["variance"] * summed["units"])


def _apart(
    control: str, name: str, value: str, units: pd.Series, mean: pd.Series, variance: pd.Series, *, within: bool
) -> list[list[object]]:
    table = pd.DataFrame({"units": units, "mean": mean, "variance": variance})[units > 0]
    known = (_levelled(table) if within else table).to_dict("index")
    if len(known) < 2 or control not in known or min(one["units"] for one in known.values()) < 2:
        return []
    arms = {
        arm: Arm(np.array([one["mean"]]), np.array([[one["variance"] / one["units"]]]), np.asarray(one["units"] - 1.0))
        for arm, one in known.items()
    }
    rows: list[list[object]] = []
    for arm in sorted(map(str, set(known) - {control})):
        both = contrast(arms[arm], arms[control], Value(0))
        spread = float(np.sqrt((known[arm]["variance"] + known[control]["variance"]) / 2))
        smd = float(both.effect) / spread if spread > 0 else 0.0
        rows.append([spoken(name), value, arm, float(both.control), float(both.treatment), smd, float(both.pvalue)])
    return rows
