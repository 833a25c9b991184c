"""The short form of the notebook: each arm against the control, for every outcome. Effects by tea-tasting."""

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import tea_tasting as tt

from customerlab.analysis.experiment.soundness import missing_outcomes, outcomes_of
from customerlab.data.tables import OUTCOME

EFFECT_COLUMNS = (
    "outcome", "variant", "control_mean", "variant_mean", "effect", "effect_low", "effect_high",
    "relative", "relative_low", "relative_high", "pvalue", "pvalue_holm",
)  # fmt: skip


def no_effects() -> pd.DataFrame:
    """The table of effects of a test that is not sound: it has none."""
    return pd.DataFrame(
        {name: pd.Series(dtype="str" if name in EFFECT_COLUMNS[:2] else "float64") for name in EFFECT_COLUMNS}
    )


def effects(experiment: ir.Table, control: str, confidence: float = 0.95) -> pd.DataFrame:
    """Each arm against the control, for every outcome.

    Means are compared by Welch's t (Welch 1947), which for outcomes of zero and one compares proportions. The arms
    are never compared with one another's customers: an arm's control is the control arm alone. The interval of the
    relative effect takes the control's own error into account.

    Parameters
    ----------
    experiment : ibis Table
        Canonical, no outcome missing.
    control : str
    confidence : float
        Of the intervals.

    Returns
    -------
    DataFrame
        One row an outcome and arm: `outcome`, `variant`, `control_mean`, `variant_mean`, `effect` with `effect_low`,
        `effect_high` (in units of the outcome), `relative` with `relative_low`, `relative_high` (share of the
        control's mean), `pvalue`, and `pvalue_holm`, adjusted over all rows (Holm 1979). NaN where a number is not
        defined: interval and p-value of an outcome that is the same for every unit of both arms, and the relative
        effect where the control's mean is not above zero.

    Raises
    ------
    ValueError
        If an outcome is missing for some units.
    """
    missing = missing_outcomes(experiment)
    lacking = missing[missing["missing"] > 0]
    if len(lacking):
        row = lacking.iloc[0]
        raise ValueError(
            f"{row['missing']:,} units have no {row['outcome']}; expected a value for every unit (0 where nothing happened)"
        )
    sizes = experiment.group_by("variant").aggregate(units=experiment.count()).to_pandas().set_index("variant")["units"]
    if sizes.min() < 2:
        raise ValueError(f"the arm {sizes.idxmin()!r} has one unit; expected at least two in every arm")
    names = outcomes_of(experiment)
    metrics = {name: tt.Mean(OUTCOME + name, confidence_level=confidence) for name in names}
    with np.errstate(all="ignore"):  # an outcome without variance has no test; it gives NaN below
        results = tt.Experiment(metrics, variant="variant").analyze(experiment, control=control, all_variants=True)
    # Holm's own procedure; the default, Šidák's variant, does not hold under any dependence
    adjusted = tt.adjust_fwer(results, arbitrary_dependence=True, method="bonferroni")
    rows = []
    for name in names:
        for pair in sorted(results):
            one = results[pair][name]
            rows.append(
                {
                    "outcome": name, "variant": pair[1], "control_mean": one.control, "variant_mean": one.treatment,
                    "effect": one.effect_size, "effect_low": one.effect_size_ci_lower, "effect_high": one.effect_size_ci_upper,
                    "relative": one.rel_effect_size, "relative_low": one.rel_effect_size_ci_lower,
                    "relative_high": one.rel_effect_size_ci_upper, "pvalue": one.pvalue,
                    "pvalue_holm": adjusted[pair][name]["pvalue_adj"],
                }
            )  # fmt: skip
    table = pd.DataFrame(rows).replace([np.inf, -np.inf], np.nan)
    # a share of a mean that is not above zero has no meaning, and would turn the sign of an effect
    table.loc[table["control_mean"] <= 0, ["relative", "relative_low", "relative_high"]] = np.nan
    return table


def verdicts(effects: pd.DataFrame, control: str, confidence: float) -> list[str]:
    """One sentence an arm and outcome: the effect, its interval, and whether it is clear of chance.

    Parameters
    ----------
    effects : DataFrame
        As `effects` returns it.
    control : str
        The name of the control arm.
    confidence : float
        Of the intervals; an adjusted p-value below one minus it is clear of chance.
    """
    said = []
    percent = f"{100 * confidence:g}%"
    for row in effects.to_dict("records"):
        begin = f"**{row['variant']}** on {row['outcome']}: {row['effect']:+,.4g} against {control}"
        if np.isnan(row["pvalue_holm"]):
            said.append(f"{begin}; the outcome does not vary within the arms, so chance cannot be judged.")
            continue
        relative = "" if np.isnan(row["relative"]) else f", {row['relative']:+.1%} of its mean"
        clear = row["pvalue_holm"] < 1 - confidence
        said.append(
            f"{begin} ({percent} interval {row['effect_low']:+,.4g} to {row['effect_high']:+,.4g}){relative}; "
            + ("clear of chance" if clear else "not to be told from no effect")
            + " after adjustment for all comparisons."
        )
    return said
